"""A bench whose books are compared, and short ways to make them differ."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from bot.engine.reconcile import Reconciler
from bot.engine.reconcile_policy import ReconcilePolicy
from bot.engine.requests import CashReason, Request, RequestKind, carry_out
from strategies.model.breaks import Break, BreakKind
from strategies.model.fills import Fill
from tests.bot.engine.fakes import Bench, Silent
from tests.bot.exchange.venue.fakes import new_order
from tests.builders import condor_legs
from tests.state import records

LEGS = "SPXW 20MAR20 3000/3050/3350/3400"
LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL = (
    contract.symbol for contract, _ in condor_legs(LEGS).signed()
)


class Books:
    """The reconciler of a bench, and what it has told."""

    def __init__(self, bench: Bench, **policy: object) -> None:
        self.bench = bench
        self.alerts = Silent()
        self.control_dir = bench.database.parent / "control"
        self.reconciler = Reconciler(
            bench.ledger,
            bench.broker,
            bench.clock,
            self.alerts,
            ReconcilePolicy(**policy),
            self.control_dir,
        )

    def start(self) -> None:
        """Reconcile as a start does."""
        self._live(self.reconciler.reconcile)

    def look(self, *, whole: bool = True, after: timedelta = timedelta(minutes=5)) -> list[Break]:
        """Compare some time later; return what stands."""
        self.bench.at += after

        async def check() -> None:
            await self.reconciler.check_books(whole=whole)

        self._live(check)
        return list(self.bench.ledger.open_breaks())

    def _live(self, act: Callable[[], object]) -> None:
        async def live() -> None:
            await self.bench.broker.connect()
            await act()

        self.bench.live(live)

    @property
    def locked(self) -> set[str]:
        """The keys under which nothing may be opened."""
        return {lock.key for lock in self.bench.ledger.locks(self.bench.at)}

    @property
    def pages(self) -> list[str]:
        """What somebody was called for."""
        return [text for severity, text in self.alerts.raised if severity == "page"]

    def decide(self, kind: RequestKind, found: Break | None = None, **parts: object) -> str:
        """Carry out what an operator decided about a break."""
        request = Request(
            kind=kind,
            by="ops",
            reason="looked",
            at=self.bench.at,
            break_id="" if found is None else found.break_id,
            **parts,
        )
        return carry_out(request, self.bench.ledger, self.bench.at)

    def balance(self, amount: str) -> str:
        """Book cash."""
        return self.decide(
            RequestKind.BALANCE, amount_usd=Decimal(amount), cash_reason=CashReason.INTEREST
        )

    # --- what happens in the account ------------------------------------------------------------

    def open_condor(self, quantity: int = 2) -> None:
        """Open C0001 of ``LEGS``."""
        opened = records.condor_open("C0001", condor_legs(LEGS), quantity)
        order = records.condor_intent("plan-1", "C0001", opened.legs, quantity, limit="-4.60")
        self.bench.decide(order, opens=[opened])
        self.bench.carry_out()
        assert self.bench.ledger.positions() == self.bench.exchange.positions()
        assert self.bench.ledger.positions()[SHORT_PUT] == -quantity

    def trade(self, name: str, legs: str, quantity: int, limit: str) -> None:
        """Let somebody else trade in the account; orders fill at the next ten seconds."""
        order = new_order(name, legs, quantity, limit)

        async def act() -> None:
            self.bench.exchange.submit(order, self.bench.clock.now())
            await self.bench.clock.sleep(20)
            self.bench.exchange.advance_to(self.bench.clock.now())

        self.bench.live(act)

    def tell_fills(self, change: Callable[[Fill], Iterable[Fill]]) -> None:
        """Let the broker tell other executions than there are."""
        self.bench.broker.change["fetch_fills"] = lambda fills: tuple(
            told for fill in fills for told in change(fill)
        )

    def tell_position(self, changes: dict[str, int]) -> None:
        """Let the broker hold other contracts than the exchange, by symbol; 0 holds none."""

        def told(positions: dict[str, int]) -> dict[str, int]:
            return {symbol: n for symbol, n in (positions | changes).items() if n}

        self.bench.broker.change["fetch_positions"] = told

    def tell_cash(self, more: str | Decimal) -> None:
        """Let the broker have more cash than the exchange."""
        self.bench.broker.change["fetch_account"] = lambda account: replace(
            account, cash_usd=account.cash_usd + Decimal(more)
        )

    def tell_the_truth(self) -> None:
        """Let the broker tell what is so."""
        self.bench.broker.change.clear()


def kinds(breaks: Iterable[Break]) -> list[BreakKind]:
    """Return the kinds of breaks, sorted."""
    return sorted(each.kind for each in breaks)
