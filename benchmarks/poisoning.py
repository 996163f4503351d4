"""How many fake users does it take to have a phrase suggested, with and without the defences of `qac prep`?

    python benchmarks/poisoning.py                     # the synthetic sample log, some ten minutes
    python benchmarks/poisoning.py --sessions 3000     # faster

Each fake user makes an everyday query and then the phrase, so often, on different days; the phrase begins with a prefix
that people type: one of many completions, or of few. Log and fake users are prepared, a model is trained with the
defaults, and the prefix is asked, without a session and after the everyday query. The least number of fake users that
brings the phrase among the first ten, or to the top, is found by bisection: what was tried was trained with. Beside
it stands how often people made the query that had that place before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qac.completer import Completer
from qac.config import UNSCREENED, PopularityConfig, ScreeningConfig, TrainingConfig
from qac.data_prep import PrepOptions, prepare
from qac.data_prep.sample_log import generate
from qac.examples import normalize_examples, read_examples
from qac.progress import progress
from qac.saving import save_model
from qac.training import train

Row = tuple[str, int, str]
DAY = 86_400
MOST = 1 << 12
"""Fake users, after which an attack is given up."""
WAYS: dict[str, tuple[ScreeningConfig, int]] = {
    "unscreened, once each": (UNSCREENED, 1),
    "unscreened, 20 times each": (UNSCREENED, 20),
    "default, once each": (ScreeningConfig(), 1),
    "default, 20 times each": (ScreeningConfig(), 20),
    "one of a user counts, 20 times each": (replace(ScreeningConfig(), per_user=1), 20),
}
GOALS = {
    "first ten": (10, False),
    "top": (1, False),
    "first ten, after a query": (10, True),
    "top, after a query": (1, True),
}
"""The rank that is wanted, and whether there is a session."""


@dataclass(frozen=True)
class Target:
    """What an attack wants: ``phrase`` suggested at ``prefix``."""

    prefix: str
    phrase: str
    prev: str
    completions: int
    """How many queries begin with the prefix."""
    tenth: int
    first: int
    """How often people made the tenth and the first of them."""


def targets(rows: Sequence[Row]) -> list[Target]:
    """Return a prefix of 1, 2, 3 and 5 characters: of those with 20 completions, the 90th percentile by use."""
    made = Counter(query for _, _, query in rows)
    everyday = made.most_common(50)
    found = []
    for length in (1, 2, 3, 5):
        total: Counter[str] = Counter()
        completions: Counter[str] = Counter()
        for query, n in made.items():
            total[query[:length]] += n
            completions[query[:length]] += len(query) > length
        usable = sorted((p for p in total if completions[p] >= 20 and " " not in p), key=lambda p: (total[p], p))
        prefix = usable[len(usable) * 9 // 10]
        counts = sorted((n for query, n in made.items() if query.startswith(prefix)), reverse=True)
        prev = next(q for q, _ in everyday if not q.startswith(prefix))
        found.append(Target(prefix, f"{prefix}zzq", prev, len(counts), counts[9], counts[0]))
    return found


def fake_rows(target: Target, users: int, times: int, start: int, days: int) -> list[Row]:
    """Return what ``users`` fake users make: the everyday query, then the phrase, ``times`` on as many days."""
    dice = random.Random(target.prefix)
    made: list[Row] = []
    for user in range(users):
        for day in dice.sample(range(days), times):
            time = start + day * DAY + dice.randrange(DAY - 60)
            name = f"fake {target.prefix} {user}"
            made += [(name, time, target.prev), (name, time + 15, target.phrase)]
    return made


def ranks(rows: Sequence[Row], wanted: Sequence[Target], screening: ScreeningConfig) -> list[tuple[float, float]]:
    """Train on ``rows``; return the ranks of each target's phrase at its prefix, without a session and with one."""
    with tempfile.TemporaryDirectory(prefix="qac-poisoning-") as folder:
        log, data, model = Path(folder, "log.tsv"), Path(folder, "data"), Path(folder, "m.qac")
        log.write_text("".join(f"{user}\t{time}\t{query}\n" for user, time, query in rows), encoding="utf-8")
        stats = prepare([log], data, PrepOptions(split="1/0/0", screening=screening, quiet=True))
        config = TrainingConfig(popularity=PopularityConfig(rare=stats["rare_share"]))  # as `qac train` finds it
        save_model(train(normalize_examples(read_examples(data / "train.jsonl")), config, quiet=True), model)
        completer = Completer.load(model)

        def rank(target: Target, session: list[str]) -> float:
            texts = [c.text for c in completer.complete(target.prefix, session, 10)]
            return texts.index(target.phrase) + 1 if target.phrase in texts else math.inf

        return [(rank(target, []), rank(target, [target.prev])) for target in wanted]


class Bisection:
    """Finds the least number for one goal. More fake users never do worse."""

    def __init__(self, goal: tuple[int, bool]) -> None:
        self._rank, self._session = goal
        self._low = 0
        self.least: int | None = None

    def learn(self, users: int, found: tuple[float, float]) -> None:
        """Take note of the ranks that so many fake users had."""
        if found[self._session] <= self._rank:
            self.least = users if self.least is None else min(users, self.least)
        else:
            self._low = max(users, self._low)

    def next(self) -> int | None:
        """Return the number to try, None if there is none."""
        if self.least is None:
            return max(1, 2 * self._low) if self._low < MOST else None
        return (self._low + self.least) // 2 if self.least - self._low > 1 else None


def least(rows: Sequence[Row], wanted: Sequence[Target], way: tuple[ScreeningConfig, int]) -> list[list[int | None]]:
    """Return the least number of fake users for each goal and target; None: ``MOST`` do not reach it."""
    screening, times = way
    start = rows[0][1]
    days = max(times, (rows[-1][1] - start) // DAY)
    searches = [[Bisection(goal) for goal in GOALS.values()] for _ in wanted]
    with progress(None, "attacks", unit=" trainings", quiet=False) as bar:
        # Targets do not disturb each other: each training tries a number of fake users for all of them.
        while any(tried := [next(filter(None, (s.next() for s in goals)), 0) for goals in searches]):
            fakes = [fake_rows(target, n, times, start, days) for target, n in zip(wanted, tried, strict=True)]
            found = ranks([*rows, *itertools.chain(*fakes)], wanted, screening)
            for goals, users, rank in zip(searches, tried, found, strict=True):
                for search in goals if users else ():
                    search.learn(users, rank)
            bar.update()
    return [[goals[i].least for goals in searches] for i in range(len(GOALS))]


def measure(sessions: int) -> dict[str, Any]:
    """Return the least numbers of fake users, by goal and way, one for each target."""
    rows = list(generate(sessions=sessions))
    wanted = targets(rows)
    found = {name: least(rows, wanted, way) for name, way in WAYS.items()}
    return {
        "rows": len(rows),
        "users": len({user for user, _, _ in rows}),
        "targets": [vars(target) for target in wanted],
        "fake_users": {goal: {way: found[way][i] for way in WAYS} for i, goal in enumerate(GOALS)},
    }


def table(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    wanted = found["targets"]
    lines = [
        f"| goal | users and defences | {' | '.join(repr(target['prefix']) for target in wanted)} |",
        "|---|---|" + "---|" * len(wanted),
    ]
    for goal, ways in found["fake_users"].items():
        place = "first" if goal.startswith("top") else "tenth"
        lines.append(f"| {goal} | *times people made the {place}* | {' | '.join(str(t[place]) for t in wanted)} |")
        for way, numbers in ways.items():
            lines.append(f"| | {way} | {' | '.join('-' if n is None else f'{n:,}' for n in numbers)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=12_000, help="of the sample log (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE too")
    args = parser.parse_args()
    found = measure(args.sessions)
    print(f"{found['rows']:,} rows of {found['users']:,} users\n\n{table(found)}")
    if args.json:
        args.json.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
