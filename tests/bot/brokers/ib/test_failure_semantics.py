"""How IB fails, and what the adapter does about it: ten promises, each over a real socket."""

from datetime import timedelta
from decimal import Decimal

import pytest

from bot.brokers.ib.errors_table import CODES, Reaction
from bot.errors import BrokerUnavailable, OutcomeUnknown
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from strategies.model.lifecycle import OrderStatus
from tests.bot.brokers.benches import approved
from tests.bot.brokers.ib.agreement import BEGINNING, assert_agreement, insist, order, status_of
from tests.bot.brokers.wire_bench import run_in_virtual_time
from tests.bot.exchange.venue.fakes import CALL, CONDOR
from tests.builders import AT

FAR = Decimal("0.01")
NOTICES = sorted(
    code
    for code, row in CODES.items()
    if row.scope.value == "order" and row.reaction is Reaction.NOTICE
)


def fault(kind: FaultKind, *, after_s: float | None = None, **changes) -> PlannedFault:
    at = None if after_s is None else AT + timedelta(seconds=after_s)
    known = {name: changes.pop(name) for name in ("nth", "matching", "times") if name in changes}
    return PlannedFault(kind=kind, at=at, details=changes, **known)


def test_semantics_01_a_reset_in_the_middle_of_an_order_leaves_one_order(tmp_path):
    """Faults A2, A3: the order arrives, its acknowledgement does not, the gateway goes away."""

    async def scenario(bench):
        condor = await order(bench, CONDOR, 2)
        with pytest.raises(OutcomeUnknown, match="connection was lost"):
            await bench.broker.submit(condor)
        with pytest.raises(BrokerUnavailable, match="nothing listens"):
            await bench.broker.fetch_orders()
        assert await status_of(bench, condor.client_order_id) is OrderStatus.FILLED
        again = await bench.broker.submit(condor)
        assert again.status is OrderStatus.FILLED
        assert len(bench.exchange.orders()) == 1
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.LOST_ACK),
        fault(FaultKind.NIGHTLY_RESET, after_s=2, seconds=60),
    )


def test_semantics_02_order_ids_given_out_again_are_not_mistaken_for_the_old_orders(tmp_path):
    """Fault A23: the gateway counts from lower; an old order, a new one, the same number."""

    async def scenario(bench):
        old = approved(CALL, 5, FAR)
        await bench.broker.submit(old)
        await bench.restart_bot()
        new = await order(bench, CALL, 3, attempt=2)
        await bench.broker.submit(new)
        await bench.clock.sleep(60)
        assert await status_of(bench, old.client_order_id) is OrderStatus.LIVE
        assert await status_of(bench, new.client_order_id) is OrderStatus.FILLED
        cancelled = await bench.broker.cancel(old.client_order_id)
        assert (cancelled.status, cancelled.filled_quantity) == (OrderStatus.CANCELLED, 0)
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path, scenario, fault(FaultKind.ORDER_ID_ROLLBACK, orders=5, times=None)
    )


def test_numbers_go_on_counting_where_the_gateway_has_forgotten_them(tmp_path):
    """The same process connects again and is told a lower number than it has used."""

    async def scenario(bench):
        old = approved(CALL, 5, FAR)
        await bench.broker.submit(old)
        used = bench.book.order(old.client_order_id).order_id
        await bench.clock.sleep(3)
        new = await order(bench, CALL, 3, attempt=2)
        await insist(lambda: bench.broker.submit(new), bench)
        assert bench.book.order(new.client_order_id).order_id > used
        await bench.clock.sleep(60)
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.SOCKET_CLOSED, after_s=2),
        fault(FaultKind.ORDER_ID_ROLLBACK, orders=100, times=None),
    )


def test_an_order_of_another_client_id_is_known_and_left_to_its_owner(tmp_path):
    """Somebody has changed the bot's client id over night."""

    async def scenario(bench):
        resting = approved(CALL, 5, FAR)
        await bench.broker.submit(resting)
        bench.detach()
        await bench.clock.sleep(1)
        bench.attach(client_id=31)
        await bench.broker.connect()
        assert await status_of(bench, resting.client_order_id) is OrderStatus.LIVE
        assert (await bench.broker.submit(resting)).status is OrderStatus.LIVE
        with pytest.raises(OutcomeUnknown, match="not an order of client id 31"):
            await bench.broker.cancel(resting.client_order_id)
        assert len(bench.exchange.orders()) == 1

    run_in_virtual_time(tmp_path, scenario)


def test_semantics_03_a_gateway_nobody_has_logged_in_is_named_and_not_hammered(tmp_path):
    """Sunday: the port is open, the greeting is answered, nothing follows."""

    async def scenario(bench):
        await bench.clock.sleep(2)
        with pytest.raises(BrokerUnavailable, match=r"not logged in to IB.*second factor"):
            await bench.broker.fetch_orders()
        attempts = bench.session.settings.attempts
        asked_for = bench.clock.now() - AT
        assert asked_for >= timedelta(seconds=attempts * bench.session.settings.connect_s)
        await bench.clock.sleep(600)
        assert await bench.broker.fetch_orders() == ()

    run_in_virtual_time(tmp_path, scenario, fault(FaultKind.WEEKLY_LOGIN, after_s=1, seconds=300))


def test_semantics_04_nothing_is_sent_while_the_gateway_has_lost_ib(tmp_path):
    """Fault B1: 1100 freezes orders and questions; 1102 brings everything up to date."""

    async def scenario(bench):
        resting = await order(bench, CALL, 5)
        await bench.broker.submit(resting)
        await bench.clock.sleep(3)
        with pytest.raises(BrokerUnavailable):
            await bench.broker.submit(approved(CALL, 1, FAR, attempt=2))
        with pytest.raises(BrokerUnavailable):
            await bench.broker.cancel(resting.client_order_id)
        with pytest.raises(BrokerUnavailable):
            await bench.broker.fetch_positions()
        assert bench.session.is_connected
        assert bench.session.is_frozen
        await bench.clock.sleep(60)
        assert await status_of(bench, resting.client_order_id) is OrderStatus.FILLED
        assert len(bench.exchange.orders()) == 1
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path, scenario, fault(FaultKind.CONNECTIVITY_LOST, after_s=2, seconds=40)
    )


def test_a_lost_word_that_ib_is_back_does_not_freeze_for_ever(tmp_path):
    """1100 is heard, 1102 falls into a silent minute of the socket."""

    async def scenario(bench):
        await bench.clock.sleep(10)
        with pytest.raises(BrokerUnavailable):
            await bench.broker.fetch_orders()
        await bench.clock.sleep(60)
        with pytest.raises(BrokerUnavailable, match="1100"):
            await bench.broker.fetch_orders()
        await bench.clock.sleep(60)
        assert await bench.broker.fetch_orders() == ()

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.CONNECTIVITY_LOST, after_s=2, seconds=40),
        fault(FaultKind.HALF_OPEN, after_s=20, seconds=30),
    )


def test_semantics_05_lost_subscriptions_are_made_again(tmp_path):
    """Fault B2: 1101, whoever subscribed is called, and orders and executions are asked for."""

    async def scenario(bench):
        called = []

        async def resubscribe():
            called.append(bench.clock.now())

        bench.session.on_resubscribe(resubscribe)
        await bench.broker.submit(await order(bench, CONDOR, 2))
        await bench.clock.sleep(60)
        await assert_agreement(bench)
        assert len(called) == 1
        assert not bench.session.is_frozen

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.CONNECTIVITY_LOST, after_s=2, seconds=30, data_kept=False),
    )


def test_semantics_06_a_silent_socket_is_found_out_by_the_fence(tmp_path):
    """Fault B4: no error, no answer. The question fails in time, the next one connects anew."""

    async def scenario(bench):
        await bench.clock.sleep(2)
        before = bench.clock.now()
        with pytest.raises(BrokerUnavailable, match="did not answer"):
            await bench.broker.fetch_orders()
        waited = bench.clock.now() - before
        assert waited == timedelta(seconds=bench.session.settings.answer_s)
        assert not bench.session.is_connected
        assert await bench.broker.fetch_orders() == ()
        assert bench.session.is_connected

    run_in_virtual_time(tmp_path, scenario, fault(FaultKind.HALF_OPEN, after_s=1, seconds=900))


def test_semantics_07_a_client_id_in_use_is_waited_for_and_never_changed(tmp_path):
    """Fault B8: 326, a bounded back-off, the reason and the way out; the id stays."""

    async def scenario(bench):
        other = type(bench)(tmp_path / "other.jsonl", clock=bench.clock)
        other.exchange, other.gateway, other.port = bench.exchange, bench.gateway, bench.port
        other.attach()
        with pytest.raises(BrokerUnavailable, match=r"client id 1 is in use.*326"):
            await other.session.connect()
        assert bench.gateway.clients == (1,)
        bench.session.disconnect()
        await bench.clock.sleep(1)
        await other.session.connect()
        assert other.session.truth().client_id == 1
        other.detach()

    run_in_virtual_time(tmp_path, scenario)


@pytest.mark.parametrize(
    ("end", "named"),
    [
        ("positionEnd", "positions"),
        ("openOrderEnd", "open orders"),
        ("completedOrdersEnd", "completed orders"),
        ("accountDownloadEnd", "account values"),
        ("execDetailsEnd", "executions"),
    ],
)
def test_semantics_08_half_a_view_is_no_connection(tmp_path, end, named):
    """Fault B12: a list without its end is not believed: connecting fails and says which."""

    async def scenario(bench):
        with pytest.raises(BrokerUnavailable, match=f"{named}.*half a view"):
            await bench.broker.connect()
        with pytest.raises(BrokerUnavailable):
            await bench.broker.fetch_positions()

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.END_MISSING, matching={"message_kind": end}, times=None),
        is_connected=False,
        attempts=1,
    )


@pytest.mark.parametrize("code", [*NOTICES, 2999, 10999])
def test_semantics_09_an_error_message_is_not_an_order_state(tmp_path, code):
    """Fault A16: remarks and codes nobody has seen: the order lives, fills, is not sent again."""

    async def scenario(bench):
        placed = await order(bench, CALL, 5)
        report = await bench.broker.submit(placed)
        assert report.status is OrderStatus.LIVE
        assert await status_of(bench, placed.client_order_id) is OrderStatus.LIVE
        await bench.clock.sleep(60)
        assert await status_of(bench, placed.client_order_id) is OrderStatus.FILLED
        await assert_agreement(bench)

    plan = run_in_virtual_time(
        tmp_path, scenario, fault(FaultKind.ORDER_NOTICE, code=code, text="a remark")
    )
    assert len(plan.struck) == 1


def test_semantics_10_every_execution_counts_once_in_its_latest_revision(tmp_path):
    """Faults A10 to A12, A22 and B13: twice, out of order, corrected, cost told late: each once."""

    async def scenario(bench):
        await bench.broker.submit(await order(bench, CONDOR, 2))
        await bench.clock.sleep(11)
        await insist(lambda: bench.broker.fetch_fills(BEGINNING), bench)
        await bench.clock.sleep(60)
        fills = await bench.broker.fetch_fills(BEGINNING)
        assert len({fill.exec_root for fill in fills}) == len(fills) == 4
        assert sorted(fill.revision for fill in fills) == [1, 1, 1, 2]
        await bench.session.synchronise()
        assert await bench.broker.fetch_fills(BEGINNING) == fills
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.CALLBACK_DUPLICATED, matching={"message_kind": "execDetails"}, times=None),
        fault(FaultKind.EXECUTION_CORRECTED, seconds=20, price_change="0.10"),
        fault(FaultKind.COMMISSION_LATE, seconds=15),
        fault(FaultKind.FILLED_BEFORE_EXECUTION, seconds=2),
    )
