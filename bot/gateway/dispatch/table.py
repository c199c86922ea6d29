"""Which request is answered by whom."""

from bot.gateway.dispatch import account, history, orders, reference, system, unsupported
from bot.gateway.dispatch.call import Handler
from bot.gateway.dispatch.market import market_data

MARKET_DATA = (
    *("reqMktData", "cancelMktData", "reqMarketDataType", "reqRealTimeBars"),
    *("cancelRealTimeBars", "reqTickByTickData", "cancelTickByTickData"),
    *("calculateImpliedVolatility", "cancelCalculateImpliedVolatility"),
    *("calculateOptionPrice", "cancelCalculateOptionPrice"),
)

HANDLERS: dict[str, Handler] = {
    **system.HANDLERS,
    **account.HANDLERS,
    **orders.HANDLERS,
    **reference.HANDLERS,
    **history.HANDLERS,
    **dict.fromkeys(MARKET_DATA, market_data),
    **unsupported.HANDLERS,
}
