from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.webdemo.highlight import untyped


@pytest.mark.parametrize(
    ("text", "typed", "ranges"),
    [
        ("nikon d70", "ni", [(2, 9)]),
        ("nikon", "nikon", []),
        ("nikon", "", [(0, 5)]),
        ("new", "new ", []),
        ("日本 料理", "日", [(1, 5)]),
        ("😀 meaning", "😀", [(1, 9)]),  # one code point, though two units of UTF-16
        ("nikon d70", "nokon", [(1, 2), (5, 9)]),  # wrong
        ("nikon d70", "nkon", [(1, 2), (5, 9)]),  # missing
        ("nikon d70", "niikon", [(5, 9)]),  # too many
        ("nikon d70", "inkon", [(0, 2), (5, 9)]),  # swapped
        ("nikon", "nikom", [(4, 5)]),
        ("nikon d70", "nikx", [(3, 9)]),  # what is mended and what is to come are one range
        ("weather", "zzz", [(0, 7)]),  # nothing to do with each other
    ],
)
def test_what_was_not_typed(text, typed, ranges):
    assert untyped(text, typed) == ranges


@given(st.text("ab ", max_size=6), st.text("ab ", max_size=6))
def test_ranges_are_apart_and_what_lies_between_them_was_typed(text, typed):
    ranges = untyped(text, typed)
    ends = [0, *(e for r in ranges for e in r), len(text)]
    assert ends == sorted(ends)
    assert all(b < e for b, e in ranges)
    assert all(a[1] < b[0] for a, b in pairwise(ranges))
    rest = iter(typed)
    kept = [c for i, c in enumerate(text) if not any(b <= i < e for b, e in ranges)]
    assert all(c in rest for c in kept)  # in this order


def _one_edit_away(typed, alphabet):
    for i in range(len(typed) + 1):
        yield from (typed[:i] + c + typed[i:] for c in alphabet)
        yield typed[:i] + typed[i + 1 :]
        yield from (typed[:i] + c + typed[i + 1 :] for c in alphabet)
        yield typed[:i] + typed[i : i + 2][::-1] + typed[i + 2 :]


@given(st.text("abc", min_size=3, max_size=6), st.text("abc", max_size=4), st.data())
def test_a_typing_error_costs_no_more_than_the_characters_it_is_in(meant, rest, data):
    typed = data.draw(st.sampled_from(sorted(set(_one_edit_away(meant, "abc")))))
    text = meant + rest
    emphasised = sum(e - b for b, e in untyped(text, typed))
    assert emphasised <= len(rest) + 3
