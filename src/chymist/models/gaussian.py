"""Generative classifiers: a density of the inputs for each class, estimated by counting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.maths.sizes import covariance_parameters
from chymist.models.shaping import flat_size
from chymist.parts import NonNegative, describer
from chymist.values import Shapes

Covariance = Literal["shared", "separate", "diagonal"]

SINGULAR = 1e-6  # of the variances of its columns, what a direction without variance is given
NEVER = 1e-30  # probability of a class that no training row has, whatever the row
ABSENT = -1e30  # score of such a class
WIDENED = 1e-9  # of the variance of a column in all classes, what naive Bayes adds to each
ROUNDING = 1e-14  # of the numbers in a column, what a spread is that is none


@describer("model")
def gaussian(
    shapes: Shapes, covariance: Covariance = "shared", ridge: NonNegative = 0.0
) -> nn.Module:
    """Gaussian classifier: P(k | x) is proportional to pi_k N(x; m_k, S_k).

    Means, covariances and shares of the classes are estimated from all rows at once (optimiser
    `direct`). One shared S makes log-odds linear in x (linear discriminant analysis): the weights
    of class 1 against 0 are S^-1 (m_1 - m_0), as logistic regression has some. One S for each class
    makes them quadratic; a diagonal one for each class takes features as independent in it.
    Covariances are of maximum likelihood: sums of squares divided by the rows (of the class), as
    scikit-learn has them since 1.9; before, it divided a shared one by rows - classes.
    Outputs are log posteriors (batch, classes), for the loss `cross_entropy`.

    Args:
        covariance: "shared", "separate" or "diagonal".
        ridge: added to every variance, in the unit of the prepared inputs squared.

    Raises:
        UsageError: there is one output, not one a class.

    Example:
        >>> gaussian().build(Shapes((3,), 4))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 4])

    Source: Fisher 1936; Hastie, Tibshirani, Friedman 2009, section 4.3.
    """
    return Gaussian(flat_size(shapes), _classes(shapes, "gaussian"), covariance, ridge)


@describer("model")
def naive_bayes(shapes: Shapes, smoothing: NonNegative = 1.0) -> nn.Module:
    """Naive Bayes: P(k | x) is proportional to pi_k prod_j P(x_j | k), features independent in k.

    Columns of zeros and ones are counted, the 0/1 columns of a category together (categorical),
    single ones by themselves (Bernoulli); all others are Gaussian with mean and variance of the
    class (the mean square deviation, + 1e-9 of that in all classes). A category that no training
    row had says nothing. Found from all rows at once (optimiser `direct`); outputs are
    log posteriors (batch, classes), for the loss `cross_entropy`.

    Args:
        smoothing: added to every count of a value (Laplace).

    Raises:
        UsageError: there is one output, not one a class.

    Example:
        >>> naive_bayes().build(Shapes((3,), 4))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 4])

    Source: Maron 1961; Laplace 1774 (smoothing); Hand, Yu 2001.
    """
    return NaiveBayes(flat_size(shapes), _classes(shapes, "naive_bayes"), smoothing)


class Gaussian(nn.Module):
    """Means, roots of the inverse covariances, and log priors as buffers; see `gaussian`.

    Means are told from the center of all rows, so that columns far from zero keep their digits.
    """

    center: Tensor
    means: Tensor
    roots: Tensor
    log_determinants: Tensor
    log_priors: Tensor

    def __init__(self, inputs: int, classes: int, covariance: Covariance, ridge: float) -> None:
        super().__init__()
        self.covariance, self.ridge = covariance, ridge
        self.losses = ("cross_entropy",)
        matrices = 1 if covariance == "shared" else classes
        shape = (classes, inputs) if covariance == "diagonal" else (matrices, inputs, inputs)
        self.register_buffer("center", torch.zeros(inputs))
        self.register_buffer("means", torch.zeros(classes, inputs))
        self.register_buffer("roots", torch.zeros(shape))
        self.register_buffer("log_determinants", torch.zeros(matrices))
        self.register_buffer("log_priors", torch.full((classes,), 1 / classes).log())

    def forward(self, x: Tensor) -> Tensor:
        """Log posteriors (batch, classes)."""
        distances = self._distances(x.flatten(1) - self.center)
        return _posteriors(self.log_priors - (distances + self.log_determinants) / 2)

    def solve(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> list[str]:
        """Estimate all of it from rows; returns what is to be said of the covariances."""
        rows = _counted(inputs, targets, weights, len(self.means))
        counts, shares = rows.counts, rows.shares
        self.center.copy_(rows.mean)
        x = rows.inputs - self.center.double()
        means = shares.T @ x / counts.clamp(min=NEVER)[:, None]
        self.means.copy_(means)
        self.log_priors.copy_(_log_priors(counts))
        centred, within = x - means[rows.targets], shares.sum(1)
        lengths = rows.lengths(centred, self.ridge)
        centred = centred / lengths
        if self.covariance == "shared":
            ranks = [self._estimate(0, centred, within, lengths)]
        else:
            ranks = [self._estimate(k, centred, share, lengths) for k, share in enumerate(shares.T)]
        poor = [rank for rank in ranks if rank < x.shape[1]]
        if not poor:
            return []
        several = f"the covariances of {len(poor)} of {len(ranks)} classes are"
        which = "the shared covariance is" if self.covariance == "shared" else several
        return [
            f"{which} singular (rank {min(poor)} of {x.shape[1]}): directions without variance are "
            f"given {SINGULAR:g} of the variance of their columns; a ridge makes it regular"
        ]

    def fitted_numbers(self) -> int:
        """Means, variances and covariances (once each), and priors."""
        classes, features = self.means.shape
        own = covariance_parameters(features, classes, self.covariance)
        return classes * features + own + classes

    def affine(self) -> tuple[Tensor, Tensor]:
        """Weights (classes, features) and intercepts (classes,) of the scores, if S is shared.

        w_k = S^-1 m_k, b_k = log pi_k - m_k' S^-1 m_k / 2; differences of two classes are the
        weights of logistic regression.

        Raises:
            UsageError: the scores are not linear.
        """
        if self.covariance != "shared":
            raise UsageError("the scores are not linear", where="model.covariance",
                             received=f"'{self.covariance}'", do="use shared")  # fmt: skip
        weights = self.means @ self.roots[0] @ self.roots[0].T
        places = self.means.double() / 2 + self.center.double()
        return weights, self.log_priors - (weights * places).sum(1)

    def _distances(self, x: Tensor) -> Tensor:
        """Squared Mahalanobis distances to the means, (batch, classes)."""
        found = []
        for k, mean in enumerate(self.means):
            root = self.roots[k % len(self.roots)]
            moved = (x - mean) * root if root.ndim == 1 else (x - mean) @ root
            found.append(moved.square().sum(1))
        return torch.stack(found, 1)

    def _estimate(self, at: int, x: Tensor, share: Tensor, lengths: Tensor) -> int:
        """One covariance of scaled columns, as the root of its inverse; returns its rank."""
        total, ridge = float(share.sum()), self.ridge / lengths.square()
        if int((share > 0).sum()) < 2:  # one row or none has no spread: that of all classes
            x, share, total = torch.eye(x.shape[1]).to(x), x.new_ones(x.shape[1]), 1.0
            ridge = torch.zeros_like(ridge)
        if self.covariance == "diagonal":
            variances = (share[:, None] * x**2).sum(0) / total + ridge
            self.roots[at] = variances.clamp(min=SINGULAR).rsqrt() / lengths
        else:
            matrix = x.T @ (share[:, None] * x) / total
            matrix.diagonal().add_(ridge)
            variances, directions = torch.linalg.eigh(matrix)
            root = directions * variances.clamp(min=SINGULAR).rsqrt()
            self.roots[at] = root / lengths[:, None]
        volume = variances.clamp(min=SINGULAR).log().sum() + 2 * lengths.log().sum()
        self.log_determinants[at] = volume
        return int((variances > SINGULAR).sum())

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Read older ones, whose means are told from zero."""
        state_dict.setdefault(prefix + "center", torch.zeros_like(self.center))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class NaiveBayes(nn.Module):
    """Gaussian columns and counted columns; what a column is not has zeros. See `naive_bayes`."""

    center: Tensor
    means: Tensor
    precisions: Tensor
    log_ones: Tensor
    log_zeros: Tensor
    constants: Tensor

    def __init__(self, inputs: int, classes: int, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.losses = ("cross_entropy",)
        self.register_buffer("center", torch.zeros(inputs))
        for name in ("means", "precisions", "log_ones", "log_zeros"):
            self.register_buffer(name, torch.zeros(classes, inputs))
        self.register_buffer("constants", torch.full((classes,), 1 / classes).log())

    def forward(self, x: Tensor) -> Tensor:
        """Log posteriors (batch, classes)."""
        x = x.flatten(1)
        moved = x - self.center
        far = torch.stack([
            ((moved - mean).square() * precision).sum(1)
            for mean, precision in zip(self.means, self.precisions, strict=True)
        ], 1)  # fmt: skip
        counted = x @ (self.log_ones - self.log_zeros).T
        return _posteriors(self.constants + counted - far / 2)

    def fitted_numbers(self) -> int:
        """A mean and a variance, or a probability, of each column and class, and priors."""
        measured = (self.precisions != 0).any(0)
        return len(self.means) * (self.means.shape[1] + int(measured.sum()) + 1)

    def solve(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        """Count, and estimate means and variances, from all rows."""
        rows, a = _counted(inputs, targets, weights, len(self.means)), self.smoothing
        x, counts, shares = rows.inputs, rows.counts, rows.shares
        groups = counted_columns(x)
        self.center.copy_(rows.mean)
        for group in groups:
            self.center[group.start : group.stop] = 0.0
        moved, known = x - self.center.double(), counts.clamp(min=NEVER)[:, None]
        means = shares.T @ moved / known
        spread = torch.stack([(shares[:, k, None] * (moved - means[k]) ** 2).sum(0)
                              for k in range(len(counts))]) / known  # fmt: skip
        whole = rows.variances
        variances = spread + WIDENED * whole
        flat = whole == 0  # a column of one number says nothing
        precisions = torch.where(flat, 0.0, 1 / variances)
        log_variances = torch.where(flat, 0.0, variances.log())
        log_ones, log_zeros = torch.zeros_like(means), torch.zeros_like(means)
        ones = shares.T @ x
        for group in groups:
            of = slice(group.start, group.stop)
            precisions[:, of], log_variances[:, of] = 0.0, 0.0
            kinds = max(len(group), 2)
            total = (counts[:, None] + a * kinds).clamp(min=NEVER)
            log_ones[:, of] = ((ones[:, of] + a) / total).clamp(min=NEVER).log()
            if len(group) == 1 and bool((x[:, of] == 0).any()):
                zeros = counts[:, None] - ones[:, of]
                log_zeros[:, of] = ((zeros + a) / total).clamp(min=NEVER).log()
        constants = _log_priors(counts) + log_zeros.sum(1) - log_variances.sum(1) / 2
        self.means.copy_(means)
        self.precisions.copy_(precisions.where(counts[:, None] > 0, 0.0))
        self.log_ones.copy_(log_ones)
        self.log_zeros.copy_(log_zeros)
        self.constants.copy_(constants.where(counts > 0, ABSENT))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Read older ones, whose means are told from zero."""
        state_dict.setdefault(prefix + "center", torch.zeros_like(self.center))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def counted_columns(x: Tensor) -> list[range]:
    """Columns of zeros and ones: those of one category together, others by themselves.

    The columns of a category stand side by side, and one of them is 1 in every row; a column of
    zeros alone before them is none of them.

    Example:
        >>> counted_columns(torch.tensor([[1.0, 0, 0.5, 1], [0.0, 1, 0.2, 0], [0.0, 1, 0.1, 1]]))
        [range(0, 2), range(3, 4)]
    """
    binary = ((x == 0) | (x == 1)).all(0).tolist()
    found, at = [], 0
    while at < len(binary):
        if not binary[at]:
            at += 1
            continue
        stop, total = at + 1, x[:, at].clone()
        while bool(total.any()) and stop < len(binary) and binary[stop] and bool((total < 1).any()):
            total += x[:, stop]
            if bool((total > 1).any()):
                break
            stop += 1
        found.append(range(at, stop if bool((total == 1).all()) else at + 1))
        at = found[-1].stop
    return found


def _classes(shapes: Shapes, name: str) -> int:
    """Number of classes, one output each."""
    if shapes.outputs < 2:
        raise UsageError(f"the model '{name}' needs an output for each class", where="model",
                         received="one output", do="use the loss cross_entropy")  # fmt: skip
    return shapes.outputs


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows that weigh anything, in double precision.

    Args:
        inputs: (rows, features).
        targets: classes, (rows,).
        shares: weight of each row in each class, (rows, classes); their mean is 1.
    """

    inputs: Tensor
    targets: Tensor
    shares: Tensor

    @property
    def counts(self) -> Tensor:
        """Weight of each class, (classes,)."""
        return self.shares.sum(0)

    @property
    def mean(self) -> Tensor:
        """Of each column, (features,)."""
        return self.averaged(self.inputs)

    @property
    def variances(self) -> Tensor:
        """Of each column over all classes, (features,); 0 where it is one number."""
        found = self.averaged((self.inputs - self.mean) ** 2)
        return found.where(found > self._rounding, 0.0)

    def averaged(self, x: Tensor) -> Tensor:
        """The mean of rows of any numbers by their weights."""
        weights = self.shares.sum(1)
        return weights @ x / weights.sum()

    def lengths(self, centred: Tensor, ridge: float) -> Tensor:
        """The unit of each column: its deviation within the classes, else over all of them, else 1.

        Args:
            centred: inputs without the means of their classes.
            ridge: added to every variance.
        """
        within = self.averaged(centred**2)
        within = within.where(within > self._rounding, 0.0) + ridge
        found = within.where(within > 0, self.variances)
        return found.where(found > 0, 1.0).sqrt()

    @property
    def _rounding(self) -> Tensor:
        return (ROUNDING * self.inputs.abs().amax(0)) ** 2


def _counted(inputs: Tensor, targets: Tensor, weights: Tensor | None, classes: int) -> _Rows:
    """Flat rows that weigh anything, and what they weigh.

    Raises:
        UsageError: the targets are no classes.
    """
    if targets.is_floating_point():
        raise UsageError("the model is for classes", where="loss", do="use cross_entropy")
    x, shares = inputs.flatten(1).double(), nn.functional.one_hot(targets, classes).double()
    if weights is None:
        return _Rows(x, targets, shares)
    kept = weights > 0
    share = weights[kept].double()
    return _Rows(x[kept], targets[kept], shares[kept] * (share / share.mean())[:, None])


def _log_priors(counts: Tensor) -> Tensor:
    """Log shares of the classes; of one that has no row a score that none has."""
    shares = (counts / counts.sum()).clamp(min=NEVER).log()
    return shares.where(counts > 0, ABSENT)


def _posteriors(scores: Tensor) -> Tensor:
    """Log posteriors from scores; a class without rows has 1e-30, however far a row lies."""
    return torch.log_softmax(scores, 1).masked_fill(scores < ABSENT / 2, math.log(NEVER))
