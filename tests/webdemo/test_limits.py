import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from qac.config import ServerConfig
from qac.webdemo.limits import CompletionRequest, FieldError, completion_request, parse_object, parse_query

CONFIG = ServerConfig(model=None, max_chars=5, max_prev=2, max_k=20)


def test_defaults():
    assert completion_request({}, CONFIG) == CompletionRequest("", (), 10)


def test_bounds_themselves_are_inside():
    asked = completion_request({"prefix": "12345", "prev": ["a", "😀😀😀😀😀"], "k": 20}, CONFIG)
    assert asked == CompletionRequest("12345", ("a", "😀😀😀😀😀"), 20)


def test_the_session_can_be_left_out():
    assert completion_request({"prev": ["a"], "session": False}, CONFIG).prev == ()
    assert completion_request({"prev": ["a"], "session": True}, CONFIG).prev == ("a",)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prefix": 1}, "prefix"),
        ({"prefix": None}, "prefix"),
        ({"prefix": "123456"}, "prefix"),
        ({"prev": "a"}, "prev"),
        ({"prev": None}, "prev"),
        ({"prev": {"a": 1}}, "prev"),
        ({"prev": ["a", 1]}, "prev"),
        ({"prev": ["123456"]}, "prev"),
        ({"prev": ["a", "b", "c"]}, "prev"),
        ({"k": 0}, "k"),
        ({"k": -1}, "k"),
        ({"k": 21}, "k"),
        ({"k": 10**400}, "k"),
        ({"k": 1.0}, "k"),
        ({"k": float("nan")}, "k"),
        ({"k": "1"}, "k"),
        ({"k": True}, "k"),
        ({"k": None}, "k"),
        ({"session": 1}, "session"),
        ({"q": "a"}, "q"),
        ({"": "a"}, ""),
    ],
)
def test_errors_name_the_field(fields, field):
    with pytest.raises(FieldError) as e:
        completion_request(fields, CONFIG)
    assert e.value.field == field
    with pytest.raises(FieldError) as e:
        completion_request(fields, CONFIG, where="requests[3].")
    assert e.value.field == f"requests[3].{field}"


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ([("k", "")], "k"),
        ([("k", "-1")], "k"),
        ([("k", "1e1")], "k"),
        ([("k", "٣")], "k"),  # a digit, but not ours
        ([("k", "9" * 10_000)], "k"),
        ([("k", "1"), ("k", "2")], "k"),
        ([("prefix", "a"), ("prefix", "a")], "prefix"),
        ([("session", "yes")], "session"),
        ([("text", "a")], "text"),
    ],
)
def test_errors_in_addresses_name_the_field(args, field):
    with pytest.raises(FieldError) as e:
        completion_request(parse_query(MultiDict(args)), CONFIG)
    assert e.value.field == field
    assert len(str(e.value)) < 200


def test_addresses_mean_what_json_means():
    args = MultiDict([("prev", "a"), ("prefix", "b"), ("prev", "c"), ("k", "7"), ("session", "1")])
    assert parse_query(args) == {"prev": ["a", "c"], "prefix": "b", "k": 7, "session": True}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"null", b'"a"', b"\xff", b"[" * 100_000, b"9" * 10_000])
def test_bodies_that_are_no_objects_are_refused(body):
    with pytest.raises(FieldError):
        parse_object(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["prefix", "prev", "k", "session", "x"]), json_values))
def test_anything_is_a_request_within_bounds_or_a_named_error(fields):
    try:
        asked = completion_request(fields, CONFIG)
    except FieldError as e:
        named = e.field
    else:
        assert 1 <= asked.k <= 20
        assert all(len(t) <= 5 for t in (asked.prefix, *asked.prev))
        assert len(asked.prev) <= 2
        return
    assert named in fields
