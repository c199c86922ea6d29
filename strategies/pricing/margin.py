"""What positions tie up, what they can lose, and whether every short option is covered.

Source: Interactive Brokers' iron condor rule (one side only when the wings are equally wide, else
both), the greater-of-the-sides convention of Cboe and Reg T, and the simulator's default for VX;
see ``docs/market.md``. In live trading the broker's own figures count.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from strategies.model.book import CondorLegs
from strategies.model.instruments import ROOTS, OptionContract, Right, Settlement

MarginConvention = Literal["ib", "cboe"]

CoverClass = tuple[str, Settlement, Right, date | None]

_FRONT_POINTS_LEAST = Decimal("6.0")
_FRONT_SHARE_OF_SETTLE = Decimal("0.45")
_BACK_MONTH_RELIEF = Decimal("0.75")
_FRONT_MONTHS_LAST_DAY = 60  # the third month is more than about two months away
_INITIAL_OVER_MAINTENANCE = Decimal("1.25")


def condor_margin_usd(legs: CondorLegs, quantity: int, convention: MarginConvention) -> Decimal:
    """Return the margin of ``quantity`` condors, credit not deducted.

    A side takes the distance of its strikes for every short; longs beyond that are paid for, not
    margined. ``ib``: one side when both are equally wide, else their sum. ``cboe``: the greater
    side. Sides share in neither when their options do not all expire together.
    """
    assert quantity >= 0, "condors are counted"
    put, call = legs.put_width, legs.call_width
    shares = legs.one_expiry and (convention == "cboe" or put == call)
    points = max(put, call) if shares else put + call
    return points * legs.short_ratio * legs.short_put.multiplier * quantity


def condor_margin_by_expiry(
    legs: CondorLegs, quantity: int, convention: MarginConvention
) -> tuple[tuple[date, Decimal], ...]:
    """Return the margin of ``quantity`` condors by the expiries of the shorts that end it."""
    put, call = legs.short_put.expiry, legs.short_call.expiry
    if put == call:
        return ((put, condor_margin_usd(legs, quantity, convention)),)
    usd = legs.short_ratio * legs.short_put.multiplier * quantity
    return (put, legs.put_width * usd), (call, legs.call_width * usd)


def condor_max_loss_usd(legs: CondorLegs, credit: Decimal, quantity: int) -> Decimal:
    """Return the most ``quantity`` condors can lose at expiry (``CondorLegs.worst_points``)."""
    assert quantity >= 0, "condors are counted"
    return (legs.worst_points - credit) * legs.short_put.multiplier * quantity


def future_margin_usd(
    contract_root: str, settle: Decimal, days: int, quantity: int
) -> tuple[Decimal, Decimal]:
    """Return initial and maintenance margin of long or short VIX futures.

    Maintenance of one VX is 1000 x max(6, 0.45 x settle), three quarters of it from the third
    month on (more than 60 days); VXM is a tenth. Initial is 1.25 x maintenance.

    Units: ``settle`` index points, ``days`` calendar days to expiry, result USD.
    """
    points = max(_FRONT_POINTS_LEAST, _FRONT_SHARE_OF_SETTLE * settle)
    if days > _FRONT_MONTHS_LAST_DAY:
        points *= _BACK_MONTH_RELIEF
    maintenance = points * ROOTS[contract_root].multiplier * abs(quantity)
    return maintenance * _INITIAL_OVER_MAINTENANCE, maintenance


def cover_class(contract: OptionContract) -> CoverClass:
    """Return the class within which a long covers a short that expires no later (rule G8)."""
    expiry = contract.expiry if contract.underlying == "VIX" else None
    return contract.underlying, contract.settlement, contract.right, expiry


def is_covered(option_positions: Mapping[OptionContract, int]) -> list[OptionContract]:
    """Return the short options that no long option covers; empty means covered (rule G8).

    A long covers a short of the same underlying, settlement class and right, contract by contract,
    if it expires on or after it; with the long at its intrinsic value the pair's loss is then
    bounded at every index level. A VIX option is covered by one of the same expiry only: another
    expiry has another underlying. A short covered in part is returned too.

    ``option_positions``: contracts by option, long > 0.
    """
    groups: dict[CoverClass, list[tuple[OptionContract, int]]] = defaultdict(list)
    for contract, quantity in option_positions.items():
        groups[cover_class(contract)].append((contract, quantity))
    uncovered = []
    for positions in groups.values():
        # From the last expiry to the first, longs before shorts: whatever long has been met by
        # then covers the short, and any of them serves an earlier short equally well
        positions.sort(key=lambda held: (-held[0].expiry.toordinal(), -held[1], held[0].strike))
        spare = 0
        for contract, quantity in positions:
            if quantity < 0 and spare < -quantity:
                uncovered.append(contract)
            spare = max(0, spare + quantity)
    return sorted(uncovered)
