"""Triggers and views of the database, made again after every migration.

A batch migration copies a table and drops the old one with its triggers, so they are code and not
part of any one revision. Changing one of them needs a new revision, if an empty one: a database
that is up to date is not touched.
"""

from sqlalchemy import Connection

from state.tables import APPEND_ONLY

# The latest revision of each execution: what counts
_CURRENT_FILLS = """
CREATE VIEW current_fills AS
SELECT fills.* FROM fills
WHERE NOT EXISTS (
    SELECT 1 FROM fills AS newer
    WHERE newer.exec_root = fills.exec_root AND newer.revision > fills.revision
)
"""
# Each configuration and rule set that was ever in force, once
_CONFIG_VERSIONS = """
CREATE VIEW config_versions AS
SELECT config_hash, rules_hash, MIN(started_at) AS first_started_at,
       MAX(started_at) AS last_started_at, COUNT(*) AS runs, config_json, rules_json
FROM runs GROUP BY config_hash, rules_hash
"""
# Each condition a decision looked at, whole again
_GATES = """
CREATE VIEW gates AS
SELECT decision_id, position, rule, name, value, threshold, passed, note
FROM gate_results JOIN gate_conditions USING (condition_id)
"""
_VIEWS = {
    "fills": _CURRENT_FILLS,
    "runs": _CONFIG_VERSIONS,
    "gate_results": _GATES,
}  # by the table they read


def drop_triggers_and_views(connection: Connection) -> None:
    """Take every trigger and view away, so that a migration may rebuild the tables under them."""
    query = "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view')"
    for kind, name in connection.exec_driver_sql(query).all():
        connection.exec_driver_sql(f'DROP {kind} "{name}"')


def make_triggers_and_views(connection: Connection) -> None:
    """Make append-only tables refuse UPDATE and DELETE, and create the views."""
    query = "SELECT name FROM sqlite_schema WHERE type = 'table'"
    present = {name for (name,) in connection.exec_driver_sql(query).all()}
    for row in APPEND_ONLY:
        table = str(row.__tablename__)
        if table not in present:  # while a downgrade is part of the way down
            continue
        for verb in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    for table, view in _VIEWS.items():
        if table in present:
            connection.exec_driver_sql(view)
