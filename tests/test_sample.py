"""The sample model: trained once, kept, trained anew when it is damaged; and the demonstration that shows it."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

import qac
from qac import sample
from qac._native import _core
from qac.cli import main
from qac.completer import default_model_path
from qac.data_prep import sample_log
from qac.errors import OutputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of its own, and a log that is made in no time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("QAC_MODEL", raising=False)
    small = functools.partial(sample_log.write_sample_log, sessions=400)
    monkeypatch.setattr(sample_log, "write_sample_log", small)
    return tmp_path / "cache"


def test_is_trained_once(cache, capsys):
    path = sample.sample_model()
    assert path.parent == cache / "qac"
    assert qac.__version__ in path.name
    assert str(path) in capsys.readouterr().err
    before = path.stat()
    assert sample.sample_model() == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert capsys.readouterr().err == ""
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_quiet_is_silent(capfd):
    sample.sample_model(quiet=True)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_model_is_trained_anew():
    path = sample.sample_model(quiet=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert sample.sample_model(quiet=True).read_bytes() == whole


def test_racing_trainings_do_no_harm():
    with ThreadPoolExecutor(3) as pool:
        paths = set(pool.map(lambda _: sample.sample_model(quiet=True), range(3)))
    (path,) = paths
    assert len(qac.Completer.load(path, check=True)) > 0
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_is_the_default_model(monkeypatch):
    assert default_model_path() == sample.sample_model(quiet=True)
    monkeypatch.setenv("QAC_MODEL", "/other.qac")
    assert str(default_model_path()) == "/other.qac"


@pytest.mark.parametrize("named", ["", "relative/path"])
def test_without_a_usable_xdg_folder_it_is_in_the_home_folder(named, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sample.sample_model_path().parent == tmp_path / ".cache" / "qac"


def test_another_vocabulary_is_another_file(monkeypatch):
    before = sample.sample_model_path()
    monkeypatch.setattr(sample, "TrainingConfig", lambda: "other settings")
    assert sample.sample_model_path() != before


def test_another_format_is_another_file(monkeypatch):
    before = sample.sample_model_path()
    monkeypatch.setattr(sample, "VERSION", sample.VERSION + 1)
    assert sample.sample_model_path() != before


def test_other_code_is_another_file(monkeypatch, tmp_path):
    sources = list(sample._sources())
    names = {f"{p.parent.name}/{p.name}" for p in sources}
    assert names >= {
        *("qac/training.py", "qac/xlinear.py", "composer/fitting.py", "composer/ngrams.py", "index/hybrid.py"),
        *("data_prep/sample_log.py", "data_prep/pipeline.py"),
    }
    assert Path(_core.__file__) in sources
    assert len(set(sources)) == len(sources)
    before = sample.sample_model_path()
    for i, source in enumerate(sources):
        if source.suffix == ".so" or source.name in ("training.py", "fitting.py"):
            changed = tmp_path / str(i) / source.name
            changed.parent.mkdir()
            changed.write_bytes(source.read_bytes())
            others = [*sources[:i], changed, *sources[i + 1 :]]
            monkeypatch.setattr(sample, "_sources", lambda others=others: others)
            assert sample.sample_model_path() == before  # neither place nor time counts
            changed.write_bytes(source.read_bytes() + b"\n")
            assert sample.sample_model_path() != before


def test_names_a_folder_that_cannot_be_made(cache):
    cache.write_text("a file, not a folder")
    with pytest.raises(OutputError, match="XDG_CACHE_HOME"):
        sample.sample_model(quiet=True)


def test_without_a_home_folder_it_says_so(monkeypatch):
    def no_home():
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(sample.Path, "home", no_home)
    with pytest.raises(OutputError, match="XDG_CACHE_HOME"):
        sample.sample_model_path()


def test_demo_shows_what_the_session_changes(capsys):
    assert main(["demo", "-k", "3", "--no-serve"]) == 0
    out = capsys.readouterr().out
    assert "synthetic" in out
    assert "after 'digital camera'" in out
    assert "qac complete --prev" in out
    assert all(line == line.rstrip() for line in out.splitlines())
    assert "http://" not in out


def test_demo_serves_the_sample_model_until_it_is_interrupted():
    code = """
import functools
from qac.cli import main
from qac.data_prep import sample_log
sample_log.write_sample_log = functools.partial(sample_log.write_sample_log, sessions=400)
raise SystemExit(main(["demo", "--port", "0"]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        url = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+/", line.decode())))
        with urlopen(f"{url}api/v1/complete?prefix=n") as response:
            assert json.load(response)["completions"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"Traceback" not in err


def test_demo_as_json(capsys):
    assert main(["demo", "-k", "2", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["synthetic"] is True
    assert os.path.exists(result["model"])
    for entry in result["shown"]:
        assert len(entry["answers"]) == 3
        for answer in entry["answers"]:
            assert 1 <= len(answer["completions"]) <= 2
            assert all(c["text"].startswith(entry["prefix"]) for c in answer["completions"])
