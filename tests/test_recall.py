"""What the session asked before its last query comes back, against the formula and the same model without recall."""

from dataclasses import replace

import pytest

from qac.completer import Completer
from qac.config import ComposerConfig, IndexConfig, TrainingConfig
from qac.examples import Example
from qac.model import load_model
from qac.saving import save_model
from qac.training import train

CONFIG = TrainingConfig(
    repeat_weight=1.0,
    index=IndexConfig(depth=2, max_leaf=2, branching=3),
    composer=ComposerConfig(share=0.3, least=0.0),
)
RATES = (0.2, 0.1, 0.05, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def models(tmp_path_factory, examples):
    """Return paths of the same model without recall and with RATES."""
    folder = tmp_path_factory.mktemp("recall")
    trained = train(examples, CONFIG, quiet=True)
    paths = []
    for name, rates in (("without", (0.0,) * len(RATES)), ("with", RATES)):
        paths.append(folder / f"{name}.qac")
        save_model(replace(trained, recall=rates), paths[-1])
    return paths


@pytest.fixture(scope="module", params=[False, True], ids=["labels alone", "composing"])
def pair(models, request):
    return [Completer.load(path, compose=request.param, correct=False) for path in models]


@pytest.fixture(scope="module")
def composing(models):
    return Completer.load(models[1], correct=False)


def scores(completer, prefix, prev, k=1000):
    return {a.text: a.score for a in completer.complete(prefix, prev, k)}


def queries(completer, n=6):
    """Return some known queries that share their first letter, and that letter."""
    found = [a.text for a in completer.complete("", k=1000)]
    first = max({t[0] for t in found}, key=lambda c: sum(t[0] == c for t in found))
    return [t for t in found if t[0] == first][:n], first


def test_the_formula(models, examples):
    """P = ((1 - R) P_tree + r unit) / ((1 - R) + sum of what comes back), a unit being all queries' weight over the
    range's, lengths discounted."""
    without, recalling = (Completer.load(path, compose=False, correct=False) for path in models)
    known, first = queries(without)
    last, older, oldest = known[:3]
    prev = (oldest, older, last)
    arrays = load_model(models[0]).arrays
    in_range = [i for i in range(len(without)) if load_model(models[0]).native.label_text(i).startswith(first)]
    weight = arrays.weights().astype(float)
    unit = weight.sum() / weight[in_range].sum()
    before, after = scores(without, first, prev), scores(recalling, first, prev)
    factor = {t: weight[i] / arrays.count[i] for i in in_range for t in [load_model(models[0]).native.label_text(i)]}
    back = {older: RATES[0] * factor[older] * unit, oldest: RATES[1] * factor[oldest] * unit}
    rest = 1 - RATES[0] - RATES[1]
    total = rest + sum(back.values())
    assert after.keys() == before.keys()
    for text, score in before.items():
        assert after[text] == pytest.approx((rest * score + back.get(text, 0)) / total, rel=1e-6)


def test_only_what_comes_back_gains(pair):
    """All others lose in the same proportion, and together they give what the recalled gain."""
    known, first = queries(pair[0])
    last, older, oldest, *_ = known
    before, after = (scores(c, first, (oldest, older, last)) for c in pair)
    ratios = {after[t] / before[t] for t in before.keys() & after.keys() - {older, oldest}}
    assert max(ratios) == pytest.approx(min(ratios), rel=1e-6)
    assert max(ratios) < 1
    assert after[older] > before[older]
    assert after[oldest] > before[oldest]


def test_a_query_is_as_old_as_its_newest_place_and_the_last_one_is_not_recalled(pair):
    recalling = pair[1]
    known, first = queries(recalling)
    a, b, c = known[:3]
    assert scores(recalling, first, (a, b, a, c)) != scores(recalling, first, (b, c))
    twice, once = scores(recalling, first, (a, b, a, c)), scores(recalling, first, (b, a, c))
    assert {t: s for t, s in twice.items() if t in (a, b)} == pytest.approx({t: once[t] for t in (a, b)}, rel=0.02)
    assert scores(recalling, first, (c, c)) == pytest.approx(scores(recalling, first, (c,)), rel=1e-9)


def test_a_prefix_that_it_does_not_have_leaves_it_out(pair):
    known, first = queries(pair[1])
    other = next(a.text for a in pair[1].complete("", k=1000) if a.text[0] != first)
    with_other, without = scores(pair[1], first, (other, known[0])), scores(pair[0], first, (other, known[0]))
    assert other not in with_other
    assert with_other == pytest.approx(without, rel=1e-6)


def test_no_session_recalls_nothing(pair):
    assert scores(pair[0], "", ()) == scores(pair[1], "", ())


def test_what_the_log_does_not_know_comes_back_too(composing):
    answers = composing.complete("zyx", ("zyxwv uts", "travel"), 10)
    assert answers[0].text == "zyxwv uts"
    assert answers[0].source == "session"
    assert "zyxwv uts" not in [a.text for a in composing.complete("zyx", ("travel", "zyxwv uts"), 10)][:1]
    assert [a.text for a in composing.complete("zyx", ("zyxwv uts", "travel"), 1)] == ["zyxwv uts"]


def test_what_the_composer_makes_too_stands_there_once(composing):
    """Words of the session are copied, so the composer makes its queries as well."""
    prev = ("cheap zyxwv", "zyxwv shoes")
    answers = composing.complete("cheap z", prev, 50)
    texts = [a.text for a in answers]
    assert len(texts) == len(set(texts))
    assert (answers[0].text, answers[0].source) == ("cheap zyxwv", "session")
    assert answers[1].source == "composed"


def test_without_composing_only_labels_come_back(models):
    alone = Completer.load(models[1], compose=False, correct=False)
    assert alone.complete("zyx", ("zyxwv uts", "travel"), 10) == []


def test_only_so_many_of_a_long_session_come_back(composing):
    """Those that the model's rates say."""
    session = [f"zyx {i}" for i in range(12)]
    found = [a.text for a in composing.complete("zyx ", (*session, "travel"), 20) if a.source == "session"]
    assert found == [f"zyx {i}" for i in (11, 10, 9)]


def test_the_reasons_name_it(composing):
    known, first = queries(composing)
    reason = composing.explain(first, (known[1], known[0]), known[1])
    assert 0 < reason.recalled <= 1
    assert composing.explain(first, (known[0],), known[1]).recalled == 0


@pytest.mark.parametrize(
    "session", [["zyx"] * 200, ["zyx " + "w " * 600], ["", "zyx", ""], ["zyx \u0301e", "😀" * 300]]
)
def test_odd_sessions_do_no_harm(composing, session):
    for prefix in ("", "z", "zyx", "zyx w", "😀"):
        answers = composing.complete(prefix, session, 20)
        assert all(a.text.startswith(prefix) for a in answers)
        assert sum(a.score for a in answers) <= 1 + 1e-6


def test_rates_are_learned(make_model):
    """Of sessions a, b nearly all come back to a."""
    back = [
        Example(("red shoes", "blue shoes"), "r", "red shoes", 900.0),
        Example(("green", "blue shoes"), "r", "red", 80.0),
    ]
    path = make_model([*back, Example((), "", "rose"), Example((), "", "blue shoes"), Example((), "", "green")])
    expected = 0.5 * 900 / (980 + 20)
    assert load_model(path).arrays.recall[0] == pytest.approx(expected)
