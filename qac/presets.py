"""Named settings: the configurations that the published system was compared in.

Yadav et al., *Session-Aware Query Auto-completion using Extreme Multi-Label Ranking*, KDD 2021 (arXiv 2012.07654),
table 2. All learn one-vs-rest squared hinge losses, see words of the last query alone, search a beam of 10 everywhere,
and leave out what does not start with the prefix. They differ in the label tree, in what labels are clustered by, and
in what rankers see of the prefix. Settings are those of the authors' code (amzn/pecos, examples/qp2q); the two last
hybrids, which the table has not, complete the choice of embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from qac.config import ComposerConfig, DecodingConfig, IndexConfig, RankerConfig, TrainingConfig


@dataclass(frozen=True)
class Preset:
    """A configuration and what it stands for, in a few words."""

    config: TrainingConfig
    what: str


_PUBLISHED: Final = TrainingConfig(
    history=1,
    bigram_weight=0,
    query_weight=0,
    use_prefix=True,
    length_discount=0,
    repeat_weight=1,
    recall=0,
    index=IndexConfig("kmeans", max_leaf=100, branching=2),
    ranker=RankerConfig(loss="hinge", l2=1.0, tolerance=0.1, max_passes=100, prune=0.1, weight_bits=8),
    decoding=DecodingConfig(prefix="filter", beam=10),
    composer=ComposerConfig(enabled=False),
)
_BLIND: Final = replace(_PUBLISHED, use_prefix=False, position_decay=0)
_CHARACTERS: Final = replace(_PUBLISHED, position_decay=0)


def _indexed(base: TrainingConfig, **changes: object) -> TrainingConfig:
    return replace(base, index=replace(base.index, **changes))  # type: ignore[arg-type]


PRESETS: Final[dict[str, Preset]] = {
    "kdd21-baseline": Preset(_indexed(_BLIND, embedding="pifa"), "XR-Linear that does not see the prefix; PIFA tree"),
    "kdd21-baseline-text": Preset(_BLIND, "the same, labels clustered by their text"),
    "kdd21-chars-pifa": Preset(_indexed(_CHARACTERS, embedding="pifa"), "characters of the prefix; PIFA tree"),
    "kdd21-chars-text": Preset(_CHARACTERS, "characters of the prefix; text tree"),
    "kdd21-chars-trie16": Preset(
        _indexed(_CHARACTERS, kind="trie", depth=16, max_leaf=1), "characters of the prefix; trie of depth 16"
    ),
    "kdd21-pifa": Preset(_indexed(_PUBLISHED, embedding="pifa"), "characters weighted by position; PIFA tree"),
    "kdd21-text": Preset(_PUBLISHED, "characters weighted by position; text tree"),
    "kdd21-mustlink5": Preset(
        _indexed(_PUBLISHED, kind="mustlink", depth=5), "the same, labels linked by up to 5 characters"
    ),
    **{
        f"kdd21-hybrid{depth}": Preset(
            _indexed(_PUBLISHED, kind="hybrid", depth=depth), f"the same below a trie of depth {depth}"
        )
        for depth in (1, 2, 3)
    },
    "kdd21-trie16": Preset(
        _indexed(_PUBLISHED, kind="trie", depth=16, max_leaf=1),
        "characters weighted by position; trie of depth 16",
    ),
    "kdd21-hybrid3-pifa": Preset(
        _indexed(_PUBLISHED, kind="hybrid", depth=3, embedding="pifa"), "PIFA below a trie of depth 3"
    ),
    "kdd21-hybrid3-joint": Preset(
        _indexed(_PUBLISHED, kind="hybrid", depth=3, embedding="joint"), "text and PIFA below a trie of depth 3"
    ),
}
