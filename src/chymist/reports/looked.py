"""Where a network looked: maps over the rows it finds hardest, and over those it is surest of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chymist.reports.examples import said_of
from chymist.reports.markup import Markup, coded, join, stored, tag
from chymist.reports.pictures import data_uri, enlarged, to_bytes
from chymist.reports.saying import ENGLISH, Say
from chymist.reports.shades import as_shares, overlay
from chymist.values import Run


@dataclass(frozen=True, eq=False)
class Looks:
    """Maps of what a network predicts for some of its rows.

    Args:
        hardest: their places among the predictions of the run.
        surest: places of rows that it is surest of and right about.
        maps: one of each row, those of the hardest first, (rows, height, width).
        layer: name of the layer that they are of.
        places: height and width of what the layer gives.
        checks: sentences on whether the maps say anything.
        sound: whether the checks are passed.
        refused: why there are none; empty if there are.
    """

    hardest: np.ndarray
    surest: np.ndarray
    maps: np.ndarray
    layer: str
    places: tuple[int, int]
    checks: Sequence[str]
    sound: bool = False
    refused: str = ""

    @classmethod
    def none(cls, why: str) -> Looks:
        """No maps, and why."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, np.zeros((0, 1, 1)), "", (0, 0), (), refused=why)


def looked_section(run: Run, looks: Looks, say: Say = ENGLISH) -> Markup:
    """Rows beside their maps, how they were made, and whether they say anything.

    Args:
        run: the run.
        looks: the maps.
        say: the language.
    """
    if looks.refused:
        return tag("p", stored(looks.refused, say))
    split = len(looks.hardest)
    rows = run.predictions.rows[looks.hardest[:1]]
    height, width = np.asarray(run.data.take(rows)).shape[1:3]
    how = say(
        "Grad-CAM of what the model predicts, at layer {layer}, whose maps of {places} are drawn "
        "over the {pixels} pixels. The more vermilion, the more a place speaks for the prediction; "
        "every map has colours of its own, from 0 to its strongest hundredth.",
        layer=f"`{looks.layer}`", places=_size(*looks.places), pixels=_size(height, width),
    )  # fmt: skip
    kind = None if looks.sound else "caution"
    parts = [tag("p", stored(text, say), class_=kind) for text in looks.checks]
    for heading, places, maps in (
        (say("The hardest rows"), looks.hardest, looks.maps[:split]),
        (say("The surest of the right ones"), looks.surest, looks.maps[split:]),
    ):
        if len(places):
            parts += [tag("h3", heading), _cards(run, places, maps, say)]
    return join(*parts, tag("p", coded(how), class_="note"))


def _size(height: int, width: int) -> str:
    return f"{height} × {width}"


def _cards(run: Run, places: np.ndarray, maps: np.ndarray, say: Say) -> Markup:
    """Each row, its map over it, and what was said of it."""
    rows = run.predictions.rows[places]
    images, _ = to_bytes(np.asarray(run.data.take(rows)), say)
    items = []
    for image, place, row, one in zip(images, places, rows, maps, strict=True):
        number = f"{row + 1:,}"
        over = enlarged(overlay(image, as_shares(one))[None])[0]
        pictures = tag(
            "div",
            tag("img", src=Markup(data_uri(image)), alt=say("row {n}", n=number)),
            tag("img", src=Markup(data_uri(over)), alt=say("row {n}, its map", n=number)),
        )
        said = said_of(run, int(place), say)
        text = join(*(join(line, tag("br")) for line in said), say("row {n}", n=number))
        items.append(tag("li", pictures, tag("p", text)))
    return tag("ul", *items, class_="shots looks")
