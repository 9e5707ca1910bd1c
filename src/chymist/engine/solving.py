"""Best functions that are found by a solver, from all rows, instead of in the steps of the loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chymist.engine.closed_form import (
    TRIED,
    affine_layer,
    dependence,
    given,
    only_layer,
    solve_least_squares,
)
from chymist.engine.columns import Columns
from chymist.engine.events import Epoch, Event, Step
from chymist.engine.irls import CERTAIN, Objective, newton, separated
from chymist.engine.loop import Program, State, mean_loss, remember
from chymist.engine.second_order import MOST_PARAMETERS, lbfgs_steps, newton_steps
from chymist.errors import Diverged, InputError, UsageError
from chymist.noise import Keyed
from chymist.optim import AT_ONCE, ITERATED
from chymist.parts import definition
from chymist.values import Recipe

SMOOTH = ("mse", "binary_cross_entropy", "cross_entropy", "poisson")
ODDS = ("binary_cross_entropy", "cross_entropy")  # losses that have no minimum on separable rows
GROW = "so the loss has no minimum: its weights grow for ever"
NOISY = (Keyed, nn.modules.dropout._DropoutNd, nn.RReLU)


@dataclass(frozen=True, eq=False)
class Problem:
    """What a solver gets.

    Args:
        recipe: a complete recipe.
        model: to be changed.
        inputs, targets: all training rows.
        weights: of the rows, or None.
        loss: the mean loss of all rows, at the weights as they stand.
        row_loss: of outputs and targets, for each row or their mean.
        notes: what is to be said of the run; solvers add to it.
    """

    recipe: Recipe
    model: nn.Module
    inputs: Tensor
    targets: Tensor
    weights: Tensor | None
    loss: Callable[[], Tensor]
    row_loss: Callable[..., Tensor]
    notes: list[str]

    @property
    def options(self) -> Any:
        """What the optimiser was given."""
        return self.recipe.optimizer.build(None)

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
    problem = Problem(
        recipe, model, inputs, targets, program.weights, loss, program.loss, state.notes
    )
    endless = recipe.optimizer.name in AT_ONCE  # it says itself when it is done
    for done in SOLVERS[recipe.optimizer.name](problem):
        state.step += 1
        yield Step(state.step, before, 1.0)
        model.eval()
        with torch.no_grad():
            before = float(loss())
        if not math.isfinite(before):
            raise Diverged(
                "the loss is not finite", where=f"{recipe.optimizer.name}, step {state.step}",
                received=str(before), do="scale inputs and targets, or give it a penalty",
            )  # fmt: skip
        values = {"train_loss": before, **program.evaluate(model)}
        best = remember(program, state, values)
        state.stopped = state.stopped or done
        told = state.ends is not None and state.step >= state.ends
        last = state.stopped or told or (state.step == program.total_steps and not endless)
        yield Epoch(state.step, state.step, values, best, last)
        if last:
            return
        model.train()


def check_solvable(recipe: Recipe, model: nn.Module, inputs: Tensor) -> None:
    """Refuse a model or a loss that the optimiser cannot solve.

    Args:
        recipe: complete.
        model: its model.
        inputs: some rows.

    Raises:
        InputError: there is nothing to find.
        UsageError: it cannot.
    """
    if recipe.penalty and recipe.penalty.name != "none":
        raise UsageError(
            "a penalty acts in steps", where="penalty", received=f"'{recipe.penalty}'",
            do="use another optimizer, or its own l2 or weight_decay",
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
        margin = recipe.loss.options.get("margin", 1.0)
        if margin != 1.0:
            raise UsageError("a solved machine has the margin 1", where="loss.margin",
                             received=f"{margin:g}", do="change C")  # fmt: skip
    elif name in ITERATED:
        _check_iterated(recipe, model)
    else:
        _check_affine(recipe, only_layer(model, inputs))


def _check_affine(recipe: Recipe, layer: nn.Linear) -> None:
    """Refuse a loss without a curvature, and a Hessian that is too large."""
    name, size = recipe.optimizer.name, sum(p.numel() for p in layer.parameters())
    losses = ("mse",) if name == "closed_form" else SMOOTH
    if recipe.loss.name not in losses:
        said = "the loss 'mse'" if name == "closed_form" else "losses with a curvature"
        raise UsageError(
            f"{name} is for {said}", where="optimizer", received=f"'{recipe.loss.name}'",
            do=f"use {' or '.join(losses)}",
        )  # fmt: skip
    if name == "irls" and size > MOST_PARAMETERS:
        raise UsageError("too many weights for a Hessian", where="optimizer",
                         received=f"{size:,}, at most {MOST_PARAMETERS:,}",
                         do="use lbfgs")  # fmt: skip


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


def separable_note(program: Program, model: nn.Module, recipe: Recipe) -> list[str]:
    """Whether an affine model without a penalty was descended towards weights that do not exist.

    Args:
        program, model: of a finished run.
        recipe: complete.
    """
    if recipe.penalty and recipe.penalty.name != "none":
        return []
    options = {**recipe.optimizer.options, **recipe.loss.options}
    if recipe.loss.name not in ODDS:
        return []
    if options.get("label_smoothing") or recipe.optimizer.name in AT_ONCE:
        return []
    decay = definition("optimizer", recipe.optimizer.name).options.get("weight_decay")
    if options.get("weight_decay", decay and decay.default):
        return []
    inputs, _ = next(program.rows.batches([torch.arange(min(TRIED, len(program.rows)))]))
    if affine_layer(model, inputs) is None:
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


@torch.no_grad()
def _directly(problem: Problem) -> Iterator[bool]:
    solve_model: Any = problem.model.solve
    problem.notes.extend(solve_model(problem.inputs, problem.targets, problem.weights) or ())
    yield True


@torch.no_grad()
def _in_closed_form(problem: Problem) -> Iterator[bool]:
    l2 = problem.options
    notes = solve_least_squares(problem.model, problem.inputs, problem.targets, problem.weights, l2)
    problem.notes.extend(notes or ())
    yield True


def _by_irls(problem: Problem) -> Iterator[bool]:
    """Newton's method from zero; every iteration reads all rows."""
    (l2, most), layer = problem.options, only_layer(problem.model, problem.inputs)
    single = problem.inputs.dtype != torch.float64
    (objective, columns), loss = _objective(problem, layer, l2), problem.recipe.loss
    odds = loss.name in ODDS and not l2 and not loss.options.get("label_smoothing")
    for step, found in enumerate(newton(objective, layer.out_features), 1):
        weights, intercepts = columns.raw(found.theta[:-1].numpy(), found.theta[-1].numpy())
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weights.T))
            layer.bias.copy_(torch.from_numpy(intercepts))
        outputs = objective.features @ found.theta
        apart = odds and separated(outputs, objective.targets, objective.weights)
        last = apart or step == most or found.last
        if last:
            problem.notes.extend(_notes(found.last or apart, apart, odds, outputs, step))
            problem.notes.extend(
                dependence(columns.rows, columns.roots[:, 0] ** 2, single) if not l2 else []
            )
            if loss.name == "poisson" and not l2:
                problem.notes.extend(_empty(outputs, objective.targets))
        yield last


def _notes(ended: bool, apart: bool, odds: bool, outputs: Tensor, step: int) -> list[str]:
    """What is to be said of the end of Newton's method."""
    if apart:
        return [f"a hyperplane separates the training rows, {GROW}; stopped at iteration {step}, "
                "the first that has all rows right. irls(l2=1) has a minimum"]  # fmt: skip
    if not ended:
        return [f"irls has not converged in {step} iterations"]
    if odds and float(outputs.abs().max()) > CERTAIN:
        return [f"odds beyond e^20: a hyperplane may separate some of the training rows, {GROW}. "
                "irls(l2=1) has a minimum"]  # fmt: skip
    return []


def _empty(outputs: Tensor, targets: Tensor) -> list[str]:
    """Whether some log-rates fall for ever, as nothing was counted where they are told."""
    if not bool(((outputs < -CERTAIN) & (targets.reshape(outputs.shape) == 0)).any()):
        return []
    return ["rates below e^-20: the counts of some rows are all 0, so the loss has no minimum: "
            "its weights grow for ever. irls(l2=1) has a minimum"]  # fmt: skip


def _objective(problem: Problem, layer: nn.Linear, l2: float) -> tuple[Objective, Columns]:
    """The sum over the rows that weigh anything, in double precision on the CPU.

    It is one of scaled columns, which say what those of the model are.
    """
    features = given(problem.model, layer, problem.inputs).flatten(1).double().cpu()
    weights = torch.ones(len(features)) if problem.weights is None else problem.weights
    weights = weights.double().cpu()
    kept = weights > 0
    single = problem.inputs.dtype != torch.float64
    columns = Columns.of(features[kept].numpy(), weights[kept].numpy(), l2, single)
    targets = problem.targets.cpu()[kept]
    scaled = torch.from_numpy(columns.independent)
    ones, free = scaled.new_ones(len(scaled), 1), scaled.new_zeros(1)
    wanted = targets.double() if targets.is_floating_point() else targets
    return Objective(
        torch.cat([scaled, ones], 1), wanted, problem.row_loss,
        weights[kept] / weights[kept].mean(),
        torch.cat([torch.from_numpy(columns.penalties), free]),
    ), columns  # fmt: skip


def _by_lbfgs(problem: Problem) -> Iterator[bool]:
    history, tolerance, decay = problem.options
    return lbfgs_steps(problem.parameters, problem.penalized(decay), history, tolerance)


def _by_newton(problem: Problem) -> Iterator[bool]:
    damping, tolerance, decay = problem.options
    return newton_steps(problem.parameters, problem.penalized(decay), damping, tolerance)


SOLVERS: dict[str, Solver] = {
    "closed_form": _in_closed_form,
    "direct": _directly,
    "irls": _by_irls,
    "lbfgs": _by_lbfgs,
    "newton": _by_newton,
}
