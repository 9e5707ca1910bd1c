"""From recipe, split and seed to a program and a state that the loop can run."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist import metrics
from chymist.augment import Augment, check_suits
from chymist.data.graphs import graph_inputs
from chymist.data.preparation import Preparation, fit_preparation
from chymist.data.weights import row_weights
from chymist.engine.closed_form import TRIED
from chymist.engine.defaults import TREES
from chymist.engine.ignored import CONSTANT
from chymist.engine.loop import Program, State, scaler, steps_per_epoch
from chymist.engine.place import CPU, MEMORY, Place
from chymist.engine.randomness import foreign_randomness, unchanged_randomness
from chymist.engine.rows import Flat, InMemory, Pixels, Rows, Streamed, as_inputs, in_turn
from chymist.engine.solving import check_solvable
from chymist.engine.start import warm_start
from chymist.engine.steps import (
    STEPWISE,
    Buckets,
    carries,
    step_evaluator,
    step_predictions,
    stepwise,
)
from chymist.errors import InputError, UsageError
from chymist.initializers import scale_to_unit_variance
from chymist.keys import order
from chymist.losses import FORMS, Form
from chymist.models import build_model
from chymist.models.efficientnet import Backbone
from chymist.models.recurrent import lengths_of
from chymist.optim import is_solved
from chymist.schedules import Span, monitored
from chymist.stop import Rule, check_monitor
from chymist.values import Data, Predictions, Recipe, Shapes, Split

HEADLINE = {"classification": "accuracy", "regression": "rmse", "tagging": "accuracy",
            "language": "log_loss"}  # fmt: skip


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
        train, valid: the rows, prepared.
    """

    recipe: Recipe
    program: Program
    state: State
    preparation: Preparation
    form: Form
    shapes: Shapes
    train: Rows
    valid: Rows

    def rows(self, name: str) -> Rows:
        """The prepared rows "train" or "valid"."""
        return self.train if name == "train" else self.valid

    def matrix(self, rows: Rows) -> Flat:
        """Prepared rows as a matrix (rows, features)."""
        return Flat(rows, math.prod(self.shapes.inputs))


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows of a split as a model takes them; runs that prepare them alike may share them.

    Args:
        preparation: fitted on the training rows.
        train, valid: the rows.
    """

    preparation: Preparation
    train: Rows
    valid: Rows


def prepare_split(recipe: Recipe, split: Split, place: Place = MEMORY) -> Prepared:
    """Fit the preparation on the training rows, and prepare these and the validation rows."""
    form = check_loss(recipe, split.data)
    preparation = fit_preparation(split.data, split.train, recipe.data.options)
    if form.counts:
        width = len(preparation.target_scale)
        preparation = replace(preparation, target_shift=(0.0,) * width, target_scale=(1.0,) * width)
    train, valid = (
        prepared_rows(recipe, form, preparation, split.data, rows, place)
        for rows in (split.train, split.valid)
    )
    return Prepared(preparation, train, valid)


def assemble(
    recipe: Recipe, split: Split, seed: int, place: Place = MEMORY, check: bool = True,
    prepared: Prepared | None = None,
) -> Assembly:  # fmt: skip
    """Prepare the rows, build the model and check the first batch.

    Args:
        recipe: a complete recipe.
        split: the rows.
        seed: seed of initialisation, order and dropout.
        place: the device, and whether rows are streamed.
        check: whether to try the first batch; of many runs of one kind the first is enough.
        prepared: the rows of the split, if they have been prepared for this recipe.

    Returns:
        A run that is ready to start.

    Raises:
        InputError: data, model and loss do not fit each other.
        UsageError: a part does not suit the data.
    """
    data = split.data
    form = check_loss(recipe, data)
    check_missing(recipe)
    prepared = prepared or prepare_split(recipe, split, place)
    preparation, train, valid = prepared.preparation, prepared.train, prepared.valid
    columns = len(data.classes) if data.classes else train.targets.shape[1]
    shapes = shapes_of(preparation, form.outputs(columns), data, recipe)
    model = _module(recipe, shapes, seed)
    _start_from(model, recipe, split, prepared, seed)
    if len(shapes.inputs) == 3:  # convolutions run faster with the channels innermost
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model = model.to(place.device)
    loss, apply = loss_of(recipe, data), forward_of(recipe, place.device)
    rows = len(split.train)
    batch_size = rows if recipe.batch_size == "all" else min(recipe.batch_size, rows)
    if check:
        with unchanged_randomness():
            check_first_batch(model, loss, apply, train, batch_size, shapes.outputs)
    accumulate = _passes(recipe, model)
    per_epoch = steps_per_epoch(rows, batch_size * accumulate)
    total = recipe.length.steps(per_epoch)
    rule = recipe.stop.build(per_epoch)
    schedule = (recipe.schedule or CONSTANT).build(Span(total, per_epoch))  # solvers have none
    check_watched(recipe, rule, data, len(valid))
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer, rate = build_optimizer(recipe, model, train)
    program = Program(
        train, apply, loss, schedule, recipe.clip.build(parameters),
        evaluator(loss, form, preparation, data, split.valid, valid, batch_size), rule, batch_size,
        total, seed, accumulate, weights_of(recipe, split, train.targets.device), None,
        recipe.penalty.build(None) if recipe.penalty else None,
        recipe.gradient_noise.build(seed) if recipe.gradient_noise else None, carries(model),
        augment_of(recipe, data, seed, shapes.outputs), buckets_of(recipe, model, train),
    )  # fmt: skip
    state = State(model, optimizer, rate, scaler(place.device.type, recipe.precision == "float16"))
    return Assembly(recipe, program, state, preparation, form, shapes, train, valid)


def _module(recipe: Recipe, shapes: Shapes, seed: int) -> nn.Module:
    """The model on the CPU; the user's own may draw from any of the global generators."""
    own = recipe.model.factory is not None
    with foreign_randomness(seed) if own else nullcontext():
        return build_model(recipe.model, shapes, seed, recipe.init).to(dtype_of(recipe))


def _passes(recipe: Recipe, model: nn.Module) -> int:
    """Passes of a step: one where a state goes on from batch to batch."""
    accumulate = recipe.accumulate or 1
    if accumulate > 1 and carries(model):
        raise UsageError("a state that is carried goes from batch to batch, one batch a step",
                         where="accumulate", received=str(accumulate),
                         do="leave it out, or carry=False")  # fmt: skip
    return accumulate


def augment_of(recipe: Recipe, data: Data, seed: int, outputs: int) -> Augment | None:
    """What a run does with each batch of training rows; None where they stay as they are.

    Raises:
        UsageError: an augmentation does not suit the data or the loss.
    """
    if not recipe.augment:
        return None
    check_suits(recipe.augment, data.kind, data.task, recipe.loss.name)
    steps = recipe.augment.build(None)
    return Augment(steps, seed, outputs) if steps else None


def buckets_of(recipe: Recipe, model: nn.Module, rows: Rows) -> Buckets | None:
    """Lengths of the training rows, where batches are to hold similar ones; None elsewhere.

    Raises:
        UsageError: the model reads rows in their own order.
    """
    together = recipe.data.options.get("bucketing", 0)
    if not together:
        return None
    if carries(model):
        raise UsageError("rows of a running text are read in their own order",
                         where="data.bucketing", received=str(together),
                         do="leave it out, or carry no state")  # fmt: skip
    parts = torch.arange(len(rows)).split(4096)
    found = [lengths_of(x if x.ndim == 2 else x[:, :, 0]) for x, _ in rows.batches(parts)]
    return Buckets(torch.cat(found).cpu().numpy(), together)


def shapes_of(preparation: Preparation, outputs: int, data: Data, recipe: Recipe) -> Shapes:
    """What the model of a run is told of its inputs and outputs."""
    known = None
    if data.graph is not None:
        steps = preparation.steps if data.kind == "graph" else ()
        known = graph_inputs(data.graph, recipe.data.options.get("scale", "auto"), steps)
    return Shapes(preparation.input_shape, outputs, preparation.categories,
                  len(preparation.vocabulary), known, data.task in STEPWISE)  # fmt: skip


def loss_of(recipe: Recipe, data: Data) -> Callable[..., Tensor]:
    """The loss of a run, over the steps of a row where each has a target."""
    loss = recipe.loss.bind()
    return stepwise(loss) if data.task in STEPWISE else loss


def check_watched(recipe: Recipe, rule: Rule | None, data: Data, valid: int) -> None:
    """Refuse a stopping rule or a schedule that watches what the run does not record.

    Args:
        recipe: a complete recipe.
        rule: early stopping, or None.
        data: the data.
        valid: number of validation rows.

    Raises:
        UsageError: it does.
    """
    if rule is not None:
        watched = [f"val_{name}" for name in ("loss", HEADLINE[data.task])] if valid else []
        check_monitor(rule.monitor, ["train_loss", *watched])
    if monitored(recipe) == "val_loss" and not valid:
        raise UsageError(
            "the schedule watches val_loss, and there are no validation rows", where="schedule",
            do="give some, or let it watch train_loss",
        )  # fmt: skip


def _start_from(
    model: nn.Module, recipe: Recipe, split: Split, prepared: Prepared, seed: int
) -> None:
    """Initial weights that need rows, or another run."""
    name = recipe.init.name if recipe.init else "default"
    if isinstance(model, Backbone) and model.pretrained and name != "from_run":
        model.restore()
    if name == "lsuv":
        _scale_by_rows(model, prepared.train, recipe, seed)
    elif name == "from_run":
        warm_start(model, recipe.init, split, prepared.preparation)


def _scale_by_rows(model: nn.Module, rows: Rows, recipe: Recipe, seed: int) -> None:
    """Bring what the layers give for the first rows of the run to variance 1."""
    size = len(rows) if recipe.batch_size == "all" else min(recipe.batch_size, len(rows))
    inputs = rows.take(torch.from_numpy(order(seed, 0, len(rows))[:size]))
    scale_to_unit_variance(model, inputs.cpu())


def weights_of(recipe: Recipe, split: Split, device: torch.device) -> Tensor | None:
    """How much each training row counts in the loss; None if they count alike."""
    found = row_weights(split.data, split.train, recipe.data.options.get("weights", "none"))
    return None if found is None else torch.from_numpy(found).to(device, dtype_of(recipe))


def prepared_rows(
    recipe: Recipe, form: Form, preparation: Preparation, data: Data, rows: np.ndarray,
    place: Place,
) -> Rows:  # fmt: skip
    """Rows of the data as the model takes them: all at once, or streamed where that is too much.

    Args:
        recipe: a complete recipe; its precision counts.
        form: how the loss reads targets.
        preparation: fitted on the training rows.
        data: the data.
        rows: the row numbers.
        place: whether to stream, and the device.
    """
    dtype = dtype_of(recipe)
    exact = np.float64 if dtype == torch.float64 else np.float32
    targets = form.targets(torch.from_numpy(preparation.targets(data.targets[rows], exact)))
    targets = targets.to(dtype) if targets.is_floating_point() else targets
    targets = targets.to(place.device)

    def prepare(index: np.ndarray) -> np.ndarray:
        return preparation.inputs(data.take(rows[index]), exact)

    raw = images_of(data, preparation)
    small = raw is not None and raw.dtype == np.uint8
    size = len(rows) * math.prod(preparation.input_shape) * (1 if small else dtype.itemsize)
    workers = place.workers_for(data, size)
    if workers is not None:
        return Streamed(prepare, targets, dtype, workers)
    if raw is None:
        inputs = as_inputs(preparation.inputs(data.take(rows), exact), dtype)
        return InMemory(inputs.to(place.device), targets)
    finish = Pixels(*preparation.pixels, dtype)
    usable = raw.flags.c_contiguous and raw.flags.writeable  # by torch, without a copy
    if place.device == CPU and usable and not isinstance(raw, np.memmap):
        return InMemory(torch.from_numpy(raw), targets, torch.from_numpy(rows), finish)
    return InMemory(torch.from_numpy(raw[rows]).to(place.device), targets, None, finish)


def images_of(data: Data, preparation: Preparation) -> np.ndarray | None:
    """The raw images, if a model can be fed from them batch by batch at no cost worth the name.

    Bytes are small, and float32 without a scale is what the model takes; others are prepared once.
    """
    if preparation.kind != "image" or not isinstance(data.inputs, np.ndarray):
        return None
    ready = data.inputs.dtype == np.float32 and preparation.pixels == (0.0, 1.0)
    return data.inputs if ready or data.inputs.dtype == np.uint8 else None


def dtype_of(recipe: Recipe) -> torch.dtype:
    """Of inputs and weights; reduced precision is that of the products only."""
    return torch.float64 if recipe.precision == "float64" else torch.float32


def forward_of(recipe: Recipe, device: torch.device) -> Callable[[nn.Module, Tensor], Tensor]:
    """How the model is applied in training: as it is, or with products in reduced precision."""
    if recipe.precision not in ("bfloat16", "float16"):
        return lambda model, inputs: model(inputs)
    reduced = getattr(torch, recipe.precision)

    def apply(model: nn.Module, inputs: Tensor) -> Tensor:
        with torch.autocast(device.type, reduced):
            outputs = model(inputs)
        made: Tensor = outputs.float()
        return made

    return apply


def build_optimizer(
    recipe: Recipe, model: nn.Module, rows: Rows
) -> tuple[torch.optim.Optimizer, float]:
    """The optimiser over the parameters that are trained, and its learning rate.

    Raises:
        InputError: the model has nothing to train.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if is_solved(recipe):
        check_solvable(recipe, model, rows.take(torch.arange(min(TRIED, len(rows)))))
        # never stepped: see engine.solving
        return torch.optim.SGD(parameters or [torch.zeros(0)]), 1.0
    if not parameters:
        do = "use the optimizer direct" if hasattr(model, "solve") else ""
        raise InputError("the model has no parameters to train", received=recipe.model.name, do=do)
    groups = [{"params": group, "factor": factor} for factor, group in model.factors()] if (
        isinstance(model, Backbone)) else parameters  # fmt: skip
    optimizer = recipe.optimizer.build(groups)
    by_velocity = isinstance(optimizer, torch.optim.SGD) and optimizer.param_groups[0]["momentum"]
    if recipe.precision == "float16" and by_velocity:
        # A first step that overflows is not taken, and torch would keep the velocity unset.
        for parameter in parameters:
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer, float(optimizer.param_groups[0]["lr"])


def check_loss(recipe: Recipe, data: Data) -> Form:
    """What the loss expects, after checking that it suits the data.

    Raises:
        UsageError: a loss for another task or number of classes.
    """
    form = FORMS[recipe.loss.name]
    if form.task != ("classification" if data.task in STEPWISE else data.task):
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
    if form.counts and len(data.targets) and float(data.targets.min()) < 0:
        raise InputError(
            f"the loss '{recipe.loss.name}' is for counts", where=data.target,
            received=f"{float(data.targets.min()):.4g}", do="use mse",
        )  # fmt: skip
    return form


def check_missing(recipe: Recipe) -> None:
    """Refuse empty cells for a model of the palette that cannot take them.

    Raises:
        UsageError: they are kept.
    """
    own = recipe.model.factory is not None
    if recipe.data.options.get("missing") == "keep" and not own and recipe.model.name not in TREES:
        raise UsageError("only trees take empty cells", where="data.missing",
                         received=f"'keep' for the model '{recipe.model.name}'",
                         do="use median, or leave it out")  # fmt: skip


def check_first_batch(
    model: nn.Module, loss: Callable[..., Tensor], apply: Callable[[nn.Module, Tensor], Tensor],
    rows: Rows, batch_size: int, expected: int,
) -> None:  # fmt: skip
    """Run a row or two through the model and the loss, so that a misfit is found at once.

    The model is left as it was: in evaluation mode no running statistic changes, and training
    mode is tried on a copy.

    Raises:
        InputError: the model fails on the inputs, or its outputs do not fit the targets.
    """
    count = min(2, batch_size, len(rows))
    few, targets = rows.take(torch.arange(count)), rows.targets
    _tried(_copied(model).train(), few)
    _check_outputs(model, _tried(model.eval(), few), targets, expected)
    value = loss(_tried(model, few, apply), targets[:count])
    if not bool(torch.isfinite(value)):
        raise InputError(
            "the loss is not finite before the first step",
            received=str(value.item()),
            do="check the inputs, or the model's initial weights",
        )
    model.train()


def _copied(model: nn.Module) -> nn.Module:
    """A copy of a model, or itself if it cannot be copied (weight norm made by hooks)."""
    try:
        return copy.deepcopy(model)
    except (RuntimeError, UsageError):
        return model


def _check_outputs(model: nn.Module, outputs: Any, targets: Tensor, expected: int) -> None:
    """Refuse outputs that the loss could not read; of two classes one may be expected."""
    if not isinstance(outputs, Tensor):
        raise InputError(
            "the model must return one tensor",
            received=type(outputs).__name__,
            where=type(model).__name__,
        )
    classes = int(targets.max()) + 1 if targets.dtype == torch.int64 else 0
    if outputs.ndim == 2 and min(classes, expected) > outputs.shape[1]:
        raise InputError(
            "the model has fewer outputs than there are classes",
            received=f"{outputs.shape[1]} outputs, {classes} classes",
            do="size the last layer by shapes.outputs",
        )


def _tried(
    model: nn.Module, inputs: Tensor, apply: Callable[[nn.Module, Tensor], Tensor] | None = None
) -> Any:
    """What the model returns, as it is or as it is applied in training, or its failure."""
    try:
        return apply(model, inputs) if apply else model(inputs)
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError,
            AssertionError) as error:  # fmt: skip
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(
            "the model fails on the first batch",
            received=f"inputs {tuple(inputs.shape)}",
            where=type(model).__name__,
            do=f"it says: {reason}",
        ) from error


def forward(model: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """Outputs of a model in evaluation mode for batches of inputs, without gradients."""
    model.eval()
    with torch.no_grad():  # inference mode would poison tensors that a user's module keeps
        return torch.cat([model(inputs) for inputs in batches])


def predict_rows(
    model: nn.Module, form: Form, preparation: Preparation, batches: Iterable[Tensor]
) -> np.ndarray:
    """Predictions for batches of prepared inputs: probabilities, or values in raw units."""
    made = forward(model, batches)
    rows = made.flatten(0, 1) if made.ndim == 3 else made  # of every step
    outputs = form.predictions(rows).double().cpu().numpy().reshape(*made.shape[:-1], -1)
    return preparation.outputs(outputs) if form.task == "regression" else outputs


def predictions_for(assembly: Assembly, split: Split, name: str) -> Predictions:
    """Per-example results on the training or validation rows of a run."""
    rows = split.rows(name)
    model, form = assembly.state.model, assembly.form
    if split.data.task in STEPWISE:
        lanes = assembly.program.batch_size
        return step_predictions(model, form, assembly.rows(name), rows, split.data, lanes)
    outputs = predict_rows(model, form, assembly.preparation, in_turn(assembly.rows(name)))
    values = _like(outputs, split.data.targets)
    truth = split.data.targets[rows]
    return Predictions(rows, truth, values, split.groups_of(rows), form.estimated)


def evaluator(
    loss: Callable[..., Tensor], form: Form, preparation: Preparation, data: Data,
    numbers: np.ndarray, rows: Rows, lanes: int,
) -> Callable[[nn.Module], Mapping[str, float]]:  # fmt: skip
    """What is recorded after every epoch: loss and headline metric on the validation rows."""
    name = HEADLINE[data.task]
    if data.task in STEPWISE:
        return step_evaluator(loss, form, rows, lanes, name)

    def evaluate(model: nn.Module) -> Mapping[str, float]:
        if not len(rows):
            return {}
        outputs = forward(model, in_turn(rows))
        read: Any = form.predictions(outputs).double().cpu().numpy()
        truth = data.targets[numbers]
        if data.task == "regression":
            value = metrics.rmse(truth, _like(preparation.outputs(read), truth))
        else:
            value = metrics.accuracy(truth, read.argmax(1))
        return {"val_loss": float(loss(outputs, rows.targets)), f"val_{name}": value}

    return evaluate


def _like(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Values (n, 1) as (n,) where the targets are (n,)."""
    single = targets.dtype.kind == "f" and targets.ndim == 1 and outputs.ndim == 2
    return outputs[:, 0] if single else outputs
