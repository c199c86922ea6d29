"""Writes docs/reliability.md: what was proven, by which tests, with which figures.

``python -m benchmarks.reliability`` prints the page, ``--write`` renews it; a test compares the
two. The faults and invariants are those of ``bot/app/simulation/catalogue.toml``, the tests those
that name them, the figures those of docs/evidence.json, which ``make evidence`` writes.
"""

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.app.simulation.catalogue import FAMILIES, catalogued_faults, invariants
from strategies.model.lifecycle import life_cycle_page

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
EVIDENCE = ROOT / "docs" / "evidence.json"
_IDS = r"(?:[A-E]\d{1,2}(?: to |, and |, | and |-)?)+"
_NAMED = re.compile(rf"\b[Ff]aults? ({_IDS})")
_FUNCTION = re.compile(r"faults?_((?:[a-e]\d{1,2}_(?:and_|to_)?)+)")
_INVARIANT = re.compile(r"\bI(\d{1,2})\b")
_SHOWN_MOST = 3

_INTRODUCTION = """
# Reliability

Kill it, cut it, lie to it at any moment: no order is doubled, no fill is lost, no short is ever
uncovered, and it stops loudly rather than guess. This page says how that is proven, and what was
measured. What an operator sees and does is in [operations.md](operations.md), the checks before
an order in [gate.md](gate.md), the tables in [database.md](database.md).

It is written by `python -m benchmarks.reliability` from the catalogue of faults and invariants
(`bot/app/simulation/catalogue.toml`), from the tests that name them, and from
[evidence.json](evidence.json); a test fails when they differ.

## How it is proven

- **The ledger is the state.** Every change is an event in a chain of hashes, written in the same
  transaction as the tables that follow from it; a tail anchor in a second file tells a ledger
  that lost its end. `alvh audit verify` replays the chain into an empty database and compares
  every table.
- **Intent before wire.** An order is `SENDING` on disk before its first byte leaves. What became
  of it is known by proof only; until then it is `UNKNOWN` at worst-case risk.
- **One broker path.** Simulation, paper and live differ only in what stands behind the ports.
- **Deterministic simulation.** `alvh simulate --seeds N` lives months of the whole bot
  (scheduler, engine, gate, ledger, simulated exchange) under one virtual clock and one seed.
  Faults begin and heal in random order, the process dies at named crash points and starts again,
  operators halt, resume and trade by hand, and the invariants below are checked against the
  exchange's own records. A failure prints its seed, replays to the same ledger hash and shrinks
  its list of faults.
- **Exhaustive sweeps.** Twelve canonical scenarios die at every numbered crash point, and again
  during recovery (`tests/simulation/test_canonical_sweep.py`).
- **Real deaths.** `tests/simulation/sigkill.py` kills real processes on a real file system; a
  SQLite VFS fails every single write and fsync in turn, and loses what was not synced.
- **The tests are tested.** Sixteen bugs that other trading systems really had are put back one at
  a time and must be caught; random mutants of gate, ledger and reconciler must die.

| command | what it does |
|---|---|
| `make test` | the sweeps, twenty months of simulation, every test named below |
| `make soak` | the long campaign: years of simulation, real kills, the slow tests |
| `make evidence` | all figures of this page, into docs/evidence.json |
| `alvh simulate --seed S --plan FILE` | replays one failure |
"""

_SHORTFALLS = """
## Where the bot falls short of the catalogue

- A24: a second order under one reference leaves the order in doubt; the copy is not cancelled. The
  bot never modifies an order in place, which is what made such copies elsewhere.
- A29: a repair is proposed, or sent where the configuration says so; it has no time of its own.
- B6: a missed login locks opens and calls for a person; there is no halt of that name, and no
  protection at the broker.
- B10: 45 messages a second by default, not 40; the library's queue does not put cancels first.
- B14: while market data is away an interval is skipped, so that a stop waits; no wider collar.
- D10: the gate's bound of ten percent through the market holds; the overnight price limit does not
  arise, since nothing is sent outside 09:30 to 16:15.
- D11, D13: IB's hours are compared with the calendar once a start, and a difference refuses it.
- D20: other terms than the bot reckons with are refused where they are met; an empty multiplier
  passes.
- E11: secrets are kept out of every text by their type; no filter looks for them in the log.
- E12, E13, E17: there is no web dashboard yet. What is tested is the one port there is.
- I6: net vega is bounded by counts of contracts, not by itself; from seven orders at work the
  simulation checks them all at once, the gate up to ten by every subset. I15: prices are held
  against the market and the plan, not against a model.
"""


def tests() -> Iterator[tuple[str, str, str]]:
    """Return path, name and text of every test function of the project."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
                node.name.startswith("test_")
            )
            if is_test:
                begins = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                lines = text.splitlines()[begins - 1 : node.end_lineno]
                yield path.relative_to(ROOT).as_posix(), node.name, "\n".join(lines)


def faults_named(name: str, text: str) -> set[str]:
    """Return the fault ids that a test names, in its name or its text."""
    found = set()
    for ids in _FUNCTION.findall(f"{name}_"):
        found |= {each.upper() for each in re.findall(r"[a-e]\d{1,2}", ids)}
    for ids in _NAMED.findall(text):
        found |= _spelled_out(ids)
    return found


def _spelled_out(ids: str) -> set[str]:
    """Return the ids of ``A1, A2 and B4 to B6``."""
    found = set(re.findall(r"[A-E]\d{1,2}", ids))
    for first, last in re.findall(r"([A-E]\d{1,2})(?: to |-)([A-E]\d{1,2})", ids):
        found |= {f"{first[0]}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)}
    return found


def tests_of_faults() -> Mapping[str, list[str]]:
    """Return the tests that name each fault, as links into the project."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, name, text in tests():
        for fault_id in faults_named(name, text):
            found[fault_id].append(f"[{name}](../{path})")
    return found


def tests_of_invariants() -> Mapping[str, list[str]]:
    """Return the tests that name each invariant."""
    found: dict[str, list[str]] = defaultdict(list)
    for path, name, text in tests():
        for number in set(_INVARIANT.findall(text)) | set(re.findall(r"_i(\d{1,2})_", name)):
            found[f"I{number}"].append(f"[{name}](../{path})")
    return found


def page() -> str:
    """Return the whole page."""
    evidence = json.loads(EVIDENCE.read_text()) if EVIDENCE.exists() else {}
    parts = [_INTRODUCTION.strip() + "\n", *_figures(evidence)]
    parts += ["## The life of an order\n", life_cycle_page().strip() + "\n"]
    parts += ["## Invariants\n", "| id | what holds | tests that name it |", "|---|---|---|"]
    named = tests_of_invariants()
    for each in invariants():
        shown = _shown(named.get(each.invariant_id, []))
        parts.append(f"| {each.invariant_id} {each.name} | {each.holds} | {shown} |")
    parts += ["", "## Faults, and the tests that inject them\n"]
    per_fault = evidence.get("per_fault", {})
    injected_by = tests_of_faults()
    for family, title in FAMILIES.items():
        parts += [
            f"### {family}. {title}\n",
            "| id | fault | what the bot does | injected | tests |",
        ]
        parts.append("|---|---|---|---:|---|")
        for fault in catalogued_faults():
            if fault.fault_id[0] == family:
                shown = _shown(injected_by.get(fault.fault_id, []))
                count = per_fault.get(fault.fault_id, 0)
                parts.append(
                    f"| {fault.fault_id} | {fault.what} | {fault.required} | {count:,} | {shown} |"
                )
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _figures(evidence: Mapping[str, Any]) -> list[str]:
    rows = ["## Figures\n", "| figure | value |", "|---|---:|"]
    rows += [
        f"| {key.replace('_', ' ')} | {value:,} |"
        for key, value in evidence.items()
        if isinstance(value, int | float)
    ]
    commits = [
        f"{commit} ({campaign['bot_years']:,} bot-years)"
        for commit, campaign in evidence.get("campaigns", {}).items()
    ]
    rows.append(f"\nSimulated at {', '.join(commits) or 'no commit yet'}. Faults are")
    rows.append(f"{evidence.get('faults_are', 'not counted yet')}.\n")
    rows += ["## The museum\n", "| bug | what goes wrong | caught by |", "|---|---|---|"]
    rows += [
        f"| {each['number']}. {each['bug']} | {each['what']} | {each['caught_by']} |"
        for each in evidence.get("museum", ())
    ]
    return [*rows, "", _SHORTFALLS.strip() + "\n"]


def _shown(links: list[str]) -> str:
    more = len(links) - _SHOWN_MOST
    return "<br>".join(links[:_SHOWN_MOST]) + (f"<br>and {more} more" if more > 0 else "")


def main() -> None:
    """Print the page, or renew it."""
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        print(page(), end="")


if __name__ == "__main__":
    main()
