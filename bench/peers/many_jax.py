"""JAX: `vmap` over members, `scan` over steps, jitted as one program; Adam written out.

Optax's Adam is the same arithmetic, and one more package.
"""

from __future__ import annotations

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from bench.populations import Many, drawn, stacked

B1, B2, EPSILON = 0.9, 0.999, 1e-8
WIDTHS = {"digits": (64, 128, 10)}


def outputs(weights, x):
    """Class scores of a network of affine maps with ReLU between them."""
    *hidden, (last, bias) = weights
    for matrix, shift in hidden:
        x = jax.nn.relu(x @ matrix + shift)
    return x @ last + bias


def loss_of(weights, x, y, importance):
    """Mean cross entropy of the rows that count."""
    chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs(weights, x)), y[:, None], 1)[:, 0]
    return -(importance * chosen).sum() / importance.sum()


def fit_one(weights, rows, rate):
    """One member: all its steps, then the scores of its held-out rows."""

    def step(state, batch):
        weights, first, second, count = state
        index, importance = batch
        slopes = jax.grad(loss_of)(weights, rows["x"][index], rows["y"][index], importance)
        count = count + 1
        first = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, first, slopes)
        second = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, second, slopes)
        size, root = rate / (1 - B1**count), jnp.sqrt(1 - B2**count)
        weights = jax.tree.map(
            lambda w, m, v: w - size * m / (jnp.sqrt(v) / root + EPSILON), weights, first, second
        )
        return (weights, first, second, count), None

    zeros = jax.tree.map(jnp.zeros_like, weights)
    start = weights, zeros, zeros, jnp.float32(0)
    (weights, *_), _ = jax.lax.scan(step, start, (rows["order"], rows["weights"]))
    return outputs(weights, rows["held"])


jax.devices()  # makes ready what torch makes ready when it is imported
fit_all = jax.jit(jax.vmap(fit_one))


def train(task: Many) -> np.ndarray:
    """Scores of the held-out rows of all members, in their order."""
    widths, members = WIDTHS[task.workload.net], task.members
    generator = np.random.default_rng(task.seed)
    weights = [
        tuple(drawn(a, (len(members), *shape), generator) for shape in ((a, b), (b,)))
        for a, b in pairwise(widths)
    ]
    rates = np.array([member.rate for member in members], np.float32)
    rows = stacked(task)
    rows = {**rows, "y": rows["y"].astype(np.int32)}
    found = np.asarray(fit_all(weights, rows, rates))
    parts = zip(found, members, strict=True)
    return np.concatenate([scores[: len(member.held)] for scores, member in parts])
