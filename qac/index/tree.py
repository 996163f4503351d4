"""The label tree as flat arrays, the form in which it is trained, stored and searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from qac import _native
from qac._native import CHILD_LABEL, MEMBER_BLOCK, NODE_CLUSTERED, NODE_CLUSTERS, NODE_LEAF, TreeArrays

Labels = range | npt.NDArray[np.uint32]
"""A node's labels, ascending: a range, or an array where they are not one."""


@dataclass(frozen=True)
class Split:
    """How a node's labels are shared among its children.

    ``parts`` are two or more, disjoint, not empty, and together the node's labels. Where ``clusters`` is false each
    part is a range and they ascend.
    """

    parts: Sequence[Labels]
    clusters: bool = False


@dataclass(frozen=True)
class LabelTree:
    """A tree whose leaves' children are the labels 0 .. n - 1; each label stands in it once.

    A child that holds a single label is that label. Nodes are numbered breadth first. A node's labels are a range, or
    (clusters) a slice of ``members``.
    """

    arrays: TreeArrays

    @property
    def n_nodes(self) -> int:
        """Number of nodes that have children."""
        return len(self.arrays.node)

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return self.arrays.labels

    def labels(self, node: int) -> npt.NDArray[np.uint32]:
        """Return the labels under a node, ascending."""
        n = self.arrays.node[node]
        if n["flags"] & NODE_CLUSTERED:
            return self.arrays.members[n["lo"] : n["hi"]]
        return np.arange(n["lo"], n["hi"], dtype=np.uint32)

    def is_leaf(self, node: int) -> bool:
        """Return whether a node's children are its labels."""
        return bool(self.arrays.node["flags"][node] & NODE_LEAF)

    def children(self, node: int) -> list[int]:
        """Return a node's children: a node's number, or ``~label`` (negative) for a label."""
        n = self.arrays.node[node]
        if self.is_leaf(node):
            return [~int(label) for label in self.labels(node)]
        refs = self.arrays.children[n["child"] : n["child"] + n["n_children"]]
        return [~int(ref & (CHILD_LABEL - 1)) if ref & CHILD_LABEL else int(ref) for ref in refs]

    def member_totals(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the sum of ``values`` (one per label) over the members before every MEMBER_BLOCK-th, from 0 on.

        Shape (members // MEMBER_BLOCK + 1,).
        """
        sums = np.cumsum(values[self.arrays.members], dtype=np.float64)
        return np.concatenate([[0.0], sums[MEMBER_BLOCK - 1 :: MEMBER_BLOCK]])

    def node_totals(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return for each node the sum of its labels' ``values``: shape (nodes,).

        Each is summed by itself: differences of one running sum would lose light nodes among heavy ones.
        """
        return self._of_nodes(np.add, values)

    def node_tops(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return for each node a number that none of its labels' ``values`` exceeds, nor reaches: shape (nodes,)."""
        return np.nextafter(self._of_nodes(np.maximum, values).astype(np.float32), np.float32(np.inf))

    def _of_nodes(self, reduce: np.ufunc, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        node = self.arrays.node
        clustered = (node["flags"] & NODE_CLUSTERED) != 0
        out = np.empty(len(node), np.float64)
        for where, of_labels in ((~clustered, values), (clustered, values[self.arrays.members])):
            bounds = np.stack([node["lo"][where], node["hi"][where]], axis=1).ravel().astype(np.intp)
            padded = np.append(of_labels.astype(np.float64), 0.0)  # a bound may be the end
            out[where] = reduce.reduceat(padded, bounds)[::2] if len(bounds) else 0.0
        return out

    def path(self, label: int) -> list[int]:
        """Return the nodes from the root to the one that has ``label`` as a child."""
        path = [0]
        while True:
            for child in self.children(path[-1]):
                if child == ~label:
                    return path
                if child >= 0 and _contains(self.labels(child), label):
                    path.append(child)
                    break
            else:
                raise KeyError(label)

    def levels(self) -> list[dict[str, int]]:
        """Return for each level its numbers of nodes, leaves, clusters and labels that end there."""
        out: list[dict[str, int]] = []
        level = [0]
        while level:
            row = Counter(nodes=len(level), leaves=0, clusters=0, labels=0)
            following: list[int] = []
            for node in level:
                flags = int(self.arrays.node["flags"][node])
                row["leaves"] += bool(flags & NODE_LEAF)
                row["clusters"] += bool(flags & NODE_CLUSTERED)
                if flags & NODE_LEAF:
                    row["labels"] += int(self.arrays.node["n_children"][node])
                    continue
                for child in self.children(node):
                    if child < 0:
                        row["labels"] += 1
                    else:
                        following.append(child)
            out.append(dict(row))
            level = following
        return out


def _contains(labels: npt.NDArray[np.uint32], label: int) -> bool:
    at = int(np.searchsorted(labels, label))
    return at < len(labels) and int(labels[at]) == label


SplitFunction = Callable[[Labels, int], Split | None]
"""Gives the parts of the labels of a node at a level (the root: 0), or None for a leaf: its children are its labels."""


@dataclass
class TreeBuilder:
    """Grows a tree breadth first from a function that splits nodes."""

    weights: npt.NDArray[np.float32]
    nodes: list[tuple[float, int, int, int, int, int, int, float, int]] = field(default_factory=list)
    children: list[int] = field(default_factory=list)
    members: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    members_used: int = 0
    numbered: int = 0
    """The last node that a parent has named."""

    def build(self, split: SplitFunction, threads: int = 1) -> LabelTree:
        """Return the tree that ``split`` makes of all labels.

        The nodes of a level are split by so many ``threads``; which of them splits which does not show.
        """
        level: list[Labels] = [range(len(self.weights))]
        depth = 0
        with ThreadPoolExecutor(threads) as pool:
            while level:
                splits = pool.map(lambda labels, depth=depth: split(labels, depth), level)
                level = [part for labels, s in zip(level, splits, strict=True) for part in self._add(labels, s)]
                depth += 1
        tree = LabelTree(
            TreeArrays(
                node=np.array(self.nodes, dtype=_native.NODE),
                children=np.array(self.children, dtype=np.uint32),
                members=np.concatenate(self.members) if self.members else np.empty(0, np.uint32),
                labels=len(self.weights),
                weight=self.weights,
            )
        )
        tree.arrays.node["mass"] = tree.node_totals(self.weights)
        return tree

    def _add(self, labels: Labels, split: Split | None) -> list[Labels]:
        """Number a node; return the labels of those of its children that are nodes."""
        flags = 0
        if isinstance(labels, range):
            lo, hi = labels.start, labels.stop
        else:
            lo, hi = self.members_used, self.members_used + len(labels)
            self.members_used = hi
            self.members.append(labels)
            flags = NODE_CLUSTERED
        if split is None:
            self.nodes.append((0.0, lo, hi, 0, hi - lo, 0, 0, 0.0, flags | NODE_LEAF))
            return []
        flags |= NODE_CLUSTERS if split.clusters else 0
        self.nodes.append((0.0, lo, hi, len(self.children), len(split.parts), 0, 0, 0.0, flags))
        inner = []
        for part in split.parts:
            if len(part) == 1:
                self.children.append(int(part[0]) | CHILD_LABEL)
            else:
                self.numbered += 1
                self.children.append(self.numbered)
                inner.append(part)
        return inner
