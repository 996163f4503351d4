import argparse
import io
import json
import sys
import types

import pytest

from qac.baselines import BASELINES
from qac.cli import eval as command
from qac.cli import main
from qac.completion import Completion
from qac.errors import InputError, UsageError

TRAIN = [("camera", "nikon"), ("camera", "nikon"), ("shoes", "nike"), ("shoes", "nike"), ("x", "nike")]


def write(path, pairs, prefix_length=1):
    lines = [{"prev_query": a, "prefix": b[:prefix_length], "next_query": b} for a, b in pairs]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train.jsonl", TRAIN)
    write(tmp_path / "test.jsonl", [("camera", "nikon"), ("Shoes", "nike"), ("camera", "new lens")])
    return tmp_path


class FakeCompleter:
    """A model that always says "nikon"."""

    name = "model"
    protocol = "default"

    @classmethod
    def load(cls, path, *, beam=0, compose=True, correct=True):
        completer = cls()
        completer.path = str(path)
        return completer

    def complete(self, prefix, prev=(), k=10):
        return [Completion("nikon", 1.0)]

    def info(self):
        return {"path": self.path}

    def count(self, text):
        return 2.0 if text == "nikon" else 0.0

    def __len__(self):
        return 1


@pytest.fixture(autouse=True)
def completer(monkeypatch):
    module = types.ModuleType("qac.completer")
    module.Completer = type("Completer", (FakeCompleter,), {})
    module.default_model_path = lambda: "the default model"
    monkeypatch.setitem(sys.modules, "qac.completer", module)
    return module.Completer


def run(*argv):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([*map(str, argv), "--quiet"]))


def run_json(capsys, *argv):
    assert run(*argv, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_the_names_of_baselines_are_theirs():
    assert set(command.BASELINE_NAMES) == set(BASELINES)


def test_one_baseline_is_one_object(folder, capsys):
    result = run_json(capsys, folder / "test.jsonl", "--baseline", "mfq")
    assert result["mrr@10"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert (result["n"], result["seen"]["n"], result["unseen"]["n"]) == (3, 2, 1)
    assert result["model"] == {"name": "mfq", "labels": 5}


def test_several_systems_stand_side_by_side(folder, capsys):
    result = run_json(capsys, folder / "test.jsonl", "--baseline", "mfq", "--baseline", "cooc", "--model", "m.qac")
    assert list(result) == ["systems"]
    assert list(result["systems"]) == ["mfq", "cooc", "model"]
    assert result["systems"]["cooc"]["mrr@10"] == pytest.approx(2 / 3)
    assert result["systems"]["model"]["mrr@10"] == pytest.approx(1 / 3)
    # with baselines, the queries of the training part are the known ones for everybody
    assert {system["seen"]["n"] for system in result["systems"].values()} == {2}


def test_without_a_baseline_the_default_model_is_measured(folder, capsys):
    result = run_json(capsys, folder / "test.jsonl")
    assert result["model"] == {"path": "the default model"}
    assert result["seen"]["n"] == 1


def test_train_tells_seen_from_unseen_for_a_model_too(folder, capsys):
    result = run_json(capsys, folder / "test.jsonl", "--model", "m.qac", "--train", folder / "train.jsonl")
    assert result["model"] == {"path": "m.qac"}
    assert result["seen"]["n"] == 2


def test_the_table(folder, capsys):
    assert run(folder / "test.jsonl", "--baseline", "cooc", "--baseline", "mfq", "--resamples", "0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["3", "requests,", "k", "=", "10", "cooc", "mfq"]
    assert lines[1].split() == ["MRR@10", "0.667", "0.500"]
    assert lines[2].split() == ["seen", "(2)", "1.000", "0.750"]
    start = lines.index("MRR@10 by characters typed")
    assert lines[start + 1].split() == ["1", "(3)", "0.667", "0.500"]
    assert lines[start + 6].split() == ["9+", "(0)", "-", "-"]
    assert lines[-1].split() == ["100+", "(0)", "-", "-"]
    figures = [line for line in lines if line.endswith(tuple("0123456789"))]
    assert len(figures) > 10
    assert len({len(line) for line in figures}) == 1  # they end in one column


def test_the_table_has_intervals(folder, capsys):
    assert run(folder / "test.jsonl", "--baseline", "cooc", "--resamples", "300") == 0
    lines = capsys.readouterr().out.splitlines()
    # one of three is missed: one sample in 27 misses nothing, one in 27 everything
    assert lines[1].split() == ["MRR@10", "0.667", "[0.000,", "1.000]"]
    assert lines[-1] == "in brackets: 95 % intervals, 300 resamples of 3 sessions"


def test_what_was_saved_is_compared_with(folder, capsys):
    saved = folder / "mfq.json"
    run_json(capsys, folder / "test.jsonl", "--baseline", "mfq", "--save", saved)
    argv = [folder / "test.jsonl", "--baseline", "cooc", "--compare", saved, "--resamples", "200"]
    result = run_json(capsys, *argv)
    assert result["mrr@10"] == pytest.approx(2 / 3)
    assert result["comparison"]["a"]["name"] == "mfq"
    assert result["comparison"]["mrr@10"]["difference"] == pytest.approx(1 / 6)
    assert run(*argv) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("cooc (b) against mfq (a)")) :]
    assert table[1].split()[:4] == ["MRR@10", "0.500", "0.667", "+0.1667"]
    assert lines[-1] == "paired, 200 resamples of 3 sessions"
    assert "p" in table[0].split()


def test_another_test_set_does_not_compare(folder, capsys):
    run_json(capsys, folder / "test.jsonl", "--baseline", "mfq", "--save", folder / "mfq.json")
    with pytest.raises(InputError, match="different examples"):
        run(folder / "test.jsonl", "--baseline", "mfq", "--limit", "2", "--compare", folder / "mfq.json")


def test_errors_are_listed(folder, capsys):
    result = run_json(capsys, folder / "test.jsonl", "--baseline", "cooc", "--errors", "5")
    assert [(e["right"], e["rank"], e["prev_queries"]) for e in result["errors"]] == [("new lens", None, ["camera"])]
    assert run(folder / "test.jsonl", "--baseline", "cooc", "--errors", "5") == 0
    listing = capsys.readouterr().out.split("misses of cooc")[1]
    assert "camera > 'n'" in listing
    assert "right: new lens  (missing; made 0 times in training)" in listing
    assert "1      nikon  (cooc, 2)" in listing


def test_typos_are_reported_apart(folder, capsys):
    write(folder / "test.jsonl", [("camera", "nikon")] * 40, prefix_length=4)
    result = run_json(capsys, folder / "test.jsonl", "--baseline", "mfq", "--typos", "0.5")
    mistyped, clean = (result["by_typing"][name] for name in ("mistyped", "clean"))
    assert mistyped["n"] + clean["n"] == result["n"] == 40
    assert mistyped["n"] > 5
    assert (mistyped["mrr@10"], clean["mrr@10"]) == (0, 1)
    again = run_json(capsys, folder / "test.jsonl", "--baseline", "mfq", "--typos", "0.5", "--seed", "1")
    assert again["by_typing"]["mistyped"] != mistyped


@pytest.mark.parametrize(("name", "start"), [("p.svg", "<svg"), ("p.html", "<!DOCTYPE html>")])
def test_the_plot_is_written(folder, capsys, name, start):
    argv = [folder / "test.jsonl", "--baseline", "cooc", "--baseline", "mfq", "--plot", folder / name]
    assert run(*argv) == 0
    content = (folder / name).read_text(encoding="utf-8")
    assert content.startswith(start)
    assert ">cooc<" in content
    assert ">mfq<" in content


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--baseline", "mfq", "--model", "m", "--save", "a.json"], "--save takes one system"),
        (["--baseline", "mfq", "--baseline", "cooc", "--compare", "a.json"], "--compare takes one system"),
        (["--plot", "mrr.png"], r"--plot mrr\.png: expected a name that ends in \.svg or \.html"),
        (["--compare", "a.json", "--resamples", "0"], "--compare needs resamples"),
    ],
)
def test_what_cannot_work_is_refused_before_the_work(tmp_path, argv, message):
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "missing.jsonl", *argv)


def test_on_a_terminal_the_fitting_of_baselines_is_shown(folder, monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    argv = ["eval", str(folder / "test.jsonl"), "--baseline", "mfq", "--baseline", "cooc"]
    assert main([*argv, "--quiet"]) == 0
    assert terminal.getvalue() == ""
    assert main(argv) == 0
    for step in ("read test.jsonl", "read train.jsonl", "count the queries", "fit mfq", "fit cooc", "evaluate cooc"):
        assert step in terminal.getvalue()


def test_limit_takes_the_first(folder, capsys):
    result = run_json(capsys, folder / "test.jsonl", "--baseline", "cooc", "--limit", "2")
    assert (result["n"], result["mrr@10"]) == (2, 1)


def test_a_folder_elsewhere_can_train(folder, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere / "test.jsonl", [("", "nike")])
    with pytest.raises(InputError, match=r"train\.jsonl, which is not there.*--train"):
        run(elsewhere / "test.jsonl", "--baseline", "mfq")
    result = run_json(capsys, elsewhere / "test.jsonl", "--baseline", "mfq", "--train", folder / "train.jsonl")
    assert result["mrr@10"] == 1


class TestText:
    @pytest.fixture
    def dashes(self, folder):
        write(folder / "test.jsonl", [("", "d-70")], prefix_length=2)
        write(folder / "train.jsonl", [("", "d-70"), ("", "d-71")])
        return folder

    @pytest.mark.parametrize("text", [None, "default", "alnum"])
    def test_a_prefix_is_cleaned_as_the_queries_are(self, dashes, capsys, text):
        if text:
            (dashes / "stats.json").write_text(json.dumps({"text": text}), encoding="utf-8")
        result = run_json(capsys, dashes / "test.jsonl", "--baseline", "mfq")
        assert result["mrr@10"] == 1
        assert result["by_prefix_length"]["2"]["n"] == 1

    def test_stats_beside_the_test_set_say_how(self, dashes, capsys):
        write(dashes / "train.jsonl", [("", "d 70")])
        assert run_json(capsys, dashes / "test.jsonl", "--baseline", "mfq")["mrr@10"] == 0
        (dashes / "stats.json").write_text('{"text": "alnum"}', encoding="utf-8")
        assert run_json(capsys, dashes / "test.jsonl", "--baseline", "mfq")["mrr@10"] == 1
        argv = [dashes / "test.jsonl", "--baseline", "mfq", "--text", "default"]
        assert run_json(capsys, *argv)["mrr@10"] == 0  # what is asked for outright goes first

    @pytest.mark.parametrize("stats", ["{", "[]", "{}", '{"text": "upper"}'])
    def test_stats_that_do_not_say_are_refused(self, folder, stats):
        (folder / "stats.json").write_text(stats, encoding="utf-8")
        with pytest.raises(InputError, match="--text"):
            run(folder / "test.jsonl", "--baseline", "mfq")

    def test_the_models_goes_before_that_of_stats(self, dashes, capsys, completer):
        (dashes / "stats.json").write_text('{"text": "default"}', encoding="utf-8")
        completer.protocol = "alnum"
        completer.complete = lambda self, prefix, prev=(), k=10: [Completion("d 70", 1.0)]
        assert run_json(capsys, dashes / "test.jsonl", "--model", "m.qac")["mrr@10"] == 1

    def test_another_than_the_models_is_refused(self, folder):
        with pytest.raises(InputError, match="trained with --text default, not alnum"):
            run(folder / "test.jsonl", "--model", "m.qac", "--text", "alnum")


@pytest.mark.parametrize(
    "argv",
    [
        ["--baseline", "best"],
        ["--limit", "0"],
        ["--limit", "few"],
        ["--text", "upper"],
        ["--typos", "2"],
        ["--typos", "some"],
        ["--errors", "0"],
    ],
)
def test_wrong_usage(folder, argv):
    with pytest.raises(SystemExit) as e:
        run(folder / "test.jsonl", *argv)
    assert e.value.code == 2


@pytest.mark.parametrize("k", ["0", "1001", "ten"])
def test_k_is_checked_before_files_are_read(tmp_path, capsys, k):
    with pytest.raises(SystemExit) as e:
        run(tmp_path / "missing.jsonl", "-k", k)
    assert e.value.code == 2
    assert f"expected a whole number from 1 to 1000, got '{k}'" in capsys.readouterr().err


def test_a_missing_test_set(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*missing\.jsonl"):
        run(tmp_path / "missing.jsonl")
