"""What all of the binding shares: types, constants, result codes, buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from qac._native._core import ffi, lib

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I8 = npt.NDArray[np.int8]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

TERM_WORD: Final[int] = lib.QAC_TERM_WORD
TERM_BIGRAM: Final[int] = lib.QAC_TERM_BIGRAM
TERM_QUERY: Final[int] = lib.QAC_TERM_QUERY
TERM_CHARS: Final[int] = lib.QAC_TERM_CHARS
COMPOSE: Final[int] = lib.QAC_COMPOSE
CORRECT: Final[int] = lib.QAC_CORRECT
AS_TYPED: Final[int] = lib.QAC_AS_TYPED
INDEX: Final[int] = lib.QAC_INDEX
COMPOSED: Final[int] = lib.QAC_COMPOSED
CORRECTED: Final[int] = lib.QAC_CORRECTED
RECALLED: Final[int] = lib.QAC_RECALLED
_NAMES: Final = {INDEX: "index", COMPOSED: "composed", CORRECTED: "corrected", RECALLED: "session"}
SOURCES: Final = tuple(_NAMES[source] for source in range(len(_NAMES)))
"""Where an answer is from, by number."""
TERM_BIAS: Final[int] = lib.QAC_TERM_BIAS
LOSSES: Final[dict[str, int]] = {"softmax": lib.QAC_LOSS_SOFTMAX, "hinge": lib.QAC_LOSS_HINGE}
MAX_TERMS: Final[int] = lib.QAC_MAX_TERMS
MEMBER_BLOCK: Final[int] = lib.QAC_MEMBER_BLOCK
MAX_AGE: Final[int] = lib.QAC_MAX_AGE
MAX_K: Final[int] = lib.QAC_MAX_K
MAX_THREADS: Final[int] = lib.QAC_MAX_THREADS
NO_ID: Final[int] = 0xFFFFFFFF
NODE_CLUSTERED: Final[int] = lib.QAC_NODE_CLUSTERED
NODE_LEAF: Final[int] = lib.QAC_NODE_LEAF
NODE_CLUSTERS: Final[int] = lib.QAC_NODE_CLUSTERS
CHILD_LABEL: Final[int] = 0x80000000
MAX_LABEL_BYTES: Final[int] = 4095

NODE: Final = np.dtype(
    [
        ("mass", "<f8"),
        ("lo", "<u4"),
        ("hi", "<u4"),
        ("child", "<u4"),
        ("n_children", "<u4"),
        ("block", "<u4"),
        ("n_blocks", "<u4"),
        ("scale", "<f4"),
        ("flags", "<u4"),
    ]
)
assert NODE.itemsize == ffi.sizeof("qac_node")


class NativeError(Exception):
    """A native call refused. ``code`` is one of the QAC_E* codes of ``qac.h``."""

    def __init__(self, code: int) -> None:
        super().__init__(ffi.string(lib.qac_strerror(code)).decode())
        self.code = code


class CorruptError(NativeError):
    """QAC_ECORRUPT: a model's content contradicts itself."""


class CancelledError(NativeError):
    """QAC_ECANCELLED: training was cancelled."""


class FormError(NativeError):
    """QAC_EFORM: a text may not be in normal form."""


def check(code: int) -> None:
    """Raise what a result code stands for."""
    if code == lib.QAC_OK:
        return
    if code == lib.QAC_ENOMEM:
        raise MemoryError(ffi.string(lib.qac_strerror(code)).decode())
    if code == lib.QAC_ECORRUPT:
        raise CorruptError(code)
    if code == lib.QAC_ECANCELLED:
        raise CancelledError(code)
    if code == lib.QAC_EFORM:
        raise FormError(code)
    raise NativeError(code)


def pointer(ctype: str, array: npt.NDArray[Any]) -> Any:
    """Return a pointer to an array's data; it keeps the array alive."""
    assert array.flags.c_contiguous
    return ffi.from_buffer(ctype, array, require_writable=False)


def join(texts: Sequence[str]) -> tuple[bytes, U64]:
    """Return the texts as UTF-8, one after another, and where each ends."""
    joined = "".join(texts)
    lengths = map(len, texts) if joined.isascii() else (len(t.encode("utf-8")) for t in texts)
    ends = np.cumsum(np.fromiter(lengths, dtype=np.uint64, count=len(texts)), dtype=np.uint64)
    return joined.encode("utf-8"), ends
