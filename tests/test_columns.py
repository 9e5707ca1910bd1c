"""Members that differ in momentum, betas or eps are one group, and each is what it is alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import chymist as cy
from chymist.engine.assembly import Assembly
from chymist.engine.loop import train
from chymist.engine.population import together, train_together
from chymist.engine.population.columns import ColumnSteps, differ, option_of
from chymist.engine.population.training import Crew, stacked_rows
from chymist.parts import Part
from tests.test_population import OPTIMIZERS, RECIPE, alone, check_equal, runs_of

RULES: dict[str, list[dict[str, Any]]] = {
    "momentum": [{}, {"momentum": 0.5}, {"momentum": 0.95}],
    "nesterov": [{"momentum": m, "nesterov": True} for m in (0.3, 0.6, 0.9)],
    "betas": [{"betas": (0.5, 0.9)}, {"betas": (0.8, 0.99)}, {}],
    "eps": [{"eps": 1e-8}, {"eps": 1e-3}, {"eps": 0.1}],
    "alpha": [{"alpha": 0.9}, {"alpha": 0.5, "momentum": 0.5}, {}],
}
KINDS = [("sgd", "momentum"), ("sgd", "nesterov"), ("adam", "betas"), ("adam", "eps"),
         ("adamw", "betas"), ("adamw", "eps"), ("adagrad", "eps"), ("rmsprop", "alpha"),
         ("rmsprop", "eps"), ("bgd", "momentum")]  # fmt: skip

VELOCITY = ("sgd", "bgd")


def optimizers_of(kind: str, rule: str, **more: Any) -> list[Part]:
    make = getattr(cy.optim, kind)
    return [make(lr=0.02 if kind in VELOCITY else 3e-3, **more, **change) for change in RULES[rule]]


def changes_of(optimizers: list[Part]) -> Callable[[int], dict[str, Any]]:
    return lambda member: {"optimizer": optimizers[member % len(optimizers)]}


@pytest.mark.parametrize(("kind", "rule"), KINDS)
def test_the_rule_is_that_of_torch_for_every_member(kind: str, rule: str) -> None:
    """100 steps of rate 1 from the same gradients."""
    parts = [part.replace(lr=1.0, weight_decay=0.0) for part in optimizers_of(kind, rule)]
    torch.manual_seed(0)
    stacked = [nn.Parameter(torch.randn(3, 4, 2).double()), nn.Parameter(torch.randn(3).double())]
    plain = [[nn.Parameter(p[k].detach().clone()) for p in stacked] for k in range(3)]
    ours, theirs = (
        ColumnSteps(stacked, parts),
        [p.build(m) for p, m in zip(parts, plain, strict=True)],
    )
    for _ in range(100):
        for number, parameter in enumerate(stacked):
            parameter.grad = torch.randn_like(parameter)
            for k in range(3):
                plain[k][number].grad = parameter.grad[k].clone()
        ours.step()
        for optimizer in theirs:
            optimizer.step()
    for number, parameter in enumerate(stacked):
        for k in range(3):
            assert torch.allclose(parameter[k], plain[k][number], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
@pytest.mark.parametrize(("kind", "rule"), KINDS)
def test_with_rates_and_decays_that_differ_too(kind: str, rule: str, schedule: str) -> None:
    optimizers = [part.replace(lr=0.003 * 3**n, weight_decay=0.02 * n)
                  for n, part in enumerate(optimizers_of(kind, rule))]  # fmt: skip
    recipe = RECIPE.replace(schedule=schedule, length="100 steps")
    check_equal(lambda: runs_of(recipe, "table", changes=changes_of(optimizers)))


@pytest.mark.parametrize(("kind", "rule"), KINDS)
def test_at_one_rate_and_decay(kind: str, rule: str) -> None:
    optimizers = optimizers_of(kind, rule, weight_decay=1e-2)
    check_equal(lambda: runs_of(RECIPE.replace(length="100 steps"), "table",
                                changes=changes_of(optimizers)))  # fmt: skip


@pytest.mark.parametrize(("kind", "rule"), KINDS)
def test_members_that_stop_early_and_compaction(kind: str, rule: str) -> None:
    recipe = RECIPE.replace(length="40 epochs", stop=cy.stop.early("val_loss", patience="2 epochs"))
    optimizers = [part.replace(lr=0.2 if kind in VELOCITY else 0.02)
                  for part in optimizers_of(kind, rule)]  # fmt: skip
    counts = tuple(range(60, 110, 7))

    def make() -> list[Assembly]:
        return runs_of(recipe, "table", rows=counts, changes=changes_of(optimizers))

    ends = {events[-1].epoch for events in alone(make())}
    assert len(ends) > 2, "the members stop at different epochs"
    check_equal(make)


@pytest.mark.parametrize(("kind", "rule"), KINDS)
def test_paused_alone_or_together_a_member_goes_on(kind: str, rule: str) -> None:
    """30 steps together, 10 alone, then together again: the moments of each are its own."""

    def make() -> list[Assembly]:
        return runs_of(RECIPE, "table", changes=changes_of(optimizers_of(kind, rule)))

    ours, theirs = make(), make()
    list(train_together(ours, until=30))
    alone(theirs)
    for run in ours:
        steps = (event for event in train(run.program, run.state) if hasattr(event, "rate"))
        for _ in range(10):
            next(steps)
        assert run.state.step == 40
    list(train_together(ours))
    for run, other in zip(ours, theirs, strict=True):
        numbers = run.state.model.state_dict()
        for name, values in other.state.model.state_dict().items():
            assert torch.allclose(numbers[name], values, rtol=0, atol=1e-9), name


def test_a_paused_member_keeps_what_it_would_keep_alone() -> None:
    for kind, rule in KINDS:
        ours = runs_of(RECIPE, "table", changes=changes_of(optimizers_of(kind, rule)))
        theirs = runs_of(RECIPE, "table", changes=changes_of(optimizers_of(kind, rule)))
        list(train_together(ours, until=7))
        for run, other in zip(ours, theirs, strict=True):
            steps = train(other.program, other.state)
            while other.state.step < 7:
                next(steps)
            found, right = run.state.optimizer.state_dict(), other.state.optimizer.state_dict()
            for place, state in right["state"].items():
                kept = {name: values for name, values in state.items() if values is not None}
                assert set(found["state"].get(place, {})) == set(kept)
                for name, values in kept.items():
                    again = found["state"][place][name]
                    assert (again.dtype, again.shape) == (values.dtype, values.shape)
                    assert torch.allclose(again, values, rtol=0, atol=1e-10), (kind, rule, name)


def test_what_differs_in_nothing_keeps_the_step_of_torch() -> None:
    for part in OPTIMIZERS.values():
        runs = runs_of(RECIPE.replace(optimizer=part), "table")
        update = Crew(runs, stacked_rows(runs)).update
        assert type(update.optimizer).__module__.startswith("torch.optim")
        assert not update.apart
    given, default = cy.optim.sgd(momentum=0.0), cy.optim.sgd()
    assert not differ([given, default])
    assert option_of(default, "nesterov") is False


def test_groups_do_not_part_by_momentum_and_betas_but_by_nesterov() -> None:
    optimizers = [cy.optim.adam(betas=(0.8, 0.99)), cy.optim.adam(), cy.optim.adam(eps=1e-4),
                  cy.optim.sgd(), cy.optim.sgd(momentum=0.9),
                  cy.optim.sgd(momentum=0.9, nesterov=True)]  # fmt: skip
    runs = runs_of(RECIPE, "table", rows=(90,) * 6, changes=changes_of(optimizers))
    assert [group.members for group in together(runs)] == [(0, 1, 2), (3, 4), (5,)]
