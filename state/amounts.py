"""Exact amounts, instants and exchange dates, as they are stored and as they come back."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from state.errors import InexactAmount
from strategies.model.calendars import EXCHANGE_ZONE

MICROS_PER_UNIT = 1_000_000
_MICROS_PER_CENT = 10_000


def to_micros(amount: Decimal) -> int:
    """Return an amount as whole millionths; raises InexactAmount where that would round."""
    if not amount.is_finite():
        raise InexactAmount(amount)
    scaled = amount * MICROS_PER_UNIT
    micros = int(scaled)
    if micros != scaled:
        raise InexactAmount(amount)
    return micros


def from_micros(micros: int) -> Decimal:
    """Return millionths as an amount with two decimals, or as many more as it needs."""
    cents, rest = divmod(micros, _MICROS_PER_CENT)
    if rest == 0:
        return Decimal(cents).scaleb(-2)
    return Decimal(micros).scaleb(-6).normalize()


def instant_text(at: datetime) -> str:
    """Return an aware instant as the text that is stored."""
    assert at.tzinfo is not None, f"{at} has no zone"
    return _utc_text(at, at.fold)


@lru_cache(maxsize=256)  # one transaction says the same instant again and again
def _utc_text(at: datetime, fold: int) -> str:
    """Return the text of an instant; ``fold`` tells apart the two that a clock shows alike."""
    del fold
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def instant_of(text: str) -> datetime:
    """Return the instant of a stored text, in UTC."""
    return datetime.fromisoformat(text)


def session_of(at: datetime) -> date:
    """Return the date at the exchange."""
    return at.astimezone(EXCHANGE_ZONE).date()
