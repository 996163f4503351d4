"""Numbers from texts, against plain Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac import _native
from qac._native import MAX_AGE
from qac.config import PopularityConfig
from qac.examples import Example
from qac.labels import QueryLog
from qac.reuse import count_reuse
from qac.training import _Collector

_EVERY = PopularityConfig()

words = st.text("ab é\U0001f600", max_size=6)
queries = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(" ".join)
examples = st.builds(
    Example,
    st.lists(queries, max_size=MAX_AGE + 3).map(tuple),
    st.sampled_from(["", "a", "ab"]),
    queries,
    st.integers(1, 9).map(float),
)


@given(st.lists(words, max_size=30))
def test_words_are_those_between_spaces_in_the_order_in_which_they_come(texts):
    found = _native.words(texts)
    expected = [t.split(" ") for t in texts]
    assert [found.distinct[i] for i in found.word] == [w for s in expected for w in s]
    assert found.end.tolist() == np.cumsum([len(s) for s in expected], dtype=int).tolist()
    assert found.distinct == list(dict.fromkeys(w for s in expected for w in s))


class Plain:
    """Reuse counted with sets and lists, as its description says."""

    def __init__(self):
        self.queries, self.words = ([[0.0, 0.0] for _ in range(MAX_AGE + 1)] for _ in range(2))
        self.next = [[0.0, 0.0] for _ in range(4)]

    def note(self, pair, count, came, chances):
        pair[0] += count * came
        pair[1] += count * chances

    def add(self, e):
        asked, known = e.next_query.split(" "), set()
        for age, query in enumerate(e.prev_queries[::-1][: MAX_AGE + 1]):
            fresh = set(query.split(" ")) - known
            known |= fresh
            self.note(self.words[age], e.count, len(fresh & set(asked)), len(fresh))
            if age and query not in e.prev_queries[-age:]:
                self.note(self.queries[age], e.count, query == e.next_query, 1)
        last = set(e.prev_queries[-1].split(" "))
        for n, word in enumerate(asked):
            copied = [w for w in asked[:n] if w in last]
            if left := last - set(copied):
                state = 0 if n == 0 else 1 if not copied else 2 if len(copied) < n else 3
                self.note(self.next[state], e.count, word in left, 1)


@given(st.lists(examples, max_size=12))
def test_reuse_is_as_counted_with_sets(log):
    plain, numbers = Plain(), QueryLog()
    for e in log:
        numbers.add(e)
        if e.prev_queries:
            plain.add(e)
    found = count_reuse(numbers)

    def rates(pairs):
        return [came / (chances + 20) for came, chances in pairs]

    of_words = rates(plain.words)
    assert list(found.queries) == pytest.approx(rates(plain.queries)[1:])
    assert list(found.next_words) == pytest.approx(rates(plain.next))
    expected = [min(1.0, w / of_words[0]) if of_words[0] else 0 for w in of_words[1:]]
    assert list(found.older_words) == pytest.approx(expected)


@given(st.lists(examples, min_size=1, max_size=12), st.sampled_from([1, 2, 12]), st.booleans())
def test_steps_lead_from_sessions_in_the_order_of_their_texts(log, history, use_prefix):
    collector = _Collector(history, use_prefix)
    collector.read(log)
    labels = collector.log.labels(popularity=_EVERY)
    steps = collector.steps(labels, None)
    keys = [("\n".join(e.prev_queries[-history:]), e.prefix if use_prefix else "") for e in log if e.prev_queries]
    distinct = sorted(set(keys))
    assert steps.sessions == [session for session, _ in distinct]
    assert steps.prefixes == ([prefix for _, prefix in distinct] if use_prefix else None)
    assert steps.row.tolist() == [distinct.index(key) for key in keys]
    following = [e for e in log if e.prev_queries]
    assert [labels.texts[i] for i in steps.label] == [e.next_query for e in following]
    assert steps.weight.tolist() == [e.count for e in following]
