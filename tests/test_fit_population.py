"""`fit_population`: each member is what `fit` gives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import chymist as cy

RECIPE = cy.Recipe(model=cy.models.mlp(hidden=(12,), dropout=0.1), length="12 epochs",
                   precision="float64")  # fmt: skip


@pytest.fixture(scope="module")
def split() -> cy.Split:
    return cy.split(cy.load("iris"), seed=0)


def test_a_member_is_the_run_that_fit_gives(split: cy.Split) -> None:
    found = cy.fit_population(RECIPE, split, seeds=[0, 7])
    assert found.facts["executor"] == "population"
    for number, seed in enumerate((0, 7)):
        ours, theirs = found.run(number), cy.fit(RECIPE, split, seed=seed)
        assert ours.recipe == theirs.recipe
        assert ours.score == theirs.score == found.scores[number]
        assert ours.floors == theirs.floors
        assert ours.verdict == theirs.verdict
        assert ours.facts["epochs"] == theirs.facts["epochs"]
        assert ours.facts["parameters"] == theirs.facts["parameters"]
        np.testing.assert_allclose(ours.predictions.outputs, theirs.predictions.outputs, atol=1e-9)
        for name in ("train_loss", "val_loss", "val_accuracy"):
            np.testing.assert_allclose(ours.history[name], theirs.history[name], atol=1e-9)
        assert cy.evaluate(ours).score == cy.evaluate(theirs).score


def test_test_rows_are_not_even_prepared(split: cy.Split, monkeypatch: pytest.MonkeyPatch) -> None:
    from chymist.verbs import jobs

    real, seen = jobs.prepared_rows, []

    def prepared_rows(recipe, form, preparation, data, rows, place):  # type: ignore[no-untyped-def]
        seen.append(set(rows.tolist()))
        return real(recipe, form, preparation, data, rows, place)

    monkeypatch.setattr(jobs, "prepared_rows", prepared_rows)
    cy.fit_population(RECIPE.replace(length="1 epoch"), split, seeds=2)
    assert seen == [set()]


def test_mean_and_ensemble(split: cy.Split) -> None:
    from scipy import stats

    found = cy.fit_population(RECIPE.replace(length="6 epochs"), split, seeds=5)
    values = np.array([s.value for s in found.scores])
    spread = stats.t.interval(0.95, 4, values.mean(), stats.sem(values)) if np.ptp(values) else None
    assert found.mean.value == pytest.approx(values.mean())
    if spread:
        assert (found.mean.low, found.mean.high) == pytest.approx(spread)
    outputs = np.mean([found.run(n).predictions.outputs for n in range(5)], axis=0)
    right = outputs.argmax(1) == split.data.targets[split.valid]
    assert found.ensemble.value == right.mean()
    assert "5 members" in repr(found)
    assert "together" in repr(found)


def test_several_recipes_and_a_member_that_diverges(split: cy.Split) -> None:
    data = cy.split(cy.load("diabetes"), seed=0)
    recipes = [RECIPE.replace(precision="float32", loss="mse", length="3 epochs", stop="none",
                              schedule="constant", optimizer=cy.optim.sgd(lr=lr))
               for lr in (1e-3, 1e30)]  # fmt: skip
    found = cy.fit_population(recipes, data, seeds=2)
    assert sorted(found.errors) == [2, 3]
    assert [s is None for s in found.scores] == [False, False, True, True]
    assert "2 diverged" in repr(found)
    with pytest.raises(cy.Diverged):
        found.run(2)
    table = found.to_dict()["members"]
    assert table[3]["error"]["code"] == "the-loss-is-not-finite"
    assert table[0]["error"] is None


def test_a_population_is_one_folder_of_ordinary_runs(split: cy.Split, tmp_path: Path) -> None:
    out = tmp_path / "ten"
    found = cy.fit_population(RECIPE.replace(length="2 epochs"), split, seeds=3, out=out)
    table = json.loads((out / "population.json").read_text())
    assert [m["seed"] for m in table["members"]] == [0, 1, 2]
    assert table["members"][1]["score"]["value"] == found.scores[1].value
    run = cy.load_run(out / "members" / "0001")
    assert run.score == found.scores[1]
    numbers = found.jobs[1].run.state.model.state_dict()
    for name, values in run.model.state_dict().items():
        assert torch.equal(values, numbers[name])
    assert len(cy.predict(out / "members" / "0002", split.data.take(split.test[:4]))) == 4
    with pytest.raises(cy.InputError, match="not empty"):
        found.save(out)
    single = found.run(0, out=tmp_path / "one")
    assert single.path == tmp_path / "one"
    assert cy.load_run(tmp_path / "one").score == found.scores[0]


def test_each_recipe_has_floors_of_its_own_preparation() -> None:
    split = cy.split(cy.load("wine"), seed=0)
    recipes = [RECIPE.replace(length="1 epoch", data=cy.prepare(scale=scale))
               for scale in ("none", "standard")]  # fmt: skip
    found = cy.fit_population(recipes, split, seeds=1)
    for number in (1, 0):
        assert found.run(number).floors == cy.fit(recipes[number], split).floors


@pytest.mark.parametrize("lr", [1e-3, 1e30])
def test_one_member_or_none_left_is_written_too(lr: float, tmp_path: Path) -> None:
    data = cy.split(cy.load("diabetes"), seed=0)
    recipe = RECIPE.replace(precision="float32", loss="mse", length="3 epochs", stop="none",
                            schedule="constant", optimizer=cy.optim.sgd(lr=lr))  # fmt: skip
    out = tmp_path / "p"
    found = cy.fit_population(recipe, data, seeds=1, out=out)
    table = json.loads((out / "population.json").read_text())
    assert (table["mean"], table["ensemble"]) == (None, None)
    assert "no spread over seeds is known" in repr(found)
    assert (out / "members" / "0000").exists() == (lr < 1)


@pytest.mark.parametrize("seeds", [0, -1, [], [-3], 1.5, True])
def test_seeds_that_are_none(split: cy.Split, seeds: object) -> None:
    with pytest.raises(cy.UsageError, match="seeds"):
        cy.fit_population(RECIPE, split, seeds=seeds)


def test_no_recipe(split: cy.Split) -> None:
    with pytest.raises(cy.UsageError, match="needs a recipe"):
        cy.fit_population([], split)
