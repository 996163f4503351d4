import subprocess
import sys
from dataclasses import asdict

import pytest

from qac.config import IndexConfig, TrainingConfig


@pytest.fixture
def inspect(call_qac, model_path):
    return lambda *options: call_qac("inspect", model_path, *options)


def test_the_depth_that_is_not_set_is_the_kinds(call_qac, make_model, examples):
    for kind, told in (("hybrid", "hybrid, depth 3,"), ("mustlink", "mustlink, depth 5,"), ("trie", "trie, max_leaf")):
        path = make_model(examples, TrainingConfig(index=IndexConfig(kind)))
        assert f"index {told}" in call_qac("inspect", path).out


def test_description_as_json(inspect, model_path, completer):
    d = inspect("--json").json()
    assert d["model"] == str(model_path)
    assert d["labels"] == len(completer)
    assert d["bytes"] == model_path.stat().st_size
    assert d["fingerprint"] == completer.info()["fingerprint"]
    assert sum(level["labels"] for level in d["tree"]["levels"]) == len(completer)
    assert sum(level["nodes"] for level in d["tree"]["levels"]) == d["tree"]["nodes"]
    assert d["config"]["index"] == asdict(IndexConfig("hybrid", depth=2, max_leaf=2, branching=3))
    assert d["tree"]["leaf_size"]["max"] <= 2
    assert sum(d["sections"].values()) <= d["bytes"]
    assert d["weights"] > 0


def test_description_for_people(inspect, model_path, completer):
    out = inspect().out
    assert out.startswith(f"{model_path}: {len(completer)} queries, ")
    for word in ("labels.text", "ranker.rows", "index hybrid, depth 2", "level", "children of inner nodes"):
        assert word in out


def test_a_model_that_is_one_leaf(call_qac, make_model, examples):
    path = make_model(examples[:1])
    assert call_qac("inspect", path).status == 0
    d = call_qac("inspect", path, "--json").json()
    assert d["tree"]["fan_out"] is None
    assert d["tree"]["leaf_size"]["n"] == 1


def test_the_path_to_a_query_and_its_mates(inspect):
    d = inspect("--prefix", " NEW york ", "--json").json()
    assert (d["query"], d["count"]) == ("new york", 8)
    assert d["path"][0]["node"] == 0
    sizes = [step["queries"] for step in d["path"]]
    assert sizes == sorted(sizes, reverse=True)
    assert d["path"][-1]["to"] == "new york"
    assert "new york" not in d["mates"]


def test_a_prefix_stands_for_its_most_frequent_query(inspect):
    assert inspect("--prefix", "nik", "--json").json()["query"] == "nike air"
    out = inspect("--prefix", "nik").out
    assert out.startswith("nike air (made 12 times)\n")
    assert out.splitlines()[-1].startswith("mates: ")


def test_a_query_made_once(inspect):
    assert inspect("--prefix", "new lens").out.startswith("new lens (made once)\n")


def test_a_prefix_of_nothing_is_refused(inspect):
    done = inspect("--prefix", "xyz")
    assert (done.status, done.out) == (1, "")
    assert "starts with 'xyz'" in done.err


def test_what_is_not_a_model_is_refused(call_qac, example_file, tmp_path):
    for path in (example_file, tmp_path, tmp_path / "missing"):
        done = call_qac("inspect", path)
        assert (done.status, done.err.count("\n")) == (1, 1)
        assert str(path) in done.err
    assert call_qac("inspect").status == 2


def test_a_reader_that_goes_away(model_path):
    command = f'"{sys.executable}" -m qac inspect "{model_path}" | true'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_cannot_be_written(model_path):
    command = f'"{sys.executable}" -m qac inspect "{model_path}"'
    done = subprocess.run(["/bin/sh", "-c", f"{command} > /dev/full"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert (
        done.stderr == "qac: error: cannot write the output: No space left on device; make room or send it elsewhere\n"
    )
    done = subprocess.run(["/bin/sh", "-c", f"{command} >&-"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_setting_of_a_newer_version_does_no_harm(call_qac, tamper):
    path = tamper(meta=lambda meta: meta.replace(b'"max_leaf": ', b'"new": [1], "max_leaf": ', 1))
    done = call_qac("inspect", path)
    assert (done.status, done.err) == (0, "")
    assert call_qac("verify", path).status == 0


def test_a_configuration_that_is_none(call_qac, tamper):
    path = tamper(meta=lambda meta: meta.replace(b'"max_leaf": ', b'"max_leaf": null, "x": ', 1))
    for command in ("inspect", "verify"):
        done = call_qac(command, path)
        assert done.status == 1
        assert '"config.index.max_leaf" cannot be None' in done.err


def test_a_query_that_is_no_text(call_qac, tamper):
    path = tamper(labels__text=lambda text: text.replace(b"k", b"\xff"))
    done = call_qac("inspect", path, "--prefix", "n")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert f"{path} is damaged" in done.err
