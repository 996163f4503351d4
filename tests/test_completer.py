import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac import _native
from qac.completer import Completer, default_model_path
from qac.completion import MAX_K, Completion
from qac.config import IndexConfig, TrainingConfig
from qac.errors import InputError, ModelError, UsageError
from qac.examples import Example
from qac.labels import LabelTable
from qac.text import normalize, normalize_prefix

# What people paste into a search box, and what attackers send.
HARD = [
    "",
    " ",
    "   \t\n",
    "\0",
    "n\0i",
    "new\nyork",
    "n" * 10_000,
    "new " * 5_000,
    "😀",
    "😀" * 3_000,
    "\ud800",
    "new\udfff york",
    "e\u0301" * 100,
    "\u202enew",
    "%s%n\\x00'\";--",
    "日本",
    "ＮＥＷ ",
    "İ",
]


def texts(answers):
    return [a.text for a in answers]


# ---- what it answers ----


def test_answers_are_completions_best_first(completer):
    answers = completer.complete("n", prev="running shoes", k=4)
    assert answers[0] == Completion("nike air", pytest.approx(answers[0].score), "index")
    assert [a.score for a in answers] == sorted((a.score for a in answers), reverse=True)
    assert len(answers) == 4
    assert all(a.text.startswith("n") for a in answers)
    assert texts(completer.complete("n", prev="digital camera"))[0] == "nikon d70"


def test_the_published_example_goes_with_the_session(completer):
    assert texts(completer.complete("n", k=1)) != texts(completer.complete("n", "digital camera", k=1))


def test_one_previous_query_may_be_a_string(completer):
    wanted = completer.complete("n", prev=["running shoes"])
    assert completer.complete("n", prev="running shoes") == wanted
    assert completer.complete("n", prev=("running shoes",)) == wanted
    assert completer.complete("n", prev=iter(["running shoes"])) == wanted


@given(
    st.text("aeNn é\ud800\t\n\0", max_size=4),
    st.lists(
        st.one_of(st.sampled_from(["digital camera", "Running  shoes", "ñ"]), st.text("a \n\ud800", max_size=3)),
        max_size=3,
    ),
)
def test_requests_are_answered_as_their_normal_forms_are(completer, prefix, prev):
    wanted = completer.complete(normalize_prefix(prefix), [normalize(query) for query in prev])
    assert completer.complete(prefix, prev) == completer.complete(prefix, tuple(prev)) == wanted
    assert completer.complete(prefix, iter(prev)) == wanted


def test_a_line_end_within_a_previous_query_is_a_space(completer):
    wanted = completer.complete("n", prev=["digital camera", "running shoes"])
    assert completer.complete("n", prev=["digital\ncamera", "running\nshoes"]) == wanted
    assert completer.complete("n", prev="running\nshoes") == completer.complete("n", prev="running shoes")
    assert completer.complete("n", prev=["running\nshoes"]) == completer.complete("n", prev="running shoes")


@pytest.mark.parametrize("nothing", ["", " ", "\n", [], [""], [" ", "\0"]])
def test_previous_queries_of_which_nothing_is_left_are_none(completer, nothing):
    assert completer.complete("n", prev=nothing) == completer.complete("n")


def test_requests_are_normalised_like_the_log(completer):
    wanted = completer.complete("new ", prev="running shoes")
    assert texts(wanted)[0] == "new balance"
    assert completer.complete(" ＮＥＷ\t", prev=" Running\nSHOES ") == wanted
    assert completer.complete("NÜRN", prev="SÜSSES")[0].text == "nürnberger lebkuchen"


def test_a_trailing_space_ends_the_word(completer):
    assert texts(completer.complete("new", k=50)) != texts(completer.complete("new ", k=50))
    assert all(t.startswith("new ") for t in texts(completer.complete("new ", k=50)))
    assert "news" in texts(completer.complete("new", k=50))


def test_the_last_query_itself_comes_last(completer):
    found = texts(completer.complete("nike", prev="nike", k=10))
    assert set(found) == {"nike", "nike air"}
    assert found[-1] == "nike"


def test_prefixes_in_any_script(completer):
    assert texts(completer.complete("日", k=9))[0].startswith("日本")
    assert texts(completer.complete("😀", "emoji", k=9)) == texts(completer.complete("😀", "EMOJI", k=9))
    assert set(texts(completer.complete("😀"))) == {"😀😀", "😀 meaning"}


def test_a_whole_query_completes_to_itself_first_among_equals(completer):
    assert completer.complete("news", k=1)[0].text == "news"
    assert completer.complete("nothing like it") == []


# ---- what it is asked ----


@pytest.mark.parametrize("k", [0, -1, MAX_K + 1, 10**9, 1.0, "5", None, True, np.int64(3)])
def test_k_out_of_range_is_refused(completer, k):
    with pytest.raises(InputError, match="k must be a whole number from 1 to 1000"):
        completer.complete("n", k=k)


def test_the_largest_k_gives_all_there_is(completer):
    assert len(completer.complete("", k=MAX_K)) == len(completer)
    assert completer.complete("", k=MAX_K)[:1] == completer.complete("", k=1)


@pytest.mark.parametrize("hard", HARD, ids=range(len(HARD)))
def test_hard_text_as_prefix_previous_query_and_explained_text(completer, hard):
    for prev in ("", hard, [hard, "new york", hard]):
        for prefix in ("", "n", hard):
            for answer in completer.complete(prefix, prev, k=5):
                assert isinstance(answer.text, str)
                assert 0 <= answer.score <= 1 + 1e-9
                assert completer.explain(prefix, prev, answer.text).probability >= 0
    if hard not in completer:
        with pytest.raises(InputError, match="nothing to explain") as e:
            completer.explain("", "", hard)
        assert len(str(e.value)) < 300


def test_a_thousand_previous_queries(completer):
    history = [f"query {i}" for i in range(1000)]
    assert completer.complete("n", [*history, "travel", "new york"]) == completer.complete("n", ["travel", "new york"])


@given(st.text(max_size=6), st.lists(st.text(max_size=8), max_size=3), st.integers(1, 20))
def test_any_text_is_answered_with_known_queries_that_start_with_it(completer, prefix, prev, k):
    answers = completer.complete(prefix, prev, k)
    known = completer.complete(prefix, (), MAX_K)
    assert set(texts(answers)) <= set(texts(known))
    assert len(answers) == min(k, len(known))


def test_exact_and_beam_search_agree_where_the_beam_is_wide(model_path, completer):
    narrow, wide = (
        Completer.load(model_path, beam=1, compose=False, correct=False),
        Completer.load(model_path, beam=1000, compose=False, correct=False),
    )
    for prev in ("", "running shoes", "travel"):
        assert wide.complete("n", prev) == completer.complete("n", prev)
        assert len(narrow.complete("n", prev)) == len(completer.complete("n", prev))


@pytest.mark.parametrize("beam", [-1, 1 << 31, 10**12])
def test_a_beam_out_of_range_is_refused(model_path, beam):
    with pytest.raises(InputError, match="beam"):
        Completer.load(model_path, beam=beam, compose=False, correct=False)


# ---- explanations ----


def test_an_explanation_says_what_pushed(completer):
    answer = completer.complete("n", "running shoes", k=1)[0]
    e = completer.explain("n", "running shoes", answer.text)
    assert (e.text, e.count, e.repeats) == ("nike air", 12, False)
    assert e.probability == pytest.approx(answer.score)
    assert e.probability > e.prior
    pushes = [p for step in e.steps for p in step.pushes]
    assert {"running", "shoes", "running shoes"} >= {p.text for p in pushes} > set()
    assert {p.kind for p in pushes} <= {"word", "pair"}
    assert all(abs(a.weight) >= abs(b.weight) for s in e.steps for a, b in zip(s.pushes, s.pushes[1:], strict=False))
    assert e.to_json()["steps"][0]["alternatives"] == e.steps[0].alternatives


def test_an_explanation_says_what_each_step_is(completer):
    kinds = set()
    for answer in completer.complete("n", "running shoes"):
        *inner, last = completer.explain("n", "running shoes", answer.text).steps
        assert (last.kind, last.what) == ("query", answer.text)
        for step in inner:
            if step.kind == "letters":
                assert answer.text.startswith(step.what.removesuffix("…"))
            else:
                assert step.what.startswith("cluster of ")
            kinds.add(step.kind)
    assert kinds == {"letters", "cluster"}


def test_an_explanation_of_a_repeated_query_says_so(completer):
    answers = {a.text: a.score for a in completer.complete("nike", "nike")}
    e = completer.explain("nike", "nike", "nike")
    assert e.repeats
    assert answers["nike"] == pytest.approx(0.01 * e.probability)


def test_what_the_prefix_excludes_is_not_explained(completer):
    for prefix, text in (("x", "nike"), ("nike a", "nike"), ("n", "unknown")):
        with pytest.raises(InputError, match="nothing to explain"):
            completer.explain(prefix, "", text)


def test_prefix_features_are_explained_as_such(make_model):
    config = TrainingConfig(use_prefix=True, index=IndexConfig(max_leaf=2))
    examples = [Example(("a",), p, t, 5.0) for p, t in [("x", "xa"), ("x", "xb"), ("xb", "xbc"), ("xa", "xad")]]
    completer = Completer.load(make_model(examples, config), compose=False)
    kinds = {p.kind for s in completer.explain("x", "a", "xb").steps for p in s.pushes}
    assert kinds <= {"word", "prefix"}
    scores = [a.score for a in completer.complete("x", "a", k=10)]
    assert sum(scores) == pytest.approx(1)


# ---- the completer itself ----


def test_it_knows_its_queries(completer, examples):
    known = {e.next_query for e in examples}
    assert all(q in completer for q in known)
    assert " NIKE  air" in completer
    assert "unknown" not in completer
    assert 7 not in completer
    assert len(completer) == len(known)


def test_it_knows_how_often_a_query_was_made(completer, examples):
    labels = LabelTable.from_examples(examples)
    assert {text: completer.count(text) for text in labels.texts} == dict(zip(labels.texts, labels.counts, strict=True))
    assert completer.count(" NIKE  air") == completer.count("nike air") > 0
    assert completer.count("unknown") == 0


def test_its_description(completer, model_path):
    info = completer.info()
    assert info["path"] == str(model_path)
    assert info["bytes"] == model_path.stat().st_size
    assert info["labels"] == len(completer)
    assert info["config"]["index"]["kind"] == "hybrid"
    assert completer.protocol == "default"


def test_the_clean_up_of_training_is_applied_to_requests(make_model):
    completer = Completer.load(make_model([Example(("a",), "", "e bay")], TrainingConfig(text="alnum")), compose=False)
    assert texts(completer.complete("E-B")) == ["e bay"]


def test_eight_threads_get_the_answers_of_one(completer):
    requests = [(p, prev, k) for p in ("", "n", "new ", "日") for prev in ("", "travel", "nike") for k in (1, 5, 1000)]
    wanted = [completer.complete(*r) for r in requests]
    explained = completer.explain("n", "travel", "new york")
    wrong = []

    def ask(shift):
        for i in range(20 * len(requests)):
            j = (i + shift) % len(requests)
            if completer.complete(*requests[j]) != wanted[j]:
                wrong.append(requests[j])
        if completer.explain("n", "travel", "new york") != explained:
            wrong.append("explain")

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


def test_a_forked_process_answers_alike(completer):
    wanted = completer.complete("n", "travel")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"1" if completer.complete("n", "travel") == wanted else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.close(write)


def test_damage_met_while_answering_is_an_error_that_names_the_file(model_path, tmp_path, completer):
    """Label strings are not read when a model is opened unchecked, but when an answer needs them."""
    file = completer._model.file
    section = file.sections["labels.text"]
    path = tmp_path / "damaged.qac"
    content = bytearray(model_path.read_bytes())
    content[section.offset : section.offset + section.size] = b"\xff" * section.size
    path.write_bytes(content)
    damaged = Completer.load(path, check=False, compose=False)
    with pytest.raises(ModelError, match="qac verify") as e:
        damaged.complete("", k=5)
    assert str(path) in str(e.value)


def test_the_default_model_is_the_one_the_environment_names(monkeypatch):
    monkeypatch.setenv("QAC_MODEL", "/some/where.qac")
    assert str(default_model_path()) == "/some/where.qac"


def test_the_largest_k_is_the_core_s():
    assert _native.MAX_K == MAX_K


def test_serving_loads_nothing_that_learns():
    code = "import sys, qac.completer; print(*(m for m in sys.modules if not m.startswith('numpy')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    learning = (
        "scipy",
        "sklearn",
        "tqdm",
        "marisa_trie",
        "qac.training",
        "qac.xlinear",
        "qac.features",
        "qac.data_prep",
    )
    assert [m for m in loaded if m.startswith(learning)] == []


@pytest.mark.parametrize("k", [1, 7, 1000])
def test_a_batch_is_answered_as_one_request_after_another(model_path, k):
    completer = Completer.load(model_path)
    # More than go into one native call, in every script.
    prefixes = ["", "n", "new ", "nü", "日", "😀", "nkie", "x"] * 200
    prevs = [["", "running shoes", ["travel", "new york"]][i % 3] for i in range(len(prefixes))]
    for sessions in (prevs, None):
        found = completer.complete_batch(prefixes, sessions, k)
        assert found.text.shape == found.score.shape == found.source.shape == (len(prefixes), k)
        for i in range(0, len(prefixes), 7):
            alone = completer.complete(prefixes[i], sessions[i] if sessions else (), k)
            n = found.number[i]
            assert [*zip(found.text[i, :n], found.score[i, :n], found.source[i, :n], strict=True)] == [
                *map(tuple, alone)
            ]
            assert not found.text[i, n:].any()
            assert not found.score[i, n:].any()


def test_a_batch_of_nothing_and_one_that_does_not_fit(completer):
    assert completer.complete_batch([]).text.shape == (0, 10)
    with pytest.raises(UsageError, match="as many sessions as prefixes"):
        completer.complete_batch(["a"], [])
    with pytest.raises(InputError):
        completer.complete_batch(["a"], k=0)
