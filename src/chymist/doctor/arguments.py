"""What a watcher is given: checked, and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor.preflight import Rows
from chymist.errors import InputError


def check_arguments(model: object, optimizer: object, loss_fn: object, batch_size: object) -> None:
    """The arguments are of the kinds that they should be.

    Raises:
        InputError: naming the first that is not.

    Example:
        >>> check_arguments(nn.Linear(2, 1), None, None, None)
    """
    wrong = None
    if not isinstance(model, nn.Module):
        wrong = "model", model, "a torch.nn.Module"
    elif optimizer is not None and not hasattr(optimizer, "param_groups"):
        wrong = "optimizer", optimizer, "a torch.optim.Optimizer"
    elif loss_fn is not None and not callable(loss_fn):
        wrong = "loss_fn", loss_fn, "a function of (outputs, targets)"
    elif batch_size is not None and not (isinstance(batch_size, int) and batch_size > 0):
        wrong = "batch_size", batch_size, "a number of rows"
    if wrong:
        name, value, wanted = wrong
        raise InputError(
            "wrong argument",
            where=f"watch({name}=)",
            received=f"{type(value).__name__} {value!r:.40}",
            do=f"give {wanted}",
        )


def as_rows(given: object, name: str) -> Rows | None:
    """(inputs, targets) as tensors.

    Raises:
        InputError: if they are no pair of tensors or arrays with equally many rows.

    Example:
        >>> x, y = as_rows((np.zeros((3, 2)), np.array([0, 1, 1])), "train")
        >>> x.dtype, y.dtype
        (torch.float32, torch.int64)
    """
    if given is None:
        return None
    parts = given if isinstance(given, Sequence) and len(given) == 2 else ()
    made = [torch.as_tensor(p) if isinstance(p, np.ndarray) else p for p in parts]
    made = [p.to(torch.get_default_dtype()) if isinstance(q, np.ndarray) and p.is_floating_point()
            else p for p, q in zip(made, parts, strict=True)]  # fmt: skip
    good = len(made) == 2 and all(isinstance(p, Tensor) and p.ndim and len(p) for p in made)
    if not good or len(made[0]) != len(made[1]):
        kinds = [tuple(getattr(p, "shape", ())) or type(p).__name__ for p in parts]
        raise InputError("not a pair of inputs and targets", where=f"watch({name}=)",
                         received=str(kinds) if kinds else type(given).__name__,
                         do="give two tensors with equally many rows, or leave it out")  # fmt: skip
    return made[0].detach(), made[1].detach().cpu()  # rules compare targets on the processor


def inner_model(model: nn.Module) -> nn.Module:
    """The module that was compiled or is trained in parallel: looks go there.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> inner_model(nn.DataParallel(model)) is model
        True
    """
    wrapped = getattr(model, "_orig_mod", None)
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    if wrapped is None and isinstance(model, parallel):
        wrapped = model.module
    return inner_model(wrapped) if isinstance(wrapped, nn.Module) else model


def as_number(value: object, name: str) -> float:
    """A loss as a number.

    Raises:
        InputError: if it is none, or several.

    Example:
        >>> as_number(torch.tensor([0.5]), "loss")
        0.5
    """
    try:
        value = value.detach() if isinstance(value, Tensor) else value
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        shape = tuple(getattr(value, "shape", ()))
        raise InputError("not one number", where=name, received=f"{type(value).__name__} {shape}",
                         do="give a scalar") from None  # fmt: skip
