"""`chymist diagnose` and `chymist why`."""

from __future__ import annotations

import argparse

import chymist as cy
from chymist.cli import fixing
from chymist.cli.commands import emit, moved_data, screen_of
from chymist.cli.findings import finding_lines, language_of
from chymist.cli.reporting import written
from chymist.doctor.texts import CODES, page_of
from chymist.doctor.verdict_words import told
from chymist.engine.folder import open_folder
from chymist.verbs.diagnosing import evidence_text


def diagnose(options: argparse.Namespace) -> int:
    """`chymist diagnose`."""
    screen, language = screen_of(options), language_of(options.lang)
    if options.fix is not None:
        open_folder(options.run)  # of an imported log there is nothing to train again
    found = cy.diagnose(options.run, options.experiments, options.budget, data=moved_data(options))
    if not found:
        screen.line("Finding", found.silence, result=True)
    for finding in found:
        (label, text), *rest = finding_lines(finding, language)
        screen.line(label, text, result=True)
        if finding.evidence:
            screen.line("", evidence_text(finding.evidence))
        for label, text in rest:
            screen.line(label, text)
    if found.experiments is not None:
        for label, text in told(found.experiments, language).items():
            screen.line(label, text, result=label == "Verdict")
    if found:
        screen.line("Checked", str(found.checked))
        screen.line("Why", f"chymist why {found[0].code}")
    fixed = {"fix": fixing.fix(options)} if options.fix is not None else {}
    report = {} if options.report is None else {"report": written(options, screen, found)}
    if options.json:
        emit({**found.to_dict(), **fixed, **report})
    return 0


def why(options: argparse.Namespace) -> int:
    """`chymist why`."""
    language = language_of(options.lang)
    if options.code is None:
        rows = {code: cy.why(code, language).title for code in CODES}
        if options.json:
            emit({"codes": rows})
        else:
            print("\n".join(f"{code:<26}{title}" for code, title in rows.items()))
        return 0
    text = cy.why(options.code, language)
    if options.json:
        emit({"code": options.code, "lang": language, **vars(text)})
    else:
        print(page_of(options.code, language))
    return 0


DIAGNOSING = {"diagnose": diagnose, "why": why}
