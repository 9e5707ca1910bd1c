"""Which rows and columns of an image every unit of a layer depends on, at the borders too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError
from chymist.explanation.features import listening

VALUES = 2**21  # of inputs that go through a model at once
STRIP = 32  # width of the strip of a large image that is tried first


@dataclass(frozen=True, eq=False)
class UnitFields:
    """What the units of a map depend on: first and last line and column of the image.

    Args:
        lines: (height of the map, 2), whole numbers; first and last are both seen.
        columns: (width of the map, 2).
    """

    lines: np.ndarray
    columns: np.ndarray

    def box(self, place: int) -> tuple[int, int, int, int]:
        """Top, bottom, left, right of the field of a place of the map; bottom and right excluded.

        Args:
            place: counts the places of the map line by line.
        """
        line, column = divmod(place, len(self.columns))
        (top, bottom), (left, right) = self.lines[line], self.columns[column]
        return int(top), int(bottom) + 1, int(left), int(right) + 1

    @property
    def extent(self) -> tuple[int, int]:
        """Height and width of the largest field."""
        tall, wide = (int((ends[:, 1] - ends[:, 0]).max()) + 1
                      for ends in (self.lines, self.columns))  # fmt: skip
        return tall, wide


def unit_fields(
    model: nn.Module, shape: Sequence[int], names: Sequence[str]
) -> dict[str, UnitFields]:
    """The field of every unit of some layers, from one pass for each line and column of the image.

    A line of the image is made of values that are no numbers: the units that are then no numbers
    depend on it, whatever the weights are (as in `receptive_fields`, which tries places one by
    one). Layers whose outputs are no maps are taken to see the whole image.

    Args:
        model: any module for images; a copy of it is used.
        shape: (channels, height, width) of an image.
        names: of the layers.

    Returns:
        `UnitFields` by name.

    Raises:
        InputError: a unit of a map depends on nothing that can be followed.

    Example:
        >>> found = unit_fields(nn.Conv2d(1, 1, 3, padding=1), (1, 5, 5), [""])[""]
        >>> found.lines.tolist(), found.box(0)
        ([[0, 1], [0, 2], [1, 3], [2, 4], [3, 4]], (0, 2, 0, 2))
    """
    # In float64 torch's convolutions take no short cuts that would spread what is no number.
    plain = copy.deepcopy(model).cpu().double().eval()
    lines, columns = (_ends(plain, shape, names, axis) for axis in (1, 2))
    return {name: UnitFields(lines[name], columns[name]) for name in names}


def _ends(
    model: nn.Module, shape: Sequence[int], names: Sequence[str], axis: int
) -> dict[str, np.ndarray]:
    """First and last line (axis 1) or column (axis 2) that the units of a line or column see."""
    size = shape[axis]
    sees = _narrow(model, shape, names, axis)
    if sees is None:
        sees = _seen(model, shape, names, axis, torch.arange(size))
    found = {}
    for name, touched in sees.items():
        if not touched.any(0).all():
            raise InputError("what a unit sees cannot be followed", where=f"layer '{name}'",
                             do="take another layer")  # fmt: skip
        found[name] = np.stack([touched.argmax(0), size - 1 - touched[::-1].argmax(0)], 1)
    return found


def _narrow(
    model: nn.Module, shape: Sequence[int], names: Sequence[str], axis: int
) -> dict[str, np.ndarray] | None:
    """What is seen along one axis of a strip of a large image, which takes a part of the time.

    None where the strip does not pass, or shows something else of three lines than the image.
    """
    strip = list(shape)
    strip[3 - axis] = STRIP
    if shape[3 - axis] <= 2 * STRIP:
        return None
    size = shape[axis]
    try:
        found = _seen(model, strip, names, axis, torch.arange(size))
    except (RuntimeError, ValueError, IndexError, KeyError):
        return None
    some = torch.tensor([0, size // 2, size - 1])
    whole = _seen(model, shape, names, axis, some)
    same = all(np.array_equal(found[name][some], whole[name]) for name in names)
    return found if same else None


def _seen(
    model: nn.Module, shape: Sequence[int], names: Sequence[str], axis: int, tried: Tensor
) -> dict[str, np.ndarray]:
    """Which lines of maps depend on some lines of the image, bool (tried, lines of the map)."""
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    for numbers in tried.split(max(1, VALUES // int(np.prod(shape)))):
        batch = torch.full((len(numbers), *shape), 0.5, dtype=torch.float64)
        batch.movedim(axis + 1, 1)[torch.arange(len(numbers)), numbers] = torch.nan
        heard: dict[str, Tensor] = {}
        with torch.no_grad(), listening(model, names, heard, stop=True):
            model(batch)
        for name in names:
            parts[name].append(_touched(heard[name].isnan(), axis))
    return {name: torch.cat(found).numpy() for name, found in parts.items()}


def _touched(spoilt: Tensor, axis: int) -> Tensor:
    """Which lines or columns of a map are no numbers, (batch, lines)."""
    if spoilt.ndim != 4:
        return spoilt.flatten(1).any(1, keepdim=True)
    return spoilt.any(1).any(3 - axis)
