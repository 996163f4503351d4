"""The command ``qac``: one module of this package per subcommand.

A subcommand's module has ``HELP`` (one line), ``add_arguments(parser)`` and ``run(args) -> int``, and imports what is
heavy inside ``run``, so that ``qac --help`` and ``qac complete`` start fast.

Exit status: 0 done, 1 failed (one line on standard error says why and what to do), 2 wrong usage, 130 interrupted.
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from qac._version import __version__
from qac.errors import QacError, UsageError

COMMANDS = ("prep", "train", "complete", "eval", "inspect", "verify", "serve", "demo")

_EPILOG = """\
a first walk:
  qac demo                                    completions from the built-in (synthetic) sample log
  qac complete --prev "digital camera" --prefix n
from your own log:
  qac prep log.tsv --out data/                clean, cut into sessions, split into train, valid and test
  qac train data/train.jsonl --out my.qac     one model file
  qac eval data/test.jsonl --model my.qac     MRR, success, BLEU
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, in the name of the subcommand it is wrong for."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f'{self.prog}: error: {" ".join(message.split())}; see "{self.prog} --help"\n')

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="qac",
        description="Session-aware query autocompletion.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"qac {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name in COMMANDS:
        module = importlib.import_module(f"qac.cli.{name}")
        sub = subparsers.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the output's encoding cannot say is escaped; an unpaired surrogate as JSON escapes it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = build_parser().parse_args(argv)
        status: int = args.run(args)
        if sys.stdout is not None:  # it is None when it was closed before we began
            sys.stdout.flush()
        return status
    except QacError as e:
        print(f"qac: error: {e}", file=sys.stderr)
        return 2 if isinstance(e, UsageError) else 1
    except KeyboardInterrupt:
        print("qac: interrupted; nothing was left half-written", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output went away (`| head`): that is its right.
        _drop_output()
        return 0
    except OSError as e:
        if e.filename is not None:  # a file of ours, whose errors are QacErrors: a defect
            raise
        _drop_output()
        print(f"qac: error: cannot write the output: {e.strerror}; make room or send it elsewhere", file=sys.stderr)
        return 1


def _drop_output() -> None:
    """Keep the interpreter from flushing, and complaining, when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
