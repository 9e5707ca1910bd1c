"""Activation functions: what stands between two layers, so that these do not collapse into one.

`cy.models.mlp(activation="elu")` takes the defaults; `"elu(alpha=0.5)"`, or
`cy.activations.elu(alpha=0.5)`, gives options. Each text says formula, range and derivative, and
what speaks for and against the function. Those that are smooth have a derivative everywhere, those
with a kink almost everywhere, which is enough: an input hits the kink with probability 0. There the
derivative that torch takes is used.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import torch
from torch import Tensor, nn

from chymist.errors import InputError, UsageError
from chymist.noise import Keyed
from chymist.parts import NonNegative, Positive, describer

Pieces = Annotated[int, msgspec.Meta(ge=2, le=1000)]


class Step(nn.Module):
    """1 where x >= 0, else 0; its derivative is 0."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape to 0 and 1."""
        return torch.sign(torch.sign(inputs) + 1)


class Sign(nn.Module):
    """-1, 0 or 1; its derivative is 0."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape to their signs."""
        return torch.sign(inputs)


class Swish(nn.Module):
    """x / (1 + e^(-beta x)).

    Args:
        beta: how steep the gate is.
    """

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape, to the same shape."""
        return inputs * torch.sigmoid(self.beta * inputs)

    def extra_repr(self) -> str:
        """The option, for printing."""
        return f"beta={self.beta}"


class RReLU(Keyed):
    """x where x >= 0, else slope x; the slope is drawn for each value while training.

    Args:
        lower, upper: ends of the uniform distribution of the slope; its mean is used afterwards.
    """

    def __init__(self, lower: float, upper: float) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs of any shape, to the same shape."""
        if self.training:
            return inputs * self.factors(inputs)
        return self.settled(inputs)

    def settled(self, inputs: Tensor) -> Tensor:
        """With the mean slope, as after training."""
        return nn.functional.leaky_relu(inputs, (self.lower + self.upper) / 2)

    def drawn(self, inputs: Tensor, room: Tensor, generator: torch.Generator) -> Tensor:
        """A slope below 0, 1 from there on."""
        room.uniform_(self.lower, self.upper, generator=generator)
        return room.masked_fill_(inputs >= 0, 1)

    def extra_repr(self) -> str:
        """The options, for printing."""
        return f"lower={self.lower}, upper={self.upper}"


class Maxout(nn.Module):
    """The greatest of some features: (batch, pieces x width, ...) to (batch, width, ...).

    Args:
        pieces: features that make one; they stand side by side.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, inputs: Tensor) -> Tensor:
        """The maximum over each `pieces` neighbours.

        Raises:
            InputError: the number of features is no multiple of the pieces.
        """
        if inputs.shape[1] % self.pieces:
            raise InputError(
                "features do not divide into pieces", where="maxout", received=str(inputs.shape[1]),
                do=f"make the layer before it a multiple of {self.pieces} wide",
            )  # fmt: skip
        made: Tensor = inputs.unflatten(1, (-1, self.pieces)).amax(2)
        return made

    def extra_repr(self) -> str:
        """The option, for printing."""
        return f"pieces={self.pieces}"


@describer("activation")
def identity(_: None) -> nn.Module:
    """Identity: f(x) = x.

    Range: all numbers. Derivative: 1.

    For: the output of a regression. Against: between layers it is as if there were one layer less,
    as W2 (W1 x + b1) + b2 is again W x + b.

    Example:
        >>> identity().build(None)(torch.tensor([-1.0, 2.0]))
        tensor([-1.,  2.])

    Source: Goodfellow, Bengio, Courville 2016, section 6.2.2.1.
    """
    return nn.Identity()


@describer("activation")
def step(_: None) -> nn.Module:
    """Step function: f(x) = 1 where x >= 0, else 0.

    Range: {0, 1}. Derivative: 0, and none at 0.

    For: all or nothing, as the first model of a neuron. Against: no gradient passes, so that
    the layers before it stay as they were drawn, and only those behind it learn.

    Example:
        >>> step().build(None)(torch.tensor([-1.0, 0.0, 2.0]))
        tensor([0., 1., 1.])

    Source: McCulloch, Pitts 1943.
    """
    return Step()


@describer("activation")
def sign(_: None) -> nn.Module:
    """Sign: f(x) = -1, 0 or 1.

    Range: {-1, 0, 1}. Derivative: 0, and none at 0.

    For: the unit of the perceptron, zero-centred. Against: no gradient passes, as with `step`.

    Example:
        >>> sign().build(None)(torch.tensor([-3.0, 0.0, 2.0]))
        tensor([-1.,  0.,  1.])

    Source: Rosenblatt 1958.
    """
    return Sign()


@describer("activation")
def sigmoid(_: None) -> nn.Module:
    """Logistic function: s(x) = 1 / (1 + e^-x).

    Range: (0, 1). Derivative: s (1 - s), at most 1/4 (at 0).

    For: smooth; a probability, or a gate. Against: saturates at both ends, so that gradients vanish
    through many layers; not zero-centred; costs an exponential.

    Example:
        >>> sigmoid().build(None)(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([0.2689, 0.5000, 0.7311])

    Source: Verhulst 1838; Rumelhart, Hinton, Williams 1986.
    """
    return nn.Sigmoid()


@describer("activation")
def tanh(_: None) -> nn.Module:
    """Hyperbolic tangent: f(x) = (e^x - e^-x) / (e^x + e^-x) = 2 s(2 x) - 1, s the sigmoid.

    Range: (-1, 1). Derivative: 1 - f^2, at most 1 (at 0).

    For: smooth and zero-centred, steeper than the sigmoid. Against: saturates at both ends; costs
    exponentials.

    Example:
        >>> tanh().build(None)(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.7616,  0.0000,  0.7616])

    Source: LeCun, Bottou, Orr, Mueller 1998, Efficient backprop.
    """
    return nn.Tanh()


@describer("activation")
def relu(_: None) -> nn.Module:
    """Rectified linear unit: f(x) = max(0, x).

    Range: [0, inf). Derivative: 1 for x > 0, 0 for x < 0 (and at 0, where there is none).

    For: cheap; does not saturate above 0, so that gradients pass; many outputs are exactly 0
    (sparse). Against: a unit that is 0 for every row gets no gradient and is dead; not
    zero-centred; without an upper bound.

    Example:
        >>> relu().build(None)(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])

    Source: Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines.
    """
    return nn.ReLU()


@describer("activation")
def leaky_relu(_: None, *, slope: NonNegative = 0.01) -> nn.Module:
    """Leaky ReLU: f(x) = x for x >= 0, else slope x.

    Range: all numbers. Derivative: 1 for x > 0, slope for x < 0. It is max(slope x, x) for slopes
    from 0 to 1 only: with 2 that would be -1 at -1, not -2.

    For: as `relu`, but no unit dies. Against: the gain is small and depends on the slope.

    Args:
        slope: of the negative half.

    Example:
        >>> leaky_relu(slope=0.1).build(None)(torch.tensor([-1.0, 2.0]))
        tensor([-0.1000,  2.0000])

    Source: Maas, Hannun, Ng 2013, Rectifier nonlinearities improve neural network acoustic models.
    """
    return nn.LeakyReLU(slope)


@describer("activation")
def prelu(_: None, *, start: float = 0.25) -> nn.Module:
    """Parametric ReLU: f(x) = max(0, x) + a min(0, x); the slope a of each layer is learnt.

    Range: all numbers (for a > 0). Derivative: 1 for x > 0, a for x < 0; by a: min(0, x).

    For: the data choose the slope. Against: a parameter more, which may overfit; decay of weights
    pulls it to 0.

    Args:
        start: a before training.

    Example:
        >>> prelu().build(None)(torch.tensor([-4.0, 3.0])).tolist()
        [-1.0, 3.0]

    Source: He, Zhang, Ren, Sun 2015, Delving deep into rectifiers, arXiv:1502.01852.
    """
    return nn.PReLU(init=start)


@describer("activation")
def rrelu(_: None, *, lower: NonNegative = 1 / 8, upper: NonNegative = 1 / 3) -> nn.Module:
    """Randomised leaky ReLU: f(x) = x for x >= 0, else a x, a ~ U(lower, upper) while training.

    Range: all numbers. Derivative: 1 for x > 0, a for x < 0. A slope is drawn for each value at
    each step; afterwards it is their mean, (lower + upper) / 2.

    For: the noise regularises small sets. Against: two options more, and slower.

    Args:
        lower, upper: ends of the uniform distribution of the slope.

    Raises:
        UsageError: the ends stand the wrong way round.

    Example:
        >>> rrelu(lower=0.1, upper=0.3).build(None).eval()(torch.tensor([-1.0, 2.0]))
        tensor([-0.2000,  2.0000])

    Source: Xu, Wang, Chen, Li 2015, Empirical evaluation of rectified activations,
        arXiv:1505.00853.
    """
    if lower > upper:
        raise UsageError("lower is above upper", where="activation rrelu",
                         received=f"{lower} > {upper}", do="exchange them")  # fmt: skip
    return RReLU(lower, upper)


@describer("activation")
def elu(_: None, *, alpha: Positive = 1.0) -> nn.Module:
    """Exponential linear unit: f(x) = x for x >= 0, else alpha (e^x - 1).

    Range: (-alpha, inf). Derivative: 1 for x > 0, alpha e^x for x < 0, which tends to 0.

    For: outputs are nearer to mean 0 than those of `relu`; few units die. Against: costs an
    exponential; saturates far below 0.

    Args:
        alpha: what the negative half tends to, with a minus.

    Example:
        >>> elu().build(None)(torch.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])

    Source: Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289.
    """
    return nn.ELU(alpha)


@describer("activation")
def selu(_: None) -> nn.Module:
    """Scaled ELU: f(x) = 1.0507 x for x >= 0, else 1.0507 1.6733 (e^x - 1).

    Range: (-1.7581, inf). Derivative: 1.0507 for x > 0, 1.7581 e^x for x < 0.

    For: mean 0 and variance 1 reproduce themselves from layer to layer, where weights have variance
    1 / fan-in. Against: only then; plain dropout breaks it.

    Example:
        >>> selu().build(None)(torch.tensor([-1.0, 2.0]))
        tensor([-1.1113,  2.1014])

    Source: Klambauer, Unterthiner, Mayr, Hochreiter 2017, Self-normalizing neural networks.
    """
    return nn.SELU()


@describer("activation")
def swish(_: None, *, beta: NonNegative = 1.0) -> nn.Module:
    """Swish: f(x) = x s(beta x), s the sigmoid; with beta = 1 also called SiLU.

    Range: from -0.2785 / beta (at x = -1.278 / beta) to inf. Derivative:
    s(beta x) + beta x s(beta x) (1 - s(beta x)).

    For: smooth, and passes gradients below 0. Against: not monotonic; costs an exponential.

    Args:
        beta: how steep the gate is; 0 gives x / 2, large values give `relu`.

    Example:
        >>> swish().build(None)(torch.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])

    Source: Ramachandran, Zoph, Le 2017, Searching for activation functions, arXiv:1710.05941.
    """
    return Swish(beta)


@describer("activation")
def gelu(_: None) -> nn.Module:
    """Gaussian error linear unit: f(x) = x Phi(x), Phi the standard normal distribution function.

    Range: from -0.1700 (at x = -0.7518) to inf. Derivative: Phi(x) + x phi(x), phi the density.

    For: smooth, and passes gradients below 0; usual in transformers. Against: not monotonic; costs
    more than `relu`.

    Example:
        >>> gelu().build(None)(torch.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])

    Source: Hendrycks, Gimpel 2016, arXiv:1606.08415.
    """
    return nn.GELU()


@describer("activation")
def softmax(_: None) -> nn.Module:
    """Softmax over the features: f(x)_i = e^(x_i) / sum_j e^(x_j).

    Range: (0, 1), with sum 1. Derivative: of f_i by x_j it is f_i (1 [i = j] - f_j); rows of this
    matrix sum to 0.

    For: probabilities of classes. Against: as an output it is part of the loss `cross_entropy`
    already, which takes logits; between layers its values compete and saturate.

    Example:
        >>> softmax().build(None)(torch.tensor([[1.0, 2.0, 3.0]]))
        tensor([[0.0900, 0.2447, 0.6652]])

    Source: Bridle 1990; Bishop 2006, section 4.3.4.
    """
    return nn.Softmax(1)


@describer("activation")
def maxout(_: None, *, pieces: Pieces = 2) -> nn.Module:
    """Maxout: f(x) = max over j of z_j, the values that the layer before gives for a unit.

    Range: all numbers. Derivative: 1 by the greatest z_j, 0 by the others.

    For: with its affine maps it is any convex function of pieces, `relu` among them; no unit dies.
    Against: as many times the weights as there are pieces. The models make the layer before it
    `pieces` times as wide, so that `hidden=(64,)` gives 64 units.

    Args:
        pieces: values of which the greatest is passed on, 2 to 1000.

    Example:
        >>> maxout(pieces=2).build(None)(torch.tensor([[1.0, 3.0, -2.0, -5.0]]))
        tensor([[ 3., -2.]])

    Source: Goodfellow et al. 2013, Maxout networks, arXiv:1302.4389.
    """
    return Maxout(pieces)


def widening(activation: nn.Module) -> int:
    """Values of the layer before it that an activation makes one of.

    Example:
        >>> widening(Maxout(3)), widening(nn.ReLU())
        (3, 1)
    """
    return activation.pieces if isinstance(activation, Maxout) else 1
