"""Why an answer came: the path through the tree, and what pushed it there."""

from __future__ import annotations

import math
import os.path
from dataclasses import asdict, dataclass
from typing import Any, Final

from qac import _native
from qac._native import CORRECTED, NODE_CLUSTERED
from qac.completion import MAX_K
from qac.index.tree import LabelTree
from qac.model import LoadedModel

_KINDS: Final = {
    _native.TERM_WORD: "word",
    _native.TERM_BIGRAM: "pair",
    _native.TERM_QUERY: "query",
    _native.TERM_CHARS: "prefix",
    _native.TERM_BIAS: "bias",
}


@dataclass(frozen=True, slots=True)
class Push:
    """What one feature of the request adds to the log-odds of a choice or, with the hinge loss, to its margin."""

    text: str
    kind: str
    """word, pair (of words), query (as a whole), prefix or bias (always there, of no text)."""
    weight: float


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One choice on the way from the root to the answer."""

    what: str
    """What the chosen child stands for: how its queries begin, or some of a cluster's queries."""
    kind: str
    """What it is: letters (a node of the trie), cluster or query."""
    alternatives: int
    """Children that match the prefix, the chosen one among them. 1: nothing was to choose."""
    prior: float
    """The child's share by counts alone; 1 with the hinge loss, which does not count."""
    probability: float
    """Its share with the session."""
    pushes: tuple[Push, ...]
    """The strongest first, towards the choice or away from it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a query got its score.

    The score is the tree's part, the composer's and the session's own; the tree's part is in proportion to
    ``probability``, the product of the steps'.
    """

    text: str
    score: float
    meant: str | None
    """The prefix that it completes, where that is not the typed one."""
    composed: float
    """How much of the score is the composer's, 0 to 1."""
    recalled: float
    """How much of it is there because the session asked this before its last query, 0 to 1."""
    count: float
    """How often the query was made in the training log."""
    prior: float
    """The tree's share of what starts with that prefix before the session counts: the product of the steps' priors."""
    probability: float
    """The same with the session: the product of the steps' probabilities."""
    repeats: bool
    """Whether it is the session's last query itself, whose score is lowered by the model's repeat_weight."""
    steps: tuple[ExplainedStep, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready dict."""
        return asdict(self)


def explain(
    model: LoadedModel, prefix: bytes, session: bytes, text: str, *, k: int, beam: int, options: int
) -> Explanation | None:
    """Return why ``text`` is scored as it is; None where it is no answer to the request."""
    for n in (k, MAX_K):
        found = model.native.complete_in_detail(prefix, session, n, beam, options)
        answer = next((a for a in found if a[0] == text), None)
        if answer:
            break
    else:
        return None
    _, source, meant, score, composed, recalled = answer
    if source == CORRECTED:
        prefix = text.encode("utf-8")[:meant]
    corrected = prefix.decode("utf-8") if source == CORRECTED else None
    repeats = bool(session) and session.rsplit(b"\n", 1)[-1] == text.encode("utf-8")
    label = model.native.find_label(text.encode("utf-8"))
    if label is None:
        return Explanation(text, score, corrected, composed, recalled, 0.0, 0.0, 0.0, repeats, ())
    steps = _steps(model, prefix, session, label, options)
    return Explanation(
        text,
        score,
        corrected,
        composed,
        recalled,
        float(model.arrays.count[label]),
        math.prod(s.prior for s in steps),
        math.prod(s.probability for s in steps),
        repeats,
        steps,
    )


def _steps(model: LoadedModel, prefix: bytes, session: bytes, label: int, options: int) -> tuple[ExplainedStep, ...]:
    features, native_steps = model.native.explain(prefix, session, label, options)
    tree = LabelTree(model.arrays.tree)
    steps = []
    for s in native_steps:
        pushes = [
            Push(
                (prefix if f.kind == _native.TERM_CHARS else session)[f.begin : f.end].decode("utf-8"),
                _KINDS[f.kind],
                weight,
            )
            for f, weight in ((features[i], weight) for i, weight in s.pushes)
        ]
        pushes.sort(key=lambda p: -abs(p.weight))
        what = describe_child(model, tree, s.node, s.choice)
        kind = _child_kind(tree, s.node, s.choice)
        steps.append(ExplainedStep(what, kind, s.alternatives, s.prior, s.probability, tuple(pushes)))
    return tuple(steps)


def describe_child(model: LoadedModel, tree: LabelTree, node: int, choice: int) -> str:
    """Return what a child stands for: its query, how its queries begin, or some of a cluster's queries."""
    child, kind = tree.children(node)[choice], _child_kind(tree, node, choice)
    if kind == "query":
        return model.native.label_text(~child)
    labels = tree.labels(child)
    if kind == "letters":
        ends = [model.native.label_text(int(labels[0])), model.native.label_text(int(labels[-1]))]
        return os.path.commonprefix(ends) + "…"  # noqa: RUF071 - by character is what is wanted
    return "cluster of " + ", ".join(cluster_mates(model, tree, child, 3)) + ", …"


def _child_kind(tree: LabelTree, node: int, choice: int) -> str:
    child = tree.children(node)[choice]
    if child < 0:
        return "query"
    return "cluster" if tree.arrays.node["flags"][child] & NODE_CLUSTERED else "letters"


def cluster_mates(model: LoadedModel, tree: LabelTree, node: int, n: int) -> list[str]:
    """Return the ``n`` most frequent queries under a node."""
    labels = tree.labels(node)
    best = sorted(labels.tolist(), key=lambda label: (-model.arrays.count[label], label))[:n]
    return [model.native.label_text(label) for label in best]
