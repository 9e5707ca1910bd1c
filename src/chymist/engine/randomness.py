"""The global random states, for whatever draws from them: a user's module, `nn.Dropout`.

chymist itself draws from keys only (`chymist.keys`). Foreign code may use the global generators of
torch, NumPy and Python, so a run starts them from its seed, saves them in its checkpoints, and
gives the caller's states back at its end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chymist.keys import key


@contextmanager
def foreign_randomness(seed: int) -> Iterator[None]:
    """Start the global generators from a seed for a while; then they stand where they stood.

    Args:
        seed: seed of the run.
    """
    tensors, plain = random_states()
    start = key(seed, "foreign")
    torch.manual_seed(start)  # of all devices
    np.random.seed(start % 2**32)  # noqa: NPY002  the state that foreign code draws from
    random.seed(start)
    try:
        yield
    finally:
        set_random_states(tensors, plain)


@contextmanager
def unchanged_randomness() -> Iterator[None]:
    """Put the global generators back where they stood, whatever has been drawn meanwhile."""
    states = random_states()
    try:
        yield
    finally:
        set_random_states(*states)


def random_states() -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Where the global generators stand: torch's as tensors, NumPy's and Python's as numbers."""
    tensors = {"torch": torch.get_rng_state()}
    if torch.cuda.is_initialized():
        tensors |= {f"cuda{n}": s for n, s in enumerate(torch.cuda.get_rng_state_all())}
    name, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    numpy = [name, np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)]
    return tensors, {"numpy": numpy, "python": random.getstate()}


def set_random_states(tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Put the global generators where `random_states` found them; also after a way through JSON."""
    torch.set_rng_state(tensors["torch"])
    for name, state in tensors.items():
        number = name.removeprefix("cuda")
        if number != name and int(number) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(number))
    np.random.set_state(tuple(plain["numpy"]))  # noqa: NPY002
    version, internal, gauss = plain["python"]
    random.setstate((version, tuple(internal), gauss))
