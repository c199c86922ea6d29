"""The simulated operator: resumes what has halted, and decides about breaks, some time later.

An operator looks in after jobs and between lives, and leaves the same files in the control folder
that ``alvh resume`` and ``alvh ignore`` leave. One who looks at a break knows what it was, so the
simulated one always lets it stand as it is.
"""

from datetime import datetime, timedelta
from typing import Final

from bot.app.simulation.faults import Call
from bot.app.simulation.stage import Stage
from bot.engine.control import Command, submit_command
from bot.engine.requests import Request, RequestKind, submit_request
from state.crash_points import CrashPoint
from state.ledger import Ledger
from strategies.model.limits import SystemState

_NAME: Final = "simulated operator"
_RESUMES_AFTER: Final = timedelta(hours=1)
_DECIDES_AFTER: Final = timedelta(hours=3)


class Operator:
    """Somebody who looks in on one bot."""

    def __init__(self, stage: Stage) -> None:
        self.asked: set[str] = set()  # breaks that were decided about
        self._stage = stage
        stage.listeners.append(self._listen)

    def _listen(self, what: str, about: Call | CrashPoint) -> None:
        if what == "point" and about is CrashPoint.JOB_RECORDED and self._stage.ledger is not None:
            self.look_in(self._stage.ledger)

    def look_in(self, ledger: Ledger, *, is_called: bool = False) -> None:
        """Resume a bot that is halted, and decide about breaks, once they have stood for a while.

        Args:
            ledger: Of the bot.
            is_called: The bot has called: nothing is left for later.
        """
        now = self._stage.now()
        for each in ledger.open_breaks():
            is_due = is_called or now - each.found_at > _DECIDES_AFTER
            if is_due and each.break_id not in self.asked:
                self.asked.add(each.break_id)
                request = Request(
                    kind=RequestKind.IGNORE,
                    by=_NAME,
                    reason="looked at, and it is known",
                    at=now + timedelta(microseconds=len(self.asked)),
                    break_id=each.break_id,
                )
                submit_request(self._stage.paths.control_dir, request)
        state = ledger.system_state()
        if state.state is SystemState.HALTED and state.at is not None:
            self._resume(state.reason, is_due=is_called or now - state.at > _RESUMES_AFTER)

    def _resume(self, reason: str, *, is_due: bool) -> None:
        if is_due and self._stage.is_calm:
            submit_command(self._stage.paths.control_dir, _resumption(reason, self._stage.now()))


def _resumption(reason: str, at: datetime) -> Command:
    return Command(
        state=SystemState.RUNNING,
        scope=None,
        reason=f"looked at: {reason}"[:200],
        by=_NAME,
        at=at,
    )
