"""Requests for what is not simulated: an empty answer where IB has one, otherwise an error."""

from bot.gateway.dispatch.call import Call, Handler, Refused


def _refuse(code: int, text: str) -> Handler:
    def handler(call: Call) -> None:
        del call
        raise Refused(code, text)

    return handler


def _nothing(call: Call) -> None:
    """Take note of a request that has no answer: the end of something that never began."""
    del call


def _no_depth_exchanges(call: Call) -> None:
    call.send("mktDepthExchanges", exchanges=())


def _no_smart_components(call: Call) -> None:
    call.send("smartComponents", reqId=call.req_id, components=())


def _no_scanner_parameters(call: Call) -> None:
    call.send("scannerParameters", xml="<ScanParameterResponse/>")


def _no_display_groups(call: Call) -> None:
    call.send("displayGroupList", reqId=call.req_id, groups="")


def _no_soft_dollar_tiers(call: Call) -> None:
    call.send("softDollarTiers", reqId=call.req_id, tiers=())


def _family_codes(call: Call) -> None:
    call.send("familyCodes", familyCodes=({"accountId": call.parts.account_id, "familyCode": ""},))


def _no_news_providers(call: Call) -> None:
    call.send("newsProviders", providers=())


def _user_info(call: Call) -> None:
    call.send("userInfo", reqId=call.req_id, whiteBrandingId="")


_NO_DEPTH = (10092, "Deep market data is not supported for this combination of security type")
_NO_SCANNER = (162, "Historical Market Data Service error message:no items retrieved")
_NO_FUNDAMENTALS = (430, "We are sorry, but fundamentals data for the security specified is not")
_NO_NEWS = (10276, "News feed is not allowed")
_NO_WSH = (10276, "WSH data is not subscribed to")
_NO_ADVISOR = (321, "Error validating request.-'bA' : cause - Not a financial advisor")
_NO_VERIFICATION = (321, "Error validating request.-'bZ' : cause - Verification is not supported")
_NO_HISTOGRAM = (162, "Historical Market Data Service error message:no histogram data")
_NO_TICKS = (162, "Historical Market Data Service error message:no historical ticks")

HANDLERS: dict[str, Handler] = {
    "reqMktDepth": _refuse(*_NO_DEPTH),
    "cancelMktDepth": _refuse(310, "Can't find the subscribed market depth"),
    "reqMktDepthExchanges": _no_depth_exchanges,
    "reqSmartComponents": _no_smart_components,
    "reqNewsBulletins": _nothing,
    "cancelNewsBulletins": _nothing,
    "requestFA": _refuse(*_NO_ADVISOR),
    "replaceFA": _refuse(*_NO_ADVISOR),
    "reqFamilyCodes": _family_codes,
    "reqSoftDollarTiers": _no_soft_dollar_tiers,
    "reqUserInfo": _user_info,
    "reqScannerParameters": _no_scanner_parameters,
    "reqScannerSubscription": _refuse(*_NO_SCANNER),
    "cancelScannerSubscription": _nothing,
    "reqFundamentalData": _refuse(*_NO_FUNDAMENTALS),
    "cancelFundamentalData": _nothing,
    "verifyRequest": _refuse(*_NO_VERIFICATION),
    "verifyMessage": _refuse(*_NO_VERIFICATION),
    "verifyAndAuthRequest": _refuse(*_NO_VERIFICATION),
    "verifyAndAuthMessage": _refuse(*_NO_VERIFICATION),
    "queryDisplayGroups": _no_display_groups,
    "subscribeToGroupEvents": _refuse(321, "Error validating request.-'bG' : cause - No groups"),
    "updateDisplayGroup": _refuse(321, "Error validating request.-'bG' : cause - No groups"),
    "unsubscribeFromGroupEvents": _nothing,
    "reqNewsArticle": _refuse(*_NO_NEWS),
    "reqNewsProviders": _no_news_providers,
    "reqHistoricalNews": _refuse(*_NO_NEWS),
    "reqWshMetaData": _refuse(*_NO_WSH),
    "cancelWshMetaData": _nothing,
    "reqWshEventData": _refuse(*_NO_WSH),
    "cancelWshEventData": _nothing,
    "reqHistogramData": _refuse(*_NO_HISTOGRAM),
    "cancelHistogramData": _nothing,
    "reqHistoricalTicks": _refuse(*_NO_TICKS),
}
