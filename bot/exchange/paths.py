"""Intraday paths through the bars of a day: what happened between the prints that are known.

A path is a Brownian motion that happens to start at the open, to reach the high and the low and to
end at the close, in a clock that runs faster near the open and the close. It is found by drawing
many Brownian bridges from the open to the close, taking the one whose range comes nearest to the
day's, and stretching the little that is missing. So what has been seen of a path says no more of
the rest of its day than it would of a real one. SPX and VIX are drawn together, with mirrored
noise. Sources: the choice among many draws is approximate Bayesian computation (Tavare et al.
1997); the shape of the clock is the U of intraday volatility (Wood, McInish & Ord 1985).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from strategies.model.quotes import FloatArray, IntArray

GRID_SECONDS: Final = 10  # spacing of the instants of a path

_CORRELATION: Final = -0.90  # of the noise; increments come out near it
_SPX_SIGMA: Final = 0.66  # of a day, over its range; median of the draws
_VIX_SIGMA: Final = 0.55
_SIGMA_SPREAD: Final = 0.25  # deviation of the log of both
_DRAWS: Final = 512
_COARSE_STEPS: Final = 50  # in which the draws are compared
# Expected distance from the highest point of a Brownian motion to the highest of its n steps, over
# sigma / sqrt(n) (Asmussen, Glynn & Pitman 1995)
_BETWEEN_STEPS: Final = 0.5826
_OPEN_BOOST: Final = 2.0  # clock speed at the open over that at midday
_OPEN_FADE: Final = 0.08  # of the session
_CLOSE_BOOST: Final = 0.8
_CLOSE_FADE: Final = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open, high, low and close of one session; the range holds both ends."""

    open: float
    high: float
    low: float
    close: float

    def __post_init__(self) -> None:
        assert self.low <= self.open <= self.high, "the open lies in the range"
        assert self.low <= self.close <= self.high, "the close lies in the range"


def clean_bar(open_: float, high: float, low: float, close: float) -> Bar:
    """Return a bar around a close that is taken as true.

    Where the range is missing (NaN) or leaves the close out, it is widened to the close; an open
    outside the range (SPX before 2007 repeats the close before, some VIX rows of the 1990s) is
    clamped into it, and a missing one becomes the middle of the range. Indices print two decimals;
    what vendors add to them is noise.
    """
    open_, high, low, close = (round(price, 2) for price in (open_, high, low, close))
    low = min(close, low) if math.isfinite(low) else close
    high = max(close, high) if math.isfinite(high) else close
    open_ = min(max(open_, low), high) if math.isfinite(open_) else round((low + high) / 2, 2)
    return Bar(open=open_, high=high, low=low, close=close)


def activity_clock(nodes: int, close_node: int) -> FloatArray:
    """Return the share of the day's variance spent by each node, (nodes,).

    Args:
        nodes: Grid instants from the open to the close of index options.
        close_node: The equities' close, at which the clock reads 1.
    """
    share = np.arange(nodes) / close_node
    speed = (
        1.0
        + _OPEN_BOOST * np.exp(-share / _OPEN_FADE)
        + _CLOSE_BOOST * np.exp((np.minimum(share, 1.0) - 1.0) / _CLOSE_FADE)
    )
    clock = np.concatenate(([0.0], np.cumsum(speed[1:])))
    result: FloatArray = clock / clock[close_node]
    return result


def spx_and_vix_paths(
    rng: np.random.Generator, clock: FloatArray, close_node: int, spx: Bar, vix: Bar
) -> tuple[FloatArray, FloatArray]:
    """Return joint paths of SPX and VIX on the grid, each of the clock's shape.

    SPX ends its day at ``close_node`` and stays there; VIX goes on to the last node.
    """
    spx_share = np.minimum(clock, 1.0)  # of the way to each one's close
    vix_share = clock / clock[-1]
    coarse = _coarse_nodes(clock, close_node)
    found = _best_draw(rng, clock[coarse], spx_share[coarse], vix_share[coarse], spx, vix)

    steps = np.sqrt(np.diff(clock, prepend=0.0))
    fine = np.cumsum(rng.standard_normal((2, len(clock))) * steps, axis=1)
    noise, own = (
        walk + np.interp(clock, clock[coarse], drawn - walk[coarse])
        for walk, drawn in zip(fine, (found.spx_noise, found.own_noise), strict=True)
    )
    noise[close_node:] = 0.0
    spx_line = spx.open + (spx.close - spx.open) * spx_share
    spx_path = _fitted(spx_line + found.spx_sigma * noise, spx, close_node)
    spx_path[close_node:] = spx.close

    # the mirror image: what SPX did beside its straight line, in units of its own sigma
    mirror = (spx_path - spx_line) / found.spx_sigma if found.spx_sigma > 0 else noise
    walk = _CORRELATION * mirror + math.sqrt(1.0 - _CORRELATION**2) * own
    vix_line = vix.open + (vix.close - vix.open) * vix_share
    return spx_path, _fitted(vix_line + found.vix_sigma * walk, vix, len(clock) - 1)


def follower_path(
    share: FloatArray, leader: FloatArray, elasticity: float, bar: Bar, noise: FloatArray
) -> FloatArray:
    """Return a path from a bar's open to its close that moves with a leader in between.

    In logs: ``elasticity`` times the leader's move since the open, plus ``share`` of what remains
    to the close, plus noise; reflected into the bar's range.

    Args:
        share: Of the remainder, 0 at the first node and 1 at the last.
        leader: The leader's path.
        elasticity: Log change per log change of the leader.
        bar: Of the follower.
        noise: In logs, nought at both ends.
    """
    if bar.high <= bar.low:
        return np.full(share.shape, bar.close)
    moved = elasticity * np.log(leader / leader[0])
    rest = math.log(bar.close / bar.open) - float(moved[-1])
    path = _reflected(bar.open * np.exp(moved + rest * share + noise), bar)
    path[0], path[-1] = bar.open, bar.close
    return path


def future_path(
    share: FloatArray,
    close_node: int,
    vix_path: FloatArray,
    *,
    vix_before: float,
    beta: float,
    settle_before: float,
    settle: float,
    noise: FloatArray,
) -> FloatArray:
    """Return a VIX future from yesterday's settlement to today's, which it has at ``close_node``.

    It moves by ``beta`` points per point of VIX; to that comes ``share`` of what VIX does not
    explain of the day, and noise. After the settlement only beta is left.

    Args:
        share: Of the unexplained part, 1 from ``close_node`` on.
        close_node: Where it settles.
        vix_path: Of the day.
        vix_before: Close of VIX the day before.
        beta: Points of the future per point of VIX.
        settle_before: Yesterday's settlement.
        settle: Today's.
        noise: Points, nought from ``close_node`` on.
    """
    explained = beta * (vix_path - vix_before)
    rest = settle - settle_before - float(explained[close_node])
    path = settle_before + explained + rest * share + noise
    # a violent high of the VIX must not carry a far future through nought
    floor = _FUTURE_FLOOR * min(settle_before, settle)
    result: FloatArray = np.maximum(path, floor)
    return result


_FUTURE_FLOOR: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Draw:
    """One pair of coarse bridges and the sigmas they were compared with."""

    spx_noise: FloatArray  # standard, nought at the open and from the equities' close on
    own_noise: FloatArray  # of the VIX alone, nought at both ends
    spx_sigma: float  # points per unit of noise
    vix_sigma: float


def _coarse_nodes(clock: FloatArray, close_node: int) -> IntArray:
    """Return nodes about equally far apart in the clock, both closes among them."""
    at = np.arange(1, _COARSE_STEPS) / _COARSE_STEPS
    inner = np.searchsorted(clock[: close_node + 1], at)
    return np.unique(np.concatenate(([0], inner, [close_node, len(clock) - 1])))


def _best_draw(
    rng: np.random.Generator,
    clock: FloatArray,
    spx_share: FloatArray,
    vix_share: FloatArray,
    spx: Bar,
    vix: Bar,
) -> _Draw:
    """Return the draw whose ranges come nearest to the bars', on the coarse nodes."""
    steps = np.sqrt(np.diff(clock, prepend=0.0))
    walks = np.cumsum(rng.standard_normal((2, _DRAWS, len(clock))) * steps, axis=2)
    is_open = spx_share < 1.0
    last = int(np.argmin(is_open))
    noise = (walks[0] - spx_share * walks[0, :, last : last + 1]) * is_open
    own = walks[1] - vix_share * walks[1, :, -1:]
    mirrored = _CORRELATION * noise + math.sqrt(1.0 - _CORRELATION**2) * own
    usual = np.array([[_SPX_SIGMA], [_VIX_SIGMA]])
    sigmas = usual * np.exp(_SIGMA_SPREAD * rng.standard_normal((2, _DRAWS)))
    misses = _misses(noise, sigmas[0], spx_share, spx) + _misses(
        mirrored, sigmas[1], vix_share, vix
    )
    best = int(np.argmin(misses))
    return _Draw(
        spx_noise=noise[best],
        own_noise=own[best],
        spx_sigma=float(sigmas[0, best]) * (spx.high - spx.low),
        vix_sigma=float(sigmas[1, best]) * (vix.high - vix.low),
    )


def _misses(noise: FloatArray, sigma: FloatArray, share: FloatArray, bar: Bar) -> FloatArray:
    """Return by how much each draw misses high and low, squared, in units of the range, (draws,).

    The sigmas are in the same units; a bar without a range cannot be missed.
    """
    reach = bar.high - bar.low
    if reach <= 0:
        return np.zeros(len(noise))
    line = (bar.open - bar.low + (bar.close - bar.open) * share) / reach
    path = line + sigma[:, None] * noise
    between = _BETWEEN_STEPS / math.sqrt(_COARSE_STEPS) * sigma
    over = path.max(axis=1) + between - 1.0
    under = path.min(axis=1) - between
    result: FloatArray = over**2 + under**2
    return result


def _fitted(path: FloatArray, bar: Bar, last: int) -> FloatArray:
    """Return the path with the bar's open, high, low and, at node ``last``, close.

    What leaves the range is reflected; above the higher of open and close it is stretched to the
    high, below the lower to the low.
    """
    if bar.high <= bar.low:
        return np.full(path.shape, bar.close)
    path = _reflected(path, bar)
    path[0], path[last] = bar.open, bar.close
    body = min(bar.open, bar.close), max(bar.open, bar.close)
    for edge, end, extreme in ((body[1], bar.high, np.argmax), (body[0], bar.low, np.argmin)):
        if end == edge:
            continue
        inner = path[1:last]
        node = 1 + int(extreme(inner))
        reached = float(path[node]) - edge
        if reached * (end - edge) > 0:
            beyond = (path - edge) * (end - edge) > 0
            path[beyond] = edge + (path[beyond] - edge) * ((end - edge) / reached)
        path[node] = end
    result: FloatArray = np.clip(np.round(path, 2), bar.low, bar.high)
    return result


def _reflected(path: FloatArray, bar: Bar) -> FloatArray:
    """Return the path folded at the ends of the range, as a mirror at each would show it."""
    reach = bar.high - bar.low
    phase = np.mod(path - bar.low, 2.0 * reach)
    folded: FloatArray = bar.low + np.where(phase > reach, 2.0 * reach - phase, phase)
    return folded
