"""A plan and reports with something in every field, for tests of what is shown."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from bot.app.reports import IntervalReport, RunSummary, SessionReport
from strategies.model.memory import Curve
from strategies.model.orders import OrderIntent, PositionEffect, Urgency
from strategies.model.plan import CondorOpen, Gate, LayerPlan, LayerReason, Measures, Plan
from tests.builders import condor_legs, leg

AT = datetime(2020, 3, 9, 14, 0, tzinfo=UTC)

MEASURES = Measures(
    condor_contracts=40,
    condor_factor_vega_usd=-1234.5,
    hedge_factor_vega_usd=800.25,
    net_vega_per_condor=-0.1086,
    delta_usd=12.0,
    gamma_usd=-0.5,
    theta_usd_per_day=210.0,
    loss_vix_5_usd=-12_345.0,
    loss_vix_8_usd=-23_456.0,
    breakeven_low=2580.5,
    breakeven_high=None,
)


def layer(name: str, change: int = 0) -> LayerPlan:
    return LayerPlan(
        layer=name,
        active=True,
        reason=LayerReason.BOOST,
        share=0.5,
        scale=1.25,
        current_vega_usd=400.0,
        target_vega_usd=800.0,
        planned_vega_usd=600.0,
        current_contracts=20,
        change_contracts=change,
        instrument="VIX   200415C00030000" if change else None,
        runner_up=None,
        rules=("L1", "S1"),
        binding_cap="B9",
        note="a note about the layer that is rather long, as notes of layers sometimes are",
    )


def condor_open() -> CondorOpen:
    return CondorOpen(
        condor_id="C0007",
        legs=condor_legs("SPXW 20APR20 2300/2310/3000/3010"),
        quantity=12,
        mid_credit=1.15,
        net_vega=-0.21,
        short_put_delta=-0.16,
        short_call_delta=0.16,
        entry_spot=2750.0,
        entry_sigma_sqrt_t=0.12,
        rules=("C1", "C2", "C3"),
    )


def plan(*, acts: bool = True) -> Plan:
    order = OrderIntent(
        plan_id="P" * 20,
        purpose="condor:C0007:open",
        legs=(leg("+1 SPXW 20APR20 2300 P"), leg("-1 SPXW 20APR20 2310 P")),
        quantity=12,
        limit_price=Decimal("-1.15"),
        worst_price=Decimal("-1.00"),
        effect=PositionEffect.OPEN,
        urgency=Urgency.NORMAL,
        rules=("C1", "C2"),
        condor_id="C0007",
    )
    return Plan(
        plan_id="P" * 20,
        at=AT,
        session=date(2020, 3, 9),
        rules_hash="f" * 64,
        regime={"R1": "backwardation", "R2": "absent", "R3": "spike"},
        signals={"S1 rsi_vix": 81.2, "S5 divergence": None, "S8 dislocated": True},
        gates=(
            Gate(rule="C6", name="credit over width", value=0.115, threshold=0.1, passed=True),
            Gate(rule="G6", name="quick ratio", value=None, threshold=1.5, passed=False),
        ),
        layers=(layer("L1", 15 if acts else 0), layer("L2"), layer("L3")),
        opens=(condor_open(),) if acts else (),
        closes=(),
        orders=(order,) if acts else (),
        before=MEASURES,
        after=None,
        curve=Curve.BACKWARDATION,
        hedge_state="under-hedged: G1",
        no_trade_reasons=() if acts else ("C1: no entry is due [now]",),
        missing=("breadth",),
    )


def interval_report(*, acts: bool = True) -> IntervalReport:
    return IntervalReport(
        at=AT,
        session=date(2020, 3, 9),
        progress=0.37,
        spx=2746.56,
        vix=54.46,
        futures=(47.3, 41.2, 37.9, 33.0),
        regime={"R1": "backwardation", "R3": "spike"},
        plan=plan(acts=acts),
        nlv_usd=Decimal("987654.32"),
        day_pnl_usd=Decimal("-12345.67"),
        total_pnl_usd=Decimal("-12345.68"),
        condors_open=11,
    )


def session_report() -> SessionReport:
    return SessionReport(
        session=date(2020, 3, 9),
        decisions=26,
        fills=31,
        nlv_usd=Decimal("987654.32"),
        day_pnl_usd=Decimal("-12345.67"),
        condors_opened=1,
        condors_closed=2,
        hedge_changes=9,
    )


def run_summary(**changes: object) -> RunSummary:
    values = {
        "run_id": "R0001",
        "mode": "simulated",
        "account": "DU0000001",
        "config_hash": "c" * 64,
        "first_at": AT,
        "last_at": AT,
        "sessions": 62,
        "decisions": 1600,
        "orders": 900,
        "fills": 2100,
        "condors_opened": 30,
        "condors_closed": 27,
        "condors_open": 3,
        "hedge_trades": {"L1": 40, "L2": 22},
        "rules_fired": {"B1": 4, "B9": 300, "C1": 30},
        "start_nlv_usd": Decimal(1_000_000),
        "final_nlv_usd": Decimal("1012345.67"),
        "condor_pnl_usd": Decimal(10_000),
        "hedge_pnl_usd": Decimal(4000),
        "fees_usd": Decimal("1654.33"),
        "reconciliation_difference_usd": Decimal("0.00"),
        "reconciliation_breaks": (),
        "seconds": 40.0,
        "peak_memory_mb": 310.0,
        "database": Path("var/simulated-DU0000001.sqlite"),
    }
    return RunSummary(**(values | changes))
