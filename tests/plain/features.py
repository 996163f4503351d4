"""TF-IDF of sessions and typed prefixes, from the formulas (docs/model-format.md)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from qac._native import TERM_BIGRAM, TERM_CHARS, TERM_QUERY, TERM_WORD
from qac.config import TrainingConfig

Terms = Mapping[int, float]
"""Hashes of terms and what these count."""


def mixed(h: int) -> int:
    """Return the bits of a number, mixed."""
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD % 2**64
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 % 2**64
    return h ^ h >> 33


def hashed(text: bytes, seed: int) -> int:
    """Return the hash of a term (core.h)."""
    h = mixed(seed ^ len(text) * 0x9E3779B97F4A7C15 % 2**64)
    whole = len(text) // 8 * 8
    for i in range(0, whole, 8):
        h = (mixed(h ^ int.from_bytes(text[i : i + 8], "little")) + 0x9E3779B97F4A7C15) % 2**64
    return mixed(h ^ int.from_bytes(text[whole:], "little")) if text[whole:] else h


def session_terms(queries: Sequence[str], config: TrainingConfig) -> Terms:
    """Return words, pairs and whole queries of the last queries, the older the less."""
    terms: dict[int, float] = defaultdict(float)
    for age, query in enumerate(queries[::-1][: config.history]):
        words = [w.encode() for w in query.split(" ")]
        said = [(hashed(w, TERM_WORD), config.word_weight) for w in words]
        pairs = pairwise(words)
        said += [(hashed(b, hashed(a, TERM_BIGRAM)), config.bigram_weight) for a, b in pairs]
        if not (len(words) == 1 and config.word_weight) and not (len(words) == 2 and config.bigram_weight):
            said.append((hashed(query.encode(), TERM_QUERY), config.query_weight))
        for term, weight in said:
            terms[term] += weight * config.age_decay**age
    return {term: count for term, count in terms.items() if count > 0}


def prefix_terms(prefix: str, config: TrainingConfig) -> Terms:
    """Return the 1 to 3 characters from each place on, the later the less."""
    terms: dict[int, float] = defaultdict(float)
    for i in range(len(prefix)):
        for n in range(1, min(3, len(prefix) - i) + 1):
            terms[hashed(prefix[i : i + n].encode(), TERM_CHARS)] += 1 / (i + 1) ** config.position_decay
    return terms


class PlainVectorizer:
    """What the terms of training's documents weigh; they are numbered in the order of their hashes."""

    def __init__(self, documents: Iterable[Terms]) -> None:
        documents = list(documents)
        frequency = Counter(term for terms in documents for term in terms)
        self.number = {term: i for i, term in enumerate(sorted(frequency))}
        self.idf = {term: math.log((1 + len(documents)) / (1 + n)) + 1 for term, n in frequency.items()}

    def vector(self, terms: Terms) -> dict[int, float]:
        """Return the features of a text, of length 1 or empty."""
        weights = {self.number[t]: count * self.idf[t] for t, count in terms.items() if t in self.number}
        length = math.hypot(*weights.values())
        return {number: weight / length for number, weight in weights.items()}
