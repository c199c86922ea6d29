"""What could be lost if orders at work filled, in any combination: arithmetic of its own (I6).

Nothing here asks the risk gate: a bound that were computed by what it checks would prove nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import Final

from strategies.model.instruments import FutureContract, OptionContract, parse_symbol
from strategies.model.limits import Limits

_ENUMERATED_MOST: Final = 6  # orders; of more, all at once
_MINIS_A_FUTURE: Final = 10
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An order that may still fill."""

    name: str
    legs: tuple[tuple[str, int], ...]  # (symbol, signed contracts of one package)
    quantity: int  # packages that may fill
    limit_price: Decimal  # index points a package, paid > 0


def beyond_limits(
    positions: Mapping[str, int], cash_usd: Decimal, pending: Sequence[Pending], limits: Limits
) -> Iterator[str]:
    """Yield every combination of orders whose fills would break a limit that holds now.

    Args:
        positions: Net contracts by symbol.
        cash_usd: What the SPX options among them brought in.
        pending: The orders at work, and the one to be sent.
        limits: What the bot obeys.
    """
    already = {name for name, _ in _broken(positions, cash_usd, limits)}
    for chosen in _subsets(pending):
        held, cash = Counter(positions), cash_usd
        for order in chosen:
            for symbol, ratio in order.legs:
                held[symbol] += ratio * order.quantity
            if any(symbol.startswith("SPX") for symbol, _ in order.legs):
                cash -= order.limit_price * 100 * order.quantity
        for name, found in _broken(held, cash, limits):
            if name not in already:
                yield f"{found} once {', '.join(each.name for each in chosen)} filled"


def _subsets(pending: Sequence[Pending]) -> Iterator[tuple[Pending, ...]]:
    if len(pending) > _ENUMERATED_MOST:
        yield tuple(pending)
        return
    for size in range(1, len(pending) + 1):
        yield from combinations(pending, size)


def _broken(
    positions: Mapping[str, int], cash_usd: Decimal, limits: Limits
) -> Iterator[tuple[str, str]]:
    loss = worst_loss_usd(positions, cash_usd)
    if loss is None or loss > limits.total_max_loss_usd:
        yield "loss", f"{loss if loss is not None else 'unlimited'} USD could be lost"
    futures = _ZERO
    condors: Counter[str] = Counter()
    for symbol, net in positions.items():
        instrument = parse_symbol(symbol)
        if isinstance(instrument, FutureContract):
            futures += Decimal(abs(net)) / (_MINIS_A_FUTURE if instrument.root == "VXM" else 1)
        elif instrument.underlying == "VIX" and abs(net) > limits.hedge_contracts_max:
            yield symbol, f"{net} of {symbol}"
        elif instrument.underlying == "SPX" and net < 0:
            condors[instrument.right] -= net
    if max(condors.values(), default=0) > limits.condors_max:
        yield "condors", f"{max(condors.values())} condors"
    if futures > limits.futures_contracts_max:
        yield "futures", f"{futures} futures"


def worst_loss_usd(positions: Mapping[str, int], cash_usd: Decimal) -> Decimal | None:
    """Return the worst that SPX options can lose at expiry, each expiry by itself; None = all."""
    groups: dict[tuple[object, ...], list[tuple[OptionContract, int]]] = defaultdict(list)
    for symbol, net in positions.items():
        instrument = parse_symbol(symbol)
        if net and isinstance(instrument, OptionContract) and instrument.underlying == "SPX":
            groups[instrument.root, instrument.expiry].append((instrument, net))
    worst = _ZERO
    for held in groups.values():
        if sum(net for option, net in held if option.right == "C") < 0:
            return None
        levels = {option.strike for option, _ in held} | {_ZERO}
        worst += min(_payoff_usd(held, level) for level in levels)
    return -worst - cash_usd


def _payoff_usd(held: Iterable[tuple[OptionContract, int]], level: Decimal) -> Decimal:
    total = _ZERO
    for option, net in held:
        sign = 1 if option.right == "C" else -1
        total += net * option.multiplier * max(_ZERO, sign * (level - option.strike))
    return total
