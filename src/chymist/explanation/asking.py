"""What every map asks of a module: an output of each row, and how it changes with the input.

A module is taken in evaluation mode, with gradients, whatever mode the caller is in, and is left as
it was: modes, gradients, hooks and parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.gradients.losses import slope_of

Attributor = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(module, inputs (batch, ...), targets int64 (batch,)) -> maps of the shape of the inputs."""

ROOM = 2**20  # numbers of inputs that go through a module at once; bounds memory, not results
ROWS = 128  # rows of them: small inputs may become large between the layers


@contextmanager
def at_rest(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode, with gradients allowed; afterwards as it was.

    Example:
        >>> layer = nn.Dropout()
        >>> with torch.no_grad(), at_rest(layer):
        ...     layer.training, torch.is_grad_enabled()
        (False, True)
        >>> layer.training
        True
    """
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        # The backward pass of a recurrent layer of cuDNN wants training mode.
        with torch.inference_mode(False), torch.enable_grad(), _without_cudnn():
            yield
    finally:
        for part in training:
            part.training = True


def _without_cudnn() -> Any:
    return torch.backends.cudnn.flags(enabled=False, benchmark=False, deterministic=True,
                                      allow_tf32=False)  # fmt: skip


def answers(outputs: Any, targets: Tensor) -> Tensor:
    """One output of each row, (batch,).

    Args:
        outputs: what a module gives for a batch, (batch, outputs), or (batch,) of one output.
        targets: number of the output of each row, int64, (batch,).

    Raises:
        InputError: it is no such tensor.
        UsageError: there is no such output.

    Example:
        >>> answers(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([1, 0]))
        tensor([2., 3.])
    """
    if not isinstance(outputs, Tensor):
        raise InputError("the module gives no single tensor", where="explain",
                         received=type(outputs).__name__,
                         do="wrap it in a module that gives (batch, outputs)")  # fmt: skip
    made = outputs.unsqueeze(1) if outputs.ndim == 1 else outputs
    if made.ndim != 2 or len(made) != len(targets):
        raise InputError("the outputs are not (batch, outputs)", where="explain",
                         received=f"shape {tuple(outputs.shape)} of {len(targets)} rows",
                         do="wrap the module in one that gives one answer a row")  # fmt: skip
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < made.shape[1]:
        raise UsageError("there is no such output", where="target",
                         received=f"{int(targets.min())} to {int(targets.max())}",
                         do=f"give 0 to {made.shape[1] - 1}")  # fmt: skip
    return made.gather(1, targets.to(made.device)[:, None])[:, 0]


def values_at(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The target output of each row, without gradients; the module is at rest."""
    with torch.no_grad():
        return answers(module(inputs), targets)


def slopes(module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Gradient of the target output of each row by its own input; the module is at rest.

    Raises:
        InputError: inputs are whole numbers, or the outputs have no gradient.
    """
    points = inputs.detach().clone().requires_grad_()
    found = answers(module(points.clone()), targets)  # a copy, which may be changed in place
    return slope(found, points).detach()


def slope(answer: Tensor, points: Tensor) -> Tensor:
    """Gradient of the sum of answers at points.

    Raises:
        InputError: they have none.

    Example:
        >>> points = torch.ones(2, requires_grad=True)
        >>> slope(points**2, points)
        tensor([2., 2.])
    """
    if not answer.requires_grad:
        raise InputError("the outputs of this model have no gradient", where="explain",
                         do="take occlusion, which needs none")  # fmt: skip
    return slope_of(answer, points, "explain")


def checked(inputs: Tensor, targets: Tensor, real: bool = True) -> tuple[Tensor, Tensor]:
    """Inputs and targets that fit each other, as plain tensors.

    Args:
        inputs: (batch, ...).
        targets: int64, (batch,).
        real: whether a gradient is taken at the inputs.

    Raises:
        InputError: they do not fit, or the inputs are whole numbers.
    """
    if targets.dtype != torch.int64 or targets.shape != inputs.shape[:1]:
        raise InputError("targets are not one whole number a row", where="targets",
                         received=f"{targets.dtype} of shape {tuple(targets.shape)}",
                         do=f"give int64 of shape ({len(inputs)},)")  # fmt: skip
    if real and not inputs.is_floating_point():
        raise InputError("inputs must be real numbers", where="explain",
                         received=str(inputs.dtype),
                         do="give floats, or take occlusion")  # fmt: skip
    with torch.inference_mode(False):
        return inputs.detach().clone(), targets.detach().clone()


def by_rows(work: Attributor, module: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """The maps of a batch, worked out for as many rows at once as there is room for."""
    some = at_once(inputs)
    pairs = zip(inputs.split(some), targets.split(some), strict=True)
    return torch.cat([work(module, rows, numbers) for rows, numbers in pairs])


def at_once(inputs: Tensor) -> int:
    """How many rows of this size go through a module at once.

    Example:
        >>> at_once(torch.zeros(3, 1, 8, 8)), at_once(torch.zeros(1, 3, 1024, 1024))
        (128, 1)
    """
    return min(ROWS, max(1, ROOM // max(inputs[:1].numel(), 1)))
