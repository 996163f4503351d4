"""What is in a model file, for its readers (:mod:`qac.saving` writes it, :mod:`qac.verification` checks it whole).

Serving imports this and nothing of training.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from qac import _native
from qac._native import ComposerArrays, ModelArrays, NgramArrays, RowArrays, TreeArrays, VectorizerConfig, Vocabulary
from qac.config import TrainingConfig
from qac.errors import ModelError, UsageError
from qac.meta import ComposerMeta, ModelMeta, parse_meta, read_settings
from qac.modelfile import SectionFile
from qac.text import PROTOCOLS, Protocol


@dataclass(frozen=True)
class LoadedModel:
    """A model file, ready to search."""

    file: SectionFile
    meta: ModelMeta
    arrays: ModelArrays
    native: _native.Model

    @property
    def protocol(self) -> Protocol:
        """The text protocol of its training, to be applied to requests."""
        return cast(Protocol, self.meta.text)  # load_model has made sure

    @property
    def beam(self) -> int:
        """Nodes that a search keeps per round unless told otherwise; 0: best first, exact."""
        return self.meta.decoding.beam

    @property
    def config(self) -> TrainingConfig:
        """The configuration of its training. Raises ModelError where the file says none that is possible."""
        try:
            return read_settings(TrainingConfig, self.meta.config, "config")
        except (ValueError, OverflowError, UsageError) as e:
            raise ModelError(f"{self.file.path} is damaged: {e}; copy or train it anew") from e


def load_model(path: str | os.PathLike[str], check: bool | None = None) -> LoadedModel:
    """Open a model file, mapped into memory. ``check``: see :class:`qac.modelfile.SectionFile`.

    Raises
    ------
    ModelError
        The file is not a model that this version can use.
    """
    file = SectionFile(path, check)
    try:
        meta = parse_meta(file.bytes("meta"))
        if meta.text not in PROTOCOLS:
            raise ModelError(
                f"{path} was trained with the text protocol {meta.text!r:.60}, which this qac does not know; "
                "upgrade qac or train it anew"
            )
        arrays = _arrays(file, meta)
        return LoadedModel(file, meta, arrays, _native.Model(arrays, meta.max_label_bytes))
    except (ValueError, OverflowError, RecursionError, UsageError, _native.CorruptError) as e:
        raise ModelError(f"{path} is damaged: its content contradicts itself ({e}); copy or train it anew") from e


def _arrays(file: SectionFile, meta: ModelMeta) -> ModelArrays:
    count, length = file.array("labels.count", "<f4"), file.array("labels.length", "<u1")
    length_factor = file.array("labels.length_factor", "<f8")
    node = file.array("tree.node", _native.NODE)
    tops = [file.array(f"tree.top_{of}", "<f4") for of in ("weight", "count")]
    node_count, member_count = file.array("tree.node_count", "<f8"), file.array("tree.member_count", "<f8")
    block = file.array("labels.block", _native.LABEL_BLOCK)
    members = file.array("tree.members", "<u4")
    member_mass = file.array("tree.member_mass", "<f8")
    block_feature, block_begin = (file.array(f"ranker.block_{what}", "<u4") for what in ("feature", "begin"))
    vocabularies = [
        Vocabulary(
            file.array(f"{name}.bucket_end", "<u4"),
            file.array(f"{name}.key", "<u4"),
            file.array(f"{name}.idf", "<u1"),
            file.array(f"{name}.idf_value", "<f4"),
        )
        for name in ("session", "prefix")
    ]
    _require_equal(
        (len(count), meta.labels),
        (len(block), (len(count) + 15) // 16),
        (len(length), len(count)),
        (len(length_factor), 256),
        (len(node_count), len(node)),
        *((len(top), len(node)) for top in tops),
        *((len(sums), len(members) // _native.MEMBER_BLOCK + 1) for sums in (member_mass, member_count)),
        (len(block_begin), len(block_feature)),
        *((len(v.key), len(v.idf)) for v in vocabularies),
        *((len(v.bucket_end).bit_count(), 1) for v in vocabularies if len(v)),
        *((len(v.idf_value), 256) for v in vocabularies),
    )
    return ModelArrays(
        session=meta.session,
        prefix=meta.prefix or VectorizerConfig(kinds=0),
        session_vocabulary=vocabularies[0],
        prefix_vocabulary=vocabularies[1],
        tree=TreeArrays(
            node=node,
            children=file.array("tree.children", "<u4"),
            members=members,
            labels=len(count),
        ),
        count=count,
        length=length,
        length_factor=length_factor,
        node_count=node_count,
        top_weight=tops[0],
        top_count=tops[1],
        member_mass=member_mass,
        member_count=member_count,
        label_text=file.array("labels.text", "<u1"),
        label_block=block,
        rows=RowArrays(file.array("ranker.rows", "<u1"), block_feature, block_begin, meta.weight_bits),
        repeat_weight=meta.repeat_weight,
        recall=_by_age(meta.recall),
        loss=meta.loss,
        filters=meta.decoding.prefix == "filter",
        composer=_composer(file, meta.composer) if meta.composer else None,
    )


def _by_age(rates: Sequence[float]) -> Sequence[float]:
    _require_equal((len(rates), _native.MAX_AGE))
    return rates


def _composer(file: SectionFile, meta: ComposerMeta) -> ComposerArrays:
    word = _ngrams(file, "word", meta.word_order)
    character = _ngrams(file, "char", meta.character_order)
    c = ComposerArrays(
        word=word,
        character=character,
        word_text=file.array("composer.word_text", "<u1"),
        word_end=file.array("composer.word_end", "<u4"),
        word_length=file.array("composer.word_length", "<u1"),
        word_bucket_end=file.array("composer.bucket_end", "<u4"),
        word_key=file.array("composer.key", "<u4"),
        word_id=file.array("composer.id", "<u4"),
        unigram_sum=file.array("composer.unigram_sum", "<f8"),
        frequent=file.array("composer.frequent", "<u4"),
        alphabet=file.array("composer.alphabet", "<u4"),
        association_end=file.array("composer.assoc_end", "<u4"),
        association=file.array("composer.assoc_word", "<u4"),
        association_weight=file.array("composer.assoc_weight", "<u1"),
        association_value=file.array("composer.assoc_value", "<f4"),
        older=_by_age(meta.older),
        settings=meta.settings,
    )
    if set(c.settings) != set(_native.COMPOSER_SETTINGS):
        raise ValueError("the composer's settings are not those of this version")
    words = len(word.unigram) - 1
    _require_equal(
        (len(c.word_end), words),
        (len(c.word_length), words),
        (len(c.word_id), len(c.word_key)),
        (len(c.unigram_sum), words + 1),
        (len(c.association_end), words),
        (len(c.association_weight), len(c.association)),
        (len(c.association_value), 256),
        (len(c.alphabet), len(character.unigram) - 1),
    )
    return c


def _ngrams(file: SectionFile, name: str, order: int) -> NgramArrays:
    unigram = file.array(f"{name}.unigram", "<f4")
    g = NgramArrays(
        order=order,
        unigram=unigram,
        child_end=file.array(f"{name}.child_end", "<u4"),
        backoff=file.array(f"{name}.backoff", "<u1"),
        backoff_value=file.array(f"{name}.backoff_value", "<f4"),
        shorter=file.array(f"{name}.shorter", "<u4"),
        next=file.array(f"{name}.next", _native.symbol_type(len(unigram) - 1)),
        probability=file.array(f"{name}.probability", "<u1"),
        value=file.array(f"{name}.value", "<f4"),
    )
    _require_equal(
        (len(g.child_end), len(g.backoff)),
        (len(g.next), len(g.probability)),
        (len(g.value), 256 if g.order else 0),
        (len(g.backoff_value), 256 if g.order else 0),
    )
    return g


def _require_equal(*pairs: tuple[int, int]) -> None:
    if any(a != b for a, b in pairs):
        raise ValueError("parts that belong together differ in length")
