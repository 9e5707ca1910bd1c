"""`Run.plot()` and what a notebook shows of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from chymist.reports.about_training import epochs_of, loss_figure
from chymist.reports.markup import data_name, join, safe, table, tag
from chymist.reports.notebook import pictures_of
from chymist.reports.numbers import interval, metric_name, part_name
from chymist.reports.svg import COLORS
from chymist.values import SHARES, Run, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FINDINGS = 8


def plot(run: Run) -> np.ndarray:
    """Draw loss and metric over the epochs; nothing is shown and no global state is touched.

    Args:
        run: the run.

    Returns:
        matplotlib axes, (2,): loss, metric. Their figure is `axes[0].figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, style in (("train_loss", "--"), ("val_loss", "-")):
        color = COLORS["s1" if name == "train_loss" else "s2"]
        words = "training" if name == "train_loss" else "validation"
        _draw(left, run, name, label=words, linestyle=style, color=color)
    left.set(xlabel="epoch", ylabel="loss", title=f"Loss, {run.data.name}".replace("$", r"\$"))
    metric = run.score.metric
    factor = 100 if metric in SHARES else 1
    _draw(right, run, f"val_{metric}", factor, label="validation", color=COLORS["s2"])
    for floor in run.floors[:1]:
        name = f"floor: {floor.name}".replace("$", r"\$")
        right.axhline(factor * floor.score.value, color="0.5", linestyle=":", label=name)
    unit = " (%)" if metric in SHARES else ""
    title = f"{metric_name(metric)} {show(metric, run.score.value)}, {part_name(run.score.split)}"
    right.set(xlabel="epoch", ylabel=metric_name(metric) + unit, title=title)
    for axes in (left, right):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False)
    return np.array([left, right], dtype=object)


def notebook_html(run: Run) -> str:
    """A run in a notebook: verdict, scores, loss and findings; at most 100 kB, no script."""
    scores = [("this run", run.score), *((floor.name, floor.score) for floor in run.floors[:8])]
    metric = run.score.metric
    rows = [[data_name(n, 40), show(metric, s.value), interval(s), f"{s.n:,}"] for n, s in scores]
    heads = ["", metric_name(metric), "95 % interval", f"{part_name(run.score.split)} rows"]
    alarms = [one for one in run.findings if one.level != "observation"]
    found = [tag("li", one.level, ": ", tag("code", one.code), ", ", safe(one.claim, 400))
             for one in alarms[:MOST_FINDINGS]]  # fmt: skip
    return tag(
        "div",
        tag("p", tag("strong", data_name(run.data.name)), ": ", safe(run.verdict, 400)),
        table(heads, rows, {1, 2, 3}),
        tag("div", *pictures_of(loss_figure(run)), style="max-width:460px"),
        tag("ul", *found) if found else "",
        tag("p", tag("small", join("Folder ", tag("code", run.path)))),
    )


def _draw(axes: Axes, run: Run, name: str, factor: float = 1.0, **style: Any) -> None:
    x, y = epochs_of(run, name)
    if len(x):
        axes.plot(x, factor * y, marker="." if len(x) <= 40 else None, **style)
