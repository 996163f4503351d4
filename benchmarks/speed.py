"""Speed and size of qac beside the published system's library and the usual alternatives, in one run.

    python benchmarks/speed.py                                    # on the built-in synthetic sample log
    python benchmarks/speed.py my.tsv --libpecos .venv-peers/bin/python
    python benchmarks/speed.py --examples data/ --out speed.json

libpecos needs NumPy 1: give the Python of an environment of its own, made by `pip install -e '.[peers]'` there.
Without one its rows are left out. Each system is trained, timed and weighed in a process of its own, one at a time,
on the same examples and as many threads; requests are those of the test part that have a session. They are asked in
rounds, every system and way once a round, after a round that does not count. Before, other requests (if there are
more) warm a way up for a fifth of a second at least, or the same in one call: what was asked before is no part of it.
A request's time is its thread's processor time, the median over rounds, so that what else the machine does is no part
of it; percentiles are those over requests. Threads and training are timed by the clock on the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import parts
import speed_tables
from quality import example_folders
from systems import Data

from qac import __version__
from qac.machine import processors
from qac.presets import PRESETS

WORKER = Path(__file__).with_name("speed_worker.py")


class Worker:
    """A system in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], system: str) -> None:
        self._process = process
        self.system = system

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the result of a command."""
        assert self._process.stdin
        assert self._process.stdout
        with suppress(BrokenPipeError):  # then there is no answer either, and its own words stand on standard error
            print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"{self.system} failed to {do}")
        return json.loads(answer)


@contextmanager
def worker(python: str, system: str, data: Path, folder: Path, options: Sequence[str]) -> Iterator[Worker]:
    """Start a system; it ends with the block."""
    folder.mkdir()
    command = [python, str(WORKER), system, str(data), str(folder), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Worker(process, system)


def measure(
    name: str, data: Path, pythons: dict[str, str], options: Sequence[str], args: argparse.Namespace
) -> dict[str, Any]:
    """Measure all systems on one log. ``pythons``: what each system runs in."""
    with tempfile.TemporaryDirectory(prefix="qac-speed-") as scratch:
        costs: dict[str, list[Any]] = {system: [] for system in pythons}
        for training in range(args.trainings):
            with ExitStack() as running:
                workers = []
                for system, python in pythons.items():
                    print(f"{name}: train {system}", file=sys.stderr)
                    folder = Path(scratch) / f"{system}{training}"
                    workers.append(running.enter_context(worker(python, system, data, folder, options)))
                    costs[system].append(workers[-1].ask("train"))
                if training == args.trainings - 1:
                    print(f"{name}: measure", file=sys.stderr)
                    trained = {w.system: w.ask("measure") for w in workers}
                    times = _times([(w, way) for w in workers for way in trained[w.system]["ways"]], args.rounds)
        if args.parts:
            print(f"{name}: parts", file=sys.stderr)
            by_part = parts.measure(Data(data), Path(trained["qac"]["path"]), args.rounds)
    for system, runs in costs.items():
        trained[system] |= {cost: median(run[cost] for run in runs) for cost in runs[0]} | {"runs": runs}
    kinds = {way: kind for system in trained.values() for way, kind in system.pop("ways").items()}
    requests = trained["qac"]["requests"]
    result = {
        "log": name,
        "requests": requests,
        "single": {way: _percentiles(times[way]) for way, kind in kinds.items() if kind == "single"},
        "bulk": {way: _throughput(times[way], requests) for way, kind in kinds.items() if kind == "bulk"},
        "trained": trained,
    }
    result["ratios"] = speed_tables.ratios(result)
    return result | ({"parts": by_part} if args.parts else {})


def _times(asked: Sequence[tuple[Worker, str]], rounds: int) -> dict[str, list[Any]]:
    """Return what each way took in each round, in nanoseconds; a first round is not counted."""
    times: dict[str, list[Any]] = {way: [] for _, way in asked}
    for number in range(rounds + 1):
        for it, way in asked:
            taken = it.ask("round", way=way)
            times[way] += [taken] if number else []
    return times


def _percentiles(rounds: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Return percentiles over requests, in microseconds: of their medians over rounds, and of each round."""
    times = np.array(rounds) / 1000
    p50, p99 = np.percentile(np.median(times, axis=0), [50, 99]).round(2).tolist()
    p50_rounds, p99_rounds = np.percentile(times, [50, 99], axis=1).round(2).tolist()
    return {"p50_us": p50, "p99_us": p99, "p50_rounds": p50_rounds, "p99_rounds": p99_rounds}


def _throughput(rounds: Sequence[int], requests: int) -> dict[str, Any]:
    per_second = [round(requests / ns * 1e9) for ns in rounds]
    return {"per_second": median(per_second), "rounds": per_second}


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and by which versions."""
    cpu = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in cpu.read_text().splitlines() if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "processors": processors(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"qac": __version__} | {p: version(p) for p in ("numpy", "scikit-learn", "marisa-trie")},
    }


def _pythons(libpecos: str | None) -> dict[str, str]:
    """Return the Python that each system runs in."""
    pythons = {"qac": sys.executable}
    if libpecos is None and find_spec("pecos"):
        libpecos = sys.executable
    if libpecos is None:
        print("left out: libpecos; --libpecos names a Python that has it", file=sys.stderr)
        return pythons
    try:
        tried = subprocess.run([libpecos, "-c", "import pecos, qac"], capture_output=True, text=True)
        reason = tried.stderr.strip().rpartition("\n")[2] if tried.returncode else ""
    except OSError as e:
        reason = str(e.strerror)
    if reason:
        raise SystemExit(f"{libpecos} cannot run libpecos beside qac: {reason}; pip install -e '.[peers]' there")
    return pythons | {"libpecos": libpecos}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*", type=Path, metavar="LOG", help="query logs (default: the sample log)")
    parser.add_argument(
        "--examples", action="append", type=Path, default=[], metavar="DIR", help="a folder of `qac prep`"
    )
    parser.add_argument("--libpecos", metavar="PYTHON", help="a Python that has libpecos and qac")
    parser.add_argument("--preset", choices=PRESETS, default="kdd21-hybrid1", help="of libpecos (default: %(default)s)")
    parser.add_argument("--requests", type=_positive, default=2000, help="of a round (default: %(default)s)")
    parser.add_argument("--rounds", type=_positive, default=7, help="that count (default: %(default)s)")
    parser.add_argument("--trainings", type=_positive, default=1, help="of each system (default: %(default)s)")
    parser.add_argument("--limit", type=_positive, default=20_000, help="test examples for MRR (default: %(default)s)")
    parser.add_argument(
        "--no-parts", dest="parts", action="store_false", help="whole systems alone, not the parts of qac"
    )
    parser.add_argument("--prep", default="", metavar="OPTIONS", help='for `qac prep`, e.g. "--split-by session"')
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures to FILE too, as JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the logs named on the command line."""
    args = _parser().parse_args(arguments)
    pythons = _pythons(args.libpecos)
    options = [f"--{name}={getattr(args, name)}" for name in ("requests", "limit", "preset")]
    options.append(f"--threads={processors()}")
    results = []
    with tempfile.TemporaryDirectory(prefix="qac-bench-") as scratch:
        for name, data in example_folders(args.logs, args.examples, args.prep, Path(scratch)):
            results.append(measure(name, data, pythons, options, args))
    settings = {name: getattr(args, name) for name in ("requests", "rounds", "trainings", "limit", "preset")}
    report = {"machine": machine(), "settings": settings, "logs": results}
    print(speed_tables.markdown(report))
    if args.out:
        args.out.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
