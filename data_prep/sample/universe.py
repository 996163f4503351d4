"""All queries of the sample log with how likely they are, and what one leads to."""

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from math import fsum, sqrt
from operator import itemgetter
from typing import Final, Literal, NamedTuple, TypeVar

from qac.data_prep.sample import Kind, Topic, read_kinds, read_topics

T = TypeVar("T")
Step = Literal["same", "add", "drop", "replace", "none"]
"""How a query stands to the one before it, by the words they share."""

# Shares of queries of 1, 2, ... and 6 or more words among all draws. A session starts with the shorter of two draws,
# so these ask for longer queries than the log will have in the end.
_WORD_SHARES: Final = (0.07, 0.18, 0.23, 0.18, 0.14, 0.20)
# How a topic's interest is divided over its parts.
_HEADS, _NAMES, _ALSO, _ASK = 0.38, 0.46, 0.08, 0.08
_ITEMS: Final = 0.7  # of a name's interest, as far as it has items
_NEIGHBOURS: Final = 3  # how far names listed near each other are taken to be alternatives


class Query(NamedTuple):
    """One query; ``group`` is what it is about within its topic: one head, one name, one of the others."""

    text: str
    words: frozenset[str]
    topic: int
    group: int


def step(before: Query, after: Query) -> Step:
    """Return how ``after`` stands to ``before``."""
    if before.words == after.words:
        return "same"
    if before.words < after.words:
        return "add"
    if after.words < before.words:
        return "drop"
    return "replace" if before.words & after.words else "none"


class Pool:
    """Queries with weights, to draw from; the most likely first."""

    def __init__(self, weighted: Iterable[tuple[Query, float]]) -> None:
        self.pairs = sorted(weighted, key=_weight, reverse=True)
        self._cumulative = list(accumulate(map(_weight, self.pairs)))

    def draw(self, at: float) -> Query:
        """Return the query at ``at`` (0 to 1) of the weight."""
        return self.pairs[min(bisect(self._cumulative, at * self._cumulative[-1]), len(self.pairs) - 1)][0]

    def following(self, query: Query, kind: Step) -> "Pool | None":
        """Return those queries of the pool to which ``query`` leads by a step of this kind, if there are any."""
        pairs = [pair for pair in self.pairs if step(query, pair[0]) == kind]
        return Pool(pairs) if pairs else None


_weight = itemgetter(1)


@dataclass(slots=True)
class Subject:
    """The queries of one topic."""

    queries: Pool
    groups: list[Pool]
    """By :attr:`Query.group`."""
    alternatives: dict[int, Pool] = field(default_factory=dict)
    """For groups that are names: the queries about the names listed beside them."""
    near: list[int] = field(default_factory=list)
    """Related topics."""


class Universe:
    """Every query that the sample log can hold, typing errors aside.

    Attributes
    ----------
    subjects
        One for each topic.
    queries
        All queries, weighted by how likely each is.
    """

    def __init__(self) -> None:
        kinds, topics = read_kinds(), read_topics()
        drafts = [_draft(topic, kinds) for topic in topics]
        lengths = _length_factors(w for draft in drafts for group in draft for w in group.items())
        self.subjects: list[Subject] = []
        for number, (topic, draft) in enumerate(zip(topics, drafts, strict=True)):
            self.subjects.append(_subject(number, len(topic.heads), len(topic.names), draft, lengths))
        for subject, near in zip(self.subjects, _related(topics), strict=True):
            subject.near = near
        scales = map(_popularity, topics)
        self.queries = Pool(
            (query, scale * weight)
            for subject, scale in zip(self.subjects, scales, strict=True)
            for query, weight in subject.queries.pairs
        )


@cache
def universe() -> Universe:
    """Return the one universe; making it takes a second."""
    return Universe()


def _popularity(topic: Topic) -> float:
    # What there is more to say about is asked for more often. (Of all powers, sqrt is exact on every machine.)
    entries = len(topic.heads) + len(topic.also) + len(topic.ask) + sum(1 + len(name.items) for name in topic.names)
    return sqrt(entries)


def _draft(topic: Topic, kinds: dict[str, Kind]) -> list[dict[str, float]]:
    """Return the topic's groups, heads first, then names: text to weight."""
    kind = kinds[topic.kind]
    groups: list[dict[str, float]] = []
    for weight, text in _zipf(_HEADS, topic.heads):
        forms = [kind.head[0], *topic.more, *kind.head[1:]] if topic.more else kind.head
        groups.append(_render(weight, forms, text, topic))
    for i, (weight, name) in enumerate(_zipf(_NAMES, topic.names)):
        own = kinds[name.kind]
        forms = [own.name[0], *topic.forms, *own.name[1:]] if name.kind == topic.kind and topic.forms else own.name
        other = topic.names[(i + 1) % len(topic.names)].text
        of_items = _ITEMS * len(name.items) / (len(name.items) + 2)
        group = _render(weight * (1 - of_items), forms, name.text, topic, other, turn=i)
        for j, (item_weight, item) in enumerate(_zipf(weight * of_items, name.items)):
            other_item = f"{name.text} {name.items[(j + 1) % len(name.items)]}"
            _merge(group, _render(item_weight, own.item, f"{name.text} {item}", topic, other_item, turn=j))
        groups.append(group)
    for weight, text in _zipf(_ALSO, topic.also):
        groups.append(_render(weight, kind.also, text, topic))
    for weight, text in _zipf(_ASK, topic.ask, power=0):
        groups.append({text: weight})
    return groups


def _zipf(total: float, things: list[T], power: int = 1) -> list[tuple[float, T]]:
    """Return the things with weights that fall with their rank, as 1 / rank ** power, and sum to ``total``."""
    weights = [1 / rank**power for rank in range(1, len(things) + 1)]
    whole = fsum(weights)  # exact; what sum() does with floats depends on the version of Python
    return [(total * w / whole, thing) for w, thing in zip(weights, things, strict=True)]


def _render(
    weight: float, forms: list[str], text: str, topic: Topic, other: str = "", turn: int = 0
) -> dict[str, float]:
    head = topic.heads[turn % len(topic.heads)] if topic.kind in _MIXED else topic.heads[0]
    group: dict[str, float] = {}
    for share, form in _zipf(weight, forms):
        if not _repeats(form, text, head):
            query = form.replace("{head}", head).replace("{other}", other).replace("{}", text)
            _merge(group, {query: share})
    return group


_MIXED: Final = {"product", "fashion", "health", "car", "home"}  # kinds whose heads go with any name
_SMALL: Final = {"a", "an", "and", "the", "in", "of", "on", "to", "is", "do", "for", "how", "what"}


def _repeats(form: str, text: str, head: str) -> bool:
    """Whether a word of the form (or of the topic it names) is in the text already: "cheap cheap hotels"."""
    words = set(form.replace("{head}", head).split()) - _SMALL
    return not words.isdisjoint(text.split())


def _merge(group: dict[str, float], more: dict[str, float]) -> None:
    for text, weight in more.items():
        group[text] = group.get(text, 0.0) + weight


def _length_factors(weighted: Iterable[tuple[str, float]]) -> list[float]:
    """Return what to multiply weights of 1, 2, ... word queries with to come to the wanted shares."""
    mass = [0.0] * len(_WORD_SHARES)
    for text, weight in weighted:
        mass[_length(text)] += weight
    return [share * fsum(mass) / m for share, m in zip(_WORD_SHARES, mass, strict=True)]


def _length(text: str) -> int:
    return min(text.count(" "), len(_WORD_SHARES) - 1)


def _subject(number: int, heads: int, names: int, draft: list[dict[str, float]], lengths: list[float]) -> Subject:
    groups = []
    for g, group in enumerate(draft):
        # What a group is about comes first in it. Long titles are no more popular than short ones.
        factors = [lengths[min(_length(text), 2) if i == 0 else _length(text)] for i, text in enumerate(group)]
        queries = [Query(text, frozenset(text.split()), number, g) for text in group]
        groups.append(Pool((q, w * f) for q, w, f in zip(queries, group.values(), factors, strict=True)))
    subject = Subject(_joined(groups), groups)
    for g in range(heads, heads + names):
        beside = range(max(heads, g - _NEIGHBOURS), min(heads + names, g + _NEIGHBOURS + 1))
        subject.alternatives[g] = _joined([groups[b] for b in beside if b != g])
    return subject


def _joined(pools: list[Pool]) -> Pool:
    return Pool(pair for pool in pools for pair in pool.pairs)


def _related(topics: list[Topic]) -> list[list[int]]:
    """Return for each topic those it names as near, and of its kind those beside it in the file."""
    known: dict[str, int] = {}
    for part in ("heads", "names", "also"):
        for number, topic in enumerate(topics):
            for thing in getattr(topic, part):
                known.setdefault(getattr(thing, "text", thing), number)
    related = []
    for number, topic in enumerate(topics):
        beside = [n for n in (number - 1, number + 1) if 0 <= n < len(topics) and topics[n].kind == topic.kind]
        related.append(sorted({*(known[name] for name in topic.near), *beside} - {number}))
    return related
