"""Scores of losses that estimate no probabilities are not taken for such."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import chymist as cy
from chymist.cli import main
from chymist.errors import UsageError
from chymist.metrics import Undefined, all_metrics, measure
from chymist.values import Predictions, Run
from chymist.verbs.records import load_run

SCORED = {"perceptron": "perceptron", "linear_svm": "hinge", "svm": "hinge"}


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    split = cy.split(cy.load("breast_cancer"), seed=0)
    found = {name: cy.fit(cy.Recipe(model=name, **(
        {} if name == "svm" else {"length": "2 epochs"})), split, doctor=False)
        for name in SCORED}  # fmt: skip
    found["logistic"] = cy.fit(cy.Recipe(model="logistic", length="2 epochs"), split, doctor=False)
    return found


def few(run: Run) -> dict[str, np.ndarray]:
    """The first rows of the data, by column."""
    return {name: column[:3] for name, column in run.data.inputs.items()}


@pytest.mark.parametrize("name", SCORED)
def test_a_score_has_no_log_loss_but_an_order(name: str, runs: dict[str, Run]) -> None:
    made = runs[name].predictions
    assert "log_loss" not in runs[name].metrics
    assert runs[name].metrics["auc"] == pytest.approx(
        roc_auc_score(made.targets, made.outputs[:, 1])
    )
    with pytest.raises(Undefined, match="'log_loss' needs probabilities"):
        measure(made, "log_loss")
    with pytest.raises(UsageError, match="estimates no probabilities"):
        cy.predict(runs[name], few(runs[name]), probabilities=True)
    assert set(cy.predict(runs[name], few(runs[name]))) <= {"malignant", "benign"}


def test_probabilities_stay(runs: dict[str, Run]) -> None:
    assert "log_loss" in runs["logistic"].metrics
    rows = cy.predict(runs["logistic"], few(runs["logistic"]), probabilities=True)
    assert np.allclose(rows.sum(1), 1)
    made = runs["logistic"].predictions
    same = Predictions(made.rows, made.targets, made.outputs)
    assert all_metrics(same) == all_metrics(made)


def test_what_is_read_back_knows_it_too(runs: dict[str, Run], tmp_path: Path) -> None:
    folder = runs["perceptron"].save(tmp_path / "run") or tmp_path / "run"
    assert load_run(tmp_path / "run").predictions.estimated is False
    assert "log_loss" not in cy.evaluate(folder, split="train").metrics
    page = (tmp_path / "run" / "report.html").read_text()
    assert "which is no probability" in page
    rows, out = tmp_path / "rows.csv", tmp_path / "said.csv"
    columns = few(runs["perceptron"])
    lines = [",".join(map(str, line)) for line in zip(*columns.values(), strict=True)]
    rows.write_text("\n".join([",".join(columns), *lines]))
    assert main(["predict", str(tmp_path / "run"), str(rows), "--out", str(out), "--quiet"]) == 0
    assert out.read_text().splitlines()[0] == "row,prediction,score(benign),score(malignant)"


def test_a_comparison_by_log_loss_is_refused_before_anything_is_trained() -> None:
    both = {"svm": cy.Recipe(model="linear_svm"), "softmax": cy.Recipe(model="softmax")}
    with pytest.raises(UsageError, match="needs probabilities") as caught:
        cy.compare(both, cy.load("iris"), folds=3, metric="log_loss")
    assert "hinge" in caught.value.line()


def test_cross_validation_bags_and_searches_go_on() -> None:
    recipe = cy.Recipe(model="linear_svm", length="5 epochs")
    found = cy.cross_validate(recipe, cy.load("iris"), folds=3)
    assert not found.predictions.estimated
    bagged = cy.bag(recipe, cy.split(cy.load("iris")), members=2)
    assert not bagged.predictions.estimated
    with pytest.raises(UsageError, match="estimates no probabilities"):
        bagged.predict(cy.load("iris").inputs, probabilities=True)


SVM = cy.as_estimator(cy.Recipe(model="linear_svm", length="8 epochs", stop=cy.stop.none()))


@parametrize_with_checks([SVM])
def test_scikit_learn_takes_scores_as_such(estimator: object, check: object) -> None:
    check(estimator)  # type: ignore[operator]


def test_scikit_learn_calibrates_scores() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    assert not hasattr(SVM, "predict_proba")
    scores = SVM.fit(X, y).decision_function(X)
    assert scores.shape == (len(y),)
    assert np.array_equal(SVM.predict(X), (scores > 0).astype(int))
    chances = CalibratedClassifierCV(SVM, cv=2).fit(X, y).predict_proba(X)
    assert np.allclose(chances.sum(1), 1)
