import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac import _native
from qac.config import PopularityConfig
from qac.errors import InputError, UsageError
from qac.examples import Example
from qac.labels import LabelTable

# Letters whose UTF-8 forms share leading bytes, so that cutting inside a code point would show.
texts = st.text(st.sampled_from("ab é è€\u20ad😀😁\u0301"), min_size=1, max_size=8)
label_sets = st.sets(texts, min_size=1, max_size=60).map(lambda s: sorted(s, key=str.encode))


def table(*pairs):
    return LabelTable.from_examples([Example(tuple(before), "", after, count) for before, after, count in pairs])


def test_labels_are_the_distinct_queries_in_the_order_of_their_bytes():
    labels = table(([], "b", 1), ([], "😀", 1), ([], "\uffff", 1), ([], "a", 1), ([], "b", 1))
    assert labels.texts == ["a", "b", "\uffff", "😀"]  # by code point, unlike UTF-16
    assert labels.counts.tolist() == [1, 2, 1, 1]


def test_a_query_counts_on_the_side_of_pairs_where_it_stands_more_often():
    labels = table((["x"], "a", 2), (["x"], "b", 3), (["a"], "c", 1), (["y", "a"], "c", 5))
    assert {text: labels.count(text) for text in labels.texts} == {"a": 6, "b": 3, "c": 6, "x": 5}
    assert labels.count("y") == 0  # only ever two queries back


def test_no_query_at_all_is_refused_with_the_cure():
    with pytest.raises(InputError, match="qac prep"):
        LabelTable.from_examples([])


# ---- age and the minimum count ----

DAY = 86_400


def test_an_example_counts_half_for_every_half_life_before_the_newest():
    examples = [
        Example((), "", "old", 8.0, time=0),
        Example(("old",), "", "new", 2.0, time=3 * DAY),
        Example(("new",), "", "new", time=2 * DAY),
        Example(("new",), "", "middle", 3.0, time=2.5 * DAY),
    ]
    labels = LabelTable.from_examples(examples, PopularityConfig(half_life=DAY))
    assert labels.texts == ["middle", "new", "old"]
    # new: 2 + 1/2 as the next query, 1/2 + 3/sqrt(2) before another; old: 8/8 as the next query, 2 before another.
    assert labels.counts.tolist() == pytest.approx([3 * 2**-0.5, 0.5 + 3 * 2**-0.5, 2], rel=1e-7)
    assert labels.occurrences.tolist() == [3, 4, 8]
    assert LabelTable.from_examples(examples).counts.tolist() == [3, 4, 8]


def test_what_is_very_old_keeps_its_order():
    examples = [Example((), "", q, n, time=t) for q, n, t in (("a", 1.0, 0), ("b", 2.0, 0), ("now", 1.0, 10**9))]
    assert LabelTable.from_examples(examples, PopularityConfig(half_life=1)).counts.tolist() == [2**-20, 2**-19, 1]


def test_a_half_life_needs_the_time_of_every_example():
    examples = [Example((), "", "a", time=1), Example((), "", "b"), Example((), "", "c")]
    with pytest.raises(InputError, match=r'"time" of every example, which 2 of 3 do not have; .*qac prep'):
        LabelTable.from_examples(examples, PopularityConfig(half_life=DAY))


def test_rare_queries_are_left_out_however_recent():
    pairs = (([], "a", 1), (["c"], "a", 1), (["a"], "b", 1.5), (["c"], "d", 3))
    examples = [Example(tuple(past), "", query, n, time=10**6 * n) for past, query, n in pairs]
    for half_life in (None, DAY):
        labels = LabelTable.from_examples(examples, PopularityConfig(half_life, min_count=2))
        assert (labels.texts, labels.left_out) == (["a", "c", "d"], 1)
        assert labels.occurrences.tolist() == [2, 4, 3]
    with pytest.raises(InputError, match="no query was made 5 times or more; lower --min-count"):
        LabelTable.from_examples(examples, PopularityConfig(min_count=5))


def test_the_chance_of_a_new_query_is_that_of_queries_made_too_seldom():
    examples = [Example((), "", query, n) for query, n in (("a", 1.0), ("b", 1.0), ("c", 2.0), ("d", 6.0))]
    assert LabelTable.from_examples(examples).new == 0.2  # Turing's estimate
    # With a minimum of 2 those made once or twice are, by the same argument, one time short of it.
    assert LabelTable.from_examples(examples, PopularityConfig(min_count=2)).new == 0.4
    assert (
        LabelTable.from_examples(examples, PopularityConfig(min_count=2, rare=0.5)).new == 0.7
    )  # and what was left out


@pytest.mark.parametrize("options", [{"half_life": 0.5}, {"half_life": float("nan")}, {"min_count": -1}])
def test_popularity_settings_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        PopularityConfig(**options)


timed_examples = st.builds(
    Example,
    st.lists(texts, max_size=2).map(tuple),
    st.just(""),
    texts,
    st.sampled_from([0.25, 1.0, 3.0]),
    time=st.integers(0, 30 * DAY),
)


@given(st.lists(timed_examples, min_size=1, max_size=40), st.floats(1e4, 1e7), st.integers(0, 4))
def test_popularity_equals_that_of_plain_loops(examples, half_life, least):
    newest = max(e.time for e in examples)
    plain, decayed = ({"next": {}, "before": {}} for _ in range(2))
    for e in examples:
        weight = e.count * 2 ** -((newest - e.time) / half_life)
        for side, query in [("next", e.next_query)] + [("before", q) for q in e.prev_queries[-1:]]:
            plain[side][query] = plain[side].get(query, 0) + e.count
            decayed[side][query] = decayed[side].get(query, 0) + weight
    queries = {*plain["next"], *plain["before"]}
    wanted = sorted(q for q in queries if max(plain[s].get(q, 0) for s in plain) >= least)
    try:
        labels = LabelTable.from_examples(examples, PopularityConfig(half_life, least))
    except InputError:
        assert not wanted
        return
    assert labels.texts == wanted
    assert labels.left_out == len(queries) - len(wanted)
    floor = 2**-20 * 0.25
    expected = [max(floor, *(decayed[s].get(q, 0) for s in decayed)) for q in wanted]
    assert labels.counts.tolist() == pytest.approx(expected, rel=1e-6, abs=40 * 3 * 2**-20)


@given(label_sets, texts)
def test_look_up_equals_a_scan(labels, wanted):
    t = LabelTable(labels, np.ones(len(labels)), np.ones(len(labels)))
    assert t.find(wanted) == (labels.index(wanted) if wanted in labels else -1)
    assert [t.find(text) for text in labels] == list(range(len(labels)))
    matching = [i for i, text in enumerate(labels) if text.startswith(wanted)]
    assert list(range(*t.prefix_range(wanted))) == matching
    assert t.prefix_range("") == (0, len(labels))


@given(label_sets)
def test_common_prefixes_are_whole_code_points(labels):
    lcp = _native.common_prefixes(labels)
    assert lcp[0] == 0
    for i in range(1, len(labels)):
        n = 0
        while labels[i - 1][: n + 1] == labels[i][: n + 1] and n < len(labels[i - 1]):
            n += 1
        assert lcp[i] == len(labels[i][:n].encode())


@pytest.mark.parametrize("labels", [["b", "a"], ["a", "a"], ["a", "x" * 4096]])
def test_labels_that_do_not_ascend_or_are_too_long_cannot_be_encoded(labels):
    with pytest.raises(_native.NativeError, match="EINVAL"):
        _native.encode_labels(labels)


def test_the_longest_label_can_be_encoded():
    encoded, blocks = _native.encode_labels(["a", "x" * 4095])
    assert len(blocks) == 1
    assert bytes(encoded).endswith(b"x" * 4095)
