"""`watch_experiments`: a watcher that may train copies of the model to settle what it found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor.arguments import as_rows, check_arguments, inner_model
from chymist.doctor.finding import Finding, Remedy, ranked
from chymist.doctor.preflight import Rows
from chymist.doctor.reading_loss import FAILS, LossFunction
from chymist.doctor.rules.training import SYMPTOMS
from chymist.doctor.texts import why
from chymist.doctor.trials import CHANGES, Setup, Tried, attempt, loss_of, setup_of
from chymist.doctor.verdicts import MATERIAL, Effect, Noise, noise_of
from chymist.doctor.watching import Watcher

LEAST = 20  # steps, below which a training shows nothing
MOST = 3  # changes that are tried, beside the shams: more would be too short to show anything
GRACE = 1.0  # seconds beyond the share of the time, so that toys can be tried
VAGUE = "optimisation_failure"  # says that, and not why
# What bears a code out, if it lowers the training loss by more than shams differ.
BEARS_OUT: Mapping[str, tuple[str, ...]] = {
    "lr_too_high": ("lr x 0.1", "lr x 0.01"), "lr_too_low": ("lr x 100", "lr x 10"),
    "unnormalised_input": ("standardised inputs",), "init_scale": ("weights drawn anew",),
    "saturated_activation": ("weights drawn anew", "standardised inputs"),
    "dead_relu": ("weights drawn anew", "lr x 0.1"), "exploding_gradient": ("clipped gradients",),
    "vanishing_gradient": ("half the depth", "weights drawn anew"),
    "over_regularised": ("no decay, no dropout",), "dropout_misuse": ("no decay, no dropout",),
    "bn_small_batch": ("batch x 8",),
    VAGUE: ("half the depth",),
}  # fmt: skip
# Faults of the loop itself: a plain loop does not have them.
OF_THE_LOOP = ("missing_zero_grad", "no_update", "unshuffled_data", "over_regularised")
# What a change says where signals had no name for it; the first that are tried, the most telling.
NAMES: Mapping[str, str] = {
    "lr x 0.1": "lr_too_high", "lr x 10": "lr_too_low", "lr x 100": "lr_too_low",
    "standardised inputs": "unnormalised_input",
    "weights drawn anew": "init_scale", "no decay, no dropout": "over_regularised",
    "half the depth": VAGUE, "clipped gradients": "exploding_gradient",
}  # fmt: skip


@dataclass(frozen=True)
class Trials:
    """What came of all trials.

    Args:
        noise: of the loss, among shams.
        bar: loss that a change must beat as well: of the run at its end, or of a constant.
        tried: by name.
        plain: what the plain loop makes of the loss of a batch, against the user's own loop, after
            as many steps; None where they cannot be compared.
        steps: of each.
    """

    noise: Noise
    bar: float
    tried: Mapping[str, Tried]
    plain: Effect | None
    steps: int

    def effect(self, name: str) -> Effect:
        """Of a change, against the shams."""
        loss = self.tried[name].loss
        return Effect(self.noise.mean, loss if math.isfinite(loss) else math.inf, self.noise.margin)

    def helps(self, name: str) -> bool:
        """Whether a change beats the shams, and the end of the run too."""
        if name not in self.tried:
            return False
        effect = self.effect(name)
        return bool(effect.lowers and Effect(self.bar, effect.after, self.noise.margin).lowers)

    def hurts(self, name: str) -> bool:
        """Whether it was tried and made nothing better."""
        if name not in self.tried:
            return False
        effect = self.effect(name)
        return effect.lowers is False and effect.after > (1 - MATERIAL) * effect.before

    def numbers(self, name: str) -> dict[str, object]:
        """The evidence of a change."""
        effect = self.effect(name)
        return {"experiment": name, "steps": self.steps, "loss with it": effect.after,
                "loss without": effect.before, "by chance": effect.margin,
                "to beat": self.bar}  # fmt: skip


class ExperimentWatcher:
    """A `Watcher` that may train copies of the model when its findings are read.

    Args:
        model, optimizer, loss_fn, train, valid, batch_size: as for `Watcher`.
        budget: steps of all trials together, as a share of those of the loop; the same share of
            its time, and a second.

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
        budget: float = 0.25,
    ) -> None:
        check_arguments(model, optimizer, loss_fn, batch_size)
        rows = as_rows(train, "train")
        self.setup = setup_of(inner_model(model), optimizer, loss_fn, rows, batch_size)
        self.watcher = Watcher(model, optimizer, loss_fn, train, valid, batch_size)
        self.optimizer, self.budget = optimizer, budget
        self.steps, self.seconds = 0, 0.0  # that trials have taken
        self.trials: Trials | None = None
        self.read: tuple[tuple[int, int], list[Finding]] | None = None

    def step(
        self,
        loss: Tensor | float,
        inputs: object = None,
        targets: object = None,
        outputs: object = None,
    ) -> None:
        """After an optimiser step, as for `Watcher`."""
        if self.setup is not None and self.optimizer is not None:
            rate = self.optimizer.param_groups[0].get("lr")
            if isinstance(rate, float | int):  # of the next step; a tensor would have to be read
                self.setup.rates.append(float(rate))
        self.watcher.step(loss, inputs, targets, outputs)

    def epoch(
        self,
        valid_loss: Tensor | float = math.nan,
        valid_outputs: object = None,
        valid_targets: object = None,
        train_loss: Tensor | float = math.nan,
    ) -> None:
        """After an epoch, as for `Watcher`."""
        self.watcher.epoch(valid_loss, valid_outputs, valid_targets, train_loss)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong, in rank order, in the light of trials where there is harm to explain."""
        found = self.watcher.findings
        key = self.watcher.at, len(self.watcher.record.epochs)
        if self.read is None or self.read[0] != key:
            self.read = key, self._settled(found)
        return list(self.read[1])

    def news(self) -> list[Finding]:
        """Findings that have not been told yet, as for `Watcher`; nothing is tried for them."""
        return self.watcher.news()

    def close(self) -> None:
        """Look no further."""
        self.watcher.close()

    def __enter__(self) -> ExperimentWatcher:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def _settled(self, found: list[Finding]) -> list[Finding]:
        """Findings after trials, if any are called for and affordable."""
        names = wanted(found)
        looped = any(f.code in OF_THE_LOOP for f in found if f.level == "finding")
        if self.setup is None or not (names or looped):
            return found
        trials = self._tried(self.setup, names)
        if trials is None:
            return found
        self.trials = trials
        return judged(found, trials)

    def _tried(self, setup: Setup, names: Sequence[str]) -> Trials | None:
        """Carry out trials within the budget."""
        watcher, began = self.watcher, perf_counter()
        own = max(watcher.record.elapsed - watcher.record.spent, 1e-9)
        seconds = self.budget * own + GRACE - self.seconds
        steps = int(self.budget * watcher.at) - self.steps
        steps = min(steps, int(seconds * watcher.at / own))
        changed = {n: s for n in names if (s := CHANGES[n](setup)) is not None}
        many = min(len(changed), MOST, steps // LEAST - 2)
        if many < (1 if names else 0):
            return None
        each = min(steps // (many + 2), watcher.at)
        plan = {"base": setup, "sham 1": setup, **dict(list(changed.items())[:many])}
        if steps - each * len(plan) >= each:
            plan["sham 2"] = setup
        tried: dict[str, Tried] = {}
        for name, one in plan.items():
            seed = 1 + int(name[5:]) if name.startswith("sham") else 1
            left = seconds - (perf_counter() - began)
            came = attempt(name, one, each, seed, left) if left > 0 else None
            if came is not None:
                tried[name] = came
                self.steps += came.steps
        self.seconds += perf_counter() - began
        return self._measured(setup, tried, each)

    def _measured(self, setup: Setup, tried: dict[str, Tried], each: int) -> Trials | None:
        """Trials beside their shams and the run."""
        quiet = [tried[n] for n in ("base", "sham 1", "sham 2") if n in tried]
        if len(quiet) < 2:
            return None
        try:
            end = loss_of(self.watcher.model, setup)
            start = loss_of(setup.model, setup)
        except FAILS:
            return None
        floor = self.watcher.record.facts.floor
        worst = 2 * max(start if math.isfinite(start) else 0.0, floor, 1e-12)
        noise = noise_of([min(one.loss, worst) for one in quiet])
        bar = min(end, floor, worst) if floor > 0 else min(end, worst)
        return Trials(noise, bar, tried, self._plain(quiet, each), each)

    def _plain(self, quiet: Sequence[Tried], each: int) -> Effect | None:
        """What a plain loop makes of the loss of a batch, against the user's, at one rate."""
        rates, last = self.setup.rates if self.setup else [], max(5, each // 5)
        own = self.watcher.record.losses[max(0, each - last) : each]
        if len(own) < 5 or not rates or max(rates) > 1.01 * min(rates):
            return None
        means = [float(np.mean(one.course[-last:])) for one in quiet if len(one.course) == each]
        if len(means) < 2:
            return None
        noise, mine = noise_of(means), float(np.mean(own))
        spread = float(np.std(own)) / math.sqrt(len(own))
        return Effect(mine if math.isfinite(mine) else 2 * noise.mean, noise.mean,
                      max(noise.margin, 2 * spread if math.isfinite(spread) else 0.0))  # fmt: skip


def watch_experiments(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    loss_fn: LossFunction | None = None,
    train: Rows | None = None,
    valid: Rows | None = None,
    batch_size: int | None = None,
    budget: float = 0.25,
) -> ExperimentWatcher:
    """Watch a training loop, and settle by experiments what is wrong with it.

    When `findings` is read and there is harm to explain, copies of the model as it was before its
    first step are trained by a plain loop on `train`: unchanged, under other seeds, and with one
    thing changed each. What changes the outcome by more than another seed is confirmed.

    Args:
        model, optimizer, loss_fn, train, valid, batch_size: as for `watch`.
        budget: steps of all experiments together, as a share of those of the loop, and of its time
            (a second more, for toys).

    Returns:
        A watcher with the same `step`, `epoch`, `findings`, `news` and `close`.

    Raises:
        InputError: for arguments of another kind.

    Example:
        >>> x = torch.linspace(-1, 1, 128).reshape(64, 2)
        >>> rows = x, (x[:, 0] > 0).long()
        >>> model = nn.Linear(2, 2)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> w = watch_experiments(model, optimizer, nn.CrossEntropyLoss(), rows, batch_size=8)
        >>> w.findings
        []
    """
    return ExperimentWatcher(model, optimizer, loss_fn, train, valid, batch_size, budget)


def wanted(found: Sequence[Finding]) -> list[str]:
    """Changes that tell whether findings are right, of the most likely ones first.

    None where nothing is wrong, or where the cause is certain.

    Example:
        >>> wanted([Finding("lr_too_high", "finding", "")])
        ['lr x 0.1', 'lr x 0.01']
        >>> wanted([Finding("lr_too_high", "finding", ""), Finding("no_update", "certain", "")])
        []
    """
    alarms = [f.code for f in found if f.level == "finding"]
    if any(f.level in ("certain", "confirmed") and f.code not in SYMPTOMS for f in found):
        return []
    names = [name for code in alarms for name in BEARS_OUT.get(code, ())]
    if VAGUE in alarms[:1]:
        names += NAMES
    return list(dict.fromkeys(names))


def judged(found: Sequence[Finding], trials: Trials) -> list[Finding]:
    """Findings in the light of trials: confirmed, named, or left as symptoms.

    Args:
        found: by signals.
        trials: what came of changes.

    Returns:
        In rank order.
    """
    kept = [_borne_out(f, trials) for f in found]
    helpful = [name for name in trials.tried if name in CHANGES and trials.helps(name)]
    sure = {f.code for f in kept if f.level == "confirmed"}
    if helpful and not sure and found and found[0].code == VAGUE:
        best = min(helpful, key=lambda name: trials.tried[name].loss)
        code = NAMES.get(best, VAGUE)
        kept.append(Finding(code, "confirmed", f"{best}: the training rows are learned",
                            trials.numbers(best), Remedy(why(code).remedy)))  # fmt: skip
        sure.add(code)
    return ranked([_doubted(f, trials, sure, bool(helpful)) for f in kept])


def _borne_out(finding: Finding, trials: Trials) -> Finding:
    """A finding, confirmed if a trial bears it out."""
    if finding.level != "finding":
        return finding
    name = next((n for n in BEARS_OUT.get(finding.code, ()) if trials.helps(n)), None)
    if name is not None:
        evidence = {**finding.evidence, **trials.numbers(name)}
        return replace(finding, level="confirmed", evidence=evidence)
    if finding.code in OF_THE_LOOP and trials.plain is not None and trials.plain.lowers:
        numbers = {"experiment": "a plain loop", "steps": trials.steps,
                   "loss with it": trials.plain.after, "loss without": trials.plain.before,
                   "by chance": trials.plain.margin}  # fmt: skip
        return replace(finding, level="confirmed", evidence={**finding.evidence, **numbers})
    return finding


def _doubted(finding: Finding, trials: Trials, sure: set[str], helped: bool) -> Finding:
    """A finding as a symptom only, if its own trials made nothing better and another's did."""
    if finding.level != "finding":
        return finding
    own = [n for n in BEARS_OUT.get(finding.code, ()) if n in trials.tried]
    refuted = helped and bool(own) and all(trials.hurts(n) for n in own)
    explained = finding.code == VAGUE and bool(sure - {VAGUE})
    if not (refuted or explained):
        return finding
    evidence = {**finding.evidence, "experiments": "do not bear it out"}
    return replace(finding, level="observation", evidence=evidence)
