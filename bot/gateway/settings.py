"""How a gateway behaves where a real one has limits and habits of its own."""

from dataclasses import dataclass, field
from datetime import timedelta

from bot.gateway.feed.settings import FeedSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Limits and habits. The usual values are IB's; None switches a limit off.

    Attributes:
        feed: What market data is shown, and how much of it.
        messages_per_second: What one client may send; more is error 100.
        pacing_breaches_max: After so many errors 100 the client is disconnected.
        market_data_lines: Streams of all clients together; one more is error 101.
        historical_per_ten_minutes: Requests for bars of one client; more is error 162.
        account_summaries_max: Subscriptions of one client to account summaries.
        holds_orders: Whether plain day orders that come outside session hours wait for the next
            session, as at IB; otherwise they are refused, as by the exchange itself.
        is_read_only: Whether "Read-Only API" is on: orders, cancels and what-ifs are error 321.
        heir_client_id: Whose the orders at work are of which nobody wrote down who placed them; by
            usage they count as placed by hand, and are client 0's.
        master_client_id: A client that sees every order; client 0 sees its own and manual ones.
        account_every: How often account values that have changed are sent; a fill does not wait.
        pump_every_s: How often a gateway that runs alone looks at the clock by itself.
        connections_max: Links at one time, the unfinished ones included.
        handshake_s: How long a peer may take to introduce itself.
        half_frame_s: How long the rest of a frame may take.
        frame_bytes_max: The longest request; the longest real one has a few thousand bytes.
        backlog_bytes_max: What may wait for a slow reader before it is dropped.
    """

    feed: FeedSettings = field(default_factory=FeedSettings)
    messages_per_second: int | None = 50
    pacing_breaches_max: int = 3
    market_data_lines: int | None = 100
    historical_per_ten_minutes: int | None = 60
    account_summaries_max: int = 2
    holds_orders: bool = False
    is_read_only: bool = False
    heir_client_id: int = 0
    master_client_id: int | None = None
    account_every: timedelta = timedelta(minutes=3)
    pump_every_s: float | None = None
    connections_max: int = 32
    handshake_s: float = 10.0
    half_frame_s: float = 10.0
    frame_bytes_max: int = 65_536
    backlog_bytes_max: int = 32 << 20
