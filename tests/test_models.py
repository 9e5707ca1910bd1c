"""One contract for all function sets: shapes, gradients, determinism, save and load, one batch."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

import chymist as cy
from chymist.engine.defaults import TREES
from chymist.errors import InputError, UsageError
from chymist.losses import FORMS
from chymist.models import Dropout, Residual, build_model
from chymist.parts import Part, part, registered
from chymist.values import Shapes

IMAGE = Shapes((1, 28, 28), 10)
CASES = {
    "linear": (Shapes((6,), 2), "mse"),
    "logistic": (Shapes((6,), 1), "binary_cross_entropy"),
    "softmax": (Shapes((6,), 4), "cross_entropy"),
    "mlp": (Shapes((6,), 4), "cross_entropy"),
    "cnn": (IMAGE, "cross_entropy"),
    "lenet5": (IMAGE, "cross_entropy"),
    "generalized_linear": (Shapes((6,), 2), "mse"),
    "perceptron": (Shapes((6,), 4), "perceptron"),
    "linear_svm": (Shapes((6,), 1), "hinge"),
    "polynomial": (Shapes((3,), 2), "mse"),
    "random_features": (Shapes((6,), 2), "mse"),
}


def batch(shapes: Shapes, loss: str, rows: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn((rows, *shapes.inputs), generator=generator)
    if FORMS[loss].task == "regression":
        return inputs, torch.randn((rows, shapes.outputs), generator=generator)
    classes = 2 if shapes.outputs == 1 else shapes.outputs
    return inputs, FORMS[loss].targets(torch.arange(rows) % classes)


# Models without parameters, which `solve` finds from all rows at once.
SOLVED = {
    "gaussian": (Shapes((6,), 4), "cross_entropy"),
    "naive_bayes": (Shapes((6,), 4), "cross_entropy"),
    "svm": (Shapes((6,), 4), "hinge"),
    "svr": (Shapes((6,), 1), "mse"),
}


# Tested in test_architectures.py, test_pretrained.py, test_steps.py, and with graphs.
ELSEWHERE = {
    "alexnet", "alexnet_small", "cnn1d", "highway", "keras_cnn", "lenet5_1998",
    "efficientnet_lite0", "network_in_network", "resnet18", "resnet20", "resnet32", "resnet50",
    "text_cnn", "vgg16", "vgg16_small", "forecaster", "gat", "gcn", "gin", "graph_gru", "gru",
    "lstm", "rnn", "sage", "grid_gcn", "row_rnn", "conv_autoencoder",
}  # fmt: skip


def test_every_registered_model_has_a_case() -> None:
    assert {*CASES, *SOLVED, *TREES, *ELSEWHERE} == set(registered("model"))


@pytest.mark.parametrize("name", SOLVED)
def test_a_solved_model_is_finite_before_and_the_same_after_a_file(name: str) -> None:
    shapes, loss = SOLVED[name]
    inputs, targets = batch(shapes, loss, rows=40)
    compute = part("loss", loss).bind()
    model, again = (build_model(part("model", name), shapes, seed) for seed in (0, 1))
    before = model(inputs)
    assert before.shape == (40, shapes.outputs)
    assert before.isfinite().all()
    assert torch.equal(before, again(inputs))
    with torch.no_grad():
        model.solve(inputs, targets, None)
    assert compute(model(inputs), targets) < compute(before, targets)
    again.load_state_dict(load(save(dict(model.state_dict()))))
    assert torch.equal(model(inputs), again(inputs))
    fewer, kept = build_model(part("model", name), shapes, 0), torch.arange(40) % 3 > 0
    with torch.no_grad():
        model.solve(inputs, targets, 2.0 * kept)  # rows of no weight are not there
        fewer.solve(inputs[kept], targets[kept], None)
    torch.testing.assert_close(model(inputs), fewer(inputs), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_shapes_gradients_determinism_and_files(name: str) -> None:
    shapes, loss = CASES[name]
    inputs, targets = batch(shapes, loss)
    model = build_model(part("model", name), shapes, 0)
    outputs = model(inputs)
    assert outputs.shape == (8, shapes.outputs)
    assert outputs.dtype == torch.float32
    part("loss", loss).bind()(outputs, targets).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name

    again = build_model(part("model", name), shapes, 0)
    other = build_model(part("model", name), shapes, 1)
    equal = [torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True)]
    assert all(equal)
    assert not all(
        torch.equal(a, b) for a, b in zip(again.parameters(), other.parameters(), strict=True)
    )

    again.load_state_dict(load(save(dict(model.state_dict()))))
    model.eval(), again.eval()
    assert torch.equal(model(inputs), again(inputs))


@pytest.mark.parametrize("name", CASES)
def test_a_model_memorises_one_batch(name: str) -> None:
    shapes, loss = CASES[name]
    inputs, targets = batch(shapes, loss, rows=4)
    model = build_model(part("model", name), shapes, 0)
    for layer in model.modules():
        if isinstance(layer, Dropout):
            layer.p = 0.0
    optimizer = cy.optim.adam(lr=0.02).build(list(model.parameters()))
    compute = part("loss", loss).bind()
    first = compute(model(inputs), targets).item()
    for _ in range(150):
        optimizer.zero_grad()
        value = compute(model(inputs), targets)
        value.backward()
        optimizer.step()
    assert value.item() < 0.1 * first


def test_initial_weights_depend_on_seed_and_name_only() -> None:
    wide = build_model(cy.models.mlp(hidden=(8,)), Shapes((4,), 3), 5)
    deep = build_model(cy.models.mlp(hidden=(8, 8)), Shapes((4,), 3), 5)
    assert torch.equal(wide[1].weight, deep[1].weight)
    bound = 1 / math.sqrt(4)
    assert wide[1].weight.abs().max() <= bound
    # uniform on [-b, b] has variance b^2 / 3
    big = build_model(cy.models.mlp(hidden=(2000,)), Shapes((4,), 3), 0)[1].weight
    assert big.var().item() == pytest.approx(bound**2 / 3, rel=0.05)


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    build_model(part("model", "cnn"), IMAGE, 0)
    assert torch.equal(before, torch.get_rng_state())


def test_known_parameter_counts() -> None:
    def count(made: Part, shapes: Shapes) -> int:
        return sum(p.numel() for p in build_model(made, shapes, 0).parameters())

    assert count(part("model", "lenet5"), IMAGE) == 61_706
    assert count(cy.models.mlp(hidden=(128,)), Shapes((784,), 10)) == 784 * 128 + 128 + 1290
    assert count(part("model", "softmax"), IMAGE) == 7_850


def test_residual_layers_add_to_what_they_get_where_widths_agree() -> None:
    shapes = Shapes((5,), 2)
    net = build_model(cy.models.mlp(hidden=(8, 8, 4), residual=True), shapes, 0)
    assert [type(layer).__name__ for layer in net] == [
        "Flatten", "Linear", "Residual", "ReLU", "Linear", "ReLU", "Linear"
    ]  # fmt: skip
    inputs = torch.randn((3, 5), generator=torch.Generator().manual_seed(0))
    first = net[1](inputs)
    second = first + net[2][1](first.relu())
    assert torch.allclose(net(inputs), net[6](net[4](second.relu()).relu()))
    plain = build_model(cy.models.mlp(hidden=(8, 8, 4)), shapes, 0)
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in net.parameters())
    assert not any(isinstance(layer, Residual) for layer in plain)


def test_a_cnn_adapts_to_the_size_of_the_images() -> None:
    for side in (1, 3, 8, 28, 33):
        model = build_model(part("model", "cnn"), Shapes((3, side, side), 5), 0)
        assert model(torch.zeros(2, 3, side, side)).shape == (2, 5)


def test_users_own_modules() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return self.layer(inputs)

    shapes = Shapes((3,), 2)
    a, b = (build_model(cy.Recipe(model=Net).model, shapes, 0) for _ in range(2))
    assert torch.equal(a.layer.weight, b.layer.weight)
    instance = Net()
    copied = build_model(cy.Recipe(model=instance).model, shapes, 7)
    assert copied is not instance
    assert torch.equal(copied.layer.weight, instance.layer.weight)
    made = build_model(
        cy.Recipe(model=lambda s: nn.Linear(s.inputs[0], s.outputs)).model, shapes, 0
    )
    assert made.weight.shape == (2, 3)
    with pytest.raises(InputError, match=r"no nn\.Module"):
        build_model(cy.Recipe(model=lambda s: 3).model, shapes, 0)
    with pytest.raises(InputError, match="user's own"):
        build_model(Part("model", "Net", (), "abc"), shapes, 0)


@pytest.mark.parametrize(
    ("name", "shapes", "message"),
    [
        ("cnn", Shapes((5,), 3), "needs images"),
        ("lenet5", Shapes((1, 8, 8), 10), "too small"),
        ("logistic", Shapes((5,), 3), "two classes"),
    ],
)
def test_models_refuse_shapes_that_do_not_suit_them(name, shapes, message) -> None:
    with pytest.raises(UsageError, match=message):
        build_model(part("model", name), shapes, 0)


def test_dropout_is_keyed_scaled_and_off_in_evaluation() -> None:
    layer = Dropout(0.25)
    ones = torch.ones(10_000)
    layer.place(0, 1, "a")
    first = layer(ones)
    assert sorted(first.unique().tolist()) == pytest.approx([0.0, 1 / 0.75])
    assert first.mean().item() == pytest.approx(1.0, abs=0.02)
    layer.place(0, 2, "a")
    assert not torch.equal(layer(ones), first)
    layer.place(0, 1, "b")
    assert not torch.equal(layer(ones), first)
    layer.place(0, 1, "a")
    assert torch.equal(layer(ones), first)
    assert torch.equal(layer.eval()(ones), ones)
