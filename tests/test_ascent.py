"""Gradient ascent on the input (S212) against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.keys import torch_generator


def tensor(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "ascent"), dtype=torch.float64)


def linear(seed: int, inputs: int = 4, outputs: int = 3) -> nn.Linear:
    layer = nn.Linear(inputs, outputs).double()
    cy.models.initialize(layer, seed)
    return layer


class Bowl(nn.Module):
    """y = -|A (x - c)|^2 / 2, largest at c."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 3.0], dtype=torch.float64))
        self.center = nn.Parameter(torch.tensor([2.0, -1.0], dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return -(self.scale * (inputs - self.center)).square().sum(1, keepdim=True) / 2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), radius=st.floats(0.1, 10), unit=st.integers(0, 2))
def test_the_best_input_of_a_linear_model_is_the_direction_of_its_weights(
    seed: int, radius: float, unit: int
) -> None:
    layer, start = linear(seed), tensor(seed, 5, 4)
    before = [p.detach().clone() for p in layer.parameters()]
    found = cy.gradients.ascend(layer, start, unit, radius=radius, rate=100.0, steps=3)
    weights = layer.weight[unit].detach()
    expected = start + radius * weights / weights.norm()
    np.testing.assert_allclose(found.inputs, expected.numpy(), rtol=1e-9, atol=1e-9)
    rise = found.values[-1] - found.values[0]
    np.testing.assert_allclose(rise, radius * weights.norm().item(), rtol=1e-9)
    assert all(torch.equal(a, b) for a, b in zip(before, layer.parameters(), strict=True))


def test_without_a_bound_a_linear_model_rises_step_by_step() -> None:
    layer = linear(0)
    found = cy.gradients.ascend(layer, tensor(0, 2, 4), unit=1, steps=7, rate=0.5)
    per_step = 0.5 * layer.weight[1].square().sum().item()
    assert found.values.shape == (8, 2)
    np.testing.assert_allclose(np.diff(found.values, axis=0), per_step, rtol=1e-9)


def test_a_quadratic_ends_at_its_top() -> None:
    start, rate = torch.zeros(1, 2, dtype=torch.float64), 0.1
    found = cy.gradients.ascend(Bowl(), start, steps=9, rate=rate)
    shrink = (1 - rate * np.array([1.0, 9.0])) ** 9  # of the distance, axis by axis
    np.testing.assert_allclose(found.inputs[0], np.array([2.0, -1.0]) * (1 - shrink), rtol=1e-12)
    top = cy.gradients.ascend(Bowl(), start, steps=400, rate=rate)
    np.testing.assert_allclose(top.inputs[0], [2.0, -1.0], rtol=1e-9)
    assert (np.diff(top.values[:, 0]) >= 0).all()


def test_the_bound_is_for_each_row_and_any_shape() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(2 * 16, 3))
    cy.models.initialize(model, seed=3)
    start = tensor(1, 4, 1, 6, 6)
    found = cy.gradients.ascend(model, start, unit=2, radius=0.7, rate=5.0)
    away = np.linalg.norm((found.inputs - start.numpy()).reshape(4, -1), axis=1)
    assert found.inputs.shape == (4, 1, 6, 6)
    assert (away <= 0.7 + 1e-9).all()
    assert (away > 0.6).all()
    assert (found.values[-1] > found.values[0]).all()


def test_an_image_that_a_classifier_of_digits_likes() -> None:
    data = cy.load("digits")
    run = cy.fit(cy.Recipe(model="softmax", length="5 epochs"), data)
    blank = torch.zeros(1, 1, 8, 8)
    found = cy.gradients.ascend(run.model, blank, unit=3, radius=5.0)
    outputs = run.model.double()(torch.from_numpy(found.inputs))
    assert int(outputs.argmax()) == 3


def test_wrong_requests_are_told() -> None:
    layer, rows = linear(0), torch.zeros(2, 4)
    for options in ({"unit": 3}, {"unit": -1}, {"steps": 0}, {"rate": 0.0}, {"radius": -1.0},
                    {"rate": float("inf")}):  # fmt: skip
        with pytest.raises(UsageError):
            cy.gradients.ascend(layer, rows, **options)
    with pytest.raises(InputError, match="not \\(batch, outputs\\)"):
        cy.gradients.ascend(nn.Flatten(0), rows)
    with pytest.raises(InputError, match="left all numbers"):
        cy.gradients.ascend(Bowl(), torch.ones(1, 2), rate=1e6, steps=100)
