"""Instruments in IB's words and back.

IB's own dates are never trusted for an expiry: ``lastTradeDateOrContractMonth`` is the day before
it for AM-settled options, and moves by a day with the time zone a gateway was logged in from. An
option is known by its OCC symbol (IB's ``localSymbol``), a future by its class and contract month.
"""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from bot.brokers.ib.library import Contract, ContractDetails
from bot.errors import MarketDataMissing
from strategies.model.calendars import TradingCalendar
from strategies.model.errors import InvalidInstrument, MissingData
from strategies.model.expiries import vx_expiry
from strategies.model.instruments import (
    ROOTS,
    FutureContract,
    Instrument,
    OptionContract,
    Right,
    parse_symbol,
)

INDEX_NAMES: Final = ("SPX", "VIX", "VIX9D", "VIX3M", "VIX6M", "VVIX")
OPTION_EXCHANGE: Final = "SMART"
FUTURE_EXCHANGE: Final = "CFE"
INDEX_EXCHANGE: Final = "CBOE"
CURRENCY: Final = "USD"

_MONTH_CODES: Final = "FGHJKMNQUVXZ"
_FUTURE_LOCAL_SYMBOL: Final = re.compile(r"(VXM?)([FGHJKMNQUVXZ])(\d{1,2})")
_DIGITS: Final = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_OCC_LENGTH: Final = 21
# IB's symbol of the underlying: that of VIX futures is VIX, the small one is a symbol of its own
_SYMBOLS: Final = {root: spec.underlying for root, spec in ROOTS.items()} | {"VXM": "VXM"}


class NotOurs(ValueError):
    """A contract that is no SPX or VIX option and no monthly VX or VXM future."""


class ContractUnknown(MarketDataMissing):
    """IB has no such contract."""


class ContractAmbiguous(MarketDataMissing):
    """IB has several contracts where one was meant."""


def described(instrument: Instrument) -> Contract:
    """Return a description that fits one contract at IB, without its id.

    No date is named for options: the OCC symbol has it, and means the same in every time zone.
    """
    root = instrument.root
    if isinstance(instrument, OptionContract):
        return Contract(
            secType="OPT",
            symbol=_SYMBOLS[root],
            exchange=OPTION_EXCHANGE,
            currency=CURRENCY,
            localSymbol=instrument.symbol,
            tradingClass=root,
        )
    return Contract(
        secType="FUT",
        symbol=_SYMBOLS[root],
        lastTradeDateOrContractMonth=f"{instrument.expiry:%Y%m}",
        multiplier=str(instrument.multiplier),
        exchange=FUTURE_EXCHANGE,
        currency=CURRENCY,
        tradingClass=root,
    )


def index_contract(name: str) -> Contract:
    """Return the contract of an index: SPX, VIX, SET, VRO and others of Cboe."""
    return Contract(secType="IND", symbol=name, exchange=INDEX_EXCHANGE, currency=CURRENCY)


def series_contract(root: str, last_trade: str) -> Contract:
    """Return the description of every option of a class and a date, strikes and rights left open.

    Args:
        root: SPX, SPXW, VIX or VIXW.
        last_trade: The date as IB spelled it in the parameters of the chain.
    """
    return Contract(
        secType="OPT",
        symbol=_SYMBOLS[root],
        lastTradeDateOrContractMonth=last_trade,
        exchange=OPTION_EXCHANGE,
        currency=CURRENCY,
        tradingClass=root,
    )


def futures_contract(root: str) -> Contract:
    """Return the description of every future of a class."""
    return Contract(
        secType="FUT",
        symbol=_SYMBOLS[root],
        exchange=FUTURE_EXCHANGE,
        currency=CURRENCY,
        tradingClass=root,
    )


def qualified(instrument: Instrument, con_id: int, last_trade: str, local_symbol: str) -> Contract:
    """Return the contract of an instrument with its id, as quotes and orders name it.

    Args:
        instrument: Ours.
        con_id: IB's id.
        last_trade: IB's ``lastTradeDateOrContractMonth``, as it came.
        local_symbol: IB's.
    """
    is_option = isinstance(instrument, OptionContract)
    return Contract(
        conId=con_id,
        secType="OPT" if is_option else "FUT",
        symbol=_SYMBOLS[instrument.root],
        lastTradeDateOrContractMonth=last_trade,
        strike=float(instrument.strike) if isinstance(instrument, OptionContract) else 0.0,
        right=instrument.right.value if isinstance(instrument, OptionContract) else "",
        multiplier=str(instrument.multiplier),
        exchange=OPTION_EXCHANGE if is_option else FUTURE_EXCHANGE,
        currency=CURRENCY,
        localSymbol=local_symbol,
        tradingClass=instrument.root,
    )


def instrument_of(
    contract: Contract, calendar: TradingCalendar, real_expiration: str = ""
) -> Instrument:
    """Return what a contract of IB's is: of a position, an execution or of contract details.

    Args:
        contract: As IB described it.
        calendar: Tells when the VX of a month expires.
        real_expiration: ``realExpirationDate``, which only contract details have.

    Raises: NotOurs.
    """
    if contract.currency not in ("", CURRENCY):
        raise NotOurs(f"{_spelled(contract)} is in {contract.currency}")
    match contract.secType:
        case "OPT":
            return _option(contract, real_expiration)
        case "FUT":
            return _future(contract, calendar, real_expiration)
        case other:
            raise NotOurs(f"{_spelled(contract)} is a {other or 'contract without a type'}")


def instrument_of_details(details: ContractDetails, calendar: TradingCalendar) -> Instrument:
    """Return what contract details describe; raises NotOurs."""
    assert details.contract is not None, "details are of a contract"
    return instrument_of(details.contract, calendar, details.realExpirationDate)


def wrong_terms(contract: Contract, instrument: Instrument) -> str | None:
    """Return how IB's terms of a contract differ from those the bot reckons with, or None."""
    expected = ROOTS[instrument.root]
    if contract.multiplier and Decimal(contract.multiplier) != expected.multiplier:
        return f"its multiplier is {contract.multiplier}, expected {expected.multiplier}"
    if contract.currency not in ("", CURRENCY):
        return f"its currency is {contract.currency}, expected {CURRENCY}"
    return None


def _option(contract: Contract, real_expiration: str) -> OptionContract:
    local = contract.localSymbol
    if len(local) == _OCC_LENGTH:
        try:
            found = parse_symbol(local)
        except InvalidInstrument as cause:
            raise NotOurs(f"{_spelled(contract)}: {cause}") from cause
        assert isinstance(found, OptionContract), "21 characters name an option"
        return found
    # An expiry without an OCC symbol is only believed where IB itself calls it the expiration
    expiry = _day(real_expiration)
    if expiry is None or contract.right[:1] not in ("C", "P") or not contract.strike:
        raise NotOurs(f"{_spelled(contract)} has no OCC symbol and no expiration date")
    try:
        return OptionContract(
            contract.tradingClass,
            expiry,
            Right(contract.right[:1]),
            Decimal(repr(float(contract.strike))),
        )
    except InvalidInstrument as cause:
        raise NotOurs(f"{_spelled(contract)}: {cause}") from cause


def _future(contract: Contract, calendar: TradingCalendar, real_expiration: str) -> FutureContract:
    spelled = _FUTURE_LOCAL_SYMBOL.fullmatch(contract.localSymbol)
    root = spelled.group(1) if spelled else contract.tradingClass
    if root not in ("VX", "VXM"):  # weeklies are VX01 to VX53
        raise NotOurs(f"{_spelled(contract)} is no monthly VX or VXM")
    expiry = _day(real_expiration)
    if expiry is not None:
        return FutureContract(root, expiry)
    stated = _DIGITS.match(contract.lastTradeDateOrContractMonth)
    if stated is None:
        raise NotOurs(f"{_spelled(contract)} has no contract month")
    year, month = int(stated.group(1)), int(stated.group(2))
    if spelled:
        month = _MONTH_CODES.index(spelled.group(2)) + 1
        digit = int(spelled.group(3)[-1])
        year = next((each for each in (year, year - 1, year + 1) if each % 10 == digit), year)
    try:
        return FutureContract(root, vx_expiry(year, month, calendar))
    except MissingData as cause:
        raise NotOurs(f"{_spelled(contract)}: {cause}") from cause


def _day(text: str) -> date | None:
    digits = text[:8]
    try:
        return datetime.strptime(digits, "%Y%m%d").date()  # noqa: DTZ007 a date, no zone
    except ValueError:
        return None


def _spelled(contract: Contract) -> str:
    named = contract.localSymbol or contract.symbol or "?"
    return f"{contract.secType or '?'} {named} (conId {contract.conId})"
