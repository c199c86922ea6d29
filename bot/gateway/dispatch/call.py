"""One request on its way to who answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.gateway.account_feed import AccountFeed
from bot.gateway.contracts.listed import Listed
from bot.gateway.parts import Parts
from bot.gateway.protocol.builders import contract_of
from bot.gateway.protocol.message import Message
from bot.gateway.session import Session


class Refused(Exception):
    """A request that cannot be answered; ``code`` and ``text`` are what the client is told."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request, who sent it, and when."""

    parts: Parts
    session: Session
    kind: str
    values: Mapping[str, Any]
    at: datetime

    @property
    def req_id(self) -> int:
        """The number of the request."""
        number = self.values["reqId"]
        assert isinstance(number, int), "request ids are whole numbers"
        return number

    @property
    def accounts(self) -> AccountFeed:
        """The client's account subscriptions."""
        return self.parts.account_feed(self.session)

    def send(self, kind: str, **values: Any) -> None:  # noqa: ANN401 as in a message
        """Send the client a message."""
        self.session.send(Message(kind, values))

    def listed(self) -> Listed:
        """Return the one contract the request describes; raises ContractRefused."""
        return self.parts.contracts.one(contract_of(self.values), self.at)

    def check_account(self) -> None:
        """Refuse an account that is not ours; raises Refused."""
        account = self.values.get("account") or self.parts.account_id
        if account not in (self.parts.account_id, "All"):
            raise Refused(321, "Error validating request.-'bH' : cause - Invalid account code")


Handler = Callable[[Call], None]
