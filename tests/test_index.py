import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from qac._native import CHILD_LABEL, NODE_CLUSTERED, NODE_CLUSTERS, NODE_LEAF
from qac.config import IndexConfig
from qac.errors import InputError
from qac.features.base import unit_rows
from qac.features.prefix import PrefixTfidfVectorizer
from qac.index.embeddings import TextRows, embed_labels, positive_instances
from qac.index.hybrid import build_tree

# The eight strings of the figure of Yadav et al. (KDD 2021, arXiv 2012.07654) that shows the three indexes.
FIGURE = ["a", "ab", "abc", "abd", "abfgh", "abfgi", "bcde", "bcdf"]
COUNTS = np.array([1, 2, 4, 8, 16, 32, 64, 128], dtype=np.float64)  # every set of labels has a mass of its own


def build(kind, *, texts=FIGURE, counts=COUNTS, **options):
    return build_tree(texts, counts, IndexConfig(kind, **options))


def outline(tree, texts=FIGURE, node=0):
    """Return the tree as nested lists of labels' texts."""
    return [texts[~c] if c < 0 else outline(tree, texts, c) for c in tree.children(node)]


def flags(tree, flag):
    return [i for i in range(tree.n_nodes) if tree.arrays.node["flags"][i] & flag]


# ---- the figure ----


def test_trie_of_the_figure():
    tree = build("trie", max_leaf=1)
    assert outline(tree) == [["a", ["ab", "abc", "abd", ["abfgh", "abfgi"]]], ["bcde", "bcdf"]]
    # Breadth first: the root, "a", "bcd", "ab", "abf". A label that ends where others go on is a child of its own.
    assert [tree.children(i) for i in range(tree.n_nodes)] == [
        [1, 2],
        [~0, 3],
        [~6, ~7],
        [~1, ~2, ~3, 4],
        [~4, ~5],
    ]
    assert [tree.labels(i).tolist() for i in range(5)] == [[*range(8)], [*range(6)], [6, 7], [1, 2, 3, 4, 5], [4, 5]]
    assert tree.arrays.node["mass"].tolist() == [255, 63, 192, 62, 48]
    assert flags(tree, NODE_LEAF | NODE_CLUSTERED | NODE_CLUSTERS) == []
    assert len(tree.arrays.members) == 0
    assert [tree.path(label) for label in range(8)] == [
        [0, 1],
        [0, 1, 3],
        [0, 1, 3],
        [0, 1, 3],
        [0, 1, 3, 4],
        [0, 1, 3, 4],
        [0, 2],
        [0, 2],
    ]
    assert tree.levels() == [
        {"nodes": 1, "leaves": 0, "clusters": 0, "labels": 0},
        {"nodes": 2, "leaves": 0, "clusters": 0, "labels": 3},
        {"nodes": 1, "leaves": 0, "clusters": 0, "labels": 3},
        {"nodes": 1, "leaves": 0, "clusters": 0, "labels": 2},
    ]


@pytest.mark.parametrize(
    ("max_leaf", "wanted", "leaves"),
    [
        (2, [["a", ["ab", "abc", "abd", ["abfgh", "abfgi"]]], ["bcde", "bcdf"]], [2, 4]),
        (4, [["a", ["ab", "abc", "abd", ["abfgh", "abfgi"]]], ["bcde", "bcdf"]], [2, 4]),
        (5, [["a", FIGURE[1:6]], ["bcde", "bcdf"]], [2, 3]),
        (6, [FIGURE[:6], ["bcde", "bcdf"]], [1, 2]),
        (8, FIGURE, [0]),
    ],
)
def test_small_nodes_of_the_trie_are_leaves(max_leaf, wanted, leaves):
    tree = build("trie", max_leaf=max_leaf)
    assert outline(tree) == wanted
    assert flags(tree, NODE_LEAF) == leaves


def test_kmeans_of_the_figure_halves_and_halves_again():
    tree = build("kmeans", max_leaf=1, branching=2)
    assert [len(tree.labels(i)) for i in range(tree.n_nodes)] == [8, 4, 4, 2, 2, 2, 2]
    assert flags(tree, NODE_CLUSTERS) == [*range(7)]
    assert flags(tree, NODE_CLUSTERED) == [*range(1, 7)]
    # Weighted by position, strings that begin alike are near each other: "bcde" and "bcdf" stay together.
    assert tree.path(6) == tree.path(7)


def test_hybrid_of_the_figure_is_a_trie_above_and_clusters_below():
    tree = build("hybrid", depth=1, max_leaf=1, branching=2)
    assert [tree.labels(c).tolist() for c in tree.children(0)] == [[0, 1, 2, 3, 4, 5], [6, 7]]
    assert not tree.arrays.node["flags"][0] & NODE_CLUSTERS
    assert sorted(len(tree.labels(c)) for c in tree.children(1)) == [3, 3]
    assert sorted(tree.children(2)) == [~7, ~6]  # clusters have no order
    assert set(flags(tree, NODE_CLUSTERS)) == set(range(1, tree.n_nodes))


def test_hybrid_at_depth_two_splits_the_first_two_characters():
    tree = build("hybrid", depth=2, max_leaf=2, branching=5)
    # "bcd…" shares three characters at once: it is deep enough. "ab…" is cut into five clusters of one.
    assert outline(tree) == [["a", outline(tree, node=3)], ["bcde", "bcdf"]]
    assert sorted(outline(tree, node=3)) == FIGURE[1:6]
    assert flags(tree, NODE_LEAF) == [2]
    assert flags(tree, NODE_CLUSTERS) == [3]


def test_hybrid_deeper_than_the_labels_is_the_trie():
    deep, trie = build("hybrid", depth=99, max_leaf=1).arrays, build("trie", max_leaf=1).arrays
    assert all(np.array_equal(getattr(deep, name), getattr(trie, name)) for name in ("node", "children", "members"))


def test_depth_counts_code_points():
    texts = ["é", "éa", "éb", "日x", "日y", "😀a", "😀b"]
    tree = build("hybrid", depth=1, max_leaf=1, branching=3, texts=texts, counts=np.ones(7))
    assert [len(tree.labels(c)) for c in tree.children(0)] == [3, 2, 2]
    assert flags(tree, NODE_CLUSTERS) == [1, 2, 3]


def test_one_label_is_a_leaf_by_itself():
    for kind in ("trie", "kmeans", "hybrid"):
        tree = build(kind, texts=["x"], counts=np.ones(1), max_leaf=1)
        assert tree.children(0) == [~0]
        assert tree.path(0) == [0]
        with pytest.raises(KeyError):
            tree.path(1)


def test_a_label_of_thousands_of_characters_and_all_its_beginnings():
    texts = ["x" * n for n in range(1, 1200)]
    tree = build("trie", texts=texts, counts=np.ones(len(texts)), max_leaf=1)
    assert len(tree.path(len(texts) - 1)) == len(texts) - 1


# ---- properties ----

label_sets = st.sets(st.text(st.sampled_from("ab é\u0301日😀"), min_size=1, max_size=7), min_size=1, max_size=60).map(
    sorted
)
configs = st.builds(
    IndexConfig,
    st.sampled_from(["trie", "kmeans", "hybrid", "mustlink"]),
    depth=st.none() | st.integers(1, 4),
    max_leaf=st.integers(1, 6),
    branching=st.integers(2, 9),
    seed=st.integers(0, 3),
)


def same(a, b):
    return all(np.array_equal(getattr(a.arrays, n), getattr(b.arrays, n)) for n in ("node", "children", "members"))


@given(label_sets, configs, st.randoms(use_true_random=False))
def test_what_holds_for_every_tree(texts, config, random):
    counts = np.array([random.choice([0.5, 1, 1, 2, 1000]) for _ in texts])
    tree = build_tree(texts, counts, config)
    node = tree.arrays.node
    assert same(tree, build_tree(texts, counts, config))
    assert tree.labels(0).tolist() == [*range(len(texts))]
    held, numbered, levels = [], [], {0: 0}
    for i in range(tree.n_nodes):
        labels, children = tree.labels(i).tolist(), tree.children(i)
        f = int(node["flags"][i])
        parts = [[~c] if c < 0 else tree.labels(c).tolist() for c in children]
        levels |= dict.fromkeys((c for c in children if c >= 0), levels[i] + 1)
        held += [~c for c in children if c < 0]
        numbered += [c for c in children if c >= 0]
        assert len(children) == node["n_children"][i]
        assert node["mass"][i] == counts[labels].sum()
        assert labels == sorted(labels)
        assert sorted(sum(parts, [])) == labels  # noqa: RUF017 - short lists
        shared = len(_common(texts[labels[0]], texts[labels[-1]]))
        ends = config.kind == "trie" and config.depth is not None and shared >= config.depth
        assert bool(f & NODE_LEAF) == (len(labels) <= config.max_leaf or ends)
        assert all(len(part) > 1 for part, c in zip(parts, children, strict=True) if c >= 0)
        if f & NODE_CLUSTERS:
            assert config.kind != "trie"
            assert config.kind != "hybrid" or shared >= config.resolved_depth
            linked = _linked(texts, labels, levels[i], config) if config.kind == "mustlink" else 0
            begins = {texts[label][:linked] if linked else label for label in labels}
            assert len(parts) == min(config.branching, len(begins))
            if linked:  # no beginning stands in two parts
                assert sum(len({texts[label][:linked] for label in part}) for part in parts) == len(begins)
            else:
                sizes = {len(p) for p in parts}
                assert max(sizes) - min(sizes) <= 1
        else:
            assert sum(parts, []) == labels  # noqa: RUF017
            assert f & NODE_LEAF or config.kind in ("trie", "hybrid")
            assert not (f & NODE_CLUSTERED) or f & NODE_LEAF
        if not f & (NODE_CLUSTERS | NODE_LEAF):
            nexts = [{texts[label][shared : shared + 1] for label in part} for part in parts]
            assert all(len(n) == 1 for n in nexts)  # every child goes on with one character, or ends
            assert len(set.union(*nexts)) == len(parts)
            assert config.resolved_depth is None or shared < config.resolved_depth
    assert sorted(held) == [*range(len(texts))]
    assert numbered == [*range(1, tree.n_nodes)]
    assert sum(level["labels"] for level in tree.levels()) == len(texts)
    assert sum(level["nodes"] for level in tree.levels()) == tree.n_nodes
    for label in range(len(texts)):
        assert ~label in tree.children(tree.path(label)[-1])


def _linked(texts, labels, level, config):
    """Return how many code points must link at a node of a level: one more than it, and more where all share those."""
    for length in range(level + 1, config.resolved_depth + 1):
        if len({texts[label][:length] for label in labels}) > 1:
            return length
    return 0


def _common(a, b):
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]


@given(st.integers(2, 300), st.integers(2, 40))
def test_clusters_of_any_number_of_labels_are_balanced(n, branching):
    texts = sorted(f"{i * 7919 % n:x}" for i in range(n))
    tree = build("kmeans", texts=texts, counts=np.ones(n), max_leaf=1, branching=branching)
    sizes = [1 if c < 0 else len(tree.labels(c)) for c in tree.children(0)]
    parts = min(branching, n)
    assert sorted(sizes) == sorted([n // parts] * (parts - n % parts) + [n // parts + 1] * (n % parts))


def test_must_link_clusters_of_the_figure():
    """At the root labels of one first letter stay together; below, those of two first letters, and so on."""
    tree = build("mustlink", max_leaf=1, branching=2, depth=3)
    by_letter = {frozenset(tree.labels(c).tolist()) for c in tree.children(0)}
    assert by_letter == {frozenset(range(6)), frozenset({6, 7})}
    a = next(c for c in tree.children(0) if len(tree.labels(c)) == 6)
    assert {frozenset([~c] if c < 0 else tree.labels(c).tolist()) for c in tree.children(a)} == {
        frozenset({0}),  # "a", whose first two letters are itself
        frozenset(range(1, 6)),
    }


def test_linked_labels_weigh_as_many_as_they_are():
    texts = sorted([f"a{i}" for i in range(30)] + [f"{c}{i}" for c in "bcd" for i in range(10)])
    tree = build("mustlink", texts=texts, counts=np.ones(60), max_leaf=1, branching=2, depth=1)
    sizes = sorted(len(tree.labels(c)) for c in tree.children(0))
    assert sizes in ([20, 40], [30, 30])  # whole letters, as near to halves as their order allows


def test_the_seed_changes_the_clusters():
    texts = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    trees = [build("kmeans", texts=texts, counts=np.ones(64), max_leaf=1, branching=4, seed=s) for s in range(5)]
    assert any(not same(trees[0], t) for t in trees)


def test_a_label_among_children_is_marked():
    children = build("trie", max_leaf=1).arrays.children
    assert children.tolist() == [
        1,
        2,
        CHILD_LABEL,
        3,
        CHILD_LABEL | 6,
        CHILD_LABEL | 7,
        CHILD_LABEL | 1,
        CHILD_LABEL | 2,
        CHILD_LABEL | 3,
        4,
        CHILD_LABEL | 4,
        CHILD_LABEL | 5,
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "btree"},
        {"embedding": "bert"},
        {"depth": 0},
        {"max_leaf": 0},
        {"max_leaf": 65537},
        {"branching": 1},
        {"branching": 65537},
        {"seed": -1},
        {"depth": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options)).replace("kind", "index")):
        IndexConfig(**options)


# ---- embeddings ----

X = sparse.csr_matrix(np.array([[3, 4, 0], [0, 1, 0], [0, 0, 0], [0, 0, 2]], np.float32))
Y = sparse.csr_matrix(np.array([[1, 9, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 1]], np.float32))


def test_positive_instances_are_summed_once_each():
    expected = [[3, 5, 0] / np.sqrt(34), [0, 0, 0], [0, 0, 0], [3, 4, 2] / np.sqrt(29)]
    assert positive_instances(X, Y).toarray() == pytest.approx(np.array(expected), rel=1e-6)


def test_joint_embeddings_have_length_one_and_both_parts():
    texts = ["a", "ab", "b", "ba"]
    by_text, pifa, joint = (embed_labels(kind, texts, X, Y).toarray() for kind in ("text", "pifa", "joint"))
    assert by_text == pytest.approx(PrefixTfidfVectorizer().fit_transform(texts).toarray())
    assert np.linalg.norm(joint, axis=1) == pytest.approx(1)
    both = [0, 3]
    assert joint[both] == pytest.approx(np.hstack([pifa, by_text])[both] / np.sqrt(2), rel=1e-6)
    assert joint[[1, 2]] == pytest.approx(np.hstack([pifa, by_text])[[1, 2]], rel=1e-6)


def test_labels_are_clustered_by_the_requests_that_led_to_them():
    texts = [f"{i:02}" for i in range(20)]
    group = np.arange(20) * 7 % 2  # says nothing about the texts
    requests = sparse.csr_matrix(np.eye(2, dtype=np.float32)[group])
    pifa = embed_labels("pifa", texts, requests, sparse.identity(20, format="csr"))
    tree = build_tree(texts, np.ones(20), IndexConfig("kmeans", max_leaf=10, branching=2), lambda: pifa)
    assert {len(set(group[tree.labels(c)])) for c in tree.children(0)} == {1}


def test_rows_of_length_one_and_empty_ones():
    assert unit_rows(X).toarray() == pytest.approx(np.array([[0.6, 0.8, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]))
    assert unit_rows(sparse.csr_matrix((0, 0))).shape == (0, 0)


def test_thousands_of_next_characters_share_parts():
    texts = [chr(0x4E00 + i) + end for i in range(3000) for end in "ab"]
    tree = build("trie", texts=texts, counts=np.ones(len(texts)), max_leaf=2)
    node = tree.arrays.node
    assert node["n_children"].max() <= 256
    assert sorted(label for i in flags(tree, NODE_LEAF) for label in tree.labels(i).tolist()) == [*range(6000)]
    assert all(len({texts[label][0] for label in tree.labels(i)}) == 1 for i in flags(tree, NODE_LEAF))
    assert {len(tree.path(label)) for label in range(0, 6000, 97)} == {3}  # the root, a part, a character


@pytest.mark.parametrize("kind", ["hybrid", "kmeans", "mustlink"])
def test_rows_of_texts_are_computed_where_they_are_asked_for(kind):
    texts = sorted({f"{a}{b}{a * b}" for a in range(30) for b in range(20)})
    by_text = embed_labels("text", texts, sparse.csr_matrix((1, 1)), sparse.csr_matrix((len(texts), 1)))
    some = np.array([3, 4, 99], np.uint32)
    assert (TextRows(texts)[some] != by_text[some]).nnz == 0
    config = IndexConfig(kind, depth=1, max_leaf=7, branching=3)
    assert same(
        build_tree(texts, np.ones(len(texts)), config), build_tree(texts, np.ones(len(texts)), config, lambda: by_text)
    )


@pytest.mark.parametrize("kind", ["hybrid", "mustlink"])
def test_any_number_of_threads_gives_the_same_tree(kind):
    texts = sorted({f"{a}{b}{a * b}" for a in range(30) for b in range(20)})
    config = IndexConfig(kind, depth=1, max_leaf=7, branching=3)
    one, three = (build_tree(texts, np.ones(len(texts)), config, threads=n) for n in (1, 3))
    assert same(one, three)
