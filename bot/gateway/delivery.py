"""What becomes of a message on its way to a client: usually it just goes there."""

from collections.abc import Callable

from bot.gateway.agenda import Agenda
from bot.gateway.faults import FaultKind, Faults, may_strike
from bot.gateway.protocol.message import Message


class Delivery:
    """The way of messages to one client, with the faults that can strike there."""

    def __init__(self, faults: Faults, agenda: Agenda, put: Callable[[Message], None]) -> None:
        self._faults = faults
        self._agenda = agenda
        self._is_safe = not may_strike(faults)
        self._put = put
        self._overtaken: list[Message] = []  # sent after whatever comes next

    def send(self, message: Message, client_id: int) -> None:
        """Pass a message on: once, twice, later, after the next one, or never."""
        if self._is_safe:
            self._put(message)
            return
        strikes = self._faults.strikes
        about = {"message_kind": message.kind, "client_id": client_id}
        if message.kind.endswith("End") and strikes(FaultKind.END_MISSING, **about):
            return
        if delayed := strikes(FaultKind.CALLBACK_DELAYED, **about):
            self._agenda.after(delayed.seconds(), lambda: self._put(message))
            return
        if strikes(FaultKind.CALLBACK_REORDERED, **about):
            self._overtaken.append(message)
            return
        self._put(message)
        if strikes(FaultKind.CALLBACK_DUPLICATED, **about):
            self._put(message)
        while self._overtaken:
            self._put(self._overtaken.pop(0))
