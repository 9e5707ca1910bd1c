"""What the gates of a recurrent network do while it reads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from chymist.errors import UsageError
from chymist.models.peephole import Peephole
from chymist.models.recurrent import Recurrent


def gates(model: nn.Module, inputs: Tensor, layer: int = 0) -> dict[str, Tensor]:
    """Activations of the gates of a layer at every step, in evaluation mode, from a state of zero.

    LSTM: input, forget, candidate and output, and the memory c. GRU: reset, update and candidate.
    Of a layer that reads both ways it is the forward one. Steps behind the end of a text, up to the
    longest of the batch, mean nothing.

    Args:
        model: of `rnn`, `gru` or `lstm`.
        inputs: as the model takes them, (batch, steps) or (batch, steps, features).
        layer: which one, from 0.

    Returns:
        (batch, steps, units) of each gate, and "state" for what the layer gives.

    Raises:
        UsageError: no recurrent network, or no such layer.

    Example:
        >>> from chymist.models import lstm
        >>> from chymist.values import Shapes
        >>> found = gates(lstm(hidden=(4,)).build(Shapes((5, 2), 3)), torch.zeros(1, 5, 2))
        >>> sorted(found), found["forget"].shape
        (['candidate', 'forget', 'input', 'memory', 'output', 'state'], torch.Size([1, 5, 4]))

    Source: Karpathy, Johnson, Li 2016, Visualizing and understanding recurrent networks.
    """
    if not isinstance(model, Recurrent) or not 0 <= layer < len(model.layers):
        raise UsageError("no such recurrent layer", where="layer",
                         received=f"{type(model).__name__}, {layer}",
                         do="give a model of rnn, gru or lstm, and a layer from 0")  # fmt: skip
    model.eval()
    with torch.no_grad():
        values, lengths = model.read(inputs)
        for place in range(layer):
            values = _read_by(model.layers[place], values, lengths)
            if hasattr(model, "norms"):
                values = model.norms[place](values, lengths)
        return _of_layer(model.layers[layer], values)


def _read_by(layer: Any, values: Tensor, lengths: Tensor | None) -> Tensor:
    """What a layer gives; its second direction begins with the last token of each text."""
    if lengths is None or not getattr(layer, "bidirectional", False):
        given: Tensor = layer(values)[0]
        return given
    packed = pack_padded_sequence(values, lengths, True, enforce_sorted=False)
    made: Tensor = pad_packed_sequence(layer(packed)[0], True)[0]
    return made


def _of_layer(layer: Any, values: Tensor) -> dict[str, Tensor]:
    """Gates of one layer, step by step."""
    if isinstance(layer, nn.RNN):
        return {"state": layer(values)[0][..., : layer.hidden_size]}
    h = c = values.new_zeros(len(values), layer.hidden_size)
    found = []
    for value in values.unbind(1):
        if isinstance(layer, nn.GRU):
            h, parts = _gru(layer, value, h)
        else:
            h, c, parts = _lstm(layer, value, h, c)
        found.append([*parts, h])
    names = ["input", "forget", "candidate", "output", "memory"]
    names = ["reset", "update", "candidate"] if isinstance(layer, nn.GRU) else names
    steps = zip(*found, strict=True)
    return {name: torch.stack(part, 1) for name, part in zip([*names, "state"], steps, strict=True)}


def _gru(layer: Any, value: Tensor, h: Tensor) -> tuple[Tensor, list[Tensor]]:
    driven = F.linear(value, layer.weight_ih_l0, layer.bias_ih_l0).chunk(3, 1)
    before = F.linear(h, layer.weight_hh_l0, layer.bias_hh_l0).chunk(3, 1)
    r, z = (torch.sigmoid(driven[n] + before[n]) for n in range(2))
    n = torch.tanh(driven[2] + r * before[2])
    return (1 - z) * n + z * h, [r, z, n]


def _lstm(layer: Any, value: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    if isinstance(layer, Peephole):
        h, c, parts = layer.step(F.linear(value, layer.weight_ih_l0, layer.bias_l0), h, c)
        return h, c, [*parts, c]
    driven = F.linear(value, layer.weight_ih_l0, layer.bias_ih_l0)
    i, f, g, o = (driven + F.linear(h, layer.weight_hh_l0, layer.bias_hh_l0)).chunk(4, 1)
    i, f, o, g = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o), torch.tanh(g)
    c = f * c + i * g
    return o * torch.tanh(c), c, [i, f, g, o, c]
