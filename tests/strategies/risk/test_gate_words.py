"""The figures in the gate's refusals: what an operator reads is what was compared."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from strategies.model.limits import MarginFacts
from strategies.risk.gate import RefusalReason
from tests.builders import AT, book, hedge_position, leg, quote, weekday_calendar
from tests.strategies.risk.test_gate import (
    CALL,
    HELD,
    LIMITS,
    QUOTES,
    READY,
    ask,
    at_work,
    close_condor,
    hedge,
    open_condor,
    sell,
)
from tests.strategies.risk.test_gate_reasons import PROOFS, ready_at

_R = RefusalReason
SYMBOL = leg(CALL).instrument.symbol
WIDE = replace(LIMITS, price_collar_points=Decimal(100))
CALENDAR = weekday_calendar(date(2020, 1, 2), date(2020, 12, 31))
LITTLE_LEFT = MarginFacts(
    net_liquidation_usd=Decimal(1000),
    initial_margin_after_usd=Decimal(1),
    maintenance_margin_after_usd=Decimal(1),
    excess_liquidity_after_usd=Decimal(99),
)
FIGURES = {
    _R.OFF_TICK: "0.621 is no price of this order",
    _R.WORSE_THAN_PLAN: "limit 0.65 is worse than 0.64, the plan's worst",
    _R.PRICE_COLLAR: "worst price -0.95 is more than 0.50 above mid -1.50",
    _R.THROUGH_MARKET: "19 goes more than 10% through 16.95 x 17",
    _R.NOT_A_REDUCTION: "10 VIX 18MAR20 22 C are left to reduce",
    _R.NOT_A_ROLL: "C0001 has 10 condors to roll",
    _R.NOT_A_REPAIR: "1 SPXW 20MAR20 3055 P mend nothing that is loose",
    _R.ACTIVE_ORDERS: "15 orders at work buy VIX 18MAR20 22 C",
    _R.CONDOR_MAX_LOSS: "30375 USD, limit 30000",
    _R.TOTAL_MAX_LOSS: "7250 USD with this order, limit 1",
    _R.CONDORS: "20 with this order, limit 1",
    _R.HEDGE_CONTRACTS: "20 VIX 18MAR20 22 C, limit 1",
    _R.FUTURES_CONTRACTS: "2 VX with this order, limit 1",
    _R.PREMIUM: "640 USD, limit 1",
    _R.ORDERS_PER_DAY: "500 sent today, limit reached",
    _R.ATTEMPTS: "attempt 9, limit 8",
    _R.TURNOVER: "620 USD with this order, limit 1",
    _R.EXPIRED: "VIX 18MAR20 22 C traded last on 2020-03-17 16:15 in New York",
}


@pytest.mark.parametrize("expected", FIGURES, ids=lambda each: each.name)
def test_a_refusal_names_the_figures_it_compared(expected):
    intent, facts = PROOFS[expected]
    if "readiness" in facts:
        facts = facts | ready_at(facts["readiness"], facts["readiness"].at)
    assert ask(intent, **facts).detail == FIGURES[expected]


def quoted(prices: str):
    return {"quotes": QUOTES | {SYMBOL: quote(prices)}}


def ready(**facts):
    return {"readiness": replace(READY, **facts)}


SOLD_OUT = book(
    hedges=[hedge_position(CALL, 10)], working=[at_work(sell(quantity=12), purpose="other")]
)
CLOSING = replace(HELD, working=(at_work(close_condor(3)),))


@pytest.mark.parametrize(
    ("intent", "facts", "words"),
    [
        (hedge(), ready(quotes_at=AT - timedelta(seconds=121)), "quotes are 121 s old, limit 120"),
        (hedge(), ready(quotes_at=AT + timedelta(seconds=3)), "quotes are dated 3 s ahead"),
        (hedge(), quoted("0.00 x 0.64"), "VIX 18MAR20 22 C is quoted 0 x 0.64"),
        (
            hedge(limit="0.10", worst="0.64"),
            quoted("9.00 x 9.00"),
            "limit 0.10 is more than 1.80 from mid 9.00",
        ),
        (
            open_condor(limit="-5.50", worst="-5.50"),
            {"limits": WIDE},
            "a credit of 5.50 is none",
        ),
        (
            hedge("VX 18MAR20", ratio=-1, limit="-15", worst="-15"),
            {"limits": WIDE},
            "15 goes more than 10% through 16.95 x 17",
        ),
        (sell(), {"held": SOLD_OUT}, "0 VIX 18MAR20 22 C are left to reduce"),
        (
            close_condor(8),
            {"held": replace(CLOSING, working=(at_work(close_condor(3), purpose="other"),))},
            "C0001 has 7 condors left to close",
        ),
        (
            hedge(),
            ready(margin=LITTLE_LEFT),
            "99 USD would be left, 100 must be",
        ),
        (
            hedge(),
            ready(at=AT.replace(month=3, day=18), quotes_at=AT.replace(month=3, day=18)),
            "VIX 18MAR20 22 C no longer trades on 2020-03-18",
        ),
        (
            hedge(),
            ready(at=AT.replace(hour=17), quotes_at=AT.replace(hour=17), calendar=CALENDAR),
            "the session of 2020-02-03 is 09:30 .. 16:15 in New York",
        ),
        (
            hedge("VX 18MAR20", ratio=-1, limit="-17", worst="-16.95"),
            {
                "held": book(
                    working=[
                        at_work(
                            hedge("VX 18MAR20", ratio=-1, limit="-17", worst="-17"), purpose=str(n)
                        )
                        for n in range(15)
                    ]
                )
            },
            "15 orders at work sell VX 18MAR20",
        ),
    ],
)
def test_a_refusal_says_what_stood_against_what(intent, facts, words):
    assert ask(intent, **facts).detail == words
