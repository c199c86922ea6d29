"""The longest request: an order to place or to modify."""

import math

from bot.gateway.protocol.layouts import (
    C12_OF_REQUEST,
    Constant,
    Field,
    Item,
    Layout,
    When,
    filled,
    one_of,
    texts,
)
from bot.gateway.protocol.order_replies import (
    ALGO,
    CONDITIONS,
    DELTA_NEUTRAL_CONTRACT,
    HEDGE,
    LEGS,
    PEG_BENCHMARK,
    SCALE_DETAILS,
    flags,
    unset,
)
from bot.gateway.protocol.primitives import (
    BOOL,
    INT,
    QUANTITY,
    TEXT,
    optional_int,
    optional_price,
)

_PRICE = optional_price()
_INT = optional_int()
_MID_OFFSETS = unset(_PRICE, "midOffsetAtWhole midOffsetAtHalf")
_PEG_SINCE = 170


def _up_to_mid(offset: object) -> bool:
    return offset == math.inf


_PEG_EXTRAS: tuple[Item, ...] = (
    When("exchange", one_of("IBKRATS"), unset(_INT, "minTradeQty"), since=_PEG_SINCE),
    When(
        "orderType",
        one_of("PEG BEST", "PEGBEST"),
        (
            *unset(_INT, "minCompeteSize"),
            *unset(_PRICE, "competeAgainstBestOffset"),
            When("competeAgainstBestOffset", _up_to_mid, _MID_OFFSETS),
        ),
        since=_PEG_SINCE,
    ),
    When("orderType", one_of("PEG MID", "PEGMID"), _MID_OFFSETS, since=_PEG_SINCE),
)

PLACE_ORDER = Layout(
    3,
    "placeOrder",
    (
        Field("orderId", INT),
        *C12_OF_REQUEST,
        *texts("secIdType secId"),
        Field("action"),
        Field("totalQuantity", QUANTITY),
        Field("orderType"),
        *unset(_PRICE, "lmtPrice auxPrice"),
        *texts("tif ocaGroup account openClose"),
        Field("origin", INT, 0),
        Field("orderRef", TEXT, ""),
        *flags("transmit", default=True),
        Field("parentId", INT, 0),
        *flags("blockOrder sweepToFill"),
        Field("displaySize", INT, 0),
        Field("triggerMethod", INT, 0),
        *flags("outsideRth hidden"),
        When("secType", one_of("BAG"), LEGS),
        Constant(""),  # sharesAllocation, obsolete
        Field("discretionaryAmt", QUANTITY, 0),
        *texts("goodAfterTime goodTillDate faGroup faMethod faPercentage"),
        Field("faProfile", TEXT, "", until=176),
        Field("modelCode", TEXT, ""),
        Field("shortSaleSlot", INT, 0),
        Field("designatedLocation", TEXT, ""),
        Field("exemptCode", INT, -1),
        Field("ocaType", INT, 0),
        *texts("rule80A settlingFirm"),
        *flags("allOrNone"),
        *unset(_INT, "minQty"),
        *unset(_PRICE, "percentOffset"),
        *flags("eTradeOnly firmQuoteOnly"),
        *unset(_PRICE, "nbboPriceCap"),
        Field("auctionStrategy", INT, 0),
        *unset(_PRICE, "startingPrice stockRefPrice delta stockRangeLower stockRangeUpper"),
        *flags("overridePercentageConstraints"),
        *unset(_PRICE, "volatility"),
        *unset(_INT, "volatilityType"),
        Field("deltaNeutralOrderType", TEXT, ""),
        *unset(_PRICE, "deltaNeutralAuxPrice"),
        When(
            "deltaNeutralOrderType",
            filled,
            (
                Field("deltaNeutralConId", INT, 0),
                *texts("deltaNeutralSettlingFirm deltaNeutralClearingAccount"),
                *texts("deltaNeutralClearingIntent deltaNeutralOpenClose"),
                *flags("deltaNeutralShortSale"),
                Field("deltaNeutralShortSaleSlot", INT, 0),
                Field("deltaNeutralDesignatedLocation", TEXT, ""),
            ),
        ),
        *flags("continuousUpdate"),
        *unset(_INT, "referencePriceType"),
        *unset(_PRICE, "trailStopPrice trailingPercent"),
        *unset(_INT, "scaleInitLevelSize scaleSubsLevelSize"),
        *unset(_PRICE, "scalePriceIncrement"),
        SCALE_DETAILS,
        *texts("scaleTable activeStartTime activeStopTime"),
        *HEDGE,
        *flags("optOutSmartRouting"),
        *texts("clearingAccount clearingIntent"),
        *flags("notHeld"),
        DELTA_NEUTRAL_CONTRACT,
        *ALGO,
        Field("algoId", TEXT, ""),
        *flags("whatIf"),
        Field("orderMiscOptions", TEXT, ""),
        *flags("solicited randomizeSize randomizePrice"),
        PEG_BENCHMARK,
        *CONDITIONS,
        Field("adjustedOrderType", TEXT, ""),
        *unset(_PRICE, "triggerPrice lmtPriceOffset adjustedStopPrice adjustedStopLimitPrice"),
        *unset(_PRICE, "adjustedTrailingAmount"),
        Field("adjustableTrailingUnit", INT, 0),
        *texts("extOperator softDollarTierName softDollarTierValue"),
        *unset(_PRICE, "cashQty"),
        *texts("mifid2DecisionMaker mifid2DecisionAlgo"),
        *texts("mifid2ExecutionTrader mifid2ExecutionAlgo"),
        *flags("dontUseAutoPriceForHedge isOmsContainer discretionaryUpToLimitPrice"),
        Field("usePriceMgmtAlgo", BOOL, default=False),
        Field("duration", _INT, None, since=158),
        Field("postToAts", _INT, None, since=160),
        Field("autoCancelParent", BOOL, default=False, since=162),
        Field("advancedErrorOverride", TEXT, "", since=166),
        Field("manualOrderTime", TEXT, "", since=169),
        *_PEG_EXTRAS,
    ),
)
