"""Images that units of a layer respond to most, made by gradient ascent from a blank or noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError
from chymist.explanation.features import Place, by_unit, listening, middle
from chymist.gradients import ImagePrior, ascend
from chymist.keys import generator

SMALL = 64  # pixels of a side, below which an image is small
# Deviations of noise to start from, in the units of a `PixelScale`; the next is taken where one
# does not move the unit. Little of it leaves small networks silent, much stays in large images.
NOISE = {"small": (1.0, 2.0), "large": (0.3, 1.0, 2.0)}
FLOAT64_VALUES = 2**15  # of one image; larger ones are made in float32


@dataclass(frozen=True, eq=False)
class Made:
    """Images that were made for units.

    Args:
        images: prepared, (n, channels, height, width).
        values: what the unit gives before the first step and after each, (steps + 1, n). With
            jitter the images that it was shown were moved, but for the last.
    """

    images: np.ndarray
    values: np.ndarray


class Response(nn.Module):
    """How strongly a unit of a layer responds, as the one output of a model.

    Args:
        model: any module.
        layer: name of the layer; "" is the model.
        units: number of the unit for each row, (batch,); one number is that of all rows.
        place: "mean" of its map, "middle" (the unit in the middle), or "most" (the largest).
        center, spread: the model is given center + spread x.

    Example:
        >>> flat = nn.Sequential(nn.Flatten(), nn.ReLU())
        >>> Response(flat, "1", [1], "mean")(torch.tensor([[[1.0, 2.0]]])).tolist()
        [[2.0]]
    """

    def __init__(
        self, model: nn.Module, layer: str, units: Sequence[int], place: Place,
        center: float = 0.0, spread: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.center, self.spread = center, spread
        self.model, self.layer, self.place = model, layer, place
        self.units = torch.as_tensor(units, dtype=torch.int64)

    def forward(self, inputs: Tensor) -> Tensor:
        """Rows as the model takes them; gives (batch, 1)."""
        heard: dict[str, Tensor] = {}
        with listening(self.model, [self.layer], heard, stop=True):
            self.model(inputs * self.spread + self.center)
        made = heard[self.layer]
        rows = torch.arange(len(made))
        maps = by_unit(made)[rows, self.units.expand(len(rows))]
        if self.place == "middle":
            return maps[:, middle(made.shape[1:])].unsqueeze(1)
        return maps.mean(1, keepdim=True) if self.place == "mean" else maps.amax(1, keepdim=True)


@dataclass(frozen=True)
class PixelScale:
    """Prepared pixels in units of their own: x = (pixel - center) / spread.

    So a step, a decay and a noise of one size suit images however they were prepared.

    Args:
        low, high: least and largest prepared pixel.
        center: where an ascent begins, such as the mean pixel.
    """

    low: float
    high: float
    center: float

    @property
    def spread(self) -> float:
        """A quarter of the range."""
        return (self.high - self.low) / 4

    @property
    def ends(self) -> tuple[float, float]:
        """Least and largest pixel in these units."""
        return (self.low - self.center) / self.spread, (self.high - self.center) / self.spread


def maximize(
    model: nn.Module, starts: Tensor, layer: str, units: Sequence[int], place: Place,
    prior: ImagePrior, scale: PixelScale, steps: int, rate: float = 0.1,
) -> Made:  # fmt: skip
    """Gradient ascent on images until units respond strongly.

    Args:
        model: any module with a gradient; a copy of it is used.
        starts: images to start from, in the units of the scale, (n, channels, height, width).
        layer: name of the layer; "" is the model.
        units: one for each start, or one for all.
        place: as in `Response`.
        prior: regularisers and jitter, in the units of the scale; pixels stay within their range.
        scale: of the pixels.
        steps: how many.
        rate: length of a step.

    Raises:
        InputError: the ascent left all numbers, or there is no gradient.

    Example:
        >>> line = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
        >>> _ = nn.init.constant_(line[1].weight, 1.0)
        >>> made = maximize(line, torch.zeros(1, 1, 2, 2), "", [0], "mean", ImagePrior(),
        ...                 PixelScale(0.0, 2.0, 1.0), steps=3, rate=0.5)
        >>> made.images.ravel().tolist(), made.values.ravel().tolist()
        ([1.375, 1.375, 1.375, 1.375], [4.0, 4.5, 5.0, 5.5])
    """
    small = starts[0].numel() <= FLOAT64_VALUES
    low, high = scale.ends
    found = ascend(
        Response(model, layer, units, place, scale.center, scale.spread), starts, steps=steps,
        rate=rate, prior=replace(prior, low=low, high=high),
        dtype=torch.float64 if small else torch.float32,
    )  # fmt: skip
    images = found.inputs.astype(np.float64) * scale.spread + scale.center
    return Made(images, found.values.astype(np.float64))


def starts_from(
    kind: str, shape: Sequence[int], seeds: Sequence[int], scale: PixelScale,
    noise: float = 1.0,
) -> Tensor:  # fmt: skip
    """Images to start from: "blank", all pixels at the center, or "noise" around it.

    Args:
        kind: "noise" or "blank".
        shape: of one image, (channels, height, width).
        seeds: one an image; of no meaning for blank ones.
        scale: of the pixels; the starts are in its units.
        noise: its deviation.

    Returns:
        float32, (seeds, channels, height, width).

    Example:
        >>> starts_from("blank", (1, 2, 2), [0], PixelScale(0.0, 1.0, 0.5)).unique().tolist()
        [0.0]
    """
    made = np.zeros((len(seeds), *shape))
    if kind == "noise":
        for row, seed in enumerate(seeds):
            made[row] = generator(seed, "start of an ascent").normal(0, noise, shape)
    return torch.from_numpy(made.clip(*scale.ends).astype(np.float32))


def usual_prior(side: int) -> ImagePrior:
    """Regularisers and jitter that suit images of a shorter side of so many pixels.

    Example:
        >>> usual_prior(28).jitter, usual_prior(8).jitter, usual_prior(224).jitter
        (1, 0, 8)
    """
    jitter = 0 if side < 16 else min(8, max(1, side // 28))
    variation = 0.05 if side < SMALL else 0.5  # a stroke of a photo is many pixels wide
    return ImagePrior(decay=0.05, variation=variation, jitter=jitter, normalized=True)


def stuck(made: Made) -> np.ndarray:
    """Which images have not moved their unit, bool (n,): it has no slope where they began."""
    still: np.ndarray = np.ptp(made.values, axis=0) == 0
    return still


def check_moved(made: Made) -> None:
    """Refuse an ascent that stayed where it began: the unit has no slope there.

    Raises:
        InputError: no image has moved the unit.
    """
    if stuck(made).all():
        raise InputError("the unit does not change with the image where the ascent begins",
                         where="maximize_activation", received=f"{made.values[0].max():.4g} always",
                         do="start from noise, or take the layer before"
                         )  # fmt: skip
