"""Kneser-Ney against a plain computation on dictionaries (conftest.py) and against numbers worked out by hand."""

import itertools
import math
import random
from dataclasses import fields

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
        self.symbols = arrays.last_symbols().tolist()

    def children(self, node):
        """Return what follows an n-gram: symbols, ascending, and the entry of each."""
        if node >= len(self.g.child_end):  # of the longest
            return {}
        begin = int(self.g.child_end[node - 1]) if node else 0
        entries = range(begin, int(self.g.child_end[node]))
        symbols = self.symbols[begin : entries.stop]
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

    def stored(self, symbol, history):
        """Return P(symbol | history) as it is stored, or None."""
        if not history:
            return float(self.g.unigram[symbol])
        node = self.node(history)
        entry = None if node is None else self.children(node).get(symbol)
        return None if entry is None else float(self.g.value[self.g.probability[entry]])

    def backoff(self, history):
        node = self.node(history)
        return 1.0 if node is None else float(self.g.backoff_value[self.g.backoff[node]])

    def probability(self, symbol, history):
        """Return P(symbol | history): of the longest context that has the symbol, times the longer ones' back-offs."""
        own = self.stored(symbol, history)
        return self.backoff(history) * self.probability(symbol, history[1:]) if own is None else own

    def outside(self, history):
        return (1 - self.g.unigram.sum(dtype=np.float64)) * math.prod(
            self.backoff(history[i:]) for i in range(len(history))
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


def assert_agree(kneser_ney, sequences, n_symbols, order, histories, rel=1e-6):
    model, plain = Reader(fit(sequences, n_symbols, order)), kneser_ney(sequences, order)
    symbols = {"<end>": n_symbols, "<start>": n_symbols + 1}
    for before in histories:
        history = plain.history(before)
        numbers = [symbols.get(s, s) for s in history]
        total = 0.0
        for symbol in (*range(n_symbols), "<end>"):
            p = model.probability(symbols.get(symbol, symbol), numbers)
            assert p == pytest.approx(plain.probability(symbol, history), rel=rel)
            total += p
        assert model.outside(numbers) == pytest.approx(plain.outside(history), rel=rel)
        assert total == pytest.approx(1 - model.outside(numbers), rel=rel)


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
    """The same two queries, now with up to four symbols: nodes 0 a, 1 b, 2 end, 3 start, then

    4 a b, 5 a end, 6 b end, 7 start a, then 8 a b end, 9 start a b, 10 start a end, then 11 start a b end.

    Pairs by what comes before: a b 1, a end 1, b end 1, start a, at the start, in full 2; discounts as above. Threes
    and the four are seen once each: y = 1, discounts 1 - 2 * 0 = 1, bounded 0.95. Each has its share and what the
    shorter one has times the context's back-off.
    """
    g = fit([((0, 1), 1), ((0,), 1)], 2, 4)
    assert g.order == 4
    assert g.unigram == pytest.approx([0.125, 0.125, 0.025])
    assert g.last_symbols().tolist() == [1, 2, 2, 0, 2, 1, 2, 2]
    assert g.child_end.tolist() == [2, 3, 3, 4, 5, 5, 5, 7, 7, 8, 8]
    assert g.shorter.tolist() == [6, 4, 5]  # of two symbols the last alone: not kept
    backoff = g.backoff_value[g.backoff]
    assert backoff == pytest.approx([0.6, 0.6, 1, 0.95, 0.95, 1, 1, 0.95, 1, 0.95, 1])
    a_b, a_end, b_end = 0.4 / 2 + 0.6 * 0.125, 0.4 / 2 + 0.6 * 0.025, 0.4 + 0.6 * 0.025
    start_a = 0.1 / 2 + 0.95 * 0.125
    a_b_end, start_a_b, start_a_end = 0.05 + 0.95 * b_end, 0.05 / 2 + 0.95 * a_b, 0.05 / 2 + 0.95 * a_end
    stored = [a_b, a_end, b_end, start_a, a_b_end, start_a_b, start_a_end, 0.05 + 0.95 * a_b_end]
    assert g.value[g.probability] == pytest.approx(stored)
    assert g.value[:8] == pytest.approx(sorted(stored))
    assert g.backoff_value[:3] == pytest.approx([0.6, 0.95, 1])
    assert not g.value[8:].any()
    assert not g.backoff_value[3:].any()
    assert g.probability.tolist() == [3, 1, 5, 0, 6, 4, 2, 7]
    assert g.backoff.tolist() == [0, 0, 2, 1, 1, 2, 2, 1, 2, 1, 2]


def test_what_starts_a_sequence_counts_in_full_at_every_order():
    """Nothing precedes the start, so n-grams there cannot count by what does: three times "c a", once "c b".

    Threes: start c a 3, start c b 1, c a end 1, c b end 1, so the discounts are 0.95 and 2.85, at their bounds. Pairs:
    start c 4, all others 1; with none seen three times what is seen more often is lowered by 1.5.
    """
    a, b, c, start = 0, 1, 2, 4
    model = Reader(fit([((c, a), 3), ((c, b), 1)], 3, 4))

    def shares(*history):
        symbols = model.children(model.node(history))
        backoff = model.backoff(history)
        return {s: model.stored(s, history) - backoff * model.probability(s, history[1:]) for s in symbols}

    assert shares(start) == pytest.approx({c: 2.5 / 4})
    assert shares(start, c) == pytest.approx({a: 0.15 / 4, b: 0.05 / 4})
    assert shares(c) == pytest.approx({a: 0.05 / 2, b: 0.05 / 2})


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


def many_sequences(n, rng, most=1500):
    """Draw enough for discounts that are estimated, not bounded, and for more than 256 probabilities."""
    likely = [1 / (i + 1) for i in range(n)]
    return [(tuple(rng.choices(range(n), likely, k=rng.randint(1, 5))), rng.randint(1, 3)) for _ in range(most)]


def test_many_sequences_of_many_symbols(kneser_ney, assert_quantized):
    """What is stored are the exact probabilities in eight bits; all others are made of those."""
    n = 60
    sequences = many_sequences(n, random.Random(1))
    plain, g = kneser_ney(sequences, 3), fit(sequences, n, 3)
    assert all(0.15 < d < 0.9 for d in (plain.discounts[k][1] for k in (2, 3)))
    names = {n: "<end>", n + 1: "<start>"}
    model = Reader(g)
    grams = [tuple(names.get(s, s) for s in gram) for gram in model.grams()]
    assert g.unigram == pytest.approx([plain.probability(s, ()) for (s,) in grams[: n + 1]], rel=1e-6)
    assert_quantized([plain.probability(x[-1], x[:-1]) for x in grams[n + 2 :]], g.probability, g.value)
    contexts = grams[: len(g.child_end)]
    freed = [plain.freed(c) if c in plain.continuations else 1.0 for c in contexts]
    off_backoff = abs(g.backoff_value[g.backoff] / freed - 1).max()
    assert off_backoff < 0.01
    # Off by no more than one stored probability and two back-offs are.
    exact = np.array([plain.probability(x[-1], x[:-1]) for x in grams[n + 2 :]])
    off = abs(g.value[g.probability] / exact - 1).max()
    histories = [s[:3] for s, _ in sequences[:40]]
    assert_agree(kneser_ney, sequences, n, 3, histories, rel=(1 + off) * (1 + off_backoff) ** 2 - 1)


@pytest.mark.parametrize(("n", "width"), [(60, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 3)])
def test_more_symbols_take_more_bytes_and_nothing_else_changes(n, width):
    """The end, the largest symbol that is stored, has the number of the symbols."""
    sequences = many_sequences(60, random.Random(2), 300)
    few = fit(sequences, 60, 4)
    spread = np.linspace(0, n - 1, 60).astype(int).tolist()  # the last symbol is among them
    many = fit([(tuple(spread[x] for x in s), w) for s, w in sequences], n, 4)
    assert many.next.shape == (len(few.next), width)
    assert many.last_symbols().max() == n
    number = np.array([*spread, n])
    assert np.array_equal(number[few.last_symbols()], many.last_symbols())
    for name in ("probability", "value", "backoff_value"):
        assert np.array_equal(getattr(few, name), getattr(many, name))
    assert np.array_equal(few.unigram, many.unigram[number])


@given(some_sequences, st.integers(2, 5))
def test_probabilities_of_all_symbols_sum_to_one(drawn, order):
    n, sequences = drawn
    model = Reader(fit(sequences, n, order))
    for gram in model.grams()[: len(model.g.child_end)]:
        history = list(gram)[-(order - 1) :]
        total = sum(model.probability(s, history) for s in range(n + 1)) + model.outside(history)
        assert total == pytest.approx(1, abs=1e-6)


def test_probabilities_sum_to_one_as_far_as_eight_bits_go():
    n, order = 60, 3
    model = Reader(fit(many_sequences(n, random.Random(3)), n, order))
    used = [model.g.value[model.g.probability].astype(float), model.g.backoff_value[model.g.backoff].astype(float)]
    off, off_backoff = (float(np.expm1(np.log(x.max() / x.min()) / 254)) for x in used)
    for gram in model.grams()[: len(model.g.child_end)]:
        history = list(gram)
        total = sum(model.probability(s, history) for s in range(n + 1)) + model.outside(history)
        assert total == pytest.approx(1, abs=off + 2 * off_backoff)


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
    assert len(g.child_end) == len(g.backoff) == shorter_than_longest
    linked = [gram for gram in grams[:shorter_than_longest] if len(gram) > 2]
    assert [grams[link] for link in g.shorter.tolist()] == [gram[1:] for gram in linked]


@given(some_sequences, st.integers(2, 5), st.randoms())
def test_the_order_of_sequences_does_not_matter(drawn, order, shuffler):
    n, sequences = drawn
    shuffled = list(sequences)
    shuffler.shuffle(shuffled)
    first, second = fit(sequences, n, order), fit(shuffled, n, order)
    for name in (f.name for f in fields(first)):
        assert np.array_equal(getattr(first, name), getattr(second, name))
