"""``qac eval``: how good and how fast completions are, on a test set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qac.cli.common import (
    add_compose_argument,
    add_correct_argument,
    add_model_argument,
    load_completer,
    read_normalized,
    text_protocol,
    whole_number,
)
from qac.completion import MAX_K
from qac.config import RESAMPLES
from qac.errors import InputError, UsageError
from qac.text import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from qac.baselines import MostFrequent
    from qac.completer import Completer
    from qac.evaluation import KnownQueries

HELP = "measure completions on a test set: MRR, success, BLEU, keystrokes, latency"

EPILOG = """\
examples:
  qac eval data/test.jsonl --model my.qac
  qac eval data/test.jsonl --baseline mfq --baseline cooc --plot mrr.html
  qac eval data/test.jsonl --model old.qac --save old.json
  qac eval data/test.jsonl --model new.qac --compare old.json
  qac eval data/test.jsonl --model my.qac --typos 0.1 --errors 50

baselines:
  mfq   the most frequent queries that start with the prefix
  cooc  the queries that most often followed the previous one, then mfq

"seen" are the requests whose right answer is a known query: a query of the training part if baselines run or --train
names it, else a query of the model. An example with a count weighs as many. One system prints one JSON object, several
print {"systems": {name: object}}. With -k below 10, MRR@10 and Success@10 are those of the k answers.
docs/evaluation.md defines every metric, interval and test.
"""

BASELINE_NAMES = ("cooc", "mfq")  # those of qac.baselines, which is imported where it is needed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac eval``."""
    parser.add_argument("test", type=Path, metavar="TEST", help="examples to ask: the test.jsonl of `qac prep`")
    add_model_argument(parser)
    add_compose_argument(parser)
    add_correct_argument(parser)
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
    parser.add_argument(
        "--typos",
        type=_rate,
        default=0.0,
        metavar="RATE",
        help="mistype this share of the prefixes, by one letter each, and report them apart too (default: %(default)s)",
    )
    parser.add_argument(
        "--errors", type=whole_number(1), metavar="N", help="show N requests whose right answer did not come first"
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="keep what came of each request, to compare with later"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="compare, request by request, with what --save kept"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw MRR@10 by characters typed: FILE.svg, or FILE.html with figures"
    )
    parser.add_argument(
        "--resamples",
        type=whole_number(0, 100_000),
        default=RESAMPLES,
        metavar="N",
        help="samples that intervals and tests rest on; 0: no intervals (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="of typing errors, resampling and --errors (default: 0)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text!r:.60}")
    return value


def run(args: argparse.Namespace) -> int:
    """Evaluate what ``args`` names and print the result."""
    from qac.cli.eval_tables import format_comparison, format_misses, format_reports
    from qac.evaluation import compare, evaluate, load_report, mistype, sample_misses, save_report
    from qac.progress import working

    _check_usage(args)
    other = load_report(args.compare) if args.compare else None
    model = None
    if args.model or not args.baseline:
        model = load_completer(args.model, compose=args.compose, correct=args.correct)
    protocol = _protocol(args.text, args.test, model)
    examples = list(read_normalized(args.test, protocol, quiet=args.quiet, limit=args.limit))
    systems, known = _systems(args, model, protocol)
    typed = mistype(examples, args.typos, args.seed)
    reports = {
        system.name: evaluate(
            system, examples, known=known, k=args.k, typed=typed, model=system.info(), quiet=args.quiet
        )
        for system in systems
    }
    only = next(iter(reports.values()))  # where one system alone makes sense
    if args.save:
        save_report(only, args.save)
    with working("resample", quiet=args.quiet):
        shown = {name: report.to_json(args.resamples, args.seed) for name, report in reports.items()}
        blocks = [format_reports(shown, args.k)]
        if other is not None:
            shown[only.name]["comparison"] = compare(other, only, args.resamples, args.seed)
            blocks.append(format_comparison(shown[only.name]["comparison"]))
    for system in systems if args.errors else ():
        misses = sample_misses(system, reports[system.name], examples, typed, args.errors, args.seed)
        shown[system.name]["errors"] = [miss.to_json() for miss in misses]
        blocks.append(format_misses(system.name, misses))
    if args.plot:
        _plot(args.plot, args.test, shown)
    if args.json:
        result = shown[only.name] if len(shown) == 1 else {"systems": shown}
        print(json.dumps(result, ensure_ascii=False, indent=2, allow_nan=False))
    else:
        print("\n\n".join(blocks))
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    """Refuse before the work what would fail after it."""
    from qac.files import check_writable

    for option, path in (("--save", args.save), ("--compare", args.compare)):
        if path and len(set(args.baseline)) + bool(args.model or not args.baseline) > 1:
            raise UsageError(f"{option} takes one system; name one --model or one --baseline")
    if args.compare and not args.resamples:
        raise UsageError("--compare needs resamples to tell a difference from chance; leave out --resamples 0")
    if args.plot and args.plot.suffix not in (".svg", ".html"):
        raise UsageError(f"--plot {args.plot}: expected a name that ends in .svg or .html")
    for option, path in (("--save", args.save), ("--plot", args.plot)):
        if not path:
            continue
        check_writable(path)
        for source in (args.test, args.train, args.model, args.compare):
            if source and path.exists() and Path(source).exists() and path.samefile(source):
                raise UsageError(f"{option} {path} would overwrite what is read from there; name another file")


def _systems(
    args: argparse.Namespace, model: Completer | None, protocol: Protocol
) -> tuple[Sequence[MostFrequent | Completer], KnownQueries]:
    """Return the systems to measure, and what says which queries are known."""
    from qac.baselines import BASELINES
    from qac.labels import LabelTable
    from qac.progress import working

    systems: list[MostFrequent | Completer] = []
    known: KnownQueries | None = model
    if args.baseline or args.train:
        training = list(read_normalized(_training_part(args.train, args.test), protocol, quiet=args.quiet))
        with working("count the queries", quiet=args.quiet):
            known = LabelTable.from_examples(training)
        for name in dict.fromkeys(args.baseline):
            with working(f"fit {name}", quiet=args.quiet):
                systems.append(BASELINES[name]().fit(training))
    if model is not None:
        systems.append(model)
    assert known is not None
    return systems, known


def _plot(path: Path, test: Path, reports: dict[str, Any]) -> None:
    from qac.evaluation import plot
    from qac.files import atomic_writer

    draw = plot.svg if path.suffix == ".svg" else plot.html
    with atomic_writer(path) as f:
        f.write(draw([(test.name, reports)]).encode())


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
