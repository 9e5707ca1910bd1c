"""Whether a loop feeds the targets that belong to its inputs: batches are looked up in `train`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from chymist.doctor.arguments import is_dense
from chymist.doctor.preflight import Rows
from chymist.doctor.probing import ROWS
from chymist.doctor.sampling import as_bits
from chymist.keys import torch_generator

COLUMNS = 32  # values of a row that its key is made of; rows found by it are compared whole
KEYED = 500_000  # values that keys of training rows are made of
MATCHED = 256  # rows that are looked up in all: a share is known to 3 %
TRIES = 12  # looks without a row found, after which inputs are another form of those of `train`


class Pairs(NamedTuple):
    """Rows of a batch that were found among those of `train`.

    Args:
        step: when.
        found: rows whose inputs stand in `train` once, and are equal to the last bit.
        other: of them, rows that were fed with another target than they have there.
        exchanged: whether the targets of the whole batch are the right ones in another order.
        scattered: whether rows of one class were fed with targets of several.
    """

    step: int
    found: int
    other: int
    exchanged: bool
    scattered: bool


class Pairing:
    """Looks rows of batches up in the training rows.

    Args:
        train: inputs and targets.

    Example:
        >>> x, y = torch.arange(100.0).reshape(50, 2), torch.arange(50) % 4
        >>> Pairing((x, y)).look(1, x[:9], y[:9].roll(1))
        Pairs(step=1, found=9, other=8, exchanged=True, scattered=True)
    """

    def __init__(self, train: Rows) -> None:
        self.train, self.left, self.tries = train, MATCHED, TRIES
        self.known: _Known | None = None

    def look(self, step: int, inputs: object, targets: object) -> Pairs | None:
        """Look a batch up.

        Args:
            step: of the run.
            inputs, targets: of the batch; of any kind.

        Returns:
            None if no row of it is found, or enough were.
        """
        if self.left <= 0 or self.tries <= 0:
            return None
        self.tries -= 1
        batch = _in_the_form_of(self.train, inputs, targets)
        if batch is None:
            return None
        if self.known is None:
            self.known = _Known(self.train[0])
        here, there = self.known.find(batch[0])
        if not len(here):
            return None
        self.left, self.tries = self.left - len(here), TRIES
        own = self.train[1][there].reshape(len(there), -1)
        real = own.is_floating_point() or own.is_complex()
        fed, own = (as_bits(part).flatten(1) for part in (batch[1][here], own))
        other = int((fed != own).any(1).sum())
        exchanged = len(here) == len(batch[0]) and _same_in_another_order(fed, own)
        return Pairs(
            step, len(here), other, other > 0 and exchanged, not real and _scattered(fed, own)
        )


def _in_the_form_of(train: Rows, inputs: object, targets: object) -> Rows | None:
    """A batch with inputs and targets as rows of the kind of `train`; None if it has no such."""
    if not (isinstance(inputs, Tensor) and isinstance(targets, Tensor)):
        return None
    if not (is_dense(inputs) and is_dense(targets) and inputs.ndim and targets.ndim):
        return None
    n, (x, y) = len(inputs), train
    fits = n == len(targets) and inputs.numel() == n * x[0].numel()
    same = all(
        (p.is_floating_point(), p.is_complex()) == (q.is_floating_point(), q.is_complex())
        for p, q in ((inputs, x), (targets, y))
    )
    if not (n and fits and same and targets.numel() == n * y[0].numel()):
        return None
    rows = inputs.detach().to(x.device, x.dtype).reshape(n, -1)
    return rows, targets.detach().to(y.device, y.dtype).reshape(n, -1)


class _Known:
    """Training rows by a key: a sum of the bits of some of their values, each times its weight."""

    def __init__(self, inputs: Tensor) -> None:
        self.flat = inputs.reshape(len(inputs), -1)
        width = self.flat.shape[1]
        self.columns = torch.arange(0, width, -(-width // COLUMNS))
        made = torch_generator(0, "doctor", "row keys")
        self.weights = torch.randint(-(2**62), 2**62, (len(self.columns),), generator=made)
        most = max(ROWS, KEYED // len(self.columns))
        kept = torch.arange(0, len(inputs), -(-len(inputs) // most))
        self.keys, order = self._keys(self.flat[kept[:, None], self.columns]).sort()
        self.rows = kept[order]
        new = torch.ones(len(order) + 1, dtype=torch.bool)
        new[1:-1] = self.keys[1:] != self.keys[:-1]
        self.single = new[1:] & new[:-1]  # a row that stands there twice may have two targets

    def _keys(self, values: Tensor) -> Tensor:
        return (as_bits(values).cpu().long().reshape(len(values), len(self.columns), -1).sum(2)
                * self.weights).sum(1)  # fmt: skip

    def find(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of rows of a batch, and of the training rows that they are."""
        own = self._keys(batch[:, self.columns])
        place = torch.searchsorted(self.keys, own).clamp(max=len(self.keys) - 1)
        here = ((self.keys[place] == own) & self.single[place]).nonzero().flatten()
        there = self.rows[place[here]]
        equal = (self.flat[there] == batch[here]).all(1).cpu()
        return here[equal], there[equal]


def _same_in_another_order(fed: Tensor, own: Tensor) -> bool:
    """Whether two sets of rows are the same but for their order."""
    alone, counts = fed.unique(dim=0, return_counts=True)
    others, numbers = own.unique(dim=0, return_counts=True)
    return torch.equal(alone, others) and torch.equal(counts, numbers)


def _scattered(fed: Tensor, own: Tensor) -> bool:
    """Whether what is fed is no function of what is right: no renaming of classes explains it."""
    return len(torch.cat([own, fed], 1).unique(dim=0)) > len(own.unique(dim=0))
