"""An open model: requests and explanations."""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from qac._native._core import ffi, lib
from qac._native.base import (
    F32,
    F64,
    LOSSES,
    MAX_LABEL_BYTES,
    MAX_TERMS,
    NO_ID,
    U8,
    U32,
    CorruptError,
    check,
    join,
    pointer,
)
from qac._native.composer import ComposerArrays, composer_fields
from qac._native.features import VectorizerConfig, Vocabulary, vectorizer_struct, vocabulary_fields
from qac._native.rows import RowArrays, rows_fields
from qac._native.training import TreeArrays, tree_fields


@dataclass(frozen=True)
class ModelArrays:
    """``qac_parts``: all arrays of a model. Kept alive, and never copied, by the :class:`Model` made from it."""

    session: VectorizerConfig
    prefix: VectorizerConfig
    session_vocabulary: Vocabulary
    prefix_vocabulary: Vocabulary
    tree: TreeArrays
    count: F32
    length: U8
    length_factor: F64
    node_count: F64
    top_weight: F32
    top_count: F32
    member_mass: F64
    member_count: F64
    label_text: U8
    label_block: npt.NDArray[np.void]
    rows: RowArrays
    repeat_weight: float
    recall: Sequence[float]
    loss: Literal["softmax", "hinge"] = "softmax"
    filters: bool = False
    """Whether the prefix filters answers, rather than constraining the search."""
    composer: ComposerArrays | None = None

    def weights(self) -> F32:
        """Return what each label weighs in a session: its count times its length's factor."""
        return (self.count * self.length_factor[self.length]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Feature:
    """``qac_feature``: a feature of a request; ``begin``, ``end`` are bytes of the session."""

    id: int
    value: float
    kind: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Step:
    """``qac_step``; ``pushes`` are pairs of feature (index into the request's) and contribution to the log-odds."""

    node: int
    choice: int
    alternatives: int
    prior: float
    probability: float
    pushes: tuple[tuple[int, float], ...]


# `qac_answer`: reading all at once is several times faster than field by field.
_ANSWER: Final = struct.Struct("<4xIIII4xddd")
_ANSWER_IN_SHORT: Final = struct.Struct("<12xI8xd16x")
ANSWER: Final = np.dtype(
    {
        "names": ["end", "source", "score"],
        "formats": ["<u4", "<u4", "<f8"],
        "offsets": [8, 12, 24],
        "itemsize": ffi.sizeof("qac_answer"),
    }
)
"""What a batch gives of each answer."""
assert _ANSWER.size == _ANSWER_IN_SHORT.size == ffi.sizeof("qac_answer")
_BATCH: Final = 1024
"""Requests in one call."""


def _lines(text: bytes, n: int) -> list[str]:
    """Return the ``n`` texts that were given, each with a line's end behind it."""
    texts = text.decode().split("\n")
    if len(texts) != n + 1:
        raise CorruptError(lib.QAC_ECORRUPT)
    texts.pop()
    return texts


class _Buffers:
    """A caller's scratch space and output buffers; one per thread."""

    def __init__(self, handle: Any) -> None:
        out = ffi.new("qac_scratch **")
        check(lib.qac_scratch_new(handle, out))
        self.scratch = ffi.gc(out[0], lib.qac_scratch_free)
        self.n = ffi.new("uint32_t *")
        self.reserve(16, 256)

    def reserve(self, k: int, label_bytes: int) -> None:
        self.k = k
        self.label_bytes = label_bytes
        self.answers = ffi.new("qac_answer[]", k)
        self.text_size = k * (label_bytes + 1)
        self.text = ffi.new("char[]", self.text_size)
        self.view = ffi.buffer(self.text)
        self.answers_view = ffi.buffer(self.answers)


class Model:
    """``qac_model``: immutable; may be used from any number of threads.

    Raises CorruptError when the arrays contradict each other.
    """

    def __init__(self, arrays: ModelArrays, max_label_bytes: int) -> None:
        self._arrays = arrays
        tree = tree_fields(arrays.tree)
        session_vocabulary = vocabulary_fields(arrays.session_vocabulary)
        prefix_vocabulary = vocabulary_fields(arrays.prefix_vocabulary)
        parts = ffi.new("qac_parts *")
        parts.session = vectorizer_struct(arrays.session)[0]
        parts.prefix = vectorizer_struct(arrays.prefix)[0]
        parts.session_vocabulary = session_vocabulary
        parts.prefix_vocabulary = prefix_vocabulary
        parts.tree = tree
        arrays_of_parts = {
            "member_mass": pointer("double[]", arrays.member_mass),
            "count": pointer("float[]", arrays.count),
            "length": pointer("uint8_t[]", arrays.length),
            "length_factor": pointer("double[]", arrays.length_factor),
            "node_count": pointer("double[]", arrays.node_count),
            "top_weight": pointer("float[]", arrays.top_weight),
            "top_count": pointer("float[]", arrays.top_count),
            "member_count": pointer("double[]", arrays.member_count),
            "label_text": pointer("uint8_t[]", arrays.label_text),
            "label_block": pointer("qac_label_block[]", arrays.label_block),
        }
        for name, array in arrays_of_parts.items():
            setattr(parts, name, array)
        parts.label_text_size = len(arrays.label_text)
        rows = rows_fields(arrays.rows)
        parts.rows = rows
        parts.repeat_weight = arrays.repeat_weight
        parts.recall = list(arrays.recall)
        parts.loss = LOSSES[arrays.loss]
        parts.filters = arrays.filters
        # from_buffer pins each array for as long as its pointer object lives.
        composer = composer_fields(arrays.composer) if arrays.composer else None
        if composer:
            parts.composer = composer
        self._keep = (tree, session_vocabulary, prefix_vocabulary, arrays_of_parts, rows, composer)
        out = ffi.new("qac_model **")
        check(lib.qac_model_open(parts, out))
        self._handle = ffi.gc(out[0], lib.qac_model_close)
        self._label_bytes = max(min(max_label_bytes, MAX_LABEL_BYTES), lib.QAC_MAX_COMPOSED if composer else 1)
        self._local = threading.local()

    def _buffers(self, k: int) -> _Buffers:
        buffers: _Buffers | None = getattr(self._local, "buffers", None)
        if buffers is None:
            buffers = self._local.buffers = _Buffers(self._handle)
        if buffers.k < k or buffers.label_bytes < self._label_bytes:
            buffers.reserve(max(k, 16), max(self._label_bytes, 1))
        return buffers

    def complete(
        self, prefix: bytes, session: bytes, k: int, beam: int, options: int = 0
    ) -> tuple[list[str], Iterator[tuple[int, float]]]:
        """Return the texts of up to ``k`` answers, best first, and of each its source, a number, and score.

        ``options``: COMPOSE, CORRECT, AS_TYPED. Raises FormError, with the last one alone.
        """
        found, text = self._ask(prefix, session, k, beam, options)
        return _lines(text, len(found) // _ANSWER.size), _ANSWER_IN_SHORT.iter_unpack(found)

    def complete_in_detail(
        self, prefix: bytes, session: bytes, k: int, beam: int, options: int = 0
    ) -> list[tuple[str, int, int, float, float, float]]:
        """Return as :meth:`complete` text, source, how many bytes of the text the prefix stands for, and the score.

        Then how much of it is the composer's, and how much is there because the session asked it before.
        """
        found, text = self._ask(prefix, session, k, beam, options)
        return [(text[begin:end].decode(), *rest) for begin, end, *rest in _ANSWER.iter_unpack(found)]

    def _ask(self, prefix: bytes, session: bytes, k: int, beam: int, options: int) -> tuple[bytes, bytes]:
        b = self._buffers(k)
        code = lib.qac_complete(
            self._handle,
            b.scratch,
            prefix,
            len(prefix),
            session,
            len(session),
            k,
            beam,
            options,
            b.answers,
            b.n,
            b.text,
            b.text_size,
        )
        if code:
            check(code)
        n = b.n[0]
        if not n:
            return b"", b""
        return b.answers_view[: n * _ANSWER.size], b.view[: b.answers[n - 1].end + 1]

    def complete_batch(
        self, requests: Sequence[str], k: int, beam: int, options: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.void], U32, list[str]]]:
        """Yield for some requests after others their answers, shape (requests, k), their numbers and all texts.

        ``requests``: a prefix, its session, the next prefix, and so on. The answers have dtype :data:`ANSWER`.
        """
        scratch, done = self._buffers(1).scratch, ffi.new("uint64_t *")
        at = 0
        while at < len(requests):
            texts, ends = join(requests[at : at + 2 * _BATCH])
            n = len(ends) // 2
            answers, numbers = np.zeros((n, k), ANSWER), np.zeros(n, np.uint32)
            text = np.empty(max(n * k * 64, 2 * k * (MAX_LABEL_BYTES + lib.QAC_MAX_COMPOSED)), np.uint8)
            check(
                lib.qac_complete_batch(
                    self._handle,
                    scratch,
                    texts,
                    pointer("uint64_t[]", ends),
                    n,
                    k,
                    beam,
                    options,
                    ffi.from_buffer("qac_answer[]", answers, require_writable=True),
                    ffi.from_buffer("uint32_t[]", numbers, require_writable=True),
                    ffi.from_buffer("char[]", text, require_writable=True),
                    len(text),
                    done,
                )
            )
            answered = done[0]
            n_answers = int(numbers[:answered].sum())
            used = int(answers["end"][:answered].max()) + 1 if n_answers else 0
            yield answers[:answered], numbers[:answered], _lines(text[:used].tobytes(), n_answers)
            at += 2 * answered

    def prefix_range(self, prefix: bytes) -> tuple[int, int]:
        """Return the label range ``(lo, hi)`` of a prefix."""
        lo, hi = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        check(lib.qac_prefix_range(self._handle, prefix, len(prefix), lo, hi))
        return lo[0], hi[0]

    def find_label(self, text: bytes) -> int | None:
        """Return a label's id."""
        label: int = lib.qac_find_label(self._handle, text, len(text))
        return None if label == NO_ID else label

    def label_text(self, label: int) -> str:
        """Return a label's text. Raises NativeError for an id that is none."""
        size = ffi.new("size_t *")
        text = ffi.new("char[]", MAX_LABEL_BYTES + 1)
        check(lib.qac_label_text(self._handle, label, text, MAX_LABEL_BYTES + 1, size))
        return bytes(ffi.buffer(text, size[0])).decode()

    def explain(self, prefix: bytes, session: bytes, label: int, options: int = 0) -> tuple[list[Feature], list[Step]]:
        """Return the request's features and the steps from the root to ``label``: the tree's part of its score."""
        max_steps, max_pushes = 4096, 1 << 16
        features = ffi.new("qac_feature[]", 2 * MAX_TERMS + 1)
        steps, pushes = ffi.new("qac_step[]", max_steps), ffi.new("qac_push[]", max_pushes)
        n_features, n_steps, n_pushes = (ffi.new("uint32_t *") for _ in range(3))
        check(
            lib.qac_explain(
                self._handle,
                self._buffers(1).scratch,
                prefix,
                len(prefix),
                session,
                len(session),
                options,
                label,
                features,
                n_features,
                steps,
                max_steps,
                n_steps,
                pushes,
                max_pushes,
                n_pushes,
            )
        )
        return (
            [Feature(f.id, f.value, f.kind, f.begin, f.end) for f in (features[i] for i in range(n_features[0]))],
            [
                Step(
                    s.node,
                    s.choice,
                    s.alternatives,
                    s.prior,
                    s.probability,
                    tuple((pushes[j].feature, pushes[j].weight) for j in range(s.push_begin, s.push_end)),
                )
                for s in (steps[i] for i in range(n_steps[0]))
            ],
        )
