"""Convolution by hand: as inner products of windows, as a dense matrix, and turned round."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError
from chymist.maths.sizes import convolution_size, transposed_size


def image_windows(
    image: ArrayLike, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> np.ndarray:
    """The windows of an image as vectors, one a place (im2col).

    Args:
        image: (channels, height, width).
        kernel: side of a window in values.
        stride: from one window to the next.
        padding: zeros on each side.
        dilation: distance of the values of a window.

    Returns:
        (places, channels x kernel x kernel), places row by row.

    Raises:
        InputError: no image.
        UsageError: the window does not fit.

    Example:
        >>> image_windows(np.arange(9).reshape(1, 3, 3), kernel=2)[0]
        array([0., 1., 3., 4.])

    Source: Chellapilla, Puri, Simard 2006, High performance convolutional neural networks.
    """
    values = _image(image, 3)
    rows, columns = (
        convolution_size(n, kernel, stride, padding, dilation) for n in values.shape[1:]
    )
    wide = np.pad(values, ((0, 0), (padding, padding), (padding, padding)))
    offset = np.arange(kernel) * dilation
    down = (np.arange(rows) * stride)[:, None] + offset  # (rows, kernel)
    right = (np.arange(columns) * stride)[:, None] + offset
    found = wide[:, down[:, None, :, None], right[None, :, None, :]]
    return np.asarray(found.transpose(1, 2, 0, 3, 4).reshape(rows * columns, -1))


def convolve(
    image: ArrayLike, kernels: ArrayLike, bias: ArrayLike | None = None, stride: int = 1,
    padding: int = 0, dilation: int = 1,
) -> np.ndarray:  # fmt: skip
    """Convolution as networks have it: the inner product of each window with each kernel.

    In signal processing this is the correlation; there a convolution turns the kernel round first.

    Args:
        image: (channels, height, width).
        kernels: (outputs, channels, side, side).
        bias: (outputs,), or None.
        stride, padding, dilation: as in `image_windows`.

    Returns:
        (outputs, height, width) of the places.

    Raises:
        InputError: shapes that do not fit.
        UsageError: the kernel does not fit the image.

    Example:
        >>> edge = np.array([[[[-1.0, 1.0]] * 2]]).reshape(1, 1, 2, 2)
        >>> convolve([[[0, 0, 5], [0, 0, 5]]], edge)
        array([[[ 0., 10.]]])
    """
    values, filters = _image(image, 3), _image(kernels, 4)
    _check(values.shape[0], filters.shape[1], filters)
    side = filters.shape[2]
    windows = image_windows(values, side, stride, padding, dilation)
    made = windows @ filters.reshape(len(filters), -1).T
    made = made + (0 if bias is None else np.asarray(bias, np.float64))
    rows = convolution_size(values.shape[1], side, stride, padding, dilation)
    return np.asarray(made.T.reshape(len(filters), rows, -1))


def convolution_matrix(
    kernels: ArrayLike, shape: tuple[int, int, int], stride: int = 1, padding: int = 0,
    dilation: int = 1,
) -> np.ndarray:  # fmt: skip
    """The dense layer that a convolution is: most weights are 0 (local), the others shared.

    Args:
        kernels: (outputs, channels, side, side).
        shape: of an image, (channels, height, width).
        stride, padding, dilation: as in `image_windows`.

    Returns:
        W, (outputs x places, channels x height x width), with W x = `convolve(x)` of flat images.

    Raises:
        InputError, UsageError: as in `convolve`.

    Example:
        >>> convolution_matrix([[[[2.0]]]], (1, 1, 2))
        array([[2., 0.],
               [0., 2.]])
    """
    inputs = int(np.prod(shape))
    units = np.eye(inputs).reshape(inputs, *shape)
    columns = [convolve(unit, kernels, None, stride, padding, dilation).ravel() for unit in units]
    return np.stack(columns, 1)


def expand(image: ArrayLike, stride: int) -> np.ndarray:
    """An image with stride - 1 zeros between its values.

    Args:
        image: (channels, height, width).
        stride: distance of the values after it.

    Raises:
        InputError: no image.

    Example:
        >>> expand([[[1, 2]]], 2)
        array([[[1., 0., 2.]]])
    """
    values = _image(image, 3)
    channels, height, width = values.shape
    made = np.zeros((channels, (height - 1) * stride + 1, (width - 1) * stride + 1))
    made[:, ::stride, ::stride] = values
    return made


def transposed_convolve(
    image: ArrayLike, kernels: ArrayLike, bias: ArrayLike | None = None, stride: int = 1,
    padding: int = 0, extra: int = 0,
) -> np.ndarray:  # fmt: skip
    """Transposed convolution: expand the input, then an ordinary convolution with turned kernels.

    It maps back with the transposed matrix of the convolution of the same numbers.

    Args:
        image: (channels, height, width).
        kernels: (channels, outputs, side, side), as the convolution has it that is turned round.
        bias: (outputs,), or None.
        stride, padding: those of that convolution.
        extra: rows and columns that are added at the far end (output_padding), less than `stride`.

    Returns:
        (outputs, height, width) of the larger image.

    Raises:
        InputError: shapes that do not fit.
        UsageError: nothing is left of the output.

    Example:
        >>> transposed_convolve([[[1, 2]]], np.ones((1, 1, 2, 2)), stride=2)
        array([[[1., 1., 2., 2.],
                [1., 1., 2., 2.]]])

    Source: Dumoulin, Visin 2016, arXiv:1603.07285.
    """
    values, filters = _image(image, 3), _image(kernels, 4)
    _check(values.shape[0], filters.shape[0], filters)
    side = filters.shape[2]
    for size in values.shape[1:]:
        transposed_size(size, side, stride, padding, extra=extra)
    border = side - 1 - padding
    wide = np.pad(expand(values, stride), ((0, 0), (0, extra), (0, extra)))
    if border < 0:
        wide, border = wide[:, -border:border, -border:border], 0
    turned = filters[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    return convolve(wide, turned, bias, padding=border)


def pool_places(image: ArrayLike, size: int = 2) -> np.ndarray:
    """Where the largest value of each window stands, as max pooling remembers it.

    Args:
        image: (channels, height, width); rows and columns that fill no window are dropped.
        size: side of a window, and the step to the next.

    Returns:
        Numbers of pixels, row by row, (channels, rows, columns).

    Raises:
        InputError: no image.
        UsageError: the window does not fit.

    Example:
        >>> pool_places([[[1, 5], [2, 0]]])
        array([[[1]]])
    """
    values = _image(image, 3)
    channels, height, width = values.shape
    rows, columns = (convolution_size(n, size, size) for n in (height, width))
    numbers = np.arange(height * width, dtype=np.float64).reshape(1, height, width)
    where = image_windows(numbers, size, size).astype(np.int64)
    made = [
        where[np.arange(len(where)), image_windows(one[None], size, size).argmax(1)]
        for one in values
    ]
    return np.stack(made).reshape(channels, rows, columns)


def unpool(image: ArrayLike, places: ArrayLike, shape: tuple[int, int]) -> np.ndarray:
    """Unpooling: values go back to where they came from, all other pixels are 0.

    Args:
        image: what is left after pooling, (channels, rows, columns).
        places: as `pool_places` gives them.
        shape: height and width of the image before pooling.

    Returns:
        (channels, height, width).

    Raises:
        InputError: no image, or places beyond the shape.

    Example:
        >>> unpool([[[5]]], [[[1]]], (2, 2))
        array([[[0., 5.],
                [0., 0.]]])

    Source: Zeiler, Fergus 2014, arXiv:1311.2901, section 2.1.
    """
    values, where = _image(image, 3), np.asarray(places)
    if where.shape != values.shape or where.min() < 0 or where.max() >= shape[0] * shape[1]:
        raise InputError("the places are not those of the image", where="unpool",
                         received=f"places of shape {where.shape}, image {values.shape}",
                         do="give those that pool_places gave")  # fmt: skip
    made = np.zeros((len(values), shape[0] * shape[1]))
    np.put_along_axis(made, where.reshape(len(values), -1), values.reshape(len(values), -1), 1)
    return made.reshape(len(values), *shape)


def _image(values: ArrayLike, axes: int) -> np.ndarray:
    made = np.asarray(values, np.float64)
    if made.ndim != axes:
        names = "(channels, height, width)" if axes == 3 else "(outputs, channels, side, side)"
        raise InputError("another shape is needed", received=f"{made.shape}", do=f"give {names}")
    return made


def _check(channels: int, known: int, kernels: np.ndarray) -> None:
    """Refuse kernels of other channels, or that are not square."""
    if channels != known or kernels.shape[2] != kernels.shape[3]:
        raise InputError("the kernels do not fit the image", where="kernels",
                         received=f"{kernels.shape} for {channels} channels",
                         do="give square kernels with the channels of the image")  # fmt: skip
