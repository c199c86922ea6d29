"""Contract ids: a number that spells its contract, so that every process gives the same one.

The ids of options and futures can be read back. A client may therefore come with an id that this
process has never handed out, and two contracts never share one.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from bot.gateway.contracts.symbols import INDEX_CON_IDS
from strategies.model.ids import digest
from strategies.model.instruments import FutureContract, Instrument, OptionContract, Right

_EPOCH: Final = date(2000, 1, 1)
_DAYS: Final = 1 << 15

_OPTION_ROOTS: Final = ("SPX", "SPXW", "VIX", "VIXW")
_STRIKE_STEPS: Final = {"SPX": Decimal(5), "VIX": Decimal("0.5")}  # by underlying
_STEPS: Final = 6000  # strikes of one series: up to 29,995 on SPX and 2,999.5 on VIX
_RIGHTS: Final = (Right.PUT, Right.CALL)
_KINDS: Final = len(_OPTION_ROOTS) * len(_RIGHTS)
_OPTIONS_FROM: Final = 500_000_000
_OPTIONS_TO: Final = _OPTIONS_FROM + _DAYS * _KINDS * _STEPS
assert _OPTIONS_TO < 1 << 31, "contract ids are 32-bit"

_FUTURE_ROOTS: Final = ("VX", "VXM")
_FUTURES_FROM: Final = 400_000_000
_FUTURES_TO: Final = _FUTURES_FROM + _DAYS * len(_FUTURE_ROOTS)

_OTHERS_FROM: Final = 100_000_000
_OTHERS: Final = 100_000_000


def con_id_of(instrument: Instrument) -> int | None:
    """Return the id of an option or a future; None where its strike or day is off every grid."""
    day = (instrument.expiry - _EPOCH).days
    if not 0 <= day < _DAYS:
        return None
    if isinstance(instrument, FutureContract):
        place = day * len(_FUTURE_ROOTS) + _FUTURE_ROOTS.index(instrument.root)
        return _FUTURES_FROM + place
    steps, rest = divmod(instrument.strike, _STRIKE_STEPS[instrument.underlying])
    if rest or steps >= _STEPS:
        return None
    kind = _OPTION_ROOTS.index(instrument.root) * len(_RIGHTS) + (instrument.right is Right.CALL)
    return _OPTIONS_FROM + (day * _KINDS + kind) * _STEPS + int(steps)


def instrument_of(con_id: int) -> Instrument | None:
    """Return what an id spells, listed or not; None if it is not of an option or a future."""
    if _FUTURES_FROM <= con_id < _FUTURES_TO:
        day, root = divmod(con_id - _FUTURES_FROM, len(_FUTURE_ROOTS))
        return FutureContract(_FUTURE_ROOTS[root], _EPOCH + timedelta(days=day))
    if not _OPTIONS_FROM <= con_id < _OPTIONS_TO:
        return None
    place, steps = divmod(con_id - _OPTIONS_FROM, _STEPS)
    day, kind = divmod(place, _KINDS)
    root, right = divmod(kind, len(_RIGHTS))
    name = _OPTION_ROOTS[root]
    if not steps:
        return None
    strike = steps * _STRIKE_STEPS["SPX" if name.startswith("SPX") else "VIX"]
    return OptionContract(name, _EPOCH + timedelta(days=day), _RIGHTS[right], strike)


def named_con_id(name: str) -> int:
    """Return the id of an index: IB's own, or one derived from its name."""
    known = INDEX_CON_IDS.get(name)
    return _OTHERS_FROM + int(digest("contract", name), 16) % _OTHERS if known is None else known
