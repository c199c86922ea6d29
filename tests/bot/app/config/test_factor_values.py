"""Factor feeds in a configuration: what is missing, misspelt or contradictory is told where."""

from pathlib import Path

import pytest

from bot.app.config.loader import LoadedConfig, load_config
from bot.app.config.problems import ConfigInvalid
from strategies.model.rules import FactorRule

ROOT = Path(__file__).parents[4]
HEAD = """\
name: test
limits: limits.yaml
broker:
  kind: simulated
  starting_cash_usd: 1_000_000
  seed: 7
  market: {kind: replay, from: 2020-02-03, to: 2020-04-30}
rules:
  panel:
    factors:
"""
STRESS = """\
      - name: stress
        source: csv
        series: stress.csv
        fear_above: 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "limits.yaml").write_text((ROOT / "limits.yaml").read_text())
    return tmp_path


def load(folder: Path, blocks: str, flags=()) -> LoadedConfig:
    path = folder / "paper_config.yaml"
    path.write_text(HEAD + blocks)
    return load_config(path, environment={}, flags=flags)


def refusal(folder: Path, blocks: str, flags=()) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load(folder, blocks, flags)
    return str(caught.value)


def test_e_a_factor_feed_becomes_a_rule_with_the_defaults_of_the_rule(folder):
    (factor,) = load(folder, STRESS).rules.panel.factors
    assert factor == FactorRule(name="stress", source="csv", series="stress.csv", fear_above=1.0)


def test_e_every_key_of_a_factor_feed_is_taken(folder):
    text = (
        "      - {name: reer, source: fred, series: RBUSBIS, transform: change, window: 3,\n"
        "         fear_above: 2, fear_below: -5, weight: 0.5, max_age: 120, lag: 10}\n"
        "      - {name: calm, source: ib, series: SKEW, technical_above: 3, technical_below: 1}\n"
    )
    reer, calm = load(folder, text).rules.panel.factors
    assert (reer.transform, reer.window, reer.fear_above, reer.fear_below) == ("change", 3, 2, -5)
    assert (reer.weight, reer.max_age, reer.lag) == (0.5, 120, 10)
    assert (calm.technical_above, calm.technical_below, calm.fear_above) == (3.0, 1.0, None)


def test_e_without_factor_feeds_there_are_none(folder):
    assert load(folder, "").rules.panel.factors == ()
    assert load(folder, "      []\n").rules.panel.factors == ()


def test_e_each_value_of_a_factor_feed_has_its_origin(folder):
    origins = {value.key: value.origin for value in load(folder, STRESS).values}
    assert origins["rules.panel.factors[0].fear_above"] == "paper_config.yaml:14"
    assert origins["rules.panel.factors[0].weight"] == "default"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "stress\n",
            "stress\n        max_aeg: 3\n",
            ":12:9: {}.max_aeg: unknown key; did you mean 'max_age'?",
        ),
        (
            "source: csv",
            "source: web",
            ":12:17: {}.source: expected one of csv, parquet, fred, ib; found 'web'",
        ),
        (
            "fear_above: 1",
            "fear_above: 1\n        transform: zcore",
            (
                ":15:20: {}.transform: expected one of level, change, zscore, percentile; "
                "found 'zcore'; did you mean 'zscore'?"
            ),
        ),
        (
            "        fear_above: 1\n",
            "",
            (
                ":11:15: {}.name: stress never votes; give it one of fear_above, fear_below, "
                "technical_above, technical_below (rule E)"
            ),
        ),
        (
            "fear_above: 1",
            "fear_above: 1\n        technical_below: 2",
            ":14:21: {}.fear_above: 1.0 must not be below technical_below, which is 2.0 (rule E)",
        ),
        (
            "fear_above: 1",
            "fear_above: 1\n        technical_above: 2",
            ":15:26: {}.technical_above: one value would vote both ways: fear_above is given too",
        ),
        (
            "fear_above: 1",
            "fear_above: high",
            ":14:21: {}.fear_above: expected a number, found 'high'",
        ),
        ("fear_above: 1", "fear_above: 1\n        window: 0", ":15:17: {}.window: 0 is outside 1"),
        ("fear_above: 1", "fear_above: 1\n        weight: 9", ":15:17: {}.weight: 9 is outside 0"),
        (
            "fear_above: 1",
            "fear_above: 1\n        max_age: 1.5",
            ":15:18: {}.max_age: expected a whole number, found 1.5",
        ),
        ("stress.csv", "stress.txt", ":13:17: {}.series: expected a .csv file, found 'stress.txt'"),
        ("name: stress", "name: the stress", ":11:15: {}.name: expected letters, digits and _"),
        ("        series: stress.csv\n", "", ":11:9: {}.series: missing; this key has no default"),
    ],
)
def test_e_each_mistake_of_a_factor_feed_is_told_where_it_stands(folder, old, new, expected):
    assert old in STRESS
    place = "rules.panel.factors[0]"
    assert "paper_config.yaml" + expected.format(place) in refusal(folder, STRESS.replace(old, new))


def test_e_a_second_factor_of_one_name_is_refused_at_its_name(folder):
    message = refusal(folder, STRESS + STRESS.replace("stress\n", "other\n") + STRESS)
    assert (
        "paper_config.yaml:19:15: rules.panel.factors[2].name: 'stress' is the name of" in message
    )


@pytest.mark.parametrize("blocks", ["      name: stress\n", "      stress\n"])
def test_e_factor_feeds_that_are_no_list_are_refused(folder, blocks):
    assert "rules.panel.factors: expected a list of blocks" in refusal(folder, blocks)
    flag = ["rules.panel.factors=stress.csv"]
    assert "flag --set rules.panel.factors: " in refusal(folder, STRESS, flag)


def test_e_a_block_that_is_no_section_is_refused(folder):
    assert "rules.panel.factors[0]: expected a section with keys" in refusal(folder, "      - x\n")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["rules.rotation.theta_window_last=10"], "rotation.theta_window_last: 10 must be below"),
        (
            ["rules.rotation.event_scale_low=1", "rules.rotation.event_scale_high=1"],
            "rotation.event_scale_low: 1.0 must be below event_scale_high, which is 1.0",
        ),
        (["rules.condor.positive_min_net_vega=0.35"], "positive_min_net_vega: 0.35 must be below"),
        (
            ["rules.condor.min_roll_dte=21"],
            "condor.time_exit_dte: 21 must be below min_roll_dte, which is 21",
        ),
        (
            ["rules.rotation.harvest_rsi=69", "rules.signals.rsi_vix_high=70"],
            "rules.rotation.harvest_rsi: 69.0 must be at least signals.rsi_vix_high, which is 70.0",
        ),
        (["rules.condor.bias=positive"], "a condor of one expiry"),
        (["rules.condor.bias=neutral"], "its net vega is below zero"),
    ],
)
def test_values_that_contradict_each_other_are_refused(folder, flags, expected):
    assert expected in refusal(folder, "", flags)


def test_values_at_the_edge_of_what_fits_together_are_allowed(folder):
    flags = [
        "rules.rotation.theta_window_last=9",
        "rules.condor.min_roll_dte=22",
        "rules.rotation.harvest_rsi=70",
        "rules.signals.rsi_vix_high=70",
        "rules.condor.bias=positive",
        "rules.condor.wings=ratio",
    ]
    assert load(folder, "", flags).rules.condor.wings == "ratio"
