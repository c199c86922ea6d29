"""Intraday paths through the bars of a day: what happened between the prints that are known.

A path starts at the open, touches the high and the low, and ends at the close. Between these four
it is a Brownian bridge in a clock that runs faster near the open and the close; where the bridge
would leave the day's range it is reflected back into it. SPX and VIX share their randomness: the
noise of the VIX is a mirror of what SPX did plus some of its own. Sources: conditioning a Brownian
path on its range by its turning points follows from the reflection principle; the shape of the
clock from the U of intraday volatility (Wood, McInish & Ord 1985).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from strategies.model.quotes import FloatArray

GRID_SECONDS: Final = 10  # spacing of the instants of a path

_CORRELATION: Final = -0.93  # of the noise; increments come out near the measured -0.85
_RANGE_PER_SIGMA: Final = 1.67  # expected range of a Brownian motion of one day
_NOISE_SHARE: Final = 0.8  # of the day's sigma that is left once the turning points are fixed
_LEAST_SEGMENT: Final = 0.12  # of a stretch's fair share of the clock
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
    low_first = rng.random() < _chance_low_first(spx, vix)
    shares = rng.gamma(2.0, size=3)
    spx_turns = _turns(spx, low_first=low_first)
    vix_turns = _turns(vix, low_first=not low_first)
    lengths = (_lengths(spx_turns) + _lengths(vix_turns)) / 2
    spx_nodes = _turning_nodes(clock, close_node, spx_turns, lengths * shares)
    vix_nodes = _turning_nodes(clock, len(clock) - 1, vix_turns, lengths * shares)

    steps = np.sqrt(np.diff(clock))
    spx_noise, own_noise = rng.standard_normal((2, len(steps))) * steps
    spx_path = np.full(clock.shape, spx.close)
    day = slice(0, close_node + 1)
    spx_walk = np.concatenate(([0.0], np.cumsum(spx_noise[:close_node])))
    sigma = _sigma(spx)
    spx_lines = np.interp(clock[day], clock[spx_nodes], spx_turns)
    spx_path[day] = _through(clock[day], spx_nodes, spx_turns, sigma * spx_walk, spx)

    # the mirror image: what SPX did beside its straight lines, in units of its own sigma
    mirror = np.zeros(clock.shape)
    if sigma > 0:
        mirror[day] = (spx_path[day] - spx_lines) / sigma
    own = np.concatenate(([0.0], np.cumsum(own_noise)))
    walk = _CORRELATION * mirror + math.sqrt(1.0 - _CORRELATION**2) * own
    vix_path = _through(clock, vix_nodes, vix_turns, _sigma(vix) * walk, vix)
    return spx_path, vix_path


def follower_path(clock: FloatArray, leader: FloatArray, elasticity: float, bar: Bar) -> FloatArray:
    """Return a path from a bar's open to its close that moves with a leader in between.

    In logs: ``elasticity`` times the leader's move since the open, plus what remains to the close,
    spread evenly over the clock; kept inside the bar's range.
    """
    moved = elasticity * np.log(leader / leader[0])
    rest = math.log(bar.close / bar.open) - float(moved[-1])
    path = bar.open * np.exp(moved + rest * clock / clock[-1])
    result: FloatArray = np.clip(path, bar.low, bar.high)
    return result


def future_path(
    clock: FloatArray,
    close_node: int,
    vix_path: FloatArray,
    *,
    vix_before: float,
    beta: float,
    settle_before: float,
    settle: float,
) -> FloatArray:
    """Return a VIX future from yesterday's settlement to today's, which it has at ``close_node``.

    It moves by ``beta`` points per point of VIX; what VIX does not explain of the day comes partly
    with the opening gap and then evenly over the clock. After the settlement only beta is left.
    """
    explained = beta * (vix_path - vix_before)
    rest = settle - settle_before - float(explained[close_node])
    done = np.minimum(_GAP_SHARE + (1.0 - _GAP_SHARE) * clock, 1.0)
    path = settle_before + explained + rest * done
    # a violent high of the VIX must not carry a far future through nought
    floor = _FUTURE_FLOOR * min(settle_before, settle)
    result: FloatArray = np.maximum(path, floor)
    return result


_GAP_SHARE: Final = 0.35
_FUTURE_FLOOR: Final = 0.6


def _sigma(bar: Bar) -> float:
    return _NOISE_SHARE * (bar.high - bar.low) / _RANGE_PER_SIGMA


def _turns(bar: Bar, *, low_first: bool) -> FloatArray:
    """Return open, first extreme, second extreme, close."""
    first, second = (bar.low, bar.high) if low_first else (bar.high, bar.low)
    return np.array([bar.open, first, second, bar.close])


def _lengths(turns: FloatArray) -> FloatArray:
    """Return the three distances travelled, as shares of their sum; all nought for a flat bar."""
    distances = np.abs(np.diff(turns))
    total = float(distances.sum())
    result: FloatArray = distances / total if total > 0 else distances
    return result


def _chance_low_first(spx: Bar, vix: Bar) -> float:
    """Return the chance that SPX made its low before its high.

    The shorter way through the four prints is the likelier one: ``exp(-way^2 / 2 sigma^2)`` for a
    Brownian motion, SPX and VIX voting with half a voice each.
    """
    exponent = 0.0
    for bar, sign in ((spx, 1.0), (vix, -1.0)):
        reach = bar.high - bar.low
        if reach > 0:
            # way with the high first minus way with the low first is 2 (close - open)
            scaled = (bar.close - bar.open) / reach
            exponent += sign * 2.0 * scaled * _RANGE_PER_SIGMA**2
    return 1.0 / (1.0 + math.exp(-max(min(0.5 * exponent, 30.0), -30.0)))


def _turning_nodes(
    clock: FloatArray, last: int, turns: FloatArray, weights: FloatArray
) -> list[int]:
    """Return the nodes of the open, both extremes and the close.

    A stretch without distance takes no time, any other at least ``_LEAST_SEGMENT`` of what its
    distance deserves.
    """
    lengths = _lengths(turns)
    is_way = lengths > 0
    if not is_way.any():
        return [0, last // 3, 2 * last // 3, last]
    weights = np.where(is_way, weights, 0.0)
    total = float(weights.sum())
    shares = weights / total if total > 0 else lengths
    shares = np.where(is_way, np.maximum(shares, _LEAST_SEGMENT * lengths), 0.0)
    ends = np.cumsum(shares / shares.sum()) * clock[last]
    first, second = (int(node) for node in np.searchsorted(clock[: last + 1], ends[:2]))
    # every stretch that has a way to go gets at least one step
    first = max(first, 1) if is_way[0] else 0
    second = last if not is_way[2] else min(second, last - 1)
    first = min(first, second - 1)
    return [0, first, second, last]


def _through(
    clock: FloatArray, nodes: list[int], turns: FloatArray, walk: FloatArray, bar: Bar
) -> FloatArray:
    """Return the walk bent through the turning points and reflected into the bar's range."""
    if bar.high <= bar.low:
        return np.full(clock.shape, bar.close)
    at_nodes = clock[nodes]
    lines = np.interp(clock, at_nodes, turns - walk[nodes])
    path = _reflected(lines + walk, bar)
    path = np.clip(np.round(path, 2), bar.low, bar.high)
    path[nodes] = turns
    return path


def _reflected(path: FloatArray, bar: Bar) -> FloatArray:
    """Return the path folded at the ends of the range, as a mirror at each would show it."""
    reach = bar.high - bar.low
    phase = np.mod(path - bar.low, 2.0 * reach)
    folded: FloatArray = bar.low + np.where(phase > reach, 2.0 * reach - phase, phase)
    return folded
