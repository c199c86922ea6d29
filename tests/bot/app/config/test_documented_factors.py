"""Every factor feed that a page or a shipped configuration shows is one that would be accepted."""

import re
import shutil
from pathlib import Path

import pytest

from bot.app.config.loader import load_config
from bot.app.wiring import build_world
from strategies.model.rules import FactorRule

ROOT = Path(__file__).parents[4]
NOT_BUNDLED = {
    *("cpi_surprise", "ppi_surprise", "reit", "reit_quick_ratio", "reit_p_cf", "growth_pe"),
    *("ddm_yield", "cap_dispersion", "offerings", "dvol", "mev"),
}
BUNDLED = ("corporate_yield", "rate_differential", "reer")
HEAD = "rules:\n  panel:\n    factors:\n"


def factors_of(text: str, folder: Path) -> tuple[FactorRule, ...]:
    shutil.copy(ROOT / "limits.yaml", folder)
    path = folder / "paper_config.yaml"
    broker = (
        "broker:\n  kind: simulated\n  starting_cash_usd: 1_000_000\n  seed: 7\n"
        "  market: {kind: replay, from: 2020-02-03, to: 2020-02-04}\n"
    )
    path.write_text(f"name: documented\nlimits: limits.yaml\n{broker}{text}")
    return load_config(path, environment={}).rules.panel.factors


def documented_blocks() -> list[str]:
    page = (ROOT / "docs" / "data.md").read_text()
    section = page[page.index("### The rule book's macro inputs") :]
    blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    return [block if block.startswith("rules:") else HEAD + block for block in blocks]


def uncommented(name: str) -> str:
    text = (ROOT / name).read_text()
    start = re.search(r"^ *# E: ", text, re.MULTILINE)
    assert start is not None
    lines = text[start.start() :].split("\n\n")[0].splitlines()
    kept = [line.lstrip().removeprefix("# ") for line in lines]
    first = next(index for index, line in enumerate(kept) if line in ("panel:", "rules:"))
    block = kept[first:]
    return "\n".join(block if block[0] == "rules:" else ["rules:", *(f"  {x}" for x in block)])


def test_e_the_pages_blocks_are_valid_and_name_every_macro_input(tmp_path):
    bundled, brought = (factors_of(block, tmp_path) for block in documented_blocks())
    assert tuple(factor.name for factor in bundled) == BUNDLED
    assert {factor.name for factor in brought} == NOT_BUNDLED


@pytest.mark.parametrize(
    ("name", "expected"), [("paper_config.yaml", BUNDLED), ("live_config.yaml", BUNDLED[:1])]
)
def test_e_the_feeds_in_a_shipped_configuration_are_valid_once_the_comment_is_lifted(
    tmp_path, name, expected
):
    factors = factors_of(uncommented(name), tmp_path)
    assert tuple(factor.name for factor in factors) == expected


def test_e_the_bundled_feeds_of_the_shipped_configuration_can_be_read(tmp_path):
    factors_of(uncommented("paper_config.yaml"), tmp_path)
    config = load_config(tmp_path / "paper_config.yaml", environment={})
    world = build_world(config)
    for factor in config.rules.panel.factors:
        known = world.factors.before(factor, world.market.first_session)
        assert known.problem == ""
        age = (world.market.first_session - known.day[-1].item()).days
        assert age <= factor.max_age
