from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from qac.data_prep.prefixes import prefix_lengths, seed_key
from qac.text import normalize, normalize_prefix

SEED = seed_key(0)


@given(st.integers(1, 200), st.one_of(st.none(), st.integers(1, 250)), st.binary(max_size=40), st.integers())
def test_lengths_are_distinct_ascending_and_within(length: int, wanted: int | None, key: bytes, seed: int) -> None:
    lengths = list(prefix_lengths(length, wanted, seed_key(seed), key))
    assert len(lengths) == (length if wanted is None else min(wanted, length))
    assert lengths == sorted(set(lengths))
    assert lengths[0] >= 1
    assert lengths[-1] <= length
    assert lengths == list(prefix_lengths(length, wanted, seed_key(seed), key))


def test_one_prefix_is_uniform() -> None:
    drawn = Counter(prefix_lengths(5, 1, SEED, b"%d" % i)[0] for i in range(10_000))
    assert set(drawn) == {1, 2, 3, 4, 5}
    assert all(abs(n - 2_000) < 200 for n in drawn.values())  # five standard deviations


def test_every_subset_is_equally_likely() -> None:
    drawn = Counter(tuple(prefix_lengths(5, 2, SEED, b"%d" % i)) for i in range(10_000))
    assert set(drawn) == set(combinations(range(1, 6), 2))
    assert all(abs(n - 1_000) < 150 for n in drawn.values())


def test_golden_values_do_not_change() -> None:
    # Published splits depend on these.
    assert [prefix_lengths(20, 1, SEED, b"s/%d" % i)[0] for i in range(8)] == [19, 1, 18, 1, 19, 4, 2, 4]
    assert prefix_lengths(20, 4, seed_key(7), b"s/0") == [4, 16, 19, 20]


@given(st.text(max_size=30), st.sampled_from(["default", "alnum"]))
def test_prefixes_of_normal_queries_are_normal_prefixes(text: str, protocol: str) -> None:
    query = normalize(text, protocol)
    for n in range(1, len(query) + 1):
        assert normalize_prefix(query[:n], protocol) == query[:n]
