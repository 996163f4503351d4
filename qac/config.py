"""Every setting that decides what a model becomes, with its default. The command line takes its defaults from here."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

from qac.errors import UsageError
from qac.text import PROTOCOLS, Protocol

IndexKind = Literal["hybrid", "trie", "kmeans"]
Loss = Literal["softmax"]

MAX_CHILDREN: Final = 1 << 16
"""Children of one node are numbered with 16 bits in the model."""

RESAMPLES: Final = 2000
"""Samples that an evaluation's intervals and tests rest on."""


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high or math.isinf(value):  # also refuses what is not a number
        bound = f"a number from {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"
        raise UsageError(f"{name} must be {bound}, got {value}")


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"unknown {name} {value!r}; choose one of {', '.join(choices)}")


def setting(config: TrainingConfig, path: str) -> Any:
    """Return the setting at ``path``, such as ``"ranker.l2"``."""
    return functools.reduce(getattr, path.split("."), config)


def with_setting(config: TrainingConfig, path: str, value: Any) -> TrainingConfig:
    """Return ``config`` with ``value`` at ``path``.

    Raises
    ------
    UsageError
        The value is out of range.
    """
    section, _, name = path.rpartition(".")
    if not section:
        return replace(config, **{name: value})
    return replace(config, **{section: replace(getattr(config, section), **{name: value})})


@dataclass(frozen=True)
class IndexConfig:
    """What the label tree is made of.

    ``hybrid``: a trie down to ``depth`` code points, balanced k-means below it. ``trie``: a trie all the way.
    ``kmeans``: clusters from the root. All stop at nodes of at most ``max_leaf`` labels.
    """

    kind: IndexKind = "hybrid"
    depth: int = 3
    max_leaf: int = 128
    branching: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        _require_choice("index", self.kind, get_args(IndexKind))
        _require("depth", self.depth, 1, 4096)
        _require("max_leaf", self.max_leaf, 1, MAX_CHILDREN)
        _require("branching", self.branching, 2, MAX_CHILDREN)
        _require("seed", self.seed, 0, (1 << 63) - 1)


@dataclass(frozen=True)
class RankerConfig:
    """How rankers learn."""

    loss: Loss = "softmax"
    l2: float = 0.05
    """Weight of the penalty |w|^2 / 2, against losses summed over examples."""
    tolerance: float = 1e-4
    """Learning stops when one pass gains less than this share of the loss."""
    max_passes: int = 60
    prune: float = 0.1
    """Weights smaller than this in absolute value are left out."""

    def __post_init__(self) -> None:
        _require_choice("loss", self.loss, get_args(Loss))
        _require("l2", self.l2, 1e-6, math.inf)
        _require("tolerance", self.tolerance, 0, 1)
        _require("max_passes", self.max_passes, 1, 1 << 30)
        _require("prune", self.prune, 0, math.inf)


@dataclass(frozen=True)
class PopularityConfig:
    """How often a query counts."""

    half_life: float | None = None
    """An example counts half for every so many seconds that it is older than the newest. None: age plays no part."""
    min_count: int = 0
    """Queries made fewer times, whenever that was, are not learned: neither proposed nor are their words used."""

    def __post_init__(self) -> None:
        if self.half_life is not None:
            _require("half_life", self.half_life, 1, math.inf)
        _require("min_count", self.min_count, 0, 1 << 53)


@dataclass(frozen=True)
class ComposerConfig:
    """How queries that nobody made before are composed."""

    enabled: bool = True
    order: int = 3
    """Longest n-gram of words."""
    character_order: int = 7
    """Longest n-gram of characters."""
    spelling: float | None = None
    """How much characters count beside words for the word being typed, 0 to 1. None: by how likely new queries are."""
    count_cap: int = 3
    """A query counts at most this often in the model of words: what is popular is known as a whole."""
    share: float | None = None
    """Of the composer in the mixture with the tree, 0 to 1. None: by how likely new queries are in the training log."""
    least: float = 0.0005
    """Composed queries of a smaller probability are not proposed, unless there is nothing else."""
    copy: float = 0.6
    """Part of the words that come back from the session which copying answers for; the n-grams know the others."""
    associate: float = 0.15
    """Chance that the next word is one that follows the last query's words in the log."""
    associate_top: int = 16
    associate_min: float = 2
    """Associations kept per word; times a pair must have been seen."""

    def __post_init__(self) -> None:
        _require("order", self.order, 2, 8)
        _require("character_order", self.character_order, 2, 8)
        _require("count_cap", self.count_cap, 1, 1 << 20)
        for name in ("share", "spelling"):
            if getattr(self, name) is not None:
                _require(name, getattr(self, name), 0, 1)
        _require("least", self.least, 0, 1)
        _require("copy", self.copy, 0, 1)
        _require("associate", self.associate, 0, 0.5)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides what a model becomes. Same examples, same configuration: same model."""

    text: Protocol = "default"
    history: int = 1
    """How many earlier queries of the session the rankers see."""
    age_decay: float = 0.5
    word_weight: float = 1.0
    bigram_weight: float = 0.5
    query_weight: float = 1.0
    use_prefix: bool = False
    """Whether rankers also see the typed prefix (as in the published system)."""
    length_discount: float = 1.0
    """A request's prefix may be any of its query's n prefixes, so at a given prefix a long query is the less likely:
    queries weigh count / n ** length_discount, n in code points. 0: as if requests were made at every key stroke of a
    query, to its end. It holds for requests with a session; those without get the most popular completions."""
    repeat_weight: float = 0.01
    """Factor on the score of the last query itself: who types again seldom wants the same again."""
    popularity: PopularityConfig = field(default_factory=PopularityConfig)
    index: IndexConfig = field(default_factory=IndexConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)
    composer: ComposerConfig = field(default_factory=ComposerConfig)

    def __post_init__(self) -> None:
        _require_choice("text protocol", self.text, PROTOCOLS)
        _require("history", self.history, 1, 1000)
        _require("age_decay", self.age_decay, 0, 1)
        for name in ("word_weight", "bigram_weight", "query_weight"):
            _require(name, getattr(self, name), 0, 1e6)
        _require("length_discount", self.length_discount, 0, 10)
        _require("repeat_weight", self.repeat_weight, 0, 1)
