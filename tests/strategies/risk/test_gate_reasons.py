"""One order for every reason the gate can give, in the order of its checks, and its page."""

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from strategies.model.limits import HaltScope, Limits, MarginFacts, SystemState, Throughput
from strategies.model.locks import Lock, LockKind
from strategies.risk.gate import CHECKS, RefusalReason
from tests.builders import AT, book, weekday_calendar
from tests.strategies.risk.test_gate import (
    HELD,
    LIMITS,
    READY,
    ask,
    at_work,
    close_condor,
    hedge,
    open_condor,
    reason,
    sell,
)
from tests.strategies.risk.test_gate_rolls import BOOK as ROLLED_BOOK
from tests.strategies.risk.test_gate_rolls import QUOTES as ROLL_QUOTES
from tests.strategies.risk.test_gate_rolls import roll
from tests.strategies.risk.test_gate_worst_case import loose, repair

_R = RefusalReason
PAGE = Path(__file__).parents[3] / "docs" / "gate.md"
CALENDAR = weekday_calendar(date(2020, 1, 2), date(2020, 12, 31))
DEAR = {"limit": "0.66", "worst": "0.70"}


def ready(**facts):
    return {"readiness": replace(READY, **facts)}


def limited(**limits):
    return {"limits": replace(LIMITS, **limits)}


def forged(name: str, value: str):
    """Return a hedge order that was changed behind its own checks."""
    intent = hedge()
    object.__setattr__(intent, name, Decimal(value))
    return intent


SATURDAY = AT - timedelta(days=2)
LATE = AT.replace(year=2021)
NONE_LEFT = MarginFacts(
    net_liquidation_usd=Decimal(1),
    initial_margin_after_usd=Decimal(1),
    maintenance_margin_after_usd=Decimal(1),
    excess_liquidity_after_usd=Decimal(0),
)
FUTURE = hedge("VX 18MAR20", 2, limit="16.95", worst="17.00")
LOCK = Lock(kind=LockKind.OPERATOR, key="VIX", reason="holiday", set_at=AT, until=None)
NAKED = replace(HELD, loose=(loose("SPXW 20MAR20 3060 P", -1),))
PROOFS = {
    _R.WRONG_ACCOUNT: (hedge(), ready(account_agrees=False)),
    _R.NOT_RUNNING: (hedge(), ready(state=SystemState.STARTING)),
    _R.HALTED: (hedge(), ready(halt_scope=HaltScope.ALL)),
    _R.REDUCE_ONLY: (hedge(), ready(state=SystemState.REDUCE_ONLY)),
    _R.LOCKED: (hedge(), ready(locks=(LOCK,))),
    _R.LEASE_LOST: (hedge(), ready(lease_held=False)),
    _R.NO_CALENDAR: (hedge(), ready(at=LATE, calendar=CALENDAR)),
    _R.MARKET_CLOSED: (hedge(), ready(at=SATURDAY, calendar=CALENDAR)),
    _R.EXPIRED: (hedge(), ready(at=AT.replace(month=3, day=18), calendar=CALENDAR)),
    _R.NOT_CONNECTED: (hedge(), ready(connected=False)),
    _R.NOT_RECONCILED: (hedge(), ready(reconciled=False)),
    _R.STALE_QUOTES: (hedge(), ready(quotes_at=None)),
    _R.NO_QUOTE: (hedge(), {"quotes": {}}),
    _R.NOT_QUALIFIED: (hedge(), ready(unqualified=frozenset({hedge().legs[0].instrument.symbol}))),
    _R.OFF_TICK: (forged("limit_price", "0.621"), {}),
    _R.WORSE_THAN_PLAN: (forged("limit_price", "0.65"), {}),
    _R.PRICE_COLLAR: (open_condor(worst="-0.95"), {}),
    _R.THROUGH_MARKET: (hedge("VX 18MAR20", 1, limit="19", worst="19"), {}),
    _R.STRUCTURE: (hedge(ratio=-1, limit="-0.62", worst="-0.60"), {}),
    _R.NOT_A_REDUCTION: (sell(quantity=11), {}),
    _R.NOT_A_ROLL: (roll(quantity=11), {"held": ROLLED_BOOK, "quotes": ROLL_QUOTES}),
    _R.NOT_A_REPAIR: (repair("SPXW 20MAR20 3055 P", 1), {}),
    _R.CONDOR_AT_WORK: (
        roll(),
        {
            "held": replace(ROLLED_BOOK, working=(at_work(close_condor(1)),)),
            "quotes": ROLL_QUOTES,
        },
    ),
    _R.DUPLICATE: (hedge(), {"seen": {hedge().client_order_id}}),
    _R.PURPOSE_AT_WORK: (hedge(), {"held": book(working=(at_work(hedge()),))}),
    _R.ACTIVE_ORDERS: (
        hedge(),
        {"held": book(working=[at_work(hedge(), purpose=str(n)) for n in range(15)])},
    ),
    _R.UNCOVERED: (hedge(), {"held": NAKED}),
    _R.CONDOR_MAX_LOSS: (open_condor(81), {}),
    _R.TOTAL_MAX_LOSS: (open_condor(), limited(total_max_loss_usd=Decimal(1))),
    _R.CONDORS: (open_condor(), limited(condors_max=1)),
    _R.HEDGE_CONTRACTS: (hedge(), limited(hedge_contracts_max=1)),
    _R.FUTURES_CONTRACTS: (FUTURE, limited(futures_contracts_max=1)),
    _R.PREMIUM: (hedge(), limited(order_premium_usd_max=Decimal(1))),
    _R.MARGIN_UNKNOWN: (hedge(), limited(margin_required=True)),
    _R.MARGIN: (hedge(), ready(margin=NONE_LEFT)),
    _R.ORDERS_PER_DAY: (hedge(), ready(orders_today=500)),
    _R.ORDER_RATE: (hedge(), ready(throughput=Throughput(orders_last_minute=60))),
    _R.OPENS_PER_DAY: (open_condor(), ready(throughput=Throughput(opens_today=10))),
    _R.CANCELS_PER_DAY: (hedge(), ready(throughput=Throughput(cancels_today=300))),
    _R.ATTEMPTS: (replace(hedge(), attempt=9), {}),
    _R.TURNOVER: (hedge(), limited(turnover_usd_per_day_max=Decimal(1))),
    _R.NOT_APPROVED: (hedge(), ready(approvals=())),
}


@pytest.mark.parametrize("expected", RefusalReason, ids=lambda each: each.name)
def test_every_reason_is_given_to_some_order_with_words(expected):
    intent, facts = PROOFS[expected]
    if "readiness" in facts:
        now = facts["readiness"].at
        is_stale = expected is _R.STALE_QUOTES
        facts = facts | ready_at(facts["readiness"], None if is_stale else now)
    verdict = ask(intent, **facts)
    assert reason(verdict) is expected
    assert verdict.detail
    assert verdict.intent is intent


def ready_at(readiness, quotes_at):
    return {"readiness": replace(readiness, quotes_at=quotes_at)}


def test_the_reasons_stand_in_the_order_of_the_checks():
    """What fails first is the answer: of two faults the earlier reason is told."""
    assert list(PROOFS) == list(RefusalReason)


EVERYTHING_WRONG = {
    "account_agrees": False,
    "state": SystemState.STARTING,
    "locks": (LOCK,),
    "lease_held": False,
    "at": SATURDAY,
    "calendar": CALENDAR,
    "connected": False,
    "reconciled": False,
    "quotes_at": None,
    "unqualified": frozenset({hedge().legs[0].instrument.symbol}),
    "margin": NONE_LEFT,
    "orders_today": 500,
    "approvals": (),
}


def test_faults_are_told_in_the_order_of_the_checks():
    """Each fault repaired brings up the next: the order in which the checks run."""
    facts = replace(READY, **EVERYTHING_WRONG)
    order = []
    for name in EVERYTHING_WRONG:
        order.append(reason(ask(forged("limit_price", "0.621"), readiness=facts)))
        if name == "at":  # the calendar goes with it
            facts = replace(facts, at=READY.at)
        facts = replace(facts, **{name: getattr(READY, name)})
        if name == "unqualified":
            break
    assert order == [
        _R.WRONG_ACCOUNT,
        _R.NOT_RUNNING,
        _R.LOCKED,
        _R.LEASE_LOST,
        _R.MARKET_CLOSED,
        _R.NOT_CONNECTED,
        _R.NOT_CONNECTED,
        _R.NOT_RECONCILED,
        _R.STALE_QUOTES,
        _R.NOT_QUALIFIED,
    ]
    assert reason(ask(forged("limit_price", "0.621"), readiness=facts)) is _R.OFF_TICK
    worse = {"limits": replace(LIMITS, order_premium_usd_max=Decimal(1))}
    seen = {hedge().client_order_id}
    assert reason(ask(hedge(), readiness=facts, seen=seen, **worse)) is _R.DUPLICATE
    assert reason(ask(hedge(), readiness=facts, **worse)) is _R.PREMIUM
    assert reason(ask(hedge(), readiness=facts)) is _R.MARGIN
    facts = replace(facts, margin=None)
    assert reason(ask(hedge(), readiness=facts)) is _R.ORDERS_PER_DAY
    facts = replace(facts, orders_today=0)
    assert reason(ask(hedge(), readiness=facts)) is _R.NOT_APPROVED


# --- the page -------------------------------------------------------------------------------------


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_names_every_reason_in_order_and_what_to_do():
    told = [row[2].strip("`") for row in rows()]
    assert told == [each.value for each in RefusalReason]
    assert all(row[3] and row[4] for row in rows())


def test_the_page_numbers_the_checks_in_order():
    numbers = [int(row[0]) for row in rows()]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, 15))
    assert len(CHECKS) == len(set(CHECKS))


def test_the_page_names_every_limit():
    text = PAGE.read_text()
    for name in Limits.__dataclass_fields__:
        assert f"`{name.replace('quote_age_max', 'quote_age_seconds_max')}`" in text
