"""What a log says, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qac._native._core import ffi, lib
from qac._native.base import F64, U32, U64, check, join, pointer


@dataclass(frozen=True)
class Words:
    """The words of many texts, numbered in the order in which they first come."""

    distinct: list[str]
    word: U32
    """All occurrences, one text after another."""
    end: U64
    """Shape (texts,): where the words of each end in ``word``."""


def words(texts: Sequence[str]) -> Words:
    """Cut ``texts`` at each space."""
    text, ends = join(texts)
    capacity = len(texts) + text.count(b" ")
    word, begin, end = np.empty(capacity, np.uint32), np.empty(capacity, np.uint64), np.empty(capacity, np.uint64)
    word_end, n = np.empty(len(texts), np.uint64), ffi.new("uint32_t *")
    check(
        lib.qac_words(
            text,
            pointer("uint64_t[]", ends),
            len(texts),
            pointer("uint32_t[]", word),
            pointer("uint64_t[]", word_end),
            capacity,
            pointer("uint64_t[]", begin),
            pointer("uint64_t[]", end),
            n,
        )
    )
    spans = zip(begin[: n[0]].tolist(), end[: n[0]].tolist(), strict=True)
    return Words([text[a:b].decode() for a, b in spans], word, word_end)


def count_reuse(words: Words, query: U32, example_end: U64, count: F64) -> tuple[F64, F64, F64]:
    """Return ``(queries, words, next)`` of ``qac_reuse``: pairs of how often something came back, and might have."""
    out = ffi.new("qac_reuse *")
    check(
        lib.qac_count_reuse(
            pointer("uint32_t[]", words.word),
            pointer("uint64_t[]", words.end),
            len(words.end),
            len(words.distinct),
            pointer("uint32_t[]", query),
            pointer("uint64_t[]", example_end),
            pointer("double[]", count),
            len(example_end),
            out,
        )
    )
    pairs = (np.frombuffer(ffi.buffer(p), np.float64).reshape(-1, 2).copy() for p in (out.queries, out.words, out.next))
    queries, of_words, following = pairs
    return queries, of_words, following
