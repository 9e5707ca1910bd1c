"""Intervals against closed forms, SciPy, statsmodels, and by their coverage."""

from __future__ import annotations

from math import inf
from time import process_time

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from chymist.errors import InputError
from chymist.evidence import intervals
from chymist.evidence.intervals import (
    bca,
    delong,
    draws_interval,
    exact_binomial,
    mean_recall,
    mean_t,
    percentile_bootstrap,
    wilson,
)
from chymist.keys import generator
from chymist.metrics import Undefined, auc


def root(means):
    return np.sqrt(means[..., 0])


@pytest.mark.parametrize("n", [1, 2, 5, 30, 360, 10_000])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_equals_statsmodels(n, level):
    for successes in {0, 1, n // 3, n - 1, n}:
        expected = proportion_confint(successes, n, 1 - level, method="wilson")
        assert wilson(successes, n, level) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [10, 50, 360])
def test_wilson_mean_coverage_is_exact_sum(n):
    ends = np.array([wilson(k, n) for k in range(n + 1)])
    shares = np.linspace(0.02, 0.98, 97)
    inside = (ends[:, :1] <= shares) & (shares <= ends[:, 1:])
    coverage = (stats.binom.pmf(np.arange(n + 1)[:, None], n, shares) * inside).sum(0)
    assert 0.945 < coverage.mean() < 0.965
    assert coverage.min() > 0.83


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(successes, n):
    with pytest.raises(InputError, match="share"):
        wilson(successes, n)


@pytest.mark.parametrize("n", [1, 2, 5, 30, 360, 10_000])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_exact_binomial_equals_statsmodels_and_scipy(n, level):
    for successes in {0, 1, n // 3, n - 1, n}:
        found = exact_binomial(successes, n, level)
        expected = proportion_confint(successes, n, 1 - level, method="beta")
        assert found == pytest.approx(expected, abs=1e-12)
        interval = stats.binomtest(successes, n).proportion_ci(level, method="exact")
        assert found == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_exact_binomial_never_covers_too_little():
    ends = np.array([exact_binomial(k, 30) for k in range(31)])
    shares = np.linspace(0.01, 0.99, 99)
    inside = (ends[:, :1] <= shares) & (shares <= ends[:, 1:])
    coverage = (stats.binom.pmf(np.arange(31)[:, None], 30, shares) * inside).sum(0)
    assert coverage.min() >= 0.95
    with pytest.raises(InputError, match="share"):
        exact_binomial(3, 2)


def test_mean_t_equals_scipy():
    values = generator(0, "t").normal(3, 2, 12)
    found, t = mean_t(values), stats.ttest_1samp(values, 0)
    interval = t.confidence_interval(0.95)
    expected = values.mean(), interval.low, interval.high, t.pvalue
    assert tuple(found) == pytest.approx(expected, abs=1e-9)
    assert mean_t(np.array([4.0])) == (4.0, -inf, inf, 1.0)
    assert mean_t(np.array([4.0, 4.0])) == (4.0, 4.0, 4.0, 0.0)
    with pytest.raises(InputError, match="mean needs values"):
        mean_t(np.zeros(0))


@pytest.mark.parametrize("n", [25, 100, 1000])
@pytest.mark.parametrize("skewed", [False, True])
def test_bca_equals_scipy_bootstrap(n, skewed):
    rng = generator(n, "bca")
    values = rng.exponential(size=n) if skewed else rng.normal(size=n) ** 2
    expected = stats.bootstrap(
        (values,), lambda v, axis: np.sqrt(v.mean(axis)), method="BCa", n_resamples=20_000,
        vectorized=True, rng=np.random.default_rng(0), batch=500,
    ).confidence_interval  # fmt: skip
    found = bca(values, root, resamples=20_000)
    width = expected.high - expected.low
    assert found.value == pytest.approx(np.sqrt(values.mean()))
    assert found.low == pytest.approx(expected.low, abs=0.03 * width)
    assert found.high == pytest.approx(expected.high, abs=0.03 * width)


def test_bca_of_equal_rows_with_counts_equals_bca_of_all_rows():
    cells, counts = np.array([0.0, 1.0, 3.0]), np.array([500, 250, 150])
    together = bca(cells, root, counts, resamples=20_000)
    apart = bca(np.repeat(cells, counts), root, resamples=20_000)
    assert together[:3] == pytest.approx(apart[:3], rel=0.005)


def test_bca_in_groups_keeps_the_interval():
    values = generator(1, "groups").lognormal(sigma=1.0, size=9_001)
    spread = values.std() / np.sqrt(len(values))
    found = bca(values)
    assert found.value == pytest.approx(values.mean(), rel=1e-12)
    # Both ends of BCa are shifted by about a (2 z^2 + 1) standard errors, a the acceleration.
    shift = stats.skew(values) / (6 * np.sqrt(len(values))) * (2 * 1.96**2 + 1)
    assert (found.low - found.value) / spread == pytest.approx(-1.96 + shift, abs=0.1)
    assert (found.high - found.value) / spread == pytest.approx(1.96 + shift, abs=0.1)


@pytest.mark.parametrize(
    ("n", "reps", "least"), [(5, 300, 0.84), (20, 300, 0.87), (100, 300, 0.91), (6000, 60, 0.9)]
)
def test_bca_coverage(n, reps, least):
    hits = 0
    for rep in range(reps):
        found = bca(
            generator(rep, "coverage", n).normal(size=n) ** 2, root, seed=rep, resamples=400
        )
        hits += found.low <= 1.0 <= found.high
    assert least <= hits / reps <= 1.0 - (n < 1000) * 0.01


def test_bca_interval_and_p_agree_about_zero():
    for rep in range(300):
        n = [8, 25, 60][rep % 3]
        values = generator(rep, "agree").normal(0.35, 1.3, n)
        found = bca(values, seed=rep)
        excluded = found.low > 0 or found.high < 0
        assert excluded == (found.p < 0.05), (rep, found)


def test_bca_p_is_near_student():
    values = generator(3, "p").normal(0.2, 1.0, 100)
    assert bca(values, resamples=20_000).p == pytest.approx(mean_t(values).p, abs=0.01)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 30])
def test_bca_of_few_or_equal_rows(n):
    same = bca(np.full(n, 4.0), root)
    assert same.value == 2.0
    assert (same.low, same.high) == ((-inf, inf) if n == 1 else (2.0, 2.0))
    one_off = bca(np.r_[np.zeros(n - 1), 1.0])
    assert one_off.low <= one_off.value <= one_off.high


def test_bca_is_keyed_and_quick():
    values = generator(0, "quick").exponential(size=16_000)
    assert bca(values, seed=1) == bca(values, seed=1)
    assert bca(values, seed=1) != bca(values, seed=2)
    seconds = []
    for _ in range(3):
        start = process_time()
        bca(values, root)
        seconds.append(process_time() - start)
    assert min(seconds) < 0.2
    with pytest.raises(InputError, match="needs rows"):
        bca(np.zeros((0, 1)))


def test_mean_recall_of_one_class_is_wilson():
    assert mean_recall(np.array([7]), np.array([9])) == pytest.approx(wilson(7, 9))
    low, high = mean_recall(np.array([10, 40]), np.array([10, 40]))
    assert high == 1.0
    assert 0.8 < low < 0.9


def test_mean_recall_coverage():
    rng, sizes, shares = generator(0, "recall"), np.array([8, 30, 90]), np.array([0.6, 0.8, 0.95])
    hits = 0
    for _ in range(1000):
        low, high = mean_recall(rng.binomial(sizes, shares), sizes)
        hits += low <= shares.mean() <= high
    assert 0.93 <= hits / 1000 <= 0.98


def scores_case(rng, positives, negatives, distance, digits=16):
    targets = np.repeat([1, 0], [positives, negatives])
    raw = rng.normal(targets * distance, 1.0)
    share = np.round(1 / (1 + np.exp(-raw)), digits)
    return targets, np.stack([1 - share, share], axis=1)


def brute_force(targets, p):
    """DeLong's variance straight from its definition, all pairs compared."""
    x, y = p[targets == 1, 1], p[targets == 0, 1]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    s10, s01 = psi.mean(1).var(ddof=1), psi.mean(0).var(ddof=1)
    return psi.mean(), s10 / len(x) + s01 / len(y)


@pytest.mark.parametrize("digits", [1, 16])
def test_delong_variance_equals_all_pairs(digits):
    targets, p = scores_case(generator(digits, "roc"), 30, 50, 1.0, digits)
    influence, area = intervals.auc_influence(targets, p)
    found = area, intervals.grouped_variance(influence, targets)
    assert found == pytest.approx(brute_force(targets, p), abs=1e-12)
    assert area == pytest.approx(auc(targets, p), abs=1e-12)


def test_delong_interval_is_near_the_bootstrap():
    targets, p = scores_case(generator(0, "roc"), 150, 250, 1.0)
    rng, areas = generator(1, "roc"), []
    for _ in range(1000):
        rows = rng.integers(0, 400, 400)
        areas.append(auc(targets[rows], p[rows]))
    expected = np.quantile(areas, [0.025, 0.975])
    assert delong(targets, p) == pytest.approx(expected, abs=0.01)


def test_delong_of_three_classes_is_near_the_bootstrap():
    rng = generator(2, "roc")
    targets = rng.integers(0, 3, 300)
    raw = np.exp(rng.normal(size=(300, 3)) + 1.2 * np.eye(3)[targets])
    p = raw / raw.sum(1, keepdims=True)
    areas = []
    for _ in range(1000):
        rows = rng.integers(0, 300, 300)
        areas.append(auc(targets[rows], p[rows]))
    expected = np.quantile(areas, [0.025, 0.975])
    assert delong(targets, p) == pytest.approx(expected, abs=0.012)


def test_delong_coverage():
    truth, rng, hits = stats.norm.cdf(2.0 / np.sqrt(2)), generator(3, "roc"), 0
    for _ in range(500):
        low, high = delong(*scores_case(rng, 25, 40, 2.0))
        hits += low <= truth <= high
    assert 0.92 <= hits / 500 <= 0.98


def test_delong_without_variance():
    targets = np.array([0] * 20 + [1] * 10)
    perfect = np.eye(2)[targets]
    low, high = delong(targets, perfect)
    assert high == 1.0
    assert 0.75 < low < 0.95
    assert delong(targets, 1 - perfect) == pytest.approx((1 - high, 1 - low))
    assert delong(targets, np.full((30, 2), 0.5)) == pytest.approx((0.5, 0.5))
    low, high = delong(np.array([0, 1]), np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert low < 0.5
    assert high == 1.0
    with pytest.raises(Undefined, match="every class"):
        delong(np.zeros(4, int), np.full((4, 2), 0.5))


def test_delong_of_groups_does_not_gain_from_repeats():
    targets, p = scores_case(generator(4, "roc"), 40, 60, 1.0)
    rows = np.tile(np.arange(100), 5)
    assert delong(targets[rows], p[rows], groups=rows) == pytest.approx(delong(targets, p))


def test_percentile_bootstrap_equals_scipy():
    values = generator(1, "sample").exponential(2.0, 60)
    found = percentile_bootstrap(values**2, root, resamples=40_000)
    expected = stats.bootstrap(
        (values,),
        lambda v, axis: np.sqrt(np.mean(v**2, axis)),
        method="percentile",
        n_resamples=40_000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert found.value == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-12)
    # Monte-Carlo error of an end at 40,000 resamples: about 0.3 % of the width.
    assert (found.low, found.high) == pytest.approx(expected, abs=0.015 * (found.high - found.low))
    assert found.p == 2 / 40_001


def test_percentile_bootstrap_of_four_rows_is_that_of_all_their_samples():
    values = np.array([0.0, 1.0, 3.0, 7.0])
    means = np.array(np.meshgrid(*[values] * 4)).reshape(4, -1).mean(0)
    found = percentile_bootstrap(values, level=0.8, resamples=100_000)
    assert (found.low, found.high) == tuple(np.quantile(means, [0.1, 0.9], method="inverted_cdf"))
    assert found.p == pytest.approx(2 * np.mean(means <= 0), abs=5e-4)


def test_percentile_bootstrap_of_counted_rows_and_of_few():
    counted = percentile_bootstrap(np.array([0.0, 1.0]), counts=np.array([300, 700]))
    assert (counted.low, counted.high) == pytest.approx((0.672, 0.728), abs=0.004)
    assert percentile_bootstrap(np.array([4.0])) == (4.0, -inf, inf, 1.0)
    assert percentile_bootstrap(np.zeros(9)) == (0.0, 0.0, 0.0, 1.0)
    with pytest.raises(InputError, match="interval needs rows"):
        percentile_bootstrap(np.zeros(0))


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("total", [9, 39, 100, 999])
def test_the_interval_of_draws_leaves_out_what_they_reject(total, level):
    draws = np.round(generator(0, "draws", total).normal(0, 1, total), 1)
    low, high, _ = draws_interval(draws, level)
    for at in np.unique(np.concatenate([draws, draws + 0.05, [-9.0, 9.0]])):
        p = draws_interval(draws - at, level)[2]
        assert (low <= at <= high) == (p >= 1 - level - 1e-12)
