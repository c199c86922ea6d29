"""The tables of the ledger. ``docs/database.md`` is their dictionary.

Three kinds: *records* (append-only; triggers refuse UPDATE and DELETE), *projections* (what the
records add up to; written in the same transaction and rebuildable from them) and *bookkeeping* of
the program itself. Attribute names are the domain's; a column that holds millionths is called
``<attribute>_micros`` in SQL.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import (
    CheckConstraint,
    Column,
    Label,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from state.columns import Day, Instant, Micros, Scalar, one_of, whole
from strategies.model.breaks import BreakKind, Resolution
from strategies.model.fills import CashKind, ExternalSource, Side
from strategies.model.lifecycle import OrderStatus
from strategies.model.limits import HaltScope, SystemState
from strategies.model.locks import LockKind
from strategies.model.orders import PositionEffect, Urgency

LEG_NAMES = ("long_put", "short_put", "short_call", "long_call")
BLOB_KINDS = ("market", "history")
CONDOR_STATUSES = ("PENDING", "UNFILLED", "OPEN", "CLOSING", "CLOSED", "SETTLED", "ROLLED")
JOB_OUTCOMES = ("ran", "late", "missed", "skipped", "failed")

# Names, so that batch migrations can find and keep every constraint
_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class LedgerRow(SQLModel):
    """Base of every table of the ledger."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=_NAMING)


def _micros(name: str, *, nullable: bool = False) -> Any:  # noqa: ANN401 as Field
    return Field(sa_column=Column(f"{name}_micros", Micros, key=name, nullable=nullable))


def _instant(*, index: bool = False) -> Any:  # noqa: ANN401 as Field
    return Field(sa_type=Instant, index=index)


_TRADES_OR_IS_TAKEN_BACK = CheckConstraint(
    "quantity > 0 OR (quantity = 0 AND revision > 1)", name="trades_or_is_taken_back"
)


def _flag(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} IN (0, 1)", name=f"{column}_is_flag")


# --- bookkeeping of the program ---------------------------------------------------------------


class EventRow(LedgerRow, table=True):
    """Each change of a record, bound to the one before by its hash (``state/chain.py``)."""

    __tablename__ = "events"

    seq: int = Field(primary_key=True)
    at: datetime = _instant()
    kind: str
    body: str  # canonical JSON
    prev_hash: bytes
    hash: bytes


class BindingRow(LedgerRow, table=True):
    """The mode and account this file belongs to; one row, for ever."""

    __tablename__ = "binding"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True)
    mode: str
    account: str
    created_at: datetime = _instant()


class LeaseRow(LedgerRow, table=True):
    """Each time a process opened the ledger for writing. The highest epoch may commit."""

    __tablename__ = "leases"

    epoch: int = Field(primary_key=True)
    process_id: int
    taken_at: datetime = _instant()


class RunRow(LedgerRow, table=True):
    """Each start of the bot, with the configuration and rules in force."""

    __tablename__ = "runs"

    run_id: str = Field(primary_key=True)
    epoch: int = Field(foreign_key="leases.epoch")
    started_at: datetime = _instant()
    mode: str
    account: str
    config_hash: str
    config_json: str  # without secrets
    rules_hash: str
    rules_json: str  # canonical, strategies.model.rules.Rules
    rule_book_version: str  # what the hash covers besides the values
    package_version: str
    seed: int | None


class SystemStateRow(LedgerRow, table=True):
    """What the bot was allowed to do, from when, and who said so. The last row holds."""

    __tablename__ = "system_states"
    __table_args__ = (
        one_of("state", SystemState),
        one_of("halt_scope", HaltScope),
        CheckConstraint("state <> 'HALTED' OR halt_scope IS NOT NULL", name="halts_have_a_scope"),
    )

    sequence: int | None = Field(default=None, primary_key=True)
    at: datetime = _instant()
    state: str
    halt_scope: str | None
    reason: str
    set_by: str


class JobRunRow(LedgerRow, table=True):
    """What the scheduler did with each job at each due time."""

    __tablename__ = "job_runs"
    __table_args__ = (one_of("outcome", JOB_OUTCOMES),)

    sequence: int | None = Field(default=None, primary_key=True)
    job: str = Field(index=True)
    scheduled_at: datetime = _instant()
    started_at: datetime | None = Field(sa_type=Instant)
    finished_at: datetime | None = Field(sa_type=Instant)
    outcome: str
    note: str


class ConfigEditRow(LedgerRow, table=True):
    """Each time a running bot found a file of its configuration edited, and left it alone (D1)."""

    __tablename__ = "config_edits"

    sequence: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(foreign_key="runs.run_id", index=True)
    at: datetime = _instant()
    file: str
    digest_in_force: str  # SHA-256 of the file the run began with
    digest_found: str | None  # NULL = it is gone; as in force = it was put back


class OverrideRow(LedgerRow, table=True):
    """Each override that was verified and taken, with the words and the signature (D3)."""

    __tablename__ = "overrides"
    __table_args__ = (UniqueConstraint("public_key", "serial"),)

    override_id: str = Field(primary_key=True)
    accepted_at: datetime = _instant()
    action: str
    reason: str
    signer: str
    public_key: str
    account: str
    serial: int
    issued_at: datetime = _instant()
    expires_at: datetime = _instant(index=True)
    signature: str


# --- records: decisions -----------------------------------------------------------------------


class BlobRow(LedgerRow, table=True):
    """Stored bytes under the SHA-256 of what they unpack to (``state/snapshots.py``)."""

    __tablename__ = "blobs"
    __table_args__ = (one_of("kind", BLOB_KINDS),)

    digest: str = Field(primary_key=True)
    kind: str
    size: int  # bytes when unpacked
    data: bytes = Field(sa_column=Column("data", LargeBinary, nullable=False))  # zlib


class DecisionRow(LedgerRow, table=True):
    """One interval: what it looked at, what it decided, and what it left for the next."""

    __tablename__ = "decisions"
    __table_args__ = (_flag("entry_due"),)

    decision_id: int | None = Field(default=None, primary_key=True)
    plan_id: str = Field(unique=True)
    run_id: str = Field(foreign_key="runs.run_id")
    at: datetime = _instant(index=True)
    session: date = Field(sa_type=Day, index=True)
    entry_due: bool
    rules_hash: str
    curve: str
    hedge_state: str
    spx: float | None
    vix: float | None
    net_liquidation_usd: Decimal = _micros("net_liquidation_usd")
    cash_usd: Decimal = _micros("cash_usd")
    maintenance_margin_usd: Decimal = _micros("maintenance_margin_usd")
    condor_contracts: int | None  # before; None = the book could not be priced
    net_vega_before: float | None  # per condor, points per vol point
    net_vega_after: float | None
    order_count: int
    no_trade_reasons: str  # "; " between
    missing: str  # ", " between
    regime_json: str
    signals_json: str
    before_json: str | None  # Measures
    after_json: str | None
    memory_json: str  # after
    market_digest: str = Field(foreign_key="blobs.digest")
    history_digest: str = Field(foreign_key="blobs.digest")
    inputs: bytes = Field(sa_column=Column("inputs", LargeBinary, nullable=False))
    plan: bytes = Field(sa_column=Column("plan", LargeBinary, nullable=False))


class CompletionRow(LedgerRow, table=True):
    """The decisions whose act phase is done. A decision without one is resumed at start-up."""

    __tablename__ = "completions"

    decision_id: int = Field(primary_key=True, foreign_key="decisions.decision_id")
    at: datetime = _instant()


class GateConditionRow(LedgerRow, table=True):
    """What gates ask, once: most are asked in every interval. The view ``gates`` has both parts."""

    __tablename__ = "gate_conditions"

    condition_id: int = Field(primary_key=True)
    rule: str
    name: str
    threshold: Any = Field(sa_type=Scalar(), nullable=True)


class GateResultRow(LedgerRow, table=True):
    """Each condition a decision looked at: the value it had, and what came out."""

    __tablename__ = "gate_results"
    __table_args__ = (_flag("passed"), {"sqlite_with_rowid": False})

    decision_id: int = Field(primary_key=True, foreign_key="decisions.decision_id")
    position: int = Field(primary_key=True)
    condition_id: int = Field(foreign_key="gate_conditions.condition_id")
    value: Any = Field(sa_type=Scalar(), nullable=True)
    passed: bool
    note: str


class LayerPlanRow(LedgerRow, table=True):
    """Each hedge layer in each decision, changed or not."""

    __tablename__ = "layer_plans"
    __table_args__ = (_flag("active"), {"sqlite_with_rowid": False})

    decision_id: int = Field(primary_key=True, foreign_key="decisions.decision_id")
    position: int = Field(primary_key=True)
    layer: str
    active: bool
    reason: str
    share: float
    scale: float
    current_vega_usd: float  # USD per VIX point
    target_vega_usd: float
    planned_vega_usd: float  # held once the plan's orders fill, if they do
    current_contracts: int
    change_contracts: int
    instrument: str | None
    runner_up: str | None
    rules: str  # "," between
    binding_cap: str | None
    note: str
    trades_json: str  # all of its trades: [[symbol, signed contracts], ...]


class CondorRow(LedgerRow, table=True):
    """Each condor a plan wanted to open, or to make of another by a roll."""

    __tablename__ = "condors"
    __table_args__ = (
        CheckConstraint("planned_quantity > 0", name="opens_something"),
        CheckConstraint("short_ratio >= 1 AND long_ratio >= short_ratio", name="is_covered"),
        CheckConstraint("(rolled_from IS NULL) = (adjustments = 0)", name="rolls_are_adjustments"),
    )

    condor_id: str = Field(primary_key=True)
    decision_id: int = Field(foreign_key="decisions.decision_id")
    session: date = Field(sa_type=Day, index=True)
    long_put: str
    short_put: str
    short_call: str
    long_call: str
    short_ratio: int  # contracts of each short that make one condor
    long_ratio: int
    expiry: date = Field(sa_type=Day)  # of the short that expires first
    planned_quantity: int
    mid_credit: float  # index points; of the roll alone where it is rolled
    net_vega: float
    short_put_delta: float
    short_call_delta: float
    entry_spot: float
    entry_sigma_sqrt_t: float
    rules: str
    rolled_from: str | None = Field(foreign_key="condors.condor_id", index=True)
    adjustments: int  # rolls since it was first opened
    note: str  # why it is rolled


class CondorCloseRow(LedgerRow, table=True):
    """Each time a plan wanted to close a condor, and the rule that said so."""

    __tablename__ = "condor_closes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    decision_id: int = Field(primary_key=True, foreign_key="decisions.decision_id")
    condor_id: str = Field(primary_key=True, foreign_key="condors.condor_id")
    rules: str
    mark_debit: float | None  # index points
    note: str


# --- records: orders and executions -----------------------------------------------------------


class OrderRow(LedgerRow, table=True):
    """Each attempt at each purpose of a plan, as intended. Buys ``quantity`` packages of legs."""

    __tablename__ = "orders"
    __table_args__ = (
        one_of("effect", PositionEffect),
        one_of("urgency", Urgency),
        CheckConstraint("quantity > 0", name="trades_something"),
        CheckConstraint("attempt >= 1", name="attempts_count_from_one"),
        CheckConstraint("(layer IS NULL) <> (condor_id IS NULL)", name="serves_one"),
        whole("limit_price_micros", "worst_price_micros"),
    )

    sequence: int | None = Field(default=None, primary_key=True)
    client_order_id: str = Field(unique=True)
    decision_id: int = Field(foreign_key="decisions.decision_id", index=True)
    planned_at: datetime = _instant()
    purpose: str
    attempt: int
    effect: str
    urgency: str
    quantity: int
    limit_price: Decimal = _micros("limit_price")  # > 0 debit, < 0 credit
    worst_price: Decimal = _micros("worst_price")
    layer: str | None
    condor_id: str | None = Field(foreign_key="condors.condor_id", index=True)
    rules: str


class OrderLegRow(LedgerRow, table=True):
    """The legs of each order; ratio > 0 is bought."""

    __tablename__ = "order_legs"
    __table_args__ = (
        CheckConstraint("ratio <> 0", name="has_a_side"),
        {"sqlite_with_rowid": False},
    )

    client_order_id: str = Field(primary_key=True, foreign_key="orders.client_order_id")
    position: int = Field(primary_key=True)
    symbol: str
    ratio: int


class OrderEventRow(LedgerRow, table=True):
    """Each move in the life of an order, in the order it was learnt."""

    __tablename__ = "order_events"
    __table_args__ = (
        one_of("status", OrderStatus),
        CheckConstraint("filled >= 0 AND leaves >= 0", name="counts_up"),
        whole("limit_price_micros", "arrival_mid_micros"),
    )

    sequence: int | None = Field(default=None, primary_key=True)
    client_order_id: str = Field(foreign_key="orders.client_order_id", index=True)
    at: datetime = _instant()
    status: str
    filled: int  # packages so far
    leaves: int  # packages still wanted
    limit_price: Decimal | None = _micros("limit_price", nullable=True)
    arrival_mid: Decimal | None = _micros("arrival_mid", nullable=True)
    broker_order_id: str
    note: str


class FillRow(LedgerRow, table=True):
    """Each execution of one leg, and each correction of one; the highest revision counts."""

    __tablename__ = "fills"
    __table_args__ = (
        one_of("side", Side),
        _TRADES_OR_IS_TAKEN_BACK,
        CheckConstraint("revision >= 1", name="revisions_count_from_one"),
        whole("price_micros", "commission_usd_micros", "cash_flow_usd_micros"),
    )

    exec_root: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    client_order_id: str = Field(foreign_key="orders.client_order_id", index=True)
    symbol: str = Field(index=True)
    side: str
    quantity: int
    price: Decimal = _micros("price")
    commission_usd: Decimal = _micros("commission_usd")
    cash_flow_usd: Decimal = _micros("cash_flow_usd")  # follows from the rest; cash in > 0
    executed_at: datetime = _instant(index=True)
    session: date = Field(sa_type=Day, index=True)
    layer: str | None  # of its order
    condor_id: str | None = Field(index=True)  # of its order


class CashMovementRow(LedgerRow, table=True):
    """Cash that moved without an order: deposits, settlements, variation margin, adjustments."""

    __tablename__ = "cash_movements"
    __table_args__ = (
        one_of("kind", CashKind),
        CheckConstraint(
            "kind <> 'SETTLEMENT' OR (symbol IS NOT NULL AND price_micros IS NOT NULL)",
            name="settlements_name_what_and_at_what",
        ),
        CheckConstraint("kind = 'SETTLEMENT' OR quantity = 0", name="only_settlements_close"),
        whole("price_micros", "amount_usd_micros"),
    )

    movement_id: str = Field(primary_key=True)
    kind: str
    symbol: str | None = Field(index=True)
    quantity: int  # contracts the position changes by
    price: Decimal | None = _micros("price", nullable=True)
    amount_usd: Decimal = _micros("amount_usd")  # cash in > 0
    booked_at: datetime = _instant(index=True)
    session: date = Field(sa_type=Day, index=True)


class DenialRow(LedgerRow, table=True):
    """Each order that the risk gate refused, and the typed reason."""

    __tablename__ = "denials"

    sequence: int | None = Field(default=None, primary_key=True)
    client_order_id: str = Field(index=True)  # it need not be on record
    at: datetime = _instant()
    purpose: str
    quantity: int
    limit_price: Decimal = _micros("limit_price")
    reason: str
    detail: str


class WalkStepRow(LedgerRow, table=True):
    """What the market was and what was bid at each step of a price walk, for cost analysis."""

    __tablename__ = "walk_steps"
    __table_args__ = (
        whole("bid_micros", "mid_micros", "natural_micros", "limit_price_micros"),
        {"sqlite_with_rowid": False},
    )

    client_order_id: str = Field(primary_key=True, foreign_key="orders.client_order_id")
    step: int = Field(primary_key=True)
    at: datetime = _instant()
    bid: Decimal | None = _micros("bid", nullable=True)  # what selling the package would cost
    mid: Decimal | None = _micros("mid", nullable=True)
    natural: Decimal | None = _micros("natural", nullable=True)
    limit_price: Decimal = _micros("limit_price")
    reason: str


# --- records: what others do, and what does not agree -----------------------------------------


class ExternalFillRow(LedgerRow, table=True):
    """Each execution in the account that is not the bot's, and each correction of one."""

    __tablename__ = "external_fills"
    __table_args__ = (
        one_of("source", ExternalSource),
        one_of("side", Side),
        CheckConstraint("quantity >= 0", name="counts_up"),
        CheckConstraint("revision >= 1", name="revisions_count_from_one"),
        whole("price_micros", "commission_usd_micros", "cash_flow_usd_micros"),
    )

    exec_root: str = Field(primary_key=True)
    revision: int = Field(primary_key=True)
    source: str
    reference: str  # whatever the broker says of who it was
    symbol: str = Field(index=True)
    side: str
    quantity: int
    price: Decimal = _micros("price")
    commission_usd: Decimal = _micros("commission_usd")
    cash_flow_usd: Decimal = _micros("cash_flow_usd")  # follows from the rest; cash in > 0
    executed_at: datetime = _instant(index=True)
    session: date = Field(sa_type=Day)


class AdoptionRow(LedgerRow, table=True):
    """Each execution of somebody else's that an operator has given to a condor or a layer."""

    __tablename__ = "adoptions"
    __table_args__ = (CheckConstraint("(layer IS NULL) <> (condor_id IS NULL)", name="serves_one"),)

    exec_root: str = Field(primary_key=True)
    at: datetime = _instant()
    condor_id: str | None = Field(foreign_key="condors.condor_id", index=True)
    layer: str | None
    set_by: str
    reason: str


class BreakRow(LedgerRow, table=True):
    """Each disagreement found, again when its values changed (``strategies/model/breaks.py``)."""

    __tablename__ = "breaks"
    __table_args__ = (one_of("kind", BreakKind),)

    sequence: int | None = Field(default=None, primary_key=True)
    break_id: str = Field(index=True)
    kind: str
    key: str
    detail: str
    ledger_value: str
    broker_value: str
    locks_json: str  # keys under which nothing opens
    found_at: datetime = _instant()


class BreakResolutionRow(LedgerRow, table=True):
    """How a break ended, and who said so."""

    __tablename__ = "break_resolutions"
    __table_args__ = (one_of("resolution", Resolution),)

    sequence: int | None = Field(default=None, primary_key=True)
    break_sequence: int = Field(foreign_key="breaks.sequence", index=True)
    at: datetime = _instant()
    resolution: str
    set_by: str
    reason: str


class LockRow(LedgerRow, table=True):
    """Each lock that was set, again when it was prolonged (``strategies/model/locks.py``)."""

    __tablename__ = "locks"
    __table_args__ = (one_of("kind", LockKind),)

    sequence: int | None = Field(default=None, primary_key=True)
    lock_id: str = Field(index=True)
    kind: str
    key: str
    reason: str
    set_at: datetime = _instant()
    until: datetime | None = Field(sa_type=Instant)  # NULL = until it is released
    set_by: str


class LockReleaseRow(LedgerRow, table=True):
    """Each lock that was taken away before its end, and who did."""

    __tablename__ = "lock_releases"

    sequence: int | None = Field(default=None, primary_key=True)
    lock_sequence: int = Field(foreign_key="locks.sequence", index=True)
    at: datetime = _instant()
    set_by: str
    reason: str


# --- projections ------------------------------------------------------------------------------


class OrderStateRow(LedgerRow, table=True):
    """Where each order is now."""

    __tablename__ = "order_states"
    __table_args__ = (one_of("status", OrderStatus),)

    client_order_id: str = Field(primary_key=True, foreign_key="orders.client_order_id")
    status: str = Field(index=True)
    filled: int
    leaves: int
    limit_price: Decimal = _micros("limit_price")
    arrival_mid: Decimal | None = _micros("arrival_mid", nullable=True)
    broker_order_id: str
    note: str
    updated_at: datetime = _instant()


class PositionRow(LedgerRow, table=True):
    """Net contracts of each symbol that is held."""

    __tablename__ = "positions"
    __table_args__ = (CheckConstraint("net_contracts <> 0", name="holds_something"),)

    symbol: str = Field(primary_key=True)
    net_contracts: int


class HedgeRow(LedgerRow, table=True):
    """Each VIX instrument ever traded: what is held, at what cost, and what it has earned."""

    __tablename__ = "hedges"
    __table_args__ = (whole("average_cost_micros", "realised_usd_micros"),)

    symbol: str = Field(primary_key=True)
    net_contracts: int
    average_cost: Decimal = _micros("average_cost")  # index points; 0 where nothing is held
    opened_on: date | None = Field(sa_type=Day)  # session the position left zero
    realised_usd: Decimal = _micros("realised_usd")  # by average cost, fees excluded


class CondorStateRow(LedgerRow, table=True):
    """Where each condor is now. USD without fees unless said otherwise; cash in > 0."""

    __tablename__ = "condor_states"
    __table_args__ = (
        one_of("status", CONDOR_STATUSES),
        CheckConstraint("whole_quantity BETWEEN 0 AND quantity", name="whole_ones_are_among_them"),
        CheckConstraint(
            "quantity = opened_quantity - closed_quantity - settled_quantity - rolled_quantity",
            name="adds_up",
        ),
        whole("entry_credit_micros", "rolled_cash_usd_micros", "realised_usd_micros"),
    )

    condor_id: str = Field(primary_key=True, foreign_key="condors.condor_id")
    status: str = Field(index=True)
    quantity: int
    opened_quantity: int
    closed_quantity: int
    settled_quantity: int
    rolled_quantity: int  # now part of another condor
    whole_quantity: int  # of quantity, those whose every leg is still there
    loose_json: str  # its contracts beyond whole ones: [[symbol, signed contracts], ...]
    entry_credit: Decimal = _micros("entry_credit")  # index points per condor, from fills
    entry_cash_usd: Decimal = _micros("entry_cash_usd")  # with what it was handed by a roll
    rolled_cash_usd: Decimal = _micros("rolled_cash_usd")  # the part of it handed on by rolls
    exit_cash_usd: Decimal = _micros("exit_cash_usd")
    settlement_cash_usd: Decimal = _micros("settlement_cash_usd")
    fees_usd: Decimal = _micros("fees_usd")  # a cost is > 0
    realised_usd: Decimal = _micros("realised_usd")  # of the part no longer open
    opened_at: datetime | None = Field(sa_type=Instant)  # of the condor it was rolled from, if any
    rolled_on: date | None = Field(sa_type=Day)  # session of the first fill that rolled it
    ended_at: datetime | None = Field(sa_type=Instant)


class HedgeCashRow(LedgerRow, table=True):
    """G1's cash flows a session: hedge fills with fees, settlements and variation; cash in > 0."""

    __tablename__ = "hedge_cash"

    session: date = Field(sa_type=Day, primary_key=True)
    cash_flow_usd: Decimal = _micros("cash_flow_usd")


class DailyPnlRow(LedgerRow, table=True):
    """The account at the end of each session. Calculated again, a session is replaced."""

    __tablename__ = "daily_pnl"

    session: date = Field(sa_type=Day, primary_key=True)
    at: datetime = _instant()
    net_liquidation_usd: Decimal = _micros("net_liquidation_usd")
    cash_usd: Decimal = _micros("cash_usd")
    condor_realised_usd: Decimal = _micros("condor_realised_usd")  # since the beginning
    condor_unrealised_usd: Decimal = _micros("condor_unrealised_usd")
    hedge_realised_usd: Decimal = _micros("hedge_realised_usd")
    hedge_unrealised_usd: Decimal = _micros("hedge_unrealised_usd")
    fees_usd: Decimal = _micros("fees_usd")  # since the beginning, a cost is > 0
    hedge_cost_365d_usd: Decimal = _micros("hedge_cost_365d_usd")  # G1, a cost is > 0
    spx_close: float | None
    vix_close: float | None
    condors_open: int
    net_vega_per_condor: float | None


def columns_of(table: Table, *names: str) -> list[Label[Any]]:
    """Return columns to select (all, unless named) whose results go by the domain's names."""
    return [table.c[name].label(name) for name in names or table.c.keys()]


def table_of(row: type[LedgerRow]) -> Table:
    """Return the table behind a row class; its columns carry the domain's names as keys."""
    return LedgerRow.metadata.tables[str(row.__tablename__)]


APPEND_ONLY: Sequence[type[LedgerRow]] = (
    EventRow,
    BindingRow,
    LeaseRow,
    RunRow,
    SystemStateRow,
    JobRunRow,
    ConfigEditRow,
    OverrideRow,
    BlobRow,
    DecisionRow,
    CompletionRow,
    GateConditionRow,
    GateResultRow,
    LayerPlanRow,
    CondorRow,
    CondorCloseRow,
    OrderRow,
    OrderLegRow,
    OrderEventRow,
    FillRow,
    CashMovementRow,
    DenialRow,
    WalkStepRow,
    ExternalFillRow,
    AdoptionRow,
    BreakRow,
    BreakResolutionRow,
    LockRow,
    LockReleaseRow,
)
PROJECTIONS: Sequence[type[LedgerRow]] = (
    OrderStateRow,
    PositionRow,
    HedgeRow,
    CondorStateRow,
    HedgeCashRow,
)
