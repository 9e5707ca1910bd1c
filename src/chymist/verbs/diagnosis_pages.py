"""Pages about what the doctor found, with the remedies that were carried out and their proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from chymist.doctor.texts import LANGUAGES
from chymist.engine.folder import open_folder
from chymist.engine.store import read_series
from chymist.engine.stored import checked, read_json
from chymist.errors import ChymistError
from chymist.evidence.studies import FixRecord
from chymist.reports.about_diagnosis import Patient, diagnosis_html
from chymist.reports.findings import Words
from chymist.reports.markup import block, tag
from chymist.reports.notebook import glance
from chymist.verbs.diagnosing import Diagnosis, diagnose, read_findings, signals_of
from chymist.verbs.fixing import FILE, Fixed
from chymist.verbs.reporting import teller
from chymist.verbs.study_records import record_of

MOST_PROOFS = 5


def diagnosis_page(found: Diagnosis, lang: str = "en", more: Sequence[FixRecord] = ()) -> str:
    """The report of a diagnosis.

    Args:
        found: the diagnosis; its run folder is still there.
        lang: "en" or "zh".
        more: remedies that were just carried out.

    Raises:
        InputError: the run folder is gone, or damaged.
    """
    return diagnosis_html(patient_of(found, more), teller(found.experiments, lang), words_in(lang))


def patient_of(found: Diagnosis, more: Sequence[FixRecord] = ()) -> Patient:
    """What is known of the run of a diagnosis, as reports have it.

    Args:
        found: the diagnosis; its run folder is still there.
        more: remedies that were just carried out.

    Raises:
        InputError: the run folder is gone, or damaged.
    """
    saved = open_folder(found.run)
    stored = read_findings(saved.path)
    history = {**read_series(saved.path / "records.sqlite"), **signals_of(stored)}
    told = [*more, *(one for one in proofs_of(saved.path) if one not in more)][:MOST_PROOFS]
    known: Mapping[str, Any] = msgspec.to_builtins(found.checked)
    return Patient(
        found.run, saved.schema.name, found.findings, found.experiments, known, history,
        saved.result.get("facts", {}), tuple(told),
    )  # fmt: skip


def words_in(lang: str) -> Words:
    """Title and remedy of every code, where the language is not English."""
    return {} if lang == "en" else {c: (t.title, t.remedy) for c, t in LANGUAGES[lang].items()}


def fixed_page(found: Fixed, lang: str = "en") -> str:
    """The report of a diagnosis whose remedy was carried out; arguments as for `diagnosis_page`."""
    one = record_of(found, FixRecord)
    more = (one,) if one.proof is not None else ()
    return diagnosis_page(diagnose(found.plan.run), lang, more)


def proofs_of(run: Path) -> list[FixRecord]:
    """What `fix` wrote beside a run: the folders of cured runs that name it, by name.

    Args:
        run: its folder.
    """
    made = []
    for file in sorted(run.absolute().parent.glob(f"*/{FILE}")):
        with suppress(ChymistError, OSError):  # a damaged folder beside is no fault of this run
            plain = read_json(file)
            place = Path(str(plain.get("of", "")))
            if place.exists() and place.resolve() == run.resolve():
                made.append(checked(file, plain, FixRecord))
    return made


def diagnosis_view(found: Diagnosis) -> str:
    """What a notebook shows of a diagnosis; its words alone if the run folder is no more."""
    with suppress(ChymistError, OSError):
        return glance(diagnosis_page(found))
    return block(str(found))


def fixed_view(found: Fixed) -> str:
    """What a notebook shows of a remedy that was carried out."""
    with suppress(ChymistError, OSError):
        said = tag("p", found.sentence) if found.proof is None else ""  # else it is in the page
        return said + glance(fixed_page(found))
    return block(str(found))
