"""`pca`: the directions of greatest variance, and how many of them are worth keeping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.data.preparation import fit_preparation
from chymist.errors import InputError, UsageError
from chymist.keys import generator
from chymist.parts import Part
from chymist.reports.charts import Line, Mark, line_chart
from chymist.values import Data, Split, whole_number
from chymist.verbs.sources import open_rows


@dataclass(frozen=True, eq=False)
class Pca:
    """Principal components of some rows.

    Args:
        mean: of the rows, (features,).
        components: orthonormal directions, the greatest variance first, (m, features).
        variances: along them, divided by rows - 1, (m,).
        shares: of the variance of all features, (m,).
        errors: mean squared error of reconstruction with 0 to m components, summed over features,
            on the rows that they were found on, (m + 1,).
        held_errors: the same on rows that were held out (components found without them), with 0 to
            as many as the other rows have.
        held_likelihoods: mean log-likelihood of the held-out rows under probabilistic PCA, for the
            same numbers of components; nan where the rows leave no noise to estimate.
        by_share: fewest components that hold the share asked for of the variance.
        by_reconstruction: fewest that hold this share on held-out rows too.
        by_likelihood: number that makes held-out rows most likely. Errors of reconstruction only
            fall with more components, on held-out rows too; the likelihood has a maximum.
        kept: how many the projection keeps.
        names: of the features, where they are known, (features,).
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray
    shares: np.ndarray
    errors: np.ndarray
    held_errors: np.ndarray
    held_likelihoods: np.ndarray
    by_share: int
    by_reconstruction: int
    by_likelihood: int
    kept: int
    names: tuple[str, ...] = ()

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Coordinates (n, kept) of prepared rows (n, features)."""
        made: np.ndarray = (np.asarray(rows, np.float64) - self.mean) @ self.components[
            : self.kept
        ].T
        return made

    def reconstruct(self, coordinates: np.ndarray) -> np.ndarray:
        """Rows (n, features) that coordinates (n, kept) stand for."""
        made: np.ndarray = np.asarray(coordinates) @ self.components[: self.kept] + self.mean
        return made

    def loadings(self, component: int, most: int = 3) -> list[tuple[str, float]]:
        """The features with the greatest part in a component, and their entries.

        Args:
            component: counted from 0.
            most: how many.
        """
        entries = self.components[component]
        names = self.names or tuple(f"feature {j + 1}" for j in range(len(entries)))
        order = np.argsort(-np.abs(entries), kind="stable")[:most]
        return [(names[j], float(entries[j])) for j in order]

    def svg(self) -> str:
        """Errors of reconstruction by number of components, as an SVG element."""
        pairs = [("these rows", self.errors, "s1"), ("held out", self.held_errors, "s2")]
        lines = [Line(name, np.arange(len(of), dtype=float), of, kind) for name, of, kind in pairs]
        title = "Error of reconstruction by number of components"
        mark = Mark(float(self.kept), f"{self.kept} kept")
        return str(line_chart(title, lines, "components", "mean squared error", zero=True,
                              best=mark))  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values (the JSON contract)."""
        arrays = ("mean", "components", "variances", "shares", "errors", "held_errors",
                  "held_likelihoods")  # fmt: skip
        numbers = ("kept", "by_share", "by_reconstruction", "by_likelihood")
        return {
            "names": list(self.names),
            **{name: getattr(self, name) for name in numbers},
            **{name: getattr(self, name).tolist() for name in arrays},
        }

    def __repr__(self) -> str:
        return (
            f"Pca({self.kept} of {len(self.mean)} dimensions hold "
            f"{100 * float(self.shares[: self.kept].sum()):.1f} % of the variance)"
        )


def pca(
    data: Data | Split | np.ndarray,
    components: int | None = None,
    *,
    share: float = 0.95,
    held: float = 0.2,
    seed: int = 0,
    prepare: Part | None = None,
) -> Pca:
    """Principal component analysis: the directions along which rows vary most.

    Rows are centred and decomposed, X = U S V'; the components are the rows of V', their variances
    s^2 / (n - 1). The first m are the linear code of m numbers with the least squared error.

    Args:
        data: rows; test rows of a split are not looked at. Data are prepared as for training
            (numbers standardised, categories as 0/1 columns), an array (n, features) is taken as
            it is.
        components: how many to keep; None keeps those that hold the share.
        share: of the variance, in (0, 1].
        held: share of the rows that judge the number of components; they count in the result.
        seed: of the choice of those rows.
        prepare: preparation of data, `cy.prepare(...)`.

    Returns:
        A `Pca`.

    Raises:
        InputError: fewer than four rows, or numbers that are not finite.
        UsageError: a share or number out of range.

    Example:
        >>> import chymist as cy
        >>> found = pca(cy.load("iris"))
        >>> found.kept, [round(float(part), 3) for part in found.shares[:2]]
        (2, [0.73, 0.229])

    Source: Pearson 1901; Hotelling 1933; Tipping, Bishop 1999 (likelihood).
    """
    for name, value in (("share", share), ("held", held)):
        if not 0 < value <= 1 or (name == "held" and value > 0.5):
            raise UsageError("out of range", where=name, received=repr(value)[:40],
                             do="give a share of 1, held at most 0.5")  # fmt: skip
    x, names = prepared_matrix(data, prepare)
    mean, directions, squares = _decomposed(x)
    if components is not None:
        whole_number(components, "components", 1, len(squares))
    total = max(float(squares.sum()), 1e-300)
    shares = squares / total
    drawn = generator(whole_number(seed, "seed", 0), "pca").permutation(len(x))
    count = max(1, round(held * len(x)))
    errors, likelihoods = _held_out(x[drawn[count:]], x[drawn[:count]])
    by_share = _first(np.cumsum(shares) >= share - 1e-12)
    by_held = _first(errors[1:] <= (1 - share) * errors[0] + 1e-12 * errors[0])
    best = int(np.nanargmax(likelihoods)) if np.isfinite(likelihoods).any() else 0
    return Pca(
        mean, directions, squares / (len(x) - 1), shares,
        np.concatenate([[total], np.maximum(total - np.cumsum(squares), 0.0)]) / len(x), errors,
        likelihoods, by_share, by_held, best, components or by_share, names,
    )  # fmt: skip


def prepared_matrix(
    data: Data | Split | np.ndarray, prepare: Part | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows as numbers, float64 (n, features), of a split without its test rows; and their names.

    Raises:
        InputError: fewer than four rows, or numbers that are not finite.
    """
    names: tuple[str, ...] = ()
    refuse_columns(data)
    if isinstance(data, Data | Split):
        whole, rows, _ = open_rows(data)
        fitted = fit_preparation(whole, rows, prepare.options if prepare else {})
        made: Any = fitted.inputs(whole.take(rows), np.float64)
        names = fitted.feature_names
    else:
        made = np.asarray(data)
    if made.ndim < 2 or made.dtype.kind not in "biuf" or len(made) < 4:
        raise InputError("not rows of numbers", received=f"shape {made.shape}, {made.dtype}",
                         do="give four rows or more, (n, features)")  # fmt: skip
    x: np.ndarray = made.reshape(len(made), -1).astype(np.float64)
    if not np.isfinite(x).all():
        raise InputError("a number is missing or infinite", where="data", do="fill it first")
    return x, names


def refuse_columns(data: object) -> None:
    """Refuse a mapping of columns: which of them are numbers, only data say.

    Raises:
        InputError: it is one.
    """
    if isinstance(data, Mapping):
        raise InputError("columns by name are not rows of numbers", where="data",
                         received=f"{len(data)} columns",
                         do="give the data itself, not its columns")  # fmt: skip


def _decomposed(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, directions with their largest entry positive, and squared singular values."""
    mean = x.mean(0)
    _, values, directions = np.linalg.svd(x - mean, full_matrices=False)
    largest = np.abs(directions).argmax(1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return mean, directions * np.where(signs == 0, 1, signs)[:, None], values**2


def _held_out(x: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reconstruction error and mean log-likelihood of new rows, by number of components.

    Under probabilistic PCA with m components the covariance is V (L - s I) V' + s I, where s is the
    mean of the variances that are left out.
    """
    mean, directions, squares = _decomposed(x)
    features, variances = x.shape[1], squares / len(x)
    along = np.square((new - mean) @ directions.T)
    left = np.square(new - mean).sum(1)[:, None] - np.cumsum(along, 1)
    left = np.column_stack([np.square(new - mean).sum(1), np.maximum(left, 0.0)])
    likelihoods = np.full(left.shape[1], np.nan)
    scale = max(float(variances.sum()), 1e-300)
    for m in range(min(len(variances), features - 1) + 1):
        noise = float(variances[m:].sum()) / max(features - m, 1)
        if noise <= 1e-12 * scale:
            break
        distance = (along[:, :m] / variances[:m]).sum(1) + left[:, m] / noise
        logs = np.log(variances[:m]).sum() + (features - m) * np.log(noise)
        likelihoods[m] = -(features * np.log(2 * np.pi) + logs + distance.mean()) / 2
    return left.mean(0), likelihoods


def _first(reached: np.ndarray) -> int:
    """Number of components at which something is reached first; all if never."""
    return int(reached.argmax()) + 1 if reached.any() else len(reached)
