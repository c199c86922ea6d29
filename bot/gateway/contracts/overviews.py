"""Overviews: the expirations and strikes of an underlying, and what a typed name may mean."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from bot.gateway.contracts.canonical import index_listed
from bot.gateway.contracts.listed import Listed
from bot.gateway.contracts.symbols import INDEX_NAMES, SPY, STANDS, eight_digits
from bot.gateway.contracts.tenths import SYMBOL, WHOLE_ROOT
from bot.gateway.contracts.universe import Universe
from strategies.model.instruments import ROOTS

_EXCHANGES: Final = ("SMART", "CBOE")
_SAMPLES_MOST: Final = 16
_DERIVATIVES: Final = {"SPX": ("OPT",), "VIX": ("OPT", "FUT"), "SPY": ("OPT",)}


def option_params(universe: Universe, underlying: Listed) -> tuple[Mapping[str, Any], ...]:
    """Return the values of the secDefOptParam messages of an index or of SPY.

    One an exchange and class.
    """
    if underlying.con_id == SPY:
        whole = option_params(universe, index_listed("SPX"))
        return tuple(
            {
                **values,
                "underConId": SPY,
                "tradingClass": SYMBOL,
                "strikes": tuple(round(strike / 10, 1) for strike in values["strikes"]),
            }
            for values in whole
            if values["tradingClass"] == WHOLE_ROOT
        )
    classes: dict[str, tuple[set[str], set[Decimal]]] = {}
    for terms in universe.series_of(tuple(ROOTS)):
        if ROOTS[terms.root].underlying == underlying.index:
            expirations, strikes = classes.setdefault(terms.root, (set(), set()))
            expirations.add(eight_digits(terms.last_trade_day))
            strikes.update(universe.strikes((terms.root, terms.expiry)))
    return tuple(
        {
            "exchange": exchange,
            "underConId": underlying.con_id,
            "tradingClass": root,
            "multiplier": str(ROOTS[root].multiplier),
            "expirations": tuple(sorted(expirations)),
            "strikes": tuple(float(strike) for strike in sorted(strikes)),
        }
        for exchange in _EXCHANGES
        for root, (expirations, strikes) in classes.items()
    )


def samples(pattern: str, among: Iterable[Listed]) -> tuple[Mapping[str, Any], ...]:
    """Return the samples of a symbolSamples message that a pattern fits, the symbol itself first.

    A symbol fits that begins with the pattern, or a name that contains it.
    """
    wanted = pattern.strip().upper()
    fitting = [
        _sample(listed)
        for listed in among
        if wanted and (listed.contract.symbol.startswith(wanted) or wanted in _name(listed).upper())
    ]
    fitting.sort(
        key=lambda sample: (not sample["symbol"].startswith(wanted), len(sample["symbol"]))
    )
    return tuple(fitting[:_SAMPLES_MOST])


def _name(listed: Listed) -> str:
    if listed.index is not None:
        return INDEX_NAMES.get(listed.index, listed.index)
    return STANDS[listed.con_id].long_name


def _sample(listed: Listed) -> dict[str, Any]:
    contract = listed.contract
    return {
        "conId": contract.con_id,
        "symbol": contract.symbol,
        "secType": contract.sec_type,
        "primaryExchange": contract.primary_exchange or contract.exchange,
        "currency": contract.currency,
        "derivativeSecTypes": _DERIVATIVES.get(contract.symbol, ()),
        "description": _name(listed),
        "issuerId": "",
    }
