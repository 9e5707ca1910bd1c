"""`watch_experiments`: trials on copies of somebody's model, and what they say of findings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist.doctor import ExperimentWatcher, Finding, watch_experiments
from chymist.doctor.trials import (
    CHANGES,
    Setup,
    Tried,
    attempt,
    drawn_anew,
    loss_of,
    set_free,
    setup_of,
    shallower,
    standardised,
)
from chymist.doctor.trying import GRACE, Trials, judged, wanted
from chymist.doctor.verdicts import Effect, Noise

Rows = tuple[Tensor, Tensor]


@pytest.fixture(scope="module")
def rows() -> tuple[Rows, Rows]:
    """Three classes of a ring around the origin: no line separates them, neighbours do."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(600, 2, generator=draw)
    y = (3 * x.norm(dim=1) / 2).long().clamp(max=2)
    return (x[:400], y[:400]), (x[400:], y[400:])


def network(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def trained(
    rows: tuple[Rows, Rows], rate: float, epochs: int = 20, read: bool = True, **options: Any
) -> tuple[ExperimentWatcher, nn.Module, torch.optim.Optimizer]:
    """An ordinary loop, watched."""
    torch.manual_seed(0)
    model = options.pop("model", None) or network(2, 32, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, **options)
    loss_fn, (train, valid) = nn.CrossEntropyLoss(), rows
    w = watch_experiments(model, optimizer, loss_fn, train, valid, batch_size=20)
    for _ in range(epochs):
        model.train()
        for index in torch.randperm(400).split(20):
            optimizer.zero_grad()
            outputs = model(train[0][index])
            loss = loss_fn(outputs, train[1][index])
            loss.backward()
            optimizer.step()
            w.step(loss.detach(), train[0][index], train[1][index], outputs.detach())
        model.eval()
        with torch.no_grad():
            outputs = model(valid[0])
        w.epoch(loss_fn(outputs, valid[1]), outputs, valid[1], loss.item())
        if read:
            _ = w.findings
    return w, model, optimizer


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.code: finding.level for finding in findings}


# ---------------------------------------------------------------- whole loops
def test_a_slow_rate_is_confirmed_and_the_vague_finding_goes(rows: tuple[Rows, Rows]) -> None:
    w, _, _ = trained(rows, 3e-5, epochs=40, read=False)
    assert levels(w.watcher.findings)["lr_too_low"] == "finding"
    found = w.findings
    assert levels(found) == {"lr_too_low": "confirmed", "optimisation_failure": "observation"}
    evidence = found[0].evidence
    assert evidence["experiment"] == "lr x 100"
    assert evidence["loss with it"] < evidence["loss without"] - evidence["by chance"]  # type: ignore[operator]
    assert evidence["loss with it"] < evidence["to beat"]  # type: ignore[operator]
    assert 0 < w.steps <= 0.25 * w.watcher.at
    assert w.findings == found
    assert w.trials is not None
    assert set(w.trials.tried) >= {"base", "sham 1", "lr x 10", "lr x 100"}


def test_a_healthy_loop_is_left_in_peace(rows: tuple[Rows, Rows]) -> None:
    w, _, _ = trained(rows, 1e-2)
    assert w.findings == []
    assert (w.steps, w.seconds, w.trials) == (0, 0.0, None)


def test_budgets_hold_over_all_readings(rows: tuple[Rows, Rows]) -> None:
    w, _, _ = trained(rows, 1e-6, epochs=12)  # read after every epoch
    assert 0 < w.steps <= 0.25 * w.watcher.at
    own = w.watcher.record.elapsed - w.watcher.record.spent
    assert w.seconds <= 0.25 * own + GRACE + 0.5


def states(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Any]:
    yield from model.state_dict().values()
    yield from (p.grad for p in model.parameters())
    for held in optimizer.state.values():
        yield from held.values()
    yield torch.get_rng_state()
    yield torch.tensor(np.random.get_state()[1].astype(np.int64))  # noqa: NPY002
    yield torch.tensor(random.getstate()[1])


def test_nothing_of_the_user_is_touched(rows: tuple[Rows, Rows]) -> None:
    w, model, optimizer = trained(rows, 1e-6, read=False)
    _ = w.watcher.findings
    kept = [part.clone() for part in (*rows[0], *rows[1])]
    before = [torch.as_tensor(value).clone() for value in states(model, optimizer)]
    rate, modes = optimizer.param_groups[0]["lr"], [m.training for m in model.modules()]
    assert w.findings
    assert w.steps > 0
    for old, new in zip(before, states(model, optimizer), strict=True):
        assert torch.equal(old, torch.as_tensor(new))
    assert all(torch.equal(a, b) for a, b in zip(kept, (*rows[0], *rows[1]), strict=True))
    assert (optimizer.param_groups[0]["lr"], [m.training for m in model.modules()]) == (rate, modes)
    other = trained(rows, 1e-6, read=True)
    for old, new in zip(model.parameters(), other[1].parameters(), strict=True):
        assert torch.equal(old, new)


def test_it_is_public_and_works_as_a_context(rows: tuple[Rows, Rows]) -> None:
    model = network(2, 4, 3)
    with cy.watch_experiments(model, loss_fn=nn.CrossEntropyLoss(), train=rows[0]) as w:
        assert w.setup is None  # without an optimiser nothing can be tried
        w.step(1.0)
        assert w.news() == []
    assert w.watcher.closed


# ---------------------------------------------------------------- what can be tried
def plain(model: nn.Module, rows: Rows, **options: Any) -> Setup:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, **options)
    made = setup_of(model, optimizer, nn.CrossEntropyLoss(), rows, 20)
    assert made is not None
    return made


def test_a_trial_is_a_plain_run_from_the_initial_weights(rows: tuple[Rows, Rows]) -> None:
    model = network(2, 8, 3)
    setup = plain(model, rows[0], momentum=0.9)
    start = loss_of(model, setup)
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert loss_of(setup.model, setup) == pytest.approx(start)  # a copy, as it was at first
    one = attempt("base", setup, 60, 1, 60.0)
    assert one is not None
    assert one == attempt("base", setup, 60, 1, 60.0)
    assert one != attempt("base", setup, 60, 2, 60.0)
    assert len(one.course) == one.steps == 60
    assert one.loss < 0.8 * start
    assert loss_of(setup.model, setup) == pytest.approx(start)


def test_a_trial_replays_the_rates_of_the_loop(rows: tuple[Rows, Rows]) -> None:
    setup = plain(network(2, 8, 3), rows[0])
    setup.rates.extend([0.0] * 10)
    still = attempt("base", setup, 30, 1, 60.0)
    assert still is not None
    assert still.loss == pytest.approx(loss_of(setup.model, setup))
    setup.rates.extend([0.5] * 10)
    later = attempt("base", setup, 30, 1, 60.0)
    assert later is not None
    assert later.loss < still.loss


def test_what_diverges_is_infinite_and_what_takes_too_long_is_dropped(
    rows: tuple[Rows, Rows],
) -> None:
    setup = plain(network(2, 8, 3), rows[0])
    setup.rates.append(1e30)
    wild = attempt("base", setup, 30, 1, 60.0)
    assert wild is not None
    assert wild.loss == float("inf")
    assert attempt("base", plain(network(2, 8, 3), rows[0]), 30, 1, 0.0) is None


def test_where_trials_cannot_be_made_there_are_none(rows: tuple[Rows, Rows]) -> None:
    loss_fn, (train, _) = nn.CrossEntropyLoss(), rows

    def made(model: nn.Module, optimizer: torch.optim.Optimizer | None) -> Setup | None:
        return setup_of(model, optimizer, loss_fn, train, 20)

    model, other = network(2, 8, 3), network(2, 8, 3)
    both = torch.optim.SGD([*model.parameters(), *other.parameters()], lr=0.1)
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.2}]
    assert made(model, None) is None
    assert made(model, both) is None
    assert made(model, torch.optim.SGD(groups, lr=0.1)) is None
    lazy = nn.Sequential(nn.LazyLinear(3))
    assert made(lazy, torch.optim.SGD(lazy.parameters(), lr=0.1)) is None
    model.register_forward_hook(lambda *_: None)
    assert made(model, torch.optim.SGD(model.parameters(), lr=0.1)) is None
    closure = torch.optim.LBFGS(other.parameters())  # its step wants a closure
    setup = made(other, closure)
    assert setup is not None
    assert attempt("base", setup, 20, 1, 60.0) is None


def test_changes_change_what_they_say_and_only_that(rows: tuple[Rows, Rows]) -> None:
    train = (100 + 20 * rows[0][0], rows[0][1])
    model = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    setup = plain(model, train, weight_decay=0.1)
    setup.rates.append(0.1)
    assert CHANGES["lr x 10"](setup).rates == [1.0]  # type: ignore[union-attr]
    scaled = standardised(setup)
    assert scaled is not None
    assert torch.allclose(scaled.train[0].mean(0), torch.zeros(2), atol=1e-4)
    assert torch.allclose(scaled.train[0].std(0), torch.ones(2), atol=1e-4)
    free = set_free(setup)
    assert free is not None
    assert (free.groups[0]["weight_decay"], free.model[1].p) == (0.0, 0.0)  # type: ignore[index]
    assert (setup.groups[0]["weight_decay"], setup.model[1].p) == (0.1, 0.5)  # type: ignore[index]
    fresh = drawn_anew(setup)
    assert fresh is not None
    assert not torch.equal(fresh.model[0].weight, setup.model[0].weight)  # type: ignore[index]
    assert set_free(plain(network(2, 3), train)) is None
    assert (
        standardised(Setup(model, torch.optim.SGD, (), nn.MSELoss(), (train[1], train[1]))) is None
    )


def test_half_the_depth_keeps_what_fits(rows: tuple[Rows, Rows]) -> None:
    deep = plain(network(2, *[8] * 9, 3), rows[0])  # eight square layers
    half = shallower(deep)
    assert half is not None
    kinds = [type(m).__name__ for m in half.model.children()]
    assert kinds.count("Linear") == 6
    assert len(half.groups[0]["params"]) == 12
    assert attempt("half the depth", half, 20, 1, 60.0) is not None
    assert shallower(plain(network(2, 8, 8, 8, 3), rows[0])) is None


# ---------------------------------------------------------------- what trials say
def trials(plain_loop: Effect | None = None, bar: float = 1.0, **losses: float) -> Trials:
    tried = {name.replace("_", " "): loss for name, loss in losses.items()}
    return Trials(Noise(1.0, 0.01, 2, 0.05), bar, {n: Tried(n, v) for n, v in tried.items()},
                  plain_loop, 50)  # fmt: skip


def found(*codes: str) -> list[Finding]:
    return [Finding(code, "finding", "", weight=3 - n) for n, code in enumerate(codes)]


def test_only_findings_that_are_not_certain_ask_for_trials() -> None:
    assert wanted([]) == []
    assert wanted([Finding("lr_too_low", "observation", "")]) == []
    bad = Finding("nan_inf_loss", "certain", "")  # certain, but no cause
    assert wanted([bad, *found("lr_too_high")]) == ["lr x 0.1", "lr x 0.01"]
    assert wanted([Finding("no_update", "certain", ""), *found("lr_too_high")]) == []
    assert wanted(found("dead_relu"))[0] == "weights drawn anew"
    assert set(wanted(found("optimisation_failure"))) >= {"lr x 0.1", "standardised inputs"}


def test_a_cause_is_named_where_signals_had_none() -> None:
    came = trials(**{"standardised_inputs": 0.3, "lr_x_0.1": 0.8, "lr_x_10": 2.0})
    named = judged(found("optimisation_failure"), came)
    assert levels(named) == {"unnormalised_input": "confirmed",
                             "optimisation_failure": "observation"}  # fmt: skip
    assert named[0].remedy is not None
    assert judged(found("optimisation_failure"), trials(**{"lr_x_10": 0.95}))[0].level == "finding"
    assert judged([], came) == []  # no harm, no finding


def test_what_its_own_trial_does_not_bear_out_is_a_symptom_once_another_helps() -> None:
    came = trials(**{"lr_x_0.1": 1.2, "lr_x_0.01": 1.1, "weights_drawn_anew": 0.2})
    told = judged(found("lr_too_high", "init_scale"), came)
    assert levels(told) == {"init_scale": "confirmed", "lr_too_high": "observation"}
    alone = judged(found("lr_too_high"), trials(**{"lr_x_0.1": 1.2, "lr_x_0.01": 1.1}))
    assert levels(alone) == {"lr_too_high": "finding"}  # too short to clear it
    other = judged(found("label_noise", "init_scale"), came)
    assert levels(other)["label_noise"] == "finding"  # nothing was tried for it


def test_a_head_start_confirms_nothing() -> None:
    assert judged(found("lr_too_low"), trials(bar=0.3, **{"lr_x_10": 0.5}))[0].level == "finding"


def test_a_plain_loop_that_learns_accuses_the_loop() -> None:
    better, alike = Effect(1.0, 0.4, 0.05), Effect(1.0, 0.98, 0.05)
    assert judged(found("unshuffled_data"), trials(better))[0].level == "confirmed"
    assert judged(found("unshuffled_data"), trials(alike))[0].level == "finding"
    assert judged(found("label_noise"), trials(better))[0].level == "finding"
