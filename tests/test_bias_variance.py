"""Bias and variance of populations: against brute force, and against a known truth."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import chymist as cy
from chymist.data.preparation import fit_preparation
from chymist.errors import Diverged, InputError, UsageError
from chymist.evidence import SquaredDecomposition, ZeroOneDecomposition, bias_variance
from chymist.keys import generator
from chymist.values import Split
from chymist.verbs import decomposing as module
from chymist.verbs.decomposing import decomposition_verdict, pure_error

CLOSED = cy.Recipe(model="linear", optimizer="closed_form", precision="float64")
SOFTMAX = cy.Recipe(model="softmax", length="4 epochs", batch_size=16, precision="float64")
SIGMA = 0.3


def powers(x, degree):
    return np.stack([x**k for k in range(1, degree + 1)], axis=1)


def waves(n, degree, seed=0, sigma=SIGMA):
    """y = sin(x) + noise, with the powers of x as columns; x and the data."""
    rng = generator(seed, "waves")
    x = rng.uniform(-3, 3, n)
    return x, cy.load((powers(x, degree), np.sin(x) + rng.normal(0, sigma, n)))


def brute(recipe, data, found, seed):
    """Predictions of the same members, each trained by `fit`."""
    made = []
    for member, train in enumerate(found.train):
        split = Split(data, train, found.rows, np.array([], np.int64), seed + member)
        made.append(cy.fit(recipe, split, seed=seed + member).predictions)
    return made


def test_squared_loss_equals_plain_fits_and_loops_over_them():
    _, data = waves(80, 3)
    recipe = cy.Recipe(
        model="linear", optimizer=cy.optim.sgd(lr=0.02), length="4 epochs", precision="float64"
    )
    found = cy.bias_variance(recipe, data, members=5, seed=3)
    made = np.array([p.outputs for p in brute(recipe, data, found, 3)])
    np.testing.assert_allclose(found.predictions, made, atol=1e-9, rtol=0)
    truth, main = data.targets[found.rows], made.mean(0)
    variance = sum(((one - main) ** 2).mean() for one in made) / 4
    error = sum(((one - truth) ** 2).mean() for one in made) / 5
    assert found.parts.variance == pytest.approx(variance, abs=1e-9)
    assert found.parts.error == pytest.approx(error, abs=1e-9)
    # The plain bias, as mlxtend has it, is too large by what the mean of five still varies.
    assert found.parts.bias == pytest.approx(((main - truth) ** 2).mean() - variance / 5, abs=1e-9)


def test_zero_one_loss_equals_plain_fits_and_loops_over_them():
    data = cy.load("iris")
    found = cy.bias_variance(SOFTMAX, data, members=5, seed=1)
    votes = np.array([p.labels for p in brute(SOFTMAX, data, found, 1)])
    np.testing.assert_array_equal(found.predictions, votes)
    truth = data.targets[found.rows]
    main = np.array([np.bincount(column).argmax() for column in votes.T])
    assert found.parts.error == pytest.approx(np.mean(votes != truth), abs=1e-12)
    assert found.parts.bias == pytest.approx(np.mean(main != truth), abs=1e-12)
    assert found.parts.variance == pytest.approx(np.mean(votes != main), abs=1e-12)
    good = np.mean((votes == truth) & (main != truth))
    assert found.parts.biased_variance == pytest.approx(good, abs=1e-12)


def test_least_squares_on_the_same_bootstraps_equals_scikit_learn():
    _, data = waves(90, 4)
    found = cy.bias_variance(CLOSED, data, members=8, seed=2)
    for train, made in zip(found.train, found.predictions, strict=True):
        prepare = fit_preparation(data, train, {})
        inputs = prepare.inputs(data.take(train), np.float64)
        model = LinearRegression().fit(inputs, prepare.targets(data.targets[train], np.float64))
        new = prepare.inputs(data.take(found.rows), np.float64)
        expected = prepare.outputs(model.predict(new))[:, 0]
        np.testing.assert_allclose(made, expected, atol=1e-9, rtol=0)


def redrawn(x, degree, size, draws=4000):
    """Bias and variance at x of least squares on fresh samples of the truth."""
    made = np.empty((draws, len(x)))
    new = np.vander(x, degree + 1)
    for draw in range(draws):
        rng = generator(draw, "truth")
        own = rng.uniform(-3, 3, size)
        y = np.sin(own) + rng.normal(0, SIGMA, size)
        made[draw] = new @ np.linalg.lstsq(np.vander(own, degree + 1), y, rcond=None)[0]
    return made


@pytest.mark.parametrize("degree", [1, 3])
def test_disjoint_sets_find_what_fresh_samples_of_the_truth_give(degree):
    members, size = 60, 60
    x, data = waves(members * size + 300, degree, seed=degree)
    found = cy.bias_variance(CLOSED, data, members, test=300, sets="disjoint")
    assert {len(train) for train in found.train} == {size}
    made = redrawn(x[found.rows], degree, size)
    bias = ((made.mean(0) - data.targets[found.rows]) ** 2).mean()
    variance = made.var(0, ddof=1).mean()
    assert abs(found.parts.bias - bias) < 3 * found.parts.bias_spread
    assert abs(found.parts.variance - variance) < 3 * found.parts.variance_spread
    # Noise stays in the bias: for degree 3, which nearly fits the sine, it is nearly all of it.
    known = ((made.mean(0) - np.sin(x[found.rows])) ** 2).mean()
    assert found.parts.bias == pytest.approx(known + SIGMA**2, rel=0.15)
    assert found.parts.variance_spread < 0.3 * variance


def test_bootstraps_come_near_the_truth():
    x, data = waves(600, 3, seed=4)
    found = cy.bias_variance(CLOSED, data, members=100, test=300)
    variance = redrawn(x[found.rows], 3, 300, draws=1000).var(0, ddof=1).mean()
    assert found.parts.variance == pytest.approx(variance, rel=0.3)
    assert found.parts.noise == 0.0
    assert "(with the noise in it)" in found.verdict


def test_bias_falls_and_variance_rises_with_the_degree():
    bias, variance = [], []
    for degree in (1, 3, 7):
        x, data = waves(2300, degree, seed=9, sigma=1.0)
        found = cy.bias_variance(CLOSED, data, 40, test=300, sets="disjoint")
        variance.append(found.parts.variance)
        main = found.predictions.mean(0)
        bias.append(((main - np.sin(x[found.rows])) ** 2).mean() - variance[-1] / 40)
        assert found.verdict.endswith("mostly bias")  # the noise of 1 is in it
    assert bias[0] > 0.1 > 0.02 > bias[1] > bias[2] - 0.01
    assert variance[0] < variance[1] < variance[2]


def test_the_mean_of_members_has_lost_the_variance():
    _, data = waves(60, 5, seed=5)
    found = cy.bias_variance(CLOSED, data, members=25, test=20)
    truth, part = data.targets[found.rows], found.parts
    together = ((found.predictions.mean(0) - truth) ** 2).mean()
    assert together == pytest.approx(part.bias + part.variance / 25, rel=1e-9)
    assert together < part.error


def test_noise_is_known_from_repeated_inputs_only():
    rng = generator(1, "repeats")
    x = np.repeat(np.linspace(-1, 1, 40), 10)
    data = cy.load((x[:, None], 2 * x + rng.normal(0, SIGMA, 400)))
    found = cy.bias_variance(CLOSED, data, members=30)
    assert found.noise_spread == pytest.approx(found.parts.noise * sqrt(2 / 360), rel=1e-12)
    assert abs(found.parts.noise - SIGMA**2) < 3 * found.noise_spread
    assert abs(found.parts.bias) < 3 * found.parts.bias_spread + 2 * SIGMA**2 * sqrt(2 / 100)
    members = bias_variance(found.predictions, data.targets[found.rows], found.parts.noise)
    known = sqrt(members.bias_spread**2 + found.noise_spread**2)
    assert found.parts.bias_spread == pytest.approx(known, rel=1e-12)
    assert "noise 0.0" in found.verdict
    assert "with the noise" not in found.verdict
    parts = found.parts
    assert parts.error == pytest.approx(parts.noise + parts.bias + parts.variance, rel=1e-12)


def test_pure_error_is_the_variance_within_equal_inputs():
    inputs = np.array([[1, 2], [1, 2], [1, 3], [4, 4], [4, 4], [4, 4]], float)
    targets = np.array([[1.0], [3.0], [9.0], [1.0], [2.0], [6.0]])
    value, freedom = pure_error(inputs, targets)
    assert freedom == 3
    assert value == pytest.approx((2 + 14) / 3)
    assert pure_error(inputs[:3:2], targets[:3:2]) == (0.0, 0)


def test_members_are_redrawn_and_never_see_the_held_rows():
    data = cy.load("iris")
    found = cy.bias_variance(SOFTMAX.replace(stop="early"), data, members=4, test=50)
    assert len(found.rows) == 50
    assert found.facts["executor"] == "population"
    assert len({train.tobytes() for train in found.train}) == 4
    for train in found.train:
        assert not np.isin(train, found.rows).any()
        assert len(train) < 100  # a tenth of the different rows decided early stopping
        assert len(np.unique(train)) < len(train)


def test_copies_of_a_row_stay_together_where_some_decide_early_stopping(monkeypatch):
    seen, real = [], module.train_jobs
    monkeypatch.setattr(
        module, "train_jobs", lambda jobs, *a, **k: (seen.extend(jobs), real(jobs, *a, **k))[1]
    )
    cy.bias_variance(SOFTMAX.replace(stop="early"), cy.load("iris"), members=3)
    for job in seen:
        distinct = len(np.unique(job.split.train)) + len(job.split.valid)
        assert len(np.unique(job.split.valid)) == len(job.split.valid) == np.ceil(0.1 * distinct)
        assert not np.isin(job.split.valid, job.split.train).any()
        assert not np.isin(job.split.valid, job.split.test).any()


def test_kinds_of_training_sets():
    data = cy.load("iris")
    made = {
        s: cy.bias_variance(SOFTMAX, data, 6, test=50, sets=s)
        for s in ("bootstrap", "subsample", "disjoint")
    }
    rest = np.setdiff1d(np.arange(150), made["bootstrap"].rows)
    for found in made.values():
        np.testing.assert_array_equal(found.rows, made["bootstrap"].rows)
        assert all(np.isin(one, rest).all() for one in found.train)
        assert len({one.tobytes() for one in found.train}) == 6
    whole, half, parts = (made[s].train for s in ("bootstrap", "subsample", "disjoint"))
    assert all(len(one) == 100 for one in whole)
    assert np.mean([len(np.unique(one)) / 100 for one in whole]) == pytest.approx(0.632, abs=0.05)
    again = cy.bias_variance(SOFTMAX, data, 3, test=50).train
    np.testing.assert_array_equal(np.stack(again), np.stack(whole[:3]))
    assert all(len(np.unique(one)) == len(one) == 50 for one in half)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), rest)


def test_groups_are_held_out_and_drawn_as_a_whole():
    data, groups = cy.load("iris"), np.arange(150) % 30
    found = cy.bias_variance(SOFTMAX, data, members=3, group=groups)
    held = set(groups[found.rows])
    for train in found.train:
        assert not held & set(groups[train])
        times = np.bincount(train, minlength=150)
        for group in set(groups[train]):
            assert len(set(times[groups == group])) == 1


def test_test_rows_of_a_split_are_never_given():
    split = cy.split(cy.load("iris"), seed=1)
    found = cy.bias_variance(SOFTMAX, split, members=3)
    assert found.sealed
    assert not np.isin(np.concatenate([found.rows, *found.train]), split.test).any()


def test_words():
    parts = SquaredDecomposition(3.0, 1.0, 1.5, 0.5, 0.1, 0.2, 0.05, 20)
    assert decomposition_verdict(parts, 0.1) == (
        "mean squared error 3 ± 0.1: noise 1 ± 0.1, bias 1.5 ± 0.2, variance 0.5 ± 0.05; mostly bias"
    )
    parts = SquaredDecomposition(3.0, 0.0, 1.5, 1.4, 0.1, 0.2, 0.05, 20)
    assert decomposition_verdict(parts).endswith("cannot tell whether bias or variance is larger")
    parts = SquaredDecomposition(3.0, 0.0, 0.5, 1.4, 0.1, 0.2, 0.05, 20)
    assert decomposition_verdict(parts).endswith("mostly variance")
    # What variance adds to the 0-1 loss counts, 4 of 9 %: the rest of it does good.
    votes = ZeroOneDecomposition(0.10, 0.06, 0.09, 0.065, 0.025, 0.004, 0.004, 0.004, 50)
    assert decomposition_verdict(votes) == (
        "error rate 10.0 ± 0.4 %: bias 6.0 ± 0.4 %, variance 9.0 ± 0.4 % (6.5 % does harm, 2.5 % "
        "does good); mostly bias"
    )


def test_what_cannot_be():
    data = cy.load("iris")
    with pytest.raises(UsageError, match="give 3 to"):
        cy.bias_variance(SOFTMAX, data, members=2)
    with pytest.raises(UsageError, match="choose 'bootstrap'"):
        cy.bias_variance(SOFTMAX, data, sets="jackknife")
    with pytest.raises(InputError, match="fewer rows"):
        cy.bias_variance(SOFTMAX, data, members=200, sets="disjoint")
    wild = cy.Recipe(model="mlp", optimizer=cy.optim.sgd(lr=1e30), length="3 epochs")
    with pytest.raises(Diverged, match="member 0"):
        cy.bias_variance(wild, data, members=3)
