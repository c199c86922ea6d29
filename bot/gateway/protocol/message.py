"""One message of the TWS API, in either direction, apart from how it is spelled on the wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its values.

    ``kind`` and the keys of ``values`` are IB's own names as written in the layouts
    (``orderStatus``: ``orderId``, ``status``, ``filled`` ...), so that whoever knows the API finds
    its words here. Values are str, int, float, Decimal, bool, None (unset), or a tuple of mappings
    for a repeated group.
    """

    kind: str
    values: Mapping[str, Any]

    def saying(self, **values: Any) -> "Message":  # noqa: ANN401 as in a message
        """Return the same message with some values changed."""
        return Message(self.kind, {**self.values, **values})
