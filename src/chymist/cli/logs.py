"""`chymist tensorboard` and `chymist import-log`, and what is shown of an imported log."""

from __future__ import annotations

import argparse
from pathlib import Path

import chymist as cy
from chymist.cli.commands import emit, screen_of, width
from chymist.cli.findings import finding_lines, language_of
from chymist.cli.summaries import near
from chymist.errors import UsageError
from chymist.reports.numbers import number
from chymist.verbs.importing import ImportedLog, import_to_free, load_imported

LINES = 30  # series that `show` lists


def tensorboard(options: argparse.Namespace) -> int:
    """`chymist tensorboard`."""
    screen = screen_of(options)
    written = cy.to_tensorboard(options.runs, options.out)
    for folder in written.runs:
        screen.line("Written", str(folder))
    screen.line("Result", str(written), result=True)
    if options.json:
        emit({"folder": str(written.folder), "runs": [str(one) for one in written.runs],
              "points": written.points})  # fmt: skip
    return 0


def import_log(options: argparse.Namespace) -> int:
    """`chymist import-log`."""
    if options.out and len(options.logs) > 1:
        raise UsageError("several logs have no common run folder", where="--out",
                         received=f"{len(options.logs)} logs",
                         do="leave it out, or import one at a time")  # fmt: skip
    screen, made = screen_of(options), []
    for path in options.logs:
        made.append(cy.import_log(path, options.out) if options.out else import_to_free(path))
        print_log(options, made[-1])
        screen.line("Files", f"{near(made[-1].path or Path())}/  report.html · records.sqlite")
    if options.json:
        emit({"runs": [log.to_dict() for log in made]})
    return 0


def show_log(options: argparse.Namespace) -> int:
    """`chymist show` of an imported log."""
    if options.weights:
        raise UsageError("an imported log has no weights", where="--weights",
                         received=str(options.run), do="leave it out")  # fmt: skip
    log = load_imported(Path(options.run))
    print_log(options, log)
    if options.json:
        emit(log.to_dict())
    return 0


def print_log(options: argparse.Namespace, log: ImportedLog) -> None:
    """What was imported, its series, and what their curves show."""
    from chymist.reports.text import table

    screen = screen_of(options)
    screen.line("Run", f"{near(log.path or Path())} · imported: no model, no rows", result=True)
    screen.line("Log", f"{log.name} · {log.kind} · {log.points:,} points of "
                f"{len(log.history):,} series, by {log.unit}")  # fmt: skip
    cells = [
        [name, log.tags.get(name, name), f"{len(points):,}", f"{points[0, 0]:.0f}",
         f"{points[-1, 0]:.0f}", number(float(points[-1, 1]))]
        for name, points in list(log.history.items())[:LINES]
    ]  # fmt: skip
    screen.block(table(cells, ["series", "in the log", "points", "first", "last", "value"],
                       width() - 8))  # fmt: skip
    if len(log.history) > LINES:
        screen.block(f"... and {len(log.history) - LINES:,} more")
    for note in log.notes:
        screen.line("Note", note)
    language = language_of(getattr(options, "lang", None))
    for finding in log.findings:
        for label, text in finding_lines(finding, language):
            screen.line(label, text)


LOGS = {"tensorboard": tensorboard, "import-log": import_log}
