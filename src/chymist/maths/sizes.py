"""Sizes of layers by formula: outputs of convolutions and pooling, numbers of parameters."""

from __future__ import annotations

from typing import Literal

from chymist.errors import UsageError, nearest

_SETS = {"rnn": 1, "gru": 3, "lstm": 4}  # of weights: one for each gate, one for the candidate


def convolution_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Outputs of a convolution or pooling along one axis, floor((k + 2p - d(w-1) - 1) / s) + 1.

    What does not fill a whole window at the end is dropped, as in torch.

    Args:
        size: k, inputs along the axis.
        kernel: w, inputs that one window spans without dilation.
        stride: s, from one window to the next. Pooling usually has its kernel as stride.
        padding: p, added at each end.
        dilation: d, distance of two inputs of a window.

    Raises:
        UsageError: a size that makes no sense, or a kernel larger than the padded input.

    Example:
        >>> convolution_size(28, 3), convolution_size(100, 10), convolution_size(1000, 10, 10)
        (26, 91, 100)

    Source: Dumoulin, Visin 2016, A guide to convolution arithmetic, arXiv:1603.07285.
    """
    _check(size=size, kernel=kernel, stride=stride, dilation=dilation)
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if padding < 0 or room < 0:
        raise UsageError("the kernel does not fit the input", where="convolution_size",
                         received=f"kernel {kernel}, input {size}, padding {padding}",
                         do="use a smaller kernel or more padding")  # fmt: skip
    return room // stride + 1


def transposed_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, extra: int = 0
) -> int:
    """Outputs of a transposed convolution, (k - 1) s - 2p + d(w-1) + extra + 1.

    It gives back the shape that a convolution of the same numbers came from, not its values.

    Args:
        size: k, inputs along the axis.
        kernel, stride, padding, dilation: those of the convolution that it turns round.
        extra: added at the far end, where several shapes give the same size (output_padding).

    Raises:
        UsageError: a size that makes no sense.

    Example:
        >>> transposed_size(convolution_size(28, 4, 2, 1), 4, 2, 1)
        28

    Source: Dumoulin, Visin 2016, arXiv:1603.07285.
    """
    _check(size=size, kernel=kernel, stride=stride, dilation=dilation)
    made = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1
    if padding < 0 or extra < 0 or made < 1:
        raise UsageError("nothing is left of the output", where="padding",
                         received=str(padding), do="use less padding")  # fmt: skip
    return made


def convolution_parameters(
    inputs: int, outputs: int, *kernel: int, bias: bool = True, groups: int = 1
) -> int:
    """Parameters of a convolution: outputs (inputs / groups x kernel), and outputs for the bias.

    A filter spans all input channels of its group, so its size grows with them.

    Args:
        inputs, outputs: channels; there are as many outputs as filters.
        *kernel: sizes of the kernel, one for each axis.
        bias: whether each filter has a bias.
        groups: groups of channels that are convolved apart.

    Raises:
        UsageError: a size that makes no sense.

    Example:
        >>> convolution_parameters(1, 25, 3, 3), convolution_parameters(25, 50, 3, 3, bias=False)
        (250, 11250)
    """
    _check(inputs=inputs, outputs=outputs, groups=groups, kernel=min(kernel, default=0))
    if inputs % groups or outputs % groups:
        raise UsageError("the channels do not fall into groups", where="groups",
                         received=f"{groups} of {inputs} to {outputs}")  # fmt: skip
    weights = outputs * (inputs // groups)
    for side in kernel:
        weights *= side
    return weights + outputs * bias


def recurrent_parameters(
    kind: Literal["rnn", "gru", "lstm"], inputs: int, units: int, biases: int = 1
) -> int:
    """Parameters of a recurrent layer, g (n m + m^2 + b m), g = 1 (RNN), 3 (GRU) or 4 (LSTM).

    Args:
        kind: "rnn", "gru" or "lstm".
        inputs: n.
        units: m.
        biases: b, bias vectors of each gate: 1 in formulas and Keras' LSTM, 2 in torch.

    Raises:
        UsageError: another kind, or a size that makes no sense.

    Example:
        >>> [recurrent_parameters(kind, 10, 20) for kind in ("rnn", "gru", "lstm")]
        [620, 1860, 2480]

    Source: Hochreiter, Schmidhuber 1997; Gers et al. 2000; Cho et al. 2014.
    """
    _check(inputs=inputs, units=units)
    if kind not in _SETS or biases < 0:
        raise UsageError("no such recurrent layer", received=f"{kind!r}, {biases} biases",
                         do="give rnn, gru or lstm, and 0 biases or more")  # fmt: skip
    return _SETS[kind] * (inputs * units + units**2 + biases * units)


def covariance_parameters(
    features: int,
    classes: int = 2,
    covariance: Literal["separate", "shared", "diagonal"] = "separate",
) -> int:
    """Free numbers in the covariances of a Gaussian classifier, d (d + 1) / 2 for each matrix.

    A covariance matrix is symmetric: the number grows with the square of the number of features.

    Args:
        features: d.
        classes: how many classes there are.
        covariance: as of `cy.models.gaussian`, whose default is one shared matrix: "separate" has a
            matrix for each class, "shared" one for all of them, "diagonal" d variances a class.

    Raises:
        UsageError: a size that makes no sense, or another covariance.

    Example:
        >>> covariance_parameters(7), covariance_parameters(7, covariance="shared")
        (56, 28)
    """
    _check(features=features, classes=classes)
    kinds = {
        "separate": classes * features * (features + 1) // 2,
        "shared": features * (features + 1) // 2,
        "diagonal": classes * features,
    }
    if covariance not in kinds:
        raise UsageError("unknown covariance", where="covariance", received=repr(covariance)[:60],
                         do=nearest(str(covariance), kinds))  # fmt: skip
    return kinds[covariance]


def _check(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise UsageError("a size is at least 1", where=name, received=str(size))
