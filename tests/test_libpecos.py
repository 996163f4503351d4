"""The benchmarks around libpecos; left out where it is not installed (`pip install -e '.[peers]'`)."""

import numpy as np
import pytest

from qac.config import IndexConfig
from qac.index.hybrid import build_tree

pytest.importorskip("pecos", reason="libpecos is an optional benchmark dependency")

pytestmark = [  # libpecos uses names that SciPy deprecates, and leaves files open
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

TEXTS = sorted(f"{a}{b}{c}" for a in "abc" for b in "abcd" for c in ("", "a", "ab", "x"))


@pytest.fixture
def peer():
    import libpecos_peer

    return libpecos_peer


@pytest.mark.parametrize("kind", ["trie", "kmeans", "hybrid", "mustlink"])
def test_a_chain_has_the_trees_clusters(peer, kind):
    tree = build_tree(TEXTS, np.ones(len(TEXTS)), IndexConfig(kind, depth=2, max_leaf=2, branching=3))
    chain = peer.chain_of(peer.tree_levels(tree), len(TEXTS))
    assert chain[0].shape[1] == 1
    assert chain[-1].shape[0] == len(TEXTS)
    assert all((m.sum(axis=1) == 1).all() for m in chain)  # every child has one parent
    below, held = np.eye(len(TEXTS)), set()
    for matrix in reversed(chain.chain):
        below = below @ matrix.toarray()
        held |= {frozenset(np.flatnonzero(column).tolist()) for column in below.T}
    assert {frozenset(tree.labels(i).tolist()) for i in range(tree.n_nodes)} <= held


@pytest.mark.parametrize("preset", ["kdd21-baseline", "kdd21-hybrid2", "kdd21-mustlink5", "kdd21-trie16"])
def test_libpecos_completes_as_published(peer, preset, examples):
    completer = peer.train_libpecos(preset, examples, threads=1)
    assert completer.name == f"libpecos {preset}"
    followed = {e.next_query for e in examples if e.prev_queries[-1:] == ("digital camera",)}
    assert completer.complete("n", ["digital camera"])[0].text in followed
    assert all(c.text.startswith("ni") for c in completer.complete("ni", ["running shoes"]))
    assert completer.complete("n") == []


def test_many_requests_are_answered_as_one_by_one(peer, examples, tmp_path):
    completer = peer.train_libpecos("kdd21-hybrid2", examples, threads=1, folder=tmp_path / "rankers")
    requests = [("digital camera", "n"), ("running shoes", "ni"), ("travel", "new york")]
    one_by_one = [completer.complete(prefix, [query]) for query, prefix in requests]
    assert completer.complete_batch(requests) == one_by_one
    assert all(one_by_one)
    completer.search(completer.features(requests[0]))
    assert peer.load_rankers(tmp_path / "rankers").nr_labels == completer.n_labels


def test_rankings_agree(peer, example_file):
    import check_libpecos

    (_, trained), (_, passed) = check_libpecos.check(example_file, example_file, "kdd21-hybrid3", None)
    for row in (trained, passed):
        assert row["MRR qac"] == pytest.approx(row["MRR libpecos"], abs=0.003)
        assert row["same first"] > 0.95
