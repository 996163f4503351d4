"""A synthetic search log: made up from lists of topics, no one's search history.

    python -m qac.data_prep.sample_log OUT.tsv [--seed 7] [--sessions 30000]

The log is for trying the package out: the demonstration trains on it. Its sessions are built so that consecutive
queries are related as those of real logs are: some add words, a few drop words, many replace some, and most move on
to something else, which is mostly in the same topic ("digital camera", then "nikon d3500"). The same seed gives the
same log with every version of Python on every machine.
"""

import argparse
import os
import random
import sys
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, Literal

from qac.data_prep.sample.universe import Query, Step, step, universe
from qac.errors import QacError
from qac.files import atomic_writer
from qac.progress import progress

SESSIONS: Final = 33_000
SEED: Final = 7

_START: Final = 1_767_571_200  # Monday, 5 January 2026, 00:00 UTC
_DAYS: Final = 60
_HOURS: Final = (2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 9, 8, 8, 8, 8, 9, 10, 12, 13, 12, 8, 4)
_LENGTHS: Final = (25, 29, 20, 12, 8, 6)  # sessions of 1, 2, ... queries
_SESSIONS_PER_USER: Final = 4
_TYPO: Final = 0.005

# What the next query is: first the kind of step by shared words, for steps that share none also how far they go.
Move = Step | Literal["topic", "near", "anywhere"]
_MOVES: Final[tuple[tuple[Move, float], ...]] = (
    ("add", 0.14),
    ("drop", 0.03),
    ("replace", 0.42),
    ("topic", 0.30),
    ("near", 0.045),
    ("anywhere", 0.065),
)
_ATTEMPTS: Final = 12


class Dice:
    """Chance that is the same everywhere: of ``random`` only what Python promises to keep, and no libm."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def roll(self) -> float:
        """Return a number from 0 up to 1."""
        return self._random()

    def below(self, n: int) -> int:
        """Return a whole number from 0 up to ``n - 1``."""
        return int(self.roll() * n)

    def weighted(self, cumulative: Sequence[float]) -> int:
        """Return an index; ``cumulative`` are the running sums of the weights."""
        return min(bisect(cumulative, self.roll() * cumulative[-1]), len(cumulative) - 1)


class _Sessions:
    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._universe = universe()
        self._names = [name for name, _ in _MOVES]
        self._moves = list(accumulate(share for _, share in _MOVES))
        self._lengths = list(accumulate(_LENGTHS))

    def session(self) -> Iterator[str]:
        """Yield the queries of one session."""
        query = self._first()
        left = 1 + self._dice.weighted(self._lengths)
        while left:
            left -= 1
            if self._dice.roll() < _TYPO and (wrong := self._mistyped(query.text)) != query.text:
                yield wrong
                if left and self._dice.roll() < 0.7:  # noticed, and typed again
                    left -= 1
                    yield query.text
            else:
                yield query.text
            query = self._next(query)

    def _first(self) -> Query:
        # The most general of three, that is short and early in its topic: people start with that.
        drawn = [self._universe.queries.draw(self._popular()) for _ in range(3)]
        return min(drawn, key=lambda q: 3 * len(q.words) + q.group)

    def _next(self, query: Query) -> Query:
        move = self._names[self._dice.weighted(self._moves)]
        subject = self._universe.subjects[query.topic]
        if move == "add" or move == "drop" or move == "replace":
            return self._sharing(query, move) or self._elsewhere(query, "topic")
        return self._elsewhere(query, move if move != "near" or subject.near else "topic")

    def _sharing(self, query: Query, kind: Step) -> Query | None:
        """Return a query that shares words with this one: about the same thing, else in the same topic."""
        subject = self._universe.subjects[query.topic]
        if following := subject.groups[query.group].following(query, kind):
            return following.draw(self._popular())
        for _ in range(_ATTEMPTS):
            found = subject.queries.draw(self._dice.roll())
            if step(query, found) == kind:
                return found
        return None

    def _popular(self) -> float:
        # Towards 0, where pools have what is asked for most: what follows a query is less varied than all there is.
        return self._dice.roll() * self._dice.roll()

    def _elsewhere(self, query: Query, move: Move) -> Query:
        """Return a query that shares no word with this one, if a few attempts find one."""
        subject = self._universe.subjects[query.topic]
        found = query
        for _ in range(_ATTEMPTS):
            pool = self._universe.queries
            if move == "topic":
                alternatives = subject.alternatives.get(query.group)
                pool = alternatives if alternatives and self._dice.roll() < 0.4 else subject.queries
            elif move == "near":
                pool = self._universe.subjects[subject.near[self._dice.below(len(subject.near))]].queries
            found = pool.draw(self._popular())
            if not found.words & query.words:
                break
        return found

    def _mistyped(self, text: str) -> str:
        """Return the text with two letters exchanged, one lost or one doubled."""
        at = 1 + self._dice.below(len(text))
        pair = text[at : at + 2]
        if len(pair) < 2 or not pair.isalpha():
            return text
        return text[:at] + (pair[::-1], pair[1], pair[0] + pair)[self._dice.below(3)] + text[at + 2 :]


def generate(seed: int = SEED, sessions: int = SESSIONS, *, quiet: bool = True) -> Iterator[tuple[str, int, str]]:
    """Yield the rows of the log, by time: user, seconds since 1970, query. ``quiet``: no progress bar."""
    dice = Dice(seed)
    source = _Sessions(dice)
    hours = list(accumulate(_HOURS))
    users = max(sessions // _SESSIONS_PER_USER, 1)
    rows: list[tuple[int, int, str, str]] = []
    with progress(sessions, "make up searches", unit=" sessions", quiet=quiet) as bar:
        for _ in range(sessions):
            user = int(users * dice.roll() * dice.roll())  # some search much more than others
            time = _START + ((dice.below(_DAYS) * 24 + dice.weighted(hours)) * 3600 + dice.below(3600))
            for query in source.session():
                rows.append((time, len(rows), f"u{user:05d}", query))
                pause = dice.roll()
                time += 5 + int(600 * pause * pause * pause)
            bar.update()
    rows.sort()
    for time, _, name, query in rows:
        yield name, time, query


def write_sample_log(
    path: str | os.PathLike[str], seed: int = SEED, sessions: int = SESSIONS, *, quiet: bool = True
) -> int:
    """Write the log as ``user TAB time TAB query`` lines; return how many.

    Raises
    ------
    OutputError
        The file cannot be written; the message says why.
    """
    rows = 0
    with atomic_writer(path) as f:
        for user, time, query in generate(seed, sessions, quiet=quiet):
            f.write(f"{user}\t{time}\t{query}\n".encode())
            rows += 1
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Write a sample log from the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m qac.data_prep.sample_log",
        description="Write a synthetic search log, made up from lists of topics: user, seconds since 1970, query.",
    )
    parser.add_argument("out", metavar="OUT.tsv")
    parser.add_argument("--seed", type=int, default=SEED, help="default: %(default)s")
    parser.add_argument("--sessions", type=int, default=SESSIONS, help="default: %(default)s")
    args = parser.parse_args(argv)
    try:
        rows = write_sample_log(args.out, args.seed, args.sessions, quiet=False)
    except QacError as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    print(f"{args.out}: {rows:,} rows of synthetic searches")
    return 0


if __name__ == "__main__":
    sys.exit(main())
