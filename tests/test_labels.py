import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac import _native
from qac.errors import InputError
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


@given(label_sets, texts)
def test_look_up_equals_a_scan(labels, wanted):
    t = LabelTable(labels, np.ones(len(labels)))
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
