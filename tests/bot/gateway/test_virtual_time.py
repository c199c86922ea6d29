"""A gateway and its client in one process, in virtual time: nothing waits, nothing is lost."""

from datetime import timedelta
from decimal import Decimal

from bot.clock import SystemClock, virtual_time
from bot.exchange.exchange import Exchange
from bot.gateway.fault_plan import FaultPlan, PlannedFault
from bot.gateway.faults import FaultKind
from bot.gateway.gateway import Gateway
from tests.bot.gateway.running import ACCOUNT, CASH, FAST, spring_2020
from tests.builders import AT
from tests.ib_client import IB, LimitOrder, Option

PUT = Option("SPX", "20200320", 3200, "P", "SMART", tradingClass="SPXW", currency="USD")


def test_a_morning_of_trading_over_a_real_socket():
    market = spring_2020()
    plan = FaultPlan([PlannedFault(kind=FaultKind.MARKET_FARM_DOWN, at=AT + timedelta(hours=1))])
    with virtual_time(AT) as loop:
        clock = SystemClock()
        exchange = Exchange(market, account_id=ACCOUNT, starting_cash_usd=CASH, seed=7)
        gateway = Gateway(exchange, market.calendar, clock, FAST, plan)
        ib = IB()
        ib.client.MaxRequests = 0

        def in_flight() -> bool:
            transport = ib.client.conn.transport
            if transport is None or transport.is_closing():
                return False
            traffic = gateway.traffic().get(transport.get_extra_info("sockname")[1])
            if traffic is None:
                return False
            to_us, to_gateway = ib.client._numBytesRecv, ib.client.conn.numBytesSent
            return traffic.sent != to_us or traffic.received != to_gateway

        async def trade() -> list[tuple[int, float]]:
            said: list[tuple[int, float]] = []
            port = await gateway.start(0)
            await ib.connectAsync("127.0.0.1", port, clientId=1, timeout=4)
            assert clock.now() == AT  # not a virtual microsecond has passed
            ib.errorEvent += lambda req_id, code, text, contract: said.append(
                (code, (clock.now() - AT).total_seconds())
            )
            await ib.qualifyContractsAsync(PUT)
            done = ib.placeOrder(PUT, LimitOrder("BUY", 1, 100.0, tif="DAY"))
            await ib.reqCurrentTimeAsync()
            await clock.sleep(60)
            await ib.reqCurrentTimeAsync()
            assert done.orderStatus.status == "Filled"
            account = exchange.account()
            values = {each.tag: each.value for each in ib.accountValues() if each.currency == "USD"}
            assert Decimal(values["TotalCashValue"]) == account.cash_usd
            await clock.sleep(2 * 3600)  # the client asks nothing; the plan strikes all the same
            ib.disconnect()
            await gateway.stop()
            return said

        with loop.watch(in_flight):
            said = loop.run_until_complete(trade())
    assert [(code, round(after)) for code, after in said] == [(2103, 3600), (2104, 3630)]
