"""The limits file: every key required, each within its bounds, errors with their place."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.config.limits import LimitsFile, load_limits
from bot.app.config.loader import load_config
from bot.app.config.problems import ConfigInvalid
from strategies.model.limits import Limits

ROOT = Path(__file__).parents[4]
SHIPPED = (ROOT / "limits.yaml").read_text()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "limits.yaml"
    path.write_text(SHIPPED)
    return path


def with_value(path: Path, key: str, value: str) -> int:
    """Write another value for a key; return the number of its line."""
    lines = SHIPPED.splitlines()
    (number,) = [n for n, line in enumerate(lines) if line.startswith(f"{key}:")]
    lines[number] = f"{key}: {value}"
    path.write_text("\n".join(lines))
    return number + 1


def test_the_shipped_limits_are_what_the_gate_takes(file):
    limits = load_limits(file)
    assert limits.orders_per_minute_max == 60
    assert limits.futures_through_market_fraction == Decimal("0.10")
    assert limits.quote_age_max == timedelta(seconds=120)
    assert limits.margin_headroom_fraction == Decimal("0.10")
    names = {
        name.replace("quote_age_seconds_max", "quote_age_max") for name in LimitsFile.model_fields
    }
    assert names == set(Limits.__dataclass_fields__)


@pytest.mark.parametrize("key", LimitsFile.model_fields)
def test_a_limit_that_nobody_wrote_down_is_no_limit(file, key):
    file.write_text("\n".join(line for line in SHIPPED.splitlines() if not line.startswith(key)))
    with pytest.raises(ConfigInvalid, match=f"{key}: missing"):
        load_limits(file)


@pytest.mark.parametrize(
    ("key", "last", "beyond"),
    [
        ("orders_per_minute_max", "1_000", "1_001"),
        ("opens_per_day_max", "1_000", "1_001"),
        ("cancels_per_day_max", "10_000", "10_001"),
        ("attempts_per_purpose_max", "100", "101"),
        ("attempts_per_purpose_max", "1", "0"),
        ("turnover_usd_per_day_max", "10_000_000_000", "10_000_000_001"),
        ("active_orders_per_side_max", "15", "16"),  # fault B11: the broker's own limit
        ("active_orders_per_side_max", "1", "0"),
        ("futures_through_market_fraction", "0.10", "0.11"),  # fault D10: the exchange's
        ("margin_headroom_fraction", "1", "1.01"),
        ("margin_headroom_fraction", "0", "-0.01"),
        ("margin_required", "true", "1"),
        ("margin_required", "false", "'no'"),
    ],
)
def test_a_limit_has_bounds_and_an_error_its_line(file, key, last, beyond):
    with_value(file, key, last)
    load_limits(file)
    line = with_value(file, key, beyond)
    with pytest.raises(ConfigInvalid, match=rf"limits.yaml:{line}:\d+: {key}: "):
        load_limits(file, label="limits.yaml")


def test_a_key_nobody_knows_is_refused(file):
    file.write_text(SHIPPED + "condors_most: 3\n")
    with pytest.raises(ConfigInvalid, match="condors_most"):
        load_limits(file)


def test_the_limits_are_part_of_what_a_run_records(file, tmp_path):
    config = tmp_path / "paper_config.yaml"
    config.write_text((ROOT / "paper_config.yaml").read_text())
    before = load_config(config, environment={}, flags=[])
    assert json.loads(before.redacted_json)["limits"]["orders_per_minute_max"] == 60
    assert file in before.files
    with_value(file, "orders_per_minute_max", "59")
    after = load_config(config, environment={}, flags=[])
    assert after.config_hash != before.config_hash
    assert after.files[file] != before.files[file]
