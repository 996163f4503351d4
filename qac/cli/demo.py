"""``qac demo``: what the session changes, shown on the sample model, in the terminal and in the browser."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qac.cli.common import add_address_arguments, whole_number
from qac.completion import MAX_K

if TYPE_CHECKING:
    from qac.completer import Completer

HELP = "show completions of the sample model, with and without a previous query, and serve the page to try it on"

EPILOG = """\
The sample model is trained from a synthetic log: made-up searches, nobody's history. That happens once; the model is
kept in $XDG_CACHE_HOME/qac or ~/.cache/qac.

The page is served until Ctrl-C ends it; --no-serve and --json only print.
"""

_SHOWN = (
    ("n", "digital camera", "running shoes"),
    ("m", "laptop", "minecraft"),
    ("p", "paris", "pizza"),
    ("h", "harry potter", "weather"),
    ("i", "taxes", "headache"),
)
"""Prefix, and two previous queries after which it means something else."""

_HINTS = """\
Try your own:
  qac complete --prev "london" --prefix b
  qac complete --prev "guitar" --prefix "f" --explain
and with your own log, lines of user, time and query, separated by tabs:
  qac prep log.tsv --out data/
  qac train data/train.jsonl --out my.qac
  qac complete --model my.qac --prev "..." --prefix ..."""

_WIDTH = 34


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac demo``."""
    parser.add_argument(
        "-k", type=whole_number(1, MAX_K), default=5, help="completions to show for each (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, serve nothing")
    parser.add_argument("--no-serve", dest="serve", action="store_false", help="print and end, serve nothing")
    add_address_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train the sample model if need be, print its completions and serve the page."""
    from qac.completer import Completer
    from qac.sample import NOTICE, sample_model

    path = sample_model()
    completer = Completer.load(path)
    shown = [_complete(completer, prefix, prevs, args.k) for prefix, *prevs in _SHOWN]
    if args.json:
        result = {"model": str(path), "queries": len(completer), "synthetic": True, "notice": NOTICE, "shown": shown}
        print(json.dumps(result, ensure_ascii=False, indent=2))
        return 0
    print(f"{NOTICE}\nThe sample model knows {len(completer):,} queries.\n")
    for entry in shown:
        print(_format(entry), end="\n\n")
    print(_HINTS)
    if args.serve:
        _serve(path, args.host, args.port)
    return 0


def _serve(model: Path, host: str, port: int) -> None:
    """Serve the page, for one person."""
    from qac.config import ServerConfig
    from qac.webdemo.logs import set_up_logging
    from qac.webdemo.serving import address_of, listen, serve

    set_up_logging(as_json=False)
    listener = listen(host, port)
    address = address_of(listener)
    serve(
        ServerConfig(model),
        listener,
        server="waitress",
        workers=1,
        threads=4,
        ready=lambda: print(f"\nThe page to try it on: {address} (Ctrl-C ends it)", flush=True),
    )


def _complete(completer: Completer, prefix: str, prevs: list[str], k: int) -> dict[str, Any]:
    """Return the completions of ``prefix`` without a previous query and after each of ``prevs``."""

    def answer(prev: str) -> dict[str, Any]:
        completions = completer.complete(prefix, prev, k)
        return {"prev": prev, "completions": [{"text": c.text, "score": c.score} for c in completions]}

    return {"prefix": prefix, "answers": [answer(prev) for prev in ("", *prevs)]}


def _format(entry: dict[str, Any]) -> str:
    """Return the completions of one prefix side by side."""
    titles = [f"after {a['prev']!r}" if a["prev"] else "with no session" for a in entry["answers"]]
    columns = [[c["text"] for c in a["completions"]] for a in entry["answers"]]
    height = max(map(len, columns))
    rows = [titles, *zip(*(column + [""] * (height - len(column)) for column in columns), strict=True)]
    lines = [f"{entry['prefix']!r:6}" + "".join(_fit(cell) for cell in rows[0])]
    lines += [" " * 6 + "".join(_fit(cell) for cell in row) for row in rows[1:]]
    return "\n".join(line.rstrip() for line in lines)


def _fit(text: str) -> str:
    if len(text) > _WIDTH - 2:
        text = text[: _WIDTH - 3] + "…"
    return text.ljust(_WIDTH)
