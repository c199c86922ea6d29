"""Plans, orders and fills from short literals, for tests of the ledger."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from state.governance import ConfigEdit, StoredOverride
from state.ledger import Ledger, LedgerTransaction
from strategies.model.book import Book, CondorLegs
from strategies.model.breaks import Break, BreakKind
from strategies.model.encoding import to_json
from strategies.model.fills import (
    CashKind,
    CashMovement,
    ExternalFill,
    ExternalSource,
    Fill,
    Side,
)
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.locks import Lock, LockKind
from strategies.model.memory import Curve, Memory
from strategies.model.orders import Leg, OrderIntent, PositionEffect, Urgency
from strategies.model.overrides import Override
from strategies.model.plan import (
    CondorAdjust,
    CondorClose,
    CondorOpen,
    Gate,
    LayerPlan,
    LayerReason,
    Measures,
    Plan,
)
from strategies.model.rules import Rules
from strategies.model.snapshots import MarketSnapshot
from tests import builders

AT = builders.AT.astimezone(UTC)  # 2020-02-03 15:00 UTC, 10:00 in New York
SESSION = builders.TODAY
MODE, ACCOUNT, RUN = "simulated", "SIM1", "run-1"
LEGS = "SPXW 20MAR20 3000/3010/3400/3410"
VIX_CALL = "VIX 18MAR20 25 C"


def open_ledger(path: Path, *, now: datetime = AT, busy_timeout_ms: int = 50) -> Ledger:
    """Return the ledger of the tests' account."""
    return Ledger.open(path, mode=MODE, account=ACCOUNT, now=now, busy_timeout_ms=busy_timeout_ms)


def start_run(tx: LedgerTransaction, run_id: str = RUN, at: datetime = AT) -> None:
    """Record a run with the default rules."""
    tx.start_run(
        run_id,
        at,
        mode=MODE,
        account=ACCOUNT,
        config_text_hash="c0ffee",
        config_redacted_json='{"mode":"simulated"}',
        rules_json=to_json(Rules()),
        rules_hash="r1",
        package_version="0.1.0",
        seed=7,
    )


def measures(net_vega: float | None = -0.2) -> Measures:
    """Return measures with round numbers."""
    return Measures(
        condor_contracts=12,
        condor_factor_vega_usd=-300.25,
        hedge_factor_vega_usd=60.5,
        net_vega_per_condor=net_vega,
        delta_usd=12.5,
        gamma_usd=-3.25,
        theta_usd_per_day=110.0,
        loss_vix_5_usd=-1500.0,
        loss_vix_8_usd=-2800.0,
        breakeven_low=2998.85,
        breakeven_high=3401.15,
    )


def layer(
    name: str = "L1",
    *,
    change: int = 0,
    instrument: str | None = None,
    rules: tuple[str, ...] = ("L1",),
    cap: str | None = None,
) -> LayerPlan:
    """Return the plan of one layer."""
    return LayerPlan(
        layer=name,
        active=True,
        reason=LayerReason.CORE,
        share=0.5,
        scale=1.0,
        current_vega_usd=40.0,
        target_vega_usd=150.0,
        planned_vega_usd=60.0,
        current_contracts=4,
        change_contracts=change,
        instrument=instrument,
        runner_up=None,
        rules=rules,
        binding_cap=cap,
        note="",
    )


def condor_open(
    condor_id: str, legs: CondorLegs, quantity: int, rules: tuple[str, ...] = ("C2", "C3")
) -> CondorOpen:
    """Return a condor to open."""
    return CondorOpen(
        condor_id=condor_id,
        legs=legs,
        quantity=quantity,
        mid_credit=1.15,
        net_vega=-0.2,
        short_put_delta=-0.16,
        short_call_delta=0.16,
        entry_spot=3250.0,
        entry_sigma_sqrt_t=0.0525,
        rules=rules,
    )


def condor_intent(
    plan_id: str,
    condor_id: str,
    legs: CondorLegs,
    quantity: int,
    *,
    effect: PositionEffect = PositionEffect.OPEN,
    limit: str = "-1.15",
    attempt: int = 1,
) -> OrderIntent:
    """Return the order that opens or closes a condor."""
    side = 1 if effect is PositionEffect.OPEN else -1
    verb = effect.value.lower()
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"condor:{condor_id}:{verb}",
        legs=tuple(Leg(instrument=contract, ratio=sign * side) for contract, sign in legs.signed()),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(limit) + Decimal("0.10"),
        effect=effect,
        urgency=Urgency.NORMAL,
        rules=("C2", "C6"),
        condor_id=condor_id,
        attempt=attempt,
    )


def condor_adjust(
    condor_id: str, new_condor_id: str, new_legs: CondorLegs, quantity: int, adjustments: int = 1
) -> CondorAdjust:
    """Return a condor to roll."""
    return CondorAdjust(
        condor_id=condor_id,
        new_condor_id=new_condor_id,
        new_legs=new_legs,
        quantity=quantity,
        mid_credit=0.45,
        adjustments=adjustments,
        net_vega=-0.25,
        short_put_delta=-0.34,
        short_call_delta=0.16,
        entry_spot=3250.0,
        entry_sigma_sqrt_t=0.0525,
        rules=("C10",),
        note="calls in",
    )


def roll_intent(
    plan_id: str,
    condor_id: str,
    old: CondorLegs,
    new: CondorLegs,
    quantity: int,
    *,
    limit: str = "-0.45",
    worst: str = "-0.20",
    attempt: int = 1,
) -> OrderIntent:
    """Return the order that turns condors of some legs into condors of others."""
    before, after = dict(old.signed()), dict(new.signed())
    legs = [Leg(instrument=c, ratio=-n) for c, n in before.items() if c not in after]
    legs += [Leg(instrument=c, ratio=n) for c, n in after.items() if c not in before]
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"condor:{condor_id}:adjust",
        legs=tuple(legs),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(worst),
        effect=PositionEffect.OPEN,
        urgency=Urgency.NORMAL,
        rules=("C10",),
        condor_id=condor_id,
        attempt=attempt,
    )


def hedge_intent(
    plan_id: str,
    instrument: str = VIX_CALL,
    quantity: int = 10,
    *,
    ratio: int = 1,
    limit: str = "0.50",
    layer_name: str = "L1",
    attempt: int = 1,
    rules: tuple[str, ...] = ("L1", "G2"),
) -> OrderIntent:
    """Return the order that adds to a layer (ratio 1) or reduces it (ratio -1)."""
    contract = builders.instrument(instrument)
    verb = "add" if ratio > 0 else "reduce"
    return OrderIntent(
        plan_id=plan_id,
        purpose=f"hedge:{layer_name}:{verb}:{contract.symbol}",
        legs=(Leg(instrument=contract, ratio=ratio),),
        quantity=quantity,
        limit_price=Decimal(limit),
        worst_price=Decimal(limit) + Decimal("0.05"),
        effect=PositionEffect.OPEN if ratio > 0 else PositionEffect.CLOSE,
        urgency=Urgency.NORMAL,
        rules=rules,
        layer=layer_name,
        attempt=attempt,
    )


def plan(
    plan_id: str = "plan-1",
    *,
    at: datetime = AT,
    opens: Sequence[CondorOpen] = (),
    closes: Sequence[CondorClose] = (),
    adjusts: Sequence[CondorAdjust] = (),
    orders: Sequence[OrderIntent] = (),
    layers: Sequence[LayerPlan] = (),
    gates: Sequence[Gate] = (),
    before: Measures | None = None,
    hedge_state: str = "hedged",
    no_trade_reasons: tuple[str, ...] = (),
) -> Plan:
    """Return a plan; it does nothing unless told otherwise."""
    return Plan(
        plan_id=plan_id,
        at=at,
        session=builders.AT.date() if at == AT else at.astimezone(builders.EXCHANGE_ZONE).date(),
        rules_hash="r1",
        regime={"R1": "contango", "R2": "no", "R3": "no", "R4": "no", "R5": "absent"},
        signals={"S1 rsi_vix": 61.25, "S1 latch": True, "S5 divergence": None, "S3 vix": "bullish"},
        gates=tuple(gates),
        layers=tuple(layers),
        opens=tuple(opens),
        closes=tuple(closes),
        adjusts=tuple(adjusts),
        orders=tuple(orders),
        before=before,
        after=None if before is None else replace(before, net_vega_per_condor=-0.05),
        curve=Curve.CONTANGO,
        hedge_state=hedge_state,
        no_trade_reasons=no_trade_reasons,
        missing=("S5",),
    )


def gate(rule: str = "C6", *, passed: bool = True, value: float | str | None = 0.123) -> Gate:
    """Return one gate."""
    return Gate(rule=rule, name="credit over width", value=value, threshold=0.1, passed=passed)


_SNAPSHOT: list[MarketSnapshot] = []


def snapshot(at: datetime = AT) -> MarketSnapshot:
    """Return a market of a thousand quotes as it stood at ``at``."""
    if not _SNAPSHOT:
        _SNAPSHOT.append(builders.market_snapshot())
    base = _SNAPSHOT[0]
    return replace(base, market=replace(base.market, at=at))


def record(
    tx: LedgerTransaction,
    made: Plan,
    *,
    book: Book | None = None,
    memory: Memory | None = None,
    run_id: str = RUN,
) -> bool:
    """Record a plan with the usual inputs."""
    return tx.record_decision(
        run_id,
        snapshot(made.at),
        book or builders.book(),
        builders.account(),
        made,
        Memory(),
        memory or Memory(session=made.session),
    )


def fill(
    order_id: ClientOrderId,
    symbol: str,
    signed_quantity: int,
    price: str,
    *,
    root: str,
    revision: int = 1,
    commission: str = "0.65",
    at: datetime = AT,
) -> Fill:
    """Return the execution of one leg; a negative quantity sells."""
    return Fill(
        exec_root=root,
        revision=revision,
        client_order_id=order_id,
        symbol=symbol,
        side=Side.BUY if signed_quantity > 0 else Side.SELL,
        quantity=abs(signed_quantity),
        price=Decimal(price),
        commission_usd=Decimal(commission),
        executed_at=at,
    )


CONDOR_PRICES = ("3.10", "3.80", "2.10", "1.65")  # long put .. long call: 1.15 credit


def condor_fills(
    intent: OrderIntent,
    packages: int,
    *,
    root: str,
    prices: Sequence[str] = CONDOR_PRICES,
    at: datetime = AT,
) -> tuple[Fill, ...]:
    """Return the four executions of one match of a condor order."""
    return tuple(
        fill(
            intent.client_order_id,
            leg.instrument.symbol,
            leg.ratio * packages,
            price,
            root=f"{root}.{index}",
            commission=str(Decimal("1.15") * packages),
            at=at,
        )
        for index, (leg, price) in enumerate(zip(intent.legs, prices, strict=True))
    )


def settlement(
    symbol: str, closes: int, price: str, *, at: datetime, multiplier: int = 100
) -> CashMovement:
    """Return the settlement that ends ``-closes`` contracts of a symbol."""
    return CashMovement(
        movement_id=f"settle {symbol}",
        kind=CashKind.SETTLEMENT,
        symbol=symbol,
        quantity=closes,
        price=Decimal(price),
        amount_usd=-closes * Decimal(price) * multiplier,
        booked_at=at,
    )


def deposit(amount: str = "1000000", *, at: datetime = AT) -> CashMovement:
    """Return the starting cash."""
    return CashMovement(
        movement_id="deposit 1",
        kind=CashKind.DEPOSIT,
        symbol=None,
        quantity=0,
        price=None,
        amount_usd=Decimal(amount),
        booked_at=at,
    )


def sent(tx: LedgerTransaction, intent: OrderIntent, at: datetime = AT) -> None:
    """Take an order from PLANNED to LIVE."""
    order_id = intent.client_order_id
    tx.record_order_event(order_id, at, OrderStatus.SENDING, arrival_mid=Decimal("-1.20"))
    tx.record_order_event(order_id, at, OrderStatus.LIVE, broker_order_id="9001")


def external_fill(
    symbol: str,
    signed_quantity: int,
    price: str = "3.00",
    *,
    root: str = "x1",
    revision: int = 1,
    at: datetime = AT,
) -> ExternalFill:
    """Return an execution of somebody else's; a negative quantity sells."""
    return ExternalFill(
        exec_root=root,
        revision=revision,
        source=ExternalSource.MANUAL,
        reference="",
        symbol=symbol,
        side=Side.BUY if signed_quantity >= 0 else Side.SELL,
        quantity=abs(signed_quantity),
        price=Decimal(price),
        commission_usd=Decimal("0.65"),
        executed_at=at,
    )


def walk_step(tx: LedgerTransaction, intent: OrderIntent, step: int = 1) -> bool:
    """Record one step of an order's price walk."""
    return tx.record_walk_step(
        intent.client_order_id,
        AT,
        step=step,
        bid=Decimal("-1.30"),
        mid=Decimal("-1.175"),
        natural=Decimal("-1.05"),
        limit_price=intent.limit_price,
        reason="first price",
    )


BREAK = Break(
    kind=BreakKind.POSITION,
    key="VIX   200318C00025000",
    detail="the broker has 3 more",
    ledger_value="10",
    broker_value="13",
    locks=("VIX",),
    found_at=AT,
)
LOCK = Lock(kind=LockKind.BREAK, key="VIX", reason="a break", set_at=AT, until=None)
EDIT = ConfigEdit(file="paper_config.yaml", digest_in_force="aa", digest_found="bb")


def override(action: str = "skip_entries", *, serial: int = 1, hours: float = 24) -> StoredOverride:
    """Return an override in force for some hours from the tests' first instant."""
    return StoredOverride(
        override=Override(
            override_id=f"O{serial:012d}",
            action=action,
            reason="the desk expects a settlement",
            signer="alice",
            issued_at=AT,
            expires_at=AT + timedelta(hours=hours),
        ),
        account=ACCOUNT,
        serial=serial,
        public_key="k" * 43 + "=",
        signature="s" * 86 + "==",
    )


def minutes(count: float) -> datetime:
    """Return the instant so many minutes after the tests' first one."""
    return AT + timedelta(minutes=count)


def on(day: date, hour: int = 15) -> datetime:
    """Return an instant of a day, UTC."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
