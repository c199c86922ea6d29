"""What the hedge holds, lot by lot, and to which layer each lot belongs (rule B10).

A position belongs to the layer of its days to expiry, not to the one it was bought for: time moves
it from L3 to L2 to L1, and shortly before expiry it is due to be sold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from strategies.model.book import Book
from strategies.model.instruments import Instrument, OptionContract, parse_symbol
from strategies.model.rules import LayerRules, RotationRules
from strategies.pricing.valuation import FutureValue, OptionValue, Valuer

LAYERS = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One VIX instrument, held or at work."""

    instrument: Instrument
    contracts: int  # held, long > 0
    buying: int  # contracts at work on the buying side, >= 0
    selling: int  # contracts at work on the selling side, >= 0
    days: int  # calendar days to expiry
    layer: str
    value: OptionValue | FutureValue | None
    cost_usd: float  # of one contract: premium paid, or a future's notional

    @property
    def sellable(self) -> int:
        """Contracts that no order is selling yet."""
        return max(0, self.contracts - self.selling)

    @property
    def expected(self) -> int:
        """Contracts once everything at work has filled."""
        return self.contracts + self.buying - self.selling

    @property
    def unit_vega_usd(self) -> float:
        """Factor vega of one contract, USD per VIX point; 0 if it cannot be priced."""
        return 0.0 if self.value is None else self.value.factor_vega_usd

    @property
    def is_call(self) -> bool:
        """Whether it is an option; every VIX option held is a call."""
        return isinstance(self.instrument, OptionContract)

    def is_due(self, rules: RotationRules) -> bool:
        """Return whether B10 wants it sold: too few days to expiry."""
        least = rules.option_roll_days if self.is_call else rules.future_roll_days
        return self.days <= least


def layer_of(days: int, rules: LayerRules) -> str:
    """Return the layer of a tenor in calendar days (B10)."""
    if days <= rules.l1_max_days:
        return "L1"
    return "L2" if days <= rules.l2_max_days else "L3"


def read_lots(book: Book, valuer: Valuer, session: date, rules: LayerRules) -> tuple[Lot, ...]:
    """Return every VIX instrument held or at work, shortest expiry first."""
    held = {hedge.instrument: hedge for hedge in book.hedges}
    buying: dict[Instrument, int] = {}
    selling: dict[Instrument, int] = {}
    prices: dict[Instrument, float] = {}
    for order in book.working:
        if order.layer is None:
            continue
        for symbol, ratio in order.legs:
            instrument = parse_symbol(symbol)
            side = buying if ratio > 0 else selling
            side[instrument] = side.get(instrument, 0) + abs(ratio) * order.leaves_quantity
            prices[instrument] = abs(float(order.limit_price))
    lots = []
    for instrument in held.keys() | buying.keys() | selling.keys():
        hedge = held.get(instrument)
        cost = prices.get(instrument, 0.0) if hedge is None else float(hedge.average_cost)
        days = (instrument.expiry - session).days
        lots.append(
            Lot(
                instrument=instrument,
                contracts=0 if hedge is None else hedge.net_contracts,
                buying=buying.get(instrument, 0),
                selling=selling.get(instrument, 0),
                days=days,
                layer=layer_of(days, rules),
                value=valuer.value(instrument),
                cost_usd=cost * instrument.multiplier,
            )
        )
    return tuple(sorted(lots, key=lambda lot: (lot.days, lot.instrument.symbol)))


def expected_vega_usd(lots: Iterable[Lot]) -> float:
    """Return the factor vega of lots once everything at work has filled, USD per VIX point."""
    return sum(lot.expected * lot.unit_vega_usd for lot in lots)
