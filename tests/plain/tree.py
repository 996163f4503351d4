"""Scores of labels by a walk down the whole tree, with nothing left out or bounded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qac.index.tree import LabelTree

Weights = Sequence[Mapping[int, Mapping[int, float]]]
"""Of each node: feature to child to weight."""


class PlainTree:
    """Labels' scores.

    ``arrays``: of the model, with the weights of its labels in ``tree``; ``session``, ``prefix``: fitted vectorisers.
    ``mixing``: the composer takes part, so that labels have their weights without a session too.
    """

    def __init__(
        self, texts: list[str], arrays: Any, session: Any, prefix: Any, weights: Weights, *, mixing: bool = False
    ) -> None:
        self.texts, self.arrays, self.tree = texts, arrays, LabelTree(arrays.tree)
        self.session, self.prefix = session, prefix
        self.weights, self.mixing = weights, mixing

    def is_popular(self, queries: Sequence[str]) -> bool:
        """Return whether counts alone decide."""
        return not queries and not self.mixing

    def is_hinge(self, queries: Sequence[str]) -> bool:
        """Return whether each child has a factor of its own."""
        return self.arrays.loss == "hinge" and not self.is_popular(queries)

    def vectors(self, prefix: str, queries: Sequence[str]) -> list[dict[int, float]]:
        """Return the features of the session and those of the prefix, each of length 1 or empty."""
        rows = [self.session.transform([queries])] if queries else []
        rows += [self.prefix.transform([prefix])] if self.prefix else []
        vectors = [dict(zip(x.indices.tolist(), x.data.tolist(), strict=True)) for x in rows]
        return vectors if queries else [{}, *vectors]

    def features(self, prefix: str, queries: Sequence[str]) -> dict[int, float]:
        """Return the request's features, of length 1 in all; where counts decide there are none."""
        if self.is_popular(queries):
            return {}
        features, *more = self.vectors(prefix, queries)
        for typed in more:
            scale = np.float32(math.sqrt(0.5) if features and typed else 1)  # both have length 1
            features |= {f + self.session.n_features_: value for f, value in typed.items()}
            features = {f: float(np.float32(value) * scale) for f, value in features.items()}
        if self.arrays.loss == "hinge":
            features[self.session.n_features_ + (self.prefix.n_features_ if self.prefix else 0)] = 1.0
        return features

    def goes_everywhere(self, queries: Sequence[str]) -> bool:
        """Return whether a search is one that filters: popularity is not."""
        return bool(self.arrays.filters) and not self.is_popular(queries)

    def masses(self, queries: Sequence[str]) -> list[float]:
        """Return what each label weighs: its count or, within a session, its weight."""
        masses: list[float] = (self.arrays.count if self.is_popular(queries) else self.arrays.tree.weight).tolist()
        return masses

    def factors(
        self, node: int, features: Mapping[int, float], of_label: Sequence[float], reached: set[int], hinge: bool
    ) -> dict[int, float]:
        """Return what each child of a node that is reached multiplies the node's score with."""
        shares = {}
        for number, child in enumerate(self.tree.children(node)):
            labels = {~child} if child < 0 else set(self.tree.labels(child).tolist())
            mass = sum(of_label[label] for label in labels & reached)
            z = sum(self.weights[node].get(f, {}).get(number, 0) * x for f, x in features.items())
            if mass and hinge:
                alone = len(self.tree.children(node)) == 1
                shares[child] = 1 if alone else math.exp(max(-(max(0, 1 - z) ** 3), -700))
            elif mass:
                shares[child] = mass * math.exp(z)
        return shares if hinge else {child: share / sum(shares.values()) for child, share in shares.items()}

    def lower_repeated(self, scores: dict[int, float], queries: Sequence[str]) -> dict[int, float]:
        """Lower the score of the last query itself."""
        repeated = self.texts.index(queries[-1]) if queries and queries[-1] in self.texts else -1
        if repeated in scores:
            scores[repeated] *= self.arrays.repeat_weight
        return scores

    def published_beam(self, prefix: str, queries: Sequence[str], width: int) -> dict[int, float] | None:
        """Return the scores of what a beam finds everywhere: leaves and labels keep their places to the end.

        None where equals meet at the edge of the beam: either may stay.
        """
        features, of_label = self.features(prefix, queries), self.masses(queries)
        reached, hinge = {*range(len(self.texts))}, self.is_hinge(queries)

        def ends(item: int) -> bool:
            return item < 0 or self.tree.is_leaf(item)

        beam, scores = {0: 1.0}, {}
        while not all(map(ends, beam)):
            grown = {}
            for item, score in beam.items():
                if ends(item):
                    grown[item] = score
                else:
                    factors = self.factors(item, features, of_label, reached, hinge)
                    grown |= {child: score * factor for child, factor in factors.items()}
            ranked = sorted(grown.items(), key=lambda kv: -kv[1])
            if len(ranked) > width and ranked[width - 1][1] <= ranked[width][1] * (1 + 1e-9):
                return None
            beam = dict(ranked[:width])
        for item, score in beam.items():
            below = {item: 1.0} if item < 0 else self.factors(item, features, of_label, reached, hinge)
            scores |= {~child: score * factor for child, factor in below.items()}
        found = self.lower_repeated(scores, queries)
        return {label: score for label, score in found.items() if self.texts[label].startswith(prefix)}

    def scores(self, prefix: str, queries: Sequence[str], start: str | None = None) -> dict[int, float]:
        """Return the score of every label that starts with ``start``, by default ``prefix``, the typed one."""
        start = prefix if start is None else start
        of_label = self.masses(queries)
        features = self.features(prefix, queries)
        matching = {i for i, text in enumerate(self.texts) if text.startswith(start)}
        reached = {*range(len(self.texts))} if self.goes_everywhere(queries) else matching
        hinge = self.is_hinge(queries)
        out = {}

        def walk(node: int, probability: float) -> None:
            for child, factor in self.factors(node, features, of_label, reached, hinge).items():
                p = probability * factor
                if child < 0:
                    out[~child] = p
                else:
                    walk(child, p)

        walk(0, 1.0)
        assert set(out) == reached
        return {label: score for label, score in self.lower_repeated(out, queries).items() if label in matching}
