"""Criteria of a cut, as functions of class weights: how mixed a node is, and what a cut gains.

Counts are weights of rows by class, so that fractions of rows (missing values) and weighted rows
count as what they are. Entropies are in bits, and 0 log 0 = 0.
"""

from __future__ import annotations

import numpy as np


def node_entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy of a node in bits: H = -sum_k p_k log2 p_k, with p_k = n_k / n; 0 of nothing.

    Args:
        counts: weight of each class, (..., classes).

    Returns:
        Bits, (...).

    Example:
        >>> float(node_entropy(np.array([5, 5]))), float(node_entropy(np.array([10, 0])))
        (1.0, 0.0)

    Source: Shannon 1948.
    """
    shares = counts / np.maximum(counts.sum(-1), TINY)[..., None]
    bits: np.ndarray = 0.0 - n_log_n(shares).sum(-1)
    return bits


def node_gini(counts: np.ndarray) -> np.ndarray:
    """Gini impurity of a node: 1 - sum_k p_k^2; 0 of a pure one, 1 - 1/K of K equal classes.

    Args:
        counts: weight of each class, (..., classes).

    Returns:
        Chance that two rows, drawn with replacement, are of different classes, (...).

    Example:
        >>> float(node_gini(np.array([5, 5]))), float(node_gini(np.array([10, 0])))
        (0.5, 0.0)

    Source: Gini 1912; Breiman, Friedman, Olshen, Stone 1984, chapter 4.
    """
    total = counts.sum(-1)
    shares = counts / np.maximum(total, TINY)[..., None]
    impurity: np.ndarray = np.where(total > 0, 1.0 - (shares**2).sum(-1), 0.0)
    return impurity


def information_gain(counts: np.ndarray) -> float:
    """Information gain of a cut: H(D) - sum_v |D_v| / |D| H(D_v).

    Args:
        counts: weight of each class in each branch, (branches, classes).

    Returns:
        Bits, at least 0.

    Example:
        >>> round(information_gain(np.array([[2, 3], [4, 0], [3, 2]])), 3)  # play tennis, outlook
        0.247

    Source: Quinlan 1986, Induction of decision trees.
    """
    shares = counts.sum(1) / max(counts.sum(), TINY)
    return max(0.0, float(node_entropy(counts.sum(0)) - (shares * node_entropy(counts)).sum()))


def split_information(weights: np.ndarray) -> float:
    """Split information (intrinsic value) of a cut: -sum_v |D_v| / |D| log2 (|D_v| / |D|).

    Args:
        weights: weight of the rows in each branch, (branches,); with missing values, the weight
            of the rows that have none is one more entry.

    Returns:
        Bits.

    Example:
        >>> round(split_information(np.array([5, 4, 5])), 3)
        1.577

    Source: Quinlan 1993, C4.5: programs for machine learning, section 2.2.
    """
    return float(node_entropy(np.asarray(weights)))


def gain_ratio(counts: np.ndarray) -> float:
    """Gain ratio of a cut: information gain / split information; 0 if there is but one branch.

    Args:
        counts: weight of each class in each branch, (branches, classes).

    Example:
        >>> round(gain_ratio(np.array([[2, 3], [4, 0], [3, 2]])), 3)
        0.156

    Source: Quinlan 1993, section 2.2.
    """
    bits = split_information(counts.sum(1))
    return information_gain(counts) / bits if bits > 0 else 0.0


def gini_index(counts: np.ndarray) -> float:
    """Gini index of a cut: sum_v |D_v| / |D| Gini(D_v); the smaller, the better.

    Args:
        counts: weight of each class in each branch, (branches, classes).

    Example:
        >>> gini_index(np.array([[5, 0], [0, 5]])), gini_index(np.array([[3, 3], [2, 2]]))
        (0.0, 0.5)

    Source: Breiman, Friedman, Olshen, Stone 1984, section 2.4.
    """
    return float((counts.sum(1) * node_gini(counts)).sum() / max(counts.sum(), TINY))


def n_log_n(values: np.ndarray | float) -> np.ndarray:
    """n log2 n, and 0 of 0: entropies are sums of these."""
    safe = np.where(values > 0, values, 1.0)
    bits: np.ndarray = safe * np.log2(safe)
    return bits


TINY = 1e-300  # keeps 0 / 0 at 0
