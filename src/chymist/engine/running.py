"""Driving the loop: recording its events, saving checkpoints, ending a run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from chymist.engine.assembly import Assembly
from chymist.engine.checkpoint import check_finite, load_newest, save_checkpoint
from chymist.engine.events import Event, Step
from chymist.engine.loop import State, train
from chymist.engine.solving import separable_note, solve
from chymist.engine.space import Patience
from chymist.engine.steering import Steering
from chymist.engine.store import Recorder
from chymist.errors import Interrupted
from chymist.models.counting import count_fitted
from chymist.optim import is_solved
from chymist.values import Recipe

Observer = Callable[[Event], object]

CHECKPOINT_SECONDS = 20.0  # when to save affects no number, so the clock may decide
CHECKPOINT_SHARE = 0.05  # of the time that saving may take
FLUSH_SECONDS = 0.1  # no point waits longer, as far as one can tell when the next event comes


def execute(
    recipe: Recipe,
    assembly: Assembly,
    recorder: Recorder,
    checkpoints: Path | None,
    observer: Observer | None = None,
    interrupted: Callable[[], bool] | None = None,
    steering: Steering | None = None,
) -> float:
    """Run an assembly to its end.

    Args:
        recipe: the complete recipe.
        assembly: the run; its state is changed.
        recorder: gets every number.
        checkpoints: folder for checkpoints, or None for none.
        observer: sees every event, cannot change the run.
        interrupted: asked after every event; True saves and ends the run.
        steering: answers the user of the run after every step, or None.

    Returns:
        Seconds of training, without those that the run was paused.

    Raises:
        Diverged: a loss or weight is not finite.
        DiskFull: the disk is full, and the wait for space was interrupted.
        Interrupted: `interrupted` or its user said so; the run can be resumed.
    """
    state = assembly.state
    solved, program = is_solved(recipe), assembly.program
    events = solve(program, state, recipe) if solved else train(program, state)
    patient, pace = Patience(checkpoints, interrupted), _Pace(program.steps_per_epoch)
    began = saved = perf_counter()
    pause = CHECKPOINT_SECONDS
    save = partial(_save, checkpoints, state, recorder, patient) if checkpoints else None
    with closing(events):  # with the workers that prepare their batches
        for event in events:
            _record(recorder, event)
            if observer:
                observer(event)
            if steering and save and isinstance(event, Step):
                steering.heed(save, partial(patient.write, recorder.flush))
            stop, now = bool(interrupted and interrupted()), perf_counter()
            due = pace.is_due(event, now)
            if save and (stop or now - saved > pause):
                save()
                saved = pace.written = perf_counter()
                pause = max(CHECKPOINT_SECONDS, (saved - now) / CHECKPOINT_SHARE)
            elif due:
                patient.write(recorder.flush)
                pace.written = now
            if stop:
                raise _interrupted(state, steering)
    check_finite(state)
    if save:
        save()
    settle(state)
    return perf_counter() - began - (steering.waited if steering else 0.0)


def _interrupted(state: State, steering: Steering | None) -> Interrupted:
    """What ends a run that was told to end by a signal, and is saved."""
    if steering:
        steering.note("interrupt", "signal")
    return Interrupted("interrupted", where=f"step {state.step}")


class _Pace:
    """When points must be written, lest they are older than `FLUSH_SECONDS` at the next event.

    Args:
        steps_per_epoch: after the last of which an evaluation may take its time.
    """

    def __init__(self, steps_per_epoch: int) -> None:
        self.written = self._last = perf_counter()
        self._every, self._ends = steps_per_epoch, False
        self._gaps = {
            False: 0.0,
            True: FLUSH_SECONDS,
        }  # seconds after a step; after an epoch's last

    def is_due(self, event: Event, now: float) -> bool:
        """Whether to write now; asked once an event."""
        self._gaps[self._ends] = now - self._last
        self._last = now
        self._ends = isinstance(event, Step) and event.step % self._every == 0
        return now + self._gaps[self._ends] - self.written > FLUSH_SECONDS


def settle(state: State) -> None:
    """Leave a finished run with the weights that are its result."""
    if state.best is not None:
        state.model.load_state_dict(state.best)
    state.model.eval()


def _save(checkpoints: Path, state: State, recorder: Recorder, patient: Patience) -> None:
    """Save where the run stands; its record first, which must not lag behind."""
    patient.write(recorder.sync)
    patient.write(partial(save_checkpoint, checkpoints, state))


def _record(recorder: Recorder, event: Event) -> None:
    """Write what an event says into the series of the run."""
    if isinstance(event, Step):
        recorder.add("loss", event.step, event.loss)
        recorder.add("rate", event.step, event.rate)
        return
    for name, value in event.values.items():
        recorder.add(name, event.step, value)


def continue_from(folder: Path, assembly: Assembly, recorder: Recorder) -> tuple[int, list[str]]:
    """Put an assembly where the newest good checkpoint of a run stands.

    Args:
        folder: the run folder.
        assembly: freshly assembled from the recorded recipe, split and seed.
        recorder: points after the checkpoint are forgotten.

    Returns:
        The step (0 if there is no checkpoint), and a line for each damaged checkpoint.
    """
    if is_solved(assembly.recipe):  # one step: there is nothing to continue
        recorder.truncate(0, 0)
        return 0, []
    _, problems = load_newest(folder / "checkpoints", assembly.state)
    state = assembly.state
    recorder.truncate(state.step, state.step - (state.loss_rows > 0))
    return state.step, problems


def facts_of(assembly: Assembly, seconds: float, steps: int) -> dict[str, Any]:
    """What there is to say about the training itself.

    Args:
        assembly: the finished run.
        seconds: seconds of training in this process.
        steps: steps taken in this process.
    """
    program, state = assembly.program, assembly.state
    rows, per_epoch = len(program.rows), program.steps_per_epoch
    return {
        "steps": state.step,
        "epochs": round(state.step / per_epoch, 2),
        "steps_per_epoch": per_epoch,
        "best_epoch": round(state.best_step / per_epoch, 2) if state.best is not None else None,
        "samples_per_second": round(steps / per_epoch * rows / max(seconds, 1e-9), 1),
        "waiting_for_data": round(state.waited / max(seconds, 1e-9), 4),
        "parameters": count_fitted(state.model),
        "threads": torch.get_num_threads(),
        "notes": [*state.notes, *separable_note(program, state.model, assembly.recipe)],
    }
