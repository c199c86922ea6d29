"""The condor book's profit and loss over the index, as numbers and as text."""

from collections.abc import Sequence

import numpy as np

from bot.app.render.svg import PayoffCurve
from strategies.model.book import CondorPosition
from strategies.model.instruments import Right
from strategies.model.quotes import FloatArray
from strategies.pricing.shocks import shocked_prices
from strategies.pricing.valuation import Valuer

_MULTIPLIER = 100  # USD per SPX point
_MARGIN = 0.03  # shown beyond the outermost strikes, of the spot
_LEVELS = 201
_PLOT_ROWS = 11
_PLOT_COLUMNS = 84


def payoff_at_expiry(condors: Sequence[CondorPosition], levels: FloatArray) -> FloatArray:
    """Return what the condors make at expiry, every side held to its own.

    A long that expires later counts at its intrinsic value: it is worth more.

    Shapes: levels (n,) -> (n,).
    Units: SPX points -> USD, the credits received counted in.
    """
    total = np.zeros_like(levels)
    for condor in condors:
        points = np.full_like(levels, float(condor.entry_credit))
        for contract, sign in condor.legs.signed():
            direction = 1.0 if contract.right is Right.CALL else -1.0
            points += sign * np.maximum(direction * (levels - float(contract.strike)), 0.0)
        total += points * condor.quantity * _MULTIPLIER
    return total


def payoff_today(
    condors: Sequence[CondorPosition], valuer: Valuer, spot: float, levels: FloatArray
) -> FloatArray | None:
    """Return what the condors would have made if they were closed now with SPX at each level.

    Every option keeps the vol of its distance from the forward. None if one cannot be priced.

    Shapes: levels (n,) -> (n,).
    Units: SPX points -> USD, the credits received counted in.
    """
    legs = [(item, contract, sign) for item in condors for contract, sign in item.legs.signed()]
    terms = valuer.terms([contract for _, contract, _ in legs])
    if terms is None:
        return None
    prices = shocked_prices(valuer, terms, (levels / spot - 1.0)[:, None], vix_points=0.0)
    weights = np.array([sign * item.quantity * _MULTIPLIER for item, _, sign in legs], dtype=float)
    credits_usd = sum(float(item.entry_credit) * item.quantity * _MULTIPLIER for item in condors)
    total: FloatArray = prices @ weights + credits_usd
    return total


def payoff_curve(
    condors: Sequence[CondorPosition], spot: float, valuer: Valuer | None = None
) -> PayoffCurve:
    """Return the payoff around the condors' strikes, today's too where there is a valuer."""
    levels = payoff_levels(condors, spot)
    at_expiry = payoff_at_expiry(condors, levels)
    today = payoff_today(condors, valuer, spot, levels) if valuer and condors else None
    return PayoffCurve(
        levels=levels.tolist(),
        at_expiry_usd=at_expiry.tolist(),
        today_usd=None if today is None else today.tolist(),
        spot=spot,
        breakevens=_crossings(levels, at_expiry),
    )


def payoff_levels(condors: Sequence[CondorPosition], spot: float) -> FloatArray:
    """Return the index levels worth showing, ascending: (n,)."""
    strikes = [float(contract.strike) for item in condors for contract, _ in item.legs.signed()]
    low, high = min([*strikes, spot]), max([*strikes, spot])
    return np.linspace(low - _MARGIN * spot, high + _MARGIN * spot, _LEVELS)


def _crossings(levels: FloatArray, values: FloatArray) -> list[float]:
    """Return where the values change sign, by straight lines between the levels."""
    before = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    share = values[before] / (values[before] - values[before + 1])
    found: list[float] = (levels[before] + share * np.diff(levels)[before]).tolist()
    return found


def payoff_text(payoff: PayoffCurve) -> str:
    """Return the payoff at expiry as a drawing of characters, at most 100 columns wide."""
    positions = np.linspace(payoff.levels[0], payoff.levels[-1], _PLOT_COLUMNS)
    values = np.interp(positions, payoff.levels, payoff.at_expiry_usd)
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if low == high:
        return "no condors, no payoff"
    scale = (_PLOT_ROWS - 1) / (high - low)
    rows = np.rint((values - low) * scale).astype(int)
    previous = np.concatenate([rows[:1], rows[:-1]])
    zero = round((0.0 - low) * scale)
    spot_column = int(np.argmin(np.abs(positions - payoff.spot)))
    lines = []
    for row in reversed(range(_PLOT_ROWS)):
        cells = ["-" if row == zero else " "] * _PLOT_COLUMNS
        cells[spot_column] = "|"
        # A steep stretch is drawn through every row it crosses
        is_drawn = (np.minimum(rows, previous) <= row) & (row <= np.maximum(rows, previous))
        for column in np.flatnonzero(is_drawn).tolist():
            cells[column] = "*"
        value = low + row / scale
        label = f"{value:,.0f}" if row in (0, zero, _PLOT_ROWS - 1) else ""
        lines.append(f"{label:>13} {''.join(cells)}".rstrip())
    first, last = f"{payoff.levels[0]:,.0f}", f"{payoff.levels[-1]:,.0f}"
    middle = f"SPX {payoff.spot:,.0f}"
    axis = f"{first:<{_PLOT_COLUMNS - len(last)}}{last}"
    start = min(
        max(spot_column - len(middle) // 2, len(first) + 1),
        _PLOT_COLUMNS - len(last) - len(middle) - 1,
    )
    axis = axis[:start] + middle + axis[start + len(middle) :]
    lines.append(f"{'':>13} {axis}")
    if payoff.breakevens:
        levels = ", ".join(f"{level:,.0f}" for level in payoff.breakevens)
        lines.append(f"{'':>13} break-even at expiry: {levels}")
    return "\n".join(lines)


def layer_bars(layers: Sequence[tuple[str, float, float]], width: int = 50) -> str:
    """Return one bar a layer, held against target: ``(layer, held_usd, target_usd)``."""
    largest = max((max(abs(held), abs(target)) for _, held, target in layers), default=0.0)
    lines = []
    for layer, held, target in layers:
        filled = round(abs(held) / largest * width) if largest else 0
        wanted = round(abs(target) / largest * width) if largest else 0
        bar = "#" * filled + "." * max(0, wanted - filled)
        lines.append(
            f"  {layer} |{bar:<{width}}| {held:>10,.0f} of {target:>10,.0f} USD per VIX point"
        )
    return "\n".join(lines)
