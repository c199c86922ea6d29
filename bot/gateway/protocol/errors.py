"""What the other end of a connection can get wrong.

ProtocolError
├── BadFrame            the stream of bytes is no stream of frames; the connection is lost
│   └── BadGreeting     it does not begin as a client's does
├── NoCommonVersion     neither end speaks what the other does
├── UnknownMessage      a message id no table has
└── BadMessage          its fields are too few, too many, or not what the table says
"""


class ProtocolError(Exception):
    """Base of everything the other end can get wrong."""


class BadFrame(ProtocolError):
    """The stream of bytes is no stream of frames."""


class BadGreeting(BadFrame):
    """The connection does not begin as a client's does."""


class NoCommonVersion(ProtocolError):
    """Neither end speaks what the other does."""


class UnknownMessage(ProtocolError):
    """A message id no table has."""

    def __init__(self, message_id: str) -> None:
        super().__init__(f"unknown message id {message_id[:20]!r}")
        self.message_id = message_id


class BadMessage(ProtocolError):
    """The fields of a message are not what its table says.

    Attributes:
        kind: The message.
        reference: The request or order it is about, as far as it could be read; -1 for none.
    """

    def __init__(self, kind: str, problem: str, reference: int = -1) -> None:
        super().__init__(f"{kind}: {problem}")
        self.kind = kind
        self.reference = reference
