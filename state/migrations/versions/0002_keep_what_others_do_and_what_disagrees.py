"""Chain every change; keep what others do in the account, what does not agree, what is locked."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BREAK_KINDS = (
    "'position', 'cash', 'foreign fill', 'foreign order', 'unrecorded order', 'lost order', "
    "'echo differs', 'overfill', 'worse price', 'bust', 'structure', 'uncovered', "
    "'settlement overdue', 'contract changed', 'assignment'"
)
_LOCK_KINDS = (
    "'daily loss', 'drawdown', 'order rate', 'reject streak', 'stale data', "
    "'implausible market', 'clock skew', 'connection', 'margin', 'break', 'foreign activity', "
    "'operator'"
)


def _whole(*columns: str) -> str:
    return " AND ".join(f"typeof({column}) IN ('integer', 'null')" for column in columns)


def upgrade() -> None:
    for table, before, after in _WIDENED:
        _redefine(table, (before, after))
    # Until now every order of a condor had filled evenly
    _redefine("condor_states", *_PARTS, whole_quantity="quantity", loose_json="'[]'")
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("prev_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
    )
    op.create_table(
        "denials",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("limit_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_denials")),
    )
    op.create_index(op.f("ix_denials_client_order_id"), "denials", ["client_order_id"])
    op.create_table(
        "walk_steps",
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("bid_micros", sa.BigInteger(), nullable=True),
        sa.Column("mid_micros", sa.BigInteger(), nullable=True),
        sa.Column("natural_micros", sa.BigInteger(), nullable=True),
        sa.Column("limit_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(
            _whole("bid_micros", "mid_micros", "natural_micros", "limit_price_micros"),
            name=op.f("ck_walk_steps_amounts_are_whole"),
        ),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["orders.client_order_id"],
            name=op.f("fk_walk_steps_client_order_id_orders"),
        ),
        sa.PrimaryKeyConstraint("client_order_id", "step", name=op.f("pk_walk_steps")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "external_fills",
        sa.Column("exec_root", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("commission_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_flow_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("executed_at", sa.String(length=27), nullable=False),
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_external_fills_side_is_known")),
        sa.CheckConstraint(
            "source IN ('MANUAL', 'CLIENT', 'LIQUIDATION')",
            name=op.f("ck_external_fills_source_is_known"),
        ),
        sa.CheckConstraint(
            _whole("price_micros", "commission_usd_micros", "cash_flow_usd_micros"),
            name=op.f("ck_external_fills_amounts_are_whole"),
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_external_fills_counts_up")),
        sa.CheckConstraint(
            "revision >= 1", name=op.f("ck_external_fills_revisions_count_from_one")
        ),
        sa.PrimaryKeyConstraint("exec_root", "revision", name=op.f("pk_external_fills")),
    )
    op.create_index(op.f("ix_external_fills_executed_at"), "external_fills", ["executed_at"])
    op.create_index(op.f("ix_external_fills_symbol"), "external_fills", ["symbol"])
    op.create_table(
        "adoptions",
        sa.Column("exec_root", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("condor_id", sa.String(), nullable=True),
        sa.Column("layer", sa.String(), nullable=True),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(
            "(layer IS NULL) <> (condor_id IS NULL)", name=op.f("ck_adoptions_serves_one")
        ),
        sa.ForeignKeyConstraint(
            ["condor_id"], ["condors.condor_id"], name=op.f("fk_adoptions_condor_id_condors")
        ),
        sa.PrimaryKeyConstraint("exec_root", name=op.f("pk_adoptions")),
    )
    op.create_index(op.f("ix_adoptions_condor_id"), "adoptions", ["condor_id"])
    op.create_table(
        "breaks",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("break_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("ledger_value", sa.String(), nullable=False),
        sa.Column("broker_value", sa.String(), nullable=False),
        sa.Column("locks_json", sa.String(), nullable=False),
        sa.Column("found_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint(f"kind IN ({_BREAK_KINDS})", name=op.f("ck_breaks_kind_is_known")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_breaks")),
    )
    op.create_index(op.f("ix_breaks_break_id"), "breaks", ["break_id"])
    op.create_table(
        "break_resolutions",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("break_sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("resolution", sa.String(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.CheckConstraint(
            "resolution IN ('gone', 'adopted', 'ignored', 'balanced')",
            name=op.f("ck_break_resolutions_resolution_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["break_sequence"],
            ["breaks.sequence"],
            name=op.f("fk_break_resolutions_break_sequence_breaks"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_break_resolutions")),
    )
    op.create_index(
        op.f("ix_break_resolutions_break_sequence"), "break_resolutions", ["break_sequence"]
    )
    op.create_table(
        "locks",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("lock_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("set_at", sa.String(length=27), nullable=False),
        sa.Column("until", sa.String(length=27), nullable=True),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.CheckConstraint(f"kind IN ({_LOCK_KINDS})", name=op.f("ck_locks_kind_is_known")),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_locks")),
    )
    op.create_index(op.f("ix_locks_lock_id"), "locks", ["lock_id"])
    op.create_table(
        "lock_releases",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("lock_sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["lock_sequence"], ["locks.sequence"], name=op.f("fk_lock_releases_lock_sequence_locks")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_lock_releases")),
    )
    op.create_index(op.f("ix_lock_releases_lock_sequence"), "lock_releases", ["lock_sequence"])


# The constraints that change: the table, the clause as it was, and as it is
_WIDENED = (
    (
        "fills",
        "ck_fills_trades_something CHECK (quantity > 0)",
        "ck_fills_trades_or_is_taken_back CHECK (quantity > 0 OR (quantity = 0 AND revision > 1))",
    ),
    (
        "cash_movements",
        "CHECK (kind IN ('DEPOSIT', 'SETTLEMENT', 'VARIATION'))",
        "CHECK (kind IN ('DEPOSIT', 'SETTLEMENT', 'VARIATION', 'ADJUSTMENT'))",
    ),
    (
        "system_states",
        "CHECK (halt_scope IN ('opens', 'reduce-only', 'all'))",
        "CHECK (halt_scope IN ('opens', 'reduce-only', 'all', 'flatten'))",
    ),
)
_COLUMN, _KEY = "rolled_quantity INTEGER NOT NULL,", "CONSTRAINT pk_condor_states"
_CHECK = (
    "CONSTRAINT ck_condor_states_whole_ones_are_among_them "
    "CHECK (whole_quantity BETWEEN 0 AND quantity)"
)
_PARTS = (
    (_COLUMN, f"{_COLUMN} \n\twhole_quantity INTEGER NOT NULL, \n\tloose_json VARCHAR NOT NULL,"),
    (_KEY, f"{_CHECK}, \n\t{_KEY}"),
)


def _redefine(table: str, *changes: tuple[str, str], **computed: str) -> None:
    """Copy a table into one whose definition says something else; ``computed`` fills new columns.

    Batch operations would write the constraints in an order of their own each time.
    """
    connection = op.get_bind()
    schema = "SELECT sql FROM sqlite_schema WHERE tbl_name = ? AND type = ? AND sql IS NOT NULL"
    definition = connection.exec_driver_sql(schema, (table, "table")).scalar_one()
    indexes = connection.exec_driver_sql(schema, (table, "index")).scalars().all()
    for before, after in changes:
        assert definition.count(before) == 1, f"{table} is not as it was made"
        definition = definition.replace(before, after)
    op.execute(f"CREATE TABLE new_{table} ({definition.partition('(')[2]}")
    named = "SELECT name FROM pragma_table_info(?)"
    columns = connection.exec_driver_sql(named, (f"new_{table}",)).scalars().all()
    new = sa.table(f"new_{table}", *map(sa.column, columns))
    old = sa.table(table, *map(sa.column, columns))
    values = [sa.text(computed[name]) if name in computed else old.c[name] for name in columns]
    connection.execute(new.insert().from_select(columns, sa.select(*values).select_from(old)))
    op.drop_table(table)
    op.rename_table(f"new_{table}", table)
    for index in indexes:
        op.execute(index)


def downgrade() -> None:
    for table in (
        "lock_releases",
        "locks",
        "break_resolutions",
        "breaks",
        "adoptions",
        "external_fills",
        "walk_steps",
        "denials",
        "events",
    ):
        op.drop_table(table)
    _redefine("condor_states", *((after, before) for before, after in _PARTS))
    for table, before, after in _WIDENED:
        _redefine(table, (after, before))
