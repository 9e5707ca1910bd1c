"""What a unit of a convolution adds up: its patch times its kernel, and its bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.explanation.asking import at_rest
from chymist.explanation.features import listening

KINDS = (nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True, eq=False)
class UnitSum:
    """The arithmetic of one unit at one place: sum of patch times kernel, plus bias.

    Args:
        channels: numbers of the input channels that the unit reads, (channels,).
        patch: what it reads there, zeros of the padding included, (channels, height, width).
        kernel: its weights, the same shape.
        bias: its bias; 0 without one.
        value: what the network itself gives there.
        corner: line and column of the patch's first number in the input; below 0 in the padding.
        step: lines and columns from one number of the patch to the next (the dilation).
    """

    channels: np.ndarray
    patch: np.ndarray
    kernel: np.ndarray
    bias: float
    value: float
    corner: tuple[int, int]
    step: tuple[int, int]

    @property
    def parts(self) -> np.ndarray:
        """What each input channel adds, float64, (channels,)."""
        products = self.patch.astype(np.float64) * self.kernel
        found: np.ndarray = products.sum((1, 2))
        return found

    @property
    def total(self) -> float:
        """The sum over all channels, plus bias, in double precision."""
        return float(self.parts.sum() + self.bias)


def convolutions(module: nn.Module) -> dict[str, nn.Module]:
    """Convolutions of one or two axes whose kernels slide, by name.

    Example:
        >>> list(convolutions(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())))
        ['0']
    """
    return {name: one for name, one in module.named_modules() if isinstance(one, KINDS)}


def unit_sum(
    module: nn.Module, inputs: Tensor, layer: str, unit: int, place: Sequence[int]
) -> UnitSum:
    """The arithmetic of a unit of a convolution, read off the network as it is.

    y[u, p] = sum_c sum_k x[c, s p + d k - padding] w[u, c, k] + b[u].

    Args:
        module: any module with convolutions; it stays as it was.
        inputs: one prepared row, (1, ...).
        layer: name of the convolution.
        unit: number of its output channel.
        place: line and column in its map; of one axis the step alone.

    Returns:
        A `UnitSum`; `total` is `value` but for rounding.

    Raises:
        UsageError: no such convolution, unit or place.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 1, 2))
        >>> found = unit_sum(net, torch.rand(1, 1, 4, 4), "0", 0, (1, 2))
        >>> found.patch.shape, abs(found.total - found.value) < 1e-6
        ((1, 2, 2), True)

    Source: Wang et al. 2021, CNN Explainer, 10.1109/TVCG.2020.3030418.
    """
    known = convolutions(module)
    if layer not in known:
        raise UsageError(
            "no such convolution",
            where="layer",
            received=f"'{layer}'"[:80],
            do=f"take one of {', '.join(known) or 'none: the model has none'}"[:160],
        )
    conv = known[layer]
    assert isinstance(conv, KINDS)
    heard, given = dict[str, Tensor](), dict[str, Tensor]()
    with (
        at_rest(module), torch.no_grad(), listening(module, [layer], heard),
        listening(module, [layer], given, reads=True),
    ):  # fmt: skip
        module(inputs)
    if layer not in heard:
        raise UsageError("the model does not call this layer", where="layer", received=layer)
    maps, read = heard[layer][0], given[layer]
    at = tuple(int(n) for n in place)
    if (
        not 0 <= unit < len(maps)
        or len(at) != maps.ndim - 1
        or any(not 0 <= n < end for n, end in zip(at, maps.shape[1:], strict=True))
    ):
        raise UsageError("the layer has no such unit", where="unit",
                         received=f"{unit} at {','.join(map(str, at))}",
                         do=f"its maps are {' x '.join(map(str, maps.shape))}")  # fmt: skip
    return _sum(conv, read, maps, unit, at)


def _sum(
    conv: nn.Conv1d | nn.Conv2d, read: Tensor, maps: Tensor, unit: int, at: tuple[int, ...]
) -> UnitSum:
    """The patch, cut out of the padded input."""
    before = conv._reversed_padding_repeated_twice
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    padded = F.pad(read, before, mode=mode)[0]
    lines, each = len(maps) // conv.groups, padded.shape[0] // conv.groups
    first = unit // lines * each
    patch = padded[first : first + each]
    corner = []
    for axis, place in enumerate(at):
        stride, step, size = conv.stride[axis], conv.dilation[axis], conv.kernel_size[axis]
        start = place * stride
        where = torch.arange(start, start + step * (size - 1) + 1, step)
        patch = patch.index_select(axis + 1, where)
        corner.append(start - before[2 * (len(at) - 1 - axis)])
    kernel = conv.weight.detach()[unit]
    if len(at) == 1:
        patch, kernel, corner = patch[:, None], kernel[:, None], [0, *corner]
    step2 = (1, conv.dilation[0]) if len(at) == 1 else (conv.dilation[0], conv.dilation[-1])
    return UnitSum(
        np.arange(first, first + each), patch.cpu().numpy(), kernel.cpu().numpy(),
        0.0 if conv.bias is None else float(conv.bias[unit].detach()),
        float(maps[(unit, *at)]), (corner[0], corner[1]), step2,
    )  # fmt: skip
