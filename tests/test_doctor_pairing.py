"""Pairs that a loop feeds are compared with those of the training rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.doctor.pairing import MATCHED, Pairing
from tests.doctor_loops import TRAIN, VALID, batches, ce, mlp, seeded


@given(st.integers(0, 99), st.integers(1, 60), st.integers(1, 200), st.sampled_from([torch.float32, torch.float64, torch.uint8, torch.bool, torch.complex64]))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_rows_are_found_and_changed_targets_are_counted(
    seed: int, rows: int, features: int, kind: torch.dtype
) -> None:
    made = torch.Generator().manual_seed(seed)
    x = (
        (3 * torch.randn(80, features, generator=made))
        .to(torch.complex64 if kind.is_complex else torch.float32)
        .clamp(0, 9)
        if not kind.is_complex
        else torch.randn(80, features, generator=made, dtype=kind)
    )
    x, y = x.to(kind), torch.arange(80)
    drawn = torch.randperm(80, generator=made)[:rows]
    changed = int(torch.randint(0, rows + 1, (), generator=made))
    fed = y[drawn].clone()
    fed[:changed] += 100
    flat = x.flatten(1).tolist()
    alone = [flat.count(flat[int(n)]) == 1 for n in drawn]
    seen = Pairing((x, y)).look(1, x[drawn], fed)
    if not any(alone):
        assert seen is None or seen.found == 0
        return
    assert seen is not None
    # rows whose keys are those of others are left out; none is taken for another
    assert seen.found <= sum(alone)
    assert seen.other <= sum(a for a, n in zip(alone, range(rows), strict=True) if n < changed)
    if features <= 32:
        assert seen.found == sum(alone)
        assert seen.other == sum(alone[:changed])


def test_what_cannot_be_compared_is_silence() -> None:
    x, y = TRAIN
    for inputs, targets in [
        (x[:8] / 2, y[:8].flip(0)), (x[:8] + 1e-7, y[:8].flip(0)), (x[:8, :4], y[:8]), (x[:8], y[:7]),
        (x[:8], functional.one_hot(y[:8])), (x[:8], y[:8].float()), (x[:8].long(), y[:8]), (None, y), ([1], [2]),
        (x[:0], y[:0]), (x[0], y[0]), (x[:8].to_sparse(), y[:8]),
    ]:  # fmt: skip
        assert Pairing((x, y)).look(1, inputs, targets) is None


@pytest.mark.parametrize("kind", [torch.complex64, torch.bfloat16, torch.float16, torch.bool, torch.uint8, torch.float64])  # fmt: skip
def test_targets_of_all_kinds_are_compared(kind: torch.dtype) -> None:
    x, y = torch.arange(20.0).reshape(10, 2), (torch.arange(10) % 2).to(kind).reshape(10, 1)
    seen = Pairing((x, y)).look(1, x, y.roll(1, 0))
    assert seen is not None
    assert (seen.found, seen.other, seen.exchanged) == (10, 10, True)


def test_rows_that_stand_twice_are_left_out() -> None:
    x, y = torch.arange(20.0).reshape(10, 2), torch.arange(10)
    assert Pairing((torch.cat([x, x[:4]]), torch.arange(14))).look(1, x, y).found == 6  # type: ignore[union-attr]


def test_enough_is_enough() -> None:
    pairing = Pairing(TRAIN)
    looks = [pairing.look(n, TRAIN[0][:100], TRAIN[1][:100]) for n in range(9)]
    assert [look is not None for look in looks] == [n * 100 < MATCHED for n in range(9)]
    pairing = Pairing(TRAIN)
    assert all(pairing.look(n, TRAIN[0] + 1, TRAIN[1]) is None for n in range(12))
    assert pairing.look(12, *TRAIN) is None  # given up


def trained(feed: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], epochs: int = 6) -> Any:
    """A watched loop that feeds something else than it takes out of the training rows."""
    model = seeded(mlp)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    made = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        model.train()
        for x, y in batches(TRAIN, 32, made):
            x, y = feed(x, y)
            loss = ce(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss, x, y)
        model.eval()
        with torch.no_grad():
            out = model(VALID[0])
        w.epoch(ce(out, VALID[1]), out, VALID[1])
    return w


def shuffled(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x, y[torch.randperm(len(y))]


def drawn(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x, TRAIN[1][torch.randint(0, len(TRAIN[1]), (len(y),))]


def noisy(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x, torch.where(torch.rand(len(y)) < 0.1, 1 - y, y)


@pytest.mark.parametrize(
    ("feed", "level"),
    [
        (shuffled, "certain"), (drawn, "finding"), (lambda x, y: (x[torch.randperm(len(x))], y), "certain"),
        (lambda x, y: (x, y), None), (lambda x, y: (x, 1 - y), None), (noisy, None),
        (lambda x, y: (x + 0.01 * torch.randn_like(x), y), None),
        (lambda x, y: ((x - 1) / 2, y), None),
        (lambda x, y: (x.flip(0), y.flip(0)), None),
    ],
    ids=["shuffled", "drawn", "inputs", "healthy", "renamed", "noisy", "augmented", "scaled", "together"],
)  # fmt: skip
def test_labels_that_only_the_loader_shuffles(feed: Any, level: str | None) -> None:
    w = trained(feed)
    found = {f.code: f for f in w.findings}
    assert w.record.failures == {}
    if level is None:
        assert found.get("label_misalignment") is None
        return
    said = found["label_misalignment"]
    assert w.findings[0] is said
    assert said.level == level
    assert said.evidence["found"] >= MATCHED
    assert 0.3 < said.evidence["other"] / said.evidence["found"] < 0.7  # type: ignore[operator]
    assert said.claim.startswith(f"{said.evidence['other']} of {said.evidence['found']} rows")


def test_values_in_another_order_are_certain() -> None:
    x, y = TRAIN[0], TRAIN[0].sum(1, keepdim=True)
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    w = cy.watch(model, optimizer, functional.mse_loss, (x, y), None, 32)
    for a, b in batches((x, y), 32, torch.Generator().manual_seed(0)):
        loss = functional.mse_loss(model(a), b.roll(1, 0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        w.step(loss, a, b.roll(1, 0))
    assert (w.findings[0].code, w.findings[0].level) == ("label_misalignment", "certain")
    assert "in another order" in w.findings[0].claim
