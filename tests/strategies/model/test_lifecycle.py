"""The life of an order: what may follow, what never does, and what counts at its worst."""

import pytest

from strategies.model.lifecycle import (
    OPEN_STATUSES,
    ImpossibleMove,
    OrderStatus,
    advance,
    life_cycle_page,
    may_follow,
)

OVER = {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REJECTED}


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("PLANNED", "ARMED"),
        ("PLANNED", "SENDING"),
        ("ARMED", "SENDING"),
        ("SENDING", "LIVE"),
        ("SENDING", "UNKNOWN"),
        ("LIVE", "UNKNOWN"),
        ("PARTIALLY_FILLED", "REJECTED"),
    ],
)
def test_what_may_follow_follows(now, then):
    assert advance(OrderStatus(now), OrderStatus(then)) is OrderStatus(then)


@pytest.mark.parametrize("status", OrderStatus)
def test_saying_the_same_again_is_no_move(status):
    assert advance(status, status) is status


@pytest.mark.parametrize("end", ["CANCELLED", "REJECTED"])
@pytest.mark.parametrize("then", ["LIVE", "PARTIALLY_FILLED", "FILLED"])
def test_an_end_that_was_none_is_left_again(end, then):
    """Fault A14 (a fill after the cancel) and fault A19 (a refusal after a fill)."""
    assert advance(OrderStatus(end), OrderStatus(then)) is OrderStatus(then)


@pytest.mark.parametrize("proven", ["LIVE", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "REJECTED"])
def test_doubt_is_left_only_for_what_a_broker_can_prove(proven):
    assert may_follow(OrderStatus.UNKNOWN, OrderStatus(proven))
    assert not may_follow(OrderStatus.UNKNOWN, OrderStatus.SENDING), "never sent again (law 5)"
    assert not may_follow(OrderStatus.UNKNOWN, OrderStatus.PLANNED)


@pytest.mark.parametrize(
    "before", sorted(set(OrderStatus) - {OrderStatus.PLANNED, OrderStatus.ARMED})
)
def test_i1_nothing_is_sent_but_what_was_planned(before):
    """Invariant I1: SENDING follows a committed intent, and never an order that may be out."""
    assert not may_follow(before, OrderStatus.SENDING) or before is OrderStatus.SENDING


@pytest.mark.parametrize(
    ("now", "then"), [("FILLED", "CANCELLED"), ("PLANNED", "LIVE"), ("PARTIALLY_FILLED", "LIVE")]
)
def test_what_cannot_follow_is_refused_in_words(now, then):
    with pytest.raises(ImpossibleMove, match=f"{now} -> {then} cannot be; {now} is followed by"):
        advance(OrderStatus(now), OrderStatus(then))


def test_every_order_that_may_be_at_the_broker_is_open_until_it_is_over():
    sent = set(OrderStatus) - {OrderStatus.PLANNED, OrderStatus.ARMED}
    assert sent - OVER == OPEN_STATUSES


def test_the_page_has_a_row_for_each_status():
    head, rule, *rows = life_cycle_page().splitlines()
    assert (head, rule) == ("| Status | What it says | What may follow |", "|---|---|---|")
    assert [row.split("`")[1] for row in rows] == list(OrderStatus)
    assert "| `FILLED` | All of it has traded. | - |" in rows
    assert next(row for row in rows if row.startswith("| `UNKNOWN`")).endswith(
        "| `LIVE`, `PARTIALLY_FILLED`, `FILLED`, `CANCELLED`, `REJECTED` |"
    )
