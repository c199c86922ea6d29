"""The ledger: everything the bot did, meant to do and owns, in one file with one writer.

Records are written in transactions and never changed. Projections (positions, condors, hedges,
orders) follow them in the same transaction. What comes back are domain values, never rows.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sqlalchemy import Column, Connection, Select, bindparam, func, select

from state import chain, external, incidents, projector
from state.activity import (
    Activity,
    last_due_times,
    peak_net_liquidation,
    read_activity,
)
from state.amounts import from_micros, session_of
from state.anchors import Anchor, AnchorFile, lost, read_anchor
from state.baselines import begin_with
from state.books import (
    OPEN_CONDORS,
    hedge_cost,
    held_hedges,
    loose_positions,
    net_contracts,
    open_condors,
    working_orders,
)
from state.connections import raw_of
from state.crash_points import CrashPoint, crash_point
from state.database import close, open_for_writing, roll_back, storage_errors
from state.decisions import (
    Condition,
    DecisionInputs,
    DecisionTexts,
    Row,
    close_rows,
    condition_of,
    condition_rows,
    condor_rows,
    decision_row,
    gate_rows,
    layer_rows,
    sha256,
    unpack_plan,
    unpack_text,
)
from state.errors import (
    BindingMismatch,
    CashConflict,
    DecisionConflict,
    FillConflict,
    LeaseLost,
    LedgerBehindAnchor,
    LedgerCorrupt,
    OrderConflict,
    OverrideReplayed,
    UnknownRecord,
)
from state.governance import ConfigEdit, StoredOverride, override_row, stored_override
from state.guards import Guard
from state.leases import Lease
from state.orders import (
    UNFINISHED,
    StoredOrder,
    instrument_of,
    leg_rows,
    order_row,
    stored_orders,
)
from state.projector import (
    Difference,
    condors_with_leg,
    current_external_fills,
    current_fills,
    order_tallies,
)
from state.remembered import remembered
from state.snapshots import (
    Payload,
    compress,
    daily_payloads,
    market_payload,
)
from state.statements import Statement, insertion, new_insertion, replacement
from state.tables import (
    AdoptionRow,
    BindingRow,
    BlobRow,
    BreakResolutionRow,
    BreakRow,
    CashMovementRow,
    CompletionRow,
    CondorCloseRow,
    CondorRow,
    CondorStateRow,
    ConfigEditRow,
    DailyPnlRow,
    DecisionRow,
    DenialRow,
    ExternalFillRow,
    FillRow,
    GateConditionRow,
    GateResultRow,
    HedgeCashRow,
    HedgeRow,
    JobRunRow,
    LayerPlanRow,
    LeaseRow,
    LedgerRow,
    LockReleaseRow,
    LockRow,
    OrderEventRow,
    OrderLegRow,
    OrderRow,
    OrderStateRow,
    OverrideRow,
    RunRow,
    SystemStateRow,
    WalkStepRow,
    columns_of,
    table_of,
)
from state.tallies import OrderTally, Tallies, Touched, state_row
from strategies.model.book import (
    Account,
    Book,
    CondorLegs,
    root_id,
)
from strategies.model.breaks import Break, Resolution
from strategies.model.encoding import from_json, to_json
from strategies.model.fills import CashKind, CashMovement, ExternalFill, Fill, Side
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus, advance
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import Lock
from strategies.model.memory import Memory
from strategies.model.orders import OrderIntent
from strategies.model.plan import Plan
from strategies.model.rules import RULE_BOOK_VERSION
from strategies.model.snapshots import MarketSnapshot

if TYPE_CHECKING:  # SQLAlchemy 2.0, which also works, has other type parameters
    Query: TypeAlias = Select[*tuple[Any, ...]]
    Instant: TypeAlias = Column[Any]

BUSY_TIMEOUT_MS = 5_000
_TAIL_EVENTS = 256  # looked at whenever the file is opened; `alvh audit verify` looks at all
_MARKET_LEVEL = 6  # of zlib: a tenth smaller than at level 3 for 0.2 ms a decision
_HISTORY_LEVEL = 6  # once a session
_ZERO = from_micros(0)

_BINDING = table_of(BindingRow)
_LEASES = table_of(LeaseRow)
_RUNS = table_of(RunRow)
_SYSTEM = table_of(SystemStateRow)
_JOBS = table_of(JobRunRow)
_BLOBS = table_of(BlobRow)
_CONDITIONS = table_of(GateConditionRow)
_DECISIONS = table_of(DecisionRow)
_COMPLETIONS = table_of(CompletionRow)
_CONDORS = table_of(CondorRow)
_ORDERS = table_of(OrderRow)
_LEGS = table_of(OrderLegRow)
_EVENTS = table_of(OrderEventRow)
_STATES = table_of(OrderStateRow)
_FILLS = table_of(FillRow)
_MOVEMENTS = table_of(CashMovementRow)
_HEDGES = table_of(HedgeRow)
_CONDOR_STATES = table_of(CondorStateRow)
_HEDGE_CASH = table_of(HedgeCashRow)
_DAILY = table_of(DailyPnlRow)
_OVERRIDES = table_of(OverrideRow)
_EXTERNAL = table_of(ExternalFillRow)
_ADOPTIONS = table_of(AdoptionRow)
# Further records that bear the instant at which they were made
_DATED = (AdoptionRow, DenialRow, WalkStepRow, BreakResolutionRow, LockReleaseRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastDecision:
    """The newest decision on record."""

    plan_id: str
    at: datetime
    session: date
    completed: bool  # its act phase is done
    memory: Memory  # what it left for the next decision
    packed_plan: bytes = field(repr=False)

    @property
    def plan(self) -> Plan:
        """The plan, unpacked when it is asked for: most callers want the memory only."""
        return unpack_plan(self.packed_plan)


class StoredSystemState(NamedTuple):
    """What the bot may do, and who said so; ``at`` and ``by`` are empty in a new ledger."""

    state: SystemState
    scope: HaltScope | None
    reason: str
    by: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyPnl:
    """The account at the end of one session; amounts in USD since the beginning, gains > 0."""

    session: date
    at: datetime
    net_liquidation_usd: Decimal
    cash_usd: Decimal
    condor_realised_usd: Decimal  # fees excluded
    condor_unrealised_usd: Decimal
    hedge_realised_usd: Decimal
    hedge_unrealised_usd: Decimal
    fees_usd: Decimal  # a cost is > 0
    hedge_cost_365d_usd: Decimal  # G1; a cost is > 0
    spx_close: float | None
    vix_close: float | None
    condors_open: int  # positions
    net_vega_per_condor: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealisedPnl:
    """What is earned and paid for good, USD since the beginning."""

    condors_usd: Decimal  # fees excluded
    hedges_usd: Decimal  # by average cost, fees excluded
    fees_usd: Decimal  # a cost is > 0
    deposits_usd: Decimal


class SentOrders:
    """The orders that may have reached the broker, and how many on each session."""

    def __init__(self) -> None:
        self.sessions: dict[ClientOrderId, date] = {}
        self.counts: Counter[date] = Counter()

    def add(self, order_id: str, at: datetime) -> None:
        """Count an order on the session of its first SENDING."""
        if order_id not in self.sessions:
            self.sessions[ClientOrderId(order_id)] = session_of(at)
            self.counts[session_of(at)] += 1


class Ledger:
    """The durable state of one mode and account. One process at a time may have it open."""

    def __init__(
        self, path: Path, connection: Connection, lease: Lease, epoch: int, anchor: AnchorFile
    ) -> None:
        self.path = path
        self.epoch = epoch
        self._anchor = anchor
        self._raw = raw_of(connection)
        self._head = chain.last(self._raw)
        self._connection = connection
        self._lease = lease
        self._guard = Guard(path, self._raw)
        self._transaction: LedgerTransaction | None = None
        self._durable = True  # as the connection was opened
        self._tallies = Tallies()
        self._legs: dict[str, CondorLegs] = {}  # of condors on record, which never change
        self._sent: SentOrders | None = None
        self._answers: dict[tuple[object, ...], Any] = {}  # since the last transaction
        self._conditions: dict[Condition, int] | None = None  # what gates ask, with their ids

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        mode: str,
        account: str,
        now: datetime,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        lease: Lease | None = None,
    ) -> "Ledger":
        """Open a ledger for writing; create or migrate it if need be, and take its lease.

        A ``lease`` that the caller has is taken over, and given back when the ledger is closed.

        Raises: InstanceRunning, BindingMismatch, NotALedger, LedgerCorrupt, LedgerBusy,
            SchemaTooNew, StorageFailed, LedgerBehindAnchor.
        """
        lease = lease or Lease.take(path, now)
        connection: Connection | None = None
        anchor: AnchorFile | None = None
        try:
            connection = open_for_writing(path, busy_timeout_ms=busy_timeout_ms)
            with storage_errors(path):
                _check_tail(connection, path)
                epoch = _bind(connection, path, mode=mode, account=account, now=now)
                anchor = AnchorFile.open(path)
                ledger = cls(path, connection, lease, epoch, anchor)
                ledger.anchor(durable=True)
                return ledger
        except BaseException:
            if anchor is not None:
                anchor.close()
            if connection is not None:
                close(connection)
            lease.release()
            raise

    def close(self) -> None:
        """Close the file and give the lease back; doing so again changes nothing."""
        assert self._transaction is None, "a transaction is still open"
        self._anchor.close()
        close(self._connection)
        self._lease.release()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator["LedgerTransaction"]:
        """Run a block as one transaction: all of it is on disk afterwards, or none of it.

        Without ``durable`` the disk is not waited for, which takes 3 of a commit's 4 ms. The
        transaction then survives a killed process but a power cut only once a durable one has
        followed. Only for what nothing outside depends on: never before an order is sent.

        Raises: LeaseLost, LedgerBusy, LedgerCorrupt, StorageFailed, LedgerReplaced, LedgerForked,
            ForeignWriter. After a failure of the disk or of the file every later one is refused.
        """
        assert self._transaction is None, "transactions do not nest"
        self._answers.clear()
        with self._guard.watching(), storage_errors(self.path):
            if durable is not self._durable:
                level = "FULL" if durable else "NORMAL"
                self._raw.execute(f"PRAGMA synchronous = {level}")
                self._durable = durable
            crash_point(CrashPoint.LEDGER_BEFORE_BEGIN)
            self._raw.execute("BEGIN IMMEDIATE")
            try:
                self._check_lease()
                self._guard.require_alone()
                self._transaction = LedgerTransaction(
                    self._connection,
                    self._sent_orders(),
                    self._gate_conditions,
                    self._head,
                    self._tallies,
                )
                yield self._transaction
                self._transaction.refresh_projections()
                self._tallies.trim()
                crash_point(CrashPoint.LEDGER_BEFORE_COMMIT)
                self._raw.execute("COMMIT")
                crash_point(CrashPoint.LEDGER_AFTER_COMMIT)
                self._head = self._transaction.head
                if durable:
                    self.anchor(durable=self._transaction.is_depended_on)
            except BaseException:
                roll_back(self._connection)
                self._legs.clear()
                self._tallies.clear()
                self._sent = self._conditions = None
                raise
            finally:
                self._transaction = None

    def anchor(self, *, durable: bool) -> None:
        """Write the end of the chain beside the database; ``durable`` waits for the disk."""
        self._anchor.write(Anchor(self._head, self.epoch), durable=durable)
        crash_point(CrashPoint.LEDGER_AFTER_ANCHOR)

    def _check_lease(self) -> None:
        current = _epoch_query().scalar(self._raw)
        if current != self.epoch:
            raise LeaseLost(self.path, own_epoch=self.epoch, current_epoch=current)

    def answers(self) -> dict[tuple[object, ...], Any] | None:
        """Return what was answered since the last transaction; None inside of one."""
        return None if self._transaction is not None else self._answers

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._transaction is not None:
            self._transaction.refresh_projections()
        with storage_errors(self.path):
            yield self._connection

    # --- decisions --------------------------------------------------------------------------

    @remembered
    def last_decision(self) -> LastDecision | None:
        """Return the newest decision; None in a new ledger."""
        with self._reading():
            row = _last_decision_query().first(self._raw)
        if row is None:
            return None
        return LastDecision(
            plan_id=row["plan_id"],
            at=row["at"],
            session=row["session"],
            completed=row["completed_at"] is not None,
            memory=_memory(row["memory_json"]),
            packed_plan=row["plan"],
        )

    def plan(self, plan_id: str) -> Plan:
        """Return a stored plan; raises UnknownRecord."""
        return unpack_plan(self._of_decision(plan_id, "plan"))

    def _of_decision(self, plan_id: str, column: str) -> Any:  # noqa: ANN401 the column's type
        query = select(_DECISIONS.c[column]).where(_DECISIONS.c.plan_id == plan_id)
        with self._reading() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise UnknownRecord("plan", plan_id)
        return row[0]

    # --- orders -----------------------------------------------------------------------------

    @remembered
    def open_intents(self) -> tuple[StoredOrder, ...]:
        """Return every order that may still do something, PLANNED ones included, oldest first."""
        with self._reading():
            return stored_orders(self._raw, "status", list(UNFINISHED))

    @remembered
    def orders_of_plan(self, plan_id: str) -> tuple[StoredOrder, ...]:
        """Return the orders of a plan, in the order of the plan, later attempts last."""
        with self._reading():
            return stored_orders(self._raw, "plan_id", plan_id)

    @remembered
    def order(self, client_order_id: ClientOrderId) -> StoredOrder:
        """Return one order; raises UnknownRecord."""
        with self._reading():
            found = stored_orders(self._raw, "client_order_id", client_order_id)
        if not found:
            raise UnknownRecord("order", client_order_id)
        return found[0]

    def sent_order_ids(self) -> frozenset[ClientOrderId]:
        """Return the ids of all orders that may have reached the broker."""
        return frozenset(self._sent_orders().sessions)

    def orders_sent_on(self, session: date) -> int:
        """Return how many orders were sent on a session's date at the exchange."""
        return self._sent_orders().counts[session]

    def _sent_orders(self) -> SentOrders:
        """Return what was sent, kept from one question to the next: it is asked for each order."""
        if self._sent is None:
            query = select(_EVENTS.c.client_order_id, _EVENTS.c.at)
            query = query.where(_EVENTS.c.status == OrderStatus.SENDING)
            with self._reading() as connection:
                self._sent = SentOrders()
                for order_id, at in connection.execute(query):
                    self._sent.add(order_id, at)
        return self._sent

    def _gate_conditions(self) -> dict[Condition, int]:
        """Return the ids of what gates ask, kept from one decision to the next."""
        if self._conditions is None:
            rows = _conditions_query().tuples(self._raw)
            self._conditions = {(rule, name, least): number for rule, name, least, number in rows}
        return self._conditions

    # --- the book ---------------------------------------------------------------------------

    def book(self, at: datetime) -> Book:
        """Return what is owned and at work, and G1's hedge cost of the 365 days up to ``at``."""
        with self._reading():
            condors = open_condors(self._raw, self._legs)
            hedges = held_hedges(self._raw)
            return Book(
                condors=condors,
                hedges=hedges,
                working=working_orders(self._raw),
                hedge_cost_365d_usd=hedge_cost(self._raw, session_of(at)),
                loose=loose_positions(self._raw, condors, hedges, session_of(at)),
            )

    def open_condor_ids(self) -> frozenset[str]:
        """Return the ids under which the condors that are held were first opened."""
        query = select(_CONDOR_STATES.c.condor_id).where(_CONDOR_STATES.c.status.in_(OPEN_CONDORS))
        with self._reading() as connection:
            held = connection.execute(query).scalars()
            return frozenset(root_id(condor_id) for condor_id in held)

    def positions(self) -> dict[str, int]:
        """Return net contracts of the whole account by symbol, without zeros."""
        with self._reading():
            return net_contracts(self._raw)

    @remembered
    def cash_usd(self) -> Decimal:
        """Return the cash that fills (anybody's), deposits, settlements and the rest add up to."""
        with self._reading():
            parts = [query.scalar(self._raw) for query in _cash_queries()]
        return sum((part for part in parts if part is not None), _ZERO)

    def hedge_cost_365d_usd(self, at: datetime) -> Decimal:
        """Return G1's net hedge cost of the 365 days up to ``at``; a cost is > 0."""
        with self._reading():
            return hedge_cost(self._raw, session_of(at))

    def realised_pnl(self) -> RealisedPnl:
        """Return realised profit and loss of condors and hedges, fees and deposits."""
        fees = current_fills().with_only_columns(func.sum(_FILLS.c.commission_usd))
        adopted = current_external_fills().with_only_columns(func.sum(_EXTERNAL.c.commission_usd))
        adopted = adopted.where(_EXTERNAL.c.exec_root.in_(select(_ADOPTIONS.c.exec_root)))
        deposits = select(func.sum(_MOVEMENTS.c.amount_usd)).where(
            _MOVEMENTS.c.kind == CashKind.DEPOSIT.value
        )
        queries = (
            select(func.sum(_CONDOR_STATES.c.realised_usd)),
            select(func.sum(_HEDGES.c.realised_usd)),
            fees,
            adopted,
            deposits,
        )
        with self._reading() as connection:
            sums = [connection.execute(query).scalar() or _ZERO for query in queries]
        return RealisedPnl(
            condors_usd=sums[0],
            hedges_usd=sums[1],
            fees_usd=sums[2] + sums[3],
            deposits_usd=sums[4],
        )

    # --- fills and cash ---------------------------------------------------------------------

    @remembered
    def fills_since(self, at: datetime) -> tuple[Fill, ...]:
        """Return fills at or after ``at`` in their latest revision, oldest first."""
        with self._reading():
            return tuple(_to_fill(row) for row in _fills_query().rows(self._raw, since=at))

    @remembered
    def external_fills_since(self, at: datetime) -> tuple[ExternalFill, ...]:
        """Return executions that are not the bot's at or after ``at``, latest revisions."""
        with self._reading() as connection:
            return external.fills_since(connection, at)

    def unadopted_fills(self) -> tuple[ExternalFill, ...]:
        """Return executions that are not the bot's and belong to no structure, oldest first."""
        with self._reading() as connection:
            return external.unadopted(connection)

    @remembered
    def last_fill_at(self) -> datetime | None:
        """Return the instant of the newest fill."""
        return self._newest(_FILLS.c.executed_at)

    @remembered
    def last_cash_movement_at(self) -> datetime | None:
        """Return the instant of the newest cash movement."""
        return self._newest(_MOVEMENTS.c.booked_at)

    @remembered
    def cash_movements_since(self, at: datetime) -> tuple[CashMovement, ...]:
        """Return cash movements booked at or after ``at``, oldest first."""
        with self._reading():
            return tuple(_to_movement(row) for row in _movements_query().rows(self._raw, since=at))

    def last_event_at(self) -> datetime | None:
        """Return the newest instant of anything on record; None in a new ledger."""
        instants = (
            _RUNS.c.started_at,
            _DECISIONS.c.at,
            _COMPLETIONS.c.at,
            _EVENTS.c.at,
            _FILLS.c.executed_at,
            _EXTERNAL.c.executed_at,
            _MOVEMENTS.c.booked_at,
            _SYSTEM.c.at,
            _JOBS.c.finished_at,
            _DAILY.c.at,
            *(table_of(row).c.at for row in _DATED),
            table_of(BreakRow).c.found_at,
            table_of(LockRow).c.set_at,
        )
        newest = (self._newest(column) for column in instants)
        return max((at for at in newest if at is not None), default=None)

    def _newest(self, column: "Instant") -> datetime | None:
        with self._reading():
            newest: datetime | None = _newest_query(column).scalar(self._raw)
        return newest

    # --- breaks and locks -------------------------------------------------------------------

    @remembered
    def open_breaks(self) -> tuple[Break, ...]:
        """Return what did not agree and has not ended, oldest first."""
        with self._reading() as connection:
            return incidents.breaks_resolved(connection, None)

    @remembered
    def ignored_breaks(self) -> tuple[Break, ...]:
        """Return what an operator lets stand: it is not raised again while its values stay."""
        with self._reading() as connection:
            return incidents.breaks_resolved(connection, Resolution.IGNORED)

    def locks(self, at: datetime) -> tuple[Lock, ...]:
        """Return the locks that hold at an instant, oldest first."""
        with self._reading() as connection:
            return incidents.locks(connection, at)

    @remembered
    def lock_released_by_hand(self, lock_id: str, *, bot: str) -> datetime | None:
        """Return when somebody other than ``bot`` last released a lock; None if nobody did."""
        with self._reading() as connection:
            return incidents.released_by_hand(connection, lock_id, bot)

    # --- the program itself -----------------------------------------------------------------

    @remembered
    def system_state(self) -> StoredSystemState:
        """Return what the bot may do; STARTING in a new ledger."""
        with self._reading():
            row = _system_query().first(self._raw)
        if row is None:
            return StoredSystemState(SystemState.STARTING, None, "", "", None)
        scope = row["halt_scope"]
        return StoredSystemState(
            SystemState(row["state"]),
            None if scope is None else HaltScope(scope),
            row["reason"],
            row["set_by"],
            row["at"],
        )

    def holds_lease(self) -> bool:
        """Return whether no other process has taken the ledger over since it was opened."""
        with self._reading():
            return bool(_epoch_query().scalar(self._raw) == self.epoch)

    @remembered
    def activity(self, at: datetime) -> Activity:
        """Return what was sent, cancelled and rejected lately, counted back from an instant."""
        with self._reading():
            return read_activity(self._raw, at)

    def peak_net_liquidation_usd(self, since: date) -> Decimal | None:
        """Return the highest net liquidation at a session's end from a date on; None if none is."""
        with self._reading():
            return peak_net_liquidation(self._raw, since)

    def last_due_times(self) -> dict[str, datetime]:
        """Return the latest due time on record of each job."""
        with self._reading():
            return last_due_times(self._raw)

    def overrides_in_force(self, at: datetime) -> tuple[StoredOverride, ...]:
        """Return the overrides on record that hold at an instant, oldest first (D3)."""
        query = select(*columns_of(_OVERRIDES)).where(
            _OVERRIDES.c.issued_at <= at, _OVERRIDES.c.expires_at > at
        )
        query = query.order_by(_OVERRIDES.c.issued_at, _OVERRIDES.c.override_id)
        with self._reading() as connection:
            return tuple(stored_override(row) for row in connection.execute(query).mappings())

    def last_rules(self) -> tuple[str, str] | None:
        """Return hash and canonical JSON of the newest start's rules; None before the first."""
        query = select(_RUNS.c.rules_hash, _RUNS.c.rules_json)
        query = query.order_by(_RUNS.c.epoch.desc()).limit(1)
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else (row[0], row[1])

    def daily_pnl(self, session: date) -> DailyPnl | None:
        """Return the end of one session; None if it was not recorded."""
        return self._pnl(select(*columns_of(_DAILY)).where(_DAILY.c.session == session))

    def last_daily_pnl(self, before: date) -> DailyPnl | None:
        """Return the newest end of a session strictly before a date."""
        query = select(*columns_of(_DAILY)).where(_DAILY.c.session < before)
        return self._pnl(query.order_by(_DAILY.c.session.desc()).limit(1))

    def _pnl(self, query: "Query") -> DailyPnl | None:
        with self._reading() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else DailyPnl(**row)

    def rebuild_projections_and_compare(self) -> tuple[Difference, ...]:
        """Add up the records from the beginning; return each projected row that says otherwise."""
        with self._reading() as connection:
            return projector.compare(connection)


class LedgerTransaction:
    """Writes of one transaction. Made by ``Ledger.transaction`` only."""

    def __init__(
        self,
        connection: Connection,
        sent: SentOrders,
        conditions: Callable[[], dict[Condition, int]],
        head: chain.Head | None,
        tallies: Tallies | None = None,
    ) -> None:
        """Begin; without ``tallies`` everything that is touched is added up again."""
        self.is_depended_on = False  # something outside relies on what it says
        self._connection = connection
        self._raw = raw_of(connection)
        self._head = head
        self._sent = sent
        self._conditions = conditions
        self._touched = Touched()
        self._adds_up = tallies is None
        self._tallies = Tallies() if tallies is None else tallies

    @property
    def head(self) -> chain.Head:
        """The end of the chain with the events of this transaction."""
        assert self._head is not None, "it keeps no chain"
        return self._head

    def append_event(self, kind: str, at: datetime, body: str) -> None:
        """Append an event to the chain, unless the transaction rebuilds what a chain says."""
        if self._head is not None:
            self._head = chain.append(self._raw, self._head, at, kind, body)

    def refresh_projections(self) -> None:
        """Write what this transaction's records so far add up to."""
        if self._touched or self._tallies.moved:
            projector.refresh(self._raw, self._touched, self._tallies)

    # --- decisions --------------------------------------------------------------------------

    def start_run(
        self,
        run_id: str,
        at: datetime,
        *,
        mode: str,
        account: str,
        config_text_hash: str,
        config_redacted_json: str,
        rules_json: str,
        rules_hash: str,
        package_version: str,
        seed: int | None,
        rule_book_version: str = RULE_BOOK_VERSION,
    ) -> None:
        """Record a start of the bot with what is in force; secrets must not be among it."""
        epoch = _epoch_query().scalar(self._raw)
        self._insert(
            RunRow,
            run_id=run_id,
            epoch=epoch,
            started_at=at,
            mode=mode,
            account=account,
            config_hash=config_text_hash,
            config_json=config_redacted_json,
            rules_hash=rules_hash,
            rules_json=rules_json,
            rule_book_version=rule_book_version,
            package_version=package_version,
            seed=seed,
        )
        given = {
            "run_id": run_id,
            "at": at,
            "mode": mode,
            "account": account,
            "config_text_hash": config_text_hash,
            "config_redacted_json": sha256(config_redacted_json),
            "rules_json": sha256(rules_json),
            "rules_hash": rules_hash,
            "package_version": package_version,
            "seed": seed,
            "rule_book_version": rule_book_version,
        }
        self.append_event("start_run", at, to_json(given))

    def record_decision(
        self,
        run_id: str,
        snapshot: MarketSnapshot,
        book: Book,
        account: Account,
        plan: Plan,
        memory_before: Memory,
        memory_after: Memory,
        texts: DecisionTexts | None = None,
    ) -> bool:
        """Record one decision with everything it looked at, and its orders as PLANNED.

        Returns: False if this plan is on record already.

        Raises: DecisionConflict if the plan's id, or a condor's, is on record with other contents.
        """
        stored = _plan_query().scalar(self._raw, plan_id=plan.plan_id)
        if texts is None:  # else they are read back, to the byte
            inputs = DecisionInputs(book=book, account=account, memory=memory_before)
            texts = DecisionTexts.of(inputs, plan, memory_after)
        if stored is not None:
            if unpack_text(stored) != texts.plan:
                raise DecisionConflict(
                    f"plan {plan.plan_id}", stored=unpack_text(stored)[:200], got="another plan"
                )
            return False
        digests = (
            self._keep_blob("market", market_payload(snapshot), _MARKET_LEVEL),
            self._keep_daily(snapshot),
        )
        row = decision_row(run_id, snapshot, account, plan, texts, digests)
        self._insert(DecisionRow, **row)
        decision_id = self._decision_id(plan.plan_id)
        self._record_gates(decision_id, plan)
        self._insert_all(LayerPlanRow, layer_rows(decision_id, plan))
        self._record_condors(decision_id, plan)
        self._insert_all(CondorCloseRow, close_rows(decision_id, plan))
        self._record_intents(plan.orders, decision_id, plan.at)
        given = {
            "run_id": run_id,
            "plan_id": plan.plan_id,
            "market": digests[0],
            "history": digests[1],
            "inputs": sha256(texts.inputs),
            "plan": sha256(texts.plan),
            "memory_after": sha256(texts.memory_after),
        }
        self.append_event("record_decision", plan.at, to_json(given))
        return True

    @chain.event()
    def complete_interval(self, plan_id: str, at: datetime) -> bool:
        """Record that the act phase of a decision is done; False if it was on record."""
        self.is_depended_on = True
        return self._insert_new(CompletionRow, decision_id=self._decision_id(plan_id), at=at)

    def _keep_daily(self, snapshot: MarketSnapshot) -> str:
        years, listed = daily_payloads(snapshot.history, snapshot.factors)
        if _blob_query().scalar(self._raw, digest=listed.digest) is None:
            for year in years:
                self._keep_blob("history", year, _HISTORY_LEVEL)
        return self._keep_blob("history", listed, _HISTORY_LEVEL)

    def _keep_blob(self, kind: str, payload: Payload, level: int) -> str:
        if _blob_query().scalar(self._raw, digest=payload.digest) is None:
            self._insert(
                BlobRow,
                digest=payload.digest,
                kind=kind,
                size=len(payload.data),
                data=compress(payload.data, level),
            )
        return payload.digest

    def _record_gates(self, decision_id: int, plan: Plan) -> None:
        known = self._conditions()
        asked = dict.fromkeys(condition_of(gate) for gate in plan.gates)
        new = (condition for condition in asked if condition not in known)
        ids = {condition: number for number, condition in enumerate(new, start=len(known) + 1)}
        self._insert_all(GateConditionRow, condition_rows(ids))
        known |= ids
        self._insert_all(GateResultRow, gate_rows(decision_id, plan, known))

    def _record_condors(self, decision_id: int, plan: Plan) -> None:
        rows = condor_rows(decision_id, plan)
        if not rows:
            return
        ids = [row["condor_id"] for row in rows]
        taken = self._connection.execute(
            select(_CONDORS.c.condor_id).where(_CONDORS.c.condor_id.in_(ids))
        ).scalar()
        if taken is not None:
            raise DecisionConflict(
                f"condor {taken}", stored="a condor of an earlier plan", got="another"
            )
        self._insert_all(CondorRow, rows)
        self._touched.condors.update(ids)

    def _decision_id(self, plan_id: str) -> int:
        decision_id: int | None = _decision_query().scalar(self._raw, plan_id=plan_id)
        if decision_id is None:
            raise UnknownRecord("plan", plan_id)
        return decision_id

    # --- orders -----------------------------------------------------------------------------

    @chain.event()
    def record_intent(self, intent: OrderIntent, at: datetime) -> bool:
        """Record a further attempt of a plan's purpose as PLANNED; False if it was on record.

        Raises: UnknownRecord if its plan is not on record; OrderConflict if the id is, with other
            contents.
        """
        decision_id = self._decision_id(intent.plan_id)
        stored = stored_orders(self._raw, "client_order_id", intent.client_order_id)
        if not stored:
            self._record_intents((intent,), decision_id, at)
        elif stored[0].intent != intent:
            raise OrderConflict(
                f"order {intent.client_order_id}", stored=stored[0].intent, got=intent
            )
        return not stored

    def _record_intents(
        self, intents: Sequence[OrderIntent], decision_id: int, at: datetime
    ) -> None:
        self._insert_all(OrderRow, [order_row(intent, decision_id, at) for intent in intents])
        self._insert_all(OrderLegRow, [leg for intent in intents for leg in leg_rows(intent)])
        events: list[Row] = [
            {
                "client_order_id": intent.client_order_id,
                "at": at,
                "status": OrderStatus.PLANNED.value,
                "filled": 0,
                "leaves": intent.quantity,
                "limit_price": intent.limit_price,
                "arrival_mid": None,
                "broker_order_id": "",
                "note": "",
            }
            for intent in intents
        ]
        self._insert_all(OrderEventRow, events)
        states = [state_row(event, event["leaves"], filled=0) for event in events]
        self._insert_all(OrderStateRow, states)
        self._touched.condors.update(i.condor_id for i in intents if i.condor_id is not None)

    @chain.event()
    def record_order_event(
        self,
        client_order_id: ClientOrderId,
        at: datetime,
        status: OrderStatus,
        note: str = "",
        broker_order_id: str = "",
        filled: int | None = None,
        leaves: int | None = None,
        limit_price: Decimal | None = None,
        arrival_mid: Decimal | None = None,
    ) -> bool:
        """Record a move in the life of an order.

        What is not given stays as it was; ``leaves`` then follows from the quantity. Quantities
        are packages, prices index points of one package.

        Returns: False if the last event said the same, and nothing was recorded.

        Raises: UnknownRecord; ImpossibleMove (``strategies.model.lifecycle``).
        """
        order = self._order(client_order_id)
        last = order.event
        advance(OrderStatus(last["status"]), status)
        filled = last["filled"] if filled is None else filled
        if leaves is None:
            leaves = max(0, last["quantity"] - filled) if status in UNFINISHED else 0
        event: Row = {
            "client_order_id": client_order_id,
            "at": at,
            "status": status.value,
            "filled": filled,
            "leaves": leaves,
            "limit_price": last["limit_price"] if limit_price is None else limit_price,
            "arrival_mid": last["arrival_mid"] if arrival_mid is None else arrival_mid,
            "broker_order_id": broker_order_id or last["broker_order_id"],
            "note": note,
        }
        unchanged = event.keys() - {"at"} if note else event.keys() - {"at", "note"}
        if all(event[name] == last[name] for name in unchanged):
            return False
        self._insert(OrderEventRow, **event)
        if status is OrderStatus.SENDING:
            self._sent.add(client_order_id, at)
            self.is_depended_on = True
        order.event = {**last, **event}
        self._tallies.moved.orders.add(client_order_id)
        if last["condor_id"] is not None:
            self._touched.condors.add(last["condor_id"])
        return True

    @chain.event()
    def record_denial(self, intent: OrderIntent, at: datetime, *, reason: str, detail: str) -> None:
        """Record that the risk gate refused an order; it need not be on record."""
        self._insert(
            DenialRow,
            client_order_id=intent.client_order_id,
            at=at,
            purpose=intent.purpose,
            quantity=intent.quantity,
            limit_price=intent.limit_price,
            reason=reason,
            detail=detail,
        )

    @chain.event()
    def record_walk_step(
        self,
        client_order_id: ClientOrderId,
        at: datetime,
        *,
        step: int,
        bid: Decimal | None,
        mid: Decimal | None,
        natural: Decimal | None,
        limit_price: Decimal,
        reason: str,
    ) -> bool:
        """Record the market and the price at one step of an order's walk, for cost analysis.

        Prices are index points of one package: ``natural`` is what buying it at once would cost,
        ``bid`` what selling it at once would bring.

        Returns: False if that step was on record.

        Raises: UnknownRecord; InexactAmount.
        """
        self._order(client_order_id)
        return self._insert_new(
            WalkStepRow,
            client_order_id=client_order_id,
            step=step,
            at=at,
            bid=bid,
            mid=mid,
            natural=natural,
            limit_price=limit_price,
            reason=reason,
        )

    def _order(self, client_order_id: str) -> OrderTally:
        """Return an order as it is now; raises UnknownRecord."""
        kept = self._tallies.orders
        if client_order_id not in kept:
            kept |= order_tallies(self._raw, (client_order_id,))
        if client_order_id not in kept:
            raise UnknownRecord("order", client_order_id)
        return kept[client_order_id]

    # --- fills and cash ---------------------------------------------------------------------

    @chain.event(at=lambda fill: fill.executed_at, body=chain.fill_body)
    def record_fill(self, fill: Fill) -> bool:
        """Record an execution; positions, condors, hedges and the order follow it.

        A higher revision of an execution replaces the lower ones wherever things are added up.

        Returns: False if it was on record already.

        Raises: FillConflict if its root and revision are on record with other contents;
            UnknownRecord if its order is not; InexactAmount.
        """
        order = self._order(fill.client_order_id)
        is_new = self._insert_new(
            FillRow,
            exec_root=fill.exec_root,
            revision=fill.revision,
            client_order_id=fill.client_order_id,
            symbol=fill.symbol,
            side=fill.side.value,
            quantity=fill.quantity,
            price=fill.price,
            commission_usd=fill.commission_usd,
            cash_flow_usd=fill.cash_flow_usd,
            executed_at=fill.executed_at,
            session=session_of(fill.executed_at),
            layer=order.event["layer"],
            condor_id=order.event["condor_id"],
        )
        if is_new and not self._adds_up and fill.revision == 1 and self._is_alone(fill):
            self._tallies.add_fill(fill, order, self._touched)
            return True
        revisions = _revisions_query().rows(self._raw, exec_root=fill.exec_root)
        if not is_new:
            (stored,) = (_to_fill(row) for row in revisions if row["revision"] == fill.revision)
            if stored != fill:
                raise FillConflict(
                    f"fill {fill.exec_root}.{fill.revision:02d}", stored=stored, got=fill
                )
            return False
        self._touch_fills(revisions)  # what it corrects may have stood elsewhere
        return True

    def _is_alone(self, fill: Fill) -> bool:
        return bool(_count_query().scalar(self._raw, exec_root=fill.exec_root) == 1)

    def _touch_fills(self, revisions: Sequence[Row]) -> None:
        for row in revisions:
            self._touched.symbols.add(row["symbol"])
            self._touched.orders.add(row["client_order_id"])
            self._tallies.orders.pop(row["client_order_id"], None)
            if row["condor_id"] is not None:
                self._touched.condors.add(row["condor_id"])
            self._touched.hedge_sessions.add(row["session"])

    @chain.event(at=lambda movement: movement.booked_at)
    def record_cash_movement(self, movement: CashMovement) -> bool:
        """Record cash that moved without an order; a settlement ends positions and condors.

        Returns: False if it was on record already.

        Raises: CashConflict if its id is on record with other contents; InexactAmount.
        """
        row = {
            **asdict(movement),
            "kind": movement.kind.value,
            "session": session_of(movement.booked_at),
        }
        if not self._insert_new(CashMovementRow, **row):
            query = select(*columns_of(_MOVEMENTS)).where(
                _MOVEMENTS.c.movement_id == movement.movement_id
            )
            stored = _to_movement(self._connection.execute(query).mappings().one())
            if stored != movement:
                raise CashConflict(
                    f"cash movement {movement.movement_id}", stored=stored, got=movement
                )
            return False
        if movement.symbol is not None:
            if instrument_of(movement.symbol).underlying == "VIX":
                self._touched.hedge_sessions.add(session_of(movement.booked_at))
            if movement.kind is CashKind.SETTLEMENT:
                self._touched.symbols.add(movement.symbol)
                self._touched.condors |= condors_with_leg(self._raw, movement.symbol)
        return True

    # --- what others do, and what does not agree ----------------------------------------------

    @chain.event(at=lambda fill: fill.executed_at)
    def record_external_fill(self, fill: ExternalFill) -> bool:
        """Record an execution in the account that no order of the bot explains.

        Positions and cash count it; the book shows it as loose until it is adopted.

        Returns: False if it was on record already.

        Raises: FillConflict if its root and revision are on record with other contents, or the root
            is that of a fill of the bot's; InvalidInstrument for a symbol the bot does not know.
        """
        return external.record(self._connection, fill, self._touched)

    @chain.event()
    def adopt_external_fill(
        self,
        exec_root: str,
        at: datetime,
        *,
        condor_id: str | None,
        layer: str | None,
        by: str,
        reason: str,
    ) -> bool:
        """Give an execution to a condor or a layer: from now on it counts as a fill of that.

        A trade against the direction of the condor's leg closes, any other opens.

        Returns: False if it was given there already.

        Raises: UnknownRecord; AdoptionConflict.
        """
        return external.adopt(
            self._connection,
            self._touched,
            exec_root,
            at,
            condor_id=condor_id,
            layer=layer,
            by=by,
            reason=reason,
        )

    @chain.event(at=lambda found: found.found_at)
    def open_break(self, found: Break) -> bool:
        """Record a disagreement; False if it is open, or ignored, with the same values."""
        return incidents.open_break(self._connection, found)

    @chain.event()
    def resolve_break(
        self, break_id: str, at: datetime, resolution: Resolution, *, by: str, reason: str
    ) -> bool:
        """Record how a break ended; False if it had ended already. Raises: UnknownRecord.

        An ignored one may still be resolved otherwise; found again, it is then raised again.
        """
        return incidents.resolve_break(
            self._connection, break_id, at, resolution, by=by, reason=reason
        )

    @chain.event(at=lambda lock: lock.set_at)
    def set_lock(self, lock: Lock, by: str) -> bool:
        """Record a lock; False if one for the same trouble holds already, for as long."""
        return incidents.set_lock(self._connection, lock, by)

    @chain.event()
    def release_lock(self, lock_id: str, at: datetime, *, by: str, reason: str) -> bool:
        """Take a lock away; False if it does not hold. Raises: UnknownRecord."""
        return incidents.release_lock(self._connection, lock_id, at, by=by, reason=reason)

    # --- governance -------------------------------------------------------------------------

    @chain.event()
    def record_override(self, stored: StoredOverride, at: datetime) -> None:
        """Record an override that was verified; raises OverrideReplayed if its serial is spent."""
        query = select(_OVERRIDES.c.override_id).where(
            _OVERRIDES.c.public_key == stored.public_key, _OVERRIDES.c.serial == stored.serial
        )
        used_by = self._connection.execute(query).scalar()
        if used_by is not None:
            raise OverrideReplayed(
                stored.override.override_id, serial=stored.serial, used_by=used_by
            )
        self._insert(OverrideRow, **override_row(stored, at))

    @chain.event()
    def record_config_edit(self, run_id: str, at: datetime, edit: ConfigEdit) -> None:
        """Record that a file of the configuration is not, or again, what the run began with."""
        self._insert(ConfigEditRow, run_id=run_id, at=at, **asdict(edit))

    # --- the program itself -----------------------------------------------------------------

    @chain.event(at=lambda pnl: pnl.at)
    def record_daily_pnl(self, pnl: DailyPnl) -> None:
        """Record the end of a session; calculated again, it replaces the earlier figures."""
        replacement(_DAILY).run(self._raw, asdict(pnl))

    @chain.event(at="scheduled_at")
    def record_job_run(
        self,
        job: str,
        scheduled_at: datetime,
        started_at: datetime | None,
        finished_at: datetime | None,
        outcome: str,
        note: str = "",
    ) -> None:
        """Record what became of one due time of a job (``state.tables.JOB_OUTCOMES``)."""
        self._insert(
            JobRunRow,
            job=job,
            scheduled_at=scheduled_at,
            started_at=started_at,
            finished_at=finished_at,
            outcome=outcome,
            note=note,
        )

    @chain.event()
    def set_system_state(
        self, state: SystemState, at: datetime, scope: HaltScope | None, reason: str, by: str
    ) -> None:
        """Record what the bot may do from now on, why, and who said so.

        A halt on top of a halt keeps the stricter scope: only leaving HALTED loosens it.
        """
        if state is SystemState.HALTED and scope is not None:
            query = select(_SYSTEM.c.halt_scope).order_by(_SYSTEM.c.sequence.desc()).limit(1)
            standing = self._connection.execute(query).scalar()
            scope = scope.at_least(None if standing is None else HaltScope(standing))
        self._insert(
            SystemStateRow,
            at=at,
            state=state.value,
            halt_scope=None if scope is None else scope.value,
            reason=reason,
            set_by=by,
        )
        self.is_depended_on = True

    @chain.event()
    def bind(self, mode: str, account: str, at: datetime) -> None:
        """Record, once, whom the file belongs to."""
        self._insert(BindingRow, id=1, mode=mode, account=account, created_at=at)

    @chain.event()
    def take_lease(self, epoch: int, process_id: int, at: datetime) -> None:
        """Record that a process has opened the file for writing."""
        self._insert(LeaseRow, epoch=epoch, process_id=process_id, taken_at=at)

    def _insert(self, row_class: type[LedgerRow], **values: object) -> None:
        insertion(row_class, tuple(values)).run(self._raw, values)

    def _insert_new(self, row_class: type[LedgerRow], **values: object) -> bool:
        """Insert a row unless one with its key is there; return whether there was none."""
        return new_insertion(row_class).run(self._raw, values).rowcount == 1

    def _insert_all(self, row_class: type[LedgerRow], rows: Sequence[Row]) -> None:
        if rows:
            insertion(row_class, tuple(rows[0])).run_all(self._raw, rows)


def _bind(connection: Connection, path: Path, *, mode: str, account: str, now: datetime) -> int:
    """Check or write whom the file belongs to, and take the next epoch."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        raw = raw_of(connection)
        tx = LedgerTransaction(connection, SentOrders(), dict, chain.last(raw))
        bound = connection.execute(select(_BINDING.c.mode, _BINDING.c.account)).first()
        if bound is None:
            tx.bind(mode, account, now)
        else:
            _check_binding(path, (bound[0], bound[1]), (mode, account))
            if tx.head is chain.START:
                tx.append_event(begin_with.__name__, now, to_json(begin_with(raw)))
        epoch: int = 1 + (_epoch_query().scalar(raw) or 0)
        tx.take_lease(epoch, os.getpid(), now)
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    return epoch


def _check_tail(connection: Connection, path: Path) -> None:
    """Check that the chain holds over its last events and reaches what its anchor remembers.

    Raises: LedgerCorrupt, LedgerBehindAnchor.
    """
    raw = raw_of(connection)
    end = chain.last(raw)
    bad = chain.first_bad_link(chain.events_from(raw, end.seq - _TAIL_EVENTS), before=None)
    if bad is not None:
        raise LedgerCorrupt(path, f"{bad.event} {bad.what}")
    anchor = read_anchor(path)
    if anchor is not None:
        why = lost(anchor, end, chain.hash_at(raw, anchor.head.seq))
        if why is not None:
            raise LedgerBehindAnchor(path, why)


def _check_binding(path: Path, bound: tuple[str, str], wanted: tuple[str, str]) -> None:
    if bound != wanted:
        raise BindingMismatch(path, bound=bound, wanted=wanted)


@cache
def _epoch_query() -> Statement:
    return Statement(select(func.max(_LEASES.c.epoch)))


@cache
def _blob_query() -> Statement:
    return Statement(select(_BLOBS.c.size).where(_BLOBS.c.digest == bindparam("digest")))


@cache
def _conditions_query() -> Statement:
    columns = _CONDITIONS.c
    return Statement(select(columns.rule, columns.name, columns.threshold, columns.condition_id))


@cache
def _plan_query() -> Statement:
    return Statement(select(_DECISIONS.c.plan).where(_DECISIONS.c.plan_id == bindparam("plan_id")))


@cache
def _last_decision_query() -> Statement:
    return Statement(
        select(*columns_of(_DECISIONS), _COMPLETIONS.c.at.label("completed_at"))
        .outerjoin(_COMPLETIONS, _COMPLETIONS.c.decision_id == _DECISIONS.c.decision_id)
        .order_by(_DECISIONS.c.decision_id.desc())
        .limit(1)
    )


@cache
def _decision_query() -> Statement:
    return Statement(
        select(_DECISIONS.c.decision_id).where(_DECISIONS.c.plan_id == bindparam("plan_id"))
    )


@cache
def _revisions_query() -> Statement:
    same = _FILLS.c.exec_root == bindparam("exec_root")
    return Statement(select(*columns_of(_FILLS)).where(same))


@cache
def _count_query() -> Statement:
    count = select(func.count()).select_from(_FILLS)
    return Statement(count.where(_FILLS.c.exec_root == bindparam("exec_root")))


@cache
def _fills_query() -> Statement:
    return Statement(
        current_fills(*_FILLS.c.keys())
        .where(_FILLS.c.executed_at >= bindparam("since"))
        .order_by(_FILLS.c.executed_at, _FILLS.c.exec_root)
    )


@cache
def _movements_query() -> Statement:
    return Statement(
        select(*columns_of(_MOVEMENTS))
        .where(_MOVEMENTS.c.booked_at >= bindparam("since"))
        .order_by(_MOVEMENTS.c.booked_at, _MOVEMENTS.c.movement_id)
    )


@cache
def _cash_queries() -> tuple[Statement, ...]:
    fills = current_fills().with_only_columns(func.sum(_FILLS.c.cash_flow_usd))
    others = current_external_fills().with_only_columns(func.sum(_EXTERNAL.c.cash_flow_usd))
    moves = select(func.sum(_MOVEMENTS.c.amount_usd))
    return Statement(fills), Statement(others), Statement(moves)


@cache
def _newest_query(column: "Instant") -> Statement:
    return Statement(select(func.max(column)))


@lru_cache(maxsize=8)
def _memory(text: str) -> Memory:
    return from_json(Memory, text)


@cache
def _system_query() -> Statement:
    return Statement(select(*columns_of(_SYSTEM)).order_by(_SYSTEM.c.sequence.desc()).limit(1))


def _to_fill(row: Any) -> Fill:  # noqa: ANN401 a row mapping
    return Fill(
        exec_root=row["exec_root"],
        revision=row["revision"],
        client_order_id=ClientOrderId(row["client_order_id"]),
        symbol=row["symbol"],
        side=Side(row["side"]),
        quantity=row["quantity"],
        price=row["price"],
        commission_usd=row["commission_usd"],
        executed_at=row["executed_at"],
    )


def _to_movement(row: Any) -> CashMovement:  # noqa: ANN401 a row mapping
    return CashMovement(
        movement_id=row["movement_id"],
        kind=CashKind(row["kind"]),
        symbol=row["symbol"],
        quantity=row["quantity"],
        price=row["price"],
        amount_usd=row["amount_usd"],
        booked_at=row["booked_at"],
    )
