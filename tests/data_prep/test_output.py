"""What happens when the output cannot be written, or somebody pulls the plug."""

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qac.data_prep import PrepOptions, prepare
from qac.data_prep.output import StagedFolder
from qac.errors import InputError, OutputError

Log = Callable[..., str]
SOUND = "".join(f"{user}\t0\ta\n{user}\t1\tb\n" for user in "uvw")


def contents(folder: Path) -> dict[str, bytes]:
    return {f.name: f.read_bytes() for f in folder.iterdir()}


def run_python(code: str, *args: str, **options: object) -> "subprocess.Popen[str]":
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def test_files_appear_together_and_leave_others_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("untouched")
    (tmp_path / "old").write_text("from the last run")
    with StagedFolder(tmp_path) as folder:
        folder.path("new").write_text("1")
        folder.path("stats").write_text("2")
        (folder.scratch / "rows").write_text("3")
        assert not (tmp_path / "new").exists()
        folder.commit(["new", "old"], last="stats")
    assert contents(tmp_path) == {"mine.txt": b"untouched", "new": b"1", "stats": b"2"}


def test_an_interrupt_among_the_renames_waits_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def interrupted(*names: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        replace(*names)

    monkeypatch.setattr(os, "replace", interrupted)
    with StagedFolder(tmp_path) as folder:
        for name in ("a", "b", "stats"):
            folder.path(name).write_text("new")
        with pytest.raises(KeyboardInterrupt):
            folder.commit(["a", "b"], last="stats")
    assert contents(tmp_path) == dict.fromkeys(("a", "b", "stats"), b"new")


def test_a_folder_need_not_be_flushed_but_its_files_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync
    refused = stat.S_ISDIR

    def failing(handle: int) -> None:
        if refused(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", failing)
    with StagedFolder(tmp_path) as folder:
        folder.path("stats").write_text("1")
        folder.commit([], last="stats")
    assert contents(tmp_path) == {"stats": b"1"}
    refused = stat.S_ISREG
    with StagedFolder(tmp_path) as folder:
        folder.path("stats").write_text("2")
        with pytest.raises(OutputError, match="Invalid argument"):
            folder.commit([], last="stats")
    assert contents(tmp_path) == {"stats": b"1"}


def test_without_commit_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("old")
    with StagedFolder(tmp_path) as folder:
        folder.path("new").write_text("1")
    assert contents(tmp_path) == {"new": b"old"}


def test_folders_are_made_and_removed_again_after_a_failure(tmp_path: Path, log: Log) -> None:
    out = tmp_path / "a" / "b"
    with pytest.raises(InputError):
        prepare([log("")], out)
    assert not (tmp_path / "a").exists()
    prepare([log(SOUND)], out)
    assert sorted(contents(out)) == ["stats.json", "test.jsonl", "train.jsonl", "valid.jsonl"]


def test_temporary_files_elsewhere(tmp_path: Path, log: Log) -> None:
    tmp = tmp_path / "tmp"
    with pytest.raises(OutputError, match=r"cannot write .*tmp: No such file"):
        prepare([log(SOUND)], tmp_path / "out", PrepOptions(tmp=tmp))
    tmp.mkdir()
    prepare([log(SOUND)], tmp_path / "out", PrepOptions(tmp=tmp))
    assert list(tmp.iterdir()) == []


def test_a_file_in_the_way(tmp_path: Path, log: Log) -> None:
    with pytest.raises(OutputError, match="it is a file; name a folder"):
        prepare([log(SOUND)], tmp_path / "log.tsv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path, log: Log) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Permission denied; name a folder you may write to"):
        prepare([log(SOUND)], tmp_path / "out")


def test_a_place_where_nothing_can_be_made(log: Log) -> None:
    with pytest.raises(OutputError, match="cannot write /proc/nothing"):
        prepare([log(SOUND)], "/proc/nothing")


def test_two_at_once(tmp_path: Path, log: Log) -> None:
    handle = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another qac prep"):
            prepare([log(SOUND)], tmp_path)
    finally:
        os.close(handle)
    prepare([log(SOUND)], tmp_path)


@pytest.mark.parametrize("limit", [0, 5_000, 300_000])
def test_full_disk(tmp_path: Path, log: Log, limit: int) -> None:
    """A limit on file sizes stands for the full disk: writes fail after ``limit`` bytes, here or there."""
    prepare([log(SOUND)], tmp_path / "out")
    before = contents(tmp_path / "out")
    big = log("".join(f"u{i}\t{j}\tquery {i} {j}\n" for i in range(2_000) for j in range(3)), "big.tsv")
    code = (
        "import resource, signal, sys\n"
        "from qac.data_prep import prepare, sorter\n"
        "from qac.errors import OutputError\n"
        "sorter.RunSorter.__init__.__defaults__ = (1000, 8)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "try:\n    prepare([sys.argv[1]], sys.argv[2])\n"
        "except OutputError as e:\n    sys.exit(f'refused: {e}')\n"
    )
    process = run_python(code, big, str(tmp_path / "out"), str(limit))
    _, error = process.communicate(timeout=30)
    assert error.startswith("refused: cannot write ")
    assert "what was there before is untouched" in error
    assert error.count("\n") == 1
    assert contents(tmp_path / "out") == before


_FROM_STDIN = (
    "import sys\n"
    "from qac.data_prep import PrepOptions, prepare\n"
    "try:\n    prepare(['-'], sys.argv[1], PrepOptions(format='tsv'))\n"
    "except KeyboardInterrupt:\n    sys.exit(130)\n"
)


def _wait_for_staging(out: Path) -> None:
    deadline = time.monotonic() + 20
    while not list(out.glob(".prep-*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_on_the_way_leaves_the_old_and_the_next_run_cleans_up(tmp_path: Path, log: Log) -> None:
    out = tmp_path / "out"
    prepare([log(SOUND)], out)
    before = contents(out)
    process = run_python(_FROM_STDIN, str(out), stdin=subprocess.PIPE)
    assert process.stdin
    assert process.stderr
    process.stdin.write("u\t0\tother\n")
    process.stdin.flush()
    _wait_for_staging(out)
    process.kill()
    process.wait()
    process.stdin.close()
    process.stderr.close()
    (leftover,) = out.glob(".prep-*")
    assert {name: (out / name).read_bytes() for name in before} == before
    prepare([log(SOUND)], out)
    assert not leftover.exists()
    assert contents(out) == before


def test_interrupted_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = run_python(_FROM_STDIN, str(out), stdin=subprocess.PIPE)
    _wait_for_staging(out)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    process.communicate()
    assert not out.exists()


@pytest.mark.parametrize("folders", [1, 2, 3])
def test_interrupted_when_a_folder_was_just_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: int
) -> None:
    make = os.mkdir
    made: list[str] = []

    def interrupted(path: str, *mode: int) -> None:
        make(path, *mode)
        made.append(path)
        if len(made) == folders:
            signal.raise_signal(signal.SIGINT)

    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(os, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), StagedFolder(tmp_path / "out", tmp_path / "scratch"):
        pytest.fail("the signal was lost")
    assert len(made) == 3  # out, staging, scratch: it acts when all that was begun can be undone
    assert [*tmp_path.rglob("*")] == [tmp_path / "scratch"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_among_the_removals_waits_for_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def interrupted(*args: object, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)
        unlink(*args, **options)  # type: ignore[arg-type]

    folder = StagedFolder(tmp_path / "out").__enter__()
    (folder.scratch / "rows").write_text("1")
    folder.path("new").write_text("2")
    monkeypatch.setattr(os, "unlink", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.__exit__()
    assert not (tmp_path / "out").exists()


def test_a_pipe_whose_writer_vanishes_ends_the_log(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def write() -> None:
        with fifo.open("w") as f:
            f.write(SOUND + "u\t2")  # and gone, in the middle of a line

    writer = threading.Thread(target=write)
    writer.start()
    stats = prepare([fifo], tmp_path / "out", PrepOptions(max_bad_share=0.5))
    writer.join()
    assert stats["queries"] == 6
    assert stats["bad_lines"] == {"wrong number of columns": 1}
