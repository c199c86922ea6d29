"""How a plan is compared with a stored one."""

import math


def differences(expected, found, place=""):
    """Return where two JSON documents differ, floats beyond nine digits left aside."""
    if isinstance(expected, float) and isinstance(found, float):
        close = math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-6)
        return [] if close else [f"{place}: {expected} became {found}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = sorted(expected.keys() | found.keys())
        return [
            line
            for key in keys
            for line in differences(expected.get(key), found.get(key), f"{place}.{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = zip(expected, found, strict=True)
        return [
            line for n, pair in enumerate(pairs) for line in differences(*pair, f"{place}[{n}]")
        ]
    return [] if expected == found else [f"{place}: {expected!r} became {found!r}"]
