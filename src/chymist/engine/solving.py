"""Best functions that are found at once, from all rows, instead of in the steps of the loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

import torch
from torch import Tensor, nn

from chymist.engine.closed_form import dependence, given, only_layer, solve_least_squares
from chymist.engine.events import Epoch, Event, Step
from chymist.engine.irls import CERTAIN, Objective, newton, separated
from chymist.engine.loop import Program, State, mean_loss
from chymist.errors import UsageError
from chymist.values import Recipe

# Changes the model, given all inputs, targets, and weights of rows; may return notes.
Solve = Callable[[nn.Module, Tensor, Tensor, Tensor | None], Iterable[str] | None]

SMOOTH = ("mse", "binary_cross_entropy", "cross_entropy", "poisson")
ODDS = ("binary_cross_entropy", "cross_entropy")  # losses that have no minimum on separable rows
MOST = 3000  # weights of a Hessian that is held and inverted
GROW = "so the loss has no minimum: its weights grow for ever"


def solve(program: Program, state: State, recipe: Recipe) -> Generator[Event]:
    """Put the best function into the model; one step, one epoch, or some of Newton's.

    Yields:
        The same events as the training loop.

    Raises:
        UsageError: the model is of another kind than the optimiser is for.
    """
    inputs, targets = next(program.rows.batches([torch.arange(len(program.rows))]))
    if recipe.optimizer.name == "irls":
        yield from _iterate(program, state, recipe, inputs, targets)
        return
    with torch.no_grad():
        first = float(mean_loss(program, state.model(inputs), targets, program.weights))
        state.notes += _solver(recipe)(state.model, inputs, targets, program.weights) or ()
    state.step = program.total_steps
    yield Step(state.step, first, 1.0)
    yield Epoch(1, state.step, _evaluated(program, state, inputs, targets), False, True)


def check_solvable(recipe: Recipe, model: nn.Module) -> None:
    """Refuse a model or a loss that the optimiser cannot solve.

    Raises:
        UsageError: it cannot.
    """
    if recipe.penalty and recipe.penalty.name != "none":
        raise UsageError(
            "a penalty acts in steps", where="penalty", received=f"'{recipe.penalty}'",
            do="use another optimizer, or give l2 to closed_form or irls",
        )  # fmt: skip
    name = recipe.optimizer.name
    if name == "direct":
        if not callable(getattr(model, "solve", None)):
            raise UsageError(
                "the model has no direct solution", where="optimizer", received=recipe.model.name,
                do="use another optimizer, for example adam",
            )  # fmt: skip
        fitting = getattr(model, "losses", (recipe.loss.name,))
        if recipe.loss.name not in fitting:
            raise UsageError(
                f"the model '{recipe.model.name}' is not for this loss", where="loss",
                received=f"'{recipe.loss.name}'", do=f"use {' or '.join(fitting)}",
            )  # fmt: skip
        return
    size = sum(p.numel() for p in only_layer(model).parameters())
    losses = ("mse",) if name == "closed_form" else SMOOTH
    if recipe.loss.name not in losses:
        said = "the loss 'mse'" if name == "closed_form" else "losses with a curvature"
        raise UsageError(
            f"{name} is for {said}", where="optimizer", received=f"'{recipe.loss.name}'",
            do=f"use {' or '.join(losses)}",
        )  # fmt: skip
    if name == "irls" and size > MOST:
        raise UsageError("too many weights for a Hessian", where="optimizer",
                         received=f"{size:,}, at most {MOST:,}", do="use adamw")  # fmt: skip


def separable_note(program: Program, model: nn.Module, recipe: Recipe) -> list[str]:
    """Whether an affine model without a penalty was descended towards weights that do not exist.

    Args:
        program, model: of a finished run.
        recipe: complete.
    """
    affine = recipe.model.name in ("logistic", "softmax", "generalized_linear")
    if recipe.penalty and recipe.penalty.name != "none":
        return []
    options = {**recipe.optimizer.options, **recipe.loss.options}
    if (
        not affine
        or recipe.model.source
        or recipe.loss.name not in ODDS
        or options.get("weight_decay", 0.0)
    ):
        return []
    if options.get("label_smoothing") or recipe.optimizer.name not in ("sgd", "adam", "adamw"):
        return []
    sides = []
    with torch.no_grad():
        for start in torch.arange(len(program.rows)).split(4096):
            inputs, targets = next(program.rows.batches([start]))
            counted = torch.ones(len(start)) if program.weights is None else program.weights[start]
            sides.append(separated(model(inputs), targets, counted.to(targets.device)))
            if not sides[-1]:
                return []
    return [f"a hyperplane separates the training rows, {GROW} with the steps; "
            "a weight_decay, or irls with an l2, bounds them"]  # fmt: skip


def _solver(recipe: Recipe) -> Solve:
    """What changes the model, given all inputs, targets, and weights of rows."""
    if recipe.optimizer.name == "direct":
        return lambda model, inputs, targets, weights: model.solve(inputs, targets, weights)  # type: ignore[operator]
    l2 = recipe.optimizer.build(None)
    return lambda model, x, t, weights: solve_least_squares(model, x, t, weights, l2)


def _iterate(
    program: Program, state: State, recipe: Recipe, inputs: Tensor, targets: Tensor
) -> Generator[Event]:
    """Newton's method; every iteration reads all rows, and so is an epoch of one step."""
    (l2, most), layer = recipe.optimizer.build(None), only_layer(state.model)
    objective = _objective(program, state.model, layer, inputs, targets, l2)
    odds = recipe.loss.name in ODDS and not l2 and not recipe.loss.options
    with torch.no_grad():
        value = float(mean_loss(program, state.model(inputs), targets, program.weights))
    apart, iterates = False, newton(objective, layer.out_features)
    for step, found in enumerate(iterates, 1):
        with torch.no_grad():
            layer.weight.copy_(found.theta[:-1].T)
            layer.bias.copy_(found.theta[-1])
        outputs = objective.features @ found.theta
        apart = odds and separated(outputs, objective.targets, objective.weights)
        last = apart or step == most or found.last
        if last:  # what stops in between starts afresh, which takes no time
            state.step = max(step, program.total_steps)
            state.notes += _notes(found.last or apart, apart, odds, outputs, step)
            state.notes += dependence(objective.features[:, :-1].numpy()) if not l2 else []
        yield Step(step, value, found.length)
        values = _evaluated(program, state, inputs, targets)
        value = values["train_loss"]
        yield Epoch(step, step, values, False, last)
        if last:
            return


def _notes(ended: bool, apart: bool, odds: bool, outputs: Tensor, step: int) -> list[str]:
    """What is to be said of the end of Newton's method."""
    if apart:
        return [f"a hyperplane separates the training rows, {GROW}; stopped at iteration {step}, "
                "the first that has all rows right. irls(l2=1) has a minimum"]  # fmt: skip
    if not ended:
        return [f"irls has not converged in {step} iterations"]
    if odds and float(outputs.abs().max()) > CERTAIN:
        return [f"a hyperplane separates some of the training rows from the others, {GROW}. "
                "irls(l2=1) has a minimum"]  # fmt: skip
    return []


def _objective(
    program: Program, model: nn.Module, layer: nn.Linear, inputs: Tensor, targets: Tensor,
    l2: float,
) -> Objective:  # fmt: skip
    """The sum over all rows, in double precision on the CPU."""
    features = given(model, layer, inputs).flatten(1).double().cpu()
    features = torch.cat([features, torch.ones(len(features), 1, dtype=torch.float64)], 1)
    wanted = targets.double() if targets.is_floating_point() else targets
    weights = torch.ones(len(features)) if program.weights is None else program.weights
    weights = weights.double().cpu()
    return Objective(features, wanted.cpu(), program.loss, weights / weights.mean(), l2)


def _evaluated(program: Program, state: State, inputs: Tensor, targets: Tensor) -> dict[str, float]:
    """What an epoch records."""
    state.model.eval()
    with torch.no_grad():
        loss = float(mean_loss(program, state.model(inputs), targets, program.weights))
    return {"train_loss": loss, **program.evaluate(state.model)}
