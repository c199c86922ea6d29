"""Everything the gateway says of a contract: the values of a contractDetails message."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from bot.exchange.market import Market
from bot.gateway.contracts.canonical import CHICAGO
from bot.gateway.contracts.hours import hours_text, local_day
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.numbers import named_con_id
from bot.gateway.contracts.rules import rule_id_of
from bot.gateway.contracts.stands import is_tradable
from bot.gateway.contracts.symbols import INDEX_NAMES, SPY, STANDS, eight_digits
from strategies.model.calendars import EXCHANGE_ZONE

_ORDER_TYPES: Final = (
    "ACTIVETIM,ALGO,ALLOC,AVGCOST,DAY,FOK,GTC,GTD,IOC,LMT,LOC,MIDPX,MKT,MOC,OCA,REL,STP,STPLMT,"
    "WHATIF"
)
_STAND_IN_ORDER_TYPES: Final = "ACTIVETIM,ALGO,AVGCOST,DAY,GTC,IOC,LMT,MKT"
_OPTION_EXCHANGES: Final = "SMART,CBOE"
_EV_NONE: Final = 0.0
_AGGREGATION_GROUP: Final = 1
_WEEK: Final = timedelta(days=7)


class DetailsWriter:
    """Writes details; what a whole series has in common is worked out once a day."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._day: date | None = None
        self._shared: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._hours_known: dict[tuple[ZoneInfo, datetime | None], str] = {}

    def details(self, listed: Listed, at: datetime) -> Mapping[str, Any]:
        """Return the values of a contractDetails message, without the request's id."""
        day = local_day(at)
        if day != self._day:
            self._day = day
            self._shared.clear()
            self._hours_known.clear()
        contract = listed.contract
        key = (contract.sec_type, contract.trading_class or contract.symbol, "")
        if contract.last_trade_date:
            key = (key[0], key[1], contract.last_trade_date)
        shared = self._shared.get(key)
        if shared is None:
            shared = self._shared[key] = self._of_series(listed, day)
        return {
            **shared,
            "conId": listed.con_id,
            "strike": contract.strike,
            "right": contract.right,
            "exchange": contract.exchange,
            "localSymbol": contract.local_symbol,
        }

    def _hours(self, day: date, zone: ZoneInfo, last_trade_at: datetime | None) -> str:
        """Return the hours of the coming week, the same for whatever trades beyond it."""
        if last_trade_at is not None and local_day(last_trade_at) > day + _WEEK:
            last_trade_at = None
        key = (zone, last_trade_at)
        if key not in self._hours_known:
            self._hours_known[key] = hours_text(self._market.calendar, day, zone, last_trade_at)
        return self._hours_known[key]

    def _of_series(self, listed: Listed, day: date) -> dict[str, Any]:
        """Return the values every contract of a series has in common, in the message's order."""
        contract = listed.contract
        exchanges = _exchanges(listed)
        zone, zone_name = zone_of(listed)
        hours = self._hours(day, zone, listed.last_trade_at)
        rule = str(rule_id_of(contract.trading_class))
        values: dict[str, Any] = {
            "symbol": contract.symbol,
            "secType": contract.sec_type,
            "lastTradeDateOrContractMonth": _last_trade_text(listed, zone, zone_name),
            "strike": contract.strike,
            "right": contract.right,
            "exchange": contract.exchange,
            "currency": contract.currency,
            "localSymbol": contract.local_symbol,
            "marketName": contract.trading_class or contract.symbol,
            "tradingClass": contract.trading_class,
            "conId": listed.con_id,
            "minTick": listed.min_tick,
            "multiplier": contract.multiplier,
            "orderTypes": _order_types(listed),
            "validExchanges": exchanges,
            "priceMagnifier": 1,
            "underConId": 0,
            "longName": "",
            "primaryExchange": contract.primary_exchange,
            "contractMonth": "",
            "industry": "",
            "category": "",
            "subcategory": "",
            "timeZoneId": zone_name,
            "tradingHours": hours,
            "liquidHours": hours,
            "evRule": "",
            "evMultiplier": _EV_NONE,
            "secIdList": (),
            "aggGroup": _AGGREGATION_GROUP,
            "underSymbol": "",
            "underSecType": "",
            "marketRuleIds": ",".join([rule] * len(exchanges.split(","))),
            "realExpirationDate": "",
            "stockType": "",
            "minSize": 1,
            "sizeIncrement": 1,
            "suggestedSizeIncrement": 1,
        }
        return values | _nature(listed)


def _nature(listed: Listed) -> dict[str, Any]:
    """Return what a contract is and what it derives from."""
    instrument = listed.instrument
    if instrument is not None:
        expiry = instrument.expiry
        return {
            "longName": INDEX_NAMES[instrument.underlying],
            "contractMonth": f"{expiry:%Y%m}",
            "industry": "Indices",
            "category": "Volatility Index"
            if instrument.underlying == "VIX"
            else "Broad Range Equity Index",
            "subcategory": "*",
            "underConId": named_con_id(instrument.underlying),
            "underSymbol": instrument.underlying,
            "underSecType": "IND",
            "realExpirationDate": eight_digits(expiry),
        }
    if listed.index is not None:
        return {
            "longName": INDEX_NAMES.get(listed.index, listed.index),
            "industry": "Indices",
            "category": "Broad Range Equity Index",
            "subcategory": "*",
        }
    if listed.tenth_of is not None:
        expiry = listed.tenth_of.expiry
        return {
            "longName": STANDS[SPY].long_name,
            "contractMonth": f"{expiry:%Y%m}",
            "underConId": SPY,
            "underSymbol": STANDS[SPY].symbol,
            "underSecType": "STK",
            "realExpirationDate": eight_digits(expiry),
        }
    stand = STANDS[listed.con_id]
    is_stock = stand.sec_type == "STK"
    return {"longName": stand.long_name, "stockType": "COMMON" if is_stock else ""}


def _order_types(listed: Listed) -> str:
    if listed.instrument is not None:
        return _ORDER_TYPES
    return _STAND_IN_ORDER_TYPES if is_tradable(listed) else ""


def _exchanges(listed: Listed) -> str:
    if listed.option is not None:
        return _OPTION_EXCHANGES
    if listed.stand_in is not None:
        return STANDS[listed.con_id].exchanges
    return listed.contract.exchange


def zone_of(listed: Listed) -> tuple[ZoneInfo, str]:
    """Return the clocks a contract's times are told on, and IB's name of them."""
    if listed.stand_in is not None:
        return EXCHANGE_ZONE, "US/Eastern"
    return CHICAGO, "US/Central"


def _last_trade_text(listed: Listed, zone: ZoneInfo, zone_name: str) -> str:
    """Return the last trade's day, time and zone: ``20261218 15:00 US/Central``."""
    if listed.last_trade_at is None:
        return ""
    return f"{listed.last_trade_at.astimezone(zone):%Y%m%d %H:%M} {zone_name}"
