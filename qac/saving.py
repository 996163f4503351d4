"""How a trained model becomes a model file."""

from __future__ import annotations

import json
import os
import unicodedata
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from qac import _native
from qac._native import ComposerArrays, Vocabulary
from qac._version import __version__
from qac.errors import ModelError
from qac.features.base import HashedTfidfVectorizer
from qac.meta import ComposerMeta, ModelMeta
from qac.modelfile import write_sections
from qac.training import TrainedModel

_MAX_ROW_BYTES: Final = (1 << 32) - 1
_NO_VOCABULARY: Final = Vocabulary(
    np.empty(0, np.uint32), np.empty(0, np.uint32), np.empty(0, np.uint8), np.zeros(256, np.float32)
)


def save_model(trained: TrainedModel, path: str | os.PathLike[str]) -> None:
    """Write a model file; it appears whole or not at all.

    Raises
    ------
    OutputError
        The file cannot be written.
    ModelError
        The model is beyond the format's limits.
    """
    r, tree = trained.rankers, trained.tree.arrays
    children = np.ascontiguousarray(tree.node["n_children"])
    rows, node_blocks = _native.encode_rows(
        r.node_rows, children, r.row_feature, r.row_end, r.entry_child, r.entry_weight, r.weight_bits
    )
    if len(rows.stream) > _MAX_ROW_BYTES:
        raise ModelError(
            f"a model holds at most {_MAX_ROW_BYTES:,} bytes of weights, this one has {len(rows.stream):,}; "
            "raise --prune"
        )
    node = tree.node.copy()
    node["n_blocks"] = node_blocks
    node["block"] = np.cumsum(node_blocks, dtype=np.uint64) - node_blocks
    node["scale"] = r.scale
    text, blocks = _native.encode_labels(trained.labels.texts)
    count = trained.labels.counts.astype(np.float32)
    assert tree.weight is not None
    meta = ModelMeta(
        qac=__version__,
        text=trained.config.text,
        unicode=unicodedata.unidata_version,
        labels=len(trained.labels),
        weights=r.n_weights,
        weight_bits=r.weight_bits,
        max_label_bytes=max(len(t.encode("utf-8")) for t in trained.labels.texts),
        repeat_weight=trained.config.repeat_weight,
        recall=trained.recall,
        loss=trained.config.ranker.loss,
        decoding=trained.config.decoding,
        session=trained.session.config(),
        prefix=trained.prefix.config() if trained.prefix else None,
        composer=_composer_meta(trained.composer),
        config=asdict(trained.config),
        summary=trained.summary,
    )
    write_sections(
        path,
        {
            "meta": json.dumps(asdict(meta), ensure_ascii=False, sort_keys=True).encode("utf-8"),
            "labels.text": text,
            "labels.block": blocks,
            "labels.count": count,
            "labels.length": trained.labels.lengths(),
            "labels.length_factor": trained.length_factor,
            "tree.node": node,
            "tree.children": tree.children,
            "tree.members": tree.members,
            "tree.member_mass": trained.tree.member_totals(tree.weight),
            "tree.node_count": trained.tree.node_totals(count),
            "tree.top_weight": trained.tree.node_tops(tree.weight),
            "tree.top_count": trained.tree.node_tops(count),
            "tree.member_count": trained.tree.member_totals(count),
            "ranker.rows": rows.stream,
            "ranker.block_feature": rows.block_feature,
            "ranker.block_begin": rows.block_begin,
            **_vocabulary_sections("session", trained.session),
            **_vocabulary_sections("prefix", trained.prefix),
            **_composer_sections(trained.composer),
        },
    )


def _composer_meta(c: ComposerArrays | None) -> ComposerMeta | None:
    return ComposerMeta(c.word.order, c.character.order, tuple(c.older), c.settings) if c else None


def _composer_sections(c: ComposerArrays | None) -> dict[str, Any]:
    if c is None:
        return {}
    sections: dict[str, Any] = {
        "composer.word_text": c.word_text,
        "composer.word_end": c.word_end,
        "composer.word_length": c.word_length,
        "composer.bucket_end": c.word_bucket_end,
        "composer.key": c.word_key,
        "composer.id": c.word_id,
        "composer.frequent": c.frequent,
        "composer.alphabet": c.alphabet,
        "composer.assoc_end": c.association_end,
        "composer.assoc_word": c.association,
        "composer.assoc_weight": c.association_weight,
        "composer.assoc_value": c.association_value,
        "composer.unigram_sum": c.unigram_sum,
    }
    for name, g in (("word", c.word), ("char", c.character)):
        sections |= {
            f"{name}.unigram": g.unigram,
            f"{name}.child_end": g.child_end,
            f"{name}.backoff": g.backoff,
            f"{name}.backoff_value": g.backoff_value,
            f"{name}.shorter": g.shorter,
            f"{name}.next": g.next,
            f"{name}.probability": g.probability,
            f"{name}.value": g.value,
        }
    return sections


def _vocabulary_sections(name: str, vectorizer: HashedTfidfVectorizer | None) -> dict[str, Any]:
    v = vectorizer.vocabulary_ if vectorizer else _NO_VOCABULARY
    return {
        f"{name}.bucket_end": v.bucket_end,
        f"{name}.key": v.key,
        f"{name}.idf": v.idf,
        f"{name}.idf_value": v.idf_value,
    }
