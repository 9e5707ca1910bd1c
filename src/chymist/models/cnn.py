"""Small convolutional networks for images."""

from __future__ import annotations

from torch import nn

from chymist.activations import widening
from chymist.errors import UsageError
from chymist.models.layers import Dropout
from chymist.models.norms import Norm, normalizing
from chymist.models.shaping import image_shape
from chymist.models.unshared import Unshared2d
from chymist.parts import Count, Fraction, describer, spelled
from chymist.values import Shapes


@describer("model")
def cnn(
    shapes: Shapes,
    *,
    channels: tuple[Count, ...] = (32, 64, 64),
    hidden: tuple[Count, ...] = (128,),
    dropout: Fraction = 0.3,
    activation: str = "relu",
    norm: Norm = "batch",
    kernel: Count = 3,
    shared: bool = True,
) -> nn.Module:
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
        kernel: side of the convolutions in pixels, an odd number; the border is padded with 0.
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
    if kernel % 2 == 0:
        raise UsageError("the kernel has no middle", where="model.kernel", received=f"{kernel}",
                         do="give an odd number: 1, 3, 5, ...")  # fmt: skip
    layers: list[nn.Module] = []
    pieces = widening(spelled("activation", activation).build(None))
    bias = norm != "batch"  # whose mean would take it away
    for size in channels:
        layers.append(
            nn.Conv2d(depth, size * pieces, kernel, padding=kernel // 2, bias=bias)
            if shared
            else Unshared2d(depth, size * pieces, kernel, height, width, bias)
        )
        if min(height, width) > 4:
            layers.append(nn.MaxPool2d(2))
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
    if dropout:
        layers.append(Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(features, shapes.outputs))


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
    depth, height, width = image_shape(shapes, "lenet5")
    height, width = (height // 2 - 4) // 2, (width // 2 - 4) // 2
    if min(height, width) < 1:
        received = f"{shapes.inputs[1]} x {shapes.inputs[2]} pixels"
        raise UsageError(
            "the images are too small for 'lenet5'",
            received=received,
            do="use 'cnn', or images of 12 pixels a side or more",
        )
    return nn.Sequential(
        nn.Conv2d(depth, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(16 * height * width, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, shapes.outputs),
    )  # fmt: skip
