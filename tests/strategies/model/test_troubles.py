"""Locks, breaks, fills of others and halts: identities derived from what they name."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from strategies.model.breaks import Break, BreakKind
from strategies.model.fills import ExternalFill, ExternalSource, Side
from strategies.model.ids import client_order_id, is_own_id
from strategies.model.limits import HaltScope
from strategies.model.locks import WHOLE_BOOK, Lock, LockKind
from tests.builders import AT, leg

LOCK = Lock(kind=LockKind.MARGIN, key="VIX", reason="thin", set_at=AT, until=None)
BREAK = Break(
    kind=BreakKind.POSITION,
    key="VX    200318",
    detail="ledger has 2, broker has 1",
    ledger_value="2",
    broker_value="1",
    locks=("VIX",),
    found_at=AT,
)


def test_the_same_trouble_sets_one_lock_whenever_and_in_whatever_words():
    again = replace(LOCK, reason="thinner", set_at=AT + timedelta(days=1), until=AT)
    assert again.lock_id == LOCK.lock_id
    assert LOCK.lock_id[0] == "K"
    assert len(LOCK.lock_id) == 9
    others = [replace(LOCK, kind=LockKind.BREAK), replace(LOCK, key="SPX")]
    assert len({LOCK.lock_id, *(each.lock_id for each in others)}) == 3


def test_a_lock_holds_until_its_time_and_covers_its_key():
    assert LOCK.holds_at(AT + timedelta(days=9_999))
    assert not replace(LOCK, until=AT).holds_at(AT)
    assert replace(LOCK, until=AT).holds_at(AT - timedelta(microseconds=1))
    assert LOCK.covers("SPX", "VIX")
    assert not LOCK.covers("SPX", "C0001")
    assert replace(LOCK, key=WHOLE_BOOK).covers()


def test_a_break_found_again_is_the_same_break():
    again = replace(BREAK, ledger_value="3", found_at=AT + timedelta(hours=1))
    assert again.break_id == BREAK.break_id
    assert BREAK.break_id[0] == "X"
    assert replace(BREAK, kind=BreakKind.UNCOVERED).break_id != BREAK.break_id
    assert replace(BREAK, key="VX    200415").break_id != BREAK.break_id


@pytest.mark.parametrize("kind", BreakKind)
def test_a_break_of_which_the_bot_cannot_say_what_it_owes_halts(kind):
    halting = {
        "UNRECORDED_ORDER",
        "ECHO_DIFFERS",
        "OVERFILL",
        "WORSE_PRICE",
        "UNCOVERED",
        "CONTRACT_CHANGED",
        "ASSIGNMENT",
    }
    assert replace(BREAK, kind=kind).halts is (kind.name in halting)


@pytest.mark.parametrize(
    ("symbol", "side", "quantity", "cash"),
    [
        ("VIX 18MAR20 22 C", Side.BUY, 2, "-126"),
        ("VIX 18MAR20 22 C", Side.SELL, 2, "122"),
        ("VX 18MAR20", Side.SELL, 2, "-2"),  # a future is marked, not paid for
        ("VIX 18MAR20 22 C", Side.BUY, 0, "-2"),  # taken back by the exchange
    ],
)
def test_what_others_trade_moves_cash_as_our_own_fills_do(symbol, side, quantity, cash):
    fill = ExternalFill(
        exec_root="0001.01",
        revision=1,
        source=ExternalSource.MANUAL,
        reference="",
        symbol=leg(symbol).instrument.symbol,
        side=side,
        quantity=quantity,
        price=Decimal("0.62"),
        commission_usd=Decimal(2),
        executed_at=AT,
    )
    assert fill.cash_flow_usd == Decimal(cash)
    assert fill.signed_quantity == (quantity if side is Side.BUY else -quantity)


def test_an_id_of_ours_is_known_by_its_form():
    ours = client_order_id("p", "hedge:L1:add:VX", "1*VXx1", 1)
    assert is_own_id(ours)
    for text in ("manual-1", "client-7", "", ours[1:], f"{ours}0", ours.lower()):
        assert not is_own_id(text) or text == ours


@pytest.mark.parametrize(
    ("first", "second", "stricter"),
    [
        (HaltScope.OPENS, None, HaltScope.OPENS),
        (HaltScope.OPENS, HaltScope.REDUCE_ONLY, HaltScope.REDUCE_ONLY),
        (HaltScope.ALL, HaltScope.OPENS, HaltScope.ALL),
        (HaltScope.ALL, HaltScope.ALL, HaltScope.ALL),
    ],
)
def test_a_further_halt_never_loosens_the_one_that_stands(first, second, stricter):
    assert first.at_least(second) is stricter
