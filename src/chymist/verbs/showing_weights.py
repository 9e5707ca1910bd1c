"""What the first units of a network look for in an image, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from chymist.engine.folder import open_folder
from chymist.errors import UsageError, nearest
from chymist.reports.picture_rows import Cell, PictureRow, PictureRows, shaded
from chymist.reports.pictures import enlarged, signed_bytes, tiled
from chymist.values import Run
from chymist.verbs.records import load_model
from chymist.verbs.writing import save_picture

MOST = 400  # units of one picture
LINES, SLICES = 24, 16  # units and input channels of a picture of slices


@dataclass(frozen=True, eq=False)
class ShownWeights:
    """Weights of a layer, one picture a unit, or a line of pictures: one an input channel.

    Args:
        weights: (units, height, width, channels), float64; of a convolution its kernels.
        layer: its name, "" for the first one.
        pixels: whether the channels are those of an image, so that three of them are colours.
    """

    weights: np.ndarray
    layer: str = ""
    pixels: bool = True

    @property
    def sheet(self) -> np.ndarray:
        """All units in one picture, in about as many lines as columns; uint8 (h, w, 1 or 3).

        Grey is 0, black and white are minus and plus the largest weight of the unit; of other than
        1 or 3 channels their mean is shown.
        """
        shown = self.weights[:MOST]
        return tiled(enlarged(signed_bytes(shown)), ceil(sqrt(2 * len(shown))))

    @property
    def captioned(self) -> PictureRows:
        """The same with captions. Kernels on many channels are a line of slices each."""
        units, height, width, channels = self.weights.shape
        what = f"layer '{self.layer}'" if self.layer else "the first layer"
        note = (
            "Grey is 0, black and white are minus and plus the largest absolute weight of the unit."
        )
        if self.pixels and channels in (1, 3):
            cells = [
                Cell(image, str(n)) for n, image in enumerate(signed_bytes(self.weights[:MOST]))
            ]
            lines = [PictureRow("", tuple(cells), 50)]
            left = units - len(cells)
        else:
            lines = [self._slices(unit) for unit in range(min(units, LINES))]
            left = units - len(lines)
            note += (
                f" A line is a unit: the slices of its kernel on the first {min(channels, SLICES)} "
                f"of {channels} input channels, from left to right. These are no pixels but what "
                "the layer before gives: a slice says little unless one knows what its channel is."
            )
        note += f" {left} more units are not drawn." if left else ""
        title = f"Weights of {what}: {units} units of {height} x {width} on {channels} channels"
        return PictureRows(title, tuple(lines), note)

    def _slices(self, unit: int) -> PictureRow:
        """The kernel of one unit, channel by channel, all on one scale."""
        kernel = self.weights[unit]
        beside = kernel[:, :, :SLICES].transpose(0, 2, 1)
        most = float(np.abs(kernel).max()) or 1.0
        slices = [shaded(beside[:, n], -most, most) for n in range(beside.shape[1])]
        cells = [Cell(image, "" if n else f"unit {unit}", frame="axis")
                 for n, image in enumerate(slices)]  # fmt: skip
        return PictureRow("", tuple(cells), 48)

    def save(self, path: str | Path) -> Path:
        """Write the pictures with captions as SVG or PNG; returns the path."""
        return save_picture(self.captioned.sheet, path)

    def to_dict(self) -> dict[str, Any]:
        """What is shown, as plain values."""
        units, height, width, channels = self.weights.shape
        return {"layer": self.layer, "units": units, "height": height, "width": width,
                "channels": channels, "largest": float(np.abs(self.weights).max())}  # fmt: skip

    def _repr_html_(self) -> str:
        return self.captioned.html()

    def __repr__(self) -> str:
        units, height, width, channels = self.weights.shape
        return f"ShownWeights({units} units of {height} x {width} x {channels})"


def show_weights(
    run: Run | str | Path, *, layer: str | None = None, model: Any = None
) -> ShownWeights:
    """The weights of the first layer of a network for images: what each unit looks for.

    A unit of a dense layer gives the sum of weight times pixel, which is largest, of all images of
    one length, for the image that its weights are. Kernels of a deeper convolution are on the
    outputs of another layer: they are drawn channel by channel, as they are.

    Args:
        run: a run on images, or its folder; its data is not needed.
        layer: name of a convolution, of any run; None is the first layer on pixels.
        model: the user's own module or factory, if the run was made with one and is read from
            its folder.

    Returns:
        A `ShownWeights`: `save("weights.png")`, or look at it in a notebook. The picture has the
        first 400 units; of deeper kernels the first 24, on the first 16 channels.

    Raises:
        UsageError: the run is not on images, or its model begins with neither a dense layer nor a
            convolution; or the layer that was named is no convolution.

    Example:
        >>> import chymist as cy
        >>> recipe = cy.Recipe(model=cy.models.mlp(hidden=(20,)), length="1 epochs")
        >>> show_weights(cy.fit(recipe, cy.load("digits")))
        ShownWeights(20 units of 8 x 8 x 1)

    Source: Zeiler, Fergus 2014, Visualizing and understanding convolutional networks.
    """
    if isinstance(run, Run):
        module, shape = run.model, run.preparation.shape
    else:
        saved = open_folder(run)
        module, shape = load_model(saved, model)[0], saved.preparation.shape
    first = next((m for m in module.modules() if m._parameters), None)
    if layer is not None:
        kernels = _kernels(module, layer)
        return ShownWeights(kernels, layer, dict(module.named_modules())[layer] is first)
    if len(shape) != 3:
        raise UsageError("only weights on images can be shown", where="run",
                         received=f"inputs of shape {tuple(shape)}",
                         do="give a run on images")  # fmt: skip
    found = weights_on_pixels(module, shape)
    if found is None:
        kind = type(first).__name__ if first is not None else type(module).__name__
        raise UsageError("the model begins with no weights on pixels", where="show_weights",
                         received=kind, do="take mlp, softmax or cnn")  # fmt: skip
    return found


def weights_on_pixels(module: nn.Module, shape: Sequence[int]) -> ShownWeights | None:
    """The weights of the first layer, if it is a dense layer or a convolution on an image.

    Args:
        module: the network.
        shape: of one input.
    """
    first = next((m for m in module.modules() if m._parameters), None)
    flat = None
    if len(shape) == 3 and isinstance(first, nn.Linear) and first.in_features == prod(shape):
        flat = first.weight.reshape(-1, *shape)
    elif len(shape) == 3 and isinstance(first, nn.Conv2d):
        flat = first.weight
    if flat is None:
        return None
    return ShownWeights(flat.detach().cpu().double().permute(0, 2, 3, 1).numpy())


def _kernels(module: nn.Module, layer: str) -> np.ndarray:
    """Kernels of a convolution of any kind, (units, height, width, channels).

    Raises:
        UsageError: no convolution has this name.
    """
    kinds = nn.modules.conv._ConvNd
    known = {name: part for name, part in module.named_modules() if isinstance(part, kinds)}
    if layer not in known:
        raise UsageError("no such convolution", where="layer", received=f"'{layer}'"[:80],
                         do=nearest(layer, known) if known else "the model has none")  # fmt: skip
    part = known[layer]
    weight = part.weight.detach().cpu().double()
    if part.transposed:  # (input channels, units of a group, ...)
        parts = [one.transpose(0, 1) for one in weight.chunk(part.groups)]
        weight = torch.cat(parts)
    while weight.ndim < 4:
        weight = weight.unsqueeze(2)
    if weight.ndim > 4:
        weight = weight.flatten(2, -2)  # of a volume layer below layer
    made: np.ndarray = weight.permute(0, 2, 3, 1).numpy()
    return made
