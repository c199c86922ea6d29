"""What the hedge holds, lot by lot, and to which layer each lot belongs (rule B10).

A position belongs to the layer of its days to expiry, not to the one it was bought for: time moves
it from L3 to L2 to L1, and shortly before expiry it is due to be closed.

VIX months are four or five weeks apart, and what is bought must be held some days before B10 rolls
it. In the last days of a month no expiry up to ``l1_max_days`` can be bought any more: L1 then
reaches to the next one, and what stands there is L1's from that day on (``with_reach``).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from strategies.model.book import Book
from strategies.model.instruments import Instrument, OptionContract, parse_symbol
from strategies.model.rules import LayerRules, RotationRules, Rules
from strategies.model.snapshots import MarketQuotes
from strategies.pricing.valuation import FutureValue, OptionValue, Valuer

LAYERS: Final = ("L1", "L2", "L3")
LEAST_HOLDING_DAYS: Final = 5  # before B10 would roll a purchase again


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """One VIX instrument, held or at work. Only futures are ever short, and only in L1 (L6)."""

    instrument: Instrument
    contracts: int  # held, long > 0
    buying: int  # contracts at work on the buying side, >= 0
    selling: int  # contracts at work on the selling side, >= 0
    days: int  # calendar days to expiry
    layer: str
    value: OptionValue | FutureValue | None
    cost_usd: float  # of one contract: premium paid, or a future's notional
    is_fresh: bool = False  # opened in this session

    @property
    def is_short(self) -> bool:
        """Whether it is held short, or is being sold short."""
        return self.contracts < 0 or (self.contracts == 0 and self.selling > 0)

    @property
    def closable(self) -> int:
        """Contracts held, long or short, that no order is closing yet."""
        at_work = self.buying if self.contracts < 0 else self.selling
        return max(0, abs(self.contracts) - at_work)

    @property
    def expected(self) -> int:
        """Contracts once everything at work has filled."""
        return self.contracts + self.buying - self.selling

    @property
    def at_most(self) -> int:
        """The most contracts, long or short, that any fills of the orders at work can make it."""
        return max(abs(self.contracts + self.buying), abs(self.contracts - self.selling))

    @property
    def unit_vega_usd(self) -> float:
        """Factor vega of one contract, USD per VIX point; 0 if it cannot be priced."""
        return 0.0 if self.value is None else self.value.factor_vega_usd

    @property
    def is_call(self) -> bool:
        """Whether it is an option; every VIX option held is a call."""
        return isinstance(self.instrument, OptionContract)

    def is_due(self, rules: RotationRules) -> bool:
        """Return whether B10 wants it closed: too few days to expiry."""
        least = rules.option_roll_days if self.is_call else rules.future_roll_days
        return self.days <= least


def layer_of(days: int, rules: LayerRules) -> str:
    """Return the layer of a tenor in calendar days (B10)."""
    if days <= rules.l1_max_days:
        return "L1"
    return "L2" if days <= rules.l2_max_days else "L3"


def with_reach(rules: Rules, market: MarketQuotes, session: date) -> Rules:
    """Return the rules with L1 reaching the expiry that it can buy in this market.

    The nearest VIX expiry beyond ``l1_max_days`` counts as L1 while none up to there is listed that
    could be held ``LEAST_HOLDING_DAYS`` before B10 rolls it.
    """
    expiries = {series.expiry for series in market.vix_options.series}
    expiries |= {quote.contract.expiry for quote in market.futures}
    first = rules.rotation.option_roll_days + LEAST_HOLDING_DAYS
    days = [(day - session).days for day in expiries]
    nearest = min((each for each in days if each >= first), default=0)
    if not rules.layers.l1_max_days < nearest <= rules.layers.l2_max_days:
        return rules
    return replace(rules, layers=replace(rules.layers, l1_max_days=nearest))


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
                is_fresh=hedge is not None and hedge.opened_on == session,
            )
        )
    return tuple(sorted(lots, key=lambda lot: (lot.days, lot.instrument.symbol)))


def expected_vega_usd(lots: Iterable[Lot]) -> float:
    """Return the factor vega of lots once everything at work has filled, USD per VIX point."""
    return sum(lot.expected * lot.unit_vega_usd for lot in lots)
