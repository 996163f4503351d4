"""Corrected answers on the command line."""

import pytest

from qac.completer import Completer


@pytest.fixture(scope="module")
def wanted(model_path):
    answers = Completer.load(model_path).complete("nwe yo", "travel")
    assert {a.source for a in answers} >= {"corrected"}
    return answers


REQUEST = ("--prev", "travel", "--prefix", "nwe yo")


def test_a_table_marks_what_is_corrected(call_qac, model_path, wanted):
    lines = call_qac("complete", "--model", model_path, *REQUEST).out.splitlines()
    assert [line.endswith("  corrected") for line in lines] == [a.source == "corrected" for a in wanted]
    assert all(line.startswith(a.text) for line, a in zip(lines, wanted, strict=True))


def test_json_says_so_too(call_qac, model_path, wanted):
    reply = call_qac("complete", "--model", model_path, *REQUEST, "--json").json()
    assert [(c["text"], c["score"], c["source"]) for c in reply["completions"]] == [
        (a.text, a.score, a.source) for a in wanted
    ]
    assert reply["prefix"] == "nwe yo"


def test_explaining_says_what_was_read(call_qac, model_path, wanted):
    corrected = sum(a.source == "corrected" for a in wanted)
    done = call_qac("complete", "--model", model_path, *REQUEST, "--explain")
    assert done.status == 0
    assert done.out.count("what is typed read as 'new yo'") == corrected
    reply = call_qac("complete", "--model", model_path, *REQUEST, "--explain", "--json").json()
    for c in reply["completions"]:
        assert c["explanation"]["meant"] == ("new yo" if c["source"] == "corrected" else None)


def test_explaining_follows_the_tree_from_what_was_meant(model_path, wanted):
    completer = Completer.load(model_path, compose=False)
    answers = completer.complete("nwe yo", "travel")
    right = completer.complete("new yo", "travel")
    assert [a.text for a in answers] == [a.text for a in right]
    for a, b in zip(answers, right, strict=True):
        assert a.score == pytest.approx(b.score)
        wrongly, rightly = completer.explain("nwe yo", "travel", a.text), completer.explain("new yo", "travel", a.text)
        assert wrongly.meant == "new yo"
        assert wrongly.steps == rightly.steps


def test_without_correction(call_qac, model_path):
    argv = ("complete", "--model", model_path, "--no-correct", "--no-compose", "--json")
    assert call_qac(*argv, *REQUEST).json()["completions"] == []


def test_standard_input_is_corrected_alike(run_qac, model_path, wanted):
    line = b'{"prefix": "nwe yo", "prev": "travel"}\n'
    reply = run_qac("complete", "--model", model_path, stdin=line).json()
    assert [c["source"] for c in reply["completions"]] == [a.source for a in wanted]
