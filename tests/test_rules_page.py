"""Every rule of the rule book is registered, named by code, values and tests, and on the page."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from bot.app.config.rule_values import _ORDERS
from bot.app.config.rules_reference import names_rule, rules_page
from strategies.model.rules import Rules
from strategies.rulebook.book import FAMILIES, RULE_BOOK
from strategies.rulebook.entry import SOURCES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "rules.md").read_text()
SPECIFICATION = ROOT.parent / "shared" / "spec" / "rulebook.md"

# As the rule book lists them, independent of the registry
LAST = {"C": 12, "S": 13, "R": 5, "L": 7, "B": 12, "G": 9, "T": 3, "D": 4}
IDS = ["E", *(f"{family}{number}" for family in LAST for number in range(1, LAST[family] + 1))]
IN_FORCE = [rule_id for rule_id in IDS if RULE_BOOK[rule_id].is_in_force]
# Rules that are a number of something; the others are conditions without one of their own
WITH_VALUES = {
    *(f"C{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)),
    *(f"S{n}" for n in (1, 2, 3, 4, 5, 8, 9)),
    *(f"R{n}" for n in (1, 2, 3, 4, 5)),
    *(f"L{n}" for n in (1, 2, 3, 4, 5, 7)),
    *(f"B{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
    *(f"G{n}" for n in (1, 2, 3, 4, 5, 6, 7)),
    *("E", "T1", "T2"),
}

CODE = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for house in ("strategies", "state", "bot")
    for path in (ROOT / house).rglob("*.py")
    if "rulebook" not in path.parts and path.name != "rules_reference.py"
}
TESTS = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "tests").rglob("test_*.py")
}


def test_d1_the_page_is_what_the_registry_writes():
    fresh = rules_page(ROOT)
    assert fresh == PAGE, "python -m bot.app.config.rules_reference --write"


def test_d1_every_rule_of_the_rule_book_is_registered_and_no_other():
    assert set(RULE_BOOK) == set(IDS)
    assert sum(len(family) for _, _, family in FAMILIES) == len(IDS), "no id stands twice"
    for letter, _, family in FAMILIES:
        assert all(entry.id.startswith(letter) for entry in family)


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the rule book is not beside the checkout")
def test_d1_the_rule_book_beside_the_checkout_has_these_ids():
    text = SPECIFICATION.read_text()
    rows = re.findall(r"^\| ([A-Z]\d{1,2}) \|", text, flags=re.MULTILINE)
    bullets = re.findall(r"^- ([A-Z]\d{1,2}) ", text, flags=re.MULTILINE)
    sections = re.findall(r"^## \d+\. .*\(([A-Z])\)$", text, flags=re.MULTILINE)
    alone = [letter for letter in sections if letter not in LAST]
    panel = re.findall(r"^## \d+\. Evidence panel \((E)\)", text, flags=re.MULTILINE)
    assert {*rows, *bullets, *alone, *panel} == set(IDS)


@pytest.mark.parametrize("rule_id", IN_FORCE)
def test_d1_modules_of_a_rule_exist_and_name_it(rule_id):
    modules = RULE_BOOK[rule_id].modules
    assert modules
    for module in modules:
        assert module in CODE, module
        assert re.search(rf"\b{rule_id}\b", CODE[module]), f"{module} does not say {rule_id}"


@pytest.mark.parametrize("rule_id", IN_FORCE)
def test_d1_a_test_is_named_with_the_rule(rule_id):
    assert any(names_rule(rule_id, text) for text in TESTS.values())


def test_d1_rules_with_numbers_have_values_and_bounds():
    rules = Rules()
    named = {
        entry.metadata["rule"]: entry
        for section in fields(rules)
        for entry in fields(getattr(rules, section.name))
        if "rule" in entry.metadata
    }
    assert set(named) - {"S"} == WITH_VALUES
    configured = {order.lower for orders in _ORDERS.values() for order in orders}
    assert configured <= {
        entry.name for section in fields(rules) for entry in fields(getattr(rules, section.name))
    }


def test_d1_every_rule_that_fires_is_registered():
    fired = {
        rule_id
        for path, text in CODE.items()
        if path.startswith("strategies/")
        for rule_id in re.findall(r'rule="([^"{]+)"', text)
    }
    assert fired
    assert fired <= {*RULE_BOOK, "S"}  # S is the age of inputs, which every signal has


def test_d1_every_source_is_known():
    for entry in RULE_BOOK.values():
        assert entry.source
        assert set(entry.source) <= set(SOURCES)


def test_d1_no_cell_of_the_page_is_empty():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert rows
    for row in rows:
        cells = re.split(r"(?<!\\)\|", row)[1:-1]
        assert all(cell.strip() for cell in cells), row


def test_d1_every_rule_has_a_section_with_every_line():
    sections = dict(re.findall(r"(?ms)^### ([A-Z]\d*) [^\n]*\n(.*?)(?=^##|\Z)", PAGE))
    assert set(sections) == set(IN_FORCE)
    for rule_id, text in sections.items():
        for line in ("id", "formula", "without data", "source", "modules", "tests"):
            assert f"| {line} | " in text, rule_id
        assert ("| values | none of its own |" in text) != ("| value | meaning |" in text)


def test_d1_what_is_not_in_force_is_said_to_be_so():
    table = PAGE.partition("## Not in force")[2]
    absent = re.findall(r"^\| ([A-Z]\d*) ", table, flags=re.MULTILINE)
    assert absent == [rule_id for rule_id in RULE_BOOK if rule_id not in IN_FORCE]
