"""Loops of all kinds are watched without an error and without a false alarm."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.doctor.probing import probe
from tests.doctor_loops import (
    TRAIN,
    VALID,
    batches,
    ce,
    loud,
    mlp,
    seeded,
    state,
    train,
    watching_of,
)
from tests.doctor_loops import enough_time as enough_time


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


@pytest.mark.parametrize("inside", [False, True])
def test_a_compiled_model(inside: bool) -> None:
    counted: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        counted.append(1)
        return graph.forward

    def run(watched: bool) -> tuple[list[float], int]:
        torch._dynamo.reset()
        counted.clear()
        torch.manual_seed(0)
        model: Any = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
        if inside:
            model.compile(backend=backend)
        else:
            model = torch.compile(model, backend=backend)
        return train(model, watching_of(model) if watched else None, epochs=4), len(counted)

    assert run(True) == run(False)  # looks compile nothing
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
