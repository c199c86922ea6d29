"""Whatever happens in whatever order, the ledger's projections equal a plain model's."""

import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.errors import UnknownRecord
from strategies.model.fills import CashKind, CashMovement
from strategies.model.instruments import parse_symbol
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import PositionEffect
from tests import builders
from tests.state import records
from tests.state.records import AT, record

CONDORS = {
    "C0001": builders.condor_legs("SPXW 20MAR20 3000/3010/3400/3410"),
    "C0002": builders.condor_legs("SPXW 20MAR20 3000/3010/3420/3430"),  # shares its puts
    "C0003": builders.condor_legs("SPXW 20MAR20 3010/3020/3410/3420"),  # on other sides
}
HEDGES = ("VIX 18MAR20 25 C", "VIX 18MAR20 30 C", "VX 18MAR20")

PRICES = st.integers(1, 2000).map(lambda nickels: f"{nickels * 5 / 100:.2f}")
STEPS = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(sorted(CONDORS)), st.integers(1, 9)),
    st.tuples(st.just("leg"), st.sampled_from(sorted(CONDORS)), st.integers(0, 3)),
    st.tuples(st.just("close"), st.sampled_from(sorted(CONDORS)), st.integers(1, 9)),
    st.tuples(st.just("hedge"), st.sampled_from(HEDGES), st.integers(-9, 9).filter(bool), PRICES),
    st.tuples(st.just("correct"), st.integers(0, 50), st.integers(1, 9), PRICES),
    st.tuples(st.just("replay"), st.integers(0, 50)),
    st.tuples(st.just("variation"), st.integers(-5000, 5000)),
    st.tuples(st.just("settle"), st.sampled_from(HEDGES), PRICES),
    st.tuples(st.just("fail"), st.integers(0, 50)),
)


@dataclass
class Model:
    """The same book kept the simplest way: every fill in a list, added up on demand."""

    fills: dict = field(default_factory=dict)  # root -> (fill, layer, condor, effect)
    movements: list = field(default_factory=list)

    def positions(self):
        net = defaultdict(int)
        for fill, *_ in self.fills.values():
            net[fill.symbol] += fill.signed_quantity
        for movement in self.movements:
            if movement.kind is CashKind.SETTLEMENT:
                net[movement.symbol] += movement.quantity
        return {symbol: count for symbol, count in net.items() if count}

    def cash(self):
        flows = [fill.cash_flow_usd for fill, *_ in self.fills.values()]
        return sum(flows + [movement.amount_usd for movement in self.movements], Decimal(0))

    def hedge_cost(self):
        paid = [-fill.cash_flow_usd for fill, layer, *_ in self.fills.values() if layer]
        return sum(paid, Decimal(0)) - sum(
            (movement.amount_usd for movement in self.movements), Decimal(0)
        )

    def condor_quantity(self, condor_id):
        """The least filled leg of what was opened, less that of what was closed."""
        counts = {effect: [0, 0, 0, 0] for effect in PositionEffect}
        for fill, _, condor, effect in self.fills.values():
            if condor == condor_id:
                symbols = [contract.symbol for contract, _ in CONDORS[condor_id].signed()]
                leg = symbols.index(fill.symbol)
                sign = (1, -1, -1, 1)[leg] * (1 if effect is PositionEffect.OPEN else -1)
                counts[effect][leg] += sign * fill.signed_quantity
        opened = max(0, min(counts[PositionEffect.OPEN]))
        return opened - max(0, min(*counts[PositionEffect.CLOSE], opened))

    def hedge_pnl(self, marks):
        """Profit and loss of hedges at ``marks``, fees excluded: what came in plus what is left."""
        total = Decimal(0)
        for fill, layer, *_ in self.fills.values():
            if layer:
                multiplier = parse_symbol(fill.symbol).multiplier
                total -= fill.signed_quantity * fill.price * multiplier
        for movement in self.movements:
            if movement.kind is CashKind.SETTLEMENT:
                multiplier = parse_symbol(movement.symbol).multiplier
                total -= movement.quantity * movement.price * multiplier
        for symbol, count in self.positions().items():
            instrument = parse_symbol(symbol)
            if instrument.underlying == "VIX":
                total += count * marks * instrument.multiplier
        return total


class Story:
    """Carries steps out on the ledger and on the model."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.model = Model()
        self.orders = {}
        self.count = 0
        self.settled = set()
        intents = []
        for condor_id, legs in CONDORS.items():
            for effect in PositionEffect:
                intent = records.condor_intent("plan-1", condor_id, legs, 999, effect=effect)
                self.orders[condor_id, effect] = intent
                intents.append(intent)
        for name in HEDGES:
            for ratio in (1, -1):
                limit = f"{ratio * 1}.00"
                intent = records.hedge_intent("plan-1", name, 999, ratio=ratio, limit=limit)
                self.orders[name, ratio] = intent
                intents.append(intent)
        opens = [records.condor_open(name, legs, 999) for name, legs in CONDORS.items()]
        with ledger.transaction() as tx:
            record(tx, records.plan(opens=opens, orders=intents))
            for intent in intents:
                tx.record_order_event(intent.client_order_id, AT, OrderStatus.SENDING)

    def next_at(self):
        self.count += 1
        return AT + timedelta(hours=7 * self.count)

    def store(self, intent, fills):
        with self.ledger.transaction() as tx:
            for fill in fills:
                assert tx.record_fill(fill)
        for fill in fills:
            self.model.fills[fill.exec_root] = (
                fill,
                intent.layer,
                intent.condor_id,
                intent.effect,
            )

    def do(self, step):
        getattr(self, step[0])(*step[1:])

    def open(self, condor_id, packages):
        intent, at = self.orders[condor_id, PositionEffect.OPEN], self.next_at()
        self.store(intent, records.condor_fills(intent, packages, root=f"o{self.count}", at=at))

    def close(self, condor_id, packages):
        held = self.model.condor_quantity(condor_id)
        if held == 0:
            return
        intent, at = self.orders[condor_id, PositionEffect.CLOSE], self.next_at()
        packages = min(packages, held)
        self.store(intent, records.condor_fills(intent, packages, root=f"c{self.count}", at=at))

    def leg(self, condor_id, leg):
        """One leg alone: the broker's matches may be torn apart."""
        intent, at = self.orders[condor_id, PositionEffect.OPEN], self.next_at()
        fills = records.condor_fills(intent, 1, root=f"l{self.count}", at=at)
        self.store(intent, fills[leg : leg + 1])

    def hedge(self, name, quantity, price):
        if name in self.settled:
            return
        intent, at = self.orders[name, 1 if quantity > 0 else -1], self.next_at()
        symbol = intent.legs[0].instrument.symbol
        root = f"h{self.count}"
        self.store(
            intent,
            [records.fill(intent.client_order_id, symbol, quantity, price, root=root, at=at)],
        )

    def correct(self, index, quantity, price):
        hedges = [
            root
            for root, (fill, layer, *_) in self.model.fills.items()
            if layer and parse_symbol(fill.symbol).symbol not in self.settled_symbols()
        ]
        if not hedges:
            return
        root = hedges[index % len(hedges)]
        wrong, layer, condor, effect = self.model.fills[root]
        signed = wrong.side.sign * quantity
        right = records.fill(
            wrong.client_order_id,
            wrong.symbol,
            signed,
            price,
            root=root,
            revision=wrong.revision + 1,
            at=wrong.executed_at,
        )
        with self.ledger.transaction() as tx:
            assert tx.record_fill(right)
        self.model.fills[root] = (right, layer, condor, effect)

    def replay(self, index):
        if self.model.fills:
            roots = list(self.model.fills)
            with self.ledger.transaction() as tx:
                assert not tx.record_fill(self.model.fills[roots[index % len(roots)]][0])

    def variation(self, cents):
        at = self.next_at()
        movement = CashMovement(
            movement_id=f"v{self.count}",
            kind=CashKind.VARIATION,
            symbol=builders.future("VX 18MAR20").symbol,
            quantity=0,
            price=None,
            amount_usd=Decimal(cents) / 100,
            booked_at=at,
        )
        self.book(movement)

    def settle(self, name, price):
        symbol = builders.instrument(name).symbol
        held = self.model.positions().get(symbol, 0)
        if name not in self.settled and held:
            self.settled.add(name)
            multiplier = builders.instrument(name).multiplier
            self.book(
                records.settlement(symbol, -held, price, at=self.next_at(), multiplier=multiplier)
            )

    def settled_symbols(self):
        return {builders.instrument(name).symbol for name in self.settled}

    def book(self, movement):
        with self.ledger.transaction() as tx:
            assert tx.record_cash_movement(movement)
            assert not tx.record_cash_movement(movement)
        self.model.movements.append(movement)

    def fail(self, index):
        """A transaction that writes and then fails must leave no trace."""
        intent = self.orders[HEDGES[0], 1]
        symbol = intent.legs[0].instrument.symbol
        fill = records.fill(intent.client_order_id, symbol, 5, "1.00", root=f"f{index}")
        with pytest.raises(UnknownRecord), self.ledger.transaction() as tx:  # noqa: PT012
            tx.record_fill(fill)
            tx.complete_interval("no such plan", AT)


@settings(max_examples=30)
@given(steps=st.lists(STEPS, max_size=25))
def test_projections_equal_a_plain_model_and_can_be_rebuilt(
    tmp_path_factory, empty_ledger_file, steps
):
    path = tmp_path_factory.mktemp("model") / "ledger.db"
    shutil.copy(empty_ledger_file, path)
    with records.open_ledger(path) as ledger:
        story = Story(ledger)
        for step in steps:
            story.do(step)
        model, end = story.model, AT + timedelta(days=300)
        assert ledger.positions() == model.positions()
        assert ledger.cash_usd() == model.cash()
        assert ledger.hedge_cost_365d_usd(end) == model.hedge_cost()
        book = ledger.book(end)
        held = {condor.condor_id: condor.quantity for condor in book.condors}
        wanted = {name: model.condor_quantity(name) for name in CONDORS}
        assert held == {name: count for name, count in wanted.items() if count}
        mark = Decimal("3.33")
        unrealised = sum(
            (mark - hedge.average_cost) * hedge.net_contracts * hedge.instrument.multiplier
            for hedge in book.hedges
        )
        difference = ledger.realised_pnl().hedges_usd + unrealised - model.hedge_pnl(mark)
        assert abs(difference) < Decimal("0.10")
        assert ledger.rebuild_projections_and_compare() == ()
    with records.open_ledger(path) as again:
        assert again.book(end) == book
        assert again.rebuild_projections_and_compare() == ()
