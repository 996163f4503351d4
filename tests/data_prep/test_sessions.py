from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from qac.data_prep.records import Event, Scope
from qac.data_prep.sessions import UNTIMED, cut, encode

MINUTE = 60_000


def sessions(
    events: list[tuple[Scope, str, int | None, str]], gap: timedelta | None = None
) -> list[tuple[int, list[str]]]:
    """Return the sessions' starts and queries, in order of their keys."""
    records = sorted(encode(Event(*e), e[3], i) for i, e in enumerate(events))
    found: dict[bytes, tuple[int, list[str]]] = {}
    for session, _, query in cut(records, gap):
        found.setdefault(session.key, (session.start, []))[1].append(query.decode())
    return list(found.values())


def test_a_gap_longer_than_half_an_hour_ends_a_session() -> None:
    log = [(Scope.USER, "u", minute * MINUTE, str(minute)) for minute in (0, 30, 60, 91)]
    assert sessions(log) == [(0, ["0", "30", "60"]), (91 * MINUTE, ["91"])]


def test_the_gap_can_be_chosen() -> None:
    log = [(Scope.USER, "u", minute * MINUTE, str(minute)) for minute in (0, 5, 11)]
    assert sessions(log, timedelta(minutes=5)) == [(0, ["0", "5"]), (11 * MINUTE, ["11"])]
    assert sessions(log, timedelta(0)) == [(0, ["0"]), (5 * MINUTE, ["5"]), (11 * MINUTE, ["11"])]


def test_session_ids_hold_over_any_pause_unless_a_gap_is_asked_for() -> None:
    log = [(Scope.SESSION, "s", 0, "a"), (Scope.SESSION, "s", 9_999 * MINUTE, "b")]
    assert sessions(log) == [(0, ["a", "b"])]
    assert len(sessions(log, timedelta(minutes=30))) == 2


def test_interleaved_users_out_of_order_are_brought_together() -> None:
    log = [
        (Scope.USER, "b", 2, "b2"),
        (Scope.USER, "a", 3, "a3"),
        (Scope.USER, "b", 1, "b1"),
        (Scope.USER, "a", 1, "a1"),
    ]
    assert sorted(sessions(log)) == [(1, ["a1", "a3"]), (1, ["b1", "b2"])]


def test_equal_times_keep_the_order_of_the_log() -> None:
    log = [(Scope.USER, "u", 7, q) for q in ("z", "a", "m")]
    assert sessions(log) == [(7, ["z", "a", "m"])]


def test_times_before_1970_sort_before_later_ones() -> None:
    log = [(Scope.USER, "u", 1_000, "late"), (Scope.USER, "u", -1_000, "early")]
    assert sessions(log) == [(-1_000, ["early", "late"])]


def test_without_time_an_identifier_is_one_session() -> None:
    log = [(Scope.USER, "u", None, "b"), (Scope.USER, "u", None, "a")]
    assert sessions(log) == [(UNTIMED, ["b", "a"])]


def test_without_identifiers_every_query_is_alone() -> None:
    log = [(Scope.ALONE, "", None, "same"), (Scope.ALONE, "", None, "same")]
    assert sessions(log) == [(UNTIMED, ["same"]), (UNTIMED, ["same"])]


def test_a_user_and_a_session_of_one_name_are_two() -> None:
    assert len(sessions([(Scope.USER, "x", 0, "a"), (Scope.SESSION, "x", 0, "b")])) == 2


@given(
    st.lists(st.tuples(st.sampled_from("uvw"), st.integers(0, 300)), max_size=40),
    st.integers(0, 100),
)
def test_against_a_plain_model(rows: list[tuple[str, int]], gap: int) -> None:
    log = [(Scope.USER, user, minute * MINUTE, f"{user}{i}") for i, (user, minute) in enumerate(rows)]
    expected = []
    for user in "uvw":
        mine = sorted((minute, i) for i, (u, minute) in enumerate(rows) if u == user)
        for place, (minute, i) in enumerate(mine):
            if place == 0 or minute - mine[place - 1][0] > gap:
                expected.append((minute * MINUTE, []))
            expected[-1][1].append(f"{user}{i}")
    assert sorted(sessions(log, timedelta(minutes=gap))) == sorted(expected)
