"""The search against a plain model of it: every label scored by a walk down the tree, with nothing left out or bounded.

The features come from the estimators, which have tests of their own; all else is done again here.
"""

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plain.tree import PlainTree
from qac import _native
from qac._native import CHILD_LABEL, NO_ID, NODE, ModelArrays, Vocabulary
from qac.config import IndexConfig
from qac.features.prefix import PrefixTfidfVectorizer
from qac.features.session import SessionVectorizer
from qac.index.hybrid import build_tree

FACTORS = np.random.default_rng(0).uniform(0.1, 10, 256)
"""On the counts of labels of each length."""
ALPHABETS = ("ab", "ab ", "aé日😀", "e\u0301\u0308ä", "नि\u200dम", "xyz0 ")
NONE = Vocabulary(np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint8), np.zeros(256, np.float32))


BITS = 6
MAX_WEIGHT = 31


def random_rankers(rng, tree, features, steepness):
    """Return random rankers, some features, some children each: arrays of a model, and each node's weights."""
    node = tree.arrays.node.copy()
    node["scale"] = rng.uniform(0, steepness, len(node)) / MAX_WEIGHT
    rows_of_node, row_feature, row_end, child, stored, weights = [], [], [], [], [], []
    for n in node:
        weights.append(defaultdict(dict))
        for f in np.flatnonzero(rng.random(features) < 0.6).tolist():
            chosen = np.flatnonzero(rng.random(n["n_children"]) < 0.6).tolist()
            if not chosen:
                continue
            steps = rng.integers(-MAX_WEIGHT, MAX_WEIGHT + 1, len(chosen)).tolist()
            row_feature.append(f)
            child += chosen
            stored += steps
            row_end.append(len(child))
            weights[-1][f] = {c: step * float(n["scale"]) for c, step in zip(chosen, steps, strict=True)}
        rows_of_node.append(len(weights[-1]))
    rows, node["n_blocks"] = _native.encode_rows(
        np.array(rows_of_node, np.uint32),
        np.ascontiguousarray(node["n_children"]),
        np.array(row_feature, np.uint32),
        np.array(row_end, np.uint64),
        np.array(child, np.uint16),
        np.array(stored, np.int8),
        BITS,
    )
    node["block"] = np.cumsum(node["n_blocks"]) - node["n_blocks"]
    return replace(tree.arrays, node=node), rows, weights


def assemble(
    texts, counts, tree, session, prefix, rng, repeat_weight=1.0, steepness=0.5, *, loss="softmax", filters=False
):
    """Return the plain and the native model of a tree, with random rankers.

    The tree's weights are the counts times a factor for each length.
    """
    features = session.n_features_ + (prefix.n_features_ if prefix else 0) + (loss == "hinge")
    encoded, blocks = _native.encode_labels(texts)
    tree_arrays, rows, weights = random_rankers(rng, tree, features, steepness)
    arrays = ModelArrays(
        session=session.config(),
        prefix=PrefixTfidfVectorizer(1, 2).config(),
        session_vocabulary=session.vocabulary_,
        prefix_vocabulary=prefix.vocabulary_ if prefix else NONE,
        tree=tree_arrays,
        count=counts,
        length=np.array([len(t) for t in texts], np.uint8),
        length_factor=FACTORS,
        node_count=tree.node_totals(counts),
        top_weight=tree.node_tops(tree.arrays.weight),
        top_count=tree.node_tops(counts),
        member_mass=tree.member_totals(tree.arrays.weight),
        member_count=tree.member_totals(counts),
        label_text=encoded,
        label_block=blocks,
        rows=rows,
        repeat_weight=repeat_weight,
        recall=(),
        loss=loss,
        filters=filters,
    )
    longest = max(len(t.encode()) for t in texts)
    return PlainTree(texts, arrays, session, prefix, weights), _native.Model(arrays, longest)


def weighed(texts, counts):
    """Return what labels weigh in a session."""
    return np.array([count * FACTORS[len(t)] for t, count in zip(texts, counts.tolist(), strict=True)], np.float32)


@st.composite
def models(draw):
    """Draw labels, a tree over them, vocabularies and random weights: a plain model and a native one."""
    alphabet = draw(st.sampled_from(ALPHABETS))
    label = st.text(st.sampled_from(alphabet), min_size=1, max_size=6)
    texts = sorted(draw(st.sets(label, min_size=1, max_size=45)))
    some_counts = st.lists(st.sampled_from([1, 1, 1, 2, 3, 10, 1000, 0.5]), min_size=len(texts), max_size=len(texts))
    counts = np.array(draw(some_counts), dtype=np.float32)
    tree = build_tree(
        texts,
        weighed(texts, counts),
        IndexConfig(
            draw(st.sampled_from(["trie", "kmeans", "hybrid", "mustlink"])),
            depth=draw(st.integers(1, 3)),
            max_leaf=draw(st.integers(1, 5)),
            branching=draw(st.integers(2, 5)),
        ),
    )
    session = SessionVectorizer(history=draw(st.integers(1, 3)), age_decay=0.5)
    session.fit([[text] for text in texts[::2]])
    prefix = PrefixTfidfVectorizer(1, 2).fit(texts) if draw(st.booleans()) else None
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    repeat_weight, steepness = draw(st.sampled_from([0.0, 0.25, 1.0])), draw(st.sampled_from([0, 3, 12]))
    kind = {"loss": draw(st.sampled_from(["softmax", "hinge"])), "filters": draw(st.booleans())}
    return assemble(texts, counts, tree, session, prefix, rng, repeat_weight, steepness, **kind)


@st.composite
def requests(draw):
    """Draw a model and what it is asked: prefixes of labels and others, sessions of labels and others."""
    plain, native = draw(models())
    some = st.sampled_from(plain.texts)
    prefix = draw(st.one_of(some.flatmap(lambda t: st.integers(0, len(t)).map(lambda n: t[:n])), st.just("?a")))
    queries = draw(st.lists(st.one_of(some, some.map(lambda t: t + " " + t), st.just("?")), max_size=4))
    return plain, native, prefix, [q for q in queries if q.strip()]


def complete(native, prefix, queries, k, beam=0):
    found = native.complete_in_detail(prefix.encode(), "\n".join(queries).encode(), k, beam)
    assert {(source, asked, *shares) for _, source, asked, _, *shares in found} <= {
        (_native.INDEX, len(prefix.encode()), 0, 0)
    }
    return [(text, score) for text, _, _, score, *_ in found]


def assert_are_the_best(found, scores, texts, k):
    """Assert that ``found`` is the best k of ``scores``, in order; equal scores may differ by rounding."""
    best = sorted(scores.values(), reverse=True)[:k]
    assert [score for _, score in found] == pytest.approx(best, rel=1e-9, abs=1e-300)
    assert len({text for text, _ in found}) == len(found)
    for text, score in found:
        assert score == pytest.approx(scores[texts.index(text)], rel=1e-9, abs=1e-300)


@given(requests(), st.integers(1, 50))
def test_exact_search_is_brute_force(request_, k):
    plain, native, prefix, queries = request_
    found = complete(native, prefix, queries, k)
    assert_are_the_best(found, plain.scores(prefix, queries), plain.texts, k)
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)
    assert all(text.startswith(prefix) for text, _ in found)


@given(requests(), st.integers(1, 50))
def test_fewer_answers_are_the_first_of_more(request_, k):
    _, native, prefix, queries = request_
    assert complete(native, prefix, queries, k) == complete(native, prefix, queries, 1000)[:k]


@given(requests())
def test_scores_of_all_that_match_share_out_one(request_):
    plain, native, prefix, queries = request_
    found = complete(native, prefix, queries, 1000)
    matching = [t for t in plain.texts if t.startswith(prefix)]
    assert {text for text, _ in found} == set(matching)
    probabilities = not queries or (plain.arrays.loss == "softmax" and not plain.arrays.filters)
    if matching and probabilities and not (queries and queries[-1] in matching):
        assert math.fsum(score for _, score in found) == pytest.approx(1, rel=1e-9)


@given(requests(), st.integers(1, 50), st.sampled_from([1, 2, 3, 8]))
def test_a_beam_finds_as_many_and_scores_them_alike(request_, k, beam):
    plain, native, prefix, queries = request_
    scores = plain.scores(prefix, queries)
    found = complete(native, prefix, queries, k, beam)
    if not plain.goes_everywhere(queries):
        assert len(found) == min(k, len(scores))
    for text, score in found:
        assert score == pytest.approx(scores[plain.texts.index(text)], rel=1e-9, abs=1e-300)
    assert complete(native, prefix, queries, k, beam=100_000) == complete(native, prefix, queries, k)


@given(requests(), st.integers(1, 50), st.sampled_from([1, 2, 3, 8]))
def test_a_published_beam_is_brute_force(request_, k, beam):
    plain, native, prefix, queries = request_
    assume(plain.goes_everywhere(queries))
    found = complete(native, prefix, queries, k, beam)
    scores = plain.published_beam(prefix, queries, beam)
    assume(scores is not None)
    assert_are_the_best(found, scores, plain.texts, k)


@given(requests())
def test_ties_go_to_the_label_that_stands_first(request_):
    """Without features scores are exact shares of counts, so that ties are ties to the last bit."""
    plain, native, prefix, _ = request_
    if plain.prefix:
        return
    counts = plain.arrays.count
    matching = [i for i, text in enumerate(plain.texts) if text.startswith(prefix)]
    wanted = sorted(matching, key=lambda i: (-counts[i], i))
    total = math.fsum(counts[matching].tolist())
    for k in (1, 2, 5, 1000):
        found = complete(native, prefix, [], k)
        assert [text for text, _ in found] == [plain.texts[i] for i in wanted[:k]]
        assert [score for _, score in found] == pytest.approx([counts[i] / total for i in wanted[:k]], rel=1e-12)


@pytest.mark.parametrize("kind", ["trie", "kmeans", "hybrid"])
def test_close_races_are_decided_right(kind):
    """Nodes with little more in them than their best label, and labels nearly as good, leave bounds no slack."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        texts = sorted({"".join(rng.choice(list("abcd"), rng.integers(1, 4))) for _ in range(40)})
        counts = rng.choice([1, 1, *range(97, 104)], len(texts)).astype(np.float32)
        tree = build_tree(texts, weighed(texts, counts), IndexConfig(kind, depth=1, max_leaf=2, branching=3))
        plain, native = assemble(texts, counts, tree, SessionVectorizer().fit([["w"]]), None, rng)
        wanted = sorted(plain.scores("", []).items(), key=lambda item: (-counts[item[0]], item[0]))
        for k in range(1, 8):
            assert [text for text, _ in complete(native, "", [], k)] == [texts[i] for i, _ in wanted[:k]]
            assert_are_the_best(complete(native, "", ["w"], k), plain.scores("", ["w"]), texts, k)


@pytest.mark.parametrize("session", [[], ["?"]], ids=["by counts", "by weights"])
@pytest.mark.parametrize("kind", ["trie", "kmeans", "hybrid", "mustlink"])
def test_popularity_is_exact_for_any_range(kind, session):
    """Few different counts tie, ranges that are no prefix's cut nodes, and light labels stand beside heavy ones.

    What has no features goes by mass alone, in a session by weights: the heaviest first, of equals the first.
    """
    rng = np.random.default_rng(1)
    for _ in range(20):
        texts = sorted({"".join(rng.choice(list("abc"), rng.integers(1, 6))) for _ in range(rng.integers(2, 150))})
        counts = rng.choice(rng.choice([1, 2, 3, 0.1, 1e-6, 5e8], 3), len(texts)).astype(np.float32)
        shape = IndexConfig(kind, depth=rng.integers(1, 4), max_leaf=rng.integers(1, 6), branching=rng.integers(2, 5))
        tree = build_tree(texts, weighed(texts, counts), shape)
        _, native = assemble(texts, counts, tree, SessionVectorizer().fit([["w"]]), None, rng)
        of_label = (weighed(texts, counts) if session else counts).tolist()
        for prefix in ["", *{t[: rng.integers(1, 4)] for t in rng.choice(texts, 10)}]:
            matching = [i for i, text in enumerate(texts) if text.startswith(prefix)]
            best = sorted(matching, key=lambda i: (-of_label[i], i))
            total = math.fsum(of_label[i] for i in matching)
            for k in (1, 2, 3, 10, 1000):
                found = complete(native, prefix, session, k)
                assert [text for text, _ in found] == [texts[i] for i in best[:k]]
                assert [s for _, s in found] == pytest.approx([of_label[i] / total for i in best[:k]], rel=1e-9)


@given(requests())
def test_no_label_reaches_the_top_of_its_node(request_):
    plain, _, _, _ = request_
    a, tree = plain.arrays, plain.tree
    for tops, values in ((a.top_weight, a.tree.weight), (a.top_count, a.count)):
        for node in range(tree.n_nodes):
            largest = values[tree.labels(node)].max()
            assert largest < tops[node] == np.nextafter(largest, np.float32(np.inf))


@given(requests())
def test_labels_are_found_and_ranges_are_right(request_):
    plain, native, prefix, queries = request_
    matching = [i for i, text in enumerate(plain.texts) if text.startswith(prefix)]
    assert list(range(*native.prefix_range(prefix.encode()))) == matching
    assert [native.label_text(i) for i in range(len(plain.texts))] == plain.texts
    for text in [*plain.texts, *queries, prefix, ""]:
        label = plain.texts.index(text) if text in plain.texts else None
        assert native.find_label(text.encode()) == label
    with pytest.raises(_native.NativeError, match="EINVAL"):
        native.label_text(len(plain.texts))


@given(requests())
def test_an_explanation_multiplies_up_to_the_score(request_):
    plain, native, prefix, queries = request_
    scores = plain.scores(prefix, queries)
    features = plain.features(prefix, queries)
    mass, session = plain.masses(queries), "\n".join(queries).encode()
    total = sum(mass if plain.goes_everywhere(queries) else (mass[label] for label in scores))
    hinge = plain.arrays.loss == "hinge" and bool(queries)
    for label, score in list(scores.items())[:8]:
        found, steps = native.explain(prefix.encode(), session, label)
        repeats = bool(queries) and queries[-1] == plain.texts[label]
        factor = plain.arrays.repeat_weight if repeats else 1
        assert math.prod(s.probability for s in steps) * factor == pytest.approx(score, rel=1e-9, abs=1e-300)
        if hinge:
            assert {s.prior for s in steps} == {1.0}
        else:
            assert math.prod(s.prior for s in steps) == pytest.approx(mass[label] / total, rel=1e-9)
        assert [s.node for s in steps] == plain.tree.path(label)
        assert {f.id: f.value for f in found} == pytest.approx(features, rel=1e-6)
        for s in steps:
            weights = plain.weights[s.node]
            wanted = {f: weights[f][s.choice] * x for f, x in features.items() if s.choice in weights.get(f, {})}
            pushed = {found[i].id: weight for i, weight in s.pushes}
            decided = len(plain.tree.children(s.node)) > 1 if hinge else s.alternatives > 1
            assert pushed == (pytest.approx(wanted, rel=1e-6) if decided else {})


@given(requests())
def test_what_does_not_match_cannot_be_explained(request_):
    plain, native, prefix, queries = request_
    other = [i for i, text in enumerate(plain.texts) if not text.startswith(prefix)]
    for label in [*other[:2], len(plain.texts), NO_ID]:
        with pytest.raises(_native.NativeError, match="EINVAL"):
            native.explain(prefix.encode(), "\n".join(queries).encode(), label)


def test_answers_that_are_all_pushed_far_down_still_share_out_one():
    """Two labels, both pushed down by exp(-30): their shares are those of their counts, not rounding noise."""
    session = SessionVectorizer(query_weight=0, bigram_weight=0).fit([["w"]])
    tree = build_tree(["a", "b"], np.array([1.0, 3.0]), IndexConfig(max_leaf=2))
    rows, blocks_of_node = _native.encode_rows(
        np.array([1], np.uint32),
        np.array([2], np.uint32),
        np.zeros(1, np.uint32),
        np.array([2], np.uint64),
        np.array([0, 1], np.uint16),
        np.array([-MAX_WEIGHT, -MAX_WEIGHT], np.int8),
        BITS,
    )
    node = tree.arrays.node.copy()
    node["n_blocks"], node["scale"] = blocks_of_node, np.float32(30 / MAX_WEIGHT)
    encoded, blocks = _native.encode_labels(["a", "b"])
    arrays = ModelArrays(
        session=session.config(),
        prefix=PrefixTfidfVectorizer().config(),
        session_vocabulary=session.vocabulary_,
        prefix_vocabulary=NONE,
        tree=replace(tree.arrays, node=node),
        count=tree.arrays.weight,
        length=np.ones(2, np.uint8),
        length_factor=np.ones(256),
        node_count=np.array([4.0]),
        top_weight=tree.node_tops(tree.arrays.weight),
        top_count=tree.node_tops(tree.arrays.weight),
        member_mass=np.zeros(1),
        member_count=np.zeros(1),
        label_text=encoded,
        label_block=blocks,
        rows=rows,
        repeat_weight=1.0,
        recall=(),
    )
    found = complete(_native.Model(arrays, 1), "", ["w"], 2)
    assert [text for text, _ in found] == ["b", "a"]
    assert [score for _, score in found] == pytest.approx([0.75, 0.25], rel=1e-12)


def test_nodes_have_the_layout_of_the_header():
    assert NODE.names == ("mass", "lo", "hi", "child", "n_children", "block", "n_blocks", "scale", "flags")
    assert CHILD_LABEL == 1 << 31
