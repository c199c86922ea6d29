"""Orders in doubt are left in doubt until something is proven, and proof takes two passes."""

from datetime import timedelta

import pytest

from bot.engine.doubts import (
    NOT_FOUND,
    PASSES_APART,
    doubt_interrupted,
    long_in_doubt,
    look_for_lost,
)
from bot.errors import BrokerUnavailable, OutcomeUnknown
from strategies.model.lifecycle import OrderStatus
from strategies.model.orders import Urgency
from tests.bot.engine.fakes import Faults, hedge, statuses
from tests.bot.exchange.venue.fakes import CALL
from tests.builders import AT, instrument

ORDER = hedge(CALL, 10, "0.48", urgency=Urgency.PASSIVE)
ID = ORDER.client_order_id
SYMBOL = instrument(CALL).symbol


@pytest.fixture
def doubtful(bench):
    """A bench with one order whose sending was interrupted before a byte had left."""
    bench.decide(ORDER)
    with bench.ledger.transaction() as tx:
        tx.record_order_event(ID, AT, OrderStatus.SENDING)
    bench.reopen()
    doubt_interrupted(bench.ledger, AT)
    return bench


def look(bench, after=timedelta(0)):
    """Look for it some time later; return its life."""
    bench.at = AT + after

    async def live():
        await bench.broker.connect()
        await look_for_lost(bench.ledger, bench.broker, bench.clock.now())

    bench.live(live)
    return statuses(bench.database, ID)


def test_what_was_being_sent_when_a_process_died_is_in_doubt_at_its_worst(doubtful):
    """Fault A5: nothing proves that it left, and nothing that it did not."""
    assert statuses(doubtful.database, ID) == ["PLANNED", "SENDING", "UNKNOWN"]
    (working,) = doubtful.ledger.book(AT).working
    assert working.leaves_quantity == 10
    doubt_interrupted(doubtful.ledger, AT)
    assert statuses(doubtful.database, ID) == ["PLANNED", "SENDING", "UNKNOWN"]


def test_one_negative_pass_proves_nothing_and_neither_does_a_second_at_once(doubtful):
    """Fault A4."""
    once = ["PLANNED", "SENDING", "UNKNOWN", "UNKNOWN"]
    assert look(doubtful) == once
    assert look(doubtful, PASSES_APART - timedelta(seconds=1)) == once
    assert doubtful.ledger.book(AT).working != ()


def test_a_second_negative_pass_a_minute_later_says_that_it_is_nowhere(doubtful):
    """Fault A4."""
    look(doubtful)
    assert look(doubtful, PASSES_APART)[-1] == "CANCELLED"
    order = doubtful.ledger.order(ID)
    assert order.note.startswith(NOT_FOUND)
    assert doubtful.ledger.book(AT).working == ()


def test_the_first_pass_is_remembered_by_the_next_process(doubtful):
    """Fault C1, fault B5: a restart between the passes does not begin again."""
    look(doubtful)
    doubtful.reopen()
    assert look(doubtful, PASSES_APART)[-1] == "CANCELLED"


@pytest.mark.parametrize("call", ["fetch_orders", "fetch_fills", "fetch_positions"])
def test_half_an_answer_is_no_pass(doubtful, call):
    doubtful.broker.hook = Faults({(call, "before", 1): BrokerUnavailable("gone")})
    with pytest.raises(BrokerUnavailable):
        look(doubtful)
    assert statuses(doubtful.database, ID) == ["PLANNED", "SENDING", "UNKNOWN"]


def test_a_position_that_is_not_ours_may_be_what_it_traded(doubtful):
    """Its day is over, no list names it any more, and its contracts are there."""
    doubtful.broker.change["fetch_positions"] = lambda positions: {**positions, SYMBOL: 10}
    look(doubtful)
    assert look(doubtful, PASSES_APART) == ["PLANNED", "SENDING", "UNKNOWN"]
    del doubtful.broker.change["fetch_positions"]
    assert look(doubtful, 2 * PASSES_APART)[-1] == "UNKNOWN", "counting begins only here"


def test_an_order_the_broker_lists_is_never_lost(bench):
    """Fault A2."""
    bench.broker.hook = Faults(
        {
            ("submit", "after", 1): OutcomeUnknown("no answer"),
            ("cancel", "before", 0): OutcomeUnknown("no answer"),
        }
    )
    bench.decide(ORDER)
    bench.broker.change["fetch_orders"] = lambda reports: ()
    bench.carry_out()
    bench.broker.change.clear()
    bench.broker.hook = None
    life = statuses(bench.database, ID)
    assert life[:3] == ["PLANNED", "SENDING", "UNKNOWN"]
    assert look(bench, timedelta(minutes=30)) == life


def test_an_order_found_nowhere_that_turns_up_after_all_is_taken_over(doubtful):
    """Fault A14: CANCELLED was not the end."""
    look(doubtful)
    look(doubtful, PASSES_APART)
    with doubtful.ledger.transaction() as tx:
        tx.record_order_event(ID, doubtful.at, OrderStatus.LIVE, broker_order_id="77")
    assert doubtful.ledger.order(ID).leaves_quantity == 10
    assert len(doubtful.ledger.book(doubtful.at).working) == 1


def test_i19_an_order_in_doubt_since_an_earlier_day_is_a_persons_business(doubtful):
    """Invariant I19."""
    assert long_in_doubt(doubtful.ledger, AT + timedelta(hours=3)) == []
    (order,) = long_in_doubt(doubtful.ledger, AT + timedelta(days=1))
    assert order.client_order_id == ID
