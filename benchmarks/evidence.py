"""Runs every proof of reliability and writes what came of it into docs/evidence.json.

``python -m benchmarks.evidence`` is the long campaign, some two hours on two cores; the options
make it shorter, and ``--only`` renews one part and leaves the others as they are. Each part is a
program of its own that prints JSON; this one joins them, so that a figure is always of the run
that made it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "docs" / "evidence.json"

_MONTHS_AT_A_TIME = 48
_OTHERS = {"sigkills", "museum_caught"}  # of other parts
_DETAILS = {"violations", "per_fault", "per_invariant", "per_crash_point", "crash_points_passed"}

Part = Callable[[argparse.Namespace], dict[str, Any]]


def simulation(asked: argparse.Namespace) -> dict[str, Any]:
    """Live bot-months full of faults and deaths, some at a time: a campaign may be stopped."""
    before = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    campaigns: dict[str, Any] = before.get("campaigns", {})
    first, last = asked.first, asked.first + asked.months
    while first < last:
        months = min(_MONTHS_AT_A_TIME, last - first)
        found = _months(first, months, asked.jobs)
        commit = found.pop("commit")
        campaigns[commit] = _added(campaigns.get(commit, {}), found | {"months": months})
        first += months
        document = joined(before | {"campaigns": campaigns})
        asked.out.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    return {"campaigns": campaigns}


def _months(first: int, count: int, jobs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "simulation.json"
        command = ["-m", "bot.app", "simulate", "--seeds", str(count), "--first", str(first)]
        _run([*command, "--jobs", str(jobs), "--evidence", str(path), "--no-shrink"], may_fail=True)
        found: dict[str, Any] = json.loads(path.read_text())
    found.pop("ledgers")  # a hash a seed: thousands of lines that `--seed` tells again
    found.pop("faults_are", None)
    return {name: value for name, value in found.items() if name not in _OTHERS}


def _added(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return two documents as one: numbers and tables added up, lists joined."""
    both: dict[str, Any] = dict(one)
    for name, value in other.items():
        if name.startswith("rss_mb"):  # what a process held at first, and at last
            both[name] = value if name.endswith("last") else one.get(name, value)
        elif isinstance(value, dict):
            both[name] = _added(one.get(name, {}), value)
        elif isinstance(value, list):
            both[name] = [*one.get(name, []), *value]
        else:
            both[name] = round(one.get(name, 0) + value, 2)
    return both


def kills(asked: argparse.Namespace) -> dict[str, Any]:
    """Kill real processes on a real file system."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kills.json"  # what it prints has the words of the bots in it
        command = ["-m", "tests.simulation.sigkill", "--kills", str(asked.kills)]
        _run([*command, "--out", str(path)], may_fail=True)
        found: dict[str, Any] = json.loads(path.read_text())
    return {
        "sigkills": found["kills"],
        "sigkill_lives": found["lives"],
        "sigkill_failures": found["failures"],
        "sigkill_seconds": found["seconds"],
        "sigkill_file_system": found["file_system"],
    }


def drills(asked: argparse.Namespace) -> dict[str, Any]:
    """Inject the faults that no simulated month can have."""
    found = _answer(["-m", "tests.faults.drills", "--rounds", str(asked.rounds)])
    return {"drilled_per_fault": found["drills"], "drill_violations": found["violations"]}


def museum(_asked: argparse.Namespace) -> dict[str, Any]:
    """Put sixteen known bugs back, one at a time."""
    return _answer(["-m", "tests.simulation.museum"])


def mutants(asked: argparse.Namespace) -> dict[str, Any]:
    """Change gate, ledger and reconciler at random."""
    command = ["-m", "benchmarks.mutants", "--count", str(asked.mutants)]
    found = _answer([*command, "--jobs", str(asked.jobs)])
    return {
        "mutants": found["mutants"],
        "mutants_killed": found["killed"],
        "mutants_killed_share": found["share"],
        "mutants_survived": found["survivors"],
    }


def costs(_asked: argparse.Namespace) -> dict[str, Any]:
    """Measure a fill's transaction and a recovery."""
    return {
        "durable_fill": _answer(["-m", "benchmarks.durable_fill"]),
        "recovery": _answer(["-m", "benchmarks.recovery"]),
    }


PARTS: Mapping[str, Part] = {
    "simulation": simulation,
    "kills": kills,
    "drills": drills,
    "museum": museum,
    "mutants": mutants,
    "costs": costs,
}


def joined(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with what follows from all parts together."""
    simulated: dict[str, Any] = {}
    for campaign in parts.get("campaigns", {}).values():
        simulated = _added(simulated, campaign)
    per_fault: dict[str, int] = dict(simulated.get("per_fault", {}))
    for fault_id, count in parts.get("drilled_per_fault", {}).items():
        per_fault[fault_id] = per_fault.get(fault_id, 0) + count
    found = [
        *simulated.get("violations", ()),
        *parts.get("sigkill_failures", ()),
        *parts.get("drill_violations", ()),
    ]
    return {
        **parts,
        **{name: value for name, value in simulated.items() if name not in _DETAILS},
        "faults_are": "calls and crash points at which an injected fault took effect",
        "per_invariant": simulated.get("per_invariant", {}),
        "per_crash_point": simulated.get("per_crash_point", {}),
        "per_fault": {each: per_fault[each] for each in sorted(per_fault, key=_natural)},
        "fault_classes": len(per_fault),
        "fewest_injections_of_a_class": min(per_fault.values(), default=0),
        "violations": len(found),
    }


def _natural(fault_id: str) -> tuple[str, int]:
    return fault_id[0], int(fault_id[1:])


def _answer(command: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_run(command, may_fail=True))
    return answer


def _run(command: list[str], *, may_fail: bool) -> str:
    """Run a program of the project and return what it printed; its notes go to our stderr."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=not may_fail,
    )
    return done.stdout


def main() -> int:
    """Run the parts that are asked for, and join them with the others' last figures."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    arguments.add_argument("--months", type=int, default=2400)
    arguments.add_argument("--first", type=int, default=1000, help="the first seed")
    arguments.add_argument("--kills", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=50)
    arguments.add_argument("--mutants", type=int, default=200)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--out", type=Path, default=EVIDENCE)
    asked = arguments.parse_args()
    parts: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    for name in asked.only:
        began = time.perf_counter()
        print(f"{name} ...", file=sys.stderr)
        parts |= PARTS[name](asked)
        parts[f"{name}_wall_seconds"] = round(time.perf_counter() - began)
        document = joined(parts)  # after each part: a campaign may be stopped
        asked.out.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    print(json.dumps(joined(parts), indent=1, sort_keys=True))
    return 1 if joined(parts)["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
