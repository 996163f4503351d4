"""Counts and latencies of all worker processes together, in the text format of Prometheus.

Each process counts in a slot of its own of memory that all of them share, so counting takes no lock between processes
and what a process counted stays when it dies: the next one with that slot counts on.
"""

from __future__ import annotations

import mmap
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from qac._version import __version__
from qac.webdemo.models import Answer, Engine

ENDPOINTS: Final = ("complete", "batch", "explain", "accept", "page", "other")
STATUSES: Final = ("200", "304", "400", "404", "405", "413", "500", "503", "other")
SOURCES: Final = ("index", "session", "composed", "corrected")
BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Upper bounds, in seconds."""

_CELLS: Final = [
    *(("requests", endpoint, status) for endpoint in ENDPOINTS for status in STATUSES),
    *(("latency", endpoint, str(i)) for endpoint in ENDPOINTS for i in range(len(BUCKETS) + 1)),
    *(("nanoseconds", endpoint) for endpoint in ENDPOINTS),
    *(("answers", source) for source in SOURCES),
    ("empty",),
    ("blocked",),
    ("recorded",),
]
_AT: Final[dict[tuple[str, ...], int]] = {cell: i for i, cell in enumerate(_CELLS)}


class Metrics:
    """Counters of ``slots`` processes. Made before they are forked; each then calls :meth:`use`."""

    def __init__(self, slots: int = 1) -> None:
        self._slots = slots
        self._shared = memoryview(mmap.mmap(-1, 8 * slots * len(_CELLS))).cast("Q")
        self.use(0)

    def use(self, slot: int) -> None:
        """Count in ``slot`` from now on, which no other living process may use."""
        self._begin = slot * len(_CELLS)
        self._lock = threading.Lock()

    def count_request(self, endpoint: str, status: int, nanoseconds: int) -> None:
        """Count a request that was answered."""
        code = str(status) if str(status) in STATUSES else "other"
        bucket = str(bisect_left(BUCKETS, nanoseconds / 1e9))
        self._add(
            (("requests", endpoint, code), 1),
            (("latency", endpoint, bucket), 1),
            (("nanoseconds", endpoint), nanoseconds),
        )

    def count_answers(self, answers: Iterable[Answer]) -> None:
        """Count what completions were given."""
        for answer in answers:
            self._add(
                *((("answers", c.source), 1) for c in answer.completions),
                (("empty",), int(not answer.completions)),
                (("blocked",), answer.blocked),
            )

    def count_recorded(self) -> None:
        """Count a search that was recorded."""
        self._add((("recorded",), 1))

    def _add(self, *increments: tuple[tuple[str, ...], int]) -> None:
        with self._lock:
            for cell, n in increments:
                self._shared[self._begin + _AT[cell]] += n

    def total(self, *cell: str) -> int:
        """Return a counter's sum over all processes."""
        at = _AT[cell]
        return sum(self._shared[slot * len(_CELLS) + at] for slot in range(self._slots))

    def exposition(self, engine: Engine) -> str:
        """Return everything in the text format of Prometheus, version 0.0.4."""
        return "\n".join([*self._counters(), *_gauges(engine), ""])

    def _counters(self) -> Iterator[str]:
        yield from _head("qac_requests_total", "counter", "Requests answered.")
        for endpoint in ENDPOINTS:
            for status in STATUSES:
                n = self.total("requests", endpoint, status)
                if n:
                    yield f'qac_requests_total{{endpoint="{endpoint}",status="{status}"}} {n}'
        name = "qac_request_duration_seconds"
        yield from _head(name, "histogram", "Time from a request's arrival in the application to its answer.")
        for endpoint in ENDPOINTS:
            n = 0
            for i, bound in enumerate([*(f"{b:g}" for b in BUCKETS), "+Inf"]):
                n += self.total("latency", endpoint, str(i))
                yield f'{name}_bucket{{endpoint="{endpoint}",le="{bound}"}} {n}'
            yield f'{name}_sum{{endpoint="{endpoint}"}} {self.total("nanoseconds", endpoint) / 1e9:.9f}'
            yield f'{name}_count{{endpoint="{endpoint}"}} {n}'
        yield from _head("qac_completions_total", "counter", "Completions given, by where they come from.")
        for source in SOURCES:
            yield f'qac_completions_total{{source="{source}"}} {self.total("answers", source)}'
        for name, cell, what in (
            ("qac_empty_answers_total", "empty", "Answers without any completion."),
            ("qac_blocked_completions_total", "blocked", "Completions that the blocklist took out."),
            ("qac_recorded_searches_total", "recorded", "Searches written to the record."),
        ):
            yield from _head(name, "counter", what)
            yield f"{name} {self.total(cell)}"


def _gauges(engine: Engine) -> Iterator[str]:
    model = engine.current.model
    yield from _head("qac_model_info", "gauge", "The model that is answered from.")
    yield f'qac_model_info{{model="{model.version}",version="{__version__}"}} 1'
    yield from _head("qac_model_age_seconds", "gauge", "Time since the model's file was written.")
    yield f"qac_model_age_seconds {max(0.0, time.time() - model.modified):.3f}"
    yield from _head("qac_model_queries", "gauge", "Queries that the model knows.")
    yield f"qac_model_queries {len(model.completer)}"
    yield from _head(
        "qac_file_refused", "gauge", "Whether the file as it is now was refused and an earlier one is used."
    )
    yield f'qac_file_refused{{file="model"}} {int(engine.model.refused)}'
    if engine.blocklist:
        yield f'qac_file_refused{{file="blocklist"}} {int(engine.blocklist.refused)}'


def _head(name: str, kind: str, what: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"
