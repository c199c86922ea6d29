"""Why an order or a fill happened, and how well the book was covered: chains through the ledger."""

import json
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import product
from typing import Any

from state.amounts import instant_text
from state.decisions import of_this_version, unpack_inputs, unpack_plan
from state.errors import AmbiguousId, NothingStored, UnknownRecord
from state.readers import Cell, Reader, Table
from state.replays import stored_decision
from strategies.model.book import Book, CondorPosition
from strategies.model.instruments import FutureContract, Instrument, OptionContract, parse_symbol
from strategies.model.plan import Measures, Plan
from strategies.model.quotes import Quote
from strategies.model.snapshots import MarketQuotes

_CANDIDATES_MAX = 20
FORWARD_DAYS = (0, 10, 30, 60)  # of T3's profile
Record = dict[str, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One order from its executions back to everything it was decided on."""

    asked: str  # the full id: of an order or of an execution
    fills: Table
    order: Record
    events: Table
    decision: Record
    regime: dict[str, str]
    signals: dict[str, Cell]
    gates: Table
    layer: Record | None  # of a hedge order
    condor: Record | None  # of a condor order
    lineage: Table  # of a condor order: the condor and those it was rolled from, newest first
    quotes: Table  # of the order's legs in the snapshot of the decision
    measures: Table  # the book before and after
    provenance: Record  # run, configuration, rules, version

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON types."""
        return {
            name: value.as_json() if isinstance(value, Table) else value
            for name, value in ((entry, getattr(self, entry)) for entry in self.__slots__)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The book of one decision: what was held, how it was hedged, what would hurt it."""

    at: datetime
    plan_id: str
    decision: Record
    condors: Table
    hedges: Table
    layers: Table
    measures: Table  # before and after the plan
    shocks: Table  # profit and loss under VIX shocks with their usual SPX move, USD

    def as_json(self) -> dict[str, Any]:
        """Return the coverage as plain JSON types."""
        return {
            name: value.as_json()
            if isinstance(value, Table)
            else value.isoformat()
            if isinstance(value, datetime)
            else value
            for name, value in ((entry, getattr(self, entry)) for entry in self.__slots__)
        }


def explain_why(reader: Reader, identity: str) -> Explanation:
    """Return the chain behind an order or a fill; raises UnknownRecord, AmbiguousId."""
    asked, order_id, exec_root = _resolve(reader, identity)
    order = reader.record(_ORDER, (order_id,))
    assert order is not None, "the id was found"
    plan_id = str(order["plan_id"])
    decision = reader.record(_DECISION, (plan_id,))
    provenance = reader.record(_PROVENANCE, (plan_id,))
    assert decision is not None, "orders have decisions"
    assert provenance is not None, "decisions have runs"
    regime = json.loads(str(decision.pop("regime_json")))
    signals = json.loads(str(decision.pop("signals_json")))
    plan = _plan(reader, plan_id)
    layer = None if order["layer"] is None else _layer(reader, plan_id, str(order["layer"]))
    condor = None if order["condor"] is None else reader.record(_CONDOR, (order["condor"],))
    return Explanation(
        asked=asked,
        fills=reader.table(_FILLS, {"order_id": order_id, "exec_root": exec_root}),
        order=order,
        events=reader.table(_EVENTS, (order_id,)),
        decision=decision,
        regime=regime,
        signals=signals,
        gates=reader.table(_GATES, (plan_id,)),
        layer=layer,
        condor=condor,
        lineage=reader.table(_LINEAGE, {"condor": order["condor"], "order_id": order_id}),
        quotes=_leg_quotes(reader, order_id, plan_id),
        measures=_measures(plan),
        provenance=provenance,
    )


def explain_coverage(reader: Reader, at: datetime) -> Coverage:
    """Return the book of the newest decision at or before ``at``; raises NothingStored."""
    rows = reader.raw(_NEWEST, (instant_text(at),))
    if not rows:
        raise NothingStored(at)
    plan_id, packed_inputs, packed_plan = rows[0]
    with of_this_version(plan_id):
        book = unpack_inputs(packed_inputs).book
        plan = unpack_plan(packed_plan)
    decision = reader.record(_DECISION, (plan_id,))
    assert decision is not None, "it was just found"
    for column in ("regime_json", "signals_json"):
        del decision[column]
    return Coverage(
        at=plan.at,
        plan_id=plan_id,
        decision=decision,
        condors=_condors(book),
        hedges=_hedges(book),
        layers=reader.table(_LAYERS, (plan_id,)),
        measures=_measures(plan),
        shocks=_shocks(plan),
    )


def _resolve(reader: Reader, identity: str) -> tuple[str, str, str | None]:
    """Return the full id, its order, and its execution if it is one."""
    if not identity:
        raise UnknownRecord("order or fill", identity)
    rows = reader.raw(_IDS, {"id": identity, "limit": _CANDIDATES_MAX + 1})
    exact = [row for row in rows if identity in {row[0], row[2]}]
    found = exact or rows
    if not found:
        raise UnknownRecord("order or fill", identity)
    orders = {str(row[1]) for row in found}
    if len(found) > 1 and len(orders) == 1:  # several fills of one order: the legs of a condor
        (order_id,) = orders
        return order_id, order_id, None
    if len(found) > 1:
        names = [str(row[0]) for row in found[:_CANDIDATES_MAX]]
        more = ["..."] if len(found) > _CANDIDATES_MAX else []
        raise AmbiguousId(identity, (*names, *more))
    full, order_id, exec_root = found[0]
    return str(full), str(order_id), exec_root


def _plan(reader: Reader, plan_id: str) -> Plan:
    ((packed,),) = reader.raw("SELECT plan FROM decisions WHERE plan_id = ?", (plan_id,))
    with of_this_version(plan_id):
        return unpack_plan(packed)


def _layer(reader: Reader, plan_id: str, layer: str) -> Record | None:
    records = [row for row in reader.table(_LAYERS, (plan_id,)).records() if row["layer"] == layer]
    return records[0] if records else None


def _leg_quotes(reader: Reader, order_id: str, plan_id: str) -> Table:
    market = stored_decision(reader, plan_id).snapshot.market
    rows: list[tuple[Cell, ...]] = []
    for symbol, ratio in reader.raw(_LEGS, (order_id,)):
        instrument = parse_symbol(symbol)
        quote = quote_of(market, instrument)
        bid, ask = (None, None) if quote is None else (quote.bid, quote.ask)
        rows.append((symbol, str(instrument), ratio, bid, ask))
    return Table(("symbol", "instrument", "ratio", "bid", "ask"), tuple(rows))


def quote_of(market: MarketQuotes, instrument: Instrument) -> Quote | None:
    """Return the quote of an instrument in a stored market; None if nobody quoted it."""
    if isinstance(instrument, OptionContract):
        chain = market.spx_options if instrument.underlying == "SPX" else market.vix_options
        return None if chain.find_row(instrument) is None else chain.quote(instrument)
    assert isinstance(instrument, FutureContract), "options and futures are all there is"
    found = (future.quote for future in market.futures if future.contract == instrument)
    return next(found, None)


def _measures(plan: Plan) -> Table:
    """Return one row a measure, before and after the plan."""
    before = _as_record(plan.before)
    after = _as_record(plan.after)
    names = list(before or after)
    rows = tuple((name, before.get(name), after.get(name)) for name in names)
    return Table(("measure", "before", "after"), rows)


def _as_record(measures: Measures | None) -> Record:
    return {} if measures is None else flat_measures(measures)


def flat_measures(measures: Measures) -> Record:
    """Return measures by name, those that are tables with one name a cell.

    ``breakeven_book_today_low_vix_8``: of condors and hedge (``condors``: alone), today (or at
    expiry), under VIX +8. ``forward_vega_l1_30d``: L1's factor vega in 30 days.
    """
    record: Record = {}
    for entry in fields(measures):
        value = getattr(measures, entry.name)
        if entry.name == "breakevens":
            for each in measures.breakevens:
                who = "book" if each.hedged else "condors"
                for when, side in product(("today", "expiry"), ("low", "high")):
                    name = f"breakeven_{who}_{when}_{side}_vix_{each.vix_points:g}"
                    record[name] = getattr(each, f"{when}_{side}")
        elif entry.name == "forward_vega":
            for layer, *vegas in measures.forward_vega:
                for days, vega in zip(FORWARD_DAYS, vegas, strict=True):
                    record[f"forward_vega_{layer.lower()}_{days}d"] = vega
        else:
            record[entry.name] = value
    return record


def _shocks(plan: Plan) -> Table:
    """Return the shocks that the decision measured; others need its snapshot and the pricing."""
    rows: list[tuple[Cell, ...]] = []
    for vix_points, name in ((5, "loss_vix_5_usd"), (8, "loss_vix_8_usd")):
        before = _as_record(plan.before).get(name)
        after = _as_record(plan.after).get(name)
        rows.append((vix_points, before, after))
    return Table(("vix_points", "before_usd", "after_usd"), tuple(rows))


def _condors(book: Book) -> Table:
    columns = (
        "condor",
        "quantity",
        "long_put",
        "short_put",
        "short_call",
        "long_call",
        "expiry",
        "entry_credit",
        "breakeven_low",
        "breakeven_high",
        "max_loss_usd",
        "opened_at",
        "entry_spot",
    )
    condors = sorted(book.condors, key=lambda condor: condor.condor_id)
    return Table(columns, tuple(_condor_row(condor) for condor in condors))


def _condor_row(condor: CondorPosition) -> tuple[Cell, ...]:
    legs, credit = condor.legs, condor.entry_credit
    return (
        condor.condor_id,
        condor.quantity,
        *(contract.symbol for contract, _ in legs.signed()),
        condor.expiry.isoformat(),
        str(credit),
        str(legs.short_put.strike - credit / legs.short_ratio),  # at expiry, of this one alone
        str(legs.short_call.strike + credit / legs.short_ratio),
        str(condor.max_loss_usd),
        instant_text(condor.opened_at).replace(".000000Z", "Z"),
        condor.entry_spot,
    )


def _hedges(book: Book) -> Table:
    columns = ("symbol", "instrument", "quantity", "average_cost", "opened_on")
    hedges = sorted(book.hedges, key=lambda hedge: hedge.instrument.symbol)
    rows = tuple(
        (
            hedge.instrument.symbol,
            str(hedge.instrument),
            hedge.net_contracts,
            str(hedge.average_cost),
            hedge.opened_on.isoformat(),
        )
        for hedge in hedges
    )
    return Table(columns, rows)


# An order, an execution with its revision, or an execution without: by their first characters
_IDS = """
SELECT client_order_id, client_order_id, NULL FROM orders
WHERE substr(client_order_id, 1, length(:id)) = :id
UNION ALL
SELECT exec_root || '.' || printf('%02d', revision), client_order_id, exec_root FROM current_fills
WHERE substr(exec_root || '.' || printf('%02d', revision), 1, length(:id)) = :id
LIMIT :limit
"""
_FILLS = """
SELECT exec_root || '.' || printf('%02d', revision) AS exec_id,
       executed_at AS at,
       symbol,
       side,
       CASE side WHEN 'BUY' THEN quantity ELSE -quantity END AS quantity,
       price_micros,
       commission_usd_micros AS commission_micros,
       cash_flow_usd_micros
FROM current_fills
WHERE client_order_id = :order_id AND (:exec_root IS NULL OR exec_root = :exec_root)
ORDER BY executed_at, exec_root
"""
_ORDER = """
SELECT orders.client_order_id AS order_id, orders.planned_at AS at, orders.purpose,
       orders.effect, orders.quantity, states.filled, states.leaves, states.status,
       states.limit_price_micros, orders.worst_price_micros, states.arrival_mid_micros,
       orders.urgency, orders.attempt, orders.layer, orders.condor_id AS condor, orders.rules,
       states.broker_order_id, decisions.plan_id
FROM orders
JOIN order_states AS states ON states.client_order_id = orders.client_order_id
JOIN decisions ON decisions.decision_id = orders.decision_id
WHERE orders.client_order_id = ?
"""
_LEGS = "SELECT symbol, ratio FROM order_legs WHERE client_order_id = ? ORDER BY position"
_EVENTS = """
SELECT at, status, filled, leaves, limit_price_micros, arrival_mid_micros, broker_order_id, note
FROM order_events WHERE client_order_id = ? ORDER BY sequence
"""
_DECISION = """
SELECT plan_id, at, session, entry_due, curve, hedge_state, spx, vix, net_liquidation_usd_micros,
       cash_usd_micros, maintenance_margin_usd_micros, condor_contracts, net_vega_before,
       net_vega_after, no_trade_reasons, missing, regime_json, signals_json
FROM decisions WHERE plan_id = ?
"""
_GATES = """
SELECT gates.rule, gates.name, gates.value, gates.threshold, gates.passed, gates.note
FROM gates JOIN decisions ON decisions.decision_id = gates.decision_id
WHERE decisions.plan_id = ? ORDER BY gates.position
"""
_LAYERS = """
SELECT layers.layer, layers.active, layers.reason, layers.rules, layers.share, layers.scale,
       layers.current_vega_usd, layers.target_vega_usd, layers.planned_vega_usd,
       layers.current_contracts,
       (SELECT coalesce(sum(json_extract(value, '$[1]')), 0)
        FROM json_each(layers.trades_json)) AS change,
       layers.instrument, layers.runner_up, layers.binding_cap, layers.note,
       (SELECT group_concat(printf('%+d %s', json_extract(value, '$[1]'),
                                   json_extract(value, '$[0]')), '; ')
        FROM json_each(layers.trades_json)) AS trades
FROM layer_plans AS layers JOIN decisions ON decisions.decision_id = layers.decision_id
WHERE decisions.plan_id = ? ORDER BY layers.position
"""
_CONDOR = """
SELECT condors.condor_id AS condor, states.status, condors.planned_quantity, states.quantity,
       states.entry_credit_micros, condors.mid_credit, condors.long_put, condors.short_put,
       condors.short_call, condors.long_call, condors.expiry, condors.net_vega,
       condors.short_put_delta, condors.short_call_delta, condors.entry_spot, condors.rules,
       states.realised_usd_micros, condors.short_ratio, condors.long_ratio, condors.rolled_from,
       condors.adjustments, states.rolled_quantity
FROM condors JOIN condor_states AS states ON states.condor_id = condors.condor_id
WHERE condors.condor_id = ?
"""
# An order that rolls makes a condor of its own; from the newest one the line goes back
_LINEAGE = """
WITH RECURSIVE line(condor_id, step) AS (
    SELECT coalesce(
        (SELECT made.condor_id FROM condors AS made
         JOIN orders ON orders.decision_id = made.decision_id
         WHERE orders.client_order_id = :order_id AND made.rolled_from = :condor
           AND orders.purpose LIKE '%:adjust'), :condor), 0
    UNION ALL
    SELECT condors.rolled_from, step + 1 FROM condors JOIN line USING (condor_id)
    WHERE condors.rolled_from IS NOT NULL
)
SELECT condors.condor_id AS condor, condors.rolled_from, decisions.at, decisions.plan_id,
       condors.rules, condors.long_put, condors.short_put, condors.short_call, condors.long_call,
       condors.mid_credit, states.status, condors.note,
       (SELECT client_order_id FROM orders
        WHERE orders.decision_id = condors.decision_id
          AND orders.condor_id = coalesce(condors.rolled_from, condors.condor_id)
          AND orders.attempt = 1 ORDER BY sequence LIMIT 1) AS order_id
FROM line JOIN condors USING (condor_id)
JOIN condor_states AS states USING (condor_id)
JOIN decisions USING (decision_id)
ORDER BY step
"""
_PROVENANCE = """
SELECT runs.run_id, runs.started_at, runs.mode, runs.account, runs.config_hash,
       decisions.rules_hash, runs.package_version, runs.seed,
       decisions.market_digest, decisions.history_digest
FROM decisions JOIN runs ON runs.run_id = decisions.run_id
WHERE decisions.plan_id = ?
"""
_NEWEST = """
SELECT plan_id, inputs, plan FROM decisions WHERE at <= ? ORDER BY decision_id DESC LIMIT 1
"""
