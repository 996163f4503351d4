"""The core's answers against a plain computation of all queries there can be (conftest.py).

The composer has the whole share here, so that a score is P(query) / P(prefix), known queries counting less in both,
and proposes whatever it finds.
"""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qac.completer import Completer
from qac.completion import MAX_K
from qac.config import ComposerConfig, IndexConfig, TrainingConfig
from qac.examples import Example

COMPOSER = ComposerConfig(share=1.0, least=0.0, associate_min=1.0, character_order=3, spelling=0.3)

TOLERANCE = 1e-6
FOLLOWED_UP = 4e-3
"""Share of the prefix's probability below which words may not be followed up."""

# (last query, next query), with words enough for every kind of choice and few enough to try all.
LOG = [
    ("red shoes", "blue shoes"),
    ("red shoes", "red boots"),
    ("red shoes", "red shoes sale"),
    ("blue boots", "red boots"),
    ("blue boots", "boots sale"),
    ("blue boots", "blue boots sale"),
    ("sale", "shoes"),
    ("shoes", "shoes sale"),
    ("shoes", "blue shoes sale"),
    ("bo", "blue shoes"),
]


# Words of the queries before the last come back, whole queries do not.
OLDER = [
    (("red shoes", "hats"), "red boots"),
    (("red shoes", "hats"), "blue hats"),
    (("blue boots", "red", "sale"), "shoes sale"),
    (("blue boots sale", "hats", "shoes"), "blue shoes"),
    (("hats", "blue shoes"), "blue hats sale"),
]


def to_examples(pairs):
    return [Example((last,), after[:1], after) for last, after in pairs]


def to_older_examples():
    return [Example(session, after[:1], after, 100.0) for session, after in OLDER]


def training(composer=COMPOSER, length_discount=0.0):
    return TrainingConfig(
        length_discount=length_discount, repeat_weight=1.0, index=IndexConfig(max_leaf=4), composer=composer
    )


@pytest.fixture(scope="module", params=[0.0, 0.3, 1.0], ids="spelling {}".format)
def composer(request):
    return replace(COMPOSER, spelling=request.param)


@pytest.fixture(scope="module")
def completer(make_model, composer):
    return Completer.load(make_model(to_examples(LOG), training(composer)), correct=False)


def test_each_word_s_probabilities_sum_to_one(plain_composer):
    """Where all associations of a word are kept; of copied words those outside the vocabulary are added."""
    for session in ("", "red shoes", "blue zorblax", "zorblax", ("zorblax red", "sale"), ("blue", "hats", "quux")):
        plain = plain_composer(to_examples(LOG) + to_older_examples(), COMPOSER, session)
        for n in range(3):
            for before in itertools.product([*plain.words, "zorblax"], repeat=n):
                known = sum(plain.word(w, before) for w in plain.words)
                rest = plain.end(before) + plain.outside(before) + plain.copied(before)
                assert known + rest == pytest.approx(1)


@pytest.mark.parametrize("last", ["", "red shoes", "blue boots", "sale", "zorblax shoes", "shoes zorblax", "bo"])
@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "b",
        "bo",
        "red",
        "red ",
        "red s",
        "blue boots ",
        "sale sale s",
        "zo",
        "zorblax ",
        "zorblax b",
        "zorblax zorblax",
        "q",
        "shoes é",
    ],
)
def test_the_best_of_all_queries_come_with_their_probabilities(completer, composer, plain_composer, prefix, last):
    assert_exact(completer, plain_composer(to_examples(LOG), composer, last), prefix, last)


@pytest.mark.parametrize(
    "session",
    [
        ("red shoes", "hats"),
        ("hats", "red shoes"),
        ("zorblax", "red"),
        ("blue zorblax shoes", "red shoes"),
        ("blue", "boots sale", "red zorblax"),
        ("red boots", "red boots"),
        ("a b c d e f g", "shoes"),
        ("sale",),
    ],
)
@pytest.mark.parametrize("prefix", ["", "b", "red ", "red s", "zo", "hats z", "shoes ", "zorblax shoes r"])
def test_words_of_older_queries_come_back(make_model, plain_composer, prefix, session):
    completer = Completer.load(make_model(to_older_examples(), training()), correct=False)
    plain = plain_composer(to_older_examples(), COMPOSER, session)
    assert plain.reuse.older_words[0] > 0.1
    assert not any(plain.reuse.queries)
    assert_exact(completer, plain, prefix, session)


def assert_exact(completer, plain, prefix, last, k=5):
    answers = completer.complete(prefix, last, MAX_K)
    assert answers or plain.characters_share == 1  # by characters alone nothing may be likely
    of_all = plain.counting(prefix, [a.text for a in answers])
    for a in answers:
        assert a.score == pytest.approx(plain.score(a.text, prefix) / of_all, rel=TOLERANCE)
    *typed, partial = prefix.split(" ")
    if not plain.spells(typed, partial):
        assert {w for a in answers for w in a.text.split(" ")} <= {*plain.words, *plain.said, *typed}
    for (p, text), a in zip(plain.best(prefix, k), answers, strict=False):
        if p > FOLLOWED_UP * plain.begins(prefix):
            assert a.score >= p / of_all * (1 - TOLERANCE), text
    assert [a.text for a in completer.complete(prefix, last, k)] == [
        a.text for a in completer.complete(prefix, last, 10)[:k]
    ]


words = st.sampled_from(["a", "ab", "abc", "b", "ba", "é", "日本"])
queries = st.lists(words, min_size=1, max_size=3).map(" ".join)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(queries, queries), min_size=1, max_size=12),
    st.integers(2, 4),
    st.sampled_from([0.0, 0.2, 0.9]),
    st.data(),
)
def test_random_logs(make_model, plain_composer, log, character_order, spelling, data):
    composer = replace(COMPOSER, character_order=character_order, spelling=spelling)
    completer = Completer.load(make_model(to_examples(log), training(composer)), correct=False)
    for _ in range(8):
        last = data.draw(st.one_of(st.just(""), queries, st.sampled_from(["abd a", "b zz ab"])))
        text = data.draw(queries)
        prefix = text[: data.draw(st.integers(0, len(text)))] + data.draw(st.sampled_from(["", "", "", " ", " a"]))
        prefix = " ".join(prefix.split(" ")) if "  " not in prefix else prefix.replace("  ", " ")
        assert_exact(completer, plain_composer(to_examples(log), composer, last), prefix.lstrip(" "), last)


@pytest.mark.parametrize("discount", [0.5, 1.0, 2.0])
def test_a_length_discount_orders_by_probability_over_length(make_model, plain_composer, discount):
    completer = Completer.load(make_model(to_examples(LOG), training(length_discount=discount)), correct=False)
    plain = plain_composer(to_examples(LOG), COMPOSER, "red shoes")
    for prefix in ("", "b", "red ", "blue s"):
        answers = completer.complete(prefix, "red shoes", 10)
        wanted = [plain.score(a.text, prefix) / len(a.text) ** discount for a in answers]
        assert [a.score / answers[0].score for a in answers] == pytest.approx(
            [w / wanted[0] for w in wanted], rel=TOLERANCE
        )
        best = max(p / len(text) ** discount for p, text in plain.best(prefix, 30))
        assert wanted[0] >= best * (1 - TOLERANCE)


def test_a_share_mixes_it_with_the_tree(make_model, plain_composer):
    """P(query) = share * P_composer + (1 - share) * P_tree; without a session the tree's is the count's share."""
    composer = replace(COMPOSER, share=0.25)
    path = make_model(to_examples(LOG), training(composer))
    completer = Completer.load(path, correct=False)
    counts = {a.text: a.score for a in Completer.load(path, compose=False).complete("", k=50)}
    assert sum(counts.values()) == pytest.approx(1)
    plain = plain_composer(to_examples(LOG), composer, "")
    for prefix in ("b", "red ", "sh", "zo", "blue boots s"):
        in_tree = sum(p for text, p in counts.items() if text.startswith(prefix))
        for k in (1, 2, 3, 20, MAX_K):
            answers = completer.complete(prefix, k=k)
            assert answers
            p = [0.25 * plain.score(a.text, prefix) + 0.75 * counts.get(a.text, 0) for a in answers]
            assert [a.score / answers[0].score for a in answers] == pytest.approx([x / p[0] for x in p], rel=TOLERANCE)
        of_all = 0.25 * plain.counting(prefix, [a.text for a in answers]) + 0.75 * in_tree
        assert answers[0].score == pytest.approx(p[0] / of_all, rel=TOLERANCE)
