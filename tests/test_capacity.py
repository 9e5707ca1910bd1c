"""Capacity: bisection finds thresholds, closed forms agree, memory has a size."""

from __future__ import annotations

import itertools
import json
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.linear_model import LinearRegression

import chymist as cy
from chymist.cli import main
from chymist.errors import InputError
from chymist.evidence.capacity import Bracket, next_sizes, separable_share
from chymist.keys import generator


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 5000), st.integers(0, 6000), st.sampled_from([0.0, 0.05, 0.2]))
def test_bisection_finds_any_threshold(most, threshold, tolerance):
    bracket, rounds = Bracket(), 0
    while sizes := next_sizes(bracket, most, tolerance):
        assert all(bracket.low < n <= most for n in sizes)
        bracket, rounds = bracket.narrowed(sizes, [n <= threshold for n in sizes]), rounds + 1
    assert rounds < 16
    if threshold >= most:
        assert bracket == Bracket(most, None)
    elif threshold < 2:
        assert bracket == Bracket(0, 2)
    else:
        assert bracket.low <= threshold < bracket.high
        assert bracket.high - bracket.low <= max(1, tolerance * bracket.low)


def test_what_lies_beyond_the_first_failure_does_not_count():
    assert Bracket().narrowed([2, 4, 8], [True, False, True]) == Bracket(2, 4)


def separable(x, labels):
    """Whether a plane has all rows on their side: a linear programme."""
    signed = (2.0 * labels - 1)[:, None] * np.column_stack([x, np.ones(len(x))])
    zero = np.zeros(signed.shape[1])
    return linprog(zero, -signed, -np.ones(len(x)), bounds=(None, None)).status == 0


def test_covers_count_against_all_labellings():
    x = generator(0, "points").normal(size=(5, 2))
    for rows in (3, 5):
        signs = itertools.product([0, 1], repeat=rows)
        count = sum(separable(x[:rows], np.array(labels)) for labels in signs)
        assert count / 2**rows == pytest.approx(separable_share(rows, 3))


@given(st.integers(1, 60), st.integers(1, 60))
def test_covers_share(rows, parameters):
    count = 2 * sum(comb(rows - 1, k) for k in range(parameters))
    assert separable_share(rows, parameters) == pytest.approx(count / 2**rows)
    assert separable_share(2 * parameters, parameters) == pytest.approx(0.5)


def test_a_share_of_nothing():
    with pytest.raises(InputError):
        separable_share(0, 3)


def test_least_squares_memorises_as_many_rows_as_it_has_parameters():
    x = generator(0, "inputs").normal(size=(40, 5))
    found = cy.capacity(cy.Recipe(model="linear"), cy.load((x, x[:, 0])), seeds=3, tolerance=0)
    assert found.parameters == 6
    assert found.rows == 6
    assert found.bits is None
    assert "parameters of one output, 6" in found.verdict
    for one in found.tried:  # luck may add a row: R2 is then 0.99 with one row too many
        rng = generator(one["set"], "random labels")
        targets, rows = rng.normal(size=40), rng.permutation(40)[: one["rows"]]
        expected = LinearRegression().fit(x[rows], targets[rows]).score(x[rows], targets[rows])
        assert one["score"] == pytest.approx(expected, abs=1e-4)
        assert one["memorised"] == (expected >= 0.99)
        assert one["memorised"] or one["rows"] > 6


def test_a_polynomial_memorises_as_many_as_it_has_monomials():
    x = generator(0, "inputs").normal(size=(40, 2))
    recipe = cy.Recipe(model=cy.models.polynomial(degree=2), precision="float64")
    found = cy.capacity(recipe, cy.load((x, x[:, 0])), seeds=3, tolerance=0)
    assert found.parameters == comb(4, 2)
    assert min(found.found) >= 6
    assert found.rows <= 7


def test_a_trained_threshold_memorises_about_two_rows_a_parameter():
    """Cover: half of all labellings of 2p rows are separable. Descent comes close, never above."""
    rng = generator(0, "inputs")
    x, labels = rng.normal(size=(60, 4)), np.array(["a", "b"])[rng.integers(0, 2, 60)]
    data = cy.load((x, labels))
    recipe = cy.Recipe(model="logistic", length="300 steps", batch_size="all",
                       optimizer=cy.optim.adam(lr=0.1))  # fmt: skip
    found = cy.capacity(recipe, data, seeds=3, tolerance=0)
    assert found.parameters == 5
    for number, rows in enumerate(found.found):
        drawn = generator(number, "random labels")
        targets, order = drawn.integers(0, 2, 60), drawn.permutation(np.arange(60))
        assert separable(x[order[:rows]], targets[order[:rows]])
    assert 5 <= found.rows <= 15
    assert found.bits == found.rows / 5
    assert "2 x 5 = 10, Cover 1965" in found.verdict


def test_rows_with_equal_inputs_count_once_and_more_capacity_than_rows_is_said():
    x = np.repeat(generator(0, "inputs").normal(size=(8, 12)), 3, axis=0)
    found = cy.capacity(cy.Recipe(model="linear"), cy.load((x, x[:, 0])), seeds=2)
    assert found.most == 8
    assert found.limited == 2
    assert "its capacity is larger" in found.verdict
    with pytest.raises(InputError, match="too few different"):
        cy.capacity(cy.Recipe(model="linear"), cy.load((x[:9], x[:9, 0])))


def test_capacity_is_a_function_of_the_seed_and_its_drawings_open():
    x = generator(0, "inputs").normal(size=(40, 3))
    data = cy.load((x, x[:, 0]))
    first, again = (cy.capacity(cy.Recipe(model="linear"), data, seeds=2, seed=3) for _ in "ab")
    assert first.tried == again.tried
    assert "<svg" in first.svg()
    assert first.plot().get_xlabel() == "rows with random labels"
    assert first.verdict in first._repr_html_()


def test_the_command_line(capsys):
    assert main(["capacity", "diabetes", "--model", "linear", "--seeds", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["found"] == [11, 11]
    assert main(["capacity", "diabetes", "--model", "linear", "--seeds", "2"]) == 0
    assert "11 parameters" in capsys.readouterr().out
