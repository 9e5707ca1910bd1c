"""What verbs accept: data or a split, a run or its folder, a model of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from chymist.data import group_numbers, moments
from chymist.data import split as make_split
from chymist.data.splits import usable_rows
from chymist.errors import InputError, UsageError
from chymist.parts import own
from chymist.values import Data, Recipe, Split


def as_split(data: Data | Split, seed: int) -> Split:
    """A split as it is, or data split with the defaults.

    Raises:
        InputError: something else.
    """
    if isinstance(data, Split):
        return data
    check_rows(data)
    return make_split(data, seed=seed)


def check_rows(data: Any) -> None:
    """Refuse what is neither data nor a split.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(data, Data | Split):
        raise InputError(
            "neither data nor a split",
            received=type(data).__name__,
            do="give cy.load(...) or cy.split(...)",
        )


def open_rows(data: Data | Split, ordered: bool = False) -> tuple[Data, np.ndarray, bool]:
    """The data, the rows that may be used for training and comparison, and whether some are sealed.

    The test rows of a split, and the standard test part of a named set, are never given.

    Args:
        data: all rows, or a split.
        ordered: whether the order in time is kept.

    Raises:
        InputError: something else than data or a split.
        UsageError: the split is ordered in time, and the order is not kept.
    """
    check_rows(data)
    if isinstance(data, Split):
        if data.method.startswith("time") and not ordered:
            raise UsageError(
                "folds would train on later rows than they predict",
                where="data",
                received="a split ordered in time",
                do="use fit, or cy.protocols.time_series",
            )
        return data.data, np.sort(np.concatenate([data.train, data.valid])), len(data.test) > 0
    return data, usable_rows(data), data.test_rows is not None


def groups_of(data: Data | Split, group: Any) -> np.ndarray | None:
    """Number of each row's group, (rows,), or None: as given, else those of the split."""
    if group is not None:
        return group_numbers(data.data if isinstance(data, Split) else data, group)
    return data.groups if isinstance(data, Split) else None


def order_of(data: Data | Split, time: Any) -> np.ndarray | None:
    """What orders the rows in time, (rows,), or None: as given, else the column of the split."""
    if time is None and isinstance(data, Split):
        time = data.options.get("time")
    whole = data.data if isinstance(data, Split) else data
    return None if time is None else moments(whole, time)


def with_model(recipe: Recipe, model: Any) -> Recipe:
    """A recorded recipe with the user's own module put back in.

    Raises:
        InputError: it is not the module that the run was made with.
    """
    if model is None or recipe.model is None:
        return recipe
    given = own("model", model)
    if recipe.model.source and given.source != recipe.model.source:
        raise InputError(
            "another model than the one of the run",
            received=f"'{given.name}'",
            do=f"give '{recipe.model.name}' with unchanged source",
        )
    return recipe.replace(model=given) if recipe.model.source else recipe
