"""Intervals and tests by drawing sessions anew.

Requests of one session are alike, so what is drawn is sessions, not requests. A statistic is a ratio of sums over
sessions, given as columns: sums of numerators and of denominators. All columns share the draws, so that a matrix
product gives them all, and sessions come in blocks, so that memory does not grow with their number times that of the
draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from qac.config import RESAMPLES
from qac.evaluation.outcomes import Mask
from qac.metrics import FloatArray

LEVEL: Final = 0.95
_BLOCK: Final = 2048
"""Sessions at a time."""


@dataclass(frozen=True)
class SessionSums:
    """Sums over sessions of ``(numerator, denominator)`` of requests, restricted to groups of them.

    The columns are the ratios of the first group, then those of the second, and so on.
    """

    ratios: Sequence[tuple[FloatArray, FloatArray]]
    groups: Sequence[Mask]
    session: npt.NDArray[np.int32]
    """Of each request; numbered from 0."""

    def __len__(self) -> int:
        """Return the number of sessions."""
        return int(self.session.max()) + 1 if len(self.session) else 0

    @property
    def columns(self) -> int:
        """How many ratios there are."""
        return len(self.ratios) * len(self.groups)

    def blocks(self) -> list[tuple[int, int]]:
        """Return the first session of each block, and that after its last."""
        return [(low, min(low + _BLOCK, len(self))) for low in range(0, len(self), _BLOCK)]

    def block(self, low: int, high: int) -> FloatArray:
        """Return the sums of sessions ``low`` to ``high``, exclusive: all numerators, then all denominators.

        Shape (high - low, 2 * columns).
        """
        requests = np.flatnonzero((self.session >= low) & (self.session < high))
        session = self.session[requests] - low
        out = np.empty((2, self.columns, high - low))
        column = 0
        for group in self.groups:
            among = group[requests]
            chosen, own = requests[among], session[among]
            for ratio in self.ratios:
                for side, values in enumerate(ratio):
                    out[side, column] = np.bincount(own, values[chosen], minlength=high - low)
                column += 1
        return out.reshape(2 * self.columns, high - low).T


def _divide(sums: FloatArray) -> FloatArray:
    """Return the ratios of ``sums`` (..., 2 * columns); nan where there is nothing to divide by."""
    numerator, denominator = np.split(sums, 2, axis=-1)
    out = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def bootstrap(sums: Sequence[SessionSums], resamples: int = RESAMPLES, seed: int = 0) -> list[FloatArray]:
    """Return the ratios of samples of as many sessions, drawn with replacement: for each of ``sums``, the same ones.

    Shape (resamples, columns) each. Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 6; the
    sessions, not the requests, are what is drawn there as in their section 8.3.
    """
    n = len(sums[0])
    rng = np.random.default_rng(seed)
    totals = [np.zeros((resamples, 2 * s.columns)) for s in sums]
    blocks = sums[0].blocks()
    # How many of a sample's sessions each block gives, then which: together a draw from all of them.
    of_block = rng.multinomial(n, [(high - low) / n for low, high in blocks], size=resamples)
    for number, (low, high) in enumerate(blocks):
        size = high - low
        sample = np.repeat(np.arange(resamples), of_block[:, number])
        drawn = rng.integers(size, size=len(sample))
        times = np.bincount(sample * size + drawn, minlength=resamples * size).reshape(resamples, size)
        for total, s in zip(totals, sums, strict=True):
            total += times.astype(np.float64) @ s.block(low, high)
    return [_divide(total) for total in totals]


def interval(samples: FloatArray) -> list[tuple[float, float] | None]:
    """Return the percentile interval of each column of ``samples`` (resamples, columns), at :data:`LEVEL`.

    None where no sample has a value. Efron and Tibshirani, 1993, section 13.3.
    """
    out: list[tuple[float, float] | None] = []
    for column in samples.T:
        values = column[~np.isnan(column)]
        ends = np.percentile(values, [50 * (1 - LEVEL), 50 * (1 + LEVEL)]).tolist() if len(values) else None
        out.append((ends[0], ends[1]) if ends else None)
    return out


def randomisation_test(a: SessionSums, b: SessionSums, resamples: int = RESAMPLES, seed: int = 0) -> FloatArray:
    """Return the two-sided p-value, of each column, of the difference between ``b`` and ``a``, asked the same.

    If the two were alike, a session's outcomes could as well have been the other's: each session is exchanged or not by
    the toss of a coin, and p is the share of exchanges that differ at least as much as what was seen, which counts as
    one of them (Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for Information
    Retrieval Evaluation", CIKM 2007; Phipson and Smyth, "Permutation P-values Should Never Be Zero", 2010). nan where a
    system has nothing to divide by.
    """
    rng = np.random.default_rng(seed)
    total_a, total_b = np.zeros(2 * a.columns), np.zeros(2 * b.columns)
    moved = np.zeros((resamples, 2 * a.columns))
    for low, high in a.blocks():
        of_a, of_b = a.block(low, high), b.block(low, high)
        total_a += of_a.sum(axis=0)
        total_b += of_b.sum(axis=0)
        exchanged = rng.integers(2, size=(resamples, high - low))
        moved += exchanged.astype(np.float64) @ (of_b - of_a)
    seen = np.abs(_divide(total_b) - _divide(total_a))
    drawn = np.abs(_divide(total_b - moved) - _divide(total_a + moved))
    # Sums of the same terms in another order differ in their last bits: equal is equal.
    at_least = np.count_nonzero(drawn >= seen - 1e-12, axis=0)
    return np.where(np.isnan(seen), np.nan, (1 + at_least) / (1 + resamples))
