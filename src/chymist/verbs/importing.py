"""`import_log`: what another program has recorded, as a folder that runs, show and report read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chymist.data.logs import Log, Unit, read_log
from chymist.doctor import Finding
from chymist.doctor.reading_curves import findings_of_curves
from chymist.engine.folder import check_place, in_free_folder
from chymist.engine.imported import STATEMENT, read_imported, write_imported
from chymist.reports.about_log import LogFacts, log_html
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup, join, tag
from chymist.reports.saying import saying

SHOWN = ("train_loss", "val_loss", "loss")


@dataclass(frozen=True, eq=False)
class ImportedLog:
    """The record of a run that another program has trained: no model, no rows.

    Args:
        name: of the log.
        kind: "event files" or "csv".
        unit: what the steps of the points count: "step", "epoch" or "row".
        history: by name, (points, 2) of step and value, as in `Run.history`.
        times: by name, seconds since 1970 of each point, where the log says them.
        tags: by name, the name in the log.
        notes: what a reader should know, in sentences.
        path: of its folder; None if it was not written.
    """

    name: str
    kind: str
    unit: Unit
    history: Mapping[str, np.ndarray]
    times: Mapping[str, np.ndarray]
    tags: Mapping[str, str]
    notes: tuple[str, ...]
    path: Path | None = None

    @property
    def findings(self) -> list[Finding]:
        """Symptoms that the curves alone show."""
        return findings_of_curves(self.history)

    @property
    def points(self) -> int:
        """How many numbers there are."""
        return sum(map(len, self.history.values()))

    def save(self, folder: str | Path) -> ImportedLog:
        """Write it as a run folder; returns the same with its path.

        Raises:
            InputError: the place is taken or not writable.
        """
        place = Path(folder)
        write_imported(place, _log(self), page_of(self))
        return replace(self, path=place)

    def to_dict(self) -> dict[str, Any]:
        """What it is, as plain values; the points themselves stay in the record."""
        series = {
            name: {"tag": self.tags.get(name, name), "points": len(points),
                   "first": points[0].tolist(), "last": points[-1].tolist()}
            for name, points in self.history.items()
        }  # fmt: skip
        return {
            "run": None if self.path is None else str(self.path), "imported": True,
            "statement": STATEMENT, "name": self.name, "kind": self.kind, "unit": self.unit,
            "series": series, "notes": list(self.notes),
            "findings": [finding.to_dict() for finding in self.findings],
        }  # fmt: skip

    def __repr__(self) -> str:
        names = ", ".join(list(self.history)[:6]) + (", ..." if len(self.history) > 6 else "")
        return (f"ImportedLog({self.name}: {self.points:,} points of {len(self.history):,} series "
                f"({names}); {STATEMENT})")  # fmt: skip

    def _repr_html_(self) -> str:
        lines = [_line(self.history[n], n, kind) for n, kind in zip(SHOWN, ("s1", "s2", "s3"),
                 strict=True) if len(self.history.get(n, ())) > 1]  # fmt: skip
        chart = line_chart("Losses", lines, self.unit, "loss") if lines else Markup("")
        drawn = tag("div", chart, style="max-width:460px")
        return str(tag("div", join(tag("p", repr(self)), drawn)))


def import_log(path: str | Path, out: str | Path | None = None) -> ImportedLog:
    """The series of a log of another program: TensorBoard event files, or a CSV file.

    Values are those of the log, to the bit, with their steps and wall times. What points a restart
    took back is left out, as in TensorBoard; what a killed program left half-written is left out
    and said. Names of series are ours where the words of a tag are known (`docs/tensorboard.md`).

    Args:
        path: an event file, the folder of a run's event files, or a CSV file of Keras' CSVLogger,
            of Lightning, an export of Weights & Biases, or any with a column a series.
        out: folder to write; `runs`, `show`, `report` and `diagnose` read it. None writes nothing.

    Returns:
        The series, with their steps and times.

    Raises:
        InputError: no log, the logs of several runs, a damaged file, or the place is taken.
        UsageError: event files, and the package `tensorboard` is not installed.

    Example:
        >>> import tempfile
        >>> import chymist as cy
        >>> path = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = path.write_text("epoch,loss,val_loss\\n0,0.9,1.0\\n1,0.5,0.75\\n")
        >>> cy.import_log(path)
        ImportedLog(log: 4 points of 2 series (train_loss, val_loss); imported: no model, no rows)
    """
    if out is not None:
        check_place(Path(out))
    found = _imported(read_log(Path(path)))
    return found if out is None else found.save(out)


def import_to_free(path: str | Path) -> ImportedLog:
    """A log imported into the next free `runs/<name>-NNNN`."""
    found = import_log(path)
    return in_free_folder(found.name, found.save)


def load_imported(folder: Path) -> ImportedLog:
    """An imported log, read back from its folder."""
    return replace(_imported(read_imported(folder)), path=folder)


def page_of(log: ImportedLog, lang: str = "en") -> bytes:
    """The page of an imported log, in a language."""
    claims = [(finding.code, finding.claim) for finding in log.findings]
    facts = LogFacts(log.name, log.kind, log.unit, log.history, log.tags, log.notes, claims)
    return log_html(facts, saying(lang)).encode()


def _imported(log: Log) -> ImportedLog:
    return ImportedLog(
        log.name, log.kind, log.unit, log.series, log.times, log.tags, log.notes
    )  # fmt: skip


def _log(log: ImportedLog) -> Log:
    return Log(log.name, log.kind, log.unit, log.history, log.times, log.tags, log.notes)


def _line(points: np.ndarray, name: str, kind: str) -> Line:
    order = np.argsort(points[:, 0], kind="stable")
    return Line(name, points[order, 0], points[order, 1], kind)
