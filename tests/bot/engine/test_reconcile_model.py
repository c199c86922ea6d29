"""A state machine: whatever executes, is told, is taken back or is traded by others, in any order,
a comparison finds exactly the differences that there are (invariants I3, I4, I5 and I24)."""

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.engine.break_records import open_breaks
from bot.engine.reconcile import compare
from bot.engine.synchronise import synchronise
from bot.errors import BooksDisagree
from bot.ports import ForeignOrder, OrderReport
from strategies.model.breaks import BreakKind
from strategies.model.fills import ExternalFill, ExternalSource, Fill, Side
from strategies.model.instruments import OptionContract, parse_symbol
from strategies.model.lifecycle import OrderStatus
from strategies.pricing.margin import is_covered
from tests.bot.engine.fakes import hedge
from tests.builders import AT, account, condor_legs, instrument
from tests.state import records

CONDOR = records.condor_open("C0001", condor_legs(records.LEGS), 3)
OPENING = records.condor_intent("plan-1", "C0001", CONDOR.legs, 3)
HEDGING = hedge(records.VIX_CALL, 10, "0.53")
RATIOS = {contract.symbol: ratio for contract, ratio in CONDOR.legs.signed()}
PRICES = dict(zip(RATIOS, records.CONDOR_PRICES, strict=True))
CALL = instrument(records.VIX_CALL).symbol
DEPOSIT = records.deposit()
EVENT_KINDS = {BreakKind.FOREIGN_FILL, BreakKind.BUST}


class FakeAccount:
    """A broker's truth, and what it tells of it."""

    def __init__(self) -> None:
        self.fills: dict[str, list[Fill]] = {}  # every revision by root
        self.others: dict[str, list[ExternalFill]] = {}
        self.withheld: set[str] = set()  # roots that are not told yet
        self.orders: list[ForeignOrder] = []
        self.more_cash = Decimal(0)
        self.backwards = False
        self.orders_are_over = False
        self._filled: Counter = Counter()

    def current(self) -> list[Fill | ExternalFill]:
        """What counts."""
        return [revisions[-1] for revisions in (*self.fills.values(), *self.others.values())]

    def told(self) -> list[Fill | ExternalFill]:
        """What counts as far as it is told."""
        return [fill for fill in self.current() if fill.exec_root not in self.withheld]

    def _all(self, fills, since):
        found = [
            fill
            for revisions in fills.values()
            for fill in revisions
            if fill.exec_root not in self.withheld and fill.executed_at >= since
        ]
        return tuple(reversed(found) if self.backwards else found)

    async def fetch_fills(self, since):
        return self._all(self.fills, since)

    async def fetch_foreign_fills(self, since):
        return self._all(self.others, since)

    async def fetch_cash_movements(self, since):
        return (DEPOSIT,)

    async def fetch_orders(self):
        return tuple(self._report(order) for order in (OPENING, HEDGING))

    def _report(self, order):
        filled = self.reported(order)
        status = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.LIVE
        if self.orders_are_over:
            status = OrderStatus.CANCELLED
        return OrderReport(
            client_order_id=order.client_order_id,
            broker_order_id="9001",
            status=status,
            filled_quantity=filled,
            leaves_quantity=order.quantity - filled,
            limit_price=order.limit_price,
        )

    def reported(self, order) -> int:
        """How many packages it says have filled, which is never fewer than before."""
        filled = self.packages(order, self.current())
        self._filled[order.client_order_id] = max(self._filled[order.client_order_id], filled)
        return self._filled[order.client_order_id]

    @staticmethod
    def packages(order, fills) -> int:
        signed = _signed(f for f in fills if getattr(f, "client_order_id", "") == order_id(order))
        return min(signed[leg.instrument.symbol] // leg.ratio for leg in order.legs)

    async def fetch_foreign_orders(self):
        return tuple(self.orders)

    async def fetch_positions(self):
        return {symbol: n for symbol, n in _signed(self.current()).items() if n}

    async def fetch_account(self):
        return replace(account(), cash_usd=_cash(self.current()) + self.more_cash)


def order_id(order):
    return order.client_order_id


def _signed(fills) -> Counter:
    signed: Counter = Counter()
    for fill in fills:
        signed[fill.symbol] += fill.signed_quantity
    return signed


def _cash(fills) -> Decimal:
    return DEPOSIT.amount_usd + sum((fill.cash_flow_usd for fill in fills), Decimal(0))


class Comparisons(RuleBasedStateMachine):
    """Random activity around one condor order, one hedge order and strangers."""

    empty: Path  # a ledger with one run

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "ledger.sqlite"
        shutil.copy(self.empty, path)
        self.ledger = records.open_ledger(path)
        self.account = FakeAccount()
        self.at: datetime = AT.astimezone(UTC)
        self.made = 0
        with self.ledger.transaction() as tx:
            made = records.plan("plan-1", orders=[OPENING, HEDGING], opens=[CONDOR])
            records.record(tx, made)
            for order in (OPENING, HEDGING):
                records.sent(tx, order)

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()

    def _root(self) -> str:
        self.made += 1
        return f"root-{self.made}"

    def _fill(self, order, symbol: str, signed: int, price: str) -> None:
        root = self._root()
        made = records.fill(order.client_order_id, symbol, signed, price, root=root, at=self.at)
        self.account.fills[root] = [made]

    # --- what happens ---------------------------------------------------------------------------

    @rule(packages=st.integers(1, 2))
    def a_package_executes(self, packages: int) -> None:
        if self._room(packages):
            for symbol, ratio in RATIOS.items():
                self._fill(OPENING, symbol, ratio * packages, PRICES[symbol])

    @rule(symbol=st.sampled_from(list(RATIOS)))
    def a_single_leg_executes(self, symbol: str) -> None:
        if self._room(1):
            self._fill(OPENING, symbol, RATIOS[symbol], PRICES[symbol])

    def _room(self, packages: int) -> bool:
        signed = _signed(each[-1] for each in self.account.fills.values())
        return all(signed[symbol] // n + packages <= 3 for symbol, n in RATIOS.items())

    @rule(quantity=st.integers(1, 3))
    def the_hedge_executes(self, quantity: int) -> None:
        done = self.account.packages(HEDGING, self.account.current())
        if done + quantity <= HEDGING.quantity:
            self._fill(HEDGING, CALL, quantity, "0.50")

    @rule(
        symbol=st.sampled_from([*RATIOS, CALL]),
        signed=st.sampled_from([-2, -1, 1, 2]),
        source=st.sampled_from(ExternalSource),
    )
    def somebody_else_trades(self, symbol: str, signed: int, source: ExternalSource) -> None:
        root = self._root()
        self.account.others[root] = [
            ExternalFill(
                exec_root=root,
                revision=1,
                source=source,
                reference="client 7",
                symbol=symbol,
                side=Side.BUY if signed > 0 else Side.SELL,
                quantity=abs(signed),
                price=Decimal("1.25"),
                commission_usd=Decimal("0.65"),
                executed_at=self.at,
            )
        ]

    @precondition(lambda self: self.account.fills)
    @rule(data=st.data())
    def an_execution_is_taken_back(self, data) -> None:
        root = data.draw(st.sampled_from(sorted(self.account.fills)))
        last = self.account.fills[root][-1]
        gone = replace(last, revision=last.revision + 1, quantity=0, commission_usd=Decimal(0))
        self.account.fills[root].append(gone)

    @precondition(lambda self: self.account.current())
    @rule(data=st.data())
    def an_execution_is_not_told_yet(self, data) -> None:
        roots = sorted({*self.account.fills, *self.account.others} - self._on_record())
        if roots:
            self.account.withheld.add(data.draw(st.sampled_from(roots)))

    def _on_record(self) -> set[str]:
        since = DEPOSIT.booked_at
        fills = (*self.ledger.fills_since(since), *self.ledger.external_fills_since(since))
        return {fill.exec_root for fill in fills}

    @rule()
    def everything_is_told(self) -> None:
        self.account.withheld.clear()

    @rule()
    def it_is_told_in_another_order(self) -> None:
        self.account.backwards = not self.account.backwards

    @rule()
    def the_orders_are_cancelled(self) -> None:
        self.account.orders_are_over = True

    @rule(more=st.sampled_from(["0", "0.01", "-3.20"]))
    def cash_moves_by_itself(self, more: str) -> None:
        self.account.more_cash = Decimal(more)

    @rule(symbol=st.sampled_from([*RATIOS, CALL]))
    def somebody_else_places_an_order(self, symbol: str) -> None:
        self.account.orders.append(
            ForeignOrder(
                broker_order_id=self._root(),
                source=ExternalSource.MANUAL,
                reference="",
                legs=((symbol, 1),),
                quantity=1,
                filled_quantity=0,
                limit_price=Decimal(1),
            )
        )

    @precondition(lambda self: self.account.orders)
    @rule()
    def and_cancels_it(self) -> None:
        self.account.orders.pop()

    # --- what a comparison must find --------------------------------------------------------------

    def _expected(self) -> set[tuple[BreakKind, str]]:
        told, true = _signed(self.account.told()), _signed(self.account.current())
        expected = {
            (BreakKind.POSITION, symbol)
            for symbol in {*told, *true}
            if told[symbol] != true[symbol]
        }
        if _cash(self.account.told()) != _cash(self.account.current()) + self.account.more_cash:
            expected.add((BreakKind.CASH, "USD"))
        expected |= {(BreakKind.FOREIGN_ORDER, o.broker_order_id) for o in self.account.orders}
        own = [each for each in self.account.told() if isinstance(each, Fill)]
        for order in (OPENING, HEDGING):
            mine = [fill for fill in own if fill.client_order_id == order.client_order_id]
            filled = self.account.reported(order)
            is_restated = any(fill.revision > 1 for fill in mine)
            if filled > self.account.packages(order, own) and not is_restated:
                expected.add((BreakKind.LOST_ORDER, order.client_order_id))
        opened = _signed(f for f in own if f.client_order_id == OPENING.client_order_id)
        has_traded = any(opened.values())
        whole = {told[symbol] / ratio for symbol, ratio in RATIOS.items()}
        if self.account.orders_are_over and has_traded and (len(whole) > 1 or min(whole) < 0):
            expected.add((BreakKind.STRUCTURE, "C0001"))
        for positions in (told, true):
            options = {parse_symbol(symbol): n for symbol, n in positions.items()}
            assert all(isinstance(option, OptionContract) for option in options)
            expected |= {(BreakKind.UNCOVERED, each.symbol) for each in is_covered(options)}
        return expected

    @invariant()
    def a_comparison_finds_just_that(self) -> None:
        # What has just been taken over is not yet overdue, and old executions may be restated
        for options in ({"of_others": True}, {"from_the_beginning": True}):
            self.at += timedelta(minutes=5)
            try:
                asyncio.run(synchronise(self.ledger, self.account, self.at, **options))
            except BooksDisagree as halts:
                raise AssertionError("nothing that happens here halts by itself") from halts
        found = asyncio.run(compare(self.ledger, self.account, self.at))
        assert {(each.kind, each.key) for each in found} == self._expected()
        with self.ledger.transaction() as tx:
            open_breaks(tx, self.ledger, found, self.at)
        self._books_follow()

    def _books_follow(self) -> None:
        """What is told is on record once, each event with its break, each break with its locks."""
        told = self.account.told()
        assert self.ledger.positions() == {s: n for s, n in _signed(told).items() if n}
        assert self.ledger.cash_usd() == _cash(told)
        standing = self.ledger.open_breaks()
        events = {each.key for each in standing if each.kind in EVENT_KINDS}
        foreign = {each.exec_root for each in told if isinstance(each, ExternalFill)}
        busts = {each.exec_root for each in told if isinstance(each, Fill) and not each.quantity}
        assert events >= foreign
        assert events - foreign <= busts
        locked = {lock.key for lock in self.ledger.locks(self.at)}
        assert locked == {key for each in standing for key in each.locks}


def test_comparisons_find_exactly_the_differences_there_are(empty_ledger):
    class Here(Comparisons):
        empty = empty_ledger

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=15,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        ),
    )
