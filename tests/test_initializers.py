"""Initial weights: their distributions, what they do to signals, and where they enter a run."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from torch import nn

import chymist as cy
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.loop import train
from chymist.initializers import scale_to_unit_variance
from chymist.models import build_model
from chymist.parts import Part, registered, spelled
from chymist.values import Shapes
from tests.test_population import RECIPE, check_equal, runs_of

IN, OUT = 300, 200
# As spelled: distribution, and its variance for fan-in 300 and fan-out 200.
DRAWN = {
    "default": ("uniform", 1 / (3 * IN)),
    "uniform": ("uniform", 0.05**2 / 3),
    "uniform(bound=0.3)": ("uniform", 0.3**2 / 3),
    "normal": ("norm", 0.05**2),
    "normal(std=0.4)": ("norm", 0.4**2),
    "xavier_uniform": ("uniform", 2 / (IN + OUT)),
    "xavier_normal": ("norm", 2 / (IN + OUT)),
    "xavier_normal(gain=2)": ("norm", 8 / (IN + OUT)),
    "he_uniform": ("uniform", 2 / IN),
    "he_normal": ("norm", 2 / IN),
    "he_normal(slope=1)": ("norm", 1 / IN),
}
OTHERS = ("zero", "constant", "orthogonal", "identity", "lsuv", "from_run")
MODEL = cy.models.mlp(hidden=(OUT,))


def first(init: str, seed: int = 0, model: Part = MODEL) -> nn.Linear:
    built = build_model(model, Shapes((IN,), 2), seed, spelled("init", init))
    layer = built[1]
    assert isinstance(layer, nn.Linear)
    return layer


def test_every_initializer_has_a_case() -> None:
    assert {name.partition("(")[0] for name in DRAWN} | set(OTHERS) == set(registered("init"))


@pytest.mark.parametrize("init", DRAWN)
def test_distributions(init: str) -> None:
    kind, variance = DRAWN[init]
    weights = first(init).weight.detach().double().flatten().numpy()
    assert weights.mean() == pytest.approx(0, abs=4 * math.sqrt(variance / weights.size))
    assert weights.var() == pytest.approx(variance, rel=0.02)
    spread = math.sqrt(variance)
    scale = (0, spread) if kind == "norm" else (-math.sqrt(3) * spread, 2 * math.sqrt(3) * spread)
    assert kstest(weights, kind, args=scale).pvalue > 0.001


@pytest.mark.parametrize("init", [*DRAWN, "constant", "zero", "orthogonal"])
def test_weights_are_a_function_of_seed_and_name(init: str) -> None:
    one, again, other = first(init), first(init), first(init, seed=1)
    assert torch.equal(one.weight, again.weight)
    fixed = init in ("constant", "zero")
    assert torch.equal(one.weight, other.weight) == fixed
    deeper = first(init, model=cy.models.mlp(hidden=(OUT, 5)))  # what follows changes nothing
    assert torch.equal(one.weight, deeper.weight)
    assert bool((one.bias == 0).all()) == (init != "default")


def test_the_identity_is_between_steps_and_where_as_many_go_in_as_out() -> None:
    init = cy.initializers.identity(gain=0.5, std=0.01)
    built = build_model(cy.models.mlp(hidden=(30, 30)), Shapes((20,), 2), 0, init)
    first, second, last = (layer for layer in built if isinstance(layer, nn.Linear))
    assert torch.equal(second.weight, 0.5 * torch.eye(30))
    for layer in (first, last):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.2)
    model = build_model(cy.models.gru(hidden=(6,)), Shapes((4, 6), 2), 0, init)  # W is square too
    layer = model.layers[0]
    assert torch.equal(layer.weight_hh_l0, 0.5 * torch.eye(6).repeat(3, 1))
    assert layer.weight_ih_l0.abs().max() < 0.06
    assert layer.weight_ih_l0.std().item() == pytest.approx(0.01, rel=0.2)
    kept = build_model(cy.models.rnn(hidden=(6,), activation="relu"), Shapes((40, 2), 2), 0,
                       cy.initializers.identity())  # fmt: skip
    found = cy.gradients.reach(kept, torch.ones(2, 40, 2))
    assert found.factor.value == pytest.approx(1, abs=1e-6)  # the same gradient at any distance
    with pytest.raises(cy.UsageError, match="out of range"):
        cy.initializers.identity(gain=1e39).build(None)


def test_fans_of_a_convolution() -> None:
    built = build_model(cy.models.cnn(channels=(64, 32), norm="none"), Shapes((1, 16, 16), 3), 0,
                        cy.initializers.xavier_normal())  # fmt: skip
    convolution = [layer for layer in built if isinstance(layer, nn.Conv2d)][1]
    assert convolution.weight.shape == (32, 64, 3, 3)
    expected = 2 / (9 * 64 + 9 * 32)
    assert convolution.weight.detach().var().item() == pytest.approx(expected, rel=0.03)


@given(st.integers(2, 9), st.integers(2, 9), st.floats(0.5, 2), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_orthogonal_weights_keep_lengths(rows: int, columns: int, gain: float, seed: int) -> None:
    draw = cy.initializers.orthogonal(gain=gain).build(None)
    weight = torch.zeros(rows, columns, dtype=torch.float64)
    draw(weight, torch.Generator().manual_seed(seed))
    shorter = weight @ weight.T if rows <= columns else weight.T @ weight
    np.testing.assert_allclose(shorter, gain**2 * np.eye(min(rows, columns)), atol=1e-9)


def through(init: str, activation: str, layers: int = 30) -> float:
    """Mean square of what comes out of the last hidden layer, for inputs of mean square 1."""
    model = cy.models.mlp(hidden=(256,) * layers, activation=activation)
    built = build_model(model, Shapes((256,), 2), 0, spelled("init", init))
    inputs = torch.randn(64, 256, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return float(built[:-1](inputs).square().mean())


def test_signals_keep_their_size_or_not() -> None:
    assert 0.3 < through("he_normal", "relu") < 3
    assert 0.3 < through("orthogonal", "identity") < 3
    assert 0.3 < through("xavier_normal", "identity") < 3
    assert through("xavier_normal", "relu") < 1e-6  # half of the variance is lost in each layer
    assert through("default", "relu") < 0.01  # a sixth is kept; the rest are biases
    assert through("normal(std=1)", "relu") > 1e30  # over-large: explodes


def test_unit_variance_layer_by_layer() -> None:
    inputs = 5 + 3 * torch.randn(128, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    model = build_model(cy.models.cnn(channels=(8, 8), norm="none", dropout=0.5),
                        Shapes((1, 12, 12), 4), 0, cy.initializers.lsuv())  # fmt: skip
    scale_to_unit_variance(model, inputs)
    assert model.training
    values, found = inputs, []
    with torch.no_grad():
        for layer in model.eval():
            values = layer(values)
            if isinstance(layer, nn.Linear | nn.Conv2d):
                found.append(values.var().item())
    assert found == pytest.approx([1] * 4, rel=1e-3)


def test_unit_variance_is_of_the_first_batch_of_a_run() -> None:
    data = cy.load("digits")
    split = cy.split(data)
    recipe = complete(cy.Recipe(model=cy.models.mlp(hidden=(20, 20)), init="lsuv"), split)
    run = assemble(recipe, split, 3)
    from chymist.keys import order

    batch = run.train.take(torch.from_numpy(order(3, 0, len(split.train))[: recipe.batch_size]))
    made = run.state.model[:2](batch)
    assert made.var().item() == pytest.approx(1, rel=1e-4)


def test_a_line_learns_from_zeros_and_hidden_units_do_not() -> None:
    split = cy.split(cy.load("diabetes"))
    fits = {}
    for model in ("linear", "mlp"):
        recipe = cy.Recipe(model=model, init="zero", optimizer=cy.optim.adam(lr=0.05),
                           length="800 steps", stop="none", batch_size="all")  # fmt: skip
        run = assemble(complete(recipe, split), split, 0)
        for _ in train(run.program, run.state):
            pass
        fits[model] = run
    inputs, targets = fits["linear"].train.take(torch.arange(264)), split.data.targets[split.train]
    weights = np.linalg.lstsq(np.c_[inputs, np.ones(264)], targets - targets.mean(), rcond=None)[0]
    line = fits["linear"].state.model(inputs).detach().numpy()[:, 0]
    best = np.c_[inputs, np.ones(264)] @ weights
    assert np.corrcoef(line, best)[0, 1] > 0.999  # the optimum does not depend on the start
    assert not any(bool(p.any()) for p in fits["mlp"].state.model[1].parameters())


def test_units_that_start_alike_stay_alike() -> None:
    recipe = RECIPE.replace(init=cy.initializers.constant(value=0.2), length="40 steps")
    (run,) = runs_of(recipe, "table", rows=(97,))
    for _ in train(run.program, run.state):
        pass
    weight = run.state.model[1].weight.detach()
    assert weight.std(dim=0).max() < 1e-12
    assert weight.std(dim=1).min() > 1e-3


@pytest.mark.parametrize("init", ["he_normal", "lsuv", "constant"])
def test_a_member_of_a_population_is_what_it_is_alone(init: str) -> None:
    check_equal(lambda: runs_of(RECIPE.replace(init=init, length="40 steps"), "table"))


def test_a_users_own_module_keeps_its_weights_unless_asked() -> None:
    own = nn.Sequential(nn.Linear(6, 3))
    data = cy.load((np.random.default_rng(0).normal(size=(60, 6)), np.arange(60) % 3))
    split = cy.split(data)
    for init, kept in ((None, True), ("default", True), ("zero", False)):
        recipe = complete(cy.Recipe(model=own, init=init), split)
        model = assemble(recipe, split, 0).state.model
        assert torch.equal(model[0].weight, own[0].weight) == kept
