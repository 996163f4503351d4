"""Texts to sparse vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from qac._native._core import ffi, lib
from qac._native.base import F32, MAX_TERMS, TERM_CHARS, U8, U32, U64, check, join, pointer


@dataclass(frozen=True, slots=True)
class VectorizerConfig:
    """``qac_vectorizer``: how a document is cut into terms and how they count."""

    kinds: int
    min_n: int = 1
    max_n: int = 1
    history: int = 1
    position_decay: float = 0.0
    age_decay: float = 1.0
    word_weight: float = 1.0
    bigram_weight: float = 1.0
    query_weight: float = 1.0


def vectorizer_struct(config: VectorizerConfig) -> Any:
    """Return a ``qac_vectorizer *``."""
    return ffi.new("qac_vectorizer *", {f.name: getattr(config, f.name) for f in fields(config)})


def terms(config: VectorizerConfig, documents: Sequence[str]) -> tuple[U64, U64, F32]:
    """Return ``(row_end, hash, count)``: the terms of each document, ascending by hash.

    A document is its texts joined by line feeds, oldest first.
    """
    text, ends = join(documents)
    capacity = _term_capacity(config, documents)
    hashes, counts = np.empty(capacity, np.uint64), np.empty(capacity, np.float32)
    row_end = np.empty(len(documents), np.uint64)
    check(
        lib.qac_terms_batch(
            vectorizer_struct(config),
            text,
            pointer("uint64_t[]", ends),
            len(documents),
            pointer("uint64_t[]", hashes),
            pointer("float[]", counts),
            capacity,
            pointer("uint64_t[]", row_end),
        )
    )
    used = int(row_end[-1]) if len(row_end) else 0
    return row_end, hashes[:used].copy(), counts[:used].copy()


def _term_capacity(config: VectorizerConfig, documents: Sequence[str]) -> int:
    per_char = config.max_n - config.min_n + 1 if config.kinds & TERM_CHARS else 0
    total = 0
    for d in documents:
        words = d.count(" ") + d.count("\n") + 1
        total += min(MAX_TERMS, 3 * words + per_char * len(d))
    return total


@dataclass(frozen=True)
class Vocabulary:
    """``qac_vocabulary``: a table of keys, places being ids, and the ids' inverse document frequencies."""

    bucket_end: U32
    key: U32
    idf: U8
    """Places in ``idf_value``."""
    idf_value: F32

    def __len__(self) -> int:
        return len(self.idf)


def build_keys(hashes: U64) -> tuple[U32, U32, U32]:
    """Return ``(bucket_end, key, place)``, the table of distinct, ascending ``hashes``.

    ``place`` says where in ``hashes`` each key stands. Of hashes that the table cannot tell apart the first has a key.
    """
    bits = lib.qac_keys_bits(len(hashes))
    bucket_end, key, place = (np.empty(n, np.uint32) for n in (1 << bits, len(hashes), len(hashes)))
    kept = ffi.new("uint32_t *")
    check(
        lib.qac_keys_build(
            pointer("uint64_t[]", np.ascontiguousarray(hashes)),
            len(hashes),
            bits,
            pointer("uint32_t[]", bucket_end),
            pointer("uint32_t[]", key),
            pointer("uint32_t[]", place),
            kept,
        )
    )
    return bucket_end, key[: kept[0]].copy(), place[: kept[0]].copy()


def keys_fields(bucket_end: U32, key: U32, ids: U32 | None = None) -> dict[str, Any]:
    """Return the fields of a ``qac_keys``; they keep the arrays alive."""
    return {
        "bucket_end": pointer("uint32_t[]", bucket_end),
        "key": pointer("uint32_t[]", key),
        "id": ffi.NULL if ids is None else pointer("uint32_t[]", ids),
        "bits": max(1, len(bucket_end)).bit_length() - 1,
        "n": len(key),
    }


def build_vocabulary(hashes: U64, idf: U8, idf_value: F32) -> Vocabulary:
    """Return the vocabulary of distinct, ascending ``hashes``; terms that count as one have the first one's ``idf``.

    ``idf``: of each hash a place in ``idf_value``, of 256.
    """
    bucket_end, key, place = build_keys(hashes)
    return Vocabulary(bucket_end, key, idf[place], idf_value)


def vocabulary_fields(v: Vocabulary) -> dict[str, Any]:
    """Return the fields of a ``qac_vocabulary``; they keep the arrays alive."""
    return {
        "keys": keys_fields(v.bucket_end, v.key),
        "idf": pointer("uint8_t[]", v.idf),
        "idf_value": pointer("float[]", v.idf_value),
    }


def vectorize(config: VectorizerConfig, vocabulary: Vocabulary, documents: Sequence[str]) -> tuple[U64, U32, F32]:
    """Return ``(row_end, id, value)`` of the documents' TF-IDF vectors, each of Euclidean length 1 or empty."""
    text, ends = join(documents)
    capacity = _term_capacity(config, documents)
    ids, values = np.empty(capacity, np.uint32), np.empty(capacity, np.float32)
    row_end = np.empty(len(documents), np.uint64)
    fields_of_vocabulary = vocabulary_fields(vocabulary)
    check(
        lib.qac_vectorize_batch(
            vectorizer_struct(config),
            ffi.new("qac_vocabulary *", fields_of_vocabulary),
            text,
            pointer("uint64_t[]", ends),
            len(documents),
            pointer("uint32_t[]", ids),
            pointer("float[]", values),
            capacity,
            pointer("uint64_t[]", row_end),
        )
    )
    used = int(row_end[-1]) if len(row_end) else 0
    return row_end, ids[:used].copy(), values[:used].copy()
