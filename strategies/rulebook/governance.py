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
        modules=(
            "strategies/model/rules.py",
            "bot/app/config/watch.py",
            "bot/app/config/loader.py",
        ),
        readings=(
            """
                Files are read once, at the start. What differs from them later is said once, on the
                screen, in the log and in the ledger; a restart takes over what the file then says.
            """,
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
        formula="""
            plan and ledger: rules, gates, measures before and after; an override acts while `issued
            <= now < expires` and its Ed25519 signature over account, action, reason, serial and
            instants verifies
        """,
        absent="""
            A measure that could not be worked out is recorded as unknown; a record that does not
            verify is refused and said so.
        """,
        source=("S1", "S3", "S4"),
        modules=("strategies/risk/overrides.py", "bot/approvals/overrides.py", "state/audit.py"),
        readings=(
            """
                An override may hold a layer, hold or close a condor, or skip entries: it holds
                orders of the rules back or closes, and opens nothing. It stands behind G6, G7, G8
                and B8's ceiling, and a held condor is never carried into settlement. What it says
                of a condor holds for all that was rolled out of the same entry.
            """,
            """
                `alvh audit overrides` reports their share and what they cost or gained against the
                rules' own.
            """,
        ),
    ),
    RuleEntry(
        id="D4",
        name="Parity watch",
        sentence="""
            Put-call parity of VIX options against the VX future and of SPX options against the
            forward: an edge beyond costs is journaled and used to choose synthetic or outright for
            delta fine-tuning, at most once a week.
        """,
        formula="""
            per strike `abs((C - P) - D (F - K)) - half the spreads` at mids, less commissions; F
            the VX future of the expiry, or what the other SPX strikes imply
        """,
        absent="""
            A strike without two-sided put and call is not looked at; a chain without any is named.
        """,
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=("strategies/pricing/parity_watch.py", "strategies/signals/outlook.py"),
        readings=(
            """
                The best package of each chain is recorded. For delta it always chooses the
                outright: a synthetic would hold a short option that nothing covers (G8). At most
                once a calendar week.
            """,
        ),
    ),
)
