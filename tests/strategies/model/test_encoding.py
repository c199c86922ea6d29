"""Values to JSON and back: the same value gives the same bytes, and strangers are refused."""

import json
import re
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from strategies.model.book import Account, Book, LoosePosition
from strategies.model.encoding import UndecodableValue, decode, encode, from_json, to_json
from strategies.model.ids import ClientOrderId
from strategies.model.instruments import FutureContract, OptionContract, Right
from strategies.model.lifecycle import OrderStatus
from strategies.model.memory import Curve, Memory, RegimeMemory, RotationMemory
from strategies.model.orders import OrderIntent, PositionEffect, Urgency
from strategies.model.plan import (
    CondorClose,
    CondorOpen,
    Gate,
    LayerPlan,
    LayerReason,
    Measures,
    Plan,
)
from strategies.model.quotes import OptionChain
from strategies.model.snapshots import DailyHistory, EventAhead, EventKind, MarketSnapshot
from tests.builders import (
    AT,
    TODAY,
    account,
    book,
    condor_legs,
    condor_position,
    daily_history,
    future,
    hedge_position,
    instant,
    leg,
    market_quotes,
    market_snapshot,
    option,
    spx_chain,
)

LEGS = "SPXW 20MAR20 3000/3010/3400/3410"

# --- values -------------------------------------------------------------------------------------

curves = st.sampled_from(Curve)
dates = st.dates(date(2000, 1, 1), date(2100, 1, 1))
finite = st.floats(allow_nan=False, allow_infinity=False)
memories = st.builds(
    Memory,
    session=st.none() | dates,
    rsi_vix_high=st.booleans(),
    regime=st.builds(
        RegimeMemory,
        curve=curves,
        candidate=curves,
        candidate_intervals=st.integers(0, 10_000),
        spike=st.booleans(),
        shift=st.booleans(),
    ),
    rotation=st.builds(
        RotationMemory,
        l1_cut=finite,
        flips_rotated=st.integers(0, 99),
        restoring_since=st.none() | dates,
        l1_cut_at_restore=finite,
    ),
    core_contracts=st.integers(0, 999),
    condors_opened=st.integers(0, 9999),
)


def intent(**changes) -> OrderIntent:
    order = OrderIntent(
        plan_id="P1",
        purpose="condor:C0007:open",
        legs=(
            leg("+1 SPXW 20MAR20 3000 P"),
            leg("-1 SPXW 20MAR20 3010 P"),
            leg("-1 SPXW 20MAR20 3400 C"),
            leg("+1 SPXW 20MAR20 3410 C"),
        ),
        quantity=3,
        limit_price=Decimal("-1.85"),
        worst_price=Decimal("-1.20"),
        effect=PositionEffect.OPEN,
        urgency=Urgency.NORMAL,
        rules=("C1", "C3"),
        condor_id="C0007",
    )
    return replace(order, **changes)


def plan() -> Plan:
    """A plan in which every field has something to say."""
    measures = Measures(
        condor_contracts=3,
        condor_factor_vega_usd=-412.5,
        hedge_factor_vega_usd=388.25,
        net_vega_per_condor=-0.0808,
        delta_usd=-12.0,
        gamma_usd=-0.4,
        theta_usd_per_day=61.3,
        loss_vix_5_usd=-1900.0,
        loss_vix_8_usd=-2500.5,
        breakeven_low=3008.15,
        breakeven_high=None,
    )
    return Plan(
        plan_id="P1",
        at=AT,
        session=TODAY,
        rules_hash="ab" * 32,
        regime={"R1": "contango", "R2": "absent"},
        signals={"S1 rsi_vix": 47.25, "S3 macd_vix": "bearish", "S5 x": True, "S8 x": None},
        gates=(
            Gate(rule="C6", name="credit over width", value=0.18, threshold=0.1, passed=True),
            Gate(rule="R1", name="curve", value="flat", threshold=None, passed=False, note="n"),
        ),
        layers=(
            LayerPlan(
                layer="L1",
                active=True,
                reason=LayerReason.BOOST,
                share=0.5,
                scale=1.0,
                current_vega_usd=100.0,
                target_vega_usd=206.25,
                planned_vega_usd=150.0,
                current_contracts=2,
                change_contracts=1,
                instrument="VIX   200218C00020000",
                runner_up=None,
                rules=("L1", "S1"),
                binding_cap="B9",
            ),
        ),
        opens=(
            CondorOpen(
                condor_id="C0007",
                legs=condor_legs(LEGS),
                quantity=3,
                mid_credit=1.875,
                net_vega=-0.25,
                short_put_delta=-0.16,
                short_call_delta=0.158,
                entry_spot=3250.0,
                entry_sigma_sqrt_t=0.05,
                rules=("C2", "C3"),
            ),
        ),
        closes=(CondorClose(condor_id="C0003", rules=("C9",), mark_debit=None, note="21 DTE"),),
        orders=(intent(),),
        before=measures,
        after=None,
        curve=Curve.CONTANGO,
        hedge_state="under-hedged: G1",
        no_trade_reasons=("G1: soft cap",),
        missing=("S11 ppi_days: not in the event calendar",),
    )


EVENTS = (
    EventAhead(kind=EventKind.FOMC, day=date(2020, 3, 18), trading_days=31),
    EventAhead(kind=EventKind.CPI, day=date(2020, 2, 13), trading_days=8),
)


def same(one, other) -> bool:
    """Whether two values are equal, arrays and NaN included."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if is_dataclass(one) and type(one) is type(other):
        return all(same(getattr(one, e.name), getattr(other, e.name)) for e in fields(one))
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


# --- round trips --------------------------------------------------------------------------------


@given(memories)
def test_a_memory_comes_back_as_it_was_byte_for_byte(memory):
    text = to_json(memory)
    assert from_json(Memory, text) == memory
    assert to_json(from_json(Memory, text)) == text


def test_a_plan_comes_back_as_it_was_byte_for_byte():
    text = to_json(plan())
    assert from_json(Plan, text) == plan()
    assert to_json(from_json(Plan, text)) == text


@pytest.mark.parametrize("events", [None, (), EVENTS])
def test_a_snapshot_comes_back_as_it_was_byte_for_byte(events):
    snapshot = market_snapshot(events=events)
    text = to_json(snapshot)
    again = from_json(MarketSnapshot, text)
    assert same(again, snapshot)
    assert to_json(again) == text


def test_days_without_a_value_stay_without_one():
    history = daily_history(vvix=[95.0, np.nan, 96.0])
    text = to_json(history)
    assert "null" in text
    assert same(from_json(DailyHistory, text), history)


def test_a_chain_without_rows_keeps_its_two_columns():
    none = OptionChain(
        underlying="VIX",
        series=(),
        series_index=np.empty(0, dtype=np.int64),
        strike=np.empty(0),
        bid=np.empty((0, 2)),
        ask=np.empty((0, 2)),
        quoted_at=AT,
    )
    again = from_json(OptionChain, to_json(none))
    assert same(again, none)
    assert to_json(again) == to_json(none)


def test_a_book_and_an_account_come_back_as_they_were():
    held = book(
        condors=[condor_position(LEGS, quantity=3)],
        hedges=[hedge_position("VIX 18FEB20 20 C", 10), hedge_position("VX 18MAR20", -1)],
        hedge_cost_365d_usd="-12.345678",
    )
    assert from_json(Book, to_json(held)) == held
    assert from_json(Account, to_json(account("1000000.01"))) == account("1000000.01")


def test_what_is_held_loose_stands_in_a_book_only_where_there_is_some():
    """A book of before there was such a thing keeps its bytes, and so its plan's id."""
    held = book()
    assert "loose" not in to_json(held)
    assert from_json(Book, to_json(held)).loose == ()
    contract = option("SPXW 20MAR20 3010 P")
    uneven = replace(held, loose=(LoosePosition(instrument=contract, net_contracts=-3),))
    assert '"loose":[{"instrument":"SPXW  200320P03010000","net_contracts":-3}]' in to_json(uneven)
    assert from_json(Book, to_json(uneven)) == uneven


def test_every_status_and_enumeration_is_its_value():
    for status in OrderStatus:
        assert encode(status) == status.value
        assert decode(OrderStatus, status.value) is status


# --- canonical bytes ----------------------------------------------------------------------------


def test_keys_are_sorted_and_nothing_is_padded():
    assert to_json({"b": 1, "a": (True, None)}) == '{"a":[true,null],"b":1}'


@given(st.dictionaries(st.text(max_size=5), finite, max_size=8))
def test_the_order_in_which_a_mapping_was_filled_leaves_no_trace(mapping):
    assert to_json(dict(reversed(mapping.items()))) == to_json(mapping)


def test_an_instant_is_the_same_bytes_in_any_zone():
    tokyo = AT.astimezone(ZoneInfo("Asia/Tokyo"))
    assert to_json(AT) == to_json(tokyo) == '"2020-02-03T15:00:00+00:00"'
    again = from_json(datetime, to_json(AT))
    assert again == AT
    assert again.tzinfo == UTC


def test_the_two_instants_of_a_repeated_hour_stay_two():
    first = instant("2020-11-01 01:30")
    second = first.replace(fold=1)
    assert to_json(first) != to_json(second)
    assert from_json(datetime, to_json(second)) - from_json(datetime, to_json(first)) == timedelta(
        hours=1
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.10"), '"1.10"'),
        (date(2020, 2, 3), '"2020-02-03"'),
        (timedelta(minutes=2), "120.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (float("nan"), "null"),
        (np.float64(1.5), "1.5"),
        (np.int64(3), "3"),
        (np.array([1.0, np.nan]), "[1.0,null]"),
        (np.array(["2020-02-03"], dtype="datetime64[D]"), '["2020-02-03"]'),
        (np.array([True, False]), "[true,false]"),
        (option("VIX 18FEB20 20 C"), '"VIX   200218C00020000"'),
        (future("VX 18MAR20"), '"VX    200318"'),
        (Right.PUT, '"P"'),
        ({Curve.FLAT: 1}, '{"flat":1}'),
    ],
)
def test_each_kind_of_value_has_one_text(value, text):
    assert to_json(value) == text


def test_an_infinite_number_has_no_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(float("inf"))


def test_an_object_without_json_form_is_our_own_mistake():
    with pytest.raises(AssertionError, match="object has no JSON form"):
        to_json(object())


@given(finite)
def test_a_float_comes_back_to_the_last_bit(value):
    assert from_json(float, to_json(value)) == value


# --- scalars ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data", "value"),
    [
        (float, 3, 3.0),
        (int, 3, 3),
        (timedelta, 90, timedelta(seconds=90)),
        (Decimal, "-1.50", Decimal("-1.50")),
        (OptionContract, "VIX   200218C00020000", option("VIX 18FEB20 20 C")),
        (FutureContract, "VX    200318", future("VX 18MAR20")),
        (OptionContract | FutureContract, "VX    200318", future("VX 18MAR20")),
        (ClientOrderId, "A1", ClientOrderId("A1")),
        (float | None, None, None),
        (tuple[str, int], ["a", 1], ("a", 1)),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (dict[str, tuple[int, ...]], {"a": [1]}, {"a": (1,)}),
    ],
)
def test_plain_json_becomes_the_kind_that_is_asked_for(kind, data, value):
    assert decode(kind, data) == value


def test_null_as_a_float_is_no_number():
    assert np.isnan(decode(float, None))


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (float, "1.0", "found '1.0'"),
        (float, True, "True is not a number"),
        (int, 1.0, "expected int, found 1.0"),
        (int, False, "False is not a whole number"),
        (bool, 1, "expected bool, found 1"),
        (str, None, "expected str, found None"),
        (Decimal, 1.5, "expected Decimal, found 1.5"),
        (Decimal, "a lot", "'a lot' is not a Decimal"),
        (date, "2020-02-30", "'2020-02-30' is not a date"),
        (date, "2020-02-03T10:00:00+00:00", "is not a date"),
        (datetime, "yesterday", "'yesterday' is not a datetime"),
        (datetime, "2020-02-03T10:00:00", "'2020-02-03T10:00:00' has no time zone"),
        (timedelta, "soon", "'soon' is not a timedelta"),
        (Curve, "steep", "'steep' is not a Curve"),
        (OptionContract, "VX    200318", "expected OptionContract"),
        (ClientOrderId, 7, "expected ClientOrderId, found 7"),
        (tuple[str, int], ["a"], "expected 2 items, found 1"),
        (Literal["ib", "cboe"], "ice", "'ice' is not one of ('ib', 'cboe')"),
        (tuple[int, ...], {"a": 1}, "expected tuple"),
        (dict[str, int], [1], "expected dict"),
        (float | str | bool | None, [1], "[1] is none of float | str | bool | None"),
        (NDArray[np.float64], 5, "found 5"),
        (NDArray[np.float64], ["1.0"], "not an array of float64"),
        (NDArray[np.float64], [[1.0], [1.0, 2.0]], "not an array of float64"),
        (NDArray[np.int64], [1.5], "not an array of int64"),
        (NDArray[np.int64], [None], "not an array of int64"),
        (NDArray[np.bool_], [0, 1], "not an array of bool"),
        (NDArray[np.datetime64], ["2020-02-30"], "not an array of datetime64"),
        (NDArray[np.float64], {"shape": [2, 2]}, "is not the shape of an empty array"),
        (NDArray[np.float64], {"shape": [0, 2], "x": 1}, "is not the shape of an empty array"),
        (NDArray[np.float64], {"shape": 0}, "is not the shape of an empty array"),
        (NDArray[np.float64], {"shape": [0, 1.5]}, "expected int, found 1.5"),
    ],
)
def test_data_of_another_kind_is_refused(kind, data, message):
    with pytest.raises(UndecodableValue, match=re.escape(message)):
        decode(kind, data)


# --- refusals with their path -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Needs:
    """A value with something it cannot do without."""

    must: int


def test_text_that_is_not_json_says_on_which_line():
    with pytest.raises(UndecodableValue, match="line 2: "):
        from_json(Memory, "{\n]")


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Memory, "[]", "expected Memory, found []"),
        (Memory, '{"sesion": null}', "Memory: unknown key 'sesion'"),
        (Memory, '{"zz": 1, "aa": 1}', "Memory: unknown key 'aa'"),
        (
            Memory,
            '{"regime": {"spike": "yes"}}',
            "Memory.regime: RegimeMemory.spike: expected bool, found 'yes'",
        ),
        (
            Memory,
            '{"rotation": {"restoring_since": "soon"}}',
            "Memory.rotation: RotationMemory.restoring_since: 'soon' is not a date",
        ),
        (Needs, "{}", "Needs: "),
    ],
)
def test_a_wrong_value_is_refused_with_the_path_to_it(kind, text, message):
    with pytest.raises(UndecodableValue, match="^" + re.escape(message)):
        from_json(kind, text)


def test_inside_an_optional_value_the_path_goes_on():
    data = encode(plan())
    data["before"]["theta_usd_per_day"] = "much"
    with pytest.raises(UndecodableValue, match=r"^Plan\.before: Measures\.theta_usd_per_day: "):
        decode(Plan, data)


def test_the_first_wrong_field_in_the_order_of_the_type_is_named():
    text = '{"rsi_vix_high": 0, "condors_opened": "none", "session": 3}'
    for _ in range(3):
        with pytest.raises(UndecodableValue, match=r"^Memory\.session: "):
            from_json(Memory, text)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("market", "spx_options", "bid", 0, 0), -1.0, "a bid is negative or not finite"),
        (("market", "spx_options", "strike", 0), None, "a strike is negative or not finite"),
        (("market", "spx_options", "ask"), [[1.0, 1.0]], "columns differ in length"),
        (("market", "vix_options", "series_index", 0), "0", "not an array of int64"),
        (("market", "rate"), "1 %", "MarketQuotes.rate: "),
        (("market", "indices", "SPX", "quoted_at"), "now", "IndexValue.quoted_at: 'now'"),
        (("history", "vix_close"), [16.0], "DailyHistory: vix_close has its own length"),
        (("session",), "2020-02-03T00:00:00", "MarketSnapshot.session: "),
        (("extra",), 1, "MarketSnapshot: unknown key 'extra'"),
    ],
)
def test_a_snapshot_that_was_tampered_with_is_refused(path, value, message):
    data = encode(market_snapshot(market=market_quotes(spx_options=spx_chain(days=(7, 14)))))
    *parents, last = path
    target = data
    for key in parents:
        target = target[key]
    target[last] = value
    with pytest.raises(UndecodableValue, match=re.escape(message)):
        decode(MarketSnapshot, data)


def test_an_order_that_breaks_its_own_rules_is_refused():
    data = encode(intent())
    data["limit_price"] = "-1.87"
    with pytest.raises(UndecodableValue, match=r"^OrderIntent: condor:C0007:open: price -1\.87"):
        decode(OrderIntent, data)


def test_instants_of_the_hour_that_a_clock_shows_twice_are_told_apart():
    first = datetime(2020, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    assert encode(first) == "2020-11-01T05:30:00+00:00"
    assert encode(first.replace(fold=1)) == "2020-11-01T06:30:00+00:00"


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "nan"])
def test_an_amount_that_is_no_number_is_refused(text):
    with pytest.raises(UndecodableValue, match=f"'{text}' is not a number"):
        decode(Decimal, text)


def test_a_number_too_large_for_a_float_is_refused():
    for kind, data in ((float, "1e999"), (NDArray[np.float64], "[1.0, 1e999]")):
        with pytest.raises(UndecodableValue, match="too large a number"):
            decode(kind, json.loads(data))


def test_an_item_that_does_not_decode_is_named_by_its_place():
    with pytest.raises(UndecodableValue, match=r"^\[2\]: expected int"):
        decode(tuple[int, ...], [1, 2, "x"])
    with pytest.raises(UndecodableValue, match=r"^\[1\]: expected str"):
        decode(tuple[int, str], [1, 2])
