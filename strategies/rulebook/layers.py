"""L: the three hedge layers, their size and their instruments."""

from strategies.rulebook.entry import RuleEntry

LAYERS = (
    RuleEntry(
        id="L1",
        name="Shock absorber",
        sentence="""
            To 30 days; half of -V_c. Core: what G2 bought, always. Boost to the full share while S1
            is latched high or S5 holds.
        """,
        formula="target = core, or `l1_share x (-V_c) x scale` while boosted, in USD per VIX point",
        absent="S1 or S5 absent does not boost; the other one still may.",
        source=("S0", "S1", "S2", "S4"),
        modules=(
            "strategies/alvh/layers.py",
            "strategies/alvh/boost.py",
            "strategies/alvh/core.py",
        ),
        readings=(
            "Instruments: VIX calls inside the delta window, VXM and VX.",
            "A boost may be held up by E (technical spike) and T1, and made smaller by E and B7.",
            """
                While B1 or B3 has cut L1 its boost is smaller by the same fraction. The core counts
                up to L1's largest scale; without condors not even the core is wanted.
            """,
        ),
    ),
    RuleEntry(
        id="L2",
        name="Mid-term buffer",
        sentence="""
            31 to 90 days; 30 % of -V_c. Active: S2 weak and backwardation above 3 %; or after
            rotation B1 or B3; or in the pre-event window, scaled by B4; or by B2.
        """,
        formula="""
            target = `l2_share x (-V_c) x scale`; gate `RSI(SPX) < rsi_spx_weak and S7 >
            l2_backwardation`; of gate, rotation and event the strongest counts, B2 and what the
            rotation freed are added
        """,
        absent="S2 or S7 absent does not activate it; a rotation under way goes on.",
        source=("S0", "S1", "S4"),
        modules=("strategies/alvh/layers.py",),
        readings=(
            "Instruments: VX and VXM, VIX calls; in B6's window calls first.",
            """
                After a rotation it is as active as L1 is cut; by B2 alone it has a quarter of its
                share.
            """,
        ),
    ),
    RuleEntry(
        id="L3",
        name="Second engine",
        sentence="""
            91 to 190 days; 20 % of -V_c. Active: R4; or RSI(VIX) low while SPX keeps falling (below
            its 20-day mean and below 5 days ago). It grows only while G6 allows.
        """,
        formula="""
            target = `l3_share x (-V_c) x scale`; gate R4, or `RSI(VIX, l3_rsi_period) <
            rsi_vix_low` and `SPX < mean(l3_sma)` and `SPX < SPX 5 days ago`
        """,
        absent="What is absent does not activate it.",
        source=("S0", "S1", "S4"),
        modules=("strategies/alvh/layers.py",),
        readings=(
            """
                RSI(VIX, 14) below 30 held on no day of a falling market in twenty years, which is
                why the gate has a period of its own; R4 is L3's working gate, see [how often each
                gate holds](conventions.md#how-often-each-gate-holds).
            """,
            "B3's weight goes here where T3 says that the hedge will be short there.",
            "Instruments: VIX calls, VX and VXM up to the sixth month.",
        ),
    ),
    RuleEntry(
        id="L4",
        name="Target",
        sentence="""
            Of a layer in USD per VIX point: share x (-V_c) x scale, scale between 0 and 1.5;
            contracts are rounded toward zero. Where V_c >= 0, L2 and L3 take what the book would be
            short in a fall.
        """,
        formula="""
            `share x (-V_c) x scale`, `0 <= scale <= max_scale`; for V_c >= 0 in its place `-min(0,
            V_c under SPX -7 %, VIX +8)`
        """,
        absent="""
            Without a value for the condors there is no target: the hedge stays as it is, only B10
            and G6 go on.
        """,
        source=("ours",),
        modules=("strategies/alvh/layers.py", "strategies/alvh/hedge.py"),
        readings=(
            """
                The hedge is sized on the condors **held and not being closed** by the plan. A
                condor being opened is hedged, core and all, from the next interval on, once it has
                filled.
            """,
            "V_c in a fall is the slope of the condors' loss in VIX after SPX -7 %, VIX +8.",
        ),
    ),
    RuleEntry(
        id="L5",
        name="Instrument",
        sentence="""
            Among those permitted the cheapest carry per unit of factor vega, less what convexity
            under VIX +8 is worth.
        """,
        formula="""
            lowest `carry_weight x carry - convexity_weight x convexity`, VIX points per unit of
            factor vega; carry of a future `10 x (mid - VIX) / days`, of a call `10 x (delta x
            (future - VIX) / days - theta)`, plus one spread
        """,
        absent="""
            What has no two-sided quote or no value is no candidate; without any the layer says L5.
        """,
        source=("S0", "S1", "S4"),
        modules=("strategies/alvh/instruments.py", "strategies/alvh/rebalance.py"),
        readings=(
            """
                Carry is what ten days cost: a future rolls toward spot VIX in a straight line.
                Convexity is what VIX +8 pays beyond a straight line; a future has none.
            """,
            """
                Candidates lie within VX months 1 to 6 and can be held 5 days at least before B10
                rolls them; calls are picked by delta on the VIX surface and cost at least
                `min_premium`. Those that G3 lets fill the whole gap come first, by score; behind
                them the others, by notional per vega. The first that the governors leave any room
                for is bought.
            """,
            """
                What is held in the layer already, or is being bought, goes before anything whose
                score is better by no more than `held_margin`: strikes change places with every
                quote, and lots would splinter.
            """,
            """
                Ties go to calls in L1 and L3, to futures in L2. The instrument that came second is
                recorded.
            """,
        ),
    ),
    RuleEntry(
        id="L6",
        name="Sign",
        sentence="""
            Opposite to V_c: against a short-vega book the hedge is long volatility; against a
            vega-positive book L1 is short VX or VXM for its share of the vega, L2 and L3 stay long.
        """,
        formula="""
            `bias: positive` and V_c > 0: L1 is short futures for `l1_share x V_c`; L2 and L3 by
            L4's second measure
        """,
        absent="As L4: without a value for the condors there is no target.",
        source=("S0",),
        modules=("strategies/alvh/short_side.py", "strategies/alvh/layers.py"),
        readings=(
            "Only futures are sold short: a short call would be G8's.",
            """
                The short side goes by L5's score turned round, L7, B9, G1, G3, G6 and the mirrored
                ceiling: v not below `-band_high`. It is bought back at once where V_c is no longer
                positive, the bias has changed or v has fallen below the band.
            """,
            """
                Spot beyond the wings can make a negative book vega-positive for a while: under
                `bias: negative` L1 then wants nothing.
            """,
        ),
    ),
    RuleEntry(
        id="L7",
        name="Staggered expirations",
        sentence="""
            No expiry holds more than 60 % of a layer once the layer has 4 or more contracts.
        """,
        formula="""
            contracts of one expiry `<= stagger_max_share x contracts of the layer`, from
            `stagger_from_contracts` on
        """,
        absent="Where fewer than two expiries are tradable it does not bind.",
        source=("ours",),
        modules=("strategies/alvh/instruments.py", "strategies/alvh/rebalance.py"),
        readings=(
            """
                It binds purchases, contract by contract, and **only where two or more expiries are
                tradable** in the layer's tenor. What cannot be placed is not bought.
            """,
        ),
    ),
)
