import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from qac.evaluation import resampling
from qac.evaluation.resampling import SessionSums, bootstrap, interval, randomisation_test


def sums(values, session, weight=None, groups=None):
    """Return the sums of a weighted mean of ``values``."""
    values = np.asarray(values, np.float64)
    weight = np.ones(len(values)) if weight is None else np.asarray(weight, np.float64)
    groups = [np.ones(len(values), bool)] if groups is None else groups
    return SessionSums([(weight * values, weight)], groups, np.asarray(session, np.int32))


def test_sums_of_sessions_by_hand():
    # ratios of two groups; session 1 has two requests, not next to each other
    odd = np.array([True, False, True])
    of = sums([1, 2, 4], [1, 0, 1], weight=[1, 1, 3], groups=[np.ones(3, bool), odd])
    assert (len(of), of.columns) == (2, 2)
    numerators, denominators = np.split(of.block(0, 2), 2, axis=1)
    assert numerators.tolist() == [[2, 0], [13, 13]]
    assert denominators.tolist() == [[1, 0], [4, 4]]


@pytest.mark.parametrize("block", [1, 2, 3, 2048])
def test_the_bootstrap_draws_sessions_as_all_draws_do(monkeypatch, block):
    monkeypatch.setattr(resampling, "_BLOCK", block)
    values, session, weight = [1, 0, 0.5, 0.25, 1], [0, 0, 1, 2, 3], [1, 2, 1, 1, 3]
    of = sums(values, session, weight)
    numerator, denominator = of.block(0, 4).T
    # every one of the 4^4 samples of four sessions is equally likely
    exact = [
        numerator[list(draw)].sum() / denominator[list(draw)].sum() for draw in itertools.product(range(4), repeat=4)
    ]
    drawn = bootstrap([of], 40_000)[0][:, 0]
    assert np.mean(drawn) == pytest.approx(np.mean(exact), abs=0.005)
    assert np.quantile(drawn, [0.1, 0.5, 0.9]) == pytest.approx(np.quantile(exact, [0.1, 0.5, 0.9]), abs=0.02)


def test_intervals_equal_scipys():
    rng = np.random.default_rng(1)
    session = np.repeat(np.arange(100), rng.integers(1, 6, 100))
    values = np.clip(rng.random(len(session)) + 0.3 * rng.random(100)[session], 0, 1)
    of = sums(values, session)
    numerator, denominator = of.block(0, 100).T
    ours = interval(bootstrap([of], 9999)[0])[0]
    theirs = stats.bootstrap(
        (numerator, denominator),
        lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(2),
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.003)
    # requests of a session are alike: taken one by one they would seem to say more than they do
    alone = interval(bootstrap([sums(values, np.arange(len(values)))], 9999)[0])[0]
    assert alone[1] - alone[0] < ours[1] - ours[0]


def test_systems_share_the_draws():
    session = np.arange(50)
    values = np.random.default_rng(3).random(50)
    a, b = bootstrap([sums(values, session), sums(values + 0.25, session)], 200)
    assert b - a == pytest.approx(np.full((200, 1), 0.25))


def test_what_has_no_value_has_no_interval():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of = sums([1, 2], [0, 1], groups=[np.ones(2, bool), np.zeros(2, bool)])
        assert interval(bootstrap([of], 50)[0])[1] is None
        assert np.isnan(randomisation_test(of, of, 50)).tolist() == [False, True]


@pytest.mark.parametrize("block", [3, 2048])
def test_p_values_equal_scipys_exact_ones(monkeypatch, block):
    monkeypatch.setattr(resampling, "_BLOCK", block)
    a = np.array([0.1, 0.5, 0.3, 1.0, 0.0, 0.2, 0.0, 0.4])
    b = np.array([0.5, 0.5, 1.0, 1.0, 0.3, 0.1, 0.5, 0.6])
    exact = stats.permutation_test(
        (a, b), lambda a, b, axis: b.mean(axis=axis) - a.mean(axis=axis), permutation_type="samples", vectorized=True
    ).pvalue
    ours = randomisation_test(sums(a, range(8)), sums(b, range(8)), 40_000)
    assert ours[0] == pytest.approx(exact, abs=0.005)


def test_p_values_exchange_whole_sessions():
    # two sessions, each of which b wins throughout: of four exchanges, two are as extreme
    session = [0] * 5 + [1] * 5
    p = randomisation_test(sums(np.zeros(10), session), sums(np.ones(10), session), 20_000)
    assert p[0] == pytest.approx(0.5, abs=0.02)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_no_difference_has_p_one(values):
    of = sums(values, range(len(values)))
    assert randomisation_test(of, of, 50).tolist() == [1]


def test_p_values_are_spread_evenly_where_there_is_nothing_between_two():
    rng = np.random.default_rng(5)
    p = [
        randomisation_test(sums(rng.random(40), range(40)), sums(rng.random(40), range(40)), 199, seed)[0]
        for seed in range(300)
    ]
    assert stats.kstest(p, "uniform").pvalue > 0.01
