"""T: time-shifting."""

from strategies.rulebook.entry import RuleEntry

TIMES = (
    RuleEntry(
        id="T1",
        name="Analogues",
        sentence="""
            The 25 nearest past days by standardised state, at least 10 days apart and strictly
            before today, give the distribution of VIX change over the next 5, 10 and 21 days. If it
            resolves lower, boosts wait one interval more; if it may rise, B3 may act without S4.
        """,
        formula="""
            state (VIX, S6, S7, S1, S2, VVIX/VIX, 20-day drawdown), standardised; Euclidean
            distance; waits at `median(21) < 0 and p90(21) < analogue_calm_p90`; may rise at
            `p75(21) > analogue_act_p75`
        """,
        absent="""
            Absent where one of today's seven values is, or with fewer than `analogues` days that
            qualify: it has no effect, and the plan says so.
        """,
        source=("S2",),
        modules=(
            "strategies/signals/analogues.py",
            "strategies/alvh/boost.py",
            "strategies/alvh/shift_ahead.py",
        ),
        readings=(
            """
                A day is an analogue only if the 21 sessions after it are over. Standardised by the
                days that may be chosen.
            """,
            "A boost waits once, and not at all where B7 permits adding.",
        ),
    ),
    RuleEntry(
        id="T2",
        name="Event projection",
        sentence="""
            The mean and 90 % absolute VIX and skew reaction to past FOMC, CPI and PPI days projects
            the surface across the next event; the hedge is sized on the projected vega.
        """,
        formula="""
            while R2 holds: -V_c counts as `max(-V_c, -V_c + slope(VIX + r) - slope(VIX))`, r the 90
            % absolute reaction, SPX with its usual share, slope that of the condors' loss in VIX
        """,
        absent="""
            Without an event ahead, or fewer than six past days of its kind, the present vega counts
            and the plan says so.
        """,
        source=("S3",),
        modules=("strategies/signals/event_reactions.py", "strategies/alvh/pre_event.py"),
        readings=(
            """
                The last `event_reactions` days of the kind that is next; of several kinds on one
                day the strongest. SKEW's reaction is recorded, and does not size anything. B4
                scales on top.
            """,
        ),
    ),
    RuleEntry(
        id="T3",
        name="Forward vega profile",
        sentence="""
            A hedge's factor vega today, in 10, 30 and 60 days at unchanged forwards is journaled;
            B3 moves weight to the tenor where it is short.
        """,
        formula="""
            sum over lots of contracts x unit factor vega with 0, 10, 30 and 60 days less to expiry,
            forwards and vols unchanged; what has expired counts nothing
        """,
        absent="A lot without a value: no profile is recorded, and B3's weight goes to L2.",
        source=("S0", "S1"),
        modules=("strategies/alvh/forward_profile.py", "strategies/alvh/shift_ahead.py"),
        readings=(
            """
                B3's weight goes to L3 instead of L2 where the hedge will be further short of L3's
                share in 60 days than of L2's and L3's in 30, and G6 lets L3 grow.
            """,
            "B10's rolls are not assumed.",
        ),
    ),
)
