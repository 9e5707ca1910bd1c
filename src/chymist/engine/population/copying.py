"""Members that become copies of others, and hyperparameters that change while a run is paused."""

from __future__ import annotations

import copy
from dataclasses import replace

from chymist.engine.assembly import Assembly
from chymist.engine.population.update import decay_of
from chymist.models import Dropout
from chymist.values import Recipe


def copy_member(source: Assembly, target: Assembly) -> None:
    """Put a paused run where another one of its architecture stands: weights, moments, counts.

    Its seed, its rows and its recipe stay its own.

    Args:
        source: what is copied; it is not changed.
        target: what becomes a copy.
    """
    ours, theirs = target.state, source.state
    ours.model.load_state_dict(theirs.model.state_dict())
    ours.optimizer.load_state_dict(copy.deepcopy(theirs.optimizer.state_dict()))
    ours.step, ours.loss_sum, ours.loss_rows = theirs.step, theirs.loss_sum, theirs.loss_rows
    ours.best_value, ours.best_step = theirs.best_value, theirs.best_step
    ours.best = copy.deepcopy(theirs.best)


def with_recipe(run: Assembly, recipe: Recipe) -> Assembly:
    """A paused run that goes on by another rate, weight decay or dropout.

    Args:
        run: the run.
        recipe: a complete recipe that differs from its own in these only.
    """
    state = run.state
    state.rate = float(recipe.optimizer.options.get("lr", state.rate))
    for group in state.optimizer.param_groups:
        if "weight_decay" in group:
            group["weight_decay"] = decay_of(recipe.optimizer)
    for _, layer in state.noise:
        if isinstance(layer, Dropout):
            layer.p = float(recipe.model.options.get("dropout", layer.p))
    return replace(run, recipe=recipe)
