"""Worked examples of the course that go through the ordinary parts: rows, pixels, scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import chymist as cy
from chymist.data.preparation import fit_preparation
from chymist.engine.loop import steps_per_epoch
from chymist.values import Length


def test_steps_of_mnist() -> None:
    # Course: W22.
    assert steps_per_epoch(60_000, 32) == 1875
    assert Length.parse("10 epochs").steps(steps_per_epoch(60_000, 32)) == 18_750
    assert steps_per_epoch(10_000, 32) == 313
    assert 10_000 - 312 * 32 == 16


def test_pixels_of_mnist() -> None:
    # Course: W23, W24, W25.
    images = np.zeros((20, 28, 28), np.uint8)
    images[:, 0, :3] = [0, 128, 255]
    data = cy.load((images, np.arange(20) % 2))
    assert data.inputs.shape == (20, 28, 28, 1)  # as they are given; prepared, channels come first
    found = fit_preparation(data, np.arange(20), {"scale": "pixel"}).inputs(data.inputs)
    assert found.shape == (20, 1, 28, 28)
    assert found.dtype == np.float32
    assert found[0, 0, 0, :3].round(6).tolist() == pytest.approx([0, 0.501961, 1.0])
    assert found[0].size == data.inputs[0].size == 784


def test_three_colors_are_the_identity(tmp_path: Path) -> None:
    # Course: W56.
    table = tmp_path / "colors.csv"
    colors = ["blue", "green", "red"]
    lines = [f"{colors[i % 3]},{i % 2}" for i in range(12)]
    table.write_text("\n".join(["color,t", *lines]))
    data = cy.load(table, target="t")
    found = fit_preparation(data, np.arange(12), {"scale": "none"}).inputs(data.inputs)
    np.testing.assert_array_equal(found[:3], np.eye(3))


def test_accuracy_jumps_where_cross_entropy_moves() -> None:
    # Course: W39, W40.
    def scores(p: float) -> tuple[float, float]:
        probabilities = np.array([[1 - p, p]])
        labels = probabilities.argmax(1)
        return cy.metrics.accuracy(np.array([1]), labels), cy.metrics.log_loss(
            np.array([1]), probabilities
        )

    (before, first), (after, second) = scores(0.4), scores(0.45)
    assert before == after == 0
    assert (round(first, 6), round(second, 6)) == (0.916291, 0.798508)

    def accuracy(p: float) -> float:  # three of five rows are right anyway when p passes 1/2
        shares = np.array([0.9, 0.8, 0.7, p, 0.1])
        return cy.metrics.accuracy(np.ones(5, int), (shares > 0.5).astype(int))

    assert (accuracy(0.499), accuracy(0.501)) == (0.6, 0.8)
    assert (accuracy(0.501) - accuracy(0.499)) / 0.002 == pytest.approx(100)


def test_squares_and_norms_of_two_errors() -> None:
    # Course: W68.
    errors = torch.tensor([[3.0, 4.0]])
    mean = cy.losses.mse(errors, torch.zeros(1, 2)).item()
    assert (2 * mean, mean, 2 * mean / 2) == (25, 12.5, 12.5)
    assert cy.maths.vector_norm([3, 4]) == 5


def test_a_leaky_slope_on_both_sides() -> None:
    # Course: W58.
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    made = cy.activations.leaky_relu(slope=0.01).build(None)(x)
    made.sum().backward()
    assert made.tolist() == pytest.approx([-0.01, 2])
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([0.01, 1])


def test_leave_one_out_takes_n_fits_and_a_line_takes_one() -> None:
    # Course: W69. Not n - 1 fits; and e_i / (1 - h_ii) gives all of them for least squares.
    random = np.random.default_rng(0)
    x = random.normal(size=(100, 3))
    y = x @ [1.0, -2.0, 0.5] + random.normal(size=100)
    recipe = cy.Recipe(model="linear", optimizer="closed_form", precision="float64")
    one = cy.cross_validate(recipe, cy.load((x, y)), folds="loo")
    assert one.facts["executor"] == "closed form"
    assert len(one.folds) == 100
    design = np.c_[np.ones(100), x]
    hat = design @ np.linalg.pinv(design)
    left_out = (y - hat @ y) / (1 - np.diag(hat))
    order = np.argsort(one.predictions.rows)
    found = y - one.predictions.outputs.reshape(-1)[order]
    np.testing.assert_allclose(found, left_out, atol=1e-8)
    refit = [
        y[i] - design[i] @ np.linalg.lstsq(np.delete(design, i, 0), np.delete(y, i), rcond=None)[0]
        for i in range(100)  # n fits
    ]
    np.testing.assert_allclose(left_out, refit, atol=1e-10)


def test_a_line_from_zero_at_the_rate_of_the_course() -> None:
    # Course: W72. Rate 0.1, mean of half the squares: w = 2, b = 0.
    layer = torch.nn.Linear(1, 1).double()
    for values in layer.parameters():
        torch.nn.init.zeros_(values)
    x = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
    optimizer = cy.optim.sgd(lr=0.1).build(list(layer.parameters()))
    for step in range(2000):
        optimizer.zero_grad()
        cy.losses.half_squared(layer(x), 2 * x).backward()
        if step == 0:
            first = [p.grad.item() for p in layer.parameters() if p.grad is not None]
            assert first == pytest.approx([-9.3333, -4.0], abs=1e-4)
        optimizer.step()
    assert layer.weight.item() == pytest.approx(2, abs=1e-9)
    assert layer.bias.item() == pytest.approx(0, abs=1e-9)


def test_a_thousand_factors() -> None:
    # Course: W76.
    powers = [w**1000 for w in (1.01, 1.0, 0.99, 0.01)]
    assert round(powers[0], 1) == 20959.2
    assert powers[1] == 1
    assert f"{powers[2]:.2e}" == "4.32e-05"
    assert powers[3] == pytest.approx(0, abs=1e-300)


@pytest.mark.parametrize("p", [0.5, 0.25])
def test_the_suggested_drop_rates(p: float) -> None:
    # Course: W80. 0.5 and more in large layers, 0.25 in small: both can be asked for.
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(16,), dropout=p), length="20 epochs")
    run = cy.fit(recipe, cy.split(cy.load("iris"), seed=0))
    rates = [m.p for m in run.model.modules() if type(m).__name__ == "Dropout"]
    assert rates == [p]
    assert cy.models.keep_probability(p) == 1 - p
    assert run.score.value > 0.8


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_errors_by_degree_of_a_cubic(seed: int) -> None:
    # Course: W85, measured anew: training error falls, held-out error is least at degree 3.
    random = np.random.default_rng(seed)
    x = random.uniform(-2, 2, size=25)
    y = x**3 - 2 * x + random.normal(0, 0.5, 25)
    recipe, data = cy.Recipe(model="polynomial", precision="float64"), cy.load((x[:, None], y))
    found = cy.validation_curve(recipe, data, "model.degree", [1, 2, 3, 4, 5], folds=5, seeds=5)
    train = [score.value for score in found.train]
    assert train == sorted(train, reverse=True)
    assert (found.best, found.simplest) == (3, 3)
    held = [score.value for score in found.held]
    assert held[0] > 2 * held[2]
    assert held[4] > held[2]


def test_the_mean_of_two_overlaps() -> None:
    # Course: W92. Classes with IoU 0.5 and 1.
    assert cy.maths.mean_iou([[1, 0, 1], [0, 3, 0], [0, 0, 0]]) == pytest.approx(0.5)
    labels = np.array([[2, 0], [0, 4]])
    assert cy.maths.mean_iou(labels) == 1
    overlaps = cy.maths.box_iou([[0, 0, 2, 1], [0, 0, 1, 1]], [[0, 0, 1, 1]])[:, 0]
    assert overlaps.tolist() == [0.5, 1.0]
    assert overlaps.mean() == 0.75


def test_two_spellings_of_a_convolution() -> None:
    # Course: W29, W30.
    spelled = torch.nn.Conv2d(3, 32, 5, padding=2), torch.nn.Conv2d(3, 32, 5, 1, 2)
    assert str(spelled[0]) == str(spelled[1])
    for layer in spelled:
        row = cy.shapes(layer, (3, 17, 30)).rows[0]
        assert (row.output_shape, row.parameters) == ((32, 17, 30), 2432)


def test_a_perfect_fit_of_ten_rows() -> None:
    # Course: W54. The sum of squares is 0, and so are both slopes.
    x = torch.arange(10.0)[:, None]
    layer = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(layer.weight, 9.0)
    torch.nn.init.constant_(layer.bias, 10.0)
    loss = (10 + 9 * x - layer(x)).square().sum()
    loss.backward()
    assert loss.item() == 0
    assert [p.grad.item() for p in layer.parameters() if p.grad is not None] == [0, 0]
