"""Checking a model file to its last entry."""

from __future__ import annotations

import numpy as np

from qac import _native
from qac.errors import ModelError
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
    for label in range(len(a.tree.count)):
        try:
            text = model.native.label_text(label)
        except (_native.NativeError, UnicodeDecodeError) as e:
            raise ModelError(f"{path} is damaged: query {label} cannot be read ({e}); copy or train it anew") from e
        require(text > before, f"query {label} is not in order")
        before = text
    require(bool((a.tree.count > 0).all()), "a query's count is not positive")

    node = a.tree.node
    leaves = node[(node["flags"] & _native.NODE_LEAF) != 0]
    held = np.zeros(len(a.tree.count), np.int64)
    refs = a.tree.children
    np.add.at(held, refs[refs >= _native.CHILD_LABEL] - _native.CHILD_LABEL, 1)
    for leaf in leaves:
        span = slice(leaf["lo"], leaf["hi"])
        held[a.tree.members[span] if leaf["flags"] & _native.NODE_CLUSTERED else span] += 1
    require(bool((held == 1).all()), "a query does not stand in the tree exactly once")

    running = np.concatenate([[0.0], np.cumsum(a.tree.count, dtype=np.float64)])
    clustered = (node["flags"] & _native.NODE_CLUSTERED) != 0
    for where, sums in ((~clustered, running), (clustered, a.member_mass)):
        expected = sums[node["hi"][where]] - sums[node["lo"][where]]
        require(bool(np.allclose(node["mass"][where], expected)), "a node's count is not that of its queries")

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
