"""Jacobians and Hessians against torch.func and closed forms, and what they say of layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.keys import torch_generator


def tensor(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "test"), dtype=torch.float64)


def perceptron() -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    cy.models.initialize(model, seed=1)
    return model, (tensor(2, 5, 3), torch.tensor([0, 1, 1, 0, 1]))


def test_jacobian_against_torch_func() -> None:
    model, (inputs, _) = perceptron()
    found = cy.gradients.jacobian(model, inputs)
    expected = torch.func.vmap(torch.func.jacrev(model))(inputs)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-12)


def test_jacobian_of_a_chain_is_the_product_of_jacobians() -> None:
    # Course: W42.
    """A hundred linear layers are one matrix."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        layers = [nn.Linear(5, 5, bias=False, dtype=torch.float64) for _ in range(100)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, generator=torch_generator(0, "orthogonal"))
    product = np.linalg.multi_dot([layer.weight.detach().numpy() for layer in reversed(layers)])
    inputs = tensor(0, 3, 5)
    np.testing.assert_allclose(
        cy.gradients.jacobian(nn.Sequential(*layers), inputs)[0], product, rtol=1e-9, atol=1e-12
    )
    outputs = nn.Sequential(*layers)(inputs).detach().numpy()
    np.testing.assert_allclose(inputs.numpy() @ product.T, outputs, rtol=1e-6, atol=1e-12)


def test_a_convolution_is_a_matrix_and_the_transposed_one_its_transpose() -> None:
    down = nn.Conv1d(2, 3, 4, stride=2, padding=1, bias=False)
    up = nn.ConvTranspose1d(3, 2, 4, stride=2, padding=1, bias=False)
    up.weight = down.weight
    small, large = maths_sizes(8)
    matrix = cy.gradients.jacobian(nn.Sequential(down, nn.Flatten()), torch.zeros(1, 2, large))[0]
    back = cy.gradients.jacobian(nn.Sequential(up, nn.Flatten()), torch.zeros(1, 3, small))[0]
    matrix, back = matrix.reshape(3 * small, 2 * large), back.reshape(2 * large, 3 * small)
    np.testing.assert_allclose(back, matrix.T)
    assert set(np.count_nonzero(matrix, axis=1)) == {
        2 * 3,
        2 * 4,
    }  # few weights, shared by all rows
    assert len(np.unique(matrix)) == down.weight.numel() + 1
    assert not np.allclose(back @ matrix, np.eye(2 * large), atol=0.1)  # the shape, not the values


def maths_sizes(large: int) -> tuple[int, int]:
    small = cy.maths.convolution_size(large, 4, 2, 1)
    assert cy.maths.transposed_size(small, 4, 2, 1) == large
    return small, large


class Block(nn.Module):
    """A layer, with or without a path past it."""

    def __init__(self, past: bool) -> None:
        super().__init__()
        self.layer, self.past = nn.Linear(4, 4), past
        nn.init.orthogonal_(self.layer.weight, 0.3, generator=torch_generator(0, "block"))

    def forward(self, x: Tensor) -> Tensor:
        made = torch.tanh(self.layer(x))
        return x + made if self.past else made


def test_a_residual_path_keeps_slopes_from_vanishing() -> None:
    sizes = []
    for past in (False, True):
        model = nn.Sequential(*(Block(past) for _ in range(20)))
        matrix = cy.gradients.jacobian(model, torch.full((1, 4), 0.1))[0]
        sizes.append(cy.maths.matrix_norm(matrix))
    assert sizes[0] < 0.3**19  # a product of twenty slopes of at most 0.3
    assert sizes[1] > 1  # of (1 + slope)


def test_a_linear_recurrence_over_a_thousand_steps() -> None:
    # Course: W76.
    for w, value, slope in (
        (1.01, 20751.6, 999 * 1.01**998),
        (1, 1, 999),
        (0.99, 4.36e-05, 999 * 0.99**998),
        (0.01, 0, 0),
    ):
        found = cy.gradients.graph("x * w**999", {"x": 1, "w": w})
        assert found.value == pytest.approx(value, rel=2e-3, abs=1e-300)
        assert float(found["w"].gradient) == pytest.approx(slope, rel=1e-9, abs=1e-300)
    layers = [nn.Linear(1, 1, bias=False) for _ in range(999)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1.01)
    product = cy.gradients.jacobian(nn.Sequential(*layers), torch.ones(1, 1)).item()
    assert product == pytest.approx(float(np.float32(1.01)) ** 999, rel=1e-9)


def test_a_partial_derivative_is_not_the_steepest_way() -> None:
    gradient = cy.gradients.graph("x + 10*y", {"x": 0, "y": 0}).gradients
    assert {name: float(g) for name, g in gradient.items()} == {"x": 1, "y": 10}
    plane = cy.maths.directional_derivative
    slopes = [plane(lambda v: v[0] + 10 * v[1], [0, 0], way) for way in ([1, 0], [0, 1], [1, 10])]
    assert max(slopes) == slopes[2] == pytest.approx(101**0.5)


def test_hessian_against_torch_func_and_closed_form() -> None:
    model, batch = perceptron()
    names = [name for name, _ in model.named_parameters()]
    sizes = [p.numel() for p in model.parameters()]
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def loss(weights: Tensor) -> Tensor:
        parts = {
            n: w.reshape(p.shape)
            for n, w, p in zip(names, weights.split(sizes), model.parameters(), strict=True)
        }
        return cy.losses.cross_entropy(
            torch.func.functional_call(model, parts, (batch[0],)), batch[1]
        )

    found = cy.gradients.hessian(model, "cross_entropy", batch)
    np.testing.assert_allclose(found, torch.func.hessian(loss)(flat).numpy(), atol=1e-12)
    x = tensor(3, 20, 3) * torch.tensor([1.0, 2.0, 10.0], dtype=torch.float64)
    squared = cy.gradients.hessian(nn.Linear(3, 1, bias=False), "mse", (x, tensor(4, 20, 1)))
    closed = 2 * (x.T @ x / 20).numpy()
    np.testing.assert_allclose(squared, closed, rtol=1e-12)
    bend = cy.gradients.curvature(squared)
    assert bend.condition == pytest.approx(np.linalg.cond(closed), rel=1e-9)
    assert bend.verdict.startswith("a bowl: 3 directions bend up")


def test_points_of_every_kind() -> None:
    for matrix, word in (([[1, 0], [0, -1]], "a saddle"), ([[-1.0]], "a dome"), ([[0.0]], "flat")):
        assert cy.gradients.curvature(matrix).verdict.startswith(word)
    assert cy.gradients.curvature([[1, 1], [1, 1]]).condition == np.inf
    with pytest.raises(InputError, match="symmetric"):
        cy.gradients.curvature([[1, 2], [0, 1]])
    with pytest.raises(InputError, match="of this size"):
        cy.gradients.hessian(nn.Linear(100, 100), "mse", (torch.ones(1, 100), torch.ones(1, 100)))
    with pytest.raises(InputError, match="outputs are not"):
        cy.gradients.jacobian(nn.Flatten(0), torch.ones(2, 3))


def test_both_layouts_of_a_jacobian() -> None:
    """S441: numerator layout has the index of y first, denominator layout that of x."""
    model, (inputs, _) = perceptron()
    first = cy.gradients.jacobian(model, inputs)
    second = cy.gradients.jacobian(model, inputs, layout="denominator")
    np.testing.assert_array_equal(second, first.transpose(0, 2, 1))
    weights = model[0].weight.detach().numpy()
    slope = cy.gradients.jacobian(model[0], inputs, layout="denominator")
    np.testing.assert_allclose(slope, np.broadcast_to(weights.T, slope.shape))


def test_the_gradient_of_a_scalar_is_a_row_or_a_column() -> None:
    """S441: for y = x^T A x it is x^T (A + A^T), or (A + A^T) x; the chain rule turns round."""
    matrix, inputs = tensor(7, 3, 3), tensor(8, 4, 3)

    class Quadratic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return ((x @ matrix) * x).sum(1, keepdim=True)

    row = cy.gradients.jacobian(Quadratic(), inputs)
    column = cy.gradients.jacobian(Quadratic(), inputs, layout="denominator")
    assert (row.shape, column.shape) == ((4, 1, 3), (4, 3, 1))
    np.testing.assert_allclose(column[:, :, 0], (inputs @ (matrix + matrix.T)).numpy())
    inner = nn.Linear(3, 3).double()
    cy.models.initialize(inner, seed=5)
    made = inner(inputs).detach()
    for layout, parts in (("numerator", (1, 0)), ("denominator", (0, 1))):
        whole = cy.gradients.jacobian(nn.Sequential(inner, Quadratic()), inputs, layout=layout)
        factors = (
            cy.gradients.jacobian(inner, inputs, layout=layout),
            cy.gradients.jacobian(Quadratic(), made, layout=layout),
        )
        np.testing.assert_allclose(whole, factors[parts[0]] @ factors[parts[1]], rtol=1e-10)


def test_the_layout_of_images_and_a_wrong_name() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    found = cy.gradients.jacobian(model, torch.zeros(5, 3, 2, 2), layout="denominator")
    assert found.shape == (5, 3, 2, 2, 2)
    with pytest.raises(UsageError, match="numerator"):
        cy.gradients.jacobian(model, torch.zeros(5, 3, 2, 2), layout="numeratr")  # type: ignore[arg-type]
