"""Losses, optimisers, schedules, clipping and stopping against torch and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import chymist as cy
from chymist import losses
from chymist.errors import InputError, UsageError
from chymist.losses import FORMS
from chymist.optim import AT_ONCE, ITERATED
from chymist.parts import part, registered
from chymist.schedules import Span
from chymist.stop import check_monitor

LOSSES = sorted(registered("loss"))
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-3),
    "nesterov": lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9, nesterov=True),
    "bgd": lambda p: torch.optim.SGD(p, lr=1e-3),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-3),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=1e-2),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-3, fused=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-3, foreach=False),
}


def outputs_and_targets(name: str, rows: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    form = FORMS[name]
    outputs = torch.randn(rows, form.outputs(4), generator=generator, dtype=torch.float64)
    if form.task == "regression":
        return outputs, torch.randn(rows, 4, generator=generator, dtype=torch.float64)
    targets = form.targets(torch.arange(rows) % (2 if outputs.shape[1] == 1 else 4))
    return outputs, targets.double() if targets.is_floating_point() else targets


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_the_mean_of_its_examples_and_differentiable(name: str) -> None:
    outputs, targets = outputs_and_targets(name)
    compute = part("loss", name).bind()
    each = compute(outputs, targets, reduction="none")
    assert each.shape == (6,)
    assert compute(outputs, targets).item() == pytest.approx(each.mean().item(), rel=1e-12)
    outputs.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: compute(z, targets), outputs)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_never_broadcasts(name: str) -> None:
    outputs, targets = outputs_and_targets(name)
    compute = part("loss", name).bind()
    for wrong in (targets[:1], targets.reshape(1, -1), targets[..., None]):
        with pytest.raises(InputError, match="do not fit"):
            compute(outputs, wrong)


@given(st.integers(2, 6), st.integers(1, 9), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_cross_entropy_against_its_formula(classes: int, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    logits, labels = random.normal(size=(rows, classes)), random.integers(classes, size=rows)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(rows), labels])
    found = losses.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels), "none")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)
    if classes == 2:  # softmax over two logits is the sigmoid of their difference
        margin = torch.from_numpy(logits[:, 1:] - logits[:, :1])
        again = losses.binary_cross_entropy(margin, torch.from_numpy(labels[:, None] * 1.0), "none")
        np.testing.assert_allclose(again.numpy(), expected, rtol=1e-9)


def test_every_optimizer_has_an_oracle() -> None:
    assert set(registered("optimizer")) == {*OPTIMIZERS, *AT_ONCE, *ITERATED}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_equals_torch_unfused(name: str) -> None:
    def descend(optimizer_of) -> torch.Tensor:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2)).double()
        optimizer = optimizer_of(list(model.parameters()))
        inputs = torch.randn(16, 5, dtype=torch.float64)
        for _ in range(100):
            optimizer.zero_grad()
            model(inputs).square().sum().backward()
            optimizer.step()
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    ours = descend(part("optimizer", name, lr=1e-3).build)
    with torch.random.fork_rng():
        theirs = descend(OPTIMIZERS[name])
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_sgd_with_momentum_by_hand() -> None:
    weight = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    optimizer = cy.optim.sgd(lr=0.1, momentum=0.9).build([weight])
    for _ in range(2):  # loss w^2, gradient 2 w
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    # v1 = 2, w1 = 0.8; v2 = 0.9 * 2 + 1.6 = 3.4, w2 = 0.8 - 0.34
    assert weight.item() == pytest.approx(0.46, abs=1e-12)


@pytest.mark.parametrize(("total", "warmup"), [(100, 0.3), (57, 0.25), (1000, 0.1)])
def test_one_cycle_equals_torch(total: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=total, pct_start=warmup, cycle_momentum=False
    )
    ours = cy.schedules.one_cycle(warmup=warmup).build(Span(total))
    for step in range(total):
        assert ours(step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9), step
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("name", sorted(registered("schedule")))
def test_schedules_stay_in_range_for_any_length(name: str) -> None:
    for total in (1, 2, 3, 10):
        factor = part("schedule", name).build(Span(total))
        assert all(0 < factor(step) <= 1 for step in range(total))


def test_clipping() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    cy.clip.norm(1.0).build([weight])()
    torch.testing.assert_close(weight.grad, torch.tensor([0.6, 0.8]))
    weight.grad = torch.tensor([3.0, -4.0])
    cy.clip.value(0.5).build([weight])()
    torch.testing.assert_close(weight.grad, torch.tensor([0.5, -0.5]))
    weight.grad, other = torch.tensor([3.0, 0.0]), nn.Parameter(torch.zeros(1))
    other.grad = torch.tensor([-4.0])
    cy.clip.unit().build([weight, other])()
    torch.testing.assert_close(weight.grad, torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(other.grad, torch.tensor([-0.8]))
    weight.grad = torch.zeros(2)
    cy.clip.unit().build([weight])()
    assert weight.grad.tolist() == [0.0, 0.0]
    assert cy.clip.none().build([weight]) is None


def test_early_stopping_knows_which_way_is_better() -> None:
    falling = cy.stop.early("val_loss", patience="2 epochs", min_delta=0.1).build(7)
    assert falling.patience == 14
    assert falling.improved(1.0, None)
    assert falling.improved(0.8, 1.0)
    assert not falling.improved(0.95, 1.0)
    rising = cy.stop.early("val_accuracy").build(7)
    assert rising.improved(0.9, 0.8)
    assert not rising.improved(math.nan, 0.8)
    with pytest.raises(UsageError, match="did you mean 'val_loss'"):
        check_monitor("val_los", ["train_loss", "val_loss"])


def test_uninformed_losses() -> None:
    assert FORMS["cross_entropy"].initial(10) == pytest.approx(math.log(10))
    assert FORMS["binary_cross_entropy"].initial(2) == pytest.approx(math.log(2))
