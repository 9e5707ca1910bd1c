"""Recurrent networks: what a step gives depends on the steps before it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from chymist.errors import UsageError
from chymist.models.layers import Dropout
from chymist.models.peephole import Peephole
from chymist.models.sigmoid_rnn import Activation, simple_layer
from chymist.models.step_norm import NormalizedSteps, StepNorm, ends_of
from chymist.parts import Count, Fraction, NonNegative, describer
from chymist.values import Shapes

Cell = Literal["rnn", "gru", "lstm", "peephole"]
Pool = Literal["last", "mean", "max"]
CELLS: dict[str, Any] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM, "peephole": Peephole}


class Options(NamedTuple):
    """What a recurrent network is made of; `Recurrent` and the models say what each means."""

    cell: Cell
    hidden: tuple[int, ...]
    embedding: int
    dropout: float
    bidirectional: bool
    carry: bool
    tied: bool
    pool: Pool
    norm: StepNorm
    activation: Activation = "tanh"
    forget_bias: float = 0.0


class Tied(nn.Module):
    """An affine map whose weights are those of an embedding: y = E x + b.

    Args:
        embedding: of as many tokens as there are outputs.

    Source: Press, Wolf 2017, arXiv:1608.05859; Inan et al. 2017, arXiv:1611.01462.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self.of = [embedding]  # in a list, so that the weights belong to one module only

    def forward(self, values: Tensor) -> Tensor:
        """(..., numbers of a token) to (..., tokens)."""
        return F.linear(values, self.of[0].weight, self.bias)


class Recurrent(nn.Module):
    """Embedding of tokens, recurrent layers, and one affine map of what they give.

    Texts are filled up with 0 at the end. What fills them changes no result: the recurrence ends
    with the last token. Where a step has several tokens, such as a word and its part of speech,
    their embeddings stand side by side. Where every step has a target, each step is mapped;
    elsewhere the last state is, of both directions where there are two.

    Args:
        shapes: (steps,) or (steps, tokens) of a vocabulary, or (steps, features).
        options: cell, units of each layer and the rest.
    """

    def __init__(self, shapes: Shapes, options: Options) -> None:
        super().__init__()
        self.pool = options.pool
        self.tokens, self.each = shapes.vocabulary > 0, shapes.each_step
        bidirectional, embedding = options.bidirectional, options.embedding
        # Read from the start, a step with a target does not know what fills the text up behind it;
        # the statistics of a batch would.
        self.packs = self.tokens and (bidirectional or not self.each or options.norm == "batch")
        if options.norm != "none":
            self.norm = options.norm
            self.norms = nn.ModuleList()
        several = shapes.inputs[1] if len(shapes.inputs) > 1 else 1
        width = embedding * several if self.tokens else several
        if self.tokens:
            self.embedding = nn.Embedding(shapes.vocabulary, embedding)
        self.layers, self.drops = nn.ModuleList(), nn.ModuleList()
        for units in options.hidden:
            self.drops.append(Dropout(options.dropout))
            self.layers.append(_layer(options, width, units))
            width = units * (1 + bidirectional)
            if options.norm != "none":
                self.norms.append(NormalizedSteps(options.norm, width))
        self.drops.append(Dropout(options.dropout))
        self.head: nn.Module = nn.Linear(width, shapes.outputs)
        if options.tied:
            self.head = Tied(self.embedding)
            self.embedding.spread = embedding**-0.5

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, steps) or (batch, steps, features) to (batch, outputs).

        Where every step has a target: to (batch, steps, outputs).
        """
        values, lengths = self.read(inputs)
        both = lengths is not None and getattr(self.layers[0], "bidirectional", False)
        last = values
        for place, layer in enumerate(self.layers):
            values = self.drops[place](values)
            if both:  # the second direction begins with the last token, not with what fills up
                values = pack_padded_sequence(values, lengths, True, enforce_sorted=False)  # type: ignore[arg-type]
            values, end = layer(values, self.start(place, values))
            if both:
                values, _ = pad_packed_sequence(values, True)
            self.keep(place, end)
            state = end[0] if isinstance(end, tuple) else end  # (directions, batch, units)
            last = state.transpose(0, 1).flatten(1)
            if hasattr(self, "norms"):
                values = self.norms[place](values, lengths)
                last = ends_of(values, lengths, getattr(layer, "bidirectional", False))
        if self.each:
            made: Tensor = self.head(self.drops[-1](values))
            return F.pad(made, (0, 0, 0, inputs.shape[1] - made.shape[1]))
        if self.pool != "last":
            last = pooled(values, lengths, self.pool)
        elif lengths is not None and not both:
            last = values[torch.arange(len(values)), lengths - 1]
        made = self.head(self.drops[-1](last))
        return made

    def read(self, inputs: Tensor) -> tuple[Any, Tensor | None]:
        """What the first layer gets, (batch, steps, features), and the lengths of texts.

        Steps beyond the longest text of the batch are left out; None where no length matters.
        """
        if not self.tokens:
            return inputs, None
        lengths = None
        if self.packs:
            lengths = lengths_of(inputs if inputs.ndim == 2 else inputs[:, :, 0]).cpu()
            inputs = inputs[:, : int(lengths.max())]
        return self.embedding(inputs).flatten(2), lengths

    def start(self, place: int, values: Tensor) -> Any:
        """The state that a layer begins with; None is zero."""
        return None

    def keep(self, place: int, state: Any) -> None:
        """What becomes of the state that a layer ends with."""


def lengths_of(tokens: Tensor) -> Tensor:
    """Steps of each row up to its last token that is not 0, at least 1.

    Args:
        tokens: numbers of tokens, (rows, steps).

    Example:
        >>> lengths_of(torch.tensor([[2, 0, 3, 0], [0, 0, 0, 0]]))
        tensor([3, 1])
    """
    places = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
    return ((tokens != 0) * places).amax(1).clamp(min=1)


def pooled(values: Tensor, lengths: Tensor | None, pool: Pool) -> Tensor:
    """The mean or the largest of what the steps of a text give, (batch, steps, n) to (batch, n).

    Example:
        >>> pooled(torch.tensor([[[1.0], [5.0]]]), torch.tensor([1]), "max")
        tensor([[1.]])
    """
    if lengths is None:
        return values.mean(1) if pool == "mean" else values.amax(1)
    there = torch.arange(values.shape[1])[None] < lengths[:, None]
    beyond = ~there.to(values.device)[:, :, None]
    if pool == "mean":
        return values.masked_fill(beyond, 0).sum(1) / lengths.to(values)[:, None]
    return values.masked_fill(beyond, -torch.inf).amax(1)


def _layer(options: Options, width: int, units: int) -> nn.Module:
    """One recurrent layer."""
    both = {"bidirectional": True} if options.bidirectional else {}
    if options.cell == "rnn":
        return simple_layer(options.activation, width, units, both)
    layer: nn.Module = CELLS[options.cell](width, units, batch_first=True, **both)
    if options.forget_bias:
        layer.forget_bias = options.forget_bias  # type: ignore[assignment]
    return layer


class Carrying(Recurrent):
    """A recurrent network whose state goes on from batch to batch: truncated backpropagation.

    Gradients end at the border of a batch, values go on. The engine reads rows in lanes for it, and
    calls `forget` where the text begins anew. The state is saved as weights are.
    """

    def __init__(self, shapes: Shapes, options: Options) -> None:
        super().__init__(shapes, options)
        self.packs = self.packs and options.norm == "batch"
        self.forget()

    def forget(self) -> None:
        """Begin with a state of zero."""
        for place in range(len(self.layers)):
            for part in range(2 if isinstance(self.layers[place], nn.LSTM | Peephole) else 1):
                self.register_buffer(f"state_{place}_{part}", torch.zeros(0))

    def start(self, place: int, values: Tensor) -> Any:
        """The kept state where it is of as many rows, or zero."""
        layer: Any = self.layers[place]
        kept = [getattr(self, name) for name in self._names(place)]
        if kept[0].ndim != 3 or kept[0].shape[1] != len(values):
            kept = [values.new_zeros(1, len(values), layer.hidden_size) for _ in kept]
        return tuple(kept) if len(kept) > 1 else kept[0]

    def keep(self, place: int, state: Any) -> None:
        """Keep the values of a state, without what they came from."""
        parts = state if isinstance(state, tuple) else (state,)
        for name, part in zip(self._names(place), parts, strict=True):
            self._buffers[name] = part.detach()

    @property
    def carried(self) -> set[str]:
        """Names of what is carried, whose number of rows is that of the batch."""
        return set(self._buffers)

    def _names(self, place: int) -> list[str]:
        return [name for name in self._buffers if name.startswith(f"state_{place}_")]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        for name in list(self._buffers):  # as many rows as there were
            if prefix + name in state_dict:
                self._buffers[name] = torch.empty_like(state_dict[prefix + name])
        super()._load_from_state_dict(state_dict, prefix, *rest)


def recurrent(shapes: Shapes, options: Options) -> nn.Module:
    """A recurrent network for inputs of given shapes.

    Raises:
        UsageError: the inputs have no steps, options that exclude each other, or weights that
            cannot be tied.
    """
    cell, hidden, embedding = options.cell, options.hidden, options.embedding
    if not shapes.vocabulary and len(shapes.inputs) != 2:
        raise UsageError(f"the model '{cell}' needs inputs of several steps",
                         received=f"inputs of shape {shapes.inputs}",
                         do="use 'mlp' for tables, 'cnn' for images")  # fmt: skip
    if options.carry and options.bidirectional:
        raise UsageError("a state that is carried goes one way", where="model.bidirectional",
                         received="carry, bidirectional", do="leave one out")  # fmt: skip
    if cell == "peephole" and options.bidirectional:
        raise UsageError("peepholes go one way", where="model.bidirectional",
                         received="peephole, bidirectional", do="leave one out")  # fmt: skip
    if options.tied and (
        shapes.vocabulary != shapes.outputs or embedding != hidden[-1] or options.bidirectional
    ):
        raise UsageError(
            "weights are tied where the next token is learned, and embedding and last layer are of "
            "one width", where="model.tied",
            received=f"{shapes.vocabulary} tokens, {shapes.outputs} outputs, embedding {embedding},"
            f" last layer {hidden[-1]}", do="give the same number for both",
        )  # fmt: skip
    build = Carrying if options.carry else Recurrent
    return build(shapes, options)


@describer("model")
def rnn(
    shapes: Shapes,
    *,
    hidden: tuple[Count, ...] = (128,),
    embedding: Count = 64,
    dropout: Fraction = 0.0,
    bidirectional: bool = False,
    carry: bool = False,
    tied: bool = False,
    pool: Literal["last", "mean", "max"] = "last",
    norm: Literal["none", "batch", "layer"] = "none",
    activation: Literal["tanh", "relu", "sigmoid"] = "tanh",
) -> nn.Module:
    """Simple recurrent network, h_t = tanh(W x_t + U h_(t-1) + b).

    Args:
        hidden: units of each layer.
        embedding: numbers that stand for a token, where inputs are texts.
        dropout: probability of dropping a value before each layer and before the last map.
        bidirectional: whether a second network reads from the end.
        carry: whether the state goes on from batch to batch (truncated backpropagation).
        tied: whether the last map has the weights of the embedding (next token).
        pool: what is mapped where a row has one target: the last state, or the mean or the largest
            of what the steps give.
        norm: what each layer gives is normalised at every step: over its units (layer), or each
            unit over all steps of the texts of the batch (batch).
        activation: of the states. With "relu" start the recurrence at the identity,
            `init="identity"`.

    Example:
        >>> rnn().build(Shapes((20, 3), 2))(torch.zeros(5, 20, 3)).shape
        torch.Size([5, 2])

    Source: Elman 1990, Finding structure in time; ReLU: Le, Jaitly, Hinton 2015, arXiv:1504.00941.
    """
    return recurrent(shapes, Options("rnn", hidden, embedding, dropout, bidirectional, carry, tied,
                                     pool, norm, activation))  # fmt: skip


@describer("model")
def gru(
    shapes: Shapes,
    *,
    hidden: tuple[Count, ...] = (128,),
    embedding: Count = 64,
    dropout: Fraction = 0.0,
    bidirectional: bool = False,
    carry: bool = False,
    tied: bool = False,
    pool: Literal["last", "mean", "max"] = "last",
    norm: Literal["none", "batch", "layer"] = "none",
) -> nn.Module:
    """Gated recurrent units: an update gate mixes the old state with a candidate.

    r, z = sigmoid(W x_t + U h_(t-1) + b); n = tanh(W_n x_t + b_n + r (U_n h_(t-1) + c_n));
    h_t = (1 - z) n + z h_(t-1).

    Args:
        hidden, embedding, dropout, bidirectional, carry, tied, pool, norm: as in `rnn`.

    Example:
        >>> gru().build(Shapes((20,), 2, (), 100))(torch.ones(5, 20, dtype=torch.long)).shape
        torch.Size([5, 2])

    Source: Cho et al. 2014, arXiv:1406.1078, with the reset gate as in cuDNN.
    """
    return recurrent(shapes, Options("gru", hidden, embedding, dropout, bidirectional, carry, tied,
                                     pool, norm))  # fmt: skip


@describer("model")
def lstm(
    shapes: Shapes,
    *,
    hidden: tuple[Count, ...] = (128,),
    embedding: Count = 64,
    dropout: Fraction = 0.0,
    bidirectional: bool = False,
    carry: bool = False,
    tied: bool = False,
    pool: Literal["last", "mean", "max"] = "last",
    norm: Literal["none", "batch", "layer"] = "none",
    peephole: bool = False,
    forget_bias: NonNegative = 0.0,
) -> nn.Module:
    """Long short-term memory: input, forget and output gates around a memory that adds up.

    i, f, o = sigmoid(W x_t + U h_(t-1) + b); g = tanh(...); c_t = f c_(t-1) + i g;
    h_t = o tanh(c_t).

    Args:
        hidden, embedding, dropout, bidirectional, carry, tied, pool, norm: as in `rnn`.
        peephole: whether the gates see the memory too: i and f that of the step before,
            p c_(t-1), o the new one, p c_t.
        forget_bias: added to the biases of the forget gates at the start. With 0 they are half open
            and a memory halves at every step; with 1 (as in Keras) 0.73 of it stays, with 3 0.95.

    Example:
        >>> lstm(hidden=(8, 8)).build(Shapes((20, 3), 2))(torch.zeros(5, 20, 3)).shape
        torch.Size([5, 2])

    Source: Hochreiter, Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000;
        peepholes: Gers, Schraudolph, Schmidhuber 2002; bias: Jozefowicz, Zaremba, Sutskever 2015.
    """
    cell: Cell = "peephole" if peephole else "lstm"
    return recurrent(shapes, Options(cell, hidden, embedding, dropout, bidirectional, carry, tied,
                                     pool, norm, "tanh", forget_bias))  # fmt: skip
