"""Processes that are there to be killed: a server with torch loaded forks one for every trial.

Run as `python -m tests.kill_child`, it reads one request a line and answers each with one line:
{"do": "start", "call": NAME, "words": {...}} forks a child that does the call, and
{"do": "wait", "pid": N, "limit": SECONDS} tells how it ended, or that it stands still.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import chymist as cy
from chymist.engine import rows, running, space
from tests.injection import Injector
from tests.mutations import MUTATIONS

ROWS, TIMES, CLASSES = 96, 6, 3
NEVER = 1e9


class Recurrent(nn.Module):
    """A user's own module: a recurrent layer, torch's own dropout and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(2, 8, batch_first=True)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.cell(inputs.reshape(len(inputs), TIMES, 2))
        return self.head(self.drop(self.norm(outputs[:, -1])))


def job(name: str, length: str, batch_size: int = 16) -> tuple[cy.Recipe, cy.Data]:
    """What to train, by name; "-sgd" and "-adam" end it."""
    kind, _, optimizer = name.partition("-")
    random = np.random.default_rng(3)
    shape = (ROWS, 8, 8) if kind == "cnn" else (ROWS, 2 * TIMES)
    inputs, targets = random.normal(size=shape), random.integers(0, CLASSES, ROWS)
    inputs = inputs.astype(np.float32) + targets.reshape(-1, *[1] * (len(shape) - 1)) / 4
    model = {
        "mlp": cy.models.mlp(hidden=(16,), dropout=0.3),
        "cnn": cy.models.cnn(channels=(4, 8), hidden=(8,), dropout=0.3),
        "lstm": Recurrent,
    }[kind]
    steps = cy.optim.sgd(lr=0.05, momentum=0.9) if optimizer == "sgd" else cy.optim.adam(lr=0.01)
    stop = cy.stop.early("val_loss", patience="20 epochs")
    recipe = cy.Recipe(
        model=model,
        optimizer=steps,
        schedule="one_cycle",
        batch_size=batch_size,
        length=length,
        stop=stop,
    )
    return recipe, cy.load((inputs, targets))


def train(
    folder: str, job_name: str, length: str, every: float = NEVER, workers: int | None = None,
    batch_size: int = 16, stand_at: tuple[int, ...] = (), stop_at: int | None = None, die: str = "", after: int = 1,
    progress: str = "", patience: float = 60.0, inject: dict[str, Any] | None = None, mutations: tuple[str, ...] = (),
) -> dict[str, Any]:  # fmt: skip
    """Start a run in a folder, or continue the one that is there.

    Args:
        folder: the run folder.
        job_name, length: what to train.
        every: seconds between checkpoints; below 0 saves after every event.
        workers: loader processes.
        batch_size: rows of a step.
        stand_at: counts of events after which the process stops itself until it is continued.
        stop_at: count of events after which the run is interrupted and saved.
        die: "evaluation" or "step": kills itself in the middle of one, counted by `after`.
        progress: file that holds the number of the last step.
        patience: seconds after which a loader worker counts as stuck.
        inject: what `Injector` does; it is awake from the first event on.
        mutations: steps of the protocol that are broken on purpose.
    """
    pace(every)
    rows.PATIENCE = patience
    injector = Injector(**inject) if inject else None  # sees what is left of mutated calls
    for name in mutations:
        MUTATIONS[name]()
    watch = Watch(tuple(stand_at), progress, injector)

    def started(assembly: Any, _: Path) -> None:
        if die:
            _die_within(assembly.state.model, die == "step", after)

    words: dict[str, Any] = {"observer": watch, "started": started}
    words["interrupted"] = lambda: watch.seen == stop_at
    if workers is not None:
        words["workers"] = workers
    try:
        found = _fit_or_resume(Path(folder), job(job_name, length, batch_size), words)
    except cy.errors.ChymistError as error:
        found = {"error": error.line(), "exit": error.exit_code}
    except OSError as error:
        found = {"error": f"{type(error).__name__}: {error}", "exit": 1}
    return found | {"calls": injector.calls if injector else []}


def _fit_or_resume(
    folder: Path, made: tuple[cy.Recipe, cy.Data], words: dict[str, Any]
) -> dict[str, Any]:
    recipe, data = made
    step, problems = 0, []
    if folder.exists():
        model = Recurrent if recipe.model.name == "Recurrent" else None
        run, step, problems = cy.resume(folder, model=model, data=data, **words)
    else:
        run = cy.fit(recipe, cy.split(data, seed=0), seed=5, out=folder, threads=1, **words)
    return {"resumed_from": step, "problems": problems, "steps": run.facts["steps"]}


class Watch:
    """Sees every event of a run: counts them, notes the step, stops the process at some."""

    def __init__(self, stand_at: tuple[int, ...], progress: str, injector: Injector | None) -> None:
        self.stand_at, self.injector, self.seen = stand_at, injector, 0
        self.counter = os.open(progress, os.O_WRONLY | os.O_CREAT) if progress else None

    def __call__(self, event: Any) -> None:
        self.seen += 1
        if self.counter is not None:
            os.pwrite(self.counter, f"{event.step:8d}".encode(), 0)
        if self.seen in self.stand_at:
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.injector:
            self.injector.mark(f"event {self.seen}")


def pace(every: float) -> None:
    """Set the clocks of the engine: seconds between checkpoints, and short waits."""
    running.CHECKPOINT_SECONDS, running.FLUSH_SECONDS = every, min(abs(every), 1.0)
    running.CHECKPOINT_SHARE = 1e9
    space.PAUSE_SECONDS = 0.05


def _die_within(model: nn.Module, training: bool, after: int) -> None:
    """Kill this process in the middle of a forward pass, after so many of them."""
    layer = list(model.modules())[-1]
    left = [after]

    def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
        if module.training == training:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    layer.register_forward_hook(hook)


def command(words: list[str], every: float = NEVER) -> dict[str, Any]:
    """The `chymist` command."""
    from chymist.cli import main

    pace(every)
    return {"exit": main(words)}


CALLS: dict[str, Callable[..., dict[str, Any]]] = {"train": train, "command": command}


def _child(request: dict[str, Any], answer: int) -> None:
    """Do one call in this fresh process and end it without any cleaning up."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()  # a terminal that is opened now becomes the one that controls this process
        output = os.open(request["output"], os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(request["cwd"])
        found = CALLS[request["call"]](**request["words"])
        with os.fdopen(answer, "w") as stream:
            json.dump(found, stream)
        code = int(found.get("exit", 0))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _start(request: dict[str, Any], answers: dict[int, int]) -> dict[str, Any]:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _child(request, writing)
    os.close(writing)
    answers[pid] = reading
    return {"pid": pid}


def _wait(pid: int, limit: float, answers: dict[int, int]) -> dict[str, Any]:
    """How a child ended; "stands" if it stopped itself, "runs" if it still does."""
    end = time.monotonic() + limit
    while True:
        found, status = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
        if found:
            break
        if time.monotonic() > end:
            return {"state": "runs"}
        time.sleep(0.002)
    if os.WIFSTOPPED(status):
        return {"state": "stands"}
    with os.fdopen(answers.pop(pid)) as stream:
        text = stream.read()
    killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
    code = None if killed else os.WEXITSTATUS(status)
    answer = json.loads(text) if text and not killed else {}
    return {"state": "ended", "signal": killed, "code": code, "answer": answer}


def serve() -> None:
    """Answer requests until the other side closes its end."""
    torch.set_num_threads(1)
    answers: dict[int, int] = {}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "start":
            reply = _start(request, answers)
        else:
            reply = _wait(request["pid"], request["limit"], answers)
        print(json.dumps(reply), flush=True)


def warm_up(folder: str) -> None:
    """Load every module that a run needs, so that a child loads none."""
    recipe, data = job("mlp-adam", "2 steps")
    cy.fit(recipe, cy.split(data, seed=0), out=folder, threads=1)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm_up(sys.argv[1])
    serve()
