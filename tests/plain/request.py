"""A whole request, from the formulas (complete.c): tree, composer, the session's queries, typing errors, mixture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from plain.corrections import FEW, LEAST, mass_of, readings
from plain.trained import TrainedComposer, TrainedTree
from qac.examples import Example
from qac.training import TrainedModel

EXPECTED = 0.01
"""Probability of what is typed from which a typing error is not looked for."""


class Score(NamedTuple):
    """What an answer scores, before scores become shares, by its parts."""

    tree: float
    composer: float
    recall: float

    @property
    def all(self) -> float:
        """Their sum."""
        return sum(self)


class PlainModel:
    """What a model that was trained from ``examples`` answers."""

    def __init__(self, examples: Sequence[Example], trained: TrainedModel) -> None:
        self.trained, self.texts = trained, trained.labels.texts
        self.known = set(self.texts)
        self.trees = {mixing: TrainedTree(examples, trained, mixing=mixing) for mixing in (False, True)}
        self.composer = (
            TrainedComposer(examples, trained.config, self.known, trained.composer) if trained.composer else None
        )

    def request(self, prefix: str, queries: Sequence[str], *, compose: bool) -> PlainRequest:
        """Return a request; composers remember one at a time."""
        return PlainRequest(self, prefix, queries, compose and self.composer is not None)


class PlainRequest:
    """A prefix and the session's queries, oldest first.

    ``labels``: by texts, the tree's scores of those that start with the prefix. ``rest``: what is left by the chances
    that the session comes back to its queries.
    """

    def __init__(self, model: PlainModel, prefix: str, queries: Sequence[str], mixing: bool) -> None:
        self.model, self.prefix, self.queries = model, prefix, queries
        self.composer = model.composer if mixing and model.composer and model.composer.settings["share"] > 0 else None
        self.tree = model.trees[self.composer is not None]
        self.weights = dict(zip(model.texts, self.tree.masses(queries), strict=True))
        self.hinge = self.tree.is_hinge(queries)
        self.labels = self._by_text(self.tree.scores(prefix, queries))
        self.total = sum(self.weights.values())
        reached = self.weights if self.tree.goes_everywhere(queries) and self.labels else self.labels
        self.in_range = sum(self.weights[t] for t in reached) / self.total
        self.share = 0.0
        if self.composer:
            self.composer.read(queries)
            self.share = self.composer.settings["share"]
        self.of_tree = (1 - self.share) * self.in_range if self.composer else float(bool(self.labels))
        self.chances = self._chances()
        self.rest = max(1 - sum(self.chances.values()), 0.05)
        self.recalled = {t: score for t in self.chances if (score := self._recalled(t)) > 0}

    def _by_text(self, scores: dict[int, float]) -> dict[str, float]:
        return {self.model.texts[label]: score for label, score in scores.items()}

    def _chances(self) -> dict[str, float]:
        if self.hinge or self.tree.is_popular(self.queries):
            return {}
        chances: dict[str, float] = {}
        for age, query in enumerate(self.queries[::-1]):
            chances.setdefault(query, self.model.trained.recall[age - 1] if age else 0.0)
        return chances

    def _recalled(self, text: str) -> float:
        known = text in self.model.known
        if not text.startswith(self.prefix) or not (known or self.composer):
            return 0.0
        discount = self.weights[text] / self._count(text) if known else self.composer.discount(text)
        unit = 1.0 if self.composer else 1 / self.in_range if self.in_range else 0.0
        return unit * self.chances.get(text, 0.0) * discount

    def _count(self, text: str) -> float:
        return float(np.float32(self.model.trained.labels.counts[self.model.texts.index(text)]))

    def _composed(self, text: str) -> float:
        c = self.composer
        return c.discounted(text, self.prefix) * self.share * c.counts(text) if c else 0.0

    def score(self, text: str) -> Score:
        """Return what a text that starts with the prefix scores."""
        factor = self.model.trained.config.repeat_weight if self.queries and text == self.queries[-1] else 1.0
        by_tree = self.of_tree * self.labels.get(text, 0.0)
        return Score(self.rest * by_tree, self.rest * factor * self._composed(text), self.recalled.get(text, 0.0))

    def mass(self, found: Iterable[str]) -> float:
        """Return what all answers score together, given those that tree and composer found."""
        by_composer = 0.0
        if self.composer and found:
            of_found = sum(self.composer.query(t, self.prefix) for t in found)
            by_composer = self.composer.begins(self.prefix) * sum(map(self._composed, found)) / of_found
        return self.rest * (self.of_tree + by_composer) + sum(self.recalled.values())

    def _looks_for_errors(self) -> bool:
        few = 1 if self.tree.is_popular(self.queries) or self.model.composer is None else FEW
        if self.hinge or self.tree.goes_everywhere(self.queries) or len(self.labels) >= few:
            return False
        if not self.composer:
            return True
        *typed, partial = self.prefix.split(" ")
        c = self.composer
        known = all(w in c.words for w in typed) and any(w.startswith(partial) for w in c.words)
        likely = c.starts(typed, partial) if partial else 1 - c.end(typed)
        return not (known and likely > EXPECTED)

    def corrections(self, mass: float, least_exact: float) -> tuple[dict[str, float], float] | None:
        """Return corrected answers, and what these add to the mass; None where a tie or rounding decides which.

        ``least_exact``: the lowest score of a known query that starts with the prefix, at most 1.
        """
        found = readings(self.prefix, self.weights) if self._looks_for_errors() else []
        if not found:
            return None if found is None else ({}, 0.0)
        unit = self.rest / self.total / (self.in_range or 1.0)
        if self.composer:
            unit = self.rest / self.total * (1 - self.share) * self.share / self.composer.settings["new_query"]
        if not unit:  # the composer has all of the share
            return {}, 0.0
        added = unit * mass_of(found, self.prefix, self.weights)
        corrected: dict[str, float] = {}
        for reading in found:
            of_all = unit * reading.mass / (LEAST * (mass + added))
            if abs(of_all - 1) < 1e-6:
                return None
            if of_all < 1:
                continue
            scores = self._by_text(self.tree.scores(self.prefix, self.queries, reading.meant))
            reached = self.weights if self.tree.goes_everywhere(self.queries) else scores
            share = unit * reading.likelihood * sum(self.weights[t] for t in reached)
            for text in scores.keys() - self.labels.keys():
                corrected[text] = max(corrected.get(text, 0.0), share * scores[text])
        best = max(corrected.values(), default=0.0)
        factor = least_exact / best if best > least_exact else 1.0
        return {t: min(factor * s, least_exact) for t, s in corrected.items()}, factor * added
