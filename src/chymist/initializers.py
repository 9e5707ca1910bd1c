"""Initial weights of affine layers (dense and convolutional), drawn by (seed, parameter name).

Except for `default`, biases start at 0. What keeps the size of signals from layer to layer is the
variance of the weights: 1 / fan-in for values that pass unchanged, 2 / fan-in after ReLU, which
throws half of them away. Fan-in is the number of values that enter a unit, fan-out of the units
that one value enters.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from chymist.errors import UsageError
from chymist.parts import NonNegative, Positive, describer

Draw = Callable[[Tensor, torch.Generator], object]  # fills a weight (units, fan-in, ...) in place
SINGLE = float(torch.finfo(torch.float32).max)
AFFINE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@describer("init")
def default(_: None) -> None:
    """torch's own: weights and biases from U(-a, a), a = 1 / sqrt(fan-in), so Var = 1 / (3 fan-in).

    Example:
        >>> default()
        default()

    Source: LeCun, Bottou, Orr, Mueller 1998, Efficient backprop; torch.nn.Linear.
    """
    return None


@describer("init")
def zero(_: None) -> Draw:
    """All weights 0. A linear model learns from there; hidden units stay alike, and useless.

    The objective of a linear model is convex, so the start does not matter. Hidden units that start
    alike get the same gradient, and with `relu` or `tanh` none at all.

    Example:
        >>> zero()
        zero()
    """
    return lambda weight, random: nn.init.zeros_(weight)


@describer("init")
def constant(_: None, *, value: float = 0.1) -> Draw:
    """All weights the same: hidden units of a layer stay copies of each other.

    Args:
        value: of every weight.

    Example:
        >>> constant(value=0.5)
        constant(value=0.5)

    Raises:
        UsageError: the value is no number of single precision.
    """
    if abs(value) > SINGLE:
        raise UsageError("out of range", where="init.value", received=f"{value:g}",
                         do=f"give at most {SINGLE:.3g}")  # fmt: skip
    return lambda weight, random: nn.init.constant_(weight, value)


@describer("init")
def uniform(_: None, *, bound: NonNegative = 0.05) -> Draw:
    """U(-bound, bound), whatever the width: Var = bound^2 / 3.

    Args:
        bound: largest absolute value; signals vanish with a small one and explode with a large.

    Example:
        >>> uniform(bound=1.0)
        uniform(bound=1.0)

    Raises:
        UsageError: twice the bound is no number of single precision.
    """
    if 2 * bound > SINGLE:
        raise UsageError("out of range", where="init.bound", received=f"{bound:g}",
                         do=f"give at most {SINGLE / 2:.3g}")  # fmt: skip
    return lambda weight, random: nn.init.uniform_(weight, -bound, bound, random)


@describer("init")
def normal(_: None, *, std: NonNegative = 0.05) -> Draw:
    """N(0, std^2), whatever the width.

    Args:
        std: standard deviation; signals vanish with a small one and explode with a large.

    Example:
        >>> normal(std=0.01)
        normal(std=0.01)

    Raises:
        UsageError: the deviation is no number of single precision.
    """
    if std > SINGLE:
        raise UsageError("out of range", where="init.std", received=f"{std:g}",
                         do=f"give at most {SINGLE:.3g}")  # fmt: skip
    return lambda weight, random: nn.init.normal_(weight, 0.0, std, random)


@describer("init")
def xavier_uniform(_: None, *, gain: Positive = 1.0) -> Draw:
    """U(-a, a) with a = gain sqrt(6 / (fan-in + fan-out)): Var = 2 gain^2 / (fan-in + fan-out).

    Keeps the variance of signals forward and of gradients backward about the same, for activations
    like tanh, which are near the identity around 0.

    Args:
        gain: factor of the weights; 5/3 is usual for tanh.

    Example:
        >>> xavier_uniform()
        xavier_uniform()

    Source: Glorot, Bengio 2010, Understanding the difficulty of training deep networks.
    """
    return lambda weight, random: nn.init.xavier_uniform_(weight, gain, random)


@describer("init")
def xavier_normal(_: None, *, gain: Positive = 1.0) -> Draw:
    """N(0, 2 gain^2 / (fan-in + fan-out)): as `xavier_uniform`, from another distribution.

    Args:
        gain: factor of the weights; 5/3 is usual for tanh.

    Example:
        >>> xavier_normal()
        xavier_normal()

    Source: Glorot, Bengio 2010, Understanding the difficulty of training deep networks.
    """
    return lambda weight, random: nn.init.xavier_normal_(weight, gain, random)


@describer("init")
def he_uniform(_: None, *, slope: NonNegative = 0.0) -> Draw:
    """U(-a, a) with a = sqrt(6 / ((1 + slope^2) fan-in)): Var = 2 / ((1 + slope^2) fan-in).

    Keeps the mean square of signals through `relu` and its kin.

    Args:
        slope: of the negative half of the activation: 0 for ReLU, 1 for the identity.

    Example:
        >>> he_uniform()
        he_uniform()

    Source: He, Zhang, Ren, Sun 2015, Delving deep into rectifiers, arXiv:1502.01852.
    """
    return lambda weight, random: nn.init.kaiming_uniform_(
        weight, slope, nonlinearity="leaky_relu", generator=random
    )


@describer("init")
def he_normal(_: None, *, slope: NonNegative = 0.0) -> Draw:
    """N(0, 2 / ((1 + slope^2) fan-in)): as `he_uniform`, from another distribution.

    Args:
        slope: of the negative half of the activation: 0 for ReLU, 1 for the identity.

    Example:
        >>> he_normal()
        he_normal()

    Source: He, Zhang, Ren, Sun 2015, Delving deep into rectifiers, arXiv:1502.01852.
    """
    return lambda weight, random: nn.init.kaiming_normal_(
        weight, slope, nonlinearity="leaky_relu", generator=random
    )


@describer("init")
def orthogonal(_: None, *, gain: Positive = 1.0) -> Draw:
    """W W^T = gain^2 I (or W^T W, where it is taller than wide): lengths are kept exactly.

    Args:
        gain: factor of the weights; sqrt(2) is usual for ReLU.

    Example:
        >>> orthogonal()
        orthogonal()

    Source: Saxe, McClelland, Ganguli 2014, arXiv:1312.6120.
    """
    return lambda weight, random: nn.init.orthogonal_(weight, gain, random)


class Identity:
    """Fills square weights with gain times the identity, all others from N(0, std^2)."""

    def __init__(self, gain: float, std: float) -> None:
        self.gain, self.std = gain, std

    def __call__(self, weight: Tensor, random: torch.Generator) -> object:
        """A weight of an affine layer, or between the steps of a recurrent one."""
        if weight.ndim != 2 or weight.shape[0] != weight.shape[1]:
            return self.entering(weight, random)
        return nn.init.eye_(weight).mul_(self.gain)

    def entering(self, weight: Tensor, random: torch.Generator) -> object:
        """A weight by which inputs enter a recurrent layer: small also where it is square."""
        return nn.init.normal_(weight, 0.0, self.std, random)


@describer("init")
def identity(_: None, *, gain: Positive = 1.0, std: NonNegative = 0.001) -> Draw:
    """Weights from n units to n are gain I, all others N(0, std^2): states stay as they are.

    For a recurrence of ReLU: what enters is added up, and the gradient of any distance is the same.
    Of a recurrent layer only the weights between steps are the identity, gate by gate.

    Args:
        gain: factor of the identity; below 1 the memory fades.
        std: standard deviation of the others.

    Example:
        >>> weight = torch.empty(2, 2)
        >>> _ = identity(gain=0.5).build(None)(weight, torch.Generator())
        >>> weight
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]])

    Raises:
        UsageError: the deviation is no number of single precision.

    Source: Le, Jaitly, Hinton 2015, A simple way to initialize recurrent networks of rectified
        linear units, arXiv:1504.00941.
    """
    if max(gain, std) > SINGLE:
        raise UsageError("out of range", where="init", received=f"{max(gain, std):g}",
                         do=f"give at most {SINGLE:.3g}")  # fmt: skip
    return Identity(gain, std)


@describer("init")
def lsuv(_: None) -> Draw:
    """Layer by layer, unit variance: orthogonal, then each layer's outputs scaled to variance 1.

    The variance is over the outputs of the first batch of training rows, in evaluation mode. For
    a layer of the network after the other, as what enters it depends on those before it.

    Example:
        >>> lsuv()
        lsuv()

    Source: Mishkin, Matas 2016, All you need is a good init, arXiv:1511.06422.
    """
    return lambda weight, random: nn.init.orthogonal_(weight, generator=random)


@describer("init")
def from_run(_: None, *, path: str = "", sha256: str = "") -> None:
    """The weights of a finished run, by name and shape: what it learned is where this one starts.

    The recipe of the new run records the hash of the weights, and refuses others; an interrupted
    run needs them again when it is resumed. A run that has learned from rows on which the new one
    is to be scored is refused too.

    Args:
        path: the run folder.
        sha256: of its `model.safetensors`; filled in when the run starts.

    Example:
        >>> from_run(path="runs/digits-0001")
        from_run(path='runs/digits-0001')
    """
    return None  # the engine reads the weights when the model stands


def scale_to_unit_variance(model: nn.Module, inputs: Tensor) -> None:
    """Scale the weights of each affine layer so that its outputs have variance 1.

    Biases must be 0. A layer whose outputs do not vary stays as it is.

    Args:
        model: changed in place; its mode is not.
        inputs: some rows, (batch, ...).

    Example:
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(layer.weight, 0.5)
        >>> scale_to_unit_variance(layer, torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
        >>> layer.weight
        Parameter containing:
        tensor([[0.3536, 0.3536]], requires_grad=True)
    """
    training = model.training
    model.eval()

    def scale(layer: nn.Module, given: object, made: Tensor) -> Tensor:
        size = float(made.std()) if made.numel() > 1 else 0.0
        if not 0 < size < float("inf"):
            return made
        layer.get_parameter("weight").div_(size)
        return made / size

    hooks = [m.register_forward_hook(scale) for m in model.modules() if isinstance(m, AFFINE)]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    model.train(training)
