"""Markets in which condors are tested, and the desk that rolls them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from strategies.condor.adjust import Adjustments, plan_adjustments
from strategies.condor.exposure import read_exposure
from strategies.condor.rolls import Desk
from strategies.condor.spike import Rival
from strategies.model.book import Account, Book, CondorLegs, CondorPosition, WorkingOrder
from strategies.model.ids import ClientOrderId
from strategies.model.lifecycle import OrderStatus
from strategies.model.memory import Memory
from strategies.model.plan import Gate
from strategies.model.quotes import FloatArray, OptionChain
from strategies.model.rules import Rules
from strategies.pricing.valuation import Valuer
from tests import builders
from tests.builders import TODAY, condor_legs, condor_position, market_quotes, skewed_vol, spx_chain

RULES = Rules()
DAYS = (25, 28, 32, 36, 39, 42, 44, 53, 60)
# 16 delta at spot 3250 and a vol of 15 %; 32 days to expiry
LEGS = condor_legs("SPXW 06MAR20 3070/3080/3380/3390")
CONDOR = condor_position(LEGS, quantity=20, credit="2.50")


def narrow(mid: FloatArray) -> FloatArray:
    """Return the spreads of a liquid chain."""
    return np.maximum(0.05, 0.004 * mid)


def spx_market(
    spot: float = 3250.0,
    vol: float = 0.15,
    *,
    days: Sequence[int] = DAYS,
    spread: Callable[[FloatArray], FloatArray] | None = None,
    lowest: float = 2600.0,
    **chain: object,
) -> OptionChain:
    """Return an SPX chain; wide spreads unless told otherwise."""
    options = {"vol": skewed_vol(vol), **chain}
    if spread is not None:
        options["spread"] = spread
    return spx_chain(spot=spot, days=days, strikes=np.arange(lowest, 3640.0, 5.0), **options)


def valuer(chain: OptionChain, spot: float = 3250.0) -> Valuer:
    """Return the values of a market."""
    return Valuer(market_quotes(spx=spot, spx_options=chain), TODAY)


def desk_of(
    values: Valuer,
    book: Book,
    *,
    account: Account | None = None,
    closing=(),
    rules: Rules = RULES,
) -> Desk:
    """Return the desk of a book."""
    exposure = read_exposure(book, rules.condor.margin_convention)
    return Desk(
        values,
        book,
        account or builders.account(),
        positions=exposure.positions,
        closing=closing,
        margin_used_usd=exposure.margin_usd,
        rules=rules.condor,
    )


def adjust(
    values: Valuer,
    *condors: CondorPosition,
    book: Book | None = None,
    spike: bool = False,
    hedge: Rival | None = None,
    safety: Sequence[Gate] = (),
    memory: Memory | None = None,
    account: Account | None = None,
    closing=(),
    rules: Rules = RULES,
) -> Adjustments:
    """Return the adjustments of a book."""
    held = book or builders.book(condors=condors)
    return plan_adjustments(
        condors,
        desk_of(values, held, account=account, closing=closing, rules=rules),
        book=held,
        spike=spike,
        hedge=lambda: hedge,
        safety=safety,
        memory=memory or Memory(),
        plan_id="plan",
    )


def later(days: int):
    """Return the date so many days from today."""
    return TODAY + timedelta(days=days)


def with_rules(**changes: object) -> Rules:
    """Return the default rules with other condor values."""
    return replace(RULES, condor=replace(RULES.condor, **changes))


def at_work(
    purpose: str, legs: CondorLegs = LEGS, *, sign: int = -1, leaves: int = 1
) -> WorkingOrder:
    """Return an order of C0001 at work: it closes these legs, or opens them with sign +1."""
    return WorkingOrder(
        client_order_id=ClientOrderId("A1"),
        purpose=purpose,
        status=OrderStatus.UNKNOWN,
        legs=tuple((contract.symbol, sign * ratio) for contract, ratio in legs.signed()),
        leaves_quantity=leaves,
        limit_price=Decimal("1.00"),
        layer=None,
        condor_id=purpose.split(":")[1],
    )
