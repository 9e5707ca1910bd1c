"""Conformal intervals and sets against the papers' definitions, written out as loops."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chymist.errors import InputError, UsageError
from chymist.evidence import conformal as module
from chymist.evidence import (
    conformal_quantile,
    cross_conformal_sets,
    cv_plus,
    jackknife_minmax,
    jackknife_plus,
    split_conformal,
    split_conformal_sets,
)
from chymist.keys import generator


def smallest(values, k):
    """The k-th smallest, from 1; the ends of the line beyond."""
    values = sorted(values)
    return -inf if k < 1 else inf if k > len(values) else values[k - 1]


def plus_by_definition(of_fold, folds, residuals, alpha):
    """Barber et al. 2021: jackknife+ and CV+ as order statistics, row by row."""
    n, ends = len(residuals), []
    for j in range(len(of_fold[0])):
        minus, plus = [], []
        for i in range(n):
            center = of_fold[folds[i]][j]
            minus.append(center - abs(residuals[i]))
            plus.append(center + abs(residuals[i]))
        low = smallest(minus, floor(alpha * (n + 1)))
        ends.append((low, smallest(plus, ceil((1 - alpha) * (n + 1)))))
    return np.array(ends).T


LEVELS = st.sampled_from([Fraction(k, 100) for k in (5, 10, 45, 50, 55, 80, 90, 95, 99)])


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 120), LEVELS, st.integers(0, 5))
def test_jackknife_plus_is_the_papers_definition(n, level, seed):
    rng = generator(seed, "case", n)
    centers, residuals = rng.normal(0, 1, (n, 3)), rng.normal(0, 2, n)
    found = jackknife_plus(centers, residuals, float(level))
    expected = plus_by_definition(centers, range(n), residuals, 1 - level)
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 60), LEVELS, st.integers(0, 5))
def test_cv_plus_is_the_papers_definition(n, level, seed):
    rng = generator(seed, "case", n)
    centers, residuals = rng.normal(0, 1, (3, 4)), rng.normal(0, 2, n)
    folds = rng.permutation(n) % 3
    found = cv_plus(centers, folds, residuals, float(level))
    np.testing.assert_array_equal(found, plus_by_definition(centers, folds, residuals, 1 - level))


def test_blocks_of_new_rows_change_nothing(monkeypatch):
    rng = generator(0, "blocks")
    case = rng.normal(0, 1, (5, 23)), np.arange(40) % 5, rng.normal(0, 1, 40)
    whole = cv_plus(*case)
    monkeypatch.setattr(module, "BLOCK", 160)
    np.testing.assert_array_equal(cv_plus(*case), whole)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 120), LEVELS)
def test_the_conformal_quantile_is_exact(n, level):
    scores = generator(0, "scores", n).permutation(n) + 1.0
    expected = smallest(scores, ceil(level * (n + 1)))
    assert conformal_quantile(scores, float(level)) == expected


def test_split_conformal_and_minmax_by_definition():
    rng = generator(0, "rows")
    residuals, centers = rng.normal(0, 1, 29), rng.normal(0, 1, (29, 4))
    width = sorted(abs(residuals))[28]  # ceil(0.95 x 30) = 29
    low, high = split_conformal(centers[0], residuals)
    np.testing.assert_array_equal((low, high), (centers[0] - width, centers[0] + width))
    low, high = jackknife_minmax(centers, residuals)
    np.testing.assert_array_equal(low, centers.min(0) - width)
    np.testing.assert_array_equal(high, centers.max(0) + width)


def test_too_few_rows_say_nothing():
    for low, high in (
        split_conformal(np.zeros(2), np.ones(8)),
        jackknife_plus(np.zeros((8, 2)), np.ones(8)),
        jackknife_minmax(np.zeros((8, 2)), np.ones(8)),
    ):
        assert low.tolist() == [-inf, -inf]
        assert high.tolist() == [inf, inf]
    assert split_conformal_sets(np.eye(2), np.eye(2), np.array([0, 1])).all()


def test_plus_intervals_with_one_model_are_split_conformal():
    rng = generator(0, "one")
    new, residuals = rng.normal(0, 1, 6), rng.normal(0, 1, 50)
    found = cv_plus(new[None], np.zeros(50, dtype=int), residuals, 0.83)
    np.testing.assert_allclose(found, split_conformal(new, residuals, 0.83), atol=1e-12)


def probabilities(rng, *shape):
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def aps_by_definition(p, y, u):
    """Romano et al. 2020: the mass of likelier labels, and a part u of the label's own."""
    return sum(q for q in p if q > p[y]) + u * p[y]


@pytest.mark.parametrize("rule", ["lac", "aps"])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.99])
def test_cross_conformal_sets_are_the_papers_definition(rule, level):
    rng = generator(0, "sets")
    n, m, classes, k = 41, 6, 4, 3
    new, known = probabilities(rng, k, m, classes), probabilities(rng, n, classes)
    targets, folds = rng.integers(0, classes, n), rng.permutation(n) % k
    found = cross_conformal_sets(new, known, targets, folds, level, rule, seed=5)
    draws = generator(5, "label sets")
    own, other = draws.random(n), draws.random(m)

    def score(p, y, u):
        return 1 - p[y] if rule == "lac" else aps_by_definition(p, y, u)

    for j in range(m):
        for y in range(classes):
            smaller = 0
            for i in range(n):
                mine = score(known[i], targets[i], own[i])
                smaller += mine < score(new[folds[i], j], y, other[j])
            assert found[j, y] == (smaller < round(level * (n + 1), 9))


@pytest.mark.parametrize("rule", ["lac", "aps"])
def test_split_conformal_sets_compare_scores_with_their_quantile(rule):
    rng = generator(1, "sets")
    new, known, targets = (
        probabilities(rng, 9, 3),
        probabilities(rng, 50, 3),
        rng.integers(0, 3, 50),
    )
    draws = generator(0, "label sets")
    own, other = draws.random(50), draws.random(9)
    scores = module.label_scores(known, rule, own)[np.arange(50), targets]
    expected = module.label_scores(new, rule, other) <= conformal_quantile(scores, 0.8)
    found = split_conformal_sets(new, known, targets, 0.8, rule)
    np.testing.assert_array_equal(found, expected)
    assert found.any()
    assert not found.all()


def test_a_likelier_label_is_never_left_out_alone():
    rng = generator(2, "sets")
    p = probabilities(rng, 200, 5)
    targets = np.array([rng.choice(5, p=row) for row in p])
    for rule in ("lac", "aps"):
        sets = split_conformal_sets(p, p, targets, 0.7, rule)
        ranked = np.take_along_axis(sets, np.argsort(-p, axis=1), axis=1)
        assert np.all(ranked[:, :-1] >= ranked[:, 1:])


def nearest_mean(x, y, new):
    """Class probabilities of a Gaussian classifier with unit variance."""
    centers = np.stack([x[y == c].mean(0) for c in range(3)])
    logits = -0.5 * ((new[:, None] - centers) ** 2).sum(2)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


@pytest.mark.parametrize("rule", ["lac", "aps"])
def test_label_sets_cover_new_rows(rule):
    split_hits, cross_hits, wanted = [], [], 0.8
    for trial in range(120):
        rng = generator(trial, "coverage")
        y = np.concatenate([np.arange(60) % 3, rng.integers(0, 3, 40)])
        x = rng.normal(0, 1, (100, 2)) + np.array([[0, 0], [1.5, 0], [0, 1.5]])[y]
        old, new, folds = slice(0, 60), slice(60, 100), (np.arange(60) // 3) % 5
        models = [np.flatnonzero(folds != k) for k in range(5)]
        of_new = np.stack([nearest_mean(x[rows], y[rows], x[new]) for rows in models])
        known = np.empty((60, 3))
        for k, rows in enumerate(models):
            known[folds == k] = nearest_mean(x[rows], y[rows], x[old][folds == k])
        sets = cross_conformal_sets(of_new, known, y[old], folds, wanted, rule, seed=trial)
        cross_hits.append(sets[np.arange(40), y[new]].mean())
        held = folds == 0  # the model of fold 0 has not seen them
        sets = split_conformal_sets(of_new[0], known[held], y[old][held], wanted, rule, seed=trial)
        split_hits.append(sets[np.arange(40), y[new]].mean())
    # 12 calibration rows: ceil(0.8 x 13)/13 = 0.846 exactly; CV+ is at least level, about.
    assert np.mean(split_hits) == pytest.approx(11 / 13, abs=0.04)
    assert wanted - 0.02 < np.mean(cross_hits) < wanted + 0.06


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: conformal_quantile(np.zeros(0)), "calibration"),
        (lambda: conformal_quantile(np.array([np.nan])), "calibration"),
        (lambda: conformal_quantile(np.ones(3), 1.0), "level"),
        (lambda: jackknife_plus(np.zeros((3, 2)), np.zeros(4)), "folds"),
        (lambda: jackknife_plus(np.zeros(3), np.zeros(3)), "axes"),
        (lambda: cv_plus(np.zeros((2, 1)), np.array([0, 2]), np.zeros(2)), "0 to 1"),
        (lambda: cv_plus(np.zeros((2, 1)), np.array([0.0, 1]), np.zeros(2)), "whole number"),
        (lambda: jackknife_minmax(np.full((2, 1), np.nan), np.zeros(2)), "NaN"),
        (lambda: split_conformal_sets(np.eye(3), np.eye(2), np.array([0, 1])), "classes"),
        (lambda: split_conformal_sets(np.eye(2), np.eye(2), np.array([0, 2])), "class index"),
        (lambda: split_conformal_sets(np.eye(2), 5 * np.eye(2), np.array([0, 1])), "logits"),
    ],
)
def test_what_is_no_input_is_refused(call, words):
    with pytest.raises(InputError, match=words) as caught:
        call()
    assert len(str(caught.value)) <= 200


def test_an_unknown_rule_is_named():
    with pytest.raises(UsageError, match="'raps'; choose 'lac' or 'aps'"):
        split_conformal_sets(np.eye(2), np.eye(2), np.array([0, 1]), rule="raps")
