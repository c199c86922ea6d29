"""Names: of indices and their contract ids, of exchanges, and how IB spells dates and months."""

from dataclasses import dataclass
from datetime import date
from typing import Final

# IB's ids of SPX and VIX as clients know them by heart; the others are derived from their names.
INDEX_CON_IDS: Final = {"SPX": 416904, "VIX": 13455763}

INDEX_NAMES: Final = {
    "SPX": "S&P 500 Stock Index",
    "VIX": "CBOE Volatility Index",
    "VVIX": "CBOE VIX Volatility Index",
    "VIX9D": "CBOE S&P 500 9-Day Volatility Index",
    "VIX3M": "CBOE S&P 500 3-Month Volatility Index",
    "VIX6M": "CBOE S&P 500 6-Month Volatility Index",
    "SET": "S&P 500 Special Opening Quotation",
    "VRO": "CBOE Volatility Index Special Opening Quotation",
}
# Which index a settlement index is the opening auction of
SETTLEMENT_INDICES: Final = {"SET": "SPX", "VRO": "VIX"}

MONTH_CODES: Final = "FGHJKMNQUVXZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Something the exchange does not have, known because clients probe for it."""

    symbol: str
    sec_type: str
    exchange: str
    exchanges: str  # valid ones, comma separated
    currency: str
    local_symbol: str
    trading_class: str
    primary_exchange: str
    long_name: str
    min_tick: str
    per_spx: float  # its price is SPX times this; 0 = it does not move
    base: float  # added to that


# IB's own ids of these three, as its users quote them
SPY: Final = 756733
STANDS: Final = {
    SPY: Stand(
        symbol="SPY",
        sec_type="STK",
        exchange="SMART",
        exchanges="SMART,ARCA",
        currency="USD",
        local_symbol="SPY",
        trading_class="SPY",
        primary_exchange="ARCA",
        long_name="SPDR S&P 500 ETF TRUST",
        min_tick="0.01",
        per_spx=0.1,
        base=0.0,
    ),
    265598: Stand(
        symbol="AAPL",
        sec_type="STK",
        exchange="SMART",
        exchanges="SMART,NASDAQ",
        currency="USD",
        local_symbol="AAPL",
        trading_class="NMS",
        primary_exchange="NASDAQ",
        long_name="APPLE INC",
        min_tick="0.01",
        per_spx=0.04,
        base=0.0,
    ),
    12087792: Stand(
        symbol="EUR",
        sec_type="CASH",
        exchange="IDEALPRO",
        exchanges="IDEALPRO",
        currency="USD",
        local_symbol="EUR.USD",
        trading_class="EUR.USD",
        primary_exchange="",
        long_name="European Monetary Union Euro",
        min_tick="0.00005",
        per_spx=0.0,
        base=1.1,
    ),
}


def eight_digits(day: date) -> str:
    """Return a day as IB writes it, ``20261218``."""
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def future_local_symbol(root: str, expiry: date) -> str:
    """Return a future's short name, ``VXZ6``."""
    return f"{root}{MONTH_CODES[expiry.month - 1]}{expiry.year % 10}"
