"""Error rates from bootstraps, re-derived by loops, by all bootstraps there are, and by simulation."""

from __future__ import annotations

from itertools import product
from math import isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chymist.errors import InputError
from chymist.evidence.bootstrap_error import (
    bootstrap_error,
    no_information_share,
    no_information_square,
    out_of_bag_losses,
    overfitting_rate,
    point632,
    point632_plus,
    standard_error,
)

SHARES = st.floats(0, 1).map(lambda x: round(x, 3))


def every_bootstrap(n: int) -> np.ndarray:
    """How often each of the n^n ordered bootstraps draws each row, (n^n, n)."""
    return np.array([np.bincount(drawn, minlength=n) for drawn in product(range(n), repeat=n)])


def nearest(train: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Label of the nearest training row."""
    return labels[((rows[:, None] - train[None]) ** 2).sum(2).argmin(1)]


def bootstraps_of_nearest(
    x: np.ndarray, y: np.ndarray, times: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Losses and draws of nearest-neighbour classifiers."""
    drawn = np.array([np.bincount(random.integers(len(y), size=len(y)), minlength=len(y)) for _ in range(times)])  # fmt: skip
    losses = [nearest(x[d > 0], y[d > 0], x) != y for d in drawn]
    return np.array(losses, float), drawn


@given(
    losses=arrays(float, (7, 5), elements=st.floats(0, 4)),
    drawn=arrays(np.int64, (7, 5), elements=st.integers(0, 2)),
)
def test_the_out_of_bag_error_is_the_mean_over_rows_of_means_over_bootstraps(losses, drawn) -> None:
    drawn[0] = [0, 1, 1, 2, 1]
    expected = []
    for row in range(5):
        seen = [losses[b, row] for b in range(7) if drawn[b, row] == 0]
        expected.append(sum(seen) / len(seen) if seen else np.nan)
    np.testing.assert_allclose(out_of_bag_losses(losses, drawn), expected, atol=1e-12)


@given(targets=arrays(np.int64, 9, elements=st.integers(0, 3)), labels=arrays(np.int64, 9, elements=st.integers(0, 3)))  # fmt: skip
def test_no_information_is_the_mean_over_all_pairs_of_target_and_label(targets, labels) -> None:
    pairs = [t != guess for t in targets for guess in labels]
    assert isclose(no_information_share(targets, labels), np.mean(pairs), abs_tol=1e-12)


@given(targets=arrays(float, (6, 2), elements=st.floats(-9, 9)), outputs=arrays(float, (6, 2), elements=st.floats(-9, 9)))  # fmt: skip
def test_no_information_of_squares_is_the_mean_over_all_pairs(targets, outputs) -> None:
    pairs = [np.mean((t - guess) ** 2) for t in targets for guess in outputs]
    assert isclose(no_information_square(targets, outputs), np.mean(pairs), abs_tol=1e-9)
    one = no_information_square(targets[:, 0], outputs[:, 0])
    assert isclose(one, np.mean([(t - g) ** 2 for t in targets[:, 0] for g in outputs[:, 0]]), abs_tol=1e-9)  # fmt: skip


@given(err=SHARES, oob=SHARES, gamma=SHARES)
def test_632_plus_as_the_paper_writes_it(err: float, oob: float, gamma: float) -> None:
    clipped = min(oob, gamma)
    rate = (clipped - err) / (gamma - err) if oob > err and gamma > err else 0.0
    plus, found, weight = point632_plus(err, oob, gamma)
    assert isclose(found, max(rate, 0.0), abs_tol=1e-12)
    assert isclose(weight, 0.632 / (1 - 0.368 * found))
    assert 0.632 <= weight <= 1 + 1e-12
    expected = point632(err, oob) + (clipped - err) * 0.368 * 0.632 * found / (1 - 0.368 * found)
    assert isclose(plus, expected, abs_tol=1e-12)
    if oob <= gamma:
        assert isclose(plus, (1 - weight) * err + weight * oob, abs_tol=1e-12)
        assert min(err, oob) - 1e-12 <= plus <= max(err, oob) + 1e-12


@pytest.mark.parametrize(
    ("err", "oob", "gamma", "rate", "plus"),
    [
        (0.0, 0.5, 0.5, 1.0, 0.5),  # nothing was learnt
        (0.0, 0.6, 0.5, 1.0, 0.632 * 0.6 + 0.5 * 0.368),  # worse than nothing: clipped
        (0.3, 0.2, 0.5, 0.0, 0.368 * 0.3 + 0.632 * 0.2),  # no overfitting
        (0.3, 0.4, 0.2, 0.0, 0.368 * 0.3 + 0.632 * 0.4),  # gamma below the apparent error
        (0.0, 0.0, 0.5, 0.0, 0.0),
    ],
)  # fmt: skip
def test_the_rules_of_clipping(err: float, oob: float, gamma: float, rate: float, plus: float) -> None:  # fmt: skip
    assert isclose(overfitting_rate(err, oob, gamma), rate)
    assert isclose(point632_plus(err, oob, gamma)[0], plus, abs_tol=1e-12)


def test_nearest_neighbour_on_labels_that_mean_nothing() -> None:
    """Efron and Tibshirani's example: the true error is 0.5, .632 says 0.316, .632+ is right."""
    found = []
    for trial in range(40):
        random = np.random.default_rng(trial)
        x, y = random.normal(size=(40, 2)), random.permutation(np.arange(40) % 2)
        losses, drawn = bootstraps_of_nearest(x, y, 40, random)
        apparent = float(np.mean(nearest(x, y, x) != y))
        found.append(bootstrap_error(losses, drawn, apparent, no_information_share(y, y)))
    assert all(one.apparent == 0 and one.no_information == 0.5 for one in found)
    mean = {name: np.mean([getattr(one, name) for one in found]) for name in ("out_of_bag", "point632", "point632_plus")}  # fmt: skip
    assert abs(mean["out_of_bag"] - 0.51) < 0.03
    assert abs(mean["point632"] - 0.316) < 0.02
    assert abs(mean["point632_plus"] - 0.49) < 0.03
    assert sum(one.low <= 0.5 <= one.high for one in found) >= 36


def weighted_error(losses: np.ndarray, drawn: np.ndarray, weights: np.ndarray) -> float:
    """Leave-one-out bootstrap error if rows are drawn, and averaged, with unequal chances."""
    chance = np.prod(weights**drawn, axis=1)
    held = drawn == 0
    errors = [chance[h] @ losses[h, row] / chance[h].sum() for row, h in enumerate(held.T)]
    return float(weights @ errors)


def losses_of_counts(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All bootstraps of n rows, with losses that are a function of how often each row was drawn."""
    drawn, table = every_bootstrap(n), np.random.default_rng(seed).normal(size=(n, n, 3))
    losses = [np.cos(drawn @ table[row]).sum(1) ** 2 for row in range(n)]
    return np.stack(losses, axis=1), drawn


@pytest.mark.parametrize(("n", "seed"), [(3, 1), (4, 1), (5, 5)])
def test_the_standard_error_is_that_of_the_derivative_over_all_bootstraps(
    n: int, seed: int
) -> None:
    """Influences are numerical derivatives of the error in the weights of the rows."""
    losses, drawn = losses_of_counts(n, seed)
    step, derivative = 1e-5, np.empty(n)
    for row in range(n):
        ends = []
        for sign in (1, -1):
            weights = np.full(n, (1 - sign * step) / n)
            weights[row] += sign * step
            ends.append(weighted_error(losses, drawn, weights))
        derivative[row] = (ends[0] - ends[1]) / (2 * step)
    spread = standard_error(np.tile(losses, (9**6 // n**n, 1)), np.tile(drawn, (9**6 // n**n, 1)))
    assert isclose(spread, np.sqrt(np.sum((derivative / n) ** 2)), rel_tol=2e-3)


def test_few_bootstraps_do_not_inflate_the_standard_error() -> None:
    losses, drawn = losses_of_counts(5, 1)
    exact = standard_error(np.tile(losses, (200, 1)), np.tile(drawn, (200, 1))) ** 2
    random, found = np.random.default_rng(0), []
    for _ in range(300):
        picked = random.integers(len(drawn), size=60)
        found.append(standard_error(losses[picked], drawn[picked]) ** 2)
    assert isclose(np.mean(found), exact, rel_tol=0.1)  # 1.5 times as much without the correction


def test_the_standard_error_is_that_of_the_paper() -> None:
    """Efron and Tibshirani 1997, equations 36 to 38, on all bootstraps of four rows."""
    drawn = every_bootstrap(4)
    losses = np.random.default_rng(0).random((256, 4))
    held = drawn == 0
    rows = out_of_bag_losses(losses, drawn)
    q = (held * losses).mean(1)
    covariance = ((drawn - 1) * q[:, None]).mean(0)
    influence = (2 + 1 / 3) * (rows - rows.mean()) / 4 + (1 - 1 / 4) ** -4 * covariance
    many = 2000
    spread = standard_error(np.tile(losses, (many, 1)), np.tile(drawn, (many, 1)))
    assert isclose(spread, np.sqrt(influence @ influence), rel_tol=1e-3)


def test_groups_of_one_row_are_rows_and_copies_of_rows_are_groups() -> None:
    random = np.random.default_rng(2)
    losses, drawn = bootstraps_of_nearest(random.normal(size=(12, 2)), np.arange(12) % 2, 50, random)  # fmt: skip
    alone = standard_error(losses, drawn)
    assert isclose(standard_error(losses, drawn, np.arange(12)[::-1]), alone)
    tripled = standard_error(
        np.repeat(losses, 3, axis=1), np.repeat(drawn, 3, axis=1), np.repeat(np.arange(12), 3)
    )
    assert isclose(tripled, alone)
    assert standard_error(losses, drawn, np.zeros(12)) == np.inf


def test_the_interval_covers_the_error_of_linear_discriminants() -> None:
    """Two normal classes, 30 rows, five columns; the error of the trained rule is computed."""
    from scipy.stats import norm

    inside = []
    for trial in range(120):
        random = np.random.default_rng(trial)
        y = np.arange(30) % 2
        x = random.normal(size=(30, 5)) + y[:, None] * np.array([1.5, 0, 0, 0, 0])

        def rule(times: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> tuple[np.ndarray, float]:  # fmt: skip
            means = [np.average(x[y == c], axis=0, weights=times[y == c]) for c in (0, 1)]
            return means[1] - means[0], (means[1] - means[0]) @ (means[1] + means[0]) / 2

        drawn = np.array([np.bincount(random.integers(30, size=30), minlength=30) for _ in range(60)])  # fmt: skip
        rules = [rule(times) for times in drawn]
        losses = np.array([(x @ w > b) != y for w, b in rules], float)
        w, b = rule(np.ones(30))
        guess = (x @ w > b).astype(int)
        found = bootstrap_error(losses, drawn, float(np.mean(guess != y)), no_information_share(y, guess))  # fmt: skip
        length = np.linalg.norm(w)
        truth = (norm.sf(b / length) + norm.cdf((b - 1.5 * w[0]) / length)) / 2
        inside.append(found.low <= truth <= found.high)
    assert 0.90 <= np.mean(inside) <= 1.0


def test_a_row_that_every_bootstrap_drew_counts_in_the_apparent_error_only() -> None:
    random = np.random.default_rng(3)
    losses, drawn = bootstraps_of_nearest(random.normal(size=(9, 2)), np.arange(9) % 2, 30, random)
    more = np.concatenate([drawn, np.ones((30, 1), int)], axis=1)
    wide = np.concatenate([losses, np.full((30, 1), np.nan)], axis=1)
    assert bootstrap_error(losses, drawn, 0.1, 0.5) == bootstrap_error(wide, more, 0.1, 0.5)


def test_squared_errors_have_a_positive_interval_that_scales() -> None:
    random = np.random.default_rng(4)
    drawn = np.array([np.bincount(random.integers(20, size=20), minlength=20) for _ in range(40)])
    losses = random.exponential(size=(40, 20))
    one = bootstrap_error(losses, drawn, 0.5, 3.0, share=False)
    large = bootstrap_error(losses * 1e6, drawn, 0.5e6, 3e6, share=False)
    assert 0 < one.low < one.point632_plus < one.high
    np.testing.assert_allclose([large.low, large.high, large.spread], np.array([one.low, one.high, one.spread]) * 1e6)  # fmt: skip
    right = bootstrap_error(losses * 0, drawn, 0.0, 3.0, share=False)
    assert (right.low, right.point632_plus, right.high) == (0, 0, 0)


def test_no_error_at_all_has_an_interval() -> None:
    drawn = every_bootstrap(4)
    found = bootstrap_error(np.zeros((256, 4)), drawn, 0.0, 0.5)
    assert (found.point632_plus, found.low) == (0, 0)
    assert isclose(found.high, 0.4899, abs_tol=1e-4)  # Wilson, 0 of 4


@pytest.mark.parametrize(
    ("losses", "drawn"),
    [(np.zeros((2, 3)), np.zeros((2, 4))), (np.zeros(3), np.zeros(3)), (np.zeros((2, 2)), np.ones((2, 2)))],
)  # fmt: skip
def test_losses_that_do_not_fit_are_refused(losses: np.ndarray, drawn: np.ndarray) -> None:
    with pytest.raises(InputError, match="losses do not fit the bootstraps"):
        bootstrap_error(losses, drawn, 0.0, 0.5)
