"""The budget of instructions: what a request on the sample model may cost, by part, and whether it does.

    python benchmarks/instructions.py             # fails where a part costs a tenth more than its budget
    python benchmarks/instructions.py --record    # sets the budget: benchmarks/instructions.json

Counted by valgrind's callgrind inside of the native call, on the first requests of a synthetic log that the sample
model was not trained on. The counts rest on the compiler and its flags (those of the installed extension), on the C
library and on the sample model, which any change of training changes too: record anew what was meant to change.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import callgrind

from qac.config import UNSCREENED
from qac.data_prep import PrepOptions, prepare
from qac.data_prep.sample_log import SEED, write_sample_log
from qac.examples import Example, normalize_examples, read_examples
from qac.sample import sample_model

BUDGET = Path(__file__).with_name("instructions.json")
REQUESTS = 300
TOLERANCE = 0.1
NEGLIGIBLE = 0.01
"""A change of less than this share of the total is none, however much it is for a small part."""
VARIANTS: Mapping[str, Sequence[str]] = {"qac": (), "qac --no-compose": ("--no-compose",)}
TOTAL = "total"


@dataclass(frozen=True)
class Change:
    """What a part costs a request now, beside its budget; 0: there is no such part."""

    part: str
    budget: float
    counted: float
    verdict: Literal["over", "under", "equal"]

    def __str__(self) -> str:
        change = f"{self.counted / self.budget - 1:+.1%}" if self.budget else "new"
        return f"{self.part:30} {self.budget:>10,.0f} {self.counted:>10,.0f} {change:>8}  {self.verdict}"


def compare(budget: Mapping[str, float], counted: Mapping[str, float], tolerance: float = TOLERANCE) -> list[Change]:
    """Return what became of each part. ``budget``, ``counted``: instructions a request by part, "total" among them."""
    changes = []
    for part in dict.fromkeys([*budget, *counted]):
        before, now = budget.get(part, 0), counted.get(part, 0)
        matters = abs(now - before) > max(tolerance * before, NEGLIGIBLE * budget[TOTAL])
        verdict: Literal["over", "under", "equal"] = "equal"
        if matters:
            verdict = "over" if now > before else "under"
        changes.append(Change(part, before, now, verdict))
    return changes


def write_requests(examples: Sequence[Example], path: Path) -> int:
    """Write the requests of ``examples`` for benchmarks/ask.py and return how many they are."""
    lines = [json.dumps([e.prefix, e.prev_queries], ensure_ascii=False) + "\n" for e in examples]
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def count_all(model: Path, requests: Path, n: int) -> dict[str, dict[str, float]]:
    """Return for each variant the instructions of one of the ``n`` requests, by part."""
    counted = {}
    for variant, options in VARIANTS.items():
        counts = callgrind.count(model, requests, options)
        parts = {TOTAL: counts.total, **counts.by_phase()}
        counted[variant] = {part: round(number / n) for part, number in parts.items()}
    return counted


def sample_requests(n: int) -> list[Example]:
    """Return the first ``n`` requests of a synthetic log like the one that the sample model was trained on."""
    with tempfile.TemporaryDirectory(prefix="qac-instructions-") as folder:
        log, data = Path(folder, "log.tsv"), Path(folder, "data")
        write_sample_log(log, seed=SEED + 1, sessions=n, quiet=True)
        prepare([log], data, PrepOptions(split="100/0/0", screening=UNSCREENED, quiet=True))
        return list(islice(normalize_examples(read_examples(data / "train.jsonl")), n))


def measured_with() -> dict[str, str]:
    """Return what the counts rest on."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    said = subprocess.run([compiler, "-dumpfullversion", "-dumpversion"], capture_output=True, text=True)
    return {
        "machine": platform.machine(),
        "compiler": f"{compiler} {said.stdout.strip()}",
        "c_library": " ".join(platform.libc_ver()),
        "python": platform.python_version(),
    }


def judge(budget: Mapping[str, Any], counted: Mapping[str, Mapping[str, float]], now: Mapping[str, str]) -> int:
    """Print all parts beside their budgets, and what is to be done; return the exit code."""
    verdicts = set()
    for variant, parts in counted.items():
        print(f"{variant:30} {'budget':>10} {'counted':>10}")
        for change in compare(budget["instructions_per_request"][variant], parts):
            print(f"  {change}")
            verdicts.add(change.verdict)
    different = [f"{k} {now[k]}, was {v}" for k, v in budget["measured_with"].items() if now[k] != v]
    if verdicts != {"equal"} and different:
        print(f"the budget was recorded elsewhere: {'; '.join(different)}")
    if "over" in verdicts:
        print("over budget; make it cheaper or, if it is worth it, `make instructions RECORD=1`", file=sys.stderr)
        return 1
    if "under" in verdicts:
        print("under budget; keep what was won: `make instructions RECORD=1`")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and compare or record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="make what is counted the budget")
    parser.add_argument("--budget", type=Path, default=BUDGET, metavar="FILE", help="default: %(default)s")
    args = parser.parse_args(arguments)
    now = measured_with()
    budget = None
    if not args.record:
        try:
            budget = json.loads(args.budget.read_text(encoding="utf-8"))
        except (OSError, ValueError) as e:
            raise SystemExit(f"cannot read the budget {args.budget}: {e}; --record makes one") from e
        recorded_on = budget["measured_with"]["machine"]
        if recorded_on != now["machine"]:
            print(f"not compared: the budget is for {recorded_on}, this is {now['machine']}")
            return 0
    with tempfile.TemporaryDirectory(prefix="qac-instructions-") as folder:
        requests = Path(folder, "requests.jsonl")
        n = write_requests(sample_requests(REQUESTS), requests)
        counted = count_all(sample_model(quiet=True), requests, n)
    if budget is not None:
        return judge(budget, counted, now)
    report = {"measured_with": now, "requests": n, "instructions_per_request": counted}
    args.budget.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"recorded {', '.join(f'{v}: {p[TOTAL]:,.0f}' for v, p in counted.items())} instructions a request")
    return 0


if __name__ == "__main__":
    sys.exit(main())
