"""Known convolutional networks without shortcuts: Keras's first one, AlexNet, VGG16, NiN."""

from __future__ import annotations

from torch import nn

from chymist.errors import UsageError
from chymist.models.layers import Dropout
from chymist.models.shaping import image_shape
from chymist.parts import Count, Fraction, describer
from chymist.values import Shapes

VGG16 = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))  # channels of the blocks, in widths


@describer("model")
def keras_cnn(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (), dropout: Fraction = 0.5
) -> nn.Module:
    """The network of Keras's first tutorial: 3x3 convolutions of 32 and 64, each with 2x2 pooling.

    Convolutions are not padded. With 28x28 inputs and 10 classes it has 34,826 parameters; with
    `hidden=(64,), dropout=0`, as courses on Keras have it, 121,930.

    Args:
        hidden: widths of dense layers before the last one.
        dropout: probability of dropping a value before the first dense layer.

    Example:
        >>> sum(p.numel() for p in keras_cnn().build(Shapes((1, 28, 28), 10)).parameters())
        34826

    Source: Chollet, Simple MNIST convnet, keras.io.
    """
    depth, height, width = image_shape(shapes, "keras_cnn")
    rows, columns = (((side - 2) // 2 - 2) // 2 for side in (height, width))
    _check_size(min(rows, columns), "keras_cnn", shapes, 10)
    features = 64 * rows * columns
    return nn.Sequential(
        nn.Conv2d(depth, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        *([Dropout(dropout)] if dropout else []), *_dense(features, hidden, shapes.outputs, 0.0),
    )  # fmt: skip


@describer("model")
def alexnet(
    shapes: Shapes, *, hidden: tuple[Count, ...] = (4096, 4096), dropout: Fraction = 0.5,
    groups: Count = 2,
) -> nn.Module:  # fmt: skip
    """AlexNet: five convolutions, overlapping pooling, local response normalisation, dropout.

    With 3x227x227 inputs and 1000 classes it has 60,965,224 parameters: those of the paper, whose
    second, fourth and fifth convolution were in two groups, one on each of two GPUs.

    Args:
        hidden: widths of the dense layers before the last one.
        dropout: probability of dropping a value before each of them.
        groups: of those convolutions.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = alexnet().build(Shapes((3, 227, 227), 1000))
        >>> sum(p.numel() for p in net.parameters())
        60965224

    Source: Krizhevsky, Sutskever, Hinton 2012, NeurIPS 25.
    """
    depth, height, width = image_shape(shapes, "alexnet")
    rows, columns = (_pooled(_pooled(_pooled((n - 11) // 4 + 1))) for n in (height, width))
    _check_size(min(rows, columns), "alexnet", shapes, 67)
    _check_groups(groups, (96, 256, 384))
    return nn.Sequential(
        nn.Conv2d(depth, 96, 11, stride=4), *_normalized_pool(),
        nn.Conv2d(96, 256, 5, padding=2, groups=groups), *_normalized_pool(),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=groups), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=groups), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), *_dense(256 * rows * columns, hidden, shapes.outputs, dropout),
    )  # fmt: skip


@describer("model")
def alexnet_small(
    shapes: Shapes, *, width: Count = 32, hidden: tuple[Count, ...] = (256, 256),
    dropout: Fraction = 0.5,
) -> nn.Module:  # fmt: skip
    """AlexNet for small images: its five convolutions, overlapping pooling and dense layers.

    The first convolution is 5x5 and not strided, so that 28x28 and 32x32 images keep their places;
    batch normalisation stands where local response normalisation did.

    Args:
        width: channels of the first convolution; the others have 2, 4, 4 and 2 times as many.
        hidden: widths of the dense layers before the last one.
        dropout: probability of dropping a value before each of them.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = alexnet_small().build(Shapes((3, 32, 32), 10))
        >>> sum(p.numel() for p in net.parameters())
        565418

    Source: after Krizhevsky, Sutskever, Hinton 2012, NeurIPS 25.
    """
    depth, height, right = image_shape(shapes, "alexnet_small")
    rows, columns = (_pooled(_pooled(_pooled(n))) for n in (height, right))
    _check_size(min(rows, columns), "alexnet_small", shapes, 15)
    layers: list[nn.Module] = []
    for times, kernel, pooled in ((1, 5, True), (2, 5, True), (4, 3, False), (4, 3, False),
                                  (2, 3, True)):  # fmt: skip
        layers += [nn.Conv2d(depth, times * width, kernel, padding=kernel // 2, bias=False)]
        layers += [nn.MaxPool2d(3, 2)] if pooled else []
        layers += [nn.BatchNorm2d(times * width), nn.ReLU()]
        depth = times * width
    dense = _dense(depth * rows * columns, hidden, shapes.outputs, dropout)
    return nn.Sequential(*layers, nn.Flatten(), *dense)


@describer("model")
def vgg16(
    shapes: Shapes, *, width: Count = 64, hidden: tuple[Count, ...] = (4096, 4096),
    dropout: Fraction = 0.5,
) -> nn.Module:  # fmt: skip
    """VGG16: thirteen 3x3 convolutions in five blocks, each ended by 2x2 pooling; three dense.

    With 3x224x224 inputs and 1000 classes it has 138,357,544 parameters.

    Args:
        width: channels of the first block; the others have 2, 4, 8 and 8 times as many.
        hidden: widths of the dense layers before the last one.
        dropout: probability of dropping a value after each of them.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = vgg16().build(Shapes((3, 224, 224), 1000))
        >>> sum(p.numel() for p in net.parameters())
        138357544

    Source: Simonyan, Zisserman 2015, arXiv:1409.1556, configuration D.
    """
    return _vgg(shapes, "vgg16", width, hidden, dropout, norm=False)


@describer("model")
def vgg16_small(
    shapes: Shapes, *, width: Count = 64, hidden: tuple[Count, ...] = (), dropout: Fraction = 0.0
) -> nn.Module:
    """VGG16 for images of 32x32: batch normalisation after each convolution, one dense layer.

    With 3x32x32 inputs and 10 classes it has 14,724,042 parameters: convolutions have no
    bias, whose part batch normalisation takes.

    Args:
        width, hidden, dropout: as in `vgg16`.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = vgg16_small().build(Shapes((3, 32, 32), 10))
        >>> sum(p.numel() for p in net.parameters())
        14724042

    Source: Liu, Deng 2015, Very deep convolutional neural network based image classification using
        small training sample size; Ioffe, Szegedy 2015, arXiv:1502.03167.
    """
    return _vgg(shapes, "vgg16_small", width, hidden, dropout, norm=True)


@describer("model")
def network_in_network(shapes: Shapes, *, width: Count = 192, dropout: Fraction = 0.5) -> nn.Module:
    """Network in network: a small perceptron slides over the image; no dense layer.

    Each 5x5 or 3x3 convolution is followed by two of 1x1; the last one has a map for each class,
    whose mean over all places is the output (global average pooling). With 3x32x32 inputs and 10
    classes it has 966,986 parameters.

    Args:
        width: channels of most convolutions; the second and third have 5/6 and a half of them.
        dropout: probability of dropping a value after each pooling.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = network_in_network().build(Shapes((3, 32, 32), 10))
        >>> sum(p.numel() for p in net.parameters())
        966986

    Source: Lin, Chen, Yan 2014, arXiv:1312.4400.
    """
    depth, height, right = image_shape(shapes, "network_in_network")
    _check_size(min(height, right) - 4, "network_in_network", shapes, 5)
    fewer, half = max(1, width * 5 // 6), max(1, width // 2)
    blocks = [((5, width), (1, fewer), (1, half)), ((5, width), (1, width), (1, width)),
              ((3, width), (1, width), (1, shapes.outputs))]  # fmt: skip
    layers: list[nn.Module] = []
    for number, block in enumerate(blocks):
        if number:
            pool = nn.MaxPool2d if number == 1 else nn.AvgPool2d
            layers += [pool(3, 2, padding=1), *([Dropout(dropout)] if dropout else [])]
        for kernel, channels in block:
            layers += [nn.Conv2d(depth, channels, kernel, padding=kernel // 2), nn.ReLU()]
            depth = channels
    # The last ReLU would keep scores from falling below 0.
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _vgg(
    shapes: Shapes, name: str, width: int, hidden: tuple[int, ...], dropout: float, norm: bool
) -> nn.Module:
    """The blocks of VGG16 and its dense layers."""
    depth, height, right = image_shape(shapes, name)
    _check_size(min(height, right) // 32, name, shapes, 32)
    layers: list[nn.Module] = []
    for block in VGG16:
        for times in block:
            layers.append(nn.Conv2d(depth, times * width, 3, padding=1, bias=not norm))
            layers += [nn.BatchNorm2d(times * width)] if norm else []
            layers.append(nn.ReLU())
            depth = times * width
        layers.append(nn.MaxPool2d(2))
    features = depth * (height // 32) * (right // 32)
    layers.append(nn.Flatten())
    for size in hidden:
        layers += [nn.Linear(features, size), nn.ReLU(), *([Dropout(dropout)] if dropout else [])]
        features = size
    return nn.Sequential(*layers, nn.Linear(features, shapes.outputs))


def _dense(features: int, hidden: tuple[int, ...], outputs: int, dropout: float) -> list[nn.Module]:
    """Dense layers with ReLU, with dropout before each of them, and an affine map."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [*([Dropout(dropout)] if dropout else []), nn.Linear(features, size), nn.ReLU()]
        features = size
    return [*layers, nn.Linear(features, outputs)]


def _normalized_pool() -> list[nn.Module]:
    """ReLU, local response normalisation and overlapping pooling."""
    norm = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # torch divides alpha by 5
    return [nn.ReLU(), norm, nn.MaxPool2d(3, 2)]


def _pooled(side: int) -> int:
    """Places of pooling over 3 with stride 2."""
    return (side - 3) // 2 + 1


def _check_groups(groups: int, channels: tuple[int, ...]) -> None:
    """Refuse groups that channels cannot be cut into."""
    if any(count % groups for count in channels):
        raise UsageError("channels cannot be cut into these groups", where="model.groups",
                         received=str(groups), do=f"use a divisor of {channels[0]}")  # fmt: skip


def _check_size(left: int, name: str, shapes: Shapes, needed: int) -> None:
    """Refuse images of which nothing would be left."""
    if left < 1:
        raise UsageError(
            f"the images are too small for '{name}'",
            received=f"{shapes.inputs[1]} x {shapes.inputs[2]} pixels",
            do=f"use 'cnn', or images of {needed} pixels a side or more",
        )
