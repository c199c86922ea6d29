"""What goes wrong with connections, on demand: to clients, to IB, to its farms."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from tests.bot.gateway.running import running_gateway, settle
from tests.bot.gateway.wire import Wire
from tests.builders import AT
from tests.ib_client import IB, IS_IB_ASYNC, Index, LimitOrder, Option

SPX = Index("SPX", "CBOE")
PUT = Option("SPX", "20200320", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")
SOON = AT + timedelta(seconds=60)


@asynccontextmanager
async def running_with(kind: FaultKind, at=SOON, nth=None, matching=None, **details):
    entry = PlannedFault(kind=kind, at=at, nth=nth, matching=matching or {}, details=details)
    async with running_gateway(faults=FaultPlan([entry])) as running:
        yield running


def codes_of(ib: IB) -> list[int]:
    codes: list[int] = []
    ib.errorEvent += lambda req_id, code, text, contract: codes.append(code)
    return codes


async def place(ib: IB, price: float = 1.0):
    await ib.qualifyContractsAsync(PUT)
    return ib.placeOrder(PUT, LimitOrder("BUY", 1, price, tif="DAY"))


async def soon(awaitable, within_s: float = 0.3):
    return await asyncio.wait_for(awaitable, within_s)


class TestSockets:
    async def test_a_nightly_reset_closes_every_socket_and_the_port(self):
        async with running_with(FaultKind.NIGHTLY_RESET, seconds=300) as running:
            one, two = await running.connect(1), await running.connect(2)
            await running.pass_time(to=SOON)
            assert not one.isConnected()
            assert not two.isConnected()
            with pytest.raises(ConnectionError):
                await Wire.open(running.port)
            await running.pass_time(seconds=299)
            with pytest.raises(ConnectionError):
                await Wire.open(running.port)
            await running.pass_time(seconds=1)
            assert (await running.connect(1)).isConnected()

    async def test_after_the_weekly_expiry_nobody_can_log_in(self):
        async with running_with(FaultKind.WEEKLY_LOGIN, seconds=600) as running:
            one = await running.connect(1)
            await running.pass_time(to=SOON)
            assert not one.isConnected()
            with pytest.raises(TimeoutError):
                await running.connect(1, timeout=0.2)
            await running.pass_time(seconds=600)
            assert (await running.connect(1)).isConnected()

    async def test_a_socket_closes_in_the_middle_of_an_order(self):
        matching = {"message_kind": "placeOrder"}
        async with running_with(
            FaultKind.SOCKET_CLOSED, at=None, nth=2, matching=matching
        ) as running:
            one, two = await running.connect(1), await running.connect(2)
            await place(one)
            await one.reqCurrentTimeAsync()
            await place(one, 2.0)
            await settle()
            assert not one.isConnected()
            assert two.isConnected()
            again = await running.connect(1)
            assert [each.order.lmtPrice for each in again.openTrades()] == [1.0]

    async def test_an_order_may_get_through_before_its_socket_closes(self):
        matching = {"message_kind": "placeOrder"}
        async with running_with(
            FaultKind.SOCKET_CLOSED, at=None, matching=matching, processed=True
        ) as running:
            one = await running.connect(1)
            await place(one)
            await settle()
            assert not one.isConnected()
            again = await running.connect(1)
            assert len(again.openTrades()) == 1

    async def test_a_half_open_socket_is_silent_and_comes_back(self):
        async with running_with(FaultKind.HALF_OPEN, seconds=120, client_id=1) as running:
            one, two = await running.connect(1), await running.connect(2)
            await running.pass_time(to=SOON)
            with pytest.raises(TimeoutError):
                await soon(one.reqCurrentTimeAsync())
            assert one.isConnected()
            assert await soon(two.reqCurrentTimeAsync())
            await running.pass_time(seconds=120)
            assert await soon(one.reqCurrentTimeAsync())

    async def test_pacing_disconnects_whatever_was_sent(self):
        matching = {"message_kind": "reqCurrentTime"}
        async with running_with(FaultKind.PACING_DISCONNECT, at=None, matching=matching) as running:
            one = await running.connect(1)
            codes = codes_of(one)
            with pytest.raises((ConnectionError, TimeoutError)):
                await soon(one.reqCurrentTimeAsync())
            assert codes == [100]
            assert not one.isConnected()


class TestConnectivity:
    @pytest.mark.parametrize(("data_kept", "code"), [(True, 1102), (False, 1101)])
    async def test_it_is_lost_and_restored(self, data_kept, code):
        async with running_with(
            FaultKind.CONNECTIVITY_LOST, seconds=60, data_kept=data_kept
        ) as running:
            ib = await running.connect(1)
            await ib.qualifyContractsAsync(SPX)
            ticker = ib.reqMktData(SPX)
            await ib.reqCurrentTimeAsync()
            codes = codes_of(ib)
            await running.pass_time(to=SOON)
            before = ticker.last
            assert codes == [1100]
            await running.pass_time(seconds=30)
            assert ticker.last == before
            assert await soon(ib.reqCurrentTimeAsync()) == running.clock.now()
            await running.pass_time(seconds=30)
            assert codes == [1100, code]
            await running.pass_time(seconds=10)
            assert (ticker.last != before) == data_kept

    async def test_1100_may_be_repeated(self):
        async with running_with(
            FaultKind.CONNECTIVITY_LOST, seconds=60, repeat_every=20
        ) as running:
            ib = await running.connect(1)
            codes = codes_of(ib)
            for _ in range(14):
                await running.pass_time(seconds=10)
            assert codes == [1100, 1100, 1100, 1102]

    async def test_orders_wait_for_it_and_executions_too(self):
        async with running_gateway(faults=FaultPlan()) as running:
            ib = await running.connect(1)
            early = await place(ib, 100.0)
            await ib.reqCurrentTimeAsync()
            # it is lost before the exchange next meets the market
            running.gateway.parts.faults.add(
                PlannedFault(kind=FaultKind.CONNECTIVITY_LOST, details={"seconds": 60})
            )
            await running.pass_time(seconds=1)
            late = ib.placeOrder(PUT, LimitOrder("BUY", 1, 1.0, tif="DAY"))
            await running.pass_time(seconds=30)
            assert early.orderStatus.status == "Submitted"
            assert late.orderStatus.status == "PendingSubmit"
            await running.pass_time(seconds=31)
            assert early.orderStatus.status == "Filled"
            assert late.orderStatus.status == "Submitted"

    async def test_other_requests_are_refused_meanwhile(self):
        async with running_with(FaultKind.CONNECTIVITY_LOST, seconds=60) as running:
            ib = await running.connect(1)
            codes = codes_of(ib)
            await running.pass_time(to=SOON)
            assert await soon(ib.reqContractDetailsAsync(SPX)) == []
            assert codes == [1100, 504]
            newcomer = await Wire.started(running.port, 2)
            errors = [e.values["code"] for e in await newcomer.fence() if e.kind == "error"]
            assert errors == [1100]
            await newcomer.close()


class TestFarms:
    async def test_quotes_stand_still_while_the_market_farm_is_down(self):
        async with running_with(FaultKind.MARKET_FARM_DOWN, seconds=60) as running:
            ib = await running.connect(1)
            await ib.qualifyContractsAsync(SPX)
            ticker = ib.reqMktData(SPX)
            codes = codes_of(ib)
            await running.pass_time(to=SOON)
            before = ticker.last
            for _ in range(3):
                await running.pass_time(seconds=10)
            assert ticker.last == before
            await running.pass_time(seconds=30)
            await running.pass_time(seconds=1)
            assert ticker.last == running.exchange.market.index_at("SPX", running.clock.now())
            assert codes == [2103, 2104]

    async def test_there_is_no_history_while_its_farm_is_down(self):
        async with running_with(FaultKind.HISTORY_FARM_DOWN, seconds=60) as running:
            ib = await running.connect(1)
            await ib.qualifyContractsAsync(SPX)
            codes = codes_of(ib)
            await running.pass_time(to=SOON)
            ask = (SPX, "", "3 D", "1 day", "TRADES", True)
            assert not list(await soon(ib.reqHistoricalDataAsync(*ask)))
            await running.pass_time(seconds=60)
            assert len(await soon(ib.reqHistoricalDataAsync(*ask))) == 3
            assert codes == [2105, 162, 2106]

    async def test_a_competing_session_takes_the_quotes(self):
        async with running_with(FaultKind.COMPETING_SESSION, seconds=60) as running:
            ib = await running.connect(1)
            await ib.qualifyContractsAsync(SPX)
            ticker = ib.reqMktData(SPX)
            await ib.reqCurrentTimeAsync()
            codes = codes_of(ib)
            await running.pass_time(to=SOON - timedelta(seconds=1))
            before = ticker.last
            await running.pass_time(seconds=1)
            await running.pass_time(seconds=10)
            assert codes == [10197]
            assert ticker.last == before
            await running.pass_time(seconds=51)
            assert ticker.last != before

    async def test_delayed_data_come_without_a_word(self):
        async with running_with(FaultKind.SILENT_DELAYED_DATA, seconds=600) as running:
            ib = await running.connect(1)
            await ib.qualifyContractsAsync(SPX)
            ticker = ib.reqMktData(SPX)
            await ib.reqCurrentTimeAsync()
            assert ticker.marketDataType == 1
            codes = codes_of(ib)
            await running.pass_time(to=SOON)
            await running.pass_time(seconds=1)
            assert ticker.marketDataType == 3
            assert codes == []
            await running.pass_time(seconds=600)
            assert ticker.marketDataType == 1

    async def test_the_clock_goes_wrong_from_there_on(self):
        async with running_with(FaultKind.CLOCK_SKEW, seconds=-95) as running:
            ib = await running.connect(1)
            await running.pass_time(to=SOON)
            skewed = running.clock.now() - timedelta(seconds=95)
            assert await ib.reqCurrentTimeAsync() == skewed


class TestMessages:
    @pytest.mark.parametrize(
        "end",
        [
            *("positionEnd", "openOrderEnd", "completedOrdersEnd", "accountDownloadEnd"),
            *("accountUpdateMultiEnd", "execDetailsEnd"),
        ],
    )
    async def test_an_end_may_be_missing(self, end):
        matching = {"message_kind": end}
        async with running_with(FaultKind.END_MISSING, at=None, matching=matching) as running:
            if end == "execDetailsEnd" and not IS_IB_ASYNC:
                with pytest.raises(TimeoutError):
                    await running.connect(1, timeout=0.2)
            else:
                ib = await running.connect(1, timeout=0.2)  # it goes on with an empty view
                assert ib.isConnected()
            struck = running.gateway.parts.faults.struck
            assert [each.about["message_kind"] for each in struck] == [end]

    async def test_a_message_comes_twice(self):
        matching = {"message_kind": "currentTime"}
        async with running_with(
            FaultKind.CALLBACK_DUPLICATED, at=None, matching=matching
        ) as running:
            wire = await Wire.started(running.port)
            assert (await wire.fence())[-1].kind == "error"
            assert (await wire.message()).kind == "currentTime"
            await wire.close()

    async def test_a_message_comes_after_the_next_one(self):
        matching = {"message_kind": "managedAccounts"}
        async with running_with(
            FaultKind.CALLBACK_REORDERED, at=None, matching=matching
        ) as running:
            wire = await Wire.greeted(running.port)
            wire.ask("startApi", clientId=1)
            kinds = [(await wire.message()).kind for _ in range(2)]
            assert kinds == ["nextValidId", "managedAccounts"]
            await wire.close()

    async def test_a_message_comes_later(self):
        matching = {"message_kind": "orderStatus"}
        async with running_with(
            FaultKind.CALLBACK_DELAYED, at=None, matching=matching, seconds=20
        ) as running:
            ib = await running.connect(1)
            trade = await place(ib)
            await ib.reqCurrentTimeAsync()
            early = [each.status for each in trade.log]
            await running.pass_time(seconds=20)
            assert early == ["PendingSubmit", "Submitted"]
            assert [each.status for each in trade.log][-1] == "PreSubmitted"

    @pytest.mark.parametrize("kind", [FaultKind.POSITIONS_LATE, FaultKind.POSITIONS_NEVER])
    async def test_positions_come_late_or_never(self, kind):
        async with running_with(kind, at=None, seconds=30) as running:
            wire = await Wire.started(running.port)
            wire.ask("reqPositions")
            assert "positionEnd" not in {each.kind for each in await wire.fence()}
            await running.pass_time(seconds=30)
            told = {each.kind for each in await wire.fence()}
            assert ("positionEnd" in told) == (kind is FaultKind.POSITIONS_LATE)
            await wire.close()

    async def test_order_ids_roll_back(self):
        async with running_with(FaultKind.ORDER_ID_ROLLBACK, at=None, nth=2, orders=4) as running:
            ib = await running.connect(1)
            trade = await place(ib)
            ib.disconnect()
            await settle()
            wire = await Wire.greeted(running.port)
            wire.ask("startApi", clientId=1)
            told = (await wire.until("nextValidId"))[-1].values["orderId"]
            assert told == max(1, trade.order.orderId + 1 - 4)
            await wire.close()

    async def test_details_of_a_bag_are_never_answered(self):
        async with running_with(FaultKind.BAG_DETAILS_SILENT, at=None) as running:
            wire = await Wire.started(running.port)
            await wire.fence()
            bag = {"symbol": "SPX", "secType": "BAG", "exchange": "SMART"}
            wire.ask("reqContractDetails", reqId=1, **bag)
            assert await wire.fence() == []
            wire.ask("reqContractDetails", reqId=2, **bag)
            assert [each.values["code"] for each in await wire.fence()] == [200]
            await wire.close()


async def test_what_is_due_by_itself_does_not_wait_for_a_request():
    """A timer of the event loop asks for a pump when an instant of the plan has come."""
    entry = PlannedFault(kind=FaultKind.MARKET_FARM_DOWN, at=AT + timedelta(milliseconds=50))
    async with running_gateway(faults=FaultPlan([entry])) as running:
        ib = await running.connect(1)
        codes = codes_of(ib)
        running.clock.move_to(AT + timedelta(milliseconds=50))
        await asyncio.sleep(0.15)
        assert codes == [2103]
