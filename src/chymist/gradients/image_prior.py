"""What keeps an image that is found by ascent like an image: regularisers, jitter, bounds."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

import torch
from torch import Tensor
from torch.nn import functional

from chymist.errors import InputError, UsageError
from chymist.gradients.losses import slope_of
from chymist.keys import generator


@dataclass(frozen=True)
class ImagePrior:
    """What an ascent on images holds to beside the output that it raises.

    The ascent raises y(x) - decay |x - x_0|^2 / 2 - variation TV(x). Where it is normalised, the
    gradient of y is divided by its root mean square for each image, so that decay, variation and
    rate mean the same for all models, and the rate falls to 0 in a straight line.

    Args:
        decay: weight of the squared distance from the start.
        variation: weight of the total variation.
        blur: deviation of a Gaussian blur after each step, in pixels; 0 is none.
        jitter: the image is moved by up to so many pixels before each step, and back.
        low, high: range of all values; what leaves it is cut off.
        normalized: see above.
        seed: seed of the jitter.

    Example:
        >>> ImagePrior(low=0.0, high=1.0).settled(torch.tensor([[[[-1.0, 0.5, 2.0]]]])).tolist()
        [[[[0.0, 0.5, 1.0]]]]

    Source: Yosinski et al. 2015, Understanding neural networks through deep visualization;
        Mahendran, Vedaldi 2015 (total variation); Olah et al. 2017, Feature visualization (jitter).
    """

    decay: float = 0.0
    variation: float = 0.0
    blur: float = 0.0
    jitter: int = 0
    low: float = -inf
    high: float = inf
    normalized: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("decay", "variation", "blur", "jitter"):
            value = getattr(self, name)
            if not 0 <= value < inf:
                raise UsageError(f"the {name} must be a number from 0 up", where="ascend",
                                 received=repr(value))  # fmt: skip
        if not self.low < self.high:
            raise UsageError("the range of values is empty", where="ascend",
                             received=f"{self.low} to {self.high}")  # fmt: skip

    def check(self, inputs: Tensor) -> None:
        """Refuse inputs that are no images where neighbours count.

        Raises:
            InputError: they are not (batch, channels, height, width).
        """
        if inputs.ndim != 4 and (self.variation or self.blur or self.jitter):
            raise InputError("only images have neighbours", where="ascend",
                             received=f"inputs of shape {tuple(inputs.shape)}",
                             do="leave out variation, blur and jitter")  # fmt: skip

    def moved(self, inputs: Tensor, step: int) -> Tensor:
        """The images as the model sees them in a step: all moved alike, by a draw of its own."""
        if not self.jitter:
            return inputs
        draw = generator(self.seed, "jitter", step).integers(-self.jitter, self.jitter + 1, 2)
        return inputs.roll(tuple(draw.tolist()), (2, 3))

    def slope(self, slope: Tensor, inputs: Tensor, start: Tensor) -> Tensor:
        """The gradient of what is raised, from that of the output."""
        if self.normalized:
            size = slope.flatten(1).square().mean(1).sqrt()
            slope = slope / torch.where(size > 0, size, 1.0).reshape(-1, *[1] * (slope.ndim - 1))
        if self.decay:
            slope = slope - self.decay * (inputs.detach() - start)
        if self.variation:
            points = inputs.detach().requires_grad_()
            slope = slope - self.variation * slope_of(total_variation(points), points, "ascend")
        return slope

    def pace(self, step: int, steps: int) -> float:
        """What the rate is multiplied by in a step."""
        return 1 - step / steps if self.normalized else 1.0

    def settled(self, inputs: Tensor) -> Tensor:
        """The images after a step: blurred, and within their range."""
        return (blurred(inputs, self.blur) if self.blur else inputs).clamp(self.low, self.high)


def total_variation(images: Tensor) -> Tensor:
    """Sum over all pixels of the length of the step to the neighbours below and to the right.

    sum sqrt(dy^2 + dx^2 + e) - sqrt(e) with e = 1e-8, which is smooth where the image is flat.

    Args:
        images: (batch, channels, height, width).

    Returns:
        (batch,).

    Example:
        >>> edge = torch.tensor([[[[0.0, 3.0], [4.0, 0.0]]]], dtype=torch.float64)
        >>> round(total_variation(edge).item(), 2)  # 5 in the corner, 3 and 4 to what is outside
        12.0

    Source: Rudin, Osher, Fatemi 1992, Nonlinear total variation based noise removal algorithms.
    """
    down = functional.pad(images.diff(dim=2), (0, 0, 0, 1))
    right = functional.pad(images.diff(dim=3), (0, 1))
    lengths = (down.square() + right.square() + 1e-8).sqrt() - 1e-4
    return lengths.flatten(1).sum(1)


def blurred(images: Tensor, deviation: float) -> Tensor:
    """Images after a Gaussian blur; what is outside is taken to be the nearest pixel.

    Args:
        images: (batch, channels, height, width).
        deviation: in pixels.

    Example:
        >>> blurred(torch.full((1, 1, 5, 5), 2.0), 1.0).unique().round(decimals=4).tolist()
        [2.0]
    """
    half = min(max(1, ceil(3 * deviation)), *(n - 1 for n in images.shape[2:]))
    if half < 1:
        return images
    places = torch.arange(-half, half + 1, dtype=images.dtype)
    weights = torch.exp(-places.square() / (2 * deviation**2))
    weights = weights / weights.sum()
    lines = images.flatten(0, 1).unsqueeze(1)
    lines = functional.pad(lines, (half, half, half, half), mode="replicate")
    lines = functional.conv2d(lines, weights.reshape(1, 1, -1, 1))
    return functional.conv2d(lines, weights.reshape(1, 1, 1, -1)).reshape(images.shape)
