"""Metrics against scikit-learn (to 1e-12) and torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional import classification as tm

from chymist import metrics
from chymist.errors import ChymistError, InputError, UsageError
from chymist.keys import generator
from chymist.values import Predictions


def labels_case(seed, n, classes):
    rng = generator(seed, "case", n, classes)
    # Few classes drawn out of many, so that some occur only in targets or only in predictions.
    return rng.integers(0, classes, n), rng.integers(0, classes, n)


def probabilities_case(seed, n, classes, digits):
    rng = generator(seed, "case", n, classes)
    targets = np.concatenate([np.arange(classes), rng.integers(0, classes, n)])
    table = np.round(rng.dirichlet(np.ones(classes), n + classes), digits)  # rounding makes ties
    table[table.sum(1) == 0, 0] = 1.0
    return targets, table / table.sum(1, keepdims=True)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 8))
def test_label_metrics_equal_scikit_learn(seed, n, classes):
    t, p = labels_case(seed, n, classes)
    seen, either = np.unique(t), np.union1d(t, p)
    recalls = sk.recall_score(t, p, labels=seen, average=None, zero_division=0)
    expected = {
        "accuracy": sk.accuracy_score(t, p),
        "error": 1 - sk.accuracy_score(t, p),
        # scikit-learn's own balanced accuracy warns when a class occurs in predictions only.
        "balanced_accuracy": recalls.mean(),
        "f1_macro": sk.f1_score(t, p, labels=either, average="macro", zero_division=0),
        "f1_micro": sk.f1_score(t, p, labels=either, average="micro"),
    }
    for name, value in expected.items():
        assert getattr(metrics, name)(t, p) == pytest.approx(value, abs=1e-12), name
    table = metrics.confusion_matrix(t, p, classes)
    if classes > 1:  # scikit-learn warns about a single label
        np.testing.assert_array_equal(table, sk.confusion_matrix(t, p, labels=range(classes)))


def test_balanced_accuracy_equals_scikit_learn_directly():
    t, p = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 0, 1, 2, 0])
    assert metrics.balanced_accuracy(t, p) == pytest.approx(sk.balanced_accuracy_score(t, p), abs=0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 6), st.sampled_from([1, 2, 16]))
def test_probability_metrics_equal_scikit_learn(seed, n, classes, digits):
    t, p = probabilities_case(seed, n, classes, digits)
    given_ = p[:, 1] if classes == 2 else p
    area = sk.roc_auc_score(t, given_, multi_class="ovr")
    loss = sk.log_loss(t, y_proba=p, labels=np.arange(classes))
    assert metrics.auc(t, p) == pytest.approx(area, abs=1e-12)
    assert metrics.log_loss(t, p) == pytest.approx(loss, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_clips_like_scikit_learn(dtype):
    t, p = np.array([0, 1, 1]), np.array([[1, 0], [1, 0], [0, 1]], dtype=dtype)
    assert metrics.log_loss(t, p) == pytest.approx(sk.log_loss(t, y_proba=p), rel=1e-6)
    assert metrics.log_loss(t, p) == pytest.approx(-np.log(np.finfo(dtype).eps) / 3, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60), st.sampled_from([None, 1, 3]), st.booleans())
def test_value_metrics_equal_scikit_learn(seed, n, outputs, constant):
    rng = generator(seed, "case")
    shape = (n,) if outputs is None else (n, outputs)
    t = np.full(shape, 2.0) if constant else rng.normal(1e3, 5, shape)
    p = t + rng.normal(0, 3, shape)
    assert metrics.rmse(t, p) == pytest.approx(sk.root_mean_squared_error(t, p), rel=1e-12)
    assert metrics.mae(t, p) == pytest.approx(sk.mean_absolute_error(t, p), rel=1e-12)
    assert metrics.r2(t, p) == pytest.approx(sk.r2_score(t, p), rel=1e-10, abs=1e-12)
    assert metrics.r2(t, t) == 1.0


def test_two_metrics_equal_torchmetrics():
    t, p = probabilities_case(5, 200, 4, 2)
    ours = metrics.auc(t, p), metrics.f1_macro(t, p.argmax(1))
    tensors = torch.tensor(p), torch.tensor(t)
    area = tm.multiclass_auroc(*tensors, num_classes=4, average="macro")
    share = tm.multiclass_f1_score(*tensors, num_classes=4, average="macro")
    assert ours == pytest.approx((float(area), float(share)), abs=1e-6)


def test_known_numbers():
    t, p = np.array([0, 1, 2, 2, 1]), np.array([0, 2, 2, 2, 1])
    assert metrics.accuracy(t, p) == 0.8
    assert metrics.balanced_accuracy(t, p) == pytest.approx((1 + 0.5 + 1) / 3)
    assert metrics.confusion_matrix(t, p).tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 2]]
    assert metrics.confusion_matrix(t, p, 4).shape == (4, 4)


def test_all_metrics_leaves_out_what_is_undefined():
    one_class = Predictions(np.arange(3), np.zeros(3, int), np.full((3, 2), 0.5))
    assert "auc" not in metrics.all_metrics(one_class)
    assert set(metrics.all_metrics(one_class)) >= {"accuracy", "log_loss", "f1_macro"}
    one_row = Predictions(np.arange(1), np.array([1.0]), np.array([2.0]))
    assert metrics.all_metrics(one_row) == {"rmse": 1.0, "mae": 1.0}
    many = Predictions(np.arange(3), np.eye(3)[:, :2], np.eye(3)[:, :2] + 1)
    assert metrics.all_metrics(many)["rmse"] == 1.0


def test_the_table_of_metrics():
    assert [m.name for m in metrics.METRICS.values() if m.headline] == ["accuracy", "rmse"]
    for name, metric in metrics.METRICS.items():
        assert metric.function is getattr(metrics, name)
        assert metric.needs in ("labels", "scores", "probabilities", "values")
    falling = {m.name for m in metrics.METRICS.values() if not m.greater_is_better}
    assert falling == {"error", "log_loss", "perplexity", "rmse", "mae"}


ONES, EYE = np.ones(3, int), np.eye(3)


@pytest.mark.parametrize(
    ("function", "targets", "given_", "words"),
    [
        (metrics.accuracy, ONES, ONES[:, None], "do not match"),
        (metrics.accuracy, ONES, np.ones(2, int), "do not match"),
        (metrics.accuracy, ONES[:0], ONES[:0], "at least one row"),
        (metrics.accuracy, ONES, ONES * 0.5, "class indices"),
        (metrics.f1_macro, ONES, -ONES, "class indices"),
        (metrics.rmse, ONES * 1.0, EYE[:, :1], "do not match"),
        (metrics.mae, EYE, EYE[:, :1], "do not match"),
        (metrics.r2, ONES * 1.0, np.array([1, np.nan, 1]), "finite"),
        (metrics.r2, np.array([1.0]), np.array([1.0]), "two rows"),
        (metrics.rmse, np.zeros(0), np.zeros(0), "do not match"),
        (metrics.log_loss, ONES, np.full(3, 0.5), "do not match"),
        (metrics.log_loss, ONES, EYE * 3, "between 0 and 1"),
        (metrics.log_loss, ONES, EYE * np.nan, "between 0 and 1"),
        (metrics.log_loss, ONES * 5, EYE, "out of range"),
        (metrics.auc, ONES, EYE, "every class"),
        (metrics.auc, np.zeros(3, int), np.ones((3, 1)), "every class"),
    ],
)
def test_wrong_inputs_are_one_clear_line(function, targets, given_, words):
    with pytest.raises(InputError, match=words) as caught:
        function(targets, given_)
    assert len(str(caught.value)) <= 200


def test_wrong_names_are_usage_errors():
    made = Predictions(np.arange(3), ONES * 0, EYE)
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        metrics.measure(made, "acuracy")
    with pytest.raises(UsageError, match="does not fit classification"):
        metrics.measure(made, "rmse")
    with pytest.raises(ChymistError, match="out of range"):
        metrics.confusion_matrix(ONES * 3, ONES, 2)
