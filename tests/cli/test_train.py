import io
import json
import random
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from functools import partial

import pytest

import qac.examples
from qac.completer import Completer
from qac.config import ComposerConfig, DecodingConfig, IndexConfig, RankerConfig, TrainingConfig
from qac.examples import Example
from qac.model import load_model
from qac.presets import PRESETS
from qac.verification import verify_model


@pytest.fixture
def train(call_qac, example_file, tmp_path):
    """Train on the small log; return the outcome and the path of the model."""
    out = tmp_path / "out"
    out.mkdir()

    def run(*options):
        return call_qac("train", example_file, "--out", out / "m.qac", *options), out / "m.qac"

    return run


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_model_and_a_summary_for_people(train, completer):
    done, path = train()
    assert (done.status, done.err) == (0, "")
    assert names(path.parent) == ["m.qac"]
    assert done.out.startswith(f"{path}: {len(completer)} queries, ")
    assert "with it" in done.out
    verify_model(load_model(path, check=True))
    assert Completer.load(path).complete("n", "digital camera")[0].text == "nikon d70"


def test_a_summary_as_json(train, completer):
    done, path = train("--json", "--threads", 1)
    s = done.json()
    assert s["model"] == str(path)
    assert s["bytes"] == path.stat().st_size
    assert s["labels"] == len(completer)
    assert s["threads"] == 1
    assert 0 < s["loss"] < s["loss_without_session"]


def test_quiet_says_nothing_and_verbose_says_each_step(train):
    assert train("--quiet")[0] == (0, "", "")
    err = train("--verbose")[0].err
    for step in ("distinct sessions", "tree of", "features", "loss per example"):
        assert step in err


def test_on_a_terminal_every_long_step_is_shown_and_nothing_stays(train, monkeypatch):
    steps = ("read train.jsonl", "sort the sessions", "build the tree", "find the features", "composed", "train")
    for options, shown in (((), True), (("--quiet",), False)):
        terminal = io.StringIO()
        terminal.isatty = lambda: True
        monkeypatch.setattr(sys, "stderr", terminal)
        assert train(*options)[0].status == 0
        said = terminal.getvalue()
        assert [step in said for step in steps] == [shown] * len(steps)
        assert said.rpartition("\r")[2] == ""
        assert "\n" not in said


def test_options_reach_the_model(train):
    _, path = train(
        *("--index", "kmeans", "--depth", 5, "--max-leaf", 3, "--branching", 4, "--seed", 9, "--history", 2),
        *("--age-decay", 0.25, "--word-weight", 2, "--bigram-weight", 3, "--query-weight", 4, "--use-prefix"),
        *("--l2", 0.5, "--passes", 7, "--tolerance", 0.01, "--prune", 0.03, "--text", "alnum"),
        *("--embedding", "joint", "--loss", "hinge", "--matcher-beam", 3, "--no-composer"),
    )
    config = load_model(path).meta.config
    expected = TrainingConfig(
        text="alnum",
        history=2,
        age_decay=0.25,
        word_weight=2.0,
        bigram_weight=3.0,
        query_weight=4.0,
        use_prefix=True,
        index=IndexConfig("kmeans", 5, 3, 4, 9, "joint"),
        ranker=RankerConfig("hinge", l2=0.5, tolerance=0.01, max_passes=7, prune=0.03, matcher_beam=3),
        composer=ComposerConfig(enabled=False),
    )
    assert config == asdict(expected)


@pytest.mark.parametrize("before", [True, False])
def test_options_go_over_a_preset_wherever_they_stand(train, before):
    preset, own = (
        ("--preset", "kdd21-hybrid3"),
        ("--max-leaf", 128, "--l2", 0.05, "--no-use-prefix"),
    )  # own: the defaults
    _, path = train(*(own + preset if before else preset + own))
    meta = load_model(path, check=True).meta
    published = PRESETS["kdd21-hybrid3"].config
    expected = replace(
        published,
        use_prefix=False,
        index=replace(published.index, max_leaf=128),
        ranker=replace(published.ranker, l2=0.05),
    )
    assert meta.config == asdict(expected)
    assert meta.loss == "hinge"
    assert meta.decoding == DecodingConfig("filter", 10)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_a_sound_model_and_is_listed(train, call_qac, name):
    done, path = train("--preset", name)
    assert done.status == 0
    verify_model(load_model(path, check=True))
    assert all(c.text.startswith("n") for c in Completer.load(path).complete("n", "digital camera"))
    assert name in call_qac("train", "--help").out


def test_a_preset_that_is_none_is_refused(train):
    done, _ = train("--preset", "kdd22")
    assert done.status == 2
    assert "kdd21-hybrid3" in done.err


@pytest.mark.parametrize("options", [("--loss", "hinge"), ("--matcher-beam", 3, "--no-composer")])
def test_settings_that_do_not_go_together_are_refused(train, options):
    done, path = train(*options)
    assert done.status == 2
    assert done.err.count("\n") == 1
    assert names(path.parent) == []


def test_any_number_of_threads_and_any_run_give_the_same_bytes(train, run_qac, example_file, tmp_path):
    once = train("--threads", 1)[1].read_bytes()
    assert train("--threads", 3)[1].read_bytes() == once
    for seed in ("1", "2"):  # of Python's hashes, which order sets
        other = tmp_path / f"{seed}.qac"
        done = run_qac("train", example_file, "--out", other, env={"PYTHONHASHSEED": seed})
        assert done.status == 0
        assert other.read_bytes() == once


def test_validation_is_measured_with_the_new_model(train, example_file):
    done, _ = train("--valid", example_file, "--json")
    valid = done.json()["valid"]
    assert valid["n"] > 0
    assert 0 < valid["mrr@10"] <= 1
    assert "validation requests: MRR@10" in train("--valid", example_file)[0].out


def test_the_clean_up_is_that_of_the_preparation(call_qac, tmp_path):
    (tmp_path / "train.jsonl").write_text('{"next_query": "E-Bay!"}\n', encoding="utf-8")
    (tmp_path / "stats.json").write_text('{"text": "alnum"}', encoding="utf-8")
    assert call_qac("train", tmp_path / "train.jsonl", "--out", tmp_path / "m.qac").status == 0
    completer = Completer.load(tmp_path / "m.qac")
    assert completer.protocol == "alnum"
    assert "e bay" in completer


def test_how_much_preparation_left_out_is_known_from_it(call_qac, example_file, tmp_path):
    examples, stats = tmp_path / "train.jsonl", tmp_path / "stats.json"
    examples.write_bytes(example_file.read_bytes())

    def rare(*options):
        done = call_qac("train", examples, "--out", tmp_path / "m.qac", *options)
        return load_model(tmp_path / "m.qac").meta.config["popularity"]["rare"] if not done.status else done.err

    assert rare() == 0
    stats.write_text('{"text": "default"}', encoding="utf-8")  # of an earlier version
    assert rare() == 0
    stats.write_text('{"text": "default", "rare_share": 0.25}', encoding="utf-8")
    assert rare() == 0.25
    assert rare("--rare", "0.5") == 0.5
    for wrong in ('{"text": "default", "rare_share": 2}', '{"text": "default", "rare_share": "x"}', "["):
        stats.write_text(wrong, encoding="utf-8")
        assert "--rare" in rare()
        assert rare("--text", "default", "--rare", "0.5") == 0.5


def test_a_log_of_single_queries(call_qac, tmp_path):
    (tmp_path / "train.jsonl").write_text('{"next_query": "a"}\n{"next_query": "b", "count": 3}\n', encoding="utf-8")
    done = call_qac("train", tmp_path / "train.jsonl", "--out", tmp_path / "m.qac")
    assert done.status == 0
    assert "will not depend on the session" in done.out


def test_examples_are_learned_from_as_they_are_read(train, monkeypatch):
    """A log of any length is never in memory as a whole."""
    alive = set()
    most = 0

    class Counted(Example):
        def __new__(cls, *args, **named):
            nonlocal most
            example = super().__new__(cls)
            alive.add(id(example))
            most = max(most, len(alive))
            return example

        def __del__(self):
            alive.discard(id(self))

    monkeypatch.setattr(qac.examples, "Example", Counted)
    assert train("--quiet")[0].status == 0
    assert 0 < most < 8


# ---- popularity ----


@pytest.fixture
def timed_file(tmp_path):
    """Write examples that people made when "nokia" was known, and then "nikon"."""
    path = tmp_path / "timed.jsonl"
    lines = [Example(("phone",), "n", "nokia", 3.0, time=0), Example(("phone",), "n", "nikon", 2.0, time=864_000)]
    path.write_text("".join(e.to_json() + "\n" for e in [*lines, Example((), "n", "once", time=864_000)]))
    return path


def test_a_half_life_and_a_minimum_count(call_qac, timed_file, tmp_path):
    def best(*options):
        done = call_qac("train", timed_file, "--out", tmp_path / "m.qac", *options)
        assert done.status == 0
        return [c.text for c in Completer.load(tmp_path / "m.qac", compose=False).complete("", k=3)], done

    assert best()[0] == ["phone", "nokia", "nikon"]
    assert best("--half-life", "5d")[0] == ["phone", "nikon", "once"]
    texts, done = best("--half-life", "1.5h", "--min-count", 2)
    assert texts == ["phone", "nikon", "nokia"]
    assert "queries left out, made fewer times than --min-count: 1" in done.out
    config = load_model(tmp_path / "m.qac").meta.config
    assert config["popularity"] == {"half_life": 5400.0, "min_count": 2, "rare": 0.0}


def test_a_half_life_needs_times_and_leaves_the_old_model(train):
    done, path = train("--half-life", "30d")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert "qac prep" in done.err
    assert names(path.parent) == []


@pytest.mark.parametrize("text", ["30", "d", "0d", "-1d", "nand", "infd", "1e999d", "30 days", "30D", "1y", ""])
def test_a_half_life_is_a_number_and_a_unit(train, text):
    done, _ = train(f"--half-life={text}")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "such as 90s or 30d" in done.err


def test_no_query_is_made_often_enough(call_qac, timed_file, tmp_path):
    done = call_qac("train", timed_file, "--out", tmp_path / "m.qac", "--min-count", 100)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "made 100 times or more; lower --min-count" in done.err


# ---- tuning ----


@pytest.fixture
def parts(tmp_path):
    """Write parts of a log in which the query before the last one says what comes next."""
    rng = random.Random(0)
    for name, n in (("train", 200), ("valid", 60)):
        cities = rng.choices(["paris", "rome", "oslo", "bonn"], k=n)
        lines = (Example((city, "hotels"), "", f"{city} inn", time=i * 3600).to_json() for i, city in enumerate(cities))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    return tmp_path / "train.jsonl", tmp_path / "valid.jsonl"


def test_tuning_says_what_it_tries_and_how_to_do_without_it(call_qac, parts, tmp_path):
    out = tmp_path / "a b.qac"
    argv = ("train", parts[0], "--out", out, "--min-count", 1, "--l2", 0.1)
    done = call_qac(*argv, "--valid", parts[1], "--tune", "--tune-budget", "10m")
    assert done.status == 0
    tried = done.err.splitlines()
    assert tried[0].startswith("settings as they are")
    assert any(line.startswith("--history 2 ") and " kept " in line for line in tried)
    command = shlex.split(done.out.splitlines()[-1])
    tuned = out.read_bytes()
    assert command[:5] == ["qac", "train", str(parts[0]), "--out", str(out)]
    assert call_qac(*command[1:]).status == 0
    assert out.read_bytes() == tuned
    assert load_model(out).meta.config["ranker"]["l2"] == 0.1
    assert load_model(out).meta.config["popularity"]["min_count"] == 1


def test_tuning_as_json(call_qac, parts, tmp_path):
    argv = (
        "train",
        parts[0],
        "--valid",
        parts[1],
        "--out",
        tmp_path / "m.qac",
        "--tune",
        "--tune-trials",
        3,
        "--quiet",
    )
    done = call_qac(*argv, "--json")
    tuning = done.json()["tuning"]
    assert done.err == ""
    assert (len(tuning["trials"]), tuning["stopped"]) == (3, "trials")
    assert tuning["mrr"] >= tuning["mrr_before"] == tuning["trials"][0]["mrr"]
    assert tuning["command"].startswith("qac train ")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--tune",), 2, "name them with --valid"),
        (("--tune-trials", 3), 2, "add it or leave them out"),
        (("--tune-budget", "1m"), 2, "add it or leave them out"),
        (("--tune", "--valid", "valid.jsonl", "--tune-budget", "ten"), 2, "expected a number above 0 and a unit"),
        (("--tune", "--valid", "valid.jsonl", "--tune-trials", 0), 2, "--tune-trials"),
        (("--tune", "--valid", "train.jsonl"), 1, "learns by heart"),
        (("--tune", "--valid", "empty.jsonl"), 1, "no validation examples"),
    ],
)
def test_tuning_that_cannot_be_is_refused(call_qac, parts, tmp_path, monkeypatch, options, status, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").touch()
    done = call_qac("train", "train.jsonl", "--out", "m.qac", *options)
    assert (done.status, done.out, done.err.count("\n")) == (status, "", 1)
    assert message in done.err
    assert not (tmp_path / "m.qac").exists()


# ---- what goes wrong ----


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no queries to learn from"),
        (b'{"next_query": " "}\n', "no queries to learn from"),
        (b'{"next_query": "a"}\nnonsense\n', "train.jsonl:2: not JSON"),
        (b'{"next_query": "\xff"}\n', "not UTF-8"),
        (json.dumps({"next_query": "x" * 5000}).encode(), "4,095 bytes"),
    ],
)
def test_bad_examples_leave_the_old_model(call_qac, tmp_path, content, message):
    (tmp_path / "train.jsonl").write_bytes(content)
    (tmp_path / "m.qac").write_bytes(b"old")
    done = call_qac("train", tmp_path / "train.jsonl", "--out", tmp_path / "m.qac")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert message in done.err
    assert (tmp_path / "m.qac").read_bytes() == b"old"
    assert names(tmp_path) == ["m.qac", "train.jsonl"]


@pytest.mark.parametrize("out", ["missing/m.qac", "train.jsonl/m.qac", "."])
def test_a_place_that_cannot_be_written_is_refused_before_learning(call_qac, tmp_path, out):
    (tmp_path / "train.jsonl").write_text("nonsense, which is never read", encoding="utf-8")
    done = call_qac("train", tmp_path / "train.jsonl", "--out", tmp_path / out)
    assert done.status == 1
    assert done.err.startswith(f"qac: error: cannot write {tmp_path / out}: ")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--depth", "0"),
        ("--max-leaf", "-1"),
        ("--branching", "1"),
        ("--threads", "0"),
        ("--threads", "many"),
        ("--threads", "100000"),
        ("--seed", "-1"),
        ("--seed", str(1 << 63)),
        ("--l2", "0"),
        ("--l2", "nan"),
        ("--l2", "inf"),
        ("--l2", "strong"),
        ("--prune", "inf"),
        ("--age-decay", "2"),
        ("--tolerance", "-1"),
        ("--share", "1.5"),
        ("--index", "btree"),
        ("--text", "raw"),
    ],
)
def test_options_out_of_range_are_refused_as_wrong_usage_in_one_line(train, option, value):
    done, path = train(option, value)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert option.strip("-").replace("-", "_").split("_")[0] in done.err.replace("-", "_")
    assert "Traceback" not in done.err
    assert names(path.parent) == []


def test_the_examples_are_not_overwritten_with_the_model(call_qac, example_file, tmp_path):
    examples, valid, link = (tmp_path / name for name in ("train.jsonl", "valid.jsonl", "link.jsonl"))
    for path in (examples, valid):
        path.write_bytes(example_file.read_bytes())
    link.symlink_to(examples)
    for out in (examples, valid, link):
        done = call_qac("train", examples, "--valid", valid, "--out", out)
        assert (done.status, done.err.count("\n")) == (1, 1)
        assert "is read, not written" in done.err
    assert examples.read_bytes() == valid.read_bytes() == example_file.read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"nonsense\n", "valid.jsonl:1: not JSON"), (b'{"next_query": 1}\n', "valid.jsonl:1: "), (b"\xff", "not UTF-8")],
)
def test_foreign_validation_examples_are_noticed_before_learning(train, tmp_path, content, message):
    (tmp_path / "valid.jsonl").write_bytes(content)
    done, path = train("--valid", tmp_path / "valid.jsonl")
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert message in done.err
    assert names(path.parent) == []


@pytest.mark.parametrize("content", ["", '{"next_query": " "}\n'])
def test_without_validation_examples_there_is_a_model_but_no_measurement(train, tmp_path, content):
    (tmp_path / "valid.jsonl").write_text(content, encoding="utf-8")
    done, path = train("--valid", tmp_path / "valid.jsonl", "--json")
    assert done.status == 0
    assert done.err == f"qac: there are no examples in {tmp_path / 'valid.jsonl'}; the model was not measured\n"
    assert "valid" not in done.json()
    assert names(path.parent) == ["m.qac"]


def test_missing_validation_examples_are_noticed_before_learning(train, tmp_path):
    done, path = train("--valid", tmp_path / "missing.jsonl")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "missing.jsonl" in done.err
    assert names(path.parent) == []


def test_examples_that_are_not_there(call_qac, tmp_path):
    done = call_qac("train", tmp_path / "no.jsonl", "--out", tmp_path / "m.qac")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "qac prep" in done.err
    assert call_qac("train", "--out", tmp_path / "m.qac").status == 2


@pytest.mark.parametrize("old", [None, b"old"])
def test_an_interrupt_while_learning_leaves_nothing_behind(tmp_path, old):
    rng = random.Random(0)
    words = [f"w{i}" for i in range(30)]
    lines = [
        json.dumps({"prev_query": " ".join(rng.sample(words, 9)), "next_query": " ".join(rng.sample(words, 2))})
        for _ in range(4000)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    model = tmp_path / "m.qac"
    if old:
        model.write_bytes(old)
    before = names(tmp_path)
    endless = ["--tolerance", "0", "--l2", "1e-6", "--passes", "1000000", "--prune", "0", "--verbose"]
    argv = [sys.executable, "-m", "qac", "train", str(tmp_path / "train.jsonl"), "--out", str(model), *endless]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Who runs in the background of a shell ignores interrupts, and so do the processes that it starts.
    with subprocess.Popen(argv, **pipes, preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL)) as process:
        said = ""
        while " features, " not in said:  # the step before learning
            line = process.stderr.readline()
            assert line, said
            said += line
        time.sleep(0.3)
        assert process.poll() is None, "it must still be learning for this test to mean anything"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == "qac: interrupted; nothing was left half-written"
    assert "Traceback" not in err
    assert names(tmp_path) == before
    if old:
        assert model.read_bytes() == old


def test_what_is_blocked_is_not_in_the_model(train, tmp_path):
    blocklist = tmp_path / "block.txt"
    blocklist.write_text("New  York\nword: nikon\nre: ^nike$\n", encoding="utf-8")
    done, path = train("--blocklist", blocklist, "--quiet")
    assert (done.status, done.err) == (0, "")
    completer = Completer.load(path)
    known = {c.text for c in completer.complete("n", k=100) if c.source == "index"}
    assert {"new york hotels", "nike air", "new balance"} <= known
    assert not known & {"new york", "nike"}
    everything = {c.text for first in "abcdefghijklmnopqrstuvwxyz" for c in completer.complete(first, k=100)}
    assert not [text for text in everything if "nikon" in text]


def test_a_blocklist_that_cannot_be_used_stops_training_before_the_work(train, tmp_path):
    blocklist = tmp_path / "block.txt"
    blocklist.write_text("re: (\n", encoding="utf-8")
    done, path = train("--blocklist", blocklist)
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert f"{blocklist}:1" in done.err
    assert not path.exists()


def test_what_preparation_left_unfinished_is_not_learned_from(train, example_file):
    """Killed while it put its files in place: there is no stats.json, and its hidden folder is still there."""
    left = example_file.parent / ".prep-killed"
    left.mkdir()
    try:
        done, path = train()
        assert (done.status, done.err.count("\n")) == (1, 1)
        assert "was left unfinished by `qac prep`" in done.err
        assert not path.exists()
        (example_file.parent / "stats.json").write_text('{"text": "default"}')
        assert train()[0].status == 0  # another run is on its way, or was killed before: what is there is whole
    finally:
        left.rmdir()
        (example_file.parent / "stats.json").unlink(missing_ok=True)
