"""A batch of training images as the model gets it, as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from chymist.engine.assembly import augment_of, check_loss, prepare_split
from chymist.engine.defaults import check_split, complete
from chymist.engine.files import write_through
from chymist.errors import UsageError
from chymist.keys import order
from chymist.reports.pictures import data_uri, enlarged, tiled, to_bytes, to_png
from chymist.values import Recipe, Split, whole_number


@dataclass(frozen=True, eq=False)
class ShownBatch:
    """Images of a batch as they were read, and below as they are trained on.

    Args:
        rows: their numbers in the data, (n,).
        raw: (n, height, width, channels), as read.
        images: the same after preparation and augmentation, in the unit of `raw`, float64.
        labels: class of each, or its target.
    """

    rows: np.ndarray
    raw: np.ndarray
    images: np.ndarray
    labels: tuple[str, ...]

    @property
    def sheet(self) -> np.ndarray:
        """One picture: raw images in the first line, changed ones below; uint8 (h, w, 1 or 3)."""
        low, high = float(self.raw.min()), float(self.raw.max())
        # Both lines have the brightness of the raw images.
        both = np.concatenate([self.raw.astype(np.float64), self.images.clip(low, high)])
        if self.raw.dtype == np.uint8 and high > 127:
            both = both.round().astype(np.uint8)
        return tiled(enlarged(to_bytes(both)[0]), len(self.raw))

    def save(self, path: str | Path) -> Path:
        """Write the picture as a PNG; returns its path."""
        write_through(Path(path), to_png(self.sheet))
        return Path(path)

    def _repr_html_(self) -> str:
        return f'<img src="{data_uri(self.sheet, 4096)}" alt="{len(self.rows)} training images">'

    def __repr__(self) -> str:
        return f"ShownBatch({len(self.rows)} images: {', '.join(self.labels[:8])}, ...)"


def show_batch(
    split: Split, recipe: Recipe | None = None, *, rows: int = 8, seed: int = 0, epoch: int = 0
) -> ShownBatch:
    """The first training images of an epoch, as they are and as they are trained on.

    Args:
        split: the rows; of images.
        recipe: its `augment` and its preparation count.
        rows: how many are shown.
        seed: seed of the run.
        epoch: from 0; each shows other rows, changed in another way.

    Returns:
        A `ShownBatch`: `save("batch.png")`, or look at it in a notebook.

    Raises:
        UsageError: the data are no images.

    Example:
        >>> import chymist as cy
        >>> split = cy.split(cy.load("digits"), seed=0)
        >>> show_batch(split, cy.Recipe(augment=["shift", "rotate"]), rows=4).images.shape
        (4, 8, 8, 1)
    """
    if split.data.kind != "image":
        raise UsageError("only batches of images can be shown", received=f"{split.data.kind} data",
                         do="give images")  # fmt: skip
    check_split(split)
    whole_number(rows, "rows", 1, 256)
    whole_number(epoch, "epoch", 0)
    full = complete(recipe or Recipe(), split)
    prepared = prepare_split(full, split)
    outputs = check_loss(full, split.data).outputs(max(2, len(split.data.classes)))
    picked = torch.from_numpy(order(seed, epoch, len(split.train))[:rows])
    inputs, targets = next(prepared.train.batches([picked]))
    augment = augment_of(full, split.data, seed, outputs)
    if augment:
        inputs, _ = augment(inputs, targets, epoch, picked)
    away, unit = prepared.preparation.pixels
    images = inputs.double().permute(0, 2, 3, 1).numpy() * unit + away
    numbers = split.train[picked.numpy()]
    found = split.data.targets[numbers]
    names = split.data.classes
    labels = tuple(names[t] if names else f"{t:.4g}" for t in found.tolist())
    return ShownBatch(numbers, np.asarray(split.data.take(numbers)), images, labels)
