"""What one client is told about the account: asked for once, then told again when it changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.gateway.accounts import AccountBook, Holding, PositionLine, Value
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.stands import StandIn, is_tradable
from bot.gateway.protocol.builders import contract_values
from bot.gateway.protocol.message import Message
from bot.gateway.session import Session
from strategies.model.calendars import EXCHANGE_ZONE

_PROFIT_EVERY = timedelta(seconds=1)
_LEDGER = "$LEDGER"
_Line = TypeVar("_Line")


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiUpdates:
    """A subscription to the values of an account and model."""

    account: str
    model_code: str
    ledger_only: bool


class AccountFeed:
    """The account subscriptions of one client."""

    def __init__(
        self,
        session: Session,
        book: AccountBook,
        contracts: ContractBook,
        *,
        account_id: str,
        every: timedelta,
    ) -> None:
        self._session = session
        self._book = book
        self._contracts = contracts
        self._account_id = account_id
        self._every = every
        self._has_updates = False
        self._has_positions = False
        self._summaries: dict[int, frozenset[str]] = {}
        self._multi: dict[int, MultiUpdates] = {}
        self._positions_multi: dict[int, str] = {}
        self._profits: set[int] = set()
        self._single_profits: dict[int, int] = {}
        self._told: dict[tuple[str, int], dict[Any, Any]] = {}  # what each subscription knows
        self._version = -1
        self._values_at: datetime | None = None
        self._profits_at: datetime | None = None

    # --- asked for ----------------------------------------------------------------------------

    def subscribe_updates(self, at: datetime) -> None:
        """Send account values, portfolio and time, all of it, and changes from now on."""
        self._has_updates = True
        self._forget(("values", 0), ("portfolio", 0))
        self._mark(at)
        self._send_updates(at)
        self._send("accountDownloadEnd", account=self._account_id)

    def cancel_updates(self) -> None:
        """Stop the account updates."""
        self._has_updates = False

    def subscribe_summary(self, req_id: int, tags: str, at: datetime) -> None:
        """Send the tags of the account, and changes from now on."""
        self._summaries[req_id] = frozenset(tag.strip() for tag in tags.split(",") if tag.strip())
        self._forget(("summary", req_id))
        self._mark(at)
        self._send_summary(req_id)
        self._send("accountSummaryEnd", reqId=req_id)

    def cancel_summary(self, req_id: int) -> None:
        """Stop one summary."""
        self._summaries.pop(req_id, None)

    @property
    def summaries(self) -> frozenset[int]:
        """The summaries that are subscribed."""
        return frozenset(self._summaries)

    def subscribe_multi(self, req_id: int, wanted: MultiUpdates, at: datetime) -> None:
        """Send the values of an account and model, and changes from now on."""
        self._multi[req_id] = wanted
        self._forget(("multi", req_id))
        self._mark(at)
        self._send_multi(req_id)
        self._send("accountUpdateMultiEnd", reqId=req_id)

    def cancel_multi(self, req_id: int) -> None:
        """Stop one of them."""
        self._multi.pop(req_id, None)

    def subscribe_positions(self) -> None:
        """Send every position, and changes from now on."""
        self._has_positions = True
        self._forget(("positions", 0))
        self._send_positions()
        self._send("positionEnd")

    def cancel_positions(self) -> None:
        """Stop the positions."""
        self._has_positions = False

    def subscribe_positions_multi(self, req_id: int, model_code: str) -> None:
        """Send every position of a model, and changes from now on."""
        self._positions_multi[req_id] = model_code
        self._forget(("positions multi", req_id))
        self._send_positions_multi(req_id)
        self._send("positionMultiEnd", reqId=req_id)

    def cancel_positions_multi(self, req_id: int) -> None:
        """Stop one of them."""
        self._positions_multi.pop(req_id, None)

    def subscribe_profit(self, req_id: int) -> None:
        """Send profit and loss of the account, and changes from now on."""
        self._profits.add(req_id)
        self._forget(("profit", req_id))
        self._send_profit(req_id)

    def cancel_profit(self, req_id: int) -> None:
        """Stop it."""
        self._profits.discard(req_id)

    def subscribe_single_profit(self, req_id: int, con_id: int) -> None:
        """Send profit and loss of one contract, and changes from now on."""
        self._single_profits[req_id] = con_id
        self._forget(("single", req_id))
        self._send_single_profit(req_id)

    def cancel_single_profit(self, req_id: int) -> None:
        """Stop it."""
        self._single_profits.pop(req_id, None)

    def drop_all(self) -> None:
        """Forget every subscription, as IB does when data are lost with the connection to it."""
        self._has_updates = self._has_positions = False
        for every in (self._summaries, self._multi, self._positions_multi, self._single_profits):
            every.clear()
        self._profits.clear()

    # --- told again ---------------------------------------------------------------------------

    def refresh(self, at: datetime) -> None:
        """Send what has changed: positions at once, values after a trade or now and then."""
        if not self._is_wanted():
            return
        has_traded = self._book.version != self._version
        self._version = self._book.version
        if has_traded:
            if self._has_positions:
                self._send_positions()
            for req_id in self._positions_multi:
                self._send_positions_multi(req_id)
        if has_traded or self._values_at is None or at - self._values_at >= self._every:
            self._values_at = at
            if self._has_updates:
                self._send_updates(at)
            for req_id in self._summaries:
                self._send_summary(req_id)
            for req_id in self._multi:
                self._send_multi(req_id)
        if has_traded or self._profits_at is None or at - self._profits_at >= _PROFIT_EVERY:
            self._profits_at = at
            for req_id in self._profits:
                self._send_profit(req_id)
            for req_id in self._single_profits:
                self._send_single_profit(req_id)

    def _is_wanted(self) -> bool:
        return (
            self._has_updates
            or self._has_positions
            or bool(self._summaries or self._multi or self._positions_multi)
            or bool(self._profits or self._single_profits)
        )

    def _mark(self, at: datetime) -> None:
        """Take note that everything is said now, once what a trade of this instant changed is."""
        if self._book.version != self._version:
            self.refresh(at)
        self._values_at = at

    # --- messages -----------------------------------------------------------------------------

    def _send_updates(self, at: datetime) -> None:
        values = self._news(("values", 0), {_name(each): each for each in self._book.values()})
        for value in values:
            self._send("updateAccountValue", **_value(value), account=self._account_id)
        portfolio = {each.listed.con_id: each for each in self._book.portfolio()}
        lines = self._news(("portfolio", 0), portfolio)
        for holding in lines:
            self._send("updatePortfolio", **_portfolio(holding), account=self._account_id)
        if values or lines:
            self._send("updateAccountTime", time=f"{at.astimezone(EXCHANGE_ZONE):%H:%M}")

    def _send_summary(self, req_id: int) -> None:
        tags = self._summaries[req_id]
        every = self._book.summary()
        wanted = {tag: every[tag] for tag in tags if tag in every}
        if any(tag.startswith(_LEDGER) for tag in tags):
            wanted |= {f"{each.key} {each.currency}": each for each in self._ledger(tags)}
        for value in self._news(("summary", req_id), wanted):
            self._send(
                "accountSummary",
                reqId=req_id,
                account=self._account_id,
                tag=value.key,
                value=value.value,
                currency=value.currency,
            )

    def _ledger(self, tags: Iterable[str]) -> Iterable[Value]:
        """Return the ledger of the currencies asked for: ``$LEDGER`` is the base, ``:ALL`` all."""
        asked = {tag.partition(":")[2] or "BASE" for tag in tags if tag.startswith(_LEDGER)}
        return [each for each in self._book.ledger() if "ALL" in asked or each.currency in asked]

    def _send_multi(self, req_id: int) -> None:
        wanted = self._multi[req_id]
        values = self._book.ledger() if wanted.ledger_only else self._book.values()
        for value in self._news(("multi", req_id), {_name(each): each for each in values}):
            self._send(
                "accountUpdateMulti",
                reqId=req_id,
                account=self._account_id,
                modelCode=wanted.model_code,
                **_value(value),
            )

    def _send_positions(self) -> None:
        for line in self._news(("positions", 0), self._positions()):
            self._send("position", account=self._account_id, **self._position(line))

    def _send_positions_multi(self, req_id: int) -> None:
        for line in self._news(("positions multi", req_id), self._positions()):
            self._send(
                "positionMulti",
                reqId=req_id,
                account=self._account_id,
                modelCode=self._positions_multi[req_id],
                **self._position(line),
            )

    def _send_profit(self, req_id: int) -> None:
        for profit in self._news(("profit", req_id), {0: self._book.profit()}):
            self._send(
                "pnl",
                reqId=req_id,
                daily=profit.daily,
                unrealized=profit.unrealized,
                realized=profit.realized,
            )

    def _send_single_profit(self, req_id: int) -> None:
        listed = self._contracts.by_con_id(self._single_profits[req_id])
        found = None
        if listed is not None and listed.instrument is not None:
            found = self._book.profit_of(listed.instrument.symbol)
        elif listed is not None and is_tradable(listed):
            found = self._book.profit_of(StandIn(listed).symbol)
        for line in self._news(("single", req_id), {0: found}):
            if line is None:
                self._send("pnlSingle", reqId=req_id, position=0, value=None, **_NO_PROFIT)
                continue
            holding, profit = line
            self._send(
                "pnlSingle",
                reqId=req_id,
                position=holding.contracts,
                daily=profit.daily,
                unrealized=profit.unrealized,
                realized=profit.realized,
                value=holding.market_value_usd,
            )

    def _positions(self) -> dict[int, PositionLine]:
        return {line.listed.con_id: line for line in self._book.position_lines()}

    def _position(self, line: PositionLine) -> dict[str, Any]:
        described = contract_values(line.listed.contract)
        del described["primaryExchange"]
        return described | {
            "exchange": "",
            "position": line.contracts,
            "avgCost": line.average_cost_usd,
        }

    def _news(self, subscription: tuple[str, int], lines: Mapping[Any, _Line]) -> list[_Line]:
        """Return what a subscription has not been told yet, and remember that it has been."""
        told = self._told.setdefault(subscription, {})
        news = [line for key, line in lines.items() if key not in told or told[key] != line]
        told.update(lines)
        return news

    def _forget(self, *subscriptions: tuple[str, int]) -> None:
        for subscription in subscriptions:
            self._told.pop(subscription, None)

    def _send(self, kind: str, **values: Any) -> None:  # noqa: ANN401 as in a message
        self._session.send(Message(kind, values))


_NO_PROFIT = {"daily": None, "unrealized": None, "realized": None}


def _name(value: Value) -> tuple[str, str]:
    return value.key, value.currency


def _value(value: Value) -> dict[str, str]:
    return {"key": value.key, "value": value.value, "currency": value.currency}


def _portfolio(holding: Holding) -> dict[str, Any]:
    described = contract_values(holding.listed.contract)
    del described["exchange"]
    return described | {
        "position": holding.contracts,
        "marketPrice": holding.mark,
        "marketValue": holding.market_value_usd,
        "averageCost": holding.average_cost_usd,
        "unrealizedPNL": holding.unrealized_usd,
        "realizedPNL": holding.realized_usd,
    }
