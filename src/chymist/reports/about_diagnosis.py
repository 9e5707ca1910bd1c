"""The report of a diagnosis: what is wrong with a run, the evidence, the remedy and its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, cast

import numpy as np

from chymist.evidence.studies import FixRecord, ends, numbers
from chymist.evidence.verdict import amount
from chymist.reports.bands import differences_chart, dots_chart
from chymist.reports.findings import NO_WORDS, Words, chart_of, findings_section
from chymist.reports.markup import Markup, block, data_name, figure, join, pairs, stored, table, tag
from chymist.reports.numbers import metric_name
from chymist.reports.page import page
from chymist.reports.saying import Say
from chymist.reports.study_parts import bullets, points_text, value_text
from chymist.values import Run

COURSE = "overfitting"  # a code whose evidence is the loss by epoch


@dataclass(frozen=True, eq=False)
class Patient:
    """What the doctor knows of a run, without its data and its model.

    Args:
        run: its folder.
        name: of its data.
        findings: in rank order.
        experiments: what they found, as plain values; None if there were none.
        checked: number of causes asked for, steps, epochs, looks and rows.
        history: recorded series, (points, 2) of step and value.
        facts: of the run, with `steps_per_epoch`.
        fixes: remedies that were carried out and proved.
    """

    run: str
    name: str
    findings: Sequence[Any]
    experiments: Mapping[str, Any] | None
    checked: Mapping[str, Any]
    history: Mapping[str, np.ndarray]
    facts: Mapping[str, Any]
    fixes: Sequence[FixRecord] = field(default_factory=tuple)

    @property
    def alarms(self) -> list[Any]:
        """Findings that are more than symptoms."""
        return [one for one in self.findings if one.level != "observation"]

    @property
    def undecided(self) -> bool:
        """Whether there is too little to say anything."""
        tried = self.experiments is not None and self.experiments["verdict"] == "inconclusive"
        blind = not self.checked.get("rules") or bool(self.checked.get("stopped"))
        return not self.alarms and (tried or (blind and self.experiments is None))


def diagnosis_html(patient: Patient, say: Say, words: Words = NO_WORDS) -> str:
    """The report of a diagnosis as one HTML page: no script, no request to anywhere.

    Args:
        patient: what is known.
        say: the language, with the words of the doctor's experiments.
        words: title and remedy of codes of findings in another language.

    Returns:
        The page; the same diagnosis gives the same bytes.
    """
    run = cast(Run, patient)  # cards read findings, experiments, history and facts, nothing else
    sections = [
        ("verdict", say("Verdict"), verdict_section(patient, say, words)),
        ("findings", say("Findings"), findings_section(run, words, say)),
        ("remedy", say("Remedy and proof"), _proofs(patient, say)),
        ("course", say("The course of the run"), _course(run, say)),
        ("checked", say("What was checked"), _checked(patient, say)),
        ("again", say("Doing it again"), _again(patient, say)),
        ("limits", say("What this report cannot tell"), _limits(patient, say)),
    ]
    heading = join(say("Diagnosis of a run on "), data_name(patient.name))
    eyebrow = say("chymist report of a diagnosis")
    return page(f"{patient.name}: diagnosis", eyebrow, heading, sections, say)


def verdict_section(patient: Patient, say: Say, words: Words) -> Markup:
    """What is wrong in one sentence, or that there is not enough evidence to say.

    Args:
        patient: what is known.
        say: the language.
        words: title and remedy of codes in another language.
    """
    alarms = patient.alarms
    if patient.undecided:
        parts = [tag("p", say("Not enough evidence to say what is wrong, or that nothing is."),
                     class_="verdict")]  # fmt: skip
        if patient.checked.get("stopped"):
            parts.append(tag("p", say("The doctor could not look at this run to its end: "),
                             stored(patient.checked["stopped"], say)))  # fmt: skip
        elif not patient.checked.get("rules"):
            parts.append(tag("p", say("Nobody watched this run.")))
    elif alarms:
        first = alarms[0]
        title = words.get(first.code, ("", ""))[0]
        claim = join(title) if title else stored(first.claim, say)
        parts = [tag("p", say.word(first.level), say(": "), claim, class_="verdict")]
        if len(alarms) > 1:
            parts.append(tag("p", say("{n} findings in all, the surest first.", n=len(alarms))))
    else:
        text = say("Nothing wrong was found: {n} causes were asked for.",
                   n=patient.checked.get("rules", 0))  # fmt: skip
        parts = [tag("p", text, class_="verdict")]
    if patient.experiments is not None:
        parts.append(tag("p", say("Experiments: "), stored(patient.experiments["claim"], say)))
    parts += [tag("p", stored(one.sentence, say), class_="caution") for one in patient.fixes]
    return join(*parts)


def _proofs(patient: Patient, say: Say) -> Markup:
    """Remedies that were carried out: with and without, seed by seed."""
    if patient.fixes:
        return join(*(fix_section(one, say) for one in patient.fixes))
    if not any(one.remedy is not None and one.remedy.changes for one in patient.findings):
        return tag("p", say("There is no finding with a remedy that can be carried out."))
    return join(
        tag("p", say("No remedy has been carried out. This does it, and proves it by paired "
                     "runs:")),
        block(f"chymist diagnose {patient.run} --fix"),
    )  # fmt: skip


def fix_section(one: FixRecord, say: Say) -> Markup:
    """One remedy: what it changes, the metric before and after, and the difference.

    Args:
        one: the remedy and its proof.
        say: the language.
    """
    changes = [tag("code", f"{name} = {value}") for name, value in one.changes.items()]
    parts: list[object] = [tag("h3", tag("code", one.code or "")), tag("p", *(
        part for change in changes for part in (change, " ")))]  # fmt: skip
    proof = one.proof
    if proof is not None:
        found = ends(proof.difference.value, proof.difference.low, proof.difference.high)
        before, after = numbers(proof.before), numbers(proof.after)
        name = metric_name(proof.metric, say)
        rows = [(say("after"), after), (say("before"), before)]
        title = say("{metric} by seed, with the remedy and without, on {n} rows.", metric=name,
                    n=f"{proof.rows:,}")  # fmt: skip
        heads = [say("pair"), say("before"), say("after")]
        twin = table(heads, [[n + 1, *(value_text(proof.metric, float(v)) for v in pair)]
                             for n, pair in enumerate(zip(before, after, strict=True))],
                     {0, 1, 2})  # fmt: skip
        dots = dots_chart(title, rows, lambda value: value_text(proof.metric, value), joined=True)
        said = say("The remedy changes {metric} by {size}.", metric=name,
                   size=amount(proof.metric, *found, say=say))  # fmt: skip
        clear = proof.effect != "no difference"
        beside = differences_chart(said, [(say("after − before"), *found, clear)],
                                   points_text(proof.metric, say))  # fmt: skip
        caption = say("Lines join runs with the same seed. The interval is Student's, over seeds.")
        drawn = [figure(title, dots, caption, twin, say)] if np.isfinite([*before, *after]).all() \
            else [tag("div", twin)]  # fmt: skip
        if np.isfinite(found[0]):
            drawn.append(figure(said, beside, say=say))
        parts.append(tag("div", *drawn, class_="grid"))
    parts.append(tag("p", stored(one.sentence, say), class_="caution"))
    if one.cured:
        parts.append(tag("p", say("The run with the remedy: "), tag("code", one.cured)))
    return tag("article", *parts)


def _course(run: Run, say: Say) -> Markup:
    """Loss by epoch."""
    chart = chart_of(run, COURSE, say)
    return figure(say("Loss by epoch"), chart, say=say) if chart else tag(
        "p", say("No curve was recorded."))  # fmt: skip


def _checked(patient: Patient, say: Say) -> Markup:
    """How much the doctor looked at."""
    known = patient.checked
    names = {
        "rules": say("causes asked for"), "steps": say("steps"), "epochs": say("epochs"),
        "looks": say("deep looks at the model"), "train": say("training rows looked at"),
        "valid": say("validation rows looked at"),
    }  # fmt: skip
    items: list[tuple[object, object]] = [
        (text, f"{known.get(name, 0):,}") for name, text in names.items()
    ]
    return pairs([(say("run"), PurePath(patient.run).name), *items])


def _again(patient: Patient, say: Say) -> Markup:
    tried = " --experiments" if patient.experiments is not None else ""
    option = ", experiments=True" if tried else ""
    script = (f"import chymist as cy\n\nfound = cy.diagnose({patient.run!r}{option})\n"
              "print(found)\n")  # fmt: skip
    return join(
        tag("h3", say("The command")), block(f"chymist diagnose {patient.run}{tried}"),
        tag("h3", say("The same in Python")), block(script),
    )  # fmt: skip


def _limits(patient: Patient, say: Say) -> Markup:
    said = [
        say("Rules find what they ask for. Silence is no proof that nothing is wrong."),
        say("An observation is a symptom, a finding has its evidence, and only an experiment "
            "confirms a cause."),
    ]  # fmt: skip
    if patient.experiments is None:
        said.append(say("No experiment was made: causes that look alike in the record are not "
                        "told apart."))  # fmt: skip
    if patient.fixes:
        said.append(say("A proof speaks for these rows and other seeds, not for other data."))
    return bullets(said)
