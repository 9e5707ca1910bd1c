"""What the gates cost: parameters of recurrent layers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import chymist as cy


def parameters(cell: str, features: int, units: int) -> int:
    model = getattr(cy.models, cell)(hidden=(units,)).build(cy.Shapes((5, features), 2))
    return sum(p.numel() for p in model.layers.parameters())


@settings(deadline=None, max_examples=20)
@given(some.integers(1, 9), some.integers(1, 9))
def test_an_lstm_has_four_times_the_parameters_of_a_plain_recurrence(a: int, units: int) -> None:
    plain = parameters("rnn", a, units)
    assert plain == units * (a + units + 2)  # two biases, as in torch
    assert parameters("lstm", a, units) == 4 * plain
    assert parameters("gru", a, units) == 3 * plain


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_two_directions_are_twice_the_parameters(cell: str) -> None:
    both = getattr(cy.models, cell)(hidden=(4,), bidirectional=True).build(cy.Shapes((5, 3), 2))
    assert sum(p.numel() for p in both.layers.parameters()) == 2 * parameters(cell, 3, 4)
