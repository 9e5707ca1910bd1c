"""Activations: values, derivatives, ranges, and runs and populations that use them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtr
from torch import nn

import chymist as cy
from chymist.activations import RReLU
from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.parts import part, registered, spelled
from chymist.values import Shapes
from tests.test_population import IMAGE, RECIPE, check_equal, runs_of, sequence

A = np.ndarray
SELU = (1.0507009873554805, 1.6732632423543772)


def density(x: A) -> A:
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def swished(x: A, beta: float) -> A:
    s = expit(beta * x)
    return s + beta * x * s * (1 - s)


# Name as it is spelled: value, derivative away from kinks, least and greatest value.
CURVES: dict[str, tuple[Callable[[A], A], Callable[[A], A], float, float]] = {
    "identity": (lambda x: x, np.ones_like, -math.inf, math.inf),
    "step": (lambda x: np.heaviside(x, 1), np.zeros_like, 0, 1),
    "sign": (np.sign, np.zeros_like, -1, 1),
    "sigmoid": (expit, lambda x: expit(x) * expit(-x), 0, 1),
    "tanh": (lambda x: 2 * expit(2 * x) - 1, lambda x: 1 - np.tanh(x) ** 2, -1, 1),
    "relu": (lambda x: np.maximum(0, x), lambda x: (x > 0) * 1.0, 0, math.inf),
    "leaky_relu": (lambda x: np.maximum(0.01 * x, x), lambda x: np.where(x > 0, 1, 0.01),
                   -math.inf, math.inf),
    "leaky_relu(slope=0.3)": (lambda x: np.maximum(0.3 * x, x), lambda x: np.where(x > 0, 1, 0.3),
                              -math.inf, math.inf),
    "prelu": (lambda x: np.maximum(0, x) + 0.25 * np.minimum(0, x),
              lambda x: np.where(x > 0, 1, 0.25), -math.inf, math.inf),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
            lambda x: np.exp(np.minimum(x, 0)), -1, math.inf),
    "elu(alpha=0.5)": (lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))),
                       lambda x: np.where(x > 0, 1, 0.5 * np.exp(np.minimum(x, 0))), -0.5, math.inf),
    "selu": (lambda x: SELU[0] * np.where(x > 0, x, SELU[1] * np.expm1(np.minimum(x, 0))),
             lambda x: SELU[0] * np.where(x > 0, 1, SELU[1] * np.exp(np.minimum(x, 0))),
             -SELU[0] * SELU[1], math.inf),
    "swish": (lambda x: x * expit(x), lambda x: swished(x, 1), -0.27846455, math.inf),
    "swish(beta=3)": (lambda x: x * expit(3 * x), lambda x: swished(x, 3), -0.27846455 / 3, math.inf),
    "gelu": (lambda x: x * ndtr(x), lambda x: ndtr(x) + x * density(x), -0.16997121, math.inf),
}  # fmt: skip
MANY = ("softmax", "maxout", "rrelu")  # of several features, or random
NAMES = sorted(registered("activation"))


def test_every_activation_has_a_case() -> None:
    assert {name.partition("(")[0] for name in CURVES} | set(MANY) == set(NAMES)


@pytest.mark.parametrize("name", CURVES)
@given(st.lists(st.floats(-30, 30).filter(lambda x: abs(x) > 1e-3), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_values_derivatives_and_ranges(name: str, points: list[float]) -> None:
    value, derivative, low, high = CURVES[name]
    x = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    y = spelled("activation", name).build(None).double()(x)
    np.testing.assert_allclose(y.detach(), value(np.array(points)), rtol=1e-9, atol=1e-12)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, derivative(np.array(points)), rtol=1e-9, atol=1e-10)
    assert bool(((y >= low - 1e-7) & (y <= high)).all())


@pytest.mark.parametrize("name", [n for n in CURVES if n not in ("step", "sign")])
def test_derivatives_are_slopes_of_the_values(name: str) -> None:
    points = torch.tensor([-3.0, -0.7, 0.4, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spelled("activation", name).build(None).double(), points)


def applied(name: str, *values: float) -> list[float]:
    return (
        spelled("activation", name)
        .build(None)
        .double()(torch.tensor(values, dtype=torch.float64))
        .tolist()
    )


def test_numbers_of_the_course() -> None:
    # Course: W57, W58, W59, W60.
    assert applied("sigmoid", 0, -1, 1) == pytest.approx([0.5, 0.268941, 0.731059], abs=1e-6)
    assert applied("leaky_relu", -1, 2) == pytest.approx([-0.01, 2])
    assert applied("prelu", -4, 3) == [-1, 3]
    # max(a x, x) is the leaky ReLU for slopes from 0 to 1 only
    assert applied("leaky_relu(slope=2)", -1, 1) == [-2, 1]
    assert [max(2 * x, x) for x in (-1, 1)] == [-1, 2]
    prelu = cy.activations.prelu().build(None)
    prelu(torch.tensor([-4.0])).sum().backward()
    assert prelu.weight.grad.tolist() == [-4]  # by the slope


@given(st.floats(0, 1), st.floats(-9, 9))
def test_the_maximum_is_leaky_for_slopes_from_0_to_1(slope: float, x: float) -> None:
    assert max(slope * x, x) == (x if x >= 0 else slope * x)


def test_softmax_and_its_jacobian() -> None:
    # Course: W61.
    softmax = cy.activations.softmax().build(None)
    x = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    assert softmax(x)[0].tolist() == pytest.approx([0.090031, 0.244728, 0.665241], abs=1e-6)
    jacobian = torch.autograd.functional.jacobian(softmax, x)[0, :, 0]
    assert jacobian.diagonal().tolist() == pytest.approx([0.081925, 0.184836, 0.222695], abs=1e-6)
    above = [jacobian[0, 1].item(), jacobian[0, 2].item(), jacobian[1, 2].item()]
    assert above == pytest.approx([-0.022033, -0.059892, -0.162803], abs=1e-6)
    assert jacobian.sum(1).tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_maxout_is_the_greatest_piece_and_holds_relu() -> None:
    layer = nn.Linear(3, 8).double()
    x = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    made = cy.activations.maxout(pieces=2).build(None)(layer(x))
    pieces = x @ layer.weight.T + layer.bias
    torch.testing.assert_close(made, torch.maximum(pieces[:, 0::2], pieces[:, 1::2]))
    with torch.no_grad():
        layer.weight[1::2], layer.bias[1::2] = 0, 0
    rectified = cy.activations.maxout().build(None)(layer(x))
    torch.testing.assert_close(rectified, torch.relu(layer(x)[:, 0::2]))
    with pytest.raises(InputError, match="do not divide"):
        cy.activations.maxout(pieces=3).build(None)(layer(x))


def test_random_slopes_are_uniform_keyed_and_settle_at_their_mean() -> None:
    layer = cy.activations.rrelu(lower=0.1, upper=0.5).build(None)
    x = torch.full((4000,), -1.0)
    layer.place(0, 3, "1")
    slopes = -layer(x)
    assert 0.1 <= slopes.min() < 0.11 < 0.49 < slopes.max() <= 0.5
    assert slopes.mean().item() == pytest.approx(0.3, abs=0.01)
    assert slopes.std().item() == pytest.approx(0.4 / math.sqrt(12), abs=0.005)
    layer.place(0, 4, "1")
    assert not torch.equal(-layer(x), slopes)
    layer.place(0, 3, "1")
    assert torch.equal(-layer(x), slopes)
    assert layer(-x).tolist() == [1] * 4000
    assert layer.eval()(x[:1]).tolist() == pytest.approx([-0.3])
    with pytest.raises(UsageError, match="lower is above upper"):
        cy.activations.rrelu(lower=1, upper=0.5).build(None)


def test_selu_keeps_mean_and_variance() -> None:
    x = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    made = cy.activations.selu().build(None)(x)
    assert made.mean().item() == pytest.approx(0, abs=0.01)
    assert made.var().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_every_activation_in_both_kinds_of_networks(name: str) -> None:
    random = torch.Generator().manual_seed(0)
    for model, shape in ((cy.models.mlp(hidden=(6, 6), activation=name), (5,)),
                         (cy.models.mlp(hidden=(6, 6), activation=name, residual=True), (5,)),
                         (cy.models.cnn(channels=(4,), hidden=(6,), activation=name), (1, 8, 8))):  # fmt: skip
        built = build_model(model, Shapes(shape, 3), 0)
        outputs = built(torch.randn(4, *shape, generator=random))
        assert outputs.shape == (4, 3)
        outputs.sum().backward()
        assert built[-1].weight.grad is not None


def test_an_activation_with_options_in_a_recipe() -> None:
    recipe = cy.Recipe(model=cy.models.mlp(activation=cy.activations.elu(alpha=0.5)))
    assert recipe.model.options == {"activation": "elu(alpha=0.5)"}
    assert cy.Recipe.from_toml(recipe.to_toml()) == recipe
    layers = build_model(recipe.model, Shapes((3,), 2), 0)
    assert [layer.alpha for layer in layers if isinstance(layer, nn.ELU)] == [0.5]
    for text, match in (("elu(alpha=0.5", "not closed"), ("elu(beta=1)", "unknown option"),
                        ("elux", "did you mean 'elu'"), ("elu(alpha)", "NAME=VALUE")):  # fmt: skip
        with pytest.raises(UsageError, match=match):
            spelled("activation", text)


def test_no_gradient_passes_a_step() -> None:
    model = build_model(cy.models.mlp(hidden=(8,), activation="step"), Shapes((5,), 3), 0)
    model(torch.randn(9, 5, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    assert model[1].weight.grad.abs().max() == 0
    assert model[-1].weight.grad.abs().min() > 0


@pytest.mark.parametrize("name", [*NAMES, "maxout(pieces=3)", "leaky_relu(slope=0.2)"])
def test_a_member_of_a_population_is_what_it_is_alone(name: str) -> None:
    model = cy.models.mlp(hidden=(8, 6), activation=name, dropout=0.1)
    recipe = RECIPE.replace(model=model, length="45 steps", batch_size=32)
    check_equal(lambda: runs_of(recipe, "table"))


@pytest.mark.parametrize("name", ["prelu", "maxout", "softmax", "rrelu"])
def test_a_member_of_a_population_of_images(name: str) -> None:
    layer = part("activation", name)
    width = 8 if name == "maxout" else 4
    net: list[Any] = [
        lambda: nn.Conv2d(2, width, 3, padding=1),
        lambda: layer.build(None), *IMAGE["conv"][2:],
    ]  # fmt: skip
    recipe = RECIPE.replace(model=sequence(*net), length="25 steps")
    check_equal(lambda: runs_of(recipe, "image"), form="grouped")


def test_random_slopes_of_a_member_by_itself() -> None:
    run = runs_of(RECIPE.replace(model=cy.models.mlp(activation="rrelu")), "table", rows=(97,))[0]
    assert [type(layer) for _, layer in run.state.noise] == [RReLU]
