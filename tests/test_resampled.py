"""Tests of paired differences against SciPy, statsmodels, and the formulas of the papers."""

from __future__ import annotations

import doctest
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests

from chymist.errors import InputError
from chymist.evidence import bayesian_correlated_t, corrected_t, holm, permutation_test
from chymist.evidence.intervals import mean_t
from chymist.evidence.verdict import mcnemar
from chymist.keys import generator

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def draws(*coordinates, n=30, shift=0.02):
    return generator(0, "differences", *coordinates).normal(shift, 0.05, n)


@pytest.mark.parametrize(("n", "share"), [(2, 0.5), (30, 0.1), (15, 0.2), (100, 0.1)])
def test_corrected_t_is_students_test_with_the_papers_variance(n, share):
    d = draws(n, n=n)
    t = stats.t(n - 1, np.mean(d), np.sqrt((1 / n + share / (1 - share)) * np.var(d, ddof=1)))
    found = corrected_t(d, share)
    assert (found.low, found.high) == pytest.approx(t.interval(0.95), abs=1e-10)
    assert found.p == pytest.approx(2 * min(t.cdf(0), t.sf(0)), abs=1e-10)
    assert found.value == pytest.approx(d.mean(), abs=1e-15)
    assert found.clear == (found.p < 0.05)


def test_corrected_t_at_a_vanishing_share_is_the_plain_test():
    d = draws(7)
    found, plain = corrected_t(d, 1e-12), mean_t(d)
    assert (found.low, found.high, found.p) == pytest.approx(tuple(plain)[1:], abs=1e-9)


@pytest.mark.parametrize("d", [[0.3], [0.02] * 5, [0.9 - 0.8, 0.8 - 0.7, 0.6 - 0.5]])
def test_differences_without_spread_are_not_clear(d):
    found = corrected_t(np.array(d), 0.1)
    assert (found.low, found.high, found.p, found.clear) == (-inf, inf, 1.0, False)
    assert found.value == pytest.approx(np.mean(d))
    assert tuple(bayesian_correlated_t(np.array(d), 0.01, 0.1)) == (0.5, 0.0, 0.5)


@pytest.mark.parametrize("n", [1, 30])
def test_no_difference_anywhere_is_zero(n):
    found = corrected_t(np.zeros(n), 0.1)
    assert (found.value, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert tuple(bayesian_correlated_t(np.zeros(n), 0.0, 0.1)) == (0, 1, 0)


@pytest.mark.parametrize(("n", "rope", "rho"), [(30, 0.01, 0.1), (10, 0.0, 0.1), (2, 0.02, 0.5)])
def test_bayesian_correlated_t_is_the_integral_of_the_papers_posterior(n, rope, rho):
    d = draws(n, n=n)
    center, scale = np.mean(d), np.sqrt(np.var(d, ddof=1) * (1 / n + rho / (1 - rho)))

    def density(x):  # Benavoli et al. 2017
        return stats.t.pdf((x - center) / scale, n - 1) / scale

    left, within, right = bayesian_correlated_t(d, rope, rho)
    near = {"epsabs": 1e-11, "limit": 200}
    assert left == pytest.approx(integrate.quad(density, -inf, -rope, **near)[0], abs=1e-8)
    assert within == pytest.approx(integrate.quad(density, -rope, rope, **near)[0], abs=1e-8)
    assert right == pytest.approx(integrate.quad(density, rope, inf, **near)[0], abs=1e-8)
    assert left + within + right == pytest.approx(1, abs=1e-12)


def test_bayesian_and_corrected_t_agree_without_a_region():
    d = draws(3)
    left, within, right = bayesian_correlated_t(d, 0.0, 0.1)
    assert 2 * min(left, right) == pytest.approx(corrected_t(d, 0.1).p, abs=1e-12)
    assert within == pytest.approx(0, abs=1e-12)


def lucky(repeats, folds, luck=0.1):
    """Differences of folds whose initialisation is drawn once a repeat, (repeats, folds)."""
    return (
        draws(repeats, folds, n=repeats * folds).reshape(repeats, folds)
        + luck * draws(repeats, "luck", n=repeats)[:, None] / 0.05
    )


def by_analysis_of_variance(d, share, tail=0.025):
    """Margin of the mean, from SciPy's F: the variance of repeats is (F - 1) MSW / K."""
    repeats, folds = d.shape
    within = d.var(1, ddof=1).mean()
    luck = max(0.0, stats.f_oneway(*d).statistic - 1) * within / folds / repeats
    rows = d.var(ddof=1) * (1 / d.size + share / (1 - share))
    return np.sqrt(
        rows * stats.t.isf(tail, d.size - 1) ** 2 + luck * stats.t.isf(tail, repeats - 1) ** 2
    )


@pytest.mark.parametrize(("repeats", "folds"), [(2, 5), (3, 10), (10, 2)])
def test_the_luck_of_a_repeat_is_that_of_the_analysis_of_variance(repeats, folds):
    d = lucky(repeats, folds)
    found = corrected_t(d.ravel(), 1 / folds, repeats)
    half = by_analysis_of_variance(d, 1 / folds)
    assert (found.low, found.high) == pytest.approx((d.mean() - half, d.mean() + half), abs=1e-10)
    assert by_analysis_of_variance(d, 1 / folds, found.p / 2) == pytest.approx(abs(found.value))
    plain = corrected_t(d.ravel(), 1 / folds)
    assert found.high - found.low > 1.04 * (plain.high - plain.low)
    left, within, right = bayesian_correlated_t(d.ravel(), 0.0, 1 / folds, repeats)
    assert 2 * min(left, right) == pytest.approx(found.p, abs=1e-9)
    assert within == pytest.approx(0, abs=1e-12)


@given(st.integers(2, 5), st.integers(2, 10), st.floats(0, 1), st.floats(-3, 3))
@settings(max_examples=100, deadline=None)
def test_luck_only_widens_and_an_interval_leaves_out_zero_if_p_is_small(r, k, luck, shift):
    d = (lucky(r, k, luck) + shift).ravel()
    found, plain = corrected_t(d, 1 / k, r), corrected_t(d, 1 / k)
    assert found.clear == (found.p < 0.05)
    assert found.low <= plain.low
    assert found.p >= min(plain.p, 1e-30)
    reverse = corrected_t(-d, 1 / k, r)
    assert (reverse.low, reverse.p) == pytest.approx((-found.high, found.p))
    left, within, right = bayesian_correlated_t(d, 0.5, 1 / k, r)
    assert min(left, within, right) >= 0
    assert left + within + right == pytest.approx(1, abs=1e-12)


def test_repeats_that_differ_no_more_than_folds_do_change_nothing():
    d = np.stack([draws(1, n=10), draws(2, n=10), draws(3, n=10)])
    d += d.mean() - d.mean(1, keepdims=True) + [[0.001], [0.0], [-0.001]]
    assert corrected_t(d.ravel(), 0.1, 3) == corrected_t(d.ravel(), 0.1)
    assert bayesian_correlated_t(d.ravel(), 0.01, 0.1, 3) == bayesian_correlated_t(
        d.ravel(), 0.01, 0.1
    )


def scipy_permutation(d, resamples):
    return stats.permutation_test(
        (d, np.zeros(len(d))),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=resamples,
        vectorized=True,
        rng=np.random.default_rng(0),
    ).pvalue


@pytest.mark.parametrize("n", [2, 6, 11, 14])
def test_exact_permutation_test_equals_scipy(n):
    for shift in (0.0, 0.03, 0.1):
        d = draws(n, n=n, shift=shift)
        assert permutation_test(d).p == pytest.approx(scipy_permutation(d, inf), abs=1e-12)


def test_exact_permutation_test_with_ties_equals_scipy():
    d = np.array([0.1, 0.2, -0.3, 0.3, 0.1, 0.0, -0.1, 0.2, 0.1])
    assert permutation_test(d).p == pytest.approx(scipy_permutation(d, inf), abs=1e-12)


def test_random_permutation_test_equals_scipy_and_the_exact_one():
    d = draws(2, n=15, shift=0.03)
    every = np.array([1 - 2 * ((np.arange(2**15) >> k) & 1) for k in range(15)]).T @ d
    exact = np.mean(np.abs(every) >= np.abs(d.sum()) * (1 - 1e-9))
    found = permutation_test(d, resamples=99_999)
    assert exact == pytest.approx(scipy_permutation(d, inf), abs=1e-12)
    assert found.p == pytest.approx(exact, abs=0.003)
    assert found.p * 100_000 == pytest.approx(round(found.p * 100_000), abs=1e-6)
    assert permutation_test(d, seed=1).p != permutation_test(d, seed=2).p
    assert permutation_test(d, seed=1) == permutation_test(d, seed=1)


def test_a_single_difference_is_never_clear():
    found = permutation_test(np.array([0.4]))
    assert (found.value, found.low, found.high, found.p) == (0.4, -inf, inf, 1.0)


def test_a_random_p_value_is_never_zero():
    assert permutation_test(np.ones(100), resamples=999).p == 2 / 1000


def test_permutation_test_of_right_and_wrong_is_mcnemars():
    d = np.array([1] * 9 + [-1] * 2 + [0] * 3)
    assert permutation_test(d).p == pytest.approx(mcnemar(9, 2, 14).p, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_the_interval_holds_the_shifts_that_the_permutation_test_keeps(numbers):
    d = np.array(numbers, dtype=float)
    found = permutation_test(d)
    for shift in (*np.unique(d), d.mean(), 0.0, 0.37, -20.0, 20.0):
        kept = permutation_test(d - shift).p >= 0.05
        assert kept == (found.low - 1e-9 <= shift <= found.high + 1e-9)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_equals_statsmodels(p):
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-14)


def test_holm_of_nothing_is_nothing():
    assert holm(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: corrected_t(np.zeros(0), 0.1), "differences"),
        (lambda: corrected_t(np.array([1.0, np.nan]), 0.1), "finite"),
        (lambda: corrected_t(np.ones((2, 2)), 0.1), "differences"),
        (lambda: corrected_t(np.arange(3.0), 0.0), "test_share"),
        (lambda: corrected_t(np.arange(3.0), 1.0), "test_share"),
        (lambda: corrected_t(np.arange(6.0), 0.5, 4), "4 repeats of 6"),
        (lambda: corrected_t(np.arange(6.0), 0.5, 6), "6 repeats of 6"),
        (lambda: corrected_t(np.arange(6.0), 0.5, 0), "0 repeats of 6"),
        (lambda: bayesian_correlated_t(np.arange(3.0), 0.1, 1.0), "rho"),
        (lambda: bayesian_correlated_t(np.arange(3.0), -0.1, 0.1), "rope"),
        (lambda: bayesian_correlated_t(np.arange(3.0), np.nan, 0.1), "rope"),
        (lambda: permutation_test(np.array([np.inf])), "finite"),
        (lambda: holm(np.array([0.5, 1.5])), "p-values"),
        (lambda: holm(np.array([np.nan])), "p-values"),
    ],
)
def test_what_is_no_input_is_refused(call, words):
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert len(str(caught.value)) <= 200


def test_the_examples_of_the_page_run():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False, optionflags=FLAGS)
    assert tried > 10
    assert failed == 0
