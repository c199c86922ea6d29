"""Decisions on real history: stored snapshots give stored plans, as a user would ask for them.

Floats are compared to nine digits, everything else to the byte. ``ALVH_UPDATE_GOLDEN=1`` rewrites
plans and facts; ``python -m tests.golden.cases`` makes the snapshots too (see there). docs/cases.md
says what a practitioner reads in them.
"""

import json
import os
import re

import pytest
from typer.testing import CliRunner

from bot.app.cli import app
from state.decisions import trades_of
from tests.golden.cases import CASES, FOLDER, write_plan
from tests.golden.comparison import differences
from tests.golden.facts import PAGE, facts, kind_of, renewed, stored_plan

IS_UPDATE = os.environ.get("ALVH_UPDATE_GOLDEN") == "1"
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def decide(case, *flags):
    return CliRunner().invoke(app, ["decide", str(case.snapshot), *flags])


@EVERY_CASE
def test_a_case_gives_its_stored_plan_and_twice_the_same_bytes(case):
    first, second = (decide(case, "--format", "json") for _ in range(2))
    assert (first.exit_code, first.stderr) == (0, "")
    assert second.stdout_bytes == first.stdout_bytes
    if IS_UPDATE:
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


def test_each_case_has_its_section_with_its_facts():
    if IS_UPDATE:
        PAGE.write_text(renewed(PAGE.read_text()))
    page = PAGE.read_text()
    assert re.findall(r"^## (\d{4}-\d{2}-\d{2})", page, re.MULTILINE) == [c.name for c in CASES]
    for case in CASES:
        assert facts(case) in page


@EVERY_CASE
def test_the_commentary_was_written_for_the_plan_it_reads(case):
    written = re.search(rf"<!-- {case.name} was read as: (.*) -->", PAGE.read_text())
    assert written is not None
    assert written[1] == kind_of(stored_plan(case)), "read the plan again, then change the comment"


@EVERY_CASE
def test_no_plan_works_against_itself(case):
    plan = stored_plan(case)
    signs = {}
    for layer in plan.layers:
        assert not (layer.runner_up and not layer.instrument), "beaten by nothing"
        planned = dict(trades_of(layer))
        for symbol, contracts in planned.items():
            assert signs.setdefault(symbol, contracts > 0) == (contracts > 0), symbol
    leaving = {close.condor_id for close in plan.closes}
    assert not leaving & {adjust.condor_id for adjust in plan.adjusts}
    assert all(order.rules for order in plan.orders)
