"""How often the statistics err, on simulated data with overlapping folds.

The normal tests are a reduced form; the ones marked `hard` have 2,000 repetitions and keep their
figures in `tests/results/calibration.json`.
"""

from __future__ import annotations

import json
from math import sqrt

import numpy as np
import pytest
from scipy.special import ndtr

from chymist.evidence import (
    bca,
    corrected_t,
    cv_plus,
    jackknife_minmax,
    jackknife_plus,
    percentile_bootstrap,
    wilson,
)
from chymist.keys import generator
from tests.faults import ROOT, keep_figures

DESIGN = "10 folds x 3 repeats, 300 rows"
HELD_OUT = "a third held out 15 times, 300 rows"
AT_ONCE = 100  # data sets drawn at a time
HALVES = (1.2816, 1.4758)  # half-distances of two classes that give 90 % and 93 % accuracy


def nearest_means(x, sign, columns):
    """Trained on all folds but one: weights (s, K, d) and thresholds (s, K) from x (s, K, m, d)."""
    centers = []
    for side in (1, -1):
        mask = (sign == side).astype(float)
        sums, counts = np.einsum("skm,skmd->skd", mask, x[..., columns]), mask.sum(2)[..., None]
        total = sums.sum(1, keepdims=True) - sums
        centers.append(total / (counts.sum(1, keepdims=True) - counts))
    weights = centers[0] - centers[1]
    return weights, (weights * (centers[0] + centers[1]) / 2).sum(-1)


def true_accuracy(weights, thresholds, mean):
    """Of linear classifiers on classes N(mean, I) and N(-mean, I), exactly."""
    size, middle = np.linalg.norm(weights, axis=-1), weights @ mean
    return (ndtr((middle - thresholds) / size) + ndtr((middle + thresholds) / size)) / 2


def fold_differences(sims, rows, folds, repeats, mean, pair):
    """Accuracy of one nearest-mean classifier minus another's, per fold, on new data sets.

    Returns (sims, repeats, folds) differences and the mean true difference of what was trained.
    """
    found, true = [], []
    sign = np.where(np.arange(rows) % 2, 1, -1)
    for start in range(0, sims, AT_ONCE):
        rng = generator(start, "data sets", rows, folds, repeats)
        count = min(AT_ONCE, sims - start)
        x = rng.standard_normal((count, rows, len(mean))) + sign[:, None] * mean
        for _ in range(repeats):
            order = rng.permuted(np.tile(np.arange(rows), (count, 1)), axis=1)
            parts = np.take_along_axis(x, order[:, :, None], 1)
            parts = parts.reshape(count, folds, rows // folds, -1)
            signs, accuracy, exact = sign[order].reshape(parts.shape[:3]), [], []
            for columns in pair:
                weights, thresholds = nearest_means(parts, signs, columns)
                z = np.einsum("skmd,skd->skm", parts[..., columns], weights) - thresholds[..., None]
                accuracy.append(((z > 0) == (signs > 0)).mean(-1))
                exact.append(true_accuracy(weights, thresholds, mean[columns]))
            found.append(accuracy[0] - accuracy[1])
            true.append((exact[0] - exact[1]).mean())
    blocks = [np.stack(found[k : k + repeats], 1) for k in range(0, len(found), repeats)]
    return np.concatenate(blocks), float(np.mean(true))


def same(rows, folds, repeats, sims, dims=10):
    """Two equally good classifiers that look at different columns: (sims, repeats, folds)."""
    mean = np.full(2 * dims, HALVES[0] / sqrt(dims))
    columns = np.arange(dims), np.arange(dims, 2 * dims)
    return fold_differences(sims, rows, folds, repeats, mean, columns)[0]


def three_points(rows, sims):
    """90 % against 93 %, for two more columns: differences (sims, 3, 10), true difference."""
    more = sqrt(HALVES[1] ** 2 - HALVES[0] ** 2)
    mean = np.concatenate([np.full(8, HALVES[0] / sqrt(8)), np.full(2, more / sqrt(2))])
    return fold_differences(sims, rows, 10, 3, mean, (np.arange(10), np.arange(8)))


def clear(differences, share):
    """How often `corrected_t` calls a difference clear; differences (sims, ...)."""
    rows = differences.reshape(len(differences), -1)
    return float(np.mean([corrected_t(d, share).clear for d in rows]))


def factors(differences, folds):
    """False positives with the factor n_test/n_train, with n_test/(n_test + n_train), with none."""
    # corrected_t adds share/(1 - share): the share 1/(K + 1) makes it add 1/K.
    return {
        "n_test/n_train": clear(differences, 1 / folds),
        "n_test/n": clear(differences, 1 / (folds + 1)),
        "none": clear(differences, 1e-12),
    }


def least_squares_intervals(sims, rows, dims, level, new=20):
    """Coverage and width over the oracle's, of intervals from left-out least-squares fits."""
    half = {0.9: 1.6448536, 0.95: 1.9599640}[level]
    hits, widths = {}, {}
    for k in range(sims):
        rng = generator(k, "regression", rows, dims)
        x, fresh = rng.standard_normal((rows, dims)), rng.standard_normal((new, dims))
        y, wanted = x.sum(1) + rng.standard_normal(rows), fresh.sum(1) + rng.standard_normal(new)
        inverse = np.linalg.inv(x.T @ x)
        left_out = (y - x @ (inverse @ x.T @ y)) / (1 - np.einsum("nd,de,ne->n", x, inverse, x))
        of_rows = fresh @ (inverse @ x.T @ y) - (x @ inverse @ fresh.T) * left_out[:, None]
        folds = np.arange(rows) % 10
        models = np.stack([_fit(x[folds != f], y[folds != f]) for f in range(10)])
        of_folds, out = models @ fresh.T, y - np.einsum("nd,nd->n", x, models[folds])
        for name, (low, high) in {
            "jackknife+": jackknife_plus(of_rows, left_out, level),
            "jackknife-minmax": jackknife_minmax(of_rows, left_out, level),
            "CV+": cv_plus(of_folds, folds, out, level),
        }.items():
            hits.setdefault(name, []).append(np.mean((low <= wanted) & (wanted <= high)))
            widths.setdefault(name, []).append(np.mean(high - low) / (2 * half))
    return {
        name: {
            "coverage": round(float(np.mean(hits[name])), 4),
            "width": round(float(np.mean(widths[name])), 4),
        }
        for name in hits
    }


def _fit(x, y):
    return np.linalg.solve(x.T @ x, x.T @ y)


def root(means):
    return np.sqrt(means[..., 0])


def bca_coverage(rows, repetitions, resamples=2000):
    """Share of BCa intervals of the RMSE of standard normal errors that hold 1."""
    inside = 0
    for k in range(repetitions):
        squares = generator(k, "errors", rows).standard_normal(rows) ** 2
        _, low, high, _ = bca(squares, root, seed=k, resamples=resamples)
        inside += low <= 1 <= high
    return inside / repetitions


def percentile_coverage(rows, repetitions):
    """Share of percentile intervals of the mean of standard normal values that hold 0."""
    values = [generator(k, "values", rows).standard_normal(rows) for k in range(repetitions)]
    found = [percentile_bootstrap(v, seed=k) for k, v in enumerate(values)]
    return float(np.mean([f.low <= 0 <= f.high for f in found]))


def wilson_coverage(rows, repetitions):
    """Over shares between 0.5 and 0.99."""
    rng = generator(0, "shares", rows)
    shares = rng.uniform(0.5, 0.99, repetitions)
    ends = [wilson(int(s), rows) for s in rng.binomial(rows, shares)]
    return float(np.mean([low <= p <= high for (low, high), p in zip(ends, shares, strict=True)]))


def test_equal_recipes_are_seldom_called_different():
    found = factors(same(rows=300, folds=10, repeats=3, sims=400), 10)
    assert found["n_test/n_train"] <= 0.06
    assert found["none"] > 0.15


def test_the_factor_is_test_rows_over_training_rows():
    found = factors(same(rows=200, folds=2, repeats=10, sims=400), 2)
    assert found["n_test/n_train"] <= 0.06 < found["n_test/n"] < found["none"]


def test_three_points_are_found():
    differences, true = three_points(rows=1000, sims=100)
    assert true == pytest.approx(0.03, abs=0.001)
    assert clear(differences, 0.1) >= 0.8


def test_intervals_of_scores_cover():
    assert wilson_coverage(360, 2000) == pytest.approx(0.95, abs=0.015)
    assert bca_coverage(200, 200, resamples=1000) == pytest.approx(0.95, abs=0.04)


def test_left_out_intervals_cover_and_are_short():
    found = least_squares_intervals(sims=150, rows=100, dims=5, level=0.9)
    assert found["jackknife+"]["coverage"] == pytest.approx(0.9, abs=0.02)
    assert found["CV+"]["coverage"] == pytest.approx(0.91, abs=0.02)
    assert found["jackknife-minmax"]["coverage"] >= 0.9
    assert found["jackknife+"]["width"] < found["CV+"]["width"] < 1.3


def test_the_page_says_what_was_measured():
    kept = json.loads((ROOT / "tests/results/calibration.json").read_text())
    page = (ROOT / "docs/statistics.md").read_text("utf-8")
    called = kept["corrected_t called different, 2000 A/A"]
    power = kept["corrected_t, 90 % against 93 %, 10 folds x 3 repeats"]
    covered = kept["coverage of 2000 intervals at 0.95"]
    fitted = kept["least squares, 100 rows, width over the oracle's"]
    plain, few, held = (
        called[name] for name in (DESIGN, "2 folds x 10 repeats, 300 rows", HELD_OUT)
    )
    figures = [
        f"calls {100 * plain['n_test/n_train']:.1f} % different",
        f"the second term, {100 * plain['none']:.0f} %",
        f"give {100 * few['n_test/n']:.1f} %",
        f"15 times {100 * held['n_test/n']:.1f} %",
        f"({100 * few['n_test/n_train']:.1f} and {100 * held['n_test/n_train']:.1f} % with",
        *(f"{100 * power[f'{rows} rows']['found']:.0f} %" for rows in (600, 1000)),
        *(f"{100 * covered[f'wilson, {rows} rows']:.1f} %" for rows in (50, 360, 2000)),
        *(f"{100 * covered[f'bca of the RMSE, {rows} rows']:.1f} %" for rows in (100, 400)),
        *(f"{100 * covered[f'percentile of the mean, {rows} rows']:.0f} %" for rows in (5, 20)),
    ]
    for kind in fitted["5 columns, level 0.9"].values():
        figures += [f"{100 * kind['coverage']:.1f} %", f"{kind['width']:.2f}"]
    text = " ".join(page.split())
    assert [figure for figure in figures if figure not in text] == []


@pytest.mark.hard
def test_false_positives_of_2000_comparisons_of_equal_recipes():
    designs = {
        DESIGN: (300, 10, 3, 10),
        "10 folds x 3 repeats, 100 rows, 20 columns": (100, 10, 3, 20),
        "10 folds x 10 repeats, 300 rows": (300, 10, 10, 10),
        "5 folds x 3 repeats, 300 rows": (300, 5, 3, 10),
        "2 folds x 10 repeats, 300 rows": (300, 2, 10, 10),
    }
    found = {
        name: factors(same(rows, folds, repeats, 2000, dims), folds)
        for name, (rows, folds, repeats, dims) in designs.items()
    }
    held_out = same(300, 3, 15, 2000)[:, :, :1]  # one third held out, 15 times
    found[HELD_OUT] = factors(held_out, 3)
    keep_figures("calibration", {"corrected_t called different, 2000 A/A": found})
    seeds = {  # a learner that its seed does not change, on folds that are drawn once
        f"{folds} folds x 3 seeds": clear(np.tile(same(300, folds, 1, 2000), (1, 3, 1)), 1 / folds)
        for folds in (2, 5, 10)
    }
    keep_figures("calibration", {"corrected_t on seeds taken for repeats, 2000 A/A": seeds})
    assert max(f["n_test/n_train"] for f in found.values()) <= 0.06
    assert found["2 folds x 10 repeats, 300 rows"]["n_test/n"] > 0.06
    assert min(f["none"] for f in found.values()) > 0.15


@pytest.mark.hard
def test_power_for_three_points():
    found = {}
    for rows in (600, 1000, 1800):
        differences, true = three_points(rows, 2000)
        found[f"{rows} rows"] = {
            "true difference": round(true, 5),
            "found": clear(differences, 0.1),
        }
    keep_figures("calibration", {"corrected_t, 90 % against 93 %, 10 folds x 3 repeats": found})
    assert found["1000 rows"]["found"] >= 0.8
    assert found["1800 rows"]["found"] >= 0.95


@pytest.mark.hard
def test_coverage_of_2000_intervals():
    found = {f"wilson, {n} rows": wilson_coverage(n, 2000) for n in (50, 360, 2000)}
    found |= {f"bca of the RMSE, {n} rows": bca_coverage(n, 2000) for n in (100, 400)}
    plain = {
        f"percentile of the mean, {n} rows": percentile_coverage(n, 2000) for n in (5, 20, 50, 200)
    }
    keep_figures("calibration", {"coverage of 2000 intervals at 0.95": found | plain})
    assert list(found.values()) == pytest.approx([0.95] * len(found), abs=0.015)
    assert plain["percentile of the mean, 200 rows"] == pytest.approx(0.95, abs=0.015)


@pytest.mark.hard
def test_left_out_intervals_of_2000_regressions():
    found = {
        f"{dims} columns, level {level}": least_squares_intervals(2000, 100, dims, level)
        for dims, level in ((5, 0.9), (5, 0.95), (80, 0.9))
    }
    keep_figures("calibration", {"least squares, 100 rows, width over the oracle's": found})
    for name, kinds in found.items():
        level = float(name.split()[-1])
        assert kinds["jackknife+"]["coverage"] >= 2 * level - 1
        assert kinds["jackknife-minmax"]["coverage"] >= level - 0.005
        if name.startswith("5 "):
            assert kinds["jackknife+"]["coverage"] == pytest.approx(level, abs=0.015)
            assert kinds["jackknife+"]["width"] <= 1.3
            assert kinds["CV+"]["width"] <= 1.3
