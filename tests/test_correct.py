"""Prefixes with one typing error."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plain.corrections import LEAST, likelihoods, mass_of, readings
from qac import _native
from qac.completer import Completer
from qac.config import ComposerConfig, IndexConfig, TrainingConfig
from qac.examples import Example
from qac.text import normalize, normalize_prefix

CONFIG = TrainingConfig(length_discount=0.0, index=IndexConfig(max_leaf=4), composer=ComposerConfig(enabled=False))
UNHEARD = "zzzz"  # a session that says nothing


def expected(typed, counts):
    """Return the answers by counts as ``{text: (score, source, meant)}``: corrected ones where none is exact."""
    exact = {q: c for q, c in counts.items() if q.startswith(typed)}
    mass = sum(exact.values())
    answers = {q: (float(c), "index", typed) for q, c in exact.items()}
    if exact:
        return answers, mass
    found = readings(typed, counts)
    if found is None:
        return None, mass
    mass += mass_of(found, typed, counts)
    corrected = {}
    for reading in found:
        if reading.mass < LEAST * mass:
            continue
        for q, c in counts.items():
            p = reading.likelihood * c
            if q.startswith(reading.meant) and q not in exact and p > corrected.get(q, (0.0,))[0]:
                corrected[q] = (p, "corrected", reading.meant)
    return answers | corrected, mass


def assert_as_expected(model, typed, counts, session):
    answers, mass = expected(typed, counts)
    if answers is None:
        return
    found = model.complete_in_detail(typed.encode(), session.encode(), 100, 0, _native.CORRECT)
    sources = {"index": _native.INDEX, "corrected": _native.CORRECTED}
    assert {text for text, *_ in found} == set(answers)
    for text, source, meant, score, composed, recalled in found:
        p, name, prefix = answers[text]
        assert composed == recalled == 0
        assert source == sources[name]
        assert score == pytest.approx(p / mass, rel=1e-6)
        assert text.encode()[:meant].decode() in {prefix, *likelihoods(typed, [text])}
    assert [a[3] for a in found] == sorted((a[3] for a in found), reverse=True)


def make(make_model, counts):
    return Completer.load(make_model([Example((), q[:1], q, float(c)) for q, c in counts.items()], CONFIG))


def logs(letters):
    query = st.text(letters, min_size=1, max_size=7).map(lambda t: " ".join(t.split())).filter(bool)
    return st.dictionaries(query, st.integers(1, 5000), min_size=1, max_size=25)


@pytest.mark.parametrize("letters", ["ab", "ab ", "abcdefgh", "aéè", "日本a", "😀😁é", "aa\u0301b"])
def test_brute_force(make_model, letters):
    """All labels and all prefixes one edit away."""

    @settings(max_examples=12)
    @given(logs(letters), st.lists(st.text(letters, min_size=1, max_size=8), min_size=30, max_size=30))
    def check(log, texts):
        counts = {normalize(q): c for q, c in log.items()}
        model = make(make_model, counts)._native
        for typed in {normalize_prefix(t) for t in texts} - {""}:
            assert_as_expected(model, typed, counts, "")
            assert_as_expected(model, typed, counts, UNHEARD)

    check()


NEW_YORK = {"new york": 50, "new york hotels": 20, "newport": 7, "digital camera": 9, "paris": 4, "ökologie": 3}


@pytest.fixture(scope="module")
def plain(make_model):
    return make(make_model, NEW_YORK)


@pytest.mark.parametrize(
    ("typed", "best"),
    [
        ("nwe york", "new york"),  # two swapped
        ("newyork", "new york"),  # one missing
        ("newx york", "new york"),  # one too many
        ("nev york", "new york"),  # a wrong one
        ("ew york", "new york"),  # the first missing
        ("mew york", "new york"),  # the first wrong
        ("enw york", "new york"),  # the first two swapped
        ("xnew york", "new york"),  # one before the first
        ("new yorj", "new york"),  # the last wrong
        ("digitla cam", "digital camera"),
        ("okologie", "ökologie"),  # an edit is of a code point, not of a byte
        ("kologie", "ökologie"),
        ("köologie", "ökologie"),
        ("PARSI", "paris"),
    ],
)
def test_one_error_is_read_over(plain, typed, best):
    answers = plain.complete(typed)
    assert answers[0].text == best
    assert {a.source for a in answers} == {"corrected"}
    assert sum(a.score for a in answers) == pytest.approx(1)
    assert plain.complete(typed, k=1) == answers[:1]


@pytest.mark.parametrize("typed", ["nwe yokr", "n", "ne", "nw", "xy", "qqq", "", " ", "new york hotels x", "x" * 300])
def test_two_errors_short_prefixes_and_others_are_not(plain, typed):
    assert "corrected" not in {a.source for a in plain.complete(typed)}


def test_it_can_be_switched_off(plain):
    known = Completer(plain._model, correct=False)
    assert known.complete("nwe york") == []
    assert known.complete("new y") == plain.complete("new y")


def test_where_nothing_is_composed_a_known_query_is_what_was_meant(make_model):
    log = {"cats": 1, "cats food": 1, "cars": 10**6}
    assert [a.text for a in make(make_model, log).complete("cats", UNHEARD)] == ["cats", "cats food"]
    assert [a.text for a in make(make_model, log).complete("cats")] == ["cats", "cats food"]


words = st.sampled_from(["red", "rde", "bed", "shoes", "shose", "hats", "日本", "本日"])
queries = st.lists(words, min_size=1, max_size=3)


@settings(max_examples=30)
@example([("red shoes", "red hats")] * 3, "rde shoes", "red shoes")
@given(
    st.lists(st.tuples(queries.map(" ".join), queries.map(" ".join)), min_size=1, max_size=12),
    queries.map(" ".join),
    st.one_of(st.just(""), queries.map(" ".join)),
)
def test_with_sessions_and_composer(make_model, pairs, typed, last):
    """What is known and starts with the prefix is above what is corrected; what is corrected does not start with it."""
    completer = Completer.load(make_model([Example((a,), b[:1], b) for a, b in pairs]))
    known = Completer(completer._model, correct=False)
    for n in range(len(typed) + 1):
        prefix = typed[:n]
        answers = completer.complete(prefix, last)
        scores = [a.score for a in answers]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) <= 1 + 1e-6
        assert all(0 <= s <= 1 for s in scores)
        assert len({a.text for a in answers}) == len(answers)
        place = [i for i, a in enumerate(answers) if a.source == "index"]
        corrected = [i for i, a in enumerate(answers) if a.source == "corrected"]
        assert max(place, default=-1) < min(corrected, default=len(answers))
        for i in corrected:
            assert answers[i].text in completer
            assert not answers[i].text.startswith(prefix)
            explanation = completer.explain(prefix, last, answers[i].text)
            assert likelihoods(prefix, [answers[i].text])[explanation.meant] > 0
        for a in answers:
            if a.source != "corrected":
                assert completer.explain(prefix, last, a.text).meant is None
        without = known.complete(prefix, last)
        others = [a.text for a in answers if a.source != "corrected"]
        assert others == [a.text for a in without][: len(others)]


def test_a_new_word_is_not_taken_for_an_error(make_model):
    """What is composed of known words stands above what is one letter away; what is no word does not."""
    counts = {"red shoes": 30, "red hats": 20, "blue shoes": 30, "blue hats": 20, "led hat": 1}
    examples = [Example(("sale",), q[:1], q, float(c)) for q, c in counts.items()]
    completer = Completer.load(make_model(examples, TrainingConfig(composer=ComposerConfig(share=0.3))))
    assert completer.complete("led s")[0].source == "composed"
    assert completer.complete("rde s")[0][::2] == ("red shoes", "corrected")
