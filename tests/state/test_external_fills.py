"""What others trade in the account counts in positions and cash, and is loose until adopted."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from state.errors import AdoptionConflict, FillConflict, UnknownRecord
from strategies.model.book import LoosePosition
from strategies.model.errors import InvalidInstrument
from strategies.model.lifecycle import OrderStatus
from tests import builders
from tests.state import records
from tests.state.records import AT, record, sent

LEGS = builders.condor_legs(records.LEGS)
LONG_PUT, SHORT_PUT, SHORT_CALL, LONG_CALL = (leg.symbol for leg, _ in LEGS.signed())
CALL = builders.instrument(records.VIX_CALL).symbol


@pytest.fixture
def condor(ledger):
    """The order of three condors, sent and not filled."""
    intent = records.condor_intent("plan-1", "C0001", LEGS, 3)
    hedge = records.hedge_intent("plan-1")
    with ledger.transaction() as tx:
        opens = [records.condor_open("C0001", LEGS, 3)]
        record(tx, records.plan(opens=opens, orders=[intent, hedge]))
        sent(tx, intent)
    return intent


def fill(ledger, *fills):
    with ledger.transaction() as tx:
        return [tx.record_fill(each) for each in fills]


def trade(ledger, *fills):
    with ledger.transaction() as tx:
        return [tx.record_external_fill(each) for each in fills]


def adopt(ledger, root="x1", *, condor=None, layer=None):
    with ledger.transaction() as tx:
        return tx.adopt_external_fill(
            root, AT, condor_id=condor, layer=layer, by="alice", reason="mine"
        )


def loose(ledger, at=AT):
    return {each.instrument.symbol: each.net_contracts for each in ledger.book(at).loose}


def quantities(ledger):
    return [condor.quantity for condor in ledger.book(AT).condors]


def test_an_execution_of_others_counts_in_positions_and_cash_and_is_loose(ledger, path):
    bought = records.external_fill(CALL, 3, "2.00")
    assert trade(ledger, bought) == [True]
    assert trade(ledger, bought) == [False]
    assert ledger.positions() == {CALL: 3}
    assert ledger.cash_usd() == Decimal("-600.65")
    book = ledger.book(AT)
    assert book.hedges == ()
    contract = builders.instrument(records.VIX_CALL)
    assert book.loose == (LoosePosition(instrument=contract, net_contracts=3),)
    assert ledger.external_fills_since(AT) == ledger.unadopted_fills() == (bought,)
    assert ledger.external_fills_since(AT + timedelta(seconds=1)) == ()
    assert ledger.fills_since(AT) == ()
    assert ledger.last_event_at() == AT
    assert ledger.rebuild_projections_and_compare() == ()


def test_a_higher_revision_replaces_and_one_of_nothing_takes_back(ledger):
    trade(ledger, records.external_fill(CALL, 3))
    trade(ledger, records.external_fill(CALL, 5, revision=2))
    assert ledger.positions() == {CALL: 5}
    trade(ledger, records.external_fill(CALL, 0, revision=3))
    assert ledger.positions() == {}
    assert loose(ledger) == {}
    assert ledger.rebuild_projections_and_compare() == ()


def test_one_execution_with_two_contents_is_refused(ledger, condor):
    first = records.external_fill(CALL, 3)
    trade(ledger, first)
    with pytest.raises(FillConflict, match=r"fill x1\.01"):
        trade(ledger, replace(first, quantity=4))
    own = records.condor_fills(condor, 1, root="e")[0]
    fill(ledger, own)
    with pytest.raises(FillConflict, match="a fill of order"):
        trade(ledger, records.external_fill(LONG_PUT, 1, root="e.0"))


def test_a_symbol_the_bot_does_not_know_is_not_recorded(ledger):
    with pytest.raises(InvalidInstrument):
        trade(ledger, records.external_fill("SPY", 100))
    assert ledger.external_fills_since(AT) == ()


def test_an_adopted_execution_is_a_hedge_of_its_layer(ledger):
    trade(ledger, records.external_fill(CALL, 3, "2.00"))
    assert adopt(ledger, layer="L1")
    assert not adopt(ledger, layer="L1")
    (hedge,) = ledger.book(AT).hedges
    assert (hedge.net_contracts, hedge.average_cost) == (3, Decimal("2.00"))
    assert loose(ledger) == {}
    assert ledger.unadopted_fills() == ()
    assert ledger.hedge_cost_365d_usd(AT) == Decimal("600.65")
    assert ledger.realised_pnl().fees_usd == Decimal("0.65")
    trade(ledger, records.external_fill(CALL, 5, "2.00", revision=2))
    assert ledger.book(AT).hedges[0].net_contracts == 5
    assert ledger.rebuild_projections_and_compare() == ()


def test_only_the_bots_part_of_a_settlement_leaves_the_hedges(ledger, condor):
    hedge = records.hedge_intent("plan-1")
    fill(ledger, records.fill(hedge.client_order_id, CALL, 2, "1.00", root="h"))
    trade(ledger, records.external_fill(CALL, 3, "2.00"))
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.settlement(CALL, -5, "4.00", at=records.minutes(9)))
    assert ledger.positions() == {}
    assert ledger.book(AT).hedges == ()
    assert ledger.realised_pnl().hedges_usd == Decimal("600.00")
    assert ledger.rebuild_projections_and_compare() == ()


def test_a_settlement_of_what_only_others_held_leaves_no_hedge(ledger):
    trade(ledger, records.external_fill(CALL, 3, "2.00"))
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.settlement(CALL, -3, "4.00", at=records.minutes(9)))
    assert ledger.positions() == {}
    assert ledger.realised_pnl().hedges_usd == 0
    assert ledger.rebuild_projections_and_compare() == ()


def test_half_a_condor_closed_by_others_is_adopted_as_its_close(ledger, condor):
    """Fault E1: the operator sells a wing in TWS."""
    fill(ledger, *records.condor_fills(condor, 3, root="e"))
    trade(ledger, records.external_fill(LONG_PUT, -2, "1.00"))
    assert quantities(ledger) == [3]
    assert loose(ledger) == {LONG_PUT: -2}
    assert adopt(ledger, condor="C0001")
    assert quantities(ledger) == [1]
    assert loose(ledger) == {SHORT_PUT: -2, SHORT_CALL: -2, LONG_CALL: 2}
    rest = [(SHORT_PUT, 2, "x2"), (SHORT_CALL, 2, "x3"), (LONG_CALL, -2, "x4")]
    for symbol, count, root in rest:
        trade(ledger, records.external_fill(symbol, count, "1.00", root=root))
        adopt(ledger, root, condor="C0001")
    assert quantities(ledger) == [1]
    assert loose(ledger) == {}
    assert ledger.rebuild_projections_and_compare() == ()


def test_a_condor_that_lost_a_leg_whole_is_no_condor_of_the_book(ledger, condor):
    fill(ledger, *records.condor_fills(condor, 3, root="e"))
    trade(ledger, records.external_fill(LONG_PUT, -3, "1.00"))
    adopt(ledger, condor="C0001")
    assert quantities(ledger) == []
    assert loose(ledger) == {SHORT_PUT: -3, SHORT_CALL: -3, LONG_CALL: 3}
    assert ledger.open_condor_ids() == {"C0001"}  # its legs are still its own


def test_what_does_not_belong_there_is_not_adopted(ledger, condor):
    trade(ledger, records.external_fill(CALL, 1))
    with pytest.raises(UnknownRecord, match="no external fill 'x9'"):
        adopt(ledger, "x9", layer="L1")
    with pytest.raises(UnknownRecord, match="no condor 'C0009'"):
        adopt(ledger, condor="C0009")
    with pytest.raises(AdoptionConflict, match="is no leg of C0001"):
        adopt(ledger, condor="C0001")
    adopt(ledger, layer="L1")
    with pytest.raises(AdoptionConflict, match="belongs to L1 already"):
        adopt(ledger, layer="L2")
    trade(ledger, records.external_fill(LONG_PUT, 1, root="x2"))
    assert adopt(ledger, "x2", condor="C0001")
    assert not adopt(ledger, "x2", condor="C0001")
    with pytest.raises(AdoptionConflict, match="belongs to C0001 already"):
        adopt(ledger, "x2", layer="L2")


# --- the bot's own, unevenly ------------------------------------------------------------------


def test_unevenly_filled_legs_are_loose_beyond_whole_condors(ledger, condor):
    """Fault A29: legs of one package fill apart."""
    long_put, short_put, short_call, long_call = records.condor_fills(condor, 3, root="e")
    fill(ledger, long_put, short_put, replace(short_call, quantity=2))
    assert quantities(ledger) == []
    assert loose(ledger) == {LONG_PUT: 3, SHORT_PUT: -3, SHORT_CALL: -2}
    fill(ledger, replace(long_call, quantity=1))
    assert quantities(ledger) == [1]
    assert loose(ledger) == {LONG_PUT: 2, SHORT_PUT: -2, SHORT_CALL: -1}
    assert ledger.rebuild_projections_and_compare() == ()


def test_a_leg_that_is_taken_back_breaks_its_condor(ledger, condor):
    """Fault A13: the exchange busts one leg."""
    fills = records.condor_fills(condor, 3, root="e")
    fill(ledger, *fills)
    assert loose(ledger) == {}
    fill(ledger, replace(fills[0], revision=2, quantity=0, commission_usd=Decimal(0)))
    assert quantities(ledger) == []
    assert loose(ledger) == {SHORT_PUT: -3, SHORT_CALL: -3, LONG_CALL: 3}
    assert LONG_PUT not in ledger.positions()
    assert ledger.rebuild_projections_and_compare() == ()


def test_a_first_revision_of_nothing_is_refused_by_the_database(ledger, condor):
    from sqlite3 import IntegrityError

    fills = records.condor_fills(condor, 3, root="e")
    with pytest.raises(IntegrityError, match="trades_or_is_taken_back"):
        fill(ledger, replace(fills[0], quantity=0))


def test_a_commission_that_comes_later_is_a_revision(ledger, condor):
    """Fault A22: the commission report follows the fill."""
    first = records.condor_fills(condor, 3, root="e")[0]
    fill(ledger, replace(first, commission_usd=Decimal(0)))
    before = ledger.cash_usd()
    fill(ledger, replace(first, revision=2))
    assert ledger.cash_usd() == before - first.commission_usd
    assert ledger.positions() == {LONG_PUT: 3}


def test_a_fill_after_the_cancel_is_booked(ledger, condor):
    """Fault A14."""
    with ledger.transaction() as tx:
        tx.record_order_event(condor.client_order_id, AT, OrderStatus.CANCELLED)
    fill(ledger, *records.condor_fills(condor, 3, root="e"))
    assert quantities(ledger) == [3]
    assert ledger.order(condor.client_order_id).filled_quantity == 3


def test_more_than_was_ordered_is_booked(ledger, condor):
    """Fault A32: the truth is kept, whatever the order said."""
    fill(ledger, *records.condor_fills(condor, 5, root="e"))
    assert quantities(ledger) == [5]
    stored = ledger.order(condor.client_order_id)
    assert (stored.filled_quantity, stored.leaves_quantity) == (5, 0)


def test_a_leg_that_settles_before_its_companions_is_not_missing(ledger, condor):
    fill(ledger, *records.condor_fills(condor, 3, root="e"))
    with ledger.transaction() as tx:
        tx.record_cash_movement(records.settlement(SHORT_PUT, 3, "0.00", at=records.minutes(9)))
    assert quantities(ledger) == [3]
    assert loose(ledger) == {}
    assert ledger.rebuild_projections_and_compare() == ()
