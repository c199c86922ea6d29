"""The evidence panel (E, R5): votes at, above and below every threshold, and their mean."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.rules import FactorRule, Rules
from strategies.model.snapshots import FactorSeries
from strategies.signals.indicators import Side
from strategies.signals.panel import Panel, Verdict, Vote, panel_gates, read_panel
from strategies.signals.readings import read_signals
from tests.strategies.signals.builders import (
    TODAY,
    cut,
    random_history,
    signals,
    snapshot,
    with_columns,
)

RULES = Rules()
NEUTRAL = RULES.panel.neutral_z
FEAR, TECHNICAL, ABSTAINS, ABSENT = 1, -1, 0, None
BUILT_IN = ("curve", "breadth", "vvix", "flow", "dislocation", "credit", "correlation")
WEIGHTS = ("curve", "breadth", "vvix", "flow", "dislocation", "credit", "correlation", "reit")


def panel_rules(rules=RULES, **values) -> Rules:
    return replace(rules, panel=replace(rules.panel, **values))


def weighted(**weights) -> Rules:
    """Rules in which only the given factors weigh anything."""
    given = dict.fromkeys(WEIGHTS, 0.0) | weights
    return panel_rules(**{f"{name}_weight": weight for name, weight in given.items()})


def convene(history=None, rules=RULES, taken=None, **readings) -> Panel:
    """The panel on given signals, the others absent, and a market of random bars."""
    taken = taken or snapshot(history)
    return read_panel(taken, signals(**readings), rules)


def vote_of(panel: Panel, name: str) -> Vote:
    return next(vote for vote in panel.votes if vote.name == name)


def history_ending(column: str, z: float, bars: int = 253):
    """Bars whose newest value is z sigmas from the mean of the 252 before it."""
    past = np.tile([1.0, 3.0], (bars - 1) // 2)  # mean 2, sigma 1
    return with_columns(random_history(), **{column: np.append(past, 2.0 + z)})


# --- built-in factors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reading", "high", "above"),
    [
        ("curve", "backwardation_fraction", RULES.regime.dead_band, FEAR),
        ("flow", "order_flow_z", NEUTRAL, FEAR),
        ("correlation", "cor1m_z", NEUTRAL, FEAR),
        ("dislocation", "dislocation_z", RULES.signals.dislocation_z, TECHNICAL),
    ],
)
def test_e_a_factor_that_reads_a_signal_votes_strictly_beyond_its_thresholds(
    name, reading, high, above
):
    below = TECHNICAL  # contango, puts, low correlation; and either side of a dislocation
    for value, expected in (
        (high, ABSTAINS),
        (high + 1e-6, above),
        (high - 1e-6, ABSTAINS),
        (-high, ABSTAINS),
        (-high - 1e-6, below),
        (-high + 1e-6, ABSTAINS),
    ):
        vote = vote_of(convene(**{reading: value}), name)
        assert (vote.vote, vote.value) == (expected, value)
    absent = vote_of(convene(), name)
    assert absent.vote is ABSENT
    assert absent.value is None
    assert absent.note.endswith("is absent")


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (NEUTRAL, ABSTAINS),
        (NEUTRAL + 1e-6, FEAR),
        (NEUTRAL - 1e-6, ABSTAINS),
        (-NEUTRAL, ABSTAINS),
        (-NEUTRAL - 1e-6, TECHNICAL),
        (-NEUTRAL + 1e-6, ABSTAINS),
    ],
)
def test_e_a_wide_credit_spread_is_fear_and_a_narrow_one_technical(z, expected):
    vote = vote_of(convene(history_ending("credit_spread", z)), "credit")
    assert vote.vote == expected
    assert vote.value == pytest.approx(z)


def breadth_history(z: float):
    """Bars on which the A/D line's newest 20-day change is z sigmas from those before it."""
    window, past = RULES.signals.divergence_window, RULES.panel.window
    bars = past + 2 * window + 1
    line = np.zeros(bars)  # of which the 20-day changes alternate between 1 and 3
    for bar in range(window, bars):
        line[bar] = line[bar - window] + (3.0 if bar % 2 else 1.0)
    line[-1] = line[-1 - window] + 2.0 + z
    net = np.diff(line, prepend=0.0)
    return with_columns(cut(random_history(), slice(-bars, None)), net_breadth=net)


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        (-NEUTRAL, ABSTAINS),
        (-NEUTRAL - 1e-6, FEAR),
        (-NEUTRAL + 1e-6, ABSTAINS),
        (NEUTRAL, ABSTAINS),
        (NEUTRAL + 1e-6, TECHNICAL),
        (NEUTRAL - 1e-6, ABSTAINS),
    ],
)
def test_e_a_falling_advance_decline_line_is_fear_and_a_rising_one_technical(z, expected):
    vote = vote_of(convene(breadth_history(z)), "breadth")
    assert vote.value == pytest.approx(z)
    assert vote.vote == expected


def test_e_a_divergence_s5_is_fear_whatever_the_line_has_done():
    vote = vote_of(convene(breadth_history(2.0), ad_divergence=True), "breadth")
    assert (vote.vote, vote.note) == (FEAR, "S5 diverges")
    assert vote_of(convene(breadth_history(2.0), ad_divergence=False), "breadth").vote == TECHNICAL


@pytest.mark.parametrize(
    ("vvix", "side", "expected"),
    [
        (200.0, Side.BULLISH, FEAR),
        (200.0, Side.BEARISH, ABSTAINS),
        (200.0, Side.LEVEL, ABSTAINS),
        (200.0, None, ABSTAINS),
        (40.0, Side.BEARISH, TECHNICAL),
        (40.0, Side.BULLISH, ABSTAINS),
        (92.0, Side.BULLISH, ABSTAINS),
    ],
)
def test_e_vvix_over_vix_votes_where_its_z_and_s3_agree(vvix, side, expected):
    history = random_history()
    level = float(np.mean((history.vvix_close / history.vix_close)[-252:]))
    taken = snapshot(history, vix=92.0 / level, vvix=vvix)
    vote = vote_of(convene(taken=taken, macd_vvix_vix=side), "vvix")
    assert vote.vote == expected


def test_e_vvix_over_vix_votes_strictly_beyond_its_threshold():
    taken = snapshot(vvix=200.0)
    z = vote_of(convene(taken=taken), "vvix").value
    for neutral, expected in ((z, ABSTAINS), (z - 1e-9, FEAR), (z + 1e-9, ABSTAINS)):
        panel = convene(
            taken=taken, rules=panel_rules(neutral_z=neutral), macd_vvix_vix=Side.BULLISH
        )
        assert vote_of(panel, "vvix").vote == expected


@pytest.mark.parametrize(
    ("name", "column"),
    [("breadth", "net_breadth"), ("vvix", "vvix_close"), ("credit", "credit_spread")],
)
def test_e_a_factor_without_its_data_is_absent_and_named(name, column):
    for history, reason in (
        (with_columns(random_history(), **{column: np.full(420, np.nan)}), "no history of"),
        (with_columns(random_history(), **{column: np.full(4, np.nan)}), "days old"),
        (cut(random_history(), slice(200, None)), "bars,"),
    ):
        panel = convene(history)
        vote = vote_of(panel, name)
        assert vote.vote is ABSENT
        assert reason in vote.note
        assert f"E {name}: {vote.note}" in panel.missing


def test_e_a_factor_that_never_varied_is_absent():
    flat = with_columns(random_history(), credit_spread=np.full(420, 2.0))
    assert vote_of(convene(flat), "credit").note == "it did not vary"


def test_e_on_a_whole_market_every_factor_but_reit_stress_has_a_voice():
    taken = snapshot()
    panel = read_panel(taken, read_signals(taken, RULES), RULES)
    assert tuple(vote.name for vote in panel.votes) == WEIGHTS
    assert [vote.name for vote in panel.votes if vote.vote is ABSENT] == ["reit"]
    assert panel.missing == ("E reit: no factor feed has this name",)


# --- factor feeds ---------------------------------------------------------------------------------


def feed(values, *, name="fear", age_days=1, problem="") -> FactorSeries:
    """Daily observations of which the newest is ``age_days`` old."""
    values = np.asarray(values, dtype=np.float64)
    newest = np.datetime64(TODAY) - age_days
    day = newest - np.arange(len(values))[::-1].astype("timedelta64[D]")
    return FactorSeries(name=name, day=day, value=values, problem=problem)


def fed(rule: FactorRule, *feeds: FactorSeries) -> Vote:
    taken = replace(snapshot(), factors=feeds)
    return vote_of(convene(taken=taken, rules=panel_rules(factors=(rule,))), rule.name)


def factor(name="fear", **values) -> FactorRule:
    return FactorRule(name=name, source="csv", series="fear.csv", **values)


@pytest.mark.parametrize(
    ("thresholds", "value", "expected"),
    [
        ({"fear_above": 5.0}, 5.0, ABSTAINS),
        ({"fear_above": 5.0}, 5.001, FEAR),
        ({"fear_above": 5.0}, 4.999, ABSTAINS),
        ({"fear_below": 5.0}, 5.0, ABSTAINS),
        ({"fear_below": 5.0}, 4.999, FEAR),
        ({"fear_below": 5.0}, 5.001, ABSTAINS),
        ({"technical_above": 5.0}, 5.0, ABSTAINS),
        ({"technical_above": 5.0}, 5.001, TECHNICAL),
        ({"technical_above": 5.0}, 4.999, ABSTAINS),
        ({"technical_below": 5.0}, 5.0, ABSTAINS),
        ({"technical_below": 5.0}, 4.999, TECHNICAL),
        ({"technical_below": 5.0}, 5.001, ABSTAINS),
        ({"fear_above": 5.0, "technical_below": 3.0}, 4.0, ABSTAINS),
        ({"fear_above": 5.0, "technical_above": 3.0}, 6.0, FEAR),  # both: fear
        ({}, 6.0, ABSTAINS),
    ],
)
def test_e_a_feed_votes_strictly_beyond_its_own_thresholds(thresholds, value, expected):
    vote = fed(factor(**thresholds), feed([1.0, value]))
    assert (vote.vote, vote.value) == (expected, value)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [("level", 9.0), ("change", 8.0), ("zscore", 7.0), ("percentile", 100.0)],
)
def test_e_a_feed_is_transformed_over_its_window(transform, expected):
    values = [50.0, 1.0, 3.0, 1.0, 3.0, 9.0]  # before the window of four, and the window: 2 and 1
    assert fed(factor(transform=transform, window=4), feed(values)).value == expected


def test_e_a_percentile_is_the_share_of_the_window_that_lies_below():
    rule = factor(transform="percentile", window=4)
    assert fed(rule, feed([1.0, 2.0, 3.0, 4.0, 2.0])).value == 25.0
    assert fed(rule, feed([1.0, 2.0, 3.0, 4.0, 2.5])).value == 50.0


@pytest.mark.parametrize("transform", ["change", "zscore", "percentile"])
def test_e_a_feed_shorter_than_its_window_is_absent(transform):
    rule = factor(transform=transform, window=4)
    assert fed(rule, feed([1.0, 2.0, 1.0, 2.0, 5.0])).vote is not ABSENT
    vote = fed(rule, feed([2.0, 1.0, 2.0, 5.0]))
    assert (vote.vote, vote.note) == (ABSENT, "4 bars, 5 needed")


def test_e_a_feed_that_is_too_old_is_absent():
    rule = factor(fear_above=1.0, max_age=7)
    assert fed(rule, feed([2.0], age_days=7)).vote == FEAR
    vote = fed(rule, feed([2.0], age_days=8))
    assert (vote.vote, vote.note) == (ABSENT, "the newest observation is 8 days old")


def test_e_a_feed_of_today_or_later_is_not_read():
    rule = factor(fear_above=1.0)
    day = np.datetime64(TODAY) + np.array([-1, 0, 1]).astype("timedelta64[D]")
    late = FactorSeries(name="fear", day=day, value=np.array([0.0, 9.0, 9.0]))
    assert fed(rule, late).value == 0.0


def test_e_a_feed_skips_observations_that_are_no_number():
    assert fed(factor(fear_above=1.0), feed([2.0, np.nan])).vote == FEAR
    vote = fed(factor(fear_above=1.0), feed([np.nan]))
    assert (vote.vote, vote.note) == (ABSENT, "no observation yet")


def test_e_a_feed_that_is_not_there_or_broken_says_why():
    assert fed(factor()).note == "it is not fed"
    assert fed(factor(), feed([1.0], name="other")).note == "it is not fed"
    broken = feed([], problem="fear.csv: line 3: not a date")
    assert fed(factor(), broken).note == "fear.csv: line 3: not a date"


def test_e_reit_stress_is_the_feed_of_that_name_with_a_weight_of_its_own():
    rule = factor("reit", fear_below=-1.0, weight=2.0)
    rules = panel_rules(factors=(rule,), reit_weight=1.5)
    taken = replace(snapshot(), factors=(feed([-3.0], name="reit"),))
    panel = convene(taken=taken, rules=rules)
    assert [vote.name for vote in panel.votes].count("reit") == 1
    assert vote_of(panel, "reit").vote == FEAR
    assert vote_of(panel, "reit").weight == 3.0


# --- the verdict ----------------------------------------------------------------------------------


def test_r5_abstentions_and_absences_do_not_dilute_the_mean():
    panel = convene(cut(random_history(), slice(0, 0)), backwardation_fraction=0.05, cor1m_z=0.0)
    assert {vote.vote for vote in panel.votes} == {FEAR, ABSTAINS, ABSENT}
    assert (panel.mean, panel.verdict) == (1.0, Verdict.FEAR)


@pytest.mark.parametrize(
    ("fear", "technical", "verdict"),
    [
        (0.65, 0.35, Verdict.FEAR),  # 0.3
        (0.6499, 0.3501, Verdict.UNDECIDED),
        (0.6501, 0.3499, Verdict.FEAR),
        (0.35, 0.65, Verdict.TECHNICAL),
        (0.3501, 0.6499, Verdict.UNDECIDED),
        (0.3499, 0.6501, Verdict.TECHNICAL),
        (0.5, 0.5, Verdict.UNDECIDED),
    ],
)
def test_r5_decides_at_its_threshold_and_beyond(fear, technical, verdict):
    panel = convene(
        rules=weighted(curve=fear, flow=technical), backwardation_fraction=0.05, order_flow_z=-2.0
    )
    assert panel.verdict is verdict
    assert panel.mean == pytest.approx(fear - technical)


def test_r5_with_nobody_voting_is_undecided():
    for panel in (
        convene(cut(random_history(), slice(0, 0))),
        convene(rules=weighted(), backwardation_fraction=0.05),  # a vote without weight
        convene(cut(random_history(), slice(0, 0)), cor1m_z=0.0),
    ):
        assert (panel.mean, panel.verdict) == (None, Verdict.UNDECIDED)


def test_r5_and_every_factor_have_a_gate():
    panel = convene(backwardation_fraction=0.05, cor1m_z=0.0)
    gates = {gate.name: gate for gate in panel_gates(panel, RULES)}
    assert len(gates) == len(WEIGHTS) + 1
    assert gates["curve: fear"].rule == "E"
    assert gates["curve: fear"].value == 0.05
    assert gates["curve: fear"].threshold == "fear > 0.005, technical < -0.005"
    assert gates["curve: fear"].passed
    assert not gates["correlation: abstains"].passed
    assert gates["flow: absent"].note == "S9 is absent"
    verdict = gates["weighted mean of the votes, absolute"]
    assert (verdict.rule, verdict.threshold, verdict.note) == ("R5", 0.3, panel.verdict.value)
    nobody = panel_gates(convene(cut(random_history(), slice(0, 0))), RULES)[-1]
    assert (nobody.value, nobody.passed) == (None, False)


@given(
    weights=st.lists(st.floats(0, 5), min_size=7, max_size=7),
    fraction=st.floats(-0.1, 0.1),
    flow=st.floats(-4, 4),
    apart=st.floats(-6, 6),
    correlation=st.floats(-4, 4),
)
def test_r5_is_the_weighted_mean_of_those_that_vote(weights, fraction, flow, apart, correlation):
    rules = weighted(**dict(zip(BUILT_IN, weights, strict=True)))
    panel = convene(
        rules=rules,
        backwardation_fraction=fraction,
        order_flow_z=flow,
        dislocation_z=apart,
        cor1m_z=correlation,
    )
    voted = [(vote.vote, vote.weight) for vote in panel.votes if vote.vote]
    total = sum(weight for _, weight in voted)
    if total == 0:
        assert panel.mean is None
        return
    mean = sum(vote * weight for vote, weight in voted) / total
    assert panel.mean == pytest.approx(mean, abs=1e-9)
    assert -1 <= panel.mean <= 1
    assert (panel.verdict is Verdict.UNDECIDED) == (abs(panel.mean) < rules.panel.decide_at)


def test_e_is_as_stale_as_its_live_inputs():
    taken = snapshot(age=timedelta(seconds=121))
    panel = read_panel(taken, read_signals(taken, RULES), RULES)
    absent = {vote.name for vote in panel.votes if vote.vote is ABSENT}
    assert absent == {"curve", "vvix", "dislocation", "reit"}
