"""L-BFGS and Newton's method against torch, scikit-learn and closed forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

import chymist as cy
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.rows import InMemory
from chymist.engine.second_order import lbfgs_steps, newton_direction, newton_steps
from chymist.engine.solving import solve
from chymist.errors import InputError, UsageError

EXACT = cy.Recipe(precision="float64", stop="none", length="200 epochs")


def test_lbfgs_takes_the_steps_of_torch() -> None:
    def problem() -> tuple[list[nn.Parameter], Any]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)).double()
        inputs = torch.randn(40, 5, dtype=torch.float64)
        targets = torch.randn(40, 2, dtype=torch.float64)
        return list(model.parameters()), lambda: (model(inputs) - targets).square().mean()

    with torch.random.fork_rng():
        ours, loss = problem()
        steps = lbfgs_steps(ours, loss, 100, 1e-12)
        for _ in range(100):
            next(steps)
        theirs, other = problem()
    optimizer = torch.optim.LBFGS(
        theirs, max_iter=100, max_eval=10**6, tolerance_grad=1e-12, tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = other()
        value.backward()
        return value

    optimizer.step(closure)
    assert optimizer.state[theirs[0]]["n_iter"] == 100
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@given(st.floats(0.01, 100), st.floats(-50, 50), st.floats(-50, 50))
@settings(max_examples=50, deadline=None)
def test_one_step_of_newton_reaches_the_minimum_of_a_parabola(a: float, c: float, x: float) -> None:
    # Course: W52.
    weight = nn.Parameter(torch.tensor([x], dtype=torch.float64))
    steps = newton_steps([weight], lambda: a * (weight - c).square().sum(), 0.0, 1e-9)
    next(steps)
    # |f'| / f'' = 2 a |x - c| / 2 a: the distance to the minimum
    assert weight.item() == pytest.approx(c, abs=1e-9 * max(1, abs(x), abs(c)))


@given(st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_direction_goes_down_whatever_the_curvature(size: int, seed: int) -> None:
    torch.manual_seed(seed)
    root = torch.randn(size, size, dtype=torch.float64)
    gradient = torch.randn(size, dtype=torch.float64)
    for hessian in (root + root.T, -root @ root.T, torch.zeros_like(root)):
        assert float(gradient @ newton_direction(hessian, gradient)) < 0
    definite = root @ root.T + torch.eye(size)
    found, exact = newton_direction(definite, gradient), -torch.linalg.solve(definite, gradient)
    torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-10)


def test_newton_leaves_a_saddle_downwards() -> None:
    """f = x^2 - y^2 + y^4 from near the saddle: the minimum is at y^2 = 1/2, not at 0."""
    at = nn.Parameter(torch.tensor([1.0, 0.1], dtype=torch.float64))
    steps = newton_steps([at], lambda: at[0] ** 2 - at[1] ** 2 + at[1] ** 4, 0.0, 1e-10)
    for _ in range(30):
        if next(steps):
            break
    assert at.tolist() == pytest.approx([0.0, 0.5**0.5], abs=1e-8)


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_softmax_regression_is_that_of_sklearn(name: str) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    penalty = 1e-2
    recipe = EXACT.replace(model="softmax", optimizer=cy.part("optimizer", name, tolerance=1e-9))
    recipe = recipe.replace(optimizer=recipe.optimizer.replace(weight_decay=penalty))
    run = cy.fit(recipe, split)
    inputs = run.preparation.inputs(split.data.take(split.train))
    # theirs: C sum_i loss_i + |w|^2 / 2 without the intercept, so ours is given a constant column
    ones = np.hstack([inputs, np.ones((len(inputs), 1))])
    theirs = LogisticRegression(
        C=1 / (penalty * len(inputs)), fit_intercept=False, tol=1e-12, max_iter=10_000
    ).fit(ones, split.data.targets[split.train])
    layer = run.model[-1]
    found = torch.cat([layer.weight, layer.bias[:, None]], 1).detach().numpy()
    np.testing.assert_allclose(found, theirs.coef_, atol=2e-5)
    assert run.facts["epochs"] < 60, "it ends where the gradient is small"


def test_newton_on_least_squares_needs_one_step() -> None:
    split = cy.split(cy.load("diabetes"), seed=0)
    recipe = EXACT.replace(model="linear", optimizer=cy.optim.newton(damping=0.0, tolerance=1e-9))
    run = cy.fit(recipe, split)
    exact = cy.fit(cy.Recipe(model="linear", precision="float64"), split)
    for a, b in zip(run.model.parameters(), exact.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)
    assert run.facts["steps"] <= 2  # the second finds nothing to do but rounding


def test_the_penalty_is_that_of_ridge_regression() -> None:
    split = cy.split(cy.load("diabetes"), seed=0)
    rows, decay = len(split.train), 0.1

    def centred(shapes: cy.Shapes) -> nn.Module:
        return nn.Sequential(nn.Linear(shapes.inputs[0], 1, bias=False)).double()

    recipe = EXACT.replace(model=centred, optimizer=cy.optim.lbfgs(weight_decay=decay))
    run = cy.fit(recipe, split)
    inputs = run.preparation.inputs(split.data.take(split.train)).astype(np.float64)
    targets = run.preparation.targets(split.data.targets[split.train])
    theirs = Ridge(alpha=decay * rows / 2, fit_intercept=False).fit(inputs, targets[:, 0])
    np.testing.assert_allclose(run.model[0].weight[0].detach(), theirs.coef_, atol=1e-6)


@pytest.mark.parametrize("name", ["lbfgs", "newton"])
def test_a_perceptron_is_trained_with_early_stopping_and_its_record(name: str) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(6,), activation="tanh"), optimizer=name,
                       stop=cy.stop.early("val_loss", patience="5 epochs"))  # fmt: skip
    run = cy.fit(recipe, split)
    losses = run.history["train_loss"][:, 1]
    assert losses[-1] < 0.5 * losses[0]
    assert (np.diff(losses) <= 0).all(), "the loss of all rows never rises"
    assert run.recipe.batch_size == "all"
    assert run.score.selected_on == "val_loss"
    assert run.score.value > 0.85


def test_what_the_solvers_refuse() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    noisy = cy.models.mlp(hidden=(6,), dropout=0.5)
    with pytest.raises(UsageError, match="without noise"):
        cy.fit(cy.Recipe(model=noisy, optimizer="lbfgs"), split)
    with pytest.raises(UsageError, match="3,000 parameters at most"):
        cy.fit(cy.Recipe(model=cy.models.mlp(hidden=(500,)), optimizer="newton"), split)
    with pytest.raises(UsageError, match="exact losses"):
        cy.fit(cy.Recipe(model="softmax", optimizer="newton", precision="bfloat16"), split)
    with pytest.raises(UsageError, match="does not read this, in gradient_noise"):
        cy.fit(cy.Recipe(model="softmax", optimizer="lbfgs",
                         gradient_noise=cy.gradient_noise.annealed()), split)  # fmt: skip
    with pytest.raises(InputError, match="no parameters"):
        cy.fit(cy.Recipe(model=lambda shapes: nn.Flatten(), optimizer="lbfgs"), split)


def test_many_are_solved_one_by_one_and_say_why() -> None:
    recipe = cy.Recipe(model="softmax", optimizer="lbfgs", length="5 epochs", stop="none")
    split = cy.split(cy.load("iris"), seed=0)
    found = cy.fit_population([recipe], split, seeds=[0, 1])
    assert "it is solved, not trained in steps" in str(found.facts)
    alone = cy.fit(recipe, split, seed=1).model.state_dict()
    for name, values in found.run(1).model.state_dict().items():
        assert torch.equal(values, alone[name])


def test_an_interrupted_solver_begins_again_and_ends_the_same(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model="softmax", optimizer="lbfgs", length="12 epochs")
    whole = cy.fit(recipe, split, out=tmp_path / "whole")
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, out=tmp_path / "part", observer=seen.append,
               interrupted=lambda: len(seen) > 8)  # fmt: skip
    again, step, _ = cy.resume(tmp_path / "part")
    assert step == 0
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert np.array_equal(whole.history["loss"], again.history["loss"])


def test_rows_of_other_weights_count_as_often() -> None:
    """Weights 1 and 2 are rows once and twice."""
    split = cy.split(cy.load("iris"), seed=0)
    part = cy.optim.newton(weight_decay=1e-2)
    recipe = complete(EXACT.replace(model="softmax", optimizer=part), split)
    one, two = (assemble(recipe, split, 0) for _ in range(2))
    weights = torch.ones(len(split.train), dtype=torch.float64)
    weights[:40] = 2.0
    chosen = torch.cat([torch.arange(len(split.train)), torch.arange(40)])
    twice = InMemory(one.train.take(chosen), one.train.targets[chosen])
    list(solve(replace(one.program, weights=weights), one.state, recipe))
    list(solve(replace(two.program, rows=twice), two.state, recipe))
    for a, b in zip(one.state.model.parameters(), two.state.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-7)
