"""Small helpers on input shapes, shared by the function sets."""

from __future__ import annotations

from math import prod

from chymist.errors import UsageError
from chymist.values import Shapes


def flat_size(shapes: Shapes) -> int:
    """Number of values of one input.

    Example:
        >>> flat_size(Shapes((1, 8, 8), 10))
        64
    """
    return prod(shapes.inputs)


def image_shape(shapes: Shapes, name: str) -> tuple[int, int, int]:
    """Channels, height and width of one input.

    Raises:
        UsageError: the inputs are no images.
    """
    if len(shapes.inputs) != 3:
        received = f"inputs of shape {shapes.inputs}"
        raise UsageError(
            f"the model '{name}' needs images", received=received, do="use 'mlp' for tables"
        )
    channels, height, width = shapes.inputs
    return channels, height, width
