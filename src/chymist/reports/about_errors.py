"""Where the model errs: confusion and recall of classes, residuals of values, all metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chymist.evidence.class_rates import class_rates
from chymist.metrics import METRICS, confusion_matrix
from chymist.reports.charts import binned, fit, histogram, scatter
from chymist.reports.markup import Markup, data_name, figure, join, table, tag
from chymist.reports.numbers import metric_name, number, rows_of, share
from chymist.reports.saying import ENGLISH, Say
from chymist.values import Predictions, Run, show

MATRIX = 20  # classes of a full confusion matrix
PAIRS = 30  # most confused pairs
POINTS = 1500  # points of a scatter
OUTPUTS = 4  # outputs of a regression with figures of their own


def errors_section(run: Run, say: Say = ENGLISH) -> Markup:
    """Errors by class, or residuals, and all metrics."""
    if not len(run.predictions.rows):
        return tag("p", say("There are no rows to look at."))
    if run.data.classes and run.predictions.outputs.shape[1] != len(run.data.classes):
        return metrics_table(
            run, say
        )  # of very many classes only the chance of the right one is kept
    body = _classification(run, say) if run.data.classes else _regression(run, say)
    return join(body, metrics_table(run, say))


def metrics_table(run: Run, say: Say = ENGLISH) -> Markup:
    """All metrics on the scored rows."""
    rows_are = rows_of(run.score.n, run.score.split, say)
    heading = say("All metrics on the {rows}", rows=rows_are)
    rows = []
    for name, value in run.metrics.items():
        better = ""
        if name in METRICS:
            greater = METRICS[name].greater_is_better
            better = say("more is better") if greater else say("less is better")
        words = tag("span", better, class_="t")
        rows.append([metric_name(name, say), show(name, float(value)), words])
    made = table([say("metric"), say("value"), say("direction")], rows, {1}, say=say)
    return join(tag("h3", heading), made)


def confused_pairs(matrix: np.ndarray) -> list[tuple[int, int, int]]:
    """Pairs of different classes with errors, the most frequent first: true, predicted, rows.

    Example:
        >>> confused_pairs(np.array([[5, 1, 0], [2, 4, 0], [0, 0, 3]]))
        [(1, 0, 2), (0, 1, 1)]
    """
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    true, predicted = np.nonzero(off)
    order = np.argsort(-off[true, predicted], kind="stable")
    return [(int(true[i]), int(predicted[i]), int(off[true[i], predicted[i]])) for i in order]


def thinned(errors: np.ndarray, most: int = POINTS) -> np.ndarray:
    """Which points to draw: all, or the largest errors and an even sample of the others.

    Args:
        errors: absolute errors, (n,).
        most: points at most.

    Returns:
        Positions, ascending.

    Example:
        >>> 7 in thinned(np.eye(20)[7], most=8), len(thinned(np.eye(20)[7], most=8)) <= 8
        (True, True)
    """
    if len(errors) <= most:
        return np.arange(len(errors))
    largest = np.argsort(-errors, kind="stable")[: most // 4]
    rest = np.linspace(0, len(errors) - 1, most - len(largest)).astype(np.int64)
    return np.unique(np.concatenate([largest, rest]))


def errors_title(matrix: np.ndarray, classes: Sequence[str], say: Say = ENGLISH) -> str:
    """How many errors there are, and which is the most frequent.

    Args:
        matrix: counts, true classes down, said ones across.
        classes: their names.
        say: the language.

    Example:
        >>> errors_title(np.array([[5, 1], [2, 4]]), ["no", "yes"])
        '3 errors on 12 rows; most often yes is taken for no (2 rows).'
    """
    errors = int(matrix.sum() - np.trace(matrix))
    most = ""
    if errors:
        true, predicted, rows = confused_pairs(matrix)[0]
        most = say(
            "; most often {true} is taken for {said} ({rows})",
            true=fit(classes[true], 30), said=fit(classes[predicted], 30),
            rows=say.counted(rows, "{n} row", "{n} rows"),
        )  # fmt: skip
    return say(
        "{errors} on {rows}{most}.", most=most,
        errors=say.counted(errors, "{n} error", "{n} errors"),
        rows=say.counted(int(matrix.sum()), "{n} row", "{n} rows"),
    )  # fmt: skip


def percent_of(rows: int, total: int) -> str:
    """The share of a cell of the matrix in percent: whole ones, small ones with a digit.

    Example:
        >>> percent_of(1, 3), percent_of(1, 40), percent_of(0, 0)
        ('33', '2.5', '0.0')
    """
    part = rows / max(total, 1)
    return f"{100 * part:.0f}" if part >= 0.0995 else f"{100 * part:.1f}"


def _classification(run: Run, say: Say) -> Markup:
    classes, found = run.data.classes, run.predictions
    matrix = confusion_matrix(found.targets, found.labels, len(classes))
    ranked = confused_pairs(matrix)
    title = errors_title(matrix, classes, say)
    if len(classes) <= MATRIX:
        caption = say(
            "Down: the true class; across: what the model said. Counts, and below them the share "
            "of the true class in percent."
        )
        picture = _matrix(matrix, classes, say)
    else:
        shown = min(PAIRS, len(ranked))
        caption = say.counted(
            len(ranked), "The {shown} most confused of {n} pair of classes.",
            "The {shown} most confused of {n} pairs of classes.", shown=shown,
        )  # fmt: skip
        picture = _pairs_table(matrix, ranked, classes, say)
    made = tag("div", tag("h3", title), picture, tag("p", caption, class_="note"))
    return tag("div", made, tag("div", _recalls(matrix, classes, say)), class_="beside")


def _matrix(matrix: np.ndarray, classes: tuple[str, ...], say: Say) -> Markup:
    """The confusion matrix as a table with tinted cells."""
    totals = matrix.sum(1)
    heads = [tag("th", data_name(name, 14), scope="col") for name in classes]
    lines = []
    for row, name in enumerate(classes):
        cells = []
        for column in range(len(classes)):
            rows, part = int(matrix[row, column]), matrix[row, column] / max(totals[row], 1)
            if not rows:
                cells.append(tag("td", "·", class_="z"))
                continue
            strength = 0.55 * part if row == column else 0.12 + 0.42 * part**0.5
            kind, style = "h" if row == column else "m", f"--a:{strength:.2f}"
            percent = percent_of(rows, int(totals[row]))
            cells.append(tag("td", f"{rows:,}", tag("small", percent), class_=kind, style=style))
        lines.append(tag("tr", tag("th", data_name(name, 14), scope="row"), *cells))
    corner = tag("th", say("true \\ said"), scope="col")
    made = tag(
        "table", tag("thead", tag("tr", corner, *heads)), tag("tbody", *lines), class_="matrix"
    )
    return tag("div", made, class_="scroll", tabindex="0")


def _pairs_table(
    matrix: np.ndarray, ranked: list[tuple[int, int, int]], classes: tuple[str, ...], say: Say
) -> Markup:
    totals = matrix.sum(1)
    rows = [
        [data_name(classes[t]), data_name(classes[p]), f"{n:,}", share(n, int(totals[t]))]
        for t, p, n in ranked[:PAIRS]
    ]
    heads = [say("true class"), say("the model said"), say("rows"), say("of the true class")]
    return table(heads, rows, {2, 3}, say=say)


def _recalls(matrix: np.ndarray, classes: tuple[str, ...], say: Say) -> Markup:
    """Recall of each class with its interval, and precision; the worst first."""
    rows = []
    for name, rate in zip(classes, class_rates(matrix), strict=True):
        right, true, said, low, high = rate
        ends = say("{low} to {high} %", low=f"{100 * low:.0f}", high=f"{100 * high:.0f}")
        interval = ends if true else "–"
        recall = right / true if true else 2.0  # classes without rows come last
        rows.append(
            (
                recall,
                [data_name(name), f"{true:,}", share(right, true), interval, share(right, said)],
            )
        )
    rows.sort(key=lambda pair: pair[0])
    worst = rows[0]
    heading = say("Each class by itself, the hardest first") if worst[0] < 1 else (
        say("Each class by itself"))  # fmt: skip
    note = say(
        "Recall: share of the class that was found, with Wilson's 95 % interval. "
        "Precision: share of right ones among those said to be of the class."
    )
    made = table(
        [say("class"), say("rows"), say("recall"), say("95 % interval"), say("precision")],
        [r for _, r in rows],
        {1, 2, 3, 4},
        say=say,
    )
    return join(tag("h3", heading), made, tag("p", note, class_="note"))


class Drawn(NamedTuple):
    """A figure in its parts.

    Args:
        title: a sentence.
        picture: an SVG element.
        caption: what it assumes.
        heads: names of the columns of its numbers.
        rows: its numbers, as texts.
    """

    title: str
    picture: Markup
    caption: str
    heads: list[str]
    rows: list[list[str]]


def drawn_errors(found: Predictions, target: str, say: Say = ENGLISH) -> list[Drawn]:
    """Truth beside prediction, and the residuals, of the first outputs of a regression.

    Args:
        found: predictions.
        target: name of the target.
        say: the language.
    """
    n = len(found.rows)
    targets = np.asarray(found.targets, np.float64).reshape(n, -1)
    outputs = np.asarray(found.outputs, np.float64).reshape(n, -1)
    drawn = []
    for i in range(min(OUTPUTS, targets.shape[1])):
        name = target if targets.shape[1] == 1 else f"{target} {i + 1}"
        drawn += [_truth_figure(targets[:, i], outputs[:, i], name, say),
                  _residual_figure(outputs[:, i] - targets[:, i], name, say)]  # fmt: skip
    return drawn


def _regression(run: Run, say: Say) -> Markup:
    figures = [
        figure(one.title, one.picture, one.caption,
               table(one.heads, one.rows, {*range(len(one.heads))}, say=say), say)
        for one in drawn_errors(run.predictions, run.data.target, say)
    ]  # fmt: skip
    return tag("div", *figures, class_="grid")


def _truth_figure(truth: np.ndarray, said: np.ndarray, name: str, say: Say) -> Drawn:
    finite = np.isfinite(truth) & np.isfinite(said)
    truth, said = truth[finite], said[finite]
    errors = np.abs(said - truth)
    chosen = thinned(errors)
    middle = number(float(np.median(errors))) if len(errors) else say("unknown")
    title = say("Half of the predictions of {name} are within {middle} of the truth.",
                name=name, middle=middle)  # fmt: skip
    drawn = say("all drawn") if len(chosen) == len(truth) else say(
        "{n} drawn: the largest errors and an even sample of the others", n=f"{len(chosen):,}"
    )  # fmt: skip
    worst = np.argsort(-errors, kind="stable")[:60]
    heads = [say("truth"), say("prediction"), say("error")]
    rows = [[number(truth[i]), number(said[i]), number(said[i] - truth[i])] for i in worst]
    axes = say("true {name}", name=name), say("predicted {name}", name=name)
    picture = scatter(title, truth[chosen], said[chosen], *axes, say=say)
    caption = say(
        "{rows}, {drawn}. The table has the {n} largest errors.", drawn=drawn, n=len(worst),
        rows=say.counted(len(truth), "{n} row", "{n} rows"),
    )  # fmt: skip
    return Drawn(title, picture, caption, heads, rows)


def _residual_figure(residuals: np.ndarray, name: str, say: Say) -> Drawn:
    finite = residuals[np.isfinite(residuals)]
    mean, spread = (float(finite.mean()), float(finite.std())) if len(finite) else (0.0, 0.0)
    way = say("too high") if mean > 0 else say("too low")
    title = say("Predictions are {mean} {way} on average, with a spread of {spread}.",
                mean=number(abs(mean)), way=way, spread=number(spread))  # fmt: skip
    counts, edges = binned(finite)
    rows = [
        [number(a), number(b), f"{n:,}"] for a, b, n in zip(edges, edges[1:], counts, strict=False)
    ]
    axis = say("prediction − truth, {name}", name=name)
    picture = histogram(title, finite, axis, zero=True, y_title=say("rows"))
    caption = say("{rows}; spread is the standard deviation.",
                  rows=say.counted(len(finite), "{n} row", "{n} rows"))  # fmt: skip
    return Drawn(title, picture, caption, [say("from"), say("to"), say("rows")], rows)
