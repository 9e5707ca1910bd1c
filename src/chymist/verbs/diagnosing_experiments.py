"""`run_experiments`: small trainings that tell what limits a run, as one population."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from chymist.doctor.experiments import DECIDED, Agenda, Experiment, Route, plan_experiments
from chymist.doctor.experiments_reading import (
    APART,
    Experiments,
    Losses,
    read_gap,
    read_training,
    tell_apart,
)
from chymist.doctor.rules.limits import LIMITS
from chymist.doctor.scoring import reference, score_of
from chymist.doctor.verdicts import Effect, Known, Verdict
from chymist.engine.assembly import Assembly, assemble, forward
from chymist.engine.defaults import check_split, complete
from chymist.engine.rows import Rows, in_turn
from chymist.engine.threads import Threads
from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import normal_quantile
from chymist.losses import Form
from chymist.noise import Keyed
from chymist.optim import is_solved
from chymist.values import Data, Recipe, Run, Split, whole_number
from chymist.verbs.fitting import with_rate
from chymist.verbs.jobs import Job, Trained, train_jobs

if TYPE_CHECKING:
    from torch import Tensor

Reading = tuple[Verdict, dict[str, Effect], dict[str, Known]]
STUCK = 0.95  # of the loss of a constant
MOST_ROWS = 5000  # of a set, on which a loss is measured


def run_experiments(
    recipe: Recipe,
    split: Split,
    seed: int = 0,
    budget: float = 0.25,
    *,
    run: Run | None = None,
    route: Route | None = None,
    goal: float | None = None,
    suspects: Sequence[str] = (),
    threads: Threads = None,
) -> Experiments:
    """Find out by experiments what limits a run: its optimisation, its model, or its rows.

    Half the depth, double width, other rates, a few rows to memorise, rows held out of training,
    half of the rows: each is trained from the same seed for the same number of steps, beside shams
    that differ from the run by their seed alone. All are one population. A change counts as an
    effect where it is larger than what shams differ by. Test rows are never given.

    Args:
        recipe: of the run; what it leaves open is filled from the table of defaults.
        split: of the run.
        seed: of the run.
        budget: optimiser steps of all experiments together, as a share of those of the run. What
            it does not reach is left out, and named. With 2 or more most of the experiments are as
            long as they need to be.
        run: the finished run, if there is one; otherwise it is trained first, which the budget does
            not count.
        route: which question to ask: "training" (why is the training loss large?) or "gap" (why is
            the validation loss larger?); None asks what the losses of the run call for.
        goal: training loss that is wanted; None is what cheap reference learners do.
        suspects: codes of findings; what tells whether they are right is tried first.
        threads: as in `fit`.

    Returns:
        An `Experiments`: verdict, effects against the shams, what was left out.

    Raises:
        InputError: no training rows.
        UsageError: a closed-form optimiser, an unknown route, a budget that is not positive.

    Example:
        >>> import chymist as cy
        >>> from chymist.verbs.diagnosing_experiments import run_experiments
        >>> recipe = cy.Recipe(model="softmax", optimizer=cy.optim.sgd(lr=1e-6), stop="none",
        ...                    length="400 steps", schedule="constant")
        >>> found = run_experiments(recipe, cy.split(cy.load("iris")), budget=1.0)
        >>> found.route, found.steps <= 400
        ('training', True)

    Source: the decision route of Lee, Machine Learning 2021, and Ng 2018, Machine Learning
        Yearning, chapters 28 and 40.
    """
    seed, budget = whole_number(seed, "seed", 0), _checked(budget, route)
    check_split(split)
    full = with_rate(complete(recipe, split), split, seed)
    if is_solved(full):
        raise UsageError("a solved model has no steps to experiment with",
                         where="optimizer", do="give sgd, adam or adamw")  # fmt: skip
    base = _finished(full, split, seed, run, threads)
    losses = replace(losses_of(base), steps=base.state.step)
    return experiments_on(base, losses, split, budget, route, goal, suspects, threads)


def experiments_on(
    base: Assembly, losses: Losses, split: Split, budget: float, route: Route | None = None,
    goal: float | None = None, suspects: Sequence[str] = (), threads: Threads = None,
) -> Experiments:  # fmt: skip
    """As `run_experiments`, on a run as it stands.

    Args:
        base: the run; what has diverged stands before its first step.
        losses: of the run.
        split, budget, route, goal, suspects, threads: as in `run_experiments`.
    """
    total, seed = base.program.total_steps, base.program.seed
    beaten = _poor(base, split.data)
    asked = route or _route(losses, goal, beaten)
    mode = _mode_difference(base)
    if asked is None:
        return Experiments(Verdict("nothing"), None, losses, mode=mode,
                           allowed=int(budget * total))  # fmt: skip
    model = base.state.model if math.isfinite(losses.train) else None
    agenda = plan_experiments(asked, base.recipe, split, seed, total, budget, model, suspects)
    apart = _told_apart(base, split.data, seed) if asked == "gap" else None

    def read(found: Mapping[str, Losses], left_out: Mapping[str, str]) -> Reading:
        if asked == "training":
            return read_training(losses, found, left_out, goal or 0.0, beaten)
        return read_gap(losses, found, apart)

    found, left_out, reading = _in_stages(agenda, threads, read)
    open_still = reading[0].cause == "inconclusive" and budget < agenda.needed
    return Experiments(
        reading[0], asked, losses, found, reading[1], reading[2], mode,
        sum(one.steps for one in agenda.experiments if one.name in found), int(budget * total),
        left_out, agenda.needed if open_still else None,
    )  # fmt: skip


def _in_stages(
    agenda: Agenda, threads: Threads, read: Callable[[Mapping[str, Losses], Mapping[str, str]],
                                                    Reading],
) -> tuple[dict[str, Losses], dict[str, str], Reading]:  # fmt: skip
    """Carry out one stage after the other until the verdict is decided."""
    found: dict[str, Losses] = {}
    left_out = dict(agenda.left_out)
    reading = read(found, left_out)
    for stage in agenda.stages:
        if found and reading[0].cause != "inconclusive":
            left_out |= {one.name: DECIDED for one in stage}
            continue
        found |= _carried_out(stage, agenda.inner, threads)
        reading = read(found, left_out)
    return found, left_out, reading


def _checked(budget: float, route: str | None) -> float:
    """The budget, if it and the route can be used.

    Raises:
        UsageError: they cannot.
    """
    if route not in (None, "training", "gap"):
        raise UsageError("unknown route", where="route", received=repr(route)[:40],
                         do="give 'training' or 'gap'")  # fmt: skip
    if isinstance(budget, bool) or not 0 < budget < math.inf:
        raise UsageError("not a share of the run's steps", where="budget",
                         received=repr(budget)[:40], do="give a positive number")  # fmt: skip
    return float(budget)


def _finished(
    recipe: Recipe, split: Split, seed: int, run: Run | None, threads: Threads
) -> Assembly:
    """The run in question: as it was left, or trained now."""
    if run is None:
        held = split.valid if len(split.valid) else split.train[:1]
        job = Job(recipe, replace(split, test=held), seed)
        return next(iter(train_jobs([job], threads))).run
    if run.seed != seed or run.split != split:
        raise InputError("the run is of other rows or of another seed", where="run",
                         received=repr(run)[:80], do="give its own split and seed")  # fmt: skip
    made = assemble(recipe, split, seed, check=False)
    made.state.model.load_state_dict(run.model.state_dict())
    made.state.step = int(run.facts["steps"])
    return made


def _route(losses: Losses, goal: float | None, beaten: bool) -> Route | None:
    """What is wrong: the training loss, the gap, or nothing."""
    poor = losses.train > goal if goal is not None else losses.train > STUCK * losses.chance
    if poor or (goal is None and beaten) or not math.isfinite(losses.train):
        return "training"
    return "gap" if losses.valid - losses.train > losses.error else None


def _poor(base: Assembly, data: Data) -> bool:
    """Whether training rows are learned worse than cheap learners do on validation rows."""
    sets = _measured(base, data)
    if sets is None:
        return False
    train, valid = sets
    known = None if train[1].ndim > 1 and train[1].shape[1] > 1 else reference(train, valid)
    if known is None:
        return False
    outputs = forward(base.state.model, _batches(base.train))
    own = score_of(outputs, train[1], _link(base.form))
    return own < known.best - LIMITS.poor - 1 / math.sqrt(len(valid[1]))


def _carried_out(
    stage: Sequence[Experiment], inner: np.ndarray | None, threads: Threads
) -> dict[str, Losses]:
    """Train experiments as one population; losses by name."""
    jobs = [Job(one.recipe, one.split, one.seed) for one in stage]
    fits = train_jobs(jobs, threads)
    return {one.name: _losses(one, trained, inner)
            for one, trained in zip(stage, fits, strict=True)}  # fmt: skip


def _losses(one: Experiment, trained: Trained, inner: np.ndarray | None) -> Losses:
    """Losses of an experiment; what diverged has infinite ones."""
    run, held = trained.run, trained.held
    if trained.error:
        return Losses(math.inf, math.inf, steps=run.state.step, chance=_chance(run))
    train = _each(run, run.train)
    rows = _each(run, held)
    within = np.isin(one.split.test, inner) if one.name == "inner" and inner is not None else None
    valid = rows if within is None else rows[~within]
    own = math.nan if within is None else float(rows[within].mean())
    spread = valid if within is None else rows[within]
    return Losses(float(train.mean()), float(valid.mean()), own, run.state.step, _chance(run),
                  _error(valid, spread))  # fmt: skip


def losses_of(base: Assembly) -> Losses:
    """Losses of a trained run on its training and validation rows, in evaluation mode.

    Args:
        base: the trained run.

    Example:
        >>> import chymist as cy
        >>> from chymist.engine.defaults import complete
        >>> rows = cy.split(cy.load("iris"))
        >>> fresh = assemble(complete(cy.Recipe(), rows), rows, seed=0)
        >>> round(losses_of(fresh).chance, 3)  # ln 3
        1.099
    """
    train = _each(base, base.train)
    valid = _each(base, base.valid) if len(base.valid) else np.array([math.nan])
    return Losses(float(train.mean()), float(valid.mean()), chance=_chance(base),
                  error=_error(train, valid))  # fmt: skip


def _error(one: np.ndarray, other: np.ndarray) -> float:
    """95 % margin of the difference of two mean losses over rows."""
    parts = sum(rows.var() / len(rows) for rows in (one, other) if np.isfinite(rows).all())
    return normal_quantile(0.975) * math.sqrt(parts)


def _each(base: Assembly, rows: Rows) -> np.ndarray:
    """The loss of each row in evaluation mode, of the first ones if there are many, (rows,)."""
    outputs = forward(base.state.model, _batches(rows))
    with torch.no_grad():
        found: Tensor = base.program.loss(outputs, rows.targets[: len(outputs)], reduction="none")
    made: np.ndarray = found.double().cpu().numpy()
    return made


def _batches(rows: Rows) -> list[Tensor]:
    """Inputs of a set, at most so many as tell its loss."""
    if len(rows) <= MOST_ROWS:
        return list(in_turn(rows))
    return [rows.take(index) for index in torch.arange(MOST_ROWS).split(1000)]


def _tensors(rows: Rows) -> tuple[Tensor, Tensor]:
    """Inputs and targets of a set, at most so many as tell its loss."""
    inputs = torch.cat(_batches(rows))
    return inputs, rows.targets[: len(inputs)]


def _link(form: Form) -> Literal["softmax", "sigmoid", "identity"]:
    """How a loss reads outputs."""
    if form.task == "regression":
        return "identity"
    return "sigmoid" if form.outputs(3) == 1 else "softmax"


def _chance(base: Assembly) -> float:
    """The training loss of the best constant, which is all that zeroed inputs leave to learn."""
    targets = base.train.targets
    link = _link(base.form)
    if link == "identity":
        best = targets.mean(0, keepdim=True)
        if base.recipe.loss.name in ("mae", "huber"):
            best = targets.median(0, keepdim=True).values
        best = best.expand_as(targets)
    elif link == "sigmoid":
        best = torch.logit(targets.mean(0, keepdim=True), eps=1e-6).expand_as(targets)
    else:
        counts = torch.bincount(targets, minlength=base.shapes.outputs).double()
        best = (counts / counts.sum()).clamp(min=1e-12).log().expand(len(targets), -1)
    return float(base.program.loss(best, targets))


def _mode_difference(base: Assembly) -> float:
    """Training loss in train() mode minus that in eval() mode, on the same rows."""
    rows, model = base.train, copy.deepcopy(base.state.model).train()
    if len(rows) < 2:
        return 0.0
    for name, layer in model.named_modules():
        if isinstance(layer, Keyed):
            layer.place(base.program.seed, base.state.step, name)
    inputs, targets = _tensors(rows)
    plain = _each(base, rows).mean()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return float(base.program.loss(model(inputs), targets)) - float(plain)


def _told_apart(base: Assembly, data: Data, seed: int) -> Known:
    """Whether a classifier tells training from validation rows."""
    sets = _measured(base, data)
    if sets is None:
        return None
    train, valid = (inputs.flatten(1).cpu().numpy() for inputs, _ in sets)
    return tell_apart(train, valid, seed) < APART


def _measured(
    base: Assembly, data: Data
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    """Training and validation rows as other learners read them; None if there are none.

    The number of a node is a name: its features stand in its place.
    """
    if not len(base.valid):
        return None
    train, valid = _tensors(base.train), _tensors(base.valid)
    if data.kind != "graph":
        return train, valid
    if data.graph is None or data.graph.features is None or data.graph.owners is not None:
        return None
    known = torch.as_tensor(data.graph.features, dtype=torch.float32)
    (one, own), (two, other) = train, valid
    return (known[one[:, 0].long()], own), (known[two[:, 0].long()], other)
