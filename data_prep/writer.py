"""Writing examples to their parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Literal

from qac.data_prep.prefixes import prefix_lengths
from qac.data_prep.records import PARTS, Part
from qac.examples import Example

FirstQueries = Literal["train", "all", "none"]
FIRST_QUERIES: tuple[FirstQueries, ...] = ("train", "all", "none")


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


class PartWriter:
    """Draws prefixes and writes one JSON line for each, to the file of the example's part."""

    def __init__(self, files: dict[Part, IO[bytes]], prefixes: int | None, seed: bytes) -> None:
        self._files = files
        self._prefixes = prefixes
        self._seed = seed
        self.stats: dict[Part, PartStats] = {part: PartStats() for part in PARTS}

    def write(
        self,
        part: Part,
        history: Sequence[str],
        query: str,
        key: bytes,
        count: float = 1.0,
        prefix: str | None = None,
    ) -> None:
        """Write ``query`` after ``history``; ``key`` names the pair, for the drawing of prefixes."""
        stats = self.stats[part]
        if history:
            stats.pairs += 1
        else:
            stats.first_queries += 1
        past = tuple(history)
        if prefix is not None:
            prefixes = [prefix]
        else:
            prefixes = [query[:n] for n in prefix_lengths(len(query), self._prefixes, self._seed, key)]
        file = self._files[part]
        for typed in prefixes:
            line = Example(past, typed, query, count).to_json().encode() + b"\n"
            file.write(line)
            stats.bytes += len(line)
        stats.examples += len(prefixes)
