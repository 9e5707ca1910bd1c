"""What a model says over a plane, as bytes: the picture of a playground."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist.engine.assembly import Assembly, predict_rows
from chymist.keys import generator
from chymist.studio.tasks.play_setup import Setup, colours
from chymist.values import Data

GRID = 64  # points of the plane along an axis
SMALL = 2  # every other of which is in the map of a unit
MOST_UNITS = 8  # of a layer that are drawn
MOST_POINTS = 1000  # rows that are drawn
MARGIN = 0.12  # of the span of the rows, about them
FITTED_ON = 2000  # rows that principal components are found of


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane through the inputs.

    Args:
        inputs: prepared inputs on its grid, row by row from the lowest.
        low, high: ends of both axes.
        points: where the drawn rows are, (points, 2).
        rows: their numbers.
        held_out: whether they are validation rows.
    """

    inputs: Tensor
    low: np.ndarray
    high: np.ndarray
    points: np.ndarray
    rows: np.ndarray
    held_out: np.ndarray


def plane_of(setup: Setup, assembly: Assembly) -> Plane:
    """The plane of two columns, others at their medians; or that of the principal components."""
    data = setup.split.data
    rows = np.concatenate([setup.split.train, setup.split.valid])
    if setup.axes:
        places = np.stack([_column(data, name) for name in setup.axes], 1)[rows]
        places = np.where(np.isnan(places), np.nanmedian(places, 0), places)
        low, high, grid = _grid(places)
        raw = _filled(data, setup, grid)
        inputs = torch.from_numpy(assembly.preparation.inputs(raw))
    else:
        parts = [part for part in (assembly.train, assembly.valid) if len(part)]
        taken = [part.take(torch.arange(len(part))).flatten(1) for part in parts]
        matrix = torch.cat(taken).double().numpy()
        middle = matrix[: len(setup.split.train)].mean(0)
        fitted = matrix[: len(setup.split.train)][:FITTED_ON] - middle
        axes = np.linalg.svd(fitted, full_matrices=False)[2][:2]
        axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
        places = (matrix - middle) @ axes.T
        low, high, grid = _grid(places)
        made = (middle + grid @ axes).astype(np.float32)
        inputs = torch.from_numpy(made).reshape(-1, *assembly.shapes.inputs)
    inputs = inputs.to(next((p.dtype for p in assembly.state.model.parameters()), inputs.dtype))
    held_out = np.arange(len(rows)) >= len(setup.split.train)
    shown = generator(0, "points").permutation(len(rows))[:MOST_POINTS]
    return Plane(inputs, low, high, places[shown], rows[shown], held_out[shown])


def _column(data: Data, name: str) -> np.ndarray:
    """A column of numbers."""
    if isinstance(data.inputs, np.ndarray):
        place = [column.name for column in data.columns].index(name)
        return np.asarray(data.inputs[:, place], np.float64)
    return np.asarray(data.inputs[name], np.float64)


def _grid(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends of the axes about some points, and the points of the grid."""
    low, high = places.min(0), places.max(0)
    edge = MARGIN * np.where(high > low, high - low, 1.0)
    low, high = low - edge, high + edge
    x, y = (np.linspace(low[axis], high[axis], GRID) for axis in (0, 1))
    across, up = np.meshgrid(x, y)
    return low, high, np.stack([across.ravel(), up.ravel()], 1)


def _filled(data: Data, setup: Setup, grid: np.ndarray) -> Any:
    """Raw inputs on the grid; of columns that are not drawn the median, or the most frequent."""
    train = setup.split.train
    if isinstance(data.inputs, np.ndarray):
        names = [column.name for column in data.columns]
        made = np.repeat(np.nanmedian(data.inputs[train], 0)[None], len(grid), 0)
        for axis, name in enumerate(setup.axes):
            made[:, names.index(name)] = grid[:, axis]
        return made
    drawn = {name: grid[:, axis] for axis, name in enumerate(setup.axes)}
    return {
        name: drawn[name] if name in drawn else np.repeat(_usual(cells[train])[None], len(grid))
        for name, cells in data.inputs.items()
    }


def _usual(cells: np.ndarray) -> np.ndarray:
    """The median of numbers, the most frequent of texts."""
    if cells.dtype.kind == "f":
        return np.asarray(np.nanmedian(cells))
    present = [cell for cell in cells if cell is not None]
    found = np.empty((), object)
    found[()] = max(sorted(set(present)), key=present.count) if present else None
    return found


def look(assembly: Assembly, plane: Plane, span: tuple[float, float]) -> dict[str, Any]:
    """What the model says now: its output and its hidden units over the plane, and its weights.

    The model is left in the mode that it was in.

    Args:
        assembly: the run.
        plane: where to look.
        span: of the values, for regression.

    Returns:
        "map": for two classes the probability of the second in 1/255, for more that of the first
        in rank ("ranks" then says which it is), for values their place in the span; "units" by
        hidden layer: 128 is 0, 255 the largest size; "weights" by layer.
    """
    model = assembly.state.model
    training, seen = model.training, list[Tensor]()
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    hooks = [layer.register_forward_pre_hook(partial(_note, seen)) for layer in linear]
    try:
        found = predict_rows(model, assembly.form, assembly.preparation, [plane.inputs])
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
    return {
        **_output(found, span),
        "units": [_units(values) for values in seen[1:]],
        "weights": [_weights(layer) for layer in linear],
    }


def map_of(
    model: nn.Module, assembly: Assembly, plane: Plane, span: tuple[float, float]
) -> dict[str, Any]:
    """What another model of the same kind says over the plane; arguments as for `look`."""
    found = predict_rows(model, assembly.form, assembly.preparation, [plane.inputs])
    return _output(found, span)


def span_of(data: Data) -> tuple[float, float]:
    """The smallest and the largest value of the target."""
    found = colours(data)
    return float(np.min(found)), float(np.max(found))


def _note(seen: list[Tensor], _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    seen.append(inputs[0].detach())


def _output(found: np.ndarray, span: tuple[float, float]) -> dict[str, Any]:
    """The output over the plane as bytes."""
    if found.shape[1] == 1:
        low, high = span
        return {"map": packed((found[:, 0] - low) / max(high - low, 1e-12) * 255)}
    if found.shape[1] == 2:
        return {"map": packed(found[:, 1] * 255)}
    return {"map": packed(found.max(1) * 255), "ranks": packed(found.argmax(1))}


def _units(values: Tensor) -> list[str]:
    """Maps of the units of a layer."""
    grid = values[:, :MOST_UNITS].reshape(GRID, GRID, -1)[::SMALL, ::SMALL].double().numpy()
    most = np.abs(grid).max((0, 1))
    scaled = 128 + 127 * grid / np.where(most > 0, most, 1.0)
    return [packed(scaled[..., unit].ravel()) for unit in range(scaled.shape[2])]


def _weights(layer: nn.Linear) -> list[list[float]]:
    """The weights between drawn units, by unit they lead to."""
    shown = layer.weight.detach()[:MOST_UNITS, :MOST_UNITS]
    return [[float(f"{value:.3g}") for value in row] for row in shown.tolist()]


def packed(values: np.ndarray) -> str:
    """Numbers as bytes, in base 64; what is not finite is 0.

    Example:
        >>> packed(np.array([0.0, 255.0]))
        'AP8='
    """
    finite = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
    return base64.b64encode(np.clip(np.rint(finite), 0, 255).astype(np.uint8).tobytes()).decode()


def points_of(setup: Setup, plane: Plane) -> dict[str, Any]:
    """The rows that are drawn: places, classes or values, and which are held out."""
    kinds = colours(setup.split.data)[plane.rows]
    return {
        "x": [float(f"{v:.6g}") for v in plane.points[:, 0]],
        "y": [float(f"{v:.6g}") for v in plane.points[:, 1]],
        "of": [float(f"{v:.6g}") for v in kinds],
        "valid": [int(v) for v in plane.held_out],
        "rows": len(setup.split.train) + len(setup.split.valid),
    }
