"""`as_estimator`: a recipe under scikit-learn's protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from chymist.data import load
from chymist.engine.assembly import assemble, forward, predict_rows
from chymist.engine.defaults import LOSSES, complete, loss_of
from chymist.engine.randomness import foreign_randomness
from chymist.engine.running import execute
from chymist.engine.store import Recorder
from chymist.errors import UsageError
from chymist.losses import FORMS
from chymist.values import Recipe, Split
from chymist.verbs.fitting import with_rate


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type annotations
    """What classifier and regressor share: fit on all rows given, write nothing."""

    def __init__(self, recipe: Recipe | None = None, random_state: Any = 0) -> None:
        self.recipe = recipe
        self.random_state = random_state

    def _train(self, inputs: np.ndarray, targets: np.ndarray, task: str) -> None:
        """Train on all rows, keep what predicting needs."""
        data = load((inputs, targets), task=task, name="estimator")
        rows, none = np.arange(len(targets)), np.array([], np.int64)
        split = Split(data, rows, none, none, 0, "all rows")
        seed = self.random_state
        if not isinstance(seed, int):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        recipe = with_rate(complete(self.recipe or Recipe(), split), split, seed)
        with foreign_randomness(seed), Recorder(None) as recorder:
            assembly = assemble(recipe, split, seed)
            execute(recipe, assembly, recorder, None)
        # Double precision makes a row's prediction independent of the rows beside it.
        self.model_ = assembly.state.model.double()
        self.preparation_ = assembly.preparation
        self.loss_ = recipe.loss.name
        self.exact_ = np.float64 if recipe.precision == "float64" else np.float32
        self.n_iter_ = assembly.state.step

    def _prepared(self, inputs: Any) -> torch.Tensor:
        check_is_fitted(self)
        inputs = validate_data(self, inputs, reset=False, dtype=np.float64)
        return torch.from_numpy(self.preparation_.inputs(inputs, self.exact_)).double()

    def _outputs(self, inputs: Any) -> np.ndarray:
        """Probabilities, or values in raw units (n, outputs)."""
        rows = [self._prepared(inputs)]
        return predict_rows(self.model_, FORMS[self.loss_], self.preparation_, rows)

    def _scores(self, inputs: Any) -> np.ndarray:
        """What the model itself gives, (n, outputs)."""
        rows = [self._prepared(inputs)]
        scores: np.ndarray = forward(self.model_, rows).numpy()
        return scores


def _estimates(estimator: _Estimator) -> bool:
    """Whether the loss of an estimator estimates probabilities, as far as its recipe says."""
    recipe = estimator.recipe or Recipe()
    name = recipe.loss.name if recipe.loss else None
    if name is None and recipe.model is not None:
        name = loss_of(recipe.model)
    return name is None or FORMS[name].estimated


class RecipeClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A recipe as a scikit-learn classifier; see `as_estimator`."""

    def fit(self, X: Any, y: Any) -> RecipeClassifier:
        """Train on all rows.

        Args:
            X: (n, features).
            y: class labels (n,).
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, indices = np.unique(y, return_inverse=True)
        self._train(X, indices.astype(np.int64), "classification")
        return self

    @available_if(_estimates)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (n, classes), columns in the order of `classes_`."""
        return self._outputs(X)

    @available_if(lambda estimator: not _estimates(estimator))  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> np.ndarray:
        """Scores (n, classes), of two classes (n,): of losses that estimate no probabilities."""
        scores = self._scores(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict(self, X: Any) -> np.ndarray:
        """Class labels (n,)."""
        outputs = self._outputs(X)
        labels: np.ndarray = self.classes_[outputs.argmax(1)]
        return labels


class RecipeRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    """A recipe as a scikit-learn regressor; see `as_estimator`."""

    def fit(self, X: Any, y: Any) -> RecipeRegressor:
        """Train on all rows.

        Args:
            X: (n, features).
            y: values (n,).
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._train(X, column_or_1d(y, warn=True).astype(np.float64), "regression")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Values (n,)."""
        return self._outputs(X)[:, 0]


def as_estimator(
    recipe: Recipe, task: str | None = None, random_state: Any = 0
) -> RecipeClassifier | RecipeRegressor:
    """A recipe as a scikit-learn estimator; it trains on all rows it is given and writes nothing.

    Args:
        recipe: what to train; early stopping needs validation rows and so cannot be used here.
        task: "classification" or "regression"; read from model and loss where they tell.
        random_state: seed, as in scikit-learn.

    Returns:
        A classifier or regressor that passes scikit-learn's own checks.

    Raises:
        UsageError: the task is not clear from the recipe.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> estimator = as_estimator(Recipe(model="softmax", length="60 epochs"))
        >>> estimator.fit(X, y).score(X, y) > 0.8
        True

    Source: Buitinck et al. 2013, API design for machine learning software, arXiv:1309.0238.
    """
    if task is None:
        loss = recipe.loss.name if recipe.loss else None
        if loss is None and recipe.model is not None:
            loss = loss_of(recipe.model)
        if loss is None:
            raise UsageError(
                "the task is not clear from the recipe",
                where="as_estimator",
                do='give task="classification" or task="regression"',
            )
        task = FORMS[loss].task
    if task not in LOSSES:
        raise UsageError("unknown task", received=f"'{task}'", do="known: " + ", ".join(LOSSES))
    kind = RecipeClassifier if task == "classification" else RecipeRegressor
    made: RecipeClassifier | RecipeRegressor = kind(recipe, random_state)
    return made
