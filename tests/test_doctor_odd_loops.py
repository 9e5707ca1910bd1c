"""Loops and models of odd kinds: watched without error or false alarm, and left bit-identical."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

import chymist as cy
from chymist.doctor import rules
from tests.doctor_loops import (
    EPOCHS,
    TRAIN,
    VALID,
    batches,
    ce,
    loud,
    mlp,
    ordinary,
    step,
    unchanged,
)
from tests.doctor_loops import enough_time as enough_time


# ---------------------------------------------------------------- models of odd kinds
class Several(nn.Module):
    """Takes two inputs, gives a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, left: Tensor, *, right: Tensor) -> dict[str, Any]:
        hidden = self.left(left), self.right(right)
        return {"hidden": hidden, "logits": hidden[0] + hidden[1]}


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.out = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.out.weight = self.inner.weight
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.linear(self.inner(x).relu(), self.out.weight.T))


class Counting(nn.Module):
    """Changes its buffers, draws at random and rescales a weight when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 2)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.zeros(8))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        with torch.no_grad():
            self.layer.weight.mul_(0.9999)
        return self.layer(x - self.mean + 0.01 * torch.randn_like(x))


def hooked() -> nn.Module:
    model = mlp()
    model.heard = []  # type: ignore[assignment]
    model[0].register_forward_hook(lambda m, x, y: model.heard.append(1) or 1.5 * y)
    model[2].register_forward_pre_hook(lambda m, x: (x[0] + 0.1,))
    model[4].weight.register_hook(lambda g: 0.5 * g)
    return model


def normed() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(8, 16)), nn.ReLU(),
                         parametrizations.spectral_norm(nn.Linear(16, 16)), nn.ReLU(),
                         parametrizations.orthogonal(nn.Linear(16, 16)), nn.Linear(16, 2))  # fmt: skip


class Wrapper(nn.Module):
    """As those of parallel training."""

    def __init__(self) -> None:
        super().__init__()
        self.module = mlp()

    def forward(self, *given: Any, **more: Any) -> Any:
        return self.module(*given, **more)


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(16), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))


@pytest.mark.parametrize(
    "make", [Tied, Counting, hooked, normed, Wrapper, lazy, lambda: nn.DataParallel(mlp())],
    ids=["tied", "counting", "hooked", "normed", "wrapper", "lazy", "parallel"],
)  # fmt: skip
def test_odd_models_in_an_ordinary_loop(make: Callable[[], nn.Module]) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = make()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        return ordinary(model, optimizer, watch(model, optimizer, ce, TRAIN, VALID, 32))

    (w,) = unchanged(loop)
    assert len(w.record.probes) >= 2


def test_a_model_that_is_shapes_only_until_it_is_trained() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        with torch.device("meta"):
            model = mlp()
        w = watch(model, None, ce, TRAIN, VALID, 32)
        model.to_empty(device="cpu")
        for module in model:
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        return ordinary(model, torch.optim.Adam(model.parameters(), lr=1e-2), w)

    (w,) = unchanged(loop)
    assert w.record.facts.first is None
    assert w.record.probes
    assert w.record.unmoved == ()


def test_a_model_of_two_inputs_that_gives_a_dictionary() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = Several()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(model, optimizer, ce)
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for x, y in batches(TRAIN, 32, made):
                out = model(x[:, :4], right=x[:, 4:])
                w.step(step(optimizer, ce(out["logits"], y)), {"x": x}, y, out)
            w.epoch(valid_outputs=out, valid_targets=y)
        return [model, optimizer]

    unchanged(loop)


# ---------------------------------------------------------------- loops of odd kinds
def test_lbfgs_calls_its_closure() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = nn.Linear(8, 2)
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
        w = watch(model, optimizer, ce, TRAIN, VALID)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = ce(model(TRAIN[0]), TRAIN[1])
            loss.backward()
            return loss

        for _ in range(20):
            w.step(optimizer.step(closure), *TRAIN)
            with torch.no_grad():
                out = model(VALID[0])
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert {piled for _, piled in w.record.piled} == {False}


@pytest.mark.parametrize("scaled", [False, True])
def test_narrow_precision_accumulation_and_a_frozen_group(scaled: bool) -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = mlp()
        model[1].requires_grad_(False)
        groups = [
            {"params": list(m.parameters()), "lr": lr}
            for m, lr in zip(model, (1e-2, 0, 0, 0, 3e-2), strict=True)
        ]
        optimizer = torch.optim.Adam([g for g in groups if g["params"]])
        scaler = torch.amp.GradScaler("cpu", enabled=scaled, init_scale=256.0)
        w = watch(model, optimizer, ce, TRAIN, VALID, 32)
        made = torch.Generator().manual_seed(0)
        for _ in range(24):
            model.train()
            for n, (x, y) in enumerate(batches(TRAIN, 32, made)):
                with torch.autocast("cpu", torch.bfloat16):
                    out = model(x)
                    loss = ce(out, y) / 2
                scaler.scale(loss).backward()
                if n % 2:
                    scaler.step(optimizer)
                    scaler.update()
                    optimizer.zero_grad()
                    w.step(2 * loss, x, y, out)
            model.eval()
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                out = model(VALID[0])
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        return [model, optimizer]

    (w,) = unchanged(loop)
    assert "1.weight" in w.record.facts.frozen


def test_adversaries_with_a_watcher_each() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        maker, judge = (
            nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8)),
            nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)),
        )
        ends = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in (maker, judge)]
        looks = [watch(m, o) for m, o in zip((maker, judge), ends, strict=True)]
        bce = functional.binary_cross_entropy_with_logits
        made = torch.Generator().manual_seed(0)
        for _ in range(8):
            for real, _y in batches(TRAIN, 32, made):
                fake = maker(torch.randn(len(real), 4))
                lost = bce(judge(real), torch.ones(len(real), 1)) + bce(
                    judge(fake.detach()), torch.zeros(len(real), 1)
                )
                looks[1].step(step(ends[1], lost), real)
                looks[0].step(step(ends[0], bce(judge(fake), torch.ones(len(real), 1))))
        return [maker, judge, *ends]

    assert len(unchanged(loop)) == 2


def test_a_moving_average_of_the_weights_and_sparse_gradients() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = nn.Sequential(nn.EmbeddingBag(50, 8, sparse=True), nn.Linear(8, 2))
        mean = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
        )
        ends = [
            torch.optim.SparseAdam(model[0].parameters(), lr=3e-2),
            torch.optim.Adam(model[1].parameters(), lr=3e-2),
        ]
        made = torch.Generator().manual_seed(0)
        y = torch.arange(200) % 2
        rows = torch.randint(0, 25, (200, 4), generator=made) * 2 + y.unsqueeze(1), y
        w = watch(model, None, ce, rows, rows, 20)
        for epoch in range(EPOCHS):
            for x, t in batches(rows, 20, made):
                out = model(x)
                for optimizer in ends:
                    optimizer.zero_grad()
                loss = ce(out, t)
                loss.backward()
                for optimizer in ends:
                    optimizer.step()
                mean.update_parameters(model)
                w.step(loss, x, t, out)
            if epoch == 0:
                copy.deepcopy(model)(rows[0])  # while hooks are on the model
            with torch.no_grad():
                out = mean(rows[0])
            w.epoch(ce(out, t := rows[1]), out, t)
        return [model, mean, *ends]

    unchanged(loop)


@pytest.mark.hard
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
def test_a_compiled_model_with_a_compiler() -> None:
    def loop(watch: Callable[..., Any]) -> Any:
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        w = watch(compiled := torch.compile(model), optimizer, ce, TRAIN, VALID, 32)
        made = torch.Generator().manual_seed(0)
        for _ in range(EPOCHS):
            for x, y in steady(made):
                out = compiled(x)
                w.step(step(optimizer, ce(out, y)), x, y, out)
            with torch.no_grad():
                out = compiled(VALID[0])
            w.epoch(ce(out, VALID[1]), out, VALID[1])
        return [model, optimizer]

    torch._dynamo.reset()
    unchanged(loop)


def steady(made: torch.Generator) -> Iterator[Any]:
    """Batches of one size: another one would be compiled anew."""
    return ((x, y) for x, y in batches(TRAIN, 32, made) if len(x) == 32)


# ---------------------------------------------------------------- what cannot be looked at
def test_parameters_that_cannot_be_looked_at_end_the_watching_and_not_the_run() -> None:
    model = nn.Linear(8, 2)
    model.narrow = nn.Parameter(torch.zeros(3).to(torch.float8_e4m3fn))
    optimizer = torch.optim.SGD([model.weight, model.bias], lr=0.1)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    made = torch.Generator().manual_seed(0)
    for x, y in batches(TRAIN, 32, made):
        w.step(step(optimizer, ce(model(x), y)), x, y)
    w.epoch(valid_loss=0.1)
    assert loud(w) == []
    assert w.closed
    assert set(w.record.failures) <= {"parameters", "step"}
    assert w.record.failures
    assert not model._forward_pre_hooks


def test_a_rule_that_fails_is_noted_and_the_others_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(seen: Any) -> None:
        raise ValueError("no such rows")

    monkeypatch.setattr(rules, "RULES", (refuses, *rules.RULES))
    y = TRAIN[0].sum(1)
    w = cy.watch(nn.Linear(8, 1), None, functional.mse_loss, (TRAIN[0], y))
    assert [f.code for f in w.findings] == ["shape_broadcast_loss"]
    assert w.record.failures == {"refuses": "ValueError: no such rows"}


def test_rows_of_a_look_come_from_the_whole_of_a_sorted_set() -> None:
    x = torch.arange(1000.0).unsqueeze(1) / 1000
    y = (torch.arange(1000) * 4) // 1000
    model = nn.Linear(1, 4)
    w = cy.watch(model, None, ce, (x, y), (x, y))
    counts = torch.bincount(w.looked[1])
    assert counts.sum() == 256
    assert counts.min() > 40
    probe = w.record.probes[0]
    assert torch.equal(probe.targets, w.looked[1])
    with torch.no_grad():
        expected = float(ce(model(w.looked[0]), w.looked[1]))
    assert probe.loss == pytest.approx(expected)


def test_fit_with_a_lazy_model_of_the_users_own() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.LazyLinear(16), nn.LazyLinear(3)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.second(self.first(x).relu() + 0.01 * torch.randn(16))

    iris = cy.split(cy.load("iris"), seed=0)
    runs = [cy.fit(cy.Recipe(model=lambda *shape: Own(), length="10 epochs"), iris, seed=0, doctor=d)
            for d in (True, False)]  # fmt: skip
    a, b = (run.model.state_dict() for run in runs)
    assert list(a) == list(b)
    assert all(torch.equal(a[name], b[name]) for name in a)
