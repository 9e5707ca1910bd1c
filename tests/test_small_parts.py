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
from tests.test_population import RECIPE, check_equal, runs_of

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
        targets = torch.randn(rows, 4, generator=generator, dtype=torch.float64)
        return outputs, targets.abs() if form.counts else targets
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


def rows_of(kind: str, rows: int, columns: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    outputs = torch.randn(rows, columns, generator=random, dtype=torch.float64)
    if kind == "classes":
        return outputs, torch.randint(columns, (rows,), generator=random)
    targets = torch.randn(rows, columns, generator=random, dtype=torch.float64)
    return outputs, (targets > 0).double() if kind == "mask" else targets


@given(st.integers(1, 8), st.integers(2, 5), st.integers(0, 999), st.floats(0.1, 3))
@settings(max_examples=40, deadline=None)
def test_losses_against_torch(rows: int, columns: int, seed: int, option: float) -> None:
    functional = nn.functional
    y, t = rows_of("values", rows, columns, seed)
    for ours, theirs in (
        (losses.mae(y, t), functional.l1_loss(y, t)),
        (losses.huber(y, t, delta=option), functional.huber_loss(y, t, delta=option)),
        (losses.half_squared(y, t), functional.mse_loss(y, t, reduction="sum") / 2 / rows),
        (losses.triplet(y, t, y.flip(0), margin=option),
         functional.triplet_margin_loss(y, t, y.flip(0), margin=option, eps=0)),
        (losses.reconstruction(y, t), functional.mse_loss(y, t)),
    ):  # fmt: skip
        torch.testing.assert_close(ours, theirs)
    z, c = rows_of("classes", rows, columns, seed)
    smooth = min(option / 4, 0.9)
    spread = functional.one_hot(c, columns) * (1 - smooth) + smooth / columns
    logs = torch.log_softmax(z, 1)
    expected = functional.kl_div(logs, spread, reduction="batchmean")
    torch.testing.assert_close(
        losses.kl(z, c, label_smoothing=smooth), expected, rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(losses.kl(z, spread), expected)
    torch.testing.assert_close(losses.kl(z, c), losses.cross_entropy(z, c))
    own = logs.exp()[torch.arange(rows), c]
    torch.testing.assert_close(losses.focal(z, c, "none", gamma=option),
                               -((1 - own) ** option) * own.log())  # fmt: skip
    torch.testing.assert_close(losses.focal(z, c, gamma=0.0), losses.cross_entropy(z, c))
    torch.testing.assert_close(losses.iou(z, c, "none"), 1 - own / (2 - own))
    torch.testing.assert_close(losses.dice(z, c, "none"), 1 - own)


@given(st.integers(1, 6), st.integers(2, 12), st.integers(0, 999))
@settings(max_examples=10, deadline=None)
def test_overlaps_of_sure_masks_are_indices_of_scikit_learn(
    rows: int, cells: int, seed: int
) -> None:
    from sklearn.metrics import f1_score, jaccard_score

    y, t = rows_of("mask", rows, cells, seed)
    t[:, 0] = 1  # an empty mask has no index
    sure, found = 1e3 * y.sign(), (y > 0).int()
    expected = [1 - jaccard_score(a, b) for a, b in zip(t.int(), found, strict=True)]
    np.testing.assert_allclose(losses.iou(sure, t, "none"), expected, atol=1e-12)
    expected = [1 - f1_score(a, b) for a, b in zip(t.int(), found, strict=True)]
    np.testing.assert_allclose(losses.dice(sure, t, "none"), expected, atol=1e-12)
    assert bool((losses.dice(y, t, "none") <= losses.iou(y, t, "none") + 1e-12).all())
    empty = torch.zeros_like(t).requires_grad_()
    losses.iou(empty, torch.zeros_like(t), smooth=1.0).backward()
    assert bool((empty.grad > 0).all())


@given(st.integers(2, 6), st.integers(1, 4), st.integers(0, 999), st.floats(0.2, 3))
@settings(max_examples=30, deadline=None)
def test_losses_of_pairs_against_their_formulas(
    rows: int, size: int, seed: int, margin: float
) -> None:
    a, p = rows_of("values", rows, size, seed)
    alike = torch.arange(rows) % 2 == 0
    away = (a - p).square().sum(1).sqrt()
    expected = torch.where(alike, away**2, torch.relu(margin - away) ** 2) / 2
    torch.testing.assert_close(losses.contrastive(a, p, alike, "none", margin), expected)
    products = (a @ p.T).numpy()
    others = np.exp(products - products.diagonal()[:, None]).sum(1)  # with exp(0) of its own
    np.testing.assert_allclose(losses.n_pair(a, p, "none"), np.log(others), rtol=1e-9)
    assert losses.triplet(a, a, p, margin=margin).item() == pytest.approx(
        np.maximum(0, margin - away.numpy()).mean()
    )
    shares = torch.sigmoid(p)
    torch.testing.assert_close(
        losses.reconstruction(a, shares, kind="binary"),
        nn.functional.binary_cross_entropy(torch.sigmoid(a), shares),
    )


def test_losses_of_pairs_refuse_what_does_not_fit() -> None:
    a = torch.zeros(3, 2)
    for call in (lambda: losses.contrastive(a, a, torch.ones(3, 1)), lambda: losses.n_pair(a, a[:2]),
                 lambda: losses.triplet(a, a, a[:, :1])):  # fmt: skip
        with pytest.raises(InputError, match="do not fit"):
            call()
    with pytest.raises(UsageError, match="did you mean 'binary'"):
        losses.reconstruction(a, a, kind="binari")
    zero = a.clone().requires_grad_()  # a distance of 0 has a kink, and no NaN
    losses.contrastive(zero, a, torch.zeros(3)).backward()
    assert bool(torch.isfinite(zero.grad).all())


def test_errors_of_3_and_4_have_four_names() -> None:
    # Course: W68.
    y, t = torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)
    assert losses.mse(y, t).item() == 12.5
    assert losses.half_squared(y, t).item() == 12.5
    assert (y - t).square().sum().item() == 25
    assert (y - t).norm().item() == 5  # the 2-norm has a root; the mean squared error has none


def test_cross_entropy_of_the_course_and_its_gradient() -> None:
    # Course: W38, W62.
    logits = torch.tensor([[0.4, 0.3, 0.05, 0.05, 0.2]], dtype=torch.float64).log().requires_grad_()
    label = torch.tensor([0])
    loss = losses.cross_entropy(logits, label)
    assert loss.item() == pytest.approx(0.916291, abs=1e-6)
    assert loss.item() / math.log(2) == pytest.approx(1.321928, abs=1e-6)  # bits
    loss.backward()
    assert logits.grad[0].tolist() == pytest.approx([-0.6, 0.3, 0.05, 0.05, 0.2])
    sharp = torch.tensor([[0.98, 0.01, 1e-300, 1e-300, 0.01]], dtype=torch.float64).log()
    assert losses.cross_entropy(sharp, label).item() == pytest.approx(0.020203, abs=1e-6)


def test_accuracy_gives_no_gradient_and_jumps_where_cross_entropy_moves() -> None:
    # Course: W39, W40.
    def accuracy(share: float) -> float:
        shares = np.array([[share], [0.9], [0.9], [0.9], [0.1]])
        return cy.metrics.accuracy(np.ones(5, int), np.hstack([1 - shares, shares]).argmax(1))

    assert accuracy(0.4) == accuracy(0.45) == 0.6
    assert -math.log(0.4) == pytest.approx(0.916291, abs=1e-6)
    assert -math.log(0.45) == pytest.approx(0.798508, abs=1e-6)
    assert (accuracy(0.501) - accuracy(0.499)) / 0.002 == pytest.approx(100)


def test_squares_after_softmax_are_flat_where_cross_entropy_is_steep() -> None:
    def slopes(margin: float) -> tuple[float, float]:
        found = []
        for loss in (lambda z: losses.mse(torch.softmax(z, 1), torch.tensor([[1.0, 0.0]]).double()),
                     lambda z: losses.cross_entropy(z, torch.tensor([0]))):  # fmt: skip
            z = torch.tensor([[-margin, margin]], dtype=torch.float64, requires_grad=True)
            loss(z).backward()
            found.append(z.grad.norm().item())
        return found[0], found[1]

    squares, entropy = slopes(8.0)  # surely wrong
    assert squares < 1e-5
    assert entropy == pytest.approx(math.sqrt(2), rel=1e-5)


# Of counts, whose targets are another table: test_irls.py.
ANY_TARGETS = [n for n in LOSSES if FORMS[n].outputs(3) != 1 and not FORMS[n].counts]


@pytest.mark.parametrize("name", ANY_TARGETS)
def test_a_member_of_a_population_of_each_loss(name: str) -> None:
    recipe = RECIPE.replace(loss=name, length="30 steps")
    check_equal(lambda: runs_of(recipe, "table", FORMS[name].task))


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_learns_something(name: str) -> None:
    source = {"regression": "diabetes"}.get(FORMS[name].task, "breast_cancer")
    recipe = cy.Recipe(model="mlp", loss=name, length="4 epochs", batch_size=32, stop="none")
    run = cy.fit(recipe, cy.split(cy.load(source)), seed=0)
    assert run.history["train_loss"][-1, 1] < 0.9 * run.history["train_loss"][0, 1]


def test_decay_shrinks_weights_before_each_step_of_plain_descent() -> None:
    # Course: W83.
    for decay in (1e-4, 1e-3):
        weight = nn.Parameter(torch.tensor([2.0, -3.0], dtype=torch.float64))
        gradient = torch.tensor([0.5, 1.0], dtype=torch.float64)
        weight.grad = gradient.clone()
        expected = (1 - 0.1 * decay) * weight.detach() - 0.1 * gradient
        cy.optim.sgd(lr=0.1, weight_decay=decay).build([weight]).step()
        torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-15)


def test_noise_of_a_gradient_falls_with_the_root_of_the_batch() -> None:
    # Course: W82.
    random = np.random.default_rng(0)
    slopes = random.exponential(size=2000)  # gradients of single rows
    spread = {
        size: random.choice(slopes, (20_000, size)).mean(1).std() for size in (16, 32, 64, 128)
    }
    for size in spread:
        assert spread[size] == pytest.approx(slopes.std() / math.sqrt(size), rel=0.03)
    assert spread[16] / spread[128] == pytest.approx(math.sqrt(8), rel=0.03)
