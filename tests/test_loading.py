"""Reading against training throughput, on a clock that only tests move."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import chymist as cy
from chymist.doctor import loading
from chymist.doctor.loading import LoadingThroughput, Range, Source, advice_for, measure
from chymist.engine.assembly import assemble
from chymist.engine.defaults import complete
from chymist.engine.place import CPU, Place
from chymist.verbs.loading import assembly_throughput, source_of, training_step
from chymist.verbs.watching import RunWatcher


class Clock:
    """Time that passes only when somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(loading, "perf_counter", made)
    return made


def alone(clock: Clock, seconds: float, length: int, first: float = 0.0) -> Source:
    """Batches of ten rows, each prepared when it is asked for; the first pass is slower."""
    passes: list[int] = []

    def batches() -> Iterator[list[int]]:
        passes.append(1)
        for _ in range(length):
            clock.now += seconds + (first if len(passes) == 1 else 0.0)
            yield [0] * 10

    return Source(batches, len, length=length)


def helped(
    clock: Clock, seconds: float, length: int, workers: int = 2, start: float = 0.0
) -> Source:
    """Batches that workers prepare ahead, each of them one in `seconds`."""
    ahead = 2 * workers

    def batches() -> Iterator[list[int]]:
        free = [clock.now + start] * workers  # when each worker can begin
        ready: deque[float] = deque()
        made = 0
        for _ in range(length):
            while len(ready) < ahead and made < length:
                worker = made % workers
                free[worker] = max(free[worker], clock.now) + seconds
                ready.append(free[worker])
                made += 1
            clock.now = max(clock.now, ready.popleft())
            yield [0] * 10

    return Source(batches, len, workers, ahead, length)


def trainer(clock: Clock, seconds: float) -> loading.Step:
    def step(batch: object) -> None:
        clock.now += seconds

    return step


def simulated(source: Source, step: loading.Step, clock: Clock, epochs: int) -> float:
    """Share of the time that a run waits, by running it."""
    began, waited = clock.now, 0.0
    for _ in range(epochs):
        batches = source.open()
        while True:
            asked = clock.now
            batch = next(batches, None)
            if batch is None:
                break
            waited += clock.now - asked
            step(batch)
    return waited / (clock.now - began)


def test_reading_and_training_are_told_apart(clock: Clock) -> None:
    found = measure(alone(clock, 0.03, 1000), trainer(clock, 0.01), 3.0)
    assert found.reading == pytest.approx((1000 / 3,) * 3)
    assert found.training == pytest.approx((1000,) * 3)
    assert found.waiting == pytest.approx((0.75,) * 3)
    assert (found.bound_by, found.rounds, found.batch, found.cold) == ("reading", 6, 10, True)
    assert found.finding is not None
    assert (found.finding.code, found.finding.level) == ("data_loading_bound", "finding")
    assert found.finding.claim == (
        "75% of the time will go into waiting for batches: 333 samples/s are read, 1,000 trained"
    )
    assert found.finding.evidence["predicted_share"] == pytest.approx(0.75)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("training", [0.005, 0.02, 0.1])
def test_what_workers_prepare_ahead_is_no_reading_speed(
    clock: Clock, workers: int, training: float
) -> None:
    source = helped(clock, 0.04, 400, workers, start=0.5)
    found = measure(source, trainer(clock, training), 20.0)
    assert found.reading.value == pytest.approx(10 * workers / 0.04, rel=0.02)
    truth = simulated(source, trainer(clock, training), clock, 2)
    assert found.waiting is not None
    assert found.waiting.value == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("length", [1, 2, 3, 10, 30])
def test_epochs_that_are_short_are_mostly_the_start_of_workers(clock: Clock, length: int) -> None:
    source = helped(clock, 0.04, length, 2, start=0.3)
    found = measure(source, trainer(clock, 0.01), 30.0)
    truth = simulated(source, trainer(clock, 0.01), clock, 3)
    assert found.waiting is not None
    assert found.waiting.value == pytest.approx(truth, abs=0.08)
    assert truth > 0.5


def test_a_first_pass_that_is_slow_does_not_count_if_others_were_read(clock: Clock) -> None:
    found = measure(alone(clock, 0.01, 10, first=0.5), trainer(clock, 0.01), 20.0)
    assert found.waiting is not None
    assert found.waiting.value == pytest.approx(0.5)
    assert not found.cold
    assert found.rounds >= 3
    once = measure(alone(clock, 0.01, 10_000, first=0.5), trainer(clock, 0.01), 10.0)
    assert once.cold
    assert once.waiting is not None
    assert once.waiting.value > 0.9


def test_measuring_ends_when_its_time_is_over(clock: Clock) -> None:
    found = measure(alone(clock, 10.0, 1000), trainer(clock, 10.0), 5.0)
    assert found.rounds == 1
    assert clock.now <= 10 * (1 + 2 + 3 + 2)


def test_nothing_is_found_where_training_is_the_slower_one(clock: Clock) -> None:
    found = measure(helped(clock, 0.04, 400), trainer(clock, 0.05), 5.0)
    assert found.finding is None
    assert found.bound_by == "training"
    both = measure(alone(clock, 0.02, 400), trainer(clock, 0.06), 5.0)
    assert both.waiting is not None
    assert both.waiting.value == pytest.approx(0.25)
    assert both.finding is None


def test_a_finding_needs_every_round() -> None:
    def found(low: float) -> LoadingThroughput:
        rate, waiting = Range(10.0, 10.0, 10.0), Range(0.5, low, 0.6)
        return LoadingThroughput(rate, rate, waiting, 6, 4, 0, 0.0, False, "num_workers=2")

    assert found(0.31).finding is not None
    assert found(0.29).finding is None
    assert found(0.31).waited(100) == pytest.approx(100 * 4 / 10)
    assert str(found(0.31)).splitlines()[-1] == "do        num_workers=2"


def test_advice_names_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading.os, "cpu_count", lambda: 4)
    plain = Source(lambda: iter(()), len)
    assert advice_for(0.3, 0.1, plain) == "num_workers=3"
    assert advice_for(3.0, 0.1, plain).startswith("num_workers=4; prepared rows kept in memory")
    four = Source(lambda: iter(()), len, workers=4, length=10, restarts=True, unpinned=True)
    assert advice_for(0.01, 0.1, four) == (
        "persistent_workers=True, as each short epoch starts its workers anew; pin_memory=True"
    )
    ours = Source(lambda: iter(()), len, hint="--workers {}")
    assert advice_for(0.2, 0.1, ours) == "--workers 2"


def test_model_optimizer_loader_and_random_states_stay_as_they_are() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)).eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    generator = torch.Generator().manual_seed(3)
    rows = TensorDataset(torch.randn(64, 4), torch.zeros(64).long())
    loader = DataLoader(rows, 16, shuffle=True, generator=generator)
    weights = {n: t.clone() for n, t in model.state_dict().items()}
    states = torch.get_rng_state(), generator.get_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    cy.loading_throughput(loader, model, optimizer, nn.functional.cross_entropy, seconds=0.02)
    assert all(torch.equal(t, weights[n]) for n, t in model.state_dict().items())
    assert not model.training
    assert not optimizer.state
    assert torch.equal(torch.get_rng_state(), states[0])
    assert torch.equal(generator.get_state(), states[1])
    assert (np.random.get_state()[1] == states[2]).all()  # noqa: NPY002


def test_persistent_workers_of_the_loader_are_not_used() -> None:
    rows = TensorDataset(torch.randn(32, 4), torch.zeros(32).long())
    loader = DataLoader(rows, 8, num_workers=1, persistent_workers=True)
    found = cy.loading_throughput(loader, seconds=0.02)
    assert loader._iterator is None
    assert (found.workers, found.training, found.finding, found.bound_by) == (1, None, None, "")


def test_what_cannot_be_measured_is_refused_in_one_line() -> None:
    with pytest.raises(cy.InputError, match="again and again"):
        cy.loading_throughput(iter([1, 2]))
    with pytest.raises(cy.InputError, match="gives no batch"):
        cy.loading_throughput([])
    with pytest.raises(cy.InputError, match="cannot be trained"):
        cy.loading_throughput([torch.zeros(4, 3)] * 3, nn.Linear(3, 1), seconds=0.01)
    with pytest.raises(cy.InputError, match="needs data or a split"):
        cy.loading_throughput([torch.zeros(4, 3)], cy.Recipe())


def test_batches_may_be_of_any_kind_if_only_reading_is_measured() -> None:
    source = source_of([{"x": torch.zeros(5, 2), "y": [1]}])
    assert source.count({"x": torch.zeros(5, 2), "y": [1]}) == 5
    assert source.count([torch.zeros(3, 2), None]) == 3
    assert source_of(Endless()).length is None
    assert cy.loading_throughput(Endless(), seconds=0.01).batch == 6


class Endless:
    """A stream whose length nobody knows."""

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield torch.zeros(6, 2)


def test_a_step_trains_a_copy() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses: list[float] = []

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        value = (outputs - targets).square().mean()
        losses.append(float(value.detach()))
        return value

    before = model.weight.detach().clone()
    step = training_step(model, optimizer, loss)
    for _ in range(3):
        step((torch.full((4, 2), 0.1), torch.ones(4, 1)))
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]
    assert torch.equal(model.weight, before)


def test_a_run_of_chymist_is_measured_with_its_own_loop() -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = complete(cy.Recipe(batch_size=16), split)
    assembly = assemble(recipe, split, 0, Place(CPU, 0))
    before = {n: t.clone() for n, t in assembly.state.model.state_dict().items()}
    found = assembly_throughput(assembly, 0.02)
    assert (found.batch, found.workers) == (16, 0)
    assert found.training is not None
    assert found.training.value > 0
    state = assembly.state
    assert all(torch.equal(t, before[n]) for n, t in state.model.state_dict().items())
    assert state.step == 0
    assert not state.optimizer.state
    again = cy.loading_throughput(split, cy.Recipe(batch_size=16), seconds=0.02, workers=0)
    assert again.batch == 16


def starving(seconds: float) -> LoadingThroughput:
    """As measured before a run that will wait two thirds of its time."""
    rate = Range(10.0, 10.0, 10.0)
    return LoadingThroughput(
        rate, Range(20.0, 20.0, 20.0), Range(0.66, 0.6, 0.7), 6, 16, 0, seconds, False,
        "--workers 2",
    )  # fmt: skip


@pytest.mark.parametrize(("share", "wanted"), [(0.6, True), (0.2, False)])
def test_a_run_says_before_that_it_will_wait_and_after_whether_it_did(
    monkeypatch: pytest.MonkeyPatch, share: float, wanted: bool
) -> None:
    monkeypatch.setattr(
        "chymist.verbs.watching.assembly_throughput", lambda assembly, seconds: starving(0.0)
    )
    split = cy.split(cy.load("iris"), seed=0)
    assembly = assemble(complete(cy.Recipe(), split), split, 0, Place(CPU, 0))
    told: list[cy.Finding] = []
    watcher = RunWatcher(assembly, lambda finding: told.append(finding))
    assert [f.code for f in told] == ["data_loading_bound"]
    assert told[0].claim.startswith("66% (60% to 70%) of the time will go into waiting")
    watcher.waited = share, 10.0
    found = [f for f in watcher.findings() if f.code == "data_loading_bound"]
    assert bool(found) == wanted
    assert len(told) == 1
    if wanted:
        assert found[0].evidence["share"] == share
        assert found[0].evidence["predicted_share"] == 0.66
        assert found[0].remedy is not None
        assert found[0].remedy.words == "--workers 2"
    watcher.close()


def test_short_waits_and_rows_in_memory_are_not_spoken_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    told: list[cy.Finding] = []
    short = assemble(complete(cy.Recipe(length="1 steps"), split), split, 0, Place(CPU, 0))
    asked: list[object] = []

    def measured(assembly: object, seconds: float) -> LoadingThroughput:
        asked.append(assembly)
        return starving(0.0)

    monkeypatch.setattr("chymist.verbs.watching.assembly_throughput", measured)
    RunWatcher(short, lambda finding: told.append(finding)).close()
    assert len(asked) == 1
    assert not told
    memory = assemble(complete(cy.Recipe(), split), split, 0)
    RunWatcher(memory, lambda finding: told.append(finding)).close()
    assert len(asked) == 1
    assert not told


def test_streamed_bits_are_the_same_with_and_without_measuring(tmp_path: Path) -> None:
    split = cy.split(cy.load("iris"), seed=0)
    recipe = cy.Recipe(length="3 epochs", batch_size=16)
    one, other = (
        cy.fit(recipe, split, seed=0, workers=0, doctor=doctor) for doctor in (True, False)
    )
    for name, tensor in one.model.state_dict().items():
        assert torch.equal(tensor, other.model.state_dict()[name]), name
