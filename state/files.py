"""Ledger files before and while SQLite has them: what they are, and what goes wrong with them."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from state.errors import (
    DiskBroken,
    LedgerBusy,
    LedgerCorrupt,
    LedgerForked,
    LedgerReplaced,
    NetworkStorage,
    NotALedger,
    SchemaTooNew,
    StateError,
    StorageFailed,
)
from state.migrations import HEAD, REVISIONS

APPLICATION_ID = 0x414C5648  # "ALVH": marks the file as ours
_FILE_MAGIC = b"SQLite format 3\0"
# What SQLite says, under its general error code, of a header whose numbers make no sense
_DAMAGED_HEADER = frozenset({"unsupported file format", "unsupported encoding"})
_WAL_RESET_MENDED = (3, 51, 3)
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset(
    {"afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "smb2", "smb3", "smbfs"}
)
_MOUNT_POINT = 4  # field of a line of mountinfo


def check_file(path: Path) -> None:
    """Raise NotALedger unless the file is absent, empty, or begins like a SQLite database."""
    try:
        if not path.exists():
            return
        if not path.is_file():
            raise NotALedger(path, "not a file")
        with path.open("rb") as file:
            start = file.read(len(_FILE_MAGIC))
    except OSError as cause:
        raise StorageFailed(path, cause.strerror or str(cause)) from cause
    if start and start != _FILE_MAGIC:
        raise NotALedger(path, "not a SQLite database")


def check_revision(path: Path, revision: str | None) -> None:
    """Raise SchemaTooNew if a newer version of the program wrote the file."""
    if revision is not None and revision not in REVISIONS:
        raise SchemaTooNew(path, revision=revision, newest_known=HEAD)


def ours(path: Path, cause: BaseException | None) -> StateError | None:
    """Return our error for one of SQLite's about the file; None if it is about a statement."""
    if not isinstance(cause, sqlite3.Error):
        return None
    name: str = getattr(cause, "sqlite_errorname", "")
    match name.removeprefix("SQLITE_").split("_")[0]:
        case "BUSY" | "LOCKED":
            return LedgerBusy(path)
        case "CORRUPT":
            return LedgerCorrupt(path, str(cause))
        case "NOTADB":
            return NotALedger(path, "not a SQLite database")
        case "IOERR":
            return DiskBroken(path, str(cause))
        case "FULL" | "READONLY" | "CANTOPEN" | "PERM":
            return StorageFailed(path, str(cause))
        case "ERROR" if str(cause) in _DAMAGED_HEADER:
            return LedgerCorrupt(path, str(cause))
        case _:
            return None


def sqlite_version() -> str:
    """Return the version of the SQLite that Python brings."""
    return sqlite3.sqlite_version


def has_wal_reset_bug() -> bool:
    """Return whether two connections that write or checkpoint at once may damage a file."""
    return sqlite3.sqlite_version_info < _WAL_RESET_MENDED


def check_file_system(path: Path) -> None:
    """Raise NetworkStorage if the file lies, or would lie, on a network file system."""
    kind = file_system_of(path)
    if kind in _NETWORK:
        raise NetworkStorage(path, file_system=kind)


def file_system_of(path: Path) -> str | None:
    """Return the type of the file system a file lies on; None where the system does not tell."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    place = path.resolve()
    found, depth = None, -1
    for line in lines:
        mount, _, file_system = line.partition(" - ")
        # A space in a name is written as its octal number
        point = Path(mount.split(" ")[_MOUNT_POINT].replace("\\040", " "))
        if place.is_relative_to(point) and len(point.parts) >= depth:  # the last mount counts
            found, depth = file_system.split(" ")[0], len(point.parts)
    return found


def reach_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """Which files stood behind a name when it was opened, and which process opened it."""

    path: Path
    process_id: int
    # Of the database and its write-ahead log; names as text, which takes a third of the time
    inodes: tuple[tuple[str, tuple[int, int]], ...]

    @classmethod
    def now(cls, path: Path) -> "OpenFile":
        """Take down what stands behind a name that this process has just opened."""
        names = (str(path), f"{path}-wal")
        return cls(path, os.getpid(), tuple((name, _inode(name)) for name in names))

    def require_same(self) -> None:
        """Check that nothing was put in the place of what is open.

        Raises: LedgerForked, LedgerReplaced.
        """
        process_id = os.getpid()
        if process_id != self.process_id:
            raise LedgerForked(self.path, opened_by=self.process_id, used_by=process_id)
        for name, inode in self.inodes:
            try:
                found = _inode(name)
            except FileNotFoundError as cause:
                raise LedgerReplaced(Path(name), "was deleted") from cause
            except OSError as cause:
                raise StorageFailed(Path(name), cause.strerror or str(cause)) from cause
            if found != inode:
                raise LedgerReplaced(Path(name), "was replaced by another file")


def _inode(name: str) -> tuple[int, int]:
    status = os.stat(name)
    return status.st_dev, status.st_ino
