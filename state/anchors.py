"""The tail anchor: the end of the chain once more, in a small file beside the database.

SQLite comes back from a crash with some prefix of what was committed, and a byte that went bad in
its write-ahead log takes every later commit away without a word. From inside the database nobody
can tell. ``<database>.anchor`` remembers number and hash of the last event, so that opening can: a
database behind its anchor has lost something, and is refused. One that is ahead of it is what a
crash between the two writes leaves, and in order.

The anchor is written after every durable commit, and waited for (fsync) only where something
outside depends on the commit: before an order is sent, when the system state changes, at the end of
an interval. Measured on a virtual disk: a durable commit takes 4.0 ms, waiting for the anchor 2.9
ms more. Between two such commits a power cut can leave the anchor some events behind, which is the
harmless side. It is never ahead of what the disk has: a commit that is not durable leaves it alone.

Two slots are written in turn, each with a checksum, so that a torn write costs the newer one only.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from state.chain import Head
from state.errors import LedgerBehindAnchor, StorageFailed
from strategies.model.ids import digest

_SLOT_BYTES = 256
_SLOTS = 2
_WORD = "alvh-anchor-1"
_CHECK_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of the chain as it was when a process wrote it down."""

    head: Head
    epoch: int

    def slot(self) -> bytes:
        """Return the anchor as one line of fixed length."""
        words = f"{_WORD} {self.head.seq} {self.head.hash.hex()} {self.epoch}"
        line = f"{words} {digest(words)[:_CHECK_LENGTH]}"
        return line.ljust(_SLOT_BYTES - 1).encode() + b"\n"


def anchor_path(database: Path) -> Path:
    """Return the name of a database's anchor."""
    return database.with_name(database.name + ".anchor")


def read_anchor(database: Path) -> Anchor | None:
    """Return the anchor of a database; None if it has none.

    Raises: LedgerBehindAnchor if there is one and neither slot can be believed; StorageFailed.
    """
    path = anchor_path(database)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise StorageFailed(path, cause.strerror or str(cause)) from cause
    if not data:  # made, and the process died before it wrote
        return None
    slots = (data[start : start + _SLOT_BYTES] for start in range(0, len(data), _SLOT_BYTES))
    anchors = [anchor for anchor in map(_parse, slots) if anchor is not None]
    if not anchors:
        raise LedgerBehindAnchor(database, f"{path.name} cannot be read")
    return max(anchors, key=lambda anchor: anchor.head.seq)


def _parse(slot: bytes) -> Anchor | None:
    words = slot.decode("ascii", errors="replace").split()
    match words:
        case [word, seq, own_hash, epoch, check] if word == _WORD:
            if digest(" ".join(words[:-1]))[:_CHECK_LENGTH] == check:
                return Anchor(Head(int(seq), bytes.fromhex(own_hash)), int(epoch))
    return None


def lost(anchor: Anchor, end: Head, at_anchor: bytes | None) -> str | None:
    """Return in which way a chain does not reach its anchor; None if it does.

    Args:
        anchor: What was written down.
        end: The end of the chain.
        at_anchor: The hash of the event with the anchor's number, None if there is none.
    """
    if end.seq < anchor.head.seq:
        return f"it ends with event {end.seq}, and had {anchor.head.seq}"
    if at_anchor != anchor.head.hash:
        return f"event {anchor.head.seq} is not the one it was"
    return None


class AnchorFile:
    """The anchor of an open ledger, for the process that writes it."""

    def __init__(self, path: Path, descriptor: int, slot: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._slot = slot

    @classmethod
    def open(cls, database: Path) -> "AnchorFile":
        """Open the anchor of a database, making it if need be; raises StorageFailed."""
        path = anchor_path(database)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as cause:
            raise StorageFailed(path, cause.strerror or str(cause)) from cause
        slots = [_parse(os.pread(descriptor, _SLOT_BYTES, n * _SLOT_BYTES)) for n in range(_SLOTS)]
        ends = [0 if anchor is None else anchor.head.seq for anchor in slots]
        return cls(path, descriptor, slot=ends.index(min(ends)))  # the newer one stays

    def write(self, anchor: Anchor, *, durable: bool) -> None:
        """Write down the end of the chain, and wait for the disk if asked; raises StorageFailed."""
        try:
            os.pwrite(self._descriptor, anchor.slot(), self._slot * _SLOT_BYTES)
            if durable:
                os.fdatasync(self._descriptor)
        except OSError as cause:
            raise StorageFailed(self._path, cause.strerror or str(cause)) from cause
        self._slot = (self._slot + 1) % _SLOTS

    def close(self) -> None:
        """Close the file; doing so again changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
