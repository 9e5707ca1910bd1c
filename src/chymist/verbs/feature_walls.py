"""`feature_wall`: what the units of a network look for, layer by layer, from edges to objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chymist.errors import UsageError
from chymist.explanation.features import (
    Layer,
    Place,
    Responses,
    feature_layers,
    layers_in_order,
    middle,
    responses,
)
from chymist.explanation.unit_fields import UnitFields, unit_fields
from chymist.reports.picture_rows import Cell, PictureRow, PictureRows, raw_shaded
from chymist.reports.text import table
from chymist.values import Data, Run, whole_number
from chymist.verbs.chosen_rows import drawn_rows
from chymist.verbs.maximizing import Stage
from chymist.verbs.predicting import opened
from chymist.verbs.writing import save_picture

OUTSIDE, THIN = 200, "axis"
SIDES = 46, 94  # pixels of the smallest and of the largest patches as drawn


@dataclass(frozen=True, eq=False)
class WallUnit:
    """One unit: the patches of training images that excite it most, and an image made for it.

    Args:
        number: of the unit.
        name: its class, or its number.
        rows: numbers of the training rows, the strongest first; each row once.
        boxes: top, bottom, left, right of what the unit sees there, (k, 4).
        values: what it gives, (k,).
        patches: raw pixels of the boxes, (height, width, channels) each.
        made: raw pixels of an image that was made for it, the part that it sees; None if none was.
        reached: what it gives for that image.
    """

    number: int
    name: str
    rows: np.ndarray
    boxes: np.ndarray
    values: np.ndarray
    patches: tuple[np.ndarray, ...]
    made: np.ndarray | None
    reached: float


@dataclass(frozen=True, eq=False)
class WallLayer:
    """Units of one layer.

    Args:
        layer: its name, kind and shape.
        extent: height and width of what a unit sees of the image.
        units: those that are shown.
        dead: units that give the same at all places of all rows.
    """

    layer: Layer
    extent: tuple[int, int]
    units: tuple[WallUnit, ...]
    dead: int


@dataclass(frozen=True, eq=False)
class FeatureWall:
    """What units look for, layer by layer.

    Args:
        layers: from the input to the outputs.
        rows: training rows that were looked at.
        size: height and width of the images.
        pixels: least and largest raw pixel.
    """

    layers: tuple[WallLayer, ...]
    rows: int
    size: tuple[int, int]
    pixels: tuple[float, float]

    @property
    def pictures(self) -> PictureRows:
        """A line for each unit: the made image in a frame, and the patches."""
        made = any(unit.made is not None for one in self.layers for unit in one.units)
        note = (
            f"Each line is a unit. The patches are those of {self.rows:,} training images to which "
            "it responds most, at most one of an image, the strongest first: exactly what the unit "
            "sees, grey where that is beyond the border of the image. Numbers are what it gives. "
        )
        framed = (
            "In an orange frame: an image that was made for the unit by gradient ascent, the part "
            "that the unit in the middle of the map sees. "
        )
        last = "Shown are the units of a layer whose largest values vary most between images."
        return PictureRows("What units look for, layer by layer", tuple(self._lines()),
                     note + (framed if made else "") + last)  # fmt: skip

    def _lines(self) -> Iterator[PictureRow]:
        low, high = SIDES
        whole = max(max(one.extent) for one in self.layers)
        for one in self.layers:
            side = low + (high - low) * max(one.extent) / whole
            dead = f", {one.dead} of {one.layer.units} units are dead" if one.dead else ""
            heading = (
                f"{one.layer.name or 'outputs'} · {one.layer.kind} · a unit sees "
                f"{one.extent[0]} x {one.extent[1]} pixels{dead}"
            )
            for unit in one.units:
                yield PictureRow(heading, tuple(self._cells(unit, one.extent)), side)
                heading = ""

    def _cells(self, unit: WallUnit, extent: tuple[int, int]) -> Iterator[Cell]:
        name = f"unit {unit.number}" if unit.name == str(unit.number) else unit.name
        made = [] if unit.made is None else [unit.made]
        drawn = raw_shaded([*made, *unit.patches], *self.pixels)
        if made:
            yield Cell(drawn.pop(0), f"{name}\n{unit.reached:.3g}", frame="s2")
        patches = zip(drawn, unit.rows.tolist(), unit.values.tolist(), unit.boxes, strict=True)
        for place, (image, row, value, box) in enumerate(patches):
            head = name if not made and not place else f"row {row + 1}"
            yield Cell(_padded(image, box, self.size, extent), f"{head}\n{value:.3g}", frame=THIN)

    def save(self, path: str | Path) -> Path:
        """Write the wall as SVG or PNG; returns its path."""
        return save_picture(self.pictures.sheet, path)

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells: a line for each unit."""
        cells: list[list[object]] = [
            [one.layer.name or "outputs", f"{one.extent[0]} x {one.extent[1]}", unit.name,
             f"{unit.values[0]:.3g}", f"{unit.rows[0] + 1:,}",
             "" if unit.made is None else f"{unit.reached:.3g}"]
            for one in self.layers for unit in one.units
        ]  # fmt: skip
        return ["layer", "sees", "unit", "largest", "row", "made image"], cells

    def to_dict(self) -> dict[str, Any]:
        """Layers, units, rows, boxes and values as plain values."""
        return {"rows": self.rows, "layers": [
            {"name": one.layer.name, "kind": one.layer.kind, "shape": list(one.layer.shape),
             "sees": list(one.extent), "dead": one.dead, "units": [
                 {"unit": unit.number, "name": unit.name, "rows": unit.rows.tolist(),
                  "boxes": unit.boxes.tolist(), "values": unit.values.tolist(),
                  "made": None if unit.made is None else unit.reached}
                 for unit in one.units]}
            for one in self.layers
        ]}  # fmt: skip

    def _repr_html_(self) -> str:
        return self.pictures.html()

    def __repr__(self) -> str:
        heads, cells = self.table()
        return table(cells, heads, 100)


def feature_wall(
    run: Run | str | Path, layers: Sequence[str] | None = None, *, units: int = 4,
    patches: int = 8, rows: int = 1000, steps: int = 64, model: Any = None,
    data: Data | None = None,
) -> FeatureWall:  # fmt: skip
    """What the units of a network look for, layer by layer: patches of images, and made images.

    For each unit all places of all rows are tried; the k rows with the largest values are cut to
    what the unit sees there (`unit_fields`, measured). Beside them stands an image that was made
    for the unit in the middle by gradient ascent.

    Args:
        run: a run on images, or its folder.
        layers: their names; None are up to four convolutions with their normalisations, and the
            outputs.
        units: how many units of a layer are shown: those whose largest values vary most between
            images; of the outputs the first classes.
        patches: how many patches of each.
        rows: how many training rows are looked at.
        steps: of the ascent; 0 makes no images.
        model: as in `evaluate`.
        data: as in `evaluate`.

    Returns:
        A `FeatureWall`: `save("wall.png")`.

    Raises:
        UsageError: no images, or no such layer.
        InputError: what the units of a layer see cannot be followed.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="cnn", length="1 epochs"), cy.load("digits"))
        >>> wall = cy.feature_wall(run, ["0"], units=2, patches=3, rows=50, steps=0)
        >>> wall.layers[0].extent, wall.layers[0].units[0].patches[0].shape
        ((3, 3), (3, 3, 1))

    Source: Zeiler, Fergus 2014, Visualizing and understanding convolutional networks; Lee et al.
        2009, Convolutional deep belief networks (edges, parts, objects).
    """
    for name, number, least in (("units", units, 1), ("patches", patches, 1), ("rows", rows, 1),
                                ("steps", steps, 0)):  # fmt: skip
        whole_number(number, name, least, 100_000)
    _, split, predictor = opened(run, model, data)
    stage = Stage(split, predictor)
    some = drawn_rows(split.train, rows, predictor.seed)
    if layers is None:
        calls = layers_in_order(predictor.module, next(stage.batches(some[:1])))
        picked = [*feature_layers(calls), stage.layer(None)]
    else:
        if isinstance(layers, str) or not layers:
            raise UsageError("no list of layers", where="layers", received=repr(layers)[:60],
                             do='give ["0", "4"]')  # fmt: skip
        picked = [stage.layer(name) for name in layers]
    names = [one.name for one in picked]
    found = responses(predictor.module, stage.batches(some), names)
    mapped = [one.name for one in picked if len(one.shape) == 3]
    fields = unit_fields(predictor.module, stage.shape, mapped) if mapped else {}
    counts = units, patches, steps
    made = tuple(
        _wall_layer(stage, one, found[one.name], fields.get(one.name), some, counts)
        for one in picked
    )
    return FeatureWall(made, len(some), (stage.shape[1], stage.shape[2]), stage.pixels)


def _wall_layer(
    stage: Stage, layer: Layer, found: Responses, fields: UnitFields | None, some: np.ndarray,
    counts: tuple[int, int, int],
) -> WallLayer:  # fmt: skip
    """The units of one layer that are shown."""
    units, patches, steps = counts
    tall, wide = stage.shape[1:]
    whole = (0, tall, 0, wide)
    alive = np.flatnonzero(~found.dead)
    numbers = alive[:units]
    if layer.name:
        spread = found.values.std(axis=0)[alive]
        numbers = np.sort(alive[np.argsort(-spread, kind="stable")[:units]])
    seen = fields.box(middle(layer.shape)) if fields else whole
    images, reached = None, np.zeros(len(numbers))
    if steps and len(numbers):
        place: Place = "middle" if fields else "most"
        made = stage.made(layer, numbers.tolist(), place, "noise", steps)
        images, reached = stage.raw(made.images), made.values[-1]
    classes = stage.split.data.classes if not layer.name else ()
    shown = []
    for at, number in enumerate(numbers.tolist()):
        best = np.argsort(-found.values[:, number], kind="stable")[:patches]
        boxes = [fields.box(int(p)) if fields else whole for p in found.places[best, number]]
        raw = np.asarray(stage.split.data.take(some[best]))
        cut = tuple(image[b[0] : b[1], b[2] : b[3]] for image, b in zip(raw, boxes, strict=True))
        image = None if images is None else images[at][seen[0] : seen[1], seen[2] : seen[3]]
        name = classes[number] if classes else str(number)
        shown.append(WallUnit(number, name, some[best], np.array(boxes), found.values[best, number],
                              cut, image, float(reached[at])))  # fmt: skip
    extent = fields.extent if fields else (tall, wide)
    return WallLayer(layer, extent, tuple(shown), int(found.dead.sum()))


def _padded(
    image: np.ndarray, box: np.ndarray, size: tuple[int, int], extent: tuple[int, int]
) -> np.ndarray:
    """A patch that was cut at a border of its image, with grey on that side: all have one size."""
    made = np.full((*extent, image.shape[2]), OUTSIDE, np.uint8)
    at = []
    for low, high, whole, full, cut in zip(
        box[::2], box[1::2], size, extent, image.shape, strict=False
    ):
        missing = full - cut
        at.append(missing // 2 if low == 0 and high == whole else missing if low == 0 else 0)
    made[at[0] : at[0] + image.shape[0], at[1] : at[1] + image.shape[1]] = image
    return made
