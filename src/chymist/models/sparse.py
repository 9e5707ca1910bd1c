"""Products of sparse matrices with dense ones, with gradients: CSR on torch, nothing compiled."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from chymist.noise import Keyed

LEVELS = 2**16  # that a probability of dropping is rounded to

with warnings.catch_warnings():  # that torch's sparse rows are in beta, said once a process
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), (1, 1))


@dataclass(frozen=True, eq=False)
class Sparse:
    """A sparse matrix by rows, and where its entries lie in its transpose.

    Args:
        shape: (rows, columns).
        starts: where the entries of each row begin, and the end, int64 (rows + 1,).
        columns: of each entry, int64 (entries,).
        values: of each entry.
        back: starts, columns and places of the entries of the transpose.
    """

    shape: tuple[int, int]
    starts: Tensor
    columns: Tensor
    values: Tensor
    back: tuple[Tensor, Tensor, Tensor]

    def rows(self) -> Tensor:
        """The row of each entry."""
        return torch.repeat_interleave(torch.arange(self.shape[0], device=self.starts.device),
                                       self.starts.diff())  # fmt: skip

    def to(self, device: torch.device, dtype: torch.dtype) -> Sparse:
        """The same on a device, with values of a type."""
        first, second, third = (part.to(device) for part in self.back)
        return Sparse(self.shape, self.starts.to(device), self.columns.to(device),
                      self.values.to(device, dtype), (first, second, third))  # fmt: skip


def sparse(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Sparse:
    """A sparse matrix of entries in any order.

    Args:
        rows, columns: of the entries, int64.
        values: of the entries.
        shape: (rows, columns).

    Example:
        >>> made = sparse(torch.tensor([1, 0]), torch.tensor([0, 1]), torch.tensor([2.0, 3.0]), (2, 2))
        >>> product(made, torch.eye(2))
        tensor([[0., 3.],
                [2., 0.]])
    """  # noqa: E501
    order = torch.argsort(rows * shape[1] + columns)
    rows, columns, values = rows[order], columns[order], values[order]
    places = torch.argsort(columns * shape[0] + rows)
    back = (_starts(columns, shape[1]), rows[places], places)
    return Sparse(shape, _starts(rows, shape[0]), columns, values, back)


def _starts(numbers: Tensor, count: int) -> Tensor:
    """Where the entries of each row begin among those in order, and the end."""
    ends = torch.bincount(numbers, minlength=count).cumsum(0)
    return torch.cat([ends.new_zeros(1), ends])


def dense_rows(features: Tensor) -> Sparse:
    """A dense matrix as a sparse one.

    Example:
        >>> dense_rows(torch.tensor([[0.0, 2.0]])).values
        tensor([2.])
    """
    rows, columns = features.nonzero(as_tuple=True)
    return sparse(rows, columns, features[rows, columns], tuple(features.shape))  # type: ignore[arg-type]


def taken(matrix: Sparse, rows: Tensor, columns: Tensor | None = None) -> Sparse:
    """Some rows of a sparse matrix, and of its columns those that have entries there.

    Args:
        matrix: (rows, columns).
        rows: their numbers, ascending.
        columns: numbers of the columns that are kept, ascending, all that have entries in these
            rows among them; None keeps all.

    Example:
        >>> product(taken(dense_rows(torch.eye(3)), torch.tensor([2])), torch.eye(3))
        tensor([[0., 0., 1.]])
    """
    counts = matrix.starts[rows + 1] - matrix.starts[rows]
    ends = counts.cumsum(0)
    places = torch.arange(int(counts.sum())) + torch.repeat_interleave(
        matrix.starts[rows] - ends + counts, counts
    )
    own = torch.repeat_interleave(torch.arange(len(rows)), counts)
    found = matrix.columns[places]
    width = matrix.shape[1] if columns is None else len(columns)
    found = found if columns is None else torch.searchsorted(columns, found)
    return sparse(own, found, matrix.values[places], (len(rows), width))


def blocks(parts: list[Sparse]) -> Sparse:
    """Sparse matrices along a diagonal: a product with it is that of each with its own rows.

    Example:
        >>> one = dense_rows(torch.ones(1, 1))
        >>> product(blocks([one, one]), torch.eye(2))
        tensor([[1., 0.],
                [0., 1.]])
    """
    if len(parts) == 1:
        return parts[0]
    heights, widths = ([part.shape[axis] for part in parts] for axis in (0, 1))
    tops = torch.tensor([0, *heights]).cumsum(0).tolist()
    lefts = torch.tensor([0, *widths]).cumsum(0).tolist()
    rows = torch.cat([part.rows().cpu() + top for part, top in zip(parts, tops, strict=False)])
    columns = torch.cat([p.columns.cpu() + left for p, left in zip(parts, lefts, strict=False)])
    values = torch.cat([part.values.cpu() for part in parts])
    made = sparse(rows, columns, values, (tops[-1], lefts[-1]))
    return made.to(parts[0].values.device, values.dtype)


def product(matrix: Sparse, dense: Tensor, factors: Tensor | None = None) -> Tensor:
    """S D, of a sparse and a dense matrix; its gradient of D is S^T G, of an entry G_i . D_j.

    Args:
        matrix: S, (n, m).
        dense: D, (m, k).
        factors: of the entries of S, (entries,), or None.

    Returns:
        (n, k).

    Example:
        >>> product(dense_rows(torch.eye(2)), torch.ones(2, 1), torch.tensor([3.0, 4.0]))
        tensor([[3.],
                [4.]])
    """
    made: Tensor = _Product.apply(  # type: ignore[no-untyped-call]
        matrix, matrix.values if factors is None else matrix.values * factors, dense
    )
    return made


class _Product(torch.autograd.Function):
    """S D with gradients of D, and of the entries where somebody asks for them."""

    @staticmethod
    def forward(ctx: Any, matrix: Sparse, values: Tensor, dense: Tensor) -> Tensor:
        ctx.matrix = matrix
        ctx.save_for_backward(values, dense if ctx.needs_input_grad[1] else None)
        whole = torch.sparse_csr_tensor(matrix.starts, matrix.columns, values, matrix.shape,
                                        check_invariants=False)  # fmt: skip
        return whole @ dense

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        values, dense = ctx.saved_tensors
        starts, columns, places = ctx.matrix.back
        height, width = ctx.matrix.shape
        turned = torch.sparse_csr_tensor(starts, columns, values.index_select(0, places),
                                         (width, height), check_invariants=False)  # fmt: skip
        of_entries = None
        if ctx.needs_input_grad[1]:
            there = gradient.index_select(0, ctx.matrix.rows())
            of_entries = (there * dense.index_select(0, ctx.matrix.columns)).sum(1)
        return None, of_entries, turned @ gradient


class BitDropout(Keyed):
    """Dropout with a mask of 16 random bits a value: a function of (seed, step, layer).

    What `Dropout` is, a few times faster; the probability is rounded to a 65,536th.

    Args:
        p: probability of dropping a value, in [0, 1).

    Example:
        >>> layer = BitDropout(0.5)
        >>> layer.place(seed=0, step=3, layer="drop")
        >>> sorted(set(layer(torch.ones(64)).tolist()))
        [0.0, 2.0]
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    @property
    def active(self) -> bool:
        """Whether it drops anything now."""
        return self.training and self.p > 0

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape, some set to 0 while training."""
        return inputs * self.factors(inputs) if self.active else inputs

    def drawn(self, inputs: Tensor, room: Tensor, generator: torch.Generator) -> Tensor:
        """0 with probability p, else 1 / (1 - p)."""
        bits = torch.empty((room.numel() + 3) // 4, dtype=torch.int64, device=room.device)
        bits.random_(-(2**63), None, generator=generator)
        lanes = bits.view(torch.int16)[: room.numel()].view(room.shape)
        kept = lanes >= round(self.p * LEVELS) - LEVELS // 2
        return room.copy_(kept).div_(1 - self.p)

    def extra_repr(self) -> str:
        """The probability, for printing."""
        return f"p={self.p}"
