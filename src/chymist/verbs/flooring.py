"""Floors beside a model: which there are depends on the kind of the data and on the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chymist.data.graphs import graph_inputs
from chymist.data.preparation import Preparation
from chymist.engine.assembly import HEADLINE
from chymist.engine.steps import MANY, STEPWISE, two_chances
from chymist.evidence import FloorResult, fit_floors, ranked
from chymist.evidence.floors import Matrix
from chymist.evidence.graph_floors import label_propagation, perceptron_floor
from chymist.evidence.step_floors import step_floors
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
    rows, scored = plain_rows(preparation, options, data, train, made.rows) or matrices
    return fit_floors(
        rows, data.targets[train], scored, made.rows, made.targets, task=data.task,
        classes=data.classes, metric=metric, split=split, seed=seed, groups=made.groups,
    )  # fmt: skip


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
    known = data.kind in ("tokens", "text")
    inputs, new = (
        (preparation.inputs(data.take(rows)) for rows in (train, scored)) if known else (None, None)
    )
    goals = data.targets[scored]
    found = step_floors(inputs, data.targets[train], new, goals >= 0, len(data.classes))
    if len(data.classes) <= MANY:
        return found
    return {name: two_chances(part, goals[goals >= 0]) for name, part in found.items()}
