"""Columns at their own place and of their own length, in which a solver counts.

A change of unit or origin of a column changes nothing in an affine map that is best; in floating
point it does, so that solvers work with columns of mean 0 and length 1 and go back at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

ROUNDING = 16 * np.finfo(np.float64).eps  # of its size, what of a column's spread is none


@dataclass(frozen=True, eq=False)
class Columns:
    """Rows that count, in columns of mean 0, divided by their lengths.

    Args:
        rows: (rows, features), each column divided by its length; constant ones are 0.
        means: (features,), weighted.
        lengths: (features,), of the weighted columns with the penalty beside them; 1 of constants.
        roots: of the weights, (rows, 1), with mean square 1.
        l2: penalty on the squares of the weights in raw units.
    """

    rows: np.ndarray
    means: np.ndarray
    lengths: np.ndarray
    roots: np.ndarray
    l2: float

    @classmethod
    def of(cls, x: np.ndarray, weights: np.ndarray, l2: float = 0.0) -> Columns:
        """From raw columns.

        Args:
            x: (rows, features).
            weights: of rows, (rows,), all positive.
            l2: penalty.
        """
        x, roots = x.astype(np.float64), np.sqrt(weights / weights.mean())[:, None]
        means = np.average(x, 0, weights)
        moved = x - means
        spread = np.sqrt(np.square(moved).mean(0))
        moved[:, spread <= ROUNDING * np.abs(x).max(0)] = 0.0
        lengths = np.hypot(np.sqrt(np.square(roots * moved).sum(0)), np.sqrt(l2))
        lengths[lengths == 0] = 1.0
        return cls(moved / lengths, means, lengths, roots, l2)

    @property
    def penalties(self) -> np.ndarray:
        """What the penalty is on the weights of the scaled columns, (features,), at most 1."""
        return self.l2 / self.lengths**2

    def raw(self, found: np.ndarray, intercepts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (features, outputs) and intercepts (outputs,) of the raw columns.

        Where columns depend on each other, and there is no penalty, of all weights that say the
        same the shortest.
        """
        weights = found / self.lengths[:, None]
        if self._seen is not None:
            weights = self._seen @ (self._seen.T @ weights)
        return weights, intercepts - self.means @ weights

    @cached_property
    def _seen(self) -> np.ndarray | None:
        """The directions of weights that make a difference, (features, rank); None if all do."""
        if self.l2:
            return None
        upright = np.linalg.qr(self.roots * self.rows, mode="r")
        _, values, directions = np.linalg.svd(upright, full_matrices=False)
        tiny = np.finfo(np.float64).eps * max(self.rows.shape) * values.max(initial=0.0)
        rank = int((values > tiny).sum())
        if rank == self.rows.shape[1]:
            return None
        return np.linalg.qr(self.lengths[:, None] * directions[:rank].T)[0]
