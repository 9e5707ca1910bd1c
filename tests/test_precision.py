"""Accumulation, reduced precision, and the global random states."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.engine.checkpoint import load_checkpoint, save_checkpoint
from chymist.engine.events import Step
from chymist.engine.loop import Program, State, parts_of, steps_per_epoch, train
from chymist.engine.randomness import foreign_randomness, random_states, set_random_states
from chymist.engine.rows import InMemory
from chymist.errors import UsageError
from chymist.parts import part
from chymist.schedules import Span


def program(accumulate: int, batch: int, rows: int = 50, steps: int = 12) -> Program:
    inputs = torch.randn(rows, 6, generator=torch.Generator().manual_seed(0)).double()
    return Program(
        InMemory(inputs, torch.arange(rows) % 3), lambda model, x: model(x),
        part("loss", "cross_entropy").bind(), cy.schedules.constant().build(Span(steps)), None,
        lambda model: {}, None, batch, steps, 7, accumulate,
    )  # fmt: skip


def state() -> State:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    return State(model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), 0.1)


@pytest.mark.parametrize(("accumulate", "batch"), [(2, 8), (4, 4), (3, 7), (16, 1)])
def test_accumulated_steps_equal_those_of_the_whole_batch(accumulate: int, batch: int) -> None:
    """Also where the last step has fewer rows and its passes unequal sizes."""
    parts, whole = state(), state()
    ours = list(train(program(accumulate, batch), parts))
    theirs = list(train(program(1, accumulate * batch), whole))
    for a, b in zip(parts.model.parameters(), whole.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    losses = [[e.loss for e in events if isinstance(e, Step)] for events in (ours, theirs)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)
    assert parts.step == whole.step == 12


@pytest.mark.parametrize("rows", range(1, 70))
def test_passes_cover_a_step_without_single_rows(rows: int) -> None:
    plan = program(4, 16)
    x = torch.arange(rows)
    sizes = [len(t) for _, t, _ in parts_of(x, x, None, plan)]
    assert sum(sizes) == rows
    assert max(sizes) <= 17
    assert min(sizes) > 1 or rows == 1
    assert torch.equal(torch.cat([t for _, t, _ in parts_of(x, x, None, plan)]), x)


def test_each_pass_of_a_step_has_its_own_dropout_mask() -> None:
    layer = cy.models.Dropout(0.5)
    masks = []
    for number in range(3):
        layer.place(0, 4, "drop", number)
        masks.append(layer(torch.ones(64)))
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[1], masks[2])


def test_accumulation_in_a_recipe() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model="mlp", batch_size=8, accumulate=4, length="2 epochs")
    run = cy.fit(recipe, split)
    assert run.facts["steps"] == 2 * steps_per_epoch(len(split.train), 32)
    assert cy.Recipe.from_toml(run.recipe.to_toml()).accumulate == 4
    with pytest.raises(UsageError, match="at least one pass"):
        cy.Recipe(accumulate=0)
    with pytest.raises(UsageError):
        cy.Recipe(accumulate="many")


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_reduced_precision_trains_as_well_and_keeps_float32_weights(precision: str) -> None:
    split = cy.split(cy.load("digits"), seed=0)
    recipe = cy.Recipe(model="mlp", length="4 epochs", precision=precision)
    run = cy.fit(recipe, split, seed=1)
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    full = cy.fit(recipe.replace(precision="float32"), split, seed=1)
    assert abs(run.score.value - full.score.value) < 0.03
    assert run.score.value > 0.93
    assert not torch.equal(next(run.model.parameters()), next(full.model.parameters()))


def test_the_gradient_scaler_is_saved_and_resumed_exactly(tmp_path) -> None:
    def made() -> tuple[Program, State]:
        plan, here = program(1, 16, steps=30), state()
        here.model.float()
        here.optimizer = torch.optim.SGD(here.model.parameters(), 0.1, momentum=0.9)
        here.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=5)
        rows = InMemory(plan.rows.inputs.float(), plan.rows.targets)

        def apply(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
            with torch.autocast("cpu", torch.float16):
                return model(x).float()

        return Program(**{**plan.__dict__, "rows": rows, "apply": apply}), here

    plan, through = made()
    scales = {through.scaler.get_scale() for _ in train(plan, through)}
    assert len(scales) > 3  # steps were skipped, and the scale grew again
    _, first = made()
    for event in train(plan, first):
        if isinstance(event, Step) and event.step == 17:
            break
    path = save_checkpoint(tmp_path, first)
    _, second = made()
    load_checkpoint(path, second)
    list(train(plan, second))
    assert second.scaler.state_dict() == through.scaler.state_dict()
    for a, b in zip(second.model.parameters(), through.model.parameters(), strict=True):
        assert torch.equal(a, b)


class Noisy(nn.Module):
    """Draws from all three global generators, as careless code does."""

    def __init__(self, shapes) -> None:
        super().__init__()
        self.layer = nn.Linear(shapes.inputs[0], shapes.outputs)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = x + 0.01 * random.random() + 0.01 * float(np.random.rand())  # noqa: NPY002
        return self.layer(self.drop(x))


def test_a_module_that_draws_from_global_states_resumes_to_the_same_bits(tmp_path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(model=Noisy, length="6 epochs", batch_size=16)
    through = cy.fit(recipe, split, seed=5, threads=1)
    again = cy.fit(recipe, split, seed=5, threads=1)
    assert torch.equal(through.model.layer.weight, again.model.layer.weight)
    seen: list[object] = []

    with pytest.raises(cy.ChymistError, match="interrupted"):
        cy.fit(
            recipe, split, seed=5, threads=1, out=tmp_path / "run", observer=seen.append,
            interrupted=lambda: len(seen) > 17,
        )  # fmt: skip
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    run, step, problems = cy.resume(tmp_path / "run", model=Noisy)
    assert (step > 0, problems) == (True, [])
    assert torch.equal(through.model.layer.weight, run.model.layer.weight)
    assert np.array_equal(through.history["loss"], run.history["loss"])


def test_the_callers_random_states_are_given_back() -> None:
    tensors, plain = random_states()
    with foreign_randomness(3):
        first = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002
    with foreign_randomness(3):
        again = random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002
    assert first == again
    after, other = random_states()
    assert torch.equal(tensors["torch"], after["torch"])
    assert plain == other
    set_random_states(tensors, plain)


def _blown_up(scale: float) -> Any:
    def model(shapes: cy.Shapes) -> torch.nn.Module:
        class Blown(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first = torch.nn.Linear(shapes.inputs[0], 8)
                self.last = torch.nn.Linear(8, shapes.outputs)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.last(torch.relu(self.first(scale * x))) * 0.01

        return Blown()

    return model


def test_a_first_step_that_overflows_leaves_no_memory_unset() -> None:
    split = cy.split(cy.load("diabetes"), seed=0)
    recipe = cy.Recipe(
        model=_blown_up(300.0), optimizer=cy.optim.sgd(lr=1e-6, momentum=0.9), stop="none",
        precision="float16", length="3 epochs",
    )  # fmt: skip
    waste = [torch.full((64, 64), 1e34) for _ in range(50)]  # what the heap may hold
    del waste
    run = cy.fit(recipe, split)
    assert run.facts["epochs"] == 3
    assert all(bool(torch.isfinite(p).all()) for p in run.model.parameters())


def test_gradients_that_are_never_finite_end_the_run() -> None:
    class Never(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
            return grads[0] * float("inf")

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(10, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = Never.apply(self.layer(x))
            return found

    recipe = cy.Recipe(model=Model, precision="float16", length="20 epochs")
    with pytest.raises(cy.Diverged, match="not finite in float16"):
        cy.fit(recipe, cy.split(cy.load("diabetes"), seed=0))
