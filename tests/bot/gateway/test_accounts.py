"""The account as clients see it: equal to the exchange's to the last digit, and kept up to date."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from strategies.model.fills import CashKind
from strategies.model.instruments import parse_symbol
from tests.bot.gateway.running import ACCOUNT, Running, running_gateway
from tests.bot.gateway.wire import Wire
from tests.builders import instant
from tests.ib_client import IB, Contract, Future, LimitOrder, Option

PUT = Option("SPX", "20200320", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")
FUTURE = Future("VIX", "20200318", "CFE", tradingClass="VX")
WEEKLY = Option("SPX", "20200205", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    async with running_gateway() as running:
        yield running


async def trade(running: Running, ib: IB, contract: Contract, action: str, count: int) -> None:
    """Trade at once, whatever it costs."""
    await ib.qualifyContractsAsync(contract)
    [ticker] = await ib.reqTickersAsync(contract)
    reach = 5 if contract.secType == "OPT" else 0.5
    price = ticker.ask + reach if action == "BUY" else ticker.bid - reach
    price = round(round(price / 0.1) * 0.1, 2) if contract.secType == "OPT" else price
    done = ib.placeOrder(contract, LimitOrder(action, count, price, tif="DAY"))
    for _ in range(60):
        await running.pass_time(seconds=10)
        if done.isDone():
            break
    assert done.orderStatus.status == "Filled"


def values_of(ib: IB, currency: str = "USD") -> dict[str, str]:
    return {each.tag: each.value for each in ib.accountValues() if each.currency == currency}


def assert_equals_exchange(values: dict[str, str], running: Running) -> None:
    account = running.exchange.account()
    for key, exact in {
        "NetLiquidation": account.net_liquidation_usd,
        "TotalCashValue": account.cash_usd,
        "TotalCashBalance": account.cash_usd,
        "InitMarginReq": account.initial_margin_usd,
        "MaintMarginReq": account.maintenance_margin_usd,
        "ExcessLiquidity": account.excess_liquidity_usd,
    }.items():
        assert Decimal(values[key]) == exact, key


class TestValues:
    async def test_they_are_the_exchange_s_to_the_last_digit(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 3)
        await trade(running, ib, FUTURE, "SELL", 2)
        await ib.reqCurrentTimeAsync()
        assert_equals_exchange(values_of(ib), running)
        assert Decimal(values_of(ib)["InitMarginReq"]) > 0

    async def test_a_new_subscription_is_always_up_to_date(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 3)
        for _ in range(3):
            await running.pass_time(seconds=70)
            await ib.reqAccountUpdatesAsync(ACCOUNT)
            assert_equals_exchange(values_of(ib), running)
            await ib.reqAccountUpdatesMultiAsync(ACCOUNT)
            assert_equals_exchange(values_of(ib), running)

    async def test_between_trades_they_come_every_three_minutes(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 3)
        seen = values_of(ib)["NetLiquidation"]
        await running.pass_time(seconds=90)
        assert values_of(ib)["NetLiquidation"] == seen
        assert running.exchange.account().net_liquidation_usd != Decimal(seen)
        await running.pass_time(seconds=91)
        assert_equals_exchange(values_of(ib), running)

    async def test_a_settlement_does_not_wait(self, running):
        ib = await running.connect()
        await trade(running, ib, WEEKLY, "BUY", 1)
        await trade(running, ib, FUTURE, "BUY", 1)
        await running.pass_time(to=instant("2020-02-05 15:59:59"))
        await running.pass_time(seconds=1)  # SPXW expires, and futures are marked
        kinds = [each.kind for each in running.exchange.cash_movements(instant("2020-02-05 15:00"))]
        assert set(kinds) == {CashKind.SETTLEMENT, CashKind.VARIATION}
        assert_equals_exchange(values_of(ib), running)
        assert [each.contract.secType for each in ib.positions()] == ["FUT"]
        assert [each.contract.secType for each in ib.portfolio()] == ["FUT"]

    async def test_the_ledger_is_told_by_currency_and_in_the_base(self, running):
        ib = await running.connect()
        for currency in ("USD", "BASE"):
            values = values_of(ib, currency)
            assert values["TotalCashBalance"] == values["CashBalance"] == "1000000"
            assert {"OptionMarketValue", "FuturesPNL", "UnrealizedPnL", "RealizedPnL"} <= set(
                values
            )
        assert values_of(ib, "")["AccountReady"] == "true"

    async def test_a_wrong_account_is_refused(self, running):
        wire = await Wire.started(running.port)
        wire.ask("reqAccountUpdates", subscribe=True, account="DU9")
        wire.ask("reqAccountUpdatesMulti", reqId=5, account="DU9", modelCode="")
        errors = [each.values for each in await wire.fence() if each.kind == "error"]
        assert [(each["reqId"], each["code"]) for each in errors[-2:]] == [(-1, 321), (5, 321)]
        await wire.close()


class TestSummary:
    async def test_ib_insync_s_own_has_every_tag(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 1)
        summary = await ib.accountSummaryAsync()
        values = {each.tag: each.value for each in summary if each.currency == "USD"}
        assert_equals_exchange(values, running)
        asked = {
            *("AccountType", "NetLiquidation", "TotalCashValue", "SettledCash", "AccruedCash"),
            *("BuyingPower", "EquityWithLoanValue", "PreviousDayEquityWithLoanValue", "Cushion"),
            *("GrossPositionValue", "RegTEquity", "RegTMargin", "SMA", "AvailableFunds"),
            *("FullInitMarginReq", "FullMaintMarginReq", "FullAvailableFunds", "Leverage"),
            *("FullExcessLiquidity", "LookAheadNextChange", "LookAheadInitMarginReq"),
            *("LookAheadMaintMarginReq", "LookAheadAvailableFunds", "LookAheadExcessLiquidity"),
            *("HighestSeverity", "DayTradesRemaining", "DayTradesRemainingT+4"),
        }
        assert asked <= {each.tag for each in summary}

    async def test_a_third_one_is_refused_until_one_is_cancelled(self, running):
        wire = await Wire.started(running.port)
        for req_id in (1, 2, 3):
            wire.ask("reqAccountSummary", reqId=req_id, group="All", tags="NetLiquidation")
        answers = await wire.fence()
        assert [e.values["reqId"] for e in answers if e.kind == "accountSummaryEnd"] == [1, 2]
        assert (answers[-1].values["reqId"], answers[-1].values["code"]) == (3, 322)
        wire.ask("cancelAccountSummary", reqId=1)
        wire.ask("reqAccountSummary", reqId=3, group="All", tags="$LEDGER")
        answers = await wire.fence()
        assert {e.values["currency"] for e in answers if e.kind == "accountSummary"} == {"BASE"}
        await wire.close()


class TestPositions:
    async def test_they_change_with_each_trade(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 2)
        await trade(running, ib, PUT, "SELL", 1)
        [position] = ib.positions()
        assert (position.position, position.contract.conId) == (1, PUT.conId)
        await trade(running, ib, PUT, "SELL", 1)
        assert ib.positions() == []
        assert ib.portfolio() == []

    async def test_costs_contain_commissions(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 2)
        [fill] = running.exchange.fills(instant("2020-02-03 09:30"))
        [position] = ib.positions()
        paid = fill.price * 2 * 100 + fill.commission_usd
        assert Decimal(str(position.avgCost)) == paid / 2
        [line] = ib.portfolio()
        value = Decimal(str(line.marketPrice)) * 200
        assert Decimal(str(line.marketValue)) == value
        assert Decimal(str(line.unrealizedPNL)) == value - paid
        assert line.marketPrice == running.exchange.marks()[fill.symbol]

    async def test_the_multi_variant_says_the_same(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 2)
        wire = await Wire.started(running.port, 2)
        wire.ask("reqPositionsMulti", reqId=9, account=ACCOUNT, modelCode="")
        told = {each.kind: each.values for each in await wire.until("positionMultiEnd")}
        assert told["positionMulti"]["position"] == 2
        assert told["positionMulti"]["localSymbol"] == "SPXW  200320P03200000"
        await trade(running, ib, PUT, "SELL", 2)
        news = [each for each in await wire.fence() if each.kind == "positionMulti"]
        assert [each.values["position"] for each in news] == [0]
        await wire.close()


class TestProfitAndLoss:
    async def test_realized_profit_is_what_was_got_less_what_was_paid(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 2)
        await trade(running, ib, PUT, "SELL", 2)
        profit = ib.reqPnL(ACCOUNT)
        await ib.reqCurrentTimeAsync()
        flows = sum(
            each.cash_flow_usd for each in running.exchange.fills(instant("2020-02-03 09:30"))
        )
        assert Decimal(str(profit.realizedPnL)) == flows
        assert Decimal(str(profit.dailyPnL)) == flows
        assert profit.unrealizedPnL == 0

    async def test_daily_profit_is_the_change_of_net_liquidation(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 2)
        await trade(running, ib, FUTURE, "BUY", 1)
        await running.pass_time(to=instant("2020-02-03 23:00"))
        before = running.exchange.account().net_liquidation_usd
        profit = ib.reqPnL(ACCOUNT)
        await running.pass_time(to=instant("2020-02-04 11:00"))
        await trade(running, ib, PUT, "SELL", 1)
        await ib.reqCurrentTimeAsync()
        now = running.exchange.account().net_liquidation_usd
        assert abs(Decimal(str(profit.dailyPnL)) - (now - before)) < Decimal("0.01")

    async def test_one_contract_s_profit_follows_it(self, running):
        ib = await running.connect()
        await trade(running, ib, PUT, "BUY", 2)
        single = ib.reqPnLSingle(ACCOUNT, "", PUT.conId)
        await ib.reqCurrentTimeAsync()
        first = single.unrealizedPnL
        assert single.position == 2
        await running.pass_time(seconds=30)
        mark = running.exchange.marks()[next(iter(running.exchange.positions()))]
        assert single.value == pytest.approx(mark * 200)
        assert single.unrealizedPnL != first
        ib.cancelPnLSingle(ACCOUNT, "", PUT.conId)
        await ib.reqCurrentTimeAsync()

    async def test_a_contract_that_was_never_held_has_none(self, running):
        ib = await running.connect()
        single = ib.reqPnLSingle(ACCOUNT, "", 416904)
        await ib.reqCurrentTimeAsync()
        assert single.position == 0
        assert single.value > 1e300


async def test_what_is_cancelled_is_told_no_more(running):
    ib = await running.connect()
    wire = await Wire.started(running.port, 2)
    account = {"account": ACCOUNT, "modelCode": ""}
    wire.ask("reqAccountUpdates", subscribe=True, account=ACCOUNT)
    wire.ask("reqPositions")
    wire.ask("reqAccountUpdatesMulti", reqId=1, **account, ledgerAndNLV=True)
    wire.ask("reqPositionsMulti", reqId=2, **account)
    wire.ask("reqPnL", reqId=3, **account)
    wire.ask("reqPnLSingle", reqId=4, **account, conId=416904)
    wire.ask("reqAccountSummary", reqId=5, group="All", tags="NetLiquidation,$LEDGER:ALL")
    await wire.fence()
    await trade(running, ib, PUT, "BUY", 1)
    told = {each.kind for each in await wire.fence()}
    assert told == {
        *("updateAccountValue", "updatePortfolio", "updateAccountTime", "position", "pnl"),
        *("accountUpdateMulti", "positionMulti", "accountSummary"),
    }
    wire.ask("reqAccountUpdates", subscribe=False, account=ACCOUNT)
    wire.ask("cancelPositions")
    wire.ask("cancelAccountUpdatesMulti", reqId=1)
    wire.ask("cancelPositionsMulti", reqId=2)
    wire.ask("cancelPnL", reqId=3)
    wire.ask("cancelPnLSingle", reqId=4)
    wire.ask("cancelAccountSummary", reqId=5)
    await trade(running, ib, PUT, "SELL", 1)
    assert await wire.fence() == []
    await wire.close()


async def test_an_expired_contract_realizes_its_value(running):
    ib = await running.connect()
    await trade(running, ib, WEEKLY, "BUY", 1)
    [fill] = running.exchange.fills(instant("2020-02-03 09:30"))
    await running.pass_time(to=instant("2020-02-05 16:00") + timedelta(seconds=1))
    profit = ib.reqPnL(ACCOUNT)
    await asyncio.wait_for(ib.reqCurrentTimeAsync(), 5)
    settlement = running.exchange.cash_movements(instant("2020-02-05 15:00"))[-1]
    assert parse_symbol(settlement.symbol).expiry == parse_symbol(fill.symbol).expiry
    realized = settlement.amount_usd + fill.cash_flow_usd
    assert Decimal(str(profit.realizedPnL)) == realized
