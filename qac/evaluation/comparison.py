"""Two suggesters asked the same requests: what is between them, and whether chance could have put it there."""

from __future__ import annotations

from typing import Any

import numpy as np

from qac.config import RESAMPLES
from qac.errors import InputError
from qac.evaluation.outcomes import nested
from qac.evaluation.report import Report
from qac.evaluation.resampling import SessionSums, bootstrap, interval, randomisation_test


def compare(a: Report, b: Report, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Return how far ``b`` is above ``a`` in each metric, over all requests and in each group of them.

    Groups are those of ``b``, should the two be told of different training parts. A metric's entry has the values of
    both, their ``difference``, its 95 % interval ``ci95`` by a paired bootstrap over sessions (both are drawn the same
    ones) and the ``p`` of a paired randomisation test over sessions: see :mod:`qac.evaluation.resampling`. None stands
    for what has no value. ``p`` are of one comparison each: of twenty groups, one is below .05 by chance.

    Raises
    ------
    InputError
        The two were not asked the same.
    """
    if (a.fingerprint, a.k) != (b.fingerprint, b.k):
        what = "different examples" if a.fingerprint != b.fingerprint else f"k = {a.k} and k = {b.k}"
        raise InputError(
            f"{a.name} and {b.name} were asked {what} and do not compare; evaluate both with the same test set, "
            "--limit, --text, --typos, --seed and -k"
        )
    groups = b.outcomes.groups()
    ratios = [report.outcomes.ratios() for report in (a, b)]
    sums = [SessionSums(list(r.values()), list(groups.values()), b.outcomes.session) for r in ratios]
    samples = bootstrap(sums, resamples, seed)
    intervals = interval(samples[1] - samples[0])
    p_values = randomisation_test(sums[0], sums[1], resamples, seed)
    parts = []
    column = 0
    for path, among in groups.items():
        of_a, of_b = a.outcomes.metrics(among), b.outcomes.metrics(among)
        entry: dict[str, Any] = {"n": of_b["n"]}
        for name in ratios[1]:
            entry[name] = _entry(of_a[name], of_b[name], intervals[column], p_values[column])
            column += 1
        parts.append((path, entry))
    systems = {side: {"name": report.name, "model": dict(report.model)} for side, report in (("a", a), ("b", b))}
    how = {"sessions": len(sums[0]), "resamples": resamples, "seed": seed}
    return {**systems, **how, **nested(parts)}


def _entry(a: float | None, b: float | None, ci95: tuple[float, float] | None, p: float) -> dict[str, Any]:
    if a is None or b is None:
        return {"a": a, "b": b, "difference": None, "ci95": None, "p": None}
    return {"a": a, "b": b, "difference": b - a, "ci95": ci95, "p": None if np.isnan(p) else float(p)}
