"""Mending a broken condor: shorts are bought back first, nothing is sold before (fault A29)."""

from dataclasses import replace

import pytest

from bot.engine.repairs import carry_out_repairs, repair_orders
from bot.engine.requests import RequestKind
from bot.engine.structures import Structure
from strategies.model.breaks import BreakKind
from strategies.model.orders import PositionEffect, Urgency
from tests.bot.engine.books import Books, kinds
from tests.bot.exchange.venue.fakes import ScriptedMarket
from tests.builders import option, quote

SHORT = option("SPXW 20MAR20 3050 P")
LONG = option("SPXW 20MAR20 3000 P")
QUOTES = {SHORT.symbol: quote("6.60 x 6.80"), LONG.symbol: quote("4.00 x 4.20")}
CLOSE_CALLS = "+1 SPXW 20MAR20 3350 C, -1 SPXW 20MAR20 3400 C"


def structure(uneven):
    return Structure(condor_id="C0001", held=uneven, whole=0, uneven=uneven, is_own=True)


def test_a_short_is_bought_back_before_its_long_is_sold():
    (order,) = repair_orders(structure({SHORT: -2, LONG: 2}), QUOTES, "plan-1", {})
    assert order.purpose == f"repair:C0001:{SHORT.symbol}"
    assert (order.legs[0].ratio, order.quantity) == (1, 2)
    assert (order.effect, order.urgency) == (PositionEffect.CLOSE, Urgency.URGENT)
    assert (str(order.limit_price), str(order.worst_price)) == ("6.70", "6.80")


def test_what_is_left_over_is_sold_at_the_bid_at_worst():
    (order,) = repair_orders(
        structure({LONG: 2}), QUOTES, "plan-1", {f"repair:C0001:{LONG.symbol}": 2}
    )
    assert (order.legs[0].ratio, order.quantity, order.attempt) == (-1, 2, 3)
    assert (str(order.limit_price), str(order.worst_price)) == ("-4.10", "-4.0")


@pytest.mark.parametrize("bad", [None, quote("0 x 0"), quote("5.00 x 4.00")])
def test_what_has_no_quote_is_not_traded(bad):
    quotes = {} if bad is None else {SHORT.symbol: bad}
    assert repair_orders(structure({SHORT: -2}), quotes, "plan-1", {}) == ()


def test_a_condor_half_closed_by_hand_is_closed_step_by_step(make_bench):
    """Fault E1: adopted first, then the short that is left, then its long."""
    bench = make_bench(ScriptedMarket(scripted={LONG: QUOTES[LONG.symbol]}))
    books = Books(bench)
    books.open_condor()
    with bench.ledger.transaction() as tx:
        tx.complete_interval("plan-1", bench.at)
    books.trade("manual-1", CLOSE_CALLS, 2, "20.00")
    assert mend(books) == []  # whose they are is for an operator to say
    for found in books.look():
        if found.kind is BreakKind.FOREIGN_FILL:
            books.decide(RequestKind.ADOPT, found, condor_id="C0001")
    assert kinds(books.look()) == [BreakKind.STRUCTURE]
    assert mend(books) == [f"repair:C0001:{SHORT.symbol}"]
    assert kinds(books.look()) == [BreakKind.STRUCTURE]
    assert mend(books) == [f"repair:C0001:{LONG.symbol}"]
    assert books.look() == []
    assert bench.ledger.positions() == {} == bench.exchange.positions()
    assert bench.ledger.book(bench.at).condors == ()


class Unquoted:
    """A market in which nobody quotes anything."""

    async def fetch_quotes(self, instruments):
        return {}


def test_a_repair_waits_for_quotes(bench):
    books = Books(bench)
    books.open_condor()
    books.trade("manual-1", CLOSE_CALLS, 2, "20.00")
    for found in books.look():
        if found.kind is BreakKind.FOREIGN_FILL:
            books.decide(RequestKind.ADOPT, found, condor_id="C0001")
    assert kinds(books.look()) == [BreakKind.STRUCTURE]
    with bench.ledger.transaction() as tx:
        tx.complete_interval("plan-1", bench.at)
    assert mend(books, Unquoted()) == []
    assert len(bench.ledger.orders_of_plan("plan-1")) == 1


def test_a_repair_that_is_refused_is_tried_again_as_another_attempt(bench):
    books = Books(bench)
    books.open_condor()
    books.trade("manual-1", CLOSE_CALLS, 2, "20.00")
    for found in books.look():
        if found.kind is BreakKind.FOREIGN_FILL:
            books.decide(RequestKind.ADOPT, found, condor_id="C0001")
    books.look()
    assert mend(books) == []  # a decision that is still being carried out is not joined
    with bench.ledger.transaction() as tx:
        tx.complete_interval("plan-1", bench.at)
    limits = bench.limits
    bench.limits = replace(
        limits,
        price_collar_points=limits.price_collar_points * 0,
        price_collar_fraction=limits.price_collar_fraction * 0,
    )
    mend(books)
    bench.limits = limits
    mend(books)
    attempts = [
        order.intent.attempt
        for order in bench.ledger.orders_of_plan("plan-1")
        if order.intent.purpose.startswith("repair")
    ]
    assert attempts == sorted(set(attempts))
    assert len(attempts) > 1


def mend(books, market_data=None):
    """Carry out what is proposed; return the purposes."""
    bench, sent = books.bench, []
    market_data = market_data or bench.market_data

    async def act():
        await bench.broker.connect()
        executor = bench.executor
        orders = await carry_out_repairs(
            bench.ledger, market_data, executor.carry_out, bench.clock.now()
        )
        sent.extend(order.purpose for order in orders)

    bench.live(act)
    return sent
