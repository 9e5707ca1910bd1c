"""LeNet-5 as it was in 1998, and as it is drawn today."""

from __future__ import annotations

from typing import Literal

from torch import nn

from chymist.errors import UsageError
from chymist.models.blocks import Beside, Channels, RadialOutput, ScaledTanh
from chymist.models.shaping import image_shape
from chymist.parts import describer
from chymist.values import Shapes

# Which maps of S2 each map of C3 sees (table I of the paper): groups of three and of four in a
# row, two and two with a gap, and all.
THREES = [tuple((first + n) % 6 for n in range(3)) for first in range(6)]
FOURS = [tuple((first + n) % 6 for n in range(4)) for first in range(6)]
FOURS += [(0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)]


@describer("model")
def lenet5(shapes: Shapes) -> nn.Module:
    """LeNet-5 in its modern form: ReLU and max pooling in place of tanh and sub-sampling.

    Two blocks of 5x5 convolution (6 and 16 channels; the first padded by 2) and 2x2 pooling, then
    dense layers of 120 and 84. On 28x28 inputs with 10 classes it has 61,706 parameters.

    Example:
        >>> sum(p.numel() for p in lenet5().build(Shapes((1, 28, 28), 10)).parameters())
        61706

    Source: LeCun et al. 1998, Proceedings of the IEEE 86(11).
    """
    depth, height, width = _maps(shapes, "lenet5")
    return nn.Sequential(
        nn.Conv2d(depth, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * height * width, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, shapes.outputs),
    )  # fmt: skip


@describer("model")
def lenet5_1998(shapes: Shapes, *, output: Literal["radial", "dense"] = "radial") -> nn.Module:
    """LeNet-5 as it was published: sub-sampling with weights, tanh, maps of C3 that see some of S2.

    C1 5x5 (6 maps), S2, C3 5x5 (16 maps with 60 of 96 connections), S4, C5 (120), F6 (84), and
    distances to fixed codes of the classes. Sub-sampling is w mean + b for each map, with tanh
    after it; activations are 1.7159 tanh(2 x / 3). On 28x28 inputs, padded by 2, it has the 60,000
    trained parameters of the paper, and 340,908 connections.

    Args:
        output: "radial" as published, or "dense": an affine map (850 parameters more for 10
            classes).

    Example:
        >>> sum(p.numel() for p in lenet5_1998().build(Shapes((1, 28, 28), 10)).parameters())
        60000

    Source: LeCun et al. 1998, Proceedings of the IEEE 86(11), section II.B.
    """
    depth, height, width = _maps(shapes, "lenet5_1998")
    last = RadialOutput(84, shapes.outputs) if output == "radial" else nn.Linear(84, shapes.outputs)
    return nn.Sequential(
        nn.Conv2d(depth, 6, 5, padding=2), ScaledTanh(), *_subsampling(6),
        _some_connections(), ScaledTanh(), *_subsampling(16),
        nn.Conv2d(16, 120, (height, width)), ScaledTanh(), nn.Flatten(),
        nn.Linear(120, 84), ScaledTanh(), last,
    )  # fmt: skip


def _subsampling(maps: int) -> list[nn.Module]:
    """w mean + b over 2 x 2 values of each map, then tanh."""
    return [nn.AvgPool2d(2), nn.Conv2d(maps, maps, 1, groups=maps), ScaledTanh()]


def _some_connections() -> nn.Module:
    """C3: maps that see three, four, or all of six, as convolutions in groups."""

    def of(sets: list[tuple[int, ...]]) -> nn.Module:
        chosen = [number for one in sets for number in one]
        return nn.Sequential(
            Channels(chosen), nn.Conv2d(len(chosen), len(sets), 5, groups=len(sets))
        )

    return Beside(of(THREES), of(FOURS), nn.Conv2d(6, 1, 5))


def _maps(shapes: Shapes, name: str) -> tuple[int, int, int]:
    """Channels of the input, height and width of the last maps."""
    depth, height, width = image_shape(shapes, name)
    height, width = (height // 2 - 4) // 2, (width // 2 - 4) // 2
    if min(height, width) < 1:
        raise UsageError(
            f"the images are too small for '{name}'",
            received=f"{shapes.inputs[1]} x {shapes.inputs[2]} pixels",
            do="use 'cnn', or images of 12 pixels a side or more",
        )
    return depth, height, width
