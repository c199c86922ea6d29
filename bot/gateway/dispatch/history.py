"""Requests for historical bars."""

import asyncio

from bot.gateway.bars import head_timestamp, historical_data
from bot.gateway.dispatch.call import Call, Handler, Refused

_SERVICE = "Historical Market Data Service error message:"
_HISTORY_DOWN = f"{_SERVICE}HMDS data farm connection is broken:ushmds"
_TOO_MANY = f"{_SERVICE}Historical data request pacing violation"


def bars(call: Call) -> None:
    """Send bars, and go on sending the one under way if that is asked for."""
    _check_farm(call)
    seconds = asyncio.get_running_loop().time()
    if not call.session.pacing.admits_historical(seconds, call.values["whatToShow"]):
        raise Refused(162, _TOO_MANY)
    listed = call.listed()
    market = call.parts.exchange.market
    call.session.send(historical_data(call.values, listed, market, call.at))
    if call.values.get("keepUpToDate"):
        call.parts.kept_bars.keep(call.session, call.values, listed, call.at)


def cancel_bars(call: Call) -> None:
    """Stop keeping bars up to date."""
    if not call.parts.kept_bars.cancel(call.session, call.req_id):
        text = f"{_SERVICE}API historical data query cancelled: {call.req_id}"
        raise Refused(162, text)


def first_bar(call: Call) -> None:
    """Send the instant of the first bar there is."""
    _check_farm(call)
    market = call.parts.exchange.market
    call.session.send(head_timestamp(call.values, call.listed(), market, call.at))


def cancel_first_bar(call: Call) -> None:
    """Take back a request that has been answered long since."""
    del call


def _check_farm(call: Call) -> None:
    if not call.parts.weather.has_history:
        raise Refused(162, _HISTORY_DOWN)


HANDLERS: dict[str, Handler] = {
    "reqHistoricalData": bars,
    "cancelHistoricalData": cancel_bars,
    "reqHeadTimestamp": first_bar,
    "cancelHeadTimestamp": cancel_first_bar,
}
