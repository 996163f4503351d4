"""Writing examples to their parts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Literal

from qac.data_prep.prefixes import prefix_lengths
from qac.data_prep.records import PARTS, Part
from qac.examples import MIN_COUNT, Example

FirstQueries = Literal["train", "all", "none"]
_UNIT = 2.0**-30
"""Shares of counts are multiples of this: their sums are then exact, in any order, up to counts of 8 million."""


@dataclass
class PartStats:
    """What one part holds."""

    sessions: int = 0
    first_queries: int = 0
    pairs: int = 0
    examples: int = 0
    bytes: int = 0


def file_name(part: Part) -> str:
    """Return the name of the part's file."""
    return f"{part}.jsonl"


def shares(count: float, n: int) -> list[float]:
    """Divide ``count`` among ``n`` lines: equal shares, but for what rounding left over, which the first one has."""
    share = math.floor(count / n / _UNIT) * _UNIT
    return [count - share * (n - 1), *[share] * (n - 1)]


class PartWriter:
    """Draws prefixes and writes one JSON line for each, to the file of the example's part.

    The lines of a pair share its count: how often a query was made does not depend on how many prefixes are drawn.
    Outside train, lines also say which of them belong to one session, by a running number that tells nothing of who
    it was: an evaluation's intervals need it.
    """

    def __init__(self, files: dict[Part, IO[bytes]], prefixes: int | None, seed: bytes) -> None:
        self._files = files
        self._prefixes = prefixes
        self._seed = seed
        self._session = -1
        self.stats: dict[Part, PartStats] = {part: PartStats() for part in PARTS}

    def begin_session(self) -> None:
        """Say that what is written next does not belong to the session of what was written last."""
        self._session += 1

    def write(
        self,
        part: Part,
        history: Sequence[str],
        query: str,
        key: bytes,
        count: float = 1.0,
        prefix: str | None = None,
        time: int | None = None,
    ) -> None:
        """Write ``query``, made after ``history`` at ``time`` (seconds since 1970).

        ``key`` names the pair, for the drawing of prefixes.

        So many prefixes are drawn at most that no line's share of ``count`` is smaller than examples may count.
        """
        stats = self.stats[part]
        if history:
            stats.pairs += 1
        else:
            stats.first_queries += 1
        past = tuple(history)
        if prefix is not None:
            prefixes = [prefix]
        else:
            most = max(1, int(count / (MIN_COUNT + _UNIT)))
            wanted = min(self._prefixes or len(query), most)
            prefixes = [query[:n] for n in prefix_lengths(len(query), wanted, self._seed, key)]
        file = self._files[part]
        session = None if part == "train" else self._session
        for typed, share in zip(prefixes, shares(count, len(prefixes)), strict=True):
            line = Example(past, typed, query, share, time=time, session=session).to_json().encode() + b"\n"
            file.write(line)
            stats.bytes += len(line)
        stats.examples += len(prefixes)
