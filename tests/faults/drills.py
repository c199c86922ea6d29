"""Every drill, and a program that runs each of them many times.

``python -m tests.faults.drills --rounds 50`` prints, as JSON, how often each fault was injected and
what did not go as the catalogue requires; it fails if anything did not.
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

import structlog

from tests.faults import (
    drills_harm,
    drills_link,
    drills_market,
    drills_orders,
    drills_people,
    drills_storage,
)
from tests.faults.drilling import DRILLS

REGISTERED = (
    drills_orders,
    drills_link,
    drills_storage,
    drills_market,
    drills_people,
    drills_harm,
)
_QUIET = 50  # of a log: what is critical, and nothing else
_TOLD = 2_000  # characters of a failure


def drilled_faults() -> list[str]:
    """Return the ids of the faults that have a drill, A2 before A10."""
    return sorted(DRILLS, key=lambda fault_id: (fault_id[0], int(fault_id[1:])))


def run(rounds: int, first_seed: int = 0) -> dict[str, object]:
    """Run every drill with so many seeds; return counts and what was violated."""
    counts = dict.fromkeys(drilled_faults(), 0)
    violations = []
    for seed in range(first_seed, first_seed + rounds):
        for fault_id in counts:
            folder = Path(tempfile.mkdtemp(dir=_memory()))
            try:
                DRILLS[fault_id](seed, folder)
            except BaseException as failure:
                if isinstance(failure, KeyboardInterrupt):
                    raise
                told = "".join(traceback.format_exception(failure))[-_TOLD:]
                violations.append({"fault": fault_id, "seed": seed, "detail": told})
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            counts[fault_id] += 1
    return {"drills": counts, "violations": violations}


def _memory() -> str | None:
    """Return a folder in memory where there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.drills")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_QUIET))
    document = run(chosen.rounds, chosen.first_seed)
    json.dump(document, sys.stdout, indent=1)
    sys.stdout.write("\n")
    sys.exit(bool(document["violations"]))


if __name__ == "__main__":
    main()
