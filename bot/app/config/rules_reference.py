"""The rule reference, written from the rule book's registry, the rule values and the tests.

``python -m bot.app.config.rules_reference`` prints ``docs/rules.md``, ``--write`` renews it, and a
test compares the two. What a rule says and how it is computed stands in ``strategies.rulebook``,
defaults and bounds in ``strategies.model.rules``; the tests of a rule are those named with its id.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from strategies.model.rules import RULE_BOOK_VERSION, Rules
from strategies.rulebook.book import FAMILIES, RULE_BOOK
from strategies.rulebook.entry import RuleEntry

PAGE = Path("docs", "rules.md")
_CARDS = Path("tests", "bot", "brokers")  # the broker's test cards have ids of their own
_NONE = "none of its own"
_VALUE_HEADINGS = ("value", "meaning", "default", "bounds")

_FAMILY_NOTES = {
    "S": """
Daily bars, with today's live value as the provisional last bar. An input that is missing or too
old makes the signal *absent*, never zero: what needs it does not fire, and the plan says which data
was missing.
""",
    "R": """
Closes count once, on the first call of a session; what the very first call finds in the history is
a state, never a flip.
""",
    "L": """
A position belongs to the layer of its days left, not to the one it was bought for.
""",
    "G": """
They cap purchases and never add. Only G6 forces a sale.
""",
}

_INTRODUCTION = """
# Rules

What exactly the bot decides, and where it says so in the code. Rules are referred to by id
everywhere: in code, tests, plans, the database and `alvh audit`. This is version {version} of the
rule book; units, shocks, precedence, and on how many days each gate held stand in
[conventions.md](conventions.md), every key of a configuration in
[configuration.md](configuration.md).

This page is written by `python -m bot.app.config.rules_reference` from the rule book's registry
(`strategies/rulebook/`), the values' own declarations (`strategies/model/rules.py`) and the names
of the tests; a test fails when they differ. Values are those of `rules.*` in a configuration,
bounds are inclusive and enforced. *Without data* says what happens where an input is missing or too
old; the lines below a table are how the code reads what the rule book leaves open. Sources are the
seed articles S0 to S4; *ours* is what was needed to make a rule executable or safe.
"""

_NOT_TRADED = """
Instruments not traded: VIX call spreads, VXX and VIXM and their options, weekly VIX options, the
variance strip.
"""


def rules_page(root: Path) -> str:
    """Return ``docs/rules.md``.

    Args:
        root: The folder of the checkout; its ``tests`` are read.
    """
    tests, values = _tests(root), _values()
    parts = [_INTRODUCTION.format(version=RULE_BOOK_VERSION), "## Contents", _contents()]
    for letter, name, family in FAMILIES:
        parts.append(f"## {_family_heading(letter, name)}")
        parts += [_FAMILY_NOTES[letter]] if letter in _FAMILY_NOTES else []
        if letter in values and letter not in RULE_BOOK:
            parts.append(_table(_VALUE_HEADINGS, values[letter]))
        for entry in family:
            if entry.is_in_force:
                parts += _section(entry, values.get(entry.id, ()), tests[entry.id])
    parts += ["## Not in force", _not_in_force(), _NOT_TRADED]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def rule_values(group: str, entry: Any) -> tuple[str, str, str, str]:  # noqa: ANN401 a field
    """Return a rule value's name, meaning, default and bounds as the page shows them."""
    facts: Mapping[str, Any] = entry.metadata
    default, bounds = entry.default, ", ".join(facts["choices"])
    if isinstance(default, bool):
        default, bounds = str(default).lower(), "true, false"
    elif not isinstance(default, str):
        default, bounds = f"{default:g}", f"{facts['low']:g} .. {facts['high']:g}"
    return f"`{group}.{entry.name}`", str(facts["what"]), default, bounds


def names_rule(rule_id: str, text: str) -> bool:
    """Return whether a test function in the text of a file is named with a rule's id.

    Faults have ids of the same form; tests of theirs are called ``test_fault_c7_...``.
    """
    named = rf"^\s*(?:async )?def test_(?!(?:\w+_)?faults?_)(?:\w+_)?{rule_id.lower()}_"
    return re.search(named, text, flags=re.MULTILINE) is not None


def _tests(root: Path) -> dict[str, list[str]]:
    """Return by rule id the test files that name it."""
    found: dict[str, list[str]] = {rule_id: [] for rule_id in RULE_BOOK}
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = path.relative_to(root)
        if name.is_relative_to(_CARDS):
            continue
        text = path.read_text()
        for rule_id, files in found.items():
            if names_rule(rule_id, text):
                files.append(name.as_posix())
    return found


def _values() -> dict[str, list[tuple[str, ...]]]:
    """Return by rule id the rows of its values."""
    found: dict[str, list[tuple[str, ...]]] = {}
    rules = Rules()
    for section in fields(rules):
        for entry in fields(getattr(rules, section.name)):
            if "rule" in entry.metadata:
                row = rule_values(section.name, entry)
                found.setdefault(entry.metadata["rule"], []).append(row)
    return found


def _contents() -> str:
    headings = [_family_heading(letter, name) for letter, name, _ in FAMILIES]
    return "\n".join(f"* [{each}](#{_slug(each)})" for each in (*headings, "Not in force"))


def _family_heading(letter: str, name: str) -> str:
    return f"{letter}: {name}"


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _section(
    entry: RuleEntry, values: Iterable[tuple[str, ...]], tests: Iterable[str]
) -> Iterator[str]:
    yield f"### {entry.id} {entry.name}"
    yield entry.sentence
    rows = list(values)
    yield _table(
        ("id", entry.id),
        [
            ("formula", entry.formula),
            *([] if rows else [("values", _NONE)]),
            ("without data", entry.absent),
            ("source", ", ".join(entry.source)),
            ("modules", ", ".join(f"`{module}`" for module in entry.modules)),
            ("tests", ", ".join(f"`{name}`" for name in tests)),
        ],
    )
    if rows:
        yield _table(_VALUE_HEADINGS, rows)
    yield "\n".join(f"- {reading}" for reading in entry.readings)


def _not_in_force() -> str:
    rows = [
        (f"{entry.id} {entry.name}", entry.sentence, " ".join(entry.readings))
        for entry in RULE_BOOK.values()
        if not entry.is_in_force
    ]
    return _table(("rule", "what it will do", "until then"), rows)


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Print the page, or write it."""
    page = rules_page(Path())
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page)
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    main()
