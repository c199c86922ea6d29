"""Lots, regimes, candidates and targets for the rules of the hedge."""

from datetime import timedelta
from decimal import Decimal

from strategies.alvh.holdings import Lot, layer_of
from strategies.alvh.instruments import Candidate
from strategies.alvh.layers import LayerTarget
from strategies.model.instruments import OptionContract
from strategies.model.memory import Curve
from strategies.model.plan import LayerReason
from strategies.model.rules import Rules
from strategies.pricing.valuation import FutureValue, OptionValue
from strategies.signals.regimes import Regime
from tests.builders import TODAY, instrument

RULES = Rules()


def regime(
    curve: Curve = Curve.CONTANGO,
    *,
    flipped: bool = False,
    found_inverted: bool = False,
    closes: int | None = 0,
    spike: bool | None = False,
    shift: bool | None = False,
) -> Regime:
    return Regime(
        curve=curve,
        flipped_now=flipped,
        found_inverted=found_inverted,
        restored_now=False,
        contango_closes=closes,
        pre_event=False,
        spike=spike,
        shift=shift,
        labels={},
    )


def lot(
    text: str,
    contracts: int,
    *,
    unit: float = 10.0,
    bid: float = 0.60,
    ask: float = 0.64,
    buying: int = 0,
    selling: int = 0,
    cost_usd: float = 60.0,
    priced: bool = True,
) -> Lot:
    """A lot with a unit factor vega of our choice."""
    held = instrument(text)
    days = (held.expiry - TODAY).days
    value: OptionValue | FutureValue | None = None
    if priced and isinstance(held, OptionContract):
        value = OptionValue(
            contract=held,
            bid=bid,
            ask=ask,
            mid=(bid + ask) / 2,
            vol=0.9,
            delta=0.2,
            gamma=0.0,
            vega=0.0,
            theta=-0.03,
            factor_vega_usd=unit,
            days=days,
            t_years=days / 365,
            forward=17.0,
        )
    elif priced and not isinstance(held, OptionContract):
        value = FutureValue(
            contract=held,
            bid=bid,
            ask=ask,
            mid=(bid + ask) / 2,
            days=days,
            beta=0.5,
            factor_vega_usd=unit,
        )
    return Lot(
        instrument=held,
        contracts=contracts,
        buying=buying,
        selling=selling,
        days=days,
        layer=layer_of(days, RULES.layers),
        value=value,
        cost_usd=cost_usd,
    )


def candidate(
    text: str, *, unit: float = 10.0, score: float = 0.0, bid: float = 0.60, ask: float = 0.64
) -> Candidate:
    what = instrument(text)
    return Candidate(
        instrument=what,
        bid=bid,
        ask=ask,
        days=(what.expiry - TODAY).days,
        unit_vega_usd=unit,
        score=score,
        is_call=isinstance(what, OptionContract),
    )


def target(
    layer: str,
    vega_usd: float,
    *,
    short: float = 1000.0,
    share: float | None = None,
    reason: LayerReason = LayerReason.ACTIVE,
) -> LayerTarget:
    shares = {"L1": 0.5, "L2": 0.3, "L3": 0.2}
    share = shares[layer] if share is None else share
    full = share * short
    return LayerTarget(
        layer=layer,
        active=reason is not LayerReason.INACTIVE,
        reason=reason,
        share=share,
        scale=vega_usd / full if full else 0.0,
        short_vega_usd=short,
        vega_usd=vega_usd,
        rules=(layer,),
    )


def days_ahead(days: int) -> str:
    """The literal of the date so many days after today: ``19FEB20``."""
    return f"{TODAY + timedelta(days=days):%d%b%y}".upper()


def usd(amount: float) -> Decimal:
    return Decimal(str(amount))
