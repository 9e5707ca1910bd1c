"""Rates of classes, calibration, thresholds and slices, against other implementations."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve, precision_recall_fscore_support, roc_curve
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.functional.classification import multiclass_calibration_error

from chymist.errors import InputError
from chymist.evidence.calibration import reliability
from chymist.evidence.class_rates import class_rates
from chymist.evidence.slices import banded, slices
from chymist.evidence.thresholds import threshold_counts
from chymist.metrics import confusion_matrix
from chymist.values import Predictions


def answers(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Targets, and probabilities that know something of them."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, classes, n)
    scores = random.normal(0, 1, (n, classes)) + 1.5 * np.eye(classes)[targets]
    chances = np.exp(scores)
    return targets, chances / chances.sum(1, keepdims=True)


def test_rates_of_classes_are_those_of_scikit_learn_and_statsmodels() -> None:
    targets, chances = answers(300, 5)
    labels = chances.argmax(1)
    found = class_rates(confusion_matrix(targets, labels, 5))
    precision, recall, _, support = precision_recall_fscore_support(targets, labels)
    for c, rate in enumerate(found):
        assert rate.true == support[c]
        assert rate.recall == pytest.approx(recall[c])
        assert rate.precision == pytest.approx(precision[c])
        ends = proportion_confint(rate.right, rate.true, method="wilson")
        assert (rate.low, rate.high) == pytest.approx(ends)


def test_a_class_without_rows_has_no_recall() -> None:
    rate = class_rates(np.array([[3, 0], [0, 0]]))[1]
    assert np.isnan(rate.recall)
    assert np.isnan(rate.precision)
    assert (rate.low, rate.high) == (0.0, 1.0)


@pytest.mark.parametrize("bins", [5, 15])
def test_the_calibration_error_is_that_of_torchmetrics(bins: int) -> None:
    targets, chances = answers(500, 4)
    sure, right = chances.max(1), chances.argmax(1) == targets
    found = reliability(sure, right, bins)
    other = multiclass_calibration_error(
        torch.from_numpy(chances), torch.from_numpy(targets), num_classes=4, n_bins=bins, norm="l1"
    )
    assert found.error == pytest.approx(float(other), abs=1e-6)
    assert sum(one.rows for one in found.bins) == 500
    for one in found.bins:
        if one.rows:
            assert one.start < one.sure <= one.end
            assert one.low <= one.right <= one.high


def test_what_is_calibrated_is_called_off_in_about_one_of_twenty() -> None:
    random, off = np.random.default_rng(0), 0
    for _ in range(200):
        sure = random.uniform(0.3, 1, 150)
        off += reliability(sure, random.random(150) < sure).verdict == "off"
    assert off / 200 < 0.1
    sure = random.uniform(0.5, 1, 150)
    assert reliability(sure, random.random(150) < sure - 0.3).verdict == "off"


def test_reliability_needs_probabilities() -> None:
    with pytest.raises(InputError):
        reliability(np.array([1.5]), np.array([1]))
    with pytest.raises(InputError):
        reliability(np.zeros(0), np.zeros(0))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60))
def test_thresholds_are_those_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    targets = np.array([int(wanted) for wanted, _ in rows])
    scores = np.array([score / 9 for _, score in rows])
    if len(set(targets.tolist())) < 2:
        with pytest.raises(InputError):
            threshold_counts(targets, scores)
        return
    found = threshold_counts(targets, scores)
    alarm_rate, recall, thresholds = roc_curve(targets, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.thresholds, thresholds[1:])
    np.testing.assert_allclose(found.recall, recall[1:])
    np.testing.assert_allclose(found.alarm_rate, alarm_rate[1:])
    precision, found_of, at = precision_recall_curve(targets, scores)
    np.testing.assert_allclose(found.thresholds[::-1], at)
    np.testing.assert_allclose(found.precision[::-1], precision[:-1])
    np.testing.assert_allclose(found.recall[::-1], found_of[:-1])


def test_slices_are_scores_of_their_rows_and_cover_all_of_them() -> None:
    targets, chances = answers(200, 3)
    made = Predictions(np.arange(200), targets, chances)
    labels = np.array([f"v{n % 17}" for n in range(200)])
    found = slices(made, labels, "accuracy", "valid")
    assert sum(one.score.n for one in found) == 200
    assert found[-1].name == "(all others)"
    right = chances.argmax(1) == targets
    for one in found[:-1]:
        assert one.score.value == right[labels == one.name].mean()
        ends = proportion_confint(right[labels == one.name].sum(), one.score.n, method="wilson")
        assert (one.score.low, one.score.high) == pytest.approx(ends)


@given(st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), min_size=1, max_size=80))
def test_bands_hold_every_number_once_and_in_order(values: list[float]) -> None:
    numbers = np.array(values)
    names = banded(numbers)
    assert all((name == "(empty)") == np.isnan(v) for name, v in zip(names, numbers, strict=True))
    assert len(set(names[~np.isnan(numbers)])) <= 5
    known = np.argsort(numbers[~np.isnan(numbers)], kind="stable")
    ordered = names[~np.isnan(numbers)][known].tolist()
    changes = sum(a != b for a, b in pairwise(ordered))
    assert changes == max(0, len(set(ordered)) - 1)
