"""What the sample log is made of: topics, and the forms that queries about them take.

``shop.txt`` and ``web.txt`` are lists of topics, blocks of the form ::

    [product: digital camera, dslr camera]       kind of topic: its heads, the most popular first
    more: {} for beginners                       further forms of the heads, beside those of the kind
    forms: {} in black                           further forms of the names
    names: fujifilm, leica                       names within the topic: brands, sights, characters
    nikon = d3500, coolpix                       a name with items: "nikon d3500"
    as: chain                                    the names below take the forms of this kind
    also: camera bag                             other queries that take a few forms
    ask: how to clean a camera lens              queries as they stand
    near: drone                                  related topics, by any of their heads, names or other queries

and ``kinds.txt`` has the forms of each kind. ``#`` starts a comment line. Everything in these files was written for
this purpose: it is no one's search history.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Final

FAMILIES: Final = ("shop", "web")

Block = tuple[str, list[tuple[str, str, list[str]]]]
"""The text between the brackets, and the lines below it: key, "=" or ":", values."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The forms of queries about topics of one kind, the most usual first."""

    head: list[str]
    name: list[str]
    item: list[str]
    also: list[str]


@dataclass(frozen=True, slots=True)
class Name:
    """A name within a topic, the kind whose forms it takes, and its items."""

    text: str
    kind: str
    items: list[str]


@dataclass(slots=True)
class Topic:
    """What people ask about one subject."""

    kind: str
    heads: list[str]
    more: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    near: list[str] = field(default_factory=list)


def read_kinds() -> dict[str, Kind]:
    """Return the kinds of topic by name."""
    return {title: Kind(**{key: values for key, _, values in lines}) for title, lines in _blocks("kinds")}


def read_topics() -> list[Topic]:
    """Return all topics, in the order of the files."""
    return [_topic(title, lines) for family in FAMILIES for title, lines in _blocks(family)]


def _topic(title: str, lines: list[tuple[str, str, list[str]]]) -> Topic:
    kind, _, heads = title.partition(":")
    topic = Topic(kind, _split(heads))
    names: dict[str, Name] = {}
    naming = kind
    for key, sign, values in lines:
        if sign == "=":
            known = names.get(key)
            names[key] = Name(key, known.kind if known else naming, values)
        elif key == "as":
            naming = values[0]
        elif key == "names":
            names.update((v, Name(v, naming, [])) for v in values if v not in names)
        else:
            getattr(topic, key).extend(values)
    topic.names = list(names.values())
    return topic


def _blocks(name: str) -> Iterator[Block]:
    block: Block | None = None
    for line in _read(name).splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if block:
                yield block
            block = (line.strip("[]"), [])
        else:
            sign = ":" if ": " in line.partition("=")[0] else "="
            key, _, values = line.partition(sign)
            assert block, f"{name}.txt: a line before the first block"
            block[1].append((key.strip(), sign, _split(values)))
    if block:
        yield block


def _split(values: str) -> list[str]:
    return [v.strip() for v in values.split(",")]


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(f"{name}.txt").read_text(encoding="utf-8")
