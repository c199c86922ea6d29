"""Mutation of gate, ledger and reconciler: random small changes, and whether a test notices.

``python -m benchmarks.mutants --count 200 --seed 7`` copies the project aside, changes one thing at
a time there, runs the tests of what was changed until one fails, and prints a JSON document:
mutants, killed, and each survivor with file, line and change. What no test can notice (words of
messages, docstrings, type hints) is not changed.
"""

import argparse
import ast
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import numpy as np

ROOT = Path(__file__).parents[1]
_TIME_LIMIT_S = 240
# What is changed, and the tests that have to notice
TARGETS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "gate": (
        ("strategies/risk/gate.py", "strategies/risk/checks/*.py", "strategies/risk/cover.py"),
        ("tests/strategies/risk",),
    ),
    "ledger": (
        (
            "state/ledger.py",
            "state/chain.py",
            "state/anchors.py",
            "state/projector.py",
            "state/projections.py",
            "state/books.py",
            "state/verification.py",
        ),
        ("tests/state",),
    ),
    "reconciler": (
        (
            "bot/engine/synchronise.py",
            "bot/engine/reconcile.py",
            "bot/engine/breaks.py",
            "bot/engine/repairs.py",
            "bot/engine/doubts.py",
        ),
        ("tests/bot/engine",),
    ),
}
_COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of one file."""

    target: str
    path: str
    line: int
    change: str
    text: str  # the whole file, changed


def mutants_of(target: str, path: Path) -> Iterator[Mutant]:
    """Return every mutant of a file."""
    source = path.read_text()
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for which in range(_ways(node)):
            changed = copy.deepcopy(tree)
            other = next(each for n, each in enumerate(ast.walk(changed)) if n == number)
            before = ast.unparse(node)
            _change(other, which)
            after = ast.unparse(other)
            if before == after:
                continue
            yield Mutant(
                target=target,
                path=path.relative_to(ROOT).as_posix(),
                line=getattr(node, "lineno", 0),
                change=f"{before[:60]}  ->  {after[:60]}",
                text=ast.unparse(changed),
            )


def _ways(node: ast.AST) -> int:
    """Return in how many ways a node can be changed."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            return 1
        case ast.BoolOp() | ast.IfExp():
            return 1
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return 1
        case ast.BinOp(op=op, left=left) if type(op) in _CALCULATED:
            return 0 if isinstance(left, ast.JoinedStr) else 1
        case ast.Constant(value=bool()):
            return 1
        case ast.Constant(value=int()):
            return 1
        case ast.If() | ast.While():
            return 1
        case ast.Return(value=value) if value is not None and not _is_none(value):
            return 1
        case ast.Expr(value=ast.Call() | ast.Await()):
            return 1
        case _:
            return 0


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _change(node: ast.AST, which: int) -> None:
    """Change a node in place."""
    del which
    match node:
        case ast.Compare(ops=[op]):
            node.ops = [_COMPARED[type(op)]()]
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.IfExp(body=body, orelse=orelse):
            node.body, node.orelse = orelse, body
        case ast.UnaryOp():
            node.op = ast.UAdd() if isinstance(node.op, ast.USub) else node.op
            if isinstance(node.op, ast.Not):
                node.operand = ast.UnaryOp(op=ast.Not(), operand=node.operand)
        case ast.BinOp(op=op):
            node.op = _CALCULATED[type(op)]()
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() as value):
            node.value = value + 1
        case ast.If(test=test) | ast.While(test=test):
            node.test = ast.UnaryOp(op=ast.Not(), operand=test)
        case ast.Return():
            node.value = ast.Constant(value=None)
        case ast.Expr():
            node.value = ast.Constant(value=None)


def chosen(count: int, seed: int, targets: Sequence[str]) -> list[Mutant]:
    """Return mutants drawn evenly over the targets."""
    rng = np.random.default_rng(seed)
    drawn: list[Mutant] = []
    for number, target in enumerate(targets):
        patterns, _ = TARGETS[target]
        paths = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
        every = [mutant for path in paths for mutant in mutants_of(target, path)]
        share = count // len(targets) + (number < count % len(targets))
        picked = rng.choice(len(every), size=min(share, len(every)), replace=False)
        drawn += [every[index] for index in sorted(picked)]
    return drawn


def is_killed(mutant: Mutant, copy_of_project: Path) -> bool:
    """Say whether the tests of a mutant's target fail with it."""
    path = copy_of_project / mutant.path
    original = path.read_text()
    path.write_text(mutant.text)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["-m", "not slow", *TARGETS[mutant.target][1]]
    environment = os.environ | {"PYTHONPATH": str(copy_of_project), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=copy_of_project,
            env=environment,
            capture_output=True,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True  # it hangs, and a test run that does not end is noticed
    finally:
        path.write_text(original)
    return done.returncode != 0


def main() -> int:
    """Draw mutants, run their tests, print what came of it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--targets", nargs="*", default=list(TARGETS))
    asked = arguments.parse_args()
    began = time.perf_counter()
    drawn = chosen(asked.count, asked.seed, asked.targets)
    survivors: list[Mutant] = []
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for job in range(asked.jobs):
            ignored = shutil.ignore_patterns(".git", ".venv", ".clients", "var", "__pycache__")
            copies.put(shutil.copytree(ROOT, Path(folder) / str(job), ignore=ignored))

        def judge(mutant: Mutant) -> None:
            mine = copies.get()
            killed = is_killed(mutant, mine)
            copies.put(mine)
            if not killed:
                survivors.append(mutant)
                print(f"survived: {mutant.path}:{mutant.line} {mutant.change}", file=sys.stderr)

        with ThreadPoolExecutor(asked.jobs) as pool:
            list(pool.map(judge, drawn))
    killed = len(drawn) - len(survivors)
    report = {
        "mutants": len(drawn),
        "killed": killed,
        "share": round(killed / len(drawn), 3),
        "seed": asked.seed,
        "seconds": round(time.perf_counter() - began),
        "survivors": [
            {"file": each.path, "line": each.line, "change": each.change}
            for each in sorted(survivors, key=lambda each: (each.path, each.line))
        ],
    }
    print(json.dumps(report, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
