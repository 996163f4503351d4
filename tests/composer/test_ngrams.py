"""Kneser-Ney against a plain computation on dictionaries (conftest.py) and against numbers worked out by hand."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.composer.ngrams import fit_ngrams


class Reader:
    """Reads an n-gram model's arrays: node i is symbol i, or from ``first`` on the entry i - first."""

    def __init__(self, arrays):
        self.g = arrays
        self.first = len(arrays.unigram) + 1

    def children(self, node):
        """Return what follows an n-gram: symbols, ascending, and the entry of each."""
        if node >= len(self.g.child_end):  # of the longest
            return {}
        begin = int(self.g.child_end[node - 1]) if node else 0
        entries = range(begin, int(self.g.child_end[node]))
        symbols = self.g.next[begin : entries.stop].tolist()
        assert symbols == sorted(set(symbols))
        return dict(zip(symbols, entries, strict=True))

    def node(self, gram):
        """Return the node of an n-gram, oldest symbol first, or None."""
        node, *rest = gram
        for symbol in rest:
            children = self.children(node)
            if symbol not in children:
                return None
            node = self.first + children[symbol]
        return node

    def probability(self, symbol, history):
        if not history:
            return float(self.g.unigram[symbol])
        shorter = self.probability(symbol, history[1:])
        node = self.node(history)
        if node is None:
            return shorter
        children = self.children(node)
        share = float(self.g.weight[children[symbol]]) if symbol in children else 0.0
        return share + float(self.g.backoff[node]) * shorter

    def outside(self, history):
        known = (self.node(history[i:]) for i in range(len(history)))
        return (1 - self.g.unigram.sum(dtype=np.float64)) * math.prod(
            float(self.g.backoff[n]) for n in known if n is not None
        )

    def grams(self):
        """Return the n-gram of each node, in the order of the nodes."""
        grams = [(symbol,) for symbol in range(self.first)]
        for node in range(len(self.g.child_end)):
            grams.extend((*grams[node], symbol) for symbol in self.children(node))
        return grams


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
    assert model.probability(end, [end]) == pytest.approx(0.025)  # nothing comes behind the end


def test_a_trie_drawn_by_hand():
    """The same two queries, now with three symbols: nodes 0 a, 1 b, 2 end, 3 start, then

    4 a b, 5 a end, 6 b end, 7 start a, then 8 a b end, 9 start a b, 10 start a end.

    Pairs by what comes before: a b 1, a end 1, b end 1, start a, at the start, in full 2; discounts as above. Threes
    are seen once each: y = 1, discounts 1 - 2 * 0 = 1, bounded 0.95.
    """
    g = fit([((0, 1), 1), ((0,), 1)], 2, 3)
    assert g.order == 3
    assert g.next.tolist() == [1, 2, 2, 0, 2, 1, 2]
    assert g.child_end.tolist() == [2, 3, 3, 4, 5, 5, 5, 7]
    assert g.shorter.tolist() == [1, 2, 2, 0]
    assert g.weight == pytest.approx([0.4 / 2, 0.4 / 2, 0.4, 0.1 / 2, 0.05, 0.05 / 2, 0.05 / 2])
    assert g.backoff == pytest.approx([0.6, 0.6, 1, 0.95, 0.95, 1, 1, 0.95])
    assert g.unigram == pytest.approx([0.5 / 4, 0.5 / 4, 0.1 / 4])


def test_what_starts_a_sequence_counts_in_full_at_every_order():
    """Nothing precedes the start, so n-grams there cannot count by what does: three times "c a", once "c b".

    Threes: start c a 3, start c b 1, c a end 1, c b end 1, so the discounts are 0.95 and 2.85, at their bounds. Pairs:
    start c 4, all others 1; with none seen three times what is seen more often is lowered by 1.5.
    """
    a, b, c, start = 0, 1, 2, 4
    model = Reader(fit([((c, a), 3), ((c, b), 1)], 3, 4))

    def weights(*history):
        return {s: model.g.weight[e] for s, e in model.children(model.node(history)).items()}

    assert weights(start) == pytest.approx({c: 2.5 / 4})
    assert weights(start, c) == pytest.approx({a: 0.15 / 4, b: 0.05 / 4})
    assert weights(c) == pytest.approx({a: 0.05 / 2, b: 0.05 / 2})


some_sequences = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(
            st.tuples(st.lists(st.integers(0, n - 1), min_size=1, max_size=6).map(tuple), st.integers(1, 6)),
            min_size=1,
            max_size=12,
        ),
    )
)


@given(some_sequences, st.integers(2, 5))
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


@given(some_sequences, st.integers(2, 8))
def test_nodes_are_all_n_grams_once_and_link_to_the_shorter(drawn, order):
    n, sequences = drawn
    g = fit(sequences, n, order)
    grams = Reader(g).grams()
    assert len(grams) == n + 2 + len(g.next)
    framed = [(n + 1, *s, n) for s, _ in sequences]
    assert sorted(grams[n + 2 :]) == sorted(
        {f[i : i + k] for k in range(2, order + 1) for f in framed for i in range(len(f) - k + 1)}
    )
    assert [len(gram) for gram in grams] == sorted(len(gram) for gram in grams)
    shorter_than_longest = sum(len(gram) < order for gram in grams)
    assert len(g.child_end) == len(g.backoff) == len(g.shorter) + n + 2 == shorter_than_longest
    for gram, link in zip(grams[n + 2 :], g.shorter.tolist(), strict=False):
        assert grams[link] == gram[1:]


@given(some_sequences, st.integers(2, 5), st.randoms())
def test_the_order_of_sequences_does_not_matter(drawn, order, shuffler):
    n, sequences = drawn
    shuffled = list(sequences)
    shuffler.shuffle(shuffled)
    first, second = fit(sequences, n, order), fit(shuffled, n, order)
    for name in ("unigram", "child_end", "backoff", "shorter", "next", "weight"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
