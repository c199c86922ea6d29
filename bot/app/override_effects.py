"""What overrides have done to a book, against what the rules alone would have traded (D3).

Each decision with an override in force is decided again without it, from its stored inputs. The
orders that differ are valued at mid: from the market of that decision to that of the first decision
at or after the override's end. It is an estimate, in planned sizes and before costs, of the trades
themselves; what the rules did later because of them is not in it. A trade that the rules want
again while it is withheld counts once; each entry that is skipped counts.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from state.amounts import instant_text
from state.audit import AuditReader
from state.explanations import quote_of
from state.replays import StoredDecision, stored_decision, stored_decisions_of
from strategies.decide import decide
from strategies.model.instruments import Instrument
from strategies.model.orders import OrderIntent
from strategies.model.overrides import Override
from strategies.model.snapshots import MarketQuotes
from strategies.risk.overrides import Overrides

_WITH_OVERRIDES = """
SELECT decisions.plan_id FROM decisions
WHERE EXISTS (SELECT 1 FROM gates WHERE gates.decision_id = decisions.decision_id
              AND rule = 'D3' AND name LIKE 'override %')
ORDER BY decisions.decision_id
"""
_END = """
SELECT plan_id FROM decisions
WHERE at >= :at OR decision_id = (SELECT max(decision_id) FROM decisions)
ORDER BY decision_id LIMIT 1
"""
_ORDERS = "SELECT count(*) FROM orders WHERE attempt = 1"


@dataclass(slots=True, kw_only=True)
class Effect:
    """What one override did. Amounts in USD at mid, up to its end; None = not all has a value."""

    override_id: str
    decisions: int = 0  # in which it was in force
    orders_made: int = 0  # that the rules did not want
    orders_withheld: int = 0  # that the rules wanted
    made_usd: float | None = 0.0
    rules_own_usd: float | None = 0.0  # what the withheld orders would have made

    @property
    def effect_usd(self) -> float | None:
        """The override against the rules' own; a gain by it is > 0."""
        if self.made_usd is None or self.rules_own_usd is None:
            return None
        return self.made_usd - self.rules_own_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideReport:
    """All overrides of a ledger."""

    effects: dict[str, Effect]  # by override, those that were in force in some decision
    orders: int  # of the whole ledger, attempts at other prices not counted

    @property
    def override_orders(self) -> int:
        """Orders made by overrides, and orders withheld by them."""
        return sum(each.orders_made + each.orders_withheld for each in self.effects.values())

    @property
    def share(self) -> float | None:
        """Overridden orders over all that were, or would have been, planned."""
        withheld = sum(each.orders_withheld for each in self.effects.values())
        total = self.orders + withheld
        return self.override_orders / total if total else None


def measure_overrides(reader: AuditReader) -> OverrideReport:
    """Return what each override of a ledger did."""
    plans = [str(plan_id) for (plan_id,) in reader.raw(_WITH_OVERRIDES)]
    comparison = _Comparison(reader)
    for decision in stored_decisions_of(reader, plans):
        comparison.add(decision)
    ((orders,),) = reader.raw(_ORDERS)
    return OverrideReport(effects=comparison.effects, orders=orders)


class _Comparison:
    """Adds decisions up, one after the other."""

    def __init__(self, reader: AuditReader) -> None:
        self.effects: dict[str, Effect] = {}
        self._reader = reader
        self._counted: set[tuple[str, str, datetime | None]] = set()
        self._ends: dict[str, MarketQuotes] = {}  # by plan: the markets at which overrides end

    def add(self, decision: StoredDecision) -> None:
        """Compare one decision with what it would have been without overrides."""
        snapshot = decision.snapshot
        overrides = Overrides.at(snapshot.overrides, snapshot.at)
        for each in overrides.entries:
            effect = self.effects.setdefault(each.override_id, Effect(override_id=each.override_id))
            effect.decisions += 1
        alone, _ = decide(
            replace(snapshot, overrides=()),
            decision.book,
            decision.account,
            decision.memory,
            decision.rules,
        )
        made = decision.plan.orders
        wanted = {order.purpose for order in alone.orders}
        sent = {order.purpose for order in made}
        for order in made:
            closing = None if order.condor_id is None else overrides.closing(order.condor_id)
            if closing is None or "D3" not in order.rules or order.purpose in wanted:
                continue
            if self._is_new(closing, order, decision.at):
                effect = self.effects[closing.override_id]
                effect.orders_made += 1
                effect.made_usd = _sum(effect.made_usd, self._gain(order, decision, closing))
        for order in alone.orders:
            override = overrides.withholding(order, decision.session)
            if override is None or order.purpose in sent:
                continue
            if self._is_new(override, order, decision.at):
                effect = self.effects[override.override_id]
                effect.orders_withheld += 1
                gain = self._gain(order, decision, override)
                effect.rules_own_usd = _sum(effect.rules_own_usd, gain)

    def _is_new(self, override: Override, order: OrderIntent, at: datetime) -> bool:
        """Return whether an order was not counted yet; what is wanted again counts once."""
        each_time = at if order.purpose.endswith(":open") else None
        key = (override.override_id, order.purpose, each_time)
        if key in self._counted:
            return False
        self._counted.add(key)
        return True

    def _gain(
        self, order: OrderIntent, decision: StoredDecision, override: Override
    ) -> float | None:
        then, end = decision.snapshot.market, self._market_at(override.expires_at)
        gain = 0.0
        for leg in order.legs:
            before, after = _mid(then, leg.instrument), _mid(end, leg.instrument)
            if before is None or after is None:
                return None
            gain += leg.ratio * order.quantity * leg.instrument.multiplier * (after - before)
        return gain

    def _market_at(self, at: datetime) -> MarketQuotes:
        ((plan_id,),) = self._reader.raw(_END, {"at": instant_text(at)})
        if plan_id not in self._ends:
            self._ends[plan_id] = stored_decision(self._reader, plan_id).snapshot.market
        return self._ends[plan_id]


def _mid(market: MarketQuotes, instrument: Instrument) -> float | None:
    quote = quote_of(market, instrument)
    return quote.mid if quote is not None and quote.is_two_sided else None


def _sum(total: float | None, gain: float | None) -> float | None:
    return None if total is None or gain is None else total + gain
