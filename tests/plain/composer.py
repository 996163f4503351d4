"""Plain, slow computations of what the composer computes, written from the formulas and not from the code."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from qac.config import ComposerConfig
from qac.examples import Example
from qac.labels import LabelTable, QueryLog
from qac.reuse import count_reuse

START, END = "<start>", "<end>"
OUTSIDE = 1e-5
"""Of a character that is in no query."""
UNLIKELIEST = 1e-100
"""Of what has been typed, however unlikely."""
SESSION_WORDS = 24


class KneserNey:
    """Interpolated modified Kneser-Ney on dictionaries; symbols are any strings or numbers."""

    def __init__(self, sequences: Iterable[tuple[Sequence[object], int]], order: int) -> None:
        self.order = order
        seen: dict[int, Counter[tuple[object, ...]]] = {n: Counter() for n in range(1, order + 1)}
        for sequence, weight in sequences:
            framed = [START, *sequence, END]
            for n in seen:
                for i in range(len(framed) - n + 1):
                    seen[n][tuple(framed[i : i + n])] += weight
        del seen[1][(START,)]  # nothing leads to the start
        self.counts = {order: seen[order]}
        for n in range(1, order):
            before = Counter(gram[1:] for gram in seen[n + 1])  # different symbols before each
            self.counts[n] = Counter({g: c if g[0] == START else before[g] for g, c in seen[n].items()})
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

    def knows(self, symbol: object) -> bool:
        """Return whether a symbol is in some sequence."""
        return (symbol,) in self.counts[1]

    def history(self, before: Sequence[object]) -> tuple[object, ...]:
        """Return what of a sequence counts for its next symbol."""
        return (START, *before)[-(self.order - 1) :]

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


def telling(queries: Sequence[Sequence[str]]) -> list[int]:
    """Return which queries show how words are written: of those with a word the first eight to be drawn."""
    turn = np.random.default_rng(0).permutation(len(queries))
    having: dict[str, list[int]] = defaultdict(list)
    for i in sorted(range(len(queries)), key=turn.__getitem__):
        for word in set(queries[i]):
            having[word].append(i)
    return sorted({i for places in having.values() for i in places[:8]})


class PlainComposer:
    """The mixture of n-grams, copied and associated words, and of characters in the word being typed.

    For one session, its queries oldest first, or its last query alone. ``head``: the finished words of a prefix with
    the space behind each; new words are spelled as if they stood there.
    """

    def __init__(self, examples: Sequence[Example], config: ComposerConfig, session: str | Sequence[str]) -> None:
        self.config = config
        assert config.spelling is not None
        self.characters_share: float = config.spelling
        labels = LabelTable.from_examples(examples)
        weights = [max(1, min(int(c), config.count_cap)) for c in labels.occurrences]
        queries = [t.split(" ") for t in labels.texts]
        self.known = set(labels.texts)
        new = max(0.001, sum(n for n in labels.occurrences if n <= 1) / sum(labels.occurrences))
        self.counts_known = max(0.1, 1 - new)
        self.words = sorted({w for q in queries for w in q})
        self.by_words = KneserNey(zip(queries, weights, strict=True), config.order)
        self.by_characters = KneserNey(((labels.texts[i], 1) for i in telling(queries)), config.character_order)
        log = QueryLog()
        for example in examples:
            log.add(example)
        self.reuse = count_reuse(log)
        self.older_words = self.reuse.older_words
        self.copy_shares = tuple(min(config.copy * rate, 0.9 - config.associate) for rate in self.reuse.next_words)
        self.read_session([session] if isinstance(session, str) else session)
        self.associated = self.associations({(e.prev_queries[-1:], e.next_query) for e in examples if e.prev_queries})

    def read_session(self, session: Sequence[str]) -> None:
        """Take note of the session's words, and how many queries ago each was said last."""
        self.said: dict[str, int] = {}
        for age, query in enumerate(session[::-1]):
            if age == 0 or self.older_words[age - 1] > 0:
                new = dict.fromkeys(w for w in query.split(" ") if w and w not in self.said)
                self.said |= dict.fromkeys(list(new)[: SESSION_WORDS - len(self.said)], age)

    def associations(self, steps: set[tuple[tuple[str, ...], str]]) -> dict[str, float]:
        """Return how often words followed those of the last query, by sessions and what came next."""
        sources = []
        for word in (w for w, age in self.said.items() if age == 0 and w in self.words):
            after = Counter(w for before, query in steps if word in before[-1].split(" ") for w in query.split(" "))
            del after[word]
            most = sorted(after, key=lambda w: (-after[w], w))[: self.config.associate_top]
            kept = {w: after[w] / after.total() for w in most if after[w] >= self.config.associate_min}
            if kept:
                sources.append(kept)
        return {w: sum(s.get(w, 0) for s in sources) / len(sources) for w in {w for s in sources for w in s}}

    def spelling(self, text: str, before: str) -> float:
        """Return the probability that the characters of ``text`` come behind those of ``before``."""
        m, p = self.by_characters, 1.0
        for i, character in enumerate(text):
            p *= m.probability(character, m.history(before + text[:i])) if m.knows(character) else OUTSIDE
        return max(p, UNLIKELIEST)

    def behind(self, text: str, symbol: str) -> float:
        """Return the probability that the end, or a space, comes behind the characters of ``text``."""
        return self.by_characters.probability(symbol, self.by_characters.history(text))

    def new_word(self, word: str, head: str) -> float:
        """Return the probability that a word outside the vocabulary is ``word``."""
        return self.spelling(word, head) * (self.behind(head + word, END) + self.behind(head + word, " "))

    def shares(self, before: Sequence[str]) -> tuple[float, float, dict[str, float]]:
        """Return the shares of copied and of associated words, and each copy's part of the first."""
        places = list(self.said)
        behind = next(iter(places), None)  # of no word: the first of the last query
        if before:
            here = places.index(before[-1]) if before[-1] in places else None
            behind = places[here + 1] if here is not None and here + 1 < len(places) else None
            if behind and self.said[behind] != self.said[before[-1]]:  # it stands in another query
                behind = None
        weights = {
            w: (3.0 if w == behind else 1.0) * (self.older_words[age - 1] if age else 1.0)
            for w, age in self.said.items()
            if w not in before
        }
        copied = sum(w in self.said for w in before)
        state = 0 if not before else 1 if not copied else 2 if copied < len(before) else 3
        total = sum(weights.values())
        return (
            self.copy_shares[state] * min(1.0, total),
            self.config.associate if self.associated else 0.0,
            {w: x / total for w, x in weights.items()},
        )

    def end(self, before: Sequence[str]) -> float:
        """Return P(end | before) by words alone."""
        return self.by_words.probability(END, self.by_words.history(before))

    def word(self, word: str, before: Sequence[str], head: str = "") -> float:
        """Return P(word | before) by words alone."""
        m = self.by_words
        history = m.history(before)
        copy, associate, copies = self.shares(before)
        known = m.probability(word, history) if word in self.words else m.outside(history) * self.new_word(word, head)
        mixed = copy * copies.get(word, 0.0) + associate * self.associated.get(word, 0.0)
        return (1 - self.end(before)) * mixed + (1 - copy - associate) * known

    def outside(self, before: Sequence[str]) -> float:
        """Return the probability that the next word is a new one that is not copied."""
        copy, associate, _ = self.shares(before)
        return (1 - copy - associate) * self.by_words.outside(self.by_words.history(before))

    def copied(self, before: Sequence[str], partial: str = "") -> float:
        """Return the probability that the next word is copied, is in no query and starts so."""
        copy, _, copies = self.shares(before)
        new = sum(x for w, x in copies.items() if w not in self.words and w.startswith(partial))
        return copy * new * (1 - self.end(before))

    def starts_known(self, typed: Sequence[str], partial: str) -> float:
        """Return the probability that the next word starts with ``partial`` and is in some query, or copied."""
        head = "".join(w + " " for w in typed)
        known = sum(self.word(w, typed, head) for w in self.words if w.startswith(partial))
        return known + self.copied(typed, partial)

    def starts_new(self, typed: Sequence[str], partial: str) -> float:
        """Return the probability that the next word starts with ``partial`` and is a new one that is not copied."""
        return self.outside(typed) * self.spelling(partial, "".join(w + " " for w in typed))

    def starts(self, typed: Sequence[str], partial: str) -> float:
        """Return the probability that the next word starts with ``partial``."""
        return self.starts_known(typed, partial) + self.starts_new(typed, partial)

    def spells(self, typed: Sequence[str], partial: str) -> bool:
        """Return whether words are sought by their characters: not where a new one is all too unlikely."""
        return bool(partial) and self.starts_new(typed, partial) > 0.02 * self.starts_known(typed, partial)

    def typed_word(self, word: str, typed: Sequence[str], partial: str) -> tuple[float, float]:
        """Return P(word, end | typed) and P(word, more | typed) of the word that is typed as far as ``partial``."""
        head = "".join(w + " " for w in typed)
        by_words, end = self.word(word, typed, head), self.end([*typed, word])
        spelled = self.spelling(word[len(partial) :], head + partial) * self.starts(typed, partial)
        c = self.characters_share
        return (
            (1 - c) * by_words * end + c * spelled * self.behind(head + word, END),
            (1 - c) * by_words * (1 - end) + c * spelled * self.behind(head + word, " "),
        )

    def words_before(self, prefix: str) -> float:
        """Return the probability of a prefix's finished words."""
        *typed, _ = prefix.split(" ")
        head = "".join(w + " " for w in typed)
        return max(math.prod(self.word(w, typed[:i], head) for i, w in enumerate(typed)), UNLIKELIEST)

    def begins(self, prefix: str) -> float:
        """Return the probability that a query starts with ``prefix``."""
        *typed, partial = prefix.split(" ")
        return self.words_before(prefix) * (self.starts(typed, partial) if partial else 1 - self.end(typed))

    def query(self, text: str, prefix: str) -> float:
        """Return P(text) where ``prefix`` is typed of it."""
        *typed, partial = prefix.split(" ")
        words, head = text.split(" "), "".join(w + " " for w in typed)
        n = len(typed)
        p = self.words_before(prefix)
        if not partial:
            return p * math.prod(self.word(w, words[: n + i], head) for i, w in enumerate(words[n:])) * self.end(words)
        ends, more = self.typed_word(words[n], typed, partial)
        if len(words) == n + 1:
            return p * ends
        first, *rest = words[n + 1 :]
        p *= more * self.word(first, words[: n + 1], head) / (1 - self.end(words[: n + 1]))
        return p * math.prod(self.word(w, words[: n + 2 + i], head) for i, w in enumerate(rest)) * self.end(words)

    def counts(self, text: str) -> float:
        """Return what P(text) counts times: the chance that the next query is no new one, if this one is known."""
        return self.counts_known if text in self.known else 1.0

    def score(self, text: str, prefix: str) -> float:
        """Return P(text) as it counts, where ``prefix`` is typed of it."""
        return self.query(text, prefix) * self.counts(text)

    def counting(self, prefix: str, found: Sequence[str]) -> float:
        """Return P(a query starts with ``prefix``) as it counts: in the measure of all that was found."""
        counted = sum(self.score(t, prefix) for t in found)
        return self.begins(prefix) * (counted / sum(self.query(t, prefix) for t in found) if found else 1.0)

    def best(self, prefix: str, k: int, most: int = 8) -> list[tuple[float, str]]:
        """Return the ``k`` queries of the best scores that start with ``prefix``, with those.

        They are of known and copied words, and of the typed word where words are sought by their characters.
        """
        *typed, partial = prefix.split(" ")
        head = "".join(w + " " for w in typed)
        spelled = [partial] if self.spells(typed, partial) else []
        found: list[tuple[float, str]] = []

        def extend(before: list[str], ends: float, more: float) -> None:
            if len(before) > len(typed):
                text = " ".join(before)
                found.append((ends * self.counts(text), text))
                found.sort(key=lambda x: (-x[0], x[1]))
            if len(before) == len(typed) + most or (len(found) >= k and more <= found[k - 1][0]):
                return
            copy, _, copies = self.shares(before)
            for w in sorted({*self.words, *(copies if copy > 0 else []), *spelled}):
                if partial and len(before) == len(typed):
                    if w.startswith(partial):
                        at_end, on = self.typed_word(w, typed, partial)
                        extend([*before, w], of_all * at_end, of_all * on)
                    continue
                p, end = more * self.word(w, before, head) / (1 - self.end(before)), self.end([*before, w])
                extend([*before, w], p * end, p * (1 - end))

        of_all = self.words_before(prefix)
        extend(typed, 0.0, of_all * (1 - self.end(typed)))
        return found[:k]
