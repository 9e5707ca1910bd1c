"""How layers are joined other than one after the other, and small layers of known networks.

All of them treat axes before those of one row alike, so that a population needs no other form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from chymist.keys import generator


class Shortcut(nn.Sequential):
    """Two ways to the same place, added: y = F(x) + S(x).

    Its children are "body" (F) and "shortcut" (S: nothing, a projection, or `Subsample`).

    Example:
        >>> with torch.no_grad():
        ...     made = Shortcut(nn.Linear(3, 3), nn.Identity())(torch.zeros(2, 3))
        >>> made.shape
        torch.Size([2, 3])

    Source: He et al. 2016, Deep residual learning for image recognition, arXiv:1512.03385.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ...) to (batch, ...)."""
        body, shortcut = self
        made: Tensor = body(inputs) + shortcut(inputs)
        return made


class Gated(nn.Sequential):
    """A gate between what a layer makes and what it was given: y = T(x) H(x) + (1 - T(x)) x.

    Its children are "transform" (H) and "gate" (T, with values in (0, 1)).

    Example:
        >>> with torch.no_grad():
        ...     Gated(nn.Linear(3, 3), nn.Sigmoid())(torch.zeros(2, 3)).shape
        torch.Size([2, 3])

    Source: Srivastava, Greff, Schmidhuber 2015, Highway networks, arXiv:1505.00387.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ...) to the same shape."""
        transform, gate = self
        made: Tensor = torch.lerp(inputs, transform(inputs), gate(inputs))
        return made


class Beside(nn.Sequential):
    """Several ways side by side, whose channels are joined.

    Args:
        ways: each gives (batch, channels, ...) with the same places.

    Example:
        >>> Beside(nn.Identity(), nn.Identity())(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([2, 6, 5, 5])
    """

    axis = -3  # of channels, before height and width

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, ...) to (batch, sum of channels, ...)."""
        return torch.cat([way(inputs) for way in self], self.axis)


class BesideRows(Beside):
    """The same for rows of numbers: (batch, features) to (batch, sum of features)."""

    axis = -1


class Subsample(nn.Module):
    """Every second row and column, and channels of zeros beside: a shortcut without parameters.

    Args:
        stride: of rows and columns.
        channels: of zeros that are added, half before and half behind.

    Example:
        >>> Subsample(2, 4)(torch.ones(1, 4, 6, 6)).shape
        torch.Size([1, 8, 3, 3])

    Source: option A of He et al. 2016, arXiv:1512.03385, section 4.2.
    """

    def __init__(self, stride: int, channels: int) -> None:
        super().__init__()
        self.stride, self.channels = stride, channels

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) to fewer places and more channels."""
        before = self.channels // 2
        picked = inputs[..., :: self.stride, :: self.stride]
        return functional.pad(picked, (0, 0, 0, 0, before, self.channels - before))

    def extra_repr(self) -> str:
        """The options, for printing."""
        return f"stride={self.stride}, channels={self.channels}"


class Channels(nn.Module):
    """Some channels of an image, in an order that may repeat them.

    Args:
        chosen: their numbers.

    Example:
        >>> Channels((1, 0, 1))(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([2, 3, 5, 5])
    """

    chosen: Tensor

    def __init__(self, chosen: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("chosen", torch.tensor(chosen), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, chosen, height, width)."""
        return inputs.index_select(inputs.ndim - 3, self.chosen)

    def extra_repr(self) -> str:
        """How many, for printing."""
        return str(len(self.chosen))


class ScaledTanh(nn.Module):
    """1.7159 tanh(2 x / 3), which is near 1 at 1 and near -1 at -1.

    Example:
        >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0])).round(decimals=3)
        tensor([-1.,  0.,  1.])

    Source: LeCun et al. 1998, Proceedings of the IEEE 86(11), appendix A.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return 1.7159 * torch.tanh(inputs * (2 / 3))


class Shift(nn.Module):
    """x + a fixed number: where a bias is to begin away from 0.

    Example:
        >>> Shift(-2.0)(torch.zeros(2))
        tensor([-2., -2.])
    """

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return inputs + self.by

    def extra_repr(self) -> str:
        """The number, for printing."""
        return str(self.by)


class RadialOutput(nn.Module):
    """Half the squared distance to a fixed code of each class, negative: -|x - c_k|^2 / 2.

    The codes are of +1 and -1, drawn once and the same for every run, and not trained. With cross
    entropy the code that is nearest is the class that is most likely.

    Args:
        features: length of a code.
        outputs: number of classes.

    Example:
        >>> layer = RadialOutput(84, 10)
        >>> int(layer(layer.codes[3]).argmax()), float(layer(layer.codes[3]).max().abs())
        (3, 0.0)

    Source: LeCun et al. 1998, section II.B, where codes are drawings of the characters; codes drawn
        by chance are named there as well.
    """

    codes: Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        drawn = generator(0, "codes", features, outputs).integers(0, 2, (outputs, features))
        codes = torch.from_numpy(2.0 * drawn - 1.0).to(torch.get_default_dtype())
        self.register_buffer("codes", codes, persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, features) to (batch, outputs)."""
        products = inputs @ self.codes.T
        squares = inputs.square().sum(-1, keepdim=True) + self.codes.shape[1]
        return products - squares / 2

    def extra_repr(self) -> str:
        """Classes and length of a code, for printing."""
        return f"{self.codes.shape[1]}, {self.codes.shape[0]}"


class OverSteps(nn.Module):
    """The largest value of each channel over the steps: (batch, channels, steps) to
    (batch, channels).

    Example:
        >>> OverSteps()(torch.tensor([[[1.0, 3.0, 2.0]]]))
        tensor([[3.]])

    Source: Collobert et al. 2011, JMLR 12 (max over time).
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, steps) to (batch, channels)."""
        return inputs.amax(-1)


class Filled(nn.Sequential):
    """A table of embeddings that gives zeros for token 0, which fills short texts up.

    Its child is the table.

    Example:
        >>> Filled(nn.Embedding(5, 2))(torch.tensor([[3, 0]]))[0, 1].abs().tolist()
        [0.0, 0.0]
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (batch, steps) to (batch, steps, size)."""
        made: Tensor = self[0](tokens) * (tokens != 0).unsqueeze(-1)
        return made


class StepsLast(nn.Module):
    """(batch, steps, features) to (batch, features, steps), as convolutions take them, or back.

    Example:
        >>> StepsLast()(torch.zeros(5, 20, 3)).shape
        torch.Size([5, 3, 20])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """The last two axes in turn."""
        return inputs.transpose(-1, -2)


class Reordered(nn.Module):
    """The places of an input in another order, the same for every input.

    Args:
        shape: of one input: (channels, height, width), whose pixels change places, or
            (steps, features), whose steps do.
        order: which place stands where, a permutation; by default one that is drawn once, the same
            for every run.

    Example:
        >>> Reordered((2, 1), [1, 0])(torch.tensor([[[5.0], [6.0]]])).flatten().tolist()
        [6.0, 5.0]

    Source: the course's test by permuting features.
    """

    order: Tensor

    def __init__(self, shape: Sequence[int], order: Sequence[int] | None = None) -> None:
        super().__init__()
        self.axes = 2 if len(shape) == 3 else 1
        places = math.prod(shape[1:]) if len(shape) == 3 else shape[0]
        drawn = generator(0, "shuffled pixels").permutation(places) if order is None else order
        self.register_buffer("order", torch.as_tensor(drawn), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, ...) to the same shape."""
        if self.axes == 1:
            return inputs.index_select(inputs.ndim - 2, self.order)
        flat = inputs.flatten(-2)
        return flat.index_select(flat.ndim - 1, self.order).view(inputs.shape)


class RowsAsSteps(nn.Module):
    """An image as a sequence of its rows of pixels, from the top down.

    Example:
        >>> RowsAsSteps()(torch.zeros(5, 3, 8, 6)).shape
        torch.Size([5, 8, 18])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, height, channels x width)."""
        return inputs.transpose(-3, -2).flatten(-2)


# Layers that hold others, and treat axes before those of one row alike.
JOINTS = (Shortcut, Gated, Beside, BesideRows, Filled)
ANY_AXES = (
    Subsample, Channels, ScaledTanh, Shift, RadialOutput, OverSteps, StepsLast, Reordered,
    RowsAsSteps,
)  # fmt: skip
