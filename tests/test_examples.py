import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.errors import InputError
from qac.examples import (
    MAX_COUNT,
    MAX_SESSION,
    MAX_TIME,
    MIN_COUNT,
    MIN_TIME,
    Example,
    normalize_examples,
    read_examples,
)


def read(tmp_path, content):
    path = tmp_path / "e.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_examples(path))


def test_the_three_fields_of_the_published_data_suffice(tmp_path):
    line = '{"prev_query": "digital camera", "prefix": "ni", "next_query": "nikon d70"}'
    assert read(tmp_path, line) == [Example(("digital camera",), "ni", "nikon d70", 1.0)]


def test_history_and_count_are_optional_fields(tmp_path):
    line = '{"prev_query": "b", "prev_queries": ["a", "b"], "next_query": "c", "count": 2.5}'
    assert read(tmp_path, line) == [Example(("a", "b"), "", "c", 2.5)]


@pytest.mark.parametrize("time", [1174000000, 0, -1, 12.5])
def test_the_time_is_an_optional_field_in_seconds(tmp_path, time):
    assert read(tmp_path, f'{{"next_query": "a", "time": {time}}}') == [Example((), "", "a", time=time)]
    assert read(tmp_path, '{"next_query": "a", "time": null}')[0].time is None


def test_a_session_is_a_number(tmp_path):
    content = '{"next_query": "a", "session": 0}\n{"next_query": "b", "session": null}\n{"next_query": "c"}'
    assert [e.session for e in read(tmp_path, content)] == [0, None, None]


@pytest.mark.parametrize("history", ["", '"prev_query": "",', '"prev_query": null,', '"prev_queries": [],'])
def test_the_first_query_of_a_session_has_no_history(tmp_path, history):
    assert read(tmp_path, f'{{{history} "next_query": "a"}}') == [Example((), "", "a")]


def test_blank_lines_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    content = '\ufeff{"next_query": "a"}\r\n\n  \n{"next_query": "b\\u2028c\u2029d"}'
    assert [e.next_query for e in read(tmp_path, content)] == ["a", "b\u2028c\u2029d"]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[" * 100_000,
        "[]",
        '"text"',
        "{}",
        '{"next_query": 1}',
        '{"next_query": null}',
        '{"next_query": "a", "prefix": 1}',
        '{"next_query": "a", "prev_query": 0}',
        '{"next_query": "a", "prev_query": ["b"]}',
        '{"next_query": "a", "prev_queries": "b"}',
        '{"next_query": "a", "prev_queries": 0}',
        '{"next_query": "a", "prev_queries": ["b", null]}',
        *(f'{{"next_query": "a", "session": {s}}}' for s in ("-1", "true", '"u1"', "1.5", str(1 << 63), "[]")),
        *(
            f'{{"next_query": "a", "count": {count}}}'
            for count in ("0", "-1", "true", '"2"', "null", "NaN", "Infinity", "1e39", "1e-60", "1" + "0" * 400)
        ),
        *(
            f'{{"next_query": "a", "time": {time}}}'
            for time in ("true", '"2026-01-01"', "NaN", "Infinity", "1174000000000", "1" + "0" * 400)
        ),
    ],
)
def test_a_line_that_is_no_example_is_refused_by_its_number(tmp_path, line):
    with pytest.raises(InputError, match=r"e\.jsonl:2: ") as e:
        read(tmp_path, '{"next_query": "a"}\n' + line + "\n")
    assert len(str(e.value)) < 300
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("count", [MIN_COUNT, MAX_COUNT])
def test_the_bounds_of_counts_are_allowed(tmp_path, count):
    assert read(tmp_path, json.dumps({"next_query": "a", "count": count}))[0].count == count


def test_bytes_that_are_not_text_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"e\.jsonl is not UTF-8"):
        read(tmp_path, b'{"next_query": "\xff"}')


def test_a_missing_file_and_a_folder_are_refused_with_the_cure(tmp_path):
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing" / "e.jsonl"):
        with pytest.raises(InputError, match="qac prep") as e:
            list(read_examples(path))
        assert str(path) in str(e.value)


def test_normal_form_drops_what_is_empty_and_keeps_the_order_of_the_rest():
    raw = [
        Example((" A ", "\0", "b\n"), " N ", "Nikon "),
        Example(("a",), "", " \t"),
        Example((" ",), "", "c", 3, time=7, session=8),
    ]
    last = Example((), "", "c", 3, time=7, session=8)
    assert list(normalize_examples(raw)) == [Example(("a", "b"), "n ", "nikon"), last]
    assert list(normalize_examples([Example(("a",), "", "?!")], "alnum")) == []


any_example = st.builds(
    Example,
    st.lists(st.text(min_size=1), max_size=3).map(tuple),
    st.text(),
    st.text(),
    st.one_of(st.integers(1, 10**6).map(float), st.floats(MIN_COUNT, MAX_COUNT)),
    time=st.one_of(st.none(), st.integers(MIN_TIME, MAX_TIME), st.floats(MIN_TIME, MAX_TIME)),
    session=st.one_of(st.none(), st.integers(0, MAX_SESSION)),
)


@given(st.lists(any_example, max_size=5))
def test_written_examples_are_read_back_as_they_were(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("examples") / "e.jsonl"
    path.write_text("".join(e.to_json() + "\n" for e in written), encoding="utf-8")
    assert list(read_examples(path)) == written


def test_packed_examples_are_unpacked(tmp_path):
    plain, packed = tmp_path / "e.jsonl", tmp_path / "e.jsonl.gz"
    plain.write_text(Example(("a",), "b", "bé").to_json() + "\n", encoding="utf-8")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert list(read_examples(packed)) == list(read_examples(plain))


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"{}\n", lambda b: b[:-8] + bytes(8)])
def test_damaged_packed_examples_are_named(tmp_path, damage):
    path = tmp_path / "e.jsonl.gz"
    path.write_bytes(damage(gzip.compress(b'{"next_query": "a"}\n' * 100)))
    with pytest.raises(InputError, match=r"e\.jsonl\.gz is no gzip file or is cut short .*; pack or copy it anew"):
        list(read_examples(path))


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_who_watches_is_told_how_far_reading_is(tmp_path, name):
    path = tmp_path / name
    content = Example(("a",), "b", "bé").to_json().encode() + b"\n"
    path.write_bytes((gzip.compress if name.endswith(".gz") else bytes)(content * 10_000))
    told = []
    assert len(list(read_examples(path, watch=told.append))) == 10_000
    assert told == sorted(told)
    assert len(told) == 3
    assert told[-1] == path.stat().st_size
