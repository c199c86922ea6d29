"""The one place that imports a client library: ib_insync, or ib_async where that is installed.

Both are imported under the same names. What differs between them is dealt with here or never
relied upon: the order states both derive from error messages, what they do when an answer stays
out, and the containers they hand out.
"""

import asyncio
import logging
import warnings
from typing import Any

_BURSTS_PER_SECOND = 10
_READ_BYTES = 8 * 1024
UNSET_ABOVE = 1e300  # both libraries and IB spell "unset" as the largest double


def _loop_for_import() -> asyncio.AbstractEventLoop:
    """Return the thread's event loop, set now if there is none.

    eventkit asks the policy for one when it is imported, and newer Pythons object to that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return asyncio.get_event_loop_policy().get_event_loop()
        except (RuntimeError, DeprecationWarning):
            made = asyncio.new_event_loop()
            asyncio.set_event_loop(made)
            return made


_IMPORT_LOOP = _loop_for_import()  # kept as eventkit keeps it: it is nobody's to close

try:
    import ib_insync as library
    from ib_insync import (
        IB,
        BarData,
        ComboLeg,
        CommissionReport,
        Contract,
        ContractDetails,
        Execution,
        ExecutionFilter,
        Order,
        OrderState,
        Position,
        TagValue,
        Ticker,
    )
    from ib_insync.wrapper import RequestError
except ModuleNotFoundError as missing:
    if missing.name != "ib_insync":
        raise
    import ib_async as library
    from ib_async import (
        IB,
        BarData,
        ComboLeg,
        CommissionReport,
        Contract,
        ContractDetails,
        Execution,
        ExecutionFilter,
        Order,
        OrderState,
        Position,
        TagValue,
        Ticker,
    )
    from ib_async.wrapper import RequestError

LIBRARY_NAME: str = library.__name__
LIBRARY_VERSION: str = library.__version__
_ticker_key = id if LIBRARY_NAME == "ib_insync" else hash

# The libraries log each message they get, and take part of it for an error. What was received is
# in our own journal, and what it means is ours to say.
logging.getLogger(LIBRARY_NAME).setLevel(logging.CRITICAL)


def new_client(*, requests_per_second: int) -> IB:
    """Return a client that is not connected, which raises what IB says about a request.

    Args:
        requests_per_second: The client's own throttle; 0 switches it off.
    """
    ib: Any = IB()
    ib.RaiseRequestErrors = True
    # The library sends a second's worth at once and counts anew; then two bursts fall into a second
    # of IB's. A tenth of it at a time is the same rate, and at most a tenth too many.
    burst = max(1, requests_per_second // _BURSTS_PER_SECOND)
    ib.client.MaxRequests = min(burst, requests_per_second)
    ib.client.RequestsInterval = ib.client.MaxRequests / (requests_per_second or 1)
    return ib


def end_stream(ib: IB, contract: Contract) -> None:
    """Stop a stream and forget its ticker: the libraries keep every one they ever made.

    Args:
        ib: The client.
        contract: The very object the stream was asked for with.
    """
    wrapper: Any = ib.wrapper
    ticker = ib.ticker(contract)
    request = wrapper.ticker2ReqId["mktData"].get(ticker)
    ib.cancelMktData(contract)
    wrapper.reqId2Ticker.pop(request, None)
    wrapper.tickers.pop(_ticker_key(contract), None)


def read_in_pieces(ib: IB) -> None:
    """Let a connected client take little from its socket at a time.

    The libraries copy all that has arrived once for each message in it. How much asyncio reads at
    once is an attribute of its transports; one without it reads as it likes.
    """
    transport = ib.client.conn.transport
    if hasattr(transport, "max_size"):
        transport.max_size = _READ_BYTES


def is_set(value: object) -> bool:
    """Whether IB has told a number, in any of its ways not to tell one."""
    if value in (None, ""):
        return False
    try:
        return abs(float(str(value))) < UNSET_ABOVE
    except ValueError:
        return False


__all__ = [
    "IB",
    "LIBRARY_NAME",
    "LIBRARY_VERSION",
    "BarData",
    "ComboLeg",
    "CommissionReport",
    "Contract",
    "ContractDetails",
    "Execution",
    "ExecutionFilter",
    "Order",
    "OrderState",
    "Position",
    "RequestError",
    "TagValue",
    "Ticker",
    "end_stream",
    "is_set",
    "new_client",
    "read_in_pieces",
]
