"""Kneser-Ney against a plain computation on dictionaries (conftest.py) and against numbers worked out by hand."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac._native import hash_contexts
from qac.composer.ngrams import fit_ngrams

MASK = (1 << 64) - 1


def mix(h):
    """Return the finaliser of MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = ((h ^ h >> 33) * factor) & MASK
    return h ^ h >> 33


class Reader:
    """Reads an n-gram model's arrays."""

    def __init__(self, arrays):
        self.g = arrays
        self.number = dict(zip(arrays.slot_hash.tolist(), arrays.slot_id.tolist(), strict=True))

    def context(self, history):
        """Return the number of a context, its oldest symbol first, or None."""
        h = len(history)
        for symbol in reversed(history):
            h = (mix(h ^ symbol) + 0x9E3779B97F4A7C15) & MASK
        return self.number.get(h)

    def probability(self, symbol, history):
        if not history:
            return float(self.g.unigram[symbol])
        shorter = self.probability(symbol, history[1:])
        number = self.context(history)
        if number is None:
            return shorter
        begin = int(self.g.context_end[number - 1]) if number else 0
        entries = self.g.next[begin : self.g.context_end[number]].tolist()
        assert entries == sorted(set(entries))
        share = float(self.g.weight[begin + entries.index(symbol)]) if symbol in entries else 0.0
        return share + float(self.g.backoff[number]) * shorter

    def outside(self, history):
        known = (self.context(history[i:]) for i in range(len(history)))
        return (1 - self.g.unigram.sum(dtype=np.float64)) * math.prod(
            float(self.g.backoff[n]) for n in known if n is not None
        )


def fit(sequences, n_symbols, order):
    """Fit sequences, pairs of symbols and weight."""
    return fit_ngrams(
        np.array([x for s, _ in sequences for x in s], np.uint32),
        np.cumsum([len(s) for s, _ in sequences], dtype=np.int64),
        np.array([w for _, w in sequences], np.float64),
        n_symbols,
        order,
    )


def assert_agree(kneser_ney, sequences, n_symbols, order, histories):
    model, plain = Reader(fit(sequences, n_symbols, order)), kneser_ney(sequences, order)
    symbols = {"<end>": n_symbols, "<start>": n_symbols + 1}
    for before in histories:
        history = plain.history(before)
        numbers = [symbols.get(s, s) for s in history]
        total = 0.0
        for symbol in (*range(n_symbols), "<end>"):
            p = model.probability(symbols.get(symbol, symbol), numbers)
            assert p == pytest.approx(plain.probability(symbol, history), rel=1e-5, abs=1e-9)
            total += p
        assert model.outside(numbers) == pytest.approx(plain.outside(history), rel=1e-5)
        assert total == pytest.approx(1 - model.outside(numbers), abs=1e-5)


def test_numbers_worked_out_by_hand():
    """Two queries, "a b" and "a".

    Pairs: start a 2, a b 1, a end 1, b end 1; of three seen once and one seen twice follow y = 3 / 5 and the discounts
    0.6 and, bounded, 1.9. Symbols by what comes before them: a 1, b 1, end 2; y = 1 / 2, discounts 0.5 and 1.9.
    """
    a, b, end, start = 0, 1, 2, 3
    model = Reader(fit([((a, b), 1), ((a,), 1)], 2, 2))
    assert model.g.unigram == pytest.approx([0.5 / 4, 0.5 / 4, 0.1 / 4])
    assert 1 - model.g.unigram.sum(dtype=np.float64) == pytest.approx(2.9 / 4)
    assert model.probability(a, [start]) == pytest.approx(0.1 / 2 + 0.95 * 0.125)
    assert model.probability(b, [a]) == pytest.approx(0.4 / 2 + 0.6 * 0.125)
    assert model.probability(a, [a]) == pytest.approx(0.6 * 0.125)
    assert model.probability(end, [a]) == pytest.approx(0.4 / 2 + 0.6 * 0.025)
    assert model.probability(end, [b]) == pytest.approx(0.4 + 0.6 * 0.025)
    assert model.probability(end, [end]) == pytest.approx(0.025)  # no such context


def test_what_starts_a_sequence_counts_in_full_at_every_order():
    """Nothing precedes the start, so n-grams there cannot count by what does: three times "a", once "b"."""
    model = Reader(fit([((0,), 3), ((1,), 1)], 2, 3))
    start = 3
    for history in ([start], [start, start]):
        number = model.context(history)
        begin = int(model.g.context_end[number - 1]) if number else 0
        assert model.g.next[begin : model.g.context_end[number]].tolist() == [0, 1]
        first, second = model.g.weight[begin : begin + 2]
        assert first > 2 * second
        assert first + second == pytest.approx(1 - model.g.backoff[number])


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(
                st.tuples(st.lists(st.integers(0, n - 1), min_size=1, max_size=6).map(tuple), st.integers(1, 6)),
                min_size=1,
                max_size=12,
            ),
        )
    ),
    st.integers(2, 5),
)
def test_random_sequences(kneser_ney, drawn, order):
    n, sequences = drawn
    histories = itertools.chain.from_iterable(itertools.product(range(n), repeat=r) for r in range(4))
    assert_agree(kneser_ney, sequences, n, order, itertools.islice(histories, 60))


def test_many_sequences_of_many_symbols(kneser_ney):
    """Enough for discounts that are estimated, not bounded."""
    rng = random.Random(1)
    n = 60
    likely = [1 / (i + 1) for i in range(n)]
    sequences = [(tuple(rng.choices(range(n), likely, k=rng.randint(1, 5))), rng.randint(1, 3)) for _ in range(1500)]
    assert all(0.15 < d < 0.9 for d in (kneser_ney(sequences, 3).discounts[n][1] for n in (2, 3)))
    assert_agree(kneser_ney, sequences, n, 3, [s[:3] for s, _ in sequences[:40]])


@pytest.mark.parametrize("length", range(1, 8))
def test_contexts_are_hashed_as_the_core_looks_them_up(length):
    rng = random.Random(length)
    context = [rng.getrandbits(32) for _ in range(length)]
    h = length
    for symbol in reversed(context):
        h = (mix(h ^ symbol) + 0x9E3779B97F4A7C15) & MASK
    assert hash_contexts(np.array([context[::-1]], np.uint32)).tolist() == [h]


def test_the_order_of_sequences_does_not_matter():
    sequences = [((0, 1), 2), ((1,), 1), ((2, 0, 1), 3), ((1, 1), 1)]
    first, second = fit(sequences, 3, 3), fit(sequences[::-1], 3, 3)
    for name in ("unigram", "slot_hash", "slot_id", "context_end", "backoff", "next", "weight"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
