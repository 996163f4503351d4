"""Is an output ever torn? Preparation and training are killed at random moments, again and again.

    python benchmarks/kills.py                # 300 kills of each
    python benchmarks/kills.py --kills 8

Before each run the output is that of another input; then SIGKILL comes at a random moment, half of them near the end,
where files are put in place. What stands there afterwards must be the old output or the new one, byte for byte; of a
prepared folder also one without its stats.json, which is how a folder says that it is not whole. In the end a run that
nobody kills, over all that the killed ones left behind, must give what it gives in an empty folder.

Exit status 1: something else was found.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qac.cli import main as qac_main

Content = Mapping[str, bytes]
STATS = "stats.json"


@dataclass(frozen=True)
class Job:
    """A command whose output goes to the folder ``out``."""

    name: str
    command: tuple[str, ...]
    out: Path

    def output(self) -> dict[str, bytes]:
        """Return what stands in the folder, hidden files apart."""
        return {f.name: f.read_bytes() for f in sorted(self.out.iterdir()) if f.name[0] != "."}

    def hidden(self) -> int:
        """Return the number of hidden files and folders."""
        return sum(f.name[0] == "." for f in self.out.iterdir())

    def put(self, content: Content) -> None:
        """Make the output ``content``."""
        for f in self.output().keys() - content.keys():
            (self.out / f).unlink()
        for name, data in content.items():
            (self.out / name).write_bytes(data)

    def start(self) -> int:
        """Run the command in a process of its own; return its id. All is imported already: it begins at once."""
        child = os.fork()
        if child:
            return child
        with contextlib.suppress(BaseException):
            os._exit(qac_main(list(self.command)))
        os._exit(70)

    def run(self) -> float:
        """Run the command to its end; return the seconds that it took."""
        begin = time.monotonic()
        _, status = os.waitpid(self.start(), 0)
        if status:
            raise RuntimeError(f"{' '.join(self.command)} ended with {status}")
        return time.monotonic() - begin


def write_log(path: Path, seed: int) -> None:
    """Write a log of made-up words, the same for the same seed."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefgh", k=rng.randint(2, 6))) for _ in range(150)]
    with path.open("w", encoding="utf-8") as f:
        for user in range(250):
            for i in range(rng.randint(2, 6)):
                query = " ".join(rng.choices(words, k=rng.randint(1, 3)))
                f.write(f"u{user}\t{1_700_000_000 + user * 40 + i * 30}\t{query}\n")


def judge(job: Job, old: Content, new: Content) -> str:
    """Return which output stands there."""
    found = job.output()
    if found == old:
        return "old"
    if found == new:
        return "new"
    if STATS in new and STATS not in found:
        return "without stats.json"
    return f"torn: {sorted(found)}"


def kill_often(job: Job, old: Content, kills: int, rng: random.Random) -> dict[str, Any]:
    """Kill the job so often; return how often which output stood there then."""
    shutil.rmtree(job.out)
    job.out.mkdir()
    seconds = statistics.median(job.run() for _ in range(5))
    new = job.output()
    left: collections.Counter[str] = collections.Counter()
    for _ in range(kills):
        job.put(old)
        child = job.start()
        time.sleep(seconds * (rng.uniform(0, 1) if rng.random() < 0.5 else rng.uniform(0.7, 1.3)))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left[judge(job, old, new)] += 1
    stray = job.hidden()
    job.run()
    if job.output() != new:
        left["torn: the last run gave something else"] += 1
    return {"seconds": round(seconds, 3), "left": dict(sorted(left.items())), "hidden": stray}


def measure(kills: int, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Kill preparation and training so often each; return what was left, by command."""
    rng = random.Random(seed)
    logs = [folder / name for name in ("one.tsv", "other.tsv")]
    out, models = folder / "data", folder / "models"
    out.mkdir()
    models.mkdir()
    prep = [Job("prep", ("prep", str(log), "--out", str(out), "--min-users", "1", "--quiet"), out) for log in logs]
    train = [
        Job("train", ("train", str(log.with_suffix(".jsonl")), "--out", str(models / "m.qac"), "--quiet"), models)
        for log in logs
    ]
    old: dict[str, Content] = {}
    for i, log in enumerate(logs):
        write_log(log, i)
        prep[i].run()
        shutil.copy(out / "train.jsonl", log.with_suffix(".jsonl"))
        train[i].run()
        if i == 0:
            old = {"prep": prep[i].output(), "train": train[i].output()}
    result = {job.name: kill_often(job, old[job.name], kills, rng) for job in (prep[1], train[1])}
    return {"kills": kills, **result}


def is_sound(result: Mapping[str, Any]) -> bool:
    """Return whether no output was torn."""
    return not any(state.startswith("torn") for name in ("prep", "train") for state in result[name]["left"])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    import qac.cli.prep  # what the processes would import, each by itself
    import qac.saving
    import qac.training  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        result = measure(args.kills, Path(folder), args.seed)
    print(json.dumps(result, indent=2))
    return 0 if is_sound(result) else 1


if __name__ == "__main__":
    sys.exit(main())
