"""Requests for market data; the feed answers them, the limit of lines is kept here."""

from bot.gateway.dispatch.call import Call, Refused
from bot.gateway.protocol.message import Message


def market_data(call: Call) -> None:
    """Pass a request on to the feed, unless too many lines are open already."""
    if call.kind == "reqMktData" and not call.values.get("snapshot"):
        most = call.parts.settings.market_data_lines
        if most is not None and call.parts.feed.lines() >= most:
            raise Refused(101, "Max number of tickers has been reached")
    call.parts.feed.handle(call.session, Message(call.kind, call.values), call.at)
