"""What processes that have the same model open take together: one, and ten.

    python benchmarks/sharing.py my.qac data/test.jsonl
    python benchmarks/sharing.py my.qac data/test.jsonl --processes 1 4 16 --json

Each process opens the model and asks it the examples. *resident* adds up what each has in memory, shared or not;
*proportional* counts a page that n of them share as the nth part of one (PSS, proc(5)), which is what it costs. Linux
only.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qac.completer import Completer
from qac.examples import normalize_examples, read_examples

_KIB_PER_MB = 1e6 / 1024


def _serve(model: Path, test: Path, limit: int, asked: Any, end: Any) -> None:
    completer = Completer.load(model)
    for i, e in enumerate(normalize_examples(read_examples(test))):
        if i == limit:
            break
        completer.complete(e.prefix, e.prev_queries)
    asked.wait()
    end.wait()


def _memory(pid: int) -> tuple[float, float]:
    """Return what a process has resident, and its proportional share, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return kib["Rss"] / _KIB_PER_MB, kib["Pss"] / _KIB_PER_MB


def measure(model: Path, test: Path, processes: int, limit: int) -> dict[str, float]:
    """Return the memory of so many processes, together, in MB."""
    context = multiprocessing.get_context("spawn")  # nothing in common but the file
    asked, end = context.Barrier(processes + 1), context.Event()
    children = [context.Process(target=_serve, args=(model, test, limit, asked, end)) for _ in range(processes)]
    for child in children:
        child.start()
    asked.wait(timeout=600)
    memory = [_memory(child.pid) for child in children if child.pid]
    end.set()
    for child in children:
        child.join()
    return {
        "processes": processes,
        "resident_mb": sum(resident for resident, _ in memory),
        "proportional_mb": sum(proportional for _, proportional in memory),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the numbers of processes named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("test", type=Path, help="examples to ask, as `qac prep` writes them")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 10], metavar="N")
    parser.add_argument("--limit", type=int, default=2000, help="examples (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args(argv)
    results = [measure(args.model, args.test, n, args.limit) for n in args.processes]
    model_mb = os.path.getsize(args.model) / 1e6
    if args.json:
        print(json.dumps({"model_mb": model_mb, "results": results}))
        return 0
    print(f"| processes on a model of {model_mb:,.1f} MB | resident, MB | proportional, MB |\n|---|---|---|")
    for r in results:
        print(f"| {r['processes']} | {r['resident_mb']:,.0f} | {r['proportional_mb']:,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
