"""The page on reliability is what catalogue, tests and evidence say, and leaves no fault out."""

import json

import pytest

from benchmarks import reliability
from bot.app.simulation.catalogue import catalogued_faults, invariants


def test_the_page_is_fresh():
    assert reliability.PAGE.read_text() == reliability.page(), (
        "python -m benchmarks.reliability --write"
    )


def test_every_fault_has_a_test_that_names_it():
    named = reliability.tests_of_faults()
    assert [each.fault_id for each in catalogued_faults() if each.fault_id not in named] == []
    assert (len(catalogued_faults()), len(invariants())) == (114, 24)


def test_the_evidence_holds_numbers_of_the_run_that_made_it():
    evidence = json.loads(reliability.EVIDENCE.read_text())
    for name in ("bot_years", "crashes", "faults", "sigkills", "museum_caught", "violations"):
        assert isinstance(evidence[name], int | float), name
    assert evidence["violations"] == 0


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("test_fault_a26_it_differs", "", {"A26"}),
        ("test_faults_e12_and_e13_a_browser", "", {"E12", "E13"}),
        ("test_it", '"""Faults A2 to A4, and fault B1: lost."""', {"A2", "A3", "A4", "B1"}),
        ("test_b1_of_the_rule_book", "B1 and C6", set()),
    ],
)
def test_names_and_words_of_tests_are_read(name, text, found):
    assert reliability.faults_named(name, text) == found
