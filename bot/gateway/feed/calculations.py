"""Answers to what-if questions about one option: the vol of a price, the price of a vol."""

import math
from datetime import datetime

from bot.gateway.contracts.listed import Listed
from bot.gateway.feed.frames import tick_option
from bot.gateway.feed.greeks import NOT_COMPUTED
from strategies.model.instruments import OptionContract, Right
from strategies.model.quotes import SECONDS_PER_YEAR
from strategies.pricing import black76
from strategies.pricing.implied_vol import implied_vol

_CUSTOM = 53  # the tick type of these answers


def answer(
    req_id: int,
    listed: Listed,
    at: datetime,
    rate: float,
    *,
    under: float,
    price: float,
    vol: float,
) -> str:
    """Return the computation a client asked for.

    Args:
        req_id: Its request.
        listed: An option.
        at: Now.
        rate: Continuously compounded, decimal per year.
        under: The price of the underlying: the forward of the option's own expiry.
        price: Of the option; 0 = it is what is asked for.
        vol: Annualised decimal; 0 = it is what is asked for.
    """
    option, settles_at = listed.instrument, listed.settles_at
    assert isinstance(option, OptionContract), "computations are of options"
    assert settles_at is not None, "which settle some day"
    years = (settles_at - at).total_seconds() / SECONDS_PER_YEAR
    if years <= 0 or under <= 0:
        return tick_option(req_id, _CUSTOM, NOT_COMPUTED)
    strike, is_call = float(option.strike), option.right is Right.CALL
    discount = math.exp(-rate * years)
    if not vol:
        vol = float(implied_vol(price, under, strike, years, discount, is_call).vol)
        if not vol:
            return tick_option(req_id, _CUSTOM, NOT_COMPUTED)
    else:
        price = float(black76.price(under, strike, years, vol, discount, is_call))
    greeks = black76.greeks(under, strike, years, vol, discount, is_call, rate)
    values = (
        vol,
        float(greeks.delta),
        price,
        0.0,
        float(greeks.gamma),
        float(greeks.vega),
        float(greeks.theta),
        under,
    )
    return tick_option(req_id, _CUSTOM, values)
