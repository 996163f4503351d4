"""The composer as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from qac._native.base import F32, F64, U8, U32, pointer
from qac._native.features import keys_fields

COMPOSER_SETTINGS: Final = (
    "unknown",
    "share",
    "copy_start",
    "copy_none",
    "copy_some",
    "copy_all",
    "associate",
    "least",
    "length_discount",
    "length_scale",
    "spelling",
    "new_query",
)
"""Numbers of a ``qac_composer``."""

MAX_SYMBOLS: Final = (1 << 24) - 1
"""Of an n-gram model; the end of a sequence has the next number."""


def symbol_type(n_symbols: int) -> np.dtype[np.void]:
    """Return the type of a stored symbol: as many bytes as the end of a sequence, ``n_symbols``, takes."""
    return np.dtype((np.uint8, (max(1, (n_symbols.bit_length() + 7) // 8),)))


def symbols_in_bytes(symbols: U32, n_symbols: int) -> U8:
    """Return ``symbols`` as they are stored: shape (symbols, bytes of each), little-endian."""
    in_four = symbols.astype("<u4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(in_four[:, : symbol_type(n_symbols).itemsize])


@dataclass(frozen=True)
class NgramArrays:
    """``qac_ngrams``. What ``unigram`` leaves of 1 is for symbols outside the model."""

    order: int
    unigram: F32
    child_end: U32
    backoff: U8
    """Places in ``backoff_value``."""
    backoff_value: F32
    shorter: U32
    """Of the contexts of three symbols or more."""
    next: U8
    """As :func:`symbols_in_bytes` gives them."""
    probability: U8
    """Places in ``value``."""
    value: F32

    def last_symbols(self) -> U32:
        """Return ``next`` as numbers."""
        in_four = np.zeros((len(self.next), 4), np.uint8)
        in_four[:, : self.next.shape[1]] = self.next
        return in_four.view("<u4").ravel()


@dataclass(frozen=True)
class ComposerArrays:
    """``qac_composer``."""

    word: NgramArrays
    character: NgramArrays
    word_text: U8
    word_end: U32
    word_length: U8
    word_bucket_end: U32
    word_key: U32
    word_id: U32
    unigram_sum: F64
    frequent: U32
    alphabet: U32
    association_end: U32
    association: U32
    association_weight: U8
    """Places in ``association_value``."""
    association_value: F32
    older: Sequence[float]
    settings: Mapping[str, float]
    """By the names of COMPOSER_SETTINGS."""


def _ngrams(g: NgramArrays) -> dict[str, Any]:
    return {
        "order": g.order,
        "words": len(g.unigram) - 1,
        "unigram": pointer("float[]", g.unigram),
        "child_end": pointer("uint32_t[]", g.child_end),
        "backoff": pointer("uint8_t[]", g.backoff),
        "backoff_value": pointer("float[]", g.backoff_value),
        "shorter": pointer("uint32_t[]", g.shorter),
        "n_shorter": len(g.shorter),
        "contexts": len(g.backoff),
        "symbol_bytes": g.next.shape[1],
        "next": pointer("uint8_t[]", g.next),
        "probability": pointer("uint8_t[]", g.probability),
        "value": pointer("float[]", g.value),
        "entries": len(g.next),
    }


def composer_fields(c: ComposerArrays) -> dict[str, Any]:
    """Return the fields of a ``qac_composer``; they keep the arrays alive."""
    return {
        "word": _ngrams(c.word),
        "character": _ngrams(c.character),
        "word_text": pointer("uint8_t[]", c.word_text),
        "word_text_size": len(c.word_text),
        "word_end": pointer("uint32_t[]", c.word_end),
        "word_length": pointer("uint8_t[]", c.word_length),
        "word_keys": keys_fields(c.word_bucket_end, c.word_key, c.word_id),
        "unigram_sum": pointer("double[]", c.unigram_sum),
        "frequent": pointer("uint32_t[]", c.frequent),
        "n_frequent": len(c.frequent),
        "alphabet": pointer("uint32_t[]", c.alphabet),
        "association_end": pointer("uint32_t[]", c.association_end),
        "association": pointer("uint32_t[]", c.association),
        "association_weight": pointer("uint8_t[]", c.association_weight),
        "association_value": pointer("float[]", c.association_value),
        "n_associations": len(c.association),
        "older": list(c.older),
        **c.settings,
    }
