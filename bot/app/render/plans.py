"""A plan in words: what was decided, and the book's measures by name."""

from collections.abc import Mapping
from datetime import datetime

from state.decisions import trades_of
from strategies.model.book import CondorLegs
from strategies.model.calendars import EXCHANGE_ZONE
from strategies.model.instruments import parse_symbol
from strategies.model.locks import WHOLE_BOOK, Lock
from strategies.model.plan import CondorOpen, LayerPlan, Plan


def lock_words(lock: Lock) -> str:
    """Return a lock in words: what it locks, why, until when, and its id."""
    what = "nothing" if lock.key == WHOLE_BOOK else f"nothing of {lock.key}"
    until = "until its cause is over" if lock.until is None else f"until {market_time(lock.until)}"
    return f"{what} opens: {lock.kind}: {lock.reason} ({until}, {lock.lock_id})"


def market_time(at: datetime) -> str:
    """Return an instant as the exchange's clocks show it: ``Mon 2020-03-09 10:00 EDT``."""
    return f"{at.astimezone(EXCHANGE_ZONE):%a %Y-%m-%d %H:%M %Z}"


def decision_sentence(plan: Plan) -> str:
    """Return what a plan does in one line, or why it does nothing."""
    parts = [f"close {close.condor_id} ({', '.join(close.rules)})" for close in plan.closes]
    parts += [
        f"roll {each.condor_id} to {each.new_condor_id} ({', '.join(each.rules)})"
        for each in plan.adjusts
    ]
    parts += [f"open {condor_words(condor)}" for condor in plan.opens]
    parts += [_layer_words(layer) for layer in plan.layers if trades_of(layer)]
    if parts:
        return "; ".join(parts)
    # A roll that does not fit is the news of one condor: why nothing at all is done goes first
    others = [each for each in plan.no_trade_reasons if not each.startswith(("C10:", "C11:"))]
    reason = next(iter(others or plan.no_trade_reasons), plan.hedge_state)
    return f"nothing: {reason}" if reason else "nothing"


def condor_words(condor: CondorOpen) -> str:
    """Return a condor to open: ``12 x C0007 20APR 2300/2310/3000/3010 for 1.15``."""
    credit = f"{condor.mid_credit:.2f}"
    return f"{condor.quantity} x {condor.condor_id} {legs_words(condor.legs)} for {credit}"


def legs_words(legs: CondorLegs) -> str:
    """Return expiry and strikes: ``20APR 2300/2310/3000/3010``, with ratios where there are any."""
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg, _ in legs.signed())
    expiry = f"{min(legs.short_put.expiry, legs.short_call.expiry):%d%b}".upper()
    ratio = "" if legs.long_ratio == legs.short_ratio else f" {legs.long_ratio}:{legs.short_ratio}"
    return f"{expiry} {strikes}{ratio}"


def _layer_words(layer: LayerPlan) -> str:
    trades = ", ".join(f"{count:+d} {symbol_words(symbol)}" for symbol, count in trades_of(layer))
    rules = f" ({', '.join(layer.rules)})" if layer.rules else ""
    return f"{layer.layer} {trades}{rules}"


def symbol_words(symbol: str) -> str:
    """Return an instrument as people write it: ``VIX 15APR20 30 C``."""
    return str(parse_symbol(symbol))


def regime_words(regime: dict[str, str]) -> str:
    """Return the regime labels in one line: ``R1 backwardation  R3 spike``."""
    return "  ".join(f"{rule} {label}" for rule, label in sorted(regime.items()))


MEASURE_WORDS: Mapping[str, str] = {
    "condor_contracts": "condor contracts",
    "condor_factor_vega_usd": "condor vega, USD per VIX point",
    "hedge_factor_vega_usd": "hedge vega, USD per VIX point",
    "net_vega_per_condor": "net vega per condor (v)",
    "delta_usd": "delta, USD per SPX point",
    "gamma_usd": "gamma, change of delta",
    "theta_usd_per_day": "theta, USD per day",
    "loss_vix_5_usd": "VIX +5 shock, USD",
    "loss_vix_8_usd": "VIX +8 shock, USD",
    "worst_shock_usd": "worst shock, USD",
    "worst_shock": "where it is",
    "shock_coverage": "covered there by the hedge",
    "irr": "expected rate (IRR), a year",
    "wacc": "cost of capital (G5), a year",
    "capm_beta": "beta",
    "vega_per_theta": "vega per theta (S12)",
    "quick_ratio": "quick ratio (G6)",
    "breakeven_low": "lower break-even of the nearest condor",
    "breakeven_high": "upper break-even of the nearest condor",
    "book_breakeven_low": "lower break-even today, hedged",
    "book_breakeven_high": "upper break-even today, hedged",
}
