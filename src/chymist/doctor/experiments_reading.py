"""What experiments say: from the losses of each to effects, answers and a verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from chymist.doctor.experiments import ENOUGH, NOT_ASKED, NOTHING_SMALLER, Route
from chymist.doctor.verdicts import (
    MATERIAL,
    Effect,
    Known,
    Noise,
    Verdict,
    gap_verdict,
    noise_of,
    training_verdict,
)
from chymist.keys import generator

# Of the loss of a constant: a few rows are learned, or not. Two links in a row, a fault of wiring,
# end at 0.45 (two sigmoids) to 0.63 (two softmaxes of 10 classes) of it: taxonomy 2.
MEMORISED, NOT_LEARNED = 0.3, 0.5
CEILING = 2.0  # times the loss of a constant: what diverged is no worse than that
APART = 0.01  # p-value at which a classifier tells two sets of rows apart
MOST_ROWS = 2000  # of each set, that the classifier sees
QUIET = ("base", "sham")


@dataclass(frozen=True)
class Losses:
    """Losses of a trained model, in evaluation mode.

    Args:
        train: on the rows that it was trained on.
        valid: on the validation rows; nan if there are none.
        inner: on rows held out of the training rows; nan if there are none.
        steps: that it was trained for.
        chance: of the best constant on its training rows.
        error: how far its losses are from those on other rows of the kind, a 95 % margin.
    """

    train: float
    valid: float
    inner: float = math.nan
    steps: int = 0
    chance: float = math.inf
    error: float = 0.0


@dataclass(frozen=True)
class Experiments:
    """What experiments found.

    Args:
        verdict: what limits the run.
        route: which truth table was asked, or None if there was nothing to explain.
        run: losses of the run itself.
        losses: of each experiment, by name.
        effects: on the training loss (route "training") or on the validation loss (route "gap"),
            against the shams.
        answers: to the questions of the truth table; None where one is not known.
        mode: training loss in train() mode minus that in eval() mode, on the same rows.
        steps, allowed: that were taken by all experiments together, and that the budget allows.
        left_out: why experiments were not made, by name.
        needed: budget, as a share of the run, that may decide what is open; None if nothing is,
            or if more steps would not help.
    """

    verdict: Verdict
    route: Route | None
    run: Losses
    losses: Mapping[str, Losses] = field(default_factory=dict)
    effects: Mapping[str, Effect] = field(default_factory=dict)
    answers: Mapping[str, Known] = field(default_factory=dict)
    mode: float = 0.0
    steps: int = 0
    allowed: int = 0
    left_out: Mapping[str, str] = field(default_factory=dict)
    needed: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values (the JSON contract); what is infinite or not a number is None."""
        return {
            "verdict": self.verdict.cause, "claim": self.verdict.claim,
            "possible": list(self.verdict.possible), "shares": dict(self.verdict.shares),
            "codes": list(self.verdict.codes), "route": self.route, "run": _plain(self.run),
            "experiments": {name: _plain(one) for name, one in self.losses.items()},
            "effects": {name: _plain(one) for name, one in self.effects.items()},
            "answers": dict(self.answers), "mode": _finite(self.mode), "steps": self.steps,
            "allowed": self.allowed, "left_out": dict(self.left_out), "needed": self.needed,
            "also": list(self.verdict.also),
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"Experiments({self.verdict.claim}; {self.steps} of {self.allowed} steps)"


def _plain(value: Losses | Effect) -> dict[str, Any]:
    return {name: _finite(number) for name, number in vars(value).items()}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def bounded(loss: float, chance: float) -> float:
    """A loss, at most twice that of a constant; so much also where it is not finite.

    Example:
        >>> bounded(1.0, 2.3), bounded(float("nan"), 2.3), bounded(1e9, 2.3)
        (1.0, 4.6, 4.6)
    """
    return min(loss, CEILING * chance) if math.isfinite(loss) else CEILING * chance


def memorized(loss: float, chance: float) -> Known:
    """Whether a few rows have been learned; None if they are on the way to it.

    Args:
        loss: on these rows.
        chance: of the best constant on them.

    Example:
        >>> memorized(0.01, 2.3), memorized(1.0, 2.3), memorized(2.2, 2.3)
        (True, None, False)
    """
    if loss <= MEMORISED * chance:
        return True
    return None if loss <= NOT_LEARNED * chance else False


def read_training(
    run: Losses,
    losses: Mapping[str, Losses],
    left_out: Mapping[str, str],
    goal: float = 0.0,
    beaten: bool = False,
) -> tuple[Verdict, dict[str, Effect], dict[str, Known]]:
    """What makes the training loss too large.

    A change helps for sure if it beats the shams at equal steps and the whole run as well; if it
    only starts faster, that is not known. It does not help if in a fifth of the steps of the run it
    is no better than the shams; in fewer, or where chance hides the answer, that is not known
    either. Where a larger model helps for sure, and more than any rate, rates are not what it is.

    A few rows that are not learned accuse the wiring, unless a default optimiser learns them, which
    accuses the rate, or a model of another size learns with the same loss and the same wiring.

    Args:
        run: losses of the whole run.
        losses: of the experiments, by name; "base" and the shams are their noise floor.
        left_out: why others were not made.
        goal: the training loss that is wanted.
        beaten: whether cheap learners do better on new rows.

    Returns:
        The verdict, the effects on the training loss, and the answers.

    Example:
        >>> stuck, learned = Losses(2.3, 2.3, chance=2.3), Losses(0.5, 0.6, chance=2.3)
        >>> found = {"base": stuck, "sham 1": stuck, "tiny": Losses(0.0, 0.0, chance=2.3)}
        >>> read_training(stuck, {**found, "small": learned}, {})[0].cause
        'not_optimised'
    """
    noise = _noise(losses, "train", run)
    run = replace(run, train=bounded(run.train, run.chance))
    effects = {
        name: Effect(noise.mean, bounded(one.train, run.chance), noise.margin)
        for name, one in losses.items()
        if not name.startswith(("tiny", "cont", *QUIET))
    }
    helped = {
        name: _helped(effect, run, losses[name].steps >= ENOUGH * run.steps)
        for name, effect in effects.items()
    }
    small = False if left_out.get("small") == NOTHING_SMALLER else helped.get("small")
    tiny, rate = _few(run, losses, helped, left_out)
    if rate is None and helped.get("big") and _outdone(effects):
        rate = False
    closed = 0.0
    if "cont" in losses:
        effects["cont"] = Effect(run.train, losses["cont"].train, noise.margin)
        closed = (run.train - losses["cont"].train) / max(run.train - goal, 1e-12)
        closed = closed if effects["cont"].lowers else 0.0
    answers = {
        "tiny": tiny, "small": small, "rate": rate, "big": helped.get("big"),
        "zero_equal": run.train > run.chance - max(run.error, 1e-3 * run.chance),
    }  # fmt: skip
    return training_verdict(**answers, closed=closed, beaten=beaten), effects, answers


def _few(
    run: Losses, losses: Mapping[str, Losses], helped: Mapping[str, Known],
    left_out: Mapping[str, str],
) -> tuple[Known, Known]:  # fmt: skip
    """Whether a few rows are learned, and whether another rate helps."""
    learned = {n: memorized(losses[n].train, losses[n].chance) for n in losses if "tiny" in n}
    own, default = learned.get("tiny"), learned.get("tiny default")
    rates = [answer for name, answer in helped.items() if name.startswith("lr x")]
    if not {"lr x 0.1", "lr x 10"} <= helped.keys():
        rates.append(None)  # one side does not speak for the other
    if own:
        return True, _any(rates)
    if own is False:
        rates.append(default)
    rate = _any(rates)
    if rate:
        return own, True
    never = (NOT_ASKED, NOTHING_SMALLER)
    others = [
        {**helped, **learned}.get(name)
        for name in ("tiny shallow", "small", "big")
        if left_out.get(name) not in never
    ]
    acquitted = _any([*others, bool(memorized(run.train, run.chance))])
    return True if acquitted else own if acquitted is False else None, rate


def helps(found: Experiments, name: str) -> bool:
    """Whether an experiment of the route "training" beats the shams and the end of the run.

    Args:
        found: what experiments found.
        name: of one of them.

    Example:
        >>> run, effects = Losses(1.0, 1.0, steps=10), {"big": Effect(1.2, 0.4, 0.1)}
        >>> found = Experiments(Verdict("inconclusive"), "training", run, effects=effects)
        >>> helps(found, "big"), helps(found, "small")
        (True, False)
    """
    if found.route != "training" or name not in found.effects:
        return False
    run = replace(found.run, train=bounded(found.run.train, found.run.chance))
    return _helped(found.effects[name], run, enough=False) is True


def _outdone(effects: Mapping[str, Effect]) -> bool:
    """Whether a larger model gets a lower loss than any rate in as many steps, beyond chance."""
    rates = [effect.after for name, effect in effects.items() if name.startswith("lr x")]
    both = {"lr x 0.1", "lr x 10"} <= effects.keys()
    big = effects["big"]
    return both and Effect(min(rates), big.after, big.margin).lowers is True


def read_gap(
    run: Losses, losses: Mapping[str, Losses], told_apart: Known
) -> tuple[Verdict, dict[str, Effect], dict[str, Known]]:
    """What makes the validation loss larger than the training loss.

    Args:
        run: losses of the whole run.
        losses: of the experiments, by name.
        told_apart: whether a classifier tells training from validation rows.

    Returns:
        The verdict, the effects on the validation loss, and the answers.

    Example:
        >>> made = Losses(0.1, 0.6), Losses(0.1, 0.62), Losses(0.1, 0.64, 0.6), Losses(0.1, 0.9)
        >>> losses = dict(zip(["base", "sham 1", "inner", "half"], made))
        >>> read_gap(made[0], losses, told_apart=False)[0].cause
        'overfitting'
    """
    noise = _noise(losses, "valid", run)
    effects = {
        name: Effect(noise.mean, bounded(losses[name].valid, math.inf), noise.margin)
        for name in ("half",)
        if name in losses
    }
    half = effects["half"].raises if "half" in effects else None
    answers: dict[str, Known] = {"half_worse": half, "told_apart": told_apart}
    inner = losses.get("inner")
    if inner is None:
        verdict = Verdict("inconclusive", possible=("overfitting", "mismatch", "leakage"))
        return verdict, effects, answers
    margin = max(noise.margin, inner.error)
    verdict = gap_verdict(inner.train, inner.inner, inner.valid, margin, half, told_apart)
    if verdict.cause == "nothing" and run.valid - run.train > run.error:  # too short to show it
        verdict = Verdict("inconclusive", possible=("overfitting", "mismatch"))
    return verdict, effects, answers


def _noise(losses: Mapping[str, Losses], which: str, run: Losses) -> Noise:
    """The noise floor of one loss, from the base and the shams."""
    quiet = [
        bounded(getattr(one, which), run.chance)
        for name, one in losses.items()
        if name.startswith(QUIET)
    ]
    return noise_of(quiet) if quiet else Noise(run.train, 0.0, 0, math.inf)


def _helped(effect: Effect, run: Losses, enough: bool) -> Known:
    """Whether a change lowers the training loss for good, and not in its first steps only."""
    if not effect.lowers:
        hidden = effect.before - effect.after > MATERIAL * abs(effect.before)
        return None if effect.lowers is None or hidden or not enough else False
    return True if Effect(run.train, effect.after, effect.margin).lowers else None


def _any(answers: list[Known]) -> Known:
    """True if any is; False if all are known not to be."""
    if True in answers:
        return True
    return False if answers and None not in answers else None


def tell_apart(train: np.ndarray, valid: np.ndarray, seed: int = 0) -> float:
    """How surely a classifier tells training from validation rows: the p-value of a rank test.

    A forest is fitted to say which set a row is of; its out-of-fold scores of the two sets are
    compared by Mann and Whitney's test, which is the permutation test of their AUC.

    Args:
        train, valid: prepared inputs, (n, features) and (m, features).
        seed: of the forest and of the rows that it sees.

    Returns:
        A p-value; small if the sets differ.

    Example:
        >>> one = np.random.default_rng(0).normal(size=(3, 200, 2))
        >>> tell_apart(one[0], one[1]) > 0.01, tell_apart(one[0], one[2] + 2) < 0.01
        (True, True)

    Source: Lopez-Paz, Oquab 2017, Revisiting classifier two-sample tests; Mann, Whitney 1947.
    """
    from scipy.stats import mannwhitneyu
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    draw = generator(seed, "two samples")
    sets = [rows[np.sort(draw.permutation(len(rows))[:MOST_ROWS])] for rows in (train, valid)]
    if min(map(len, sets)) < 10:
        return 1.0
    labels = np.repeat([0, 1], [len(rows) for rows in sets])
    forest = RandomForestClassifier(50, min_samples_leaf=5, class_weight="balanced", random_state=0)
    cuts = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(
        forest, np.concatenate(sets), labels, cv=cuts, method="predict_proba"
    )[:, 1]
    return float(mannwhitneyu(scores[labels == 1], scores[labels == 0], alternative="greater")[1])
