"""Floors beside a model: which there are depends on the kind of the data and on the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.data.graphs import graph_inputs
from chymist.data.preparation import Preparation
from chymist.data.texts import tokenized
from chymist.engine.assembly import HEADLINE
from chymist.engine.steps import MANY, STEPWISE, two_chances
from chymist.evidence import FloorResult, fit_floors, ranked
from chymist.evidence.floors import Matrix
from chymist.evidence.graph_floors import label_propagation, perceptron_floor
from chymist.evidence.ngrams import kneser_ney, unigram
from chymist.evidence.series_floors import series_floors
from chymist.evidence.step_floors import step_floors
from chymist.evidence.text_floors import text_floors
from chymist.models.graphs import row_features
from chymist.values import Data, Predictions
from chymist.verbs.plain_rows import plain_rows


def floors_beside(
    preparation: Preparation, options: Mapping[str, Any], data: Data, train: np.ndarray,
    made: Predictions, matrices: tuple[Matrix, Matrix], split: str, seed: int,
) -> list[FloorResult]:  # fmt: skip
    """Floors on the rows that a model is scored on, strongest first.

    Args:
        preparation: of the run.
        options: of its preparation, as in the recipe.
        data: the data.
        train: training rows.
        made: results of the model.
        matrices: training and scored rows, prepared, as matrices; used where no other form is
            better.
        split: which rows they are: "valid", "test", ...
        seed: seed of the run.
    """
    metric = HEADLINE[data.task]
    if data.task in STEPWISE:
        return ranked(_of_steps(preparation, data, train, made), made, metric, split, seed)
    if data.kind == "graph" and data.graph is not None and data.graph.features is not None:
        return _of_graph(preparation, options, data, train, made, split, seed)
    if data.kind == "text":
        return ranked(_of_texts(preparation, data, train, made, seed), made, metric, split, seed)
    found = _by_columns(preparation, options, data, train, made, matrices, split, seed)
    if data.task == "regression" and data.kind == "sequence":
        more = _of_series(data, train, made)
        found += ranked(more, made, metric, split, seed) if more else []
        found = sorted(found, key=lambda floor: floor.score.value)  # rmse: less is better
    return found


def _by_columns(
    preparation: Preparation, options: Mapping[str, Any], data: Data, train: np.ndarray,
    made: Predictions, matrices: tuple[Matrix, Matrix], split: str, seed: int,
) -> list[FloorResult]:  # fmt: skip
    """Floors on prepared inputs as a matrix."""
    metric = HEADLINE[data.task]
    rows, scored = plain_rows(preparation, options, data, train, made.rows) or matrices
    return fit_floors(
        rows, data.targets[train], scored, made.rows, made.targets, task=data.task,
        classes=data.classes, metric=metric, split=split, seed=seed, groups=made.groups,
    )  # fmt: skip


def _of_texts(
    preparation: Preparation, data: Data, train: np.ndarray, made: Predictions, seed: int
) -> dict[str, np.ndarray]:
    """Linear models of counted words."""
    cut: Any = preparation.tokens
    texts: Any = data.inputs
    return text_floors(
        texts[train], data.targets[train], texts[made.rows], lambda text: tokenized(text, cut),
        len(data.classes), seed,
    )  # fmt: skip


def _of_series(data: Data, train: np.ndarray, made: Predictions) -> dict[str, np.ndarray]:
    """Forecasts from the last values of the target, where it is among what goes in."""
    names = [column.name for column in data.columns]
    if data.target not in names:
        return {}
    at, inputs = names.index(data.target), np.asarray(data.inputs)
    return series_floors(inputs[train][:, :, at], data.targets[train], inputs[made.rows][:, :, at])


def _of_language(data: Data, train: np.ndarray, scored: np.ndarray) -> dict[str, np.ndarray]:
    """What counting says of the next token: chances of the right one, and of all others."""
    inputs, goals = np.asarray(data.inputs), data.targets
    known, new = (goals[rows].ravel() for rows in (train, scored))
    before, context = (inputs[rows].ravel() for rows in (train, scored))
    tokens = len(data.classes)
    found = {"unigram": unigram(known, new, tokens)}
    for order in (2, 5):
        name = f"Kneser-Ney {order}-gram"
        found[name] = kneser_ney(before, known, context, new, tokens, order)
    there = new[new >= 0]
    return {name: spread(chance, there, tokens) for name, chance in found.items()}


def spread(chance: np.ndarray, goals: np.ndarray, classes: int) -> np.ndarray:
    """Chances of all classes from those of the right one; of many classes two, as the model's.

    Only the log loss is that of the floor: what is left is shared among the others.

    Args:
        chance: of the right class, (steps,).
        goals: right classes, (steps,).
        classes: their number.

    Example:
        >>> spread(np.array([0.5]), np.array([1]), 3).tolist()
        [[0.25, 0.5, 0.25]]
    """
    if classes > MANY:
        return np.stack([chance, 1 - chance], axis=1)
    made = np.repeat(((1 - chance) / (classes - 1))[:, None], classes, 1)
    made[np.arange(len(goals)), goals] = chance
    return made


def _of_graph(
    preparation: Preparation, options: Mapping[str, Any], data: Data, train: np.ndarray,
    made: Predictions, split: str, seed: int,
) -> list[FloorResult]:  # fmt: skip
    """What the features of nodes or graphs say without the edges, and the edges without them."""
    assert data.graph is not None
    known = graph_inputs(data.graph, options.get("scale", "auto"), preparation.steps)
    features = row_features(known).numpy()
    metric, count, goals = HEADLINE[data.task], len(data.classes), data.targets[train]
    found = fit_floors(
        features[train], goals, features[made.rows], made.rows, made.targets, task=data.task,
        classes=data.classes, metric=metric, split=split, seed=seed, groups=made.groups,
    )  # fmt: skip
    if data.task != "classification":
        return found
    outputs = {f.name: f.predictions.outputs for f in found}
    name = "perceptron on features, no edges"
    outputs[name] = perceptron_floor(features[train], goals, features[made.rows], count, seed)
    if data.graph.owners is None:
        outputs["label propagation"] = label_propagation(
            data.graph.edges, data.graph.nodes, train, goals, count, made.rows
        )
    return ranked(outputs, made, metric, split, seed)


def _of_steps(
    preparation: Preparation, data: Data, train: np.ndarray, made: Predictions
) -> dict[str, np.ndarray]:
    """What the token of a step says of its class; of many classes two chances, as the model's."""
    scored = np.unique(made.rows)
    if data.task == "language":
        return _of_language(data, train, scored)
    known = data.kind in ("tokens", "text")
    inputs, new = (
        (_first(preparation.inputs(data.take(rows))) for rows in (train, scored))
        if known else (None, None)
    )  # fmt: skip
    goals = data.targets[scored]
    found = step_floors(inputs, data.targets[train], new, goals >= 0, len(data.classes))
    if len(data.classes) <= MANY:
        return found
    return {name: two_chances(part, goals[goals >= 0]) for name, part in found.items()}


def _first(tokens: np.ndarray) -> np.ndarray:
    """The first token of each step, such as the word."""
    return tokens if tokens.ndim == 2 else tokens[:, :, 0]
