"""Probes of runs of images: what changes do to pixels, and to answers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import chymist as cy
from chymist.cli import main
from chymist.data.deforming import CHANGES, bent, coarsened, rotated, scaled, shifted
from chymist.errors import InputError, UsageError
from chymist.values import Run

IMAGES = torch.from_numpy(np.random.default_rng(0).random((3, 2, 9, 12)))


@pytest.fixture(scope="module")
def run() -> Run:
    split = cy.split(cy.load("digits"), seed=0)
    return cy.fit(cy.Recipe(model="mlp", length="6 epochs"), split, seed=0)


@pytest.mark.parametrize("by", [0, 1, 3])
def test_a_shift_is_that_of_scipy(by: int) -> None:
    moves = [(0, by), (0, -by), (by, 0), (-by, 0)]
    for made, move in zip(shifted(IMAGES, by), moves, strict=True):
        wanted = ndimage.shift(IMAGES.numpy(), (0, 0, *move), order=0, mode="nearest")
        np.testing.assert_array_equal(made.numpy(), wanted)


@pytest.mark.parametrize("degrees", [20.0, 90.0])
def test_a_rotation_and_a_scale_are_those_of_scipy(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for made, matrix in (
        (rotated(IMAGES, degrees)[0], turn), (rotated(IMAGES, degrees)[1], turn.T),
        (scaled(IMAGES, 150)[0], np.eye(2) / 1.5),
    ):  # fmt: skip
        middle = (np.array(IMAGES.shape[2:]) - 1) / 2
        away = middle - matrix @ middle
        for image, other in zip(IMAGES.flatten(0, 1), made.flatten(0, 1), strict=True):
            wanted = ndimage.affine_transform(image.numpy(), matrix, away, order=1, mode="nearest")
            np.testing.assert_allclose(other.numpy(), wanted, atol=1e-9)


def test_fewer_pixels_are_means_of_blocks() -> None:
    made = coarsened(IMAGES[:, :, :8], 50)[0]
    blocks = IMAGES[:, :, :8].unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))
    corners = made[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    torch.testing.assert_close(corners, blocks[:, :, [0, 0, -1, -1], [0, -1, 0, -1]])


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(CHANGES)), st.integers(2, 9), st.floats(0, 1))
def test_nothing_changes_at_no_amount_and_a_plain_image_never(
    name: str, side: int, share: float
) -> None:
    change = CHANGES[name]
    images = torch.rand(2, 1, side, side + 1, dtype=torch.float64)
    for made in change.make(images, change.none):
        torch.testing.assert_close(made, images, rtol=0, atol=1e-7)
    amount = change.none + share * (min(change.high, 3 * side) - change.none)
    for made in change.make(torch.full_like(images, 0.7), float(round(amount))):
        torch.testing.assert_close(made, torch.full_like(images, 0.7))


def test_an_elastic_field_moves_places_by_its_root_mean_square() -> None:
    down, right = torch.meshgrid(*[torch.arange(40.0, dtype=torch.float64)] * 2, indexing="ij")
    places = torch.stack([down, right])[None]
    inside = (..., slice(8, 32), slice(8, 32))  # no border comes in
    moved = [(made - places)[inside].square().sum(1).mean().sqrt() for made in bent(places, 2)]
    assert torch.stack(moved).mean() == pytest.approx(0.8, rel=0.35)
    assert not torch.equal(bent(places, 2)[0], bent(places, 2)[1])


def test_at_no_change_it_is_the_score_of_the_run(run: Run) -> None:
    found = cy.invariance(run)
    assert found.score == run.score
    assert [probe.change for probe in found.probes] == list(CHANGES)
    for probe in found.probes:
        place = probe.amounts.index(probe.none)
        assert probe.scores[place] == run.score
        assert probe.same[place].value == 1
        assert all(s.low <= s.value <= s.high for s in (*probe.scores, *probe.same))
        assert all(np.diff(probe.amounts) > 0)
        far = probe.scores[-1 if place == 0 else 0]
        assert far.value < run.score.value


def test_a_shift_by_hand_gives_the_same_accuracy(run: Run) -> None:
    found = cy.invariance(run, {"shift": (2,)}).probes[0]
    raw = np.asarray(run.data.take(run.split.valid))
    truth = np.array(run.data.classes)[run.data.targets[run.split.valid]]
    right, same = [], []
    plain = cy.predict(run, raw)
    for axis in (1, 2):
        for by in (2, -2):
            moves = [0, 0, 0, 0]
            moves[axis] = by
            said = cy.predict(run, ndimage.shift(raw, moves, order=0, mode="nearest"))
            right.append(np.mean(said == truth))
            same.append(np.mean(said == plain))
    assert found.scores[0].value == pytest.approx(np.mean(right))
    assert found.same[0].value == pytest.approx(np.mean(same))
    assert found.scores[0].n == 4 * len(run.split.valid)


def test_a_network_of_the_mean_pixel_minds_no_shift_of_the_inside() -> None:
    random = np.random.default_rng(0)
    pictures = np.zeros((120, 9, 9, 1), np.float32)
    pictures[:, 3:6, 3:6, 0] = random.random((120, 3, 3))
    data = cy.load((pictures, (pictures.mean((1, 2, 3)) > 0.056).astype(int)))
    model = lambda: torch.nn.Sequential(  # noqa: E731
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(1, 2)
    )
    made = cy.fit(cy.Recipe(model=model, length="5 epochs"), cy.split(data, seed=0))
    found = cy.invariance(made, {"shift": (0, 1, 3)})
    assert [same.value for same in found.probes[0].same] == [1, 1, 1]


def test_what_cannot_be_probed_is_refused(run: Run) -> None:
    for none in ((), ("shift", "shift"), "shift"):
        with pytest.raises(UsageError, match="no list of different changes"):
            cy.invariance(run, none)
    with pytest.raises(UsageError, match=r"unknown change.*did you mean 'shift'"):
        cy.invariance(run, ["shit"])
    for changes in ({"shift": (0.5,)}, {"scale": (0,)}, {"resolution": (150,)}, {"shear": (90,)},
                    {"rotation": (float("nan"),)}, {"shift": (-1,)}):  # fmt: skip
        with pytest.raises(UsageError, match="no amount of"):
            cy.invariance(run, changes)
    table = cy.fit(cy.Recipe(model="softmax", length="1 epoch"), cy.load("iris"))
    with pytest.raises(UsageError, match="change images of classes"):
        cy.invariance(table)
    alone = cy.split(cy.load("digits"), test=0.2, valid=0.0, seed=0)
    with pytest.raises(InputError, match="no valid rows"):
        cy.invariance(cy.fit(cy.Recipe(model="mlp", length="1 epoch"), alone))


def test_the_command_reads_a_folder_and_draws(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run.save("kept")
    words = ["invariance", "kept", "--changes", "shift,elastic"]
    assert main([*words, "--out", "i.svg", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [probe["change"] for probe in told["probes"]] == ["shift", "elastic"]
    assert told["score"]["value"] == run.score.value
    drawn = (tmp_path / "i.svg").read_text("utf-8")
    assert drawn.count("<svg") == 1
    assert drawn.count("translate(") == 2
    assert main([*words, "--out", "i.pdf"]) == 2
    assert main(words) == 0
    assert "same answer" in capsys.readouterr().out
