"""G: the governors. They cap and never add; only G6 forces a sale."""

from strategies.rulebook.entry import RuleEntry

GOVERNORS = (
    RuleEntry(
        id="G1",
        name="Cost",
        sentence="""
            Net hedge cost of the trailing 365 days over net liquidation: above the soft limit only
            the L1 core opens, above the hard limit nothing outside R3 and R4.
        """,
        formula="""
            `(cost of 365 days + premium this plan may still pay) / NLV` against `cost_soft`,
            `cost_hard`
        """,
        absent="The cost is the ledger's own and never absent.",
        source=("S1",),
        modules=("strategies/alvh/governors.py", "state/books.py"),
        readings=(
            """
                Premiums, fees and futures' losses less payouts, by cash (`hedge_cash` in
                [database.md](database.md)), **plus the premium a plan may still pay**, so that one
                purchase cannot jump over the limit; futures pay none and stop once the limit is
                reached.
            """,
            """
                **In R3 and R4** what the vega floor needs goes on whatever the cost, and the hard
                limit does not stop the core; what activation and rotation want beyond the floor
                stays inside the soft limit there too.
            """,
        ),
    ),
    RuleEntry(
        id="G2",
        name="Core premium",
        sentence="""
            A share of each new condor's credit goes into short-dated VIX calls, the core of L1.
        """,
        formula="`floor(core_premium x credit x 100 x quantity / (ask x 100))` of L1's best call",
        absent="Where VIX or its options are not seen, it waits, and the plan says so.",
        source=("S1",),
        modules=("strategies/alvh/core.py",),
        readings=(
            """
                The core **follows fills**. It is decided once a condor, in the first priced
                decision that finds the condor in the book with neither entry nor close at work and
                a call of L1's tenor on offer, on the credit it was **filled at**. What one credit
                cannot buy is not saved up for the next.
            """,
            """
                Calls that L1 holds beyond its core, and that neither its target nor the band needs,
                become core before any are bought; in an interval that decides a core while a call
                of L1's tenor is offered L1 sells no surplus.
            """,
            """
                G1's soft limit lets the core through, its hard limit does not (outside R3 and R4);
                G3, G6, G7 and L7 bind it too. Its gate records money, money spent, and why there is
                none.
            """,
        ),
    ),
    RuleEntry(
        id="G3",
        name="Notional",
        sentence="""
            Hedge notional over condor max loss: at most 25 %, times the CAPM-adjusted volatility
            forecast ratio.
        """,
        formula="""
            notional `<= notional_cap x ratio x max loss of the condors`; ratio = clip(clip(VIX /
            mean of 252 closes, 0.5, 2) x clip(1 + beta of the condors, 0.5, 2), 0.5, 2)
        """,
        absent="""
            Without VIX or 60 closes the ratio is 1, without a beta it is not adjusted, and the plan
            says so.
        """,
        source=("S2",),
        modules=("strategies/alvh/governors.py",),
        readings=(
            """
                Notional is **the cost of what is held** and at work: premium paid for calls, price
                x multiplier for futures.
            """,
            "In R3 and R4 what the vega floor still needs is exempt.",
        ),
    ),
    RuleEntry(
        id="G4",
        name="Return with the hedge",
        sentence="""
            The expected IRR of the book with the planned hedge stays at or above the hurdle, else
            the newest layer is scaled down first.
        """,
        formula="""
            IRR of the flows of the condors that stay, the hedge as held and what the plan adds `>=
            max(hurdle, WACC)`; else additions are left out contract by contract
        """,
        absent="An IRR that cannot be worked out does not bind, and the plan says so.",
        source=("S0", "S3"),
        modules=("strategies/alvh/return_cap.py", "strategies/risk/measures.py"),
        readings=(
            """
                L3's additions go first, then L2's, then what L1 adds beyond its core, in each layer
                the longest expiry first. Nothing is sold, and the core stays. In R3 and R4 what the
                vega floor needs stays too.
            """,
            "Each plan records the book's IRR before and after.",
        ),
    ),
    RuleEntry(
        id="G5",
        name="WACC",
        sentence="The weighted cost of capital of the account is a floor for G4 and C8.",
        formula="""
            `E/(E+D) x (rf + beta x ERP) + D/(E+D) x (rf + margin_spread)`; E = NLV, D = max(0,
            maintenance margin - cash), beta = delta dollars x SPX / NLV, the hedge's through its
            usual SPX move included
        """,
        absent="Without a value for the book there is no beta: the hurdle alone counts.",
        source=("S0", "S1", "S2", "S3", "S4"),
        modules=("strategies/pricing/capital.py",),
        readings=(
            """
                Beta is the CAPM beta of the book: what it gains, in shares of NLV, when SPX rises
                by its own value. The risk-free rate is the snapshot's.
            """,
        ),
    ),
    RuleEntry(
        id="G6",
        name="Quick ratio",
        sentence="""
            (cash + bills + excess liquidity) / maintenance margin. Below 1.5 L3 does not grow;
            below 1.0 nothing opens and everything reduces.
        """,
        formula="`(cash + excess liquidity) / maintenance margin` against `quick_ratio` and 1",
        absent="Without margin in use it does not bind.",
        source=("S0",),
        modules=(
            "strategies/alvh/governors.py",
            "strategies/alvh/liquidity.py",
            "strategies/decide.py",
        ),
        readings=(
            "Bills are cash at the broker.",
            """
                Below 1.0 condors are closed, the largest margin first, then hedge futures sold,
                urgently and no more than it takes: freeing margin F for a debit D adds 2 F - D to
                what the ratio lacks, `maintenance - cash - excess`. What is being closed anyhow
                counts; VIX calls tie up no margin and stay.
            """,
            """
                A purchase **also needs its premium, or a future's initial margin, in excess
                liquidity**.
            """,
        ),
    ),
    RuleEntry(
        id="G7",
        name="Over-hedging",
        sentence="No order may take v above +0.10 or a layer's scale above 1.5.",
        formula="""
            v with every purchase at work filled and no sale of the plan `<= min(max_net_vega,
            band_high)`, less B8's inner margin
        """,
        absent="While something held has no value nothing is added.",
        source=("S4",),
        modules=("strategies/alvh/rebalance.py", "strategies/decide.py"),
        readings=(
            """
                The lower of this and B8's ceiling counts, and purchases end a little below it, at
                B8's inner line.
            """,
        ),
    ),
    RuleEntry(
        id="G8",
        name="No uncovered short",
        sentence="""
            Every short option has a long of the same underlying, settlement class and right, in at
            least its quantity, expiring on or after it; a VIX option one of the same expiry.
        """,
        formula="per class, from the last expiry to the first: longs so far `>=` shorts so far",
        absent="It needs no price.",
        source=("ours",),
        modules=(
            "strategies/pricing/margin.py",
            "strategies/risk/cover.py",
            "strategies/risk/checks/worst_case.py",
        ),
        readings=(
            """
                Three times over: condors trade as one package of four legs; the gate refuses an
                order if some subset of the orders at work, whatever their number, would leave a
                short uncovered; the simulated exchange refuses it again. A book with an uncovered
                short opens nothing.
            """,
        ),
    ),
    RuleEntry(
        id="G9",
        name="Dislocation",
        sentence="""
            While VIX has come apart from SPX (S8) no hedge order crosses the market: passive limits
            only.
        """,
        formula="`abs(S8) > dislocation_z`: hedge orders rest at the mid of their plan",
        absent="S8 absent: it does not bind.",
        source=("S0", "S2"),
        modules=("strategies/alvh/passive.py", "bot/engine/errands.py"),
        readings=(
            "What G6 or G8 demand is exempt: it has to trade.",
            """
                **It rests.** An order that followed the mid from second to second would never meet
                the market; this one stays for the interval, and the market comes to it or does not.
            """,
        ),
    ),
)
