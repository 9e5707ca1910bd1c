"""Principal components and k-means against scikit-learn, and what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

import chymist as cy
from chymist.data.preparation import fit_preparation
from chymist.errors import InputError, UsageError
from chymist.keys import generator


def low_rank(rank: int = 3, rows: int = 300, features: int = 10, noise: float = 0.3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, rank)) @ (2 * rng.normal(size=(rank, features))) + (
        noise * rng.normal(size=(rows, features)))  # fmt: skip


@pytest.mark.parametrize("name", ["iris", "wine", "digits"])
def test_components_and_variances_equal_scikit_learn(name):
    data = cy.load(name)
    found = cy.pca(data)
    x = fit_preparation(data, np.arange(len(data)), {}).inputs(data.inputs, np.float64)
    x = x.reshape(len(x), -1).astype(np.float64)
    oracle = PCA().fit(x)
    np.testing.assert_allclose(found.variances, oracle.explained_variance_, atol=1e-9)
    np.testing.assert_allclose(found.shares, oracle.explained_variance_ratio_, atol=1e-9)
    kept = found.kept
    assert kept == PCA(n_components=0.95, svd_solver="full").fit(x).n_components_
    np.testing.assert_allclose(np.abs(found.transform(x)), np.abs(oracle.transform(x)[:, :kept]),
                               atol=1e-8)  # fmt: skip
    again = found.reconstruct(found.transform(x))
    error = np.square(x - again).sum(1).mean()
    assert found.errors[kept] == pytest.approx(error, rel=1e-9)
    smaller = PCA(n_components=kept).fit(x)
    back = smaller.inverse_transform(smaller.transform(x))
    np.testing.assert_allclose(again, back, atol=1e-8)


def test_held_out_errors_and_likelihoods_equal_scikit_learn():
    x = low_rank()
    found = cy.pca(x, seed=4)
    drawn = generator(4, "pca").permutation(300)
    held, rest = x[drawn[:60]], x[drawn[60:]]
    for m in (1, 3, 6, 9):
        oracle = PCA(n_components=m, svd_solver="full").fit(rest)
        error = np.square(held - oracle.inverse_transform(oracle.transform(held))).sum(1).mean()
        assert found.held_errors[m] == pytest.approx(error, rel=1e-9)
        # scikit-learn divides variances by n - 1, the maximum of the likelihood has n
        oracle.explained_variance_ *= 239 / 240
        oracle.noise_variance_ *= 239 / 240
        assert found.held_likelihoods[m] == pytest.approx(oracle.score(held), rel=1e-9)


def test_the_dimension_is_found_by_likelihood_not_by_reconstruction():
    """Errors on held-out rows only fall, so they choose nothing without a share to reach."""
    found = cy.pca(low_rank())
    assert found.by_likelihood == 3
    assert (np.diff(found.held_errors) < 0).all()
    assert found.by_share == found.by_reconstruction == found.kept <= 3
    assert cy.pca(low_rank(noise=3.0), share=0.9).by_likelihood == 3
    assert cy.pca(low_rank(noise=3.0), share=0.9).by_share > 3


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 30), st.integers(1, 12), st.integers(0, 99))
def test_all_components_reconstruct_and_are_orthonormal(rows, features, seed):
    x = np.random.default_rng(seed).normal(size=(rows, features))
    found = cy.pca(x, components=min(rows, features))
    rank = len(found.components)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(rank), atol=1e-9)
    np.testing.assert_allclose(found.reconstruct(found.transform(x)), x, atol=1e-8)
    assert (np.diff(found.errors) <= 1e-9).all()
    assert found.errors[-1] == pytest.approx(0, abs=1e-9)
    assert found.shares.sum() == pytest.approx(1)


def test_test_rows_are_not_looked_at():
    data = cy.load("iris")
    split = cy.split(data, seed=0)
    open_ = np.sort(np.concatenate([split.train, split.valid]))
    assert np.allclose(cy.pca(split).mean, 0, atol=1e-9)
    part = cy.load((np.asarray(data.take(open_)) if not isinstance(data.inputs, dict) else
                    np.stack([data.inputs[c.name][open_] for c in data.columns], 1),
                    data.targets[open_]), task="classification")  # fmt: skip
    np.testing.assert_allclose(cy.pca(split).variances, cy.pca(part).variances, rtol=1e-9)


def test_wrong_rows_and_options_are_refused():
    with pytest.raises(InputError, match="rows of numbers"):
        cy.pca(np.zeros(5))
    with pytest.raises(InputError, match="missing or infinite"):
        cy.pca(np.array([[1.0], [np.nan], [2.0], [3.0]]))
    with pytest.raises(UsageError, match="out of range"):
        cy.pca(np.eye(5), share=1.5)
    with pytest.raises(UsageError, match="in range"):
        cy.pca(np.eye(5), components=9)
    with pytest.raises(UsageError, match="different rows"):
        cy.kmeans(np.ones((9, 2)), 3)
    with pytest.raises(UsageError, match="in range"):
        cy.kmeans(np.eye(5), 5)


def blobs(gap: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    of = np.repeat(np.arange(3), 50)
    return rng.normal(size=(150, 2)) + gap * np.eye(3)[of][:, :2], of


def test_clusters_of_separate_clouds_are_found_and_stable():
    x, of = blobs(15.0)
    found = cy.kmeans(x, 3)
    centers = np.stack([x[of == k].mean(0) for k in range(3)])
    order = np.lexsort(found.centers.T), np.lexsort(centers.T)
    np.testing.assert_allclose(found.centers[order[0]], centers[order[1]], atol=1e-9)
    assert found.inertia == pytest.approx(sum(np.square(x[of == k] - centers[k]).sum()
                                              for k in range(3)))  # fmt: skip
    assert found.silhouette == pytest.approx(silhouette_score(x, of))
    assert found.stability == pytest.approx(1.0)


def test_the_best_start_is_as_good_as_scikit_learn_and_noise_is_unstable():
    x = np.random.default_rng(1).normal(size=(200, 5))
    found = cy.kmeans(x, 6, seeds=8)
    assert found.inertia <= KMeans(6, n_init=8, random_state=0).fit(x).inertia_ * 1.02
    assert found.inertias[0] == found.inertia < found.inertias[-1]
    assert found.stability < 0.7
    assert found.silhouette < 0.2
    labels = np.square(x[:, None] - found.centers).sum(2).argmin(1)
    assert (labels == found.labels).all()
