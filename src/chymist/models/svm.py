"""Support vector machines with kernels: solved by libsvm, applied as a module."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.models.shaping import flat_size
from chymist.parts import Count, NonNegative, Positive, describer
from chymist.values import Shapes

Kernel = Literal["rbf", "linear", "poly"]
Gamma = Positive | Literal["scale"]


@describer("model")
def svm(
    shapes: Shapes,
    kernel: Kernel = "rbf",
    C: Positive = 1.0,
    gamma: Gamma = "scale",
    degree: Count = 3,
) -> nn.Module:
    """Support vector machine: class = sign(sum_i a_i y_i k(x_i, x) + b), the largest soft margin.

    The dual quadratic programme, max sum a_i - a' K a / 2 under 0 <= a_i <= C and sum a_i y_i = 0,
    is solved by sequential minimal optimisation (libsvm, by scikit-learn), with the optimiser
    `direct`. Kernels: "rbf" exp(-gamma |x - x'|^2), "linear" x'x, "poly" (gamma x'x)^degree. Of
    more than two classes every pair has a machine of its own; the score of a class is its votes,
    and what parts equal votes is the sum of its margins, squeezed to less than a half. Outputs are
    scores for the loss `hinge`: (batch, 1) of two classes, else (batch, classes).

    Args:
        kernel: "rbf", "linear" or "poly".
        C: price of a unit of hinge loss; small is a wide margin.
        gamma: of "rbf" and "poly"; "scale" is 1 / (features x variance of all inputs).
        degree: of "poly".

    Example:
        >>> svm().build(Shapes((3,), 1))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 1])

    Source: Boser, Guyon, Vapnik 1992; Cortes, Vapnik 1995; Platt 1998 (SMO); Chang, Lin 2011.
    """
    return SupportVectorMachine(flat_size(shapes), shapes.outputs, kernel, C, gamma, degree)


@describer("model")
def svr(
    shapes: Shapes,
    kernel: Kernel = "rbf",
    C: Positive = 1.0,
    gamma: Gamma = "scale",
    degree: Count = 3,
    epsilon: NonNegative = 0.1,
) -> nn.Module:
    """Support vector regression: y = sum_i a_i k(x_i, x) + b, errors below epsilon cost nothing.

    Solved and applied as `svm`; outputs (batch, 1) for the loss `mse`.

    Args:
        kernel, C, gamma, degree: as of `svm`.
        epsilon: half the width of the tube, in deviations of the target.

    Raises:
        UsageError: there is more than one target.

    Example:
        >>> svr(epsilon=0.2).build(Shapes((3,), 1))(__import__("torch").zeros(5, 3)).shape
        torch.Size([5, 1])

    Source: Drucker, Burges, Kaufman, Smola, Vapnik 1997; Smola, Schölkopf 2004.
    """
    if shapes.outputs != 1:
        raise UsageError("the model 'svr' is for one target", where="model",
                         received=f"{shapes.outputs}", do="fit one after the other")  # fmt: skip
    return SupportVectorMachine(flat_size(shapes), 1, kernel, C, gamma, degree, epsilon)


class SupportVectorMachine(nn.Module):
    """Support vectors and their dual coefficients as buffers, as many as the rows give.

    Args:
        inputs: number of features.
        outputs: 1 for two classes or a value, else the number of classes.
        kernel, C, gamma, degree: see `svm`.
        epsilon: of a regression; None for classes.
    """

    support: Tensor
    dual: Tensor
    intercept: Tensor
    gamma: Tensor
    rows: Tensor
    middle: Tensor

    def __init__(
        self, inputs: int, outputs: int, kernel: Kernel, C: float, gamma: float | str, degree: int,
        epsilon: float | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.losses = ("hinge", "cross_entropy") if epsilon is None else ("mse",)
        self.outputs, self.kernel, self.degree = outputs, kernel, degree
        self.C, self.asked, self.epsilon = C, gamma, epsilon
        self.pairs = list(combinations(range(max(2, outputs)), 2))
        self.register_buffer("support", torch.zeros(0, inputs))
        self.register_buffer("dual", torch.zeros(len(self.pairs), 0))
        self.register_buffer("intercept", torch.zeros(len(self.pairs)))
        self.register_buffer("gamma", torch.tensor(1.0))
        self.register_buffer("rows", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("middle", torch.zeros(inputs))  # from which "linear" is told

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, outputs)."""
        x = x.flatten(1)
        found = self._kernel(x, self.support) @ self.dual.T + self.intercept
        if self.outputs == 1:
            return found
        if self.outputs == 2:
            return torch.cat([-found, found], 1) / 2
        votes, sums = (torch.zeros_like(x[:, :1]).repeat(1, self.outputs) for _ in range(2))
        for (i, j), lead in zip(self.pairs, found.T, strict=True):
            votes[:, i] += lead >= 0
            votes[:, j] += lead < 0
            sums[:, i] += lead
            sums[:, j] -= lead
        return votes + sums / (3 * (sums.abs() + 1))

    def solve(self, inputs: Tensor, targets: Tensor, weights: Tensor | None) -> list[str]:
        """Solve the dual with all rows; returns how many of them support the solution."""
        from sklearn.svm import SVC, SVR

        x = inputs.flatten(1).double().cpu()
        counted = torch.ones(len(x), dtype=torch.float64) if weights is None else weights.cpu()
        kept = torch.nonzero(counted > 0)[:, 0]
        counted = counted.double() / counted[kept].double().mean()
        variance = float(x[kept].var(correction=0))
        gamma = self.asked if self.asked != "scale" else 1 / (x.shape[1] * max(variance, 1e-30))
        options = {"kernel": self.kernel, "C": self.C, "gamma": gamma, "degree": self.degree}
        given = x[kept].numpy(), targets.reshape(-1)[kept.to(targets.device)].cpu().numpy()
        share = counted[kept].numpy()
        if self.kernel == "linear":  # products far from zero hold no digits of differences
            self.middle = x[kept].mean(0).to(self.middle)
            given = (x[kept] - self.middle.double().cpu()).numpy(), given[1]
        if self.epsilon is not None:
            made: Any = SVR(**options, epsilon=self.epsilon).fit(*given, share)
        elif len(set(given[1].tolist())) < 2:
            self._hold(x[:0], kept[:0], self._constant(int(given[1][0])), float(gamma))
            return ["all training rows are of one class"]
        else:
            made = SVC(**options).fit(*given, share)
        rows = kept[torch.from_numpy(made.support_.astype("int64"))]
        dual, intercept = self._by_pairs(made)
        self._hold(x[rows], rows, (dual, intercept), float(gamma))
        margins = self.margins()
        told = self.epsilon is None and len(margins) == 1 and bool(margins.isfinite().all())
        narrow = f", margin {float(margins[0]):.3g}" if told else ""
        return [f"{len(rows):,} of {len(x):,} training rows are support vectors{narrow}"]

    def fitted_numbers(self) -> int:
        """Dual coefficients that are not 0, and an intercept for each pair."""
        return int((self.dual != 0).sum()) + len(self.pairs)

    def margins(self) -> Tensor:
        """Distance from the boundary of each pair to where the score is 1, 1 / |w|, (pairs,).

        |w|^2 = a' K a, in the space of the kernel; infinite where w is 0.
        """
        support, dual = self.support.double(), self.dual.double()
        inner = self._kernel(support, support)
        return ((dual @ inner) * dual).sum(1).clamp(min=0.0).rsqrt().to(self.dual)

    def _kernel(self, x: Tensor, y: Tensor) -> Tensor:
        """Kernel values (rows of x, rows of y)."""
        if self.kernel == "rbf":
            middle = y.mean(0) if len(y) else 0.0  # or squares cancel far from zero
            return torch.exp(-self.gamma * torch.cdist(x - middle, y - middle).square())
        if self.kernel == "linear":
            return (x - self.middle) @ (y - self.middle).T
        return (self.gamma * (x @ y.T)).pow(self.degree)

    def _hold(
        self, support: Tensor, rows: Tensor, found: tuple[Tensor, Tensor], gamma: float
    ) -> None:
        """Put a solution into the buffers."""
        like = self.intercept
        self.support, self.rows = support.to(like), rows.to(like.device)
        self.dual, self.intercept = found[0].to(like), found[1].to(like)
        self.gamma = torch.tensor(gamma).to(like)

    def _constant(self, only: int) -> tuple[Tensor, Tensor]:
        """A solution that always says the same class."""
        signs = [float(i == only) - float(j == only) for i, j in self.pairs]
        sign = -1.0 if self.outputs < 3 else 1.0
        return torch.zeros(len(self.pairs), 0), sign * torch.tensor(signs)

    def _by_pairs(self, made: Any) -> tuple[Tensor, Tensor]:
        """Coefficients (pairs, support vectors) and intercepts; positive is for the first class.

        libsvm keeps the coefficients of the vectors of a class against each other class in turn.
        A class without rows loses against every other.
        """
        dual, intercept = torch.from_numpy(made.dual_coef_), torch.from_numpy(made.intercept_)
        if self.epsilon is not None or self.outputs < 3:
            return dual, intercept
        known = made.classes_.tolist()
        if len(known) == 2:  # where scikit-learn has positive for the second class
            dual, intercept = -dual, -intercept
        of = torch.repeat_interleave(torch.arange(len(known)), torch.from_numpy(made.n_support_))
        rows = torch.zeros(len(self.pairs), dual.shape[1], dtype=dual.dtype)
        shifts = torch.zeros(len(self.pairs), dtype=dual.dtype)
        places = {pair: at for at, pair in enumerate(combinations(range(len(known)), 2))}
        for at, (i, j) in enumerate(self.pairs):
            if i not in known or j not in known:
                shifts[at] = float(i in known) - float(j in known)
                continue
            a, b = known.index(i), known.index(j)
            first, second = (b - 1, a) if len(known) > 2 else (0, 0)
            rows[at] = dual[first] * (of == a) + dual[second] * (of == b)
            shifts[at] = intercept[places[a, b]]
        return rows, shifts

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Take as many support vectors as are stored; older ones are told from zero."""
        state_dict.setdefault(prefix + "middle", torch.zeros_like(self.middle))
        stored = [state_dict.get(prefix + name) for name in ("support", "dual", "rows")]
        if all(s is not None for s in stored):
            count = len(stored[2]) if stored[2].ndim else 0  # type: ignore[union-attr, arg-type]
            self.support = self.support.new_zeros(count, self.support.shape[1])
            self.dual = self.dual.new_zeros(len(self.pairs), count)
            self.rows = self.rows.new_zeros(count)
        super()._load_from_state_dict(state_dict, prefix, *rest)
