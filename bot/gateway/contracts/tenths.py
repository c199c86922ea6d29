"""SPY options, stand-ins like SPY itself: each is a tenth of an SPXW option.

The option at ten times the strike, of the same right and expiry, priced at a tenth. They are
therefore European and settle in cash at the afternoon value of SPX; real ones are American and
deliver shares, and have expiries and strikes of their own.
"""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from bot.gateway import words
from bot.gateway.contracts.listed import Listed
from strategies.model.instruments import OptionContract, Right
from strategies.model.quotes import FloatArray

SYMBOL: Final = "SPY"
WHOLE_ROOT: Final = "SPXW"
TICK: Final = Decimal("0.01")
_TENTH: Final = Decimal("0.1")
_UNSET: Final = 1e300  # 1.7976931348623157E308 stands for no strike

_FROM: Final = 200_000_000  # contract ids: they spell their contract, like those of SPX options
_EPOCH: Final = date(2000, 1, 1)
_DAYS: Final = 1 << 14
_STEPS: Final = 6000
_STEP: Final = Decimal(5)  # SPX points
_RIGHTS: Final = (Right.PUT, Right.CALL)
_TO: Final = _FROM + _DAYS * len(_RIGHTS) * _STEPS

# By column of an option computation: vol, delta, price, dividends, gamma, vega, theta, underlying
_FACTORS: Final = np.array([1.0, 1.0, 0.1, 0.1, 10.0, 0.1, 0.1, 0.1])


def is_asked(contract: words.Contract) -> bool:
    """Return whether a description is one of SPY options."""
    names = {
        contract.symbol.strip().upper(),
        contract.trading_class.strip().upper(),
        contract.local_symbol.strip().upper().partition(" ")[0],
    }
    return contract.sec_type.upper() == "OPT" and SYMBOL in names and names <= {SYMBOL, ""}


def whole_description(contract: words.Contract) -> words.Contract:
    """Return the same description of the SPXW options these are a tenth of."""
    strike = contract.strike
    if 0 < strike < _UNSET:
        strike = float(Decimal(repr(strike)) * 10)
    stem, _, tail = contract.local_symbol.strip().rpartition(" ")
    if stem:
        stem, tail = f"{WHOLE_ROOT}  ", f"{tail[:-8]}{tail[-7:]}0"  # ten times the thousandths
    return replace(
        contract,
        symbol="SPX",
        trading_class=WHOLE_ROOT,
        strike=strike,
        local_symbol=f"{stem}{tail}",
    )


def tenth_listed(whole: Listed) -> Listed | None:
    """Return the SPY option that is a tenth of an SPXW option; None if its day has no id."""
    option = whole.instrument
    assert isinstance(option, OptionContract), "only options have tenths"
    place = (option.expiry - _EPOCH).days
    steps, rest = divmod(option.strike, _STEP)
    if not 0 <= place < _DAYS or rest or steps >= _STEPS:
        return None
    con_id = _FROM + (place * len(_RIGHTS) + (option.right is Right.CALL)) * _STEPS + int(steps)
    strike = option.strike * _TENTH
    local_symbol = f"{SYMBOL:<6}{option.expiry:%y%m%d}{option.right.value}{int(strike * 1000):08d}"
    return Listed(
        con_id=con_id,
        contract=replace(
            whole.contract,
            con_id=con_id,
            symbol=SYMBOL,
            strike=float(strike),
            local_symbol=local_symbol,
            trading_class=SYMBOL,
        ),
        stand_in=local_symbol,
        tenth_of=option,
        last_trade_at=whole.last_trade_at,
        settles_at=whole.settles_at,
        min_tick=TICK,
    )


def whole_option(con_id: int) -> OptionContract | None:
    """Return the SPXW option an SPY option's id spells a tenth of; None for another id."""
    if not _FROM <= con_id < _TO:
        return None
    place, steps = divmod(con_id - _FROM, _STEPS)
    day, right = divmod(place, len(_RIGHTS))
    if not steps:
        return None
    expiry = _EPOCH + timedelta(days=day)
    return OptionContract(WHOLE_ROOT, expiry, _RIGHTS[right], steps * _STEP)


def tenth_bids(bids: FloatArray) -> FloatArray:
    """Return a tenth of SPX bids, down to the cent."""
    result: FloatArray = np.floor(np.round(bids * 10, 6)) / 100
    return result


def tenth_asks(asks: FloatArray) -> FloatArray:
    """Return a tenth of SPX offers, up to the cent."""
    result: FloatArray = np.ceil(np.round(asks * 10, 6)) / 100
    return result


def tenth_computations(whole: FloatArray, not_computed: FloatArray) -> FloatArray:
    """Return SPX option computations (..., 8) for a tenth of the option.

    Args:
        whole: Those of the SPX options.
        not_computed: What stands for values nobody knows, (8,).
    """
    result: FloatArray = np.where(whole == not_computed, whole, whole * _FACTORS)
    return result
