"""Price grids: the ticks of single legs and of packages, and rounding that stays on them.

Source: Cboe and CFE contract specifications (SPX 0.05 below 3.00 and 0.10 from there, VIX options
0.01 and 0.05 since November 2022, VX 0.05, VXM 0.01; SPX packages net 0.05, VIX packages 0.01).
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from strategies.model.instruments import Instrument, OptionContract

_CENT = Decimal("0.01")
_NICKEL = Decimal("0.05")
_DIME = Decimal("0.10")
_THREE = Decimal(3)


def leg_tick(instrument: Instrument, price: Decimal) -> Decimal:
    """Return the smallest price step of a single instrument at ``price`` index points."""
    below_three = abs(price) < _THREE
    match instrument.root:
        case "SPX" | "SPXW":
            return _NICKEL if below_three else _DIME
        case "VIX":
            return _CENT if below_three else _NICKEL
        case "VX":
            return _NICKEL
        case _:  # VIXW and VXM trade in cents at any price
            return _CENT


def order_tick(instruments: Sequence[Instrument], price: Decimal) -> Decimal:
    """Return the price step of an order: of its only leg, or of the net price of its package."""
    if len(instruments) == 1:
        return leg_tick(instruments[0], price)
    first = instruments[0]
    is_spx = isinstance(first, OptionContract) and first.underlying == "SPX"
    return _NICKEL if is_spx else _CENT


def round_down(price: Decimal, tick: Decimal) -> Decimal:
    """Return the highest multiple of ``tick`` that is not above ``price``: safe for a buyer."""
    return (price / tick).to_integral_value(ROUND_FLOOR) * tick


def round_up(price: Decimal, tick: Decimal) -> Decimal:
    """Return the lowest multiple of ``tick`` that is not below ``price``: safe for a seller."""
    return (price / tick).to_integral_value(ROUND_CEILING) * tick
