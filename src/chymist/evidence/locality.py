"""Local correlation: are neighbouring columns or pixels more alike than any two of them?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chymist.keys import generator

Array = np.ndarray


class Locality(NamedTuple):
    """How alike neighbours are.

    Args:
        neighbours: mean absolute correlation of neighbouring columns, in [0, 1].
        others: the same of columns in a random order, the mean over the orders.
        p: share of the random orders (and the one that is there) that reach `neighbours`.
        pairs: pairs of neighbours that vary at all.
    """

    neighbours: float
    others: float
    p: float
    pairs: int

    @property
    def local(self) -> bool:
        """Whether neighbours are more alike than others, beyond chance and by a tenth at least."""
        return self.p <= 0.05 and self.neighbours > 1.1 * self.others


def locality(values: Array, grid: tuple[int, int] | None = None, orders: int = 199) -> Locality:
    """Compare neighbours with columns that stand side by side in random orders.

    The mean of |corr(x_i, x_j)| over neighbours i, j is compared with that of the same places after
    a random permutation of the columns, `orders` times. Columns that do not vary are left out.

    Args:
        values: (rows, columns); of pictures one column a pixel, row by row.
        grid: height and width of pictures, whose neighbours stand side by side or one above the
            other; None for columns in a line.
        orders: number of random permutations.

    Returns:
        A `Locality`; NaN for fewer than three columns that vary.

    Example:
        >>> walk = np.random.default_rng(0).normal(size=(200, 12)).cumsum(1)
        >>> found = locality(walk)
        >>> found.local, found.neighbours > 0.8
        (True, True)

    Source: the course's test by permuting features; Fisher 1935 (permutation test).
    """
    columns = values.shape[1]
    spread = values.std(0)
    vary = spread > 1e-12 * max(float(np.abs(values).max(initial=0)), 1e-300)
    units = np.zeros((len(values), columns))
    units[:, vary] = (values[:, vary] - values[:, vary].mean(0)) / spread[vary]
    alike = np.abs(units.T @ units) / max(len(values), 1)
    pairs = _neighbours(columns, grid)
    pairs = pairs[vary[pairs].all(1)]
    if vary.sum() < 3 or not len(pairs):
        return Locality(float("nan"), float("nan"), 1.0, len(pairs))
    found = float(alike[pairs[:, 0], pairs[:, 1]].mean())
    draw, places = generator(0, "locality"), np.flatnonzero(vary)
    elsewhere = np.arange(columns)
    means = np.empty(orders)
    for number in range(orders):
        elsewhere[places] = draw.permutation(places)
        means[number] = alike[elsewhere[pairs[:, 0]], elsewhere[pairs[:, 1]]].mean()
    p = (1 + int((means >= found).sum())) / (1 + orders)
    return Locality(found, float(means.mean()), p, len(pairs))


def _neighbours(columns: int, grid: tuple[int, int] | None) -> Array:
    """Pairs of neighbouring columns, (pairs, 2)."""
    number = np.arange(columns).reshape(grid or (1, columns))
    beside = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], 1)
    below = np.stack([number[:-1].ravel(), number[1:].ravel()], 1)
    return np.concatenate([beside, below])
