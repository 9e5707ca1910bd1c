"""Estimators of scikit-learn as baselines: fitted on the rows of a fold as a model gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chymist.data.preparation import fit_preparation
from chymist.data.stepwise import check_measured, check_single
from chymist.engine.steps import MANY, two_chances
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence.step_floors import step_floors
from chymist.metrics import find
from chymist.parts import Part, part
from chymist.values import Data, Predictions, Split, Task

SEEDS = 2**32  # scikit-learn takes seeds below
FLOORS = {
    "classification": "majority class", "regression": "mean of the training rows",
    "tagging": "most frequent class", "language": "most frequent class",
}  # fmt: skip


def named_baseline(name: str, task: Task) -> Any:
    """An estimator by its short name, with scikit-learn's defaults.

    Args:
        name: "svm", "tree", "forest", "boosting", "knn", "bayes" (classification only) or "floor"
            (majority class, or mean).
        task: "classification" or "regression"; an SVM for values gets them standardised.

    Returns:
        An estimator that has not been fitted.

    Raises:
        UsageError: unknown name, or none for the task.

    Example:
        >>> named_baseline("tree", "regression")
        DecisionTreeRegressor()
    """
    if name not in BASELINES:
        raise UsageError("unknown baseline", received=f"'{name}'", do=nearest(name, BASELINES))
    made = BASELINES[name](task == "classification")
    if made is None:
        raise UsageError(f"'{name}' is for classification", received=f"{task} data",
                         do="leave it out")  # fmt: skip
    return made


def is_estimator(value: Any) -> bool:
    """Whether something can be fitted and asked, as scikit-learn's estimators can."""
    return not isinstance(value, type) and all(
        callable(getattr(value, name, None)) for name in ("fit", "predict")
    )


def imports_of(estimator: Any) -> list[str]:
    """The lines that import what an estimator of scikit-learn is made of.

    Example:
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.svm import SVC
        >>> imports_of(make_pipeline(SVC()))
        ['from sklearn.pipeline import Pipeline', 'from sklearn.svm import SVC']
    """
    inner = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
    kinds = {type(one) for one in (estimator, *inner)}
    places = [(kind.__module__.split("._")[0], kind.__name__) for kind in kinds]
    return sorted(
        f"from {module} import {name}" for module, name in places if module.startswith("sklearn")
    )


def check_estimator(name: str, estimator: Any, data: Data, metric: str) -> None:
    """Refuse an estimator of the other task, or without the probabilities that a metric needs.

    Raises:
        UsageError: it does not fit.
    """
    from sklearn.base import is_classifier, is_regressor

    wrong = is_regressor if data.task == "classification" else is_classifier
    if wrong(estimator):
        other = "regression" if data.task == "classification" else "classification"
        raise UsageError(f"the estimator is for {other}", where=name,
                         received=f"{type(estimator).__name__} on {data.task} data",
                         do=f"give one for {data.task}")  # fmt: skip
    if find(metric).needs in ("scores", "probabilities") and not hasattr(
        estimator, "predict_proba"
    ):
        raise UsageError(f"the metric '{metric}' needs probabilities", where=name,
                         received=f"{type(estimator).__name__} without predict_proba",
                         do="compare by accuracy, or calibrate it")  # fmt: skip


def fold_matrices(split: Split, preparation: Part | None) -> tuple[np.ndarray, np.ndarray]:
    """Training and held-out rows of a fold as matrices (rows, features), float32.

    They are prepared as for a model: fitted on the training rows only; images are flattened.
    """
    data, options = split.data, preparation.options if preparation else {}
    check_single(data, "an estimator needs")
    check_measured(data, "an estimator needs")
    fitted = fit_preparation(data, split.train, part("data", "prepare", **options).options)
    train, held = (
        fitted.inputs(data.take(rows)).reshape(len(rows), -1) for rows in (split.train, split.test)
    )
    return train, held


def step_baseline(split: Split) -> Predictions:
    """How often each class occurs at the steps of the training rows, for those held out.

    Args:
        split: a fold of data with a target at every step.

    Example:
        >>> data = Data("t", "tokens", "tagging", np.ones((3, 2)), np.array([[0, 1], [1, 1], [0, -1]]),
        ...             ("a", "b"))
        >>> split = Split(data, np.array([0, 1]), np.array([], int), np.array([2]))
        >>> step_baseline(split).outputs.round(2).tolist()
        [[0.25, 0.75]]
    """  # noqa: E501
    data = split.data
    goals, classes = data.targets[split.test], len(data.classes)
    there = goals >= 0
    found = step_floors(None, data.targets[split.train], None, there, classes)
    outputs, known = next(iter(found.values())), goals[there]
    if classes > MANY:
        outputs, known = two_chances(outputs, known), np.zeros_like(known)
    owner = np.broadcast_to(split.test[:, None], there.shape)[there]
    return Predictions(owner, known, outputs, owner)


def baseline_predictions(
    name: str, estimator: Any, matrices: tuple[np.ndarray, np.ndarray], split: Split, metric: str
) -> Predictions:
    """Fit a copy of an estimator on the training rows of a fold and ask it about the others.

    Every `random_state` of the copy is the seed of the split.

    Args:
        name: what to call it in an error.
        estimator: stays as it is.
        matrices: training and held-out rows, prepared.
        split: the fold; its test rows are asked for.
        metric: what will be measured. Where it reads labels, the label of a row is what
            `predict` says, even if the largest probability is another's.

    Raises:
        InputError: the estimator fails on these rows.
    """
    from sklearn.base import clone

    copy = clone(estimator, safe=False)
    if hasattr(copy, "get_params"):
        states = [key for key in copy.get_params() if key.split("__")[-1] == "random_state"]
        copy.set_params(**dict.fromkeys(states, split.seed % SEEDS))
    data, (train, held) = split.data, matrices
    try:
        copy.fit(train, data.targets[split.train])
        outputs = _outputs(copy, held, data, metric)
    except (ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        raise InputError("the estimator fails on the rows of a fold", where=name,
                         received=f"{len(train)} rows of {train.shape[1]} features",
                         do=f"it says: {reason}") from error  # fmt: skip
    return Predictions(split.test, data.targets[split.test], outputs, split.groups_of(split.test))


def _outputs(fitted: Any, held: np.ndarray, data: Data, metric: str) -> np.ndarray:
    """Values like the targets, or probabilities (n, classes) over all classes of the data."""
    said = np.asarray(fitted.predict(held))
    if data.task == "regression":
        return said.astype(np.float64).reshape(len(held), *data.targets.shape[1:])
    certain = np.eye(len(data.classes))[said.astype(np.int64)]
    if not hasattr(fitted, "predict_proba"):
        return certain
    outputs = np.zeros((len(held), len(data.classes)))
    outputs[:, np.asarray(fitted.classes_, np.int64)] = fitted.predict_proba(held)
    if find(metric).needs == "labels":
        other = outputs.argmax(1) != said
        outputs[other] = certain[other]
    return outputs


def _svm(classify: bool) -> Any:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, SVR

    return SVC() if classify else TransformedTargetRegressor(SVR(), transformer=StandardScaler())


def _tree(classify: bool) -> Any:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    return DecisionTreeClassifier() if classify else DecisionTreeRegressor()


def _forest(classify: bool) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    return RandomForestClassifier() if classify else RandomForestRegressor()


def _boosting(classify: bool) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    return HistGradientBoostingClassifier() if classify else HistGradientBoostingRegressor()


def _knn(classify: bool) -> Any:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    return KNeighborsClassifier() if classify else KNeighborsRegressor()


def _bayes(classify: bool) -> Any:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB() if classify else None


def _floor(classify: bool) -> Any:
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyClassifier(strategy="prior") if classify else DummyRegressor()


BASELINES: dict[str, Callable[[bool], Any]] = {
    "svm": _svm, "tree": _tree, "forest": _forest, "boosting": _boosting, "knn": _knn,
    "bayes": _bayes, "floor": _floor,
}  # fmt: skip
