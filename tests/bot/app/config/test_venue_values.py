"""The simulated exchange's fees and fill model: every field a key, every default its own."""

from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.config.loader import load_config
from bot.app.config.problems import ConfigInvalid
from bot.app.paths import run_paths
from bot.app.wiring import build_world, wire
from bot.exchange.journal import JournalMismatch
from bot.exchange.matching import DEFAULT_FILL_MODEL
from strategies.model.encoding import to_json
from strategies.model.fees import DEFAULT_FEES

ROOT = Path(__file__).parents[4]
CONFIG = """\
name: test
limits: limits.yaml
broker:
  kind: simulated
  starting_cash_usd: 1_000_000
  seed: 7
  market: {kind: synthetic, from: 2020-02-03, to: 2020-02-07}
"""


@pytest.fixture
def load(tmp_path):
    (tmp_path / "limits.yaml").write_text((ROOT / "limits.yaml").read_text())

    def load(lines: str = "", *flags: str):
        (tmp_path / "paper_config.yaml").write_text(CONFIG + lines)
        return load_config(tmp_path / "paper_config.yaml", environment={}, flags=flags)

    return load


def test_what_is_left_out_is_the_exchange_s_own_default(load):
    broker = load().bot.broker
    assert (broker.fees, broker.fill_model) == (DEFAULT_FEES, DEFAULT_FILL_MODEL)
    keys = {value.key for value in load().values}
    assert {f"broker.fees.{entry.name}" for entry in fields(DEFAULT_FEES)} <= keys
    assert {f"broker.fill_model.{entry.name}" for entry in fields(DEFAULT_FILL_MODEL)} <= keys


def test_a_file_and_flags_change_single_values(load):
    lines = """\
  fees:
    as_of: 2026-12
    occ: 0.02
    vix_exchange_simple: [0.10, 0.20, 0.40, 0.45]
  fill_model:
    combo_width: 1
    spx_option_packages: [1, 10]
"""
    broker = load(
        lines, "broker.fees.orf=0.03", "broker.fill_model.future_packages=2, 4"
    ).bot.broker
    simple = tuple(map(Decimal, ("0.10", "0.2", "0.4", "0.45")))
    assert broker.fees == replace(
        DEFAULT_FEES,
        as_of="2026-12",
        occ=Decimal("0.02"),
        orf=Decimal("0.03"),
        vix_exchange_simple=simple,
    )
    assert broker.fill_model == replace(
        DEFAULT_FILL_MODEL, combo_width=1.0, spx_option_packages=(1, 10), future_packages=(2, 4)
    )


def test_a_default_written_out_is_the_same_world(load):
    """The exchange's journal compares texts, and YAML writes 0.50 as 0.5."""
    lines = "  fees: {option_commission_low: 0.50, vix_exchange_simple: [0.10, 0.25, 0.45, 0.50]}\n"
    assert to_json(load(lines).bot.broker.fees) == to_json(DEFAULT_FEES)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("  fees: {oc: 0.02}\n", "broker.fees.oc: unknown key; did you mean 'occ'?"),
        ("  fees: {occ: -0.02}\n", "broker.fees.occ: -0.02 is outside 0 .. 100"),
        (
            "  fees: {occ: free}\n",
            "broker.fees.occ: expected an amount in US dollars, found 'free'",
        ),
        (
            "  fees: {vix_exchange_simple: [0.1, 0.2]}\n",
            "broker.fees.vix_exchange_simple: expected a list of 4 numbers, found a list",
        ),
        (
            "  fees: {vix_exchange_simple: [0.1, 0.2, 0.3, 999]}\n",
            "broker.fees.vix_exchange_simple[3]: 999 is outside 0 .. 100",
        ),
        (
            "  fill_model: {probability_max: 1.5}\n",
            "broker.fill_model.probability_max: 1.5 is outside 0 .. 1",
        ),
        (
            "  fill_model: {future_packages: [30, 5]}\n",
            "broker.fill_model.future_packages: expected the least, then the most",
        ),
    ],
)
def test_a_mistake_is_told_at_its_place(load, lines, message):
    with pytest.raises(ConfigInvalid) as refused:
        load(lines)
    assert message in str(refused.value)
    assert "paper_config.yaml:8:" in str(refused.value)


def test_the_exchange_gets_what_the_configuration_says(load, tmp_path):
    config = load("  fees: {occ: 0.02}\n  fill_model: {combo_width: 0.8}\n")
    world = build_world(config)
    assert world.broker.fees.occ == Decimal("0.02")
    paths = run_paths(tmp_path, mode="simulated", account=config.account)
    wire(world, paths)
    wire(world, paths)
    with pytest.raises(JournalMismatch, match="another simulated world: "):
        wire(build_world(load()), paths)
