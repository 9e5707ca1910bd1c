"""Randomness as a function of a key: (seed, purpose, numbers or names).

There is no global random state in chymist. Whoever needs random numbers derives a generator from
the run's seed, the purpose ("order", "init", "dropout") and the coordinates (epoch, index, layer).
So the order of epoch 7 is known without having lived through epochs 0 to 6.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def key(seed: int, purpose: str, *coordinates: int | str) -> int:
    """A 63-bit key that depends on all its arguments and on nothing else.

    Args:
        seed: seed of the run.
        purpose: what the numbers are for, for example "order".
        *coordinates: epoch, step, index or parameter name.

    Returns:
        An integer in [0, 2^63).

    Example:
        >>> key(0, "order", 1) == key(0, "order", 1), key(0, "order", 1) == key(0, "order", 2)
        (True, False)
    """
    text = "\x1f".join([str(seed), purpose, *map(str, coordinates)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, purpose: str, *coordinates: int | str) -> np.random.Generator:
    """A NumPy generator (Philox, counter-based) for one key.

    Example:
        >>> first, again = generator(0, "order", 1), generator(0, "order", 1)
        >>> bool(first.random() == again.random())
        True
    """
    return np.random.Generator(np.random.Philox(key=key(seed, purpose, *coordinates)))


def torch_generator(seed: int, purpose: str, *coordinates: int | str) -> torch.Generator:
    """A torch CPU generator for one key.

    Example:
        >>> torch_generator(0, "init", "weight").initial_seed() == key(0, "init", "weight")
        True
    """
    import torch

    return torch.Generator().manual_seed(key(seed, purpose, *coordinates))


def order(seed: int, epoch: int, rows: int) -> np.ndarray:
    """The order in which the rows of one epoch are visited.

    Args:
        seed: seed of the run.
        epoch: number of the epoch, from 0.
        rows: number of training rows.

    Returns:
        A permutation of 0..rows-1, int64, shape (rows,).

    Example:
        >>> sorted(order(0, 3, 5).tolist())
        [0, 1, 2, 3, 4]
    """
    return generator(seed, "order", epoch).permutation(rows)
