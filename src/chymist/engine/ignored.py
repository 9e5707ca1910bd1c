"""Slots of a recipe that its optimiser does not read: they are refused, and never recorded."""

from __future__ import annotations

from typing import Any

from chymist.errors import UsageError
from chymist.optim import AT_ONCE, WHOLE, is_solved
from chymist.parts import part
from chymist.values import Length, Recipe

OFF = {name: part(name, "none") for name in ("augment", "clip", "gradient_noise", "stop")}
ONE_STEP = Length(1, "steps")
CONSTANT, DEFAULT = part("schedule", "constant"), part("init", "default")
REDUCED = ("bfloat16", "float16")


def unread(recipe: Recipe) -> dict[str, tuple[Any, ...]]:
    """The slots that the optimiser of a recipe does not read, with the values that say nothing.

    The first of these is what a complete recipe has: a solver has no schedule.

    Args:
        recipe: with an optimiser.

    Example:
        >>> sorted(unread(Recipe(optimizer="bgd")))
        ['accumulate', 'batch_size']
    """
    name = recipe.optimizer.name
    found: dict[str, tuple[Any, ...]] = {}
    if name in WHOLE or is_solved(recipe):
        found |= {"batch_size": ("all",), "accumulate": (1,)}
    if is_solved(recipe):
        found |= {"schedule": (None, CONSTANT), "clip": (OFF["clip"],)}
        found |= {name: (OFF[name],) for name in ("augment", "gradient_noise")}
    if name in AT_ONCE:
        found |= {"init": (DEFAULT,), "length": (ONE_STEP, Length(1, "epochs"))}
        if recipe.precision in REDUCED:  # the others are that of what it gives
            found["precision"] = ("float32",)
        if name != "irls":  # whose iterations are steps
            found["stop"] = (OFF["stop"],)
    return found


def refuse_unread(recipe: Recipe) -> None:
    """Refuse what a user gave and the optimiser would not read.

    Args:
        recipe: with the optimiser that it will have; what it does not say is None.

    Raises:
        UsageError: there is something; the first of it is named.
    """
    name = recipe.optimizer.name
    other = "" if name == "direct" else ", or name an optimizer that reads it, such as adamw"
    for slot, nothing in unread(recipe).items():
        given = getattr(recipe, slot)
        if given is not None and given not in nothing:
            raise UsageError(f"the optimizer '{name}' does not read this", where=slot,
                             received=f"'{given}'", do=f"leave it out{other}")  # fmt: skip


def as_read(recipe: Recipe) -> Recipe:
    """A complete recipe without what its optimiser does not read.

    Recorded recipes of older runs hold such values, the defaults of other optimisers among them.

    Example:
        >>> as_read(Recipe(optimizer="closed_form", schedule="one_cycle")).schedule
    """
    return recipe.replace(**{slot: nothing[0] for slot, nothing in unread(recipe).items()})
