"""A gated memory step by step: what the gates of an LSTM do, with numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from chymist.errors import InputError

Array = np.ndarray


@dataclass(frozen=True)
class GatedMemory:
    """What happened in a memory cell, a number a step.

    Args:
        input_gate, forget_gate, output_gate: how far the gates were open, in [0, 1]. A forget gate
            of 1 keeps the memory, 0 clears it.
        memory: after the step.
        output: of the step.
    """

    input_gate: Array
    forget_gate: Array
    output_gate: Array
    memory: Array
    output: Array


def gated_memory(
    inputs: ArrayLike,
    input_gate: ArrayLike,
    forget_gate: ArrayLike,
    output_gate: ArrayLike,
    gate: Callable[[Array], Array] = expit,
    squash: Callable[[Array], Array] = lambda values: values,
) -> GatedMemory:
    """Walk through a memory cell: c_t = f_t c_(t-1) + i_t g(x_t), output o_t h(c_t), c_0 = 0.

    Args:
        inputs: x_t, what may be written, (steps,) or (steps, units).
        input_gate, forget_gate, output_gate: what goes into the function of the gates, of the same
            shape: large opens, small (negative) closes.
        gate: function of the gates: the sigmoid, or for gates that are open or shut
            `lambda z: (z > 0) * 1.0`.
        squash: g and h; none by default, `np.tanh` in an LSTM.

    Raises:
        InputError: the four differ in shape.

    Example:
        >>> step = lambda z: (z > 0) * 1.0
        >>> gated_memory([3, 4, 2], [1, 1, -1], [1, 1, 1], [-1, -1, 1], gate=step).output
        array([0., 0., 7.])

    Source: Hochreiter, Schmidhuber 1997; forget gate: Gers, Schmidhuber, Cummins 2000.
    """
    values = np.asarray(inputs, np.float64)
    drives = [np.asarray(z, np.float64) for z in (input_gate, forget_gate, output_gate)]
    if any(z.shape != values.shape for z in drives) or not values.ndim:
        raise InputError("inputs and gates differ in shape", where="gated_memory",
                         received=f"{values.shape} and {[z.shape for z in drives]}",
                         do="give a number for each step")  # fmt: skip
    write, keep, read = (np.asarray(gate(z), np.float64) for z in drives)
    memory = np.empty_like(values)
    held = np.zeros_like(values[0])
    for step, new in enumerate(squash(values)):
        held = keep[step] * held + write[step] * new
        memory[step] = held
    return GatedMemory(write, keep, read, memory, read * squash(memory))
