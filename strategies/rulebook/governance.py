"""D: governance of the rules themselves."""

from strategies.rulebook.entry import RuleEntry

GOVERNANCE = (
    RuleEntry(
        id="D1",
        name="Rules are data",
        sentence="""
            The rules in force are configuration and rule book version, hashed; every decision
            carries the hash. A running bot never picks up an edited file silently: it says so.
        """,
        formula="SHA-256 of the canonical JSON of all rule values and the rule book's version",
        absent="A file that has vanished counts as edited.",
        source=("S1", "S2", "S3"),
        modules=("strategies/decide.py", "strategies/model/rules.py", "bot/app/config/loader.py"),
        readings=(
            "Files are read once, at the start.",
            "Approval of changes in live mode belongs to D2.",
        ),
    ),
    RuleEntry(
        id="D2",
        name="Signatures",
        sentence="""
            Live orders above a threshold, and rule changes, wait for M of N Ed25519 approvals over
            the exact order content; expiring, never replayable.
        """,
        formula="not in force: this version trades on the simulated exchange only",
        absent="Not in force.",
        source=("S2",),
        modules=("not written yet",),
        readings=("`alvh run` with a live account is refused.",),
        is_in_force=False,
    ),
    RuleEntry(
        id="D3",
        name="Steward log",
        sentence="""
            Each adjustment records rule ids, inputs, before and after (v, S12, break-evens, IRR,
            carry). A discretionary override is possible only as a signed, reasoned, expiring
            record, and audit reports the share of override trades and their P&L against the rules'
            own.
        """,
        formula="one row an adjustment: rules, inputs, before, after",
        absent="A measure that could not be worked out is recorded as unknown.",
        source=("S1", "S3", "S4"),
        modules=("state/audit.py",),
        readings=("Overrides need D2's signatures and do not exist yet: their share is 0.",),
    ),
    RuleEntry(
        id="D4",
        name="Parity watch",
        sentence="""
            Put-call parity of VIX options against the VX future and of SPX options against the
            forward: an edge beyond costs is journaled and used to choose synthetic or outright for
            delta fine-tuning, at most once a week.
        """,
        formula="edge = abs(bid or ask of the synthetic - future or forward) - costs, in points",
        absent="A pair without two-sided quotes has no edge.",
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=("strategies/pricing/parity_watch.py",),
        readings=("Used at most once in five sessions.",),
    ),
)
