"""Leave-one-out in closed form against refits, scikit-learn, and its own promise: nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chymist.errors import InputError, UsageError
from chymist.evidence.approximate_leave_one_out import (
    _stepped,
    approximate_softmax,
    class_probabilities,
    fit_softmax,
)
from chymist.evidence.leave_one_out import gaussian_classifiers, in_parts, ridge_path
from chymist.keys import generator

PENALTIES = np.geomspace(1e-3, 1e3, 100)
DIABETES = load_diabetes(return_X_y=True)


def refits(x, y, penalties, standardize=False):
    """n refits, each by an augmented least-squares problem: no moment, no hat matrix."""
    made = np.empty((len(penalties), *y.shape))
    for row in range(len(x)):
        kept = np.arange(len(x)) != row
        mean, scale = x[kept].mean(0), np.ones(x.shape[1])
        if np.any(standardize):
            varied = np.ptp(x[kept], 0) > 0
            scale = np.where(varied & standardize, x[kept].std(0), 1.0)
        a, level = (x[kept] - mean) / scale, y[kept].mean(0)
        for place, penalty in enumerate(penalties):
            wide = np.vstack([a, np.sqrt(penalty) * np.eye(x.shape[1])]) if penalty else a
            tall = np.zeros((len(wide), *y.shape[1:]))
            tall[: len(a)] = y[kept] - level
            weights = np.linalg.lstsq(wide, tall, rcond=None)[0]
            made[place, row] = level + (x[row] - mean) / scale @ weights
    return made


def random_rows(seed, n, d, outputs=()):
    draw = generator(seed, "test")
    return draw.normal(size=(n, d)), draw.normal(size=(n, *outputs))


def test_ridge_on_diabetes_equals_scikit_learns_refits():
    x, y = DIABETES
    expected = cross_val_predict(Ridge(0.1, solver="svd"), x, y, cv=LeaveOneOut())
    assert np.abs(ridge_path(x, y, [0.1])[0] - expected).max() < 1e-10


def test_the_whole_path_on_diabetes_equals_scikit_learns_closed_form():
    x, y = DIABETES
    model = RidgeCV(alphas=PENALTIES, store_cv_results=True).fit(x, y)
    found = (ridge_path(x, y, PENALTIES) - y) ** 2
    assert np.abs(found.T - model.cv_results_).max() < 1e-7  # squares of up to 25,000


@pytest.mark.hard
@pytest.mark.parametrize("standardize", [False, True])
def test_the_whole_path_on_diabetes_equals_refits(standardize):
    x, y = DIABETES
    penalties = [0.0, *PENALTIES]
    found = ridge_path(x, y, penalties, standardize=standardize)
    assert np.abs(found - refits(x, y, penalties, standardize)).max() < 1e-10


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("rows", [2, 3, 8, 10, 11, 12, 40])
def test_few_rows_of_diabetes_equal_refits(rows, standardize):
    x, y = DIABETES[0][:rows], DIABETES[1][:rows]
    penalties = [0.0, 1e-6, 1e-3, 1.0, 1e4]
    expected = refits(x, y, penalties, standardize)
    found = ridge_path(x, y, penalties, standardize=standardize)
    # 12 rows: without one of them the rest is ill-conditioned, and a prediction is -1630.
    assert np.abs(found - expected).max() < 1e-12 * np.abs(expected).max()


def test_least_squares_of_few_rows_depends_on_their_scales():
    x, y = DIABETES[0][:8], DIABETES[1][:8]
    found = ridge_path(x, y, [0.0], standardize=True)
    assert np.abs(found - refits(x, y, [0.0], True)).max() < 1e-9
    assert np.abs(found - ridge_path(x, y, [0.0])).max() > 0.1


def test_scales_are_those_of_the_other_rows():
    x, y = DIABETES[0][:60], DIABETES[1][:60]
    found = ridge_path(x, y, [7.0], standardize=True)[0]
    honest = cross_val_predict(make_pipeline(StandardScaler(), Ridge(7.0)), x, y, cv=LeaveOneOut())
    leaking = cross_val_predict(Ridge(7.0), StandardScaler().fit_transform(x), y, cv=LeaveOneOut())
    assert np.abs(found - honest).max() < 1e-10
    assert np.abs(found - leaking).max() > 0.1


def test_only_some_columns_are_standardised():
    x, y = random_rows(1, 20, 3)
    x = x * [1.0, 50.0, 0.02]
    chosen = np.array([True, False, True])
    found = ridge_path(x, y, [0.0, 3.0], standardize=chosen)
    assert np.abs(found - refits(x, y, [0.0, 3.0], chosen)).max() < 1e-10


def test_least_squares_does_not_depend_on_units():
    x, y = DIABETES
    expected = cross_val_predict(LinearRegression(), x, y, cv=LeaveOneOut())
    for scale in (1.0, 1e6):
        for standardize in (False, True):
            found = ridge_path(scale * x + 3.0, y, [0.0], standardize=standardize)[0]
            assert np.abs(found - expected).max() < 1e-7


@pytest.mark.parametrize("standardize", [False, True])
def test_rows_that_the_others_do_not_determine(standardize):
    x, y = random_rows(2, 15, 3, (2,))
    only, constant = np.zeros((15, 1)), np.ones((15, 1))
    only[4] = 2.0
    twice = x[:, :1] + x[:, 1:2]  # rank deficient
    wide = np.hstack([x, only, constant, twice])
    penalties = [0.0, 1e-3, 5.0]
    found = ridge_path(wide, y, penalties, standardize=standardize)
    assert found.shape == (3, 15, 2)
    assert np.abs(found - refits(wide, y, penalties, standardize)).max() < 1e-9


def test_constant_inputs_predict_the_mean_of_the_others():
    y = np.array([1.0, 2.0, 6.0])
    for standardize in (False, True):
        found = ridge_path(np.ones((3, 2)), y, [0.0, 1.0], standardize=standardize)
        assert found == pytest.approx(np.array([[4.0, 3.5, 1.5]] * 2))


def test_parts_of_the_rows_give_the_same(monkeypatch):
    x, y = random_rows(3, 30, 4)
    whole = ridge_path(x, y, [1.0, 2.0], standardize=True)
    monkeypatch.setattr("chymist.evidence.leave_one_out.NUMBERS_AT_ONCE", 100)
    assert len(list(in_parts(np.arange(30), 40))) == 15
    assert ridge_path(x, y, [1.0, 2.0], standardize=True) == pytest.approx(whole, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6), n=st.integers(3, 9), d=st.integers(1, 11),
    shift=st.floats(-1e3, 1e3), standardize=st.booleans(),
)  # fmt: skip
def test_the_target_of_a_row_does_not_move_its_prediction(seed, n, d, shift, standardize):
    x, y = random_rows(seed, n, d)
    row = seed % n
    other = y.copy()
    other[row] += shift
    penalties = [0.01, 1.0]
    before = ridge_path(x, y, penalties, standardize=standardize)[:, row]
    after = ridge_path(x, other, penalties, standardize=standardize)[:, row]
    assert np.abs(before - after).max() < 1e-8 * (1 + abs(shift))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["lda", "qda", "gaussian"]))
def test_the_class_of_a_row_does_not_move_its_prediction(seed, kind):
    x, _ = random_rows(seed, 24, 3)
    y, row = np.arange(24) % 3, seed % 24
    other = y.copy()
    other[row] = (y[row] + 1) % 3
    before, after = (gaussian_classifiers(x, labels, kind)[row] for labels in (y, other))
    assert np.abs(before - after).max() < 1e-9


CLASSIFIERS = {
    "lda": LinearDiscriminantAnalysis(solver="lsqr"),
    "qda": QuadraticDiscriminantAnalysis(),
    "gaussian": GaussianNB(),
}


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("load", [load_iris, load_wine])
def test_gaussian_classifiers_equal_scikit_learns_refits(load, kind):
    x, y = load(return_X_y=True)
    model = CLASSIFIERS[kind]
    expected = cross_val_predict(model, x, y, cv=LeaveOneOut(), method="predict_proba")
    found = gaussian_classifiers(x, y, kind)
    assert np.abs(found - expected).max() < 1e-9
    assert (found.argmax(1) == expected.argmax(1)).all()


def test_lda_of_iris_has_147_right_of_150():
    x, y = load_iris(return_X_y=True)
    model = LinearDiscriminantAnalysis()  # scikit-learn's default solver
    expected = cross_val_predict(model, x, y, cv=LeaveOneOut(), method="predict_proba")
    found = gaussian_classifiers(x, y, "lda")
    assert (found.argmax(1) == y).sum() == 147
    assert np.abs(found - expected).max() < 1e-10


def test_frequencies_are_those_of_the_other_rows():
    # Inputs that say nothing: only the frequencies of the classes are left.
    x = np.array([-1.0, 1.0, -1.0, 1.0, -1.0, 1.0])[:, None]
    y = np.array([0, 0, 0, 0, 1, 1])
    expected = cross_val_predict(GaussianNB(), x, y, cv=LeaveOneOut(), method="predict_proba")
    assert np.abs(gaussian_classifiers(x, y, "gaussian") - expected).max() < 1e-12


def test_a_column_that_is_constant_without_one_row():
    x, y = load_iris(return_X_y=True)
    x = np.column_stack([x, np.arange(150) == 7]).astype(float)
    expected = cross_val_predict(GaussianNB(), x, y, cv=LeaveOneOut(), method="predict_proba")
    assert np.abs(gaussian_classifiers(x, y, "gaussian") - expected).max() < 1e-7
    for kind in ("lda", "qda"):
        with pytest.raises(InputError, match="singular"):
            gaussian_classifiers(x, y, kind)


def test_a_row_that_is_far_away():
    x, y = load_iris(return_X_y=True)
    x[107, 2] = 1e8  # its square takes all digits of the others'
    expected = cross_val_predict(GaussianNB(), x, y, cv=LeaveOneOut(), method="predict_proba")
    assert np.abs(gaussian_classifiers(x, y, "gaussian") - expected).max() < 1e-7


def test_the_smallest_class_that_qda_can_do_without_a_row():
    x, _ = random_rows(6, 11, 3)
    y = np.array([0] * 5 + [1] * 6)
    model = QuadraticDiscriminantAnalysis(tol=0)
    expected = cross_val_predict(model, x, y, cv=LeaveOneOut(), method="predict_proba")
    assert np.abs(gaussian_classifiers(x, y, "qda") - expected).max() < 1e-9
    with pytest.raises(InputError, match="too few rows"):
        gaussian_classifiers(x[1:], y[1:], "qda")


@pytest.mark.parametrize("kind", ["lda", "qda"])
def test_discriminants_do_not_depend_on_units(kind):
    x, y = load_iris(return_X_y=True)
    turned = x @ generator(4, "test").normal(size=(4, 4)) * [1e-3, 1.0, 1.0, 1e5] + 9.0
    expected = gaussian_classifiers(x, y, kind)
    assert np.abs(gaussian_classifiers(turned, y, kind) - expected).max() < 1e-7


def test_wrong_inputs_are_refused():
    x, y = np.eye(4), np.array([0, 0, 0, 1])
    with pytest.raises(InputError, match="too few rows"):
        gaussian_classifiers(x, y, "lda")
    with pytest.raises(InputError, match="too few rows"):
        gaussian_classifiers(np.eye(8), np.arange(8) % 2, "qda")
    with pytest.raises(InputError, match="too few rows"):
        approximate_softmax(x, y, 1.0)
    with pytest.raises(InputError, match="singular"):
        gaussian_classifiers(np.eye(8), np.arange(8) % 2, "lda")
    with pytest.raises(InputError, match="constant"):
        gaussian_classifiers(np.ones((4, 2)), np.array([0, 0, 1, 1]), "gaussian")
    with pytest.raises(InputError, match="one class"):
        gaussian_classifiers(x, np.zeros(4, int), "lda")
    with pytest.raises(InputError, match="class indices"):
        gaussian_classifiers(x, y.astype(float), "lda")
    with pytest.raises(UsageError, match="unknown kind"):
        gaussian_classifiers(x, y, "svm")
    with pytest.raises(InputError, match="at least two rows"):
        ridge_path(x[:1], [1.0], [1.0])
    with pytest.raises(InputError, match="finite matrix"):
        ridge_path(np.array([[np.nan], [1.0]]), [1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="one finite target a row"):
        ridge_path(x, [1.0, 2.0], [1.0])
    for penalties in ([-1.0], [], [np.inf], [[1.0]]):
        with pytest.raises(UsageError, match="penalties"):
            ridge_path(x, np.arange(4.0), penalties)
    with pytest.raises(UsageError, match="two classes"):
        approximate_softmax(np.eye(6), np.arange(6) % 3, 1.0, kind="logistic")
    with pytest.raises(UsageError, match="too many weights"):
        fit_softmax(np.zeros((4, 3000)), np.array([0, 0, 1, 1]), 1.0)
    with pytest.raises(UsageError, match="above 0"):
        approximate_softmax(x, np.array([0, 0, 1, 1]), 0.0)


@pytest.mark.parametrize(
    ("load", "kind"), [(load_wine, "softmax"), (load_breast_cancer, "logistic")]
)
def test_softmax_equals_scikit_learn(load, kind):
    x, y = load(return_X_y=True)
    scaled = StandardScaler().fit_transform(x)
    model = LogisticRegression(C=0.5, tol=1e-12, max_iter=10_000).fit(scaled, y)
    found = class_probabilities(fit_softmax(x, y, 2.0, kind=kind).logits(x))
    assert np.abs(found - model.predict_proba(scaled)).max() < 1e-6


@pytest.mark.parametrize(
    ("load", "kind"), [(load_iris, "softmax"), (load_breast_cancer, "logistic")]
)
def test_one_newton_step_is_near_the_refit(load, kind):
    x, y = load(return_X_y=True)
    rows = generator(5, "test").permutation(len(x))[:100]
    x, y = x[rows, :6], y[rows]
    made, audit = approximate_softmax(x, y, 3.0, kind=kind, rows=100)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / 3, tol=1e-10, max_iter=2000))
    exact = cross_val_predict(model, x, y, cv=LeaveOneOut(), method="predict_proba")
    inside = class_probabilities(fit_softmax(x, y, 3.0, kind=kind).logits(x))
    truth = np.arange(100), y
    off = np.abs(made - exact)[truth]
    assert off.max() < 0.01
    assert off.mean() < 0.02 * np.abs(inside - exact)[truth].mean()
    assert (audit.rows, audit.influential) == (100, 0)
    assert audit.largest == pytest.approx(off.max(), rel=1e-3)
    assert audit.mean == pytest.approx(off.mean(), rel=1e-2)
    effects = np.corrcoef((exact - inside)[truth], (made - inside)[truth])[0, 1]
    assert 1 - audit.correlation == pytest.approx(1 - effects, rel=0.05)
    assert audit.correlation > 0.999
    assert audit.labels_changed == (made.argmax(1) != exact.argmax(1)).sum()


def test_the_step_takes_the_change_of_scales_into_account(monkeypatch):
    x, y = load_iris(return_X_y=True)
    _, audit = approximate_softmax(x, y, 10.0, rows=150)
    monkeypatch.setattr("chymist.evidence.approximate_leave_one_out._stepped", without_scales)
    _, blind = approximate_softmax(x, y, 10.0, rows=150)
    assert audit.mean < 0.2 * blind.mean


def without_scales(x, y, weights, penalty, scaled):
    return _stepped(x, y, weights, penalty, np.zeros_like(scaled))


def test_the_audit_finds_where_the_step_fails():
    x, y = load_wine(return_X_y=True)
    _, audit = approximate_softmax(x, y, 0.01)
    assert audit.rows == 30
    assert audit.influential == 5
    assert audit.mean < 1e-3 < 0.1 < audit.largest
    assert audit.labels_changed == 1
    assert str(audit).count("\n") == 0
    assert "approximate" in str(audit)


def test_the_audit_is_keyed():
    x, y = load_iris(return_X_y=True)
    audits = [approximate_softmax(x, y, 1.0, rows=5, seed=seed)[1] for seed in (0, 0, 1)]
    assert audits[0] == audits[1] != audits[2]


def test_softmax_in_parts_gives_the_same(monkeypatch):
    x, y = load_iris(return_X_y=True)
    whole, _ = approximate_softmax(x, y, 1.0, rows=1)
    monkeypatch.setattr("chymist.evidence.leave_one_out.NUMBERS_AT_ONCE", 1000)
    made, _ = approximate_softmax(x, y, 1.0, rows=1)
    assert np.abs(made - whole).max() < 1e-12
