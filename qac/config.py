"""Every setting that decides what a model becomes, with its default. The command line takes its defaults from here."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from qac.errors import UsageError
from qac.text import PROTOCOLS, Protocol

IndexKind = Literal["hybrid", "trie", "kmeans", "mustlink"]
Embedding = Literal["text", "pifa", "joint"]
Loss = Literal["softmax", "hinge"]
PrefixUse = Literal["constrain", "filter"]

PersonalKind = Literal["url", "email", "iban", "card", "ssn", "ip", "phone", "digits"]
PERSONAL_KINDS: Final[tuple[PersonalKind, ...]] = get_args(PersonalKind)
"""Kinds of personal data, in the order in which they are looked for."""

MAX_CHILDREN: Final = 1 << 16
"""Children of one node are numbered with 16 bits in the model."""

WEIGHT_BITS: Final = (2, 8)
"""The fewest and the most that a stored weight may take."""

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
    return with_settings(config, {path: value})


def with_settings(config: TrainingConfig, values: Mapping[str, Any]) -> TrainingConfig:
    """Return ``config`` with each path's value, all at once: some go together only.

    Raises
    ------
    UsageError
        A value is out of range, or they contradict each other.
    """
    changes: dict[str, Any] = {path: value for path, value in values.items() if "." not in path}
    for section in dict.fromkeys(path.partition(".")[0] for path in values if "." in path):
        inner = {path.partition(".")[2]: value for path, value in values.items() if path.startswith(f"{section}.")}
        changes[section] = replace(getattr(config, section), **inner)
    return replace(config, **changes)


@dataclass(frozen=True)
class ScreeningConfig:
    """What of a log may become a suggestion: see docs/privacy.md, also for why the defaults are what they are."""

    min_users: int | None = None
    """So many different users made a query, or it is neither learned nor remembered. None: 3 where the log names users
    or sessions, else 1."""
    min_count: int = 1
    """So many times it was made."""
    per_user: int | None = 3
    """A user's requests for one query count so often at most. None: all do."""
    half_typed: float = 3.0
    """Seconds. A query that the same user made longer within so many was not meant as one. 0: all were."""
    max_per_minute: int | None = 30
    max_per_day: int | None = 200
    max_repeats: int | None = 100
    """Who makes more queries than this within 60 seconds, or on a day (UTC), or so many of which more than half are one
    and the same, is taken for a program and left out. None: nobody is."""
    keep_personal: tuple[PersonalKind, ...] = ()
    """Kinds of personal data that are left in."""

    def __post_init__(self) -> None:
        for name in ("min_users", "min_count", "per_user", "max_per_minute", "max_per_day", "max_repeats"):
            if getattr(self, name) is not None:
                _require(name, getattr(self, name), 1, 1 << 53)
        _require("half_typed", self.half_typed, 0, 1e9)
        for kind in self.keep_personal:
            _require_choice("kind of personal data", kind, PERSONAL_KINDS)

    def resolved_min_users(self, names_users: bool) -> int:
        """Return ``min_users``, or what None stands for."""
        return self.min_users or (MIN_USERS if names_users else 1)


MIN_USERS: Final = 3
"""Where the log names users."""

UNSCREENED: Final = ScreeningConfig(
    min_users=1,
    per_user=None,
    half_typed=0,
    max_per_minute=None,
    max_per_day=None,
    max_repeats=None,
    keep_personal=PERSONAL_KINDS,
)
"""Everything is let through: how systems are compared in the literature, and nothing to publish."""


@dataclass(frozen=True)
class IndexConfig:
    """What the label tree is made of.

    ``hybrid``: a trie down to ``depth`` code points, balanced k-means below it. ``trie``: a trie all the way, or down
    to ``depth``. ``kmeans``: clusters from the root. ``mustlink``: the same, but labels that share their first code
    points, up to ``depth`` of them and one more at each level, stay together. All stop at nodes of at most
    ``max_leaf`` labels.
    """

    kind: IndexKind = "hybrid"
    depth: int | None = None
    """None: 3 code points (hybrid), no bound (trie), 5 (mustlink)."""
    max_leaf: int = 128
    branching: int = 16
    seed: int = 0
    embedding: Embedding = "text"
    """By what labels are clustered: their text, the requests that led to them (pifa), or both (joint)."""

    def __post_init__(self) -> None:
        _require_choice("index", self.kind, get_args(IndexKind))
        if self.depth is not None:
            _require("depth", self.depth, 1, 4096)
        _require("max_leaf", self.max_leaf, 1, MAX_CHILDREN)
        _require("branching", self.branching, 2, MAX_CHILDREN)
        _require("seed", self.seed, 0, (1 << 63) - 1)
        _require_choice("embedding", self.embedding, get_args(Embedding))

    @property
    def resolved_depth(self) -> int | None:
        """``depth``, or what None stands for; None: no bound."""
        return {"hybrid": 3, "mustlink": 5}.get(self.kind) if self.depth is None else self.depth


@dataclass(frozen=True)
class RankerConfig:
    """How rankers learn."""

    loss: Loss = "softmax"
    """softmax: a node's children share its probability. hinge: each child against the rest, as published."""
    l2: float = 0.05
    """Weight of the penalty |w|^2 / 2, against losses summed over examples."""
    tolerance: float = 1e-4
    """Learning stops when one pass gains less than this share of the loss; with hinge, when the gradients of the dual
    differ by no more than this."""
    max_passes: int = 60
    prune: float = 0.5
    """Weights smaller than this in absolute value are left out."""
    weight_bits: int = 6
    """Bits that a stored weight takes: in even steps up to the largest of its node."""
    positive_cost: float = 1.0
    negative_cost: float = 1.0
    """Of hinge: factors on the losses of examples that a child followed, and of the others."""
    matcher_beam: int = 0
    """Of hinge. 0: a node learns from the examples under it (teacher forcing). Otherwise also from those that a beam
    search of this width would bring there (matcher-aware negatives)."""

    def __post_init__(self) -> None:
        _require_choice("loss", self.loss, get_args(Loss))
        _require("l2", self.l2, 1e-6, math.inf)
        _require("tolerance", self.tolerance, 0, 1)
        _require("max_passes", self.max_passes, 1, 1 << 30)
        _require("prune", self.prune, 0, math.inf)
        _require("weight_bits", self.weight_bits, *WEIGHT_BITS)
        _require("positive_cost", self.positive_cost, 1e-6, 1e6)
        _require("negative_cost", self.negative_cost, 1e-6, 1e6)
        _require("matcher_beam", self.matcher_beam, 0, 1 << 16)
        if self.matcher_beam and self.loss != "hinge":
            raise UsageError(f"matcher_beam gives negatives to the hinge loss; the loss is {self.loss}: leave it 0")


@dataclass(frozen=True)
class DecodingConfig:
    """How a model is searched."""

    prefix: PrefixUse = "constrain"
    """constrain: the search goes only where queries start with the prefix. filter: it goes everywhere, and what does
    not start with the prefix is left out of what it finds, so that there may be few answers or none (as published)."""
    beam: int = 0
    """Nodes kept per round, unless a request's completer says otherwise. 0: best first, exact."""

    def __post_init__(self) -> None:
        _require_choice("use of the prefix", self.prefix, get_args(PrefixUse))
        _require("beam", self.beam, 0, (1 << 31) - 1)


@dataclass(frozen=True)
class PopularityConfig:
    """How often a query counts."""

    half_life: float | None = None
    """An example counts half for every so many seconds that it is older than the newest. None: age plays no part."""
    min_count: int = 0
    """Queries made fewer times, whenever that was, are not learned: neither proposed nor are their words used."""
    rare: float = 0.0
    """Share of the log's requests that preparation left out because too few people made them, 0 to 1: so likely are
    queries that are none of those learned."""

    def __post_init__(self) -> None:
        if self.half_life is not None:
            _require("half_life", self.half_life, 1, math.inf)
        _require("min_count", self.min_count, 0, 1 << 53)
        _require("rare", self.rare, 0, 1)


@dataclass(frozen=True)
class ComposerConfig:
    """How queries that nobody made before are composed."""

    enabled: bool = True
    order: int = 3
    """Longest n-gram of words."""
    character_order: int | None = None
    """Longest n-gram of characters. None: 7 where characters have a say in every word that is typed, else 5: then they
    only tell words that nobody wrote before, and longer ones gain nothing."""
    spelling: float | None = None
    """How much characters count beside words for the word being typed, 0 to 1. None: by how likely new queries are."""
    count_cap: int = 3
    """A query counts at most this often in the model of words: what is popular is known as a whole."""
    share: float | None = None
    """Of the composer in the mixture with the tree, 0 to 1. None: by how likely new queries are in the training log."""
    least: float = 0.0005
    """Composed queries of a smaller probability are not proposed, unless there is nothing else."""
    copy: float = 0.8
    """Part of the words that come back from the session which copying answers for; the n-grams know the others."""
    associate: float = 0.15
    """Chance that the next word is one that follows the last query's words in the log."""
    associate_top: int = 16
    associate_min: float = 2
    """Associations kept per word; times a pair must have been seen."""

    def __post_init__(self) -> None:
        _require("order", self.order, 2, 8)
        if self.character_order is not None:
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
    position_decay: float = 1.0
    """In prefixes and labels' texts a character n-gram at code point i counts 1 / (i + 1) ** position_decay."""
    length_discount: float = 1.0
    """A request's prefix may be any of its query's n prefixes, so at a given prefix a long query is the less likely:
    queries weigh count / n ** length_discount, n in code points. 0: as if requests were made at every key stroke of a
    query, to its end. It holds for requests with a session; those without get the most popular completions."""
    repeat_weight: float = 0.01
    """Factor on the score of the last query itself: who types again seldom wants the same again."""
    recall: float = 0.5
    """Part of the queries that come back from before the last one which recall answers for; the rankers know the
    others."""
    popularity: PopularityConfig = field(default_factory=PopularityConfig)
    index: IndexConfig = field(default_factory=IndexConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    composer: ComposerConfig = field(default_factory=ComposerConfig)

    def __post_init__(self) -> None:
        _require_choice("text protocol", self.text, PROTOCOLS)
        _require("history", self.history, 1, 1000)
        _require("age_decay", self.age_decay, 0, 1)
        for name in ("word_weight", "bigram_weight", "query_weight"):
            _require(name, getattr(self, name), 0, 1e6)
        _require("length_discount", self.length_discount, 0, 10)
        for name in ("repeat_weight", "recall"):
            _require(name, getattr(self, name), 0, 1)
        _require("position_decay", self.position_decay, 0, 100)
        if self.composer.enabled and (self.ranker.loss != "softmax" or self.decoding.prefix != "constrain"):
            raise UsageError(
                "the composer needs probabilities given the prefix to mix with: "
                "use it with the loss softmax and a prefix that constrains, or leave it out (--no-composer)"
            )


@dataclass(frozen=True)
class ServerConfig:
    """What the server answers with, and what it allows."""

    model: Path
    beam: int | None = None
    compose: bool = True
    correct: bool = True
    """See :class:`qac.Completer`."""
    blocklist: Path | None = None
    record: Path | None = None
    """Folder that searches are recorded in. None: nothing is."""
    origins: tuple[str, ...] = ()
    """Whose pages may ask from elsewhere (CORS): ``https://shop.example``, or ``*`` for all."""
    access_log: bool = False
    default_k: int = 10
    max_k: int = 100
    max_chars: int = 512
    """Code points of a prefix or of an earlier query."""
    max_prev: int = 20
    max_batch: int = 100
    max_body: int = 1 << 18
    """Bytes of a request's body."""
    max_record_file: int = 64 << 20
    """Bytes of a file of recorded searches, after which the next one is begun."""
