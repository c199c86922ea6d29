"""A client's description of a contract, read forgivingly: what it says and what it leaves open."""

import math
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from bot.gateway import words
from bot.gateway.contracts.errors import Malformed
from strategies.model.errors import InvalidInstrument
from strategies.model.instruments import ROOTS, OptionContract, Right, parse_symbol

_SECURITY_TYPES: Final = frozenset(
    (
        *("STK", "OPT", "FUT", "IND", "FOP", "CASH", "BAG", "WAR", "BOND", "CMDTY", "NEWS"),
        *("FUND", "CFD", "CRYPTO", "CONTFUT", "IOPT"),
    )
)
_RIGHTS: Final[dict[str, Right | None]] = {
    "": None,
    "0": None,
    "?": None,
    "C": Right.CALL,
    "CALL": Right.CALL,
    "P": Right.PUT,
    "PUT": Right.PUT,
}
_DATE: Final = re.compile(r"(\d{8}|\d{6})(?:[ -].*)?")  # a time and a zone may follow, as IB sends
_FUTURE_LOCAL_SYMBOL: Final = re.compile(r"(VXM?)([FGHJKMNQUVXZ])(\d{1,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a description asks for; None leaves it open."""

    symbol: str
    sec_type: str
    roots: tuple[str, ...]  # of options or futures
    day: date | None  # of last trade, or of expiry
    month: str | None  # yyyymm
    strike: Decimal | None
    right: Right | None
    multiplier: float | None
    exchange: str
    currency: str
    local_symbol: str
    include_expired: bool
    option: OptionContract | None = None  # what an OCC symbol spells


def read_description(contract: words.Contract) -> Wanted:
    """Return what a description without a contract id asks for; raises Malformed (321).

    The symbols and classes SPX, SPXW, VIX, VIXW, VX and VXM are taken as symbol or as trading
    class; a right may be spelled out; a date may carry a time and a zone.
    """
    sec_type = contract.sec_type.upper()
    local_symbol = contract.local_symbol.strip()
    if sec_type == "BAG":
        raise Malformed("BAG isn't supported for contract data request")
    if sec_type not in _SECURITY_TYPES:
        raise Malformed("Please enter a valid security type")
    symbol = contract.symbol.strip().upper()
    trading_class = contract.trading_class.strip().upper()
    if not (symbol or local_symbol or trading_class):
        raise Malformed("Please enter a symbol or local symbol")
    option = _option(local_symbol) if sec_type == "OPT" else None
    day, month = _day(contract.last_trade_date)
    return Wanted(
        symbol=symbol,
        sec_type=sec_type,
        roots=_roots(sec_type, symbol, trading_class, contract.multiplier, local_symbol),
        day=day,
        month=month,
        strike=_strike(contract.strike),
        right=_right(contract.right),
        multiplier=_multiplier(contract.multiplier),
        exchange=contract.exchange.strip().upper(),
        currency=contract.currency.strip().upper(),
        local_symbol=local_symbol.upper(),
        include_expired=contract.include_expired,
        option=option,
    )


def _roots(
    sec_type: str, symbol: str, trading_class: str, multiplier: str, local_symbol: str
) -> tuple[str, ...]:
    """Return the roots that may be meant.

    IB's symbol of VX futures and of VIX options is VIX, that of SPXW options SPX. VXM futures are
    a symbol of their own there; here the class or a multiplier of 100 finds them under VIX too.
    """
    if sec_type not in {"OPT", "FUT"}:
        return ()
    is_option = sec_type == "OPT"
    of_type = [root for root, spec in ROOTS.items() if spec.is_option is is_option]
    if trading_class:
        of_type = [root for root in of_type if root == trading_class]
    if local_symbol:
        stem = local_symbol.upper().split(" ")[0]
        if not is_option:
            found = _FUTURE_LOCAL_SYMBOL.fullmatch(stem)
            stem = found.group(1) if found else ""
        of_type = [root for root in of_type if root == stem]
    if not symbol or symbol == local_symbol.upper():
        return tuple(of_type)
    if symbol in of_type and (symbol not in {"SPX", "VIX"}):
        return (symbol,)
    of_symbol = [root for root in of_type if ROOTS[root].underlying == symbol]
    if not is_option and not trading_class and not local_symbol:
        is_mini = _multiplier(multiplier) == ROOTS["VXM"].multiplier
        of_symbol = [root for root in of_symbol if (root == "VXM") is is_mini]
    return tuple(of_symbol)


def _option(local_symbol: str) -> OptionContract | None:
    if not local_symbol:
        return None
    root, _, tail = local_symbol.upper().rpartition(" ")
    try:
        found = parse_symbol(f"{root.strip():<6}{tail.strip()}")
    except InvalidInstrument:
        return None
    return found if isinstance(found, OptionContract) else None


def _day(text: str) -> tuple[date | None, str | None]:
    if not text.strip():
        return None, None
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise Malformed(f"Invalid last trade date or contract month: {text}")
    digits = found.group(1)
    is_month = len(digits) == len("yyyymm")
    try:
        day = datetime.strptime(digits, "%Y%m" if is_month else "%Y%m%d").date()  # noqa: DTZ007
    except ValueError as cause:
        raise Malformed(f"Invalid last trade date or contract month: {text}") from cause
    return (None, digits) if is_month else (day, None)


def _strike(strike: float) -> Decimal | None:
    if not math.isfinite(strike) or strike < 0:
        raise Malformed(f"Invalid strike {strike}")
    unset = 1e300  # 1.7976931348623157E308 stands for no strike
    return Decimal(repr(strike)) if 0 < strike < unset else None


def _right(text: str) -> Right | None:
    right = text.strip().upper()
    if right not in _RIGHTS:
        raise Malformed("Please enter a valid right (C, P, CALL or PUT)")
    return _RIGHTS[right]


def _multiplier(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text) or None
    except ValueError as cause:
        raise Malformed(f"Invalid multiplier {text}") from cause
