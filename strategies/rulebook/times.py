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
            Absent where one of today's seven values is, or with too few past days: it has no
            effect.
        """,
        source=("S2",),
        modules=("strategies/signals/analogues.py", "strategies/alvh/layers.py"),
        readings=("Days whose next 21 sessions are not over are no analogues.",),
    ),
    RuleEntry(
        id="T2",
        name="Event projection",
        sentence="""
            The mean and 90 % absolute VIX and skew reaction to past FOMC, CPI and PPI days projects
            the surface across the next event; the hedge is sized on the projected vega.
        """,
        formula="""
            short vega of the pre-event window = `max(-V_c, -V_c at VIX + (90 % absolute reaction)
            with its usual SPX move)`
        """,
        absent="Without an event ahead or too few past ones the present vega counts.",
        source=("S3",),
        modules=("strategies/signals/event_reactions.py", "strategies/alvh/layers.py"),
        readings=("The last `event_reactions` days of the kind that is next. B4 scales on top.",),
    ),
    RuleEntry(
        id="T3",
        name="Forward vega profile",
        sentence="""
            A hedge's factor vega today, in 10, 30 and 60 days at unchanged forwards is journaled;
            B3 moves weight to the tenor where it is short.
        """,
        formula="""
            sum over lots of contracts x unit factor vega with the days to expiry reduced by 0, 10,
            30, 60; expired lots count nothing
        """,
        absent="A lot without a value has no profile: none is recorded.",
        source=("S0", "S1"),
        modules=("strategies/alvh/forward_profile.py",),
        readings=("B10's rolls are not assumed.",),
    ),
)
