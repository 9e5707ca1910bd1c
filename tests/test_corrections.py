"""What the notes of the course get wrong, shown; docs/corrections.md lists these and others."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.engine.closed_form import least_squares
from chymist.errors import ChymistError, UsageError
from chymist.evidence import score
from chymist.parts import registered
from chymist.values import Predictions


def deep(activation: str, scale: float, depth: int = 12) -> nn.Sequential:
    """A deep narrow network whose weights are N(0, scale^2 / fan-in)."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(16, 16), cy.part("activation", activation).build(None)]
    model = nn.Sequential(*layers, nn.Linear(16, 2)).double()
    random = torch.Generator().manual_seed(0)
    for name, values in model.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(values, 0, scale / 4, random)
        else:
            nn.init.zeros_(values)
    return model


def first_slope(model: nn.Sequential, loss: str) -> float:
    """Length of the gradient of the first layer."""
    rows = torch.randn(64, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    outputs = model(rows)
    if loss == "cross_entropy":
        cy.losses.cross_entropy(outputs, torch.arange(64) % 2).backward()
    else:
        cy.losses.mse(outputs, torch.eye(2, dtype=torch.float64)[torch.arange(64) % 2]).backward()
    first = model[0].get_parameter("weight").grad
    assert first is not None
    return first.norm().item()


def test_early_stopping_cannot_watch_the_test_rows() -> None:
    # Claims C023, C024, C097, C338; contradictions X07, X08.
    split = cy.split(cy.load("iris"), test=0.2, valid=0.2, seed=0)
    for monitor in ("test_loss", "test_accuracy"):
        recipe = cy.Recipe(model="softmax", stop=cy.stop.early(monitor, patience="2 epochs"))
        with pytest.raises(UsageError):
            cy.fit(recipe, split)
    rule = cy.stop.early("val_loss", patience="2 epochs")
    run = cy.fit(cy.Recipe(model="softmax", stop=rule, length="5 epochs"), split)
    assert run.score.selected_on == "val_loss"
    other = replace(split, test=split.test[:5])  # what the test rows are changes nothing
    again = cy.fit(cy.Recipe(model="softmax", stop=rule, length="5 epochs"), other)
    assert np.array_equal(again.predictions.outputs, run.predictions.outputs)


def test_a_regression_does_not_classify() -> None:
    # Claim C047.
    for recipe in (cy.Recipe(model="linear", loss="cross_entropy"), cy.Recipe(model="logistic")):
        with pytest.raises(ChymistError):
            cy.fit(recipe, cy.load("diabetes"))


def test_more_test_rows_only_sharpen_the_estimate() -> None:
    # Claim C096: more training rows lower the error; more test rows narrow its interval.
    random = np.random.default_rng(0)
    truth = random.normal(size=20)

    def rows(n: int) -> tuple[np.ndarray, np.ndarray]:
        x = random.normal(size=(n, 20))
        return x, x @ truth + random.normal(size=n)

    def error(train: int, test: int) -> tuple[float, float]:
        values, widths = [], []
        for _ in range(30):
            (x, y), (new, wanted) = rows(train), rows(test)
            found = np.linalg.lstsq(x, y, rcond=None)[0]
            made = score(Predictions(np.arange(test), wanted, new @ found), "rmse", "test")
            values.append(made.value)
            widths.append(made.high - made.low)
        return float(np.mean(values)), float(np.mean(widths))

    few, more_test, more_train = error(30, 50), error(30, 800), error(300, 50)
    assert more_test[0] == pytest.approx(few[0], rel=0.1)
    assert more_test[1] < few[1] / 3
    assert more_train[0] < 0.7 * few[0]


def test_descent_promises_no_optimum() -> None:
    # Claims C153, C036, C040, C327, C370; contradiction X21.
    def end(start: float, rate: float, momentum: float = 0.0) -> float:
        w = nn.Parameter(torch.tensor([start], dtype=torch.float64))
        optimizer = cy.optim.sgd(lr=rate, momentum=momentum).build([w])
        for _ in range(500):
            optimizer.zero_grad()
            (w**4 - 2 * w**2 + 0.3 * w).sum().backward()  # two valleys; the left one is deeper
            optimizer.step()
        return w.item()

    assert end(1.5, 0.01) > 0.9  # stays in the worse valley
    assert end(-1.5, 0.01) < -0.9
    assert end(1.5, 0.01, 0.95) < -0.9  # momentum carries it over
    assert end(-1.9, 0.02, 0.9) > 0.9  # and out of the better one as well
    # A step along the negative gradient lowers a convex loss only if it is short enough.
    for rate, lower in ((0.5, True), (1.5, False)):
        w = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
        optimizer = cy.optim.bgd(lr=rate).build([w])
        w.square().sum().backward()
        optimizer.step()
        assert (w.item() ** 2 < 1) == lower


def test_single_rows_at_a_fixed_rate_go_on_around_the_optimum() -> None:
    # Claims C153, C270: the mean square of the distance settles at a floor that grows with the rate.
    def floor(rate: float, momentum: float = 0.0) -> float:
        random = np.random.default_rng(0)
        w, speed, distances = 0.0, 0.0, []
        for _ in range(20_000):
            speed = momentum * speed + (w - random.normal())  # gradient of one row
            w -= rate * speed
            distances.append(w * w)
        return float(np.mean(distances[2000:]))

    assert floor(0.1) == pytest.approx(0.1 / (2 - 0.1), rel=0.1)  # rate / (2 - rate) of the noise
    assert floor(0.01) < floor(0.1) / 5
    assert floor(0.1, 0.9) > 5 * floor(0.1)  # momentum at the same rate: more noise, not less


def test_cross_entropy_is_a_loss_and_no_activation() -> None:
    # Claim C215; contradiction X41.
    assert "cross_entropy" in registered("loss")
    assert "cross_entropy" not in registered("activation")


def test_gradients_vanish_by_activation_and_start_not_by_the_loss() -> None:
    # Claims C285, C064, C062, C303; contradictions X19, X20.
    for loss in ("cross_entropy", "mse"):
        sigmoid, tanh, relu = (
            first_slope(deep(name, scale), loss)
            for name, scale in (("sigmoid", 1.0), ("tanh", 1.0), ("relu", math.sqrt(2)))
        )
        assert sigmoid < 1e-6, loss
        assert tanh > 0.05, loss
        assert relu > 0.05, loss
        assert first_slope(deep("tanh", 0.2), loss) < 1e-6  # the start alone does it too
    assert first_slope(deep("relu", 5.0), "mse") > 1e6  # large weights explode
    rows = torch.randn(64, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    squashed = deep("sigmoid", 1.0)(rows)
    assert squashed.std(0).max() < 1e-4  # every row looks alike in the end


def test_explosion_comes_from_large_weights() -> None:
    # Claims C305, C317, C064: a gradient of 0 explodes nowhere; the loss is high, not low.
    relu = cy.activations.relu().build(None)
    x = torch.tensor([-3.0, -0.1], requires_grad=True)
    relu(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 0]
    rows = torch.randn(64, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    losses = {}
    for scale in (math.sqrt(2), 10.0):
        model = deep("relu", scale)
        losses[scale] = cy.losses.mse(model(rows), torch.zeros(64, 2, dtype=torch.float64))
        losses[scale].backward()
        steepest = max(p.grad.norm().item() for p in model.parameters() if p.grad is not None)
        assert (steepest > 1e6) == (scale == 10.0)
    assert losses[10.0] > 1e6 * losses[math.sqrt(2)]


def test_relu_is_the_default_of_feed_forward_networks_and_learns_where_sigmoid_does_not() -> None:
    # Claims C247, C410, C099; contradictions X11, X12.
    assert "relu" in str(registered("model")["mlp"].options["activation"].default)
    split = cy.split(cy.load("digits"), test=0.2, valid=0.2, seed=0)
    found = {}
    for name in ("relu", "sigmoid"):
        model = cy.models.mlp(hidden=(32,) * 6, activation=name)
        found[name] = cy.fit(cy.Recipe(model=model, length="10 epochs"), split).score
    assert found["relu"].low > 0.8
    assert found["sigmoid"].high < 0.4


def test_cross_validation_changes_no_model() -> None:
    # Claim C337.
    data = cy.load("iris")
    split, recipe = cy.split(data, seed=0), cy.Recipe(model="softmax", length="5 epochs")
    before = cy.fit(recipe, split)
    cy.cross_validate(recipe, data, folds=3)
    after = cy.fit(recipe, split)
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.model.parameters(), after.model.parameters(), strict=True)
    )


def test_the_rule_of_the_notes_takes_a_dome_for_convex() -> None:
    # Claim C034; contradiction X49: the chord of -x^2 does not meet the graph between its ends.
    share = np.linspace(0.01, 0.99, 99)
    x = -1 + 3 * share
    for sign in (1, -1):
        chord = sign * (1 + share * (4 - 1))
        assert (np.abs(chord - sign * x**2) > 0).all()  # "does not meet": true of both
    assert cy.maths.midpoint_convex(lambda x: x**2, -1, 2)
    assert not cy.maths.midpoint_convex(lambda x: -(x**2), -1, 2)


def test_absolute_errors_pull_by_the_sign_of_the_input() -> None:
    # Claim C046: the slope is -sign(residual) x, so weights rise or fall by the sign of x.
    for x, expected in ((2.0, -2.0), (-2.0, 2.0)):
        w = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
        cy.losses.mae(w * x, torch.ones(1, 1, dtype=torch.float64)).backward()
        assert w.grad is not None
        assert w.grad.item() == expected  # prediction below the truth both times


def test_the_least_loss_of_soft_targets_is_their_entropy() -> None:
    # Claims C030, C053.
    target = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
    entropy = cy.maths.entropy(target[0].numpy())
    assert cy.maths.cross_entropy(target[0].numpy(), target[0].numpy()) == pytest.approx(entropy)
    assert cy.losses.kl(target.log(), target).item() == pytest.approx(0, abs=1e-12)
    assert entropy > 0.8


def test_the_zero_norm_is_no_norm() -> None:
    # Claim C373.
    assert cy.maths.vector_norm([2, 4], 0) == cy.maths.vector_norm([1, 2], 0) == 2


def test_products_and_broadcasting() -> None:
    # Claims C289, C290, C436: @ is matmul, mul is elementwise, and other shapes fail.
    a, b = torch.arange(6.0).reshape(2, 3), torch.arange(12.0).reshape(3, 4)
    assert torch.equal(a @ b, torch.mm(a, b))
    assert torch.matmul(torch.ones(5, 2, 3), b).shape == (5, 2, 4)
    with pytest.raises(RuntimeError):
        torch.mm(torch.ones(5, 2, 3), b)
    assert torch.mul(a, a).tolist() == (a * a).tolist()
    with pytest.raises(RuntimeError):
        torch.mul(a, b)


def test_units_of_elu_can_be_as_good_as_dead() -> None:
    # Claims C079, C080.
    x = torch.tensor([-30.0, -1.0], requires_grad=True)
    cy.activations.elu().build(None)(x).sum().backward()
    assert x.grad is not None
    assert 0 < x.grad[0] < 1e-12
    assert x.grad[1] == pytest.approx(math.exp(-1))


def test_a_loss_with_a_hinge_alone_knows_no_margin() -> None:
    # Claim C091: once all rows are beyond 1, longer weights cost nothing without the norm.
    scores, labels = torch.tensor([[2.0], [-2.0]]), torch.tensor([1, 0])
    assert (
        cy.losses.hinge(scores, labels).item() == cy.losses.hinge(10 * scores, labels).item() == 0
    )


def test_dropout_leaves_the_number_of_parameters() -> None:
    # Claim C004.
    counts = set()
    for p in (0.0, 0.5):
        model = cy.models.mlp(hidden=(8,), dropout=p)
        run = cy.fit(cy.Recipe(model=model, length="1 step"), cy.load("iris"))
        counts.add(sum(values.numel() for values in run.model.parameters()))
    assert len(counts) == 1


def test_the_bias_is_the_weight_of_a_constant_input() -> None:
    # Claim C400.
    random = np.random.default_rng(0)
    x = random.normal(size=(30, 2))
    y = x @ [1.0, 2.0] + 5
    with_one = np.linalg.lstsq(np.c_[np.ones(30), x], y, rcond=None)[0]
    run = cy.fit(cy.Recipe(model="linear", data=cy.prepare(scale="none")), cy.load((x, y)))
    assert with_one[0] == pytest.approx(5)
    assert cy.predict(run, np.zeros((1, 2)))[0] == pytest.approx(5, abs=1e-3)


def test_the_backward_pass_gives_gradients_and_changes_nothing() -> None:
    # Claim C152; contradiction X50.
    model = nn.Linear(3, 2)
    before = [p.detach().clone() for p in model.parameters()]
    cy.losses.cross_entropy(model(torch.ones(4, 3)), torch.tensor([0, 1, 1, 1])).backward()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    cy.optim.sgd(lr=0.1).build(list(model.parameters())).step()
    assert not torch.equal(before[0], model.weight)


def test_dropout_does_not_work_by_small_weights() -> None:
    # Claim C020; contradiction X17: with half of the units dropped the weights end larger.
    split = cy.split(cy.load("digits"), test=0.2, valid=0.2, seed=0)
    lengths = []
    for p in (0.0, 0.5):
        recipe = cy.Recipe(
            model=cy.models.mlp(hidden=(64,), dropout=p), optimizer=cy.optim.sgd(lr=0.1),
            schedule="constant", stop="none", length="40 epochs",
        )  # fmt: skip
        model = cy.fit(recipe, split).model
        weights = [v for name, v in model.named_parameters() if name.endswith("weight")]
        lengths.append([v.detach().norm().item() for v in weights])
    assert all(dropped > plain for plain, dropped in zip(*lengths, strict=True))


def test_leaky_relu_is_no_worse_and_sigmoid_no_better_in_a_shallow_classifier() -> None:
    # Claims C076, C083; contradiction X44.
    recipes = {
        name: cy.Recipe(model=cy.models.mlp(hidden=(32,), activation=name), length="10 epochs")
        for name in ("relu", "leaky_relu", "sigmoid")
    }
    found = cy.compare(recipes, cy.load("digits"), folds=5, seeds=1)
    pairs = {frozenset((pair.a, pair.b)): pair for pair in found.pairs}
    leaky = pairs[frozenset(("relu", "leaky_relu"))]
    assert leaky.better is None
    assert abs(leaky.difference) < 0.01
    assert not any(pair.better == "sigmoid" for pair in found.pairs)


def test_what_decay_brings_depends_on_the_number_of_rows() -> None:
    # Claim C426; contradiction X43: much with few rows, next to nothing with many.
    random = np.random.default_rng(0)
    truth = random.normal(size=20) / 4
    new = random.normal(size=(2000, 20))

    def gain(rows: int) -> float:
        errors = []
        for l2 in (0.0, 10.0):
            x = np.random.default_rng(1).normal(size=(rows, 20))
            y = x @ truth + np.random.default_rng(2).normal(size=rows)
            weights, bias = least_squares(x, y[:, None], l2)
            errors.append(float(np.mean((new @ weights[:, 0] + bias[0] - new @ truth) ** 2)))
        return 1 - errors[1] / errors[0]

    assert gain(25) > 0.5
    assert abs(gain(5000)) < 0.1


def test_weights_are_shared_in_convolutions_only() -> None:
    # Claim C196: products per weight are 1 in a dense layer, the number of places in the other.
    dense = cy.shapes(nn.Linear(64, 10), (64,)).rows[0]
    assert dense.multiply_adds == dense.parameters - dense.biases
    image = cy.shapes(nn.Conv2d(1, 4, 3), (1, 8, 8)).rows[0]
    assert image.multiply_adds == 36 * (image.parameters - image.biases)
