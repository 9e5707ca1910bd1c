"""Penalties against autograd, torch's decay and scikit-learn; bounds; populations; recipes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import chymist as cy
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.loop import train
from chymist.engine.population import train_together
from chymist.errors import UsageError
from chymist.parts import part, registered
from chymist.penalties import Penalty, constrain, pull, value, weights_of
from tests.test_population import RECIPE, check_equal, runs_of

PENALTIES = {
    "none": cy.penalties.none(),
    "l1": cy.penalties.l1(strength=0.02),
    "l2": cy.penalties.l2(strength=0.02),
    "elastic": cy.penalties.elastic(l1=0.01, l2=0.02),
    "max_norm": cy.penalties.max_norm(max=0.5),
    "l2_ball": cy.penalties.l2_ball(radius=1.0),
}
TABLE = RECIPE.replace(optimizer=cy.optim.sgd(lr=0.05), length="40 steps")


def net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv1d(2, 3, 2), nn.ReLU(), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(9, 2)
    ).double()


def test_every_penalty_has_a_case() -> None:
    assert set(PENALTIES) == set(registered("penalty"))


@given(st.integers(0, 99), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_the_pull_is_the_gradient_of_the_value(seed: int, l1: float, l2: float) -> None:
    ours, theirs = net(seed), net(seed)
    x = torch.randn(6, 2, 4, dtype=torch.float64)
    ours(x).square().sum().backward()
    penalty = Penalty(l1, l2)
    pull([penalty], weights_of(ours))
    (theirs(x).square().sum() + value(penalty, theirs)).backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, msg=name)
    weights = [theirs[0].weight, theirs[4].weight]  # no biases, no scales of normalisation
    expected = sum(l1 * w.abs().sum() + l2 * w.square().sum() for w in weights)
    assert value(penalty, theirs).item() == pytest.approx(expected.item())


@given(st.integers(0, 99), st.floats(0.01, 3), st.floats(0.01, 3))
@settings(max_examples=20, deadline=None)
def test_bounds_hold_and_leave_what_is_within(seed: int, unit: float, radius: float) -> None:
    model, before = net(seed), net(seed)
    constrain([Penalty(unit=unit)], weights_of(model))
    for layer, old in ((model[0], before[0]), (model[4], before[4])):
        expected = torch.renorm(old.weight.detach(), 2, 0, unit)
        torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-5, atol=1e-8)
        assert torch.equal(layer.bias, old.bias)
    constrain([Penalty(radius=radius)], weights_of(before))
    norm = torch.cat([before[0].weight.flatten(), before[4].weight.flatten()]).norm().item()
    start = torch.cat([net(seed)[i].weight.flatten() for i in (0, 4)]).norm().item()
    assert norm == pytest.approx(min(start, radius))


def trained(recipe: cy.Recipe, rows: int = 97) -> nn.Module:
    (run,) = runs_of(recipe, "table", rows=(rows,))
    for _ in train(run.program, run.state):
        pass
    return run.state.model


def test_l2_is_twice_the_decay_of_plain_descent_on_weights() -> None:
    penalised = trained(TABLE.replace(penalty=cy.penalties.l2(strength=0.02)))
    (run,) = runs_of(TABLE, "table", rows=(97,))
    model = run.state.model
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.04},
        {"params": [p for p in model.parameters() if p.ndim == 1]},
    ]
    run.state.optimizer = torch.optim.SGD(groups, lr=0.05)
    for _ in train(run.program, run.state):
        pass
    for ours, theirs in zip(penalised.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["l1", "l2", "elastic"])
def test_optima_are_those_of_scikit_learn(name: str) -> None:
    from sklearn.linear_model import ElasticNet

    random = np.random.default_rng(0)
    x = random.normal(size=(80, 4))
    x = (x - x.mean(0)) / x.std(0)
    t = x @ [2.0, -1.0, 0.0, 0.1] + 0.1 * random.normal(size=80)
    t = (t - t.mean()) / t.std()
    l1, l2 = {"l1": (0.1, 0.0), "l2": (0.0, 0.1), "elastic": (0.1, 0.05)}[name]
    data, rows = cy.load((x, t)), np.arange(80)
    split = cy.Split(data, rows, rows[:0], rows[:0])
    options = {"elastic": {"l1": l1, "l2": l2}}.get(name, {"strength": l1 + l2})
    recipe = cy.Recipe(
        model="linear", optimizer=cy.optim.sgd(lr=0.05), schedule="constant", batch_size="all",
        length="1500 steps", precision="float64", penalty=part("penalty", name, **options),
    )  # fmt: skip
    run = assemble(complete(recipe, split), split, 0)
    for _ in train(run.program, run.state):
        pass
    # scikit-learn's objective is |e|^2 / 2n + alpha (ratio |w|_1 + (1 - ratio) |w|^2 / 2)
    alpha = l1 / 2 + l2
    reference = ElasticNet(alpha=alpha, l1_ratio=l1 / 2 / alpha, tol=1e-12, max_iter=10**6).fit(
        x, t
    )
    found = run.state.model[-1].weight.detach().numpy()[0]
    # a fixed step goes to and fro about a weight of 0, within lr l1
    np.testing.assert_allclose(found, reference.coef_, atol=0.006 if l1 else 1e-8)


def test_a_norm_penalty_simplifies_a_polynomial_of_the_seventh_degree() -> None:
    x = np.linspace(-1, 1, 12)[:, None]
    t = np.sin(3 * x[:, 0]) + 0.2 * np.random.default_rng(1).normal(size=12)
    rows = np.arange(12)
    split = cy.Split(cy.load((x, t)), rows, rows[:0], rows[:0])
    sizes = []
    for penalty in ("none", cy.penalties.l2(strength=0.1)):
        recipe = cy.Recipe(
            model=cy.models.polynomial(degree=7), optimizer=cy.optim.adam(lr=0.05),
            schedule="constant", batch_size="all", length="1000 steps", precision="float64",
            penalty=penalty,
        )  # fmt: skip
        run = assemble(complete(recipe, split), split, 0)
        for _ in train(run.program, run.state):
            pass
        sizes.append(run.state.model[-1].weight.detach()[0].norm().item())
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize(
    "optimizer", [cy.optim.sgd(lr=0.05, momentum=0.9), cy.optim.adamw(lr=3e-3)]
)
@pytest.mark.parametrize("name", PENALTIES)
def test_a_member_of_a_population_is_what_it_is_alone(name: str, optimizer: Any) -> None:
    recipe = TABLE.replace(penalty=PENALTIES[name], optimizer=optimizer, clip=cy.clip.norm(1.0))
    check_equal(lambda: runs_of(recipe, "table"))


def test_members_may_have_penalties_of_their_own() -> None:
    own = [{"penalty": PENALTIES[name]} for name in ("none", "elastic", "max_norm")]
    recipe = TABLE.replace(model=cy.models.mlp(hidden=(8,), norm="batch", activation="prelu"))
    check_equal(lambda: runs_of(recipe, "table", changes=lambda member: own[member]))
    images = RECIPE.replace(model=cy.models.cnn(channels=(4,), hidden=(6,)), length="20 steps")
    check_equal(lambda: runs_of(images, "image", changes=lambda m: own[m]), form="grouped")


def test_a_paused_member_goes_on_alone_as_it_would_have() -> None:
    model = cy.models.mlp(hidden=(8,), activation="rrelu")
    recipe = TABLE.replace(model=model, penalty=PENALTIES["elastic"], batch_size=32)
    ours, theirs = (runs_of(recipe, "table") for _ in range(2))
    for _ in train_together(ours, until=17):
        pass
    for run, other in zip(ours, theirs, strict=True):
        assert run.state.step == 17
        for one in (run, other):
            for _ in train(one.program, one.state):
                pass
        pairs = zip(run.state.model.parameters(), other.state.model.parameters(), strict=True)
        assert all(torch.allclose(a, b, rtol=0, atol=1e-9) for a, b in pairs)


def test_a_step_of_several_passes_is_penalised_once() -> None:
    whole = trained(TABLE.replace(penalty=PENALTIES["l2"], batch_size=32))
    parts = trained(TABLE.replace(penalty=PENALTIES["l2"], batch_size=8, accumulate=4))
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_a_bound_holds_in_a_run() -> None:
    model = trained(TABLE.replace(penalty=cy.penalties.max_norm(max=0.5)))
    norms = torch.cat([p.detach().norm(dim=1) for p in model.parameters() if p.ndim == 2])
    assert 0.49 < norms.max().item() <= 0.5 + 1e-12
    model = trained(TABLE.replace(penalty=cy.penalties.l2_ball(radius=1.0)))
    total = math.hypot(*(p.norm().item() for p in model.parameters() if p.ndim == 2))
    assert total == pytest.approx(1.0)


def test_a_run_without_the_fields_is_the_same_bit_for_bit() -> None:
    old = cy.Recipe.from_toml('batch_size = 32\nlength = "20 steps"\n[model]\nname = "mlp"\n')
    assert (old.init, old.penalty) == (None, None)
    new = old.replace(init="default", penalty="none")
    split = cy.split(cy.load("iris"))
    models = []
    for recipe in (old, new):
        full = complete(recipe, split)
        assert (str(full.init), str(full.penalty)) == ("default()", "none()")
        bare = full.replace(init=None, penalty=None)  # as older run folders have it
        for whole in (full, bare):
            run = assemble(whole, split, 0)
            for _ in train(run.program, run.state):
                pass
            models.append(run.state.model)
    for model in models[1:]:
        pairs = zip(models[0].parameters(), model.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


def test_a_penalty_needs_steps_and_a_penalised_line_takes_them() -> None:
    split = cy.split(cy.load("diabetes"))
    recipe = cy.Recipe(model="linear", penalty="l1")
    assert complete(recipe, split).optimizer.name == "adamw"
    with pytest.raises(UsageError, match="a penalty acts in steps"):
        assemble(complete(recipe.replace(optimizer="closed_form"), split), split, 0)
    with pytest.raises(UsageError, match=r"penalty\.strength"):
        cy.penalties.l2(strength=-1)


def test_the_doctor_takes_a_penalty_away() -> None:
    from chymist.doctor.experiments import unregularized
    from chymist.doctor.remedies import TREATMENTS

    recipe = complete(cy.Recipe(penalty="l2"), cy.split(cy.load("iris")))
    assert unregularized(recipe).penalty == cy.penalties.none()
    assert TREATMENTS["over_regularised"]({}, recipe)["penalty"] == "none"
    bare = recipe.replace(penalty=None)
    assert unregularized(bare).penalty is None
    assert "penalty" not in TREATMENTS["over_regularised"]({}, bare)


def test_the_doctor_names_a_penalty_that_outweighs_the_data() -> None:
    recipe = cy.Recipe(model="mlp", length="20 epochs", penalty=cy.penalties.l2(strength=1.0))
    run = cy.fit(recipe, cy.split(cy.load("digits"), seed=0), seed=0)
    assert run.findings[0].code == "over_regularised"
    assert run.findings[0].remedy.changes["penalty"] == "none"
