"""The command line of prep."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from qac.cli import prep
from qac.data_prep import READERS

Log = Callable[..., str]
SOUND = "ann\t0\tred shoes\nann\t60\tboots\nbob\t0\tx\nbob\t1\tnever\tso\n" + "".join(
    f"u{i}\t{i}\tq\n" for i in range(9)
)


@pytest.fixture
def qac_prep() -> Callable[..., int]:
    def run(*arguments: str) -> int:
        parser = argparse.ArgumentParser()
        prep.add_arguments(parser)
        return prep.run(parser.parse_args(arguments))

    return run


def test_summary_says_what_was_kept_and_what_was_not(
    log: Log, tmp_path: Path, qac_prep: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert qac_prep(log(SOUND), "--out", out, "--min-users", "1") == 0
    printed = capsys.readouterr()
    assert printed.err == ""  # no bar where nobody looks
    lines = [" ".join(line.split()) for line in printed.out.splitlines()]
    for line in (
        f"{tmp_path}/log.tsv: tsv (user=1 time=2 query=3)",
        "rows 13",
        "bad: wrong number of columns 1",
        "queries 12",
        "sessions 11",
        "of two queries or more 1",
        "part sessions first queries pairs examples",
        f"lines that could not be read: a sample is in {out}/bad_lines.txt",
        f"written to {out}",
    ):
        assert line in lines
    assert any(line.startswith("split by session start: valid from 1970-01-01T00:00:0") for line in lines)


def test_json_is_the_statistics(
    log: Log, tmp_path: Path, qac_prep: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert qac_prep(log(SOUND), "--out", str(out), "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "stats.json").read_text())


def test_quiet(log: Log, tmp_path: Path, qac_prep: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert qac_prep(log(SOUND), "--out", str(tmp_path / "out"), "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_every_option_arrives(
    log: Log, tmp_path: Path, qac_prep: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"260301{i:02}0000;u;q{i}\n260301{i:02}0100;u;München\n" for i in range(20))
    path = log(rows.encode("latin-1"))
    arguments = (
        "--format csv --delimiter ; --time 1 --user 2 --query 3 --time-format YYMMDDhhmmss --encoding latin-1 --gap 5 "
        "--text alnum --max-chars 9 --history all --prefixes 2 --first-queries all --split-by time --split 1/1/2 "
        "--seed 3 --max-bad-share 0 --unscreened --min-count 2 --per-user all --half-typed 0.5 --max-per-minute 4 "
        "--max-per-day 50 --max-repeats 60 --keep-personal ip,digits"
    )
    assert qac_prep(path, "--out", str(tmp_path / "out"), "--tmp", str(tmp_path), "--json", *arguments.split()) == 0
    stats = json.loads(capsys.readouterr().out)
    assert stats["options"] == {
        "gap_minutes": 5.0,
        "history": None,
        "prefixes": 2,
        "first_queries": "all",
        "max_chars": 9,
        "seed": 3,
    }
    assert stats["screening"] == {
        "min_users": 1,
        "min_count": 2,
        "per_user": None,
        "half_typed": 0.5,
        "max_per_minute": 4,
        "max_per_day": 50,
        "max_repeats": 60,
        "keep_personal": ["ip", "digits"],
    }
    assert stats["dropped"] == {"made too few times": 5}  # q0 to q4, of the training part
    assert stats["text"] == "alnum"
    assert [stats["parts"][p]["sessions"] for p in ("train", "valid", "test")] == [5, 5, 10]
    assert stats["parts"]["test"]["examples"] == 40


@pytest.mark.parametrize(
    "arguments",
    [
        ["--gap", "-1"],
        ["--gap", "nan"],
        ["--max-bad-share", "2"],
        ["--history", "0"],
        ["--prefixes", "0"],
        ["--prefixes", "some"],
        ["--delimiter", "ab"],
        ["--format", "xls"],
        ["--max-chars", "0"],
        ["--min-users", "0"],
        ["--min-users", "all"],
        ["--half-typed", "-1"],
        ["--keep-personal", "email,name"],
    ],
)
def test_wrong_usage(qac_prep: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        qac_prep("log.tsv", "--out", "out", *arguments)
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_the_list_of_formats_is_complete() -> None:
    # It is written out in the command, so that help starts without importing the readers.
    assert set(prep._FORMATS) == {"auto", *READERS}
    assert all(name in prep.EPILOG for name in prep._FORMATS)
