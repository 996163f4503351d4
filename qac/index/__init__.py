"""The label tree: a trie on top, balanced k-means below."""

from qac.index.hybrid import build_tree
from qac.index.tree import LabelTree

__all__ = ["LabelTree", "build_tree"]
