"""Activations that are called as functions are heard like modules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from time import process_time
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import _get_current_function_mode

from chymist.doctor import Watcher
from chymist.doctor.flow import flow_of
from chymist.doctor.functions import KINDS, WORDS
from chymist.doctor.preflight import preflight
from chymist.doctor.probing import Layer, Probe, listening, probe
from chymist.doctor.restoring import untouched
from tests.doctor_loops import MODELS, TRAIN, VALID, ce, randomness, seeded, state

Apply = Callable[[Tensor], Tensor]


class Called(nn.Module):
    """Affine maps, and between and behind them functions."""

    def __init__(self, sizes: Sequence[int], *functions: Apply) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.functions = functions

    def forward(self, x: Tensor) -> Tensor:
        for at, layer in enumerate(self.maps):
            x = layer(x)
            if at < len(self.functions):
                x = self.functions[at](x)
        return x


def kept(sizes: Sequence[int], *modules: nn.Module) -> nn.Sequential:
    """The same with modules."""
    parts: list[nn.Module] = []
    for at, (a, b) in enumerate(pairwise(sizes)):
        parts += [nn.Linear(a, b), *modules[at : at + 1]]
    return nn.Sequential(*parts)


PAIRS: dict[str, tuple[nn.Module, list[Apply]]] = {
    "relu": (nn.ReLU(), [F.relu, torch.relu, Tensor.relu, lambda x: x.relu(), torch.relu_]),
    "relu, in place": (nn.ReLU(inplace=True), [lambda x: F.relu(x, inplace=True), Tensor.relu_]),
    "tanh": (nn.Tanh(), [torch.tanh, F.tanh, Tensor.tanh, Tensor.tanh_]),
    "sigmoid": (nn.Sigmoid(), [torch.sigmoid, F.sigmoid, Tensor.sigmoid]),
    "softmax": (nn.Softmax(1), [lambda x: F.softmax(x, dim=1), lambda x: torch.softmax(x, 1),
                                lambda x: x.softmax(-1)]),
    "log_softmax": (nn.LogSoftmax(1), [lambda x: F.log_softmax(x, 1), lambda x: x.log_softmax(1)]),
    "gelu": (nn.GELU(), [F.gelu]), "elu": (nn.ELU(), [F.elu]), "silu": (nn.SiLU(), [F.silu]),
    "leaky_relu": (nn.LeakyReLU(), [F.leaky_relu]),
    "dropout": (nn.Dropout(0.3), [lambda x: F.dropout(x, 0.3, training=False)]),
}  # fmt: skip


def look(model: nn.Module, loss_fn: Any = ce) -> Probe:
    found = probe(model, loss_fn, *TRAIN, step=0)
    assert found is not None
    return found


def numbers(layer: Layer) -> tuple[object, ...]:
    return (layer.kind, layer.mean, layer.deviation, layer.silent, layer.zeros,
            layer.saturated, layer.units)  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_functions_and_modules_are_heard_alike(name: str) -> None:
    module, functions = PAIRS[name]
    for function in functions:
        for count in (1, 2):  # the last one: behind the head
            one = seeded(lambda c=count: kept([8, 16, 2], *[module] * c))
            two = seeded(lambda c=count, f=function: Called([8, 16, 2], *[f] * c))
            a, b = look(one), look(two)
            assert [numbers(la) for la in a.layers] == [numbers(la) for la in b.layers]
            assert torch.equal(a.outputs, b.outputs)
            assert preflight(one, None, ce, TRAIN, 8).head == a.layers[-1].kind
            assert preflight(two, None, ce, TRAIN, 8).head == a.layers[-1].kind
            here, there = flow_of(one, TRAIN[0], 8), flow_of(two, TRAIN[0], 8)
            assert len(here.pop("squeezed")) == len(there.pop("squeezed")) == ("softmax" in name)
            assert len(here.pop("affine")) == len(there.pop("affine")) == (name == "dropout")
            assert here == there


def test_every_word_is_a_function_of_torch_and_every_kind_a_module() -> None:
    assert set(WORDS.values()) == set(KINDS)
    assert all(issubclass(getattr(nn, kind), nn.Module) for kind in KINDS.values())


def test_names_are_those_of_the_modules_around_and_numbered() -> None:
    class Block(nn.Module):
        def __init__(self, relu: nn.Module) -> None:
            super().__init__()
            self.one, self.two, self.relu = nn.Linear(8, 8), nn.Linear(8, 8), relu

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(self.two(self.relu(F.relu(self.one(x))))).tanh()

    body = nn.Sequential(Block(nn.ReLU()), nn.Sequential(Block(nn.Identity()), nn.Linear(8, 2)))
    layers: list[Layer] = []
    with listening(body, layers), torch.no_grad():
        body(TRAIN[0])
        F.relu(TRAIN[0])  # not the model's
    assert [la.name for la in layers] == [
        "0.one", "0.relu_1", "0.relu", "0.two", "0.relu_2", "0.tanh",
        "1.0.one", "1.0.relu_1", "1.0.relu", "1.0.two", "1.0.relu_2", "1.0.tanh", "1.1",
    ]  # fmt: skip
    assert _get_current_function_mode() is None


def heard(forward: Callable[[nn.Module, Tensor], Any], loss_fn: Any = ce, **parts: Any) -> Probe:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.gate = nn.Linear(8, 2), nn.Linear(8, 2)
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x: Tensor) -> Any:
            return forward(self, x)

    return look(seeded(Net), loss_fn)


class Act(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x)


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


@pytest.mark.parametrize(
    ("forward", "kinds"),
    [
        (lambda m, x: m.fc(x) * torch.sigmoid(m.gate(x)), ["Linear", "Linear", "Sigmoid", "Net"]),
        (lambda m, x: torch.tanh(m.fc(x)) @ m.gate.weight[:, :2].T, ["Linear", "Tanh", "Net"]),
        (lambda m, x: m.fc(x) * torch.sigmoid(m.scale), ["Linear"]),
        (lambda m, x: {"logits": m.fc(x).softmax(1)}, ["Linear", "Softmax"]),
        (lambda m, x: (F.relu(m.fc(x)).view(-1, 2), x), ["Linear", "ReLU"]),
        (lambda m, x: torch.func.vmap(lambda r: m.fc(r).relu())(x), []),
        (lambda m, x: m.act(m.fc(x)), ["Linear", "ReLU"]),
        (lambda m, x: m.swish(m.fc(x)), ["Linear", "Swish"]),
        (lambda m, x: m.drop(F.relu(m.fc(x))), ["Linear", "ReLU", "Dropout"]),
    ],
)  # fmt: skip
def test_what_is_a_head_and_what_is_none(forward: Any, kinds: list[str]) -> None:
    def loss_fn(said: Any, targets: Tensor) -> Tensor:
        first = said["logits"] if isinstance(said, dict) else said
        return ce(torch.relu(first[0] if isinstance(first, tuple) else first), targets)

    more = {
        "act": Act(),
        "swish": Swish(),
        "drop": nn.Dropout(),
        "scale": nn.Parameter(torch.ones(2)),
    }
    assert [la.kind for la in heard(forward, loss_fn, **more).layers] == kinds


def test_a_sigmoid_of_a_column_is_a_head() -> None:
    found = heard(lambda m, x: torch.sigmoid(m.fc(x)[:, 0]), lambda o, t: F.mse_loss(o, t.float()))
    assert [(la.kind, la.units) for la in found.layers] == [("Linear", 2), ("Sigmoid", 1)]


@pytest.mark.parametrize("make", MODELS)
def test_looks_change_nothing(make: Callable[[], nn.Module]) -> None:
    model = seeded(make)
    before = state(model), randomness()
    found = probe(model, ce, *TRAIN, step=0)
    with untouched(model, ce):
        flow_of(model, TRAIN[0], 8)
    assert (state(model), randomness()) == before
    assert found is not None
    assert not any(m._forward_hooks or m._forward_hooks_always_called for m in model.modules())


def test_attention_does_the_same_as_without_a_look() -> None:
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            seen.append(torch.overrides.has_torch_function((x,)))
            rows = x.unsqueeze(1).expand(-1, 3, -1).contiguous()
            return self.head(F.gelu(self.mix(rows, rows, rows, need_weights=False)[0][:, 0]))

    seen: list[bool] = []
    model = seeded(Attending).eval()
    with torch.no_grad():
        plain = model(TRAIN[0])
    found = look(model)
    assert seen[:2] == [False, True]
    assert torch.equal(found.outputs, plain)
    assert [la.kind for la in found.layers] == ["GELU", "Linear"]
    assert flow_of(model, TRAIN[0], 8)["draws"] is False


def test_a_model_that_fails_leaves_no_mode_and_no_hooks() -> None:
    class Failing(Called):
        def forward(self, x: Tensor) -> Tensor:
            raise KeyboardInterrupt if self.training else ValueError(super().forward(x))

    model = Failing([8, 2], F.relu).eval()
    assert flow_of(model, TRAIN[0], 8) == {}
    with pytest.raises(KeyboardInterrupt), listening(model.train(), []):
        model(TRAIN[0])
    assert _get_current_function_mode() is None
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def trained(model: nn.Module, loss_fn: Any = ce, change: Any = None, lr: float = 0.05) -> set[str]:
    """Codes of what is found in ten epochs."""
    if change is not None:
        with torch.no_grad():
            change([m for m in model.modules() if isinstance(m, nn.Linear)])
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    watcher = Watcher(model, optimizer, loss_fn, TRAIN, VALID, 40)
    for epoch in range(10):
        order = torch.randperm(400, generator=torch.Generator().manual_seed(epoch))
        for chosen in order.split(40):
            outputs = model(TRAIN[0][chosen])
            loss = loss_fn(outputs, TRAIN[1][chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watcher.step(loss, TRAIN[0][chosen], TRAIN[1][chosen], outputs)
        with torch.no_grad():
            said = model(VALID[0])
        watcher.epoch(
            valid_loss=loss_fn(said, VALID[1]), valid_outputs=said, valid_targets=VALID[1]
        )
    return {f.code for f in watcher.findings if f.level in ("finding", "certain")}


def _killed(maps: list[nn.Linear]) -> None:
    maps[0].bias.fill_(-9)


def _driven(maps: list[nn.Linear]) -> None:
    maps[0].weight.mul_(200)
    maps[1].weight.mul_(200)


SOFTMAX: Apply = lambda x: F.softmax(x, dim=1)  # noqa: E731
RUNS: dict[str, tuple[list[int], list[nn.Module], list[Apply], Any, float, str]] = {
    "healthy": ([8, 16, 2], [nn.ReLU()], [F.relu], None, 0.01, ""),
    "healthy tanh": ([8, 16, 2], [nn.Tanh()], [torch.tanh], None, 0.01, ""),
    "dead": ([8, 16, 2], [nn.ReLU()], [F.relu], _killed, 1e-3, "dead_relu"),
    "at the rails": ([8, 16, 16, 2], [nn.Tanh(), nn.Tanh()], [torch.tanh, Tensor.tanh], _driven,
                     1e-5, "saturated_activation"),
    "softmax twice": ([8, 16, 2], [nn.ReLU(), nn.Softmax(1)], [F.relu, SOFTMAX], None, 0.01,
                      "double_softmax"),
    "sigmoid head": ([8, 16, 2], [nn.ReLU(), nn.Sigmoid()], [F.relu, torch.sigmoid], None, 0.01,
                     "loss_activation_mismatch"),
    "relu head": ([8, 16, 2], [nn.ReLU(), nn.ReLU()], [F.relu, F.relu],
                  lambda maps: maps[1].bias.fill_(-3), 1e-4, "loss_activation_mismatch"),
    "softmax between": ([8, 16, 16, 2], [nn.Softmax(1), nn.Softmax(1)], [SOFTMAX, SOFTMAX], None,
                        1e-4, "hidden_activation_misuse"),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_runs_with_functions_get_the_findings_of_those_with_modules(name: str) -> None:
    sizes, modules, functions, change, lr, code = RUNS[name]
    one = trained(seeded(lambda: kept(sizes, *modules)), change=change, lr=lr)
    two = trained(seeded(lambda: Called(sizes, *functions)), change=change, lr=lr)
    assert one == two
    assert (code in two) if code else not two


def test_dropout_that_is_called_is_known_by_its_rate() -> None:
    model = Called([8, 16, 2], lambda x: F.dropout(F.relu(x), 0.9), lambda x: F.dropout(x, p=0.2))
    facts = preflight(model, None, ce, TRAIN, 8)
    assert (facts.dropouts, facts.head, facts.draws) == (0.9, "Dropout", True)
    assert preflight(kept([8, 4, 2], nn.Dropout(0.4)), None, ce, TRAIN, 8).dropouts == 0.4


@pytest.mark.hard
def test_a_look_costs_hardly_more_than_with_modules() -> None:
    sizes = [8, 256, 256, 256, 2]
    pair = kept(sizes, *[nn.ReLU()] * 3), Called(sizes, *[F.relu] * 3)
    times: list[list[float]] = [[], []]
    for _ in range(100):
        for model, spent in zip(pair, times, strict=True):
            began = process_time()
            look(model)
            spent.append(process_time() - began)
    assert min(times[1]) < 1.1 * min(times[0])
