"""Progress bars for long work: on standard error, only where a person is looking."""

import sys
from typing import Any

from tqdm import tqdm


def progress(total: float | None, label: str, *, unit: str = "it", quiet: bool = False, **options: Any) -> Any:
    """Return a tqdm bar (``.update(n)``, ``.close()``, context manager) that is silent off a terminal.

    ``total`` is in units of ``unit``, or None where it is not known beforehand.
    """
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        unit_scale=True,
        file=sys.stderr,
        disable=True if quiet else None,  # None: tqdm asks whether the file is a terminal
        dynamic_ncols=True,
        leave=False,
        **options,
    )


def working(label: str, *, quiet: bool = False) -> Any:
    """Return a context manager that shows ``label`` while work goes on whose end cannot be foretold."""
    return progress(None, f"{label} ...", quiet=quiet, bar_format="{desc}")
