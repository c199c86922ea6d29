"""Logging: JSON lines in a rotating file, errors on stderr, libraries' own logs included."""

import logging
import logging.handlers
import sys
from pathlib import Path

import structlog

_FILE_BYTES_MAX = 20_000_000
_FILES_KEPT = 5


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log file that says once, in a line, that it cannot be written, and lets the bot go on."""

    _has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 logging's own
        """Say what the disk said; logging itself would print a traceback a record."""
        if not self._has_failed:
            self._has_failed = True
            sys.stderr.write(
                f"{self.baseFilename}: the log goes on without it: {sys.exc_info()[1]}\n"
            )


def start_logging(log_file: Path, level: str) -> None:
    """Send structlog and stdlib records of ``level`` and above to ``log_file`` as JSON lines.

    Errors also go to stderr, one line each; their tracebacks are in the file only. Starting again
    replaces the handlers.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    to_file = _LogFile(
        log_file, maxBytes=_FILE_BYTES_MAX, backupCount=_FILES_KEPT, encoding="utf-8"
    )
    to_file.setFormatter(
        _formatter(
            shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()
        )
    )
    to_screen = logging.StreamHandler()
    to_screen.setLevel(logging.ERROR)
    to_screen.setFormatter(
        _formatter(shared, _without_traceback, structlog.dev.ConsoleRenderer(colors=False))
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(to_file)
    root.addHandler(to_screen)
    root.setLevel(level.upper())
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


def silence_logging() -> None:
    """Keep structlog from writing to stdout, where a command's own answer goes."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _formatter(
    shared: list[structlog.typing.Processor], *own: structlog.typing.Processor
) -> structlog.stdlib.ProcessorFormatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *own],
    )


def _without_traceback(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Keep of an exception only what it says of itself."""
    info = event.pop("exc_info", None)
    failure = info[1] if isinstance(info, tuple) else sys.exc_info()[1] if info else None
    if failure is not None:
        event["cause"] = str(failure)
    return event


class LogAlerts:
    """Alerts that go to the log, and so to stderr."""

    def raise_alert(self, severity: str, text: str) -> None:
        """Log ``text`` as an error."""
        structlog.get_logger("alerts").error(text, severity=severity)
