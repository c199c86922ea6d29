"""How ledger and broker are compared: what the configuration says of it."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilePolicy:
    """How often everything is compared, and what is done about it."""

    every: timedelta = timedelta(minutes=15)
    repair: Literal["propose", "execute"] = "propose"  # broken structures
    cash_tolerance_usd: Decimal = Decimal(0)
