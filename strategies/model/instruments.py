"""What can be traded: SPX and VIX options, VX and VXM futures, named by their symbols.

An option is named by its 21-character OCC symbol (root padded to 6, yymmdd, C or P, strike x 1000
in 8 digits); a future by the first 12 characters of the same scheme (``VX    200415``).
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache

from strategies.model.errors import InvalidInstrument

_OPTION_SYMBOL_LENGTH = 21
_FUTURE_SYMBOL_LENGTH = 12
_ROOT_LENGTH = 6
_STRIKE_SCALE = 1000


class Right(StrEnum):
    """The right an option gives."""

    PUT = "P"
    CALL = "C"

    __hash__ = str.__hash__  # contracts are looked up by the thousand; an enum's own is slow


class Settlement(StrEnum):
    """When the settlement value is taken: at the opening auction or at the close."""

    AM = "AM"
    PM = "PM"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootSpec:
    """The terms shared by every contract of one root."""

    underlying: str  # "SPX" or "VIX"
    settlement: Settlement
    multiplier: int  # USD per index point
    is_option: bool


# Source: reference contract specifications of Cboe (SPX, SPXW, VIX, VIXW) and CFE (VX, VXM).
ROOTS: dict[str, RootSpec] = {
    "SPX": RootSpec(underlying="SPX", settlement=Settlement.AM, multiplier=100, is_option=True),
    "SPXW": RootSpec(underlying="SPX", settlement=Settlement.PM, multiplier=100, is_option=True),
    "VIX": RootSpec(underlying="VIX", settlement=Settlement.AM, multiplier=100, is_option=True),
    "VIXW": RootSpec(underlying="VIX", settlement=Settlement.AM, multiplier=100, is_option=True),
    "VX": RootSpec(underlying="VIX", settlement=Settlement.AM, multiplier=1000, is_option=False),
    "VXM": RootSpec(underlying="VIX", settlement=Settlement.AM, multiplier=100, is_option=False),
}


def _spec(root: str, *, is_option: bool) -> RootSpec:
    spec = ROOTS.get(root)
    if spec is None or spec.is_option is not is_option:
        kind = "an option" if is_option else "a future"
        raise InvalidInstrument(f"{root!r} is not the root of {kind}; known: {', '.join(ROOTS)}")
    return spec


@lru_cache(maxsize=1024)  # a decision spells hundreds of symbols of a few dozen days
def _six_digits(day: date) -> str:
    return f"{day:%y%m%d}"


@dataclass(frozen=True, slots=True, order=True)
class OptionContract:
    """One listed option.

    Raises: InvalidInstrument if the root is unknown or the strike is not a positive multiple of
        0.001.
    """

    root: str
    expiry: date  # the expiration date, never the last trading day
    right: Right
    strike: Decimal

    def __post_init__(self) -> None:
        _spec(self.root, is_option=True)
        thousandths = self.strike * _STRIKE_SCALE
        if self.strike <= 0 or thousandths != int(thousandths):
            raise InvalidInstrument(f"strike {self.strike} is not a positive multiple of 0.001")

    @property
    def underlying(self) -> str:
        """The index the option settles to: ``SPX`` or ``VIX``."""
        return ROOTS[self.root].underlying

    @property
    def settlement(self) -> Settlement:
        """AM or PM, by root."""
        return ROOTS[self.root].settlement

    @property
    def multiplier(self) -> int:
        """USD per index point."""
        return ROOTS[self.root].multiplier

    @property
    def symbol(self) -> str:
        """The OCC symbol, 21 characters."""
        thousandths = int(self.strike * _STRIKE_SCALE)
        return f"{self.root:<6}{_six_digits(self.expiry)}{self.right}{thousandths:08d}"

    def __str__(self) -> str:
        """Return the trader's spelling: ``SPXW 18DEC26 5800 P``."""
        return f"{self.root} {self.expiry:%d%b%y} {self.strike.normalize():f} {self.right}".upper()


@dataclass(frozen=True, slots=True, order=True)
class FutureContract:
    """One listed VIX future; raises InvalidInstrument if the root is unknown."""

    root: str
    expiry: date  # the final settlement date

    def __post_init__(self) -> None:
        _spec(self.root, is_option=False)

    @property
    def underlying(self) -> str:
        """Always ``VIX``."""
        return ROOTS[self.root].underlying

    @property
    def multiplier(self) -> int:
        """USD per index point."""
        return ROOTS[self.root].multiplier

    @property
    def symbol(self) -> str:
        """The 12-character symbol, ``VX    200415``."""
        return f"{self.root:<6}{_six_digits(self.expiry)}"

    def __str__(self) -> str:
        """Return the trader's spelling: ``VX 15APR20``."""
        return f"{self.root} {self.expiry:%d%b%y}".upper()


Instrument = OptionContract | FutureContract


def parse_symbol(symbol: str) -> Instrument:
    """Return the instrument a symbol names; the inverse of ``.symbol``.

    Raises: InvalidInstrument.
    """
    instrument = _parse(symbol)
    if instrument.symbol != symbol:  # int() and strptime() forgive spaces, signs and underscores
        raise InvalidInstrument(f"{symbol!r} is not an OCC symbol; meant {instrument.symbol!r}?")
    return instrument


def _parse(symbol: str) -> Instrument:
    root = symbol[:_ROOT_LENGTH].rstrip()
    try:
        expiry = datetime.strptime(symbol[6:12], "%y%m%d").date()  # noqa: DTZ007 a date, no zone
        if len(symbol) == _FUTURE_SYMBOL_LENGTH:
            return FutureContract(root, expiry)
        if len(symbol) == _OPTION_SYMBOL_LENGTH:
            strike = Decimal(int(symbol[13:])) / _STRIKE_SCALE
            return OptionContract(root, expiry, Right(symbol[12]), strike)
    except ValueError as cause:
        raise InvalidInstrument(f"{symbol!r} is not an OCC symbol: {cause}") from cause
    raise InvalidInstrument(f"{symbol!r} has {len(symbol)} characters, expected 12 or 21")
