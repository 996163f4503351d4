import json
import os
import subprocess
import sys

import pytest


@pytest.fixture
def ask(run_qac, model_path):
    """Send lines to ``qac complete``; return the status and the replies."""

    def run(*lines, options=()):
        stdin = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        done = run_qac("complete", "--model", model_path, "--no-compose", *options, stdin=stdin)
        assert done.err == ""
        return done.status, [json.loads(line) for line in done.out.split("\n")[:-1]]

    return run


def texts(reply):
    return [c["text"] for c in reply["completions"]]


# ---- one request ----


def test_json_of_one_request(call_qac, model_path, completer):
    done = call_qac(
        "complete", "--model", model_path, "--no-compose", "--prev", "Running SHOES", "--prefix", "n", "-k", 3, "--json"
    )
    assert done.status == 0
    reply = done.json()
    assert reply["prefix"] == "n"
    assert reply["prev"] == ["Running SHOES"]
    wanted = completer.complete("n", "running shoes", 3)
    assert [(c["text"], c["score"], c["source"]) for c in reply["completions"]] == [
        (a.text, a.score, a.source) for a in wanted
    ]


def test_a_table_for_people(call_qac, model_path):
    done = call_qac("complete", "--model", model_path, "--no-compose", "--prev", "running shoes", "--prefix", "nike")
    lines = done.out.splitlines()
    assert [line.rsplit(maxsplit=1)[0].strip() for line in lines] == ["nike air", "nike"]
    assert all(line.endswith("%") for line in lines)


def test_the_session_is_given_oldest_first(call_qac, model_path, completer):
    session = ("--prev", "travel", "--prev", "new york")
    done = call_qac("complete", "--model", model_path, "--no-compose", *session, "--json")
    assert [c["text"] for c in done.json()["completions"]] == [
        a.text for a in completer.complete("", ["travel", "new york"])
    ]


def test_the_model_may_be_named_by_the_environment(call_qac, model_path, monkeypatch):
    monkeypatch.setenv("QAC_MODEL", str(model_path))
    assert call_qac("complete", "--prefix", "news", "-k", 1).out.startswith("news ")


def test_no_answer_is_not_an_error_but_is_said(call_qac, model_path):
    done = call_qac("complete", "--model", model_path, "--no-compose", "--prefix", "xyz\n")
    assert (done.status, done.out) == (0, "")
    assert done.err == "nothing to complete 'xyz\\n' with\n"


def test_a_prefix_without_answers_is_not_repeated_at_length(call_qac, model_path):
    done = call_qac("complete", "--model", model_path, "--no-compose", "--prefix", "xyz" * 1000)
    assert done.err.startswith("nothing to complete 'xyzxyz")
    assert len(done.err) < 120


def test_explanations(call_qac, model_path):
    request = ("--prev", "running shoes", "--prefix", "n", "-k", 2, "--explain")
    argv = ("complete", "--model", model_path, "--no-compose", *request)
    done = call_qac(*argv)
    assert "made 12 times in the log" in done.out
    assert "pushed by" in done.out
    first = call_qac(*argv, "--json").json()["completions"][0]
    assert first["explanation"]["text"] == first["text"] == "nike air"
    assert first["explanation"]["probability"] == pytest.approx(first["score"])


@pytest.mark.parametrize("k", ["0", "-1", "1001", "1000000000"])
def test_k_out_of_range(call_qac, model_path, k):
    done = call_qac("complete", "--model", model_path, "--prefix", "n", "-k", k)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert f"argument -k: expected a whole number from 1 to 1000, got '{k}'" in done.err


def test_wrong_usage(call_qac, model_path):
    assert call_qac("complete", "--model", model_path, "--prefix", "n", "-k", "many").status == 2
    assert call_qac("complete", "--no-such-option").status == 2
    done = call_qac("complete", "--model", model_path, "--prefix", "n", "--beam", "-1")
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert "beam" in done.err


def test_a_missing_model_is_one_line_with_the_cure(call_qac, tmp_path):
    done = call_qac("complete", "--model", tmp_path / "no.qac", "--prefix", "n")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"qac: error: there is no model at {tmp_path / 'no.qac'}")
    assert "qac train" in done.err
    assert done.err.count("\n") == 1


def test_bytes_of_an_argument_that_are_not_text(model_path):
    """The shell may pass any bytes; Python gives them as unpaired surrogates, which no output encoding knows."""
    argv = [sys.executable, "-m", "qac", "complete", "--model", os.fsencode(model_path), "--prefix", b"\xff", "--json"]
    argv.append("--no-compose")
    done = subprocess.run(argv, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == {"prefix": "\udcff", "prev": [], "completions": []}


# ---- many requests ----


def test_a_reply_for_each_request_in_order(ask, completer):
    status, replies = ask(
        '{"prefix": "n", "prev": ["running shoes"], "k": 2}',
        "",
        '{"prefix": "news", "prev": "news"}',
        '{"prefix": "日"}',
        "{}",
        '{"prev_query": "running shoes", "prefix": "n", "next_query": "nike"}',
        '{"prev_query": "", "prefix": "xyz", "next_query": "xyz"}',
        '{"prev_query": "new york", "prev_queries": ["travel", "new york"], "prefix": ""}',
    )
    assert status == 0
    assert [texts(r) for r in replies] == [
        [a.text for a in completer.complete(prefix, prev, k)]
        for prefix, prev, k in [
            ("n", "running shoes", 2),
            ("news", "news", 10),
            ("日", "", 10),
            ("", "", 10),
            ("n", "running shoes", 10),
            ("xyz", "", 10),
            ("", ["travel", "new york"], 10),
        ]
    ]
    assert replies[0]["prev"] == ["running shoes"]


def test_k_and_explanations_for_all(ask):
    _, replies = ask('{"prefix": "n"}', '{"prefix": "n", "k": 2}', options=("-k", 3, "--explain"))
    assert [len(r["completions"]) for r in replies] == [3, 2]
    assert all("explanation" in c for r in replies for c in r["completions"])


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "{",
        "[" * 100_000,
        "[]",
        "null",
        '"n"',
        '{"prefix": 1}',
        '{"prefix": null}',
        '{"prefix": "n", "prev": 1}',
        '{"prefix": "n", "prev": ["a", 1]}',
        '{"prefix": "n", "prev": {"a": 1}}',
        '{"prefix": "n", "k": 0}',
        '{"prefix": "n", "k": -1}',
        '{"prefix": "n", "k": 1e9}',
        '{"prefix": "n", "k": "5"}',
        '{"prefix": "n", "k": true}',
        '{"prefix": "n", "k": ' + "9" * 5000 + "}",
        '{"prefx": "n"}',
        '{"prefix": "n", "' + "x" * 5000 + '": 1}',
        b'{"prefix": "\xff"}',
        b"\x00\x01\x02",
    ],
    ids=range(21),
)
def test_a_line_that_is_no_request_is_answered_as_such_and_the_next_is_served(ask, line):
    status, replies = ask('{"prefix": "n"}', line, '{"prefix": "n"}')
    assert status == 1
    assert len(replies) == 3
    assert replies[0] == replies[2]
    assert set(replies[1]) == {"error"}
    assert replies[1]["error"].startswith("line 2: ")
    assert len(replies[1]["error"]) < 300


def test_a_stranger_among_the_keys_is_named(ask):
    status, replies = ask('{"prefx": "n", "prev": "running shoes"}')
    assert status == 1
    assert replies[0]["error"] == """line 1: unknown key 'prefx'; a request has "prefix", "prev" and "k\""""


def test_no_earlier_query_may_be_said_in_every_way(ask):
    wanted = ask('{"prefix": "n"}')
    for nothing in ('"prev": null', '"prev_query": null', '"prev_queries": null', '"prev_queries": []', '"prev": []'):
        assert ask(f'{{"prefix": "n", {nothing}}}') == wanted
    wanted = ask('{"prefix": "n", "prev": "running shoes"}')
    assert ask('{"prefix": "n", "prev_query": "running shoes", "prev_queries": []}') == wanted
    assert ask('{"prefix": "n", "prev_query": "running shoes", "next_query": "nike", "count": 2}') == wanted


def test_hard_texts_are_echoed_as_they_came(ask):
    hard = ["\ud800", "\0", "a\nb", "\u2028", "😀", "n" * 10_000, " "]
    status, replies = ask(*(json.dumps({"prefix": h, "prev": [h]}) for h in hard))
    assert status == 0
    assert [r["prefix"] for r in replies] == hard
    assert [r["prev"] for r in replies] == [[h] for h in hard]


def test_each_reply_comes_at_once(model_path):
    argv = [sys.executable, "-m", "qac", "complete", "--model", str(model_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for prefix in ("n", "new", "news"):
            process.stdin.write(json.dumps({"prefix": prefix}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["prefix"] == prefix
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_reader_that_goes_away_ends_it_quietly(model_path):
    argv = [sys.executable, "-m", "qac", "complete", "--model", str(model_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        _, err = process.communicate(b'{"prefix": "n"}\n' * 5000, timeout=60)
        assert err == b""
        assert process.returncode == 0


def test_nothing_asked_is_nothing_answered(ask):
    assert ask() == (0, [])


def test_no_request_and_no_input_is_refused(model_path):
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "{sys.executable}" -m qac complete --model "{model_path}" <&-'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("qac: error: give --prefix")
