"""Every rule of the rule book, by family."""

from types import MappingProxyType

from strategies.rulebook.condors import CONDORS
from strategies.rulebook.entry import RuleEntry
from strategies.rulebook.evidence import EVIDENCE
from strategies.rulebook.governance import GOVERNANCE
from strategies.rulebook.governors import GOVERNORS
from strategies.rulebook.layers import LAYERS
from strategies.rulebook.regimes import REGIMES
from strategies.rulebook.rotation import ROTATION
from strategies.rulebook.signals import SIGNALS
from strategies.rulebook.times import TIMES

FAMILIES: tuple[tuple[str, str, tuple[RuleEntry, ...]], ...] = (
    ("C", "condors", CONDORS),
    ("S", "signals", SIGNALS),
    ("R", "regimes", REGIMES),
    ("L", "layers", LAYERS),
    ("B", "rotation and rebalancing", ROTATION),
    ("G", "governors", GOVERNORS),
    ("E", "evidence", EVIDENCE),
    ("T", "time-shifting", TIMES),
    ("D", "governance", GOVERNANCE),
)

RULE_BOOK = MappingProxyType({entry.id: entry for _, _, family in FAMILIES for entry in family})
