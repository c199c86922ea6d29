"""Contracts are asked for once, a series in one request, and what is wrong is said."""

from datetime import date, timedelta

import pytest

from bot.brokers.ib.bulk_details import BulkDetails, DetailRow
from bot.brokers.ib.contracts import ContractAmbiguous, ContractUnknown, series_contract
from bot.brokers.ib.library import Contract, ContractDetails, Position, RequestError
from bot.brokers.ib.listing import read_listing
from bot.errors import BrokerUnavailable
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from strategies.model.instruments import parse_symbol
from tests.bot.brokers.ib.data_bench import (
    APPETITE,
    DataBench,
    assert_same_market,
    data_bench,
)
from tests.bot.brokers.ib.worlds import calendar
from tests.builders import AT, instrument

CONDOR = [
    instrument(text)
    for text in (
        "SPXW 20MAR20 3000 P",
        "SPXW 20MAR20 3050 P",
        "SPXW 20MAR20 3400 C",
        "VIX 18MAR20 22 C",
        "VX 18MAR20",
    )
]


def requests_sent(bench: DataBench) -> int:
    return bench.data.ib.client.conn.numMsgSent


async def test_instruments_are_qualified_once():
    async with data_bench() as bench:
        found = await bench.qualifier.qualify(CONDOR)
        assert list(found) == [each.symbol for each in CONDOR]
        sent = requests_sent(bench)
        again = await bench.qualifier.qualify([*CONDOR, CONDOR[0]])
        assert requests_sent(bench) == sent
        for each in CONDOR:
            assert again[each.symbol] is found[each.symbol]
            assert bench.qualifier.instrument(found[each.symbol]) == each
            book = bench.running.gateway.parts.contracts
            assert book.of(each).con_id == found[each.symbol].conId


async def test_a_whole_series_is_one_request_and_the_listing_s_own():
    async with data_bench() as bench:
        await bench.data.ready()
        sent = requests_sent(bench)
        (rows,) = await bench.qualifier.series("SPXW", "20200320")
        assert requests_sent(bench) == sent + 1
        chain = bench.in_process().spx_options
        index = chain.find_series("SPXW", date(2020, 3, 20))
        assert index is not None
        strikes = {float(parse_symbol(symbol).strike) for symbol in rows.symbols}  # type: ignore[union-attr]
        assert strikes == set(chain.strike[chain.rows_of(index)])
        sent = requests_sent(bench)
        await bench.qualifier.qualify([parse_symbol(symbol) for symbol in rows.symbols])
        assert requests_sent(bench) == sent


async def test_expiries_are_ib_s_expirations_never_its_last_trade_dates():
    async with data_bench() as bench:
        classes = {each.root: each.last_trades for each in await bench.qualifier.expirations("SPX")}
        assert "20200319" in classes["SPX"]  # Thursday
        (rows,) = await bench.qualifier.series("SPX", "20200319")
        assert rows.expiry == date(2020, 3, 20)
        (rows,) = await bench.qualifier.series("VIX", "20200317")
        assert rows.expiry == date(2020, 3, 18)


async def test_a_series_nobody_lists_is_empty():
    async with data_bench() as bench:
        assert await bench.qualifier.series("SPXW", "20200321") == ()


async def test_a_strike_ib_does_not_have_is_named_with_what_to_look_at():
    async with data_bench() as bench:
        odd = instrument("SPXW 20MAR20 3001 P")
        with pytest.raises(ContractUnknown, match=r"no contract 'SPXW  200320P03001000'.*expired"):
            await bench.qualifier.qualify([odd])
        assert await bench.qualifier.find(odd) is None
        assert await bench.qualifier.index("SPQ") is None


async def test_several_contracts_where_one_is_meant_are_named():
    """Fault D19: SPX and SPXW share a date; exactly one contract must be meant."""
    async with data_bench() as bench:
        ib = await bench.data.ready()
        ask = ib.reqContractDetailsAsync

        async def twice(contract: Contract) -> list[ContractDetails]:
            (found,) = await ask(contract)
            values = found.contract.__dict__ | {"conId": 99, "exchange": "CBOE"}
            copy = ContractDetails(contract=Contract(**values))
            return [found, copy]

        ib.reqContractDetailsAsync = twice
        with pytest.raises(
            ContractAmbiguous, match=r"several contracts .* SMART .* CBOE \(conId 99"
        ):
            await bench.qualifier.qualify([CONDOR[0]])
        with pytest.raises(ContractAmbiguous, match="several contracts for SPX"):
            await bench.qualifier.index("SPX")


async def test_other_terms_than_the_bot_reckons_with_are_refused():
    """Fault D20: the terms of a contract have changed overnight."""
    async with data_bench() as bench:
        ib = await bench.data.ready()
        ask = ib.reqContractDetailsAsync

        async def mini(contract: Contract) -> list[ContractDetails]:
            found = await ask(contract)
            for each in found:
                each.contract.multiplier = "10"
            return found

        ib.reqContractDetailsAsync = mini
        with pytest.raises(ContractUnknown, match="its multiplier is 10, expected 100"):
            await bench.qualifier.qualify([CONDOR[0]])


async def test_bulk_details_are_the_library_s_own():
    async with data_bench() as bench:
        ib = await bench.data.ready()
        contract = series_contract("VIX", "20200317")
        full = await ib.reqContractDetailsAsync(contract)
        rows = await BulkDetails(bench.data, ib).ask(contract, "the chain", within_s=5)
        assert [
            (row.con_id, row.local_symbol, row.last_trade, row.multiplier, row.trading_class)
            for row in rows
        ] == [
            (
                each.contract.conId,
                each.contract.localSymbol,
                each.contract.lastTradeDateOrContractMonth,
                each.contract.multiplier,
                each.contract.tradingClass,
            )
            for each in full
        ]
        assert {row.currency for row in rows} == {"USD"}
        # and what is not asked in bulk goes the library's way
        assert len(await ib.reqContractDetailsAsync(contract)) == len(full)


async def test_a_listing_is_all_of_the_session_or_what_the_rules_may_want():
    async with data_bench() as bench:
        everything = await read_listing(
            bench.qualifier,
            calendar(),
            AT.date(),
            appetite=None,
            held=(),
            progress=bench.progress.append,
        )
        quotes = bench.in_process()
        listed = [
            (each.root, each.expiry)
            for chain in (quotes.spx_options, quotes.vix_options)
            for each in chain.series
        ]
        assert sorted((each.root, each.expiry) for each in everything.series) == sorted(listed)
        assert everything.futures == tuple(each.contract for each in quotes.futures)
        held = instrument("SPXW 20MAR20 3000 P")
        wanted = await read_listing(
            bench.qualifier,
            calendar(),
            AT.date(),
            appetite=APPETITE,
            held=[held],
            progress=bench.progress.append,
        )
        assert set(wanted.series) < set(everything.series)
        found = {(each.root, each.expiry) for each in wanted.series}
        for root, expiry in listed:
            if APPETITE.wants(root, (expiry - AT.date()).days):
                assert (root, expiry) in found
        assert ("SPXW", held.expiry) in found


async def test_an_answer_without_an_end_is_no_answer():
    """Fault D5: a chain that was loaded in part is no chain."""
    fault = PlannedFault(
        kind=FaultKind.END_MISSING, matching={"message_kind": "contractDetailsEnd"}, times=None
    )
    async with data_bench(faults=FaultPlan([fault], seed=1)) as bench:
        ib = await bench.data.ready()
        bulk = BulkDetails(bench.data, ib)
        with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.2 s: the chain"):
            await bulk.ask(series_contract("VIX", "20200317"), "the chain", within_s=0.2)


async def test_ids_of_yesterday_serve_today():
    async with data_bench() as bench:
        found = await bench.qualifier.qualify(CONDOR)
        bench.move_to(AT + timedelta(days=1))
        await bench.market_data.fetch_market()
        for symbol, contract in found.items():
            assert bench.qualifier.known(symbol) is contract


class ScriptedDetails:
    """Answers requests for a series with given rows, or refuses them."""

    def __init__(self, rows: list[DetailRow], refusal: RequestError | None = None) -> None:
        self._rows = rows
        self._refusal = refusal

    async def ask(self, contract: Contract, about: str, *, within_s: float) -> list[DetailRow]:
        if self._refusal is not None:
            raise self._refusal
        return self._rows


def row(symbol: str, **changes: object) -> DetailRow:
    usual = DetailRow(
        con_id=int(symbol[13:]),
        local_symbol=symbol,
        last_trade="20200320",
        trading_class=symbol[:4],
        multiplier="100",
        currency="USD",
    )
    return usual._replace(**changes)


async def test_rows_that_are_not_what_they_should_be_are_left_out():
    async with data_bench() as bench:
        ib = await bench.data.ready()
        good = "SPXW  200320P03000000"
        rows = [
            row(good),
            row("XSP   200320P00300000"),
            row("SPXW  200320P03010000", multiplier="10"),
            row("SPXW  200320P03020000", currency="EUR"),
        ]
        bench.qualifier._bulk = (ib, ScriptedDetails(rows))
        (series,) = await bench.qualifier.series("SPXW", "20200320")
        assert series.symbols == (good,)
        other = row(good, con_id=77_777)
        bench.qualifier._bulk = (ib, ScriptedDetails([other]))  # an id that has changed
        await bench.qualifier.series("SPXW", "20200320")
        known = bench.qualifier.known(good)
        assert known is not None
        assert known.conId == 77_777


async def test_a_refusal_of_a_series_is_told_in_ib_s_words():
    async with data_bench() as bench:
        ib = await bench.data.ready()
        refusal = RequestError(1, 321, "Error validating request")
        bench.qualifier._bulk = (ib, ScriptedDetails([], refusal))
        with pytest.raises(ContractUnknown, match=r"Error validating request \(321\)"):
            await bench.qualifier.series("SPXW", "20200320")

        async def refuse(*arguments: object) -> None:
            raise refusal

        ib.reqSecDefOptParamsAsync = refuse
        with pytest.raises(ContractUnknown, match=r"option chain of SPX: IB says .* \(321\)"):
            await bench.qualifier.expirations("SPX")
        ib.reqContractDetailsAsync = refuse
        with pytest.raises(ContractUnknown, match=r"the futures of VX: IB says .* \(321\)"):
            await bench.qualifier.futures("VX")


async def test_contracts_that_are_not_traded_here_are_passed_over():
    async with data_bench() as bench:
        ib = await bench.data.ready()
        ask = ib.reqContractDetailsAsync
        weekly = Contract(
            secType="FUT", conId=5, symbol="VIX", localSymbol="VX06G0", tradingClass="VX06"
        )
        mini = Contract(secType="OPT", conId=6, symbol="XSP", localSymbol="XSP   200320P00300000")

        async def with_others(contract: Contract) -> list[ContractDetails]:
            strangers = [ContractDetails(contract=weekly), ContractDetails(contract=mini)]
            return [*strangers, *(await ask(contract))]

        ib.reqContractDetailsAsync = with_others
        futures = await bench.qualifier.futures("VX")
        assert futures
        assert {each.root for each in futures} == {"VX"}
        found = await bench.qualifier.qualify([CONDOR[0]])
        assert bench.qualifier.instrument(found[CONDOR[0].symbol]) == CONDOR[0]


async def test_a_position_in_something_else_is_not_streamed():
    async with data_bench() as bench:
        ib = await bench.data.ready()
        stock = Position(bench.data.settings.account, Contract(secType="STK", symbol="SPY"), 1, 2.0)
        ib.positions = lambda account="": [stock]
        assert_same_market(await bench.market_data.fetch_market(), bench.in_process())
