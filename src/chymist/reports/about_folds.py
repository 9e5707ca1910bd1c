"""The reports of many trainings of one recipe: the folds of a cross-validation, a population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from chymist.evidence.studies import (
    CrossValidationRecord,
    FitFacts,
    FoldRecord,
    MemberRecord,
    NamedFloor,
    PopulationRecord,
    differing,
    flat,
    numbers,
)
from chymist.metrics import find
from chymist.reports.bands import dots_chart
from chymist.reports.charts import Mark, histogram, interval_chart
from chymist.reports.markup import Markup, data_name, figure, join, pairs, safe, stored, table, tag
from chymist.reports.numbers import metric_name, part_name, seconds
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
    span_text,
    stored_text,
    value_text,
)
from chymist.values import Score, show

Curves = Mapping[str, np.ndarray]
MOST_ROWS = 400  # of a table of trainings
MANY = 60  # trainings of a row of dots; more are a histogram
FEW_KINDS = 30  # rows of dots


def cross_validation_html(
    found: CrossValidationRecord, curves: Curves, script: str, lang: str = "en"
) -> str:
    """The report of a cross-validation as one HTML page: no script, no request to anywhere.

    Args:
        found: the cross-validation.
        curves: recorded series of its trainings by name, (fits, epochs).
        script: Python source that does the same.
        lang: "en" or "zh".

    Returns:
        The page; the same cross-validation gives the same bytes.
    """
    say = saying(lang)
    sections = [
        ("verdict", say("Verdict"), _fold_verdict(found, say)),
        ("folds", say("Folds"), _folds_section(found, say)),
        ("curves", say("Training"), curve_figures([("", dict(curves))], say)),
        ("cost", say("What it cost"), _cost(found.facts, len(found.folds), say)),
        ("how", say("How it was measured"), _how(found, say)),
        ("recipe", say("The recipe"), _recipes([found.recipe], say)),
        ("again", say("Doing it again"), again_section(found.how, script, say)),
        ("limits", say("What this report cannot tell"), _fold_limits(found, say)),
    ]
    eyebrow = say("chymist report of a cross-validation, {n} trainings", n=len(found.folds))
    heading = join(data_name(found.data.name), ", ", data_name(found.facts.model))
    return page(f"{found.data.name}: {found.score.score}", eyebrow, heading, sections, say)


def population_html(
    found: PopulationRecord, curves: Curves, script: str, lang: str = "en"
) -> str:  # fmt: skip
    """The report of a population as one HTML page; arguments as for `cross_validation_html`."""
    say = saying(lang)
    floor = _floor_mark(found.floors, say)
    sections = [
        ("verdict", say("Verdict"), _population_verdict(found, say)),
        ("members", say("Members"), _members_section(found, say)),
        ("curves", say("Training"), curve_figures(_by_recipe(found, curves, say), say, floor)),
        ("cost", say("What it cost"), _cost(found.facts, len(found.members), say)),
        ("how", say("How it was measured"),
         pairs(how_items(found.data, found.how, False, say)[:-1])),
        ("recipe", say("The recipe"), _recipes(found.recipes, say)),
        ("again", say("Doing it again"), again_section(found.how, script, say)),
        ("limits", say("What this report cannot tell"), _population_limits(found, say)),
    ]  # fmt: skip
    eyebrow = say("chymist report of a population, {n} members", n=len(found.members))
    heading = join(say("Population on "), data_name(found.data.name))
    return page(f"{found.data.name}: population", eyebrow, heading, sections, say)


def _fold_verdict(found: CrossValidationRecord, say: Say) -> Markup:
    """The sentence, the score with its interval, and the floors."""
    score = found.score.score
    rows = say("{n} {part} rows", n=f"{score.n:,}", part=part_name(score.split, say))
    if score.groups is not None:
        rows += say(" in {n} groups, by group", n=f"{score.groups:,}")
    corrected = found.corrected.score if found.corrected else None
    headline = tag(
        "div",
        tag("p", say("{metric}, predicted by models that had not seen the row",
                     metric=metric_name(score.metric, say)), class_="eyebrow"),
        tag("p", show(score.metric, score.value), class_="big"),
        tag("p", say("95 % interval {interval}, on {rows}.", interval=span_text(score), rows=rows)),
        "" if corrected is None else tag("p", say(
            "For a model that is trained on all rows the bootstrap says {value} {interval}.",
            value=show(score.metric, corrected.value), interval=span_text(corrected))),
        *(tag("p", text, class_="note") for text in _row_notes(found.facts, say)),
    )  # fmt: skip
    sentence = tag("p", stored(found.verdict, say), class_="verdict") if found.verdict else ""
    floors = _floors_figure(score, found.facts.model, found.floors, say)
    return join(sentence, tag("div", headline, floors, class_="head"))


def _row_notes(facts: FitFacts, say: Say) -> list[str]:
    """What a reader of the score should know of its rows."""
    said = []
    if facts.never_held:
        said.append(say("{n} rows were never held out; the score is of the others.",
                        n=f"{facts.never_held:,}"))  # fmt: skip
    if facts.duplicates:
        said.append(say("{n} rows have an exact copy: training may have seen the copy of a "
                        "held-out row.", n=f"{facts.duplicates:,}"))  # fmt: skip
    if facts.rare_classes:
        said.append(say("Classes with fewer rows than folds: {names}.",
                        names=", ".join(map(str, facts.rare_classes[:10]))))  # fmt: skip
    return said


def _floors_figure(score: Score, name: str, floors: Sequence[NamedFloor], say: Say) -> Markup:
    """The model and its floors on one axis."""
    if not floors:
        return tag("p", say("There is no floor to compare with."), class_="note")
    scores = [(name, score),
              *((stored_text(one.name, say), one.score.score) for one in floors)]  # fmt: skip
    value = show(score.metric, floors[0].score.score.value)
    title = say("The strongest floor, {name}, reaches {value}.", name=scores[1][0], value=value)
    better = (say("more is better") if find(score.metric).greater_is_better
              else say("less is better"))  # fmt: skip
    caption = say("Axis: {metric} ({better}); lines are 95 % intervals of each score alone.",
                  metric=metric_name(score.metric, say), better=better)  # fmt: skip
    picture = interval_chart(title, [(n, s.value, s.low, s.high) for n, s in scores],
                             lambda value: show(score.metric, value))  # fmt: skip
    heads = [say("method"), metric_name(score.metric, say), say("low"), say("high"), say("rows")]
    twin = table(heads, [[n, *(show(s.metric, v) for v in (s.value, s.low, s.high)), f"{s.n:,}"]
                         for n, s in scores], {1, 2, 3, 4})  # fmt: skip
    return figure(safe(title), picture, caption, twin, say)


def _folds_section(found: CrossValidationRecord, say: Say) -> Markup:
    """The metric of each fold: dots a seed, the worst one, all of them as a table."""
    metric = found.score.metric
    values = numbers([one.value for one in found.folds])
    by_seed: dict[int, list[float]] = {}
    for one, value in zip(found.folds, values, strict=True):
        by_seed.setdefault(found.how.seed + one.repeat, []).append(float(value))
    single = all(one.n == 1 for one in found.folds)
    if single:
        said = say("Every fold holds one row, and one row has no {metric} of its own worth the "
                   "name: look at the score.", metric=metric_name(metric, say))  # fmt: skip
        return join(tag("p", said), _folds_table(found, values, say))
    rows = [(say("seed {n}", n=seed), np.array(some)) for seed, some in by_seed.items()]
    return join(_spread(rows, values, metric, found.floors, say),
                _worst(found, values, say), _folds_table(found, values, say))  # fmt: skip


def _spread(
    rows: Sequence[tuple[str, np.ndarray]], values: np.ndarray, metric: str,
    floors: Sequence[NamedFloor], say: Say,
) -> Markup:  # fmt: skip
    """How the scores of trainings are spread: dots of each kind, or a histogram of many."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return tag("p", say("No training has a score of its own."))
    low, high = show(metric, float(finite.min())), show(metric, float(finite.max()))
    title = say("Scores of single trainings reach from {low} to {high}.", low=low, high=high)
    name = metric_name(metric, say)
    if len(rows) > FEW_KINDS or max(len(some) for _, some in rows) > MANY:
        picture = histogram(title, finite, name, y_title=say("trainings"))
        caption = say("Counts of trainings by {metric}.", metric=name)
    else:
        floor = _floor_mark(floors, say)
        room = 0.5 * float(finite.max() - finite.min())
        near = floor and finite.min() - room <= floor.value <= finite.max() + room
        picture = dots_chart(title, rows, lambda value: show(metric, value),
                             floor=floor if near else None)  # fmt: skip
        caption = say("Each dot is one training, the bar is their mean.")
    spread = float(finite.std(ddof=1)) if len(finite) > 1 else float("nan")
    more = say("Their standard deviation is {value}.", value=points_text(metric, say)(spread))
    return figure(safe(title), picture, f"{caption} {more}" if len(finite) > 1 else caption,
                  say=say)  # fmt: skip


def _floor_mark(floors: Sequence[NamedFloor], say: Say) -> Mark | None:
    """The strongest floor as a level."""
    if not floors:
        return None
    return Mark(floors[0].score.score.value, say("floor"))


def _worst(found: CrossValidationRecord, values: np.ndarray, say: Say) -> Markup:
    """The fold with the worst score, and how far it is from the mean."""
    metric = found.score.metric
    sign = 1 if find(metric).greater_is_better else -1
    worst = int(np.nanargmin(sign * values))
    one = found.folds[worst]
    rest = np.delete(values, worst)
    rest = rest[np.isfinite(rest)]
    text = say("The worst fold is fold {fold} of seed {seed}: {value} on {n} rows",
               fold=one.fold, seed=found.how.seed + one.repeat,
               value=value_text(metric, float(values[worst])), n=f"{one.n:,}")  # fmt: skip
    if len(rest):
        text += say(", where the others have {value} on average",
                    value=show(metric, float(rest.mean())))  # fmt: skip
    return tag("p", say("{claim}. Its rows are in predictions.csv.", claim=text))


def _folds_table(found: CrossValidationRecord, values: np.ndarray, say: Say) -> Markup:
    metric = found.score.metric

    def cells(one: FoldRecord, value: float) -> list[object]:
        return [found.how.seed + one.repeat, one.fold, f"{one.n:,}", value_text(metric, value),
                f"{one.epochs:g}"]  # fmt: skip

    heads = [say("seed"), say("fold"), say("rows"), metric_name(metric, say), say("epochs")]
    rows = [cells(one, float(v)) for one, v in zip(found.folds, values, strict=True)]
    return table(heads, rows, set(range(5)), MOST_ROWS, say)


def _how(found: CrossValidationRecord, say: Say) -> Markup:
    items = how_items(found.data, found.how, found.sealed, say)
    if not found.how.protocol and found.facts.protocol:
        items.append((say("rows were cut by"), tag("code", found.facts.protocol)))
    order = {"own": say("each its own"), "shared": say("one order for all")}
    items.append((say("order of the rows"), order.get(found.facts.order, found.facts.order)))
    return pairs(items)


def _cost(facts: FitFacts, count: int, say: Say) -> Markup:
    """How the trainings were carried out and how long it took."""
    items: list[tuple[object, object]] = [
        (say("trainings"), f"{count:,}"),
        (say("carried out"), executor_text(facts.executor, say)),
        (say("all work"), seconds(facts.seconds, say)),
    ]
    if facts.epochs:
        items.append((say("epochs, all trainings"), f"{facts.epochs:,.0f}"))
    if facts.parameters is not None:
        items.append((say("parameters"), f"{facts.parameters:,}"))
    if facts.reason:
        items.append((say("why each by itself"), stored(facts.reason, say)))
    return pairs(items)


def _recipes(recipes: Sequence[Mapping[str, object]], say: Say) -> Markup:
    """One recipe with its fields, or what differs between several."""
    if not recipes or not recipes[0]:
        return tag("p", say("The recipe was not recorded."))
    if len(recipes) == 1:
        rows = [
            [name, cell_text(value)]
            for name, value in flat(recipes[0]).items()
            if value is not None
        ]
        return join(table([say("field"), say("value")], rows),
                    tag("p", say("What is not named has the default for this kind of data."),
                        class_="note"))  # fmt: skip
    shown = {say("recipe {n}", n=n + 1): one for n, one in enumerate(recipes[:12])}
    rows = [[name, *map(cell_text, values)] for name, values in differing(shown).items()]
    left = say("The first {n} of {all} recipes.", n=len(shown), all=len(recipes))
    note = tag("p", left, class_="note") if len(recipes) > len(shown) else ""
    return join(table([say("field"), *shown], rows), note)


def _fold_limits(found: CrossValidationRecord, say: Say) -> Markup:
    said = [
        say("It scores a way to train, on this number of rows; no single model was scored."),
        say("Folds share training rows: their spread understates how much new data would change."),
        say("New rows are taken to come from where these rows came from."),
    ]
    if 0 < found.how.seeds < 3:
        said.insert(0, say("Fewer than three seeds do not show how much another initialisation "
                           "would change."))  # fmt: skip
    if not found.sealed:
        said.append(say("No test rows are sealed for a last, honest look."))
    return bullets(said)


def _population_verdict(found: PopulationRecord, say: Say) -> Markup:
    """The mean of the members with its interval, the ensemble, and the floors."""
    metric, sound = found.metric, [one for one in found.members if one.score is not None]
    if not sound or sound[0].score is None:
        return tag("p", say("Every member diverged."), class_="verdict")
    first = sound[0].score.score
    lost = len(found.members) - len(sound)
    name, part = metric_name(metric, say), part_name(first.split, say)
    rows = say("{n} {part} rows", n=f"{first.n:,}", part=part)
    values = np.array([one.score.score.value for one in sound if one.score is not None])
    headline = [
        tag("p", say("mean {metric} of {n} members, {part} rows", metric=name, n=len(sound),
                     part=part), class_="eyebrow"),
        tag("p", show(metric, float(values.mean())), class_="big"),
        *(tag("p", text) for text in population_intervals(found, rows, say)),
    ]  # fmt: skip
    if first.selected_on:
        headline.append(tag("p", say("Weights were chosen by {series} on these rows, so the scores "
                                     "are optimistic.", series=first.selected_on),
                            class_="caution note"))  # fmt: skip
    if lost:
        headline.append(tag("p", say("{n} members diverged.", n=lost), class_="caution note"))
    return join(
        tag("p", population_sentence(found, values, say), class_="verdict"),
        tag("div", tag("div", *headline), _members_beside_floors(found, say), class_="head"),
    )


def population_sentence(found: PopulationRecord, values: np.ndarray, say: Say) -> str:
    """Where the members stand, beside the strongest floor."""
    metric = found.metric
    mean = show(metric, float(values.mean()))
    if len(values) < 2:
        return say("One member reaches {value}: cannot tell what other seeds would give.",
                   value=mean)  # fmt: skip
    low, high = show(metric, float(values.min())), show(metric, float(values.max()))
    text = say("{n} members reach {value} on average, from {low} to {high}", n=len(values),
               value=mean, low=low, high=high)  # fmt: skip
    if found.floors:
        floor = found.floors[0]
        level, sign = floor.score.score.value, 1 if find(metric).greater_is_better else -1
        above = int((sign * values > sign * level).sum())
        text += say("; {n} of them are better than {floor} ({level})", n=above,
                    floor=stored_text(floor.name, say), level=show(metric, level))  # fmt: skip
    return say("{claim}.", claim=text)


def population_intervals(found: PopulationRecord, rows: str, say: Say) -> list[str]:
    """The interval of the mean over members, and the ensemble."""
    said, metric = [], found.metric
    if found.mean is not None and found.mean.low is not None and found.mean.high is not None:
        text = f"[{show(metric, found.mean.low)}, {show(metric, found.mean.high)}]"
        said.append(say("95 % interval of the mean over members {interval}, for these {rows}.",
                        interval=text, rows=rows))  # fmt: skip
    if found.ensemble is not None:
        one = found.ensemble.score
        said.append(say("Their average prediction, which is another model than any of them, has "
                        "{value} {interval}.", value=show(metric, one.value),
                        interval=span_text(one)))  # fmt: skip
    return said


def _members_beside_floors(found: PopulationRecord, say: Say) -> Markup:
    """The ensemble, or the first member, with the floors."""
    sound = [one for one in found.members if one.score is not None]
    chosen = found.ensemble or sound[0].score
    assert chosen is not None
    name = say("ensemble") if found.ensemble else say("member {n}", n=sound[0].member)
    return _floors_figure(chosen.score, name, found.floors, say)


def _members_section(found: PopulationRecord, say: Say) -> Markup:
    """How the scores of members are spread, by recipe, and all of them as a table."""
    values = numbers([_value(one) for one in found.members])
    kinds: dict[int, list[float]] = {}
    for one, value in zip(found.members, values, strict=True):
        kinds.setdefault(one.recipe, []).append(float(value))
    name = say("all members")
    rows = [(say("recipe {n}", n=kind + 1) if len(kinds) > 1 else name, np.array(some))
            for kind, some in kinds.items()]  # fmt: skip
    several = len(kinds) > 1
    heads = [say("member"), *([say("recipe")] if several else []), say("seed"),
             metric_name(found.metric, say), say("95 % interval"), say("epochs")]  # fmt: skip
    cells = [
        [one.member, *([one.recipe + 1] if several else []), one.seed,
         value_text(found.metric, value) if isfinite(value) else _lost(one, say),
         span_text(one.score.score) if one.score else "", f"{one.epochs:g}"]
        for one, value in zip(found.members, values, strict=True)
    ]  # fmt: skip
    return join(_spread(rows, values, found.metric, found.floors, say),
                table(heads, cells, set(range(len(heads))), MOST_ROWS, say))  # fmt: skip


def _value(one: MemberRecord) -> float | None:
    return None if one.score is None else one.score.value


def _lost(one: MemberRecord, say: Say) -> str:
    where = str((one.error or {}).get("where", ""))
    return say("diverged ({where})", where=where) if where else say("diverged")


def _by_recipe(
    found: PopulationRecord, curves: Curves, say: Say
) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Series of the members of each recipe; of many recipes those of all members together."""
    kinds = sorted({one.recipe for one in found.members})
    if not 1 < len(kinds) <= 6:
        return [("", dict(curves))]
    places = {kind: [n for n, one in enumerate(found.members) if one.recipe == kind]
              for kind in kinds}  # fmt: skip
    return [
        (say("recipe {n}", n=kind + 1),
         {name: values[places[kind]] for name, values in curves.items()
          if max(places[kind]) < len(values)})
        for kind in kinds
    ]  # fmt: skip


def _population_limits(found: PopulationRecord, say: Say) -> Markup:
    seeds = len({one.seed for one in found.members})
    said = [
        say("The interval of the mean is over members, for these rows; other rows are not in it."),
        say("Nothing here has looked at test rows."),
        say("New rows are taken to come from where these rows came from."),
    ]
    if seeds < 3:
        said.insert(0, say("Fewer than three seeds do not show how much another initialisation "
                           "would change."))  # fmt: skip
    return bullets(said)
