"""Verdicts: from what experiments measured to what limits a run, by two truth tables.

The first reads a training loss that is too large, the second a validation loss far above it. A
loss counts as changed only where it moves further than another seed moves it. What was not
measured is unknown: a verdict is then what all possible answers agree on, else inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from chymist.doctor.verdict_words import Cause, claim_of

Known = bool | None  # None: not measured, or not clear

LEVEL = 0.95  # one-sided, of the interval in which one more sham would lie
MATERIAL = 0.1  # of the loss: a smaller drop is no finding, however clear (taxonomy 20: "> 10 %")
CLOSES = 0.3  # of the gap, by which `cont` shows that training ended too early (taxonomy 2)
SECOND = 1 / 3  # of the gap, for what holds beside the larger share

FLOORS: tuple[Cause, ...] = ("no_signal", "noise_floor")  # nothing more to be had from the rows

CODES: dict[Cause, tuple[str, ...]] = {
    "wiring": ("loss_activation_mismatch", "no_update"),
    "rate": ("lr_too_high", "lr_too_low", "init_scale", "unnormalised_input"),
    "not_optimised": ("optimisation_failure",),
    "optimisation": ("optimisation_failure", "lr_too_high", "lr_too_low"),
    "model_bias": ("model_bias",),
    "no_signal": ("label_misalignment",),
    "noise_floor": ("label_noise",),
    "undertrained": ("undertrained",),
    "overfitting": ("overfitting",),
    "mismatch": ("distribution_mismatch",),
    "leakage": ("data_leakage",),
    "nothing": (),
    "inconclusive": (),
}


@dataclass(frozen=True)
class Verdict:
    """What limits a run.

    Args:
        cause: the name of it; "inconclusive" if the experiments do not decide.
        also: what holds beside it.
        possible: what it may be, if inconclusive.
        shares: of the gap between training and validation: "overfitting", "mismatch".

    Example:
        >>> Verdict("model_bias").claim
        'model bias: a larger function set fits the training rows better'
    """

    cause: Cause
    also: tuple[Cause, ...] = ()
    possible: tuple[Cause, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def claim(self) -> str:
        """One sentence."""
        return claim_of(self.cause, self.also, self.possible, self.shares)

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the taxonomy that it speaks for."""
        return tuple(code for cause in (self.cause, *self.also) for code in CODES[cause])


@dataclass(frozen=True)
class Noise:
    """Where runs lie that differ by their seed alone.

    Args:
        mean, spread: mean and standard deviation of their losses.
        runs: how many.
        margin: how far above or below the mean one more would lie by chance; infinite for one run.
    """

    mean: float
    spread: float
    runs: int
    margin: float


def noise_of(losses: Sequence[float]) -> Noise:
    """The noise floor of a configuration, from the losses of its shams.

    margin = t_(n-1, 0.95) s sqrt(1 + 1/n), half of the interval in which one more run lies.

    Args:
        losses: of runs that differ by their seed alone, at least one, (n,).

    Returns:
        A `Noise`.

    Example:
        >>> found = noise_of([1.0, 1.1, 1.2])
        >>> round(found.mean, 2), round(found.spread, 2), round(found.margin, 2)
        (1.1, 0.1, 0.34)

    Source: Student 1908; the prediction interval of one more observation.
    """
    from scipy.special import stdtrit

    runs, mean = len(losses), float(np.mean(losses))
    if runs < 2:
        return Noise(mean, 0.0, runs, math.inf)
    spread = float(np.std(losses, ddof=1))
    return Noise(
        mean, spread, runs, float(stdtrit(runs - 1, LEVEL)) * spread * math.sqrt(1 + 1 / runs)
    )


@dataclass(frozen=True)
class Effect:
    """What a change did to a loss.

    Args:
        before: loss without it, as the mean of the shams.
        after: loss with it.
        margin: what another seed does.

    Example:
        >>> Effect(1.0, 0.5, 0.1).lowers, Effect(1.0, 0.5, 0.6).lowers, Effect(1.0, 0.95, 0).lowers
        (True, False, False)
    """

    before: float
    after: float
    margin: float

    @property
    def lowers(self) -> Known:
        """Whether the loss falls by more than the shams differ, and by enough to matter."""
        return self._beyond(self.before - self.after)

    @property
    def raises(self) -> Known:
        """Whether it rises so."""
        return self._beyond(self.after - self.before)

    def _beyond(self, change: float) -> Known:
        if math.isinf(self.margin):
            return None
        return change > max(self.margin, MATERIAL * abs(self.before))


def training_verdict(
    tiny: Known, small: Known, rate: Known, big: Known, zero_equal: Known, closed: float = 0.0,
    beaten: bool = False,
) -> Verdict:  # fmt: skip
    """What makes the training loss too large.

    Args:
        tiny: whether a few rows are memorised.
        small: whether half the depth gets a lower training loss at the same number of steps.
        rate: whether another learning rate does.
        big: whether double width does.
        zero_equal: whether the loss is that of zeroed inputs.
        closed: share of the gap that training for longer closes; 0 where that was not tried.
        beaten: whether cheap learners do better on new rows than the model on its own: then there
            is more in the rows than noise, and a probe that finds nothing was too weak.

    Returns:
        The verdict that all answers to what is None agree on, else "inconclusive" with the possible
        ones.

    Example:
        >>> training_verdict(True, True, None, None, None).cause
        'not_optimised'
        >>> training_verdict(True, None, True, None, None).possible
        ('not_optimised', 'optimisation')
        >>> training_verdict(True, False, False, False, False, beaten=True).possible
        ('optimisation', 'model_bias')

    Source: Lee, Machine Learning 2021, "General guide" (a smaller model that trains better proves
        optimisation trouble); He et al. 2016, arXiv:1512.03385, figure 1.
    """
    if closed >= CLOSES:
        return Verdict("undertrained")
    choices = [(answer,) if answer is not None else (True, False)
               for answer in (tiny, small, rate, big, zero_equal)]  # fmt: skip
    rows = (_row(*answers) for answers in product(*choices))
    found = tuple(dict.fromkeys(cause for row in rows for cause in _beyond_noise(row, beaten)))
    return Verdict(found[0]) if len(found) == 1 else Verdict("inconclusive", possible=found)


def _row(tiny: bool, small: bool, rate: bool, big: bool, zero_equal: bool) -> Cause:
    """The first truth table, row by row."""
    if not tiny:
        return "rate" if rate else "wiring"
    if small:
        return "not_optimised"
    if rate:
        return "optimisation"
    if big:
        return "model_bias"
    return "no_signal" if zero_equal else "noise_floor"


def _beyond_noise(cause: Cause, beaten: bool) -> tuple[Cause, ...]:
    """What remains of a cause where cheap learners prove that the rows hold more than noise."""
    return ("optimisation", "model_bias") if beaten and cause in FLOORS else (cause,)


def gap_shares(train: float, inner: float, valid: float) -> dict[str, float]:
    """Which part of the gap between training and validation loss is due to what.

    overfitting = (inner - train)/(valid - train), mismatch = (valid - inner)/(valid - train).

    Args:
        train: loss on the rows that were trained on.
        inner: on rows held out of the training rows.
        valid: on the validation rows.

    Returns:
        Both shares, which add up to 1; empty if there is no gap.

    Example:
        >>> gap_shares(0.0, 0.75, 1.0)
        {'overfitting': 0.75, 'mismatch': 0.25}

    Source: Ng 2018, Machine Learning Yearning, chapters 40 to 43 (training-dev set).
    """
    gap = valid - train
    if not gap > 0:
        return {}
    return {"overfitting": (inner - train) / gap, "mismatch": (valid - inner) / gap}


def gap_verdict(
    train: float, inner: float, valid: float, margin: float, half_worse: Known, told_apart: Known
) -> Verdict:
    """What makes the validation loss larger than the training loss.

    Args:
        train, inner, valid: losses of one model: on the rows that it was trained on, on rows held
            out of these, and on the validation rows.
        margin: what another seed or other rows do to them.
        half_worse: whether half of the training rows give a larger validation loss.
        told_apart: whether a classifier tells training from validation rows.

    Returns:
        The verdict; the smaller share is told beside the larger where both hold.

    Example:
        >>> gap_verdict(0.1, 0.5, 0.5, 0.05, half_worse=True, told_apart=False).cause
        'overfitting'
        >>> gap_verdict(0.1, 0.15, 0.9, 0.05, half_worse=False, told_apart=True).cause
        'mismatch'
    """
    shares = gap_shares(train, inner, valid)
    if math.isinf(margin):
        return Verdict("inconclusive", (), ("overfitting", "mismatch", "leakage"), shares)
    if inner - valid > margin:
        return Verdict("leakage", shares=shares)
    if not valid - train > margin:
        return Verdict("nothing", shares=shares)
    confirmed: dict[Cause, Known] = {"overfitting": half_worse, "mismatch": told_apart}
    first, second = sorted(confirmed, key=lambda cause: -shares[cause])
    if not confirmed[first]:
        return Verdict("inconclusive", (), (first,), shares)
    also = (second,) if shares[second] >= SECOND and confirmed[second] else ()
    return Verdict(first, also, (), shares)
