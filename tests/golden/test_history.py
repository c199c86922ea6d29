"""Decisions on real history: stored snapshots give stored plans, as a user would ask for them.

Floats are compared to nine digits, everything else to the byte. ``ALVH_UPDATE_GOLDEN=1`` rewrites
the plans; ``python -m tests.golden.cases`` makes the snapshots too (see there). docs/cases.md says
what a practitioner reads in them.
"""

import json
import os
import re

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from tests.golden.cases import CASES, FOLDER, ROOT, write_plan
from tests.golden.comparison import differences

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def decide(case, *flags):
    return CliRunner().invoke(app, ["decide", str(case.snapshot), *flags])


@EVERY_CASE
def test_a_case_gives_its_stored_plan_and_twice_the_same_bytes(case):
    first, second = (decide(case, "--format", "json") for _ in range(2))
    assert (first.exit_code, first.stderr) == (0, "")
    assert second.stdout_bytes == first.stdout_bytes
    if os.environ.get("ALVH_UPDATE_GOLDEN") == "1":
        write_plan(case, first.stdout)
    assert differences(json.loads(case.plan.read_text()), json.loads(first.stdout)) == []


@EVERY_CASE
def test_a_case_prints_every_layer_order_and_gate_of_its_plan(case, monkeypatch):
    monkeypatch.setenv("COLUMNS", "4000")
    printed = decide(case)
    assert (printed.exit_code, printed.stderr) == (0, "")
    plan = json.loads(case.plan.read_text())["plan"]
    for layer in plan["layers"]:
        assert re.search(rf"^{layer['layer']} .*: {layer['reason']} ", printed.stdout, re.MULTILINE)
    for gate in plan["gates"]:
        verdict = "yes" if gate["passed"] else "no"
        head = rf"^  {verdict} +{gate['rule']} +{re.escape(gate['name'])}"
        assert re.search(head, printed.stdout, re.MULTILINE), gate
    for order in plan["orders"]:
        assert f"at {order['limit_price']}, at worst {order['worst_price']}" in printed.stdout


def test_every_stored_file_belongs_to_a_case():
    wanted = {path for case in CASES for path in (case.snapshot, case.plan)}
    assert set(FOLDER.iterdir()) == wanted


def test_the_cases_stay_small_together():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000


def test_each_case_has_its_commentary():
    page = (ROOT / "docs/cases.md").read_text()
    headings = re.findall(r"^## (\d{4}-\d{2}-\d{2})", page, re.MULTILINE)
    assert headings == [case.name for case in CASES]
