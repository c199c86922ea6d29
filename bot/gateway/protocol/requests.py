"""Every message a client sends, by name, as tables. The short ones are here, placeOrder is not."""

from bot.gateway.protocol.layouts import (
    C12_OF_REQUEST,
    COMBO_LEG,
    Constant,
    Field,
    Group,
    Item,
    Layout,
    When,
    one_of,
    texts,
)
from bot.gateway.protocol.order_replies import DELTA_NEUTRAL_CONTRACT
from bot.gateway.protocol.place_order import PLACE_ORDER
from bot.gateway.protocol.primitives import (
    BOOL,
    INT,
    REAL,
    TEXT,
    optional_int,
    optional_real,
)

_REQ_ID = Field("reqId", INT)
_LEGS = When("secType", one_of("BAG"), (Group("comboLegs", COMBO_LEG),))
_USE_RTH = Field("useRTH", BOOL, default=True)
_INCLUDE_EXPIRED = Field("includeExpired", BOOL, default=False)
_C11_OF_EXERCISE = tuple(item for item in C12_OF_REQUEST if item.name != "primaryExchange")


def _plain(number: int, kind: str, *items: Item, version: int = 1) -> Layout:
    return Layout(number, kind, (Constant(str(version)), *items))


def _about(number: int, kind: str, *items: Item, version: int = 1) -> Layout:
    return _plain(number, kind, _REQ_ID, *items, version=version)


def _newer(number: int, kind: str, *items: Item) -> Layout:
    return Layout(number, kind, items)


_SESSION = (
    _plain(71, "startApi", Field("clientId", INT), Field("optCapab", TEXT, ""), version=2),
    _plain(8, "reqIds", Field("numIds", INT, 1)),
    _plain(17, "reqManagedAccts"),
    _plain(49, "reqCurrentTime"),
    _plain(14, "setServerLogLevel", Field("logLevel", INT)),
)

_CONTRACTS = (
    _about(
        9,
        "reqContractDetails",
        *C12_OF_REQUEST,
        _INCLUDE_EXPIRED,
        *texts("secIdType secId"),
        Field("issuerId", TEXT, "", since=176),
        version=8,
    ),
    _newer(
        78,
        "reqSecDefOptParams",
        _REQ_ID,
        Field("underSymbol"),
        Field("futFopExchange", TEXT, ""),
        Field("underSecType"),
        Field("underConId", INT, 0),
    ),
    _newer(81, "reqMatchingSymbols", _REQ_ID, Field("pattern")),
    _newer(91, "reqMarketRule", Field("ruleId", INT)),
)

_MARKET_DATA = (
    _about(
        1,
        "reqMktData",
        *C12_OF_REQUEST,
        _LEGS,
        DELTA_NEUTRAL_CONTRACT,
        Field("genericTicks", TEXT, ""),
        Field("snapshot", BOOL, default=False),
        Field("regulatorySnapshot", BOOL, default=False),
        Field("options", TEXT, ""),
        version=11,
    ),
    _about(2, "cancelMktData", version=2),
    _plain(59, "reqMarketDataType", Field("type", INT)),
    _newer(
        97,
        "reqTickByTickData",
        _REQ_ID,
        *C12_OF_REQUEST,
        Field("tickType"),
        Field("numberOfTicks", INT, 0),
        Field("ignoreSize", BOOL, default=False),
    ),
    _newer(98, "cancelTickByTickData", _REQ_ID),
    _about(
        50,
        "reqRealTimeBars",
        *C12_OF_REQUEST,
        Field("barSize", INT, 5),
        Field("whatToShow", TEXT, "TRADES"),
        _USE_RTH,
        Field("options", TEXT, ""),
        version=3,
    ),
    _about(51, "cancelRealTimeBars"),
    _about(
        54,
        "calculateImpliedVolatility",
        *C12_OF_REQUEST,
        Field("optionPrice", REAL),
        Field("underPrice", REAL),
        Field("numberOfOptions", INT, 0),
        Field("options", TEXT, ""),
        version=3,
    ),
    _about(
        55,
        "calculateOptionPrice",
        *C12_OF_REQUEST,
        Field("volatility", REAL),
        Field("underPrice", REAL),
        Field("numberOfOptions", INT, 0),
        Field("options", TEXT, ""),
        version=3,
    ),
    _about(56, "cancelCalculateImpliedVolatility"),
    _about(57, "cancelCalculateOptionPrice"),
    _about(
        10,
        "reqMktDepth",
        *C12_OF_REQUEST,
        Field("numRows", INT),
        Field("isSmartDepth", BOOL, default=False),
        Field("options", TEXT, ""),
        version=5,
    ),
    _about(11, "cancelMktDepth", Field("isSmartDepth", BOOL, default=False)),
    _newer(82, "reqMktDepthExchanges"),
    _newer(83, "reqSmartComponents", _REQ_ID, Field("bboExchange")),
)

_HISTORY = (
    _newer(
        20,
        "reqHistoricalData",
        _REQ_ID,
        *C12_OF_REQUEST,
        _INCLUDE_EXPIRED,
        Field("endDateTime", TEXT, ""),
        Field("barSize"),
        Field("duration"),
        _USE_RTH,
        Field("whatToShow"),
        Field("formatDate", INT, 1),
        _LEGS,
        Field("keepUpToDate", BOOL, default=False),
        Field("chartOptions", TEXT, ""),
    ),
    _about(25, "cancelHistoricalData"),
    _newer(
        87,
        "reqHeadTimestamp",
        _REQ_ID,
        *C12_OF_REQUEST,
        _INCLUDE_EXPIRED,
        _USE_RTH,
        Field("whatToShow"),
        Field("formatDate", INT, 1),
    ),
    _newer(90, "cancelHeadTimestamp", _REQ_ID),
    _newer(
        88,
        "reqHistogramData",
        _REQ_ID,
        *C12_OF_REQUEST,
        _INCLUDE_EXPIRED,
        _USE_RTH,
        Field("timePeriod"),
    ),
    _newer(89, "cancelHistogramData", _REQ_ID),
    _newer(
        96,
        "reqHistoricalTicks",
        _REQ_ID,
        *C12_OF_REQUEST,
        _INCLUDE_EXPIRED,
        *texts("startDateTime endDateTime"),
        Field("numberOfTicks", INT),
        Field("whatToShow"),
        _USE_RTH,
        Field("ignoreSize", BOOL, default=False),
        Field("options", TEXT, ""),
    ),
)

_ORDERS = (
    PLACE_ORDER,
    _plain(
        4,
        "cancelOrder",
        Field("orderId", INT),
        Field("manualCancelOrderTime", TEXT, "", since=169),
    ),
    _plain(58, "reqGlobalCancel"),
    _plain(5, "reqOpenOrders"),
    _plain(15, "reqAutoOpenOrders", Field("autoBind", BOOL)),
    _plain(16, "reqAllOpenOrders"),
    _newer(99, "reqCompletedOrders", Field("apiOnly", BOOL, default=False)),
    _about(
        7,
        "reqExecutions",
        Field("clientId", INT, 0),
        *texts("account time symbol secType exchange side"),
        version=3,
    ),
    _about(
        21,
        "exerciseOptions",
        *_C11_OF_EXERCISE,
        Field("exerciseAction", INT),
        Field("exerciseQuantity", INT),
        Field("account", TEXT, ""),
        Field("override", INT, 0),
        version=2,
    ),
)

_ACCOUNTS = (
    _plain(6, "reqAccountUpdates", Field("subscribe", BOOL), Field("account", TEXT, ""), version=2),
    _about(
        76,
        "reqAccountUpdatesMulti",
        *texts("account modelCode"),
        Field("ledgerAndNLV", BOOL, default=False),
    ),
    _about(77, "cancelAccountUpdatesMulti"),
    _about(62, "reqAccountSummary", Field("group"), Field("tags")),
    _about(63, "cancelAccountSummary"),
    _plain(61, "reqPositions"),
    _plain(64, "cancelPositions"),
    _about(74, "reqPositionsMulti", *texts("account modelCode")),
    _about(75, "cancelPositionsMulti"),
    _newer(92, "reqPnL", _REQ_ID, *texts("account modelCode")),
    _newer(93, "cancelPnL", _REQ_ID),
    _newer(94, "reqPnLSingle", _REQ_ID, *texts("account modelCode"), Field("conId", INT)),
    _newer(95, "cancelPnLSingle", _REQ_ID),
    _newer(80, "reqFamilyCodes"),
    _newer(104, "reqUserInfo", _REQ_ID),
    _plain(18, "requestFA", Field("faDataType", INT)),
    _plain(19, "replaceFA", Field("faDataType", INT), Field("xml"), _REQ_ID),
    _newer(79, "reqSoftDollarTiers", _REQ_ID),
)

_SCANNER_LIMIT = optional_real()
_REST = (
    _plain(12, "reqNewsBulletins", Field("allMessages", BOOL)),
    _plain(13, "cancelNewsBulletins"),
    _newer(
        22,
        "reqScannerSubscription",
        _REQ_ID,
        Field("numberOfRows", optional_int(), None),
        *texts("instrument locationCode scanCode"),
        Field("abovePrice", _SCANNER_LIMIT, None),
        Field("belowPrice", _SCANNER_LIMIT, None),
        Field("aboveVolume", optional_int(), None),
        Field("marketCapAbove", _SCANNER_LIMIT, None),
        Field("marketCapBelow", _SCANNER_LIMIT, None),
        *texts("moodyRatingAbove moodyRatingBelow spRatingAbove spRatingBelow"),
        *texts("maturityDateAbove maturityDateBelow"),
        Field("couponRateAbove", _SCANNER_LIMIT, None),
        Field("couponRateBelow", _SCANNER_LIMIT, None),
        Field("excludeConvertible", BOOL, default=False),
        Field("averageOptionVolumeAbove", optional_int(), None),
        *texts("scannerSettingPairs stockTypeFilter filterOptions options"),
    ),
    _about(23, "cancelScannerSubscription"),
    _plain(24, "reqScannerParameters"),
    _about(
        52,
        "reqFundamentalData",
        Field("conId", INT, 0),
        *texts("symbol secType exchange primaryExchange currency localSymbol reportType"),
        Field("numberOfOptions", INT, 0),
        Field("options", TEXT, ""),
        version=2,
    ),
    _about(53, "cancelFundamentalData"),
    _plain(65, "verifyRequest", *texts("apiName apiVersion")),
    _plain(66, "verifyMessage", *texts("apiData")),
    _about(67, "queryDisplayGroups"),
    _about(68, "subscribeToGroupEvents", Field("groupId", INT)),
    _about(69, "updateDisplayGroup", *texts("contractInfo")),
    _about(70, "unsubscribeFromGroupEvents"),
    _plain(72, "verifyAndAuthRequest", *texts("apiName apiVersion opaqueIsvKey")),
    _plain(73, "verifyAndAuthMessage", *texts("apiData xyzResponse")),
    _newer(84, "reqNewsArticle", _REQ_ID, *texts("providerCode articleId options")),
    _newer(85, "reqNewsProviders"),
    _newer(
        86,
        "reqHistoricalNews",
        _REQ_ID,
        Field("conId", INT),
        *texts("providerCodes startDateTime endDateTime"),
        Field("totalResults", INT),
        Field("options", TEXT, ""),
    ),
    _newer(100, "reqWshMetaData", _REQ_ID),
    _newer(101, "cancelWshMetaData", _REQ_ID),
    _newer(
        102,
        "reqWshEventData",
        _REQ_ID,
        Field("conId", optional_int("2147483647"), None),
        Field("filter", TEXT, "", since=171),
        Field("fillWatchlist", BOOL, default=False, since=171),
        Field("fillPortfolio", BOOL, default=False, since=171),
        Field("fillCompetitors", BOOL, default=False, since=171),
        Field("startDate", TEXT, "", since=173),
        Field("endDate", TEXT, "", since=173),
        Field("totalLimit", optional_int("2147483647"), None, since=173),
    ),
    _newer(103, "cancelWshEventData", _REQ_ID),
)

REQUESTS: tuple[Layout, ...] = (
    *_SESSION,
    *_CONTRACTS,
    *_MARKET_DATA,
    *_HISTORY,
    *_ORDERS,
    *_ACCOUNTS,
    *_REST,
)
