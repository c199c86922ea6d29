"""The L1 core: a share of each new condor's credit, spent on short VIX calls once it is held (G2).

The core follows fills, not plans: it is decided once a condor, in the first priced decision that
finds it in the book with its entry no longer at work and a call of L1's tenor on offer, and is
sized on the credit it was filled at. What one credit cannot buy is not saved up for the next. G1's
soft limit lets the core through, its hard limit does not (outside R3 and R4).

Calls that L1 holds beyond its core, and that nothing else asks for, become core before any are
bought: they would be sold as surplus while the same are bought next to them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from strategies.alvh.governors import Budget, whole
from strategies.alvh.holdings import Lot
from strategies.alvh.instruments import Candidate
from strategies.alvh.rebalance import Purchases, Sales
from strategies.model.book import CondorPosition, root_id
from strategies.model.plan import Gate
from strategies.model.rules import Rules


def condors_to_insure(
    condors: Sequence[CondorPosition], insured: Collection[str], purposes_at_work: Collection[str]
) -> tuple[CondorPosition, ...]:
    """Return the condors whose core is to be decided now (G2).

    Args:
        condors: Held, and not closed by this plan.
        insured: First ids of those whose core has been decided; a roll asks for no second one.
        purposes_at_work: An entry that may still fill is waited for; a condor on its way out gets
            no core.
    """
    return tuple(
        condor
        for condor in condors
        if root_id(condor.condor_id) not in insured
        and f"condor:{condor.condor_id}:open" not in purposes_at_work
        and f"condor:{condor.condor_id}:close" not in purposes_at_work
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreNeed:
    """What the core of new condors is sized on."""

    condors: tuple[CondorPosition, ...]  # the new ones
    core_contracts: int  # core held for the condors before them
    calls_held: int  # calls of L1, the core among them
    lacking_usd: float  # factor vega that L1 or the band's floor lacks and that stays lacking
    most_usd: float  # factor vega that L1's largest scale still leaves room for

    @property
    def credit_usd(self) -> float:
        """What the new condors were sold for."""
        return float(sum(c.entry_credit * 100 * c.quantity for c in self.condors))

    @property
    def name(self) -> str:
        """Whose core it is."""
        return "core for " + ", ".join(condor.condor_id for condor in self.condors)


def buy_core(
    purchases: Purchases,
    need: CoreNeed,
    ranked: Sequence[Candidate],
    *,
    budget: Budget,
    rules: Rules,
) -> tuple[int, Gate]:
    """Buy the core of new condors; return L1's core contracts with it, and G2's gate.

    Args:
        purchases: The plan's purchases; the core joins them.
        need: The new condors, and what L1 holds.
        ranked: L1's candidates, best first; only calls serve as core.
        budget: The governors.
        rules: The share of the credit.
    """
    money = rules.governors.core_premium * need.credit_usd
    spare = need.calls_held - need.core_contracts
    calls = [candidate for candidate in purchases.free("L1", ranked) if candidate.is_call]
    several = len({call.expiry for call in calls}) > 1
    core, bought, spent, missing = need.core_contracts, 0, 0.0, 1
    note = "no VIX call of its tenor and delta is quoted"
    for call in calls:
        wanted = whole(money / call.premium_usd)
        if wanted == 0:
            note = f"one {call.instrument} costs {call.premium_usd:.0f}"
            break
        lacking = whole(need.lacking_usd / call.unit_vega_usd)
        missing = max(wanted - spare, min(wanted, lacking))
        rooms = budget.rooms(call, layer="L1", is_core=True)
        rooms["G7"] = whole(min(purchases.ceiling_left_usd, need.most_usd) / call.unit_vega_usd)
        tightest = min(rooms, key=lambda rule: rooms[rule])
        bought = min(missing, rooms[tightest])
        if bought and several and not purchases.keeps_stagger("L1", call, bought):
            bought, note = 0, "L7 leaves no room"
            continue
        core = min(core + wanted, need.calls_held + bought)
        note = f"{tightest} leaves no room" if missing else f"{wanted} of the calls held"
        if bought:
            purchases.buy("L1", call, bought, ("L1", "G2"))
            spent, note = bought * call.premium_usd, f"{bought} {call.instrument}"
        break
    gate = Gate(
        rule="G2",
        name="core premium in USD",
        value=round(spent, 2),
        threshold=round(money, 2),
        passed=bought > 0 or missing == 0,
        note=f"{need.name}: {note}",
    )
    return core, gate


def calls_held(lots: Sequence[Lot], sales: Sales) -> int:
    """Return how many calls L1 holds after the sales, orders at work filled."""
    calls = sum(lot.expected - sales.sold(lot) for lot in lots if lot.is_call and lot.layer == "L1")
    return max(0, calls)


def core_held(core_contracts: int, lots: Sequence[Lot], sales: Sales) -> int:
    """Return how many core contracts are left after the sales: at most the calls L1 holds."""
    return min(core_contracts, calls_held(lots, sales))


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
