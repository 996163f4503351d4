"""Plain, slow computations of what the composer computes, written from the formulas and not from the code."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pytest

from qac.config import ComposerConfig
from qac.examples import Example
from qac.labels import LabelTable

START, END, NOWHERE = "<start>", "<end>", "<outside>"


class KneserNey:
    """Interpolated modified Kneser-Ney on dictionaries; symbols are any strings or numbers."""

    def __init__(self, sequences: Iterable[tuple[Sequence[object], int]], order: int) -> None:
        self.order = order
        longest: Counter[tuple[object, ...]] = Counter()
        for sequence, weight in sequences:
            padded = [START] * (order - 1) + list(sequence) + [END]
            for i in range(order - 1, len(padded)):
                longest[tuple(padded[i - order + 1 : i + 1])] += weight
        self.counts = {order: longest}
        for n in range(order - 1, 0, -1):
            shorter: Counter[tuple[object, ...]] = Counter()
            for gram, count in self.counts[n + 1].items():
                shorter[gram[1:]] += count if gram[1] == START else 1
            self.counts[n] = shorter
        self.discounts = {n: self._discounts(self.counts[n].values()) for n in self.counts}
        self.continuations: dict[tuple[object, ...], dict[object, int]] = defaultdict(dict)
        for counts in self.counts.values():
            for gram, count in counts.items():
                self.continuations[gram[:-1]][gram[-1]] = count

    @staticmethod
    def _discounts(counts: Iterable[int]) -> tuple[float, float, float, float]:
        have = Counter(counts)
        n1, n2, n3, n4 = have[1], have[2], have[3], have[4]
        y = n1 / (n1 + 2 * n2) if n1 + n2 else 0.5
        d1 = 1 - 2 * y * n2 / n1 if n1 else 0.5
        d2 = 2 - 3 * y * n3 / n2 if n2 else 1.0
        d3 = 3 - 4 * y * n4 / n3 if n3 else 1.5
        return 0.0, min(max(d1, 0.1), 0.95), min(max(d2, 0.2), 1.9), min(max(d3, 0.3), 2.85)

    def freed(self, context: tuple[object, ...]) -> float:
        """Return the share of probability that a known context leaves to the shorter one."""
        counts, discounts = self.continuations[context].values(), self.discounts[len(context) + 1]
        return sum(discounts[min(c, 3)] for c in counts) / sum(counts)

    def history(self, before: Sequence[object]) -> tuple[object, ...]:
        """Return what of a sequence counts for its next symbol."""
        return tuple([START] * self.order + list(before))[-(self.order - 1) :]

    def probability(self, symbol: object, history: tuple[object, ...]) -> float:
        """Return P(symbol | history); a symbol that is in no sequence has none."""
        shorter = self.probability(symbol, history[1:]) if history else 0.0
        counts = self.continuations.get(history)
        if counts is None:
            return shorter
        count = counts.get(symbol, 0)
        share = (count - self.discounts[len(history) + 1][min(count, 3)]) / sum(counts.values())
        return share + (self.freed(history) * shorter if history else 0.0)

    def outside(self, history: tuple[object, ...]) -> float:
        """Return the probability of all symbols that are in no sequence."""
        return math.prod(self.freed(history[i:]) for i in range(len(history) + 1) if history[i:] in self.continuations)


class PlainComposer:
    """The mixture of n-grams, copied and associated words, for one last query."""

    def __init__(self, examples: Sequence[Example], config: ComposerConfig, last: str) -> None:
        self.config = config
        labels = LabelTable.from_examples(examples)
        weights = [max(1, min(int(c), config.count_cap)) for c in labels.counts]
        queries = [t.split(" ") for t in labels.texts]
        self.words = sorted({w for q in queries for w in q})
        self.by_words = KneserNey(zip(queries, weights, strict=True), config.order)
        self.by_characters = KneserNey(((w, 1) for w in self.words if len(w) <= 40), config.character_order)
        self.last = list(dict.fromkeys(last.split(" "))) if last else []
        self.associated = self._associated(examples)

    def _associated(self, examples: Sequence[Example]) -> dict[str, float]:
        pairs = {(e.prev_queries[-1], e.next_query) for e in examples if e.prev_queries}
        sources = []
        for word in self.last:
            after = Counter(w for before, query in pairs if word in before.split(" ") for w in query.split(" "))
            del after[word]
            kept = {w: n for w, n in after.items() if n >= self.config.associate_min}
            if kept and word in self.words:
                sources.append({w: n / after.total() for w, n in kept.items()})
        return {w: sum(s.get(w, 0) for s in sources) / len(sources) for w in {w for s in sources for w in s}}

    def spelling(self, word: str, whole: bool = True) -> float:
        """Return the probability that a word outside the vocabulary is ``word``, or begins so."""
        m, p = self.by_characters, 1.0
        for i, character in enumerate(word):
            known = m.probability(character, m.history(word[:i]))
            p *= known if (character,) in m.counts[1] else 1e-5
        return p * m.probability(END, m.history(word)) if whole else p

    def shares(self, before: Sequence[str]) -> tuple[float, float, dict[str, float]]:
        """Return the shares of copied and of associated words, and each copy's part of the first."""
        copied = sum(w in self.last for w in before)
        behind = self.last.index(before[-1]) + 1 if before and before[-1] in self.last else None if before else 0
        weights = {w: 3.0 if i == behind else 1.0 for i, w in enumerate(self.last) if w not in before}
        c = self.config
        if not before:
            copy = c.copy_start
        elif copied == 0:
            copy = c.copy_none
        else:
            copy = c.copy_some if copied < len(before) else c.copy_all
        total = sum(weights.values())
        return (
            copy if weights else 0.0,
            c.associate if self.associated else 0.0,
            {w: x / total for w, x in weights.items()},
        )

    def word(self, word: str, before: Sequence[str]) -> float:
        """Return P(word | before), or of the end."""
        m = self.by_words
        history = m.history(before)
        end = m.probability(END, history)
        if word == END:
            return end
        copy, associate, copies = self.shares(before)
        known = m.probability(word, history) if word in self.words else m.outside(history) * self.spelling(word)
        mixed = copy * copies.get(word, 0.0) + associate * self.associated.get(word, 0.0)
        return (1 - end) * mixed + (1 - copy - associate) * known

    def outside(self, before: Sequence[str]) -> float:
        """Return the probability that the next word is a new one that is not copied."""
        copy, associate, _ = self.shares(before)
        return (1 - copy - associate) * self.by_words.outside(self.by_words.history(before))

    def query(self, text: str) -> float:
        """Return P(text)."""
        words = text.split(" ")
        return math.prod(self.word(w, words[:i]) for i, w in enumerate([*words, END]))

    def begins(self, prefix: str) -> float:
        """Return the probability that a query starts with ``prefix``, as far as it is counted."""
        *typed, partial = prefix.split(" ")
        p = math.prod(self.word(w, typed[:i]) for i, w in enumerate(typed))
        if not partial:
            return p * (1 - self.word(END, typed))
        known = sum(self.word(w, typed) for w in self.words if w.startswith(partial))
        copy, _, copies = self.shares(typed)
        new = sum(x for w, x in copies.items() if w not in self.words and w.startswith(partial))
        new *= copy * (1 - self.word(END, typed))
        return p * (known + new + self.outside(typed) * self.spelling(partial, whole=False))

    def best(self, prefix: str, k: int, most: int = 8) -> list[tuple[float, str]]:
        """Return the ``k`` likeliest queries of known, copied and typed words that start with ``prefix``."""
        *typed, partial = prefix.split(" ")
        words = sorted({*self.words, *self.last, *([partial] if partial else [])})
        found: list[tuple[float, str]] = []

        def extend(before: list[str], p: float) -> None:
            if len(found) >= k and p <= found[k - 1][0]:
                return
            if len(before) > len(typed):
                found.append((p * self.word(END, before), " ".join(before)))
                found.sort(key=lambda x: (-x[0], x[1]))
            if len(before) == len(typed) + most:
                return
            for w in words:
                if len(before) > len(typed) or w.startswith(partial):
                    extend([*before, w], p * self.word(w, before))

        extend(typed, math.prod(self.word(w, typed[:i]) for i, w in enumerate(typed)))
        return found[:k]


@pytest.fixture(scope="session")
def kneser_ney() -> type[KneserNey]:
    """Return the plain n-gram model."""
    return KneserNey


@pytest.fixture(scope="session")
def plain_composer() -> type[PlainComposer]:
    """Return the plain mixture."""
    return PlainComposer
