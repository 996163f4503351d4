"""Draw MRR@10 by characters typed, a panel per log, from the results of benchmarks/quality.py.

    python benchmarks/quality.py --json results.json LOG...
    python benchmarks/plot.py results.json docs/mrr.svg --systems "mfq;cooc;qac --no-compose;qac"

SVG, or HTML with the figures beneath, as the file's name says; both stand alone and follow the reader's colour scheme.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qac.evaluation import plot


def draw(results: Sequence[dict[str, Any]], path: Path, systems: Sequence[str] | None = None) -> None:
    """Write the picture of ``results`` to ``path``; ``systems``: only these, in this order."""
    panels = [
        (result["log"].split(".")[0], {name: result["systems"][name] for name in systems or result["systems"]})
        for result in results
    ]
    path.write_text((plot.html if path.suffix == ".html" else plot.svg)(panels), encoding="utf-8")


def main() -> int:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="what benchmarks/quality.py --json wrote")
    parser.add_argument("picture", type=Path, help="the file to write: .svg or .html")
    parser.add_argument("--systems", metavar="NAMES", help="only these, with semicolons between (default: all)")
    args = parser.parse_args()
    systems = [name.strip() for name in args.systems.split(";")] if args.systems else None
    draw(json.loads(args.results.read_text(encoding="utf-8")), args.picture, systems)
    return 0


if __name__ == "__main__":
    sys.exit(main())
