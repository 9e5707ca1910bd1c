"""Optimisers by hand: the lengths of their steps, and what the worked examples of a course say."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import chymist as cy
from chymist.errors import UsageError
from chymist.keys import order
from chymist.parts import Part


def positions(optimizer: Part, gradients: list[float], start: float = 0.0) -> list[float]:
    """Where one weight stands before the first and after every step."""
    weight = nn.Parameter(torch.tensor([start], dtype=torch.float64))
    built, found = optimizer.build([weight]), [start]
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        built.step()
        found.append(weight.item())
    return found


def test_gradient_descent_goes_against_the_slope() -> None:
    # Course: W97, W98.
    assert positions(cy.optim.sgd(lr=0.1), [0.5], 1.0)[-1] == pytest.approx(0.95, abs=1e-12)
    assert positions(cy.optim.bgd(lr=0.1), [-3.0], 1.0)[-1] == pytest.approx(1.3, abs=1e-12)
    assert positions(cy.optim.sgd(lr=0.1), [3.0], 1.0)[-1] == pytest.approx(0.7, abs=1e-12)


@given(st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
@settings(max_examples=30, deadline=None)
def test_steps_of_adagrad_shorten_whatever_the_gradient(size: float, sign: int) -> None:
    # Course: W51.
    found = positions(cy.optim.adagrad(lr=1.0, eps=1e-15), [sign * size] * 5)
    lengths = [abs(b - a) for a, b in itertools.pairwise(found)]
    assert lengths == pytest.approx([1, 0.70710678, 0.57735027, 0.5, 0.44721360], abs=1e-7)


def test_adagrad_by_hand_and_without_a_gradient() -> None:
    # sums 4, 4 + 9, 13 + 1: steps 0.5 * (2 / 2, 3 / sqrt 13, -1 / sqrt 14)
    found = positions(cy.optim.adagrad(lr=0.5), [2.0, 3.0, -1.0])
    assert found == pytest.approx(
        [0, -0.5, -0.5 - 1.5 / math.sqrt(13), -0.5 - 1.5 / math.sqrt(13) + 0.5 / math.sqrt(14)],
        abs=1e-9,
    )
    assert positions(cy.optim.adagrad(), [0.0, 0.0], 2.0) == [2.0, 2.0, 2.0]  # not 0 / 0


@given(st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
@settings(max_examples=30, deadline=None)
def test_first_steps_of_adam_and_rmsprop(size: float, sign: int) -> None:
    # Course: W77.
    """Adam's is lr; without the correction of its means it would be 3.16 lr, and RMSProp's is 10."""
    adam = positions(cy.optim.adam(lr=1e-3, eps=1e-15), [sign * size])[-1]
    assert adam == pytest.approx(-sign * 1e-3, rel=1e-9)
    rms = positions(cy.optim.rmsprop(lr=1e-3, eps=1e-15), [sign * size])[-1]
    assert rms == pytest.approx(-sign * 1e-2, rel=1e-9)
    uncorrected = 0.1 / math.sqrt(0.001)
    assert uncorrected == pytest.approx(3.16, abs=0.003)


def test_where_the_eps_of_rmsprop_stands() -> None:
    """Outside of the root: with eps 1 the first step is lr g / (sqrt(0.01) |g| + 1)."""
    found = positions(cy.optim.rmsprop(lr=1.0, eps=1.0), [2.0])[-1]
    assert found == pytest.approx(-2 / (0.2 + 1), abs=1e-12)
    assert found != pytest.approx(-2 / math.sqrt(0.04 + 1), abs=1e-3)


def test_rmsprop_with_a_beta_of_adam_is_adam_without_its_correction() -> None:
    gradients = [0.3, -1.0, 2.0, 0.1]
    rms = positions(cy.optim.rmsprop(lr=1e-3, alpha=0.999), gradients)
    adam = positions(cy.optim.adam(lr=1e-3, betas=(0.0, 0.999)), gradients)
    for step in range(4):
        factor = 1 / math.sqrt(1 - 0.999 ** (step + 1))
        moved = adam[step + 1] - adam[step]
        assert rms[step + 1] - rms[step] == pytest.approx(factor * moved, rel=1e-4)


def test_decay_shrinks_a_weight() -> None:
    # Course: W78.
    for optimizer in (cy.optim.sgd(lr=0.1, weight_decay=1e-4),
                      cy.optim.adamw(lr=0.1, weight_decay=1e-4)):  # fmt: skip
        assert positions(optimizer, [0.0], 1.0)[-1] == pytest.approx(0.99999, abs=1e-12)
    # through Adam's denominator the same term is a whole step, however small it is
    assert positions(cy.optim.adam(lr=0.1, weight_decay=1e-4), [0.0], 1.0)[-1] < 0.91


def test_nesterov_has_two_names_and_needs_momentum() -> None:
    gradients = [1.0, -0.5, 2.0]
    named = positions(cy.optim.nesterov(lr=0.1, momentum=0.8), gradients)
    assert named == positions(cy.optim.sgd(lr=0.1, momentum=0.8, nesterov=True), gradients)
    assert named[1] == pytest.approx(-0.1 * 1.8, abs=1e-12)  # g + momentum v, with v = g
    with pytest.raises(UsageError, match="needs momentum"):
        cy.optim.sgd(nesterov=True).build([nn.Parameter(torch.zeros(1))])


def test_batch_gradient_descent_takes_one_step_an_epoch() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model="softmax", optimizer="bgd", length="20 epochs", schedule="constant")
    run = cy.fit(recipe, split)
    assert (run.facts["steps"], run.recipe.batch_size) == (20, "all")
    same = recipe.replace(optimizer="sgd", batch_size="all")
    for a, b in zip(run.model.parameters(), cy.fit(same, split).model.parameters(), strict=True):
        assert torch.equal(a, b)


@given(st.lists(st.floats(-1e3, 1e3).filter(lambda g: abs(g) > 1e-3), min_size=2, max_size=60))
@settings(max_examples=40, deadline=None)
def test_steps_of_adam_are_bounded_and_those_of_sgd_are_not(gradients: list[float]) -> None:
    """|step| <= lr (1 - b1) / sqrt(1 - b2) = 3.17 lr, Kingma and Ba, section 2.1; SGD's is lr |g|."""
    adam = positions(cy.optim.adam(lr=1.0, eps=1e-15), gradients)
    bound = (1 - 0.9) / math.sqrt(1 - 0.999)
    assert max(abs(b - a) for a, b in itertools.pairwise(adam)) <= bound * (1 + 1e-6)
    sgd = positions(cy.optim.sgd(lr=1.0), gradients)
    for (a, b), gradient in zip(itertools.pairwise(sgd), gradients, strict=True):
        assert b - a == pytest.approx(-gradient, abs=1e-9 * max(1, abs(a)))


def test_a_rare_gradient_makes_adams_longest_step() -> None:
    found = positions(cy.optim.adam(lr=1.0, eps=1e-15), [0.0] * 5000 + [1.0])
    assert -(found[-1] - found[-2]) == pytest.approx(3.16, abs=0.02)


def test_momentum_is_faster_where_curvatures_differ() -> None:
    """f = (x^2 + 100 y^2) / 2, each at its best rates: 1 - 2 / (k + 1) against root k in place of k."""

    def steps_to(optimizer: Part) -> int:
        at = nn.Parameter(torch.tensor([1.0, 1.0], dtype=torch.float64))
        built, scale = optimizer.build([at]), torch.tensor([1.0, 100.0], dtype=torch.float64)
        for step in range(10_000):
            if float(at.detach().norm()) < 1e-6:
                return step
            at.grad = scale * at.detach()
            built.step()
        return 10_000

    plain = steps_to(cy.optim.sgd(lr=2 / 101))
    heavy = steps_to(cy.optim.sgd(lr=4 / 121, momentum=(9 / 11) ** 2))  # Polyak 1964
    assert plain == pytest.approx(math.log(1e-6 / math.sqrt(2)) / math.log(99 / 101), abs=2)
    assert heavy < plain / 5


def test_the_noise_of_a_batch_falls_with_its_root() -> None:
    # Course: W82.
    """Batches are drawn without replacement, so the root is that of (1 / B) (n - B) / (n - 1)."""
    rows, epochs = 4096, 60
    values = np.random.default_rng(0).normal(size=rows)  # gradients of single rows
    orders = [order(seed=0, epoch=epoch, rows=rows) for epoch in range(epochs)]
    for size in (16, 32, 64, 128):
        means = np.concatenate([values[one].reshape(-1, size).mean(1) for one in orders])
        expected = values.std() * math.sqrt((rows - size) / (rows - 1) / size)
        assert means.std() == pytest.approx(expected, rel=0.06), size


@pytest.mark.parametrize("name", ["adagrad", "rmsprop", "nesterov"])
def test_a_resumed_run_has_the_moments_of_the_whole_one(name: str, tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    optimizer = cy.part("optimizer", name, lr=0.02)
    recipe = cy.Recipe(model="softmax", optimizer=optimizer, length="4 epochs", batch_size=16)
    whole = cy.fit(recipe, split, out=tmp_path / "whole")
    seen: list[object] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, out=tmp_path / "part", observer=seen.append,
               interrupted=lambda: len(seen) > 9)  # fmt: skip
    again, step, _ = cy.resume(tmp_path / "part")
    assert step > 0
    for a, b in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
