from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.data_prep.records import PARTS
from qac.data_prep.sessions import Session
from qac.data_prep.split import HashSplit, Ratios, StartHistogram, TimeSplit, parse_dates
from qac.errors import InputError

EIGHTY = Ratios.parse("80/10/10")


def at(start: int) -> Session:
    return Session(b"u%d" % start, start)


def parts_by_time(starts: list[int], ratios: Ratios = EIGHTY, **options: int) -> Counter[str]:
    histogram = StartHistogram(**options)
    for start in starts:
        histogram.add(start)
    split = histogram.split(ratios)
    return Counter(split.part(at(start)) for start in starts)


def test_ratios_by_time() -> None:
    assert parts_by_time(list(range(1000, 1010))) == {"train": 8, "valid": 1, "test": 1}
    assert parts_by_time([5]) == {"train": 1}
    assert parts_by_time([-3, -2, -1], Ratios.parse("1/1/1")) == {"train": 1, "valid": 1, "test": 1}


def test_parts_may_be_empty() -> None:
    assert parts_by_time(list(range(10)), Ratios.parse("0/0/1")) == {"test": 10}
    assert parts_by_time(list(range(10)), Ratios.parse("1/0/0")) == {"train": 10}
    assert parts_by_time(list(range(10)), Ratios.parse("9/0/1")) == {"train": 9, "test": 1}
    assert StartHistogram().split(EIGHTY) == TimeSplit(0, 0)


def test_equal_starts_stay_together() -> None:
    assert parts_by_time([7] * 10) == {"train": 10}


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=200), st.integers(2, 16))
def test_parts_follow_each_other_in_time_however_coarse(starts: list[int], max_bins: int) -> None:
    histogram = StartHistogram(max_bins=max_bins)
    for start in starts:
        histogram.add(start)
        assert len(histogram.bins) <= max_bins
    split = histogram.split(EIGHTY)
    order = [PARTS.index(split.part(at(start))) for start in sorted(starts)]
    assert order == sorted(order)
    assert order.count(0) >= 0.8 * len(starts)


def test_hash_split_has_the_shares_asked_for() -> None:
    split = HashSplit(EIGHTY, b"0")
    found = Counter(split.part_of(b"%d" % i) for i in range(10_000))
    assert abs(found["train"] - 8_000) < 200
    assert abs(found["valid"] - 1_000) < 150
    assert split.part_of(b"0") == HashSplit(EIGHTY, b"0").part_of(b"0")
    assert any(split.part_of(b"%d" % i) != HashSplit(EIGHTY, b"1").part_of(b"%d" % i) for i in range(50))


@pytest.mark.parametrize(("text", "part"), [("1/0/0", "train"), ("0/1/0", "valid"), ("0/0/1", "test")])
def test_hash_split_with_everything_in_one_part(text: str, part: str) -> None:
    split = HashSplit(Ratios.parse(text), b"0")
    assert {split.part_of(b"%d" % i) for i in range(200)} == {part}


@pytest.mark.parametrize("text", ["80/20", "a/b/c", "", "-1/1/1", "0/0/0", "1/1/1/1", "1/0/x"])
def test_nonsense_shares_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="80/10/10"):
        Ratios.parse(text)


def test_dates() -> None:
    split = TimeSplit(*parse_dates("1970-01-01T00:00:10,1970-01-01T00:00:20"))
    assert [split.part(at(s * 1000)) for s in (9, 10, 19, 20)] == ["train", "valid", "valid", "test"]


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01,soon", "a,b,c"])
def test_nonsense_dates_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="VALID_START,TEST_START"):
        parse_dates(text)


def test_dates_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match="swap"):
        parse_dates("2026-02-01,2026-01-01")
