"""How closely qac's published-system presets agree with libpecos, given the same features and the same tree.

    pip install -e '.[peers]'
    python benchmarks/check_libpecos.py data/train.jsonl data/valid.jsonl --preset kdd21-hybrid3

A model is trained as by `qac train --preset`; then libpecos trains rankers on the very same matrices, with the tree
handed over as a cluster chain and the same loss and settings. Both answer the same requests. A chain has all labels on
its last level, so branches that end early are drawn out by clusters with one child; libpecos trains rankers for these
too, where qac has none. Their factors, a little below 1, are set to 1 for the second row of the table.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from libpecos_peer import answers, chain_of, request_matrix, train_rankers, tree_levels
from pecos.core import ScipyCscF32
from pecos.utils.cluster_util import ClusterChain
from pecos.xmc.xlinear import XLinearModel
from scipy import sparse

from qac.completer import Completer
from qac.completion import Completion
from qac.examples import Example, normalize_examples, read_examples
from qac.features.base import unit_rows
from qac.metrics import rank_of, reciprocal_rank
from qac.presets import PRESETS
from qac.saving import save_model
from qac.training import TrainedModel, train


def features(trained: TrainedModel, requests: Sequence[tuple[str, str]]) -> sparse.csr_matrix:
    """Return the features that qac gives requests, each a last query and a prefix."""
    X = trained.session.transform([query] for query, _ in requests)
    if trained.prefix is None:
        return X
    return unit_rows(sparse.hstack([X, trained.prefix.transform(prefix for _, prefix in requests)], format="csr"))


def pass_only_children_through(model: XLinearModel, chain: ClusterChain) -> None:
    """Give each child that is its parent's only one w.x = 1: its bias is 1, all else 0."""
    for layer, matrix in zip(model.model.model_chain, chain, strict=True):
        only = np.flatnonzero(np.diff(matrix.indptr)[matrix.tocsr().indices] == 1)
        keep = np.ones(matrix.shape[0], np.float32)
        keep[only] = 0
        bias = sparse.csc_matrix(
            (np.ones(len(only), np.float32), (np.full(len(only), layer.W.shape[0] - 1), only)), shape=layer.W.shape
        )
        weights = sparse.csc_matrix(layer.W @ sparse.diags(keep) + bias, dtype=np.float32)
        weights.eliminate_zeros()
        layer.pW = ScipyCscF32.init_from(weights)


def compare(
    ours: Sequence[list[Completion]], theirs: Sequence[list[Completion]], examples: Sequence[Example]
) -> dict[str, float]:
    """Return how alike two systems' answers are, and how good each's are."""
    lists = [([c.text for c in a], [c.text for c in b]) for a, b in zip(ours, theirs, strict=True)]
    overlap = [len({*a} & {*b}) / max(len(a), len(b)) for a, b in lists if a or b]
    ranks = (
        np.array([rank_of(e.next_query, texts) for e, texts in zip(examples, column, strict=True)])
        for column in zip(*lists, strict=True)
    )
    score = [reciprocal_rank(r, 10).mean() for r in ranks]
    return {
        "same list": float(np.mean([a == b for a, b in lists])),
        "same first": float(np.mean([a[:1] == b[:1] for a, b in lists])),
        "overlap": float(np.mean(overlap)),
        "MRR qac": float(score[0]),
        "MRR libpecos": float(score[1]),
    }


def check(train_file: Path, test_file: Path, preset: str, limit: int | None) -> list[tuple[str, dict[str, float]]]:
    """Train both and compare them: the trained libpecos model, and the one whose only children pass through."""
    config = PRESETS[preset].config
    examples = list(normalize_examples(read_examples(train_file)))
    tests = [e for e in islice(normalize_examples(read_examples(test_file)), limit) if e.prev_queries]
    trained = train(examples, config, quiet=True)
    with tempfile.TemporaryDirectory() as folder:
        save_model(trained, Path(folder) / "m.qac")
        completer = Completer.load(Path(folder) / "m.qac")
        ours = [completer.complete(e.prefix, e.prev_queries[-1:]) for e in tests]

    requests, texts, Y = request_matrix(examples, use_prefix=config.use_prefix)
    places = np.searchsorted(trained.labels.texts, texts)
    Y = sparse.csc_matrix(
        Y
        @ sparse.csr_matrix(
            (np.ones(len(texts), np.float32), (range(len(texts)), places)), shape=(len(texts), len(trained.labels))
        )
    )
    chain = chain_of(tree_levels(trained.tree), len(trained.labels))
    model = train_rankers(features(trained, requests), Y, chain, config, threads=-1)
    X = features(trained, [(e.prev_queries[-1], e.prefix) for e in tests])
    out = []
    for name in ("as trained", "only children pass"):
        if name != "as trained":
            pass_only_children_through(model, chain)
        theirs = answers(model, X, trained.labels.texts, [e.prefix for e in tests], config.decoding.beam, 10)
        out.append((name, compare(ours, theirs, tests)))
    return out


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, metavar="TRAIN")
    parser.add_argument("test", type=Path, metavar="TEST")
    parser.add_argument("--preset", action="append", choices=PRESETS, help="default: kdd21-hybrid3; may be repeated")
    parser.add_argument("--limit", type=int, help="requests to compare (default: all)")
    args: Any = parser.parse_args()
    header: list[str] = []
    for preset in args.preset or ["kdd21-hybrid3"]:
        for name, row in check(args.train, args.test, preset, args.limit):
            if not header:
                header = ["preset", "libpecos", *row]
                print("| " + " | ".join(header) + " |\n|" + "---|" * len(header), flush=True)
            print(f"| {preset} | {name} | " + " | ".join(f"{v:.4f}" for v in row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
