"""Generative classifiers: a density of the inputs for each class, estimated by counting."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.models.shaping import flat_size
from chymist.parts import NonNegative, describer
from chymist.values import Shapes

Covariance = Literal["shared", "separate", "diagonal"]

SINGULAR = 1e-6  # of the mean variance, what a direction without variance is given
NEVER = 1e-30  # prior of a class that no training row has
WIDENED = 1e-9  # of the greatest variance, what naive Bayes adds to all


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
    class (the mean square deviation, + 1e-9 of the greatest variance of a column). A category that
    no training row had says nothing. Found from all rows at once (optimiser `direct`); outputs are
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


def covariance_parameters(features: int, classes: int, covariance: Covariance = "shared") -> int:
    """Free numbers in the covariances of a Gaussian classifier: d (d + 1) / 2 in each of them.

    Args:
        features: d.
        classes: number of classes.
        covariance: "shared" has one matrix, "separate" one a class, "diagonal" d variances a class.

    Example:
        >>> covariance_parameters(7, 2, "separate"), covariance_parameters(7, 2)
        (56, 28)
    """
    if covariance == "diagonal":
        return classes * features
    return (1 if covariance == "shared" else classes) * features * (features + 1) // 2


class Gaussian(nn.Module):
    """Means, roots of the inverse covariances, and log priors as buffers; see `gaussian`."""

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
        self.register_buffer("means", torch.zeros(classes, inputs))
        self.register_buffer("roots", torch.zeros(shape))
        self.register_buffer("log_determinants", torch.zeros(matrices))
        self.register_buffer("log_priors", torch.full((classes,), 1 / classes).log())

    def forward(self, x: Tensor) -> Tensor:
        """Log posteriors (batch, classes)."""
        scores = self.log_priors - (self._distances(x.flatten(1)) + self.log_determinants) / 2
        return torch.log_softmax(scores, 1)

    def solve(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> list[str]:
        """Estimate all of it from rows; returns what is to be said of the covariances."""
        x, counts, shares = _counted(inputs, targets, weights, len(self.means))
        means = shares.T @ x / counts.clamp(min=NEVER)[:, None]
        self.means.copy_(means)
        self.log_priors.copy_((counts / counts.sum()).clamp(min=NEVER).log())
        centred = x - means[targets]
        within = shares.sum(1)
        pooled = max(float((within[:, None] * centred**2).sum() / within.sum() / x.shape[1]), 1e-12)
        if self.covariance == "shared":
            ranks = [self._estimate(0, centred, within, pooled)]
        else:
            ranks = [self._estimate(k, centred, share, pooled) for k, share in enumerate(shares.T)]
        poor = [rank for rank in ranks if rank < x.shape[1]]
        if not poor:
            return []
        several = f"the covariances of {len(poor)} of {len(ranks)} classes are"
        which = "the shared covariance is" if self.covariance == "shared" else several
        return [
            f"{which} singular (rank {min(poor)} of {x.shape[1]}): directions without variance are "
            f"given {SINGULAR:g} of the mean variance; a ridge makes it regular"
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
        return weights, self.log_priors - (weights * self.means).sum(1) / 2

    def _distances(self, x: Tensor) -> Tensor:
        """Squared Mahalanobis distances to the means, (batch, classes)."""
        found = []
        for k, mean in enumerate(self.means):
            root = self.roots[k % len(self.roots)]
            moved = (x - mean) * root if root.ndim == 1 else (x - mean) @ root
            found.append(moved.square().sum(1))
        return torch.stack(found, 1)

    def _estimate(self, at: int, x: Tensor, share: Tensor, pooled: float) -> int:
        """One covariance, as the root of its inverse; returns its rank."""
        lowest, total = SINGULAR * pooled, float(share.sum())
        if int((share > 0).sum()) < 2:  # one row or none has no spread: that of all classes
            x, share, total = pooled**0.5 * torch.eye(x.shape[1]).to(x), x.new_ones(x.shape[1]), 1.0
        if self.covariance == "diagonal":
            variances = (share[:, None] * x**2).sum(0) / total + self.ridge
            self.roots[at] = variances.clamp(min=lowest).rsqrt()
        else:
            matrix = x.T @ (share[:, None] * x) / total
            matrix.diagonal().add_(self.ridge)
            variances, directions = torch.linalg.eigh(matrix)
            self.roots[at] = directions * variances.clamp(min=lowest).rsqrt()
        self.log_determinants[at] = variances.clamp(min=lowest).log().sum()
        return int((variances > lowest).sum())


class NaiveBayes(nn.Module):
    """Gaussian columns and counted columns; what a column is not has zeros. See `naive_bayes`."""

    means: Tensor
    precisions: Tensor
    log_ones: Tensor
    log_zeros: Tensor
    constants: Tensor

    def __init__(self, inputs: int, classes: int, smoothing: float) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.losses = ("cross_entropy",)
        for name in ("means", "precisions", "log_ones", "log_zeros"):
            self.register_buffer(name, torch.zeros(classes, inputs))
        self.register_buffer("constants", torch.full((classes,), 1 / classes).log())

    def forward(self, x: Tensor) -> Tensor:
        """Log posteriors (batch, classes)."""
        x = x.flatten(1)
        far = torch.stack([
            ((x - mean).square() * precision).sum(1)
            for mean, precision in zip(self.means, self.precisions, strict=True)
        ], 1)  # fmt: skip
        counted = x @ (self.log_ones - self.log_zeros).T
        return torch.log_softmax(self.constants + counted - far / 2, 1)

    def fitted_numbers(self) -> int:
        """A mean and a variance, or a probability, of each column and class, and priors."""
        measured = (self.precisions != 0).any(0)
        return len(self.means) * (self.means.shape[1] + int(measured.sum()) + 1)

    def solve(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        """Count, and estimate means and variances, from all rows."""
        x, counts, shares = _counted(inputs, targets, weights, len(self.means))
        known = counts.clamp(min=NEVER)[:, None]
        means, a = shares.T @ x / known, self.smoothing
        spread = torch.stack([(shares[:, k, None] * (x - means[k]) ** 2).sum(0)
                              for k in range(len(counts))]) / known  # fmt: skip
        overall = shares.sum(1)[:, None]
        middle = (overall * x).sum(0) / overall.sum()
        widest = float(((overall * (x - middle) ** 2).sum(0) / overall.sum()).max())
        variances = spread + max(WIDENED * widest, 1e-12)
        precisions, log_variances = 1 / variances, variances.log()
        log_ones, log_zeros = torch.zeros_like(means), torch.zeros_like(means)
        ones = means * counts[:, None]
        for group in counted_columns(x):
            of = slice(group.start, group.stop)
            precisions[:, of], log_variances[:, of] = 0.0, 0.0
            kinds = max(len(group), 2)
            total = (counts[:, None] + a * kinds).clamp(min=NEVER)
            log_ones[:, of] = ((ones[:, of] + a) / total).clamp(min=NEVER).log()
            if len(group) == 1 and bool((x[:, of] == 0).any()):
                zeros = counts[:, None] - ones[:, of]
                log_zeros[:, of] = ((zeros + a) / total).clamp(min=NEVER).log()
        priors = (counts / counts.sum()).clamp(min=NEVER).log()
        self.means.copy_(means)
        self.precisions.copy_(precisions)
        self.log_ones.copy_(log_ones)
        self.log_zeros.copy_(log_zeros)
        self.constants.copy_(priors + log_zeros.sum(1) - log_variances.sum(1) / 2)


def counted_columns(x: Tensor) -> list[range]:
    """Columns of zeros and ones: those of one category together, others by themselves.

    The columns of a category stand side by side, and one of them is 1 in every row.

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
        while stop < len(binary) and binary[stop] and not bool((total == 1).all()):
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


def _counted(
    inputs: Tensor, targets: Tensor, weights: Tensor | None, classes: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Flat rows, weight of each class, and weight of each row in each class, in double precision.

    Weights are scaled to a mean of 1 among the rows that have any: a row of weight 0 is not there.

    Raises:
        UsageError: the targets are no classes.
    """
    if targets.is_floating_point():
        raise UsageError("the model is for classes", where="loss", do="use cross_entropy")
    x = inputs.flatten(1).double()
    shares = nn.functional.one_hot(targets, classes).double()
    if weights is not None:
        shares = shares * (weights.double() / weights[weights > 0].double().mean())[:, None]
    return x, shares.sum(0), shares
