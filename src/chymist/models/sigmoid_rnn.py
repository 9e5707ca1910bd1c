"""Simple recurrent layers by their activation; torch has no sigmoid."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

Activation = Literal["tanh", "relu", "sigmoid"]


class SigmoidRNN(nn.RNN):
    """A layer h_t = sigmoid(W x_t + U h_(t-1) + b + c), h_0 = 0; called as `torch.nn.RNN` is.

    sigmoid(a) = (1 + tanh(a / 2)) / 2, so that torch's recurrence of tanh goes through g = 2 h - 1:
    g_t = tanh(W / 2 x_t + U / 4 g_(t-1) + b / 2 + c / 2 + U 1 / 4), g_0 = -1.

    Example:
        >>> import torch
        >>> layer = SigmoidRNN(2, 3, batch_first=True)
        >>> made, end = layer(torch.zeros(1, 4, 2))
        >>> bool((made > 0).all()), torch.equal(made[:, -1], end[0])
        (True, True)
    """

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        """(batch, steps, features), or these packed, to (batch, steps, units) and the end."""
        packed = isinstance(input, PackedSequence)
        rows = int(input.batch_sizes[0]) if packed else len(input)
        data = input.data if packed else input
        count = 2 if self.bidirectional else 1
        start = data.new_full((count, rows, self.hidden_size), -1.0) if hx is None else 2 * hx - 1
        kept = self._flat_weights
        self._flat_weights = [*self._of_tanh(kept)]
        try:
            made, end = super().forward(input, start)
        finally:
            self._flat_weights = kept
        if packed:
            return made._replace(data=(made.data + 1) / 2), (end + 1) / 2
        return (made + 1) / 2, (end + 1) / 2

    def _of_tanh(self, weights: Any) -> list[Tensor]:
        """Weights of each direction as the recurrence of tanh takes them."""
        made: list[Tensor] = []
        for place in range(0, len(weights), 4):
            entering, recurrent, first, second = weights[place : place + 4]
            made += [entering / 2, recurrent / 4, first / 2, second / 2 + recurrent.sum(1) / 4]
        return made


def simple_layer(activation: Activation, inputs: int, units: int, both: dict[str, bool]) -> nn.RNN:
    """A simple recurrent layer.

    Args:
        activation: of its states.
        inputs: features of a step.
        units: units of the layer.
        both: `{"bidirectional": True}` for two directions, or nothing.

    Example:
        >>> import torch
        >>> simple_layer("relu", 2, 3, {})(torch.zeros(1, 4, 2))[0].shape
        torch.Size([1, 4, 3])
    """
    if activation == "sigmoid":
        return SigmoidRNN(inputs, units, batch_first=True, **both)
    return nn.RNN(inputs, units, batch_first=True, nonlinearity=activation, **both)
