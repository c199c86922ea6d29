"""The two long replies: an order that is open, and one that is done.

Defaults are what gateways show of an order that sets none of it.
"""

from bot.gateway.protocol.layouts import (
    C11_OF_ORDER,
    COMBO_LEG_OF_ORDER,
    TAG_VALUE,
    Field,
    Group,
    Item,
    Layout,
    Maybe,
    When,
    above_zero,
    filled,
    one_of,
    texts,
)
from bot.gateway.protocol.primitives import (
    BOOL,
    INT,
    PRICE,
    QUANTITY,
    REAL,
    TEXT,
    UNSET_DOUBLE,
    UNSET_INT,
    UNSET_LONG,
    Kind,
    optional_int,
    optional_price,
)

_EMPTY_PRICE = optional_price()
_EMPTY_INT = optional_int()
_ZERO_PRICE = optional_price("0.0")
_MARGIN = optional_price(UNSET_DOUBLE)
_SHAREHOLDER = "Not an insider or substantial shareholder"


def flags(names: str, *, default: bool = False) -> tuple[Field, ...]:
    """Return boolean fields."""
    return tuple(Field(name, BOOL, default) for name in names.split())


def unset(kind: Kind, names: str) -> tuple[Field, ...]:
    """Return fields that are unset when a message does not say."""
    return tuple(Field(name, kind, None) for name in names.split())


CONDITION = (
    Field("type", INT),
    When(
        "type",
        one_of(1),
        (
            Field("conjunction", TEXT, "a"),
            Field("isMore", BOOL),
            Field("price", PRICE),
            Field("conId", INT),
            Field("exchange"),
            Field("triggerMethod", INT, 0),
        ),
    ),
    When(
        "type",
        one_of(3),
        (Field("conjunction", TEXT, "a"), Field("isMore", BOOL), Field("time")),
    ),
    When(
        "type",
        one_of(4),
        (Field("conjunction", TEXT, "a"), Field("isMore", BOOL), Field("percent", INT)),
    ),
    When(
        "type",
        one_of(5),
        (Field("conjunction", TEXT, "a"), Field("secType"), Field("exchange"), Field("symbol")),
    ),
    When(
        "type",
        one_of(6),
        (
            Field("conjunction", TEXT, "a"),
            Field("isMore", BOOL),
            Field("volume", INT),
            Field("conId", INT),
            Field("exchange"),
        ),
    ),
    When(
        "type",
        one_of(7),
        (
            Field("conjunction", TEXT, "a"),
            Field("isMore", BOOL),
            Field("changePercent", REAL),
            Field("conId", INT),
            Field("exchange"),
        ),
    ),
)
CONDITIONS: tuple[Item, ...] = (
    Group("conditions", CONDITION),
    When("conditions", filled, flags("conditionsIgnoreRth conditionsCancelOrder")),
)
DELTA_NEUTRAL_CONTRACT = Maybe(
    "deltaNeutralContract", (Field("conId", INT), Field("delta", REAL), Field("price", REAL))
)
SCALE_DETAILS = When(
    "scalePriceIncrement",
    above_zero,
    (
        *unset(_EMPTY_PRICE, "scalePriceAdjustValue"),
        *unset(_EMPTY_INT, "scalePriceAdjustInterval"),
        *unset(_EMPTY_PRICE, "scaleProfitOffset"),
        *flags("scaleAutoReset"),
        *unset(_EMPTY_INT, "scaleInitPosition scaleInitFillQty"),
        *flags("scaleRandomPercent"),
    ),
)
HEDGE: tuple[Item, ...] = (
    Field("hedgeType", TEXT, ""),
    When("hedgeType", filled, texts("hedgeParam")),
)
ALGO: tuple[Item, ...] = (
    Field("algoStrategy", TEXT, ""),
    When("algoStrategy", filled, (Group("algoParams", TAG_VALUE),)),
)
PEG_BENCHMARK = When(
    "orderType",
    one_of("PEG BENCH", "PEGBENCH"),
    (
        Field("referenceContractId", INT, 0),
        *flags("isPeggedChangeAmountDecrease"),
        Field("peggedChangeAmount", PRICE, 0),
        Field("referenceChangeAmount", PRICE, 0),
        Field("referenceExchangeId", TEXT, ""),
    ),
)
LEGS: tuple[Item, ...] = (
    Group("comboLegs", COMBO_LEG_OF_ORDER),
    Group("orderComboLegs", (Field("price", optional_price(), None),)),
    Group("smartComboRoutingParams", TAG_VALUE),
)
_PEG_BEST: tuple[Item, ...] = (
    Field("minTradeQty", _EMPTY_INT, None, since=170),
    Field("minCompeteSize", _EMPTY_INT, None, since=170),
    Field("competeAgainstBestOffset", _EMPTY_PRICE, None, since=170),
    Field("midOffsetAtWhole", _EMPTY_PRICE, None, since=170),
    Field("midOffsetAtHalf", _EMPTY_PRICE, None, since=170),
)
_TERMS: tuple[Item, ...] = (
    *C11_OF_ORDER,
    Field("action"),
    Field("totalQuantity", QUANTITY),
    Field("orderType"),
    *unset(_ZERO_PRICE, "lmtPrice auxPrice"),
    Field("tif"),
    *texts("ocaGroup account openClose"),
    Field("origin", INT, 0),
    Field("orderRef", TEXT, ""),
)
_ADVISORS: tuple[Item, ...] = (
    *texts("faGroup faMethod faPercentage"),
    Field("faProfile", TEXT, "", until=176),
    *texts("modelCode goodTillDate rule80A"),
    *unset(_EMPTY_PRICE, "percentOffset"),
    Field("settlingFirm", TEXT, ""),
    Field("shortSaleSlot", INT, 0),
    Field("designatedLocation", TEXT, ""),
    Field("exemptCode", INT, -1),
)
_STOCK_RANGE: tuple[Item, ...] = (
    *unset(_EMPTY_PRICE, "startingPrice stockRefPrice delta stockRangeLower stockRangeUpper"),
    Field("displaySize", optional_int(UNSET_INT), None),
)
_SCALE: tuple[Item, ...] = (
    *unset(optional_int(UNSET_INT), "scaleInitLevelSize scaleSubsLevelSize"),
    *unset(_EMPTY_PRICE, "scalePriceIncrement"),
    SCALE_DETAILS,
    *HEDGE,
)

OPEN_ORDER = Layout(
    5,
    "openOrder",
    (
        Field("orderId", INT),
        *_TERMS,
        Field("clientId", INT),
        Field("permId", INT),
        *flags("outsideRth hidden"),
        Field("discretionaryAmt", QUANTITY, 0),
        *texts("goodAfterTime sharesAllocation"),
        *_ADVISORS,
        Field("auctionStrategy", INT, 0),
        *_STOCK_RANGE,
        *flags("blockOrder sweepToFill allOrNone"),
        *unset(_EMPTY_INT, "minQty"),
        Field("ocaType", INT, 3),
        *flags("eTradeOnly firmQuoteOnly"),
        *unset(_EMPTY_PRICE, "nbboPriceCap"),
        Field("parentId", INT, 0),
        Field("triggerMethod", INT, 0),
        *unset(_EMPTY_PRICE, "volatility"),
        Field("volatilityType", INT, 0),
        Field("deltaNeutralOrderType", TEXT, "None"),
        *unset(_EMPTY_PRICE, "deltaNeutralAuxPrice"),
        When(
            "deltaNeutralOrderType",
            filled,
            (
                Field("deltaNeutralConId", INT, 0),
                *texts("deltaNeutralSettlingFirm deltaNeutralClearingAccount"),
                Field("deltaNeutralClearingIntent", TEXT, ""),
                Field("deltaNeutralOpenClose", TEXT, "?"),
                *flags("deltaNeutralShortSale"),
                Field("deltaNeutralShortSaleSlot", INT, 0),
                Field("deltaNeutralDesignatedLocation", TEXT, ""),
            ),
        ),
        *flags("continuousUpdate"),
        Field("referencePriceType", INT, 0),
        *unset(_EMPTY_PRICE, "trailStopPrice trailingPercent basisPoints"),
        *unset(_EMPTY_INT, "basisPointsType"),
        Field("comboLegsDescrip", TEXT, ""),
        *LEGS,
        *_SCALE,
        *flags("optOutSmartRouting"),
        Field("clearingAccount", TEXT, ""),
        Field("clearingIntent", TEXT, "IB"),
        *flags("notHeld"),
        DELTA_NEUTRAL_CONTRACT,
        *ALGO,
        *flags("solicited whatIf"),
        Field("status"),
        *unset(_MARGIN, "initMarginBefore maintMarginBefore equityWithLoanBefore"),
        *unset(_MARGIN, "initMarginChange maintMarginChange equityWithLoanChange"),
        *unset(_MARGIN, "initMarginAfter maintMarginAfter equityWithLoanAfter"),
        *unset(_EMPTY_PRICE, "commission minCommission maxCommission"),
        *texts("commissionCurrency warningText"),
        *flags("randomizeSize randomizePrice"),
        PEG_BENCHMARK,
        *CONDITIONS,
        Field("adjustedOrderType", TEXT, "None"),
        # the second trailing stop price: a limit order's limit plus one in real openOrders
        *unset(_MARGIN, "triggerPrice adjustedTrailStopPrice lmtPriceOffset adjustedStopPrice"),
        *unset(_MARGIN, "adjustedStopLimitPrice adjustedTrailingAmount"),
        Field("adjustableTrailingUnit", INT, 0),
        *texts("softDollarTierName softDollarTierValue softDollarTierDisplayName"),
        Field("cashQty", QUANTITY, 0),
        *flags("dontUseAutoPriceForHedge", default=True),
        *flags("isOmsContainer discretionaryUpToLimitPrice usePriceMgmtAlgo"),
        Field("duration", _EMPTY_INT, None, since=158),
        Field("postToAts", _EMPTY_INT, None, since=160),
        Field("autoCancelParent", BOOL, default=False, since=162),
        *_PEG_BEST,
    ),
)

COMPLETED_ORDER = Layout(
    101,
    "completedOrder",
    (
        *_TERMS,
        Field("permId", INT),
        *flags("outsideRth hidden"),
        Field("discretionaryAmt", QUANTITY, 0),
        Field("goodAfterTime", TEXT, ""),
        *_ADVISORS,
        *_STOCK_RANGE,
        *flags("sweepToFill allOrNone"),
        *unset(_EMPTY_INT, "minQty"),
        Field("ocaType", INT, 3),
        Field("triggerMethod", INT, 0),
        *unset(_EMPTY_PRICE, "volatility"),
        Field("volatilityType", INT, 0),
        Field("deltaNeutralOrderType", TEXT, "None"),
        *unset(_EMPTY_PRICE, "deltaNeutralAuxPrice"),
        When(
            "deltaNeutralOrderType",
            filled,
            (
                Field("deltaNeutralConId", INT, 0),
                *flags("deltaNeutralShortSale"),
                Field("deltaNeutralShortSaleSlot", INT, 0),
                Field("deltaNeutralDesignatedLocation", TEXT, ""),
            ),
        ),
        *flags("continuousUpdate"),
        Field("referencePriceType", INT, 0),
        *unset(_EMPTY_PRICE, "trailStopPrice trailingPercent"),
        Field("comboLegsDescrip", TEXT, ""),
        *LEGS,
        *_SCALE,
        Field("clearingAccount", TEXT, ""),
        Field("clearingIntent", TEXT, "IB"),
        *flags("notHeld"),
        DELTA_NEUTRAL_CONTRACT,
        *ALGO,
        *flags("solicited"),
        Field("status"),
        *flags("randomizeSize randomizePrice"),
        PEG_BENCHMARK,
        *CONDITIONS,
        *unset(_MARGIN, "adjustedTrailStopPrice lmtPriceOffset"),
        Field("cashQty", QUANTITY, 0),
        *flags("dontUseAutoPriceForHedge", default=True),
        *flags("isOmsContainer"),
        Field("autoCancelDate", TEXT, ""),
        Field("filledQuantity", QUANTITY),
        Field("refFuturesConId", optional_int(UNSET_INT), None),
        *flags("autoCancelParent"),
        Field("shareholder", TEXT, _SHAREHOLDER),
        *flags("imbalanceOnly routeMarketableToBbo"),
        Field("parentPermId", optional_int(UNSET_LONG), None),
        *texts("completedTime completedStatus"),
        *_PEG_BEST,
    ),
)
