"""What a run needs of its machine: time zones that are right, room, logs that stay small."""

import logging
import zoneinfo
from pathlib import Path

import pytest
import structlog

from bot.app import logs
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.host import FREE_BYTES_MIN, require_room, require_time_zones, wrong_transition
from bot.app.logs import start_logging
from tests.bot.app.test_full_disk import own_logging  # noqa: F401 a fixture
from tests.bot.app.test_run import Bot


@pytest.fixture
def time_zones(tmp_path):
    """Let a test put files in the place of the machine's time zones."""
    folder = tmp_path / "zones"
    before = zoneinfo.TZPATH

    def put(name: str, source: str) -> None:
        found = next(Path(place, source) for place in before if Path(place, source).exists())
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(found.read_bytes())
        zoneinfo.reset_tzpath([folder, *before])
        zoneinfo.ZoneInfo.clear_cache()

    if not any(Path(place, "Etc/GMT+5").exists() for place in before):
        pytest.skip("no time zones of the machine's own")
    yield put
    zoneinfo.reset_tzpath(before)
    zoneinfo.ZoneInfo.clear_cache()


def test_fault_c17_the_time_zones_of_this_machine_are_right():
    """Fault C17."""
    assert wrong_transition() is None
    require_time_zones()


@pytest.mark.parametrize(
    ("name", "source"),
    [("America/New_York", "Etc/GMT+5"), ("America/Chicago", "Etc/GMT+6")],
)
def test_fault_c17_time_zones_that_know_no_summer_are_refused(tmp_path, time_zones, name, source):
    """Fault C17: as an outdated or broken tzdata would have them."""
    bot = Bot(tmp_path / "bot")
    time_zones(name, source)
    assert name in wrong_transition()
    with pytest.raises(CommandFailed, match="an hour off") as refusal:
        bot.run(once=True)
    assert refusal.value.code is ExitCode.UNSAFE
    assert not bot.state_dir.exists()


def test_fault_c18_a_run_does_not_begin_on_a_disk_that_is_about_to_be_full(tmp_path, monkeypatch):
    """Fault C18."""
    require_room(tmp_path / "not" / "there")
    monkeypatch.setattr("bot.app.host.FREE_BYTES_MIN", 1 << 60)
    bot = Bot(tmp_path / "bot")
    with pytest.raises(CommandFailed, match="MB are free") as refusal:
        bot.run(once=True)
    assert refusal.value.code is ExitCode.UNSAFE
    assert not bot.state_dir.exists()


@pytest.mark.usefixtures("own_logging")
def test_fault_c18_logs_never_grow_beyond_their_bounds(tmp_path, monkeypatch):
    """Fault C18: whatever is said, and however often."""
    monkeypatch.setattr(logs, "_FILE_BYTES_MAX", 10_000)
    start_logging(tmp_path / "bot.log", "info")
    for number in range(2_000):
        structlog.get_logger("test").info("the same again", number=number)
    for handler in logging.getLogger().handlers:
        handler.flush()
    files = list(tmp_path.glob("bot.log*"))
    assert len(files) == 1 + logs._FILES_KEPT
    assert all(file.stat().st_size <= 10_000 for file in files)
    assert 10_000 * len(files) < FREE_BYTES_MIN
