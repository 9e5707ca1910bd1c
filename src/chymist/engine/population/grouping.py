"""Which runs can be trained together, and why others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from chymist.engine.assembly import Assembly
from chymist.engine.population.update import COLUMNS
from chymist.engine.rows import InMemory
from chymist.models.stacked import Unstackable, stack

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
SLOWER = "stacked convolutions are no faster than one after the other"


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that are trained as one program, or one after the other.

    Args:
        members: their numbers.
        reason: why they are not trained together; empty if they are.
    """

    members: tuple[int, ...]
    reason: str = ""


def together(runs: Sequence[Assembly]) -> list[Group]:
    """Runs in groups of one architecture, batch size and kind of optimiser.

    Args:
        runs: assembled; those that have been started stand where they were paused.

    Returns:
        The groups in the order of their first members.
    """
    alike: dict[object, list[int]] = {}
    for number, run in enumerate(runs):
        alike.setdefault(_signature(run), []).append(number)
    return [
        Group(tuple(members), _reason([runs[n] for n in members])) for members in alike.values()
    ]


def _signature(run: Assembly) -> object:
    """What members trained together have in common."""
    recipe, program = run.recipe, run.program
    optimizer = [(k, v) for k, v in recipe.optimizer.items if k not in COLUMNS]
    shapes = [
        (name, tuple(p.shape), p.requires_grad) for name, p in run.state.model.named_parameters()
    ]
    settings = [
        type(layer).__name__ + layer.extra_repr()
        for layer in run.state.model.modules()
        if not hasattr(layer, "position")
    ]  # dropout: the probabilities may differ
    return str((
        shapes, settings, recipe.loss, recipe.optimizer.name, optimizer, recipe.clip,
        recipe.precision, recipe.batch_size, program.accumulate, run.state.step,
    ))  # fmt: skip


def _reason(runs: Sequence[Assembly]) -> str:
    """Why runs of one signature cannot be trained together; empty if they can."""
    first = runs[0]
    if first.recipe.optimizer.name == "closed_form":
        return "it is solved in closed form"
    if first.program.accumulate > 1:
        return "it accumulates gradients"
    if first.recipe.precision in ("bfloat16", "float16"):
        return f"it uses {first.recipe.precision}"
    if not all(isinstance(run.train, InMemory) for run in runs):
        return "its rows are streamed"
    if any(isinstance(layer, CONVOLUTIONS) for layer in first.state.model.modules()):
        return SLOWER
    model = first.state.model
    if len(list(model.named_parameters(remove_duplicate=False))) > len(list(model.parameters())):
        return "its layers share weights"
    try:
        stack([model])
    except Unstackable as error:
        return str(error)
    return "it is the only one of its kind" if len(runs) == 1 else ""
