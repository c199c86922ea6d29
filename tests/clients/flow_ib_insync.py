"""The whole flow of a trading bot through ib_insync or ib_async, whichever this Python has.

Usage: python flow_ib_insync.py PORT CLIENT_ID. Prints one JSON document of what was seen.
"""

import asyncio
import json
import sys

try:
    import ib_insync as library
except ImportError:
    import ib_async as library

from itertools import pairwise

DEADLINE_S = 20.0


async def until(condition, what):
    """Wait until ``condition()`` is true; fail naming ``what`` after the deadline."""
    for _ in range(int(DEADLINE_S / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError(what)


def condor_strikes(strikes, level):
    """Return put wing, put, call and call wing around an index level."""
    puts = [strike for strike in strikes if strike < 0.96 * level]
    calls = [strike for strike in strikes if strike > 1.03 * level]
    return puts[-3], puts[-1], calls[0], calls[2]


async def flow(port, client_id):
    """Run the flow and return what was seen."""
    seen = {}
    ib = library.IB()
    errors = []
    ib.errorEvent += lambda req_id, code, text, contract: errors.append((req_id, code, text))
    canonical = {}  # IB's own form of a combo, which a modification must carry
    as_the_library_does = ib.wrapper.openOrder

    def open_order(order_id, contract, order, state):
        canonical[order_id] = contract
        as_the_library_does(order_id, contract, order, state)

    ib.wrapper.openOrder = open_order
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=10)
    seen["server_version"] = ib.client.serverVersion()
    seen["accounts"] = ib.managedAccounts()

    (spx,) = await ib.qualifyContractsAsync(library.Index("SPX", "CBOE", "USD"))
    index = ib.reqMktData(spx)
    await until(lambda: index.last > 0, "a print of SPX")
    seen["spx"] = index.last

    chains = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", spx.conId)
    expirations = sorted({e for c in chains if c.tradingClass == "SPXW" for e in c.expirations})
    expiry = expirations[min(12, len(expirations) - 1)]
    series = library.Option("SPX", expiry, exchange="SMART", currency="USD", tradingClass="SPXW")
    details = await ib.reqContractDetailsAsync(series)
    seen["series"] = len(details)
    by_terms = {(d.contract.strike, d.contract.right): d.contract for d in details}
    wanted = condor_strikes(sorted({strike for strike, _ in by_terms}), index.last)
    contracts = [by_terms[terms] for terms in zip(wanted, "PPCC", strict=True)]
    one = library.Option("SPX", expiry, wanted[1], "P", "SMART", tradingClass="SPXW")
    (qualified,) = await ib.qualifyContractsAsync(one)
    seen["qualified"] = qualified.localSymbol
    seen["is_the_same"] = qualified.conId == contracts[1].conId
    futures = await ib.reqContractDetailsAsync(
        library.Contract(secType="FUT", symbol="VIX", exchange="CFE", tradingClass="VX")
    )
    months = sorted(d.contract.lastTradeDateOrContractMonth for d in futures)
    seen["futures"] = len(months)
    seen["futures_ascend"] = all(one < two for one, two in pairwise(months))

    tickers = [ib.reqMktData(contract) for contract in contracts]
    await until(lambda: all(t.bid > 0 and t.ask > 0 for t in tickers), "quotes of four legs")
    await until(lambda: all(t.modelGreeks is not None for t in tickers), "greeks of four legs")
    seen["deltas"] = [t.modelGreeks.delta for t in tickers]
    seen["implied_vols"] = [t.modelGreeks.impliedVol for t in tickers]

    signs = (1, -1, -1, 1)
    legs = [
        library.ComboLeg(
            conId=contract.conId,
            ratio=1,
            action="BUY" if sign > 0 else "SELL",
            exchange="SMART",
        )
        for contract, sign in zip(contracts, signs, strict=True)
    ]
    bag = library.Contract(
        symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs
    )
    sides = zip(signs, tickers, strict=True)
    natural = sum(t.ask if sign > 0 else -t.bid for sign, t in sides)
    natural = round(natural / 0.05) * 0.05
    order = library.LimitOrder("BUY", 2, round(natural - 2, 2), tif="DAY", orderRef="flow-condor")
    order.outsideRth = False
    state = await asyncio.wait_for(ib.whatIfOrderAsync(bag, order), DEADLINE_S)
    seen["what_if_margin"] = float(state.initMarginChange)

    trade = ib.placeOrder(bag, order)
    await until(lambda: trade.orderStatus.status in ("Submitted", "PreSubmitted"), "a live combo")
    seen["live"] = trade.orderStatus.status
    trade.order.lmtPrice = round(natural + 0.2, 2)
    ib.placeOrder(canonical.get(trade.order.orderId, bag), trade.order)
    await until(lambda: trade.orderStatus.status == "Filled", "the filled combo")
    await until(lambda: len(ib.fills()) >= 5, "five executions")
    leg_fills = [fill for fill in ib.fills() if fill.contract.secType == "OPT"]
    await until(
        lambda: all(f.commissionReport.execId for f in leg_fills), "commissions of the legs"
    )
    seen["leg_executions"] = len(leg_fills)
    seen["commission"] = sum(fill.commissionReport.commission for fill in leg_fills)
    seen["references"] = sorted({fill.execution.orderRef for fill in leg_fills})

    rest = library.LimitOrder("BUY", 1, 0.05, tif="DAY", orderRef="flow-rest")
    resting = ib.placeOrder(contracts[1], rest)
    await until(lambda: resting.orderStatus.status == "Submitted", "a resting order")
    ib.cancelOrder(rest)
    await until(lambda: resting.orderStatus.status == "Cancelled", "the cancel")
    seen["cancelled"] = resting.orderStatus.status

    await until(lambda: len(ib.positions()) == 4, "four positions")
    seen["positions"] = sorted(position.position for position in ib.positions())
    summary = {row.tag: row.value for row in await ib.accountSummaryAsync()}
    seen["net_liquidation"] = float(summary["NetLiquidation"])
    seen["executions"] = len(await ib.reqExecutionsAsync())
    completed = await ib.reqCompletedOrdersAsync(apiOnly=False)
    seen["completed"] = sorted(each.order.orderRef for each in completed)
    bars = await ib.reqHistoricalDataAsync(spx, "", "5 D", "1 day", "TRADES", True)
    seen["daily_bars"] = len(bars)
    ib.disconnect()

    await asyncio.sleep(0.2)
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=10)
    seen["positions_after_reconnect"] = sorted(p.position for p in ib.positions())
    seen["executions_after_reconnect"] = len(ib.fills())
    ib.disconnect()
    seen["errors"] = [error for error in errors if not 2100 <= error[1] < 2200]
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(flow(int(sys.argv[1]), int(sys.argv[2])))))
