"""What is kept and follows fill by fill equals what the records add up to, whatever happens."""

import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state import chain
from state.errors import AdoptionConflict, UnknownRecord
from state.tallies import Tallies
from strategies.model.encoding import to_json
from strategies.model.fills import CashKind, CashMovement, Fill, Side
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import ImpossibleMove, OrderStatus
from strategies.model.orders import PositionEffect
from tests import builders
from tests.state import records
from tests.state.records import AT, record

HEDGES = ("VIX 18MAR20 25 C", "VIX 18MAR20 30 C", "VX 18MAR20")
CONDOR = builders.condor_legs("SPXW 20MAR20 3000/3010/3400/3410")
PRICES = st.integers(1, 900).map(lambda nickels: f"{nickels * 5 / 100:.2f}")
WHICH, SIGNED, HOURS = st.integers(0, 20), st.integers(-5, 5), st.integers(0, 90)
STEPS = st.one_of(
    st.tuples(st.just("fill"), WHICH, st.integers(0, 9), SIGNED.filter(bool), PRICES, HOURS),
    st.tuples(st.just("fill"), WHICH, st.integers(0, 9), SIGNED.filter(bool), PRICES, HOURS),
    st.tuples(st.just("correct"), WHICH, WHICH, SIGNED, PRICES, HOURS),
    st.tuples(st.just("other"), st.integers(0, 6), SIGNED.filter(bool), PRICES, HOURS),
    st.tuples(st.just("adopt"), WHICH, st.booleans()),
    st.tuples(st.just("settle"), st.integers(0, 6), PRICES, HOURS),
    st.tuples(st.just("variation"), st.integers(-500, 500), HOURS),
    st.tuples(st.just("move"), WHICH, st.sampled_from(sorted(OrderStatus)), st.integers(0, 9)),
    st.tuples(st.just("fail"), WHICH, SIGNED.filter(bool), PRICES, HOURS),
)


class Story:
    """Carries steps out; each is one that a broker or an operator may come up with."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.fills = []
        self.others = []
        self.settled = set()
        self.intents = [
            records.hedge_intent("plan-1", name, 99, ratio=ratio, limit=f"{ratio}.00")
            for name in HEDGES
            for ratio in (1, -1)
        ]
        self.intents += [
            records.condor_intent("plan-1", "C0001", CONDOR, 99, effect=effect)
            for effect in PositionEffect
        ]
        self.symbols = [builders.instrument(name).symbol for name in HEDGES]
        self.symbols += [contract.symbol for contract, _ in CONDOR.signed()]
        opens = [records.condor_open("C0001", CONDOR, 99)]
        with ledger.transaction() as tx:
            record(tx, records.plan(opens=opens, orders=self.intents))
            for intent in self.intents:
                tx.record_order_event(intent.client_order_id, AT, OrderStatus.SENDING)

    def do(self, tx, step):
        getattr(self, step[0])(tx, *step[1:])

    def fill(self, tx, order, leg, signed, price, hours):
        intent = self.intents[order % len(self.intents)]
        symbol = intent.legs[leg % len(intent.legs)].instrument.symbol
        at, root = AT + timedelta(hours=hours), f"e{len(self.fills)}"
        made = records.fill(intent.client_order_id, symbol, signed, price, root=root, at=at)
        assert tx.record_fill(made)
        assert not tx.record_fill(made)
        self.fills.append(made)

    def correct(self, tx, index, order, signed, price, hours):
        """Another quantity, 0 among them, price, side, day, and now and then another order."""
        if not self.fills:
            return
        wrong = self.fills[index % len(self.fills)]
        intent = self.intents[order % len(self.intents)] if order % 3 == 0 else None
        right = replace(
            wrong,
            revision=wrong.revision + 1,
            client_order_id=wrong.client_order_id if intent is None else intent.client_order_id,
            symbol=wrong.symbol if intent is None else intent.legs[0].instrument.symbol,
            side=Side.BUY if signed > 0 else Side.SELL,
            quantity=abs(signed),
            price=Decimal(price),
            executed_at=AT + timedelta(hours=hours),
        )
        assert tx.record_fill(right)
        self.fills[index % len(self.fills)] = right

    def other(self, tx, which, signed, price, hours):
        at, root = AT + timedelta(hours=hours), f"x{len(self.others)}"
        symbol = self.symbols[which]
        assert tx.record_external_fill(
            records.external_fill(symbol, signed, price, root=root, at=at)
        )
        self.others.append((root, symbol))

    def adopt(self, tx, index, by_layer):
        if not self.others:
            return
        root, symbol = self.others[index % len(self.others)]
        to_layer = by_layer and symbol in self.symbols[: len(HEDGES)]
        condor, layer = (None, "L1") if to_layer else ("C0001", None)
        with suppress(AdoptionConflict):
            tx.adopt_external_fill(root, AT, condor_id=condor, layer=layer, by="ops", reason="ours")

    def settle(self, tx, which, price, hours):
        symbol = self.symbols[which]
        held = self.ledger.positions().get(symbol, 0)
        if symbol not in self.settled and held:
            self.settled.add(symbol)
            multiplier = 1000 if symbol.startswith("VX") else 100
            at = AT + timedelta(hours=hours)
            tx.record_cash_movement(
                records.settlement(symbol, -held, price, at=at, multiplier=multiplier)
            )

    def variation(self, tx, cents, hours):
        at = AT + timedelta(hours=hours)
        movement = CashMovement(
            movement_id=f"v{hours}:{cents}",
            kind=CashKind.VARIATION,
            symbol=self.symbols[2],
            quantity=0,
            price=None,
            amount_usd=Decimal(cents) / 100,
            booked_at=at,
        )
        tx.record_cash_movement(movement)

    def move(self, tx, order, status, filled):
        with suppress(ImpossibleMove):
            order_id = self.intents[order % len(self.intents)].client_order_id
            tx.record_order_event(order_id, AT, status, filled=filled)

    def fail(self, tx, order, signed, price, hours):
        self.fill(tx, order, 0, signed, price, hours)
        self.fills.pop()
        tx.complete_interval("no such plan", AT)


@settings(max_examples=40)
@given(st.lists(st.lists(STEPS, min_size=1, max_size=4), max_size=12))
def test_what_is_kept_equals_what_the_records_add_up_to(
    tmp_path_factory, empty_ledger_file, transactions
):
    path = tmp_path_factory.mktemp("tallies") / "ledger.db"
    shutil.copy(empty_ledger_file, path)
    with records.open_ledger(path) as ledger:
        story = Story(ledger)
        for steps in transactions:
            before = list(story.fills), list(story.others), set(story.settled)
            try:
                with ledger.transaction(durable=False) as tx:
                    for step in steps:
                        story.do(tx, step)
            except UnknownRecord:
                story.fills, story.others, story.settled = before
            assert ledger.rebuild_projections_and_compare() == ()


def test_a_fill_that_is_told_after_the_settlement_counts_among_what_settled(ledger):
    """The settlement then ended more of the bot's contracts than was known, and less of others'."""
    story = Story(ledger)
    with ledger.transaction() as tx:
        story.fill(tx, 0, 0, 5, "0.50", 1)
        story.other(tx, 0, 3, "0.50", 2)
    with ledger.transaction() as tx:
        story.settle(tx, 0, "1.00", 4)
    with ledger.transaction() as tx:
        story.fill(tx, 0, 0, 2, "0.50", 5)
    assert ledger.positions() == {story.symbols[0]: 2}
    assert ledger.rebuild_projections_and_compare() == ()


def test_what_is_kept_does_not_grow_for_ever(monkeypatch, ledger):
    monkeypatch.setattr("state.tallies._KEPT", 2)
    story = Story(ledger)
    for order in (0, 2, 4):
        with ledger.transaction() as tx:
            story.fill(tx, order, 0, 1, "0.50", order)
    assert len(ledger._tallies.holdings) == 0
    with ledger.transaction() as tx:
        story.fill(tx, 0, 0, 1, "0.50", 9)
    assert len(ledger._tallies.holdings) == 1
    assert ledger.rebuild_projections_and_compare() == ()


def test_nothing_is_forgotten_that_is_not_written():
    tallies = Tallies()
    tallies.moved.orders.add("A1")
    with pytest.raises(AssertionError, match="not written"):
        tallies.trim()


@given(
    st.builds(
        Fill,
        exec_root=st.text(max_size=9),
        revision=st.integers(1, 9),
        client_order_id=st.text(max_size=9).map(ClientOrderId),
        symbol=st.text(max_size=9),
        side=st.sampled_from(Side),
        quantity=st.integers(0, 99),
        price=st.decimals(allow_nan=False, allow_infinity=False, places=6),
        commission_usd=st.decimals(allow_nan=False, allow_infinity=False),
        executed_at=st.datetimes(timezones=st.timezones()),
    )
)
def test_the_event_of_a_fill_reads_as_that_of_anything_else(fill):
    assert chain.fill_body({"fill": fill}) == to_json({"fill": fill})
