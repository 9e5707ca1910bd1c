"""`feature_maps`: what the layers of a network give on the way from a row to its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chymist.errors import UsageError
from chymist.explanation.features import (
    Layer,
    chosen_layers,
    layer_named,
    layer_outputs,
    layers_in_order,
    responses,
)
from chymist.reports.picture_rows import Cell, PictureRow, PictureRows, raw_shaded, shaded
from chymist.reports.text import table
from chymist.values import Data, Run, whole_number
from chymist.verbs.chosen_rows import (
    ChosenRows,
    batches_of,
    choose_rows,
    drawn_rows,
    pixel_range,
)
from chymist.verbs.predicting import opened
from chymist.verbs.writing import save_picture

Scale = Literal["layer", "map"]
MOST, CHECKED = 16, 128  # rows that are shown; training rows that dead units are looked for with
STRIP = (860.0, 22.0)  # pixels of a layer without maps


@dataclass(frozen=True, eq=False)
class LayerMaps:
    """What a layer gives for some rows.

    Args:
        layer: its name, kind and shape.
        values: (rows, ...).
        dead: units that give the same at all places of all rows that were looked at, (units,).
        shown: numbers of the units that are drawn, ascending.
    """

    layer: Layer
    values: np.ndarray
    dead: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """Outputs of layers for some rows.

    Args:
        chosen: the rows.
        layers: in the order in which the model calls them.
        checked: training rows that dead units were looked for with, beside those that are shown.
        scale: "layer": one brightness for all maps of a layer and row; "map": each its own.
        pixels: least and largest raw pixel; None where rows are no images.
    """

    chosen: ChosenRows
    layers: tuple[LayerMaps, ...]
    checked: int
    scale: Scale
    pixels: tuple[float, float] | None

    @property
    def pictures(self) -> PictureRows:
        """For every row the input, and then the maps of each layer."""
        own = "each map" if self.scale == "map" else "all maps of a layer"
        note = (
            f"Black is the least and white the largest value of {own}, for the row that is shown; "
            "the range stands beside the name of the layer. Where a layer has more units than are "
            "drawn, those are drawn whose values vary most on these rows. Crossed out are units "
            f"that gave one and the same value on these and {self.checked:,} training rows."
        )
        return PictureRows("What the layers give, from the input on", tuple(self._lines()), note)

    def _lines(self) -> Iterator[PictureRow]:
        captions = self.chosen.captions()
        for row, caption in enumerate(captions):
            if self.pixels is not None:
                (image,) = raw_shaded([self.chosen.raw[row]], *self.pixels)
                yield PictureRow(
                    f"input: row {self.chosen.names[row]}", (Cell(image, caption),), 96
                )
            else:
                yield PictureRow("input: " + ", ".join(caption.split("\n")), ())
            for found in self.layers:
                yield _line(found, row, self.scale)

    def save(self, path: str | Path) -> Path:
        """Write the sheet as SVG or PNG; returns its path."""
        return save_picture(self.pictures.sheet, path)

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells: a line for each layer."""
        cells: list[list[object]] = []
        for found in self.layers:
            values = found.values
            cells.append([
                found.layer.name, found.layer.kind, " x ".join(map(str, found.layer.shape)),
                f"{values.min():.3g} to {values.max():.3g}", f"{(values == 0).mean():.0%}",
                f"{int(found.dead.sum()):,} of {len(found.dead):,}",
            ])  # fmt: skip
        return ["layer", "kind", "output", "range", "zeros", "dead units"], cells

    def to_dict(self) -> dict[str, Any]:
        """What there is to say of each layer, as plain values."""
        layers = [
            {"name": f.layer.name, "kind": f.layer.kind, "shape": list(f.layer.shape),
             "low": float(f.values.min()), "high": float(f.values.max()),
             "zeros": float((f.values == 0).mean()), "dead": np.flatnonzero(f.dead).tolist()}
            for f in self.layers
        ]  # fmt: skip
        return {"rows": list(self.chosen.names), "said": list(self.chosen.said),
                "scale": self.scale, "checked": self.checked, "layers": layers}  # fmt: skip

    def _repr_html_(self) -> str:
        return self.pictures.html()

    def __repr__(self) -> str:
        heads, cells = self.table()
        return table(cells, heads, 100)


def feature_maps(
    run: Run | str | Path, rows: Any = None, layer: str | None = None, *, scale: Scale = "layer",
    units: int = 16, model: Any = None, data: Data | None = None,
) -> FeatureMaps:  # fmt: skip
    """What the layers of a network give for some rows: the hidden outputs of a forward pass.

    Values are copied as each layer gives them, so that layers which work in place change nothing of
    those before them.

    Args:
        run: a run, or its folder.
        rows: numbers of rows in the data from 0; or new rows, as `predict` takes them; None is the
            validation row that is answered worst.
        layer: name of one layer, or of a group of layers; None are all layers, and of more than 12
            the last of each size of map.
        scale: "layer" draws all maps of a layer on one scale, so that they can be compared; "map"
            each on its own, so that weak ones can be seen.
        units: how many units of a layer are drawn.
        model: as in `evaluate`.
        data: as in `evaluate`.

    Returns:
        A `FeatureMaps`: `layers[0].values`, `save("maps.png")`.

    Raises:
        UsageError: no such layer, row or scale.
        InputError: rows do not fit.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="cnn", length="1 epochs"), cy.load("digits"))
        >>> cy.feature_maps(run, [0], "0").layers[0].values.shape
        (1, 32, 8, 8)

    Source: Zeiler, Fergus 2014, Visualizing and understanding convolutional networks.
    """
    if scale not in ("layer", "map"):
        raise UsageError("unknown scale", where="scale", received=f"'{scale}'",
                         do="take layer or map")  # fmt: skip
    whole_number(units, "units", 1, 1024)
    _, split, predictor = opened(run, model, data)
    chosen = choose_rows(split, predictor, rows, 1)
    if len(chosen.names) > MOST:
        raise UsageError("too many rows for one sheet", where="rows", do=f"give at most {MOST}",
                         received=f"{len(chosen.names):,}")  # fmt: skip
    module, inputs = predictor.module, chosen.inputs
    picked = (
        chosen_layers(layers_in_order(module, inputs[:1])) if layer is None
        else (layer_named(module, inputs[:1], layer),)
    )  # fmt: skip
    names = [one.name for one in picked]
    values = layer_outputs(module, [inputs], names)
    some = drawn_rows(split.train, CHECKED, predictor.seed)

    def looked_at() -> Iterator[Any]:
        yield inputs
        yield from batches_of(split.data, predictor, some)

    dead = {name: r.dead for name, r in responses(module, looked_at(), names).items()}
    made = tuple(_maps(one, values[one.name], dead[one.name], units) for one in picked)
    pixels = pixel_range(split) if split.data.kind == "image" else None
    return FeatureMaps(chosen, made, len(some), scale, pixels)


def _maps(layer: Layer, values: np.ndarray, dead: np.ndarray, units: int) -> LayerMaps:
    """The outputs of a layer, and which of its units are drawn."""
    flat = values.swapaxes(1, 2) if values.ndim == 3 else values
    flat = flat.reshape(len(flat), flat.shape[1], -1)
    spread = np.ptp(flat, axis=(0, 2))
    shown = np.sort(np.argsort(-spread, kind="stable")[:units])
    return LayerMaps(layer, values, dead, shown)


def _line(found: LayerMaps, row: int, scale: Scale) -> PictureRow:
    """One layer for one row."""
    values, layer = found.values[row], found.layer
    low, high = float(values.min()), float(values.max())
    dead = f", {int(found.dead.sum())} dead" if found.dead.any() else ""
    heading = (
        f"{layer.name} · {layer.kind} · {' x '.join(map(str, layer.shape))} · "
        f"{low:.3g} to {high:.3g}{dead}"
    )
    if values.ndim < 3:  # units, or steps x features
        grid = values[None] if values.ndim == 1 else values.T
        size = STRIP if values.ndim == 1 else (STRIP[0], min(220.0, max(22.0, 4.0 * len(grid))))
        return PictureRow(
            heading, (Cell(shaded(grid, low, high), _strip(values), size=size, frame="axis"),)
        )
    cells = []
    for unit in found.shown.tolist():
        ends = (low, high) if scale == "layer" else (float(values[unit].min()),
                                                     float(values[unit].max()))  # fmt: skip
        caption = str(unit) if scale == "layer" else f"{unit}: {ends[0]:.2g}, {ends[1]:.2g}"
        cells.append(Cell(shaded(values[unit], *ends), caption, bool(found.dead[unit])))
    left = layer.units - len(cells)
    return PictureRow(heading + (f" · {left} more units" if left else ""), tuple(cells), 50)


def _strip(values: np.ndarray) -> str:
    """What a strip shows."""
    if values.ndim == 1:
        return f"units 0 to {len(values) - 1}, left to right"
    return f"steps from left to right, {values.shape[1]} features from top to bottom"
