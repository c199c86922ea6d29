"""Reconciliation: compare ledger and broker, keep what disagrees on record, lock what it touches.

A comparison runs at the start, after a halt, at the end of a day and every so often between; the
part of it that asks nobody runs at every interval. What disagrees locks its structure, its symbol
or its underlying until a later comparison finds it gone, or an operator has resolved it. Only with
some kinds of break the bot cannot know what it owns: with these it halts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from bot.engine.break_records import close_gone, halting, open_breaks
from bot.engine.breaks import (
    LEGS_ARRIVE_WITHIN,
    cash_breaks,
    foreign_order_breaks,
    lost_execution_breaks,
    order_breaks,
    packages_of,
    position_breaks,
    settlement_breaks,
    signed_contracts,
)
from bot.engine.reconcile_policy import ReconcilePolicy
from bot.engine.requests import take_requests, waiting_requests
from bot.engine.structures import (
    Structure,
    broken_structures,
    structure_break,
    uncovered_breaks,
)
from bot.engine.synchronise import synchronise
from bot.errors import BooksDisagree
from bot.ports import Alerts, Broker, Clock, OrderReport
from state.crash_points import CrashPoint, crash_point
from state.ledger import Ledger
from state.orders import StoredOrder
from strategies.model.breaks import Break, BreakKind
from strategies.model.fills import Fill
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import Instrument
from strategies.model.lifecycle import OPEN_STATUSES, OrderStatus
from strategies.model.limits import SystemState
from strategies.model.locks import WHOLE_BOOK

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
# The comparison tells again whether these are so; the others stay until an operator has looked
_OF_THE_LEDGER = frozenset({BreakKind.STRUCTURE, BreakKind.SETTLEMENT_OVERDUE})
_SEEN_AGAIN = _OF_THE_LEDGER | {
    BreakKind.POSITION,
    BreakKind.CASH,
    BreakKind.FOREIGN_ORDER,
    BreakKind.LOST_ORDER,
    BreakKind.UNCOVERED,
    BreakKind.ASSIGNMENT,
}
# What moves between two questions can look like a difference: these count once they stay
_SEEN_TWICE = frozenset(
    {
        BreakKind.POSITION,
        BreakKind.CASH,
        BreakKind.UNCOVERED,
        BreakKind.ASSIGNMENT,
        BreakKind.LOST_ORDER,
    }
)
_SERIES_LENGTH = 12  # of a symbol: its root and its expiry
_AT_WORK = frozenset({OrderStatus.SENDING, OrderStatus.LIVE, OrderStatus.PARTIALLY_FILLED})
_PAGED = frozenset({BreakKind.BUST, BreakKind.STRUCTURE, BreakKind.LOST_ORDER})


class Reconciler:
    """Compares ledger and broker, and remembers when it did and what it has told."""

    def __init__(
        self,
        ledger: Ledger,
        broker: Broker,
        clock: Clock,
        alerts: Alerts,
        policy: ReconcilePolicy,
        control_dir: Path,
    ) -> None:
        self._ledger = ledger
        self._broker = broker
        self._clock = clock
        self._alerts = alerts
        self._policy = policy
        self._control_dir = control_dir
        self._compared_at: datetime | None = None
        self._told: set[tuple[str, str]] = set()

    async def reconcile(self) -> None:
        """Take over everything the broker knows, and compare all of it; for starts and restarts.

        Raises: BrokerUnavailable; BooksDisagree if something stands with which nothing may be
            traded: a person must look.
        """
        crash_point(CrashPoint.RECONCILE_BEGUN)
        asked = self._take_requests()
        await synchronise(self._ledger, self._broker, self._clock.now(), from_the_beginning=True)
        crash_point(CrashPoint.RECONCILE_BOOKED)
        await self._compare()
        crash_point(CrashPoint.RECONCILE_COMPARED)
        _answer(asked)
        self.require_agreement()

    async def check_books(self, *, whole: bool = False) -> tuple[Break, ...]:
        """Compare what may be compared now, and return what stands.

        The ledger by itself always, with the broker if it is time or ``whole`` asks for it. What
        halts is on record and told afterwards; ``require_agreement`` raises it.

        Raises: BrokerUnavailable; BooksDisagree if what was taken over must halt.
        """
        asked = self._take_requests()
        now, last = self._clock.now(), self._compared_at
        if whole or asked or last is None or now - last >= self._policy.every:
            await synchronise(self._ledger, self._broker, now, of_others=True)
            await self._compare()
            _answer(asked)
        else:
            found = compare_ledger(self._ledger, now)
            self._keep(found, _OF_THE_LEDGER, now)
        return self._ledger.open_breaks()

    async def answer_requests(self) -> None:
        """Do what operators have asked for about breaks; nothing is compared unless they ask.

        Raises: BrokerUnavailable; BooksDisagree if what was taken over must halt.
        """
        if waiting_requests(self._control_dir):
            await self.check_books()

    def require_agreement(self) -> None:
        """Raise BooksDisagree if anything stands with which nothing may be traded."""
        if halts := halting(self._ledger):
            raise BooksDisagree("; ".join(each.detail for each in halts))

    def may_go_on(self) -> None:
        """Raise BooksDisagree as ``require_agreement`` does, unless the bot is halted already."""
        if self._ledger.system_state().state is not SystemState.HALTED:
            self.require_agreement()

    def _take_requests(self) -> list[Path]:
        now = self._clock.now()
        return take_requests(self._control_dir, self._ledger, self._alerts, now)

    async def _compare(self) -> None:
        now = self._clock.now()
        tolerance = self._policy.cash_tolerance_usd
        found = await compare(self._ledger, self._broker, now, cash_tolerance_usd=tolerance)
        standing = {each.break_id for each in self._ledger.open_breaks()}
        if any(each.kind in _SEEN_TWICE and each.break_id not in standing for each in found):
            first = {each.break_id for each in found}
            now = self._clock.now()
            # It may be told by now, or be a correction of what executed hours ago
            await synchronise(self._ledger, self._broker, now, from_the_beginning=True)
            again = await compare(self._ledger, self._broker, now, cash_tolerance_usd=tolerance)
            found = tuple(
                each for each in again if each.kind not in _SEEN_TWICE or each.break_id in first
            )
        self._keep(found, _SEEN_AGAIN, now)
        self._compared_at = now

    def _keep(
        self, found: Sequence[Break], looked_for: frozenset[BreakKind], now: datetime
    ) -> None:
        """Put what was found on record, end what was not, and tell what is new."""
        standing = self._ledger.open_breaks()
        if found or any(each.kind in looked_for for each in standing):
            with self._ledger.transaction() as tx:
                open_breaks(tx, self._ledger, found, now)
                if not any(order.status in _AT_WORK for order in self._ledger.open_intents()):
                    close_gone(tx, self._ledger, found, looked_for, now)
        self._tell()

    def _tell(self) -> None:
        """Tell what stands, once for each of its values in the life of a process."""
        for each in self._ledger.open_breaks():
            told = (each.break_id, each.broker_value)
            if told not in self._told:
                self._told.add(told)
                is_urgent = each.halts or each.kind in _PAGED or WHOLE_BOOK in each.locks
                words = f"{each.kind} {each.break_id}: {each.detail}"
                self._alerts.raise_alert("page" if is_urgent else "warning", words)


def _answer(asked: Iterable[Path]) -> None:
    """Let whoever waits for a comparison know that it is on record."""
    for path in asked:
        path.unlink(missing_ok=True)


async def compare(
    ledger: Ledger, broker: Broker, at: datetime, *, cash_tolerance_usd: Decimal = Decimal(0)
) -> tuple[Break, ...]:
    """Return every disagreement between ledger and broker that can be seen now; nothing is written.

    Orders, positions, cash, structures and settlements. What is wrong with an execution is found
    when it is taken over (``bot.engine.synchronise``), and stays on record.

    Raises: BrokerUnavailable: part of an answer is none.
    """
    reports = await broker.fetch_orders()
    foreign = await broker.fetch_foreign_orders()
    theirs = await broker.fetch_positions()
    account = await broker.fetch_account()
    ours, sent = ledger.positions(), ledger.sent_order_ids()
    is_known = sent.issuperset(report.client_order_id for report in reports)
    adopted = frozenset[str]() if is_known else _adopted_orders(ledger)
    found = [
        *order_breaks(reports, ledger.open_intents(), sent, adopted, at),
        *_lost_executions(ledger, reports, at),
        *foreign_order_breaks(foreign, at),
        *position_breaks(ours, theirs, at),
        *cash_breaks(ledger.cash_usd(), account.cash_usd, cash_tolerance_usd, at),
        *compare_ledger(ledger, at),
    ]
    known = {each.break_id for each in found}
    uncovered = uncovered_breaks(theirs, at, "the broker")
    return (*found, *(each for each in uncovered if each.break_id not in known))


def compare_ledger(ledger: Ledger, at: datetime) -> tuple[Break, ...]:
    """Return what can be seen of the ledger by itself: broken, uncovered and overdue."""
    ours = ledger.positions()
    young = _young_symbols(ledger, at)
    return (
        *(structure_break(each, at) for each in structures_to_mend(ledger, at)),
        *(each for each in uncovered_breaks(ours, at) if each.key not in young),
        *settlement_breaks(ours, at),
    )


def structures_to_mend(ledger: Ledger, at: datetime) -> tuple[Structure, ...]:
    """Return each condor that is not whole and to which nothing is happening any more.

    Legs of a package are reported one by one, in any order: while an order of the condor is at
    work, or one of its legs has just traded, it is too early to say (faults A20, A21, A28 to A30).
    """
    book = ledger.book(at)
    if not book.loose:
        return ()
    owners, ratios = _owners(ledger, {each.instrument.symbol for each in book.loose})
    for condor in book.condors:
        for leg, _ in condor.legs.signed():
            owners.setdefault(leg.symbol, condor.condor_id)
    young = _young_symbols(ledger, at)
    at_work = {order.condor_id for order in book.working}
    return tuple(
        each
        for each in broken_structures(book, owners, ratios, at)
        if each.condor_id not in at_work and young.isdisjoint(leg.symbol for leg in each.held)
    )


def _owners(
    ledger: Ledger, symbols: set[str]
) -> tuple[dict[str, str], dict[str, dict[Instrument, int]]]:
    """Return whose a loose symbol is, by the newest order with it, and what each asked for first.

    Condors of which the bot's own executions leave nothing own nothing. Only orders of a loose
    symbol's series are looked at.
    """
    series = {_series(symbol) for symbol in symbols}
    fills: defaultdict[ClientOrderId, list[Fill]] = defaultdict(list)  # oldest first
    for fill in ledger.fills_since(_BEGINNING):
        if _series(fill.symbol) in series:
            fills[fill.client_order_id].append(fill)
    left: defaultdict[str, Counter[str]] = defaultdict(Counter)
    owners: dict[str, str] = {}
    ratios: dict[str, dict[Instrument, int]] = {}
    for order_id, executed in fills.items():
        intent = ledger.order(order_id).intent
        if (condor_id := intent.condor_id) is None:
            continue
        for symbol, contracts in signed_contracts(executed).items():
            left[condor_id][symbol] += contracts
        ratios.setdefault(condor_id, {leg.instrument: leg.ratio for leg in intent.legs})
        owners |= {leg.instrument.symbol: condor_id for leg in intent.legs}
    alive = {condor_id for condor_id, contracts in left.items() if any(contracts.values())}
    return {symbol: owner for symbol, owner in owners.items() if owner in alive}, ratios


def _series(symbol: str) -> str:
    """Return root and expiry of a symbol."""
    return symbol[:_SERIES_LENGTH]


def _young_symbols(ledger: Ledger, at: datetime) -> set[str]:
    """Return what has traded within the time that legs may take to arrive."""
    since = at - LEGS_ARRIVE_WITHIN
    own = {fill.symbol for fill in ledger.fills_since(since) if fill.executed_at > since}
    others = ledger.external_fills_since(since)
    return own | {fill.symbol for fill in others if fill.executed_at > since}


def _adopted_orders(ledger: Ledger) -> frozenset[str]:
    """Return the orders of others all of whose executions belong to a structure."""
    orders = {fill.reference for fill in ledger.external_fills_since(_BEGINNING)}
    return frozenset(orders - {fill.reference for fill in ledger.unadopted_fills()})


def _lost_executions(
    ledger: Ledger, reports: Sequence[OrderReport], at: datetime
) -> Iterable[Break]:
    last = ledger.last_decision()
    recent: dict[ClientOrderId, StoredOrder] = {}
    if last is not None:
        recent = {order.client_order_id: order for order in ledger.orders_of_plan(last.plan_id)}
    recent |= {
        order.client_order_id: order
        for order in ledger.open_intents()
        if order.status in OPEN_STATUSES
    }
    if not recent:
        return ()
    fills: defaultdict[ClientOrderId, list[Fill]] = defaultdict(list)
    for fill in ledger.fills_since(min(order.planned_at for order in recent.values())):
        fills[fill.client_order_id].append(fill)
    executed: Mapping[ClientOrderId, int] = {
        order_id: packages_of(order, fills[order_id])
        for order_id, order in recent.items()
        if all(fill.revision == 1 for fill in fills[order_id])  # else they may have become fewer
    }
    return lost_execution_breaks(reports, recent.values(), executed, at)
