"""Which locks hold, for those who only read the ledger."""

from datetime import datetime

from state.amounts import instant_of, instant_text
from state.readers import Reader
from strategies.model.locks import Lock, LockKind

_HOLDING = """
SELECT kind, key, reason, set_at, until
FROM locks
WHERE sequence IN (SELECT max(sequence) FROM locks GROUP BY lock_id)
  AND (until IS NULL OR until > :at)
  AND NOT EXISTS (SELECT 1 FROM lock_releases
                  WHERE lock_releases.lock_sequence = locks.sequence)
ORDER BY sequence
"""


def holding_locks(reader: Reader, at: datetime) -> tuple[Lock, ...]:
    """Return the locks that hold at an instant, oldest first."""
    rows = reader.raw(_HOLDING, {"at": instant_text(at)})
    return tuple(
        Lock(
            kind=LockKind(kind),
            key=key,
            reason=reason,
            set_at=instant_of(set_at),
            until=None if until is None else instant_of(until),
        )
        for kind, key, reason, set_at, until in rows
    )
