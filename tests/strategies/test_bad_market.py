"""A broken market is refused, or silent and named in the plan: never a crash, never a guess."""

import math
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.engine.collect import closed_because
from strategies.decide import decide
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.encoding import to_json
from strategies.model.errors import InvalidQuote
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.quotes import CALL, PUT, OptionChain
from strategies.model.rules import Rules
from strategies.model.snapshots import DailyHistory
from strategies.model.structures import option_positions
from strategies.pricing.margin import is_covered
from tests.builders import (
    TODAY,
    account,
    book,
    condor_position,
    daily_history,
    hedge_position,
    market_quotes,
    market_snapshot,
    spx_chain,
    weekday_calendar,
)

RULES = Rules()
STRIKES = np.arange(2950.0, 3475.0, 5.0)
CONDOR = condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=8, credit="2.50")
BOOK = book(
    condors=[CONDOR],
    hedges=[
        hedge_position("VIX 18MAR20 22 C", 12, cost="0.80"),
        hedge_position("VXM 15APR20", 4, cost="17.4"),
    ],
)
MEMORY = Memory(
    session=TODAY,
    regime=RegimeMemory(curve=Curve.CONTANGO),
    condors_insured=("C0001",),
    condors_opened=1,
)
GOOD = market_snapshot(
    market=market_quotes(spx_options=spx_chain(days=(21, 32, 39, 46), strikes=STRIKES)),
    history=daily_history(sessions=400),
)


# --- ways to break a good snapshot ----------------------------------------------------------------


def with_chain(snapshot, underlying, **columns):
    name = f"{underlying.lower()}_options"
    chain = replace(getattr(snapshot.market, name), **columns)
    return replace(snapshot, market=replace(snapshot.market, **{name: chain}))


def chain_of(snapshot, underlying) -> OptionChain:
    return getattr(snapshot.market, f"{underlying.lower()}_options")


def with_rows(snapshot, underlying, rows):
    chain = chain_of(snapshot, underlying)
    return with_chain(
        snapshot,
        underlying,
        series_index=chain.series_index[rows],
        strike=chain.strike[rows],
        bid=chain.bid[rows],
        ask=chain.ask[rows],
    )


def on_some(change):
    """Make a mutation of a chain out of a change of some of its bids and asks."""

    def mutate(snapshot, dice):
        underlying = dice.choice(["SPX", "VIX"])
        chain = chain_of(snapshot, underlying)
        some = dice.random(chain.bid.shape) < dice.choice([0.02, 0.3, 1.0])
        bid, ask = change(chain.bid, chain.ask, dice)
        return with_chain(
            snapshot,
            underlying,
            bid=np.where(some, bid, chain.bid),
            ask=np.where(some, ask, chain.ask),
        )

    return mutate


def no_side(snapshot, dice):
    underlying, column = dice.choice(["SPX", "VIX"]), dice.choice([PUT, CALL])
    chain = chain_of(snapshot, underlying)
    bid, ask = chain.bid.copy(), chain.ask.copy()
    some = dice.random(len(bid)) < dice.choice([0.3, 1.0])
    bid[some, column] = ask[some, column] = 0.0
    return with_chain(snapshot, underlying, bid=bid, ask=ask)


def thin(snapshot, dice):
    underlying = dice.choice(["SPX", "VIX"])
    count = len(chain_of(snapshot, underlying).strike)
    kept = int(dice.choice([0, 1, 3, 9, count // 2]))
    return with_rows(snapshot, underlying, np.sort(dice.permutation(count)[:kept]))


def stale_chain(snapshot, dice):
    age = timedelta(seconds=float(dice.choice([-3600, 119, 121, 86400])))
    return with_chain(snapshot, dice.choice(["SPX", "VIX"]), quoted_at=snapshot.at - age)


def settled_series(snapshot, dice):
    chain = chain_of(snapshot, "SPX")
    first = replace(chain.series[0], settles_at=snapshot.at - timedelta(hours=1))
    return with_chain(snapshot, "SPX", series=(first, *chain.series[1:]))


def broken_future(snapshot, dice):
    futures = list(snapshot.market.futures)
    for _ in range(int(dice.integers(1, 4))):
        if not futures:
            break
        at = int(dice.integers(len(futures)))
        each = futures[at]
        match int(dice.integers(5)):
            case 0:
                del futures[at]
            case 1:
                futures[at] = replace(each, bid=each.ask + 1.0)
            case 2:
                futures[at] = replace(each, ask=0.0)
            case 3:
                futures[at] = replace(each, quoted_at=each.quoted_at - timedelta(days=1))
            case _:
                futures[at] = replace(each, bid=0.0, ask=0.0, prior_settle=math.nan)
    return replace(snapshot, market=replace(snapshot.market, futures=tuple(futures)))


def no_futures(snapshot, dice):
    return replace(snapshot, market=replace(snapshot.market, futures=()))


def broken_index(snapshot, dice):
    indices = dict(snapshot.market.indices)
    name = str(dice.choice(sorted(indices)))
    each = indices.pop(name)
    values = [None, math.nan, 0.0, -5.0, 1e9, each.value]
    value = values[int(dice.integers(len(values)))]
    if value is not None:
        age = timedelta(hours=2) if value == each.value else timedelta(0)
        indices[name] = replace(each, value=value, quoted_at=each.quoted_at - age)
    return replace(snapshot, market=replace(snapshot.market, indices=indices))


def broken_history(snapshot, dice):
    history = snapshot.history
    columns = {name: getattr(history, name).copy() for name in history.__dataclass_fields__}
    floats = [name for name in columns if name != "session"]
    match int(dice.integers(6)):
        case 0:
            kept = slice(0, int(dice.choice([0, 1, 50])))
            columns = {name: column[kept] for name, column in columns.items()}
        case 1:
            columns[str(dice.choice(floats))][:] = np.nan
        case 2:
            columns[str(dice.choice(floats))][dice.random(len(history.session)) < 0.2] = np.nan
        case 3:
            columns[str(dice.choice(floats))][:] = 20.0
        case 4:
            columns["session"] -= np.timedelta64(30, "D")
        case _:
            columns[str(dice.choice([name for name in floats if not is_positive(name)]))][-1:] = 0.0
    return replace(snapshot, history=DailyHistory(**columns))


def is_positive(column):
    return column.endswith(("_close", "_settle", "_days"))


def no_calendar(snapshot, dice):
    return replace(snapshot, events=None)


def early_close(snapshot, dice):
    closes_at = snapshot.at + timedelta(hours=1)
    return replace(snapshot, is_early_close=True, closes_at=closes_at)


MUTATIONS = {
    "no bid": on_some(lambda bid, ask, dice: (np.zeros_like(bid), ask)),
    "no offer": on_some(lambda bid, ask, dice: (bid, np.zeros_like(ask))),
    "crossed": on_some(lambda bid, ask, dice: (ask + 0.05, bid)),
    "locked": on_some(lambda bid, ask, dice: (ask, ask)),
    "wide": on_some(lambda bid, ask, dice: (0.2 * bid, 5.0 * ask)),
    "a hundredfold": on_some(lambda bid, ask, dice: (100.0 * bid, 100.0 * ask)),
    "all alike": on_some(lambda bid, ask, dice: (np.full_like(bid, 3.0), np.full_like(ask, 3.1))),
    "noise": on_some(lambda bid, ask, dice: np.sort(dice.uniform(0, 90, (2, *bid.shape)), axis=0)),
    "one side": no_side,
    "thin": thin,
    "stale chain": stale_chain,
    "settled series": settled_series,
    "broken future": broken_future,
    "no futures": no_futures,
    "broken index": broken_index,
    "broken history": broken_history,
    "no calendar": no_calendar,
    "early close": early_close,
}


# --- what must hold for every plan ----------------------------------------------------------------


def numbers_in(value):
    """Every number of a plan, with where it stands."""
    if isinstance(value, float | Decimal):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from numbers_in(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from numbers_in(each)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from numbers_in(getattr(value, entry.name))


def is_offered(snapshot, instrument):
    """Whether anyone offers the instrument in a market that is not crossed and not too old."""
    oldest = snapshot.at - timedelta(seconds=RULES.signals.max_quote_age_s)
    if isinstance(instrument, FutureContract):
        return any(
            each.contract == instrument and each.quote.is_two_sided and each.quoted_at >= oldest
            for each in snapshot.market.futures
        )
    assert isinstance(instrument, OptionContract)
    chain = chain_of(snapshot, instrument.underlying)
    row = chain.find_row(instrument)
    if row is None or chain.quoted_at < oldest:
        return False
    column = PUT if instrument.right is Right.PUT else CALL
    return 0 <= chain.bid[row, column] <= chain.ask[row, column] > 0


def no_value(plan):
    return [each for each in plan.missing if each.startswith("no value for")]


def check(snapshot, plan, held):
    assert all(math.isfinite(number) for number in numbers_in(plan))
    assert to_json(plan)
    positions = option_positions(held)
    for order in plan.orders:
        for leg in order.legs:
            assert is_offered(snapshot, leg.instrument), f"{order.purpose}: {leg.instrument}"
            if isinstance(leg.instrument, OptionContract):
                before = positions.get(leg.instrument, 0)
                positions[leg.instrument] = before + leg.ratio * order.quantity
    assert not is_covered(positions), "G8 holds once everything has filled"
    bought = [trade for layer in plan.layers for trade in layer.trades if trade[1] > 0]
    if no_value(plan):
        assert not bought, "nothing is bought while something held has no value"
        assert not plan.opens
    if snapshot.entry_due and not plan.opens:
        failed = [gate for gate in plan.gates if gate.rule[0] in "CG" and not gate.passed]
        assert failed or plan.no_trade_reasons, "an entry that is not made says why"


def decided(snapshot, held=BOOK):
    plan, memory = decide(snapshot, held, account(), MEMORY, RULES)
    again, _ = decide(snapshot, held, account(), MEMORY, RULES)
    assert plan == again
    check(snapshot, plan, held)
    return plan, memory


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.lists(st.sampled_from(sorted(MUTATIONS)), min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    holds=st.booleans(),
)
def test_a_broken_market_never_breaks_the_decision(names, seed, holds):
    snapshot, dice = GOOD, np.random.default_rng(seed)
    for name in names:
        snapshot = MUTATIONS[name](snapshot, dice)
    decided(snapshot, BOOK if holds else book())


@pytest.mark.parametrize("name", sorted(MUTATIONS))
@pytest.mark.parametrize("seed", range(3))
def test_every_way_to_break_a_market_is_survived(name, seed):
    """Faults D2, D3 and D4: crossed, impossible and missing quotes."""
    decided(MUTATIONS[name](GOOD, np.random.default_rng(seed)))


def test_the_good_market_is_good():
    plan, _ = decided(GOOD)
    assert plan.opens
    assert plan.before is not None
    assert not no_value(plan)


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("price", [math.nan, math.inf, -0.01])
@pytest.mark.parametrize("column", ["bid", "ask"])
@pytest.mark.parametrize("underlying", ["SPX", "VIX"])
def test_a_chain_with_a_price_that_is_none_is_refused(underlying, column, price):
    prices = getattr(chain_of(GOOD, underlying), column).copy()
    prices[7, CALL] = price
    with pytest.raises(InvalidQuote, match=f"a {column} is negative or not finite"):
        with_chain(GOOD, underlying, **{column: prices})


@pytest.mark.parametrize("strike", [STRIKES[1], STRIKES[0] - 5.0])
def test_a_chain_with_a_strike_twice_or_out_of_order_is_refused(strike):
    strikes = chain_of(GOOD, "SPX").strike.copy()
    strikes[2] = strike
    with pytest.raises(InvalidQuote, match="not in order"):
        with_chain(GOOD, "SPX", strike=strikes)


@pytest.mark.parametrize("price", [math.nan, math.inf, -0.01])
@pytest.mark.parametrize("column", ["bid", "ask"])
def test_a_future_with_a_price_that_is_none_is_refused(column, price):
    with pytest.raises(InvalidQuote, match="VX 19FEB20 is quoted"):
        replace(GOOD.market.futures[0], **{column: price})


def test_a_future_quoted_twice_or_out_of_order_is_refused():
    futures = GOOD.market.futures
    for wrong in ((futures[0], *futures), futures[::-1]):
        with pytest.raises(InvalidQuote, match="does not follow"):
            replace(GOOD.market, futures=wrong)


@pytest.mark.parametrize("rate", [math.nan, math.inf])
def test_a_rate_that_is_no_number_is_refused(rate):
    with pytest.raises(InvalidQuote, match="the rate is"):
        replace(GOOD.market, rate=rate)


def test_an_infinite_index_is_refused():
    with pytest.raises(InvalidQuote, match="an index is"):
        replace(GOOD.market.indices["VIX"], value=math.inf)


@pytest.mark.parametrize("price", [0.0, -1.0, math.inf])
@pytest.mark.parametrize("column", ["spx_close", "vix_close", "vx1_settle", "vx2_days"])
def test_a_history_with_a_price_that_is_none_is_refused(column, price):
    prices = getattr(GOOD.history, column).copy()
    prices[3] = price
    with pytest.raises(InvalidQuote, match=f"{column} is zero"):
        replace(GOOD.history, **{column: prices})


def test_a_holiday_is_no_session_to_decide_in():
    """Fault D12: a full holiday, whatever the futures exchange does."""
    presidents_day = date(2020, 2, 17)
    calendar = weekday_calendar(date(2020, 2, 3), date(2020, 2, 28), holidays=[presidents_day])
    at = datetime.combine(presidents_day, time(10), EXCHANGE_ZONE)
    assert closed_because(calendar, at) == "2020-02-17 is no session"


# --- silent, and named ----------------------------------------------------------------------------


def with_quote(snapshot, contract, *, bid, ask):
    """Give one option another quote."""
    chain = chain_of(snapshot, contract.underlying)
    row = chain.find_row(contract)
    column = PUT if contract.right is Right.PUT else CALL
    bids, asks = chain.bid.copy(), chain.ask.copy()
    bids[row, column], asks[row, column] = bid, ask
    return with_chain(snapshot, contract.underlying, bid=bids, ask=asks)


@pytest.mark.parametrize(("bid", "ask"), [(1.0, 0.0), (3.0, 2.9)])
def test_c12_a_held_leg_that_is_crossed_or_not_offered_is_named_and_nothing_opens(bid, ask):
    """Fault D2: a crossed quote prices nothing."""
    plan, _ = decided(with_quote(GOOD, CONDOR.legs.short_put, bid=bid, ask=ask))
    assert "no value for C0001" in plan.missing
    assert plan.hedge_state.startswith("unpriceable: C0001")
    assert plan.before is None
    assert not plan.orders
    assert any("C0001" in reason for reason in plan.no_trade_reasons)


def test_c12_a_held_leg_that_is_locked_has_a_value():
    plan, _ = decided(with_quote(GOOD, CONDOR.legs.short_put, bid=13.0, ask=13.0))
    assert plan.before is not None
    assert not no_value(plan)


def test_c12_a_market_locked_at_prices_that_contradict_each_other_has_no_value():
    chain = chain_of(GOOD, "SPX")
    mid = 0.5 * (chain.bid + chain.ask)  # of rounded quotes: no two strikes agree on a forward
    plan, _ = decided(with_chain(GOOD, "SPX", bid=mid, ask=mid))
    assert "no value for C0001" in plan.missing
    assert not plan.opens


@pytest.mark.parametrize(("age_s", "is_taken"), [(119.0, True), (120.0, True), (120.001, False)])
def test_c12_quotes_older_than_their_age_have_no_value(age_s, is_taken):
    quoted_at = GOOD.at - timedelta(seconds=age_s)
    plan, _ = decided(with_chain(GOOD, "SPX", quoted_at=quoted_at))
    assert bool(plan.opens) is is_taken
    assert ("no value for C0001" in plan.missing) is not is_taken


@pytest.mark.parametrize("column", [PUT, CALL])
def test_c2_strikes_with_one_side_only_have_no_surface(column):
    chain = chain_of(GOOD, "SPX")
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[:, column] = ask[:, column] = 0.0
    plan, _ = decided(with_chain(GOOD, "SPX", bid=bid, ask=ask), book())
    assert not plan.opens
    gates = [gate for gate in plan.gates if gate.rule == "C2"]
    assert [gate.passed for gate in gates] == [False]


def test_c2_an_expiry_with_three_quotes_is_passed_over_for_the_next():
    chain = chain_of(GOOD, "SPX")
    usual, _ = decided(GOOD, book())
    expiry = usual.opens[0].legs.short_put.expiry
    number = [each.expiry for each in chain.series].index(expiry)
    rows = np.flatnonzero(chain.series_index == number)
    middle = rows[len(rows) // 2 - 1 : len(rows) // 2 + 2]
    thinned = np.sort(np.concatenate([np.flatnonzero(chain.series_index != number), middle]))
    plan, _ = decided(with_rows(GOOD, "SPX", thinned), book())
    assert plan.opens
    assert plan.opens[0].legs.short_put.expiry != expiry


def test_s7_an_empty_curve_is_absent_and_moves_no_layer():
    empty = replace(GOOD, market=replace(GOOD.market, futures=()))
    plan, memory = decided(empty)
    assert any(each.startswith("S7") for each in plan.missing)
    assert plan.signals["S7 backwardation_fraction"] is None
    assert plan.signals["S7 backwardation_points"] is None
    assert memory.regime.curve is Curve.CONTANGO
    assert {"no value for VXM 15APR20", "no value for VIX 18MAR20 22 C"} <= set(plan.missing)
    assert all(not layer.trades for layer in plan.layers)


def test_c2_an_empty_spx_chain_opens_nothing_and_has_no_value_for_what_is_held():
    empty = with_rows(GOOD, "SPX", np.array([], dtype=np.int64))
    plan, _ = decided(empty)
    assert "no value for C0001" in plan.missing
    assert not plan.orders
    plan, _ = decided(empty, book())
    assert [gate.passed for gate in plan.gates if gate.rule == "C2"] == [False]


def test_l5_an_empty_vix_chain_leaves_the_calls_without_a_value():
    plan, _ = decided(with_rows(GOOD, "VIX", np.array([], dtype=np.int64)))
    assert "no value for VIX 18MAR20 22 C" in plan.missing
    assert all(not layer.trades for layer in plan.layers)


@pytest.mark.parametrize("value", [math.nan, 0.0, -1.0])
@pytest.mark.parametrize(("name", "signal"), [("VIX", "S1"), ("SPX", "S2")])
def test_s1_s2_an_index_that_is_no_price_is_absent_and_named(name, signal, value):
    indices = GOOD.market.indices | {name: replace(GOOD.market.indices[name], value=value)}
    plan, _ = decided(replace(GOOD, market=replace(GOOD.market, indices=indices)))
    assert any(each.startswith(signal) and name in each for each in plan.missing)


def test_s1_a_history_that_ended_weeks_ago_makes_its_signals_absent():
    old = replace(GOOD, history=daily_history(sessions=400, before=TODAY - timedelta(days=21)))
    plan, _ = decided(old)
    assert any(each.startswith("S1 ") and "days old" in each for each in plan.missing)
    assert plan.regime["R1"] == "contango"


def test_c1_without_a_calendar_the_blackout_lets_nothing_in():
    rules = replace(RULES, condor=replace(RULES.condor, skip_event_days=True))
    plan, _ = decide(replace(GOOD, events=None), book(), account(), MEMORY, rules)
    assert not plan.opens
    assert any(each.startswith("S11") for each in plan.missing)
