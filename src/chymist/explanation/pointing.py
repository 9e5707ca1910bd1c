"""Does a map point at the object? Games whose chance level is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import Estimate, mean_t, wilson
from chymist.explanation.sanity import as_array
from chymist.keys import generator


@dataclass(frozen=True, eq=False)
class Pointing:
    """How often the largest value of a map lies on the object.

    Args:
        hits: 1 or 0 for each map; where several places share the largest value, the share of them
            that lies on the object.
        areas: share of the image that the object takes: what a random place hits, (maps,).
        centers: what the middle of the image hits, (maps,).
    """

    hits: np.ndarray
    areas: np.ndarray
    centers: np.ndarray

    @property
    def share(self) -> float:
        """Share of hits."""
        return float(self.hits.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the share at level 0.95."""
        return wilson(float(self.hits.sum()), len(self.hits))

    @property
    def above_area(self) -> Estimate:
        """Hits above those of a random place, whose share is known: Wilson's interval, moved."""
        chance = float(self.areas.mean())
        low, high = (end - chance for end in self.interval)
        return Estimate(self.share - chance, low, high, mean_t(self.hits - self.areas).p)

    @property
    def above_center(self) -> Estimate:
        """Hits above those of the middle of the image, on the same maps."""
        return mean_t(self.hits - self.centers)

    @property
    def sentence(self) -> str:
        """The game in words."""
        low, high = self.interval
        return (f"The map points at the object in {self.share:.0%} [{low:.0%}, {high:.0%}] of "
                f"{len(self.hits)} images; a random place does in {self.areas.mean():.0%}, the "
                f"middle of the image in {self.centers.mean():.0%}.")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The game as plain values (the JSON contract)."""
        low, high = self.interval
        return {"share": self.share, "low": low, "high": high, "maps": len(self.hits),
                "random": float(self.areas.mean()), "middle": float(self.centers.mean()),
                "above_random": self.above_area._asdict(),
                "above_middle": self.above_center._asdict(),
                "sentence": self.sentence}  # fmt: skip

    def __repr__(self) -> str:
        return self.sentence


def pointing_game(maps: Tensor | np.ndarray, regions: Tensor | np.ndarray) -> Pointing:
    """Share of maps whose largest value lies in the region of the object.

    Objects tend to lie in the middle of images, so the middle as an answer is the baseline to beat;
    a random place is the weaker one.

    Args:
        maps: (maps, height, width), or (maps, channels, height, width), whose channels are summed.
        regions: where the object is, bool, (maps, height, width).

    Returns:
        A `Pointing`.

    Raises:
        InputError: they do not fit.

    Example:
        >>> region = np.array([[[True, False], [False, False]]])
        >>> found = pointing_game(np.array([[[3.0, 1.0], [0.0, 2.0]]]), region)
        >>> found.share, found.areas.tolist(), found.centers.tolist()
        (1.0, [0.25], [0.25])

    Source: Zhang et al. 2016, Top-down neural attention by excitation backprop, arXiv:1608.00507.
    """
    values = _images(maps)
    where = np.asarray(regions.numpy() if isinstance(regions, Tensor) else regions)
    if where.dtype != bool or where.shape != values.shape or not len(values):
        raise InputError("regions do not fit the maps", where="regions",
                         received=f"{where.dtype} of shape {where.shape} for {values.shape}",
                         do="give a bool for each place of each map")  # fmt: skip
    height, width = values.shape[1:]
    most = values == values.max((1, 2), keepdims=True)
    hits = (most & where).sum((1, 2)) / most.sum((1, 2))
    middle = where[:, (height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1]
    return Pointing(hits, where.mean((1, 2)), middle.mean((1, 2)))


class Mosaics(NamedTuple):
    """Images of several classes, put together.

    Args:
        inputs: (mosaics, channels, side * height, side * width).
        targets: the class that is asked for, int64, (mosaics,).
        cells: number of the cell that shows it, row by row, (mosaics,).
        rows: numbers of the images in the cells, (mosaics, side * side).
    """

    inputs: Tensor
    targets: Tensor
    cells: np.ndarray
    rows: np.ndarray


def mosaics(inputs: Tensor, labels: Tensor, count: int, seed: int = 0, side: int = 2) -> Mosaics:
    """Put images together at random: one cell shows the class that is asked for, the others do not.

    The other cells show classes that differ, as far as there are enough.

    Args:
        inputs: (images, channels, height, width).
        labels: the class of each, (images,).
        count: how many mosaics.
        seed: of the draws.
        side: cells along a side.

    Returns:
        `Mosaics`.

    Raises:
        InputError: fewer than two classes.
        UsageError: no mosaics, or of one cell.

    Example:
        >>> found = mosaics(torch.arange(4.0).reshape(4, 1, 1, 1), torch.arange(4), count=3)
        >>> found.inputs.shape, [int(found.rows[k, cell]) for k, cell in enumerate(found.cells)] \
            == found.targets.tolist()
        (torch.Size([3, 1, 2, 2]), True)

    Source: Boehle, Fritz, Schiele 2021, Convolutional dynamic alignment networks, arXiv:2104.00032.
    """
    if count < 1 or side < 2:
        raise UsageError("no mosaics, or of one cell", where="mosaics",
                         received=f"{count} of side {side}")  # fmt: skip
    classes = labels.numpy()
    known = np.unique(classes)
    if len(known) < 2:
        raise InputError("mosaics need images of two classes", where="mosaics",
                         received=f"{len(known)} classes")  # fmt: skip
    random, drawn, cells = generator(seed, "mosaics"), [], []
    for _ in range(count):
        target = random.choice(known)
        others = np.resize(random.permutation(known[known != target]), side * side - 1)
        cell = int(random.integers(side * side))
        shown = np.insert(others, cell, target)
        drawn.append(_rows(classes, shown, random))
        cells.append(cell)
    rows = np.array(drawn)
    parts = inputs[torch.from_numpy(rows)].unflatten(1, (side, side))
    whole = parts.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
    targets = classes[rows[np.arange(count), cells]]
    return Mosaics(whole, torch.from_numpy(targets), np.array(cells), rows)


def cell_regions(cells: np.ndarray, height: int, width: int, side: int = 2) -> np.ndarray:
    """Where the cells of mosaics are.

    Args:
        cells: numbers of cells, row by row, (mosaics,).
        height: of a mosaic; a multiple of `side`.
        width: of a mosaic; a multiple of `side`.
        side: cells along a side.

    Returns:
        bool, (mosaics, height, width).

    Example:
        >>> cell_regions(np.array([1]), 2, 2).tolist()
        [[[False, True], [False, False]]]
    """
    down, across = (np.arange(n) * side // n for n in (height, width))
    return np.asarray((down[:, None] * side + across)[None] == cells[:, None, None])


@dataclass(frozen=True, eq=False)
class GridPointing:
    """How much of what speaks for a class lies where it is shown.

    Args:
        shares: of the positive values of each map, the share in the cell of the class, (maps,); 0
            for maps that have none.
        chance: what a map gets that knows nothing.
    """

    shares: np.ndarray
    chance: float

    @property
    def mean(self) -> Estimate:
        """Mean share, with its interval at level 0.95."""
        return mean_t(self.shares)

    @property
    def sentence(self) -> str:
        """The game in words."""
        value, low, high, _ = self.mean
        return (f"{value:.0%} [{low:.0%}, {high:.0%}] of the positive values lie in the cell of "
                f"the class that is asked for ({len(self.shares)} mosaics; chance "
                f"{self.chance:.0%}).")  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The game as plain values (the JSON contract)."""
        return {"mosaics": len(self.shares), "chance": self.chance, **self.mean._asdict(),
                "sentence": self.sentence}  # fmt: skip

    def __repr__(self) -> str:
        return self.sentence


def grid_pointing(maps: Tensor | np.ndarray, cells: np.ndarray, side: int = 2) -> GridPointing:
    """Share of the positive values of maps of mosaics that lies in the cell of the class.

    Args:
        maps: (mosaics, height, width), or (mosaics, channels, height, width), whose channels are
            summed; made for the classes asked for.
        cells: numbers of their cells, (mosaics,).
        side: cells along a side.

    Returns:
        A `GridPointing`; chance is 1 / side^2, since a cell may be anywhere.

    Raises:
        InputError: they do not fit.

    Example:
        >>> grid_pointing(np.array([[[3.0, 0.0], [-5.0, 1.0]]]), np.array([0])).shares.tolist()
        [0.75]

    Source: Boehle, Fritz, Schiele 2021, arXiv:2104.00032.
    """
    values = np.maximum(_images(maps), 0)
    if len(cells) != len(values) or any(n % side for n in values.shape[1:]):
        raise InputError("cells do not fit the maps", where="cells",
                         received=f"{len(cells)} cells for {values.shape}")  # fmt: skip
    where = cell_regions(cells, values.shape[1], values.shape[2], side)
    total = values.sum((1, 2))
    inside = (values * where).sum((1, 2))
    return GridPointing(inside / np.where(total > 0, total, 1.0), 1 / side**2)


def _images(maps: Tensor | np.ndarray) -> np.ndarray:
    """Maps as (maps, height, width).

    Raises:
        InputError: they are not, or hold values that are no numbers.
    """
    values = as_array(maps)
    values = values.sum(1) if values.ndim == 4 else values
    if values.ndim != 3 or not np.isfinite(values).all():
        raise InputError("maps are not finite images", where="maps",
                         received=f"shape {values.shape}")  # fmt: skip
    return values


def _rows(classes: np.ndarray, shown: np.ndarray, random: np.random.Generator) -> list[int]:
    """An image of each class, none of them twice where there are enough."""
    rows: list[int] = []
    for one in shown:
        own = np.flatnonzero(classes == one)
        left = np.setdiff1d(own, rows)
        rows.append(int(random.choice(left if len(left) else own)))
    return rows
