"""The laws a linter cannot express."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    p for house in ("strategies", "state", "bot") for p in (ROOT / house).rglob("*.py")
)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text())), "first line: what this module is for"


def test_law_2_only_the_gate_makes_approved_orders():
    makers = [
        p
        for p in SOURCES
        if "ApprovedOrder(" in p.read_text() and p.name not in ("orders.py", "ports.py")
    ]
    assert makers == [ROOT / "strategies/risk/gate.py"]


def test_law_3_the_mode_is_chosen_in_one_place():
    # Commands may read what a configuration says of its broker; wiring alone picks one. An episode
    # of the simulation writes its configuration itself, and opens the exchange behind it.
    chooser, narrows = ROOT / "bot/app/wiring.py", ROOT / "bot/app/simulation/episode.py"
    askers = {
        p
        for p in SOURCES
        if re.search(r"isinstance\(.*BrokerSection|\b(kind|mode) == \"(sim|ib_)", p.read_text())
    }
    assert all(p in (chooser, narrows) or p.parent.name == "commands" for p in askers)
    # It asserts which kind it wrote, and never asks which of two it is
    asks = re.findall(r"(\w+) isinstance\(.*BrokerSection", narrows.read_text())
    assert asks == ["assert"]


def test_law_7_one_broad_except_in_the_scheduler_and_one_at_the_edge_of_the_process():
    broad = [p for p in SOURCES if "except Exception" in p.read_text()]
    assert set(broad) <= {ROOT / "bot/app/schedule.py", ROOT / "bot/app/cli.py"}


def test_no_module_of_the_decisions_reads_a_clock_or_throws_dice():
    for path in SOURCES:
        if path.is_relative_to(ROOT / "strategies"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute):
                    assert node.attr not in {"now", "today", "utcnow", "default_rng"}, path


def test_no_file_names_a_registry_or_a_path_of_a_machine():
    for path in [*ROOT.glob("*.lock"), *ROOT.glob("*.toml"), ROOT / "Makefile"]:
        text = path.read_text()
        assert "://" not in text, path
        assert str(ROOT) not in text, path
