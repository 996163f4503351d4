"""From search logs to examples: read, clean, cut into sessions, split into train, valid and test.

    >>> from qac.data_prep import PrepOptions, prepare
    >>> stats = prepare(["log.tsv.gz"], "data", PrepOptions(seed=1))  # doctest: +SKIP

A log is read by one of the readers (readers/), its rows are brought together by user and time with an external sort
(sorter.py). What may not be suggested is screened out (personal.py, screening.py, thresholds.py). The rest is cut
into sessions where a pause is long (sessions.py), assigned to parts (split.py), and written with drawn prefixes
(prefixes.py, writer.py) into a folder that changes all at once (output.py). pipeline.py ties these together.
"""

from qac.data_prep.options import PrepOptions
from qac.data_prep.pipeline import prepare
from qac.data_prep.readers import READERS, ReaderOptions

__all__ = ["READERS", "PrepOptions", "ReaderOptions", "prepare"]
