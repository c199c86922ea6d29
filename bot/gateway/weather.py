"""What is wrong with the connections behind the gateway at the moment: to IB, and to its farms.

Only states; ``outages`` brings them about.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Weather:
    """Everything is well until somebody says otherwise."""

    is_connected: bool = True  # to IB; without it nothing comes and nothing goes
    has_market_data: bool = True
    has_history: bool = True
    lets_log_in: bool = True
    skew_s: float = 0.0  # the gateway's clock is so many seconds ahead
