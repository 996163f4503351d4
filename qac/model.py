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
            raise ModelError(
                f"{path} was trained with the text protocol {meta['text']!r}, which this qac does not know"
            )
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
            file.array(f"{name}.slot_hash", "<u8"),
            file.array(f"{name}.slot_id", "<u4"),
            file.array(f"{name}.idf", "<f4"),
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


def verify_model(model: LoadedModel) -> None:
    """Check what opening a model leaves to be checked where it is read; takes time in proportion to its size.

    Raises
    ------
    ModelError
        The first contradiction found.
    """
    a, path = model.arrays, model.file.path

    def require(fact: bool, what: str) -> None:
        if not fact:
            raise ModelError(f"{path} is damaged: {what}; copy or train it anew")

    before = ""
    for label in range(len(a.tree.count)):
        try:
            text = model.native.label_text(label)
        except (_native.NativeError, UnicodeDecodeError) as e:
            raise ModelError(f"{path} is damaged: query {label} cannot be read ({e}); copy or train it anew") from e
        require(text > before, f"query {label} is not in order")
        before = text
    require(bool((a.tree.count > 0).all()), "a query's count is not positive")

    node = a.tree.node
    leaves = node[(node["flags"] & _native.NODE_LEAF) != 0]
    held = np.zeros(len(a.tree.count), np.int64)
    refs = a.tree.children
    np.add.at(held, refs[refs >= _native.CHILD_LABEL] - _native.CHILD_LABEL, 1)
    for leaf in leaves:
        span = slice(leaf["lo"], leaf["hi"])
        held[a.tree.members[span] if leaf["flags"] & _native.NODE_CLUSTERED else span] += 1
    require(bool((held == 1).all()), "a query does not stand in the tree exactly once")

    running = np.concatenate([[0.0], np.cumsum(a.tree.count, dtype=np.float64)])
    clustered = (node["flags"] & _native.NODE_CLUSTERED) != 0
    for where, sums in ((~clustered, running), (clustered, a.member_mass)):
        expected = sums[node["hi"][where]] - sums[node["lo"][where]]
        require(bool(np.allclose(node["mass"][where], expected)), "a node's count is not that of its queries")

    features = len(a.session_vocabulary) + len(a.prefix_vocabulary)
    row_size = np.diff(np.concatenate([[0], a.row_end.astype(np.int64)]))
    require(
        bool((row_size > 0).all()) and int(a.row_end[-1] if len(a.row_end) else 0) == len(a.entry_child),
        "a row of weights is empty",
    )
    require(not len(a.row_feature) or int(a.row_feature.max()) < features, "a weight's feature does not exist")
    width = np.repeat(np.repeat(node["n_children"], node["n_rows"]), row_size)
    require(len(width) == len(a.entry_child) and bool((a.entry_child < width).all()), "a weight's child does not exist")
    for v in (a.session_vocabulary, a.prefix_vocabulary):
        ids = np.sort(v.slot_id[v.slot_id != _native.NO_ID])
        require(np.array_equal(ids, np.arange(len(v))), "a vocabulary does not name each feature once")
