"""What the feed may be told: who may see what, how much of it, and where it sends it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.gateway.protocol.message import Message


class Product(StrEnum):
    """What a user of IB subscribes to and pays for; values are the names in IB's refusals."""

    INDICES = "CBOE/TOP/ALL"
    OPTIONS = "OPRA/TOP/ALL"
    FUTURES = "CFE/TOP/ALL"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """How the feed behaves."""

    permissions: frozenset[Product] = frozenset(Product)  # shown live
    refusal: int = 354  # what is said of the rest: 354, 10089 or 10186
    greeks: bool = True  # option computations beside the prices


class Sink(Protocol):
    """One client, as the feed sees it: somewhere to send to. Compared by identity."""

    def send(self, message: Message) -> None:
        """Send one message after everything sent before it."""
        ...

    def send_frames(self, data: bytes) -> None:
        """Send whole frames that are spelled already, after everything sent before them."""
        ...
