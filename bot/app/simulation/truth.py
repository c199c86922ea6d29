"""What is true at the broker: the exchange's own records, and what faults changed in them for good.

Invariants compare the bot's books with this, never with what a faulty wire told the bot.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.exchange.exchange import Exchange
from bot.exchange.orders import WORKING, NewOrder, OrderRecord
from bot.ports import OrderReport
from state.verification import uncovered
from strategies.model.book import Account
from strategies.model.fills import Fill, Side
from strategies.model.ids import ClientOrderId, is_own_id
from strategies.model.instruments import OptionContract, parse_symbol
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import Leg
from strategies.model.quotes import to_price
from strategies.model.ticks import order_tick, round_up

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_A_DAY = timedelta(days=1)
_CORRECTION = Decimal("0.05")


@dataclass(slots=True, kw_only=True)
class Truth:
    """An exchange, with corrections, and with orders whose end the broker tells wrongly."""

    exchange: Exchange
    corrections: dict[str, Fill] = field(default_factory=dict)  # by root of the execution id
    told_cancelled: dict[ClientOrderId, int] = field(default_factory=dict)  # filled by then
    ever_pretended: set[ClientOrderId] = field(default_factory=set)
    ended: dict[ClientOrderId, tuple[OrderStatus, str]] = field(default_factory=dict)
    foreign_orders: int = 0
    busts: int = 0
    legged: set[ClientOrderId] = field(default_factory=set)  # of which one leg executed alone
    _added_up: int = 0  # executions
    _filled_usd: Decimal = Decimal(0)  # what they moved
    _executed: dict[str, Fill] = field(default_factory=dict)

    # --- what is true ----------------------------------------------------------------------------

    def fills(self, since: datetime = _BEGINNING) -> tuple[Fill, ...]:
        """Return the executions of the bot's orders in their latest revision, oldest first."""
        fills = self.exchange.fills(since)
        own = (fill for fill in fills if is_own_id(fill.client_order_id))
        return tuple(self.corrections.get(fill.exec_root, fill) for fill in own)

    def foreign_fills(self) -> tuple[Fill, ...]:
        """Return the executions of everybody else's orders."""
        fills = self.exchange.fills(_BEGINNING)
        return tuple(fill for fill in fills if not is_own_id(fill.client_order_id))

    def cash_usd(self) -> Decimal:
        """Return the account's cash, added up from everything that moved it."""
        moves = sum((each.amount_usd for each in self.exchange.cash_movements(_BEGINNING)), _ZERO)
        for fill in self.exchange.fills_from(self._added_up):
            self._added_up += 1
            self._filled_usd += fill.cash_flow_usd
            self._executed[fill.exec_root] = fill
        corrected = (
            fill.cash_flow_usd - self._executed[root].cash_flow_usd
            for root, fill in self.corrections.items()
        )
        return moves + self._filled_usd + sum(corrected, _ZERO)

    def working(self) -> tuple[OrderRecord, ...]:
        """Return the orders of the bot that still trade."""
        return tuple(
            record
            for record in self.exchange.records()
            if record.report.status in WORKING and is_own_id(record.order.client_order_id)
        )

    # --- what the broker tells of it -------------------------------------------------------------

    def told(self, report: OrderReport) -> OrderReport:
        """Return an order's report as the broker tells it."""
        order_id = report.client_order_id
        if order_id in self.legged:
            status, note = OrderStatus.CANCELLED, "cancelled by the exchange"
            return replace(report, status=status, note=note, filled_quantity=0)
        if order_id in self.ended and report.status is OrderStatus.CANCELLED:
            status, note = self.ended[order_id]
            leaves = 0 if status is OrderStatus.REJECTED else report.leaves_quantity
            return replace(report, status=status, note=note, leaves_quantity=leaves)
        before = self.told_cancelled.get(order_id)
        if before == report.filled_quantity and report.status in WORKING:
            return replace(report, status=OrderStatus.CANCELLED, note="cancelled by its owner")
        return report

    def told_account(self, account: Account) -> Account:
        """Return the account with the cash that corrections moved."""
        if not self.corrections:
            return account
        moved = self.cash_usd() - account.cash_usd
        return replace(
            account,
            cash_usd=account.cash_usd + moved,
            net_liquidation_usd=account.net_liquidation_usd + moved,
        )

    def pretended(self, order_id: ClientOrderId) -> OrderReport | None:
        """Return what is told of an order whose cancel was not passed on; None of any other."""
        record = self.exchange.record(order_id)
        if order_id not in self.told_cancelled or record is None:
            return None
        return self.told(record.report)

    # --- what faults do to it --------------------------------------------------------------------

    def correct_last_fill(self, worse_by: Decimal = _CORRECTION) -> bool:
        """Correct the price of the newest execution for the worse; False if there is none."""
        newest = self.fills()[-1:]
        if not newest or newest[0].exec_root in self.corrections:
            return False
        fill = newest[0]
        worse = worse_by if fill.side is Side.BUY else -min(worse_by, fill.price)
        self.corrections[fill.exec_root] = replace(
            fill, revision=fill.revision + 1, price=fill.price + worse
        )
        return True

    def take_back_last_fill(self, at: datetime) -> bool:
        """Nullify the newest execution of today that leaves no short uncovered; False if none."""
        held = self.exchange.positions()
        for fill in reversed(self.fills(at - _A_DAY)):
            is_option = isinstance(parse_symbol(fill.symbol), OptionContract)
            if fill.exec_root in self.corrections or not is_option or fill.symbol not in held:
                continue
            left = held | {fill.symbol: held[fill.symbol] - fill.signed_quantity}
            if uncovered(left) is not None:  # the exchange lends nothing without a long
                continue
            self.exchange.take_back(fill.exec_root)
            self.busts += 1
            self.corrections[fill.exec_root] = replace(
                fill, revision=fill.revision + 1, quantity=0, commission_usd=_ZERO
            )
            return True
        return False

    def pretend_cancelled(self, order_id: ClientOrderId) -> bool:
        """Let an order work on that will be told as cancelled; False if it does not work."""
        record = self.exchange.record(order_id)
        if record is None or record.report.status not in WORKING:
            return False
        if order_id not in self.told_cancelled:
            self.told_cancelled[order_id] = record.report.filled_quantity
            self.ever_pretended.add(order_id)
            return True
        return False

    def end_pretence(self) -> None:
        """Cancel in truth what was told as cancelled."""
        for order_id in self.told_cancelled:
            self.exchange.cancel(order_id, self.exchange.now)
        self.told_cancelled.clear()

    def end_partial(self, status: OrderStatus, note: str) -> bool:
        """End the first order of the bot that is filled in part; False if there is none."""
        for record in self.working():
            if record.report.status is OrderStatus.PARTIALLY_FILLED:
                order_id = record.order.client_order_id
                self.exchange.cancel(order_id, self.exchange.now)
                self.ended[order_id] = (status, note)
                return True
        return False

    def trade(self, who: str, legs: tuple[Leg, ...], quantity: int, at: datetime) -> bool:
        """Send an order that is not the bot's, at a price that trades; False if it was refused.

        Args:
            who: ``manual``, ``client`` or ``liquidation``.
            legs: What is bought for one package.
            quantity: Packages.
            at: Now.
        """
        if (price := self.price_that_trades(legs, at)) is None:
            return False
        self.foreign_orders += 1
        order = NewOrder(
            client_order_id=ClientOrderId(f"{who}-{self.foreign_orders}"),
            legs=legs,
            quantity=quantity,
            limit_price=price,
        )
        return self.exchange.submit(order, at).status is not OrderStatus.REJECTED

    def price_that_trades(self, legs: tuple[Leg, ...], at: datetime) -> Decimal | None:
        """Return a limit two ticks through the market; None if a leg is not offered."""
        natural = 0.0
        for leg in legs:
            quote = self.exchange.market.quote(leg.instrument, at)
            if quote is None or quote.ask <= 0:
                return None
            natural += leg.ratio * (quote.ask if leg.ratio > 0 else quote.bid)
        tick = order_tick([leg.instrument for leg in legs], to_price(natural))
        return round_up(to_price(natural), tick) + 2 * tick

    def place_other(self, order: NewOrder, at: datetime) -> OrderReport:
        """Send another order than the bot did, under the bot's id."""
        return self.exchange.submit(order, at)


_ZERO = Decimal(0)
