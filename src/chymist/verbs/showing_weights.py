"""What the first units of a network look for in an image, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from chymist.engine.files import write_file
from chymist.engine.folder import open_folder
from chymist.errors import UsageError
from chymist.reports.pictures import data_uri, enlarged, signed_bytes, tiled, to_png
from chymist.values import Run
from chymist.verbs.records import load_model

MOST = 400  # units of one picture


@dataclass(frozen=True, eq=False)
class ShownWeights:
    """Weights of the first layer of a network for images, one picture a unit.

    Args:
        weights: (units, height, width, channels), float64; of a convolution its kernels.
    """

    weights: np.ndarray

    @property
    def sheet(self) -> np.ndarray:
        """All units in one picture, in about as many lines as columns; uint8 (h, w, 1 or 3).

        Grey is 0, black and white are minus and plus the largest weight of the unit.
        """
        shown = self.weights[:MOST]
        return tiled(enlarged(signed_bytes(shown)), ceil(sqrt(2 * len(shown))))

    def save(self, path: str | Path) -> Path:
        """Write the picture as a PNG; returns its path."""
        write_file(Path(path), to_png(self.sheet))
        return Path(path)

    def _repr_html_(self) -> str:
        return (
            f'<img src="{data_uri(self.sheet, 4096)}" alt="weights of {len(self.weights)} units">'
        )

    def __repr__(self) -> str:
        units, height, width, channels = self.weights.shape
        return f"ShownWeights({units} units of {height} x {width} x {channels})"


def show_weights(run: Run | str | Path, *, model: Any = None) -> ShownWeights:
    """The weights of the first layer of a network for images: what each unit looks for.

    A unit of a dense layer gives the sum of weight times pixel, which is largest, of all images of
    one length, for the image that its weights are.

    Args:
        run: a run on images, or its folder; its data is not needed.
        model: the user's own module or factory, if the run was made with one and is read from
            its folder.

    Returns:
        A `ShownWeights`: `save("weights.png")`, or look at it in a notebook. The picture has the
        first 400 units.

    Raises:
        UsageError: the run is not on images, or its model begins with neither a dense layer nor a
            convolution.

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
    if len(shape) != 3:
        raise UsageError("only weights on images can be shown", where="run",
                         received=f"inputs of shape {tuple(shape)}",
                         do="give a run on images")  # fmt: skip
    found = weights_on_pixels(module, shape)
    if found is None:
        first = next((m for m in module.modules() if m._parameters), None)
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
