from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.data_prep.times import time_parser, to_iso
from qac.errors import InputError

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z


@pytest.mark.parametrize(
    "text",
    [
        "1772366400",
        "1772366400.0",
        "1772366400000",
        "1772366400000000",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00",
        " 2026-03-01T12:00:00Z ",
        "2026-03-01T13:00:00+01:00",
        "260301120000",
        "20260301120000",
    ],
)
def test_auto_tells_notations_apart(text: str) -> None:
    assert time_parser("auto")(text) == NOON


DAY = 86_400_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260101", 1_767_225_600_000),
        (" 20240229 ", 1_709_164_800_000),
        ("19700101", 0),
        ("19700102", DAY),
        ("21001231", 47_846 * DAY),
    ],
)
def test_eight_digits_are_a_date_where_they_make_one(text: str, expected: int) -> None:
    assert time_parser("auto")(text) == expected
    assert to_iso(expected)[:10].replace("-", "") == text.strip()


@pytest.mark.parametrize("text", ["20260100", "20261301", "20250229", "19691231", "21010101", "00000000", "99999999"])
def test_eight_digits_that_make_no_date_are_seconds(text: str) -> None:
    assert time_parser("auto")(text) == int(text) * 1000


@pytest.mark.parametrize(
    "text", ["0", "40", "170", "2026", "202601", "2026010", "202601010", "1297054935", "20260101000"]
)
def test_other_numbers_up_to_eleven_digits_are_seconds(text: str) -> None:
    assert time_parser("auto")(text) == time_parser("epoch")(text) == int(text) * 1000


@pytest.mark.parametrize("digits", [15, 17, 18])
def test_numbers_of_other_lengths_are_refused_with_the_lengths_that_are_read(digits: int) -> None:
    with pytest.raises(ValueError, match="expected up to 14 digits, or 16"):
        time_parser("auto")("1" * digits)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("epoch", "0", 0),
        ("epoch", "20260101", 20_260_101_000),
        ("epoch", "12.5", 12_500),
        ("epoch-ms", "12", 12),
        ("YYMMDDhhmmss", "970916105432", 874_407_272_000),
        ("YYMMDDhhmmss", "000101000000", 946_684_800_000),
        ("%d/%b/%Y:%H:%M:%S %z", "01/Mar/2026:12:00:00 +0000", NOON),
        ("iso", "1969-12-31T23:59:59", -1_000),
    ],
)
def test_named_notations(name: str, text: str, expected: int) -> None:
    assert time_parser(name)(text) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "123456789012345", "991399000000", "99999999999999999", "1e9", "-5", "٣"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        time_parser("auto")(text)


def test_unknown_notation_names_the_known() -> None:
    with pytest.raises(InputError, match="expected one of auto, iso"):
        time_parser("unix")


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))
def test_iso_round_trip_to_the_millisecond(moment: datetime) -> None:
    expected = int(moment.replace(microsecond=0, tzinfo=UTC).timestamp()) * 1000 + moment.microsecond // 1000
    assert time_parser("auto")(moment.isoformat()) == expected
    assert time_parser("iso")(to_iso(expected)) == expected // 1000 * 1000
