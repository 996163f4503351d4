"""Fitting the composer: its vocabulary, language models and associations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac import _native
from qac._native import ComposerArrays
from qac.composer.ngrams import fit_ngrams
from qac.config import ComposerConfig
from qac.labels import LabelTable
from qac.reuse import Reuse

_FREQUENT: Final = 256
_LEAST_NEW: Final = 0.001
"""Chance of a new query where the log says that there is none."""
_OF_EACH_WORD: Final = 8
_MOST_REUSED: Final = 0.9
_COPY: Final = ("copy_start", "copy_none", "copy_some", "copy_all")


def fit_composer(
    labels: LabelTable,
    sessions: Sequence[str],
    led_to: sparse.csr_matrix,
    config: ComposerConfig,
    reuse: Reuse,
    length_discount: float,
    length_scale: float,
) -> ComposerArrays:
    """Return the composer of the queries in ``labels``.

    Parameters
    ----------
    labels : LabelTable
    sessions : sequence of str
        Sessions, their queries joined by line feeds, oldest first. One may stand there for each prefix typed in it.
    led_to : sparse matrix, shape (labels, sessions)
        Not zero where a session led to a query.
    config : ComposerConfig
    reuse : Reuse
        How often the log's sessions came back to words.
    length_discount, length_scale : float
        Probabilities are times length_scale / length ** length_discount, as the labels' weights are.
    """
    words, tokens, ends = _tokenise(labels.texts)
    word = fit_ngrams(
        tokens, ends, np.minimum(np.floor(labels.occurrences), config.count_cap).clip(1), len(words), config.order
    )
    alphabet, characters, text_ends = _spell([labels.texts[i] for i in _telling(tokens, ends)])
    character = fit_ngrams(characters, text_ends, np.ones(len(text_ends)), len(alphabet), config.character_order)
    association_end, association, association_weight = _associations(
        words, labels, tokens, ends, sessions, led_to, config
    )
    text, ends_of_words = _native.plain_strings(words)
    bucket_end, key, word_id = _native.word_keys(words)
    known = word.unigram[:-1]
    copy = [min(config.copy * rate, _MOST_REUSED - config.associate) for rate in reuse.next_words]
    return ComposerArrays(
        word=word,
        character=character,
        word_text=text,
        word_end=ends_of_words,
        word_length=np.minimum([len(w) for w in words], 255).astype(np.uint8),
        word_bucket_end=bucket_end,
        word_key=key,
        word_id=word_id,
        unigram_sum=np.concatenate([[0.0], np.cumsum(known, dtype=np.float64)]),
        frequent=np.argsort(-known, kind="stable")[:_FREQUENT].astype(np.uint32),
        alphabet=alphabet,
        association_end=association_end,
        association=association,
        association_weight=association_weight,
        older=reuse.older_words,
        settings={
            "unknown": max(0.0, 1 - float(word.unigram.sum(dtype=np.float64))),
            "share": _share(labels.new) if config.share is None else config.share,
            "new_query": max(_LEAST_NEW, labels.new),
            **dict(zip(_COPY, copy, strict=True)),
            "associate": config.associate,
            "least": config.least,
            "length_discount": length_discount,
            "length_scale": length_scale,
            "spelling": _spelling(labels.new) if config.spelling is None else config.spelling,
        },
    )


def _share(new: float) -> float:
    """Return the composer's share, from the chance of a ``new`` query.

    A new query is seldom one that the composer puts first, so the odds count a hundredth; where few queries are new a
    small share still helps.
    """
    return max(min(0.02, new), 0.01 * new / (1 - new + 0.01 * new))


def _spelling(new: float) -> float:
    """Return the share of characters, from the chance of a new query: where few are new they gain nothing."""
    return 0.25 * new if new > 0.2 else 0.0


def _tokenise(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    split = [t.split(" ") for t in texts]
    words = sorted({w for s in split for w in s})
    number = {w: i for i, w in enumerate(words)}
    ends = np.cumsum([len(s) for s in split], dtype=np.int64)
    return words, np.fromiter((number[w] for s in split for w in s), np.uint32, count=int(ends[-1])), ends


def _telling(tokens: npt.NDArray[np.uint32], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the queries that show how words are written: for each word ``_OF_EACH_WORD`` of those that have it.

    They are drawn at random. All queries would say the same words again and again where queries are templated.
    """
    n = len(ends)
    turn = np.random.default_rng(0).permutation(n)
    # Each pair of word and query once: a query may say a word twice.
    pairs = np.unique(tokens.astype(np.int64) * n + np.repeat(turn, np.diff(ends, prepend=0)))
    word, query = np.divmod(pairs, n)
    telling = np.ones(len(word), bool)
    telling[_OF_EACH_WORD:] = word[_OF_EACH_WORD:] != word[:-_OF_EACH_WORD]
    return np.unique(np.argsort(turn)[query[telling]])


def _spell(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    points = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    alphabet, numbers = np.unique(points, return_inverse=True)
    return alphabet.astype(np.uint32), numbers.astype(np.uint32), np.cumsum([len(t) for t in texts], dtype=np.int64)


def _associations(
    words: list[str],
    labels: LabelTable,
    tokens: npt.NDArray[np.uint32],
    ends: npt.NDArray[np.int64],
    sessions: Sequence[str],
    led_to: sparse.csr_matrix,
    config: ComposerConfig,
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
    """Return for each word of a last query the other words of the next ones, with their shares."""
    number = {w: i for i, w in enumerate(words)}
    distinct = {s: i for i, s in enumerate(dict.fromkeys(sessions))}
    last = [[number[w] for w in set(s.rsplit("\n", 1)[-1].split(" ")) if w in number] for s in distinct]
    n = len(words)
    before = _incidence(last, n)
    after = sparse.csr_matrix(
        (np.ones(len(tokens), np.float32), tokens, np.concatenate([[0], ends])), shape=(len(labels), n)
    )
    followed = led_to[:, : len(sessions)] @ _incidence([[distinct[s]] for s in sessions], len(distinct))
    followed.data = np.ones_like(followed.data)
    pairs = (before.T @ (followed.T @ after)).tocsr()
    pairs.setdiag(0)
    total = np.asarray(pairs.sum(axis=1)).ravel()
    pairs.data[pairs.data < config.associate_min] = 0
    pairs.eliminate_zeros()
    pairs.sort_indices()  # among equals the first words are kept
    ends_out, chosen, weights = np.empty(n, np.uint32), [], []
    kept = 0
    for i in range(n):
        begin, end = pairs.indptr[i], pairs.indptr[i + 1]
        data, columns = pairs.data[begin:end], pairs.indices[begin:end]
        if len(data) > config.associate_top:
            best = np.argsort(-data, kind="stable")[: config.associate_top]
            data, columns = data[best], columns[best]
        order = np.argsort(columns)
        chosen.append(columns[order])
        weights.append(data[order] / max(total[i], 1))
        kept += len(order)
        ends_out[i] = kept
    return (
        ends_out,
        np.concatenate(chosen).astype(np.uint32) if chosen else np.empty(0, np.uint32),
        np.concatenate(weights).astype(np.float32) if weights else np.empty(0, np.float32),
    )


def _incidence(rows: Sequence[Sequence[int]], columns: int) -> sparse.csr_matrix:
    ends = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    indices = np.fromiter((c for row in rows for c in row), np.int32, count=int(ends[-1]))
    return sparse.csr_matrix((np.ones(len(indices), np.float32), indices, ends), shape=(len(rows), columns))
