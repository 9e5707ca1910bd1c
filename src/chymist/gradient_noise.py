"""Noise in the steps of an optimiser: seed of the run -> (step, parameter) -> noise, or None.

It is added to the gradient after clipping, which would cut it, and before the optimiser sees it,
whichever that is. It is a function of (seed, step, name of the parameter) and of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from chymist.keys import torch_generator
from chymist.parts import NonNegative, Positive, describer

Noise = Callable[[int, str, Tensor], Tensor]


@describer("gradient_noise")
def none(seed: int) -> None:
    """No noise."""
    return None


@describer("gradient_noise")
def annealed(seed: int, *, eta: Positive = 0.01, gamma: NonNegative = 0.55) -> Noise:
    """Annealed gradient noise: g <- g + N(0, s_t^2),  s_t^2 = eta / (1 + t)^gamma.

    Args:
        eta: variance of the noise at the first step, t = 0; its authors tried 0.01, 0.3 and 1.
        gamma: how fast the variance falls; 0 keeps it.

    Example:
        >>> make = annealed(eta=0.3).build(7)
        >>> first, again = (make(4, "0.weight", torch.zeros(3)) for _ in range(2))
        >>> bool((first == again).all()), bool((make(5, "0.weight", torch.zeros(3)) == first).any())
        (True, False)

    Source: Neelakantan et al. 2015, arXiv:1511.06807.
    """

    def draw(step: int, name: str, like: Tensor) -> Tensor:
        generator = torch_generator(seed, "gradient noise", step, name)
        drawn = torch.randn(like.shape, generator=generator, dtype=like.dtype)
        return drawn.mul_((eta / (1 + step) ** gamma) ** 0.5).to(like.device)

    return draw
