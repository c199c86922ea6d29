"""The lines of one client that show the same kind of data, and what has been said of them."""

from datetime import datetime
from typing import Final

import numpy as np

from bot.gateway.feed.board import Board
from bot.gateway.feed.frames import framed, tick_option, tick_prices, tick_string
from bot.gateway.feed.generics import GenericTicks
from bot.gateway.feed.greeks import DELAYED_TICK_TYPES, MODEL, TICK_TYPES
from bot.gateway.feed.hours import DataType, Shown
from bot.gateway.feed.lines import FEW, Arrangement, Line
from bot.gateway.feed.values import (
    CLOSE,
    KINDS,
    LAST,
    NO_TICK,
    NOBODY,
    Values,
)
from strategies.model.quotes import FloatArray

_LIVE_TYPES: Final = (1, 2, 4, 9)  # by kind: bid, ask, last, close
_DELAYED_TYPES: Final = (66, 67, 68, 75)
_LAST_TIME, _DELAYED_LAST_TIME = 45, 88
_SIDES: Final = 3
_COMPUTED: Final = 8
_PRICE: Final = 2  # of an option computation


class Stream:
    """Lines with their prices as the client knows them.

    Args:
        values: Where single contracts are asked for.
        generics: Who makes the ticks asked for by number.
        greeks: Whether options come with computations.
    """

    def __init__(self, values: Values, generics: GenericTicks, *, greeks: bool) -> None:
        self._values = values
        self._generics = generics
        self._greeks = greeks
        self._fresh: list[Line] = []  # nothing has been said of them yet
        self._table = Arrangement(())
        self._sent = np.empty((0, KINDS))  # NaN: nothing
        self._sent_greeks = np.empty((0, _SIDES, _COMPUTED))
        self._has_left = False  # somebody has, and the table does not know
        self._joined: list[tuple[Arrangement, FloatArray, FloatArray]] = []
        self._shown: Shown | None = None
        self._quoted_at: datetime | None = None

    def add(self, line: Line) -> None:
        """Watch one contract more; it is heard of at the next refresh."""
        self._fresh.append(line)

    def remove(self, line: Line) -> None:
        """Say nothing of a line any more."""
        line.is_open = False
        self._has_left = True

    def is_due(self, shown: Shown) -> bool:
        """Return whether there may be something to say."""
        return bool(self._fresh) or shown != self._shown or shown.at is None

    def needs_board(self) -> bool:
        """Return whether the whole market is cheaper to ask for than what is watched."""
        options = len(self._table.options) + sum(line.is_option for line in self._fresh)
        options += sum(len(each.options) for each, _, _ in self._joined)
        return bool(options) and (self._greeks or options > FEW)

    def refresh(self, shown: Shown, board: Board | None, now: datetime) -> list[str]:
        """Return frames that tell the client what it does not know yet.

        Args:
            shown: What is to be seen now.
            board: The market at that instant; None = contracts are asked for one by one.
            now: The instant whose last closes are known.
        """
        frames: list[str] = []
        if self._shown is None or shown != self._shown:
            self._settle()
            if self._shown is not None and self._shown.type != shown.type:
                frames += [_type_frame(line, shown.type) for line in self._table.lines]
                self._sent[:] = np.nan
                self._sent_greeks[:] = np.nan
            self._shown = shown
            quoted_at = shown.at if board is None else board.quoted_at
            is_news, self._quoted_at = quoted_at != self._quoted_at, quoted_at
            self._speak(
                frames, self._table, self._sent, self._sent_greeks, board, now, is_news=is_news
            )
        elif shown.at is None:
            self._settle()
            closes = self._table.closes(self._values, now)
            self._speak_prices(frames, self._table, self._sent, closes)
        if self._fresh:
            self._introduce(frames, board, now)
        return frames

    def _introduce(self, frames: list[str], board: Board | None, now: datetime) -> None:
        lines = [line for line in self._fresh if line.is_open]
        self._fresh = []
        assert self._shown is not None, "the table was looked at first"
        for line in lines:
            frames += (_params_frame(line), _type_frame(line, self._shown.type))
            frames += self._generics.constants(line)
        arrangement = Arrangement(lines)
        sent = np.full((len(lines), KINDS), np.nan)
        sent_greeks = self._no_greeks(len(lines))
        self._speak(frames, arrangement, sent, sent_greeks, board, now, is_news=True)
        self._joined.append((arrangement, sent, sent_greeks))

    def _speak(
        self,
        frames: list[str],
        table: Arrangement,
        sent: FloatArray,
        sent_greeks: FloatArray,
        board: Board | None,
        now: datetime,
        *,
        is_news: bool,
    ) -> None:
        """Say what has changed of some lines, and remember it."""
        assert self._shown is not None, "an instant is shown"
        if not table.lines:
            return
        at = self._shown.at
        if at is None:
            self._speak_prices(frames, table, sent, table.closes(self._values, now))
            return
        ticks = table.ticks(self._values, board, at, now)
        self._speak_prices(frames, table, sent, ticks)
        vols: dict[int, float] = {}
        if board is not None and self._greeks and len(table.options):
            self._speak_greeks(frames, table, sent_greeks, board)
        if is_news and self._quoted_at is not None:
            self._speak_times(frames, table, ticks)
            if board is not None and self._greeks:
                places = table.places(board.roster)
                vols = {
                    number: float(board.computations.table[MODEL, places[number], 0])
                    for number, line in table.spoken
                    if line.is_option
                }
            for number, line in table.spoken:
                frames += self._generics.changing(
                    line, ticks[number].tolist(), vols.get(number), at
                )

    def _speak_prices(
        self, frames: list[str], table: Arrangement, sent: FloatArray, ticks: FloatArray
    ) -> None:
        numbers, kinds = np.nonzero((ticks != sent) & (ticks != NO_TICK))
        if not len(numbers):
            return
        prices = ticks[numbers, kinds]
        sent[numbers, kinds] = prices
        assert self._shown is not None, "an instant is shown"
        types = _DELAYED_TYPES if self._shown.type >= DataType.DELAYED else _LIVE_TYPES
        is_quoted = prices != NOBODY
        frames += tick_prices(
            table.req_ids[numbers].tolist(),
            np.array(types)[kinds].tolist(),
            np.where(is_quoted, prices, -1.0).tolist(),
            np.where(is_quoted & (kinds != CLOSE), table.sizes[numbers], 0).tolist(),
            (is_quoted & (kinds < LAST)).astype(np.int64).tolist(),
        )

    def _speak_times(self, frames: list[str], table: Arrangement, ticks: FloatArray) -> None:
        """Say when indices and futures had their last price, also where it is the same."""
        assert self._shown is not None, "an instant is shown"
        assert self._quoted_at is not None, "and its quotes have a time"
        delayed = self._shown.type >= DataType.DELAYED
        tick_type = _DELAYED_LAST_TIME if delayed else _LAST_TIME
        text = str(int(self._quoted_at.timestamp()))
        for number, line in table.singles:
            if ticks[number, LAST] != NO_TICK:
                frames.append(tick_string(line.req_id, tick_type, text))

    def _speak_greeks(
        self, frames: list[str], table: Arrangement, sent: FloatArray, board: Board
    ) -> None:
        assert self._shown is not None, "an instant is shown"
        delayed = self._shown.type >= DataType.DELAYED
        types = DELAYED_TICK_TYPES if delayed else TICK_TYPES
        wanted = np.array([table.lines[n].wants_greeks for n in table.options.tolist()])
        options = table.options[wanted]
        known = table.computed(board, options)
        before = sent[options]
        is_new = (known != before).any(axis=2)
        is_new &= (known[:, :, _PRICE] > 0) | ~np.isnan(before[:, :, _PRICE])
        rows, sides = np.nonzero(is_new)
        changed = known[rows, sides]
        sent[options[rows], sides] = changed
        lines = table.lines
        for number, side, values in zip(
            options[rows].tolist(), sides.tolist(), changed.tolist(), strict=True
        ):
            frames.append(tick_option(lines[number].req_id, types[side], values))

    def _settle(self) -> None:
        """Put who has joined into the table, and leave out who has left."""
        if not self._joined and not self._has_left:
            return
        parts = [(self._table, self._sent, self._sent_greeks), *self._joined]
        lines = [line for part, _, _ in parts for line in part.lines]
        stays = np.array([line.is_open for line in lines], dtype=np.bool_)
        self._sent = np.concatenate([sent for _, sent, _ in parts])[stays]
        self._sent_greeks = np.concatenate([sent for _, _, sent in parts])[
            stays if self._greeks else slice(0)
        ]
        self._table = Arrangement([line for line in lines if line.is_open])
        self._joined, self._has_left = [], False

    def _no_greeks(self, lines: int) -> FloatArray:
        return np.full((lines if self._greeks else 0, _SIDES, _COMPUTED), np.nan)


def _params_frame(line: Line) -> str:
    return framed(f"81\x00{line.req_id}\x00{float(line.listed.min_tick)!r}\x00a60001\x003\x00")


def _type_frame(line: Line, shown: DataType) -> str:
    return framed(f"58\x001\x00{line.req_id}\x00{shown.value}\x00")
