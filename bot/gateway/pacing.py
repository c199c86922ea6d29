"""How much a client may ask for: messages a second, and requests for bars in ten minutes."""

from collections import deque

_HISTORICAL_WINDOW_S = 600.0
# Clients that keep to 45 messages a second send them in bursts a second apart, and a burst that is
# read late is closer to the next one: a fifth of a second late is still within the limit.
_MESSAGE_WINDOW_S = 0.8


class SlidingLimit:
    """At most so many in any stretch of so many seconds; no limit at all for None."""

    def __init__(self, most: int | None, window_s: float) -> None:
        self.most = most
        self._window_s = window_s
        self._taken: deque[float] = deque()

    def admits(self, now_s: float, weight: int = 1) -> bool:
        """Take note of something and return whether it was within the limit.

        What exceeds the limit is not counted.

        Args:
            now_s: Seconds of a clock that never goes back.
            weight: How often it counts.
        """
        if self.most is None:
            return True
        taken = self._taken
        while taken and now_s - taken[0] >= self._window_s:
            taken.popleft()
        if len(taken) + weight > self.most:
            return False
        taken.extend([now_s] * weight)
        return True


class Pacing:
    """The limits of one client."""

    def __init__(
        self,
        *,
        messages_per_second: int | None,
        breaches_max: int,
        historical_per_ten_minutes: int | None,
    ) -> None:
        self._messages = SlidingLimit(messages_per_second, _MESSAGE_WINDOW_S)
        self._breaches_max = breaches_max
        self._breaches = 0
        self._historical = SlidingLimit(historical_per_ten_minutes, _HISTORICAL_WINDOW_S)

    @property
    def is_exhausted(self) -> bool:
        """Whether the client has broken the limit of messages too often to stay."""
        return self._breaches >= self._breaches_max

    def admits_message(self, now_s: float) -> bool:
        """Count a message and return whether it came slowly enough."""
        is_admitted = self._messages.admits(now_s)
        self._breaches += not is_admitted
        return is_admitted

    def breach(self) -> str:
        """Return what a client is told whose message came too soon."""
        most = self._messages.most
        return (
            "Max rate of messages per second has been exceeded:"
            f"max={most} rec={(most or 0) + 1} ({self._breaches})"
        )

    def admits_historical(self, now_s: float, what_to_show: str) -> bool:
        """Count a request for bars; BID_ASK counts twice."""
        return self._historical.admits(now_s, 2 if what_to_show == "BID_ASK" else 1)
