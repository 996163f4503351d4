"""N-gram language models with interpolated, modified Kneser-Ney smoothing.

Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling" (1998), section 3: at the highest
order an n-gram counts as often as it occurs, below as often as different symbols precede it (n-grams at the very
start, which nothing can precede, count as often as they occur); each count is lowered by one of three discounts; what
that sets free goes to the next lower order:

    P(w | h) = max(c(h w) - D, 0) / c(h) + backoff(h) P(w | h without its first symbol)

The same code serves words in queries and characters in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qac._native import NgramArrays, build_slots, hash_contexts

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Grams:
    """Distinct n-grams of one order, sorted, and their counts."""

    symbols: U32
    counts: F64


def fit_ngrams(sequences: U32, ends: npt.NDArray[np.int64], weights: F64, n_symbols: int, order: int) -> NgramArrays:
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
    tokens, weight, place = _pad(sequences, ends, weights, n_symbols, order)
    levels = [_distinct(_windows(tokens, place, order), weight[place])]
    for n in range(order - 1, 0, -1):
        levels.append(_lower(levels[-1], n, n_symbols + 1))
    levels.reverse()  # order 1 first
    unigram = levels[0]
    discounted, _ = _discount(unigram.counts, np.zeros(len(unigram.counts), np.int64), 1)
    probability = np.zeros(n_symbols + 1)
    probability[unigram.symbols[:, 0]] = discounted
    tables = [_context_table(grams) for grams in levels[1:]]
    context_hash = np.concatenate([t[0] for t in tables])
    sizes = np.concatenate([t[1] for t in tables])
    backoff = np.concatenate([t[2] for t in tables])
    slot_hash, slot_id = build_slots(context_hash)
    return NgramArrays(
        order=order,
        unigram=probability.astype(np.float32),
        slot_hash=slot_hash,
        slot_id=slot_id,
        context_end=np.cumsum(sizes, dtype=np.uint64).astype(np.uint32),
        backoff=backoff.astype(np.float32),
        next=np.concatenate([grams.symbols[:, -1] for grams in levels[1:]]).astype(np.uint32),
        weight=np.concatenate([t[3] for t in tables]).astype(np.float32),
    )


def _pad(
    sequences: U32, ends: npt.NDArray[np.int64], weights: F64, n_symbols: int, order: int
) -> tuple[U32, F64, npt.NDArray[np.int64]]:
    """Put ``order - 1`` starts before and one end behind each sequence.

    Returns the symbols, the weight of each, and the places of those that are predicted.
    """
    lengths = np.diff(ends, prepend=0)
    padded = lengths + order
    total = int(padded.sum())
    tokens = np.full(total, n_symbols + 1, np.uint32)
    last = np.cumsum(padded) - 1
    tokens[last] = n_symbols
    shift = np.repeat((last + 1 - padded) + (order - 1) - (ends - lengths), lengths)
    tokens[np.arange(len(sequences)) + shift] = sequences
    return tokens, np.repeat(weights, padded), np.flatnonzero(tokens != n_symbols + 1)


def _windows(tokens: U32, place: npt.NDArray[np.int64], n: int) -> U32:
    return np.stack([tokens[place - (n - 1 - i)] for i in range(n)], axis=1)


def _distinct(windows: U32, counts: F64) -> _Grams:
    order = np.lexsort(windows.T[::-1])
    rows = windows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return _Grams(rows[new], np.add.reduceat(counts[order], np.flatnonzero(new)))


def _lower(grams: _Grams, n: int, start: int) -> _Grams:
    """Return the n-grams that the (n+1)-grams end in: counted once for each symbol before, at the start in full."""
    shorter = grams.symbols[:, 1:]
    at_start = grams.symbols[:, 1] == start if n > 1 else np.zeros(len(shorter), bool)
    return _distinct(shorter, np.where(at_start, grams.counts, 1.0))


def _discount(counts: F64, group: npt.NDArray[np.int64], groups: int) -> tuple[F64, F64]:
    """Return each count lowered and divided by its group's sum, and per group the share set free."""
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
    return (counts - taken) / sums[group], np.bincount(group, taken, groups) / sums


def _context_table(grams: _Grams) -> tuple[U64, npt.NDArray[np.int64], F64, F64]:
    """Return per context its hash, number of n-grams and back-off weight, and per n-gram its discounted share."""
    contexts = grams.symbols[:, :-1]
    new = np.ones(len(contexts), bool)
    new[1:] = (contexts[1:] != contexts[:-1]).any(axis=1)
    group = np.cumsum(new) - 1
    groups = int(group[-1]) + 1
    shares, freed = _discount(grams.counts, group, groups)
    return hash_contexts(contexts[new][:, ::-1]), np.bincount(group, minlength=groups), freed, shares
