"""One session of a simulated market: its paths on the grid and its listed contracts."""

import math
from collections.abc import Hashable
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np

from bot.exchange.facts import SessionFacts
from bot.exchange.listings import Listing, build_listing, spx_strikes, vix_strikes
from bot.exchange.paths import (
    GRID_SECONDS,
    activity_clock,
    follower_path,
    future_path,
    spx_and_vix_paths,
)
from bot.exchange.quoting import VXM_FIRST_DAY, MarketState
from bot.exchange.residuals import (
    ELASTICITIES,
    FUTURE_GAP_SHARE,
    FUTURES_LIKENESS,
    INDICES_LIKENESS,
    bridges,
    day_deviation,
    future_deviation,
    index_deviation,
    share_known,
)
from bot.exchange.spx_surface import SpxSurface, VolLevels
from bot.history.recent import Recent
from strategies.model.calendars import TradingCalendar
from strategies.model.expiries import FutureInstants, future_instants
from strategies.model.instruments import FutureContract
from strategies.model.quotes import FloatArray, Series
from strategies.pricing.factor_vega import future_beta

_LISTINGS_KEPT: Final = 16
_SURFACES_KEPT: Final = 16
_NODES_PER_SURFACE: Final = 6  # smiles follow the indices by the minute, the spot every 10 s
_FUTURES_MOST: Final = 9  # months

# Stand-ins before an index existed: ln(VIX9D/VIX) on ln(VIX/VIX3M), ln(VIX6M/VIX3M) on
# ln(VIX3M/VIX), regressions of 2011-2022. They shape the surface and are not shown as indices.
_VIX9D_FROM_CURVE: Final = (0.044, 0.859)
_VIX6M_FROM_CURVE: Final = (0.017, 0.522)


class SessionDay:
    """One session: its paths on the grid and its listing."""

    def __init__(
        self, facts: SessionFacts, calendar: TradingCalendar, rng: np.random.Generator
    ) -> None:
        self.facts = facts
        self.opens_at = calendar.opens_at(facts.session)
        self.closes_at = calendar.closes_at(facts.session)
        self._calendar = calendar
        self._listings = Recent[Hashable, Listing](_LISTINGS_KEPT)
        self._surfaces = Recent[int, SpxSurface](_SURFACES_KEPT)
        nodes = self._node(self.closes_at) + 1
        close_node = self._node(calendar.equities_close_at(facts.session))
        clock = activity_clock(nodes, close_node)
        spx, vix = spx_and_vix_paths(rng, clock, close_node, facts.spx, facts.vix)
        self._paths = {"SPX": spx, "VIX": vix}
        self._paths |= _follower_paths(rng, clock, vix, facts)
        self._futures = _future_paths(rng, clock, close_node, vix, facts)
        self.index_names = tuple(self._paths)
        self._vix9d = self._paths.get("VIX9D", self._standing_in("VIX", "VIX3M", _VIX9D_FROM_CURVE))
        self._vix6m = self._paths.get("VIX6M", self._standing_in("VIX3M", "VIX", _VIX6M_FROM_CURVE))

    @cached_property
    def future_contracts(self) -> dict[FutureContract, tuple[FutureInstants, float]]:
        """The listed futures, by expiry, then root, with instants and yesterday's settlement."""
        roots = ("VX", "VXM") if self.facts.session >= VXM_FIRST_DAY else ("VX",)
        return {
            FutureContract(root, future.expiry): (
                future_instants(future.expiry, self._calendar),
                future.settle_before,
            )
            for future in self.facts.futures[:_FUTURES_MOST]
            for root in roots
        }

    def node_instant(self, at: datetime) -> datetime:
        """Return the grid instant at or before ``at``."""
        return self.opens_at + timedelta(seconds=self._node(at) * GRID_SECONDS)

    def index_at(self, name: str, at: datetime) -> float:
        """Return an index at an instant of session hours."""
        return float(self._paths[name][self._node(at)])

    def state_at(self, at: datetime) -> MarketState:
        """Return what quotes depend on at a grid instant."""
        node = self._node(at)
        minute = node - node % _NODES_PER_SURFACE
        return MarketState(
            at=at,
            spx=float(self._paths["SPX"][node]),
            levels=self._levels(node),
            futures={expiry: float(path[node]) for expiry, path in self._futures.items()},
            surface=self._surfaces.get(minute, lambda: SpxSurface(self._levels(minute))),
            rate=self.facts.rate,
        )

    def listing(
        self, underlying: str, at: datetime, extra: frozenset[tuple[Series, float]]
    ) -> Listing:
        """Return the listed rows that trade at ``at``, and those of ``extra``."""
        are_weeklies_over = at >= self._calendar.equities_close_at(self.facts.session)
        key = (underlying, are_weeklies_over, extra)
        return self._listings.get(key, lambda: self._build(underlying, at, extra))

    def _build(
        self, underlying: str, at: datetime, extra: frozenset[tuple[Series, float]]
    ) -> Listing:
        base = self.spx_strikes if underlying == "SPX" else self.vix_strikes
        rows = [(series, strikes.tolist()) for series, strikes in base]
        listing = build_listing(rows + [(series, [strike]) for series, strike in extra])
        return listing.alive_at(at)

    @cached_property
    def spx_strikes(self) -> list[tuple[Series, FloatArray]]:
        """The listed SPX and SPXW series with their strikes."""
        facts = self.facts
        return spx_strikes(facts.session, self._calendar, facts.spx_before, facts.vix_before)

    @cached_property
    def vix_strikes(self) -> list[tuple[Series, FloatArray]]:
        """The listed VIX series with their strikes."""
        facts = self.facts
        return vix_strikes(facts.session, self._calendar, self._futures, facts.vix_before)

    def _levels(self, node: int) -> VolLevels:
        return VolLevels(
            vix9d=float(self._vix9d[node]),
            vix=float(self._paths["VIX"][node]),
            vix3m=float(self._paths["VIX3M"][node]),
            vix6m=float(self._vix6m[node]),
            vvix=float(self._paths["VVIX"][node]),
        )

    def _standing_in(self, above: str, below: str, coefficients: tuple[float, float]) -> FloatArray:
        """Return ``above exp(a + b ln(above / below))``, the usual shape of the curve."""
        constant, slope = coefficients
        base = self._paths[above]
        path: FloatArray = base * np.exp(constant + slope * np.log(base / self._paths[below]))
        return path

    def _node(self, at: datetime) -> int:
        return int((at - self.opens_at).total_seconds() // GRID_SECONDS)


def _follower_paths(
    rng: np.random.Generator, clock: FloatArray, vix: FloatArray, facts: SessionFacts
) -> dict[str, FloatArray]:
    share = share_known(clock, len(clock) - 1, 0.0)
    names = list(facts.followers)
    bars = list(facts.followers.values())
    elasticities = np.array([ELASTICITIES[name] for name in names])
    usual = np.array([index_deviation(name, facts.vix) for name in names])
    moved = np.array([math.log(bar.close / bar.open) for bar in bars])
    residuals = moved - elasticities * math.log(vix[-1] / vix[0])
    noises = bridges(rng, share, len(names), INDICES_LIKENESS)
    noises *= day_deviation(usual, residuals)[:, None]
    return {
        name: np.round(follower_path(share, vix, float(elasticity), bar, noise), 2)
        for name, elasticity, bar, noise in zip(names, elasticities, bars, noises, strict=True)
    }


def _future_paths(
    rng: np.random.Generator,
    clock: FloatArray,
    close_node: int,
    vix: FloatArray,
    facts: SessionFacts,
) -> dict[date, FloatArray]:
    share = share_known(clock, close_node, FUTURE_GAP_SHARE)
    futures = facts.futures[:_FUTURES_MOST]
    days = [float((future.expiry - facts.session).days) for future in futures]
    betas = future_beta(np.array(days))
    usual = np.array([future_deviation(each, facts.vix, facts.vix_before) for each in days])
    moved = np.array([future.settle - future.settle_before for future in futures])
    residuals = moved - betas * (vix[close_node] - facts.vix_before)
    noises = bridges(rng, share, len(futures), FUTURES_LIKENESS)
    noises *= day_deviation(usual, residuals)[:, None]
    return {
        future.expiry: future_path(
            share,
            close_node,
            vix,
            vix_before=facts.vix_before,
            beta=float(beta),
            settle_before=future.settle_before,
            settle=future.settle,
            noise=noise,
        )
        for future, beta, noise in zip(futures, betas, noises, strict=True)
    }
