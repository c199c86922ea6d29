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


def harvest(lots, *, rsi=50.0, macd=Side.BULLISH, memory=None, keep=0.0, rules=RULES, sales=None):
    sales = sales or Sales(lots, ())
    outcome = sell_harvest(
        sales,
        lots,
        replace(SIGNALS, rsi_vix=rsi, macd_vix=macd),
        memory or Memory(),
        keep_usd=keep,
        session=TODAY,
        rules=rules.rotation,
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
    assert not outcome.armed
    assert outcome.harvested == ()
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


def test_b12_a_harvest_comes_once_an_arming():
    outcome, _ = harvest([CALLS], macd=Side.BEARISH, memory=ARMED)
    again, trades = harvest(
        [CALLS], rsi=90.0, macd=Side.BEARISH, memory=Memory(harvest_armed=outcome.armed)
    )
    assert not again.armed
    assert trades == []


@pytest.mark.parametrize(
    ("bid", "sold"), [(2.36, 5), (2.40, 5), (2.34, 0)]
)  # 0.04 wide around 2.38, 2.42 and 2.36; four times 0.60 are 2.40
def test_b12_a_call_worth_four_times_its_cost_is_halved(bid, sold):
    mid = bid + 0.02
    held = lot("VIX 18MAR20 22 C", 10, bid=bid, ask=bid + 0.04, cost_usd=59.5)
    outcome, trades = harvest([held])
    assert trades == ([(held.instrument, -sold)] if sold else [])
    assert bool(outcome.harvested) is (mid * 100 >= 4 * 59.5)


def test_b12_exactly_four_times_is_enough():
    at = lot("VIX 18MAR20 22 C", 10, bid=2.25, ask=2.75, cost_usd=62.5)
    assert harvest([at])[1] == [(at.instrument, -5)]
    assert harvest([replace(at, cost_usd=62.51)])[1] == []


def test_b12_the_multiple_halves_a_call_once_as_long_as_it_is_held():
    dear = lot("VIX 18MAR20 22 C", 10, bid=3.0, ask=3.1)
    outcome, trades = harvest([dear])
    symbol = dear.instrument.symbol
    assert outcome.harvested == ((symbol, TODAY.isoformat()),)
    assert trades == [(dear.instrument, -5)]
    remembered = Memory(harvested=outcome.harvested)
    again, trades = harvest([dear], memory=remembered)
    assert trades == []
    assert again.harvested == outcome.harvested
    gone, _ = harvest([FUTURE], memory=remembered)
    assert gone.harvested == ()


def test_b12_both_reasons_at_once_sell_one_half():
    dear = lot("VIX 18MAR20 22 C", 10, bid=3.0, ask=3.1)
    outcome, trades = harvest([dear], macd=Side.BEARISH, memory=ARMED)
    assert trades == [(dear.instrument, -5)]
    assert not outcome.armed
    assert len(outcome.harvested) == 1


@pytest.mark.parametrize(
    ("keep", "sold"), [(50.0, 5), (60.0, 4), (69.9, 3), (90.0, 1), (91.0, 0), (100.0, 0)]
)
def test_b12_what_the_vega_floor_needs_is_kept(keep, sold):
    outcome, trades = harvest([CALLS], macd=Side.BEARISH, memory=ARMED, keep=keep)
    assert trades == ([(CALLS.instrument, -sold)] if sold else [])
    assert outcome.armed is (sold == 0)  # what could not be sold at all stays armed


def test_b12_rounds_in_favour_of_keeping_and_one_call_stays():
    for held, sold in ((1, 0), (2, 1), (3, 1)):
        few = lot("VIX 18MAR20 22 C", held)
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
    assert outcome.gates[-1].note == f"{dear.instrument}, halved on {TODAY}"
    again, _ = harvest([dear], memory=Memory(harvested=((dear.instrument.symbol, "2020-01-31"),)))
    assert again.gates[-1].note == f"{dear.instrument}, halved on 2020-01-31"
    single, _ = harvest([lot("VIX 18MAR20 22 C", 1, bid=3.0, ask=3.1)])
    assert (
        single.gates[-1].note
        == f"{dear.instrument}, kept: a single one, or the vega floor needs it"
    )
    assert harvest([CALLS])[0].gates[-1].note == str(CALLS.instrument)
    assert harvest([FUTURE])[0].gates[-1].note == ""
