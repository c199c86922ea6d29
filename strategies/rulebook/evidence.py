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
            mean = sum(weight x vote) / sum(weight) over the factors that vote +1 or -1; fear at `>=
            decide_at`, technical at `<= -decide_at`. Technical: boost x `technical_boost`, and
            `technical_intervals` in a row must have asked for it. Fear: B9's increment x
            `fear_step`
        """,
        absent="""
            A factor without its data, or with data older than its `max_age`, is absent and named;
            inside its neutral band it abstains. Neither weighs.
        """,
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=(
            "strategies/signals/panel.py",
            "strategies/alvh/boost.py",
            "strategies/alvh/pace.py",
        ),
        readings=(
            """
                Built in: *curve* (S7 beyond R1's dead band), *breadth* (20-day change of the A/D
                line as a z, or S5), *vvix* (z of VVIX/VIX where S3 has turned to the same side),
                *flow* (S9), *dislocation* (S8, technical on either side), *credit* (z of the BAA
                spread), *correlation* (z of COR1M, S13); beyond `neutral_z` they vote. *reit* is a
                factor feed of that name.
            """,
            """
                Feeds add factors, one configuration block each: see
                [configuration.md](configuration.md).
            """,
            """
                It has effects while R3 holds only. A boost that is in force is not taken back by
                it, only made smaller.
            """,
        ),
    ),
)
