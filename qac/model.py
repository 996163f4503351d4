"""What is in a model file, for its readers (:mod:`qac.saving` writes it, :mod:`qac.verification` checks it whole).

Serving imports this and nothing of training.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from typing import Any

from qac import _native
from qac._native import ModelArrays, TreeArrays, VectorizerConfig, Vocabulary
from qac.errors import ModelError
from qac.modelfile import SectionFile
from qac.text import PROTOCOLS, Protocol


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
                f"{path} was trained with the text protocol {meta['text']!r}, which this qac does not know; "
                "upgrade qac or train it anew"
            )
        return LoadedModel(file, meta, arrays, _native.Model(arrays, int(meta["max_label_bytes"])))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, _native.CorruptError) as e:
        raise ModelError(f"{path} is damaged: its content contradicts itself ({e}); copy or train it anew") from e


def _arrays(file: SectionFile, meta: dict[str, Any]) -> ModelArrays:
    count, weight_of = file.array("labels.count", "<f4"), file.array("labels.weight", "<f4")
    node = file.array("tree.node", _native.NODE)
    node_count, member_count = file.array("tree.node_count", "<f8"), file.array("tree.member_count", "<f8")
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
        (len(weight_of), len(count)),
        (len(node_count), len(node)),
        (len(member_mass), len(members) + 1),
        (len(member_count), len(members) + 1),
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
            node=node,
            children=file.array("tree.children", "<u4"),
            members=members,
            weight=weight_of,
        ),
        member_mass=member_mass,
        count=count,
        node_count=node_count,
        member_count=member_count,
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
