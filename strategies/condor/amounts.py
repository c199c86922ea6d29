"""Exact comparisons of money with rule values, and ratios shown so that they never contradict them.

Rule values are floats as the configuration spells them; money is decimal. Compared as floats,
6.6 - 2.2 is less than 2 x 2.2, and a stop at exactly two credits would not fire.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

_SHOWN = Decimal("0.0001")


def exact(rule_value: float) -> Decimal:
    """Return a rule value as the decimal that the configuration spells."""
    return Decimal(repr(rule_value))


def shown_ratio(ratio: Decimal, *thresholds: Decimal) -> float:
    """Return a ratio with four digits, rounded, but never onto a threshold it has not reached.

    -1.99999 would read -2.0 in a gate that says -2 was not reached; it is cut to -1.9999.
    """
    rounded = ratio.quantize(_SHOWN, ROUND_HALF_UP)
    if rounded in thresholds and abs(ratio) < abs(rounded):
        rounded = ratio.quantize(_SHOWN, ROUND_DOWN)
    return float(rounded)
