"""Learning-rate schedules against torch and closed forms, alone, paused and in populations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

import chymist as cy
from chymist.engine.loop import train
from chymist.engine.population import train_together
from chymist.errors import UsageError
from chymist.parts import registered
from chymist.schedules import Plateau, Span, Watched
from tests.test_population import RECIPE, alone, check_equal, runs_of

EPOCH = 7  # steps of an epoch
ORACLES: dict[str, tuple[Any, Any, int]] = {
    "step_decay": (cy.schedules.step_decay(every="3 epochs", factor=0.3),
                   lambda o: lr_scheduler.StepLR(o, 3, 0.3), EPOCH),
    "step_decay in steps": (cy.schedules.step_decay(every="11 steps", factor=0.5),
                            lambda o: lr_scheduler.StepLR(o, 11, 0.5), 1),
    "exponential": (cy.schedules.exponential(factor=0.9),
                    lambda o: lr_scheduler.ExponentialLR(o, 0.9), EPOCH),
    "exponential by step": (cy.schedules.exponential(factor=0.99, per="step"),
                            lambda o: lr_scheduler.ExponentialLR(o, 0.99), 1),
    "cosine": (cy.schedules.cosine(end=0.01),
               lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=0.01), 1),
    "inverse_sqrt": (cy.schedules.inverse_sqrt(),
                     lambda o: lr_scheduler.LambdaLR(o, lambda t: (t + 1) ** -0.5), EPOCH),
    "warmup": (cy.schedules.warmup(length="20 steps", start=0.25, then="constant"),
               lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=20), 1),
    "warmup, cosine": (cy.schedules.warmup(length="20 steps", start=0.25),
                       lambda o: lr_scheduler.SequentialLR(o, [
                           lr_scheduler.LinearLR(o, 0.25, total_iters=20),
                           lr_scheduler.CosineAnnealingLR(o, 80)], [20]), 1),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("name", ORACLES)
def test_a_schedule_equals_torch(name: str) -> None:
    described, make, unit = ORACLES[name]
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs, ours = make(optimizer), described.build(Span(100, EPOCH))
    for step in range(100):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-6), step
        optimizer.step()
        if (step + 1) % unit == 0:
            theirs.step()


def test_inverse_root_by_hand() -> None:
    # Course: W50.
    rate = cy.schedules.inverse_sqrt(per="step").build(Span(5))
    assert [rate(t) for t in range(5)] == pytest.approx(
        [1, 0.707107, 0.577350, 0.5, 0.447214], abs=1e-6
    )


@given(st.lists(st.one_of(st.floats(-2, 2), st.just(math.nan)), min_size=1, max_size=40),
       st.integers(0, 4), st.sampled_from([0.0, 1e-4, 0.1]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_plateau_equals_torch(losses: list[float], patience: int, threshold: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=threshold, eps=0.0
    )
    rule: Plateau = cy.schedules.plateau(factor=0.5, patience=patience, threshold=threshold).build(
        Span(9)
    )
    seen = Watched()
    for loss in losses:
        if -2 <= loss <= 0 and threshold:  # torch's threshold goes the other way there
            loss = -loss
        theirs.step(loss)
        seen = rule.after(loss, seen)
        assert seen.factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)


PLATEAU = cy.schedules.plateau(patience=0, factor=0.5, threshold=0.05)
NAMES = sorted(set(registered("schedule")) - {"constant", "one_cycle", "plateau"})


def part_of(name: str) -> Any:
    if name == "plateau":
        return PLATEAU
    if name == "step_decay":
        return cy.schedules.step_decay(every="2 epochs", factor=0.5)
    return cy.part("schedule", name)


@pytest.mark.parametrize("name", [*NAMES, "plateau"])
def test_members_of_other_lengths_have_their_own_rates(name: str) -> None:
    """Units in epochs: members with other numbers of rows reach the same epoch at other steps."""
    recipe = RECIPE.replace(schedule=part_of(name), length="9 epochs")
    check_equal(lambda: runs_of(recipe, "table", rows=(97, 60, 112)))
    check_equal(lambda: runs_of(recipe.replace(length="40 steps"), "table", rows=(97, 60, 112)))


def test_the_rate_of_a_run_is_lowered_by_its_validation_loss() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(
        model="softmax", optimizer=cy.optim.sgd(lr=2.0), schedule=PLATEAU, batch_size=8,
        length="30 epochs", stop="none",
    )  # fmt: skip
    run = cy.fit(recipe, split)
    rates, losses = run.history["rate"], run.history["val_loss"]
    rule, seen = PLATEAU.build(Span(1)), Watched()
    for step, loss in losses[:-1]:
        seen = rule.after(loss, seen)
        assert rates[rates[:, 0] == step + 1, 1] == pytest.approx(2.0 * seen.factor, rel=1e-12)
    assert seen.factor < 0.3
    assert run.score.selected_on == "val_loss"
    assert cy.fit(recipe.replace(schedule=PLATEAU.replace(monitor="train_loss")),
                  split).score.selected_on is None  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES, "plateau"])
def test_a_resumed_run_has_the_rates_of_the_whole_one(name: str, tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(
        model=cy.models.mlp(hidden=(8,), dropout=0.1), optimizer=cy.optim.rmsprop(lr=0.05),
        schedule=part_of(name), batch_size=16, length="12 epochs", stop="none",
    )  # fmt: skip
    whole = cy.fit(recipe, split, out=tmp_path / "whole")
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, out=tmp_path / "part", observer=seen.append,
               interrupted=lambda: len(seen) > 47)  # fmt: skip
    again, step, _ = cy.resume(tmp_path / "part")
    assert 0 < step < whole.facts["steps"]
    for series in ("rate", "loss", "val_loss"):
        assert np.array_equal(whole.history[series], again.history[series]), series
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_paused_member_goes_on_with_the_rate_that_it_had() -> None:
    recipe = RECIPE.replace(schedule=PLATEAU, optimizer=cy.optim.sgd(lr=1.0), length="12 epochs")
    ours, theirs = runs_of(recipe, "table"), runs_of(recipe, "table")
    list(train_together(ours, until=45))
    alone(theirs)
    assert {run.state.watched.factor < 1 for run in ours} == {True}
    list(train(ours[0].program, ours[0].state))
    list(train_together(ours[1:]))
    for run, other in zip(ours, theirs, strict=True):
        assert run.state.watched == pytest.approx(other.state.watched, abs=1e-9)
        for a, b in zip(run.state.model.parameters(), other.state.model.parameters(), strict=True):
            assert torch.allclose(a, b, rtol=0, atol=1e-9)


def test_without_validation_rows_there_is_nothing_to_watch() -> None:
    split = cy.split(cy.load("iris"), test=0.2, valid=0, seed=0)
    with pytest.raises(UsageError, match="no validation rows"):
        cy.fit(cy.Recipe(model="softmax", schedule="plateau"), split)
    run = cy.fit(cy.Recipe(model="softmax", schedule=cy.schedules.plateau(monitor="train_loss"),
                           length="3 epochs"), split)  # fmt: skip
    assert run.score.split == "train"
    found = cy.cross_validate(
        cy.Recipe(model="softmax", schedule="plateau", length="3 epochs"), cy.load("iris"),
        folds=3, floors=False,
    )  # fmt: skip
    assert found.score.n == 150  # a tenth of the training rows of each fold is watched


def test_lengths_have_units() -> None:
    with pytest.raises(UsageError, match="a number and a unit"):
        cy.schedules.step_decay(every="10").build(Span(100))
    with pytest.raises(UsageError, match=r"schedule\.then"):
        cy.schedules.warmup(then="cosin")
