"""Convolutions with kernels of any side, and without shared weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import chymist as cy
from chymist.errors import UsageError
from chymist.models import Unshared2d, build_model
from chymist.models.stacked import stack
from chymist.values import Shapes
from chymist.verbs.records import load_run

DIGITS = Shapes((1, 8, 8), 10)


def tied(inputs: int, outputs: int, kernel: int, side: tuple[int, int]) -> tuple[nn.Conv2d, Unshared2d]:  # fmt: skip
    """A convolution, and a layer of local units whose weights are its own at every place."""
    shared = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2).double()
    own = Unshared2d(inputs, outputs, kernel, *side).double()
    places = side[0] * side[1]
    assert shared.bias is not None
    assert own.bias is not None
    with torch.no_grad():
        own.weight.copy_(shared.weight.repeat_interleave(places, 0))
        own.bias.copy_(shared.bias.repeat_interleave(places, 0))
    return shared, own


@given(
    st.integers(1, 3), st.integers(1, 3), st.sampled_from([1, 3, 5]), st.integers(1, 6),
    st.integers(1, 6),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_with_weights_tied_it_is_a_convolution(
    inputs: int, outputs: int, kernel: int, height: int, width: int
) -> None:
    shared, own = tied(inputs, outputs, kernel, (height, width))
    x = torch.randn(2, inputs, height, width, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(own(x), shared(x))
    far = torch.randn(2, outputs, height, width, dtype=torch.float64)
    (own(x) * far).sum().backward()
    (shared(x.detach()) * far).sum().backward()
    # The gradient of a shared weight is the sum of those of its places.
    assert own.weight.grad is not None
    assert shared.weight.grad is not None
    summed = own.weight.grad.unflatten(0, (outputs, -1)).sum(1)
    assert torch.allclose(summed, shared.weight.grad)


def test_each_place_has_weights_of_its_own() -> None:
    layer = Unshared2d(2, 2, 3, 3, 4).double()
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    before = layer(x)
    with torch.no_grad():
        layer.weight[12 + 5] += 1.0  # the unit of the second output at row 1, column 1
    moved = (layer(x) - before).abs().amax(0) > 0
    assert moved.nonzero().tolist() == [[1, 1, 1]]


def test_stacked_is_single() -> None:
    layers = [nn.Sequential(Unshared2d(2, 3, 3, 4, 5), nn.ReLU()) for _ in range(3)]
    x = torch.randn(3, 6, 2, 4, 5)
    whole = stack(layers)(x)
    for made, layer, own in zip(whole, layers, x, strict=True):
        assert torch.allclose(made, layer(own), atol=1e-6)


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_parameters_by_formula(kernel: int) -> None:
    for shared, places in ((True, 1), (False, 64)):
        part = cy.models.cnn(channels=(4,), hidden=(), norm="none", kernel=kernel, shared=shared)
        model = build_model(part, DIGITS, 0)
        count = sum(p.numel() for p in model.parameters())
        assert count == places * 4 * (kernel**2 + 1) + 4 * 16 * 10 + 10
        assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert cy.models.cnn(kernel=3).build(DIGITS)[0].kernel_size == (3, 3)


@pytest.mark.parametrize("options", [{"kernel": 5}, {"shared": False}, {"shared": False, "norm": "none"}])  # fmt: skip
def test_members_are_what_they_are_alone(options: dict[str, object]) -> None:
    model = cy.models.cnn(channels=(3, 4), hidden=(6,), **options)
    recipe = cy.Recipe(model=model, optimizer=cy.optim.sgd(lr=0.05),
                       length="6 steps", batch_size=32, stop="none")  # fmt: skip
    split = cy.split(cy.load("digits"), seed=0)
    found = cy.fit_population(recipe, split, seeds=2)
    for seed, member in enumerate(found.jobs):
        alone = cy.fit(recipe, split, seed=seed, doctor=False).model.state_dict()
        for name, values in member.run.state.model.state_dict().items():
            assert torch.allclose(values, alone[name], atol=1e-5), name


def test_it_is_saved_and_read_back(tmp_path: Path) -> None:
    recipe = cy.Recipe(model=cy.models.cnn(channels=(3,), shared=False), length="1 epoch")
    run = cy.fit(recipe, cy.split(cy.load("digits"), seed=0), out=tmp_path / "run", doctor=False)
    read = load_run(tmp_path / "run")
    assert read.recipe.model == recipe.model
    for name, values in read.model.state_dict().items():
        assert torch.equal(values, run.model.state_dict()[name])


@pytest.mark.parametrize("kernel", [2, 4])
def test_a_kernel_without_a_middle_is_refused(kernel: int) -> None:
    with pytest.raises(UsageError, match="no middle"):
        build_model(cy.models.cnn(kernel=kernel), DIGITS, 0)
