"""Images to images: down to a few numbers and up again, by transposed convolution or unpooling."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from chymist.errors import UsageError
from chymist.models.shaping import flat_size, image_shape
from chymist.parts import Count, describer
from chymist.values import Shapes

Decoder = Literal["transposed", "unpool"]


class Unpooled(nn.Module):
    """Pooling, layers in between, and unpooling to the places that the pooling remembers.

    Args:
        inner: keeps the shape of what is pooled.

    Example:
        >>> import torch
        >>> Unpooled(nn.Identity())(torch.tensor([[[[1.0, 5.0], [2.0, 0.0]]]])).flatten().tolist()
        [0.0, 5.0, 0.0, 0.0]

    Source: Zeiler, Fergus 2014, arXiv:1311.2901; Noh, Hong, Han 2015, arXiv:1505.04366.
    """

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same shape."""
        small, places = functional.max_pool2d(inputs, 2, return_indices=True)
        made: Tensor = functional.max_unpool2d(
            self.inner(small), places, [2, 2], output_size=inputs.shape[2:]
        )
        return made


@describer("model")
def conv_autoencoder(
    shapes: Shapes, *, channels: tuple[Count, ...] = (16, 32), code: int = 32,
    decoder: Decoder = "transposed",
) -> nn.Module:  # fmt: skip
    """Convolutional autoencoder: images to images of the same size, given as flat targets.

    Blocks of 3x3 convolution, ReLU and 2x2 max pooling; a dense code; and the way back: each block
    doubles height and width by a transposed convolution whose kernel is its stride, which gives no
    checkerboard, or by unpooling to the places of the maxima and a convolution. With noisy images
    as inputs and clean ones as targets it removes the noise.

    Args:
        channels: of the blocks.
        code: numbers in the middle; 0 leaves the feature maps as they are.
        decoder: "transposed" or "unpool".

    Raises:
        UsageError: no images, too many blocks for them, or another number of outputs than pixels.

    Example:
        >>> import torch
        >>> model = conv_autoencoder(channels=(4, 8), code=6).build(Shapes((1, 9, 8), 72))
        >>> model(torch.zeros(2, 1, 9, 8)).shape
        torch.Size([2, 72])

    Source: Masci et al. 2011, Stacked convolutional auto-encoders; Zeiler et al. 2010,
        Deconvolutional networks.
    """
    depth, height, width = image_shape(shapes, "conv_autoencoder")
    if shapes.outputs != flat_size(shapes):
        raise UsageError("the model 'conv_autoencoder' gives one number for each pixel",
                         received=f"{shapes.outputs} outputs for {flat_size(shapes)} pixels",
                         do="give flat images as targets: cy.load((x, x.reshape(len(x), -1)))"
                         )  # fmt: skip
    if min(height, width) >> len(channels) < 1:
        raise UsageError("the blocks leave nothing of the images", where="model.channels",
                         received=f"{len(channels)} blocks for {height} x {width} pixels",
                         do="give fewer")  # fmt: skip
    if code < 0:
        raise UsageError("no number of values", where="model.code", received=str(code),
                         do="give 0 or more")  # fmt: skip
    made = _around(depth, (height, width), channels, code, decoder)
    return nn.Sequential(*made, nn.Flatten())


def _around(
    depth: int, sides: tuple[int, int], channels: tuple[int, ...], code: int, decoder: Decoder
) -> list[nn.Module]:
    """Down a block, what is within, and up a block again."""
    if not channels:
        return _coded(depth, sides, code) if code else []
    size, half = channels[0], (sides[0] // 2, sides[1] // 2)
    inner = _around(size, half, channels[1:], code, decoder)
    # What is within ends without activation: signs are kept up to here.
    inner += [nn.ReLU()] if inner else []
    down = [nn.Conv2d(depth, size, 3, padding=1), nn.ReLU()]
    if decoder == "unpool":
        return [*down, Unpooled(nn.Sequential(*inner)), nn.Conv2d(size, depth, 3, padding=1)]
    rest = (sides[0] % 2, sides[1] % 2)
    up = nn.ConvTranspose2d(size, depth, 2, 2, output_padding=rest)
    return [*down, nn.MaxPool2d(2), *inner, up]


def _coded(depth: int, sides: tuple[int, int], code: int) -> list[nn.Module]:
    """Feature maps to a code and back."""
    features = depth * sides[0] * sides[1]
    return [nn.Flatten(), nn.Linear(features, code), nn.ReLU(), nn.Linear(code, features),
            nn.Unflatten(1, (depth, *sides))]  # fmt: skip
