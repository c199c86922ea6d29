"""What the hedge of one interval is planned on, and what the plan of it is."""

from dataclasses import dataclass
from decimal import Decimal

from strategies.alvh.rebalance import Trade
from strategies.alvh.return_cap import Returns
from strategies.model.book import Account, Book, CondorPosition
from strategies.model.memory import BoostMemory, Memory, RotationMemory
from strategies.model.orders import OrderIntent
from strategies.model.plan import Gate, LayerPlan
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from strategies.pricing.valuation import Valuer
from strategies.signals.analogues import Analogues
from strategies.signals.event_reactions import EventReactions
from strategies.signals.panel import Panel, Verdict
from strategies.signals.readings import Signals
from strategies.signals.regimes import Regime

_LEAST_VEGA_USD = 0.01  # of a whole book; less is none


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeInputs:
    """What the hedge is planned on."""

    snapshot: MarketSnapshot
    valuer: Valuer
    signals: Signals
    regime: Regime
    rsi_vix_high: bool  # S1's latch
    panel: Panel | None = None  # E, R5
    analogues: Analogues | None = None  # T1
    reactions: EventReactions | None = None  # T2
    migration: float | None = None  # S10 of the condors below
    vega_per_theta: float | None = None  # S12 of the book
    condor_beta: float | None = None  # CAPM beta of the condors alone (G3)
    returns: Returns | None = None  # what G4 judges additions on; None = it caps nothing
    book: Book
    account: Account
    condors: tuple[CondorPosition, ...]  # held, not closed by this plan, and as it rolls them
    as_filled: tuple[CondorPosition, ...] | None = None  # those before its rolls; None = the same
    condor_vega_usd: float | None  # V_c of those; None if one cannot be priced
    lacking_usd: Decimal  # what a quick ratio of one lacks once condors are closed (G6)
    memory: Memory
    rules: Rules
    plan_id: str

    @property
    def verdict(self) -> Verdict | None:
        """What the spike is (R5); None outside of one (R3)."""
        if self.panel is None or self.regime.spike is not True:
            return None
        return self.panel.verdict

    @property
    def short_vega_usd(self) -> float:
        """-V_c where the condors are short, else 0; USD per VIX point."""
        vega = self.condor_vega_usd
        return -vega if vega is not None and vega < -_LEAST_VEGA_USD else 0.0

    @property
    def purposes_at_work(self) -> frozenset[str]:
        """What orders at work are for."""
        return frozenset(order.purpose for order in self.book.working)


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgePlan:
    """What the hedge does in one interval, and why not more."""

    layers: tuple[LayerPlan, ...]
    reductions: tuple[OrderIntent, ...]
    additions: tuple[OrderIntent, ...]
    trades: tuple[Trade, ...]
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    unpriced: tuple[str, ...]  # hedge instruments without a value
    cap: str | None  # what keeps the hedge from the band's floor, None if it is there
    zone_usd: float  # factor vega below the floor that B9 leaves alone: it could be bought
    rotation: RotationMemory
    boost: BoostMemory
    core_contracts: int
    condors_insured: tuple[str, ...]
    harvest_armed: bool
    harvesting: tuple[tuple[str, int], ...]
    halving: tuple[tuple[str, int], ...]
    harvested: tuple[tuple[str, str], ...]
