"""The page about the rules has the values, modules and tests of the code."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from strategies.model.rules import Rules

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "rules.md").read_text()
SECTIONS = dict(re.findall(r"(?ms)^### ([A-Z]\d+) [^\n]*\n(.*?)(?=^##|\Z)", PAGE))
IDS = re.compile(r"\b([CSRLBG]\d{1,2})\b")


def values_of_the_code() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    rules = Rules()
    for section in fields(rules):
        group = getattr(rules, section.name)
        for entry in fields(group):
            default, facts = getattr(group, entry.name), entry.metadata
            bounds = ", ".join(facts["choices"])
            if isinstance(default, bool):
                default, bounds = str(default).lower(), "true, false"
            elif not isinstance(default, str):
                default, bounds = f"{default:g}", f"{facts['low']:g} .. {facts['high']:g}"
            sentence = f"`{section.name}.{entry.name}` {default} ({bounds})"
            found.setdefault(facts["rule"], set()).add(sentence)
    return found


def test_every_value_stands_under_its_rule_with_default_and_bounds():
    for rule, sentences in values_of_the_code().items():
        section = SECTIONS.get(rule, PAGE if rule == "S" else "")
        assert all(sentence in section for sentence in sentences), rule


def test_no_value_is_named_that_does_not_exist():
    named = re.findall(r"`\w+\.\w+` \S+ \([^)]*\)", PAGE)
    known = {sentence for sentences in values_of_the_code().values() for sentence in sentences}
    assert set(named) == known


@pytest.mark.parametrize("rule", SECTIONS)
def test_modules_and_tests_of_a_rule_exist_and_name_it(rule):
    for path in re.findall(r"`((?:strategies|bot|state|tests)/[^`]+)`", SECTIONS[rule]):
        assert (ROOT / path).exists(), path
        if path.startswith("tests/"):
            named = rf"def test_(\w+_)?{rule.lower()}[_(]"
            assert re.search(named, (ROOT / path).read_text()), path


def test_every_rule_that_fires_is_described():
    fired = set()
    for path in (ROOT / "strategies").rglob("*.py"):
        for tuple_ in re.findall(r'rule="([A-Z]\d+)"', path.read_text()):
            fired.add(tuple_)
    assert fired <= SECTIONS.keys()


def test_no_rule_is_both_in_force_and_not():
    table = PAGE.partition("## Not in force")[2].partition("\n## ")[0]
    absent = {
        rule
        for row in re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE)
        for rule in IDS.findall(row)
    }
    assert absent
    assert not absent & SECTIONS.keys()
