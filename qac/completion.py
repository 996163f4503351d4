"""What every completer gives back, and what evaluation asks of one."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from qac.errors import UsageError

MAX_K: Final = 1000
"""The most completions one request may ask for."""


def check_k(k: int) -> int:
    """Return ``k``, the number of completions asked for.

    Raises
    ------
    UsageError
        It is not a whole number from 1 to :data:`MAX_K`.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MAX_K:
        raise UsageError(f"k must be a whole number from 1 to {MAX_K}, got {k!r:.60}")
    return k


class Completion(NamedTuple):
    """One suggested query."""

    text: str
    score: float
    """Probability of this query given the session and that it starts with the prefix; for baselines, a count."""
    source: str = "index"
    """``index``: a query of the log. ``composed``: one that nobody made before. ``session``: one that this session made
    before its last, and the log does not know. ``corrected``: a query of the log that
    does not start with the prefix but with one a typing error away from it. Baselines give their names."""


class Suggester(Protocol):
    """Anything that completes: our model, a baseline, a peer behind an adapter."""

    name: str

    def complete(self, prefix: str, prev: Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return up to ``k`` completions of ``prefix``, best first. ``prev``: earlier queries, oldest first."""
        ...
