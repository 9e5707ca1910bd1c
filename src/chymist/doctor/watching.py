"""Watching anybody's training loop: signals are recorded, and nothing is changed."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor.arguments import (
    as_number,
    as_numbers,
    as_rows,
    check_arguments,
    inner_model,
    is_dense,
)
from chymist.doctor.finding import Finding, ranked
from chymist.doctor.first_look import look_first
from chymist.doctor.hearing import Ear
from chymist.doctor.pairing import Pairing
from chymist.doctor.preflight import Rows
from chymist.doctor.probing import ROWS, device_of, first_tensor, norms, probe, untouched
from chymist.doctor.reading_loss import FAILS, Link, LossFunction
from chymist.doctor.record import EpochFacts, Record
from chymist.doctor.restoring import quiet
from chymist.doctor.rules import findings_of
from chymist.doctor.sampling import (
    Sampler,
    fingerprints,
    is_finite,
    is_ready,
    mixing,
    trained_parameters,
)
from chymist.doctor.scoring import recalls_of, score_of
from chymist.engine.randomness import unchanged_randomness

MIXING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
EARLY = 12  # steps that are all looked at
EVERY = 10  # steps between looks at gradients and updates, later: at least, and 1 % of all steps
CLEARED = 9  # steps in which gradients are heard to arrive
HEARD = 200  # steps in which calls of the model are heard, from the start; later in few epochs
TIMED = 60  # of them, steps whose waiting is timed: "over 50 steps" (taxonomy, 29)
SLOW = 3e-3  # seconds of a step beside which the 3 microseconds of hearing its calls are 0.1 %
MIXED = 40  # batches whose labels are looked at
LIGHT = 0.005  # share of the time that looks at gradients and updates may take,
GLANCES = 0.1  # and seconds that they may have taken in any case: a few hundred looks
DEEP = 0.01  # share of the time that the doctor may have taken when it looks deep
FREE = 0.1  # seconds that it may have taken in any case
PROBES = 64  # deep looks that are kept: every second of the older ones goes
LARGEST = 4_000_000  # values of validation outputs that are scored


class Watcher:
    """Looks over the shoulder of a training loop.

    Call `step` after each optimiser step and `epoch` after each epoch; read `findings` at any time.

    Args:
        model: that is trained; it is left as it is.
        optimizer, loss_fn, train, valid, batch_size: of the loop, where known. `train` and `valid`
            are (inputs, targets), tensors or arrays with equally many rows.

    Raises:
        InputError: for arguments of another kind.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        loss_fn: LossFunction | None = None,
        train: Rows | None = None,
        valid: Rows | None = None,
        batch_size: int | None = None,
    ) -> None:
        self.began = perf_counter()
        check_arguments(model, optimizer, loss_fn, batch_size)
        self.train, self.valid = as_rows(train, "train"), as_rows(valid, "valid")
        self.model, self.loss_fn = inner_model(model), loss_fn
        self.looked, facts = look_first(
            self.model, optimizer, loss_fn, self.train, self.valid, batch_size
        )
        mixes = any(isinstance(m, MIXING) for m in self.model.modules())
        self.record = Record(facts, mixes)
        self.record.probes += [first] if (first := self.record.facts.first) is not None else []
        self.at, self.due, self.light, self.deep = 0, 1, 1, 4 * EARLY
        self.first, self.glances = 0, 0.0  # steps before this one looked on; seconds of looks
        self.cost = perf_counter() - self.began  # of a deep look, as the last one was
        self.pending: list[Tensor] = []
        self.modes: list[bool] = []
        self.pairing = None if self.train is None else Pairing(self.train)
        self.unscored: deque[tuple[int, Tensor, Tensor]] = deque(maxlen=3)
        self.read: tuple[tuple[int, int], list[Finding]] | None = None
        self.told: dict[str, tuple[int, float]] = {}
        self.ear, self.heard, self.timed = Ear(self.model), range(0), 0
        self.compiled = self.model is not model or self.model._compiled_call_impl is not None
        self.closed = False
        weakref.finalize(self, Ear.close, self.ear)
        self.start, self.sampler = dict[str, Tensor](), Sampler()
        self.trained: list[tuple[str, nn.Parameter]] = []
        self.before = 0, torch.zeros(0)
        with self._guarded("parameters"):
            self.start = fingerprints(self.model)
            self.before = 0, self.sampler.take(trained_parameters(self.model))
        self._book(self.began)

    def go_on(self, losses: Sequence[float]) -> None:
        """Look on from a later step of a run that was interrupted.

        Args:
            losses: of the steps that were taken before.
        """
        self.record.losses[:] = losses
        self.at = self.first = len(losses)

    def step(
        self,
        loss: Tensor | float,
        inputs: object = None,
        targets: object = None,
        outputs: object = None,
    ) -> None:
        """After an optimiser step.

        Args:
            loss: of the batch, one number.
            inputs, targets, outputs: the batch, and what the model said; of any kind.

        Raises:
            InputError: if the loss is not one number.
        """
        if self.closed:
            return
        self.at += 1
        self._keep(loss, inputs)
        self.record.untrained_mode += not self.model.training
        if self.at < self.due and self.ear.calls is None and not self.ear.gradients:
            return  # most steps: reading a clock would cost as much as all that was done
        began = perf_counter()
        if self.ear.calls is not None:
            self._note_waiting(began)
        if self.at >= self.due:
            with self._guarded("step"):
                self._attend(inputs, targets)
            if not self.compiled and not self.closed:
                self._listen()
        self._book(began)

    def epoch(
        self,
        valid_loss: Tensor | float = math.nan,
        valid_outputs: object = None,
        valid_targets: object = None,
        train_loss: Tensor | float = math.nan,
    ) -> None:
        """After an epoch.

        Args:
            valid_loss, train_loss: as the program has them.
            valid_outputs, valid_targets: of the validation rows.

        Raises:
            InputError: if a loss is not one number.
        """
        if self.closed:
            return
        with self._clocked():
            valid, train = as_number(valid_loss, "valid_loss"), as_number(train_loss, "train_loss")
            self._drain()
            self.trained.clear()  # parts may be frozen or thawed between epochs
            record, differs = self.record, math.nan
            scored: tuple[float, dict[int, float]] = math.nan, {}
            rows = _scored(valid_outputs, valid_targets)
            if rows is not None:
                own, goal = rows
                if self._affordable(0.0):
                    scored = _score(own, goal, record.facts.loss.link)
                else:  # rules read the last ones only: they are scored when somebody asks
                    self.unscored.append((len(record.epochs), own, goal))
                if record.stochastic and self.ear.modes:
                    differs = self._difference(own) if self.ear.modes == {True} else 0.0
            record.epochs.append(EpochFacts(self.at, train, valid, *scored, differs))
            self._hear_the_next()
            self._look_if_cheap()

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, in rank order; reading it ends nothing."""
        key = self.at, len(self.record.epochs)
        if self.read is None or self.read[0] != key:
            with self._clocked():
                self.read = key, self._findings(look=True)
        return list(self.read[1])

    def news(self) -> list[Finding]:
        """Findings that have not been told yet, while the run goes on; each is told once.

        What is certain is told at once. Where a finding rests on harm, an unfinished run looks
        worse than it is, so it is told when the steps have doubled since it was first seen and the
        loss has not fallen; at once if the loss is no number any more. If the doctor has used up
        its share of the time, news waits.

        Returns:
            In rank order; without observations.
        """
        if self.closed or not self._affordable(0.0):
            return []
        with self._clocked():
            self._drain()
            recent = float(np.mean(self.record.losses[-max(1, self.at // 10) :] or [math.nan]))
            found = self._findings(look=self._affordable(self.cost))
            return [finding for finding in found if self._is_news(finding, recent)]

    def close(self) -> None:
        """Look no further; nothing stays on the model. What was found can still be read."""
        self.ear.close()
        self.before = self.at, torch.zeros(0)
        self.sampler.views.clear()
        self.trained.clear()
        self.closed = True

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    # ---------------------------------------------------------------- every step
    def _keep(self, loss: Tensor | float, inputs: object) -> None:
        """Note the loss; on a device it stays there, for reading it would wait for the step."""
        if isinstance(loss, Tensor) and loss.numel() == 1:
            if not loss.is_cpu:
                self.pending.append(loss.detach().clone())
                return
            value = loss.item()
        else:
            value = as_number(loss, "loss")
        self.record.losses.append(value)
        if not math.isfinite(value) and self.record.bad_step is None:
            self.record.bad_step = self.at
            self.record.bad_inputs = not is_finite(inputs)

    def _drain(self) -> None:
        """Read the losses that wait on the device."""
        if not self.pending:
            return
        losses = self.record.losses
        losses += torch.stack([v.reshape(()) for v in self.pending]).tolist()
        self.pending.clear()
        bad = [at for at, value in enumerate(losses, 1) if not math.isfinite(value)]
        if bad and self.record.bad_step is None:
            self.record.bad_step = bad[0]

    def _book(self, began: float) -> None:
        """Count the doctor's own time."""
        self.returned = perf_counter()
        self.record.spent += self.returned - began
        self.record.elapsed = self.returned - self.began
        if self.ear.calls is not None or self.ear.gradients:
            self.ear.mark()

    @contextmanager
    def _clocked(self) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self._book(began)

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        """What fails in parameters of a kind of its own ends the watching, not the run."""
        try:
            yield
        except FAILS as error:
            self.record.failures[doing] = f"{type(error).__name__}: {error}"[:200]
            self.close()

    def _listen(self) -> None:
        """Hear calls of the model for a while, and gradients in the first steps."""
        if self.at <= HEARD or self.at in self.heard or self.record.elapsed > SLOW * self.at:
            self.ear.open()
        elif self.ear.calls is not None:
            self.ear.close()
        if self.at == 1 and self.start:
            self.ear.open_for_gradients([p for _, p in trained_parameters(self.model)])
        elif self.at >= CLEARED and self.ear.gradients:
            self.ear.close_for_gradients()

    def _hear_the_next(self) -> None:
        """Hear validation of the next epoch, after the first, second, fourth, eighth ... one."""
        number, ends = len(self.record.epochs), [e.step for e in self.record.epochs[-2:]]
        length = ends[-1] - (ends[0] if number > 1 else self.first)
        self.heard = range(0)
        if number & (number - 1) == 0:
            self.heard = range(self.at + length - 1, self.at + 2 * length)
            self.due = min(self.due, self.heard.start)
        if not self.compiled:
            self._listen()

    def _note_waiting(self, began: float) -> None:
        """Seconds from the end of a step to the next call of the model, and from there on."""
        if self.timed < TIMED and not math.isnan(self.ear.called):
            device = device_of(self.model)
            if device.type != "cpu":
                torch.accelerator.synchronize(device)  # else work is billed to whoever waits next
                began = perf_counter()
            self.timed += 1
            self.record.waiting.append(self.ear.called - self.returned)
            self.record.working.append(began - self.ear.called)

    def _attend(self, inputs: object, targets: object) -> None:
        """Look at gradients and updates, and set the next time to do so."""
        began, at = perf_counter(), self.at
        if at <= EARLY or not self.trained:  # listing them takes longer than reading them
            self.trained = trained_parameters(self.model)
        trained = self.trained
        samples = self.sampler.take(trained)
        if at >= self.light:
            self._drain()
            self._note_update(at, samples, [p.grad for _, p in trained if p.grad is not None])
            if len(self.record.mixed) < MIXED:
                self.record.mixed += mixing(targets, self.record.facts.data)
            if self.pairing is not None and (pairs := self.pairing.look(at, inputs, targets)):
                self.record.pairs.append(pairs)
            if self.model.training:
                self.modes = [m.training for m in self.model.modules()]
            took = perf_counter() - began
            self.glances += took
            if at >= self.deep:
                self.deep = 2 * at
                self._look_if_cheap()
            mean = max((began - self.began) / at, 1e-6)
            stretch = 0 if self.glances < GLANCES else math.ceil(took / (LIGHT * mean))
            pause = max(EVERY, at // 100, min(stretch, 10 * at))
            self.light = at + (1 if at - self.first < EARLY else pause)
        self.before = at, samples
        self.due = max(at + 1, self.light - 1)

    def _note_update(self, at: int, samples: Tensor, gradients: Sequence[Tensor]) -> None:
        """Norm of the gradients, and how far the last step moved the weights."""
        moved = math.nan
        last, old = self.before
        if last == at - 1 and len(old) == len(samples) > 0:
            change, size = norms([samples - old.to(samples), old])
            moved = change / max(size, 1e-15)
            self.record.ratios.append((at, moved))
        if gradients:
            norm = math.hypot(*norms(gradients))
            if math.isfinite(norm) or moved != 0:  # a scaler skips steps of infinite gradients
                self.record.norms.append((at, norm))
        if self.ear.clear and moved > 0 and at > 1:
            self.record.piled.append((at, not any(self.ear.clear)))

    # ---------------------------------------------------------------- now and then
    def _affordable(self, cost: float) -> bool:
        """Whether the doctor may take so many seconds more."""
        elapsed = perf_counter() - self.began
        return self.record.spent + cost <= max(FREE, DEEP * elapsed)

    def _look_if_cheap(self) -> None:
        if self._affordable(self.cost):
            self._look()

    def _look(self) -> None:
        """A deep look at fixed training rows."""
        probes = self.record.probes
        if self.looked is None or self.loss_fn is None or (probes and probes[-1].step == self.at):
            return
        if not is_ready(self.model):
            return
        began, ear = perf_counter(), self.ear
        ear.deaf = True
        seen = probe(self.model, self.loss_fn, *self.looked, self.at, self.modes)
        ear.deaf = False
        self.cost = perf_counter() - began
        if seen is not None:
            probes.append(seen)
        if len(probes) > PROBES:
            del probes[1 : PROBES // 2 : 2]

    def _difference(self, outputs: Tensor) -> float:
        """How much the program's validation outputs differ from those in eval() mode."""
        if self.valid is None or len(self.valid[0]) != len(outputs):
            return math.nan
        self.ear.deaf = True
        try:
            with untouched(self.model), torch.no_grad():
                self.model.eval()
                most = ROWS if self.looked is None else len(self.looked[0])
                rows = self.valid[0][:most].to(device_of(self.model))
                own = first_tensor(self.model(rows)).detach().cpu()
            return float((own - outputs[:most]).abs().max() / (own.abs().max() + 1e-12))
        except FAILS:
            return math.nan
        finally:
            self.ear.deaf = False

    def _findings(self, look: bool) -> list[Finding]:
        """What the rules say of all that is known."""
        self._drain()
        self.ear.close()
        for number, own, goal in self.unscored:
            score, recalls = _score(own, goal, self.record.facts.loss.link)
            epochs = self.record.epochs
            epochs[number] = replace(epochs[number], score=score, recalls=recalls)
        self.unscored.clear()
        if look:
            self._look()
        with self._guarded("parameters"):
            now = fingerprints(self.model)
            same = [n for n, value in self.start.items() if n in now and torch.equal(value, now[n])]
            self.record.unmoved = tuple(same)
        last = self.record.probes[-1] if self.record.probes else None
        given = self.train, self.valid
        train, valid = (None if rows is None else as_numbers(rows) for rows in given)
        with unchanged_randomness(), quiet():
            return ranked(findings_of(self.record, last, train, valid))

    def _is_news(self, finding: Finding, recent: float) -> bool:
        """Whether to tell a finding now, for the first time."""
        code, known = finding.code, self.told.get(finding.code)
        if finding.level == "observation" or (known is not None and known[0] < 0):
            return False
        waits = finding.level == "finding" and self.record.bad_step is None
        if waits and (known is None or self.at < 2 * known[0]):
            self.told.setdefault(code, (self.at, recent))
            return False
        if waits and known is not None and recent < 0.98 * known[1]:
            self.told[code] = (self.at, recent)
            return False
        self.told[code] = (-1, recent)
        return True


def watch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: LossFunction | None = None,
    train: Rows | None = None,
    valid: Rows | None = None,
    batch_size: int | None = None,
) -> Watcher:
    """Watch a training loop: any model of torch, any loop.

    Args:
        model: that is trained; it is left as it is.
        optimizer: that trains it.
        loss_fn: of (outputs, targets), a scalar tensor.
        train, valid: (inputs, targets), tensors or arrays with equally many rows.
        batch_size: rows of a step.

    Returns:
        Call its `step` after each step of the optimiser and its `epoch` after each epoch; its
        `findings` say what is wrong.

    Raises:
        InputError: for arguments of another kind.

    Example:
        >>> model = nn.Linear(3, 1)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> x = torch.linspace(-1, 1, 96).reshape(32, 3)
        >>> y = x.sum(1)  # (32,), where the model gives (32, 1)
        >>> loss_fn = nn.functional.mse_loss
        >>> w = watch(model, optimizer, loss_fn, train=(x, y))
        >>> w.findings[0].code, w.findings[0].level
        ('shape_broadcast_loss', 'certain')
    """
    return Watcher(model, optimizer, loss_fn, train, valid, batch_size)


def _scored(outputs: object, targets: object) -> Rows | None:
    """The first rows of validation outputs and their targets, on the processor."""
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return None
    if not (is_dense(outputs) and is_dense(targets)):
        return None
    outputs, targets = as_numbers((outputs.detach(), targets.detach()))
    outputs, targets = (part if part.ndim else part.reshape(1) for part in (outputs, targets))
    rows = max(1, LARGEST // max(1, outputs.numel() // max(1, len(outputs))))
    return outputs[:rows].cpu(), targets[:rows].cpu()


def _score(outputs: Tensor, targets: Tensor, link: Link) -> tuple[float, dict[int, float]]:
    """Score of validation outputs, and recalls by class; nan and none where there are none."""
    try:
        recalls = recalls_of(outputs, targets, link)
        if recalls and bool(torch.isfinite(outputs).all()):
            return float(np.mean(list(recalls.values()))), recalls
        return score_of(outputs, targets, link), recalls
    except FAILS:
        return math.nan, {}
