"""The report of a search: what is best and how sure that is, what mattered, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chymist.evidence.searches import Search, Trial, lengths_of, text_of_point
from chymist.metrics import find
from chymist.reports.charts import Line, interval_chart, line_chart
from chymist.reports.markup import (
    Markup,
    block,
    data_name,
    figure,
    join,
    pairs,
    table,
    tag,
)
from chymist.reports.numbers import count, interval, metric_name, seconds, share
from chymist.reports.page import page
from chymist.reports.surface import Spot, surface_chart
from chymist.space import text_of, text_of_axis
from chymist.values import SHARES, Data, show

MOST_CURVES = 200


def search_html(found: Search, data: Data, command: str) -> str:
    """The report of a search as one HTML page: no script, no request to anywhere.

    Args:
        found: the search.
        data: its data.
        command: how the best is trained on all rows.

    Returns:
        The page; the same search gives the same bytes, but for the seconds.
    """
    sections = [
        ("verdict", "Verdict", verdict_section(found)),
        ("surface", "Response surface", surface_section(found)),
        ("curves", "Learning curves", curves_section(found)),
        ("trials", "Configurations", trials_section(found)),
        ("cost", "Cost", cost_section(found)),
        ("best", "The best recipe", join(block(found.best.to_toml()), block(command))),
        ("limits", "What this report cannot tell", limits_section(found)),
    ]
    facts = found.facts
    eyebrow = f"chymist report of a search, {facts['method']}, {facts['trials']} configurations"
    heading = join("Search on ", data_name(data.name))
    return page(f"{data.name}: search", eyebrow, heading, sections)


def verdict_section(found: Search) -> Markup:
    """The sentence, the best score, the honest one, and how much it varies by itself."""
    score, facts = found.score, found.facts
    metric = metric_name(score.metric)
    rows = count(score.n, "out-of-fold row")
    parts = [
        tag("p", f"{metric} of the best, {score.selected_on}", class_="eyebrow"),
        tag("p", show(score.metric, score.value), class_="big"),
        tag("p", f"95 % interval {interval(score)}, on {rows}, {facts['design']}."),
        tag("p", "It was selected for being the best, so it is optimistic.",
            class_="caution note"),
    ]  # fmt: skip
    if found.nested is not None:
        value = f"{show(score.metric, found.nested.value)} ({interval(found.nested)})"
        text = (
            "Nested cross-validation, which repeats the whole search inside each of "
            f"{len(found.outer)} outer folds, says {value}."
        )
        parts.append(tag("p", text))
        parts.append(_outer_table(found))
    noise = found.noise
    spread = f"Noise floor: the best differs by {_size(score.metric, noise['folds'])} between folds"
    if noise["seeds"] is None:
        unknown = "; of its spread over seeds nothing is known from one seed."
        spread += unknown if facts["one_seed"] else "."
    else:
        spread += (
            f", and by {_size(score.metric, noise['seeds'])} between seeds (standard deviations)."
        )
    parts.append(tag("p", spread, class_="note"))
    return join(tag("p", found.verdict, class_="verdict"), tag("div", *parts))


def surface_section(found: Search) -> Markup:
    """A picture for each hyperparameter, and how much each mattered."""
    metric, percent = found.score.metric, found.score.metric in SHARES
    figures = []
    for name, axis in found.space.items():
        spots = [_spot(trial, name, trial is found.trials[0]) for trial in reversed(found.trials)]
        best = text_of(found.trials[0].point[name])
        title = f"{name}: the best of {text_of_axis(axis)} is {best}."
        picture = surface_chart(title, axis, spots, name, metric_name(metric), percent)
        twin = table(
            ["configuration", name, metric_name(metric)],
            [[t.number, text_of(t.point[name]), _value(t)] for t in found.trials], {0, 2},
        )  # fmt: skip
        figures.append(figure(title, picture, twin=twin))
    legend = tag("p", _legend(found.trials), class_="note")
    parts = [tag("p", found.surface), legend, tag("div", *figures, class_="grid")]
    if found.influence:
        rows = [(one.name, one.share, one.low, one.high) for one in found.influence]
        title = "Share of the variance of ranks that goes with each hyperparameter."
        caption = (
            "By permutation on the points that a forest has not seen; intervals over resampled "
            "configurations. One whose interval holds 0 cannot be told to have mattered."
        )
        heads = ["hyperparameter", "share", "low", "high"]
        twin = table(heads, [[r[0], *map(_decimal, r[1:])] for r in rows], {1, 2, 3})
        parts.append(figure(title, interval_chart(title, rows, _decimal), caption, twin))
    return join(*parts)


def curves_section(found: Search) -> Markup:
    """Training loss of every configuration; those that were dropped end at their rung."""
    drawn = [trial for trial in found.trials[:MOST_CURVES] if len(trial.curve)]
    if not drawn:
        return tag("p", "No curve was recorded.")
    lines = [
        Line("", trial.curve[:, 0], trial.curve[:, 1], "s1", faint=True)
        for trial in reversed(drawn)
        if trial is not found.trials[0]
    ]
    best = found.trials[0]
    if len(best.curve):
        lines.append(Line("best", best.curve[:, 0], best.curve[:, 1], "s2"))
    dropped = sum(bool(trial.reached) for trial in found.trials)
    title = (
        f"Of {count(len(found.trials), 'configuration')}, {dropped} were dropped early."
        if dropped
        else f"{count(len(found.trials), 'configuration')}, none of them dropped early."
    )
    caption = "Mean training loss over the fits of a configuration. " + (
        "Lines that end early were dropped there." if dropped else ""
    )
    picture = line_chart(title, lines, "epoch", "training loss")
    return join(figure(title, picture, caption), _rungs_table(found) if dropped else "")


def trials_section(found: Search) -> Markup:
    """All configurations, and the comparisons with the best."""
    names = list(found.space)
    against = {pair["b"]: pair for pair in found.pairs}
    metric = found.score.metric
    rows = []
    for trial in found.trials:
        pair = against.get(trial.number)
        difference = "" if pair is None else _difference(metric, pair)
        p = "" if pair is None else f"{pair['p_holm']:.3f}"
        rows.append([
            trial.number, *(text_of(trial.point[n]) for n in names), _value(trial),
            "" if trial.score is None else interval(trial.score), difference, p,
            f"{trial.epochs:g}", _state(trial),
        ])  # fmt: skip
    heads = ["", *names, metric_name(metric), "95 % interval", "best minus this", "p (Holm)",
             "epochs", "trained"]  # fmt: skip
    note = (
        "Differences are paired on the same folds and seeds: corrected resampled t-test; p is "
        "adjusted for the number of comparisons by Holm's method."
    )
    return join(
        table(heads, rows, {0, *range(1, len(names) + 2), len(names) + 4, len(names) + 5}),
        tag("p", note, class_="note"),
    )


def cost_section(found: Search) -> Markup:
    """How much was trained, against training everything to the end."""
    facts = found.facts
    how = "as one program" if facts["executor"] == "population" else "each by itself"
    reason = f" ({facts['reason']})" if facts["reason"] else ""
    return pairs([
        ("fits", f"{facts['fits']:,}, {how}{reason}"),
        ("epochs trained", f"{facts['epochs']:,.0f}"),
        ("epochs if all were trained to the end", f"{facts['full_epochs']:,.0f}"),
        ("share", share(facts["epochs"], facts["full_epochs"])),
        ("all work", seconds(facts["seconds"])),
    ])  # fmt: skip


def limits_section(found: Search) -> Markup:
    """What a careful reader would ask and this report has no answer to."""
    said = [
        "Nothing outside the ranges was tried: a best value at the end of a range asks for a wider "
        "one.",
        "Comparisons with the best are flattered too, because it was chosen on the same folds.",
    ]
    if found.nested is None:
        said.append("How optimistic the best score is, only nested cross-validation or the test "
                    "rows can tell.")  # fmt: skip
    if any(trial.reached for trial in found.trials):
        said.append("A configuration that learns slowly and ends well may have been dropped.")
    if not found.sealed:
        said.append("All rows were used; none is sealed for a last test.")
    return tag("ul", *(tag("li", text) for text in said))


def _spot(trial: Trial, name: str, best: bool) -> Spot:
    if trial.score is None:
        return Spot(trial.point[name], float("inf"), 0.0, 0.0, "s3")
    score, at = trial.score, trial.point[name]
    if not trial.finished:
        return Spot(at, score.value, score.value, score.value, "s3")
    return Spot(at, score.value, score.low, score.high, "s2" if best else "s1")


def _legend(trials: Sequence[Trial]) -> str:
    words = [
        "Each point is a configuration, its line the 95 % interval over rows; the best is large."
    ]
    if any(trial.reached for trial in trials):
        words.append("Points without a line were dropped early, and are shown as they stood.")
    if any(trial.reason for trial in trials):
        words.append("Crosses diverged.")
    return " ".join(words)


def _rungs_table(found: Search) -> Markup:
    rows = []
    for length in lengths_of(found.trials):
        there = [trial for trial in found.trials if length in trial.standing]
        sign = -1 if find(found.score.metric).greater_is_better else 1
        best = min(there, key=lambda trial: sign * trial.standing[length])
        value = show(found.score.metric, best.standing[length])
        left = sum(trial.reached == length for trial in there)
        rows.append([length, len(there), left, f"{value} (configuration {best.number})"])
    return table(["after", "compared", "dropped", "best value there"], rows, {1, 2})


def _outer_table(found: Search) -> Markup:
    metric = found.score.metric
    rows = [
        [one["fold"], text_of_point(one["values"]), show(metric, one["selected"]),
         show(metric, one["value"]), one["n"]]
        for one in found.outer
    ]  # fmt: skip
    heads = ["outer fold", "chosen on its training rows", "there", "on its held-out rows", "rows"]
    return table(heads, rows, {0, 2, 3, 4})


def _value(trial: Trial) -> str:
    return "diverged" if trial.score is None else show(trial.score.metric, trial.score.value)


def _state(trial: Trial) -> str:
    if trial.reason:
        return f"diverged: {trial.reason}"
    return f"dropped after {trial.reached}" if trial.reached else "to the end"


def _difference(metric: str, pair: Mapping[str, Any]) -> str:
    """A difference with its interval: shares in points."""
    scale = 100 if metric in SHARES else 1
    value, low, high = (f"{scale * pair[name]:.3g}" for name in ("difference", "low", "high"))
    return f"{value} [{low}, {high}]{' points' if metric in SHARES else ''}"


def _decimal(value: float) -> str:
    return f"{value:.2f}"


def _size(metric: str, value: float | None) -> str:
    """A spread in the unit of the metric."""
    assert value is not None
    return f"{100 * value:.1f} points" if metric in SHARES else f"{value:.4g}"
