"""R: the regimes, with hysteresis."""

from strategies.rulebook.entry import RuleEntry

REGIMES = (
    RuleEntry(
        id="R1",
        name="Curve",
        sentence="""
            Contango, flat or backwardation by the sign of S7 outside a dead band, held for two
            daily closes or four consecutive intervals.
        """,
        formula="""
            backwardation at `S7 > dead_band`, contango at `S7 < -dead_band`, else flat;
            `confirm_closes` closes or `confirm_intervals` intervals in a row
        """,
        absent="An interval without a reading breaks the row; the state stays.",
        source=("S1", "S4"),
        modules=("strategies/signals/regimes.py", "strategies/signals/curve.py"),
        readings=(
            """
                A flip is the way from contango to backwardation. Flat in between is part of it:
                from backwardation to flat and back nothing has flipped.
            """,
            "Closes of before the curve's last change do not count.",
        ),
    ),
    RuleEntry(
        id="R2",
        name="Pre-event",
        sentence="From 3 trading days before an FOMC decision, CPI or PPI through its day.",
        formula="trading days to the nearest event `<= pre_event_days`",
        absent="Absent without an event calendar: B4 does not act.",
        source=("S0", "S2", "S3"),
        modules=("strategies/signals/regimes.py",),
        readings=("It ends the day after the event.",),
    ),
    RuleEntry(
        id="R3",
        name="Spike",
        sentence="""
            Enter: VIX +20 % or +4 points on the day, or a 5-day z of 3. Leave: VIX below its 5-day
            mean and the MACD of VIX bearish.
        """,
        formula="""
            enter at `VIX / close - 1 >= spike_fraction`, `VIX - close >= spike_points` or `z >=
            spike_z`; leave at `VIX < mean(5)` and S3(VIX) bearish
        """,
        absent="What is absent moves nothing: the state stays.",
        source=("S2",),
        modules=("strategies/signals/regimes.py", "strategies/signals/indicators.py"),
        readings=(
            """
                **The 5-day z** is `(VIX - mean of the 5 closes before) / sd`, the sd that of the
                same deviation over the 252 days before the bar.
            """,
            "Where both conditions hold, entering wins.",
        ),
    ),
    RuleEntry(
        id="R4",
        name="Regime shift",
        sentence="""
            Enter: backwardation above 3 % for 3 daily closes, and S5 or SPX below its 50-day mean.
            Leave: 5 contango closes.
        """,
        formula="""
            enter at `shift_closes` closes with `S7 > shift_backwardation`, and S5 or `SPX <
            mean(shift_sma)`; leave after `shift_leave_closes` contango closes
        """,
        absent="What is absent moves nothing: the state stays.",
        source=("S1", "S4"),
        modules=("strategies/signals/regimes.py",),
        readings=(
            "Closes count once, on the first call of a session.",
            "What the very first call finds in the history is a state, never a flip.",
        ),
    ),
    RuleEntry(
        id="R5",
        name="Nature of a spike",
        sentence="Fear, technical or undecided, as the evidence panel votes.",
        formula="""
            weighted mean of the votes `>= decide_at` fear, `<= -decide_at` technical, else
            undecided
        """,
        absent="Undecided where every factor abstains.",
        source=("S2", "S3"),
        modules=("strategies/signals/panel.py", "strategies/signals/regimes.py"),
        readings=(
            """
                Voted anew each interval, by those that vote: abstentions do not weigh. It has
                effects while R3 holds only, see [E](#e-evidence-panel).
            """,
        ),
    ),
)
