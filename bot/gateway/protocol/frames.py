"""Frames on a stream of bytes, and the greeting a client opens a connection with.

A frame is a payload behind its length in four bytes. The greeting is the only thing on the wire
that is not a frame: ``API``, a zero, and a frame that says which server versions the client speaks.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from bot.gateway.protocol.errors import BadFrame, BadGreeting, NoCommonVersion

LOWEST_VERSION = 157
HIGHEST_VERSION = 178
MAX_PAYLOAD = 0xFFFFFF

_LENGTH = 4
_PREFIX = b"API\0"
_MAX_GREETING = 1024
_RANGE = re.compile(rb"v(\d{1,4})(?:\.\.(\d{1,4}))?(?: (.*))?", re.DOTALL | re.ASCII)


def frame(payload: bytes) -> bytes:
    """Return ``payload`` behind its length."""
    assert len(payload) <= MAX_PAYLOAD, "a payload fits its frame"
    return len(payload).to_bytes(_LENGTH, "big") + payload


class FrameReader:
    """Takes payloads out of a stream that comes in pieces.

    It holds at most one unfinished frame: a length above ``max_payload`` is refused before any of
    its payload is waited for.
    """

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._max_payload = max_payload
        self._pending = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the payloads that ``data`` completes.

        Raises:
            BadFrame: A frame is longer than allowed. The stream is lost: what comes after cannot
                be told apart.
        """
        pending = self._pending
        pending += data
        payloads = []
        start = 0
        while len(pending) - start >= _LENGTH:
            length = int.from_bytes(pending[start : start + _LENGTH], "big")
            if length > self._max_payload:
                raise BadFrame(f"a frame of {length} bytes, at most {self._max_payload} are taken")
            end = start + _LENGTH + length
            if len(pending) < end:
                break
            payloads.append(bytes(pending[start + _LENGTH : end]))
            start = end
        del pending[:start]
        return payloads


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a client opens the connection with: the versions it speaks, and its options."""

    lowest: int
    highest: int
    options: str = ""

    def to_bytes(self) -> bytes:
        """Return it as a client sends it."""
        versions = f"v{self.lowest}..{self.highest}"
        return _PREFIX + frame(" ".join(filter(None, (versions, self.options))).encode())


def parse_greeting(payload: bytes) -> Greeting:
    """Return what the first frame of a client says.

    Raises:
        BadGreeting: It is no range of versions.
    """
    match = _RANGE.fullmatch(payload)
    if match is None:
        raise BadGreeting(f"expected a range of versions as v157..178, got {payload[:40]!r}")
    lowest, highest, options = match.groups()
    greeting = Greeting(
        int(lowest), int(highest or lowest), (options or b"").decode(errors="backslashreplace")
    )
    if greeting.lowest > greeting.highest:
        raise BadGreeting(f"versions {greeting.lowest}..{greeting.highest} run backwards")
    return greeting


def negotiate(
    greeting: Greeting, lowest: int = LOWEST_VERSION, highest: int = HIGHEST_VERSION
) -> int:
    """Return the newest version both ends speak.

    Raises:
        NoCommonVersion: There is none.
    """
    version = min(greeting.highest, highest)
    if version < max(lowest, greeting.lowest):
        raise NoCommonVersion(
            f"the client speaks versions {greeting.lowest}..{greeting.highest}, "
            f"this gateway {lowest}..{highest}"
        )
    return version


def welcome(version: int, at: datetime, zone: str) -> bytes:
    """Return the payload that answers a greeting: two fields, nothing may follow it until asked."""
    return f"{version}\0{at:%Y%m%d %H:%M:%S} {zone}\0".encode()


class ClientStream:
    """What a gateway reads from a client: one greeting, then payloads."""

    def __init__(self, max_payload: int = MAX_PAYLOAD) -> None:
        self._frames = FrameReader(max_payload)
        self._opening: bytearray | None = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes are held because what they belong to is not complete."""
        return len(self._opening) if self._opening is not None else self._frames.pending

    def feed(self, data: bytes) -> list[Greeting | bytes]:
        """Return what ``data`` completes, the greeting first.

        Raises:
            BadGreeting: The stream does not begin as a client's does.
            BadFrame: A frame is too long.
        """
        if self._opening is None:
            return list(self._frames.feed(data))
        self._opening += data
        opening = bytes(self._opening)
        if not _PREFIX.startswith(opening[: len(_PREFIX)]):
            raise BadGreeting(f"expected {_PREFIX!r}, got {opening[: len(_PREFIX)]!r}")
        body = len(_PREFIX) + _LENGTH
        if len(opening) < body:
            return []
        length = int.from_bytes(opening[len(_PREFIX) : body], "big")
        if length > _MAX_GREETING:
            raise BadGreeting(f"a greeting of {length} bytes, at most {_MAX_GREETING} are taken")
        if len(opening) < body + length:
            return []
        greeting = parse_greeting(opening[body : body + length])
        self._opening = None
        return [greeting, *self._frames.feed(opening[body + length :])]
