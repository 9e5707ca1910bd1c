"""`nearest_examples`: the training rows that are most alike to a network, and to the eye."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chymist.data.texts import FILL
from chymist.errors import InputError, UsageError
from chymist.evidence.intervals import Estimate, bca
from chymist.explanation.features import layer_named, layer_outputs, layers_in_order
from chymist.explanation.neighbors import (
    METRICS,
    Metric,
    Nearest,
    agreement,
    last_weighted,
    nearest_rows,
)
from chymist.reports.markup import table as html_table
from chymist.reports.picture_rows import Cell, PictureRow, PictureRows, raw_shaded
from chymist.reports.text import table
from chymist.values import Data, Run, Split, show, whole_number
from chymist.verbs.chosen_rows import ChosenRows, batches_of, choose_rows, drawn_rows, pixel_range
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.writing import save_picture

TRAINING, ASKED = 10_000, 1000  # training rows that are searched; validation rows that are asked
QUERY_VALUES = 2**24  # of the validation rows in one space
WORDS = 60  # characters of a raw row


@dataclass(frozen=True, eq=False)
class Share:
    """Share of the nearest rows with the label that the run predicts.

    Args:
        value, low, high: with its 95 % interval, over the rows that were asked.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        value, low, high = (show("accuracy", v) for v in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"


@dataclass(frozen=True, eq=False)
class NearestExamples:
    """Nearest training rows of some rows: in the features of a layer, and in the inputs.

    Args:
        chosen: the rows.
        layer: whose outputs are compared; for the usual layer, what it reads.
        reads: whether the features are what the layer reads, in place of what it gives.
        hidden: whether there is a layer with weights before those features.
        metric: "cosine" or "euclidean".
        rows: numbers of the nearest training rows by space ("features", "inputs"), (n, k) each.
        distances: the same shape.
        labels: of those rows, in words.
        raw: raw inputs of those rows, by number.
        agreement: by space, on validation rows; empty for values, or without validation rows.
        difference: features less inputs, with its interval; None where there is none.
        searched, asked: numbers of training rows and of validation rows.
        pixels: least and largest raw pixel; None where rows are no images.
    """

    chosen: ChosenRows
    layer: str
    reads: bool
    hidden: bool
    metric: Metric
    rows: Mapping[str, np.ndarray]
    distances: Mapping[str, np.ndarray]
    labels: Mapping[int, str]
    raw: Mapping[int, Any]
    agreement: Mapping[str, Share]
    difference: Estimate | None
    searched: int
    asked: int
    pixels: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """What the neighbours say of the answers, in a sentence."""
        where = f"what layer '{self.layer}' {'reads' if self.reads else 'gives'}"
        where += "" if self.hidden else " (the inputs: no layer with weights is before it)"
        if not self.agreement:
            return f"The nearest of {self.searched:,} training rows, in {where}."
        k = next(iter(self.rows.values())).shape[1]
        said = (
            f"Of the {k} nearest of {self.searched:,} training rows, in {where}, "
            f"{self.agreement['features']} have the class that is predicted "
            f"({self.asked:,} validation rows)"
        )
        if self.difference is None:
            return said + "."
        low, high = self.difference.low, self.difference.high
        compared = (
            "cannot tell from" if low <= 0 <= high else "more than" if low > 0 else "less than"
        )
        return f"{said}; {compared} {self.agreement['inputs']} in the inputs."

    @property
    def pictures(self) -> PictureRows:
        """For every row of images the neighbours by features, and below those by pixels.

        Raises:
            UsageError: the rows are no images.
        """
        if self.pixels is None:
            raise UsageError("only of images there is a picture", where="nearest_examples",
                             do="print it")  # fmt: skip
        lines = []
        for row, caption in enumerate(self.chosen.captions()):
            for space, numbers in self.rows.items():
                images = [self.chosen.raw[row], *(self.raw[n] for n in numbers[row].tolist())]
                drawn = raw_shaded(images, *self.pixels)
                cells = [Cell(drawn[0], caption, frame="s2")]
                far = self.distances[space][row]
                for image, number, d in zip(drawn[1:], numbers[row].tolist(), far, strict=True):
                    text = f"row {number + 1}\n{self.labels[number]}\n{d:.3g}"
                    cells.append(Cell(image, text))
                lines.append(PictureRow(f"nearest in {_named(space)}", tuple(cells), 84))
        note = (f"{self.verdict} Below each training row: its class, and the {self.metric} "
                "distance. In a frame: the row that was asked.")  # fmt: skip
        return PictureRows("The nearest training rows", tuple(lines), note)

    def save(self, path: str | Path) -> Path:
        """Write the sheet as SVG or PNG; returns its path."""
        return save_picture(self.pictures.sheet, path)

    def table(self) -> tuple[list[str], list[list[object]]]:
        """Heads and cells: a line for each neighbour."""
        cells: list[list[object]] = []
        for row, name in enumerate(self.chosen.names):
            for space, numbers in self.rows.items():
                for at, number in enumerate(numbers[row].tolist()):
                    cells.append([
                        name, self.chosen.said[row], _named(space), f"{number + 1:,}",
                        self.labels[number], f"{self.distances[space][row, at]:.4g}",
                        _words(self.raw[number], self.pixels),
                    ])  # fmt: skip
        return ["row", "said", "nearest in", "training row", "its target", "distance", "its values"
                ], cells  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Rows, distances and agreement as plain values."""
        rows = [
            {"row": name, "said": self.chosen.said[row], **{
                space: [{"row": n, "target": self.labels[n], "distance": float(d)}
                        for n, d in zip(numbers[row].tolist(), self.distances[space][row],
                                        strict=True)]
                for space, numbers in self.rows.items()}}
            for row, name in enumerate(self.chosen.names)
        ]  # fmt: skip
        shares = {name: {"value": s.value, "low": s.low, "high": s.high}
                  for name, s in self.agreement.items()}  # fmt: skip
        gap = self.difference
        return {
            "layer": self.layer, "reads": self.reads, "hidden": self.hidden,
            "metric": self.metric, "rows": rows,
            "agreement": shares, "searched": self.searched, "asked": self.asked,
            "difference": gap and {"value": gap.value, "low": gap.low, "high": gap.high},
            "verdict": self.verdict,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        if self.pixels is not None:
            return self.pictures.html()
        heads, cells = self.table()
        return str(html_table(heads, cells, limit=50))

    def __repr__(self) -> str:
        heads, cells = self.table()
        return f"{self.verdict}\n{table(cells, heads, 100)}"


def nearest_examples(
    run: Run | str | Path, rows: Any = None, layer: str | None = None, k: int = 5, *,
    metric: Metric = "cosine", model: Any = None, data: Data | None = None,
) -> NearestExamples:  # fmt: skip
    """The training rows that are nearest to some rows in the features of a network.

    Beside them stand those that are nearest in the inputs as they are prepared (of texts: in the
    counts of their tokens), which need no network. On validation rows it is counted how many of the
    neighbours have the class that the run predicts.

    Args:
        run: a run, or its folder; not of a graph, nor of steps.
        rows: numbers of rows in the data from 0; or new rows, as `predict` takes them; None are the
            three validation rows that are answered worst.
        layer: whose outputs are compared; None is what the last layer with weights reads.
        k: how many neighbours.
        metric: "cosine" (1 - cosine of the angle) or "euclidean".
        model: as in `evaluate`.
        data: as in `evaluate`.

    Returns:
        A `NearestExamples`: print it, or `save("nearest.png")` of images. At most 10,000 training
        rows, drawn by the seed of the run, are searched, and 1,000 validation rows asked.

    Raises:
        UsageError: no such layer or metric, too few training rows, or a run of a graph or of steps.
        InputError: the model has no layer with weights.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="mlp", length="5 epochs"), cy.load("iris"))
        >>> found = cy.nearest_examples(run, run.split.train[:1], k=3)
        >>> found.rows["features"].shape, [found.labels[n] for n in found.rows["features"][0]]
        ((1, 3), ['setosa', 'setosa', 'setosa'])

    Source: Papernot, McDaniel 2018, Deep k-nearest neighbors; Caruana et al. 1999, Case-based
        explanation of non-case-based learning methods.
    """
    whole_number(k, "k", 1, 1000)
    if metric not in METRICS:
        raise UsageError("unknown metric", where="metric", received=f"'{metric}'",
                         do=f"take {' or '.join(METRICS)}")  # fmt: skip
    _, split, predictor = opened(run, model, data)
    if split.data.kind == "graph" or split.data.task in ("tagging", "language"):
        raise UsageError("rows of this kind have no features of their own", where="run",
                         received=f"{split.data.task} of data of kind '{split.data.kind}'",
                         do="give a run of tables, arrays, images, texts or sequences"
                         )  # fmt: skip
    chosen = choose_rows(split, predictor, rows, 3)
    spaces = _Spaces(split, predictor, chosen.inputs[:1], layer)
    some = drawn_rows(split.train, TRAINING, predictor.seed)
    own = chosen.numbers if chosen.numbers is not None else np.full(len(chosen.names), -1)
    more = int(np.isin(own, some).any())  # a training row is not its own neighbour
    found = {
        space: _others(
            nearest_rows(make([chosen.inputs]), spaces.blocks(make, some), k + more, metric),
            some, own, k,
        )
        for space, make in spaces.makers.items()
    }  # fmt: skip
    rows_of = {space: some[near.places] for space, near in found.items()}
    used = np.unique(np.concatenate([near.ravel() for near in rows_of.values()]))
    shares, gap, asked = _agreement(spaces, some, k, metric)
    return NearestExamples(
        chosen, spaces.layer, spaces.reads, spaces.hidden, metric, rows_of,
        {space: near.distances for space, near in found.items()},
        _labels(split.data, used), _raw(split.data, used), shares, gap, len(some), asked,
        pixel_range(split) if split.data.kind == "image" else None,
    )  # fmt: skip


class _Spaces:
    """Features of a layer, and inputs, of rows of a run."""

    def __init__(self, split: Split, predictor: Predictor, some: Tensor, layer: str | None) -> None:
        self.split, self.predictor = split, predictor
        module = predictor.module
        self.reads, self.hidden = layer is None, True
        if layer is None:
            self.layer, self.hidden = last_weighted(layers_in_order(module, some), module)
        else:
            self.layer = layer_named(module, some, layer).name
        self.makers: dict[str, Callable[[Any], np.ndarray]] = {
            "features": self._features, "inputs": self._inputs,
        }  # fmt: skip

    def blocks(
        self, make: Callable[[Any], np.ndarray], numbers: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Rows in a space, batch by batch."""
        for batch in batches_of(self.split.data, self.predictor, numbers):
            yield make([batch])

    def _features(self, batches: Any) -> np.ndarray:
        made = layer_outputs(self.predictor.module, batches, [self.layer], self.reads)[self.layer]
        rows = sum(len(batch) for batch in batches)
        if len(made) != rows:
            raise InputError("the layer gives no features for each row", where="layer",
                             received=f"'{self.layer}': {len(made)} of {rows} rows",
                             do="take another layer")  # fmt: skip
        return made.reshape(rows, -1)

    def _inputs(self, batches: Any) -> np.ndarray:
        inputs = torch.cat(list(batches))
        if inputs.is_floating_point():
            return inputs.flatten(1).cpu().numpy()
        counts = np.zeros((len(inputs), len(self.predictor.preparation.vocabulary) or 1))
        for row, tokens in enumerate(inputs.numpy()):
            np.add.at(counts[row], tokens[tokens != FILL].ravel(), 1)
        return counts


def _others(near: Nearest, some: np.ndarray, own: np.ndarray, k: int) -> Nearest:
    """The k nearest rows but for the row itself."""
    same = some[near.places] == own[:, None]
    kept = np.argsort(same, axis=1, kind="stable")[:, :k]
    kept.sort(axis=1)
    return Nearest(*(np.take_along_axis(a, kept, 1) for a in (near.places, near.distances)))


def _agreement(
    spaces: _Spaces, some: np.ndarray, k: int, metric: Metric
) -> tuple[dict[str, Share], Estimate | None, int]:
    """Shares of neighbours with the class that is predicted, on validation rows."""
    split, predictor = spaces.split, spaces.predictor
    data = split.data
    if not data.classes or not len(split.valid):
        return {}, None, 0
    width = spaces.blocks(spaces.makers["inputs"], split.valid[:1])
    most = min(ASKED, max(1, QUERY_VALUES // next(width).shape[1]))
    asked = drawn_rows(split.valid, most, predictor.seed)
    predicted = predictor.outputs(batches_of(data, predictor, asked)).argmax(1)
    shares: dict[str, Share] = {}
    each: dict[str, np.ndarray] = {}
    for space, make in spaces.makers.items():
        queries = np.concatenate(list(spaces.blocks(make, asked)))
        near: Nearest = nearest_rows(queries, spaces.blocks(make, some), k, metric)
        labels = data.targets[some[near.places]]
        shares[space] = Share(*agreement(labels, predicted))
        each[space] = (labels == predicted[:, None]).mean(1)
    gap = bca(each["features"] - each["inputs"], seed=predictor.seed)
    return shares, gap, len(asked)


def _labels(data: Data, numbers: np.ndarray) -> dict[int, str]:
    """Targets in words, by number of the row."""
    if data.classes:
        return {n: data.classes[int(data.targets[n])] for n in numbers.tolist()}
    return {n: ", ".join(f"{v:.4g}" for v in np.ravel(data.targets[n])[:4])
            for n in numbers.tolist()}  # fmt: skip


def _raw(data: Data, numbers: np.ndarray) -> dict[int, Any]:
    """Raw inputs by number of the row; cells of tables in their order."""
    taken = data.take(numbers)
    if isinstance(taken, Mapping):
        return {n: [column[at] for column in taken.values()]
                for at, n in enumerate(numbers.tolist())}  # fmt: skip
    return {n: taken[at] for at, n in enumerate(numbers.tolist())}


def _named(space: str) -> str:
    return "features" if space == "features" else "inputs (no network)"


def _words(raw: Any, pixels: object) -> str:
    """A raw row in a few words."""
    if pixels is not None:
        return ""
    text = raw if isinstance(raw, str) else ", ".join(
        f"{v:.4g}" if isinstance(v, float | np.floating) else str(v) for v in np.ravel(
            np.asarray(raw, dtype=object))[:12])  # fmt: skip
    return text if len(text) <= WORDS else text[: WORDS - 1] + "…"
