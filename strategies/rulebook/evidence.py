"""E: the evidence panel."""

from strategies.rulebook.entry import RuleEntry

EVIDENCE = (
    RuleEntry(
        id="E",
        name="Evidence panel",
        sentence="""
            Is a spike fear, or technical? Each factor votes fear (+1), technical (-1) or abstains;
            the weighted mean decides at 0.3. Technical halves the L1 boost and asks for a second
            confirming interval; fear lets B9 double its step.
        """,
        formula="""
            mean = sum(weight x vote) / sum(weight) over the factors that voted; fear at `>=
            decide_at`, technical at `<= -decide_at`
        """,
        absent="A factor without data, stale or inside its neutral band abstains, and is named.",
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=("strategies/signals/panel.py", "strategies/alvh/layers.py"),
        readings=(
            """
                Built-in factors: curve inversion (S7), breadth (S5), VVIX/VIX (S3), order flow
                (S9), dislocation (S8, votes technical), credit spread, implied correlation (S13),
                REIT stress. Feeds add factors, one configuration block each: see
                [configuration.md](configuration.md).
            """,
            "It has effects while R3 holds only.",
        ),
    ),
)
