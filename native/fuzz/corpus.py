"""Write what the fuzzer begins with: tiny models of every kind, and requests.

    python native/fuzz/corpus.py

Blocks as native/fuzz/input.h says; the order is that of input.c. What the fuzzer found stays: only files named here are
written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qac._native import (
    COMPOSE,
    COMPOSER_SETTINGS,
    CORRECT,
    MAX_AGE,
    ComposerArrays,
    ModelArrays,
    NgramArrays,
    Vocabulary,
)
from qac._native.base import LOSSES
from qac.config import ComposerConfig, DecodingConfig, IndexConfig, RankerConfig, TrainingConfig
from qac.examples import Example, normalize_examples
from qac.model import load_model
from qac.saving import save_model
from qac.training import train

CORPUS = Path(__file__).parent / "corpus"

SESSIONS = {
    "digital camera > nikon d70": 6,
    "digital camera > nikon d70 review": 2,
    "digital camera > new lens": 1,
    "running shoes > nike air": 12,
    "running shoes > new balance": 3,
    "travel > new york > new york hotels": 5,
    "travel > new york > naples": 2,
    "süßes > nürnberger lebkuchen": 2,
    "日本 > 日本 料理": 2,
    "emoji > 😀 meaning > 😀😀": 2,
}

NOT_COMPOSING = ComposerConfig(enabled=False)
SMALL = IndexConfig("hybrid", depth=1, max_leaf=2, branching=3)
KEEP_ALL = RankerConfig(prune=0.0)
MODELS = {
    "composing": TrainingConfig(
        index=SMALL, ranker=KEEP_ALL, composer=ComposerConfig(order=2, character_order=3, share=0.5, associate_min=1)
    ),
    "deep": TrainingConfig(
        history=3,
        index=IndexConfig("trie", max_leaf=2),
        composer=ComposerConfig(order=3, character_order=2, spelling=1.0, share=0.9, associate_min=1),
    ),
    "clusters": TrainingConfig(
        index=IndexConfig("kmeans", max_leaf=2, branching=2), ranker=KEEP_ALL, composer=NOT_COMPOSING
    ),
    "prefix": TrainingConfig(use_prefix=True, index=SMALL, ranker=KEEP_ALL, composer=NOT_COMPOSING),
    "hinge": TrainingConfig(
        use_prefix=True,
        index=IndexConfig("mustlink", max_leaf=3, branching=2, depth=2),
        ranker=RankerConfig(loss="hinge"),
        decoding=DecodingConfig(prefix="filter", beam=3),
        composer=NOT_COMPOSING,
    ),
}

REQUESTS: tuple[tuple[str, str], ...] = (
    ("", ""),
    ("n", "digital camera"),
    ("new y", "travel\nnew york"),
    ("nkie", "running shoes"),
    ("nikon d", "digital camera\nnew lens"),
    ("nü", "süßes"),
    ("日本 ", "日本"),
    ("😀", "emoji\n😀 meaning"),
    ("new york h", ""),
    ("travel to ", "travel\nnew york\nnaples\ndigital camera\nrunning shoes\nemoji\nsüßes\n日本\nq"),
)


def request(prefix: str, session: str, k: int = 10, beam: int = 0, options: int = COMPOSE | CORRECT) -> bytes:
    """Return a request's input."""
    return struct.pack("<HBBH", k - 1, beam, options, 3) + prefix.encode() + b"\0" + session.encode()


def keys(bucket_end: npt.NDArray[Any], key: npt.NDArray[Any]) -> Iterator[bytes]:
    """Yield the blocks of a table of keys."""
    yield bucket_end.tobytes()
    yield key.tobytes()


def vocabulary(v: Vocabulary) -> Iterator[bytes]:
    """Yield the blocks of a vocabulary."""
    yield from keys(v.bucket_end, v.key)
    yield v.idf.tobytes()
    yield v.idf_value.tobytes()


def ngrams(g: NgramArrays) -> Iterator[bytes]:
    """Yield the blocks of an n-gram model."""
    for array in (g.unigram, g.shorter, g.child_end, g.backoff, g.backoff_value, g.next, g.probability, g.value):
        yield array.tobytes()


def composer(c: ComposerArrays) -> Iterator[bytes]:
    """Yield the blocks of a composer."""
    yield from ngrams(c.word)
    yield from ngrams(c.character)
    for array in (c.word_text, c.word_end, c.word_length):
        yield array.tobytes()
    yield from keys(c.word_bucket_end, c.word_key)
    for array in (c.word_id, c.unigram_sum, c.frequent, c.alphabet, c.association_end):
        yield array.tobytes()
    yield c.association.tobytes()
    yield c.association_weight.tobytes()
    yield c.association_value.tobytes()


def scalars(a: ModelArrays) -> bytes:
    """Return the block of what is no array."""
    c = a.composer
    vectorizers = b"".join(struct.pack("<4I5f", *astuple(v)) for v in (a.session, a.prefix))
    orders = (c.word.order, c.character.order) if c else (0, 0)
    numbers = [
        *a.recall,
        *(c.older if c else [0.0] * MAX_AGE),
        *(c.settings[s] if c else 0.0 for s in COMPOSER_SETTINGS),
    ]
    head = struct.pack("<fIIIII", a.repeat_weight, LOSSES[a.loss], a.filters, *orders, a.rows.weight_bits)
    return vectorizers + head + np.array(numbers, "<f8").tobytes()


def model(a: ModelArrays) -> bytes:
    """Return a model's input."""
    parts = [
        scalars(a),
        request("n", "digital camera"),
        *vocabulary(a.session_vocabulary),
        *vocabulary(a.prefix_vocabulary),
        a.count,
        a.length,
        a.length_factor,
        a.tree.node,
        a.node_count,
        a.top_weight,
        a.top_count,
        a.tree.children,
        a.tree.members,
        a.member_mass,
        a.member_count,
        a.label_text,
        a.label_block,
        a.rows.stream,
        a.rows.block_feature,
        a.rows.block_begin,
        *(composer(a.composer) if a.composer else ()),
    ]
    blocks = (p if isinstance(p, bytes) else p.tobytes() for p in parts)
    return b"".join(struct.pack("<I", len(b)) + b for b in blocks)


def examples() -> Iterator[Example]:
    """Yield an example for each query of the sessions."""
    for session, count in SESSIONS.items():
        queries = session.split(" > ")
        for i, q in enumerate(queries):
            yield Example(tuple(queries[:i]), q[: 1 + i], q, float(count))


def main() -> None:
    """Write both corpora."""
    log = list(normalize_examples(examples()))
    for name, config in MODELS.items():
        path = CORPUS / "model" / name
        save_model(train(log, config, threads=1, quiet=True), path)
        path.write_bytes(model(load_model(path).arrays))
    for i, (prefix, session) in enumerate(REQUESTS):
        for options in (0, COMPOSE, COMPOSE | CORRECT):
            name = f"{i}-{options}"
            (CORPUS / "request" / name).write_bytes(request(prefix, session, options=options, beam=i % 3))


if __name__ == "__main__":
    main()
