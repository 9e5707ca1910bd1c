"""A run that can be watched, paused and stepped: `fit` in a thread, heard by an observer.

The observer reads the model and waits; it changes nothing, so that the run is the one that
`chymist fit` makes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Condition
from time import perf_counter
from typing import Any

from chymist.doctor import Finding
from chymist.engine.assembly import Assembly, predictions_for
from chymist.engine.events import Epoch, Event, Step
from chymist.errors import ChymistError, Diverged, Interrupted
from chymist.metrics import accuracy, rmse
from chymist.optim import is_solved
from chymist.studio.tasks.play_looks import Plane, look, plane_of, points_of, span_of
from chymist.studio.tasks.play_setup import Setup, check_length, setup_of
from chymist.studio.tasks.play_summary import about, counts, summary, told
from chymist.values import Run, show
from chymist.verbs import fit

FRAME_SECONDS = 0.05  # between two pictures
MOST_SCORED = 5000  # rows that are scored for a picture
BUCKETS = 60  # of losses that a picture brings


class Control:
    """How far a run may go on; asked by the run, told by the session.

    Args:
        speed: steps from picture to picture; 0 for as many as there is time for.
        paused: whether to wait before the first step.
    """

    def __init__(self, speed: int, paused: bool) -> None:
        self.changed = Condition()
        self.speed, self.stopped, self.waiting = speed, False, False
        self.left: int | None = 0 if paused else None  # steps, or no end
        self.epoch = False  # whether to go on to the end of the epoch

    def tell(self, word: Mapping[str, Any]) -> None:
        """Pause, go on, take a step or an epoch, change the speed, or stop."""
        with self.changed:
            do = word["do"]
            if do == "speed":
                self.speed = int(word["speed"])
            elif do == "stop":
                self.stopped = True
            else:
                self.left = {"pause": 0, "resume": None}.get(do, int(word.get("steps", 1)))
                self.epoch = do == "epoch"
                self.left = None if self.epoch else self.left
            self.changed.notify_all()

    def passed(self, event: Event) -> bool:
        """Take note of an event; whether to wait now."""
        with self.changed:
            if isinstance(event, Epoch):
                if self.epoch:
                    self.epoch, self.left = False, 0
            elif self.left:
                self.left -= 1
            return self.left == 0

    def wait(self, seconds: float | None) -> None:
        """Wait for a time, or until there is leave to go on."""
        end = perf_counter() + (seconds or 0)
        with self.changed:
            self.waiting = seconds is None
            self.changed.notify_all()
            if seconds is None:
                self.changed.wait_for(lambda: self.stopped or self.left != 0)
            else:
                self.changed.wait_for(
                    lambda: self.stopped or perf_counter() >= end, max(0.0, seconds)
                )
            self.waiting = False


class Trainer:
    """One run of a playground.

    Args:
        wish: what to train, see `setup_of`; and "n", "speed", "paused".
        told: called when there is something to take.
    """

    def __init__(self, wish: Mapping[str, Any], told: Callable[[], object]) -> None:
        self.wish, self.notify = wish, told
        self.control = Control(int(wish.get("speed", 1)), bool(wish.get("paused")))
        self.setup: Setup | None = None
        self.assembly: Assembly | None = None
        self.plane: Plane | None = None
        self.box: deque[dict[str, Any]] = deque()
        self.losses: list[tuple[int, float]] = []
        self.epochs: list[list[Any]] = []
        self.since, self.last = 0, 0.0
        threads = ThreadPoolExecutor(1)
        self.run = threads.submit(self._run)
        threads.shutdown(wait=False)  # its thread ends with the run
        self.run.add_done_callback(lambda _: told())

    def stop(self) -> None:
        """End the run after the step under way, and wait for that."""
        self.control.tell({"do": "stop"})
        wait([self.run])

    def rest(self) -> None:
        """Pause the run, and wait until it does."""
        self.control.tell({"do": "pause"})
        with self.control.changed:
            while not self.run.done() and not self.control.waiting:
                self.control.changed.wait(0.05)

    def take(self, pictures: int) -> list[dict[str, Any]]:
        """What there is to say, in order; of pictures no more than so many, the newest."""
        if self.run.done():
            self.run.result()  # what nobody foresaw is raised here, for the worker to say
        found = []
        with self.control.changed:
            while self.box:
                if self.box[0]["kind"] == "frame":
                    if not pictures:
                        break
                    pictures -= 1
                    self.box[0]["losses"], self.losses = bucketed(self.losses), []
                    self.box[0]["epochs"], self.epochs = self.epochs, []
                found.append(self.box.popleft())
        return found

    def _say(self, kind: str, **values: Any) -> None:
        message = {"kind": kind, "n": self.wish.get("n", 0), **values}
        with self.control.changed:
            if kind == "frame" and self.box and self.box[-1]["kind"] == "frame":
                self.box.pop()  # the newest wins
            self.box.append(message)
        self.notify()

    def _run(self) -> None:
        try:
            self.setup = setup_of(self.wish)
            run = fit(
                self.setup.recipe, self.setup.split, self.setup.seed, threads="auto",
                observer=self._hear, started=self._begin, doctor=self._found,
                interrupted=lambda: self.control.stopped,
            )  # fmt: skip
            self._end(run)
        except Interrupted:
            pass
        except Diverged as error:
            self._picture(paused=False)
            self._say("diverged", error=error.to_dict())
        except ChymistError as error:
            self._say("error", error=error.to_dict())
        finally:
            with self.control.changed:
                self.control.changed.notify_all()

    def _begin(self, assembly: Assembly, _: Path) -> None:
        assert self.setup is not None
        check_length(assembly.program.total_steps)
        self.assembly, self.plane = assembly, plane_of(self.setup, assembly)
        points = points_of(self.setup, self.plane)
        ends = {"low": self.plane.low.tolist(), "high": self.plane.high.tolist()}
        self._say("about", **about(self.setup, assembly), points=points, **ends)
        if is_solved(assembly.recipe):
            return  # there is nothing to see before the solution
        paused = self.control.left == 0
        self._picture(paused)
        if paused:
            self.control.wait(None)

    def _found(self, finding: Finding) -> None:
        self._say("finding", finding=told(finding))

    def _hear(self, event: Event) -> None:
        assert self.assembly is not None
        program, ends = self.assembly.program, False
        with self.control.changed:
            if isinstance(event, Step):
                self.losses.append((event.step, event.loss))
                self.since += 1
                ends = event.step in (program.total_steps,) or (
                    event.step % program.steps_per_epoch == 0
                )
            else:
                score = next((v for n, v in event.values.items() if n not in LOSSES), None)
                self.epochs.append([event.epoch, event.step, *map(event.values.get, LOSSES), score])
        paused = self.control.passed(event)
        if ends:
            return  # the evaluation of the epoch follows at once
        now, speed = perf_counter(), self.control.speed
        due = self.since >= speed if speed else now - self.last >= FRAME_SECONDS
        if due or paused:
            self._picture(paused)
            self.since, self.last = 0, perf_counter()
        if paused:
            self.control.wait(None)
        elif due and speed:
            self.control.wait(FRAME_SECONDS - (perf_counter() - now))

    def _picture(self, paused: bool) -> None:
        """Say what the model says now."""
        if self.assembly is None or self.setup is None or self.plane is None:
            return
        split, state = self.setup.split, self.assembly.state
        span = span_of(split.data)
        seen = look(self.assembly, self.plane, span)
        training, now = state.model.training, {}
        for part in ("train", "valid"):
            if 0 < len(split.rows(part)) <= MOST_SCORED:
                made = predictions_for(self.assembly, split, part)
                if split.data.classes:
                    value = accuracy(made.targets, made.outputs.argmax(1))
                else:
                    value = rmse(made.targets, made.outputs)
                name = "accuracy" if split.data.classes else "rmse"
                now[part] = [value, show(name, value), counts(made, split.data.classes)]
        state.model.train(training)
        per_epoch = self.assembly.program.steps_per_epoch
        self._say("frame", step=state.step, epoch=state.step / per_epoch, paused=paused,
                  scores=now, span=span, **seen)  # fmt: skip

    def _end(self, run: Run) -> None:
        assert self.assembly is not None
        self._picture(paused=False)
        self._say("end", **summary(run, self.assembly))


LOSSES = ("train_loss", "val_loss")


def bucketed(losses: list[tuple[int, float]]) -> list[list[float]]:
    """Losses as [last step, smallest, largest] of at most so many stretches: no extreme is lost.

    Example:
        >>> bucketed([(1, 0.5), (2, 0.25)])
        [[1, 0.5, 0.5], [2, 0.25, 0.25]]
    """
    size = -(-len(losses) // BUCKETS) or 1
    parts = [losses[n : n + size] for n in range(0, len(losses), size)]
    return [
        [part[-1][0], *(float(f"{end([v for _, v in part]):.5g}") for end in (min, max))]
        for part in parts
    ]
