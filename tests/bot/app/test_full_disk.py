"""A disk that has no room: one line each, no traceback, and the run says what halted it."""

import contextlib
import errno
import logging
import os
from pathlib import Path

import pytest
import structlog

from bot.app.exit_codes import ExitCode
from bot.app.failures import explain
from bot.app.logs import start_logging
from tests.bot.app.test_run import Bot
from tests.builders import instant


@pytest.fixture
def own_logging():
    """Put the handlers back that a test replaces."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if handler not in before:
            with contextlib.suppress(OSError):
                handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_file_on_a_full_disk_is_one_line_and_no_traceback(tmp_path, capsys, own_logging):
    file = tmp_path / "bot.log"
    file.symlink_to("/dev/full")
    start_logging(file, "info")
    for number in range(3):
        structlog.get_logger("test").info("a line", number=number)
    stderr = capsys.readouterr().err
    assert stderr.count("the log goes on without it") == 1
    assert "Traceback" not in stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_what_the_disk_refuses_is_one_line(tmp_path, number):
    error = OSError(number, os.strerror(number), "var/simulated.exchange.jsonl")
    code, text = explain(error, state_dir=tmp_path / "var")
    assert code is ExitCode.FAILED
    assert text.startswith("var/simulated.exchange.jsonl: the disk refuses: ")
    assert "\n" not in text
    assert not (tmp_path / "var").exists()


def test_pictures_that_cannot_be_written_do_not_undo_a_run(tmp_path):
    bot = Bot(tmp_path / "bot", last="2020-02-24")
    bot.state_dir.mkdir()
    (bot.state_dir / "reports").write_text("in the way")
    summary = bot.run(until=instant("2020-02-24 09:45"))
    assert summary.halted is None
    assert summary.decisions == 1
    assert summary.pictures == ()
