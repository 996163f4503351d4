"""Which queries enough different users made, and how often one user's requests for a query count.

A second external sort brings together the rows of one query, and within it those of one user. What is found is about
rows, so it is sorted once more, by row, to be met again when examples are written. Memory does not grow with the log.
"""

import hashlib
import itertools
import operator
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from qac.data_prep.records import Scope
from qac.data_prep.sorter import RunSorter
from qac.data_prep.tally import Drop

# A record: hash of the query (20), user (11), row (12), line break.
_QUERY = slice(0, 20)
_USER = slice(20, 31)
_ROW = slice(31, 43)
_NOBODY: Final = ord(Scope.ALONE)
_DIGITS: Final = 12
_CODES: Final = {Drop.FEW_USERS: b"u", Drop.FEW_TIMES: b"n", Drop.REPEATED: b"r"}
_REASONS: Final = {code: reason for reason, code in _CODES.items()}


class Thresholds:
    """Takes rows, then says which of them are not to be learned from.

    Parameters
    ----------
    folder : Path
        For temporary files.
    min_users, min_count : int
        So many different users must have made a query, so many times. Rows without a user are of nobody, and enough
        where one user is.
    per_user : int or None
        A user's requests for one query count so often; further ones are reported as ``Drop.REPEATED``.
    """

    def __init__(self, folder: Path, min_users: int, min_count: int, per_user: int | None) -> None:
        self._min_users = min_users if min_users > 1 else 0
        self._min_count = min_count
        self._per_user = per_user
        self._by_query = RunSorter(_made(folder / "by-query"))
        self._by_row = RunSorter(_made(folder / "by-row"))

    def add(self, row: int, user: bytes, query: bytes) -> None:
        """Take note that ``user`` (scope and ten characters) made ``query``, in row ``row``."""
        digest = hashlib.blake2b(query, digest_size=10).hexdigest()
        self._by_query.add(b"%b%b%012d\n" % (digest.encode(), user, row))

    def left_out(self) -> Iterator[tuple[int, Drop]]:
        """Yield the rows that do not count, ascending, and why."""
        for _, records in itertools.groupby(self._by_query, operator.itemgetter(_QUERY)):
            self._judge(records)
        for line in self._by_row:
            yield int(line[:_DIGITS]), _REASONS[line[_DIGITS:-1]]

    def _judge(self, records: Iterator[bytes]) -> None:
        """Look at all rows of one query; rows are held until it is known that there are users enough."""
        user = b""
        users = times = of_user = 0
        counting, repeated = array("Q"), array("Q")
        enough = False
        for record in records:
            row = int(record[_ROW])
            if record[_USER] != user or user[0] == _NOBODY:
                user = record[_USER]
                of_user = 0
                users += user[0] != _NOBODY
            of_user += 1
            if self._per_user is not None and of_user > self._per_user:
                repeated.append(row)
            else:
                times += 1
                counting.append(row)
            enough = users >= self._min_users and times >= self._min_count
            if enough:
                self._leave_out(repeated, Drop.REPEATED)
                counting, repeated = array("Q"), array("Q")
        if not enough:
            reason = Drop.FEW_USERS if users < self._min_users else Drop.FEW_TIMES
            self._leave_out(counting, reason)
            self._leave_out(repeated, reason)

    def _leave_out(self, rows: Iterable[int], reason: Drop) -> None:
        for row in rows:
            self._by_row.add(b"%0*d%b\n" % (_DIGITS, row, _CODES[reason]))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
