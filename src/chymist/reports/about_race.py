"""The report of a race of optimisers: who leads, and loss by rate and by epoch of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.evidence.optimizer_races import GOOD, HEADS, Race, Racer, cells_of
from chymist.reports.charts import Line, Mark, interval_chart, line_chart
from chymist.reports.markup import Markup, data_name, figure, join, pairs, table, tag
from chymist.reports.numbers import seconds
from chymist.reports.page import page
from chymist.values import Data, Recipe


def race_html(found: Race, data: Data) -> str:
    """The report of a race as one HTML page: no script, no request to anywhere.

    Args:
        found: the race.
        data: its data.

    Returns:
        The page; the same race gives the same bytes, but for the seconds.
    """
    sections = [
        ("verdict", "Verdict", _verdict(found)),
        ("rates", "Loss by rate", tag("div", *map(_rates_figure, found.racers), class_="grid")),
        ("curves", "Loss by epoch", _curves(found)),
        ("cost", "What was trained", _cost(found)),
        ("limits", "What this report cannot tell", _limits()),
    ]
    eyebrow = f"chymist report of a race, {len(found.racers)} optimisers"
    return page(f"{data.name}: race", eyebrow, join("Race on ", data_name(data.name)), sections)


def good_rates_chart(racers: Sequence[Racer]) -> Markup:
    """The best rate of each racer, and the good ones around it."""
    rows = []
    for one in racers:
        if one.best is not None and one.good is not None:
            best, low, high = np.log10([one.rates[one.best], *one.good]).tolist()
            rows.append((one.name, best, low, high))
    return interval_chart("Best rates, and the good ones around them", rows, _rate)


def _rate(power: float) -> str:
    return f"{10**power:.2g}"


def rates_chart(racer: Racer) -> Markup:
    """Loss at the end against the rate: a faint line for each seed, and their mean."""
    at = np.log10(racer.rates)
    shown = np.where(np.isfinite(racer.losses), racer.losses, np.nan)
    lines = [Line("", at, values, "s1", faint=True) for values in shown.T]
    means = np.where(np.isfinite(racer.means), racer.means, np.nan)
    best = None if racer.best is None else Mark(float(at[racer.best]), "best")
    title = f"Validation loss of {racer.name} by learning rate"
    return line_chart(title, [*lines, Line("mean", at, means, "s2")], "log10 of the rate",
                      "validation loss", best=best)  # fmt: skip


def curves_chart(racer: Racer) -> Markup:
    """Loss after every epoch at the best rate: a faint line for each seed, and their mean."""
    curves = racer.curves[racer.best or 0]
    epochs = np.arange(1.0, curves.shape[1] + 1)
    lines = [Line("", epochs, values, "s1", faint=True) for values in curves]
    title = f"Validation loss of {racer.name} by epoch, at its best rate"
    return line_chart(title, [*lines, Line("mean", epochs, curves.mean(0), "s2")], "epoch",
                      "validation loss")  # fmt: skip


def _verdict(found: Race) -> Markup:
    note = (
        f"Losses are means over {len(found.seeds)} seeds at the best rate of each, with Student's "
        f"interval over seeds. Good rates reach at most {GOOD:g} times the loss of the best one. "
        "Lost members ended no better than a model that has learned nothing."
    )
    rows = [cells_of(one) for one in found.racers]
    twin = table(
        ["against the leader", "loss is higher by", "low", "high", "clear"],
        [[p["name"], f"{p['higher']:.3g}", f"{p['low']:.3g}", f"{p['high']:.3g}",
          "yes" if p["clear"] else "cannot tell"] for p in found.pairs], {1, 2, 3},
    )  # fmt: skip
    return join(
        tag("p", found.verdict, class_="verdict"), table(HEADS, rows, {1, 2, 4}),
        tag("p", note, class_="note"), twin, _good(found),
        *(tag("p", text, class_="caution note") for text in found.facts["notes"]),
    )  # fmt: skip


def _good(found: Race) -> Markup:
    if all(one.best is None for one in found.racers):
        return Markup("")
    title = "Best rates, as points, and the good ones around them, as lines."
    caption = "The axis is logarithmic. A wide line forgives a rate that is not well chosen."
    return figure(title, good_rates_chart(found.racers), caption)


def _rates_figure(racer: Racer) -> Markup:
    heads = ["rate", "mean loss", "lowest", "highest"]
    rows = [
        [f"{rate:g}", *(f"{value:.4g}" for value in (losses.mean(), losses.min(), losses.max()))]
        for rate, losses in zip(racer.rates, racer.losses, strict=True)
    ]
    title = f"{racer.name}: {_best_text(racer)}."
    return figure(title, rates_chart(racer), twin=table(heads, rows, {0, 1, 2, 3}))


def _curves(found: Race) -> Markup:
    drawn = [
        figure(f"{one.name} at rate {one.rates[one.best]:g}.", curves_chart(one))
        for one in found.racers
        if one.best is not None
    ]
    return tag("div", *drawn, class_="grid") if drawn else tag("p", "Every member diverged.")


def _best_text(racer: Racer) -> str:
    return "all diverged" if racer.best is None else f"best at rate {racer.rates[racer.best]:g}"


def _cost(found: Race) -> Markup:
    facts = found.facts
    how = "as populations" if facts["executor"] == "population" else "some of them by themselves"
    reason = f" ({facts['reason']})" if facts["reason"] else ""
    return join(
        pairs([
            ("members", f"{facts['members']:,}, {how}{reason}"),
            ("rows", f"{facts['train']:,} for training, {facts['valid']:,} for validation"),
            ("epochs", f"{facts['epochs']:,.0f}"), ("all work", seconds(facts["seconds"])),
        ]),
        tag("pre", Recipe.from_dict(found.recipe).to_toml()),
    )  # fmt: skip


def _limits() -> Markup:
    said = [
        "Intervals are over seeds: they say how sure the means are for these rows. Other rows, "
        "another model or another length may have another leader.",
        "Rates are those of the grid; a finer one may find better ones. An optimiser with more "
        "options than its rate was tried with those that are named.",
        "Batch gradient descent takes one step an epoch where the others take many: it has seen "
        "as many rows, and taken fewer steps.",
        "No test row was looked at.",
    ]
    return tag("ul", *(tag("li", text) for text in said))
