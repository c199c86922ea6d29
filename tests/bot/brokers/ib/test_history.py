"""Daily bars over the wire: closes, what bundled history lacks, and settlement values."""

from datetime import date, time
from decimal import Decimal

import numpy as np
import pytest

from bot.brokers.ib.cash import derived_cash
from bot.brokers.ib.contracts import ContractUnknown
from bot.brokers.ib.history import IbHistory, IbSettlementPrices
from bot.exchange.settlement import final_value
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from strategies.model.calendars import at_exchange
from strategies.model.snapshots import HISTORY_FROM
from tests.bot.brokers.ib.data_bench import DataBench, data_bench
from tests.bot.brokers.ib.test_cash import BEGINNING, trade
from tests.bot.brokers.ib.worlds import calendar, history, spring
from tests.builders import AT, instrument

MONDAY = AT.date()


def prices(bench: DataBench) -> IbSettlementPrices:
    return IbSettlementPrices(bench.bars, bench.qualifier, bench.running.clock)


async def test_closes_are_those_of_the_market():
    async with data_bench() as bench:
        for name in ("SPX", "VVIX", "SKEW"):
            found = await bench.market_data.fetch_closes(name, MONDAY)
            expected = spring().closes(name, MONDAY)
            assert found is not None
            assert expected is not None
            since = expected.day >= np.datetime64(HISTORY_FROM)
            kept = found.day >= np.datetime64(HISTORY_FROM)
            assert np.array_equal(found.day[kept], expected.day[since])
            assert np.array_equal(found.close[kept], expected.close[since])
            assert await bench.market_data.fetch_closes(name, MONDAY) is found


async def test_an_index_ib_does_not_have_has_no_closes():
    async with data_bench() as bench:
        assert await bench.market_data.fetch_closes("DBAA", MONDAY) is None


async def test_history_is_the_same_object_all_session():
    async with data_bench() as bench:
        found = await bench.market_data.fetch_history(MONDAY)
        assert found is await bench.market_data.fetch_history(MONDAY)
        assert found is bench.running.exchange.market.history(MONDAY)


async def test_days_that_bundled_history_lacks_are_asked_of_ib():
    session = date(2020, 3, 20)
    async with data_bench(at=at_exchange(session, time(10))) as bench:
        whole = spring().history(session)
        ends_early = IbHistory(
            bench.bars,
            bench.qualifier,
            calendar(),
            lambda before: spring().history(date(2020, 3, 9)),
            tops_up=True,
        )
        found = await ends_early.before(session)
        assert np.array_equal(found.session, whole.session)
        for name in ("spx_close", "vix_close", "vvix_close", "vx2_days"):
            assert np.array_equal(getattr(found, name), getattr(whole, name), equal_nan=True), name
        missing = whole.session >= np.datetime64("2020-03-09")
        settled = ~np.isnan(found.vx1_settle)
        assert np.array_equal(found.vx1_settle[settled], whole.vx1_settle[settled])
        assert settled[missing][-1]
        assert np.isnan(found.net_breadth[missing]).all()
        assert await ends_early.before(session) is found


async def test_history_that_lacks_nothing_is_left_alone():
    async with data_bench(tops_up=True) as bench:
        known = bench.running.exchange.market.history(MONDAY)
        assert await bench.market_data.fetch_history(MONDAY) is known


@pytest.mark.parametrize(
    "text",
    [
        "SPXW 5FEB20 3300 P",
        "SPXW 21FEB20 3300 P",
        "SPX 21FEB20 3300 C",
        "VIX 19FEB20 15 C",
        "VX 19FEB20",
    ],
)
async def test_settlement_values_are_those_of_the_market_at_the_instant_they_are_due(text):
    each = instrument(text)
    due = at_exchange(each.expiry, time(16) if each.root == "SPXW" else time(9, 30))
    async with data_bench(at=due) as bench:
        value = await prices(bench).settlement_value(each)
        assert value is not None
        assert final_value(value) == final_value(spring().settlement_value(each))


async def test_nothing_is_told_of_a_settlement_before_its_day():
    each = instrument("VIX 19FEB20 15 C")
    async with data_bench(at=at_exchange(date(2020, 2, 18), time(16))) as bench:
        assert await prices(bench).settlement_value(each) is None


async def test_daily_settlements_are_those_of_the_market():
    each = instrument("VX 18MAR20")
    session = date(2020, 2, 26)
    async with data_bench(at=at_exchange(session, time(16))) as bench:
        found = await prices(bench).daily_settle(each, session)
        assert found == spring().daily_settle(each, session)
        bench.move_to(at_exchange(date(2020, 2, 28), time(11)))
        assert await prices(bench).daily_settle(each, session) == found


async def test_an_index_without_which_nothing_settles_is_named():
    async with data_bench() as bench:
        asking = prices(bench)

        async def nothing(name: str) -> None:
            return None

        bench.qualifier.index = nothing  # type: ignore[method-assign]
        with pytest.raises(ContractUnknown, match="no index VRO, to which VIX"):
            await asking.settlement_value(instrument("VIX 19FEB20 15 C"))


class Books:
    """A ledger with nothing on record."""

    def fills_since(self, at):
        return ()

    def external_fills_since(self, at):
        return ()

    def cash_movements_since(self, at):
        return ()


async def test_cash_derived_over_the_wire_is_the_exchange_s_own():
    legs = ("+1 VX 19FEB20", "+1 VIX 19FEB20 14 C", "-1 VX 18MAR20", "+1 SPX 21FEB20 3300 P")
    async with data_bench(at=at_exchange(spring().first_session, time(9))) as bench:
        exchange = bench.running.exchange
        cash = derived_cash(
            Books(),
            account_id=exchange.account_id,
            session=spring().first_session,
            cash_usd=exchange.account().cash_usd,
            calendar=calendar(),
            prices=prices(bench),
        )
        for number, each in enumerate(legs):
            trade(exchange, at_exchange(date(2020, 2, 10), time(10, number)), each, 2, number)
        for session in calendar().sessions_between(date(2020, 2, 11), date(2020, 2, 24)):
            for hour, minute in ((9, 30), (16, 0)):
                bench.move_to(at_exchange(session, time(hour, minute)))
                exchange.advance_to(bench.now)
                if bench.now == at_exchange(date(2020, 2, 18), time(9, 30)):
                    trade(exchange, bench.now, "+1 SPXW 21FEB20 3380 P", 3, 9)
                cash.take(exchange.fills(BEGINNING))
                found = await cash.movements(BEGINNING, bench.now)
                assert found == exchange.cash_movements(BEGINNING)
        total = sum((each.amount_usd for each in found), Decimal(0))
        total += sum((each.cash_flow_usd for each in exchange.fills(BEGINNING)), Decimal(0))
        assert total == exchange.account().cash_usd
        assert len({each.kind for each in found}) == 3


async def test_a_history_farm_that_is_down_is_said():
    fault = PlannedFault(kind=FaultKind.HISTORY_FARM_DOWN, at=AT, details={"seconds": 600})
    async with data_bench(faults=FaultPlan([fault], seed=1)) as bench:
        await bench.data.fence()
        found = await bench.market_data.fetch_closes("SPX", MONDAY)
        assert found is None or not len(found.close)


def test_the_bundled_history_has_what_these_tests_compare_with():
    assert history().daily("SPX").close_on(date(2020, 3, 19)) is not None
