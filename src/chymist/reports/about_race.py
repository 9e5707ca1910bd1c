"""The report of a race of optimisers: who leads, and loss by rate and by epoch of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chymist.evidence.optimizer_races import GOOD, HEADS, Race, Racer, cells_of
from chymist.evidence.studies import DataRecord, How, ends
from chymist.reports.bands import Course, band_chart
from chymist.reports.charts import Line, Mark, interval_chart, line_chart
from chymist.reports.markup import (
    Markup,
    block,
    data_name,
    figure,
    join,
    pairs,
    safe,
    stored,
    table,
    tag,
)
from chymist.reports.numbers import seconds
from chymist.reports.page import page
from chymist.reports.saying import ENGLISH, Say, saying
from chymist.reports.study_parts import again_section, bullets, executor_text
from chymist.values import Recipe


def race_html(
    found: Race, data: DataRecord, how: How, script: str, lang: str = "en"
) -> str:  # fmt: skip
    """The report of a race as one HTML page: no script, no request to anywhere.

    Args:
        found: the race.
        data, how: as in its record.
        script: Python source that does the same.
        lang: "en" or "zh".

    Returns:
        The page; the same race gives the same bytes, but for the seconds.
    """
    say = saying(lang)
    rates = [_rates_figure(one, say) for one in found.racers]
    sections = [
        ("verdict", say("Verdict"), _verdict(found, say)),
        ("rates", say("Loss by rate"), tag("div", *rates, class_="grid")),
        ("curves", say("Loss by epoch"), _curves(found, say)),
        ("cost", say("What it cost"), _cost(found, say)),
        ("again", say("Doing it again"), again_section(how, script, say)),
        ("limits", say("What this report cannot tell"), _limits(say)),
    ]
    eyebrow = say("chymist report of a race, {n} optimisers", n=len(found.racers))
    heading = join(say("Race on "), data_name(data.name))
    return page(f"{data.name}: race", eyebrow, heading, sections, say)


def good_rates_chart(racers: Sequence[Racer], say: Say = ENGLISH) -> Markup:
    """The best rate of each racer, and the good ones around it."""
    rows = []
    for one in racers:
        if one.best is not None and one.good is not None:
            best, low, high = np.log10([one.rates[one.best], *one.good]).tolist()
            rows.append((one.name, best, low, high))
    return interval_chart(say("Best rates, and the good ones around them"), rows, _rate)


def _rate(power: float) -> str:
    return f"{10**power:.2g}"


def rates_chart(racer: Racer, say: Say) -> Markup:
    """Loss at the end against the rate: a faint line for each seed, and their mean."""
    at = np.log10(racer.rates)
    shown = np.where(np.isfinite(racer.losses), racer.losses, np.nan)
    lines = [Line("", at, values, "s1", faint=True) for values in shown.T]
    means = np.where(np.isfinite(racer.means), racer.means, np.nan)
    best = None if racer.best is None else Mark(float(at[racer.best]), say("best"))
    title = say("Validation loss of {name} by learning rate", name=racer.name)
    return line_chart(title, [*lines, Line(say("mean"), at, means, "s2")],
                      say("log10 of the rate"), say("validation loss"), best=best,
                      say=say)  # fmt: skip


def curves_chart(racer: Racer, say: Say) -> Markup:
    """Loss after every epoch at the best rate: thin lines of the seeds, their mean and its band."""
    title = say("Validation loss of {name} by epoch, at its best rate", name=racer.name)
    return band_chart(title, [Course(say("mean"), racer.curves[racer.best or 0])],
                      (say("epoch"), say("validation loss")))  # fmt: skip


def _verdict(found: Race, say: Say) -> Markup:
    note = say(
        "Losses are means over {n} seeds at the best rate of each, with Student's interval over "
        "seeds. Good rates reach at most {times} times the loss of the best one. Lost members "
        "ended no better than a model that has learned nothing.",
        n=len(found.seeds), times=f"{GOOD:g}",
    )  # fmt: skip
    rows = [cells_of(one) for one in found.racers]
    twin = table(
        [say("against the leader"), say("loss is higher by"), say("low"), say("high"),
         say("clear")],
        [[p["name"], *(f"{v:.3g}" for v in ends(p["higher"], p["low"], p["high"])),
          say("yes") if p["clear"] else say("cannot tell")] for p in found.pairs], {1, 2, 3},
    )  # fmt: skip
    heads = [say("optimiser"), *map(say.word, HEADS[1:])]
    return join(
        tag("p", stored(found.verdict, say), class_="verdict"), table(heads, rows, {1, 2, 4}),
        tag("p", note, class_="note"), twin if found.pairs else "", _good(found, say),
        *(tag("p", stored(text, say), class_="caution note") for text in found.facts["notes"]),
    )  # fmt: skip


def _good(found: Race, say: Say) -> Markup:
    if all(one.best is None for one in found.racers):
        return Markup("")
    title = say("Best rates, as points, and the good ones around them, as lines.")
    caption = say("The axis is logarithmic. A wide line forgives a rate that is not well chosen.")
    return figure(title, good_rates_chart(found.racers, say), caption, say=say)


def _rates_figure(racer: Racer, say: Say) -> Markup:
    heads = [say("rate"), say("mean loss"), say("lowest"), say("highest")]
    rows = [
        [f"{rate:g}", *(f"{value:.4g}" for value in (losses.mean(), losses.min(), losses.max()))]
        for rate, losses in zip(racer.rates, racer.losses, strict=True)
    ]
    title = say("{name}: all diverged.", name=racer.name)
    if racer.best is not None:
        title = say("{name}: best at rate {rate}.", name=racer.name,
                    rate=f"{racer.rates[racer.best]:g}")  # fmt: skip
    twin = table(heads, rows, {0, 1, 2, 3})
    return figure(safe(title), rates_chart(racer, say), twin=twin, say=say)


def _curves(found: Race, say: Say) -> Markup:
    drawn = [
        figure(say("{name} at rate {rate}.", name=one.name, rate=f"{one.rates[one.best]:g}"),
               curves_chart(one, say), say=say)
        for one in found.racers
        if one.best is not None and np.isfinite(one.curves[one.best]).any()
    ]  # fmt: skip
    if drawn:
        return tag("div", *drawn, class_="grid")
    lost = all(one.best is None for one in found.racers)
    return tag("p", say("Every member diverged.") if lost else say("No curve was recorded."))


def _cost(found: Race, say: Say) -> Markup:
    facts = found.facts
    rows = say("{train} for training, {valid} for validation", train=f"{facts['train']:,}",
               valid=f"{facts['valid']:,}")  # fmt: skip
    items: list[tuple[object, object]] = [
        (say("members"), f"{facts['members']:,}"),
        (say("carried out"), executor_text(facts["executor"], say)),
        (say("rows"), rows), (say("epochs"), f"{facts['epochs']:,.0f}"),
        (say("all work"), seconds(facts["seconds"], say)),
    ]  # fmt: skip
    if facts["reason"]:
        items.append((say("why each by itself"), stored(facts["reason"], say)))
    return join(pairs(items), block(Recipe.from_dict(found.recipe).to_toml()))


def _limits(say: Say) -> Markup:
    return bullets([
        say("Intervals are over seeds: they say how sure the means are for these rows. Other rows, "
            "another model or another length may have another leader."),
        say("Rates are those of the grid; a finer one may find better ones. An optimiser with more "
            "options than its rate was tried with those that are named."),
        say("Batch gradient descent takes one step an epoch where the others take many: it has "
            "seen as many rows, and taken fewer steps."),
        say("No test row was looked at."),
    ])  # fmt: skip
