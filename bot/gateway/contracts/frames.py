"""Details of whole chains as frames: contracts of a series differ in four values of forty.

One contract of each series goes through the codec with marks in place of those values, so that the
layout is written down once; the others are put together around what lies between the marks.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from bot.gateway.contracts.details import DetailsWriter
from bot.gateway.contracts.listed import Listed
from bot.gateway.protocol.codec import encode_reply
from bot.gateway.protocol.frames import frame
from bot.gateway.protocol.message import Message
from bot.gateway.protocol.primitives import spell_real

_REQ_ID: Final = 2_147_483_645
_CON_ID: Final = 2_147_483_646
_STRIKE: Final = 987_654.125
_RIGHT: Final = "<right>"
_LOCAL_SYMBOL: Final = "<local symbol>"
_FRAMES_A_PIECE: Final = 32


class _Between(NamedTuple):
    """The text of a message around its request id, strike, right, local symbol and contract id."""

    before_req_id: str
    before_strike: str
    before_right: str
    before_local_symbol: str
    before_con_id: str
    after: str


class DetailsFrames:
    """Spells details by the thousand."""

    def __init__(self, writer: DetailsWriter) -> None:
        self._writer = writer

    def pieces(
        self, found: Iterable[Listed], req_id: int, at: datetime, version: int
    ) -> Iterator[bytes]:
        """Yield the frames of the contractDetails of some contracts, a few dozen at a time."""
        series: dict[tuple[str, str, str, str], _Between] = {}
        piece: list[bytes] = []
        for listed in found:
            contract = listed.contract
            key = (
                contract.trading_class,
                contract.last_trade_date,
                contract.exchange,
                contract.symbol,
            )
            between = series.get(key)
            if between is None:
                details = self._writer.details(listed, at)
                between = series[key] = _between(details, version)
            text = (
                f"{between.before_req_id}{req_id}{between.before_strike}"
                f"{spell_real(contract.strike)}{between.before_right}{contract.right}"
                f"{between.before_local_symbol}{contract.local_symbol}{between.before_con_id}"
                f"{listed.con_id}{between.after}"
            )
            piece.append(frame(text.encode()))
            if len(piece) == _FRAMES_A_PIECE:
                yield b"".join(piece)
                piece = []
        yield b"".join(piece)


def _between(details: Mapping[str, Any], version: int) -> _Between:
    marked = {
        **details,
        "reqId": _REQ_ID,
        "strike": _STRIKE,
        "right": _RIGHT,
        "localSymbol": _LOCAL_SYMBOL,
        "conId": _CON_ID,
    }
    rest = encode_reply(Message("contractDetails", marked), version).decode()
    texts = []
    for mark in (str(_REQ_ID), spell_real(_STRIKE), _RIGHT, _LOCAL_SYMBOL, str(_CON_ID)):
        text, found, rest = rest.partition(f"\0{mark}\0")
        assert found, f"the layout has {mark} in this order"
        texts.append(f"{text}\0")
        rest = f"\0{rest}"
    return _Between._make([*texts, rest])
