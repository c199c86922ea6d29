"""Print what the environment of ib_async needs: the project's own packages, but for ib_insync.

ib_insync's eventkit and ib_async's aeventkit own the same folder, so an environment has one of
them. Output is input of `uv pip compile`; see `make lock`.
"""

import re
import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
_TESTS = ("hypothesis", "pytest", "pytest-asyncio", "pytest-xdist")


def _name(requirement: str) -> str:
    return re.split(r"[<>=\s]", requirement, maxsplit=1)[0]


needed = [
    each
    for each in _PROJECT["project"]["dependencies"]
    if _name(each) not in ("ib_insync", "eventkit")
]
groups = _PROJECT["dependency-groups"]
needed += [each for each in groups["dev"] if isinstance(each, str) and _name(each) in _TESTS]
print("\n".join([*needed, *groups["build"], "ib_async>=2.1,<2.2"]))
