"""Maps of a run for its report: where the network looked in its hardest and its surest rows."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.rows import as_inputs
from chymist.errors import InputError, UsageError
from chymist.explanation.asking import Attributor, at_rest
from chymist.explanation.class_maps import grad_cam, layers, usual_layer
from chymist.explanation.sanity import constant_maps, randomization
from chymist.reports.examples import example_losses
from chymist.reports.layers import layer_table
from chymist.reports.looked import Looks
from chymist.values import Run
from chymist.verbs.explaining_rows import INSIDE, TwoSided
from chymist.verbs.predicting import opened

EACH = 4  # rows of each kind
# Multiply-adds of a row: beyond the first, maps take seconds on one core; the check has 6 times the
# work of the maps. They are counted, not timed, so that the same run gives the same report.
COSTLY, CHECKED = 5e8, 5e7
TOO_LARGE = "The network is large: chymist explain draws its maps, and the report leaves them out."
NO_MAPS = "No layer of this model gives feature maps, so there is nothing to lay over a picture."
UNCHECKED = "Whether the maps depend on the weights was not checked: the network is large."


def looks_of(run: Run) -> Looks | None:
    """Maps of a run of images; None where there is nothing to look at.

    Args:
        run: with its predictions.
    """
    classes = len(run.data.classes)
    shown = run.data.kind == "image" and classes and len(run.predictions.rows)
    if not shown or run.predictions.outputs.shape[1] != classes:
        return None
    rows = layer_table(run.model, run.preparation.input_shape, costs=True)
    cost = sum(row.multiply_adds for row in rows)
    if cost > COSTLY:
        return Looks.none(TOO_LARGE)
    hardest, surest = _places(run)
    places = np.concatenate([hardest, surest])
    module, prepared, targets = _asked(run, places)
    try:
        layer = usual_layer(module, prepared)
        found = partial(grad_cam, layer=layer)
        maps = found(module, prepared, targets)
    except (UsageError, InputError):
        return Looks.none(NO_MAPS)
    height, width = layers(module, prepared)[layer][1:]
    checks, sound = _checks(found, module, prepared, targets, maps, cost)
    name = layer.removeprefix(INSIDE)
    return Looks(hardest, surest, maps.numpy(), name, (height, width), checks, sound)


def _places(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Places of the rows of the largest loss, and of those that are right with the smallest."""
    losses = np.nan_to_num(example_losses(run), nan=np.inf)
    order = np.argsort(-losses, kind="stable")
    right = run.predictions.labels == run.predictions.targets
    hardest = order[:EACH]
    rest = order[EACH:][::-1]
    return hardest, rest[right[rest]][:EACH]


def _asked(run: Run, places: np.ndarray) -> tuple[nn.Module, Tensor, Tensor]:
    """The module with one output a class, prepared rows, and what it predicts for them."""
    _, split, predictor = opened(run, None, None)
    raw = split.data.take(run.predictions.rows[places])
    prepared = as_inputs(predictor.preparation.inputs(raw, predictor.exact), predictor.dtype)
    module: nn.Module = predictor.module
    with torch.no_grad(), at_rest(module):
        single = module(prepared[:1]).reshape(1, -1).shape[1] == 1
    said = torch.from_numpy(run.predictions.labels[places].astype(np.int64))
    return (TwoSided(module) if single else module), prepared, said


def _checks(
    found: Attributor, module: nn.Module, prepared: Tensor, targets: Tensor, maps: Tensor,
    cost: int,
) -> tuple[list[str], bool]:  # fmt: skip
    """What is to be known before the maps are believed, and whether they are."""
    constant = [why for why in constant_maps(maps) if why]
    said = [f"{len(constant)} of {len(maps)} maps are constant: {why}" for why in constant[:1]]
    if cost > CHECKED:
        return [*said, UNCHECKED], False
    drawn = randomization(found, module, prepared, targets)
    return [*said, drawn.sentence], drawn.verdict == "depends" and not said
