"""Populations of graph networks: each member is the run that it would be alone."""

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.data.graphs import graph_of
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.population.running import execute_all
from chymist.engine.population.training import train_together
from chymist.models.stacked import stack
from chymist.values import Split


def nodes(density):
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 80)
    pairs = [(i, j) for i in range(80) for j in draw.choice(np.flatnonzero(labels == labels[i]), 2)]
    features = (np.eye(3)[labels] + draw.normal(size=(80, 3))).repeat(6, 1)
    kept = features * (draw.random(features.shape) < density)
    return cy.load((graph_of(80, pairs, features=kept), labels))


def assembled(data, recipe, cuts, seeds):
    splits = [Split(data, np.array(train), np.array(valid), np.array([], np.int64))
              for train, valid in cuts]  # fmt: skip
    return [assemble(complete(recipe, split), split, seed)
            for split, seed in zip(splits, seeds, strict=True)]  # fmt: skip


SAME = [(range(40), range(40, 60))] * 3
UNEQUAL = [
    (range(40), range(40, 60)),
    (range(10, 47), range(50, 60)),
    (range(5, 46), range(60, 70)),
]


@pytest.mark.parametrize("density", [0.05, 1.0])
@pytest.mark.parametrize("cuts", [SAME, UNEQUAL])
@pytest.mark.parametrize("batch_size", ["all", 16])
@pytest.mark.parametrize("hidden", [(6,), (6, 5)])
def test_members_trained_together_are_those_trained_alone(density, cuts, batch_size, hidden):
    data = nodes(density)
    recipe = cy.Recipe(model=cy.models.gcn(hidden=hidden), batch_size=batch_size,
                       length="6 epochs", data=cy.prepare(scale="none"))  # fmt: skip
    together = assembled(data, recipe, cuts, (1, 2, 3))
    alone = assembled(data, recipe, cuts, (1, 2, 3))
    events = list(train_together(together, form=stack))
    execute_all(alone, alone=True)
    assert len(events) == 18
    for ours, theirs in zip(together, alone, strict=True):
        for name, value in theirs.state.model.state_dict().items():
            found = ours.state.model.state_dict()[name]
            assert torch.allclose(found, value, atol=1e-5), name
            assert not torch.equal(value, torch.zeros_like(value)) or "bias" in name


@pytest.mark.parametrize("model", [
    cy.models.gcn(), cy.models.gat(hidden=(4,), heads=2), cy.models.sage(), cy.models.gin(),
])  # fmt: skip
def test_a_population_is_its_single_fits(model):
    data = nodes(1.0)
    recipe, split = cy.Recipe(model=model, length="5 epochs"), cy.split(data)
    made = cy.fit_population(recipe, split, seeds=[4, 5])
    for seed, score in zip((4, 5), made.scores, strict=True):
        run = cy.fit(recipe, split, seed=seed, doctor=False)
        assert abs(run.score.value - score.value) < 1e-6
