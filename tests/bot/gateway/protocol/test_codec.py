"""Every table, in both directions and at every version; and what is refused."""

import contextlib
import time
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.gateway.protocol.codec import (
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)
from bot.gateway.protocol.errors import BadMessage, ProtocolError, UnknownMessage
from bot.gateway.protocol.frames import HIGHEST_VERSION, LOWEST_VERSION
from bot.gateway.protocol.layouts import Layout
from bot.gateway.protocol.message import Message
from bot.gateway.protocol.primitives import UNSET_DOUBLE
from bot.gateway.protocol.replies import REPLIES
from bot.gateway.protocol.requests import REQUESTS
from tests.bot.gateway.protocol.table_strategies import values_of

VERSIONS = range(LOWEST_VERSION, HIGHEST_VERSION + 1)


def _kind(layout: Layout) -> str:
    return layout.kind


def payload(text: str) -> bytes:
    """Return the payload of fields written with bars between them, as logs show them."""
    return text.replace("|", "\0").encode()


@pytest.mark.parametrize("layout", REPLIES, ids=_kind)
@settings(max_examples=10)
@given(data=st.data(), version=st.sampled_from(VERSIONS))
def test_what_is_encoded_for_a_client_is_decoded_as_it_was(layout, data, version):
    values = data.draw(values_of(layout, version))
    encoded = encode_reply(Message(layout.kind, values), version)
    assert decode_reply(encoded, version) == Message(layout.kind, values)


@pytest.mark.parametrize("layout", REQUESTS, ids=_kind)
@settings(max_examples=10)
@given(data=st.data(), version=st.sampled_from(VERSIONS))
def test_what_is_encoded_for_a_gateway_is_decoded_as_it_was(layout, data, version):
    values = data.draw(values_of(layout, version))
    encoded = encode_request(Message(layout.kind, values), version)
    assert decode_request(encoded, version) == Message(layout.kind, values)


def _changes(items) -> bool:
    """Return whether a table is not the same at every version."""
    return any(
        item.since > LOWEST_VERSION
        or item.until < HIGHEST_VERSION
        or _changes(getattr(item, "items", ()))
        for item in items
    )


CHANGING = [layout for layout in (*REPLIES, *REQUESTS) if _changes(layout.items)]


def test_the_tables_that_change_between_versions_are_those_of_the_reference():
    assert sorted(layout.kind for layout in CHANGING) == sorted(
        [
            *("bondContractDetails", "cancelOrder", "completedOrder", "contractDetails", "error"),
            *("execDetails", "openOrder", "placeOrder", "reqContractDetails", "reqWshEventData"),
            "symbolSamples",
        ]
    )


@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=3)
@given(data=st.data())
def test_what_changes_between_versions_round_trips_at_each_of_them(version, data):
    for layout in CHANGING:
        message = Message(layout.kind, data.draw(values_of(layout, version)))
        if layout in REPLIES:
            assert decode_reply(encode_reply(message, version), version) == message
        else:
            assert decode_request(encode_request(message, version), version) == message


GOLDEN_REPLIES = [
    ("tickPrice", 176, "1|6|7|1|12.5|3|1|"),
    ("tickSize", 176, "2|6|7|0|3|"),
    ("orderStatus", 176, "3|13|PreSubmitted|0|100|0|1376|0|0|100|trigger|0|"),
    ("error", 165, "4|2|-1|2104|Market data farm connection is OK:usfarm|"),
    ("error", 176, "4|2|-1|2104|Market data farm connection is OK:usfarm||"),
    ("updateAccountValue", 176, "6|2|NetLiquidation|100000.00|USD|DU1|"),
    (
        "updatePortfolio",
        176,
        "7|8|42|SPX|OPT|20261218|6600.0|P|100|CBOE|USD|L|SPXW|-2|1.25|-250.0|251.5|1.5|0.0|DU1|",
    ),
    ("updateAccountTime", 176, "8|1|15:04|"),
    ("nextValidId", 176, "9|1|43|"),
    ("managedAccounts", 176, "15|1|DU1,DU2|"),
    (
        "execDetails",
        176,
        "11|-1|13|42|SPX|OPT|20261218|6600.0|P|100|CBOE|USD|SPXW  2|SPXW|0000e0d5.01|20260413 15:27:04 US/Eastern|DU1|CBOE|BOT|2|1.25|77|5|0|2|1.25|ref||||2|",  # noqa: E501
    ),
    (
        "execDetails",
        178,
        "11|9|13|42|SPX|BAG||0.0||||USD|||0000e0d5.01|20260413 15:27:04 US/Eastern|DU1|SMART|SLD|2|-1.25|77|5|0|2|-1.25|ref||||2|0|",  # noqa: E501
    ),
    ("commissionReport", 176, f"59|1|0000e0d5.01|1.0|USD|{UNSET_DOUBLE}|{UNSET_DOUBLE}||"),
    ("position", 176, "61|3|DU1|42|SPX|OPT|20261218|6600.0|P|100||USD|L|SPXW|-2|251.5|"),
    ("positionEnd", 176, "62|1|"),
    ("openOrderEnd", 176, "53|1|"),
    ("completedOrdersEnd", 176, "102|"),
    ("secDefOptParam", 176, "75|3|CBOE|416904|SPXW|100|2|20261218|20261221|1|6600.0|"),
    ("secDefOptParamEnd", 176, "76|3|"),
    ("symbolSamples", 175, "79|3|1|42|SPX|IND|CBOE|USD|2|OPT|FUT|"),
    ("symbolSamples", 176, "79|3|1|42|SPX|IND|CBOE|USD|2|OPT|FUT|S&P 500 Stock Index||"),
    ("marketRule", 176, "93|239|2|0.0|0.05|3.0|0.1|"),
    ("historicalData", 176, "17|4|a|b|1|20260413|1.0|2.0|0.5|1.5|10|1.25|3|"),
    ("pnlSingle", 176, f"95|4|2|-0.5|{UNSET_DOUBLE}|{UNSET_DOUBLE}|{UNSET_DOUBLE}|"),
    ("tickByTick", 176, "99|4|3|1700000000|1.0|1.1|2|3|0|"),
    ("tickByTick", 176, "99|4|4|1700000000|1.05|"),
    ("tickOptionComputation", 176, "21|4|13|0|0.2|-0.3|12.5|0.0|0.001|1.5|-0.2|6600.0|"),
    ("historicalSchedule", 176, "106|4|a|b|US/Central|1|c|d|20260413|"),
    ("currentTime", 176, "49|1|1700000000|"),
    ("realtimeBar", 176, "50|3|4|1700000000|1.0|2.0|0.5|1.5|10|1.25|3|"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "version", "text"), GOLDEN_REPLIES)
def test_replies_are_spelled_as_written_down_by_hand(kind, version, text):
    message = decode_reply(payload(text), version)
    assert message.kind == kind
    assert encode_reply(message, version) == payload(text)


def test_an_open_order_has_as_many_fields_as_the_captured_ones():
    simple = {
        "orderId": 1,
        "conId": 2,
        "symbol": "SPX",
        "secType": "OPT",
        "currency": "USD",
        "action": "BUY",
        "totalQuantity": 1,
        "orderType": "MKT",
        "tif": "DAY",
        "clientId": 1,
        "permId": 7,
        "status": "Submitted",
    }
    counted = {
        version: encode_reply(Message("openOrder", simple), version).count(0)
        for version in (157, 158, 160, 162, 170, 176, 177, 178)
    }
    assert counted == {
        157: 128,
        158: 129,
        160: 130,
        162: 131,
        170: 136,
        176: 136,
        177: 135,
        178: 135,
    }


def test_a_completed_order_has_as_many_fields_as_the_captured_ones():
    simple = {
        "conId": 2,
        "symbol": "SPX",
        "secType": "OPT",
        "currency": "USD",
        "permId": 7,
        "action": "BUY",
        "totalQuantity": 1,
        "orderType": "MKT",
        "tif": "DAY",
        "status": "Cancelled",
        "filledQuantity": 0,
    }
    counted = {
        version: encode_reply(Message("completedOrder", simple), version).count(0)
        for version in (169, 176, 177)
    }
    assert counted == {169: 96, 176: 101, 177: 100}


def test_contract_details_change_shape_at_163_and_164():
    least = {
        "reqId": 5,
        "symbol": "SPX",
        "secType": "IND",
        "currency": "USD",
        "conId": 416904,
        "minTick": 0.01,
        "suggestedSizeIncrement": Decimal(1),
        "minSize": 1,
        "sizeIncrement": 1,
    }
    message = Message("contractDetails", least)
    at = {version: encode_reply(message, version).decode() for version in (162, 163, 164)}
    assert at[162].startswith("10\x008\x005\0")
    assert at[164].startswith("10\x005\0SPX\0")
    assert "\x000.01\x00100\0" in at[163]
    assert "\x000.01\x00100\0" not in at[164]
    fields = {version: text.count("\0") for version, text in at.items()}
    assert fields[163] == fields[162] + 1
    assert fields[164] == fields[163] - 2 + 2
    assert at[164].endswith("\x001\x001\x001\0")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("9|8|", "ends before reqId, its field 3"),
        ("9|8|x|", "reqId is a whole number, got 'x'"),
        ("49|1|extra|", "has 2 fields at version 176, got 3"),
        ("1|11|5|0||BAG||0.0||||||||-1|", "-1 comboLegs announced"),
        ("1|11|5|0||BAG||0.0||||||||999999999|", "999999999 comboLegs announced"),
        ("8|1|1_000|", "numIds is a whole number"),
        ("8|1|٣|", "numIds is a whole number"),
        ("8|1|1.0|", "numIds is a whole number"),
        ("8|1|" + "9" * 5000 + "|", "numIds is a whole number"),
        ("54|3|5|0||OPT||nan||||||||0|0|0||", "strike is a number, got 'nan'"),
    ],
)
def test_a_request_that_is_no_request_is_refused_with_what_was_expected(text, complaint):
    with pytest.raises(BadMessage, match=complaint.replace("(", r"\(")):
        decode_request(payload(text), 176)


def test_a_bad_message_tells_which_request_or_order_it_was_about():
    with pytest.raises(BadMessage) as caught:
        decode_request(payload("4|1|77|"), 176)
    assert (caught.value.kind, caught.value.reference) == ("cancelOrder", 77)
    with pytest.raises(BadMessage) as caught:
        decode_request(payload("3|78|x|"), 176)
    assert caught.value.reference == 78
    with pytest.raises(BadMessage) as caught:
        decode_request(payload("2|2|"), 176)
    assert caught.value.reference == -1


@pytest.mark.parametrize("text", ["", "|", "0|", "999|1|", "abc|", "-1|", "1.0|"])
def test_an_unknown_message_is_named(text):
    with pytest.raises(UnknownMessage) as caught:
        decode_request(payload(text), 176)
    assert caught.value.message_id == text.partition("|")[0]


@pytest.mark.parametrize(
    "spelled",
    ["", "1.7976931348623157E308", "1.7976931348623157e+308", "2147483647",
     "9223372036854775807", "170141183460469231731687303715884105727"],
)  # fmt: skip
def test_every_spelling_of_unset_is_understood(spelled):
    order = {"orderId": 1, "action": "BUY", "totalQuantity": 1, "orderType": "MKT"}
    fields = encode_request(Message("placeOrder", order), 176).decode().split("\0")
    fields[19] = spelled  # lmtPrice
    fields[20] = spelled  # auxPrice
    decoded = decode_request("\0".join(fields).encode(), 176).values
    assert decoded["lmtPrice"] is decoded["auxPrice"] is None
    assert decoded["totalQuantity"] == 1


@pytest.mark.parametrize("spelled", ["Infinity", "Infinite", "inf"])
def test_every_spelling_of_infinity_is_understood(spelled):
    order = {
        "orderId": 1,
        "action": "BUY",
        "totalQuantity": 1,
        "orderType": "PEG BEST",
        "competeAgainstBestOffset": Decimal("Infinity"),
    }
    encoded = encode_request(Message("placeOrder", order), 170)
    assert encoded.endswith(b"\0Infinity\0\0\0")
    decoded = decode_request(encoded.replace(b"Infinity", spelled.encode()), 170).values
    assert decoded["competeAgainstBestOffset"] == Decimal("Infinity")
    assert decoded["midOffsetAtWhole"] is None


def test_what_a_message_must_have_is_asserted():
    with pytest.raises(AssertionError, match="size is required"):
        encode_reply(Message("tickSize", {"reqId": 1, "tickType": 0}), 176)
    with pytest.raises(AssertionError, match="tickSize has no \\['siez'\\]"):
        encode_reply(Message("tickSize", {"reqId": 1, "tickType": 0, "siez": 1}), 176)
    with pytest.raises(AssertionError, match="has a zero in it"):
        encode_reply(Message("updateAccountTime", {"time": "15:04\0"}), 176)
    with pytest.raises(AssertionError, match="cannot be unset"):
        encode_reply(Message("nextValidId", {"orderId": None}), 176)


@settings(max_examples=300)
@given(raw=st.binary(max_size=300), version=st.sampled_from(VERSIONS))
@example(raw=b"3\0" * 100, version=176)
def test_random_bytes_raise_nothing_but_the_typed_errors(raw, version):
    for decode in (decode_request, decode_reply):
        with contextlib.suppress(ProtocolError):
            decode(raw, version)


FIELDS = st.sampled_from(
    ["", "0", "1", "2", "-1", "3", "BAG", "Infinity", "1.5", "2147483647", "PEG BEST", "x", "99999"]
)


@settings(max_examples=300)
@given(
    layout=st.sampled_from([*REPLIES, *REQUESTS]),
    fields=st.lists(FIELDS, max_size=160),
    version=st.sampled_from(VERSIONS),
)
def test_almost_right_messages_raise_nothing_but_the_typed_errors(layout, fields, version):
    raw = "\0".join([str(layout.number), *fields, ""]).encode()
    for decode in (decode_request, decode_reply):
        with contextlib.suppress(ProtocolError):
            decode(raw, version)


def test_a_huge_message_takes_time_in_proportion():
    def seconds(legs: int) -> float:
        text = "1|11|5|0|SPX|BAG||0.0||||||||" + f"{legs}|" + "1|1|BUY|SMART|" * legs + "0||0|0||"
        raw = payload(text)
        started = time.process_time()
        assert len(decode_request(raw, 176).values["comboLegs"]) == legs
        return time.process_time() - started

    seconds(10)
    small, large = min(seconds(2_000) for _ in range(3)), min(seconds(40_000) for _ in range(2))
    assert large < small * 20 * 5
