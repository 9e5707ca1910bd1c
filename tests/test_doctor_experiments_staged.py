"""Experiments in stages: suspects first, an end once it is decided; and what single ones measure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import nn

import chymist as cy
from chymist.doctor.experiments import DECIDED, WANTED, plan_experiments
from chymist.engine.defaults import complete
from chymist.values import Recipe, Split
from chymist.verbs.diagnosing_experiments import run_experiments

PLAIN: dict[str, Any] = {"batch_size": 64, "stop": "none", "schedule": "constant"}


@pytest.fixture(scope="module")
def digits() -> Split:
    return cy.split(cy.load("digits"), seed=0)


@pytest.mark.parametrize(("code", "probe"), [("lr_too_low", "tiny default"), ("model_bias", "big"),
                                             ("undertrained", "cont")])  # fmt: skip
def test_what_tells_of_a_suspect_comes_first(digits: Split, code: str, probe: str) -> None:
    recipe = complete(Recipe(model=cy.models.mlp(hidden=(16,) * 4), length="900 steps"), digits)
    made = plan_experiments("training", recipe, digits, 0, 900, 0.5, nn.Linear(64, 10), [code])
    names = [one.name for one in made.experiments]
    assert names[:2] == ["base", "sham 1"]
    assert probe in names[: made.first]
    assert made.steps <= 450
    steps = {one.steps for one in made.experiments if not one.name.startswith("tiny")}
    assert steps - {90} == {made.experiments[0].steps}  # "cont" is a tenth of the run at least
    assert [one for stage in made.stages for one in stage] == list(made.experiments)
    assert set(names) | set(made.left_out) == set(WANTED["training"])


def test_the_losses_of_inner_are_of_the_rows_that_they_are_named_after() -> None:
    """Held-out training rows and validation rows are scored in one pass, and told apart."""
    draw = np.random.default_rng(1)
    inputs = draw.normal(size=(600, 6))
    labels = (inputs[:, 0] > 0).astype(int)
    rows = np.arange(600)
    inputs[400:, 0] += 2.0
    split = Split(cy.load((inputs, labels)), rows[:400], rows[400:], rows[:0])
    recipe = Recipe(model="softmax", optimizer=cy.optim.adam(lr=1e-2), length="60 steps", **PLAIN)
    found = run_experiments(recipe, split, budget=5.0, route="gap")
    made = plan_experiments("gap", complete(recipe, split), split, 0, 60, 5.0)
    assert made.inner is not None
    one = next(one for one in made.experiments if one.name == "inner")
    for held, loss in ((split.valid, found.losses["inner"].valid),
                       (made.inner, found.losses["inner"].inner)):  # fmt: skip
        alone = cy.fit(one.recipe, Split(split.data, one.split.train, held, rows[:0]), seed=0)
        assert loss == pytest.approx(alone.history["val_loss"][-1, 1], rel=1e-4)


def test_a_run_that_ended_too_early_is_undertrained(digits: Split) -> None:
    recipe = Recipe(model="mlp", optimizer=cy.optim.adam(lr=1e-3), length="60 steps", **PLAIN)
    found = run_experiments(recipe, digits, budget=4.0, suspects=["undertrained"])
    assert found.verdict.cause == "undertrained"
    assert found.effects["cont"].after < 0.7 * found.run.train
    assert found.steps <= found.allowed == 240
    assert set(found.losses) == {"base", "sham 1", "cont", "lr x 10"}  # then it was decided
    assert found.left_out["tiny"] == DECIDED
    assert found.needed is None


@pytest.mark.parametrize("budget", [0.25, 1.0])
def test_rows_that_cheap_learners_read_are_no_noise(digits: Split, budget: float) -> None:
    """Two hidden units were once called a noise floor, where short probes helped nothing."""
    recipe = Recipe(
        model=cy.models.mlp(hidden=(2,)), optimizer=cy.optim.adam(lr=1e-2), length="300 steps",
        **PLAIN,
    )  # fmt: skip
    found = run_experiments(recipe, digits, budget=budget)
    assert found.verdict.cause == "inconclusive"
    assert "model_bias" in found.verdict.possible
    assert not {"noise_floor", "no_signal"} & set(found.verdict.possible)
    assert found.needed is not None
    assert found.needed > budget
