"""`explain`: what an answer of a run rests on, in rows of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chymist.engine.folder import open_folder
from chymist.errors import UsageError, nearest
from chymist.values import Data, Run
from chymist.verbs.explaining_graphs import GraphExplanation, explain_graph
from chymist.verbs.explaining_rows import Which, explain_rows
from chymist.verbs.explaining_words import ExplainedWords, explain_words
from chymist.verbs.explanations import Explanation

OF_WORDS = ("reference", "position", "steps", "seed")
OF_GRAPHS = ("seed",)


def explain(
    run: Run | str | Path, rows: Any = None, *, method: str | None = None,
    target: str | int | None = None, which: Which | Sequence[int] = "worst",
    most: int | None = None, checks: bool | None = None, model: Any = None,
    data: Data | None = None, **options: Any,
) -> Explanation | ExplainedWords | GraphExplanation:  # fmt: skip
    """What in a row spoke for an answer of a run: its places, columns, words or edges.

    Test rows are never shown. Maps of numbers that were prepared (scaled, made 0/1) are added up to
    the columns, and channels of an image to one picture. Answers of classes are their scores before
    softmax; a regression's are in the unit of its target. What columns are worth over all rows is
    `permutation_importance`.

    Args:
        run: a run, or its folder.
        rows: new raw rows, as for `predict`; of a graph one row: its number from 0, or the
            identifier of a node. None takes rows of the run.
        method: of images, tables and sequences "grad-cam", "cam", "saliency", "smooth-grad",
            "input-x-gradient", "integrated-gradients" or "occlusion"; None is Grad-CAM where there
            are feature maps, integrated gradients elsewhere, and occlusion where there is no
            gradient. Of texts as in `explain_words`, of graphs as in `explain_graph`.
        target: which answer: None is what the model predicts, "true" the true class, or the name
            of a class or the number of an output.
        which: rows of the run: the validation rows that are answered "worst" or "best" by their
            loss, the "first" ones, or row numbers of the data from 0; of a graph one row.
        most: how many at most, 8 (4 texts); row numbers are all shown.
        checks: whether the maps are checked, see `Explanation.checks`; None checks those of images,
            but no slow methods on large ones. Words and edges are always checked.
        model: the user's own module or factory, if the run was made with one and is read from its
            folder.
        data: the rows, if they came from arrays in memory and the run is read from its folder.
        **options: of the method, as in `chymist.explanation`: layer, rectified, absolute, samples,
            level, seed, steps, rule, baseline, window, stride; of texts reference, position, steps,
            seed; of graphs seed.

    Returns:
        An `ExplainedWords` of texts and tokens, a `GraphExplanation` of graphs, an `Explanation` of
        all else. Each has `save("seen.svg")`, `to_dict()`, and shows itself in a notebook.

    Raises:
        UsageError: an unknown method, option, class or layer; a method that the model cannot have;
            test rows.
        InputError: no such rows, or they do not fit.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(length="2 epochs"), cy.load("digits"))
        >>> found = cy.explain(run, most=2)
        >>> found.method, found.maps.shape
        ('grad-cam', (2, 8, 8))

    Source: Simonyan et al. 2014, arXiv:1312.6034; Selvaraju et al. 2017, arXiv:1610.02391;
        Sundararajan et al. 2017, arXiv:1703.01365.
    """
    kind = run.data.kind if isinstance(run, Run) else open_folder(run).schema.kind
    if kind not in ("text", "tokens", "graph"):
        return explain_rows(run, rows, method=method, target=target, which=which,
                            most=8 if most is None else most, checks=checks, model=model,
                            data=data, **options)  # fmt: skip
    if checks is not None:
        raise UsageError("only maps have checks of this kind", where="checks",
                         do="leave it out: words and edges are always checked")  # fmt: skip
    known = OF_GRAPHS if kind == "graph" else OF_WORDS
    for name in options:
        if name not in known:
            raise UsageError(f"{'edges' if kind == 'graph' else 'words'} have no option '{name}'",
                             where=name, do=nearest(name, known))  # fmt: skip
    goal = target if target is None else str(target)
    given = {**options, "target": goal, "model": model, "data": data}
    given |= {} if method is None else {"method": method}
    if kind == "graph":
        return explain_graph(run, _row(rows, which, most), **given)
    given |= {} if most is None else {"most": most}
    return explain_words(run, rows, which=which, **given)


def _row(rows: Any, which: Which | Sequence[int], most: int | None) -> Any:
    """The one row of a graph; None is the one that is answered worst.

    Raises:
        UsageError: several are asked for, or another choice of rows.
    """
    if most not in (None, 1):
        raise UsageError("of a graph one row is explained", where="most", received=str(most),
                         do="leave it out")  # fmt: skip
    if rows is not None or which == "worst":
        return rows
    numbers = [which] if isinstance(which, str | int) else list(which)
    if isinstance(which, str) or len(numbers) != 1:
        raise UsageError("of a graph one row is explained", where="which",
                         received=str(which)[:60], do="give worst, or one row number"
                         )  # fmt: skip
    return numbers[0]
