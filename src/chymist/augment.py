"""Changes of training rows that a model shall not mind, drawn anew in every epoch.

What a row becomes is a function of (seed, epoch, number of the row) and of nothing else, so that a
resumed run, other workers and a population see the same rows. A batch is changed at once, after its
preparation: 0 is the mean pixel where images are standardised, and noise is in deviations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from scipy.special import betaincinv
from torch import Tensor
from torch.nn import functional

from chymist.errors import UsageError
from chymist.keys import key
from chymist.parts import Count, NonNegative, Part, Positive, describer, spelled

Fill = Literal["zero", "edge"]
MODES = {"zero": "constant", "edge": "replicate"}
ANY_NUMBERS = ("none", "noise", "mixup")  # that need no image
SOFT_LOSSES = ("cross_entropy", "binary_cross_entropy")  # of classes, that take shares of them
GOLDEN = -7046029254386353131  # 2^64 / golden ratio, as a signed number
MIX_1, MIX_2 = -4658895280553007687, -7723592293110705685


@dataclass(frozen=True)
class Draw:
    """Random numbers of some rows, each a function of the row's own key.

    Args:
        keys: of the rows, int64 (rows,).
        dtype: of the numbers.

    Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators (SplitMix64).
    """

    keys: Tensor
    dtype: torch.dtype

    def uniform(self, *shape: int) -> Tensor:
        """Numbers in [0, 1), (rows, *shape), multiples of 2^-24."""
        count = math.prod(shape)
        steps = torch.arange(1, count + 1, device=self.keys.device) * GOLDEN
        drawn = _right(_mixed(self.keys[:, None] + steps), 40)
        return (drawn.to(torch.float32) * 2**-24).to(self.dtype).view(len(self.keys), *shape)

    def between(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers in [low, high), (rows, *shape)."""
        return low + (high - low) * self.uniform(*shape)

    def normal(self, *shape: int) -> Tensor:
        """Numbers of mean 0 and variance 1, (rows, *shape)."""
        half = math.ceil(math.prod(shape) / 2)
        radius, angle = self.uniform(2, half).unbind(1)
        radius, angle = (-2 * (1 - radius).log()).sqrt(), 2 * math.pi * angle
        drawn = torch.cat([radius * angle.cos(), radius * angle.sin()], 1)
        return drawn[:, : math.prod(shape)].view(len(self.keys), *shape)


Change = Callable[[Tensor, Draw], Tensor]


@dataclass(frozen=True)
class Mixup:
    """Rows and their targets mixed with those of the row before in the batch.

    Args:
        alpha: of the Beta distribution that the shares are drawn from.
    """

    alpha: float

    def mixed(self, inputs: Tensor, targets: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
        """Inputs (rows, ...) and float targets (rows, outputs), mixed alike."""
        quantiles = draw.uniform().double().cpu().numpy()
        share = torch.from_numpy(betaincinv(self.alpha, self.alpha, quantiles)).to(inputs)
        return tuple(_between(values, share) for values in (inputs, targets))  # type: ignore[return-value]


Step = Change | Mixup


@dataclass(frozen=True)
class Augment:
    """What a run does with each batch of training rows.

    Args:
        steps: in their order.
        seed: seed of the run.
        outputs: number of outputs of the model.
    """

    steps: tuple[Step, ...]
    seed: int
    outputs: int

    def __call__(
        self, inputs: Tensor, targets: Tensor, epoch: int, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            inputs: prepared, (batch, ...).
            targets: of the batch.
            epoch: number of the epoch, from 0.
            rows: numbers of the rows among the training rows, (batch,).

        Returns:
            Inputs, and targets; where rows are mixed, classes become shares (batch, outputs).
        """
        for place, step in enumerate(self.steps):
            draw = Draw(keys_of(self.seed, epoch, place, rows.to(inputs.device)), inputs.dtype)
            if isinstance(step, Mixup):
                if not targets.is_floating_point():
                    targets = functional.one_hot(targets, self.outputs).to(inputs.dtype)
                inputs, targets = step.mixed(inputs, targets, draw)
            else:
                inputs = step(inputs, draw)
        return inputs, targets


def keys_of(seed: int, epoch: int, place: int, rows: Tensor) -> Tensor:
    """A key for each row, int64 (rows,).

    Args:
        seed: seed of the run.
        epoch: from 0.
        place: which of several augmentations, from 0.
        rows: numbers of the rows, int64.

    Example:
        >>> first, again = (keys_of(0, 3, 0, torch.tensor(rows)) for rows in ([5, 7], [7]))
        >>> bool(first[1] == again[0]), bool(first[0] == first[1])
        (True, False)
    """
    return _mixed(rows * GOLDEN + key(seed, "augment", epoch, place))


@describer("augment")
def none(_: None) -> tuple[Step, ...]:
    """Rows stay as they are."""
    return ()


@describer("augment")
def in_order(_: None, *, steps: tuple[str, ...]) -> tuple[Step, ...]:
    """Several augmentations, one after the other.

    In a recipe a list says the same: `augment=["flip", "crop(padding=4)"]`.

    Args:
        steps: each by name, or with options as it is printed.

    Example:
        >>> len(in_order(steps=("flip", "crop(padding=4)")).build(None))
        2
    """
    return tuple(step for one in parts_of(in_order(steps=steps)) for step in one.build(None))


@describer("augment")
def flip(_: None, *, horizontal: bool = True, vertical: bool = False) -> tuple[Step, ...]:
    """Mirror each image with probability 1/2, left to right, upside down, or both.

    Args:
        horizontal: left to right.
        vertical: upside down.

    Example:
        >>> run = Augment(flip().build(None), seed=0, outputs=2)
        >>> images, classes = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 1, 1, 2), torch.zeros(4)
        >>> bool((run(images, classes, 0, torch.arange(4))[0] == images).all())
        True

    Source: Krizhevsky, Sutskever, Hinton 2012, NeurIPS 25.
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        drawn = draw.uniform(2) < 0.5
        for axis, wanted in ((3, horizontal), (2, vertical)):
            if wanted:
                mask = drawn[:, axis - 2].view(-1, 1, 1, 1)
                images = torch.where(mask, images.flip(axis), images)
        return images

    return (change,)


@describer("augment")
def crop(_: None, *, padding: Count = 4, fill: Fill = "zero") -> tuple[Step, ...]:
    """Pad each image on all sides, and cut a window of its size out of it anywhere.

    Args:
        padding: pixels on each side.
        fill: "zero" (the mean pixel, where images are standardised) or "edge".

    Example:
        >>> run = Augment(crop(padding=2).build(None), seed=0, outputs=2)
        >>> run(torch.ones(3, 1, 8, 8), torch.zeros(3), 0, torch.arange(3))[0].shape
        torch.Size([3, 1, 8, 8])

    Source: He et al. 2016, arXiv:1512.03385, section 4.2.
    """
    return (lambda images, draw: _moved(images, padding, padding, fill, draw),)


@describer("augment")
def shift(_: None, *, by: Positive = 0.1, fill: Fill = "zero") -> tuple[Step, ...]:
    """Move each image by whole pixels, at most by a share of its height and of its width.

    Args:
        by: that share.
        fill: as in `crop`.

    Example:
        >>> run = Augment(shift(by=0.2).build(None), seed=0, outputs=2)
        >>> run(torch.ones(3, 1, 8, 8), torch.zeros(3), 0, torch.arange(3))[0].shape
        torch.Size([3, 1, 8, 8])
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        height, width = (round(by * side) for side in images.shape[2:])
        return _moved(images, height, width, fill, draw)

    return (change,)


@describer("augment")
def rotate(_: None, *, degrees: Positive = 15.0) -> tuple[Step, ...]:
    """Turn each image about its centre by an angle from -degrees to degrees (bilinear).

    Args:
        degrees: the largest angle.

    Example:
        >>> run = Augment(rotate().build(None), seed=0, outputs=2)
        >>> run(torch.ones(3, 1, 8, 8), torch.zeros(3), 0, torch.arange(3))[0].shape
        torch.Size([3, 1, 8, 8])
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        angle = draw.between(-degrees, degrees) * (math.pi / 180)
        cosine, sine = angle.cos(), angle.sin()
        return _sampled(images, cosine, -sine, sine, cosine)

    return (change,)


@describer("augment")
def scale(_: None, *, by: Positive = 0.1) -> tuple[Step, ...]:
    """Enlarge or reduce each image about its centre, by a factor from 1 / (1 + by) to 1 + by.

    Args:
        by: how far the factor goes beyond 1; its logarithm is uniform.

    Example:
        >>> run = Augment(scale(by=0.5).build(None), seed=0, outputs=2)
        >>> run(torch.ones(3, 1, 8, 8), torch.zeros(3), 0, torch.arange(3))[0].shape
        torch.Size([3, 1, 8, 8])
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        reach = math.log1p(by)
        inverse = draw.between(-reach, reach).exp()
        zero = torch.zeros_like(inverse)
        return _sampled(images, inverse, zero, zero, inverse)

    return (change,)


@describer("augment")
def shear(_: None, *, degrees: Positive = 10.0) -> tuple[Step, ...]:
    """Slant each image sideways by an angle from -degrees to degrees (bilinear).

    Args:
        degrees: the largest angle.

    Example:
        >>> run = Augment(shear().build(None), seed=0, outputs=2)
        >>> run(torch.ones(3, 1, 8, 8), torch.zeros(3), 0, torch.arange(3))[0].shape
        torch.Size([3, 1, 8, 8])
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        slope = (draw.between(-degrees, degrees) * (math.pi / 180)).tan()
        return _sampled(images, torch.ones_like(slope), slope, slope * 0, torch.ones_like(slope))

    return (change,)


@describer("augment")
def color(
    _: None, *, brightness: NonNegative = 0.2, contrast: NonNegative = 0.2,
    saturation: NonNegative = 0.2,
) -> tuple[Step, ...]:  # fmt: skip
    """Colour jitter: contrast about the mean of the image, saturation about its grey, brightness.

    Factors are drawn from 1 - x to 1 + x; brightness is added, from -x to x.

    Args:
        brightness, contrast, saturation: the largest change x of each; 0 leaves it.

    Example:
        >>> run = Augment(color().build(None), seed=0, outputs=2)
        >>> run(torch.ones(3, 3, 8, 8), torch.zeros(3), 0, torch.arange(3))[0].shape
        torch.Size([3, 3, 8, 8])

    Source: Howard 2013, arXiv:1312.5402.
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        drawn = draw.between(-1, 1, 3, 1, 1, 1)
        light, sharp, full = (drawn * drawn.new_tensor([brightness, contrast, saturation])
                              .view(3, 1, 1, 1)).unbind(1)  # fmt: skip
        images = images + sharp * (images - images.mean((1, 2, 3), keepdim=True)) + light
        return images + full * (images - images.mean(1, keepdim=True))

    return (change,)


@describer("augment")
def noise(_: None, *, deviation: Positive = 0.1) -> tuple[Step, ...]:
    """Add noise of a normal distribution to every number; for all inputs that are numbers.

    Args:
        deviation: of the noise, in the unit of prepared inputs.

    Example:
        >>> run = Augment(noise(deviation=0.5).build(None), seed=0, outputs=2)
        >>> made, _ = run(torch.zeros(9, 1000), torch.zeros(9), 0, torch.arange(9))
        >>> bool((made.std(1) - 0.5).abs().max() < 0.05)
        True

    Source: Bishop 1995, Training with noise is equivalent to Tikhonov regularization.
    """
    return (lambda inputs, draw: inputs + deviation * draw.normal(*inputs.shape[1:]),)


@describer("augment")
def cutout(_: None, *, size: Positive = 0.25) -> tuple[Step, ...]:
    """Put zeros in a square, anywhere in each image; at the edge only a part of it is inside.

    Args:
        size: side of the square, as a share of the shorter side of the image; in whole pixels.

    Example:
        >>> run = Augment(cutout(size=0.5).build(None), seed=0, outputs=2)
        >>> made, _ = run(torch.ones(9, 1, 8, 8), torch.zeros(9), 0, torch.arange(9))
        >>> zeros = (made == 0).sum((1, 2, 3))
        >>> int(zeros.max()) <= 16, int(zeros.min()) >= 4
        (True, True)

    Source: DeVries, Taylor 2017, arXiv:1708.04552.
    """

    def change(images: Tensor, draw: Draw) -> Tensor:
        height, width = images.shape[2:]
        side = max(1, round(size * min(height, width)))
        center = draw.uniform(2)
        down, right = (
            _inside(center[:, n], extent, side) for n, extent in ((0, height), (1, width))
        )
        return images.masked_fill(down[:, None, :, None] & right[:, None, None, :], 0)

    return (change,)


@describer("augment")
def mixup(_: None, *, alpha: Positive = 0.2) -> tuple[Step, ...]:
    """Mix each row with the one before it in the batch, and their targets alike.

    x = s x_i + (1 - s) x_j,  y = s y_i + (1 - s) y_j,  s from Beta(alpha, alpha), for all inputs
    that are numbers. Losses of classes need shares of classes: cross entropy.

    Args:
        alpha: small values mix little; 1 draws every share alike.

    Example:
        >>> run = Augment(mixup(alpha=1.0).build(None), seed=0, outputs=2)
        >>> _, shares = run(torch.eye(2), torch.arange(2), 0, torch.arange(2))
        >>> shares.sum(1)
        tensor([1., 1.])

    Source: Zhang, Cisse, Dauphin, Lopez-Paz 2018, arXiv:1710.09412.
    """
    return (Mixup(alpha),)


def parts_of(augment: Part) -> list[Part]:
    """The augmentations of a slot one by one, without those that change nothing.

    Example:
        >>> parts_of(in_order(steps=("flip", "none")))
        [flip()]
    """
    if augment.name != "in_order":
        return [] if augment.name == "none" else [augment]
    steps = augment.options.get("steps", ())
    return [one for text in steps for one in parts_of(spelled("augment", text))]


def check_suits(augment: Part, kind: str, task: str, loss: str) -> None:
    """Refuse augmentations that do not suit the data or the loss.

    Args:
        augment: of a recipe.
        kind, task: of the data.
        loss: name of the loss.

    Raises:
        UsageError: some do not.

    Example:
        >>> check_suits(flip(), "table", "classification", "cross_entropy")
        Traceback (most recent call last):
        chymist.errors.UsageError: the augmentation 'flip' is for images...
    """
    for one in parts_of(augment):
        if kind in ("text", "tokens", "graph"):
            raise UsageError("numbers of words and nodes cannot be augmented", where="augment",
                             received=f"'{one.name}' for data of kind '{kind}'",
                             do="leave it out")  # fmt: skip
        if kind != "image" and one.name not in ANY_NUMBERS:
            raise UsageError(f"the augmentation '{one.name}' is for images", where="augment",
                             received=f"data of kind '{kind}'",
                             do="use noise or mixup")  # fmt: skip
        hard = task == "tagging" or (task == "classification" and loss not in SOFT_LOSSES)
        if one.name == "mixup" and hard:
            raise UsageError("mixup needs a loss of shares of classes", where="augment",
                             received=f"'{loss}', {task}", do="use cross_entropy")  # fmt: skip


def _moved(images: Tensor, down: int, right: int, fill: str, draw: Draw) -> Tensor:
    """Images moved by whole pixels, at most so many."""
    count, _, height, width = images.shape
    reach = draw.keys.new_tensor([2 * down + 1, 2 * right + 1])
    y, x = (draw.uniform(2) * reach).long().unbind(1)
    padded = functional.pad(images, (right, right, down, down), MODES[fill])
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, y, x]


def _sampled(images: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Images whose places (x, y) from the centre, in pixels, show (a x + b y, c x + d y)."""
    height, width = images.shape[2:]
    zero = torch.zeros_like(a)
    ratio = height / width  # the grid of torch runs from -1 to 1 along either side
    rows = [torch.stack([a, b * ratio, zero], 1), torch.stack([c / ratio, d, zero], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def _inside(center: Tensor, extent: int, side: int) -> Tensor:
    """Whether places along an axis lie in a stretch about a centre in [0, 1), (rows, extent)."""
    first = (center * extent).long()[:, None] - side // 2
    places = torch.arange(extent, device=center.device)
    return (places >= first) & (places < first + side)


def _between(values: Tensor, share: Tensor) -> Tensor:
    """Each row with the one before it, as shares."""
    return torch.lerp(values.roll(1, 0), values, share.view(-1, *[1] * (values.ndim - 1)))


def _mixed(numbers: Tensor) -> Tensor:
    """Every bit of the result depends on every bit of a number: the finaliser of SplitMix64."""
    numbers = (numbers ^ _right(numbers, 30)) * MIX_1
    numbers = (numbers ^ _right(numbers, 27)) * MIX_2
    return numbers ^ _right(numbers, 31)


def _right(numbers: Tensor, bits: int) -> Tensor:
    """Bits moved to the right, with zeros from the left."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)
