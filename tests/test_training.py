import random
import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from qac import _native
from qac._native import ExampleArrays
from qac.baselines import MostFrequent
from qac.completer import Completer
from qac.config import IndexConfig, PopularityConfig, RankerConfig, TrainingConfig
from qac.errors import InputError, ModelError
from qac.examples import Example
from qac.index.hybrid import build_tree
from qac.model import load_model
from qac.presets import PRESETS
from qac.saving import save_model
from qac.training import train
from qac.xlinear import RankingExamples, train_rankers

EXACT = {"loss": "softmax", "tolerance": 0.0, "max_passes": 2000, "prune": 0.0}


def fit(tree, X, Y, *, l2=0.1, threads=1, watch=lambda state: None, **options):
    """Train; return the weights of each node as {(feature, child): weight}, before they are rounded."""
    X, Y = sparse.csr_matrix(X, dtype=np.float32), sparse.csr_matrix(Y, dtype=np.float32)
    arrays = ExampleArrays(
        X.indptr[1:].astype(np.uint64),
        X.indices.astype(np.uint32),
        X.data,
        X.shape[1],
        Y.indptr[1:].astype(np.uint64),
        Y.indices.astype(np.uint32),
        Y.data,
    )
    r = _native.train(tree.arrays, arrays, l2=l2, threads=threads, watch=watch, **{**EXACT, **options})
    rows = np.concatenate([[0], np.cumsum(r.node_rows)]).astype(int)
    ends = np.concatenate([[0], r.row_end]).astype(int)
    return [
        {
            (int(r.row_feature[row]), int(r.entry_child[e])): float(r.entry_weight[e])
            for row in range(rows[i], rows[i + 1])
            for e in range(ends[row], ends[row + 1])
        }
        for i in range(len(r.node_rows))
    ]


def one_node(counts):
    return build_tree([chr(ord("a") + i) for i in range(len(counts))], np.array(counts, float), IndexConfig())


# ---- against known optima ----


@pytest.mark.parametrize("l2", [0.01, 0.1, 3.0])
def test_one_node_with_equal_counts_is_scikit_learns_logistic_regression(l2):
    # Every feature occurs with every child, so all weights exist, and equal counts make no offset: a multinomial
    # logistic regression without intercept, C = 1 / l2.
    X = np.array([[1, 0.5, 0], [0, 1, 0.5], [0.5, 0, 1], [1, 1, 1]], np.float32)
    Y = np.array([[5, 1, 2, 1], [1, 4, 1, 3], [2, 3, 4, 1]])  # labels x sessions
    ours = fit(one_node([9, 9, 9]), X, Y, l2=l2)[0]
    labels, sessions = np.indices(Y.shape).reshape(2, -1)
    oracle = LogisticRegression(C=1 / l2, fit_intercept=False, tol=1e-10, max_iter=10_000)
    oracle.fit(X.astype(float)[sessions], labels, sample_weight=Y.ravel())
    expected = {(f, c): oracle.coef_[c, f] for f in range(3) for c in range(3)}
    assert ours == pytest.approx(expected, abs=1e-4)


def optimum(X, Y, mass, l2):
    """Minimise the objective of one node with a solver that shares nothing with ours.

    X: sessions x features. Y: children x sessions. Weights only where feature and child occur together.
    """
    allowed = (X.T @ Y.T > 0).T  # children x features
    slots = np.argwhere(allowed)

    def objective(w):
        W = np.zeros(allowed.shape)
        W[allowed] = w
        z = X @ W.T + np.log(mass)  # sessions x children
        loss = -(Y.T * (z - logsumexp(z, axis=1, keepdims=True))).sum() + l2 / 2 * w @ w
        residual = np.exp(z - logsumexp(z, axis=1, keepdims=True)) * Y.sum(axis=0)[:, None] - Y.T
        return loss, (residual.T @ X)[allowed] + l2 * w

    found = minimize(
        objective, np.zeros(len(slots)), jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9}
    )
    return {(int(f), int(c)): w for (c, f), w in zip(slots, found.x, strict=True)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["trie", "kmeans", "hybrid"])
def test_every_node_of_a_tree_reaches_its_own_optimum(kind, seed):
    rng = np.random.default_rng(seed)
    texts = sorted({"".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(14)})
    counts = rng.integers(1, 50, len(texts)).astype(float)
    tree = build_tree(texts, counts, IndexConfig(kind, depth=1, max_leaf=3, branching=2))
    X = rng.random((9, 5)) * (rng.random((9, 5)) < 0.5)
    X[0] = 0  # a session without features teaches nothing
    Y = rng.integers(0, 4, (len(texts), 9)) * (rng.random((len(texts), 9)) < 0.5)
    X = X.astype(np.float32).astype(float)
    for node, ours in enumerate(fit(tree, X, Y, l2=0.3)):
        parts = [[~c] if c < 0 else tree.labels(c) for c in tree.children(node)]
        below = np.array([Y[part].sum(axis=0) for part in parts]) * (X.sum(axis=1) > 0)
        expected = optimum(X, below, np.array([counts[part].sum() for part in parts]), 0.3)
        assert ours == pytest.approx(expected, abs=2e-4), f"node {node}"


def test_weights_exist_only_where_feature_and_child_occur_together():
    X, Y = np.eye(3), np.array([[1, 0, 2], [0, 3, 1], [0, 0, 0]])
    assert set(fit(one_node([1, 1, 1]), X, Y)[0]) == {(0, 0), (1, 1), (2, 0), (2, 1)}


def test_small_weights_are_pruned():
    X, Y = np.eye(2), np.array([[50, 1], [1, 1]])
    tree = one_node([51, 2])
    everything = fit(tree, X, Y)[0]
    bound = sorted(abs(w) for w in everything.values())[2]
    assert fit(tree, X, Y, prune=bound)[0] == {k: w for k, w in everything.items() if abs(w) >= bound}
    assert fit(tree, X, Y, prune=1e9) == [{}]


def test_losses_are_negative_log_likelihoods():
    X, Y, counts = np.eye(2), np.array([[3, 1], [0, 4]]), np.array([3.0, 5.0])
    states = []
    W = fit(one_node(counts), X, Y, watch=states.append)[0]
    share = counts / counts.sum()
    assert states[-1].loss_start == pytest.approx(-(Y * np.log(share)[:, None]).sum(), rel=1e-9)
    z = np.array([[W.get((s, c), 0) + np.log(share[c]) for s in range(2)] for c in range(2)])
    assert states[-1].loss == pytest.approx(-(Y * (z - logsumexp(z, axis=0))).sum(), rel=1e-6)
    assert states[-1].work_done == states[-1].work_total == 3  # pairs of label and session


@pytest.mark.parametrize(("bits", "steps"), [(2, 1), (6, 31), (8, 127)])
def test_weights_are_rounded_to_within_half_a_step(bits, steps):
    rng = np.random.default_rng(0)
    X, Y = sparse.csr_matrix(rng.random((20, 6), np.float32)), sparse.csr_matrix(rng.integers(0, 3, (9, 20)))
    tree = build_tree([f"{i}" for i in range(9)], np.ones(9), IndexConfig("kmeans", max_leaf=3, branching=3))
    config = RankerConfig(l2=0.1, weight_bits=bits, **EXACT)
    rounded = train_rankers(tree, RankingExamples(X, Y), config, threads=1)
    exact = [w for node in fit(tree, X, Y) for _, w in sorted(node.items())]
    ends = np.concatenate([[0], rounded.row_end]).astype(int)
    node_of_row = np.repeat(np.arange(tree.n_nodes), rounded.node_rows)
    scale = np.repeat(rounded.scale[node_of_row], np.diff(ends))
    assert np.abs(rounded.entry_weight * scale - exact).max() <= scale.max() / 2 * 1.001
    assert np.abs(rounded.entry_weight).max() == steps


# ---- what does not matter ----


def log(n=400, seed=0):
    """Return examples in which a session's words say much of what comes next; whole counts, so that sums are exact."""
    rng = random.Random(seed)
    words = ["nikon", "nike", "new", "york", "note", "book", "müsli", "日本"]
    out = []
    for _ in range(n):
        a, b = rng.choice(words), rng.choice(words)
        history = [(), (a,), (a + " " + b,), (b, a + " " + a + " " + b)][rng.randrange(4)]
        following = rng.choice([a + " " + b, b + " " + a, a])
        out.append(Example(history, following[:2], following, rng.choice([1.0, 1.0, 2.0])))
    return out


CONFIGS = [
    TrainingConfig(),
    TrainingConfig(history=2, index=IndexConfig("hybrid", depth=2, max_leaf=2, branching=3)),
    TrainingConfig(use_prefix=True, index=IndexConfig("kmeans", max_leaf=4, branching=4)),
    TrainingConfig(index=IndexConfig("trie", max_leaf=1), ranker=RankerConfig(prune=0.0, tolerance=1e-7)),
    replace(
        PRESETS["kdd21-mustlink5"].config,
        index=IndexConfig("mustlink", max_leaf=2, branching=2, embedding="joint"),
        ranker=RankerConfig("hinge", matcher_beam=2),
    ),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_threads_and_the_order_of_examples_do_not_change_a_byte(make_model, config):
    examples = log()
    once = make_model(examples, config).read_bytes()
    for threads in (2, 3):
        assert make_model(examples, config, threads=threads).read_bytes() == once
    for seed in range(3):
        shuffled = random.Random(seed).sample(examples, len(examples))
        assert make_model(shuffled, config).read_bytes() == once


def test_equal_examples_and_one_with_their_count_teach_the_same(make_model):
    examples = log(100)
    single = [replace(e, count=1.0) for e in examples for _ in range(int(e.count))]
    a, b = (Completer.load(make_model(e), compose=False) for e in (examples, single))
    for prev in ("nikon", "new york", "日本 note"):
        assert a.complete("n", prev) == b.complete("n", prev)


# ---- what is learned ----


def test_without_a_session_it_is_most_popular_completion(make_model):
    examples = log()
    popular = MostFrequent().fit(examples)
    for config in (CONFIGS[0], CONFIGS[1], CONFIGS[3]):
        completer = Completer.load(make_model(examples, config), compose=False)
        for prefix in ("", "n", "new", "new ", "日", "m", "x"):
            wanted = popular.complete(prefix, k=1000)
            total = sum(c.score for c in wanted)
            found = completer.complete(prefix, k=1000)
            assert [c.text for c in found] == [c.text for c in wanted]
            assert [c.score for c in found] == pytest.approx([c.score / total for c in wanted], rel=1e-9)


def test_with_age_and_a_minimum_count_it_is_most_popular_completion_by_these(make_model):
    rng = random.Random(1)
    examples = [replace(e, count=1.0, time=rng.randrange(10**6)) for e in log(400)]
    half_life, least = 10**5, 3
    newest = max(e.time for e in examples)
    made, weight = ({False: Counter(), True: Counter()} for _ in range(2))  # as the next query or before another
    for e in examples:
        for side, query in [(False, e.next_query), *((True, q) for q in e.prev_queries[-1:])]:
            made[side][query] += 1
            weight[side][query] += 2 ** -((newest - e.time) / half_life)
    popular = {q: max(w[q] for w in weight.values()) for q in set().union(*made.values())}
    popular = {q: n for q, n in popular.items() if max(c[q] for c in made.values()) >= least}
    assert len(popular) < len(made[False] | made[True])
    config = replace(CONFIGS[0], popularity=PopularityConfig(half_life, least))
    completer = Completer.load(make_model(examples, config), compose=False)
    for prefix in ("", "n", "new", "new ", "日", "m", "x"):
        wanted = {q: n for q, n in popular.items() if q.startswith(prefix)}
        found = completer.complete(prefix, k=1000)
        assert [c.text for c in found] == sorted(wanted, key=lambda q: (-wanted[q], q))
        assert [c.score for c in found] == pytest.approx([wanted[c.text] / sum(wanted.values()) for c in found])


def test_times_change_nothing_where_age_plays_no_part(make_model):
    examples = log()
    timed = [replace(e, time=float(i)) for i, e in enumerate(examples)]
    assert make_model(timed).read_bytes() == make_model(examples).read_bytes()


def test_recent_steps_of_sessions_weigh_more(make_model):
    old = [Example(("camera",), "", "nikon", time=0)] * 3
    examples = [*old, *[Example(("camera",), "", "canon", time=100)] * 2, *[Example((), "", "canon", time=0)] * 9]
    plain, decayed = (
        Completer.load(make_model(examples, TrainingConfig(popularity=p)), compose=False)
        for p in (PopularityConfig(), PopularityConfig(half_life=20))
    )
    share = [{c.text: c.score for c in completer.complete("", "camera")}["canon"] for completer in (plain, decayed)]
    assert share[0] < 0.75 < share[1]


def test_a_rare_query_is_used_nowhere(make_model):
    examples = [Example(("big cat",), "", "cat food", 5.0), Example(("cat food",), "", "secret zx"), *log()]
    path = make_model(examples, TrainingConfig(popularity=PopularityConfig(min_count=2)))
    completer = Completer.load(path)
    assert "cat food" in completer
    assert "secret zx" not in completer
    for prefix, prev in (("s", "cat food"), ("secret", "cat food"), ("", "cat food"), ("z", "secret")):
        assert not any("zx" in c.text for c in completer.complete(prefix, prev, k=100))
    composer = load_model(path).arrays.composer
    assert b"secret" not in bytes(composer.word_text)
    assert ord("z") not in composer.alphabet


def test_the_session_bends_popularity(make_model):
    pairs = {("camera", "nikon"): 5, ("shoes", "nike"): 50, ("travel", "new york"): 20}
    completer = Completer.load(
        make_model([Example((a,), "", b, float(n)) for (a, b), n in pairs.items()]), compose=False
    )
    for prev, wanted in pairs:
        assert completer.complete("n", prev)[0].text == wanted
    assert completer.complete("n")[0].text == "nike"


def test_rankers_lower_the_loss():
    summary = train(log(), quiet=True).summary
    assert 0 < summary["loss"] < summary["loss_without_session"]


@pytest.mark.parametrize("use_prefix", [False, True])
def test_a_log_without_sessions_trains_on_popularity_alone(make_model, use_prefix):
    examples = [Example((), "", "b"), Example((), "", "a", 3.0)]
    completer = Completer.load(make_model(examples, TrainingConfig(use_prefix=use_prefix)), compose=False)
    assert [(c.text, c.score) for c in completer.complete("")] == [("a", 0.75), ("b", 0.25)]
    assert completer.complete("", "never seen")


def test_features_that_weigh_nothing_leave_popularity(make_model):
    config = TrainingConfig(word_weight=0, bigram_weight=0, query_weight=0, length_discount=0)
    completer = Completer.load(make_model(log(), config), compose=False)
    assert completer.complete("n", "nikon x", k=5) == completer.complete("n", "shoes", k=5)


@pytest.mark.parametrize("kind", ["trie", "kmeans", "hybrid"])
def test_queries_that_weigh_next_to_nothing_are_still_answered(make_model, kind):
    examples = [Example(("p",), "", f"a{i}", 1000.0) for i in range(60)]
    examples += [Example(("q",), "", "z" * 150 + f"{i:03}") for i in range(40)]
    config = TrainingConfig(length_discount=10, index=IndexConfig(kind, max_leaf=8, branching=3))
    completer = Completer.load(make_model(examples, config), compose=False)
    for prefix, n in (("z", 40), ("z" * 150 + "01", 10)):
        answers = completer.complete(prefix, "x", k=50)
        assert len(answers) == n
        assert sum(c.score for c in answers) == pytest.approx(1)


def test_labels_weigh_in_the_model_what_they_weighed_in_training(tmp_path):
    """Lengths beyond 255 code points are all alike; letters count, not bytes."""
    texts = ["a", "ab", "é" * 20, "b" * 254, "c" * 255, "d" * 256, "e" * 900]
    examples = [Example((), "", text, 3.0 + i) for i, text in enumerate(texts)]
    trained = train(examples, TrainingConfig(length_discount=0.7), quiet=True)
    save_model(trained, tmp_path / "m.qac")
    weights = load_model(tmp_path / "m.qac").arrays.weights()
    assert np.array_equal(weights, trained.tree.arrays.weight)
    per_count = {t: w / (3 + texts.index(t)) for t, w in zip(trained.labels.texts, weights.tolist(), strict=True)}
    assert per_count["é" * 20] / per_count["a"] == pytest.approx(20**-0.7, rel=1e-6)
    assert per_count["b" * 254] / per_count["a"] == pytest.approx(254**-0.7, rel=1e-6)
    for text in texts[-3:]:
        assert per_count[text] / per_count["a"] == pytest.approx(255**-0.7, rel=1e-6)
    assert weights.sum() == pytest.approx(trained.labels.counts.sum(), rel=1e-5)


def test_more_weights_than_a_model_can_hold_are_refused(tmp_path, monkeypatch):
    trained = train(log(), TrainingConfig(), quiet=True)
    monkeypatch.setattr("qac.saving._MAX_ROW_BYTES", 100)
    with pytest.raises(ModelError, match=r"at most 100 bytes of weights, this one has [\d,]+; raise --prune"):
        save_model(trained, tmp_path / "m.qac")
    assert list(tmp_path.iterdir()) == []


def test_sessions_that_differ_only_beyond_the_history_are_one():
    examples = [Example((old, "hotels"), "", "paris") for old in ("a", "b", "c")]
    assert train(examples, TrainingConfig(history=1), quiet=True).summary["sessions"] == 1
    assert train(examples, TrainingConfig(history=2), quiet=True).summary["sessions"] == 3


def test_older_queries_count_when_asked_to(make_model):
    examples = [Example((a, "hotels"), "", b, 5.0) for a, b in [("paris", "paris hotels"), ("rome", "rome hotels")]]
    forgetful, mindful = (
        Completer.load(make_model(examples, TrainingConfig(history=h)), compose=False) for h in (1, 2)
    )
    assert forgetful.complete("", ["rome", "hotels"]) == forgetful.complete("", ["paris", "hotels"])
    assert mindful.complete("", ["rome", "hotels"])[0].text == "rome hotels"
    assert mindful.complete("", ["paris", "hotels"])[0].text == "paris hotels"


# ---- refusals and cancelling ----


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(InputError, match="qac prep"):
        train([], quiet=True)


def test_a_query_too_long_for_a_model_is_named_before_learning(make_model):
    for text in ("x" * 4096, "é" * 2048):
        with pytest.raises(InputError, match="4,095 bytes"):
            train([Example((), "", text)], quiet=True)
    for text in ("x" * 4095, "é" * 2047):
        completer = Completer.load(make_model([Example((), "", text)]), compose=False)
        assert completer.complete(text[:-1])[0].text == text


@pytest.mark.parametrize(
    "options",
    [{"l2": 0}, {"l2": float("nan")}, {"tolerance": -1}, {"max_passes": 0}, {"prune": -1}, {"loss": "logistic"}],
)
def test_ranker_settings_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        RankerConfig(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"history": 0},
        {"age_decay": 1.5},
        {"word_weight": -1},
        {"query_weight": float("nan")},
        {"repeat_weight": 2},
        {"text": "raw"},
    ],
)
def test_training_settings_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        TrainingConfig(**options)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_in_watch_cancels(threads):
    def stop(state):
        raise KeyboardInterrupt

    rng = np.random.default_rng(0)
    X, Y = rng.random((300, 40)), rng.integers(0, 3, (60, 300))
    with pytest.raises(KeyboardInterrupt):
        fit(one_node(np.ones(60)), X, Y, l2=1e-6, max_passes=1 << 30, threads=threads, watch=stop)


def test_an_exception_in_watch_tells_the_native_code_to_stop(monkeypatch):
    """Small problems end by themselves before that shows: here the native code is one that only ends when told to."""
    real, cancelled, told = _native.training.lib, threading.Event(), []

    class Patient:
        def __getattr__(self, name):
            return getattr(real, name)

        def qac_progress_cancel(self, progress):
            cancelled.set()

        def qac_train(self, tree, examples, training, progress, out):
            told.append(cancelled.wait(10))
            return real.QAC_ECANCELLED

    def stop(state):
        raise KeyboardInterrupt

    monkeypatch.setattr(_native.training, "lib", Patient())
    with pytest.raises(KeyboardInterrupt):
        fit(one_node([1, 1]), np.eye(2), np.eye(2), watch=stop)
    assert told == [True]
