"""B: rotation, rebalancing and harvest."""

from strategies.rulebook.entry import RuleEntry

ROTATION = (
    RuleEntry(
        id="B1",
        name="The curve flips",
        sentence="""
            When R1 turns to backwardation the shift of break-evens and the loss for VIX +5 and +8
            are recorded, L1 is cut and the freed vega goes to L2; once a flip, spread over at most
            4 intervals.
        """,
        formula="""
            L1 keeps (1 - `flip_cut`) of each instrument, in `flip_intervals` equal parts; L2's
            scale gains `cut x (L1's factor vega at the flip / -V_c) / l2_share`
        """,
        absent="""
            Without a value for something L1 holds the cut waits; an absent curve flips nothing.
        """,
        source=("S4",),
        modules=(
            "strategies/alvh/rotation.py",
            "strategies/alvh/layers.py",
            "strategies/risk/breakeven_journal.py",
        ),
        readings=(
            """
                Each L1 instrument is cut **as the flip found it**, over the next *priced*
                intervals, rounded in favour of keeping. A part that did not fill is asked for
                again. A core bought meanwhile is cut alike.
            """,
            """
                During those steps L1 only sells, new cores apart. After them, and as long as the
                cut stands, L1 wants (1 - cut) of what it would want without it: it refills toward
                that by increments (B9) and rolls what comes due (B10).
            """,
            "L2 becomes active with strength `cut so far / flip_cut`, 1.5 at most in all.",
            """
                A flip that comes while L1 is still cut cuts it from where it stands to the
                fraction, never further; what L2 gets stays measured on the L1 that the first of
                them found.
            """,
            """
                A bot whose first known curve is backwardation has not seen the flip: it takes the
                rotation as completed, without sales.
            """,
        ),
    ),
    RuleEntry(
        id="B2",
        name="Add-on",
        sentence="VX1 - VX2 above 3 points: +25 % for L2.",
        formula="`VX1 - VX2 > addon_points`: L2's scale + `addon`",
        absent="S7 absent: no add-on.",
        source=("S4",),
        modules=("strategies/alvh/layers.py",),
        readings=(
            """
                It adds 0.25 to L2's scale, whatever the rest of it is (1.5 at most in all), and
                **activates L2 with that 0.25 alone** where nothing else does.
            """,
        ),
    ),
    RuleEntry(
        id="B3",
        name="Time-shifting",
        sentence="""
            Ahead of the flip: still contango, S6 falling for 3 days, S4 bullish: a part of L1
            migrates to L2.
        """,
        formula="""
            R1 contango, S6 falling `>= shift_falling_days` days, and S4 bullish or T1 may rise: L1
            x (1 - `shift_ahead`), in one step, the freed vega to the layer T3 names
        """,
        absent="""
            R1, S6 or both of S4 and T1 absent: it does not ask. Without a value for something L1
            holds it waits.
        """,
        source=("S4", "S1"),
        modules=("strategies/alvh/shift_ahead.py", "strategies/alvh/rotation.py"),
        readings=(
            """
                It begins only where nothing is cut. A flip that follows cuts L1 from where it
                stands to B1's fraction, and what that adds goes to L2.
            """,
            """
                B11 begins to take it back after `restore_closes` contango closes since B3 last
                asked.
            """,
        ),
    ),
    RuleEntry(
        id="B4",
        name="Pre-event",
        sentence="""
            In the pre-event window L2 is scaled by how far break-evens have migrated, times T2's
            event projection.
        """,
        formula="""
            scale of L2 = `clip(1 + event_k x -S10, event_scale_low, event_scale_high)`
            while R2 holds, on T2's projected vega
        """,
        absent="R2 or S10 absent: it does not act, and the gate says so.",
        source=("S0",),
        modules=("strategies/alvh/pre_event.py", "strategies/alvh/layers.py"),
        readings=(
            "R2 activates L2. Where other gates activate it too, the strongest counts.",
            """
                The shortfall is -S10: below 0, and the scale below 1, where break-evens are further
                off than at entry. What is lost (C9) has no S10 here.
            """,
        ),
    ),
    RuleEntry(
        id="B5",
        name="Vega per theta",
        sentence="S12 above the limit: the layers are rebalanced to their targets now.",
        formula="`S12 > vega_per_theta`: B9's increment is the whole gap, on one side",
        absent="S12 absent (theta <= 0, or no value): it does not act.",
        source=("S0",),
        modules=("strategies/alvh/pace.py",),
        readings=(
            """
                It acts on the side that brings the net vega down: a book short of vega (V_c + V_h <
                0) buys all that its layers lack, one long of it sells all that they hold above
                their targets, those that act included; the other side keeps B9's step. Governors,
                floor and ceiling (B8) and the no-trade zone still hold.
            """,
            """
                In a spike (R3) it only buys: S12 is then high because theta has all but gone, and
                what is sold early in a spike is bought back dearer within hours.
            """,
        ),
    ),
    RuleEntry(
        id="B6",
        name="Theta window",
        sentence="""
            7 to 10 calendar days before the monthly expiry of an open condor L2 adds through
            options, the net gamma of book and hedge to zero or above if G allows.
        """,
        formula="""
            `theta_window_last <= days to the monthly expiry <= theta_window_first` of a held
            condor, gamma = what condors and hedge gain together under VIX +1 and -1 with SPX's
            usual moves; L2 asks for -gamma / gamma of a call calls
        """,
        absent="""
            Without a value for the book, or a call for L2, it asks for nothing; the gates say
            which.
        """,
        source=("S1", "S2"),
        modules=("strategies/alvh/theta_window.py", "strategies/alvh/rebalance.py"),
        readings=(
            """
                The monthly expiry is the third Friday, or the day before it where that is a
                holiday. C9's time exit closes condors before the window unless `time_exit_dte` is
                set lower.
            """,
            """
                Options go before futures in L2 while the window is open. L4's scale, the band and
                the governors still bound what is bought: "if G allows".
            """,
        ),
    ),
    RuleEntry(
        id="B7",
        name="MACD",
        sentence="""
            VVIX/VIX bullish with SPX bearish permits adding; the opposite pair reduces boosts by 25
            %.
        """,
        formula="""
            S3(VVIX/VIX) bullish and S3(SPX) bearish: permits; bearish and bullish: boost x (1 -
            `momentum_cut`)
        """,
        absent="One of the two absent: neither permitted nor reduced.",
        source=("S0", "S1"),
        modules=("strategies/alvh/boost.py",),
        readings=(
            """
                Permission lets a boost through that T1 would hold up. It waives no governor and
                starts nothing by itself.
            """,
        ),
    ),
    RuleEntry(
        id="B8",
        name="Net vega band",
        sentence="""
            Act when v leaves the band; add through permitted layers, cheapest first; trim shortest
            first when above.
        """,
        formula="`band_low <= v <= band_high`, v = (V_c + V_h) / (100 N)",
        absent="""
            While something held has no value nothing is added and no surplus sold: v is not known.
        """,
        source=("S4",),
        modules=("strategies/alvh/rebalance.py", "strategies/alvh/hedge.py"),
        readings=(
            """
                **Floor.** While v would lie below the band: first what layers *hold* beyond their
                own wish is kept, longest tenor first; then the permitted layers are raised up to
                scale 1.5, L1 to 1.5 less B1's cut, the one with the best L5 score first. Permitted:
                L1 except in the steps of a flip, L2 and L3 while active, L3 only if G6 lets it
                grow. What a layer wants and cannot buy (nothing quoted, one contract too coarse, a
                governor without room) is asked of the next permitted layer; what none can buy stays
                the cheapest one's wish.
            """,
            """
                **What it is called.** *Hedged* only in the band, or short of it by less than
                `no_trade_fraction` of a wish that could be bought; otherwise the state names what
                binds: G6, G7, G3, G1, L5 (nothing quoted), L7, L4 (too coarse, or largest scale
                reached), B9 (on its way), B1 (in its steps).
            """,
            """
                **Inside the band** the surplus of an active layer is kept until v leaves it, or
                every swing of V_c would be traded back and forth. Inactive layers, an L1 that is
                back to its core, and what B11 unwinds sell their surplus by B9, **never below the
                floor** plus `no_trade_fraction` of the band's width: the floor limits B11.
            """,
            """
                **Ceiling.** Once v is above the band it is trimmed at once, unthrottled and urgent,
                to an *inner line*: the band's upper edge less `no_trade_fraction` of its width
                (0.085). What layers hold beyond their wishes goes first, then the rest, shortest
                expiry first in both; what it takes of a layer is part of B9's step there. Only a
                contract as large as the band takes v below the line above the floor. Purchases end
                at the inner line too, so that a small move of v does not sell what has just been
                bought; what is held between line and edge stays.
            """,
            "**N = 0**: both edges are zero and everything is sold, the core too.",
        ),
    ),
    RuleEntry(
        id="B9",
        name="Increments",
        sentence="""
            At most a quarter of a layer's target an interval, and nothing inside the no-trade zone.
        """,
        formula="""
            trade at a gap `>= max(1 contract, no_trade_fraction x target)`; then at most `max(1
            contract, increment x target)`
        """,
        absent="Without a target there is no gap.",
        source=("S3",),
        modules=("strategies/alvh/rebalance.py", "strategies/alvh/pace.py"),
        readings=(
            """
                A reduction's step is measured on what is held if that is more. B10's rolls, B1's
                cuts and B8's ceiling are not throttled.
            """,
            "In a spike of fear (R5) the step is `fear_step` times as long.",
        ),
    ),
    RuleEntry(
        id="B10",
        name="Tenor drift",
        sentence="""
            A position is re-bucketed by its days left each day; VIX options close or roll at 5
            days, futures at 3.
        """,
        formula="""
            layer by calendar days to expiry; sold at days `<= option_roll_days`, `<=
            future_roll_days`
        """,
        absent="It needs no price to know the day; without an offer the order waits.",
        source=("ours",),
        modules=("strategies/alvh/holdings.py", "strategies/alvh/rebalance.py"),
        readings=("Its layer refills by increments.",),
    ),
    RuleEntry(
        id="B11",
        name="Contango restored",
        sentence="""
            3 contango closes since the session of the flip, under a confirmed contango, begin the
            unwinding of B1 to B3: over 5 days toward base.
        """,
        formula="cut = `cut at its begin x (1 - sessions since / restore_days)`",
        absent="What is absent counts no close.",
        source=("S4",),
        modules=("strategies/alvh/rotation.py",),
        readings=(
            """
                L1's boost and the other layer's part follow the cut. A new flip ends it. What the
                vega floor needs is not sold (B8).
            """,
        ),
    ),
    RuleEntry(
        id="B12",
        name="Harvest",
        sentence="""
            RSI(VIX) above 70 and then the MACD of VIX bearish, or a long call worth at least 4
            times its cost: sell half.
        """,
        formula="""
            armed at `RSI(VIX) > harvest_rsi` while S3(VIX) is not bearish, disarmed at `RSI(VIX) <
            rsi_vix_reset`, fires at S3(VIX) bearish: `harvest_share` of every long call; a call at
            `mid >= harvest_multiple x average cost`: `harvest_share` of it
        """,
        absent="""
            RSI or MACD absent neither arms nor fires; a call without a value is not harvested.
        """,
        source=("S1", "ours"),
        modules=("strategies/alvh/harvest.py",),
        readings=(
            """
                The core is no exception. A harvest is not throttled by B9, but stays above the line
                at which the floor keeps surplus (B8): what it may not sell at all stays armed.
            """,
            """
                A harvest is done once what is held has shrunk to what it leaves; until then it is
                asked for again as long as its reason holds (armed and S3 bearish, or the multiple).
            """,
            """
                A call is harvested by its multiple once as long as it is held; the layer that sold
                adds nothing in that interval.
            """,
        ),
    ),
)
