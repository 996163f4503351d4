"""What the vectorisers share: learning the vocabulary, and calling the native code."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Final, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from qac import _native
from qac._native import VectorizerConfig, Vocabulary
from qac.quantization import quantize

_BATCH: Final = 1 << 18
_NO_TERMS: Final = np.empty(0, np.uint64)


class HashedTfidfVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """TF-IDF over terms that are kept as 64-bit hashes.

    ``idf(t) = ln((1 + n) / (1 + df(t))) + 1`` as scikit-learn's ``smooth_idf``, kept in eight bits
    (:mod:`qac.quantization`); rows are scaled to Euclidean length 1.
    Two terms with one hash would become one feature: at a million terms the chance is below 1 in 10 million.

    Attributes
    ----------
    vocabulary_ : Vocabulary
        Hash table and inverse document frequencies.
    n_features_ : int
    """

    vocabulary_: Vocabulary
    n_features_: int
    min_df: int

    @abstractmethod
    def config(self) -> VectorizerConfig:
        """Return the settings of the native code."""

    @abstractmethod
    def _documents(self, X: Iterable[Any]) -> list[str]:
        """Return each item of ``X`` as its normalised texts joined by line feeds, oldest first."""

    def fit(self, X: Iterable[Any], y: object = None) -> Self:
        """Learn the terms of ``X`` and in how many of its documents each occurs."""
        self._learn(self._documents(X))
        return self

    def transform(self, X: Iterable[Any]) -> sparse.csr_matrix:
        """Return the vectors of ``X``: shape (documents, n_features_), float32. Unknown terms are left out."""
        check_is_fitted(self, "vocabulary_")
        return self._vectors(self._documents(X))

    def fit_transform(self, X: Iterable[Any], y: object = None, **fit_params: object) -> sparse.csr_matrix:
        """Do both, reading ``X`` once."""
        documents = self._documents(X)
        self._learn(documents)
        return self._vectors(documents)

    def _learn(self, documents: list[str]) -> None:
        # Some documents at a time: all occurrences of a long log's terms would not fit.
        counted = [np.unique(_native.terms(self.config(), part)[1], return_counts=True) for part in _batches(documents)]
        terms, part = np.unique(np.concatenate([_NO_TERMS, *(t for t, _ in counted)]), return_inverse=True)
        frequency = np.bincount(part, np.concatenate([[], *(n for _, n in counted)]), len(terms)).astype(np.int64)
        kept = frequency >= self.min_df
        idf = np.log((1 + len(documents)) / (1 + frequency[kept])) + 1
        self.vocabulary_ = _native.build_vocabulary(terms[kept], *quantize(idf))
        self.n_features_ = len(self.vocabulary_)

    def _vectors(self, documents: list[str]) -> sparse.csr_matrix:
        parts = [_native.vectorize(self.config(), self.vocabulary_, part) for part in _batches(documents)]
        ids = np.concatenate([np.empty(0, np.int32), *(ids.astype(np.int32) for _, ids, _ in parts)])
        values = np.concatenate([np.empty(0, np.float32), *(values for *_, values in parts)])
        sizes = np.concatenate(
            [np.empty(0, np.int64), *(np.diff(end.astype(np.int64), prepend=0) for end, *_ in parts)]
        )
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        return sparse.csr_matrix((values, ids, indptr), shape=(len(documents), self.n_features_))


def _batches(documents: list[str]) -> Iterator[list[str]]:
    return (documents[i : i + _BATCH] for i in range(0, len(documents), _BATCH))


def unit_rows(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return ``X`` with each row that is not empty scaled to Euclidean length 1; ``X`` may have no rows at all."""
    length = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
    scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_matrix((X.data * np.repeat(scale, np.diff(X.indptr)), X.indices, X.indptr), shape=X.shape)
