"""Watching leaves no trace: weights, modes, hooks, random states, compiled code."""

from __future__ import annotations

import copy
import gc
import math
import random
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import chymist as cy
from chymist.doctor.probing import probe
from chymist.doctor.restoring import untouched
from tests.doctor_loops import (
    MODELS,
    TRAIN,
    VALID,
    Noisy,
    ce,
    mlp,
    randomness,
    seeded,
    state,
    train,
    watching_of,
)
from tests.doctor_loops import enough_time as enough_time


# ---------------------------------------------------------------- nothing is changed
@pytest.mark.parametrize("make", MODELS)
def test_a_run_is_the_same_bit_for_bit_with_and_without(make: Callable[[], nn.Module]) -> None:
    plain = seeded(make)
    losses = train(plain)
    left = randomness()
    watched, held = seeded(make), []

    def factory(optimizer: Any) -> Any:
        held.append(watching_of(watched)(optimizer))
        return held[0]

    assert train(watched, factory, each=lambda w: w.findings and None) == losses
    assert held[0].findings is not None
    assert randomness() == left
    assert state(watched) == state(plain)
    assert len(held[0].record.probes) >= 2  # it did look


def test_a_generator_that_a_module_or_a_loss_only_names_is_not_used_up() -> None:
    inner = torch.Generator().manual_seed(1)

    def loss_fn(outputs: Tensor, targets: Tensor) -> Tensor:
        return ce(outputs + 0.01 * torch.randn(2, generator=inner), targets)

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x + OUTER.random())

    model = Named()
    before = inner.get_state().tolist(), OUTER.getstate()
    w = cy.watch(model, loss_fn=loss_fn, train=TRAIN, valid=VALID)
    assert w.record.facts.first is not None
    assert (inner.get_state().tolist(), OUTER.getstate()) == before


OUTER = random.Random(5)


@given(st.lists(st.sampled_from(["eval", "weights", "buffer", "attribute", "list", "draw", "new",
                                 "hook", "module", "gone"]), max_size=6))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_whatever_is_done_inside_is_undone(deeds: list[str]) -> None:
    model = seeded(Noisy)
    do: dict[str, Callable[[], object]] = {
        "eval": model.eval,
        "weights": lambda: model.layer.weight.data.zero_(),
        "buffer": lambda: model.seen.add_(3),
        "attribute": lambda: setattr(model, "calls", 99),
        "list": lambda: model.history.append(1.0),
        "draw": lambda: (torch.rand(1), random.random(), model.numbers.random()),
        "new": lambda: setattr(model, "cache", torch.ones(2)),
        "hook": lambda: model.register_forward_hook(lambda *a: None),
        "module": lambda: model.add_module("more", nn.Linear(1, 1)),
        "gone": lambda: model._modules.pop("layer", None),
    }
    before, random_before = state(model), randomness()
    with untouched(model):
        for deed in deeds:
            if deed != "weights" or "layer" in model._modules:
                do[deed]()
    assert (state(model), randomness()) == (before, random_before)


def test_a_graph_that_waits_survives_a_look() -> None:
    model = seeded(mlp)
    waiting = ce(model(TRAIN[0]), TRAIN[1])
    probe(model, ce, *TRAIN, step=0)
    waiting.backward()
    assert model[0].weight.grad is not None


def test_a_look_inside_autocast_and_inference_mode_leaves_no_cache() -> None:
    model = seeded(mlp)
    with torch.autocast("cpu", torch.bfloat16):
        first = probe(model, ce, *TRAIN, step=0)
        ce(model(TRAIN[0]), TRAIN[1]).backward()  # a cache without gradients would leave none
    assert model[0].weight.grad is not None
    with torch.inference_mode():
        second = probe(model, ce, *TRAIN, step=0)
    assert first is not None
    assert second is not None
    assert first.outputs.dtype == torch.float32
    assert second.gradients


def test_nothing_stays_on_the_model() -> None:
    model = seeded(mlp)
    bare = state(model)

    def hooks() -> int:
        own = sum(len(m._forward_pre_hooks) for m in model.modules())
        return own + sum(len(p._backward_hooks or ()) for p in model.parameters())

    w = cy.watch(model, loss_fn=ce, train=TRAIN)
    assert state(model) == bare
    w.step(0.5)
    assert hooks() == 4  # one for calls, three for gradients
    _ = w.findings
    assert hooks() == 0
    assert all(p._backward_hooks is None for p in model.parameters())  # an empty one costs time
    w.step(0.5)
    assert hooks() == 1
    copied = copy.deepcopy(model)
    copied(TRAIN[0])  # a copy tells the watcher of the original nothing
    assert math.isnan(w.ear.called)
    w.close()
    assert hooks() == 0
    w.step(0.5)
    assert hooks() == 0
    with cy.watch(model) as w:
        w.step(0.5)
        assert hooks() == 4
    assert hooks() == 0
    w = cy.watch(model)
    w.step(0.5)
    del w
    gc.collect()
    assert hooks() == 0
    assert state(model) == bare


def test_a_watcher_keeps_no_model_alive_by_a_hook_and_no_tensor_of_a_step() -> None:
    model = seeded(mlp)
    w = cy.watch(model)
    loss = ce(model(TRAIN[0]), TRAIN[1])
    held = weakref.ref(loss)
    w.step(loss, *TRAIN)
    del loss
    assert held() is None
