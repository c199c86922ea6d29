"""What one interval decided, with every reason: the plan, its layers, gates and measures."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from strategies.model.book import CondorLegs
from strategies.model.memory import Curve
from strategies.model.orders import OrderIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One condition that was looked at: its value, its threshold, and what came out."""

    rule: str  # rule id, "C6"
    name: str  # what was asked, "credit over width"
    value: float | str | None  # None = the data was missing
    threshold: float | str | None
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookBreakevens:
    """C12: SPX levels between which the book gains since it was opened, after a VIX shock.

    ``today``: model prices; None on a side where it gains as far as was looked, on both where it
    gains nowhere. ``expiry``: every condor at its expiry, the hedge worth what the shock makes it
    worth now; None likewise.
    """

    vix_points: float  # the shock; 0 = none
    hedged: bool  # condors with the hedge, or alone
    today_low: float | None  # index points
    today_high: float | None
    expiry_low: float | None
    expiry_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The book in numbers, before or after the plan. Money in USD, vega as the rule book has it."""

    condor_contracts: int  # N
    condor_factor_vega_usd: float  # V_c, USD per VIX point
    hedge_factor_vega_usd: float  # V_h
    net_vega_per_condor: float | None  # v; None without condors
    delta_usd: float  # USD per +1 SPX point, hedge at its factor share excluded
    gamma_usd: float  # change of delta_usd per SPX point
    theta_usd_per_day: float
    loss_vix_5_usd: float  # P&L of the book under VIX +5 with its usual SPX move; a loss is < 0
    loss_vix_8_usd: float
    breakeven_low: float | None  # nearest lower break-even of the condors at expiry, index points
    breakeven_high: float | None
    irr: float | None = None  # expected, a year, decimal (section 7); None without invested capital
    wacc: float | None = None  # G5, a year, decimal
    capm_beta: float | None = None  # of the book, from its delta dollars
    vega_per_theta: float | None = None  # S12
    quick_ratio: float | None = None  # G6; None with no margin in use
    worst_shock_usd: float | None = None  # the worst P&L of the shock table, hedge included
    worst_shock: str = ""  # where it is: "SPX -20 %, VIX +10"
    shock_coverage: float | None = None  # hedge's gain over the condors' loss there
    book_breakeven_low: float | None = None  # SPX where condors + hedge break even today (C12)
    book_breakeven_high: float | None = None
    breakevens: tuple[BookBreakevens, ...] = ()  # alone and hedged, today and under B1's shocks
    forward_vega: tuple[tuple[str, float, float, float, float], ...] = ()
    # T3: (layer, hedge factor vega in USD now, in 10, 30 and 60 days), and "book" as a whole


class LayerReason(StrEnum):
    """Why a layer is as large as it is."""

    INACTIVE = "inactive"
    ACTIVE = "active"
    CORE = "core"
    BOOST = "boost"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One hedge layer: where it is, where it should be, what is done now and what held it back."""

    layer: str  # "L1".."L3"
    active: bool
    reason: LayerReason
    share: float  # of -V_c
    scale: float  # 0..1.5
    current_vega_usd: float  # factor vega held, USD per VIX point
    target_vega_usd: float  # wanted before caps
    planned_vega_usd: float  # after this plan's orders fill
    current_contracts: int
    change_contracts: int  # signed, of ``instrument``
    instrument: str | None  # symbol chosen, if anything is traded
    runner_up: str | None  # the instrument it beat
    rules: tuple[str, ...]  # rule ids that fired
    binding_cap: str | None  # "G1", "B9", ...; what kept it from its target
    note: str = ""
    trades: tuple[tuple[str, int], ...] = ()  # all of it: (symbol, signed contracts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorOpen:
    """A condor to open; the details that its order alone would not tell."""

    condor_id: str
    legs: CondorLegs
    quantity: int
    mid_credit: float  # index points
    net_vega: float  # per contract, points per vol point
    short_put_delta: float
    short_call_delta: float
    entry_spot: float
    entry_sigma_sqrt_t: float
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorClose:
    """A condor to close, and the rule that says so."""

    condor_id: str
    rules: tuple[str, ...]
    mark_debit: float | None  # index points to buy it back at mid; None if not priceable
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CondorAdjust:
    """A condor to roll (C10, C11): what its quantity becomes, package by package, as it fills.

    Of each package that fills, one condor of ``condor_id`` becomes one of ``new_condor_id``.
    """

    condor_id: str
    new_condor_id: str  # "C0007-1" of the first roll asked for, "C0007-2" of the next
    new_legs: CondorLegs
    quantity: int  # condors
    mid_credit: float  # index points a condor, of the roll alone
    adjustments: int  # of the new condor
    net_vega: float  # of the new condor, per contract, points per vol point
    short_put_delta: float  # of the new condor
    short_call_delta: float
    entry_spot: float  # of the condor as it was first opened
    entry_sigma_sqrt_t: float
    rules: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole decision of one interval. "Did nothing" is a plan too, with its reasons."""

    plan_id: str  # derived from snapshot, book, account, memory and rules
    at: datetime
    session: date
    rules_hash: str
    regime: dict[str, str]  # R1..R5 -> state, "absent" where the data lacks
    signals: dict[str, float | str | bool | None]  # S id and name -> value; None = absent
    gates: tuple[Gate, ...]
    layers: tuple[LayerPlan, ...]
    opens: tuple[CondorOpen, ...]
    closes: tuple[CondorClose, ...]
    orders: tuple[OrderIntent, ...]  # in the order they are to be sent: reductions first
    before: Measures | None  # None when the book cannot be priced
    after: Measures | None
    curve: Curve
    hedge_state: str  # "hedged", "under-hedged: G1", "no condors", ...
    no_trade_reasons: tuple[str, ...]  # why nothing, or less than wanted, is done
    missing: tuple[str, ...]  # inputs that were absent or stale
    adjusts: tuple[CondorAdjust, ...] = ()
