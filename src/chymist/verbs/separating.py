"""`mistake_bound`: what bounds the mistakes of a perceptron, of data or of arrays."""

from __future__ import annotations

import numpy as np

from chymist.errors import UsageError, nearest
from chymist.evidence.margins import MistakeBound
from chymist.evidence.margins import mistake_bound as bound_of
from chymist.parts import Part
from chymist.values import Data, Split
from chymist.verbs.projecting import prepared_matrix, refuse_columns
from chymist.verbs.sources import open_rows


def mistake_bound(
    data: Data | Split | np.ndarray,
    targets: np.ndarray | None = None,
    *,
    against: str | None = None,
    prepare: Part | None = None,
) -> MistakeBound:
    """Most mistakes that a perceptron makes on separable rows, in whatever order and how often.

    Rosenblatt's rule from zero weights makes at most (R / gamma)^2 of them: each adds at least
    gamma to the weights along the best normal, and at most R^2 to their squared length. Rows are
    taken with a last column of 1, so that the hyperplane goes through the origin.

    Args:
        data: rows; test rows of a split are not looked at. Data are prepared as for training, an
            array (n, features) is taken as it is.
        targets: class of each row of an array, two of them, (n,); data have their own.
        against: a class of data, taken against all others; None takes the two that there are.
        prepare: preparation of data, `cy.prepare(...)`.

    Returns:
        Radius R, margin gamma (of a support vector machine without slack) and bound.

    Raises:
        InputError: no hyperplane separates the rows.
        UsageError: there are not two classes, or the class is unknown.

    Example:
        >>> import chymist as cy
        >>> round(mistake_bound(cy.load("iris"), against="setosa").margin, 2)
        0.53

    Source: Novikoff 1962; Block 1962.
    """
    refuse_columns(data)
    if not isinstance(data, Data | Split):
        if targets is None or against is not None or prepare is not None:
            raise UsageError("arrays need targets, and nothing beside", where="mistake_bound",
                             do="give mistake_bound(x, y), or data of cy.load")  # fmt: skip
        return bound_of(data, targets)
    if targets is not None:
        raise UsageError("data have targets of their own", where="targets", do="leave them out")
    whole, numbers, _ = open_rows(data)
    if not whole.classes:
        raise UsageError("the bound is for two classes", where=whole.name,
                         received=f"a target of numbers, '{whole.target}'",
                         do="take a column of classes as target")  # fmt: skip
    wanted = whole.targets[numbers]
    if against is not None:
        if against not in whole.classes:
            raise UsageError("unknown class", where="against", received=f"'{against}'",
                             do=nearest(against, whole.classes))  # fmt: skip
        wanted = wanted == whole.classes.index(against)
    elif len(whole.classes) > 2:
        raise UsageError("the bound is for two classes", where=whole.name,
                         received=f"{len(whole.classes)} classes",
                         do=f"say against={whole.classes[0]}")  # fmt: skip
    return bound_of(prepared_matrix(data, prepare)[0], wanted)
