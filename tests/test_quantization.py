"""Numbers in eight bits, against their definition (conftest.py)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qac.quantization import quantize


@pytest.mark.parametrize(
    "values", [[0.25], [0.25] * 9, np.geomspace(1e-9, 1, 256), np.geomspace(1, 1e-9, 256).tolist()]
)
def test_up_to_256_values_are_exact(values):
    """As exact as 32 bits are."""
    values = np.repeat(np.array(values), 3)
    codes, table = quantize(values)
    assert np.array_equal(table[codes], values.astype(np.float32))
    assert (codes.dtype, table.dtype, table.shape) == (np.uint8, np.float32, (256,))
    assert np.array_equal(np.argsort(codes, kind="stable"), np.argsort(values, kind="stable"))


def test_no_values_have_a_table_too():
    codes, table = quantize(np.empty(0))
    assert (len(codes), table.tolist()) == (0, [0.0] * 256)


@given(st.integers(0, 2**32), st.integers(300, 2000), st.floats(1e-12, 0.9))
def test_more_values_are_right_to_a_step_of_their_logarithms(assert_quantized, seed, n, least):
    values = least ** np.random.default_rng(seed).random(n)
    codes, table = quantize(values)
    assert_quantized(values, codes, table)
    order = np.argsort(values)
    assert (np.diff(codes[order].astype(int)) >= 0).all()
    assert (np.diff(table[codes[order]]) >= 0).all()


def test_close_values_share_a_table():
    """Values that 32 bits hardly tell apart have steps, too."""
    values = 0.5 + np.arange(300) * 2.0**-24
    codes, table = quantize(values)
    assert len(set(codes.tolist())) == 256
    assert table[codes] == pytest.approx(values, rel=1e-6)
