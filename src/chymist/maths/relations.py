"""Relations on finitely many things, as a matrix of yes and no."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chymist.errors import InputError


def relation_properties(relation: ArrayLike) -> dict[str, bool]:
    """Which of the three properties of an equivalence a relation has.

    Args:
        relation: whether i is related to j, (n, n).

    Returns:
        "reflexive" (i ~ i), "symmetric" (i ~ j gives j ~ i), "transitive" (i ~ j ~ k gives i ~ k).

    Raises:
        InputError: not a square matrix.

    Example:
        >>> relation_properties([[1, 1], [0, 1]])
        {'reflexive': True, 'symmetric': False, 'transitive': True}
    """
    related = np.asarray(relation, bool)
    if related.ndim != 2 or related.shape[0] != related.shape[1]:
        raise InputError("a relation is a square matrix", received=f"shape {related.shape}")
    return {
        "reflexive": bool(related.diagonal().all()),
        "symmetric": bool((related == related.T).all()),
        "transitive": bool((related | ~(related @ related)).all()),
    }


def equivalence_classes(relation: ArrayLike) -> list[list[int]]:
    """The classes of an equivalence relation: each thing with all that it is related to.

    Args:
        relation: whether i is related to j, (n, n).

    Returns:
        The classes, each in order; together they hold everything once.

    Raises:
        InputError: the relation is no equivalence; it is said which property fails.

    Example:
        >>> equivalence_classes([[1, 0, 1], [0, 1, 0], [1, 0, 1]])
        [[0, 2], [1]]
    """
    missing = [name for name, holds in relation_properties(relation).items() if not holds]
    if missing:
        raise InputError("the relation is no equivalence", where="equivalence_classes",
                         received=f"not {', not '.join(missing)}")  # fmt: skip
    related = np.asarray(relation, bool)
    return [np.flatnonzero(row).tolist() for i, row in enumerate(related) if row.argmax() == i]
