"""How many users made a query, against counting in memory."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qac.data_prep.tally import Drop
from qac.data_prep.thresholds import Thresholds

NOBODY = b"-0000000000"


def user(name: int) -> bytes:
    return b"u%010d" % name


def left_out(folder: Path, rows: list[tuple[bytes, bytes]], *limits: int | None) -> dict[int, Drop]:
    folder.mkdir()
    thresholds = Thresholds(folder, *limits)  # type: ignore[arg-type]
    for row, (name, query) in enumerate(rows):
        thresholds.add(row, name, query)
    found = list(thresholds.left_out())
    assert found == sorted(found)
    return dict(found)


def test_by_hand(tmp_path: Path) -> None:
    rows = [
        (user(1), b"shared"),  # 0
        (user(2), b"secret"),  # 1: five times, one user
        (user(2), b"secret"),
        (user(2), b"secret"),
        (user(2), b"secret"),
        (user(2), b"secret"),
        (user(1), b"shared"),  # 6
        (user(1), b"shared"),  # 7: user 1 counts twice only
        (user(3), b"shared"),  # 8
        (NOBODY, b"secret"),  # 9: rows of nobody are no users
        (NOBODY, b"secret"),
    ]
    expected = dict.fromkeys([1, 2, 3, 4, 5, 9, 10], Drop.FEW_USERS) | {7: Drop.REPEATED}
    assert left_out(tmp_path / "a", rows, 2, 1, 2) == expected
    assert left_out(tmp_path / "b", rows, 1, 4, None) == {}
    assert left_out(tmp_path / "c", rows, 1, 4, 2) == {
        **dict.fromkeys([0, 6, 7, 8], Drop.FEW_TIMES),
        **dict.fromkeys([3, 4, 5], Drop.REPEATED),
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from([NOBODY, *map(user, range(4))]), st.sampled_from([b"a", b"b", b"c"]))),
    min_users=st.integers(1, 4),
    min_count=st.integers(1, 6),
    per_user=st.none() | st.integers(1, 3),
)
def test_any_rows_are_judged_as_in_memory(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[bytes, bytes]],
    min_users: int,
    min_count: int,
    per_user: int | None,
) -> None:
    users = defaultdict(set)
    counted: Counter[bytes] = Counter()
    made: Counter[tuple[bytes, bytes]] = Counter()
    expected = {}
    for row, (name, query) in enumerate(rows):
        made[name, query] += 1
        if name != NOBODY:
            users[query].add(name)
            if per_user is not None and made[name, query] > per_user:
                expected[row] = Drop.REPEATED
                continue
        counted[query] += 1
    for row, (_, query) in enumerate(rows):
        if min_users > 1 and len(users[query]) < min_users:
            expected[row] = Drop.FEW_USERS
        elif counted[query] < min_count:
            expected[row] = Drop.FEW_TIMES
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qac.data_prep.sorter.RunSorter.__init__.__defaults__", (5, 3))
        assert left_out(tmp_path_factory.mktemp("rows") / "t", rows, min_users, min_count, per_user) == expected
