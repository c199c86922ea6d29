"""Profit and loss adds up to what the account is worth, part by part."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from bot.engine.profit import measure_profit
from tests.bot.engine.fakes import hedge
from tests.bot.exchange.venue.fakes import CALL, VX, ScriptedMarket
from tests.builders import AT, condor_legs, daily_history, instant, instrument
from tests.state import records

LEGS = condor_legs("SPXW 06MAR20 3000/3050/3350/3400")
EVENING = instant("2020-02-03 16:20")


class Closes:
    """History whose newest bar is that of a given day."""

    def __init__(self, newest: date, *, spx: float = 3248.92) -> None:
        history = daily_history(before=newest + timedelta(days=1))
        closes = history.spx_close.copy()
        closes[-1] = spx
        self._history = replace(history, spx_close=closes)

    async def fetch_history(self, before: date):
        return self._history


@pytest.fixture
def traded(make_bench):
    """A condor, ten calls and a future, opened in a market that moves afterwards."""
    bench = make_bench(
        ScriptedMarket(
            spx=lambda at: 3200.0 if at < instant("2020-02-03 12:00") else 3260.0,
            vix=lambda at: 16.0 if at < instant("2020-02-03 12:00") else 18.5,
        )
    )
    opened = records.condor_open("C0001", LEGS, 3)
    condor = replace(
        records.condor_intent("plan-1", "C0001", LEGS, 3, limit="-5.20"),
        worst_price=Decimal("-4.60"),
    )
    bench.decide(
        condor,
        hedge(CALL, 10, "0.48", "0.53"),
        hedge(VX, 1, "17.05", layer="L2"),
        opens=(opened,),
    )
    bench.carry_out()
    assert len(bench.ledger.positions()) == 6
    return bench


def measured(bench, at=EVENING, market_data=None):
    """Profit as it stands at ``at``."""
    bench.at = at
    found = []

    async def live():
        await bench.broker.connect()
        found.append(
            await measure_profit(
                bench.ledger,
                bench.broker,
                market_data or bench.market_data,
                session=AT.date(),
                at=bench.clock.now(),
            )
        )

    bench.synchronise()
    bench.live(live)
    return found[0]


def explained(profit):
    """What the parts add up to."""
    return (
        1_000_000
        + profit.condor_realised_usd
        + profit.condor_unrealised_usd
        + profit.hedge_realised_usd
        + profit.hedge_unrealised_usd
        - profit.fees_usd
    )


@pytest.mark.parametrize("at", [AT + timedelta(minutes=5), EVENING, EVENING + timedelta(days=1)])
def test_the_parts_add_up_to_the_net_liquidation_value(traded, at):
    profit = measured(traded, at)
    assert explained(profit) == profit.net_liquidation_usd
    assert profit.cash_usd == traded.exchange.account().cash_usd


def test_a_market_that_moved_is_unrealised_until_it_is_sold(traded):
    held = measured(traded)
    assert held.hedge_unrealised_usd > 0
    assert held.hedge_realised_usd == 0
    assert held.condor_unrealised_usd != 0
    traded.at = EVENING.replace(hour=15, minute=0) + timedelta(days=1)
    sale = hedge(f"-1 {CALL}", 10, "-0.66", "-0.55", plan_id="plan-2")
    traded.decide(sale, plan_id="plan-2")
    traded.carry_out("plan-2", decided_at=traded.at)
    sold = measured(traded, EVENING + timedelta(days=1))
    assert sold.hedge_realised_usd > 0
    assert explained(sold) == sold.net_liquidation_usd


def test_what_nobody_marks_has_neither_gained_nor_lost(traded):
    traded.broker.change["fetch_marks"] = lambda marks: {}
    profit = measured(traded)
    assert profit.condor_unrealised_usd == 0
    assert profit.hedge_unrealised_usd == 0


def test_a_condor_is_marked_whole_or_not_at_all(traded):
    leg = LEGS.long_put.symbol
    traded.broker.change["fetch_marks"] = lambda marks: {
        symbol: mark for symbol, mark in marks.items() if symbol != leg
    }
    profit = measured(traded)
    assert profit.condor_unrealised_usd == 0
    assert profit.hedge_unrealised_usd > 0


def test_the_closes_are_those_of_the_session_or_unknown(bench):
    session = AT.date()
    assert measured(bench, market_data=Closes(session)).spx_close == pytest.approx(3248.92)
    unknown = measured(bench, market_data=Closes(session - timedelta(days=3)))
    assert (unknown.spx_close, unknown.vix_close) == (None, None)
    absent = measured(bench, market_data=Closes(session, spx=np.nan))
    assert absent.spx_close is None
    assert absent.vix_close is not None


def test_an_empty_account_is_worth_its_deposit(bench):
    profit = measured(bench)
    assert profit.net_liquidation_usd == profit.cash_usd == explained(profit) == 1_000_000
    assert profit.net_vega_per_condor is None
    assert profit.condors_open == 0
    assert instrument(CALL).symbol not in bench.ledger.positions()
