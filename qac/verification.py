"""Checking a model file to its last entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from qac import _native
from qac._native import ComposerArrays, NgramArrays, Vocabulary
from qac.errors import ModelError
from qac.index.tree import LabelTree
from qac.model import LoadedModel

_Require = Callable[[bool, str], None]


def verify_model(model: LoadedModel) -> None:
    """Check what opening a model leaves to be checked where it is read; takes time in proportion to its size.

    Raises
    ------
    ModelError
        The first contradiction found.
    """
    a, path = model.arrays, model.file.path

    def require(fact: bool, what: str) -> None:
        if not fact:
            raise ModelError(f"{path} is damaged: {what}; copy or train it anew")

    texts = _read_strings("query", model.native.label_text, len(a.count), require)
    require(
        all(map(np.array_equal, (a.label_text, a.label_block), _native.encode_labels(texts))),
        "the queries' blocks are not those of the queries",
    )
    require(np.array_equal(a.length, _lengths(texts)), "a query's length is not that")
    require(_positive(a.count), "a query's count is not positive")
    with np.errstate(over="ignore"):
        weights = a.weights()
    require(_positive(weights), "a query's weight is not positive")

    tree, node = LabelTree(a.tree), a.tree.node
    for i in range(tree.n_nodes):
        labels, flags = tree.labels(i), int(node["flags"][i])
        require(bool((labels[1:] > labels[:-1]).all()), "a node's queries do not ascend")
        if not flags & _native.NODE_LEAF:
            below = np.concatenate([tree.labels(c) if c >= 0 else np.array([~c]) for c in tree.children(i)])
            if flags & _native.NODE_CLUSTERS:
                below.sort()
            require(np.array_equal(below, labels), "the queries of a node are not those of its children")

    for values, of_nodes, of_members, tops in (
        (weights, node["mass"], a.member_mass, a.top_weight),
        (a.count, a.node_count, a.member_count, a.top_count),
    ):
        require(bool(np.allclose(of_members, tree.member_totals(values))), "a running sum of clusters is not that")
        require(bool(np.allclose(of_nodes, tree.node_totals(values))), "a node's count is not that of its queries")
        require(np.array_equal(tops, tree.node_tops(values)), "a node's top is not that of its queries")

    require(bool(np.isfinite(node["scale"]).all()), "a scale of weights is not a number")
    features = len(a.session_vocabulary) + len(a.prefix_vocabulary) + (a.loss == "hinge")
    weights_there = _native.count_weights(a.rows, a.tree, features)
    require(weights_there is not None, "a row of weights is not in order, or its feature or child does not exist")
    require(weights_there == model.meta.weights, "the number of weights is not that")
    _verify_settings(model, texts, require)
    for v in (a.session_vocabulary, a.prefix_vocabulary):
        _verify_vocabulary(v, require)
    if a.composer:
        _verify_composer(a.composer, require)


def _verify_settings(model: LoadedModel, texts: list[str], require: _Require) -> None:
    meta, config = model.meta, model.config
    longest = max(len(t.encode("utf-8")) for t in texts)
    require(longest == meta.max_label_bytes, "the longest query's length is not that")
    require(
        (meta.text, meta.repeat_weight, meta.loss, meta.weight_bits, meta.decoding, meta.composer is not None)
        == (
            config.text,
            config.repeat_weight,
            config.ranker.loss,
            config.ranker.weight_bits,
            config.decoding,
            config.composer.enabled,
        ),
        "a setting is not that of its training",
    )


def _read_strings(what: str, read: Callable[[int], str], n: int, require: _Require) -> list[str]:
    texts = []
    before = ""
    for i in range(n):
        try:
            text = read(i)
        except (_native.NativeError, UnicodeDecodeError) as e:
            require(False, f"{what} {i} cannot be read ({e})")
        require(text > before, f"{what} {i} is not in order")
        before = text
        texts.append(text)
    return texts


def _lengths(texts: list[str]) -> npt.NDArray[np.int64]:
    return np.array([min(len(t), 255) for t in texts], np.int64)


def _verify_vocabulary(v: Vocabulary, require: _Require) -> None:
    require(_positive(v.idf_value[v.idf]), "a feature's inverse document frequency is not positive")
    require(not len(v) or _grouped(v.bucket_end, v.key), "the keys of a vocabulary do not ascend")


def _verify_composer(c: ComposerArrays, require: _Require) -> None:
    n = len(c.word_length)
    require(
        _ascends(c.word_end) and (n == 0 or int(c.word_end[-1]) == len(c.word_text)), "the words' ends are not theirs"
    )
    ends = [0, *c.word_end.tolist()]
    text = c.word_text.tobytes()
    words = _read_strings("word", lambda i: text[ends[i] : ends[i + 1]].decode(), n, require)
    require(np.array_equal(c.word_length, _lengths(words)), "a word's length is not that")
    require(
        all(map(np.array_equal, (c.word_bucket_end, c.word_key, c.word_id), _native.word_keys(words))),
        "the table of words does not name each once",
    )
    require(_ascends(c.alphabet), "the alphabet does not ascend")
    _verify_ngrams(c.word, require)
    _verify_ngrams(c.character, require)
    known = c.word.unigram[:-1].astype(np.float64)
    require(
        bool(np.allclose(c.unigram_sum, np.concatenate([[0.0], np.cumsum(known)]), rtol=1e-9, atol=0)),
        "the running sum of words' probabilities is not that",
    )
    require(bool((c.frequent < n).all()), "a most frequent word does not exist")
    best = known[c.frequent]
    require(
        len(set(c.frequent.tolist())) == len(best) and bool((best[1:] <= best[:-1]).all()),
        "the most frequent words are not in order",
    )
    require(_grouped(c.association_end, c.association), "a word's associations do not ascend")
    require(_probabilities(c.association_value[c.association_weight]), "an association's weight is not a probability")


def _verify_ngrams(g: NgramArrays, require: _Require) -> None:
    probability, backoff = g.value[g.probability].astype(np.float64), g.backoff_value[g.backoff].astype(np.float64)
    for values in (g.unigram, backoff, probability):
        require(_probabilities(values), "an n-gram's weight is not a probability")
    require(bool((backoff > 0).all() and (probability > 0).all()), "an n-gram has no probability")
    following = g.last_symbols()
    require(bool((following < len(g.unigram)).all()), "an n-gram's last symbol does not exist")
    require(_grouped(g.child_end, following), "what follows a context does not ascend")
    symbols, contexts = len(g.unigram) + 1, len(g.child_end)
    up_to = [symbols]  # nodes of one symbol, of up to two, ... of all but the longest
    for _ in range(g.order - 2):
        up_to.append(symbols + int(g.child_end[min(up_to[-1], contexts) - 1]))
    require(up_to[-1] == contexts, "the contexts are not all n-grams but the longest")
    up_to_two = up_to[min(1, g.order - 2)]
    require(len(g.shorter) == contexts - up_to_two, "not each n-gram of three symbols or more has a link")
    follows = np.repeat(np.arange(contexts), np.diff(g.child_end, prepend=np.uint32(0)))
    # Of each node the last symbol, the n-gram before that and the n-gram without the first; -1: of no symbols.
    nothing = np.full(symbols, -1)
    last = np.concatenate([np.arange(symbols), following])
    before = np.concatenate([nothing, follows])
    links = np.concatenate([last[symbols:up_to_two], g.shorter])
    shorter = np.concatenate([nothing, links])
    require(
        bool((links < contexts).all())
        and np.array_equal(last[links], last[symbols:contexts])
        and np.array_equal(before[links], shorter[before[symbols:contexts]]),
        "an n-gram's link does not lead to the one without its first symbol",
    )
    # What a context's n-grams have, and of the rest the back-off: 1. Of n-grams that may have children the shorter ones
    # are known; the contexts of the others are left out.
    inner = follows[: contexts - symbols]
    whole = np.ones(contexts, bool)
    whole[follows[len(inner) :]] = False
    known = np.concatenate([g.unigram, [0.0], probability])
    own, passed_on = probability[: len(inner)], backoff[inner] * known[links]
    off, off_backoff = _rounding(probability), _rounding(backoff)
    sums = np.bincount(inner, own - passed_on, contexts)
    slack = np.bincount(inner, off * own + (off + off_backoff) * passed_on, contexts) + off_backoff * backoff
    require(
        bool((abs(sums + backoff - 1) <= slack + 1e-6)[whole].all()),
        "the shares of what follows a context do not sum to 1",
    )


def _rounding(values: npt.NDArray[np.float64]) -> float:
    """Return by what share numbers in eight bits may be off: one of 255 equal steps of their logarithms."""
    return float(np.expm1(np.log(values.max() / values.min()) / 254)) if len(values) else 0.0


def _positive(values: npt.NDArray[Any]) -> bool:
    return bool((np.isfinite(values) & (values > 0)).all())


def _probabilities(values: npt.NDArray[Any]) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())  # false for what is not a number


def _ascends(values: npt.NDArray[Any]) -> bool:
    return bool((values[1:] > values[:-1]).all())


def _grouped(ends: npt.NDArray[Any], values: npt.NDArray[Any]) -> bool:
    """Return whether ``ends`` cuts ``values`` into groups, each ascending."""
    if len(ends) == 0:
        return len(values) == 0
    if bool((ends[1:] < ends[:-1]).any()) or ends[-1] != len(values):
        return False
    sizes = np.diff(np.concatenate([[0], ends.astype(np.int64)]))
    group = np.repeat(np.arange(len(ends)), sizes)
    return bool(((values[1:] > values[:-1]) | (group[1:] != group[:-1])).all())
