"""The verb `leave_one_out`, and the folds that `cross_validate` may take from it."""

from __future__ import annotations

import doctest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import chymist as cy
from chymist.data import preparation as preparing
from chymist.evidence.leave_one_out import nearest_others, ridge_path
from chymist.keys import generator
from chymist.verbs import leaving_out
from chymist.verbs.leaving_out import exact_folds


@pytest.fixture(scope="module")
def diabetes():
    return cy.load("diabetes")


@pytest.fixture(scope="module")
def iris():
    return cy.load("iris")


def matrix(data):
    return np.column_stack(list(data.inputs.values()))


def table(rows=30, targets="number", **columns):
    draw = generator(0, "test")
    base = {"a": draw.normal(size=rows), "b": 5 + 9 * draw.normal(size=rows)}
    values = draw.normal(size=rows) if targets == "number" else list("xyz" * (rows // 3))
    return cy.load(({**base, **columns}, values))


def test_ridge_finds_the_best_penalty_and_says_that_it_is_optimistic(diabetes):
    found = cy.leave_one_out(diabetes, penalties=[1000.0, 1.0, 30.0])
    assert found.penalties == (1.0, 30.0, 1000.0)
    assert found.penalty == found.penalties[int(np.argmin(found.scores))] == 1.0
    assert found.score.value == pytest.approx(min(found.scores))
    assert (found.score.metric, found.score.split) == ("rmse", "out-of-fold")
    assert found.score.selected_on == "penalty"
    assert found.exact
    assert found.audit is None
    assert any("optimistic" in note for note in found.notes)
    assert any("end of the path" in note for note in found.notes)
    assert "exact" in repr(found)


def test_ridge_equals_a_pipeline_that_is_refitted_for_each_row(diabetes):
    found = cy.leave_one_out(diabetes, penalties=20.0)
    model = make_pipeline(StandardScaler(), Ridge(20.0))
    x, y = matrix(diabetes), diabetes.targets
    expected = cross_val_predict(model, x, y, cv=LeaveOneOut())
    assert np.abs(found.predictions.outputs - expected).max() < 1e-9
    assert found.score.selected_on is None
    assert found.notes == ()
    raw = cy.leave_one_out(diabetes, penalties=20.0, prepare=cy.prepare(scale="none"))
    assert np.abs(raw.predictions.outputs - ridge_path(x, y, [20.0])[0]).max() < 1e-9
    assert np.abs(raw.predictions.outputs - expected).max() > 0.1


def test_the_default_path_has_its_best_penalty_inside(diabetes):
    found = cy.leave_one_out(diabetes)
    assert len(found.penalties) == len(found.scores) == 100
    assert found.penalties[0] < found.penalty < found.penalties[-1]
    assert found.score.value < cy.leave_one_out(diabetes, "least_squares").score.value
    assert found.floors[0].score.value == pytest.approx(77.0053 * 442 / 441, abs=1e-3)


def test_iris_lda_has_147_right(iris):
    found = cy.leave_one_out(iris, "lda")
    assert round(found.score.value * 150) == 147
    assert found.floors[0].score.value == pytest.approx(1 / 3)
    assert (found.penalty, found.penalties, found.scores) == (None, (), ())
    assert found.facts["duplicates"] == 2
    assert not found.sealed


def test_naive_bayes_equals_scikit_learn_on_the_raw_columns(iris):
    x = matrix(iris)
    model = GaussianNB()
    expected = cross_val_predict(model, x, iris.targets, cv=LeaveOneOut(), method="predict_proba")
    found = cy.leave_one_out(iris, "gaussian").predictions.outputs
    assert np.abs(found - expected).max() < 1e-12


@pytest.mark.parametrize("model", ["lda", "qda"])
def test_discriminants_do_not_depend_on_the_scale(iris, model):
    found = [
        cy.leave_one_out(iris, model, prepare=cy.prepare(scale=scale)).predictions.outputs
        for scale in ("standard", "none")
    ]
    assert np.array_equal(*found)
    scaled = cy.load((StandardScaler().fit_transform(matrix(iris)), iris.targets))
    leaking = cy.leave_one_out(scaled, model).predictions.outputs
    assert np.abs(found[0] - leaking).max() < 1e-9


@pytest.mark.parametrize("model", ["logistic", "softmax"])
def test_approximations_carry_their_audit(model):
    data = cy.load("breast_cancer")
    found = cy.leave_one_out(data, model, audit=10, seed=3)
    assert not found.exact
    assert found.penalty == 1.0
    assert found.audit.rows == 10
    assert str(found.audit) in found.notes
    assert found.audit.mean < 1e-3
    assert found.score.value > 0.97
    assert "approximate" in repr(found)


def test_test_rows_are_never_given(diabetes):
    split = cy.split(diabetes, test=0.2, valid=0.2, seed=0)
    found = cy.leave_one_out(split, penalties=5.0)
    assert found.sealed
    assert not np.isin(found.predictions.rows, split.test).any()
    spoiled = diabetes.targets.copy()
    spoiled[split.test] = 1e6
    other = replace(split, data=replace(diabetes, targets=spoiled))
    again = cy.leave_one_out(other, penalties=5.0)
    assert np.array_equal(again.predictions.outputs, found.predictions.outputs)


def test_categories_are_encoded_without_leaking():
    colour = np.array(["red", "blue"] * 15, object)
    colour[7] = "green"  # a category that the other rows do not know
    data = table(colour=colour)
    found = cy.leave_one_out(data, penalties=[0.0, 2.0])
    recipe = cy.Recipe(
        model="linear", optimizer=cy.optim.closed_form(l2=found.penalty), precision="float64"
    )
    refits = cy.cross_validate(
        recipe, data, folds="loo", floors=False, executor="loop"
    ).predictions.outputs
    assert np.abs(found.predictions.outputs - refits).max() < 1e-5  # runs prepare in float32


def test_lda_leaves_out_what_follows_from_the_rest():
    colour = np.array(["red", "blue", "blue"] * 5 + ["red"] * 15, object)
    data = table(targets="class", colour=colour, same=np.full(30, 4.0))
    found = cy.leave_one_out(data, "lda")
    assert found.facts["features"] == 3  # a, b, one of the two colours
    x = np.column_stack([data.inputs["a"], data.inputs["b"], colour == "red"]).astype(float)
    model = LinearDiscriminantAnalysis(solver="lsqr")
    expected = cross_val_predict(model, x, data.targets, cv=LeaveOneOut(), method="predict_proba")
    assert np.abs(found.predictions.outputs - expected).max() < 1e-9


def test_images_are_taken_pixel_by_pixel():
    digits = cy.load("digits")
    rows = np.arange(200)
    data = cy.load((digits.inputs[rows], digits.targets[rows]))
    assert data.kind == "image"
    found = cy.leave_one_out(data, "gaussian")
    x = digits.inputs[rows].reshape(200, -1).astype(float)
    expected = cross_val_predict(GaussianNB(), x, digits.targets[rows], cv=LeaveOneOut())
    assert (found.predictions.labels == expected).all()


def test_what_depends_on_the_fold_is_refused(iris):
    holes = np.arange(30.0)
    holes[3] = np.nan
    colour = np.array(["red", "blue"] * 15, object)
    cases = [
        (table(c=holes), None, "empty cells of 'c'"),
        (table(), cy.prepare(scale="minmax"), "minmax"),
        (table(), cy.prepare(transform="auto"), "auto"),
        (table(c=colour), cy.prepare(encode="integer"), "categories as numbers"),
    ]
    for data, prepare, reason in cases:
        with pytest.raises(cy.InputError, match="no closed form") as caught:
            cy.leave_one_out(data, prepare=prepare)
        assert reason in str(caught.value)
        assert len(str(caught.value)) <= 200
    assert cy.leave_one_out(table(c=holes), prepare=cy.prepare(drop=("c",))).facts["features"] == 2


def test_wrong_use_is_refused(diabetes, iris):
    for data, model, more, match in [
        (diabetes, "lda", {}, "not for regression"),
        (iris, "ridge", {}, "not for classification"),
        (iris, "ldaa", {}, "did you mean 'lda'"),
        (iris, "lda", {"penalties": 1.0}, "no penalty"),
        (diabetes, "least_squares", {"penalties": 1.0}, "no penalty"),
        (iris, "softmax", {"penalties": [1.0, 2.0]}, "not penalties"),
        (iris, "softmax", {"penalties": 0.0}, "infinitely far"),
        (iris, "logistic", {}, "two classes"),
        (diabetes, "ridge", {"penalties": "many"}, "not penalties"),
        (diabetes, "ridge", {"penalties": []}, "not penalties"),
        (diabetes, "ridge", {"penalties": [-1.0]}, "from 0"),
        (iris, "softmax", {"audit": 0}, "whole number"),
    ]:
        with pytest.raises(cy.UsageError, match=match):
            cy.leave_one_out(data, model, **more)
    grouped = cy.split(iris, test=0, valid=0.2, group=np.arange(150) // 5)
    with pytest.raises(cy.UsageError, match="group"):
        cy.leave_one_out(grouped, "lda")
    rare = cy.load((matrix(iris)[:101], iris.targets[:101]))
    with pytest.raises(cy.InputError, match="class '2'"):
        cy.leave_one_out(rare, "lda")


def test_folds_in_closed_form_are_those_of_cross_validate(diabetes):
    for l2, scale in ((0.0, "auto"), (40.0, "auto"), (0.3, "none")):
        recipe = cy.Recipe(
            model="linear", optimizer=cy.optim.closed_form(l2=l2), precision="float64",
            data=cy.prepare(scale=scale),
        )  # fmt: skip
        found, reason = exact_folds(recipe, diabetes, np.arange(442))
        assert reason == ""
        model = make_pipeline(StandardScaler(with_std=scale != "none"), Ridge(l2, solver="svd"))
        rows = np.arange(0, 442, 40)
        x, y = matrix(diabetes), diabetes.targets
        for row in rows:
            kept = np.arange(442) != row
            expected = model.fit(x[kept], y[kept]).predict(x[[row]])
            assert found.predictions.outputs[row] == pytest.approx(expected[0], abs=1e-9)
    few = np.arange(40)
    data = cy.load((matrix(diabetes)[few], diabetes.targets[few]))
    for l2 in (0.0, 40.0):
        recipe = recipe.replace(optimizer=cy.optim.closed_form(l2=l2), data=None)
        looped = cy.cross_validate(
            recipe, data, folds="loo", floors=False, executor="loop"
        ).predictions
        found, _ = exact_folds(recipe, data, few)
        assert np.array_equal(found.predictions.rows, looped.rows)
        assert found.predictions.outputs.shape == looped.outputs.shape
        assert (
            np.abs(found.predictions.outputs - looped.outputs).max() < 1e-3
        )  # runs prepare in float32


def in_double(monkeypatch):
    """Runs prepare their rows in double precision; otherwise they round them to single."""
    double = SimpleNamespace(**{**vars(np), "float32": np.float64})
    monkeypatch.setattr(preparing, "np", double)


def categories():
    """A table with categories, one of which only one row has, and a column that varies in one."""
    colour = np.array(["red", "blue"] * 15, object)
    colour[7] = "green"
    return table(colour=colour, once=np.where(np.arange(30) == 3, 5.0, 1.0))


@pytest.mark.parametrize("l2", [None, 0.5, 40.0])
@pytest.mark.parametrize("case", ["numbers", "categories", "outputs", "split"])
def test_leave_one_out_of_a_closed_form_is_not_trained(diabetes, monkeypatch, case, l2):
    few = np.arange(0, 442, 22)
    x, y = matrix(diabetes)[few], diabetes.targets[few]
    data = {
        "numbers": lambda: cy.load((x, y)),
        "categories": categories,
        "outputs": lambda: cy.load(
            (x, np.column_stack([y, x @ np.arange(10.0)])), task="regression"
        ),
        "split": lambda: cy.split(cy.load((x, y)), test=0.2, seed=3),
    }[case]()
    recipe = cy.Recipe(
        model="linear", precision="float64",
        optimizer="closed_form" if l2 is None else cy.optim.closed_form(l2=l2),
        data=cy.prepare(scale="none") if case == "outputs" else None,
    )  # fmt: skip
    in_double(monkeypatch)
    told = {"auto": [], "loop": []}
    exact, loop = (
        cy.cross_validate(recipe, data, "loo", 2, 5, executor=how, observer=records.append)
        for how, records in told.items()
    )
    assert (exact.facts["executor"], loop.facts["executor"]) == ("closed form", "loop")
    assert np.array_equal(exact.predictions.rows, loop.predictions.rows)
    assert np.abs(exact.predictions.outputs - loop.predictions.outputs).max() < 1e-8
    assert exact.predictions.outputs.shape == loop.predictions.outputs.shape
    assert [floor.name for floor in exact.floors] == [floor.name for floor in loop.floors]
    scores = [(cv.score, *(floor.score for floor in cv.floors)) for cv in (exact, loop)]
    for a, b in zip(*scores, strict=True):
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-8)
        assert (a.metric, a.n, a.split, a.selected_on) == (b.metric, b.n, b.split, b.selected_on)
    for records in (exact.folds, told["auto"]):
        for a, b in zip(records, loop.folds, strict=True):
            assert a == {**b, "value": pytest.approx(b["value"], abs=1e-8)}
    assert set(exact.facts) == set(loop.facts)
    kept = [n for n in exact.facts if n not in ("executor", "reason", "seconds")]
    assert {n: exact.facts[n] for n in kept} == {n: loop.facts[n] for n in kept}


def test_folds_that_have_no_closed_form_are_trained(diabetes):
    few = cy.load((matrix(diabetes)[:30], diabetes.targets[:30]))
    for recipe, more in [
        (cy.Recipe(model="linear", data=cy.prepare(scale="minmax")), {}),
        (cy.Recipe(model="linear"), {"group": np.arange(30) // 3}),
    ]:
        found = cy.cross_validate(recipe, few, "loo", floors=False, **more)
        assert found.facts["executor"] == "loop"
    wrong = cy.Recipe(model="linear", loss="cross_entropy")
    with pytest.raises(cy.UsageError, match="cross_entropy"):
        cy.cross_validate(wrong, few, "loo")


def test_a_closed_form_that_training_contradicts_is_not_taken(diabetes, monkeypatch):
    few = cy.load((matrix(diabetes)[:20], diabetes.targets[:20]))
    recipe = cy.Recipe(model="linear", optimizer=cy.optim.closed_form(l2=3.0))
    right = cy.cross_validate(recipe, few, "loo", floors=False)
    path = leaving_out.ridge_path
    monkeypatch.setattr(leaving_out, "ridge_path", lambda *a, **k: 1.01 * path(*a, **k))
    found = cy.cross_validate(recipe, few, "loo", floors=False)
    assert (right.facts["executor"], found.facts["executor"]) == ("closed form", "loop")
    assert found.score.value == pytest.approx(right.score.value, rel=1e-6)


def test_the_nearest_other_row_is_that_of_scikit_learn(diabetes):
    x = matrix(diabetes)[:60] * np.arange(1, 11)
    for scaled in (True, False):
        found = nearest_others(x, standardize=scaled)
        for row in range(60):
            kept = np.arange(60) != row
            scaler = StandardScaler(with_std=scaled).fit(x[kept])
            nearest = NearestNeighbors(n_neighbors=1).fit(scaler.transform(x[kept]))
            (place,) = nearest.kneighbors(scaler.transform(x[[row]]), return_distance=False)[0]
            assert found[row] == np.flatnonzero(kept)[place]


def test_folds_without_closed_form_say_why(diabetes, iris):
    rows, linear = np.arange(442), cy.Recipe(model="linear")
    holes = np.arange(30.0)
    holes[3] = np.nan
    cases = [
        (cy.Recipe(), diabetes, "not linear"),
        (cy.Recipe(model="mlp"), diabetes, "not linear"),
        (cy.Recipe(model="linear", loss="cross_entropy"), diabetes, "loss"),
        (cy.Recipe(model="linear", optimizer="adam"), diabetes, "closed_form"),
        (linear.replace(stop=cy.stop.early("val_loss", patience="5 epochs")), diabetes, "stops"),
        (linear.replace(data=cy.prepare(scale="minmax")), diabetes, "minmax"),
        (linear, table(c=holes), "empty cells"),
    ]
    for recipe, data, reason in cases:
        found, said = exact_folds(recipe, data, np.arange(len(data)))
        assert found is None
        assert reason in said
    assert "groups" in exact_folds(linear, diabetes, rows, np.arange(442) // 2)[1]
    assert exact_folds(linear.replace(stop="none"), diabetes, rows)[1] == ""


def test_the_page_shows_what_the_code_gives():
    page = Path(__file__).parent.parent / "docs" / "leave-one-out.md"
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert tried >= 10
    assert failed == 0
