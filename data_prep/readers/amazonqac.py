"""AmazonQAC (Everaert et al., EMNLP 2024): parquet files of training and of test rows.

Training rows have ``session_id``, ``final_search_term`` and ``search_time``. Test rows have ``past_search_terms``
(a list of [term, time]), the ``prefix`` that was typed and ``final_search_term``; they go to the test part as they are.
"""

from collections.abc import Iterator
from typing import Any

from qac.data_prep.readers.base import ReaderOptions, Record
from qac.data_prep.records import Event, Scope, Transition
from qac.data_prep.source import Source
from qac.data_prep.tally import Bad, Drop, Tally
from qac.data_prep.times import TimeParser
from qac.errors import InputError

_TRAIN = ("session_id", "search_time", "final_search_term")
_TEST = ("past_search_terms", "prefix", "final_search_term")
_BATCH_ROWS = 16_384


class AmazonQacReader:
    """Rows of an AmazonQAC parquet file, by batches; which of the two kinds it is, its columns say."""

    def __init__(self, options: ReaderOptions) -> None:
        self.options = options
        self.layout = ""
        if options.columns:
            raise InputError(
                "parquet is read as AmazonQAC, whose columns have fixed names; leave out the column options"
            )

    def read(self, source: Source, tally: Tally) -> Iterator[Record]:
        """Yield events of training rows, transitions of test rows."""
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError as e:
            raise InputError(f'{source.name}: reading parquet needs pyarrow; pip install "qac[parquet]"') from e
        if source.path is None:
            raise InputError("parquet cannot be read from standard input; name the file")
        try:
            with parquet.ParquetFile(source.path) as file:
                names = set(file.schema_arrow.names)
                columns = next((c for c in (_TEST, _TRAIN) if names.issuperset(c)), None)
                if columns is None:
                    raise InputError(
                        f"{source.name}: expected the columns {', '.join(_TRAIN)} (train) or "
                        f"{', '.join(_TEST)} (test), got {', '.join(sorted(names)):.200}"
                    )
                self.layout = " ".join(columns)
                number = 0
                total = file.metadata.num_rows
                for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns)):
                    values = [batch.column(c).to_pylist() for c in columns]
                    for row in zip(*values, strict=True):
                        number += 1
                        record = self._record(columns, row, f"{source.name}: row {number}", tally)
                        if record is not None:
                            yield record
                    source.fraction = number / total
        except (pyarrow.ArrowException, OSError) as e:
            raise InputError(
                f"{source.name}: not a whole parquet file ({str(e).splitlines()[0]:.120}); "
                "fetch it again or name another --format"
            ) from e

    def _record(self, columns: tuple[str, ...], row: tuple[Any, ...], where: str, tally: Tally) -> Record | None:
        if columns is _TRAIN:
            return _event(row, where, tally, self.options.parse_time())
        past, prefix, query = row
        terms = [term[0] for term in past or () if term]
        if not all(isinstance(t, str) for t in (prefix, query, *terms)):
            tally.reject(where, Bad.FIELD, repr(row))
            return None
        return Transition(tuple(terms), query, 1.0, prefix, "test")


def _event(row: tuple[Any, ...], where: str, tally: Tally, parse_time: TimeParser) -> Event | None:
    session, when, query = row
    if session is None:
        tally.drop(Drop.NOBODY)
        return None
    if not isinstance(query, str):
        tally.reject(where, Bad.FIELD, repr(row))
        return None
    try:
        time = parse_time(str(when))
    except (ValueError, OverflowError):
        tally.reject(where, Bad.TIME, repr(row))
        return None
    return Event(Scope.SESSION, str(session), time, query)
