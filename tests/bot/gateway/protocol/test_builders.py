"""What requests say in the gateway's words, and messages made of them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gateway.protocol.builders import (
    completed_order_message,
    contract_of,
    contract_values,
    open_order_message,
    order_of,
    time_text,
)
from bot.gateway.protocol.codec import decode_request, encode_reply, encode_request
from bot.gateway.protocol.frames import HIGHEST_VERSION, LOWEST_VERSION
from bot.gateway.protocol.message import Message
from bot.gateway.protocol.place_order import PLACE_ORDER
from bot.gateway.words import Contract, Order, OrderState
from tests.bot.gateway.protocol.table_strategies import values_of

VERSIONS = st.sampled_from(range(LOWEST_VERSION, HIGHEST_VERSION + 1))
STATE = OrderState(status="Submitted")


@given(data=st.data(), version=VERSIONS)
def test_any_order_that_can_be_placed_can_be_shown_open_and_completed(data, version):
    values = data.draw(values_of(PLACE_ORDER, version))
    placed = decode_request(encode_request(Message("placeOrder", values), version), version).values
    contract, order = contract_of(placed), order_of(placed)
    assert encode_reply(open_order_message(1, 2, 3, contract, order, STATE), version)
    assert encode_reply(completed_order_message(3, contract, order, STATE, Decimal(0)), version)


def test_what_an_order_has_no_word_for_is_kept_and_comes_back():
    placed = {
        "action": "BUY", "totalQuantity": Decimal(1), "orderType": "LMT", "hidden": True,
        "openClose": "O", "exemptCode": -1, "minQty": 2, "displaySize": 0, "extOperator": "me",
    }  # fmt: skip
    order = order_of(placed)
    assert order.rest == {"hidden": True, "minQty": 2, "extOperator": "me"}
    shown = open_order_message(1, 2, 3, Contract(), order, STATE).values
    assert (shown["hidden"], shown["minQty"]) == (True, 2)
    assert "extOperator" not in shown


def test_what_a_contract_does_not_say_keeps_the_default():
    contract = contract_of({"symbol": "SPX", "conId": None})
    assert contract == Contract(symbol="SPX")
    assert contract_values(contract)["conId"] == 0


def test_a_limit_order_shows_a_trailing_stop_price_one_above_its_limit():
    order = Order(
        action="BUY", total_quantity=Decimal(1), order_type="LMT", limit_price=Decimal("1.55")
    )
    shown = open_order_message(1, 2, 3, Contract(), order, STATE).values
    assert shown["adjustedTrailStopPrice"] == Decimal("2.55")


def test_execution_times_are_told_in_the_gateway_zone():
    at = datetime(2026, 4, 13, 19, 27, 4, tzinfo=UTC)
    assert time_text(at) == "20260413 15:27:04 US/Eastern"
    assert time_text(at, "US/Central") == "20260413 14:27:04 US/Central"
    with pytest.raises(AssertionError):
        time_text(at.replace(tzinfo=None))
