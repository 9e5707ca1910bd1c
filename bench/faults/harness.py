"""A case is a whole training program; a doctor watches it and is judged by what it says.

The form is that of many fault suites: a faulty program, its repaired twin, and healthy programs
that set a trap. All data are scikit-learn's or made; a program takes about a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from sklearn.metrics import r2_score
from torch import Tensor, nn

Rows = tuple[Tensor, Tensor]
LEVELS = ("observation", "finding", "confirmed", "certain")
GIVES_UP = 5  # losses in a row that are no numbers, after which anybody stops a program


@dataclass(frozen=True)
class Program:
    """A training program.

    Args:
        model, loss_fn, optimizer, train, valid, batch_size, epochs: what every program has.
        shuffle: draw the rows anew for each epoch.
        batches: of (program, generator), gives the batches instead.
        train_mode, valid_mode: whether the model is in train() mode while it trains and validates.
        valid_batch: rows that validation takes at once.
        clear: whether gradients are cleared.
        accumulate: batches to a step.
        clip: largest norm of the gradients.
        schedule: of the rate, told after every step.
        penalty: of the model, added to the loss.
        patience: epochs without a lower validation loss after which it stops.
        cut: outputs of one column above this are class 1.
        measure: of the validation outputs and targets, the score, where the usual one does not fit.
    """

    model: nn.Module
    loss_fn: Callable[[Tensor, Tensor], Tensor]
    optimizer: torch.optim.Optimizer
    train: Rows
    valid: Rows
    batch_size: int = 32
    epochs: int = 20
    shuffle: bool = True
    batches: Callable[[Program, torch.Generator], Iterable[Rows]] | None = None
    train_mode: bool = True
    valid_mode: bool = False
    valid_batch: int = 1000
    clear: bool = True
    accumulate: int = 1
    clip: float | None = None
    schedule: Any = None
    penalty: Callable[[nn.Module], Tensor] | None = None
    patience: int | None = None
    cut: float = 0.0
    measure: Callable[[Tensor, Tensor], float] | None = None


@dataclass(frozen=True)
class Case:
    """A program, and what is to be said of it.

    Args:
        name: of the case.
        make: of (seed, twin), the program; as a twin it is repaired.
        fault: codes that name the cause; empty for a healthy program.
        accept: codes that are true as well, or whose usual remedy repairs it.
        trap: of a healthy program, what might be taken for a fault.
        bar: of a healthy program, the least score that shows its health.
    """

    name: str
    make: Callable[[int, bool], Program]
    fault: tuple[str, ...] = ()
    accept: tuple[str, ...] = ()
    trap: str = ""
    bar: float = -math.inf

    def build(self, seed: int, twin: bool = False) -> Program:
        """The program, with its weights drawn."""
        torch.manual_seed(seed)
        return self.make(seed, twin)


@dataclass(frozen=True)
class Outcome:
    """What a doctor said of one run.

    Args:
        name, seed, fault, accept: of the case.
        kind: of the run.
        said: codes in rank order with their levels, "finding" and above.
        score: of the validation rows: balanced accuracy, or explained variance.
        seconds, watched: of the program itself, and of the doctor.
        error: what the doctor raised.
    """

    name: str
    seed: int
    kind: Literal["faulty", "twin", "healthy"]
    fault: tuple[str, ...]
    accept: tuple[str, ...]
    said: dict[str, str]
    score: float
    seconds: float
    watched: float
    error: str = ""


def batches_of(program: Program, generator: torch.Generator) -> Iterator[Rows]:
    """Batches in the order that the program wants."""
    x, y = program.train
    rows = torch.randperm(len(x), generator=generator) if program.shuffle else torch.arange(len(x))
    for part in rows.split(program.batch_size):
        yield x[part], y[part]


def train(program: Program, seed: int, doctor: Any) -> tuple[float, float]:
    """Run a program under a doctor's eyes: (score of validation rows, seconds of the doctor)."""
    torch.manual_seed(seed + 500)
    generator = torch.Generator().manual_seed(seed)
    score, watched, lowest, stale = math.nan, 0.0, math.inf, 0
    for _ in range(program.epochs):
        total, taken, bad = epoch(program, generator, doctor)
        out, loss = validate(program)
        goal = program.valid[1]
        score = (program.measure or partial(score_of, cut=program.cut))(out, goal)
        began = time.perf_counter()
        doctor.epoch(
            valid_loss=loss, valid_outputs=out, valid_targets=program.valid[1], train_loss=total
        )
        watched += taken + time.perf_counter() - began
        stale = 0 if loss < lowest else stale + 1
        lowest = min(lowest, loss)
        if bad >= GIVES_UP or (program.patience is not None and stale >= program.patience):
            break
    return score, watched


def epoch(program: Program, generator: torch.Generator, doctor: Any) -> tuple[float, float, int]:
    """One epoch: (mean loss, seconds of the doctor, losses in a row that are no numbers)."""
    model, optimizer = program.model, program.optimizer
    model.train(program.train_mode)
    losses, watched, bad = [], 0.0, 0
    for at, (x, y) in enumerate((program.batches or batches_of)(program, generator)):
        outputs = model(x)
        loss = program.loss_fn(outputs, y)
        if program.penalty is not None:
            loss = loss + program.penalty(model)
        if program.clear and at % program.accumulate == 0:
            optimizer.zero_grad()
        loss.backward()
        if (at + 1) % program.accumulate:
            continue
        if program.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), program.clip)
        optimizer.step()
        if program.schedule is not None:
            program.schedule.step()
        losses.append(loss.item())
        began = time.perf_counter()
        doctor.step(loss.detach(), x, y, outputs.detach())
        watched += time.perf_counter() - began
        bad = 0 if math.isfinite(losses[-1]) else bad + 1
        if bad >= GIVES_UP:
            break
    return float(np.mean(losses)), watched, bad


def validate(program: Program) -> tuple[Tensor, float]:
    """Outputs and loss of the validation rows."""
    program.model.train(program.valid_mode)
    with torch.no_grad():
        parts = [program.model(x) for x in program.valid[0].split(program.valid_batch)]
        out = torch.cat(parts)
        return out, float(program.loss_fn(out, program.valid[1]))


def score_of(out: Tensor, y: Tensor, cut: float = 0.0) -> float:
    """Balanced accuracy of classes, explained variance of values; -1 for outputs of no number."""
    if not bool(out.isfinite().all()):
        return -1.0
    if y.is_floating_point() and not bool(((y == 0) | (y == 1)).all()):
        goal = y.reshape(len(y), -1).numpy()
        return float(max(-1.0, r2_score(goal, out.reshape(goal.shape).numpy())))
    if out.ndim == 2 and out.shape[1] > 1 and not y.is_floating_point():
        said = out.argmax(1)
    else:
        said = (out.flatten() > cut).long()
    if said.numel() != y.numel():
        return 0.0
    true = y.flatten()
    return float(np.mean([(said[true == c] == c).float().mean() for c in true.unique()]))


def examine(case: Case, seed: int, twin: bool, doctor: Callable[..., Any]) -> Outcome:
    """One watched run; a doctor that raises has said nothing."""
    program = case.build(seed, twin)
    began, said, error, score, watched = time.perf_counter(), {}, "", math.nan, 0.0
    try:
        watcher = doctor(
            model=program.model,
            optimizer=program.optimizer,
            loss_fn=program.loss_fn,
            train=program.train,
            valid=program.valid,
            batch_size=program.batch_size,
        )
        score, watched = train(program, seed, watcher)
        said = alarms(watcher.findings)
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as problem:
        error = f"{type(problem).__name__}: {problem}"
    kind: Literal["faulty", "twin", "healthy"] = (
        "healthy" if not case.fault else "twin" if twin else "faulty"
    )
    seconds = time.perf_counter() - began
    return Outcome(
        case.name,
        seed,
        kind,
        case.fault,
        case.accept,
        said,
        score,
        seconds - watched,
        watched,
        error,
    )


def alarms(findings: Iterable[Any]) -> dict[str, str]:
    """Codes in rank order with their levels; an observation is no alarm."""
    said: dict[str, str] = {}
    for finding in findings:
        if LEVELS.index(finding.level) >= 1:
            said.setdefault(finding.code, finding.level)
    return said
