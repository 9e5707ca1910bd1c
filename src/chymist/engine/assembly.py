"""From recipe, split and seed to a program and a state that the loop can run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist import metrics
from chymist.data.preparation import Preparation, fit_preparation
from chymist.engine.closed_form import only_layer
from chymist.engine.loop import Program, State, steps_per_epoch
from chymist.errors import InputError, UsageError
from chymist.losses import FORMS, Form
from chymist.models import build_model
from chymist.stop import check_monitor
from chymist.values import Data, Predictions, Recipe, Shapes, Split

HEADLINE = {"classification": "accuracy", "regression": "rmse"}
EVALUATION_BATCH = 1024  # rows per forward pass outside training; bounds memory, not results


@dataclass(frozen=True, eq=False)
class Assembly:
    """A run that is ready to start.

    Args:
        recipe: the complete recipe.
        program: what the loop reads.
        state: where it starts.
        preparation: fitted on the training rows.
        form: how the loss reads outputs.
        shapes: of one input, and number of outputs.
        train, valid: prepared inputs of the rows, (rows, ...).
    """

    recipe: Recipe
    program: Program
    state: State
    preparation: Preparation
    form: Form
    shapes: Shapes
    train: Tensor
    valid: Tensor


def assemble(recipe: Recipe, split: Split, seed: int) -> Assembly:
    """Prepare the rows, build the model and check the first batch.

    Args:
        recipe: a complete recipe.
        split: the rows.
        seed: seed of initialisation, order and dropout.

    Returns:
        A run that is ready to start.

    Raises:
        InputError: data, model and loss do not fit each other.
        UsageError: a part does not suit the data.
    """
    data = split.data
    form = check_loss(recipe, data)
    preparation = fit_preparation(data, split.train, recipe.data.options)
    dtype = torch.float64 if recipe.precision == "float64" else torch.float32
    train, valid = (
        torch.from_numpy(preparation.inputs(data.take(rows))).to(dtype)
        for rows in (split.train, split.valid)
    )
    targets, valid_targets = (
        encode_targets(form, preparation, data, rows, dtype) for rows in (split.train, split.valid)
    )
    columns = len(data.classes) if data.classes else targets.shape[1]
    shapes = Shapes(tuple(train.shape[1:]), form.outputs(columns))
    model = build_model(recipe.model, shapes, seed).to(dtype)
    if train.ndim == 4:  # convolutions run faster on the CPU with the channels innermost
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    loss = recipe.loss.bind()
    rows = len(split.train)
    batch_size = rows if recipe.batch_size == "all" else min(recipe.batch_size, rows)
    check_first_batch(model, loss, train, targets, batch_size)
    per_epoch = steps_per_epoch(rows, batch_size)
    total = recipe.length.steps(per_epoch)
    rule = recipe.stop.build(per_epoch)
    if rule is not None:
        watched = [f"val_{name}" for name in ("loss", HEADLINE[data.task])] if len(valid) else []
        check_monitor(rule.monitor, ["train_loss", *watched])
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer, rate = build_optimizer(recipe, model)
    evaluate = evaluator(loss, form, preparation, data, split.valid, valid, valid_targets)
    program = Program(
        train, targets, loss, recipe.schedule.build(total), recipe.clip.build(parameters),
        evaluate, rule, batch_size, total, seed,
    )  # fmt: skip
    return Assembly(
        recipe, program, State(model, optimizer, rate), preparation, form, shapes, train, valid
    )


def build_optimizer(recipe: Recipe, model: nn.Module) -> tuple[torch.optim.Optimizer, float]:
    """The optimiser over the parameters that are trained, and its learning rate.

    Raises:
        InputError: the model has nothing to train.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise InputError("the model has no parameters to train", received=recipe.model.name)
    if recipe.optimizer.name == "closed_form":
        only_layer(model)
        if recipe.loss.name != "mse":
            raise UsageError("closed_form is for the loss 'mse'", where="optimizer",
                             received=f"'{recipe.loss.name}'")  # fmt: skip
        return torch.optim.SGD(parameters), 1.0  # never stepped: see engine.closed_form
    optimizer = recipe.optimizer.build(parameters)
    return optimizer, float(optimizer.param_groups[0]["lr"])


def check_loss(recipe: Recipe, data: Data) -> Form:
    """What the loss expects, after checking that it suits the data.

    Raises:
        UsageError: a loss for another task, or for another number of classes.
    """
    form = FORMS[recipe.loss.name]
    if form.task != data.task:
        raise UsageError(
            f"the loss '{recipe.loss.name}' is for {form.task}", received=f"{data.task} data",
            do=f"use {' or '.join(n for n, f in FORMS.items() if f.task == data.task)}",
        )  # fmt: skip
    if form.outputs(3) == 1 and len(data.classes) > 2:
        raise UsageError(
            f"the loss '{recipe.loss.name}' is for two classes",
            received=f"{len(data.classes)} classes",
            do="use cross_entropy",
        )
    return form


def encode_targets(
    form: Form, preparation: Preparation, data: Data, rows: np.ndarray, dtype: torch.dtype
) -> Tensor:
    """Targets of some rows in the form that the loss compares with."""
    targets = form.targets(torch.from_numpy(preparation.targets(data.targets[rows])))
    return targets.to(dtype) if targets.is_floating_point() else targets


def check_first_batch(
    model: nn.Module, loss: Callable[..., Tensor], inputs: Tensor, targets: Tensor, batch_size: int
) -> None:
    """Run a row or two through the model and the loss, so that a misfit is found at once.

    The model is left as it was: in evaluation mode no running statistic changes, and training
    mode is tried on a copy.

    Raises:
        InputError: the model fails on the inputs, or its outputs do not fit the targets.
    """
    few = inputs[: min(2, batch_size)]
    _tried(copy.deepcopy(model).train(), few)
    outputs = _tried(model.eval(), few)
    if not isinstance(outputs, Tensor):
        raise InputError(
            "the model must return one tensor",
            received=type(outputs).__name__,
            where=type(model).__name__,
        )
    classes = int(targets.max()) + 1 if targets.dtype == torch.int64 else 0
    if outputs.ndim == 2 and classes > outputs.shape[1]:
        raise InputError(
            "the model has fewer outputs than there are classes",
            received=f"{outputs.shape[1]} outputs, {classes} classes",
            do="size the last layer by shapes.outputs",
        )
    value = loss(outputs, targets[: len(few)])
    if not bool(torch.isfinite(value)):
        raise InputError(
            "the loss is not finite before the first step",
            received=str(value.item()),
            do="check the inputs, or the model's initial weights",
        )
    model.train()


def _tried(model: nn.Module, inputs: Tensor) -> Any:
    """What the model returns, or its failure in one line."""
    try:
        return model(inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            "the model fails on the first batch",
            received=f"inputs {tuple(inputs.shape)}",
            where=type(model).__name__,
            do=f"it says: {reason}",
        ) from error


def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs of a model in evaluation mode for all rows, in batches, without gradients."""
    model.eval()
    with torch.no_grad():
        batches = inputs.split(EVALUATION_BATCH) if len(inputs) else [inputs]
        return torch.cat([model(batch) for batch in batches])


def predict_rows(
    model: nn.Module, form: Form, preparation: Preparation, inputs: Tensor
) -> np.ndarray:
    """Predictions for prepared inputs: probabilities (n, classes), or values in raw units."""
    outputs = form.predictions(forward(model, inputs)).double().numpy()
    return preparation.outputs(outputs) if form.task == "regression" else outputs


def predictions_for(assembly: Assembly, split: Split, name: str) -> Predictions:
    """Per-example results on the training or validation rows of a run."""
    rows = split.rows(name)
    inputs = assembly.train if name == "train" else assembly.valid
    model, form = assembly.state.model, assembly.form
    outputs = predict_rows(model, form, assembly.preparation, inputs)
    return Predictions(rows, split.data.targets[rows], _like(outputs, split.data.targets))


def evaluator(
    loss: Callable[..., Tensor], form: Form, preparation: Preparation, data: Data,
    rows: np.ndarray, inputs: Tensor, targets: Tensor,
) -> Callable[[nn.Module], Mapping[str, float]]:  # fmt: skip
    """What is recorded after every epoch: loss and headline metric on the validation rows."""
    name = HEADLINE[data.task]

    def evaluate(model: nn.Module) -> Mapping[str, float]:
        if not len(inputs):
            return {}
        outputs = forward(model, inputs)
        read: Any = form.predictions(outputs).double().numpy()
        if data.task == "regression":
            value = metrics.rmse(data.targets[rows], _like(preparation.outputs(read), data.targets))
        else:
            value = metrics.accuracy(data.targets[rows], read.argmax(1))
        return {"val_loss": float(loss(outputs, targets)), f"val_{name}": value}

    return evaluate


def _like(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Values (n, 1) as (n,) where the targets are (n,)."""
    single = targets.dtype.kind == "f" and targets.ndim == 1 and outputs.ndim == 2
    return outputs[:, 0] if single else outputs
