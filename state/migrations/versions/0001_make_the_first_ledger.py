"""Make the first ledger."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "binding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("created_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_binding_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_binding")),
    )
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN ('market', 'history')", name=op.f("ck_blobs_kind_is_known")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
    )
    op.create_table(
        "cash_movements",
        sa.Column("movement_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=True),
        sa.Column("amount_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("booked_at", sa.String(length=27), nullable=False),
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.CheckConstraint(
            ("kind <> 'SETTLEMENT' OR (symbol IS NOT NULL AND price_micros IS NOT NULL)"),
            name=op.f("ck_cash_movements_settlements_name_what_and_at_what"),
        ),
        sa.CheckConstraint(
            "kind = 'SETTLEMENT' OR quantity = 0",
            name=op.f("ck_cash_movements_only_settlements_close"),
        ),
        sa.CheckConstraint(
            "kind IN ('DEPOSIT', 'SETTLEMENT', 'VARIATION')",
            name=op.f("ck_cash_movements_kind_is_known"),
        ),
        sa.CheckConstraint(
            (
                "typeof(price_micros) IN ('integer', 'null') AND "
                "typeof(amount_usd_micros) IN ('integer', 'null')"
            ),
            name=op.f("ck_cash_movements_amounts_are_whole"),
        ),
        sa.PrimaryKeyConstraint("movement_id", name=op.f("pk_cash_movements")),
    )
    op.create_index(
        op.f("ix_cash_movements_booked_at"), "cash_movements", ["booked_at"], unique=False
    )
    op.create_index(op.f("ix_cash_movements_session"), "cash_movements", ["session"], unique=False)
    op.create_index(op.f("ix_cash_movements_symbol"), "cash_movements", ["symbol"], unique=False)

    op.create_table(
        "daily_pnl",
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("net_liquidation_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("condor_realised_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("condor_unrealised_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("hedge_realised_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("hedge_unrealised_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("fees_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("hedge_cost_365d_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("spx_close", sa.Float(), nullable=True),
        sa.Column("vix_close", sa.Float(), nullable=True),
        sa.Column("condors_open", sa.Integer(), nullable=False),
        sa.Column("net_vega_per_condor", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_daily_pnl")),
    )
    op.create_table(
        "hedge_cash",
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.Column("cash_flow_usd_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_hedge_cash")),
    )
    op.create_table(
        "hedges",
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("net_contracts", sa.Integer(), nullable=False),
        sa.Column("average_cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("opened_on", sa.String(length=10), nullable=True),
        sa.Column("realised_usd_micros", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            (
                "typeof(average_cost_micros) IN ('integer', 'null') AND "
                "typeof(realised_usd_micros) IN ('integer', 'null')"
            ),
            name=op.f("ck_hedges_amounts_are_whole"),
        ),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_hedges")),
    )
    op.create_table(
        "job_runs",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("scheduled_at", sa.String(length=27), nullable=False),
        sa.Column("started_at", sa.String(length=27), nullable=True),
        sa.Column("finished_at", sa.String(length=27), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('ran', 'late', 'missed', 'skipped', 'failed')",
            name=op.f("ck_job_runs_outcome_is_known"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_job_runs")),
    )
    op.create_index(op.f("ix_job_runs_job"), "job_runs", ["job"], unique=False)

    op.create_table(
        "leases",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("process_id", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_leases")),
    )
    op.create_table(
        "positions",
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("net_contracts", sa.Integer(), nullable=False),
        sa.CheckConstraint("net_contracts <> 0", name=op.f("ck_positions_holds_something")),
        sa.PrimaryKeyConstraint("symbol", name=op.f("pk_positions")),
    )
    op.create_table(
        "system_states",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("halt_scope", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.CheckConstraint(
            "halt_scope IN ('opens', 'reduce-only', 'all')",
            name=op.f("ck_system_states_halt_scope_is_known"),
        ),
        sa.CheckConstraint(
            "state <> 'HALTED' OR halt_scope IS NOT NULL",
            name=op.f("ck_system_states_halts_have_a_scope"),
        ),
        sa.CheckConstraint(
            ("state IN ('STARTING', 'RECONCILING', 'RUNNING', 'REDUCE_ONLY', 'HALTED')"),
            name=op.f("ck_system_states_state_is_known"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_system_states")),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.String(length=27), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("config_hash", sa.String(), nullable=False),
        sa.Column("config_json", sa.String(), nullable=False),
        sa.Column("rules_hash", sa.String(), nullable=False),
        sa.Column("rules_json", sa.String(), nullable=False),
        sa.Column("rule_book_version", sa.String(), nullable=False),
        sa.Column("package_version", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["epoch"], ["leases.epoch"], name=op.f("fk_runs_epoch_leases")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_table(
        "overrides",
        sa.Column("override_id", sa.String(), nullable=False),
        sa.Column("accepted_at", sa.String(length=27), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("signer", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.String(length=27), nullable=False),
        sa.Column("expires_at", sa.String(length=27), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("override_id", name=op.f("pk_overrides")),
        sa.UniqueConstraint("public_key", "serial", name=op.f("uq_overrides_public_key_serial")),
    )
    op.create_index(op.f("ix_overrides_expires_at"), "overrides", ["expires_at"], unique=False)

    op.create_table(
        "config_edits",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("digest_in_force", sa.String(), nullable=False),
        sa.Column("digest_found", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.run_id"], name=op.f("fk_config_edits_run_id_runs")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_config_edits")),
    )
    op.create_index(op.f("ix_config_edits_run_id"), "config_edits", ["run_id"], unique=False)

    op.create_table(
        "decisions",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.Column("entry_due", sa.Boolean(), nullable=False),
        sa.Column("rules_hash", sa.String(), nullable=False),
        sa.Column("curve", sa.String(), nullable=False),
        sa.Column("hedge_state", sa.String(), nullable=False),
        sa.Column("spx", sa.Float(), nullable=True),
        sa.Column("vix", sa.Float(), nullable=True),
        sa.Column("net_liquidation_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("maintenance_margin_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("condor_contracts", sa.Integer(), nullable=True),
        sa.Column("net_vega_before", sa.Float(), nullable=True),
        sa.Column("net_vega_after", sa.Float(), nullable=True),
        sa.Column("order_count", sa.Integer(), nullable=False),
        sa.Column("no_trade_reasons", sa.String(), nullable=False),
        sa.Column("missing", sa.String(), nullable=False),
        sa.Column("regime_json", sa.String(), nullable=False),
        sa.Column("signals_json", sa.String(), nullable=False),
        sa.Column("before_json", sa.String(), nullable=True),
        sa.Column("after_json", sa.String(), nullable=True),
        sa.Column("memory_json", sa.String(), nullable=False),
        sa.Column("market_digest", sa.String(), nullable=False),
        sa.Column("history_digest", sa.String(), nullable=False),
        sa.Column("inputs", sa.LargeBinary(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("entry_due IN (0, 1)", name=op.f("ck_decisions_entry_due_is_flag")),
        sa.ForeignKeyConstraint(
            ["history_digest"], ["blobs.digest"], name=op.f("fk_decisions_history_digest_blobs")
        ),
        sa.ForeignKeyConstraint(
            ["market_digest"], ["blobs.digest"], name=op.f("fk_decisions_market_digest_blobs")
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_decisions_run_id_runs")),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("plan_id", name=op.f("uq_decisions_plan_id")),
    )
    op.create_index(op.f("ix_decisions_at"), "decisions", ["at"], unique=False)
    op.create_index(op.f("ix_decisions_session"), "decisions", ["session"], unique=False)

    op.create_table(
        "completions",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.decision_id"],
            name=op.f("fk_completions_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_completions")),
    )
    op.create_table(
        "condors",
        sa.Column("condor_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.Column("long_put", sa.String(), nullable=False),
        sa.Column("short_put", sa.String(), nullable=False),
        sa.Column("short_call", sa.String(), nullable=False),
        sa.Column("long_call", sa.String(), nullable=False),
        sa.Column("short_ratio", sa.Integer(), nullable=False),
        sa.Column("long_ratio", sa.Integer(), nullable=False),
        sa.Column("expiry", sa.String(length=10), nullable=False),
        sa.Column("planned_quantity", sa.Integer(), nullable=False),
        sa.Column("mid_credit", sa.Float(), nullable=False),
        sa.Column("net_vega", sa.Float(), nullable=False),
        sa.Column("short_put_delta", sa.Float(), nullable=False),
        sa.Column("short_call_delta", sa.Float(), nullable=False),
        sa.Column("entry_spot", sa.Float(), nullable=False),
        sa.Column("entry_sigma_sqrt_t", sa.Float(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("rolled_from", sa.String(), nullable=True),
        sa.Column("adjustments", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("planned_quantity > 0", name=op.f("ck_condors_opens_something")),
        sa.CheckConstraint(
            "short_ratio >= 1 AND long_ratio >= short_ratio", name=op.f("ck_condors_is_covered")
        ),
        sa.CheckConstraint(
            "(rolled_from IS NULL) = (adjustments = 0)",
            name=op.f("ck_condors_rolls_are_adjustments"),
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.decision_id"],
            name=op.f("fk_condors_decision_id_decisions"),
        ),
        sa.ForeignKeyConstraint(
            ["rolled_from"], ["condors.condor_id"], name=op.f("fk_condors_rolled_from_condors")
        ),
        sa.PrimaryKeyConstraint("condor_id", name=op.f("pk_condors")),
    )
    op.create_index(op.f("ix_condors_rolled_from"), "condors", ["rolled_from"], unique=False)
    op.create_index(op.f("ix_condors_session"), "condors", ["session"], unique=False)

    op.create_table(
        "gate_conditions",
        sa.Column("condition_id", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("threshold", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("condition_id", name=op.f("pk_gate_conditions")),
    )
    op.create_table(
        "gate_results",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("condition_id", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("passed IN (0, 1)", name=op.f("ck_gate_results_passed_is_flag")),
        sa.ForeignKeyConstraint(
            ["condition_id"],
            ["gate_conditions.condition_id"],
            name=op.f("fk_gate_results_condition_id_gate_conditions"),
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.decision_id"],
            name=op.f("fk_gate_results_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_id", "position", name=op.f("pk_gate_results")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "layer_plans",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("layer", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("scale", sa.Float(), nullable=False),
        sa.Column("current_vega_usd", sa.Float(), nullable=False),
        sa.Column("target_vega_usd", sa.Float(), nullable=False),
        sa.Column("planned_vega_usd", sa.Float(), nullable=False),
        sa.Column("current_contracts", sa.Integer(), nullable=False),
        sa.Column("change_contracts", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(), nullable=True),
        sa.Column("runner_up", sa.String(), nullable=True),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("binding_cap", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("trades_json", sa.String(), nullable=False),
        sa.CheckConstraint("active IN (0, 1)", name=op.f("ck_layer_plans_active_is_flag")),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.decision_id"],
            name=op.f("fk_layer_plans_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_id", "position", name=op.f("pk_layer_plans")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "condor_closes",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("condor_id", sa.String(), nullable=False),
        sa.Column("rules", sa.String(), nullable=False),
        sa.Column("mark_debit", sa.Float(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["condor_id"], ["condors.condor_id"], name=op.f("fk_condor_closes_condor_id_condors")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.decision_id"],
            name=op.f("fk_condor_closes_decision_id_decisions"),
        ),
        sa.PrimaryKeyConstraint("decision_id", "condor_id", name=op.f("pk_condor_closes")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "condor_states",
        sa.Column("condor_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("opened_quantity", sa.Integer(), nullable=False),
        sa.Column("closed_quantity", sa.Integer(), nullable=False),
        sa.Column("settled_quantity", sa.Integer(), nullable=False),
        sa.Column("rolled_quantity", sa.Integer(), nullable=False),
        sa.Column("entry_credit_micros", sa.BigInteger(), nullable=False),
        sa.Column("entry_cash_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("rolled_cash_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("exit_cash_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("settlement_cash_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("fees_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("realised_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.String(length=27), nullable=True),
        sa.Column("rolled_on", sa.String(length=10), nullable=True),
        sa.Column("ended_at", sa.String(length=27), nullable=True),
        sa.CheckConstraint(
            ("status IN ('PENDING', 'UNFILLED', 'OPEN', 'CLOSING', 'CLOSED', 'SETTLED', 'ROLLED')"),
            name=op.f("ck_condor_states_status_is_known"),
        ),
        sa.CheckConstraint(
            (
                "typeof(entry_credit_micros) IN ('integer', 'null') AND "
                "typeof(rolled_cash_usd_micros) IN ('integer', 'null') AND "
                "typeof(realised_usd_micros) IN ('integer', 'null')"
            ),
            name=op.f("ck_condor_states_amounts_are_whole"),
        ),
        sa.CheckConstraint(
            "quantity = opened_quantity - closed_quantity - settled_quantity - rolled_quantity",
            name=op.f("ck_condor_states_adds_up"),
        ),
        sa.ForeignKeyConstraint(
            ["condor_id"], ["condors.condor_id"], name=op.f("fk_condor_states_condor_id_condors")
        ),
        sa.PrimaryKeyConstraint("condor_id", name=op.f("pk_condor_states")),
    )
    op.create_index(op.f("ix_condor_states_status"), "condor_states", ["status"], unique=False)

    op.create_table(
        "orders",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("planned_at", sa.String(length=27), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("limit_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("worst_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.String(), nullable=True),
        sa.Column("condor_id", sa.String(), nullable=True),
        sa.Column("rules", sa.String(), nullable=False),
        sa.CheckConstraint("effect IN ('OPEN', 'CLOSE')", name=op.f("ck_orders_effect_is_known")),
        sa.CheckConstraint(
            (
                "typeof(limit_price_micros) IN ('integer', 'null') AND "
                "typeof(worst_price_micros) IN ('integer', 'null')"
            ),
            name=op.f("ck_orders_amounts_are_whole"),
        ),
        sa.CheckConstraint(
            "urgency IN ('PATIENT', 'NORMAL', 'URGENT', 'PASSIVE')",
            name=op.f("ck_orders_urgency_is_known"),
        ),
        sa.CheckConstraint(
            "(layer IS NULL) <> (condor_id IS NULL)", name=op.f("ck_orders_serves_one")
        ),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_orders_attempts_count_from_one")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_orders_trades_something")),
        sa.ForeignKeyConstraint(
            ["condor_id"], ["condors.condor_id"], name=op.f("fk_orders_condor_id_condors")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.decision_id"], name=op.f("fk_orders_decision_id_decisions")
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_orders")),
        sa.UniqueConstraint("client_order_id", name=op.f("uq_orders_client_order_id")),
    )
    op.create_index(op.f("ix_orders_condor_id"), "orders", ["condor_id"], unique=False)
    op.create_index(op.f("ix_orders_decision_id"), "orders", ["decision_id"], unique=False)

    op.create_table(
        "fills",
        sa.Column("exec_root", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price_micros", sa.BigInteger(), nullable=False),
        sa.Column("commission_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("cash_flow_usd_micros", sa.BigInteger(), nullable=False),
        sa.Column("executed_at", sa.String(length=27), nullable=False),
        sa.Column("session", sa.String(length=10), nullable=False),
        sa.Column("layer", sa.String(), nullable=True),
        sa.Column("condor_id", sa.String(), nullable=True),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name=op.f("ck_fills_side_is_known")),
        sa.CheckConstraint(
            (
                "typeof(price_micros) IN ('integer', 'null') AND "
                "typeof(commission_usd_micros) IN ('integer', 'null') AND "
                "typeof(cash_flow_usd_micros) IN ('integer', 'null')"
            ),
            name=op.f("ck_fills_amounts_are_whole"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_fills_trades_something")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_fills_revisions_count_from_one")),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["orders.client_order_id"],
            name=op.f("fk_fills_client_order_id_orders"),
        ),
        sa.PrimaryKeyConstraint("exec_root", "revision", name=op.f("pk_fills")),
    )
    op.create_index(op.f("ix_fills_client_order_id"), "fills", ["client_order_id"], unique=False)
    op.create_index(op.f("ix_fills_condor_id"), "fills", ["condor_id"], unique=False)
    op.create_index(op.f("ix_fills_executed_at"), "fills", ["executed_at"], unique=False)
    op.create_index(op.f("ix_fills_session"), "fills", ["session"], unique=False)
    op.create_index(op.f("ix_fills_symbol"), "fills", ["symbol"], unique=False)

    op.create_table(
        "order_events",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("at", sa.String(length=27), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("filled", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.Integer(), nullable=False),
        sa.Column("limit_price_micros", sa.BigInteger(), nullable=True),
        sa.Column("arrival_mid_micros", sa.BigInteger(), nullable=True),
        sa.Column("broker_order_id", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint(
            (
                "status IN ('PLANNED', 'ARMED', 'SENDING', 'UNKNOWN', 'LIVE', "
                "'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED')"
            ),
            name=op.f("ck_order_events_status_is_known"),
        ),
        sa.CheckConstraint(
            (
                "typeof(limit_price_micros) IN ('integer', 'null') AND "
                "typeof(arrival_mid_micros) IN ('integer', 'null')"
            ),
            name=op.f("ck_order_events_amounts_are_whole"),
        ),
        sa.CheckConstraint("filled >= 0 AND leaves >= 0", name=op.f("ck_order_events_counts_up")),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["orders.client_order_id"],
            name=op.f("fk_order_events_client_order_id_orders"),
        ),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_order_events")),
    )
    op.create_index(
        op.f("ix_order_events_client_order_id"), "order_events", ["client_order_id"], unique=False
    )

    op.create_table(
        "order_legs",
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("ratio", sa.Integer(), nullable=False),
        sa.CheckConstraint("ratio <> 0", name=op.f("ck_order_legs_has_a_side")),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["orders.client_order_id"],
            name=op.f("fk_order_legs_client_order_id_orders"),
        ),
        sa.PrimaryKeyConstraint("client_order_id", "position", name=op.f("pk_order_legs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "order_states",
        sa.Column("client_order_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("filled", sa.Integer(), nullable=False),
        sa.Column("leaves", sa.Integer(), nullable=False),
        sa.Column("limit_price_micros", sa.BigInteger(), nullable=False),
        sa.Column("arrival_mid_micros", sa.BigInteger(), nullable=True),
        sa.Column("broker_order_id", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("updated_at", sa.String(length=27), nullable=False),
        sa.CheckConstraint(
            (
                "status IN ('PLANNED', 'ARMED', 'SENDING', 'UNKNOWN', 'LIVE', "
                "'PARTIALLY_FILLED', 'FILLED', 'CANCELLED', 'REJECTED')"
            ),
            name=op.f("ck_order_states_status_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["client_order_id"],
            ["orders.client_order_id"],
            name=op.f("fk_order_states_client_order_id_orders"),
        ),
        sa.PrimaryKeyConstraint("client_order_id", name=op.f("pk_order_states")),
    )
    op.create_index(op.f("ix_order_states_status"), "order_states", ["status"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_order_states_status"), table_name="order_states")

    op.drop_table("order_states")
    op.drop_table("order_legs")
    op.drop_index(op.f("ix_order_events_client_order_id"), table_name="order_events")

    op.drop_table("order_events")
    op.drop_index(op.f("ix_fills_symbol"), table_name="fills")
    op.drop_index(op.f("ix_fills_session"), table_name="fills")
    op.drop_index(op.f("ix_fills_executed_at"), table_name="fills")
    op.drop_index(op.f("ix_fills_condor_id"), table_name="fills")
    op.drop_index(op.f("ix_fills_client_order_id"), table_name="fills")

    op.drop_table("fills")
    op.drop_index(op.f("ix_orders_decision_id"), table_name="orders")
    op.drop_index(op.f("ix_orders_condor_id"), table_name="orders")

    op.drop_table("orders")
    op.drop_index(op.f("ix_condor_states_status"), table_name="condor_states")

    op.drop_table("condor_states")
    op.drop_table("condor_closes")
    op.drop_table("layer_plans")
    op.drop_table("gate_results")
    op.drop_table("gate_conditions")
    op.drop_index(op.f("ix_condors_session"), table_name="condors")
    op.drop_index(op.f("ix_condors_rolled_from"), table_name="condors")

    op.drop_table("condors")
    op.drop_table("completions")
    op.drop_index(op.f("ix_decisions_session"), table_name="decisions")
    op.drop_index(op.f("ix_decisions_at"), table_name="decisions")

    op.drop_table("decisions")
    op.drop_index(op.f("ix_config_edits_run_id"), table_name="config_edits")

    op.drop_table("config_edits")
    op.drop_index(op.f("ix_overrides_expires_at"), table_name="overrides")

    op.drop_table("overrides")
    op.drop_table("runs")
    op.drop_table("system_states")
    op.drop_table("positions")
    op.drop_table("leases")
    op.drop_index(op.f("ix_job_runs_job"), table_name="job_runs")

    op.drop_table("job_runs")
    op.drop_table("hedges")
    op.drop_table("hedge_cash")
    op.drop_table("daily_pnl")
    op.drop_index(op.f("ix_cash_movements_symbol"), table_name="cash_movements")
    op.drop_index(op.f("ix_cash_movements_session"), table_name="cash_movements")
    op.drop_index(op.f("ix_cash_movements_booked_at"), table_name="cash_movements")

    op.drop_table("cash_movements")
    op.drop_table("blobs")
    op.drop_table("binding")
