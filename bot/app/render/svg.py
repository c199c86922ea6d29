"""Pictures as standalone SVG: no scripts, no fonts, no network; they open in any browser.

Source of the layout: the payoff, curve and layer views that option traders know from their
platforms.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from strategies.model.memory import Curve

WIDTH = 900
_PANEL_HEIGHT = 210
_LEFT, _RIGHT, _TOP, _GAP, _BOTTOM = 78, 20, 52, 34, 34
_LEAST_SPAN = 1e-9
_TICKS = 5
_INK = "#24292f"
_MUTED = "#6e7781"
_GRID = "#e4e7eb"

LAYER_COLOURS = {"L1": "#c2410c", "L2": "#1d4ed8", "L3": "#7e22ce"}
CURVE_COLOURS = {
    Curve.CONTANGO.value: "#e6f4ea",
    Curve.FLAT.value: "#fdf3d8",
    Curve.BACKWARDATION.value: "#fbe1e1",
    Curve.UNKNOWN.value: "#eeeeee",
}
_GREEN, _RED, _BLUE = "#15803d", "#b91c1c", "#1d4ed8"

Point = tuple[float, float | None]  # a y of None interrupts the line


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a panel."""

    name: str
    points: Sequence[Point]
    colour: str
    is_dashed: bool = False
    has_marks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A coloured span of the x axis."""

    start: float
    end: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A labelled vertical line."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One pair of axes; panels of one picture share the x axis."""

    y_label: str
    lines: Sequence[Line]
    bands: Sequence[Band] = ()
    marks: Sequence[Mark] = ()
    with_zero: bool = True  # the y axis always shows 0


def picture(title: str, panels: Sequence[Panel], x_ticks: Sequence[tuple[float, str]]) -> str:
    """Return panels one under the other, over a common x axis, as one SVG document."""
    assert panels, "a picture shows something"
    height = _TOP + len(panels) * (_PANEL_HEIGHT + _GAP) - _GAP + _BOTTOM
    xs = [x for panel in panels for line in panel.lines for x, _ in line.points]
    low, high = (min(xs), max(xs)) if xs else (0.0, 1.0)
    x_axis = _Axis(low=low, high=high, start=_LEFT, end=WIDTH - _RIGHT)
    x_ticks = [(x, label) for x, label in x_ticks if low <= x <= high]
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    font = 'font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(_LEFT, 22, title, size=15, weight="bold"),
    ]
    for index, panel in enumerate(panels):
        top = _TOP + index * (_PANEL_HEIGHT + _GAP)
        parts += _panel(panel, x_axis, x_ticks, top)
    bottom = height - _BOTTOM + 16
    parts += [_text(x_axis.at(x), bottom, label, anchor="middle") for x, label in x_ticks]
    return "\n".join([*parts, "</svg>\n"])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def _panel(
    panel: Panel, x_axis: _Axis, x_ticks: Sequence[tuple[float, str]], top: float
) -> Iterable[str]:
    bottom = top + _PANEL_HEIGHT
    y_axis, ticks = _y_axis(panel, top, bottom)
    for band in panel.bands:
        start, end = x_axis.at(band.start), x_axis.at(band.end)
        yield (
            f'<rect x="{start:.1f}" y="{top}" width="{max(end - start, 0.5):.1f}" '
            f'height="{_PANEL_HEIGHT}" fill="{band.colour}"/>'
        )
    for tick in ticks:
        y = y_axis.at(tick)
        yield _stroke(_LEFT, y, WIDTH - _RIGHT, y, _MUTED if tick == 0 else _GRID)
        yield _text(_LEFT - 6, y + 4, _tick_text(tick), anchor="end")
    for x, _ in x_ticks:
        yield _stroke(x_axis.at(x), top, x_axis.at(x), bottom, _GRID)
    yield _text(_LEFT, top - 6, panel.y_label, colour=_MUTED)
    for mark in panel.marks:
        x = x_axis.at(mark.x)
        yield _stroke(x, top, x, bottom, _MUTED, dashed=True)
        yield _text(x + 3, top + 12, mark.label, colour=_MUTED)
    legend_x = WIDTH - _RIGHT
    for line in reversed(panel.lines):
        yield from _polyline(line, x_axis, y_axis)
        legend_x -= 7 * len(line.name) + 30
        dashes = ' stroke-dasharray="5 3"' if line.is_dashed else ""
        yield (
            f'<line x1="{legend_x}" y1="{top - 10}" x2="{legend_x + 18}" y2="{top - 10}" '
            f'stroke="{line.colour}" stroke-width="2"{dashes}/>'
        )
        yield _text(legend_x + 22, top - 6, line.name)


def _y_axis(panel: Panel, top: float, bottom: float) -> tuple[_Axis, list[float]]:
    values = [y for line in panel.lines for _, y in line.points if y is not None]
    if panel.with_zero or not values:
        values.append(0.0)
    low, high = min(values), max(values)
    if high - low < _LEAST_SPAN:  # nothing a picture could tell apart
        low, high = low - 1.0, high + 1.0
    step = _round_step((high - low) / _TICKS)
    first, last = math.floor(low / step), math.ceil(high / step)
    ticks = [index * step for index in range(first, last + 1)]
    return _Axis(low=ticks[0], high=ticks[-1], start=bottom, end=top), ticks


def _round_step(rough: float) -> float:
    """Return the next of 1, 2, 2.5 and 5 times a power of ten: steps people can read."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= rough)


def _tick_text(value: float) -> str:
    rounded = round(value, 10)
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:,.6g}"


def _polyline(line: Line, x_axis: _Axis, y_axis: _Axis) -> Iterable[str]:
    run: list[str] = []
    dashes = ' stroke-dasharray="5 3"' if line.is_dashed else ""
    for x, y in [*line.points, (0.0, None)]:
        if y is not None:
            run.append(f"{x_axis.at(x):.1f},{y_axis.at(y):.1f}")
        elif run:
            yield (
                f'<polyline points="{" ".join(run)}" fill="none" stroke="{line.colour}" '
                f'stroke-width="1.6"{dashes}/>'
            )
            run = []
    if line.has_marks:
        for x, y in line.points:
            if y is not None:
                cx, cy = x_axis.at(x), y_axis.at(y)
                yield f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{line.colour}"/>'


def _stroke(
    x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False
) -> str:
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dashes}/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = _INK,
    size: int = 11,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(text)}</text>'
    )


# --- the pictures ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoffCurve:
    """Profit and loss of a condor book over the index level."""

    levels: Sequence[float]  # SPX, ascending
    at_expiry_usd: Sequence[float]
    today_usd: Sequence[float] | None  # None where the book cannot be priced
    spot: float
    breakevens: Sequence[float]  # at expiry


def payoff_svg(payoff: PayoffCurve, title: str) -> str:
    """Return the payoff of a condor book: at expiry solid, today dashed."""
    lines = [
        Line(
            name="at expiry",
            points=list(zip(payoff.levels, payoff.at_expiry_usd, strict=True)),
            colour=_BLUE,
        )
    ]
    if payoff.today_usd is not None:
        today = list(zip(payoff.levels, payoff.today_usd, strict=True))
        lines.append(Line(name="today", points=today, colour=_GREEN, is_dashed=True))
    marks = [Mark(x=payoff.spot, label=f"SPX {payoff.spot:,.0f}")]
    marks += [Mark(x=level, label=f"{level:,.0f}") for level in payoff.breakevens]
    panel = Panel(y_label="profit and loss, USD", lines=lines, marks=marks)
    first, last = payoff.levels[0], payoff.levels[-1]
    step = _round_step((last - first) / 8)
    ticks = [index * step for index in range(math.ceil(first / step), math.floor(last / step) + 1)]
    return picture(title, [panel], [(level, f"{level:,.0f}") for level in ticks])


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveShot:
    """The VIX futures curve on one day."""

    label: str
    days: Sequence[float]  # calendar days to expiry
    prices: Sequence[float]


def curve_svg(shots: Sequence[CurveShot], title: str) -> str:
    """Return VIX futures over days to expiry; one line a day shown, the last one solid."""
    palette = ("#9aa5b1", "#c2410c", "#7e22ce", "#15803d", "#1d4ed8")
    lines = [
        Line(
            name=shot.label,
            points=list(zip(shot.days, shot.prices, strict=True)),
            colour=palette[(index - len(shots)) % len(palette)],
            is_dashed=index < len(shots) - 1,
            has_marks=True,
        )
        for index, shot in enumerate(shots)
    ]
    longest = max((days for shot in shots for days in shot.days), default=30.0)
    step = _round_step(longest / 8)
    ticks = [(index * step, f"{index * step:g} d") for index in range(int(longest / step) + 1)]
    panel = Panel(y_label="VX future, by days to expiry", lines=lines, with_zero=False)
    return picture(title, [panel], ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerHistory:
    """Layers, VIX and curve state, one entry an interval."""

    sessions: Sequence[date]
    vix: Sequence[float | None]
    curve: Sequence[str]  # "contango", "flat", "backwardation", "unknown"
    current_usd: Mapping[str, Sequence[float | None]]  # layer -> factor vega held
    target_usd: Mapping[str, Sequence[float | None]]


def layers_svg(history: LayerHistory, title: str) -> str:
    """Return VIX over the layers, current against target, shaded by the state of the curve."""
    bands = _curve_bands(history.curve)
    vix = Line(name="VIX", points=_indexed(history.vix), colour=_INK)
    panels = [
        Panel(
            y_label="VIX; VX curve: green contango, yellow flat, red backwardation",
            lines=[vix],
            bands=bands,
            with_zero=False,
        )
    ]
    for layer, colour in LAYER_COLOURS.items():
        lines = [
            Line(
                name="target",
                points=_indexed(history.target_usd.get(layer, ())),
                colour=_MUTED,
                is_dashed=True,
            ),
            Line(name="held", points=_indexed(history.current_usd.get(layer, ())), colour=colour),
        ]
        label = f"{layer}: factor vega, USD per VIX point"
        panels.append(Panel(y_label=label, lines=lines, bands=bands))
    return picture(title, panels, _session_ticks(history.sessions))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardProfile:
    """T3: what the hedge's factor vega will be at unchanged forwards, USD per VIX point."""

    days: Sequence[float]  # from today
    before_usd: Mapping[str, Sequence[float]]  # layer, or "book" -> one value a day
    after_usd: Mapping[str, Sequence[float]]  # once the plan has filled


def forward_svg(profile: ForwardProfile, title: str) -> str:
    """Return the forward vega profile: the book over its layers, before dashed and after solid."""
    panels = []
    for name in profile.after_usd or profile.before_usd:
        colour = LAYER_COLOURS.get(name, _INK)
        lines = [
            Line(
                name=label,
                points=list(zip(profile.days, values[name], strict=True)),
                colour=_MUTED if is_dashed else colour,
                is_dashed=is_dashed,
                has_marks=not is_dashed,
            )
            for label, values, is_dashed in (
                ("before", profile.before_usd, True),
                ("after", profile.after_usd, False),
            )
            if name in values
        ]
        panels.append(Panel(y_label=f"{name}: factor vega, USD per VIX point", lines=lines))
    return picture(title, panels, [(day, f"+{day:g} d") for day in profile.days])


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBars:
    """The layers of one decision, USD per VIX point."""

    names: Sequence[str]
    current_usd: Sequence[float]
    target_usd: Sequence[float]
    planned_usd: Sequence[float]


def layer_bars_svg(bars: LayerBars, title: str) -> str:
    """Return one row of bars a layer: held, planned, and a line at the target."""
    top, row, bar = 60, 74, 20
    height = top + row * len(bars.names) + 10
    values = [*bars.current_usd, *bars.target_usd, *bars.planned_usd, 0.0]
    low, high = min(values), max(values)
    axis = _Axis(low=low, high=high if high > low else low + 1.0, start=_LEFT, end=WIDTH - 90)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(_LEFT, 22, title, size=15, weight="bold"),
        _text(_LEFT, 42, "held above, planned below, dashed: target", colour=_MUTED),
    ]
    zero = axis.at(0.0)
    for index, name in enumerate(bars.names):
        y = top + index * row
        parts.append(_text(_LEFT - 8, y + bar, name, anchor="end", weight="bold"))
        for shift, value, opacity in (
            (0, bars.current_usd[index], 0.45),
            (bar + 3, bars.planned_usd[index], 1.0),
        ):
            end = axis.at(value)
            parts.append(
                f'<rect x="{min(zero, end):.1f}" y="{y + shift}" width="{abs(end - zero):.1f}" '
                f'height="{bar}" fill="{LAYER_COLOURS.get(name, _INK)}" opacity="{opacity}"/>'
            )
            parts.append(_text(max(zero, end) + 5, y + shift + 14, f"{value:,.0f}"))
        target = axis.at(bars.target_usd[index])
        parts.append(_stroke(target, y - 4, target, y + 2 * bar + 7, _INK, dashed=True))
        label = f"target {bars.target_usd[index]:,.0f}"
        parts.append(_text(target + 3, y + 2 * bar + 16, label, colour=_MUTED))
    return "\n".join([*parts, "</svg>\n"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitHistory:
    """Profit and loss since the start, one entry a session, USD."""

    sessions: Sequence[date]
    total_usd: Sequence[float]
    condors_usd: Sequence[float]
    hedge_usd: Sequence[float]


def profit_svg(history: ProfitHistory, title: str) -> str:
    """Return cumulative profit and loss: the whole, the condors and the hedge."""
    lines = [
        Line(name="total", points=_indexed(history.total_usd), colour=_INK),
        Line(name="condors", points=_indexed(history.condors_usd), colour=_BLUE, is_dashed=True),
        Line(name="hedge", points=_indexed(history.hedge_usd), colour=_RED, is_dashed=True),
    ]
    panel = Panel(y_label="profit and loss since the start, USD", lines=lines)
    return picture(title, [panel], _session_ticks(history.sessions))


def _indexed(values: Iterable[float | None]) -> list[Point]:
    return [(float(index), value) for index, value in enumerate(values)]


def _curve_bands(states: Sequence[str]) -> list[Band]:
    bands: list[Band] = []
    for index, state in enumerate(states):
        colour = CURVE_COLOURS.get(state, CURVE_COLOURS[Curve.UNKNOWN.value])
        if bands and bands[-1].colour == colour:
            bands[-1] = Band(start=bands[-1].start, end=index, colour=colour)
        else:
            start = bands[-1].end if bands else 0.0
            bands.append(Band(start=start, end=float(index), colour=colour))
    return bands


def _session_ticks(sessions: Sequence[date]) -> list[tuple[float, str]]:
    """Return ticks at the first entry of about eight sessions, evenly spread."""
    firsts = [
        index
        for index, session in enumerate(sessions)
        if index == 0 or sessions[index - 1] != session
    ]
    every = max(1, math.ceil(len(firsts) / 8))
    return [(float(index), f"{sessions[index]:%d %b}") for index in firsts[::every]]
