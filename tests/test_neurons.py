"""One neuron, many, deep: what the course says of networks, by equality or by experiment."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LinearRegression, LogisticRegression
from torch import nn

import chymist as cy
from bench.attributes import pairs_of_digits, recalls
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.reports.pictures import enlarged, signed_bytes, tiled
from chymist.values import Split

NONE = np.array([], np.int64)
CORNERS = np.array(list(product((0.0, 1.0), repeat=2)))
XOR = np.array([0, 1, 1, 0])
NEURON = cy.models.mlp(hidden=())
EXACT = {"batch_size": "all", "precision": "float64", "schedule": "constant", "stop": "none"}


def all_rows(x: np.ndarray, y: np.ndarray, task: str) -> Split:
    data = cy.load((x, y), task=task)
    return Split(data, np.arange(len(data)), NONE, NONE, 0, "all rows")


def noisy_rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    return x, x @ [1.0, -2.0, 0.5, 0.0] + 3 + rng.normal(size=80)


# One neuron (S146, S147; claim C166)


def test_a_neuron_is_a_weighted_sum_a_bias_and_an_activation() -> None:
    layer = cy.models.logistic().build(cy.Shapes((3,), 1))[1].double()
    x = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)
    weights, bias = layer.weight.detach().numpy()[0], layer.bias.item()
    by_hand = 1 / (1 + np.exp(-(weights @ x.numpy()[0] + bias)))
    assert torch.sigmoid(layer(x)).item() == pytest.approx(by_hand, rel=1e-12)
    formula = "sigmoid(w0*x0 + w1*x1 + w2*x2 + b)"
    at = {f"w{i}": w for i, w in enumerate(weights)} | {f"x{i}": v for i, v in enumerate(x[0])}
    graph = cy.gradients.graph(formula, {**at, "b": bias})
    assert graph.value == pytest.approx(by_hand, rel=1e-12)
    slope = by_hand * (1 - by_hand)
    assert graph["w2"].gradient == pytest.approx(2.0 * slope)  # the input times the slope
    assert graph["b"].gradient == pytest.approx(slope)


def test_a_trained_neuron_without_activation_is_linear_regression() -> None:
    x, y = noisy_rows()
    rows = all_rows(x, y, "regression")
    rate = cy.optim.sgd(lr=0.2, momentum=0.5)
    recipe = cy.Recipe(model=NEURON, loss="mse", optimizer=rate, length="200 steps", **EXACT)
    descent = cy.fit(recipe, rows, doctor=False)
    solved = cy.fit(
        cy.Recipe(model="linear", optimizer="closed_form", precision="float64"), rows, doctor=False
    )
    for one, other in zip(descent.model.parameters(), solved.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-7, rtol=0)
    wanted = LinearRegression().fit(x, y).predict(x)
    np.testing.assert_allclose(descent.predictions.outputs.ravel(), wanted, atol=1e-6)


def test_a_trained_neuron_with_a_sigmoid_is_logistic_regression() -> None:
    x, y = noisy_rows()
    y = (y > y.mean()).astype(int)
    rows = all_rows(x, y, "classification")
    recipe = cy.Recipe(model=NEURON, loss="binary_cross_entropy", length="400 steps",
                       optimizer=cy.optim.sgd(lr=1.0, momentum=0.9), **EXACT)  # fmt: skip
    descent = cy.fit(recipe, rows, doctor=False)
    irls = cy.Recipe(model="logistic", optimizer=cy.optim.irls(l2=0.0), precision="float64")
    solved = cy.fit(irls, rows, doctor=False)
    for one, other in zip(descent.model.parameters(), solved.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    wanted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y).predict_proba(x)
    np.testing.assert_allclose(descent.predictions.outputs, wanted, atol=1e-4)


# Counting layers (S152), nesting (S159)


@pytest.mark.parametrize(
    ("model", "shape", "layers"),
    [
        (NEURON, (20,), 1),
        (cy.models.mlp(hidden=(8, 8)), (20,), 3),
        (cy.models.mlp(hidden=(8, 8), norm="batch", dropout=0.5), (20,), 3),
        ("lenet5", (1, 28, 28), 5),
        ("alexnet", (3, 227, 227), 8),
        ("vgg16", (3, 224, 224), 16),
        ("resnet18", (3, 64, 64), 18 + 3),  # and three projections
    ],
)
def test_layers_are_those_with_weights(model: object, shape: tuple[int, ...], layers: int) -> None:
    if shape[-1] > 64:  # nothing is calculated on the device "meta"
        with torch.device("meta"):
            model = getattr(cy.models, str(model))().build(cy.Shapes(shape, 10))
    assert cy.shapes(model, shape).weight_layers == layers


def test_the_command_counts_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shapes", "mlp", "--model.hidden", "8,8", "--input", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weight_layers"] == 3
    assert main(["shapes", "mlp", "--model.hidden", "8,8", "--input", "20"]) == 0
    assert "3 with weights" in capsys.readouterr().out


def test_depth_is_how_deeply_functions_are_nested() -> None:
    at = {"w1": 1.0, "w2": -2.0, "w3": 0.5, "x": 0.3}
    graph = cy.gradients.graph("tanh(w3 * tanh(w2 * tanh(w1 * x)))", at)
    assert graph.depth == 6
    assert graph.value == pytest.approx(np.tanh(0.5 * np.tanh(-2 * np.tanh(0.3))))
    flat = cy.gradients.graph("tanh(w1 * x) + tanh(w2 * x) + tanh(w3 * x)", at)
    assert flat.depth == 4  # a product, tanh, and two sums
    batch = torch.ones(2, 3), torch.zeros(2, 1)
    for hidden in ((), (4,), (4, 4, 4)):
        model = cy.models.mlp(hidden=hidden, activation="tanh").build(cy.Shapes((3,), 1))
        found = cy.gradients.model_graph(model, "mse", batch)
        assert found.depth == 2 * len(hidden) + 2  # each a product and tanh; the output; the loss
        products = [node for node in found.nodes if node.operation == "linear"]
        assert len(products) == len(hidden) + 1 == cy.shapes(model, (3,)).weight_layers


# Linear layers in a row (S157; claim C306)


def chain(widths: tuple[int, ...], seed: int = 0) -> nn.Sequential:
    model = cy.models.mlp(hidden=widths, activation="identity").build(cy.Shapes((6,), 4))
    return cy.models.initialize(model, seed=seed) or model


@given(st.lists(st.integers(1, 9), max_size=5), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_linear_layers_in_a_row_are_one(widths: list[int], seed: int) -> None:
    model = chain(tuple(widths), seed).double()
    weight, bias = torch.eye(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    for layer in model:
        if isinstance(layer, nn.Linear):
            weight, bias = layer.weight @ weight, layer.weight @ bias + layer.bias
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(model(x), x @ weight.T + bias, atol=1e-12, rtol=1e-12)
    slopes = cy.gradients.jacobian(model, x)
    np.testing.assert_allclose(slopes, np.broadcast_to(weight.detach(), slopes.shape), atol=1e-12)
    # a layer that is narrower than inputs and outputs leaves less than one layer has
    assert np.linalg.matrix_rank(slopes[0]) <= min([4, *widths])


def test_the_set_is_the_same_and_the_way_is_not() -> None:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(60, 6)))
    wanted = x @ torch.from_numpy(rng.normal(size=(6, 4)))
    deep = chain((8,)).double()
    first, last = deep[1], deep[3]
    with torch.no_grad():
        first.bias.zero_(), last.bias.zero_()
    one = nn.Linear(6, 4).double()
    with torch.no_grad():
        one.weight.copy_(last.weight @ first.weight), one.bias.zero_()
    assert torch.allclose(deep(x), one(x))  # one function at the start
    ways = []
    for model in (deep, one):
        optimizer = torch.optim.SGD(model.parameters(), 0.05)
        losses = []
        for _ in range(800):
            optimizer.zero_grad()
            loss = (model(x) - wanted).square().sum(1).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        ways.append(losses)
    assert ways[0][0] == pytest.approx(ways[1][0])
    assert abs(ways[0][10] / ways[1][10] - 1) > 0.2  # another way ...
    assert max(way[-1] for way in ways) < 1e-6  # ... to the same end


# XOR (S158; claims C086, C172, C214, C408)


def test_a_shared_point_proves_that_no_hyperplane_separates() -> None:
    found = cy.maths.common_point(CORNERS[XOR == 0], CORNERS[XOR == 1])
    np.testing.assert_allclose(found.point, [0.5, 0.5])
    with pytest.raises(InputError, match="a mixture of 2 of one class is one of 2 of the other"):
        cy.mistake_bound(CORNERS, XOR)
    for gate in ([0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0]):  # and, or, nand
        label = np.array(gate)
        assert cy.maths.common_point(CORNERS[label == 0], CORNERS[label == 1]) is None
        assert cy.mistake_bound(CORNERS, label).margin > 0


points = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=6)


@given(points, points)
@settings(max_examples=60, deadline=None)
def test_either_hulls_meet_or_a_hyperplane_separates(first: list, second: list) -> None:
    a, b = np.array(first, float), np.array(second, float)
    found = cy.maths.common_point(a, b)
    if found is None:
        labels = np.repeat([0, 1], [len(a), len(b)])
        assert cy.mistake_bound(np.vstack([a, b]), labels).margin > 0
        return
    for shares, rows in ((found.first, a), (found.second, b)):
        assert shares.min() >= 0
        assert shares.sum() == pytest.approx(1)
        np.testing.assert_allclose(shares @ rows, found.point, atol=1e-6)
    assert (found.first > 0).sum() + (found.second > 0).sum() <= 2 + 2


def test_points_that_make_no_sets_are_refused() -> None:
    for a, b in (([], [[1.0]]), ([[1.0]], [[1.0, 2.0]]), ([1.0], [2.0]), ([[np.nan]], [[1.0]])):
        with pytest.raises(InputError):
            cy.maths.common_point(a, b)


def test_distances_to_two_corners_separate_xor() -> None:
    anchors = np.array([[0.0, 0.0], [1.0, 1.0]])
    distances = np.linalg.norm(CORNERS[:, None] - anchors, axis=2)
    assert cy.maths.common_point(distances[XOR == 0], distances[XOR == 1]) is None
    rows = all_rows(np.tile(distances, (5, 1)), np.tile(XOR, 5), "classification")
    recipe = cy.Recipe(model="logistic", optimizer=cy.optim.irls(l2=0.01))
    assert cy.fit(recipe, rows, doctor=False).score.value == 1.0


def solved(width: int, activation: str, seeds: int) -> cy.verbs.populating.Population:
    model = cy.models.mlp(hidden=(width,), activation=activation)
    recipe = cy.Recipe(model=model, loss="binary_cross_entropy", batch_size="all", stop="none",
                       optimizer=cy.optim.adam(lr=0.05), schedule="constant",
                       length="400 steps")  # fmt: skip
    return cy.fit_population(recipe, all_rows(CORNERS, XOR, "classification"), seeds=seeds)


def test_two_hidden_units_learn_xor_from_some_starts_and_eight_from_nearly_all() -> None:
    assert all(score.value < 1 for score in solved(1, "tanh", 5).scores)
    narrow, wide = solved(2, "relu", 20), solved(8, "tanh", 10)
    right = [score.value == 1 for score in narrow.scores]
    assert 2 < sum(right) < 16
    assert sum(score.value == 1 for score in wide.scores) >= 9
    stuck = narrow.run(right.index(False))  # not on its way: there is no slope
    stuck.model.zero_grad()
    x = torch.from_numpy(stuck.preparation.inputs(CORNERS))
    y = torch.from_numpy(XOR)[:, None].float()
    nn.functional.binary_cross_entropy_with_logits(stuck.model(x), y).backward()
    assert max(p.grad.abs().max().item() for p in stuck.model.parameters()) < 0.01
    # what the hidden layer gives can be separated where the network has learned
    hidden = narrow.run(right.index(True)).model[:3](x).detach().numpy()
    assert cy.maths.common_point(hidden[XOR == 0], hidden[XOR == 1]) is None


# One hidden layer (S156; claims C146, C227)


@given(st.sampled_from(["sin", "exp", "cube"]), st.integers(1, 40), st.floats(-2, 1))
@settings(max_examples=30, deadline=None)
def test_a_built_layer_keeps_its_bound(name: str, units: int, low: float) -> None:
    high = low + 1.5
    function, curvature = {
        "sin": (lambda x: np.sin(3 * x), 9.0), "exp": (np.exp, np.exp(high)),
        "cube": (lambda x: x**3, 6 * max(abs(low), abs(high))),
    }[name]  # fmt: skip
    layer = cy.maths.relu_interpolation(function, low, high, units)
    x = np.linspace(low, high, 1001)
    knots = np.linspace(low, high, units + 1)
    np.testing.assert_allclose(layer(x), np.interp(x, knots, function(knots)), atol=1e-9)
    assert np.abs(layer(x) - function(x)).max() <= layer.bound(curvature) * (1 + 1e-9)


def test_a_built_layer_is_a_perceptron_and_a_parabola_meets_the_bound() -> None:
    layer = cy.maths.relu_interpolation(np.square, -1.0, 1.0, 8)
    model = cy.models.mlp(hidden=(8,)).build(cy.Shapes((1,), 1)).double()
    hidden, last = model[1], model[3]
    with torch.no_grad():
        hidden.weight.fill_(1.0), hidden.bias.copy_(-torch.from_numpy(layer.knots))
        last.weight.copy_(torch.from_numpy(layer.outputs)), last.bias.fill_(layer.constant)
    x = np.linspace(-1, 1, 641)
    np.testing.assert_allclose(model(torch.from_numpy(x)[:, None]).detach()[:, 0], layer(x))
    assert np.abs(layer(x) - x**2).max() == pytest.approx(layer.bound(2.0))
    for units, low in ((0, 0.0), (3, 1.0)):
        with pytest.raises(UsageError):
            cy.maths.relu_interpolation(np.square, low, 1.0, units)
    with pytest.raises(InputError, match="one finite value"):
        cy.maths.relu_interpolation(lambda x: 1 / x[x > 0], 0.0, 1.0, 4)


def tooth(x: np.ndarray) -> np.ndarray:
    """Two ReLU units: up from 0 to 1, and down again."""
    return 2 * np.maximum(0, x) - 4 * np.maximum(0, x - 0.5)


def test_depth_folds_what_one_layer_has_to_list() -> None:
    x = np.linspace(0, 1, 2**12 + 1)
    saw = x
    for depth in range(1, 7):
        saw = tooth(saw)
        pieces = 1 + int((np.abs(np.diff(saw, 2)) > 1e-9).sum())
        assert pieces == 2**depth  # of 2 units in each of the layers
        built = cy.maths.relu_interpolation(lambda t, saw=saw: np.interp(t, x, saw), 0, 1, pieces)
        assert np.abs(built(x) - saw).max() < 1e-9
        assert (np.abs(built.outputs) > 1e-9).sum() == pieces  # none of them is idle


# What units look for (S160)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> cy.Run:
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(16,)), length="20 epochs", stop="none")
    out = tmp_path_factory.mktemp("digits") / "run"
    return cy.fit(recipe, cy.split(cy.load("digits"), seed=0), out=out, doctor=False)


def test_weights_are_shown_as_they_are(digits_run: cy.Run, tmp_path: Path) -> None:
    shown = cy.show_weights(digits_run)
    weights = digits_run.model[1].weight.detach().double().numpy()
    assert np.array_equal(shown.weights, weights.reshape(16, 8, 8, 1))
    assert np.array_equal(cy.show_weights(digits_run.path).weights, shown.weights)
    # of all images of one length, a unit gives most for its weights
    unit = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    with torch.no_grad():
        unit[1].weight.copy_(torch.from_numpy(weights[:1]))
    best = cy.gradients.ascend(unit, torch.zeros(1, 1, 8, 8), radius=1.0, rate=10.0).inputs
    direction = shown.weights[0] / np.linalg.norm(shown.weights[0])
    np.testing.assert_allclose(best[0, 0], direction[..., 0], atol=1e-3)
    assert shown.sheet.shape[:2] == (3 * 66, 6 * 66)
    drawn = shown.save(tmp_path / "w.svg").read_text("utf-8")  # the same with captions
    assert drawn.count("<image") == 16
    assert "16 units of 8 x 8" in drawn
    assert "<image" in shown._repr_html_()


def test_the_command_draws_weights(
    digits_run: cy.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "w.png"
    assert main(["show", str(digits_run.path), "--weights", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == str(out)
    with Image.open(out) as picture:
        wanted = cy.show_weights(digits_run).sheet[..., 0]
        assert np.array_equal(np.asarray(picture), wanted)
    before = (digits_run.path / "model.safetensors").read_bytes()
    refused = {digits_run.path / "model.safetensors": 1, tmp_path / "w.svg": 2,
               tmp_path / "none" / "w.png": 1}  # fmt: skip
    for place, code in refused.items():
        assert main(["show", str(digits_run.path), "--weights", str(place)]) == code
        assert "--weights" in capsys.readouterr().err
    assert (digits_run.path / "model.safetensors").read_bytes() == before


def test_kernels_are_shown_and_other_models_refused() -> None:
    rows = cy.split(cy.load("digits"), seed=0)
    model = cy.models.cnn(channels=(6,), hidden=())
    run = cy.fit(cy.Recipe(model=model, length="2 steps"), rows, doctor=False)
    assert cy.show_weights(run).weights.shape == (6, 3, 3, 1)
    tree = cy.fit(cy.Recipe(model=cy.models.cart(max_depth=2)), rows, doctor=False)
    with pytest.raises(UsageError, match="no weights on pixels"):
        cy.show_weights(tree)
    table = cy.fit(cy.Recipe(model="mlp", length="2 steps"), cy.load("iris"), doctor=False)
    with pytest.raises(UsageError, match="images"):
        cy.show_weights(table)


def test_pictures_of_weights_keep_signs_and_places() -> None:
    weights = np.zeros((3, 2, 2, 1))
    weights[0, 0, 1], weights[1, 1, 0] = 5.0, -0.1
    grey = signed_bytes(weights)
    assert grey[0, 0, 1, 0] == 255
    assert grey[1, 1, 0, 0] == 0  # each unit by its own largest weight
    assert (grey[2] == 128).all()
    sheet = tiled(grey, columns=2, gap=1)
    assert sheet.shape == (6, 6, 1)
    assert sheet[0, 1, 0] == 255
    assert sheet[1, 3, 0] == 0
    assert (sheet[3:5, :2] == 128).all()
    assert (sheet[3:, 3:] == 255).all()  # no fourth picture
    assert enlarged(grey, least=5).shape == (3, 4, 4, 1)
    assert signed_bytes(np.ones((1, 2, 2, 5))).shape == (1, 2, 2, 1)


def between_classes(run: cy.Run, model: nn.Module) -> np.ndarray:
    """Share of the variance of each hidden unit that lies between the classes."""
    inputs = torch.from_numpy(run.preparation.inputs(run.data.inputs))
    hidden, classes = model[:3](inputs).detach().numpy(), run.data.targets
    means = np.stack([hidden[classes == c].mean(0) for c in range(10)])
    return means[classes].var(0) / np.maximum(hidden.var(0), 1e-12)


def test_units_of_a_trained_layer_tell_classes_apart_and_one_is_not_enough(
    digits_run: cy.Run,
) -> None:
    fresh = cy.models.mlp(hidden=(16,)).build(cy.Shapes((1, 8, 8), 10))
    cy.models.initialize(fresh, seed=0)
    trained = between_classes(digits_run, digits_run.model)
    assert np.median(trained) > np.median(between_classes(digits_run, fresh)) + 0.1
    recipe = digits_run.recipe.replace(model=cy.models.mlp(hidden=(1,)))
    one = cy.fit(recipe, digits_run.split, doctor=False)
    assert one.score.value < 0.6 < 0.9 < digits_run.score.value


# The shape of a network (S153)


def test_the_shape_of_a_network_is_asked_of_the_data() -> None:
    rng = np.random.default_rng(0)
    angle, inner = rng.uniform(0, 2 * np.pi, 120), np.arange(120) % 2
    radius = 1.5 - inner + rng.normal(0, 0.1, 120)
    rings = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    data = cy.load((rings, inner), task="classification")
    recipe = cy.Recipe(model="mlp", length="30 epochs")
    curve = cy.validation_curve(recipe, data, "model.hidden", [(1,), (16,)], folds=3)
    assert curve.best == (16,)
    assert "1 underfits (worse on training rows too)" in curve.verdict
    # narrowing, even and widening, of as many parameters: none is better here
    shapes = {"46-24-12": (46, 24, 12), "32-32-32": (32, 32, 32), "16-34-64": (16, 34, 64)}
    models = {name: cy.models.mlp(hidden=hidden) for name, hidden in shapes.items()}
    counts = [cy.shapes(model, (1, 8, 8), 10).parameters for model in models.values()]
    assert max(counts) / min(counts) < 1.02
    recipes = {name: recipe.replace(model=model) for name, model in models.items()}
    assert "cannot tell" in cy.compare(recipes, data, folds=3, seeds=1).verdict


# Basic classifiers first (S155; claims C136, C226)


def test_pairs_of_digits_share_no_writing() -> None:
    rows, pairs, training = pairs_of_digits(0, (5, 5, 5, 2))
    assert rows.shape == (17 + 1000, 128)
    assert training == 17
    assert np.bincount(pairs[:training] @ [2, 1]).tolist() == [5, 5, 5, 2]
    halves = rows.reshape(-1, 8, 16)
    for half in (halves[..., :8], halves[..., 8:]):
        known = {image.tobytes() for image in half[:training]}
        assert not known & {image.tobytes() for image in half[training:]}


def test_attributes_that_are_shared_help_the_class_with_few_rows() -> None:
    mean = recalls(draw=0, few=4)
    assert mean["attributes"] > mean["direct, balanced"] + 0.1 > mean["direct"] + 0.1
    assert mean["odd attributes"] < 0.3  # it is not the number of networks
