"""What a message looks like, as data: its fields in order, and in which versions they are there.

A layout is a list of items. Names are those by which the values are found in a ``Message``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.gateway.protocol.primitives import INT, NUMBER, REAL, TEXT, Kind

OLDEST, NEWEST = 0, 9999


class _Required:
    """Says that a message cannot be sent without the value."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Field:
    """One value.

    Attributes:
        name: Its key in the message's values.
        kind: How it is spelled.
        default: What is sent when the message does not say.
        since: The first version that has the field.
        until: The last one.
    """

    name: str
    kind: Kind = TEXT
    default: Any = REQUIRED
    since: int = OLDEST
    until: int = NEWEST


@dataclass(frozen=True, slots=True)
class Constant:
    """A field that says nothing: a legacy version number, or one that is always empty."""

    text: str
    since: int = OLDEST
    until: int = NEWEST


@dataclass(frozen=True, slots=True)
class Group:
    """A count, and that many times ``items``: a tuple of mappings."""

    name: str
    items: Sequence["Item"]
    since: int = OLDEST
    until: int = NEWEST


@dataclass(frozen=True, slots=True)
class Values:
    """A count, and that many single values: a tuple of them."""

    name: str
    kind: Kind
    since: int = OLDEST
    until: int = NEWEST


@dataclass(frozen=True, slots=True)
class Maybe:
    """A flag, and if it is set ``items``: a mapping or None."""

    name: str
    items: Sequence["Item"]
    since: int = OLDEST
    until: int = NEWEST


@dataclass(frozen=True, slots=True)
class When:
    """Items that are there only if the value ``name``, met before them, passes ``test``."""

    name: str
    test: Callable[[Any], bool]
    items: Sequence["Item"]
    since: int = OLDEST
    until: int = NEWEST


Item = Field | Constant | Group | Values | Maybe | When


@dataclass(frozen=True, slots=True)
class Layout:
    """A message: its number on the wire, its name, and its items after the number."""

    number: int
    kind: str
    items: Sequence[Item]


def one_of(*values: object) -> Callable[[Any], bool]:
    """Return the test that a value is among ``values``."""
    return lambda value: value in values


def filled(value: object) -> bool:
    """Return whether a value says something: a text or a group that is not empty."""
    return bool(value)


def above_zero(value: float | None) -> bool:
    """Return whether a number is set and above zero."""
    return value is not None and value > 0


def texts(names: str) -> tuple[Field, ...]:
    """Return text fields that are empty when a message does not say."""
    return tuple(Field(name, TEXT, "") for name in names.split())


TAG_VALUE = (Field("tag"), Field("value"))

_DESCRIPTION = (Field("symbol"), Field("secType"), *texts("lastTradeDateOrContractMonth"))
_NAMES = (Field("currency"), *texts("localSymbol tradingClass"))


def described(strike: Kind = REAL, *, right: str = "") -> tuple[Item, ...]:
    """Return the eleven values most replies describe a contract with."""
    return (
        Field("conId", INT),
        *_DESCRIPTION,
        Field("strike", strike, 0.0),
        Field("right", TEXT, right),
        *texts("multiplier exchange"),
        *_NAMES,
    )


C11 = described()
C11_OF_ORDER = described(NUMBER, right="?")
C12_OF_REQUEST: tuple[Field, ...] = (
    Field("conId", INT, 0),
    *texts("symbol secType lastTradeDateOrContractMonth"),
    Field("strike", REAL, 0.0),
    *texts("right multiplier exchange primaryExchange currency localSymbol tradingClass"),
)
COMBO_LEG = (
    Field("conId", INT),
    Field("ratio", INT),
    Field("action"),
    Field("exchange", TEXT, ""),
)
COMBO_LEG_OF_ORDER = (
    *COMBO_LEG,
    Field("openClose", INT, 0),
    Field("shortSaleSlot", INT, 0),
    Field("designatedLocation", TEXT, ""),
    Field("exemptCode", INT, -1),
)
