"""How figures grow with the size of a log: panels with a line for each, the size on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

Point = tuple[float, float]

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 230, 150, 52, 66, 66
_COLUMNS: Final = 3
_COLOURS: Final = (("#0072b2", "#56b4e9"), ("#d55e00", "#e69f00"), ("#009e73", "#2fd6a3"))
"""On light, on dark ground."""
_DASHES: Final = ("none", "6 3", "2 3")


@dataclass(frozen=True)
class Panel:
    """Figures that share an axis."""

    title: str
    lines: Mapping[str, Sequence[Point]]
    """Name of each: sizes and values, above 0."""
    logarithmic: bool = False


def svg(title: str, panels: Sequence[Panel]) -> str:
    """Return the picture as an SVG document that stands alone."""
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _LEFT) + 20, rows * (_HEIGHT + _GAP) + _TOP - 10
    body = [f'<text class="title" x="8" y="18">{escape(title)}</text>']
    for i, panel in enumerate(panels):
        body += _panel(panel, _LEFT + i % _COLUMNS * (_WIDTH + _LEFT), _TOP + i // _COLUMNS * (_HEIGHT + _GAP))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}"><style>{_style()}</style>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _panel(panel: Panel, left: float, top: float) -> list[str]:
    points = [p for line in panel.lines.values() for p in line]
    low, high = math.log10(min(n for n, _ in points)), math.log10(max(n for n, _ in points))
    ticks = _ticks([v for _, v in points], panel.logarithmic)
    scale = math.log10 if panel.logarithmic else float
    bottom, span = scale(ticks[0]), (scale(ticks[-1]) - scale(ticks[0])) or 1.0

    def x(n: float) -> float:
        return left + 12 + (_WIDTH - 40) * ((math.log10(n) - low) / ((high - low) or 1.0))

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - (scale(value) - bottom) / span)

    out = [f'<text class="title" x="{left}" y="{top - 24}">{escape(panel.title)}</text>']
    for tick in ticks:
        out.append(f'<line class="grid" x1="{left}" y1="{y(tick):.1f}" x2="{left + _WIDTH - 16}" y2="{y(tick):.1f}"/>')
        out.append(f'<text x="{left - 5}" y="{y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>')
    out += [
        f'<text x="{x(n):.1f}" y="{top + _HEIGHT + 16}" text-anchor="middle">{short(n)}</text>'
        for n in sorted({n for n, _ in points})
    ]
    for i, (name, line) in enumerate(panel.lines.items()):
        path = " L".join(f"{x(n):.1f} {y(v):.1f}" for n, v in line)
        out.append(f'<path class="s{i}" d="M{path}"><title>{escape(name)}</title></path>')
        out += [f'<circle class="s{i}" cx="{x(n):.1f}" cy="{y(v):.1f}" r="3"/>' for n, v in line]
        if len(panel.lines) > 1:
            at = left + i * (_WIDTH - 16) / len(panel.lines)
            out.append(f'<path class="s{i}" d="M{at:.1f} {top - 11} h16"/>')
            out.append(f'<text x="{at + 20:.1f}" y="{top - 7}">{escape(name)}</text>')
    return out


def _ticks(values: Sequence[float], logarithmic: bool) -> list[float]:
    if logarithmic:
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return [10.0**i for i in range(low, max(high, low + 1) + 1)]
    step = 10 ** math.floor(math.log10(max(values)))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if max(values) / s <= 5)
    return [i * step for i in range(math.ceil(max(values) / step) + 1)]


def short(value: float) -> str:
    """Return a number in few characters: 1 k, 25 M, 0.5."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{suffix}"
    return f"{value:.3g}"


def _style() -> str:
    light = " ".join(
        f".s{i} {{ stroke: {colour}; stroke-dasharray: {dash} }} circle.s{i} {{ fill: {colour} }}"
        for i, ((colour, _), dash) in enumerate(zip(_COLOURS, _DASHES, strict=True))
    )
    dark = " ".join(f".s{i} {{ stroke: {c} }} circle.s{i} {{ fill: {c} }}" for i, (_, c) in enumerate(_COLOURS))
    return (
        "text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } "
        f".grid {{ stroke: #d0d7de }} path {{ fill: none; stroke-width: 2 }} {light} "
        f"@media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} .grid {{ stroke: #30363d }} {dark} }}"
    )
