"""What the composer learns from: which queries show how words are written, and how much characters count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac import _native
from qac.completer import Completer
from qac.composer import fitting
from qac.composer.fitting import _telling
from qac.config import ComposerConfig, IndexConfig, TrainingConfig
from qac.errors import ModelError
from qac.examples import Example
from qac.model import load_model


def choose(queries):
    """Return which of ``queries``, lists of numbers of words, are chosen."""
    tokens = np.array([w for q in queries for w in q], np.uint32)
    return _telling(tokens, np.cumsum([len(q) for q in queries], dtype=np.int64)).tolist()


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=60))
def test_of_each_word_eight_queries_are_chosen(telling, queries):
    chosen = choose(queries)
    assert chosen == sorted(set(chosen))
    for word in range(6):
        having = {i for i, q in enumerate(queries) if word in q}
        assert len(having & set(chosen)) >= min(8, len(having))
    assert len(chosen) <= 8 * len({w for q in queries for w in q})
    assert chosen == choose(queries) == telling(queries)


def test_a_query_that_says_a_word_twice_is_one_of_eight():
    for n in range(8, 18):
        assert len(choose([[0, 0]] * n)) == 8


def test_of_a_long_log_so_many_are_chosen(monkeypatch):
    queries = [[i] for i in range(50)]
    assert choose(queries) == [*range(50)]
    monkeypatch.setattr(fitting, "_MOST_TELLING", 20)
    assert len(choose(queries)) == 20


def test_associations_counted_a_few_words_at_a_time_are_the_same(make_model, monkeypatch):
    log = [Example((f"a{i % 5} b{i % 3}",), "", f"c{i % 4} d{i % 7} a{i % 5}", 1.0) for i in range(60)]
    config = TrainingConfig(composer=ComposerConfig(associate_top=2))
    at_once = load_model(make_model(log, config)).arrays.composer
    monkeypatch.setattr(fitting, "_PRODUCTS", 3)
    by_few = load_model(make_model(log, config)).arrays.composer
    assert len(at_once.association) > 8
    for name in ("association_end", "association", "association_weight", "association_value"):
        assert getattr(at_once, name).tolist() == getattr(by_few, name).tolist()


def test_more_words_than_three_bytes_can_number_are_refused(make_model, monkeypatch):
    log = [Example((), "a", "a b", 1.0), Example((), "a", "a c", 1.0)]
    monkeypatch.setattr(_native, "MAX_SYMBOLS", 3)
    make_model(log)
    monkeypatch.setattr(_native, "MAX_SYMBOLS", 2)
    with pytest.raises(ModelError, match=r"at most 2 different words.* have 3; raise --min-count or .*--no-composer"):
        make_model(log)


def train(make_model, counts, spelling=None):
    """Train on queries of one word, made so often."""
    log = [Example((), "", f"query{i}", float(n)) for i, n in enumerate(counts)]
    config = TrainingConfig(index=IndexConfig(max_leaf=4), composer=ComposerConfig(spelling=spelling))
    return load_model(make_model(log, config)).arrays.composer


@pytest.mark.parametrize(
    ("counts", "spelling"),
    [
        ((1, 1, 1), 0.25),  # all are made once: so will the next be
        ((1, 2), 0.25 / 3),
        ((1, 1, 1, 3), 0.125),
        ((1, 1, 6), 0.0625),
        ((1, 1, 8), 0.0),  # a fifth is few
    ],
)
def test_characters_count_by_the_chance_of_a_new_query(make_model, counts, spelling):
    assert train(make_model, counts).settings["spelling"] == pytest.approx(spelling)
    assert train(make_model, counts, 0.7).settings["spelling"] == 0.7


@pytest.mark.parametrize(
    ("counts", "new", "share"),
    [
        ((1, 1, 1), 1.0, 1.0),
        ((1,) * 98 + (2,), 0.98, 0.0098 / 0.0298),  # odds of 49, a hundredth of them
        ((1, 2), 1 / 3, 0.02),  # the odds give a two-hundredth
        ((1, 199), 0.005, 0.005),
    ],
)
def test_the_composer_counts_by_the_chance_of_a_new_query(make_model, counts, new, share):
    settings = train(make_model, counts).settings
    assert settings["new_query"] == pytest.approx(new)
    assert settings["share"] == pytest.approx(share)


@pytest.mark.parametrize(("counts", "composes"), [((1, 199), True), ((1, 201), False), ((5, 5), False)])
def test_nothing_is_composed_where_hardly_a_query_is_new(make_model, counts, composes):
    assert (train(make_model, counts) is not None) == composes
    log = [Example((), "", "red shoes", 5.0)]
    asked_for = TrainingConfig(index=IndexConfig(max_leaf=4), composer=ComposerConfig(share=0.1))
    assert load_model(make_model(log, asked_for)).arrays.composer.settings["new_query"] == 0.001


def test_characters_are_those_of_the_chosen_queries_with_their_spaces(make_model):
    log = [Example((), "", q) for q in ("ab c", "b", "é d")]
    config = TrainingConfig(index=IndexConfig(max_leaf=4))
    composer = load_model(make_model(log, config)).arrays.composer
    assert "".join(map(chr, composer.alphabet)) == " abcdé"


# ---- words that are spelled ----

VERBS = ["ask", "bake", "call", "climb", "cook", "draw", "fish", "help", "jump", "kick", "look", "mix", "pack", "paint"]


@pytest.fixture(scope="module")
def inflecting(make_model):
    """Return a completer of a log in which every verb but one is inflected."""
    log = [Example((), "", f"{v} {end}") for v in VERBS for end in ("now", "here")]
    log += [Example((), "", f"start {v}ing") for v in VERBS[1:]]
    composer = ComposerConfig(share=1.0, least=0.0, spelling=0.5)
    return Completer.load(make_model(log, TrainingConfig(index=IndexConfig(max_leaf=4), composer=composer)))


def typed_words(answers, prefix):
    """Return the answers' words where the prefix's last one stands."""
    return [a.text.split(" ")[prefix.count(" ")] for a in answers]


def test_words_that_no_query_has_are_spelled(inflecting):
    found = typed_words(inflecting.complete("start aski", k=5), "start aski")
    assert "asking" in found
    assert "start asking" not in inflecting


@pytest.mark.parametrize("prefix", ["start a", "start ask", "start j", "c", "ca", "start paint", "fishin", "mix n"])
def test_spelled_words_start_with_what_is_typed(inflecting, prefix):
    partial = prefix.split(" ")[-1]
    found = typed_words(inflecting.complete(prefix, k=50), prefix)
    assert found
    assert all(w.startswith(partial) for w in found)


def test_spelled_words_are_known_ones_and_new_ones(inflecting):
    known = {*VERBS, *(v + "ing" for v in VERBS[1:]), "start", "now", "here"}
    found = set(typed_words(inflecting.complete("start c", k=50), "start c"))
    assert found >= {"calling", "climbing", "cooking"}
    assert found - known
