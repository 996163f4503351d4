"""What labels look like to the clustering: their text, the requests that led to them, or both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac.config import Embedding
from qac.features.base import unit_rows
from qac.features.prefix import PrefixTfidfVectorizer


def embed_labels(
    kind: Embedding, texts: Sequence[str], X: sparse.csr_matrix, Y: sparse.csr_matrix, *, position_decay: float = 1.0
) -> sparse.csr_matrix:
    """Return one row per label, of Euclidean length 1 or, where nothing is known, empty.

    Parameters
    ----------
    kind : "text", "pifa" or "joint"
        ``text``: character TF-IDF of the label's text. ``pifa``: :func:`positive_instances`. ``joint``: both.
    texts : sequence of str
    X : sparse matrix, shape (requests, features)
    Y : sparse matrix, shape (labels, requests)
        Above zero where the request led to the label.
    position_decay : float
        See :class:`qac.features.prefix.PrefixTfidfVectorizer`.
    """
    if kind == "pifa":
        return positive_instances(X, Y)
    by_text = PrefixTfidfVectorizer(position_decay=position_decay).fit_transform(texts)
    if kind == "text":
        return by_text
    return unit_rows(sparse.hstack([positive_instances(X, Y), by_text], format="csr"))


class TextRows:
    """The rows of the embedding ``text``, each computed where it is asked for.

    All rows of ten million queries would be 5 GB, and clustering looks at those of one node at a time.
    """

    def __init__(self, texts: Sequence[str], position_decay: float = 1.0) -> None:
        self._texts = texts
        self._vectorizer = PrefixTfidfVectorizer(position_decay=position_decay).fit(texts)

    def __getitem__(self, labels: npt.NDArray[np.uint32]) -> sparse.csr_matrix:
        """Return the rows of ``labels``, one each."""
        return self._vectorizer.transform([self._texts[i] for i in labels.tolist()])


def positive_instances(X: sparse.csr_matrix, Y: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return for each label the sum of the features of the distinct requests that led to it, scaled to length 1.

    "Positive instance feature aggregation" (Yu et al., PECOS, arXiv 2010.05878, section 3.1).
    """
    led = sparse.csr_matrix((np.ones_like(Y.data), Y.indices, Y.indptr), shape=Y.shape)
    return unit_rows(sparse.csr_matrix(led @ X))
