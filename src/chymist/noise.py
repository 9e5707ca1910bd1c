"""Layers that draw random numbers from a key instead of a running state."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from chymist.keys import key


class Keyed(nn.Module, ABC):
    """A layer whose random numbers are a function of (seed, step, layer) and of nothing else.

    Because they depend on the step and not on a running random state, a resumed run draws what the
    uninterrupted one would have drawn, and a member of a population what it would draw alone. Who
    defines one says what its inputs are multiplied by while training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.position = 0

    def place(self, seed: int, step: int, layer: str, part: int = 0) -> None:
        """Say where the run stands; what is drawn next depends on it.

        Args:
            seed, step, layer: seed of the run, its step, and the name of this layer.
            part: which of several passes of the step, from 0.
        """
        self.position = key(seed, "dropout", step, layer, *([part] if part else []))

    def factors(self, inputs: Tensor) -> Tensor:
        """What training multiplies inputs of any shape by, drawn where the run stands."""
        empty = torch.empty(inputs.shape, dtype=inputs.dtype, device=inputs.device)
        if inputs.is_meta:  # holds no numbers, and nothing can be drawn there
            return empty
        generator = torch.Generator(inputs.device).manual_seed(self.position)
        return self.drawn(inputs, empty, generator)

    @abstractmethod
    def drawn(self, inputs: Tensor, room: Tensor, generator: torch.Generator) -> Tensor:
        """Factors of the inputs, from random numbers that are drawn into `room`."""
