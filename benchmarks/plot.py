"""Draw MRR@10 by characters typed, a panel per log, from the results of benchmarks/run.py.

    python benchmarks/run.py --json results.json LOG... && python benchmarks/plot.py results.json docs/mrr.svg

The SVG stands alone and follows the reader's colour scheme.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 260, 190, 40, 56, 34
SYSTEMS = ("mfq", "cooc", "qac --no-compose", "qac")
STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f } .grid { stroke: #d0d7de }
  path { fill: none; stroke-width: 2 } .s0 { stroke: #8c959f } .s1 { stroke: #bf8700 } .s2 { stroke: #54aeff }
  .s3 { stroke: #0550ae; stroke-width: 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .grid { stroke: #30363d }
    .s1 { stroke: #d29922 } .s2 { stroke: #388bfd } .s3 { stroke: #a5d6ff }
  }
"""


def panel(result: dict[str, Any], left: float) -> list[str]:
    """Return the SVG elements of one log's panel."""
    groups = list(result["systems"]["qac"]["by_prefix_length"])
    out = [f'<text x="{left}" y="{TOP - 12}" font-weight="600">{escape(result["log"].split(".")[0])}</text>']
    for value in (0, 0.25, 0.5, 0.75, 1):
        y = TOP + HEIGHT * (1 - value)
        out.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{left + WIDTH}" y2="{y:.1f}"/>')
        out.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    xs = [left + WIDTH * (i + 0.5) / len(groups) for i in range(len(groups))]
    out += [
        f'<text x="{x:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{escape(g)}</text>'
        for x, g in zip(xs, groups, strict=True)
    ]
    for number, system in enumerate(SYSTEMS):
        metrics = result["systems"][system]["by_prefix_length"]
        points = [(x, metrics[g]["mrr@10"]) for x, g in zip(xs, groups, strict=True) if metrics[g]["n"]]
        line = " L".join(f"{x:.1f} {TOP + HEIGHT * (1 - mrr):.1f}" for x, mrr in points)
        out.append(f'<path class="s{number}" d="M{line}"/>')
    return out


def main() -> int:
    """Write the SVG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what benchmarks/run.py --json wrote")
    parser.add_argument("svg", type=Path, help="the file to write")
    args = parser.parse_args()
    results = json.loads(args.results.read_text(encoding="utf-8"))
    width = LEFT + len(results) * (WIDTH + GAP)
    body = [f'<text x="{LEFT}" y="16" font-weight="600">MRR@10 by characters typed</text>']
    for number, system in enumerate(SYSTEMS):
        x = LEFT + 230 + 100 * number + 70 * (number > 2)  # the third name is long
        body.append(f'<path class="s{number}" d="M{x} 12 h22"/><text x="{x + 28}" y="16">{escape(system)}</text>')
    for number, result in enumerate(results):
        body += panel(result, LEFT + number * (WIDTH + GAP))
    height = TOP + HEIGHT + 30
    args.svg.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="MRR@10 by characters typed"><style>{STYLE}</style>\n' + "\n".join(body) + "\n</svg>\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
