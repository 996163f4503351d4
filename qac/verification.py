"""Checking a model file to its last entry."""

from __future__ import annotations

import numpy as np

from qac import _native
from qac.errors import ModelError
from qac.index.tree import LabelTree
from qac.model import LoadedModel


def verify_model(model: LoadedModel) -> None:
    """Check what opening a model leaves to be checked where it is read; takes time in proportion to its size.

    Raises
    ------
    ModelError
        The first contradiction found.
    """
    a, path = model.arrays, model.file.path

    def require(fact: bool, what: str) -> None:
        if not fact:
            raise ModelError(f"{path} is damaged: {what}; copy or train it anew")

    before = ""
    for label in range(len(a.count)):
        try:
            text = model.native.label_text(label)
        except (_native.NativeError, UnicodeDecodeError) as e:
            raise ModelError(f"{path} is damaged: query {label} cannot be read ({e}); copy or train it anew") from e
        require(text > before, f"query {label} is not in order")
        before = text
    for values in (a.count, a.tree.weight):
        require(bool((np.isfinite(values) & (values > 0)).all()), "a query's count is not positive")

    tree, node = LabelTree(a.tree), a.tree.node
    for i in range(tree.n_nodes):
        labels, flags = tree.labels(i), int(node["flags"][i])
        require(bool((labels[1:] > labels[:-1]).all()), "a node's queries do not ascend")
        if not flags & _native.NODE_LEAF:
            below = np.concatenate([tree.labels(c) if c >= 0 else np.array([~c]) for c in tree.children(i)])
            if flags & _native.NODE_CLUSTERS:
                below.sort()
            require(np.array_equal(below, labels), "the queries of a node are not those of its children")

    for values, of_nodes, of_members in (
        (a.tree.weight, node["mass"], a.member_mass),
        (a.count, a.node_count, a.member_count),
    ):
        require(bool(np.allclose(of_members, tree.member_totals(values))), "a running sum of clusters is not that")
        require(bool(np.allclose(of_nodes, tree.node_totals(values))), "a node's count is not that of its queries")

    rows = node["n_rows"].astype(np.int64)
    require(
        np.array_equal(node["row"], np.cumsum(rows) - rows) and rows.sum() == len(a.row_feature),
        "the rows of weights of the nodes do not follow one another",
    )
    require(bool(np.isfinite(node["scale"]).all()), "a scale of weights is not a number")
    features = len(a.session_vocabulary) + len(a.prefix_vocabulary)
    row_size = np.diff(np.concatenate([[0], a.row_end.astype(np.int64)]))
    require(
        bool((row_size > 0).all()) and int(a.row_end[-1] if len(a.row_end) else 0) == len(a.entry_child),
        "a row of weights is empty",
    )
    require(not len(a.row_feature) or int(a.row_feature.max()) < features, "a weight's feature does not exist")
    width = np.repeat(np.repeat(node["n_children"], node["n_rows"]), row_size)
    require(len(width) == len(a.entry_child) and bool((a.entry_child < width).all()), "a weight's child does not exist")
    for v in (a.session_vocabulary, a.prefix_vocabulary):
        ids = np.sort(v.slot_id[v.slot_id != _native.NO_ID])
        require(np.array_equal(ids, np.arange(len(v))), "a vocabulary does not name each feature once")
        require(
            bool((np.isfinite(v.idf) & (v.idf > 0)).all()), "a feature's inverse document frequency is not positive"
        )
