"""Rates of reuse, worked out by hand."""

import pytest

from qac._native import MAX_AGE
from qac.examples import Example
from qac.labels import QueryLog
from qac.reuse import count_reuse

DOUBT = 20


def rates(*examples):
    log = QueryLog()
    for example in examples:
        log.add(example)
    return count_reuse(log)


def test_queries_that_come_back_by_age():
    """Of two sessions that have a query before the last, one comes back to it; one comes back to the oldest."""
    r = rates(
        Example(("a", "b"), "", "a", 30),
        Example(("c", "a", "b"), "", "c", 10),
        Example(("b",), "", "a", 100),
        Example((), "", "a", 100),
    )
    assert r.queries == pytest.approx((30 / (40 + DOUBT), 10 / (10 + DOUBT), *[0] * (MAX_AGE - 2)))


def test_a_query_counts_where_it_was_made_last():
    """In a, b, a, c the first a is no chance of its own: the newer one is."""
    r = rates(Example(("a", "b", "a", "c"), "", "a", 80))
    assert r.queries[:3] == pytest.approx((80 / (80 + DOUBT), 0, 0))
    assert rates(Example(("a", "a"), "", "b", 80)) == rates(Example(("a",), "", "b", 80))


def test_what_is_older_than_the_oldest_age_does_not_count():
    past = tuple(f"q{i}" for i in range(MAX_AGE + 2))
    assert not any(rates(Example(past, "", "q0", 50)).queries)
    assert rates(Example(past, "", "q1", 50)).queries[-1] == pytest.approx(50 / (50 + DOUBT))


def test_words_of_older_queries_relative_to_those_of_the_last():
    """The last query's one word comes back in 60 of 100, the older one's new word in 30."""
    r = rates(
        Example(("old both", "both"), "", "both x", 60),
        Example(("old both", "both"), "", "old", 30),
        Example(("old both", "both"), "", "y", 10),
    )
    assert r.older_words[0] == pytest.approx(30 / 60)
    assert rates(Example(("a", "b"), "", "a", 100)).older_words == (0.0,) * MAX_AGE


def test_words_never_count_more_than_those_of_the_last_query():
    r = rates(Example(("a", "b"), "", "a", 90), Example(("a", "b"), "", "b", 10))
    assert r.older_words[0] == 1


def test_the_next_word_by_how_much_of_the_query_is_copied():
    """After "a b c": "b x a c" starts with a copy, then x where all is copied, a where some is, c where some is."""
    r = rates(Example(("a b c",), "", "b x a c", 10), Example(("a b c",), "", "x y a", 5))
    assert r.next_words == pytest.approx(
        (10 / (15 + DOUBT), 5 / (10 + DOUBT), 20 / (20 + DOUBT), 0 / (10 + DOUBT)), abs=1e-12
    )


def test_nothing_is_left_to_copy_once_all_is():
    assert rates(Example(("a",), "", "a x y", 10)).next_words == pytest.approx((10 / (10 + DOUBT), 0, 0, 0))


def test_nothing_counted_means_no_reuse():
    r = rates(Example((), "", "a"), Example((), "", "b"))
    assert not any(r.queries)
    assert not any(r.older_words)
    assert not any(r.next_words)
