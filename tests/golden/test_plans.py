"""Stored inputs give stored plans.

``<name>.inputs.json`` is what ``alvh decide`` reads; ``<name>.plan.json`` is the plan it led to.
Floats are compared to nine digits, because linear algebra differs in the last ones from machine
to machine; everything else, orders and ids included, to the byte. Both files are rewritten only
with ``ALVH_UPDATE_GOLDEN=1``, and their differences belong into the commit that caused them.
"""

import json
import os
from pathlib import Path

import pytest

from strategies.decide import decide
from strategies.model.book import Account, Book
from strategies.model.encoding import decode, to_json
from strategies.model.memory import Memory
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from tests.golden.comparison import differences
from tests.golden.situations import SITUATIONS

_HERE = Path(__file__).parent
_KINDS = {"snapshot": MarketSnapshot, "book": Book, "account": Account, "memory": Memory}


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_stored_situation_gives_its_stored_plan(name):
    inputs, plan = _HERE / f"{name}.inputs.json", _HERE / f"{name}.plan.json"
    is_update = os.environ.get("ALVH_UPDATE_GOLDEN") == "1"
    if is_update:
        situation = SITUATIONS[name]()
        inputs.write_text(to_json({kind: getattr(situation, kind) for kind in _KINDS}) + "\n")
    stored = json.loads(inputs.read_text())
    values = {kind: decode(_KINDS[kind], stored[kind]) for kind in _KINDS}
    found, memory = decide(**values, rules=Rules())
    document = json.loads(to_json({"plan": found, "memory": memory}))
    if is_update:
        plan.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    assert differences(json.loads(plan.read_text()), document) == []


def test_every_stored_file_belongs_to_a_situation():
    names = {path.name.split(".")[0] for path in _HERE.glob("*.json")}
    assert names == set(SITUATIONS)
