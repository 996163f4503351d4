"""Sorting more rows than fit into memory.

A session's queries may lie anywhere in a log, so rows are brought together by sorting. Rows are byte strings whose
order is the order wanted; a full buffer is sorted and written as a *run*, and the runs are merged while they are read.
The merge is :func:`heapq.merge` over open files, whose lines are read in C.

Memory is that of one run and of a small buffer for each run being merged, however many rows there are. SQLite, the
other sorter in the standard library, was no faster with ten million rows, and took four times the memory.
"""

import contextlib
import heapq
from collections.abc import Iterator
from pathlib import Path

RUN_ROWS = 500_000
"""Rows per run: some 70 MB of memory."""
MAX_RUNS = 128
"""So many runs of one level are merged into a run of the next: few open files, and a row is merged once a level."""
_BUFFER = 1 << 17


class RunSorter:
    """Takes lines (bytes that end in a line break and hold no other), gives them back in order, as often as asked.

    Lines live in ``folder``, unless all of them fit into one run.
    """

    def __init__(self, folder: Path, run_rows: int = RUN_ROWS, max_runs: int = MAX_RUNS) -> None:
        self._folder = folder
        self._run_rows = run_rows
        self._max_runs = max_runs
        self._rows: list[bytes] = []
        self._levels: list[list[Path]] = []
        self._made = 0
        self._sorted = True
        self._count = 0

    def add(self, line: bytes) -> None:
        """Take one line."""
        self._rows.append(line)
        self._sorted = False
        if len(self._rows) >= self._run_rows:
            self._spill()

    def __len__(self) -> int:
        return self._count + len(self._rows)

    def __iter__(self) -> Iterator[bytes]:
        if not self._sorted:
            self._rows.sort()
            self._sorted = True
        if not self._levels:
            return iter(self._rows)
        if self._rows:
            self._spill()
        return self._merge([run for level in self._levels for run in level])

    def discard(self) -> None:
        """Forget all lines and remove their files."""
        for run in (run for level in self._levels for run in level):
            run.unlink()
        self._rows, self._levels, self._count = [], [], 0

    def _spill(self) -> None:
        self._rows.sort()
        self._write(0, iter(self._rows))
        self._count += len(self._rows)
        self._rows = []
        self._sorted = True

    def _write(self, level: int, lines: Iterator[bytes]) -> None:
        self._made += 1
        run = self._folder / f"run-{self._made:06}"
        with run.open("wb", _BUFFER) as f:
            f.writelines(lines)
        if level == len(self._levels):
            self._levels.append([])
        runs = self._levels[level]
        runs.append(run)
        if len(runs) == self._max_runs:
            self._write(level + 1, self._merge(runs))
            for merged in runs:
                merged.unlink()
            runs.clear()

    @staticmethod
    def _merge(runs: list[Path]) -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            yield from heapq.merge(*(stack.enter_context(run.open("rb", _BUFFER)) for run in runs))
