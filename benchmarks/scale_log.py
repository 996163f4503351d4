"""A made-up search log of any size, written straight as examples: what benchmarks/scale.py measures on.

    python benchmarks/scale_log.py 1000000 OUT      # OUT/train.jsonl, OUT/test.jsonl

Queries are one to five words from a topic's own and from a vocabulary whose frequencies follow Zipf's law and which
grows with the log as Heaps' law says; the topics' sizes and the queries' popularity follow Zipf's law too. A session
goes from query to query: to one of a few that mostly follow this one, to another of the topic, or to any. So about a
third of what comes next shows in the session. Some queries of the test part are in no session of training.

Same size and seed, same files. Sessions are drawn and written in batches; what is kept is the queries: 100 bytes each.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from qac.files import atomic_writer
from qac.progress import progress

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
Random = np.random.Generator

PAIRS: Final = 3
"""Steps from one query to the next, for each distinct query."""
TEST_EXAMPLES: Final = 20_000
_UNIVERSE: Final = 1.46
"""Queries that there are, for each one that a log of PAIRS steps happens to have."""
_PER_TOPIC: Final = 50
_WORDS: Final = (0.12, 0.32, 0.30, 0.17, 0.09)
"""Shares of queries of 1, 2, ... words."""
_LONGEST: Final = len(_WORDS)
_TOPIC_WORDS: Final = 24
_RARE: Final = 0.06
"""Chance that a word is one of a long tail that grows as the log does: names, numbers, errors."""
_GOES_ON: Final = 0.72
_MOST: Final = 6
"""Queries in a session: it goes on with this chance, up to so many."""
_FOLLOWING, _TOPIC = 0.40, 0.25
"""Chances that the next query is one of those that mostly follow this one, and one of the topic's."""
_BATCH: Final = 100_000


@dataclass(frozen=True)
class Strings:
    """Many byte strings in one: string i is ``data[end[i - 1]:end[i]]``."""

    data: bytes
    end: I64

    def __len__(self) -> int:
        return len(self.end)

    def take(self, which: I64) -> list[bytes]:
        """Return the strings numbered ``which``."""
        begin = np.where(which > 0, self.end[which - 1], 0)
        data = self.data
        return [data[a:b] for a, b in zip(begin.tolist(), self.end[which].tolist(), strict=True)]


def zipf(rng: Random, n: int, size: int | tuple[int, ...]) -> I64:
    """Draw ranks 0 .. n - 1 whose probabilities fall as 1 / (rank + 1), nearly: exp of a uniform draw, cut off."""
    ranks: I64 = np.exp(rng.random(size) * np.log(n + 1)).astype(np.int64) - 1
    return np.minimum(ranks, n - 1)


def _vocabulary(rng: Random, common: int, rare: int) -> Strings:
    """Return ``common`` pronounceable words, short ones first, and ``rare`` ones of letters and digits."""
    onsets = [
        "s",
        "c",
        "p",
        "b",
        "m",
        "t",
        "d",
        "f",
        "r",
        "l",
        "h",
        "g",
        "n",
        "w",
        "k",
        "v",
        "j",
        "st",
        "ch",
        "pr",
        "tr",
        "br",
        "gr",
        "cl",
        "sh",
        "th",
        "pl",
        "bl",
        "fr",
        "y",
        "z",
        "q",
    ]
    vowels, codas = (
        ["a", "e", "i", "o", "u", "ea", "oo", "ai"],
        ["", "", "", "n", "r", "s", "t", "l", "d", "ck", "m", "x"],
    )
    words: dict[str, None] = {}
    while len(words) < common:
        draws = zip(*(zipf(rng, len(part), (1000, 4)).tolist() for part in (onsets, vowels, codas)), strict=True)
        n_syllables = np.minimum(1 + rng.integers(0, 2 + len(words) * 3 // common, 1000), 4).tolist()
        for syllables, n in zip(draws, n_syllables, strict=True):
            parts = zip(*(indices[:n] for indices in syllables), strict=True)
            words.setdefault("".join(onsets[a] + vowels[b] + codas[c] for a, b, c in parts))
    letters = "abcdefghijklmnopqrstuvwxyz"
    numbers = rng.permutation(26**2 * max(10_000, rare // 400))[:rare]
    codes = (f"{letters[i % 26]}{letters[i // 26 % 26]}{i // 676}" for i in numbers.tolist())
    texts = [*list(words)[:common], *codes]
    return Strings("".join(texts).encode(), np.cumsum([len(t) for t in texts]))


def _join(words: Strings, rows: I64) -> Strings:
    """Return the words of each row, with spaces between; -1: no word."""
    begin = np.concatenate([[0], words.end[:-1]])
    data = np.frombuffer(words.data, np.uint8)
    parts, sizes = [], []
    for first in range(0, len(rows), _BATCH):
        batch = rows[first : first + _BATCH]
        there = batch >= 0
        ids = batch[there]
        length = words.end[ids] - begin[ids] + 1  # and a space
        ends = np.cumsum(length)
        source = np.arange(int(ends[-1])) + np.repeat(begin[ids] - (ends - length), length)
        text = data[np.minimum(source, len(data) - 1)]
        text[ends - 1] = ord(" ")
        ends_of_rows = ends[np.cumsum(there.sum(axis=1)) - 1]
        text = np.delete(text, ends_of_rows - 1)  # no space at the end
        parts.append(text.tobytes())
        sizes.append(np.diff(ends_of_rows, prepend=0) - 1)
    return Strings(b"".join(parts), np.cumsum(np.concatenate(sizes)))


@dataclass(frozen=True)
class Universe:
    """All queries that there are, those of a topic next to each other."""

    texts: Strings
    topic: npt.NDArray[np.int32]
    """Of each query."""
    first: I64
    """First query of each topic, and the end of the last."""
    ranked: npt.NDArray[np.int32]
    """Queries, the most popular first."""

    def next(self, rng: Random, query: I64) -> I64:
        """Draw what comes after each of ``query``."""
        move = rng.random(len(query))
        first = self.first[self.topic[query]]
        size = self.first[self.topic[query] + 1] - first
        # What mostly follows: four queries of the topic that depend on this one alone, the first most of all.
        following = (query * 2_654_435_761 + zipf(rng, 4, len(query)) * 40_503) % 4_294_967_291
        of_topic = np.where(move < _FOLLOWING, following % size, (rng.random(len(query)) ** 2 * size).astype(np.int64))
        return np.where(move < _FOLLOWING + _TOPIC, first + of_topic, self.popular(rng, len(query)))

    def popular(self, rng: Random, n: int) -> I64:
        """Draw ``n`` queries by popularity."""
        return self.ranked[zipf(rng, len(self.ranked), n)].astype(np.int64)


def make_universe(rng: Random, n: int) -> Universe:
    """Return ``n`` queries."""
    common, rare = int(30 * n**0.5) + 100, n // 10 + 100
    words = _vocabulary(rng, common, rare)
    topics = n // _PER_TOPIC + 1
    own = zipf(rng, common, (topics, _TOPIC_WORDS)).astype(np.int32)
    made = int(n * 1.7)  # many are made twice
    topic = np.sort(zipf(rng, topics, made) // 2 + rng.integers(0, (topics + 1) // 2, made)).astype(np.int32)
    n_words = rng.choice(_LONGEST, made, p=_WORDS) + 1
    rows = own[topic[:, None], zipf(rng, _TOPIC_WORDS, (made, _LONGEST))].astype(np.int64)
    anywhere = rng.random((made, _LONGEST))
    rows = np.where(anywhere < 0.25, zipf(rng, common, rows.shape), rows)
    rows = np.where(anywhere > 1 - _RARE, common + rng.integers(0, rare, rows.shape), rows)
    rows[np.arange(_LONGEST) >= n_words[:, None]] = -1
    for i in range(1, _LONGEST):  # no word twice in a row
        rows[rows[:, i] == rows[:, i - 1], i] = common - 1 - i
    rows[np.arange(_LONGEST) >= n_words[:, None]] = -1
    keys = np.zeros(made, np.uint64)
    for column in rows.T:
        keys = (keys ^ (column + 2).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    _, distinct = np.unique(keys, return_index=True)
    kept = np.sort(rng.permutation(distinct)[:n])
    if len(kept) < n:
        raise SystemExit(f"only {len(kept):,} of {n:,} queries are distinct; make the vocabulary larger")
    topic = topic[kept]
    first = np.searchsorted(topic, np.arange(topics + 1)).astype(np.int64)
    return Universe(_join(words, rows[kept]), topic, first, rng.permutation(n).astype(np.int32))


def _sessions(rng: Random, universe: Universe, n: int) -> tuple[I64, I64]:
    """Draw ``n`` sessions: their queries, shape (n, most), and how many each has. None is made twice in a row."""
    length = np.minimum(rng.geometric(1 - _GOES_ON, n), _MOST)
    queries = np.empty((n, _MOST), np.int64)
    queries[:, 0] = universe.popular(rng, n)
    for i in range(1, _MOST):
        drawn = universe.next(rng, queries[:, i - 1])
        queries[:, i] = np.where(drawn == queries[:, i - 1], (drawn + 1) % len(universe.texts), drawn)
    return queries, length


def _lines(rng: Random, universe: Universe, queries: I64, length: I64) -> list[bytes]:
    """Return the sessions' examples as JSON lines; a prefix is the beginning of its query, of any length."""
    kept = np.arange(_MOST) < length[:, None]
    texts = universe.texts.take(queries[kept])
    cuts = (rng.random(len(texts)) * np.fromiter(map(len, texts), np.int64, len(texts))).astype(np.int64) + 1
    place = np.broadcast_to(np.arange(_MOST), queries.shape)[kept].tolist()
    lines = []
    for i, (text, n, cut) in enumerate(zip(texts, place, cuts.tolist(), strict=True)):
        last = texts[i - 1] if n else b""
        past = b', "prev_queries": ["' + b'", "'.join(texts[i - n : i]) + b'"]' if n > 1 else b""
        lines.append(b'{"prev_query": "%b", "prefix": "%b", "next_query": "%b"%b}\n' % (last, text[:cut], text, past))
    return lines


def write_log(n: int, folder: Path, *, seed: int = 0, quiet: bool = False) -> None:
    """Write train.jsonl, of about ``n`` distinct queries and PAIRS * n pairs, and test.jsonl into ``folder``."""
    rng = np.random.default_rng(seed)
    universe = make_universe(rng, int(n * _UNIVERSE))
    folder.mkdir(parents=True, exist_ok=True)
    for name, pairs in (("train.jsonl", PAIRS * n), ("test.jsonl", TEST_EXAMPLES)):
        with atomic_writer(folder / name) as out, progress(pairs, name, unit=" pairs", quiet=quiet) as bar:
            left = pairs
            while left > 0:
                queries, length = _sessions(rng, universe, _BATCH)
                enough = int(np.searchsorted(np.cumsum(length - 1), left)) + 1
                queries, length = queries[:enough], length[:enough]
                out.writelines(_lines(rng, universe, queries, length))
                made = int((length - 1).sum())
                left -= made
                bar.update(made)


def main() -> int:
    """Write one log."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("queries", type=int, help="distinct queries, about")
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    write_log(args.queries, args.out, seed=args.seed)
    print(f"{args.out}: {time.monotonic() - began:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
