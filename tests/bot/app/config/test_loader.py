"""Configuration errors are told with place, key and expectation; effective values keep origins."""

from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest

from bot.app.config.documents import DEPTH_MAX, FILE_BYTES_MAX
from bot.app.config.loader import LoadedConfig, load_config
from bot.app.config.problems import ConfigInvalid, ConfigUnsafe
from bot.app.config.rule_values import rules_section
from bot.app.config.schema import SeriesName
from bot.history.store import SERIES, VIX_VOLUME
from strategies.model.limits import Limits
from strategies.model.rules import Rules, rule_bounds_violations

ROOT = Path(__file__).parents[4]

GOOD = """\
name: test
limits: limits.yaml
broker:
  kind: simulated
  starting_cash_usd: 1_000_000
  seed: 7
  market:
    kind: replay
    from: 2020-02-03
    to: 2020-04-30
schedule:
  interval_minutes: 15
rules:
  condor:
    short_delta: 0.16
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "limits.yaml").write_text((ROOT / "limits.yaml").read_text())
    return tmp_path


def load(folder: Path, text: str = GOOD, environment=None, flags=()) -> LoadedConfig:
    path = folder / "paper_config.yaml"
    path.write_text(text)
    return load_config(path, environment=environment or {}, flags=flags)


def refusal(folder: Path, text: str, environment=None, flags=()) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        load(folder, text, environment, flags)
    return str(caught.value)


def replace(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_shipped_paper_config_is_valid():
    config = load_config(ROOT / "paper_config.yaml", environment={})
    assert (config.mode, config.account) == ("simulated", "DU0000001")
    assert config.rules == Rules()  # what is written out are the defaults
    assert config.bot.broker.starting_cash_usd == Decimal(1_000_000)
    assert str(config.bot.schedule.entries) == "mon,wed,fri 10:00"
    assert len(config.bot.schedule.intervals()) == 26


def test_the_shipped_live_config_refuses_to_be_used_unedited():
    """Fault E6: a live configuration is started by accident."""
    with pytest.raises(ConfigUnsafe) as caught:
        load_config(ROOT / "live_config.yaml", environment={})
    text = str(caught.value)
    assert "broker.account: empty; fill in the live account" in text
    assert "broker.confirmation: live trading is not confirmed; write exactly" in text


def test_a_filled_in_live_config_is_valid(folder):
    text = (ROOT / "live_config.yaml").read_text()
    text = text.replace('account: ""', "account: U1234567")
    text = text.replace('confirmation: ""', "confirmation: this account trades real money")
    assert load(folder, text).mode == "ib_live"


def test_a_paper_account_in_a_live_config_is_refused_for_safety(folder):
    """Fault E6: a live configuration is started by accident."""
    text = (ROOT / "live_config.yaml").read_text()
    text = text.replace('account: ""', "account: DU1234567")
    text = text.replace('confirmation: ""', "confirmation: this account trades real money")
    with pytest.raises(ConfigUnsafe, match="'DU1234567' is no live account"):
        load(folder, text)


PAPER = """\
name: test
limits: limits.yaml
broker:
  kind: ib_paper
  client_id: 17
  account: DU1234567
"""


def test_a_paper_account_needs_no_more_than_its_number_and_a_client_id(folder):
    broker = load(folder, PAPER).bot.broker
    assert (broker.host, broker.port, broker.market_data_lines) == ("127.0.0.1", 4002, 100)
    assert (broker.requests_per_second, broker.delayed_data) == (45, "refuse")


@pytest.mark.parametrize("port", [4001, 7496])
def test_a_paper_account_behind_a_live_port_is_refused_for_safety(folder, port):
    """Fault E6: a live configuration is started by accident."""
    text = PAPER + f"  port: {port}\n"
    with pytest.raises(ConfigUnsafe, match=f"{port} is a port of live accounts"):
        load(folder, text)


def test_the_data_connection_has_a_client_id_too(folder):
    with pytest.raises(ConfigInvalid, match=r"client_id: 2,147,483,647 is outside"):
        load(folder, PAPER.replace("17", str(2**31 - 1)))


def test_a_wrong_type_names_file_line_column_key_and_expectation(folder):
    assert refusal(folder, replace("seed: 7", "seed: seven")) == (
        "paper_config.yaml:6:9: broker.seed: expected a whole number, found 'seven'\n"
        "    6 |   seed: seven\n"
        "      |         ^"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "short_delta: 0.16",
            "short_dleta: 0.16",
            "paper_config.yaml:15:5: rules.condor.short_dleta: unknown key; "
            "did you mean 'short_delta'?",
            id="unknown key",
        ),
        pytest.param(
            "schedule:",
            "schedul:",
            "paper_config.yaml:11:1: schedul: unknown key; did you mean 'schedule'?",
            id="unknown section",
        ),
        pytest.param(
            "  seed: 7",
            "  sed: 7",
            "paper_config.yaml:6:3: broker.sed: unknown key; did you mean 'seed'?",
            id="unknown key inside a union",
        ),
        pytest.param(
            "short_delta: 0.16",
            "short_delta: 0.35",
            "paper_config.yaml:15:18: rules.condor.short_delta: 0.35 is outside 0.15 .. 0.2 "
            "(rule C3: absolute delta of both shorts)",
            id="out of a rule's bounds",
        ),
        pytest.param(
            "kind: replay",
            "kind: reply",
            "paper_config.yaml:8:11: broker.market.kind: expected one of replay, synthetic; "
            "found 'reply'; did you mean 'replay'?",
            id="bad enumeration of a union",
        ),
        pytest.param(
            "  seed: 7",
            "  seed: 7\n  margin: cbo",
            "paper_config.yaml:7:11: broker.margin: expected one of ib, cboe; found 'cbo'; "
            "did you mean 'cboe'?",
            id="bad enumeration",
        ),
        pytest.param(
            "  seed: 7",
            "  seed: 7\n  seed: 8",
            "paper_config.yaml:7:3: broker.seed: is written twice; first on line 6",
            id="duplicate key",
        ),
        pytest.param(
            "  kind: simulated\n",
            "",
            "paper_config.yaml:3:1: broker.kind: missing; "
            "expected one of simulated, ib_paper, ib_shadow, ib_live",
            id="union without its kind",
        ),
        pytest.param(
            "  seed: 7\n", "", "paper_config.yaml:3:1: broker.seed: missing", id="missing key"
        ),
        pytest.param("name: test\n", "", "paper_config.yaml: name: missing", id="missing at top"),
        pytest.param(
            "rules:\n  condor:\n    short_delta: 0.16\n",
            "rules: none\n",
            "paper_config.yaml:13:8: rules: expected a section with keys, found 'none'",
            id="text for a section",
        ),
        pytest.param(
            "    to: 2020-04-30",
            "    to: 2020-01-30",
            "paper_config.yaml:10:9: broker.market.to: 2020-01-30 is before 'from'",
            id="dates out of order",
        ),
        pytest.param(
            "    to: 2020-04-30",
            "    to: 2020-02-30",
            "broker.market.to: expected a date like 2020-02-03, found '2020-02-30'",
            id="no such date",
        ),
        pytest.param(
            "interval_minutes: 15",
            "interval_minutes: 7",
            "expected minutes that divide 60 or are a multiple of 5, found 7",
            id="odd interval",
        ),
        pytest.param(
            "interval_minutes: 15",
            'entries: "1,3,5 10:00"',
            "schedule.entries: expected weekday names and a time like",
            id="numeric weekdays",
        ),
        pytest.param(
            "interval_minutes: 15",
            'entries: "mon 10:07"',
            "schedule.entries: 10:07 is not the time of an interval; near it: 09:45, 10:00",
            id="entry between intervals",
        ),
        pytest.param(
            "interval_minutes: 15",
            'first_interval: "02:00"',
            "schedule.first_interval: 02:00 is not between 09:30 and 16:15",
            id="interval at night",
        ),
        pytest.param(
            "short_delta: 0.16",
            "min_dte: 45\n    max_dte: 40",
            "rules.condor.target_dte: 45 must be at most max_dte, which is 40",
            id="two values out of order",
        ),
        pytest.param(
            "short_delta: 0.16",
            "bias: positive",
            "rules.condor.wings: one_by_one can never give the positive bias asked for: in a "
            "condor of one expiry each long lies further out than its short and has less vega",
            id="C5: a bias its wings cannot have",
        ),
        pytest.param(
            "short_delta: 0.16",
            "bias: neutral",
            "use ratio, diagonal or either (rule C5)",
            id="C5: a neutral bias its wings cannot have",
        ),
        pytest.param(
            "short_delta: 0.16",
            "wings: ratio",
            "rules.condor.wings: ratio goes with a neutral or positive bias",
            id="C4: wings the negative bias does not use",
        ),
        pytest.param(
            "short_delta: 0.16",
            "positive_min_net_vega: 0.35",
            "rules.condor.positive_min_net_vega: 0.35 must be below positive_max_net_vega",
            id="C5: an empty window",
        ),
        pytest.param(
            "seed: 7", 'seed: "7"', "broker.seed: expected a whole number, found '7'", id="quoted"
        ),
        pytest.param(
            "seed: 7", "seed: true", "broker.seed: expected a whole number, found true", id="bool"
        ),
        pytest.param(
            "short_delta: 0.16",
            "short_delta: .nan",
            "rules.condor.short_delta: expected a finite number, found nan",
            id="not a number",
        ),
        pytest.param(
            "limits: limits.yaml",
            "limits: nowhere.yaml",
            "paper_config.yaml:2:9: limits: no such file: nowhere.yaml",
            id="missing limits file",
        ),
        pytest.param(
            "name: test", "name: [test", "paper_config.yaml:2:7: not YAML:", id="broken YAML"
        ),
        pytest.param("  kind: sim", "\tkind: sim", "paper_config.yaml:4:1: not YAML:", id="tab"),
        pytest.param(
            "name: test", "name: &x test", "anchors (&) are not allowed", id="YAML anchor"
        ),
        pytest.param("name: test", "name: *x", "aliases (*) are not allowed", id="YAML alias"),
        pytest.param(
            "name: test",
            "name: !!python/object/apply:os.system [ls]",
            "paper_config.yaml:1:7: tags (!) are not allowed",
            id="YAML tag",
        ),
        pytest.param(
            "name: test",
            "name: " + "[" * 10_000,
            f"nested more than {DEPTH_MAX} levels deep",
            id="bottomless nesting",
        ),
        pytest.param("name: test", "? [a, b]\n: 1\nname: x", "must be a plain word", id="odd key"),
        pytest.param(
            "rules:", "history:\n  overrides:\n    SPY: x.csv\nrules:", "found 'SPY'", id="series"
        ),
    ],
)
def test_each_mistake_is_told_where_it_stands(folder, old, new, expected):
    assert expected in refusal(folder, replace(old, new))


def test_every_mistake_of_a_file_is_listed_at_once_in_its_order(folder):
    text = replace("seed: 7", "seed: seven\n  seed: 8").replace("0.16", "0.9")
    lines = refusal(folder, text).splitlines()
    rule = "(rule C3: absolute delta of both shorts)"
    assert [line for line in lines if line.startswith("paper_config.yaml")] == [
        "paper_config.yaml:6:9: broker.seed: expected a whole number, found 'seven'",
        "paper_config.yaml:7:3: broker.seed: is written twice; first on line 6",
        f"paper_config.yaml:16:18: rules.condor.short_delta: 0.9 is outside 0.15 .. 0.2 {rule}",
    ]


def test_a_hundred_mistakes_still_fit_one_screen(folder):
    text = GOOD + "".join(f"zzz{index}: 1\n" for index in range(100))
    assert len(refusal(folder, text).splitlines()) <= 25


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        pytest.param(lambda path: None, "paper_config.yaml: no such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "is a directory", id="directory"),
        pytest.param(lambda path: path.write_bytes(b"name: \xff"), "not UTF-8 text", id="bytes"),
        pytest.param(
            lambda path: path.write_text("#" * (FILE_BYTES_MAX + 1)), "larger than", id="too large"
        ),
        pytest.param(lambda path: path.write_text("- a\n"), "expected keys and values", id="list"),
        pytest.param(lambda path: path.write_text(""), "name: missing", id="empty"),
        pytest.param(lambda path: path.write_text("a: 1\n---\nb: 2\n"), "not YAML", id="two"),
        pytest.param(lambda path: path.write_text("name: a\x00"), "paper_config.yaml", id="null"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_words(tmp_path, write, expected):
    path = tmp_path / "paper_config.yaml"
    write(path)
    with pytest.raises(ConfigInvalid) as caught:
        load_config(path, environment={})
    assert expected in str(caught.value)


def test_environment_beats_file_and_flags_beat_environment_and_each_origin_is_kept(folder):
    environment = {"ALVH_BROKER__SEED": "8", "ALVH_BROKER__MARKET__TO": "2020-03-31"}
    config = load(folder, environment=environment, flags=["broker.seed=9"])
    assert config.bot.broker.seed == 9
    assert str(config.bot.broker.market.last) == "2020-03-31"
    origins = {value.key: value.origin for value in config.values}
    assert origins["broker.seed"] == "flag --set broker.seed"
    assert origins["broker.market.to"] == "environment ALVH_BROKER__MARKET__TO"
    assert origins["broker.market.from"] == "paper_config.yaml:9"
    assert origins["execution.walk_seconds"] == "default"
    assert origins["rules.condor.short_delta"] == "paper_config.yaml:15"


def test_typed_text_takes_the_kind_the_schema_asks_for(folder):
    flags = [
        "rules.condor.skip_event_days=true",
        "rules.condor.short_delta=0.18",
        "rules.signals.rsi_period=10",
        "broker.starting_cash_usd=250000.50",
        "history.overrides.spx=mine.csv",
        "schedule.entries=tue,thu 11:30",
    ]
    config = load(folder, flags=flags)
    assert config.rules.condor.skip_event_days is True
    assert config.rules.condor.short_delta == 0.18
    assert config.rules.signals.rsi_period == 10
    assert config.bot.broker.starting_cash_usd == Decimal("250000.50")
    assert config.bot.history.overrides == {"SPX": Path("mine.csv")}
    origins = {value.key: value.origin for value in config.values}
    assert origins["history.overrides.SPX"] == "flag --set history.overrides.spx"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"ALVH_BROKER__SEED": "x"},
            "environment ALVH_BROKER__SEED: broker.seed: expected a whole number, found 'x'",
        ),
        (
            {"ALVH_BROKER__SEDE": "1"},
            "environment ALVH_BROKER__SEDE: broker.sede: unknown key; did you mean 'seed'?",
        ),
        ({"ALVH_LIMIT": "x"}, "environment ALVH_LIMIT: limit: unknown key; did you mean 'limits'?"),
        ({"ALVH_NAME__X": "1"}, "environment ALVH_NAME__X: name.x: name is a single value"),
    ],
)
def test_a_bad_variable_is_named(folder, environment, expected):
    assert expected in refusal(folder, GOOD, environment)


def test_variables_of_others_are_left_alone(folder):
    load(folder, environment={"ALVH_SHARED_DATA": "/x", "ALVH_STATE_DIR": "y", "PATH": "z"})


def test_a_flag_without_a_value_is_refused(folder):
    assert "expected KEY=VALUE" in refusal(folder, GOOD, flags=["broker.seed"])


def test_the_hash_follows_the_values_not_the_text(folder):
    config = load(folder)
    commented = load(folder, GOOD + "# a remark\n")
    changed = load(folder, replace("seed: 7", "seed: 8"))
    assert config.config_hash == commented.config_hash != changed.config_hash
    assert config.text_hash != commented.text_hash
    limits = folder / "limits.yaml"
    limits.write_text(limits.read_text().replace("30_000", "20_000"))
    assert load(folder).config_hash != config.config_hash


def test_a_secret_is_never_shown_and_not_hashed(folder):
    text = (ROOT / "live_config.yaml").read_text()
    text = text.replace('account: ""', "account: U1234567")
    text = text.replace('confirmation: ""', "confirmation: this account trades real money")
    config = load(folder, text, {"ALVH_BROKER__ARM_TOKEN": "hunter2"})
    assert config.bot.broker.arm_token.get_secret_value() == "hunter2"
    assert "hunter2" not in config.redacted_json + repr(config)
    assert config.config_hash == load(folder, text).config_hash
    flagged = load(folder, text, flags=["broker.arm_token=hunter2"])
    assert "hunter2" not in repr(flagged)


def test_a_secret_in_the_file_is_refused_without_being_shown(folder):
    text = (ROOT / "live_config.yaml").read_text()
    text = text.replace("  # The arming token", "  arm_token: hunter2\n  #")
    message = refusal(folder, text)
    assert "a secret does not belong in a file" in message
    assert "hunter2" not in message


def test_the_rules_section_has_every_rule_with_its_own_default():
    section = rules_section()()
    for group in fields(Rules):
        declared = getattr(Rules(), group.name)
        generated = getattr(section, group.name).model_dump()
        assert generated == {item.name: getattr(declared, item.name) for item in fields(declared)}


def test_every_series_that_a_file_may_replace_is_known_to_the_schema():
    assert set(get_args(SeriesName)) == {*SERIES, VIX_VOLUME}


def test_every_rule_bound_is_enforced_by_the_schema(folder):
    """The schema refuses exactly what the rule book's own check refuses."""
    for group in fields(Rules):
        for entry in fields(getattr(Rules(), group.name)):
            high = entry.metadata.get("high")
            if high is None:
                continue
            beyond = high + 1 if isinstance(entry.default, int) else high + 0.001
            message = refusal(folder, GOOD, flags=[f"rules.{group.name}.{entry.name}={beyond}"])
            assert f"(rule {entry.metadata['rule']}: " in message
    assert rule_bounds_violations(load(folder).rules) == []


def test_limits_are_all_required_and_told_with_their_place(folder):
    limits = folder / "limits.yaml"
    text = limits.read_text()
    limits.write_text(text.replace("condors_max: 1_200", "condors_max: many"))
    assert "limits.yaml:6:14: condors_max: expected a whole number, found 'many'" in refusal(
        folder, GOOD
    )
    for entry in fields(Limits):
        name = entry.name.replace("quote_age_max", "quote_age_seconds_max")
        kept = [line for line in text.splitlines() if not line.startswith(name)]
        limits.write_text("\n".join(kept))
        assert f"limits.yaml: {name}: missing" in refusal(folder, GOOD)
