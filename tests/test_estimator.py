"""`as_estimator` under scikit-learn's own checks."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import chymist as cy
from chymist.errors import UsageError
from chymist.verbs.estimator import as_estimator

CLASSIFIER = cy.Recipe(
    model="mlp", optimizer=cy.optim.adam(lr=0.02), batch_size=32, length="150 steps", stop="none"
)
REGRESSOR = CLASSIFIER.replace(loss="mse")

# Checks that cannot apply, each with its reason.
FAILING: dict[str, str] = {}


def expected(estimator: Any) -> dict[str, str]:
    return FAILING


@parametrize_with_checks(
    [as_estimator(CLASSIFIER, task="classification"), as_estimator(REGRESSOR)],
    expected_failed_checks=expected,
)
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_it_works_in_a_pipeline_and_grid_search() -> None:
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs, targets = load_breast_cancer(return_X_y=True)
    made = make_pipeline(StandardScaler(), as_estimator(CLASSIFIER, task="classification"))
    assert cross_val_score(made, inputs, targets, cv=3).mean() > 0.95


def test_the_task_must_be_clear() -> None:
    with pytest.raises(UsageError, match="task is not clear"):
        as_estimator(cy.Recipe(model="mlp"))
    with pytest.raises(UsageError, match="unknown task"):
        as_estimator(cy.Recipe(model="mlp"), task="ranking")
