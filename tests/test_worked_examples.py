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
    assert steps_per_epoch(60_000, 32) == 1875
    assert Length.parse("10 epochs").steps(steps_per_epoch(60_000, 32)) == 18_750
    assert steps_per_epoch(10_000, 32) == 313
    assert 10_000 - 312 * 32 == 16


def test_pixels_of_mnist() -> None:
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
    table = tmp_path / "colors.csv"
    colors = ["blue", "green", "red"]
    lines = [f"{colors[i % 3]},{i % 2}" for i in range(12)]
    table.write_text("\n".join(["color,t", *lines]))
    data = cy.load(table, target="t")
    found = fit_preparation(data, np.arange(12), {"scale": "none"}).inputs(data.inputs)
    np.testing.assert_array_equal(found[:3], np.eye(3))


def test_accuracy_jumps_where_cross_entropy_moves() -> None:
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
    errors = torch.tensor([[3.0, 4.0]])
    mean = cy.losses.mse(errors, torch.zeros(1, 2)).item()
    assert (2 * mean, mean, 2 * mean / 2) == (25, 12.5, 12.5)
    assert cy.maths.vector_norm([3, 4]) == 5
