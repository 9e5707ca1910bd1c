"""`leave_one_out`: every row predicted by the model of the others, without fitting n models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, Literal, get_args

import numpy as np

from chymist.data.preparation import Preparation, fit_preparation
from chymist.data.stepwise import check_measured, check_single
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence import out_of_fold_score
from chymist.evidence.approximate_leave_one_out import Audit, approximate_softmax
from chymist.evidence.leave_one_out import gaussian_classifiers, nearest_others, ridge_path
from chymist.evidence.scores import headline
from chymist.metrics import measure
from chymist.parts import Part
from chymist.values import Data, Floor, Predictions, Recipe, Score, Split, whole_number
from chymist.verbs.sources import groups_of, open_rows

ClosedModel = Literal["ridge", "least_squares", "lda", "qda", "gaussian", "logistic", "softmax"]
LINEAR = ("ridge", "least_squares")
DISCRIMINANT = ("lda", "qda")
PENALIZED = ("ridge", "logistic", "softmax")
RELATIVE_PENALTIES = np.geomspace(1e-4, 1e2, 100)  # for each row, on standardised columns
Penalties = float | Sequence[float] | np.ndarray | None


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """What leave-one-out gave.

    Args:
        score: over all rows, each predicted by the model of the others.
        predictions: of every row, by the model without it.
        floors: what a trivial method reaches.
        exact: whether each prediction is that of a refit, or one Newton step from the full fit.
        penalties: those that were tried, ascending; empty for models without one.
        scores: value of the metric for each penalty, of the same rows.
        penalty: the one of the score; the best, if there were several.
        audit: how far an approximation is from refits; None if exact.
        notes: what a reader of the score has to know, in sentences.
        sealed: whether test rows exist that were not given.
        facts: model, rows, features, duplicates (rows with a copy), seconds.
    """

    score: Score
    predictions: Predictions
    floors: tuple[Floor, ...]
    exact: bool
    penalties: tuple[float, ...]
    scores: tuple[float, ...]
    penalty: float | None
    audit: Audit | None
    notes: tuple[str, ...]
    sealed: bool
    facts: Mapping[str, Any]

    def __repr__(self) -> str:
        beside = "" if self.penalty is None else f", penalty {self.penalty:.4g}"
        how = "exact" if self.exact else "approximate"
        return f"LeaveOneOut({self.facts['model']}: {self.score}{beside}, {how})"


def leave_one_out(
    data: Data | Split,
    model: ClosedModel = "ridge",
    *,
    penalties: Penalties = None,
    prepare: Part | None = None,
    seed: int = 0,
    audit: int = 30,
) -> LeaveOneOut:
    """Score a classical model by leave-one-out for the price of one fit; no test row is given.

    Exact for "least_squares", "ridge" (a whole path of penalties), "lda", "qda" and "gaussian"
    (naive Bayes); by one Newton step, with an audit, for "logistic" and "softmax". Nothing leaks
    from the row that is left out: columns of numbers are standardised by the other rows where
    that matters (the penalised models), and refused is every preparation of which the closed form
    cannot say what it would be without a row, such as filled cells.

    Args:
        data: all rows that may be used; of a `Split`, the training and validation rows.
        model: the model.
        penalties: ridge: those to try, >= 0, None is 100 from 1e-4 to 100 for each row; logistic
            and softmax: one, > 0, None is 1. Summed over rows, on standardised columns.
        prepare: preparation of the columns (`cy.prepare(...)`); with scale="none" nothing is
            standardised.
        seed: seed of the interval and of the rows of the audit.
        audit: random rows that are refitted to audit an approximation.

    Returns:
        The out-of-fold score with its interval, predictions, floor, path and audit.

    Raises:
        InputError: cells that are filled, a class of too few rows, a singular covariance.
        UsageError: a model for the other task, rows in groups, a penalty out of range.

    Example:
        >>> import chymist as cy
        >>> found = cy.leave_one_out(cy.load("iris"), "lda")
        >>> round(found.score.value * 150), found.exact
        (147, True)

    Source: see `chymist.evidence.leave_one_out`.
    """
    began = perf_counter()
    seed, audit = whole_number(seed, "seed", 0), whole_number(audit, "audit", 1, 10**6)
    whole, rows, sealed = open_rows(data)
    check_single(whole, "leaving rows out needs")
    check_measured(whole, "the closed form needs")
    _check(whole, data, model)
    x, scaled = _columns(whole, rows, model, prepare)
    targets, metric = whole.targets[rows], headline(whole.task)
    path = _path(model, penalties, len(rows))
    outputs, found = _outputs(whole, x, targets, scaled, model, path, audit, seed)
    made = [Predictions(rows, targets, one) for one in outputs]
    values = [measure(one, metric) for one in made]
    best = int(np.argmin(values))  # of ridge's path, in rmse; others have one value only
    score = out_of_fold_score(made[best], metric, seed)
    if len(values) > 1:
        score = replace(score, selected_on="penalty")
    _, counts = np.unique(np.column_stack([x, targets]), axis=0, return_counts=True)
    duplicates = int(counts[counts > 1].sum())
    facts = {"model": model, "rows": len(rows), "features": x.shape[1], "duplicates": duplicates}
    floor = _floor(whole, rows, metric, seed)
    facts["seconds"] = round(perf_counter() - began, 4)
    return LeaveOneOut(
        score, made[best], (floor,), found is None, tuple(path.tolist()),
        tuple(values) if len(path) else (), float(path[best]) if len(path) else None,
        found, _notes(path, best, found, duplicates), sealed, facts,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ExactFolds:
    """Leave-one-out of a recipe without training its folds.

    Args:
        predictions: of every row, by the model of the others.
        floors: the same of trivial and cheap methods, by name.
    """

    predictions: Predictions
    floors: Mapping[str, Predictions]


def exact_folds(
    recipe: Recipe,
    data: Data,
    rows: np.ndarray,
    groups: np.ndarray | None = None,
    floors: bool = True,
) -> tuple[ExactFolds | None, str]:
    """What `cross_validate(recipe, data, folds="loo")` predicts, from one fit.

    For linear models that are solved in closed form. The predictions are those of the folds in
    double precision; folds that are trained one by one round their prepared inputs and targets to
    single precision and differ from them by that.

    Args:
        recipe: the recipe, complete or as the user gave it.
        data: the data.
        rows: the rows that may be used; each is left out once.
        groups: number of each row's group, (rows of the data,), or None.
        floors: whether the floors are wanted.

    Returns:
        The out-of-fold predictions of the rows, in their order, with those of the floors, and an
        empty text; or None, and the reason why folds must be trained one by one.

    Raises:
        InputError: a cell or column that does not fit.
    """
    reason = _not_closed(recipe, data, groups)
    if reason:
        return None, reason
    options = dict(recipe.data.options) if recipe.data else {}
    preparation = fit_preparation(data, rows, {**options, "scale": "none"})
    reason = _unlike(preparation, options)
    if reason:
        return None, reason
    x, scaled = _matrix(data, rows, preparation), _numbers(preparation)
    l2 = recipe.optimizer.options.get("l2", 0.0) if recipe.optimizer else 0.0
    mask = scaled & (options.get("scale") != "none")
    targets = data.targets[rows]
    outputs, line = ridge_path(x, targets, [l2, 0.0], standardize=mask)
    beside = {}
    if floors:
        beside = {
            "mean of the training rows": (targets.sum(0) - targets) / (len(rows) - 1),
            "nearest neighbour": targets[nearest_others(x, standardize=mask)],
            "linear regression": line,
        }
    made = {name: Predictions(rows, targets, one) for name, one in beside.items()}
    return ExactFolds(Predictions(rows, targets, outputs), made), ""


def _not_closed(recipe: Recipe, data: Data, groups: np.ndarray | None) -> str:
    """Why the folds of a recipe have no closed form; empty if they have one."""
    model, loss, optimizer = recipe.model, recipe.loss, recipe.optimizer
    if model is None or model.source or model.name != "linear":
        return "the model is not linear"
    if (loss and loss.name != "mse") or data.task != "regression":
        return "the loss is not mse"
    if optimizer and optimizer.name != "closed_form":
        return "the optimizer is not closed_form"
    if recipe.penalty and recipe.penalty.name != "none":
        return "there is a penalty"
    if recipe.precision not in (None, "float32", "float64"):
        return f"products are rounded to {recipe.precision}"
    if recipe.stop and recipe.stop.name != "none":
        return "rows are kept from the fit to decide when it stops"
    if groups is not None:
        return "rows are left out in groups"
    return "images share one scale" if data.kind == "image" else ""


def _check(whole: Data, data: Data | Split, model: str) -> None:
    """Refuse a model that does not exist or suit the data, and rows in groups."""
    if model not in get_args(ClosedModel):
        raise UsageError("no model with leave-one-out in closed form", where="model",
                         received=repr(model)[:40],
                         do=nearest(str(model), get_args(ClosedModel)))  # fmt: skip
    if (model in LINEAR) != (whole.task == "regression"):
        fitting = "ridge or least_squares" if whole.task == "regression" else "lda or softmax"
        raise UsageError(f"the model is not for {whole.task}", where="model",
                         received=f"'{model}'", do=f"use {fitting}")  # fmt: skip
    if groups_of(data, None) is not None:
        raise UsageError("rows of a group are not independent", where="data",
                         received="a split with groups",
                         do='use cross_validate with folds="loo": groups are left out')  # fmt: skip


def _path(model: str, penalties: Penalties, rows: int) -> np.ndarray:
    """Penalties to try, ascending; none for models without one."""
    if model == "least_squares" and penalties is None:
        return np.zeros(1)
    if model not in PENALIZED:
        if penalties is not None:
            raise UsageError("the model has no penalty", where="penalties",
                             received=str(penalties)[:40], do="use ridge or softmax")  # fmt: skip
        return np.array([])
    if penalties is None:
        return RELATIVE_PENALTIES * rows if model == "ridge" else np.ones(1)
    try:
        path = np.unique(np.asarray(penalties, np.float64))
    except (TypeError, ValueError):
        path = np.array([])
    if not len(path) or (model != "ridge" and len(path) > 1):
        raise UsageError("not penalties", where="penalties", received=str(penalties)[:40],
                         do="give numbers for ridge, one for logistic and softmax")  # fmt: skip
    return path


def _columns(
    data: Data, rows: np.ndarray, model: str, prepare: Part | None
) -> tuple[np.ndarray, np.ndarray]:
    """Unscaled features, float64 (n, features), and which ones each fold standardises.

    Raises:
        InputError: a preparation that depends on the fold in another way.
    """
    options = dict(prepare.options) if prepare else {}
    preparation = fit_preparation(data, rows, {**options, "scale": "none"})
    reason = _unlike(preparation, options)
    if reason:
        raise InputError(
            "no closed form of leave-one-out", where=data.name, received=reason,
            do='use cross_validate(..., folds="loo")',
        )  # fmt: skip
    x, scaled = _matrix(data, rows, preparation), _numbers(preparation)
    if model in DISCRIMINANT:
        # A column that never varies says nothing, and the last 0/1 feature of a category follows
        # from the others; without them the model is the same, and its covariance is regular.
        kept = (np.ptp(x, 0) > 0) & ~_last_categories(preparation)
        x, scaled = x[:, kept], scaled[kept]
    return x, scaled & (options.get("scale") != "none")


def _unlike(preparation: Preparation, options: Mapping[str, Any]) -> str:
    """Why prepared rows depend on the fold in a way that has no closed form; empty if not so."""
    if options.get("weights", "none") != "none":
        return "weights of rows"
    if preparation.filled:
        return f"empty cells of '{next(iter(preparation.filled))}', filled anew in every fold"
    if options.get("transform") == "auto":
        return "transform 'auto', decided anew in every fold"
    if options.get("scale") == "minmax":
        return "scale 'minmax', fitted anew in every fold"
    if any(feature.codes for feature in preparation.features):
        return "categories as numbers, which are given anew in every fold"
    if any(feature.order for feature in preparation.features):
        return "the order of dates, found anew in every fold"
    return ""


def _matrix(data: Data, rows: np.ndarray, preparation: Preparation) -> np.ndarray:
    """Features in double precision: prepared inputs are float32, and so are not exact."""
    raw = data.take(rows)
    if isinstance(raw, np.ndarray) and preparation.kind == "image":
        return raw.reshape(len(rows), -1).astype(np.float64)
    made = np.empty((len(rows), sum(feature.width for feature in preparation.features)))
    at = 0
    for feature in preparation.features:
        array = isinstance(raw, np.ndarray)
        cells = raw[:, feature.position] if array else raw[feature.name]  # type: ignore[index]
        feature.write(cells, made[:, at : at + feature.width])
        at += feature.width
    return made


def _numbers(preparation: Preparation) -> np.ndarray:
    """Which features are numbers, and hence standardised; 0/1 features of categories are not."""
    if preparation.kind == "image":
        return np.ones(int(np.prod(preparation.shape)), bool)
    return np.concatenate([np.full(f.width, f.kind != "category") for f in preparation.features])


def _last_categories(preparation: Preparation) -> np.ndarray:
    """Which features are the last 0/1 feature of a category."""
    if preparation.kind == "image":
        return np.zeros(int(np.prod(preparation.shape)), bool)
    return np.concatenate([
        (np.arange(f.width) == f.width - 1) & (f.kind == "category") for f in preparation.features
    ])  # fmt: skip


def _outputs(
    data: Data, x: np.ndarray, targets: np.ndarray, scaled: np.ndarray, model: ClosedModel,
    path: np.ndarray, audit: int, seed: int,
) -> tuple[Sequence[np.ndarray], Audit | None]:  # fmt: skip
    """Predictions for each penalty, and the audit of an approximation."""
    if model == "ridge" or model == "least_squares":
        return list(ridge_path(x, targets, path, standardize=scaled)), None
    counts = np.bincount(targets, minlength=len(data.classes))
    if counts.min() < 2:
        raise InputError(
            "a class has too few rows to leave one out", where=f"class '{_short(data, counts)}'",
            received=str(counts.min()), do="give 2 rows or more, or drop the class",
        )  # fmt: skip
    if model == "logistic" or model == "softmax":
        made, found = approximate_softmax(
            x, targets, float(path[0]), kind=model, standardize=scaled, rows=audit, seed=seed
        )
        return [made], found
    return [gaussian_classifiers(x, targets, model)], None


def _short(data: Data, counts: np.ndarray) -> str:
    return data.classes[int(counts.argmin())][:30]


def _floor(data: Data, rows: np.ndarray, metric: str, seed: int) -> Floor:
    """What the mean of the other rows reaches, or the largest class.

    The class is that of all rows: of the others alone, in balanced classes, it would always be
    a wrong one, and the floor would be 0.
    """
    targets, n = data.targets[rows], len(rows)
    if data.task == "regression":
        name, outputs = "mean of the other rows", (targets.sum(0) - targets) / (n - 1)
    else:
        shares = np.bincount(targets, minlength=len(data.classes)) / n
        name, outputs = "majority class of all rows", np.tile(shares, (n, 1))
    return Floor(name, out_of_fold_score(Predictions(rows, targets, outputs), metric, seed))


def _notes(path: np.ndarray, best: int, audit: Audit | None, duplicates: int) -> tuple[str, ...]:
    notes = []
    if len(path) > 1:
        notes.append(f"the penalty is the best of {len(path)} on these rows: optimistic")
        if best in (0, len(path) - 1):
            notes.append("the best penalty is at an end of the path: try a wider one")
    if duplicates:
        notes.append(
            f"{duplicates} rows have a copy among the others, which predicts them: optimistic"
        )
    return (*notes, str(audit)) if audit else tuple(notes)
