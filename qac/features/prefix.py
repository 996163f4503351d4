"""Character n-grams in which the start of the text dominates."""

from __future__ import annotations

from collections.abc import Iterable

from qac import _native
from qac._native import VectorizerConfig
from qac.features.base import HashedTfidfVectorizer


class PrefixTfidfVectorizer(HashedTfidfVectorizer):
    """Prefix-weighted character TF-IDF (Yadav et al., KDD 2021, section 4.2).

    Term frequency of an n-gram: the sum over its occurrences, at code point i, of 1/(i+1)^position_decay. With decay 1
    two texts are the nearer the longer the start they share, so that clusters of such vectors imitate a trie; with
    decay 0 this is the usual character TF-IDF.

    Parameters
    ----------
    min_n, max_n : int
        Lengths of n-grams in code points.
    position_decay : float
    min_df : int
        Terms of fewer documents are left out.

    Input of ``fit`` and ``transform``: normalised texts.
    """

    def __init__(self, min_n: int = 1, max_n: int = 3, position_decay: float = 1.0, min_df: int = 1) -> None:
        self.min_n = min_n
        self.max_n = max_n
        self.position_decay = position_decay
        self.min_df = min_df

    def config(self) -> VectorizerConfig:
        """Return the settings of the native code."""
        return VectorizerConfig(
            kinds=_native.TERM_CHARS, min_n=self.min_n, max_n=self.max_n, position_decay=self.position_decay
        )

    def _documents(self, X: Iterable[str]) -> list[str]:
        return list(X)
