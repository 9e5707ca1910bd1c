"""Keras models on torch are fitted as modules of torch are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.errors import UsageError
from chymist.models import build_model
from chymist.parts import Part
from chymist.values import Recipe, Shapes

SHAPES = Shapes((3, 6, 5), 10)


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras on torch; the backend is chosen when it is imported."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "KERAS_BACKEND", "torch")
        import keras
    return keras


def recipe_of(model: Any, **changes: Any) -> Recipe:
    made = cy.Recipe(model=model, optimizer=cy.optim.sgd(lr=0.1), schedule="constant",
                     batch_size=32, length="40 steps")  # fmt: skip
    return made.replace(**changes)


def part_of(model: Any) -> Part:
    return recipe_of(model).model


def dense(keras: Any, *between: Any) -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([
        layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(16, "relu"), *between,
        layers.Dense(10),
    ])  # fmt: skip


def test_it_learns_what_the_same_module_of_torch_learns(keras: Any) -> None:
    theirs = dense(keras)
    ours = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    with torch.no_grad():
        for layer, source in ((ours[1], theirs.layers[1]), (ours[3], theirs.layers[2])):
            layer.weight.copy_(source.kernel.value.T)
            layer.bias.copy_(source.bias.value)
    split = cy.split(cy.load("digits"), seed=0)
    runs = [cy.fit(recipe_of(model), split, doctor=False) for model in (theirs, ours)]
    assert runs[0].score.value == runs[1].score.value > 0.6
    pairs = list(zip(runs[0].model.parameters(), ours_of(runs[1].model), strict=True))
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert runs[0].model.net.layers[1].kernel.value is pairs[0][0]


def ours_of(model: Any) -> list[torch.Tensor]:
    """Weights as Keras has them, (inputs, outputs)."""
    return [p.T if p.ndim == 2 else p for p in model.parameters()]


def test_it_trains_when_it_is_told_so(keras: Any) -> None:
    layers = keras.layers
    net = keras.Sequential([
        layers.Input((4,)), layers.BatchNormalization(momentum=0.5), layers.Dropout(0.5)
    ])  # fmt: skip
    model: Any = build_model(part_of(net), Shapes((4,), 4), 0)
    inputs = torch.ones(64, 4) + torch.arange(64.0)[:, None]
    before = {name: values.clone() for name, values in model.state_dict().items()}
    seen = model.eval()(inputs)
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    torch.testing.assert_close(seen, inputs, rtol=1e-3, atol=1e-3)  # statistics 0 and 1
    outputs = model.train()(inputs)
    assert 0.3 < (outputs == 0).float().mean() < 0.7
    mean = next(v for n, v in model.state_dict().items() if "moving_mean" in n)
    torch.testing.assert_close(mean, torch.full((4,), inputs.mean().item() / 2))


@pytest.mark.parametrize(("shape", "turned"), [
    ((6, 5, 3), True), ((None, None, 3), True), ((3, 6, 5), False), (None, True),
])  # fmt: skip
def test_images_have_their_channels_where_the_model_takes_them(
    shape: Any, turned: bool, keras: Any
) -> None:
    layers = keras.layers
    first = [] if shape is None else [layers.Input(shape)]
    net = keras.Sequential([*first, layers.Conv2D(4, 2), layers.GlobalAveragePooling2D()])
    model: Any = build_model(part_of(net), SHAPES, 0).eval()
    inputs = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0))
    kernel, bias = model.parameters()
    last = inputs if turned else inputs.permute(0, 3, 1, 2)  # Keras's own axes, channels first
    expected = nn.functional.conv2d(last, kernel.permute(3, 2, 0, 1), bias).mean((2, 3))
    torch.testing.assert_close(model(inputs), expected, rtol=1e-4, atol=1e-5)


def test_a_seed_gives_the_same_run_and_another_process_reads_it(keras: Any, tmp_path: Path) -> None:
    def factory() -> Any:  # names of layers are counted on with every call
        return dense(keras, keras.layers.Dropout(0.2))

    data = cy.load("digits")
    split = cy.split(data, seed=0)
    recipe = recipe_of(factory)
    whole = cy.fit(recipe, split, seed=3, out=tmp_path / "whole", doctor=False)
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, seed=3, out=tmp_path / "part", doctor=False, observer=seen.append,
               interrupted=lambda: len(seen) > 9)  # fmt: skip
    again, _, _ = cy.resume(tmp_path / "part", model=factory, data=data, doctor=False)
    many = cy.fit_population(recipe, split, seeds=[2, 3])
    for other in (again, many.run(1)):
        for found, expected in zip(other.model.parameters(), whole.model.parameters(), strict=True):
            assert torch.equal(found, expected)
    rows = np.asarray(data.inputs)[split.valid]
    found = cy.predict(tmp_path / "whole", rows, model=factory)
    assert np.array_equal(found, cy.predict(whole, rows))


def test_its_weights_are_its_own(keras: Any) -> None:
    split = cy.split(cy.load("digits"), seed=0)
    with pytest.raises(UsageError, match="draws its own weights"):
        cy.fit(recipe_of(lambda: dense(keras), init="he_normal"), split)


def test_what_cannot_be_copied_is_given_as_a_factory(keras: Any) -> None:
    class Net(keras.Model):  # type: ignore[name-defined,misc]
        def __init__(self, units: int) -> None:
            super().__init__()
            self.flat, self.last = keras.layers.Flatten(), keras.layers.Dense(units)

        def call(self, inputs: Any) -> Any:
            return self.last(self.flat(inputs))

    split = cy.split(cy.load("digits"), seed=0)
    with pytest.raises(UsageError, match="give a factory"):
        cy.fit(recipe_of(Net(10)), split)
    run = cy.fit(recipe_of(lambda shapes: Net(shapes.outputs)), split, doctor=False)
    assert run.score.value > 0.6


def test_the_dense_network_of_keras_has_as_many_parameters(keras: Any) -> None:
    layers = keras.layers
    theirs = keras.Sequential([
        layers.Input((28, 28)), layers.Flatten(), layers.Dense(512, "relu"), layers.Dense(10)
    ])  # fmt: skip
    ours = cy.shapes(cy.models.mlp(hidden=(512,)), (1, 28, 28))
    assert ours.parameters == theirs.count_params() == 784 * 512 + 512 + 512 * 10 + 10 == 407_050
