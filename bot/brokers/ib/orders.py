"""Approved orders in IB's words, and IB's words about executions in ours.

One leg is a BUY or a SELL at a positive price. Several legs are a BAG that is bought at a signed
net price, a credit being negative, without prices for legs. Everything a preset of the gateway
could fill in is said explicitly.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from bot.brokers.ib.journal import masked
from bot.brokers.ib.library import ComboLeg, Contract, Execution, Order, is_set
from strategies.model.fills import Side
from strategies.model.ids import ClientOrderId, is_own_id
from strategies.model.instruments import OptionContract
from strategies.model.orders import OrderIntent

_SIDES = {"BOT": Side.BUY, "BUY": Side.BUY, "SLD": Side.SELL, "SELL": Side.SELL}
BAG = "BAG"
ORDER_TYPE, TIME_IN_FORCE = "LMT", "DAY"


def contract_of(intent: OrderIntent, contracts: Mapping[str, Contract]) -> Contract:
    """Return what an order trades: a contract, or a BAG of several.

    Args:
        intent: The order.
        contracts: The qualified contract of each leg, by symbol.
    """
    if len(intent.legs) == 1:
        return contracts[intent.legs[0].instrument.symbol]
    first = contracts[intent.legs[0].instrument.symbol]
    is_option = isinstance(intent.legs[0].instrument, OptionContract)
    exchange = "SMART" if is_option else first.exchange
    return Contract(
        secType=BAG,
        symbol=first.symbol,
        exchange=exchange,
        currency=first.currency,
        comboLegs=[
            ComboLeg(
                conId=contracts[leg.instrument.symbol].conId,
                ratio=abs(leg.ratio),
                action="BUY" if leg.ratio > 0 else "SELL",
                exchange=exchange,
            )
            for leg in intent.legs
        ],
    )


def order_of(intent: OrderIntent, account: str) -> Order:
    """Return the order itself: a limit order for the day, named by our own id."""
    is_sale = len(intent.legs) == 1 and intent.legs[0].ratio < 0
    price = -intent.limit_price if is_sale else intent.limit_price
    return Order(
        action="SELL" if is_sale else "BUY",
        totalQuantity=intent.quantity,
        orderType=ORDER_TYPE,
        lmtPrice=float(price),
        tif=TIME_IN_FORCE,
        outsideRth=False,
        account=account,
        orderRef=intent.client_order_id,
        transmit=True,
    )


@dataclass(frozen=True, slots=True)
class LegLine:
    """One leg of an order by IB's id; ratio > 0 is bought with a package."""

    con_id: int
    ratio: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """What one order buys: signed legs, how many of them, and for how much at most."""

    legs: tuple[LegLine, ...]
    quantity: int
    limit_price: Decimal

    def means(self, other: "Package") -> bool:
        """Whether two are the same order; IB may tell the legs in another order."""
        return (frozenset(self.legs), self.quantity, self.limit_price) == (
            frozenset(other.legs),
            other.quantity,
            other.limit_price,
        )


def differences(sent: Package | None, account: str, contract: Contract, order: Order) -> str:
    """Return how an order that IB holds is another than was sent; empty if it is the same.

    What IB leaves out of an echo is not compared.

    Args:
        sent: What was sent, as far as it is remembered.
        account: For which account; empty if that is not known.
        contract: What IB says the order trades.
        order: What IB says it is.
    """
    compared = [
        ("time in force", order.tif, TIME_IN_FORCE),
        ("order type", order.orderType, ORDER_TYPE),
    ]
    if sent is not None:
        echo = package_of(contract, order)
        compared += [
            ("quantity", str(echo.quantity or ""), str(sent.quantity)),
            ("limit", f"{echo.limit_price.normalize():f}", f"{sent.limit_price.normalize():f}"),
            ("legs", _spelled(echo.legs), _spelled(sent.legs)),
        ]
    found = [
        f"{what} is {is_now}, sent {was}"
        for what, is_now, was in compared
        if is_now and is_now != was
    ]
    if order.account and account and order.account != account:
        found.append(f"account is {masked(order.account)}, sent for {masked(account)}")
    return "; ".join(found)


def _spelled(legs: tuple[LegLine, ...]) -> str:
    return " ".join(f"{leg.ratio:+d}x{leg.con_id}" for leg in sorted(legs, key=_by_id))


def _by_id(leg: LegLine) -> int:
    return leg.con_id


def package_of(contract: Contract, order: Order) -> Package:
    """Return what an order that IB lists buys, in the sign convention of ours."""
    sign = 1 if order.action == "BUY" else -1
    if contract.secType == BAG:
        legs = tuple(
            LegLine(leg.conId, sign * leg.ratio * (1 if leg.action == "BUY" else -1))
            for leg in contract.comboLegs or ()
        )
    else:
        legs = (LegLine(contract.conId, sign),)
    quantity = int(order.totalQuantity)
    return Package(legs=legs, quantity=quantity, limit_price=sign * exact(order.lmtPrice))


def completed_package_of(contract: Contract, order: Order, *, is_filled: bool) -> Package:
    """Return what a completed order was to buy: IB shows what is left of it beside what was filled.

    Args:
        contract: What it traded.
        order: As IB lists it.
        is_filled: Whether nothing is left of it.
    """
    package = package_of(contract, order)
    filled = int(order.filledQuantity) if is_set(order.filledQuantity) else 0
    if is_filled and filled:
        return replace(package, quantity=filled)
    return replace(package, quantity=package.quantity + filled)


def exact(number: float) -> Decimal:
    """Return a number of IB's as it was written on the wire."""
    return Decimal(repr(float(number)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLine:
    """One execution in one revision: of a leg, or of a BAG as a whole."""

    exec_id: str
    exec_root: str
    revision: int
    reference: str  # orderRef; empty if IB left it out
    perm_id: int
    contract: Contract
    side: Side
    shares: float  # as IB says; others trade parts of a share
    price: Decimal
    executed_at: datetime
    account: str
    client_id: int
    order_id: int
    is_liquidation: bool  # IB closed a position by itself

    @property
    def quantity(self) -> int:
        """Contracts; 0 if the exchange took the execution back."""
        return int(self.shares)

    @property
    def is_bag(self) -> bool:
        """Whether it sums up the legs' lines; positions and cash come from those."""
        return bool(self.contract.secType == BAG)


def line_of(contract: Contract, execution: Execution) -> ExecutionLine:
    """Return an execution in our words."""
    root, dot, revision = execution.execId.rpartition(".")
    if not dot or not revision.isdigit():
        root, revision = execution.execId, "1"
    return ExecutionLine(
        exec_id=execution.execId,
        exec_root=root,
        revision=int(revision),
        reference=execution.orderRef,
        perm_id=execution.permId,
        contract=contract,
        side=_SIDES[execution.side],
        shares=float(execution.shares),
        price=exact(execution.price),
        executed_at=execution.time.astimezone(UTC),
        account=execution.acctNumber,
        client_id=execution.clientId,
        order_id=execution.orderId,
        is_liquidation=bool(execution.liquidation),
    )


def reference_of(order: Order) -> ClientOrderId | None:
    """Return our id of an order, or None if it is not ours."""
    return ClientOrderId(order.orderRef) if is_own_id(order.orderRef) else None
