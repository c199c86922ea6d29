"""Migrations: up, down and sideways, on ledgers that hold something."""

import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

import state.migrations
from state.database import close, migrate, open_for_writing, stored_revision
from state.errors import SchemaTooOld
from state.migrations import HEAD, REVISIONS
from state.readers import Reader
from state.tables import APPEND_ONLY, LedgerRow
from tests.state import records
from tests.state.test_storage import fill_every_table

FOLDER = Path(state.migrations.__file__).parent
CHECKOUT = Path(__file__).resolve().parents[2]

NEXT_REVISION = textwrap.dedent('''
    """Count legs of fills, to see that copying a table keeps its rows and its triggers."""

    import sqlalchemy as sa
    from alembic import op

    revision = "test1"
    down_revision = "0002"
    branch_labels = None
    depends_on = None


    def upgrade() -> None:
        with op.batch_alter_table("fills", recreate="always") as batch:
            batch.add_column(sa.Column("legs", sa.Integer(), nullable=False, server_default="1"))


    def downgrade() -> None:
        with op.batch_alter_table("fills", recreate="always") as batch:
            batch.drop_column("legs")
''')


@pytest.fixture
def filled(path):
    """A closed ledger with something in every table."""
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
    return path


@pytest.fixture
def connection(filled):
    connection = open_for_writing(filled, busy_timeout_ms=50)
    yield connection
    close(connection)


def schema_of(connection) -> list[tuple[str, str, str]]:
    query = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def contents_of(connection) -> dict[str, list[tuple]]:
    return {
        name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
        for name in LedgerRow.metadata.tables
    }


def test_the_named_revisions_are_those_of_the_folder():
    scripts = ScriptDirectory(str(FOLDER))
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(REVISIONS)
    assert scripts.get_current_head() == HEAD


def test_the_migrated_schema_is_that_of_the_tables(connection):
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    assert compare_metadata(context, LedgerRow.metadata) == []


def test_constraints_of_the_migrated_schema_are_those_of_the_tables(connection):
    """Autogenerate does not look at CHECK constraints and table options; this does."""
    migrated = {name: sql for kind, name, sql in schema_of(connection) if kind == "table"}
    for name, table in LedgerRow.metadata.tables.items():
        names = {str(check.name) for check in table.constraints if check.name is not None}
        for constraint in names:
            assert constraint in migrated[name], constraint
        without_rowid = table.dialect_options["sqlite"]["with_rowid"] is False
        assert without_rowid == migrated[name].rstrip().endswith("WITHOUT ROWID"), name


def test_check_constraints_of_the_migrated_schema_say_what_those_of_the_tables_say(connection):
    """A kind that is added to an enum needs a migration: its name alone would not show it."""
    migrated = {name: sql for kind, name, sql in schema_of(connection) if kind == "table"}
    for name, table in LedgerRow.metadata.tables.items():
        wanted = checks_of(str(CreateTable(table).compile(dialect=sqlite.dialect())))
        assert checks_of(migrated[name]) == wanted, name
    assert len(checks_of(migrated["fills"])) == 4


def checks_of(definition: str) -> dict[str, str]:
    """Return what each named CHECK of a CREATE TABLE demands."""
    found = re.findall(r"CONSTRAINT (ck_\w+) CHECK (\(.*?\))(?=,? *\n)", f"{definition}\n")
    return dict(found)


def test_every_record_table_has_its_two_triggers(connection):
    triggers = {name for kind, name, _ in schema_of(connection) if kind == "trigger"}
    tables = [str(row.__tablename__) for row in APPEND_ONLY]
    assert triggers == {f"{t}_refuse_{verb}" for t in tables for verb in ("update", "delete")}


def test_down_to_nothing_and_up_again_gives_the_same_schema(connection):
    before = schema_of(connection)
    migrate(connection, "base")
    assert stored_revision(connection) is None
    assert [name for kind, name, _ in schema_of(connection) if kind == "table"] == [
        "alembic_version"
    ]
    migrate(connection, HEAD)
    assert schema_of(connection) == before


def test_a_table_that_is_copied_keeps_its_rows_its_triggers_and_its_references(
    connection, tmp_path
):
    (tmp_path / "next.py").write_text(NEXT_REVISION)
    schema, contents = schema_of(connection), contents_of(connection)
    migrate(connection, "test1", versions=(tmp_path,))
    assert stored_revision(connection) == "test1"
    legs = connection.exec_driver_sql("SELECT sum(legs), count(*) FROM fills").one()
    assert tuple(legs) == (4, 4)
    with pytest.raises(IntegrityError, match="append-only"):
        connection.exec_driver_sql("DELETE FROM fills")
    assert len(list(connection.exec_driver_sql("SELECT * FROM current_fills"))) == 4
    assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    migrate(connection, HEAD, versions=(tmp_path,))
    assert contents_of(connection) == contents
    names = [row[:2] for row in schema_of(connection)]
    assert names == [row[:2] for row in schema]


def test_a_migration_that_fails_changes_nothing(connection, tmp_path):
    added = 'server_default="1"))'
    broken = NEXT_REVISION.replace(added, f"{added}\n    raise ZeroDivisionError")
    (tmp_path / "next.py").write_text(broken)
    schema, contents = schema_of(connection), contents_of(connection)
    with pytest.raises(ZeroDivisionError):
        migrate(connection, "test1", versions=(tmp_path,))
    assert schema_of(connection) == schema
    assert contents_of(connection) == contents
    assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_opening_a_ledger_that_is_up_to_date_does_not_load_alembic(filled):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from state.database import close, open_for_writing\n"
        "close(open_for_writing(Path(sys.argv[1]), busy_timeout_ms=50))\n"
        "print('alembic' in sys.modules, 'pandas' in sys.modules)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(filled)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "False False\n"


def test_a_reader_does_not_migrate_and_says_who_does(filled, monkeypatch):
    monkeypatch.setattr("state.readers.HEAD", "9999")
    with pytest.raises(SchemaTooOld, match="older than this program's 9999"):
        Reader.open(filled)


def test_an_older_ledger_is_brought_up_to_date_when_it_is_opened(tmp_path, filled):
    """A file that has the tables but stands before the first revision is migrated, not refused."""
    bare = tmp_path / "bare.db"
    shutil.copy(filled, bare)
    connection = open_for_writing(bare, busy_timeout_ms=50)
    migrate(connection, "base")
    close(connection)
    with sqlite3.connect(bare) as raw:
        assert raw.execute("SELECT count(*) FROM alembic_version").fetchone() == (0,)
    raw.close()
    with records.open_ledger(bare) as ledger:
        assert ledger.last_decision() is None
