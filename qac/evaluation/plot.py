"""A picture of reports: MRR@10 by characters typed, a panel per log, a line per system.

As SVG, or as an HTML page with the figures in a table beneath. Both stand alone: no script, nothing is loaded from
elsewhere; colours follow the reader's scheme, and lines differ in dashes too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

Panel = tuple[str, Mapping[str, Mapping[str, Any]]]
"""Title of a log, and for each system what ``Report.to_json`` gives."""

TITLE: Final = "MRR@10 by characters typed"
_HEIGHT, _LEFT, _GAP, _LINE = 200, 40, 40, 20
_FULL, _LEAST = 800, 280
"""What all panels together are wide, and the least that one is."""
# Of Okabe and Ito, "Color Universal Design", 2008, told apart by the colour-blind: on light, on dark ground.
_COLOURS: Final = (
    ("#0072b2", "#56b4e9"),
    ("#d55e00", "#e69f00"),
    ("#009e73", "#2fd6a3"),
    ("#a8578a", "#e6a6cd"),
    ("#6e7781", "#9ea7b3"),
)
_DASHES: Final = ("none", "6 3", "2 3", "9 3 2 3")
_CHARACTER: Final = 7.2
"""Width to allow for one at 12 pixels."""


def svg(panels: Sequence[Panel]) -> str:
    """Return the picture as an SVG document."""
    systems = _systems(panels)
    panel_width = max(_LEAST, _FULL // max(1, len(panels)) - _GAP)
    width = _LEFT + len(panels) * (panel_width + _GAP)
    legend, top = _legend(systems, width)
    height = top + _HEIGHT + 48
    body = [f'<text class="title" x="8" y="18">{TITLE}</text>', *legend]
    for number, panel in enumerate(panels):
        body += _panel(panel, systems, _LEFT + number * (panel_width + _GAP), top + 16, panel_width)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{TITLE}"><style>{_svg_style(len(systems))}</style>\n' + "\n".join(body) + "\n</svg>\n"
    )


def html(panels: Sequence[Panel]) -> str:
    """Return a page with the picture and the figures it is drawn from."""
    tables = "\n".join(_table(panel) for panel in panels)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{TITLE}</title>\n<style>{_PAGE_STYLE}</style></head>\n<body>\n"
        f"{svg(panels)}\n{tables}\n</body></html>\n"
    )


def _systems(panels: Sequence[Panel]) -> dict[str, int]:
    """Number the systems of all panels."""
    names = dict.fromkeys(name for _, systems in panels for name in systems)
    return {name: number for number, name in enumerate(names)}


def _groups(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the groups of prefix lengths that any of ``reports`` has."""
    groups = dict.fromkeys(group for report in reports.values() for group in report["by_prefix_length"])
    return sorted(groups, key=lambda group: group != "0")  # not every report has that of nothing typed


def _legend(systems: Mapping[str, int], width: float) -> tuple[list[str], float]:
    """Return the legend's elements, as many beside each other as fit, and where it ends."""
    out = []
    x, y = 8.0, 40.0
    for name, number in systems.items():
        needed = 34 + _CHARACTER * len(name) + 16
        if x > 8 and x + needed > width:
            x, y = 8.0, y + _LINE
        out.append(f'<path class="s{number}" d="M{x:.0f} {y - 4:.0f} h26"/>')
        out.append(f'<text x="{x + 32:.0f}" y="{y:.0f}">{escape(name)}</text>')
        x += needed
    return out, y + 24


def _panel(panel: Panel, systems: Mapping[str, int], left: float, top: float, width: float) -> list[str]:
    title, reports = panel
    groups = _groups(reports)
    xs = {g: left + width * (i + 0.5) / len(groups) for i, g in enumerate(groups)}

    def height(value: float) -> float:
        return top + _HEIGHT * (1 - value)

    out = [f'<text class="title" x="{left}" y="{top - 10}">{escape(title)}</text>']
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = height(value)
        out.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    out += [
        f'<text x="{x:.1f}" y="{top + _HEIGHT + 18}" text-anchor="middle">{escape(g)}</text>' for g, x in xs.items()
    ]
    for name, report in reports.items():
        metrics = report["by_prefix_length"]
        points = [(xs[g], height(metrics[g]["mrr@10"])) for g in groups if g in metrics and metrics[g]["n"]]
        line = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if line:
            out.append(f'<path class="s{systems[name]}" d="M{line}"><title>{escape(name)}</title></path>')
    return out


def _svg_style(systems: int) -> str:
    light, dark = [], []
    for i in range(systems):
        colour, colour_on_dark = _COLOURS[i % len(_COLOURS)]
        dash = _DASHES[i // len(_COLOURS) % len(_DASHES)]
        light.append(f".s{i} {{ stroke: {colour}; stroke-dasharray: {dash} }}")
        dark.append(f".s{i} {{ stroke: {colour_on_dark} }}")
    return (
        "\n  text { font: 12px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 }\n"
        "  .grid { stroke: #d0d7de } path { fill: none; stroke-width: 2 }\n  "
        + " ".join(light)
        + "\n  @media (prefers-color-scheme: dark) {\n    text { fill: #e6edf3 } .grid { stroke: #30363d }\n    "
        + " ".join(dark)
        + "\n  }\n"
    )


_PAGE_STYLE: Final = """
  :root { color-scheme: light dark }
  body { font: 15px system-ui, sans-serif; color: #24292f; background: #fff; margin: 2em auto; max-width: 70em }
  svg { max-width: 100%; height: auto }
  table { border-collapse: collapse; margin: 1.5em 0; font-variant-numeric: tabular-nums }
  caption { text-align: left; font-weight: 600; padding-bottom: .4em }
  th, td { padding: .2em .7em; text-align: right; border-top: 1px solid #d0d7de } th:first-child { text-align: left }
  small { color: #57606a; display: block }
  @media (prefers-color-scheme: dark) {
    body { color: #e6edf3; background: #0d1117 } th, td { border-color: #30363d } small { color: #9198a1 }
  }
"""


def _table(panel: Panel) -> str:
    title, reports = panel
    groups = _groups(reports)
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in ("system", "all", *groups))
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(_cells(report, groups))}</tr>'
        for name, report in reports.items()
    )
    caption = escape(title) + ": MRR@10, over all requests and by characters typed"
    return f"<table><caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"


def _cells(report: Mapping[str, Any], groups: Sequence[str]) -> Iterator[str]:
    for metrics in (report, *(report["by_prefix_length"].get(g, {"n": 0}) for g in groups)):
        if not metrics["n"]:
            yield "<td>–</td>"
            continue
        ci = metrics.get("ci95", {}).get("mrr@10")
        between = f"<small>{ci[0]:.3f}–{ci[1]:.3f}</small>" if ci else ""
        yield f"<td>{metrics['mrr@10']:.3f}{between}</td>"
