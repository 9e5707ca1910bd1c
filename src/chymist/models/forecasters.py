"""Forecasts of many series at once by one network for all of them: the change from the last value.

Each series (a road, a sensor) is read by the same weights, so that there are as many examples as
windows times series. What is learned is the change from the last value, so that a network that
learns nothing repeats it. With a graph among the series, the mean over the neighbours is read
beside the series itself: a graph convolution before the network.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.data.graphs import GraphInputs
from chymist.errors import UsageError
from chymist.keys import key
from chymist.models.fields import mean_of_neighbors
from chymist.models.packing import whole_steps
from chymist.models.recurrence import CELLS as BY_HAND
from chymist.models.recurrence import Recurrence
from chymist.models.recurrent import CELLS
from chymist.models.sparse import Sparse, product
from chymist.parts import Count, describer
from chymist.values import Shapes

Network = Literal["mlp", "cnn", "rnn", "gru", "lstm"]
WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
WIDTH = 3  # steps that a convolution over time sees


class Forecaster(nn.Module):
    """One network for all series: steps before to the changes of the steps ahead.

    Args:
        network: takes (rows, steps, channels), gives (rows, ahead).
        edges: means over the neighbours of each series, or None to read it alone.
    """

    def __init__(self, network: nn.Module, edges: Sparse | None) -> None:
        super().__init__()
        self.network, self.edges = network, edges

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, steps, series) to (batch, ahead x series), those of the first step first."""
        batch, steps, series = inputs.shape
        last = inputs[:, -1:]
        channels = [inputs - last, last.expand_as(inputs)]
        if self.edges is not None:
            edges = self.edges.to(inputs.device, inputs.dtype)
            around = product(edges, inputs.reshape(-1, series).t()).t().view_as(inputs)
            alone = (edges.starts.diff() == 0).to(inputs.dtype)  # without neighbours: no difference
            channels.append((around - last) * (1 - alone))
        rows = torch.stack(channels, 3).transpose(1, 2).reshape(batch * series, steps, -1)
        changes: Tensor = self.network(rows).view(batch, series, -1).transpose(1, 2)
        return (changes + last).flatten(1)

    def extra_repr(self) -> str:
        """Which edges it reads: networks on different graphs are of different kinds."""
        if self.edges is None:
            return "no edges"
        content = [self.edges.columns, self.edges.values, self.edges.starts]
        return "edges " + format(key(0, "edges", *(str(part.tolist()) for part in content)), "x")


class Flattened(nn.Sequential):
    """A perceptron of all steps."""

    def __init__(self, steps: int, channels: int, hidden: tuple[int, ...], ahead: int) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        width = steps * channels
        for units in hidden:
            layers += [nn.Linear(width, units), nn.ReLU()]
            width = units
        super().__init__(*layers, nn.Linear(width, ahead))


class OverTime(nn.Module):
    """Convolutions over the steps, then an affine map of all that they give."""

    def __init__(self, steps: int, channels: int, hidden: tuple[int, ...], ahead: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for units in hidden:
            self.layers.append(nn.Conv1d(channels, units, WIDTH, padding=WIDTH // 2))
            channels = units
        self.head = nn.Linear(steps * channels, ahead)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows, steps, channels) to (rows, ahead)."""
        values = rows.transpose(1, 2)
        for layer in self.layers:
            values = functional.relu(layer(values))
        made: Tensor = self.head(values.flatten(1))
        return made


class _ManyRows(nn.Module):
    """A recurrent layer of torch, learned by the recurrence whose gradients are written out.

    With thousands of rows a step, those of all series, it takes half the time of torch's.
    """

    ends = False  # whether the states before the last one are wanted by nobody

    def forward(self, inputs: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """As the layer of torch: (rows, steps, channels) to the states and the last ones."""
        layer: Any = self
        if not torch.is_grad_enabled() or inputs.device.type != "cpu" or state is not None:
            plain: tuple[Tensor, Any] = super().forward(inputs, state)
            return plain
        steps = whole_steps(1, *inputs.shape[:2])
        weights = [getattr(layer, f"{name}_l0").unsqueeze(0) for name in WEIGHTS]
        made: Tensor = Recurrence.apply(  # type: ignore[no-untyped-call]
            BY_HAND[layer.mode], steps, not self.ends, steps.pack(inputs.unsqueeze(0)), *weights
        )
        if self.ends:
            return made.transpose(0, 1), made
        values = steps.unpack(made).squeeze(0)
        return values, values[:, -1].unsqueeze(0)


class ManyRowsRNN(_ManyRows, nn.RNN):  # type: ignore[misc]
    """`nn.RNN` of one layer that is read from the start."""


class ManyRowsGRU(_ManyRows, nn.GRU):  # type: ignore[misc]
    """`nn.GRU` of one layer that is read from the start."""


LAYERS: dict[str, Any] = {**CELLS, "rnn": ManyRowsRNN, "gru": ManyRowsGRU}


class LastState(nn.Module):
    """Recurrent layers, then an affine map of the last state."""

    def __init__(self, cell: str, channels: int, hidden: tuple[int, ...], ahead: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for place, units in enumerate(hidden):
            self.layers.append(LAYERS[cell](channels, units, batch_first=True))
            self.layers[place].ends = place == len(hidden) - 1  # type: ignore[assignment]
            channels = units
        self.head = nn.Linear(channels, ahead)

    def forward(self, rows: Tensor) -> Tensor:
        """(rows, steps, channels) to (rows, ahead)."""
        values: Any = rows
        for layer in self.layers:
            values, _ = layer(values)
        made: Tensor = self.head(values[:, -1])
        return made


def _forecaster(
    shapes: Shapes, name: str, network: str, hidden: tuple[int, ...], graph: GraphInputs | None
) -> nn.Module:
    """A forecaster for windows of given shapes.

    Raises:
        UsageError: the inputs are no windows, or the targets not the next steps of all series.
    """
    if len(shapes.inputs) != 2 or shapes.vocabulary or shapes.outputs % shapes.inputs[-1]:
        raise UsageError(f"the model '{name}' forecasts the next steps of all its series",
                         received=f"inputs {shapes.inputs}, {shapes.outputs} outputs",
                         do="give windows (steps, series), targets steps x series")  # fmt: skip
    steps, series = shapes.inputs
    ahead, channels = shapes.outputs // series, 2 if graph is None else 3
    if network == "mlp":
        made: nn.Module = Flattened(steps, channels, hidden, ahead)
    elif network == "cnn":
        made = OverTime(steps, channels, hidden, ahead)
    else:
        made = LastState(network, channels, hidden, ahead)
    return Forecaster(made, None if graph is None else mean_of_neighbors(graph))


@describer("model")
def forecaster(
    shapes: Shapes, *, network: Network = "mlp", hidden: tuple[Count, ...] = (64, 64),
    neighbors: bool = False,
) -> nn.Module:  # fmt: skip
    """One network for all series, which learns the change from the last value, y = x_T + f(x).

    Args:
        network: "mlp" of all steps, "cnn" over time (width 3), or "rnn", "gru", "lstm".
        hidden: units of each layer.
        neighbors: whether the mean over the neighbours of a series is read beside it.

    Example:
        >>> forecaster(hidden=(4,)).build(Shapes((12, 5), 15))(torch.zeros(2, 12, 5)).shape
        torch.Size([2, 15])
    """
    if neighbors and shapes.graph is None:
        raise UsageError("neighbours need a graph", where="model.neighbors", received="no graph",
                         do="give graph= with the data, or leave it out")  # fmt: skip
    return _forecaster(shapes, "forecaster", network, hidden, shapes.graph if neighbors else None)


@describer("model")
def graph_gru(shapes: Shapes, *, hidden: tuple[Count, ...] = (32,)) -> nn.Module:
    """Graph convolution, then recurrence: at every step a GRU reads a series and its neighbours.

    x_t' = (x_t, M x_t), with M the mean over neighbours; h_t = GRU(x_t', h_(t-1)); the change from
    the last value is an affine map of the last state.

    Args:
        hidden: units of each recurrent layer.

    Source: Zhao et al. 2020, T-GCN, arXiv:1811.05320, with the convolution before the recurrence.
    """
    if shapes.graph is None:
        raise UsageError("the model 'graph_gru' needs a graph among its series",
                         received="no graph", do="give graph= with the data")  # fmt: skip
    return _forecaster(shapes, "graph_gru", "gru", hidden, shapes.graph)
