"""S: the signals on daily bars, today's value as the provisional last bar."""

from strategies.rulebook.entry import RuleEntry

SIGNALS = (
    RuleEntry(
        id="S1",
        name="RSI of VIX",
        sentence="Wilder's RSI of VIX; a latch goes on above 60 and off below 50; low is below 30.",
        formula="""
            Wilder RSI over `rsi_period` of VIX closes and the live value; latch on at `>
            rsi_vix_high`, off at `< rsi_vix_reset`; low at `< rsi_vix_low`
        """,
        absent="""
            Absent until less than 0.1 % of its seed is left (130 bars at least), or where today's
            value is missing or too old; what needs it does not fire.
        """,
        source=("S0", "S4"),
        modules=("strategies/signals/readings.py", "strategies/signals/indicators.py"),
        readings=(
            """
                The latch is memory. On the first call ever the whole history is gone through, so
                that a bot that starts late stands where one that had run all along would.
            """,
            "The L3 gate has a period of its own (`layers.l3_rsi_period`).",
            "Used by L1 (latch), L3 (low, over its own period), B12 and T1.",
        ),
    ),
    RuleEntry(
        id="S2",
        name="RSI of SPX",
        sentence="Wilder's RSI of SPX; weak is below 35.",
        formula="""
            Wilder RSI over `rsi_period` of SPX closes and the live value; weak at `< rsi_spx_weak`
        """,
        absent="""
            Absent until less than 0.1 % of its seed is left (130 bars at least), or where today's
            value is missing or too old; what needs it does not fire.
        """,
        source=("S1",),
        modules=("strategies/signals/readings.py", "strategies/signals/indicators.py"),
        readings=("Its period is S1's. Used by L2 and T1.",),
    ),
    RuleEntry(
        id="S3",
        name="MACD",
        sentence="""
            MACD of VIX, of SPX and of VVIX/VIX: the side of the line, and whether it came there
            today.
        """,
        formula="""
            line = EMA(`macd_fast`) - EMA(`macd_slow`); signal = EMA(`macd_signal`) of it; bullish
            at line > signal, bearish below
        """,
        absent="""
            Absent until less than 0.1 % of its seed is left (130 bars at least), or where today's
            value is missing or too old; what needs it does not fire.
        """,
        source=("S0", "S1"),
        modules=("strategies/signals/readings.py", "strategies/signals/indicators.py"),
        readings=("Used by R3 and B12 (VIX bearish) and B7 (VVIX/VIX with SPX).",),
    ),
    RuleEntry(
        id="S4",
        name="Basis MACD",
        sentence="""
            MACD of VX1 - VX2, backwardation positive; bullish when the line crosses above its
            signal.
        """,
        formula="""
            MACD (`basis_fast`, `basis_slow`, `macd_signal`) of VX1 - VX2; bullish at line > signal
        """,
        absent="""
            Absent until less than 0.1 % of its seed is left (130 bars at least), or where today's
            value is missing or too old; what needs it does not fire.
        """,
        source=("S4",),
        modules=("strategies/signals/readings.py",),
        readings=(
            "Bullish is the side of the line, not the day of the crossing only. Used by B3.",
        ),
    ),
    RuleEntry(
        id="S5",
        name="Advance-decline divergence",
        sentence="""
            SPX within 0.5 % of its 20-day high, today included, while the cumulative
            advance-decline line is more than one sigma below its own 20-day high.
        """,
        formula="""
            `SPX >= (1 - divergence_near_high) x max(20)` and `max(20) of the line - line >
            divergence_sigmas x sigma`
        """,
        absent="""
            Absent without breadth of yesterday or a live SPX; L1 then looks at S1 alone, R4 at the
            mean.
        """,
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=("strategies/signals/breadth.py", "strategies/signals/readings.py"),
        readings=(
            """
                **sigma** is the standard deviation of the line's 20-day change over the 252 such
                changes *before* the bar. The line is the running sum of net breadth up to
                yesterday, as breadth has no live value.
            """,
            "Used by L1, R4 and the evidence panel.",
        ),
    ),
    RuleEntry(
        id="S6",
        name="Curve slope",
        sentence="""
            (VX2 - VIX) over the days to VX2's expiry, and on how many days in a row it fell.
        """,
        formula="`(VX2 - VIX) / days to VX2's expiry`",
        absent="Absent without VIX or VX2: B3 does not act.",
        source=("S4",),
        modules=("strategies/signals/curve.py", "strategies/signals/readings.py"),
        readings=(
            """
                **On a roll day**, when VX2 becomes another future, the two slopes have different
                tenors: such a day neither ends nor lengthens the run. Used by B3 and T1.
            """,
        ),
    ),
    RuleEntry(
        id="S7",
        name="Backwardation",
        sentence="""
            VX1 / VX2 - 1 as a fraction and VX1 - VX2 in points, both positive in backwardation.
        """,
        formula="`VX1 / VX2 - 1`, `VX1 - VX2`",
        absent="""
            Absent where one of the two months is not quoted on both sides: R1 stands still, L2, B2
            and R4 do not fire.
        """,
        source=("S1", "S4"),
        modules=("strategies/signals/series.py", "strategies/signals/readings.py"),
        readings=(
            """
                **VX1 and VX2** are the first two monthly VX futures expiring strictly after the
                session, at mid. A month that is not quoted is absent: two expiries more than 36
                days apart are not neighbours.
            """,
            "Used by R1, R4, L2, B2, T1 and the evidence panel.",
        ),
    ),
    RuleEntry(
        id="S8",
        name="Dislocation",
        sentence="""
            The daily VIX change that SPX's return and VX1's change do not explain, as a z; beyond 3
            on either side VIX has come apart from SPX.
        """,
        formula="""
            residual of (VIX change on 1, SPX return, VX1 change) over its deviation in the
            `dislocation_window` days before today; dislocated at `abs(z) > dislocation_z`
        """,
        absent="Absent without a full window: G9 does not bind and the panel's factor abstains.",
        source=("S0", "S2", "S3"),
        modules=("strategies/signals/dislocation.py",),
        readings=(
            """
                **The fit window** ends yesterday; today's residual is judged by the residual
                deviation of those days and so cannot hide itself. On a roll day today's VX1 is
                compared with yesterday's VX2.
            """,
            "Used by G9 and the evidence panel.",
        ),
    ),
    RuleEntry(
        id="S9",
        name="Order flow",
        sentence="""
            The imbalance of VIX call and put volume against its own last 20 days, as a z; and the
            signed quote-side imbalance where trades are seen.
        """,
        formula="""
            x = (calls - puts) / (calls + puts); z of the newest completed day over the
            `order_flow_window` days before it
        """,
        absent="Absent without the volumes of the last completed day; the panel's factor abstains.",
        source=("S2",),
        modules=("strategies/signals/readings.py",),
        readings=(
            "Volumes are known after the close, so yesterday's stand for today.",
            """
                No feed of this version sees single trades: the quote-side imbalance is recorded as
                absent.
            """,
            "Used by the evidence panel.",
        ),
    ),
    RuleEntry(
        id="S10",
        name="Break-even migration",
        sentence="""
            How far the nearest break-even has come closer since entry, in deviations to expiry.
        """,
        formula="""
            distance = (break-even at expiry - spot) / (spot x sigma sqrt T), the nearer side; S10 =
            distance now - distance at entry, the lowest of the condors; shortfall = -S10
        """,
        absent="""
            Absent without SPX, or where the expiry of a short has no trusted surface: B4 does not
            act. Without condors there is nothing to read.
        """,
        source=("S0", "S4"),
        modules=("strategies/signals/migration.py", "strategies/signals/positions.py"),
        readings=(
            """
                The book's value is that of its worst condor, and absent while one of them has none.
                A side rolled out in time is measured in its own expiry. Used by B4.
            """,
        ),
    ),
    RuleEntry(
        id="S11",
        name="Events",
        sentence="Trading days to the next FOMC decision, CPI and PPI, from a dated calendar file.",
        formula="sessions after today up to and including the event; 0 = today",
        absent="""
            Absent without a calendar file: R2 is absent, and with C1's blackout on nothing is
            entered.
        """,
        source=("S0", "S2", "S3"),
        modules=("strategies/signals/readings.py",),
        readings=("Scheduled dates only. Used by C1's blackout, R2 and T2.",),
    ),
    RuleEntry(
        id="S12",
        name="Vega per theta",
        sentence="""
            Net dollar vega over net theta: what one dollar a day of decay is paid for in volatility
            risk, the articles' P/CF equivalent.
        """,
        formula="""
            `abs(V_c + V_h) / theta`, theta in USD a calendar day of condors and hedge together
        """,
        absent="""
            Absent where theta <= 0 (nothing is earned by waiting; the plan says so) or the book
            cannot be priced: B5 does not act.
        """,
        source=("S0",),
        modules=("strategies/risk/measures.py", "strategies/signals/positions.py"),
        readings=("Net dollar vega is factor vega, so that all tenors add up. Used by B5.",),
    ),
    RuleEntry(
        id="S13",
        name="Skew and implied correlation",
        sentence="Skew and implied correlation, where a feed has them.",
        formula="""
            25-delta put vol - 25-delta call vol on the fitted surface of the expiry nearest 30
            days, in vol points; the newest closes of SKEW and COR1M, and their z over
            `panel.window` days
        """,
        absent="Each part is absent by itself; the panel's factor abstains.",
        source=("S2", "S3"),
        modules=("strategies/signals/positions.py", "strategies/signals/readings.py"),
        readings=(
            """
                Indices are yesterday's closes. COR1M is used by the evidence panel, SKEW by T2; the
                skew of the surface is recorded.
            """,
        ),
    ),
)
