"""Named instants at which the process may die, so that a simulation can make it die there.

The bot calls ``crash_point`` where a death would hurt most: around each commit and each byte on
the wire. Outside a simulation nobody listens and the call does nothing. A simulation listens with
``crashing`` and raises ``SimulatedDeath``, which nothing in the bot may catch: what runs after it
(``finally``, a rollback) is what the operating system would have done as well.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum, unique


@unique
class CrashPoint(StrEnum):
    """Every place at which the process may die; a test proves that each is reached."""

    # state/ledger.py
    LEDGER_BEFORE_BEGIN = "ledger.before_begin"
    LEDGER_BEFORE_COMMIT = "ledger.before_commit"
    LEDGER_AFTER_COMMIT = "ledger.after_commit"
    LEDGER_AFTER_ANCHOR = "ledger.after_anchor"  # the tail anchor is written as well
    # bot/engine/engine.py
    JOB_BEFORE_DECISION = "job.before_decision"
    JOB_AFTER_DECISION = "job.after_decision"  # made, not yet committed
    JOB_BEFORE_COMPLETION = "job.before_completion"
    # bot/app/schedule.py
    JOB_RECORDED = "job.recorded"  # the job is over and its row committed
    # bot/engine/execute.py
    ORDER_BEFORE_GATE = "order.before_gate"
    ORDER_BEFORE_SENDING = "order.before_sending"  # approved, SENDING not yet committed
    ORDER_AFTER_SENDING = "order.after_sending"  # SENDING committed, nothing on the wire
    ORDER_AFTER_SUBMIT = "order.after_submit"  # acknowledged, the answer not yet committed
    ORDER_BEFORE_CANCEL = "order.before_cancel"
    ORDER_AFTER_CANCEL = "order.after_cancel"  # confirmed, not yet committed
    # bot/engine/synchronise.py
    FILLS_BEFORE_COMMIT = "fills.before_commit"  # told of executions, not yet committed
    FILLS_BOOKED = "fills.booked"  # and committed; nothing is decided on them yet
    # bot/engine/reconcile.py
    RECONCILE_BEGUN = "reconcile.begun"
    RECONCILE_BOOKED = "reconcile.booked"  # all is taken over, nothing is compared
    RECONCILE_COMPARED = "reconcile.compared"
    # bot/brokers
    SUBMIT_BEFORE_WIRE = "submit.before_wire"
    SUBMIT_AFTER_WIRE = "submit.after_wire"  # the exchange has it, the bot has no answer
    SUBMIT_BEFORE_ACK = "submit.before_ack"
    CANCEL_BEFORE_WIRE = "cancel.before_wire"
    CANCEL_AFTER_WIRE = "cancel.after_wire"


Hook = Callable[[CrashPoint], None]


class SimulatedDeath(BaseException):
    """The process is gone; only the simulation that made it die catches this."""


_hooks: list[Hook] = []  # at most one; a list so that installing it needs no global statement


def crash_point(point: CrashPoint) -> None:
    """Die here if a simulation wants it."""
    if _hooks:
        _hooks[0](point)


@contextmanager
def crashing(hook: Hook) -> Iterator[None]:
    """Tell ``hook`` of every crash point passed inside the block; it raises to die."""
    assert not _hooks, "one simulation at a time in a process"
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.clear()
