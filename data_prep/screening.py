"""Leaving out half-typed queries, personal data, and all queries of users who seem to be programs.

Rows come sorted by user and time and go, as they are, into a file that can be read as often as needed. A user is known
for a program only when all of the rows were seen: then the file is cut back to where the user began. So memory holds
one user's habits at a time.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from qac.config import PERSONAL_KINDS, ScreeningConfig
from qac.data_prep.sessions import UNTIMED, Row, decode
from qac.data_prep.tally import Drop, Tally

UNMARKED: Final = " "
MARKS: Final = {kind: chr(ord("a") + i) for i, kind in enumerate(PERSONAL_KINDS)}
"""How rows with personal data are marked when they are read; the text as it was typed is gone later."""

DROPS: Final = {kind: Drop[kind.upper()] for kind in PERSONAL_KINDS}
_BY_MARK: Final = {ord(mark): DROPS[kind] for kind, mark in MARKS.items()}
_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_BUFFER: Final = 1 << 17


class RowFile:
    """Sort records in a file, in the order in which they were written."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path = path
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb", _BUFFER) as f:
            yield from f


def screen(
    records: Iterable[bytes], path: Path, config: ScreeningConfig, tally: Tally, done: Callable[[int], object]
) -> RowFile:
    """Write those of the sorted ``records`` that are left to a file at ``path``; count the others in ``tally``.

    ``done`` is told how many rows were seen since it was last called.
    """
    rows = 0
    size = 0
    user: _User | None = None
    with path.open("wb", _BUFFER) as f:
        for record, row, following in _with_following(records):
            user = user or _User(size, config)
            unfinished = None if row.alone else _unfinished(row, following, config.half_typed)
            if unfinished is not Drop.HALF_TYPED and not row.alone:
                user.asks(row)
            reason = unfinished or _BY_MARK.get(row.mark)
            if reason is None:
                f.write(record)
                size += len(record)
            user.rows[reason] += 1
            if following is None or following.user != row.user or row.alone:
                if user.is_program:
                    f.seek(user.start)
                    f.truncate()
                    size = user.start
                rows += user.leave(tally)
                done(user.rows.total())
                user = None
    return RowFile(path, rows)


def _with_following(records: Iterable[bytes]) -> Iterator[tuple[bytes, Row, Row | None]]:
    """Yield each record, what it says, and what the next one says."""
    last: tuple[bytes, Row] | None = None
    for record in records:
        row = decode(record)
        if last is not None:
            yield *last, row
        last = record, row
    if last is not None:
        yield *last, None


def _unfinished(row: Row, following: Row | None, seconds: float) -> Drop | None:
    """Return the reason to drop a row if the same user went on typing its query within so many ``seconds``."""
    if (
        not seconds
        or following is None
        or following.identifier != row.identifier
        or following.time - row.time > 1000 * seconds
        or not _has_clock(row.time)
        or not following.query.startswith(row.query)
    ):
        return None
    # Typed key by key, a query comes twice before a word: "new" and "new " are one in normal form.
    return Drop.DUPLICATE if following.query == row.query else Drop.HALF_TYPED


def _has_clock(time: int) -> bool:
    """Whether ``time`` says more than a date: where it does not, nothing is known of pauses."""
    return time != UNTIMED and time % _DAY != 0


class _User:
    """What one user did, as far as it tells people from programs."""

    def __init__(self, start: int, config: ScreeningConfig) -> None:
        self.start = start
        """Where the user's rows begin in the file."""
        self.rows: Counter[Drop | None] = Counter()
        """What became of them; None: they were kept."""
        self._config = config
        self._asked = 0
        self._recent: deque[int] = deque()
        self._days: Counter[int] = Counter()
        self._queries: Counter[bytes] = Counter()
        self._hurried = False

    def asks(self, row: Row) -> None:
        """Take note of a query."""
        self._asked += 1
        if self._hurried:  # what was found needs no more to be remembered
            return
        config = self._config
        if config.max_repeats is not None:
            self._queries[row.query] += 1
        if config.max_per_day is not None and row.time != UNTIMED:
            self._days[row.time // _DAY] += 1
            self._hurried = self._days[row.time // _DAY] > config.max_per_day
        if config.max_per_minute is not None and _has_clock(row.time):
            recent = self._recent
            if recent and row.time < recent[-1]:  # the user's next session
                recent.clear()
            recent.append(row.time)
            if len(recent) > config.max_per_minute:
                self._hurried |= row.time - recent.popleft() < _MINUTE

    @property
    def is_program(self) -> bool:
        """Whether no person would do so."""
        most = self._config.max_repeats
        repeats = most is not None and self._asked > most and 2 * max(self._queries.values(), default=0) > self._asked
        return self._hurried or repeats

    def leave(self, tally: Tally) -> int:
        """Count what became of the rows; return how many are left."""
        if self.is_program:
            tally.drop_kept(Drop.PROGRAM, self.rows.total())
            return 0
        for reason, n in self.rows.items():
            if reason is not None:
                tally.drop_kept(reason, n)
        return self.rows[None]
