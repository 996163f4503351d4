"""How a log is prepared."""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from qac.config import ScreeningConfig
from qac.data_prep.readers import AUTO, ReaderOptions
from qac.data_prep.writer import FirstQueries
from qac.text import Protocol

SplitBy = Literal["time", "session"]


@dataclass(frozen=True)
class PrepOptions:
    """How to prepare a log; the defaults suit a TSV of user, time and query."""

    format: str = AUTO
    reader: ReaderOptions = field(default_factory=ReaderOptions)
    encoding: str = "utf-8"
    gap: timedelta | None = None
    """The pause that ends a session; None: 30 minutes, or never where the log has session ids."""
    text: Protocol = "default"
    max_chars: int = 200
    history: int | None = 5
    """How many earlier queries an example holds; None: all of the session."""
    prefixes: int | None = 1
    """How many prefixes per query; None: all."""
    first_queries: FirstQueries | None = None
    """Where first queries of sessions go; None: to train, or to all parts where the log has no sessions."""
    split_by: SplitBy | None = None
    """None: time if the log has times, else session."""
    split: str = "80/10/10"
    split_dates: str | None = None
    seed: int = 0
    screening: ScreeningConfig = field(default_factory=ScreeningConfig)
    max_bad_share: float = 0.1
    tmp: str | os.PathLike[str] | None = None
    quiet: bool = False
