"""Floors for nodes of a graph: what the edges alone say, and what the features alone say."""

from __future__ import annotations

import warnings

import numpy as np

Array = np.ndarray
ALPHA, PASSES = 0.9, 50  # share of what neighbours say, and how often they say it
HIDDEN, ITERATIONS = 16, 200


def label_propagation(
    edges: Array, nodes: int, train: Array, targets: Array, classes: int, rows: Array
) -> Array:
    """Chances of the classes from those of the neighbours, which have them from theirs.

    F <- a D^-1/2 A D^-1/2 F + (1 - a) Y, with a = 0.9, 50 times; Y holds the classes of training
    nodes.

    Args:
        edges: source and target of each, (2, edges).
        nodes: number of nodes.
        train: training nodes.
        targets: their classes.
        classes: number of classes.
        rows: nodes that are asked for.

    Returns:
        (rows, classes), each row of sum 1; a node that nothing reaches has the frequencies of the
        training nodes.

    Example:
        >>> path = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> label_propagation(path, 3, np.array([0]), np.array([1]), 2, np.array([2])).tolist()
        [[0.0, 1.0]]

    Source: Zhou et al. 2004, Learning with local and global consistency.
    """
    from scipy.sparse import csr_matrix

    sources, goals = edges
    root = 1 / np.sqrt(np.maximum(np.bincount(goals, minlength=nodes), 1))
    walk = csr_matrix((root[sources] * root[goals], (goals, sources)), (nodes, nodes))
    known = np.zeros((nodes, classes))
    known[train, targets] = 1
    found = known.copy()
    for _ in range(PASSES):
        found = ALPHA * (walk @ found) + (1 - ALPHA) * known
    asked = found[rows]
    total = asked.sum(1, keepdims=True)
    often = np.bincount(targets, minlength=classes) / len(targets)
    chances: Array = np.where(total > 0, asked / np.where(total > 0, total, 1), often)
    return chances


def perceptron_floor(x_train: Array, y: Array, x: Array, classes: int, seed: int) -> Array:
    """Chances by a perceptron of 16 hidden units on the features alone, no edges, (rows, classes).

    Args:
        x_train, x: features of training rows and of others.
        y: classes of the training rows.
        classes: number of classes.
        seed: of its weights.

    Example:
        >>> x, y = np.repeat(np.eye(2), 20, axis=0), np.repeat([0, 1], 20)
        >>> perceptron_floor(x, y, x, 2, seed=0).argmax(1).tolist() == y.tolist()
        True
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((HIDDEN,), alpha=0.05, learning_rate_init=0.01, max_iter=ITERATIONS,
                          batch_size=len(y), random_state=seed % 2**32)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x_train, y)
    chances = np.zeros((len(x), classes))
    chances[:, model.classes_] = model.predict_proba(x)
    return chances
