"""N-gram language models with interpolated, modified Kneser-Ney smoothing.

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998), section 3: at the highest
order an n-gram counts as often as it occurs, below as often as different symbols precede it (n-grams at the very
start, which nothing can precede, count as often as they occur); each count is lowered by one of three discounts; what
that sets free goes to the next lower order:

    P(w | h) = max(c(h w) - D, 0) / c(h) + backoff(h) P(w | h without its first symbol)

Of each n-gram the whole sum is kept, and of each context the back-off: a look-up ends at the longest context that has
the symbol. Both are kept in eight bits.

The same code serves words in queries and characters in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from qac._native import NgramArrays, symbols_in_bytes
from qac.quantization import quantize

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Level:
    """The distinct n-grams of one length, ascending by (n-gram without its last symbol, last symbol)."""

    parent: I64
    """The n-gram without its last symbol, numbered within its level, as ``shorter``."""
    last: U32
    shorter: I64
    """The n-gram without its first symbol."""
    counts: F64


def fit_ngrams(sequences: U32, ends: I64, weights: F64, n_symbols: int, order: int) -> NgramArrays:
    """Return the model of ``sequences``.

    Parameters
    ----------
    sequences : array of uint32
        All sequences, one after another; symbols are 0 .. n_symbols - 1. The end of a sequence becomes the symbol
        ``n_symbols``, its start ``n_symbols + 1``.
    ends : array of int64, shape (sequences,)
    weights : array of float64, shape (sequences,)
        How often each sequence counts; whole numbers.
    n_symbols : int
    order : int
        Longest n-gram, 2 or more.
    """
    levels = _count(sequences, ends, weights, n_symbols, order)
    counts = np.bincount(levels[0].last, minlength=n_symbols + 1).astype(np.float64)
    discounted, _ = _discount(counts, np.zeros(len(counts), np.int64), 1)
    parents = n_symbols + 2  # symbols alone are the first contexts
    child_end, backoff, shorter, probability = [], [], [], [discounted]
    for level in levels:
        shares, freed = _discount(level.counts, level.parent, parents)
        child_end.append(np.bincount(level.parent, minlength=parents))
        backoff.append(freed)
        probability.append(shares + freed[level.parent] * probability[-1][level.shorter])
        parents = len(level.last)
    first = n_symbols + 2  # number of a level's first node
    for above, level in pairwise(levels[:-1]):
        shorter.append(level.shorter + first)
        first += len(above.last)
    codes, value = quantize(np.concatenate(probability[1:]))
    backoff_codes, backoff_value = quantize(np.concatenate(backoff))
    return NgramArrays(
        order=order,
        unigram=discounted.astype(np.float32),
        child_end=np.cumsum(np.concatenate(child_end)).astype(np.uint32),
        backoff=backoff_codes,
        backoff_value=backoff_value,
        shorter=np.concatenate([*shorter, np.empty(0, np.int64)]).astype(np.uint32),
        next=symbols_in_bytes(np.concatenate([level.last for level in levels]), n_symbols),
        probability=codes,
        value=value,
    )


def _count(sequences: U32, ends: I64, weights: F64, n_symbols: int, order: int) -> list[_Level]:
    """Return the n-grams of 2 .. order symbols."""
    lengths = np.diff(ends, prepend=0)
    framed = lengths + 2
    start = np.cumsum(framed) - framed
    tokens = np.full(int(framed.sum()), n_symbols, np.uint32)
    tokens[start] = n_symbols + 1
    tokens[np.arange(len(sequences)) + np.repeat(start + 1 - (ends - lengths), lengths)] = sequences
    place = (np.arange(len(tokens)) - np.repeat(start, framed)).astype(np.int32)  # symbols before
    sequence = np.repeat(np.arange(len(ends), dtype=np.int32), framed)
    ids = tokens.astype(np.int64)  # of the n-gram that ends at each symbol
    levels: list[_Level] = []
    for n in range(2, order + 1):
        at = np.flatnonzero(place >= n - 1)
        distinct, first, inverse = np.unique(
            ids[at - 1] * (n_symbols + 2) + tokens[at], return_index=True, return_inverse=True
        )
        at_start = place[at] == n - 1
        # Here as often as they occur; below, the levels that have a longer one replace that.
        counted = at if n == order else at[at_start]
        which = inverse if n == order else inverse[at_start]
        counts: F64 = np.bincount(which, weights[sequence[counted]], minlength=len(distinct)).astype(np.float64)
        level = _Level(distinct // (n_symbols + 2), tokens[at[first]], ids[at[first]], counts)
        if levels:  # each distinct n-gram counts once for what it ends in
            levels[-1].counts[:] += np.bincount(level.shorter, minlength=len(levels[-1].counts))
        levels.append(level)
        ids = np.full(len(tokens), -1, np.int64)
        ids[at] = inverse
    return levels


def _discount(counts: F64, group: I64, groups: int) -> tuple[F64, F64]:
    """Return each count lowered and divided by its group's sum, and per group the share set free (empty: all)."""
    n1, n2, n3, n4 = (float((counts == i).sum()) for i in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2) if n1 + n2 > 0 else 0.5
    discounts = [
        1 - 2 * y * n2 / n1 if n1 > 0 else 0.5,
        2 - 3 * y * n3 / n2 if n2 > 0 else 1.0,
        3 - 4 * y * n4 / n3 if n3 > 0 else 1.5,
    ]
    # Small or odd samples give estimates outside what makes sense.
    lowest = np.array([0.0] + [min(max(d, 0.1 * i), 0.95 * i) for i, d in enumerate(discounts, 1)])
    taken = lowest[np.clip(counts, 0, 3).astype(np.int64)]
    sums = np.bincount(group, counts, groups)
    freed = np.divide(np.bincount(group, taken, groups), sums, out=np.ones(groups), where=sums > 0)
    return (counts - taken) / sums[group], freed
