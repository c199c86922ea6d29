"""The situations whose plans are kept: named inputs, built once and then stored."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np

from strategies.model.book import Account, Book
from strategies.model.memory import Curve, Memory, RegimeMemory
from strategies.model.snapshots import DailyHistory, MarketSnapshot
from tests.builders import (
    TODAY,
    VX_CURVE,
    account,
    book,
    condor_position,
    daily_history,
    hedge_position,
    market_quotes,
    market_snapshot,
    skewed_vol,
    spx_chain,
    vix_chain,
    vx_futures,
)

_SESSIONS = 140  # enough for every indicator to be warm
_INVERTED = {day: 34.0 - 3.0 * n for n, day in enumerate(VX_CURVE)}
_STRIKES = np.concatenate([np.arange(2700.0, 3130.0, 5.0), np.arange(3130.0, 3520.0, 5.0)])
_VIX_STRIKES = np.array([12.0, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 26, 30, 35, 40, 50, 60, 80])


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The inputs of one decision, rules left at their defaults."""

    snapshot: MarketSnapshot
    book: Book
    account: Account
    memory: Memory = field(default_factory=Memory)


def _history(**columns: list) -> DailyHistory:
    history = daily_history(sessions=_SESSIONS, **columns)
    return replace(
        history,
        **{
            name: np.round(getattr(history, name), 4)
            for name in history.__dataclass_fields__
            if name != "session"
        },
    )


def _snapshot(
    spx: float = 3250.0,
    vix: float = 16.0,
    curve: dict = VX_CURVE,
    *,
    due: bool = False,
    history: dict | None = None,
) -> MarketSnapshot:
    market = market_quotes(
        spx=spx,
        vix=vix,
        curve=curve,
        spx_options=spx_chain(
            spot=spx, days=(25, 44, 46), strikes=_STRIKES, vol=skewed_vol(vix / 100)
        ),
        vix_options=vix_chain(curve=curve, strikes=_VIX_STRIKES),
        futures=vx_futures(curve=curve),
    )
    return market_snapshot(market=market, entry_due=due, history=_history(**(history or {})))


_CONDORS = (
    condor_position("SPXW 20MAR20 3040/3050/3405/3415", quantity=33, credit="2.50"),
    condor_position(
        "SPXW 28FEB20 3100/3105/3380/3385", condor_id="C0002", quantity=70, credit="1.60"
    ),
)
_HEDGES = (
    hedge_position("VIX 19FEB20 20 C", 60, cost="0.40"),
    hedge_position("VIX 18MAR20 22 C", 40, cost="0.80"),
    hedge_position("VIX 15APR20 24 C", 20, cost="0.90"),
)
_CALM = Memory(
    session=TODAY,
    regime=RegimeMemory(curve=Curve.CONTANGO),
    condors_opened=2,
    condors_insured=("C0001", "C0002"),
)
_FLIPPING = replace(_CALM, session=TODAY - timedelta(days=3), core_contracts=20)
_FLIP_COLUMNS = {
    "vx1": [16.0] * 40 + [21.0, 26.0],
    "vx2": [17.0] * 40 + [20.0, 24.0],
    "vix": [15.0] * 40 + [22.0, 27.0],
}

SITUATIONS: dict[str, Callable[[], Situation]] = {
    "first_entry": lambda: Situation(snapshot=_snapshot(due=True), book=book(), account=account()),
    "growing_hedge": lambda: Situation(
        snapshot=_snapshot(),
        book=book(condors=_CONDORS, hedges=_HEDGES[:1]),
        account=account(maintenance_margin="68000"),
        memory=replace(_CALM, core_contracts=20),
    ),
    "curve_flips": lambda: Situation(
        snapshot=_snapshot(3150.0, 33.0, _INVERTED, history=_FLIP_COLUMNS),
        book=book(condors=_CONDORS, hedges=_HEDGES),
        account=account(maintenance_margin="68000"),
        memory=_FLIPPING,
    ),
    "fallen_below_the_wings": lambda: Situation(
        snapshot=_snapshot(2900.0, 38.0, _INVERTED, due=True, history=_FLIP_COLUMNS),
        book=book(condors=_CONDORS, hedges=_HEDGES),
        account=account("930000", maintenance_margin="68000"),
        memory=replace(_CALM, regime=RegimeMemory(curve=Curve.BACKWARDATION, spike=True)),
    ),
    "hedge_too_dear": lambda: Situation(
        snapshot=_snapshot(due=True),
        book=book(condors=_CONDORS, hedges=_HEDGES[1:], hedge_cost_365d_usd="12500"),
        account=account(maintenance_margin="68000"),
        memory=replace(_CALM, condors_insured=("C0001",)),
    ),
}
