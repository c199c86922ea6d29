"""B12: part of the long calls is sold once a spike turns, and where a call has multiplied."""

from dataclasses import replace

import pytest

from strategies.alvh.harvest import sell_harvest
from strategies.alvh.rebalance import Sales
from strategies.model.memory import Memory
from strategies.model.orders import PositionEffect, Urgency
from strategies.signals.indicators import Side
from strategies.signals.readings import read_signals
from tests.builders import TODAY, market_snapshot
from tests.strategies.alvh.builders import RULES, lot

SIGNALS = read_signals(market_snapshot(), RULES)
ARMED = Memory(harvest_armed=True)
CALLS = lot("VIX 18MAR20 22 C", 10, cost_usd=60.0)  # worth 62 USD
FUTURE = lot("VX 18MAR20", 2, unit=500.0, bid=16.95, ask=17.0, cost_usd=15_000.0)


def harvest(lots, *, rsi=60.0, macd=Side.BULLISH, memory=None, keep=0.0, rules=RULES, sales=None):
    sales = sales or Sales(lots, ())
    outcome = sell_harvest(
        sales,
        lots,
        replace(SIGNALS, rsi_vix=rsi, macd_vix=macd),
        memory or Memory(),
        keep_usd=keep,
        session=TODAY,
        rules=rules,
    )
    return outcome, [(trade.instrument, trade.contracts) for trade in sales.trades]


@pytest.mark.parametrize(
    ("rsi", "armed"), [(70.0, False), (70.01, True), (69.99, False), (None, False)]
)
def test_b12_rsi_above_its_threshold_arms(rsi, armed):
    outcome, trades = harvest([CALLS], rsi=rsi)
    assert outcome.armed is armed
    assert trades == []


@pytest.mark.parametrize("macd", [Side.BEARISH, None])
def test_b12_nothing_is_armed_while_the_macd_is_bearish_or_unknown(macd):
    outcome, trades = harvest([CALLS], rsi=90.0, macd=macd)
    assert not outcome.armed
    assert trades == []


def test_b12_once_armed_a_bearish_macd_sells_half_of_every_call():
    others = lot("VIX 15APR20 25 C", 7, unit=8.0)
    outcome, trades = harvest([CALLS, others, FUTURE], macd=Side.BEARISH, memory=ARMED)
    assert trades == [(CALLS.instrument, -5), (others.instrument, -3)]
    assert outcome.armed  # until they have filled
    assert outcome.harvesting == ((CALLS.instrument.symbol, 5), (others.instrument.symbol, 4))
    assert (outcome.halving, outcome.harvested) == ((), ())
    assert outcome.layers == {"L2"}


def test_b12_the_sale_closes_is_not_urgent_and_names_its_rule():
    sales = Sales([CALLS], ())
    harvest([CALLS], macd=Side.BEARISH, memory=ARMED, sales=sales)
    (trade,) = sales.trades
    assert trade.rules == ("B12",)
    assert (trade.effect, trade.urgency) == (PositionEffect.CLOSE, Urgency.NORMAL)


@pytest.mark.parametrize("macd", [Side.BULLISH, Side.LEVEL, None])
def test_b12_an_armed_harvest_waits_for_a_bearish_macd(macd):
    outcome, trades = harvest([CALLS], macd=macd, memory=ARMED)
    assert outcome.armed
    assert trades == []


def remembered(outcome) -> Memory:
    return Memory(
        harvest_armed=outcome.armed,
        harvesting=outcome.harvesting,
        halving=outcome.halving,
        harvested=outcome.harvested,
    )


def held(lot_, contracts, *, selling=0):
    return replace(lot_, contracts=contracts, selling=selling)


def test_b12_a_harvest_comes_once_an_arming():
    outcome, _ = harvest([CALLS], macd=Side.BEARISH, memory=ARMED)
    again, trades = harvest(
        [held(CALLS, 5)], rsi=90.0, macd=Side.BEARISH, memory=remembered(outcome)
    )
    assert not again.armed
    assert (trades, again.harvesting) == ([], ())
    anew, _ = harvest([held(CALLS, 5)], rsi=90.0, memory=remembered(outcome))
    assert anew.armed  # by an RSI that is high before S3 has turned again
    assert anew.harvesting == ()


@pytest.mark.parametrize(
    ("contracts", "selling", "sold", "is_armed"),
    [
        (10, 0, 5, True),  # nothing has filled, and the order is gone
        (10, 5, 0, True),  # it is still at work
        (7, 0, 2, True),
        (6, 0, 1, True),
        (5, 0, 0, False),
        (4, 0, 0, False),  # another rule has sold as well
        (20, 0, 10, True),  # ten were bought since: half, and not all but five
    ],
)
def test_b12_a_harvest_is_asked_for_until_it_has_filled(contracts, selling, sold, is_armed):
    first, _ = harvest([CALLS], macd=Side.BEARISH, memory=ARMED)
    calls = held(CALLS, contracts, selling=selling)
    outcome, trades = harvest([calls], macd=Side.BEARISH, memory=remembered(first))
    assert trades == ([(calls.instrument, -sold)] if sold else [])
    assert outcome.armed is is_armed
    assert outcome.harvesting == (((calls.instrument.symbol, 5),) if is_armed else ())
    assert outcome.layers == ({"L2"} if sold or selling else set())


def test_b12_a_harvest_that_waits_to_fill_sells_nothing_else_and_waits_for_a_bearish_macd():
    first, _ = harvest([CALLS], macd=Side.BEARISH, memory=ARMED)
    later = lot("VIX 15APR20 25 C", 8)
    outcome, trades = harvest([CALLS, later], macd=Side.BEARISH, memory=remembered(first))
    assert trades == [(CALLS.instrument, -5)]
    assert outcome.harvesting == first.harvesting
    waiting, trades = harvest([CALLS, later], memory=remembered(outcome))
    assert (trades, waiting.armed, waiting.harvesting) == ([], True, first.harvesting)


@pytest.mark.parametrize(("rsi", "is_armed"), [(50.0, True), (49.99, False), (None, True)])
def test_b12_the_reset_of_s1_s_latch_disarms(rsi, is_armed):
    for macd in (Side.BULLISH, Side.BEARISH):
        outcome, trades = harvest([CALLS], rsi=rsi, macd=macd, memory=ARMED)
        assert outcome.armed is is_armed
        assert bool(trades) is (is_armed and macd is Side.BEARISH)
        assert outcome.gates[0].passed is is_armed
    asked = replace(ARMED, harvesting=((CALLS.instrument.symbol, 5),))
    dropped, _ = harvest([CALLS], rsi=rsi, memory=asked)
    assert dropped.harvesting == (asked.harvesting if is_armed else ())


@pytest.mark.parametrize(
    ("bid", "sold"), [(2.36, 5), (2.40, 5), (2.34, 0)]
)  # 0.04 wide around 2.38, 2.42 and 2.36; four times 0.60 are 2.40
def test_b12_a_call_worth_four_times_its_cost_is_halved(bid, sold):
    mid = bid + 0.02
    calls = lot("VIX 18MAR20 22 C", 10, bid=bid, ask=bid + 0.04, cost_usd=59.5)
    outcome, trades = harvest([calls])
    assert trades == ([(calls.instrument, -sold)] if sold else [])
    assert bool(outcome.halving) is (mid * 100 >= 4 * 59.5)


def test_b12_exactly_four_times_is_enough():
    at = lot("VIX 18MAR20 22 C", 10, bid=2.25, ask=2.75, cost_usd=62.5)
    assert harvest([at])[1] == [(at.instrument, -5)]
    assert harvest([replace(at, cost_usd=62.51)])[1] == []


def test_b12_the_multiple_halves_a_call_once_as_long_as_it_is_held():
    dear = lot("VIX 18MAR20 22 C", 10, bid=3.0, ask=3.1)
    outcome, trades = harvest([dear])
    symbol = dear.instrument.symbol
    assert (outcome.halving, outcome.harvested) == (((symbol, 5),), ())
    assert trades == [(dear.instrument, -5)]
    part, trades = harvest([held(dear, 8)], memory=remembered(outcome))
    assert trades == [(dear.instrument, -3)]
    assert (part.halving, part.harvested) == (((symbol, 5),), ())
    done, trades = harvest([held(dear, 5)], memory=remembered(part))
    assert trades == []
    assert (done.halving, done.harvested) == ((), ((symbol, TODAY.isoformat()),))
    again, trades = harvest([held(dear, 5)], memory=remembered(done))
    assert trades == []
    assert again.harvested == done.harvested
    gone, _ = harvest([FUTURE], memory=remembered(done))
    assert gone.harvested == ()


def test_b12_a_call_no_longer_worth_its_multiple_is_asked_for_no_more():
    dear = lot("VIX 18MAR20 22 C", 10, bid=3.0, ask=3.1)
    first, _ = harvest([dear])
    outcome, trades = harvest([CALLS], memory=remembered(first))
    assert (trades, outcome.halving, outcome.harvested) == ([], (), ())


def test_b12_both_reasons_at_once_sell_one_half():
    dear = lot("VIX 18MAR20 22 C", 10, bid=3.0, ask=3.1)
    outcome, trades = harvest([dear], macd=Side.BEARISH, memory=ARMED)
    assert trades == [(dear.instrument, -5)]
    assert outcome.harvesting == outcome.halving == ((dear.instrument.symbol, 5),)
    done, trades = harvest([held(dear, 5)], macd=Side.BEARISH, memory=remembered(outcome))
    assert (trades, done.armed, len(done.harvested)) == ([], False, 1)


@pytest.mark.parametrize(
    ("keep", "sold"), [(50.0, 5), (60.0, 4), (69.9, 3), (90.0, 1), (91.0, 0), (100.0, 0)]
)
def test_b12_what_the_vega_floor_needs_is_kept(keep, sold):
    outcome, trades = harvest([CALLS], macd=Side.BEARISH, memory=ARMED, keep=keep)
    assert trades == ([(CALLS.instrument, -sold)] if sold else [])
    assert outcome.armed
    assert bool(outcome.harvesting) is (sold > 0)
    done, _ = harvest([held(CALLS, 10 - sold)], macd=Side.BEARISH, memory=remembered(outcome))
    assert done.armed is (sold == 0)  # what could not be sold at all stays armed


def test_b12_rounds_in_favour_of_keeping_and_one_call_stays():
    for contracts, sold in ((1, 0), (2, 1), (3, 1)):
        few = lot("VIX 18MAR20 22 C", contracts)
        _, trades = harvest([few], macd=Side.BEARISH, memory=ARMED)
        assert trades == ([(few.instrument, -sold)] if sold else [])


def test_b12_what_other_rules_sell_is_not_halved_again():
    sales = Sales([CALLS], ())
    sales.sell(CALLS, 6, ("B10",))
    _, trades = harvest([CALLS], macd=Side.BEARISH, memory=ARMED, sales=sales)
    assert trades == [(CALLS.instrument, -8)]


def test_b12_share_and_multiple_are_rule_values():
    rotation = replace(RULES.rotation, harvest_share=0.25, harvest_multiple=1.5, harvest_rsi=60.0)
    rules = replace(RULES, rotation=rotation)
    dear = lot("VIX 18MAR20 22 C", 8, bid=0.90, ask=0.94)
    outcome, trades = harvest([dear], rules=rules, rsi=61.0)
    assert trades == [(dear.instrument, -2)]
    assert outcome.armed


def test_b12_without_a_value_or_a_cost_nobody_knows_a_multiple():
    silent = lot("VIX 18MAR20 22 C", 10, priced=False)
    free = lot("VIX 15APR20 25 C", 10, cost_usd=0.0)
    outcome, trades = harvest([silent, free])
    assert (outcome.harvested, trades) == ((), [])


def test_b12_a_call_without_vega_is_halved_all_the_same():
    dead = lot("VIX 18MAR20 22 C", 10, unit=0.0)
    assert harvest([dead], macd=Side.BEARISH, memory=ARMED)[1] == [(dead.instrument, -5)]


def test_b12_its_gates_tell_what_was_looked_at():
    outcome, _ = harvest([CALLS], rsi=72.0, macd=Side.BEARISH, memory=ARMED)
    arming, turning, multiple = outcome.gates
    assert (arming.value, arming.threshold, arming.passed) == (72.0, 70.0, True)
    assert (turning.value, turning.passed, turning.note) == (
        "bearish",
        True,
        "S3; 1 calls harvested",
    )
    assert multiple.value == pytest.approx(62 / 60, abs=1e-4)
    assert not multiple.passed
    nothing, _ = harvest([FUTURE], rsi=None, macd=None)
    assert [gate.value for gate in nothing.gates] == [None, None, None]
    assert not any(gate.passed for gate in nothing.gates)


def test_b12_the_multiples_gate_says_why_a_dear_call_is_not_sold():
    dear = lot("VIX 18MAR20 22 C", 10, bid=3.0, ask=3.1)
    outcome, _ = harvest([CALLS, dear])
    assert outcome.gates[-1].note == f"{dear.instrument}, being sold down to 5"
    again, _ = harvest([dear], memory=Memory(harvested=((dear.instrument.symbol, "2020-01-31"),)))
    assert again.gates[-1].note == f"{dear.instrument}, halved on 2020-01-31"
    single, _ = harvest([lot("VIX 18MAR20 22 C", 1, bid=3.0, ask=3.1)])
    assert (
        single.gates[-1].note
        == f"{dear.instrument}, kept: a single one, or the vega floor needs it"
    )
    assert harvest([CALLS])[0].gates[-1].note == str(CALLS.instrument)
    assert harvest([FUTURE])[0].gates[-1].note == ""
