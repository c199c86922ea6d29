"""Prices: fresh quotes, known contracts, the tick grid, the collar, the far side of the market."""

from datetime import timedelta
from decimal import Decimal

from strategies.model.instruments import FutureContract
from strategies.model.limits import Limits
from strategies.model.quotes import to_price
from strategies.model.ticks import order_tick
from strategies.risk.checks.request import RefusalReason, Request, Verdict

# A feed's clock may be this far ahead of ours; quotes dated later than that are from nowhere
_CLOCK_SKEW_MAX = timedelta(seconds=2)


def check_quotes(request: Request) -> Verdict:
    """I14: every leg has a quote that is fresh and is one."""
    quoted_at = request.readiness.quotes_at
    if quoted_at is None:
        return RefusalReason.STALE_QUOTES, "nobody says how old the quotes are"
    age, limit = request.readiness.at - quoted_at, request.limits.quote_age_max
    if age < -_CLOCK_SKEW_MAX:
        return RefusalReason.STALE_QUOTES, f"quotes are dated {-age.total_seconds():g} s ahead"
    if age > limit:
        old, most = age.total_seconds(), limit.total_seconds()
        return RefusalReason.STALE_QUOTES, f"quotes are {old:g} s old, limit {most:g}"
    for instrument, _ in request.legs:
        quote = request.quotes.get(instrument.symbol)
        if quote is None:
            return RefusalReason.NO_QUOTE, f"nobody quotes {instrument}"
        # A worthless leg has no bid; that must not keep a position from being closed
        usable = quote.is_two_sided or (not request.opens and quote.bid == 0 and quote.ask > 0)
        if not usable:
            return RefusalReason.NO_QUOTE, f"{instrument} is quoted {quote.bid:g} x {quote.ask:g}"
    return None


def check_qualified(request: Request) -> Verdict:
    """The broker knows every contract, and as it was yesterday (faults D19, D20)."""
    for instrument, _ in request.legs:
        if instrument.symbol in request.readiness.unqualified:
            return RefusalReason.NOT_QUALIFIED, f"the broker does not know {instrument} as it was"
    return None


def check_price(request: Request) -> Verdict:
    """I15: limit and worst price are on the grid, and where the market is."""
    intent = request.intent
    instruments = [instrument for instrument, _ in request.legs]
    for price in (intent.limit_price, intent.worst_price):
        if price % order_tick(instruments, price) != 0:
            return RefusalReason.OFF_TICK, f"{price} is no price of this order"
    if intent.limit_price > intent.worst_price:  # no credit below the plan's least, no dearer debit
        detail = f"limit {intent.limit_price} is worse than {intent.worst_price}, the plan's worst"
        return RefusalReason.WORSE_THAN_PLAN, detail
    mid = sum(
        (ratio * to_price(request.quotes[leg.symbol].mid) for leg, ratio in request.legs),
        Decimal(0),
    )
    collar = price_collar(mid, request.limits)
    if abs(intent.limit_price - mid) > collar:
        detail = f"limit {intent.limit_price} is more than {collar:.2f} from mid {mid:.2f}"
        return RefusalReason.PRICE_COLLAR, detail
    # Only an entry must not even intend to go further: an exit walks as far as the collar
    # lets each of its attempts go, and is asked about again at every one of them.
    # A roll does so too, and never pays anything whatever its worst price leaves open.
    if request.opens and request.rolls is None and intent.worst_price - mid > collar:
        detail = f"worst price {intent.worst_price} is more than {collar:.2f} above mid {mid:.2f}"
        return RefusalReason.PRICE_COLLAR, detail
    return None


def price_collar(mid: Decimal, limits: Limits) -> Decimal:
    """Return how far from ``mid`` a limit price may lie, in index points (I15)."""
    return max(limits.price_collar_fraction * abs(mid), limits.price_collar_points)


def check_through_market(request: Request) -> Verdict:
    """The exchange refuses a future's limit too far beyond the other side (fault D10)."""
    (instrument, ratio), *others = request.legs
    if others or not isinstance(instrument, FutureContract):
        return None
    quote, reach = request.quotes[instrument.symbol], request.limits.futures_through_market_fraction
    price = abs(request.intent.limit_price)
    if ratio > 0:
        is_through = price > to_price(quote.ask) * (1 + reach)
    else:
        is_through = price < to_price(quote.bid) * (1 - reach)
    if is_through:
        detail = f"{price} goes more than {reach:.0%} through {quote.bid:g} x {quote.ask:g}"
        return RefusalReason.THROUGH_MARKET, detail
    return None
