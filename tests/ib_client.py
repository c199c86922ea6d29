"""What tests use of the client library that is installed: ib_insync, or ib_async in its own place.

Through the adapter's shim, so that the same tests run with either.
"""

from bot.brokers.ib.library import LIBRARY_NAME, library

IS_IB_ASYNC = LIBRARY_NAME == "ib_async"

IB = library.IB
ComboLeg = library.ComboLeg
Contract = library.Contract
ContractDetails = library.ContractDetails
Forex = library.Forex
Future = library.Future
Index = library.Index
LimitOrder = library.LimitOrder
MarketOrder = library.MarketOrder
Option = library.Option
Order = library.Order
Stock = library.Stock
StopOrder = library.StopOrder
Ticker = library.Ticker
Trade = library.Trade

GREETS_UP_TO: int = IB().client.MaxClientVersion

Decoder = library.decoder.Decoder
Wrapper = library.wrapper.Wrapper
parse_ib_datetime = library.util.parseIBDatetime


def ticker_with(**prices: float) -> Ticker:
    """Return a ticker with prices; ib_async makes it blank whatever it is made with."""
    made = Ticker()
    for name, price in prices.items():
        setattr(made, name, price)
    return made
