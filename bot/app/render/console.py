"""The two streams: data on stdout, everything else on stderr. Neither is wider than 100 columns."""

import sys

from rich.console import Console

WIDTH_MAX = 100


def data_console() -> Console:
    """Return the console for results (stdout); plain text where it is no terminal."""
    return _console(stderr=False)


def notes_console() -> Console:
    """Return the console for progress, hints and errors (stderr)."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=False)
    # A pipe has no width of its own; 100 columns is what every table is made for
    console.width = min(console.width, WIDTH_MAX) if console.is_terminal else WIDTH_MAX
    return console


def print_json(text: str) -> None:
    """Write one JSON document, and nothing else, to stdout."""
    sys.stdout.write(text)
    sys.stdout.write("\n")


def note(text: str) -> None:
    """Write one line to stderr, as it is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
