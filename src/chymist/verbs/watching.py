"""The doctor beside chymist's own runs: it hears what goes by, and changes nothing."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor import Finding, Watcher
from chymist.doctor.finding import ranked
from chymist.doctor.loading import BOUND, LoadingThroughput
from chymist.doctor.reading_loss import FAILS
from chymist.doctor.record import EpochFacts
from chymist.doctor.remedies import with_remedy
from chymist.doctor.restoring import untouched
from chymist.doctor.rules import RULES
from chymist.doctor.rules.evidence import Seen
from chymist.doctor.rules.wiring import WIRING
from chymist.doctor.watching import EARLY, LARGEST
from chymist.engine.assembly import Assembly, forward
from chymist.engine.events import Event, Step
from chymist.engine.loop import Program
from chymist.engine.randomness import unchanged_randomness
from chymist.engine.rows import Rows, Streamed
from chymist.errors import ChymistError, Diverged
from chymist.keys import generator
from chymist.optim import is_solved
from chymist.penalties import Penalty, held, weights_of
from chymist.verbs.loading import assembly_throughput

Doctor = bool | Callable[[Finding], object]

MOST_ROWS = 1500  # that the doctor looks at, as many as its reference learners use
MOST_VALUES = 1_000_000  # of inputs; wide rows are fewer, but no less than a probe takes
PROBED = 256
LOADING = 0.3  # seconds that reading and training are measured before a run
WORTH = 2.0  # seconds of waiting, below which a run is over before anybody could do better
POINTS = 300  # of a signal that are kept


class Tap:
    """Hears the batches of a loop: model and loss give what they gave, and it is noted.

    Args:
        program: of the run.
    """

    def __init__(self, program: Program) -> None:
        self._apply, self._loss = program.apply, program.loss
        self.batch: tuple[Tensor, Tensor] | None = None
        self.targets: Tensor | None = None

    def apply(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """What the model gives, noted."""
        outputs = self._apply(model, inputs)
        self.batch = inputs, outputs.detach()
        return outputs

    def loss(self, outputs: Tensor, targets: Tensor, **options: Any) -> Tensor:
        """What the loss says; the targets are noted."""
        self.targets = targets
        return self._loss(outputs, targets, **options)


class RunWatcher:
    """Looks over the shoulder of a run of `fit`.

    Args:
        assembly: the run, before its first step.
        doctor: whether to look on, or a function that is called with each finding, once.
    """

    def __init__(self, assembly: Assembly, doctor: Doctor = True) -> None:
        program, self.state = assembly.program, assembly.state
        self.on, self.told = bool(doctor), doctor if callable(doctor) else None
        self.tap = Tap(program)
        self.assembly = replace(
            assembly, program=replace(program, apply=self.tap.apply, loss=self.tap.loss)
        )
        self.stopped, self.epochs = "", 0
        self.said: set[str] = set()
        self.watcher: Watcher | None = None
        self.train = self.valid = None
        self.loading: LoadingThroughput | None = None
        self.waited = 0.0, 0.0
        if not self.on:
            self.assembly = assembly
            return
        self._measure_loading(assembly)
        with self._looking():
            self.train = some_rows(assembly.train, program.seed, "train")
            self.valid = some_rows(assembly.valid, program.seed, "valid")
            self.watcher = Watcher(
                assembly.state.model, assembly.state.optimizer, program.loss, self.train,
                self.valid, program.batch_size,
            )  # fmt: skip
            if program.penalty:
                self._note_penalty(self.watcher, program.penalty)

    def _note_penalty(self, watcher: Watcher, penalty: Penalty) -> None:
        """How hard a penalty pulls: l2 sum w^2 as a decay of 2 l2, l1 sum |w| with l1 each."""
        record, count = watcher.record, sum(w.numel() for w, _ in weights_of(watcher.model))
        decay = max(record.facts.decay, 2 * penalty.l2)
        record.facts = replace(record.facts, decay=decay, absolute=penalty.l1 * math.sqrt(count))

    def _measure_loading(self, assembly: Assembly) -> None:
        """Where rows are read while the run trains, say so if it will wait for them."""
        if not isinstance(assembly.train, Streamed) or is_solved(assembly.recipe):
            return
        with suppress(*FAILS, ChymistError), unchanged_randomness():  # the loop will say it
            found = self.loading = assembly_throughput(assembly, LOADING)
            steps = assembly.program.total_steps - assembly.state.step
            if found.finding is not None and found.waited(steps) > WORTH:
                self._tell([found.finding])

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """What fails in a foreign module ends the watching, not the run."""
        try:
            yield
        except FAILS as error:
            self.stopped = f"{type(error).__name__}: {error}"[:200]
            self.close()
            self.watcher = None

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """While the model is tried or scored: no random state is moved, and no library speaks."""
        with self._guarded(), unchanged_randomness(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def __call__(self, event: Event) -> None:
        """Take note of an event of the loop."""
        watcher = self.watcher
        if watcher is None:
            return
        if isinstance(event, Step):
            early = event.step <= EARLY  # while the doctor may try the model on a batch
            with self._looking() if early else self._guarded():
                self._step(watcher, event.loss)
            if event.step == EARLY:
                self._tell(self._certain(watcher))
        else:
            self.epochs = event.epoch
            train, held = (event.values.get(n, math.nan) for n in ("train_loss", "val_loss"))
            watcher.record.epochs.append(
                EpochFacts(event.step, train, held, math.nan, {}, math.nan)
            )

    def _step(self, watcher: Watcher, loss: float) -> None:
        if self.tap.batch is not None and self.tap.targets is not None:
            inputs, outputs = self.tap.batch
            watcher.step(loss, inputs, self.tap.targets, outputs)

    def _certain(self, watcher: Watcher) -> list[Finding]:
        """What needs no outcome of the run to be known, and can be said at once."""
        found: list[Finding] = []
        with self._looking():
            seen = Seen(watcher.record, watcher.record.facts.first, self.train, self.valid)
            found += [said for rule in WIRING if (said := rule(seen)) and said.level == "certain"]
        return [with_remedy(finding, self.assembly.recipe) for finding in found]

    def _tell(self, findings: Sequence[Finding]) -> None:
        """Say findings, each code once; a symptom alone is not said."""
        for finding in findings:
            if finding.level != "observation" and finding.code not in self.said:
                self.said.add(finding.code)
                if self.told:
                    self.told(finding)

    def catch_up(self, history: Mapping[str, np.ndarray]) -> None:
        """Take note of what was recorded before a run was resumed."""
        if self.watcher is None or "loss" not in history:
            return
        record = self.watcher.record
        self.watcher.go_on(history["loss"][:, 1].tolist())
        none = np.zeros((0, 2))
        pairs = zip_longest(
            history.get("train_loss", none).tolist(), history.get("val_loss", none).tolist()
        )
        for train, valid in pairs:
            step, loss = train or valid
            held = valid[1] if valid else math.nan
            record.epochs.append(EpochFacts(int(step), loss, held, math.nan, {}, math.nan))

    def _settle(self) -> None:
        """Look at the weights that the run has ended with.

        Where these are its best ones, what came after them does not count.
        """
        if self.watcher is None or not self.watcher.record.epochs:
            return
        record = self.watcher.record
        if self.state.best is not None:
            kept = [e for e in record.epochs if e.step <= self.state.best_step]
            record.epochs[:] = kept or record.epochs
            record.probes[:] = [p for p in record.probes if p.step <= self.state.best_step]
        last, outputs, targets = record.epochs.pop(), None, None
        with self._looking():
            if self.valid is not None:
                with untouched(self.watcher.model):
                    outputs = scored_outputs(self.watcher.model, self.valid[0])
                targets = self.valid[1][: len(outputs)]
            self.watcher.epoch(last.valid_loss, outputs, targets, last.train_loss)

    def diverged(self, error: Diverged) -> None:
        """The run has ended because its loss was not finite."""
        if self.watcher is not None and error.what == "the loss is not finite":
            with self._looking():
                self._step(self.watcher, math.nan)

    def findings(self) -> list[Finding]:
        """What is wrong, in rank order; each is said if it was not."""
        found: list[Finding] = []
        self._settle()
        if self.watcher is not None:
            with self._looking():
                self.watcher.record.held = held(self.assembly.program.penalty, self.watcher.model)
                found = self.watcher.findings
        if self.loading is not None:  # measured over the whole run, which is more than its start
            found = [f for f in found if f.code != "data_loading_bound"] + self._starved()
        found = [with_remedy(finding, self.assembly.recipe) for finding in found]
        self._tell(found)
        return ranked(found)

    def _starved(self) -> list[Finding]:
        """Whether the run waited for its rows."""
        share, seconds = self.waited
        said = "data_loading_bound" in self.said  # before the run
        if self.loading is None or share <= BOUND or not (said or share * seconds > WORTH):
            return []
        return [self.loading.measured(share)]

    def checked(self) -> dict[str, Any]:
        """What was looked at, as plain values."""
        watcher = self.watcher
        if watcher is None:
            return {"rules": 0, "stopped": self.stopped}
        record = watcher.record
        failed = [rule for rule in RULES if rule.__name__ in record.failures]
        ended = [record.failures[n] for n in ("parameters", "step") if n in record.failures]
        return {
            "rules": len(RULES) - len(failed),
            "steps": len(record.losses), "epochs": self.epochs,
            "looks": len(record.probes),
            "train": 0 if self.train is None else len(self.train[0]),
            "valid": 0 if self.valid is None else len(self.valid[0]),
            "stopped": self.stopped or "".join(ended[:1]),
        }  # fmt: skip

    def signals(self) -> dict[str, list[tuple[int, float]]]:
        """Series that the run's own record does not have."""
        if self.watcher is None:
            return {}
        record = self.watcher.record
        return {"gradient_norm": thinned(record.norms), "update_ratio": thinned(record.ratios)}

    def close(self) -> None:
        """Remove what was attached to the model."""
        if self.watcher is not None:
            self.watcher.close()


def some_rows(rows: Rows, seed: int, part: str) -> tuple[Tensor, Tensor] | None:
    """Inputs and targets of some rows, drawn at random; None if there are no rows.

    Args:
        rows: of a part of the split; they may be sorted, so that the first ones would mislead.
        seed: of the run.
        part: "train" or "valid".
    """
    if not len(rows):
        return None
    one = rows.take(torch.tensor([0]))
    most = min(MOST_ROWS, max(PROBED, MOST_VALUES // one.numel()))
    drawn = generator(seed, "doctor", part).permutation(len(rows))[:most]
    index = torch.from_numpy(drawn)
    return rows.take(index), rows.targets.index_select(0, index.to(rows.targets.device))


def scored_outputs(model: nn.Module, inputs: Tensor) -> Tensor:
    """Outputs for the first rows, as many as the doctor scores; others are not computed.

    A row of a language model gives steps x words numbers, and a thousand such rows gigabytes.

    Args:
        model: the model.
        inputs: rows, prepared.
    """
    one = forward(model, [inputs[:1]])
    return forward(model, [inputs[: max(1, LARGEST // max(1, one.numel()))]])


def thinned(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Points of a series, of many the greatest of each stretch.

    Example:
        >>> thinned([(1, 2.0), (2, 3.0)])
        [(1, 2.0), (2, 3.0)]
        >>> len(thinned([(n, 1.0) for n in range(1000)]))
        300
    """
    if len(points) <= POINTS:
        return points
    parts = np.array_split(np.arange(len(points)), POINTS)
    return [points[max(part, key=lambda n: points[n][1])] for part in parts]
