"""The composer and the rankers of a trained model, as the plain models want them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from plain.composer import END, START, PlainComposer
from plain.features import PlainVectorizer, Terms, prefix_terms, session_terms
from plain.tree import PlainTree, Weights
from qac._native import ComposerArrays, NgramArrays
from qac.config import TrainingConfig
from qac.examples import Example
from qac.training import TrainedModel
from qac.xlinear import Rankers


class TableNgrams:
    """An n-gram model's probabilities and back-offs, by n-grams of its symbols."""

    def __init__(self, arrays: NgramArrays, symbols: Sequence[str], unknown: float = 0.0) -> None:
        self.order, self.unknown = arrays.order, unknown
        names = [*symbols, END, START]
        last = np.frombuffer(arrays.next.tobytes(), "<u1" if len(symbols) <= 255 else "<u2").tolist()
        grams: list[tuple[str, ...]] = [(name,) for name in names]
        begin = 0
        for node, end in enumerate(arrays.child_end.tolist()):
            grams += [(*grams[node], names[symbol]) for symbol in last[begin:end]]
            begin = end
        unigram = zip(names, arrays.unigram.tolist(), strict=False)
        longer = zip(grams[len(names) :], arrays.value[arrays.probability].tolist(), strict=True)
        self.p = {**{(name,): p for name, p in unigram}, **dict(longer)}
        self.left = dict(zip(grams, arrays.backoff_value[arrays.backoff].tolist(), strict=False))

    def knows(self, symbol: str) -> bool:
        """Return whether a symbol is in the model."""
        return (symbol,) in self.p

    def history(self, before: Sequence[str]) -> tuple[str, ...]:
        """Return what of a sequence counts for its next symbol."""
        return (START, *before)[-(self.order - 1) :]

    def probability(self, symbol: str, history: tuple[str, ...]) -> float:
        """Return P(symbol | history)."""
        if (*history, symbol) in self.p:
            return self.p[*history, symbol]
        return self.left.get(history, 1.0) * self.probability(symbol, history[1:]) if history else 0.0

    def outside(self, history: tuple[str, ...]) -> float:
        """Return the probability of all symbols outside the model."""
        return self.unknown * math.prod(self.left.get(history[i:], 1.0) for i in range(len(history)))


class TrainedComposer(PlainComposer):
    """The mixture, by the models of n-grams that were trained; ``read`` a session first."""

    def __init__(self, examples: Sequence[Example], config: TrainingConfig, known: set[str], c: ComposerArrays) -> None:
        self.config, self.settings = config.composer, c.settings
        self.characters_share = c.settings["spelling"]
        self.known, self.counts_known = known, max(0.1, 1 - c.settings["new_query"])
        self.words = sorted({w for text in known for w in text.split(" ")})
        self.by_words = TableNgrams(c.word, self.words, c.settings["unknown"])
        self.by_characters = TableNgrams(c.character, [chr(point) for point in c.alphabet])
        self.copy_shares = tuple(c.settings[f"copy_{how}"] for how in ("start", "none", "some", "all"))
        self.older_words = tuple(c.older)
        self.steps = sessions_of(examples, config, known)

    def read(self, session: Sequence[str]) -> None:
        """Begin a request."""
        self.read_session(session)
        self.associated = self.associations(self.steps)

    def discount(self, text: str) -> float:
        """Return the factor on the probability of a query of that length."""
        d = self.settings["length_discount"]
        return self.settings["length_scale"] / len(text) ** d if d else 1.0

    def discounted(self, text: str, prefix: str) -> float:
        """Return P(text) where ``prefix`` is typed of it, the length taken into account."""
        return self.query(text, prefix) * self.discount(text)


def sessions_of(
    examples: Sequence[Example], config: TrainingConfig, known: set[str]
) -> set[tuple[tuple[str, ...], str]]:
    """Return the sessions that led to a known query, as far as rankers see them, and that query."""
    return {
        (e.prev_queries[-config.history :], e.next_query) for e in examples if e.prev_queries and e.next_query in known
    }


def weights_of(rankers: Rankers) -> Weights:
    """Return each node's weights."""
    weights = []
    row = entry = 0
    for rows, scale in zip(rankers.node_rows.tolist(), rankers.scale.tolist(), strict=True):
        of_node: dict[int, dict[int, float]] = defaultdict(dict)
        for r in range(row, row + rows):
            for at in range(entry, int(rankers.row_end[r])):
                of_node[int(rankers.row_feature[r])][int(rankers.entry_child[at])] = rankers.entry_weight[at] * scale
            entry = int(rankers.row_end[r])
        row += rows
        weights.append(of_node)
    return weights


class TrainedTree(PlainTree):
    """The tree, its features made by the formulas."""

    def __init__(self, examples: Sequence[Example], trained: TrainedModel, *, mixing: bool) -> None:
        config, texts = trained.config, trained.labels.texts
        self.config = config
        count = trained.labels.counts.astype(np.float32)
        factor = [trained.length_factor[min(len(t), 255)] for t in texts]
        weight = (count * np.array(factor)).astype(np.float32)
        arrays = SimpleNamespace(
            tree=replace(trained.tree.arrays, weight=weight),
            count=count,
            loss=config.ranker.loss,
            filters=config.decoding.prefix == "filter",
            repeat_weight=config.repeat_weight,
        )
        super().__init__(texts, arrays, trained.session, trained.prefix, weights_of(trained.rankers), mixing=mixing)
        learned = [e for e in examples if e.prev_queries and e.next_query in set(texts)]
        sessions = {e.prev_queries[-config.history :] for e in learned}
        typed = {(e.prev_queries[-config.history :], e.prefix) for e in learned}
        self.by_session = PlainVectorizer(session_terms(s, config) for s in sessions)
        self.by_prefix = PlainVectorizer(prefix_terms(p, config) for _, p in typed)

    def vectors(self, prefix: str, queries: Sequence[str]) -> list[dict[int, float]]:
        """Return the features of the session and, where rankers see it, of the prefix."""
        by_session: Terms = session_terms(queries, self.config)
        vectors = [self.by_session.vector(by_session)]
        return [*vectors, self.by_prefix.vector(prefix_terms(prefix, self.config))] if self.prefix else vectors
