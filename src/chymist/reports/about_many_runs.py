"""The report of several runs on the same rows: recipes over seeds, models on rows, curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chymist.evidence.comparison import Pair
from chymist.reports.about_comparison import MOST_PAIRS, pair_cells
from chymist.reports.bands import differences_chart, dots_chart
from chymist.reports.charts import interval_chart
from chymist.reports.markup import Markup, block, data_name, figure, join, safe, stored, table, tag
from chymist.reports.numbers import metric_name, part_name
from chymist.reports.page import page
from chymist.reports.saying import Say, saying
from chymist.reports.study_parts import (
    bullets,
    cell_text,
    curve_figures,
    points_text,
    span_text,
    stored_text,
    value_text,
)
from chymist.values import Score, show

FEWEST = 3  # seeds of which a difference of recipes is decided
SEED_TEST = "paired seeds"
MOST_CURVES = 8  # recipes that are drawn
Curves = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Experiment:
    """Runs of one recipe on the same rows.

    Args:
        name: what to call it.
        runs, seeds, values: of each, in the order of the seeds.
    """

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ManyFound:
    """What a comparison of several runs found.

    Args:
        verdict: what can be told of the recipes; if it is too little, then of the models too.
        recipes, models: a sentence about recipes over seeds, and one about these trained models.
        metric, part: what was scored.
        scores: of every run, best first.
        experiments: runs of one recipe together.
        over_seeds, on_rows: pairs of experiments, and of runs.
        differs: fields of recipes that differ, one value for each experiment.
        out: runs that could not be compared, and why.
        data: name of the data.
    """

    verdict: str
    recipes: str
    models: str
    metric: str
    part: str
    scores: tuple[tuple[str, Score], ...]
    experiments: tuple[Experiment, ...]
    over_seeds: tuple[Pair, ...]
    on_rows: tuple[Pair, ...]
    differs: Mapping[str, list[Any]]
    out: Mapping[str, str]
    data: str


def many_runs_html(found: ManyFound, curves: Curves, script: str, lang: str = "en") -> str:
    """The report of several runs as one HTML page: no script, no request to anywhere.

    Args:
        found: the comparison.
        curves: recorded series by number of the experiment and name, (seeds, epochs).
        script: Python source that does the same.
        lang: "en" or "zh".
    """
    say = saying(lang)
    sections = [
        ("verdict", say("Verdict"), _verdict(found, say)),
        ("seeds", say("Recipes over seeds"), _seeds(found, say)),
        ("rows", say("Trained models on rows"), _rows(found, say)),
        ("curves", say("Training"), _curves(found, curves, say)),
        ("recipes", say("What differs"), _differs(found, say)),
        ("again", say("Doing it again"), block(script)),
        ("limits", say("What this report cannot tell"), _limits(say)),
    ]
    eyebrow = say("chymist report of {n} runs", n=len(found.scores))
    heading = join(say("Runs on "), data_name(found.data))
    return page(f"{found.data}: runs", eyebrow, heading, sections, say)


def _verdict(found: ManyFound, say: Say) -> Markup:
    """The sentence, and all scores on one axis."""
    metric, n = found.metric, found.scores[0][1].n
    title = say("{metric} on {n} {part} rows", metric=metric_name(metric, say), n=f"{n:,}",
                part=part_name(found.part, say))  # fmt: skip
    rows = [(name, one.value, one.low, one.high) for name, one in found.scores]
    picture = interval_chart(title, rows, lambda value: show(metric, value))
    twin = table([say("run"), metric_name(metric, say), say("95 % interval")],
                 [[name, show(metric, one.value), span_text(one)] for name, one in found.scores],
                 {1, 2})  # fmt: skip
    out = [tag("li", data_name(name), ": ", safe(why, 300)) for name, why in found.out.items()]
    left = [tag("h3", say("Out of the comparison")), tag("ul", *out)] if out else []
    said = [found.recipes] if found.verdict == found.recipes else [found.recipes, found.models]
    return join(
        *(tag("p", stored(one, say, 1200), class_="verdict") for one in said),
        figure(safe(title), picture, twin=twin, say=say), *left,
    )  # fmt: skip


def _seeds(found: ManyFound, say: Say) -> Markup:
    """The metric of every seed: dots of the same seed are joined where all have it."""
    metric, shown = found.metric, found.experiments
    title = say("Each dot is one training, scored on the same rows.")
    aligned = len({one.seeds for one in shown}) == 1
    picture = dots_chart(title, [(one.name, np.array(one.values)) for one in shown],
                         lambda value: show(metric, value),
                         joined=aligned and len(shown) > 1)  # fmt: skip
    twin = table([say("entry"), say("run"), say("seed"), metric_name(metric, say)],
                 [[one.name, run, seed, value_text(metric, value)] for one in shown
                  for run, seed, value in zip(one.runs, one.seeds, one.values, strict=True)],
                 {2, 3})  # fmt: skip
    words = say(
        "Differences are paired on seeds, with Student's interval over them: it speaks for these "
        "rows and other seeds. Below {n} seeds nothing is decided.",
        n=FEWEST,
    )
    return join(tag("p", stored_text(found.recipes, say)),
                figure(title, picture, twin=twin, say=say),
                _pairs(found.over_seeds, found.metric, say),
                tag("p", words, class_="note"))  # fmt: skip


def _rows(found: ManyFound, say: Say) -> Markup:
    """Each two trained models on the rows that both were scored on."""
    words = say("Pairs of trained models are compared on rows: McNemar's exact test, DeLong's, or "
                "the bootstrap of the difference. Another seed may say otherwise.")  # fmt: skip
    return join(tag("p", stored_text(found.models, say)),
                _pairs(found.on_rows, found.metric, say),
                tag("p", words, class_="note"))  # fmt: skip


def _pairs(made: tuple[Pair, ...], metric: str, say: Say) -> Markup:
    """Differences beside zero, and their table."""
    if not made:
        return Markup("")
    clear = sum(pair.better is not None for pair in made)
    title = say("{clear} of {n} differences are clear.", clear=clear, n=len(made))
    rows = [(f"{p.a} − {p.b}", p.difference, p.low, p.high, p.better is not None)
            for p in made[:MOST_PAIRS]]  # fmt: skip
    picture = differences_chart(title, rows, points_text(metric, say))
    return join(figure(title, picture, say=say),
                table(*pair_cells(list(made), metric, say), {2, 3, 4}, say=say))  # fmt: skip


def _curves(found: ManyFound, curves: Curves, say: Say) -> Markup:
    """Curves of each recipe, with a band over its seeds."""
    courses = []
    for number, one in enumerate(found.experiments[:MOST_CURVES]):
        mine = {name.partition("/")[2]: values for name, values in curves.items()
                if name.partition("/")[0] == str(number)}  # fmt: skip
        if mine:
            courses.append((one.name, mine))
    return curve_figures(courses, say)


def _differs(found: ManyFound, say: Say) -> Markup:
    """Fields of recipes that differ."""
    if not found.differs:
        return tag("p", say("The recipes are the same."))
    rows = [[name, *map(cell_text, values)] for name, values in found.differs.items()]
    return table([say("field"), *(one.name for one in found.experiments)], rows)


def _limits(say: Say) -> Markup:
    return bullets([
        say("Runs that share rows share their luck: other rows may order the recipes otherwise. "
            "`chymist compare` draws new folds."),
        say("New rows are taken to come from where these rows came from."),
    ])  # fmt: skip
