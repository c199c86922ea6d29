"""The desk behind a socket: orders of an unmodified client, from placing to reports."""

from tests.bot.gateway.running import Running, running_gateway, settle
from tests.ib_client import (
    ComboLeg,
    Contract,
    LimitOrder,
    MarketOrder,
    Option,
    Order,
    StopOrder,
    Trade,
)

CONDOR = ((2900, "P", 1), (2950, "P", -1), (3450, "C", -1), (3500, "C", 1))


async def option(ib, strike: float, right: str) -> Option:
    (found,) = await ib.qualifyContractsAsync(
        Option("SPX", "20200306", strike, right, "SMART", tradingClass="SPXW")
    )
    return found


async def condor(ib) -> Contract:
    legs = [
        ComboLeg(
            conId=(await option(ib, strike, right)).conId,
            ratio=1,
            action="BUY" if ratio > 0 else "SELL",
            exchange="SMART",
        )
        for strike, right, ratio in CONDOR
    ]
    return Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)


def statuses(trade: Trade) -> list[str]:
    return [entry.status for entry in trade.log]


async def test_a_condor_is_placed_filled_and_reported():
    async with running_gateway() as running:
        ib = await running.connect()
        order = LimitOrder("BUY", 2, -0.5, tif="DAY", orderRef="A1")
        trade = ib.placeOrder(await condor(ib), order)
        await settle()
        assert trade.orderStatus.status == "Submitted"
        await running.pass_time(seconds=30)
        assert statuses(trade)[-1] == "Filled"
        assert trade.filled() == 2
        legs = [fill for fill in trade.fills if fill.contract.secType == "OPT"]
        assert len(trade.fills) == 5
        assert len(legs) == 4
        fees = sum(fill.commission_usd for fill in running.exchange.fills_from(0))
        told = sum(fill.commissionReport.commission for fill in legs)
        assert round(told, 6) == float(fees)
        ids = {f"{fill.exec_root}.01" for fill in running.exchange.fills_from(0)}
        assert {fill.execution.execId for fill in legs} == ids


async def test_another_client_finds_everything_again():
    async with running_gateway() as running:
        ib = await running.connect()
        ib.placeOrder(await condor(ib), LimitOrder("BUY", 1, -0.5, tif="DAY", orderRef="A1"))
        await running.pass_time(seconds=30)
        ib.placeOrder(await condor(ib), LimitOrder("BUY", 1, -40, tif="DAY", orderRef="A2"))
        await settle()
        ib.disconnect()
        await settle()
        again = await running.connect()
        assert [trade.order.orderRef for trade in again.openTrades()] == ["A2"]
        done = await again.reqCompletedOrdersAsync(True)
        assert [(t.order.orderRef, t.orderStatus.status) for t in done] == [("A1", "Filled")]
        assert len(again.fills()) == 5
        assert again.client.getReqId() > 2
        (trade,) = again.openTrades()
        again.cancelOrder(trade.order)
        await settle()
        assert trade.orderStatus.status == "Cancelled"


async def test_a_change_needs_the_combination_as_the_gateway_spells_it():
    async with running_gateway() as running:
        ib = await running.connect()
        codes = []
        ib.errorEvent += lambda _, code, *rest: codes.append(code)
        trade = ib.placeOrder(await condor(ib), LimitOrder("BUY", 1, -40, tif="DAY"))
        await settle()
        trade.order.lmtPrice = -41
        ib.placeOrder(trade.contract, trade.order)
        await settle()
        assert codes[-1] == 105
        (listed,) = await open_trades(running)
        assert (listed.order.lmtPrice, listed.orderStatus.status) == (-40, "Submitted")
        assert (listed.contract.secType, len(listed.contract.comboLegs)) == ("BAG", 4)


async def open_trades(running: Running) -> list[Trade]:
    """What a client that looks on is told of everybody's open orders."""
    onlooker = await running.connect(client_id=9)
    await onlooker.reqAllOpenOrdersAsync()
    return onlooker.openTrades()


async def test_single_legs_of_every_kind_cross_the_wire():
    async with running_gateway() as running:
        ib = await running.connect()
        put = await option(ib, 3000, "P")
        market = ib.placeOrder(put, MarketOrder("BUY", 1, tif="DAY"))
        stop = ib.placeOrder(put, StopOrder("BUY", 1, 90.0, tif="GTC"))
        adaptive = ib.placeOrder(
            put,
            Order(
                action="BUY",
                totalQuantity=1,
                orderType="MKT",
                tif="DAY",
                algoStrategy="Adaptive",
            ),
        )
        kinds = ("MOC", "REL", "MIDPRICE")
        others = [
            ib.placeOrder(put, Order(action="BUY", totalQuantity=1, orderType=kind, tif="DAY"))
            for kind in kinds
        ]
        await settle()
        assert (stop.orderStatus.status, stop.orderStatus.whyHeld) == ("PreSubmitted", "trigger")
        await running.pass_time(minutes=10)
        assert market.orderStatus.status == adaptive.orderStatus.status == "Filled"
        at_close, *pegged = (trade.orderStatus.status for trade in others)
        assert at_close == "PreSubmitted"
        assert set(pegged) <= {"Submitted", "Filled"}  # the market may come to them


async def test_what_if_brings_margins():
    async with running_gateway() as running:
        ib = await running.connect()
        state = await ib.whatIfOrderAsync(await condor(ib), LimitOrder("BUY", 1, -1.0, tif="DAY"))
        assert float(state.initMarginChange) == 5000.0
        assert state.commission > 0
        assert running.exchange.records() == ()
