"""What many episodes came to, as a document a machine can read."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.app.simulation.episode import EpisodeResult

SESSIONS_A_YEAR: Final = 252
FAULTS_ARE: Final = (
    "faults: calls of the broker or of market data, and crash points, at which an injected fault "
    "took effect; fault_activations: injected faults that took effect at least once, as per_fault "
    "counts them by class; one that found no occasion is in neither"
)


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Sums over episodes."""

    commit: str
    sessions: int = 0
    lives: int = 0
    halts: int = 0
    decisions: int = 0
    orders: int = 0
    fills: int = 0
    effects: int = 0
    cpu_seconds: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    hashes: dict[int, str] = field(default_factory=dict)  # of the ledger, by seed
    violations: list[dict[str, Any]] = field(default_factory=list)
    rss_mb: dict[int, list[float]] = field(default_factory=dict)  # by process: first, last

    def add(self, result: EpisodeResult) -> None:
        """Count an episode."""
        self.sessions += result.sessions
        self.lives += result.lives
        self.halts += result.halts
        self.decisions += result.decisions
        self.orders += result.orders
        self.fills += result.fills
        self.effects += result.effects
        self.cpu_seconds += result.seconds
        self.faults += result.faults
        self.checks += result.checks
        self.deaths += Counter({str(point): n for point, n in result.deaths.items()})
        self.points += Counter({str(point): n for point, n in result.points.items()})
        self.hashes[result.seed] = result.ledger_hash
        rss = self.rss_mb.setdefault(result.process, [])
        rss[1:] = [result.rss_mb]
        self.violations += [
            {
                "seed": result.seed,
                "invariant": each.invariant,
                "at": each.at.isoformat(),
                "detail": each.detail,
            }
            for each in result.violations
        ]

    def fail(self, seed: int, cause: str) -> None:
        """Count an episode that ended in an error nobody foresaw."""
        self.violations.append({"seed": seed, "invariant": "I19", "at": "", "detail": cause})

    @property
    def bot_years(self) -> float:
        """Sessions lived, in years."""
        return self.sessions / SESSIONS_A_YEAR

    @property
    def crashes(self) -> int:
        """How often a process died."""
        return self.deaths.total()

    def document(self, wall_seconds: float) -> dict[str, Any]:
        """Return everything, as plain JSON types."""
        return {
            "commit": self.commit,
            "bot_years": round(self.bot_years, 2),
            "sessions": self.sessions,
            "crashes": self.crashes,
            "faults": self.effects,
            "fault_activations": self.faults.total(),
            "faults_are": FAULTS_ARE,
            "lives": self.lives,
            "halts": self.halts,
            "decisions": self.decisions,
            "orders": self.orders,
            "fills": self.fills,
            "violations": self.violations,
            "per_fault": _sorted(self.faults),
            "per_invariant": _sorted(self.checks),
            "per_crash_point": _sorted(self.deaths),
            "crash_points_passed": _sorted(self.points),
            "rss_mb_first": max((first for first, *_ in self.rss_mb.values()), default=0.0),
            "rss_mb_last": max((rss[-1] for rss in self.rss_mb.values()), default=0.0),
            "wall_seconds": round(wall_seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
            "ledgers": {str(seed): self.hashes[seed] for seed in sorted(self.hashes)},
        }


def write_evidence(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document; what other proofs have put into the file stays there."""
    others = json.loads(path.read_text()) if path.exists() else {}
    whole = {"sigkills": 0, "museum_caught": 0} | others | dict(document)
    path.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts, key=_natural)}


def _natural(name: str) -> tuple[str, int, str]:
    """Sort A2 before A10."""
    digits = name[1:]
    return (name[0], int(digits), "") if digits.isdigit() else (name, 0, name)
