"""Which runs can be trained together, and why others cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from chymist.engine.assembly import Assembly
from chymist.engine.population.update import COLUMNS
from chymist.engine.randomness import unchanged_randomness
from chymist.engine.rows import InMemory
from chymist.models.blocks import Filled
from chymist.models.efficientnet import Backbone
from chymist.models.recurrent import Recurrent
from chymist.models.stacked import CONVOLUTIONS, stack
from chymist.models.stacked_parts import Unstackable
from chymist.models.vmapped import check_vmapped
from chymist.noise import Keyed
from chymist.optim import is_solved

MANY_OUTPUTS = 2**21  # numbers that a member gives in a step, where every step has classes


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that are trained as one program, or by themselves.

    Args:
        members: their numbers.
        forms: how they could be trained together, as `plan.FORMS` names it.
        reason: why they are not trained together, and how instead; empty if they are.
        workers: processes in which those by themselves are trained several at once; 1 is none.
        apart: how many of the members, from the first, are trained in them.
    """

    members: tuple[int, ...]
    forms: tuple[str, ...] = ()
    reason: str = ""
    workers: int = 1
    apart: int = 0


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
    return [_grouped(tuple(members), [runs[n] for n in members]) for members in alike.values()]


def forms_of(run: Assembly) -> tuple[str, ...]:
    """How a run could be trained together with others of its kind.

    Raises:
        Unstackable: not at all; the message says why.
    """
    reason = _hindrance(run)
    if reason:
        raise Unstackable(reason)
    model = run.state.model
    try:
        stack([model])
    except Unstackable as error:
        few = run.train.take(torch.arange(min(4, len(run.train))))
        try:
            with unchanged_randomness():
                check_vmapped(model, few)
        except Unstackable as other:
            raise Unstackable(f"{error}, and {other}") from None
        return ("vmap",)
    if any(isinstance(layer, CONVOLUTIONS) for layer in model.modules()):
        return ("stacked", "grouped", "unfolded")
    return ("stacked",)


def _grouped(members: tuple[int, ...], runs: Sequence[Assembly]) -> Group:
    """Runs of one signature as a group."""
    try:
        forms = forms_of(runs[0])
    except Unstackable as error:
        return Group(members, (), str(error))
    if not all(isinstance(run.train, InMemory) for run in runs):
        return Group(members, (), "its rows are streamed")
    return Group(members, forms, "it is the only one of its kind" if len(runs) == 1 else "")


def _signature(run: Assembly) -> object:
    """What members trained together have in common."""
    recipe, program = run.recipe, run.program
    optimizer = [(k, v) for k, v in recipe.optimizer.items if k not in COLUMNS]
    model, rows = run.state.model, run.train
    ragged = reads_words(model)
    tables = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)}
    shapes = [
        (name, () if ragged and name in tables else tuple(p.shape), p.requires_grad)
        for name, p in model.named_parameters()
    ]
    own_options = (Keyed, nn.Embedding) if ragged else (Keyed,)
    settings = [
        type(layer).__name__ + ("" if isinstance(layer, own_options) else layer.extra_repr())
        for layer in model.modules()
    ]  # dropout: the probabilities may differ
    # What a user's own forward does cannot be read from its layers: one factory, one kind.
    own = id(recipe.model.factory) if recipe.model.source else None
    held: tuple[object, ...] = (rows.targets.shape[1:],)
    if isinstance(rows, InMemory):  # raw images of one member do not go with prepared ones
        held += (() if ragged else rows.inputs.shape[1:], rows.inputs.dtype)
    return str((
        held, shapes, settings, recipe.loss, recipe.optimizer.name, optimizer, recipe.clip,
        recipe.precision, recipe.batch_size, program.accumulate, run.state.step,
        program.weights is None or bool(program.weights.all()), program.weights is None, own,
        str(recipe.augment) if program.augment else "",
    ))  # fmt: skip


def reads_words(model: nn.Module) -> bool:
    """Whether members may know words of their own, and what fills texts up changes nothing."""
    if isinstance(model, Recurrent):
        return model.tokens
    return isinstance(model, nn.Sequential) and isinstance(model[0], Filled)


def _hindrance(run: Assembly) -> str:
    """Why a run cannot be trained together with others, whatever its layers; empty if it can."""
    model = run.state.model
    if is_solved(run.recipe):
        return "it is solved, not trained in steps"
    if run.program.lanes:
        return "its state goes on from batch to batch"
    if run.program.buckets:
        return "its batches hold texts of similar length"
    if run.shapes.each_step and run.program.batch_size * math.prod(
        (*run.train.targets.shape[1:], run.shapes.outputs)) > MANY_OUTPUTS:  # fmt: skip
        return "it gives too many numbers at once"
    if run.program.accumulate > 1:
        return "it accumulates gradients"
    if run.recipe.precision in ("bfloat16", "float16"):
        return f"it uses {run.recipe.precision}"
    if not isinstance(run.train, InMemory):
        return "its rows are streamed"
    if run.program.weights is not None and not bool(run.program.weights.all()):
        return "some of its rows weigh nothing"  # a batch of such rows makes no step
    if isinstance(model, Backbone):
        return "its parts are frozen or learn at rates of their own"
    for layer in model.modules():
        if layer._forward_hooks or layer._forward_pre_hooks:
            return f"{type(layer).__name__} has hooks"
    if len(list(model.named_parameters(remove_duplicate=False))) > len(list(model.parameters())):
        return "its layers share weights"
    return ""
