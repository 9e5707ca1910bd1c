"""Deletion: is the order right in which an explanation puts the parts of an input?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
