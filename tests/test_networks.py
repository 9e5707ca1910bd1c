"""What networks assume: equal size, shuffled places, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import chymist as cy
from chymist import models
from chymist.cli import main
from chymist.data.graphs import graph_inputs, graph_of
from chymist.errors import UsageError
from chymist.models import build_model
from chymist.models.blocks import Reordered
from chymist.models.budget import parameters_of
from chymist.models.counting import count_fitted
from chymist.models.grids import Neighborhood
from chymist.values import Data, Shapes
from chymist.verbs.networks import FAMILIES

IMAGE, SERIES = Shapes((1, 8, 8), 10), Shapes((20, 3), 2)


def touching(height: int, width: int) -> np.ndarray:
    """Which pixels touch, with themselves, by their distance."""
    places = np.stack(np.unravel_index(np.arange(height * width), (height, width)), 1)
    return (np.abs(places[:, None] - places[None]).max(2) <= 1).astype(float)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6))
def test_a_step_on_the_grid_is_the_renormalised_adjacency(height: int, width: int) -> None:
    near = touching(height, width)
    root = sparse.diags_array(near.sum(1) ** -0.5)
    values = torch.randn(2, 3, height, width, dtype=torch.float64)
    made = Neighborhood(height, width).double()(values).flatten(2)
    wanted = values.flatten(2).numpy() @ (root @ near @ root)
    np.testing.assert_allclose(made.numpy(), wanted, atol=1e-5)  # the root is kept in float32


def test_a_grid_network_is_the_graph_network_of_its_pixels() -> None:
    """One layer of `grid_gcn` beside `gcn` on the graph of the same pixels."""
    pixels = torch.rand(1, 2, 4, 5)
    near = touching(4, 5) - np.eye(20)
    features = pixels[0].flatten(1).T.numpy()
    graph = graph_inputs(graph_of(20, np.argwhere(near), features=features), scale="none")
    plain = build_model(models.gcn(hidden=(), dropout=0), Shapes((1,), 3, graph=graph), 0).eval()
    grid = build_model(models.grid_gcn(hidden=(3,)), Shapes((2, 4, 5), 10), 0)
    layer = plain.layers[0]  # type: ignore[index, union-attr]
    with torch.no_grad():
        grid[1].weight.copy_(layer.linear.weight[:, :, None, None])  # type: ignore[index, union-attr]
        grid[1].bias.copy_(layer.bias)  # type: ignore[index, union-attr]
        made = grid[:2](pixels)[0].flatten(1).T  # type: ignore[index]
        wanted = plain(torch.arange(20)[:, None])
    torch.testing.assert_close(made, wanted, rtol=1e-4, atol=1e-5)


def test_a_graph_network_does_not_know_left_from_right_and_a_convolution_does() -> None:
    images = torch.rand(3, 1, 8, 8)
    grid = build_model(models.grid_gcn(hidden=(4, 4), readout="mean"), IMAGE, 0).eval()
    turned = [images, images.flip(3), images.flip(2), images.transpose(2, 3)]
    with torch.no_grad():
        for other in turned[1:]:
            torch.testing.assert_close(grid(other), grid(images), rtol=1e-4, atol=1e-5)
        conv = build_model(models.cnn(channels=(4,), hidden=(), dropout=0.0), IMAGE, 0).eval()
        assert (conv(turned[1]) - conv(images)).abs().max() > 1e-3


def test_rows_of_an_image_are_the_steps_of_a_recurrent_network() -> None:
    images = torch.rand(3, 2, 5, 4)
    model = build_model(models.row_rnn(cell="lstm", hidden=(6,)), Shapes((2, 5, 4), 3), 0)
    plain = model[1]  # type: ignore[index]
    steps = torch.stack([images[:, :, row].flatten(1) for row in range(5)], 1)
    with torch.no_grad():
        assert torch.equal(model(images), plain(steps))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 4), (9, 2)])
def test_places_are_shuffled_alike_and_come_back(shape: tuple[int, ...]) -> None:
    values = torch.rand(4, *shape)
    layer = Reordered(shape)
    made = layer(values)
    back = Reordered(shape, torch.argsort(layer.order).tolist())
    assert not torch.equal(made, values)
    assert torch.equal(back(made), values)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("shapes", "budget"), [(IMAGE, 4810), (SERIES, 3000)])
def test_no_other_width_comes_nearer_to_a_number_of_parameters(
    name: str, shapes: Shapes, budget: int
) -> None:
    family = FAMILIES[name].image if shapes is IMAGE else FAMILIES[name].steps
    found = models.sized(family, shapes, budget)
    counted = count_fitted(build_model(found, shapes, 0))
    assert counted == parameters_of(found, shapes)
    others = [parameters_of(family(width), shapes) for width in range(1, 100)]
    assert abs(counted - budget) == min(abs(other - budget) for other in others)
    assert abs(counted - budget) < 0.12 * budget


def test_a_number_of_parameters_that_no_width_has_is_refused() -> None:
    with pytest.raises(UsageError, match="no width has about so many"):
        models.sized(FAMILIES["DNN"].image, IMAGE, 20)


def images_of_neighbors(rows: int = 300) -> Data:
    """Which of two pictures has its bright dots side by side: only neighbourhood tells."""
    random = np.random.default_rng(0)
    pictures = np.zeros((rows, 8, 8, 1), np.float32)
    classes = np.arange(rows) % 2
    for picture, kind in zip(pictures, classes, strict=True):
        x, y = random.integers(0, 7, 2)
        picture[x, y] = 1
        if kind:
            picture[x, y + 1] = 1
        else:
            picture[(x + random.integers(2, 6)) % 8, random.integers(0, 8)] = 1
    return cy.load((pictures, classes))


@pytest.fixture(scope="module")
def found() -> cy.verbs.NetworkComparison:  # type: ignore[name-defined]
    short = cy.Recipe(length="25 epochs")
    return cy.compare_networks(images_of_neighbors(), ["DNN", "CNN"], 3, 1, recipe=short)


def test_a_convolution_gains_from_neighbours_and_a_perceptron_does_not(found) -> None:  # type: ignore[no-untyped-def]
    dense, conv = found.rows
    assert conv.gains
    assert conv.gain[1] > 0.05
    assert not dense.gains
    assert dense.gain[1] < 0 < dense.gain[2]
    assert found.verdict.startswith("CNN (")
    assert "gains from the order of the pixels; none shows for DNN" in found.verdict
    assert [round(row.natural.value - row.shuffled.value, 9) for row in found.rows] == [
        pytest.approx(row.gain[0], abs=1e-6) for row in found.rows
    ]


def test_what_is_told_draws_and_is_json(found, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    told = json.loads(json.dumps(found.to_dict()))
    assert [row["name"] for row in told["rows"]] == ["DNN", "CNN"]
    assert told["rows"][1]["gains"]
    assert len(found.reasons) == 2
    place = found.save(tmp_path / "networks.svg")
    assert "CNN, shuffled" in place.read_text("utf-8")
    with pytest.raises(UsageError, match=r"ends in \.svg"):
        found.save(tmp_path / "networks.png")
    assert "<svg" in found._repr_html_()


def test_steps_of_sequences_are_shuffled_too() -> None:
    random = np.random.default_rng(1)
    walks = random.normal(size=(60, 12, 2)).cumsum(1)
    data = cy.load((walks, (walks[:, -1, 0] > 0).astype(int)), kind="sequence")
    short = cy.Recipe(length="2 epochs")
    made = cy.compare_networks(data, folds=2, seeds=1, parameters=600, recipe=short)
    assert [row.name for row in made.rows] == ["DNN", "CNN", "RNN", "GCN"]
    assert all(500 < row.parameters < 700 for row in made.rows)
    assert "steps" in made.verdict


def test_rows_without_places_and_unknown_networks_are_refused() -> None:
    with pytest.raises(UsageError, match="no neighbours"):
        cy.compare_networks(cy.load("wine"))
    with pytest.raises(UsageError, match="unknown network"):
        cy.compare_networks(cy.load("digits"), ["CMN"])
    with pytest.raises(UsageError, match="no list of different networks"):
        cy.compare_networks(cy.load("digits"), "CNN")
    texts = cy.load((np.array(["a b", "c d"] * 10, dtype=object), np.arange(20) % 2), kind="text")
    with pytest.raises(UsageError, match="measured numbers"):
        cy.compare_networks(texts)


def test_the_command_says_it_and_draws_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["networks", "digits", "--networks", "DNN,RNN", "--folds", "2", "--seeds", "1"]
    words += ["--rows", "100", "--length", "2 epochs", "--parameters", "1500", "--out", "n.svg"]
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["picture"] == "n.svg"
    assert told["used"] == 100
    assert [row["name"] for row in told["rows"]] == ["DNN", "RNN"]
    assert (tmp_path / "n.svg").read_text("utf-8").startswith("<svg")
    assert main([*words[:2], "--out", "n.png"]) == 2
    assert main([*words[:2], "--rows", "0"]) == 2


@pytest.mark.parametrize("asked", [["DNN", "DNN"], [], "DNN"])
def test_networks_are_a_list_of_different_ones(asked: object) -> None:
    with pytest.raises(UsageError, match="no list of different networks"):
        cy.compare_networks(cy.load("digits"), asked)  # type: ignore[arg-type]
