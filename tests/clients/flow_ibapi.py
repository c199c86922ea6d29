"""The whole flow of a trading bot through the official callback API, of 2020 or of today.

Usage: python flow_ibapi.py PORT CLIENT_ID. Prints one JSON document of what was seen. Runs on the
published ``ibapi`` 9.81 and on the newer official sources as repackaged by ``nautilus-ibapi``.
"""

import inspect
import json
import sys
import threading
import time
from decimal import Decimal
from itertools import pairwise

from ibapi.client import EClient
from ibapi.contract import ComboLeg, Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.wrapper import EWrapper

DEADLINE_S = 20.0
MODEL_GREEKS = 13


class Client(EWrapper, EClient):
    """Collects what the gateway says, by request or order id."""

    def __init__(self):
        EClient.__init__(self, self)
        self.heard = {}
        self.ended = set()
        self.errors = []

    def hear(self, topic, value):
        self.heard.setdefault(topic, []).append(value)

    def nextValidId(self, orderId):
        self.hear("next", orderId)

    def managedAccounts(self, accountsList):
        self.hear("accounts", accountsList)

    def error(self, reqId, *rest):  # an errorTime stands before the code since 10.33
        numbers = [item for item in rest if isinstance(item, int)]
        text = next(item for item in rest if isinstance(item, str))
        self.errors.append((reqId, numbers[-1], text))

    def contractDetails(self, reqId, contractDetails):
        self.hear(("details", reqId), contractDetails)

    def contractDetailsEnd(self, reqId):
        self.ended.add(reqId)

    def securityDefinitionOptionParameter(
        self, reqId, exchange, underlyingConId, tradingClass, multiplier, expirations, strikes
    ):
        self.hear(("chain", reqId), (tradingClass, expirations))

    def securityDefinitionOptionParameterEnd(self, reqId):
        self.ended.add(reqId)

    def tickPrice(self, reqId, tickType, price, attrib):
        self.heard[("tick", reqId, int(tickType))] = price

    def tickOptionComputation(self, reqId, tickType, *values):
        # without tickAttrib in old versions; the last eight are always the same
        implied_vol, delta = values[-8:-6]
        if int(tickType) == MODEL_GREEKS:
            self.heard[("greeks", reqId)] = (implied_vol, delta)

    def openOrder(self, orderId, contract, order, orderState):
        self.heard[("canonical", orderId)] = contract
        if order.whatIf:
            self.hear(("margin", orderId), orderState.initMarginChange)

    def orderStatus(self, orderId, status, *rest):
        self.heard[("status", orderId)] = status
        self.hear(("statuses", orderId), status)

    def execDetails(self, reqId, contract, execution):
        self.hear(("execution", reqId), (contract.secType, execution))

    def execDetailsEnd(self, reqId):
        self.ended.add(reqId)

    def commissionReport(self, commissionReport):
        self.heard[("commission", commissionReport.execId)] = commissionReport.commission

    def commissionAndFeesReport(self, commissionAndFeesReport):
        report = commissionAndFeesReport
        self.heard[("commission", report.execId)] = report.commissionAndFees

    def position(self, account, contract, position, avgCost):
        self.heard.setdefault("positions", {})[contract.conId] = float(position)

    def positionEnd(self):
        self.ended.add("positions")

    def accountSummary(self, reqId, account, tag, value, currency):
        self.heard[("summary", tag)] = value

    def accountSummaryEnd(self, reqId):
        self.ended.add(reqId)

    def completedOrder(self, contract, order, orderState):
        self.hear("completed", order.orderRef)

    def completedOrdersEnd(self):
        self.ended.add("completed")

    def historicalData(self, reqId, bar):
        self.hear(("bars", reqId), bar)

    def historicalDataEnd(self, reqId, start, end):
        self.ended.add(reqId)


def until(condition, what):
    """Wait until ``condition()`` is true; fail naming ``what`` after the deadline."""
    for _ in range(int(DEADLINE_S / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    raise TimeoutError(what)


def contract_of(**terms):
    """Return a contract with the given terms."""
    contract = Contract()
    contract.currency = "USD"
    for name, value in terms.items():
        setattr(contract, name, value)
    return contract


def limit(action, quantity, price, reference):
    """Return a day limit order."""
    order = Order()
    order.action, order.orderType, order.tif = action, "LMT", "DAY"
    order.totalQuantity = quantity if OLD else Decimal(quantity)
    order.lmtPrice, order.orderRef = price, reference
    if OLD:  # IB refuses these two, which 9.81 sets by default
        order.eTradeOnly = order.firmQuoteOnly = False
    return order


OLD = "float" in str(inspect.signature(EWrapper.position))  # quantities are Decimal since 2022


def connect(port, client_id):
    """Return a client whose reader runs, once the gateway has named its accounts."""
    client = Client()
    client.connect("127.0.0.1", port, client_id)
    threading.Thread(target=client.run, daemon=True).start()
    until(lambda: "next" in client.heard and "accounts" in client.heard, "the start of the API")
    return client


def cancel(client, order_id):
    """Cancel, with an OrderCancel where this version wants one."""
    if len(inspect.signature(EClient.cancelOrder).parameters) == 2:
        client.cancelOrder(order_id)
        return
    try:
        from ibapi.order_cancel import OrderCancel

        client.cancelOrder(order_id, OrderCancel())
    except ImportError:
        client.cancelOrder(order_id, "")


def flow(port, client_id):
    """Run the flow and return what was seen."""
    seen = {}
    client = connect(port, client_id)
    heard, ended = client.heard, client.ended
    seen["server_version"] = client.serverVersion()
    seen["accounts"] = [name for name in heard["accounts"][0].split(",") if name]

    def details(req_id, contract):
        client.reqContractDetails(req_id, contract)
        until(lambda: req_id in ended, f"contract details {req_id}")
        return heard.get(("details", req_id), [])

    spx = details(1, contract_of(symbol="SPX", secType="IND", exchange="CBOE"))[0].contract
    client.reqMktData(2, spx, "", False, False, [])
    until(lambda: heard.get(("tick", 2, 4), 0) > 0, "a print of SPX")
    seen["spx"] = level = heard[("tick", 2, 4)]

    client.reqSecDefOptParams(3, "SPX", "", "IND", spx.conId)
    until(lambda: 3 in ended, "chains")
    chains = heard[("chain", 3)]
    expirations = sorted({each for name, days in chains if name == "SPXW" for each in days})
    expiry = expirations[min(12, len(expirations) - 1)]
    terms = {"symbol": "SPX", "secType": "OPT", "exchange": "SMART", "tradingClass": "SPXW"}
    series = details(4, contract_of(lastTradeDateOrContractMonth=expiry, **terms))
    seen["series"] = len(series)
    by_terms = {(d.contract.strike, d.contract.right): d.contract for d in series}
    strikes = sorted({strike for strike, _ in by_terms})
    puts = [strike for strike in strikes if strike < 0.96 * level]
    calls = [strike for strike in strikes if strike > 1.03 * level]
    wanted = (puts[-3], puts[-1], calls[0], calls[2])
    legs = [by_terms[each] for each in zip(wanted, "PPCC", strict=True)]
    one = contract_of(lastTradeDateOrContractMonth=expiry, strike=wanted[1], right="P", **terms)
    (qualified,) = details(5, one)
    seen["qualified"] = qualified.contract.localSymbol
    seen["is_the_same"] = qualified.contract.conId == legs[1].conId
    future = contract_of(symbol="VIX", secType="FUT", exchange="CFE", tradingClass="VX")
    months = sorted(each.contract.lastTradeDateOrContractMonth for each in details(6, future))
    seen["futures"] = len(months)
    seen["futures_ascend"] = all(month < after for month, after in pairwise(months))

    for index, leg in enumerate(legs):
        client.reqMktData(10 + index, leg, "", False, False, [])
    every = range(10, 14)
    until(
        lambda: all(heard.get(("tick", i, side), 0) > 0 for i in every for side in (1, 2)),
        "quotes of four legs",
    )
    until(lambda: all(("greeks", i) in heard for i in every), "greeks of four legs")
    seen["implied_vols"] = [heard[("greeks", i)][0] for i in every]
    seen["deltas"] = [heard[("greeks", i)][1] for i in every]

    bag = contract_of(symbol="SPX", secType="BAG", exchange="SMART")
    bag.comboLegs = []
    signs = (1, -1, -1, 1)
    for sign, leg in zip(signs, legs, strict=True):
        combo_leg = ComboLeg()
        combo_leg.conId, combo_leg.ratio, combo_leg.exchange = leg.conId, 1, "SMART"
        combo_leg.action = "BUY" if sign > 0 else "SELL"
        bag.comboLegs.append(combo_leg)
    sides = [(sign, 2 if sign > 0 else 1) for sign in signs]
    natural = sum(
        sign * heard[("tick", i, side)] for i, (sign, side) in zip(every, sides, strict=True)
    )
    natural = round(natural / 0.05) * 0.05

    order_id = heard["next"][-1]
    trial = limit("BUY", 2, round(natural - 2, 2), "flow-what-if")
    trial.whatIf = True
    client.placeOrder(order_id, bag, trial)
    until(lambda: ("margin", order_id) in heard, "the margin of a what-if")
    seen["what_if_margin"] = float(heard[("margin", order_id)][-1])

    condor_id = order_id + 1
    condor = limit("BUY", 2, round(natural - 2, 2), "flow-condor")
    client.placeOrder(condor_id, bag, condor)
    live = ("Submitted", "PreSubmitted")
    until(lambda: heard.get(("status", condor_id)) in live, "a live combo")
    seen["live"] = heard[("status", condor_id)]
    condor.lmtPrice = round(natural + 0.2, 2)
    client.placeOrder(condor_id, heard[("canonical", condor_id)], condor)
    until(lambda: heard.get(("status", condor_id)) == "Filled", "the filled combo")

    def leg_executions():
        found = heard.get(("execution", -1), [])
        return [e for kind, e in found if kind == "OPT" and e.orderId == condor_id]

    until(
        lambda: (
            len(leg_executions()) >= 4
            and all(("commission", e.execId) in heard for e in leg_executions())
        ),
        "executions and commissions of the legs",
    )
    seen["leg_executions"] = len(leg_executions())
    seen["commission"] = sum(heard[("commission", e.execId)] for e in leg_executions())
    seen["references"] = sorted({e.orderRef for e in leg_executions()})

    rest_id = condor_id + 1
    client.placeOrder(rest_id, legs[1], limit("BUY", 1, 0.05, "flow-rest"))
    until(lambda: heard.get(("status", rest_id)) == "Submitted", "a resting order")
    cancel(client, rest_id)
    until(lambda: heard.get(("status", rest_id)) == "Cancelled", "the cancel")
    seen["cancelled"] = heard[("status", rest_id)]

    client.reqPositions()
    until(lambda: "positions" in ended, "positions")
    seen["positions"] = sorted(heard["positions"].values())
    client.reqAccountSummary(20, "All", "NetLiquidation,TotalCashValue")
    until(lambda: 20 in ended, "the account summary")
    seen["net_liquidation"] = float(heard[("summary", "NetLiquidation")])
    client.reqExecutions(21, ExecutionFilter())
    until(lambda: 21 in ended, "executions")
    seen["executions"] = len(heard[("execution", 21)])
    client.reqCompletedOrders(False)
    until(lambda: "completed" in ended, "completed orders")
    seen["completed"] = sorted(heard["completed"])
    client.reqHistoricalData(22, spx, "", "5 D", "1 day", "TRADES", 1, 1, False, [])
    until(lambda: 22 in ended, "daily bars")
    seen["daily_bars"] = len(heard[("bars", 22)])
    reader = client.reader
    client.disconnect()
    reader.join()  # the socket stays open, and the client id in use, until it has noticed
    errors = client.errors

    client = connect(port, client_id)
    client.reqPositions()
    until(lambda: "positions" in client.ended, "positions after the reconnect")
    seen["positions_after_reconnect"] = sorted(client.heard["positions"].values())
    client.reqExecutions(1, ExecutionFilter())
    until(lambda: 1 in client.ended, "executions after the reconnect")
    seen["executions_after_reconnect"] = len(client.heard[("execution", 1)])
    client.disconnect()
    errors += client.errors
    seen["errors"] = [error for error in errors if not 2100 <= error[1] < 2200]
    return seen


if __name__ == "__main__":
    print(json.dumps(flow(int(sys.argv[1]), int(sys.argv[2]))))
