"""The one package that sees ``ffi``: numpy arrays and strings in, numpy arrays and strings out.

Each function and class here is a call or handle of ``native/qac.h`` with lengths computed, buffers allocated and result
codes turned into exceptions; what they do is said there. Nothing here decides anything.
"""

from qac._native.base import (
    CHILD_LABEL,
    F32,
    F64,
    I8,
    MAX_K,
    MAX_LABEL_BYTES,
    MAX_TERMS,
    MAX_THREADS,
    NO_ID,
    NODE,
    NODE_CLUSTERED,
    NODE_CLUSTERS,
    NODE_LEAF,
    TERM_BIGRAM,
    TERM_CHARS,
    TERM_QUERY,
    TERM_WORD,
    U8,
    U16,
    U32,
    U64,
    CancelledError,
    CorruptError,
    NativeError,
)
from qac._native.composer import ComposerArrays, NgramArrays
from qac._native.features import VectorizerConfig, Vocabulary, build_slots, build_vocabulary, terms, vectorize
from qac._native.model import Feature, Model, ModelArrays, Step
from qac._native.strings import common_prefixes, encode_labels, word_slots
from qac._native.training import ExampleArrays, RankerArrays, TrainingState, TreeArrays, train_softmax

__all__ = [
    "CHILD_LABEL",
    "F32",
    "F64",
    "I8",
    "MAX_K",
    "MAX_LABEL_BYTES",
    "MAX_TERMS",
    "MAX_THREADS",
    "NODE",
    "NODE_CLUSTERED",
    "NODE_CLUSTERS",
    "NODE_LEAF",
    "NO_ID",
    "TERM_BIGRAM",
    "TERM_CHARS",
    "TERM_QUERY",
    "TERM_WORD",
    "U8",
    "U16",
    "U32",
    "U64",
    "CancelledError",
    "ComposerArrays",
    "CorruptError",
    "ExampleArrays",
    "Feature",
    "Model",
    "ModelArrays",
    "NativeError",
    "NgramArrays",
    "RankerArrays",
    "Step",
    "TrainingState",
    "TreeArrays",
    "VectorizerConfig",
    "Vocabulary",
    "build_slots",
    "build_vocabulary",
    "common_prefixes",
    "encode_labels",
    "terms",
    "train_softmax",
    "vectorize",
    "word_slots",
]
