"""The L1 core: a share of each new condor's credit, spent on short VIX calls at entry (G2).

The core is planned together with the condor it insures and sized on the least credit that the
entry accepts and the most the calls can cost, so that its share holds whatever the fills. What one
credit cannot buy is not saved up for the next. G1's soft limit lets the core through, its hard
limit does not (outside R3 and R4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from strategies.alvh.governors import Budget
from strategies.alvh.holdings import Lot
from strategies.alvh.instruments import Candidate
from strategies.alvh.rebalance import Band, Purchases, Sales, whole
from strategies.model.plan import Gate
from strategies.model.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningCondor:
    """What the hedge needs to know of a condor that the same plan opens."""

    quantity: int
    credit: Decimal  # the least it accepts, index points per condor
    max_loss_usd: Decimal  # of the whole position, at that credit
    factor_vega_usd: float  # of the whole position, USD per VIX point, < 0


def buy_core(
    purchases: Purchases,
    opening: OpeningCondor,
    ranked: Sequence[Candidate],
    *,
    budget: Budget,
    sales: Sales,
    condor_vega_usd: float,
    condors: int,
    rules: Rules,
) -> tuple[int, Gate]:
    """Buy the core of a condor being opened and return its contracts, with G2's gate.

    Args:
        purchases: The plan's purchases; the core joins them.
        opening: The condor.
        ranked: L1's candidates, best first; only calls serve as core.
        budget: The governors.
        sales: The plan's sales, for what L1 keeps.
        condor_vega_usd: V_c of the condors that stay.
        condors: N of the condors that stay.
        rules: The share, and the bounds of G7.
    """
    money = rules.governors.core_premium * float(opening.credit) * 100 * opening.quantity
    calls = [candidate for candidate in purchases.free("L1", ranked) if candidate.is_call]
    several = len({call.expiry for call in calls}) > 1
    with_it = condor_vega_usd + opening.factor_vega_usd
    band = Band.of(with_it, condors + opening.quantity, rules)
    # what L1 may hold at its largest scale, and what v's ceiling leaves, once the condor is open
    most = rules.layers.max_scale * rules.layers.l1_share * max(0.0, -with_it)
    held = sales.left_vega_usd() + sum(purchases.vega_usd(layer) for layer in ("L1", "L2", "L3"))
    in_l1 = sales.left_vega_usd("L1") + purchases.vega_usd("L1")
    note = "no VIX call of its tenor and delta is quoted"
    for call in calls:
        rooms = budget.rooms(
            call, layer="L1", is_core=True, extra_max_loss_usd=float(opening.max_loss_usd)
        )
        rooms["G7"] = whole(min(band.ceiling_usd - held, most - in_l1) / call.unit_vega_usd)
        rooms["G2"] = whole(money / call.premium_usd)
        tightest = min(rooms, key=lambda rule: rooms[rule])
        contracts = rooms[tightest]
        if contracts == 0:
            cost = f"one {call.instrument} costs {call.premium_usd:.0f}"
            note = cost if tightest == "G2" else f"{tightest} leaves no room"
            break
        if several and not purchases.keeps_stagger("L1", call, contracts):
            note = "L7 leaves no room"
            continue
        purchases.buy("L1", call, contracts, ("L1", "G2"))
        note = f"{contracts} {call.instrument}"
        return contracts, _gate(contracts * call.premium_usd, money, note)
    return 0, _gate(0.0, money, note)


def _gate(spent_usd: float, money_usd: float, note: str) -> Gate:
    return Gate(
        rule="G2",
        name="core premium in USD",
        value=round(spent_usd, 2),
        threshold=round(money_usd, 2),
        passed=spent_usd > 0,
        note=note,
    )


def core_held(core_contracts: int, lots: Sequence[Lot], sales: Sales) -> int:
    """Return how many core contracts are left after the sales: at most the calls L1 holds."""
    calls = sum(lot.expected - sales.sold(lot) for lot in lots if lot.is_call and lot.layer == "L1")
    return max(0, min(core_contracts, calls))


def core_vega_usd(core_contracts: int, lots: Sequence[Lot], sales: Sales) -> float:
    """Return the factor vega of the core, USD per VIX point: the longest L1 calls held count."""
    left, vega = core_contracts, 0.0
    for lot in reversed(lots):
        if not lot.is_call or lot.layer != "L1" or left <= 0:
            continue
        counted = min(left, lot.expected - sales.sold(lot))
        vega += counted * lot.unit_vega_usd
        left -= counted
    return vega
