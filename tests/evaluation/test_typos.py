from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.errors import UsageError
from qac.evaluation import mistype
from qac.evaluation.typos import MIN_LENGTH, Letters
from qac.examples import Example, normalize_examples
from qac.text import normalize_prefix

queries = st.lists(
    st.text(st.sampled_from("abcdé日本 1-\u0301"), min_size=1, max_size=12), min_size=1, max_size=12
).map(lambda texts: list(normalize_examples(Example((), t[: 1 + len(t) // 2], t) for t in texts)))


def one_edit_apart(a, b):
    """Say whether one insertion, deletion, substitution or exchange of neighbours makes ``a`` into ``b``."""
    edits = {a[:i] + a[i + 1 :] for i in range(len(a))}
    edits |= {a[:i] + a[i + 1 : i + 2] + a[i] + a[i + 2 :] for i in range(len(a))}
    edits |= {a[:i] + c + a[i + 1 :] for i in range(len(a)) for c in set(b)}
    edits |= {a[:i] + c + a[i:] for i in range(len(a) + 1) for c in set(b)}
    return b in edits


@given(queries, st.integers(0, 1 << 40))
def test_what_is_mistyped_is_one_edit_apart_and_wrong(examples, seed):
    letters = {c for e in examples for c in e.next_query if c.isalnum()}
    for example, typed in zip(examples, mistype(examples, 1.0, seed), strict=True):
        if typed == example.prefix:
            continue
        assert len(example.prefix) >= MIN_LENGTH
        assert one_edit_apart(example.prefix, typed)
        assert not example.next_query.startswith(typed)
        assert normalize_prefix(typed) == typed
        assert set(typed) <= letters | set(example.prefix)


def test_every_kind_of_error_is_made_in_every_place():
    examples = [Example((), "nikon", "nikon d70")] * 4000
    typed = mistype(examples, 1.0)
    lengths = Counter(map(len, typed))
    assert set(lengths) == {4, 5, 6}
    # one kind in four adds a letter, one removes one (not the last: that is no error), half keep the number
    assert 700 < lengths[4] < 1300
    assert 700 < lengths[6] < 1300
    assert {next(i for i in range(6) if t[i : i + 1] != "nikon"[i : i + 1]) for t in typed} == set(range(6))
    assert {"inkon", "nkon", "ikon"} < set(typed)


def test_short_and_hopeless_prefixes_are_left():
    examples = [Example((), "ab", "abc"), Example((), "", "abc"), Example((), "aaa", "aaaaaaa")]
    [typed] = mistype([Example((), "aaa", "aaaaaaab")], 1.0)  # a letter more or fewer would be no error
    assert typed != "aaa"
    assert not "aaaaaaab".startswith(typed)
    assert mistype(examples, 1.0)[:2] == ["ab", ""]
    # nothing to draw a letter from, and no edit of such a text that is in normal form and wrong
    assert mistype([Example((), "---", "-----")], 1.0) == ["---"]


def test_the_rate_is_a_share_and_more_is_more():
    examples = [Example((), "nikon", "nikon d70")] * 3000
    low, high = mistype(examples, 0.1), mistype(examples, 0.4)
    wrong = [sum(t != "nikon" for t in typed) for typed in (low, high)]
    assert 240 < wrong[0] < 360
    assert 1080 < wrong[1] < 1320
    assert all(b == a for a, b in zip(low, high, strict=True) if a != "nikon")
    assert mistype(examples, 0) == ["nikon"] * 3000
    assert mistype(examples, 0.1) == low != mistype(examples, 0.1, seed=1)
    # of a few the same ones are mistyped as of many
    assert [t != "nikon" for t in mistype(examples[:100], 0.4)] == [t != "nikon" for t in high[:100]]


def test_letters_are_drawn_by_frequency():
    import random

    letters = Letters(["aab", "- a!"])
    rng = random.Random(0)
    drawn = Counter(letters.draw(rng) for _ in range(4000))
    assert set(drawn) == {"a", "b"}
    assert 2850 < drawn["a"] < 3150
    assert Letters(["?"]).draw(rng) == ""


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_from_0_to_1(rate):
    with pytest.raises(UsageError, match="from 0 to 1"):
        mistype([], rate)
