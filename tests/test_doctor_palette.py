"""The doctor beside parts of the palette: perceptrons, penalties, bounds, flat activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import chymist as cy
from chymist.doctor.reading_loss import read_loss
from chymist.losses import hinge, perceptron
from chymist.penalties import Penalty, held

BINARY = torch.arange(24) % 2
TARGETS = torch.linspace(-1, 2, 24)[:, None]


@pytest.fixture(scope="module")
def cancer() -> cy.Split:
    return cy.split(cy.load("breast_cancer"), seed=0)


SHORT = "20 epochs"  # enough for what is asked here


def alarms(run: cy.Run) -> list[str]:
    """Codes in rank order, without observations."""
    return [f.code for f in cy.diagnose(run) if f.level != "observation"]


@pytest.mark.parametrize(
    ("loss", "width", "targets", "expected"),
    [
        (perceptron, 1, BINARY, True),
        (perceptron, 2, BINARY, True),
        (lambda o, y: functional.relu(-o * (2.0 * y - 1)).mean(), 1, BINARY[:, None], True),
        (hinge, 1, BINARY, False),
        (functional.cross_entropy, 2, BINARY, False),
        (functional.l1_loss, 1, TARGETS, False),
        (functional.l1_loss, 1, torch.zeros(24, 1), False),
        (lambda o, y: -(o * y).mean(), 1, TARGETS, False),
    ],
)
def test_a_loss_that_scales(
    loss: Callable[..., Tensor], width: int, targets: Tensor, expected: bool
) -> None:
    outputs = torch.randn(24, width, generator=torch.Generator().manual_seed(0))
    assert read_loss(loss, outputs, targets).scales is expected


@pytest.mark.parametrize("name", ["breast_cancer", "digits"])
def test_the_rate_of_a_perceptron_is_no_alarm(name: str) -> None:
    split = cy.split(cy.load(name), seed=0)
    assert alarms(cy.fit(cy.Recipe(model="perceptron", length="3 epochs"), split)) == []


def test_the_rate_of_a_deep_net_with_the_perceptrons_loss_is_one(cancer: cy.Split) -> None:
    deep = cy.models.mlp(hidden=(16, 16, 16))
    recipe = cy.Recipe(model=deep, loss="perceptron", optimizer=cy.optim.sgd(lr=10.0))
    assert "lr_too_high" in alarms(cy.fit(recipe.replace(length="10 epochs"), cancer))


STRONG = {
    "l1": cy.penalties.l1(strength=0.5),
    "l2": cy.penalties.l2(strength=1.0),
    "elastic": cy.penalties.elastic(l1=0.5, l2=0.5),
    "max_norm": cy.penalties.max_norm(max=0.001),
    "l2_ball": cy.penalties.l2_ball(radius=0.01),
}


@pytest.mark.parametrize("name", STRONG)
def test_a_penalty_that_is_too_strong_is_the_one_alarm(name: str, cancer: cy.Split) -> None:
    run = cy.fit(cy.Recipe(model="mlp", penalty=STRONG[name]), cancer)
    assert alarms(run) == ["over_regularised"]
    (first, *_) = cy.diagnose(run)
    assert first.remedy is not None
    assert first.remedy.changes["penalty"] == "none"
    assert alarms(cy.fit(cy.Recipe(model="mlp", penalty=name, length=SHORT), cancer)) == []


def test_a_bound_that_holds_is_no_fault_where_rows_are_learned(cancer: cy.Split) -> None:
    bound = cy.penalties.max_norm(max=0.1)
    run = cy.fit(cy.Recipe(model="softmax", penalty=bound, length=SHORT), cancer)
    assert held(Penalty(unit=0.1), run.model) == 1.0
    assert alarms(run) == []


def test_a_rate_that_is_too_high_stays_the_first_cause_where_a_bound_holds(
    cancer: cy.Split,
) -> None:
    recipe = cy.Recipe(model="mlp", penalty=cy.penalties.max_norm(max=1.0), length=SHORT)
    run = cy.fit(recipe.replace(optimizer=cy.optim.sgd(lr=100.0)), cancer)
    assert alarms(run)[0] == "lr_too_high"


def test_how_far_a_bound_holds() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    for parameter in model.parameters():
        nn.init.constant_(parameter, 1.0)
    assert held(None, model) == held(Penalty(l1=1.0, l2=1.0), model) == 0.0
    assert held(Penalty(unit=2**0.5), model) == 1.0
    assert held(Penalty(unit=2.0), model) == 0.0
    assert held(Penalty(radius=6**0.5), model) == 1.0  # six weights; biases are not bounded
    assert held(Penalty(radius=3.0), model) == 0.0


@pytest.mark.parametrize("activation", ["step", "sign"])
@pytest.mark.parametrize("hidden", [(8,), (32, 32, 32)])
def test_an_activation_without_a_slope_is_named(activation: str, hidden: tuple[int, ...]) -> None:
    model = cy.models.mlp(hidden=hidden, activation=activation)
    recipe = cy.Recipe(model=model, length="5 epochs")
    run = cy.fit(recipe, cy.split(cy.load("digits"), seed=0))
    assert alarms(run)[0] == "vanishing_gradient"
    first = cy.diagnose(run)[0]
    assert f"the slope of {activation} is 0" in first.claim
    assert first.remedy is not None
    assert first.remedy.changes["model.activation"] == "relu"


@pytest.mark.parametrize("init", ["zero", "constant"])
def test_weights_that_are_all_alike_are_named(init: str, cancer: cy.Split) -> None:
    run = cy.fit(cy.Recipe(model="mlp", init=init, length=SHORT), cancer)
    assert alarms(run) == ["symmetric_init"]


HEALTHY: dict[str, dict[str, Any]] = {
    "hinge": {"model": "linear_svm"},
    "svm": {"model": "svm"},
    "focal": {"loss": "focal"},
    "dice": {"loss": "dice"},
    "bgd": {"optimizer": "bgd"},
    "lbfgs": {"optimizer": "lbfgs"},
    "orthogonal": {"init": "orthogonal"},
    "layer": {"model": cy.models.mlp(norm="layer")},
    "maxout": {"model": cy.models.mlp(activation="maxout")},
}
SOLVED = ("svm",)  # at once: there are no epochs


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_runs_of_other_parts_are_left_in_peace(name: str, cancer: cy.Split) -> None:
    length = None if name in SOLVED else SHORT
    assert alarms(cy.fit(cy.Recipe(**HEALTHY[name], length=length), cancer)) == []
