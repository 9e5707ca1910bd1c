"""Bias and variance against formulas written row by row, and identities that must add up."""

from __future__ import annotations

from collections import Counter
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chymist.errors import InputError
from chymist.evidence import bias_variance, bias_variance_zero_one
from chymist.evidence import decomposition as module
from chymist.keys import generator


def members(*coordinates, m=12, n=40):
    rng = generator(0, "members", *coordinates)
    truth = rng.normal(0, 1, n)
    return truth + 0.5 + rng.normal(0, 2, n) * 0.3 + rng.normal(0, 0.7, (m, n)), truth


def parts(found):
    return np.array([found.error, found.bias, found.variance])


def plain_squared(predictions, targets):
    """mlxtend's formulas: mean squared error, bias of the mean prediction, plain variance."""
    main = np.mean(predictions, axis=0)
    bias = np.sum((main - targets) ** 2) / targets.size
    variance = np.sum((main - predictions) ** 2) / predictions.size
    return np.mean((predictions - targets) ** 2), bias, variance


@pytest.mark.parametrize("shape", [(2, 1), (3, 5), (30, 17), (6, 4, 3)])
def test_squared_parts_are_the_plain_ones_corrected(shape):
    rng = generator(0, "shape", *shape)
    predictions, targets = rng.normal(0, 1, shape), rng.normal(0, 1, shape[1:])
    error, bias, variance = plain_squared(predictions, targets)
    found, m = bias_variance(predictions, targets), shape[0]
    assert found.error == pytest.approx(error, abs=1e-12)
    assert found.variance == pytest.approx(variance * m / (m - 1), abs=1e-12)
    assert found.bias == pytest.approx(bias - found.variance / m, abs=1e-12)
    assert found.error == pytest.approx(found.bias + found.variance, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 50), st.floats(0, 3))
def test_squared_parts_add_up(m, n, seed, noise):
    predictions, targets = members(seed, m=m, n=n)
    found = bias_variance(predictions, targets, noise)
    assert found.noise + found.bias + found.variance == pytest.approx(found.error, abs=1e-12)


def test_squared_parts_are_unbiased_over_members():
    rng = generator(0, "truth")
    center, targets = rng.normal(0, 1, 20), rng.normal(0, 1, 20)
    found = [
        bias_variance(center + generator(k, "draw").normal(0, 1.5, (4, 20)), targets)
        for k in range(2000)
    ]
    bias, variance = np.mean((center - targets) ** 2), 1.5**2
    mean = np.mean([parts(f) for f in found], axis=0)
    # Four members: the plain bias would be too large by 0.56, the plain variance too small by it.
    assert mean == pytest.approx([bias + variance, bias, variance], abs=0.05)


def test_squared_spreads_are_the_brute_force_jackknife():
    predictions, targets = members("jackknife", m=9)
    found = bias_variance(predictions, targets)
    without = [parts(bias_variance(np.delete(predictions, k, 0), targets)) for k in range(9)]
    expected = np.sqrt(8 / 9 * np.sum((without - np.mean(without, axis=0)) ** 2, axis=0))
    spreads = found.error_spread, found.bias_spread, found.variance_spread
    assert spreads == pytest.approx(expected, abs=1e-12)
    two = bias_variance(predictions[:2], targets)
    assert (two.bias_spread, two.variance_spread) == (inf, inf)


def test_squared_spreads_are_the_spread_over_repetitions():
    rng = generator(1, "truth")
    center, targets = rng.normal(0, 1, 30), np.zeros(30)
    found = [
        bias_variance(center + generator(k, "draw").normal(0, 1, (15, 30)), targets)
        for k in range(600)
    ]
    true = np.std([parts(f) for f in found], axis=0)
    spreads = [(f.error_spread, f.bias_spread, f.variance_spread) for f in found]
    assert np.mean(spreads, axis=0) == pytest.approx(true, rel=0.12)


def by_rows(votes, targets):
    """Domingos 2000 row by row, with his factor c2 of the variance."""
    n = votes.shape[1]
    bias = variance = unbiased = biased = error = 0.0
    for j in range(n):
        counts = Counter(votes[:, j].tolist())
        main = min(c for c in counts if counts[c] == max(counts.values()))
        wrong = main != targets[j]
        v = np.mean(votes[:, j] != main)
        others = votes[:, j][votes[:, j] != main]
        factor = 1.0 if not wrong else -np.mean(others == targets[j]) if len(others) else 0.0
        bias, variance = bias + wrong / n, variance + v / n
        unbiased += 0 if wrong else v / n
        biased += -factor * v / n if wrong else 0
        error += (wrong + factor * v) / n
    return error, bias, variance, unbiased, biased


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.integers(2, 5), st.integers(0, 99))
def test_zero_one_parts_are_those_of_the_paper_and_add_up(m, n, classes, seed):
    rng = generator(seed, "votes", m, n, classes)
    votes, targets = rng.integers(0, classes, (m, n)), rng.integers(0, classes, n)
    found = bias_variance_zero_one(votes, targets, resamples=2)
    mine = [*parts(found), found.unbiased_variance, found.biased_variance]
    assert mine == pytest.approx(by_rows(votes, targets), abs=1e-12)
    assert found.error == pytest.approx(np.mean(votes != targets), abs=1e-12)
    total = found.bias + found.unbiased_variance - found.biased_variance
    assert total == pytest.approx(found.error, abs=1e-12)
    if classes == 2:
        both = found.unbiased_variance + found.biased_variance
        assert both == pytest.approx(found.variance, abs=1e-12)


def test_zero_one_spreads_are_the_brute_force_bootstrap(monkeypatch):
    rng = generator(0, "votes")
    votes, targets = rng.integers(0, 3, (10, 50)), rng.integers(0, 3, 50)
    monkeypatch.setattr(module, "BLOCK", 3 * 201 * 7)  # seven rows at a time
    found = bias_variance_zero_one(votes, targets)
    draws = generator(0, "members").multinomial(10, np.full(10, 0.1), size=200)
    again = [by_rows(np.repeat(votes, counts, axis=0), targets)[:3] for counts in draws]
    spreads = found.error_spread, found.bias_spread, found.variance_spread
    assert spreads == pytest.approx(np.std(again, axis=0, ddof=1), abs=1e-12)


def test_members_that_agree_have_no_variance():
    votes, targets = np.array([[0, 1, 1, 2]] * 3), np.array([0, 1, 2, 2])
    found = bias_variance_zero_one(votes, targets)
    assert parts(found).tolist() == [0.25, 0.25, 0.0]
    assert (found.error_spread, found.bias_spread, found.variance_spread) == (0, 0, 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bias_variance(np.ones((1, 3)), np.ones(3)), "two members"),
        (lambda: bias_variance(np.ones((2, 3)), np.ones(4)), "two members"),
        (lambda: bias_variance(np.ones(3), np.array(1.0)), "two members"),
        (lambda: bias_variance(np.ones((2, 0)), np.ones(0)), "two members"),
        (lambda: bias_variance(np.full((2, 3), np.nan), np.ones(3)), "finite"),
        (lambda: bias_variance(np.ones((2, 3)), np.ones(3), noise=-1), "variance"),
        (lambda: bias_variance_zero_one(np.ones((2, 3)), np.ones(3)), "whole numbers"),
        (lambda: bias_variance_zero_one(np.full((2, 1), -1), np.zeros(1, int)), "whole numbers"),
        (lambda: bias_variance_zero_one(np.zeros((1, 3), int), np.zeros(3, int)), "two members"),
    ],
)
def test_what_is_no_input_is_refused(call, words):
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert len(str(caught.value)) <= 200
