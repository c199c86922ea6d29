"""Visit the museum and say what was caught, as JSON: ``python -m tests.simulation.museum``."""

import json
import sys
from typing import Any

from bot.app.simulation.campaign import be_quiet
from tests.simulation.museum.bugs import BUGS
from tests.simulation.museum.hall import Bug, live


def judged(bug: Bug) -> dict[str, Any]:
    """Return what finds a bug; nothing does if something is found without it as well."""
    without, with_it = live(bug.episode), live(bug.episode, bug.patch)
    is_caught = not without.violations and bug.caught_by in with_it.found
    return {
        "number": bug.number,
        "bug": bug.name,
        "what": bug.what,
        "source": bug.source,
        "caught_by": bug.caught_by if is_caught else "",
        "evidence": with_it.evidence(bug.caught_by) if is_caught else "",
        "found": sorted(with_it.found),
    }


def main() -> None:
    """Print the document."""
    be_quiet()
    found = [judged(bug) for bug in BUGS]
    caught = sum(bool(each["caught_by"]) for each in found)
    json.dump({"museum_caught": caught, "museum": found}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
