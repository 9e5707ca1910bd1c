"""What a watcher records, what that may cost, and what it says of wrong calls."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import chymist as cy
from chymist.doctor import first_look, sampling, watching
from chymist.doctor.finding import Finding
from chymist.doctor.probing import first_tensor, norms
from chymist.errors import InputError
from tests.doctor_loops import (
    TRAIN,
    VALID,
    batches,
    ce,
    loud,
    mlp,
    seeded,
    watching_of,
)
from tests.doctor_loops import enough_time as enough_time


# ---------------------------------------------------------------- what is recorded
def test_signals_are_right() -> None:
    model = nn.Linear(8, 2, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    expected, sizes = [], []
    for x, y in batches(TRAIN, 40, torch.Generator().manual_seed(0)):
        loss = ce(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        old = model.weight.detach().clone()
        optimizer.step()
        w.step(loss, x, y)
        expected.append(float((model.weight.detach() - old).norm() / old.norm()))
        sizes.append(model.weight.grad.norm().item())
    assert [at for at, _ in w.record.ratios] == list(range(1, 11))
    assert [v for _, v in w.record.ratios] == pytest.approx(expected, rel=1e-5)
    assert [v for _, v in w.record.norms] == pytest.approx(sizes, rel=1e-5)
    assert 0.8 < float(np.median(w.record.mixed)) < 1.2


def test_waiting_is_told_from_working(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("chymist.doctor.watching.perf_counter", lambda: clock[0])
    monkeypatch.setattr("chymist.doctor.hearing.perf_counter", lambda: clock[0])
    model = nn.Linear(8, 2)
    w = cy.watch(model)
    for _ in range(100):
        clock[0] += 3.0
        model(TRAIN[0])
        clock[0] += 1.0
        w.step(0.5)
    assert w.record.waiting == [3.0] * watching.TIMED
    assert w.record.working == [1.0] * watching.TIMED
    assert [f.code for f in w.findings] == ["data_loading_bound"]


@pytest.mark.parametrize(("mode", "wrong"), [(True, True), (False, False)])
def test_the_mode_of_validation_is_heard(mode: bool, wrong: bool) -> None:
    model = seeded(mlp)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    w = cy.watch(model, optimizer, ce, TRAIN, VALID, 32)
    for _ in range(2):
        model.train()
        for x, y in batches(TRAIN, 32, torch.Generator().manual_seed(0)):
            loss = ce(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            w.step(loss, x, y)
        model.train(mode)
        with torch.no_grad():
            out = model(VALID[0])
        w.epoch(ce(out, VALID[1]), out, VALID[1])
    assert ("train_eval_mode" in loud(w)) is wrong
    # outputs of another model, as of averaged weights, are nobody's mistake
    with torch.no_grad():
        other = seeded(mlp)(VALID[0])
    w.epoch(1.0, other, VALID[1])
    assert math.isnan(w.record.epochs[-1].differs)


def test_the_first_bad_step_is_known() -> None:
    w = cy.watch(nn.Linear(8, 2))
    w.step(0.5, TRAIN[0])
    w.step(math.nan, TRAIN[0] * math.inf)
    w.step(math.nan, TRAIN[0])
    assert (w.record.bad_step, w.record.bad_inputs) == (2, True)


def test_losses_that_wait_on_a_device_are_read_in_time() -> None:
    w = cy.watch(nn.Linear(8, 2))
    w.step(1.0)
    w.pending += [torch.tensor(2.0), torch.tensor([math.nan])]
    w.at += 2
    w.epoch(valid_loss=torch.tensor(1.0))
    assert w.record.losses[:2] == [1.0, 2.0]
    assert w.record.bad_step == 3


def test_facts_of_large_sets_are_made_of_a_part_with_all_that_stand_twice() -> None:
    made = torch.Generator().manual_seed(0)
    x, y = torch.randn(9000, 1000, generator=made), torch.arange(9000) % 2
    valid = torch.cat([torch.randn(150, 1000, generator=made), x[8801:8851]])
    train_part, valid_part = sampling.portions((x, y), (valid, y[:200]))
    assert train_part is not None
    assert valid_part is not None
    assert len(train_part[0]) < 2100
    w = cy.watch(nn.Linear(1000, 2), train=(x, y), valid=(valid, y[:200]))
    assert w.record.facts.data.shared == pytest.approx(0.25)
    assert w.record.facts.data.rows == 9000


# ---------------------------------------------------------------- the governor, and news
def test_looks_stop_when_the_doctor_has_had_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FREE", 0.0)
    model = seeded(mlp)
    w = watching_of(model)(None)
    for _ in range(20):
        w.epoch(valid_loss=1.0)
    assert len(w.record.probes) == 1
    _ = w.findings  # asked for: it looks
    w.at += 1
    _ = w.findings
    assert len(w.record.probes) == 2
    assert w.record.spent > 0


def test_a_large_model_is_looked_at_with_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(watching_of(seeded(mlp))(None).looked[0]) == 256
    monkeypatch.setattr(first_look, "BLINK", 0.0)
    assert len(watching_of(seeded(mlp))(None).looked[0]) == 4


def test_a_long_run_is_remembered_in_a_bounded_room() -> None:
    w = watching_of(seeded(mlp))(None)
    for at in range(1, 400):
        w.at = at
        w._look()
    assert len(w.record.probes) <= watching.PROBES
    assert w.record.probes[0].step == 0
    assert w.record.probes[-1].step == 399
    steps = [p.step for p in w.record.probes]
    assert steps == sorted(steps)


def test_reading_twice_looks_once() -> None:
    w = watching_of(seeded(mlp))(None)
    w.step(0.5)
    assert w.findings == w.findings
    assert len(w.record.probes) == 2
    assert len(w.record.references) <= 1


def test_news_is_told_once_and_harm_only_when_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    w = cy.watch(nn.Linear(8, 2))
    found = [Finding("symmetric_init", "certain", ""), Finding("lr_too_high", "finding", ""),
             Finding("dead_relu", "observation", "")]  # fmt: skip
    monkeypatch.setattr(watching, "findings_of", lambda *a: found)
    heard = []
    for at in range(1, 41):
        w.step(1.0 / at if at < 10 else 0.1)
        heard += [(at, f.code) for f in w.news()]
    # falling until step 10, where waiting starts anew at doublings: 1, 2, 4, 8, 16, 32
    assert heard == [(1, "symmetric_init"), (32, "lr_too_high")]


# ---------------------------------------------------------------- wrong calls
@pytest.mark.parametrize(
    ("words", "part"),
    [
        ({"model": "resnet"}, "watch(model=)"),
        ({"optimizer": 0.1}, "watch(optimizer=)"),
        ({"loss_fn": "mse"}, "watch(loss_fn=)"),
        ({"batch_size": 0}, "watch(batch_size=)"),
        ({"train": TRAIN[0]}, "watch(train=)"),
        ({"train": (TRAIN[0], TRAIN[1][:5])}, "(400, 8), (5,)"),
        ({"valid": ([1.0], [2])}, "watch(valid=)"),
        ({"valid": {"x": 1}}, "dict"),
    ],
)
def test_wrong_arguments_are_said_in_one_line(words: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as problem:
        cy.watch(**({"model": nn.Linear(8, 2)} | words))
    line = str(problem.value)
    assert part in line
    assert "\n" not in line
    assert len(line) <= 200


@pytest.mark.parametrize("loss", ["low", None, torch.zeros(3), [1.0]])
def test_a_loss_is_one_number(loss: Any) -> None:
    with pytest.raises(InputError, match="not one number, in loss"):
        cy.watch(nn.Linear(8, 2)).step(loss)


def test_arrays_are_taken_as_rows() -> None:
    x, y = TRAIN[0].double().numpy(), TRAIN[1].numpy()
    w = cy.watch(nn.Linear(8, 2), loss_fn=ce, train=(x, y), valid=(x, y))
    assert w.record.facts.first is not None


# ---------------------------------------------------------------- small parts
def test_norms_of_all_kinds() -> None:
    i = torch.tensor([[0, 0]])
    sparse = torch.sparse_coo_tensor(i, torch.tensor([3.0, 1.0]), (5,), check_invariants=False)
    half = torch.full((100_000,), 300.0, dtype=torch.float16)  # its squares are beyond the type
    assert norms([sparse, half, torch.ones(4, dtype=torch.float64)]) == pytest.approx(
        [4.0, 300 * math.sqrt(100_000), 2.0], rel=1e-3
    )


def test_the_tensor_of_an_output() -> None:
    a, b = torch.zeros(1), torch.ones(1)
    assert first_tensor((None, a, b)) is a
    assert first_tensor({"loss": a, "logits": b}) is b
    with pytest.raises(TypeError):
        first_tensor("nothing")


def test_samples_do_not_copy_a_tensor_and_fingerprints_see_one_bit() -> None:
    values = torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last)
    spread = sampling.spread(values, 6)
    assert len(spread) == 6
    assert spread.untyped_storage().data_ptr() == values.untyped_storage().data_ptr()
    for kind in (torch.float32, torch.float64, torch.bfloat16, torch.complex64):
        ones = torch.ones(1000, dtype=kind)
        before = sampling.fingerprint(ones)
        ones[700] = 1.01
        assert not torch.equal(before, sampling.fingerprint(ones))
