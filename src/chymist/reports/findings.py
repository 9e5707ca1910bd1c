"""What the doctor found, as cards with the series behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from chymist.reports.about_training import epochs_of
from chymist.reports.charts import Line, interval_chart, line_chart
from chymist.reports.markup import Markup, data_name, join, pairs, safe, stored, tag
from chymist.reports.numbers import number
from chymist.reports.saying import ENGLISH, Say
from chymist.values import Run

STEPS = {"loss": "loss of a batch", "gradient_norm": "norm of the gradient",
         "update_ratio": "update over weight"}  # fmt: skip
# Codes whose evidence is a course of numbers, and which one.
SHOWN = {
    "overfitting": "epochs", "over_regularised": "epochs", "model_bias": "epochs",
    "optimisation_failure": "epochs", "label_noise": "epochs", "distribution_mismatch": "epochs",
    "dropout_misuse": "epochs",
    "lr_too_high": "loss", "undertrained": "loss", "nan_inf_loss": "loss", "init_scale": "loss",
    "unshuffled_data": "loss", "double_softmax": "loss", "unnormalised_input": "loss",
    "unnormalised_target": "loss", "label_misalignment": "loss", "batch_too_small": "loss",
    "lr_too_low": "update_ratio", "no_update": "update_ratio",
    "vanishing_gradient": "gradient_norm", "exploding_gradient": "gradient_norm",
    "missing_zero_grad": "gradient_norm", "softmax_mse": "gradient_norm",
}  # fmt: skip

Words = Mapping[str, tuple[str, str]]
NO_WORDS: Words = MappingProxyType({})


def findings_section(run: Run, words: Words = NO_WORDS, say: Say = ENGLISH) -> Markup:
    """A card for each finding; a symptom that is no alarm is named below them."""
    alarms = [f for f in run.findings if f.level != "observation"]
    seen = [f for f in run.findings if f.level == "observation"]
    parts = [card(run, finding, *words.get(finding.code, ("", "")), say) for finding in alarms]
    if not alarms:
        parts.append(tag("p", say("The doctor found nothing wrong with this run.")))
    if seen:
        items = [tag("li", tag("code", f.code), ": ", stored(f.claim, say)) for f in seen]
        parts += [tag("h3", say("Also seen, and no alarm")), tag("ul", *items)]
    if run.experiments is not None:
        parts.append(experiments_card(run.experiments, say))
    return join(*parts)


def experiments_card(found: Mapping[str, Any], say: Say = ENGLISH) -> Markup:
    """What experiments found: the verdict, each effect beside the shams, and what was left out."""
    rows: list[tuple[object, object]] = [
        (say("share of {name}", name=say.word(name)), f"{part:.0%}")
        for name, part in found["shares"].items()
    ]
    steps, allowed = f"{found['steps']:,}", f"{found['allowed']:,}"
    rows.append((say("steps"), say("{n} of {all} allowed", n=steps, all=allowed)))
    if found.get("needed"):
        times = say("{n} times the steps of the run", n=f"{found['needed']:g}")
        rows.append((say("budget that may decide"), times))
    reasons: dict[str, list[str]] = {}
    for name, why in found["left_out"].items():
        reasons.setdefault(why, []).append(name)
    rows += [
        (say("without {names}", names=", ".join(names)), stored(why, say))
        for why, names in reasons.items()
    ]
    return tag(
        "article", tag("h3", say("experiments")),
        tag("p", stored(found["claim"], say), class_="caution"),
        effects_chart(found, say), pairs(rows),
        tag("p", say(
            "Each changes one thing and trains anew, for fewer steps than the run. Shams "
            "change the seed alone: a change helps for sure if it lies below their interval and "
            "below the run at its end."), class_="note"),
    )  # fmt: skip


def effects_chart(found: Mapping[str, Any], say: Say = ENGLISH) -> Markup:
    """The loss that each change leads to, below the interval in which one more sham would lie."""
    effects = {name: e for name, e in found["effects"].items()
               if name != "cont" and None not in e.values()}  # fmt: skip
    if not effects:
        return Markup("")
    first = next(iter(effects.values()))
    before, margin = first["before"], first["margin"]
    end = found["run"]["train" if found["route"] == "training" else "valid"]
    rows = [(say("shams"), before, before - margin, before + margin)]
    rows += [(name, effects[name]["after"], effects[name]["after"], effects[name]["after"])
             for name in sorted(effects, key=lambda name: effects[name]["after"])]  # fmt: skip
    if end is not None:
        rows.insert(1, (say("the run at its end"), end, end, end))
    which = say("training") if found["route"] == "training" else say("validation")
    return interval_chart(say("{part} loss after each experiment", part=which), rows, number)


def card(run: Run, finding: Any, title: str = "", remedy: str = "", say: Say = ENGLISH) -> Markup:
    """One finding: how sure it is, the claim, its numbers, their course, and what to do.

    Args:
        run: the run.
        finding: one of its findings.
        title, remedy: in the reader's language, where that is not English.
        say: the language.
    """
    head = tag("h3", say.word(finding.level), say(": "), tag("code", finding.code))
    if title:
        head = join(head, tag("p", tag("strong", title)))
    rows = [(data_name(k), data_name(as_text(v), 300)) for k, v in finding.evidence.items()]
    said = [tag("p", stored(finding.claim, say), class_="caution"), pairs(rows) if rows else ""]
    if finding.remedy is not None or remedy:
        known = finding.remedy
        changes = [tag("code", f"{k} = {v}") for k, v in known.changes.items()] if known else []
        told = safe(remedy) if remedy else stored(known.words, say)
        do = join(tag("strong", say("What to do: ")), told)
        said.append(tag("p", do, *(part for change in changes for part in (" ", change))))
    said.append(
        tag("p", say("Explained by "), tag("code", f"chymist why {finding.code}"), class_="note")
    )
    chart = chart_of(run, finding.code, say)
    body = tag("div", tag("div", *said), chart, class_="grid") if chart else join(*said)
    return tag("article", head, body)


@dataclass(frozen=True, eq=False)
class Course:
    """The series that the evidence of a code is taken from.

    Args:
        title: of its chart.
        lines: what was recorded.
        x, y: names of the axes.
    """

    title: str
    lines: tuple[Line, ...]
    x: str
    y: str


def course_of(run: Run, code: str, say: Say = ENGLISH) -> Course | None:
    """The series behind a code; None if there is none, or it was not recorded.

    Args:
        run: with the series.
        code: of a finding.
        say: the language.
    """
    name = SHOWN.get(code, "")
    if name == "epochs":
        names = {"train_loss": ("training", "s1"), "val_loss": ("validation", "s2")}
        courses = [(*epochs_of(run, series), *named) for series, named in names.items()]
        lines = [Line(say.word(word), x, y, kind) for x, y, word, kind in courses if len(x) > 1]
        title, epoch = say("Loss by epoch"), say("epoch")
        return Course(title, tuple(lines), epoch, say("loss")) if lines else None
    points = np.asarray(run.history.get(name, np.zeros((0, 2))), np.float64).reshape(-1, 2)
    if len(points) < 2 or not np.isfinite(points[:, 1]).any():
        return None
    line = Line("", points[:, 0], points[:, 1], "s2")
    words = say.word(STEPS[name])
    return Course(say("{series} by step", series=words), (line,), say("step"), words)


def chart_of(run: Run, code: str, say: Say = ENGLISH) -> Markup:
    """The chart of `course_of`; nothing if there is none."""
    found = course_of(run, code, say)
    if found is None:
        return Markup("")
    return line_chart(found.title, found.lines, found.x, found.y, say=say)


def as_text(value: object) -> str:
    """A value of the evidence as text.

    Example:
        >>> as_text([0.123456, "body.1"]), as_text({"0": 1.0}), as_text(None), as_text(True)
        ('0.1235, body.1', '0: 1', 'none', 'yes')
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {as_text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(as_text, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else number(value) if isinstance(value, float) else str(value)
