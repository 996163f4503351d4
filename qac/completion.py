"""What every completer gives back, and what evaluation asks of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completion:
    """One suggested query."""

    text: str
    score: float
    """Probability of this query given the session and that it starts with the prefix; for baselines, a count."""
    source: str = "index"


class Suggester(Protocol):
    """Anything that completes: our model, a baseline, a peer behind an adapter."""

    name: str

    def complete(self, prefix: str, prev: Sequence[str] = (), k: int = 10) -> list[Completion]:
        """Return up to ``k`` completions of ``prefix``, best first. ``prev``: earlier queries, oldest first."""
        ...
