"""Reading a tree: with names and units, and how sure its cuts are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chymist.engine.assembly import prepare_split, weights_of
from chymist.engine.folder import open_folder
from chymist.engine.place import CPU
from chymist.errors import InputError
from chymist.models.trees import cut_frequencies
from chymist.reports.trees import NamedTree
from chymist.values import Run, whole_number
from chymist.verbs.reading import named_tree
from chymist.verbs.records import load_model, load_run


def tree_of(run: Run | str | Path) -> NamedTree:
    """The tree of a run, with the names and units of its data; printed, it is text.

    Args:
        run: a run of `id3`, `c45`, `cart`, `random_forest` or `boosting`, or its folder.

    Returns:
        The tree; of several, the first is printed.

    Raises:
        InputError: the model is no tree.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model=cy.models.id3(max_depth=1)), cy.load("iris"))
        >>> print(cy.tree_of(run))
        petal length (cm) <= 2.6: setosa (30)
        petal length (cm) > 2.6: versicolor (60/30)
    """
    if isinstance(run, Run):
        return named_tree(run.model, run.preparation, run.data.classes)
    saved = open_folder(run)
    return named_tree(load_model(saved)[0], saved.preparation, tuple(saved.schema.classes))


def tree_stability(run: Run | str | Path, bootstraps: int = 100, seed: int = 0) -> NamedTree:
    """The tree of a run, with the share of bootstraps of its rows that make each cut again.

    A cut is the same if it stands below the same cuts, is by the same column, and its threshold has
    at most a tenth of the rows between itself and the other.

    Args:
        run: a run of a single tree, or its folder, if its data can be read again.
        bootstraps: how many.
        seed: of the draws.

    Returns:
        The tree; its `frequency` holds the shares, and its text shows them.

    Raises:
        InputError: the model is no single tree, or its data is not at hand.
        UsageError: not one bootstrap or more.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model=cy.models.cart(max_depth=1, alpha=0)), cy.load("wine"))
        >>> named = cy.tree_stability(run, bootstraps=20)
        >>> bool(0 <= named.frequency[0] <= 1)
        True

    Source: Efron 1979, Bootstrap methods: another look at the jackknife.
    """
    bootstraps = whole_number(bootstraps, "bootstraps", 1)
    seed = whole_number(seed, "seed", 0)
    named = tree_of(run)
    if len(named.tree.roots) != 1:
        raise InputError("the stability of cuts is that of a single tree",
                         received=f"{len(named.tree.roots)} trees",
                         do="use id3, c45 or cart")  # fmt: skip
    run = run if isinstance(run, Run) else load_run(run)
    prepared = prepare_split(run.recipe, run.split)
    inputs, targets = next(prepared.train.batches([torch.arange(len(prepared.train))]))
    model = run.model
    rows = model.rows_of(inputs, targets, weights_of(run.recipe, run.split, CPU))

    def regrow(index: np.ndarray) -> Any:
        return model.grow(rows.part(index))

    found = cut_frequencies(named.tree, rows.inputs, regrow, bootstraps, seed)
    return replace(named, frequency=found)
