"""Residual networks for images, and highway networks of dense layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import nn

from chymist.models.blocks import Gated, Shift, Shortcut, Subsample
from chymist.models.shaping import flat_size, image_shape
from chymist.parts import Count, describer
from chymist.values import Shapes

Stem = Literal["auto", "large", "small"]
LARGE = 64  # side from which images are halved twice before the first block


@describer("model")
def resnet18(shapes: Shapes, *, width: Count = 64, stem: Stem = "auto") -> nn.Module:
    """ResNet-18: eight blocks of two 3x3 convolutions, each with a shortcut past them.

    With 3x224x224 inputs and 1000 classes it has 11,689,512 parameters. A shortcut where the shape
    changes is a 1x1 convolution (option B of the paper).

    Args:
        width: channels of the first stage; the others have 2, 4 and 8 times as many.
        stem: "large" begins with a 7x7 convolution of stride 2 and pooling, "small" with a 3x3
            convolution; "auto" takes the large one for images of 64 pixels a side or more.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = resnet18().build(Shapes((3, 224, 224), 1000))
        >>> sum(p.numel() for p in net.parameters())
        11689512

    Source: He et al. 2016, arXiv:1512.03385.
    """
    return _resnet(shapes, "resnet18", (2, 2, 2, 2), width, stem, deep=False)


@describer("model")
def resnet50(shapes: Shapes, *, width: Count = 64, stem: Stem = "auto") -> nn.Module:
    """ResNet-50: sixteen blocks of 1x1, 3x3 and 1x1 convolutions (bottlenecks) with shortcuts.

    With 3x224x224 inputs and 1000 classes it has 25,557,032 parameters. The stride is in the 3x3
    convolution, as torchvision has it, not in the first 1x1 one.

    Args:
        width, stem: as in `resnet18`; a block gives 4 times the channels of its stage.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = resnet50().build(Shapes((3, 224, 224), 1000))
        >>> sum(p.numel() for p in net.parameters())
        25557032

    Source: He et al. 2016, arXiv:1512.03385.
    """
    return _resnet(shapes, "resnet50", (3, 4, 6, 3), width, stem, deep=True)


@describer("model")
def resnet20(shapes: Shapes, *, width: Count = 16) -> nn.Module:
    """ResNet-20 for small images: three stages of three blocks; shortcuts without parameters.

    A shortcut where the shape changes takes every second place and adds channels of zeros (option A
    of the paper). With 3x32x32 inputs and 10 classes it has 269,722 parameters.

    Args:
        width: channels of the first stage; the others have 2 and 4 times as many.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = resnet20().build(Shapes((3, 32, 32), 10))
        >>> sum(p.numel() for p in net.parameters())
        269722

    Source: He et al. 2016, arXiv:1512.03385, section 4.2.
    """
    return _small(shapes, "resnet20", 3, width)


@describer("model")
def resnet32(shapes: Shapes, *, width: Count = 16) -> nn.Module:
    """ResNet-32 for small images: three stages of five blocks; else as `resnet20`.

    With 3x32x32 inputs and 10 classes it has 464,154 parameters.

    Args:
        width: as in `resnet20`.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = resnet32().build(Shapes((3, 32, 32), 10))
        >>> sum(p.numel() for p in net.parameters())
        464154

    Source: He et al. 2016, arXiv:1512.03385, section 4.2.
    """
    return _small(shapes, "resnet32", 5, width)


@describer("model")
def highway(
    shapes: Shapes, *, width: Count = 64, depth: Count = 9, gate_bias: float = -2.0
) -> nn.Module:
    """Highway network: dense layers with a gate that lets what they were given pass.

    y = T(x) ReLU(W x + b) + (1 - T(x)) x with T(x) = sigmoid(V x + c), after one dense layer that
    brings the input to the width.

    Args:
        width: of all hidden layers.
        depth: number of gated layers.
        gate_bias: where c begins; below 0 the input passes at first.

    Example:
        >>> import torch
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = highway().build(Shapes((784,), 10))
        >>> sum(p.numel() for p in net.parameters())
        125770

    Source: Srivastava, Greff, Schmidhuber 2015, arXiv:1505.00387.
    """
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(flat_size(shapes), width), nn.ReLU()]
    for _ in range(depth):
        transform = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        gate = nn.Sequential(nn.Linear(width, width), Shift(gate_bias), nn.Sigmoid())
        layers.append(Gated(OrderedDict(transform=transform, gate=gate)))
    return nn.Sequential(*layers, nn.Linear(width, shapes.outputs))


def _resnet(
    shapes: Shapes, name: str, blocks: Sequence[int], width: int, stem: str, deep: bool
) -> nn.Module:
    """Stem, four stages, global average pooling, one affine map."""
    depth, height, right = image_shape(shapes, name)
    large = stem == "large" or (stem == "auto" and min(height, right) >= LARGE)
    layers = _convolved(depth, width, 7 if large else 3, 2 if large else 1)
    layers += [nn.ReLU(), *([nn.MaxPool2d(3, 2, padding=1)] if large else [])]
    depth = width
    for stage, count in enumerate(blocks):
        for block in range(count):
            stride = 2 if stage and not block else 1
            inner = width * 2**stage
            outputs = inner * (4 if deep else 1)
            body = _bottleneck(depth, inner, stride) if deep else _pair(depth, inner, stride)
            same = depth == outputs and stride == 1
            past = nn.Identity() if same else nn.Sequential(*_convolved(depth, outputs, 1, stride))
            layers += [_with_shortcut(body, past), nn.ReLU()]
            depth = outputs
    return nn.Sequential(*layers, *_mean_and_map(depth, shapes.outputs))


def _small(shapes: Shapes, name: str, blocks: int, width: int) -> nn.Module:
    """The networks of section 4.2: 6 n + 2 layers."""
    depth = image_shape(shapes, name)[0]
    layers = [*_convolved(depth, width, 3, 1), nn.ReLU()]
    depth = width
    for stage in range(3):
        for block in range(blocks):
            stride, outputs = 2 if stage and not block else 1, width * 2**stage
            past = Subsample(stride, outputs - depth) if stride > 1 else nn.Identity()
            layers += [_with_shortcut(_pair(depth, outputs, stride), past), nn.ReLU()]
            depth = outputs
    return nn.Sequential(*layers, *_mean_and_map(depth, shapes.outputs))


def _convolved(depth: int, channels: int, kernel: int, stride: int) -> list[nn.Module]:
    """A convolution that keeps the places (but for the stride), and batch normalisation."""
    made = nn.Conv2d(depth, channels, kernel, stride, kernel // 2, bias=False)
    return [made, nn.BatchNorm2d(channels)]


def _pair(depth: int, channels: int, stride: int) -> nn.Module:
    """Two 3x3 convolutions."""
    return nn.Sequential(
        *_convolved(depth, channels, 3, stride), nn.ReLU(), *_convolved(channels, channels, 3, 1)
    )


def _bottleneck(depth: int, channels: int, stride: int) -> nn.Module:
    """1x1, 3x3 and 1x1 convolutions; the last one gives four times the channels."""
    return nn.Sequential(
        *_convolved(depth, channels, 1, 1), nn.ReLU(),
        *_convolved(channels, channels, 3, stride), nn.ReLU(),
        *_convolved(channels, 4 * channels, 1, 1),
    )  # fmt: skip


def _with_shortcut(body: nn.Module, past: nn.Module) -> nn.Module:
    return Shortcut(OrderedDict(body=body, shortcut=past))


def _mean_and_map(channels: int, outputs: int) -> list[nn.Module]:
    """Global average pooling and an affine map."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, outputs)]
