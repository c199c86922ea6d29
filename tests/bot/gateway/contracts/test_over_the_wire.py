"""Contracts and bars as a real ib_insync gets them from a real gateway over a socket."""

from datetime import date

import pytest

from tests.bot.gateway.running import running_gateway
from tests.ib_client import IS_IB_ASYNC, Contract, Forex, Future, Index, Option, Stock

SPX = Index("SPX", "CBOE", "USD")


async def refusal(ib, asked):
    """Return the code and text of the error a request ends with."""
    ib.RaiseRequestErrors = True
    with pytest.raises(Exception, match=r"API error") as refused:
        await asked
    return refused.value.code, refused.value.message


async def test_one_request_returns_a_whole_series():
    async with running_gateway() as running:
        ib = await running.connect()
        series = Contract(
            secType="OPT", symbol="SPX", tradingClass="SPXW", exchange="SMART", currency="USD"
        )
        found = await ib.reqContractDetailsAsync(series)

        quotes = running.exchange.market.quotes_at(running.clock.now()).spx_options
        listed = {
            f"{quotes.series[index].expiry:%y%m%d}{right}{round(strike * 1000):08d}"
            for index, strike in zip(quotes.series_index, quotes.strike, strict=True)
            for right in "CP"
            if quotes.series[index].root == "SPXW"
        }
        assert {details.contract.localSymbol[6:] for details in found} == listed


@pytest.mark.parametrize(
    ("asked", "local_symbol"),
    [
        (SPX, "SPX"),
        (Option("SPXW", "20200417", 2900, "Put", "SMART", tradingClass="SPXW"), None),
        (Option("SPX", "20200416", 2900, "C", "CBOE", tradingClass="SPX"), None),
        (Future("VIX", "202004", "CFE", tradingClass="VX"), "VXJ0"),
        (Forex("EURUSD"), "EUR.USD"),
        (Stock("SPY", "SMART", "USD"), "SPY"),
    ],
)
async def test_contracts_are_qualified(asked, local_symbol):
    async with running_gateway() as running:
        ib = await running.connect()
        (qualified,) = await ib.qualifyContractsAsync(asked)

        assert qualified.conId
        if local_symbol:
            assert qualified.localSymbol == local_symbol
        again = await ib.reqContractDetailsAsync(Contract(conId=qualified.conId))
        assert [details.contract.conId for details in again] == [qualified.conId]


async def test_the_chain_parameters_name_series_that_exist():
    async with running_gateway() as running:
        ib = await running.connect()
        params = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", 416904)
        am = next(each for each in params if (each.exchange, each.tradingClass) == ("SMART", "SPX"))

        series = Option("SPX", am.expirations[0], exchange="SMART", tradingClass="SPX")
        found = await ib.reqContractDetailsAsync(series)

        assert found
        assert {details.contract.strike for details in found} <= set(am.strikes)
        assert {details.contract.lastTradeDateOrContractMonth for details in found} == {
            am.expirations[0]
        }


async def test_rules_and_samples():
    async with running_gateway() as running:
        ib = await running.connect()
        (details,) = await ib.reqContractDetailsAsync(
            Option("SPX", "20200417", 2900, "P", "SMART", tradingClass="SPXW")
        )
        rule = await ib.reqMarketRuleAsync(int(details.marketRuleIds.split(",")[0]))
        assert [(each.lowEdge, each.increment) for each in rule] == [(0.0, 0.05), (3.0, 0.1)]

        samples = await ib.reqMatchingSymbolsAsync("VIX")
        assert samples[0].contract.conId == 13455763
        assert samples[0].derivativeSecTypes == ["OPT", "FUT"]


async def test_bars():
    async with running_gateway() as running:
        ib = await running.connect()
        today = running.clock.now().date()
        bars = await ib.reqHistoricalDataAsync(SPX, "", "2 Y", "1 day", "TRADES", True)
        assert bars[-1].date == today
        closes = running.exchange.market.closes("SPX", today)
        assert bars[-2].close == closes.close[-1]

        minutes = await ib.reqHistoricalDataAsync(SPX, "", "1 D", "1 min", "TRADES", True, 2)
        assert minutes[-1].date <= running.clock.now()
        assert minutes[0].date.date() == today

        probe = await ib.reqHistoricalDataAsync(
            Forex("EURUSD"), "", "30 S", "5 secs", "MIDPOINT", False
        )
        assert len(probe) == 6

        first = await ib.reqHeadTimeStampAsync(SPX, "TRADES", True, 1)
        assert first.date() == date(1990, 1, 2)
        schedule = await ib.reqHistoricalScheduleAsync(SPX, 3)
        assert schedule.timeZone == "US/Central"
        assert schedule.sessions[-1].refDate == f"{today:%Y%m%d}"


async def test_refusals_carry_ibs_codes():
    async with running_gateway() as running:
        ib = await running.connect()
        unknown = ib.reqContractDetailsAsync(Index("NDX", "CBOE"))
        assert await refusal(ib, unknown) == (
            200,
            "No security definition has been found for the request",
        )
        if not IS_IB_ASYNC:  # it takes 321 for a remark, and waits on
            unreadable = Contract(secType="OPT", symbol="SPX", right="X")
            assert (await refusal(ib, ib.reqContractDetailsAsync(unreadable)))[0] == 321
        no_bids = ib.reqHistoricalDataAsync(SPX, "", "1 D", "1 day", "BID", True)
        code, text = await refusal(ib, no_bids)
        assert code == 162
        assert text.endswith("error message:HMDS query returned no data: SPX@CBOE Bid")
