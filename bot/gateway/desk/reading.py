"""What a placeOrder asks for, or why it cannot be had, in IB's codes and words.

Only what the exchange cannot judge is judged here: whether the words make sense. Prices off tick,
hours, listings and margin are the exchange's.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.exchange.entry import Refusal
from bot.exchange.orders import RejectReason
from bot.gateway.contracts.book import ContractBook
from bot.gateway.contracts.errors import ContractRefused, NoDefinition
from bot.gateway.contracts.listed import Listed
from bot.gateway.desk.ticket import Line
from bot.gateway.protocol.builders import GATEWAY_ZONE
from bot.gateway.words import Contract, Order

COMBO_CON_ID: Final = 28812380  # IB's id of every combination it has no other name for
LIMIT_TYPES: Final = frozenset({"LMT", "LOC", "STP LMT"})
STOP_TYPES: Final = frozenset({"STP", "STP LMT"})
CLOSING_TYPES: Final = frozenset({"MOC", "LOC"})
PEGGED_TYPES: Final = frozenset({"REL", "MIDPRICE"})
ORDER_TYPES: Final = frozenset({"MKT"}) | LIMIT_TYPES | STOP_TYPES | CLOSING_TYPES | PEGGED_TYPES
_SPELLINGS: Final = {
    "LIMIT": "LMT",
    "MARKET": "MKT",
    "STOP": "STP",
    "STPLMT": "STP LMT",
    "STOP LIMIT": "STP LMT",
    "RELATIVE": "REL",
}
_TIFS: Final = frozenset({"DAY", "GTC", "IOC", "GTD", "FOK"})
_PRICE_MAX: Final = 10_000_000
_SIZE_MAX: Final = 10_000_000
_SIDES: Final = frozenset({"BUY", "SELL"})
_LEGS_WITH_PRICES: Final = 2
_PRICE_BEYOND: Final = Decimal(1_000_000)  # nothing costs that much
_TIME_FORMATS: Final = ("%Y%m%d %H:%M:%S", "%Y%m%d-%H:%M:%S", "%Y%m%d")

_OFF_TICK: Final = (
    110,
    "The price does not conform to the minimum price variation for this contract.",
)


class Refused(Exception):
    """An order the desk does not take; ``code`` and ``text`` are what its owner is told."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def refusal_words(refusal: Refusal | str) -> tuple[int, str]:
    """Return code and text of a refusal by the exchange, given as such or in its own words."""
    if str(refusal).startswith(RejectReason.PRICE_OFF_TICK):
        return _OFF_TICK
    return 201, f"Order rejected - reason:{refusal}"


def read_order(order: Order, account_id: str, legs: int) -> Order:
    """Return an order in the words the desk works with.

    Args:
        order: As it came.
        account_id: The one account there is.
        legs: How many legs its contract has.

    Raises: Refused.
    """
    order_type = order.order_type.strip().upper()
    order = replace(
        order,
        action=order.action.strip().upper(),
        order_type=_SPELLINGS.get(order_type, order_type),
        tif=order.tif.strip().upper() or "DAY",
        total_quantity=Decimal(order.total_quantity),
        limit_price=_price(order.limit_price),
        aux_price=_price(order.aux_price),
        account=order.account or account_id,
    )
    _check_words(order, account_id)
    _check_prices(order)
    _check_time_in_force(order)
    _check_legs(order, legs)
    return order


def read_contract(
    contract: Contract, book: ContractBook, at: datetime
) -> tuple[Contract, tuple[Line, ...]]:
    """Return a contract as the gateway writes it, and its legs.

    Raises: Refused.
    """
    if contract.sec_type.upper() == "BAG":
        return _read_combo(contract, book)
    try:
        listed = book.one(contract, at)
    except ContractRefused as refusal:
        raise Refused(refusal.code, refusal.text) from refusal
    written = listed.contract
    if contract.exchange not in ("", written.exchange):
        written = replace(written, exchange=contract.exchange)
    return written, (_line(listed, 1),)


def same_combination(one: Contract, other: Contract) -> bool:
    """Whether two BAGs are spelled alike: id and legs. IB knows its own spelling only."""
    return one.con_id == other.con_id and _spelled(one) == _spelled(other)


def read_time(text: str) -> datetime | None:
    """Return the instant of ``20260413 15:27:04 US/Eastern``; None where nothing is said.

    Raises: Refused.
    """
    text = text.strip()
    if not text:
        return None
    words = text.split()
    zone_name = words.pop() if len(words) > 1 and not words[-1][0].isdigit() else GATEWAY_ZONE
    for form in _TIME_FORMATS:
        try:
            return (
                datetime.strptime(" ".join(words), form)
                .replace(tzinfo=ZoneInfo(zone_name))
                .astimezone(UTC)
            )
        except (ValueError, ZoneInfoNotFoundError):
            continue
    raise Refused(391, f"The time or time-zone entered is invalid: {text}")


def _read_combo(contract: Contract, book: ContractBook) -> tuple[Contract, tuple[Line, ...]]:
    if not contract.combo_legs:
        raise _invalid("Combination legs are missing")
    lines = []
    for leg in contract.combo_legs:
        listed = book.by_con_id(leg.con_id)
        if listed is None:
            raise Refused(200, NoDefinition().text)
        if leg.action not in _SIDES or leg.ratio <= 0:
            raise _invalid("Invalid combination leg")
        lines.append(_line(listed, leg.ratio if leg.action == "BUY" else -leg.ratio))
    written = replace(
        contract,
        con_id=COMBO_CON_ID,
        sec_type="BAG",
        symbol=contract.symbol or lines[0].listed.contract.symbol,
        exchange=contract.exchange or "SMART",
        currency=contract.currency or "USD",
        local_symbol=str(COMBO_CON_ID),
        trading_class="COMB",
        combo_legs=tuple(
            replace(leg, exchange=leg.exchange or "SMART") for leg in contract.combo_legs
        ),
    )
    return written, tuple(lines)


def _line(listed: Listed, ratio: int) -> Line:
    if listed.instrument is None:
        raise Refused(203, "The security is not available or allowed for this account.")
    return Line(listed, listed.instrument, ratio)


def _spelled(contract: Contract) -> frozenset[tuple[int, int, str]]:
    return frozenset((leg.con_id, leg.ratio, leg.action) for leg in contract.combo_legs)


def _price(price: Decimal | float | None) -> Decimal | None:
    if price is None:
        return None
    exact = Decimal(str(price))
    if not exact.is_finite() or abs(exact) > _PRICE_MAX:
        raise _invalid("Invalid price.")
    return exact


def _check_words(order: Order, account_id: str) -> None:
    if order.order_type not in ORDER_TYPES:
        raise _invalid("Invalid order type was entered.")
    if order.action not in _SIDES:
        raise _invalid("Invalid side was entered.")
    if order.account != account_id:
        raise _invalid("Invalid account code.")
    if not order.total_quantity.is_finite() or order.total_quantity > _SIZE_MAX:
        raise _invalid("Invalid order size.")
    if order.total_quantity <= 0:
        raise Refused(434, "The order size cannot be zero.")
    if order.total_quantity != int(order.total_quantity):
        raise _invalid("Fractional-sized orders are not supported for this contract.")
    if order.algo_strategy not in {"", "Adaptive"}:
        raise Refused(441, f"Algo is not available: {order.algo_strategy}")


def _check_prices(order: Order) -> None:
    given = [each for each in (order.limit_price, order.aux_price) if each is not None]
    if not all(each.is_finite() and abs(each) < _PRICE_BEYOND for each in given):
        raise Refused(
            109, "Price is out of the range defined by the precautionary settings at order presets."
        )
    if order.order_type in LIMIT_TYPES and order.limit_price is None:
        raise _invalid("Missing or invalid limit price.")
    if order.order_type in STOP_TYPES and order.aux_price is None:
        raise _invalid("Missing or invalid trigger price.")


def _check_time_in_force(order: Order) -> None:
    if order.tif not in _TIFS:
        raise Refused(111, f"The TIF ({order.tif}) and the order type are incompatible.")
    if order.order_type in CLOSING_TYPES and order.tif != "DAY":
        raise Refused(113, "The Time-in-Force should be DAY for MOC/LOC orders.")
    if order.tif in {"IOC", "FOK"} and order.order_type not in {"LMT", "MKT"}:
        raise Refused(111, f"The TIF ({order.tif}) and the order type are incompatible.")
    if order.tif == "GTD" and read_time(order.good_till_date) is None:
        raise Refused(391, "The time or time-zone entered is invalid.")
    read_time(order.good_after_time)


def _check_legs(order: Order, legs: int) -> None:
    is_loose = dict(order.smart_combo_params).get("NonGuaranteed") == "1"
    has_prices = any(price is not None for price in order.leg_prices)
    if has_prices and (legs != _LEGS_WITH_PRICES or not is_loose):
        raise Refused(
            10058, "Per-leg prices are only supported for non-guaranteed combos with two legs."
        )
    if is_loose and legs > _LEGS_WITH_PRICES:
        raise Refused(
            201, "Order rejected - reason:Non-guaranteed combos of this kind are not supported."
        )


def _invalid(cause: str) -> Refused:
    return Refused(321, f"Error validating request.-'bN' : cause - {cause}")


def described(lines: Sequence[Line], contract: Contract) -> str:
    """Return a contract in one line, as order messages name it."""
    return contract.symbol if len(lines) > 1 else contract.local_symbol
