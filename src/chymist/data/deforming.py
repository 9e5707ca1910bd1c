"""Changes of images by a known amount: shift, scale, rotation, shear, elastic, resolution.

What comes from beyond the border is its nearest pixel. Each change gives several images where it
has several directions: a shift goes four ways.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from chymist.keys import torch_generator

FIELDS = 4  # elastic deformations that are tried
KNOTS = 4  # of an elastic field along each side


class Change(NamedTuple):
    """A kind of change.

    Args:
        unit: of its amount.
        none: the amount that changes nothing.
        low, high: the amounts that make sense.
        make: from images (n, channels, height, width) and an amount to changed ones.
        usual: amounts that are tried, from the shorter side of an image in pixels.
    """

    unit: str
    none: float
    low: float
    high: float
    make: Callable[[Tensor, float], list[Tensor]]
    usual: Callable[[int], tuple[float, ...]]


def shifted(images: Tensor, pixels: float) -> list[Tensor]:
    """Images moved by whole pixels to the right, left, down and up.

    Example:
        >>> shifted(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 1)[0].flatten().tolist()
        [1.0, 1.0, 2.0]
    """
    by, (height, width) = round(pixels), images.shape[2:]
    wide = functional.pad(images, (by, by, by, by), mode="replicate")
    starts = ((by, 0), (by, 2 * by), (0, by), (2 * by, by))  # (down, right) of what is cut out
    return [wide[:, :, top : top + height, left : left + width] for top, left in starts]


def scaled(images: Tensor, percent: float) -> list[Tensor]:
    """Images enlarged about their centre to a size in percent (bilinear).

    Example:
        >>> scaled(torch.tensor([[[[0.0, 4.0, 8.0, 12.0]]]]), 200)[0].flatten().tolist()
        [3.0, 5.0, 7.0, 9.0]
    """
    return [mapped(images, 100 / percent, 0.0, 0.0, 100 / percent)]


def rotated(images: Tensor, degrees: float) -> list[Tensor]:
    """Images turned about their centre, one way and the other (bilinear).

    Example:
        >>> ways = rotated(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 90)
        >>> [way.flatten().tolist() for way in ways]
        [[2.0, 4.0, 1.0, 3.0], [3.0, 1.0, 4.0, 2.0]]
    """
    angles = (math.radians(degrees), -math.radians(degrees))
    return [mapped(images, math.cos(a), -math.sin(a), math.sin(a), math.cos(a)) for a in angles]


def sheared(images: Tensor, degrees: float) -> list[Tensor]:
    """Images slanted sideways, one way and the other (bilinear).

    Example:
        >>> sheared(torch.tensor([[[[1.0, 3.0], [1.0, 3.0]]]]), 45)[0].flatten().tolist()
        [1.0, 2.0, 2.0, 3.0]
    """
    slope = math.tan(math.radians(degrees))
    return [mapped(images, 1.0, by, 0.0, 1.0) for by in (slope, -slope)]


def coarsened(images: Tensor, percent: float) -> list[Tensor]:
    """Images of fewer rows and columns (means of pixels), enlarged again (bilinear).

    Example:
        >>> coarsened(torch.tensor([[[[1.0, 3.0], [3.0, 5.0]]]]), 50)[0].flatten().tolist()
        [3.0, 3.0, 3.0, 3.0]
    """
    sides = images.shape[2:]
    height, width = (max(1, round(percent / 100 * side)) for side in sides)
    small = functional.adaptive_avg_pool2d(images, (height, width))
    return [functional.interpolate(small, size=sides, mode="bilinear")]


def bent(images: Tensor, percent: float) -> list[Tensor]:
    """Images whose places are moved by smooth random fields, the same ones for every image.

    Args:
        images: (n, channels, height, width).
        percent: root mean square of the moves, of the shorter side.

    Example:
        >>> ways = bent(torch.arange(64.0).view(1, 1, 8, 8).repeat(2, 1, 1, 1), 5)
        >>> len(ways), torch.equal(ways[0][0], ways[0][1]), torch.equal(ways[0], ways[1])
        (4, True, False)

    Source: elastic distortions, Simard, Steinkraus, Platt 2003, ICDAR.
    """
    made = []
    pixels = percent / 100 * min(images.shape[2:])
    for number in range(FIELDS):
        drawn = torch.randn(
            1, 2, KNOTS, KNOTS, generator=torch_generator(0, "elastic", str(number))
        )
        field = functional.interpolate(drawn.to(images), size=images.shape[2:], mode="bicubic",
                                       align_corners=True)[0]  # fmt: skip
        field = field * (pixels / field.square().sum(0).mean().sqrt())
        y, x = _places(images)
        made.append(_sampled(images, x + field[0], y + field[1]))
    return made


def mapped(images: Tensor, xx: float, xy: float, yx: float, yy: float) -> Tensor:
    """Images whose pixel at (x, y) from the centre is taken from (xx x + xy y, yx x + yy y).

    Example:
        >>> turned = mapped(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), 0.0, -1.0, 1.0, 0.0)
        >>> turned.flatten().tolist()
        [2.0, 4.0, 1.0, 3.0]
    """
    y, x = _places(images)
    return _sampled(images, xx * x + xy * y, yx * x + yy * y)


def _places(images: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of all pixels, from the centre."""
    height, width = images.shape[2:]
    down = torch.arange(height, dtype=images.dtype) - (height - 1) / 2
    right = torch.arange(width, dtype=images.dtype) - (width - 1) / 2
    y, x = torch.meshgrid(down, right, indexing="ij")
    return y, x


def _sampled(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Images read at other places, given from the centre."""
    height, width = images.shape[2:]
    grid = torch.stack([2 * x / width, 2 * y / height], -1).expand(len(images), -1, -1, -1)
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="border", align_corners=False
    )


CHANGES: Mapping[str, Change] = {
    "shift": Change(
        "pixels",
        0.0,
        0.0,
        math.inf,
        shifted,
        lambda side: tuple(float(n) for n in sorted({round(side * k / 28) for k in range(7)})),
    ),
    "scale": Change(
        "% of the size",
        100.0,
        10.0,
        1000.0,
        scaled,
        lambda _: (50.0, 70.0, 85.0, 100.0, 120.0, 150.0, 200.0),
    ),
    "rotation": Change(
        "degrees", 0.0, 0.0, 180.0, rotated, lambda _: (0.0, 10.0, 20.0, 30.0, 45.0, 60.0)
    ),
    "shear": Change("degrees", 0.0, 0.0, 80.0, sheared, lambda _: (0.0, 10.0, 20.0, 30.0, 45.0)),
    "elastic": Change("% of the side", 0.0, 0.0, 100.0, bent, lambda _: (0.0, 2.0, 4.0, 7.0, 10.0)),
    "resolution": Change(
        "% of the rows and columns",
        100.0,
        1.0,
        100.0,
        coarsened,
        lambda _: (25.0, 37.5, 50.0, 75.0, 100.0),
    ),
}
