"""Working orders at an exchange that takes nothing but day limit orders.

An order that is more than that has several orders at the exchange, one after the other, or none
while it waits. It is looked after at instants of its own, mostly those at which the exchange
matches, so that nothing depends on when anybody asks.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

from bot.errors import MarketDataMissing
from bot.exchange.exchange import Exchange
from bot.exchange.orders import WORKING, RejectReason
from bot.gateway.desk import pricing
from bot.gateway.desk.announcer import Announcer
from bot.gateway.desk.blotter import Blotter
from bot.gateway.desk.executions import ExecutionBook, matches_of
from bot.gateway.desk.hours import (
    BEFORE_CLOSE,
    FOR_EVER,
    closes_at,
    good_till,
    has_stopped_trading,
    next_grid,
)
from bot.gateway.desk.reading import (
    CLOSING_TYPES,
    STOP_TYPES,
    described,
    read_time,
    refusal_words,
)
from bot.gateway.desk.ticket import Status, Ticket
from bot.gateway.protocol.builders import time_text
from strategies.model.lifecycle import OrderStatus

_REENTERED: Final = frozenset({"GTC", "GTD"})
_CANCEL_ALL: Final = 1  # ocaType: one fills, the others are cancelled
_NO_SESSION: Final = f"{RejectReason.OUTSIDE_SESSION}: the market has no other"
BY_TRADER: Final = "Cancelled by Trader"
BY_SYSTEM: Final = "Cancelled by System:\n"


class Floor:
    """Takes tickets to the exchange and brings back what became of them.

    Args:
        exchange: Where orders work.
        blotter: The tickets.
        executions: Where executions are kept.
        announcer: Who tells their owners.
        holds_orders: Whether a plain day order that comes outside session hours waits for the next
            session, as at IB. Otherwise it gets the exchange's own answer, which is a refusal.
    """

    def __init__(
        self,
        exchange: Exchange,
        blotter: Blotter,
        executions: ExecutionBook,
        announcer: Announcer,
        *,
        holds_orders: bool,
    ) -> None:
        self._exchange = exchange
        self._blotter = blotter
        self._executions = executions
        self._announcer = announcer
        self._holds_orders = holds_orders
        self._is_halted = False
        self.fills_seen = 0

    # --- what the exchange did ----------------------------------------------------------------

    def collect(self) -> None:
        """Take over what was executed and what expired since the last time."""
        fills = self._exchange.fills_from(self.fills_seen)
        self.fills_seen += len(fills)
        filled = []
        for match in matches_of(fills):
            ticket = self._blotter.of_route(match[0].client_order_id)
            if ticket is None:  # somebody else's, straight to the exchange
                self._executions.skip(match)
                continue
            before = ticket.filled
            lines = self._executions.record(ticket, match)
            if not ticket.remaining and not ticket.is_done:
                self._blotter.end(
                    ticket, Status.FILLED, match[0].executed_at, f"Filled Size: {ticket.filled}"
                )
            self._announcer.executed(ticket, lines)
            filled.append((ticket, ticket.filled - before))
        for ticket in self._blotter.working():
            self._drop_routes(ticket)
        for ticket, packages in filled:
            self._after_fill(ticket, packages)

    def _drop_routes(self, ticket: Ticket) -> None:
        """Forget orders at the exchange that are done; those nobody cancelled have expired."""
        for route in tuple(ticket.live):
            record = self._exchange.record(route)
            assert record is not None, "what works was sent"
            if record.report.status in WORKING:
                continue
            ticket.live.remove(route)
            is_last = not ticket.live and not ticket.is_done
            if is_last and record.report.status is OrderStatus.CANCELLED:
                self._expired(ticket, record.expires_at)
        self._blotter.leave(ticket)

    def _expired(self, ticket: Ticket, at: datetime) -> None:
        """The day of an order at the exchange is over."""
        if ticket.order.tif in _REENTERED:
            self.attend(ticket)
        else:
            self.end_cancelled(ticket, BY_SYSTEM, at=min(at, self._exchange.now))

    # --- looking after a ticket ---------------------------------------------------------------

    def attend(self, ticket: Ticket) -> None:
        """Do for a ticket what is to be done now, and say so if it stands otherwise than before."""
        if ticket.is_done or ticket.is_parked:
            return
        before = ticket.status, ticket.why_held
        ticket.next_look = None
        if (until := good_till(ticket)) is not None and until <= self._exchange.now:
            self.withdraw(ticket)
            self.end_cancelled(ticket, BY_SYSTEM)
            return
        (self._tend if ticket.live else self._bring)(ticket)
        self._stand(ticket, before, until)

    def _stand(self, ticket: Ticket, before: tuple[Status, str], until: datetime | None) -> None:
        """Tell where a ticket stands after it was looked after, unless it was told its end."""
        if ticket.is_done:
            return
        if until is not None:
            ticket.next_look = min(ticket.next_look or until, until)
        if not ticket.is_told or before != (ticket.status, ticket.why_held):
            self._announcer.standing(ticket)

    def _bring(self, ticket: Ticket) -> None:
        """Take a ticket without an order at the exchange there, unless it has to wait."""
        now = self._exchange.now
        waits = self._waits_for(ticket, now)
        if ticket.is_done:
            return
        if waits is not None:
            ticket.status = Status.PRE_SUBMITTED
            ticket.next_look = waits
            return
        limit = pricing.limit_of(ticket, self._exchange.market, now)
        if limit is None:
            ticket.status, ticket.why_held = Status.PRE_SUBMITTED, ""
            ticket.next_look = next_grid(now)
        elif ticket.order.tif == "FOK" and not self._fills_at_once(ticket, limit):
            self._blotter.end(ticket, Status.INACTIVE, now, BY_SYSTEM)
            self._announcer.say(ticket, ticket.order_status())
            self._release_attached(ticket)
        else:
            self.route(ticket, limit)

    def _waits_for(self, ticket: Ticket, now: datetime) -> datetime | None:
        """Return when to look again at a ticket that may not go to the exchange yet.

        An order attached to another one waits without end: the other one's fill brings it. An
        order whose day is over is ended here.
        """
        ticket.why_held = ""
        parent = self._blotter.parent(ticket)
        if parent is not None and parent.status is not Status.FILLED:
            if parent.is_done:  # before this one came, or before it could be told
                self.end_cancelled(ticket, BY_SYSTEM)
                return now
            ticket.why_held = "child"
            if parent.live:  # its fill is not to be missed
                parent.next_look = next_grid(now)
            return FOR_EVER
        if (after := read_time(ticket.order.good_after_time)) is not None and after > now:
            return after
        session = self._exchange.session_at(now)
        if session is None and not self._is_refused_outside(ticket):
            return self._held_overnight(ticket, now)
        if session is None:
            return None
        if has_stopped_trading(ticket, now) and ticket.is_told:
            self.end_cancelled(ticket, BY_SYSTEM)
            return now
        ticket.has_seen_session = True
        if self._is_halted:
            ticket.why_held = "halted"
            return next_grid(now)
        if ticket.order.order_type in STOP_TYPES and not ticket.is_triggered:
            ticket.is_triggered = pricing.has_triggered(ticket, self._exchange.market, now)
            if not ticket.is_triggered:
                ticket.why_held = "trigger"
                return next_grid(now)
        if ticket.order.order_type in CLOSING_TYPES:
            release = closes_at(ticket, self._exchange) - BEFORE_CLOSE
            return release if now < release else None
        return None

    def _is_refused_outside(self, ticket: Ticket) -> bool:
        """Whether the exchange itself is to answer an order that comes outside session hours."""
        plain = (
            ticket.order.order_type == "LMT"
            and ticket.order.tif == "DAY"
            and pricing.is_fixed(ticket)
        )
        return plain and not self._holds_orders and not ticket.has_seen_session

    def _held_overnight(self, ticket: Ticket, now: datetime) -> datetime | None:
        opens = self._exchange.next_open(now)
        if ticket.has_seen_session and ticket.order.tif not in _REENTERED:
            self.end_cancelled(ticket, BY_SYSTEM)
            return now
        if opens is None:
            self.refuse(ticket, *refusal_words(_NO_SESSION), note=_NO_SESSION)
            return now
        if not ticket.is_told:
            ticket.is_told = True
            self._announcer.say(ticket, ticket.open_order(), ticket.order_status())
            what = described(ticket.lines, ticket.contract)
            text = f"{ticket.order.action} {ticket.total} {what}"
            self._announcer.error(
                ticket,
                399,
                f"Order Message:\n{text}\nWarning: Your order will not be placed at the exchange"
                f" until {time_text(opens)}.",
            )
        return opens

    def _fills_at_once(self, ticket: Ticket, limit: Decimal) -> bool:
        order = ticket.exchange_order(limit, ticket.remaining)
        if order.flaw() is not None:
            return True  # the exchange says what is wrong with it
        try:
            shown = self._exchange.tradable(order, next_grid(self._exchange.now))
        except MarketDataMissing:
            return False
        return shown >= ticket.remaining

    # --- at the exchange ----------------------------------------------------------------------

    def route(self, ticket: Ticket, limit: Decimal) -> bool:
        """Send the exchange an order for what is still to come; False if it refuses."""
        now = self._exchange.now
        order = ticket.exchange_order(limit, ticket.remaining)
        report = self._exchange.submit(order, now)
        ticket.routes += 1
        if report.status is OrderStatus.REJECTED:
            self.refuse(ticket, *refusal_words(report.note), note=report.note)
            return False
        ticket.live.append(order.client_order_id)
        ticket.status, ticket.why_held = Status.SUBMITTED, ""
        ticket.has_seen_session = True
        self._blotter.route(ticket, now)
        self._look_again(ticket)
        return True

    def resume(self, ticket: Ticket) -> None:
        """Go on with a ticket of a process that has ended."""
        if ticket.live:
            self._look_again(ticket)
        else:
            ticket.next_look = max(self._exchange.now, ticket.placed_at)

    def withdraw(self, ticket: Ticket) -> None:
        """Take all its orders back from the exchange."""
        for route in ticket.live:
            self._exchange.cancel(route, self._exchange.now)
        ticket.live.clear()

    def halt(self) -> None:
        """Take every order back from the exchange and bring none until ``reopen``."""
        self._is_halted = True
        for ticket in self._blotter.open():
            self.withdraw(ticket)
            self.attend(ticket)

    def reopen(self) -> None:
        """Bring orders to the exchange again."""
        self._is_halted = False
        for ticket in self._blotter.open():
            self.attend(ticket)

    def _tend(self, ticket: Ticket) -> None:
        """Look after a ticket with an order at the exchange."""
        now = self._exchange.now
        if ticket.order.tif == "IOC":  # it has met the market once
            self.withdraw(ticket)
            self._announcer.say(ticket, ticket.order_status(Status.PENDING_CANCEL))
            self._blotter.end(ticket, Status.CANCELLED, now, BY_SYSTEM)
            self._announcer.say(ticket, ticket.order_status())
            self._release_attached(ticket)
            return
        if not pricing.is_fixed(ticket):
            self._reprice(ticket, now)
        if not ticket.is_done:
            self._look_again(ticket)

    def _reprice(self, ticket: Ticket, now: datetime) -> None:
        limit = pricing.limit_of(ticket, self._exchange.market, now)
        record = self._exchange.record(ticket.live[-1])
        assert record is not None, "what works was sent"
        stands_at = record.order.limit_price
        if limit is None or limit == stands_at:
            return
        if pricing.is_marketable(ticket) and not self._is_left_behind(ticket, stands_at, now):
            return
        self.withdraw(ticket)
        self.route(ticket, limit)

    def _is_left_behind(self, ticket: Ticket, stands_at: Decimal, now: datetime) -> bool:
        spread = pricing.spread_of(ticket, self._exchange.market, now)
        return spread is not None and stands_at < spread.ask

    def _look_again(self, ticket: Ticket) -> None:
        """Set when a ticket that works must be looked after by itself."""
        now = self._exchange.now
        is_watched = (
            not pricing.is_fixed(ticket)
            or ticket.order.tif == "IOC"
            or bool(ticket.order.oca_group or ticket.order.parent_id)
            or bool(self._blotter.children(ticket))
        )
        # at its end too: what happens to several orders is told in the order it happens
        ticket.next_look = next_grid(now) if is_watched else closes_at(ticket, self._exchange)

    # --- ends ---------------------------------------------------------------------------------

    def refuse(self, ticket: Ticket, code: int, text: str, *, note: str) -> None:
        """End a ticket the exchange does not want: rejected, or cancelled if it has worked."""
        now = self._exchange.now
        if ticket.filled or ticket.routes > 1:
            self.end_cancelled(ticket, BY_SYSTEM, reason=note)
            return
        self._blotter.end(ticket, Status.INACTIVE, now, f"Rejected by System: {note}")
        if code == 201:  # noqa: PLR2004 the code of rejections; a bad price is error 110 alone
            self._announcer.say(ticket, ticket.order_status())
        self._announcer.error(ticket, code, text)
        self._release_attached(ticket)

    def end_cancelled(
        self,
        ticket: Ticket,
        text: str,
        *,
        reason: str = "",
        by: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """End a ticket without orders at the exchange as cancelled, and tell why.

        Args:
            ticket: The order.
            text: How completed orders tell it.
            reason: How error 202 does.
            by: The client that did it, if it is not the owner.
            at: When it happened, if not now.
        """
        assert not ticket.live, "its orders were withdrawn"
        self._blotter.end(ticket, Status.CANCELLED, at or self._exchange.now, text)
        self._announcer.cancelled(ticket, reason, by=by)
        self._release_attached(ticket)

    def _release_attached(self, ticket: Ticket) -> None:
        """Cancel what was attached to a ticket that will never fill."""
        for child in self._blotter.children(ticket):
            self.withdraw(child)
            self.end_cancelled(child, BY_SYSTEM)

    def _after_fill(self, ticket: Ticket, packages: int) -> None:
        for other in self._blotter.group(ticket):
            if ticket.order.oca_type == _CANCEL_ALL:
                self.withdraw(other)
                self.end_cancelled(other, BY_SYSTEM, reason="OCA")
            else:
                self._reduce(other, ticket, packages)
        if ticket.status is Status.FILLED:
            for child in self._blotter.children(ticket):
                self.attend(child)

    def _reduce(self, other: Ticket, filled: Ticket, packages: int) -> None:
        """Take from an order of a group the share of it that another one has filled."""
        before = filled.remaining + packages
        left = other.remaining * filled.remaining // before
        self.withdraw(other)
        if not left:
            self.end_cancelled(other, BY_SYSTEM, reason="OCA")
            return
        self._blotter.reduce(other, other.filled + left)
        self._announcer.say(other, other.open_order(), other.order_status())
        self.attend(other)
