"""Convolution by hand, as a dense layer, turned round; unpooling; and networks made of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from torch import nn
from torch.nn import functional

import chymist as cy
from chymist import maths, models
from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.models.autoencoders import Unpooled
from chymist.models.stacked import stack
from chymist.values import Shapes

RANDOM = np.random.default_rng(0)
SIZES = st.tuples(
    st.integers(1, 3), st.integers(1, 3), st.integers(5, 8), st.integers(5, 8), st.integers(1, 3),
    st.integers(1, 3), st.integers(0, 2), st.integers(1, 2),
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_a_convolution_is_inner_products_of_windows_and_a_dense_layer(
    sizes: tuple[int, ...],
) -> None:
    channels, outputs, height, width, side, stride, padding, dilation = sizes
    image = RANDOM.normal(size=(channels, height, width))
    kernels = RANDOM.normal(size=(outputs, channels, side, side))
    bias = RANDOM.normal(size=outputs)
    how = {"stride": stride, "padding": padding, "dilation": dilation}
    given = (torch.from_numpy(values) for values in (image[None], kernels, bias))
    wanted = functional.conv2d(*given, **how)[0].numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(maths.convolve(image, kernels, bias, **how), wanted, atol=1e-10)
    dense = maths.convolution_matrix(kernels, image.shape, **how)
    flat = (dense @ image.ravel()).reshape(wanted.shape) + bias[:, None, None]
    np.testing.assert_allclose(flat, wanted, atol=1e-10)
    unfolded = functional.unfold(torch.from_numpy(image[None]), side, dilation, padding, stride)
    windows = maths.image_windows(image, side, stride, padding, dilation)
    np.testing.assert_array_equal(windows, unfolded[0].T.numpy())
    local = (dense != 0).reshape(outputs, -1, channels * height * width)
    assert local.sum(2).max() <= channels * side**2  # local connectivity
    assert len(np.unique(dense)) <= kernels.size + 1  # shared weights, and 0


def test_a_kernel_as_large_as_the_image_is_a_dense_layer() -> None:
    image, kernels = RANDOM.normal(size=(2, 4, 4)), RANDOM.normal(size=(3, 2, 4, 4))
    dense = maths.convolution_matrix(kernels, (2, 4, 4))
    np.testing.assert_array_equal(dense, kernels.reshape(3, -1))
    np.testing.assert_allclose(maths.convolve(image, kernels)[:, 0, 0], dense @ image.ravel())


@settings(deadline=None, max_examples=40)
@given(SIZES, st.integers(0, 2))
def test_expanding_and_then_a_convolution_is_the_transposed_one(
    sizes: tuple[int, ...], extra: int
) -> None:
    channels, outputs, height, width, side, stride, padding, _ = sizes
    extra, padding = min(extra, stride - 1), min(padding, side)
    image = RANDOM.normal(size=(channels, height, width))
    kernels = RANDOM.normal(size=(channels, outputs, side, side))
    bias = RANDOM.normal(size=outputs)
    layer = nn.ConvTranspose2d(channels, outputs, side, stride, padding, extra).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(kernels))
        layer.bias.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]
        wanted = layer(torch.from_numpy(image[None]))[0].numpy()
    made = maths.transposed_convolve(image, kernels, bias, stride, padding, extra)
    np.testing.assert_allclose(made, wanted, atol=1e-10)
    dense = maths.convolution_matrix(kernels, wanted.shape, stride, padding)
    back = (dense.T @ image.ravel()).reshape(wanted.shape) + bias[:, None, None]
    np.testing.assert_allclose(made, back, atol=1e-10)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 3), st.integers(4, 9), st.integers(4, 9))
def test_unpooling_is_that_of_torch(size: int, height: int, width: int) -> None:
    image = RANDOM.normal(size=(2, height, width))
    small, places = functional.max_pool2d(torch.from_numpy(image), size, return_indices=True)
    found = maths.pool_places(image, size)
    np.testing.assert_array_equal(found, places.numpy())
    wanted = nn.MaxUnpool2d(size)(small, places, (height, width)).numpy()
    made = maths.unpool(small.numpy(), found, (height, width))
    np.testing.assert_array_equal(made, wanted)
    np.testing.assert_array_equal(made[made != 0], image[made != 0])
    for one, kept in zip(image, small.numpy(), strict=True):
        np.testing.assert_array_equal(maths.pool(one, size), kept)


def test_networks_correlate_and_signal_processing_turns_the_kernel_round() -> None:
    image, kernel = RANDOM.normal(size=(1, 7, 8)), RANDOM.normal(size=(1, 1, 3, 3))
    made = maths.convolve(image, kernel)[0]
    np.testing.assert_allclose(made, signal.correlate2d(image[0], kernel[0, 0], "valid"))
    turned = kernel[:, :, ::-1, ::-1]
    wanted = signal.convolve2d(image[0], kernel[0, 0], "valid")
    np.testing.assert_allclose(maths.convolve(image, turned)[0], wanted)


def test_the_response_is_largest_where_the_window_is_most_like_the_kernel() -> None:
    image = RANDOM.normal(size=(1, 9, 9))
    image[0, 3:6, 2:5] = kernel = RANDOM.normal(size=(3, 3))
    windows = maths.image_windows(image, 3)
    response = maths.convolve(image, kernel[None, None])[0]
    alike = response.ravel() / np.linalg.norm(windows, axis=1) / np.linalg.norm(kernel)
    assert np.unravel_index(alike.argmax(), response.shape) == (3, 2)
    assert alike.max() == pytest.approx(1)


def test_as_many_channels_as_filters_and_neurons_as_pixels_of_the_maps() -> None:
    layer = nn.Conv2d(3, 25, 3)
    made = layer(torch.zeros(1, 3, 28, 28))[0]
    assert layer.weight.shape == (25, 3, 3, 3)  # a filter is as deep as the input
    (row,) = cy.shapes(layer, (3, 28, 28)).rows
    assert row.output_shape == made.shape == (25, 26, 26)
    assert row.units == 25 * 26 * 26
    assert row.parameters == maths.convolution_parameters(3, 25, 3, 3) == 25 * 28


def test_the_walk_through_two_convolutions() -> None:
    """28 to 26, 13, 11 and 5: 25 filters of 9 weights, then 50 of 225."""
    layers = nn.Sequential(nn.Conv2d(1, 25, 3), nn.MaxPool2d(2), nn.Conv2d(25, 50, 3),
                           nn.MaxPool2d(2), nn.Flatten())  # fmt: skip
    rows = cy.shapes(layers, (1, 28, 28)).rows
    assert [row.output_shape for row in rows] == [
        (25, 26, 26), (25, 13, 13), (50, 11, 11), (50, 5, 5), (1250,)
    ]  # fmt: skip
    assert [row.parameters - row.biases for row in rows[:3:2]] == [25 * 9, 50 * 225]
    part = models.cnn(channels=(25, 50), padding="valid", norm="none", hidden=(), dropout=0.0)
    own = cy.shapes(part, (1, 28, 28)).rows
    assert [row.output_shape for row in own if row.kind in ("Conv2d", "MaxPool2d")] == [
        row.output_shape for row in rows[:4]
    ]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="another shape"):
        maths.image_windows(np.zeros((3, 3)), 2)
    with pytest.raises(InputError, match="do not fit the image"):
        maths.convolve(np.zeros((2, 5, 5)), np.zeros((1, 1, 3, 3)))
    with pytest.raises(InputError, match="do not fit the image"):
        maths.transposed_convolve(np.zeros((1, 5, 5)), np.zeros((1, 1, 3, 2)))
    with pytest.raises(InputError, match="not those of the image"):
        maths.unpool(np.zeros((1, 2, 2)), np.full((1, 2, 2), 16), (4, 4))
    with pytest.raises(UsageError, match="does not fit"):
        maths.convolve(np.zeros((1, 2, 2)), np.zeros((1, 1, 3, 3)))


@pytest.mark.parametrize("decoder", ["transposed", "unpool"])
@pytest.mark.parametrize(("shape", "code"), [((1, 8, 8), 5), ((2, 9, 7), 0)])
def test_an_autoencoder_gives_images_of_the_same_size(
    decoder: str, shape: tuple[int, ...], code: int
) -> None:
    pixels = int(np.prod(shape))
    part = models.conv_autoencoder(channels=(4, 6), code=code, decoder=decoder)
    model = build_model(part, Shapes(shape, pixels), 0)
    inputs = torch.rand(5, *shape)
    made = model(inputs)
    assert made.shape == (5, pixels)
    made.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with pytest.raises(UsageError, match="one number for each pixel"):
        part.build(Shapes(shape, 10))
    with pytest.raises(UsageError, match="leave nothing"):
        part.replace(channels=(2, 2, 2, 2)).build(Shapes(shape, pixels))
    if decoder == "transposed":
        both = stack([model, build_model(part, Shapes(shape, pixels), 1)])
        twice = both(torch.stack([inputs, inputs]))[0]
        torch.testing.assert_close(twice, made, rtol=1e-4, atol=1e-5)


def test_unpooling_in_a_network_is_pooling_and_going_back() -> None:
    inputs = torch.rand(2, 3, 7, 8)
    made = Unpooled(nn.Identity())(inputs)
    kept = made != 0
    assert torch.equal(made[kept], inputs[kept])
    assert int(kept.sum()) == 2 * 3 * 3 * 4
    torch.testing.assert_close(functional.max_pool2d(made, 2), functional.max_pool2d(inputs, 2))


@pytest.mark.parametrize("decoder", ["transposed", "unpool"])
def test_an_autoencoder_is_trained_and_takes_noise_away(decoder: str) -> None:
    clean = np.asarray(cy.load("digits").inputs, np.float32)[:400] / 16
    noisy = clean + np.random.default_rng(0).normal(0, 0.3, clean.shape).astype(np.float32)
    data = cy.load((noisy, clean.reshape(len(clean), -1)))
    assert data.kind == "image"
    split = cy.split(data, seed=0)
    part = models.conv_autoencoder(channels=(12, 16), code=24, decoder=decoder)
    run = cy.fit(cy.Recipe(model=part, length="40 epochs"), split, seed=0)
    made = cy.predict(run, noisy[split.valid]).reshape(-1, 64)
    wanted = clean[split.valid].reshape(-1, 64)
    before = np.mean((noisy[split.valid].reshape(-1, 64) - wanted) ** 2)
    assert np.mean((made - wanted) ** 2) < 0.75 * before
