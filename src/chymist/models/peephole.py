"""Long short-term memory whose gates see the memory."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence


class Peephole(nn.Module):
    """A layer of LSTM with peepholes; it is called as `torch.nn.LSTM` is.

    i, f = sigmoid(W x_t + U h_(t-1) + p c_(t-1) + b); g = tanh(W x_t + U h_(t-1) + b);
    c_t = f c_(t-1) + i g; o = sigmoid(W x_t + U h_(t-1) + p c_t + b); h_t = o tanh(c_t).

    Args:
        inputs: features of a step.
        units: units of the layer.
        batch_first: as in torch; only this order is known.

    Source: Gers, Schraudolph, Schmidhuber 2002, Learning precise timing with LSTM.
    """

    def __init__(self, inputs: int, units: int, batch_first: bool = True) -> None:
        super().__init__()
        self.hidden_size = units
        self.weight_ih_l0 = nn.Parameter(torch.empty(4 * units, inputs))
        self.weight_hh_l0 = nn.Parameter(torch.empty(4 * units, units))
        self.bias_l0 = nn.Parameter(torch.empty(4 * units))
        self.peephole_l0 = nn.Parameter(torch.empty(3, units))  # of i, f and o
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(units), 1 / math.sqrt(units))

    def forward(self, values: Any, state: Any = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        """(batch, steps, features), or these packed, to (batch, steps, units) and the last state.

        A state is (h, c), each (1, batch, units); None is zero.
        """
        packed = isinstance(values, PackedSequence)
        driven = F.linear(values.data if packed else values, self.weight_ih_l0, self.bias_l0)
        steps = driven.split(values.batch_sizes.tolist()) if packed else driven.unbind(1)
        zero = driven.new_zeros(len(steps[0]), self.hidden_size)
        h, c = (zero, zero) if state is None else (part[0] for part in state)
        made, ended = [], []
        for step in steps:
            if len(step) < len(h):  # texts that have ended keep their last state
                ended.append((h[len(step) :], c[len(step) :]))
                h, c = h[: len(step)], c[: len(step)]
            h, c, _ = self.step(step, h, c)
            made.append(h)
        last = [torch.cat([pair[n] for pair in [(h, c), *ended[::-1]]]) for n in range(2)]
        if not packed:
            return torch.stack(made, 1), (last[0][None], last[1][None])
        order = values.unsorted_indices
        last = last if order is None else [part[order] for part in last]
        outputs = PackedSequence(
            torch.cat(made), values.batch_sizes, values.sorted_indices, values.unsorted_indices
        )
        return outputs, (last[0][None], last[1][None])

    def step(self, driven: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """One step: W x_t + b, h and c of the step before, to h, c and the gates i, f, g, o."""
        i, f, g, o = (driven + F.linear(h, self.weight_hh_l0)).chunk(4, 1)
        p = self.peephole_l0
        i, f, g = torch.sigmoid(i + p[0] * c), torch.sigmoid(f + p[1] * c), torch.tanh(g)
        c = f * c + i * g
        o = torch.sigmoid(o + p[2] * c)
        return o * torch.tanh(c), c, [i, f, g, o]
