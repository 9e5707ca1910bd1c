"""Augmentation: what it does, that it is keyed, and that nothing but training rows sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import stats
from torch.nn import functional

import chymist as cy
from chymist.augment import GOLDEN, Augment, Draw, _mixed, _sampled, keys_of
from chymist.cli import main
from chymist.engine.loop import train
from chymist.engine.population import together
from chymist.errors import UsageError
from chymist.keys import order
from chymist.losses import cross_entropy
from chymist.parts import registered
from tests.test_population import RECIPE, check_equal, runs_of

ALL = sorted(set(registered("augment")) - {"none", "in_order"})
IMAGES = torch.randn((6, 3, 9, 8), generator=torch.Generator().manual_seed(0))
CLASSES = torch.arange(6) % 3


def made_by(recipe: Any, images: torch.Tensor = IMAGES, epoch: int = 0, seed: int = 0,
            rows: torch.Tensor | None = None) -> torch.Tensor:  # fmt: skip
    steps = cy.Recipe(augment=recipe).augment.build(None)
    rows = torch.arange(len(images)) if rows is None else rows
    return Augment(steps, seed, 3)(images, CLASSES[: len(images)], epoch, rows)[0]


def test_random_numbers_are_those_of_splitmix64() -> None:
    # The first outputs of the generator's reference for the seed 1234567.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    found = _mixed(1234567 + torch.arange(1, 5) * GOLDEN)
    assert [n % 2**64 for n in found.tolist()] == known
    drawn = Draw(torch.tensor([1234567]), torch.float32).uniform(4)
    assert drawn[0].tolist() == [(n >> 40) / 2**24 for n in known]


def test_random_numbers_are_uniform_and_normal() -> None:
    draw = Draw(keys_of(3, 5, 0, torch.arange(400)), torch.float64)
    assert stats.kstest(draw.uniform(10).ravel().numpy(), "uniform").pvalue > 0.01
    assert stats.kstest(draw.normal(11).ravel().numpy(), "norm").pvalue > 0.01
    first, second = draw.uniform(2).unbind(1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.1


@pytest.mark.parametrize("name", ALL)
def test_a_row_depends_on_seed_epoch_and_number_only(name: str) -> None:
    rows = torch.tensor([4, 9, 2, 7, 11, 0])
    whole = made_by(name, rows=rows)
    assert whole.shape == IMAGES.shape
    assert not torch.equal(whole, IMAGES)
    assert torch.equal(whole, made_by(name, rows=rows))
    assert not torch.equal(whole, made_by(name, rows=rows, epoch=1))
    assert not torch.equal(whole, made_by(name, rows=rows, seed=1))
    if name != "mixup":  # which needs the row before
        picked = torch.tensor([3, 1])
        few = made_by(name, IMAGES[picked], rows=rows[picked])
        torch.testing.assert_close(few, whole[picked])
    assert torch.equal(
        IMAGES, torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(0))
    )


@given(st.integers(1, 5), st.integers(0, 50), st.sampled_from(["zero", "edge"]))
@settings(max_examples=25, deadline=None)
def test_a_crop_is_a_window_of_the_padded_image(padding: int, epoch: int, fill: str) -> None:
    made = made_by(cy.augment.crop(padding=padding, fill=fill), epoch=epoch)
    mode: Any = {"zero": "constant", "edge": "edge"}[fill]
    for image, found in zip(IMAGES.numpy(), made.numpy(), strict=True):
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)), mode)
        windows = [padded[:, y : y + 9, x : x + 8]
                   for y in range(2 * padding + 1) for x in range(2 * padding + 1)]  # fmt: skip
        assert any(np.array_equal(window, found) for window in windows)


def test_every_window_is_drawn_equally_often() -> None:
    images = torch.zeros(3000, 1, 3, 3)
    images[:, 0, 1, 1] = 1
    steps = cy.augment.crop(padding=1).build(None)
    made, _ = Augment(steps, 0, 2)(images, torch.zeros(3000), 0, torch.arange(3000))
    assert stats.chisquare(made.sum((0, 1)).ravel().numpy()).pvalue > 0.01


def test_flips_mirror_half_of_the_images() -> None:
    for options, axes in (({}, [3]), ({"vertical": True, "horizontal": False}, [2])):
        many = IMAGES[:1].expand(2000, -1, -1, -1)
        steps = cy.augment.flip(**options).build(None)
        made, _ = Augment(steps, 0, 2)(many, torch.zeros(2000), 0, torch.arange(2000))
        turned = (made == many.flip(axes)).flatten(1).all(1)
        assert ((made == many).flatten(1).all(1) | turned).all()
        assert 0.45 < turned.float().mean() < 0.55


def test_turning_by_known_angles() -> None:
    square = IMAGES[:, :, :8].double()
    zero, one = torch.zeros(6).double(), torch.ones(6).double()
    quarter = _sampled(square, zero, -one, one, zero)
    torch.testing.assert_close(quarter, square.rot90(1, (2, 3)))
    half = _sampled(IMAGES.double(), -one, zero, zero, -one)  # also where sides differ
    torch.testing.assert_close(half, IMAGES.double().flip(2, 3))
    torch.testing.assert_close(_sampled(square, one, zero, zero, one), square)


def test_a_turned_line_has_its_angle() -> None:
    # A gradient along the columns, turned by a, rises by cos a a column and sin a a row.
    image = torch.arange(41.0).expand(1, 1, 41, 41) - 20
    angle = torch.tensor([0.3])
    made = _sampled(image, angle.cos(), -angle.sin(), angle.sin(), angle.cos())[0, 0]
    assert (made[20, 25] - made[20, 20]).item() / 5 == pytest.approx(np.cos(0.3), abs=1e-4)
    assert (made[25, 20] - made[20, 20]).item() / 5 == pytest.approx(-np.sin(0.3), abs=1e-4)


def test_scaling_colour_and_cutout_by_their_formulas() -> None:
    image = (torch.arange(41.0).expand(1, 1, 41, 41) - 20).expand(50, -1, -1, -1)
    steps = cy.augment.scale(by=0.5).build(None)
    made, _ = Augment(steps, 0, 2)(image, torch.zeros(50), 0, torch.arange(50))
    slopes = made[:, 0, 20, 25] / 5  # 1 / factor
    assert slopes.min() >= 1 / 1.5 - 1e-4
    assert slopes.max() <= 1.5 + 1e-4
    assert slopes.std() > 0.1
    light = made_by(cy.augment.color(brightness=0.5, contrast=0, saturation=0)) - IMAGES
    torch.testing.assert_close(light, light[:, :1, :1, :1].expand_as(light))
    sharp = made_by(cy.augment.color(brightness=0, contrast=0.5, saturation=0))
    torch.testing.assert_close(sharp.mean((1, 2, 3)), IMAGES.mean((1, 2, 3)))
    full = made_by(cy.augment.color(brightness=0, contrast=0, saturation=0.5))
    torch.testing.assert_close(full.mean(1), IMAGES.mean(1))
    holes = (made_by(cy.augment.cutout(size=0.5)) == 0).all(1)
    for hole in holes:
        down, right = hole.any(1).nonzero(), hole.any(0).nonzero()
        assert hole.sum() == len(down) * len(right)
        assert max(len(down), len(right)) <= 4
        assert int(down[-1] - down[0]) == len(down) - 1


def test_mixup_mixes_rows_and_classes_alike() -> None:
    steps = cy.augment.mixup(alpha=1.0).build(None)
    made, shares = Augment(steps, 0, 3)(IMAGES, CLASSES, 2, torch.arange(6))
    before = CLASSES.roll(1)
    share = shares[torch.arange(6), CLASSES]
    assert ((share > 0) & (share < 1)).all()
    torch.testing.assert_close(shares[torch.arange(6), before], 1 - share)
    s = share.view(-1, 1, 1, 1)
    torch.testing.assert_close(made, s * IMAGES + (1 - s) * IMAGES.roll(1, 0))
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    hard = [functional.cross_entropy(logits, t, reduction="none") for t in (CLASSES, before)]
    torch.testing.assert_close(cross_entropy(logits, shares, "none"),
                               share * hard[0] + (1 - share) * hard[1])  # fmt: skip
    many = Augment(cy.augment.mixup(alpha=0.3).build(None), 0, 2)
    _, drawn = many(torch.zeros(3000, 1), torch.arange(3000) % 2, 0, torch.arange(3000))
    assert stats.kstest(drawn[::2, 0].numpy(), "beta", args=(0.3, 0.3)).pvalue > 0.01


@pytest.mark.parametrize("augment", [["flip", "crop(padding=1)", "noise"], "mixup", "rotate"])
def test_each_member_of_a_population_has_its_own(augment: Any) -> None:
    recipe = RECIPE.replace(model=cy.models.cnn(channels=(3,), hidden=()), augment=augment,
                            length="20 steps")  # fmt: skip
    check_equal(lambda: runs_of(recipe, "image"))
    mixed = runs_of(recipe, "image", changes=lambda n: {"augment": "none"} if n else {})
    assert len(together(mixed)) == 2


def test_a_resumed_run_and_other_workers_see_the_same_rows(tmp_path: Path) -> None:
    split = cy.split(cy.load("digits"), seed=0, valid=0.7)
    recipe = cy.Recipe(model=cy.models.cnn(channels=(4,), hidden=()), length="4 epochs",
                       augment=["shift", "rotate", "noise", "mixup"])  # fmt: skip
    whole = cy.fit(recipe, split, out=tmp_path / "whole", doctor=False)
    without = cy.fit(recipe.replace(augment="none"), split, doctor=False)
    assert not np.array_equal(whole.history["loss"], without.history["loss"])
    assert whole.recipe == cy.load_run(tmp_path / "whole").recipe
    streamed = cy.fit(recipe, split, workers=1, doctor=False)
    seen: list[Any] = []
    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(recipe, split, out=tmp_path / "part", observer=seen.append, doctor=False,
               interrupted=lambda: len(seen) > 9)  # fmt: skip
    again, step, _ = cy.resume(tmp_path / "part", doctor=False)
    assert step > 0
    for other in (streamed, again):
        assert np.array_equal(whole.history["loss"], other.history["loss"])
        for a, b in zip(whole.model.parameters(), other.model.parameters(), strict=True):
            assert torch.equal(a, b)


def test_accumulated_passes_are_augmented_as_one_batch() -> None:
    def steps(**changes: Any) -> np.ndarray:
        recipe = RECIPE.replace(model="softmax", augment=["shift", "noise"], length="8 steps",
                                **changes)  # fmt: skip
        run = runs_of(recipe, "image", rows=(96,))[0]
        return np.array([e.loss for e in train(run.program, run.state) if hasattr(e, "loss")])

    np.testing.assert_allclose(steps(batch_size=16), steps(batch_size=8, accumulate=2), rtol=1e-9)


def test_ways_to_write_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = cy.Recipe(augment=["flip", cy.augment.crop(padding=2, fill="edge")])
    assert both == cy.Recipe(augment="flip, crop(padding=2, fill=edge)")
    assert both == cy.Recipe.from_toml(both.to_toml())
    assert both == cy.Recipe.from_toml('augment = ["flip", "crop(fill=edge, padding=2)"]')
    assert cy.Recipe(augment=["crop"]) == cy.Recipe(augment="crop")
    assert cy.Recipe(augment=cy.augment.flip(vertical=True)).augment.options == {"vertical": True}
    assert (
        main(["fit", "digits", "--augment", "crop", "--augment.padding", "2", "--print-recipe"])
        == 0
    )
    assert "padding = 2" in capsys.readouterr().out
    ask = ["fit", "digits", "--model", "softmax", "--length", "1 epochs", "--quiet"]
    assert main([*ask, "--augment", "shift,rotate(degrees=5)", "--out", str(tmp_path / "r")]) == 0
    assert "rotate(degrees=5" in (tmp_path / "r" / "recipe.toml").read_text()
    assert main([*ask, "--augment", "crob"]) == 2
    assert "did you mean 'crop'" in capsys.readouterr().err
    with pytest.raises(UsageError, match="unknown option"):
        cy.Recipe(augment=["crop(pading=2)"])


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ("iris", {"augment": "flip"}, "is for images"),
        ("digits", {"augment": "mixup", "model": "linear_svm"}, "shares of classes"),
        (
            "diabetes",
            {"augment": "noise", "model": "linear", "optimizer": "closed_form"},
            "not read",
        ),
    ],
)
def test_what_does_not_go_together(source: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        cy.fit(cy.Recipe(length="1 epochs", **changes), cy.split(cy.load(source)), doctor=False)


def test_words_and_a_shared_order_are_refused() -> None:
    texts = np.array(["a b", "b c"] * 20, object)
    split = cy.split(cy.load((texts, np.arange(40) % 2), kind="text"), seed=0)
    with pytest.raises(UsageError, match="cannot be augmented"):
        cy.fit(cy.Recipe(augment="noise"), split, doctor=False)
    recipe = cy.Recipe(model="softmax", augment="noise", length="1 epochs")
    with pytest.raises(UsageError, match="order of their own"):
        cy.cross_validate(recipe, cy.load("iris"), folds=3, order="shared")


def test_numbers_of_tables_take_noise_and_mixup() -> None:
    split = cy.split(cy.load("diabetes"), seed=0)
    recipe = cy.Recipe(model=cy.models.mlp(hidden=(8,)), augment=["noise", "mixup"],
                       length="2 epochs")  # fmt: skip
    assert np.isfinite(cy.fit(recipe, split, doctor=False).score.value)


def test_validation_rows_are_left_alone() -> None:
    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(model="softmax", length="1 epochs", augment=cy.augment.noise(deviation=50.0),
                       optimizer=cy.optim.sgd(lr=1e-12), schedule="constant")  # fmt: skip
    noisy = cy.fit(recipe, split, doctor=False)
    plain = cy.fit(recipe.replace(augment="none"), split, doctor=False)
    np.testing.assert_allclose(noisy.predictions.outputs, plain.predictions.outputs, atol=1e-6)
    assert noisy.history["loss"][0, 1] > plain.history["loss"][0, 1]


def test_a_shown_batch_is_that_of_the_run(tmp_path: Path) -> None:
    split = cy.split(cy.load("digits"), seed=0)
    shown = cy.show_batch(split, cy.Recipe(augment="crop(padding=1)"), rows=5, epoch=2, seed=3)
    assert np.array_equal(shown.rows, split.train[order(3, 2, len(split.train))[:5]])
    assert np.array_equal(shown.raw, split.data.take(shown.rows))
    plain = cy.show_batch(split, rows=5, epoch=2, seed=3)
    np.testing.assert_allclose(plain.images, shown.raw, atol=1e-4)
    assert not np.allclose(shown.images, shown.raw, atol=0.5)
    path = shown.save(tmp_path / "batch.png")
    with Image.open(path) as picture:
        assert picture.size == (5 * (64 + 2), 2 * (64 + 2))
    assert "<img" in shown._repr_html_()
    with pytest.raises(UsageError, match="images"):
        cy.show_batch(cy.split(cy.load("iris")))
