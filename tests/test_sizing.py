"""Shapes, parameters, multiply-adds, receptive fields and memory, against closed forms and torch."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.optim import AT_ONCE
from chymist.parts import part, registered
from chymist.verbs.sizing import kept_bytes, states_of


def keras_demo() -> nn.Module:
    """The network of the course's first Keras program."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.5), nn.Linear(1600, 64), nn.Linear(64, 10),
    )  # fmt: skip


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    depth = 3
    for size, times in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(times):
            layers += [nn.Conv2d(depth, size, 3, padding=1), nn.ReLU(inplace=True)]
            depth = size
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(4096, 1000))


# Shapes and parameters of the course


def test_the_two_blocks_of_the_lecture() -> None:
    # Course: W03, W04, W05, W06, W07, W08, W09, W10, W11, W12.
    model = nn.Sequential(
        nn.Conv2d(1, 25, 3), nn.MaxPool2d(2), nn.Conv2d(25, 50, 3), nn.MaxPool2d(2), nn.Flatten()
    )
    found = cy.shapes(model, (1, 28, 28))
    shapes = [row.output_shape for row in found.rows]
    assert shapes == [(25, 26, 26), (25, 13, 13), (50, 11, 11), (50, 5, 5), (1250,)]
    parameters = [(row.parameters, row.parameters - row.biases) for row in found.rows]
    assert parameters == [(250, 225), (0, 0), (11300, 11250), (0, 0), (0, 0)]
    two = cy.shapes(nn.Conv2d(2, 25, 3), (2, 9, 9)).rows[0]
    assert (two.output_shape, two.parameters - two.biases) == ((25, 7, 7), 25 * 2 * 9)
    strided = cy.shapes(nn.Conv2d(1, 25, 3, 3), (1, 28, 28)).rows[0]
    assert strided.output_shape == (25, 9, 9)  # what the old call means today


def test_the_first_program_of_the_course() -> None:
    # Course: W15, W16, W17, W18, W19, W20, W21.
    found = cy.shapes(keras_demo(), (1, 28, 28))
    shapes = [row.output_shape for row in found.rows if row.kind != "Dropout"]
    assert shapes == [(32, 26, 26), (32, 13, 13), (64, 11, 11), (64, 5, 5), (1600,), (64,), (10,)]
    parameters = [row.parameters for row in found.rows if row.parameters]
    assert parameters == [320, 18496, 102464, 650]
    assert (found.parameters, found.biases) == (121930, 32 + 64 + 64 + 10)


def test_single_layers_of_the_course() -> None:
    # Course: W26, W27, W29, W30, W31, W32, W33, W95.
    layers = [
        (nn.Conv2d(3, 32, 5, 1, 2), (3, 17, 30), (32, 17, 30), 2432),
        (nn.Conv2d(1, 6, 5), (1, 28, 28), (6, 24, 24), 156),
        (nn.Conv2d(1, 6, 5), (1, 32, 32), (6, 28, 28), 156),
        (nn.Conv2d(3, 1, 3), (3, 27, 27), (1, 25, 25), 28),
        (nn.Conv2d(1, 1, 10), (1, 100, 100), (1, 91, 91), 101),
        (nn.Conv2d(1, 1, 28, bias=False), (1, 28, 28), (1, 1, 1), 784),
        (nn.Linear(20, 30), (20,), (30,), 630),
    ]
    for layer, shape, made, parameters in layers:
        row = cy.shapes(layer, shape).rows[0]
        assert (row.output_shape, row.parameters) == (made, parameters)
    assert cy.shapes(nn.Conv2d(1, 1, 10, 10), (1, 1000, 1000)).rows[0].units == 10_000


def test_vgg16_without_its_weights() -> None:
    # Course: W87.
    with torch.device("meta"):
        model = vgg16()
    found = cy.shapes(model, (3, 224, 224))
    convolutions = [row for row in found.rows if row.kind == "Conv2d"]
    dense = [row for row in found.rows if row.kind == "Linear"]
    assert (len(convolutions), len(dense)) == (13, 3)
    assert sum(row.parameters for row in convolutions) == 14714688
    assert sum(row.parameters for row in dense) == 123642856
    assert found.parameters == 138357544
    assert found.multiply_adds == 15_470_264_320  # the 15.5 billion of the literature
    pooled = [row.receptive_field for row in found.rows if row.kind == "MaxPool2d"]
    assert pooled == [(6, 6), (16, 16), (44, 44), (100, 100), (212, 212)]
    assert found.memory(1, "sgd")["parameters"] == 4 * 138357544


# Multiply-adds


class Functional(nn.Module):
    """Products outside of layers, and a layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.inner = nn.Sequential(nn.Linear(4, 5), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        twice = self.layer(self.layer(x))
        return self.inner(twice) @ torch.ones(5, 7, device=x.device)


def counts(model: nn.Module, shape: tuple[int, ...]) -> dict[str, int]:
    return {row.name: row.multiply_adds for row in cy.shapes(model, shape).rows}


def test_multiply_adds_by_formula() -> None:
    grouped = nn.Conv2d(4, 6, 3, padding=1, groups=2)
    assert counts(grouped, (4, 8, 8))[""] == 8 * 8 * 6 * 2 * 9
    assert counts(nn.ConvTranspose2d(4, 6, 2, 2), (4, 5, 5))[""] == 5 * 5 * 4 * 6 * 4
    assert counts(nn.Conv1d(2, 3, 5), (2, 9))[""] == 5 * 3 * 2 * 5
    assert counts(Functional(), (4,)) == {"layer": 32, "inner.0": 20, "inner.1": 0, "": 35}
    assert cy.shapes(Functional(), (4,)).multiply_adds == 87
    assert counts(nn.LSTM(3, 4, batch_first=True), (5, 3))[""] == 5 * 4 * (3 * 4 + 4 * 4)
    assert counts(nn.GRU(3, 4, batch_first=True), (5, 3))[""] == 5 * 3 * (3 * 4 + 4 * 4)


def test_multiply_adds_of_attention() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    was = torch.backends.mha.get_fastpath_enabled()
    found = cy.shapes(layer, (5, 8))
    assert torch.backends.mha.get_fastpath_enabled() == was
    projections, products, dense = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8, 2 * 5 * 8 * 16
    assert found.multiply_adds == projections + products + dense


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_numbers_do_not_depend_on_the_device(device: str) -> None:
    for make, shape in (
        (keras_demo, (1, 28, 28)),
        (lambda: nn.LSTM(3, 4, batch_first=True), (5, 3)),
        (Functional, (4,)),
    ):
        with torch.device(device):
            model = make()
        here = cy.shapes(make(), shape)
        there = cy.shapes(model, shape)
        assert there.rows == here.rows
        assert there.memory() == here.memory() or isinstance(model, nn.LSTM)  # fused on the CPU


# Receptive fields


class Residual(nn.Module):
    """Two paths of different reach to the same places."""

    def __init__(self) -> None:
        super().__init__()
        self.long = nn.Sequential(
            nn.Conv2d(2, 3, 3, 2, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3, 1, 1)
        )
        self.short = nn.Conv2d(2, 3, 1, 2)
        self.last = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.long(x) + self.short(x))


class Dense(nn.Module):
    """What a layer makes stands beside what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        halves = self.layer(x).chunk(2, dim=1)
        return torch.cat([x, halves[0] * halves[1].sigmoid()], dim=1)


FIELDS = {
    "strides": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3, 2), nn.AvgPool2d(3, 2), nn.Conv2d(3, 2, 3)), 31),
    "dilation": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3, dilation=2), nn.Conv2d(3, 2, (1, 5), dilation=3)), 27),
    "residual": (Residual, 33),
    "transposed": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3, 2), nn.ConvTranspose2d(3, 2, 4, 2, 1), nn.Conv2d(2, 2, 3)), 25),
    "concatenated": (lambda: nn.Sequential(Dense(), nn.Conv2d(5, 2, 5)), 21),
}  # fmt: skip


def measured(model: nn.Module, size: int) -> tuple[int, int]:
    """Inputs with a gradient from one place in the middle, all weights being 1."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
    model.eval()
    inputs = torch.ones(1, 2, size, size, requires_grad=True)
    output = model(inputs)
    reach = [0, 0]
    for shift in (0, 1):  # of transposed convolutions not every place sees as many
        middle = [n // 2 + shift for n in output.shape[2:]]
        (slope,) = torch.autograd.grad(
            output[0, :, middle[0], middle[1]].sum(), inputs, retain_graph=True
        )
        for axis in (0, 1):
            touched = np.flatnonzero(slope[0].abs().sum((0, 2 - axis)).numpy())
            reach[axis] = max(reach[axis], int(touched[-1] - touched[0] + 1))
    return reach[0], reach[1]


@pytest.mark.parametrize("name", FIELDS)
def test_receptive_fields_against_gradients(name: str) -> None:
    make, size = FIELDS[name]
    model = make()
    found = cy.shapes(model, (2, size, size)).rows[-1].receptive_field
    assert found == measured(model, size)


def test_receptive_fields_in_one_dimension_and_where_there_are_none() -> None:
    model = nn.Sequential(
        nn.Conv1d(3, 4, 5), nn.MaxPool1d(2), nn.Dropout(0.1), nn.Conv1d(4, 4, 3), nn.AvgPool1d(2)
    )
    fields = [row.receptive_field for row in cy.shapes(model, (3, 40)).rows]
    assert fields == [(5,), (6,), (6,), (10,), (12,)]
    head = nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3))
    assert [row.receptive_field for row in cy.shapes(head, (1, 9, 9)).rows] == [
        (3, 3),
        "all",
        "all",
        "all",
    ]
    assert {
        row.receptive_field
        for row in cy.shapes(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), (3,)).rows
    } == {None}
    # Patches as words: what a word sees is not followed, and not guessed.
    patches = nn.Sequential(nn.Conv2d(1, 4, 2, 2), nn.Flatten(2), Turn(), nn.Linear(4, 4))
    assert cy.shapes(patches, (1, 8, 8)).rows[-1].receptive_field is None


class Turn(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


# Memory


def test_what_is_kept_for_the_backward_pass() -> None:
    one = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert kept_bytes(one, (3,)) == 4 * (3 + 4)  # the inputs, and the hidden values once
    assert kept_bytes(one.double(), (3,)) == 8 * (3 + 4)
    assert kept_bytes(nn.Sequential(nn.Linear(3, 4), nn.Identity()), (3,)) == 4 * 3
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2))
    inputs, places, winners = 4 * 8 * 8, 4 * 2 * 6 * 6, 8 * 2 * 3 * 3
    assert kept_bytes(pooled, (1, 8, 8)) == inputs + places + winners


def test_memory_adds_up() -> None:
    found = cy.shapes(keras_demo(), (1, 28, 28))
    memory = found.memory(64, "adam")
    size = 4 * 121930
    assert (memory["parameters"], memory["gradients"], memory["optimizer"]) == (
        size,
        size,
        2 * size,
    )
    assert memory["activations"] == 64 * found.kept
    assert memory["total"] == sum(v for k, v in memory.items() if k != "total")
    assert found.memory(64, cy.optim.sgd(momentum=0.9))["optimizer"] == size
    frozen = keras_demo()
    frozen[0].requires_grad_(False)
    assert cy.shapes(frozen, (1, 28, 28)).memory()["gradients"] == size - 4 * 320
    with pytest.raises(UsageError, match="at least one row"):
        found.memory(0)
    with pytest.raises(UsageError, match="'adam'"):
        found.memory(1, "adm")


@pytest.mark.parametrize("name", sorted(registered("optimizer")))
def test_states_of_every_optimizer(name: str) -> None:
    known = {"sgd": 0, "bgd": 0, "nesterov": 1, "adagrad": 1, "rmsprop": 1, "adam": 2, "adamw": 2}
    known |= {"lbfgs": 200, "newton": 0}  # pairs of the last 100 steps; a Hessian for the moment
    found = states_of(part("optimizer", name))
    assert found == (0 if name in AT_ONCE else known[name])


# From a recipe, and from the command line


def test_models_of_a_recipe() -> None:
    for model in (
        "mlp",
        cy.models.mlp(hidden=(64,)),
        lambda shapes: nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, shapes.outputs)),
    ):
        assert cy.shapes(model, (20,), outputs=3).parameters == 20 * 64 + 64 + 64 * 3 + 3
    with pytest.raises(UsageError, match="'mlp'"):
        cy.shapes("mpl", (20,))
    with pytest.raises(InputError, match="fails on inputs"):
        cy.shapes(nn.Linear(3, 2), (4,))


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shapes", "lenet5", "--batch", "8", "--optimizer", "sgd"]) == 0
    text = capsys.readouterr().out
    assert "61,706" in text
    assert "416,520" in text
    assert "14 x 14" in text
    assert (
        "memory for batches of 8 with sgd: parameters 246.8 kB, gradients 246.8 kB, optimizer 0 B"
        in text
    )
    assert max(map(len, text.splitlines()[:-1])) <= 110
    assert main(["shapes", "mlp", "--input", "20", "--model.hidden", "8", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["parameters"] == 20 * 8 + 8 + 80 + 10
    assert answer["biases"] == 18
    assert answer["multiply_adds"] == 240
    assert answer["memory"]["optimizer"] == 2 * 4 * answer["parameters"]
    assert answer["layers"][1] == {
        "name": "1", "kind": "Linear", "output": [8], "units": 8, "parameters": 168, "biases": 8,
        "multiply_adds": 160, "receptive_field": None,
    }  # fmt: skip
    assert main(["shapes", "mlp", "--input", "20", "--batch", "0"]) == 2
    assert "at least one row" in capsys.readouterr().err
