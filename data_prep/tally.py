"""What was left out of a log, and why."""

from collections import Counter
from enum import StrEnum

from qac.errors import InputError

SAMPLES_PER_REASON = 10
SAMPLE_CHARS = 200
# Reading on to the end of a huge log of which nothing was understood helps nobody.
_HOPELESS_AFTER = 10_000


class Drop(StrEnum):
    """Why a well-formed row gave no query."""

    BLANK = "blank line"
    EMPTY = "empty after clean-up"
    LONG = "longer than --max-chars"
    DUPLICATE = "same as the query before"
    NOBODY = "no user or session id"
    PREFIX = "prefix does not begin the query"
    HALF_TYPED = "half typed"
    PROGRAM = "user taken for a program"
    FEW_USERS = "made by too few users"
    FEW_TIMES = "made too few times"
    REPEATED = "made more often by one user than counts"
    URL = "personal: URL with a query or a token"
    EMAIL = "personal: e-mail address"
    IBAN = "personal: bank account (IBAN)"
    CARD = "personal: card number"
    SSN = "personal: social-security number"
    IP = "personal: IP address"
    PHONE = "personal: phone number"
    DIGITS = "personal: long number"


class Bad(StrEnum):
    """Why a line could not be read."""

    CODE = "not text in the expected encoding"
    LINE = "line longer than 1 MiB"
    WIDTH = "wrong number of columns"
    QUOTE = "unbalanced quotes"
    TIME = "unreadable time"
    COUNT = "count is not a positive number"
    JSON = "not a JSON object"
    FIELD = "field missing or not text"


_CURES = {
    Bad.CODE: "name the encoding with --encoding, latin-1 for instance",
    Bad.LINE: "give one row per line",
    Bad.WIDTH: "name the format (--format) or the columns (--user, --time, --query), or --delimiter",
    Bad.QUOTE: "give the log as --format tsv if quotes have no meaning in it",
    Bad.TIME: "name the right column with --time, or the notation with --time-format",
    Bad.COUNT: "name the right column with --count",
    Bad.JSON: "give one JSON object per line, or name another --format",
    Bad.FIELD: "name the fields with --user, --time and --query",
}


class Tally:
    """Counts rows that were kept, dropped or unreadable, and keeps a few unreadable ones for the report."""

    def __init__(self, max_bad_share: float = 1.0) -> None:
        self.max_bad_share = max_bad_share
        self.kept = 0
        self.dropped: Counter[Drop] = Counter()
        self.bad: Counter[Bad] = Counter()
        self.samples: list[str] = []

    @property
    def rows(self) -> int:
        """All rows that were read, whatever became of them."""
        return self.kept + self.dropped.total() + self.bad.total()

    @property
    def too_rare(self) -> int:
        """Rows whose query was made too seldom, or by too few."""
        return self.dropped[Drop.FEW_USERS] + self.dropped[Drop.FEW_TIMES]

    def drop(self, reason: Drop) -> None:
        """Count a row that gave no query."""
        self.dropped[reason] += 1

    def drop_kept(self, reason: Drop, rows: int = 1) -> None:
        """Count rows as dropped that had been counted as kept."""
        self.kept -= rows
        self.dropped[reason] += rows

    def reject(self, where: str, reason: Bad, text: str) -> None:
        """Count an unreadable line; the first few of each kind are kept, shortened."""
        self.bad[reason] += 1
        if self.bad[reason] <= SAMPLES_PER_REASON:
            self.samples.append(f"{where}: {reason}: {text[:SAMPLE_CHARS]}")
        if self.max_bad_share < 1 and self.rows == self.bad.total() == _HOPELESS_AFTER:
            self.check()

    def check(self) -> None:
        """Raise InputError when a larger share of the lines is bad than was allowed."""
        bad, rows = self.bad.total(), self.rows
        if bad and bad > self.max_bad_share * rows:
            worst = self.bad.most_common(1)[0][0]
            sample = next(s for s in self.samples if f": {worst}: " in s)
            raise InputError(
                f"{bad:,} of {rows:,} lines could not be read, --max-bad-share allows {self.max_bad_share:g} of them; "
                f"{sample!a}; {_CURES[worst]}"
            )
