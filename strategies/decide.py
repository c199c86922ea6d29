"""The whole decision of one interval, in the rule book's precedence (section 11).

    signals -> regime -> exits (G6, C9) -> rolls (C11, C10) -> entry (C1-C8) -> hedge (L, B, G)

A pure function of (snapshot, book, account, memory, rules). The order of the tuples in a book
carries no meaning, so it is forgotten first; the same input gives the same plan to the byte.

What cannot be priced is not guessed: without a value for everything held nothing opens, reductions
and exits go on where they are priceable, and the plan names the instrument.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, lru_cache

from strategies.alvh.forward_profile import forward_profile
from strategies.alvh.governors import quick_ratio_gates
from strategies.alvh.hedge import plan_hedge
from strategies.alvh.hedge_plan import HedgeInputs, HedgePlan
from strategies.alvh.holdings import with_reach
from strategies.alvh.liquidity import lacking_usd, relief_usd
from strategies.alvh.rebalance import Trade
from strategies.alvh.relief import spike_relief
from strategies.alvh.return_cap import Returns
from strategies.alvh.short_side import is_meant_long, vega_above
from strategies.condor.adjust import Adjustments, plan_adjustments
from strategies.condor.entry import Entry, plan_entry, schedule_gates
from strategies.condor.exits import Exits, legs_being_closed, plan_exits, with_close
from strategies.condor.exposure import read_exposure
from strategies.condor.rolls import Desk
from strategies.condor.spike import Rival
from strategies.model.book import Account, Book, CondorPosition, HedgePosition
from strategies.model.encoding import to_json
from strategies.model.ids import digest
from strategies.model.instruments import OptionContract
from strategies.model.memory import Memory
from strategies.model.orders import OrderIntent, PositionEffect
from strategies.model.plan import Gate, Measures, Plan
from strategies.model.quotes import OptionChain
from strategies.model.rules import Rules, rules_hash
from strategies.model.snapshots import DailyHistory, FactorSeries, MarketSnapshot
from strategies.model.structures import option_positions
from strategies.pricing.capital import capm_beta, quick_ratio
from strategies.pricing.margin import condor_margin_usd, is_covered
from strategies.pricing.valuation import CondorValue, Valuer
from strategies.risk.breakeven_journal import flip_journal
from strategies.risk.measures import Measurer, condor_vega_usd
from strategies.risk.overrides import (
    Overrides,
    Withheld,
    entry_gate,
    layers_held,
    override_gates,
    split_withheld,
    withheld_reasons,
)
from strategies.signals.outlook import read_outlook
from strategies.signals.readings import read_signals
from strategies.signals.regimes import classify_regime

_EPSILON = 1e-9
_DIGITS = 6


def decide(
    snapshot: MarketSnapshot, book: Book, account: Account, memory: Memory, rules: Rules
) -> tuple[Plan, Memory]:
    """Return what to do now, with every reason, and the memory for the next decision.

    Args:
        snapshot: Everything the interval may look at.
        book: What is held and at work.
        account: The broker's account values.
        memory: What the last decision returned; ``Memory()`` at the very first.
        rules: The rules in force.
    """
    book = _in_one_order(book)
    in_force = rules_hash(rules)
    plan_id = digest(_market_digest(snapshot), to_json((book, account, memory)), in_force)
    signals = read_signals(snapshot, rules)
    regime, regime_memory, rsi_vix_high = classify_regime(signals, snapshot, memory, rules)
    max_age = timedelta(seconds=rules.signals.max_quote_age_s)
    snapshot = _as_known(snapshot, max_age)
    valuer = Valuer(snapshot.market, snapshot.session, max_age=max_age)
    values = {condor.condor_id: valuer.condor(condor.legs) for condor in book.condors}
    settling = _settling(book, values, snapshot.session)
    measured = tuple(c for c in book.condors if c.condor_id not in settling)
    unpriced = tuple(c.condor_id for c in measured if values[c.condor_id] is None)
    measurer = Measurer(valuer, account, snapshot.history, rules)
    before = measurer.measure(measured, book.hedges, values)
    outlook = read_outlook(snapshot, signals, valuer, measured, before, memory, rules)
    overrides = Overrides.at(snapshot.overrides, snapshot.at)
    cover = _cover_gate(book)
    condors = _decide_condors(
        snapshot,
        book,
        account,
        memory,
        rules,
        valuer=valuer,
        values=values,
        settling=settling,
        overrides=overrides,
        safety=(_priced_gate(before), quick_ratio_gates(account, rules.governors)[0], cover),
        is_spike=regime.spike is True,
        wacc=None if before is None else before.wacc,
        plan_id=plan_id,
    )
    exits, adjustments, entry = condors.exits, condors.adjustments, condors.entry
    staying, values = condors.staying, {**values, **condors.new_values}
    hedge = plan_hedge(
        HedgeInputs(
            snapshot=snapshot,
            valuer=valuer,
            signals=signals,
            regime=regime,
            rsi_vix_high=rsi_vix_high,
            panel=outlook.panel,
            analogues=outlook.analogues,
            reactions=outlook.reactions,
            migration=outlook.book.lowest_migration(condors.as_filled),
            vega_per_theta=outlook.book.vega_per_theta,
            condor_beta=_condor_beta(before, snapshot, account),
            returns=_returns(measurer, before, staying, values),
            book=book,
            account=account,
            condors=condors.insured,
            as_filled=condors.as_filled,
            condor_vega_usd=None if unpriced else condor_vega_usd(condors.insured, values),
            lacking_usd=condors.lacking_usd,
            memory=memory,
            rules=rules,
            plan_id=plan_id,
        )
    )

    hedge, held = _override_hedge(hedge, overrides, snapshot.session)
    withheld = (*condors.withheld, *held)
    orders = (
        *exits.orders,
        *hedge.reductions,
        *adjustments.orders,
        *(() if entry.order is None else (entry.order,)),
        *hedge.additions,
    )
    before = _profiled(before, book.hedges, valuer, rules)
    after = before
    if orders:
        hedges = _hedges_after(book.hedges, hedge.trades, snapshot)
        after = measurer.measure((*staying, *_opened(entry, snapshot)), hedges, values)
        after = _profiled(after, hedges, valuer, rules)
    state = _hedge_state(before, after, hedge, unpriced, rules)
    gates = (
        *outlook.gates,
        *exits.gates,
        *adjustments.gates,
        *entry.gates,
        *hedge.gates,
        *_vega_gates(before, after, rules),
        cover,
        *(flip_journal(before) if regime.flipped_now else ()),
        *override_gates(
            overrides,
            withheld,
            (close.condor_id for close in exits.closes if close.rules == ("D3",)),
            skipped=any(gate in entry.gates for gate in entry_gate(overrides)),
        ),
    )
    plan = Plan(
        plan_id=plan_id,
        at=snapshot.at,
        session=snapshot.session,
        rules_hash=in_force,
        regime={**regime.labels, "R5": outlook.panel.verdict.value},
        signals={**signals.values, **outlook.book.values},
        gates=tuple(dict.fromkeys(gates)),  # safety gates are asked for more than one reason
        layers=hedge.layers,
        opens=() if entry.opened is None else (entry.opened,),
        closes=exits.closes,
        adjusts=adjustments.adjusts,
        orders=orders,
        before=before,
        after=after,
        curve=regime.curve,
        hedge_state=state,
        no_trade_reasons=(
            *withheld_reasons(withheld),
            *_reasons(exits, adjustments, entry, hedge, unpriced, state, after),
        ),
        missing=(
            *signals.missing,
            *outlook.missing,
            *hedge.missing,
            *(f"no value for {name}" for name in (*unpriced, *hedge.unpriced)),
            *(f"{each} expires today without a value: it counts as nothing" for each in settling),
        ),
    )
    return plan, Memory(
        session=snapshot.session,
        rsi_vix_high=rsi_vix_high,
        regime=regime_memory,
        rotation=hedge.rotation,
        core_contracts=hedge.core_contracts,
        condors_insured=hedge.condors_insured,
        condors_opened=memory.condors_opened + (0 if entry.opened is None else 1),
        rolls=adjustments.rolls,
        roll_waits=adjustments.waits,
        boost=hedge.boost,
        harvest_armed=hedge.harvest_armed,
        harvesting=hedge.harvesting,
        halving=hedge.halving,
        harvested=hedge.harvested,
        parity_used_on=outlook.parity_used_on,
    )


# --- identity -------------------------------------------------------------------------------------


def _in_one_order(book: Book) -> Book:
    return replace(
        book,
        condors=tuple(sorted(book.condors, key=lambda c: c.condor_id)),
        hedges=tuple(sorted(book.hedges, key=lambda h: h.instrument.symbol)),
        working=tuple(sorted(book.working, key=lambda w: (w.purpose, w.client_order_id))),
        loose=tuple(sorted(book.loose, key=lambda held: held.instrument.symbol)),
    )


def _market_digest(snapshot: MarketSnapshot) -> str:
    """Return a digest of everything in the snapshot; arrays by their bytes, for speed."""
    market, history = snapshot.market, snapshot.history
    hasher = hashlib.sha256()
    for chain in (market.spx_options, market.vix_options):
        hasher.update(to_json((chain.underlying, chain.series, chain.quoted_at)).encode())
        for column in _columns(chain):
            hasher.update(column)
    hasher.update(_history_digest(history))
    hasher.update(_factors_digest(snapshot.factors))
    words = (
        snapshot.session,
        snapshot.opens_at,
        snapshot.closes_at,
        snapshot.is_early_close,
        snapshot.entry_due,
        snapshot.events,
        snapshot.overrides,
        market.at,
        market.indices,
        market.futures,
        market.rate,
        len(history.session),
    )
    hasher.update(to_json(words).encode())
    return hasher.hexdigest()


# The history and the factors of a session are one object all day
@lru_cache(maxsize=4)
def _history_digest(history: DailyHistory) -> bytes:
    hasher = hashlib.sha256()
    for name in history.__dataclass_fields__:
        hasher.update(getattr(history, name).tobytes())
    return hasher.digest()


@lru_cache(maxsize=4)
def _factors_digest(factors: tuple[FactorSeries, ...]) -> bytes:
    hasher = hashlib.sha256()
    for factor in factors:
        hasher.update(to_json((factor.name, factor.problem, len(factor.day))).encode())
        hasher.update(factor.day.astype("datetime64[D]").tobytes())
        hasher.update(factor.value.tobytes())
    return hasher.digest()


def _columns(chain: OptionChain) -> tuple[bytes, ...]:
    arrays = (chain.series_index, chain.strike, chain.bid, chain.ask)
    return tuple(array.tobytes() for array in arrays)


def _as_known(snapshot: MarketSnapshot, max_age: timedelta) -> MarketSnapshot:
    """Return the snapshot without what may not move a rule.

    Without bars of its session or later, and indices that are stale, dated ahead or no number above
    zero.
    """
    indices = snapshot.market.indices
    usable = {
        name: each
        for name, each in indices.items()
        if abs(snapshot.at - each.quoted_at) <= max_age
        and math.isfinite(each.value)
        and each.value > 0
    }
    return replace(
        snapshot,
        market=replace(snapshot.market, indices=usable),
        history=snapshot.history.before(snapshot.session),
    )


# --- condors --------------------------------------------------------------------------------------


def _settling(
    book: Book, values: Mapping[str, CondorValue | None], session: date
) -> tuple[str, ...]:
    """Return the ids of condors without a value that expire today.

    A series has no surface on its last day, and VIX moves its options no longer. What C9 cannot
    close of it settles by itself: it must not leave the rest of the book without a value.
    """
    return tuple(
        condor.condor_id
        for condor in book.condors
        if values[condor.condor_id] is None and condor.expiry <= session
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condors:
    """What is done about the condors, and what they are once it has filled."""

    exits: Exits
    adjustments: Adjustments
    entry: Entry
    withheld: tuple[Withheld, ...]
    lacking_usd: Decimal  # what G6 still lacks
    staying: tuple[CondorPosition, ...]  # neither closed nor settling, and as they are rolled
    insured: tuple[CondorPosition, ...]  # those, without what is lost (C9)
    as_filled: tuple[CondorPosition, ...]  # the same before their rolls
    new_values: dict[str, CondorValue | None]  # of what rolls and entry make, by id


def _decide_condors(
    snapshot: MarketSnapshot,
    book: Book,
    account: Account,
    memory: Memory,
    rules: Rules,
    *,
    valuer: Valuer,
    values: Mapping[str, CondorValue | None],
    settling: tuple[str, ...],
    overrides: Overrides,
    safety: tuple[Gate, ...],
    is_spike: bool,
    wacc: float | None,
    plan_id: str,
) -> _Condors:
    """Return exits (C9, D3, G6), rolls (C11, C10) and the entry (C1-C8), in that order.

    ``values``: of the condors held, by id. ``settling``: ids of those that only settlement prices.
    ``safety``: gates that nothing opens past.
    """
    spx, max_age = snapshot.market.spx_options, timedelta(seconds=rules.signals.max_quote_age_s)
    chain = spx if abs(snapshot.at - spx.quoted_at) <= max_age else None
    exits = plan_exits(
        book.condors,
        values=values,
        chain=chain,
        purposes_at_work={order.purpose for order in book.working},
        plan_id=plan_id,
        session=snapshot.session,
        rules=rules.condor,
    )
    exits, withheld = _override_exits(
        exits,
        overrides,
        book,
        session=snapshot.session,
        values=values,
        chain=chain,
        plan_id=plan_id,
        rules=rules,
    )
    exits, lacking = _close_for_liquidity(
        exits, book, account, values=values, chain=chain, plan_id=plan_id, rules=rules
    )
    gone = {*exits.closing_ids, *settling}
    staying = tuple(c for c in book.condors if c.condor_id not in gone)
    # What is lost (C9) stays in the book; there is nothing left of it to roll or to insure
    alive = tuple(c for c in staying if c.condor_id not in exits.lost_ids)
    closing = legs_being_closed(book, exits)
    adjustments = _adjust(
        alive,
        valuer,
        book,
        account,
        closing=closing,
        spike=rules.condor.spike_rolls and is_spike,
        safety=safety,
        memory=memory,
        plan_id=plan_id,
        rules=rules,
    )
    _, kept_back = split_withheld(adjustments.orders, overrides, snapshot.session)
    adjustments = adjustments.without([item.order for item in kept_back])
    staying = adjustments.after(staying)
    condor_id = f"C{memory.condors_opened + 1:04d}"
    entry = _entry(
        snapshot,
        valuer,
        replace(book, condors=adjustments.after(book.condors)),
        account,
        condor_id=condor_id,
        closing=closing | adjustments.closed_legs,
        safety=(*safety, *entry_gate(overrides)),
        wacc=wacc,
        plan_id=plan_id,
        rules=rules,
    )
    made = {each.condor_id: each.legs for each in staying if each.condor_id not in values}
    if entry.opened is not None:
        made[condor_id] = entry.opened.legs
    return _Condors(
        exits=exits,
        adjustments=adjustments,
        entry=entry,
        withheld=(*withheld, *kept_back),
        lacking_usd=lacking,
        staying=staying,
        insured=adjustments.after(alive),
        as_filled=alive,
        new_values={each: valuer.condor(legs) for each, legs in made.items()},
    )


# --- liquidity ------------------------------------------------------------------------------------


def _close_for_liquidity(
    exits: Exits,
    book: Book,
    account: Account,
    *,
    values: Mapping[str, CondorValue | None],
    chain: OptionChain | None,
    plan_id: str,
    rules: Rules,
) -> tuple[Exits, Decimal]:
    """Close condors until the quick ratio is back at one (G6); return what it still lacks.

    The largest margin goes first, and none more than needed; what is being closed anyhow counts.
    """
    lacking = lacking_usd(account)
    if lacking == 0:
        return exits, lacking
    margins = {
        condor.condor_id: condor_margin_usd(
            condor.legs, condor.quantity, rules.condor.margin_convention
        )
        for condor in book.condors
    }
    debits = {
        str(order.condor_id): abs(order.limit_price) * 100 * order.leaves_quantity
        for order in book.working
        if order.condor_id in margins and order.purpose.endswith(":close")
    }
    debits |= {str(order.condor_id): _debit_usd(order) for order in exits.orders}
    for condor_id, margin in margins.items():
        if condor_id in debits:
            lacking -= relief_usd(margin, debits[condor_id])
    note = f"quick ratio {quick_ratio(account):.4f}"
    for condor in sorted(book.condors, key=lambda c: (-margins[c.condor_id], c.condor_id)):
        if lacking <= 0:
            break
        if condor.condor_id in debits:
            continue
        exits, order = with_close(
            exits,
            condor,
            value=values[condor.condor_id],
            chain=chain,
            asked_by="G6",
            note=note,
            plan_id=plan_id,
            rules=rules.condor,
        )
        if order is not None:
            lacking -= relief_usd(margins[condor.condor_id], _debit_usd(order))
    return exits, max(Decimal(0), lacking)


def _debit_usd(order: OrderIntent) -> Decimal:
    return max(Decimal(0), order.worst_price) * 100 * order.quantity


# --- overrides ------------------------------------------------------------------------------------


def _override_exits(
    exits: Exits,
    overrides: Overrides,
    book: Book,
    *,
    session: date,
    values: Mapping[str, CondorValue | None],
    chain: OptionChain | None,
    plan_id: str,
    rules: Rules,
) -> tuple[Exits, tuple[Withheld, ...]]:
    """Hold back exits, and close condors, as signed overrides in force say (D3)."""
    orders, withheld = split_withheld(exits.orders, overrides, session)
    held = {item.order.condor_id for item in withheld}
    closes = tuple(close for close in exits.closes if close.condor_id not in held)
    exits = replace(exits, closes=closes, orders=orders)
    at_work = {order.purpose for order in book.working}
    for condor in book.condors:
        override = overrides.closing(condor.condor_id)
        if (
            override is None
            or condor.condor_id in exits.closing_ids
            or f"condor:{condor.condor_id}:close" in at_work
        ):
            continue
        exits, _ = with_close(
            exits,
            condor,
            value=values[condor.condor_id],
            chain=chain,
            asked_by="D3",
            note=f"override {override.override_id} by {override.signer}: {override.reason}",
            plan_id=plan_id,
            rules=rules.condor,
        )
    return exits, withheld


def _override_hedge(
    hedge: HedgePlan, overrides: Overrides, session: date
) -> tuple[HedgePlan, tuple[Withheld, ...]]:
    """Leave layers alone that a signed override holds (D3); to the rules it is as if unfilled."""
    reductions, fewer = split_withheld(hedge.reductions, overrides, session)
    additions, less = split_withheld(hedge.additions, overrides, session)
    withheld = (*fewer, *less)
    if not withheld:
        return hedge, ()
    sent = {
        (order.layer, leg.instrument, leg.ratio > 0)
        for order in (*reductions, *additions)
        for leg in order.legs
    }
    trades = tuple(
        trade
        for trade in hedge.trades
        if (trade.layer, trade.instrument, trade.contracts > 0) in sent
    )
    kept: dict[str, tuple[tuple[str, int], ...]] = {}
    vega: dict[str, float] = {}
    for trade in trades:
        kept[trade.layer] = (
            *kept.get(trade.layer, ()),
            (trade.instrument.symbol, trade.contracts),
        )
        vega[trade.layer] = vega.get(trade.layer, 0.0) + trade.vega_usd
    hedge = replace(
        hedge,
        layers=layers_held(hedge.layers, withheld, kept, vega),
        reductions=reductions,
        additions=additions,
        trades=trades,
        cap="D3" if less else hedge.cap,
    )
    return hedge, withheld


# --- rolls and entry ------------------------------------------------------------------------------


def _adjust(
    staying: Sequence[CondorPosition],
    valuer: Valuer,
    book: Book,
    account: Account,
    *,
    closing: frozenset[OptionContract],
    spike: bool,
    safety: tuple[Gate, ...],
    memory: Memory,
    plan_id: str,
    rules: Rules,
) -> Adjustments:
    exposure = read_exposure(book, rules.condor.margin_convention)
    desk = Desk(
        valuer,
        book,
        account,
        positions=exposure.positions,
        closing=closing,
        margin_used_usd=exposure.margin_usd,
        rules=rules.condor,
    )

    @cache
    def hedge() -> Rival | None:
        relief = spike_relief(valuer, with_reach(rules, valuer.market, valuer.session))
        if relief is None:
            return None
        return Rival(name=relief.instrument, per_dollar=relief.per_dollar)

    return plan_adjustments(
        staying,
        desk,
        book=book,
        spike=spike,
        hedge=hedge,
        safety=safety,
        memory=memory,
        plan_id=plan_id,
    )


def _entry(
    snapshot: MarketSnapshot,
    valuer: Valuer,
    book: Book,
    account: Account,
    *,
    condor_id: str,
    closing: frozenset[OptionContract],
    safety: tuple[Gate, ...],
    wacc: float | None,
    plan_id: str,
    rules: Rules,
) -> Entry:
    exposure = read_exposure(book, rules.condor.margin_convention)
    schedule = schedule_gates(
        snapshot, entries_at_work=exposure.entries_at_work, rules=rules.condor
    )
    if not all(gate.passed for gate in schedule):
        return Entry(opened=None, order=None, gates=schedule)
    if not all(gate.passed for gate in safety):
        return Entry(opened=None, order=None, gates=(*schedule, *safety))
    entry = plan_entry(
        snapshot,
        valuer,
        account=account,
        condor_id=condor_id,
        positions=exposure.positions,
        closing=closing,
        margin_used_usd=exposure.margin_usd,
        hedge_share=rules.governors.core_premium,
        wacc=wacc,
        plan_id=plan_id,
        rules=rules.condor,
    )
    return replace(entry, gates=(*schedule, *safety, *entry.gates))


# --- hedge ----------------------------------------------------------------------------------------


def _condor_beta(
    before: Measures | None, snapshot: MarketSnapshot, account: Account
) -> float | None:
    """Return the beta of the condors alone: what G3's cap is scaled by."""
    if before is None:
        return None
    spx = snapshot.market.indices.get("SPX")
    return capm_beta(
        delta_usd=before.delta_usd,
        hedge_vega_usd=0.0,
        spx=None if spx is None else spx.value,
        account=account,
    )


def _returns(
    measurer: Measurer,
    before: Measures | None,
    staying: Sequence[CondorPosition],
    values: Mapping[str, CondorValue | None],
) -> Returns | None:
    """Return what G4 judges the hedge on; None where nobody knows."""
    expectation = measurer.expectation
    condors = None if expectation is None else expectation.condors(staying, values)
    if before is None or expectation is None or condors is None:
        return None
    return Returns(expectation=expectation, condors=condors, wacc=before.wacc)


# --- the book once the plan has filled ------------------------------------------------------------


def _opened(entry: Entry, snapshot: MarketSnapshot) -> tuple[CondorPosition, ...]:
    if entry.opened is None or entry.order is None:
        return ()
    opened = entry.opened
    position = CondorPosition(
        condor_id=opened.condor_id,
        legs=opened.legs,
        quantity=opened.quantity,
        entry_credit=-entry.order.limit_price,
        opened_at=snapshot.at,
        entry_spot=opened.entry_spot,
        entry_sigma_sqrt_t=opened.entry_sigma_sqrt_t,
    )
    return (position,)


def _hedges_after(
    hedges: Sequence[HedgePosition], trades: Sequence[Trade], snapshot: MarketSnapshot
) -> tuple[HedgePosition, ...]:
    held = {hedge.instrument: hedge for hedge in hedges}
    for trade in trades:
        hedge = held.get(trade.instrument)
        if hedge is None:
            hedge = HedgePosition(
                instrument=trade.instrument,
                net_contracts=0,
                average_cost=Decimal(0),
                opened_on=snapshot.session,
            )
        contracts = hedge.net_contracts + trade.contracts
        cost = hedge.average_cost
        if trade.effect is PositionEffect.OPEN:
            paid = Decimal(repr(trade.ask if trade.contracts > 0 else trade.bid))
            cost = (hedge.net_contracts * cost + trade.contracts * paid) / contracts
        held[trade.instrument] = replace(hedge, net_contracts=contracts, average_cost=cost)
    return tuple(
        held[instrument]
        for instrument in sorted(held, key=lambda i: i.symbol)
        if held[instrument].net_contracts
    )


def _profiled(
    measures: Measures | None, hedges: Sequence[HedgePosition], valuer: Valuer, rules: Rules
) -> Measures | None:
    """Return the measures with the hedge's forward vega (T3)."""
    reaching = with_reach(rules, valuer.market, valuer.session).layers
    profile = forward_profile(hedges, valuer, reaching)
    if measures is None or profile is None:
        return measures
    rows = tuple(
        (name, round(now, _DIGITS), round(ten, _DIGITS), round(month, _DIGITS), round(two, _DIGITS))
        for name, now, ten, month, two in profile
    )
    return replace(measures, forward_vega=rows)


# --- what is said about it ------------------------------------------------------------------------


def _hedge_state(
    before: Measures | None,
    after: Measures | None,
    hedge: HedgePlan,
    unpriced: Sequence[str],
    rules: Rules,
) -> str:
    """Return the state of the hedge once the plan has filled, and the rule that binds it."""
    if before is None or after is None:
        names = ", ".join((*unpriced, *hedge.unpriced))
        return f"unpriceable: {names or 'shocks'}"
    vega = after.net_vega_per_condor
    if vega is None:
        return "no condors"
    above = vega_above(after, rules)
    if above is not None and above > rules.rotation.band_high + _EPSILON:
        return "over-hedged: B8"
    short = (rules.rotation.band_low - vega) * 100 * after.condor_contracts
    is_short_held_up = is_meant_long(after.condor_factor_vega_usd, rules) and hedge.cap is not None
    if short <= max(_EPSILON, hedge.zone_usd) and not is_short_held_up:
        return "hedged"  # in the band, or short of it by less than what B9 trades
    # without a cap it is on its way: at work, or the next interval's for a condor opened in this
    return f"under-hedged: {hedge.cap or 'B9'}"


def _vega_gates(before: Measures | None, after: Measures | None, rules: Rules) -> tuple[Gate, ...]:
    low, high = rules.rotation.band_low, rules.rotation.band_high
    now = None if before is None else before.net_vega_per_condor
    above_now = None if before is None else vega_above(before, rules)
    above_then = None if after is None else vega_above(after, rules)
    return (
        Gate(
            rule="B8",
            name="net vega per condor, before",
            value=now,
            threshold=f"{low:g} .. {high:g}",
            passed=now is not None and above_now is not None and low <= now and above_now <= high,
        ),
        Gate(
            rule="G7",
            name="net vega per condor, after",
            value=above_then,
            threshold=rules.governors.max_net_vega,
            passed=above_then is None or above_then <= rules.governors.max_net_vega + _EPSILON,
        ),
    )


def _priced_gate(before: Measures | None) -> Gate:
    return Gate(
        rule="C12",
        name="the whole book has a value",
        value="no" if before is None else "yes",
        threshold="yes",
        passed=before is not None,
    )


def _cover_gate(book: Book) -> Gate:
    uncovered = is_covered(option_positions(book))
    return Gate(
        rule="G8",
        name="uncovered short options",
        value=float(len(uncovered)),
        threshold=0.0,
        passed=not uncovered,
        note=", ".join(str(contract) for contract in uncovered),
    )


def _reasons(
    exits: Exits,
    adjustments: Adjustments,
    entry: Entry,
    hedge: HedgePlan,
    unpriced: Sequence[str],
    state: str,
    after: Measures | None,
) -> tuple[str, ...]:
    reasons = (
        *(f"C12: {condor_id} cannot be priced" for condor_id in unpriced),
        *exits.reasons,
        *adjustments.reasons,
        *entry.reasons,
        *hedge.reasons,
    )
    if after is not None and state.startswith("under-hedged"):
        reasons = (*reasons, f"B8: net vega per condor {after.net_vega_per_condor:.4f}, {state}")
    return tuple(dict.fromkeys(reasons))
