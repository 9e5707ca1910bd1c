"""`maximize_activation`: an image that a unit responds to most, made by gradient ascent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from chymist.errors import UsageError, nearest
from chymist.explanation.features import (
    Layer,
    Place,
    check_place,
    check_unit,
    layer_named,
    responses,
)
from chymist.explanation.maximization import (
    NOISE,
    SMALL,
    Made,
    PixelScale,
    check_moved,
    maximize,
    starts_from,
    stuck,
    usual_prior,
)
from chymist.gradients import ImagePrior
from chymist.reports.picture_rows import Cell, PictureRow, PictureRows, raw_shaded
from chymist.values import Data, Run, Split, whole_number
from chymist.verbs.chosen_rows import batches_of, drawn_rows, pixel_range
from chymist.verbs.predicting import Predictor, opened
from chymist.verbs.writing import save_picture

Start = Literal["noise", "blank"]


@dataclass(frozen=True, eq=False)
class MaximizedActivation:
    """Images that were made for one unit, beside the training row that excites it most.

    Args:
        layer: name, kind and shape of the layer; its name is "" for the outputs of the model.
        unit: number of the unit, or of the output.
        unit_name: its class, or its number.
        place: how a map is read: its "mean", the unit in the "middle", or the "most".
        images: raw pixels, (seeds, height, width, channels).
        values: what the unit gives, before the first step and after each, (steps + 1, seeds).
        best_row: number of the training row that excites it most.
        best_image: its raw pixels.
        best_value: what the unit gives for it.
        rows: training rows that were looked at.
        prior: what the ascent held to.
        pixels: least and largest raw pixel.
    """

    layer: Layer
    unit: int
    unit_name: str
    place: Place
    images: np.ndarray
    values: np.ndarray
    best_row: int
    best_image: np.ndarray
    best_value: float
    rows: int
    prior: ImagePrior
    pixels: tuple[float, float]

    @property
    def reached(self) -> np.ndarray:
        """What the unit gives for each image, (seeds,)."""
        last: np.ndarray = self.values[-1]
        return last

    @property
    def verdict(self) -> str:
        """How far the images go beyond the rows, in a sentence."""
        most = float(self.reached.max())
        what = {"mean": "the mean of its map", "middle": "the unit in the middle of its map",
                "most": "the largest value of its map"}[self.place]  # fmt: skip
        where = " at some place" if self.place == "middle" else ""
        read = f", read as {what}" if len(self.layer.shape) > 1 else ""
        above = most > self.best_value > 0
        times = f", {most / self.best_value:.1f} times as much" if above else ""
        beyond = "more" if most > self.best_value else "not more"
        return (
            f"{self._name()}{read} gives {most:.4g} for a made image, {beyond} than for any of "
            f"{self.rows:,} training rows (at most {self.best_value:.4g}{where}, row "
            f"{self.best_row + 1:,}){times}."
        )

    @property
    def pictures(self) -> PictureRows:
        """The images, and the training row that excites the unit most."""
        drawn = raw_shaded([*self.images, self.best_image], *self.pixels)
        cells = [Cell(image, f"made, {value:.3g}")
                 for image, value in zip(drawn, self.reached, strict=False)]  # fmt: skip
        cells.append(Cell(drawn[-1], f"row {self.best_row + 1:,}, {self.best_value:.3g}",
                          frame="s3"))  # fmt: skip
        note = (
            f"{self.verdict} Made by {len(self.values) - 1} steps of gradient ascent, with "
            f"{_words(self.prior)}. In a green frame: the training row. Such an image shows what "
            "raises the unit, which need not be what it is for."
        )
        return PictureRows(
            f"What excites {self._name()} most", (PictureRow("", tuple(cells), 140),), note
        )

    def _name(self) -> str:
        if not self.layer.name:
            return f"output '{self.unit_name}'"
        return f"unit {self.unit} of layer '{self.layer.name}'"

    def save(self, path: str | Path) -> Path:
        """Write the sheet as SVG or PNG; returns its path."""
        return save_picture(self.pictures.sheet, path)

    def to_dict(self) -> dict[str, Any]:
        """The numbers as plain values."""
        return {
            "layer": self.layer.name, "unit": self.unit, "name": self.unit_name,
            "place": self.place, "before": self.values[0].tolist(),
            "reached": self.reached.tolist(), "largest": self.best_value,
            "row": self.best_row, "rows": self.rows, "steps": len(self.values) - 1,
            "verdict": self.verdict,
        }  # fmt: skip

    def _repr_html_(self) -> str:
        return self.pictures.html()

    def __repr__(self) -> str:
        return self.verdict


def maximize_activation(
    run: Run | str | Path, unit: int | str, layer: str | None = None, *, place: Place = "middle",
    start: Start = "noise", seeds: int = 4, steps: int = 128, prior: ImagePrior | None = None,
    rows: int = 1000, model: Any = None, data: Data | None = None,
) -> MaximizedActivation:  # fmt: skip
    """An image that a unit responds to most, by gradient ascent on the pixels.

    x <- x + r_t (g / rms(g) - decay (x - x_0) - variation dTV/dx), with g = d a / d x and a rate
    r_t that falls from 0.1 to 0, where x is in quarters of the range of pixels; then blur, and
    pixels outside of that range are cut off. The model sees the image moved by a few pixels at each
    step, but where a unit that sees little of it is raised.

    Args:
        run: a run on images, or its folder.
        unit: a class by its name, or the number of an output; of a layer the number of the unit
            (channel).
        layer: its name; None are the outputs of the model (of classes their logits).
        place: how a map is read: the unit in its "middle", its "mean", or the largest ("most"). The
            middle is compared with the largest value of training rows, wherever it is.
        start: "noise" (one image a seed), or "blank" (the mean of all pixels; an error says
            so where nothing moves the unit there).
        seeds: how many images are made.
        steps: of the ascent.
        prior: a `cy.gradients.ImagePrior` with penalties, blur and jitter, in quarters of the
            range of pixels; None is what suits the size of the images.
        rows: how many training rows the images are compared with.
        model: as in `evaluate`.
        data: as in `evaluate`.

    Returns:
        A `MaximizedActivation`: `images`, `reached`, `save("unit.png")`.

    Raises:
        UsageError: no images, no such unit, layer, place or start.
        InputError: the unit does not change with the image, or the model has no gradient.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="5 epochs"), cy.load("digits"))
        >>> made = cy.maximize_activation(run, "3", steps=50)
        >>> bool((made.reached > made.best_value).all())
        True

    Source: Erhan et al. 2009, Visualizing higher-layer features of a deep network; Simonyan et al.
        2014; Yosinski et al. 2015.
    """
    check_place(place)
    for name, number in (("seeds", seeds), ("steps", steps), ("rows", rows)):
        whole_number(number, name, 1, 100_000)
    if start not in ("noise", "blank"):
        raise UsageError("unknown start", where="start", received=f"'{start}'",
                         do="take noise or blank")  # fmt: skip
    _, split, predictor = opened(run, model, data)
    stage = Stage(split, predictor)
    some = drawn_rows(split.train, rows, predictor.seed)
    one = stage.layer(layer)
    number = _unit_number(unit, one, split.data.classes)
    read: Place = "mean" if len(one.shape) == 1 else place
    made = stage.made(one, [number] * (1 if start == "blank" else seeds), read, start, steps, prior)
    check_moved(made)
    seen: Place = "most" if read == "middle" else read
    given = responses(predictor.module, stage.batches(some), [one.name], seen)[one.name]
    best = int(given.values[:, number].argmax())
    name = split.data.classes[number] if layer is None and split.data.classes else str(number)
    return MaximizedActivation(
        one, number, name, read, stage.raw(made.images), made.values, int(some[best]),
        np.asarray(split.data.take(some[best : best + 1]))[0], float(given.values[best, number]),
        len(some), prior or stage.prior(one, read), stage.pixels,
    )  # fmt: skip


class Stage:
    """A run on images, ready for its units to be looked at.

    Args:
        split: of the run.
        predictor: of the run.

    Raises:
        UsageError: the run is not on images.
    """

    def __init__(self, split: Split, predictor: Predictor) -> None:
        self.split, self.predictor = split, predictor
        self.pixels = pixel_range(split)
        self.shape: tuple[int, ...] = predictor.preparation.input_shape
        some = np.asarray(split.data.take(drawn_rows(split.train, 1000, predictor.seed)))
        shift, scale = predictor.preparation.pixels
        low, high, mean = ((end - shift) / scale for end in (*self.pixels, float(some.mean())))
        self.scale = PixelScale(low, high, mean)
        self.usual = usual_prior(min(self.shape[1:]))

    def layer(self, name: str | None) -> Layer:
        """A layer by its name; None is the model, called ""."""
        some = next(self.batches(self.split.train[:1]))
        if name is not None:
            return layer_named(self.predictor.module, some, name)
        kind = type(self.predictor.module).__name__
        found = responses(self.predictor.module, [some], [""])[""]
        return Layer("", kind, (found.values.shape[1],))

    def batches(self, numbers: np.ndarray) -> Iterator[Any]:
        """Prepared inputs of some rows."""
        return batches_of(self.split.data, self.predictor, numbers)

    def made(
        self, layer: Layer, units: list[int], place: Place, start: str, steps: int,
        prior: ImagePrior | None = None,
    ) -> Made:  # fmt: skip
        """Images for units, each from a seed of its own; from more noise where none moves it."""
        held = prior or self.prior(layer, place)
        module, shape, seeds = self.predictor.module, self.shape, range(len(units))

        def climbed(rows: list[int], noise: float) -> Made:
            starts = starts_from(start, shape, [seeds[row] for row in rows], self.scale, noise)
            some = [units[row] for row in rows]
            return maximize(module, starts, layer.name, some, place, held, self.scale, steps)

        first, *others = NOISE["small" if min(shape[1:]) < SMALL else "large"]
        found = climbed(list(seeds), first)
        for noise in others if start == "noise" else ():
            rows = np.flatnonzero(stuck(found)).tolist()
            if rows:  # all that the unit hears of is silent near the mean image
                again = climbed(rows, noise)
                found.images[rows], found.values[:, rows] = again.images, again.values
        return found

    def prior(self, layer: Layer, place: Place) -> ImagePrior:
        """What suits a unit: one that sees little of the image is not to be moved out of it."""
        if place != "middle" or len(layer.shape) != 3:
            return self.usual
        apart = self.shape[1] // max(1, layer.shape[1])  # pixels from unit to unit
        return replace(self.usual, jitter=min(self.usual.jitter, apart // 4))

    def raw(self, images: np.ndarray) -> np.ndarray:
        """Prepared images in raw pixels, channels last, (n, height, width, channels)."""
        shift, scale = self.predictor.preparation.pixels
        made: np.ndarray = (images * scale + shift).transpose(0, 2, 3, 1)
        return made


def _unit_number(unit: int | str, layer: Layer, classes: tuple[str, ...]) -> int:
    """The number of a unit; of outputs a class may be given.

    Raises:
        UsageError: there is no such unit.
    """
    if layer.name or not classes:
        number = int(unit) if isinstance(unit, str) and unit.isdecimal() else unit
        if isinstance(number, str):
            raise UsageError("a unit is a number", where="unit", received=f"'{number}'"[:60],
                             do=f"give 0 to {layer.units - 1}")  # fmt: skip
        check_unit(whole_number(number, "unit", 0), layer)
        return int(number)
    if isinstance(unit, str):
        if unit not in classes:
            raise UsageError("no such class", where="unit", received=f"'{unit}'"[:60],
                             do=nearest(unit, classes))  # fmt: skip
        unit = classes.index(unit)
    check_unit(whole_number(unit, "unit", 0), replace(layer, name="outputs"))
    return int(unit)


def _words(prior: ImagePrior) -> str:
    """What the ascent held to, in words."""
    parts = [f"{name} {getattr(prior, name):g}"
             for name in ("decay", "variation", "blur", "jitter")
             if getattr(prior, name)]  # fmt: skip
    return ", ".join([*parts, "pixels kept within the range of images"])
