"""What the steps of members take in memory beside their weights and rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chymist.engine.assembly import Assembly, forward
from chymist.engine.place import free_memory
from chymist.engine.population.grouping import reads_words
from chymist.models.graphs import GraphNetwork

SHARE = 0.25  # of the free memory, for what all programs that run at once keep of a step
KEPT = 3  # copies of what a layer gives: the values, their gradient, and what is on the way
RECURRENT = 16  # numbers that a recurrent layer keeps of each value that it gives


def bytes_of_step(run: Assembly) -> int:
    """Bytes that a member takes while it takes a step, at the most.

    Counted on one row, of which all layers are asked what they give; the longest text has as many
    steps as there are.

    Args:
        run: assembled; it is not changed.
    """
    model, numbers = run.state.model, 0

    def count(layer: nn.Module, _: Any, outputs: Any) -> None:
        nonlocal numbers
        made = outputs[0] if isinstance(outputs, tuple) else outputs
        if isinstance(made, Tensor):
            numbers += made.numel() * (RECURRENT if isinstance(layer, nn.RNNBase) else KEPT)

    leaves = [layer for layer in model.modules() if not list(layer.children())]
    handles = [layer.register_forward_hook(count) for layer in leaves]
    one, training = run.train.take(torch.tensor([0])), model.training
    try:
        made = forward(model, [one.clamp(min=1) if reads_words(model) else one])
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    rows = 1 if isinstance(model, GraphNetwork) else run.program.batch_size
    return (numbers + KEPT * made.numel()) * rows * made.element_size()


def programs_for(run: Assembly, members: Sequence[int], threads: int) -> int:
    """Programs that members are cut into so that their steps fit into memory.

    Args:
        run: one of them.
        members: their numbers.
        threads: programs that run at once.

    Returns:
        At least 1, at most one for each.
    """
    room = free_memory() * SHARE / max(1, threads)
    together = max(1, int(room // max(1, bytes_of_step(run))))
    return math.ceil(len(members) / together)
