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


NETWORKS = {
    "gcn": cy.models.gcn(hidden=(6,)), "gcn deep": cy.models.gcn(hidden=(6, 5)),
    "sage": cy.models.sage(hidden=(6,)), "gat": cy.models.gat(hidden=(3,), heads=2),
    "gin": cy.models.gin(hidden=(6,), dropout=0.3, learn_eps=True),
}  # fmt: skip


# Before batch normalisation a bias has a gradient of rounding alone, which Adam makes steps of.
STEADY = cy.optim.sgd(lr=0.05, momentum=0.9)


def same(together, alone, epochs):
    events = list(train_together(together, form=stack))
    execute_all(alone, alone=True)
    assert len(events) == epochs * len(alone)
    for ours, theirs in zip(together, alone, strict=True):
        for name, value in theirs.state.model.state_dict().items():
            found = ours.state.model.state_dict()[name]
            assert torch.allclose(found, value, atol=1e-5), name
            assert bool(value.any()) or "bias" in name or "mean" in name or "eps" in name


@pytest.mark.parametrize("density", [0.05, 1.0])
@pytest.mark.parametrize("cuts", [SAME, UNEQUAL])
@pytest.mark.parametrize("batch_size", ["all", 16])
@pytest.mark.parametrize("network", NETWORKS)
def test_members_trained_together_are_those_trained_alone(density, cuts, batch_size, network):
    data = nodes(density)
    recipe = cy.Recipe(model=NETWORKS[network], batch_size=batch_size, length="4 epochs",
                       optimizer=STEADY if network == "gin" else None,
                       data=cy.prepare(scale="none"))  # fmt: skip
    together = assembled(data, recipe, cuts, (1, 2, 3))
    alone = assembled(data, recipe, cuts, (1, 2, 3))
    same(together, alone, 4)


def molecules():
    draw = np.random.default_rng(0)
    sizes = draw.integers(3, 9, 40)
    owners = np.repeat(np.arange(40), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    pairs = [(first + i, first + draw.integers(0, i)) for first, size in zip(starts, sizes, strict=True)
             for i in range(1, size)]  # fmt: skip
    features = np.eye(3)[draw.integers(0, 3, len(owners))]
    return cy.load((graph_of(len(owners), pairs, features=features, owners=owners),
                    np.arange(40) % 2))  # fmt: skip


@pytest.mark.parametrize("model", [
    cy.models.gcn(hidden=(4,)), cy.models.gat(hidden=(3,), heads=2, pool="max"),
    cy.models.sage(hidden=(4,), pool="sum"), cy.models.gin(hidden=(4, 3), dropout=0.2),
])  # fmt: skip
@pytest.mark.parametrize("batch_size", ["all", 7])
def test_members_on_whole_graphs_are_those_trained_alone(model, batch_size):
    recipe = cy.Recipe(model=model, batch_size=batch_size, length="3 epochs",
                       optimizer=STEADY if model.name == "gin" else None)  # fmt: skip
    cuts = [(range(20), range(30, 40)), (range(3, 28), range(30, 40))]
    data = molecules()
    same(assembled(data, recipe, cuts, (1, 2)), assembled(data, recipe, cuts, (1, 2)), 3)


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
