"""Reading: beside a running bot, from a dead one's files, and never more than reading."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from state.errors import (
    LedgerCorrupt,
    NoLedger,
    NotALedger,
    QueryRefused,
    SchemaTooNew,
    StorageFailed,
)
from state.readers import Reader, Table
from tests.state import records
from tests.state.test_storage import fill_every_table

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def filled(empty_ledger_file, tmp_path_factory):
    """A closed ledger with something in every table, for tests that must not change it."""
    path = tmp_path_factory.mktemp("filled") / "ledger.db"
    shutil.copy(empty_ledger_file, path)
    with records.open_ledger(path) as ledger:
        fill_every_table(ledger)
    return path


@pytest.fixture
def reader(filled):
    with Reader.open(filled) as opened:
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM fills",
        "  -- a comment\nSELECT 1",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i+1 FROM n WHERE i < 5) SELECT * FROM n",
        "SELECT rule, count(*) FROM gates GROUP BY rule",
        "SELECT key, value FROM decisions, json_each(signals_json)",
        "SELECT json_extract(signals_json, '$.\"S1 rsi_vix\"') FROM decisions",
        "SELECT session, sum(cash_flow_usd_micros) OVER (ORDER BY executed_at) FROM fills",
        "PRAGMA table_info(fills)",
        "SELECT name FROM pragma_table_info('fills')",
        "PRAGMA integrity_check",
        "PRAGMA journal_mode",
        "EXPLAIN QUERY PLAN SELECT * FROM fills",
        "VALUES (1), (2)",
    ],
)
def test_whatever_only_reads_is_answered(reader, query):
    assert len(reader.sql(query)) >= 1


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM positions",
        "delete from fills returning *",
        "UPDATE positions SET net_contracts = 1",
        "INSERT INTO positions VALUES ('VX    200318', 1)",
        "REPLACE INTO positions VALUES ('VX    200318', 1)",
        "WITH x AS (SELECT 1) DELETE FROM positions",
        "WITH x AS (SELECT 1) INSERT INTO positions SELECT 'VX    200318', 1",
        "EXPLAIN DELETE FROM positions",
        "CREATE TABLE t (a)",
        "CREATE TEMP TABLE t (a)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TEMP TRIGGER t AFTER INSERT ON fills BEGIN SELECT 1; END",
        "CREATE VIRTUAL TABLE t USING fts5(a)",
        "CREATE INDEX i ON fills(price_micros)",
        "DROP TABLE positions",
        "DROP TRIGGER fills_refuse_update",
        "DROP VIEW current_fills",
        "ALTER TABLE positions RENAME TO p",
        "ATTACH 'file.db' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'copy.db'",
        "ANALYZE",
        "REINDEX",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT s",
        "PRAGMA writable_schema = ON",
        "PRAGMA writable_schema(1)",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 7",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA temp_store_directory = '.'",
        "PRAGMA optimize",
        "PRAGMA incremental_vacuum",
        "UPDATE sqlite_master SET sql = ''",
        "DELETE FROM sqlite_schema",
        "SELECT load_extension('evil')",
        "SELECT writefile('a', 'b')",
        "SELECT 1; DELETE FROM positions",
        "SELECT * FROM pragma_journal_mode('delete')",
        "nonsense",
        "SELECT * FROM no_such_table",
    ],
)
def test_whatever_does_more_than_read_is_refused_and_does_nothing(filled, reader, query):
    def everything():
        files = sorted(file.name for file in filled.parent.iterdir())
        schema = reader.sql("SELECT * FROM sqlite_schema")
        return files, schema, reader.sql("SELECT * FROM positions"), filled.read_bytes()

    before = everything()
    with pytest.raises(QueryRefused):
        reader.sql(query)
    assert everything() == before


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("DELETE FROM fills", "refused: DELETE fills"),
        ("with x as (select 1) delete from fills", "refused: DELETE fills"),
        ("ATTACH 'x.db' AS y", "refused: ATTACH x.db"),
        ("PRAGMA writable_schema = 1", "refused: PRAGMA writable_schema 1"),
        ("CREATE TABLE t (a)", "refused: CREATE TABLE t"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("SELEC 1", 'near "SELEC"'),
        ("SELECT profit FROM fills", "no such column: profit"),
    ],
)
def test_a_refusal_says_what_was_refused(reader, query, words):
    with pytest.raises(QueryRefused, match=words):
        reader.sql(query)


def test_even_without_the_authorizer_the_connection_cannot_write(reader):
    with pytest.raises(StorageFailed, match="readonly"):
        reader.raw("DELETE FROM positions")


def test_our_own_queries_still_work_after_a_refusal(reader):
    with pytest.raises(QueryRefused):
        reader.sql("DELETE FROM fills")
    with reader.moment():
        assert len(reader.table("SELECT * FROM current_fills")) == 4


def test_cells_of_foreign_queries_are_ready_for_json(reader):
    table = reader.sql(
        "SELECT 1 AS a, 2 AS a, 1.5 AS b, 9e999 AS c, x'00ff' AS d, NULL AS e, 'x' AS a"
    )
    assert table.columns == ("a", "a_2", "b", "c", "d", "e", "a_3")
    assert table.rows == ((1, 2, 1.5, "inf", "<2 bytes>", None, "x"),)
    assert reader.sql("-- nothing") == Table((), ())


def test_a_table_is_records_columns_and_json():
    table = Table(("a", "b"), ((1, None), (2, "x")))
    assert table.records() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert table.column("b") == [None, "x"]
    assert table.as_json() == {"columns": ["a", "b"], "rows": table.records()}
    assert len(table) == 2


def test_a_reader_sees_what_is_committed_while_the_writer_goes_on(path, ledger):
    with Reader.open(path) as reader:
        count = "SELECT count(*) FROM cash_movements"
        with ledger.transaction() as tx:
            tx.record_cash_movement(records.deposit())
            assert reader.raw(count) == [(0,)]
        assert reader.raw(count) == [(1,)]


def test_a_moment_is_one_moment(path, ledger):
    with Reader.open(path) as reader, reader.moment():
        count = "SELECT count(*) FROM cash_movements"
        assert reader.raw(count) == [(0,)]
        with ledger.transaction() as tx:
            tx.record_cash_movement(records.deposit())
        assert reader.raw(count) == [(0,)]


def test_a_ledger_whose_writer_was_killed_can_be_read(path, ledger, tmp_path):
    fill_every_table(ledger)
    (tmp_path / "killed").mkdir()
    for file in ("ledger.db", "ledger.db-wal"):
        shutil.copy(path.parent / file, tmp_path / "killed" / file)
    with Reader.open(tmp_path / "killed" / "ledger.db") as reader:
        assert len(reader.table("SELECT * FROM current_fills")) == 4


def test_a_ledger_that_is_closed_can_be_read(path):
    with Reader.open(path) as reader:
        assert reader.raw("SELECT mode, account FROM binding") == [("simulated", "SIM1")]


def test_a_path_with_odd_characters_can_be_read(path, tmp_path):
    odd = tmp_path / "a b?c#d%41.db"
    shutil.copy(path, odd)
    with Reader.open(odd) as reader:
        assert reader.raw("SELECT count(*) FROM runs") == [(1,)]


def test_what_is_no_ledger_is_named(tmp_path, path):
    with pytest.raises(NoLedger, match="alvh run"):
        Reader.open(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
    text = tmp_path / "text.db"
    text.write_text("hello")
    with pytest.raises(NotALedger, match="not a SQLite database"):
        Reader.open(text)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    with pytest.raises(NotALedger, match="another program"):
        Reader.open(other)
    newer = sqlite3.connect(path)
    newer.execute("UPDATE alembic_version SET version_num = '0999'")
    newer.commit()
    newer.close()
    with pytest.raises(SchemaTooNew, match="0999"):
        Reader.open(path)


def test_a_damaged_ledger_is_named(path):
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)
    with pytest.raises(LedgerCorrupt, match="damaged"):
        Reader.open(path)


def test_reading_loads_no_heavy_library_and_a_long_query_can_be_interrupted(path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from state.audit import AuditReader\n"
        "heavy = {'sqlalchemy', 'sqlmodel', 'alembic', 'pandas', 'scipy'} & set(sys.modules)\n"
        "print(sorted(heavy), flush=True)\n"
        "with AuditReader.open(Path(sys.argv[1])) as reader:\n"
        "    try:\n"
        "        reader.sql('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) '\n"
        "                   'SELECT count(*) FROM n')\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "[]\n"
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    finally:
        process.kill()
    assert "stopped" in output, errors
