"""G8 before the fact: can an order leave a short option uncovered, whatever else fills first?

A long covers what expires no later, so the cover of an expiry is the sum of all net positions of
its class that expire on it or later, and nothing is uncovered while none of these sums is below
zero. Sums only fall by what orders take away. The worst that orders at work can do is therefore
what each of them takes away from an expiry's net position, those that add left out: a bound for
every subset of them at once, and the worst subset itself as long as each order either adds or
takes away (single options do; whole condors change no net position at all).
"""

from collections.abc import Iterable, Mapping
from datetime import date

from strategies.model.instruments import OptionContract
from strategies.pricing.margin import CoverClass, cover_class

Positions = Mapping[OptionContract, int]  # contracts by option, long > 0


def uncovered_by(positions: Positions, at_work: Iterable[Positions], change: Positions) -> str:
    """Return what ``change`` could leave uncovered; empty if nothing, whatever is at work.

    Args:
        positions: What is held.
        at_work: What each order at work changes if it fills; any of them may or may not.
        change: What the order in question changes.
    """
    worst = _net_by_expiry(positions)
    for order in at_work:
        for place, contracts in _net_by_expiry(order).items():
            worst[place] = worst.get(place, 0) + min(contracts, 0)
    this = _net_by_expiry(change)
    for group in dict.fromkeys(group for group, _ in this):
        cover = taken = 0
        expiries = {expiry for each, expiry in (*worst, *this) if each == group}
        for expiry in sorted(expiries, reverse=True):
            cover += worst.get((group, expiry), 0)
            taken += this.get((group, expiry), 0)
            if taken < 0 and cover + taken < 0:
                underlying, _, right, _ = group
                return f"{-cover - taken} short {underlying} {right} of {expiry} or later"
    return ""


def uncovered_contracts(positions: Positions) -> int:
    """Return how many short contracts no long covers (rule G8)."""
    net = _net_by_expiry(positions)
    uncovered = 0
    for group in {group for group, _ in net}:
        spare = 0
        for expiry in sorted((day for each, day in net if each == group), reverse=True):
            spare += net[group, expiry]
            uncovered += max(0, -spare)
            spare = max(0, spare)
    return uncovered


def _net_by_expiry(positions: Positions) -> dict[tuple[CoverClass, date], int]:
    net: dict[tuple[CoverClass, date], int] = {}
    for contract, contracts in positions.items():
        place = cover_class(contract), contract.expiry
        net[place] = net.get(place, 0) + contracts
    return net
