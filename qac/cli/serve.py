"""``qac serve``: completions over HTTP."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from qac.cli.common import (
    add_address_arguments,
    add_compose_argument,
    add_correct_argument,
    add_model_argument,
    whole_number,
)
from qac.errors import UsageError

HELP = "answer over HTTP"

EPILOG = """\
  GET /api/v1/complete?prefix=n&prev=digital+camera&k=5
  GET /openapi.json describes the API, /healthz, /readyz and /metrics are for those who look after the server.

A file that replaces the model (by renaming, as `qac train` does) or the blocklist is taken up within a second or, on
SIGHUP, whether it changed or not; no request is lost. One that cannot be used is refused and the one before stays.

The blocklist has a rule per line: "some phrase" (the completion that is exactly this), "word: some phrase" (completions
with these words), "re: expression" (RE2 syntax), "# comment".

With --record, POST /api/v1/accept appends searches to files of JSON lines in DIR: qac prep DIR/*.jsonl --out data/
"""

_ORIGIN = re.compile(r"\*|https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected scheme://host or scheme://host:port or *, got {text!r:.60}")
    return text.lower()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``qac serve``."""
    add_model_argument(parser)
    add_compose_argument(parser)
    add_correct_argument(parser)
    add_address_arguments(parser)
    parser.add_argument(
        "--workers",
        type=whole_number(1, 256),
        metavar="N",
        help="processes; they share the model's memory (default: as many as processors)",
    )
    parser.add_argument(
        "--threads", type=whole_number(1, 256), default=4, metavar="N", help="threads of each (default: %(default)s)"
    )
    parser.add_argument(
        "--server",
        choices=("gunicorn", "waitress"),
        help="what speaks HTTP; waitress has one process (default: gunicorn where it is installed)",
    )
    parser.add_argument("--blocklist", type=Path, metavar="F", help="file of what must not be suggested")
    parser.add_argument("--record", type=Path, metavar="DIR", help="record searches into this folder (default: do not)")
    parser.add_argument(
        "--cors",
        type=_origin,
        nargs="+",
        default=[],
        metavar="ORIGIN",
        help="let pages of these origins ask, such as https://shop.example; * is all (default: none)",
    )
    parser.add_argument("--access-log", action="store_true", help="log every request: its path, never its query")
    parser.add_argument("--log-json", action="store_true", help="log as JSON lines")


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from qac.completer import default_model_path
    from qac.config import ServerConfig
    from qac.machine import processors
    from qac.webdemo.logs import set_up_logging
    from qac.webdemo.serving import address_of, default_server, listen, serve

    config = ServerConfig(
        Path(args.model or default_model_path()),
        compose=args.compose,
        correct=args.correct,
        blocklist=args.blocklist,
        record=args.record,
        origins=tuple(args.cors),
        access_log=args.access_log,
    )
    server = args.server or default_server()
    if server == "waitress" and (args.workers or 1) > 1:
        raise UsageError("waitress has one process: leave out --workers, or install gunicorn and leave out --server")
    set_up_logging(as_json=args.log_json)
    listener = listen(args.host, args.port)
    address = address_of(listener)
    serve(
        config,
        listener,
        server=server,
        workers=args.workers or processors(),
        threads=args.threads,
        ready=lambda: print(f"serving {config.model} at {address}", flush=True),
    )
    return 0
