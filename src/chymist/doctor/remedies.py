"""Remedies as data: for every code of the taxonomy what to change, or advice in words.

A change is a dotted name of the recipe and its value ("optimizer.lr": 1e-3), or begins with
"split.": "split.without_copies" (validation rows that are copies of training rows are left out),
"split.redraw" (training and validation rows are drawn anew, from the same rows, at random),
"split.without" (training rows to leave out). `chymist.verbs.applying` carries it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from chymist.doctor.experiments import default_of, doubled, halved, value_of
from chymist.doctor.finding import Finding, Remedy
from chymist.engine.defaults import MODEL_LOSSES
from chymist.values import Recipe

Changes = dict[str, Any]
Evidence = Mapping[str, object]
Builder = Callable[[Evidence, Recipe], Changes]

TEN = 10.0  # the step of a rate that the probes of the taxonomy take
LONGER = 4  # times the length: `cont` is half as long again, and what is undertrained needs more
WIDE = 64  # width of the default perceptron
BATCH = 32  # rows from which batch statistics are used by default (Keras, Ioffe and Szegedy)
DROPOUT = 0.2  # the smallest that Srivastava et al. 2014 recommend, for inputs
SPLIT_CHANGES = ("split.without_copies", "split.redraw", "split.without")


def remedy_for(finding: Finding, recipe: Recipe) -> Remedy:
    """What to do about a finding, for this recipe.

    Args:
        finding: its code chooses the remedy, its evidence the numbers.
        recipe: of the run, complete.

    Returns:
        A `Remedy`; without changes it is advice only, because no option of the recipe is at fault
        or the fault lies in code of the user's.

    Example:
        >>> recipe = Recipe(optimizer="adam")
        >>> remedy_for(Finding("lr_too_high", "finding", ""), recipe).changes
        {'optimizer.lr': 0.0001}
        >>> remedy_for(Finding("no_update", "certain", ""), recipe).changes
        {}
    """
    words, build = REMEDIES.get(finding.code, (UNKNOWN, _advice))
    return Remedy(words, build(finding.evidence, recipe))


def advice_only(code: str) -> bool:
    """Whether no recipe is ever changed for a code.

    Example:
        >>> advice_only("no_update"), advice_only("lr_too_high")
        (True, False)
    """
    return REMEDIES.get(code, (UNKNOWN, _advice))[1] is _advice


def _advice(evidence: Evidence, recipe: Recipe) -> Changes:
    return {}


def _rate_times(factor: float) -> Builder:
    """Another learning rate; the one that an experiment found best, if there is one."""

    def build(evidence: Evidence, recipe: Recipe) -> Changes:
        found, old = evidence.get("rate"), _known(recipe, "optimizer", "lr")
        if isinstance(found, float):
            return {"optimizer.lr": found}
        return {"optimizer.lr": float(f"{old * factor:.3g}")} if isinstance(old, float) else {}

    return build


def _longer(evidence: Evidence, recipe: Recipe) -> Changes:
    if recipe.length is None:
        return {}
    return {"length": f"{LONGER * recipe.length.count} {recipe.length.unit}", **_patient(recipe)}


def _patient(recipe: Recipe) -> Changes:
    """An early stop that waits no longer than the old length would end a longer run too."""
    return {"stop": "none"} if recipe.stop is not None and recipe.stop.name == "early" else {}


def _finite(evidence: Evidence, recipe: Recipe) -> Changes:
    return {**_rate_times(1 / TEN)(evidence, recipe), **_clipped(evidence, recipe)}


def _clipped(evidence: Evidence, recipe: Recipe) -> Changes:
    """Clipping at the median norm that was seen (taxonomy 12), else at 1."""
    most = evidence.get("median")
    usable = isinstance(most, float) and math.isfinite(most) and most > 0
    return {"clip": "norm", "clip.max": float(f"{most:.3g}") if usable else 1.0}


def _rectified(evidence: Evidence, recipe: Recipe) -> Changes:
    """Units that do not saturate."""
    return {"model.activation": "relu"} if _known(recipe, "model", "activation") else {}


def _leaking(evidence: Evidence, recipe: Recipe) -> Changes:
    """Units that always pass some gradient, and steps that do not kill them."""
    changes = _rate_times(1 / TEN)(evidence, recipe)
    if _known(recipe, "model", "activation") == "relu":
        changes["model.activation"] = "gelu"
    return changes


def _unsaturated(evidence: Evidence, recipe: Recipe) -> Changes:
    return {**_scaled(evidence, recipe), **_rectified(evidence, recipe)}


def _scaled(evidence: Evidence, recipe: Recipe) -> Changes:
    return {"data.scale": "standard"}


def _shallower(evidence: Evidence, recipe: Recipe) -> Changes:
    """A quarter of the depth: what the halves of the experiments lead to in two steps."""
    model = halved(recipe.model) if recipe.model is not None else None
    less = None if model is None else halved(model) or model
    return {} if less is None else _options("model", less.options, ("hidden", "channels", "depth"))


def _richer(evidence: Evidence, recipe: Recipe) -> Changes:
    """Hidden layers as wide as the default's at least; a perceptron in place of a linear model."""
    model = recipe.model
    larger = None if model is None else doubled(model)
    if model is None or larger is None:
        return {}
    if model.name in MODEL_LOSSES or not value_of(model, "hidden"):
        loss = "loss" if recipe.loss is None else ""
        return {"model": larger.name, **({loss: MODEL_LOSSES[model.name]} if loss else {})}
    changes = _options("model", larger.options, ("hidden", "channels", "depth"))
    hidden = changes.get("model.hidden", ())
    if hidden and max(hidden) < WIDE:
        changes["model.hidden"] = tuple(max(WIDE, width) for width in hidden)
    return changes


def _freed(evidence: Evidence, recipe: Recipe) -> Changes:
    """No regulariser; experiments or a search may bring a little of it back."""
    off = {"model.dropout": 0.0, "optimizer.weight_decay": 0.0, "loss.label_smoothing": 0.0}
    return {name: none for name, none in off.items() if _known(recipe, *name.split("."))}


def _less_dropout(evidence: Evidence, recipe: Recipe) -> Changes:
    return {"model.dropout": DROPOUT} if _known(recipe, "model", "dropout") else {}


def _stopped(evidence: Evidence, recipe: Recipe) -> Changes:
    """The weights of the epoch with the best validation loss."""
    return {"stop": "early"}


def _robust(evidence: Evidence, recipe: Recipe) -> Changes:
    """Stop before wrong labels are memorised; leave out those that were named."""
    rows = evidence.get("rows")
    return {**_stopped(evidence, recipe), **({"split.without": rows} if rows else {})}


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

REMEDIES: dict[str, tuple[str, Builder]] = {
    "loss_activation_mismatch": ("plain scores, and the cross-entropy that takes them", _advice),
    "missing_softmax": ("use the loss that takes plain scores", _advice),
    "double_softmax": ("remove the softmax or sigmoid of the model", _advice),
    "softmax_mse": ("cross-entropy in place of the squared error", _advice),
    "shape_broadcast_loss": ("give targets the shape of the outputs", _advice),
    "no_update": ("give the optimiser model.parameters(), call backward() and step()", _advice),
    "missing_zero_grad": ("call optimizer.zero_grad() before backward()", _advice),
    "train_eval_mode": ("model.train() for training, model.eval() for validation", _advice),
    "lr_too_high": ("a tenth of the learning rate", _rate_times(1 / TEN)),
    "lr_too_low": ("ten times the learning rate", _rate_times(TEN)),
    "undertrained": ("train for longer", _longer),
    "nan_inf_loss": ("a tenth of the learning rate, and clipped gradients", _finite),
    "vanishing_gradient": ("ReLU in place of units that saturate", _rectified),
    "exploding_gradient": ("clip gradients", _clipped),
    "dead_relu": ("units that never die, and a tenth of the learning rate", _leaking),
    "saturated_activation": ("standardised inputs, and ReLU", _unsaturated),
    "symmetric_init": ("draw initial weights at random: He or Glorot", _advice),
    "init_scale": ("draw initial weights by He or Glorot", _advice),
    "optimisation_failure": ("fewer layers, or residual connections", _shallower),
    "model_bias": ("a larger function set", _richer),
    "missing_nonlinearity": ("hidden layers with ReLU", _richer),
    "over_regularised": ("no dropout and no weight decay", _freed),
    "dropout_misuse": ("a dropout of 0.2", _less_dropout),
    "overfitting": ("stop at the best validation loss", _stopped),
    "bn_small_batch": ("larger batches", _larger_batches),
    "unnormalised_input": ("standardised inputs", _scaled),
    "unnormalised_target": ("standardise the targets; chymist does it by itself", _advice),
    "label_noise": ("stop early, and look at the rows whose labels contradict others", _robust),
    "label_misalignment": ("see that inputs and labels are shuffled together", _advice),
    "constant_labels": ("see how labels are read", _advice),
    "class_imbalance": ("weigh rows by class", _balanced),
    "data_leakage": ("no copies of training rows in validation, no feature that tells", _unleaked),
    "distribution_mismatch": ("draw training and validation rows alike", _redrawn),
    "unshuffled_data": ("draw training and validation rows at random", _redrawn),
    "data_loading_bound": ("more workers, or rows kept in memory", _advice),
    "nondeterminism": ("seed everything; deterministic kernels", _advice),
    "dead_output": ("see that the head is trained and is not constant", _advice),
    "batch_leak": ("no softmax or norm over rows", _advice),
    "precision": ("weights and sums in float32", _advice),
    "hidden_activation_misuse": ("ReLU between the layers", _rectified),
    "bad_input_values": ("fill or drop cells that are missing or infinite", _advice),
    "batch_too_small": ("larger batches", _larger_batches),
}
