"""One card a kind of fault: the adapter survives it, and afterwards tells the exchange's own story.

Each card trades through its fault as the engine would: it opens a condor, lets another order rest
and cancels it, buys a call, and meets typed errors with another try at the next step. In the end
fills, positions, cash, marks and orders are the exchange's to the last digit, whatever was said on
the way.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import BotError, BrokerUnavailable, OrderRejected, OutcomeUnknown
from bot.gateway.fault_plan import PlannedFault
from bot.gateway.faults import FaultKind
from bot.ports import OrderReport
from strategies.model.lifecycle import OrderStatus
from tests.bot.brokers.ib.agreement import assert_agreement, insist, order, status_of, tried
from tests.bot.brokers.wire_bench import WireBench, run_in_virtual_time
from tests.bot.exchange.venue.fakes import CALL, CONDOR
from tests.builders import AT

SOON = AT + timedelta(seconds=5)
PLACING = {"message_kind": "placeOrder"}
_S = OrderStatus


@dataclass(frozen=True, kw_only=True)
class Story:
    """What happened to the three orders of a card."""

    opened: OrderReport | BotError
    opened_later: OrderStatus | None
    cancelled: OrderReport | BotError
    bought: OrderReport | BotError
    bench: WireBench


def anything(story: Story) -> None:
    """Nothing more is expected than agreement."""


def nothing_noticed(story: Story) -> None:
    """Every order went as if nothing had happened."""
    assert isinstance(story.opened, OrderReport)
    assert story.opened_later is _S.FILLED
    assert isinstance(story.cancelled, OrderReport)
    assert story.cancelled.status is _S.CANCELLED
    assert isinstance(story.bought, OrderReport)


def opening_differs(story: Story) -> None:
    """The first order is not the one that was sent, says IB, and so does the adapter."""
    assert isinstance(story.opened, OrderReport)
    assert story.opened.echo_differs == "time in force is GTC, sent DAY"


def opening_lost(story: Story) -> None:
    """The first order is in doubt and never was anywhere."""
    assert isinstance(story.opened, OutcomeUnknown)
    assert story.opened_later is None


def opening_refused(story: Story) -> None:
    """The first order was refused with a reason, once and for all."""
    assert isinstance(story.opened, OrderRejected)
    assert str(story.opened)
    assert story.opened_later is _S.REJECTED


def opening_put_off(story: Story) -> None:
    """Nothing was sent at first."""
    assert isinstance(story.opened, BrokerUnavailable)
    assert story.opened_later is None


def opening_parked(story: Story) -> None:
    """Inactive is not the end of an order, nor is it a working one."""
    assert isinstance(story.opened, OutcomeUnknown)
    assert story.opened_later is _S.UNKNOWN


def opening_cancelled(story: Story) -> None:
    """Somebody else's cancel is a cancel."""
    assert isinstance(story.opened, OrderReport)
    assert story.opened_later is _S.CANCELLED


def cancel_repeatable(story: Story) -> None:
    """An order IB did not cancel is reported as it stands, to be cancelled again."""
    assert isinstance(story.cancelled, OrderReport)
    assert story.cancelled.status is _S.LIVE


def cancel_in_doubt(story: Story) -> None:
    """A cancel nobody confirmed is in doubt."""
    assert isinstance(story.cancelled, OutcomeUnknown)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A fault, and what is to be seen of it besides agreement in the end."""

    faults: tuple[PlannedFault, ...]
    expected: Callable[[Story], None] = nothing_noticed
    strikes: bool = True  # some faults wait for what the adapter never does
    details: dict[str, object] = field(default_factory=dict)


def card(
    kind: FaultKind,
    expected: Callable[[Story], None] = nothing_noticed,
    *,
    strikes: bool = True,
    at=None,
    nth=None,
    matching=None,
    times=1,
    **details: object,
) -> tuple[FaultKind, Card]:
    """Return a card of one fault."""
    planned = PlannedFault(
        kind=kind, at=at, nth=nth, matching=matching or {}, times=times, details=details
    )
    return kind, Card(faults=(planned,), expected=expected, strikes=strikes)


K = FaultKind
CARDS = dict(
    [
        # the connection
        card(K.NIGHTLY_RESET, opening_lost, matching=PLACING, nth=2, seconds=20),
        card(K.WEEKLY_LOGIN, anything, at=SOON, seconds=300),
        card(K.CONNECTIVITY_LOST, anything, at=SOON, seconds=90, data_kept=False),
        card(K.MARKET_FARM_DOWN, at=SOON, seconds=90),
        card(K.HISTORY_FARM_DOWN, at=SOON, seconds=90),
        card(K.SOCKET_CLOSED, opening_lost, matching=PLACING, nth=2),
        card(K.HALF_OPEN, opening_lost, matching=PLACING, nth=2, seconds=45),
        card(K.SILENT_DELAYED_DATA, at=SOON, seconds=90),
        card(K.COMPETING_SESSION, at=SOON, seconds=90),
        card(K.CLOCK_SKEW, at=SOON, seconds=7200),
        # messages
        card(K.PACING_DISCONNECT, anything, matching=PLACING, nth=2),
        card(K.ORDER_ID_ROLLBACK, orders=3, matching={}),
        card(K.END_MISSING, matching={"message_kind": "execDetailsEnd"}),
        card(K.CALLBACK_DUPLICATED, matching={"message_kind": "execDetails"}, times=None),
        card(K.CALLBACK_REORDERED, matching={"message_kind": "execDetails"}, times=None),
        card(K.CALLBACK_DELAYED, matching={"message_kind": "execDetails"}, times=4, seconds=2),
        card(K.POSITIONS_LATE, seconds=4),
        card(K.POSITIONS_NEVER),
        card(K.BAG_DETAILS_SILENT, strikes=False),
        # orders
        card(K.LOST_ACK),
        card(K.ORDER_DROPPED, opening_lost),
        card(K.ORDER_REJECTED, opening_refused, text="riskless combination"),
        card(K.ORDER_INACTIVE, opening_parked),
        card(K.ORDER_CANCELLED_BY_SYSTEM, opening_cancelled, seconds=3),
        card(K.ORDER_NOTICE, code=10349, text="Order TIF was set to DAY based on order preset."),
        card(K.ECHO_CHANGED, opening_differs, tif="GTC"),
        card(K.PRICE_REFUSED, opening_refused),
        card(K.MODIFY_FILLED, strikes=False),
        card(K.MODIFY_MISMATCH, strikes=False),
        card(K.MODIFY_DOUBLES, strikes=False),
        card(K.CANCEL_NOT_FOUND, cancel_repeatable),
        card(K.CANCEL_IGNORED, cancel_in_doubt),
        card(K.FILL_BEFORE_OPEN_ORDER),
        card(K.FILLED_BEFORE_EXECUTION, seconds=2, times=None),
        card(K.COMMISSION_FIRST, times=None),
        card(K.COMMISSION_LATE, seconds=20, times=None),
        card(K.COMMISSION_NEVER, times=None),
        card(K.COMMISSION_UNSET, times=None),
        card(K.EXECUTION_CORRECTED, seconds=20, price_change="0.05"),
        card(K.PARTIAL_COMBO, seconds=4),
        card(K.WHAT_IF_UNSET_FIRST, times=None),
        card(K.WHAT_IF_SILENT, opening_put_off, times=2),
    ]
)


def test_every_kind_of_fault_has_a_card():
    assert CARDS.keys() == set(FaultKind)


def test_every_kind_of_fault_has_a_line_in_the_document():
    page = (Path(__file__).parents[4] / "docs" / "gateway.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| +(\S[^|]*) \|", page, re.MULTILINE)
    told = {name: what for names, what in rows for name in re.findall("[a-z_]+", names)}
    assert set(FaultKind) - told.keys() == set()


@pytest.mark.parametrize("kind", sorted(CARDS), ids=str)
def test_the_adapter_survives(kind: FaultKind, tmp_path: Path):
    played = CARDS[kind]

    async def scenario(bench: WireBench) -> None:
        story = await trade(bench)
        await bench.clock.sleep(600)
        await assert_agreement(bench)
        played.expected(story)

    plan = run_in_virtual_time(tmp_path, scenario, *played.faults)
    assert bool(plan.struck) is played.strikes


async def trade(bench: WireBench) -> Story:
    """Open a condor, cancel an order that rests, buy a call; a step takes half a minute."""
    broker = bench.broker
    condor = await order(bench, CONDOR, 2)
    opened = await tried(broker.submit(condor))
    await bench.clock.sleep(30)
    await insist(lambda: broker.fetch_fills(AT), bench)  # first, as the engine does
    opened_later = await status_of(bench, condor.client_order_id)
    resting = await order(bench, CALL, 3, -3.0)
    await insist(lambda: broker.submit(resting), bench)
    await bench.clock.sleep(30)
    cancelled = await tried(broker.cancel(resting.client_order_id))
    await bench.clock.sleep(30)
    again = await tried(broker.cancel(resting.client_order_id))
    assert isinstance(again, BrokerUnavailable) or again.status is _S.CANCELLED
    call = await order(bench, CALL, 5, attempt=2)
    bought = await tried(insist(lambda: broker.submit(call), bench))
    await bench.clock.sleep(60)
    return Story(
        opened=opened,
        opened_later=opened_later,
        cancelled=cancelled,
        bought=bought,
        bench=bench,
    )
