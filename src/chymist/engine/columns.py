"""Columns at their own place and of their own length, in which a solver counts.

A change of unit or origin of a column changes nothing in an affine map that is best; in floating
point it does, so that solvers work with columns of mean 0 and length 1 and go back at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

ALIKE = 1e-7  # of the largest singular value: below it columns in single precision have none
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
        tolerance: share of the largest singular value below which one is none.
    """

    rows: np.ndarray
    means: np.ndarray
    lengths: np.ndarray
    roots: np.ndarray
    l2: float
    tolerance: float

    @classmethod
    def of(
        cls, x: np.ndarray, weights: np.ndarray, l2: float = 0.0, single: bool = False
    ) -> Columns:
        """From raw columns.

        Args:
            x: (rows, features).
            weights: of rows, (rows,), all positive.
            l2: penalty.
            single: whether the columns were rounded to single precision.
        """
        x, roots = x.astype(np.float64), np.sqrt(weights / weights.mean())[:, None]
        means = np.average(x, 0, weights)
        moved = x - means
        spread = np.sqrt(np.square(moved).mean(0))
        moved[:, spread <= ROUNDING * np.abs(x).max(0)] = 0.0
        lengths = np.hypot(np.sqrt(np.square(roots * moved).sum(0)), np.sqrt(l2))
        lengths[lengths == 0] = 1.0
        tolerance = max(ALIKE if single else 0.0, np.finfo(np.float64).eps * max(x.shape))
        return cls(moved / lengths, means, lengths, roots, l2, tolerance)

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
        if not self.l2 and self.rank < len(self.lengths):
            seen = np.linalg.qr(self.lengths[:, None] * self._directions[: self.rank].T)[0]
            weights = seen @ (seen.T @ weights)
        return weights, intercepts - self.means @ weights

    @property
    def independent(self) -> np.ndarray:
        """The rows without what is none of their rank, (rows, features): rounding is not fitted."""
        if self.l2 or self.rank == len(self.lengths):
            return self.rows
        seen = self._directions[: self.rank]
        kept: np.ndarray = (self.rows @ seen.T) @ seen
        return kept

    @property
    def rank(self) -> int:
        """Number of directions of weights that make a difference."""
        return int((self.values > self.tolerance * self.values.max(initial=0.0)).sum())

    @property
    def values(self) -> np.ndarray:
        """Singular values of the weighted rows, the largest first."""
        return self._parts[0]

    @property
    def _directions(self) -> np.ndarray:
        return self._parts[1]

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Singular values, and the directions of weights they belong to, (values, features)."""
        upright = np.linalg.qr(self.roots * self.rows, mode="r")
        _, values, directions = np.linalg.svd(upright, full_matrices=False)
        return values, directions
