"""The trading side's doubts, by faults of the catalogue: what was sent, and what is there."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.brokers.ib.library import Order
from bot.brokers.ib.orders import LegLine, Package, differences
from bot.brokers.ib.self_test import SelfTest
from bot.brokers.ib.sent_orders import SentOrders
from bot.brokers.ib.session_settings import IbSettings
from bot.errors import BrokerUnavailable, HaltTrading, OrderRejected, OutcomeUnknown, WrongAccount
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from bot.gateway.gateway import Gateway
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from tests.bot.brokers.benches import approved
from tests.bot.brokers.ib.agreement import BEGINNING, assert_agreement, insist, order, status_of
from tests.bot.brokers.ib.data_bench import data_bench
from tests.bot.brokers.wire_bench import WireBench, bytes_to_arrive, run_in_virtual_time
from tests.bot.exchange.venue.fakes import CALL, CONDOR, open_exchange
from tests.bot.gateway.running import limited
from tests.builders import AT, instant

FAR = Decimal("0.01")
PASS_S = 60  # between the two looks after which an order counts as not found
OURS = ClientOrderId("A" + "0" * 20)
PACKAGE = Package(legs=(LegLine(11, 1), LegLine(12, -2)), quantity=3, limit_price=Decimal("-1.5"))


def fault(kind: FaultKind, **changes) -> PlannedFault:
    known = {
        name: changes.pop(name) for name in ("at", "nth", "matching", "times") if name in changes
    }
    return PlannedFault(kind=kind, details=changes, **known)


# --- an order whose send was lost -----------------------------------------------------------------


def test_an_order_cut_off_on_its_way_is_never_sent_again_by_itself(tmp_path):
    """Faults A1 and A4: in doubt, in no list at two looks a minute apart, and not sent again."""

    async def scenario(bench):
        lost = await order(bench, CALL, 5)
        with pytest.raises(OutcomeUnknown, match="connection was lost"):
            await bench.broker.submit(lost)
        for _ in range(2):
            assert await status_of(bench, lost.client_order_id) is None
            assert await bench.broker.fetch_fills(BEGINNING) == ()
            with pytest.raises(OutcomeUnknown, match="in none of IB's lists"):
                await bench.broker.submit(lost)
            await bench.clock.sleep(PASS_S)
        await bench.restart_bot()
        with pytest.raises(OutcomeUnknown, match="sent by an earlier process"):
            await bench.broker.submit(lost)
        assert bench.exchange.orders() == ()
        again = await order(bench, CALL, 5, attempt=2)
        assert (await bench.broker.submit(again)).status is OrderStatus.LIVE

    plan = run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.SOCKET_CLOSED, matching={"message_kind": "placeOrder"}, nth=2),
    )
    assert len(plan.struck) == 1


def test_an_order_whose_acknowledgement_was_lost_is_found_by_its_reference(tmp_path):
    """Faults A2, A3 and A6: by a new process, live or filled, once."""

    async def scenario(bench):
        live = approved(CALL, 5, FAR)
        filled = await order(bench, CONDOR, 2, attempt=2)
        for each in (live, filled):
            with pytest.raises(OutcomeUnknown):
                await bench.broker.submit(each)
            await insist(bench.broker.connect, bench)
        bench.detach()
        await bench.clock.sleep(PASS_S)
        bench.attach()
        await bench.broker.connect()
        assert await status_of(bench, live.client_order_id) is OrderStatus.LIVE
        assert await status_of(bench, filled.client_order_id) is OrderStatus.FILLED
        assert (await bench.broker.submit(live)).status is OrderStatus.LIVE
        assert len(bench.exchange.orders()) == 2
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.LOST_ACK, times=2),
        fault(
            FaultKind.SOCKET_CLOSED,
            matching={"message_kind": "placeOrder"},
            nth=2,
            processed=True,
        ),
        fault(
            FaultKind.SOCKET_CLOSED,
            matching={"message_kind": "placeOrder"},
            nth=3,  # the one before struck instead
            processed=True,
        ),
    )


def test_what_is_not_listed_is_asked_for_anew(tmp_path):
    """Fault A4: an order that arrives at IB after a look is found by the next one."""

    async def scenario(bench):
        late = approved(CALL, 5, FAR)
        assert await bench.broker.fetch_orders() == ()
        await bench.trade_by_hand(CALL, 5, FAR, late.client_order_id)
        await bench.clock.sleep(PASS_S)
        assert await status_of(bench, late.client_order_id) is OrderStatus.LIVE

    run_in_virtual_time(tmp_path, scenario)


@pytest.mark.parametrize("end", ["openOrderEnd", "completedOrdersEnd", "execDetailsEnd"])
def test_a_list_that_is_not_whole_is_no_statement(tmp_path, end):
    """Fault A4: orders are told in full or not at all."""

    async def scenario(bench):
        await bench.clock.sleep(PASS_S)
        for question in (bench.broker.fetch_orders, bench.broker.fetch_foreign_orders):
            with pytest.raises(BrokerUnavailable, match="half a view"):
                await question()

    later = AT + timedelta(seconds=30)
    run_in_virtual_time(
        tmp_path,
        scenario,
        fault(FaultKind.END_MISSING, matching={"message_kind": end}, at=later, times=None),
    )


def test_what_was_sent_is_on_disk_before_it_leaves(tmp_path):
    """Fault C2: a line cut off by a loss of power takes nothing else along."""
    path = tmp_path / "ib" / "sent-orders.jsonl"
    sent = SentOrders(path)
    sent.record(OURS, PACKAGE, order_id=41, client_id=7)
    sent.close()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"sent":"A1111')
    again = SentOrders(path)
    assert dict(again) == {OURS: PACKAGE}
    assert (again.highest_id(7), again.highest_id(8)) == (41, 0)
    again.take_back(OURS)
    again.close()
    last = SentOrders(path)
    assert len(last) == 0
    assert last.highest_id(7) == 41
    assert json.loads(path.read_text().splitlines()[-1]) == {"not_sent": OURS}


def test_numbers_go_on_counting_over_a_restart_that_rolls_them_back(tmp_path):
    """Fault A23: the next number is above all that were ever used or heard of (I13)."""

    async def scenario(bench):
        numbers = []
        for attempt in range(1, 4):
            await bench.broker.submit(approved(CALL, 1, FAR, attempt=attempt))
            numbers.append(bench.book.highest_id)
            await bench.broker.cancel(approved(CALL, 1, FAR, attempt=attempt).client_order_id)
            bench.detach()
            await bytes_to_arrive()
            bench.attach()
            await bench.broker.connect()
        assert numbers == sorted(set(numbers))
        assert bench.sent.highest_id(1) == numbers[-1]
        await assert_agreement(bench)

    run_in_virtual_time(
        tmp_path, scenario, fault(FaultKind.ORDER_ID_ROLLBACK, orders=100, times=None)
    )


# --- an order that is another one at IB -----------------------------------------------------------


@pytest.mark.parametrize(
    ("echo", "words"),
    [
        ({"tif": "GTC"}, "time in force is GTC, sent DAY"),
        ({"account": "DU9999999"}, r"account is DU\*+99, sent for DU\*+01"),
        ({"orderType": "MKT"}, "order type is MKT, sent LMT"),
        ({"totalQuantity": Decimal(4)}, "quantity is 4, sent 5"),
        ({"lmtPrice": Decimal("0.02")}, "limit is 0.02, sent 0.01"),
        ({"action": "SELL"}, r"legs is -1x\d+, sent \+1x\d+"),
    ],
)
def test_an_order_that_ib_holds_otherwise_is_seen(tmp_path, echo, words):
    """Faults A26 and A27: at the acknowledgement, and by a later process that finds the order."""

    async def scenario(bench):
        sent = approved(CALL, 5, FAR)
        report = await bench.broker.submit(sent)
        assert re.search(words, report.echo_differs)
        await bench.restart_bot()
        (report,) = await bench.broker.fetch_orders()
        assert re.search(words, report.echo_differs)

    run_in_virtual_time(tmp_path, scenario, fault(FaultKind.ECHO_CHANGED, **echo))


def test_an_order_that_ib_holds_as_it_was_sent_is_not_suspected(tmp_path):
    """Faults A26 and A27: not by the other order of its legs, nor by what IB leaves out."""

    async def scenario(bench):
        for attempt, legs in enumerate((CONDOR, CALL), start=1):
            report = await bench.broker.submit(await order(bench, legs, 2, attempt=attempt))
            assert report.echo_differs == ""
        await bench.clock.sleep(60)
        await bench.restart_bot()
        assert {each.echo_differs for each in await bench.broker.fetch_orders()} == {""}

    run_in_virtual_time(tmp_path, scenario)


def test_of_an_order_nobody_remembers_the_rest_is_compared():
    """Fault A26: the time in force is always DAY, whoever of ours sent it."""
    echo = Order(tif="GTC", account="DU1", orderType="LMT", totalQuantity=9)
    assert differences(None, "DU1", None, echo) == "time in force is GTC, sent DAY"
    assert differences(None, "", None, Order()) == ""


# --- the gateway's nights, its account and its settings -------------------------------------------


@pytest.mark.parametrize(
    ("at", "is_near"),
    [
        ("2020-02-03 23:39", False),
        ("2020-02-03 23:41", True),
        ("2020-02-03 23:49", True),
        ("2020-02-03 23:51", False),
        ("2020-03-08 23:45", True),  # the day the clocks go forward
        ("2020-02-04 10:00", False),
    ],
)
def test_the_time_about_the_nightly_restart_is_known(at, is_near):
    """Fault B5: five minutes before it and after it, New York time."""
    settings = IbSettings(port=1, client_id=1, account="DU1")
    assert settings.is_near_restart(instant(at)) is is_near


async def test_nothing_is_sent_about_the_nightly_restart(tmp_path):
    """Fault B5: not an order; what is asked and cancelled goes on."""
    bench = WireBench(tmp_path / "journal.jsonl")
    await bench.open()
    await bench.broker.connect()
    resting = approved(CALL, 1, FAR)
    bench.clock.move_to(instant("2020-02-03 23:42"))
    with pytest.raises(BrokerUnavailable, match="restarts at 23:45"):
        await bench.broker.submit(resting)
    assert await bench.broker.fetch_orders() == ()
    bench.clock.move_to(instant("2020-02-03 23:51"))
    with pytest.raises(OrderRejected):  # there is no session, says the exchange itself
        await bench.broker.submit(resting)
    await bench.close()


async def test_a_gateway_that_comes_back_with_another_account_is_left_alone(tmp_path):
    """Fault B17: the account is proven on each connection."""
    bench = WireBench(tmp_path / "journal.jsonl")
    await bench.open()
    await bench.broker.connect()
    await bench.gateway.stop()
    other = open_exchange(bench.exchange.market, account_id="DU2222222")
    bench.gateway = Gateway(other, bench.exchange.market.calendar, bench.clock)
    await bench.gateway.start(bench.port)
    with pytest.raises(WrongAccount, match="not among those of this login"):
        await bench.broker.submit(approved(CALL, 1, FAR))
    assert other.orders() == ()
    await bench.close()


@pytest.mark.parametrize("ahead_s", [-3600, -5, 5, 3600])
def test_a_clock_that_is_off_can_be_seen(tmp_path, ahead_s):
    """Fault C15: the broker's time is told as it is."""

    async def scenario(bench):
        await bench.clock.sleep(1)
        ahead = await bench.broker.server_time() - bench.clock.now()
        assert abs(ahead - timedelta(seconds=ahead_s)) <= timedelta(seconds=1)

    run_in_virtual_time(tmp_path, scenario, fault(FaultKind.CLOCK_SKEW, at=AT, seconds=ahead_s))


# --- the start-up test ----------------------------------------------------------------------------


async def proven(calendar=None, *, at=AT, **changes) -> None:
    """Run the start-up test against a gateway with settings of its own."""
    async with data_bench(at=at, gateway=limited(**changes)) as bench:
        known = calendar or bench.running.exchange.market.calendar
        await SelfTest(bench.trading, bench.qualifier, known).run()
        assert bench.running.exchange.orders() == ()


async def test_contracts_of_each_class_are_read_at_the_start():
    """Fault B16: SPX, SPXW, VIX and VX, as the bot will read them."""
    await proven()


async def test_a_class_that_cannot_be_read_is_found_at_the_start(monkeypatch):
    """Fault B16: a library or gateway that spells contracts otherwise."""
    monkeypatch.setattr(
        "bot.brokers.ib.qualifier.wrong_terms", lambda contract, instrument: "its multiplier is 1"
    )
    with pytest.raises(HaltTrading, match=r"start-up test: .*Nothing was sent"):
        await proven()


async def test_a_read_only_api_is_found_at_the_start():
    """Fault B9: by a what-if, before any order."""
    with pytest.raises(HaltTrading, match=r"read-only.*Nothing was sent"):
        await proven(is_read_only=True)


async def test_a_start_that_is_not_proven_is_no_connection(tmp_path):
    """Fault B9: nothing can be sent, and the next start tries again."""
    refusals = [HaltTrading("read-only")]

    async def prove() -> None:
        if refusals:
            raise refusals.pop()

    bench = WireBench(tmp_path / "journal.jsonl", prove=prove)
    await bench.open()
    with pytest.raises(HaltTrading):
        await bench.broker.connect()
    with pytest.raises(BrokerUnavailable):
        await bench.broker.submit(approved(CALL, 1, FAR))
    await bench.broker.connect()
    assert (await bench.broker.submit(approved(CALL, 1, FAR))).status is OrderStatus.LIVE
    await bench.close()
