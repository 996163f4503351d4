"""One system in a process of its own, which trains it and times it whenever it is told to.

    python benchmarks/speed_worker.py SYSTEM DATA FOLDER [--requests N] [--preset NAME] [--threads N]

SYSTEM is qac or libpecos (which needs NumPy 1, and so another Python than qac's own), DATA a folder that ``qac prep``
wrote, FOLDER where the trained model goes. A line of JSON on standard input is a command, a line on standard output its
result; benchmarks/speed.py is at the other end. ``{"do": "train"}`` comes first, then ``{"do": "measure"}`` for what
does not vary, and ``{"do": "round", "way": NAME}`` to ask all requests once in one of the ways that the answer to
"measure" lists.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from systems import Data, peak_mb

from qac.baselines import MostFrequent
from qac.completer import Completer
from qac.completion import Suggester
from qac.config import RESAMPLES
from qac.evaluation import evaluate
from qac.examples import Example
from qac.labels import LabelTable
from qac.saving import save_model
from qac.text import normalize_prefix
from qac.training import train

K = 10
OPENINGS = 7
OTHERS = 500
"""Requests of a warm-up: other ones than are timed."""
WARM_UP = 0.2
"""Seconds of a warm-up at least: a processor that was idle, or busy with something else, takes as long to be quick."""
Request = tuple[str, tuple[str, ...]]
"""A prefix and the session's earlier queries."""


@dataclass(frozen=True)
class Single:
    """Requests asked one by one, each of them timed: by the processor, so that other processes do not count."""

    call: Callable[..., Any]
    arguments: Sequence[tuple[Any, ...]]
    others: Sequence[tuple[Any, ...]]

    def warm_up(self) -> None:
        """Ask all the others, again and again for as long as a warm-up takes."""
        until = time.monotonic() + WARM_UP
        for i, arguments in enumerate(cycle(self.others)):
            if i >= len(self.others) and time.monotonic() > until:
                break
            self.call(*arguments)

    def __call__(self) -> list[int]:
        """Return the nanoseconds of each request."""
        call, clock, out = self.call, time.thread_time_ns, []
        for arguments in self.arguments:
            began = clock()
            call(*arguments)
            out.append(clock() - began)
        return out


@dataclass(frozen=True)
class Bulk:
    """All requests at once."""

    call: Callable[[], Any]
    clock: Callable[[], int] = time.thread_time_ns

    def warm_up(self) -> None:
        """Ask once."""
        self.call()

    def __call__(self) -> int:
        """Return the nanoseconds of all requests together."""
        began = self.clock()
        self.call()
        return self.clock() - began


Way = Single | Bulk


class Qac:
    """qac with its default settings, and most popular completion beside it."""

    def __init__(self, data: Data, folder: Path, args: argparse.Namespace) -> None:
        self._data = data
        self._threads: int = args.threads
        self.path = folder / "qac.qac"

    def train(self) -> Suggester:
        """Train with the default settings."""
        model = train(self._data.examples("train"), self._data.config(), threads=self._threads, quiet=True)
        save_model(model, self.path)
        return Completer.load(self.path)

    def open(self) -> None:
        """Open the model."""
        Completer.load(self.path)

    def ways(self, requests: Sequence[Request], others: Sequence[Request]) -> dict[str, Way]:
        """Return the ways in which it is asked; ``others``: requests to warm up with."""
        completer = Completer.load(self.path)
        plain = Completer.load(self.path, compose=False)
        mfq = MostFrequent().fit(self._data.examples("train"))
        asked = _as_they_are(requests), _as_they_are(others)
        encoded = _encoded(completer, requests), _encoded(completer, others)
        ways: dict[str, Way] = {
            "qac": Single(completer.complete, *asked),
            "qac, native call": Single(completer._native.complete, *encoded),
            "qac, beam 10": Single(Completer.load(self.path, beam=10).complete, *asked),
            "qac --no-compose": Single(plain.complete, *asked),
            "qac --no-compose, beam 10": Single(Completer.load(self.path, beam=10, compose=False).complete, *asked),
            "mfq": Single(mfq.complete, *asked),
            "qac, batch": Bulk(lambda: _batch(completer, requests)),
        }
        for name, asking in (("threads", _one_by_one), ("batches on threads", _batch)):
            for threads in (1, 2):
                ask = partial(_in_threads, asking, completer, requests, threads)
                ways[f"qac, {name} {threads}"] = Bulk(ask, time.perf_counter_ns)
        return ways


class Libpecos:
    """libpecos in one of the published configurations."""

    def __init__(self, data: Data, folder: Path, args: argparse.Namespace) -> None:
        self._data = data
        self._preset: str = args.preset
        self._threads: int = args.threads
        self.path = folder / "libpecos"

    def train(self) -> Suggester:
        """Train."""
        from libpecos_peer import train_libpecos

        self._completer = train_libpecos(
            self._preset, self._data.examples("train"), threads=self._threads, folder=self.path
        )
        suggester: Suggester = self._completer
        return suggester

    def open(self) -> None:
        """Open the rankers; its vectorisers and strings are not saved."""
        from libpecos_peer import load_rankers

        load_rankers(self.path)

    def ways(self, requests: Sequence[Request], others: Sequence[Request]) -> dict[str, Way]:
        """Return the ways in which it is asked; ``others``: requests to warm up with."""
        completer = self._completer
        rows, other_rows = ([(prev[-1], prefix) for prefix, prev in asked] for asked in (requests, others))
        features, other_features = ([(completer.features(row),) for row in asked] for asked in (rows, other_rows))
        return {
            "libpecos": Single(completer.complete, _as_they_are(requests), _as_they_are(others)),
            "libpecos, search alone": Single(completer.search, features, other_features),
            "libpecos, batch": Bulk(lambda: completer.complete_batch(rows, K)),
        }


SYSTEMS: dict[str, Callable[[Data, Path, argparse.Namespace], Qac | Libpecos]] = {"qac": Qac, "libpecos": Libpecos}


def _as_they_are(requests: Sequence[Request]) -> list[tuple[str, tuple[str, ...], int]]:
    """Return the arguments of a completer's ``complete``."""
    return [(prefix, prev, K) for prefix, prev in requests]


def _encoded(completer: Completer, requests: Sequence[Request]) -> list[tuple[bytes, bytes, int, int, int]]:
    """Return the arguments of the native call, the texts in normal form."""
    return [
        (
            normalize_prefix(prefix, completer.protocol).encode(),
            "\n".join(prev).encode(),
            K,
            completer._beam,
            completer._options,
        )
        for prefix, prev in requests
    ]


def _batch(completer: Completer, requests: Sequence[Request]) -> None:
    """Ask all requests in one call, on one thread."""
    completer.complete_batch([prefix for prefix, _ in requests], [prev for _, prev in requests], K)


def _one_by_one(completer: Completer, requests: Sequence[Request]) -> None:
    for prefix, prev in requests:
        completer.complete(prefix, prev, K)


def _in_threads(
    ask: Callable[[Completer, Sequence[Request]], None], completer: Completer, requests: Sequence[Request], threads: int
) -> None:
    """Ask the requests, shared among threads."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda i: ask(completer, requests[i::threads]), range(threads)))


def requests_of(examples: Iterable[Example], n: int) -> list[Request]:
    """Return the first ``n`` requests that have a session, which the published system cannot do without."""
    return [(e.prefix, e.prev_queries) for e in examples if e.prev_queries][:n]


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file()) if path.is_dir() else path.stat().st_size


class Worker:
    """Carries out the commands; see the module for what they are."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._data = Data(args.data)
        self._limit: int = args.limit
        self._n: int = args.requests
        self._system = SYSTEMS[args.system](self._data, args.folder, args)

    def train(self) -> dict[str, Any]:
        """Train, from reading the examples to the model's being saved and opened."""
        began, worked = time.monotonic(), time.process_time()
        self._suggester = self._system.train()
        return {
            "seconds": time.monotonic() - began,
            "cpu_seconds": time.process_time() - worked,
            "peak_mb": peak_mb(),
        }

    def measure(self) -> dict[str, Any]:
        """Return the size and the quality of what was trained, and the ways in which it can be asked."""
        examples = self._data.examples("test")
        known = LabelTable.from_examples(self._data.examples("train"))
        report = evaluate(self._suggester, examples[: self._limit], known=known, quiet=True).to_json(RESAMPLES)
        asked = requests_of(examples, self._n + OTHERS)
        if not asked:
            raise SystemExit(f"{self._data.folder}: no test request has a session; split the log in another way")
        requests = asked[: self._n]
        self._ways = self._system.ways(requests, asked[self._n :] or requests)
        return {
            "path": str(self._system.path),
            "bytes": _size(self._system.path),
            "open_ms": median(Bulk(self._system.open)() / 1e6 for _ in range(OPENINGS)),
            "labels": len(known),
            "mrr@10": report["mrr@10"],
            "ci95": report["ci95"]["mrr@10"],
            "asked": report["n"],
            "requests": len(requests),
            "ways": {name: type(way).__name__.lower() for name, way in self._ways.items()},
        }

    def round(self, way: str) -> list[int] | int:
        """Warm up, then ask all requests once; return nanoseconds: of each or, asked in one call, of all."""
        asking = self._ways[way]
        asking.warm_up()
        return asking()


def main() -> None:
    """Serve commands until there are no more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=2000, help="requests of a round (default: %(default)s)")
    parser.add_argument("--limit", type=int, default=20_000, help="test examples for MRR (default: %(default)s)")
    parser.add_argument("--preset", default="kdd21-hybrid1", help="of libpecos (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="for training (default: %(default)s)")
    worker = Worker(parser.parse_args())
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print is no answer
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(getattr(worker, command.pop("do"))(**command)), file=out, flush=True)


if __name__ == "__main__":
    main()
