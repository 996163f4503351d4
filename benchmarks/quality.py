"""Quality, speed and size of all systems on any log: prepared, trained and evaluated on the same requests.

    python benchmarks/quality.py --systems main          # baselines and qac, on the built-in synthetic sample log
    python benchmarks/quality.py my.tsv other.tsv.gz     # everything there is, on your own logs
    python benchmarks/quality.py --examples data/        # on what `qac prep` wrote
    python benchmarks/quality.py --list

Choose settings on --part valid: what was chosen on the test part proves nothing there.

Systems come in groups: main (the baselines and qac), ablations (the default configuration with one thing changed),
presets (the configurations of the KDD'21 paper, by qac) and libpecos (the same by the published code, where that is
installed). Prints Markdown tables with 95 % intervals; times are this machine's. A model that is used twice is trained
once: its cost stands where it was trained.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import plot
import systems

from qac.config import RESAMPLES
from qac.evaluation import compare, load_report

REFERENCE = "qac"
"""What every other system is compared with."""
SYSTEMS = Path(__file__).with_name("systems.py")


def prepare(log: Path, folder: Path, options: Sequence[str]) -> float:
    """Prepare ``log`` into ``folder`` and return the seconds it took.

    Nothing is screened out, as in the literature, but by what ``options`` say.
    """
    began = time.monotonic()
    command = [sys.executable, "-m", "qac", "prep", str(log), "--out", str(folder), "--quiet", "--unscreened", *options]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"qac prep {log} failed")
    return time.monotonic() - began


def measure(name: str, data: Path, names: Sequence[str], arguments: Sequence[str]) -> dict[str, Any]:
    """Train and evaluate the systems called ``names`` on one log; ``name`` is the log's."""
    reports = {}
    with tempfile.TemporaryDirectory(prefix="qac-reports-") as folder:
        for number, system in enumerate(names):
            print(f"{name}: {system}", file=sys.stderr)
            path = Path(folder) / f"{number}.json"
            command = [sys.executable, str(SYSTEMS), system, str(data), str(path), *arguments]
            if subprocess.run(command).returncode:
                raise SystemExit(f"measuring {system} on {name} failed")
            reports[system] = load_report(path)
    reference = reports.get(REFERENCE)
    return {
        "log": name,
        "systems": {system: report.to_json(RESAMPLES) for system, report in reports.items()},
        "against": {
            system: compare(report, reference)
            for system, report in reports.items()
            if reference is not None and system != REFERENCE
        },
    }


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lines = [
        f"| log | system | MRR@10 | 95 % | {REFERENCE} above it by | seen | unseen | 1 char | Success@10 | keys saved "
        "| BLEU_RR | coverage | p50 µs | p99 µs |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for name, r in result["systems"].items():
            quality = [r["seen"]["mrr@10"], r["unseen"]["mrr@10"], r["by_prefix_length"]["1"]["mrr@10"]]
            quality += [r[metric] for metric in ("success@10", "keystrokes_saved", "bleu_rr", "coverage")]
            low, high = r["ci95"]["mrr@10"]
            cells = [_share(r["mrr@10"]), f"{_share(low)}–{_share(high)}", _gain(result["against"].get(name))]
            cells += [*map(_share, quality), *(f"{r['latency_us'][p]:.0f}" for p in ("p50", "p99"))]
            lines.append(f"| {result['log']} | {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "| log | system | requests | known queries | training, s | its peak, MB | model, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in results:
        for name, r in result["systems"].items():
            model = r["model"]
            size = f"{model['bytes'] / 1e6:.1f}" if "bytes" in model else "-"
            known = f"{model['labels']:,}" if "labels" in model else "-"
            lines.append(
                f"| {result['log']} | {name} | {r['n']:,} | {known} | {model['train_seconds']:.1f} "
                f"| {model['peak_mb']:.0f} | {size} |"
            )
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _gain(comparison: dict[str, Any] | None) -> str:
    """Return by how much the reference is above a system, and the interval of that."""
    if comparison is None:
        return ""
    mrr = comparison["mrr@10"]
    low, high = mrr["ci95"]
    return f"{mrr['difference']:+.4f} ({low:+.4f} to {high:+.4f})"


def _choose(wanted: str) -> list[str]:
    """Return the names of the systems that ``wanted`` lists, by name or by group."""
    groups = systems.groups()
    names = [name for group in groups.values() for name in group]
    chosen: list[str] = []
    for item in (w.strip() for w in wanted.split(";")):
        if item not in groups and item not in names:
            raise SystemExit(f"there is no system {item!r} here; --list shows what there is")
        chosen += groups.get(item, [item])
        if item in groups and not groups[item]:
            print(f"left out: {item}, of which there is none here", file=sys.stderr)
    return list(dict.fromkeys(chosen))


def example_folders(
    logs: Sequence[Path], examples: Sequence[Path], options: str, scratch: Path
) -> Iterator[tuple[str, Path]]:
    """Yield the name of each log and the folder of its examples, prepared when it is asked for.

    ``logs`` are prepared with ``options``, ``examples`` are folders that ``qac prep`` wrote; the sample log where there
    are neither.
    """
    for folder in examples:
        data = scratch / f"examples-{folder.resolve().name}"  # models are kept beside the examples: not in your folder
        data.mkdir()
        for path in folder.iterdir():
            if path.suffix in (".jsonl", ".json"):
                (data / path.name).symlink_to(path.resolve())
        yield folder.resolve().name, data
    if not logs and not examples:
        logs = [scratch / "sample.tsv"]
        subprocess.run([sys.executable, "-m", "qac.data_prep.sample_log", str(logs[0])], check=True)
    for number, log in enumerate(logs):
        data = scratch / str(number)
        seconds = prepare(log, data, options.split())
        print(f"{log.name}: prepared in {seconds:.1f} s", file=sys.stderr)
        yield log.name, data


def main() -> int:
    """Measure the logs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG", help="query logs (default: the sample log)")
    parser.add_argument(
        "--examples", action="append", type=Path, default=[], metavar="DIR", help="a folder of `qac prep`"
    )
    parser.add_argument(
        "--systems",
        default="main;ablations;presets;libpecos",
        metavar="NAMES",
        help="groups or systems, with semicolons between (default: all)",
    )
    parser.add_argument("--list", action="store_true", help="show the systems and stop")
    parser.add_argument("--limit", type=int, default=20_000, help="test requests per log (default: %(default)s)")
    parser.add_argument("--part", choices=("test", "valid"), default="test", help="what to ask (default: %(default)s)")
    parser.add_argument("--typos", type=float, default=0.0, help="share of prefixes to mistype (default: %(default)s)")
    parser.add_argument("--prep", default="", metavar="OPTIONS", help='for `qac prep`, e.g. "--split-by session"')
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE too")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw MRR@10 by characters typed: FILE.svg or .html")
    args = parser.parse_args()
    names = _choose(args.systems)
    if args.list:
        print("\n".join(names))
        return 0
    arguments = ("--part", args.part, "--limit", str(args.limit), "--typos", str(args.typos))
    with tempfile.TemporaryDirectory(prefix="qac-bench-") as scratch:
        folders = example_folders(args.logs, args.examples, args.prep, Path(scratch))
        results = [measure(name, data, names, arguments) for name, data in folders]
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}\n")
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if args.plot:
        plot.draw(results, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
