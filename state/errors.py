"""What can go wrong with the stored state. Each text is one line that a person can act on.

StateError
├── InstanceRunning      another process has the ledger
├── LeaseLost            another process took the ledger over while this one had it
├── LedgerBusy           somebody else holds the database lock
├── BindingMismatch      the file belongs to another mode or account
├── NotALedger           the file is something else
├── LedgerCorrupt        the file is damaged
├── NoLedger             there is no file
├── SchemaTooNew         the file was written by a newer version
├── SchemaTooOld         the file was written by an older version, and only a writer can migrate it
├── MigrationFailed      a copy of the file could not be brought up to date; the file is as it was
├── StorageFailed        the disk or the operating system refused
│   ├── DiskBroken       the disk failed to read, write or sync: what it holds is not known any more
│   └── NetworkStorage   the file lies where write-ahead logs do not work
├── LedgerReplaced       the file was deleted or replaced while it was open
├── LedgerForked         a child process uses its parent's connection
├── ForeignWriter        another program wrote into the open file
├── BackupFailed         a backup was not made, or is not what its manifest says
├── RecordConflict       the same identity arrived with different contents
│   ├── FillConflict, CashConflict, DecisionConflict, OrderConflict
├── LedgerBehindAnchor   the file lacks what its tail anchor remembers
├── AdoptionConflict     an execution of somebody else's that cannot become part of a structure
├── OverrideReplayed     a signed override whose serial number was used before
├── UnknownRecord        an id that nothing is stored under
├── AmbiguousId          a shortened id that fits several records
├── UnreadableDecision   a decision whose stored inputs have another version's shape
├── NothingStored        no decision at or before an instant
├── InexactAmount        an amount that whole micros cannot hold
└── QueryRefused         a query that does more than read
"""

from datetime import datetime
from pathlib import Path


class StateError(Exception):
    """Base of every error of the stored state."""


class InstanceRunning(StateError):
    """Another process has this ledger."""

    def __init__(self, path: Path, *, pid: int | None, since: str | None) -> None:
        self.path = path
        self.pid = pid
        self.since = since
        who = "another instance" if pid is None else f"another instance (process {pid})"
        when = "" if since is None else f" since {since}"
        super().__init__(f"{path}: {who} has this ledger{when}; stop it first")


class LeaseLost(StateError):
    """Another process took the ledger over; nothing of the last transaction was stored."""

    def __init__(self, path: Path, *, own_epoch: int, current_epoch: int) -> None:
        self.path = path
        self.own_epoch = own_epoch
        self.current_epoch = current_epoch
        super().__init__(
            f"{path}: lease {own_epoch} was taken over by lease {current_epoch}; nothing was stored"
        )


class LedgerBusy(StateError):
    """Somebody else holds the database lock for longer than we wait."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: the database is locked by another program; close it and retry")


class BindingMismatch(StateError):
    """The ledger was made for another mode or account."""

    def __init__(self, path: Path, *, bound: tuple[str, str], wanted: tuple[str, str]) -> None:
        self.path = path
        self.bound_mode, self.bound_account = bound
        self.wanted_mode, self.wanted_account = wanted
        super().__init__(
            f"{path}: belongs to mode {bound[0]}, account {bound[1]}; "
            f"refused for mode {wanted[0]}, account {wanted[1]}"
        )


class NotALedger(StateError):
    """The file exists and is not a ledger of this program."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        self.found = found
        super().__init__(f"{path}: not an alvh ledger ({found}); nothing was changed")


class NoLedger(StateError):
    """There is no file to read from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: no ledger there yet; `alvh run` makes one")


class LedgerCorrupt(StateError):
    """The file is damaged: SQLite's own check failed, or a stored value cannot be read back."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        self.found = found
        super().__init__(f"{path}: the database is damaged ({found}); restore a backup")


class SchemaTooNew(StateError):
    """A newer version of the program wrote this file."""

    def __init__(self, path: Path, *, revision: str, newest_known: str) -> None:
        self.path = path
        self.revision = revision
        self.newest_known = newest_known
        super().__init__(
            f"{path}: schema {revision} is newer than this program's {newest_known}; update alvh"
        )


class SchemaTooOld(StateError):
    """An older version of the program wrote this file, and a reader cannot bring it up to date."""

    def __init__(self, path: Path, *, revision: str | None, newest_known: str) -> None:
        self.path = path
        self.revision = revision
        self.newest_known = newest_known
        super().__init__(
            f"{path}: schema {revision} is older than this program's {newest_known}; "
            "the next `alvh run` brings it up to date"
        )


class StorageFailed(StateError):
    """The disk or the operating system refused: full, read-only, gone."""

    def __init__(self, path: Path, cause: str) -> None:
        self.path = path
        self.cause = cause
        super().__init__(f"{path}: storage failed: {cause}")


class DiskBroken(StorageFailed):
    """A read, write or sync failed in the disk.

    After a failed sync nobody can tell what the disk holds, and a second sync may succeed without
    having written anything. So the process ends, and the next one reads what is really there.
    """


class NetworkStorage(StorageFailed):
    """Write-ahead logs need memory that all processes share, which a network cannot give."""

    def __init__(self, path: Path, *, file_system: str) -> None:
        self.file_system = file_system
        super().__init__(
            path,
            f"a database must not lie on a network file system ({file_system}); "
            "use a local disk (--state-dir)",
        )


class MigrationFailed(StateError):
    """The copy could not be migrated or proved; the file itself was not touched."""

    def __init__(self, path: Path, *, to: str, cause: BaseException) -> None:
        self.path = path
        super().__init__(f"{path}: not brought to schema {to}, it is as it was: {cause}")


class LedgerReplaced(StateError):
    """Another file, or none, has the name of the one that is open."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        super().__init__(
            f"{path}: {found} while it was open; what is written now would be lost, so nothing is"
        )


class LedgerBehindAnchor(StateError):
    """The database lacks what its anchor says it had, or has something else in its place."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"{path}: {why}; something was lost or put back, and nothing is traded on it. "
            f"Restore the newest backup; if this is the newest there is, move {path.name}.anchor "
            "away: the next start reconciles with the broker"
        )


class LedgerForked(StateError):
    """SQLite's locks do not survive a fork; a child has to open the file by itself."""

    def __init__(self, path: Path, *, opened_by: int, used_by: int) -> None:
        self.path = path
        super().__init__(
            f"{path}: opened by process {opened_by}, used by its child {used_by}; "
            "open it after the fork"
        )


class ForeignWriter(StateError):
    """One process writes a ledger. Another one has, without asking for the lease."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path}: another program wrote into it while it was open; nothing more is stored"
        )


class BackupFailed(StateError):
    """A backup that cannot be made, or one that cannot be believed."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        super().__init__(f"{path}: {found}")


class RecordConflict(StateError):
    """The same identity arrived with different contents; the stored record stays."""

    def __init__(self, identity: str, *, stored: object, got: object) -> None:
        self.identity = identity
        self.stored = stored
        self.got = got
        super().__init__(f"{identity}: stored {stored}, got {got}")


class FillConflict(RecordConflict):
    """One execution id and revision with two contents."""


class CashConflict(RecordConflict):
    """One cash movement id with two contents."""


class DecisionConflict(RecordConflict):
    """One plan id, or one condor id, with two contents."""


class OrderConflict(RecordConflict):
    """One client order id with two contents."""


class AdoptionConflict(StateError):
    """An execution that cannot become part of what it was to be given to."""

    def __init__(self, exec_root: str, why: str) -> None:
        self.exec_root = exec_root
        super().__init__(f"fill {exec_root} cannot be adopted: {why}")


class OverrideReplayed(StateError):
    """A serial number that its signer has used before."""

    def __init__(self, override_id: str, *, serial: int, used_by: str) -> None:
        self.override_id = override_id
        self.used_by = used_by
        again = "it was taken before" if used_by == override_id else f"{used_by} has used it"
        super().__init__(f"override {override_id}: serial number {serial} is spent: {again}")


class UnknownRecord(StateError):
    """Nothing is stored under this id."""

    def __init__(self, kind: str, identity: str) -> None:
        self.kind = kind
        self.identity = identity
        super().__init__(f"no {kind} {identity!r} is stored")


class AmbiguousId(StateError):
    """A shortened id that fits several records."""

    def __init__(self, prefix: str, candidates: tuple[str, ...]) -> None:
        self.prefix = prefix
        self.candidates = candidates
        super().__init__(f"{prefix!r} fits several records: {', '.join(candidates)}")


class UnreadableDecision(StateError):
    """Stored inputs that do not have the shape this version of the program knows."""

    def __init__(self, plan_id: str, cause: object) -> None:
        self.plan_id = plan_id
        super().__init__(
            f"decision {plan_id[:16]} cannot be read back ({cause}): another version of the "
            "program stored it, or it is damaged"
        )


class NothingStored(StateError):
    """No decision was stored at or before the instant asked for."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        super().__init__(f"no decision is stored at or before {at.isoformat()}")


class InexactAmount(StateError):
    """An amount with more than six decimals, or one that is not finite."""

    def __init__(self, amount: object) -> None:
        self.amount = amount
        super().__init__(f"{amount} is not a whole number of millionths; round it at its source")


class QueryRefused(StateError):
    """A query that does more than read, or that SQLite does not understand."""
