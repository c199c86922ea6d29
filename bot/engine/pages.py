"""Calls for a person: repeated while the trouble lasts, and never more often than agreed."""

from datetime import datetime, timedelta

from bot.ports import Alerts, Clock


class Pages:
    """Alerts of severity ``page``, at most one a trouble and interval of time."""

    def __init__(self, alerts: Alerts, clock: Clock, again: timedelta) -> None:
        self._alerts = alerts
        self._clock = clock
        self._again = again
        self._called: dict[str, datetime] = {}

    def page(self, trouble: str, text: str) -> None:
        """Call for a person, unless that was done for the same trouble a short while ago."""
        now = self._clock.now()
        called = self._called.get(trouble)
        # A clock that was set back must not silence anybody
        if called is None or not timedelta(0) <= now - called < self._again:
            self._called[trouble] = now
            self._alerts.raise_alert("page", text)

    def over(self, trouble: str) -> None:
        """Forget a trouble that is over: the next of its kind is called for at once."""
        self._called.pop(trouble, None)
