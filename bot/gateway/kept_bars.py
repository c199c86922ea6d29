"""Requests for bars that are kept up to date: the bar under way, again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bot.exchange.market import Market
from bot.gateway.bar_requests import BarsRefused
from bot.gateway.bars import historical_update
from bot.gateway.contracts.listed import Listed
from bot.gateway.protocol.message import Message
from bot.gateway.session import Session

_EVERY = timedelta(seconds=5)


@dataclass(slots=True)
class _Kept:
    values: Mapping[str, Any]
    listed: Listed
    told_at: datetime
    told: Message | None = None


class KeptBars:
    """The bars that clients want to be kept up to date."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._kept: dict[Session, dict[int, _Kept]] = {}

    def keep(
        self, session: Session, values: Mapping[str, Any], listed: Listed, at: datetime
    ) -> None:
        """Tell a client from now on how the bar under way changes."""
        self._kept.setdefault(session, {})[values["reqId"]] = _Kept(values, listed, at)

    def cancel(self, session: Session, req_id: int) -> bool:
        """Stop that; returns whether it was going on."""
        return self._kept.get(session, {}).pop(req_id, None) is not None

    def drop(self, session: Session) -> None:
        """Forget a client."""
        self._kept.pop(session, None)

    def refresh(self, at: datetime, session: Session) -> None:
        """Send a client the bars that have changed, each at most every five seconds."""
        for kept in self._kept.get(session, {}).values():
            if at - kept.told_at < _EVERY:
                continue
            kept.told_at = at
            try:
                update = historical_update(kept.values, kept.listed, self._market, at)
            except BarsRefused:
                continue  # nothing is known of this moment; the next one may be better
            if update is not None and update != kept.told:
                kept.told = update
                session.send(update)
