"""Normalisation and dropout against torch, in networks and in populations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import chymist as cy
from chymist.errors import UsageError
from chymist.models import Dropout, build_model, drop_probability, keep_probability
from chymist.models.norms import RMSNorm, normalizing
from chymist.models.stacked import stack
from chymist.values import Shapes
from tests.test_population import RECIPE, check_equal, runs_of

KINDS = ("none", "batch", "layer", "group", "rms")


@given(st.integers(2, 9), st.integers(0, 99), st.booleans())
@settings(max_examples=30, deadline=None)
def test_each_kind_against_torch_and_its_formula(channels: int, seed: int, image: bool) -> None:
    random = torch.Generator().manual_seed(seed)
    shape = (5, channels, 3, 4) if image else (5, channels)
    x = 3 * torch.randn(shape, generator=random, dtype=torch.float64) + 1
    axes = list(range(1, x.ndim))
    (batch,), (layer,), (rms,) = (
        normalizing(kind, channels, image) for kind in ("batch", "layer", "rms")
    )
    apart = [0, 2, 3] if image else [0]
    var, mean = torch.var_mean(x, apart, correction=0, keepdim=True)
    torch.testing.assert_close(batch.double()(x), (x - mean) / (var + 1e-5).sqrt())
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    torch.testing.assert_close(layer.double()(x), (x - mean) / (var + 1e-5).sqrt())
    torch.testing.assert_close(layer(x), functional.layer_norm(x, x.shape[1:]))
    torch.testing.assert_close(rms.double()(x), functional.rms_norm(x, x.shape[1:], eps=1e-6))
    if image:
        (instance,) = normalizing("instance", channels, image)
        torch.testing.assert_close(instance.double()(x), functional.instance_norm(x))


def test_running_statistics_are_for_evaluation_and_of_batches_only() -> None:
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)) * 2 + 5
    (norm,) = normalizing("batch", 3)
    for _ in range(200):
        norm(x)
    torch.testing.assert_close(norm.running_mean, x.mean(0))
    torch.testing.assert_close(norm.running_var, x.var(0))  # unbiased
    one = norm.eval()(x[:1])
    torch.testing.assert_close(one, (x[:1] - x.mean(0)) / (x.var(0) + 1e-5).sqrt())
    for kind in ("layer", "group", "rms"):
        (by_row,) = normalizing(kind, 3)
        assert not list(by_row.buffers())
        torch.testing.assert_close(by_row(x)[:1], by_row.eval()(x[:1]))


@pytest.mark.parametrize("kind", [*KINDS, "instance"])
def test_norms_of_networks(kind: str) -> None:
    model = build_model(cy.models.cnn(channels=(4, 8), norm=kind), Shapes((1, 9, 9), 3), 0)
    assert model(torch.randn(5, 1, 9, 9)).shape == (5, 3)
    counts = {"none": 0, "batch": 3}
    norms = [m for m in model if "Norm" in type(m).__name__]
    assert len(norms) == counts.get(kind, 3)
    if kind != "instance":
        table = build_model(cy.models.mlp(hidden=(8, 8), norm=kind), Shapes((6,), 3), 0)
        assert table(torch.randn(5, 6)).shape == (5, 3)


def test_instances_need_an_image() -> None:
    with pytest.raises(UsageError, match="several values of a channel"):
        build_model(cy.models.mlp(norm="instance"), Shapes((6,), 3), 0)
    with pytest.raises(UsageError, match="did you mean 'batch'"):
        cy.models.mlp(norm="batsh")


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_of_a_population_is_what_it_is_alone(kind: str) -> None:
    model = cy.models.mlp(hidden=(8, 6), norm=kind, dropout=0.1, residual=True)
    check_equal(lambda: runs_of(RECIPE.replace(model=model, length="45 steps"), "table"))


@pytest.mark.parametrize("kind", ["layer", "instance", "group", "rms"])
def test_a_member_of_a_population_of_images(kind: str) -> None:
    model = cy.models.cnn(channels=(4,), hidden=(6,), norm=kind)
    recipe = RECIPE.replace(model=model, length="25 steps")
    check_equal(lambda: runs_of(recipe, "image"), form="grouped")


@pytest.mark.parametrize("affine", [True, False])
def test_stacked_norms_have_numbers_of_their_own(affine: bool) -> None:
    random = torch.Generator().manual_seed(0)
    layers = [nn.GroupNorm(2, 4, affine=affine), nn.GroupNorm(2, 4, affine=affine)]
    roots = [RMSNorm(4), RMSNorm(4)]
    for layer in [*layers, *roots]:
        for parameter in layer.parameters():
            nn.init.normal_(parameter, generator=random)
    x = torch.randn(2, 5, 4, 3, generator=random)
    for members in (layers, roots):
        expected = torch.stack([layer(rows) for layer, rows in zip(members, x, strict=True)])
        torch.testing.assert_close(stack(members)(x), expected)


@pytest.mark.parametrize(("p", "scale"), [(0.5, 2.0), (0.25, 4 / 3), (0.2, 1.25)])
def test_dropout_keeps_the_mean_and_adds_variance(p: float, scale: float) -> None:
    # Course: W79.
    x = torch.tensor([3.0, -1.0, 0.5], dtype=torch.float64)
    layer = Dropout(p)
    layer.place(0, 1, "drop")
    made = layer(x.expand(60_000, 3))
    assert set((made / x).round(decimals=9).unique().tolist()) == {0.0, round(scale, 9)}
    assert (made == 0).double().mean().item() == pytest.approx(p, abs=0.005)
    torch.testing.assert_close(made.mean(0), x, rtol=0.02, atol=0)
    torch.testing.assert_close(made.var(0), p / (1 - p) * x.square(), rtol=0.03, atol=0)
    assert torch.equal(layer.eval()(x), x)


def test_conventions_of_the_number_of_dropout() -> None:
    # Course: W81.
    assert drop_probability(keep=0.8) == 0.2
    assert keep_probability(drop=0.2) == 0.8
    assert drop_probability(1) == 0
    for wrong in (
        lambda: drop_probability(0),
        lambda: keep_probability(1),
        lambda: keep_probability(-1),
    ):
        with pytest.raises(UsageError, match="give a number in"):
            wrong()


@given(st.integers(0, 1000))
def test_the_conventions_are_inverse(thousandths: int) -> None:
    drop = thousandths / 1001
    assert drop_probability(keep_probability(drop)) == pytest.approx(drop, abs=1e-11)


# --- sequences of different lengths, padded: batch statistics beside those of a step (S248) ---

CHANNELS, MEAN = 16, 0.5


def padded(own: torch.Tensor, seed: int, rows: int = 32, long: int = 50) -> torch.Tensor:
    """A sequence (steps, channels) first in a batch (rows, long, channels) of drawn ones."""
    made = torch.Generator().manual_seed(seed)
    batch = torch.zeros(rows, long, CHANNELS)
    batch[0, : len(own)] = own
    for row, length in enumerate(torch.randint(5, 51, (rows - 1,), generator=made).tolist(), 1):
        batch[row, :length] = MEAN + torch.randn(length, CHANNELS, generator=made)
    return batch


def normed(kind: str, batch: torch.Tensor, steps: int) -> torch.Tensor:
    """The first sequence of a batch in training, (steps, channels)."""
    (layer,) = normalizing(kind, CHANNELS)
    turned = kind == "batch"  # its channels come before the steps
    made = layer(batch.transpose(1, 2)).transpose(1, 2) if turned else layer(batch)
    return made[0, :steps].detach()


def test_padding_moves_what_batch_normalisation_gives_and_not_what_layer_normalisation_does() -> (
    None
):
    own = MEAN + torch.randn(20, CHANNELS, generator=torch.Generator().manual_seed(1))
    for kind, moved in (("layer", 0.0), ("batch", 0.451)):
        plain, with_zeros = (normed(kind, padded(own, 2, long=long), 20) for long in (50, 100))
        far = (plain - with_zeros).square().mean().sqrt() / plain.square().mean().sqrt()
        assert float(far) == pytest.approx(moved, abs=0.005)
    # By formula: of a share p of real steps, mean p m and variance p (s^2 + m^2) - p^2 m^2.
    batch = padded(own, 2, long=100)
    real = batch[batch.any(2)]
    share = len(real) / (32 * 100)
    m, var = real.mean(0), real.var(0, unbiased=False)
    expected = (own - share * m) / (share * (var + m**2) - (share * m) ** 2 + 1e-5).sqrt()
    assert torch.allclose(normed("batch", batch, 20), expected, atol=1e-4)


def test_other_rows_of_the_batch_move_what_batch_normalisation_gives() -> None:
    own = MEAN + torch.randn(20, CHANNELS, generator=torch.Generator().manual_seed(1))
    for kind, rows, expected in (("layer", 8, 0.0), ("batch", 8, 0.099), ("batch", 32, 0.057)):
        said = torch.stack([normed(kind, padded(own, seed, rows), 20) for seed in range(3, 43)])
        assert float(said.std(0).mean() / said.std()) == pytest.approx(expected, abs=0.003)
