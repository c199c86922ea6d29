"""The page for whoever is called: each kind of trouble has its heading."""

import re
from pathlib import Path

import pytest

from bot.app.render.breaks import what_to_do
from strategies.model.breaks import Break, BreakKind
from strategies.model.limits import HaltScope
from strategies.model.locks import LockKind
from tests.builders import AT

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


@pytest.mark.parametrize(
    ("section", "kinds"), [("Breaks", BreakKind), ("Locks", LockKind), ("Halts", HaltScope)]
)
def test_each_kind_of_trouble_has_its_heading_in_order(section, kinds):
    text = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (part,) = (each for each in text if each.startswith(f"{section}\n"))
    assert re.findall(r"^### (.+)$", part, flags=re.MULTILINE) == [kind.value for kind in kinds]


def test_the_page_says_which_breaks_halt():
    halting = re.findall(r"^### (.+)\n\n\*\*Halts\.\*\*", PAGE, flags=re.MULTILINE)
    assert set(halting) == {kind.value for kind in BreakKind if _break(kind).halts}


def _break(kind):
    return Break(
        kind=kind,
        key="",
        detail="",
        ledger_value="",
        broker_value="",
        locks=(),
        found_at=AT,
    )


@pytest.mark.parametrize("kind", BreakKind)
def test_each_break_has_a_line_that_says_what_ends_it(kind):
    assert what_to_do(kind.value)
