"""Remedies as data: for every code of the taxonomy what to change, or advice in words.

A change is a dotted name of the recipe and its value ("optimizer.lr": 1e-3), or begins with
"split.": "split.without_copies" (validation rows that are copies of training rows are left out),
"split.redraw" (training and validation rows are drawn anew, from the same rows, at random),
"split.without_suspects" (training rows whose labels a forest that has not seen them contradicts
are left out), "split.without" (training rows to leave out). `chymist.verbs.applying` carries it
out. What is not in the table is advice: that of the rule which found it.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from chymist.doctor.experiments import default_of, doubled, halved, value_of
from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.texts import CODES
from chymist.doctor.texts.remedies import said
from chymist.engine.defaults import MODEL_LOSSES
from chymist.optim import is_solved
from chymist.parts import Part
from chymist.space import text_of
from chymist.values import Recipe

Changes = dict[str, Any]
Evidence = Mapping[str, object]
Builder = Callable[[Evidence, Recipe], Changes]

TEN = 10.0  # the step of a rate that the probes of the taxonomy take
LONGER = 4  # times the length: `cont` is half as long again, and what is undertrained needs more
WIDE = 64  # width of the default perceptron
BATCH = 32  # rows from which batch statistics are used by default (Keras, Ioffe and Szegedy)
DROPOUT = 0.2  # the smallest that Srivastava et al. 2014 recommend, for inputs
# How the default perceptron is trained where there was one step of a closed form.
STEPWISE: Changes = {
    "optimizer": "adamw",
    "optimizer.lr": 3e-3,
    "batch_size": BATCH,
    "length": "100 epochs",
    "schedule": "one_cycle",
}
SPLIT_CHANGES = ("split.without_copies", "split.redraw", "split.without_suspects", "split.without")
RAILS = ("sigmoid", "tanh", "step", "sign")  # activations with ends at which nothing moves
SCALED = ("auto", "standard")  # what `data.scale` may be for inputs to be standardised


def remedy_for(finding: Finding, recipe: Recipe | None = None) -> Remedy:
    """What to do about a finding, for this recipe.

    Args:
        finding: its code chooses the remedy, its evidence the numbers.
        recipe: of the run, complete; None for a loop of the user's own.

    Returns:
        A `Remedy`; without changes it is advice only, because there is no recipe, no option of it
        is at fault, or the fault lies in code of the user's. A change that changes nothing is left
        out.

    Example:
        >>> recipe = Recipe(optimizer="adam")
        >>> remedy_for(Finding("lr_too_high", "finding", ""), recipe).changes
        {'optimizer.lr': 0.0001}
        >>> remedy_for(Finding("no_update", "certain", ""), recipe).changes
        {}
    """
    build = TREATMENTS.get(finding.code)
    if build is not None and recipe is not None:
        changes = build(finding.evidence, recipe)
        new = {name: value for name, value in changes.items() if _differs(recipe, name, value)}
        if new:
            return Remedy(said(finding.code, new, "en"), new)
    if finding.remedy is not None and not finding.remedy.changes:
        return finding.remedy
    return Remedy(CODES[finding.code]["en"].remedy if finding.code in CODES else UNKNOWN)


def with_remedy(finding: Finding, recipe: Recipe | None = None) -> Finding:
    """A finding with the remedy for this recipe, as `remedy_for` gives it.

    Example:
        >>> found = with_remedy(Finding("lr_too_high", "finding", ""), Recipe(optimizer="adam"))
        >>> options_of(found.remedy)
        '--optimizer.lr 0.0001'
    """
    return replace(finding, remedy=remedy_for(finding, recipe))


def advice_only(code: str) -> bool:
    """Whether no recipe is ever changed for a code.

    Example:
        >>> advice_only("no_update"), advice_only("lr_too_high")
        (True, False)
    """
    return code not in TREATMENTS


def words_of(finding: Finding, language: str = "en") -> str:
    """The words of a finding's remedy, in English or Chinese; empty if it has none.

    Example:
        >>> remedy = Remedy("", {"clip": "norm", "optimizer.lr": 0.1})
        >>> words_of(Finding("exploding_gradient", "finding", "", remedy=remedy), "zh")
        '裁剪梯度，降低学习率'
    """
    if finding.remedy is None:
        return ""
    if language == "en" or finding.code not in CODES:
        return finding.remedy.words
    if finding.remedy.changes:
        return said(finding.code, finding.remedy.changes, language)
    return CODES[finding.code][language].remedy


def options_of(remedy: Remedy | None) -> str:
    """The changes of a remedy, those of the recipe as a command line has them.

    Example:
        >>> options_of(Remedy("", {"batch_size": 32, "model.hidden": (64, 64)}))
        '--batch-size 32 --model.hidden 64,64'
        >>> options_of(Remedy("", {"split.redraw": True}))
        'split.redraw'
    """
    return " ".join(_option(name, value) for name, value in (remedy or Remedy("")).changes.items())


def _option(name: str, value: Any) -> str:
    """One change in words."""
    if name.startswith("split."):
        return name if value is True else f"{name} ({len(value)} rows)"
    text = str(value).lower() if isinstance(value, bool) else text_of(value)
    quoted = shlex.quote(text)
    return f"--{name.replace('_', '-') if '.' not in name else name} {quoted}"


def _differs(recipe: Recipe, name: str, value: Any) -> bool:
    """Whether a change changes anything."""
    slot, _, option = name.partition(".")
    if slot == "split":
        return True
    if option:
        return bool(_known(recipe, slot, option) != value)
    old = getattr(recipe, slot)
    return bool((old.name if isinstance(old, Part) else str(old)) != str(value))


def _rate_times(factor: float) -> Builder:
    """Another learning rate: the one that an experiment found best, if there is one.

    Else so many times the old one; a lower one is at most the default of the optimiser, a higher
    one at least a TENth of it, for a rate may be wrong by more than one step.
    """

    def build(evidence: Evidence, recipe: Recipe) -> Changes:
        found, old = evidence.get("rate"), _known(recipe, "optimizer", "lr")
        if not isinstance(old, float):
            return {}
        usual = float(default_of(recipe.optimizer, "lr"))
        made = min(old * factor, usual) if factor < 1 else max(old * factor, usual / TEN)
        return {"optimizer.lr": found if isinstance(found, float) else _rounded(made)}

    return build


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _longer(evidence: Evidence, recipe: Recipe) -> Changes:
    if recipe.length is None or is_solved(recipe):
        return {}
    return {"length": f"{LONGER * recipe.length.count} {recipe.length.unit}", **_patient(recipe)}


def _patient(recipe: Recipe) -> Changes:
    """An early stop that waits no longer than the old length would end a longer run too."""
    return {"stop": "none"} if recipe.stop is not None and recipe.stop.name == "early" else {}


def _calmed(evidence: Evidence, recipe: Recipe) -> Changes:
    """Clipped at the norm that was usual, and smaller steps, which a clipped norm alone is not."""
    if is_solved(recipe):
        return {}
    return {**_clipped(evidence, recipe), **_rate_times(1 / TEN)(evidence, recipe)}


def _clipped(evidence: Evidence, recipe: Recipe) -> Changes:
    """Clipping at the median norm that was seen (taxonomy 12); at 1 if that has exploded too."""
    most = evidence.get("median")
    if not isinstance(most, float) or not 0 < most <= TEN:
        most = 1.0
    return {"clip": "norm", "clip.max": _rounded(most)}


def _rectified(evidence: Evidence, recipe: Recipe) -> Changes:
    """Units that do not saturate, and connections past them where layers follow one another."""
    relu = {"model.activation": "relu"} if _known(recipe, "model", "activation") in RAILS else {}
    return {**relu, **_skipping(recipe)}


def _leaking(evidence: Evidence, recipe: Recipe) -> Changes:
    """Units that always pass some gradient, and steps that do not kill them."""
    changes = _rate_times(1 / TEN)(evidence, recipe)
    if _known(recipe, "model", "activation") == "relu":
        changes["model.activation"] = "gelu"
    return changes


def _unsaturated(evidence: Evidence, recipe: Recipe) -> Changes:
    return {**_scaled(evidence, recipe), **_rectified(evidence, recipe)}


def _scaled(evidence: Evidence, recipe: Recipe) -> Changes:
    return {"data.scale": "standard"} if _known(recipe, "data", "scale") not in SCALED else {}


def _skipping(recipe: Recipe) -> Changes:
    """Residual connections, if the model has them and they would join two layers at least."""
    widths = _known(recipe, "model", "hidden") or ()
    joined = sum(one == other for one, other in pairwise(widths))
    can = _known(recipe, "model", "residual") is not None and joined > 1
    return {"model.residual": True} if can else {}


def _optimizable(evidence: Evidence, recipe: Recipe) -> Changes:
    """Connections past the layers; without these a quarter of the depth, in two halvings."""
    if _known(recipe, "model", "residual") is not True and _skipping(recipe):
        return _skipping(recipe)
    model = halved(recipe.model) if recipe.model is not None else None
    less = None if model is None else halved(model) or model
    return {} if less is None else _options("model", less.options, ("hidden", "channels", "depth"))


def _richer(evidence: Evidence, recipe: Recipe) -> Changes:
    """Hidden layers as wide as the default's at least; a perceptron in place of a linear model."""
    model = recipe.model
    larger = None if model is None else doubled(model)
    if model is None or larger is None:
        return {}
    if model.name == larger.name and not value_of(model, "hidden"):
        return {"model.hidden": (WIDE,)}
    if model.name in MODEL_LOSSES:
        trained: Changes = {}
        if recipe.loss is None:
            trained["loss"] = MODEL_LOSSES[model.name]
        if is_solved(recipe):
            trained |= STEPWISE
        return {"model": larger.name, **trained}
    changes = _options("model", larger.options, ("hidden", "channels", "depth"))
    hidden = changes.get("model.hidden", ())
    if hidden and max(hidden) < WIDE:
        changes["model.hidden"] = tuple(max(WIDE, width) for width in hidden)
    return changes


def _freed(evidence: Evidence, recipe: Recipe) -> Changes:
    """No regulariser; experiments or a search may bring a little of it back."""
    off = {"model.dropout": 0.0, "optimizer.weight_decay": 0.0, "loss.label_smoothing": 0.0}
    found: Changes = {n: none for n, none in off.items() if _known(recipe, *n.split("."))}
    if recipe.penalty and recipe.penalty.name != "none":
        found["penalty"] = "none"
    return found


def _less_dropout(evidence: Evidence, recipe: Recipe) -> Changes:
    return {"model.dropout": DROPOUT} if _known(recipe, "model", "dropout") else {}


def _stopped(evidence: Evidence, recipe: Recipe) -> Changes:
    """The weights of the epoch with the best validation loss; a ridge where there are no epochs."""
    if not is_solved(recipe):
        return {"stop": "early"}
    old = _known(recipe, "optimizer", "l2")
    return {} if old is None else {"optimizer.l2": max(1.0, TEN * float(old))}


def _trusted(evidence: Evidence, recipe: Recipe) -> Changes:
    """Without rows whose labels are contradicted, and stopped before others are memorised."""
    return {**_stopped(evidence, recipe), "split.without_suspects": True}


def _larger_batches(evidence: Evidence, recipe: Recipe) -> Changes:
    size = recipe.batch_size
    return {"batch_size": max(BATCH, 8 * size)} if isinstance(size, int) else {}


def _balanced(evidence: Evidence, recipe: Recipe) -> Changes:
    return {"data.weights": "balanced"}


def _unleaked(evidence: Evidence, recipe: Recipe) -> Changes:
    """Without the feature that gives the answer away, or without copies of rows."""
    name = evidence.get("feature")
    if isinstance(name, str):
        dropped = () if recipe.data is None else recipe.data.options.get("drop", ())
        return {"data.drop": (*dropped, name)}
    return {"split.without_copies": True}


def _redrawn(evidence: Evidence, recipe: Recipe) -> Changes:
    return {"split.redraw": True}


def _options(slot: str, options: Mapping[str, Any], names: tuple[str, ...]) -> Changes:
    return {f"{slot}.{name}": options[name] for name in names if name in options}


def _known(recipe: Recipe, slot: str, option: str) -> Any:
    """The value of an option of a part of the recipe, or None."""
    part = getattr(recipe, slot)
    return None if part is None else part.options.get(option, default_of(part, option))


UNKNOWN = "see the taxonomy for this code"

TREATMENTS: dict[str, Builder] = {
    "lr_too_high": _rate_times(1 / TEN),
    "lr_too_low": _rate_times(TEN),
    "undertrained": _longer,
    "nan_inf_loss": _calmed,
    "exploding_gradient": _calmed,
    "vanishing_gradient": _rectified,
    "hidden_activation_misuse": _rectified,
    "dead_relu": _leaking,
    "saturated_activation": _unsaturated,
    "init_scale": _scaled,
    "unnormalised_input": _scaled,
    "optimisation_failure": _optimizable,
    "model_bias": _richer,
    "missing_nonlinearity": _richer,
    "over_regularised": _freed,
    "dropout_misuse": _less_dropout,
    "overfitting": _stopped,
    "bn_small_batch": _larger_batches,
    "batch_too_small": _larger_batches,
    "label_noise": _trusted,
    "class_imbalance": _balanced,
    "data_leakage": _unleaked,
    "distribution_mismatch": _redrawn,
    "unshuffled_data": _redrawn,
}

# By what help is judged, where the headline of the task would not show it.
METRICS = {
    "overfitting": "log_loss",
    "label_noise": "log_loss",
    "class_imbalance": "balanced_accuracy",
}
