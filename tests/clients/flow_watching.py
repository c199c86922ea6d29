"""A second client, ib_async, that does what it is told by lines on stdin, one JSON answer each.

Usage: python flow_watching.py PORT CLIENT_ID. Lines: open, positions, executions, cancel ORDER_ID.
"""

import asyncio
import json
import sys

from ib_async import IB


async def answer(ib, words):
    """Carry out one line."""
    match words:
        case ["open"]:
            return [
                [each.order.clientId, each.order.orderId, each.order.permId, each.order.orderRef]
                for each in await ib.reqAllOpenOrdersAsync()
            ]
        case ["positions"]:
            return {each.contract.localSymbol: each.position for each in ib.positions()}
        case ["executions"]:
            heard = len(ib.fills())
            asked = await ib.reqExecutionsAsync()
            return [heard, [[each.execution.clientId, each.execution.execId] for each in asked]]
        case ["cancel", order_id]:
            ib.client.cancelOrder(int(order_id), "")
            await ib.reqCurrentTimeAsync()
            return "asked"
    raise ValueError(words)


async def watch(port, client_id):
    """Connect, say so, and answer until stdin ends."""
    ib = IB()
    await ib.connectAsync("127.0.0.1", port, clientId=client_id, timeout=10)
    print(json.dumps(ib.client.serverVersion()), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await answer(ib, line.split())), flush=True)
    ib.disconnect()


if __name__ == "__main__":
    asyncio.run(watch(int(sys.argv[1]), int(sys.argv[2])))
