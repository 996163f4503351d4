"""Why an answer came: the path through the tree, and what pushed it there."""

from __future__ import annotations

import os.path
from dataclasses import asdict, dataclass
from typing import Any

from qac import _native
from qac._native import NODE_CLUSTERED
from qac.index.tree import LabelTree
from qac.model import LoadedModel

_KINDS = {
    _native.TERM_WORD: "word",
    _native.TERM_BIGRAM: "pair",
    _native.TERM_QUERY: "query",
    _native.TERM_CHARS: "prefix",
}


@dataclass(frozen=True, slots=True)
class Push:
    """What one feature of the request adds to the log-odds of a choice."""

    text: str
    kind: str
    """word, pair (of words), query (as a whole) or prefix."""
    weight: float


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One choice on the way from the root to the answer."""

    what: str
    """What the chosen child stands for: how its queries begin, or some of a cluster's queries."""
    alternatives: int
    """Children that match the prefix, the chosen one among them. 1: nothing was to choose."""
    prior: float
    """The child's share by counts alone."""
    probability: float
    """Its share with the session."""
    pushes: tuple[Push, ...]
    """The strongest first, towards the choice or away from it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a query got its score."""

    text: str
    count: float
    """How often the query was made in the training log."""
    prior: float
    """Its share of what starts with the prefix, by counts alone: the product of the steps' priors."""
    probability: float
    """The same with the session: the product of the steps' probabilities."""
    repeats: bool
    """Whether it is the session's last query itself, whose score is lowered by the model's repeat_weight."""
    steps: tuple[ExplainedStep, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready dict."""
        return asdict(self)


def explain(model: LoadedModel, prefix: bytes, session: bytes, text: str) -> Explanation | None:
    """Return why ``text`` is scored as it is; None where no known query is ``text`` or it does not match the prefix."""
    label = model.native.find_label(text.encode("utf-8"))
    lo, hi = model.native.prefix_range(prefix)
    if label is None or not lo <= label < hi:
        return None
    features, native_steps = model.native.explain(prefix, session, label)
    tree = LabelTree(model.arrays.tree)
    prior = probability = 1.0
    steps = []
    for s in native_steps:
        prior *= s.prior
        probability *= s.probability
        pushes = [
            Push(session[f.begin : f.end].decode("utf-8"), _KINDS[f.kind], weight)
            for f, weight in ((features[i], weight) for i, weight in s.pushes)
        ]
        pushes.sort(key=lambda p: -abs(p.weight))
        steps.append(
            ExplainedStep(
                describe_child(model, tree, s.node, s.choice), s.alternatives, s.prior, s.probability, tuple(pushes)
            )
        )
    repeats = bool(session) and session.rsplit(b"\n", 1)[-1] == text.encode("utf-8")
    return Explanation(text, float(model.arrays.count[label]), prior, probability, repeats, tuple(steps))


def describe_child(model: LoadedModel, tree: LabelTree, node: int, choice: int) -> str:
    """Return what a child stands for: its query, how its queries begin, or some of a cluster's queries."""
    child = tree.children(node)[choice]
    if child < 0:
        return model.native.label_text(~child)
    labels = tree.labels(child)
    if not tree.arrays.node["flags"][child] & NODE_CLUSTERED:
        ends = [model.native.label_text(int(labels[0])), model.native.label_text(int(labels[-1]))]
        return os.path.commonprefix(ends) + "…"  # noqa: RUF071 - by character is what is wanted
    return "cluster of " + ", ".join(cluster_mates(model, tree, child, 3)) + ", …"


def cluster_mates(model: LoadedModel, tree: LabelTree, node: int, n: int) -> list[str]:
    """Return the ``n`` most frequent queries under a node."""
    labels = tree.labels(node)
    best = sorted(labels.tolist(), key=lambda label: (-model.arrays.count[label], label))[:n]
    return [model.native.label_text(label) for label in best]
