"""Words, word pairs and whole queries of what was searched before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qac import _native
from qac._native import VectorizerConfig
from qac.features.base import HashedTfidfVectorizer


class SessionVectorizer(HashedTfidfVectorizer):
    """TF-IDF of a session's earlier queries.

    Terms are the words of a query, its pairs of neighbouring words, and the query as a whole where it is not already
    one of these. A term of the query that lies ``age`` queries back (the last one: 0) counts its kind's weight times
    ``age_decay ** age``.

    Parameters
    ----------
    history : int
        How many of the last queries are read.
    age_decay : float
        In [0, 1].
    word_weight, bigram_weight, query_weight : float
        0 leaves a kind out.
    min_df : int
        Terms of fewer sessions are left out.

    Input of ``fit`` and ``transform``: sessions, each a sequence of normalised queries, oldest first.
    """

    def __init__(
        self,
        history: int = 1,
        age_decay: float = 0.5,
        word_weight: float = 1.0,
        bigram_weight: float = 1.0,
        query_weight: float = 1.0,
        min_df: int = 1,
    ) -> None:
        self.history = history
        self.age_decay = age_decay
        self.word_weight = word_weight
        self.bigram_weight = bigram_weight
        self.query_weight = query_weight
        self.min_df = min_df

    def config(self) -> VectorizerConfig:
        """Return the settings of the native code."""
        kinds = (
            (_native.TERM_WORD if self.word_weight > 0 else 0)
            | (_native.TERM_BIGRAM if self.bigram_weight > 0 else 0)
            | (_native.TERM_QUERY if self.query_weight > 0 else 0)
        )
        return VectorizerConfig(
            kinds=kinds,
            history=self.history,
            age_decay=self.age_decay,
            word_weight=self.word_weight,
            bigram_weight=self.bigram_weight,
            query_weight=self.query_weight,
        )

    def _documents(self, X: Iterable[Sequence[str]]) -> list[str]:
        return ["\n".join(queries[-self.history :]) for queries in X]
