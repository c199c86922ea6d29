"""What auditors ask: fills, orders, hedge changes, decisions, profit and loss, and why.

Every answer is a ``Table`` (or values made of them) whose keys are documented in
``docs/database.md`` and stay. Nothing here can write; see ``state/readers.py``.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from state.amounts import instant_text
from state.costs import COSTS
from state.explanations import Coverage, Explanation, explain_coverage, explain_why
from state.readers import Cell, Reader, Table

__all__ = ["AuditReader", "Cell", "Coverage", "Explanation", "Filters", "Table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which rows to answer with; None = all of them."""

    since: datetime | None = None  # at or after
    until: datetime | None = None  # before
    layer: str | None = None  # "L1".."L3"
    rule: str | None = None  # a rule id, "C6"
    condor: str | None = None  # a condor id, "C0007"

    def parameters(self) -> dict[str, str | None]:
        """Return the filters as parameters of a query."""
        return {
            "since": None if self.since is None else instant_text(self.since),
            "until": None if self.until is None else instant_text(self.until),
            "layer": self.layer,
            "rule": self.rule,
            "condor": self.condor,
        }


EVERYTHING = Filters()


class AuditReader(Reader):
    """A ledger, opened for questions. ``AuditReader.open(path)`` works while the bot runs."""

    @classmethod
    def open(cls, path: Path) -> "AuditReader":
        """Open a ledger for reading; raises as ``Reader.open`` does."""
        return super().open(path)

    def fills(self, filters: Filters = EVERYTHING) -> Table:
        """Return executions in their latest revision, oldest first; quantities are signed."""
        return self.table(_FILLS, filters.parameters())

    def orders(self, filters: Filters = EVERYTHING) -> Table:
        """Return every order with where it is now, oldest first."""
        return self.table(_ORDERS, filters.parameters())

    def costs(self, filters: Filters = EVERYTHING) -> Table:
        """Return what each purpose that traded cost beyond its arrival mid, oldest first."""
        return self.table(COSTS, filters.parameters())

    def hedge(self, filters: Filters = EVERYTHING, *, changes_only: bool = True) -> Table:
        """Return each layer of each decision; those that change nothing only if asked for."""
        return self.table(_HEDGE, {**filters.parameters(), "all": not changes_only})

    def decisions(self, filters: Filters = EVERYTHING) -> Table:
        """Return decisions, oldest first; ``rule`` keeps those in which that rule acted."""
        return self.table(_DECISIONS, filters.parameters())

    def condors(self, filters: Filters = EVERYTHING) -> Table:
        """Return every condor with its result, oldest first."""
        return self.table(_CONDORS, filters.parameters())

    def pnl(self, filters: Filters = EVERYTHING) -> Table:
        """Return the end of each session, oldest first."""
        return self.table(_PNL, filters.parameters())

    def job_runs(self, filters: Filters = EVERYTHING) -> Table:
        """Return what the scheduler did, oldest first."""
        return self.table(_JOBS, filters.parameters())

    def system_states(self, filters: Filters = EVERYTHING) -> Table:
        """Return starts, halts and resumptions, oldest first."""
        return self.table(_SYSTEM, filters.parameters())

    def runs(self, filters: Filters = EVERYTHING) -> Table:
        """Return every start of the bot with what was in force, oldest first."""
        return self.table(_RUNS, filters.parameters())

    def steward(self, filters: Filters = EVERYTHING) -> Table:
        """Return each adjustment with its rules, inputs and the book before and after (D3)."""
        return self.table(_STEWARD, filters.parameters())

    def config_edits(self, filters: Filters = EVERYTHING) -> Table:
        """Return edits of the configuration that a running bot noticed and left, oldest first."""
        return self.table(_EDITS, filters.parameters())

    def overrides(self, filters: Filters = EVERYTHING) -> Table:
        """Return the overrides that were taken, oldest first."""
        return self.table(_OVERRIDES, filters.parameters())

    def override_with(self, public_key: str, serial: int) -> str | None:
        """Return the override that has used up a serial number of a key, if one has."""
        query = "SELECT override_id FROM overrides WHERE public_key = ? AND serial = ?"
        rows = self.raw(query, (public_key, serial))
        return None if not rows else str(rows[0][0])

    def positions(self) -> Table:
        """Return what is held, with the layer or condors it is held for."""
        return self.table(_POSITIONS)

    def breaks(self) -> Table:
        """Return what ledger and broker do not agree on, open or ignored, oldest first."""
        return self.table(_BREAKS)

    def status(self) -> dict[str, Cell]:
        """Return one line about everything: whose ledger it is, what it may do, what it holds."""
        record = self.record(_STATUS)
        assert record is not None, "a ledger that opens is bound"
        return record

    def why(self, identity: str) -> Explanation:
        """Return the whole chain behind an order or a fill; its id may be shortened.

        Raises: UnknownRecord, AmbiguousId.
        """
        with self.moment():
            return explain_why(self, identity)

    def coverage(self, at: datetime) -> Coverage:
        """Return condors, hedge layers and measures as the newest decision up to ``at`` saw them.

        Raises: NothingStored.
        """
        with self.moment():
            return explain_coverage(self, at)


_FILLS = """
SELECT fills.exec_root || '.' || printf('%02d', fills.revision) AS exec_id,
       fills.executed_at AS at,
       fills.session,
       fills.symbol,
       fills.side,
       CASE fills.side WHEN 'BUY' THEN fills.quantity ELSE -fills.quantity END AS quantity,
       fills.price_micros,
       fills.commission_usd_micros AS commission_micros,
       fills.cash_flow_usd_micros,
       fills.layer,
       fills.condor_id AS condor,
       fills.client_order_id AS order_id,
       orders.purpose,
       orders.rules,
       decisions.plan_id
FROM current_fills AS fills
JOIN orders ON orders.client_order_id = fills.client_order_id
JOIN decisions ON decisions.decision_id = orders.decision_id
WHERE (:since IS NULL OR fills.executed_at >= :since)
  AND (:until IS NULL OR fills.executed_at < :until)
  AND (:layer IS NULL OR fills.layer = :layer)
  AND (:condor IS NULL OR fills.condor_id = :condor)
  AND (:rule IS NULL OR instr(',' || orders.rules || ',', ',' || :rule || ','))
ORDER BY fills.executed_at, fills.exec_root
"""

_ORDERS = """
SELECT orders.client_order_id AS order_id,
       orders.planned_at AS at,
       decisions.session,
       orders.purpose,
       orders.effect,
       (SELECT group_concat(printf('%+d %s', ratio, symbol), '; ')
        FROM (SELECT ratio, symbol FROM order_legs
              WHERE order_legs.client_order_id = orders.client_order_id ORDER BY position)
       ) AS legs,
       orders.quantity,
       states.filled,
       states.leaves,
       states.status,
       states.limit_price_micros,
       orders.worst_price_micros,
       states.arrival_mid_micros,
       orders.urgency,
       orders.attempt,
       orders.layer,
       orders.condor_id AS condor,
       orders.rules,
       states.broker_order_id,
       states.updated_at,
       states.note,
       decisions.plan_id
FROM orders
JOIN order_states AS states ON states.client_order_id = orders.client_order_id
JOIN decisions ON decisions.decision_id = orders.decision_id
WHERE (:since IS NULL OR orders.planned_at >= :since)
  AND (:until IS NULL OR orders.planned_at < :until)
  AND (:layer IS NULL OR orders.layer = :layer)
  AND (:condor IS NULL OR orders.condor_id = :condor)
  AND (:rule IS NULL OR instr(',' || orders.rules || ',', ',' || :rule || ','))
ORDER BY orders.planned_at, orders.sequence
"""

_HEDGE = """
SELECT decisions.at,
       decisions.session,
       layers.layer,
       layers.rules,
       layers.instrument,
       (SELECT coalesce(sum(json_extract(value, '$[1]')), 0)
        FROM json_each(layers.trades_json)) AS change,
       layers.current_contracts,
       layers.current_vega_usd,
       layers.target_vega_usd,
       layers.planned_vega_usd,
       layers.share,
       layers.scale,
       layers.active,
       layers.reason,
       layers.binding_cap,
       layers.runner_up,
       decisions.net_vega_before,
       decisions.net_vega_after,
       decisions.hedge_state,
       layers.note,
       decisions.plan_id,
       (SELECT group_concat(printf('%+d %s', json_extract(value, '$[1]'),
                                   json_extract(value, '$[0]')), '; ')
        FROM json_each(layers.trades_json)) AS trades,
       json_extract(decisions.before_json, '$.irr') AS irr_before,
       json_extract(decisions.after_json, '$.irr') AS irr_after
FROM layer_plans AS layers
JOIN decisions ON decisions.decision_id = layers.decision_id
WHERE (:all OR layers.trades_json <> '[]')
  AND (:since IS NULL OR decisions.at >= :since)
  AND (:until IS NULL OR decisions.at < :until)
  AND (:layer IS NULL OR layers.layer = :layer)
  AND (:rule IS NULL OR layers.binding_cap = :rule
       OR instr(',' || layers.rules || ',', ',' || :rule || ','))
ORDER BY layers.decision_id, layers.position
"""

# The rules that acted in a decision: those of its orders, condors, and layers that change
_DECISIONS = """
WITH acted AS (
    SELECT decision_id, rules FROM layer_plans WHERE trades_json <> '[]'
    UNION ALL SELECT decision_id, rules FROM orders WHERE attempt = 1
    UNION ALL SELECT decision_id, rules FROM condors
    UNION ALL SELECT decision_id, rules FROM condor_closes
)
SELECT decisions.at,
       decisions.session,
       decisions.plan_id,
       decisions.entry_due,
       decisions.curve,
       (SELECT group_concat(key || '=' || value, ' ') FROM json_each(decisions.regime_json))
           AS regime,
       decisions.spx,
       decisions.vix,
       decisions.net_liquidation_usd_micros,
       decisions.condor_contracts,
       decisions.net_vega_before,
       decisions.net_vega_after,
       (SELECT count(*) FROM condors WHERE condors.decision_id = decisions.decision_id
        AND rolled_from IS NULL) AS opens,
       (SELECT count(*) FROM condor_closes
        WHERE condor_closes.decision_id = decisions.decision_id) AS closes,
       (SELECT count(*) FROM layer_plans
        WHERE layer_plans.decision_id = decisions.decision_id AND trades_json <> '[]')
           AS layer_changes,
       decisions.order_count AS orders,
       (SELECT group_concat(DISTINCT rule) FROM gates
        WHERE gates.decision_id = decisions.decision_id AND NOT passed) AS gates_failed,
       decisions.hedge_state,
       decisions.no_trade_reasons,
       decisions.missing,
       (SELECT group_concat(key || '=' || value, ' ')
        FROM json_each(decisions.signals_json) WHERE value IS NOT NULL) AS signals,
       completions.at AS completed_at,
       (SELECT count(*) FROM condors WHERE condors.decision_id = decisions.decision_id
        AND rolled_from IS NOT NULL) AS rolls,
       json_extract(decisions.before_json, '$.irr') AS irr_before,
       json_extract(decisions.after_json, '$.irr') AS irr_after,
       json_extract(decisions.before_json, '$.wacc') AS wacc,
       json_extract(decisions.before_json, '$.vega_per_theta') AS vega_per_theta,
       json_extract(decisions.regime_json, '$.R5') AS panel,
       (SELECT group_concat(value, '; ') FROM gates
        WHERE gates.decision_id = decisions.decision_id AND rule = 'D3' AND NOT passed
          AND name LIKE 'override %') AS overridden
FROM decisions
LEFT JOIN completions ON completions.decision_id = decisions.decision_id
WHERE (:since IS NULL OR decisions.at >= :since)
  AND (:until IS NULL OR decisions.at < :until)
  AND (:layer IS NULL OR EXISTS (
        SELECT 1 FROM layer_plans WHERE layer_plans.decision_id = decisions.decision_id
        AND layer = :layer AND trades_json <> '[]'))
  AND (:condor IS NULL
       OR EXISTS (SELECT 1 FROM condors
                  WHERE condors.decision_id = decisions.decision_id
                  AND :condor IN (condor_id, rolled_from))
       OR EXISTS (SELECT 1 FROM condor_closes
                  WHERE condor_closes.decision_id = decisions.decision_id
                  AND condor_id = :condor))
  AND (:rule IS NULL
       OR decisions.decision_id IN (
            SELECT decision_id FROM acted
            WHERE instr(',' || acted.rules || ',', ',' || :rule || ','))
       OR EXISTS (SELECT 1 FROM gates WHERE gates.decision_id = decisions.decision_id
                  AND rule = :rule AND NOT passed))
ORDER BY decisions.decision_id
"""

_CONDORS = """
SELECT condors.condor_id AS condor,
       condors.session,
       states.opened_at AS at,
       states.status,
       condors.planned_quantity,
       states.opened_quantity,
       states.closed_quantity,
       states.settled_quantity,
       states.quantity,
       states.entry_credit_micros,
       condors.mid_credit,
       condors.long_put,
       condors.short_put,
       condors.short_call,
       condors.long_call,
       condors.expiry,
       condors.net_vega,
       condors.short_put_delta,
       condors.short_call_delta,
       condors.entry_spot,
       states.entry_cash_usd_micros,
       states.exit_cash_usd_micros,
       states.settlement_cash_usd_micros,
       states.fees_usd_micros,
       states.realised_usd_micros,
       states.ended_at,
       condors.rules,
       (SELECT group_concat(rules) FROM condor_closes
        WHERE condor_closes.condor_id = condors.condor_id) AS close_rules,
       decisions.plan_id,
       condors.short_ratio,
       condors.long_ratio,
       condors.rolled_from,
       condors.adjustments,
       states.rolled_quantity,
       states.rolled_cash_usd_micros,
       states.rolled_on,
       condors.note
FROM condors
JOIN condor_states AS states ON states.condor_id = condors.condor_id
JOIN decisions ON decisions.decision_id = condors.decision_id
WHERE (:since IS NULL OR decisions.at >= :since)
  AND (:until IS NULL OR decisions.at < :until)
  AND (:condor IS NULL OR :condor IN (condors.condor_id, condors.rolled_from))
  AND (:rule IS NULL OR instr(',' || condors.rules || ',', ',' || :rule || ','))
ORDER BY condors.condor_id
"""

_PNL = """
SELECT session,
       at,
       net_liquidation_usd_micros,
       net_liquidation_usd_micros
           - lag(net_liquidation_usd_micros) OVER (ORDER BY session) AS day_pnl_usd_micros,
       cash_usd_micros,
       condor_realised_usd_micros,
       condor_unrealised_usd_micros,
       hedge_realised_usd_micros,
       hedge_unrealised_usd_micros,
       fees_usd_micros,
       hedge_cost_365d_usd_micros,
       spx_close,
       vix_close,
       condors_open,
       net_vega_per_condor
FROM daily_pnl
WHERE (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
ORDER BY session
"""

_JOBS = """
SELECT scheduled_at AS at, job, outcome, started_at, finished_at, note
FROM job_runs
WHERE (:since IS NULL OR scheduled_at >= :since) AND (:until IS NULL OR scheduled_at < :until)
ORDER BY sequence
"""

_SYSTEM = """
SELECT at, state, halt_scope AS scope, reason, set_by AS "by"
FROM system_states
WHERE (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
ORDER BY sequence
"""

_RUNS = """
SELECT run_id, started_at AS at, mode, account, config_hash, rules_hash, package_version, seed,
       (SELECT count(*) FROM decisions WHERE decisions.run_id = runs.run_id) AS decisions,
       rule_book_version
FROM runs
WHERE (:since IS NULL OR started_at >= :since) AND (:until IS NULL OR started_at < :until)
ORDER BY epoch, started_at
"""

# Everything a plan changes, or somebody kept it from changing; inputs are the gates of its rules
_STEWARD = """
WITH trades AS (
    SELECT decision_id, layer, rules, binding_cap,
           (SELECT group_concat(printf('%+d %s', json_extract(value, '$[1]'),
                                       json_extract(value, '$[0]')), '; ')
            FROM json_each(trades_json)) AS what
    FROM layer_plans WHERE trades_json <> '[]'
), adjustments AS (
    SELECT decision_id, 1 AS place, 'close' AS kind, NULL AS layer, condor_id AS condor,
           condor_id AS what, rules, note FROM condor_closes
    UNION ALL
    SELECT decision_id, 2, 'roll', NULL, rolled_from,
           printf('%d x %s to %s', planned_quantity, rolled_from, condor_id), rules, note
    FROM condors WHERE rolled_from IS NOT NULL
    UNION ALL
    SELECT decision_id, 3, 'open', NULL, condor_id,
           printf('%d x %s', planned_quantity, condor_id), rules, note
    FROM condors WHERE rolled_from IS NULL
    UNION ALL
    SELECT decision_id, 4, 'layer', layer, NULL, what, rules,
           coalesce('capped by ' || binding_cap, '') FROM trades
    UNION ALL
    SELECT decision_id, 5, 'override', NULL, NULL, value, rule, name || ': ' || note
    FROM gates WHERE rule = 'D3' AND NOT passed AND name LIKE 'override %'
)
SELECT decisions.at,
       decisions.session,
       adjustments.kind,
       adjustments.layer,
       adjustments.condor,
       adjustments.what,
       CASE WHEN instr(',' || adjustments.rules || ',', ',D3,') THEN 'override' ELSE 'rules' END
           AS "by",
       adjustments.rules,
       (SELECT group_concat(
            gates.rule || ' ' || gates.name || ': ' || coalesce(gates.value, 'absent')
            || coalesce(' (' || gates.threshold || ')', ''), '; ')
        FROM gates
        WHERE gates.decision_id = adjustments.decision_id
          AND instr(',' || adjustments.rules || ',', ',' || gates.rule || ',')) AS inputs,
       json_extract(decisions.before_json, '$.net_vega_per_condor') AS v_before,
       json_extract(decisions.after_json, '$.net_vega_per_condor') AS v_after,
       json_extract(decisions.before_json, '$.vega_per_theta') AS s12_before,
       json_extract(decisions.after_json, '$.vega_per_theta') AS s12_after,
       json_extract(decisions.before_json, '$.book_breakeven_low') AS breakeven_low_before,
       json_extract(decisions.after_json, '$.book_breakeven_low') AS breakeven_low_after,
       json_extract(decisions.before_json, '$.book_breakeven_high') AS breakeven_high_before,
       json_extract(decisions.after_json, '$.book_breakeven_high') AS breakeven_high_after,
       json_extract(decisions.before_json, '$.irr') AS irr_before,
       json_extract(decisions.after_json, '$.irr') AS irr_after,
       json_extract(decisions.before_json, '$.theta_usd_per_day') AS carry_usd_per_day_before,
       json_extract(decisions.after_json, '$.theta_usd_per_day') AS carry_usd_per_day_after,
       adjustments.note,
       decisions.plan_id
FROM adjustments JOIN decisions ON decisions.decision_id = adjustments.decision_id
WHERE (:since IS NULL OR decisions.at >= :since)
  AND (:until IS NULL OR decisions.at < :until)
  AND (:layer IS NULL OR adjustments.layer = :layer)
  AND (:condor IS NULL OR adjustments.condor = :condor)
  AND (:rule IS NULL OR instr(',' || adjustments.rules || ',', ',' || :rule || ','))
ORDER BY adjustments.decision_id, adjustments.place, adjustments.layer, adjustments.condor
"""

_EDITS = """
SELECT at, file, run_id, digest_in_force, digest_found
FROM config_edits
WHERE (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
ORDER BY sequence
"""

_OVERRIDES = """
SELECT override_id, accepted_at AS at, action, signer, issued_at, expires_at, reason, serial,
       account, public_key, signature
FROM overrides
WHERE (:since IS NULL OR accepted_at >= :since) AND (:until IS NULL OR accepted_at < :until)
ORDER BY accepted_at, override_id
"""

_POSITIONS = """
SELECT positions.symbol,
       positions.net_contracts AS quantity,
       hedges.average_cost_micros,
       hedges.opened_on,
       (SELECT group_concat(condors.condor_id) FROM condors
        JOIN condor_states ON condor_states.condor_id = condors.condor_id
        WHERE condor_states.quantity > 0 AND positions.symbol IN (
            condors.long_put, condors.short_put, condors.short_call, condors.long_call)
       ) AS condors
FROM positions LEFT JOIN hedges ON hedges.symbol = positions.symbol
ORDER BY positions.symbol
"""

_STATUS = """
SELECT binding.mode,
       binding.account,
       binding.created_at,
       (SELECT version_num FROM alembic_version) AS schema,
       coalesce(latest.state, 'STARTING') AS state,
       latest.halt_scope AS scope,
       latest.reason,
       latest.set_by AS "by",
       latest.at AS state_at,
       decision.at AS last_decision_at,
       decision.plan_id AS last_plan_id,
       decision.hedge_state,
       decision.net_vega_after,
       decision.net_liquidation_usd_micros,
       EXISTS (SELECT 1 FROM completions
               WHERE completions.decision_id = decision.decision_id) AS last_decision_completed,
       (SELECT count(*) FROM decisions) AS decisions,
       (SELECT count(*) FROM order_states
        WHERE status IN ('SENDING', 'UNKNOWN', 'LIVE', 'PARTIALLY_FILLED')) AS orders_working,
       (SELECT count(*) FROM condor_states WHERE quantity > 0) AS condors_open,
       (SELECT count(*) FROM hedges WHERE net_contracts <> 0) AS hedges_held,
       (SELECT max(session) FROM daily_pnl) AS last_session_booked,
       run.run_id,
       run.rules_hash,
       run.rule_book_version,
       (SELECT group_concat(file, ', ') FROM config_edits AS edit
        WHERE edit.run_id = run.run_id AND edit.digest_found IS NOT edit.digest_in_force
          AND edit.sequence = (SELECT max(sequence) FROM config_edits AS other
                               WHERE other.run_id = edit.run_id AND other.file = edit.file)
       ) AS config_edited,
       (SELECT count(*) FROM overrides
        WHERE overrides.issued_at <= decision.at AND overrides.expires_at > decision.at)
           AS overrides_in_force
FROM binding
LEFT JOIN system_states AS latest
    ON latest.sequence = (SELECT max(sequence) FROM system_states)
LEFT JOIN decisions AS decision
    ON decision.decision_id = (SELECT max(decision_id) FROM decisions)
LEFT JOIN runs AS run ON run.epoch = (SELECT max(epoch) FROM runs)
"""

_BREAKS = """
WITH newest AS (SELECT max(sequence) AS sequence FROM breaks GROUP BY break_id),
     ended AS (
         SELECT break_sequence, resolution, set_by, reason, at
         FROM break_resolutions
         WHERE sequence IN (SELECT max(sequence) FROM break_resolutions GROUP BY break_sequence)
     )
SELECT breaks.break_id,
       breaks.kind,
       breaks.key,
       breaks.ledger_value AS ledger,
       breaks.broker_value AS broker,
       breaks.locks_json AS locks,
       breaks.found_at AS since,
       coalesce(ended.resolution, 'open') AS status,
       ended.set_by,
       ended.reason,
       breaks.detail
FROM newest
JOIN breaks USING (sequence)
LEFT JOIN ended ON ended.break_sequence = breaks.sequence
WHERE ended.resolution IS NULL OR ended.resolution = 'ignored'
ORDER BY breaks.sequence
"""
