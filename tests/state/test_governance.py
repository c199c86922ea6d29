"""Overrides and edited configurations on record (D1, D3)."""

from datetime import timedelta

import pytest

from state.errors import OverrideReplayed
from tests.state import records
from tests.state.records import AT, minutes


def test_d3_an_override_comes_back_word_by_word_while_it_is_in_force(ledger):
    stored = records.override("hold_layer:L2", hours=1)
    with ledger.transaction() as tx:
        tx.record_override(stored, AT)
    assert ledger.overrides_in_force(AT) == (stored,)
    assert ledger.overrides_in_force(minutes(59)) == (stored,)
    assert ledger.overrides_in_force(minutes(60)) == ()
    assert ledger.overrides_in_force(AT - timedelta(seconds=1)) == ()


def test_d3_a_serial_number_is_taken_once(ledger):
    with ledger.transaction() as tx:
        tx.record_override(records.override(), AT)
    with pytest.raises(OverrideReplayed, match="it was taken before"), ledger.transaction() as tx:
        tx.record_override(records.override(), AT)
    other = records.override("hold_layer:L1")
    with pytest.raises(OverrideReplayed, match="spent"), ledger.transaction() as tx:
        tx.record_override(other, AT)
    with ledger.transaction() as tx:
        tx.record_override(records.override(serial=2), AT)
    assert len(ledger.overrides_in_force(AT)) == 2


def test_d1_the_rules_of_the_newest_start_are_known(ledger):
    rules_hash, rules_json = ledger.last_rules()
    assert rules_hash == "r1"
    assert '"short_delta":0.16' in rules_json
