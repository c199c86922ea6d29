"""From a failing plan to a small one: delta debugging over its faults.

Zeller & Hildebrandt (2002), "Simplifying and Isolating Failure-Inducing Input", algorithm ddmin.
"""

from collections.abc import Callable
from typing import Final

from bot.app.simulation.faults import Fault
from bot.app.simulation.plan import EpisodePlan

RUNS_MOST: Final = 80


def shrink(
    plan: EpisodePlan, fails: Callable[[EpisodePlan], bool], runs_most: int = RUNS_MOST
) -> EpisodePlan:
    """Return a plan with as few faults as can be found that still fails.

    Args:
        plan: A plan that fails.
        fails: Lives a plan and says whether the same invariant is violated.
        runs_most: How often ``fails`` may be asked.
    """
    left = runs_most

    def still_fails(faults: tuple[Fault, ...]) -> bool:
        nonlocal left
        left -= 1
        return left >= 0 and fails(plan.only(faults))

    if still_fails(()):
        return plan.only(())
    kept, parts = plan.faults, 2
    while len(kept) > 1 and left > 0:
        size = -(-len(kept) // parts)
        without = (kept[:start] + kept[start + size :] for start in range(0, len(kept), size))
        smaller = next((faults for faults in without if still_fails(faults)), None)
        if smaller is not None:
            kept, parts = smaller, max(parts - 1, 2)
        elif parts >= len(kept):
            break
        else:
            parts = min(len(kept), 2 * parts)
    return plan.only(kept)
