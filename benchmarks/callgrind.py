"""Counting the instructions of qac's native code with valgrind, and telling where they go.

Instructions, unlike times, do not depend on what else a machine does. They do depend on the compiler, its flags and the
C library, whose work is counted with the function of ours that called for it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

ENTRY = "qac_complete"
"""Only what happens inside of this function is counted."""
ASK = Path(__file__).with_name("ask.py")
_OURS = re.compile(r"(^|/)native/src/[^/]+$")

PHASES = {
    "request, answers, mixture": ("complete",),
    "features": ("features",),
    "label range and tree search": ("search", "model"),
    "label strings": ("labels",),
    "composing": ("compose", "mixture", "ngrams"),
    "words by their characters": ("spelling",),
    "corrections": ("correct",),
    "shared": ("core",),
}
"""What the files of native/src are for, headers too; a file that is not here is a phase of its own."""


@dataclass
class Counts:
    """Instructions by source file of native/src, without its folder, and by function."""

    total: int = 0
    by_file: Counter[str] = field(default_factory=Counter)
    by_function: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Keys: file and function, which contains what the compiler put into it."""

    def by_phase(self) -> dict[str, int]:
        """Return the instructions of each phase."""
        phase_of = {stem: phase for phase, stems in PHASES.items() for stem in stems}
        phases: Counter[str] = Counter()
        for file, count in self.by_file.items():
            stem = PurePath(file).stem
            phases[phase_of.get(stem, stem)] += count
        return {phase: phases[phase] for phase in sorted(phases, key=lambda p: -phases[p])}


def count(model: Path, requests: Path, options: Sequence[str] = ()) -> Counts:
    """Count the instructions of asking ``model`` all of ``requests``.

    See benchmarks/ask.py for what these are, and for ``options``.
    """
    if not shutil.which("valgrind"):
        raise SystemExit("valgrind is not there: it counts the instructions; apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="qac-callgrind-") as folder:
        out, log = Path(folder, "out"), Path(folder, "log")
        valgrind = ["valgrind", "--tool=callgrind", f"--toggle-collect={ENTRY}", f"--callgrind-out-file={out}"]
        command = [*valgrind, f"--log-file={log}", sys.executable, str(ASK), str(model), str(requests), *options]
        if subprocess.run(command).returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
        counts = parse(out.read_text().splitlines())
    if not counts.total:
        raise SystemExit(f"no instructions were counted: does qac still call {ENTRY}?")
    if not counts.by_file:
        raise SystemExit("qac was built without debug information: build it with CFLAGS=-g")
    return counts


def parse(lines: Sequence[str]) -> Counts:
    """Read the profile that callgrind wrote (its manual, "Callgrind Format Specification")."""
    ours = {function: file for file, function, *_ in _costs(lines) if _OURS.search(file)}
    counts = Counts(total=next(int(line.split()[1]) for line in lines if line.startswith(("summary:", "totals:"))))
    for file, function, at, cost, called in _costs(lines):
        # What the C library does counts where it was called, with what it calls back: so there not where that stands.
        if not _OURS.search(file):
            file_of, sign = ours.get(called), -1
            if file_of is None or called == ENTRY:
                continue
            place, function = file_of, called
        elif called not in ours:
            place, sign = file if at.endswith(".h") or not _OURS.search(at) else at, 1
        else:
            continue
        counts.by_file[PurePath(place).name] += sign * cost
        counts.by_function[PurePath(place).name, _plain(function)] += sign * cost
    return counts


def _costs(lines: Iterable[str]) -> Iterator[tuple[str, str, str, int, str]]:
    """Yield a function's file, the function, the file of a line in it, the line's cost, and the function it calls."""
    names: dict[tuple[str, str], str] = {}
    file = at = function = called = ""
    is_call = False

    def name(kind: str, text: str) -> str:
        number, _, given = text.partition(" ")
        if not number.startswith("("):
            return text
        return names.setdefault((kind, number), given) if given else names[kind, number]

    for line in lines:
        key, is_set, value = line.partition("=")
        if is_set and key in ("fl", "fi", "fe"):
            at = name("file", value)
            file = at if key == "fl" else file
        elif is_set and key == "fn":
            function, at = name("function", value), file
        elif is_set and key in ("cfi", "cfl"):
            name("file", value)
        elif is_set and key == "cfn":
            called = name("function", value)
        elif is_set and key == "calls":
            is_call = True
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            yield file, function, at, int(line.split()[1]), called if is_call else ""
            is_call = False


def _plain(function: str) -> str:
    """Return the name without what the compiler or callgrind added to it."""
    return function.partition(".")[0].partition("'")[0]
