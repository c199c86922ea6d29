"""Every message a gateway sends, by name, as tables."""

from bot.gateway.protocol.layouts import (
    C11,
    TAG_VALUE,
    Constant,
    Field,
    Group,
    Item,
    Layout,
    Values,
    When,
    one_of,
    texts,
)
from bot.gateway.protocol.order_replies import COMPLETED_ORDER, OPEN_ORDER
from bot.gateway.protocol.primitives import (
    BOOL,
    ESCAPED,
    INT,
    NUMBER,
    PRICE,
    QUANTITY,
    REAL,
    TEXT,
    UNSET_DOUBLE,
    optional_int,
    optional_price,
    optional_quantity,
    optional_real,
)

_REQ_ID = Field("reqId", INT)
_PNL = optional_real(UNSET_DOUBLE)
_UNTIL_163 = 163
_SIZE_INCREMENTS = 164


def _version(number: int) -> Constant:
    return Constant(str(number))


def _end(number: int, kind: str, *items: Item) -> Layout:
    return Layout(number, kind, (_version(1), *items))


def _asked(number: int, kind: str, *items: Item) -> Layout:
    return Layout(number, kind, (_REQ_ID, *items))


_CONTRACT_DETAILS_START = (Constant("8", until=_UNTIL_163), _REQ_ID)
_SIZES = (
    Field("minSize", optional_quantity(), None, since=_SIZE_INCREMENTS),
    Field("sizeIncrement", optional_quantity(), None, since=_SIZE_INCREMENTS),
)
_DETAILS_END = (
    Field("evRule", TEXT, ""),
    Field("evMultiplier", NUMBER, 0),
    Group("secIdList", TAG_VALUE),
    Field("aggGroup", optional_int(), None),
)

_CONTRACTS = (
    Layout(
        10,
        "contractDetails",
        (
            *_CONTRACT_DETAILS_START,
            Field("symbol"),
            Field("secType"),
            Field("lastTradeDateOrContractMonth", TEXT, ""),  # date[ time[ zone]]
            Field("strike", REAL, 0.0),
            *texts("right exchange"),
            Field("currency"),
            *texts("localSymbol marketName tradingClass"),
            Field("conId", INT),
            Field("minTick", REAL),
            Constant("100", until=_UNTIL_163),  # mdSizeMultiplier, obsolete
            *texts("multiplier orderTypes validExchanges"),
            Field("priceMagnifier", INT, 1),
            Field("underConId", INT, 0),
            Field("longName", ESCAPED, ""),
            *texts("primaryExchange contractMonth industry category subcategory timeZoneId"),
            *texts("tradingHours liquidHours"),
            *_DETAILS_END,
            *texts("underSymbol underSecType marketRuleIds realExpirationDate stockType"),
            *_SIZES,
            Field("suggestedSizeIncrement", optional_quantity(), None, since=163),
        ),
    ),
    Layout(
        18,
        "bondContractDetails",
        (
            *_CONTRACT_DETAILS_START,
            *texts("symbol secType cusip"),
            Field("coupon", NUMBER, 0.0),  # ib_insync reads a whole number
            *texts("lastTradeDateOrContractMonth issueDate ratings bondType couponType"),
            Field("convertible", BOOL, default=False),
            Field("callable", BOOL, default=False),
            Field("putable", BOOL, default=False),
            *texts("descAppend exchange currency marketName tradingClass"),
            Field("conId", INT),
            Field("minTick", REAL, 0.0),
            Constant("100", until=_UNTIL_163),
            *texts("orderTypes validExchanges nextOptionDate nextOptionType"),
            Field("nextOptionPartial", BOOL, default=False),
            Field("notes", TEXT, ""),
            Field("longName", ESCAPED, ""),
            *_DETAILS_END,
            Field("marketRuleIds", TEXT, ""),
            *_SIZES,
            Field("suggestedSizeIncrement", optional_quantity(), None, since=_SIZE_INCREMENTS),
        ),
    ),
    _end(52, "contractDetailsEnd", _REQ_ID),
    _asked(
        75,
        "secDefOptParam",
        Field("exchange"),
        Field("underConId", INT),
        Field("tradingClass"),
        Field("multiplier"),
        Values("expirations", TEXT),
        Values("strikes", REAL),
    ),
    _asked(76, "secDefOptParamEnd"),
    _asked(
        79,
        "symbolSamples",
        Group(
            "samples",
            (
                Field("conId", INT),
                *texts("symbol secType primaryExchange currency"),
                Values("derivativeSecTypes", TEXT),
                Field("description", TEXT, "", since=176),
                Field("issuerId", TEXT, "", since=176),
            ),
        ),
    ),
    Layout(
        93,
        "marketRule",
        (
            Field("ruleId", INT),
            Group("increments", (Field("lowEdge", REAL), Field("increment", REAL))),
        ),
    ),
)

_TICK = (_REQ_ID, Field("tickType", INT))
_TICKS = (
    Layout(
        1,
        "tickPrice",
        (
            _version(6),
            *_TICK,
            Field("price", REAL),
            Field("size", QUANTITY, 0),
            Field("attrMask", INT, 0),
        ),
    ),
    Layout(2, "tickSize", (_version(6), *_TICK, Field("size", QUANTITY))),
    Layout(
        21,
        "tickOptionComputation",
        (
            *_TICK,
            Field("tickAttrib", INT, 0),
            Field("impliedVol", REAL, -1.0),
            Field("delta", REAL, -2.0),
            Field("optPrice", REAL, -1.0),
            Field("pvDividend", REAL, -1.0),
            Field("gamma", REAL, -2.0),
            Field("vega", REAL, -2.0),
            Field("theta", REAL, -2.0),
            Field("undPrice", REAL, -1.0),
        ),
    ),
    Layout(45, "tickGeneric", (_version(6), *_TICK, Field("value", REAL))),
    Layout(46, "tickString", (_version(6), *_TICK, Field("value"))),
    Layout(
        47,
        "tickEFP",
        (
            _version(1),
            *_TICK,
            Field("basisPoints", REAL),
            Field("formattedBasisPoints"),
            Field("impliedFuture", REAL),
            Field("holdDays", INT),
            Field("futureLastTradeDate"),
            Field("dividendImpact", REAL),
            Field("dividendsToLastTradeDate", REAL),
        ),
    ),
    _end(57, "tickSnapshotEnd", _REQ_ID),
    _end(58, "marketDataType", _REQ_ID, Field("type", INT)),
    _asked(
        81,
        "tickReqParams",
        Field("minTick", REAL),
        Field("bboExchange", TEXT, ""),
        Field("snapshotPermissions", INT, 0),
    ),
    _asked(
        99,
        "tickByTick",
        Field("tickType", INT),
        Field("time", INT),
        When(
            "tickType",
            one_of(1, 2),
            (
                Field("price", REAL),
                Field("size", QUANTITY),
                Field("mask", INT, 0),
                *texts("exchange conditions"),
            ),
        ),
        When(
            "tickType",
            one_of(3),
            (
                Field("bidPrice", REAL),
                Field("askPrice", REAL),
                Field("bidSize", QUANTITY),
                Field("askSize", QUANTITY),
                Field("mask", INT, 0),
            ),
        ),
        When("tickType", one_of(4), (Field("midPoint", REAL),)),
    ),
    _asked(91, "rerouteMktDataReq", Field("conId", INT), Field("exchange")),
    _asked(92, "rerouteMktDepthReq", Field("conId", INT), Field("exchange")),
)

_BAR = (
    Field("open", REAL),
    Field("high", REAL),
    Field("low", REAL),
    Field("close", REAL),
    Field("volume", QUANTITY, 0),
    Field("wap", REAL, 0.0),
)
_DONE = Field("done", BOOL, default=True)
_HISTORY = (
    _asked(
        17,
        "historicalData",
        Field("start"),
        Field("end"),
        Group("bars", (Field("date"), *_BAR, Field("barCount", INT, 0))),
    ),
    Layout(
        50, "realtimeBar", (_version(3), _REQ_ID, Field("time", INT), *_BAR, Field("count", INT, 0))
    ),
    _asked(88, "headTimestamp", Field("text")),
    _asked(
        90,
        "historicalDataUpdate",
        Field("barCount", INT, 0),
        Field("date"),
        Field("open", REAL),
        Field("close", REAL),
        Field("high", REAL),
        Field("low", REAL),
        Field("wap", REAL, 0.0),
        Field("volume", QUANTITY, 0),
    ),
    _asked(
        96,
        "historicalTicks",
        Group(
            "ticks",
            (Field("time", INT), Constant("0"), Field("price", REAL), Field("size", QUANTITY, 0)),
        ),
        _DONE,
    ),
    _asked(
        97,
        "historicalTicksBidAsk",
        Group(
            "ticks",
            (
                Field("time", INT),
                Field("mask", INT, 0),
                Field("bidPrice", REAL),
                Field("askPrice", REAL),
                Field("bidSize", QUANTITY),
                Field("askSize", QUANTITY),
            ),
        ),
        _DONE,
    ),
    _asked(
        98,
        "historicalTicksLast",
        Group(
            "ticks",
            (
                Field("time", INT),
                Field("mask", INT, 0),
                Field("price", REAL),
                Field("size", QUANTITY),
                *texts("exchange conditions"),
            ),
        ),
        _DONE,
    ),
    _asked(
        106,
        "historicalSchedule",
        Field("start"),
        Field("end"),
        Field("timeZone"),
        Group("sessions", (Field("start"), Field("end"), Field("refDate"))),
    ),
    _asked(
        89,
        "histogramData",
        Group("histogram", (Field("price", REAL), Field("count", INT))),
    ),
)

_ORDERS = (
    Layout(
        3,
        "orderStatus",
        (
            Field("orderId", INT),
            Field("status"),
            Field("filled", QUANTITY),
            Field("remaining", QUANTITY),
            Field("avgFillPrice", QUANTITY, 0),
            Field("permId", INT),
            Field("parentId", INT, 0),
            Field("lastFillPrice", QUANTITY, 0),
            Field("clientId", INT),
            Field("whyHeld", TEXT, ""),
            Field("mktCapPrice", QUANTITY, 0),
        ),
    ),
    OPEN_ORDER,
    COMPLETED_ORDER,
    Layout(53, "openOrderEnd", (_version(1),)),
    Layout(102, "completedOrdersEnd", ()),
    Layout(
        11,
        "execDetails",
        (
            _REQ_ID,
            Field("orderId", INT),
            *C11,
            Field("execId"),
            Field("time"),
            Field("account"),
            Field("executionExchange"),
            Field("side"),
            Field("shares", QUANTITY),
            Field("price", QUANTITY),
            Field("permId", INT),
            Field("clientId", INT),
            Field("liquidation", INT, 0),
            Field("cumQty", QUANTITY),
            Field("avgPrice", QUANTITY),
            *texts("orderRef evRule"),
            Field("evMultiplier", optional_real(), None),
            Field("modelCode", TEXT, ""),
            Field("lastLiquidity", INT, 0),
            Field("pendingPriceRevision", BOOL, default=False, since=178),
        ),
    ),
    _end(55, "execDetailsEnd", _REQ_ID),
    Layout(
        59,
        "commissionReport",
        (
            _version(1),
            Field("execId"),
            Field("commission", optional_price(UNSET_DOUBLE), None),
            Field("currency", TEXT, ""),
            Field("realizedPNL", optional_price(UNSET_DOUBLE), None),
            Field("yield", optional_real(UNSET_DOUBLE), None),
            Field("yieldRedemptionDate", optional_int(), None),
        ),
    ),
    Layout(
        100, "orderBound", (Field("permId", INT), Field("clientId", INT), Field("orderId", INT))
    ),
)

_ACCOUNT_VALUE = (Field("key"), Field("value"), Field("currency", TEXT, ""))
_PORTFOLIO_MONEY = (
    Field("position", QUANTITY),
    Field("marketPrice", PRICE),
    Field("marketValue", PRICE),
    Field("averageCost", PRICE),
    Field("unrealizedPNL", PRICE),
    Field("realizedPNL", PRICE),
)
_ACCOUNTS = (
    Layout(6, "updateAccountValue", (_version(2), *_ACCOUNT_VALUE, Field("account"))),
    Layout(
        7,
        "updatePortfolio",
        (
            _version(8),
            Field("conId", INT),
            *texts("symbol secType lastTradeDateOrContractMonth"),
            Field("strike", REAL, 0.0),
            *texts("right multiplier primaryExchange currency localSymbol tradingClass"),
            *_PORTFOLIO_MONEY,
            Field("account"),
        ),
    ),
    Layout(8, "updateAccountTime", (_version(1), Field("time"))),
    Layout(9, "nextValidId", (_version(1), Field("orderId", INT))),
    Layout(15, "managedAccounts", (_version(1), Field("accounts"))),
    _end(54, "accountDownloadEnd", Field("account")),
    Layout(
        61,
        "position",
        (_version(3), Field("account"), *C11, Field("position", QUANTITY), Field("avgCost", PRICE)),
    ),
    Layout(62, "positionEnd", (_version(1),)),
    Layout(
        63,
        "accountSummary",
        (
            _version(1),
            _REQ_ID,
            Field("account"),
            Field("tag"),
            Field("value"),
            Field("currency", TEXT, ""),
        ),
    ),
    _end(64, "accountSummaryEnd", _REQ_ID),
    _end(
        71,
        "positionMulti",
        _REQ_ID,
        Field("account"),
        *C11,
        Field("position", QUANTITY),
        Field("avgCost", PRICE),
        Field("modelCode", TEXT, ""),
    ),
    _end(72, "positionMultiEnd", _REQ_ID),
    _end(
        73,
        "accountUpdateMulti",
        _REQ_ID,
        Field("account"),
        Field("modelCode", TEXT, ""),
        *_ACCOUNT_VALUE,
    ),
    _end(74, "accountUpdateMultiEnd", _REQ_ID),
    _asked(
        94,
        "pnl",
        Field("daily", _PNL),
        Field("unrealized", _PNL, None),
        Field("realized", _PNL, None),
    ),
    _asked(
        95,
        "pnlSingle",
        Field("position", QUANTITY),
        Field("daily", _PNL),
        Field("unrealized", _PNL, None),
        Field("realized", _PNL, None),
        Field("value", _PNL, None),
    ),
    Layout(78, "familyCodes", (Group("familyCodes", texts("accountId familyCode")),)),
    _asked(107, "userInfo", Field("whiteBrandingId", TEXT, "")),
)

_REST = (
    Layout(
        4,
        "error",
        (
            _version(2),
            Field("reqId", INT, -1),
            Field("code", INT),
            Field("text", ESCAPED),
            Field("advancedOrderRejectJson", ESCAPED, "", since=166),
        ),
    ),
    Layout(49, "currentTime", (_version(1), Field("time", INT))),
    Layout(
        12,
        "updateMktDepth",
        (
            _version(1),
            _REQ_ID,
            Field("position", INT),
            Field("operation", INT),
            Field("side", INT),
            Field("price", REAL),
            Field("size", QUANTITY),
        ),
    ),
    Layout(
        13,
        "updateMktDepthL2",
        (
            _version(1),
            _REQ_ID,
            Field("position", INT),
            Field("marketMaker"),
            Field("operation", INT),
            Field("side", INT),
            Field("price", REAL),
            Field("size", QUANTITY),
            Field("isSmartDepth", BOOL, default=False),
        ),
    ),
    Layout(
        14,
        "updateNewsBulletin",
        (_version(1), Field("msgId", INT), Field("msgType", INT), *texts("message exchange")),
    ),
    Layout(16, "receiveFA", (_version(1), Field("faDataType", INT), Field("xml", TEXT, ""))),
    Layout(19, "scannerParameters", (_version(1), Field("xml", TEXT, ""))),
    Layout(
        20,
        "scannerData",
        (
            _version(3),
            _REQ_ID,
            Group(
                "rows",
                (
                    Field("rank", INT),
                    Field("conId", INT),
                    *texts("symbol secType lastTradeDateOrContractMonth"),
                    Field("strike", REAL, 0.0),
                    *texts("right exchange currency localSymbol marketName tradingClass"),
                    *texts("distance benchmark projection legs"),
                ),
            ),
        ),
    ),
    _end(51, "fundamentalData", _REQ_ID, Field("data", TEXT, "")),
    _end(
        56,
        "deltaNeutralValidation",
        _REQ_ID,
        Field("conId", INT),
        Field("delta", REAL),
        Field("price", REAL),
    ),
    _end(65, "verifyMessageAPI", Field("apiData", TEXT, "")),
    _end(66, "verifyCompleted", Field("isSuccessful", BOOL), Field("errorText", TEXT, "")),
    _end(67, "displayGroupList", _REQ_ID, Field("groups", TEXT, "")),
    _end(68, "displayGroupUpdated", _REQ_ID, Field("contractInfo", TEXT, "")),
    _end(69, "verifyAndAuthMessageAPI", *texts("apiData xyzChallenge")),
    _end(70, "verifyAndAuthCompleted", Field("isSuccessful", BOOL), Field("errorText", TEXT, "")),
    _asked(77, "softDollarTiers", Group("tiers", texts("name value displayName"))),
    Layout(
        80,
        "mktDepthExchanges",
        (
            Group(
                "exchanges",
                (*texts("exchange secType listingExch serviceDataType"), Field("aggGroup", INT, 0)),
            ),
        ),
    ),
    _asked(
        82,
        "smartComponents",
        Group("components", (Field("bitNumber", INT), *texts("exchange exchangeLetter"))),
    ),
    _asked(83, "newsArticle", Field("articleType", INT), Field("articleText", TEXT, "")),
    _asked(
        84,
        "tickNews",
        Field("time", INT),
        *texts("providerCode articleId headline extraData"),
    ),
    Layout(85, "newsProviders", (Group("providers", texts("code name")),)),
    _asked(86, "historicalNews", *texts("time providerCode articleId headline")),
    _asked(87, "historicalNewsEnd", Field("hasMore", BOOL, default=False)),
    _asked(103, "replaceFAEnd", Field("text", TEXT, "")),
    _asked(104, "wshMetaData", Field("data", TEXT, "")),
    _asked(105, "wshEventData", Field("data", TEXT, "")),
)

REPLIES: tuple[Layout, ...] = (
    *_TICKS,
    *_ORDERS,
    *_ACCOUNTS,
    *_CONTRACTS,
    *_HISTORY,
    *_REST,
)
