"""A run that trains answers its user, and gives the same bits as one that was left in peace."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chymist as cy
from chymist.engine import control, steering
from chymist.engine.control import Request, ask, waiting
from chymist.engine.events import Step
from chymist.engine.files import write_file
from chymist.engine.history import read_history
from chymist.engine.status import is_trained, status_of
from tests.faults import differences, fingerprint

STOP = cy.stop.early("val_loss", patience="20 epochs")
SPLIT = cy.split(cy.load("wine"), seed=0)
RECIPE = cy.Recipe(
    model=cy.models.mlp(hidden=(16,), dropout=0.2), optimizer=cy.optim.adam(lr=0.01),
    length="300 steps", batch_size=16, stop=STOP,
)  # fmt: skip


def put(folder: Path, action: str, name: str = "one") -> None:
    """A request as another process would make it."""
    text = f'{{"id": "{name}", "action": "{action}", "by": "python"}}'
    write_file(folder / control.FILE, text.encode())


class Asks:
    """Makes requests at given steps, from within the process, so that steps are exact."""

    def __init__(self, folder: Path, at: dict[int, str]) -> None:
        self.folder, self.at = folder, at
        self.steps: list[int] = []

    def __call__(self, event: Any) -> None:
        if isinstance(event, Step):
            self.steps.append(event.step)
            if event.step in self.at:
                put(self.folder, self.at[event.step], f"{event.step}")


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainers look after every step."""
    monkeypatch.setattr(steering, "POLL_SECONDS", 0.0)


@pytest.fixture(scope="module")
def peace(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The fingerprint of the run that is left alone."""
    folder = tmp_path_factory.mktemp("peace") / "run"
    cy.fit(RECIPE, SPLIT, seed=3, out=folder, threads=1)
    return fingerprint(folder)


def steered(folder: Path, at: dict[int, str], **words: Any) -> cy.Run:
    return cy.fit(RECIPE, SPLIT, seed=3, out=folder, threads=1, observer=Asks(folder, at), **words)


def in_a_while(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def resumed(folder: Path) -> None:
    """Ask a run to go on as soon as it is paused."""
    end = time.monotonic() + 20
    while not folder.exists() or status_of(folder).state != "paused":
        assert time.monotonic() < end
        time.sleep(0.005)
    put(folder, "resume", "on")


def actions(folder: Path) -> list[tuple[str, int, str]]:
    return [(e.action, e.step, e.by) for e in read_history(folder)]


def test_pausing_and_saving_change_no_bit(tmp_path: Path, peace: dict[str, Any]) -> None:
    thread = in_a_while(lambda: resumed(tmp_path / "run"))
    run = steered(tmp_path / "run", {5: "checkpoint", 9: "pause", 30: "checkpoint"})
    thread.join()
    assert differences(peace, fingerprint(tmp_path / "run")) == []
    assert actions(tmp_path / "run") == [
        ("start", 0, "trainer"), ("checkpoint", 5, "python"), ("pause", 9, "python"),
        ("resume", 9, "python"), ("checkpoint", 30, "python"), ("end", run.facts["steps"], "trainer"),
    ]  # fmt: skip
    assert not any("user" in note for note in run.facts["notes"])
    assert status_of(tmp_path / "run").state == "finished"


def test_time_of_a_pause_is_no_time_of_training(tmp_path: Path) -> None:
    def later() -> None:
        resumed_at = time.monotonic() + 0.5
        while not (tmp_path / "run").exists() or status_of(tmp_path / "run").state != "paused":
            time.sleep(0.005)
        time.sleep(max(0.0, resumed_at - time.monotonic()) + 1.0)
        put(tmp_path / "run", "resume", "on")

    thread, began = in_a_while(later), time.perf_counter()
    run = steered(tmp_path / "run", {9: "pause"})
    whole = time.perf_counter() - began
    thread.join()
    assert whole > 1.0
    assert run.facts["seconds"] < whole - 0.9
    assert run.facts["spent"]["training"] < whole - 0.9


def test_a_stop_is_the_run_whose_schedule_was_cut_there(tmp_path: Path) -> None:
    run = steered(tmp_path / "run", {40: "stop"})
    assert run.facts["steps"] == 40
    assert run.history["loss"][-1, 0] == 40
    assert run.history["val_loss"][-1, 0] == 40  # the epoch under way is evaluated
    assert "stopped by its user at step 40 of 300" in run.facts["notes"]
    found = status_of(tmp_path / "run")
    assert (found.state, found.step, found.steps) == ("stopped", 40, 40)
    # The same by other means: a constant rate has no memory of the length.
    plain = RECIPE.replace(schedule="constant")
    short = cy.fit(plain.replace(length="40 steps"), SPLIT, seed=3, threads=1)
    place = tmp_path / "constant"
    cut = cy.fit(plain, SPLIT, seed=3, out=place, threads=1, observer=Asks(place, {40: "stop"}))
    assert cut.score == short.score
    assert cut.history["val_loss"].tolist() == short.history["val_loss"].tolist()
    again = cy.load_run(place)
    assert again.facts["notes"] == cut.facts["notes"]
    assert "stopped by its user" in (place / "report.html").read_text()
    zh = cy.report(place, tmp_path / "zh.html", "zh")
    assert "由用户在第 40 步停止" in Path(zh).read_text()


def test_an_epoch_is_finished_before_a_stop(tmp_path: Path) -> None:
    run = steered(tmp_path / "run", {10: "finish-epoch"})
    per_epoch = run.facts["steps_per_epoch"]
    assert run.facts["steps"] % per_epoch == 0
    assert run.facts["steps"] - per_epoch < 10 <= run.facts["steps"]
    assert run.history["train_loss"][-1, 0] == run.facts["steps"]


def test_the_best_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    rates = cy.optim.sgd(lr=2.0)  # so that the last epoch is not the best one
    recipe = RECIPE.replace(optimizer=rates, schedule="constant", length="200 steps")
    place = tmp_path / "run"
    run = cy.fit(recipe, SPLIT, seed=3, out=place, threads=1, observer=Asks(place, {90: "stop"}))
    losses = run.history["val_loss"]
    best = losses[losses[:, 1].argmin()]
    assert run.facts["best_epoch"] == pytest.approx(
        best[0] / run.facts["steps_per_epoch"], abs=0.006
    )
    assert run.score.selected_on == "val_loss"


def test_a_run_that_is_to_stop_does_so_after_a_kill_as_well(tmp_path: Path) -> None:
    """The request is in the history; the checkpoint is older."""
    folder = tmp_path / "run"
    whole = steered(tmp_path / "whole", {40: "finish-epoch"})

    class Killed(Exception):
        pass

    class Dies(Asks):
        def __call__(self, event: Any) -> None:
            super().__call__(event)
            if isinstance(event, Step) and event.step == 42:
                raise Killed

    dies = Dies(folder, {30: "checkpoint", 40: "finish-epoch"})
    with pytest.raises(Killed):
        cy.fit(RECIPE, SPLIT, seed=3, out=folder, threads=1, observer=dies)
    assert status_of(folder).state == "crashed"
    run, step, _ = cy.resume(folder)
    assert step == 30
    assert run.facts["steps"] == whole.facts["steps"]
    assert differences(fingerprint(tmp_path / "whole"), fingerprint(folder)) == []
    assert status_of(folder).state == "stopped"
    assert [a for a, _, _ in actions(folder)] == [
        "start", "checkpoint", "finish-epoch", "continue", "end",
    ]  # fmt: skip


def test_stopping_at_once_leaves_a_run_that_resumes(tmp_path: Path, peace: dict[str, Any]) -> None:
    with pytest.raises(cy.ChymistError, match="stopped by its user") as told:
        steered(tmp_path / "run", {33: "stop-now"})
    assert told.value.exit_code == 130
    found = status_of(tmp_path / "run")
    assert (found.state, found.resumable, found.step) == ("interrupted", True, 33)
    assert not (tmp_path / "run" / control.FILE).exists()
    _, step, _ = cy.resume(tmp_path / "run")
    assert step == 33
    assert differences(peace, fingerprint(tmp_path / "run")) == []


def test_ctrl_c_ends_a_paused_run(tmp_path: Path, peace: dict[str, Any]) -> None:
    folder = tmp_path / "run"

    def interrupted() -> bool:
        return folder.exists() and status_of(folder).state == "paused"

    with pytest.raises(cy.ChymistError, match="interrupted"):
        steered(folder, {12: "pause"}, interrupted=interrupted)
    assert [a for a, _, _ in actions(folder)] == ["start", "pause", "interrupt"]
    assert status_of(folder).state == "interrupted"
    cy.resume(folder)
    assert differences(peace, fingerprint(folder)) == []


def test_what_makes_no_sense_is_refused_and_changes_nothing(
    tmp_path: Path, peace: dict[str, Any]
) -> None:
    steered(tmp_path / "run", {7: "resume", 300: "stop"})
    found = [(e.action, e.facts.get("why", "")) for e in read_history(tmp_path / "run")]
    assert found == [
        ("start", ""), ("refuse", "the run is not paused"),
        ("refuse", "the run has taken its last step"), ("end", ""),
    ]  # fmt: skip
    assert differences(peace, fingerprint(tmp_path / "run")) == []


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"id": "a", "action": "rm", "by": "x"}', "x" * 10_000, "pipe"]
)
def test_odd_requests_are_thrown_away(content: str, tmp_path: Path, peace: dict[str, Any]) -> None:
    folder = tmp_path / "run"

    def observer(event: Any) -> None:
        if isinstance(event, Step) and event.step == 20:
            if content == "pipe":
                os.mkfifo(folder / control.FILE)
            else:
                (folder / control.FILE).write_text(content)

    cy.fit(RECIPE, SPLIT, seed=3, out=folder, threads=1, observer=observer)
    assert not (folder / control.FILE).exists()
    assert differences(peace, fingerprint(folder)) == []
    assert [a for a, _, _ in actions(folder)] == ["start", "end"]


def test_a_request_to_a_process_that_is_gone_is_not_for_the_next_one(tmp_path: Path) -> None:
    with pytest.raises(cy.ChymistError):
        steered(tmp_path / "run", {33: "stop-now"})
    put(tmp_path / "run", "stop")
    run, _, _ = cy.resume(tmp_path / "run")
    assert run.facts["steps"] > 33


def test_solvers_end_where_they_are_told(tmp_path: Path) -> None:
    recipe = cy.Recipe(model="softmax", optimizer="lbfgs", length="30 steps", stop="none")
    folder = tmp_path / "run"
    run = cy.fit(recipe, SPLIT, seed=0, out=folder, threads=1, observer=Asks(folder, {3: "stop"}))
    assert run.facts["steps"] == 3
    assert status_of(folder).state == "stopped"


class TestAsking:
    """`steer` and `ask`, seen from the other side."""

    def test_two_that_ask_at_once_are_both_answered(self, tmp_path: Path) -> None:
        folder, answers = tmp_path / "run", []

        def work() -> None:
            while not folder.exists() or not is_trained(folder):
                time.sleep(0.005)
            answers.append(cy.steer(folder, "checkpoint", seconds=20)["action"])

        threads = [in_a_while(work) for _ in range(3)]
        slow = lambda event: time.sleep(0.002)  # noqa: E731
        cy.fit(
            RECIPE.replace(length="600 steps"), SPLIT, seed=3, out=folder, threads=1, observer=slow
        )
        for thread in threads:
            thread.join()
        assert answers == ["checkpoint"] * 3
        assert not list(folder.glob(".tmp-*"))

    def test_a_run_that_does_not_answer(self, tmp_path: Path) -> None:
        with pytest.raises(cy.InputError, match="does not answer"):
            ask(tmp_path, "pause", "python", lambda: True, seconds=0.1)
        assert waiting(tmp_path) is None

    def test_a_run_that_has_ended_meanwhile(self, tmp_path: Path) -> None:
        with pytest.raises(cy.InputError, match="ended before"):
            ask(tmp_path, "pause", "python", lambda: False, seconds=5)
        assert list(tmp_path.iterdir()) == []

    def test_another_request_is_never_overwritten(self, tmp_path: Path) -> None:
        put(tmp_path, "stop", "theirs")
        with pytest.raises(cy.InputError, match="does not answer"):
            ask(tmp_path, "pause", "python", lambda: True, seconds=0.1)
        assert waiting(tmp_path) == Request("theirs", "stop", "python")

    def test_what_cannot_be_steered(self, tmp_path: Path) -> None:
        with pytest.raises(cy.UsageError, match="did you mean 'pause'"):
            cy.steer(tmp_path, "paus")
        with pytest.raises(cy.InputError, match="only runs of fit"):
            cy.steer(tmp_path, "pause")
        cy.fit(RECIPE, SPLIT, seed=3, out=tmp_path / "run", threads=1)
        with pytest.raises(cy.InputError, match="nobody trains this run"):
            cy.steer(tmp_path / "run", "pause")


def test_looking_for_requests_costs_next_to_nothing(tmp_path: Path) -> None:
    """Microseconds of a look that finds nothing, of which there are 20 a second."""
    made = steering.Steering.__new__(steering.Steering)
    made._file, made._due, made._told = str(tmp_path / "no"), 0.0, time.perf_counter() + 1e6
    began = time.perf_counter()
    for _ in range(2000):
        made._due = 0.0
        made.heed(lambda: None, lambda: None)
    assert (time.perf_counter() - began) / 2000 < 1e-3
