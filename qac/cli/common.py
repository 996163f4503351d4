"""What several subcommands share."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Generator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qac.errors import InputError
from qac.text import PROTOCOLS, Protocol

if TYPE_CHECKING:
    from qac.completer import Completer
    from qac.examples import Example


def whole_number(low: int, high: int | None = None, *, words: str = "") -> Callable[[str], int | None]:
    """Return a parser, for argparse, of whole numbers from ``low`` to ``high``.

    It reads the word ``words``, if there is one, as None.
    """
    expected = f"a whole number from {low}" + (f" to {high}" if high is not None else "")
    if words:
        expected += f", or {words}"

    def parse(text: str) -> int | None:
        if words and text == words:
            return None
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r:.60}")
        return value

    return parse


# Largest first.
_UNITS = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def duration(text: str) -> float:
    """Parse, for argparse, a positive number and a unit: 30d is 2,592,000 seconds."""
    number, unit = text[:-1], text[-1:]
    try:
        seconds = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(
            f"expected a number above 0 and a unit ({', '.join(reversed(_UNITS))}) such as 90s or 30d, got {text!r:.60}"
        )
    return seconds


def format_duration(seconds: float) -> str:
    """Return what :func:`duration` reads as so many seconds, in the largest unit of which they are a whole number."""
    for unit, size in _UNITS.items():
        if seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds!r}s"


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model``."""
    parser.add_argument("--model", metavar="M", help="model file (default: $QAC_MODEL, else the sample model)")


def add_compose_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--no-compose``."""
    parser.add_argument(
        "--no-compose", dest="compose", action="store_false", help="propose known queries only, nothing new"
    )


def add_correct_argument(parser: argparse.ArgumentParser) -> None:
    """Declare ``--no-correct``."""
    parser.add_argument(
        "--no-correct", dest="correct", action="store_false", help="take the prefix as it is typed, errors and all"
    )


def add_address_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--host`` and ``--port``."""
    parser.add_argument("--host", default="127.0.0.1", metavar="H", help="address to listen at (default: %(default)s)")
    parser.add_argument(
        "--port",
        type=whole_number(0, 65535),
        default=8000,
        metavar="P",
        help="0: a free one, which is printed (default: %(default)s)",
    )


def load_completer(
    path: str | None, *, beam: int | None = None, compose: bool = True, correct: bool = True
) -> Completer:
    """Open the model at ``path``, or the default one."""
    from qac.completer import Completer, default_model_path

    return Completer.load(path or default_model_path(), beam=beam, compose=compose, correct=correct)


def text_protocol(asked: Protocol | None, examples: Path) -> Protocol:
    """Return the clean-up to apply: the one asked for, else what stats.json beside ``examples`` says, else the default.

    Raises
    ------
    InputError
        stats.json is there but does not say it.
    """
    if asked is not None:
        return asked
    stats = _statistics(examples)
    value = "default" if stats is None else stats.get("text")
    for protocol in PROTOCOLS:
        if value == protocol:
            return protocol
    raise InputError(
        f"{_stats_path(examples)} does not say how texts were cleaned ({value!r:.60}); "
        f"say it with --text {'|'.join(PROTOCOLS)}"
    )


def rare_share(examples: Path) -> float:
    """Return the share of requests that preparation left out as too rare, by stats.json beside ``examples``, else 0.

    Raises
    ------
    InputError
        stats.json says something else.
    """
    value = (_statistics(examples) or {}).get("rare_share", 0.0)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(
            f'{_stats_path(examples)}: "rare_share" must be from 0 to 1, got {value!r:.60}; say it with --rare'
        )
    return float(value)


def _stats_path(examples: Path) -> Path:
    return examples.with_name("stats.json")


def _statistics(examples: Path) -> dict[str, Any] | None:
    """Return what preparation wrote beside ``examples``, None if it did not."""
    path = _stats_path(examples)
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as e:
        raise InputError(
            f"{path} is not what `qac prep` writes ({e}); say what it should with --text, and in training with --rare"
        ) from e


def _check_finished(examples: Path) -> None:
    """Refuse a folder that preparation was killed in while it put its files in place."""
    from qac.data_prep.output import STAGING_PREFIX

    folder = examples.parent
    if not _stats_path(examples).exists() and any(folder.glob(f"{STAGING_PREFIX}*")):
        raise InputError(
            f"{folder} was left unfinished by `qac prep`: its files may not belong together; run it again, "
            f"or remove {folder / STAGING_PREFIX}* if they do"
        )


def read_normalized(
    path: Path, protocol: Protocol, *, quiet: bool, limit: int | None = None
) -> Generator[Example, None, None]:
    """Yield the examples of a file in normal form, at most ``limit``, with a progress bar.

    Who may leave before the end closes it, so that the bar is gone before anything else is printed.
    """
    from qac.examples import normalize_examples, read_examples
    from qac.progress import progress

    _check_finished(path)
    size = path.stat().st_size if path.is_file() else None  # reading says what is wrong with it
    with progress(size, f"read {path.name}", unit="B", quiet=quiet) as bar:
        examples = read_examples(path, watch=lambda done: bar.update(done - bar.n))
        yield from islice(normalize_examples(examples, protocol), limit)


def format_columns(rows: Sequence[Sequence[str]]) -> str:
    """Return ``rows`` (the first is the header) aligned: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in rows
    )
