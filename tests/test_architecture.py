"""The graph of a model: totals, shapes and flow of every function set and of foreign modules."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

import chymist as cy
from chymist import models
from chymist.cli import main
from chymist.data.graphs import graph_inputs, graph_of
from chymist.engine.defaults import TREES
from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.models.counting import count_fitted
from chymist.parts import Part, registered
from chymist.reports.layers import layer_table
from chymist.reports.saying import saying
from chymist.values import Shapes
from chymist.verbs.architecture import Architecture, architecture_figure
from tests.test_architectures import CASES as KNOWN
from tests.test_models import CASES, SOLVED

WORDS, STEPS = Shapes((9,), 3, (), 11), Shapes((7, 3), 2)


def graph(outputs: int = 3) -> Shapes:
    draw = np.random.default_rng(0)
    pairs = np.unique(np.sort(draw.integers(0, 20, (40, 2)), 1), axis=0)
    features = draw.random((20, 6)).astype(np.float32)
    return Shapes((1,), outputs, graph=graph_inputs(graph_of(20, pairs, None, features), "none"))


def series() -> Shapes:
    ring = graph_of(6, [[i, (i + 1) % 6] for i in range(6)])
    return Shapes((5, 6), 12, graph=graph_inputs(ring))


REST: dict[str, tuple[str | Part, Shapes]] = {
    "cnn1d": (models.cnn1d(channels=(3, 4), kernel=3), Shapes((15, 2), 3)),
    "efficientnet_lite0": ("efficientnet_lite0", Shapes((3, 32, 32), 5)),
    "rnn": ("rnn", STEPS), "gru": ("gru", STEPS), "lstm": ("lstm", WORDS),
    "row_rnn": ("row_rnn", Shapes((1, 8, 8), 10)),
    "grid_gcn": ("grid_gcn", Shapes((1, 8, 8), 10)),
    "conv_autoencoder": (models.conv_autoencoder(channels=(3, 4), code=0), Shapes((1, 8, 8), 64)),
    "gcn": ("gcn", graph()), "gat": ("gat", graph()), "sage": ("sage", graph()),
    "gin": ("gin", graph()),
    "forecaster": (models.forecaster(network="lstm", hidden=(4,), neighbors=True), series()),
    "graph_gru": (models.graph_gru(hidden=(4,)), series()),
}  # fmt: skip
ALL: dict[str, tuple[str | Part, Shapes]] = {
    **{name: (name, shapes) for name, (shapes, _) in {**CASES, **SOLVED}.items()},
    **{name: (name, Shapes((6,), 4)) for name in TREES},
    **KNOWN, **REST,
}  # fmt: skip


def by_hooks(model: nn.Module, inputs: tuple[Any, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """Name and output shape of each call of a module without children, for a batch."""
    found: list[tuple[str, tuple[int, ...]]] = []

    def hook(name: str) -> Callable[..., None]:
        def note(module: nn.Module, given: Any, output: Any) -> None:
            first = output[0] if isinstance(output, tuple) else output
            found.append((name, tuple(first.shape)))

        return note

    handles = [
        module.register_forward_hook(hook(name))
        for name, module in model.named_modules()
        if not any(module.children())
    ]
    with torch.no_grad():
        model.eval()(*inputs)
    for handle in handles:
        handle.remove()
    return found


def calls(found: Architecture) -> list[tuple[str, tuple[int, ...]]]:
    return [(n.name, n.shape) for n in found.nodes if n.kind[:1].isupper()]


def test_every_registered_model_is_drawn_here() -> None:
    names = {part if isinstance(part, str) else part.name for part, _ in ALL.values()}
    assert names == set(registered("model"))


@pytest.mark.parametrize("name", ALL)
def test_totals_and_shapes_of_every_function_set(name: str) -> None:
    part, shapes = ALL[name]
    model = build_model(cy.Recipe(model=part).model, shapes, 0)
    found = cy.architecture(model, shapes.inputs)
    assert found.parameters == count_fitted(model)
    assert sum(n.parameters for n in found.nodes) + sum(k for _, k in found.unused) == (
        found.parameters
    )
    if not found.solved:
        assert found.parameters == sum(p.numel() for p in model.parameters())
        assert not found.unused
    inputs = torch.zeros(2, *shapes.inputs)
    if shapes.vocabulary or shapes.inputs == (1,):
        inputs = inputs.long()
    wanted = [
        (n, shape[1:] if shape[:1] == (2,) else shape) for n, shape in by_hooks(model, (inputs,))
    ]
    mine = calls(found)
    known = {n for n, _ in mine} & {n for n, _ in wanted}
    if shapes.graph is None and not found.solved and any(model.children()):
        assert len(known) == len({n for n, _ in wanted}) == len({n for n, _ in mine})
    if not found.solved and name not in ("forecaster", "graph_gru"):  # these turn rows into series
        assert [row for row in mine if row[0] in known] == [r for r in wanted if r[0] in known]
    for depth in range(len(found.levels)):
        folded = found.graph(depth)
        assert (folded.parameters, folded.multiply_adds) == (found.parameters, found.multiply_adds)


@pytest.mark.parametrize("name", ALL)
def test_the_graph_holds_together_and_costs_what_the_table_says(name: str) -> None:
    part, shapes = ALL[name]
    model = build_model(cy.Recipe(model=part).model, shapes, 0)
    found = cy.architecture(model, shapes.inputs)
    assert all(at < n for n, node in enumerate(found.nodes) for at, _ in node.inputs)
    ends = [node for node in found.nodes if node.family == "output"]
    assert len(ends) == 1
    reached, waiting = set(), [len(found.nodes) - 1]
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            waiting += [n for n, _ in found.nodes[at].inputs]
    assert 0 in reached or found.solved  # a tree before it is grown says the same of all rows
    rows = {row.name: row for row in layer_table(model, shapes.inputs, costs=True)}
    assert found.multiply_adds == pytest.approx(sum(r.multiply_adds for r in rows.values()))
    assert found.parameters == sum(r.parameters for r in rows.values())
    for node in found.nodes:
        if node.kind[:1].isupper() and not node.shared and node.name in rows:
            assert node.receptive_field == rows[node.name].receptive_field


# Modules of others


def test_torch_transformer() -> None:
    model = nn.Transformer(16, 4, 2, 2, 32, batch_first=True)
    given = torch.randn(3, 10, 16), torch.randn(3, 7, 16)
    found = cy.architecture(model, given)
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert not found.unused
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # else the encoder calls no module inside of it
    try:
        wanted = by_hooks(model, given)
    finally:
        torch.backends.mha.set_fastpath_enabled(was)
    mine = calls(found)
    attention = [(n, s) for n, s in mine if n.endswith(("self_attn", "multihead_attn"))]
    assert len(attention) == 6
    assert [row for row in mine if row not in attention] == wanted
    assert [node.name for node in found.nodes[:2]] == ["src", "tgt"]
    cross = next(n for n in found.nodes if n.name == "decoder.layers.1.multihead_attn")
    sources = {found.nodes[at].name for at, _ in cross.inputs}
    assert sources == {"encoder.norm", "decoder.layers.1.norm1"}
    # 3 projections of 16 x 16 and one of the result, scores and sums of 16 over 10 keys.
    own = next(n for n in found.nodes if n.name == "encoder.layers.0.self_attn")
    assert own.multiply_adds == 3 * (4 * 10 * 16 * 16 + 2 * 10 * 10 * 16)


def test_a_network_of_geometric() -> None:
    geometric = pytest.importorskip("torch_geometric.nn")
    model = geometric.GCN(5, 8, 2, 3)
    edges = torch.tensor([[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]])
    given = torch.randn(6, 5), edges
    found = cy.architecture(model, given)
    assert found.parameters == sum(p.numel() for p in model.parameters()) == 75
    wanted = dict(by_hooks(model, given))
    layers = {n.name: n.shape for n in found.nodes if n.kind == "GCNConv"}
    assert layers == {"convs.0": (6, 8), "convs.1": (6, 3)}
    assert {n: s for n, s in calls(found) if n in wanted}.items() <= wanted.items()
    assert [n.kind for n in found.nodes if n.parameters] == ["GCNConv", "GCNConv"]


def test_a_model_of_keras() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(os.environ, "KERAS_BACKEND", "torch")
        keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([
        layers.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu", name="first"),
        layers.MaxPooling2D(), layers.Flatten(), layers.Dense(10, name="last"),
    ])  # fmt: skip
    found = cy.architecture(model, (1, 8, 8))
    assert found.parameters == model.count_params() == 40 + 370
    named = {n.name: (n.shape, n.parameters) for n in found.nodes}
    assert named["first"] == ((6, 6, 4), 40)
    assert named["last"] == ((10,), 370)
    assert {named[layer.name][0] for layer in model.layers} == {
        tuple(layer.output.shape[1:]) for layer in model.layers
    }


# What flows


class Own(nn.Module):
    """A shared layer, a shortcut, a choice by the data, layers in a plain list, one never used."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.never = nn.Linear(4, 4), nn.Linear(7, 7)
        self.listed = [nn.Linear(4, 4)]

    def forward(self, x: Tensor) -> Tensor:
        y = self.shared(x) + x
        if x.sum() > 0:
            y = torch.relu(self.shared(y))
        y[:, 0] = 0
        return torch.cat([self.listed[0](y).relu_(), x], 1)


def test_an_own_module_is_drawn_as_it_is_and_told_about() -> None:
    model = Own()
    found = cy.architecture(model, (4,))
    assert found.parameters == sum(p.numel() for p in model.parameters()) == 76
    assert dict(found.unused) == {"never.weight": 49, "never.bias": 7}
    kinds = [node.kind for node in found.nodes]
    assert kinds == ["input", "Linear", "add", "Linear", "relu", "setitem", "Linear", "relu",
                     "concatenate", "output"]  # fmt: skip
    sources = [[at for at, _ in node.inputs] for node in found.nodes]
    assert sources == [[], [0], [1, 0], [2], [3], [4], [5], [6], [7, 0], [8]]
    first, second = found.nodes[1], found.nodes[3]
    assert (first.parameters, first.shared, first.ties) == (20, 0, ("A",))
    assert (second.parameters, second.shared, second.ties) == (0, 20, ("A",))
    said = " ".join(found.notes)
    assert "the model (Own) depends on its data" in said
    assert "(20 numbers)" in said
    assert "Not used on this way: never.weight, never.bias (56 numbers" in said
    assert "weights A again" in found.svg()


@pytest.mark.parametrize("name", ["if", "while", "reads"])
def test_flow_that_depends_on_data_is_said_and_where(name: str) -> None:
    class Inner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if name == "if":
                return x if x.mean() > 0 else x * 2
            if name == "while":
                while x.abs().max() > 0.5 and x.sum() > 0:
                    x = x / 2
                return x
            return x * (1 if x.isfinite().all() else 0)

    model = nn.Sequential(nn.Linear(3, 3, bias=False), Inner(), nn.Linear(3, 1))
    notes = cy.architecture(model, (3,)).notes
    start = "Values are looked at in" if name == "reads" else "The way through"
    assert [note for note in notes if note.startswith(f"{start} 1 (Inner)")]
    assert cy.architecture(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), (3,)).notes == ()


def test_flow_that_depends_on_the_number_of_rows_is_said() -> None:
    class Rows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if len(x) % 2 else x + 1

    assert "number of rows" in cy.architecture(Rows(), (3,)).notes[0]


def test_what_changes_from_call_to_call_is_not_said_of_the_data() -> None:
    draw = random.Random(0)

    class Restless(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            for _ in range(draw.randint(0, 50)):
                x = torch.tanh(x)
            return x

    found = cy.architecture(nn.Sequential(nn.Linear(4, 4), Restless()), (4,))
    assert found.notes == ("The way through 1 (Restless) changes from call to call, for the same "
                           "input too: this is one of them.",)  # fmt: skip
    given = cy.architecture(nn.Sequential(nn.Linear(4, 4), Restless()), torch.ones(2, 4))
    assert given.notes == found.notes


def test_what_is_used_in_training_only_is_not_called_never_used() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(4, 2), nn.Linear(4, 2)

    class Trains(Two):
        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) + (self.second(x) if self.training else 0)

    class Looks(Two):
        def forward(self, x: Tensor) -> Tensor:
            return self.second(x) if x.mean().item() > 1e9 else self.first(x)

    said = cy.architecture(Trains(), (4,)).notes[-1]
    assert said.startswith("Not used in evaluation mode: second.weight, second.bias (10 numbers")
    said = cy.architecture(Looks(), (4,)).notes[-1]
    assert said.startswith("Not used on this way: second.weight, second.bias (10 numbers")


@pytest.mark.parametrize("shape", [(True,), (10**6, 10**6), (2**70,)])
def test_shapes_that_nothing_has_are_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="not a shape"):
        cy.architecture(nn.Linear(1, 2), shape)


def test_tied_weights_count_once() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.out = nn.Embedding(11, 5), nn.Linear(5, 11, bias=False)
            self.out.weight = self.embed.weight

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.embed(ids).mean(1))

    found = cy.architecture(Tied(), (6,))
    assert found.parameters == 55
    assert [(n.kind, n.parameters, n.shared) for n in found.nodes if n.ties] == [
        ("Embedding", 55, 0), ("Linear", 0, 55)
    ]  # fmt: skip


def test_changes_in_place_are_followed_through_views() -> None:
    class Places(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            made = torch.zeros_like(x)
            made[:, 0] = x[:, 1].exp()
            half = made[:, :2]
            half.mul_(x[:, :2])
            return made.sum(1)

    found = cy.architecture(Places(), (4,))
    reached, waiting = [], [len(found.nodes) - 1]
    while waiting:
        at = waiting.pop()
        reached.append(found.nodes[at].kind)
        waiting += [n for n, _ in found.nodes[at].inputs]
    assert {"exp", "setitem", "multiply", "sum", "input"} <= set(reached)


def test_modules_that_torch_wraps() -> None:
    torch.manual_seed(0)
    norm = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    cases: list[tuple[nn.Module, tuple[int, ...], str]] = [
        (nn.Sequential(norm), (4,), "Linear"),
        (nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), (5, 3), "LSTM"),
        (nn.Sequential(torch.jit.script(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))), (4,), ""),
    ]
    for model, shape, kind in cases:
        found = cy.architecture(model, shape)
        assert found.parameters == sum(p.numel() for p in model.parameters())
        assert not found.unused
        assert not kind or [n.kind for n in found.nodes[1:-1]] == [kind]

    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> dict[str, Any]:
            half = {name: value * 0.5 for name, value in self.net.named_parameters()}
            return {"out": functional_call(self.net, half, (x,)), "more": (x, [x + 1])}

    found = cy.architecture(Called(), (4,))
    assert found.parameters == 20
    assert not found.unused
    assert len(found.nodes[-1].inputs) == 3  # all that is returned, however it is wrapped


def test_inference_mode_and_calls_that_fail_inside() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrong, self.right = nn.Linear(3, 2), nn.Linear(4, 2)

        @torch.inference_mode()
        def forward(self, x: Tensor) -> Tensor:
            try:
                y = self.wrong(x)
            except RuntimeError:
                y = self.right(x)
            y += 1
            return y

    found = cy.architecture(Inner(), (4,))
    assert [n.kind for n in found.nodes] == ["input", "Linear", "add", "output"]
    assert (found.parameters, found.multiply_adds) == (18, 8)
    assert dict(found.unused) == {"wrong.weight": 6, "wrong.bias": 2}


@pytest.mark.parametrize("shape", ["abc", 3, (3, -1), (3, 0.5)])
def test_what_is_no_shape_or_has_no_sizes(shape: Any) -> None:
    with pytest.raises((UsageError, InputError)):
        cy.architecture(nn.Linear(3, 2), shape)
    with pytest.raises(InputError, match="lazy"):
        cy.architecture(nn.Sequential(nn.LazyLinear(3)), (4,))


def test_axes_of_one_input_wherever_the_batch_is() -> None:
    class Turned(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x.transpose(0, 1) * 2).reshape(-1, 3).exp()

    found = [(node.kind, node.shape) for node in cy.architecture(Turned(), (5, 3)).nodes]
    # Places of 3 numbers in another order are the same for one input, and so no box.
    assert found == [(kind, (5, 3)) for kind in ("input", "multiply", "exp", "output")]


def test_nothing_of_the_model_changes() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state, hooks = torch.get_rng_state(), nn.modules.module._global_forward_hooks.copy()
    cy.architecture(model, (1, 6, 6))
    with pytest.raises(InputError, match="fails on inputs of this shape"):
        cy.architecture(model, (2, 6, 6))
    assert model.training
    assert model[1].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert nn.modules.module._global_forward_hooks == hooks
    assert not model[0]._forward_hooks


def test_a_network_without_numbers() -> None:
    with torch.device("meta"):
        model = build_model(models.resnet50(), Shapes((3, 224, 224), 1000), 0).to("meta")
    found = cy.architecture(model, (3, 224, 224))
    assert found.parameters == 25_557_032
    assert found.multiply_adds == cy.shapes(model, (3, 224, 224)).multiply_adds


# Pictures and texts


def test_the_picture_is_a_drawing_with_words_and_no_script(tmp_path: Any) -> None:
    for name, shape in (("lenet5", (1, 28, 28)), ("resnet20", (3, 32, 32))):
        found = cy.architecture(name, shape)
        path = found.save(tmp_path / f"{name}.svg")
        root = ElementTree.fromstring(path.read_text())
        assert f"{found.parameters:,} parameters" in root.attrib["aria-label"]
        assert root.attrib["role"] == "img"
        assert not re.search(r"<script|href=|url\(", path.read_text())
        assert len(path.read_bytes()) < 60_000
        assert str(found.total) in found.text()
        json.dumps(found.to_dict())
        assert len(found._repr_html_()) < 100_000
    with pytest.raises(UsageError, match="svg"):
        found.save(tmp_path / "a.png")


def test_large_models_are_folded_for_a_page_and_a_report() -> None:
    found = cy.architecture("resnet50", (3, 32, 32))
    full, usual = found.svg(99), found.svg()
    assert len(usual) < 60_000 < len(full)
    assert usual.count("<title>") < 45 < full.count("<title>")
    one = found.graph(0)
    assert [n.kind for n in one.nodes] == ["input", "Sequential", "output"]


def test_a_figure_for_a_report_in_two_languages() -> None:
    recipe = cy.Recipe(model=models.mlp(hidden=(8,)), length="1 epochs")
    run = cy.fit(recipe, cy.load("digits"), doctor=False)
    english, chinese = (str(architecture_figure(run, saying(lang))) for lang in ("en", "zh"))
    assert "multiply-adds for one row" in english
    assert "权重" in chinese
    assert len(english) < 60_000
    tree = cy.fit(cy.Recipe(model="cart"), cy.load("iris"), doctor=False)
    assert architecture_figure(tree, saying("en")) == ""
    assert "known only then" in str(cy.architecture(tree)) or cy.architecture(tree).parameters > 0


def test_the_command(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model.svg"
    assert main(["shapes", "lenet5", "--graph", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["graph"] == str(out)
    assert "<svg" in out.read_text()
    assert main(["shapes", "resnet20", "--input", "3x32x32", "--flow", "--depth", "1"]) == 0
    assert "Shortcut of 7" in capsys.readouterr().out
    for wrong in (["--depth", "1"], ["--flow", "--depth", "0"], ["--graph", "a.png"]):
        assert main(["shapes", "lenet5", *wrong]) == 2
    assert main(["shapes", "cart", "--input", "4", "--fields", str(out)]) == 2
    assert "no units that see places" in capsys.readouterr().err
