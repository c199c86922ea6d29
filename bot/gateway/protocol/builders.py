"""Messages made of what the gateway speaks about, and what a client's request says in those words.

Nothing here knows how a message is spelled on the wire; that is ``codec``.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from bot.gateway.protocol.message import Message
from bot.gateway.words import ComboLeg, Commission, Contract, Execution, Order, OrderState

GATEWAY_ZONE = "US/Eastern"  # how gateways name the zone of execution times

_CONTRACT_KEYS = {
    "conId": "con_id",
    "symbol": "symbol",
    "secType": "sec_type",
    "lastTradeDateOrContractMonth": "last_trade_date",
    "strike": "strike",
    "right": "right",
    "multiplier": "multiplier",
    "exchange": "exchange",
    "primaryExchange": "primary_exchange",
    "currency": "currency",
    "localSymbol": "local_symbol",
    "tradingClass": "trading_class",
}
_CONTRACT_MORE = {
    "includeExpired": "include_expired",
    "secIdType": "sec_id_type",
    "secId": "sec_id",
    "issuerId": "issuer_id",
}
_ORDER_KEYS = {
    "action": "action",
    "totalQuantity": "total_quantity",
    "orderType": "order_type",
    "lmtPrice": "limit_price",
    "auxPrice": "aux_price",
    "tif": "tif",
    "goodTillDate": "good_till_date",
    "goodAfterTime": "good_after_time",
    "ocaGroup": "oca_group",
    "ocaType": "oca_type",
    "account": "account",
    "orderRef": "order_ref",
    "transmit": "transmit",
    "parentId": "parent_id",
    "outsideRth": "outside_rth",
    "algoStrategy": "algo_strategy",
    "whatIf": "what_if",
}
_ORDER_GROUPS = ("algoParams", "smartComboRoutingParams", "orderComboLegs")
_STATE_KEYS = {
    "status": "status",
    "initMarginBefore": "init_margin_before",
    "maintMarginBefore": "maint_margin_before",
    "equityWithLoanBefore": "equity_with_loan_before",
    "initMarginChange": "init_margin_change",
    "maintMarginChange": "maint_margin_change",
    "equityWithLoanChange": "equity_with_loan_change",
    "initMarginAfter": "init_margin_after",
    "maintMarginAfter": "maint_margin_after",
    "equityWithLoanAfter": "equity_with_loan_after",
    "commission": "commission",
    "minCommission": "min_commission",
    "maxCommission": "max_commission",
    "commissionCurrency": "commission_currency",
    "warningText": "warning_text",
}
_contract_words = attrgetter(*_CONTRACT_KEYS.values())
_order_words = attrgetter(*_ORDER_KEYS.values())
_state_words = attrgetter(*_STATE_KEYS.values())
_NOT_OF_THE_ORDER = frozenset(
    {"orderId", "comboLegs", *_CONTRACT_KEYS, *_CONTRACT_MORE, *_ORDER_KEYS, *_ORDER_GROUPS}
)
_OCA_TYPE_SHOWN = 3  # what gateways say of an order that is in no group
_AS_IF_LEFT_OUT = {"exemptCode": -1, "openClose": "O"}  # what clients send when nobody set it
_PLACED_ONLY = frozenset(  # of a placeOrder, and never repeated in an openOrder
    {
        *("overridePercentageConstraints", "scaleTable", "activeStartTime", "activeStopTime"),
        *("algoId", "orderMiscOptions", "extOperator", "advancedErrorOverride"),
        *("manualOrderTime", "mifid2DecisionMaker", "mifid2DecisionAlgo"),
        *("mifid2ExecutionTrader", "mifid2ExecutionAlgo", "sharesAllocation"),
    }
)
_NOT_IN_COMPLETED = frozenset(  # of an openOrder, and not of a completedOrder
    {
        *("auctionStrategy", "blockOrder", "eTradeOnly", "firmQuoteOnly", "nbboPriceCap"),
        *("deltaNeutralSettlingFirm", "deltaNeutralClearingAccount"),
        *("deltaNeutralClearingIntent", "deltaNeutralOpenClose", "basisPoints", "basisPointsType"),
        *("optOutSmartRouting", "adjustedOrderType", "triggerPrice", "adjustedStopPrice"),
        *("adjustedStopLimitPrice", "adjustedTrailingAmount", "adjustableTrailingUnit"),
        *("softDollarTierName", "softDollarTierValue", "softDollarTierDisplayName"),
        *("discretionaryUpToLimitPrice", "usePriceMgmtAlgo", "duration", "postToAts"),
    }
)


def contract_of(values: Mapping[str, Any]) -> Contract:
    """Return the contract a request describes; what it does not say keeps the default."""
    said = {
        word: values[key]
        for key, word in (_CONTRACT_KEYS | _CONTRACT_MORE).items()
        if values.get(key) is not None
    }
    return Contract(
        **said, combo_legs=tuple(_combo_leg(leg) for leg in values.get("comboLegs", ()))
    )


def order_of(values: Mapping[str, Any]) -> Order:
    """Return the order of a placeOrder; what ``Order`` has no word for is kept in ``rest``."""
    said = {word: values[key] for key, word in _ORDER_KEYS.items() if values.get(key) is not None}
    rest = {
        key: value
        for key, value in values.items()
        if key not in _NOT_OF_THE_ORDER and value and value != _AS_IF_LEFT_OUT.get(key)
    }
    return Order(
        **said,
        algo_params=_pairs(values.get("algoParams", ())),
        smart_combo_params=_pairs(values.get("smartComboRoutingParams", ())),
        leg_prices=tuple(leg["price"] for leg in values.get("orderComboLegs", ())),
        rest=rest,
    )


def contract_values(contract: Contract) -> dict[str, Any]:
    """Return the twelve values messages describe a contract with."""
    return dict(zip(_CONTRACT_KEYS, _contract_words(contract), strict=True))


def open_order_message(
    order_id: int,
    client_id: int,
    perm_id: int,
    contract: Contract,
    order: Order,
    state: OrderState,
) -> Message:
    """Return the openOrder of an order in ``state``."""
    values = _order_values(contract, order, perm_id) | {
        "orderId": order_id,
        "clientId": client_id,
        "parentId": order.parent_id,
        "whatIf": order.what_if,
        "sharesAllocation": f"{perm_id}.0/{order.account}/100",
        "adjustedTrailStopPrice": _trail_stop_price(order),
    }
    return Message("openOrder", values | _state_values(state))


def completed_order_message(
    perm_id: int,
    contract: Contract,
    order: Order,
    state: OrderState,
    filled_quantity: Decimal,
) -> Message:
    """Return the completedOrder of an order that is done: no order id, no client id."""
    values = {
        key: value
        for key, value in _order_values(contract, order, perm_id).items()
        if key not in _NOT_IN_COMPLETED
    }
    return Message(
        "completedOrder",
        values
        | {
            "totalQuantity": order.total_quantity - filled_quantity,  # gateways show what is left
            "status": state.status,
            "completedTime": state.completed_time,
            "completedStatus": state.completed_status,
            "filledQuantity": filled_quantity,
            "adjustedTrailStopPrice": _trail_stop_price(order),
        },
    )


def order_status_message(
    *,
    order_id: int,
    status: str,
    filled: Decimal,
    remaining: Decimal,
    perm_id: int,
    client_id: int,
    avg_fill_price: Decimal = Decimal(0),
    last_fill_price: Decimal = Decimal(0),
    parent_id: int = 0,
    why_held: str = "",
    mkt_cap_price: Decimal = Decimal(0),
) -> Message:
    """Return an orderStatus."""
    return Message(
        "orderStatus",
        {
            "orderId": order_id,
            "status": status,
            "filled": filled,
            "remaining": remaining,
            "avgFillPrice": avg_fill_price,
            "permId": perm_id,
            "parentId": parent_id,
            "lastFillPrice": last_fill_price,
            "clientId": client_id,
            "whyHeld": why_held,
            "mktCapPrice": mkt_cap_price,
        },
    )


def exec_details_message(
    req_id: int, contract: Contract, execution: Execution, *, zone: str = GATEWAY_ZONE
) -> Message:
    """Return an execDetails.

    Args:
        req_id: The request it answers; -1 when it is news (clients tell the two apart by it).
        contract: What was executed: the contract, a leg, or the BAG.
        execution: The execution.
        zone: The time zone its time is told in.
    """
    values = contract_values(contract)
    del values["primaryExchange"]
    return Message(
        "execDetails",
        {
            "reqId": req_id,
            "orderId": execution.order_id,
            **values,
            "execId": execution.exec_id,
            "time": time_text(execution.executed_at, zone),
            "account": execution.account,
            "executionExchange": execution.exchange,
            "side": execution.side,
            "shares": execution.shares,
            "price": execution.price,
            "permId": execution.perm_id,
            "clientId": execution.client_id,
            "cumQty": execution.cum_qty,
            "avgPrice": execution.avg_price,
            "orderRef": execution.order_ref,
            "liquidation": execution.liquidation,
            "lastLiquidity": execution.last_liquidity,
        },
    )


def commission_message(commission: Commission) -> Message:
    """Return a commissionReport."""
    return Message(
        "commissionReport",
        {
            "execId": commission.exec_id,
            "commission": commission.commission,
            "currency": commission.currency,
            "realizedPNL": commission.realized_pnl,
        },
    )


def error_message(req_id: int, code: int, text: str, advanced: str = "") -> Message:
    """Return an error or a notice; ``req_id`` is a request, an order, or -1 for neither."""
    return Message(
        "error",
        {"reqId": req_id, "code": code, "text": text, "advancedOrderRejectJson": advanced},
    )


def time_text(at: datetime, zone: str = GATEWAY_ZONE) -> str:
    """Return an instant as executions tell it: ``20260413 15:27:04 US/Eastern``."""
    assert at.tzinfo is not None, "an instant has a time zone"
    return f"{at.astimezone(ZoneInfo(zone)):%Y%m%d %H:%M:%S} {zone}"


def _order_values(contract: Contract, order: Order, perm_id: int) -> dict[str, Any]:
    said = dict(zip(_ORDER_KEYS, _order_words(order), strict=True))
    for placed in ("transmit", "parentId", "whatIf"):
        del said[placed]
    described = contract_values(contract)
    del described["primaryExchange"]
    rest = {key: value for key, value in order.rest.items() if key not in _PLACED_ONLY}
    return {
        **rest,
        **described,
        "right": contract.right or "?",
        **said,
        "ocaType": order.oca_type or _OCA_TYPE_SHOWN,
        "permId": perm_id,
        "comboLegsDescrip": _legs_text(contract.combo_legs),
        "comboLegs": tuple(_leg_values(leg) for leg in contract.combo_legs),
        "orderComboLegs": tuple({"price": price} for price in order.leg_prices),
        "smartComboRoutingParams": _tag_values(order.smart_combo_params),
        "algoParams": _tag_values(order.algo_params),
    }


def _trail_stop_price(order: Order) -> Decimal | None:
    # gateways show a limit order's limit plus one here
    if order.order_type == "LMT" and order.limit_price is not None:
        return order.limit_price + 1
    return order.rest.get("trailStopPrice")


def _state_values(state: OrderState) -> dict[str, Any]:
    return dict(zip(_STATE_KEYS, _state_words(state), strict=True))


def _combo_leg(values: Mapping[str, Any]) -> ComboLeg:
    return ComboLeg(
        con_id=values["conId"],
        ratio=values["ratio"],
        action=values["action"],
        exchange=values["exchange"],
        open_close=values.get("openClose", 0),
        short_sale_slot=values.get("shortSaleSlot", 0),
        designated_location=values.get("designatedLocation", ""),
        exempt_code=values.get("exemptCode", -1),
    )


def _leg_values(leg: ComboLeg) -> dict[str, Any]:
    return {
        "conId": leg.con_id,
        "ratio": leg.ratio,
        "action": leg.action,
        "exchange": leg.exchange,
        "openClose": leg.open_close,
        "shortSaleSlot": leg.short_sale_slot,
        "designatedLocation": leg.designated_location,
        "exemptCode": leg.exempt_code,
    }


def _legs_text(legs: Iterable[ComboLeg]) -> str:
    return ",".join(
        f"{leg.con_id}|{'-' if leg.action == 'SELL' else ''}{leg.ratio}" for leg in legs
    )


def _pairs(params: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((param["tag"], param["value"]) for param in params)


def _tag_values(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], ...]:
    return tuple({"tag": tag, "value": value} for tag, value in pairs)
