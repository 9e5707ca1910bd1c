"""Sizes of layers, gates and boxes by formula: against torch, and the worked examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import confusion_matrix, jaccard_score
from torch import nn

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.keys import generator

maths = cy.maths
SEEDS = st.integers(0, 999)


# Sizes


@given(
    st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3)
)
@settings(max_examples=80, deadline=None)
def test_sizes_against_torch(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    layer = nn.Conv1d(1, 1, kernel, device="meta", **options)
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        with pytest.raises(UsageError, match="does not fit"):
            maths.convolution_size(size, kernel, **options)
        return
    made = maths.convolution_size(size, kernel, **options)
    assert layer(torch.zeros(1, 1, size, device="meta")).shape[-1] == made
    back = nn.ConvTranspose1d(1, 1, kernel, device="meta", **options)
    if (size - 1) * stride - 2 * padding + dilation * (kernel - 1) >= 0:
        again = maths.transposed_size(size, kernel, **options)
        assert back(torch.zeros(1, 1, size, device="meta")).shape[-1] == again
    lost = (size + 2 * padding - dilation * (kernel - 1) - 1) % stride
    assert maths.transposed_size(made, kernel, **options, extra=lost) == size


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), st.booleans())
@settings(max_examples=30, deadline=None)
def test_parameters_of_convolutions(
    inputs: int, outputs: int, groups: int, kernel: int, bias: bool
) -> None:
    layer = nn.Conv2d(inputs * groups, outputs * groups, (kernel, 2), groups=groups, bias=bias)
    found = maths.convolution_parameters(
        inputs * groups, outputs * groups, kernel, 2, bias=bias, groups=groups
    )
    assert found == sum(p.numel() for p in layer.parameters())


@given(st.sampled_from(["rnn", "gru", "lstm"]), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_parameters_of_recurrent_layers(kind: str, inputs: int, units: int) -> None:
    layer = getattr(nn, kind.upper())(inputs, units)
    found = maths.recurrent_parameters(kind, inputs, units, biases=2)
    assert found == sum(p.numel() for p in layer.parameters())


def test_sizes_of_the_course() -> None:
    # Course: W03, W04, W05, W06, W07, W08, W09, W12, W13, W14, W15, W17, W26, W27, W29, W31, W32, W95.
    size, parameters = maths.convolution_size, maths.convolution_parameters
    assert [size(28, 3), size(26, 2, 2), size(13, 3), size(11, 2, 2)] == [26, 13, 11, 5]
    assert 50 * size(11, 2, 2) ** 2 == 1250
    assert (size(28, 3, 3), size(28, 28)) == (9, 1)  # (25, 3, 3) read as kernel 3, stride 3
    assert (size(6, 3), size(4, 2, 2)) == (4, 2)
    assert size(1000, 10, 10) ** 2 == 10_000
    assert size(100, 10) ** 2 == 91**2 == 8281
    assert size(100, 3) == 98  # what the notes have for a kernel of 10
    assert size(27, 3) == 25
    assert [size(n, 5, padding=2) for n in (7, 32, 225)] == [7, 32, 225]
    assert (size(28, 5), size(32, 5)) == (24, 28)
    per_filter = [parameters(c, 1, 3, 3, bias=b) for c in (1, 25) for b in (False, True)]
    assert per_filter == [9, 10, 225, 226]
    layers = [parameters(*c, 3, 3, bias=b) for c in ((1, 25), (25, 50)) for b in (False, True)]
    assert layers == [225, 250, 11250, 11300]
    assert [parameters(1, 32, 3, 3), parameters(32, 64, 3, 3)] == [320, 18496]
    assert (parameters(3, 32, 5, 5), parameters(1, 6, 5, 5)) == (2432, 156)
    assert parameters(1, 1, 28, 28, bias=False) == 784


def test_numbers_of_parameters_of_the_course() -> None:
    # Course: W47, W48, W86.
    counts = [maths.recurrent_parameters(kind, 10, 20) for kind in ("lstm", "gru", "rnn")]
    assert counts == [2480, 1860, 620]
    assert round(2480 / (10 * 20 + 20), 2) == 11.27
    both = [
        (maths.covariance_parameters(d), maths.covariance_parameters(d, covariance="shared"))
        for d in (2, 7, 100)
    ]
    assert both == [(6, 3), (56, 28), (10100, 5050)]


@given(st.integers(1, 9), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_covariance_parameters_are_the_free_entries(features: int, classes: int) -> None:
    free = len(np.tril_indices(features)[0])
    assert maths.covariance_parameters(features, classes) == classes * free
    diagonal = maths.covariance_parameters(features, classes, "diagonal")
    assert diagonal == classes * features


def test_sizes_that_make_no_sense() -> None:
    for call in (
        lambda: maths.convolution_size(0, 3),
        lambda: maths.convolution_size(5, 3, stride=0),
        lambda: maths.convolution_size(5, 3, padding=-1),
        lambda: maths.transposed_size(1, 2, padding=1),
        lambda: maths.convolution_parameters(3, 4),
        lambda: maths.convolution_parameters(3, 4, 3, groups=2),
        lambda: maths.recurrent_parameters("elman", 1, 1),
        lambda: maths.covariance_parameters(0),
        lambda: maths.covariance_parameters(2, covariance="full"),
    ):
        with pytest.raises(UsageError):
            call()


# Pooling


@given(SEEDS, st.integers(2, 9), st.integers(2, 9), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_pooling_against_torch(seed: int, rows: int, columns: int, size: int, stride: int) -> None:
    size = min(size, rows, columns)
    matrix = generator(seed, "matrix").normal(size=(rows, columns))
    tensor = torch.from_numpy(matrix)[None]
    for kind, layer in (("max", nn.MaxPool2d(size, stride)), ("mean", nn.AvgPool2d(size, stride))):
        np.testing.assert_allclose(
            maths.pool(matrix, size, stride, kind), layer(tensor)[0], rtol=1e-12
        )


def test_pooling_of_the_course() -> None:
    # Course: W06, W28.
    matrix = [[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]
    assert maths.pool(matrix).tolist() == [[6, 8], [3, 4]]
    assert maths.pool(matrix, kind="mean").tolist() == [[3.25, 5.25], [2, 2]]
    assert maths.pool(np.ones((11, 11))).shape == (5, 5)
    with pytest.raises(InputError, match="not a matrix"):
        maths.pool([1, 2])


# Gates


@given(SEEDS, st.integers(1, 6), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_gated_memory_is_an_lstm(seed: int, steps: int, units: int) -> None:
    """A cell of torch whose drives do not depend on its output is the same walk."""
    rng = generator(seed, "cell")
    x = rng.normal(size=(steps, units))
    drives = rng.normal(size=(3, steps, units))
    cell = nn.LSTMCell(4 * units, units, dtype=torch.float64)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.weight_ih.copy_(torch.eye(4 * units))
        state = None
        outputs, memories = [], []
        for step in range(steps):  # torch's order: input gate, forget gate, candidate, output gate
            row = np.concatenate([drives[0, step], drives[1, step], x[step], drives[2, step]])
            state = cell(torch.from_numpy(row)[None], state)
            outputs.append(state[0][0].numpy())
            memories.append(state[1][0].numpy())
    found = maths.gated_memory(x, *drives, squash=np.tanh)
    np.testing.assert_allclose(found.memory, memories, atol=1e-12)
    np.testing.assert_allclose(found.output, outputs, atol=1e-12)
    np.testing.assert_allclose(found.forget_gate, expit(drives[1]))


def test_gates_of_the_course() -> None:
    # Course: W43, W44.
    x1 = [1, 3, 2, 4, 2, 1, 3, 6, 1]
    x2 = np.array([0, 1, 0, 1, 0, 0, -1, 1, 0])
    x3 = np.array([0, 0, 0, 0, 0, 1, 0, 0, 1])
    # x2 = 1 adds to the memory, x2 = -1 clears it, x3 = 1 puts it out.
    ideal = maths.gated_memory(x1, x2, x2 + 1, x3, gate=lambda z: (z > 0) * 1.0)
    assert ideal.memory.tolist() == [0, 3, 3, 7, 7, 7, 0, 6, 6]
    assert ideal.output.tolist() == [0, 0, 0, 0, 0, 7, 0, 0, 6]


def test_gates_that_are_never_quite_open() -> None:
    # Course: W45, W46.
    x1, x2, x3 = np.array([(3, 1, 0), (4, 1, 0), (2, 0, 0), (1, 0, 1), (3, -1, 0)]).T
    found = maths.gated_memory(x1, 100 * x2 - 10, 100 * x2 + 10, 100 * x3 - 10)
    assert found.memory[:4].round(6).tolist() == [3, 7, 6.999773, 6.999501]
    assert found.memory[4] == pytest.approx(5.7e-39, rel=0.01)
    assert round(found.output[3], 6) == 6.999501
    assert np.delete(found.output, 3).max() < 3.2e-4
    assert found.forget_gate[2].round(7) == 0.9999546
    assert found.input_gate[2].round(7) == 0.0000454


def test_gates_of_another_length() -> None:
    with pytest.raises(InputError, match="differ in shape"):
        maths.gated_memory([1, 2], [1], [1, 1], [1, 1])


# Boxes


def boxes(seed: int, count: int) -> np.ndarray:
    corners = generator(seed, "boxes").integers(0, 9, (count, 2, 2))
    return np.concatenate([corners.min(1), corners.max(1) + 1], axis=1)


@given(SEEDS, st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_overlap_by_counting_pixels(seed: int, n: int, m: int) -> None:
    def mask(box: np.ndarray) -> np.ndarray:
        left, top, right, bottom = box
        made = np.zeros((12, 12), bool)
        made[top:bottom, left:right] = True
        return made

    first, second = boxes(seed, n), boxes(seed + 1, m)
    expected = [[jaccard_score(mask(a).ravel(), mask(b).ravel()) for b in second] for a in first]
    found = maths.box_iou(first, second)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(maths.box_iou(second, first), found.T)
    np.testing.assert_allclose(maths.box_iou(first, first).diagonal(), 1)
    np.testing.assert_allclose(maths.box_corners(maths.centered_box(first)), first)


@given(SEEDS, st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_mean_overlap_against_sklearn(seed: int, classes: int) -> None:
    truth, found = generator(seed, "labels").integers(0, classes, (2, 40))
    expected = jaccard_score(truth, found, average="macro")
    assert maths.mean_iou(confusion_matrix(truth, found)) == pytest.approx(expected)


def test_boxes_of_the_course() -> None:
    # Course: W90, W91.
    assert round(float(maths.box_iou([0, 0, 2, 2], [1, 1, 3, 3])), 6) == 0.142857
    apart = maths.numerical_gradient(
        lambda box: 1 - float(maths.box_iou(box, [5, 5, 6, 6])), [0, 0, 2, 2]
    )
    assert apart.tolist() == [0, 0, 0, 0]
    touching = maths.numerical_gradient(
        lambda box: 1 - float(maths.box_iou(box, [1, 1, 3, 3])), [0, 0, 2, 2]
    )
    assert np.abs(touching).min() > 0.04
    assert maths.centered_box([10, 20, 50, 80]).tolist() == [30, 50, 40, 60]
    # Half of the first class is right, nothing is left of the second, and all of the third.
    assert maths.mean_iou([[1, 1, 0], [0, 0, 0], [0, 0, 5]]) == 0.5
    assert maths.mean_iou([[1, 0, 0], [0, 0, 0], [0, 0, 5]]) == 1


def test_no_boxes() -> None:
    for wrong in ([0, 0, 1], [3, 0, 1, 1], [0, 0, np.nan, 1]):
        with pytest.raises(InputError):
            maths.box_iou(wrong, [0, 0, 1, 1])
    with pytest.raises(InputError):
        maths.box_corners([0, 0, -1, 1])
    with pytest.raises(InputError, match="confusion"):
        maths.mean_iou([[0, 0], [0, 0]])
    assert float(maths.box_iou([1, 1, 1, 1], [1, 1, 1, 1])) == 0  # no area, no overlap


# Numbers of the machine


def test_range_of_half_precision() -> None:
    # Course: W49.
    half = torch.finfo(torch.float16)
    assert (half.smallest_normal, half.max, half.eps) == (6.103515625e-05, 65504, 9.765625e-04)
    subnormal = torch.tensor(6e-8, dtype=torch.float16).item()
    assert f"{subnormal:.2e}" == "5.96e-08"
    assert torch.tensor(2e-8, dtype=torch.float16).item() == 0
    assert torch.finfo(torch.bfloat16).max == pytest.approx(
        torch.finfo(torch.float32).max, rel=0.01
    )
