"""``qac inspect``: what is in a model file."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qac.config import TrainingConfig
    from qac.model import LoadedModel

HELP = "show what a model is made of, and where a query stands in its tree"

EPILOG = """\
examples:
  qac inspect my.qac
  qac inspect my.qac --prefix "digital camera"

--prefix shows the path to the query of that text (or to the most frequent one that starts with it), how many
queries share each node of the path, and the queries that share the last one: its mates.
"""

_MATES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac inspect``."""
    parser.add_argument("model", metavar="M", help="model file")
    parser.add_argument("--prefix", metavar="TEXT", help="show the path and the mates of the query that this begins")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the model's description."""
    from qac.model import load_model

    model = load_model(args.model)
    result = describe(model) if args.prefix is None else describe_query(model, args.prefix)
    if args.json:
        print(json.dumps(result, ensure_ascii=False, indent=2))
    else:
        print(_format_model(result, model.config) if args.prefix is None else _format_query(result))
    return 0


def describe(model: LoadedModel) -> dict[str, Any]:
    """Return a model's size, settings and the shape of its tree."""
    import numpy as np

    from qac._native import NODE_LEAF
    from qac.index.tree import LabelTree

    tree = LabelTree(model.arrays.tree)
    node = model.arrays.tree.node
    leaf = (node["flags"] & NODE_LEAF) != 0

    def spread(values: Any) -> dict[str, float] | None:
        if not len(values):
            return None
        p50, p90 = np.percentile(values, [50, 90])
        return {
            "n": len(values),
            "min": int(values.min()),
            "p50": float(p50),
            "p90": float(p90),
            "max": int(values.max()),
        }

    return {
        "model": str(model.file.path),
        "fingerprint": model.file.fingerprint,
        "bytes": model.file.size,
        "qac": model.meta.qac,
        "labels": tree.n_labels,
        "sections": {s.name: s.size for s in model.file.sections.values()},
        "config": dict(model.meta.config),
        "summary": dict(model.meta.summary),
        "tree": {
            "nodes": tree.n_nodes,
            "levels": tree.levels(),
            "fan_out": spread(node["n_children"][~leaf]),
            "leaf_size": spread(node["n_children"][leaf]),
        },
        "weights": model.meta.weights,
    }


def describe_query(model: LoadedModel, text: str) -> dict[str, Any]:
    """Return the path to a query and the queries that share its last node.

    Raises
    ------
    InputError
        No known query starts with ``text``.
    ModelError
        The file is damaged where this reads it, and was opened without comparing all of it.
    """
    from qac._native import NativeError
    from qac.errors import InputError, ModelError
    from qac.text import normalize, normalize_prefix

    label = model.native.find_label(normalize(text, model.protocol).encode("utf-8"))
    if label is None:
        lo, hi = model.native.prefix_range(normalize_prefix(text, model.protocol).encode("utf-8"))
        if lo == hi:
            raise InputError(f"no query of {model.file.path} starts with {text!r:.80}")
        label = lo + int(model.arrays.count[lo:hi].argmax())
    try:
        return _describe_label(model, label)
    except (NativeError, UnicodeDecodeError) as e:
        raise ModelError(f"{model.file.path} is damaged ({e}); run `qac verify`, copy or train it anew") from e


def _describe_label(model: LoadedModel, label: int) -> dict[str, Any]:
    from qac.explain import cluster_mates, describe_child
    from qac.index.tree import LabelTree

    tree = LabelTree(model.arrays.tree)
    path = tree.path(label)
    following = [*path[1:], ~label]
    query = model.native.label_text(label)
    return {
        "query": query,
        "count": float(model.arrays.count[label]),
        "path": [
            {
                "node": node,
                "queries": len(tree.labels(node)),
                "children": len(tree.children(node)),
                "to": describe_child(model, tree, node, tree.children(node).index(child)),
            }
            for node, child in zip(path, following, strict=True)
        ],
        "mates": [m for m in cluster_mates(model, tree, path[-1], _MATES + 1) if m != query][:_MATES],
    }


def _format_model(d: dict[str, Any], config: TrainingConfig) -> str:
    from qac.cli.common import format_columns

    labels = d["labels"]
    index, ranker = config.index, config.ranker
    depth = f", depth {index.resolved_depth}" if index.resolved_depth else ""
    lines = [
        f"{d['model']}: {labels:,} queries, {d['bytes']:,} bytes ({d['bytes'] / labels:.1f} a query), "
        f"fingerprint {d['fingerprint']}, made by qac {d['qac']}",
        "",
        format_columns(
            [("section", "bytes", "a query"), *((n, f"{s:,}", f"{s / labels:.1f}") for n, s in d["sections"].items())]
        ),
        "",
        f"index {index.kind}{depth}, max_leaf {index.max_leaf}, branching {index.branching}; "
        f"rankers {ranker.loss}, l2 {ranker.l2:g}, {d['weights']:,} weights",
        f"{d['tree']['nodes']:,} nodes",
        format_columns(
            [
                ("level", "nodes", "leaves", "clusters", "queries"),
                *(
                    tuple(f"{x:,}" for x in (i, row["nodes"], row["leaves"], row["clusters"], row["labels"]))
                    for i, row in enumerate(d["tree"]["levels"])
                ),
            ]
        ),
    ]
    for name, title in (("fan_out", "children of inner nodes"), ("leaf_size", "queries of leaves")):
        s = d["tree"][name]
        if s:
            lines.append(f"{title}: min {s['min']}, median {s['p50']:g}, 90 % up to {s['p90']:g}, max {s['max']}")
    return "\n".join(lines)


def _format_query(d: dict[str, Any]) -> str:
    times = "once" if d["count"] == 1 else f"{d['count']:g} times"
    lines = [f"{d['query']} (made {times})"]
    lines += [
        f"{'  ' * depth}node {s['node']}: {s['queries']:,} queries, {s['children']} children -> {s['to']}"
        for depth, s in enumerate(d["path"])
    ]
    lines.append("mates: " + (", ".join(d["mates"]) or "none"))
    return "\n".join(lines)
