"""Deletion: is the order right in which an explanation puts the words or edges of one row?

`faithfulness` asks the same of maps, and measures otherwise: over many rows of as many places, as
areas over the share that is gone, with an interval over rows, and puts back too. Rows of words and
of edges differ in their number of parts, so each is compared with random orders of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from chymist.keys import generator


class Deletion(NamedTuple):
    """What an output is while words or edges go, the most important first, beside random orders.

    Args:
        ordered: output without the first k words of the order, k = 0, 1, ..., (parts + 1,).
        random: the same for random orders, (orders, parts + 1).
    """

    ordered: np.ndarray
    random: np.ndarray

    @property
    def gain(self) -> float:
        """By how much the output is lower, on the way, than in random orders."""
        return float(self.random.mean() - self.ordered.mean())

    @property
    def beaten(self) -> float:
        """Share of random orders that lower the output less, ties counting half."""
        means = self.random.mean(1)
        ties = np.isclose(means, self.ordered.mean(), rtol=1e-9, atol=1e-12)
        return float(((means > self.ordered.mean()) & ~ties).mean() + ties.mean() / 2)


def orders_of(values: np.ndarray, parts: np.ndarray, orders: int, seed: int) -> list[np.ndarray]:
    """Orders in which parts are taken away: that of the values first, then random ones.

    Args:
        values: of each part; the largest goes first.
        parts: their numbers.
        orders: random ones.
        seed: of these.

    Example:
        >>> orders_of(np.array([0.1, 0.3]), np.array([4, 7]), 0, 0)
        [array([7, 4])]
    """
    draw = generator(seed, "deletion")
    best = parts[np.argsort(-values, kind="stable")]
    return [best, *(draw.permutation(parts) for _ in range(orders))]
