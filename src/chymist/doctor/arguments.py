"""What a watcher is given: checked, and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from chymist.doctor.preflight import Rows
from chymist.errors import InputError

WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


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
    """(inputs, targets) as tensors; None if there are no rows.

    Raises:
        InputError: if they are no pair of dense tensors or arrays with equally many rows.

    Example:
        >>> x, y = as_rows((np.zeros((3, 2)), np.array([0, 1, 1])), "train")
        >>> x.dtype, y.dtype
        (torch.float32, torch.int64)
    """
    if given is None:
        return None
    parts = given if isinstance(given, Sequence) and len(given) == 2 else ()
    made = [_as_tensor(part) for part in parts]
    if len(made) == 2 and made[0] is not None and made[1] is not None:
        inputs, targets = made[0].detach(), made[1].detach()
        if len(inputs) == len(targets):
            # rules compare targets on the processor
            return (inputs, targets.cpu()) if inputs.numel() and targets.numel() else None
    kinds = [_kind(part) for part in parts]
    raise InputError("not a pair of inputs and targets", where=f"watch({name}=)",
                     received=", ".join(kinds) or type(given).__name__,
                     do="give two dense tensors with equally many rows, or none")  # fmt: skip


def _as_tensor(part: object) -> Tensor | None:
    """A dense tensor with rows, of a tensor or of an array of numbers; None of anything else."""
    if isinstance(part, np.ndarray):
        # torch takes no strides that go backwards, and warns of memory that is not to be changed
        odd = not part.flags.writeable or any(step < 0 for step in part.strides)
        try:
            made = torch.as_tensor(part.astype(part.dtype.newbyteorder("="), copy=odd))
        except TypeError:  # texts, objects, dates
            return None
        part = made.to(torch.get_default_dtype()) if made.is_floating_point() else made
    return part if isinstance(part, Tensor) and is_dense(part) and part.ndim else None


def is_dense(part: object) -> bool:
    """Whether something is a tensor all of whose values stand in memory: not sparse, nor nested.

    Example:
        >>> is_dense(torch.zeros(2)), is_dense(torch.zeros(2, device="meta")), is_dense([0.0])
        (True, False, False)
    """
    if not isinstance(part, Tensor):
        return False
    return part.layout == torch.strided and not part.is_nested and not part.is_meta


def _kind(part: object) -> str:
    """What something is, for a message."""
    if _as_tensor(part) is not None:
        return str(tuple(part.shape))  # type: ignore[attr-defined]
    return f"{type(part).__name__} {getattr(part, 'dtype', '')}".strip()


def as_numbers(rows: Rows) -> Rows:
    """Rows as rules compare them: of kinds that every library knows.

    Complex numbers are pairs of real ones, narrow floating kinds are single precision, and what is
    true or false is 1 or 0.

    Example:
        >>> x, y = as_numbers((torch.zeros(3, 2, dtype=torch.complex64), torch.ones(3).bool()))
        >>> x.shape, y.dtype
        (torch.Size([3, 2, 2]), torch.int64)
    """
    return _numbers(rows[0]), _numbers(rows[1])


def _numbers(part: Tensor) -> Tensor:
    if part.is_complex():
        part = torch.view_as_real(part.resolve_conj())
    if part.is_floating_point():
        return part if part.dtype in (torch.float32, torch.float64) else part.float()
    return part if part.dtype in WHOLE else part.long()


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
