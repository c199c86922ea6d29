"""What the configuration of protections and of the broker's nights comes to."""

import shutil
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from bot.app.commands.inputs import read_config
from bot.app.config.protections import ProtectionsSection
from bot.app.ib_ports import paper_access
from bot.app.wiring import PaperWorld, build_world

ROOT = Path(__file__).parents[4]
CONFIG = """\
name: paper
broker: {{kind: ib_paper, client_id: 7, account: DU1234567{more}}}
limits: limits.yaml
"""


@pytest.mark.parametrize(
    ("own_s", "broker_s", "comes_to_s"), [(10, 10, 55), (120, 10, 120), (10, 100, 145)]
)
def test_an_adapter_may_connect_anew_before_it_counts_as_silent(own_s, broker_s, comes_to_s):
    """Fault B4: its own words are better than those of a deadline."""
    policy = ProtectionsSection(answer_seconds=own_s).policy(
        interval_minutes=15, in_real_time=True, broker_answer_s=broker_s
    )
    assert policy.answer == timedelta(seconds=comes_to_s)


@pytest.mark.parametrize(
    ("more", "restarts_at"),
    [("", time(23, 45)), (', restarts_at: "02:30"', time(2, 30)), (", restarts_at: null", None)],
)
def test_the_nightly_restart_is_the_one_of_the_configuration(tmp_path, more, restarts_at):
    """Fault B5: nothing is sent about it."""
    shutil.copy(ROOT / "limits.yaml", tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG.format(more=more))
    config = read_config(tmp_path / "config.yaml", [])
    world = build_world(config)
    assert isinstance(world, PaperWorld)
    access = paper_access(
        world.broker,
        calendar=world.calendar,
        history=world.history,
        rules=world.rules,
        first_session=date(2020, 2, 24),
        events_folder=None,
    )
    assert access.settings.restarts_at == restarts_at
