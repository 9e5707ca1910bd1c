"""Pointing games against closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from torch import nn

import chymist as cy
from bench.pointing import games, ink_boxes, on_canvas
from chymist.errors import InputError, UsageError
from chymist.explanation.pointing import cell_regions, grid_pointing, mosaics, pointing_game


def boxes(maps: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """A random box in each."""
    random, made = np.random.default_rng(seed), np.zeros((maps, height, width), bool)
    for one in made:
        top, left = random.integers(0, height // 2), random.integers(0, width // 2)
        one[top : top + height // 3 + 1, left : left + width // 3 + 1] = True
    return made


def test_maps_that_know_hit_always_and_constant_ones_hit_by_area() -> None:
    regions = boxes(50, 9, 12)
    known = pointing_game(regions + 0.0, regions)
    assert known.share == 1.0
    flat = pointing_game(np.ones(regions.shape), regions)
    np.testing.assert_allclose(flat.hits, regions.mean((1, 2)))
    assert flat.above_area.value == pytest.approx(0.0)
    against = pointing_game(~regions + 0.0, regions)
    assert against.share == 0.0
    low, high = proportion_confint(50, 50, method="wilson")
    assert known.interval == pytest.approx((low, high))
    assert known.above_area.low == pytest.approx(low - regions.mean())


def test_random_maps_hit_by_area_within_the_interval() -> None:
    regions = boxes(400, 10, 10)
    maps = np.random.default_rng(1).random((400, 10, 10))
    found = pointing_game(maps, regions)
    assert found.above_area.low < 0 < found.above_area.high
    by_hand = [regions[i].ravel()[maps[i].argmax()] for i in range(400)]
    assert found.share == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(("side", "places"), [(5, [(2, 2)]), (4, [(1, 1), (1, 2), (2, 1), (2, 2)])])
def test_the_middle_is_the_baseline_to_beat(side: int, places: list[tuple[int, int]]) -> None:
    regions = np.random.default_rng(0).random((30, side, side)) > 0.5
    found = pointing_game(regions + 0.0, regions)
    by_hand = [np.mean([one[place] for place in places]) for one in regions]
    np.testing.assert_allclose(found.centers, by_hand)
    assert found.above_center.value == pytest.approx(1 - np.mean(by_hand))
    assert "the middle of the image in" in found.sentence
    assert json.loads(json.dumps(found.to_dict()))["maps"] == 30


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000), st.integers(2, 3))
def test_mosaics_show_the_class_that_is_asked_for_once(classes: int, seed: int, side: int) -> None:
    labels = torch.arange(classes).repeat(5)
    inputs = torch.arange(len(labels) * 8.0).reshape(-1, 2, 2, 2)
    made = mosaics(inputs, labels, 7, seed, side)
    assert made.inputs.shape == (7, 2, 2 * side, 2 * side)
    for k in range(7):
        shown = labels[torch.from_numpy(made.rows[k])]
        assert (shown == made.targets[k]).nonzero().ravel().tolist() == [made.cells[k]]
        if classes >= side * side:
            assert len(set(shown.tolist())) == side * side
        for cell, row in enumerate(made.rows[k]):
            top, left = 2 * (cell // side), 2 * (cell % side)
            assert torch.equal(made.inputs[k, :, top : top + 2, left : left + 2], inputs[row])
    again = mosaics(inputs, labels, 7, seed, side)
    assert torch.equal(made.inputs, again.inputs)


def test_shares_of_the_cell_by_hand() -> None:
    cells = np.array([0, 1, 2, 3])
    regions = cell_regions(cells, 6, 8)
    assert regions.sum((1, 2)).tolist() == [12, 12, 12, 12]
    assert (regions.sum(0) == 1).all()
    assert grid_pointing(regions + 0.0, cells).shares.tolist() == [1.0] * 4
    assert grid_pointing(~regions + 0.0, cells).shares.tolist() == [0.0] * 4
    flat = grid_pointing(np.ones((4, 6, 8)), cells)
    assert flat.shares.tolist() == [flat.chance] * 4 == [0.25] * 4
    signed = np.where(regions, 2.0, 1.0)
    signed[:, ::2] *= -1  # what speaks against does not count
    # Lines 1, 3 and 5 count: one crosses the upper cells, two the lower ones.
    shares = [4 * 2 / (4 * 2 + 4 + 2 * 8), 4 * 2 / (4 * 2 + 4 + 2 * 8), 16 / 32, 16 / 32]
    np.testing.assert_allclose(grid_pointing(signed, cells).shares, shares)
    assert grid_pointing(np.zeros((4, 6, 8)), cells).mean.value == 0.0
    assert "chance 25%" in repr(flat)


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(InputError, match="regions do not fit"):
        pointing_game(np.ones((2, 3, 3)), np.ones((2, 3, 3)))
    with pytest.raises(InputError, match="not finite"):
        pointing_game(np.full((1, 2, 2), np.nan), np.ones((1, 2, 2), bool))
    with pytest.raises(InputError, match="cells do not fit"):
        grid_pointing(np.ones((2, 3, 3)), np.array([0, 1]))
    with pytest.raises(InputError, match="two classes"):
        mosaics(torch.ones(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64), 1)
    with pytest.raises(UsageError, match="no mosaics"):
        mosaics(torch.ones(3, 1, 2, 2), torch.arange(3), 0)


def test_boxes_of_ink_and_canvases() -> None:
    image = torch.zeros(1, 1, 8, 8)
    image[0, 0, 2:5, 3:7] = 1.0
    assert ink_boxes(image).sum() == 12
    made = on_canvas(image.repeat(20, 1, 1, 1))
    assert made.shape == (20, 1, 8, 8)
    torch.testing.assert_close(made.sum((1, 2, 3)), torch.full((20,), 12 / 4))
    assert len({tuple(np.argwhere(box)[0]) for box in ink_boxes(made)}) > 3


def net_of_digits() -> nn.Module:
    """Any size of image: convolutions, their mean, one linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
        nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 10),
    )  # fmt: skip


def test_cam_points_at_its_digit_among_four() -> None:
    from chymist.explanation.class_maps import cam

    recipe = cy.Recipe(model=net_of_digits, length="15 epochs", optimizer=cy.optim.adam(lr=0.01))
    run = cy.fit(recipe, cy.load("digits"), doctor=False)
    rows = run.preparation.inputs(run.data.take(run.split.valid), np.float32)
    labels = torch.as_tensor(run.data.targets[run.split.valid])
    made = mosaics(torch.as_tensor(rows), labels, 100)
    found = cam(run.model, made.inputs, made.targets)
    game = pointing_game(found, cell_regions(made.cells, 16, 16))
    assert game.above_area.low > 0.4, game.sentence
    assert grid_pointing(found, made.cells).mean.low > 0.4


@pytest.mark.hard
def test_cam_of_mnist_points_at_the_digit(chymist_data: Path, tmp_path: Path) -> None:
    recipe = cy.Recipe(model="resnet20", length="250 steps", batch_size=64)
    cy.fit(recipe, cy.load("mnist"), seed=0, out=tmp_path / "run", doctor=False)
    told = [line for line in games(str(tmp_path / "run"), "cam", 200) if "points at" in line]
    share = float(told[-1].split(" in ")[1].split("%")[0])
    assert share >= 90, told  # measured: 100 of 100, chance 25
