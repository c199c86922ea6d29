"""The lock file that keeps a second process away from a ledger."""

import fcntl
import os
from datetime import datetime
from pathlib import Path

from state.amounts import instant_text
from state.errors import InstanceRunning, StorageFailed

_CONTENTS_BYTES_MAX = 200


class Lease:
    """An exclusive lock on a file beside the database, held until released or the process ends.

    The lock is the operating system's, so a killed process leaves none behind; the file stays and
    tells whom to ask.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, database: Path, now: datetime) -> "Lease":
        """Take the lease of ``database``, creating its folder if need be.

        Raises: InstanceRunning, StorageFailed.
        """
        path = database.with_name(database.name + ".lock")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as cause:
            raise StorageFailed(path, cause.strerror or str(cause)) from cause
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()} {instant_text(now)}\n".encode())
        except BlockingIOError as cause:
            holder = os.read(descriptor, _CONTENTS_BYTES_MAX)
            os.close(descriptor)
            pid, since = _parse(holder)
            raise InstanceRunning(database, pid=pid, since=since) from cause
        except OSError as cause:
            os.close(descriptor)
            raise StorageFailed(path, cause.strerror or str(cause)) from cause
        return cls(descriptor)

    def release(self) -> None:
        """Give the lease back; doing so again changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _parse(contents: bytes) -> tuple[int | None, str | None]:
    words = contents.decode(errors="replace").split()
    if not words or not words[0].isdigit():  # read between lock and write
        return None, None
    return int(words[0]), words[1] if len(words) > 1 else None
