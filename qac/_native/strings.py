"""Strings: label texts front-coded, what neighbours share, the composer's table of words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qac._native._core import ffi, lib
from qac._native.base import MAX_LABEL_BYTES, U8, U32, check, join, pointer
from qac._native.features import build_keys

LABEL_BLOCK = np.dtype([("begin", "<u8"), ("head", "<u8")])
"""``qac_label_block``."""


def is_normal(text: bytes, *, whole: bool) -> bool:
    """Return whether ``text``, queries in lines or else a prefix, is sure to be in normal form."""
    return bool(lib.qac_is_normal(text, len(text), whole))


def encode_labels(texts: Sequence[str]) -> tuple[U8, npt.NDArray[np.void]]:
    """Return ``(bytes, blocks)``: ascending ``texts``, front-coded; blocks of dtype ``LABEL_BLOCK``."""
    text, ends = join(texts)
    out = np.empty(lib.qac_labels_bound(pointer("uint64_t[]", ends), len(texts)), np.uint8)
    blocks = np.empty((len(texts) + 15) // 16, LABEL_BLOCK)
    size = ffi.new("uint64_t *")
    check(
        lib.qac_labels_encode(
            text,
            pointer("uint64_t[]", ends),
            len(texts),
            pointer("uint8_t[]", out),
            pointer("qac_label_block[]", blocks),
            size,
        )
    )
    return out[: size[0]].copy(), blocks


def decode_label(strings: U8, blocks: npt.NDArray[np.void], n: int, i: int) -> str:
    """Return text ``i`` of the ``n`` that :func:`encode_labels` made ``strings`` and ``blocks`` of."""
    out, size = ffi.new("char[]", MAX_LABEL_BYTES + 1), ffi.new("size_t *")
    check(
        lib.qac_labels_decode(
            pointer("uint8_t[]", strings), len(strings), pointer("qac_label_block[]", blocks), n, i, out, size
        )
    )
    return bytes(ffi.buffer(out, size[0])).decode()


def plain_strings(texts: Sequence[str]) -> tuple[U8, U32]:
    """Return ``(bytes, ends)``: ``texts`` one after another, and where each ends."""
    text, ends = join(texts)
    return np.frombuffer(text, np.uint8), ends.astype(np.uint32)


def common_prefixes(texts: Sequence[str]) -> U32:
    """Return the bytes that each of the ascending ``texts`` shares with the one before, whole code points only."""
    text, ends = join(texts)
    lcp = np.empty(len(texts), np.uint32)
    check(lib.qac_labels_lcp(text, pointer("uint64_t[]", ends), len(texts), pointer("uint32_t[]", lcp)))
    return lcp


def word_keys(words: Sequence[str]) -> tuple[U32, U32, U32]:
    """Return ``(bucket_end, key, id)``, the composer's table from words to their places in ``words``."""
    text, ends = join(words)
    hashes = np.empty(len(words), np.uint64)
    check(lib.qac_word_hash(text, pointer("uint64_t[]", ends), len(words), pointer("uint64_t[]", hashes)))
    ascending, first = np.unique(hashes, return_index=True)
    bucket_end, key, place = build_keys(ascending)
    return bucket_end, key, first[place].astype(np.uint32)
