"""The AOL query log of 2006: TSV with the header ``AnonID Query QueryTime ItemRank ClickURL``.

A click repeats its query's row, which the dropping of consecutive duplicates undoes; ``-`` stands for an empty query.
"""

from collections.abc import Mapping
from typing import ClassVar

from qac.data_prep.readers.delimited import TsvReader

_COLUMNS = {"user": 0, "query": 1, "time": 2}


class AolReader(TsvReader):
    """Rows of the AOL log, with or without its header."""

    defaults: ClassVar[Mapping[int, Mapping[str, int]]] = {5: _COLUMNS, 3: _COLUMNS}
    no_query: ClassVar[str] = "-"
