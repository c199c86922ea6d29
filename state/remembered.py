"""What was read of a ledger, kept until something is written: it is asked again and again.

One process writes a ledger at a time, and while it does nobody else can (``state.guards`` refuses
every transaction after a foreign one). So what was read between two transactions of its own is
what would be read again.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

_KEPT_MOST: Final = 64  # answers; a look at the market asks for a dozen


class Remembers(Protocol):
    """A ledger that keeps answers between its transactions."""

    def answers(self) -> dict[tuple[object, ...], Any] | None:
        """Return what was answered since the last transaction; None inside of one."""
        ...


S = TypeVar("S", bound=Remembers)
P = ParamSpec("P")
R = TypeVar("R")


def remembered(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let a question be answered from memory until something is written.

    For methods without side effects whose answers are values that nobody can change.
    """
    name = method.__name__

    @wraps(method)
    def ask(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        answers = self.answers()
        if answers is None:
            return method(self, *args, **kwargs)
        key = (name, args, *kwargs.items())
        if key not in answers:
            if len(answers) >= _KEPT_MOST:
                answers.clear()
            answers[key] = method(self, *args, **kwargs)
        answer: R = answers[key]
        return answer

    return cast("Callable[Concatenate[S, P], R]", ask)
