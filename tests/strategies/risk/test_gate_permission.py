"""The gate on account, halts, locks and approvals: who may send anything at all."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from strategies.model.limits import HaltScope, OrderApproval, SystemState
from strategies.model.locks import WHOLE_BOOK, Lock, LockKind
from strategies.risk.gate import RefusalReason
from tests.builders import AT, leg
from tests.strategies.risk.test_gate import (
    CALL,
    READY,
    ask,
    close_condor,
    hedge,
    open_condor,
    reason,
    sell,
)
from tests.strategies.risk.test_gate_rolls import BOOK as ROLLED_BOOK
from tests.strategies.risk.test_gate_rolls import QUOTES as ROLL_QUOTES
from tests.strategies.risk.test_gate_rolls import roll

_R = RefusalReason
OPENS = {"condor open": open_condor(), "hedge add": hedge()}
REDUCTIONS = {"condor close": close_condor(), "hedge sale": sell()}
SYMBOL = leg(CALL).instrument.symbol


def lock(key: str, *, until=None, kind=LockKind.BREAK) -> Lock:
    return Lock(kind=kind, key=key, reason="because", set_at=AT - timedelta(hours=1), until=until)


def under(*locks: Lock):
    return replace(READY, locks=locks)


@pytest.mark.parametrize("intent", [*OPENS.values(), *REDUCTIONS.values()])
def test_i11_nothing_is_sent_where_mode_ledger_and_account_do_not_agree(intent):
    """Fault B17: the gateway came back with another account selected."""
    assert reason(ask(intent, readiness=replace(READY, account_agrees=False))) is _R.WRONG_ACCOUNT


@pytest.mark.parametrize("state", [SystemState.RUNNING, SystemState.HALTED])
def test_only_closing_orders_pass_while_everything_is_flattened(state):
    readiness = replace(READY, state=state, halt_scope=HaltScope.FLATTEN)
    for intent in OPENS.values():
        assert reason(ask(intent, readiness=readiness)) is _R.HALTED
    for intent in REDUCTIONS.values():
        assert reason(ask(intent, readiness=readiness)) is None


# --- locks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "condor", "call"),
    [
        (WHOLE_BOOK, _R.LOCKED, _R.LOCKED),
        ("SPX", _R.LOCKED, None),
        ("VIX", None, _R.LOCKED),
        ("C0002", _R.LOCKED, None),
        ("C0003", None, None),
        (leg("SPXW 20MAR20 3405 C").instrument.symbol, _R.LOCKED, None),
        (leg("SPXW 20MAR20 3410 C").instrument.symbol, None, None),
        (SYMBOL, None, _R.LOCKED),
    ],
)
def test_i24_an_opening_order_under_a_lock_is_refused_by_what_it_touches(key, condor, call):
    assert reason(ask(open_condor(), readiness=under(lock(key)))) is condor
    assert reason(ask(hedge(), readiness=under(lock(key)))) is call


def test_a_locked_order_is_told_the_lock_s_own_words():
    verdict = ask(hedge(), readiness=under(lock("SPX"), lock("VIX", kind=LockKind.MARGIN)))
    assert verdict.detail == "VIX: margin: because"


def test_reductions_pass_every_lock():
    locks = under(lock(WHOLE_BOOK), lock("C0001"), lock("SPX"), lock("VIX"), lock(SYMBOL))
    for intent in REDUCTIONS.values():
        assert reason(ask(intent, readiness=locks)) is None


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (None, _R.LOCKED),
        (AT + timedelta(microseconds=1), _R.LOCKED),
        (AT, None),
    ],
)
def test_a_lock_holds_until_its_time_is_over(until, expected):
    assert reason(ask(hedge(), readiness=under(lock("VIX", until=until)))) is expected


@pytest.mark.parametrize("key", ["C0001", "C0001-1"])
def test_a_lock_on_a_condor_holds_for_the_rolls_of_what_it_became(key):
    held = replace(ROLLED_BOOK.condors[0], condor_id="C0001-1")
    intent = roll(condor_id="C0001-1")
    rolled = replace(ROLLED_BOOK, condors=(held,))
    assert reason(ask(intent, held=rolled, quotes=ROLL_QUOTES)) is None
    verdict = ask(intent, held=rolled, quotes=ROLL_QUOTES, readiness=under(lock(key)))
    assert reason(verdict) is _R.LOCKED


# --- approvals ------------------------------------------------------------------------------------


def approval(**changes) -> OrderApproval:
    intent = open_condor()
    approved = OrderApproval(
        plan_id=intent.plan_id,
        purpose=intent.purpose,
        quantity=intent.quantity,
        worst_price=intent.worst_price,
        until=AT + timedelta(microseconds=1),
    )
    return replace(approved, **changes)


@pytest.mark.parametrize(
    ("approvals", "expected"),
    [
        (None, None),
        ((), _R.NOT_APPROVED),
        ((approval(),), None),
        ((approval(until=AT),), _R.NOT_APPROVED),
        ((approval(quantity=9),), _R.NOT_APPROVED),
        ((approval(quantity=11),), None),
        ((approval(worst_price=Decimal("-1.30")),), _R.NOT_APPROVED),  # a better credit was meant
        ((approval(worst_price=Decimal("-1.20")),), None),
        ((approval(plan_id="q"),), _R.NOT_APPROVED),
        ((approval(purpose="condor:C0003:open"),), _R.NOT_APPROVED),
        ((approval(quantity=9), approval()), None),
    ],
)
def test_i20_where_a_person_approves_an_opening_order_stays_within_the_approval(
    approvals, expected
):
    """Fault E16: an approval for one price is none for a worse one."""
    readiness = replace(READY, approvals=approvals)
    assert reason(ask(open_condor(), readiness=readiness)) is expected


def test_the_words_tell_a_missing_approval_from_one_that_does_not_reach():
    none = ask(open_condor(), readiness=replace(READY, approvals=()))
    late = ask(open_condor(), readiness=replace(READY, approvals=(approval(until=AT),)))
    assert none.detail == "nobody has approved it"
    assert late.detail == "it goes beyond what was approved, or too late"


def test_a_reduction_waits_for_nobody():
    for intent in REDUCTIONS.values():
        assert reason(ask(intent, readiness=replace(READY, approvals=()))) is None


def test_a_later_attempt_is_within_the_approval_of_the_first():
    readiness = replace(READY, approvals=(approval(),))
    rest = replace(open_condor(4), attempt=3)
    assert reason(ask(rest, readiness=readiness)) is None
