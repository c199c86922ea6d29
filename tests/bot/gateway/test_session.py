"""What a connected client can do, and what it hears of others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.gateway.dispatch.table import HANDLERS
from bot.gateway.protocol.requests import REQUESTS
from bot.gateway.words import Contract as Described
from bot.gateway.words import Order
from strategies.model.instruments import parse_symbol
from tests.bot.gateway.running import ACCOUNT, Running, limited, running_gateway
from tests.bot.gateway.wire import Wire
from tests.ib_client import IB, Contract, Index, LimitOrder, Option

PUT = Option("SPX", "20200320", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")
SPX = Index("SPX", "CBOE")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway() as running:
        yield running


async def place(ib: IB, price: float = 1.0, **changes: object):
    """Place an order that rests."""
    await ib.qualifyContractsAsync(PUT)
    trade = ib.placeOrder(PUT, LimitOrder("BUY", 1, price, tif="DAY", **changes))
    await ib.reqCurrentTimeAsync()
    return trade


class TestRequests:
    def test_every_request_of_the_protocol_has_a_handler(self):
        assert {layout.kind for layout in REQUESTS} - HANDLERS.keys() == {"startApi"}

    async def test_none_is_left_without_an_answer(self, running):
        """Those with a number get a message with it, or an end; those without get something."""
        silent = {
            *("setServerLogLevel", "reqMarketDataType", "reqGlobalCancel", "cancelMktData"),
            *("reqNewsBulletins", "startApi", "reqCurrentTime"),
        }
        wire = await Wire.started(running.port)
        await wire.fence()
        for layout in REQUESTS:
            kind = layout.kind
            if kind in silent or kind.startswith(("cancel", "unsubscribe")):
                continue
            values = _harmless(kind)
            wire.ask(kind, **values)
            answers = await wire.fence()
            assert answers, kind
            if "reqId" in values:
                assert any(each.values.get("reqId") == 77 for each in answers), kind
        await wire.close()

    async def test_bag_details_are_no_definition(self, running):
        ib = await running.connect()
        bag = Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD")
        assert await asyncio.wait_for(ib.reqContractDetailsAsync(bag), 5) == []

    async def test_ids_start_at_one_and_go_on(self, running):
        ib = await running.connect()
        trade = await place(ib)
        ib.disconnect()
        wire = await Wire.started(running.port, 1)
        wire.ask("reqIds", numIds=1)
        answers = await wire.fence()
        assert answers[-1].values["orderId"] == trade.order.orderId + 1
        other = await Wire.greeted(running.port)
        other.ask("startApi", clientId=2)
        assert (await other.until("nextValidId"))[-1].values["orderId"] == 1
        await wire.close()
        await other.close()


class TestTheFence:
    async def test_whatever_is_older_has_arrived_before_the_answer(self, running):
        ib = await running.connect()
        data = await running.connect(2)
        await data.qualifyContractsAsync(PUT)
        ticker = data.reqMktData(PUT)
        trade = await place(ib, 100.0)
        began = running.clock.now()
        put = parse_symbol("SPXW  200320P03200000")
        for _ in range(6):
            running.clock.move_to(running.clock.now() + timedelta(seconds=10))
            await asyncio.gather(ib.reqCurrentTimeAsync(), data.reqCurrentTimeAsync())
            quote = running.exchange.market.quote(put, running.clock.now())
            assert (ticker.bid, ticker.ask) == (quote.bid, quote.ask)
            filled = sum(fill.quantity for fill in running.exchange.fills(began))
            assert sum(each.execution.shares for each in trade.fills) == filled
        assert trade.orderStatus.status == "Filled"

    async def test_the_time_is_the_clock_s(self, running):
        ib = await running.connect()
        assert await ib.reqCurrentTimeAsync() == running.clock.now()
        await running.pass_time(seconds=12)
        assert await ib.reqCurrentTimeAsync() == running.clock.now()


class TestSeveralClients:
    async def test_each_sees_its_own_orders(self, running):
        one, two = await running.connect(1), await running.connect(2)
        trade = await place(one)
        await two.reqCurrentTimeAsync()
        assert two.trades() == []
        await two.reqAllOpenOrdersAsync()
        assert [each.order.permId for each in two.openTrades()] == [trade.order.permId]
        assert await two.reqOpenOrdersAsync() == []

    async def test_the_master_sees_everybody_s_and_client_0_does_not(self):
        async with running_gateway(settings=limited(master_client_id=9)) as running:
            zero, master, one = [await running.connect(each) for each in (0, 9, 1)]
            trade = await place(one)
            await master.reqCurrentTimeAsync()
            assert [each.order.permId for each in master.openTrades()] == [trade.order.permId]
            assert len(await master.reqOpenOrdersAsync()) == 1
            await zero.reqCurrentTimeAsync()
            assert zero.openTrades() == await zero.reqOpenOrdersAsync() == []
            one.cancelOrder(trade.order)
            await one.reqCurrentTimeAsync()
            await master.reqCurrentTimeAsync()
            assert master.openTrades() == []

    async def test_orders_placed_by_hand_are_client_0_s(self, running):
        zero, one = await running.connect(0), await running.connect(1)
        [put] = await one.qualifyContractsAsync(PUT)
        order = Order(
            action="BUY", total_quantity=Decimal(1), order_type="LMT", limit_price=Decimal(1)
        )
        order_id = running.gateway.parts.desk.manual_order(
            Described(con_id=put.conId), order, running.clock.now()
        )
        await zero.reqCurrentTimeAsync()
        await one.reqCurrentTimeAsync()
        assert order_id < 0
        assert [each.order.orderId for each in zero.openTrades()] == [order_id]
        assert one.openTrades() == []

    async def test_another_client_s_errors_are_not_ours(self, running):
        zero, one = await running.connect(0), await running.connect(1)
        errors = []
        zero.errorEvent += lambda *about: errors.append(about)
        await place(one, 0.01)  # off tick
        await zero.reqCurrentTimeAsync()
        assert errors == []

    async def test_only_client_0_binds(self, running):
        wire = await Wire.started(running.port, 4)
        wire.ask("reqAutoOpenOrders", autoBind=True)
        assert (await wire.fence())[-1].values["code"] == 321
        await wire.close()

    async def test_who_has_gone_is_forgotten(self, running):
        one, two = await running.connect(1), await running.connect(2)
        await one.qualifyContractsAsync(SPX)
        one.reqMktData(SPX)
        await one.reqCurrentTimeAsync()
        assert running.gateway.parts.feed.lines() == 1
        one.disconnect()
        await two.reqCurrentTimeAsync()
        await asyncio.sleep(0.01)
        assert running.gateway.parts.feed.lines() == 0
        assert running.gateway.clients == (2,)


class TestBars:
    async def test_bars_that_are_kept_up_to_date_go_on(self, running):
        ib = await running.connect()
        await ib.qualifyContractsAsync(SPX)
        bars = await ib.reqHistoricalDataAsync(
            SPX, "", "1 D", "1 min", "TRADES", True, keepUpToDate=True
        )
        count = len(bars)
        for _ in range(4):
            await running.pass_time(seconds=30)
        assert len(bars) == count + 2
        ib.cancelHistoricalData(bars)
        await running.pass_time(seconds=60)
        assert len(bars) == count + 2


class TestTraffic:
    async def test_bytes_are_counted_on_both_sides(self, running):
        ib = await running.connect()
        await ib.qualifyContractsAsync(PUT)
        port = ib.client.conn.transport.get_extra_info("sockname")[1]
        traffic = running.gateway.traffic()[port]
        await ib.reqCurrentTimeAsync()
        assert traffic.received == ib.client.conn.numBytesSent
        assert traffic.sent == ib.client._numBytesRecv

    async def test_every_client_reads_its_own_pace(self, running):
        """A client that is slow to read delays nobody and loses nothing."""
        fast = await running.connect(1)
        slow = await Wire.started(running.port, 2)
        await slow.fence()
        for req_id in range(3):
            slow.ask(
                "reqContractDetails", reqId=req_id, symbol="SPX", secType="OPT", tradingClass="SPXW"
            )
        assert await asyncio.wait_for(fast.reqCurrentTimeAsync(), 5)
        answers = await slow.fence()
        ends = [each.values["reqId"] for each in answers if each.kind == "contractDetailsEnd"]
        assert ends == [0, 1, 2]
        assert len(answers) == 3 * 2087
        await slow.close()


_CONTRACT = {"conId": 416904, "symbol": "SPX", "secType": "IND"}
_MORE = {
    "reqAccountUpdates": {"subscribe": True, "account": ACCOUNT},
    "reqMktData": _CONTRACT | {"snapshot": True},
    "reqTickByTickData": _CONTRACT | {"tickType": "Nonsense"},
    "reqRealTimeBars": _CONTRACT | {"whatToShow": "NONSENSE"},
    "calculateImpliedVolatility": _CONTRACT | {"optionPrice": 1.0, "underPrice": 3000.0},
    "calculateOptionPrice": _CONTRACT | {"volatility": 0.2, "underPrice": 3000.0},
    "reqHistoricalData": _CONTRACT
    | {"barSize": "1 day", "duration": "1 D", "whatToShow": "TRADES"},
    "reqHeadTimestamp": _CONTRACT | {"whatToShow": "TRADES"},
    "reqHistogramData": _CONTRACT | {"timePeriod": "1 day"},
    "reqHistoricalTicks": _CONTRACT | {"numberOfTicks": 1, "whatToShow": "TRADES"},
    "reqContractDetails": _CONTRACT,
    "exerciseOptions": _CONTRACT | {"exerciseAction": 1, "exerciseQuantity": 1},
    "reqMktDepth": _CONTRACT | {"numRows": 5},
    "reqSecDefOptParams": {"underSymbol": "SPX", "underSecType": "IND", "underConId": 416904},
    "placeOrder": _CONTRACT
    | {"orderId": 50, "action": "BUY", "totalQuantity": Decimal(1), "orderType": "NONSENSE"},
    "reqPnLSingle": {"account": ACCOUNT, "modelCode": "", "conId": 416904},
}


def _harmless(kind: str) -> dict[str, object]:
    """Return values with which a request can be sent and does nothing."""
    layout = next(each for each in REQUESTS if each.kind == kind)
    values: dict[str, object] = {}
    for item in layout.items:
        name = getattr(item, "name", None)
        if name is not None and hasattr(item, "kind") and "default" in dir(item):
            values[name] = _plain(item.kind.name)
    if "reqId" in values:
        values["reqId"] = 77
    return values | _MORE.get(kind, {})


def _plain(kind: str) -> object:
    return {"text": "", "a whole number": 0, "0 or 1": False}.get(kind, 0)
