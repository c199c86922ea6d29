"""The return governor (G4): the book with its hedge is expected to return enough, or less is added.

The expected annual rate of the condors that stay, with the hedge as held and everything the plan
adds, is asked for. Below the larger of ``hurdle`` and WACC (G5) additions are left out contract by
contract until it is reached or nothing is left: those of L3 first, then L2's, then what L1 adds
beyond its core, in each layer the longest expiry first. Nothing is sold, and the core stays. In R3
and R4 what the vega floor needs stays too (rule book, section 11). Without an expectation nothing
is capped, and the plan says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from strategies.alvh.holdings import LAYERS
from strategies.alvh.rebalance import Trade
from strategies.model.instruments import Instrument
from strategies.model.plan import Gate
from strategies.model.rules import GovernorRules
from strategies.pricing.returns import Expectation, Flows, Irr, irr

_NAME: Final = "expected annual rate of the book with what the hedge adds"
_EPSILON: Final = 1e-9
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What G4 judges additions on."""

    expectation: Expectation
    condors: Flows  # of the condors that stay
    wacc: float | None  # G5, of the book before the plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnCap:
    """What G4 leaves of a plan's additions."""

    kept: tuple[Trade, ...]
    left_out: Mapping[str, int]  # contracts by layer, only where some are left out
    gate: Gate
    missing: tuple[str, ...] = ()


def cap_by_return(
    additions: Sequence[Trade],
    *,
    held: Sequence[tuple[Instrument, int]],
    core: Mapping[Instrument, int],
    spare_vega_usd: float,
    returns: Returns | None,
    rules: GovernorRules,
) -> ReturnCap:
    """Return the additions that the book can carry at its hurdle (G4).

    Args:
        additions: Everything the plan buys, or sells short (L6), the core included.
        held: Hedge contracts that remain once the plan's sales have filled, signed.
        core: Contracts among the additions that are the L1 core.
        spare_vega_usd: Factor vega that may be left out: infinite, but in R3 and R4 what the hedge
            will have beyond the vega floor.
        returns: What the book is expected to return; None where nobody knows.
        rules: The hurdle.
    """
    hurdle = rules.hurdle
    if returns is not None and returns.wacc is not None:
        hurdle = max(hurdle, returns.wacc)
    book = None if returns is None else _Book.of(additions, held, returns)
    if book is None:
        return ReturnCap(
            kept=tuple(additions),
            left_out={},
            gate=_gate(None, hurdle, passed=True, note="absent: it caps nothing"),
            missing=("G4 expected rate: realised to implied vol, or a price",),
        )
    contracts = {trade.instrument: abs(trade.contracts) for trade in additions}
    before = book.rate(contracts)
    left_out: dict[str, int] = {}
    for layer in reversed(LAYERS):
        if book.reaches(contracts, hurdle):
            break
        droppable = [
            trade
            for trade in sorted(additions, key=lambda t: t.instrument.expiry, reverse=True)
            if trade.layer == layer
            for _ in range(abs(trade.contracts) - core.get(trade.instrument, 0))
        ]
        droppable = _within(droppable, spare_vega_usd)
        count = book.fewest(contracts, droppable, hurdle)
        contracts = _without(contracts, droppable[:count])
        spare_vega_usd -= sum(abs(trade.unit_vega_usd) for trade in droppable[:count])
        if count:
            left_out[layer] = count
    note = ", ".join(f"{count} contracts of {layer} left out" for layer, count in left_out.items())
    return ReturnCap(
        kept=tuple(
            replace(
                trade, contracts=contracts[trade.instrument] * (1 if trade.contracts > 0 else -1)
            )
            for trade in additions
            if contracts[trade.instrument]
        ),
        left_out=left_out,
        gate=_gate(before, hurdle, passed=before.reaches(hurdle) is not False, note=note),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Book:
    """The flows of what stays, and of one contract of each addition."""

    stays: Flows
    units: Mapping[Instrument, Flows]

    @classmethod
    def of(
        cls,
        additions: Sequence[Trade],
        held: Sequence[tuple[Instrument, int]],
        returns: Returns,
    ) -> "_Book | None":
        """Return it, or None if something cannot be priced."""
        expectation = returns.expectation
        hedge = expectation.hedges(held)
        units = {
            trade.instrument: expectation.hedges(
                [(trade.instrument, 1 if trade.contracts > 0 else -1)]
            )
            for trade in additions
        }
        known = {instrument: unit for instrument, unit in units.items() if unit is not None}
        if hedge is None or len(known) < len(units):
            return None
        return cls(stays=returns.condors + hedge, units=known)

    def rate(self, contracts: Mapping[Instrument, int]) -> Irr:
        """Return the rate with so many contracts of each addition."""
        flows = self.stays
        for instrument, count in contracts.items():
            flows = flows + self.units[instrument] * count
        return irr(flows)

    def reaches(self, contracts: Mapping[Instrument, int], hurdle: float) -> bool:
        """Return whether nothing says that it falls short of the hurdle."""
        return self.rate(contracts).reaches(hurdle) is not False

    def fewest(
        self, contracts: Mapping[Instrument, int], droppable: Sequence[Trade], hurdle: float
    ) -> int:
        """Return how many of ``droppable`` have to go; all where even that is not enough."""
        low, high = 0, len(droppable)
        while low < high:
            middle = (low + high) // 2
            if self.reaches(_without(contracts, droppable[:middle]), hurdle):
                high = middle
            else:
                low = middle + 1
        return low


def _gate(rate: Irr | None, hurdle: float, *, passed: bool, note: str) -> Gate:
    value: float | str | None = None
    if rate is not None:
        value = str(rate.reason) if rate.rate is None else round(rate.rate, _DIGITS)
    return Gate(
        rule="G4",
        name=_NAME,
        value=value,
        threshold=round(hurdle, _DIGITS),
        passed=passed,
        note=note,
    )


def _within(droppable: Sequence[Trade], spare_vega_usd: float) -> list[Trade]:
    """Return the first contracts that leave no more than ``spare_vega_usd`` out."""
    kept = []
    for trade in droppable:
        spare_vega_usd -= abs(trade.unit_vega_usd)
        if spare_vega_usd < -_EPSILON:
            break
        kept.append(trade)
    return kept


def _without(
    contracts: Mapping[Instrument, int], dropped: Sequence[Trade]
) -> dict[Instrument, int]:
    left = dict(contracts)
    for trade in dropped:
        left[trade.instrument] -= 1
    return left
