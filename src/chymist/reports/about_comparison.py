"""The report of a comparison: who wins, by how much and how surely, what differs, what it cost."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chymist.evidence.comparison import T_TEST, Pair, verdict_of
from chymist.evidence.studies import ComparisonRecord, EntryRecord, differing, flat
from chymist.evidence.verdict import amount
from chymist.metrics import find
from chymist.reports.bands import differences_chart, dots_chart
from chymist.reports.charts import Mark, bars, interval_chart
from chymist.reports.markup import (
    Markup,
    data_name,
    details,
    figure,
    join,
    pairs,
    safe,
    stored,
    table,
    tag,
)
from chymist.reports.numbers import metric_name
from chymist.reports.page import page
from chymist.reports.saying import Say, saying
from chymist.reports.study_parts import (
    again_section,
    bullets,
    cell_text,
    curve_figures,
    executor_text,
    how_items,
    points_text,
    seeds_caution,
    span_text,
    stored_text,
    value_text,
)
from chymist.values import show

MOST_PAIRS = 40  # of a picture; the table has more
MOST_ENTRIES = 40  # rows of the picture of folds
CELLS = 3000  # values that are listed as a table
Curves = Mapping[str, np.ndarray]
LOOKS = "/"  # stands between the number of an entry and the name of its series


def comparison_html(
    found: ComparisonRecord, curves: Curves, script: str, lang: str = "en"
) -> str:  # fmt: skip
    """The report of a comparison as one HTML page: no script, no request to anywhere.

    Args:
        found: the comparison.
        curves: recorded series of its trainings, by number of the entry and name ("0/train_loss").
        script: Python source that does the same.
        lang: "en" or "zh".

    Returns:
        The page; the same comparison gives the same bytes.
    """
    say = saying(lang)
    sections = [
        ("verdict", say("Verdict"), verdict_section(found, say)),
        ("pairs", say("Differences"), pairs_section(found, say)),
        ("folds", say("Fold by fold"), folds_section(found, say)),
        ("curves", say("Training"), curves_section(found, curves, say)),
        ("recipes", say("What differs"), recipes_section(found, say)),
        ("cost", say("What it cost"), cost_section(found, say)),
        ("how", say("How it was measured"), how_section(found, say)),
        ("again", say("Doing it again"), again_section(found.how, script, say)),
        ("limits", say("What this report cannot tell"), limits_section(found, say)),
    ]
    eyebrow = say("chymist report of a comparison, {n} entries", n=len(found.rows))
    heading = join(say("Comparison on "), data_name(found.data.name))
    return page(f"{found.data.name}: comparison", eyebrow, heading, sections, say)


def sentence(found: ComparisonRecord, say: Say) -> str:
    """The verdict; in English it is the recorded one."""
    design = stored_text(found.design, say)
    made = [one.pair for one in found.pairs]
    if say.lang == "en" or not made:
        return found.verdict
    return verdict_of(found.rows[0].name, made, design, found.metric, found.how.one_seed, say)


def verdict_section(found: ComparisonRecord, say: Say) -> Markup:
    """The sentence, the entries with the floor on one axis, and what a reader must know."""
    best = found.rows[0].score
    rows = say("{n} out-of-fold rows", n=f"{best.n:,}")
    if best.groups is not None:
        rows = say("{n} out-of-fold rows in {groups} groups", n=f"{best.n:,}", groups=best.groups)
    headline = tag(
        "div",
        tag("p", say("{metric} of ", metric=metric_name(best.metric, say)),
            data_name(found.rows[0].name), class_="eyebrow"),
        tag("p", show(best.metric, best.value), class_="big"),
        tag("p", say("95 % interval {interval}, on {rows}.", interval=span_text(best), rows=rows)),
        seeds_caution(found.how.seeds, say) if found.how.one_seed or found.how.seeds == 2 else "",
    )  # fmt: skip
    notes = [tag("p", stored(note, say, 400), class_="note") for note in found.notes]
    return join(
        tag("p", safe(sentence(found, say), 1200), class_="verdict"),
        tag("div", headline, entries_figure(found, say), class_="head"), *notes,
    )  # fmt: skip


def entries_figure(found: ComparisonRecord, say: Say) -> Markup:
    """The entries and the floor on one axis, with their intervals."""
    metric = found.metric
    scores = [(one.name, one.score) for one in found.rows]
    scores.append((stored_text(found.floor.name, say), found.floor.score))
    floor = stored_text(found.floor.name, say)
    title = say("The floor, {name}, reaches {value}.", name=floor,
                value=show(metric, found.floor.score.value))  # fmt: skip
    better = say("more is better") if find(metric).greater_is_better else say("less is better")
    caption = say(
        "Axis: {metric} ({better}); lines are 95 % intervals of each score alone, an arrow is a "
        "score off the axis. Whether two differ is tested on their differences, below.",
        metric=metric_name(metric, say), better=better,
    )  # fmt: skip
    picture = interval_chart(title, [(name, s.value, s.low, s.high) for name, s in scores],
                             lambda value: show(metric, value))  # fmt: skip
    heads, cells = entry_cells(found, say)
    twin = table([say("entry"), *heads[1:]], cells, {1, 2, 3, 4, 5})
    return figure(safe(title), picture, caption, twin, say)


def entry_cells(found: ComparisonRecord, say: Say) -> tuple[list[str], list[list[object]]]:
    """Heads and cells of the table of entries, with the floor as its last row."""
    metric = found.metric
    heads = ["", metric, say("95 % interval"), say("folds ±"), say("parameters"), say("time"),
             say("trained as")]  # fmt: skip
    cells: list[list[object]] = []
    by_folds = any(pair.test == T_TEST for pair in found.pairs)
    for entry in found.rows:
        count, score = entry.parameters, entry.score
        spread = show(metric, float(np.std(entry.values, ddof=1))) if by_folds else ""
        cells.append([
            entry.name, show(metric, score.value), span_text(score), spread,
            "" if count is None else f"{count:,}", f"{entry.seconds:.1f} s", entry.executor,
        ])  # fmt: skip
    score = found.floor.score
    name = stored_text(found.floor.name, say)
    cells.append([name, show(metric, score.value), span_text(score), "", "", "", say("floor")])
    return heads, cells


def pair_cells(
    pairs_: list[Pair], metric: str, say: Say
) -> tuple[list[str], list[list[object]]]:  # fmt: skip
    """Heads and cells of the table of pairs."""
    heads = [say("pair"), say("difference [95 %]"), "p", "p (Holm)", "P(equal)", say("better")]
    cells: list[list[object]] = []
    for pair in pairs_:
        within = "" if pair.equivalent is None else f"{pair.equivalent:.2f}"
        cells.append([
            f"{pair.a} - {pair.b}", amount(metric, pair.difference, pair.low, pair.high, say=say),
            f"{pair.p:.2g}", f"{pair.p_holm:.2g}", within, pair.better or say("cannot tell"),
        ])  # fmt: skip
    return heads, cells


def pairs_section(found: ComparisonRecord, say: Say) -> Markup:
    """Every two entries: their difference beside zero, and the tests."""
    made = [one.pair for one in found.pairs]
    if not made:
        return tag("p", say("There is one entry, and nothing to compare it with."))
    clear = sum(pair.better is not None for pair in made)
    title = say("{clear} of {n} differences are clear.", clear=clear, n=len(made))
    rows = [(f"{p.a} − {p.b}", p.difference, p.low, p.high, p.better is not None)
            for p in made[:MOST_PAIRS]]  # fmt: skip
    caption = say(
        "Points are differences of {metric}, lines their 95 % intervals, each of its pair alone; "
        "those in orange are clear after Holm's correction for {n} pairs.",
        metric=metric_name(found.metric, say), n=len(made),
    )  # fmt: skip
    if len(made) > MOST_PAIRS:
        caption += " " + say("The first {n} are drawn.", n=MOST_PAIRS)
    picture = differences_chart(title, rows, points_text(found.metric, say))
    tests = [_test_words(test, say) for test in sorted({pair.test for pair in made})]
    equal = say("P(equal) is the probability that the true difference is below one point (1 % of "
                "the better value of a loss).")  # fmt: skip
    return join(
        figure(title, picture, caption, say=say),
        table(*pair_cells(made, found.metric, say), {2, 3, 4}, say=say),
        *(tag("p", words, class_="note") for words in [*tests, equal]),
    )  # fmt: skip


def _test_words(test: str, say: Say) -> str:
    if test == T_TEST:
        return say("Differences are paired on the same folds and seeds: corrected resampled t-test "
                   "(Nadeau and Bengio 2003). An entry is clearly better if its interval excludes "
                   "zero and p, adjusted by Holm's method, is below 0.05.")  # fmt: skip
    return say("Pairs without a metric of each fold are compared on rows: McNemar's exact test, "
               "DeLong's, or the bootstrap of the difference.")  # fmt: skip


def folds_section(found: ComparisonRecord, say: Say) -> Markup:
    """The metric of each training: dots of the same fold and seed are joined."""
    metric = found.metric
    shown = [one for one in found.rows if np.isfinite(one.values).any()][:MOST_ENTRIES]
    if not shown:
        return tag("p", say("Single rows have no metric of their own: pairs are tested on rows."))
    title = say("Each dot is one training, scored on the rows that it had not seen.")
    floor = Mark(found.floor.score.value, say("floor"))
    least = min(float(np.nanmin(one.values)) for one in shown)
    most = max(float(np.nanmax(one.values)) for one in shown)
    room = 0.5 * (most - least)
    near = least - room <= floor.value <= most + room
    picture = dots_chart(title, [(one.name, one.values) for one in shown],
                         lambda value: show(metric, value), joined=len(shown) > 1,
                         floor=floor if near else None)  # fmt: skip
    caption = say("Lines join trainings on the same rows with the same seed; where they are "
                  "parallel, folds differ more than entries do. The bar is the mean.")  # fmt: skip
    return figure(title, picture, caption, _folds_table(found, say), say)


def _folds_table(found: ComparisonRecord, say: Say) -> Markup:
    """The values of every training, if they are not too many."""
    fits = found.how.fits
    count = max(len(one.folds) for one in found.rows)
    places = fits if len(fits) == count else [(0, n) for n in range(count)]
    heads = [say("seed"), say("fold"), *(one.name for one in found.rows)]
    limit = max(CELLS // len(heads), 1)
    rows = [
        [found.how.seed + repeat, fold,
         *(value_text(found.metric, float(one.values[n])) if n < len(one.folds) else "–"
           for one in found.rows)]
        for n, (repeat, fold) in enumerate(places[:limit])
    ]  # fmt: skip
    left = say("The first {n} of {all} trainings are listed.", n=limit, all=count)
    note = tag("p", left, class_="note") if count > limit else ""
    return join(table(heads, rows, set(range(len(heads))), limit), note)


def curves_section(found: ComparisonRecord, curves: Curves, say: Say) -> Markup:
    """Training loss of each recipe, with a band over its folds and seeds."""
    courses = []
    for number, one in enumerate(found.rows):
        mine = {name.partition(LOOKS)[2]: values for name, values in curves.items()
                if name.partition(LOOKS)[0] == str(number)}  # fmt: skip
        if mine:
            courses.append((one.name, mine))
    return curve_figures(courses[:12], say)


def recipes_section(found: ComparisonRecord, say: Say) -> Markup:
    """Fields of recipes that differ, and the estimators as they are written."""
    recipes = {e.name: e.recipe for e in found.rows if not isinstance(e.recipe, str)}
    parts = []
    if len(recipes) > 1:
        rows = [[name, *(cell_text(value) for value in values)]
                for name, values in differing(recipes).items()]  # fmt: skip
        parts.append(table([say("field"), *recipes], rows) if rows else
                     tag("p", say("The recipes are the same.")))  # fmt: skip
    others = [[data_name(e.name), tag("code", safe(e.recipe, 400))]
              for e in found.rows if isinstance(e.recipe, str)]  # fmt: skip
    if others:
        heads = [say("entry"), say("estimator of scikit-learn")]
        parts += [tag("h3", say("Estimators of scikit-learn")), table(heads, others)]
    whole = [details(one, table([say("field"), say("value")],
                                [[name, cell_text(value)] for name, value in flat(recipe).items()]))
             for one, recipe in recipes.items()]  # fmt: skip
    if len(recipes) == 1:
        parts.append(tag("p", say("One recipe stands beside estimators of scikit-learn.")))
    return join(*parts, *([tag("h3", say("The recipes, complete")), *whole] if whole else []))


def cost_section(found: ComparisonRecord, say: Say) -> Markup:
    """Seconds, parameters and epochs of each entry."""
    title = say("Seconds of each entry, all its trainings together.")
    rows = [(one.name, one.seconds, f"{one.seconds:.1f} s") for one in found.rows]
    return join(
        figure(title, bars(title, rows),
               say("Recipes that were trained as one program share their time equally."), say=say),
        table(*_cost_cells(found, say), {1, 2, 3}),
    )  # fmt: skip


def _cost_cells(found: ComparisonRecord, say: Say) -> tuple[list[str], list[list[object]]]:
    heads = [say("entry"), say("parameters"), say("epochs, all trainings"), say("time"),
             say("trained"), say("why")]  # fmt: skip
    return heads, [
        [one.name, "" if one.parameters is None else f"{one.parameters:,}", _epochs(one),
         f"{one.seconds:.1f} s", executor_text(one.executor, say), one.reason]
        for one in found.rows
    ]  # fmt: skip


def _epochs(one: EntryRecord) -> str:
    return f"{one.epochs:,.0f}" if one.epochs else ""


def how_section(found: ComparisonRecord, say: Say) -> Markup:
    """Rows, folds, seeds, and what was left out."""
    items = how_items(found.data, found.how, found.sealed, say)
    items += [(say("design"), stored_text(found.design, say)),
              (say("all work"), f"{found.seconds:.1f} s")]  # fmt: skip
    out = [tag("li", data_name(name), ": ", stored(why, say))
           for name, why in found.out.items()]  # fmt: skip
    left = [tag("h3", say("Out of the comparison")), tag("ul", *out)] if out else []
    return join(pairs(items), *left)


def limits_section(found: ComparisonRecord, say: Say) -> Markup:
    """What a careful reader would ask and this report has no answer to."""
    said = [
        say("It compares ways to train on rows like these and of this number, not two trained "
            "models."),
        say("Entries were compared as they are. One that is tuned on these rows, or an opponent "
            "that is not tuned at all, may rank otherwise."),
        say("New rows are taken to come from where these rows came from."),
    ]  # fmt: skip
    if 0 < found.how.seeds < 3:
        said.insert(0, say("Fewer than three seeds do not show how much another initialisation "
                           "would change."))  # fmt: skip
    if not found.sealed:
        said.append(say("No test rows are sealed for a last, honest look."))
    return bullets(said)
