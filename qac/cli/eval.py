"""``qac eval``: how good and how fast completions are, on a test set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qac.cli.common import (
    add_compose_argument,
    add_model_argument,
    format_columns,
    load_completer,
    read_normalized,
    text_protocol,
    whole_number,
)
from qac.completion import MAX_K
from qac.errors import InputError
from qac.text import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from qac.baselines import MostFrequent
    from qac.completer import Completer

HELP = "measure completions on a test set: MRR, success, BLEU, latency"

EPILOG = """\
examples:
  qac eval data/test.jsonl --model my.qac
  qac eval data/test.jsonl --baseline mfq --baseline cooc
  qac eval data/test.jsonl --model my.qac --baseline cooc --json

baselines:
  mfq   the most frequent queries that start with the prefix
  cooc  the queries that most often followed the previous one, then mfq

"seen" are the requests whose right answer is a known query: a query of the training part if baselines run or --train
names it, else a query of the model. An example with a count weighs as many. One system prints one JSON object, several
print {"systems": {name: object}}. With -k below 10, MRR@10 and Success@10 are those of the k answers.
"""

BASELINE_NAMES = ("cooc", "mfq")  # those of qac.baselines, which is imported where it is needed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac eval``."""
    parser.add_argument("test", type=Path, metavar="TEST", help="examples to ask: the test.jsonl of `qac prep`")
    add_model_argument(parser)
    add_compose_argument(parser)
    parser.add_argument(
        "--baseline",
        action="append",
        choices=BASELINE_NAMES,
        default=[],
        help="measure this baseline; repeat it for several. The model is then measured only where --model names it",
    )
    parser.add_argument(
        "--train", type=Path, metavar="FILE", help="what baselines learn from (default: train.jsonl beside TEST)"
    )
    parser.add_argument(
        "--text",
        choices=PROTOCOLS,
        help="clean-up of texts (default: the model's, else as stats.json beside TEST says)",
    )
    parser.add_argument(
        "-k", type=whole_number(1, MAX_K), default=10, help=f"answers to ask for, 1 to {MAX_K} (default: %(default)s)"
    )
    parser.add_argument("--limit", type=whole_number(1), metavar="N", help="ask only the first N examples")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Evaluate what ``args`` names and print the result."""
    from qac.baselines import BASELINES
    from qac.evaluation import evaluate
    from qac.labels import LabelTable
    from qac.progress import working

    model = load_completer(args.model, compose=args.compose) if args.model or not args.baseline else None
    protocol = _protocol(args.text, args.test, model)
    examples = list(read_normalized(args.test, protocol, quiet=args.quiet, limit=args.limit))
    systems: list[MostFrequent | Completer] = []
    known: Container[str] | None = model
    if args.baseline or args.train:
        training = list(read_normalized(_training_part(args.train, args.test), protocol, quiet=args.quiet))
        with working("count the queries", quiet=args.quiet):
            known = frozenset(LabelTable.from_examples(training).texts)
        for name in dict.fromkeys(args.baseline):
            with working(f"fit {name}", quiet=args.quiet):
                systems.append(BASELINES[name]().fit(training))
        del training
    if model is not None:
        systems.append(model)
    assert known is not None
    reports = {
        system.name: evaluate(system, examples, known=known, k=args.k, model=system.info(), quiet=args.quiet).to_json()
        for system in systems
    }
    if args.json:
        result = next(iter(reports.values())) if len(reports) == 1 else {"systems": reports}
        print(json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False))
    else:
        print(format_table(reports, args.k))
    return 0


def _protocol(asked: Protocol | None, test: Path, model: Completer | None) -> Protocol:
    """Return the clean-up that examples get: right answers are right in the text the system knows."""
    if model is None:
        return text_protocol(asked, test)
    if asked not in (None, model.protocol):
        raise InputError(f"the model was trained with --text {model.protocol}, not {asked}; leave --text out")
    return model.protocol


def _training_part(asked: Path | None, test: Path) -> Path:
    path = asked or test.with_name("train.jsonl")
    if not path.is_file():
        raise InputError(f"baselines learn from {path}, which is not there; name the training part with --train")
    return path


def format_table(reports: Mapping[str, Mapping[str, Any]], k: int) -> str:
    """Return the ``reports`` (name → what ``Report.to_json`` gives) side by side as text."""
    columns = list(reports.values())
    first = columns[0]  # all were asked the same, so group sizes are equal

    def row(label: str, *path: str, digits: int = 3) -> tuple[str, list[str]]:
        cells = []
        for value in columns:
            for key in path:
                value = value[key]
            cells.append("-" if value is None else f"{value:.{digits}f}")
        return label, cells

    def group(label: str, *path: str) -> tuple[str, list[str]]:
        size: Any = first
        for key in path:
            size = size[key]
        return row(f"  {label} ({size['n']:,})", *path, "mrr@10")

    nothing = [""] * len(reports)
    rows = [
        (f"{first['n']:,} requests, k = {k}", list(reports)),
        row("MRR@10", "mrr@10"),
        group("seen", "seen"),
        group("unseen", "unseen"),
        row("Success@1", "success@1"),
        row("Success@5", "success@5"),
        row("Success@10", "success@10"),
        row("BLEU_RR", "bleu_rr"),
        row("coverage", "coverage"),
        ("", nothing),
        row("latency p50, µs", "latency_us", "p50", digits=1),
        row("        p95", "latency_us", "p95", digits=1),
        row("        p99", "latency_us", "p99", digits=1),
        ("", nothing),
        ("MRR@10 by characters typed", nothing),
        *(group(name, "by_prefix_length", name) for name in first["by_prefix_length"]),
    ]
    return format_columns([(label, *cells) for label, cells in rows])
