"""`alvh run`: start the bot, watch it, say what came of it."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bot.app.commands.inputs import parse_time, paths_of, read_config
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.app.render.console import data_console, forget_stdout, notes_console, print_json
from bot.app.render.live import LiveView, QuietView
from bot.app.render.summary import print_summary, summary_json
from bot.app.reports import RunOptions, RunSummary
from bot.app.run import run_bot


def run_command(
    config_path: Path,
    *,
    until: str | None,
    once: bool,
    speed: str,
    flags: Sequence[str],
    state_dir: Path,
    output: str,
) -> ExitCode:
    """Run the bot of a configuration to its end, and print the summary."""
    # The run's own loop takes both signals over; until then nothing has been begun
    signal.signal(signal.SIGTERM, _terminate)
    config = read_config(config_path, flags)
    options = RunOptions(
        until=parse_time(until, "--until", end_of_day=True), once=once, speed=_parse_speed(speed)
    )
    if options.speed is not None and config.mode != "simulated":
        message = f"--speed: {config.mode} runs in real time"
        raise CommandFailed(message, ExitCode.USAGE)
    title = f"alvh run   {config.bot.name}: {config.mode} {config.account}"
    view = LiveView(notes_console(), title=title) if sys.stderr.isatty() else QuietView()
    with view:
        summary = run_bot(config, paths_of(config, state_dir), options, view)
    try:
        if output == "json":
            print_json(json.dumps(summary_json(summary)))
        else:
            print_summary(data_console(), summary, _told(config_path, state_dir))
        sys.stdout.flush()
    except BrokenPipeError:  # who reads no more still wants to know how it ended
        forget_stdout()
    return _exit_code(summary)


def _told(config_path: Path, state_dir: Path) -> list[str]:
    """Return the options without which another command would look elsewhere."""
    told = []
    if config_path != Path(os.environ.get("ALVH_CONFIG", "paper_config.yaml")):
        told += ["--config", str(config_path)]
    if state_dir != Path(os.environ.get("ALVH_STATE_DIR", "var")):
        told += ["--state-dir", str(state_dir)]
    return told


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(ExitCode.SIGTERM)


def _parse_speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        message = f"--speed: expected max or a number above 0, found {text!r}"
        raise CommandFailed(message, ExitCode.USAGE)
    return speed


def _exit_code(summary: RunSummary) -> ExitCode:
    if summary.stopped_by is not None:
        return ExitCode.SIGINT if summary.stopped_by == "SIGINT" else ExitCode.SIGTERM
    return ExitCode.FAILED if summary.halted else ExitCode.OK
