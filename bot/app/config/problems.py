"""What is wrong with a configuration, said so that it can be mended: place, key, expectation."""

from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN_MAX = 8  # with excerpts, what one screen holds
_EXCERPT_WIDTH = 88


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value was written: a file with its line, or an environment variable or a flag."""

    source: str  # "paper_config.yaml", "environment ALVH_NAME", "flag --set name=x"
    line: int | None = None  # from 1; None = not from a file
    column: int | None = None  # from 1
    text: str = ""  # the whole line

    def __str__(self) -> str:
        """Return ``paper_config.yaml:14:3``, or the source alone where there is no line."""
        return ":".join(str(part) for part in (self.source, self.line, self.column) if part)

    @property
    def excerpt(self) -> str:
        """The line with a caret under the column; empty where there is no line."""
        if self.line is None or self.column is None:
            return ""
        # A long line is cut so that the caret stays in sight
        start = max(0, self.column - 1 - _EXCERPT_WIDTH // 2)
        shown = self.text.replace("\t", " ")[start : start + _EXCERPT_WIDTH]
        margin = f"{self.line:>5} | "
        caret = " " * (self.column - 1 - start) + "^"
        return f"{margin}{shown}\n{'| ':>{len(margin)}}{caret}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    place: Place
    key: str  # dotted, empty where the document itself is the trouble
    message: str
    is_safety: bool = False  # not a mistake but a safeguard that a person has to lift

    def __str__(self) -> str:
        """Return place, key and message, then the excerpt."""
        head = ": ".join(part for part in (str(self.place), self.key, self.message) if part)
        excerpt = self.place.excerpt
        return f"{head}\n{excerpt}" if excerpt else head


class ConfigInvalid(Exception):
    """A configuration cannot be used as it stands; lists everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        assert problems, "a refusal names its reasons"
        self.problems = tuple(problems)
        super().__init__(self.text)

    @property
    def text(self) -> str:
        """Every problem with its excerpt, as many as one screen holds."""
        shown = [str(problem) for problem in self.problems[:_SHOWN_MAX]]
        rest = self.problems[_SHOWN_MAX:]
        if rest:
            shown.append(f"... and {len(rest)} more, first {rest[0].place}: {rest[0].key}")
        return "\n".join(shown)


class ConfigUnsafe(ConfigInvalid):
    """The configuration is well formed, and a safeguard in it has not been lifted."""


def refuse(problems: Sequence[Problem]) -> ConfigInvalid:
    """Return the exception that fits the problems: unsafe only if every one is a safeguard."""
    kind = ConfigUnsafe if all(problem.is_safety for problem in problems) else ConfigInvalid
    return kind(problems)
