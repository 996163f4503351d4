"""Where the instructions of a request and the time of training go, as Markdown tables.

    python benchmarks/profiles.py                      # on the built-in synthetic sample log
    python benchmarks/profiles.py --examples data/     # on what `qac prep` wrote

A model is trained with default settings and asked the first requests of the test part under valgrind's callgrind, which
counts the instructions of the native call: what the C library does counts with the function that called for it. Steps
of training are the lines of `qac train --verbose`; peaks of memory are those of the process until then.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import callgrind
from instructions import REQUESTS, VARIANTS, write_requests
from quality import example_folders
from systems import Data, peak_mb

from qac.saving import save_model
from qac.training import train

FUNCTIONS = 20
"""Functions that are listed."""


class Steps:
    """Takes the log of a training and notes what each of its steps took."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []
        self._last = time.monotonic()

    def __call__(self, line: str) -> None:
        """End a step; a line that begins with a space is one of progress within it."""
        if not line.startswith(" "):
            now = time.monotonic()
            self.rows.append((line.rpartition(" (")[0] or line, now - self._last, peak_mb()))
            self._last = now


def train_model(data: Data, path: Path) -> str:
    """Train and save a model; return what its steps took as a table."""
    steps = Steps()
    examples = data.examples("train")
    steps(f"{len(examples):,} examples read")
    trained = train(examples, data.config(), quiet=True, log=steps)
    save_model(trained, path)
    steps(f"saved, {path.stat().st_size / 1e6:.1f} MB")
    whole = sum(seconds for _, seconds, _ in steps.rows)
    return "\n".join(
        [
            "| training, at the end of each step | s | share | peak, MB |",
            "|---|---|---|---|",
            *(f"| {what} | {s:.2f} | {s / whole:.0%} | {peak:.0f} |" for what, s, peak in steps.rows),
        ]
    )


def request_tables(model: Path, data: Data, n: int, part: str) -> list[str]:
    """Count the instructions of the first ``n`` requests; return tables by phase and by function."""
    with tempfile.TemporaryDirectory(prefix="qac-profile-") as folder:
        requests = Path(folder, "requests.jsonl")
        n = write_requests(data.examples(part)[:n], requests)
        counts = {variant: callgrind.count(model, requests, options) for variant, options in VARIANTS.items()}
    header = f"instructions of {', share | '.join(counts)}, share"
    rules = "|" + "---|" * (2 + len(counts))
    phases = {variant: c.by_phase() for variant, c in counts.items()}
    by_phase = [f"| phase | files | {header} |", rules]
    for phase in dict.fromkeys(phase for of_variant in phases.values() for phase in of_variant):
        files = ", ".join(callgrind.PHASES.get(phase, (phase,)))
        cells = [_cell(phases[v].get(phase, 0), c.total, n) for v, c in counts.items()]
        by_phase.append(f"| {phase} | {files} | {' | '.join(cells)} |")
    by_phase.append(f"| all | | {' | '.join(f'{c.total / n:,.0f}' for c in counts.values())} |")
    by_function = [f"| function | file | {header} |", rules]
    first = next(iter(counts.values()))
    for file, function in [key for key, _ in first.by_function.most_common(FUNCTIONS)]:
        cells = [_cell(c.by_function[file, function], c.total, n) for c in counts.values()]
        by_function.append(f"| `{function}` | {file} | {' | '.join(cells)} |")
    return ["\n".join(by_phase), "\n".join(by_function)]


def _cell(count: int, total: int, n: int) -> str:
    return f"{count / n:,.0f}, {count / total:.1%}" if count else "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile the logs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG", help="query logs (default: the sample log)")
    parser.add_argument(
        "--examples", action="append", type=Path, default=[], metavar="DIR", help="a folder of `qac prep`"
    )
    parser.add_argument("--requests", type=int, default=REQUESTS, help="to count (default: %(default)s)")
    parser.add_argument("--part", choices=("test", "valid"), default="test", help="what to ask (default: %(default)s)")
    parser.add_argument("--prep", default="", metavar="OPTIONS", help='for `qac prep`, e.g. "--split-by session"')
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="qac-profiles-") as scratch:
        for name, folder in example_folders(args.logs, args.examples, args.prep, Path(scratch)):
            data, model = Data(folder), Path(scratch) / f"{name}.qac"
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # a peak of memory is of one training
                steps = pool.submit(train_model, data, model).result()
            tables = [steps, *request_tables(model, data, args.requests, args.part)]
            print("\n\n".join([f"### {name}", *tables]), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
