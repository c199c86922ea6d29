"""Random histories: cash to the cent, conservation, determinism and rebirth from the journal."""

import tempfile
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bot.exchange.exchange import Exchange
from bot.exchange.margin import uncovered_shorts
from strategies.model.fills import CashKind
from strategies.model.instruments import OptionContract, parse_symbol
from strategies.model.lifecycle import OrderStatus
from tests.bot.exchange.venue.fakes import (
    CASH,
    CONDOR,
    CONDOR_CLOSE,
    new_order,
    open_exchange,
    restless_market,
)
from tests.builders import AT

EVERYTHING = AT - timedelta(days=30)
PACKAGES = {  # legs and a mid price, roughly
    CONDOR: Decimal("-5.00"),
    CONDOR_CLOSE: Decimal("5.00"),
    "+1 SPXW 05FEB20 3180 P, -1 SPXW 05FEB20 3230 P": Decimal("-25.00"),
    "+1 VIX 19FEB20 18 C": Decimal("1.20"),
    "-1 VIX 19FEB20 18 C": Decimal("-1.20"),
    "-1 VIX 19FEB20 22 C": Decimal("-0.80"),
    "+1 VX 19FEB20": Decimal("17.50"),
    "-1 VX 19FEB20": Decimal("-17.50"),
    "-1 VX 18MAR20": Decimal("-18.00"),
}
DURATIONS = st.one_of(
    st.integers(0, 60),
    st.integers(60, 3600),
    st.sampled_from([6 * 3600, 24 * 3600, 3 * 24 * 3600]),
)


class Venue(RuleBasedStateMachine):
    """One exchange lives; after each step another is reborn from its journal."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "journal.jsonl"
        self.exchange = self.reborn()
        self.at = AT
        self.submitted = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    def reborn(self) -> Exchange:
        """An exchange made of nothing but the journal."""
        return open_exchange(restless_market(), journal_path=self.path)

    # --- what may happen ----------------------------------------------------------------------

    @rule(
        package=st.sampled_from(sorted(PACKAGES)),
        quantity=st.integers(1, 25),
        step=st.integers(-10, 60),
    )
    def submit(self, package, quantity, step):
        self.submitted += 1
        limit = PACKAGES[package] + step * Decimal("0.05")
        order = new_order(f"order {self.submitted}", package, quantity, str(limit))
        first = self.exchange.submit(order, self.at)
        assert self.exchange.submit(order, self.at) == first

    @rule(number=st.integers(1, 40))
    def cancel(self, number):
        if number <= self.submitted:
            before = self.exchange.orders()[number - 1]
            report = self.exchange.cancel(f"order {number}", self.at)
            assert report.filled_quantity >= before.filled_quantity

    @rule(seconds=DURATIONS, stops=st.integers(1, 3))
    def wait(self, seconds, stops):
        for stop in range(1, stops + 1):
            self.look(self.at + timedelta(seconds=seconds * stop / stops))
        self.at += timedelta(seconds=seconds)

    @rule(seconds=st.integers(0, 10_000))
    def look_back(self, seconds):
        self.look(self.at - timedelta(seconds=seconds))

    def look(self, at: datetime) -> None:
        """Ask everything at an instant; time never runs backwards."""
        before = self.exchange.now
        self.exchange.advance_to(at)
        assert self.exchange.now == max(before, at)
        self.exchange.account()

    # --- what must stay true ------------------------------------------------------------------

    @invariant()
    def i5_cash_is_what_fills_and_movements_explain(self):
        fills = self.exchange.fills(EVERYTHING)
        movements = self.exchange.cash_movements(EVERYTHING)
        premium = fees = Decimal(0)
        for fill in fills:
            instrument = parse_symbol(fill.symbol)
            if isinstance(instrument, OptionContract):
                premium += fill.signed_quantity * fill.price * instrument.multiplier
            fees += fill.commission_usd
        booked = {
            kind: sum((m.amount_usd for m in movements if m.kind is kind), Decimal(0))
            for kind in CashKind
        }
        assert booked[CashKind.DEPOSIT] == CASH
        assert self.exchange.account().cash_usd == (
            CASH - premium - fees + booked[CashKind.SETTLEMENT] + booked[CashKind.VARIATION]
        )

    @invariant()
    def futures_pay_exactly_what_their_prices_moved(self):
        paid: dict[str, Decimal] = {}
        traded: dict[str, Decimal] = {}
        for fill in self.exchange.fills(EVERYTHING):
            if not isinstance(parse_symbol(fill.symbol), OptionContract):
                value = fill.signed_quantity * fill.price
                traded[fill.symbol] = traded.get(fill.symbol, Decimal(0)) + value
        for movement in self.exchange.cash_movements(EVERYTHING):
            if movement.symbol in traded:
                paid[movement.symbol] = paid.get(movement.symbol, Decimal(0)) + movement.amount_usd
        owed = {holding.instrument.symbol: holding for holding in self.exchange.holdings()}
        for symbol, value in traded.items():
            marked = owed[symbol].marked_value if symbol in owed else self.final_value(symbol)
            assert paid.get(symbol, Decimal(0)) == (marked - value) * 1000

    def final_value(self, symbol: str) -> Decimal:
        """What the position that settled was worth at its settlement (0 if none was left)."""
        return sum(
            (
                -movement.quantity * movement.price
                for movement in self.exchange.cash_movements(EVERYTHING)
                if movement.kind is CashKind.SETTLEMENT and movement.symbol == symbol
            ),
            Decimal(0),
        )

    @invariant()
    def i4_positions_are_the_sum_of_fills_and_settlements(self):
        net: dict[str, int] = {}
        for fill in self.exchange.fills(EVERYTHING):
            net[fill.symbol] = net.get(fill.symbol, 0) + fill.signed_quantity
        for movement in self.exchange.cash_movements(EVERYTHING):
            if movement.symbol is not None:
                net[movement.symbol] = net.get(movement.symbol, 0) + movement.quantity
        assert self.exchange.positions() == {s: n for s, n in net.items() if n}

    @invariant()
    def i2_no_order_fills_beyond_its_quantity_and_reports_agree_with_fills(self):
        filled: dict[str, set[str]] = {}
        quantity: dict[str, int] = {}
        for fill in self.exchange.fills(EVERYTHING):
            _, match, leg = fill.exec_root.split(".")
            assert match not in filled.setdefault(f"{fill.client_order_id}/{leg}", set())
            filled[f"{fill.client_order_id}/{leg}"].add(match)
            if leg == "1":
                quantity[fill.client_order_id] = (
                    quantity.get(fill.client_order_id, 0) + fill.quantity
                )
        for report in self.exchange.orders():
            assert report.filled_quantity == quantity.get(report.client_order_id, 0)
            assert (report.status is OrderStatus.FILLED) == (
                report.leaves_quantity == 0 and report.filled_quantity > 0
            )

    @invariant()
    def i7_no_short_option_is_ever_uncovered(self):
        positions = {parse_symbol(s): n for s, n in self.exchange.positions().items()}
        options = {i: n for i, n in positions.items() if isinstance(i, OptionContract)}
        assert uncovered_shorts(options) == []

    @invariant()
    def i22_nothing_outlives_its_expiry(self):
        for symbol in self.exchange.positions():
            assert parse_symbol(symbol).expiry >= self.exchange.now.date()

    @invariant()
    def ids_are_unique(self):
        fills = [fill.exec_root for fill in self.exchange.fills(EVERYTHING)]
        movements = [m.movement_id for m in self.exchange.cash_movements(EVERYTHING)]
        assert len(set(fills)) == len(fills)
        assert len(set(movements)) == len(movements)

    @invariant()
    def i23_a_rebirth_from_the_journal_is_the_same_exchange(self):
        other = self.reborn()
        assert other.now <= self.exchange.now
        other.advance_to(self.exchange.now)
        for question in ("orders", "positions", "account", "holdings"):
            assert getattr(other, question)() == getattr(self.exchange, question)()
        for question in ("fills", "cash_movements"):
            assert getattr(other, question)(EVERYTHING) == getattr(self.exchange, question)(
                EVERYTHING
            )


TestVenue = Venue.TestCase
TestVenue.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
