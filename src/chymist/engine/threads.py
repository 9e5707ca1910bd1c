"""How many threads a run uses: few for small work, because waiting for each other costs more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

# Multiply-adds of one forward pass over a batch below which a second thread gains little, and
# loses much on a machine that is busy with other things.
SMALL_WORK = 3e8
# The same for members that step together, which share nothing: ten of 64-128-10 and 64 rows gain.
SMALL_POPULATION = 5e6


def multiply_adds(model: nn.Module, inputs: Tensor) -> int:
    """Multiply-adds of affine layers (linear and convolution) for one forward pass.

    Args:
        model: any module; it is left as it was.
        inputs: a batch, (batch, ...).

    Returns:
        Their number over the batch.

    Example:
        >>> multiply_adds(nn.Linear(3, 2), torch.zeros(5, 3))
        30
    """
    total = 0

    def count(layer: nn.Module, _: Any, outputs: Tensor) -> None:
        nonlocal total
        weight: Any = layer.weight
        total += outputs.numel() * (weight.numel() // weight.shape[0])

    affine = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    layers = [layer for layer in model.modules() if isinstance(layer, affine)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return total


def choose_threads(model: nn.Module, inputs: Tensor, batch_size: int, members: int = 1) -> int:
    """Threads for a run, from its size alone, so that the same run gets the same number.

    Args:
        model: the model.
        inputs: one input, (1, ...).
        batch_size: rows of a step.
        members: models that take their steps together.

    Returns:
        1 for small work, else the number that torch would use.
    """
    work = multiply_adds(model, inputs) * batch_size * members
    small = SMALL_WORK if members == 1 else SMALL_POPULATION
    return 1 if work < small else torch.get_num_threads()


@contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Set torch's threads for a while; None leaves them."""
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


Threads = int | Literal["auto"] | None
