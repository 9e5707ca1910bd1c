"""Small convolutional networks for images."""

from __future__ import annotations

from typing import Literal

from torch import nn

from chymist.activations import widening
from chymist.errors import UsageError
from chymist.models.layers import Dropout
from chymist.models.norms import Norm, normalizing
from chymist.models.shaping import image_shape
from chymist.models.unshared import Unshared2d
from chymist.parts import Count, Fraction, describer, spelled
from chymist.values import Shapes

Padding = Literal["same", "valid"]
Pooling = Literal["max", "average", "none"]
POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


@describer("model")
def cnn(
    shapes: Shapes, *, channels: tuple[Count, ...] = (32, 64, 64),
    hidden: tuple[Count, ...] = (128,), dropout: Fraction = 0.3, activation: str = "relu",
    norm: Norm = "batch", kernel: Count = 3, stride: Count = 1, dilation: Count = 1,
    groups: Count = 1, padding: Padding = "same", pooling: Pooling = "max", shared: bool = True,
) -> nn.Module:  # fmt: skip
    """Convolutional network: blocks of 3x3 convolution, pooling, batch norm, ReLU; dense layers.

    A block halves height and width by max pooling while the smaller side is more than 4, so the
    same description fits 8x8 digits and 28x28 ones. Pooling comes before normalisation, which
    then has a quarter of the work and gives the same kind of features.

    Args:
        channels: output channels of the blocks.
        hidden: widths of the dense layers before the last one, each with batch normalisation.
        dropout: probability of dropping a value before the last dense layer, while training.
        activation: what stands in the place of ReLU, by name or with options ("elu(alpha=0.5)").
        norm: what stands in the place of batch norm: "layer", "instance", "group", "rms" or "none".
            Dense layers have no instances; they get layer normalisation then.
        kernel: side of the convolutions in pixels, an odd number.
        stride: how far a convolution moves from place to place.
        dilation: distance of the values that a convolution sees; 1 is side by side.
        groups: into how many groups channels are cut, of which each is seen by its own filters; of
            all convolutions but the first.
        padding: "same" adds zeros, so that a stride of 1 keeps height and width; "valid" adds none.
        pooling: "max", "average", or "none": then a block halves height and width by its stride
            alone.
        shared: whether all places of an image share the weights; else each has its own
            (`models.Unshared2d`).

    Raises:
        UsageError: no images, or an even kernel.

    Example:
        >>> cnn().build(Shapes((1, 8, 8), 10))(__import__("torch").zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])

    Source: LeCun et al. 1998; batch normalisation: Ioffe, Szegedy 2015, arXiv:1502.03167.
    """
    depth, height, width = image_shape(shapes, "cnn")
    _check_kernel(kernel, shared, (stride, dilation, groups, padding) == (1, 1, 1, "same"))
    layers: list[nn.Module] = []
    pieces = widening(spelled("activation", activation).build(None))
    bias = norm != "batch"  # whose mean would take it away
    added = dilation * (kernel - 1) // 2 if padding == "same" else 0
    for place, size in enumerate(channels):
        cut = groups if place else 1
        _check_groups(cut, depth, size * pieces)
        layers.append(
            nn.Conv2d(depth, size * pieces, kernel, stride, added, dilation, cut, bias)
            if shared
            else Unshared2d(depth, size * pieces, kernel, height, width, bias)
        )
        height, width = (
            _places(n, added, dilation * (kernel - 1), stride) for n in (height, width)
        )
        _check_places(height, width, shapes)
        if min(height, width) > 4 and pooling != "none":
            layers.append(POOLINGS[pooling](2))
            height, width = height // 2, width // 2
        layers += normalizing(norm, size * pieces, image=True)
        layers.append(spelled("activation", activation).build(None))
        depth = size
    layers.append(nn.Flatten())
    features = depth * height * width
    for size in hidden:
        layers.append(nn.Linear(features, size * pieces, bias=bias))
        layers += normalizing("layer" if norm == "instance" else norm, size * pieces)
        layers.append(spelled("activation", activation).build(None))
        features = size
    layers += [Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(features, shapes.outputs))


def _check_kernel(kernel: int, shared: bool, plain: bool) -> None:
    """Refuse an even kernel, and options of convolutions where weights are not shared."""
    if kernel % 2 == 0:
        raise UsageError("the kernel has no middle", where="model.kernel", received=f"{kernel}",
                         do="give an odd number: 1, 3, 5, ...")  # fmt: skip
    if not (shared or plain):
        raise UsageError("weights that are not shared have no such option", where="model.shared",
                         received="stride, dilation, groups or padding",
                         do="leave them out")  # fmt: skip


def _places(side: int, added: int, reach: int, stride: int) -> int:
    """Places along a side that a convolution is at."""
    return (side + 2 * added - reach - 1) // stride + 1


def _check_groups(groups: int, inputs: int, outputs: int) -> None:
    """Refuse groups that the channels cannot be cut into."""
    if inputs % groups or outputs % groups:
        raise UsageError("channels cannot be cut into these groups", where="model.groups",
                         received=f"{groups} groups of {inputs} and {outputs} channels",
                         do="give a number that divides both")  # fmt: skip


def _check_places(height: int, width: int, shapes: Shapes) -> None:
    """Refuse convolutions of which nothing is left."""
    if min(height, width) < 1:
        raise UsageError("the convolutions leave nothing of the images", where="model",
                         received=f"{shapes.inputs[1]} x {shapes.inputs[2]} pixels",
                         do="lower kernel, dilation, stride or the number of blocks, or "
                            "use padding 'same'")  # fmt: skip
