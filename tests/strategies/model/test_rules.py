"""The rules as data: defaults as the rule book has them, bounds that hold, and their JSON."""

import math
import re
from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.model.encoding import UndecodableValue, from_json, to_json
from strategies.model.rules import (
    CondorRules,
    FactorRule,
    Rules,
    factor_faults,
    rule,
    rule_bounds_violations,
    rules_hash,
)

DEFAULTS = Rules()
ENTRIES = [
    pytest.param(section.name, entry, id=f"{section.name}.{entry.name}")
    for section in fields(DEFAULTS)
    for entry in fields(getattr(DEFAULTS, section.name))
    if "rule" in entry.metadata
]
BOUNDED = [case for case in ENTRIES if case.values[1].metadata["low"] is not None]


def with_value(section, name, value) -> Rules:
    return replace(DEFAULTS, **{section: replace(getattr(DEFAULTS, section), **{name: value})})


def step(value) -> float | int:
    """Something small in the type of a bound's field."""
    return 1 if isinstance(value, int) else 1e-6


def default_of(section, entry):
    return getattr(getattr(DEFAULTS, section), entry.name)


# --- defaults -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("condor", "target_dte", 45),  # C2
        ("condor", "min_dte", 30),  # C2
        ("condor", "short_delta", 0.16),  # C3
        ("condor", "min_net_vega", -0.35),  # C4
        ("condor", "max_net_vega", -0.15),  # C4
        ("condor", "min_credit_to_width", 0.10),  # C6
        ("condor", "max_loss_fraction", 0.025),  # C7
        ("condor", "max_margin_fraction", 0.50),  # C7
        ("condor", "profit_target", 0.50),  # C9
        ("condor", "time_exit_dte", 21),  # C9
        ("condor", "stop_loss_credits", 2.0),  # C9
        ("signals", "rsi_period", 14),  # S1
        ("signals", "rsi_vix_high", 60.0),  # S1
        ("signals", "rsi_vix_reset", 50.0),  # S1
        ("signals", "rsi_vix_low", 30.0),  # S1
        ("signals", "rsi_spx_weak", 35.0),  # S2
        ("signals", "macd_fast", 12),  # S3
        ("signals", "macd_slow", 26),  # S3
        ("signals", "macd_signal", 9),  # S3
        ("signals", "basis_fast", 10),  # S4
        ("signals", "basis_slow", 30),  # S4
        ("signals", "divergence_window", 20),  # S5
        ("signals", "divergence_near_high", 0.005),  # S5
        ("signals", "divergence_sigmas", 1.0),  # S5
        ("signals", "dislocation_window", 252),  # S8
        ("signals", "dislocation_z", 3.0),  # S8
        ("regime", "dead_band", 0.005),  # R1
        ("regime", "confirm_closes", 2),  # R1
        ("regime", "confirm_intervals", 4),  # R1
        ("regime", "pre_event_days", 3),  # R2
        ("regime", "spike_fraction", 0.20),  # R3
        ("regime", "spike_points", 4.0),  # R3
        ("regime", "spike_z", 3.0),  # R3
        ("regime", "shift_backwardation", 0.03),  # R4
        ("regime", "shift_closes", 3),  # R4
        ("regime", "shift_sma", 50),  # R4
        ("regime", "shift_leave_closes", 5),  # R4
        ("layers", "l1_share", 0.50),  # L1
        ("layers", "l2_share", 0.30),  # L2
        ("layers", "l3_share", 0.20),  # L3
        ("layers", "l3_rsi_period", 7),  # L3
        ("layers", "l2_backwardation", 0.03),  # L2
        ("layers", "max_scale", 1.5),  # L4
        ("layers", "stagger_max_share", 0.60),  # L7
        ("rotation", "flip_cut", 0.50),  # B1
        ("rotation", "flip_intervals", 4),  # B1
        ("rotation", "addon_points", 3.0),  # B2
        ("rotation", "addon", 0.25),  # B2
        ("rotation", "band_low", -0.05),  # B8
        ("rotation", "band_high", 0.10),  # B8
        ("rotation", "increment", 0.25),  # B9
        ("rotation", "option_roll_days", 5),  # B10
        ("rotation", "future_roll_days", 3),  # B10
        ("rotation", "restore_closes", 3),  # B11
        ("rotation", "restore_days", 5),  # B11
        ("governors", "cost_soft", 0.01),  # G1
        ("governors", "cost_hard", 0.02),  # G1
        ("governors", "core_premium", 0.10),  # G2
        ("governors", "notional_cap", 0.25),  # G3
        ("governors", "quick_ratio", 1.5),  # G6
        ("governors", "max_net_vega", 0.10),  # G7
    ],
)
def test_a_default_is_the_rule_books(section, name, value):
    assert getattr(getattr(DEFAULTS, section), name) == value


def test_the_layer_shares_add_up_to_the_whole_short_vega():
    layers = DEFAULTS.layers
    assert layers.l1_share + layers.l2_share + layers.l3_share == 1.0


def test_the_defaults_keep_their_bounds():
    assert rule_bounds_violations(DEFAULTS) == []


@pytest.mark.parametrize(("section", "entry"), ENTRIES)
def test_every_rule_value_says_which_rule_it_belongs_to_and_what_it_means(section, entry):
    assert re.fullmatch(r"[A-Z]\d{0,2}", entry.metadata["rule"])
    assert entry.metadata["what"]
    is_free = isinstance(default_of(section, entry), bool)
    assert is_free or entry.metadata["low"] is not None or entry.metadata["choices"]


# --- bounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "entry"), BOUNDED)
def test_a_value_on_its_bounds_is_allowed_and_one_beyond_is_not(section, entry):
    low, high = entry.metadata["low"], entry.metadata["high"]
    small = step(default_of(section, entry))
    assert low <= high
    for allowed in (low, high):
        assert rule_bounds_violations(with_value(section, entry.name, allowed)) == []
    for refused in (low - small, high + small, math.inf, -math.inf, math.nan):
        (sentence,) = rule_bounds_violations(with_value(section, entry.name, refused))
        assert sentence == f"{section}.{entry.name}: {refused} is outside {low} .. {high}"


def test_c4_a_bias_that_is_not_offered_is_refused():
    (sentence,) = rule_bounds_violations(with_value("condor", "bias", "sideways"))
    assert sentence == "condor.bias: 'sideways' is not one of negative, neutral, positive"


# --- factor feeds -------------------------------------------------------------------------------

STRESS = FactorRule(name="stress", source="fred", series="DBAA", fear_above=1.0)


def test_e_a_sound_factor_feed_has_no_faults():
    assert factor_faults(STRESS) == ()
    both = replace(STRESS, technical_below=-1.0, transform="zscore", window=20)
    assert factor_faults(both) == ()
    band = replace(STRESS, fear_above=2.0, fear_below=2.0)
    assert factor_faults(band) == ()
    upside_down = replace(STRESS, fear_above=None, fear_below=-1.0, technical_above=-1.0)
    assert factor_faults(upside_down) == ()
    assert factor_faults(replace(STRESS, technical_below=1.0)) == ()  # nothing is left between


@pytest.mark.parametrize(
    ("changed", "key", "words"),
    [
        ({"name": ""}, "name", "letters, digits and _"),
        ({"name": "a b"}, "name", "found 'a b'"),
        ({"source": "web"}, "source", "expected one of csv, parquet, fred, ib; found 'web'"),
        ({"transform": "ema"}, "transform", "level, change, zscore, percentile; found 'ema'"),
        ({"series": " "}, "series", "found nothing"),
        ({"source": "csv"}, "series", "expected a .csv file, found 'DBAA'"),
        ({"source": "parquet"}, "series", "expected a .parquet file, found 'DBAA'"),
        ({"window": 0}, "window", "0 is outside 1 .. 5000"),
        ({"window": 5001}, "window", "5001 is outside"),
        ({"window": 1, "transform": "zscore"}, "window", "expected 2 or more"),
        ({"weight": -0.1}, "weight", "-0.1 is outside 0 .. 5"),
        ({"weight": math.nan}, "weight", "nan is outside"),
        ({"max_age": 0}, "max_age", "0 is outside 1 .. 400"),
        ({"lag": 251}, "lag", "251 is outside 0 .. 250"),
        ({"fear_above": None}, "name", "stress never votes"),
        ({"fear_above": math.inf}, "fear_above", "expected a finite number, found inf"),
        ({"technical_above": 2.0}, "technical_above", "one value would vote both ways"),
        (
            {"technical_below": 1.001},
            "fear_above",
            "1.0 must not be below technical_below, which is 1.001",
        ),
        ({"fear_below": 1.001}, "fear_above", "1.0 must not be below fear_below"),
        (
            {"fear_above": None, "fear_below": 1.0, "technical_above": 0.999},
            "technical_above",
            "0.999 must not be below fear_below",
        ),
        (
            {"fear_above": None, "technical_below": 1.0, "technical_above": 0.999},
            "technical_above",
            "0.999 must not be below technical_below",
        ),
    ],
)
def test_e_a_fault_of_a_factor_feed_names_its_field_and_what_was_expected(changed, key, words):
    faults = dict(factor_faults(replace(STRESS, **changed)))
    assert words in faults[key]
    violations = rule_bounds_violations(with_factors(replace(STRESS, **changed)))
    assert any(line.startswith(f"panel.factors[0].{key}: ") for line in violations)


def with_factors(*factors) -> Rules:
    return with_value("panel", "factors", factors)


def test_e_two_factors_of_one_name_are_refused():
    (sentence,) = rule_bounds_violations(with_factors(STRESS, replace(STRESS, weight=2.0)))
    assert sentence == "panel.factors[1].name: 'stress' is the name of an earlier factor"
    assert rule_bounds_violations(with_factors(STRESS, replace(STRESS, name="other"))) == []


THRESHOLD = st.none() | st.floats(-3, 3)


@given(thresholds=st.tuples(*[THRESHOLD] * 4), value=st.floats(-4, 4))
def test_e_no_value_votes_both_ways_past_sound_thresholds(thresholds, value):
    names = ("fear_above", "fear_below", "technical_above", "technical_below")
    rule = replace(STRESS, **dict(zip(names, thresholds, strict=True)))
    if factor_faults(rule):
        return
    fear_above, fear_below, technical_above, technical_below = (
        math.nan if each is None else each for each in thresholds
    )
    is_fear = value > fear_above or value < fear_below
    assert not (is_fear and (value > technical_above or value < technical_below))


def test_e_and_d1_factor_feeds_are_part_of_the_rules_hash():
    assert rules_hash(with_factors(STRESS)) != rules_hash(DEFAULTS)
    assert rules_hash(with_factors(replace(STRESS, lag=1))) != rules_hash(with_factors(STRESS))
    assert from_json(Rules, to_json(with_factors(STRESS))) == with_factors(STRESS)


def test_every_violation_is_reported_not_only_the_first():
    rules = replace(
        with_value("condor", "short_delta", 0.5),
        governors=replace(DEFAULTS.governors, cost_soft=1.0),
    )
    assert [sentence.split(":")[0] for sentence in rule_bounds_violations(rules)] == [
        "condor.short_delta",
        "governors.cost_soft",
    ]


def test_a_declared_value_carries_its_rule_and_bounds():
    declared = rule(0.3, "share of something", rule_id="X1", low=0.0, high=1.0)
    assert declared.default == 0.3
    assert dict(declared.metadata) == {
        "rule": "X1",
        "what": "share of something",
        "low": 0.0,
        "high": 1.0,
        "choices": (),
    }


def test_rules_never_change_in_place():
    with pytest.raises(FrozenInstanceError):
        DEFAULTS.condor = CondorRules()  # type: ignore[misc]


# --- JSON ---------------------------------------------------------------------------------------


@given(data=st.data())
def test_rules_come_back_from_json_with_every_value(data):
    section, entry = data.draw(st.sampled_from([case.values for case in BOUNDED]))
    low, high = entry.metadata["low"], entry.metadata["high"]
    is_whole = isinstance(default_of(section, entry), int)
    drawn = st.integers(int(low), int(high)) if is_whole else st.floats(low, high)
    rules = with_value(section, entry.name, data.draw(drawn))
    text = to_json(rules)
    assert from_json(Rules, text) == rules
    assert to_json(from_json(Rules, text)) == text


def test_rules_that_are_left_out_take_their_defaults():
    assert from_json(Rules, "{}") == DEFAULTS
    assert from_json(Rules, '{"regime": {"spike_points": 5}}').regime.spike_points == 5.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"signal": {}}', "Rules: unknown key 'signal'"),
        ('{"signals": {"rsi": 14}}', "Rules.signals: SignalRules: unknown key 'rsi'"),
        ('{"signals": 5}', "Rules.signals: expected SignalRules, found 5"),
        (
            '{"signals": {"rsi_period": 14.5}}',
            "Rules.signals: SignalRules.rsi_period: expected int, found 14.5",
        ),
        (
            '{"signals": {"rsi_period": true}}',
            "Rules.signals: SignalRules.rsi_period: True is not a whole number",
        ),
        (
            '{"layers": {"use_vxm": 1}}',
            "Rules.layers: LayerRules.use_vxm: expected bool, found 1",
        ),
        (
            '{"regime": {"dead_band": "0.005"}}',
            "Rules.regime: RegimeRules.dead_band: expected ",
        ),
    ],
)
def test_json_that_is_not_rules_is_refused_with_the_path(text, message):
    with pytest.raises(UndecodableValue, match="^" + re.escape(message)):
        from_json(Rules, text)


def test_d1_the_rules_hash_covers_every_value_and_the_version_of_the_rule_book(monkeypatch):
    first = rules_hash(Rules())
    assert first == rules_hash(Rules())
    assert first != rules_hash(Rules(condor=CondorRules(short_delta=0.17)))
    monkeypatch.setattr("strategies.model.rules.RULE_BOOK_VERSION", "another")
    rules_hash.cache_clear()
    try:
        assert rules_hash(Rules()) != first
    finally:
        rules_hash.cache_clear()
