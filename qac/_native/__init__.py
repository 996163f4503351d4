"""The one place that sees ``ffi``: numpy arrays and strings in, numpy arrays and strings out.

Each function and class here is a call or handle of ``native/qac.h`` with lengths computed, buffers allocated and result
codes turned into exceptions; what they do is said there. Nothing here decides anything.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
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
MAX_TERMS: Final[int] = lib.QAC_MAX_TERMS
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
        ("row", "<u4"),
        ("n_rows", "<u4"),
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


def _check(code: int) -> None:
    if code == lib.QAC_OK:
        return
    if code == lib.QAC_ENOMEM:
        raise MemoryError(ffi.string(lib.qac_strerror(code)).decode())
    if code == lib.QAC_ECORRUPT:
        raise CorruptError(code)
    if code == lib.QAC_ECANCELLED:
        raise CancelledError(code)
    raise NativeError(code)


def _pointer(ctype: str, array: npt.NDArray[Any]) -> Any:
    assert array.flags.c_contiguous
    return ffi.from_buffer(ctype, array, require_writable=False)


# ---- features -------------------------------------------------------------------------------------------------------


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


def _vectorizer(config: VectorizerConfig) -> Any:
    return ffi.new("qac_vectorizer *", {f.name: getattr(config, f.name) for f in fields(config)})


def _join(texts: Iterable[str]) -> tuple[bytes, U64]:
    encoded = [t.encode("utf-8") for t in texts]
    ends = np.cumsum(np.fromiter((len(e) for e in encoded), dtype=np.uint64, count=len(encoded)), dtype=np.uint64)
    return b"".join(encoded), ends


def terms(config: VectorizerConfig, documents: Sequence[str]) -> tuple[U64, U64, F32]:
    """Return ``(row_end, hash, count)``: the terms of each document, ascending by hash.

    A document is its texts joined by line feeds, oldest first.
    """
    text, ends = _join(documents)
    capacity = _term_capacity(config, documents)
    hashes, counts = np.empty(capacity, np.uint64), np.empty(capacity, np.float32)
    row_end = np.empty(len(documents), np.uint64)
    _check(
        lib.qac_terms_batch(
            _vectorizer(config),
            text,
            _pointer("uint64_t[]", ends),
            len(documents),
            _pointer("uint64_t[]", hashes),
            _pointer("float[]", counts),
            capacity,
            _pointer("uint64_t[]", row_end),
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
    """``qac_vocabulary``: a hash table from terms to ids, and the ids' inverse document frequencies."""

    slot_hash: U64
    slot_id: U32
    idf: F32

    def __len__(self) -> int:
        return len(self.idf)


def build_slots(hashes: U64) -> tuple[U64, U32]:
    """Return ``(slot_hash, slot_id)``, the table of distinct ``hashes``: the id of one is its place."""
    slots = 1 << max(2, int(len(hashes) * 3 // 2).bit_length())
    slot_hash, slot_id = np.empty(slots, np.uint64), np.empty(slots, np.uint32)
    _check(
        lib.qac_slots_build(
            _pointer("uint64_t[]", np.ascontiguousarray(hashes)),
            len(hashes),
            _pointer("uint64_t[]", slot_hash),
            _pointer("uint32_t[]", slot_id),
            slots,
        )
    )
    return slot_hash, slot_id


def build_vocabulary(hashes: U64, idf: F32) -> Vocabulary:
    """Return the vocabulary of distinct, ascending ``hashes``: the id of a term is its rank."""
    return Vocabulary(*build_slots(hashes), np.ascontiguousarray(idf, np.float32))


def _vocabulary(v: Vocabulary) -> dict[str, Any]:
    return {
        "slot_hash": _pointer("uint64_t[]", v.slot_hash),
        "slot_id": _pointer("uint32_t[]", v.slot_id),
        "slots": len(v.slot_hash),
        "idf": _pointer("float[]", v.idf),
        "terms": len(v.idf),
    }


def vectorize(config: VectorizerConfig, vocabulary: Vocabulary, documents: Sequence[str]) -> tuple[U64, U32, F32]:
    """Return ``(row_end, id, value)`` of the documents' TF-IDF vectors, each of Euclidean length 1 or empty."""
    text, ends = _join(documents)
    capacity = _term_capacity(config, documents)
    ids, values = np.empty(capacity, np.uint32), np.empty(capacity, np.float32)
    row_end = np.empty(len(documents), np.uint64)
    fields_of_vocabulary = _vocabulary(vocabulary)
    _check(
        lib.qac_vectorize_batch(
            _vectorizer(config),
            ffi.new("qac_vocabulary *", fields_of_vocabulary),
            text,
            _pointer("uint64_t[]", ends),
            len(documents),
            _pointer("uint32_t[]", ids),
            _pointer("float[]", values),
            capacity,
            _pointer("uint64_t[]", row_end),
        )
    )
    used = int(row_end[-1]) if len(row_end) else 0
    return row_end, ids[:used].copy(), values[:used].copy()


# ---- labels ---------------------------------------------------------------------------------------------------------


def encode_labels(texts: Sequence[str]) -> tuple[U8, U64]:
    """Return ``(bytes, blocks)``: ascending ``texts``, front-coded."""
    text, ends = _join(texts)
    out = np.empty(lib.qac_labels_bound(_pointer("uint64_t[]", ends), len(texts)), np.uint8)
    blocks = np.empty((len(texts) + 15) // 16, np.uint64)
    size = ffi.new("uint64_t *")
    _check(
        lib.qac_labels_encode(
            text,
            _pointer("uint64_t[]", ends),
            len(texts),
            _pointer("uint8_t[]", out),
            _pointer("uint64_t[]", blocks),
            size,
        )
    )
    return out[: size[0]].copy(), blocks


def common_prefixes(texts: Sequence[str]) -> U32:
    """Return the bytes that each of the ascending ``texts`` shares with the one before, whole code points only."""
    text, ends = _join(texts)
    lcp = np.empty(len(texts), np.uint32)
    _check(lib.qac_labels_lcp(text, _pointer("uint64_t[]", ends), len(texts), _pointer("uint32_t[]", lcp)))
    return lcp


def word_slots(words: Sequence[str]) -> tuple[U64, U32]:
    """Return ``(slot_hash, slot_id)``, the composer's table from words to their places in ``words``."""
    text, ends = _join(words)
    hashes = np.empty(len(words), np.uint64)
    _check(lib.qac_word_hash(text, _pointer("uint64_t[]", ends), len(words), _pointer("uint64_t[]", hashes)))
    return build_slots(hashes)


# ---- training -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TreeArrays:
    """``qac_tree``."""

    node: npt.NDArray[Any]
    children: U32
    members: U32
    weight: F32


def _tree(t: TreeArrays) -> dict[str, Any]:
    return {
        "node": ffi.cast("qac_node *", _pointer("char[]", t.node.view(np.uint8))),
        "children": _pointer("uint32_t[]", t.children),
        "members": _pointer("uint32_t[]", t.members),
        "weight": _pointer("float[]", t.weight),
        "nodes": len(t.node),
        "labels": len(t.weight),
        "n_children": len(t.children),
        "n_members": len(t.members),
    }


@dataclass(frozen=True)
class ExampleArrays:
    """``qac_examples``."""

    row_end: U64
    feature: U32
    value: F32
    features: int
    label_end: U64
    example_row: U32
    example_weight: F32


@dataclass(frozen=True)
class RankerArrays:
    """What ``qac_rankers_copy`` gives: rows per node; feature and end of each row; child and weight of each entry."""

    node_rows: U32
    row_feature: U32
    row_end: U64
    entry_child: U16
    entry_weight: F32


@dataclass(frozen=True)
class TrainingState:
    """``qac_progress`` at one moment."""

    work_done: int
    work_total: int
    passes: int
    loss: float
    loss_start: float


def train_softmax(
    tree: TreeArrays,
    examples: ExampleArrays,
    *,
    l2: float,
    tolerance: float,
    max_passes: int,
    threads: int,
    prune: float,
    watch: Callable[[TrainingState], None],
) -> RankerArrays:
    """Train in the background while the calling thread runs ``watch`` a few times a second.

    When ``watch`` (or a signal, as Ctrl-C) raises, training is cancelled, waited for, and the exception goes on.
    """
    tree_fields = _tree(tree)
    c_tree = ffi.new("qac_tree *", tree_fields)
    example_fields = {
        "row_end": _pointer("uint64_t[]", examples.row_end),
        "feature": _pointer("uint32_t[]", examples.feature),
        "value": _pointer("float[]", examples.value),
        "rows": len(examples.row_end),
        "features": examples.features,
        "label_end": _pointer("uint64_t[]", examples.label_end),
        "example_row": _pointer("uint32_t[]", examples.example_row),
        "example_weight": _pointer("float[]", examples.example_weight),
    }
    c_examples = ffi.new("qac_examples *", example_fields)
    options = {"l2": l2, "tolerance": tolerance, "max_passes": max_passes, "threads": threads, "prune": prune}
    c_training = ffi.new("qac_training *", options)
    state = ffi.new("qac_progress *")
    out = ffi.new("qac_rankers **")
    code: list[int] = []
    finished = threading.Event()

    def work() -> None:
        code.append(lib.qac_train_softmax(c_tree, c_examples, c_training, state, out))
        finished.set()

    def report() -> None:
        watch(TrainingState(state.work_done, state.work_total, state.passes, state.loss, state.loss_start))

    worker = threading.Thread(target=work, name="qac-train")
    worker.start()
    try:
        while not finished.wait(0.1):
            report()
        worker.join()
        report()
    except BaseException:
        state.cancel = 1
        worker.join()
        if code == [lib.QAC_OK]:
            lib.qac_rankers_free(out[0])
        raise
    _check(code[0])
    rankers = ffi.gc(out[0], lib.qac_rankers_free)
    rows, entries = ffi.new("uint64_t *"), ffi.new("uint64_t *")
    lib.qac_rankers_sizes(rankers, rows, entries)
    result = RankerArrays(
        np.empty(len(tree.node), np.uint32),
        np.empty(rows[0], np.uint32),
        np.empty(rows[0], np.uint64),
        np.empty(entries[0], np.uint16),
        np.empty(entries[0], np.float32),
    )
    lib.qac_rankers_copy(
        rankers,
        _pointer("uint32_t[]", result.node_rows),
        _pointer("uint32_t[]", result.row_feature),
        _pointer("uint64_t[]", result.row_end),
        _pointer("uint16_t[]", result.entry_child),
        _pointer("float[]", result.entry_weight),
    )
    return result


# ---- composer -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NgramArrays:
    """``qac_ngrams`` and ``freed``: the share of probability, without context, left for symbols outside the model."""

    order: int
    unigram: F32
    freed: float
    slot_hash: U64
    slot_id: U32
    context_end: U32
    backoff: F32
    next: U32
    weight: F32


@dataclass(frozen=True)
class ComposerArrays:
    """``qac_composer``."""

    word: NgramArrays
    character: NgramArrays
    word_text: U8
    word_block: U64
    word_length: U8
    word_slot_hash: U64
    word_slot_id: U32
    unigram_sum: F64
    frequent: U32
    alphabet: U32
    association_end: U32
    association: U32
    association_weight: F32
    settings: Mapping[str, float]
    """unknown, share, copy_start, copy_none, copy_some, copy_all, associate, least, length_discount, length_scale."""


def _ngrams(g: NgramArrays) -> dict[str, Any]:
    return {
        "order": g.order,
        "words": len(g.unigram) - 1,
        "unigram": _pointer("float[]", g.unigram),
        "slot_hash": _pointer("uint64_t[]", g.slot_hash),
        "slot_id": _pointer("uint32_t[]", g.slot_id),
        "slots": len(g.slot_hash),
        "context_end": _pointer("uint32_t[]", g.context_end),
        "backoff": _pointer("float[]", g.backoff),
        "contexts": len(g.backoff),
        "next": _pointer("uint32_t[]", g.next),
        "weight": _pointer("float[]", g.weight),
        "entries": len(g.next),
    }


def _composer(c: ComposerArrays) -> dict[str, Any]:
    return {
        "word": _ngrams(c.word),
        "character": _ngrams(c.character),
        "word_text": _pointer("uint8_t[]", c.word_text),
        "word_text_size": len(c.word_text),
        "word_block": _pointer("uint64_t[]", c.word_block),
        "word_length": _pointer("uint8_t[]", c.word_length),
        "word_slot_hash": _pointer("uint64_t[]", c.word_slot_hash),
        "word_slot_id": _pointer("uint32_t[]", c.word_slot_id),
        "word_slots": len(c.word_slot_hash),
        "unigram_sum": _pointer("double[]", c.unigram_sum),
        "frequent": _pointer("uint32_t[]", c.frequent),
        "n_frequent": len(c.frequent),
        "alphabet": _pointer("uint32_t[]", c.alphabet),
        "association_end": _pointer("uint32_t[]", c.association_end),
        "association": _pointer("uint32_t[]", c.association),
        "association_weight": _pointer("float[]", c.association_weight),
        "n_associations": len(c.association),
        **c.settings,
    }


# ---- model ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ModelArrays:
    """``qac_parts``: all arrays of a model. Kept alive, and never copied, by the :class:`Model` made from it."""

    session: VectorizerConfig
    prefix: VectorizerConfig
    session_vocabulary: Vocabulary
    prefix_vocabulary: Vocabulary
    tree: TreeArrays
    member_mass: F64
    count: F32
    node_count: F64
    member_count: F64
    label_text: U8
    label_block: U64
    row_feature: U32
    row_end: U32
    entry_child: U16
    entry_weight: I8
    repeat_weight: float
    composer: ComposerArrays | None = None


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
_ANSWER: Final = struct.Struct("<III4xd")
assert _ANSWER.size == ffi.sizeof("qac_answer")


class _Buffers:
    """A caller's scratch space and output buffers; one per thread."""

    def __init__(self, handle: Any) -> None:
        out = ffi.new("qac_scratch **")
        _check(lib.qac_scratch_new(handle, out))
        self.scratch = ffi.gc(out[0], lib.qac_scratch_free)
        self.n = ffi.new("uint32_t *")
        self.reserve(16, 256)

    def reserve(self, k: int, label_bytes: int) -> None:
        self.k = k
        self.label_bytes = label_bytes
        self.answers = ffi.new("qac_answer[]", k)
        self.text_size = k * label_bytes
        self.text = ffi.new("char[]", self.text_size)
        self.view = ffi.buffer(self.text)
        self.answers_view = ffi.buffer(self.answers)


class Model:
    """``qac_model``: immutable; may be used from any number of threads.

    Raises CorruptError when the arrays contradict each other.
    """

    def __init__(self, arrays: ModelArrays, max_label_bytes: int) -> None:
        self._arrays = arrays
        tree = _tree(arrays.tree)
        session_vocabulary = _vocabulary(arrays.session_vocabulary)
        prefix_vocabulary = _vocabulary(arrays.prefix_vocabulary)
        parts = ffi.new("qac_parts *")
        parts.session = _vectorizer(arrays.session)[0]
        parts.prefix = _vectorizer(arrays.prefix)[0]
        parts.session_vocabulary = session_vocabulary
        parts.prefix_vocabulary = prefix_vocabulary
        parts.tree = tree
        arrays_of_parts = {
            "member_mass": _pointer("double[]", arrays.member_mass),
            "count": _pointer("float[]", arrays.count),
            "node_count": _pointer("double[]", arrays.node_count),
            "member_count": _pointer("double[]", arrays.member_count),
            "label_text": _pointer("uint8_t[]", arrays.label_text),
            "label_block": _pointer("uint64_t[]", arrays.label_block),
            "row_feature": _pointer("uint32_t[]", arrays.row_feature),
            "row_end": _pointer("uint32_t[]", arrays.row_end),
            "entry_child": _pointer("uint16_t[]", arrays.entry_child),
            "entry_weight": _pointer("int8_t[]", arrays.entry_weight),
        }
        for name, pointer in arrays_of_parts.items():
            setattr(parts, name, pointer)
        parts.label_text_size = len(arrays.label_text)
        parts.rows = len(arrays.row_feature)
        parts.entries = len(arrays.entry_child)
        parts.repeat_weight = arrays.repeat_weight
        # from_buffer pins each array for as long as its pointer object lives.
        composer = _composer(arrays.composer) if arrays.composer else None
        if composer:
            parts.composer = composer
        self._keep = (tree, session_vocabulary, prefix_vocabulary, arrays_of_parts, composer)
        out = ffi.new("qac_model **")
        _check(lib.qac_model_open(parts, out))
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
        self, prefix: bytes, session: bytes, k: int, beam: int, composing: bool = False
    ) -> list[tuple[str, float, bool]]:
        """Return up to ``k`` answers, best first: text, score, and whether it is composed (no label)."""
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
            composing,
            b.answers,
            b.n,
            b.text,
            b.text_size,
        )
        if code:
            _check(code)
        n = b.n[0]
        if not n:
            return []
        answers = b.answers_view[: n * _ANSWER.size]
        text = b.view[: answers_end(b.answers, n)]
        return [
            (text[begin:end].decode(), score, label == NO_ID)
            for label, begin, end, score in _ANSWER.iter_unpack(answers)
        ]

    def prefix_range(self, prefix: bytes) -> tuple[int, int]:
        """Return the label range ``(lo, hi)`` of a prefix."""
        lo, hi = ffi.new("uint32_t *"), ffi.new("uint32_t *")
        _check(lib.qac_prefix_range(self._handle, prefix, len(prefix), lo, hi))
        return lo[0], hi[0]

    def find_label(self, text: bytes) -> int | None:
        """Return a label's id."""
        label: int = lib.qac_find_label(self._handle, text, len(text))
        return None if label == NO_ID else label

    def label_text(self, label: int) -> str:
        """Return a label's text. Raises NativeError for an id that is none."""
        size = ffi.new("size_t *")
        text = ffi.new("char[]", MAX_LABEL_BYTES + 1)
        _check(lib.qac_label_text(self._handle, label, text, MAX_LABEL_BYTES + 1, size))
        return bytes(ffi.buffer(text, size[0])).decode()

    def explain(self, prefix: bytes, session: bytes, label: int) -> tuple[list[Feature], list[Step]]:
        """Return the request's features and the steps from the root to ``label``."""
        max_steps, max_pushes = 4096, 1 << 16
        features = ffi.new("qac_feature[]", 2 * MAX_TERMS)
        steps, pushes = ffi.new("qac_step[]", max_steps), ffi.new("qac_push[]", max_pushes)
        n_features, n_steps, n_pushes = (ffi.new("uint32_t *") for _ in range(3))
        _check(
            lib.qac_explain(
                self._handle,
                self._buffers(1).scratch,
                prefix,
                len(prefix),
                session,
                len(session),
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


def answers_end(answers: Any, n: int) -> int:
    """Return how many bytes of the text buffer ``n`` answers use."""
    end: int = answers[n - 1].end
    return end
