"""What must never be suggested: a file of one rule per line, for training and for the running server.

A line is one of

- ``some phrase``: the completion that is exactly this;
- ``word: some phrase``: completions in which these words stand together, as whole words;
- ``re: expression``: completions in which this regular expression finds something;
- empty, or a comment that begins with ``#``.

Rules are normalised as queries are, so case and width do not matter; an expression is matched against the normal form.
Expressions are RE2's: matched in time linear in the text, whatever they are, which is why they have neither back
references nor look-around (https://github.com/google/re2/wiki/Syntax).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from qac.errors import InputError
from qac.examples import Example
from qac.text import PROTOCOLS, Protocol, normalize

MAX_BYTES: Final = 16 << 20
MAX_EXPRESSIONS: Final = 200
MAX_EXPRESSION_CHARS: Final = 1000
_MEMORY: Final = 256 << 10
"""Bytes that RE2 may use for an expression; a larger one is refused."""
_REMEMBERED: Final = 1 << 16
"""Verdicts kept while examples are read: most queries come again."""


class Blocklist:
    """Rules of what to leave out. Immutable.

    Parameters
    ----------
    lines : iterable of str
    name : str
        What to call their file in errors.

    Raises
    ------
    InputError
        A line is not a rule; the message says which one.
    """

    def __init__(self, lines: Iterable[str] = (), name: str = "blocklist") -> None:
        exact: list[str] = []
        words: set[tuple[str, ...]] = set()
        self._expressions: list[Any] = []
        digest = hashlib.blake2b(digest_size=8)
        for number, line in enumerate(lines, 1):
            rule = line.strip()
            if not rule or rule.startswith("#"):
                continue
            digest.update(rule.encode("utf-8", "replace") + b"\n")
            kind, colon, rest = rule.partition(":")
            try:
                if colon and kind.strip().lower() == "re":
                    self._expressions.append(_compile(rest.strip(), len(self._expressions)))
                elif colon and kind.strip().lower() == "word":
                    words.add(_words(rest) or _nothing())
                else:
                    exact.append(rule if normalize(rule) else _nothing())
            except ValueError as e:
                raise InputError(f"{name}:{number}: {e}") from e
        self.digest = digest.hexdigest()
        """The same for the same rules."""
        self._exact: dict[Protocol, frozenset[str]] = {p: frozenset(normalize(t, p) for t in exact) for p in PROTOCOLS}
        self._words = frozenset(words)
        self._longest = max(map(len, words), default=0)

    @classmethod
    def read(cls, path: Path) -> Blocklist:
        """Return the rules in a file. Raises InputError where it cannot be read or a line is not a rule."""
        try:
            with path.open("rb") as f:
                content = f.read(MAX_BYTES + 1)
        except OSError as e:
            raise InputError(f"cannot read the blocklist {path}: {e.strerror}; check path and permissions") from e
        if len(content) > MAX_BYTES:
            raise InputError(f"the blocklist {path} is larger than {MAX_BYTES >> 20} MiB; leave out what is not needed")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            line = content.count(b"\n", 0, e.start) + 1
            raise InputError(f"{path}:{line}: expected UTF-8 text; convert the file") from e
        return cls(text.split("\n"), str(path))

    def blocks(self, text: str, protocol: Protocol) -> bool:
        """Return whether a rule forbids ``text``, which is in the normal form of ``protocol``."""
        return (
            text in self._exact[protocol]
            or (bool(self._words) and self._has_words(text))
            or any(e.search(text) for e in self._expressions)
        )

    def _has_words(self, text: str) -> bool:
        words = _words(text)
        return any(
            words[i : i + n] in self._words
            for n in range(1, min(self._longest, len(words)) + 1)
            for i in range(len(words) - n + 1)
        )


class AllowedExamples:
    """Normalised examples without what ``blocklist`` forbids, be it a next query or an earlier one."""

    def __init__(self, examples: Iterable[Example], blocklist: Blocklist, protocol: Protocol) -> None:
        self._examples = examples
        self._blocks = functools.lru_cache(_REMEMBERED)(lambda text: blocklist.blocks(text, protocol))

    def __iter__(self) -> Iterator[Example]:
        for example in self._examples:
            if not self._blocks(example.next_query):
                earlier = tuple(q for q in example.prev_queries if not self._blocks(q))
                yield example if earlier == example.prev_queries else replace(example, prev_queries=earlier)


def _words(text: str) -> tuple[str, ...]:
    """Return the words of ``text``: what stands between characters that are no letters, digits or marks."""
    return tuple(normalize(text, "alnum").split())


def _nothing() -> Any:
    raise ValueError("the rule is empty in normal form and would block nothing; remove it or write it out")


def _compile(expression: str, before: int) -> Any:
    """Return a compiled expression, ``before`` others being there. Raises ValueError where it is not allowed."""
    if before == MAX_EXPRESSIONS:
        raise ValueError(f"more than {MAX_EXPRESSIONS} regular expressions; join some with | or use word: rules")
    if not expression:
        raise ValueError("expected a regular expression after re:, which would otherwise block everything")
    if len(expression) > MAX_EXPRESSION_CHARS:
        raise ValueError(f"expected an expression of at most {MAX_EXPRESSION_CHARS} characters, got {len(expression)}")
    try:
        import re2
    except ImportError as e:
        raise ValueError('re: rules need google-re2; pip install "qac[serve]"') from e
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        compiled = re2.compile(expression, options)
    except re2.error as e:
        reason = e.args[0].decode("utf-8", "replace") if isinstance(e.args[0], bytes) else str(e)
        raise ValueError(f"not an expression that RE2 takes: {reason}") from e
    if compiled.search(""):
        raise ValueError("the expression matches the empty text and would block everything; anchor or lengthen it")
    return compiled
