"""Backups: a folder with the ledger, the journals beside it, and a manifest of what they are.

A backup is made while the bot runs or not, appears complete or not at all, and is believed only
after it was read back. Restoring one moves what is there aside and deletes nothing.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from state import chain
from state.amounts import instant_text
from state.anchors import anchor_path
from state.errors import BackupFailed, BindingMismatch, NoLedger, StorageFailed
from state.files import APPLICATION_ID, check_file, check_revision, ours, reach_disk

DATABASE = "ledger.sqlite"
MANIFEST = "manifest.json"
_FORMAT = 1
_PAGES_A_STEP = 256  # 1 MB, after which the writer may have its turn
_BUSY_TIMEOUT_S = 5.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUpFile:
    """One file of a backup."""

    name: str  # relative to its folder
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is of, how far it goes, and what its files are."""

    mode: str
    account: str
    schema: str
    last_sequence: int | None  # of the chain of events
    last_hash: str | None
    made_at: str
    files: tuple[BackedUpFile, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest's file holds."""
        return {"format": _FORMAT, **asdict(self), "files": [asdict(file) for file in self.files]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a ledger's file says of itself."""

    mode: str
    account: str
    schema: str
    last_sequence: int | None
    last_hash: str | None


def take_backup(
    database: Path, target: Path, companions: Mapping[str, Path], now: datetime
) -> Manifest:
    """Copy a ledger and the journals beside it into a new folder, and read the copy back.

    The ledger is copied as it was at one instant, in steps that do not hold its writer up. The
    journals are copied after it: they may know more than the ledger, which is what a start-up
    reconciles, but never less.

    Args:
        database: The ledger, in use or not.
        target: The folder to make.
        companions: Journals and folders of journals, by their names in the backup.
        now: For the manifest.

    Raises: NoLedger, BackupFailed, NotALedger, LedgerCorrupt, LedgerBusy, SchemaTooNew,
        StorageFailed; then there is no folder.
    """
    if not database.exists():
        raise NoLedger(database)
    check_file(database)
    if target.exists():
        raise BackupFailed(target, "is there already; a backup never overwrites anything")
    partial = target.with_name(target.name + ".partial")
    with _disk_errors(target):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _copy_database(database, partial / DATABASE)
            contents = contents_of(partial / DATABASE)
            for name, source in companions.items():
                _copy_journals(source, partial / name)
            manifest = Manifest(
                **asdict(contents), made_at=instant_text(now), files=tuple(_files_of(partial))
            )
            (partial / MANIFEST).write_text(json.dumps(manifest.as_json(), indent=1) + "\n")
            _reach_disk_all(partial)
            verify_backup(partial)
            partial.rename(target)
            reach_disk(target.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return manifest


def verify_backup(folder: Path) -> Manifest:
    """Read a whole backup back: every file as its manifest says, the ledger whole and so long.

    Raises: BackupFailed, NotALedger, LedgerCorrupt, SchemaTooNew, StorageFailed.
    """
    with _disk_errors(folder):
        manifest = read_manifest(folder)
        found = {file.name: file for file in _files_of(folder)}
        for wanted in manifest.files:
            if found.pop(wanted.name, None) != wanted:
                raise BackupFailed(folder, f"{wanted.name} is not the file that was backed up")
        if found:
            raise BackupFailed(folder, f"{min(found)} is not in the manifest")
        if DATABASE not in {file.name for file in manifest.files}:
            raise BackupFailed(folder, f"there is no {DATABASE} in it")
        contents = contents_of(folder / DATABASE)
    for name, value in asdict(contents).items():
        if getattr(manifest, name) != value:
            raise BackupFailed(
                folder, f"its manifest says {name} {getattr(manifest, name)}, its ledger {value}"
            )
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup says of itself; raises BackupFailed if it is none."""
    try:
        stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if stored.pop("format") != _FORMAT:
            raise BackupFailed(folder, "made by another version of the program")
        files = tuple(BackedUpFile(**file) for file in stored.pop("files"))
        return Manifest(**stored, files=files)
    except FileNotFoundError as cause:
        raise BackupFailed(folder, f"no backup: there is no {MANIFEST} in it") from cause
    except NotADirectoryError as cause:
        raise BackupFailed(folder, "no backup: not a folder") from cause
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise BackupFailed(folder, f"its {MANIFEST} cannot be read ({cause})") from cause


def contents_of(file: Path) -> Contents:
    """Check a ledger that nobody has open, and return what it says of itself.

    Raises: NotALedger, LedgerCorrupt, SchemaTooNew, BackupFailed.
    """
    check_file(file)
    with _sqlite_errors(file), closing(_connect(file, "mode=ro&immutable=1")) as connection:
        if _scalar(connection, "PRAGMA application_id") != APPLICATION_ID:
            raise BackupFailed(file, "not an alvh ledger")
        schema = _scalar(connection, "SELECT version_num FROM alembic_version")
        check_revision(file, schema)
        verdict = str(_scalar(connection, "PRAGMA quick_check(1)"))
        if verdict != "ok":
            raise BackupFailed(file, f"damaged: {verdict.splitlines()[-1]}")
        mode, account = connection.execute("SELECT mode, account FROM binding").fetchone()
        sequence, digest = _chain_end(file, connection)
    return Contents(
        mode=mode, account=account, schema=schema, last_sequence=sequence, last_hash=digest
    )


def restore_backup(
    folder: Path,
    database: Path,
    companions: Mapping[str, Path],
    *,
    binding: tuple[str, str],
    aside: Path,
) -> Manifest:
    """Put a backup in the place of a ledger and its journals; what is there goes aside.

    Nothing is touched before the backup has proved whole and the account's own. The caller has the
    lease of the ledger. The ledger's name is never without a file: it is what decides.

    Args:
        folder: The backup.
        database: Where the ledger belongs.
        companions: Where its journals belong, by their names in the backup.
        binding: Mode and account whose files these are.
        aside: The folder to make for what is there.

    Raises: BackupFailed, BindingMismatch, NotALedger, LedgerCorrupt, SchemaTooNew, StorageFailed.
    """
    manifest = verify_backup(folder)
    if (manifest.mode, manifest.account) != binding:
        bound = (manifest.mode, manifest.account)
        raise BindingMismatch(folder, bound=bound, wanted=binding)
    with _disk_errors(database):
        if aside.exists():
            raise BackupFailed(aside, "is there already; nothing was changed")
        database.parent.mkdir(parents=True, exist_ok=True)
        places = {DATABASE: database, **companions}
        staged = {name: _staged(folder / name, place) for name, place in places.items()}
        aside.mkdir(parents=True)
        _fold_log(database)
        for ending in ("-wal", "-shm", "-journal"):
            _move(database.with_name(database.name + ending), aside)
        for name in reversed(staged):  # the ledger last
            place, new = places[name], staged[name]
            if name == DATABASE and place.exists():
                shutil.copy2(place, aside / place.name)
                reach_disk(aside / place.name)
            else:
                _move(place, aside)
            if new is not None:
                new.replace(place)
        # Last: until then its anchor keeps anybody from trading on half of a restoration
        _move(anchor_path(database), aside)
        for place in {place.parent for place in places.values() if place.parent.exists()}:
            reach_disk(place)
    return manifest


def rotate(folder: Path, *, mode: str, account: str, keep: int) -> tuple[Path, ...]:
    """Remove the oldest backups of a mode and account until ``keep`` are left; return them."""
    assert keep >= 1, "the backup that was just made stays"
    found: list[tuple[str, Path]] = []
    for candidate in folder.iterdir():
        if not (candidate / MANIFEST).is_file():
            continue
        manifest = read_manifest(candidate)
        if (manifest.mode, manifest.account) == (mode, account):
            found.append((manifest.made_at, candidate))
    old = [candidate for _, candidate in sorted(found)[:-keep]]
    for candidate in old:
        shutil.rmtree(candidate)
    return tuple(old)


def _copy_database(source: Path, target: Path) -> None:
    with (
        _sqlite_errors(source),
        closing(_connect(source, "mode=ro")) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        # One instant: else every commit in between would begin the copy anew
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        reading.backup(writing, pages=_PAGES_A_STEP)
        reading.execute("COMMIT")
        writing.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, no log beside it


def _copy_journals(source: Path, target: Path) -> None:
    """Copy a journal, or every journal in a folder, without a line that is half written."""
    if source.is_dir():
        for file in sorted(source.rglob("*")):
            if file.is_file():
                _copy_journals(file, target / file.relative_to(source))
        return
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if target.suffix == ".jsonl":
        _cut_torn_line(target)


def _cut_torn_line(file: Path) -> None:
    with file.open("r+b") as opened:
        end = opened.seek(0, os.SEEK_END)
        while end:
            begin = max(0, end - _CHUNK_BYTES)
            opened.seek(begin)
            newline = opened.read(end - begin).rfind(b"\n")
            if newline >= 0:
                opened.truncate(begin + newline + 1)
                return
            end = begin
        opened.truncate(0)


def _staged(source: Path, place: Path) -> Path | None:
    """Copy what is to be restored beside its place, and wait for the disk."""
    if not source.exists():
        return None
    new = place.with_name(place.name + ".restoring")
    new.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(source, new)
    else:
        shutil.copyfile(source, new)
    _reach_disk_all(new)
    return new


def _fold_log(database: Path) -> None:
    """Bring the write-ahead log into a ledger that is about to go aside, if it still can be."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.Error:  # damaged, which may be why it is replaced: its files go aside as is
        return


def _move(place: Path, aside: Path) -> None:
    if place.exists():
        place.rename(aside / place.name)


def _files_of(folder: Path) -> Iterator[BackedUpFile]:
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name != MANIFEST:
            yield BackedUpFile(name=name, size=file.stat().st_size, sha256=sha256_of(file))


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _reach_disk_all(place: Path) -> None:
    for file in (place, *place.rglob("*")):
        reach_disk(file)


def _connect(file: Path, parameters: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(file.absolute()))}?{parameters}",
        uri=True,
        timeout=_BUSY_TIMEOUT_S,
        isolation_level=None,
    )


def _scalar(connection: sqlite3.Connection, query: str, parameters: Sequence[object] = ()) -> Any:  # noqa: ANN401 whatever SQLite stores
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def _chain_end(file: Path, connection: sqlite3.Connection) -> tuple[int | None, str | None]:
    """Check the whole chain and return its end; nothing in a ledger that has no chain yet."""
    known = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'events'"
    if not _scalar(connection, known):
        return None, None
    bad = chain.first_bad_link(chain.events_from(connection, 0))
    if bad is not None:
        raise BackupFailed(file, f"damaged: {bad.event} {bad.what}")
    end = chain.last(connection)
    return end.seq, end.hash.hex()


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        found = ours(path, error)
        raise found or BackupFailed(path, str(error)) from error


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise StorageFailed(path, cause.strerror or str(cause)) from cause
