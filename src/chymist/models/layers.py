"""Layers that torch does not have in the form chymist needs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.noise import Keyed


class Dropout(Keyed):
    """Dropout whose mask is a function of (seed, step, layer) and of nothing else.

    In training each value is set to 0 with probability p and the others are scaled by 1 / (1 - p).
    Because the mask depends on the step and not on a running random state, a resumed run draws
    the masks that the uninterrupted one would have drawn. The mean of what comes out is what came
    in, x; its variance is p / (1 - p) x^2.

    Args:
        p: probability of dropping a value, in [0, 1).

    Example:
        >>> layer = Dropout(0.5)
        >>> layer.place(seed=0, step=3, layer="drop")
        >>> first = layer(torch.ones(8))
        >>> layer.place(seed=0, step=3, layer="drop")
        >>> bool((layer(torch.ones(8)) == first).all())
        True

    Source: Srivastava et al. 2014, JMLR 15.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape, some set to 0 while training."""
        if not self.training or self.p == 0:
            return inputs
        return inputs * self.factors(inputs)

    def drawn(self, inputs: Tensor, room: Tensor, generator: torch.Generator) -> Tensor:
        """0 with probability p, else 1 / (1 - p)."""
        return room.bernoulli_(1 - self.p, generator=generator).div_(1 - self.p)

    def extra_repr(self) -> str:
        """The probability, for printing."""
        return f"p={self.p}"


def drop_probability(keep: float) -> float:
    """What to give as dropout where a text says which share is kept: 1 - keep.

    Here, as in torch and Keras, the number is the probability of dropping a value; TensorFlow 1 had
    the probability of keeping it.

    Args:
        keep: probability of keeping a value, in (0, 1].

    Raises:
        UsageError: it is out of range.

    Example:
        >>> drop_probability(keep=0.8)
        0.2

    Source: tf.nn.dropout(keep_prob=) of TensorFlow 1, rate= since 1.13.
    """
    if not 0 < keep <= 1:
        raise UsageError("no probability of keeping a value", where="keep", received=repr(keep),
                         do="give a number in (0, 1]")  # fmt: skip
    return round(1 - keep, 12)


def keep_probability(drop: float) -> float:
    """What TensorFlow 1 calls keep_prob: 1 - drop.

    Args:
        drop: probability of dropping a value, in [0, 1), as `dropout` takes it.

    Raises:
        UsageError: it is out of range.

    Example:
        >>> keep_probability(drop=0.2)
        0.8
    """
    if not 0 <= drop < 1:
        raise UsageError("no probability of dropping a value", where="drop", received=repr(drop),
                         do="give a number in [0, 1)")  # fmt: skip
    return round(1 - drop, 12)


class Residual(nn.Sequential):
    """Layers with a connection past them: y = x + F(x); F keeps the shape.

    Example:
        >>> with torch.no_grad():
        ...     Residual(nn.Linear(3, 3), nn.ReLU())(torch.zeros(2, 3)).shape
        torch.Size([2, 3])

    Source: He et al. 2016, Deep residual learning for image recognition, arXiv:1512.03385.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ..., features) to the same shape."""
        made = inputs
        for layer in self:
            made = layer(made)
        return inputs + made
