"""``qac prep``: a search log in, examples for training, validation and test out."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from qac.cli.common import whole_number
from qac.config import MIN_USERS, PERSONAL_KINDS, UNSCREENED, ScreeningConfig

HELP = "turn search logs into examples: clean, cut into sessions, split into train, valid and test"

EPILOG = """\
formats:
  tsv, csv     user, time, query; other columns by header or by --user, --session, --time, --query (name or number)
  jsonl        one object per line, with such fields
  queries      one query per line, no users or times: every query stands alone
  aol          AnonID Query QueryTime ItemRank ClickURL
  amazonqac    AmazonQAC parquet files, of training or of test rows (needs the extra: pip install "qac[parquet]")
  pairs        prev, next, count; columns by --prev, --next, --count
  clickstream  Wikipedia clickstream: prev, curr, type, n
  trec         TREC session track XML
  auto         one of these, by the first lines and the extension; gz, bz2 and xz are unpacked on the way

A session ends after --gap minutes without a query of that user; a column of session ids (--session) is taken as it is.
First queries of sessions have no previous query; those of the training part's sessions are written to train, for they
say what people ask for. Counted pairs have neither sessions nor times: a hash of the pair decides its part, and rows
without a previous query go to train.

  qac prep log.tsv --out data/
  qac prep log.csv.gz --user customer --time ts --query q --out data/
  zcat log-*.gz | qac prep - --format tsv --split-dates 2026-05-01,2026-06-01 --out data/
"""

_ROLES = {
    "user": "column of the user: header name or number from 1; none for a log without",
    "session": "column of the session id: its queries belong together whatever time lies between",
    "time": "column of the time",
    "query": "column of the query",
    "prev": "pairs: column of the previous query",
    "next": "pairs: column of the next query",
    "count": "pairs: column of the count",
}
_FORMATS = ("auto", "tsv", "csv", "jsonl", "queries", "aol", "amazonqac", "pairs", "clickstream", "trec")


_ANY_NUMBER: dict[str, Any] = {"type": whole_number(1, words="all"), "metavar": "N"}


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("expected minutes, a number from 0")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("expected seconds, a number from 0")
    return value


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    unknown = [kind for kind in kinds if kind not in PERSONAL_KINDS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown kind {unknown[0]!r}; expected some of {','.join(PERSONAL_KINDS)}")
    return kinds


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("expected a share from 0 to 1")
    return value


def _prefixes(text: str) -> int | None:
    return 1 if text == "one" else whole_number(1, words="all")(text)


def _delimiter(text: str) -> str:
    text = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(text) != 1 or text in '"\r\n':
        raise argparse.ArgumentTypeError("expected one character, or tab")
    return text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("logs", nargs="+", metavar="LOG", help="log files; - is standard input")
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="folder for train, valid and test.jsonl and stats.json"
    )
    parser.add_argument("--format", choices=_FORMATS, default="auto", help="format of the logs (default: auto)")

    columns = parser.add_argument_group("columns and notation")
    for role, text in _ROLES.items():
        columns.add_argument(f"--{role}", metavar="COL", help=text)
    columns.add_argument(
        "--time-format",
        default="auto",
        metavar="F",
        help="auto (default: tells the following apart), epoch, epoch-ms, iso, YYMMDDhhmmss, YYYYMMDDhhmmss, or a "
        "strptime pattern; times without a zone are UTC",
    )
    columns.add_argument("--delimiter", type=_delimiter, metavar="C", help="what separates the columns")
    columns.add_argument("--encoding", default="utf-8", metavar="E", help="encoding of the text (default: utf-8)")

    sessions = parser.add_argument_group("sessions and text")
    sessions.add_argument(
        "--gap", type=_minutes, metavar="MIN", help="a session ends after a longer pause (default: 30)"
    )
    sessions.add_argument(
        "--text",
        choices=("default", "alnum"),
        default="default",
        help="clean-up: default (NFKC, case-folded, single spaces) or alnum (also only letters and digits)",
    )
    sessions.add_argument(
        "--max-chars", type=whole_number(1), default=200, metavar="N", help="drop longer queries (default: 200)"
    )
    sessions.add_argument(
        "--history",
        type=whole_number(1, words="all"),
        default=5,
        metavar="N",
        help="earlier queries an example holds: a number or all (default: 5)",
    )

    examples = parser.add_argument_group("examples and parts")
    examples.add_argument(
        "--prefixes",
        type=_prefixes,
        default=1,
        metavar="N",
        help="prefixes per query, uniformly drawn: one (default), N, or all",
    )
    examples.add_argument(
        "--first-queries",
        choices=("train", "all", "none"),
        help="where the first queries of sessions go (default: train; all if the log has no sessions)",
    )
    examples.add_argument(
        "--split-by",
        choices=("time", "session"),
        help="start of the session, or a hash of it (default: time, if there is time)",
    )
    examples.add_argument(
        "--split", default="80/10/10", metavar="R", help="shares of train/valid/test (default: 80/10/10)"
    )
    examples.add_argument("--split-dates", metavar="V,T", help="instead: valid starts at date V, test at date T")
    examples.add_argument("--seed", type=int, default=0, metavar="N", help="seed of prefixes and split (default: 0)")

    _add_screening(parser)
    parser.add_argument(
        "--max-bad-share",
        type=_share,
        default=0.1,
        metavar="X",
        help="give up when more than this share of the lines cannot be read (default: 0.1)",
    )
    parser.add_argument("--tmp", metavar="DIR", help="folder for temporary files (default: the output folder)")
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no summary")


def _add_screening(parser: argparse.ArgumentParser) -> None:
    default = ScreeningConfig()
    group = parser.add_argument_group(
        "safe suggestions",
        "What is left out so that suggestions give nobody away; N is a number or all. docs/privacy.md says why.",
    )

    def add(flag: str, text: str, **options: Any) -> None:
        group.add_argument(flag, default=argparse.SUPPRESS, help=text, **options)

    add(
        "--min-users",
        f"train: different users, or sessions where the log names no users, that made a query (default: {MIN_USERS} "
        "where the log names either)",
        type=whole_number(1),
        metavar="N",
    )
    add("--min-count", f"train: times it was made (default: {default.min_count})", type=whole_number(1), metavar="N")
    add("--per-user", f"train: times that one user's count (default: {default.per_user})", **_ANY_NUMBER)
    add(
        "--half-typed",
        f"drop queries that the same user made longer within S seconds (default: {default.half_typed:g}; 0: none)",
        type=_seconds,
        metavar="S",
    )
    add(
        "--max-per-minute",
        f"drop users who make more queries within a minute (default: {default.max_per_minute})",
        **_ANY_NUMBER,
    )
    add("--max-per-day", f"or more on a day (default: {default.max_per_day})", **_ANY_NUMBER)
    add(
        "--max-repeats",
        f"or more than this of which most are the same (default: {default.max_repeats})",
        **_ANY_NUMBER,
    )
    add(
        "--keep-personal",
        f"keep queries with personal data: all kinds, or some of {','.join(PERSONAL_KINDS)}",
        type=_kinds,
        nargs="?",
        const=PERSONAL_KINDS,
        metavar="KINDS",
    )
    group.add_argument(
        "--unscreened",
        action="store_true",
        help="leave nothing out but what other options here say: to compare systems, not to publish suggestions",
    )


def _screening(args: argparse.Namespace) -> ScreeningConfig:
    given = {f.name: getattr(args, f.name) for f in fields(ScreeningConfig) if hasattr(args, f.name)}
    return replace(UNSCREENED if args.unscreened else ScreeningConfig(), **given)


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from datetime import timedelta

    from qac.data_prep import PrepOptions, ReaderOptions, prepare

    columns = {role: column for role in _ROLES if (column := getattr(args, role)) is not None}
    options = PrepOptions(
        format=args.format,
        reader=ReaderOptions(columns, args.time_format, args.delimiter),
        encoding=args.encoding,
        gap=None if args.gap is None else timedelta(minutes=args.gap),
        text=args.text,
        max_chars=args.max_chars,
        history=args.history,
        prefixes=args.prefixes,
        first_queries=args.first_queries,
        split_by=args.split_by,
        split=args.split,
        split_dates=args.split_dates,
        seed=args.seed,
        screening=_screening(args),
        max_bad_share=args.max_bad_share,
        tmp=args.tmp,
        quiet=args.quiet,
    )
    stats = prepare(args.logs, args.out, options)
    if args.json:
        print(json.dumps(stats, ensure_ascii=False, indent=2))
    elif not args.quiet:
        print("\n".join(_summary(stats, args.out)))
    return 0


def _summary(stats: dict[str, Any], out: str) -> Iterator[str]:
    for source in stats["inputs"]:
        yield f"{source['log']}: {source['format']} ({source['columns']})"
    yield ""
    rows = [("rows", stats["rows"])]
    rows += [(f"  dropped: {reason}", n) for reason, n in stats["dropped"].items()]
    rows += [(f"  bad: {reason}", n) for reason, n in stats["bad_lines"].items()]
    rows += [("queries", stats["queries"])]
    if stats["has_sessions"] and stats["sessions"]:
        rows += [("sessions", stats["sessions"]), ("  of two queries or more", stats["sessions_of_two_or_more"])]
    width = max(len(name) for name, _ in rows)
    for name, n in rows:
        yield f"{name:<{width}}  {n:>13,}"
    yield ""
    yield f"{'part':<6}{'sessions':>13}{'first queries':>15}{'pairs':>13}{'examples':>13}"
    for part, n in stats["parts"].items():
        yield f"{part:<6}{n['sessions']:>13,}{n['first_queries']:>15,}{n['pairs']:>13,}{n['examples']:>13,}"
    yield ""
    split = stats["split"]
    if "valid_start" in split:
        yield f"split by session start: valid from {split['valid_start']}, test from {split['test_start']}"
    else:
        yield f"split by hash, {split['ratios']}"
    if not stats["has_users"] and stats["parts"]["train"]["examples"]:
        yield "no users in this log: no query was left out for being rare (see --min-count, and docs/privacy.md)"
    if not stats["has_sessions"]:
        yield "no sessions in this log: every query stands alone, in all parts, with an empty previous query"
    empty = [part for part, n in stats["parts"].items() if not n["examples"]]
    if empty:
        yield f"empty: {', '.join(empty)}"
    if stats["bad_lines"]:
        yield f"lines that could not be read: a sample is in {out}/bad_lines.txt"
    yield f"written to {out}"
