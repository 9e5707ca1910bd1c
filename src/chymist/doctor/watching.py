"""Watching anybody's training loop: signals are recorded, and nothing is changed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch
from torch import Tensor, nn

from chymist.doctor.finding import Finding, ranked
from chymist.doctor.preflight import Rows, preflight
from chymist.doctor.probing import ROWS, Probe, probe, untouched
from chymist.doctor.reading_loss import FAILS, LossFunction
from chymist.doctor.record import EpochFacts, Record
from chymist.doctor.rules import findings_of
from chymist.doctor.scoring import recalls_of, score_of

EARLY = 12  # steps that are all looked at
EVERY = 10  # steps between looks at gradients and updates, later
SAMPLED = 2000  # values of a parameter that are compared from step to step
ALLOWED = 0.015  # share of the elapsed time that deep looks may take
FREE = 0.3  # seconds that they may take in any case


class Watcher:
    """Looks over the shoulder of a training loop.

    Call `step` after each optimiser step and `epoch` after each epoch; read `findings` at any time.

    Args:
        model: that is trained; it is left as it is.
        optimizer, loss_fn, train, valid, batch_size: of the loop, where known. `train` and `valid`
            are (inputs, targets).
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
        self.model, self.loss_fn, self.train, self.valid = model, loss_fn, train, valid
        facts = preflight(model, optimizer, loss_fn, train, valid, batch_size)
        mixing = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
        self.record = Record(facts, any(isinstance(m, mixing) for m in model.modules()))
        if facts.first is not None:
            self.record.probes.append(facts.first)
        self.names = [n for n, p in model.named_parameters() if p.requires_grad]
        self.start = {n: _sample(p) for n, p in self._parameters()}
        self.before: dict[str, Tensor] = {}
        self.gradients: list[Tensor | None] = []
        self.returned = self.forwarded = math.nan
        self.hook = model.register_forward_pre_hook(self._forward)
        self.record.spent = perf_counter() - self.began

    def _parameters(self) -> list[tuple[str, nn.Parameter]]:
        return [(n, p) for n, p in self.model.named_parameters() if p.requires_grad]

    def _forward(self, module: nn.Module, inputs: object) -> None:
        """The first forward pass after a step ends the time of waiting."""
        if math.isnan(self.forwarded):
            self.forwarded = perf_counter()

    @contextmanager
    def _clocked(self) -> Iterator[None]:
        began = perf_counter()
        try:
            yield
        finally:
            self.returned = perf_counter()
            self.forwarded = math.nan
            self.record.spent += self.returned - began
            self.record.elapsed = self.returned - self.began

    def step(self, loss: Tensor | float, inputs: Tensor, targets: Tensor, outputs: Tensor) -> None:
        """After an optimiser step.

        Args:
            loss: of the batch.
            inputs, targets, outputs: the batch, and what the model said.
        """
        record, now = self.record, perf_counter()
        if not math.isnan(self.returned) and not math.isnan(self.forwarded):
            record.waiting.append(self.forwarded - self.returned)
            record.working.append(now - self.forwarded)
        with self._clocked():
            value, at = float(loss), len(record.losses) + 1
            record.losses.append(value)
            if not math.isfinite(value) and record.bad_step is None:
                record.bad_step = at
                record.bad_inputs = not bool(torch.isfinite(inputs.float()).all())
            record.untrained_mode += not self.model.training
            if at <= 200 and not targets.is_floating_point():
                self._note_labels(targets)
            if at <= EARLY or at % EVERY <= 1:
                self._note_weights(at)
            if at <= EARLY:
                self._note_gradients(at, inputs, targets)

    def _note_labels(self, targets: Tensor) -> None:
        """Label entropy of a batch, as a share of what a shuffled one has."""
        data = self.record.facts.data
        if data.classes > 1 and len(targets) > 3:
            _, counts = torch.unique(targets, return_counts=True)
            p = counts / counts.sum()
            nats = float(-(p * p.log()).sum())
            # Miller-Madow: entropy of a sample is lower by (classes - 1) / (2 n)
            usual = data.chance - (data.classes - 1) / (2 * len(targets))
            self.record.mixed.append(nats / max(usual, 0.1))

    def _note_weights(self, at: int) -> None:
        """Norm of the gradients, and how far the last step moved the weights."""
        found = [p.grad for _, p in self._parameters() if p.grad is not None]
        if found:
            norms = torch._foreach_norm(found)
            self.record.norms.append((at, float(torch.stack(list(norms)).norm())))
        samples = {n: _sample(p) for n, p in self._parameters()}
        if self.before and at > 1 and (at <= EARLY or at % EVERY == 1):
            moved = sum(float((samples[n] - old).square().sum()) for n, old in self.before.items())
            size = sum(float(old.square().sum()) for old in self.before.values())
            self.record.ratios.append((at, math.sqrt(moved / max(size, 1e-30))))
        self.before = samples

    def _note_gradients(self, at: int, inputs: Tensor, targets: Tensor) -> None:
        """Whether gradients pile up: each is then the last one plus what this batch adds."""
        own = [None if p.grad is None else p.grad.detach().clone() for _, p in self._parameters()]
        last, self.gradients = self.gradients, own
        if at < 4 or not last or self.loss_fn is None or at > 8:
            return
        try:
            with untouched(self.model):
                value = self.loss_fn(self.model(inputs), targets)
                fresh = torch.autograd.grad(
                    value, [p for _, p in self._parameters()], allow_unused=True
                )
        except FAILS:
            return
        kept = [
            (g, l, f)
            for g, l, f in zip(own, last, fresh, strict=True)
            if g is not None and l is not None and f is not None
        ]
        if kept:
            cleared = sum(float((g - f).square().sum()) for g, _, f in kept)
            piled = sum(float((g - l - f).square().sum()) for g, l, f in kept)
            self.record.piled.append((at, piled < 0.25 * cleared))

    def epoch(
        self,
        valid_loss: float = math.nan,
        valid_outputs: Tensor | None = None,
        valid_targets: Tensor | None = None,
        train_loss: float = math.nan,
    ) -> None:
        """After an epoch.

        Args:
            valid_loss, train_loss: as the program has them.
            valid_outputs, valid_targets: of the validation rows.
        """
        with self._clocked():
            record, at = self.record, len(self.record.losses)
            score, recalls = math.nan, {}
            if valid_outputs is not None and valid_targets is not None:
                score = score_of(valid_outputs, valid_targets, record.facts.loss.link)
                recalls = recalls_of(valid_outputs, valid_targets, record.facts.loss.link)
            number = len(record.epochs) + 1
            differs = math.nan
            if record.stochastic and number & (number - 1) == 0 and valid_outputs is not None:
                differs = self._difference(valid_outputs)
            record.epochs.append(
                EpochFacts(at, float(train_loss), float(valid_loss), score, recalls, differs)
            )
            if record.spent < max(FREE, ALLOWED * record.elapsed) or number == 1:
                self._look(at)

    def _look(self, at: int) -> None:
        """A deep look at fixed training rows."""
        if self.train is not None and self.loss_fn is not None:
            rows = tuple(part[:ROWS] for part in self.train)
            seen = probe(self.model, self.loss_fn, rows[0], rows[1], at)
            if seen is not None:
                self.record.probes.append(seen)

    def _difference(self, outputs: Tensor) -> float:
        """How much the program's validation outputs differ from those in eval() mode."""
        if self.valid is None or len(self.valid[0]) != len(outputs):
            return math.nan
        try:
            with untouched(self.model), torch.no_grad():
                self.model.eval()
                own = self.model(self.valid[0][:ROWS])
        except FAILS:
            return math.nan
        other = outputs[:ROWS].to(own)
        return float((own - other).abs().max() / (own.abs().max() + 1e-12))

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, in rank order; reading it ends nothing."""
        last = self.last_look()
        same = {n for n, p in self._parameters() if torch.equal(_sample(p), self.start[n])}
        self.record.unmoved = tuple(n for n in self.names if n in same)
        return ranked(findings_of(self.record, last, self.train, self.valid))

    def last_look(self) -> Probe | None:
        """The model as it stands now."""
        at = len(self.record.losses)
        if not self.record.probes or self.record.probes[-1].step != at:
            self._look(at)
        return self.record.probes[-1] if self.record.probes else None

    def close(self) -> None:
        """Remove what was attached to the model."""
        self.hook.remove()


def _sample(parameter: Tensor) -> Tensor:
    """Some values of a parameter, always the same ones."""
    flat = parameter.detach().flatten()
    return flat[:: max(1, len(flat) // SAMPLED)].clone()
