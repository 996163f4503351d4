"""What is in a model file, and how a trained model goes in and out of it."""

from __future__ import annotations

import json
import os
import unicodedata
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from qac import _native
from qac._native import ModelArrays, TreeArrays, VectorizerConfig, Vocabulary
from qac._version import __version__
from qac.errors import ModelError
from qac.features.base import HashedTfidfVectorizer
from qac.modelfile import SectionFile, write_sections
from qac.text import PROTOCOLS, Protocol
from qac.training import TrainedModel

_MAX_ENTRIES = (1 << 32) - 1


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
    if r.n_weights > _MAX_ENTRIES:
        raise ModelError(f"a model holds at most {_MAX_ENTRIES:,} weights, this one has {r.n_weights:,}; raise --prune")
    node = tree.node.copy()
    node["n_rows"] = r.node_rows
    node["row"] = np.cumsum(r.node_rows, dtype=np.uint64) - r.node_rows
    node["scale"] = r.scale
    text, blocks = _native.encode_labels(trained.labels.texts)
    meta = {
        "qac": __version__,
        "text": trained.config.text,
        "unicode": unicodedata.unidata_version,
        "labels": len(trained.labels),
        "max_label_bytes": max(len(t.encode("utf-8")) for t in trained.labels.texts),
        "repeat_weight": trained.config.repeat_weight,
        "session": asdict(trained.session.config()),
        "prefix": asdict(trained.prefix.config()) if trained.prefix else None,
        "config": asdict(trained.config),
        "summary": trained.summary,
    }
    write_sections(
        path,
        {
            "meta": json.dumps(meta, ensure_ascii=False, sort_keys=True).encode("utf-8"),
            "labels.text": text,
            "labels.block": blocks,
            "labels.count": tree.count,
            "tree.node": node,
            "tree.children": tree.children,
            "tree.members": tree.members,
            "tree.member_mass": _running(tree),
            "ranker.row_feature": r.row_feature,
            "ranker.row_end": r.row_end.astype(np.uint32),
            "ranker.child": r.entry_child,
            "ranker.weight": r.entry_weight,
            **_vocabulary_sections("session", trained.session),
            **_vocabulary_sections("prefix", trained.prefix),
        },
    )


def _running(tree: TreeArrays) -> _native.F64:
    return np.concatenate([[0.0], np.cumsum(tree.count[tree.members], dtype=np.float64)])


def _vocabulary_sections(name: str, vectorizer: HashedTfidfVectorizer | None) -> dict[str, Any]:
    v = vectorizer.vocabulary_ if vectorizer else _NO_VOCABULARY
    return {f"{name}.slot_hash": v.slot_hash, f"{name}.slot_id": v.slot_id, f"{name}.idf": v.idf}


_NO_VOCABULARY = Vocabulary(np.empty(0, np.uint64), np.empty(0, np.uint32), np.empty(0, np.float32))


@dataclass(frozen=True)
class LoadedModel:
    """A model file, ready to search."""

    file: SectionFile
    meta: dict[str, Any]
    arrays: ModelArrays
    native: _native.Model

    @property
    def protocol(self) -> Protocol:
        """The text protocol of its training, to be applied to requests."""
        protocol: Protocol = self.meta["text"]
        return protocol


def load_model(path: str | os.PathLike[str], check: bool | None = None) -> LoadedModel:
    """Open a model file, mapped into memory. ``check``: see :class:`qac.modelfile.SectionFile`.

    Raises
    ------
    ModelError
        The file is not a model that this version can use.
    """
    file = SectionFile(path, check)
    try:
        meta = json.loads(file.bytes("meta"))
        arrays = _arrays(file, meta)
        if meta["text"] not in PROTOCOLS:
            raise ModelError(f"{path} was trained with the text protocol {meta['text']!r}, which this qac does not know")
        return LoadedModel(file, meta, arrays, _native.Model(arrays, int(meta["max_label_bytes"])))
    except (ValueError, KeyError, TypeError, OverflowError, _native.CorruptError) as e:
        raise ModelError(f"{path} is damaged: its content contradicts itself ({e}); copy or train it anew") from e


def _arrays(file: SectionFile, meta: dict[str, Any]) -> ModelArrays:
    count = file.array("labels.count", "<f4")
    block = file.array("labels.block", "<u8")
    members = file.array("tree.members", "<u4")
    member_mass = file.array("tree.member_mass", "<f8")
    row_feature, row_end = file.array("ranker.row_feature", "<u4"), file.array("ranker.row_end", "<u4")
    child, weight = file.array("ranker.child", "<u2"), file.array("ranker.weight", "<i1")
    vocabularies = [
        Vocabulary(
            file.array(f"{name}.slot_hash", "<u8"), file.array(f"{name}.slot_id", "<u4"), file.array(f"{name}.idf", "<f4")
        )
        for name in ("session", "prefix")
    ]
    equal_lengths = (
        (len(block), (len(count) + 15) // 16),
        (len(member_mass), len(members) + 1),
        (len(row_end), len(row_feature)),
        (len(weight), len(child)),
        *((len(v.slot_hash), len(v.slot_id)) for v in vocabularies),
    )
    if any(a != b for a, b in equal_lengths):
        raise ValueError("sections that belong together differ in length")
    return ModelArrays(
        session=_config(meta["session"]),
        prefix=_config(meta["prefix"]) if meta["prefix"] else VectorizerConfig(kinds=0),
        session_vocabulary=vocabularies[0],
        prefix_vocabulary=vocabularies[1],
        tree=TreeArrays(
            node=file.array("tree.node", _native.NODE),
            children=file.array("tree.children", "<u4"),
            members=members,
            count=count,
        ),
        member_mass=member_mass,
        label_text=file.array("labels.text", "<u1"),
        label_block=block,
        row_feature=row_feature,
        row_end=row_end,
        entry_child=child,
        entry_weight=weight,
        repeat_weight=float(meta["repeat_weight"]),
    )


def _config(stored: dict[str, Any]) -> VectorizerConfig:
    return VectorizerConfig(**{f.name: stored[f.name] for f in fields(VectorizerConfig)})
