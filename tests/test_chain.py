"""A chain gives the values and gradients that its layers give one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from chymist.models import Dropout
from chymist.models.chain import Chain, chained
from chymist.models.stacked import stack

ACTIVATIONS: list[type[nn.Module]] = [nn.ReLU, nn.Tanh, nn.Sigmoid]
MEMBERS = 3


def members(*widths: int, activation: type[nn.Module] = nn.ReLU, dropout: float = 0.0,
            bias: bool = True) -> list[nn.Module]:  # fmt: skip
    torch.manual_seed(0)
    made: list[nn.Module] = []
    for member in range(MEMBERS):
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after, bias), activation()]
            if dropout:
                layers.append(Dropout(dropout))
                layers[-1].position = 100 * member + len(layers)
        ends = layers[: -2 if dropout else -1]
        made.append(nn.Sequential(*ends).double())
    return made


def gradients(model: nn.Module, inputs: Tensor) -> list[Tensor]:
    """Outputs, and gradients of all parameters and of the inputs, for a loss of some weights."""
    model.train().zero_grad()
    inputs = inputs.clone().requires_grad_()
    outputs = model(inputs)
    weights = torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64).view_as(outputs)
    (outputs * weights).sum().backward()
    assert inputs.grad is not None
    grads = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    return [outputs.detach().clone(), inputs.grad, *grads]


def check_alike(modules: list[nn.Module], *batches: Tensor) -> None:
    ours, theirs = chained(modules), stack(modules)
    assert isinstance(ours, Chain)
    assert not isinstance(theirs, Chain)
    for batch in batches:
        found, expected = gradients(ours, batch), gradients(theirs, batch)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def rows(count: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(MEMBERS, count, *shape, generator=generator, dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    activation=st.sampled_from(ACTIVATIONS),
    dropout=st.sampled_from([0.0, 0.4]),
    bias=st.booleans(),
    counts=st.lists(st.integers(1, 7), min_size=1, max_size=3),
)
def test_any_chain_is_what_its_layers_are(
    widths: list[int], activation: type[nn.Module], dropout: float, bias: bool, counts: list[int]
) -> None:
    modules = members(*widths, activation=activation, dropout=dropout, bias=bias)
    check_alike(modules, *(rows(count, widths[0]) for count in counts))


def test_images_are_flattened_and_memory_is_used_again() -> None:
    modules = members(12, 5, 4)
    check_alike(modules, rows(6, 3, 4), rows(2, 3, 4), rows(6, 3, 4))
    model = chained(modules).train()
    model(rows(6, 12)).sum().backward()
    places = {use: held.data_ptr() for use, held in model.room.items()}
    model(rows(4, 12)).sum().backward()
    assert {use: held.data_ptr() for use, held in model.room.items()} == places


def test_weights_that_are_not_trained_get_no_gradient() -> None:
    modules = members(4, 5, 3)
    for module in modules:
        module.get_parameter("1.weight").requires_grad_(False)
        module.get_parameter("3.bias").requires_grad_(False)
    check_alike(modules, rows(6, 4))
    model = chained(modules).train()
    model(rows(6, 4)).sum().backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained == {"1.bias", "3.weight"}


def test_rows_need_not_be_flat_and_evaluation_leaves_no_trace() -> None:
    layers = [[nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)] for _ in range(MEMBERS)]
    modules: list[nn.Module] = [nn.Sequential(*each).double() for each in layers]
    ours, theirs = chained(modules), stack(modules)
    deep = rows(3, 7, 4)  # affine maps of the last axis
    torch.testing.assert_close(ours.train()(deep), theirs(deep), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.eval()(rows(3, 4)), theirs(rows(3, 4)), rtol=0, atol=1e-12)
    assert ours.room == {}


def test_backward_is_for_the_last_pass_only() -> None:
    model = chained(members(4, 5, 3)).train()
    first = model(rows(6, 4)).sum()
    model(rows(6, 4))
    with pytest.raises(RuntimeError, match="last forward pass only"):
        first.backward()


def net(*layers: Any) -> list[nn.Module]:
    return [nn.Sequential(*layers).double()] * MEMBERS


@pytest.mark.parametrize("layers", [
    [nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 2)],  # its derivative needs what entered
    [nn.Linear(4, 3), nn.Tanh(), nn.Sigmoid(), nn.Linear(3, 2)],  # the first would be overwritten
    [nn.Linear(4, 3), nn.ReLU()],
    [nn.BatchNorm1d(4), nn.Linear(4, 3)],
    [nn.Tanh(), nn.Linear(4, 3)],
    [nn.Flatten()],
])  # fmt: skip
def test_what_is_no_chain_stays_a_stack(layers: list[nn.Module]) -> None:
    model = chained(net(*layers))
    assert type(model) is nn.Sequential
