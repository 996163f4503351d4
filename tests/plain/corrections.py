"""What may have been meant by a prefix with one typing error (correct.c), by all prefixes of all queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

# P(typed | meant), half of it where the first letter is the wrong one.
SURE: Final = 6e-5
"""The missing letter, two neighbours swapped."""
ANY: Final = 6e-7
"""One of many that may be wrong or too many."""
READINGS: Final = 4
FEW: Final = 3
LEAST: Final = 1e-3
SHORTEST: Final = 3


class Reading(NamedTuple):
    """What may have been meant. ``mass``: of the queries that do not start with what was typed, times likelihood."""

    mass: float
    meant: str
    likelihood: float


def insert(typed: str, i: int, meant: str) -> str:
    """Return ``typed`` with the letter that is meant at a place."""
    return typed[:i] + meant[i : i + 1] + typed[i:]


def swap(typed: str, i: int) -> str:
    """Return ``typed`` with two neighbours swapped."""
    return typed[:i] + typed[i : i + 2][::-1] + typed[i + 2 :]


def likelihoods(typed: str, queries: Iterable[str]) -> dict[str, float]:
    """Return P(typed | meant) for each prefix of the queries that is one error away and is not the typed one."""
    found: dict[str, float] = {}
    for meant in {q[:n] for q in queries for n in range(len(q) + 1)}:
        for i in range(len(typed)):
            p = 0.0
            if meant == typed[:i] + typed[i + 1 :]:
                p = 2 * ANY if i == len(typed) - 1 else ANY  # with the last letter gone, it may be too many or wrong
            elif i < len(typed) - 1 and len(meant) == len(typed) and meant == typed[:i] + meant[i] + typed[i + 1 :]:
                p = ANY
            elif meant in (insert(typed, i, meant), swap(typed, i)):
                p = SURE
            if p and meant != typed:
                found[meant] = max(found.get(meant, 0.0), p / 2 if i == 0 else p)
    return found


def readings(typed: str, weights: Mapping[str, float]) -> list[Reading] | None:
    """Return what is looked at, largest mass first; None where equals meet at the last place: either may be.

    ``weights``: of all queries.
    """
    if len(typed) < SHORTEST:
        return []
    new = {q: w for q, w in weights.items() if not q.startswith(typed)}
    found = [
        Reading(p * sum(w for q, w in new.items() if q.startswith(meant)), meant, p)
        for meant, p in likelihoods(typed, weights).items()
    ]
    found = sorted((r for r in found if r.mass), reverse=True)
    ties = len(found) > READINGS and found[READINGS - 1].mass <= found[READINGS].mass * (1 + 1e-9)
    return None if ties else found[:READINGS]


def mass_of(found: Iterable[Reading], typed: str, weights: Mapping[str, float]) -> float:
    """Return the mass of all the readings: of each query in them, by the likeliest that it starts with."""
    new = {q: w for q, w in weights.items() if not q.startswith(typed)}
    return sum(w * max((r.likelihood for r in found if q.startswith(r.meant)), default=0.0) for q, w in new.items())
