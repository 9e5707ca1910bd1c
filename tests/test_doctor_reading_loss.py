"""What a loss takes is found by asking it, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from chymist.doctor.reading_loss import constant_loss, read_loss

LABELS = torch.arange(24) % 4
SCORES = torch.randn(24, 4, generator=torch.Generator().manual_seed(1))
VALUES = torch.linspace(-2, 3, 24).unsqueeze(1)
ONES = (torch.arange(24) % 2).float().unsqueeze(1)


def clipped(out: Tensor, y: Tensor) -> Tensor:
    p = (out / out.sum(1, keepdim=True)).clamp(1e-7, 1 - 1e-7)
    return -p[torch.arange(len(y)), y].log().mean()


def one_hot(out: Tensor, y: Tensor) -> Tensor:
    return ((out - functional.one_hot(y, 4)) ** 2).sum(1).mean()


def focal(out: Tensor, y: Tensor) -> Tensor:
    logs = out.log_softmax(1)[torch.arange(len(y)), y]
    return -((1 - logs.exp()) ** 2 * logs).mean()


CLASSES = {
    "cross-entropy": (functional.cross_entropy, "softmax", False),
    "smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), "softmax", False),
    "weighted": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0])), "softmax", False),
    "summed": (nn.CrossEntropyLoss(reduction="sum"), "softmax", False),
    "focal": (focal, "softmax", False),
    "nll": (functional.nll_loss, "log_softmax", False),
    "clipped": (clipped, "probabilities", False),
    "one-hot": (one_hot, "identity", True),
}


@pytest.mark.parametrize(("loss", "link", "squared"), CLASSES.values(), ids=CLASSES)
def test_losses_of_classes(loss: Callable[..., Tensor], link: str, squared: bool) -> None:
    facts = read_loss(loss, SCORES, LABELS)
    assert (facts.link, facts.squared, facts.inverted) == (link, squared, False)


VALUE = {
    "squared": (functional.mse_loss, VALUES, VALUES, "identity", True),
    "absolute": (functional.l1_loss, VALUES, VALUES, "identity", False),
    "log-odds": (functional.binary_cross_entropy_with_logits, VALUES, ONES, "sigmoid", False),
    "shares": (functional.binary_cross_entropy, VALUES.sigmoid(), ONES, "probabilities", False),
}


@pytest.mark.parametrize(("loss", "out", "y", "link", "squared"), VALUE.values(), ids=VALUE)
def test_losses_of_values(
    loss: Callable[..., Tensor], out: Tensor, y: Tensor, link: str, squared: bool
) -> None:
    facts = read_loss(loss, out, y)
    assert (facts.link, facts.squared, facts.inverted) == (link, squared, False)


@pytest.mark.parametrize(
    "name", ["cross-entropy", "nll", "clipped", "one-hot", "focal", "weighted"]
)
def test_a_negated_loss_of_classes_is_known(name: str) -> None:
    loss = CLASSES[name][0]
    assert read_loss(lambda o, t: -loss(o, t), SCORES, LABELS).inverted


@pytest.mark.parametrize("name", VALUE)
def test_a_negated_loss_of_values_is_known(name: str) -> None:
    loss, out, y = VALUE[name][:3]
    assert read_loss(lambda o, t: -loss(o, t), out, y).inverted


def test_outputs_and_targets_that_broadcast() -> None:
    def error(out: Tensor, y: Tensor) -> Tensor:
        return ((out - y) ** 2).mean()

    assert read_loss(error, VALUES, VALUES.squeeze(1)).broadcasts
    assert not read_loss(error, VALUES, VALUES).broadcasts
    assert not read_loss(lambda o, y: error(o.squeeze(1), y), VALUES, VALUES.squeeze(1)).broadcasts


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=12, max_size=40))
def test_the_loss_of_a_constant_is_the_entropy(labels: list[int]) -> None:
    y = torch.tensor(labels)
    p = torch.bincount(y, minlength=4).double() / len(y)
    entropy = -float((p[p > 0] * p[p > 0].log()).sum())
    out = torch.zeros(len(y), 4)
    assert constant_loss(functional.cross_entropy, "softmax", out, y) == pytest.approx(
        entropy, abs=1e-3
    )
    assert constant_loss(functional.nll_loss, "log_softmax", out, y) == pytest.approx(
        entropy, abs=1e-3
    )
    assert constant_loss(clipped, "probabilities", out, y) == pytest.approx(entropy, abs=1e-3)
    total = constant_loss(nn.CrossEntropyLoss(reduction="sum"), "softmax", out, y)
    assert total == pytest.approx(entropy * len(y), abs=1e-2)


def test_the_loss_of_a_constant_for_values() -> None:
    variance = float(VALUES.var(correction=0))
    assert constant_loss(functional.mse_loss, "identity", VALUES, VALUES) == pytest.approx(
        variance, rel=1e-5
    )
    about_median = float((VALUES - VALUES.median()).abs().mean())
    assert constant_loss(functional.l1_loss, "identity", VALUES, VALUES) <= about_median + 1e-5
    odds = functional.binary_cross_entropy_with_logits
    assert constant_loss(odds, "sigmoid", ONES, ONES) == pytest.approx(math.log(2), rel=1e-5)
    assert math.isnan(constant_loss(functional.mse_loss, "identity", VALUES, LABELS[:5]))
