"""Numbers in eight bits.

Each is kept as a place in a table of 256: the mean of the numbers in one of 256 equal steps of their logarithms (as
KenLM's: Heafield 2011, section 3.4, which has equal numbers of values in each step).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


def quantize(values: npt.NDArray[np.floating]) -> tuple[U8, F32]:
    """Return ``(codes, table)`` of ``values``, all positive; they are exact where 256 are enough.

    ``codes``: shape of ``values``, places in ``table``: shape (256,), ascending, zeros where there is no value.
    """
    table = np.zeros(256, np.float32)
    distinct, place = np.unique(values.astype(np.float32), return_inverse=True)
    if len(distinct) <= len(table):
        table[: len(distinct)] = distinct
        return place.astype(np.uint8), table
    logs = np.log(values, dtype=np.float64)
    codes = np.rint((logs - logs.min()) * (255 / (logs.max() - logs.min()))).astype(np.uint8)
    number = np.bincount(codes, minlength=256)
    np.divide(np.bincount(codes, values, 256), number, out=table, where=number > 0, casting="same_kind")
    return codes, table
