"""How training and asking grow with the log: generated logs of 100 k, 1 M and 10 M distinct queries.

    python benchmarks/scale.py --folder /var/tmp/scale  # all: over an hour, 20 GiB, 10 GB of disk
    python benchmarks/scale.py --sizes 100000 1000000 --out scale.json --plot scale.svg
    python benchmarks/scale.py --results scale.json --plot scale.svg          # draw again

Of each size: a log is made (benchmarks/scale_log.py; kept in --folder, and used again), `qac train` learns from it and
says how long that took and how much memory, and a process of its own opens the model and asks the test examples, with
their sessions and without (then a model answers with the most popular completions). Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from scale_log import write_log
from scale_plot import Panel, short, svg
from systems import WithoutSession

from qac.completer import Completer
from qac.evaluation import evaluate
from qac.examples import Example, normalize_examples, read_examples

SIZES: Final = (100_000, 1_000_000, 10_000_000)
THREADS: Final = (1, 2)
_WARM_UP: Final = 2000


def measure(size: int, folder: Path, seed: int, limit: int) -> dict[str, Any]:
    """Return the figures of one size."""
    data = folder / f"log-{size}-{seed}"
    if not (data / "test.jsonl").exists():
        write_log(size, data, seed=seed)
    model = folder / f"{size}.qac"
    trained = _run("-m", "qac", "train", str(data / "train.jsonl"), "--out", str(model), "--json", "--verbose")
    asked = _run(__file__, "--ask", str(model), str(data / "test.jsonl"), "--limit", str(limit))
    return {
        "size": size,
        "seed": seed,
        "log_bytes": (data / "train.jsonl").stat().st_size,
        "train": trained,
        "ask": asked,
    }


def _run(*command: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ask(model: Path, test: Path, limit: int) -> dict[str, Any]:
    """Open ``model`` and ask it the examples of ``test``: quality, latency in-process, throughput."""
    began = time.perf_counter()
    completer = Completer.load(model)
    open_ms = 1000 * (time.perf_counter() - began)
    examples = [e for e in normalize_examples(read_examples(test)) if e.prev_queries][:limit]
    for e in examples[:_WARM_UP]:
        completer.complete(e.prefix, e.prev_queries)
    reports = {
        name: evaluate(suggester, examples, known=completer, quiet=True).to_json()
        for name, suggester in (("session", completer), ("none", WithoutSession(completer)))
    }
    kept = ("n", "mrr@10", "success@10", "coverage", "latency_us", "seen", "unseen")
    return {
        "open_ms": open_ms,
        **{name: {key: report[key] for key in kept} for name, report in reports.items()},
        "requests_per_second": {threads: _throughput(completer, examples, threads) for threads in THREADS},
    }


def _throughput(completer: Completer, examples: Sequence[Example], threads: int) -> float:
    def work(part: Sequence[Example]) -> None:
        for e in part:
            completer.complete(e.prefix, e.prev_queries)

    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(work, (examples[i::threads] for i in range(threads))))
        return len(examples) / (time.perf_counter() - began)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| queries | pairs | training, s | peak, MB | model, bytes a query | opening, ms | p50 µs | p99 µs "
        "| requests/s | on 2 threads | MRR@10 | without session |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        t, a = r["train"], r["ask"]
        rates = a["requests_per_second"]
        lines.append(
            f"| {t['labels']:,} | {t['examples']:,} | {t['seconds']:.0f} | {t['peak_mb']:,.0f} "
            f"| {t['bytes'] / t['labels']:.0f} | {a['open_ms']:.1f} | {a['session']['latency_us']['p50']:.0f} "
            f"| {a['session']['latency_us']['p99']:.0f} | {rates['1']:,.0f} | {rates['2']:,.0f} "
            f"| {a['session']['mrr@10']:.3f} | {a['none']['mrr@10']:.3f} |"
        )
    return "\n".join(lines)


def picture(results: Sequence[dict[str, Any]]) -> str:
    """Return the figures as an SVG document: how each grows."""

    def line(*path: str, factor: float = 1.0) -> list[tuple[float, float]]:
        points = []
        for r in results:
            value = r
            for key in path:
                value = value[key]
            points.append((float(r["train"]["labels"]), factor * float(value)))  # type: ignore[arg-type]
        return points

    each = [(n, bytes_ / n) for n, bytes_ in line("train", "bytes")]
    latency = {p: line("ask", "session", "latency_us", p) for p in ("p50", "p99")}
    rate = {f"{n} thread{'s' * (n > 1)}": line("ask", "requests_per_second", str(n)) for n in THREADS}
    mrr = {"with session": line("ask", "session", "mrr@10"), "without": line("ask", "none", "mrr@10")}
    return svg(
        "How training and asking grow with the number of distinct queries",
        [
            Panel("Training, seconds", {"training": line("train", "seconds")}, logarithmic=True),
            Panel("Training's peak memory, MB", {"peak": line("train", "peak_mb")}, logarithmic=True),
            Panel("Model, bytes a query", {"model": each}),
            Panel("Request in-process, µs", latency),
            Panel("Requests a second", rate),
            Panel("MRR@10", mrr),
        ],
    )


def main() -> int:
    """Measure the sizes named on the command line, or draw what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N", help="distinct queries, about")
    parser.add_argument("--folder", type=Path, help="where logs and models are kept (default: a temporary folder)")
    parser.add_argument("--seed", type=int, default=0, help="of the logs")
    parser.add_argument("--limit", type=int, default=20_000, help="test requests (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of a table")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures: an SVG file")
    parser.add_argument("--results", type=Path, metavar="FILE", help="take what --out wrote instead of measuring")
    parser.add_argument("--ask", type=Path, nargs=2, metavar=("MODEL", "TEST"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.ask:
        print(json.dumps(ask(*args.ask, args.limit)))
        return 0
    if args.results:
        document = json.loads(args.results.read_text(encoding="utf-8"))
    else:
        document = {"machine": platform.platform(), "processors": os.cpu_count(), "sizes": []}
        with tempfile.TemporaryDirectory(prefix="qac-scale-") as scratch:
            for size in args.sizes:
                print(f"{short(size)} queries", file=sys.stderr)
                document["sizes"].append(measure(size, args.folder or Path(scratch), args.seed, args.limit))
                if args.out:
                    args.out.write_text(json.dumps(document, indent=1), encoding="utf-8")
    if args.plot:
        args.plot.write_text(picture(document["sizes"]), encoding="utf-8")
    print(json.dumps(document) if args.json else table(document["sizes"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
