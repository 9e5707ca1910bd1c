"""What the doctor says of a run: the same values and sentences as `diagnose` and its report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, cast

import msgspec

from chymist.doctor.finding import Finding
from chymist.doctor.reading_curves import CURVE_RULES, findings_of_curves
from chymist.doctor.remedies import options_of, words_of
from chymist.doctor.texts import CODES, HEADS, why
from chymist.engine.imported import is_imported, read_imported
from chymist.engine.status import is_trained
from chymist.engine.store import read_series
from chymist.engine.stored import read_json
from chymist.reports.about_diagnosis import Patient, fix_section, verdict_section
from chymist.reports.charts import line_chart
from chymist.reports.findings import Course, as_text, course_of, experiments_card
from chymist.reports.saying import Say
from chymist.values import Run
from chymist.verbs.diagnosing import FILE, TRIED, Checked, Diagnosis, diagnose
from chymist.verbs.diagnosis_pages import patient_of, words_in
from chymist.verbs.reporting import teller

BUDGET = 0.25  # of `chymist diagnose --experiments`
PAIRS = 3  # of `chymist diagnose --fix`
ENDED = ("ended", "unwatched")
MOST_POINTS = 2000  # of the table of a chart


def diagnosis(folder: str, lang: str = "en") -> Iterator[dict[str, Any]]:
    """Cards of findings, what was looked at, and what can be done.

    Args:
        folder: of a run or an imported log.
        lang: "en" or "zh".
    """
    path = Path(folder)
    state, patient = _patient(path)
    say = teller(patient.experiments, lang)
    run = cast(Run, patient)  # as in reports: findings, history and facts are all that is read
    words = words_in(lang)
    yield {
        "state": state,
        "verdict": verdict_section(patient, say, words),
        "undecided": patient.undecided,
        "checked": patient.checked,
        "cards": [_card(run, one, lang, say) for one in patient.alarms],
        "seen": [{"code": one.code, "claim": _said(one.claim, say)}
                 for one in patient.findings if one.level == "observation"],
        "experiments": None if patient.experiments is None
        else experiments_card(patient.experiments, say),
        "proofs": [fix_section(one, say) for one in patient.fixes],
        "cost": _cost(patient) if state in ENDED else None,
        "script": _script(folder, patient),
    }  # fmt: skip


def codes(code: str, lang: str = "en") -> Iterator[dict[str, Any]]:
    """What `chymist why` says of a code, by paragraphs."""
    text = why(code, lang)
    parts = (text.meaning, text.signal, text.rule, text.example, text.remedy, text.traps)
    yield {"title": text.title, "parts": list(zip(HEADS[lang], parts, strict=True))}


def _patient(path: Path) -> tuple[str, Patient]:
    """How far a run is, and what is known of it.

    "ended", "unwatched" (ended, without the doctor), "training", "interrupted", or a "log".
    """
    if is_imported(path):
        return "log", _of_curves(diagnose(path), read_imported(path).series, path.name)
    result = path / "result.json"
    if result.is_file() and any((path / name).is_file() for name in (FILE, TRIED)):
        return "ended", patient_of(diagnose(path))
    series = read_series(path / "records.sqlite")
    if not result.is_file():
        found = Diagnosis(str(path), tuple(findings_of_curves(series)),
                          Checked(rules=len(CURVE_RULES), curves=True))  # fmt: skip
        state = "training" if is_trained(path) else "interrupted"
        return state, _of_curves(found, series, path.name)
    facts = read_json(result).get("facts", {})
    return "unwatched", Patient(str(path), path.name, (), None, {}, series, facts)


def _of_curves(found: Diagnosis, series: Any, name: str) -> Patient:
    """What is known where there is nothing but recorded curves."""
    known = msgspec.to_builtins(found.checked)
    return Patient(found.run, name, found.findings, None, known, series, {})


def _card(run: Run, finding: Finding, lang: str, say: Say) -> dict[str, Any]:
    """One finding, from claim to remedy."""
    text, remedy = CODES.get(finding.code, {}).get(lang), finding.remedy
    course = course_of(run, finding.code, say)
    return {
        "code": finding.code,
        "level": finding.level,
        "says": say.word(finding.level),
        "title": text.title if text else "",
        "claim": _said(finding.claim, say),
        "evidence": [[name, as_text(value)] for name, value in finding.evidence.items()],
        "signal": text.signal if text else "",
        "rule": text.rule if text else "",
        "remedy": words_of(finding, lang),
        "changes": options_of(remedy) if remedy else "",
        "chart": None if course is None else _chart(course, say),
    }


def _chart(course: Course, say: Say) -> dict[str, Any]:
    """The chart of a course, and its numbers."""
    names = [line.name or course.y for line in course.lines]
    rows = [[name, float(x), float(y)]
            for name, line in zip(names, course.lines, strict=True)
            for x, y in zip(line.x[:MOST_POINTS], line.y[:MOST_POINTS], strict=True)]  # fmt: skip
    svg = line_chart(course.title, course.lines, course.x, course.y, say=say)
    return {"svg": svg, "title": course.title, "head": ["", course.x, course.y], "rows": rows}


def _said(sentence: str, say: Say) -> str:
    return say.again(sentence) or sentence


def _cost(patient: Patient) -> dict[str, float | None]:
    """What experiments and a remedy take, by what the run took."""
    steps, seconds = patient.facts.get("steps"), patient.facts.get("seconds")
    runs = 2 * PAIRS + 1
    return {
        "steps": None if steps is None else round(BUDGET * steps),
        "seconds": None if seconds is None else BUDGET * seconds,
        "pairs": PAIRS,
        "fix_seconds": None if seconds is None else runs * seconds,
    }


def _script(folder: str, patient: Patient) -> dict[str, str]:
    tried = patient.experiments is not None
    option = ", experiments=True" if tried else ""
    where = str(PurePath(folder))
    return {
        "python": f"import chymist as cy\n\nfound = cy.diagnose({where!r}{option})\nprint(found)\n",
        "command": f"chymist diagnose {where}{' --experiments' if tried else ''}",
    }
