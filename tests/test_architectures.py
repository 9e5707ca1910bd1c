"""Known architectures: parameters as in the papers, shapes, files, members of a population."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch import nn
from torch.nn import functional

import chymist as cy
from chymist.errors import UsageError
from chymist.models import build_model
from chymist.models.blocks import RadialOutput, Subsample
from chymist.models.lenet import FOURS, THREES
from chymist.models.stacked import stack
from chymist.models.stacked_parts import Stacked
from chymist.parts import Part
from chymist.values import Shapes
from tests.test_population import RECIPE, check_equal, runs_of

models = cy.models
MNIST, CIFAR, IMAGENET = (
    Shapes((1, 28, 28), 10),
    Shapes((3, 32, 32), 10),
    Shapes((3, 224, 224), 1000),
)
COUNTS: list[tuple[Part, Shapes, int]] = [
    (models.keras_cnn(), MNIST, 34_826),
    (models.keras_cnn(hidden=(64,), dropout=0), MNIST, 121_930),
    (models.lenet5(), MNIST, 61_706),
    (models.lenet5_1998(), MNIST, 60_000),
    (models.lenet5_1998(output="dense"), MNIST, 60_850),
    (models.alexnet(), Shapes((3, 227, 227), 1000), 60_965_224),
    (models.vgg16(), IMAGENET, 138_357_544),
    (models.vgg16_small(), CIFAR, 14_724_042),
    (models.network_in_network(), CIFAR, 966_986),
    (models.resnet18(), IMAGENET, 11_689_512),
    (models.resnet50(), IMAGENET, 25_557_032),
    (models.resnet18(), CIFAR, 11_173_962),
    (models.resnet20(), CIFAR, 269_722),
    (models.resnet32(), CIFAR, 464_154),
]  # fmt: skip
# Small forms of each, with inputs that leave little.
WORDS = Shapes((7,), 3, (), 11)
CASES: dict[str, tuple[Part, Shapes]] = {
    "keras_cnn": (models.keras_cnn(), Shapes((1, 10, 10), 3)),
    "lenet5_1998": (models.lenet5_1998(), Shapes((1, 12, 12), 3)),
    "alexnet": (models.alexnet(hidden=(8,)), Shapes((1, 67, 67), 3)),
    "alexnet_small": (models.alexnet_small(width=4, hidden=(8,)), Shapes((2, 15, 17), 3)),
    "vgg16": (models.vgg16(width=4, hidden=(16,), dropout=0.1), Shapes((1, 32, 32), 3)),
    "vgg16_small": (models.vgg16_small(width=2, hidden=(8,)), Shapes((1, 32, 32), 3)),
    "network_in_network": (models.network_in_network(width=6), Shapes((1, 5, 6), 3)),
    "resnet18": (models.resnet18(width=2), Shapes((1, 9, 9), 3)),
    "resnet18-large": (models.resnet18(width=2, stem="large"), Shapes((1, 9, 9), 3)),
    "resnet50": (models.resnet50(width=2), Shapes((1, 8, 8), 3)),
    "resnet20": (models.resnet20(width=3), Shapes((2, 7, 8), 3)),
    "resnet32": (models.resnet32(width=2), Shapes((1, 6, 6), 3)),
    "highway": (models.highway(width=8, depth=3), Shapes((5,), 3)),
    "cnn1d": (models.cnn1d(channels=(4, 5), kernel=4, dilation=2), Shapes((9, 2), 3)),
    "text_cnn": (models.text_cnn(channels=4, kernels=(2, 3), embedding=5), WORDS),
    "grid_gcn": (models.grid_gcn(hidden=(4, 3)), Shapes((2, 5, 6), 3)),
    "grid_gcn-steps": (models.grid_gcn(hidden=(4,), readout="mean"), Shapes((7, 2), 3)),
    "row_rnn": (models.row_rnn(hidden=(4,), bidirectional=True), Shapes((2, 5, 6), 3)),
    "cnn-options": (models.cnn(channels=(4, 6), kernel=5, dilation=2, groups=2, stride=2,
                               pooling="average", hidden=()), Shapes((1, 20, 20), 3)),
}  # fmt: skip


def inputs_of(shapes: Shapes, rows: int = 6, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if shapes.vocabulary:
        return torch.randint(0, shapes.vocabulary, (rows, *shapes.inputs), generator=generator)
    return torch.randn((rows, *shapes.inputs), generator=generator, dtype=dtype)


@pytest.mark.parametrize(("model", "shapes", "expected"), COUNTS, ids=lambda v: str(v)[:24])
def test_parameters_are_those_of_the_papers(model: Part, shapes: Shapes, expected: int) -> None:
    with torch.device("meta"):
        built = model.build(shapes)
        outputs = built.eval()(torch.zeros(2, *shapes.inputs))
    assert sum(p.numel() for p in built.parameters()) == expected
    assert outputs.shape == (2, shapes.outputs)


@pytest.mark.parametrize("name", CASES)
def test_gradients_determinism_and_files(name: str) -> None:
    model, shapes = CASES[name]
    built, again, other = (build_model(model, shapes, seed) for seed in (0, 0, 1))
    inputs = inputs_of(shapes)
    outputs = built(inputs)
    assert outputs.shape == (6, 3)
    functional.cross_entropy(outputs, torch.arange(6) % 3).backward()
    for parameter_name, parameter in built.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
    pairs = list(zip(again.parameters(), other.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in pairs)
    other.load_state_dict(load(save({k: v.clone() for k, v in built.state_dict().items()})))
    assert torch.equal(built.eval()(inputs), other.eval()(inputs))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_a_member_of_a_population_is_what_it_is_alone(name: str, training: bool) -> None:
    model, shapes = CASES[name]
    members = [build_model(model, shapes, seed).double().train(training) for seed in range(3)]
    inputs = inputs_of(shapes, 15, torch.float64).view(3, 5, *shapes.inputs)
    together = stack(members).train(training)
    outputs = together(inputs)
    outputs.square().sum().backward()
    found = {
        f"{prefix}.{name}": layer.plain(name, p.grad)
        for prefix, layer in together.named_modules() if isinstance(layer, Stacked)
        for name, p in layer.named_parameters(recurse=False)
    }  # fmt: skip
    for place, member in enumerate(members):
        alone = member(inputs[place])
        torch.testing.assert_close(outputs[place], alone)
        alone.square().sum().backward()
        for parameter_name, parameter in member.named_parameters():
            torch.testing.assert_close(found[parameter_name][place], parameter.grad)


@pytest.mark.parametrize("model", [models.resnet20(width=2), models.highway(width=6, depth=2)])
def test_populations_train_them_as_the_loop_does(model: Part) -> None:
    recipe = RECIPE.replace(model=model, length="12 steps")
    check_equal(lambda: runs_of(recipe, "image"))


def test_table_one_of_the_paper_on_lenet() -> None:
    columns = ["0 4 5 6 9 10 11 12 14 15", "0 1 5 6 7 10 11 12 13 15", "0 1 2 6 7 8 11 13 14 15",
               "1 2 3 6 7 8 9 12 14 15", "2 3 4 7 8 9 10 12 13 15",
               "3 4 5 8 9 10 11 13 14 15"]  # fmt: skip
    sets = [*THREES, *FOURS, tuple(range(6))]
    for seen, column in enumerate(columns):
        assert {n for n, one in enumerate(sets) if seen in one} == {*map(int, column.split())}
    assert sum(map(len, sets)) == 60


def test_maps_of_c3_see_their_own_maps_of_s2_only() -> None:
    built = build_model(models.lenet5_1998(), MNIST, 0)
    layer = next(m for m in built if type(m).__name__ == "Beside")
    inputs = torch.randn(1, 6, 14, 14, requires_grad=True)
    for place, one in enumerate([*THREES, *FOURS, tuple(range(6))]):
        (gradient,) = torch.autograd.grad(layer(inputs)[0, place].sum(), inputs)
        assert tuple(np.flatnonzero(gradient[0].abs().sum((1, 2)).numpy())) == tuple(sorted(one))


@given(st.integers(1, 9), st.integers(2, 6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_radial_outputs_are_distances(features: int, classes: int, seed: int) -> None:
    layer = RadialOutput(features, classes).double()
    inputs = torch.from_numpy(np.random.default_rng(seed).normal(size=(4, features)))
    expected = -((inputs[:, None] - layer.codes) ** 2).sum(2) / 2
    torch.testing.assert_close(layer(inputs), expected)
    assert set(layer.codes.unique().tolist()) <= {-1.0, 1.0}


def test_a_shortcut_without_parameters_by_hand() -> None:
    image = torch.arange(18.0).view(1, 2, 3, 3)
    made = Subsample(2, 2)(image)
    assert made[0, :, 0, 0].tolist() == [0, 0, 9, 0]
    assert made[0, 1].tolist() == [[0, 2], [6, 8]]


def test_a_block_of_a_residual_network_by_hand() -> None:
    built = build_model(models.resnet20(width=3), Shapes((1, 6, 6), 3), 0).eval()
    block: Any = built[3]
    inputs = torch.randn(2, 3, 6, 6)
    body = block.body
    made = body[4](body[3](body[1](body[0](inputs)).relu()))
    torch.testing.assert_close(block(inputs), made + inputs)


def test_a_highway_of_closed_gates_lets_everything_pass() -> None:
    closed, opened = (
        build_model(models.highway(width=8, depth=4, gate_bias=bias), Shapes((5,), 3), 0)
        for bias in (-80.0, 80.0)
    )
    inputs = torch.randn(4, 5)
    first = closed[:3](inputs)
    torch.testing.assert_close(closed(inputs), closed[-1](first))
    for layer in opened[3:-1]:
        first = layer.transform(first)
    torch.testing.assert_close(opened(inputs), opened[-1](first))


def test_words_that_fill_a_text_up_change_nothing() -> None:
    short, long = (
        build_model(models.text_cnn(), Shapes((steps,), 2, (), 9), 3).eval() for steps in (4, 12)
    )
    tokens = torch.tensor([[3, 1, 8, 2], [5, 6, 0, 0], [0, 0, 0, 0]])
    torch.testing.assert_close(short(tokens), long(functional.pad(tokens, (0, 8))))


def test_sequences_and_texts_are_learned() -> None:
    generator = np.random.default_rng(0)
    waves = generator.normal(size=(90, 20, 2))
    classes = generator.integers(0, 2, 90)
    waves[classes == 1, 5:9] += 3
    texts = [" ".join(generator.choice(["a", "b", "c"], n)) for n in generator.integers(1, 9, 90)]
    found = np.array(["good" if "b" in text else "bad" for text in texts])
    words = np.array(texts, object)
    for model, data in (
        (models.cnn1d(channels=(8, 8)), cy.load((waves, classes), kind="sequence")),
        (models.text_cnn(channels=8, embedding=8), cy.load((words, found), kind="text")),
    ):
        recipe = cy.Recipe(model=model, length="30 epochs", batch_size=16,
                           optimizer=cy.optim.adam(lr=0.02))  # fmt: skip
        run = cy.fit(recipe, cy.split(data, seed=0), seed=0, doctor=False)
        assert run.score.value > 0.85, model


def test_options_of_a_cnn() -> None:
    built = models.cnn(channels=(4, 8), kernel=5, groups=2, dilation=2, padding="valid",
                       pooling="none", hidden=()).build(Shapes((1, 28, 28), 3))  # fmt: skip
    first, second = (m for m in built if isinstance(m, nn.Conv2d))
    assert (first.groups, second.groups, second.dilation, second.kernel_size) == (
        1,
        2,
        (2, 2),
        (5, 5),
    )
    assert built[-1].in_features == 8 * 12 * 12  # 28 - 8 - 8
    assert [type(m) for m in models.cnn(pooling="average").build(MNIST)].count(nn.AvgPool2d) == 3


@pytest.mark.parametrize(
    ("model", "shapes", "message"),
    [
        (models.vgg16(), MNIST, "too small"),
        (models.alexnet(), CIFAR, "too small"),
        (models.keras_cnn(), Shapes((1, 8, 8), 10), "too small"),
        (models.lenet5_1998(), Shapes((1, 8, 8), 10), "too small"),
        (models.alexnet(groups=3), IMAGENET, "groups"),
        (models.cnn(groups=3), MNIST, "groups"),
        (models.cnn(kernel=31, padding="valid"), MNIST, "leave nothing"),
        (models.cnn(shared=False, stride=2), MNIST, "not shared"),
        (models.resnet18(), Shapes((5,), 2), "needs images"),
        (models.cnn1d(), MNIST, "several steps"),
        (models.cnn1d(), WORDS, "text_cnn"),
        (models.text_cnn(), Shapes((9, 2), 3), "cnn1d"),
        (models.text_cnn(), WORDS._replace(each_step=True), "one output"),
    ],
)  # fmt: skip
def test_shapes_and_options_that_do_not_suit(model: Part, shapes: Shapes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.build(shapes)


@pytest.mark.parametrize("model", [models.keras_cnn(), models.resnet20(width=4)])
def test_they_are_fitted_resumed_and_read_again(model: Part, tmp_path) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 200, (120, 12, 12, 1)).astype(np.uint8)
    labels = generator.integers(0, 2, 120)
    images[labels == 1, :6] //= 4
    split = cy.split(cy.load((images, labels)), seed=0)
    recipe = cy.Recipe(model=model, length="8 epochs", batch_size=16)
    run = cy.fit(recipe, split, seed=0, out=tmp_path / "run", doctor=False)
    assert run.score.value > 0.9
    again = cy.predict(tmp_path / "run", images[split.valid])
    names = np.array(run.data.classes)[run.predictions.labels]
    assert (np.asarray(again).astype(str) == names).all()
