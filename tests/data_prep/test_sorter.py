from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from qac.data_prep.sorter import RunSorter


@settings(max_examples=60)
@given(
    st.lists(st.binary(max_size=6).map(lambda b: b.replace(b"\n", b" ") + b"\n"), max_size=60),
    st.integers(1, 9),
    st.integers(2, 4),
)
def test_sorts_as_memory_would_as_often_as_asked(lines: list[bytes], run_rows: int, max_runs: int) -> None:
    with TemporaryDirectory() as folder:
        sorter = RunSorter(Path(folder), run_rows, max_runs)
        for line in lines:
            sorter.add(line)
        assert len(sorter) == len(lines)
        assert list(sorter) == sorted(lines)
        assert list(sorter) == sorted(lines)
        assert len(sorter) == len(lines)


def test_small_logs_stay_in_memory(tmp_path: Path) -> None:
    sorter = RunSorter(tmp_path)
    sorter.add(b"b\n")
    sorter.add(b"a\n")
    assert list(sorter) == [b"a\n", b"b\n"]
    assert list(tmp_path.iterdir()) == []


def test_runs_stay_few(tmp_path: Path) -> None:
    sorter = RunSorter(tmp_path, run_rows=1, max_runs=3)
    for i in range(80):
        sorter.add(b"%02d\n" % (79 - i))
        assert len(list(tmp_path.iterdir())) <= 2 * 4  # two runs on each of the levels of 1, 3, 9 and 27
    assert list(sorter) == [b"%02d\n" % i for i in range(80)]
