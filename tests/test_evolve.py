"""Population-based training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.verbs.evolving import exchanges, perturbed
from chymist.verbs.jobs import Job, train_jobs

RECIPE = cy.Recipe(model=cy.models.mlp(hidden=(12,), dropout=0.1), schedule="constant",
                   optimizer=cy.optim.adam(lr=1e-3, weight_decay=1e-4), length="10 epochs",
                   precision="float64")  # fmt: skip
SPACE = {"optimizer.lr": cy.space.log(1e-4, 3e-1), "model.dropout": cy.space.uniform(0.05, 0.5),
         "optimizer.weight_decay": cy.space.log(1e-6, 1e-2)}  # fmt: skip


@pytest.fixture(scope="module")
def split() -> cy.Split:
    return cy.split(cy.load("wine"), seed=0)


def test_the_worst_become_copies_of_the_best() -> None:
    losses = [0.5, 0.1, np.inf, 0.2, 0.9, 0.3, 0.4, 0.6, 0.7, 0.8]
    found = exchanges(losses, 0.2, seed=3, stage=1)
    assert [member for member, _ in found] == [4, 2]
    assert {source for _, source in found} <= {1, 3}
    assert found == exchanges(losses, 0.2, seed=3, stage=1)
    assert exchanges([np.inf] * 4, 0.25, 0, 0) == []
    sources = {exchanges(losses, 0.3, seed, 0)[0][1] for seed in range(40)}
    assert sources == {1, 3, 5}


def test_values_change_by_a_fifth_within_their_range() -> None:
    axis = cy.space.log(1e-3, 1e-1)
    seen = {perturbed({"a": 0.01}, {"a": axis}, 0, stage, 0)["a"] for stage in range(30)}
    assert seen == {0.008, 0.012}
    assert {perturbed({"a": 0.1}, {"a": axis}, 0, s, 0)["a"] for s in range(30)} == {0.08, 0.1}


def test_without_exchanges_members_are_plain_runs(split: cy.Split) -> None:
    found = cy.evolve(RECIPE, split, SPACE, members=5, every="10 epochs")
    assert found.lineage == ()
    points = found.start
    for number, point in enumerate(points):
        recipe = RECIPE.replace(
            optimizer=cy.optim.adam(lr=point["optimizer.lr"],
                                    weight_decay=point["optimizer.weight_decay"]),
            model=cy.models.mlp(hidden=(12,), dropout=point["model.dropout"]), stop="none",
        )  # fmt: skip
        (plain,) = train_jobs([Job(recipe, split, number)])
        ours = found.population.jobs[number].run.state.model.state_dict()
        for name, values in plain.run.state.model.state_dict().items():
            assert torch.allclose(ours[name], values, rtol=0, atol=1e-9), name


def test_a_copy_goes_on_as_the_copied_one_would_at_its_values(split: cy.Split) -> None:
    """The lineage of the best, replayed by hand in the plain loop."""
    from chymist.engine.assembly import assemble
    from chymist.engine.defaults import complete
    from chymist.engine.population import copy_member, execute_all, with_recipe

    found = cy.evolve(RECIPE, split, {"optimizer.lr": SPACE["optimizer.lr"]}, members=5,
                      every="3 epochs", share=0.4, seed=2)  # fmt: skip
    assert len(found.lineage) == 6
    runs = []
    for number, point in enumerate(found.start):
        optimizer = RECIPE.optimizer.replace(lr=point["optimizer.lr"])
        full = complete(RECIPE.replace(optimizer=optimizer, stop="none"), split)
        runs.append(assemble(full, split, 2 + number))
    for step in sorted({e.step for e in found.lineage}):
        execute_all(runs, alone=True, until=step)
        for exchange in (e for e in found.lineage if e.step == step):
            recipe = runs[exchange.member].recipe
            optimizer = recipe.optimizer.replace(lr=exchange.point["optimizer.lr"])
            copy_member(runs[exchange.source], runs[exchange.member])
            runs[exchange.member] = with_recipe(
                runs[exchange.member], recipe.replace(optimizer=optimizer)
            )
    execute_all(runs, alone=True)
    for run, job in zip(runs, found.population.jobs, strict=True):
        numbers = job.run.state.model.state_dict()
        for name, values in run.state.model.state_dict().items():
            assert torch.allclose(numbers[name], values, rtol=0, atol=1e-9), name


def test_the_schedule_of_a_member_is_that_of_its_ancestors(split: cy.Split) -> None:
    found = cy.evolve(RECIPE, split, SPACE, members=10, every="1 epoch", seed=1)
    for member in range(10):
        steps = [step for step, _ in found.schedule(member)]
        assert steps == sorted(steps)
        assert steps[0] == 0
        last = [e for e in found.lineage if e.member == member]
        if last:
            assert found.schedule(member)[-1] == (last[-1].step, last[-1].point)
        recipe = found.population.jobs[member].run.recipe
        assert recipe.optimizer.options["lr"] == found.schedule(member)[-1][1]["optimizer.lr"]
    assert found.score.selected_on == "val_loss"
    assert "optimistic" in found.verdict
    again = cy.evolve(RECIPE, split, SPACE, members=10, every="1 epoch", seed=1)
    assert again.lineage == found.lineage
    assert again.score == found.score


def test_a_bad_start_is_left_behind() -> None:
    """Most of the space learns nothing; copies of the few that do take its place."""
    data = cy.split(cy.load("breast_cancer"), seed=0)
    recipe = RECIPE.replace(precision="float32", length="16 epochs")
    space = {"optimizer.lr": cy.space.log(1e-7, 1e-2)}
    found = cy.evolve(recipe, data, space, members=12, every="2 epochs", share=0.25)
    ends = np.array([s.value for s in found.population.scores])
    plain = cy.evolve(recipe, data, space, members=12, every="16 epochs")
    starts = np.array([s.value for s in plain.population.scores])
    assert starts.min() < 0.5 < 0.9 < ends.min()
    assert np.median(ends) > np.median(starts)
    assert cy.evaluate(found.run()).score.value > 0.9


def test_a_member_that_diverges_is_replaced() -> None:
    data = cy.split(cy.load("diabetes"), seed=0)
    recipe = RECIPE.replace(model="mlp", optimizer=cy.optim.sgd(lr=1e-3), precision="float32",
                            loss="mse", length="6 epochs")  # fmt: skip
    found = cy.evolve(recipe, data, {"optimizer.lr": cy.space.log(1e-4, 1e9)}, members=8,
                      every="1 epoch", share=0.5)  # fmt: skip
    assert not found.population.errors
    assert np.isfinite(found.score.value)


BAD = {
    "a field of another kind": ({"space": {"batch_size": cy.space.uniform(8, 32)}}, "cannot change"),
    "a choice": ({"space": {"optimizer.lr": cy.space.choice(0.1, 0.2)}}, "need a range"),
    "few members": ({"members": 3}, "members"),
    "a share": ({"share": 0.6}, "share"),
    "no unit": ({"every": "3"}, "unit"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_wrong_use(case: str, split: cy.Split) -> None:
    changed, said = BAD[case]
    options = {"space": SPACE, "members": 4, "every": "1 epoch", **changed}
    with pytest.raises(cy.UsageError, match=said):
        cy.evolve(RECIPE, split, **options)


def test_members_need_validation_rows() -> None:
    with pytest.raises(cy.InputError, match="validation rows"):
        cy.evolve(RECIPE.replace(stop="none"), cy.split(cy.load("wine"), valid=0), SPACE)


def test_parts_whose_options_are_left_to_their_defaults() -> None:
    """A default dropout stays, and a rate may be found by the range test."""
    recipe = cy.Recipe(model=cy.models.cnn(channels=(3,), hidden=(8,)), length="3 epochs",
                       optimizer=cy.optim.adam(lr="auto"))  # fmt: skip
    data = cy.load("digits")
    few = cy.Split(data, np.arange(300), np.arange(300, 400), np.arange(400, 500), 0)
    space = {"optimizer.weight_decay": cy.space.log(1e-6, 1e-2)}
    found = cy.evolve(recipe, few, space, members=4, every="1 epoch", share=0.25)
    assert len(found.lineage) == 2
    rates = {job.run.state.rate for job in found.population.jobs}
    assert len(rates) == 1
    assert {layer.p for job in found.population.jobs for _, layer in job.run.state.noise} == {0.3}
