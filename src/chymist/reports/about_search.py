"""The report of a search: what is best and how sure that is, what mattered, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chymist.evidence.searches import Search, Trial, lengths_of, text_of_point
from chymist.evidence.studies import DataRecord, How, ends
from chymist.metrics import find
from chymist.reports.charts import Line, interval_chart, line_chart
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
from chymist.reports.numbers import interval, metric_name, seconds, share
from chymist.reports.page import page
from chymist.reports.saying import Say, saying
from chymist.reports.study_parts import (
    again_section,
    bullets,
    executor_text,
    how_items,
    points_text,
    stored_text,
)
from chymist.reports.surface import Spot, surface_chart
from chymist.space import text_of, text_of_axis
from chymist.values import SHARES, show

MOST_CURVES = 200


def search_html(
    found: Search, data: DataRecord, how: How, script: str, lang: str = "en"
) -> str:  # fmt: skip
    """The report of a search as one HTML page: no script, no request to anywhere.

    Args:
        found: the search.
        data, how: as in its record.
        script: Python source that does the same; "" if it is not known.
        lang: "en" or "zh".

    Returns:
        The page; the same search gives the same bytes, but for the seconds.
    """
    say = saying(lang)
    sections = [
        ("verdict", say("Verdict"), verdict_section(found, say)),
        ("surface", say("Response surface"), surface_section(found, say)),
        ("curves", say("Learning curves"), curves_section(found, say)),
        ("trials", say("Configurations"), trials_section(found, say)),
        ("cost", say("What it cost"), cost_section(found, say)),
        ("best", say("The best recipe"),
         join(block(found.best.to_toml()), block(how.best) if how.best else "")),
        ("how", say("How it was measured"), pairs(how_items(data, how, found.sealed, say))),
        ("again", say("Doing it again"), again_section(how, script, say)),
        ("limits", say("What this report cannot tell"), limits_section(found, say)),
    ]  # fmt: skip
    facts = found.facts
    eyebrow = say("chymist report of a search, {method}, {n} configurations",
                  method=facts["method"], n=facts["trials"])  # fmt: skip
    heading = join(say("Search on "), data_name(data.name))
    return page(f"{data.name}: search", eyebrow, heading, sections, say)


def verdict_section(found: Search, say: Say) -> Markup:
    """The sentence, the best score, the honest one, and how much it varies by itself."""
    score, facts = found.score, found.facts
    rows = say("{n} out-of-fold rows, {design}", n=f"{score.n:,}", design=stored_text(
        facts["design"], say))  # fmt: skip
    parts = [
        tag("p", say("{metric} of the best, chosen among {n}", n=facts["trials"],
                     metric=metric_name(score.metric, say)), class_="eyebrow"),
        tag("p", show(score.metric, score.value), class_="big"),
        tag("p", say("95 % interval {interval}, on {rows}.", interval=interval(score, say),
                     rows=rows)),
        tag("p", say("It was selected for being the best, so it is optimistic."),
            class_="caution note"),
    ]  # fmt: skip
    if found.nested is not None:
        value = show(score.metric, found.nested.value)
        parts.append(tag("p", say(
            "Nested cross-validation, which repeats the whole search inside each of {n} outer "
            "folds, says {value} ({interval}).", n=len(found.outer), value=value,
            interval=interval(found.nested, say))))  # fmt: skip
        parts.append(_outer_table(found, say))
    parts.append(tag("p", _noise_text(found, say), class_="note"))
    return join(tag("p", stored(found.verdict, say, 1200), class_="verdict"), tag("div", *parts))


def _noise_text(found: Search, say: Say) -> str:
    """How much the best differs between folds and between seeds."""
    metric, noise = found.score.metric, found.noise
    folds = _size(metric, noise["folds"], say)
    if noise["seeds"] is not None:
        return say("Noise floor: the best differs by {folds} between folds, and by {seeds} between "
                   "seeds (standard deviations).", folds=folds,
                   seeds=_size(metric, noise["seeds"], say))  # fmt: skip
    if found.facts["one_seed"]:
        return say("Noise floor: the best differs by {folds} between folds; of its spread over "
                   "seeds nothing is known from one seed.", folds=folds)  # fmt: skip
    return say("Noise floor: the best differs by {folds} between folds.", folds=folds)


def surface_section(found: Search, say: Say) -> Markup:
    """A picture for each hyperparameter, and how much each mattered."""
    metric, percent = found.score.metric, found.score.metric in SHARES
    called = metric_name(metric, say)
    figures = []
    for name, axis in found.space.items():
        spots = [_spot(trial, name, trial is found.trials[0]) for trial in reversed(found.trials)]
        best = text_of(found.trials[0].point[name])
        title = say("{name}: the best of {axis} is {best}.", name=name, axis=text_of_axis(axis),
                    best=best)  # fmt: skip
        picture = surface_chart(title, axis, spots, name, called, percent)
        twin = table(
            [say("configuration"), name, called],
            [[t.number, text_of(t.point[name]), _value(t, say)] for t in found.trials], {0, 2},
            say=say,
        )  # fmt: skip
        figures.append(figure(safe(title), picture, twin=twin, say=say))
    legend = tag("p", _legend(found.trials, say), class_="note")
    parts = [tag("p", stored(found.surface, say)), legend, tag("div", *figures, class_="grid")]
    if found.influence:
        rows = [(one.name, one.share, one.low, one.high) for one in found.influence]
        title = say("Share of the variance of ranks that goes with each hyperparameter.")
        caption = say(
            "By permutation on the points that a forest has not seen; intervals over resampled "
            "configurations. One whose interval holds 0 cannot be told to have mattered."
        )
        heads = [say("hyperparameter"), say("share"), say("low"), say("high")]
        twin = table(heads, [[r[0], *map(_decimal, r[1:])] for r in rows], {1, 2, 3})
        parts.append(figure(title, interval_chart(title, rows, _decimal), caption, twin, say))
    return join(*parts)


def curves_section(found: Search, say: Say) -> Markup:
    """Training loss of every configuration; those that were dropped end at their rung."""
    drawn = [trial for trial in found.trials[:MOST_CURVES] if len(trial.curve)]
    if not drawn:
        return tag("p", say("No curve was recorded."))
    lines = [
        Line("", trial.curve[:, 0], trial.curve[:, 1], "s1", faint=True)
        for trial in reversed(drawn)
        if trial is not found.trials[0]
    ]
    best = found.trials[0]
    if len(best.curve):
        lines.append(Line(say("best"), best.curve[:, 0], best.curve[:, 1], "s2"))
    dropped = sum(bool(trial.reached) for trial in found.trials)
    caption = say("Mean training loss over the fits of a configuration.")
    title = say("{n} configurations, none of them dropped early.", n=len(found.trials))
    if dropped:
        title = say("Of {n} configurations, {dropped} were dropped early.", n=len(found.trials),
                    dropped=dropped)  # fmt: skip
        caption += " " + say("Lines that end early were dropped there.")
    picture = line_chart(title, lines, say("epoch"), say("training loss"), say=say)
    return join(figure(title, picture, caption, say=say),
                _rungs_table(found, say) if dropped else "")  # fmt: skip


def trials_section(found: Search, say: Say) -> Markup:
    """All configurations, and the comparisons with the best."""
    names = list(found.space)
    against = {pair["b"]: pair for pair in found.pairs}
    metric = found.score.metric
    rows = []
    for trial in found.trials:
        pair = against.get(trial.number)
        difference = "" if pair is None else _difference(metric, pair, say)
        p = "" if pair is None else f"{pair['p_holm']:.3f}"
        rows.append([
            trial.number, *(text_of(trial.point[n]) for n in names), _value(trial, say),
            "" if trial.score is None else interval(trial.score, say), difference, p,
            f"{trial.epochs:g}", _state(trial, say),
        ])  # fmt: skip
    heads = [say("configuration"), *names, metric_name(metric, say), say("95 % interval"),
             say("best minus this"), "p (Holm)", say("epochs"), say("trained")]  # fmt: skip
    note = say(
        "Differences are paired on the same folds and seeds: corrected resampled t-test; p is "
        "adjusted for the number of comparisons by Holm's method."
    )
    wide = {0, *range(1, len(names) + 2), len(names) + 4, len(names) + 5}
    return join(table(heads, rows, wide, say=say), tag("p", note, class_="note"))


def cost_section(found: Search, say: Say) -> Markup:
    """How much was trained, against training everything to the end."""
    facts = found.facts
    items: list[tuple[object, object]] = [
        (say("fits"), f"{facts['fits']:,}"),
        (say("carried out"), executor_text(facts["executor"], say)),
        (say("epochs trained"), f"{facts['epochs']:,.0f}"),
        (say("epochs if all were trained to the end"), f"{facts['full_epochs']:,.0f}"),
        (say("share"), share(facts["epochs"], facts["full_epochs"])),
        (say("all work"), seconds(facts["seconds"], say)),
    ]
    if facts["reason"]:
        items.append((say("why each by itself"), stored(facts["reason"], say)))
    return pairs(items)


def limits_section(found: Search, say: Say) -> Markup:
    """What a careful reader would ask and this report has no answer to."""
    said = [
        say("Nothing outside the ranges was tried: a best value at the end of a range asks for a "
            "wider one."),
        say("Comparisons with the best are flattered too, because it was chosen on the same "
            "folds."),
    ]  # fmt: skip
    if found.nested is None:
        said.append(say("How optimistic the best score is, only nested cross-validation or the "
                        "test rows can tell."))  # fmt: skip
    if any(trial.reached for trial in found.trials):
        said.append(say("A configuration that learns slowly and ends well may have been dropped."))
    if not found.sealed:
        said.append(say("All rows were used; none is sealed for a last test."))
    return bullets(said)


def _spot(trial: Trial, name: str, best: bool) -> Spot:
    if trial.score is None:
        return Spot(trial.point[name], float("inf"), 0.0, 0.0, "s3")
    score, at = trial.score, trial.point[name]
    if not trial.finished:
        return Spot(at, score.value, score.value, score.value, "s3")
    return Spot(at, score.value, score.low, score.high, "s2" if best else "s1")


def _legend(trials: Sequence[Trial], say: Say) -> str:
    words = [say("Each point is a configuration, its line the 95 % interval over rows; the best is "
                 "large.")]  # fmt: skip
    if any(trial.reached for trial in trials):
        words.append(say("Points without a line were dropped early, and are shown as they stood."))
    if any(trial.reason for trial in trials):
        words.append(say("Crosses diverged."))
    return " ".join(words)


def _rungs_table(found: Search, say: Say) -> Markup:
    rows = []
    for length in lengths_of(found.trials):
        there = [trial for trial in found.trials if length in trial.standing]
        sign = -1 if find(found.score.metric).greater_is_better else 1
        best = min(there, key=lambda trial: sign * trial.standing[length])
        value = show(found.score.metric, best.standing[length])
        left = sum(trial.reached == length for trial in there)
        what = say("{value} (configuration {n})", value=value, n=best.number)
        rows.append([length, len(there), left, what])
    heads = [say("after"), say("compared"), say("dropped"), say("best value there")]
    return table(heads, rows, {1, 2})


def _outer_table(found: Search, say: Say) -> Markup:
    metric = found.score.metric
    rows = [
        [one["fold"], text_of_point(one["values"]), show(metric, one["selected"]),
         show(metric, one["value"]), one["n"]]
        for one in found.outer
    ]  # fmt: skip
    heads = [say("outer fold"), say("chosen on its training rows"), say("there"),
             say("on its held-out rows"), say("rows")]  # fmt: skip
    return table(heads, rows, {0, 2, 3, 4})


def _value(trial: Trial, say: Say) -> str:
    if trial.score is None:
        return say("diverged")
    return show(trial.score.metric, trial.score.value)


def _state(trial: Trial, say: Say) -> str:
    if trial.reason:
        return say("diverged: {reason}", reason=trial.reason)
    if trial.reached:
        return say("dropped after {length}", length=trial.reached)
    return say("to the end")


def _difference(metric: str, pair: Mapping[str, Any], say: Say) -> str:
    """A difference with its interval: shares in points."""
    scale = 100 if metric in SHARES else 1
    value, low, high = (f"{scale * number:.3g}" for number in
                        ends(pair["difference"], pair["low"], pair["high"]))  # fmt: skip
    if metric in SHARES:
        return say("{value} [{low}, {high}] points", value=value, low=low, high=high)
    return f"{value} [{low}, {high}]"


def _decimal(value: float) -> str:
    return f"{value:.2f}"


def _size(metric: str, value: float | None, say: Say) -> str:
    """A spread in the unit of the metric."""
    if value is None:
        return say("unknown")
    return points_text(metric, say)(value)
