"""Where IB's gateway is, and how patient we are with it."""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from strategies.model.calendars import EXCHANGE_ZONE, at_exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class IbSettings:
    """Where the gateway is and how patient we are with it.

    Attributes:
        host: Where it runs.
        port: Its API port; 4002 and 7497 are IB's usual ones for paper, 4001 and 7496 for live.
        client_id: Ours; orders belong to it.
        account: The account to trade, as IB spells it.
        is_live: Whether that account may be a live one.
        is_trading: Whether it may place orders, and asks for orders, positions and account values
            when connecting.
        requests_per_second: The client's own throttle; 0 for none.
        connect_s: How long a gateway may take to greet, and again to log this client in.
        answer_s: How long an answer may take.
        attempts: How often connecting is tried before it is given up.
        frozen_s: After so long without another word about a lost connection to IB, ours is made
            anew: the word that it is back may have been lost.
        fresh_s: For so long nothing is waited for again once it has arrived; at 0 only within one
            instant of the event loop's time.
        restarts_at: When the gateway restarts each night, New York time; None: it does not.
        restart_margin: So long before and after it nothing is sent but cancels.
        slow_down_s: So long after IB has said that we send too much, nothing is sent that opens.
    """

    host: str = "127.0.0.1"
    port: int
    client_id: int
    account: str
    is_live: bool = False
    is_trading: bool = True
    requests_per_second: int = 45
    connect_s: float = 4.0
    answer_s: float = 10.0
    attempts: int = 4
    frozen_s: float = 120.0
    fresh_s: float = 0.25
    restarts_at: time | None = time(23, 45)
    restart_margin: timedelta = timedelta(minutes=5)
    slow_down_s: float = 60.0

    def for_data(self) -> "IbSettings":
        """Return the settings of the second connection: market data must not delay orders."""
        return replace(self, client_id=self.client_id + 1, is_trading=False)

    def is_near_restart(self, at: datetime) -> bool:
        """Whether the gateway may be going down for the night, or not be back yet."""
        if self.restarts_at is None:
            return False
        day = at.astimezone(EXCHANGE_ZONE).date()
        restarts = (
            at_exchange(day + timedelta(days=days), self.restarts_at) for days in (-1, 0, 1)
        )
        return any(abs(at - each) <= self.restart_margin for each in restarts)
