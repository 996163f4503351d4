"""Quality, speed and size of qac beside its baselines, on any log: prepared, trained and evaluated with defaults.

    python benchmarks/run.py                         # the built-in synthetic sample log
    python benchmarks/run.py my.tsv other.tsv.gz     # your own logs
    python benchmarks/run.py --json results.json my.tsv

Each log goes through the same commands that a user types: `qac prep`, `qac train`, `qac eval` with the baselines mfq
and cooc on the same requests. Each runs in a process of its own, so that memory peaks are its own. Prints Markdown
tables; times are this machine's.
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
from pathlib import Path
from typing import Any


def run(*arguments: str) -> tuple[dict[str, Any], float, float]:
    """Run `qac` with ``arguments`` and --json; return what it prints, seconds, and peak memory in MB."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "qac", *arguments, "--json"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        raise SystemExit(f"qac {' '.join(arguments)} failed")
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    return json.loads(output), seconds, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def measure(log: Path, folder: Path, prep_options: list[str], limit: int) -> dict[str, Any]:
    """Prepare, train and evaluate on one log."""
    data, model = folder / "data", folder / "model.qac"
    prep, prep_seconds, prep_mb = run("prep", str(log), "--out", str(data), *prep_options)
    train, train_seconds, train_mb = run("train", str(data / "train.jsonl"), "--out", str(model))
    test = str(data / "test.jsonl")
    common = ("eval", test, "--model", str(model), "--limit", str(limit))
    evaluation, _, _ = run(*common, "--baseline", "mfq", "--baseline", "cooc")
    known_only, _, _ = run(*common, "--no-compose", "--train", str(data / "train.jsonl"))
    return {
        "log": log.name,
        "prep": {"seconds": prep_seconds, "peak_mb": prep_mb, "stats": prep},
        "train": {"seconds": train_seconds, "peak_mb": train_mb, **train},
        "systems": {**evaluation["systems"], "qac --no-compose": known_only},
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lines = [
        "| log | system | MRR@10 | seen | unseen | 1 char | Success@10 | BLEU_RR | coverage | p50 µs | p99 µs |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for name, r in result["systems"].items():
            first = r["by_prefix_length"]["1"]
            groups = (r, r["seen"], r["unseen"], first)
            metrics = [*(g["mrr@10"] for g in groups), r["success@10"], r["bleu_rr"], r["coverage"]]
            cells = ["-" if m is None else f"{m:.3f}" for m in metrics]
            latency = r["latency_us"]
            lines.append(
                f"| {result['log']} | {name} | {' | '.join(cells)} | {latency['p50']:.0f} | {latency['p99']:.0f} |"
            )
    lines += [
        "",
        "| log | requests | queries | examples | prep s | train s | train peak MB | model MB | bytes per query |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        t = result["train"]
        n = next(iter(result["systems"].values()))["n"]
        lines.append(
            f"| {result['log']} | {n:,} | {t['labels']:,} | {t['examples']:,} | {result['prep']['seconds']:.1f} "
            f"| {t['seconds']:.1f} | {t['peak_mb']:.0f} | {t['bytes'] / 1e6:.1f} | {t['bytes'] / t['labels']:.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure the logs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG", help="query logs (default: the sample log)")
    parser.add_argument("--limit", type=int, default=20_000, help="test requests per log (default: %(default)s)")
    parser.add_argument(
        "--prep", default="", metavar="OPTIONS", help='options for `qac prep`, e.g. "--split-by session"'
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE too")
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="qac-bench-") as name:
        logs = args.logs
        if not logs:
            logs = [Path(name) / "sample.tsv"]
            subprocess.run([sys.executable, "-m", "qac.data_prep.sample_log", str(logs[0])], check=True)
        for i, log in enumerate(logs):
            folder = Path(name) / str(i)
            folder.mkdir()
            results.append(measure(log, folder, args.prep.split(), args.limit))
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}\n")
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
