"""Best functions that are found at once, from all rows, instead of in the steps of the loop."""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import Tensor, nn

from chymist.engine.closed_form import only_layer, solve_least_squares
from chymist.engine.events import Epoch, Event, Step
from chymist.engine.loop import Program, State, mean_loss
from chymist.errors import UsageError
from chymist.values import Recipe

Solve = Callable[[nn.Module, Tensor, Tensor, Tensor | None], None]


def solve(program: Program, state: State, recipe: Recipe) -> Generator[Event]:
    """Put the best function into the model; one step, one epoch.

    Yields:
        The same events as the training loop.

    Raises:
        UsageError: the model is of another kind than the optimiser is for.
    """
    inputs, targets = next(program.rows.batches([torch.arange(len(program.rows))]))
    with torch.no_grad():
        first = float(mean_loss(program, state.model(inputs), targets, program.weights))
        _solver(recipe)(state.model, inputs, targets, program.weights)
    state.step = program.total_steps
    yield Step(state.step, first, 1.0)
    state.model.eval()
    with torch.no_grad():
        last = float(mean_loss(program, state.model(inputs), targets, program.weights))
    values = {"train_loss": last, **program.evaluate(state.model)}
    yield Epoch(1, state.step, values, False, True)


def check_solvable(recipe: Recipe, model: nn.Module) -> None:
    """Refuse a model or a loss that the optimiser cannot solve.

    Raises:
        UsageError: it cannot.
    """
    if recipe.penalty and recipe.penalty.name != "none":
        raise UsageError(
            "a penalty acts in steps", where="penalty", received=f"'{recipe.penalty}'",
            do="use another optimizer, or give l2 to closed_form",
        )  # fmt: skip
    if recipe.optimizer.name == "direct":
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
    only_layer(model)
    if recipe.loss.name != "mse":
        raise UsageError("closed_form is for the loss 'mse'", where="optimizer",
                         received=f"'{recipe.loss.name}'")  # fmt: skip


def _solver(recipe: Recipe) -> Solve:
    """What changes the model, given all inputs, targets, and weights of rows."""
    if recipe.optimizer.name == "direct":
        return lambda model, inputs, targets, weights: model.solve(inputs, targets, weights)  # type: ignore[operator]
    l2 = recipe.optimizer.build(None)
    return lambda model, x, t, weights: solve_least_squares(model, x, t, weights, l2)
