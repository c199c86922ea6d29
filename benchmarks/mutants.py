"""Mutation of gate, ledger and reconciler: random small changes, and whether a test notices.

``python -m benchmarks.mutants --count 200 --seed 7`` copies the project aside, changes one thing at
a time there, runs the tests of what was changed until one fails, and prints a JSON document:
mutants, killed, and each survivor with file, line and change. Each mutant has a process of its own,
forked from one that has the libraries loaded already.

What no test of these modules can notice is not changed:

- docstrings, words of messages, type hints and what stands under ``if TYPE_CHECKING``;
- decorators (whether a record is frozen, how much a cache holds) and ``zip(strict=...)``;
- assertions, which only say what holds anyway;
- what goes to the log;
- the marks where a simulated process dies, which do nothing elsewhere.
"""

import argparse
import ast
import json
import multiprocessing
import os
import shutil
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
_TIME_LIMIT_S = 90  # beyond what the tests take unchanged
_OUTPUT = "mutant.log"  # of the tests, in their copy of the project
_LIBRARIES = [
    "hypothesis.strategies",
    "hypothesis.stateful",
    "pandas",
    "pyarrow",
    "pydantic",
    "pytest",
    "rich.console",
    "scipy.stats",
    "sqlmodel",
    "structlog",
    "talib",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is changed, and the tests that have to notice, quick and general ones first."""

    sources: Sequence[str]  # patterns
    tests: Sequence[str]


TARGETS: Mapping[str, Target] = {
    "gate": Target(
        sources=(
            "strategies/risk/gate.py",
            "strategies/risk/checks/*.py",
            "strategies/risk/cover.py",
        ),
        tests=("tests/strategies/risk",),
    ),
    "reconciler": Target(
        sources=(
            "bot/engine/synchronise.py",
            "bot/engine/reconcile.py",
            "bot/engine/breaks.py",
            "bot/engine/structures.py",
            "bot/engine/break_records.py",
            "bot/engine/repairs.py",
            "bot/engine/doubts.py",
        ),
        tests=(
            "tests/bot/engine/test_breaks.py",
            "tests/bot/engine/test_structures.py",
            "tests/bot/engine/test_synchronise.py",
            "tests/bot/engine/test_reconcile.py",
            "tests/bot/engine/test_doubts.py",
            "tests/bot/engine/test_repairs.py",
            "tests/bot/engine/test_requests.py",
            "tests/bot/engine/test_reconcile_model.py",
        ),
    ),
    "ledger": Target(
        sources=(
            "state/ledger.py",
            "state/chain.py",
            "state/anchors.py",
            "state/projector.py",
            "state/projections.py",
            "state/books.py",
            "state/external.py",
            "state/activity.py",
            "state/rebuilding.py",
        ),
        tests=(
            "tests/state/test_ledger.py",
            "tests/state/test_projections.py",
            "tests/state/test_activity.py",
            "tests/state/test_anchors.py",
            "tests/state/test_chain.py",
            "tests/state/test_projector.py",
            "tests/state/test_rolls.py",
            "tests/state/test_external_fills.py",
            "tests/state/test_governance.py",
            "tests/state/test_incidents.py",
            "tests/state/test_verification.py",
            "tests/state/test_ledger_model.py",
            "tests/state/test_storage.py",
        ),
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


def sites(tree: ast.Module) -> list[ast.AST]:
    """Return the nodes of a tree that can be changed, always in the same order."""
    found: list[ast.AST] = []
    rest: list[ast.AST] = [tree]
    while rest:
        node = rest.pop()
        if _is_changeable(node):
            found.append(node)
        rest += [child for child in _parts(node) if not _is_left_alone(child)]
    return found


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    """Return the children of a node that do something."""
    for name, value in ast.iter_fields(node):
        if name in {"decorator_list", "annotation", "returns"}:
            continue
        if isinstance(value, list):
            yield from (each for each in value if isinstance(each, ast.AST))
        elif isinstance(value, ast.AST):
            yield value


def _is_left_alone(node: ast.AST) -> bool:
    """Say whether nothing in a node can be noticed, see above."""
    match node:
        case ast.Assert() | ast.keyword(arg="strict"):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log")))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="crash_point"))):
            return True
        case _:
            return False


def mutant_of(target: str, path: Path, number: int) -> Mutant:
    """Return a file with the node of that number changed."""
    tree = ast.parse(path.read_text())
    node = sites(tree)[number]
    line = getattr(node, "lineno", 0)
    before = ast.unparse(node)
    _change(node)
    return Mutant(
        target=target,
        path=path.relative_to(ROOT).as_posix(),
        line=line,
        change=f"{before[:60]}  ->  {ast.unparse(node)[:60]}",
        text=ast.unparse(tree),
    )


def _is_changeable(node: ast.AST) -> bool:
    """Say whether there is a change for a node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            return True
        case ast.BoolOp() | ast.IfExp():
            return True
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return True
        case ast.BinOp(op=op, left=left) if type(op) in _CALCULATED:
            return not isinstance(left, ast.JoinedStr)
        case ast.Constant(value=int()):  # a bool is one
            return True
        case ast.If() | ast.While():
            return True
        case ast.Return(value=value) if value is not None and not _is_none(value):
            return True
        case ast.Expr(value=ast.Call() | ast.Await()):
            return True
        case _:
            return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _change(node: ast.AST) -> None:
    """Change a node in place."""
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
        case _:
            raise AssertionError(node)


def chosen(count: int, seed: int, targets: Sequence[str]) -> list[Mutant]:
    """Return mutants drawn evenly over the targets; what is drawn of one knows no other."""
    drawn: list[Mutant] = []
    for number, target in enumerate(targets):
        patterns = TARGETS[target].sources
        paths = sorted({path for pattern in patterns for path in ROOT.glob(pattern)})
        every = [
            (path, site)
            for path in paths
            for site in range(len(sites(ast.parse(path.read_text()))))
        ]
        share = count // len(targets) + (number < count % len(targets))
        rng = np.random.default_rng([seed, *target.encode()])
        picked = rng.choice(len(every), size=min(share, len(every)), replace=False)
        drawn += [mutant_of(target, *every[index]) for index in sorted(picked)]
    return drawn


# --- running --------------------------------------------------------------------------------------


def tests_for(target: str, path: str, copy: Path) -> list[str]:
    """Return a copy's tests of a target, those first that are named after the changed module."""
    stem = Path(path).stem
    found: list[str] = []
    for each in TARGETS[target].tests:
        place = copy / each
        found += (
            sorted(one.relative_to(copy).as_posix() for one in place.rglob("test_*.py"))
            if place.is_dir()
            else [each] * place.exists()
        )
    return sorted(found, key=lambda each: stem not in Path(each).stem)


def is_failing(tests: Sequence[str], copy: Path, limit_s: float, *, keep_bytecode: bool) -> bool:
    """Say whether tests fail in a copy of the project; what does not end fails."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_test, args=(list(tests), str(copy), keep_bytecode))
    process.start()
    process.join(limit_s)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode != 0


def _test(tests: list[str], copy: str, keep_bytecode: bool) -> None:
    """Run tests in this process, which ends with pytest's verdict."""
    os.chdir(copy)
    output = os.open(_OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ["PYTHONPATH"] = copy
    sys.path[:] = [copy, *(each for each in sys.path if each and not (Path(each) / "bot").is_dir())]
    sys.dont_write_bytecode = not keep_bytecode
    if not keep_bytecode:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    import hypothesis
    import pytest

    quick = [each for each in hypothesis.Phase if each.name in {"explicit", "generate", "target"}]
    hypothesis.settings.register_profile(
        "mutants", max_examples=50, deadline=None, derandomize=True, database=None, phases=quick
    )
    options = ["-x", "-q", "--tb=line", "-m", "not slow", "--hypothesis-profile=mutants"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # libraries are loaded already
    options += ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
    os._exit(int(pytest.main([*options, *tests])))


def is_killed(mutant: Mutant, copy: Path, limit_s: float) -> bool:
    """Say whether the tests of a mutant's target fail with it."""
    path = copy / mutant.path
    original, before = path.read_text(), path.stat()
    path.write_text(mutant.text)
    tests = tests_for(mutant.target, mutant.path, copy)
    try:
        return is_failing(tests, copy, limit_s, keep_bytecode=False)
    finally:
        path.write_text(original)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # it stays compiled


def prepare(copy: Path, targets: Sequence[str]) -> float:
    """Run the tests unchanged, so that what they load is compiled; return the time limit of one."""
    began = time.perf_counter()
    for target in targets:
        if is_failing(tests_for(target, "", copy), copy, 10 * _TIME_LIMIT_S, keep_bytecode=True):
            said = (copy / _OUTPUT).read_text()[-2000:]
            sys.exit(f"the tests of {target} fail without any change:\n{said}")
    return time.perf_counter() - began + _TIME_LIMIT_S


def main() -> int:
    """Draw mutants, run their tests, print what came of it."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=200)
    arguments.add_argument("--seed", type=int, default=7)
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--targets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    asked = arguments.parse_args()
    began = time.perf_counter()
    drawn = chosen(asked.count, asked.seed, asked.targets)
    survivors: list[Mutant] = []
    multiprocessing.get_context("forkserver").set_forkserver_preload(_LIBRARIES)
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[tuple[Path, float]] = Queue()
        for job in range(asked.jobs):
            ignored = shutil.ignore_patterns(".git", ".venv", ".clients", "var", "__pycache__")
            copied = Path(shutil.copytree(ROOT, Path(folder) / str(job), ignore=ignored))
            copies.put((copied, prepare(copied, asked.targets)))

        def judge(mutant: Mutant) -> None:
            copied, limit_s = copies.get()
            killed = is_killed(mutant, copied, limit_s)
            copies.put((copied, limit_s))
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
