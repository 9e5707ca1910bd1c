"""Best functions that are found by a solver, from all rows, instead of in the steps of the loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chymist.engine.closed_form import only_layer, solve_least_squares
from chymist.engine.events import Epoch, Event, Step
from chymist.engine.loop import Program, State, diverged, mean_loss, remember
from chymist.engine.second_order import MOST_PARAMETERS, lbfgs_steps, newton_steps
from chymist.errors import InputError, UsageError
from chymist.noise import Keyed
from chymist.optim import ITERATED
from chymist.parts import Part
from chymist.values import Recipe

NOISY = (Keyed, nn.modules.dropout._DropoutNd, nn.RReLU)


@dataclass(frozen=True, eq=False)
class Problem:
    """What a solver gets.

    Args:
        optimizer: the part of the recipe.
        model: to be changed.
        inputs, targets: all training rows.
        weights: of the rows, or None.
        loss: the mean loss of all rows, at the weights as they stand.
    """

    optimizer: Part
    model: nn.Module
    inputs: Tensor
    targets: Tensor
    weights: Tensor | None
    loss: Callable[[], Tensor]

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What is to be found."""
        return [p for p in self.model.parameters() if p.requires_grad]

    def penalized(self, decay: float) -> Callable[[], Tensor]:
        """The loss + decay |w|^2 / 2."""
        if not decay:
            return self.loss
        parameters = self.parameters
        return lambda: self.loss() + decay / 2 * sum(p.square().sum() for p in parameters)


Solver = Callable[[Problem], Iterator[bool]]


def solve(program: Program, state: State, recipe: Recipe) -> Generator[Event]:
    """Put the best function into the model; every step reads all rows and is an epoch.

    Yields:
        The same events as the training loop.

    Raises:
        Diverged: the loss is not finite.
        UsageError: the model is of another kind than the optimiser is for.
    """
    inputs, targets = next(program.rows.batches([torch.arange(len(program.rows))]))
    model = state.model

    def loss() -> Tensor:
        return mean_loss(program, model(inputs), targets, program.weights)

    with torch.no_grad():
        before = float(loss())
    problem = Problem(recipe.optimizer, model, inputs, targets, program.weights, loss)
    for done in SOLVERS[recipe.optimizer.name](problem):
        state.step += 1
        yield Step(state.step, before, 1.0)
        model.eval()
        with torch.no_grad():
            before = float(loss())
        if not math.isfinite(before):
            raise diverged(state.step, before, 1.0)
        values = {"train_loss": before, **program.evaluate(model)}
        best = remember(program, state, values)
        state.stopped = state.stopped or done
        last = state.stopped or state.step == program.total_steps
        yield Epoch(state.step, state.step, values, best, last)
        if last:
            return
        model.train()


def check_solvable(recipe: Recipe, model: nn.Module) -> None:
    """Refuse a model or a loss that the optimiser cannot solve.

    Raises:
        InputError: there is nothing to find.
        UsageError: it cannot.
    """
    if recipe.penalty and recipe.penalty.name != "none":
        raise UsageError(
            "a penalty acts in steps", where="penalty", received=f"'{recipe.penalty}'",
            do="use another optimizer, or its own l2 or weight_decay",
        )  # fmt: skip
    if recipe.gradient_noise and recipe.gradient_noise.name != "none":
        raise UsageError(
            "gradient noise acts in steps", where="gradient_noise",
            received=f"'{recipe.gradient_noise}'", do="use another optimizer",
        )  # fmt: skip
    name = recipe.optimizer.name
    if name == "direct":
        if not callable(getattr(model, "solve", None)):
            raise UsageError(
                "the model has no direct solution", where="optimizer", received=recipe.model.name,
                do="use another optimizer, for example adam",
            )  # fmt: skip
    elif name in ITERATED:
        _check_iterated(recipe, model)
    else:
        only_layer(model)
        if recipe.loss.name != "mse":
            raise UsageError("closed_form is for the loss 'mse'", where="optimizer",
                             received=f"'{recipe.loss.name}'")  # fmt: skip


def _check_iterated(recipe: Recipe, model: nn.Module) -> None:
    """Refuse a loss that is noisy or coarse, and a Hessian that is too large."""
    name = recipe.optimizer.name
    noisy = [
        type(layer).__name__
        for layer in model.modules()
        if isinstance(layer, NOISY) and getattr(layer, "p", 1.0) > 0
    ]
    if noisy:
        raise UsageError(f"{name} needs a loss without noise", where="optimizer",
                         received=f"a model with {noisy[0]}", do="use adam")  # fmt: skip
    if recipe.precision in ("bfloat16", "float16"):
        raise UsageError(f"{name} needs exact losses", where="precision",
                         received=recipe.precision, do="use float32 or float64")  # fmt: skip
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not count:
        raise InputError("the model has no parameters to train", received=recipe.model.name)
    if name == "newton" and count > MOST_PARAMETERS:
        raise UsageError(
            f"newton computes the whole Hessian, of {MOST_PARAMETERS:,} parameters at most",
            where="optimizer", received=f"{count:,} parameters", do="use lbfgs",
        )  # fmt: skip


@torch.no_grad()
def _directly(problem: Problem) -> Iterator[bool]:
    problem.model.solve(problem.inputs, problem.targets, problem.weights)  # type: ignore[operator]
    yield True


@torch.no_grad()
def _in_closed_form(problem: Problem) -> Iterator[bool]:
    l2 = problem.optimizer.build(None)
    solve_least_squares(problem.model, problem.inputs, problem.targets, problem.weights, l2)
    yield True


def _by_lbfgs(problem: Problem) -> Iterator[bool]:
    history, tolerance, decay = problem.optimizer.build(None)
    return lbfgs_steps(problem.parameters, problem.penalized(decay), history, tolerance)


def _by_newton(problem: Problem) -> Iterator[bool]:
    damping, tolerance, decay = problem.optimizer.build(None)
    return newton_steps(problem.parameters, problem.penalized(decay), damping, tolerance)


SOLVERS: dict[str, Solver] = {
    "closed_form": _in_closed_form,
    "direct": _directly,
    "lbfgs": _by_lbfgs,
    "newton": _by_newton,
}
