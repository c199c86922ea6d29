"""Flatten: the plan that closes everything there is, and opens nothing.

It stands in the place of ``decide`` while an operator wants the account flat: the same inputs, a
plan of reducing orders, the memory left as it is. Condors go first, because the hedge is what keeps
their worst case bounded; hedges follow once no condor is left. The quotes of the legs are all it
needs, so that an account can be left in a market whose surface nobody trusts.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from strategies.model.book import Account, Book, CondorPosition, HedgePosition
from strategies.model.encoding import to_json
from strategies.model.ids import digest
from strategies.model.instruments import FutureContract, Instrument, OptionContract
from strategies.model.memory import Curve, Memory
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorClose, Plan
from strategies.model.quotes import Quote, to_price
from strategies.model.rules import LayerRules, Rules, rules_hash
from strategies.model.snapshots import MarketQuotes, MarketSnapshot
from strategies.model.ticks import leg_tick, order_tick, round_down, round_up

FLATTENING = "flattening"  # the hedge state of such a plan
ASKED_BY = "FLATTEN"


def is_flat(book: Book) -> bool:
    """Return whether nothing is held and nothing is at work."""
    return not (book.condors or book.hedges or book.working or book.loose)


def flatten(
    snapshot: MarketSnapshot, book: Book, account: Account, memory: Memory, rules: Rules
) -> tuple[Plan, Memory]:
    """Return the orders that close what is held, as far as it has a price, and the same memory.

    Args:
        snapshot: What the interval may look at; of it, the quotes of what is held.
        book: What is held and at work.
        account: The broker's account values; part of the plan's identity.
        memory: What the last decision left.
        rules: The rules in force; of them, how layers are named.
    """
    in_force = rules_hash(rules)
    instant = snapshot.at.isoformat()
    plan_id = digest(ASKED_BY, instant, to_json((book, account, memory)), in_force)
    at_work = {order.purpose for order in book.working}
    orders: list[OrderIntent] = []
    closes: list[CondorClose] = []
    reasons: list[str] = []
    for condor in sorted(book.condors, key=lambda each: each.condor_id):
        wanted = _close_condor(condor, snapshot.market, plan_id)
        if isinstance(wanted, OrderIntent) and wanted.purpose not in at_work:
            orders.append(wanted)
            closes.append(_close_of(condor, wanted))
        else:
            why = wanted if isinstance(wanted, str) else "its close is at work"
            reasons.append(f"{ASKED_BY}: {condor.condor_id} stays for now ({why})")
    for hedge in sorted(book.hedges, key=lambda each: each.instrument.symbol):
        if book.condors:
            reasons.append(f"{ASKED_BY}: {hedge.instrument} stays until no condor is left")
            continue
        reduction = _reduce(hedge, snapshot, plan_id, rules.layers)
        if isinstance(reduction, OrderIntent) and reduction.purpose not in at_work:
            orders.append(reduction)
        else:
            why = reduction if isinstance(reduction, str) else "its reduction is at work"
            reasons.append(f"{ASKED_BY}: {hedge.instrument} stays for now ({why})")
    reasons += [
        f"{ASKED_BY}: {loose.net_contracts:+d} {loose.instrument} belongs to no structure"
        for loose in book.loose
    ]
    return (
        Plan(
            plan_id=plan_id,
            at=snapshot.at,
            session=snapshot.session,
            rules_hash=in_force,
            regime={},
            signals={},
            gates=(),
            layers=(),
            opens=(),
            closes=tuple(closes),
            orders=tuple(orders),
            before=None,
            after=None,
            curve=Curve.UNKNOWN,
            hedge_state=FLATTENING,
            no_trade_reasons=tuple(reasons),
            missing=(),
        ),
        replace(memory, session=snapshot.session),
    )


def _close_of(condor: CondorPosition, order: OrderIntent) -> CondorClose:
    return CondorClose(
        condor_id=condor.condor_id,
        rules=(ASKED_BY,),
        mark_debit=float(order.limit_price),
        note="everything is being closed",
    )


def _close_condor(condor: CondorPosition, market: MarketQuotes, plan_id: str) -> OrderIntent | str:
    """Return the order that buys a condor back, or why there can be none now."""
    mid = natural = Decimal(0)
    for contract, sign in condor.legs.signed():
        quote = _quote(market, contract)
        if quote is None or quote.ask <= 0:
            return f"nobody offers {contract}"
        if quote.bid > quote.ask:
            return f"{contract} is crossed, {quote.bid:g} x {quote.ask:g}"
        mid -= sign * to_price((quote.bid + quote.ask) / 2)
        natural -= sign * to_price(quote.bid if sign > 0 else quote.ask)
    legs = tuple(Leg(instrument=leg, ratio=-sign) for leg, sign in condor.legs.signed())
    tick = order_tick([leg.instrument for leg in legs], Decimal(1))
    # Never more than it can cost at expiry, whatever is asked for it
    worst = min(round_up(natural, tick), round_up(condor.legs.worst_points, tick))
    limit = min(round_down(mid, tick), worst)
    if condor.legs.long_ratio == 1 and condor.legs.one_expiry:
        worst, limit = max(tick, worst), max(tick, limit)  # nothing trades at zero
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"condor:{condor.condor_id}:close",
        legs=legs,
        quantity=condor.quantity,
        limit_price=limit,
        worst_price=worst,
        effect=PositionEffect.CLOSE,
        urgency=Urgency.URGENT,
        rules=(ASKED_BY,),
        condor_id=condor.condor_id,
    )


def _reduce(
    hedge: HedgePosition, snapshot: MarketSnapshot, plan_id: str, rules: LayerRules
) -> OrderIntent | str:
    """Return the order that ends a hedge position, or why there can be none now."""
    instrument = hedge.instrument
    quote = _quote(snapshot.market, instrument)
    side = -1 if hedge.net_contracts > 0 else 1
    if quote is None or quote.ask <= 0 or (side < 0 and quote.bid <= 0):
        return "nobody takes it"
    if quote.bid > quote.ask:
        return f"it is crossed, {quote.bid:g} x {quote.ask:g}"
    natural = side * to_price(quote.ask if side > 0 else quote.bid)
    mid = side * to_price((quote.bid + quote.ask) / 2)
    # A worst price stays reachable: it is rounded toward paying less
    worst = round_down(natural, leg_tick(instrument, natural))
    limit = min(round_down(mid, leg_tick(instrument, mid)), worst)
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"hedge:{_layer(instrument.expiry, snapshot.session, rules)}:reduce:"
        f"{instrument.symbol}",
        legs=(Leg(instrument=instrument, ratio=side),),
        quantity=abs(hedge.net_contracts),
        limit_price=limit,
        worst_price=worst,
        effect=PositionEffect.CLOSE,
        urgency=Urgency.URGENT,
        rules=(ASKED_BY,),
        layer=_layer(instrument.expiry, snapshot.session, rules),
    )


def _layer(expiry: date, session: date, rules: LayerRules) -> str:
    days = (expiry - session).days
    if days <= rules.l1_max_days:
        return "L1"
    return "L2" if days <= rules.l2_max_days else "L3"


def _quote(market: MarketQuotes, instrument: Instrument) -> Quote | None:
    if isinstance(instrument, FutureContract):
        found = (each for each in market.futures if each.contract == instrument)
        return next((each.quote for each in found), None)
    assert isinstance(instrument, OptionContract), "an instrument is a future or an option"
    is_spx = instrument.underlying == "SPX"
    chain = market.spx_options if is_spx else market.vix_options
    return None if chain.find_row(instrument) is None else chain.quote(instrument)
