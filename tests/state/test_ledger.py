"""The ledger: what is recorded comes back, once, whole or not at all."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from state.errors import (
    CashConflict,
    DecisionConflict,
    FillConflict,
    InexactAmount,
    OrderConflict,
    UnknownRecord,
)
from state.ledger import DailyPnl
from state.readers import Reader
from state.replays import stored_decision
from strategies.model.book import Book
from strategies.model.encoding import to_json
from strategies.model.fills import CashKind, CashMovement
from strategies.model.lifecycle import ImpossibleMove, OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.orders import PositionEffect
from strategies.model.plan import CondorClose
from tests import builders
from tests.state import records
from tests.state.records import AT, SESSION, minutes, record, sent
from tests.state.test_snapshots import assert_same_bits

LEGS = builders.condor_legs(records.LEGS)
CALL = builders.option(records.VIX_CALL).symbol
FUTURE = builders.future("VX 18MAR20").symbol
NEVER = "Anever"


def open_condor(
    ledger,
    condor_id="C0001",
    *,
    plan_id="plan-1",
    planned=30,
    filled=12,
    at=AT,
    legs=LEGS,
    prices=records.CONDOR_PRICES,
):
    """Record a plan that opens a condor, its order sent, and one match of ``filled``."""
    intent = records.condor_intent(plan_id, condor_id, legs, planned)
    opening = records.condor_open(condor_id, legs, planned)
    with ledger.transaction() as tx:
        record(tx, records.plan(plan_id, at=at, opens=[opening], orders=[intent]))
    with ledger.transaction() as tx:
        sent(tx, intent, at)
    with ledger.transaction() as tx:
        for fill in records.condor_fills(
            intent, filled, root=f"E{condor_id}", at=at, prices=prices
        ):
            tx.record_fill(fill)
        status = OrderStatus.FILLED if filled == planned else OrderStatus.PARTIALLY_FILLED
        tx.record_order_event(intent.client_order_id, at, status, filled=filled)
    return intent


def buy_hedge(
    ledger, *, instrument=records.VIX_CALL, quantity=10, price="0.50", plan_id="hedge-1", at=AT
):
    """Record a plan that buys a hedge, and its fill."""
    intent = records.hedge_intent(plan_id, instrument, quantity, limit=price)
    with ledger.transaction() as tx:
        record(tx, records.plan(plan_id, at=at, orders=[intent]))
    with ledger.transaction() as tx:
        sent(tx, intent, at)
        symbol = intent.legs[0].instrument.symbol
        tx.record_fill(
            records.fill(intent.client_order_id, symbol, quantity, price, root=f"H{plan_id}", at=at)
        )
        tx.record_order_event(intent.client_order_id, at, OrderStatus.FILLED, filled=quantity)
    return intent


@pytest.fixture(autouse=True)
def _projections_follow_from_records(ledger):
    """After every test here: what is projected is what the records add up to."""
    yield
    assert ledger.rebuild_projections_and_compare() == ()


# --- decisions --------------------------------------------------------------------------------


def test_a_new_ledger_knows_nothing(ledger):
    assert ledger.last_decision() is None
    assert ledger.positions() == {}
    assert ledger.cash_usd() == 0
    assert ledger.open_intents() == ()
    assert ledger.last_fill_at() is None
    assert ledger.last_cash_movement_at() is None
    assert ledger.fills_since(AT) == ()
    assert ledger.daily_pnl(SESSION) is None
    assert ledger.book(AT) == Book(
        condors=(),
        hedges=(),
        working=(),
        hedge_cost_365d_usd=Decimal(0),
    )


def test_a_decision_comes_back_with_its_memory_and_its_plan(ledger):
    memory = Memory(
        session=SESSION,
        rsi_vix_high=True,
        regime=RegimeMemory(curve=Curve.BACKWARDATION, candidate_intervals=3),
        condors_opened=7,
    )
    made = records.plan(
        gates=[records.gate(), records.gate("C7", passed=False, value=None)],
        layers=[records.layer(), records.layer("L2")],
        before=records.measures(),
        no_trade_reasons=("C6: credit below the floor",),
    )
    with ledger.transaction() as tx:
        assert record(tx, made, memory=memory)
    last = ledger.last_decision()
    assert last.plan == made
    assert to_json(last.plan) == to_json(made)
    assert last.memory == memory
    assert (last.plan_id, last.at, last.session) == ("plan-1", AT, SESSION)
    assert not last.completed


def test_the_snapshot_and_the_inputs_of_a_decision_come_back_to_the_bit(ledger, path):
    book = builders.book(condors=(builders.condor_position(records.LEGS),))
    with ledger.transaction() as tx:
        record(tx, records.plan(), book=book)
    with Reader.open(path) as reader:
        inputs = stored_decision(reader, "plan-1")
    assert_same_bits(records.snapshot(), inputs.snapshot)
    assert to_json(inputs.book) == to_json(book)
    assert to_json(inputs.account) == to_json(builders.account())
    assert inputs.memory == Memory()
    assert ledger.plan("plan-1") == records.plan()


def test_an_interval_is_resumed_until_its_act_phase_is_recorded_as_done(ledger):
    with ledger.transaction() as tx:
        record(tx, records.plan())
    with ledger.transaction() as tx:
        assert tx.complete_interval("plan-1", minutes(1))
        assert not tx.complete_interval("plan-1", minutes(2))
    assert ledger.last_decision().completed


def test_recording_the_same_decision_again_changes_nothing(ledger):
    made = records.plan(orders=[records.hedge_intent("plan-1")])
    with ledger.transaction() as tx:
        assert record(tx, made)
    with ledger.transaction() as tx:
        assert not record(tx, made)
    assert len(ledger.open_intents()) == 1


def test_another_decision_under_the_same_id_is_refused(ledger):
    with ledger.transaction() as tx:
        record(tx, records.plan())
    with (
        pytest.raises(DecisionConflict, match="plan plan-1"),
        ledger.transaction() as tx,
    ):
        record(tx, records.plan(hedge_state="under-hedged: G1"))


def test_a_condor_id_belongs_to_one_plan(ledger):
    opening = [records.condor_open("C0001", LEGS, 3)]
    with ledger.transaction() as tx:
        record(tx, records.plan(opens=opening))
    with pytest.raises(DecisionConflict, match="C0001"), ledger.transaction() as tx:
        record(tx, records.plan("plan-2", opens=opening))


def test_history_is_stored_once_a_session_and_markets_once_each(ledger):
    with ledger.transaction() as tx:
        for number in range(5):
            record(tx, records.plan(f"plan-{number}", at=minutes(15 * number)))
    kinds = ledger._connection.exec_driver_sql(
        "SELECT kind, count(*) FROM blobs GROUP BY kind ORDER BY kind"
    ).all()
    # the list of the history's years, and the three years themselves
    assert [tuple(row) for row in kinds] == [("history", 4), ("market", 5)]


def test_asking_for_a_plan_that_is_not_stored_says_so(ledger):
    with pytest.raises(UnknownRecord, match="no plan 'nothing'"):
        ledger.plan("nothing")
    with pytest.raises(UnknownRecord), ledger.transaction() as tx:
        tx.complete_interval("nothing", AT)


# --- orders -----------------------------------------------------------------------------------


def test_the_orders_of_a_plan_are_planned_with_it_in_its_order(ledger):
    intents = [
        records.hedge_intent("plan-1", "VX 18MAR20", 2, ratio=-1, limit="-17.00"),
        records.hedge_intent("plan-1"),
        records.condor_intent("plan-1", "C0001", LEGS, 3),
    ]
    opening = [records.condor_open("C0001", LEGS, 3)]
    with ledger.transaction() as tx:
        record(tx, records.plan(opens=opening, orders=intents))
    stored = ledger.orders_of_plan("plan-1")
    assert [order.intent for order in stored] == intents
    assert {order.status for order in stored} == {OrderStatus.PLANNED}
    assert [order.leaves_quantity for order in stored] == [2, 10, 3]
    assert stored == ledger.open_intents()
    assert {o.client_order_id for o in stored} == {i.client_order_id for i in intents}
    assert ledger.sent_order_ids() == frozenset()
    assert ledger.book(AT).working == ()  # nothing has left yet


def test_an_order_is_followed_from_plan_to_fill(ledger):
    intent = records.hedge_intent("plan-1")
    order_id = intent.client_order_id
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
    with ledger.transaction() as tx:
        tx.record_order_event(
            order_id,
            minutes(1),
            OrderStatus.SENDING,
            limit_price=Decimal("0.52"),
            arrival_mid=Decimal("0.515"),
        )
    (working,) = ledger.book(AT).working
    assert working.legs == ((CALL, 1),)
    assert (working.leaves_quantity, working.limit_price) == (10, Decimal("0.52"))
    assert (working.layer, working.condor_id) == ("L1", None)
    assert ledger.sent_order_ids() == {order_id}
    with ledger.transaction() as tx:
        tx.record_order_event(order_id, minutes(2), OrderStatus.LIVE, broker_order_id="77")
        tx.record_order_event(order_id, minutes(3), OrderStatus.PARTIALLY_FILLED, filled=4)
    stored = ledger.order(order_id)
    assert (stored.filled_quantity, stored.leaves_quantity) == (4, 6)
    assert stored.limit_price == Decimal("0.52")
    assert stored.arrival_mid == Decimal("0.515")
    assert stored.broker_order_id == "77"
    assert stored.updated_at == minutes(3)
    with ledger.transaction() as tx:
        tx.record_order_event(order_id, minutes(4), OrderStatus.CANCELLED, note="walk")
    stored = ledger.order(order_id)
    assert (stored.status, stored.leaves_quantity, stored.note) == (
        OrderStatus.CANCELLED,
        0,
        "walk",
    )
    assert not stored.is_unfinished
    assert ledger.book(AT).working == ()


def test_a_condor_follows_what_is_heard_of_its_order_alone(ledger):
    intent = records.condor_intent("plan-1", "C0001", LEGS, 2)
    opened = records.condor_open("C0001", LEGS, 2)
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent], opens=[opened]))
    with ledger.transaction() as tx:
        tx.record_order_event(intent.client_order_id, minutes(1), OrderStatus.SENDING)
    with ledger.transaction() as tx:
        tx.record_order_event(intent.client_order_id, minutes(2), OrderStatus.REJECTED)
    with Reader.open(ledger.path) as reader:
        assert reader.sql("SELECT status FROM condor_states").rows == (("UNFILLED",),)


def test_fills_count_for_an_order_before_its_status_is_heard(ledger):
    intent = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
        sent(tx, intent)
        tx.record_fill(records.fill(intent.client_order_id, CALL, 7, "0.50", root="e1"))
    (working,) = ledger.book(AT).working
    assert working.leaves_quantity == 3
    assert ledger.order(intent.client_order_id).filled_quantity == 7


def test_a_status_that_says_the_same_again_is_not_recorded_again(ledger):
    intent = records.hedge_intent("plan-1")
    order_id = intent.client_order_id
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
        tx.record_order_event(order_id, AT, OrderStatus.SENDING)
        assert tx.record_order_event(order_id, AT, OrderStatus.LIVE, broker_order_id="7")
        assert not tx.record_order_event(order_id, minutes(1), OrderStatus.LIVE)
        assert not tx.record_order_event(
            order_id, minutes(1), OrderStatus.LIVE, filled=0, leaves=10, broker_order_id="7"
        )
        assert tx.record_order_event(order_id, minutes(2), OrderStatus.LIVE, note="still there")


def test_a_move_that_no_order_makes_is_refused_and_nothing_of_it_is_stored(ledger):
    intent = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
    with pytest.raises(ImpossibleMove, match="PLANNED -> LIVE"), ledger.transaction() as tx:
        tx.record_order_event(intent.client_order_id, AT, OrderStatus.LIVE)
    assert ledger.order(intent.client_order_id).status is OrderStatus.PLANNED
    with pytest.raises(UnknownRecord), ledger.transaction() as tx:
        tx.record_order_event(NEVER, AT, OrderStatus.SENDING)


def test_a_further_attempt_is_an_order_of_its_own_after_the_first(ledger):
    first = records.hedge_intent("plan-1")
    second = replace(first, attempt=2, quantity=6, limit_price=Decimal("0.52"))
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[first]))
    with ledger.transaction() as tx:
        assert tx.record_intent(second, minutes(1))
        assert not tx.record_intent(second, minutes(2))
        assert not tx.record_intent(first, minutes(2))
    assert [order.intent.attempt for order in ledger.orders_of_plan("plan-1")] == [1, 2]
    other = replace(second, rules=("B8",))  # not part of the id
    with pytest.raises(OrderConflict, match=second.client_order_id), ledger.transaction() as tx:
        tx.record_intent(other, minutes(3))


def test_orders_are_counted_on_the_session_they_were_sent_in(ledger):
    late = AT.replace(hour=4, minute=59) + timedelta(days=1)  # 23:59 in New York
    intents = [records.hedge_intent("plan-1", quantity=quantity) for quantity in (1, 2, 3, 4)]
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=intents))
        for intent, at in zip(intents, (AT, late, late + timedelta(minutes=1)), strict=False):
            tx.record_order_event(intent.client_order_id, at, OrderStatus.SENDING)
    assert ledger.orders_sent_on(SESSION) == 2
    assert ledger.orders_sent_on(SESSION + timedelta(days=1)) == 1
    assert len(ledger.sent_order_ids()) == 3


def test_what_a_failed_transaction_sent_is_not_counted(ledger):
    intent = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
    with pytest.raises(UnknownRecord), ledger.transaction() as tx:  # noqa: PT012 two steps
        tx.record_order_event(intent.client_order_id, AT, OrderStatus.SENDING)
        tx.record_order_event(NEVER, AT, OrderStatus.SENDING)
    assert ledger.sent_order_ids() == frozenset()
    assert ledger.orders_sent_on(SESSION) == 0


# --- transactions -----------------------------------------------------------------------------


def test_an_exception_takes_everything_of_its_transaction_back(ledger):
    intent = records.hedge_intent("plan-1")
    with pytest.raises(UnknownRecord), ledger.transaction() as tx:  # noqa: PT012 many steps
        record(tx, records.plan(orders=[intent]))
        sent(tx, intent)
        tx.record_fill(records.fill(intent.client_order_id, CALL, 10, "0.50", root="e1"))
        tx.record_cash_movement(records.deposit())
        assert ledger.positions() == {CALL: 10}  # seen from within
        tx.complete_interval("nothing", AT)
    assert ledger.last_decision() is None
    assert ledger.positions() == {}
    assert ledger.cash_usd() == 0
    assert ledger.open_intents() == ()


def test_a_transaction_that_fails_leaves_the_next_one_unharmed(ledger):
    with pytest.raises(UnknownRecord), ledger.transaction() as tx:
        tx.complete_interval("nothing", AT)
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit())
    assert ledger.cash_usd() == 1_000_000


def test_questions_inside_a_transaction_see_what_it_has_done(ledger):
    intent = records.condor_intent("plan-1", "C0001", LEGS, 2)
    opening = [records.condor_open("C0001", LEGS, 2)]
    with ledger.transaction() as tx:
        record(tx, records.plan(opens=opening, orders=[intent]))
        sent(tx, intent)
        assert len(ledger.book(AT).working) == 1
        for fill in records.condor_fills(intent, 2, root="e"):
            tx.record_fill(fill)
        assert ledger.book(AT).condors[0].quantity == 2


# --- fills ------------------------------------------------------------------------------------


def test_a_fill_is_stored_once_however_often_it_is_reported(ledger):
    intent = buy_hedge(ledger)
    (stored,) = ledger.fills_since(AT)
    with ledger.transaction() as tx:
        assert not tx.record_fill(stored)
    assert ledger.positions() == {CALL: 10}
    assert stored.client_order_id == intent.client_order_id
    assert (stored.price, stored.commission_usd) == (Decimal("0.50"), Decimal("0.65"))


def test_the_same_execution_with_other_contents_is_a_conflict(ledger):
    buy_hedge(ledger)
    (stored,) = ledger.fills_since(AT)
    for other in (
        replace(stored, quantity=9),
        replace(stored, price=Decimal("0.51")),
        replace(stored, commission_usd=Decimal("0.66")),
        replace(stored, executed_at=minutes(1)),
    ):
        with pytest.raises(FillConflict, match=r"Hhedge-1\.01"), ledger.transaction() as tx:
            tx.record_fill(other)
    assert ledger.fills_since(AT) == (stored,)


def test_a_correction_replaces_what_it_corrects_everywhere(ledger):
    intent = buy_hedge(ledger)
    (wrong,) = ledger.fills_since(AT)
    right = replace(wrong, revision=2, quantity=8, price=Decimal("0.55"))
    with ledger.transaction() as tx:
        assert tx.record_fill(right)
        assert not tx.record_fill(wrong)  # a late replay of what was corrected
    assert ledger.fills_since(AT) == (right,)
    assert ledger.positions() == {CALL: 8}
    assert ledger.cash_usd() == Decimal("-440.65")
    (hedge,) = ledger.book(AT).hedges
    assert hedge.average_cost == Decimal("0.55")
    assert ledger.book(AT).hedge_cost_365d_usd == Decimal("440.65")
    assert ledger.order(intent.client_order_id).status is OrderStatus.FILLED


def test_a_correction_may_move_a_fill_to_another_symbol_and_day(ledger):
    intent = records.condor_intent("plan-1", "C0001", LEGS, 1)
    opening = [records.condor_open("C0001", LEGS, 1)]
    with ledger.transaction() as tx:
        record(tx, records.plan(opens=opening, orders=[intent]))
        sent(tx, intent)
        fills = records.condor_fills(intent, 1, root="e")
        wrong = replace(fills[0], symbol=LEGS.long_call.symbol)
        for fill in (wrong, *fills[1:]):
            tx.record_fill(fill)
    assert ledger.book(AT).condors == ()  # no long put yet
    with ledger.transaction() as tx:
        tx.record_fill(replace(fills[0], revision=2, executed_at=AT + timedelta(days=1)))
    assert ledger.book(AT).condors[0].quantity == 1
    assert ledger.positions() == {contract.symbol: sign for contract, sign in LEGS.signed()}


def test_a_correction_may_leave_nothing_where_the_fill_stood(ledger):
    """The day, the symbol and the hedge it moves away from forget it."""
    buy_hedge(ledger)
    (wrong,) = ledger.fills_since(AT)
    other = builders.option("VIX 18MAR20 30 C").symbol
    tomorrow = AT + timedelta(days=1)
    with ledger.transaction() as tx:
        tx.record_fill(replace(wrong, revision=2, symbol=other, executed_at=tomorrow))
    assert ledger.positions() == {other: 10}
    assert [hedge.instrument.symbol for hedge in ledger.book(AT).hedges] == [other]
    assert ledger.hedge_cost_365d_usd(AT) == 0
    assert ledger.hedge_cost_365d_usd(tomorrow) == Decimal("500.65")


def test_a_fill_of_an_order_nobody_planned_is_refused(ledger):
    with pytest.raises(UnknownRecord, match="order 'Anever'"), ledger.transaction() as tx:
        tx.record_fill(records.fill(NEVER, CALL, 1, "0.50", root="e1"))


def test_a_fill_whose_amount_does_not_fit_into_micros_is_refused(ledger):
    intent = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
    with pytest.raises(InexactAmount), ledger.transaction() as tx:
        tx.record_fill(
            records.fill(intent.client_order_id, CALL, 1, "0.50", root="e", commission="0.12345678")
        )


def test_a_thousand_dimes_are_exactly_a_hundred_dollars_in_sql_too(ledger):
    intent = records.hedge_intent("plan-1", quantity=1000)
    with ledger.transaction() as tx:
        record(tx, records.plan(orders=[intent]))
        for number in range(1000):
            tx.record_fill(
                records.fill(
                    intent.client_order_id,
                    CALL,
                    1,
                    "0.10",
                    root=f"e{number}",
                    commission="0.10",
                )
            )
    total = ledger._connection.exec_driver_sql(
        "SELECT sum(commission_usd_micros) FROM fills"
    ).scalar_one()
    assert total == 100_000_000
    assert ledger.realised_pnl().fees_usd == Decimal("100.00")
    assert ledger.cash_usd() == Decimal("-10100.00")


# --- condors ----------------------------------------------------------------------------------


def test_a_condor_in_the_book_is_what_its_fills_made_of_it(ledger):
    open_condor(ledger, planned=30, filled=12)
    book = ledger.book(AT)
    (condor,) = book.condors
    assert condor.legs == LEGS
    assert (condor.condor_id, condor.quantity) == ("C0001", 12)
    assert condor.entry_credit == Decimal("1.15")
    assert condor.opened_at == AT
    assert (condor.entry_spot, condor.entry_sigma_sqrt_t) == (3250.0, 0.0525)
    assert condor.max_loss_usd == Decimal("10620.00")
    (working,) = book.working
    assert (working.leaves_quantity, working.condor_id) == (18, "C0001")
    assert ledger.open_condor_ids() == {"C0001"}


def test_a_condor_closes_in_parts_and_leaves_the_book_when_it_is_gone(ledger):
    open_condor(ledger, planned=12, filled=12)
    close = records.condor_intent(
        "plan-2", "C0001", LEGS, 12, effect=PositionEffect.CLOSE, limit="0.50"
    )
    closing = CondorClose(condor_id="C0001", rules=("C9",), mark_debit=0.5, note="profit target")
    with ledger.transaction() as tx:
        record(tx, records.plan("plan-2", at=minutes(15), closes=[closing], orders=[close]))
        sent(tx, close, minutes(15))
    prices = ("1.00", "1.30", "0.80", "0.60")
    with ledger.transaction() as tx:
        for fill in records.condor_fills(close, 5, root="x", prices=prices, at=minutes(16)):
            tx.record_fill(fill)
    (condor,) = ledger.book(AT).condors
    assert condor.quantity == 7
    assert condor.entry_credit == Decimal("1.15")
    assert ledger.realised_pnl().condors_usd == 5 * Decimal("65.00")
    with ledger.transaction() as tx:
        for fill in records.condor_fills(close, 7, root="y", prices=prices, at=minutes(17)):
            tx.record_fill(fill)
        tx.record_order_event(close.client_order_id, minutes(17), OrderStatus.FILLED, filled=12)
    assert ledger.book(AT).condors == ()
    assert ledger.positions() == {}
    assert ledger.realised_pnl().condors_usd == 12 * Decimal("65.00")


def test_condors_on_the_same_contracts_share_a_settlement_pro_rata(ledger):
    open_condor(ledger, "C0001", planned=12, filled=12)
    open_condor(ledger, "C0002", plan_id="plan-2", planned=4, filled=4)
    before = ledger.cash_usd()
    expiry = records.on(date(2020, 3, 20), 20)
    movements = [
        records.settlement(LEGS.long_put.symbol, -16, "0.00", at=expiry),
        records.settlement(LEGS.short_put.symbol, 16, "6.00", at=expiry),
        records.settlement(LEGS.short_call.symbol, 16, "0.00", at=expiry),
        records.settlement(LEGS.long_call.symbol, -16, "0.00", at=expiry),
    ]
    with ledger.transaction() as tx:
        for movement in movements:
            assert tx.record_cash_movement(movement)
    assert ledger.book(AT).condors == ()
    assert ledger.positions() == {}
    assert ledger.cash_usd() - before == Decimal("-9600.00")
    rows = ledger._connection.exec_driver_sql(
        "SELECT condor_id, status, settled_quantity, settlement_cash_usd_micros / 1000000 "
        "FROM condor_states ORDER BY condor_id"
    ).all()
    assert [tuple(row) for row in rows] == [
        ("C0001", "SETTLED", 12, -7200),
        ("C0002", "SETTLED", 4, -2400),
    ]


def test_condors_on_opposite_sides_of_a_contract_settle_although_it_nets_out(ledger):
    higher = builders.condor_legs("SPXW 20MAR20 3010/3020/3420/3430")  # long the other's short
    open_condor(ledger, "C0001", planned=5, filled=5)
    open_condor(ledger, "C0002", plan_id="plan-2", planned=5, filled=5, legs=higher)
    assert LEGS.short_put == higher.long_put
    held = ledger.positions()
    assert LEGS.short_put.symbol not in held
    expiry = records.on(date(2020, 3, 20), 20)
    with ledger.transaction() as tx:
        for symbol, net in held.items():
            tx.record_cash_movement(records.settlement(symbol, -net, "0.00", at=expiry))
    assert ledger.book(AT).condors == ()
    assert ledger.realised_pnl().condors_usd == 2 * 5 * Decimal("115.00")


# --- hedges and what they cost ----------------------------------------------------------------


def test_a_hedge_in_the_book_carries_its_average_cost(ledger):
    buy_hedge(ledger, quantity=10, price="0.50")
    buy_hedge(ledger, quantity=30, price="0.70", plan_id="hedge-2", at=minutes(15))
    (hedge,) = ledger.book(AT).hedges
    assert hedge.instrument == builders.option(records.VIX_CALL)
    assert (hedge.net_contracts, hedge.average_cost) == (40, Decimal("0.65"))
    assert hedge.opened_on == SESSION


def test_g1_counts_premium_and_fees_when_paid_and_payouts_when_received(ledger):
    buy_hedge(ledger, quantity=10, price="0.50")  # 500 and 0.65 of fees
    assert ledger.hedge_cost_365d_usd(AT) == Decimal("500.65")
    expiry = records.on(date(2020, 3, 18), 14)
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.settlement(CALL, -10, "3.25", at=expiry))
    assert ledger.hedge_cost_365d_usd(expiry) == Decimal("500.65") - Decimal("3250.00")
    assert ledger.book(expiry).hedges == ()
    assert ledger.realised_pnl().hedges_usd == Decimal("2750.00")


def test_g1_counts_the_variation_of_futures_and_not_their_price(ledger):
    buy_hedge(ledger, instrument="VX 18MAR20", quantity=2, price="17.00")
    variation = CashMovement(
        movement_id="v1",
        kind=CashKind.VARIATION,
        symbol=FUTURE,
        quantity=0,
        price=Decimal("16.60"),
        amount_usd=Decimal("-800.00"),
        booked_at=minutes(400),
    )
    with ledger.transaction() as tx:
        assert tx.record_cash_movement(variation)
        assert not tx.record_cash_movement(variation)
    assert ledger.hedge_cost_365d_usd(minutes(400)) == Decimal("800.65")
    assert ledger.cash_usd() == Decimal("-800.65")
    assert ledger.positions() == {FUTURE: 2}


def test_g1_does_not_count_condors(ledger):
    open_condor(ledger)
    assert ledger.hedge_cost_365d_usd(AT) == 0


def test_g1_forgets_what_is_more_than_365_days_old(ledger):
    buy_hedge(ledger)
    last_day = SESSION + timedelta(days=364)
    assert ledger.hedge_cost_365d_usd(records.on(last_day)) == Decimal("500.65")
    assert ledger.hedge_cost_365d_usd(records.on(last_day + timedelta(days=1))) == 0
    assert ledger.hedge_cost_365d_usd(records.on(SESSION - timedelta(days=1))) == 0


def test_cash_of_one_movement_id_with_other_contents_is_a_conflict(ledger):
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit())
    with pytest.raises(CashConflict, match="deposit 1"), ledger.transaction() as tx:
        tx.record_cash_movement(records.deposit("999999"))
    assert ledger.cash_movements_since(AT) == (records.deposit(),)
    assert ledger.last_cash_movement_at() == AT
    assert ledger.realised_pnl().deposits_usd == 1_000_000


# --- the program itself -----------------------------------------------------------------------


def test_the_system_state_lasts_until_somebody_changes_it(ledger):
    assert ledger.system_state().state is SystemState.STARTING
    with ledger.transaction() as tx:
        tx.set_system_state(SystemState.HALTED, AT, HaltScope.OPENS, "margin", "operator")
    state, scope, reason, by, at = ledger.system_state()
    assert (state, scope) == (SystemState.HALTED, HaltScope.OPENS)
    assert (reason, by, at) == ("margin", "operator", AT)
    with ledger.transaction() as tx:
        tx.set_system_state(SystemState.RUNNING, minutes(1), None, "checked", by="operator")
    assert ledger.system_state().scope is None


def daily(**changes) -> DailyPnl:
    values = {
        "session": SESSION,
        "at": minutes(380),
        "net_liquidation_usd": Decimal("1000123.45"),
        "cash_usd": Decimal("999000.00"),
        "condor_realised_usd": Decimal("0.00"),
        "condor_unrealised_usd": Decimal("-12.50"),
        "hedge_realised_usd": Decimal("0.00"),
        "hedge_unrealised_usd": Decimal("140.00"),
        "fees_usd": Decimal("4.05"),
        "hedge_cost_365d_usd": Decimal("500.65"),
        "spx_close": 3248.92,
        "vix_close": None,
        "condors_open": 1,
        "net_vega_per_condor": -0.04,
    }
    return DailyPnl(**{**values, **changes})


def test_the_end_of_a_session_is_kept_and_may_be_calculated_again(ledger):
    with ledger.transaction() as tx:
        tx.record_daily_pnl(daily())
    assert ledger.daily_pnl(SESSION) == daily()
    with ledger.transaction() as tx:
        tx.record_daily_pnl(daily(vix_close=17.97))
    assert ledger.daily_pnl(SESSION) == daily(vix_close=17.97)
    assert ledger.last_daily_pnl(SESSION) is None
    assert ledger.last_daily_pnl(SESSION + timedelta(days=1)) == daily(vix_close=17.97)


def test_the_newest_instant_of_anything_is_known(ledger):
    assert ledger.last_event_at() == AT  # the run's start
    with ledger.transaction() as tx:
        tx.record_job_run("interval", AT, minutes(1), minutes(2), "ran")
        tx.record_job_run("interval", minutes(15), None, None, "missed", "too late")
    assert ledger.last_event_at() == minutes(2)
    with ledger.transaction() as tx:
        tx.record_daily_pnl(daily())
    assert ledger.last_event_at() == minutes(380)


def test_a_further_halt_never_loosens_the_one_that_stands(ledger):
    def set_to(state, scope):
        with ledger.transaction() as tx:
            tx.set_system_state(state, AT, scope, "test", "tester")
        return ledger.system_state().scope

    assert set_to(SystemState.HALTED, HaltScope.REDUCE_ONLY) is HaltScope.REDUCE_ONLY
    assert set_to(SystemState.HALTED, HaltScope.OPENS) is HaltScope.REDUCE_ONLY
    assert set_to(SystemState.HALTED, HaltScope.ALL) is HaltScope.ALL
    assert set_to(SystemState.RUNNING, None) is None
    assert set_to(SystemState.HALTED, HaltScope.OPENS) is HaltScope.OPENS
