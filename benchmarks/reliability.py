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

from bot.app.simulation.catalogue import FAMILIES, catalogued_faults, invariants

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
EVIDENCE = ROOT / "docs" / "evidence.json"
_HEAD = ROOT / "docs" / "reliability.head.md"
_IDS = r"(?:[A-E]\d{1,2}(?: to |, and |, | and |-)?)+"
_NAMED = re.compile(rf"\b[Ff]aults? ({_IDS})")
_FUNCTION = re.compile(r"fault_([a-e]\d{1,2}(?:_[a-e]\d{1,2})*)(?:_|$)")
_INVARIANT = re.compile(r"\bI(\d{1,2})\b")
_SHOWN_MOST = 3


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
    found = {each.upper() for ids in _FUNCTION.findall(name) for each in ids.split("_")}
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
    parts = [_HEAD.read_text().strip() + "\n", *_figures(evidence)]
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


def _figures(evidence: Mapping[str, object]) -> list[str]:
    rows = ["## Figures\n", "| figure | value |", "|---|---:|"]
    for key, value in evidence.items():
        if isinstance(value, int | float | str):
            shown = f"{value:,}" if isinstance(value, int | float) else value
            rows.append(f"| {key.replace('_', ' ')} | {shown} |")
    return [*rows, ""]


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
