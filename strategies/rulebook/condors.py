"""C: how condors are chosen, sized, adjusted and closed."""

from strategies.rulebook.entry import RuleEntry

CONDORS = (
    RuleEntry(
        id="C1",
        name="Entry schedule",
        sentence="""
            A condor may be entered at the scheduled instants of trading days only, not within two
            hours of an early close, and not while an entry is still at work.
        """,
        formula="""
            entry due at this interval; on an early close `closes_at - now >=
            min_hours_before_early_close`; with the blackout on, no event has 0 trading days to go;
            no opening order at work
        """,
        absent="With the blackout on and no event calendar nothing is entered.",
        source=("ours", "S0"),
        modules=("strategies/condor/entry.py",),
        readings=(
            "The event blackout, if switched on, is the day of an FOMC decision, CPI or PPI.",
            """
                The times are `schedule.entries`: Monday, Wednesday and Friday, 10:00 in New York,
                by default.
            """,
        ),
    ),
    RuleEntry(
        id="C2",
        name="Expiry",
        sentence="""
            The expiry nearest to the target inside the window; SPXW (PM-settled), AM-settled SPX
            only if allowed.
        """,
        formula="""
            smallest `abs(days - target_dte)` with `min_dte <= days <= max_dte`, the earlier of two
        """,
        absent="""
            An expiry whose fitted surface cannot be trusted is passed over; none left, none
            entered.
        """,
        source=("S0", "S1", "S4"),
        modules=("strategies/condor/selection.py",),
        readings=(
            """
                Mondays, Wednesdays and Fridays have expiries, so every entry on those days finds
                one 30 to 45 days away.
            """,
        ),
    ),
    RuleEntry(
        id="C3",
        name="Short strikes",
        sentence="""
            Short put and short call at the absolute delta nearest to the target, on the smoothed
            surface, not on raw quotes.
        """,
        formula="""
            smallest `abs(abs(delta) - short_delta)` over the quoted two-sided strikes of a side;
            none if it is above 0.05
        """,
        absent="Without a trusted surface or a two-sided quote near the target there is no entry.",
        source=("S0", "S1"),
        modules=("strategies/condor/selection.py",),
        readings=(
            """
                A strike that the book holds long is passed over, see *no netting* in
                [C4](#c4-wings).
            """,
        ),
    ),
    RuleEntry(
        id="C4",
        name="Wings",
        sentence="""
            `bias: negative`: same-expiry 1x1 wings, width chosen from the listed strikes so that
            net vega per contract is inside the window, then the best credit over max loss.
        """,
        formula="""
            over every pair of wings: `min_net_vega <= vega <= max_net_vega`, credit (C6's) `>=
            0.05` and below the wider wing; equal wings first; of these the largest credit / (width
            - credit)
        """,
        absent="A wing without a bid and an offer is no candidate; without any there is no entry.",
        source=("S4",),
        modules=("strategies/condor/wings.py", "strategies/condor/selection.py"),
        readings=(
            """
                **Equal wings go first**, because Interactive Brokers margins only those as one
                spread; unequal ones are taken where no equal pair fits.
            """,
            """
                **No netting** (ours): positions net by contract at the broker, so no leg is sold
                that the book holds long, nor bought that it holds short, orders at work included;
                legs of a condor that is being closed are not traded at all.
            """,
            "A same-expiry 1x1 condor is always vega-negative, see [C5](#c5-vega-bias).",
        ),
    ),
    RuleEntry(
        id="C5",
        name="Vega bias",
        sentence="""
            `bias: positive`: ratio wings (more longs than shorts, 2:1 or 3:2) or diagonal wings
            (longs in a later expiry) until net vega per contract is inside the window, still a net
            credit, risk defined.
        """,
        formula="""
            net vega of a condor = sum of ratio x vega over its legs, inside `positive_min_net_vega
            .. positive_max_net_vega` (`neutral`: within +- `neutral_net_vega`); credit (C6's) `>=
            0.05`; of these the largest credit / max loss, those first that C7 can afford
        """,
        absent="""
            A series without a trusted surface offers no wings; without any pair the gate says how
            near the nearest came.
        """,
        source=("S0",),
        modules=(
            "strategies/condor/wings.py",
            "strategies/condor/selection.py",
            "strategies/condor/entry.py",
        ),
        readings=(
            """
                A plain same-expiry 1x1 condor can never be vega-positive: each long lies further
                out than its short and has less vega. It is refused with that reason, by the
                configuration and by the gate.
            """,
            """
                Shapes: 3:2 and 2:1 in the same expiry (`ratio`), 1:1 with the longs up to
                `diagonal_max_days` later (`diagonal`), or both (`either`). Not both at once.
            """,
            """
                **C6 and C8 leave nothing of it in the simulated market.** On 35 entry days from
                2008 to 2024 the wings chosen for a positive or neutral bias brought 0.8 to 7.6 % of
                their width and an expected IRR of -18 to +13 % a year; C6 asks for 10 % and C8 for
                18 % at least. The longs that take the short vega away cost what a condor earns.
            """,
            """
                Max loss is that at the worst long strike: `short_ratio x width - credit`, a
                diagonal's width grown by a carry on the strike for the extra days. The extra longs
                are paid for, not margined.
            """,
            """
                Net vega is the raw vega of the options, as the articles count it. V_c, the factor
                vega, of a diagonal can be short where its net vega is not: the gate shows both, and
                L6 goes by V_c.
            """,
        ),
    ),
    RuleEntry(
        id="C6",
        name="Credit floor",
        sentence="Credit over the widest wing must reach a floor.",
        formula="""
            `(mid - entry_concession x (mid - natural)) / width >= min_credit_to_width`, on the tick
            grid
        """,
        absent="A leg without a two-sided quote has no credit: no entry.",
        source=("ours",),
        modules=("strategies/condor/entry.py",),
        readings=(
            """
                The credit is the least the entry accepts, **mid less half the way to the natural
                price**, so no fill of the order can break the floor.
            """,
        ),
    ),
    RuleEntry(
        id="C7",
        name="Size",
        sentence="""
            The max loss of one condor position stays within its share of net liquidation value, and
            the margin of all condors within theirs.
        """,
        formula="""
            `floor(min(max_loss_fraction x NLV / ((width - credit) x 100), (max_margin_fraction x
            NLV - margin in use) / margin))`, with C6's credit
        """,
        absent="""
            An account without values opens nothing: the broker's values are part of the input.
        """,
        source=("S4",),
        modules=("strategies/condor/entry.py", "strategies/condor/rolls.py"),
        readings=(
            "Entries at work count as margin in use.",
            """
                Margin by `ib`: the width if both wings are equal, else their sum; by `cboe`: the
                wider wing.
            """,
        ),
    ),
    RuleEntry(
        id="C8",
        name="Hurdle",
        sentence="""
            The expected IRR of a new condor, net of hedge cost, must reach the hurdle and the WACC;
            else there is no entry, and the journal says so.
        """,
        formula="""
            IRR of -margin + credit - `core_premium x credit` today, the expected payoff of each
            option at its expiry and the margin of a side back when its short expires, `>=
            max(hurdle, WACC)`; the credit is C6's
        """,
        absent="""
            An IRR that cannot be worked out (no realised to implied ratio, no surface) reaches no
            hurdle: no entry. Without a WACC the hurdle alone counts.
        """,
        source=("S0", "S3"),
        modules=("strategies/condor/entry.py", "strategies/pricing/returns.py"),
        readings=(
            "Hedge cost is G2's premium, paid today; nothing of it is counted on to come back.",
            "How payoffs are expected is said in [conventions](conventions.md#returns).",
        ),
    ),
    RuleEntry(
        id="C9",
        name="Exits",
        sentence="""
            Stop, time exit, profit target. Nothing is carried into settlement: the time exit comes
            weeks before it, and goes all of the way to the worst on the last day.
        """,
        formula="""
            in this order: stop if `debit - credit >= stop_loss_credits x credit`; time if days `<=
            time_exit_dte`; profit if `debit <= (1 - profit_target) x credit`; the debit at mid,
            compared exactly, in decimals
        """,
        absent="""
            A condor whose series has no surface is still closed by stop and clock, at the quotes of
            its own legs; the profit target waits for a value. What nobody offers is not closed.
        """,
        source=("ours",),
        modules=("strategies/condor/exits.py",),
        readings=(
            """
                **The debit never exceeds the width.** A stop can therefore not fire where credit >
                width / (1 + stop_loss_credits), a third of the width by default: buying back would
                cost more than the wing; the time exit ends such a position, and C7 has bounded its
                loss.
            """,
            """
                A stop and a time exit walk from mid to the natural price, a stop two ticks beyond
                it; a profit target stops at 60 % of the way.
            """,
            """
                **Nothing left to save.** Where mid has come within `least_saving` of the worst at
                expiry neither stop nor clock asks: an order every interval would save nothing. The
                plan says so; the condor is neither rolled nor insured, nor does B4 read its S10. On
                the last day the clock asks for whatever is left; what nobody sells below its worst
                is settled at it.
            """,
        ),
    ),
    RuleEntry(
        id="C10",
        name="Tested side",
        sentence="""
            When the delta of a short reaches the threshold, the untested side is rolled in for a
            credit, or the tested side out in time; at most two adjustments a condor, never raising
            max loss past C7.
        """,
        formula="""
            tested at `abs(delta of a short) >= tested_delta`; a roll needs a net credit `>= 0.05`,
            adjustments `< max_adjustments`, days of what it opens `>= min_roll_dte`, no roll asked
            for within `roll_wait_intervals`, and C7
        """,
        absent="A condor whose legs cannot all be priced is not rolled, and the gate says so.",
        source=("ours",),
        modules=(
            "strategies/condor/adjust.py",
            "strategies/condor/moves.py",
            "strategies/condor/rolls.py",
        ),
        readings=(
            """
                **In first**: the untested side to C3's delta in the same expiry and width, if that
                is nearer than it is; else the tested side out in time, to C3's delta or to the same
                strikes. A roll out must not lose more where SPX moves 7 % further toward the tested
                side.
            """,
            """
                A roll is one order of four legs, begun at mid, giving up `entry_concession` of the
                way at most. Each package that fills turns one condor of `C0007` into one of
                `C0007-1`; a partial fill leaves both in the book.
            """,
            """
                Nothing is rolled that C9 or G6 closes, while an order of the condor is at work, or
                twice in a session; nothing is netted, as in [C4](#c4-wings). A roll that nobody
                takes is asked for again `roll_wait_intervals` later, or in the next session.
            """,
        ),
    ),
    RuleEntry(
        id="C11",
        name="Spike response",
        sentence="""
            The first line of the hedge: in a spike, before any VIX layer is boosted, moving the
            shorts out for a net credit that restores C3 is evaluated, and done where it lowers the
            spike loss per dollar better than the hedge would.
        """,
        formula="""
            while R3 holds and the delta of a short is above `short_delta + delta_tolerance`: moved
            to C3's delta, in the same or a later expiry, for a net credit `>= 0`, where `saved
            under VIX +8 and SPX -7 % / cost` of the roll is above the hedge's
        """,
        absent="""
            Without R3, or where the condor or the new side cannot be priced, nothing is moved; with
            no hedge to buy any saving is better.
        """,
        source=("S2",),
        modules=(
            "strategies/condor/spike.py",
            "strategies/condor/moves.py",
            "strategies/condor/adjust.py",
            "strategies/alvh/relief.py",
        ),
        readings=(
            """
                A roll costs what its order may give up from mid, its fees, and C8's hurdle rate on
                the margin it adds until the time exit. The hedge it is held against is L5's first
                choice for L1: a call costs its premium, a future its spread.
            """,
            """
                Wings are as wide as they were, or as much wider as the credit needs. C10's limits
                hold.
            """,
        ),
    ),
    RuleEntry(
        id="C12",
        name="Break-evens",
        sentence="""
            The break-even points of the condors alone and of condors and hedge are tracked each
            interval, today and under VIX +5 and +8.
        """,
        formula="""
            gain since the opening = credits - cost to buy back + hedge's worth - its cost, on a
            grid of SPX moves; zeros of the cubic through it today, under VIX +5 and +8; exact, from
            the strikes, at expiry
        """,
        absent="""
            A book of which something has no value opens nothing: the gate names it, and no
            break-evens are recorded.
        """,
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=(
            "strategies/risk/book_breakevens.py",
            "strategies/risk/measures.py",
            "strategies/pricing/breakevens.py",
        ),
        readings=(
            """
                Levels bound the region around the best outcome between the outermost shorts, within
                21 % of the index; what a ratio wing gains far out does not count. A side without
                one has none.
            """,
            """
                With the hedge, a shock matters to the levels at expiry through what the hedge gains
                by it.
            """,
        ),
    ),
)
