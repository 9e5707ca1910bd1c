"""Gradient noise: its variance, its key, and that a member and a resumed run have their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import chymist as cy
from chymist.engine.loop import train
from chymist.engine.population import together
from chymist.errors import UsageError
from tests.test_population import RECIPE, check_equal, runs_of


@given(st.floats(1e-3, 10), st.floats(0, 2), st.integers(0, 10_000), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_its_variance_is_that_of_the_formula(
    eta: float, gamma: float, step: int, seed: int
) -> None:
    make = cy.gradient_noise.annealed(eta=eta, gamma=gamma).build(seed)
    drawn = make(step, "weight", torch.zeros(4000, dtype=torch.float64)).numpy()
    ratio = drawn.var() / (eta / (1 + step) ** gamma)
    assert abs(ratio - 1) < 5 * np.sqrt(2 / 4000)  # five standard errors of a variance
    assert abs(drawn.mean()) < 5 * drawn.std() / np.sqrt(4000)


def test_it_is_normal_and_a_function_of_its_key() -> None:
    make, again = (cy.gradient_noise.annealed(eta=1.0).build(seed) for seed in (3, 3))
    like = torch.zeros(20_000, dtype=torch.float64)
    first = make(0, "a", like)
    assert stats.kstest(first.numpy(), "norm").pvalue > 0.01
    assert torch.equal(first, again(0, "a", like))
    others = [make(0, "b", like), make(1, "a", like),
              cy.gradient_noise.annealed(eta=1.0).build(4)(0, "a", like)]  # fmt: skip
    for other in others:
        assert abs(float(np.corrcoef(first, other)[0, 1])) < 0.04
    assert cy.gradient_noise.none().build(0) is None
    with pytest.raises(UsageError, match=r"gradient_noise\.eta"):
        cy.gradient_noise.annealed(eta=-1.0)


def test_it_is_added_after_clipping_with_any_optimizer() -> None:
    """With a rate and a length of one step, the step is that of gradient and noise."""
    for optimizer in (cy.optim.sgd(lr=0.5), cy.optim.adagrad(lr=0.5)):
        recipe = RECIPE.replace(optimizer=optimizer, length="1 step", clip=cy.clip.norm(1e-9))
        plain, noisy = (
            runs_of(recipe.replace(gradient_noise=noise), "table", rows=(90,))[0]
            for noise in ("none", cy.gradient_noise.annealed(eta=0.04))
        )
        start = {n: p.detach().clone() for n, p in noisy.state.model.named_parameters()}
        for run in (plain, noisy):
            list(train(run.program, run.state))
        make = cy.gradient_noise.annealed(eta=0.04).build(noisy.program.seed)
        for name, after in noisy.state.model.named_parameters():
            drawn = make(0, name, after)
            step = drawn if optimizer.name == "sgd" else drawn.sign()
            expected = start[name] - 0.5 * step
            torch.testing.assert_close(after.detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("model", [cy.models.mlp(hidden=(16, 8), activation="tanh"), "softmax"])
def test_each_member_has_the_noise_that_it_has_alone(model: Any) -> None:
    def changes(member: int) -> dict[str, Any]:
        return {
            "gradient_noise": "none"
            if member == 1
            else cy.gradient_noise.annealed(eta=0.01 * (1 + member))
        }

    recipe = RECIPE.replace(model=model, length="40 steps")
    check_equal(lambda: runs_of(recipe, "table", changes=changes))
    assert len(together(runs_of(recipe, "table", changes=changes))) == 1


def test_images_too() -> None:
    recipe = RECIPE.replace(model=cy.models.cnn(channels=(4,)), gradient_noise=cy.gradient_noise.annealed(eta=0.01),
                            length="10 steps")  # fmt: skip
    check_equal(lambda: runs_of(recipe, "image"))


def test_a_resumed_run_draws_the_noise_of_the_whole_one(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model="softmax", gradient_noise=cy.gradient_noise.annealed(eta=0.3), length="6 epochs",
                       optimizer=cy.optim.sgd(lr=0.1), batch_size=16)  # fmt: skip
    whole = cy.fit(recipe, split, out=tmp_path / "whole")
    without = cy.fit(recipe.replace(gradient_noise="none"), split)
    assert not np.array_equal(whole.history["loss"], without.history["loss"])
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, out=tmp_path / "part", observer=seen.append,
               interrupted=lambda: len(seen) > 17)  # fmt: skip
    again, step, _ = cy.resume(tmp_path / "part")
    assert step > 0
    assert np.array_equal(whole.history["loss"], again.history["loss"])
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_recipes_written_before_there_was_noise_are_read(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    run = cy.fit(cy.Recipe(model="softmax", length="2 epochs"), split, out=tmp_path / "run")
    path = tmp_path / "run" / "recipe.toml"
    text = path.read_text()
    assert "[gradient_noise]" in text
    path.write_text(text.replace('[gradient_noise]\nname = "none"\n', ""))
    assert cy.load_run(tmp_path / "run").score == run.score
