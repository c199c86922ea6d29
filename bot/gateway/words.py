"""What clients of the TWS API speak about: contracts, orders, executions.

Names are IB's, spelled in snake case; prices are Decimal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ComboLeg:
    """One leg of a BAG."""

    con_id: int
    ratio: int  # > 0; the action gives the sign
    action: str  # BUY or SELL
    exchange: str = ""
    open_close: int = 0
    short_sale_slot: int = 0
    designated_location: str = ""
    exempt_code: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract as a client describes it: any of these may be missing."""

    con_id: int = 0
    symbol: str = ""
    sec_type: str = ""  # IND, OPT, FUT, BAG, STK, CASH
    last_trade_date: str = ""  # lastTradeDateOrContractMonth: yyyymmdd or yyyymm
    strike: float = 0.0
    right: str = ""  # C, P, CALL, PUT, or empty, 0 and ? for none
    multiplier: str = ""
    exchange: str = ""
    primary_exchange: str = ""
    currency: str = ""
    local_symbol: str = ""
    trading_class: str = ""
    include_expired: bool = False
    sec_id_type: str = ""
    sec_id: str = ""
    issuer_id: str = ""
    combo_legs: tuple[ComboLeg, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as a client sends it. What the exchange does not act on is kept in ``rest``."""

    action: str  # BUY or SELL
    total_quantity: Decimal
    order_type: str  # LMT, MKT, MOC, LOC, STP, STP LMT, REL, MIDPRICE
    limit_price: Decimal | None = None  # lmtPrice; a combo's credit is negative
    aux_price: Decimal | None = None  # trigger of STP and STP LMT, offset of REL
    tif: str = "DAY"  # DAY, GTC, IOC, GTD, FOK, OPG
    good_till_date: str = ""
    good_after_time: str = ""
    oca_group: str = ""
    oca_type: int = 0
    account: str = ""
    order_ref: str = ""
    transmit: bool = True
    parent_id: int = 0
    outside_rth: bool = False
    algo_strategy: str = ""  # Adaptive
    algo_params: tuple[tuple[str, str], ...] = ()
    smart_combo_params: tuple[tuple[str, str], ...] = ()
    leg_prices: tuple[Decimal | None, ...] = ()  # orderComboLegs: a price a leg
    what_if: bool = False
    rest: Mapping[str, Any] = field(default_factory=dict)  # values of placeOrder echoed as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderState:
    """What an openOrder message says beside the order: its status, and margins of a what-if."""

    status: str  # ApiPending, PendingSubmit, PreSubmitted, Submitted, Filled, Cancelled, Inactive
    init_margin_before: Decimal | None = None  # None is sent as unset
    maint_margin_before: Decimal | None = None
    equity_with_loan_before: Decimal | None = None
    init_margin_change: Decimal | None = None
    maint_margin_change: Decimal | None = None
    equity_with_loan_change: Decimal | None = None
    init_margin_after: Decimal | None = None
    maint_margin_after: Decimal | None = None
    equity_with_loan_after: Decimal | None = None
    commission: Decimal | None = None
    min_commission: Decimal | None = None
    max_commission: Decimal | None = None
    commission_currency: str = ""
    warning_text: str = ""
    completed_time: str = ""
    completed_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution: of a contract, of a leg, or of a whole BAG."""

    exec_id: str  # root and revision: 0000e0d5.6543abcd.01.01; a correction ends in .02
    executed_at: datetime
    account: str
    exchange: str
    side: str  # BOT or SLD
    shares: Decimal  # contracts; packages on the BAG line
    price: Decimal
    perm_id: int
    client_id: int
    order_id: int
    cum_qty: Decimal
    avg_price: Decimal
    order_ref: str = ""
    last_liquidity: int = 2  # 1 added, 2 removed
    liquidation: int = 0  # 1 where the broker closed a position by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """What an execution cost. Unset figures are None."""

    exec_id: str
    commission: Decimal | None
    currency: str = "USD"
    realized_pnl: Decimal | None = None
