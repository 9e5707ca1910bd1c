"""Inside a network: its layers, their maps for a row, the arithmetic of a unit, what excites it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from chymist.engine.rows import as_inputs
from chymist.errors import UsageError
from chymist.explanation.features import layer_named, layer_outputs, layers_in_order
from chymist.explanation.unit_sums import convolutions, unit_sum
from chymist.reports.picture_rows import raw_shaded, shaded
from chymist.reports.pictures import data_uri, enlarged, signed_bytes
from chymist.studio.tasks.explaining import while_working
from chymist.studio.tasks.opened import Opened, opened
from chymist.values import whole_number
from chymist.verbs import maximize_activation, show_weights
from chymist.verbs.chosen_rows import keep_sealed

MAPS, SIDE, CHANNELS, LIST = 64, 96, 8, 200


def network(folder: str, row: int) -> Iterator[dict[str, Any]]:
    """The layers that a row goes through, in order.

    Args:
        folder: of the run.
        row: its number in the data from 0, no test row.

    Yields:
        layers: name, kind, shape, whether it is a convolution whose units can be opened.
    """
    run = opened(folder)
    slides = convolutions(run.run.model)
    yield {
        "layers": [
            {"name": one.name, "kind": one.kind, "shape": list(one.shape), "units": one.units,
             "opens": one.name in slides}
            for one in layers_in_order(run.run.model, _inputs(run, row))[:LIST]
        ]
    }  # fmt: skip


def layer_maps(folder: str, row: int, layer: str, offset: int = 0) -> Iterator[dict[str, Any]]:
    """What a layer gives for a row, one picture a unit, all on one scale.

    Args:
        folder: of the run.
        row: its number in the data from 0, no test row.
        layer: its name.
        offset: units that are passed over.

    Raises:
        UsageError: no such layer; a test row.
    """
    run = opened(folder)
    inputs = _inputs(run, row)
    found = layer_named(run.run.model, inputs, layer)
    values = layer_outputs(run.run.model, [inputs], [layer])[layer][0]
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    made: dict[str, Any] = {"layer": layer, "kind": found.kind, "shape": list(found.shape),
                            "low": f"{low:.4g}", "high": f"{high:.4g}", "units": found.units,
                            "opens": layer in convolutions(run.run.model)}  # fmt: skip
    if values.ndim == 3:
        some = range(offset, min(len(values), offset + MAPS))
        made["maps"] = [_map(unit, values[unit], low, high) for unit in some]
    else:
        lines = values[None] if values.ndim == 1 else values.T
        made["strip"] = data_uri(enlarged(shaded(lines, low, high)[None], 400)[0], 800)
        if values.ndim == 1:
            made["values"] = [f"{value:.4g}" for value in values[:LIST].tolist()]
    yield made


def _map(unit: int, values: np.ndarray, low: float, high: float) -> dict[str, Any]:
    """One map, as a picture and its ends."""
    picture = enlarged(shaded(values, low, high)[None])[0]
    return {"unit": unit, "src": data_uri(picture, SIDE), "height": values.shape[0],
            "width": values.shape[1],
            "range": [f"{values.min():.3g}", f"{values.max():.3g}"]}  # fmt: skip


def unit_arithmetic(
    folder: str, row: int, layer: str, unit: int, line: int, column: int
) -> Iterator[dict[str, Any]]:
    """Patch times kernel plus bias of one unit at one place: see `unit_sum`.

    Args:
        folder: of the run.
        row: its number in the data from 0, no test row.
        layer: name of a convolution.
        unit: number of its output channel.
        line, column: place in its map, from 0; of one axis the line is 0.
    """
    run = opened(folder)
    known = convolutions(run.run.model)
    flat = isinstance(known.get(layer), torch.nn.Conv1d)
    found = unit_sum(run.run.model, _inputs(run, row), layer, unit,
                     (column,) if flat else (line, column))  # fmt: skip
    parts = found.parts
    strongest = np.sort(np.argsort(-np.abs(parts), kind="stable")[:CHANNELS])
    rest = float(np.delete(parts, strongest).sum())
    yield {
        "layer": layer, "unit": unit, "place": [line, column], "corner": list(found.corner),
        "step": list(found.step), "channels": len(parts), "bias": found.bias,
        "total": found.total, "value": found.value, "rest": rest,
        "tables": [
            {"channel": int(found.channels[i]), "patch": found.patch[i].tolist(),
             "kernel": found.kernel[i].tolist(), "sum": float(parts[i])}
            for i in strongest.tolist()
        ],
    }  # fmt: skip


def filters(folder: str, layer: str | None = None) -> Iterator[dict[str, Any]]:
    """Kernels of a layer as pictures: grey is 0, black and white are their largest weights."""
    found = show_weights(opened(folder).run, layer=layer)
    units, height, width, channels = found.weights.shape
    shown = found.weights[:MAPS]
    pictures = signed_bytes(shown)
    yield {
        "layer": found.layer, "units": units, "shape": [height, width, channels],
        "mean": channels not in (1, 3),
        "pictures": [data_uri(enlarged(one[None], SIDE)[0], SIDE) for one in pictures],
    }  # fmt: skip


def maximize(
    folder: str, unit: str, layer: str | None = None, steps: int = 64
) -> Iterator[dict[str, Any]]:
    """Images that a unit responds to most, and the training row that excites it most.

    Args:
        folder: of the run.
        unit: name of a class, or number of an output or of a unit of the layer.
        layer: its name; None are the outputs.
        steps: of the ascent.

    Yields:
        {"seconds": so far}, every second; then {"answer": ...}.
    """
    run = opened(folder)
    wanted: int | str = int(unit) if unit.isdecimal() and unit not in run.classes else unit
    whole_number(steps, "steps", 1, 512)

    def work() -> dict[str, Any]:
        found = maximize_activation(run.run, wanted, layer, seeds=2, steps=steps)
        images = raw_shaded([*found.images, found.best_image], *found.pixels)
        made = [data_uri(enlarged(one[None], SIDE)[0], 2 * SIDE) for one in images]
        return {
            "unit": found.unit_name, "layer": found.layer.name, "images": made[:-1],
            "values": [f"{value:.4g}" for value in found.reached.tolist()],
            "best": {"src": made[-1], "row": found.best_row + 1, "rows": found.rows,
                     "value": f"{found.best_value:.4g}"},
        }  # fmt: skip

    yield from while_working(work)


def _inputs(run: Opened, row: int) -> torch.Tensor:
    """One row, prepared, (1, ...).

    Raises:
        UsageError: there is none of that number, or it is a test row, or one of a graph.
    """
    data, whole = run.split.data, run.run
    whole_number(row, "row", 0, len(data) - 1)
    keep_sealed(run.split, np.array([row]), "row")
    if data.kind == "graph":
        raise UsageError("a node goes through the network with all others", where="row",
                         do="explain shows its edges")  # fmt: skip
    exact = np.float64 if whole.recipe.precision == "float64" else np.float32
    dtype = torch.float64 if whole.recipe.precision == "float64" else torch.float32
    return as_inputs(whole.preparation.inputs(data.take(np.array([row])), exact), dtype)
