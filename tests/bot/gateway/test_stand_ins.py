"""SPY and its options: a tenth of SPX, traded beside the exchange, seen through a real client."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.gateway.feed.settings import FeedSettings
from strategies.model.instruments import parse_symbol
from tests.bot.gateway.running import ACCOUNT, CASH, FAST, Running, running_gateway, settle
from tests.builders import instant
from tests.ib_client import (
    IB,
    ComboLeg,
    Contract,
    LimitOrder,
    MarketOrder,
    Option,
    Stock,
    StopOrder,
    Trade,
)

SHARE = Stock("SPY", "SMART", "USD", primaryExchange="ARCA")
WEEKLY = ("20200207", 320.0, "P")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway(settings=replace(FAST, feed=FeedSettings())) as running:
        yield running


@pytest.fixture
async def ib(running) -> IB:
    return await running.connect()


@pytest.fixture
def errors(ib) -> list[tuple[int, int]]:
    """Order ids and codes of what went wrong."""
    said: list[tuple[int, int]] = []
    ib.errorEvent += lambda req_id, code, text, contract: said.append((req_id, code))
    return said


async def option(ib: IB, *terms: Any) -> Option:
    (found,) = await ib.qualifyContractsAsync(Option("SPY", *(terms or WEEKLY), "SMART"))
    return found


async def share(ib: IB) -> Stock:
    (found,) = await ib.qualifyContractsAsync(SHARE)
    return found


async def order(ib: IB, contract: Contract, wanted: Any, **fields: Any) -> Trade:
    for name, value in ({"tif": "DAY"} | fields).items():
        setattr(wanted, name, value)
    trade = ib.placeOrder(contract, wanted)
    await ib.reqCurrentTimeAsync()
    await settle()
    return trade


def values_of(ib: IB) -> dict[str, str]:
    return {each.tag: each.value for each in ib.accountValues() if each.currency == "USD"}


class TestContracts:
    async def test_an_option_is_found_however_it_is_described(self, ib):
        found = await option(ib)
        assert found.localSymbol == "SPY   200207P00320000"
        assert (found.tradingClass, found.multiplier) == ("SPY", "100")
        for way in (
            Contract(conId=found.conId),
            Contract(secType="OPT", localSymbol=found.localSymbol, exchange="SMART"),
            Option("SPY", "20200207", 320, "PUT", "CBOE", tradingClass="SPY", currency="USD"),
        ):
            (again,) = await ib.reqContractDetailsAsync(way)
            assert again.contract.conId == found.conId
            assert again.underConId == (await share(ib)).conId
            assert again.realExpirationDate == "20200207"
            assert "LMT" in again.orderTypes

    async def test_tenths_of_strikes_that_are_not_listed_do_not_exist(self, ib, errors):
        for terms in (("20200207", 320.25, "P"), ("20200207", 999.5, "C"), ("20200209", 320, "P")):
            assert await ib.reqContractDetailsAsync(Option("SPY", *terms, "SMART")) == []
        assert {code for _, code in errors} == {200}

    async def test_the_chain_is_that_of_spxw_with_a_tenth_of_its_strikes(self, ib):
        stock = await share(ib)
        (spx,) = await ib.qualifyContractsAsync(Contract(secType="IND", symbol="SPX"))
        chains = await ib.reqSecDefOptParamsAsync("SPY", "", "STK", stock.conId)
        whole = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", spx.conId)
        assert {(each.exchange, each.tradingClass) for each in chains} == {
            ("SMART", "SPY"),
            ("CBOE", "SPY"),
        }
        weeklies = next(each for each in whole if each.tradingClass == "SPXW")
        assert chains[0].expirations == weeklies.expirations
        assert [10 * each for each in chains[0].strikes] == weeklies.strikes
        series = Option("SPY", "20200207", exchange="SMART")
        details = await ib.reqContractDetailsAsync(series)
        same = Option("SPX", "20200207", exchange="SMART", tradingClass="SPXW")
        assert len(details) == len(await ib.reqContractDetailsAsync(same)) > 20
        assert {each.contract.strike for each in details} <= set(chains[0].strikes)


class TestPrices:
    async def test_quotes_and_greeks_are_a_tenth_of_the_index_option_s(self, running, ib):
        whole = Option("SPX", "20200207", 3200, "P", "SMART", tradingClass="SPXW")
        await ib.qualifyContractsAsync(whole)
        tenth, one = ib.reqMktData(await option(ib), "101"), ib.reqMktData(whole)
        await running.pass_time(seconds=1)
        assert one.bid / 10 - 0.01 < tenth.bid <= one.bid / 10 + 1e-9
        assert one.ask / 10 - 1e-9 <= tenth.ask < one.ask / 10 + 0.01
        mine, its = tenth.modelGreeks, one.modelGreeks
        assert mine.delta == its.delta
        assert mine.impliedVol == its.impliedVol
        assert mine.gamma == pytest.approx(10 * its.gamma)
        for name in ("vega", "theta", "optPrice", "undPrice"):
            assert getattr(mine, name) == pytest.approx(getattr(its, name) / 10)
        assert tenth.putOpenInterest == 1000

    async def test_a_share_has_the_close_of_the_index(self, running, ib):
        ticker = ib.reqMktData(await share(ib))
        await running.pass_time(seconds=1)
        closes = running.exchange.market.closes("SPX", running.clock.now().date())
        assert ticker.close == pytest.approx(closes.close[-1] / 10, abs=0.005)

    async def test_an_option_has_no_bars(self, ib, errors):
        assert not await ib.reqHistoricalDataAsync(
            await option(ib), "", "5 D", "1 day", "TRADES", True
        )
        assert {code for _, code in errors} == {162}


class TestOrders:
    async def test_market_orders_fill_at_the_far_side(self, running, ib):
        contract = await option(ib)
        (ticker,) = await ib.reqTickersAsync(contract)
        bought = await order(ib, contract, MarketOrder("BUY", 3))
        sold = await order(ib, contract, MarketOrder("SELL", 1))
        assert bought.orderStatus.status == sold.orderStatus.status == "Filled"
        assert bought.orderStatus.avgFillPrice == ticker.ask
        assert sold.orderStatus.avgFillPrice == ticker.bid
        (fill,) = bought.fills
        assert (fill.execution.side, fill.execution.shares) == ("BOT", 3)
        assert fill.commissionReport.commission == pytest.approx(1.95)
        (fill,) = sold.fills
        loss = (ticker.bid - ticker.ask) * 100 - 0.65 - 1.00
        assert fill.commissionReport.realizedPNL == pytest.approx(loss)

    async def test_a_limit_rests_is_changed_and_fills(self, running, ib):
        contract = await option(ib)
        (ticker,) = await ib.reqTickersAsync(contract)
        trade = await order(ib, contract, LimitOrder("BUY", 1, round(ticker.bid - 0.2, 2)))
        await running.pass_time(seconds=5)
        assert trade.orderStatus.status == "Submitted"
        other = await running.connect(2)
        (seen,) = await other.reqAllOpenOrdersAsync()
        assert seen.orderStatus.permId == trade.orderStatus.permId
        trade.order.lmtPrice = round(ticker.ask + 0.5, 2)
        ib.placeOrder(contract, trade.order)
        await settle()
        assert trade.orderStatus.status == "Filled"
        assert trade.orderStatus.avgFillPrice <= trade.order.lmtPrice

    async def test_an_adaptive_order_fills_at_the_middle(self, ib):
        contract = await option(ib)
        (ticker,) = await ib.reqTickersAsync(contract)
        wanted = LimitOrder("SELL", 1, ticker.bid, algoStrategy="Adaptive")
        trade = await order(ib, contract, wanted)
        assert ticker.bid < trade.orderStatus.avgFillPrice < ticker.ask + 0.005
        assert trade.orderStatus.avgFillPrice == pytest.approx(ticker.midpoint(), abs=0.0051)

    async def test_what_does_not_fill_ends_with_its_time(self, running, ib):
        contract = await option(ib)
        at_once = await order(ib, contract, LimitOrder("BUY", 1, 0.01), tif="IOC")
        assert at_once.orderStatus.status == "Cancelled"
        day = await order(ib, contract, LimitOrder("BUY", 1, 0.01))
        good = await order(ib, contract, LimitOrder("BUY", 1, 0.01), tif="GTC")
        by_hand = await order(ib, contract, LimitOrder("BUY", 1, 0.01))
        ib.cancelOrder(by_hand.order)
        await settle()
        assert by_hand.orderStatus.status == "Cancelled"
        await running.pass_time(to=instant("2020-02-03 17:00"))
        assert (day.orderStatus.status, good.orderStatus.status) == ("Cancelled", "Submitted")
        night = await order(ib, contract, MarketOrder("BUY", 1))
        assert night.orderStatus.status == "PreSubmitted"
        await running.pass_time(to=instant("2020-02-04 10:00"))
        assert night.orderStatus.status == "Filled"
        ib.reqGlobalCancel()
        await settle()
        assert good.orderStatus.status == "Cancelled"
        assert len(await ib.reqCompletedOrdersAsync(False)) == 2  # of today

    async def test_what_is_not_taken_is_refused(self, running, ib, errors):
        contract = await option(ib)
        stop = await order(ib, contract, StopOrder("SELL", 1, 1.0))
        off_tick = await order(ib, contract, LimitOrder("BUY", 1, 1.005))
        apple = await order(ib, Stock("AAPL", "SMART", "USD"), LimitOrder("BUY", 1, 10))
        leg = ComboLeg(conId=contract.conId, ratio=1, action="BUY", exchange="SMART")
        bag = Contract(
            symbol="SPY", secType="BAG", exchange="SMART", currency="USD", comboLegs=[leg]
        )
        combo = await order(ib, bag, LimitOrder("BUY", 1, 1))
        ids = [each.order.orderId for each in (stop, off_tick, apple, combo)]
        assert errors == list(zip(ids, (387, 110, 203, 203), strict=True))
        assert await ib.reqAllOpenOrdersAsync() == []

    async def test_order_ids_are_those_of_all_orders(self, running, ib, errors):
        contract = await option(ib)
        mine = await order(ib, contract, MarketOrder("BUY", 1), orderId=40)
        again = await running.connect(1_000)
        again.disconnect()
        ib.client.placeOrder(40, contract, LimitOrder("BUY", 1, 0.01))
        await settle()
        assert errors == [(40, 104)]
        ib.disconnect()
        await settle()
        back = await running.connect(1)
        assert back.client.getReqId() > mine.order.orderId
        (fill,) = back.fills()
        assert fill.contract.symbol == "SPY"


class TestAccount:
    async def test_it_is_the_exchange_s_with_the_stand_ins_added(self, running, ib):
        stock = await share(ib)
        trade = await order(ib, stock, MarketOrder("BUY", 100))
        put = await option(ib)
        sold = await order(ib, put, MarketOrder("SELL", 2))
        await ib.reqAccountUpdatesAsync(ACCOUNT)
        paid = Decimal(str(trade.orderStatus.avgFillPrice)) * 100 + 1
        got = Decimal(str(sold.orderStatus.avgFillPrice)) * 200 - Decimal("1.30")
        values = values_of(ib)
        assert Decimal(values["TotalCashValue"]) == CASH - paid + got
        held = {each.contract.conId: each for each in ib.portfolio()}
        worth = sum(Decimal(repr(each.marketValue)) for each in held.values())
        assert Decimal(values["NetLiquidation"]) == CASH - paid + got + worth
        assert float(values["StockMarketValue"]) == held[stock.conId].marketValue
        assert float(values["OptionMarketValue"]) == held[put.conId].marketValue < 0
        margin = Decimal(values["MaintMarginReq"])
        stock_margin = Decimal(repr(held[stock.conId].marketValue)) / 4
        assert float(margin - stock_margin) == pytest.approx(0.2 * 200 * 324, rel=0.02)
        assert Decimal(values["ExcessLiquidity"]) == Decimal(values["NetLiquidation"]) - margin
        assert {each.contract.conId: each.position for each in ib.positions()} == {
            stock.conId: 100,
            put.conId: -2,
        }
        assert running.exchange.account().net_liquidation_usd == CASH
        assert running.exchange.positions() == {}

    async def test_profit_and_loss(self, running, ib):
        put = await option(ib)
        trade = await order(ib, put, MarketOrder("BUY", 1))
        single = ib.reqPnLSingle(ACCOUNT, "", put.conId)
        total = ib.reqPnL(ACCOUNT)
        never = ib.reqPnLSingle(ACCOUNT, "", (await share(ib)).conId)
        await settle()
        paid = trade.orderStatus.avgFillPrice * 100 + 1
        assert single.position == 1
        assert single.unrealizedPnL == pytest.approx(single.value - paid)
        assert single.dailyPnL == total.dailyPnL == single.unrealizedPnL
        assert never.position == 0
        mark = single.value
        await running.pass_time(to=instant("2020-02-03 17:00"))
        close = single.value
        assert close != mark
        await running.pass_time(to=instant("2020-02-04 11:00"))
        assert single.dailyPnL == pytest.approx(single.value - close)

    async def test_an_option_settles_in_cash(self, running, ib):
        put = await option(ib, "20200203", 330.0, "P")
        trade = await order(ib, put, MarketOrder("SELL", 1))
        await running.pass_time(to=instant("2020-02-03 15:00"))
        late = await order(ib, put, LimitOrder("BUY", 1, 0.01))
        await running.pass_time(to=instant("2020-02-03 16:30"))
        assert late.orderStatus.status == "Cancelled"
        whole = parse_symbol("SPXW  200203P03300000")
        index = Decimal(repr(running.exchange.market.settlement_value(whole)))
        owed = (Decimal(3300) - index) * 10
        assert owed > 0
        got = Decimal(str(trade.orderStatus.avgFillPrice)) * 100 - 1
        await ib.reqAccountUpdatesAsync(ACCOUNT)
        assert Decimal(values_of(ib)["TotalCashValue"]) == CASH + got - owed
        assert ib.positions() == []
        assert ib.portfolio() == []
