"""Runs that are trained by themselves, several at once, in processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor, nn

import chymist as cy
from chymist.engine.assembly import Assembly
from chymist.engine.events import Epoch
from chymist.engine.population import MemberEvent, Plan, execute_all, running
from chymist.engine.population import apart as apart_module
from chymist.engine.population import plan as plan_module
from chymist.engine.population.apart import measured_apart, members_apart, workers_for
from chymist.engine.population.plan import Timings
from chymist.engine.threads import using_threads
from chymist.engine.workers import can_fork
from chymist.errors import Diverged
from chymist.verbs import jobs
from tests.test_population import RECIPE, runs_of

pytestmark = pytest.mark.skipif(not can_fork(), reason="nothing can be forked here")
PARENT = os.getpid()


class Recurrent(nn.Module):
    """No stacked form, none by `vmap`; draws from the global generators, keeps statistics."""

    def __init__(self, shapes: cy.Shapes) -> None:
        super().__init__()
        self.cell, self.last = nn.GRU(1, 5, batch_first=True), nn.Linear(5, shapes.outputs)
        self.norm, self.drop = nn.BatchNorm1d(5), nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.cell(x.float().unsqueeze(2))[0][:, -1]
        return self.last(self.drop(self.norm(h)))


class Fatal(Recurrent):
    """What happens to a member whose process ends, or in which something goes wrong."""

    def __init__(self, shapes: cy.Shapes, happens: Callable[[int], None]) -> None:
        super().__init__(shapes)
        self.happens, self.calls = happens, 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += self.training
        self.happens(self.calls)
        return super().forward(x)


def fast(what: str) -> Callable[..., dict[str, float]]:
    """A measurement that says that processes are fastest, or the loop."""
    seconds = {"loop": 1.0, "processes": 0.4 if what == "processes" else 1.1}
    return lambda runs, workers: seconds


def workers_of_two(runs: Sequence[Assembly]) -> int:
    """As with two threads; those inside of products are slow on a machine that is busy."""
    with using_threads(2):
        return workers_for(runs)


@pytest.fixture(autouse=True)
def two_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Two processes, which are fastest; one that hangs fails its test."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("a process hangs")

    monkeypatch.setattr(plan_module, "measured_apart", fast("processes"))
    monkeypatch.setattr(running, "workers_for", workers_of_two)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    with using_threads(1):
        yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    assert not active_children()


def recurrent(rows: tuple[int, ...] = (97, 90, 101, 90), **changes: Any) -> list[Assembly]:
    changes = {"model": Recurrent, "length": "4 epochs", "batch_size": 32, "precision": "float32",
               **changes}  # fmt: skip
    factory = changes.pop("model")
    return runs_of(
        RECIPE.replace(model=lambda shapes: factory(shapes), **changes), "table", rows=rows
    )


def trained(runs: list[Assembly], **how: Any) -> tuple[Any, dict[int, Diverged], list[list[Epoch]]]:
    seen: list[list[Epoch]] = [[] for _ in runs]

    def watch(member: MemberEvent) -> None:
        assert os.getpid() == PARENT
        assert isinstance(member.event, Epoch)
        seen[member.member].append(member.event)

    groups, lost = execute_all(runs, watch, **how)
    return groups, lost, seen


def check_same(ours: list[Assembly], theirs: list[Assembly]) -> None:
    """To the bit."""
    for a, b in zip(ours, theirs, strict=True):
        truth = b.state.model.state_dict()
        for name, values in a.state.model.state_dict().items():
            assert torch.equal(values, truth[name]), name
        names = ("step", "best_step", "best_value", "stopped", "loss_sum", "loss_rows", "rate")
        for name in names:
            assert getattr(a.state, name) == getattr(b.state, name), name
        assert (a.state.best is None) == (b.state.best is None)
        for name, values in (a.state.best or {}).items():
            assert torch.equal(values, (b.state.best or {})[name]), name
        assert a.state.model.training == b.state.model.training


@pytest.mark.parametrize("stop", ["none", "early"])
def test_members_in_processes_are_what_they_are_in_the_loop(stop: str) -> None:
    changes = {"stop": cy.stop.early("val_loss", patience="1 epoch") if stop == "early" else "none",
               "length": "6 epochs", "optimizer": cy.optim.adam(lr=0.1)}  # fmt: skip
    ours, theirs = recurrent(**changes), recurrent(**changes)
    state = torch.get_rng_state()
    groups, lost, seen = trained(ours)
    assert torch.equal(torch.get_rng_state(), state)
    assert (groups[0].workers, groups[0].apart, lost) == (2, 4, {})
    assert groups[0].reason.endswith("; in 2 processes was measured to be faster")
    _, _, expected = trained(theirs, alone=True)
    check_same(ours, theirs)
    assert seen == expected
    assert stop == "none" or any(run.state.stopped for run in ours)


def test_inputs_in_images_and_a_layout_of_their_own() -> None:
    net = [lambda: nn.Conv2d(2, 3, 3), nn.ReLU, nn.Flatten, lambda: nn.Linear(48, 3)]
    recipe = RECIPE.replace(model=lambda shapes: nn.Sequential(*(f() for f in net)).double(),
                            length="6 steps", batch_size=16)  # fmt: skip
    ours, theirs = runs_of(recipe, "image"), runs_of(recipe, "image")
    plan = Plan(Path("nowhere") / "plan.json")
    key = plan_module._key(ours)
    plan.known[key] = Timings("x", {"loop": 1.0, "stacked": 1.0, "processes": 0.3})
    groups, _, _ = trained(ours, plan=plan)
    assert (groups[0].reason, groups[0].apart) == ("in 2 processes was measured to be faster", 3)
    trained(theirs, alone=True)
    check_same(ours, theirs)


def test_one_that_diverges_is_named_and_the_others_go_on() -> None:
    def change(member: int) -> dict[str, Any]:
        return {"optimizer": cy.optim.sgd(lr=1e30 if member == 1 else 0.1)}

    def runs() -> list[Assembly]:
        recipe = RECIPE.replace(model=lambda shapes: Recurrent(shapes), length="4 epochs",
                                precision="float32")  # fmt: skip
        return runs_of(recipe, "table", rows=(97, 90, 101, 90), changes=change)

    ours, theirs = runs(), runs()
    groups, lost, seen = trained(ours)
    assert groups[0].workers == 2
    _, expected, epochs = trained(theirs, alone=True)
    assert list(lost) == list(expected) == [1]
    assert lost[1].line() == expected[1].line()
    assert seen == epochs
    check_same([ours[n] for n in (0, 2, 3)], [theirs[n] for n in (0, 2, 3)])


def killed(at: int) -> None:
    if os.getpid() != PARENT and at == 7:
        os.kill(os.getpid(), signal.SIGKILL)


def failing(at: int) -> None:
    if os.getpid() != PARENT and at == 7:
        raise MemoryError


def left(at: int) -> None:
    if os.getpid() != PARENT and at == 7:
        os._exit(0)


@pytest.mark.parametrize("happens", [killed, failing, left])
def test_no_member_is_lost_with_its_process(
    happens: Callable[[int], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Each worker dies in the middle of its first member; two members are never given to anyone."""
    ours = recurrent(model=lambda shapes: Fatal(shapes, happens))
    theirs = recurrent()
    groups, lost, seen = trained(ours)
    _, _, expected = trained(theirs, alone=True)
    assert lost == {}
    assert groups[0].reason.endswith("; 4 trained once more, as nothing came back from a process")
    assert "4 members are trained once more" in caplog.text
    check_same(ours, theirs)
    assert [[e.step for e in es] for es in seen] == [[e.step for e in es] for es in expected]


def test_an_error_of_the_user_s_own_is_raised_as_by_the_loop() -> None:
    def happens(at: int) -> None:
        if at == 5:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        trained(recurrent(model=lambda shapes: Fatal(shapes, happens)))


def test_a_watcher_that_fails_ends_the_processes() -> None:
    def watch(member: MemberEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute_all(recurrent(length="99999 epochs"), watch)
    assert not active_children()


def test_no_process_where_it_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "workers_for", workers_for)

    def how(runs: list[Assembly], **how: Any) -> int:
        with using_threads(how.pop("threads", 2)):
            return execute_all(runs, None, **how)[0][0].workers

    short = {"length": "2 steps"}
    assert how(recurrent(**short)) == 2
    assert how(recurrent(**short), threads=1) == 1
    assert how(recurrent(**short), alone=True) == 1
    assert how(recurrent(**short), until=1) == 1
    assert how(recurrent(**short, rows=(90,))) == 1


def test_what_a_process_could_not_send_back() -> None:
    class Silent(Recurrent):
        def __init__(self, shapes: cy.Shapes) -> None:
            super().__init__(shapes)
            self.register_buffer("unsaved", torch.zeros(1), persistent=False)

    class Talking(Recurrent):
        def get_extra_state(self) -> dict[str, int]:
            return {"number": 1}

        def set_extra_state(self, state: dict[str, int]) -> None:
            pass

    assert workers_of_two(recurrent()) == 2
    assert workers_of_two(recurrent(model=Silent)) == 1
    assert workers_of_two(recurrent(model=Talking)) == 1
    linear = RECIPE.replace(model="linear", loss="mse", optimizer=cy.optim.closed_form(),
                            length="1 step", batch_size="all")  # fmt: skip
    assert workers_of_two(runs_of(linear, "table", "regression")) == 1


def test_how_many_members_processes_take() -> None:
    seconds = {"loop": 1.0, "processes": 0.3}
    for members in range(2, 30):
        for workers in range(2, 9):
            count = members_apart(members, workers, seconds)
            assert count in (members, members - members % workers)
            rounds = -(-count // workers) * workers * 0.3 + (members - count) * 1.0
            assert rounds <= members  # seconds that the loop would take
    assert members_apart(7, 4, seconds) == 7
    assert members_apart(5, 4, {"loop": 1.0, "processes": 0.3}) == 4


def test_processes_are_measured_once_kept_and_only_where_they_are_worth_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "measured_apart", measured_apart)
    monkeypatch.setattr(apart_module, "ROUND", 0.005)
    runs = recurrent(length="4 epochs")
    before = {n: v.clone() for n, v in runs[0].state.model.state_dict().items()}
    plan = Plan(tmp_path / "plan.json")
    assert plan.form_for(runs, (), 2) == "loop"  # milliseconds
    (timings,) = plan.known.values()
    assert set(timings.seconds) == {"loop"}
    monkeypatch.setattr(apart_module, "WORTH", 0.0)
    assert plan.form_for(runs, (), 2) in ("loop", "processes")
    (timings,) = plan.known.values()
    assert set(timings.seconds) == {"loop", "processes"}
    assert plan.seconds(runs) == timings.seconds
    assert all(0 < s < 10 for s in timings.seconds.values())
    assert runs[0].state.step == 0
    for name, values in runs[0].state.model.state_dict().items():
        assert torch.equal(values, before[name])
    again = Plan.of(tmp_path / "plan.json")
    assert again.known == plan.known
    monkeypatch.setattr(plan_module, "measured_apart", None)  # whoever calls it fails
    assert again.form_for(runs, (), 2) == plan.form_for(runs, (), 2)
    assert again.fingerprint == plan.fingerprint


def test_a_model_that_does_not_survive_the_measurement_is_left_to_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart_module, "WORTH", 0.0)
    assert measured_apart(recurrent(model=lambda shapes: Fatal(shapes, killed)), 2) == {}


def test_a_plan_that_is_pinned_decides_and_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "measured_apart", None)
    key, path = plan_module._key(recurrent()), tmp_path / "plan.json"
    for seconds, workers in (({}, 1), ({"loop": 1.0}, 1), ({"loop": 1.0, "processes": 0.95}, 1),
                             ({"loop": 1.0, "processes": 0.5}, 2)):  # fmt: skip
        known = {key: Timings("x", seconds)} if seconds else {}
        path.write_bytes(msgspec.json.encode(known))
        groups, _, _ = trained(recurrent(), plan=Plan.of(path))
        assert groups[0].workers == workers


def test_folds_of_a_user_s_module_are_trained_in_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "workers_for", workers_of_two)
    data = cy.load("iris")
    recipe = cy.Recipe(model=lambda shapes: Recurrent(shapes), length="3 epochs", stop="none")
    seen: list[int] = []
    one = cy.cross_validate(
        recipe, data, folds=4, floors=False, watcher=lambda n, e: seen.append(n)
    )
    assert one.facts["executor"] == "loop"
    assert "in 2 processes was measured to be faster" in one.facts["reason"]
    assert one.facts["plan"]["measured"][0]["chosen"] == "processes"
    assert sorted(seen) == [n for n in range(4) for _ in range(3)]
    many = cy.cross_validate(recipe, data, folds=4, floors=False, executor="loop")
    assert many.predictions.outputs.tolist() == one.predictions.outputs.tolist()
