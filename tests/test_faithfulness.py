"""Deletion and insertion against closed forms of linear models, whose best order is known."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from torch import nn

from chymist.errors import InputError, UsageError
from chymist.explanation.faithfulness import area, blurred, faithfulness, place_worth

ZERO = torch.zeros(1, dtype=torch.int64)


def linear(weights: list[float]) -> nn.Module:
    """One output, the sum of weighted columns."""
    net = nn.Linear(len(weights), 1, bias=False)
    net.weight.data = torch.tensor([weights])
    return net


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=5), st.integers(0, 99))
def test_no_order_beats_that_of_a_linear_models_own_terms(weights: list[int], seed: int) -> None:
    net, ones = linear([float(w) for w in weights]), torch.ones(1, len(weights))
    own = faithfulness(net, ones, ZERO, net.weight.detach(), orders=2, seed=seed)
    shares = np.linspace(0, 1, len(weights) + 1)
    by_hand = [
        trapezoid([sum(order[k:]) for k in range(len(order) + 1)], shares)
        for order in permutations(weights)
    ]
    assert area(own.deletion, own.shares)[0] == pytest.approx(min(by_hand), abs=1e-6)
    assert area(own.insertion, own.shares)[0] == pytest.approx(max(by_hand), abs=1e-6)
    found = area(own.random, own.shares)
    assert (found <= max(by_hand) + 1e-6).all()
    assert (found >= min(by_hand) - 1e-6).all()


def test_the_mean_area_of_random_orders_is_half_of_what_is_lost() -> None:
    net, rows = linear([4.0, 3.0, 2.0, 1.0]), torch.ones(40, 4)
    targets = torch.zeros(40, dtype=torch.int64)
    found = faithfulness(net, rows, targets, net.weight.detach().expand(40, 4), orders=50)
    assert area(found.random, found.shares).mean() == pytest.approx(5.0, abs=0.1)
    assert found.deletion_gain.value == pytest.approx(5.0 - 3.75, abs=0.1)
    assert found.verdict == "better than chance"
    assert found.sentence.startswith("Deletion area 1.2")
    assert "40 rows, output, baseline 0" in found.sentence
    worst = faithfulness(net, rows, targets, -net.weight.detach().expand(40, 4), orders=50)
    assert worst.verdict == "worse than chance"
    assert worst.deletion_gain.value == pytest.approx(-1.25, abs=0.1)
    assert "above random order" in worst.sentence.split(",")[1] or "above" in worst.sentence


def test_a_random_map_cannot_be_told_from_chance() -> None:
    torch.manual_seed(0)
    net, rows = nn.Linear(12, 3), torch.randn(30, 12)
    found = faithfulness(net, rows, net(rows).argmax(1), np.random.default_rng(1).random((30, 12)))
    assert found.verdict == "cannot tell"
    assert found.unit == "probability"
    assert 0.2 < found.ahead < 0.8
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["check"] == "faithfulness"


def test_squares_of_large_images_and_channels_go_together() -> None:
    class Corner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :, :4, :4].sum((1, 2, 3))[:, None]

    image = torch.ones(1, 3, 56, 56)
    maps = torch.zeros(1, 56, 56)
    maps[:, :4, :4] = 1.0
    found = faithfulness(Corner(), image, ZERO, maps, steps=196, orders=1)
    assert len(found.shares) == 197  # 14 x 14 squares
    assert found.deletion[0].tolist() == [48.0] + [0.0] * 196
    assert found.insertion[0].tolist() == [0.0] + [48.0] * 196
    with_channels = maps[:, None].repeat(1, 3, 1, 1)
    again = faithfulness(Corner(), image, ZERO, with_channels, steps=196, orders=1)
    np.testing.assert_array_equal(again.deletion, found.deletion)
    np.testing.assert_array_equal(again.random, found.random)


def test_steps_of_a_sequence_and_tokens_are_taken_away_whole() -> None:
    class Count(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.double().reshape(len(x), -1).sum(1, keepdim=True)

    steps = torch.tensor([[[1.0, 1.0], [5.0, 5.0], [2.0, 2.0]]])
    found = faithfulness(Count(), steps, ZERO, steps)
    assert found.deletion.tolist() == [[16.0, 6.0, 2.0, 0.0]]
    tokens = torch.tensor([[7, 3, 9]])
    found = faithfulness(Count(), tokens, ZERO, tokens.float(), baseline=1, name="unknown word")
    assert found.deletion.tolist() == [[19.0, 11.0, 5.0, 3.0]]
    assert "(1 row, output, baseline unknown word)" in found.sentence


def test_the_model_is_left_as_it_was_and_orders_come_from_the_seed() -> None:
    net = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.9), nn.Linear(4, 2)).train()
    rows, targets = torch.randn(3, 6), torch.zeros(3, dtype=torch.int64)
    first, again, other = (
        faithfulness(net, rows, targets, rows, orders=3, seed=seed) for seed in (0, 0, 1)
    )
    assert net.training
    np.testing.assert_array_equal(first.random, again.random)
    assert not np.array_equal(first.random, other.random)


def test_what_does_not_fit_is_told() -> None:
    net, rows = linear([1.0, 2.0]), torch.ones(1, 2)
    with pytest.raises(InputError, match="maps do not fit"):
        faithfulness(net, rows, ZERO, np.ones((1, 3)))
    with pytest.raises(UsageError, match="at least one step"):
        faithfulness(net, rows, ZERO, np.ones((1, 2)), orders=0)
    with pytest.raises(InputError, match="not \\(rows, outputs\\)"):
        faithfulness(nn.Flatten(0), rows, ZERO, np.ones((1, 2)))
    with pytest.raises(InputError, match="maps do not fit"):
        place_worth(np.ones((1, 4, 4)), torch.ones(1, 1, 5, 5))


def test_blurred_images_keep_their_mean_and_lose_their_detail() -> None:
    board = (torch.arange(56)[:, None] + torch.arange(56)[None]) % 2
    image = board[None, None].float()
    made = blurred(image)
    assert made.shape == image.shape
    assert float(made.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(made.std()) < 0.01
