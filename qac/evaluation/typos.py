"""Typing errors: prefixes of a test set with one error each, to see whether completions survive it."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from qac.errors import UsageError
from qac.examples import Example
from qac.text import normalize_prefix

MIN_LENGTH: Final = 3
"""Shorter prefixes are left as they are: with one of two characters wrong there is nothing to go by."""
_EDITS: Final = ("insert", "delete", "substitute", "transpose")
_ATTEMPTS: Final = 50


class Letters:
    """The letters and digits of a log, each as likely as it is frequent there."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = Counter(c for text in texts for c in text if c.isalnum())
        self._letters = sorted(counts)
        self._ends = list(accumulate(counts[c] for c in self._letters))

    def draw(self, rng: random.Random) -> str:
        """Return a letter; none where the log has none."""
        if not self._letters:
            return ""
        return self._letters[bisect_right(self._ends, rng.randrange(self._ends[-1]))]


def mistype(examples: Sequence[Example], rate: float, seed: int = 0) -> list[str]:
    """Return what is typed for each of normalised ``examples``: its prefix, a share ``rate`` of them with one error.

    An error is one edit of Damerau ("A Technique for Computer Detection and Correction of Spelling Errors", CACM
    1964): a letter too many, missing or wrong, or two neighbours exchanged. Each kind and, in it, each place is equally
    likely, the first letter included; letters are drawn from those of the examples. What is typed is in normal form and
    is no prefix of the right answer. Prefixes under :data:`MIN_LENGTH` characters keep clear of errors, and so do the
    few that no attempt makes wrong.

    Raises
    ------
    UsageError
        ``rate`` is not from 0 to 1.
    """
    if not 0 <= rate <= 1:
        raise UsageError(f"the rate of typing errors must be from 0 to 1, got {rate}")
    letters = Letters([example.next_query for example in examples])
    rng = random.Random(seed)
    out = []
    for example in examples:
        # Drawn for all, so that at a higher rate the same prefixes are mistyped, and others besides.
        chosen, own_seed = rng.random() < rate, rng.getrandbits(64)
        long_enough = len(example.prefix) >= MIN_LENGTH
        out.append(_mistype(example, letters, random.Random(own_seed)) if chosen and long_enough else example.prefix)
    return out


def _mistype(example: Example, letters: Letters, rng: random.Random) -> str:
    for _ in range(_ATTEMPTS):
        typed = _edit(example.prefix, letters, rng)
        if not example.next_query.startswith(typed) and normalize_prefix(typed) == typed:
            return typed
    return example.prefix


def _edit(prefix: str, letters: Letters, rng: random.Random) -> str:
    kind = rng.choice(_EDITS)
    if kind == "insert":
        i = rng.randrange(len(prefix) + 1)
        return prefix[:i] + letters.draw(rng) + prefix[i:]
    if kind == "transpose":
        i = rng.randrange(len(prefix) - 1)
        return prefix[:i] + prefix[i + 1] + prefix[i] + prefix[i + 2 :]
    i = rng.randrange(len(prefix))
    return prefix[:i] + (letters.draw(rng) if kind == "substitute" else "") + prefix[i + 1 :]
