from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.baselines import BASELINES, CoOccurrence, MostFrequent, RankedTrie
from qac.completion import MAX_K, Completion
from qac.errors import InputError
from qac.examples import Example

# Few queries, so that repeats, ties and shared previous queries are common; with digits and colons, which stand in the
# keys of pairs, and a letter of two bytes.
queries = st.sampled_from(["a", "ab", "a b", "b", "1", "1:", "1:a", ":", "é", "éa"])
previous = st.sampled_from(["a", "b", "1"])
prefixes = st.sampled_from(["", "a", "a ", "1", "1:", ":", "é", "b", "c"])
examples = st.lists(
    st.builds(
        Example,
        prev_queries=st.lists(previous, max_size=2).map(tuple),
        prefix=st.just(""),
        next_query=queries,
        count=st.sampled_from([1.0, 2.0, 0.5]),
    ),
    min_size=1,
    max_size=30,
)


def pairs(*sessions: str) -> list[Example]:
    """Make an example of every two neighbours in "first > second > third"."""
    out = []
    for session in sessions:
        queries = session.split(" > ")
        out += [Example((a,), "", b) for a, b in pairwise(queries)]
    return out


def popularity(examples):
    """Count as LabelTable does, in the plainest way."""
    after, before = Counter(), Counter()
    for e in examples:
        after[e.next_query] += e.count
        if e.prev_queries:
            before[e.prev_queries[-1]] += e.count
    return {t: max(after[t], before[t]) for t in after | before}


def ranked(counts, prefix):
    return sorted((t for t in counts if t.startswith(prefix)), key=lambda t: (-counts[t], t.encode()))


def texts(completions):
    return [c.text for c in completions]


LOG = pairs(
    "camera > nikon",
    "camera > nikon",
    "camera > nikon > nikon lens",
    "camera > netflix",
    "camera > news",
    "shoes > nike > nike air",
    "shoes > nike",
    "shoes > nike",
    "x > nike",
    "x > news",
    "y > news",
)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_a_suggester(name):
    baseline = BASELINES[name]().fit(LOG)
    assert baseline.name == name == baseline.info()["name"]
    assert len(baseline) == baseline.info()["labels"] == len(popularity(LOG))
    assert "nike" in baseline
    assert "nik" not in baseline
    assert [baseline.count(text) for text in ("nike", "netflix", "nik")] == [4, 1, 0]
    assert all(isinstance(c, Completion) for c in baseline.complete("n", prev=["camera"], k=3))


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("k", [0, -1, MAX_K + 1, True, 2.0, "3"])
def test_k_out_of_bounds_is_refused(name, k):
    with pytest.raises(InputError, match="whole number from 1 to 1000"):
        BASELINES[name]().fit(LOG).complete("n", k=k)


@pytest.mark.parametrize("name", BASELINES)
def test_nothing_to_learn_is_refused(name):
    with pytest.raises(InputError, match="no queries"):
        BASELINES[name]().fit([])


def test_mfq_by_hand():
    mfq = MostFrequent().fit(LOG)
    assert mfq.complete("n", k=3) == [
        Completion("nike", 4, "mfq"),
        Completion("news", 3, "mfq"),
        Completion("nikon", 3, "mfq"),  # as frequent: after it in bytes
    ]
    assert mfq.complete("n", prev=["camera"], k=3) == mfq.complete("n", k=3)
    assert texts(mfq.complete("nike ")) == ["nike air"]
    assert mfq.complete("zebra") == []


def test_cooc_by_hand():
    cooc = CoOccurrence().fit(LOG)
    assert cooc.complete("n", prev=["shoes", "camera"], k=5) == [
        Completion("nikon", 3, "cooc"),
        Completion("news", 1, "cooc"),  # followed as often as netflix, more frequent over all
        Completion("netflix", 1, "cooc"),
        Completion("nike", 4, "mfq"),
        Completion("nike air", 1, "mfq"),
    ]


def test_cooc_is_mfq_without_a_known_previous_query():
    mfq, cooc = MostFrequent().fit(LOG), CoOccurrence().fit(LOG)
    for prev in ([], [""], ["never asked"], ["camera", "never asked"]):
        assert cooc.complete("n", prev=prev) == mfq.complete("n")


def test_pairs_do_not_run_into_each_other():
    # Rank 11 then "x" must not read as rank 1 then "1x".
    log = [Example((), "", f"q{i:02}", 100 - i) for i in range(12)]
    cooc = CoOccurrence().fit(log + pairs("q11 > x"))
    assert cooc.complete("", prev=["q11"], k=1) == [Completion("x", 1, "cooc")]
    assert cooc.complete("", prev=["q01"]) == cooc.complete("")


def test_counts_of_examples_count():
    mfq = MostFrequent().fit([Example((), "", "a", 5), Example((), "", "ab"), Example((), "", "ab")])
    assert mfq.complete("a") == [Completion("a", 5, "mfq"), Completion("ab", 2, "mfq")]


@given(examples, prefixes, st.integers(1, 12))
def test_mfq_equals_brute_force(examples, prefix, k):
    answers = MostFrequent().fit(examples).complete(prefix, k=k)
    counts = popularity(examples)
    assert texts(answers) == ranked(counts, prefix)[:k]
    assert all(c.score == counts[c.text] and c.text.startswith(prefix) for c in answers)


@given(examples, st.lists(previous, max_size=2), prefixes, st.integers(1, 12))
def test_cooc_equals_brute_force(examples, prev, prefix, k):
    answers = CoOccurrence().fit(examples).complete(prefix, prev=prev, k=k)
    popular = popularity(examples)
    followed = Counter()
    for e in examples:
        if e.prev_queries and prev and e.prev_queries[-1] == prev[-1]:
            followed[e.next_query] += e.count
    first = sorted((t for t in followed if t.startswith(prefix)), key=lambda t: (-followed[t], -popular[t], t.encode()))
    expected = list(dict.fromkeys(first + ranked(popular, prefix)))[:k]
    assert texts(answers) == expected
    assert [c.source for c in answers] == ["cooc" if t in first else "mfq" for t in expected]


def test_a_kept_answer_is_the_same_answer():
    keys = [f"a{i:03}" for i in range(500)]  # enough under one prefix to be kept
    trie = RankedTrie(keys, range(500, 0, -1))
    best = [("a000", 500), ("a001", 499), ("a002", 498)]
    assert trie.top("a", 3) == best
    assert [key for key, _ in trie.top("a", 400)] == keys[:400]
    assert trie.top("a", 3) == best
    assert trie.top("a", 3) is trie.top("a", 3)
    assert trie.top("a4", 1) == [("a400", 100)]
