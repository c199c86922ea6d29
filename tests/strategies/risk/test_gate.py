"""The pre-trade gate: every check at its limit, and what no order may ever do."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.book import WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, Limits, Readiness, SystemState
from strategies.model.orders import ApprovedOrder, OrderIntent, PositionEffect, Urgency
from strategies.model.quotes import Quote
from strategies.risk.gate import Refusal, RefusalReason, approve
from tests.builders import AT, book, condor_legs, condor_position, hedge_position, leg, quote

CONDOR = "SPXW 20MAR20 3050/3055/3400/3405"
CALL = "VIX 18MAR20 22 C"

LIMITS = Limits(
    condor_max_loss_usd=Decimal(30_000),
    total_max_loss_usd=Decimal(500_000),
    condors_max=1_200,
    hedge_contracts_max=1_500,
    futures_contracts_max=40,
    order_premium_usd_max=Decimal(60_000),
    orders_per_day_max=500,
    orders_per_minute_max=60,
    opens_per_day_max=10,
    cancels_per_day_max=300,
    attempts_per_purpose_max=8,
    turnover_usd_per_day_max=Decimal(20_000_000),
    active_orders_per_side_max=15,
    price_collar_fraction=Decimal("0.20"),
    price_collar_points=Decimal("0.50"),
    futures_through_market_fraction=Decimal("0.10"),
    quote_age_max=timedelta(seconds=120),
    margin_required=False,
    margin_headroom_fraction=Decimal("0.10"),
)
READY = Readiness(
    at=AT,
    state=SystemState.RUNNING,
    halt_scope=None,
    connected=True,
    reconciled=True,
    lease_held=True,
    orders_today=0,
    quotes_at=AT,
)
QUOTES = {
    leg(text).instrument.symbol: quote(prices)
    for text, prices in {
        "SPXW 20MAR20 3050 P": "20.00 x 20.20",
        "SPXW 20MAR20 3055 P": "20.80 x 21.00",
        "SPXW 20MAR20 3400 C": "12.80 x 13.00",
        "SPXW 20MAR20 3405 C": "12.10 x 12.30",
        CALL: "0.60 x 0.64",
        "VX 18MAR20": "16.95 x 17.00",
        "VXM 18MAR20": "16.97 x 16.99",
    }.items()
}


def open_condor(
    quantity: int = 10, *, text: str = CONDOR, limit: str = "-1.50", worst: str = "-1.25"
) -> OrderIntent:
    legs = condor_legs(text)
    return OrderIntent(
        plan_id="p",
        purpose="condor:C0002:open",
        legs=tuple(leg(f"{sign:+d} {contract}") for contract, sign in legs.signed()),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst),
        effect=PositionEffect.OPEN,
        urgency=Urgency.PATIENT,
        rules=("C1",),
        condor_id="C0002",
    )


def close_condor(
    quantity: int = 10, *, condor_id: str = "C0001", limit: str = "1.50", worst: str = "1.90"
) -> OrderIntent:
    legs = condor_legs(CONDOR)
    return OrderIntent(
        plan_id="p",
        purpose=f"condor:{condor_id}:close",
        legs=tuple(leg(f"{-sign:+d} {contract}") for contract, sign in legs.signed()),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst),
        effect=PositionEffect.CLOSE,
        urgency=Urgency.URGENT,
        rules=("C9",),
        condor_id=condor_id,
    )


def hedge(
    text: str = CALL,
    quantity: int = 10,
    *,
    ratio: int = 1,
    limit: str = "0.62",
    worst: str = "0.64",
    effect: PositionEffect = PositionEffect.OPEN,
) -> OrderIntent:
    return OrderIntent(
        plan_id="p",
        purpose=f"hedge:L2:add:{leg(text).instrument.symbol}",
        legs=(leg(f"{ratio:+d} {text}"),),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst),
        effect=effect,
        urgency=Urgency.NORMAL,
        rules=("L2",),
        layer="L2",
    )


def sell(text: str = CALL, quantity: int = 10) -> OrderIntent:
    order = hedge(
        text, quantity, ratio=-1, limit="-0.62", worst="-0.60", effect=PositionEffect.CLOSE
    )
    return replace(order, purpose=order.purpose.replace("add", "reduce"))


def at_work(intent: OrderIntent, leaves: int | None = None, purpose: str = "") -> WorkingOrder:
    return WorkingOrder(
        client_order_id=ClientOrderId("A" + intent.purpose[-8:]),
        purpose=purpose or intent.purpose,
        status=OrderStatus.LIVE,
        legs=tuple((each.instrument.symbol, each.ratio) for each in intent.legs),
        leaves_quantity=leaves or intent.quantity,
        limit_price=intent.limit_price,
        layer=intent.layer,
        condor_id=intent.condor_id,
    )


HELD = book(
    condors=[condor_position(CONDOR, quantity=10, credit="1.50")],
    hedges=[hedge_position(CALL, 10, cost="0.60")],
)


def ask(
    intent,
    *,
    held=HELD,
    readiness=READY,
    limits=LIMITS,
    quotes=QUOTES,
    seen=frozenset(),
):
    return approve(
        intent,
        readiness=readiness,
        limits=limits,
        book=held,
        quotes=quotes,
        orders_seen=seen,
    )


def reason(verdict: ApprovedOrder | Refusal) -> RefusalReason | None:
    return verdict.reason if isinstance(verdict, Refusal) else None


ORDERS = {
    "condor open": open_condor(),
    "condor close": close_condor(),
    "hedge add": hedge(),
    "hedge sale": sell(),
    "future": hedge("VX 18MAR20", 2, limit="16.95", worst="17.00"),
}


@pytest.mark.parametrize("intent", ORDERS.values(), ids=ORDERS)
def test_a_sound_order_is_approved_as_it_is(intent):
    verdict = ask(intent)
    assert isinstance(verdict, ApprovedOrder), verdict
    assert verdict.intent == intent
    assert verdict.approved_at == AT


# --- readiness ------------------------------------------------------------------------------------

_R = RefusalReason


@pytest.mark.parametrize(
    ("state", "scope", "expected"),
    [
        # condor open, hedge add, condor close
        (SystemState.RUNNING, None, (None, None, None)),
        (SystemState.STARTING, None, (_R.NOT_RUNNING,) * 3),
        (SystemState.RECONCILING, None, (_R.NOT_RUNNING,) * 3),
        (SystemState.REDUCE_ONLY, None, (_R.REDUCE_ONLY, _R.REDUCE_ONLY, None)),
        (SystemState.HALTED, None, (_R.HALTED,) * 3),
        (SystemState.HALTED, HaltScope.ALL, (_R.HALTED,) * 3),
        (SystemState.HALTED, HaltScope.REDUCE_ONLY, (_R.REDUCE_ONLY, _R.REDUCE_ONLY, None)),
        (SystemState.HALTED, HaltScope.OPENS, (_R.HALTED, None, None)),
        (SystemState.RUNNING, HaltScope.OPENS, (_R.HALTED, None, None)),
        (SystemState.RUNNING, HaltScope.ALL, (_R.HALTED,) * 3),
        (SystemState.REDUCE_ONLY, HaltScope.OPENS, (_R.REDUCE_ONLY, _R.REDUCE_ONLY, None)),
    ],
)
def test_a_halt_forbids_what_its_scope_says(state, scope, expected):
    readiness = replace(READY, state=state, halt_scope=scope)
    verdicts = tuple(
        reason(ask(intent, readiness=readiness))
        for intent in (open_condor(), hedge(), close_condor())
    )
    assert verdicts == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"lease_held": False}, _R.LEASE_LOST),
        ({"connected": False}, _R.NOT_CONNECTED),
        ({"reconciled": False}, _R.NOT_RECONCILED),
        ({"quotes_at": None}, _R.STALE_QUOTES),
        ({"quotes_at": AT - timedelta(seconds=121)}, _R.STALE_QUOTES),
        ({"quotes_at": AT - timedelta(seconds=120)}, None),
        ({"quotes_at": AT + timedelta(seconds=2)}, None),
        ({"quotes_at": AT + timedelta(seconds=3)}, _R.STALE_QUOTES),
    ],
)
@pytest.mark.parametrize("intent", ORDERS.values(), ids=ORDERS)
def test_every_order_needs_the_facts(intent, change, expected):
    assert reason(ask(intent, readiness=replace(READY, **change))) is expected


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        ("VIX 18MAR20 22 C", 17, None),
        ("VIX 18MAR20 22 C", 18, _R.EXPIRED),  # AM-settled: not on its own day
        ("VX 18MAR20", 18, _R.EXPIRED),
    ],
)
def test_no_order_is_sent_in_a_contract_that_stopped_trading(text, day, expected):
    now = AT.replace(month=3, day=day)
    readiness = replace(READY, at=now, quotes_at=now)
    prices = {"limit": "0.62", "worst": "0.64"} if "C" in text else {"limit": "17", "worst": "17"}
    assert reason(ask(hedge(text, 1, **prices), readiness=readiness)) is expected


@pytest.mark.parametrize(("day", "expected"), [(20, None), (21, _R.EXPIRED)])
def test_pm_settled_options_trade_on_their_last_day(day, expected):
    now = AT.replace(month=3, day=day)
    assert reason(ask(close_condor(), readiness=replace(READY, at=now, quotes_at=now))) is expected


# --- prices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "opening", "closing"),
    [
        (quote("0.60 x 0.64"), None, None),
        (quote("0 x 0.64"), _R.NO_QUOTE, None),  # worthless: may be sold off, never bought
        (quote("0.66 x 0.64"), _R.NO_QUOTE, _R.NO_QUOTE),
        (quote("0.60 x 0"), _R.NO_QUOTE, _R.NO_QUOTE),
        (None, _R.NO_QUOTE, _R.NO_QUOTE),
    ],
)
def test_i14_no_order_rests_on_a_quote_that_is_none(prices, opening, closing):
    symbol = leg(CALL).instrument.symbol
    quotes = {key: value for key, value in QUOTES.items() if key != symbol}
    if prices is not None:
        quotes[symbol] = prices
    assert reason(ask(hedge(), quotes=quotes)) is opening
    assert reason(ask(sell(), quotes=quotes)) is closing


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("-1.00", None),  # mid is -1.50, the collar 0.50
        ("-0.95", _R.PRICE_COLLAR),
        ("-2.00", None),
        ("-2.05", _R.PRICE_COLLAR),
    ],
)
def test_i15_a_limit_stays_inside_the_collar(limit, expected):
    intent = open_condor(limit=limit, worst="-0.90" if expected else limit)
    assert reason(ask(intent)) is expected


def test_i15_an_entry_must_not_even_mean_to_leave_the_collar_but_an_exit_may_walk_to_it():
    assert reason(ask(open_condor(worst="-0.95"))) is _R.PRICE_COLLAR
    assert reason(ask(close_condor(worst="4.00"))) is None
    assert reason(ask(close_condor(limit="2.05", worst="4.00"))) is _R.PRICE_COLLAR


def test_i15_the_collar_is_the_wider_of_fraction_and_points():
    dear = QUOTES | {leg(CALL).instrument.symbol: quote("4.00 x 4.20")}  # 20 % of 4.10 is 0.82
    assert reason(ask(hedge(limit="4.90", worst="4.90"), quotes=dear)) is None
    assert reason(ask(hedge(limit="4.95", worst="4.95"), quotes=dear)) is _R.PRICE_COLLAR
    assert reason(ask(hedge(limit="3.30", worst="3.30"), quotes=dear)) is None
    assert reason(ask(hedge(limit="3.25", worst="3.25"), quotes=dear)) is _R.PRICE_COLLAR


# --- structure and cover --------------------------------------------------------------------------


def condor_with(*texts: str) -> OrderIntent:
    return replace(open_condor(), legs=tuple(leg(text) for text in texts))


EXTRA_QUOTES = QUOTES | {
    leg(text).instrument.symbol: quote("12.00 x 12.10")
    for text in (
        "SPXW 20MAR20 3060 P",
        "SPXW 13MAR20 3405 C",
        "SPX 20MAR20 3405 C",
        "SPXW 20MAR20 3300 C",
    )
}


@pytest.mark.parametrize(
    "legs",
    [
        ("-1 SPXW 20MAR20 3055 P", "-1 SPXW 20MAR20 3400 C"),
        ("+1 SPXW 20MAR20 3050 P", "-1 SPXW 20MAR20 3055 P"),
        (
            "+1 SPXW 20MAR20 3050 P",
            "-2 SPXW 20MAR20 3055 P",
            "-1 SPXW 20MAR20 3400 C",
            "+1 SPXW 20MAR20 3405 C",
        ),
        (
            "+1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3055 P",
            "+1 SPXW 20MAR20 3400 C",
            "-1 SPXW 20MAR20 3405 C",
        ),
        (
            "+1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3055 P",
            "-1 SPXW 20MAR20 3400 C",
            "+1 SPXW 13MAR20 3405 C",
        ),
        (
            "+1 SPXW 20MAR20 3050 P",
            "-1 SPXW 20MAR20 3055 P",
            "-1 SPXW 20MAR20 3400 C",
            "+1 SPX 20MAR20 3405 C",
        ),
        (
            "+1 SPXW 20MAR20 3060 P",
            "-1 SPXW 20MAR20 3055 P",
            "-1 SPXW 20MAR20 3400 C",
            "+1 SPXW 20MAR20 3405 C",
        ),
        ("+1 VIX 18MAR20 22 C", "-1 SPXW 20MAR20 3400 C"),
    ],
)
def test_a_condor_opens_as_four_legs_of_one_series_or_not(legs):
    wide = replace(LIMITS, price_collar_points=Decimal(100))
    verdict = ask(condor_with(*legs), quotes=EXTRA_QUOTES, limits=wide)
    assert reason(verdict) is _R.STRUCTURE


@pytest.mark.parametrize("price", ["0.00", "0.20", "-5.00"])
def test_a_condor_is_sold_for_a_credit_below_its_width(price):
    wide = replace(LIMITS, price_collar_points=Decimal(100))
    intent = open_condor(limit=price if price == "-5.00" else "-1.50", worst=price)
    assert reason(ask(intent, limits=wide)) is _R.STRUCTURE


@pytest.mark.parametrize(
    ("text", "ratio", "expected"),
    [
        (CALL, 1, None),
        (CALL, -1, _R.STRUCTURE),
        ("VIX 18MAR20 14 P", 1, _R.STRUCTURE),
        ("SPXW 20MAR20 3050 P", 1, _R.STRUCTURE),
    ],
)
def test_g8_a_hedge_opens_long_in_vix_calls_or_futures_only(text, ratio, expected):
    quotes = QUOTES | {leg(text).instrument.symbol: quote("0.60 x 0.64")}
    sign = "" if ratio > 0 else "-"
    limit, worst = (f"{sign}0.60", f"{sign}0.60")
    intent = hedge(text, 1, ratio=ratio, limit=limit, worst=worst)
    assert reason(ask(intent, quotes=quotes)) is expected


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (close_condor(10), None),
        (close_condor(11), _R.NOT_A_REDUCTION),
        (close_condor(condor_id="C0009"), _R.NOT_A_REDUCTION),
        (
            replace(open_condor(), effect=PositionEffect.CLOSE, condor_id="C0001"),
            _R.NOT_A_REDUCTION,
        ),
        (sell(quantity=10), None),
        (sell(quantity=11), _R.NOT_A_REDUCTION),
        (sell("VIX 18MAR20 25 C", 1), _R.NOT_A_REDUCTION),
        (replace(hedge(), effect=PositionEffect.CLOSE), _R.NOT_A_REDUCTION),
    ],
)
def test_i10_a_close_must_be_proven_to_take_risk_away(intent, expected):
    quotes = QUOTES | {leg("VIX 18MAR20 25 C").instrument.symbol: quote("0.60 x 0.64")}
    assert reason(ask(intent, quotes=quotes)) is expected


def test_i10_what_is_already_being_closed_cannot_be_closed_again():
    condors = replace(HELD, working=(at_work(close_condor(4), purpose="other"),))
    assert reason(ask(close_condor(6), held=condors)) is None
    assert reason(ask(close_condor(7), held=condors)) is _R.NOT_A_REDUCTION
    calls = replace(HELD, working=(at_work(sell(quantity=4), purpose="other"),))
    assert reason(ask(sell(quantity=6), held=calls)) is None
    assert reason(ask(sell(quantity=7), held=calls)) is _R.NOT_A_REDUCTION


def test_g8_nothing_opens_over_a_book_with_an_uncovered_short_but_closes_go_on():
    naked = replace(HELD, hedges=(hedge_position("VIX 18MAR20 30 C", -1),))
    assert reason(ask(open_condor(), held=naked)) is _R.UNCOVERED
    assert reason(ask(hedge(), held=naked)) is _R.UNCOVERED
    assert reason(ask(close_condor(), held=naked)) is None


def test_g8_a_close_that_would_uncover_another_short_is_refused():
    """A long call sold away under a short that leans on it, whatever else is at work."""
    leaning = replace(
        HELD, hedges=(hedge_position(CALL, 10), hedge_position("VIX 18MAR20 30 C", -5))
    )
    assert reason(ask(sell(quantity=5), held=leaning)) is None
    assert reason(ask(sell(quantity=6), held=leaning)) is _R.UNCOVERED
    selling = replace(leaning, working=(at_work(sell(quantity=3), purpose="other"),))
    assert reason(ask(sell(quantity=2), held=selling)) is None
    assert reason(ask(sell(quantity=3), held=selling)) is _R.UNCOVERED


@pytest.mark.parametrize("orders", [9, 10, 30])
def test_i6_cover_is_checked_for_many_orders_at_work(orders):
    leaning = replace(
        HELD, hedges=(hedge_position(CALL, 40), hedge_position("VIX 18MAR20 30 C", -1))
    )
    working = tuple(at_work(sell(quantity=1), purpose=str(n)) for n in range(orders))
    held = replace(leaning, working=working)
    many = replace(LIMITS, active_orders_per_side_max=100)
    assert reason(ask(sell(quantity=39 - orders), held=held, limits=many)) is None
    assert reason(ask(sell(quantity=40 - orders), held=held, limits=many)) is _R.UNCOVERED


def test_the_rest_of_a_condor_that_has_filled_in_part_opens_as_a_condor():
    """Fault A28: three of ten have filled, and seven are asked for again."""
    part = condor_position(CONDOR, condor_id="C0002", quantity=3, credit="1.50")
    held = replace(HELD, condors=(*HELD.condors, part))
    assert reason(ask(replace(open_condor(7), attempt=2), held=held)) is None
    limits = replace(LIMITS, condors_max=19)  # ten, three and seven
    assert reason(ask(replace(open_condor(7), attempt=2), held=held, limits=limits)) is _R.CONDORS


# --- identity -------------------------------------------------------------------------------------


def test_a_sent_order_is_never_sent_again():
    assert reason(ask(open_condor(), seen={open_condor().client_order_id})) is _R.DUPLICATE
    second = replace(open_condor(), attempt=2)
    assert reason(ask(second, seen={open_condor().client_order_id})) is None


def test_a_purpose_has_one_order_at_work_whatever_plan_it_came_from():
    held = replace(HELD, working=(at_work(hedge(quantity=3)),))
    other_plan = replace(hedge(quantity=5), plan_id="q")
    assert reason(ask(other_plan, held=held)) is _R.PURPOSE_AT_WORK


# --- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantity", "expected"), [(80, None), (81, _R.CONDOR_MAX_LOSS)])
def test_one_condor_position_stays_within_its_max_loss(quantity, expected):
    assert reason(ask(open_condor(quantity))) is expected  # 375 USD each, at the worst price


@pytest.mark.parametrize(
    ("limit", "expected"),
    [("10750", None), ("10749.99", _R.TOTAL_MAX_LOSS)],
)
def test_i6_the_worst_case_counts_the_book_the_orders_at_work_and_this_one(limit, expected):
    """3,500 held, 3,500 at work at its limit, 3,750 asked at its worst price."""
    other = at_work(open_condor(), purpose="condor:C0003:open")
    held = replace(HELD, working=(other,))
    limits = replace(LIMITS, total_max_loss_usd=Decimal(limit))
    assert reason(ask(open_condor(), held=held, limits=limits)) is expected


@pytest.mark.parametrize(("most", "expected"), [(23, None), (22, _R.CONDORS)])
def test_condor_contracts_are_counted_open_and_at_work(most, expected):
    held = replace(HELD, working=(at_work(open_condor(3), purpose="condor:C0003:open"),))
    assert reason(ask(open_condor(10), held=held, limits=replace(LIMITS, condors_max=most))) is (
        expected
    )


@pytest.mark.parametrize(("most", "expected"), [(25, None), (24, _R.HEDGE_CONTRACTS)])
def test_contracts_of_one_vix_instrument_are_counted_held_and_at_work(most, expected):
    held = replace(HELD, working=(at_work(hedge(quantity=5), purpose="other"),))
    limits = replace(LIMITS, hedge_contracts_max=most)
    assert reason(ask(hedge(quantity=10), held=held, limits=limits)) is expected


@pytest.mark.parametrize(("quantity", "expected"), [(5, None), (6, _R.FUTURES_CONTRACTS)])
def test_ten_mini_futures_count_as_one(quantity, expected):
    held = book(hedges=[hedge_position("VX 19FEB20", 39, cost="16")])
    held = replace(
        held,
        working=(at_work(hedge("VXM 18MAR20", 5, limit="16.98", worst="16.99"), purpose="o"),),
    )
    intent = hedge("VXM 18MAR20", quantity, limit="16.98", worst="16.99")
    assert reason(ask(intent, held=held)) is expected


@pytest.mark.parametrize(("quantity", "expected"), [(937, None), (938, _R.PREMIUM)])
def test_one_hedge_order_pays_no_more_premium_than_allowed(quantity, expected):
    assert reason(ask(hedge(quantity=quantity))) is expected  # 64 USD each at the worst price


@pytest.mark.parametrize(("sent", "expected"), [(499, None), (500, _R.ORDERS_PER_DAY)])
def test_i16_the_day_s_order_count_stops_opens_and_never_closes(sent, expected):
    readiness = replace(READY, orders_today=sent)
    for intent in (open_condor(), hedge()):
        assert reason(ask(intent, readiness=readiness)) is expected
    for intent in (close_condor(), sell()):
        assert reason(ask(intent, readiness=readiness)) is None


# --- properties -----------------------------------------------------------------------------------

readinesses = st.builds(
    Readiness,
    at=st.just(AT),
    state=st.sampled_from(SystemState),
    halt_scope=st.sampled_from([None, *HaltScope]),
    connected=st.booleans(),
    reconciled=st.booleans(),
    lease_held=st.booleans(),
    orders_today=st.integers(0, 600),
    quotes_at=st.sampled_from([None, AT, AT - timedelta(minutes=5)]),
)
intents = st.one_of(
    st.builds(open_condor, st.integers(1, 200)),
    st.builds(close_condor, st.integers(1, 20)),
    st.builds(hedge, st.just(CALL), st.integers(1, 2_000)),
    st.builds(sell, st.just(CALL), st.integers(1, 20)),
)
quote_sets = st.dictionaries(
    st.sampled_from(sorted(QUOTES)),
    st.builds(Quote, bid=st.floats(0, 30), ask=st.floats(0, 30)),
)


@given(intents, readinesses, quote_sets)
def test_i9_the_gate_never_approves_an_opening_order_while_halted(intent, readiness, odd_quotes):
    verdict = ask(intent, readiness=readiness, quotes=QUOTES | odd_quotes)
    if isinstance(verdict, Refusal):
        return
    assert readiness.connected
    assert readiness.reconciled
    assert readiness.lease_held
    assert readiness.quotes_at == AT
    assert readiness.state not in (SystemState.STARTING, SystemState.RECONCILING)
    assert readiness.halt_scope is not HaltScope.ALL
    if readiness.state is SystemState.HALTED:
        assert readiness.halt_scope is not None
    if intent.effect is PositionEffect.OPEN:
        assert readiness.state is not SystemState.REDUCE_ONLY
        assert readiness.halt_scope is not HaltScope.REDUCE_ONLY
        assert readiness.orders_today < LIMITS.orders_per_day_max
        if intent.condor_id is not None:
            assert readiness.halt_scope is None


@given(intents)
def test_no_approval_passes_a_limit(intent):
    if isinstance(ask(intent), Refusal):
        return
    if intent.effect is PositionEffect.CLOSE:
        assert intent.quantity <= 10  # what is held
    elif intent.condor_id is not None:
        loss = (5 + intent.worst_price) * 100 * intent.quantity
        assert loss <= LIMITS.condor_max_loss_usd
    else:
        assert intent.quantity + 10 <= LIMITS.hedge_contracts_max
        assert intent.worst_price * 100 * intent.quantity <= LIMITS.order_premium_usd_max


# --- short futures (L6) ---------------------------------------------------------------------------

SHORT_FUTURE = {"ratio": -1, "limit": "-17.00", "worst": "-16.95"}
SHORT_MINI = {"ratio": -1, "limit": "-16.98", "worst": "-16.97"}


def test_l6_a_future_may_be_sold_short_and_bought_back_and_a_call_may_not():
    assert reason(ask(hedge("VX 18MAR20", 2, **SHORT_FUTURE))) is None
    call = hedge(CALL, 1, ratio=-1, limit="-0.62", worst="-0.60")
    assert reason(ask(call, held=book())) is _R.STRUCTURE
    held = book(hedges=[hedge_position("VX 18MAR20", -3, cost="17")])
    back = hedge("VX 18MAR20", 3, limit="16.95", worst="17.00", effect=PositionEffect.CLOSE)
    assert reason(ask(back, held=held)) is None
    assert reason(ask(replace(back, quantity=4), held=held)) is _R.NOT_A_REDUCTION


@pytest.mark.parametrize(("quantity", "expected"), [(5, None), (6, _R.FUTURES_CONTRACTS)])
def test_l6_short_futures_are_counted_as_long_ones_are(quantity, expected):
    held = book(hedges=[hedge_position("VX 19FEB20", -39, cost="16")])
    held = replace(held, working=(at_work(hedge("VXM 18MAR20", 5, **SHORT_MINI), purpose="o"),))
    assert reason(ask(hedge("VXM 18MAR20", quantity, **SHORT_MINI), held=held)) is expected


# --- what an order cannot even say ----------------------------------------------------------------


def test_a_hedge_is_reduced_one_instrument_at_a_time():
    two = replace(sell(), legs=(*sell().legs, leg("-1 VX 18MAR20")), limit_price=Decimal("-17.60"))
    two = replace(two, worst_price=Decimal("-17.60"))
    assert reason(ask(two)) is _R.STRUCTURE


def test_a_price_off_the_grid_is_refused_even_if_an_intent_let_it_through():
    forged = hedge()
    object.__setattr__(forged, "limit_price", Decimal("0.621"))
    assert reason(ask(forged)) is _R.OFF_TICK
