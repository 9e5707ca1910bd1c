"""Toy sets: points of the plane that are made from a seed, to see what a model can do.

`cy.load("spirals(rows=300, noise=0.1)")` makes one; its name and options are its whole source, so
that a run on it can be made again from its folder.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import msgspec
import numpy as np

from chymist.data.tabular import Wanted, mapping_data
from chymist.keys import generator
from chymist.parts import MOST, NonNegative, register, registered, spelled, written
from chymist.values import Data

Rows = Annotated[int, msgspec.Meta(ge=4, le=100_000)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Classes = Annotated[int, msgspec.Meta(ge=2, le=8)]
Turns = Annotated[float, msgspec.Meta(gt=0, le=MOST)]
Points = tuple[np.ndarray, np.ndarray]  # (rows, 2), and classes or values (rows,)


@register("toy")
def xor(*, rows: Rows = 200, noise: NonNegative = 0.0, seed: Seed = 0) -> Points:
    """Two classes in opposite quarters of a square: class = [x1 x2 > 0].

    No straight line tells them apart. Points are 0.06 or more from the borders, before noise moves
    them by a normal deviation.

    Example:
        >>> points, kinds = xor(rows=50)
        >>> bool(((points.prod(1) > 0) == kinds).all())
        True

    Source: Minsky, Papert 1969, Perceptrons.
    """
    draws, kinds = generator(seed, "xor"), np.arange(rows) % 2
    sizes = draws.uniform(0.06, 1, (rows, 2))
    first = draws.choice([-1.0, 1.0], rows)
    signs = np.stack([first, np.where(kinds == 1, first, -first)], 1)
    return sizes * signs + draws.normal(0, noise, (rows, 2)), kinds


@register("toy")
def circles(*, rows: Rows = 200, noise: NonNegative = 0.0, seed: Seed = 0) -> Points:
    """A disk of radius 1/2 and a ring about it, of radii 3/4 to 1.

    Noise moves points by a normal deviation.

    Example:
        >>> points, kinds = circles(rows=50)
        >>> bool(np.hypot(*points[kinds == 1].T).max() <= 0.5)
        True

    Source: Smilkov et al. 2017, Direct-manipulation visualization of deep networks.
    """
    draws, kinds = generator(seed, "circles"), np.arange(rows) % 2
    radius = np.where(kinds == 1, draws.uniform(0, 0.5, rows), draws.uniform(0.75, 1, rows))
    return _polar(radius, draws.uniform(0, 2 * np.pi, rows), draws, noise), kinds


@register("toy")
def moons(*, rows: Rows = 200, noise: NonNegative = 0.1, seed: Seed = 0) -> Points:
    """Two half circles that reach into each other: (cos a, sin a) and (1 - cos a, 1/2 - sin a).

    They are moved so that their middle is 0. Noise moves points by a normal deviation.

    Example:
        >>> points, kinds = moons(rows=50)
        >>> points.shape, int(kinds.sum())
        ((50, 2), 25)

    Source: scikit-learn, make_moons.
    """
    draws, kinds = generator(seed, "moons"), np.arange(rows) % 2
    angle = draws.uniform(0, np.pi, rows)
    x = np.where(kinds == 0, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(kinds == 0, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    return np.stack([x, y], 1) + draws.normal(0, noise, (rows, 2)), kinds


@register("toy")
def spirals(
    *, rows: Rows = 200, noise: NonNegative = 0.02, turns: Turns = 1.75, seed: Seed = 0
) -> Points:
    """Two arms about each other: radius t, angle 2 pi turns t, the second arm half a turn on.

    Args:
        turns: of an arm about the middle.

    Example:
        >>> points, kinds = spirals(rows=50, noise=0)
        >>> bool(np.hypot(*points.T).max() <= 1)
        True

    Source: Lang, Witbrock 1988, Learning to tell two spirals apart.
    """
    draws, kinds = generator(seed, "spirals"), np.arange(rows) % 2
    along = np.sqrt(draws.uniform(0.0025, 1, rows))
    return _polar(along, 2 * np.pi * turns * along + np.pi * kinds, draws, noise), kinds


@register("toy")
def gaussians(
    *, rows: Rows = 200, noise: NonNegative = 0.2, classes: Classes = 2, seed: Seed = 0
) -> Points:
    """A normal cloud for each class, their middles evenly about a circle of radius 1/2.

    Args:
        noise: deviation of a cloud.
        classes: how many.

    Example:
        >>> points, kinds = gaussians(rows=50, classes=5)
        >>> np.bincount(kinds).tolist()
        [10, 10, 10, 10, 10]

    Source: Bishop 2006, section 4.2.
    """
    draws, kinds = generator(seed, "gaussians"), np.arange(rows) % classes
    angle = 2 * np.pi * kinds / classes + np.pi / 4
    return _polar(np.full(rows, 0.5), angle, draws, noise), kinds


@register("toy")
def plane(*, rows: Rows = 200, noise: NonNegative = 0.05, seed: Seed = 0) -> Points:
    """Values on a plane: y = (x1 + x2) / 2, with a normal error of the deviation `noise`.

    Example:
        >>> points, values = plane(rows=50, noise=0)
        >>> bool(np.allclose(values, points.sum(1) / 2))
        True

    Source: Gauss 1809.
    """
    draws = generator(seed, "plane")
    x = draws.uniform(-1, 1, (rows, 2))
    return x, x.mean(1) + draws.normal(0, noise, rows)


@register("toy")
def bumps(*, rows: Rows = 200, noise: NonNegative = 0.05, seed: Seed = 0) -> Points:
    """Values on three hills and three hollows in turn: y = sum_k s_k exp(-|x - c_k|^2 / 0.1).

    Their middles c_k are evenly about a circle of radius 0.6, their signs s_k alternate.

    Example:
        >>> points, values = bumps(rows=50, noise=0)
        >>> bool(np.abs(values).max() < 1.1)
        True

    Source: Smilkov et al. 2017, Direct-manipulation visualization of deep networks.
    """
    draws = generator(seed, "bumps")
    x = draws.uniform(-1, 1, (rows, 2))
    angles = np.arange(6) * np.pi / 3
    middles = 0.6 * np.stack([np.cos(angles), np.sin(angles)], 1)
    near = np.exp(-np.square(x[:, None] - middles).sum(2) / 0.1)
    return x, near @ np.array([1.0, -1, 1, -1, 1, -1]) + draws.normal(0, noise, rows)


def is_toy(source: str) -> bool:
    """Whether a text names a toy set, with options in brackets or without.

    Example:
        >>> is_toy("xor"), is_toy("xor(rows=50)"), is_toy("xor.csv")
        (True, True, False)
    """
    name, bracket, rest = source.partition("(")
    return name.strip() in registered("toy") and (not bracket or rest.endswith(")"))


def toy_data(source: str, name: str | None = None) -> Data:
    """Data of a toy set: columns x1 and x2, and classes "A", "B", ... or values.

    Args:
        source: its name, with options in brackets or without.
        name: of the data, if another one is wanted.

    Raises:
        UsageError: an unknown option, or a value out of range.

    Example:
        >>> toy_data("xor(rows=50)")
        Data(xor: 50 rows, table, 2 classes, ...)
    """
    described = spelled("toy", source)
    points, found = registered("toy")[described.name].build(**described.options)
    classification = found.dtype.kind == "i"
    labels: Any = np.array([chr(65 + kind) for kind in found]) if classification else found
    task = "classification" if classification else "regression"
    wanted = Wanted(None, {"x1": "number", "x2": "number"}, task, name or described.name)
    columns = {"x1": points[:, 0], "x2": points[:, 1]}
    made = mapping_data(columns, labels, wanted, "class" if classification else "y")
    named = {} if name is None else {"name": name}
    return replace(made, source={"load": written(described), **named})


def _polar(
    radius: np.ndarray, angle: np.ndarray, draws: np.random.Generator, noise: float
) -> np.ndarray:
    """Points from radii and angles, moved by noise."""
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return points + draws.normal(0, noise, points.shape)
