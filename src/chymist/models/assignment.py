"""Graph pooling by assignment: nodes become fewer, each a mixture of those that it stands for."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from chymist.models.fields import Step
from chymist.models.sparse import Sparse, product


class AssignmentPool(nn.Module):
    """Nodes of each graph to a few clusters, and these, after one layer among them, to one row.

    S = softmax((A + I) H U) says how much of a node goes to each cluster; X = S^T H and B = S^T A S
    are the features of the clusters and the edges among them; the row is the mean over the clusters
    of relu(X V + D^-1 B X W + b), with D the row sums of B. A is the adjacency of the layer before.
    The two terms that the paper adds to the loss are left out.

    Args:
        features: of a node, and of the row.
        clusters: into which the nodes of a graph go.

    Source: Ying et al. 2018, arXiv:1806.08804.
    """

    def __init__(self, features: int, clusters: int) -> None:
        super().__init__()
        self.scores = nn.Linear(features, clusters, bias=False)
        self.own = nn.Linear(features, features)
        self.neighbors = nn.Linear(features, features, bias=False)

    def forward(self, values: Tensor, step: Step, owners: Tensor, count: int) -> Tensor:
        """(nodes, features) to (graphs, features)."""
        wide, edges = coarsened(values, self.shares(values, step.edges), step.edges, owners, count)
        among = edges @ wide / edges.abs().sum(2, keepdim=True).clamp(min=1e-6)
        found: Tensor = functional.relu(self.own(wide) + self.neighbors(among)).mean(1)
        return found

    def shares(self, values: Tensor, edges: Sparse) -> Tensor:
        """S, (nodes, clusters); rows add up to 1."""
        scores = self.scores(values)
        shares: Tensor = (product(edges, scores) + scores).softmax(1)
        return shares


def coarsened(
    values: Tensor, shares: Tensor, edges: Sparse, owners: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Graphs of clusters instead of nodes: X = S^T H and B = S^T A S of each graph.

    Args:
        values: H, (nodes, features).
        shares: S, how much of each node goes to each cluster, (nodes, clusters).
        edges: A, (nodes, nodes), without edges between graphs.
        owners: the graph of each node, (nodes,).
        count: number of graphs.

    Returns:
        X (graphs, clusters, features) and B (graphs, clusters, clusters).

    Example:
        >>> import torch
        >>> from chymist.models.sparse import dense_rows
        >>> shares = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # two nodes, and one
        >>> path = dense_rows(torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]))
        >>> wide, among = coarsened(torch.ones(3, 1), shares, path, torch.zeros(3).long(), 1)
        >>> wide.flatten().tolist(), among.tolist()
        ([2.0, 1.0], [[[2.0, 1.0], [1.0, 0.0]]])

    Source: Ying et al. 2018, arXiv:1806.08804, eqs. 3 and 4.
    """

    def summed(right: Tensor) -> Tensor:
        each = shares.unsqueeze(2) * right.unsqueeze(1)
        return each.new_zeros(count, *each.shape[1:]).index_add(0, owners, each)

    return summed(values), summed(product(edges, shares))
