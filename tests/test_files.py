import os
import stat
import subprocess
import sys
import threading

import pytest

from qac.errors import OutputError
from qac.files import atomic_writer, check_writable


def write(path, content):
    with atomic_writer(path) as f:
        f.write(content)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_new_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "f"
    with atomic_writer(path) as f:
        f.write(b"new")
        f.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["f"]


def test_a_reader_sees_the_old_file_until_the_new_is_whole(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        with atomic_writer(path) as f:
            f.write(b"new")
            f.flush()
            assert path.read_bytes() == b"old"
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def interrupted():
        with atomic_writer(path) as f:
            f.write(b"new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    write(tmp_path / "f", b"")
    (tmp_path / "g").touch()
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == stat.S_IMODE((tmp_path / "g").stat().st_mode)


def test_a_name_without_a_folder_is_in_the_current_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("f", b"x")
    assert names(tmp_path) == ["f"]


def test_targets_that_cannot_be_written_are_named_with_the_cure(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = names(tmp_path)
    for path, cure in [
        (tmp_path / "missing" / "f", "name a folder that exists"),
        (tmp_path / "file" / "f", "name a folder that exists"),
        (tmp_path / "folder", "name a file in it"),
        (tmp_path / "pipe", "not a regular file"),
        ("/dev/null", "not a regular file"),
        ("/dev/full", "not a regular file"),
    ]:
        for attempt in (check_writable, lambda path: write(path, b"new")):
            with pytest.raises(OutputError, match=cure) as e:
                attempt(path)
            assert str(path) in str(e.value)
    assert names(tmp_path) == before
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_asking_whether_a_file_can_be_written_changes_nothing(tmp_path):
    path = tmp_path / "f"
    check_writable(path)
    assert names(tmp_path) == []
    path.write_bytes(b"old")
    check_writable(path)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    script = """
import resource, signal, sys
from qac.errors import OutputError
from qac.files import atomic_writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with atomic_writer(sys.argv[1]) as f:
        f.write(b"x" * 5000)
except OutputError as e:
    print(e)
else:
    sys.exit("no error")
"""
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"cannot write {path}: ")
    assert done.stdout.endswith("what was there before is untouched; make room or name another place\n")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_writers_at_once_leave_one_of_the_contents_whole(tmp_path):
    path = tmp_path / "f"
    contents = [bytes([i]) * 100_000 for i in range(8)]
    threads = [threading.Thread(target=write, args=(path, c)) for c in contents]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["f"]
