"""Fitting the composer: its vocabulary, language models and associations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from qac import _native
from qac._native import ComposerArrays
from qac.composer.ngrams import fit_ngrams
from qac.config import ComposerConfig
from qac.errors import ModelError
from qac.labels import LabelTable
from qac.quantization import quantize
from qac.reuse import Reuse

_FREQUENT: Final = 256
_LEAST_NEW: Final = 0.001
"""Chance of a new query where the log says that there is none."""
_LEAST_TO_COMPOSE: Final = 0.005
"""Below this chance of a new query composing gains nothing (paths: .0001 MRR), and much of the model is spared."""
_OF_EACH_WORD: Final = 8
_MOST_TELLING: Final = 1 << 18
_MOST_REUSED: Final = 0.9
_PRODUCTS: Final = 1 << 25
"""Pairs of words that are counted at a time."""
_COPY: Final = ("copy_start", "copy_none", "copy_some", "copy_all")


def composes(config: ComposerConfig, new: float) -> bool:
    """Return whether there is something to compose, given the chance of a ``new`` query."""
    return config.enabled and (config.share is not None or new >= _LEAST_TO_COMPOSE)


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
    if len(words) > _native.MAX_SYMBOLS:
        raise ModelError(
            f"a model composes from at most {_native.MAX_SYMBOLS:,} different words, the queries of this log have "
            f"{len(words):,}; raise --min-count or train with --no-composer"
        )
    word = fit_ngrams(
        tokens, ends, np.minimum(np.floor(labels.occurrences), config.count_cap).clip(1), len(words), config.order
    )
    alphabet, characters, text_ends = _spell([labels.texts[i] for i in _telling(tokens, ends)])
    spelling = _spelling(labels.new) if config.spelling is None else config.spelling
    character_order = config.character_order or (7 if spelling > 0 else 5)
    character = fit_ngrams(characters, text_ends, np.ones(len(text_ends)), len(alphabet), character_order)
    association_end, association, shares = _associations(words, labels, tokens, ends, sessions, led_to, config)
    association_weight, association_value = quantize(shares)
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
        association_value=association_value,
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
            "spelling": spelling,
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
    """Return the distinct words, ascending, and for all texts, one after another, which words they have."""
    found = _native.words(texts)
    order = sorted(range(len(found.distinct)), key=found.distinct.__getitem__)
    rank = np.empty(len(order), np.uint32)
    rank[order] = np.arange(len(order), dtype=np.uint32)
    return [found.distinct[i] for i in order], rank[found.word], found.end.astype(np.int64)


def _telling(tokens: npt.NDArray[np.uint32], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the queries that show how words are written: for each word ``_OF_EACH_WORD`` of those that have it.

    They are drawn at random. All queries would say the same words again and again where queries are templated. Of a
    long log ``_MOST_TELLING`` of these, for how words are written is then known.
    """
    n = len(ends)
    turn = np.random.default_rng(0).permutation(n)
    # Each pair of word and query once: a query may say a word twice.
    pairs = np.unique(tokens.astype(np.int64) * n + np.repeat(turn, np.diff(ends, prepend=0)))
    word, query = np.divmod(pairs, n)
    telling = np.ones(len(word), bool)
    telling[_OF_EACH_WORD:] = word[_OF_EACH_WORD:] != word[:-_OF_EACH_WORD]
    return np.sort(np.argsort(turn)[np.unique(query[telling])[:_MOST_TELLING]])


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
    n = len(words)
    after = sparse.csr_matrix(
        (np.ones(len(tokens), np.float32), tokens, np.concatenate([[0], ends])), shape=(len(labels), n)
    )
    before, session = _last_words(words, sessions)
    followed = led_to[:, : len(sessions)].tocoo()
    # Once for each distinct session and query: what was typed in between does not count.
    pairs = sparse.csr_matrix(
        (np.ones(followed.nnz, np.float32), (session[followed.col], followed.row)), shape=(before.shape[1], len(labels))
    )
    pairs.sum_duplicates()
    pairs.data[:] = 1
    return _strongest(before, sparse.csr_matrix(pairs @ after), config)


def _last_words(words: list[str], sessions: Sequence[str]) -> tuple[sparse.csr_matrix, npt.NDArray[np.int64]]:
    """Return which of ``words`` the last query of each distinct session has, shape (words, distinct sessions).

    And which of these each of ``sessions`` is.
    """
    numbers = {s: i for i, s in enumerate(dict.fromkeys(sessions))}
    session = np.fromiter((numbers[s] for s in sessions), np.int64, count=len(sessions))
    found = _native.words([s.rsplit("\n", 1)[-1] for s in numbers])
    place = {w: i for i, w in enumerate(words)}
    known = np.fromiter((place.get(w, -1) for w in found.distinct), np.int64, count=len(found.distinct))
    word = known[found.word]
    ends: npt.NDArray[np.int64] = found.end.astype(np.int64)
    column = np.repeat(np.arange(len(numbers)), np.diff(ends, prepend=0))[word >= 0]
    word = word[word >= 0]
    last = sparse.csr_matrix((np.ones(len(word), np.float32), (word, column)), shape=(len(words), len(numbers)))
    last.sum_duplicates()
    last.data[:] = 1  # a query may say a word twice
    return last, session


def _strongest(
    before: sparse.csr_matrix, after: sparse.csr_matrix, config: ComposerConfig
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
    """Return the associations that are kept of ``before @ after``: each word's end, the words, their shares."""
    products = np.cumsum(before @ np.diff(after.indptr).astype(np.float64))
    bounds = [0]
    while bounds[-1] < before.shape[0]:  # some words at a time: the whole would be too large for a long log
        first = bounds[-1]
        done = products[first - 1] if first else 0.0
        bounds.append(max(first + 1, int(np.searchsorted(products, done + _PRODUCTS, side="right"))))
    kept, chosen, weights = [np.empty(0, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    for first, last in pairwise(bounds):
        pairs = sparse.csr_matrix(before[first:last] @ after)
        pairs.sort_indices()  # among equals the first words are kept
        row = np.repeat(np.arange(last - first), np.diff(pairs.indptr))
        pairs.data[pairs.indices == row + first] = 0
        total = np.asarray(pairs.sum(axis=1)).ravel()
        enough = (pairs.data >= config.associate_min) & (pairs.data > 0)
        row, column, data = row[enough], pairs.indices[enough], pairs.data[enough]
        best_first = np.lexsort((-data, row))
        place = np.arange(len(row)) - np.searchsorted(row, row)
        strong = np.zeros(len(row), np.bool_)
        strong[best_first[place < config.associate_top]] = True
        kept.append(np.bincount(row[strong], minlength=last - first))
        chosen.append(column[strong])
        weights.append(data[strong] / np.maximum(total, 1)[row[strong]])
    return (
        np.cumsum(np.concatenate(kept)).astype(np.uint32),
        np.concatenate(chosen).astype(np.uint32),
        np.concatenate(weights).astype(np.float32),
    )
