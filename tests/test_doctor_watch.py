"""Watching: nothing is changed, nothing is said of healthy loops, nothing is raised."""

from __future__ import annotations

import copy
import gc
import math
import random
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.doctor import watching
from chymist.doctor.finding import Finding
from chymist.doctor.probing import first_tensor, norms, probe
from chymist.doctor.restoring import untouched
from chymist.errors import InputError

ce = functional.cross_entropy
LOUD = ("finding", "confirmed", "certain")


def rows(n: int = 400, features: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two classes that a line tells apart, with room between."""
    made = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, generator=made)
    y = (x[:, 0] + x[:, 1] > 0).long()
    x[:, 0] += torch.where(y == 1, 0.5, -0.5)
    return x, y


TRAIN, VALID = rows(), rows(200, seed=1)


class Noisy(nn.Module):
    """Draws from everything that one can draw from, counts its calls and keeps a state."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 2)
        self.generator = torch.Generator().manual_seed(3)
        self.numbers = np.random.default_rng(4)
        self.calls = 0
        self.history: list[float] = []
        self.state = torch.zeros(2)
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.history.append(float(self.numbers.random()))
        self.seen += 1
        self.state.add_(1)
        noise = torch.randn(8, generator=self.generator) * 0.01
        noise = noise * (1 + 0.1 * random.random() + 0.1 * float(np.random.rand()))  # noqa: NPY002
        return self.layer(x + noise) + 0 * self.state.sum()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(4, 8, batch_first=True, num_layers=2, dropout=0.3)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(x.reshape(len(x), 2, 4))[0][:, -1])


class Convolved(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Unflatten(1, (2, 4)), nn.Conv1d(2, 4, 3, padding=1), nn.BatchNorm1d(4),
                         nn.ReLU(), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16, 2))  # fmt: skip


def mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2)
    )


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.Sequential(nn.Unflatten(1, (1, 8)), nn.TransformerEncoder(layer, 1),
                         nn.Flatten(), nn.Linear(8, 2))  # fmt: skip


MODELS: list[Callable[[], nn.Module]] = [mlp, Convolved, Recurrent, Noisy, encoder]


def batches(data: tuple[Tensor, Tensor], size: int, made: torch.Generator) -> Iterator[Any]:
    for chosen in torch.randperm(len(data[0]), generator=made).split(size):
        yield data[0][chosen], data[1][chosen]


def train(
    model: nn.Module,
    watcher: Any = None,
    *,
    epochs: int = 3,
    lr: float = 1e-2,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: Callable[..., Tensor] = ce,
    data: tuple[Tensor, Tensor] = TRAIN,
    valid: tuple[Tensor, Tensor] = VALID,
    each: Callable[[Any], None] = lambda w: None,
) -> list[float]:
    """An ordinary loop; `watcher` is called with the optimiser. The losses."""
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=lr)
    w = watcher(optimizer) if watcher else None
    made, losses = torch.Generator().manual_seed(0), []
    for _ in range(epochs):
        model.train()
        for x, y in batches(data, 32, made):
            outputs = model(x)
            loss = loss_fn(outputs, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if w:
                w.step(loss.detach(), x, y, outputs)
        model.eval()
        with torch.no_grad():
            out = model(valid[0])
        if w:
            w.epoch(valid_loss=float(loss_fn(out, valid[1])), valid_outputs=out,
                    valid_targets=valid[1], train_loss=losses[-1])  # fmt: skip
            each(w)
    return losses


def watching_of(model: nn.Module, **more: Any) -> Callable[[Any], Any]:
    told = {"loss_fn": ce, "train": TRAIN, "valid": VALID, "batch_size": 32} | more
    return lambda optimizer: cy.watch(model, optimizer, **told)


def randomness() -> list[Any]:
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return [torch.get_rng_state().tolist(), [name, np.asarray(keys).tolist(), *rest],
            random.getstate()]  # fmt: skip


def state(model: nn.Module) -> dict[str, Any]:
    """All that can be told of a model, bit for bit."""
    found: dict[str, Any] = {n: t.tolist() for n, t in model.state_dict(keep_vars=True).items()}
    found |= {
        f"grad {n}": p.grad.tolist() for n, p in model.named_parameters() if p.grad is not None
    }
    for name, m in model.named_modules():
        found[f"mode {name}"] = m.training
        found[f"hooks {name}"] = [len(v) for k, v in vars(m).items() if "hooks" in k]
        found[f"names {name}"] = list(vars(m))
    for name, p in model.named_parameters():
        found[f"hooks of {name}"] = len(p._backward_hooks or ())
    if isinstance(model, Noisy):
        found["own"] = (model.calls, model.history, model.state.tolist(),
                        model.generator.get_state().tolist(), model.numbers.bit_generator.state)  # fmt: skip
    return found


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)
    return make()


def loud(w: Any) -> list[str]:
    return [f.code for f in w.findings if f.level in LOUD]


# ---------------------------------------------------------------- nothing is changed
@pytest.mark.parametrize("make", MODELS)
def test_a_run_is_the_same_bit_for_bit_with_and_without(make: Callable[[], nn.Module]) -> None:
    plain = seeded(make)
    losses = train(plain)
    left = randomness()
    watched, held = seeded(make), []

    def factory(optimizer: Any) -> Any:
        held.append(watching_of(watched)(optimizer))
        return held[0]

    assert train(watched, factory, each=lambda w: w.findings and None) == losses
    assert held[0].findings is not None
    assert randomness() == left
    assert state(watched) == state(plain)
    assert len(held[0].record.probes) >= 2  # it did look


def test_a_generator_that_a_module_or_a_loss_only_names_is_not_used_up() -> None:
    inner = torch.Generator().manual_seed(1)

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return ce(outputs + 0.01 * torch.randn(2, generator=inner), targets)

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x + OUTER.random())

    model = Named()
    before = inner.get_state().tolist(), OUTER.getstate()
    w = cy.watch(model, loss_fn=loss_fn, train=TRAIN, valid=VALID)
    assert w.record.facts.first is not None
    assert (inner.get_state().tolist(), OUTER.getstate()) == before


OUTER = random.Random(5)


@given(st.lists(st.sampled_from(["eval", "weights", "buffer", "attribute", "list", "draw", "new",
                                 "hook", "module", "gone"]), max_size=6))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whatever_is_done_inside_is_undone(deeds: list[str]) -> None:
    model = seeded(Noisy)
    do: dict[str, Callable[[], object]] = {
        "eval": model.eval,
        "weights": lambda: model.layer.weight.data.zero_(),
        "buffer": lambda: model.seen.add_(3),
        "attribute": lambda: setattr(model, "calls", 99),
        "list": lambda: model.history.append(1.0),
        "draw": lambda: (torch.rand(1), random.random(), model.numbers.random()),
        "new": lambda: setattr(model, "cache", torch.ones(2)),
        "hook": lambda: model.register_forward_hook(lambda *a: None),
        "module": lambda: model.add_module("more", nn.Linear(1, 1)),
        "gone": lambda: model._modules.pop("layer", None),
    }
    before, random_before = state(model), randomness()
    with untouched(model):
        for deed in deeds:
            if deed != "weights" or "layer" in model._modules:
                do[deed]()
    assert (state(model), randomness()) == (before, random_before)


def test_a_graph_that_waits_survives_a_look() -> None:
    model = seeded(mlp)
    waiting = ce(model(TRAIN[0]), TRAIN[1])
    probe(model, ce, *TRAIN, step=0)
    waiting.backward()
    assert model[0].weight.grad is not None


def test_a_look_inside_autocast_and_inference_mode_leaves_no_cache() -> None:
    model = seeded(mlp)
    with torch.autocast("cpu", torch.bfloat16):
        first = probe(model, ce, *TRAIN, step=0)
        ce(model(TRAIN[0]), TRAIN[1]).backward()  # a cache without gradients would leave none
    assert model[0].weight.grad is not None
    with torch.inference_mode():
        second = probe(model, ce, *TRAIN, step=0)
    assert first is not None
    assert second is not None
    assert first.outputs.dtype == torch.float32
    assert second.gradients


def test_nothing_stays_on_the_model() -> None:
    model = seeded(mlp)
    bare = state(model)

    def hooks() -> int:
        own = sum(len(m._forward_pre_hooks) for m in model.modules())
        return own + sum(len(p._backward_hooks or ()) for p in model.parameters())

    w = cy.watch(model, loss_fn=ce, train=TRAIN)
    assert state(model) == bare
    w.step(0.5)
    assert hooks() == 4  # one for calls, three for gradients
    _ = w.findings
    assert hooks() == 0
    w.step(0.5)
    assert hooks() == 1
    copied = copy.deepcopy(model)
    copied(TRAIN[0])  # a copy tells the watcher of the original nothing
    assert math.isnan(w.ear.called)
    w.close()
    assert hooks() == 0
    w.step(0.5)
    assert hooks() == 0
    with cy.watch(model) as w:
        w.step(0.5)
        assert hooks() == 4
    assert hooks() == 0
    w = cy.watch(model)
    w.step(0.5)
    del w
    gc.collect()
    assert hooks() == 0
    assert state(model) == bare


def test_a_watcher_keeps_no_model_alive_by_a_hook_and_no_tensor_of_a_step() -> None:
    model = seeded(mlp)
    w = cy.watch(model)
    loss = ce(model(TRAIN[0]), TRAIN[1])
    held = weakref.ref(loss)
    w.step(loss, *TRAIN)
    del loss
    assert held() is None


# ---------------------------------------------------------------- healthy loops of all kinds
def test_a_healthy_loop_is_left_in_peace_at_any_time() -> None:
    model, said = seeded(mlp), []
    held: list[Any] = []

    def factory(optimizer: Any) -> Any:
        held.append(watching_of(model)(optimizer))
        return held[0]

    train(model, factory, epochs=12, each=lambda w: said.extend(w.news()))
    assert said == []
    assert loud(held[0]) == []
    record = held[0].record
    assert len(record.losses) == 12 * 13
    assert record.epochs[0].differs == 0.0
    assert {piled for _, piled in record.piled} == {False}
    assert len(record.piled) >= 6


def frozen() -> nn.Module:
    model = mlp()
    model[0].requires_grad_(False)
    return model


def double() -> nn.Module:
    return mlp().double()


class Pair(nn.Module):
    """Gives a tuple, or a dictionary."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.layer, self.kind = nn.Linear(8, 2), kind

    def forward(self, x: Tensor) -> Any:
        out = self.layer(x)
        return (out, x) if self.kind is tuple else {"hidden": x, "logits": out}


def told(w: Any, losses: list[float]) -> list[str]:
    assert w.record.losses == losses
    return loud(w)


@pytest.mark.parametrize(
    ("make", "loss_fn", "kind"),
    [
        (frozen, ce, torch.float32),
        (double, ce, torch.float64),
        (lambda: Pair(tuple), lambda out, y: ce(out[0], y), torch.float32),
        (lambda: Pair(dict), lambda out, y: ce(out["logits"], y), torch.float32),
        (lambda: nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.Linear(16, 2)), ce, torch.float32),
        (lambda: nn.Linear(8, 1), lambda out, y: functional.binary_cross_entropy_with_logits(out[:, 0], y.float()), torch.float32),
    ],
)  # fmt: skip
def test_models_of_all_kinds(make: Any, loss_fn: Any, kind: torch.dtype) -> None:
    def run(watched: bool) -> tuple[nn.Module, list[float], Any]:
        model, held = seeded(make), []
        data, valid = (TRAIN[0].to(kind), TRAIN[1]), (VALID[0].to(kind), VALID[1])
        factory = watching_of(model, loss_fn=loss_fn, train=data, valid=valid)
        losses = train(model, (lambda o: held.append(factory(o)) or held[0]) if watched else None,
                       epochs=12, loss_fn=loss_fn, data=data, valid=valid)  # fmt: skip
        return model, losses, held[0] if watched else None

    plain, expected, _ = run(False)
    model, losses, w = run(True)
    assert losses == expected
    assert told(w, losses) == []
    assert state(model) == state(plain)
    assert w.record.probes  # something was seen of each of them


def test_groups_accumulation_and_two_optimizers() -> None:
    torch.manual_seed(0)
    model = nn.ModuleDict({"a": nn.Linear(8, 2), "b": nn.Linear(8, 2)})
    groups = [{"params": [p], "lr": 1e-2} for p in model["a"].parameters()]
    mine, other = torch.optim.Adam(groups), torch.optim.Adam(model["b"].parameters(), lr=1e-2)
    w = cy.watch(model, mine)
    made = torch.Generator().manual_seed(0)
    for _ in range(6):
        for n, (x, y) in enumerate(batches(TRAIN, 8, made)):
            loss = ce(model["a"](x), y) + ce(model["b"](x), y)
            loss.backward()
            if n % 10 == 9:  # accumulated, and not divided
                mine.step()
                other.step()
                w.step(loss, x, y)
                mine.zero_grad()
                other.zero_grad(set_to_none=False)
    assert {piled for _, piled in w.record.piled} == {False}
    assert loud(w) == []


@pytest.mark.parametrize("clear", [True, False])
def test_gradients_that_are_never_cleared_are_told_exactly(clear: bool) -> None:
    model = seeded(mlp)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    for x, y in batches(TRAIN, 32, torch.Generator().manual_seed(0)):
        if clear:
            optimizer.zero_grad()
        loss = ce(model(x), y)
        loss.backward()
        optimizer.step()
        w.step(loss, x, y)
    assert [piled for _, piled in w.record.piled] == [not clear] * 8
    assert ("missing_zero_grad" in loud(w)) is not clear


def test_mixed_precision_with_a_scaler_that_skips_steps() -> None:
    model = seeded(mlp)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)  # infinite at first
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    made = torch.Generator().manual_seed(0)
    for _ in range(10):
        model.train()
        for x, y in batches(TRAIN, 32, made):
            with torch.autocast("cpu", torch.bfloat16):
                out = model(x)
                loss = 100 * ce(out, y)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            w.step(loss, x, y, out)
        model.eval()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            out = model(VALID[0])
        w.epoch(ce(out, VALID[1]), out, VALID[1])
    assert w.record.ratios[0][1] == 0  # the first steps were skipped
    assert all(math.isfinite(norm) for _, norm in w.record.norms)
    assert loud(w) == []


class Adversaries(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.made, self.judge = (
            nn.Linear(4, 8),
            nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)),
        )


@pytest.mark.parametrize("watched", ["made", "judge", "both"])
def test_a_loop_of_two_optimizers(watched: str) -> None:
    torch.manual_seed(0)
    both = Adversaries()
    bce = functional.binary_cross_entropy_with_logits
    maker = torch.optim.Adam(both.made.parameters(), lr=1e-3)
    judge = torch.optim.Adam(both.judge.parameters(), lr=1e-3)
    w = cy.watch(
        both if watched == "both" else getattr(both, watched),
        judge if watched == "judge" else maker,
    )
    for _ in range(60):
        real, fake = TRAIN[0][:32], both.made(torch.randn(32, 4))
        judge.zero_grad()
        first = bce(both.judge(real), torch.ones(32, 1)) + bce(
            both.judge(fake.detach()), torch.zeros(32, 1)
        )
        first.backward()
        judge.step()
        maker.zero_grad()
        second = bce(both.judge(fake), torch.ones(32, 1))
        second.backward()
        maker.step()
        w.step(first if watched == "judge" else second)
    assert {piled for _, piled in w.record.piled} == {False}
    assert loud(w) == []


def test_sparse_embeddings_of_which_few_rows_are_touched() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.EmbeddingBag(50_000, 4, sparse=True, mode="sum"))
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.1)
    x, y = torch.randint(7, 40, (200, 3)), torch.zeros(200, dtype=torch.long)
    y[:100] = 1
    w = cy.watch(model, optimizer, ce, (x, y), (x, y), 20)
    for _ in range(30):
        loss = ce(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.step(loss, x, y)
    assert "no_update" not in [f.code for f in w.findings]
    assert w.record.unmoved == ()
    assert w.record.norms


def test_tokens_sequences_pictures_and_odd_targets() -> None:
    torch.manual_seed(0)
    tokens = torch.randint(0, 11, (64, 7))

    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Embedding(11, 8)
            self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.head = nn.Linear(8, 11)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.encoder(self.inner(x)))

    def of_tokens(out: Tensor, y: Tensor) -> Tensor:
        return ce(out.transpose(1, 2), y)

    pictures = torch.randn(64, 6, 6, 3).permute(0, 3, 1, 2)  # not contiguous
    dense = nn.Conv2d(3, 2, 3, padding=1).to(memory_format=torch.channels_last)
    cases: list[tuple[nn.Module, Any, Tensor, Tensor]] = [
        (Language(), of_tokens, tokens, tokens.roll(1, 1)),
        (dense, ce, pictures, (pictures[:, 0] > 0).long()),
        (nn.Linear(8, 8), functional.mse_loss, TRAIN[0][:64], TRAIN[0][:64].flip(1)),
        (nn.Linear(8, 3), functional.mse_loss, TRAIN[0][:64], torch.rand(64, 3)),
    ]
    for model, loss_fn, x, y in cases:
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = cy.watch(model, optimizer, loss_fn, (x, y), (x, y), 32)
        for _ in range(3):
            for a, b in batches((x, y), 32, torch.Generator().manual_seed(0)):
                out = model(a)
                loss = loss_fn(out, b)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                w.step(loss, a, b, out)
            model.eval()
            out = model(x)
            w.epoch(loss_fn(out, y).detach(), out.detach(), y, loss.detach())
            model.train()
        assert len(w.record.probes) >= 2
        assert "certain" not in {f.level for f in w.findings}, w.findings


def test_units_are_the_last_axis_behind_affine_maps_and_the_second_behind_convolutions() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
    seen = probe(model, lambda out, y: out.mean(), torch.randn(6, 3, 4), torch.zeros(6), 0)
    assert seen is not None
    assert [layer.units for layer in seen.layers] == [5, 5]
    model = nn.Sequential(nn.Conv1d(4, 5, 1), nn.ReLU())
    seen = probe(model, lambda out, y: out.mean(), torch.randn(6, 4, 3), torch.zeros(6), 0)
    assert seen is not None
    assert [layer.units for layer in seen.layers] == [5, 5]


def test_a_model_of_several_inputs_is_watched_without_rows() -> None:
    torch.manual_seed(0)
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    source, target = torch.randn(4, 5, 8), torch.randn(4, 3, 8)
    w = cy.watch(model, optimizer, functional.mse_loss)
    for _ in range(20):
        out = model(source, target)
        loss = functional.mse_loss(out, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.step(loss, (source, target), {"y": target}, out)
    w.epoch(valid_loss=loss.item(), valid_outputs=(out,), valid_targets=None)
    assert loud(w) == []


class Refusing(nn.Module):
    """Takes batches of one size only, and refuses in its own way."""

    def __init__(self, problem: type[Exception]) -> None:
        super().__init__()
        self.layer, self.problem = nn.Linear(8, 2), problem

    def forward(self, x: Tensor) -> Tensor:
        if len(x) != 40:
            raise self.problem("only 40 rows")
        return self.layer(x)


@pytest.mark.parametrize("problem", [RuntimeError, AssertionError, KeyError, ZeroDivisionError])
def test_a_model_that_cannot_be_probed_is_watched_all_the_same(problem: type[Exception]) -> None:
    torch.manual_seed(0)
    model = Refusing(problem)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID)
    for n in range(60):
        x, y = (part[n % 10 * 40 :][:40] for part in TRAIN)
        loss = ce(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.step(loss, x, y)
    assert w.record.facts.first is None
    assert w.record.ratios
    assert loud(w) == []
    assert cy.watch(Refusing(problem), loss_fn=ce, train=TRAIN, batch_size=40).record.probes


def test_warnings_of_looks_are_not_the_users() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w = cy.watch(
            nn.Linear(8, 1), loss_fn=functional.mse_loss, train=(TRAIN[0], TRAIN[1].float())
        )
        assert w.findings[0].code == "shape_broadcast_loss"


def test_a_compiled_model() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    counted: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        counted.append(1)
        return graph.forward

    compiled = torch.compile(model, backend=backend)
    losses = train(compiled, watching_of(compiled), epochs=4)  # type: ignore[arg-type]
    with_doctor = len(counted)
    counted.clear()
    torch._dynamo.reset()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    assert train(torch.compile(model, backend=backend), epochs=4) == losses  # type: ignore[arg-type]
    assert with_doctor == len(counted)  # looks compile nothing
    torch._dynamo.reset()


def test_a_graph_network_of_another_package() -> None:
    geometric = pytest.importorskip("torch_geometric.nn")
    torch.manual_seed(0)
    model, edges = geometric.GCNConv(8, 2), torch.randint(0, 400, (2, 1200))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    w = cy.watch(model, optimizer, ce)
    for _ in range(30):
        loss = ce(model(TRAIN[0], edges), TRAIN[1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.step(loss, (TRAIN[0], edges), TRAIN[1])
    assert loud(w) == []


def test_a_keras_model_on_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    torch.manual_seed(0)
    layers = keras.layers
    model = keras.Sequential([layers.Input((8,)), layers.Dense(16, "relu"),
                              layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(2)])  # fmt: skip
    assert loud(cy.watch(model, None, ce, TRAIN, VALID, 32)) == []


# ---------------------------------------------------------------- what is recorded
def test_signals_are_right() -> None:
    model = nn.Linear(8, 2, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    expected, sizes = [], []
    for x, y in batches(TRAIN, 40, torch.Generator().manual_seed(0)):
        loss = ce(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        old = model.weight.detach().clone()
        optimizer.step()
        w.step(loss, x, y)
        expected.append(float((model.weight.detach() - old).norm() / old.norm()))
        sizes.append(model.weight.grad.norm().item())
    assert [at for at, _ in w.record.ratios] == list(range(1, 11))
    assert [v for _, v in w.record.ratios] == pytest.approx(expected, rel=1e-5)
    assert [v for _, v in w.record.norms] == pytest.approx(sizes, rel=1e-5)
    assert 0.8 < float(np.median(w.record.mixed)) < 1.2


def test_waiting_is_told_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("chymist.doctor.watching.perf_counter", lambda: clock[0])
    monkeypatch.setattr("chymist.doctor.hearing.perf_counter", lambda: clock[0])
    model = nn.Linear(8, 2)
    w = cy.watch(model)
    for _ in range(100):
        clock[0] += 3.0
        model(TRAIN[0])
        clock[0] += 1.0
        w.step(0.5)
    assert w.record.waiting == [3.0] * watching.TIMED
    assert w.record.working == [1.0] * watching.TIMED
    assert [f.code for f in w.findings] == ["data_loading_bound"]


@pytest.mark.parametrize(("mode", "wrong"), [(True, True), (False, False)])
def test_the_mode_of_validation_is_heard(mode: bool, wrong: bool) -> None:
    model = seeded(mlp)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    for _ in range(2):
        model.train()
        for x, y in batches(TRAIN, 32, torch.Generator().manual_seed(0)):
            loss = ce(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss, x, y)
        model.train(mode)
        with torch.no_grad():
            out = model(VALID[0])
        w.epoch(ce(out, VALID[1]), out, VALID[1])
    assert ("train_eval_mode" in loud(w)) is wrong
    # outputs of another model, as of averaged weights, are nobody's mistake
    with torch.no_grad():
        other = seeded(mlp)(VALID[0])
    w.epoch(1.0, other, VALID[1])
    assert math.isnan(w.record.epochs[-1].differs)


def test_the_first_bad_step_is_known() -> None:
    w = cy.watch(nn.Linear(8, 2))
    w.step(0.5, TRAIN[0])
    w.step(math.nan, TRAIN[0] * math.inf)
    w.step(math.nan, TRAIN[0])
    assert (w.record.bad_step, w.record.bad_inputs) == (2, True)


def test_losses_that_wait_on_a_device_are_read_in_time() -> None:
    w = cy.watch(nn.Linear(8, 2))
    w.step(1.0)
    w.pending += [torch.tensor(2.0), torch.tensor([math.nan])]
    w.at += 2
    w.epoch(valid_loss=torch.tensor(1.0))
    assert w.record.losses[:2] == [1.0, 2.0]
    assert w.record.bad_step == 3


def test_facts_of_large_sets_are_made_of_a_part_with_all_that_stand_twice() -> None:
    made = torch.Generator().manual_seed(0)
    x, y = torch.randn(9000, 1000, generator=made), torch.arange(9000) % 2
    valid = torch.cat([torch.randn(150, 1000, generator=made), x[8801:8851]])
    train_part, valid_part = watching._portions((x, y), (valid, y[:200]))
    assert train_part is not None
    assert valid_part is not None
    assert len(train_part[0]) < 2100
    w = cy.watch(nn.Linear(1000, 2), train=(x, y), valid=(valid, y[:200]))
    assert w.record.facts.data.shared == pytest.approx(0.25)
    assert w.record.facts.data.rows == 9000


# ---------------------------------------------------------------- the governor, and news
def test_looks_stop_when_the_doctor_has_had_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FREE", 0.0)
    model = seeded(mlp)
    w = watching_of(model)(None)
    for _ in range(20):
        w.epoch(valid_loss=1.0)
    assert len(w.record.probes) == 1
    _ = w.findings  # asked for: it looks
    w.at += 1
    _ = w.findings
    assert len(w.record.probes) == 2
    assert w.record.spent > 0


def test_a_large_model_is_looked_at_with_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watching_of(seeded(mlp))(None).rows == 256
    monkeypatch.setattr(watching, "BLINK", 0.0)
    assert watching_of(seeded(mlp))(None).rows == 4


def test_a_long_run_is_remembered_in_a_bounded_room() -> None:
    w = watching_of(seeded(mlp))(None)
    for at in range(1, 400):
        w.at = at
        w._look()
    assert len(w.record.probes) <= watching.PROBES
    assert w.record.probes[0].step == 0
    assert w.record.probes[-1].step == 399
    steps = [p.step for p in w.record.probes]
    assert steps == sorted(steps)


def test_reading_twice_looks_once() -> None:
    w = watching_of(seeded(mlp))(None)
    w.step(0.5)
    assert w.findings == w.findings
    assert len(w.record.probes) == 2
    assert len(w.record.references) <= 1


def test_news_is_told_once_and_harm_only_when_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    w = cy.watch(nn.Linear(8, 2))
    found = [Finding("symmetric_init", "certain", ""), Finding("lr_too_high", "finding", ""),
             Finding("dead_relu", "observation", "")]  # fmt: skip
    monkeypatch.setattr(watching, "findings_of", lambda *a: found)
    heard = []
    for at in range(1, 41):
        w.step(1.0 / at if at < 10 else 0.1)
        heard += [(at, f.code) for f in w.news()]
    # falling until step 10, where waiting starts anew at doublings: 1, 2, 4, 8, 16, 32
    assert heard == [(1, "symmetric_init"), (32, "lr_too_high")]


# ---------------------------------------------------------------- wrong calls
@pytest.mark.parametrize(
    ("words", "part"),
    [
        ({"model": "resnet"}, "watch(model=)"),
        ({"optimizer": 0.1}, "watch(optimizer=)"),
        ({"loss_fn": "mse"}, "watch(loss_fn=)"),
        ({"batch_size": 0}, "watch(batch_size=)"),
        ({"train": TRAIN[0]}, "watch(train=)"),
        ({"train": (TRAIN[0], TRAIN[1][:5])}, "(400, 8), (5,)"),
        ({"valid": ([1.0], [2])}, "watch(valid=)"),
        ({"valid": {"x": 1}}, "dict"),
    ],
)
def test_wrong_arguments_are_said_in_one_line(words: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as problem:
        cy.watch(**({"model": nn.Linear(8, 2)} | words))
    line = str(problem.value)
    assert part in line
    assert "\n" not in line
    assert len(line) <= 200


@pytest.mark.parametrize("loss", ["low", None, torch.zeros(3), [1.0]])
def test_a_loss_is_one_number(loss: Any) -> None:
    with pytest.raises(InputError, match="not one number, in loss"):
        cy.watch(nn.Linear(8, 2)).step(loss)


def test_arrays_are_taken_as_rows() -> None:
    x, y = TRAIN[0].double().numpy(), TRAIN[1].numpy()
    w = cy.watch(nn.Linear(8, 2), loss_fn=ce, train=(x, y), valid=(x, y))
    assert w.record.facts.first is not None


# ---------------------------------------------------------------- small parts
def test_norms_of_all_kinds() -> None:
    i = torch.tensor([[0, 0]])
    sparse = torch.sparse_coo_tensor(i, torch.tensor([3.0, 1.0]), (5,), check_invariants=False)
    half = torch.full((100_000,), 300.0, dtype=torch.float16)  # its squares are beyond the type
    assert norms([sparse, half, torch.ones(4, dtype=torch.float64)]) == pytest.approx(
        [4.0, 300 * math.sqrt(100_000), 2.0], rel=1e-3
    )


def test_the_tensor_of_an_output() -> None:
    a, b = torch.zeros(1), torch.ones(1)
    assert first_tensor((None, a, b)) is a
    assert first_tensor({"loss": a, "logits": b}) is b
    with pytest.raises(TypeError):
        first_tensor("nothing")


def test_samples_do_not_copy_a_tensor_and_fingerprints_see_one_bit() -> None:
    values = torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
    spread = watching._spread(values, 6)
    assert len(spread) == 6
    assert spread.untyped_storage().data_ptr() == values.untyped_storage().data_ptr()
    for kind in (torch.float32, torch.float64, torch.bfloat16, torch.complex64):
        ones = torch.ones(1000, dtype=kind)
        before = watching._fingerprint(ones)
        ones[700] = 1.01
        assert not torch.equal(before, watching._fingerprint(ones))
