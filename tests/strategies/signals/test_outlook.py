"""The outlook: what it gathers, how absence is named, and D4's week."""

from dataclasses import replace
from datetime import date

import numpy as np

from strategies.model.memory import Memory
from strategies.model.quotes import CALL
from strategies.model.rules import Rules
from strategies.pricing.valuation import Valuer
from strategies.signals.outlook import Outlook, read_outlook
from strategies.signals.readings import read_signals
from tests.builders import AT, TODAY, condor_position, market_quotes, vix_chain
from tests.strategies.signals.builders import cut, random_history, snapshot

RULES = Rules()
CONDOR = condor_position("SPXW 20MAR20 3050/3060/3440/3450", credit="2.00")


def read(history=None, memory=None, market=None, rules=RULES) -> Outlook:
    taken = replace(snapshot(history or random_history(bars=900)), market=market or market_quotes())
    valuer = Valuer(taken.market, TODAY)
    signals = read_signals(taken, rules)
    return read_outlook(taken, signals, valuer, (CONDOR,), None, memory or Memory(), rules)


def dear_call():
    """A market in which one VIX call is bid above parity."""
    chain = vix_chain()
    bid, ask = chain.bid.copy(), chain.ask.copy()
    row = chain.rows_of(1).start + int(np.searchsorted(chain.strike[chain.rows_of(1)], 20.0))
    bid[row, CALL] += 5.0
    ask[row, CALL] += 5.0
    return market_quotes(vix_options=replace(chain, bid=bid, ask=ask))


def test_the_outlook_records_a_gate_for_everything_it_looked_at():
    few = replace(RULES, time=replace(RULES.time, analogues=5))
    outlook = read(rules=few)
    rules = [gate.rule for gate in outlook.gates]
    assert rules == ["E"] * 8 + ["R5"] + ["T1"] * 3 + ["T2"] + ["D4"] * 2
    assert outlook.analogues is not None
    assert outlook.reactions is not None
    assert outlook.missing == (
        "E reit: no factor feed has this name",
        "S12 vega_per_theta: the book cannot be priced",
    )


def test_what_is_absent_is_named_and_has_a_gate_that_says_why():
    market = market_quotes(futures=())
    outlook = read(cut(random_history(), slice(0, 0)), market=market)
    assert outlook.analogues is None
    assert outlook.reactions is None
    named = {line.split(":")[0] for line in outlook.missing}
    assert {"E curve", "T1 analogues", "T2 event reactions", "D4 VIX parity"} <= named
    for rule in ("T1", "T2"):
        (gate,) = (gate for gate in outlook.gates if gate.rule == rule)
        assert (gate.value, gate.passed) == (None, False)
        assert gate.note


def test_d4_an_edge_in_vix_options_is_used_at_most_once_a_week():
    choices = []
    memory = Memory()
    for _ in range(2):
        outlook = read(market=dear_call(), memory=memory)
        choices.append([gate.value for gate in outlook.gates if gate.name.startswith("synthetic")])
        memory = Memory(parity_used_on=outlook.parity_used_on)
    assert choices == [["outright"], []]
    assert memory.parity_used_on == TODAY
    last_week = date(2020, 1, 31)
    again = read(market=dear_call(), memory=Memory(parity_used_on=last_week))
    assert again.parity_used_on == TODAY


def test_d4_without_an_edge_the_week_stays_as_it_was():
    before = date(2020, 1, 31)
    assert read(memory=Memory(parity_used_on=before)).parity_used_on == before
    assert read().parity_used_on is None


def test_d4_an_edge_in_spx_options_chooses_nothing():
    chain = market_quotes().spx_options
    bid, ask = chain.bid.copy(), chain.ask.copy()
    row = int(np.searchsorted(chain.strike[chain.rows_of(0)], 3250.0))
    bid[row, CALL] += 50.0
    ask[row, CALL] += 50.0
    outlook = read(market=market_quotes(spx_options=replace(chain, bid=bid, ask=ask)))
    edges = {gate.name: gate.passed for gate in outlook.gates if gate.rule == "D4"}
    assert edges == {"SPX parity edge beyond costs": True, "VIX parity edge beyond costs": False}
    assert outlook.parity_used_on is None


def test_the_same_market_gives_the_same_outlook():
    history = random_history(bars=900)
    assert read(history) == read(history)
    assert market_quotes().at == AT
