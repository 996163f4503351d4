"""What came of each request, the groups that requests fall into, and the metrics over a group.

Every metric is a ratio of two sums over requests (:meth:`Outcomes.ratios`): for most, the sum of a value and that of
the examples' counts. So one piece of code gives means, intervals and tests of all of them, for any group.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from qac.metrics import FloatArray, keystrokes_saved, reciprocal_rank, success

Mask = npt.NDArray[np.bool_]
Path = tuple[str, ...]
"""Where a group stands in the JSON of a report: ``()`` is all requests, ``("by_frequency", "1")`` a group of a kind."""

# Characters typed, in code points. Few examples ask with nothing typed: "0" is reported where there are some.
_LENGTHS: Final = {"0": (0, 0), "1": (1, 1), "2": (2, 2), "3": (3, 3), "4-5": (4, 5), "6-8": (6, 8), "9+": (9, None)}
# How often the right answer was made in the training part. Counts may be fractions: each band ends before the next.
_FREQUENCIES: Final = {"0": (0, 1e-9), "1": (1e-9, 2), "2-9": (2, 10), "10-99": (10, 100), "100+": (100, np.inf)}
PREVIOUS: Final = ("none", "unknown", "known")
"""What ``Outcomes.previous`` numbers: a request has no previous query, one that training never saw, or a known one."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of each request: arrays of equal length, in the order of the examples.

    Two suggesters asked the same examples compare request by request.
    """

    rank: npt.NDArray[np.int32]
    """Place of the right answer, from 1; 0 where it was not among the answers."""
    bleu_rr: npt.NDArray[np.float64]
    answers: npt.NDArray[np.int32]
    """How many came back."""
    composed: npt.NDArray[np.int32]
    """How many of them are composed."""
    first_composed: Mask
    """Whether the first one is."""
    right_composed: Mask
    """Whether the right one is."""
    prefix_length: npt.NDArray[np.int32]
    """Of the example's prefix, in code points; a mistyped one counts as what it was to be."""
    length: npt.NDArray[np.int32]
    """Of the right answer, in code points."""
    count: npt.NDArray[np.float64]
    """How often the right answer was made in the training part; 0: never."""
    previous: npt.NDArray[np.int8]
    """What is known of the last query before: an index into :data:`PREVIOUS`."""
    mistyped: Mask
    """Whether something else than the example's prefix was typed."""
    session: npt.NDArray[np.int32]
    """Numbers of the sessions, from 0; a request whose session is not known is one of its own."""
    weight: npt.NDArray[np.float64]
    """Of the example: its count."""
    latency_ns: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, n: int) -> Self:
        """Return outcomes of ``n`` requests, all zero."""
        return cls(**{name: np.zeros(n, dtype) for name, dtype in DTYPES.items()})

    def __len__(self) -> int:
        return len(self.rank)

    @property
    def seen(self) -> Mask:
        """Whether the right answer is a known query."""
        return self.count > 0

    @property
    def sessions(self) -> int:
        """How many there are."""
        return int(self.session.max()) + 1 if len(self) else 0

    def ratios(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Return for each metric what each request adds to its numerator and to its denominator."""
        weight, composed = self.weight, self.composed.astype(np.float64)
        remaining = np.maximum(self.length - self.prefix_length, 0)
        means: dict[str, FloatArray] = {
            "mrr@10": reciprocal_rank(self.rank, 10),
            "success@1": success(self.rank, 1),
            "success@5": success(self.rank, 5),
            "success@10": success(self.rank, 10),
            "bleu_rr": self.bleu_rr,
            "coverage": (self.answers > 0).astype(np.float64),
            "composed": composed,
        }
        return {
            **{name: (weight * values, weight) for name, values in means.items()},
            "composed_precision@1": (weight * (self.first_composed & (self.rank == 1)), weight * self.first_composed),
            "composed_precision": (weight * self.right_composed, weight * composed),
            "keystrokes_saved": (weight * keystrokes_saved(self.rank, remaining), weight * remaining),
        }

    def groups(self) -> dict[Path, Mask]:
        """Return which requests belong to each group, in the order of the report; the first group is all of them.

        Groups of nothing typed, and of mistyped prefixes and the others, are there only where there are such requests.
        """
        length, count = self.prefix_length, self.count
        groups: dict[Path, Mask] = {(): np.ones(len(self), np.bool_), ("seen",): self.seen, ("unseen",): ~self.seen}
        for name, (low, high) in _LENGTHS.items():
            among = (length >= low) & (length <= (length if high is None else high))
            if low or among.any():
                groups["by_prefix_length", name] = among
        for name in reversed(PREVIOUS):
            groups["by_previous_query", name] = self.previous == PREVIOUS.index(name)
        for name, (least, below) in _FREQUENCIES.items():
            groups["by_frequency", name] = (count >= least) & (count < below)
        if self.mistyped.any():
            groups["by_typing", "mistyped"] = self.mistyped
            groups["by_typing", "clean"] = ~self.mistyped
        return groups

    def metrics(self, among: Mask | slice = slice(None)) -> dict[str, float | int | None]:
        """Return the metrics over the requests that ``among`` selects; None where there is nothing to divide by."""
        out: dict[str, float | int | None] = {"n": len(self.rank[among])}
        for name, (numerator, denominator) in self.ratios().items():
            total = float(denominator[among].sum())
            out[name] = float(numerator[among].sum()) / total if total else None
        return out


DTYPES: Final[dict[str, Any]] = {
    "rank": np.int32,
    "bleu_rr": np.float64,
    "answers": np.int32,
    "composed": np.int32,
    "first_composed": np.bool_,
    "right_composed": np.bool_,
    "prefix_length": np.int32,
    "length": np.int32,
    "count": np.float64,
    "previous": np.int8,
    "mistyped": np.bool_,
    "session": np.int32,
    "weight": np.float64,
    "latency_ns": np.int64,
}
"""The type of each array of :class:`Outcomes`."""
assert list(DTYPES) == [f.name for f in dataclasses.fields(Outcomes)]


def nested(groups: Iterable[tuple[Path, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return what belongs to each group as the JSON of a report has it: that of all requests outermost."""
    out: dict[str, Any] = {}
    for path, values in groups:
        place = out
        for key in path:
            place = place.setdefault(key, {})
        place.update(values)
    return out
