"""The two streams: data on stdout, everything else on stderr. Neither is wider than 100 columns."""

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

WIDTH_MAX = 100


class _PipedConsole(Console):
    """A console whose reader may leave: who reads no more still wants to know how it ended.

    rich itself would end the process with 1, whatever had been done.
    """

    def on_broken_pipe(self) -> None:
        """Write nothing any more, and go on."""
        self.quiet = True
        (forget_stderr if self.stderr else forget_stdout)()


def data_console() -> Console:
    """Return the console for results (stdout); plain text where it is no terminal."""
    return _console(stderr=False)


def notes_console() -> Console:
    """Return the console for progress, hints and errors (stderr)."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = _PipedConsole(stderr=stderr, highlight=False, soft_wrap=False)
    # A pipe has no width of its own; 100 columns is what every table is made for
    console.width = min(console.width, WIDTH_MAX) if console.is_terminal else WIDTH_MAX
    return console


def print_json(text: str) -> None:
    """Write one JSON document, and nothing else, to stdout."""
    sys.stdout.write(text)
    sys.stdout.write("\n")


def forget_stdout() -> None:
    """Let nothing more be written to a stdout that nobody reads, not even at the very end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def forget_stderr() -> None:
    """Let nothing more be written to a stderr that nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def program() -> str:
    """Return what to type for this program: ``alvh``, or its path where that is not on PATH.

    `make run` leaves it in `.venv/bin`, where a shell does not look.
    """
    called = Path(sys.argv[0])
    found = shutil.which("alvh")
    if called.name != "alvh" or (found is not None and Path(found).resolve() == called.resolve()):
        return "alvh"
    path = called.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def note(text: str) -> None:
    """Write one line to stderr, as it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
