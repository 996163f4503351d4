"""What holds for every answer when the composer takes part."""

import itertools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.completer import Completer
from qac.completion import MAX_K
from qac.config import ComposerConfig, IndexConfig, TrainingConfig
from qac.examples import Example
from qac.labels import LabelTable
from qac.model import load_model
from qac.text import normalize_prefix
from qac.verification import verify_model

LAST = ["", "travel", "running shoes", "zorblax", "new zorblax shoes", "日本", "😀 meaning", "süßes", "e\u0301"]


def config(share=0.3, **changes):
    return TrainingConfig(
        index=IndexConfig(depth=2, max_leaf=2, branching=3), composer=ComposerConfig(share=share, least=0.0), **changes
    )


@pytest.fixture(scope="module")
def composing(make_model, examples):
    return Completer.load(make_model(examples, config()), correct=False)


@pytest.fixture(scope="module")
def eager(make_model, examples):
    """Return a completer that composes only."""
    return Completer.load(make_model(examples, config(1.0)), correct=False)


@pytest.fixture(scope="module")
def copying(make_model, examples):
    """Return a completer of a log whose sessions often come back to their words."""
    again = (("cheap shoes", "new shoes"), ("cheap shoes", "shoes cheap"), ("cheap travel", "new travel"))
    often = [Example((last,), after[:1], after, 50.0) for last, after in again]
    return Completer.load(make_model([*examples, *often], config()), correct=False)


def texts(answers):
    return [a.text for a in answers]


def assert_sound(completer, prefix, prev, k):
    answers = completer.complete(prefix, prev, k)
    assert len(answers) <= k
    assert all(a.text.startswith(prefix) for a in answers)
    assert len(set(texts(answers))) == len(answers)
    assert [a.score for a in answers] == sorted((a.score for a in answers), reverse=True)
    assert all(0 < a.score <= 1 for a in answers)
    assert sum(a.score for a in answers) <= 1 + 1e-6
    assert all((a.source == "composed") == (a.text not in completer) for a in answers)
    return answers


# Prefixes in normal form: beginnings of words known and new in several scripts, some cut within a grapheme.
grapheme = st.sampled_from(["👩\u200d👧", "👍🏽", "न\u093f", "🇩🇪", "a\u0323\u0302"])
word = st.one_of(
    st.sampled_from(["new", "york", "nike", "news", "travel", "shoes", "zorblax", "日本", "süßes", "😀😀", "нью"]),
    grapheme,
    st.text("abnеçß日😀", min_size=1, max_size=4),
)
typed = st.builds(
    lambda words, cut, space: " ".join(words)[:cut].strip(" ") + " " * space,
    st.lists(word, max_size=3),
    st.integers(0, 12),
    st.booleans(),
).map(lambda p: "" if p == " " else p)


@given(typed, st.one_of(st.sampled_from(LAST), st.lists(word, max_size=4).map(" ".join)), st.integers(1, 20))
def test_answers_are_distinct_completions_with_their_share_of_probability(composing, prefix, prev, k):
    prefix = normalize_prefix(prefix)
    answers = assert_sound(composing, prefix, prev, k)
    known = Completer(composing._model, compose=False).complete(prefix, prev, MAX_K)
    assert len(answers) >= min(k, len(known))


@given(st.text(max_size=6), st.lists(st.text(max_size=8), max_size=3), st.integers(1, 20))
def test_any_text_is_answered(composing, eager, prefix, prev, k):
    for completer in (composing, eager):
        assert_sound(completer, normalize_prefix(prefix), prev, k)


@pytest.mark.parametrize("prefix", ["", "n", "new ", "new", "日", "x", "news"])
def test_the_largest_k_gives_all_known_queries_and_new_ones(composing, prefix):
    for prev in LAST:
        answers = texts(assert_sound(composing, prefix, prev, MAX_K))
        assert set(answers) >= set(texts(Completer(composing._model, compose=False).complete(prefix, prev, MAX_K)))


@pytest.mark.parametrize("prefix", ["", "n", "new ", "日", "x"])
def test_without_composing_the_answers_are_the_tree_s(composing, make_model, examples, prefix):
    alone = Completer.load(
        make_model(examples, TrainingConfig(index=config().index, composer=ComposerConfig(enabled=False)))
    )
    tree = Completer(composing._model, compose=False)
    for prev, k in itertools.product(LAST, (1, 5, 100)):
        assert tree.complete(prefix, prev, k) == alone.complete(prefix, prev, k)
    assert all(a.source == "index" for a in tree.complete(prefix, "travel", 100))


def test_without_composing_and_session_the_answers_are_the_most_popular(composing, examples):
    table = LabelTable.from_examples(examples)
    tree = Completer(composing._model, compose=False)
    for prefix in ("", "n", "ne", "new ", "日"):
        found = [(-count, t) for t, count in zip(table.texts, table.counts, strict=True) if t.startswith(prefix)]
        total = -sum(c for c, _ in found)
        answers = tree.complete(prefix, k=100)
        assert texts(answers) == [t for _, t in sorted(found)]
        assert [a.score for a in answers] == pytest.approx([-c / total for c, _ in sorted(found)], rel=1e-12)


def test_words_of_the_last_query_are_copied_though_no_query_has_them(copying):
    for prefix in ("zo", "zorblax", "new z", "new zorbla"):
        answers = copying.complete(prefix, "cheap zorblax", 3)
        assert "zorblax" in answers[0].text.split(" ")
        assert answers[0].source == "composed"
    assert texts(copying.complete("zorblax ", "cheap zorblax shoes", 1)) == ["zorblax shoes"]
    assert texts(copying.complete("zorblax p", "zorblax", 1)) == ["zorblax p"]


def test_words_follow_a_word_that_no_query_has(composing):
    answers = assert_sound(composing, "zorblax n", "zorblax", 5)
    assert answers
    assert all(a.source == "composed" for a in answers)
    assert all(t.startswith("zorblax n") for t in texts(answers))


@pytest.mark.parametrize("new", ["qwrtz", "zzz", "日日日", "ж", "😀b"])
def test_a_new_word_is_echoed(composing, new):
    for prefix in (new, "new " + new, new + " " + new):
        assert prefix in texts(composing.complete(prefix))


@pytest.mark.parametrize("words", [30, 65, 70, 100])
def test_many_new_words_are_typed(copying, words):
    prefix = " ".join(f"z{i}" for i in range(words)) + " "
    answers = assert_sound(copying, prefix, "running shoes", 5)
    assert answers
    assert "shoes" in {a.text[len(prefix) :].split(" ")[0] for a in answers}


def test_a_prefix_beyond_any_composed_query_is_completed_by_the_tree_alone(make_model):
    long = "word " * 110 + "end"
    completer = Completer.load(make_model([Example(("a",), "w", long, 2.0), Example(("a",), "w", "word x")], config()))
    assert texts(completer.complete(long[:540], "a")) == [long]
    assert completer.complete("x" * 600, "a") == []
    assert completer.complete("x" * 600, "x" * 600) == []


def test_the_last_query_itself_is_lowered(make_model, examples):
    once, again = (Completer.load(make_model(examples, config(1.0, repeat_weight=w))) for w in (1.0, 0.25))
    for prefix, prev in (("n", "nike air"), ("nike", "nike"), ("zo", "zorblax"), ("zorblax n", "zorblax new")):
        before = {a.text: a.score for a in once.complete(prefix, prev, 100)}
        after = {a.text: a.score for a in again.complete(prefix, prev, 100)}
        assert after[prev] == pytest.approx(before[prev] / 4)
        assert all(after[t] == pytest.approx(before[t]) for t in before if t != prev)


def test_what_is_unlikely_is_proposed_only_where_there_is_nothing_else(make_model, examples):
    shy = Completer.load(
        make_model(examples, TrainingConfig(index=config().index, composer=ComposerConfig(share=0.3, least=1.0)))
    )
    assert {a.source for a in shy.complete("n", "travel", 50)} == {"index"}
    assert [a.source for a in shy.complete("zorblax n", "travel")] == ["composed"]


def test_the_same_requests_get_the_same_answers_in_any_order(composing):
    requests = [(p, prev, k) for p in ("", "n", "new ", "zo", "日") for prev in LAST for k in (1, 10)]
    first = [composing.complete(*r) for r in requests]
    assert [composing.complete(*r) for r in reversed(requests)] == first[::-1]
    again = Completer.load(composing.info()["path"])
    assert [again.complete(*r) for r in requests] == first


def test_the_model_does_not_depend_on_the_number_of_threads(make_model, examples):
    one, two, other = (
        make_model(e, config(), threads=t).read_bytes() for e, t in ((examples, 1), (examples, 2), (examples[::-1], 2))
    )
    assert one == two == other


def test_eight_threads_get_the_answers_of_one(composing):
    requests = [(p, prev, k) for p in ("", "n", "new ", "zo", "日 ") for prev in LAST for k in (1, 10)]
    wanted = [composing.complete(*r) for r in requests]
    wrong = []

    def ask(shift):
        for i in range(5 * len(requests)):
            j = (i + shift) % len(requests)
            if composing.complete(*requests[j]) != wanted[j]:
                wrong.append(requests[j])

    threads = [threading.Thread(target=ask, args=(11 * i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


@pytest.mark.parametrize(
    "log",
    [
        [((), "a")],
        [((), "a b"), ((), "b c")],
        [(("b",), "a")],
        [(("x" * 50,), "y" * 60), (("x" * 50,), "y" * 41)],
        [(("q",), "y" * 2000), (("q",), "y" * 300 + " b"), (("q",), "b")],
        [(("😀",), "😀 😀")],
        [(("a a a",), "a a a a a a a a a a a a"), (("a",), "a a")],
        [(("a",), " ".join(f"w{i}" for i in range(300)))],
    ],
    ids=range(8),
)
def test_odd_logs(make_model, log):
    path = make_model([Example(prev, after[:1], after, 0.5) for prev, after in log], config())
    verify_model(load_model(path, check=True))
    completer = Completer.load(path)
    for prefix in ("", "a", "a ", "b", "y", "y" * 290, "y" * 1000, "w0 w1 ", "😀"):
        for prev in ("", "a", "x" * 50, " ".join(f"w{i}" for i in range(300)), "y" * 2000):
            assert_sound(completer, prefix, prev, 20)


def test_a_session_counts_once_for_all_its_prefixes(make_model):
    """Rankers that see the prefix learn from each; what follows a word does not become likelier by typing."""
    log = [("red", "blue hat"), ("red", "blue coat"), ("red", "hat"), ("blue", "red")]
    arrays = []
    for prefixes in (1, 3):
        examples = [Example((last,), after[:n], after) for last, after in log for n in range(1, 1 + prefixes)]
        model = load_model(make_model(examples, config(use_prefix=True)))
        arrays.append(model.arrays.composer)
    one, three = arrays
    assert one.association.size
    assert np.array_equal(one.association, three.association)
    assert np.array_equal(one.association_weight, three.association_weight)
    assert np.array_equal(one.association_value, three.association_value)


def test_beam_search_mixes_too(composing):
    beam = Completer(composing._model, beam=100)
    for prev in LAST:
        assert texts(beam.complete("n", prev)) == texts(composing.complete("n", prev))


@pytest.mark.parametrize("prev", [(), ("running shoes",), ("digital camera",), ("zorblax",)])
@pytest.mark.parametrize("prefix", ["", "n", "ni", "new ", "nike air"])
def test_up_to_ten_fewer_answers_are_the_first_of_more(composing, prefix, prev):
    ten = composing.complete(prefix, prev, 10)
    for k in range(1, 10):
        assert composing.complete(prefix, prev, k) == ten[:k]


@pytest.mark.parametrize("prev", [(), ("running shoes",), ("travel", "new york")])
@pytest.mark.parametrize("prefix", ["", "n", "new", "new york "])
def test_an_explanation_adds_up_to_the_score(composing, prefix, prev):
    """The tree's parts are in one proportion to its probabilities: the share of the tree in all that starts so."""
    explained = [composing.explain(prefix, prev, a.text) for a in composing.complete(prefix, prev, 10)]
    assert all(e.composed == 1 for e in explained if e.count == 0)
    by_tree = [(e.score * (1 - e.composed), e.probability) for e in explained if e.count > 0 and not e.repeats]
    assert by_tree
    ratio = by_tree[0][0] / by_tree[0][1]
    assert 0 < ratio <= 1
    for part, probability in by_tree:
        assert part == pytest.approx(ratio * probability, rel=1e-6, abs=1e-12)
