"""The page about the database says what there is, and its queries run."""

import re
import shutil
from pathlib import Path

import pytest

from state.audit import AuditReader
from state.tables import LedgerRow
from tests.state import records
from tests.state.test_audit import tell

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "database.md").read_text()
QUERIES = re.findall(r"\*\*(\d+\. [^*]+)\*\*\n\n```sql\n(.*?)```", PAGE, flags=re.DOTALL)
AUDIT_TABLES = {"jobs": "job_runs", "states": "system_states", "edits": "config_edits"}


@pytest.fixture(scope="module")
def audit(empty_ledger_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "ledger.db"
    shutil.copy(empty_ledger_file, path)
    with records.open_ledger(path) as ledger:
        tell(ledger)
    with AuditReader.open(path) as reader:
        yield reader


@pytest.mark.parametrize("name", LedgerRow.metadata.tables)
def test_every_table_and_column_is_in_the_dictionary(name):
    section = re.search(rf"^### `{name}`\n(.*?)(?=^##)", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert section is not None, f"{name} has no section"
    described = set(re.findall(r"`(\w+)`", section[1]))
    columns = {column.name for column in LedgerRow.metadata.tables[name].columns}
    assert columns <= described, columns - described


def test_the_dictionary_describes_no_table_that_is_gone():
    described = set(re.findall(r"^### `(\w+)`", PAGE, flags=re.MULTILINE))
    assert described == set(LedgerRow.metadata.tables)


@pytest.mark.parametrize("query", [sql for _, sql in QUERIES], ids=[name for name, _ in QUERIES])
def test_every_query_of_the_cookbook_runs(audit, query):
    audit.sql(query)


def test_the_cookbook_answers_what_it_promises(audit):
    answers = {name.split(".")[0]: audit.sql(sql).rows for name, sql in QUERIES}
    assert len(answers) >= 10
    assert answers["14"] == ()
    assert answers["13"] == (("0000e2.77", 2, 9, 10),)
    assert answers["11"] == (
        ("hedge:L2:add:VX    200318", "2020-02-03T15:15:00.000000Z", "G1: too dear"),
    )
    assert answers["4"][0][:4] == ("C0001", 12, 1.15, 1.15)


@pytest.mark.parametrize(
    "command",
    [
        "fills",
        "costs",
        "orders",
        "hedge",
        "decisions",
        "condors",
        "pnl",
        "positions",
        "jobs",
        "states",
        "runs",
        "edits",
        "steward",
        "overrides",
    ],
)
def test_the_keys_of_audit_tables_are_those_on_the_page(audit, command):
    row = re.search(rf"^\| `{command}` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    table = getattr(audit, AUDIT_TABLES.get(command, command))()
    assert tuple(re.findall(r"`(\w+)`", row[1])) == table.columns
