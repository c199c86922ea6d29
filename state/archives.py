"""Archives: one compressed file of a ledger and its journals that are finished with."""

import gzip
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from state.backups import Manifest, take_backup, verify_backup
from state.errors import BackupFailed, StorageFailed
from state.files import reach_disk

SUFFIX = ".tar.gz"
_LEVEL = 6  # of gzip; markets in the ledger are packed already


def write_archive(
    database: Path, target: Path, companions: Mapping[str, Path], now: datetime
) -> Manifest:
    """Write a backup of a ledger as one compressed file, and read that file back.

    Raises: as ``take_backup`` does; then there is no file.
    """
    if target.exists():
        raise BackupFailed(target, "is there already; an archive never overwrites anything")
    partial = target.with_name(target.name + ".partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".archive-") as scratch:
            folder = Path(scratch) / "backup"
            manifest = take_backup(database, folder, companions, now)
            with tarfile.open(partial, "w:gz", compresslevel=_LEVEL) as archive:
                archive.add(folder, arcname="", filter=_of_nobody)
            shutil.rmtree(folder)
        with unpacked(partial) as folder:
            if verify_backup(folder) != manifest:
                raise BackupFailed(target, "what was read back is not what was written")
        reach_disk(partial)
        partial.rename(target)
        reach_disk(target.parent)
    except OSError as cause:
        raise StorageFailed(target, cause.strerror or str(cause)) from cause
    finally:
        partial.unlink(missing_ok=True)
    return manifest


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Unpack an archive into a folder that is there inside the block; it is not verified.

    Raises: BackupFailed if it is none.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".archive-") as scratch:
        try:
            with tarfile.open(archive, "r:gz") as opened:
                opened.extractall(scratch, filter="data")
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as cause:
            raise BackupFailed(archive, f"not an archive of this program ({cause})") from cause
        yield Path(scratch)


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out whose files these were."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
