"""Images as the features of a network that was trained on others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from chymist.data import load
from chymist.errors import UsageError
from chymist.models import efficientnet_lite0
from chymist.values import Data, Shapes, whole_number


def pretrained_features(data: Data, *, batch: int = 32) -> Data:
    """Images as the 1280 features of EfficientNet-Lite0, as it was trained on ImageNet.

    What a frozen backbone gives does not change while a head learns, so it is worked out once;
    any model of tables is then a head, and folds, seeds and curves cost next to nothing.

    Args:
        data: colour images, bytes; best of 224 x 224 pixels.
        batch: images at once.

    Returns:
        Data of kind "array" with the same targets, in the same rows and standard parts.

    Raises:
        UsageError: the data are no colour images.
        InputError: the weights are not installed (`chymist[pretrained]`).

    Example:
        >>> import chymist as cy
        >>> pretrained_features(cy.load("digits"))
        Traceback (most recent call last):
        chymist.errors.UsageError: the pretrained network is for colour images of bytes...
    """
    whole_number(batch, "batch", 1)
    images = data.inputs
    if data.kind != "image" or not isinstance(images, np.ndarray) or (
        images.shape[-1] != 3 or images.dtype != np.uint8
    ):  # fmt: skip
        raise UsageError("the pretrained network is for colour images of bytes",
                         received=f"{data.kind} data of {data.name}",
                         do="give RGB images")  # fmt: skip
    shapes = Shapes((3, *images.shape[1:3]), 1)
    model = efficientnet_lite0(frozen="features").build(shapes)
    model.restore()
    body = model[:-1].eval().to(memory_format=torch.channels_last)
    made = []
    with torch.no_grad():
        for start in range(0, len(images), batch):
            part = torch.from_numpy(images[start : start + batch]).permute(0, 3, 1, 2)
            made.append(body(part.float()).numpy())
    targets = np.array(data.classes)[data.targets] if data.classes else data.targets
    found = load((np.concatenate(made), targets), name=data.name)
    note = "features of EfficientNet-Lite0, trained on ImageNet"
    return replace(found, test_rows=data.test_rows, valid_rows=data.valid_rows,
                   notes=(*found.notes, note))  # fmt: skip
