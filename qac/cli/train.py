"""``qac train``: a model file from examples."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from qac.blocklist import AllowedExamples, Blocklist
from qac.cli.common import duration, format_duration, rare_share, read_normalized, text_protocol, whole_number
from qac.errors import InputError, UsageError
from qac.text import PROTOCOLS

if TYPE_CHECKING:
    from qac.config import TrainingConfig
    from qac.examples import Example
    from qac.tuning import Trial, Tuned

HELP = "learn from examples; write a model file"

EPILOG = """\
examples:
  qac train data/train.jsonl --out my.qac
  qac train data/train.jsonl --valid data/valid.jsonl --out my.qac --verbose
  qac train data/train.jsonl --out trie.qac --index trie --l2 0.3
  qac train data/train.jsonl --valid data/valid.jsonl --out my.qac --tune --tune-budget 10m
  qac train data/train.jsonl --out published.qac --preset kdd21-hybrid3

The same examples and options give the same file, byte for byte, for any number of threads.

--tune tries other values of the settings that matter most, one at a time, beginning with the other options given, and
keeps what is better on the validation examples beyond chance. At the end it prints the options that train the same
model without it. How many trials a budget of time allows differs between machines; --tune-trials gives the same
everywhere. Ctrl-C ends the trials, and the best settings so far are used.

presets (the configurations that Yadav et al., KDD 2021, compare):
"""

_SETTING: Final = "config."
_FLAGS: Final[dict[str, str]] = {"text": "--text"}
"""The option of each setting, by its place in the TrainingConfig; filled as they are declared."""
_TUNE_BUDGET: Final = 600.0
_STOPPED: Final = {
    "done": "no setting is left to gain by",
    "trials": "the last that --tune-trials allows",
    "time": "the budget is spent",
    "interrupted": "interrupted",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac train``."""
    from qac.config import WEIGHT_BITS, Embedding, IndexKind, Loss
    from qac.presets import PRESETS

    width = max(map(len, PRESETS))
    parser.epilog = EPILOG + "\n".join(f"  {name:{width}}  {preset.what}" for name, preset in PRESETS.items())
    parser.add_argument("examples", type=Path, metavar="TRAIN", help="examples: the train.jsonl of `qac prep`")
    parser.add_argument("--out", required=True, type=Path, metavar="M", help="the model file to write")
    parser.add_argument("--valid", type=Path, metavar="FILE", help="measure the model on these examples at the end")
    parser.add_argument(
        "--text", choices=PROTOCOLS, help="clean-up of texts (default: as stats.json beside TRAIN says, else default)"
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        metavar="NAME",
        help="start from the settings of a preset, which other options change",
    )
    parser.add_argument(
        "--blocklist",
        type=Path,
        metavar="F",
        help="leave out queries that this file forbids (as `qac serve --blocklist`, which is still needed there: "
        "composed queries are new)",
    )
    parser.add_argument("--threads", type=whole_number(1), help="threads to train with (default: all processors)")
    parser.add_argument("--json", action="store_true", help="print the closing summary as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bars and no summary")
    parser.add_argument("--verbose", action="store_true", help="a line per step with times, and loss while learning")

    tree = parser.add_argument_group("label tree")
    _setting(tree, "--index", "index.kind", "kind of tree", choices=get_args(IndexKind))
    _setting(
        tree,
        "--depth",
        "index.depth",
        "characters that a trie resolves or that must link",
        type=whole_number(1),
        default="hybrid 3, trie all, mustlink 5",
    )
    _setting(tree, "--max-leaf", "index.max_leaf", "split nodes with more labels than this", type=whole_number(1))
    _setting(tree, "--branching", "index.branching", "clusters a node is split into", type=whole_number(1))
    _setting(tree, "--embedding", "index.embedding", "what labels are clustered by", choices=get_args(Embedding))
    _setting(tree, "--seed", "index.seed", "of the clustering", type=whole_number(0))

    popularity = parser.add_argument_group("popularity")
    _setting(
        popularity,
        "--half-life",
        "popularity.half_life",
        "halve an example's weight for every so long (30d; s, m, h, d, w) that it is older than the newest",
        type=duration,
        default="age plays no part",
    )
    _setting(
        popularity,
        "--min-count",
        "popularity.min_count",
        "leave out queries made fewer times: none is proposed, no word of theirs is used",
        type=whole_number(0),
    )
    _setting(
        popularity,
        "--rare",
        "popularity.rare",
        "share of requests that preparation left out because too few people made them",
        type=float,
        default="as stats.json beside TRAIN says, else 0",
    )
    _setting(
        popularity,
        "--length-discount",
        "length_discount",
        "after another query, one of n characters counts 1/n to this power: 1 where any one of its prefixes is asked, "
        "0 where all are",
        type=float,
    )
    _setting(popularity, "--repeat-weight", "repeat_weight", "factor on the last query itself", type=float)

    features = parser.add_argument_group("features")
    _setting(features, "--history", "history", "earlier queries that count", type=whole_number(1))
    _setting(features, "--age-decay", "age_decay", "factor for each step back in the session", type=float)
    _setting(features, "--word-weight", "word_weight", "factor on words", type=float)
    _setting(features, "--bigram-weight", "bigram_weight", "factor on word pairs", type=float)
    _setting(features, "--query-weight", "query_weight", "factor on whole queries", type=float)
    _setting(
        features,
        "--use-prefix",
        "use_prefix",
        "let the rankers see the typed prefix too, as in the published system",
        action=argparse.BooleanOptionalAction,
    )

    rankers = parser.add_argument_group("rankers")
    _setting(rankers, "--loss", "ranker.loss", "what is minimised", choices=get_args(Loss))
    _setting(rankers, "--l2", "ranker.l2", "strength of the penalty", type=float)
    _setting(rankers, "--passes", "ranker.max_passes", "most passes over a node", type=whole_number(1))
    _setting(rankers, "--tolerance", "ranker.tolerance", "stop at gains below this share", type=float)
    _setting(rankers, "--prune", "ranker.prune", "leave out weights smaller than this", type=float)
    _setting(rankers, "--weight-bits", "ranker.weight_bits", "bits of a stored weight", type=whole_number(*WEIGHT_BITS))
    _setting(
        rankers,
        "--matcher-beam",
        "ranker.matcher_beam",
        "hinge: learn also from what a search this wide brings to a node",
        type=whole_number(0),
    )

    composer = parser.add_argument_group("composer")
    _setting(
        composer,
        "--composer",
        "composer.enabled",
        "learn to compose queries that nobody made",
        action=argparse.BooleanOptionalAction,
    )
    _setting(
        composer,
        "--share",
        "composer.share",
        "its share in the mixture, 0 to 1",
        type=float,
        default="by how many queries of the log are new",
    )
    _setting(
        composer, "--least", "composer.least", "composed queries below this probability are not proposed", type=float
    )
    _setting(composer, "--order", "composer.order", "words of its longest n-grams", type=whole_number(2))

    tuning = parser.add_argument_group("tuning")
    tuning.add_argument("--tune", action="store_true", help="pick settings on the examples of --valid")
    tuning.add_argument(
        "--tune-budget",
        type=duration,
        metavar="T",
        help="time for trials (default: 10m, or none with --tune-trials); training with what was found comes on top",
    )
    tuning.add_argument("--tune-trials", type=whole_number(1), metavar="N", help="most trials")


def _setting(group: Any, flag: str, path: str, text: str, *, default: str | None = None, **options: Any) -> None:
    """Declare an option that sets the field ``path`` of the TrainingConfig.

    It is there in the arguments, under a name that says so, only when given; what is not is as preset or default.
    """
    from qac.config import TrainingConfig, setting

    _FLAGS[path] = flag
    if "action" not in options and "choices" not in options:
        options["metavar"] = flag.strip("-").upper().replace("-", "_")
    value = setting(TrainingConfig(), path) if default is None else default
    if isinstance(value, bool):
        value = "yes" if value else "no"
    group.add_argument(
        flag, dest=_SETTING + path, default=argparse.SUPPRESS, help=f"{text} (default: {value})", **options
    )


def run(args: argparse.Namespace) -> int:
    """Train and write the model."""
    from qac.files import check_writable
    from qac.machine import peak_mb, processors
    from qac.saving import save_model
    from qac.training import train

    started = time.monotonic()
    _check_tuning(args)
    config = _config(args)
    _check_paths(args)
    check_writable(args.out)
    # Before the work: what is wrong with them should not be said after it.
    blocklist = Blocklist.read(args.blocklist) if args.blocklist else Blocklist()
    valid = list(read_normalized(args.valid, config.text, quiet=args.quiet)) if args.valid else []
    threads = args.threads or processors()
    tuned = _tune(args, config, blocklist, valid, threads) if args.tune else None
    trained = tuned.model if tuned else None
    if trained is None:
        with _examples(args, config, blocklist) as examples:
            trained = train(
                examples,
                tuned.config if tuned else config,
                threads=threads,
                quiet=args.quiet or args.verbose,
                log=_log if args.verbose else None,
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
        "peak_mb": peak_mb(),
    }
    if valid:
        summary["valid"] = _validate(args, valid)
    elif args.valid:
        print(f"qac: there are no examples in {args.valid}; the model was not measured", file=sys.stderr)
    if tuned:
        options = ["qac", "train", str(args.examples), "--out", str(args.out), *_options(tuned.config, args.preset)]
        options += ["--blocklist", str(args.blocklist)] if args.blocklist else []
        summary["tuning"] = {**tuned.to_json(), "command": shlex.join(options)}
    if args.json:
        print(json.dumps(summary, ensure_ascii=False, indent=2, allow_nan=False))
    elif not args.quiet:
        print(_format(summary))
    return 0


def _check_tuning(args: argparse.Namespace) -> None:
    if args.tune and not args.valid:
        raise UsageError("--tune measures on validation examples; name them with --valid")
    if not args.tune and (args.tune_budget or args.tune_trials):
        raise UsageError("--tune-budget and --tune-trials bound the trials of --tune; add it or leave them out")


@contextmanager
def _examples(
    args: argparse.Namespace, config: TrainingConfig, blocklist: Blocklist
) -> Generator[Iterable[Example], None, None]:
    """Read the examples to train with, without those that are blocked."""
    with closing(read_normalized(args.examples, config.text, quiet=args.quiet)) as examples:
        yield AllowedExamples(examples, blocklist, config.text) if args.blocklist else examples


def _tune(
    args: argparse.Namespace, config: TrainingConfig, blocklist: Blocklist, valid: Sequence[Example], threads: int
) -> Tuned:
    from qac.tuning import tune

    budget = args.tune_budget or (None if args.tune_trials else _TUNE_BUDGET)
    with _examples(args, config, blocklist) as examples:
        return tune(
            examples,
            valid,
            config,
            seconds=budget,
            trials=args.tune_trials,
            threads=threads,
            quiet=args.quiet,
            report=None if args.quiet else _show_trial,
        )


def _check_paths(args: argparse.Namespace) -> None:
    """Refuse, before the work, what would make its result worthless or destroy its source."""
    if args.valid and not args.valid.is_file():
        raise InputError(f"there are no examples at {args.valid}; give the valid.jsonl that `qac prep` writes")
    for source in (args.examples, args.valid, args.blocklist):
        if source and source.exists() and args.out.exists() and source.samefile(args.out):
            raise InputError(f"--out {args.out} is read, not written; name another file for the model")
    if args.tune and args.examples.exists() and args.valid.samefile(args.examples):
        raise InputError(f"--tune on {args.valid}, which is trained on, would pick what learns by heart; give others")


def _config(args: argparse.Namespace) -> TrainingConfig:
    from qac.config import with_settings

    given = {name.removeprefix(_SETTING): value for name, value in vars(args).items() if name.startswith(_SETTING)}
    given["text"] = text_protocol(args.text, args.examples)
    if "popularity.rare" not in given:
        given["popularity.rare"] = rare_share(args.examples)
    return with_settings(_start(args.preset), given)


def _start(preset: str | None) -> TrainingConfig:
    from qac.config import TrainingConfig
    from qac.presets import PRESETS

    return PRESETS[preset].config if preset else TrainingConfig()


def _show_trial(trial: Trial) -> None:
    tried = " ".join(_option(trial.setting, trial.value)) if trial.setting else "settings as they are"
    compared = f"{trial.gain:+.4f}, p {trial.p:.3f}" if trial.setting else ""
    kept = "kept" if trial.kept else ""
    _log(f"{tried:<24}  MRR@10 {trial.mrr:.4f}  {compared:<16}  {kept:<4}  {trial.seconds:6.1f} s")


def _options(config: TrainingConfig, preset: str | None) -> list[str]:
    """Return the options that set what ``config`` does not have by default or by a preset."""
    from qac.config import setting

    start = _start(preset)
    values = {path: setting(config, path) for path in _FLAGS}
    changed = [word for path, v in values.items() if v != setting(start, path) for word in _option(path, v)]
    return ["--preset", preset, *changed] if preset else changed


def _option(path: str, value: Any) -> list[str]:
    """Return the words that set, or name, the ``value`` of the setting at ``path``."""
    flag = _FLAGS[path]
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    if path == "popularity.half_life":
        return [flag, format_duration(value)] if value else [f"no {flag}"]
    return [flag, str(value)]


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
        f"learned from {s['examples']:,} steps of sessions in {s['seconds']:.1f} s on {s['threads']} threads"
        + (f", with {s['peak_mb']:,.0f} MB of memory at most" if s["peak_mb"] else ""),
        f"{s['weights']:,} weights at {s['nodes']:,} nodes",
    ]
    if s["left_out"]:
        lines.append(f"queries left out, made fewer times than --min-count: {s['left_out']:,}")
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
    if "tuning" in s:
        t = s["tuning"]
        lines.append(
            f"tuned by {len(t['trials'])} trials ({_STOPPED[t['stopped']]}): MRR@10 {t['mrr_before']:.4f} -> "
            f"{t['mrr']:.4f} on the validation requests asked"
        )
        lines.append(f"the same model without tuning:\n  {t['command']}")
    return "\n".join(lines)
