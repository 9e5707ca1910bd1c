"""A part that stands for the whole: of parameters, of rows, of labels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from chymist.doctor.arguments import is_dense
from chymist.doctor.preflight import DataFacts, Rows
from chymist.doctor.probing import ROWS

SAMPLED = 100_000  # values that are compared from step to step, of all parameters together
RARE = 0.2  # nats: one row in twenty is of the other class
PORTION = 500_000  # values of inputs that facts about rows are made of: a blink


def mixing(targets: object, data: DataFacts) -> list[float]:
    """Label entropy of a batch, as a share of what a shuffled one has.

    Args:
        targets: of the batch; of any kind.
        data: facts about all rows.

    Returns:
        One number, or none where labels are not class indices, or all but one class are rare.

    Example:
        >>> data = DataFacts(classes=2, chance=0.6931)
        >>> mixing(torch.tensor([0, 0, 0, 0]), data)
        [0.0]
    """
    if data.classes < 2 or not isinstance(targets, Tensor) or not is_dense(targets):
        return []
    if targets.is_floating_point() or targets.is_complex():
        return []
    if not targets.ndim or not targets.numel() == len(targets) > 3:
        return []
    _, counts = np.unique(targets.detach().cpu().numpy(), return_counts=True)
    p = counts / counts.sum()
    nats = abs(float((p * np.log(p)).sum()))
    # Miller-Madow: entropy of a sample is lower by (classes - 1) / (2 n)
    usual = data.chance - (data.classes - 1) / (2 * len(targets))
    if usual < RARE:
        return []  # most batches have one class only, in any order
    return [nats / usual]


def is_ready(model: nn.Module) -> bool:
    """Whether all weights are there: none are drawn at the first call, or are shapes only.

    Example:
        >>> is_ready(nn.Linear(2, 1)), is_ready(nn.LazyLinear(1))
        (True, False)
    """
    return not any(is_lazy(p) or p.is_meta for p in model.parameters())


def trained_parameters(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Parameters with values that training may change, by name.

    Example:
        >>> [name for name, _ in trained_parameters(nn.Linear(2, 1))]
        ['weight', 'bias']
    """
    named = model.named_parameters()
    return [(n, p) for n, p in named if p.requires_grad and not is_lazy(p) and is_dense(p)]


def share_of_each(parameters: int) -> int:
    """How many values of each of so many parameters are taken.

    Example:
        >>> share_of_each(2), share_of_each(200), share_of_each(100_000)
        (2000, 500, 16)
    """
    return min(2000, max(16, SAMPLED // max(1, parameters)))


class Sampler:
    """Takes some values of each parameter, always the same ones, in one row.

    Example:
        >>> Sampler().take(trained_parameters(nn.Linear(2, 1))).shape
        torch.Size([3])
    """

    def __init__(self) -> None:
        self.views: dict[int, tuple[int, Tensor]] = {}  # of each parameter: where it is, and a view

    def take(self, parameters: list[tuple[str, nn.Parameter]]) -> Tensor:
        """The values as they are now, (values,); of no parameters, none.

        Args:
            parameters: by name.
        """
        parts = self.parts(parameters)
        return torch.cat([part.to(parts[0].device) for part in parts]) if parts else torch.zeros(0)

    def parts(self, parameters: list[tuple[str, nn.Parameter]]) -> list[Tensor]:
        """Views of the values, one a parameter: they change with it."""
        most = share_of_each(len(parameters))
        return [self._part(p, most) for _, p in parameters]

    def _part(self, parameter: nn.Parameter, most: int) -> Tensor:
        """A view that is made once: making it costs ten times what reading it does."""
        if type(parameter) is not nn.Parameter or not parameter.is_contiguous():
            return spread(parameter.detach(), most)
        place, known = parameter.data_ptr(), self.views.get(id(parameter))
        if known is None or known[0] != place:
            known = self.views[id(parameter)] = place, spread(parameter.detach(), most)
        return known[1]


def is_finite(inputs: object) -> bool:
    """Whether all values of a tensor are numbers; what is no tensor counts as such.

    Example:
        >>> is_finite(torch.tensor([1.0, float("nan")])), is_finite("text")
        (False, True)
    """
    if not isinstance(inputs, Tensor) or not is_dense(inputs):
        return True
    return bool(torch.isfinite(inputs).all())


def portions(train: Rows | None, valid: Rows | None) -> tuple[Rows | None, Rows | None]:
    """Rows that facts are made of: of large sets a part, with all that stand in both.

    Example:
        >>> x, y = torch.arange(40_000.0).reshape(40, 1000), torch.zeros(40)
        >>> portions((x, y), None)[0] is not None
        True
    """
    if train is None:
        return None, valid
    most = max(ROWS, PORTION // max(1, train[0][0].numel()))
    if len(train[0]) <= most and (valid is None or len(valid[0]) <= most):
        return train, valid
    kept = torch.arange(0, len(train[0]), -(-len(train[0]) // most))
    if valid is not None:
        valid = valid[0][:: -(-len(valid[0]) // most)], valid[1][:: -(-len(valid[0]) // most)]
        if train[0].shape[1:] == valid[0].shape[1:] and train[0].dtype == valid[0].dtype:
            here, there = (_row_sums(part[0]).cpu() for part in (train, valid))
            twins = torch.isin(here, there).nonzero().flatten()[:most]
            kept = torch.cat([kept, twins]).unique()
    return (train[0][kept.to(train[0].device)], train[1][kept.to(train[1].device)]), valid


def spread(values: Tensor, most: int) -> Tensor:
    """At most so many values, evenly spread over memory, without a copy of all of them.

    Example:
        >>> spread(torch.arange(10), 3)
        tensor([0, 4, 8])
    """
    if not values.is_contiguous():
        strides = values.stride()
        values = values.permute(sorted(range(values.ndim), key=lambda d: -strides[d]))
    flat = values.reshape(-1)
    return flat[:: -(-len(flat) // most)] if len(flat) else flat


def fingerprints(model: nn.Module) -> dict[str, Tensor]:
    """Of all parameters that have values, by name; of frozen ones, of some values.

    Example:
        >>> sorted(fingerprints(nn.Linear(2, 1)))
        ['bias', 'weight']
    """
    return {
        name: fingerprint(p if p.requires_grad else spread(p.detach(), 2000)).cpu()
        for name, p in model.named_parameters()
        if not is_lazy(p) and is_dense(p)
    }


def as_bits(values: Tensor) -> Tensor:
    """The bits of values, read as whole numbers.

    Example:
        >>> as_bits(torch.tensor([1.0])).item() == 0x3F800000
        True
    """
    values = torch.view_as_real(values) if values.is_complex() else values
    kinds = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    return values.view(kinds[values.element_size()])


def fingerprint(parameter: Tensor) -> Tensor:
    """The sum of all bits read as whole numbers: it changes if a single one does.

    Two numbers of four bytes are read as one of eight, which is several times as fast.

    Example:
        >>> int(fingerprint(torch.tensor([1, 2])))
        3
    """
    bits = as_bits(parameter.detach())
    if bits.dtype == torch.int32 and bits.is_contiguous() and bits.numel() % 2 == 0:
        bits = bits.view(-1).view(torch.int64)
    return bits.sum(dtype=torch.int64)


def _row_sums(values: Tensor) -> Tensor:
    """A number for each row, of thirty values or so; equal rows have equal ones."""
    flat = as_bits(values).reshape(len(values), -1)
    return flat[:, :: max(1, flat.shape[1] // 32)].sum(1, dtype=torch.int64)
