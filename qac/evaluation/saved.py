"""Reports kept in files, to compare with later. They hold numbers and no texts."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from qac.errors import InputError
from qac.evaluation.outcomes import DTYPES, Outcomes
from qac.evaluation.report import Report
from qac.files import atomic_writer

_FORMAT: Final = "qac report 1"
_FIELDS: Final = {"name": str, "warm_up": int, "k": int, "fingerprint": str, "model": dict}


def save_report(report: Report, path: str | os.PathLike[str]) -> None:
    """Write ``report`` to a JSON file.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    record = {
        "format": _FORMAT,
        **{name: getattr(report, name) for name in _FIELDS},
        "outcomes": {f.name: getattr(report.outcomes, f.name).tolist() for f in dataclasses.fields(Outcomes)},
    }
    with atomic_writer(path) as f:
        f.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def load_report(path: str | os.PathLike[str]) -> Report:
    """Read a report that :func:`save_report` wrote.

    Raises
    ------
    InputError
        The file cannot be read, is none, or is damaged.
    """
    try:
        record = json.loads(Path(path).read_bytes())
    except OSError as e:
        raise InputError(f"cannot read {path}: {e.strerror}; give a file that `qac eval --save` wrote") from e
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path} is not JSON ({e}); give a file that `qac eval --save` wrote") from e
    if not isinstance(record, dict) or record.get("format") != _FORMAT:
        raise InputError(f"{path} is no saved report of this version; give a file that `qac eval --save` wrote")
    try:
        values = {name: _checked(record[name], kind) for name, kind in _FIELDS.items()}
        return Report(outcomes=_outcomes(record["outcomes"]), **values)
    except (KeyError, TypeError, ValueError, OverflowError) as e:
        raise InputError(f"{path} is damaged ({e!r:.80}); save it anew with `qac eval --save`") from e


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"expected {kind.__name__}, got {value!r:.40}")
    return value


def _outcomes(columns: dict[str, list[Any]]) -> Outcomes:
    arrays = {name: np.array(columns[name], dtype) for name, dtype in DTYPES.items()}
    n = len(arrays["rank"])
    if not n or any(a.shape != (n,) for a in arrays.values()):
        raise ValueError("its columns differ in length")
    if not np.array_equal(np.unique(arrays["session"]), np.arange(arrays["session"].max() + 1)):
        raise ValueError("its sessions are not numbered from 0")
    return Outcomes(**arrays)
