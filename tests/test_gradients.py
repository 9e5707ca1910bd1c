"""Computational graphs, checked gradients, gradients derived by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError, UsageError
from chymist.gradients import by_hand
from chymist.gradients.expressions import FUNCTIONS
from chymist.keys import generator, torch_generator

SEEDS = st.integers(0, 999)
SIGMOID = "1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))"
AT = {"w0": 2, "x0": -1, "w1": -3, "x1": -2, "w2": -3}


def tensor(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "test"), dtype=torch.float64)


# Graphs


def test_the_sigmoid_graph_of_the_course() -> None:
    # Course: W01, W02.
    for found in (
        cy.gradients.graph(SIGMOID, AT),
        cy.gradients.graph("sigmoid(w0*x0 + w1*x1 + w2)", AT, expand=True),
    ):
        steps = [
            (n.operation, round(float(n.value), 6), round(float(n.gradient), 6))
            for n in found.nodes[5:]
        ]
        assert steps == [
            ("×", -2, 0.196612), ("×", 6, 0.196612), ("+", 4, 0.196612), ("+", 1, 0.196612),
            ("neg", -1, -0.196612), ("exp", 0.367879, -0.534447), ("+ 1", 1.367879, -0.534447),
            ("1 /", 0.731059, 1),
        ]  # fmt: skip
        handed_back = {
            n.operation: float(found.nodes[n.inputs[0]].gradient) for n in found.nodes[9:]
        }
        assert {sign: round(g, 6) for sign, g in handed_back.items()} == {
            "neg": 0.196612, "exp": -0.196612, "+ 1": -0.534447, "1 /": -0.534447,
        }  # fmt: skip
        gradients = {name: round(float(g), 6) for name, g in found.gradients.items()}
        assert gradients == {
            "w0": -0.196612, "x0": 0.393224, "w1": -0.393224, "x1": -0.589836, "w2": 0.196612,
        }  # fmt: skip
    rounded = cy.gradients.graph("1 / z", {"z": 1.37})
    assert round(float(rounded["z"].gradient), 6) == -0.532793


def test_waves_are_what_can_run_at_the_same_time() -> None:
    waves = cy.gradients.graph(SIGMOID, AT).waves
    assert waves[0] == list(AT)
    assert waves[1:] == [["#1", "#2"], ["#3"], ["#4"], ["#5"], ["#6"], ["#7"], ["#8"]]


def test_a_function_three_times_over() -> None:
    # Course: W41.
    for x, expected in ((0, 21), (1, 29)):
        found = cy.gradients.graph("2*(2*(2*x + 3) + 3) + 3", {"x": x})
        assert (found.value, float(found["x"].gradient)) == (expected, 8)


def formulas(depth: int = 3) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(["a", "b", "0.7", "2"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(st.sampled_from(["exp", "tanh", "sigmoid", "sin", "softplus"]), inner).map(
                lambda t: f"{t[0]}(0.3 * {t[1]})"
            ),
            inner.map(lambda t: f"(-{t})"),
        ),
        max_leaves=6,
    ).map(lambda text: f"a * b + {text}")


@given(formulas(), st.floats(-1.5, 1.5), st.floats(-1.5, 1.5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_gradients_of_formulas_against_differences(
    text: str, a: float, b: float, expand: bool
) -> None:
    found = cy.gradients.graph(text, {"a": a, "b": b}, expand)
    free = {name: getattr(np, name) for name in ("exp", "tanh", "sin")}
    free |= {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "softplus": lambda z: np.log1p(np.exp(z))}

    def value(at: np.ndarray) -> float:
        return float(eval(text, {"__builtins__": {}}, {**free, "a": at[0], "b": at[1]}))

    assert found.value == pytest.approx(value(np.array([a, b])), rel=1e-9, abs=1e-9)
    slopes = cy.maths.numerical_gradient(value, [a, b])
    np.testing.assert_allclose(
        [found["a"].gradient, found["b"].gradient], slopes, rtol=1e-5, atol=1e-6
    )
    for node in found.nodes:  # every input comes before
        assert all(i < found.nodes.index(node) for i in node.inputs)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_of_formulas(name: str) -> None:
    text = f"{name}(a, b)" if name in ("max", "min") else f"{name}(a * b)"
    found = cy.gradients.graph(text, {"a": 0.4, "b": 1.3})
    slopes = cy.maths.numerical_gradient(
        lambda x: cy.gradients.graph(text, dict(zip("ab", x, strict=True))).value, [0.4, 1.3]
    )
    given_ = [float(found.gradients.get(n, 0)) for n in "ab"]
    np.testing.assert_allclose(given_, slopes, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("__import__('os').system('ls')", {}, "not allowed"),
        ("x.real", {"x": 1}, "not allowed"),
        ("[x]", {"x": 1}, "not allowed"),
        ("x if x else 1", {"x": 1}, "not allowed"),
        ("'a' * x", {"x": 1}, "not allowed"),
        ("True * x", {"x": 1}, "not allowed"),
        ("1j * x", {"x": 1}, "not allowed"),
        ("exq(x)", {"x": 1}, "did you mean 'exp'"),
        ("exp(x, x)", {"x": 1}, "wrong number of arguments"),
        ("x + weigth", {"x": 1, "weight": 2}, "'weight'"),
        ("x * y", {"x": 1}, "has no value"),
        ("x +", {"x": 1}, "not a formula"),
        ("(" * 300 + "x" + ")" * 300, {"x": 1}, "not a formula"),
        ("x" + "+x" * 600, {"x": 1}, "too long"),
        ("x * 9**9**9**9", {"x": 1}, "has no value"),
        ("x / (1 - 1) + 1/0", {"x": 1}, "has no value"),
        ("x * (-1)**0.5", {"x": 1}, "not real"),
        ("x", {"x": "two"}, "not a number"),
    ],
)
def test_what_is_no_formula(text: str, values: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        cy.gradients.graph(text, values)
    assert "\n" not in str(caught.value)


def test_a_result_is_one_number_that_depends() -> None:
    with pytest.raises(InputError, match="not one number"):
        cy.gradients.graph("x * 2", {"x": [1, 2]})
    with pytest.raises(InputError, match="not one number"):
        cy.gradients.graph("1 + 2", {})
    with pytest.raises(UsageError, match="no such node"):
        cy.gradients.graph("x * 2", {"x": 1})["y"]


def test_functions_of_tensors() -> None:
    x = np.array([[1.0, 2.0], [0.5, -1.0]])
    found = cy.gradients.graph(lambda w, x: torch.sigmoid(x @ w).sum(), {"w": [0.3, -0.2], "x": x})
    expected = by_sum = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    torch.sigmoid(torch.from_numpy(x) @ by_sum).sum().backward()
    np.testing.assert_allclose(found["w"].gradient, expected.grad.numpy(), rtol=1e-12)
    assert [n.operation for n in found.nodes[2:]] == ["@", "sigmoid", "sum"]


def test_layers_that_work_in_place_keep_their_values_apart() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        y.add_(1)
        return nn.functional.relu(y.sub_(2), inplace=True).sum()

    found = cy.gradients.graph(function, {"x": [-1.0, 0.25, 3.0]})
    values = [n.value.tolist() for n in found.nodes]
    assert values == [[-1, 0.25, 3], [-2, 0.5, 6], [-1, 1.5, 7], [-3, -0.5, 5], [0, 0, 5], 5]
    gradients = [n.gradient.tolist() for n in found.nodes]
    assert gradients == [[0, 0, 2], [0, 0, 1], [0, 0, 1], [0, 0, 1], [1, 1, 1], 1]


def test_a_constant_that_is_written_into_is_a_constant() -> None:
    def function(x: Tensor) -> Tensor:
        total = torch.zeros(2, dtype=torch.float64)
        total.index_add_(0, torch.tensor([0, 1, 0]), x)
        return (total * total).sum()

    found = cy.gradients.graph(function, {"x": [1.0, 2.0, 3.0]})
    assert [n.name for n in found.nodes if n.gradient is None] == ["constant", "constant"]
    assert found["constant"].value.tolist() == [0, 0]
    assert found["x"].gradient.tolist() == [8, 4, 8]


class Recurrent(nn.Module):
    """A layer with several outputs, constants of its own, and a transposition."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 2, batch_first=True)
        self.head = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        _, (last, _) = self.lstm(x)
        out: Tensor = self.head(last[0]) @ self.head.weight.T
        return out


MODELS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (5, 3)),
    "convolution": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 2)), (5, 1, 8, 8)),
    "normalised": (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.GELU(), nn.Dropout(0.5), nn.Linear(4, 2)), (5, 3)),
    "recurrent": (Recurrent, (5, 4, 3)),
    "attention": (lambda: nn.Sequential(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), nn.Flatten(), nn.Linear(12, 2)), (5, 3, 4)),
}  # fmt: skip


def model_of(name: str) -> tuple[nn.Module, tuple[Tensor, Tensor]]:
    make, shape = MODELS[name]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        return make().double(), (tensor(2, *shape), torch.tensor([0, 1, 1, 0, 1]))


@pytest.mark.parametrize("name", ["perceptron", "convolution", "recurrent"])
def test_graphs_of_models_hold_their_gradients(name: str) -> None:
    model, batch = model_of(name)
    found = cy.gradients.model_graph(model, "cross_entropy", batch)
    assert all(p.grad is None for p in model.parameters())
    loss = cy.losses.cross_entropy(model(batch[0]), batch[1])
    loss.backward()
    assert found.value == pytest.approx(loss.item(), rel=1e-12)
    for key, parameter in model.named_parameters():
        np.testing.assert_allclose(
            found[key].gradient, parameter.grad.numpy(), rtol=1e-9, atol=1e-15
        )
    assert found.nodes[-1].operation == "cross_entropy"
    assert "inputs" in str(found)


def test_the_drawing_shows_every_number() -> None:
    found = cy.gradients.graph(SIGMOID, AT)
    picture = found.svg()
    assert picture.startswith("<svg")
    for node in found.nodes:
        assert f">{node.operation or node.name}<" in picture
        assert f">{float(node.gradient):.4g}<" in picture
    assert "<script" not in cy.gradients.graph(lambda **v: v["<script>"] * 2, {"<script>": 1}).svg()
    large = cy.gradients.graph("+".join(["x"] * 70), {"x": 1})
    with pytest.raises(InputError, match="too large to draw"):
        large.svg()
    assert str(large).count("\n") == 71


# Checks


class Wrong(torch.autograd.Function):
    """A cube whose backward forgets a factor."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, slope: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return slope * 2 * x**2


class Cube(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Wrong.apply(x)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_torch_are_right(name: str, training: bool) -> None:
    model, batch = model_of(name)
    model.train(training)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = cy.gradients.check(model, "cross_entropy", batch, entries=20)
    assert found.agrees, str(found)
    assert found.calls == 2 * sum(min(20, p.numel()) for p in model.parameters())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert "agree" in str(found)


def test_a_wrong_backward_is_found_and_named() -> None:
    model = nn.Sequential(nn.Linear(3, 4), Cube(), nn.Linear(4, 2))
    found = cy.gradients.check(model, "cross_entropy", (tensor(0, 6, 3), torch.arange(6) % 2))
    assert {p.name for p in found.wrong} == {"0.weight", "0.bias"}
    assert found.wrong[0].error == pytest.approx(1 / 3, abs=1e-6)  # 2 x^2 for 3 x^2
    assert "2 of 4 gradients are wrong" in found.verdict
    assert not found.agrees


def test_kinks_are_counted_and_not_judged() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.zero_()  # every unit stands at the kink of ReLU
    found = cy.gradients.check(model, "mse", (tensor(0, 4, 2), tensor(1, 4, 1)))
    kinks = {p.name: p.kinks for p in found.parameters}
    assert kinks["0.bias"] == 3
    assert kinks["2.weight"] == kinks["2.bias"] == 0
    assert found.agrees


def test_any_layout_of_the_weights() -> None:
    model, batch = model_of("convolution")
    model = model.to(memory_format=torch.channels_last).float()
    found = cy.gradients.check(model, "cross_entropy", batch, entries=10)
    assert found.agrees, str(found)
    single = cy.gradients.check(Scaled(), "mse", (torch.ones(2, 1), torch.zeros(2, 1)))
    assert (single.agrees, single.parameters[0].size) == (True, 1)


class Scaled(nn.Module):
    """One parameter without axes."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_what_cannot_be_checked() -> None:
    with pytest.raises(InputError, match="no parameters"):
        cy.gradients.check(nn.ReLU(), "mse", (torch.ones(2, 1), torch.ones(2, 1)))
    with pytest.raises(InputError, match="not one number"):
        cy.gradients.check(
            nn.Linear(1, 1), lambda y, t: y - t, (torch.ones(2, 1), torch.ones(2, 1))
        )
    with pytest.raises(UsageError, match="unknown loss"):
        cy.gradients.check(nn.Linear(1, 1), "msq", (torch.ones(2, 1), torch.ones(2, 1)))


# By hand


@given(SEEDS, st.integers(1, 5), st.integers(1, 4), st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_gradients_by_hand_against_autograd(
    seed: int, rows: int, features: int, outputs: int
) -> None:
    rng = generator(seed, "by hand")
    x, hidden = rng.normal(size=(rows, features)), 3
    weights = [
        rng.normal(size=s)
        for s in (
            (features, outputs),
            (outputs,),
            (features, hidden),
            (hidden,),
            (hidden, outputs),
            (outputs,),
        )
    ]
    w, b, w1, b1, w2, b2 = (torch.tensor(v, requires_grad=True) for v in weights)
    targets, labels = rng.uniform(size=(rows, outputs)), rng.integers(outputs, size=rows)
    t, inputs = torch.from_numpy(targets), torch.from_numpy(x)
    squared = (torch.sigmoid(inputs @ w + b) - t).square().sum() / 2
    crossed = nn.functional.cross_entropy(inputs @ w + b, torch.from_numpy(labels), reduction="sum")
    deep = (torch.sigmoid(torch.sigmoid(inputs @ w1 + b1) @ w2 + b2) - t).square().sum() / 2
    ours = [
        (by_hand.perceptron(x, weights[0], weights[1], targets), squared, (w, b)),
        (by_hand.softmax(x, weights[0], weights[1], labels), crossed, (w, b)),
        (by_hand.two_layers(x, weights[2:4], weights[4:6], targets), deep, (w1, b1, w2, b2)),
    ]
    for found, loss, leaves in ours:
        assert found.loss == pytest.approx(loss.item(), rel=1e-12)
        auto = torch.autograd.grad(loss, leaves)
        written = [g for layer in found.layers for g in (layer.weights, layer.bias)]
        for one, other in zip(written, auto, strict=True):
            np.testing.assert_allclose(one, other.numpy(), rtol=1e-9, atol=1e-13)


def test_shapes_by_hand() -> None:
    with pytest.raises(InputError, match="do not fit"):
        by_hand.perceptron([[1.0, 2.0]], [[1.0]], [0.0], [[1.0]])
    with pytest.raises(InputError, match="do not fit"):
        by_hand.perceptron([[1.0], [2.0]], [[1.0]], [0.0], [[1.0]])
    with pytest.raises(InputError, match="class indices"):
        by_hand.softmax([[1.0]], [[1.0, 2.0]], [0.0, 0.0], [2])


# The command line


def test_the_command_shows_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "graph.svg"
    words = ["graph", "sigmoid(w*x + b)", "--at", "w=2,x=0.5,b=-1", "--expand", "--out", str(out)]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "neg(#2)" in text
    assert out.read_text("utf-8").startswith("<svg")
    assert main([*words[:4], "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["value"] == 0.5
    assert answer["gradients"] == {"w": 0.125, "x": 0.5, "b": 0.25}
    assert [n["is"] for n in answer["nodes"]][3:] == ["w × x", "#1 + b", "sigmoid(#2)"]
    assert answer["picture"] is None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["x*y", "--at", "x=1"], 2, "'y'"),
        (["x", "--at", "x"], 2, "NAME=NUMBER"),
        (["x*", "--at", "x=1"], 2, "not a formula"),
        (["3"], 1, "not one number"),
        (["x*2", "--at", "x=1", "--out", "nowhere/a.svg"], 1, "nowhere"),
    ],
)
def test_errors_of_the_command(
    words: list[str], code: int, said: str, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["graph", *words]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_picture_of_the_page_is_this_graph() -> None:
    page = Path(__file__).parent.parent / "docs" / "pictures" / "graph-sigmoid.svg"
    drawn = cy.gradients.graph("sigmoid(w0*x0 + w1*x1 + w2)", AT, expand=True).svg()
    assert drawn.split(">", 1)[1] in page.read_text("utf-8")
