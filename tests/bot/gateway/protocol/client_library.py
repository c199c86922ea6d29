"""Holds the codec to the client library that is installed, ib_insync or ib_async.

What it hears of our replies, and what we hear of its requests.
"""

import itertools
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bot.brokers.ib.library import library
from bot.gateway.protocol.builders import (
    commission_message,
    completed_order_message,
    contract_of,
    contract_values,
    error_message,
    exec_details_message,
    open_order_message,
    order_of,
    order_status_message,
)
from bot.gateway.protocol.codec import decode_request, encode_reply
from bot.gateway.protocol.layouts import Constant, Field, Group, Item, Maybe, Values, When
from bot.gateway.protocol.message import Message
from bot.gateway.protocol.replies import REPLIES
from bot.gateway.words import ComboLeg, Commission, Contract, Execution, Order, OrderState
from tests.ib_client import GREETS_UP_TO

VERSIONS = tuple(
    version for version in (157, 160, 163, 164, 166, 170, 176, 177, 178) if version <= GREETS_UP_TO
)

SPXW = Contract(
    con_id=700001,
    symbol="SPX",
    sec_type="OPT",
    last_trade_date="20261218",
    strike=6600.0,
    right="P",
    multiplier="100",
    exchange="CBOE",
    currency="USD",
    local_symbol="SPXW  261218P06600000",
    trading_class="SPXW",
)
CONDOR = Contract(
    symbol="SPX",
    sec_type="BAG",
    exchange="SMART",
    currency="USD",
    combo_legs=tuple(
        ComboLeg(con_id=700001 + at, ratio=1, action=action, exchange="SMART")
        for at, action in enumerate(("BUY", "SELL", "SELL", "BUY"))
    ),
)
CREDIT = Order(
    action="BUY",
    total_quantity=Decimal(2),
    order_type="LMT",
    limit_price=Decimal("-1.55"),
    account="DU1234567",
    order_ref="condor-1",
    algo_strategy="Adaptive",
    algo_params=(("adaptivePriority", "Normal"),),
    smart_combo_params=(("NonGuaranteed", "1"),),
    leg_prices=(None, Decimal("1.5"), None, None),
)


class Peer:
    """A client library without a socket."""

    def __init__(self) -> None:
        self.library = library

    def hear(self, message: Message, version: int) -> list[tuple[str, tuple[Any, ...]]]:
        """Return which callbacks with which arguments the library makes of a reply."""
        fields = encode_reply(message, version).decode().split("\0")
        fields.pop()
        calls = _Calls()
        decoder = self.library.decoder.Decoder(calls, version)
        complaints = _Complaints()
        decoder.logger.addHandler(complaints)
        decoder.logger.setLevel(logging.WARNING)  # the adapter has the library be silent
        decoder.logger.propagate = False
        try:
            decoder.interpret(fields)
        finally:
            decoder.logger.removeHandler(complaints)
            decoder.logger.setLevel(logging.NOTSET)
            decoder.logger.propagate = True
        assert not complaints.said, (message, complaints.said)
        return calls.made

    def say(self, version: int, method: str, *args: Any) -> Message:
        """Return what a gateway hears when the client calls ``method``."""
        client = self.library.client.Client(_Calls())
        client.connState = client.CONNECTED
        client._serverVersion = version
        sent: list[str] = []
        client.sendMsg = sent.append
        getattr(client, method)(*args)
        (text,) = sent
        return decode_request(text.encode(), version)


class _Calls:
    """Takes the place of the library's wrapper."""

    def __init__(self) -> None:
        self.made: list[tuple[str, tuple[Any, ...]]] = []
        self.ib = self
        self.TimezoneTWS = ""
        self.defaultTimezone = UTC

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args: self.made.append((name, args))


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(logging.Formatter().format(record))


# --- samples of every reply


_TEXTS = {
    ("execDetails", "time"): "20260413 15:27:04 US/Eastern",
    ("contractDetails", "lastTradeDateOrContractMonth"): "20261218 15:00 US/Central",
    ("bondContractDetails", "lastTradeDateOrContractMonth"): "20261218 15:00 US/Central",
}


def sample(layout_items: Iterable[Item], version: int, kind: str, turn: int) -> dict[str, Any]:
    """Return different values for every field of a reply."""
    numbers = itertools.count(turn + 1)
    return _sample(layout_items, version, kind, turn, numbers, {})


def _sample(
    items: Iterable[Item],
    version: int,
    kind: str,
    turn: int,
    numbers: "itertools.count[int]",
    values: dict[str, Any],
) -> dict[str, Any]:
    for item in items:
        if not item.since <= version <= item.until:
            continue
        match item:
            case Constant():
                pass
            case Field():
                values[item.name] = _sample_value(item, kind, turn, next(numbers))
            case Group():
                values[item.name] = tuple(
                    _sample(item.items, version, kind, turn + at, numbers, {})
                    for at in range(turn % 3)
                )
            case Values():
                values[item.name] = tuple(
                    item.kind.read(str(next(numbers))) for _ in range(turn % 4)
                )
            case Maybe():
                values[item.name] = (
                    _sample(item.items, version, kind, turn, numbers, {}) if turn % 2 else None
                )
            case When():
                if item.test(values[item.name]):
                    _sample(item.items, version, kind, turn, numbers, values)
    return values


def _sample_value(field: Field, kind: str, turn: int, number: int) -> Any:
    if (kind, field.name) in _TEXTS:
        return _TEXTS[kind, field.name]
    if kind == "tickByTick" and field.name == "tickType":
        return 1 + turn % 4
    if field.name == "type" and kind in ("openOrder", "completedOrder"):
        return (1, 3, 4, 5, 6, 7)[turn % 6]
    if field.name == "orderType":
        return ("LMT", "PEG BENCH")[turn % 2]
    if field.name in ("evMultiplier", "coupon"):
        return 1.0
    match field.kind.name:
        case "text":
            return "" if (number + turn) % 5 == 0 else f"t{number}"
        case "0 or 1":
            return number % 2 == 1
        case "a whole number":
            return number
        case "a number":
            return number + 0.25
        case _:
            return None if field.kind.unset == "" and turn % 3 == 0 else Decimal(number)


def check_every_reply_is_understood(peer: Peer, version: int) -> None:
    for layout in REPLIES:
        for turn in range(12):
            values = sample(layout.items, version, layout.kind, turn)
            calls = peer.hear(Message(layout.kind, values), version)
            assert calls or layout.kind == "historicalData", (layout.kind, version)
            if len(calls) == 1:
                _compare_by_position(layout.items, values, calls[0][1])
                _compare_by_name(layout.kind, values, calls[0][1])


def _compare_by_position(items: Iterable[Item], values: dict[str, Any], args: Any) -> None:
    plain = [item for item in items if not isinstance(item, Constant)]
    if not all(isinstance(item, Field) for item in plain):
        return
    if any(hasattr(arg, "__dict__") for arg in args):
        return
    sent = [values[item.name] for item in plain if item.name in values]
    for said, heard in zip(sent, args, strict=False):
        _same(said, heard, (sent, args))


_ELSEWHERE = {  # named otherwise by the library, in two objects at once, or compared on its own
    *("account", "exchange", "executionExchange", "time", "reqId", "status", "date", "strike"),
    *("lastTradeDateOrContractMonth", "conditions", "comboLegs", "orderComboLegs", "algoParams"),
    *("smartComboRoutingParams", "deltaNeutralContract", "trailStopPrice", "type", "secIdList"),
    *("conId", "price", "delta", "yield", "clientId", "timeZoneId"),
}


def _compare_by_name(kind: str, values: dict[str, Any], args: Any) -> None:
    objects = [arg for arg in args if hasattr(arg, "__dict__")]
    objects += [arg.contract for arg in objects if hasattr(arg, "contract")]
    compared = 0
    for name, value in values.items():
        for found in objects:
            if name not in _ELSEWHERE and name in vars(found):
                _same(value, getattr(found, name), (kind, name))
                compared += 1
    assert kind not in ("openOrder", "completedOrder") or compared > 70, compared


def _same(said: Any, heard: Any, where: Any) -> None:
    if said is None:  # the library has its own idea of unset
        return
    if isinstance(said, str):
        assert str(heard) == said or (said == "" and not heard), (where, said, heard)
    else:
        assert float(heard) == float(said), (where, said, heard)


# --- replies that clients act on, value by value


def check_open_order(peer: Peer, version: int) -> None:
    state = OrderState(status="PreSubmitted", commission=Decimal("2.60"), commission_currency="USD")
    message = open_order_message(13, 5, 1376, CONDOR, CREDIT, state)
    ((name, (order_id, contract, order, heard)),) = peer.hear(message, version)
    assert (name, order_id) == ("openOrder", 13)
    assert (contract.secType, contract.symbol, contract.exchange) == ("BAG", "SPX", "SMART")
    assert [(leg.conId, leg.ratio, leg.action, leg.exchange) for leg in contract.comboLegs] == [
        (leg.con_id, leg.ratio, leg.action, leg.exchange) for leg in CONDOR.combo_legs
    ]
    assert contract.comboLegsDescrip == "700001|1,700002|-1,700003|-1,700004|1"
    assert (order.action, order.totalQuantity, order.orderType) == ("BUY", 2.0, "LMT")
    assert (order.lmtPrice, order.auxPrice, order.tif) == (-1.55, 0.0, "DAY")
    assert (order.orderRef, order.account, order.clientId) == ("condor-1", "DU1234567", 5)
    assert (order.permId, order.ocaType, order.displaySize) == (1376, 3, 2147483647)
    assert order.trailStopPrice == -0.55
    assert [(p.tag, p.value) for p in order.algoParams] == [("adaptivePriority", "Normal")]
    assert [(p.tag, p.value) for p in order.smartComboRoutingParams] == [("NonGuaranteed", "1")]
    assert order.orderComboLegs[1].price == 1.5
    assert order.orderComboLegs[0].price == peer.library.util.UNSET_DOUBLE
    assert (heard.status, heard.commission) == ("PreSubmitted", 2.6)
    assert heard.initMarginBefore == "1.7976931348623157E308"
    margins = OrderState(status="PreSubmitted", init_margin_change=Decimal("1234.50"))
    ((_, (_, _, _, heard)),) = peer.hear(
        open_order_message(13, 5, 0, SPXW, CREDIT, margins), version
    )
    assert heard.initMarginChange == "1234.5"


def check_completed_order(peer: Peer, version: int) -> None:
    state = OrderState(
        status="Cancelled",
        completed_time="20260413 15:27:04 US/Eastern",
        completed_status="Cancelled by Trader",
    )
    message = completed_order_message(1376, CONDOR, CREDIT, state, Decimal(0))
    ((_, (contract, order, heard)),) = peer.hear(message, version)
    assert len(contract.comboLegs) == 4
    assert (order.permId, order.orderRef, order.totalQuantity) == (1376, "condor-1", 2.0)
    assert (order.filledQuantity, order.lmtPrice, order.trailStopPrice) == (0.0, -1.55, -0.55)
    assert (heard.status, heard.completedStatus) == ("Cancelled", "Cancelled by Trader")
    assert heard.completedTime == "20260413 15:27:04 US/Eastern"
    filled = OrderState(status="Filled", completed_status="Filled Size: 2")
    message = completed_order_message(1376, CONDOR, CREDIT, filled, Decimal(2))
    ((_, (_, order, _)),) = peer.hear(message, version)
    assert (order.totalQuantity, order.filledQuantity) == (0.0, 2.0)


def check_order_status(peer: Peer, version: int) -> None:
    message = order_status_message(
        order_id=13,
        status="Submitted",
        filled=Decimal(1),
        remaining=Decimal("1.0"),
        perm_id=1376,
        client_id=5,
        avg_fill_price=Decimal("-1.55"),
        why_held="trigger",
    )
    ((name, args),) = peer.hear(message, version)
    assert name == "orderStatus"
    assert args == (13, "Submitted", 1.0, 1.0, -1.55, 1376, 0, 0.0, 5, "trigger", 0.0)


def check_executions(peer: Peer, version: int) -> None:
    execution = Execution(
        exec_id="0000e0d5.6543abcd.01.01",
        executed_at=datetime(2026, 4, 13, 19, 27, 4, tzinfo=UTC),
        account="DU1234567",
        exchange="CBOE",
        side="SLD",
        shares=Decimal(2),
        price=Decimal("1.55"),
        perm_id=1376,
        client_id=5,
        order_id=13,
        cum_qty=Decimal(2),
        avg_price=Decimal("1.55"),
        order_ref="condor-1",
    )
    ((_, (req_id, contract, heard)),) = peer.hear(
        exec_details_message(-1, SPXW, execution), version
    )
    assert req_id == -1
    assert (contract.conId, contract.localSymbol) == (700001, "SPXW  261218P06600000")
    assert (contract.strike, contract.right, contract.exchange) == (6600.0, "P", "CBOE")
    assert (heard.execId, heard.acctNumber) == (execution.exec_id, "DU1234567")
    assert heard.time == execution.executed_at
    assert (heard.exchange, heard.side, heard.shares) == ("CBOE", "SLD", 2.0)
    assert (heard.price, heard.permId, heard.clientId, heard.orderId) == (1.55, 1376, 5, 13)
    assert (heard.cumQty, heard.avgPrice, heard.orderRef) == (2.0, 1.55, "condor-1")
    assert heard.lastLiquidity == 2
    ((_, (report,)),) = peer.hear(
        commission_message(Commission(exec_id="a.01", commission=Decimal("1.3"))), version
    )
    assert (report.execId, report.commission, report.currency) == ("a.01", 1.3, "USD")
    assert report.realizedPNL == peer.library.util.UNSET_DOUBLE


def check_errors(peer: Peer, version: int) -> None:
    ((_, args),) = peer.hear(error_message(7, 201, "Order rejected - reason:no", "{}"), version)
    assert args == (7, 201, "Order rejected - reason:no", "{}" if version >= 166 else "")


def check_accounts(peer: Peer, version: int) -> None:
    described = contract_values(SPXW)
    held = {"position": Decimal(-2), "avgCost": Decimal("155.65")}
    ((_, args),) = peer.hear(Message("position", {"account": "DU1", **described, **held}), version)
    assert (args[0], args[1].conId, args[2:]) == ("DU1", 700001, (-2.0, 155.65))
    money = {
        "marketPrice": Decimal("1.5"),
        "marketValue": Decimal(-300),
        "averageCost": Decimal("155.65"),
        "unrealizedPNL": Decimal("11.3"),
        "realizedPNL": Decimal(0),
    }
    portfolio = {**described, "account": "DU1", "position": Decimal(-2), **money}
    ((_, args),) = peer.hear(Message("updatePortfolio", portfolio), version)
    assert args[1:] == (-2.0, 1.5, -300.0, 155.65, 11.3, 0.0, "DU1")
    value = {"key": "TotalCashBalance", "value": "100000.00", "currency": "BASE", "account": "DU1"}
    ((_, args),) = peer.hear(Message("updateAccountValue", value), version)
    assert args == ("TotalCashBalance", "100000.00", "BASE", "DU1")


def check_contracts(peer: Peer, version: int) -> None:
    details = {
        **contract_values(SPXW),
        "reqId": 3,
        "lastTradeDateOrContractMonth": "20261218 15:00 US/Central",
        "minTick": 0.05,
        "longName": "S&P 500 Stock Index \\ Zürich",
        "marketRuleIds": "239,239",
        "realExpirationDate": "20261218",
        "secIdList": ({"tag": "ISIN", "value": "x"},),
        "minSize": Decimal(1),
        "sizeIncrement": Decimal(1),
        "suggestedSizeIncrement": Decimal(1),
    }
    ((_, (req_id, heard)),) = peer.hear(Message("contractDetails", details), version)
    assert (req_id, heard.minTick, heard.marketRuleIds) == (3, 0.05, "239,239")
    assert heard.contract.lastTradeDateOrContractMonth == "20261218"
    assert heard.lastTradeTime == "15:00"
    assert heard.longName == details["longName"]
    assert [(p.tag, p.value) for p in heard.secIdList] == [("ISIN", "x")]
    assert heard.realExpirationDate == "20261218"
    assert heard.minSize == (1.0 if version >= 164 else 0.0)
    chain = {
        "reqId": 3, "exchange": "SMART", "underConId": 416904, "tradingClass": "SPXW",
        "multiplier": "100", "expirations": ("20261218",), "strikes": (6600.0, 6605.0),
    }  # fmt: skip
    ((_, args),) = peer.hear(Message("secDefOptParam", chain), version)
    assert args[-2:] == (["20261218"], [6600.0, 6605.0])
    rule = {"ruleId": 239, "increments": ({"lowEdge": 0.0, "increment": 0.05},)}
    ((_, (rule_id, increments)),) = peer.hear(Message("marketRule", rule), version)
    assert (rule_id, increments[0].increment) == (239, 0.05)


def check_prices_cross_exactly(peer: Peer, version: int) -> None:
    for price in (0.1 + 0.2, 1e-9, 12345678.9, -1.55, 6600.0, 1 / 3):
        values = {"reqId": 1, "tickType": 1, "price": price, "size": 3}
        ((_, args),) = peer.hear(Message("tickPrice", values), version)
        assert args == (1, 1, price, 3.0)
        bar = {
            "date": "20260413", "open": price, "high": price, "low": price, "close": price,
            "volume": Decimal(10), "wap": price, "barCount": 3,
        }  # fmt: skip
        history = {"reqId": 1, "start": "a", "end": "b", "bars": (bar,)}
        (_, (_, heard)), _ = peer.hear(Message("historicalData", history), version)
        assert (heard.open, heard.close, heard.average, heard.barCount) == (price, price, price, 3)


# --- requests


def check_every_request_is_understood(peer: Peer, version: int) -> None:
    lib = peer.library
    option = lib.Contract(**_contract_arguments(SPXW), includeExpired=True)
    bag = lib.Contract(**_contract_arguments(CONDOR))
    bag.comboLegs = [
        lib.ComboLeg(leg.con_id, leg.ratio, leg.action, leg.exchange) for leg in CONDOR.combo_legs
    ]
    bag.deltaNeutralContract = lib.DeltaNeutralContract(5, 0.5, 1.25)
    tag = lib.TagValue("a", "b")
    requests: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("reqMktData", (1, option, "233", False, False, [tag]), {"options": "a=b;"}),
        ("reqMktData", (1, bag, "", True, False, []), {"snapshot": True, "secType": "BAG"}),
        ("cancelMktData", (1,), {"reqId": 1}),
        ("cancelOrder", (13,), {"orderId": 13}),
        ("reqOpenOrders", (), {}),
        ("reqAccountUpdates", (True, "DU1"), {"subscribe": True, "account": "DU1"}),
        ("reqExecutions", (7, lib.ExecutionFilter(clientId=3, side="BUY")),
         {"reqId": 7, "clientId": 3, "side": "BUY"}),
        ("reqIds", (1,), {"numIds": 1}),
        ("reqContractDetails", (7, option), {"includeExpired": True, "strike": 6600.0}),
        ("reqMktDepth", (7, option, 5, True, []), {"numRows": 5, "isSmartDepth": True}),
        ("cancelMktDepth", (7, True), {}),
        ("reqNewsBulletins", (True,), {"allMessages": True}),
        ("cancelNewsBulletins", (), {}),
        ("setServerLogLevel", (5,), {"logLevel": 5}),
        ("reqAutoOpenOrders", (True,), {"autoBind": True}),
        ("reqAllOpenOrders", (), {}),
        ("reqManagedAccts", (), {}),
        ("requestFA", (1,), {"faDataType": 1}),
        ("replaceFA", (7, 1, "<xml/>"), {"reqId": 7, "xml": "<xml/>"}),
        ("reqHistoricalData", (7, option, "", "30 D", "1 day", "TRADES", True, 1, False, []),
         {"duration": "30 D", "barSize": "1 day", "whatToShow": "TRADES", "useRTH": True}),
        ("reqHistoricalData", (7, bag, "", "1 D", "1 min", "MIDPOINT", 0, 2, True, [tag]),
         {"formatDate": 2, "keepUpToDate": True, "chartOptions": "a=b;"}),
        ("exerciseOptions", (7, option, 1, 2, "DU1", 1), {"exerciseAction": 1, "override": 1}),
        ("reqScannerSubscription", (7, lib.ScannerSubscription(scanCode="TOP"), [tag], []),
         {"scanCode": "TOP", "options": "a=b;", "abovePrice": None}),
        ("cancelScannerSubscription", (7,), {}),
        ("reqScannerParameters", (), {}),
        ("cancelHistoricalData", (7,), {}),
        ("reqCurrentTime", (), {}),
        ("reqRealTimeBars", (7, option, 5, "TRADES", True, []), {"barSize": 5}),
        ("cancelRealTimeBars", (7,), {}),
        ("reqFundamentalData", (7, option, "ReportSnapshot", []), {"reportType": "ReportSnapshot"}),
        ("cancelFundamentalData", (7,), {}),
        ("calculateImpliedVolatility", (7, option, 12.5, 6600.0, []), {"optionPrice": 12.5}),
        ("calculateOptionPrice", (7, option, 0.2, 6600.0, [tag]), {"volatility": 0.2}),
        ("cancelCalculateImpliedVolatility", (7,), {}),
        ("cancelCalculateOptionPrice", (7,), {}),
        ("reqGlobalCancel", (), {}),
        ("reqMarketDataType", (3,), {"type": 3}),
        ("reqPositions", (), {}),
        ("reqAccountSummary", (7, "All", "NetLiquidation,$LEDGER:ALL"), {"group": "All"}),
        ("cancelAccountSummary", (7,), {}),
        ("cancelPositions", (), {}),
        ("verifyRequest", ("a", "b"), {"apiName": "a", "apiVersion": "b"}),
        ("verifyMessage", ("a",), {"apiData": "a"}),
        ("queryDisplayGroups", (7,), {}),
        ("subscribeToGroupEvents", (7, 2), {"groupId": 2}),
        ("updateDisplayGroup", (7, "8314@SMART"), {"contractInfo": "8314@SMART"}),
        ("unsubscribeFromGroupEvents", (7,), {}),
        ("startApi", (), {"clientId": -1}),
        ("verifyAndAuthRequest", ("a", "b", "c"), {"opaqueIsvKey": "c"}),
        ("verifyAndAuthMessage", ("a", "b"), {"xyzResponse": "b"}),
        ("reqPositionsMulti", (7, "DU1", "m"), {"modelCode": "m"}),
        ("cancelPositionsMulti", (7,), {}),
        ("reqAccountUpdatesMulti", (7, "DU1", "", False), {"account": "DU1"}),
        ("cancelAccountUpdatesMulti", (7,), {}),
        ("reqSecDefOptParams", (7, "SPX", "", "IND", 416904), {"underConId": 416904}),
        ("reqSoftDollarTiers", (7,), {}),
        ("reqFamilyCodes", (), {}),
        ("reqMatchingSymbols", (7, "spx"), {"pattern": "spx"}),
        ("reqMktDepthExchanges", (), {}),
        ("reqSmartComponents", (7, "a6"), {"bboExchange": "a6"}),
        ("reqNewsArticle", (7, "BZ", "x", []), {"articleId": "x"}),
        ("reqNewsProviders", (), {}),
        ("reqHistoricalNews", (7, 8314, "BZ", "", "", 10, []), {"totalResults": 10}),
        ("reqHeadTimeStamp", (7, option, "TRADES", True, 1), {"whatToShow": "TRADES"}),
        ("reqHistogramData", (7, option, True, "3 days"), {"timePeriod": "3 days"}),
        ("cancelHistogramData", (7,), {}),
        ("cancelHeadTimeStamp", (7,), {}),
        ("reqMarketRule", (239,), {"ruleId": 239}),
        ("reqPnL", (7, "DU1", ""), {"account": "DU1"}),
        ("cancelPnL", (7,), {}),
        ("reqPnLSingle", (7, "DU1", "", 700001), {"conId": 700001}),
        ("cancelPnLSingle", (7,), {}),
        ("reqHistoricalTicks", (7, option, "a", "b", 100, "BID_ASK", True, False, []),
         {"numberOfTicks": 100, "whatToShow": "BID_ASK"}),
        ("reqTickByTickData", (7, option, "BidAsk", 0, True), {"tickType": "BidAsk"}),
        ("cancelTickByTickData", (7,), {}),
        ("reqCompletedOrders", (False,), {"apiOnly": False}),
        ("reqWshMetaData", (7,), {}),
        ("cancelWshMetaData", (7,), {}),
        ("reqWshEventData", (7, lib.WshEventData(conId=8314)), {"conId": 8314}),
        ("cancelWshEventData", (7,), {}),
        ("reqUserInfo", (7,), {}),
    ]  # fmt: skip
    for method, args, expected in requests:
        message = peer.say(version, method, *args)
        assert message.kind == method.replace("HeadTimeStamp", "HeadTimestamp")
        for name, value in expected.items():
            assert message.values[name] == value, (method, name, message.values[name])


def check_place_order(peer: Peer, version: int) -> None:
    lib = peer.library
    bag = lib.Contract(**_contract_arguments(CONDOR))
    bag.comboLegs = [
        lib.ComboLeg(leg.con_id, leg.ratio, leg.action, leg.exchange) for leg in CONDOR.combo_legs
    ]
    order = lib.LimitOrder("BUY", 2, -1.55, tif="DAY", account="DU1234567", orderRef="condor-1")
    order.algoStrategy = "Adaptive"
    order.algoParams = [lib.TagValue("adaptivePriority", "Normal")]
    order.smartComboRoutingParams = [lib.TagValue("NonGuaranteed", "1")]
    order.orderComboLegs = [lib.OrderComboLeg(), lib.OrderComboLeg(1.5)] + [
        lib.OrderComboLeg() for _ in range(2)
    ]
    values = peer.say(version, "placeOrder", 13, bag, order).values
    assert values["orderId"] == 13
    assert contract_of(values) == CONDOR
    assert order_of(values) == CREDIT


_ECHOED = (
    *("action", "totalQuantity", "orderType", "lmtPrice", "tif", "goodTillDate", "ocaGroup"),
    *("ocaType", "parentId", "hidden", "scalePriceIncrement", "scaleInitLevelSize", "hedgeType"),
    *("hedgeParam", "minQty", "deltaNeutralOrderType", "deltaNeutralConId", "referenceContractId"),
    *("referenceExchangeId", "whatIf", "faGroup", "conditionsIgnoreRth"),
)


def check_place_order_with_everything(peer: Peer, version: int) -> None:
    lib = peer.library
    order = lib.Order(
        action="SELL", totalQuantity=0.5, orderType="PEG BENCH", lmtPrice=6600.0, tif="GTD",
        goodTillDate="20261218 16:00:00 US/Eastern", ocaGroup="g", ocaType=2, parentId=12,
        transmit=False, hidden=True, scalePriceIncrement=0.5, scaleInitLevelSize=3,
        hedgeType="D", hedgeParam="x", deltaNeutralOrderType="LMT", deltaNeutralConId=9,
        referenceContractId=8, referenceExchangeId="CBOE", minQty=1, whatIf=True,
        cashQty=10.5, duration=30, usePriceMgmtAlgo=True, faGroup="fg", faProfile="fp",
        orderMiscOptions=[lib.TagValue("a", "b")], advancedErrorOverride="8229",
        manualOrderTime="20260413-15:00:00", conditionsIgnoreRth=True,
    )  # fmt: skip
    order.conditions = [
        lib.PriceCondition(1, "a", True, 6600.0, 416904, "CBOE", 2),
        lib.TimeCondition(3, "o", False, "20260413-15:00:00"),
        lib.MarginCondition(4, "a", True, 30),
        lib.ExecutionCondition(5, "a", "OPT", "CBOE", "SPX"),
        lib.VolumeCondition(6, "a", True, 1000, 416904, "CBOE"),
        lib.PercentChangeCondition(7, "a", True, 1.5, 416904, "CBOE"),
    ]
    contract = lib.Contract(**_contract_arguments(SPXW))
    message = peer.say(version, "placeOrder", 13, contract, order)
    values = message.values
    for name in (*_ECHOED, "transmit", "cashQty", "usePriceMgmtAlgo"):
        assert values[name] == getattr(order, name), name
    assert values["auxPrice"] is None
    assert values["orderMiscOptions"] == "a=b;"
    assert [condition["type"] for condition in values["conditions"]] == [1, 3, 4, 5, 6, 7]
    assert values["conditions"][0] == {
        "type": 1, "conjunction": "a", "isMore": True, "price": Decimal(6600), "conId": 416904,
        "exchange": "CBOE", "triggerMethod": 2,
    }  # fmt: skip
    assert values.get("duration") == (30 if version >= 158 else None)
    assert values.get("faProfile") == ("fp" if version < 177 else None)
    assert values.get("manualOrderTime") == ("20260413-15:00:00" if version >= 169 else None)

    placed = order_of(values)
    assert placed.rest["hedgeParam"] == "x"
    echo = open_order_message(13, 5, 7, contract_of(values), placed, OrderState(status="Submitted"))
    ((_, (_, _, heard, _)),) = peer.hear(echo, version)
    for name in (*_ECHOED, "conditions"):
        assert getattr(heard, name) == getattr(order, name), name
    done = completed_order_message(
        7, contract_of(values), placed, OrderState(status="Filled"), Decimal("0.5")
    )
    ((_, (_, heard, _)),) = peer.hear(done, version)
    assert heard.conditions == order.conditions
    assert heard.hedgeParam == "x"


def check_pegged_orders(peer: Peer, version: int) -> None:
    lib = peer.library
    contract = lib.Stock("AAPL", "IBKRATS", "USD")
    order = lib.Order(
        action="BUY", totalQuantity=100, orderType="PEG BEST", lmtPrice=150.0, minTradeQty=5,
        minCompeteSize=10, competeAgainstBestOffset=float("inf"), midOffsetAtWhole=0.01,
        midOffsetAtHalf=0.005,
    )  # fmt: skip
    values = peer.say(version, "placeOrder", 13, contract, order).values
    if version >= 170:
        assert (values["minTradeQty"], values["minCompeteSize"]) == (5, 10)
        assert values["midOffsetAtHalf"] == Decimal("0.005")
    order.orderType = "PEG MID"
    values = peer.say(version, "placeOrder", 13, contract, order).values
    assert values.get("midOffsetAtWhole") == (Decimal("0.01") if version >= 170 else None)


def _contract_arguments(contract: Contract) -> dict[str, Any]:
    return contract_values(contract)


CHECKS: tuple[Callable[[Peer, int], None], ...] = (
    check_every_reply_is_understood,
    check_open_order,
    check_completed_order,
    check_order_status,
    check_executions,
    check_errors,
    check_accounts,
    check_contracts,
    check_prices_cross_exactly,
    check_every_request_is_understood,
    check_place_order,
    check_place_order_with_everything,
    check_pegged_orders,
)
