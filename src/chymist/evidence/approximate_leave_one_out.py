"""Leave-one-out of logistic and softmax regression by one Newton step a row, with an audit.

There is no closed form, but the optimum without a row is near the optimum with it: one Newton step
goes most of the way, and the Hessian without a row differs from the common one by a small block.
How far it goes is measured: some rows are left out in earnest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chymist import keys
from chymist.errors import Diverged, UsageError
from chymist.evidence.leave_one_out import Array, class_counts, finite_matrix, in_parts

MOST_STEPS = 200
DECREMENT = 1e-20  # squared length of a Newton step, in its own metric, that ends the fit
MOST_WEIGHTS = 6000  # whose Hessian takes 300 MB
INFLUENTIAL = 5  # rows that the step moves most, refitted beside the random ones

LogisticKind = Literal["logistic", "softmax"]


@dataclass(frozen=True)
class Audit:
    """How far approximate leave-one-out is from refits, in probability of the true class.

    Args:
        rows: random rows that were refitted.
        influential: further rows that were refitted, those which the approximation moves most.
        largest: largest difference, over both.
        mean: mean absolute difference over the random rows.
        correlation: between what leaving a row out changes by refits and by the approximation,
            over both; NaN if one of them changes nothing.
        labels_changed: refitted rows whose predicted class differs, of both.

    Example:
        >>> print(Audit(30, 5, 0.004, 0.0001, 0.9991, 0))
        approximate: on 30 random rows it is off by 0.0001 on average, by 0.004 at most
        (5 influential rows counted), correlation of effects 0.999, labels that differ: 0
    """

    rows: int
    influential: int
    largest: float
    mean: float
    correlation: float
    labels_changed: int

    def __str__(self) -> str:
        return (
            f"approximate: on {self.rows} random rows it is off by {self.mean:.2g} on average,"
            f" by {self.largest:.2g} at most ({self.influential} influential rows counted),"
            f" correlation of effects {self.correlation:.3f},"
            f" labels that differ: {self.labels_changed}"
        )


@dataclass(frozen=True, eq=False)
class SoftmaxFit:
    """A fitted logistic or softmax regression.

    Args:
        shift, scale: of the columns, (features,).
        weights: (features + 1, outputs), the intercepts last; outputs is 1 for logistic.
    """

    shift: Array
    scale: Array
    weights: Array

    def logits(self, inputs: Array) -> Array:
        """Log-odds (n, 1) or class scores (n, classes)."""
        return np.asarray(_with_ones((inputs - self.shift) / self.scale) @ self.weights)


def fit_softmax(
    inputs: Array, labels: Array, penalty: float, *, kind: LogisticKind = "softmax",
    standardize: bool | Array = True, start: Array | None = None,
) -> SoftmaxFit:  # fmt: skip
    """Logistic or softmax regression by Newton's method, to the last digits.

    Minimises sum_i loss_i + penalty / 2 |W|^2 on columns that are standardised on these rows; the
    intercepts are not penalised. It is scikit-learn's LogisticRegression with C = 1 / penalty.

    Args:
        inputs: (n, features).
        labels: class indices, (n,).
        penalty: > 0, summed over rows.
        kind: "logistic" has one weight vector, for two classes; "softmax" one for each class.
        standardize: whether columns are standardised; or which, (features,).
        start: weights to start from; None starts from zero.

    Returns:
        The fit.

    Raises:
        InputError: wrong shapes or values, one class only.
        UsageError: a penalty that is not positive, logistic with more than two classes, or more
            than 6,000 weights.
        Diverged: no optimum in 200 steps.

    Example:
        >>> fit = fit_softmax(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1]), 1.0)
        >>> fit.logits(np.array([[1.5]])).argmax(1).shape
        (1,)

    Source: Bishop 2006, sections 4.3.3 and 4.3.4.
    """
    x, y = finite_matrix(inputs), np.asarray(labels)
    classes = len(class_counts(y, len(x)))
    if kind == "logistic" and classes > 2:
        raise UsageError("logistic regression is for two classes", received=f"{classes} classes",
                         do="use softmax")  # fmt: skip
    if not (np.isfinite(penalty) and penalty > 0):
        raise UsageError("the optimum may be infinitely far away", where="penalties",
                         received=str(penalty), do="give a number above 0")  # fmt: skip
    varied = np.ptp(x, 0) > 0
    scale = np.where(np.asarray(standardize, bool) & varied, x.std(0), 1.0)
    shift = x.mean(0)
    wide, hot = _with_ones((x - shift) / scale), np.eye(classes)[y]
    penalties = np.append(np.full(x.shape[1], float(penalty)), 0.0)
    columns = slice(1, None) if kind == "logistic" else slice(None)
    weights = np.zeros((wide.shape[1], hot[:, columns].shape[1])) if start is None else start
    if weights.size > MOST_WEIGHTS:
        raise UsageError("too many weights for Newton's method", received=f"{weights.size}",
                         do=f"give fewer columns, {MOST_WEIGHTS} weights at most")  # fmt: skip
    return SoftmaxFit(shift, scale, _newton(wide, hot[:, columns], penalties, weights))


def approximate_softmax(
    inputs: Array, labels: Array, penalty: float, *, kind: LogisticKind = "softmax",
    standardize: bool | Array = True, rows: int = 30, seed: int = 0,
) -> tuple[Array, Audit]:  # fmt: skip
    """Approximate leave-one-out class probabilities: one Newton step for each row, with an audit.

    With p the probabilities, r = p_i - onehot(y_i), W = diag(p_i) - p_i p_i^T, H the Hessian of all
    rows, Z the inputs of row i (one column an output), A = Z^T H^-1 Z:

        logits_i' = logits_i + (I - A W)^-1 (A r + Z^T H^-1 c)

    c is the change of the penalty's gradient, because without the row the columns have other
    scales. The audit refits the model, scales included, without each of some rows.

    Args:
        inputs, labels, penalty, kind, standardize: as in `fit_softmax`; every class needs two rows.
        rows: random rows that are refitted for the audit, and 5 influential ones beside.
        seed: seed of their choice.

    Returns:
        Probabilities (n, classes), and the audit.

    Raises:
        InputError, UsageError, Diverged: as in `fit_softmax`.

    Example:
        >>> x, y = np.arange(8.0)[:, None], np.array([0, 0, 1, 0, 1, 0, 1, 1])
        >>> made, audit = approximate_softmax(x, y, 1.0, kind="logistic", rows=3)
        >>> made.shape, audit.largest < 0.1
        ((8, 2), True)

    Source: Rad, Maleki 2020, A scalable estimate of the out-of-sample prediction error;
    Pregibon 1981, Logistic regression diagnostics.
    """
    x, y = finite_matrix(inputs), np.asarray(labels)
    class_counts(y, len(x), 2)
    fit = fit_softmax(x, y, penalty, kind=kind, standardize=standardize)
    scaled = np.asarray(standardize, bool) & (np.ptp(x, 0) > 0)
    logits = _stepped((x - fit.shift) / fit.scale, y, fit.weights, penalty, scaled)
    made, inside = class_probabilities(logits), class_probabilities(fit.logits(x))
    truth = np.arange(len(x)), y
    drawn = np.sort(keys.generator(seed, "audit").permutation(len(x))[:rows])
    moved = np.setdiff1d(np.argsort(-np.abs(made[truth] - inside[truth]))[:INFLUENTIAL], drawn)
    both = np.concatenate([drawn, moved])

    def refitted(row: int) -> Array:
        kept = np.arange(len(x)) != row
        refit = fit_softmax(x[kept], y[kept], penalty, kind=kind, standardize=standardize,
                            start=fit.weights)  # fmt: skip
        return np.asarray(class_probabilities(refit.logits(x[row : row + 1]))[0])

    exact = np.array([refitted(row) for row in both.tolist()]).reshape(-1, made.shape[1])
    return made, _audited(exact, made[both], inside[both], y[both], len(drawn))


def class_probabilities(logits: Array) -> Array:
    """Probabilities (n, classes) from log-odds (n, 1) or class scores (n, classes).

    Example:
        >>> class_probabilities(np.zeros((1, 1))).tolist()
        [[0.5, 0.5]]
    """
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _newton(x: Array, hot: Array, penalties: Array, weights: Array) -> Array:
    """The optimum, from weights to start at; penalties (features + 1,) are those of each row."""
    value, gradient = _objective(x, hot, penalties, weights)
    for _ in range(MOST_STEPS):
        hessian = _hessian(x, x @ weights, penalties)
        step = np.linalg.solve(hessian, gradient.ravel()).reshape(weights.shape)
        decrement, length = float((gradient * step).sum()), 1.0
        while length > 1e-10:
            tried = weights - length * step
            after, slope = _objective(x, hot, penalties, tried)
            # Near the optimum the values differ by rounding only, and a full step is right.
            if after <= value - 1e-4 * length * decrement or decrement < 1e-9 * (1 + abs(value)):
                break
            length /= 2
        weights, value, gradient = tried, after, slope
        if decrement < DECREMENT * (1 + abs(value)):
            return np.asarray(weights)
    raise Diverged("logistic regression found no optimum", received=f"{MOST_STEPS} Newton steps",
                   do="raise the penalty")  # fmt: skip


def _objective(x: Array, hot: Array, penalties: Array, weights: Array) -> tuple[float, Array]:
    """Penalised loss, and its gradient (features + 1, outputs)."""
    logits = x @ weights
    padded = logits if hot.shape[1] > 1 else np.concatenate([np.zeros_like(logits), logits], axis=1)
    peak = padded.max(1, keepdims=True)
    total = np.log(np.exp(padded - peak).sum(1)) + peak[:, 0]
    shrunk = penalties[:, None] * weights
    value = float(total.sum() - (hot * logits).sum() + 0.5 * (shrunk * weights).sum())
    return value, np.asarray(x.T @ (_own(logits) - hot) + shrunk)


def _own(logits: Array) -> Array:
    """Probabilities (n, outputs): of class 1 for logistic regression."""
    made = class_probabilities(logits)
    return np.asarray(made[:, 1:] if logits.shape[1] == 1 else made)


def _hessian(x: Array, logits: Array, penalties: Array) -> Array:
    """Hessian (features + 1) * outputs squared, made regular for softmax."""
    p = _own(logits)
    features, outputs = x.shape[1], p.shape[1]
    made = np.empty((features, outputs, features, outputs))
    for a in range(outputs):
        for b in range(a, outputs):
            made[:, a, :, b] = (x * (p[:, a] * ((a == b) - p[:, b]))[:, None]).T @ x
            made[:, b, :, a] = made[:, a, :, b].T
        made[:, a, :, a] += np.diag(penalties)
    if outputs > 1:
        # A common shift of all intercepts changes nothing. No gradient has a part along it, so
        # any curvature there gives the same steps.
        made[-1, :, -1, :] += 1.0
    return np.asarray(made.reshape(features * outputs, -1))


def _stepped(x: Array, y: Array, weights: Array, penalty: float, scaled: Array) -> Array:
    """Logits (n, outputs) after one Newton step without each row; x is centred."""
    n, outputs = len(x), weights.shape[1]
    wide = _with_ones(x)
    penalties = np.append(np.full(x.shape[1], float(penalty)), 0.0)
    logits = wide @ weights
    inverse = np.linalg.inv(_hessian(wide, logits, penalties))
    inverse = inverse.reshape(len(weights), outputs, len(weights), outputs)
    p = _own(logits)
    residuals = p - (np.eye(outputs)[y] if outputs > 1 else y[:, None])
    # Squared scales of the other rows, in units of those of all rows.
    scales = np.where(scaled, (n - n / (n - 1) * x**2) / (n - 1), 1.0)
    made = np.empty_like(logits)
    for part in in_parts(np.arange(n), outputs**2 * len(weights)):
        across = np.tensordot(wide[part], inverse, axes=1)  # Z^T H^-1, (rows, out, features, out)
        block = np.einsum("rafb,rf->rab", across, wide[part])
        curves = p[part][:, :, None] * (np.eye(outputs) - p[part][:, None, :])
        change = penalty * (1 - scales[part])[:, :, None] * weights[:-1]
        ahead = np.einsum("rafb,rfb->ra", across[:, :, :-1], change)
        ahead += np.einsum("rab,rb->ra", block, residuals[part])
        solved = np.linalg.solve(np.eye(outputs) - block @ curves, ahead[:, :, None])
        made[part] = logits[part] + solved[:, :, 0]
    return np.asarray(made)


def _audited(exact: Array, made: Array, inside: Array, labels: Array, drawn: int) -> Audit:
    """Refits compared with the approximation, on rows of which the first ones are random."""
    truth = np.arange(len(labels)), labels
    off = np.abs(exact[truth] - made[truth])
    true, found = exact[truth] - inside[truth], made[truth] - inside[truth]
    varied = len(true) > 1 and min(np.ptp(true), np.ptp(found)) > 0
    return Audit(
        drawn, len(labels) - drawn, float(off.max()), float(off[:drawn].mean()),
        float(np.corrcoef(true, found)[0, 1]) if varied else float("nan"),
        int((exact.argmax(1) != made.argmax(1)).sum()),
    )  # fmt: skip


def _with_ones(x: Array) -> Array:
    """Inputs with a last column of ones, for the intercepts."""
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)
