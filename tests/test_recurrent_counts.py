"""Recurrent layers: what the gates cost, activations, open gates, and what context does."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

import chymist as cy
from chymist.models import build_model, gates
from chymist.models.sigmoid_rnn import SigmoidRNN


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


def by_steps(layer: torch.nn.RNN, values: torch.Tensor, suffix: str = "_l0") -> torch.Tensor:
    """A simple layer of sigmoids as it is written, step by step."""
    w, u, b, c = (getattr(layer, f"{name}{suffix}") for name in
                  ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))  # fmt: skip
    h, made = values.new_zeros(len(values), layer.hidden_size), []
    for value in values.unbind(1):
        h = torch.sigmoid(value @ w.T + b + h @ u.T + c)
        made.append(h)
    return torch.stack(made, 1)


def test_a_recurrence_of_sigmoids_is_that_of_its_formula_forward_and_backward() -> None:
    torch.manual_seed(0)
    layer = SigmoidRNN(3, 4, batch_first=True, bidirectional=True).double()
    values = torch.randn(2, 6, 3, dtype=torch.float64, requires_grad=True)
    back = by_steps(layer, values.flip(1), "_l0_reverse").flip(1)
    wanted = torch.cat([by_steps(layer, values), back], 2)
    made, end = layer(values)
    assert torch.allclose(made, wanted, atol=1e-12)
    assert torch.allclose(end[0], wanted[:, -1, :4])
    assert torch.allclose(end[1], wanted[:, 0, 4:])
    again, _ = layer(values[:, 3:], None)
    _, middle = layer(values[:, :3], None)
    assert not torch.allclose(again[..., :4], made[:, 3:, :4])
    assert torch.allclose(layer(values[:, 3:], middle)[0][..., :4], made[:, 3:, :4])
    both = [*layer.parameters(), values]
    for a, b in zip(torch.autograd.grad(made.square().sum(), both),
                    torch.autograd.grad(wanted.square().sum(), both), strict=True):  # fmt: skip
        assert torch.allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_other_activations_read_texts_of_their_own_length(activation: str) -> None:
    model = cy.models.rnn(activation=activation, hidden=(4, 3), bidirectional=True).build(
        cy.Shapes((9,), 2, (), 6)).eval()  # fmt: skip
    short = torch.tensor([[2, 3, 4], [5, 1, 0]])
    longer = torch.cat([short, torch.zeros(2, 5, dtype=torch.long)], 1)
    assert torch.allclose(model(short), model(longer), atol=1e-6)
    assert torch.allclose(model(longer)[1], model(longer[1:, :2])[0], atol=1e-6)
    found = gates(model, short)["state"]
    assert (found >= 0).all()


@pytest.mark.parametrize("peephole", [False, True])
def test_forget_gates_begin_more_open(peephole: bool) -> None:
    shapes = cy.Shapes((5, 3), 2)
    plain, open_ = (
        build_model(cy.models.lstm(hidden=(4,), peephole=peephole, forget_bias=more), shapes, 0)
        for more in (0.0, 3.0)
    )
    changed = {
        name: (b - a).detach() for (name, a), b in
        zip(plain.named_parameters(), open_.parameters(), strict=True) if not torch.equal(a, b)
    }  # fmt: skip
    (name,) = changed
    assert name in ("layers.0.bias_ih_l0", "layers.0.bias_l0")
    assert torch.allclose(changed[name], torch.tensor([0.0, 3, 0, 0]).repeat_interleave(4))
    inputs = torch.zeros(1, 5, 3)
    assert gates(open_, inputs)["forget"].mean() > 0.9 > gates(plain, inputs)["forget"].mean()


def test_the_same_word_after_other_words_gives_another_output() -> None:
    """A simple recurrence knows what came before; a network of single words does not."""
    arrive, leave = [2, 3, 4], [5, 3, 4]  # "arrive taipei now", "leave taipei now"
    shapes = cy.Shapes((3,), 2, (), 6, None, True)
    texts = torch.tensor([arrive, leave])
    with torch.no_grad():
        tagged = cy.models.rnn(hidden=(8,)).build(shapes).eval()(texts)
        alone = cy.models.rnn(hidden=(8,)).build(shapes).eval()(texts.reshape(-1, 1)).view(2, 3, 2)
    assert not torch.allclose(tagged[0, 1], tagged[1, 1], atol=1e-4)
    assert torch.equal(alone[0, 1], alone[1, 1])
