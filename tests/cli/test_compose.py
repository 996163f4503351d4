"""Composed answers on the command line."""

import json

import pytest

from qac.completer import Completer
from qac.config import ComposerConfig, IndexConfig, TrainingConfig

REQUEST = ("--prev", "zorblax shoes", "--prefix", "new ", "-k", 20)


@pytest.fixture(scope="module")
def composing_path(make_model, examples):
    return make_model(
        examples, TrainingConfig(index=IndexConfig(max_leaf=4), composer=ComposerConfig(share=0.3, least=0.0))
    )


@pytest.fixture
def wanted(composing_path):
    answers = Completer.load(composing_path).complete("new ", "zorblax shoes", 20)
    assert {a.source for a in answers} == {"index", "composed"}
    return answers


def test_json_says_where_an_answer_comes_from(call_qac, composing_path, wanted):
    reply = call_qac("complete", "--model", composing_path, *REQUEST, "--json").json()
    assert [(c["text"], c["score"], c["source"]) for c in reply["completions"]] == [
        (a.text, a.score, a.source) for a in wanted
    ]


def test_a_table_marks_what_is_composed(call_qac, composing_path, wanted):
    lines = call_qac("complete", "--model", composing_path, *REQUEST).out.splitlines()
    assert [line.endswith("  composed") for line in lines] == [a.source == "composed" for a in wanted]
    assert all(line.startswith(a.text) for line, a in zip(lines, wanted, strict=True))


def test_explaining_says_that_a_composed_answer_was_never_made(call_qac, composing_path, wanted):
    done = call_qac("complete", "--model", composing_path, *REQUEST, "--explain")
    assert done.status == 0
    assert done.out.count("never made in the log") == sum(a.source == "composed" for a in wanted)
    known = sum(a.source == "index" for a in wanted)
    assert done.out.count("times in the log") + done.out.count("made once in the log") == known
    reply = call_qac("complete", "--model", composing_path, *REQUEST, "--explain", "--json").json()
    for c in reply["completions"]:
        assert (c["explanation"]["count"] == 0) == (c["source"] == "composed")
        assert c["explanation"]["score"] == c["score"]


def test_known_queries_only(call_qac, composing_path):
    argv = ("complete", "--model", composing_path, "--no-compose", "--json")
    alone = Completer.load(composing_path, compose=False).complete("new ", "zorblax shoes", 20)
    assert call_qac(*argv, *REQUEST).json()["completions"] == [
        {"text": a.text, "score": a.score, "source": "index"} for a in alone
    ]
    assert call_qac(*argv, "--prev", "zorblax", "--prefix", "zo").json()["completions"] == []


def test_many_requests(run_qac, composing_path):
    line = json.dumps({"prefix": "zo", "prev": ["zorblax"]}).encode()
    for options, sources in (((), {"composed"}), (("--no-compose",), set())):
        done = run_qac("complete", "--model", composing_path, "--explain", *options, stdin=line)
        assert done.status == 0
        assert {c["source"] for c in done.json()["completions"]} == sources


def test_evaluation_with_and_without(call_qac, composing_path, tmp_path):
    test = tmp_path / "test.jsonl"
    test.write_text('{"prev_query": "zorblax", "prefix": "new z", "next_query": "new z"}\n')
    argv = ("eval", test, "--model", composing_path, "--json", "--quiet")
    assert call_qac(*argv).json()["unseen"]["mrr@10"] > 0
    assert call_qac(*argv, "--no-compose").json()["unseen"]["mrr@10"] == 0
