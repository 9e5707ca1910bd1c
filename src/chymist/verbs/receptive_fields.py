"""`receptive_fields`: which part of the input a unit of each layer depends on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.models import build_model
from chymist.parts import Part
from chymist.reports.fields import field_chart
from chymist.reports.text import table
from chymist.values import Recipe, Run, Shapes
from chymist.verbs.writing import save_drawing

RESHAPES = (nn.Flatten, nn.Unflatten)  # have no units of their own
MOST, CHUNK = 4096, 128  # places of an input; rows that go through a model at once


@dataclass(frozen=True, eq=False)
class LayerField:
    """What a unit in the middle of a layer depends on.

    Args:
        name: of the layer within the model.
        kind: its class.
        output_shape: for one input.
        sees: whether it depends on each place of the input, bool: (height, width), (steps,) or
            (features,).
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    sees: np.ndarray

    @property
    def extent(self) -> tuple[int, ...]:
        """From the first to the last place that it sees, along each axis."""
        found = np.nonzero(self.sees)
        return tuple(int(np.ptp(axis)) + 1 if len(axis) else 0 for axis in found)

    @property
    def places(self) -> int:
        """How many places it sees."""
        return int(self.sees.sum())


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """What the units of a model see, layer by layer.

    Args:
        rows: one a layer, in the order of the calls.
        input_shape: of one input.
    """

    rows: tuple[LayerField, ...]
    input_shape: tuple[int, ...]

    @property
    def growing(self) -> tuple[LayerField, ...]:
        """Layers that see something else than the one before; a dropout sees what it is given."""
        kept: list[LayerField] = []
        for row in self.rows:
            if row.kind == "Dropout":
                continue
            if not kept or not np.array_equal(kept[-1].sees, row.sees):
                kept.append(row)
        return tuple(kept)

    def svg(self) -> str:
        """The input, with what a unit of each growing layer sees of it, as an SVG element."""
        panels = [(row.kind, f"sees {_cell(row)}", row.sees) for row in self.growing]
        return str(field_chart("What a unit in the middle of each layer sees of the input", panels))

    def save(self, path: str | Path) -> Path:
        """Write the picture as an SVG file; returns its path."""
        return save_drawing(self.svg(), path)

    def _repr_html_(self) -> str:
        return self.svg()

    def __str__(self) -> str:
        cells: list[list[object]] = [
            [row.name or "(model)", row.kind, _shape(row.output_shape), _cell(row),
             f"{row.places:,} of {row.sees.size:,}"]
            for row in self.rows
        ]  # fmt: skip
        return table(cells, ["layer", "kind", "output", "sees", "places"], 100)


def receptive_fields(
    model: str | Part | nn.Module | Run | Callable[..., Any],
    input_shape: Sequence[int] = (),
    outputs: int = 10,
) -> ReceptiveFields:
    """Which part of the input a unit in the middle of each layer depends on.

    A value that is no number is put at one place of the input after the other: the units that are
    no number then depend on it, whatever the weights are. A dense layer sees all; of convolutions
    the field grows layer by layer; a recurrent layer sees the steps up to its own; a graph
    convolution the neighbours within as many edges as there are layers.

    Args:
        model: a run, a module, or the model of a recipe: a name, a part, a factory of shapes.
        input_shape: of one input, without the batch: (channels, height, width), (steps, features)
            or (features,); known of a run.
        outputs: number of outputs, where the model is still to be built.

    Returns:
        A `ReceptiveFields`: print it, or `save("fields.svg")`.

    Raises:
        InputError: the model fails on inputs of this shape, or takes none that are numbers.
        UsageError: no such model, or more places than can be tried.

    Example:
        >>> import chymist as cy
        >>> found = cy.receptive_fields(cy.models.cnn(channels=(4, 4), hidden=()), (1, 12, 12))
        >>> [row.extent for row in found.rows if row.kind in ("Conv2d", "MaxPool2d")]
        [(3, 3), (4, 4), (8, 8), (10, 10)]

    Source: Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks.
    """
    shape = tuple(input_shape)
    if isinstance(model, Run):
        shape, model = tuple(model.preparation.input_shape), model.model
    places = _places(shape)
    if not isinstance(model, nn.Module):
        model = build_model(Recipe(model=model).model, Shapes(shape, outputs), 0)
    if any(hasattr(module, "fitted_numbers") for module in model.modules()):
        raise UsageError("a model that is solved from all rows has no units that see places",
                         where="model", received=type(model).__name__,
                         do="give a network, such as cnn, gru or grid_gcn")  # fmt: skip
    if prod(places) > MOST:
        raise UsageError("too many places to try them one by one", where="input_shape",
                         received=f"{prod(places):,}, {_shape(shape)}",
                         do=f"give an input of at most {MOST:,} places, such as 1x64x64"
                         )  # fmt: skip
    plain = copy.deepcopy(model).double().eval()
    watch = _Watch(plain)
    try:
        with torch.no_grad():
            for batch in _spoilt(shape, places):
                watch.begin()
                plain(batch)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:80]
        raise InputError("the model fails on inputs of this shape",
                         received=f"inputs of shape {_shape(shape)}",
                         do=f"it says: {reason}") from None  # fmt: skip
    return ReceptiveFields(tuple(watch.rows(places)), shape)


class _Watch:
    """Notes which rows of a batch spoil the unit in the middle of each layer without children."""

    def __init__(self, model: nn.Module) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.kinds: dict[str, str] = {}
        self.found: dict[str, list[Tensor]] = {}
        self.now: set[str] = set()
        for name, module in model.named_modules():
            if not any(module.children()) and not isinstance(module, RESHAPES):
                module.register_forward_hook(self._note(name))

    def begin(self) -> None:
        """Another batch: of a layer that is called twice the first call counts."""
        self.now.clear()

    def rows(self, places: tuple[int, ...]) -> Iterator[LayerField]:
        """What each layer sees."""
        for name, parts in self.found.items():
            sees = torch.cat(parts).view(places).numpy()
            yield LayerField(name, self.kinds[name], self.shapes[name], sees)

    def _note(self, name: str) -> Callable[..., None]:
        def note(module: nn.Module, _: Any, output: Any) -> None:
            made: Any = output[0] if isinstance(output, tuple) else output
            if name in self.now or not isinstance(made, Tensor) or not made.is_floating_point():
                return
            self.now.add(name)
            self.kinds[name], self.shapes[name] = type(module).__name__, tuple(made.shape[1:])
            middle = made
            for n in made.shape[1:]:
                middle = middle[:, (n - 1) // 2]
            self.found.setdefault(name, []).append(middle.isnan())

        return note


def _spoilt(shape: tuple[int, ...], places: tuple[int, ...]) -> Iterator[Tensor]:
    """Batches of inputs of which each has a value that is no number at another place."""
    for start in range(0, prod(places), CHUNK):
        numbers = torch.arange(start, min(start + CHUNK, prod(places)))
        batch = torch.full((len(numbers), *shape), 0.5, dtype=torch.float64)
        rows = torch.arange(len(numbers))
        if len(shape) == 2:
            batch[rows, numbers] = torch.nan
        else:  # (channels, height, width), or (features,)
            wide = batch.view(len(numbers), -1, prod(places))
            wide[rows, :, numbers] = torch.nan
        yield batch


def _places(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of an input along which there are places.

    Raises:
        UsageError: no shape of one input.
    """
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise UsageError("not a shape", where="input_shape", received=repr(shape)[:60],
                         do="give (1, 28, 28) for images, (20, 3) for sequences, (20,) for tables"
                         )  # fmt: skip
    return shape[1:] if len(shape) == 3 else shape[:1]


def _cell(row: LayerField) -> str:
    """How far it sees, in words."""
    if not row.places:
        return "cannot be followed"
    return "all" if row.sees.all() else _shape(row.extent)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
