"""The mathematics of the course: against NumPy, SciPy and scikit-learn, and worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import metrics as theirs

import chymist as cy
from chymist.errors import InputError, UsageError
from chymist.keys import generator
from chymist.maths.probability import distribution

maths = cy.maths
SEEDS = st.integers(0, 999)
GUESS = [0.4, 0.3, 0.05, 0.05, 0.2]


def some_distribution(seed: int, size: int) -> np.ndarray:
    return generator(seed, "p").dirichlet(np.full(size, 0.5))


# Norms


@given(SEEDS, st.integers(1, 9), st.sampled_from([0, 1, 1.5, 2, 3, 7, np.inf]))
@settings(max_examples=50, deadline=None)
def test_vector_norms(seed: int, size: int, p: float) -> None:
    x, y = generator(seed, "x").normal(size=(2, size))
    assert maths.vector_norm(x, p) == pytest.approx(np.linalg.norm(x, p), rel=1e-12)
    if p:  # the axioms; the count of what is not zero is not homogeneous
        assert maths.vector_norm(-3 * x, p) == pytest.approx(3 * maths.vector_norm(x, p))
        both = maths.vector_norm(x, p) + maths.vector_norm(y, p)
        assert maths.vector_norm(x + y, p) <= both * (1 + 1e-12)
    else:
        assert maths.vector_norm(-3 * x, 0) == maths.vector_norm(x, 0)


def test_norms_of_large_numbers_do_not_overflow() -> None:
    assert maths.vector_norm([3e200, 4e200]) == pytest.approx(5e200)
    assert maths.vector_norm([]) == maths.vector_norm([0.0]) == 0
    assert maths.vector_norm([1.0, np.inf]) == np.inf


@given(SEEDS, st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 2, "inf", "fro"]))
@settings(max_examples=40, deadline=None)
def test_matrix_norms(seed: int, rows: int, columns: int, kind: int | str) -> None:
    a = generator(seed, "a").normal(size=(rows, columns))
    expected = np.linalg.norm(a, np.inf if kind == "inf" else kind)
    assert maths.matrix_norm(a, kind) == pytest.approx(expected, rel=1e-12)
    if kind != "fro":  # no vector is stretched by more
        x, p = generator(seed, "x").normal(size=columns), float(kind)
        assert maths.vector_norm(a @ x, p) <= expected * maths.vector_norm(x, p) * (1 + 1e-12)


def test_norms_of_the_course() -> None:
    # Course: W65, W66, W67, W68.
    norms = [
        [round(maths.vector_norm(x, p), 6) for p in (0, 1, 2, 3, np.inf)] for x in ((1, 2), (3, 4))
    ]
    assert norms == [[2, 3, 2.236068, 2.080084, 2], [2, 7, 5, 4.497941, 4]]
    assert round(maths.vector_norm([2, 2]), 6) == 2.828427  # of the difference
    assert round(norms[1][2] - norms[0][2], 6) == 2.763932  # difference of the norms
    for other, distance in (((0, 1), 1.414214), ((-1, 0), 2)):
        assert maths.vector_norm(other) == maths.vector_norm((1, 0))
        assert round(maths.vector_norm(np.subtract((1, 0), other)), 6) == distance
    matrix = [[1, 2], [3, 4]]
    found = [round(maths.matrix_norm(matrix, kind), 6) for kind in (1, "inf", 2, "fro")]
    assert found == [
        6,
        7,
        5.464986,
        5.477226,
    ]  # not 4.472136 and 5, the lengths of a column and a row
    errors = torch.tensor([[3.0, 4.0]])
    assert cy.losses.mse(errors, torch.zeros(1, 2)).item() == 12.5
    assert maths.vector_norm([3, 4]) == 5


def test_no_norms() -> None:
    with pytest.raises(UsageError, match="no norm"):
        maths.vector_norm([1, 2], 0.5)
    with pytest.raises(UsageError, match="no such norm"):
        maths.matrix_norm([[1]], 3)
    with pytest.raises(InputError, match="not a vector"):
        maths.vector_norm([[1]])
    with pytest.raises(InputError, match="not a matrix"):
        maths.matrix_norm([1])


# Information


@given(SEEDS, st.integers(1, 8), st.sampled_from([("nats", None), ("bits", 2)]))
@settings(max_examples=50, deadline=None)
def test_information_against_scipy(seed: int, size: int, unit: tuple[str, float | None]) -> None:
    name, base = unit
    p, q = some_distribution(seed, size), some_distribution(seed + 1, size)
    assert maths.entropy(p, name) == pytest.approx(stats.entropy(p, base=base), abs=1e-12)
    assert maths.kl_divergence(p, q, name) == pytest.approx(
        stats.entropy(p, q, base=base), abs=1e-12
    )
    crossed = -np.sum(p * np.log(q)) / (np.log(2) if base else 1)
    assert maths.cross_entropy(p, q, name) == pytest.approx(crossed, abs=1e-12)
    assert maths.cross_entropy(p, p, name) == pytest.approx(maths.entropy(p, name))
    assert 0 <= maths.entropy(p) <= math.log(size) + 1e-12
    assert 0 <= maths.gini(p) <= 1 - 1 / size + 1e-12


@given(SEEDS, st.integers(2, 5), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_mutual_information_against_sklearn(seed: int, rows: int, columns: int) -> None:
    counts = generator(seed, "counts").integers(0, 9, (rows, columns)) + np.eye(
        rows, columns, dtype=int
    )
    expected = theirs.mutual_info_score(None, None, contingency=counts)
    assert maths.mutual_information(counts / counts.sum()) == pytest.approx(expected, abs=1e-12)
    assert maths.mutual_information(counts.T / counts.sum()) == pytest.approx(expected, abs=1e-12)


def test_information_of_the_course() -> None:
    # Course: W35, W36, W37, W38, W39, W63, W64.
    assert round(maths.gini([0.5, 0.5]), 6) == 0.5
    assert maths.entropy([0.5, 0.5], "bits") == 1
    assert maths.gini([1, 0]) == maths.entropy([1, 0]) == 0
    assert [round(maths.gini(np.full(k, 1 / k)), 4) for k in (2, 3, 10)] == [0.5, 0.6667, 0.9]
    truth, better = [1, 0, 0, 0, 0], [0.98, 0.01, 0, 0, 0.01]
    assert round(maths.cross_entropy(truth, GUESS), 6) == 0.916291
    assert round(maths.cross_entropy(truth, better), 6) == 0.020203
    assert round(maths.cross_entropy(truth, GUESS, "bits"), 6) == 1.321928
    assert round(maths.cross_entropy(truth, better, "bits"), 6) == 0.029146
    assert round(maths.cross_entropy([1, 0], [0.45, 0.55]), 6) == 0.798508
    assert maths.kl_divergence(GUESS, GUESS) == 0
    assert maths.cross_entropy(GUESS, GUESS) == maths.entropy(GUESS)
    assert maths.entropy([0.25] * 4, "bits") == 2
    assert round(maths.entropy([0.25] * 4), 6) == 1.386294
    assert round(maths.entropy(GUESS), 6) == 1.349169
    assert maths.entropy([0.5, 0.5]) > maths.entropy([0.9, 0.1])  # higher entropy, harder to guess
    assert (
        maths.kl_divergence([1, 0], [0.5, 0.5]) != maths.kl_divergence([0.5, 0.5], [1, 0]) == np.inf
    )


# Probability


@given(SEEDS, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_bayes_on_a_joint_table(seed: int, rows: int, columns: int) -> None:
    joint = some_distribution(seed, rows * columns).reshape(rows, columns) + 1e-6
    joint /= joint.sum()
    a, b = maths.marginal(joint, 0), maths.marginal(joint, 1)
    np.testing.assert_allclose(maths.conditional(joint, given=1) * b, joint, atol=1e-15)
    likelihoods = maths.conditional(joint, given=0)
    for seen in range(columns):  # turned round, the likelihoods give the other conditional
        turned = maths.posterior(a, likelihoods[:, seen])
        np.testing.assert_allclose(turned, maths.conditional(joint, given=1)[:, seen], atol=1e-12)
    assert maths.independent(np.outer(a, b))
    assert maths.independent(joint) == (
        maths.mutual_information(joint) < 1e-15 or min(rows, columns) == 1
    )


@given(SEEDS, st.integers(1, 7))
@settings(max_examples=30, deadline=None)
def test_moments_against_scipy(seed: int, size: int) -> None:
    p, values = some_distribution(seed, size), np.arange(size) * 2.0 - 3
    drawn = stats.rv_discrete(values=(np.arange(size), p))
    assert maths.expectation(values, p) == pytest.approx(2 * drawn.mean() - 3, abs=1e-12)
    assert maths.variance(values, p) == pytest.approx(4 * drawn.var(), abs=1e-12)


def test_samples_follow_the_distribution() -> None:
    drawn = maths.sample(GUESS, 20_000, seed=3)
    assert stats.chisquare(np.bincount(drawn), 20_000 * np.array(GUESS)).pvalue > 1e-3
    assert (drawn == maths.sample(GUESS, 20_000, seed=3)).all()
    assert (drawn != maths.sample(GUESS, 20_000, seed=4)).any()


@pytest.mark.parametrize("wrong", [[0.5, 0.6], [1.5, -0.5], [], [np.nan, 1.0], [[0.5, 0.5]]])
def test_no_distributions(wrong: list[float]) -> None:
    for function in (maths.entropy, maths.gini, distribution):
        with pytest.raises(InputError, match=r"probabilit|distribution"):
            function(wrong)


def test_what_cannot_happen() -> None:
    with pytest.raises(InputError, match="cannot happen"):
        maths.conditional([[1, 0], [0, 0]], given=1)
    with pytest.raises(InputError, match="cannot happen"):
        maths.posterior([1, 0], [0, 1])
    with pytest.raises(InputError, match="does not fit"):
        maths.posterior([1, 0], [0.5])
    with pytest.raises(InputError, match="give 2 outcomes"):
        maths.kl_divergence([0.5, 0.5], [0.2, 0.3, 0.5])


# Calculus


@given(SEEDS, st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_softmax_jacobian_against_autograd(seed: int, size: int) -> None:
    z = generator(seed, "z").normal(0, 4, size)
    ours = maths.softmax_jacobian(z)
    auto = torch.autograd.functional.jacobian(lambda t: torch.softmax(t, 0), torch.from_numpy(z))
    np.testing.assert_allclose(ours, auto.numpy(), atol=1e-14)
    np.testing.assert_allclose(ours.sum(1), 0, atol=1e-15)


def test_sigmoid_derivative_against_autograd() -> None:
    z = torch.linspace(-40, 40, 81, dtype=torch.float64, requires_grad=True)
    torch.sigmoid(z).sum().backward()
    found = maths.sigmoid_derivative(z.detach().numpy())
    np.testing.assert_allclose(found, z.grad.numpy(), rtol=1e-9, atol=3e-16)
    assert found.max() == 0.25
    assert maths.sigmoid_derivative([-700.0, 700.0]).min() > 0


def test_softmax_of_the_course() -> None:
    # Course: W61, W62, W96.
    jacobian = maths.softmax_jacobian([1, 2, 3])
    assert special.softmax([1, 2, 3]).round(6).tolist() == [0.090031, 0.244728, 0.665241]
    assert jacobian.diagonal().round(6).tolist() == [0.081925, 0.184836, 0.222695]
    assert [round(jacobian[i, j], 6) for i, j in ((0, 1), (0, 2), (1, 2))] == [
        -0.022033,
        -0.059892,
        -0.162803,
    ]
    # The cross entropy's gradient is the predicted less the true distribution.
    logits = torch.tensor(np.log(GUESS)[None], requires_grad=True)
    cy.losses.cross_entropy(logits, torch.tensor([0])).backward()
    assert logits.grad.numpy().round(6).tolist() == [[-0.6, 0.3, 0.05, 0.05, 0.2]]
    chained = -(special.softmax(np.log(GUESS))[0] ** -1) * maths.softmax_jacobian(np.log(GUESS))[0]
    np.testing.assert_allclose(chained, logits.grad.numpy()[0], atol=1e-12)
    ratios = [np.divide(*special.softmax(z)[::-1]) for z in ((1, 2), (0.1, 0.2), (2, 4))]
    assert np.round(ratios, 3).tolist() == [2.718, 1.105, 7.389]


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_slopes_of_a_quadratic(seed: int, size: int) -> None:
    rng = generator(seed, "quadratic")
    a, b, at, way = rng.normal(size=(size, size)), *rng.normal(size=(3, size))
    gradient = (a + a.T) @ at + b

    def function(x: np.ndarray) -> float:
        return float(x @ a @ x + b @ x)

    np.testing.assert_allclose(maths.numerical_gradient(function, at), gradient, atol=1e-6)
    slope = maths.directional_derivative(function, at, way)
    assert slope == pytest.approx(gradient @ way / np.linalg.norm(way), abs=1e-6)
    assert slope <= np.linalg.norm(gradient) + 1e-6
    level = maths.level_set_directions(gradient)
    assert level.shape == (size - 1, size)
    np.testing.assert_allclose(level @ gradient, 0, atol=1e-9)
    for way in level:
        assert maths.directional_derivative(function, at, way) == pytest.approx(0, abs=1e-6)


def test_slopes_of_the_course() -> None:
    # Course: W88, W89.
    def bowl(x: np.ndarray) -> float:
        return float(x @ x)

    assert maths.numerical_gradient(bowl, [1, 2]).round(6).tolist() == [2, 4]
    steepest = maths.directional_derivative(bowl, [1, 2], [2, 4])
    assert round(steepest, 6) == 4.472136
    turns = np.linspace(0, 2 * np.pi, 181)
    ways = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    assert max(maths.directional_derivative(bowl, [1, 2], way) for way in ways) <= steepest + 1e-9
    assert round(maths.directional_derivative(bowl, [1, 2], [2, -1]), 6) == 0

    def absolute(x: np.ndarray) -> float:
        return abs(float(x[0]))

    sides = [maths.directional_derivative(absolute, [0], [way]) for way in (1, -1)]
    assert sides == [1, 1]  # so that d/dx from the right is 1, from the left -1: no derivative


def test_convexity_of_the_course() -> None:
    # Course: W71.
    assert maths.midpoint_convex(lambda x: x**2, 0, 2)
    assert not maths.midpoint_convex(lambda x: -(x**2), 0, 2)
    rng = generator(0, "pairs")
    for a, b in rng.normal(0, 3, (50, 2, 4)):
        assert maths.midpoint_convex(special.logsumexp, a, b)  # the softmax loss is convex
    assert not all(
        maths.midpoint_convex(lambda x: np.sin(x).sum(), a, b)
        for a, b in rng.normal(0, 3, (50, 2, 1))
    )


def test_products_of_many_factors() -> None:
    # Course: W75, W76.
    assert round(1.1**100, 1) == 13780.6
    assert f"{0.9**100:.3e}" == "2.656e-05"
    steepest = float(maths.sigmoid_derivative(0.0))
    assert [f"{steepest**depth:.2e}" for depth in (10, 20)] == ["9.54e-07", "9.09e-13"]
    powers = [np.linalg.matrix_power([[w]], 999)[0, 0] for w in (1.01, 1, 0.99, 0.01)]
    assert round(powers[0], 1) == 20751.6
    assert powers[1] == 1
    assert f"{powers[2]:.2e}" == "4.36e-05"
    assert powers[3] == 0


def test_bad_points() -> None:
    with pytest.raises(InputError, match="no direction"):
        maths.directional_derivative(lambda x: 0.0, [1, 2], [0, 0])
    with pytest.raises(InputError, match="no level set"):
        maths.level_set_directions([0, 0])
    with pytest.raises(InputError, match="not a vector"):
        maths.softmax_jacobian([[1]])


# Relations


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_equal_labels_are_an_equivalence(labels: list[int]) -> None:
    values = np.array(labels)
    classes = maths.equivalence_classes(values[:, None] == values)
    assert sorted(i for members in classes for i in members) == list(range(len(labels)))
    assert all(len(set(values[members])) == 1 for members in classes)
    assert len(classes) == len(set(labels))


def test_what_is_no_equivalence() -> None:
    near = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) <= 1
    assert maths.relation_properties(near) == {
        "reflexive": True,
        "symmetric": True,
        "transitive": False,
    }
    with pytest.raises(InputError, match="not transitive"):
        maths.equivalence_classes(near)
    with pytest.raises(InputError, match="not reflexive"):
        maths.equivalence_classes([[0, 0], [0, 1]])
    with pytest.raises(InputError, match="square"):
        maths.relation_properties([[1, 0]])
