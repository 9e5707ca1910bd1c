"""Similar rows, similar outputs: a criterion without labels (S032, claim 4:236)."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.csgraph
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import kneighbors_graph

import chymist as cy
from chymist.errors import InputError

maths = cy.maths


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_neighbors_as_scikit_learn_has_them() -> None:
    rows = drawn(0, 60, 5)
    graph = kneighbors_graph(rows, 7).toarray()
    np.testing.assert_array_equal(maths.neighbor_weights(rows, 7), np.maximum(graph, graph.T))
    far = rows + 1e6  # distances of rows far from 0 are the same
    np.testing.assert_array_equal(maths.neighbor_weights(far, 7), maths.neighbor_weights(rows, 7))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 12), k=st.integers(1, 4))
def test_the_sum_over_pairs_and_the_laplacian(seed: int, n: int, k: int) -> None:
    outputs, weights = drawn(seed, n, k), np.abs(drawn(seed + 1, n, n))
    dense = sum(
        weights[i, j] * ((outputs[i] - outputs[j]) ** 2).sum() for i in range(n) for j in range(n)
    )
    assert maths.smoothness(outputs, weights) == pytest.approx(dense, rel=1e-9)
    both = weights + weights.T
    np.fill_diagonal(both, 0)
    laplacian = scipy.sparse.csgraph.laplacian(both)
    assert maths.smoothness(outputs, weights) == pytest.approx(
        np.trace(outputs.T @ laplacian @ outputs), rel=1e-9
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-50, 50), scale=st.floats(0.1, 10))
def test_the_share_against_its_definition(seed: int, shift: float, scale: float) -> None:
    outputs, weights = drawn(seed, 9, 2), np.abs(drawn(seed + 1, 9, 9))
    np.fill_diagonal(weights, 0)
    squares = ((outputs[:, None] - outputs[None]) ** 2).sum(2)
    expected = (weights * squares).sum() / weights.sum() / (squares.sum() / (9 * 8))
    assert maths.inconsistency(outputs, weights) == pytest.approx(expected, rel=1e-9)
    moved = maths.inconsistency(shift + scale * outputs, weights)
    assert moved == pytest.approx(expected, rel=1e-6)


def test_shuffled_outputs_have_share_one_on_average() -> None:
    weights, outputs = maths.neighbor_weights(drawn(0, 50, 2), 5), drawn(1, 50)
    random = np.random.default_rng(2)
    found = [maths.inconsistency(random.permutation(outputs), weights) for _ in range(400)]
    assert np.mean(found) == pytest.approx(1, abs=4 * np.std(found) / 20)


def test_a_good_function_of_iris_and_digits_is_found_without_labels() -> None:
    """Ranked by the share alone: a trained model, the same model hardly trained, then chance."""
    for name, data in (("iris", cy.load("iris")), ("digits", cy.load("digits"))):
        split = cy.split(data, test=0.2, valid=0.2, seed=0)
        inputs = np.asarray(data.inputs if name == "digits" else np.stack(
            [np.asarray(column, float) for column in data.inputs.values()], 1))  # fmt: skip
        weights = maths.neighbor_weights(inputs[split.valid], 5)
        shares, errors = [], []
        for recipe in (cy.Recipe(model="softmax", length="20 epochs"),
                       cy.Recipe(model="softmax", length="1 step")):  # fmt: skip
            run = cy.fit(recipe, split)
            shares.append(maths.inconsistency(run.predictions.outputs, weights))
            errors.append(1 - run.score.value)
        chance = np.random.default_rng(0).permutation(run.predictions.outputs)
        shares.append(maths.inconsistency(chance, weights))
        assert errors[0] < errors[1]
        assert shares == sorted(shares), (name, shares)


def test_the_same_for_all_is_no_good_function() -> None:
    """C366: a constant has no differences at all, so the sum alone would choose it."""
    weights = maths.neighbor_weights(drawn(0, 20, 2), 3)
    constant = np.full((20, 3), 0.1)
    assert maths.smoothness(constant, weights) == 0
    assert maths.inconsistency(constant, weights) == 1
    two_groups = maths.neighbor_weights(np.r_[drawn(1, 10, 2), drawn(2, 10, 2) + 50], 3)
    assert maths.inconsistency(np.repeat([0, 1], 10), two_groups) == 0


def test_what_does_not_fit_is_told() -> None:
    for call in (
        lambda: maths.neighbor_weights([[1.0], [2.0]], 2),
        lambda: maths.neighbor_weights([[1.0], [np.nan]], 1),
        lambda: maths.smoothness([1.0, 2.0], [[0.0]]),
        lambda: maths.smoothness([1.0, 2.0], [[0.0, -1.0], [-1.0, 0.0]]),
        lambda: maths.smoothness([1.0, np.inf], np.ones((2, 2))),
        lambda: maths.inconsistency([1.0, 2.0], np.zeros((2, 2))),
    ):
        with pytest.raises(InputError):
            call()
