"""Layers on graphs: each maps what the nodes before it have to what those after it get."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.models.fields import Step
from chymist.models.sparse import BitDropout, Sparse, product

Values = Tensor | Sparse  # features of nodes, (nodes, features)


def mapped(values: Values, linear: nn.Linear, drop: BitDropout) -> Tensor:
    """X W^T of features, dense or sparse, with dropout of X; without the bias."""
    if isinstance(values, Sparse):
        factors = drop.factors(values.values) if drop.active else None
        return product(values, linear.weight.t(), factors)
    return functional.linear(drop(values), linear.weight)


class GraphConvolution(nn.Module):
    """One step among neighbours and an affine map: A X W + b."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, values: Values, step: Step, drop: BitDropout) -> Tensor:
        """(before, features) to (after, outputs)."""
        return product(step.edges, mapped(values, self.linear, drop)) + self.bias


class SampleAndAggregate(nn.Module):
    """Own features and the mean of those of the neighbours, each mapped: X W + M X V + b."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.own = nn.Linear(features, outputs, bias=False)
        self.neighbors = nn.Linear(features, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, values: Values, step: Step, drop: BitDropout) -> Tensor:
        """(before, features) to (after, outputs)."""
        both = mapped(values, _Joined(self.own, self.neighbors), drop)  # type: ignore[arg-type]
        own, others = both.chunk(2, 1)
        return own.index_select(0, step.own) + product(step.edges, others) + self.bias


class _Joined:
    """Two affine maps of the same features as one, so that they see the same mask."""

    def __init__(self, first: nn.Linear, second: nn.Linear) -> None:
        self.weight = torch.cat([first.weight, second.weight])


class Isomorphism(nn.Module):
    """A perceptron of own features and the sum of the neighbours': f((1 + e) x_i + sum x_j).

    The perceptron is affine, batch normalisation, ReLU, affine, batch normalisation.
    """

    def __init__(self, features: int, outputs: int, learn_eps: bool) -> None:
        super().__init__()
        self.first = nn.Linear(features, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.norm = nn.BatchNorm1d(outputs)
        self.second = nn.Linear(outputs, outputs)
        self.norm_after = nn.BatchNorm1d(outputs)
        self.eps = nn.Parameter(torch.zeros(1), requires_grad=learn_eps)

    def forward(self, values: Values, step: Step, drop: BitDropout) -> Tensor:
        """(before, features) to (after, outputs)."""
        made = mapped(values, self.first, drop)  # sums of maps are maps of sums
        own = made.index_select(0, step.own) * (1 + self.eps)
        hidden = self.norm(own + product(step.edges, made) + self.bias)
        found: Tensor = self.norm_after(self.second(functional.relu(hidden)))
        return found


class GraphAttention(nn.Module):
    """Neighbours weighed by attention: a_ij = softmax_j LeakyReLU(s . W x_j + t . W x_i).

    Args:
        features, outputs: of a node; each head gives `outputs`.
        heads: number of attentions.
        joined: whether heads stand side by side (hidden layers) or are averaged (the last one).
        dropout: probability of dropping a weight of attention.
    """

    def __init__(
        self, features: int, outputs: int, heads: int, joined: bool, dropout: float
    ) -> None:
        super().__init__()
        self.heads, self.joined = heads, joined
        self.linear = nn.Linear(features, heads * outputs, bias=False)
        self.source = nn.Linear(outputs, heads, bias=False)
        self.target = nn.Linear(outputs, heads, bias=False)
        self.drop = BitDropout(dropout)
        self.bias = nn.Parameter(torch.zeros(heads * outputs if joined else outputs))

    def forward(self, values: Values, step: Step, drop: BitDropout) -> Tensor:
        """(before, features) to (after, heads x outputs), or to (after, outputs)."""
        made = mapped(values, self.linear, drop).unflatten(1, (self.heads, -1))
        to = (made.index_select(0, step.own) * self.target.weight).sum(2)
        come = (made * self.source.weight).sum(2)
        found = attended(made, come, to, step.edges, self.drop)
        heads: Tensor = found.flatten(1) if self.joined else found.mean(1)
        return heads + self.bias


def attended(
    made: Tensor, come: Tensor, to: Tensor, edges: Sparse, drop: Callable[[Tensor], Tensor]
) -> Tensor:
    """Sums over neighbours, weighed by softmax of LeakyReLU(come_j + to_i) over them.

    Args:
        made: W x of the nodes before, (before, heads, outputs).
        come: scores of the nodes before, (before, heads).
        to: scores of the nodes after, (after, heads).
        edges: (after, before).
        drop: of the weights (edges, heads).

    Returns:
        (after, heads, outputs).

    Example:
        >>> from chymist.models.sparse import dense_rows
        >>> made, scores = torch.tensor([[[1.0]], [[3.0]]]), torch.zeros(2, 1)
        >>> attended(made, scores, scores, dense_rows(torch.ones(2, 2)), nn.Identity()).flatten()
        tensor([2., 2.])
    """
    rows, heads = edges.rows(), come.shape[1]
    scores = come.index_select(0, edges.columns) + to.index_select(0, rows)
    scores = functional.leaky_relu(scores, 0.2)
    most = scores.detach().new_full((len(to), heads), -torch.inf)
    most = most.scatter_reduce(0, rows[:, None].expand_as(scores), scores.detach(), "amax")
    weights = (scores - most.index_select(0, rows)).exp()
    total = weights.new_zeros(len(to), heads).index_add(0, rows, weights)
    weights = drop(weights / total.index_select(0, rows))
    messages = made.index_select(0, edges.columns) * weights.unsqueeze(2)
    found: Tensor = messages.new_zeros(len(to), *messages.shape[1:]).index_add(0, rows, messages)
    return found


def pooled(values: Tensor, owners: Tensor, count: int, how: str) -> Tensor:
    """Nodes to graphs.

    Args:
        values: (nodes, features).
        owners: the graph of each node, (nodes,).
        count: number of graphs; each has a node.
        how: "sum", "mean" or "max".

    Returns:
        (graphs, features).

    Example:
        >>> pooled(torch.tensor([[1.0], [2.0], [5.0]]), torch.tensor([0, 0, 1]), 2, "mean")
        tensor([[1.5000],
                [5.0000]])
    """
    if how == "max":
        empty = values.new_full((count, values.shape[1]), -torch.inf)
        most: Tensor = empty.scatter_reduce(0, owners[:, None].expand_as(values), values, "amax")
        return most
    total = values.new_zeros(count, values.shape[1]).index_add(0, owners, values)
    if how == "sum":
        return total
    sizes = values.new_zeros(count).index_add(0, owners, values.new_ones(len(values)))
    found: Tensor = total / sizes.unsqueeze(1)
    return found
