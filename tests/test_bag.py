"""Bagging: members are plain runs on their bootstraps, and the average is what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.loop import train
from chymist.engine.running import settle
from chymist.errors import Diverged, InputError, UsageError
from chymist.verbs.bagging import Bag

RECIPE = cy.Recipe(
    model=cy.models.mlp(hidden=(12,)), optimizer=cy.optim.adam(lr=1e-2), length="12 epochs",
    batch_size=16, precision="float64",
)  # fmt: skip


@pytest.fixture(scope="module")
def bag() -> Bag:
    return cy.bag(RECIPE, cy.split(cy.load("wine"), seed=0), members=6, seed=3)


def test_each_member_is_a_plain_run_on_its_bootstrap(bag: Bag) -> None:
    assert len(bag) == len(bag.scores) == 6
    for number, job in enumerate(bag.jobs):
        rows = job.job.split
        assert len(rows.train) == len(bag.split.train)
        assert len(set(rows.train.tolist())) < len(rows.train)
        assert set(rows.train) | set(rows.valid) == set(bag.split.train)
        assert not set(rows.train) & set(rows.valid)
        assert np.array_equal(rows.test, bag.split.valid)
        assert job.job.seed == 3 + number
    own = bag.jobs[2].job.split
    run = assemble(complete(RECIPE, own), own, 5)
    for _ in train(run.program, run.state):
        pass
    settle(run.state)
    ours = bag.jobs[2].run.state.model
    for a, b in zip(ours.parameters(), run.state.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_the_average_and_its_score(bag: Bag) -> None:
    each = [job.predictions() for job in bag.jobs]
    average = np.mean([one.outputs for one in each], axis=0)
    np.testing.assert_allclose(bag.predictions.outputs, average)
    truth = bag.split.data.targets[bag.split.valid]
    assert bag.score.value == np.mean(average.argmax(1) == truth)
    assert bag.score.split == "valid"
    assert bag.score.selected_on is None
    assert bag.mean.value == pytest.approx(np.mean([s.value for s in bag.scores]))
    raw = bag.split.data.take(bag.split.valid)
    np.testing.assert_allclose(bag.predict(raw, probabilities=True), average, atol=1e-12)
    names = np.array(bag.split.data.classes, dtype=object)[average.argmax(1)]
    assert (bag.predict(raw) == names).all()


def test_averages_of_values_err_less_than_their_members() -> None:
    split = cy.split(cy.load("diabetes"), seed=1)
    recipe = RECIPE.replace(stop="none", length="40 epochs")
    found = cy.bag(recipe, split, members=12)
    # the squared error is convex: that of the mean is at most the mean of those of the members
    squares = np.mean([s.value**2 for s in found.scores])
    assert found.score.value**2 < squares
    assert found.score.value < found.mean.value
    made = found.predict(split.data.take(split.valid))
    np.testing.assert_allclose(made, found.predictions.outputs, rtol=1e-9)
    with pytest.raises(UsageError, match="no probabilities"):
        found.predict(split.data.take(split.valid), probabilities=True)


def test_groups_are_drawn_whole() -> None:
    data = cy.load("iris")
    split = cy.split(data, seed=0, group=np.arange(150) // 5)
    found = cy.bag(RECIPE.replace(length="2 epochs"), split, members=3)
    for job in found.jobs:
        rows = job.job.split
        assert not set(split.groups[rows.train]) & set(split.groups[rows.valid])


def test_what_bagging_refuses_and_loses() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    with pytest.raises(InputError, match="validation rows"):
        cy.bag(RECIPE, replace(split, valid=split.valid[:0]), members=2)
    with pytest.raises(UsageError, match="members"):
        cy.bag(RECIPE, split, members=1)
    with pytest.raises(Diverged):
        cy.bag(RECIPE.replace(optimizer=cy.optim.sgd(lr=1e200), loss="focal"), split, members=2)
