"""One graph convolution, seen in three ways that give the same: matrix, messages, spectrum.

As a matrix, the values of the nodes are multiplied by A = D^-1/2 (A' + I) D^-1/2. As messages, each
node sends its value along its edges, scaled by 1 / sqrt(d_i d_j), and adds up what arrives. As a
filter, the values are written in the eigenvectors of the normalised Laplacian L = I - A, and each
part is multiplied by 1 - lambda: slow variation over the graph stays, fast variation is damped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from chymist.data.graphs import GraphInputs
from chymist.models.fields import renormalized
from chymist.models.sparse import product


def by_matrix(graph: GraphInputs, values: Tensor) -> Tensor:
    """A X by a sparse product.

    Args:
        graph: the graph.
        values: X, (nodes, features).

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> by_matrix(graph_inputs(graph_of(2, [[0, 1]])), torch.tensor([[1.0], [3.0]])).round()
        tensor([[2.],
                [2.]])

    Source: Kipf, Welling 2017, arXiv:1609.02907, eq. 8.
    """
    return product(renormalized(graph), values)


def by_messages(graph: GraphInputs, values: Tensor) -> Tensor:
    """A X by messages: x_i' = x_i / d_i + sum_j w_ij x_j / sqrt(d_i d_j).

    Args:
        graph: the graph.
        values: X, (nodes, features).

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> by_messages(graph_inputs(graph_of(2, [[0, 1]])), torch.tensor([[1.0], [3.0]]))
        tensor([[2.],
                [2.]])

    Source: Gilmer et al. 2017, arXiv:1704.01212.
    """
    sources, targets = graph.edges
    degree = torch.ones(graph.nodes).index_add(0, targets, graph.weights)
    scale = graph.weights * (degree[sources] * degree[targets]).rsqrt()
    return (values / degree[:, None]).index_add(0, targets, values[sources] * scale[:, None])


def by_spectrum(graph: GraphInputs, values: Tensor) -> Tensor:
    """U (1 - lambda) U^T X, with L = U lambda U^T; for graphs whose edges go both ways.

    Args:
        graph: the graph; the eigenvectors take nodes^3 multiply-adds.
        values: X, (nodes, features).

    Example:
        >>> from chymist.data.graphs import graph_inputs, graph_of
        >>> by_spectrum(graph_inputs(graph_of(2, [[0, 1]])), torch.tensor([[1.0], [3.0]])).round()
        tensor([[2.],
                [2.]])

    Source: Bruna et al. 2014; Defferrard, Bresson, Vandergheynst 2016.
    """
    eye = torch.eye(graph.nodes, dtype=torch.float64)
    laplacian = eye - by_matrix(graph, torch.eye(graph.nodes)).double()
    frequencies, waves = torch.linalg.eigh(laplacian)
    made: Tensor = waves * (1 - frequencies) @ (waves.T @ values.double())
    return made.to(values.dtype)
