"""Which part an example belongs to: train, valid or test. Sessions are never divided."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from qac.data_prep.prefixes import draw
from qac.data_prep.records import PARTS, Part
from qac.data_prep.sessions import Session
from qac.data_prep.times import time_parser
from qac.errors import UsageError


class Split(Protocol):
    """Assigns sessions to parts."""

    def part(self, session: Session) -> Part:
        """Return the part of ``session``."""
        ...


@dataclass(frozen=True)
class Ratios:
    """Cumulated shares: train up to ``first``, valid up to ``second``, the rest is test."""

    first: Fraction
    second: Fraction

    @classmethod
    def parse(cls, text: str) -> "Ratios":
        """Read ``80/10/10``."""
        try:
            shares = [Fraction(s) for s in text.split("/")]
        except (ValueError, ZeroDivisionError):
            shares = []
        if len(shares) != 3 or min(shares) < 0 or sum(shares) == 0:
            raise UsageError(f"--split {text}: expected three shares such as 80/10/10 (train/valid/test)")
        total = sum(shares)
        return cls(shares[0] / total, (shares[0] + shares[1]) / total)


def parse_dates(text: str) -> tuple[int, int]:
    """Read ``VALID_START,TEST_START``."""
    try:
        valid, test = (time_parser("auto")(t) for t in text.split(","))
    except (ValueError, OverflowError):
        raise UsageError(
            f"--split-dates {text}: expected two dates, VALID_START,TEST_START, such as 2026-05-01,2026-06-01"
        ) from None
    if valid > test:
        raise UsageError(f"--split-dates {text}: the start of valid lies after the start of test; swap them")
    return valid, test


@dataclass(frozen=True)
class TimeSplit:
    """By the start of the session: before ``valid_start`` train, before ``test_start`` valid, then test."""

    valid_start: int
    test_start: int

    def part(self, session: Session) -> Part:
        """Return the part of ``session``."""
        if session.start < self.valid_start:
            return "train"
        return "valid" if session.start < self.test_start else "test"


@dataclass(frozen=True)
class HashSplit:
    """By a seeded hash of the session's name: for logs without time, and where time is to play no role."""

    ratios: Ratios
    seed: bytes

    def part(self, session: Session) -> Part:
        """Return the part of ``session``."""
        return self.part_of(session.key)

    def part_of(self, key: bytes) -> Part:
        """Return the part of whatever ``key`` names."""
        x = draw(self.seed, b"split", key)
        bounds = (self.ratios.first, self.ratios.second)
        return PARTS[sum(x * b.denominator >= b.numerator << 64 for b in bounds)]


@dataclass
class StartHistogram:
    """Counts session starts in bounded memory; exact until there are ``max_bins`` different ones, then coarser."""

    max_bins: int = 1 << 18
    width: int = 1
    bins: Counter[int] = field(default_factory=Counter)

    def add(self, start: int) -> None:
        """Count one session that starts at ``start`` (milliseconds)."""
        self.bins[start // self.width] += 1
        if len(self.bins) > self.max_bins:
            self._coarsen()

    def _coarsen(self) -> None:
        # Two bins always remain if there are times before and after 1970: -1 and 0 are each their own half.
        while len(self.bins) > max(2, self.max_bins // 2):
            self.width *= 2
            coarser: Counter[int] = Counter()
            for i, n in self.bins.items():
                coarser[i // 2] += n
            self.bins = coarser

    def split(self, ratios: Ratios) -> TimeSplit:
        """Return the split whose parts have those shares of the sessions; equal starts stay together."""
        total = self.bins.total()
        ranks = [math.ceil(total * share) for share in (ratios.first, ratios.second)]
        valid_start, test_start = self._ends(ranks)
        return TimeSplit(valid_start, test_start)

    def _ends(self, ranks: Iterable[int]) -> list[int]:
        """Return, for each rank (ascending), the end of the bin in which that many sessions are reached."""
        ends: list[int] = []
        pending = list(ranks)
        seen = 0
        ordered = sorted(self.bins.items())
        while pending and pending[0] == 0:  # an empty part ends before the first session
            ends.append(ordered[0][0] * self.width if ordered else 0)
            pending.pop(0)
        for i, n in ordered:
            seen += n
            while pending and seen >= pending[0]:
                ends.append((i + 1) * self.width)
                pending.pop(0)
        return ends + [0] * len(pending)
