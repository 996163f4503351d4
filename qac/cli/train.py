"""``qac train``: a model file from examples."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qac.cli.common import read_normalized, text_protocol, whole_number
from qac.text import PROTOCOLS

if TYPE_CHECKING:
    from qac.examples import Example

HELP = "learn from examples; write a model file"

EPILOG = """\
examples:
  qac train data/train.jsonl --out my.qac
  qac train data/train.jsonl --valid data/valid.jsonl --out my.qac --verbose
  qac train data/train.jsonl --out trie.qac --index trie --l2 0.3

The same examples and options give the same file, byte for byte, for any number of threads.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac train``."""
    from qac.config import TrainingConfig

    defaults = TrainingConfig()
    index, ranker = defaults.index, defaults.ranker
    parser.add_argument("examples", type=Path, metavar="TRAIN", help="examples: the train.jsonl of `qac prep`")
    parser.add_argument("--out", required=True, type=Path, metavar="M", help="the model file to write")
    parser.add_argument("--valid", type=Path, metavar="FILE", help="measure the model on these examples at the end")
    parser.add_argument(
        "--text", choices=PROTOCOLS, help="clean-up of texts (default: as stats.json beside TRAIN says, else default)"
    )
    parser.add_argument("--threads", type=whole_number(1), help="threads to train with (default: all processors)")
    parser.add_argument("--json", action="store_true", help="print the closing summary as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bars and no summary")
    parser.add_argument("--verbose", action="store_true", help="a line per step with times, and loss while learning")

    tree = parser.add_argument_group("label tree")
    tree.add_argument(
        "--index", choices=("hybrid", "trie", "kmeans"), default=index.kind, help="kind of tree (default: %(default)s)"
    )
    tree.add_argument(
        "--depth",
        type=whole_number(1),
        default=index.depth,
        help="hybrid: characters that the trie resolves (default: %(default)s)",
    )
    tree.add_argument(
        "--max-leaf",
        type=whole_number(1),
        default=index.max_leaf,
        help="split nodes with more labels than this (default: %(default)s)",
    )
    tree.add_argument(
        "--branching",
        type=whole_number(1),
        default=index.branching,
        help="clusters a node is split into (default: %(default)s)",
    )
    tree.add_argument(
        "--seed", type=whole_number(0), default=index.seed, help="of the clustering (default: %(default)s)"
    )

    features = parser.add_argument_group("features")
    features.add_argument(
        "--history",
        type=whole_number(1),
        default=defaults.history,
        help="earlier queries that count (default: %(default)s)",
    )
    features.add_argument(
        "--age-decay",
        type=float,
        default=defaults.age_decay,
        help="factor for each step back in the session (default: %(default)s)",
    )
    features.add_argument(
        "--word-weight", type=float, default=defaults.word_weight, help="factor on words (default: %(default)s)"
    )
    features.add_argument(
        "--bigram-weight",
        type=float,
        default=defaults.bigram_weight,
        help="factor on word pairs (default: %(default)s)",
    )
    features.add_argument(
        "--query-weight",
        type=float,
        default=defaults.query_weight,
        help="factor on whole queries (default: %(default)s)",
    )
    features.add_argument(
        "--use-prefix", action="store_true", help="let the rankers see the typed prefix too, as in the published system"
    )

    rankers = parser.add_argument_group("rankers")
    rankers.add_argument("--l2", type=float, default=ranker.l2, help="strength of the penalty (default: %(default)s)")
    rankers.add_argument(
        "--passes",
        type=whole_number(1),
        default=ranker.max_passes,
        help="most passes over a node (default: %(default)s)",
    )
    rankers.add_argument(
        "--tolerance",
        type=float,
        default=ranker.tolerance,
        help="stop at gains below this share (default: %(default)s)",
    )
    rankers.add_argument(
        "--prune", type=float, default=ranker.prune, help="leave out weights smaller than this (default: %(default)s)"
    )

    composer = parser.add_argument_group("composer")
    composer.add_argument(
        "--no-composer", dest="composer", action="store_false", help="do not learn to compose queries that nobody made"
    )
    composer.add_argument(
        "--share", type=float, help="its share in the mixture, 0 to 1 (default: by how many queries of the log are new)"
    )
    composer.add_argument(
        "--least",
        type=float,
        default=defaults.composer.least,
        help="composed queries below this probability are not proposed (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """Train and write the model."""
    from qac.files import check_writable
    from qac.saving import save_model
    from qac.training import processors, train

    started = time.monotonic()
    config = _config(args)
    _check_paths(args)
    check_writable(args.out)
    # Before the work: what is wrong with them should not be said after it.
    valid = list(read_normalized(args.valid, config.text, quiet=args.quiet)) if args.valid else []
    threads = args.threads or processors()
    with closing(read_normalized(args.examples, config.text, quiet=args.quiet)) as examples:
        trained = train(
            examples, config, threads=threads, quiet=args.quiet or args.verbose, log=_log if args.verbose else None
        )
    save_model(trained, args.out)
    summary: dict[str, Any] = {
        "model": str(args.out),
        "bytes": args.out.stat().st_size,
        "labels": len(trained.labels),
        "nodes": trained.tree.n_nodes,
        "weights": trained.rankers.n_weights,
        **trained.summary,
        "seconds": round(time.monotonic() - started, 2),
        "threads": threads,
    }
    if valid:
        summary["valid"] = _validate(args, valid)
    elif args.valid:
        print(f"qac: there are no examples in {args.valid}; the model was not measured", file=sys.stderr)
    if args.json:
        print(json.dumps(summary, ensure_ascii=False, indent=2, allow_nan=False))
    elif not args.quiet:
        print(_format(summary))
    return 0


def _check_paths(args: argparse.Namespace) -> None:
    """Refuse, before the work, what would make its result worthless or destroy its source."""
    from qac.errors import InputError

    if args.valid and not args.valid.is_file():
        raise InputError(f"there are no examples at {args.valid}; give the valid.jsonl that `qac prep` writes")
    for source in (args.examples, args.valid):
        if source and source.exists() and args.out.exists() and source.samefile(args.out):
            raise InputError(f"--out {args.out} is the file of examples itself; name another file for the model")


def _config(args: argparse.Namespace) -> Any:
    from qac.config import ComposerConfig, IndexConfig, RankerConfig, TrainingConfig

    return TrainingConfig(
        text=text_protocol(args.text, args.examples),
        history=args.history,
        age_decay=args.age_decay,
        word_weight=args.word_weight,
        bigram_weight=args.bigram_weight,
        query_weight=args.query_weight,
        use_prefix=args.use_prefix,
        index=IndexConfig(args.index, args.depth, args.max_leaf, args.branching, args.seed),
        ranker=dataclasses.replace(
            RankerConfig(), l2=args.l2, max_passes=args.passes, tolerance=args.tolerance, prune=args.prune
        ),
        composer=ComposerConfig(enabled=args.composer, share=args.share, least=args.least),
    )


def _validate(args: argparse.Namespace, examples: Sequence[Example]) -> dict[str, Any]:
    from qac.completer import Completer
    from qac.evaluation import evaluate

    completer = Completer.load(args.out)
    return evaluate(completer, examples, known=completer, model=completer.info(), quiet=args.quiet).to_json()


def _log(line: str) -> None:
    print(line, file=sys.stderr)


def _format(s: dict[str, Any]) -> str:
    lines = [
        f"{s['model']}: {s['labels']:,} queries, {s['bytes'] / 1e6:.1f} MB, {s['bytes'] / s['labels']:.0f} bytes each",
        f"learned from {s['examples']:,} steps of sessions in {s['seconds']:.1f} s on {s['threads']} threads; "
        f"{s['weights']:,} weights at {s['nodes']:,} nodes",
    ]
    if s["examples"]:
        lines.append(f"loss per step {s['loss_without_session']:.3f} without the session, {s['loss']:.3f} with it")
    else:
        lines.append("no session has two queries: completions will not depend on the session")
    if "valid" in s:
        v = s["valid"]
        lines.append(
            f"on {v['n']:,} validation requests: MRR@10 {v['mrr@10']:.3f}, Success@10 {v['success@10']:.3f}, "
            f"p50 {v['latency_us']['p50']:.0f} µs"
        )
    return "\n".join(lines)
