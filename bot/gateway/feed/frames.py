"""Frames of ticks, spelled by hand: a chain makes thousands of them at once.

A frame is its length in four bytes and the fields, each ended by a zero. Ticks are ASCII and
shorter than 256 bytes, so a frame is built as text whose fourth character is the length.
"""

from collections.abc import Iterable, Iterator
from typing import Final

PIECE_BYTES: Final = 32_768  # clients of the old kind copy all they received once a message
_NEVER_LONGER: Final = 256


def framed(body: str) -> str:
    """Return a frame around fields that are ended already, as text of one byte a character."""
    assert len(body) < _NEVER_LONGER, body
    return f"\0\0\0{chr(len(body))}{body}"


def tick_price(req_id: int, tick_type: int, price: float, size: int, attributes: int) -> str:
    """Return a tickPrice: the price crosses to the last digit."""
    return framed(f"1\x006\x00{req_id}\x00{tick_type}\x00{price!r}\x00{size}\x00{attributes}\x00")


def tick_prices(
    req_ids: Iterable[int],
    tick_types: Iterable[int],
    prices: Iterable[float],
    sizes: Iterable[int],
    attributes: Iterable[int],
) -> list[str]:
    """Return many tickPrice frames; a call a frame would be most of what they cost."""
    bodies = [
        f"1\x006\x00{req_id}\x00{tick_type}\x00{price!r}\x00{size}\x00{attribute}\x00"
        for req_id, tick_type, price, size, attribute in zip(
            req_ids, tick_types, prices, sizes, attributes, strict=True
        )
    ]
    return [f"\0\0\0{chr(len(body))}{body}" for body in bodies]


def tick_size(req_id: int, tick_type: int, size: int) -> str:
    """Return a tickSize."""
    return framed(f"2\x006\x00{req_id}\x00{tick_type}\x00{size}\x00")


def tick_generic(req_id: int, tick_type: int, value: float) -> str:
    """Return a tickGeneric."""
    return framed(f"45\x006\x00{req_id}\x00{tick_type}\x00{value!r}\x00")


def tick_string(req_id: int, tick_type: int, value: str) -> str:
    """Return a tickString."""
    return framed(f"46\x006\x00{req_id}\x00{tick_type}\x00{value}\x00")


def tick_option(req_id: int, tick_type: int, values: Iterable[float]) -> str:
    """Return a tickOptionComputation.

    ``values`` are implied vol, delta, price, present value of dividends, gamma, vega, theta and
    the price of the underlying; -1 (greeks: -2) is what could not be computed.
    """
    spelled = "\0".join(map(repr, values))
    return framed(f"21\x00{req_id}\x00{tick_type}\x001\x00{spelled}\x00")


def in_pieces(frames: Iterable[str]) -> Iterator[bytes]:
    """Yield the frames as bytes, in pieces of whole frames that do not exceed ``PIECE_BYTES``."""
    piece: list[str] = []
    length = 0
    for frame in frames:
        if length + len(frame) > PIECE_BYTES:
            yield "".join(piece).encode("latin-1")
            piece, length = [], 0
        piece.append(frame)
        length += len(frame)
    if piece:
        yield "".join(piece).encode("latin-1")
