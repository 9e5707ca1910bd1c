"""Hidden outputs, fields of units, made images and nearest rows (S294, S302, S303)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import wilson
from chymist.explanation.features import (
    by_unit,
    layer_outputs,
    layers_in_order,
    middle,
    responses,
)
from chymist.explanation.maximization import PixelScale, Response, maximize, starts_from
from chymist.explanation.neighbors import agreement, last_weighted, nearest_rows
from chymist.explanation.unit_fields import unit_fields
from chymist.gradients import ImagePrior, ascend, total_variation
from chymist.keys import generator, torch_generator


def tensor(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch_generator(seed, "features"), dtype=torch.float64)


class Net(nn.Module):
    """Works in place, calls one layer twice, and adds by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.bend = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(3, 4, 3, stride=2)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(4, 2)
        cy.models.initialize(self, 0)

    def forward(self, inputs: Tensor) -> Tensor:
        made = self.bend(self.norm(self.first(inputs)) + inputs)
        made = self.bend(self.second(made)).mean((2, 3))
        found: Tensor = self.last(self.drop(made))
        return found


def state_of(model: nn.Module) -> tuple[Any, ...]:
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    return (
        [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()],
        [p.grad is None for p in model.parameters()], hooks,
        {name: value.clone() for name, value in model.state_dict().items()},
    )  # fmt: skip


def assert_untouched(before: tuple[Any, ...], model: nn.Module) -> None:
    now = state_of(model)
    assert before[:4] == now[:4]
    assert all(torch.equal(before[4][name], value) for name, value in now[4].items())


def test_hidden_outputs_are_those_of_each_layer_also_where_the_next_works_in_place() -> None:
    model, inputs = Net().double().train(), tensor(0, 5, 1, 8, 8)
    model.norm.eval()
    before = state_of(model)
    names = ["first", "norm", "bend", "second", "last"]
    found = layer_outputs(model, inputs.split(2), names)
    assert_untouched(before, model)
    model.eval()
    with torch.no_grad():
        first = model.first(inputs)
        norm = model.norm(first)
        bent = functional.relu(norm + inputs)
        second = model.second(bent)
        expected = [first, norm, bent, second, model(inputs)]
    for name, wanted in zip(names, expected, strict=True):
        np.testing.assert_allclose(found[name], wanted.numpy(), rtol=1e-12, atol=1e-12)
    read = layer_outputs(model, [inputs], ["last"], reads=True)["last"]
    wanted_read = functional.relu(second).mean((2, 3))
    np.testing.assert_allclose(read, wanted_read.numpy(), rtol=1e-12)


def test_layers_come_in_the_order_of_their_calls_without_those_that_hand_on() -> None:
    found = layers_in_order(Net(), torch.ones(2, 1, 8, 8))
    assert [(one.name, one.shape) for one in found] == [
        ("first", (3, 8, 8)), ("norm", (3, 8, 8)), ("bend", (3, 8, 8)), ("second", (4, 3, 3)),
        ("last", (2,)),
    ]  # fmt: skip
    padded = nn.Sequential(nn.ZeroPad2d(1), nn.Dropout2d(), nn.Conv2d(1, 2, 3))
    assert [one.name for one in layers_in_order(padded, torch.ones(1, 1, 4, 4))] == ["2"]
    assert last_weighted(found, Net()) == ("last", True)
    single = nn.Linear(3, 2)
    assert last_weighted(layers_in_order(nn.Sequential(single), torch.ones(1, 3)), nn.Sequential(
        single)) == ("0", False)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), size=st.integers(1, 4))
def test_responses_are_those_of_all_rows_at_once(seed: int, size: int) -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU()).double()
    cy.models.initialize(model, seed)
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, -1.0  # never responds
        inputs = tensor(seed, 6, 2, 5, 4)
        maps = model(inputs).numpy().reshape(6, 3, -1)
    found = responses(model, inputs.split(size), ["1"])["1"]
    np.testing.assert_array_equal(found.values, maps.max(2))
    np.testing.assert_array_equal(
        np.take_along_axis(maps, found.places[..., None], 2)[..., 0], maps.max(2)
    )
    assert found.dead[1]
    assert np.array_equal(found.dead, np.ptp(maps, axis=(0, 2)) == 0)
    mean = responses(model, [inputs], ["1"], "mean")["1"].values
    np.testing.assert_allclose(mean, maps.mean(2), rtol=1e-12)


MODELS = {
    "padded": (nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 5)), "2"),
    "strided": (nn.Sequential(nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.MaxPool2d(2),
                              nn.Conv2d(2, 1, 3, padding=2, dilation=2)), "2"),
    "oblong": (nn.Sequential(nn.Conv2d(1, 2, (1, 4)), nn.AvgPool2d((3, 1))), "1"),
    "residual": (Net(), "second"),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_fields_of_all_units_are_those_found_pixel_by_pixel(name: str) -> None:
    model, layer = MODELS[name]
    model = model.double().eval()
    found = unit_fields(model, (1, 9, 11), [layer])[layer]
    shape = layer_outputs(model, [torch.zeros(1, 1, 9, 11).double()], [layer])[layer].shape[2:]
    seen = np.zeros((*shape, 9, 11), bool)
    for y in range(9):
        for x in range(11):
            image = torch.full((1, 1, 9, 11), 0.5, dtype=torch.float64)
            image[0, 0, y, x] = torch.nan
            maps = layer_outputs(model, [image], [layer])[layer]
            seen[:, :, y, x] = np.isnan(maps[0]).any(0)
    for place in range(shape[0] * shape[1]):
        ys, xs = np.nonzero(seen[divmod(place, shape[1])])
        assert found.box(place) == (ys.min(), ys.max() + 1, xs.min(), xs.max() + 1)


def test_fields_of_large_images_are_measured_on_a_strip_and_are_the_same() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(1, 1, 3))
    found = unit_fields(model, (1, 70, 80), ["2"])["2"]
    # 3 x 3 on halves of 3 x 3: 8 pixels, two apart, from one beyond the border on.
    assert found.extent == (8, 8)
    starts = 2 * np.arange(33) - 1
    np.testing.assert_array_equal(found.lines[:, 0], starts.clip(0))
    np.testing.assert_array_equal(found.lines[:, 1], (starts + 7).clip(max=69))
    whole = nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 1, 1))
    assert unit_fields(whole, (1, 70, 80), ["2"])["2"].box(0) == (0, 70, 0, 80)


def test_fields_agree_with_receptive_fields() -> None:
    model = cy.models.cnn(channels=(4, 4), hidden=())
    built = cy.models.build_model(model, cy.Shapes((1, 12, 12), 10), 0)
    rows = {row.name: row for row in cy.receptive_fields(built, (1, 12, 12)).rows}
    names = [name for name, row in rows.items() if len(row.output_shape) == 3]
    for name, field in unit_fields(built, (1, 12, 12), names).items():
        top, bottom, left, right = field.box(middle(rows[name].output_shape))
        assert (bottom - top, right - left) == rows[name].extent


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), decay=st.floats(0.1, 2.0))
def test_with_decay_the_best_image_of_a_linear_unit_is_its_weights(seed: int, decay: float) -> None:
    layer = nn.Linear(6, 1).double()
    cy.models.initialize(layer, seed)
    weights = layer.weight.detach().numpy()[0]
    prior = ImagePrior(decay=decay)  # w x - decay |x|^2 / 2 is largest at w / decay
    found = ascend(layer, torch.zeros(1, 6), steps=60, rate=0.7 / decay, prior=prior)
    np.testing.assert_allclose(found.inputs[0], weights / decay, rtol=1e-6, atol=1e-9)
    assert (np.diff(found.values[:, 0]) >= -1e-12).all()


def test_within_a_range_the_best_image_of_a_linear_unit_is_a_corner() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).double()
    cy.models.initialize(model, 3)
    scale = PixelScale(10.0, 20.0, 13.0)
    starts = starts_from("noise", (1, 4, 4), [0, 1], scale)
    made = maximize(model, starts, "1", [0, 1], "mean", ImagePrior(), scale, 5, rate=1e4)
    weights = model[1].weight.detach().numpy()
    np.testing.assert_allclose(made.images.reshape(2, 16), np.where(weights > 0, 20.0, 10.0),
                               rtol=1e-12)  # fmt: skip
    expected = (made.images.reshape(2, 16) * weights).sum(1) + model[1].bias.detach().numpy()
    np.testing.assert_allclose(made.values[-1], expected, rtol=1e-12)
    assert (np.diff(made.values, axis=0) >= -1e-9).all()


def test_the_middle_unit_of_a_convolution_wants_its_kernel() -> None:
    layer = nn.Conv2d(1, 2, 3, padding=1).double()
    cy.models.initialize(layer, 1)
    prior = ImagePrior(decay=1.0)
    found = ascend(Response(layer, "", [1], "middle"), torch.zeros(1, 1, 5, 5), steps=40, rate=0.7,
                   prior=prior)  # fmt: skip
    expected = np.zeros((5, 5))
    expected[1:4, 1:4] = layer.weight[1, 0].detach().numpy()
    np.testing.assert_allclose(found.inputs[0, 0], expected, atol=1e-9)


def test_regularisers_do_what_they_say_and_jitter_is_drawn_from_the_seed() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(400, 1)).double()
    cy.models.initialize(model, 0)
    start = tensor(1, 2, 1, 12, 12) / 5

    def made(**options: Any) -> np.ndarray:
        prior = ImagePrior(normalized=True, **options)
        return ascend(model, start, steps=30, rate=0.1, prior=prior).inputs

    plain, smooth, small = made(), made(variation=0.5), made(decay=2.0)

    def rough(images: np.ndarray) -> float:
        return float(total_variation(torch.from_numpy(images)).sum())

    assert rough(smooth) < 0.7 * rough(plain)
    assert rough(made(blur=0.6)) < 0.7 * rough(plain)
    assert np.abs(small - start.numpy()).sum() < 0.8 * np.abs(plain - start.numpy()).sum()
    cut = made(low=-0.1, high=0.2)
    assert cut.min() == -0.1
    assert cut.max() == 0.2
    np.testing.assert_array_equal(made(jitter=2, seed=1), made(jitter=2, seed=1))
    assert not np.array_equal(made(jitter=2, seed=1), made(jitter=2, seed=2))


def test_total_variation_is_that_of_steps_and_edges() -> None:
    image = generator(0, "variation").normal(size=(5, 6))
    down, right = np.zeros((5, 6)), np.zeros((5, 6))
    down[:-1], right[:, :-1] = np.diff(image, axis=0), np.diff(image, axis=1)
    expected = np.sqrt(down**2 + right**2).sum()
    found = total_variation(torch.from_numpy(image)[None, None])
    np.testing.assert_allclose(found.item(), expected, rtol=1e-3)
    assert total_variation(torch.full((1, 3, 4, 4), 7.0)).item() < 1e-8


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999), size=st.integers(1, 7), k=st.integers(1, 6),
    metric=st.sampled_from(["cosine", "euclidean"]),
)  # fmt: skip
def test_nearest_rows_are_those_of_scikit_learn(seed: int, size: int, k: int, metric: Any) -> None:
    rng = generator(seed, "neighbours")
    rows, queries = rng.normal(size=(12, 3)), rng.normal(size=(4, 3))
    blocks = [rows[at : at + size] for at in range(0, 12, size)]
    found = nearest_rows(queries, blocks, k, metric)
    theirs = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(rows)
    distances, places = theirs.kneighbors(queries)
    np.testing.assert_array_equal(found.places, places)
    np.testing.assert_allclose(found.distances, distances, atol=1e-7)


def test_agreement_is_a_share_with_wilsons_interval_over_queries() -> None:
    labels, predicted = np.array([[1, 1, 0], [2, 2, 2], [0, 1, 2]]), np.array([1, 2, 1])
    share, low, high = agreement(labels, predicted)
    assert share == pytest.approx((2 / 3 + 1 + 1 / 3) / 3)
    assert (low, high) == wilson(2.0, 3)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="metric"):
        nearest_rows(np.ones((1, 2)), [np.ones((2, 2))], 1, "manhattan")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="fewer training rows"):
        nearest_rows(np.ones((1, 2)), [np.ones((2, 2))], 3)
    with pytest.raises(UsageError, match="blur"):
        ImagePrior(blur=-1.0)
    with pytest.raises(UsageError, match="range"):
        ImagePrior(low=1.0, high=1.0)
    with pytest.raises(InputError, match="neighbours"):
        ascend(nn.Linear(2, 1), torch.ones(1, 2), prior=ImagePrior(variation=0.1))
    with pytest.raises(InputError, match="did not call"):
        layer_outputs(Unused(), [torch.ones(1, 2)], ["never"])


class Unused(nn.Module):
    """Has a layer that it does not call."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.never = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        found: Tensor = self.used(inputs)
        return found


def test_channels_of_steps_are_their_features() -> None:
    made = tensor(0, 2, 5, 3)
    np.testing.assert_array_equal(by_unit(made).numpy(), made.numpy().swapaxes(1, 2))
