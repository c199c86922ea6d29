"""Real history on which the bot's decisions are kept, and how the files come about.

``python -m tests.golden.cases`` makes every case again, ``python -m tests.golden.cases 2018-02-05``
one of them. A case is a run of the bot as a user would start it - shipped configuration, replayed
market, fixed seed, a ledger of its own that is thrown away - and then ``alvh snapshot``: so book,
account and memory are those of an account that has lived through the weeks before. About half a
minute a case.

``<name>.snapshot.json.gz`` is what ``alvh decide`` reads, ``<name>.plan.json`` what it decides;
docs/cases.md reads them rule by rule. Plans and the facts on that page follow with the snapshots;
without new snapshots ``ALVH_UPDATE_GOLDEN=1 pytest tests/golden`` renews them.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).with_name("history")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision of the shipped bot on one day of history."""

    first: date  # the run begins here, with an empty book
    at: datetime  # the interval, New York time

    @property
    def name(self) -> str:
        """What its files are called."""
        return self.at.date().isoformat()

    @property
    def snapshot(self) -> Path:
        """What the decision saw."""
        return FOLDER / f"{self.name}.snapshot.json.gz"

    @property
    def plan(self) -> Path:
        """What it decided."""
        return FOLDER / f"{self.name}.plan.json"


def _case(first: str, at: str) -> Case:
    return Case(first=date.fromisoformat(first), at=datetime.fromisoformat(at))


CASES = tuple(
    _case(first, at)
    for first, at in (
        ("2008-09-08", "2008-10-01T10:00"),
        ("2008-09-08", "2008-10-10T10:00"),
        ("2011-07-05", "2011-08-08T15:30"),
        ("2013-10-21", "2013-11-15T09:45"),
        ("2017-05-08", "2017-06-14T10:00"),
        ("2018-01-08", "2018-02-05T15:45"),
        ("2019-03-18", "2019-04-12T09:45"),
        ("2020-02-10", "2020-03-16T10:00"),
        ("2024-07-01", "2024-08-05T12:00"),
    )
)


def make_snapshot(case: Case) -> None:
    """Run the bot up to the case's instant and write what its decision there saw."""
    with tempfile.TemporaryDirectory() as folder:
        where = ("--config", "paper_config.yaml", "--state-dir", folder)
        _alvh(
            "run",
            *where,
            *("--set", f"broker.market.from={case.first}"),
            *("--set", f"broker.market.to={case.name}"),
            *("--until", f"{case.at + timedelta(minutes=1):%Y-%m-%dT%H:%M}"),
        )
        case.snapshot.parent.mkdir(exist_ok=True)
        at = f"{case.at:%Y-%m-%dT%H:%M}"
        _alvh("snapshot", *where, "--at", at, "--out", str(case.snapshot))


def write_plan(case: Case, text: str) -> None:
    """Store the JSON that ``alvh decide`` printed, one value a line."""
    case.plan.write_text(json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n")


def _alvh(*arguments: str) -> str:
    command = [sys.executable, "-m", "bot.app", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"alvh {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def main(names: list[str]) -> None:
    """Make the named cases again, or all of them."""
    if unknown := set(names) - {case.name for case in CASES}:
        known = ", ".join(case.name for case in CASES)
        sys.exit(f"no case {', '.join(sorted(unknown))}; there are {known}")
    for case in CASES:
        if not names or case.name in names:
            make_snapshot(case)
            sys.stderr.write(f"{case.name}  {case.snapshot.stat().st_size:,} bytes packed\n")
    command = [sys.executable, "-m", "pytest", "-q", str(Path(__file__).parent)]
    environment = {**os.environ, "ALVH_UPDATE_GOLDEN": "1"}
    sys.exit(subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main(sys.argv[1:])
