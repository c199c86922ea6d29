"""Every failure to one screen of text and an exit code; the one place that decides which.

Imported only once something has failed, so that ``alvh --help`` stays quick.
"""

import errno
import hashlib
import traceback
from pathlib import Path

from bot.app.config.problems import ConfigInvalid, ConfigUnsafe
from bot.app.exit_codes import CommandFailed, ExitCode
from bot.approvals.overrides import OverrideRefused
from bot.approvals.signatures import KeyInvalid
from bot.calendars.listing import UnknownSymbol
from bot.calendars.special_days import CalendarFileInvalid
from bot.errors import BotError, BrokerUnavailable, HaltTrading, WrongAccount
from bot.exchange.journal import JournalDamaged, JournalMismatch
from bot.exchange.tape import TapeUnusable
from bot.gateway.server import AddressRefused
from bot.history.files import HistoryFileInvalid
from state.errors import (
    AmbiguousId,
    BackupFailed,
    BindingMismatch,
    ForeignWriter,
    InstanceRunning,
    LedgerBehindAnchor,
    LedgerCorrupt,
    LedgerForked,
    LedgerReplaced,
    NetworkStorage,
    NoLedger,
    NotALedger,
    NothingStored,
    OverrideReplayed,
    QueryRefused,
    SchemaTooNew,
    StateError,
    UnknownRecord,
)
from strategies.model.errors import DomainError

# The first row that fits decides
_CODES: tuple[tuple[tuple[type[Exception], ...], ExitCode], ...] = (
    ((ConfigUnsafe, BindingMismatch, InstanceRunning, WrongAccount), ExitCode.UNSAFE),
    ((AddressRefused,), ExitCode.UNSAFE),
    ((NotALedger, LedgerCorrupt, SchemaTooNew, BackupFailed, NetworkStorage), ExitCode.UNSAFE),
    ((LedgerForked, LedgerReplaced, ForeignWriter, LedgerBehindAnchor), ExitCode.UNSAFE),
    ((OverrideRefused, OverrideReplayed), ExitCode.UNSAFE),
    ((JournalMismatch, JournalDamaged, TapeUnusable), ExitCode.UNSAFE),
    ((ConfigInvalid, HistoryFileInvalid, CalendarFileInvalid, UnknownSymbol), ExitCode.USAGE),
    ((KeyInvalid,), ExitCode.USAGE),
    ((NoLedger, NothingStored, UnknownRecord, AmbiguousId, QueryRefused), ExitCode.USAGE),
    ((BrokerUnavailable,), ExitCode.UNREACHABLE),
    ((BotError, StateError, DomainError), ExitCode.FAILED),
)
_DISK_REFUSES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_DIGEST_LENGTH = 12


def explain(error: Exception, *, state_dir: Path) -> tuple[ExitCode, str]:
    """Return the exit code and the text for ``error``.

    What nobody foresaw goes to a file of its own under ``state_dir``, with one line about it here.
    """
    if isinstance(error, CommandFailed):
        return error.code, str(error)
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            is_halt = isinstance(error, HaltTrading) and code is ExitCode.FAILED
            prefix = "halted: " if is_halt else ""
            return code, f"{prefix}{error}"
    if isinstance(error, OSError) and error.errno in _DISK_REFUSES:
        place = f"{error.filename}: " if error.filename else ""
        return (
            ExitCode.FAILED,
            f"{place}the disk refuses: {error.strerror}; mend it and start again",
        )
    if isinstance(error, OSError) and str(error.filename or "").startswith(str(state_dir)):
        place = f"{error.filename}: {error.strerror}"
        return ExitCode.USAGE, f"no place for the bot's files: {place}; choose one with --state-dir"
    return ExitCode.FAILED, _unforeseen(error, state_dir)


def _unforeseen(error: Exception, state_dir: Path) -> str:
    text = "".join(traceback.format_exception(error))
    line = f"unexpected {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    # Named by its contents: the same failure twice is one file
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
    path = state_dir / "logs" / f"traceback-{digest}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as cause:
        return f"{line}\n(no traceback could be written to {path}: {cause.strerror})\n{text}"
    return f"{line}\nthe traceback is in {path}; please report it"
