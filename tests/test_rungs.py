"""Runs that are paused, dropped or go on with others beside them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.data import folds
from chymist.engine.assembly import Assembly, assemble
from chymist.engine.defaults import complete
from chymist.engine.population import execute_all
from chymist.models import Dropout
from chymist.verbs import jobs as jobs_module
from chymist.verbs.jobs import Job, Trained, train_in_rungs, train_jobs

RECIPE = cy.Recipe(
    model=cy.models.mlp(hidden=(12,), dropout=0.2), optimizer=cy.optim.adam(lr=1e-2),
    schedule="one_cycle", length="8 epochs", batch_size=16, stop="none", precision="float64",
)  # fmt: skip
OPTIMIZERS = {
    "adam": cy.optim.adam(lr=1e-2), "sgd": cy.optim.sgd(lr=0.1),
    "momentum": cy.optim.sgd(lr=0.05, momentum=0.9),
    "nesterov": cy.optim.sgd(lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adamw": cy.optim.adamw(lr=1e-2, weight_decay=0.1),
}  # fmt: skip


def runs_of(recipe: cy.Recipe, rates: Sequence[float] = (1.0, 1.0, 1.0, 1.0)) -> list[Assembly]:
    data, rows = cy.load("iris"), np.arange(150)
    made = []
    for held, rate in zip(folds(data, len(rates), seed=0), rates, strict=True):
        split = cy.Split(data, np.setdiff1d(rows, held), held[:9], held, 0)
        options = recipe.optimizer.options
        optimizer = recipe.optimizer.replace(lr=options["lr"] * rate)
        full = complete(recipe.replace(optimizer=optimizer), split)
        made.append(assemble(full, split, len(made)))
    return made


def check_same(ours: Assembly, theirs: Assembly, within: float = 1e-9) -> None:
    assert ours.state.step == theirs.state.step
    numbers = theirs.state.model.state_dict()
    for name, values in ours.state.model.state_dict().items():
        assert torch.allclose(values, numbers[name], rtol=0, atol=within), name


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("alone", [False, True])
def test_pausing_anywhere_changes_nothing(name: str, alone: bool) -> None:
    recipe = RECIPE.replace(optimizer=OPTIMIZERS[name])
    straight, paused = runs_of(recipe), runs_of(recipe)
    execute_all(straight, alone=True)
    for until in (3, 8, 9, 30):  # in an epoch, at its end, a step later, and later still
        execute_all(paused, alone=alone, until=until)
        assert {run.state.step for run in paused} == {until}
    execute_all(paused, alone=alone)
    for ours, theirs in zip(paused, straight, strict=True):
        check_same(ours, theirs)


def test_members_of_a_population_go_on_alone_and_the_other_way_round() -> None:
    straight, mixed = runs_of(RECIPE), runs_of(RECIPE)
    execute_all(straight, alone=True)
    execute_all(mixed, until=13)
    execute_all(mixed[:1], alone=True, until=20)
    execute_all(mixed[1:], until=20)
    execute_all(mixed, until=29)
    execute_all([mixed[3], mixed[0]])
    execute_all(mixed)
    for ours, theirs in zip(mixed, straight, strict=True):
        check_same(ours, theirs)


def test_a_paused_member_that_others_leave_is_not_touched() -> None:
    runs = runs_of(RECIPE)
    execute_all(runs, until=10)
    before = {n: v.clone() for n, v in runs[2].state.model.state_dict().items()}
    execute_all([runs[0], runs[1], runs[3]])
    assert runs[2].state.step == 10
    for name, values in runs[2].state.model.state_dict().items():
        assert torch.equal(values, before[name])


def test_early_stopping_across_pauses() -> None:
    stop = cy.stop.early("val_loss", patience="2 epochs")
    recipe = RECIPE.replace(stop=stop, length="60 epochs", optimizer=cy.optim.adam(lr=0.05))
    straight, paused = runs_of(recipe), runs_of(recipe)
    execute_all(straight, alone=True)
    for until in (7, 31, 64, 90, 150):
        execute_all(paused, until=until)
    execute_all(paused)
    for ours, theirs in zip(paused, straight, strict=True):
        check_same(ours, theirs)
        assert ours.state.best_step == theirs.state.best_step


def test_foreign_noise_of_a_user_s_module_across_pauses() -> None:
    def make(shapes: cy.Shapes) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 9), nn.Dropout(0.3), nn.Linear(9, 3)).double()

    straight, paused = runs_of(RECIPE.replace(model=make)), runs_of(RECIPE.replace(model=make))
    execute_all(straight)
    for until in (5, 22):
        execute_all(paused, until=until)
    groups, _ = execute_all(paused)
    assert "no stacked form" in groups[0].reason
    for ours, theirs in zip(paused, straight, strict=True):
        check_same(ours, theirs, 0.0)


def jobs_of(recipes: Sequence[cy.Recipe], count: int = 3) -> list[Job]:
    data, rows = cy.load("iris"), np.arange(150)
    splits = [cy.Split(data, np.setdiff1d(rows, held), np.array([], np.int64), held, 0)
              for held in folds(data, count, seed=0)]  # fmt: skip
    return [Job(recipe, split, 0) for recipe in recipes for split in splits]


def test_rungs_that_keep_all_are_plain_training() -> None:
    recipes = [RECIPE.replace(optimizer=cy.optim.adam(lr=lr)) for lr in (1e-3, 1e-2)]
    recipes.append(RECIPE.replace(model=cy.models.mlp(hidden=(5,))))
    seen = []

    def keep(stage: int, standing: Sequence[Trained]) -> Collection[int]:
        seen.append((stage, {t.run.state.step for t in standing}))
        return range(len(standing))

    jobs = jobs_of(recipes)
    staged = list(train_in_rungs(jobs, ["1 epoch", "20 steps"], keep))
    plain = list(train_jobs(jobs))
    assert seen == [(0, {7}), (1, {20})]
    for a, b in zip(staged, plain, strict=True):
        check_same(a.run, b.run)
        np.testing.assert_allclose(a.predictions().outputs, b.predictions().outputs, atol=1e-9)


def test_dropped_jobs_stand_where_they_were_dropped_and_others_go_on() -> None:
    recipes = [RECIPE.replace(optimizer=cy.optim.adam(lr=lr)) for lr in (1e-3, 3e-3, 1e-2)]
    jobs = jobs_of(recipes)
    events: list[tuple[int, int]] = []
    found = list(
        train_in_rungs(
            jobs, ["2 epochs", "4 epochs"], lambda stage, standing: range(3 * (2 - stage)),
            watcher=lambda number, epoch: events.append((number, epoch.epoch)),
        )
    )  # fmt: skip
    assert [t.run.state.step for t in found] == [56, 56, 56, 28, 28, 28, 14, 14, 14]
    plain = list(train_jobs(jobs[:3]))
    for a, b in zip(found[:3], plain, strict=True):
        check_same(a.run, b.run)
    assert [e for n, e in events if n == 4] == [1, 2, 3, 4]
    assert not any(t.run.state.model.training for t in found)


def test_a_job_that_diverges_is_named_and_never_goes_on() -> None:
    recipes = [RECIPE.replace(loss="mse", precision="float32", schedule="constant",
                              optimizer=cy.optim.sgd(lr=lr)) for lr in (1e-3, 1e30)]  # fmt: skip
    data, rows = cy.load("diabetes"), np.arange(442)
    split = cy.Split(data, rows[:300], rows[:0], rows[300:], 0)
    found = list(train_in_rungs([Job(r, split, s) for r in recipes for s in (0, 1)],
                                ["1 epoch", "2 epochs"], lambda _, now: range(len(now))))  # fmt: skip
    assert [t.error is None for t in found] == [True, True, False, False]
    assert found[0].epochs == 8


def test_more_than_fits_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "free_memory", lambda: 60_000)
    with pytest.raises(cy.InputError, match="do not fit into memory together"):
        next(train_in_rungs(jobs_of([RECIPE] * 9), ["1 epoch"], lambda _, now: range(len(now))))


def test_jobs_with_one_split_share_its_prepared_rows() -> None:
    jobs = jobs_of([RECIPE, RECIPE.replace(optimizer=cy.optim.adam(lr=1e-3))])
    made: list[Any] = [t.run for t in train_jobs(jobs)]
    assert made[0].train is made[3].train
    assert made[0].train is not made[1].train
    assert isinstance(made[0].state.noise[0][1], Dropout)
