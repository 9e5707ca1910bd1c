"""What a unit of a layer sees: exactly where its gradient with respect to the input is not zero."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist import models
from chymist.cli import main
from chymist.data.graphs import graph_inputs, graph_of
from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.parts import Part
from chymist.values import Shapes

Shape = tuple[int, ...]
SMOOTH = models.cnn(channels=(3, 4), hidden=(5,), pooling="average", activation="tanh", norm="none",
                    dropout=0.0)  # fmt: skip
CASES: dict[str, tuple[Part, Shape]] = {
    "dnn": (models.mlp(hidden=(6, 5), activation="tanh"), (12,)),
    "cnn": (SMOOTH, (1, 11, 9)),
    "cnn-dilated": (SMOOTH.replace(dilation=2, stride=2, pooling="none"), (2, 13, 13)),
    "max-pooling": (models.cnn(channels=(3, 4), hidden=(), dropout=0.0), (1, 10, 10)),
    "cnn1d": (models.cnn1d(channels=(3, 4), kernel=3), (15, 2)),
    "rnn": (models.rnn(hidden=(5,)), (9, 2)),
    "lstm-both-ways": (models.lstm(hidden=(4,), bidirectional=True), (7, 2)),
    "row-rnn": (models.row_rnn(hidden=(5,)), (1, 7, 6)),
    "gcn": (models.grid_gcn(hidden=(4, 4)), (1, 9, 9)),
    "transposed": (models.conv_autoencoder(channels=(3, 4), code=0), (1, 8, 8)),
}


def by_gradients(model: nn.Module, shape: Shape, tries: int = 60) -> dict[str, np.ndarray]:
    """Where the gradient of the middle unit of each layer is not zero, for any of some inputs."""
    found: dict[str, np.ndarray] = {}
    kept: dict[str, torch.Tensor] = {}

    def note(name: str) -> object:
        def hook(module: nn.Module, given: object, output: object) -> None:
            kept.setdefault(name, output[0] if isinstance(output, tuple) else output)  # type: ignore[arg-type]

        return hook

    for name, module in model.named_modules():
        if not any(module.children()) and not isinstance(module, nn.Flatten | nn.Unflatten):
            module.register_forward_hook(note(name))  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    for _ in range(tries):
        kept.clear()
        inputs = 3 * torch.randn(1, *shape, generator=generator, dtype=torch.float64)
        model(inputs.requires_grad_())
        for name, made in kept.items():
            middle = made[(0, *((n - 1) // 2 for n in made.shape[1:]))]
            (slope,) = torch.autograd.grad(middle, inputs, retain_graph=True, allow_unused=True)
            there = torch.zeros(shape) if slope is None else slope[0].abs()
            there = there.sum(0) if len(shape) == 3 else there.sum(1) if len(shape) == 2 else there
            found[name] = found.get(name, False) | (there > 0).numpy()
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_unit_sees_exactly_what_its_gradient_says(name: str) -> None:
    part, shape = CASES[name]
    outputs = math.prod(shape) if part.name == "conv_autoencoder" else 3
    model = build_model(part, Shapes(shape, outputs), 0).double().eval()
    told = cy.receptive_fields(model, shape)
    wanted = by_gradients(model, shape)
    assert len(told.rows) == len(wanted)
    for row in told.rows:
        np.testing.assert_array_equal(row.sees, wanted[row.name], err_msg=row.name)


@pytest.mark.parametrize("model", ["lenet5", "cnn", "keras_cnn"])
def test_away_from_the_border_it_is_the_field_that_the_calculator_gives(model: str) -> None:
    own = {row.name: row for row in cy.receptive_fields(model, (1, 28, 28)).rows}
    compared = 0
    for row in cy.shapes(model, (1, 28, 28)).rows:
        field = row.receptive_field
        if not isinstance(field, tuple) or len(field) != 2 or max(field) > 14:
            continue
        if len(row.output_shape) == 3 and row.name in own:
            assert own[row.name].extent == field, row.name
            compared += 1
    assert compared >= 4


def test_fields_of_the_four_families() -> None:
    image = (1, 15, 15)
    dense = cy.receptive_fields(models.mlp(hidden=(4,)), image)
    assert [row.places for row in dense.rows if row.kind == "Linear"] == [225, 225]
    graph = cy.receptive_fields(models.grid_gcn(hidden=(2, 2, 2)), image)
    hops = [row.extent for row in graph.rows if row.kind == "Neighborhood"]
    assert hops == [(3, 3), (5, 5), (7, 7)]
    steps = cy.receptive_fields(models.gru(hidden=(3,)), (9, 2))
    assert steps.rows[1].sees.tolist() == [True] * 5 + [False] * 4  # up to its own, the fifth
    conv = cy.receptive_fields("lenet5", (1, 28, 28))
    sizes = [row.places for row in conv.rows]
    assert sizes == sorted(sizes)
    assert len(conv.growing) < len(conv.rows)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_graph_network_sees_the_nodes_within_as_many_edges_as_layers(layers: int) -> None:
    random = np.random.default_rng(layers)
    near = np.triu(random.random((14, 14)) < 0.13, 1)
    near |= near.T
    features = random.random((14, 2))
    known = graph_inputs(graph_of(14, np.argwhere(near), features=features), scale="none")
    values = known.features.clone().requires_grad_()  # type: ignore[union-attr]
    part = models.gcn(hidden=(4,) * (layers - 1), dropout=0.0)
    model = build_model(part, Shapes((1,), 3, graph=replace(known, features=values)), 0).eval()
    reached = np.linalg.matrix_power(near + np.eye(14), layers) > 0
    for node in range(14):
        (slope,) = torch.autograd.grad(model(torch.tensor([[node]])).sum(), values)
        seen = (slope.abs().sum(1) > 0).numpy()
        assert not (seen & ~reached[node]).any()
        if layers == 1:  # without ReLU nothing is lost
            np.testing.assert_array_equal(seen, reached[node])


def test_a_run_is_looked_at_as_it_is() -> None:
    split = cy.split(cy.load("digits"), seed=0)
    run = cy.fit(cy.Recipe(model=models.cnn(channels=(3,), hidden=()), length="3 steps"), split)
    found = cy.receptive_fields(run)
    assert found.input_shape == (1, 8, 8)
    assert found.rows[0].extent == (3, 3)
    assert all(parameter.dtype == torch.float32 for parameter in run.model.parameters())
    assert not run.model[0]._forward_hooks


def test_the_picture_and_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["shapes", "lenet5", "--fields", "f.svg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == "f.svg"
    drawn = (tmp_path / "f.svg").read_text("utf-8")
    assert all(said in drawn for said in (">Conv2d<", ">sees 5 x 5<", ">Linear<", ">sees all<"))
    assert main(["shapes", "lenet5", "--fields", "f.png"]) == 2
    assert main(["shapes", "lenet5", "--input", "3x65x65", "--fields", "v.svg"]) == 2
    assert "16 of 784" not in str(cy.receptive_fields("lenet5", (1, 28, 28)))
    assert "36 of 784" in str(cy.receptive_fields("lenet5", (1, 28, 28)))


def test_what_has_no_fields_is_refused() -> None:
    with pytest.raises(UsageError, match="too many places"):
        cy.receptive_fields("cnn", (3, 65, 65))
    with pytest.raises(UsageError, match="not a shape"):
        cy.receptive_fields("cnn")
    with pytest.raises(InputError, match="fails on inputs"):
        cy.receptive_fields(nn.Linear(3, 2), (4,))
