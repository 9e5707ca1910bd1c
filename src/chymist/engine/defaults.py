"""What a recipe means where it says nothing: one table per kind of data and task.

The same table stands in `docs/defaults.md`.
"""

from __future__ import annotations

from chymist.errors import InputError
from chymist.parts import Part, part
from chymist.values import Length, Recipe, Split

MODELS = {"image": "cnn", "table": "mlp", "array": "mlp"}

# Least number of optimiser steps of a default run: small tables need more epochs than large ones.
MIN_STEPS = 1500

LOSSES = {"classification": "cross_entropy", "regression": "mse"}
MODEL_LOSSES = {"linear": "mse", "logistic": "binary_cross_entropy", "softmax": "cross_entropy"}


def complete(recipe: Recipe, split: Split) -> Recipe:
    """A recipe with every field set.

    Args:
        recipe: what the user gave.
        split: the rows; defaults depend on the kind of data, the task and the number of rows.

    Returns:
        A recipe without None.

    Raises:
        UsageError: the model does not suit the task.
    """
    data = split.data
    model = recipe.model or part("model", MODELS[data.kind])
    loss = recipe.loss or part("loss", MODEL_LOSSES.get(model.name, LOSSES[data.task]))
    exact = model.name == "linear" and recipe.optimizer is None
    optimizer = recipe.optimizer or (
        part("optimizer", "closed_form") if exact else _optimizer(model)
    )
    batch_size = recipe.batch_size or _batch_size(len(split.train))
    length = recipe.length or _length(model, len(split.train), batch_size)
    if optimizer.name == "closed_form":
        batch_size, length = "all", Length(1, "steps")
    schedule = "constant" if model.name == "linear" else "one_cycle"
    return recipe.replace(
        model=model, loss=loss, optimizer=optimizer, batch_size=batch_size, length=length,
        schedule=recipe.schedule or part("schedule", schedule),
        stop=recipe.stop or part("stop", "none"),
        clip=recipe.clip or part("clip", "none"),
        data=recipe.data or part("data", "prepare"),
        precision=recipe.precision or "float32",
    )  # fmt: skip


def _optimizer(model: Part) -> Part:
    return part("optimizer", "adamw", lr=1e-2 if model.name in MODEL_LOSSES else 3e-3)


def _batch_size(rows: int) -> int:
    """Small sets get small batches, so that an epoch has some steps."""
    return 64 if rows < 10_000 else 128


def _length(model: Part, rows: int, batch_size: int | str) -> Length:
    per_epoch = max(1, rows // batch_size) if isinstance(batch_size, int) else 1
    return Length(max(8, -(-MIN_STEPS // per_epoch)), "epochs")


def check_split(split: Split) -> None:
    """Refuse a split that cannot be trained on.

    Raises:
        InputError: no training rows.
    """
    if not len(split.train):
        raise InputError(
            "the split has no training rows",
            where=split.data.name,
            received=repr(split),
            do="lower test and valid",
        )
