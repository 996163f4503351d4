"""Whole requests against a plain model of them: random logs in many scripts, configurations, sessions, prefixes and k.

HYPOTHESIS_PROFILE=thorough asks some hundred thousand requests of two thousand models.
"""

import itertools
import math
import random
import tempfile
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plain.request import PlainModel
from qac import _native
from qac.completer import Completer
from qac.config import (
    ComposerConfig,
    DecodingConfig,
    IndexConfig,
    PopularityConfig,
    RankerConfig,
    TrainingConfig,
)
from qac.errors import InputError
from qac.examples import Example
from qac.presets import PRESETS
from qac.saving import save_model
from qac.text import normalize, normalize_prefix
from qac.training import train

SCRIPTS = {
    "Latin": ["a", "b", "e", "é", "ñ", "ß", "x"],
    "marks": ["e\u0323\u0302", "a\u0308\u0331", "x\u0301", "e", "q\u0307", "\u0301"],
    "Greek": ["α", "ά", "β", "σ", "ς", "ω"],
    "Arabic": ["ا", "ب", "بَ", "ل", "لا", "ي\u200c"],
    "Devanagari": ["न", "नि", "क्ष", "म", "म\u200d"],
    "CJK": ["日", "本", "語", "ン", "ハ\u3099", "한"],
    "emoji": ["👩\u200d👧", "👍🏽", "🇩🇪", "❤\ufe0f", "😀", "1\ufe0f\u20e3"],
    "mixed": ["a", "日", "é", "👍🏽", "β", "0"],
}

SMALL = IndexConfig("hybrid", depth=1, max_leaf=2, branching=3)
NO_COMPOSER = ComposerConfig(enabled=False)
CONFIGS = [
    TrainingConfig(),
    TrainingConfig(index=SMALL, ranker=RankerConfig(prune=0.0)),
    TrainingConfig(history=3, age_decay=0.7, bigram_weight=1.0, index=SMALL, ranker=RankerConfig(prune=0.01)),
    TrainingConfig(word_weight=0.0, bigram_weight=0.0, index=SMALL, recall=1.0),
    TrainingConfig(use_prefix=True, position_decay=0.5, index=SMALL, ranker=RankerConfig(prune=0.01)),
    TrainingConfig(index=IndexConfig("trie"), ranker=RankerConfig(prune=0.0), length_discount=0.5),
    TrainingConfig(index=IndexConfig("kmeans", max_leaf=2, branching=2), repeat_weight=0.0),
    TrainingConfig(
        index=IndexConfig("mustlink", max_leaf=2, branching=2), ranker=RankerConfig(prune=0.0), composer=NO_COMPOSER
    ),
    TrainingConfig(
        index=SMALL,
        length_discount=2.0,
        composer=ComposerConfig(share=0.5, least=0.0, spelling=0.4, associate_min=1, associate_top=3, copy=1.0),
    ),
    TrainingConfig(
        length_discount=0.0, composer=ComposerConfig(share=1.0, least=0.01, order=2, character_order=2, spelling=1.0)
    ),
    TrainingConfig(index=SMALL, composer=ComposerConfig(share=0.3, least=0.2, order=4, spelling=0.0)),
    TrainingConfig(index=SMALL, ranker=RankerConfig(prune=0.0), composer=NO_COMPOSER),
    TrainingConfig(index=SMALL, popularity=PopularityConfig(half_life=100.0)),
    TrainingConfig(index=SMALL, popularity=PopularityConfig(min_count=2, rare=0.2)),
    TrainingConfig(text="alnum", index=SMALL),
    TrainingConfig(
        index=SMALL, ranker=RankerConfig(prune=0.0), decoding=DecodingConfig("filter"), composer=NO_COMPOSER
    ),
    TrainingConfig(
        index=SMALL, ranker=RankerConfig(loss="hinge", l2=1.0, prune=0.0, matcher_beam=2), composer=NO_COMPOSER
    ),
]
PUBLISHED = [preset.config for preset in PRESETS.values()]
UNKNOWN = ["zzz", "日日日", "a b"]


def misspelt(rng, text, letters):
    """Return the text with an error: a code point too many, missing or wrong, or two neighbours swapped."""
    at = rng.randrange(len(text))
    before, here, behind = text[:at], text[at], text[at + 1 :]
    letter = rng.choice(rng.choice(letters))
    return before + rng.choice(["", letter, letter + here, behind[:1] + here + behind[1:] if behind else ""]) + behind


def make_log(rng, config):
    """Return a log of sessions that come back to their queries, its examples in normal form."""
    letters = SCRIPTS[rng.choice([*SCRIPTS])]
    words = ["".join(rng.choices(letters, k=rng.randint(1, 5))) for _ in range(rng.randint(3, 10))]
    words += [misspelt(rng, rng.choice(words), letters) for _ in range(rng.randint(0, 8))]
    queries = [" ".join(rng.choices(words, k=rng.choice([1, 1, 2, 2, 3, 5]))) for _ in range(rng.randint(3, 40))]
    queries = [q for q in (normalize(q, config.text) for q in queries) if q]
    examples = []
    for _ in range(rng.randint(3, 25) if queries else 0):
        session = rng.choices(rng.choices(queries, k=3), k=rng.randint(1, 4))
        for i, query in enumerate(session):
            typed = normalize_prefix(query[: rng.randint(0, len(query))], config.text)
            count, time = float(rng.choice([1, 1, 1, 2, 5, 40])), float(rng.randint(0, 1000))
            examples.append(Example(tuple(session[:i]), typed, query, count, time))
    return examples


def make_requests(rng, examples, config):
    """Return prefixes, some of them every beginning of a text, each with a session."""
    queries = sorted({e.next_query for e in examples})
    words = [w for q in queries for w in q.split(" ")]
    new = " ".join(rng.choices([*words, *UNKNOWN], k=rng.randint(1, 3)))
    for text in (*rng.choices(queries, k=2), new, misspelt(rng, rng.choice(queries), words)):
        said = [*rng.choices([*queries, new], k=4), text, rng.choice(UNKNOWN)]
        for n in range(len(text) + 2):
            session = [normalize(q, config.text) for q in rng.choices(said, k=rng.choice([0, 1, 2, 3, 5]))]
            yield normalize_prefix((text + " ")[:n], config.text), [q for q in session if q]


def is_close(found, expected):
    """Return whether two scores agree: features are rounded to float32, which the exponent feels."""
    if expected < 1e-290:
        return found < 1e-280
    return abs(found - expected) <= 2e-6 * expected * (1 + abs(math.log(expected)))


class Asked:
    """A model file and the plain model, asked the same."""

    def __init__(self, plain, completer, prefix, queries, *, compose, correct):
        self.prefix, self.queries, self.correct = prefix, queries, correct
        self.native, self.options = completer._native, (_native.COMPOSE * compose) | (_native.CORRECT * correct)
        self.plain = plain.request(prefix, queries, compose=compose)

    def __repr__(self):
        return f"{self.prefix!r} after {self.queries!r}, options {self.options}"

    def found(self, answers):
        """Return what tree and composer may have found: whether also what the session recalls does not show."""
        sure = [a[0] for a in answers if a[0] in self.plain.labels or a[5] == 0]
        others = [a[0] for a in answers if a[0] not in sure and a[4] > 0]
        return [[*sure, *some] for n in range(len(others) + 1) for some in itertools.combinations(others, n)]

    def answers(self, k, beam=0):
        """Return the core's answers."""
        return self.native.complete_in_detail(
            self.prefix.encode(), "\n".join(self.queries).encode(), k, beam, self.options
        )


def assert_as_promised(answers, k):
    """Assert what holds of any answers."""
    assert len(answers) <= k
    assert len({text for text, *_ in answers}) == len(answers)
    scores = [score for _, _, _, score, *_ in answers]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= s <= 1 for s in scores)


def assert_all_answers(asked):
    """Assert that there are all that there should be, with their scores; return them."""
    answers, plain = asked.answers(1000), asked.plain
    assert_as_promised(answers, 1000)
    typed = [a for a in answers if a[1] != _native.CORRECTED]
    assert plain.labels.keys() <= {a[0] for a in typed}
    scores = {a[0]: plain.score(a[0]) for a in typed}
    assert plain.recalled.keys() <= scores.keys()
    least = min([1.0, *(scores[t].all for t in plain.labels)])
    agreeing = []
    for found in asked.found(typed):
        mass = plain.mass(found)
        corrected = plain.corrections(mass, least) if asked.correct else ({}, 0.0)
        if corrected is None:
            return answers
        mass += corrected[1]
        if not typed or is_close(typed[0][3], min(1.0, scores[typed[0][0]].all / mass)):
            agreeing.append((mass, corrected))
    assert agreeing
    mass, corrected = agreeing[0]
    assert {a[0] for a in answers if a[1] == _native.CORRECTED} == corrected[0].keys()
    for text, source, meant, score, by_composer, by_recall in answers:
        if source == _native.CORRECTED:
            assert is_close(score, min(1.0, corrected[0][text] / mass))
            assert by_composer == by_recall == 0
            continue
        expected = scores[text]
        assert is_close(score, min(1.0, expected.all / mass)), (asked, text)
        assert meant == len(asked.prefix.encode())
        assert by_composer == pytest.approx(expected.composer / expected.all if expected.all else 0, rel=1e-5, abs=1e-9)
        assert by_recall == pytest.approx(expected.recall / expected.all if expected.all else 0, rel=1e-5, abs=1e-9)
        if text in plain.labels:
            assert source == _native.INDEX
        elif not is_close(expected.recall, expected.composer):
            assert source == (_native.RECALLED if expected.recall > expected.composer else _native.COMPOSED)
    return answers


def assert_begin_alike(answers, others):
    """Assert that the answers of one list are the first of the other; equals may change places."""
    assert len(answers) <= len(others)
    for (text, *_, one, _, _), (other_text, *_, other, _, _) in zip(answers, others, strict=False):
        assert is_close(one, other)
        assert text == other_text or sum(is_close(a[3], one) for a in others) > 1


def assert_are_the_best(asked, answers, k):
    """Assert that scores are in proportion to the plain ones, and that no known or recalled query is missing."""
    assert_as_promised(answers, k)
    plain, last = asked.plain, answers[-1][3] if len(answers) == k else 0.0
    typed = [a for a in answers if a[1] != _native.CORRECTED and 1e-200 < a[3] < 1]
    given = {a[0] for a in answers}
    if not typed:
        return
    mass = plain.score(typed[0][0]).all / typed[0][3]
    for text, *_, score, by_composer, _ in typed:
        expected = plain.score(text)
        assert is_close(score, expected.all / mass)
        assert by_composer == pytest.approx(expected.composer / expected.all, rel=1e-5, abs=1e-9)
    for text in {*plain.labels, *plain.recalled} - given:
        score = plain.score(text)
        found_by = score.all if text in plain.recalled else score.tree
        assert last > 0 or found_by == 0
        assert found_by / mass <= last * (1 + 1e-5)


def assert_every_k(asked, everything, ks):
    """Assert that few answers are the best of many."""
    if not asked.plain.composer:
        for k in (*range(1, 11), *ks):
            assert_begin_alike(asked.answers(k), everything)
            assert len(asked.answers(k)) == min(k, len(everything))
        return
    ten = asked.answers(10)
    for k in range(1, 10):
        assert asked.answers(k) == ten[:k]
    for k in (10, *ks):
        assert_are_the_best(asked, asked.answers(k), k)


def assert_beams(asked, everything, k, beam):
    """Assert what an endless beam finds, what the published one does where it goes everywhere, and any other."""
    plain = asked.plain
    assert_begin_alike(asked.answers(1000, 1 << 20), everything)
    if asked.correct or plain.composer:
        return
    answers = asked.answers(k, beam)
    if plain.tree.goes_everywhere(asked.queries):
        found = plain.tree.published_beam(asked.prefix, asked.queries, beam)
        if found is not None and not plain.recalled:
            scores = sorted(found.values(), reverse=True)[:k]
            assert all(is_close(a[3], score) for a, score in zip(answers, scores, strict=True))
            assert all(is_close(a[3], found[plain.tree.texts.index(a[0])]) for a in answers)
    else:
        scores = {a[0]: a[3] for a in everything}
        assert len(answers) == min(k, len(everything))
        assert all(is_close(a[3], scores[a[0]]) for a in answers)


def assert_unlikely_are_left_out(asked, everything, least):
    """Assert that composed answers of small scores are left out, unless there is no other."""
    near = [a for a in everything if a[1] == _native.COMPOSED and a[3] == pytest.approx(least, rel=1e-9)]
    likely = [a for i, a in enumerate(everything) if i == 0 or a[1] != _native.COMPOSED or a[3] >= least]
    assert near or asked.answers(1000) == likely


def proposing_all(trained):
    """Return the model, but that it also proposes what is unlikely."""
    if not trained.composer:
        return trained
    settings = {**trained.composer.settings, "least": 0.0}
    return replace(trained, composer=replace(trained.composer, settings=settings))


def opened(trained, path):
    """Return the model, saved and opened."""
    save_model(trained, path)
    return Completer.load(path)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_contexts_of_many_words(order, tmp_path):
    rng = random.Random(order)
    words = sorted({"".join(rng.choices("abcdef", k=5)) for _ in range(700)})
    starts = [*words[::2], *(f"top {word}" for word in words[:300]), *(f"top of {word}" for word in words[200:260])]
    queries = [
        f"{start} {end}" for start, end in zip(starts, rng.choices([*words[:40], "of"], k=len(starts)), strict=True)
    ]
    examples = [
        Example((rng.choice(queries),) if rng.random() < 0.7 else (), "", query, float(rng.choice([1, 1, 2, 9])))
        for query in [*starts, *queries, *rng.choices(queries, k=500)]
    ]
    composer = ComposerConfig(share=0.5, least=0.0, order=order, associate_min=1)
    trained = train(examples, TrainingConfig(composer=composer), threads=1, quiet=True)
    plain, completer = PlainModel(examples, trained), opened(trained, tmp_path / "model")
    for prefix in ("", "a", "top ", "top a", "top of ", f"{words[0]} ", f"top {words[9]} ", f"top of {words[210]} a"):
        for said in ([], [queries[7]], [f"top {words[3]}", f"of {words[9]} {words[11]}"]):
            asked = Asked(plain, completer, prefix, said, compose=True, correct=False)
            assert_are_the_best(asked, asked.answers(10), 10)


@given(st.integers(0, 2**32 - 1))
def test_requests(seed):
    rng = random.Random(seed)
    config = rng.choice(PUBLISHED if rng.random() < 0.2 else CONFIGS)
    examples = make_log(rng, config)
    try:
        trained = train(examples, config, threads=1, quiet=True)
    except InputError:  # there is nothing to learn from
        return
    plain = PlainModel(examples, trained)
    with tempfile.TemporaryDirectory() as folder:
        eager, shy = opened(proposing_all(trained), f"{folder}/eager"), opened(trained, f"{folder}/shy")
        for prefix, queries in make_requests(rng, examples, config):
            how = {"compose": rng.random() < 0.7, "correct": rng.random() < 0.5}
            asked = Asked(plain, eager, prefix, queries, **how)
            everything = assert_all_answers(asked)
            assert_every_k(asked, everything, rng.choices(range(11, 1000), k=2))
            assert_beams(asked, everything, rng.randint(1, 20), rng.choice([1, 2, 10]))
            if not asked.correct:
                shyly = Asked(plain, shy, prefix, queries, **how)
                assert_unlikely_are_left_out(shyly, everything, config.composer.least)
