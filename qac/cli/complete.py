"""``qac complete``: completions of a prefix, or of many read from standard input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qac.cli.common import add_compose_argument, add_correct_argument, add_model_argument, load_completer, whole_number
from qac.completion import MAX_K
from qac.errors import InputError, UsageError

if TYPE_CHECKING:
    from qac.completer import Completer
    from qac.completion import Completion
    from qac.explain import Explanation

HELP = "complete a prefix, given what was searched before"

EPILOG = """\
examples:
  qac complete --prev "digital camera" --prefix n
  qac complete --prev "paris hotels" --prev "paris flights" --prefix "paris " -k 5 --json
  qac complete --prev "digital camera" --prefix n --explain
  qac complete --model my.qac < requests.jsonl

Without --prefix and --prev, requests are read from standard input as JSON lines,
{"prefix": "n", "prev": ["digital camera"], "k": 5}; "prev" may be a string, prev and k may be left out (the lines of
test.jsonl are understood too). One JSON line is printed for each, in order, at once; a line that is not a request
gives {"error": ...} and exit status 1 at the end.
"""

_MAX_BEAM = (1 << 31) - 1

_KEYS = ("prefix", "prev", "k", "prev_query", "prev_queries", "next_query", "count")
"""Of a request; the last four are those of an example besides: it may be asked as it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac complete``."""
    parser.add_argument(
        "--prefix", help="what is typed so far; may be empty; a trailing space says the word is finished"
    )
    parser.add_argument(
        "--prev",
        action="append",
        default=[],
        metavar="QUERY",
        help="an earlier query of the session; repeat it, oldest first",
    )
    parser.add_argument(
        "-k",
        type=whole_number(1, MAX_K),
        default=10,
        help=f"most completions to give, 1 to {MAX_K} (default: %(default)s)",
    )
    add_model_argument(parser)
    add_compose_argument(parser)
    add_correct_argument(parser)
    parser.add_argument(
        "--beam",
        type=whole_number(0, _MAX_BEAM),
        help="tree nodes kept per round of the search; 0: exact (default: as the model was trained to be searched)",
    )
    parser.add_argument("--explain", action="store_true", help="say why each completion came")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Complete and print."""
    single = args.prefix is not None or bool(args.prev)
    if not single and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError('give --prefix, --prev or both, or requests on standard input (see "qac complete --help")')
    completer = load_completer(args.model, beam=args.beam, compose=args.compose, correct=args.correct)
    return _one(completer, args) if single else _many(completer, args)


def _one(completer: Completer, args: argparse.Namespace) -> int:
    prefix = args.prefix or ""
    answers = completer.complete(prefix, args.prev, args.k)
    reasons = _explain(completer, prefix, args.prev, answers, args.k) if args.explain else None
    if args.json:
        print(json.dumps(_to_json(prefix, args.prev, answers, reasons), ensure_ascii=False, indent=2))
        return 0
    if not answers:
        print(f"nothing to complete {prefix!r:.80} with", file=sys.stderr)
    width = max((len(a.text) for a in answers), default=0)
    for i, answer in enumerate(answers):
        mark = "" if answer.source == "index" else f"  {answer.source}"
        print(f"{answer.text:<{width}}  {answer.score:7.2%}{mark}")
        if reasons:
            print(_format_explanation(reasons[i]))
    return 0


def _explain(
    completer: Completer, prefix: str, prev: Sequence[str], answers: Sequence[Completion], k: int
) -> list[Explanation]:
    return [completer.explain(prefix, prev, a.text, k) for a in answers]


def _many(completer: Completer, args: argparse.Namespace) -> int:
    status = 0
    for number, line in enumerate(sys.stdin.buffer, 1):  # bytes: a line that is not UTF-8 is one bad line, not the end
        if not line.strip():
            continue
        try:
            prefix, prev, k = _request(line, args.k)
            answers = completer.complete(prefix, prev, k)
            reasons = _explain(completer, prefix, prev, answers, k) if args.explain else None
            reply = _to_json(prefix, prev, answers, reasons)
        except InputError as e:
            reply = {"error": f"line {number}: {e}"}
            status = 1
        print(json.dumps(reply, ensure_ascii=False), flush=True)
    return status


def _request(line: bytes, default_k: int) -> tuple[str, list[str], int]:
    try:
        record = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise InputError(f'not JSON ({e}); expected {{"prefix": ..., "prev": [...]}}') from e
    if not isinstance(record, dict):
        raise InputError(f'expected an object with "prefix" and "prev", got {type(record).__name__}')
    for key in record:
        if key not in _KEYS:
            raise InputError(f'unknown key {key!r:.60}; a request has "prefix", "prev" and "k"')
    prefix = record.get("prefix", "")
    said = (record.get(key) for key in ("prev", "prev_queries", "prev_query"))
    prev: Any = next((value for value in said if value not in (None, [])), [])
    if isinstance(prev, str):
        prev = [prev]
    if not isinstance(prefix, str) or not isinstance(prev, list) or not all(isinstance(q, str) for q in prev):
        raise InputError('"prefix" must be a string and "prev" a string or a list of strings')
    return prefix, prev, record.get("k", default_k)


def _to_json(
    prefix: str, prev: Sequence[str], answers: Sequence[Completion], reasons: Sequence[Explanation] | None
) -> dict[str, Any]:
    completions: list[dict[str, Any]] = [{"text": a.text, "score": a.score, "source": a.source} for a in answers]
    for completion, reason in zip(completions, reasons or (), strict=False):
        completion["explanation"] = reason.to_json()
    return {"prefix": prefix, "prev": list(prev), "completions": completions}


def _format_explanation(e: Explanation) -> str:
    if e.count == 0:
        return "    never made in the log: " + ("asked earlier in this session" if e.recalled else "composed of its words")
    times = "once" if e.count == 1 else f"{e.count:g} times"
    lines = [f"    made {times} in the log; {e.prior:.2%} before the session, {e.probability:.2%} with it"]
    if e.composed >= 0.005:
        lines[0] += f"; {e.composed:.0%} of the score from the composer"
    if e.recalled >= 0.005:
        lines[0] += f"; {e.recalled:.0%} for being asked earlier in this session"
    if e.meant is not None:
        lines.append(f"    what is typed read as {e.meant!r}")
    if e.repeats:
        lines.append("    the last query itself: seldom wanted again, so scored low")
    for step in e.steps:
        if step.alternatives < 2:
            continue
        pushes = ", ".join(
            f"{p.text!r} {p.weight:+.2f}" if p.text else f"{p.kind} {p.weight:+.2f}" for p in step.pushes[:5]
        )
        lines.append(
            f"    {step.what}: {step.prior:.1%} -> {step.probability:.1%} of {step.alternatives} ways"
            + (f"  pushed by {pushes}" if pushes else "")
        )
    return "\n".join(lines)
