"""A desk on a scripted market, and short ways to give it orders."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from bot.exchange.exchange import Exchange
from bot.gateway.contracts.book import ContractBook
from bot.gateway.desk.desk import OrderDesk
from bot.gateway.faults import Fault, FaultKind
from bot.gateway.protocol.message import Message
from bot.gateway.words import ComboLeg, Contract, Order
from tests.bot.exchange.venue.fakes import ScriptedMarket, open_exchange
from tests.builders import AT, leg

ACCOUNT = "SIM1"
EVERYTHING = AT - timedelta(days=30)


@dataclass
class Script:
    """Faults that strike when their kind is asked for, each as often as it was written down."""

    faults: list[Fault] = field(default_factory=list)

    def strikes(self, kind: FaultKind, **about: object) -> Fault | None:
        for fault in self.faults:
            if fault.kind is kind:
                self.faults.remove(fault)
                return fault
        return None


def fault(kind: FaultKind, **details: object) -> Script:
    return Script([Fault(kind=kind, details=details)])


class Case:
    """One desk, one exchange, and everything that was published."""

    def __init__(
        self,
        market: ScriptedMarket | None = None,
        faults: Script | None = None,
        *,
        holds_orders: bool = False,
        heir: int = 0,
        exchange: Exchange | None = None,
        at: datetime = AT,
    ) -> None:
        self.exchange = exchange or open_exchange(market)
        self.book = ContractBook(self.exchange.market)
        self.heard: list[tuple[Message, int | None]] = []
        self.at = at
        self.desk = OrderDesk(
            self.exchange,
            self.book,
            faults or Script(),
            lambda message, client: self.heard.append((message, client)),
            ACCOUNT,
            holds_orders=holds_orders,
            heir=heir,
        )

    # --- giving orders ------------------------------------------------------------------------

    def contract(self, legs: str) -> Contract:
        """One leg's contract by id, or a BAG; the sign of a single leg is the caller's."""
        parsed = [leg(text.strip()) for text in legs.split(",")]
        listed = [self.book.of(each.instrument) for each in parsed]
        if len(parsed) == 1:
            return Contract(con_id=listed[0].con_id, exchange="SMART")
        return Contract(
            symbol=parsed[0].instrument.underlying,
            sec_type="BAG",
            exchange="SMART",
            currency="USD",
            combo_legs=tuple(
                ComboLeg(
                    con_id=found.con_id,
                    ratio=abs(each.ratio),
                    action="BUY" if each.ratio > 0 else "SELL",
                    exchange="SMART",
                )
                for each, found in zip(parsed, listed, strict=True)
            ),
        )

    def place(self, order_id: int, legs: str, order: Order, *, client: int = 1) -> list[str]:
        return self.said(
            lambda: self.desk.place(client, order_id, self.contract(legs), order, self.at)
        )

    def modify(self, order_id: int, contract: Contract, order: Order) -> list[str]:
        return self.said(lambda: self.desk.place(1, order_id, contract, order, self.at))

    def cancel(self, order_id: int, *, client: int = 1) -> list[str]:
        return self.said(lambda: self.desk.cancel(client, order_id, self.at))

    def wait(self, seconds: float) -> list[str]:
        self.at += timedelta(seconds=seconds)
        return self.said(lambda: self.desk.advance(self.at))

    def until(self, at: datetime) -> list[str]:
        self.at = at
        return self.said(lambda: self.desk.advance(at))

    # --- hearing ------------------------------------------------------------------------------

    def said(self, act) -> list[str]:
        first = len(self.heard)
        act()
        return spelled(message for message, _ in self.heard[first:])

    def messages(self, kind: str) -> list[Message]:
        return [message for message, _ in self.heard if message.kind == kind]

    def last(self, kind: str) -> Message:
        return self.messages(kind)[-1]

    def open_orders(self) -> list[str]:
        return spelled(self.desk.open_orders(None))


def spelled(messages: Iterable[Message]) -> list[str]:
    """Return messages as short texts: what they are, and what matters of them."""
    return [spell(message) for message in messages]


def spell(message: Message) -> str:
    values = message.values
    match message.kind:
        case "openOrder" | "completedOrder":
            return f"{message.kind} {values['status']}"
        case "orderStatus":
            held = f" {values['whyHeld']}" if values["whyHeld"] else ""
            return f"status {values['status']} {values['filled']}/{values['remaining']}{held}"
        case "error":
            return f"error {values['code']}"
        case "execDetails":
            what = "BAG" if values["secType"] == "BAG" else values["localSymbol"].strip()
            return f"exec {values['side']} {values['shares']} {what} {values['price']}"
        case "commissionReport":
            return f"commission {values['commission']}"
    return message.kind


def limit(action: str, quantity: int, price: str, **changes: object) -> Order:
    return order(action, quantity, "LMT", limit_price=Decimal(price), **changes)


def order(action: str, quantity: int, kind: str, **changes: object) -> Order:
    return Order(action=action, total_quantity=Decimal(quantity), order_type=kind, **changes)
