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
        modules=("strategies/condor/entry.py", "bot/app/schedule.py"),
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
            of the 20 nearest wings a side those with `min_net_vega <= vega <= max_net_vega` and `0
            < credit < width`; equal wings first; of these the largest credit / (width - credit)
        """,
        absent="A wing without a two-sided quote is no candidate; without any there is no entry.",
        source=("S4",),
        modules=("strategies/condor/selection.py",),
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
            net vega of one condor = sum of ratio x vega over its legs, inside
            `positive_min_net_vega .. positive_max_net_vega` (`neutral`: within +-
            `neutral_net_vega`); credit > 0; no long expires before the short of its side
        """,
        absent="A wing whose expiry has no trusted surface is no candidate.",
        source=("S0",),
        modules=("strategies/condor/selection.py",),
        readings=(
            """
                A plain same-expiry 1x1 condor can never be vega-positive: it is refused, with that
                reason.
            """,
            "Which structures are looked at is `condor.wings`; `either` tries ratio and diagonal.",
            """
                Max loss and margin of a ratio condor: `short_ratio x width - credit`, the worst at
                a long strike; the extra longs are paid for, not margined.
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
        modules=("strategies/condor/entry.py", "strategies/pricing/margin.py"),
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
            IRR of (-margin + credit - core premium at entry, + expected payoff + margin at expiry)
            `>= max(hurdle, WACC)`
        """,
        absent="""
            Where the IRR cannot be worked out there is no entry; without a WACC the hurdle alone
            counts.
        """,
        source=("S0", "S3"),
        modules=("strategies/condor/entry.py", "strategies/pricing/returns.py"),
        readings=(
            "Hedge cost is G2's premium, `core_premium x credit`.",
            """
                The expected payoff is integrated over a lognormal with physical vol = implied vol x
                the trailing realised/implied ratio, see [conventions](conventions.md#returns).
            """,
        ),
    ),
    RuleEntry(
        id="C9",
        name="Exits",
        sentence="""
            Stop, time exit, profit target. Nothing is carried into settlement, because the time
            exit comes weeks before it.
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
                A stop starts half way to the natural price and may pay two ticks beyond it, a time
                exit walks to the natural price, a profit target stops at 60 % of the way.
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
            tested: `abs(delta of a short) >= tested_delta`; roll credit `>= 0`; adjustments `<
            max_adjustments`; new max loss `<= max_loss_fraction x NLV`; days of what is opened `>=
            min_roll_dte`
        """,
        absent="A condor or a new leg that cannot be priced is not rolled.",
        source=("ours",),
        modules=("strategies/condor/adjust.py",),
        readings=(
            """
                A roll is one order of four legs: it closes one vertical and opens another. Each
                package that fills turns one condor of `C0007` into one of `C0007-1`; a partial fill
                leaves both in the book.
            """,
            """
                Nothing is adjusted that C9 or G6 closes, nor while an order of that condor is at
                work.
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
            while R3 holds: loss saved under VIX +8 with its usual SPX move, per dollar of cost, of
            the roll `>` of the hedge
        """,
        absent="Without R3, a value for the condor or a priced hedge nothing is moved.",
        source=("S2",),
        modules=("strategies/condor/adjust.py",),
        readings=("C10's limits hold: a credit, at most so many adjustments, C7's max loss.",),
    ),
    RuleEntry(
        id="C12",
        name="Break-evens",
        sentence="""
            The break-even points of the condors alone and of condors and hedge are tracked each
            interval, today and under VIX +5 and +8.
        """,
        formula="""
            at expiry `short put - credit`, `short call + credit`; today the SPX levels at which
            model prices on the moved surface give no gain, the nearest on each side
        """,
        absent="""
            A book of which something has no value opens nothing: the gate names it; break-evens are
            then not recorded.
        """,
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=("strategies/risk/measures.py", "strategies/pricing/breakevens.py"),
        readings=("Levels are looked for within 25 % of the index; beyond there is none.",),
    ),
)
