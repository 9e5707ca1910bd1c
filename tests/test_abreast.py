"""Populations in several threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from threading import Event

import pytest
import torch

import chymist as cy
from chymist.engine.population import running
from chymist.engine.population.abreast import merged
from chymist.engine.population.running import crews_of, execute_all
from tests.test_rungs import RECIPE, check_same, runs_of


def test_items_come_as_they_are_made_and_in_the_order_of_each_iterator() -> None:
    gate = threading.Barrier(2, timeout=20)

    def letters(text: str) -> Iterator[str]:
        for letter in text:
            gate.wait()  # only if both run at once does anybody get on
            yield letter

    found = list(merged(lambda halt: [letters("abcd"), letters("1234")], threads=2))
    assert [c for c in found if c.isalpha()] == list("abcd")
    assert [c for c in found if c.isdigit()] == list("1234")


def test_more_iterators_than_threads() -> None:
    names = set()

    def one(number: int) -> Iterator[int]:
        names.add(threading.current_thread().name)
        yield number

    assert sorted(merged(lambda halt: [one(n) for n in range(20)], threads=3)) == list(range(20))
    assert names <= {f"crew_{n}" for n in range(3)}
    names.clear()
    assert list(merged(lambda halt: [one(n) for n in range(5)], threads=1)) == list(range(5))
    assert names == {threading.current_thread().name}


def test_an_error_in_one_halts_the_others() -> None:
    halted = []

    def endless(halt: Event) -> Iterator[int]:
        while not halt.wait(0.001):
            yield 1
        halted.append(True)

    def broken() -> Iterator[int]:
        yield 2
        raise ValueError("no more")

    before = threading.active_count()
    with pytest.raises(ValueError, match="no more"):
        list(merged(lambda halt: [endless(halt), broken()], threads=2))
    assert halted == [True]
    assert threading.active_count() == before


def test_whoever_stops_reading_halts_all() -> None:
    halted = []

    def endless(halt: Event) -> Iterator[int]:
        while not halt.is_set():
            yield 1
        halted.append(True)

    found = merged(lambda halt: [endless(halt), endless(halt)], threads=2)
    next(found)
    found.close()
    assert halted == [True, True]


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, and every group is worth as many programs."""
    monkeypatch.setattr(running, "CREW_WORK", 1.0)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("crews")
def test_members_in_two_threads_are_what_they_are_alone() -> None:
    stop = cy.stop.early("val_loss", patience="2 epochs")
    recipe = RECIPE.replace(stop=stop, length="30 epochs", optimizer=cy.optim.adam(lr=0.03))
    straight, ours = runs_of(recipe), runs_of(recipe)
    execute_all(straight, alone=True)
    assert crews_of(ours, range(4), 2) == 2
    seen: list[tuple[int, int]] = []
    inside = set()

    def watch(member: running.MemberEvent) -> None:
        seen.append((member.member, member.event.epoch))
        inside.add(threading.current_thread() is threading.main_thread())

    execute_all(ours, watch, until=9)
    execute_all(ours, watch)
    for a, b in zip(ours, straight, strict=True):
        check_same(a, b)
        assert a.state.best_step == b.state.best_step
    assert inside == {True}
    for member in range(4):
        epochs = [epoch for number, epoch in seen if number == member]
        assert epochs == list(range(1, len(epochs) + 1))
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("crews")
def test_a_watcher_that_fails_ends_all_threads() -> None:
    def watch(member: running.MemberEvent) -> None:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        execute_all(runs_of(RECIPE.replace(length="9999 epochs")), watch)
    assert threading.active_count() == before
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("crews")
def test_a_member_that_diverges_in_a_thread_is_named() -> None:
    rates = (1.0, 1.0, 1e300, 1.0)
    recipe = RECIPE.replace(loss="cross_entropy", optimizer=cy.optim.sgd(lr=0.1))
    straight, ours = runs_of(recipe), runs_of(recipe, rates)
    execute_all(straight, alone=True)
    _, lost = execute_all(ours)
    assert sorted(lost) == [2]
    for number in (0, 1, 3):
        check_same(ours[number], straight[number])


def test_programs_for_threads() -> None:
    runs = runs_of(RECIPE)
    assert crews_of(runs, range(4), 1) == 1
    assert crews_of(runs, range(4), 8) == 1  # too little to do
    assert crews_of(runs, [0], 8) == 1
