"""Hinge rankers against independent solvers of the same problem: scikit-learn's and a primal one of SciPy's."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from qac import _native
from qac._native import ExampleArrays
from qac.completer import Completer
from qac.config import ComposerConfig, DecodingConfig, IndexConfig, RankerConfig, TrainingConfig
from qac.errors import UsageError
from qac.examples import Example
from qac.index.hybrid import build_tree

PRECISE = {"loss": "hinge", "tolerance": 1e-9, "max_passes": 100_000, "prune": 0.0}
HINGE = TrainingConfig(
    ranker=RankerConfig("hinge", l2=1.0, tolerance=1e-4, max_passes=1000), composer=ComposerConfig(enabled=False)
)


def fit(tree, X, Y, *, l2=1.0, threads=1, watch=lambda state: None, **options):
    """Train; return each node's weights, before they are rounded, as an array (children, features)."""
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
    r = _native.train(tree.arrays, arrays, l2=l2, threads=threads, watch=watch, **{**PRECISE, **options})
    row_of_node = np.split(np.arange(len(r.row_feature)), np.cumsum(r.node_rows)[:-1].astype(int))
    ends = np.concatenate([[0], r.row_end]).astype(int)
    weights = []
    for node, rows in enumerate(row_of_node):
        W = np.zeros((len(tree.children(node)), X.shape[1]))
        for row in rows:
            span = slice(ends[row], ends[row + 1])
            W[r.entry_child[span], r.row_feature[row]] = r.entry_weight[span]
        weights.append(W)
    return weights


def primal(X, y, l2, positive_cost=1.0, negative_cost=1.0):
    cost = np.where(y > 0, positive_cost, negative_cost)

    def objective(w):
        slack = np.maximum(0, 1 - y * (X @ w))
        return l2 / 2 * w @ w + cost @ slack**2, l2 * w - 2 * X.T @ (cost * y * slack)

    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000}
    return minimize(objective, np.zeros(X.shape[1]), jac=True, method="L-BFGS-B", options=options).x


def below(tree, node, Y):
    """Return which sessions each child of a node followed: (children, sessions)."""
    parts = [[~c] if c < 0 else tree.labels(c) for c in tree.children(node)]
    return np.array([Y[part].sum(axis=0) > 0 for part in parts])


def problem(seed, kind="kmeans"):
    rng = np.random.default_rng(seed)
    texts = sorted({"".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(16)})
    tree = build_tree(texts, np.ones(len(texts)), IndexConfig(kind, depth=1, max_leaf=3, branching=2))
    X = rng.random((25, 6)) * (rng.random((25, 6)) < 0.5)
    X[:, -1] = 1
    Y = rng.integers(1, 4, (len(texts), 25)) * (rng.random((len(texts), 25)) < 0.15)
    return tree, X.astype(np.float32).astype(float), Y


@pytest.mark.parametrize(("l2", "positive", "negative"), [(1.0, 1.0, 1.0), (0.05, 1.0, 1.0), (1.0, 3.0, 0.5)])
def test_one_node_is_scikit_learns_dual_svm(l2, positive, negative):
    rng = np.random.default_rng(1)
    X = np.hstack([rng.random((40, 5)), np.ones((40, 1))]).astype(np.float32).astype(float)
    Y = rng.integers(0, 2, (3, 40))
    Y[0] |= Y.sum(axis=0) == 0  # every session was followed by something, so that it is there
    tree = build_tree(["a", "b", "c"], np.ones(3), IndexConfig())
    ours = fit(tree, X, Y, l2=l2, positive_cost=positive, negative_cost=negative)[0]
    for child in range(3):
        oracle = LinearSVC(
            loss="squared_hinge",
            dual=True,
            fit_intercept=False,
            C=1 / l2,
            tol=1e-9,
            max_iter=1_000_000,
            class_weight={0: negative, 1: positive},
            random_state=0,
        ).fit(X, Y[child])
        assert ours[child] == pytest.approx(oracle.coef_[0], abs=1e-4)


@pytest.mark.parametrize("kind", ["trie", "kmeans", "hybrid"])
def test_every_node_of_a_tree_reaches_its_own_optimum(kind):
    for seed in range(4):
        tree, X, Y = problem(seed, kind)
        for node, W in enumerate(fit(tree, X, Y, l2=0.5)):
            followed = below(tree, node, Y)
            here = followed.any(axis=0)
            for child, w in enumerate(W):
                wanted = primal(X[here], np.where(followed[child, here], 1, -1), 0.5) if here.any() else np.zeros(6)
                assert w == pytest.approx(wanted, abs=2e-4), (seed, node, child)


def matched(tree, X, weights, width):
    """Return the sessions that a beam search brings to each node, from the weights of the nodes above."""
    brought = [np.zeros(len(X), bool) for _ in range(tree.n_nodes)]
    for session, x in enumerate(X):
        beam = [(1.0, 0)]
        while beam:
            for _, node in beam:
                brought[node][session] = True
            scored = [
                (np.float32(score * math.exp(-(max(0, 1 - weights[node][c] @ x) ** 3))), child)
                for score, node in beam
                if not tree.is_leaf(node)
                for c, child in enumerate(tree.children(node))
                if child >= 0
            ]
            beam = sorted(scored, key=lambda item: (-item[0], item[1]))[:width]
    return brought


@pytest.mark.parametrize("width", [1, 2, 1000])
def test_matcher_aware_negatives_are_what_a_beam_brings(width):
    more = 0
    for seed in range(4):
        tree, X, Y = problem(seed)
        weights = fit(tree, X, Y, l2=0.5, matcher_beam=width)
        brought = matched(tree, X, weights, width)
        for node, W in enumerate(weights):
            followed = below(tree, node, Y)
            if not followed.any():
                continue
            here = followed.any(axis=0) | (brought[node] if node else False)
            more += here.sum() - followed.any(axis=0).sum()
            for child, w in enumerate(W):
                wanted = primal(X[here], np.where(followed[child, here], 1, -1), 0.5)
                assert w == pytest.approx(wanted, abs=2e-4), (seed, node, child)
    assert more > 20


def test_how_often_does_not_count_and_small_weights_are_pruned():
    tree, X, Y = problem(0)
    once, often = fit(tree, X, Y > 0), fit(tree, X, Y * 7)
    assert all(np.array_equal(a, b) for a, b in zip(once, often, strict=True))
    for pruned, w in zip(fit(tree, X, Y, prune=0.2), once, strict=True):
        assert np.array_equal(pruned, np.where(np.abs(w) >= 0.2, w, 0))


def test_losses_are_squared_slacks():
    tree, X, Y = problem(0)
    states = []
    weights = fit(tree, X, Y, positive_cost=2.0, watch=states.append)
    start = after = 0.0
    for node, W in enumerate(weights):
        followed = below(tree, node, Y)
        here = followed.any(axis=0)
        sign = np.where(followed[:, here], 1, -1)
        cost = np.where(sign > 0, 2.0, 1.0)
        start += cost.sum()
        after += (cost * np.maximum(0, 1 - sign * (W @ X[here].T)) ** 2).sum()
    assert states[-1].loss_start == pytest.approx(start)
    assert states[-1].loss == pytest.approx(after, rel=1e-4)


@pytest.mark.parametrize("width", [0, 3])
def test_any_number_of_threads_gives_the_same(width):
    tree, X, Y = problem(3)
    once = fit(tree, X, Y, tolerance=0.1, matcher_beam=width)
    for threads in (2, 4):
        again = fit(tree, X, Y, tolerance=0.1, matcher_beam=width, threads=threads)
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))


def test_an_exception_in_watch_cancels():
    def stop(state):
        raise KeyboardInterrupt

    rng = np.random.default_rng(0)
    tree = build_tree([chr(97 + i) for i in range(20)], np.ones(20), IndexConfig())
    with pytest.raises(KeyboardInterrupt):
        fit(tree, rng.random((2000, 40)), rng.integers(0, 2, (20, 2000)), tolerance=0, max_passes=1 << 30, watch=stop)


# ---- as a completer ----

EXAMPLES = [
    Example((a,), b[:1], b, 3.0)
    for a, b in [("camera", "nikon"), ("camera", "nikon lens"), ("shoes", "nike"), ("travel", "new york")] * 3
]


def test_the_session_decides_and_without_one_popularity_does(make_model):
    completer = Completer.load(make_model([*EXAMPLES, Example((), "", "nike", 9.0)], replace(HINGE, repeat_weight=1)))
    assert [completer.complete("n", prev)[0].text for prev in ("shoes", "travel")] == ["nike", "new york"]
    assert {c.text for c in completer.complete("n", "camera", k=2)} == {"nikon", "nikon lens"}
    assert [c.score for c in completer.complete("n")] == pytest.approx([18 / 45, 9 / 45, 9 / 45, 9 / 45])


def test_an_explanation_multiplies_up_to_the_score_and_names_the_bias(make_model):
    completer = Completer.load(make_model(EXAMPLES, replace(HINGE, index=IndexConfig("trie", max_leaf=1))))
    for answer in completer.complete("ni", "camera"):
        e = completer.explain("ni", "camera", answer.text)
        assert math.prod(s.probability for s in e.steps) == pytest.approx(answer.score)
        assert {s.prior for s in e.steps} == {1.0}
        for step in e.steps:
            margin = sum(p.weight for p in step.pushes)
            assert step.probability == pytest.approx(math.exp(-(max(0, 1 - margin) ** 3)), rel=1e-5)
        assert ("", "bias") in {(p.text, p.kind) for s in e.steps for p in s.pushes}


def test_a_filter_leaves_out_what_the_beam_did_not_find(make_model):
    config = replace(HINGE, index=IndexConfig("trie", max_leaf=1), decoding=DecodingConfig("filter", beam=1))
    path = make_model([*EXAMPLES, Example(("shoes",), "a", "adidas")] * 2, config)
    assert Completer.load(path).complete("a", "travel") == []  # the beam of 1 went to "n"
    everywhere = Completer.load(path, beam=100).complete("", "travel", k=100)
    assert Completer.load(path, beam=100).complete("a", "travel") == [c for c in everywhere if c.text == "adidas"]
    assert [c.text for c in Completer.load(path).complete("a")] == ["adidas"]  # popularity needs no beam


@pytest.mark.parametrize(
    "options", [{"ranker": RankerConfig("hinge")}, {"decoding": DecodingConfig("filter")}], ids=["hinge", "filter"]
)
def test_the_composer_needs_probabilities(options):
    with pytest.raises(UsageError, match="composer"):
        TrainingConfig(**options)
    TrainingConfig(**options, composer=ComposerConfig(enabled=False))


@pytest.mark.parametrize(
    "options",
    [
        {"positive_cost": 0},
        {"negative_cost": float("inf")},
        {"matcher_beam": -1},
        {"loss": "softmax", "matcher_beam": 1},
    ],
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=[*options][-1]):
        RankerConfig(**{"loss": "hinge", **options})


@pytest.mark.parametrize("options", [{"prefix": "ignore"}, {"beam": -1}])
def test_decoding_settings_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=next(iter(options))):
        DecodingConfig(**options)
